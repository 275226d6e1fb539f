/* virtio block devices: /dev/vda ...  (VIRTIO 1.2, section 5.2.)
 *
 * One hardware queue for each virtqueue.  A request is a header, its data in segments, and a byte for the device's answer; header and answer
 * stand in the request's own memory, the list of segments in memory of the queue, used under its lock.
 *
 * Doorbells and interrupts.  A batch of requests (a plug's) rings once, and only if the device asked for it; while the handler takes
 * answers it wants no interrupts.
 *
 * A request that is not answered in time.  As long as the device answers others it is slow, not stuck, and the request gets its time again,
 * EXTENSIONS times.  Else the device is reset and started again, and what it had is given to it once more; a request that two resets took
 * back ends with -ETIMEDOUT.  A device that was reset RESETS times and answered nothing in between is given up: it is broken, all ends with -EIO and
 * the disk is dead.  The answer to what a reset took back is never looked at, since the reset forgets the rings.
 *
 * Identity (the serial) is asked for when somebody wants to read it. */
#include <arch/cpu.h>
#include <drivers/base/kobject.h>
#include <drivers/block/request.h>
#include <drivers/block/rescan.h>
#include <drivers/block/virtio_blk.h>
#include <drivers/virtio/virtio.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/virtio_blk.h>
#include <mm/slab.h>

#define VBLK_MAJOR	254u
#define VBLK_MINORS	16u
BLOCK_MAJOR(virtblk, VBLK_MAJOR, "virtblk");
#define VBLK_MAX	1024u
#define DEPTH_MAX	128u
#define SEGMENTS_MAX	254u
#define EXTENSIONS	8u
#define RESETS		5u

struct vblk_queue {
	struct virtqueue *vq;		/* [I] */
	u64 answered_ns;		/* [hw->lock, read racily] when it last answered */
	struct virtio_buf bufs[];	/* [hw->lock] */
};

struct vblk {
	struct virtio_device *dev;	/* [I] there until the queue is destroyed, though it may be gone */
	struct disk *disk;
	u32 index;
	u32 resets;			/* [blocklate's] since it last answered */
	u64 reset_ns;			/* [blocklate's] the last one */
	struct { struct virtio_blk_outhdr head; char id[VIRTIO_BLK_ID_BYTES]; u8 answer; struct completion done; bool busy; } ident;
	struct mutex ident_lock;	/* LC_DISK_IDENT */
};

/* In each request. */
struct vblk_request {
	struct virtio_blk_outhdr head;
	struct virtio_blk_discard_write_zeroes range;
	u8 answer;
};

static u64 indices[VBLK_MAX / 64];	/* [a] taken */

static struct vblk *vblk_of(const struct block_queue *q) { return q->disk->private; }

/* --- requests --- */

static u32 request_type(u8 op)
{
	switch (op) {
	case BIO_READ:
		return VIRTIO_BLK_T_IN;
	case BIO_WRITE:
		return VIRTIO_BLK_T_OUT;
	case BIO_FLUSH:
		return VIRTIO_BLK_T_FLUSH;
	case BIO_DISCARD:
		return VIRTIO_BLK_T_DISCARD;
	default:
		return VIRTIO_BLK_T_WRITE_ZEROES;
	}
}

static u32 add_data(struct request *rq, struct virtio_buf *bufs)
{
	struct vblk_request *r = request_driver(rq);
	struct request_iter it;
	paddr_t addr;
	u32 n = 0, len;

	if (rq->op == BIO_DISCARD || rq->op == BIO_WRITE_ZEROES) {
		r->range = (struct virtio_blk_discard_write_zeroes){ .sector = rq->sector, .num_sectors = (u32)(rq->len >> SECTOR_SHIFT) };
		bufs[n++] = virtio_buf(&r->range, sizeof(r->range));
		return n;
	}
	for (request_segments(rq, &it); request_segment(&it, &addr, &len);)
		bufs[n++] = (struct virtio_buf){ addr, len };
	return n;
}

static int vblk_queue_request(struct hw_queue *hw, struct request *rq)
{
	struct vblk_request *r = request_driver(rq);
	struct vblk_queue *vbq = hw->driver;
	u32 data, out = 1, in = 1;
	int err;

	r->head = (struct virtio_blk_outhdr){ .type = request_type(rq->op), .sector = rq->op == BIO_READ || rq->op == BIO_WRITE ? rq->sector : 0 };
	r->answer = 0xff;
	vbq->bufs[0] = virtio_buf(&r->head, sizeof(r->head));
	data = add_data(rq, vbq->bufs + 1);
	if (rq->op == BIO_READ)
		in += data;
	else
		out += data;
	vbq->bufs[1 + data] = virtio_buf(&r->answer, 1);
	err = virtqueue_add(vbq->vq, vbq->bufs, out, in, rq);
	return err == -ENOSPC ? -EBUSY : err;
}

static bool vblk_kick_prepare(struct hw_queue *hw)
{
	struct vblk_queue *vbq = hw->driver;

	return virtqueue_kick_prepare(vbq->vq);
}

static void vblk_kick(struct hw_queue *hw)
{
	struct vblk_queue *vbq = hw->driver;

	virtqueue_notify(vbq->vq);
}

static int answer_status(u8 answer)
{
	return likely(answer == VIRTIO_BLK_S_OK) ? 0 : answer == VIRTIO_BLK_S_UNSUPP ? -EOPNOTSUPP : -EIO;
}

static void vblk_done(struct virtqueue *vq)
{
	struct hw_queue *hw = vq->driver_data;
	struct vblk *b = vblk_of(hw->queue);
	struct list_head done;
	irqflags_t flags;
	bool room = false;
	void *token;
	u64 now = 0;
	u32 len;

	list_init(&done);
	flags = spin_lock_irqsave(&hw->lock);
	do {
		virtqueue_disable_cb(vq);
		while ((token = virtqueue_get(vq, &len))) {
			struct request *rq = token;

			if (unlikely(token == &b->ident)) {
				b->ident.busy = false;
				complete(&b->ident.done);
				room = true;
				continue;
			}
			list_add_tail(&rq->link, &done);
		}
	} while (!virtqueue_enable_cb(vq));
	if (!list_empty(&done)) {
		now = clock_mono_ns();
		WRITE_ONCE(((struct vblk_queue *)hw->driver)->answered_ns, now);
	}
	spin_unlock_irqrestore(&hw->lock, flags);
	while (!list_empty(&done)) {
		struct request *rq = list_first_entry(&done, struct request, link);
		struct vblk_request *r = request_driver(rq);

		list_del(&rq->link);
		rq->ended_ns = now;
		request_done(rq, answer_status(READ_ONCE(r->answer)));
	}
	if (unlikely(room))		/* who found the ring full waits for a request to end, and that was none */
		hw_queue_run(hw);
}

/* When it last answered anything. */
static u64 last_answer(const struct block_queue *q)
{
	u64 last = 0;

	for (u32 i = 0; i < q->nr_hw; i++)
		last = max(last, READ_ONCE(((const struct vblk_queue *)q->hw[i].driver)->answered_ns));
	return last;
}

/* The device was asked for its identity, and has been reset. */
static void ident_forgotten(struct vblk *b)
{
	b->ident.answer = VIRTIO_BLK_S_IOERR;
	b->ident.busy = false;
	complete(&b->ident.done);
}

static void was_reset(struct virtio_device *dev) { queue_stop(((struct vblk *)dev->driver_data)->disk->queue); }

/* What the device had is given to it again. */
static void restarted(struct virtio_device *dev)
{
	struct vblk *b = dev->driver_data;

	if (b->ident.busy)
		ident_forgotten(b);
	queue_restart(b->disk->queue, true);
}

/* Reset the device and start it again: a request was not answered, or it asks for that.  virtio_restart's result. */
static int vblk_restart(struct virtio_device *dev)
{
	struct vblk *b = dev->driver_data;
	int err = virtio_restart(dev, was_reset, restarted);

	if (err == -EIO)
		queue_kill(b->disk->queue);	/* not only in vblk_failed, which waits until a probe has ended that waits for us */
	return err;
}

static void give_up(struct vblk *b)
{
	queue_stop(b->disk->queue);
	virtio_break(b->dev, "it was reset, again and again, and never answered");	/* vblk_failed follows */
	virtio_reset(b->dev);
	queue_kill(b->disk->queue);
}

static void vblk_timeout(struct request *rq)
{
	struct block_queue *q = rq->hw->queue;
	struct vblk *b = vblk_of(q);
	u64 answered = last_answer(q), now = clock_mono_ns(), limit = atomic_load(&q->timeout_ns);

	if (now - answered < limit && rq->extensions++ < EXTENSIONS)
		return;
	b->resets = answered > b->reset_ns ? 0 : b->resets + 1;
	b->reset_ns = now;
	if (b->resets >= RESETS)
		give_up(b);
	else
		(void)vblk_restart(b->dev);
}

static const struct queue_ops vblk_queue_ops = {
	.queue = vblk_queue_request, .kick_prepare = vblk_kick_prepare, .kick = vblk_kick, .timeout = vblk_timeout,
};

/* --- identity --- */

int vblk_serial(struct disk *disk, char serial[VBLK_SERIAL_SIZE])
{
	struct vblk *b = disk->private;
	struct hw_queue *hw = &disk->queue->hw[0];
	struct vblk_queue *vbq = hw->driver;
	struct virtio_buf bufs[3];
	int err = -ENODEV;
	bool kick = false;

	mutex_lock(&b->ident_lock);
	if (b->ident.busy) {		/* it never answered, and may yet */
		mutex_unlock(&b->ident_lock);
		return -EIO;
	}
	memset(b->ident.id, 0, sizeof(b->ident.id));
	b->ident.head = (struct virtio_blk_outhdr){ .type = VIRTIO_BLK_T_GET_ID };
	completion_init(&b->ident.done);
	bufs[0] = virtio_buf(&b->ident.head, sizeof(b->ident.head));
	bufs[1] = virtio_buf(b->ident.id, sizeof(b->ident.id));
	bufs[2] = virtio_buf(&b->ident.answer, 1);
	spin_lock_irq(&hw->lock);
	if (!hw->stopped && !atomic_load(&disk->queue->dead))
		err = virtqueue_add(vbq->vq, bufs, 1, 2, &b->ident);
	if (!err) {
		b->ident.busy = true;
		kick = virtqueue_kick_prepare(vbq->vq);
	}
	spin_unlock_irq(&hw->lock);
	if (kick)
		virtqueue_notify(vbq->vq);
	if (!err) {
		u64 limit = atomic_load(&disk->queue->timeout_ns), until = limit ? clock_mono_ns() + limit : TIME_NEVER;

		err = wait_event_timeout(&b->ident.done.wq, atomic_load(&b->ident.done.done), until);
		if (!err) {
			wait_for_completion(&b->ident.done);
			err = answer_status(b->ident.answer);
		}
	}
	if (!err) {
		memcpy(serial, b->ident.id, VIRTIO_BLK_ID_BYTES);
		serial[VIRTIO_BLK_ID_BYTES] = 0;
	}
	mutex_unlock(&b->ident_lock);
	return err;
}

static int serial_show(struct seq *s, void *device)
{
	char serial[VBLK_SERIAL_SIZE];
	int err = vblk_serial(block_dir_disk(device), serial);

	if (!err)
		seq_puts(s, serial);
	return err == -EIO || err == -EOPNOTSUPP ? 0 : err;	/* it has none: as Linux, empty */
}

static int cache_type_show(struct seq *s, void *device)
{
	seq_puts(s, block_dir_disk(device)->limits.write_cache ? "write back\n" : "write through\n");
	return 0;
}

static const struct attr vblk_attrs[] = { { .name = "serial", .show = serial_show }, { .name = "cache_type", .show = cache_type_show }, { 0 } };
static const struct attr_group vblk_group = { .attrs = vblk_attrs };
static const struct attr_group *const vblk_groups[] = { &vblk_group, NULL };

/* --- coming and going --- */

static int index_get(u32 *index)
{
	for (u32 w = 0; w < ARRAY_SIZE(indices); w++) {
		u64 taken = atomic_load(&indices[w]);

		while (~taken) {
			u64 bit = ~taken & (taken + 1);

			taken = atomic_fetch_or(&indices[w], bit);
			if (!(taken & bit)) {
				*index = w * 64 + ffs64(bit) - 1;
				return 0;
			}
		}
	}
	return -ENOSPC;
}

static void index_put(u32 index) { atomic_fetch_and(&indices[index / 64], ~(1ul << index % 64)); }

/* vda ... vdz, vdaa ... */
static void disk_name(char *buf, size_t size, u32 index)
{
	char letters[8];
	u32 at = sizeof(letters) - 1;

	letters[at] = 0;
	for (index++; index; index = (index - 1) / 26)
		letters[--at] = (char)('a' + (index - 1) % 26);
	scnprintf(buf, size, "vd%s", letters + at);
}

static void vblk_free(struct disk *disk)
{
	struct vblk *b = disk->private;

	if (disk->queue) {
		for (u32 i = 0; i < disk->queue->nr_hw; i++)
			kfree(disk->queue->hw[i].driver);
		queue_destroy(disk->queue);
	}
	index_put(b->index);
	device_put(&b->dev->device);
	kfree(b);
}

static const struct disk_ops vblk_ops = { .submit = queue_submit, .free = vblk_free };

#define CONFIG(field) virtio_config_get(dev, struct virtio_blk_config, field)

/* What the device says of itself is believed only as far as it can be served. */
static int read_limits(struct virtio_device *dev, u32 queue_size, struct disk_limits *l)
{
	u32 block = virtio_has(dev, VIRTIO_BLK_F_BLK_SIZE) ? CONFIG(blk_size) : SECTOR_SIZE;
	u32 segments = virtio_has(dev, VIRTIO_BLK_F_SEG_MAX) ? CONFIG(seg_max) : 1;

	if (block < SECTOR_SIZE || block > PAGE_SIZE || block & (block - 1)) {
		pr_err("%s: blocks of %u bytes\n", dev->name, block);
		return -EINVAL;
	}
	if (queue_size < 3) {
		pr_err("%s: queues of %u\n", dev->name, queue_size);
		return -EINVAL;
	}
	l->logical_size = l->physical_size = block;
	l->max_segments = max(min(min(segments, SEGMENTS_MAX), queue_size - 2), 1u);
	l->max_segment_size = virtio_has(dev, VIRTIO_BLK_F_SIZE_MAX) ? max(CONFIG(size_max), (u32)PAGE_SIZE) : 1u << 22;
	l->max_sectors = (u32)min((u64)l->max_segments * (l->max_segment_size >> SECTOR_SHIFT), 8192ul) & ~(PAGE_SIZE / SECTOR_SIZE - 1);
	if (virtio_has(dev, VIRTIO_BLK_F_TOPOLOGY)) {
		u32 exp = CONFIG(physical_block_exp);

		l->physical_size = block << min(exp, 16u);
		l->alignment_offset = CONFIG(alignment_offset) * block;
		l->io_min = CONFIG(min_io_size) * block;
		l->io_opt = CONFIG(opt_io_size) * block;
	}
	if (virtio_has(dev, VIRTIO_BLK_F_DISCARD)) {
		l->max_discard_sectors = CONFIG(max_discard_sectors) & ~(block / SECTOR_SIZE - 1);
		l->discard_granularity = max(CONFIG(discard_sector_alignment) * SECTOR_SIZE, block);
	}
	if (virtio_has(dev, VIRTIO_BLK_F_WRITE_ZEROES))
		l->max_zeroes_sectors = CONFIG(max_write_zeroes_sectors) & ~(block / SECTOR_SIZE - 1);
	l->write_cache = virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE) ? CONFIG(wce) : virtio_has(dev, VIRTIO_BLK_F_FLUSH);
	return 0;
}

static int make_queues(struct virtio_device *dev, u32 *nr)
{
	struct virtqueue_spec *specs;
	int err;

	*nr = virtio_has(dev, VIRTIO_BLK_F_MQ) ? max(min((u32)CONFIG(num_queues), nr_cpus), 1u) : 1;
	specs = kcalloc(*nr, sizeof(*specs), GFP_KERNEL);
	if (!specs)
		return -ENOMEM;
	for (u32 i = 0; i < *nr; i++)
		specs[i] = (struct virtqueue_spec){ .name = "requests", .done = vblk_done, .cpu = *nr > 1 ? i : VIRTQUEUE_ANY_CPU };
	err = virtio_queues(dev, *nr, specs);
	kfree(specs);
	return err;
}

static int connect_queues(struct vblk *b)
{
	struct virtio_device *dev = b->dev;
	struct disk *disk = b->disk;
	u32 nr = dev->nr_queues, depth = DEPTH_MAX;

	for (u32 i = 0; i < nr; i++)
		depth = min(depth, dev->queues[i]->size);
	disk->queue = queue_create(disk, &vblk_queue_ops, nr, depth, sizeof(struct vblk_request));
	if (!disk->queue)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		struct vblk_queue *vbq = kmalloc(sizeof(*vbq) + (disk->limits.max_segments + 2) * sizeof(vbq->bufs[0]), GFP_KERNEL);

		if (!vbq)
			return -ENOMEM;
		vbq->vq = dev->queues[i];
		disk->queue->hw[i].driver = vbq;
		dev->queues[i]->driver_data = &disk->queue->hw[i];
	}
	return 0;
}

static int vblk_probe(struct virtio_device *dev)
{
	struct vblk *b = kzalloc(sizeof(*b), GFP_KERNEL);
	char name[16];
	u32 nr;
	int err;

	if (!b)
		return -ENOMEM;
	b->dev = dev;
	mutex_init(&b->ident_lock, LC_DISK_IDENT);
	err = index_get(&b->index);
	if (err) {
		kfree(b);
		return err;
	}
	disk_name(name, sizeof(name), b->index);
	b->disk = disk_create(name, MKDEV_K(VBLK_MAJOR, b->index * VBLK_MINORS), VBLK_MINORS, &vblk_ops, b);
	if (!b->disk) {
		index_put(b->index);
		kfree(b);
		return -ENOMEM;
	}
	device_get(&dev->device);
	err = make_queues(dev, &nr);
	if (!err)
		err = read_limits(dev, dev->queues[0]->size, &b->disk->limits);
	if (!err)
		err = connect_queues(b);
	if (err)
		goto err_disk;
	b->disk->parent = &dev->device;
	b->disk->groups = vblk_groups;
	b->disk->read_only = b->disk->hard_read_only = virtio_has(dev, VIRTIO_BLK_F_RO);
	dev->driver_data = b;
	virtio_ready(dev);
	err = disk_register(b->disk, CONFIG(capacity));
	if (err)
		goto err_reset;
	return 0;
err_reset:
	virtio_reset(dev);
err_disk:
	disk_put(b->disk);
	return err;
}

static void vblk_config_changed(struct virtio_device *dev)
{
	struct vblk *b = dev->driver_data;

	disk_set_capacity(b->disk, CONFIG(capacity));
}

/* The device was reset and answers nothing any more. */
static void vblk_failed(struct virtio_device *dev)
{
	struct vblk *b = dev->driver_data;
	struct block_queue *q = b->disk->queue;

	queue_stop(q);
	for (u32 i = 0; i < q->nr_hw; i++) {
		spin_lock_irq(&q->hw[i].lock);
		while (virtqueue_detach(dev->queues[i]))
			;
		spin_unlock_irq(&q->hw[i].lock);
	}
	queue_kill(q);
	if (b->ident.busy)
		ident_forgotten(b);
}

static void vblk_remove(struct virtio_device *dev)
{
	struct vblk *b = dev->driver_data;

	disk_unregister(b->disk);
	queue_stop(b->disk->queue);
	virtio_reset(dev);
	vblk_failed(dev);
	disk_put(b->disk);
}

VIRTIO_DRIVER(blk, .id = VIRTIO_ID_BLOCK, .probe = vblk_probe, .remove = vblk_remove, .config_changed = vblk_config_changed,
	      .failed = vblk_failed, .restart = vblk_restart,
	      .features = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_GEOMETRY) | BIT(VIRTIO_BLK_F_RO) |
			  BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_CONFIG_WCE) |
			  BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
