/* eventfd: a counter that can be waited for. */
#include <fs/eventfd.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <asm/fcntl.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define EFD_SEMAPHORE	1	/* no UAPI header has it */

struct eventfd {
	u64 count;		/* [a] at most ~0 - 1 */
	bool semaphore;		/* [I] */
	struct wait_queue wq;
};

/* Take what a read takes.  false: nothing there. */
static bool take(struct eventfd *e, u64 *value)
{
	u64 old = atomic_load(&e->count);

	do {
		if (!old)
			return false;
		*value = e->semaphore ? 1 : old;
	} while (!__atomic_compare_exchange_n(&e->count, &old, old - *value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return true;
}

static bool put(struct eventfd *e, u64 value)
{
	u64 old = atomic_load(&e->count);

	do {
		if (old > ~0ull - 1 - value)
			return false;
	} while (!__atomic_compare_exchange_n(&e->count, &old, old + value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return true;
}

static ssize_t eventfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct eventfd *e = f->private;
	u64 value = 0;
	int err;

	(void)pos;
	if (to->count < sizeof(value))
		return -EINVAL;
	if (!take(e, &value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wq, take(e, &value));
		if (err)
			return err;
	}
	wake_up_all_key(&e->wq, (void *)(u64)EPOLLOUT);
	return copy_to_iter(&value, sizeof(value), to) == sizeof(value) ? (ssize_t)sizeof(value) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	(void)pos;
	if (from->count < sizeof(value))
		return -EINVAL;
	if (copy_from_iter(&value, sizeof(value), from) != sizeof(value))
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	if (!put(e, value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wq, put(e, value));
		if (err)
			return err;
	}
	wake_up_all_key(&e->wq, (void *)(u64)EPOLLIN);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u64 count;

	poll_wait(pt, f, &e->wq);
	smp_mb();	/* queued before looking */
	count = atomic_load(&e->count);
	return (count ? EPOLLIN : 0) | (count < ~0ull - 1 ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f) { kfree(f->private); }

static const struct file_ops eventfd_fops = {
	.seek = noop_seek, .read = eventfd_read, .write = eventfd_write, .poll = eventfd_poll, .release = eventfd_release,
};

bool file_is_eventfd(const struct file *f) { return f->ops == &eventfd_fops; }

void eventfd_add(struct file *f, u64 n)
{
	struct eventfd *e = f->private;

	if (!put(e, n))
		atomic_store(&e->count, ~0ull - 1);
	wake_up_all_key(&e->wq, (void *)(u64)EPOLLIN);
}

long sys_eventfd2(unsigned count, u32 flags)
{
	struct eventfd *e;
	struct file *f;
	int fd;

	if (flags & ~(u32)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	wait_queue_init(&e->wq);
	fd = anon_file_create("[eventfd]", &eventfd_fops, e, O_RDWR | (flags & O_NONBLOCK), &f);
	if (fd) {
		kfree(e);
		return fd;
	}
	fd = fd_install_new(f, flags);
	if (fd < 0)
		file_put_now(f);
	return fd;
}
