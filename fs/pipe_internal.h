/* Between pipes and splice only: the ring. */
#pragma once
#include <fs/pipe.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/wait.h>

#define PIPE_SLOTS	16

/* page is referenced.  shared: others see it, too (the page cache, a program): it is not written to, nor used again. */
struct pipe_slot { struct page *page; u32 off, len; bool shared; };

struct pipe {
	struct mutex mutex;		/* LC_PIPE */
	u32 head, tail;			/* [m] */
	u32 size;			/* [m] slots, a power of two */
	u32 reserved;			/* [m] free ones that are kept for what a splice is about to read */
	u32 readers, writers;		/* [m] open files */
	u32 r_opens, w_opens;		/* [m] openings so far, for FIFOs that wait for the other side */
	u32 files;			/* [a] users of the structure */
	bool taking;			/* [m] a splice works on what is at the tail, without the mutex: no other reader may */
	struct page *spare;		/* [m] */
	struct pipe_slot *slots;	/* [m] */
	struct wait_queue rd_wait, wr_wait;
	struct pipe_slot inline_slots[PIPE_SLOTS];
};

static inline bool pipe_empty(const struct pipe *p) { return p->head == p->tail; }
static inline u32 pipe_room(const struct pipe *p) { return p->size - p->reserved - (p->head - p->tail); }
static inline bool pipe_full(const struct pipe *p) { return !pipe_room(p); }
static inline struct pipe_slot *slot_at(const struct pipe *p, u32 n) { return &p->slots[n & (p->size - 1)]; }
/* pipe_sleep - drop the mutex, sleep on wq until woken, take it again.  0 or -ERESTARTSYS. */
int pipe_sleep(struct pipe *p, struct wait_queue *wq);
void pipe_wake_readers(struct pipe *p), pipe_wake_writers(struct pipe *p);
void pipe_slot_done(struct pipe *p, struct pipe_slot *s);	/* the one at the tail is empty; mutex held */
extern const struct file_ops pipe_fops;
/* file_pipe - NULL: f is none */
static inline struct pipe *file_pipe(const struct file *f) { return f->ops == &pipe_fops ? f->private : NULL; }
