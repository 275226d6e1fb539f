/* Linux AIO: io_setup(2) and its kin.
 *
 * Theory.  A context is a ring of events in memory that it shares with the program, named by the ring's address there.  A request is read from
 * the program once, at io_submit; what the file's operation can do asynchronously (direct I/O: struct kiocb) ends later, anything else
 * is done before io_submit returns, as on Linux.  fsync is done by a worker.
 *
 * The end of a request may be told in an interrupt; a worker then writes the event, puts the file and wakes who waits, so the ring needs
 * only a mutex.  head and tail lie in the ring, where the program may change them (libaio takes events itself): tail is kept here and
 * only shown there; head is believed modulo the ring's length.  There is never a request more than the ring has room for.
 *
 * IOCB_CMD_POLL: the request hangs on the file's wait queue; what wakes it queues a work, which asks the file, and either tells the program or arms
 * the request again.  It belongs to the work from when `fired` becomes 1.  io_cancel, and the end of a context, only say so and queue that work.
 *
 * Contexts hang on the address space, and end with it: exec and exit wait for what is in flight. */
#include <arch/uaccess.h>
#include <fs/aio.h>
#include <fs/eventfd.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <fs/poll.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/wait.h>
#include <kernel/sysctl.h>
#include <linux/aio_abi.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <mm/filemap.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define RING_MAGIC	0xa10a10a1u

static u64 max_nr = 65536, nr_events;	/* [aio_nr_lock, read racily] of all contexts, as they were asked for */
static DEFINE_SPINLOCK(aio_nr_lock, LC_AIO_NR);
SYSCTL(aio_max_nr, "fs/aio-max-nr", .value = &max_nr, .min = 0, .max = INT64_MAX);

static int aio_nr_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%lu\n", READ_ONCE(nr_events));
	return 0;
}
PROC_FILE(aio_nr, .path = "sys/fs/aio-nr", .mode = 0444, .show = aio_nr_show);

struct aio_ring {		/* what libaio knows */
	u32 id, nr, head, tail, magic, compat_features, incompat_features, header_length;
	struct io_event events[];
};
_Static_assert(sizeof(struct aio_ring) == 32 && PAGE_SIZE % sizeof(struct io_event) == 0, "no event crosses a page");

struct aio_ctx {
	struct aio_ctx *next;		/* [mm->mmap_lock] of mm->aio */
	u64 id;				/* [I] the ring's address */
	u32 asked;			/* [I] its part of nr_events */
	size_t map_len;			/* [I] */
	struct refcount refs;
	struct mutex mutex;		/* LC_AIO */
	u32 nr;				/* [I] */
	u32 tail;			/* [mutex, read racily] */
	u32 active;			/* [mutex] requests not yet told of */
	struct list_head polls;		/* [mutex] those that can be cancelled */
	bool dead;			/* [mutex] */
	struct wait_queue wait;		/* an event came, or the last request ended */
	u32 nr_pages;
	struct page *pages[];		/* [I] of the ring, referenced */
};

struct aio_req {
	struct kiocb k;
	struct iov_import im;
	struct iov_seg seg;
	struct aio_ctx *ctx;		/* referenced */
	struct file *file, *eventfd;	/* referenced */
	u64 data, obj, pos;
	long res;
	bool datasync;
	struct work work;
	struct {
		struct poll_table pt;
		struct wait_entry we;
		struct wait_queue *wq;	/* [I] once armed */
		struct list_head link;	/* [ctx->mutex] of ctx->polls */
		struct refcount refs;	/* of the request: its work's, and of who arms it again */
		u32 fired;		/* [a] its work is to run, or runs */
		bool cancelled, twice;	/* [a]; it has two queues */
	} poll;
};

static struct aio_ring *ring_of(const struct aio_ctx *c) { return page_address(c->pages[0]); }

static struct io_event *event_at(const struct aio_ctx *c, u32 n)
{
	u64 at = sizeof(struct aio_ring) + (u64)n * sizeof(struct io_event);

	return (struct io_event *)((char *)page_address(c->pages[at >> PAGE_SHIFT]) + (at & (PAGE_SIZE - 1)));
}

/* fs.aio-max-nr bounds what all programs together may ask for. */
static bool events_take(u32 nr)
{
	bool fits;

	spin_lock(&aio_nr_lock);
	fits = nr_events + nr <= READ_ONCE(max_nr);
	if (fits)
		WRITE_ONCE(nr_events, nr_events + nr);
	spin_unlock(&aio_nr_lock);
	return fits;
}

static void events_give(u32 nr)
{
	spin_lock(&aio_nr_lock);
	WRITE_ONCE(nr_events, nr_events - nr);
	spin_unlock(&aio_nr_lock);
}

static void ctx_put(struct aio_ctx *c)
{
	if (!refcount_dec_and_test(&c->refs))
		return;
	for (u32 i = 0; i < c->nr_pages; i++)
		page_put(c->pages[i]);
	events_give(c->asked);
	kfree(c);
}

static struct aio_ctx *ctx_find(u64 id)
{
	struct mm *mm = current->mm;
	struct aio_ctx *c;

	rwsem_read_lock(&mm->mmap_lock);
	for (c = mm->aio; c && c->id != id; c = c->next)
		;
	if (c)
		refcount_inc(&c->refs);
	rwsem_read_unlock(&mm->mmap_lock);
	return c;
}

/* Events not yet taken, whatever the program wrote into the ring.  Mutex held; without it, a look that the next event may outdate. */
static u32 waiting(const struct aio_ctx *c)
{
	u32 head = READ_ONCE(ring_of(c)->head) % c->nr, tail = atomic_load(&c->tail);

	return tail >= head ? tail - head : tail + c->nr - head;
}

/* --- the end of a request --- */

static void req_free(struct aio_req *r)
{
	if (r->file)
		file_put(r->file);
	if (r->eventfd)
		file_put(r->eventfd);
	kfree(r->im.alloc);
	ctx_put(r->ctx);
	kfree(r);
}

static void req_done(struct aio_req *r)
{
	struct aio_ctx *c = r->ctx;

	mutex_lock(&c->mutex);
	*event_at(c, c->tail) = (struct io_event){ .data = r->data, .obj = r->obj, .res = r->res };
	atomic_store(&c->tail, (c->tail + 1) % c->nr);
	atomic_store_release(&ring_of(c)->tail, c->tail);	/* after the event: pairs with libaio's look */
	c->active--;
	mutex_unlock(&c->mutex);
	if (r->eventfd)
		eventfd_add(r->eventfd, 1);
	wake_up_all(&c->wait);
	req_free(r);
}

static void done_work(struct work *w) { req_done(container_of(w, struct aio_req, work)); }

static void fsync_work(struct work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);

	r->res = r->file->ops->fsync(r->file, 0, ~0ull, r->datasync);
	req_done(r);
}

static void req_complete(struct kiocb *k, long res)
{
	struct aio_req *r = container_of(k, struct aio_req, k);

	r->res = res;
	work_init_as(&r->work, WORK_MANY, done_work);
	work_queue(&r->work);
}

/* --- waiting for a file --- */

static void poll_fire(struct aio_req *r)
{
	if (!atomic_xchg(&r->poll.fired, 1u))
		work_queue(&r->work);
}

static int poll_wake(struct wait_entry *we, void *key)
{
	struct aio_req *r = container_of(we, struct aio_req, poll.we);

	if (!key || (u64)key & r->poll.pt.events)
		poll_fire(r);
	return 0;
}

static void poll_queue(struct poll_table *pt, struct file *f, struct wait_queue *wq)
{
	struct aio_req *r = container_of(pt, struct aio_req, poll.pt);

	(void)f;
	if (r->poll.wq) {
		r->poll.twice = true;
		return;
	}
	r->poll.wq = wq;
	wait_add(wq, &r->poll.we);
}

static void poll_put(struct aio_req *r)
{
	if (refcount_dec_and_test(&r->poll.refs))
		req_done(r);
}

static bool poll_ready(struct aio_req *r)
{
	r->res = (long)(file_poll(r->file, NULL) & r->poll.pt.events);
	return r->res || atomic_load(&r->poll.cancelled);
}

static void poll_work(struct work *w)
{
	struct aio_req *r = container_of(w, struct aio_req, work);
	struct aio_ctx *c = r->ctx;

	if (!poll_ready(r)) {
		refcount_inc(&r->poll.refs);		/* another work may end it from here on */
		atomic_xchg(&r->poll.fired, 0u);
		if (atomic_load(&r->poll.cancelled) || file_poll(r->file, NULL) & r->poll.pt.events)
			poll_fire(r);
		poll_put(r);
		return;
	}
	wait_remove(r->poll.wq, &r->poll.we);
	mutex_lock(&c->mutex);
	list_del(&r->poll.link);
	mutex_unlock(&c->mutex);
	poll_put(r);
}

/* Mutex held. */
static void poll_cancel(struct aio_req *r)
{
	atomic_store(&r->poll.cancelled, true);
	poll_fire(r);
}

static int start_poll(struct aio_req *r, const struct iocb *cb)
{
	struct aio_ctx *c = r->ctx;
	u32 mask;

	if (cb->aio_buf > 0xffff || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || file_is_signalfd(r->file))
		return -EINVAL;			/* a signalfd's answer depends on who asks */
	r->poll.pt = (struct poll_table){ .queue = poll_queue, .events = (u32)cb->aio_buf | EPOLLERR | EPOLLHUP };
	wait_entry_init(&r->poll.we);
	r->poll.we.func = poll_wake;
	r->poll.fired = 1;
	refcount_set(&r->poll.refs, 1);
	work_init_as(&r->work, WORK_MANY, poll_work);
	mask = file_poll(r->file, &r->poll.pt) & r->poll.pt.events;
	if (mask || r->poll.twice || !r->poll.wq) {
		if (r->poll.wq)
			wait_remove(r->poll.wq, &r->poll.we);
		if (!mask)
			return -EINVAL;
		r->res = mask;
		req_done(r);
		return 0;
	}
	mutex_lock(&c->mutex);
	list_add_tail(&r->poll.link, &c->polls);
	r->poll.cancelled = c->dead;
	mutex_unlock(&c->mutex);
	work_queue(&r->work);			/* looks once more, and arms it */
	return 0;
}

/* --- submitting --- */

static int start_rw(struct aio_req *r, const struct iocb *cb, bool write, bool vector)
{
	struct file *f = r->file;
	void __user *buf = user_ptr(cb->aio_buf);
	long res;
	int err;

	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (write ? !f->ops->write : !f->ops->read)
		return -EINVAL;
	if (cb->aio_rw_flags & ~RWF_SUPPORTED || (cb->aio_rw_flags & RWF_NOWAIT && !(f->mode & FMODE_NOWAIT)))
		return -EOPNOTSUPP;
	if (vector) {
		err = iov_import(&r->im, buf, (u32)cb->aio_nbytes);
		if (err) {
			r->im.alloc = NULL;
			return err;
		}
		r->k.it = r->im.it;
	} else {
		if (!user_range_ok(buf, cb->aio_nbytes))
			return -EFAULT;
		iov_iter_user(&r->k.it, &r->seg, buf, min((size_t)cb->aio_nbytes, MAX_RW_COUNT));
	}
	if (cb->aio_offset < 0 && !(f->mode & FMODE_STREAM))
		return -EINVAL;
	r->k.it.rwf = (u16)cb->aio_rw_flags | ITER_ASYNC;
	r->k.complete = req_complete;
	r->pos = (u64)cb->aio_offset;
	file_get(f);			/* the request may be over, and gone, before the operation returns */
	res = write ? file_write_iter(f, &r->k.it, &r->pos) : file_read_iter(f, &r->k.it, &r->pos);
	file_put(f);
	if (res == -EIOCBQUEUED)
		return 0;
	if (res == -ERESTARTSYS || res == -ERESTARTNOINTR || res == -ERESTARTNOHAND || res == -ERESTART_RESTARTBLOCK)
		res = -EINTR;
	r->res = res;
	req_done(r);
	return 0;
}

static int start(struct aio_req *r, const struct iocb *cb)
{
	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD: case IOCB_CMD_PWRITE:
		return start_rw(r, cb, cb->aio_lio_opcode == IOCB_CMD_PWRITE, false);
	case IOCB_CMD_PREADV: case IOCB_CMD_PWRITEV:
		return start_rw(r, cb, cb->aio_lio_opcode == IOCB_CMD_PWRITEV, true);
	case IOCB_CMD_FSYNC: case IOCB_CMD_FDSYNC:
		if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !r->file->ops->fsync)
			return -EINVAL;
		r->datasync = cb->aio_lio_opcode == IOCB_CMD_FDSYNC;
		work_init_as(&r->work, WORK_MANY, fsync_work);
		work_queue(&r->work);
		return 0;
	case IOCB_CMD_POLL:
		return start_poll(r, cb);
	}
	return -EINVAL;
}

/* Room for one more request: 0, -EAGAIN, -EINVAL (the context is going). */
static int reserve(struct aio_ctx *c)
{
	int err = 0;

	mutex_lock(&c->mutex);
	if (c->dead)
		err = -EINVAL;
	else if (c->active + waiting(c) >= c->nr - 1)
		err = -EAGAIN;
	else
		c->active++;
	mutex_unlock(&c->mutex);
	return err;
}

static void unreserve(struct aio_ctx *c)
{
	mutex_lock(&c->mutex);
	c->active--;
	mutex_unlock(&c->mutex);
	wake_up_all(&c->wait);
}

static int submit_one(struct aio_ctx *c, u64 addr)
{
	struct iocb __user *ucb = user_ptr(addr);
	struct aio_req *r;
	struct iocb cb;
	int err;

	if (copy_from_user(&cb, ucb, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || (s64)cb.aio_nbytes < 0)
		return -EINVAL;
	err = reserve(c);
	if (err)
		return err;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r) {
		unreserve(c);
		return -EAGAIN;
	}
	refcount_inc(&c->refs);
	r->ctx = c;
	r->data = cb.aio_data;
	r->obj = addr;
	r->file = fd_get((int)cb.aio_fildes);
	err = r->file ? 0 : -EBADF;
	if (!err && cb.aio_flags & IOCB_FLAG_RESFD) {
		r->eventfd = fd_get((int)cb.aio_resfd);
		err = !r->eventfd ? -EBADF : file_is_eventfd(r->eventfd) ? 0 : -EINVAL;
	}
	if (!err && put_user(0u, &ucb->aio_key))
		err = -EFAULT;
	if (!err)
		err = start(r, &cb);
	if (err) {
		unreserve(c);
		req_free(r);
	}
	return err;
}

long sys_io_submit(unsigned long id, long nr, void __user *ptrs)
{
	struct aio_ctx *c;
	long i;
	int err = 0;

	if (nr < 0)
		return -EINVAL;
	c = ctx_find(id);
	if (!c)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		u64 addr;

		err = get_user(addr, (u64 __user *)ptrs + i);
		if (!err)
			err = submit_one(c, addr);
		if (err)
			break;
	}
	ctx_put(c);
	return i ? i : err;
}

/* --- contexts --- */

/* A context with its ring, a shared mapping of memory of its own, for nr events that were taken from what all may have, and go back with it.
 * Once it hangs on mm another thread may destroy it: what the caller learns is its name. */
static int ring_make(u32 nr, u64 *id)
{
	u64 bytes = PAGE_ALIGN(sizeof(struct aio_ring) + ((u64)nr + 2) * sizeof(struct io_event));
	u32 pages = (u32)(bytes >> PAGE_SHIFT);
	struct mm *mm = current->mm;
	struct aio_ctx *c = kzalloc(sizeof(*c) + pages * sizeof(struct page *), GFP_KERNEL);
	struct file *f;
	s64 at;
	int err;

	if (!c) {
		events_give(nr);
		return -ENOMEM;
	}
	c->asked = nr;
	refcount_set(&c->refs, 1);
	mutex_init(&c->mutex, LC_AIO);
	wait_queue_init(&c->wait);
	list_init(&c->polls);
	c->nr = (u32)((bytes - sizeof(struct aio_ring)) / sizeof(struct io_event));
	c->map_len = bytes;
	err = shmem_file_create("/[aio]", bytes, &f);
	if (err)
		goto err_put;
	for (u32 i = 0; !err && i < pages; i++) {
		err = filemap_get(f->mapping, i, true, &c->pages[i]);
		c->nr_pages += !err;
	}
	if (!err) {
		*ring_of(c) = (struct aio_ring){ .nr = c->nr, .magic = RING_MAGIC, .compat_features = 1, .header_length = sizeof(struct aio_ring) };
		rwsem_write_lock(&mm->mmap_lock);
		at = mm_map(mm, f, 0, bytes, VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_SHARED | VM_DONTEXPAND | VM_DONTCOPY, MAP_SHARED, 0);
		if (at > 0) {
			*id = c->id = (u64)at;
			c->next = mm->aio;
			mm->aio = c;
		}
		rwsem_write_unlock(&mm->mmap_lock);
		err = at > 0 ? 0 : (int)at;
	}
	file_put_now(f);
	if (!err)
		return 0;
err_put:
	ctx_put(c);
	return err;
}

static void ctx_kill(struct aio_ctx *c)
{
	struct aio_req *r;

	mutex_lock(&c->mutex);
	c->dead = true;
	list_for_each_entry(r, &c->polls, poll.link)
		poll_cancel(r);
	mutex_unlock(&c->mutex);
	wake_up_all(&c->wait);
	wait_event(&c->wait, !atomic_load_acquire(&c->active));
}

static struct aio_ctx *ctx_unlink(u64 id)
{
	struct mm *mm = current->mm;
	struct aio_ctx *c, **at;

	rwsem_write_lock(&mm->mmap_lock);
	for (at = &mm->aio; *at && (*at)->id != id; at = &(*at)->next)
		;
	c = *at;
	if (c)
		*at = c->next;
	rwsem_write_unlock(&mm->mmap_lock);
	return c;
}

static void ctx_destroy(struct aio_ctx *c)
{
	struct mm *mm = current->mm;

	ctx_kill(c);
	rwsem_write_lock(&mm->mmap_lock);
	mm_unmap(mm, c->id, c->map_len);
	rwsem_write_unlock(&mm->mmap_lock);
	ctx_put(c);
}

void aio_mm_gone(struct mm *mm)
{
	struct aio_ctx *c;

	while ((c = mm->aio)) {
		mm->aio = c->next;
		ctx_kill(c);
		ctx_put(c);
	}
}

long sys_io_setup(unsigned nr, u64 __user *idp)
{
	struct aio_ctx *c;
	u64 id;
	int err;

	if (get_user(id, idp))
		return -EFAULT;
	if (id || !nr || nr > 0x10000000u / sizeof(struct io_event))
		return -EINVAL;
	if (!events_take(nr))
		return -EAGAIN;
	err = ring_make(nr, &id);
	if (err)
		return err;
	if (put_user(id, idp)) {
		c = ctx_unlink(id);
		if (c)
			ctx_destroy(c);
		return -EFAULT;
	}
	return 0;
}

long sys_io_destroy(unsigned long id)
{
	struct aio_ctx *c = ctx_unlink(id);

	if (!c)
		return -EINVAL;
	ctx_destroy(c);
	return 0;
}

/* What can be taken back is only a poll, as for most files on Linux.  It ends with an event all the same. */
long sys_io_cancel(unsigned long id, struct iocb __user *ucb, struct io_event __user *result)
{
	struct aio_ctx *c;
	struct aio_req *r;
	int err = -EINVAL;
	u32 key = 0;

	(void)result;
	if (get_user(key, &ucb->aio_key) || key)
		return key ? -EINVAL : -EFAULT;
	c = ctx_find(id);
	if (!c)
		return -EINVAL;
	mutex_lock(&c->mutex);
	list_for_each_entry(r, &c->polls, poll.link)
		if (r->obj == (u64)ucb) {
			poll_cancel(r);
			err = -EINPROGRESS;
			break;
		}
	mutex_unlock(&c->mutex);
	ctx_put(c);
	return err;
}

/* --- taking events --- */

static long take_events(struct aio_ctx *c, struct io_event __user *to, long nr)
{
	long n = 0;

	mutex_lock(&c->mutex);
	while (n < nr && waiting(c)) {
		u32 head = READ_ONCE(ring_of(c)->head) % c->nr;

		if (copy_to_user(to + n, event_at(c, head), sizeof(*to))) {
			n = n ? n : -EFAULT;
			break;
		}
		WRITE_ONCE(ring_of(c)->head, (head + 1) % c->nr);
		n++;
	}
	mutex_unlock(&c->mutex);
	return n;
}

static long get_events(u64 id, long min_nr, long nr, struct io_event __user *to, u64 deadline)
{
	struct aio_ctx *c;
	long done = 0, n = 0;
	int err = 0;

	if (min_nr < 0 || nr < 0 || min_nr > nr)
		return -EINVAL;
	c = ctx_find(id);
	if (!c)
		return -EINVAL;
	for (;;) {
		n = take_events(c, to + done, nr - done);
		if (n < 0)
			break;
		done += n;
		if (done >= min_nr || err || deadline == 0)
			break;
		err = wait_event_interruptible_timeout(&c->wait, waiting(c) || READ_ONCE(c->dead), deadline);
		if (READ_ONCE(c->dead))
			err = -EINVAL;
	}
	ctx_put(c);
	if (done)
		return done;
	return n < 0 ? n : err == -ERESTARTSYS ? -EINTR : err == -ETIMEDOUT ? 0 : err;
}

long sys_io_getevents(unsigned long id, long min_nr, long nr, struct io_event __user *events, void __user *timeout)
{
	u64 deadline;
	int err = poll_deadline(timeout, &deadline);

	return err ? err : get_events(id, min_nr, nr, events, deadline);
}

long sys_io_pgetevents(unsigned long id, long min_nr, long nr, struct io_event __user *events, void __user *timeout, void __user *usig)
{
	struct { u64 mask, size; } sig = { 0, 0 };
	u64 deadline;
	long ret = poll_deadline(timeout, &deadline);

	if (!ret && usig && copy_from_user(&sig, usig, sizeof(sig)))
		ret = -EFAULT;
	if (!ret && sig.mask)
		ret = sigmask_push(user_ptr(sig.mask), sig.size);
	if (ret)
		return ret;
	ret = get_events(id, min_nr, nr, events, deadline);
	if (sig.mask)
		sigmask_pop(ret == -EINTR);
	return ret;
}
