/* virtio-rng: the host's random bytes (VIRTIO 1.2, 5.4), as /dev/hwrng (hwrng(4) in Linux's documentation: misc device 183) and as a
 * source of the kernel's generator.
 *
 * The device has one queue; it fills what it is given.  Two buffers go back and forth: one for readers of /dev/hwrng, who take turns
 * (`reading`), and one that is mixed into the generator by the interrupt itself.  Bytes are erased as they are handed out.
 * The first device serves; others wait until it goes. */
#include <asm/fcntl.h>
#include <drivers/virtio/virtio.h>
#include <fs/file.h>
#include <fs/iov.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/list.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/task.h>

#include <mm/slab.h>

#define READ_SIZE	512u
#define SEED_SIZE	64u

struct rng_buf { u8 *data; u32 size, len; bool busy; };	/* all under the rng's lock; data is the device's while busy */

struct rng {
	struct virtqueue *vq;
	struct list_head link;		/* [rngs_lock] */
	struct spinlock lock;
	struct rng_buf read, seed;	/* [lock] */
	u32 at;				/* [reading] next byte of read.data to hand out */
	bool gone;			/* [a] */
	struct wait_queue wq;		/* readers, for read.busy to end */
	struct random_source source;
};

static DEFINE_MUTEX(reading, LC_HWRNG);
static LIST_HEAD(rngs);				/* [rngs_lock] the first one serves */
static DEFINE_MUTEX(rngs_lock, LC_HWRNG);	/* taken under reading, never around it */

/* --- the device */

static void rng_done(struct virtqueue *vq)
{
	struct rng *r = vq->driver_data;
	struct rng_buf *b;
	u32 len;

	spin_lock(&r->lock);
	do {
		virtqueue_disable_cb(vq);
		while ((b = virtqueue_get(vq, &len))) {
			b->len = len;
			b->busy = false;
			if (b == &r->seed) {
				random_mix(b->data, b->len);
				memset(b->data, 0, b->size);
			}
			if (!len)
				virtio_break(vq->dev, "it gave no bytes");
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock(&r->lock);
	wake_up_all(&r->wq);
}

/* request - have the device fill b, unless it is at it already.  0 or virtqueue_add's error. */
static int request(struct rng *r, struct rng_buf *b)
{
	struct virtio_buf buf = virtio_buf(b->data, b->size);
	bool kick = false;
	int err = 0;

	spin_lock_irq(&r->lock);
	if (!b->busy) {
		err = virtqueue_add(r->vq, &buf, 0, 1, b);
		b->len = 0;
		b->busy = !err;
		kick = !err && virtqueue_kick_prepare(r->vq);
	}
	spin_unlock_irq(&r->lock);
	if (kick)
		virtqueue_notify(r->vq);
	return err;
}

static void want_seed(struct random_source *s)
{
	struct rng *r = container_of(s, struct rng, source);

	(void)request(r, &r->seed);	/* an error: the device is broken, and the log says so */
}

static struct rng *first_locked(void) { return list_empty(&rngs) ? NULL : list_first_entry(&rngs, struct rng, link); }

static struct rng *first(void)
{
	struct rng *r;

	mutex_lock_nested(&rngs_lock, 1);
	r = first_locked();
	mutex_unlock(&rngs_lock);
	return r;
}

static void rng_free(struct rng *r)
{
	kfree(r->read.data);
	kfree(r->seed.data);
	kfree(r);
}

static int rng_probe(struct virtio_device *dev)
{
	static const struct virtqueue_spec spec = { .name = "input", .done = rng_done, .cpu = VIRTQUEUE_ANY_CPU, .max_size = 8 };
	struct rng *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err;

	if (!r)
		return -ENOMEM;
	spin_lock_init(&r->lock, LC_DEVICE);
	wait_queue_init(&r->wq);
	r->read = (struct rng_buf){ .data = kzalloc(READ_SIZE, GFP_KERNEL), .size = READ_SIZE };
	r->seed = (struct rng_buf){ .data = kzalloc(SEED_SIZE, GFP_KERNEL), .size = SEED_SIZE };
	r->source.want = want_seed;
	err = r->read.data && r->seed.data ? virtio_queues(dev, 1, &spec) : -ENOMEM;
	if (err) {
		rng_free(r);
		return err;
	}
	r->vq = dev->queues[0];
	r->vq->driver_data = r;
	dev->driver_data = r;
	virtio_ready(dev);
	mutex_lock_nested(&rngs_lock, 1);
	list_add_tail(&r->link, &rngs);
	if (first_locked() == r)
		random_source_add(&r->source);
	mutex_unlock(&rngs_lock);
	return 0;
}

/* No request comes back any more: who waits for one is told. */
static void rng_failed(struct virtio_device *dev)
{
	struct rng *r = dev->driver_data;

	atomic_store(&r->gone, true);
	spin_lock_irq(&r->lock);
	while (virtqueue_detach(r->vq))
		;
	r->read.busy = r->seed.busy = false;
	r->read.len = 0;
	spin_unlock_irq(&r->lock);
	wake_up_all(&r->wq);
}

static void rng_remove(struct virtio_device *dev)
{
	struct rng *r = dev->driver_data;

	atomic_store(&r->gone, true);
	wake_up_all(&r->wq);
	mutex_lock_nested(&rngs_lock, 1);
	list_del(&r->link);
	random_source_remove(&r->source);
	if (first_locked())
		random_source_add(&first_locked()->source);
	mutex_unlock(&rngs_lock);
	mutex_lock(&reading);		/* whoever reads from it has left when this is ours */
	mutex_unlock(&reading);
	virtio_reset(dev);
	rng_failed(dev);
	rng_free(r);
}

VIRTIO_DRIVER(rng, .id = VIRTIO_ID_RNG, .probe = rng_probe, .remove = rng_remove, .failed = rng_failed);

/* --- /dev/hwrng */

static bool filled(struct rng *r)
{
	bool yes;

	spin_lock_irq(&r->lock);
	yes = !r->read.busy;
	spin_unlock_irq(&r->lock);
	return yes || atomic_load(&r->gone);
}

/* fetch - until there are bytes to hand out.  0, -EAGAIN, -ENODEV, -ERESTARTSYS. */
static int fetch(struct rng *r, bool nonblock)
{
	int err;

	if (atomic_load(&r->gone))
		return -ENODEV;
	if (!filled(r) && nonblock)
		return -EAGAIN;
	if (filled(r) && r->at < r->read.len)
		return 0;
	if (filled(r)) {
		r->at = 0;
		if (request(r, &r->read))
			return -ENODEV;
	}
	err = nonblock && !filled(r) ? -EAGAIN : wait_event_interruptible(&r->wq, filled(r));
	if (err)
		return err;
	return r->read.len ? 0 : -ENODEV;
}

static ssize_t read_locked(struct rng *r, struct iov_iter *to, bool nonblock)
{
	size_t done = 0;
	int err = 0;

	while (to->count && !(err = fetch(r, nonblock))) {
		size_t n = min_t(size_t, to->count, r->read.len - r->at), got = copy_to_iter(r->read.data + r->at, n, to);

		memset(r->read.data + r->at, 0, got);
		r->at += (u32)got;
		done += got;
		if (got < n) {
			err = -EFAULT;
			break;
		}
	}
	return done ? (ssize_t)done : err;
}

static ssize_t hwrng_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	bool nonblock = file->flags & O_NONBLOCK;
	ssize_t n = 0;
	struct rng *r;

	(void)pos;
	if (!to->count)
		return 0;
	if (nonblock ? !mutex_trylock(&reading) : mutex_lock_interruptible(&reading) != 0)
		return nonblock ? -EAGAIN : -ERESTARTSYS;
	r = first();
	n = r ? read_locked(r, to, nonblock) : -ENODEV;
	mutex_unlock(&reading);
	return n;
}

static const struct file_ops hwrng_fops = { .read = hwrng_read };
CHARDEV(hwrng, .name = "hwrng", .driver = "misc", .misc = "hw_random", .class = "misc", .dev = MKDEV_K(10, 183), .count = 1, .mode = 0600, .fops = &hwrng_fops);
