/* Pipes and FIFOs: a ring of pages between writers and readers.
 *
 * The ring's slots hold (page, offset, length); head counts slots filled, tail slots emptied, both free-running.  A write first
 * fills up the last slot's page, then new pages; a write of at most PIPE_BUF bytes goes in whole or waits.  Everything happens
 * under pipe->mutex (LC_PIPE, below mmap_lock, so user copies may fault under it).  One spare page is kept, so a ping-pong of small
 * messages allocates nothing.
 *
 * Waking: a reader that makes a full ring non-full wakes writers, a writer that makes an empty ring non-empty wakes readers; both
 * after the mutex is dropped, so that the woken finds it free.  A waiter queues itself before it drops the mutex, and the waker
 * changes the ring under the mutex before it looks at the queue, so no wake-up is lost.  Poll waiters are woken on the same edges
 * (and on every write for readers that use edge-triggered epoll).
 *
 * Lifetime: the pipe belongs to its inode (private); counts of readers and writers live in it.  An anonymous pipe's inode dies with
 * its two files; a FIFO's pipe is made on the first open and freed on the last close. */
#include <fs/pipe_internal.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

static u64 pipe_max_size = 1048576;

static inline struct pipe *pipe_of(const struct file *f) { return f->private; }

static struct pipe *pipe_create(void)
{
	struct pipe *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct pipe, inline_slots));
	mutex_init(&p->mutex, LC_PIPE);
	wait_queue_init(&p->rd_wait);
	wait_queue_init(&p->wr_wait);
	p->size = PIPE_SLOTS;
	p->slots = p->inline_slots;
	return p;
}

static void pipe_destroy(struct pipe *p)
{
	for (; p->tail != p->head; p->tail++)
		page_put(slot_at(p, p->tail)->page);
	if (p->spare)
		page_put(p->spare);
	if (p->slots != p->inline_slots)
		kfree(p->slots);
	kfree(p);
}

void pipe_wake_readers(struct pipe *p)
{
	if (wait_queue_active(&p->rd_wait))
		wake_up_key_sync(&p->rd_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
}

void pipe_wake_writers(struct pipe *p)
{
	if (wait_queue_active(&p->wr_wait))
		wake_up_key_sync(&p->wr_wait, (void *)(u64)(EPOLLOUT | EPOLLWRNORM));
}

/* Drop the mutex, sleep on wq until woken, take it again.  0 or -ERESTARTSYS: the wake-up may have been ours, and is passed on. */
int pipe_sleep(struct pipe *p, struct wait_queue *wq)
{
	struct wait_entry we;
	int err;

	wait_entry_init(&we);
	we.exclusive = true;
	prepare_to_wait(wq, &we, TASK_INTERRUPTIBLE);
	mutex_unlock(&p->mutex);
	err = wait_check(TASK_INTERRUPTIBLE, TIME_NEVER);
	if (!err)
		schedule();
	finish_wait(wq, &we);
	if (err && wait_queue_active(wq))
		wake_up(wq);
	mutex_lock(&p->mutex);
	return err;
}

void pipe_slot_done(struct pipe *p, struct pipe_slot *s)
{
	if (!p->spare && !s->shared && atomic_load(&s->page->refs) == 1)
		p->spare = s->page;
	else
		page_put(s->page);
	s->page = NULL;
	p->tail++;
}

static ssize_t pipe_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct pipe *p = pipe_of(f);
	bool was_full, wake = false;
	ssize_t done = 0;
	int err = 0;

	(void)pos;
	if (unlikely(!to->count))
		return 0;
	mutex_lock(&p->mutex);
	for (;;) {
		was_full = pipe_full(p);
		while (to->count && !pipe_empty(p) && likely(!p->taking)) {
			struct pipe_slot *s = slot_at(p, p->tail);
			size_t n = min((size_t)s->len, to->count);
			size_t got = copy_to_iter((char *)page_address(s->page) + s->off, n, to);

			s->off += (u32)got;
			s->len -= (u32)got;
			done += (ssize_t)got;
			if (!s->len)
				pipe_slot_done(p, s);
			if (got < n) {
				err = -EFAULT;
				break;
			}
		}
		wake |= was_full && !pipe_full(p);
		if (done || err)
			break;
		if (!p->writers && likely(!p->taking))
			break;
		if (f->flags & O_NONBLOCK) {
			err = -EAGAIN;
			break;
		}
		err = pipe_sleep(p, &p->rd_wait);
		if (err)
			break;
	}
	if (!pipe_empty(p))	/* exclusive waiters: pass the rest on, all of it if our memory could not take it */
		pipe_wake_readers(p);
	mutex_unlock(&p->mutex);
	if (wake)
		pipe_wake_writers(p);
	return done ? done : err;
}

/* Append to the last page, if it has room for what may not be split. */
static size_t fill_last(struct pipe *p, struct iov_iter *from, bool whole, int *err)
{
	struct pipe_slot *s = slot_at(p, p->head - 1);
	size_t room = PAGE_SIZE - (s->off + s->len), n = min(room, from->count), got;

	if (!n || s->shared || (whole && from->count > room))
		return 0;
	got = copy_from_iter((char *)page_address(s->page) + s->off + s->len, n, from);
	s->len += (u32)got;
	if (got < n)
		*err = -EFAULT;
	return got;
}

static size_t fill_new(struct pipe *p, struct iov_iter *from, int *err)
{
	struct pipe_slot *s = slot_at(p, p->head);
	size_t n = min((size_t)PAGE_SIZE, from->count), got;
	struct page *page = p->spare;

	p->spare = NULL;
	if (!page)
		page = page_alloc(0, GFP_USER);
	if (!page) {
		*err = -ENOMEM;
		return 0;
	}
	got = copy_from_iter(page_address(page), n, from);
	if (got) {
		*s = (struct pipe_slot){ page, 0, (u32)got, false };
		p->head++;
	} else {
		p->spare = page;
	}
	if (got < n)
		*err = -EFAULT;
	return got;
}

static ssize_t pipe_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct pipe *p = pipe_of(f);
	bool whole = from->count <= PIPE_BUF;	/* atomic: all in one go */
	ssize_t done = 0;
	bool wake = false;
	int err = 0;

	(void)pos;
	if (unlikely(!from->count))
		return 0;
	mutex_lock(&p->mutex);
	for (;;) {
		if (unlikely(!p->readers)) {
			err = -EPIPE;
			break;
		}
		wake |= pipe_empty(p);
		if (!pipe_empty(p))
			done += (ssize_t)fill_last(p, from, whole, &err);
		while (from->count && !err && !pipe_full(p))
			done += (ssize_t)fill_new(p, from, &err);
		if (!from->count || err)
			break;
		if (f->flags & O_NONBLOCK) {
			err = -EAGAIN;
			break;
		}
		if (wake)
			pipe_wake_readers(p);
		wake = false;
		err = pipe_sleep(p, &p->wr_wait);
		if (err)
			break;
	}
	if (!pipe_full(p))
		pipe_wake_writers(p);
	mutex_unlock(&p->mutex);
	if (done)
		pipe_wake_readers(p);
	if (unlikely(err == -EPIPE) && !done)
		signal_send_task(current, SIGPIPE, NULL);
	return done ? done : err;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = pipe_of(f);
	u32 mask = 0, head, tail;

	if (f->mode & FMODE_READ)
		poll_wait(pt, f, &p->rd_wait);
	if (f->mode & FMODE_WRITE)
		poll_wait(pt, f, &p->wr_wait);
	smp_mb();	/* queued before looking; pairs with wait_queue_active() */
	head = READ_ONCE(p->head);
	tail = READ_ONCE(p->tail);
	if (f->mode & FMODE_READ) {
		if (head != tail)
			mask |= EPOLLIN | EPOLLRDNORM;
		if (!READ_ONCE(p->writers) && f->pos != p->w_opens)
			mask |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (head - tail < READ_ONCE(p->size) - READ_ONCE(p->reserved))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(p->readers))
			mask |= EPOLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = pipe_of(f);
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->mutex);
	for (u32 i = p->tail; i != p->head; i++)
		n += (int)slot_at(p, i)->len;
	mutex_unlock(&p->mutex);
	return put_user(n, (int __user *)user_ptr(arg));
}

static void pipe_release(struct file *f)
{
	struct inode *i = f->inode;
	struct pipe *p = pipe_of(f);
	bool last;

	rwsem_write_lock(&i->lock);	/* guards i->private: a name (or /proc/<pid>/fd/N) may open it anew */
	mutex_lock(&p->mutex);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	mutex_unlock(&p->mutex);
	if (f->mode & FMODE_WRITE)
		wake_up_all_key(&p->rd_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM | EPOLLHUP));
	if (f->mode & FMODE_READ)
		wake_up_all_key(&p->wr_wait, (void *)(u64)(EPOLLOUT | EPOLLWRNORM | EPOLLERR));
	last = !atomic_sub_return_acq_rel(&p->files, 1);	/* p may be gone from here on, but for the last */
	if (last)
		i->private = NULL;
	rwsem_write_unlock(&i->lock);
	if (last)
		pipe_destroy(p);
}

const struct file_ops pipe_fops = {
	.read = pipe_read, .write = pipe_write, .poll = pipe_poll, .ioctl = pipe_ioctl, .release = pipe_release,
};

/* --- pipe2 --- */

static int pipe_files(struct file *out[2], u32 flags)
{
	struct pipe *p = pipe_create();
	struct inode *i;
	int err = -ENOMEM;

	if (!p)
		return err;
	i = inode_create(anon_super());
	if (!i)
		goto err_pipe;
	inode_init_owner(i, NULL, S_IFIFO | 0600, 0);
	i->private = p;
	p->readers = p->writers = 1;
	p->files = 2;
	err = anon_file_on("pipe", i, &pipe_fops, p, O_RDONLY | (flags & O_NONBLOCK), &out[0]);
	if (err)
		goto err_inode;
	inode_get(i);
	err = anon_file_on("pipe", i, &pipe_fops, p, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), &out[1]);
	if (err) {
		inode_put(i);
		p->writers = 0;
		p->files = 1;
		file_put_now(out[0]);	/* frees the pipe */
		return err;
	}
	out[0]->mode |= FMODE_STREAM;
	out[1]->mode |= FMODE_STREAM;
	out[0]->pos = ~0ull;
	return 0;
err_inode:
	inode_put(i);
err_pipe:
	pipe_destroy(p);
	return err;
}

int pipe_create_files(struct file *ends[2]) { return pipe_files(ends, 0); }

void pipe_wait_unread(struct file *writer)
{
	struct pipe *p = pipe_of(writer);

	mutex_lock(&p->mutex);
	p->writers--;
	mutex_unlock(&p->mutex);
	wake_up_all_key(&p->rd_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM | EPOLLHUP));
	(void)wait_event_interruptible(&p->wr_wait, !READ_ONCE(p->readers));
	mutex_lock(&p->mutex);
	p->writers++;			/* as long as its file is open */
	mutex_unlock(&p->mutex);
}

long sys_pipe2(int __user *fds, u32 flags)
{
	struct file *f[2];
	int fd[2], err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if (flags & O_DIRECT)		/* packet mode is not offered */
		return -EINVAL;
	err = pipe_files(f, flags);
	if (err)
		return err;
	fd[0] = fd_reserve(0, flags);
	fd[1] = fd[0] < 0 ? fd[0] : fd_reserve(0, flags);
	if (fd[1] < 0)
		err = fd[1];
	else if (copy_to_user(fds, fd, sizeof(fd)))
		err = -EFAULT;
	if (!err) {
		fd_install(fd[0], f[0]);
		fd_install(fd[1], f[1]);
		return 0;
	}
	if (fd[1] >= 0)
		fd_cancel(fd[1]);
	if (fd[0] >= 0)
		fd_cancel(fd[0]);
	file_put_now(f[0]);
	file_put_now(f[1]);
	return err;
}

/* --- FIFOs --- */

static struct pipe *fifo_get(struct inode *i)
{
	struct pipe *p;

	rwsem_write_lock(&i->lock);	/* guards a FIFO's i->private */
	p = i->private;
	if (!p)
		p = i->private = pipe_create();
	if (p)
		atomic_inc(&p->files);	/* nobody frees it from here on */
	rwsem_write_unlock(&i->lock);
	return p;
}

/* Wait until the other side has been opened once more than at `seen`. */
static int wait_other(struct pipe *p, struct wait_queue *wq, const u32 *opens, u32 seen)
{
	int err = 0;

	mutex_unlock(&p->mutex);
	err = wait_event_interruptible(wq, READ_ONCE(*opens) != seen);
	mutex_lock(&p->mutex);
	return err;
}

/* waits: it has a name, by which the other side may come.  What pipe2 made is only opened anew (/proc/<pid>/fd/N), and never waited for, as on Linux. */
static int fifo_open_locked(struct pipe *p, struct file *f, bool waits)
{
	bool rd = f->mode & FMODE_READ, wr = f->mode & FMODE_WRITE;
	u32 seen_w = p->w_opens, seen_r = p->r_opens;

	if (waits && wr && !rd && (f->flags & O_NONBLOCK) && !p->readers)
		return -ENXIO;
	if (rd) {
		p->readers++;
		p->r_opens++;
		wake_up_all(&p->wr_wait);
	}
	if (wr) {
		p->writers++;
		p->w_opens++;
		wake_up_all(&p->rd_wait);
	}
	f->pos = ~0ull;		/* poll: which writers were seen; none to wait for */
	if (!waits || (rd && wr))
		return 0;
	if (rd && !p->writers) {
		if (f->flags & O_NONBLOCK)
			f->pos = p->w_opens;	/* no hang-up before the first writer */
		else
			return wait_other(p, &p->rd_wait, &p->w_opens, seen_w);
	} else if (wr && !p->readers) {
		return wait_other(p, &p->wr_wait, &p->r_opens, seen_r);
	}
	return 0;
}

static int fifo_open(struct inode *i, struct file *f)
{
	struct pipe *p = fifo_get(i);
	int err;

	if (!p)
		return -ENOMEM;
	f->ops = &pipe_fops;
	f->private = p;
	f->mode |= FMODE_STREAM;
	mutex_lock(&p->mutex);
	err = fifo_open_locked(p, f, i->sb != anon_super());
	mutex_unlock(&p->mutex);
	if (err) {
		if (err == -ENXIO)	/* was not counted as a side yet */
			f->mode &= ~(u32)(FMODE_READ | FMODE_WRITE);
		pipe_release(f);
	}
	return err;
}
const struct file_ops fifo_fops = { .open = fifo_open };

/* --- size --- */

static bool is_pipe(const struct file *f) { return f->ops == &pipe_fops; }

long pipe_get_size(struct file *f)
{
	return is_pipe(f) ? (long)(pipe_of(f)->size * PAGE_SIZE) : -EBADF;
}

long pipe_set_size(struct file *f, u64 size)
{
	struct pipe *p = pipe_of(f);
	struct pipe_slot *new;
	u32 slots = 1, used;
	long ret;

	if (!is_pipe(f))
		return -EBADF;
	if (size > 1ull << 31)
		return -EINVAL;
	while (slots * PAGE_SIZE < size)
		slots *= 2;
	if (slots * PAGE_SIZE > pipe_max_size && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	new = kcalloc(slots, sizeof(*new), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	mutex_lock(&p->mutex);
	used = p->head - p->tail;
	if (used + p->reserved > slots) {
		kfree(new);
		ret = -EBUSY;
	} else {
		for (u32 n = 0; n < used; n++)
			new[(p->tail + n) & (slots - 1)] = *slot_at(p, p->tail + n);	/* the counts stay: poll compares them without the mutex */
		if (p->slots != p->inline_slots)
			kfree(p->slots);
		p->slots = new;
		p->size = slots;
		ret = (long)(slots * PAGE_SIZE);
	}
	mutex_unlock(&p->mutex);
	if (ret > 0)
		pipe_wake_writers(p);
	return ret;
}

static int max_size_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%llu\n", (unsigned long long)pipe_max_size);
	return 0;
}

static int max_size_write(const char *buf, size_t len, void *arg)
{
	const char *end;
	u64 v = parse_number(buf, &end, 10);

	(void)arg;
	if (end == buf || (size_t)(end - buf) > len || v < PAGE_SIZE || v > 1ull << 31)
		return -EINVAL;
	pipe_max_size = v;
	return 0;
}
PROC_FILE(pipe_max_size, .path = "sys/fs/pipe-max-size", .mode = 0644, .show = max_size_show, .write = max_size_write);
