/* Rings, for the files of this room. */
#pragma once
#include <arch/atomic.h>
#include <drivers/virtio/virtio.h>
#include <linux/virtio_ring.h>

#define RING_DEFAULT_SIZE	256u
#define RING_MAX_SIZE		32768u
#define RING_ALIGN		4096u	/* of the used part; what legacy devices are told */

/* A request that the device has, or a free entry. */
struct ring_slot {
	void *token;		/* NULL: free, or a later entry of a request */
	void *table;		/* its indirect descriptors, or NULL */
	u32 in_len;		/* bytes the device may write */
	u16 nr;			/* ring entries it takes */
	u16 next;		/* of the same request, or of the free list */
};

/* All of it is the caller's: who uses a queue excludes others (virtio.h). */
struct virtio_ring {
	struct virtqueue vq;	/* first */
	bool packed, indirect, event;
	bool strict;		/* lengths must be right: not a legacy device */
	bool cb_off;
	struct page *mem;
	u32 order;
	paddr_t desc_pa, driver_pa, device_pa;
	struct ring_slot *slots;
	u16 free_head;		/* first free entry of slots */
	union {
		struct {
			struct vring_desc *desc;
			struct vring_avail *avail;	/* driver's part */
			struct vring_used *used;	/* device's part */
			u16 avail_idx;			/* shadows of what is in the ring, which the device could change */
			u16 avail_flags;
			u16 kicked;			/* avail_idx at the last kick */
			u16 used_seen;
		} s;
		struct {
			struct vring_packed_desc *desc;
			struct vring_packed_desc_event *driver, *device;
			u16 avail_at, used_at;		/* entry next to fill, next to look at */
			bool avail_wrap, used_wrap;
			u16 added;			/* entries since the last kick */
			u16 driver_flags;
		} p;
	};
	u64 notify;		/* the transport's: where to tell the device */
};
static inline struct virtio_ring *to_ring(struct virtqueue *vq) { return container_of(vq, struct virtio_ring, vq); }

/* ring_create - a ring for queue index of dev, by spec, of at most max_size entries, in the form that dev->features say.  0, -ENOMEM,
 * -ENOENT (max_size is 0).  ring_destroy - the device does not use it any more; what it held is forgotten.  ring_restart - the same, and it is
 * as new, for a device that was reset.  Context: thread. */
int ring_create(struct virtio_device *dev, u32 index, const struct virtqueue_spec *spec, u32 max_size, struct virtio_ring **out);
void ring_destroy(struct virtio_ring *r);
void ring_restart(struct virtio_ring *r);

/* The two forms, each behind one of the virtqueue calls of the same name; table: room for nr indirect descriptors, or NULL. */
u32 split_size(u32 size, u32 *driver_off, u32 *device_off);	/* bytes of a ring, and where its parts stand in it */
void split_init(struct virtio_ring *r, void *mem, u32 driver_off, u32 device_off);
void split_add(struct virtio_ring *r, const struct virtio_buf *bufs, u32 nr_out, u32 nr, void *table, void *token, u32 in_len);
bool split_kick_prepare(struct virtio_ring *r);
bool split_more(struct virtio_ring *r);
void *split_get(struct virtio_ring *r, u32 *len);
void split_disable_cb(struct virtio_ring *r);
void split_enable_cb(struct virtio_ring *r);

u32 packed_size(u32 size, u32 *driver_off, u32 *device_off);
void packed_init(struct virtio_ring *r, void *mem, u32 driver_off, u32 device_off);
void packed_add(struct virtio_ring *r, const struct virtio_buf *bufs, u32 nr_out, u32 nr, void *table, void *token, u32 in_len);
bool packed_kick_prepare(struct virtio_ring *r);
bool packed_more(struct virtio_ring *r);
void *packed_get(struct virtio_ring *r, u32 *len);
void packed_disable_cb(struct virtio_ring *r);
void packed_enable_cb(struct virtio_ring *r);

/* slot_take - the token of the request under id, whose entries are free again; *len is checked against it.  NULL: the device is broken. */
void *slot_take(struct virtio_ring *r, u32 id, u32 *len);
