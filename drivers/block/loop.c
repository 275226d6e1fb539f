/* Loop devices: a file as a disk, /dev/loopN.
 *
 * A device is unbound and empty until a file is put behind it (loop_ioctl.c).  Then it has a worker thread that takes requests in order and
 * reads and writes the file, through its cache; a flush is an fsync of the file, a discard punches a hole.  Devices come by
 * /dev/loop-control (LOOP_CTL_ADD, LOOP_CTL_GET_FREE) or max_loop= at boot; none are there unasked.
 *
 * Locks.  What is bound changes under disk->mutex, while the device is not in use but by him who changes it, or with its queue stopped;
 * the worker reads it without.  Who binds looks at what other loop devices stand on, so programs change one at a time (loops_mutex); the last
 * who closes may take a file off without it, for nobody stands on that device.  The list of requests is guarded by the hardware
 * queue's lock, under which they come.
 *
 * Memory.  The worker writes back for those above it, so it takes from the reserves (PF_MEMALLOC), is not made to wait for dirty pages to
 * become fewer, and its disk asks for bios of another depth than what is below the file (see bio.c). */
#include <drivers/block/loop_internal.h>
#include <drivers/block/rescan.h>
#include <fs/buffer.h>
#include <fs/devfs/devfs.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <mm/slab.h>

#define LOOP_MAX	256u
BLOCK_MAJOR(loop, LOOP_MAJOR, "loop");

static DEFINE_MUTEX(loops_mutex, LC_LOOPS);
static struct loop *loops[LOOP_MAX];		/* [loops_mutex] */

void loop_binding_begin(void) { mutex_lock(&loops_mutex); }
void loop_binding_end(void) { mutex_unlock(&loops_mutex); }

/* --- the worker --- */

static int copy_segment(struct loop *l, bool write, u64 pos, char *mem, u32 len)
{
	while (len) {
		u64 at = pos;
		ssize_t n = write ? vfs_write_kernel(l->file, mem, len, &at) : vfs_read_kernel(l->file, mem, len, &at);

		if (n < 0)
			return n == -ENOSPC ? -ENOSPC : -EIO;
		if (!n && write)
			return -EIO;
		if (!n) {		/* the file became shorter */
			memset(mem, 0, len);
			return 0;
		}
		pos += (u64)n;
		mem += n;
		len -= (u32)n;
	}
	return 0;
}

static int do_rw(struct loop *l, struct request *rq, u64 pos)
{
	struct request_iter it;
	paddr_t addr;
	int err = 0;
	u32 len;

	for (request_segments(rq, &it); !err && request_segment(&it, &addr, &len); pos += len)
		err = copy_segment(l, rq->op == BIO_WRITE, pos, phys_to_virt(addr), len);
	return err ? -EIO : 0;		/* a device has no other error to tell */
}

static int do_request(struct loop *l, struct request *rq)
{
	u64 pos = READ_ONCE(l->offset) + (rq->sector << SECTOR_SHIFT);
	const struct file_ops *ops = l->file->ops;
	int err;

	switch (rq->op) {
	case BIO_READ: case BIO_WRITE:
		return do_rw(l, rq, pos);
	case BIO_FLUSH:
		return ops->fsync && ops->fsync(l->file, 0, ~0ull, true) ? -EIO : 0;
	case BIO_DISCARD:
		err = ops->fallocate(l->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, rq->len);
		break;
	default:
		err = ops->fallocate(l->file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, pos, rq->len);
		break;
	}
	return err && err != -EOPNOTSUPP ? -EIO : err;
}

static struct request *next_request(struct loop *l, bool *stop)
{
	struct hw_queue *hw = &l->disk->queue->hw[0];
	struct request *rq = NULL;

	spin_lock_irq(&hw->lock);
	*stop = l->stop;
	if (!list_empty(&l->todo)) {
		rq = list_first_entry(&l->todo, struct request, link);
		list_del(&rq->link);
	}
	spin_unlock_irq(&hw->lock);
	return rq;
}

static void loop_thread(void *arg)
{
	struct loop *l = arg;
	struct request *rq;
	bool stop = false;

	current->pflags |= PF_MEMALLOC;
	for (;;) {
		wait_event_interruptible(&l->wake, (rq = next_request(l, &stop)) || stop);
		if (rq)
			request_done(rq, do_request(l, rq));
		else if (stop)
			break;
	}
	complete(&l->stopped);
	kthread_exit();
}

static int loop_queue(struct hw_queue *hw, struct request *rq)
{
	struct loop *l = hw->driver;

	if (unlikely(l->stop))
		return -EIO;
	list_add_tail(&rq->link, &l->todo);
	wake_up(&l->wake);
	return 0;
}

static const struct queue_ops loop_queue_ops = { .queue = loop_queue };

/* --- binding: disk->mutex held --- */

struct block_device *loop_file_bdev(const struct file *f) { return f->ops == &blockdev_fops ? f->private : NULL; }

int loop_file_ok(const struct loop *l, const struct file *f)
{
	const struct block_device *b = loop_file_bdev(f);

	if (!b)
		return inode_is_reg(f->inode) && f->ops->read ? 0 : -EINVAL;
	while (b && DEV_MAJOR(b->disk->dev) == LOOP_MAJOR) {
		const struct loop *other = b->disk->private;
		const struct file *behind = READ_ONCE(other->file);

		if (other == l)
			return -EBADF;
		if (!behind)
			return -EINVAL;
		b = loop_file_bdev(behind);
	}
	return 0;
}

static u64 loop_sectors(const struct loop *l)
{
	u64 size = i_size_read(l->file->mapping->host);

	size = size > l->offset ? size - l->offset : 0;
	if (l->size_limit)
		size = min(size, l->size_limit);
	return ALIGN_DOWN(size >> SECTOR_SHIFT, l->disk->limits.logical_size >> SECTOR_SHIFT);
}

void loop_resize(struct loop *l) { block_device_resize(l->disk->whole, loop_sectors(l)); }

static u32 depth_above(const struct file *f)
{
	const struct block_device *b = loop_file_bdev(f);

	if (!b)
		b = f->inode->sb->bdev;
	return b ? b->disk->depth + 1 : 0;
}

int loop_bind(struct loop *l, struct file *f, u64 offset, u64 size_limit, u32 flags)
{
	struct disk_limits *limits = &l->disk->limits;
	u32 depth = depth_above(f);
	int err;

	if (depth >= DISK_DEPTH_MAX)
		return -ELOOP;
	err = disk_set_depth(l->disk, depth);
	if (err)
		return err;
	if (!(f->mode & FMODE_WRITE) || !f->ops->write)
		flags |= LO_FLAGS_READ_ONLY;
	l->end = kmalloc(sizeof(*l->end), GFP_KERNEL);
	if (!l->end)
		return -ENOMEM;
	l->file = f;
	l->offset = offset;
	l->size_limit = size_limit;
	l->flags = flags;
	limits->write_cache = f->ops->fsync;
	limits->max_discard_sectors = limits->max_zeroes_sectors = f->ops->fallocate && !(flags & LO_FLAGS_READ_ONLY) ? ~0u >> SECTOR_SHIFT : 0;
	completion_init(&l->stopped);
	spin_lock_irq(&l->disk->queue->hw[0].lock);
	l->stop = false;
	spin_unlock_irq(&l->disk->queue->hw[0].lock);
	if (!kthread_create(loop_thread, l, l->disk->name)) {
		l->stop = true;
		l->file = NULL;
		kfree(l->end);
		return -ENOMEM;
	}
	atomic_store(&l->disk->read_only, (flags & LO_FLAGS_READ_ONLY) != 0);
	l->disk->hard_read_only = flags & LO_FLAGS_READ_ONLY;
	loop_resize(l);
	return 0;
}

static void end_work(struct work *w)
{
	struct loop_end *e = container_of(w, struct loop_end, work);

	file_put(e->file);
	if (!list_empty(&e->disk->parts))
		(void)disk_rescan(e->disk);	/* of an empty device: none */
	disk_put(e->disk);
	kfree(e);
}

int loop_unbind(struct loop *l)
{
	struct hw_queue *hw = &l->disk->queue->hw[0];
	struct block_device *whole = l->disk->whole;

	if (!l->file)
		return -ENXIO;
	(void)buffers_sync(whole);	/* who wanted to know has called fsync */
	filemap_evict(&whole->inode->data);
	block_device_resize(whole, 0);
	spin_lock_irq(&hw->lock);
	l->stop = true;
	spin_unlock_irq(&hw->lock);
	wake_up_all(&l->wake);
	wait_for_completion(&l->stopped);
	filemap_evict(&whole->inode->data);	/* what others read while we were about it */
	*l->end = (struct loop_end){ .disk = l->disk, .file = l->file };
	l->file = NULL;
	l->offset = l->size_limit = 0;
	l->flags = 0;
	memset(l->name, 0, sizeof(l->name));
	l->disk->limits.logical_size = SECTOR_SIZE;
	l->disk->read_only = l->disk->hard_read_only = false;
	disk_get(l->disk);
	work_init(&l->end->work, end_work);
	work_queue(&l->end->work);
	l->end = NULL;
	return 0;
}

static void loop_release(struct disk *disk)
{
	struct loop *l = disk->private;

	if (l->file && l->flags & LO_FLAGS_AUTOCLEAR)
		(void)loop_unbind(l);
}

/* --- devices --- */

static void loop_free(struct disk *disk)
{
	struct loop *l = disk->private;

	if (disk->queue)
		queue_destroy(disk->queue);
	kfree(l);
}

static const struct disk_ops loop_ops = { .submit = queue_submit, .release = loop_release, .ioctl = loop_ioctl, .free = loop_free };

/* loops_mutex held. */
static int loop_add(u32 index)
{
	struct loop *l;
	char name[16];
	int err = -ENOMEM;

	if (index >= LOOP_MAX)
		return -EINVAL;
	if (loops[index])
		return -EEXIST;
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	snprintf(name, sizeof(name), "loop%u", index);
	l->index = index;
	l->stop = true;
	list_init(&l->todo);
	wait_queue_init(&l->wake);
	l->disk = disk_create(name, MKDEV_K(LOOP_MAJOR, index), 1, &loop_ops, l);
	if (!l->disk) {
		kfree(l);
		return -ENOMEM;
	}
	l->disk->limits = (struct disk_limits){ .max_sectors = 2048, .max_segments = 256, .max_segment_size = 1u << 20 };
	l->disk->queue = queue_create(l->disk, &loop_queue_ops, 1, LOOP_DEPTH, 0);
	if (l->disk->queue) {
		l->disk->queue->hw[0].driver = l;
		err = disk_register(l->disk, 0);
	}
	if (err) {
		disk_put(l->disk);
		return err;
	}
	loops[index] = l;
	return (int)index;
}

static int loop_remove(u32 index)
{
	struct loop *l = index < LOOP_MAX ? loops[index] : NULL;
	bool busy;

	if (!l)
		return -ENODEV;
	mutex_lock(&l->disk->mutex);
	busy = l->file || l->disk->openers;
	if (!busy)
		atomic_store(&l->disk->dead, true);	/* nobody opens it any more */
	mutex_unlock(&l->disk->mutex);
	if (busy)
		return -EBUSY;
	loops[index] = NULL;
	disk_unregister(l->disk);
	disk_put(l->disk);
	return 0;
}

static int loop_get_free(void)
{
	for (u32 i = 0; i < LOOP_MAX; i++) {
		if (!loops[i])
			return loop_add(i);
		if (!READ_ONCE(loops[i]->file))
			return (int)i;
	}
	return -ENOSPC;
}

static int first_absent(void)
{
	u32 i = 0;

	while (i < LOOP_MAX && loops[i])
		i++;
	return i < LOOP_MAX ? (int)i : -ENOSPC;
}

static long control_ioctl(struct file *f, u32 cmd, u64 arg)
{
	int index = (int)arg;
	long ret;

	(void)f;
	mutex_lock(&loops_mutex);
	switch (cmd) {
	case LOOP_CTL_ADD:
		if (index < 0)
			index = first_absent();
		ret = index < 0 ? index : loop_add((u32)index);
		break;
	case LOOP_CTL_REMOVE:
		ret = index < 0 ? -EINVAL : loop_remove((u32)index);
		break;
	case LOOP_CTL_GET_FREE:
		ret = loop_get_free();
		break;
	default:
		ret = -ENOSYS;		/* so Linux */
	}
	mutex_unlock(&loops_mutex);
	return ret;
}

static const struct file_ops control_fops = { .ioctl = control_ioctl };
CHARDEV(loop_control, .name = "loop-control", .driver = "misc", .dev = MKDEV_K(10, 237), .count = 1, .mode = 0600, .fops = &control_fops);

static u64 max_loop;
static void param_max_loop(const char *v)
{
	if (v && kstrtou64(v, 0, &max_loop))
		pr_warn("loop: max_loop=%s is no number\n", v);
}
BOOT_PARAM("max_loop", param_max_loop);

static int loop_init(void)
{
	int ret = 0;

	mutex_lock(&loops_mutex);
	for (u32 i = 0; i < min(max_loop, (u64)LOOP_MAX) && ret >= 0; i++)
		ret = loop_add(i);
	mutex_unlock(&loops_mutex);
	return min(ret, 0);
}
BOOT_INIT(device, loop_init);
