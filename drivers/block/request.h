/* Requests and queues: between bios and a driver that takes a limited number of limited requests.  Theory in queue.c. */
#pragma once
#include <arch/mmu.h>
#include <drivers/block/disk.h>
#include <kernel/irq/irq.h>
#include <kernel/sync/wait.h>
#include <kernel/time/time.h>

struct block_queue;
struct hw_queue;

enum request_state {
	REQUEST_IDLE,			/* being built, held back, or waiting for room */
	REQUEST_STARTED,		/* the driver's */
	REQUEST_DONE,
};
enum request_stage { STAGE_DATA, STAGE_PREFLUSH, STAGE_DATA_THEN_FLUSH, STAGE_POSTFLUSH };

/* A run of sectors: a chain of bios, by next.  The first may begin at skip; the last may go on in another request. */
struct request {
	struct list_head link;		/* a plug's, [hw->lock] hw->pending, [flush lock] the flush machinery's */
	struct hw_queue *hw;		/* [I] */
	struct bio *bio, *tail;
	u64 sector;			/* of the disk */
	u64 len;			/* bytes */
	u32 skip;			/* bytes of the first bio that are another request's */
	u32 nr_segments;		/* at most */
	u16 tag;			/* [I] its index in hw->requests */
	u8 op, flags;			/* enum bio_op, bio_flags that matter to the driver: BIO_FUA */
	u8 stage, stage_after;		/* enum request_stage; what follows STAGE_PREFLUSH */
	u8 retries;			/* how often it was given to the device again after a reset */
	u8 extensions;			/* the driver's: how often it was late and got its time again */
	bool cut;			/* the last bio goes on elsewhere: nothing can be appended */
	u32 state;			/* [a] enum request_state */
	u64 begun_ns, started_ns;	/* made; given to the driver */
	u64 ended_ns;			/* answered, if the driver says so before request_done; else 0 */
	u64 driver[];			/* queue->driver_bytes for the driver */
};

struct queue_ops {
	/* queue - hand rq to the device; whatever is wrong with it comes back by request_done.  -EBUSY: no room; it is tried again when a
	 * request of hw has ended or hw_queue_run is called.  Other errors end it.  Context: irqs off.  Locks: hw->lock.
	 * kick_prepare - after the last of several; must kick be called?  kick - tell the device; no lock.  NULL: not needed. */
	int (*queue)(struct hw_queue *hw, struct request *rq);
	bool (*kick_prepare)(struct hw_queue *hw);
	void (*kick)(struct hw_queue *hw);
	/* timeout - rq has been with the device for too long.  It must see to it that the device touches no memory of rq any more, and that rq
	 * ends: by request_done, or a reset of the device between queue_stop and queue_restart.  NULL: requests take what time they take.
	 * Context: thread, may sleep. */
	void (*timeout)(struct request *rq);
};

struct hw_queue {
	struct spinlock lock;		/* LC_BLOCK_QUEUE: of the driver's queue too */
	struct block_queue *queue;	/* [I] */
	u32 index;			/* [I] */
	void *driver;			/* [I] the driver's */
	struct list_head pending;	/* [lock] requests that found no room */
	bool stopped;			/* [lock] nothing is given to the driver */
	u64 *tags;			/* [a] one bit a request: taken */
	struct wait_queue tag_wait;
	u32 nr_started;			/* [a] */
	u32 timer_on;			/* [a] */
	struct timer timer;
	struct request **requests;	/* [I] depth of them; of queue 0 one more, for flushes */
} __aligned(64);

/* Flushing.  Theory in flush.c. */
struct flush_queue {
	struct spinlock lock;		/* LC_BLOCK_FLUSH */
	struct list_head waiting;	/* [lock] for the next flush */
	struct list_head covered;	/* [lock] by the one that is under way */
	bool busy;			/* [lock] one is */
};

struct block_queue {
	struct disk *disk;		/* [I] */
	const struct queue_ops *ops;	/* [I] */
	u32 nr_hw, depth, driver_bytes;	/* [I] */
	bool dead;			/* [a] */
	u64 timeout_ns;			/* [a] */
	struct flush_queue flush;
	struct list_head late;		/* [timeout.c's lock] of the queues to be looked through, or empty */
	struct hw_queue hw[];
};

/* queue_create - nr_hw queues of depth requests each.  disk->queue is set by the caller, before disk_register.  NULL: no memory.
 * queue_destroy - nothing is in flight: from disk_ops.free. */
struct block_queue *queue_create(struct disk *disk, const struct queue_ops *ops, u32 nr_hw, u32 depth, u32 driver_bytes);
void queue_destroy(struct block_queue *q);
/* queue_submit - disk_ops.submit of disks that have a queue. */
void queue_submit(struct disk *disk, struct bio *bio);
/* request_done - the driver is through with rq.  Context: any; hw->lock not held. */
void request_done(struct request *rq, int status);
/* hw_queue_run - there is room again.  Context: any, hw->lock not held. */
void hw_queue_run(struct hw_queue *hw);
/* queue_stop - when it returns the driver is given nothing more.  queue_restart - after queue_stop and a reset: what the device still had
 * is given to it again, or ends with -ETIMEDOUT if that was tried before; alive: false: all ends with -EIO.  queue_kill - the device is gone:
 * after a reset, all ends with -EIO, all that comes later with -ENODEV.  Context: thread, may sleep. */
void queue_stop(struct block_queue *q);
void queue_restart(struct block_queue *q, bool alive);
void queue_kill(struct block_queue *q);
static inline void *request_driver(struct request *rq) { return rq->driver; }

/* request.c: what a request is made of; no locks, no devices.
 * request_begin - an empty rq takes of bio, from byte off on, as much as the limits allow: that many bytes, 0 if not even one block.
 * request_append, request_prepend - bio as a whole; false: not adjacent, or beyond the limits.
 * request_finish - tell the bios that are in it; those of which it was the last piece end. */
u64 request_begin(struct request *rq, struct bio *bio, u64 off, const struct disk_limits *limits);
bool request_append(struct request *rq, struct bio *bio, const struct disk_limits *limits);
bool request_prepend(struct request *rq, struct bio *bio, const struct disk_limits *limits);
void request_finish(struct request *rq, int status);
void bio_part_done(struct bio *bio, int status);	/* one piece of it */
/* Going through its memory, neighbours made one up to max_segment_size:
 *	for (request_segments(rq, &it); request_segment(&it, &addr, &len);) */
struct request_iter { const struct bio *bio; u64 left; u32 vec, off, max; };
void request_segments(const struct request *rq, struct request_iter *it);
bool request_segment(struct request_iter *it, paddr_t *addr, u32 *len);

/* flush.c: the stages of requests that flush.
 * flush_begin - rq, just made from a bio with BIO_PREFLUSH or BIO_FUA or of BIO_FLUSH: true if it must not start yet.
 * flush_ended - the driver is through with rq: true if more is to come.  flush_done - so it is with the flush itself. */
void flush_init(struct flush_queue *fq);
bool flush_begin(struct block_queue *q, struct request *rq, u8 flags);
bool flush_ended(struct block_queue *q, struct request *rq, int status);
void flush_done(struct block_queue *q, int status);
/* What it asks of queue.c: start the queue's own flush; start rq; end rq. */
void queue_start_flush(struct block_queue *q);
void queue_start_request(struct request *rq);
void queue_end_request(struct request *rq, int status);

/* timeout.c.  timeout_watch - a request was started. */
void timeout_init(struct block_queue *q);
void timeout_watch(struct hw_queue *hw, u64 now);
void timeout_fini(struct block_queue *q);
void queue_set_timeout(struct block_queue *q, u64 timeout_ns);	/* 0: none.  Context: thread */
