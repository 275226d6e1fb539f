/* virtio devices, their drivers and their queues.  (Virtual I/O Device, OASIS, version 1.2; "legacy" is what came before 1.0.)
 *
 * A driver is one file that ends in VIRTIO_DRIVER().  It is probed for each device of its kind, whatever the transport.  In probe it asks
 * for its queues, reads the configuration, and says virtio_ready(); from then on the device answers.
 *
 * A queue carries buffers to the device and back.  Buffers are added (out: the device reads, then in: it writes), the device is told by
 * a kick, and what it has done with is taken back with virtqueue_get() under the token given when it was added.  Nothing that a device
 * writes is believed: one that answers nonsense is marked broken, with a line in the log, and its driver's failed() is called.
 *
 * Memory handed to a device lies in the linear map (kmalloc, pages; not stacks, not vmalloc).  Devices are taken to be coherent. */
#pragma once
#include <arch/mmu.h>
#include <drivers/base/device.h>
#include <kernel/irq/irq.h>
#include <kernel/sync/mutex.h>
#include <kernel/lib/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

struct virtio_device;
struct virtio_transport;
struct virtqueue;

/* --- drivers */

struct virtio_driver {
	struct device_driver driver;	/* VIRTIO_DRIVER fills it: "virtio_rng" on the bus virtio */
	u32 id;				/* VIRTIO_ID_* */
	u64 features;			/* the device type's own (BIT(VIRTIO_BLK_F_FLUSH) | ...): those the driver knows.  The core adds the rest */
	/* probe - take the device; dev->driver_data is the driver's.  0 or -errno; after an error the core resets the device and gives its
	 * queues back.  remove - the device or the driver goes: stop sending, virtio_reset(), take back what the queues hold
	 * (virtqueue_detach), free.  The core gives the queues back afterwards.  Context: thread, may sleep. */
	int (*probe)(struct virtio_device *dev);
	void (*remove)(struct virtio_device *dev);
	/* config_changed - the device says that its configuration did; or NULL.  Context: thread, may sleep; one at a time. */
	void (*config_changed)(struct virtio_device *dev);
	/* failed - the device was marked broken, and has been reset: it will answer nothing and touches no memory any more; take back what the
	 * queues hold (virtqueue_detach) and end it with an error.  remove() may still come.  Or NULL.  Context: thread, may sleep. */
	void (*failed)(struct virtio_device *dev);
	/* restart - the device asks to be reset (2.1.2): call virtio_restart and go on as before; its result, or -errno if the driver's part of it failed,
	 * and then the device is to be marked broken.  config_changed follows.  NULL: such a device is broken.  Context: thread, may sleep. */
	int (*restart)(struct virtio_device *dev);
};
#define VIRTIO_DRIVER(ident, ...) \
	static struct virtio_driver __virtio_driver_##ident = { .driver = { .name = "virtio_" #ident, .bus = &virtio_bus }, __VA_ARGS__ }; \
	BUS_DRIVER(virtio_##ident, &__virtio_driver_##ident.driver)
extern struct bus virtio_bus;

/* --- devices */

struct virtio_device {
	struct device device;		/* /sys/bus/virtio/devices/NAME.  Its mutex is held around every call of the driver's */
	const struct virtio_transport *transport;	/* [I] */
	u32 id, vendor;			/* [I] */
	char name[16];			/* [I] "virtio0" */
	u64 features;			/* [I] once probed: what both sides agreed on */
	void *driver_data;		/* the driver's */
	u32 nr_queues;			/* [I] from virtio_queues() to removal */
	struct virtqueue **queues;
	const struct virtio_driver *driver;	/* [device.mutex] NULL: nobody's */
	struct mutex reset_mutex;	/* LC_VIRTIO: one reset of it at a time */
	bool ready;			/* [reset_mutex] DRIVER_OK is set */
	bool live;			/* [a] from DRIVER_OK to reset: what it interrupts for means something */
	bool broken;			/* [a] it answered nonsense, or is gone */
	u32 news;			/* [a] what the work has to tell the driver */
	u32 nr_restarts;		/* [device.mutex] that it asked for, since restarts_ns */
	u64 restarts_ns;		/* [device.mutex] */
	struct work work;
};

/* virtio_has - the feature was agreed on.  Context: any, from probe on. */
static inline bool virtio_has(const struct virtio_device *dev, u32 feature) { return dev->features >> feature & 1; }
/* virtio_legacy - a device from before 1.0: its configuration has no generation, and some headers are shorter. */
static inline bool virtio_legacy(const struct virtio_device *dev) { return !virtio_has(dev, VIRTIO_F_VERSION_1); }

/* Configuration.  A read of any length sees one state of it where the device can tell (version 1 devices).  Context: thread. */
void virtio_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len);
void virtio_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len);
/* virtio_config_get(dev, struct virtio_blk_config, capacity) - one field of it. */
#define virtio_config_get(dev, type, field) ({ \
	__typeof__(((type){ 0 }).field) __v; \
	virtio_config_read((dev), (u32)offsetof(type, field), &__v, sizeof(__v)); \
	__v; })
#define virtio_config_set(dev, type, field, value) do { \
	__typeof__(((type){ 0 }).field) __v = (value); \
	virtio_config_write((dev), (u32)offsetof(type, field), &__v, sizeof(__v)); \
} while (0)

/* virtio_ready - the driver is set up; the device may use its queues.  In probe, before the first kick (the core does it after a
 * probe that did not).  Context: thread. */
void virtio_ready(struct virtio_device *dev);
/* virtio_reset - the device forgets its queues and touches no memory any more; when it returns no callback runs, and none will.
 * Context: thread, may sleep. */
void virtio_reset(struct virtio_device *dev);
/* virtio_restart - the device does not do what it should: reset it, agree on the same features again, and give it the same queues, empty and
 * with callbacks wanted.  reset: was done; take back what the queues hold (virtqueue_detach; what is left is forgotten), and from its end on nobody touches
 * them.  restarted: they may be used again.  Both or either may be NULL; both run under a lock, so one restart is over before the next begins, and may
 * sleep.  0; -ENODEV: it is being removed, or broken, and nothing was done; -EIO: it does not come back: it is reset, and broken now (restarted was not
 * called).  Context: thread, may sleep; from probe's virtio_ready on, also while probe runs. */
int virtio_restart(struct virtio_device *dev, void (*reset)(struct virtio_device *dev), void (*restarted)(struct virtio_device *dev));
/* virtio_asks_reset - the device says that it can go on only after a reset; if so, the driver's restart() is about to be called.  Context: thread. */
bool virtio_asks_reset(struct virtio_device *dev);
/* virtio_break - mark the device broken and say why; once.  failed() follows in a thread.  Context: any. */
void virtio_break(struct virtio_device *dev, const char *why);

/* --- queues
 *
 * Who calls virtqueue_add, _kick_prepare, _get, _enable_cb, _disable_cb, _more and _detach on one queue excludes others by a lock of his own,
 * interrupts off, as the callback comes in an interrupt.  Different queues need nothing of each other.  virtqueue_notify needs no lock. */

struct virtqueue_spec {
	const char *name;		/* "requests"; NULL: the queue is not wanted, and dev->queues[i] stays NULL */
	/* done - the device gave something back.  NULL: the driver polls, and no interrupt is asked for.  Context: irq; no locks held.
	 * It may come without cause, and on any CPU. */
	void (*done)(struct virtqueue *vq);
	u32 cpu;			/* whom to interrupt where the transport has a vector for each queue; VIRTQUEUE_ANY_CPU */
	u32 max_size;			/* entries at most; 0: as many as the device has, up to 256 */
};
#define VIRTQUEUE_ANY_CPU (~0u)

struct virtqueue {
	struct virtio_device *dev;	/* [I] */
	const char *name;		/* [I] */
	void (*done)(struct virtqueue *vq);	/* [I] */
	u32 index;			/* [I] */
	u32 cpu;			/* [I] */
	u32 size;			/* [I] entries; a request has at most so many buffers */
	u32 nr_free;			/* [caller] entries */
	void *driver_data;		/* the driver's */
};

/* virtio_queues - make the device's queues 0 to nr - 1 by specs, once in a probe; dev->queues[i] is the i-th.  0, -ENOENT: the device
 * lacks one of them, -ENOMEM.  Context: probe, may sleep. */
int __must_check virtio_queues(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs);

struct virtio_buf { paddr_t addr; u32 len; };
static inline struct virtio_buf virtio_buf(const void *va, u32 len) { return (struct virtio_buf){ virt_to_phys(va), len }; }

/* virtqueue_add - give the device nr_out buffers to read, then nr_in to write, as one request; the device sees it by itself or after the
 * next kick.  token: not NULL.  0; -ENOSPC: no room until something comes back (never if the queue is empty); -EINVAL: no buffers or more
 * than vq->size; -EIO: the device is broken.  Never sleeps: lists of buffers come from the atomic reserve, or do without memory. */
int __must_check virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, u32 nr_out, u32 nr_in, void *token);
/* virtqueue_kick_prepare - must the device be told of what was added since the last time?  virtqueue_notify - tell it: a trap into the
 * host, so outside locks.  virtqueue_kick - both.  Context: any. */
bool virtqueue_kick_prepare(struct virtqueue *vq);
void virtqueue_notify(struct virtqueue *vq);
static inline void virtqueue_kick(struct virtqueue *vq)
{
	if (virtqueue_kick_prepare(vq))
		virtqueue_notify(vq);
}
/* virtqueue_get - the token of a request that the device is done with, or NULL.  *len: bytes it says it wrote, at most what the in
 * buffers hold.  virtqueue_more - there is one. */
void *virtqueue_get(struct virtqueue *vq, u32 *len);
bool virtqueue_more(struct virtqueue *vq);
/* virtqueue_disable_cb - no callbacks wanted, though one may still come.  virtqueue_enable_cb - they are again; false: something came back
 * meanwhile and may bring no callback, so get it, and call again.  A queue starts enabled.  The form of a callback:
 *	do {
 *		virtqueue_disable_cb(vq);
 *		while ((r = virtqueue_get(vq, &len))) ...
 *	} while (!virtqueue_enable_cb(vq)); */
void virtqueue_disable_cb(struct virtqueue *vq);
bool virtqueue_enable_cb(struct virtqueue *vq);
/* virtqueue_detach - the token of a request that the device still had, or NULL: none is left.  After virtio_reset(), or in failed(). */
void *virtqueue_detach(struct virtqueue *vq);
