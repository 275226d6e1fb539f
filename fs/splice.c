/* splice(2), tee(2), vmsplice(2): data goes by reference, not by copy, where it can.
 *
 * Theory.  A slot of a pipe is a reference on a page and a part of it.  From a file in the page cache into a pipe the cache's own pages go,
 * from a program (vmsplice) the program's, from one pipe to another the first one's; such slots are `shared`, and nobody appends to their
 * pages.  Whoever changes the page afterwards changes what the pipe's reader will see, as on Linux.
 *
 * From a pipe to a file: the file's lock may not be taken with the pipe's held (LC_PIPE is above it).  So the one who takes marks the pipe
 * (`taking`), which keeps other readers off the tail, writes from the slots' pages without the mutex, and then consumes what was
 * written; what was not stays.  Writers go on meanwhile, at the head.
 *
 * What has no pages to give (devices, terminals, sockets) is read into fresh pages.  Much of that cannot be read twice, so room for it is kept in
 * the pipe before it is read (`reserved`): whoever fills the pipe meanwhile, what was read gets in.  Nobody waits while he keeps room or others
 * off a tail, but for what he reads: two who did so in a circle would wait for ever. */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <fs/pipe_internal.h>
#include <fs/splice.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include <mm/filemap.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <syscall_protos.h>

enum { SPLICE_MOVE = 1, SPLICE_NONBLOCK = 2, SPLICE_MORE = 4, SPLICE_GIFT = 8, SPLICE_ALL = 15 };
#define BATCH	16u

bool splice_has_pages(const struct file *in)
{
	return in->mapping && in->mapping->ops && !(in->flags & O_DIRECT) && (inode_is_reg(in->inode) || MODE_IS(READ_ONCE(in->inode->mode), S_IFBLK));
}

static void slots_put(struct pipe_slot *s, u32 n)
{
	for (u32 i = 0; i < n; i++)
		page_put(s[i].page);
}

/* --- where slots come from --- */

/* Up to max slots for [*pos, *pos + len) of in: how many (0: end of file), or the error if none. */
static int cached_slots(struct file *in, u64 *pos, size_t len, struct pipe_slot *s, u32 max)
{
	u64 size = i_size_read(in->mapping->host);
	u32 n = 0;

	while (n < max && len && *pos < size) {
		u64 off = *pos & (PAGE_SIZE - 1);
		size_t part = min(min(size - *pos, PAGE_SIZE - off), len);
		struct page *p;
		int err = filemap_page_to_read(in, *pos >> PAGE_SHIFT, DIV_ROUND_UP(off + len, PAGE_SIZE), &p);

		if (err == -ENOENT) {		/* a hole in memory */
			p = page_alloc(0, GFP_USER | GFP_ZERO);
			err = p ? 0 : -ENOMEM;
		}
		if (err)
			return n ? (int)n : err;
		s[n++] = (struct pipe_slot){ p, (u32)off, (u32)part, true };
		*pos += part;
		len -= part;
	}
	return (int)n;
}

/* One page's worth; nonblock: of what can say that there is nothing yet. */
static ssize_t read_page(struct file *in, void *to, size_t len, u64 *pos, bool nonblock)
{
	struct iov_seg seg;
	struct iov_iter it;

	iov_iter_kernel(&it, &seg, to, len);
	if (nonblock && in->mode & FMODE_STREAM && in->mode & FMODE_NOWAIT)
		it.rwf = RWF_NOWAIT;
	return file_read_iter(in, &it, pos);
}

static int read_slots(struct file *in, u64 *pos, size_t len, struct pipe_slot *s, u32 max, bool nonblock)
{
	u32 n = 0;

	while (n < max && len) {
		struct page *p = page_alloc(0, GFP_USER);
		size_t part = min(len, PAGE_SIZE);
		ssize_t got = p ? read_page(in, page_address(p), part, pos, nonblock) : -ENOMEM;

		if (got <= 0) {
			if (p)
				page_put(p);
			return n ? (int)n : (int)got;
		}
		s[n++] = (struct pipe_slot){ p, 0, (u32)got, false };
		len -= (size_t)got;
		if ((size_t)got < part || in->mode & FMODE_STREAM)
			break;			/* more might have to be waited for */
	}
	return (int)n;
}

static int get_slots(struct file *in, u64 *pos, size_t len, struct pipe_slot *s, u32 max, bool nonblock)
{
	int n = splice_has_pages(in) ? cached_slots(in, pos, len, s, max) : read_slots(in, pos, len, s, max, nonblock);

	if (n > 0 && splice_has_pages(in)) {
		if (in->mode & FMODE_ATIME)
			file_accessed(in);
		notify_file(in, IN_ACCESS);
	}
	return n;
}

/* --- into a pipe --- */

/* Mutex held: wait until there is a free slot.  0, -EPIPE (SIGPIPE sent), -EAGAIN, -ERESTARTSYS. */
static int wait_room(struct pipe *p, bool nonblock)
{
	int err = 0;

	while (!err) {
		if (!p->readers) {
			signal_send_task(current, SIGPIPE, NULL);
			return -EPIPE;
		}
		if (!pipe_full(p))
			return 0;
		err = nonblock ? -EAGAIN : pipe_sleep(p, &p->wr_wait);
	}
	return err;
}

/* How many slots are free, up to max; keep: they are kept for the caller, until put_slots or unreserve. */
static int room(struct pipe *p, bool nonblock, u32 max, bool keep, u32 *nr)
{
	int err;

	mutex_lock(&p->mutex);
	err = wait_room(p, nonblock);
	*nr = err ? 0 : min(pipe_room(p), max);
	if (keep)
		p->reserved += *nr;
	mutex_unlock(&p->mutex);
	return err;
}

static void unreserve(struct pipe *p, u32 nr)
{
	mutex_lock(&p->mutex);
	p->reserved -= nr;
	if (nr && !pipe_full(p))
		pipe_wake_writers(p);
	mutex_unlock(&p->mutex);
}

/* Append n slots, the first of them to the `kept` that room kept, the others waiting for room as others fill it up; what could not be appended is
 * put.  Bytes appended, or the error if none. */
static long put_slots(struct pipe *p, struct pipe_slot *s, u32 n, u32 kept, bool nonblock)
{
	long done = 0;
	u32 i = 0;
	int err = 0;

	mutex_lock(&p->mutex);
	p->reserved -= kept;
	while (i < n && !err) {
		err = wait_room(p, nonblock);
		while (!err && i < n && !pipe_full(p)) {
			*slot_at(p, p->head++) = s[i];
			done += s[i++].len;
		}
		if (done)
			pipe_wake_readers(p);
	}
	if (!pipe_full(p))
		pipe_wake_writers(p);
	mutex_unlock(&p->mutex);
	slots_put(s + i, n - i);
	return done ? done : err;
}

long splice_to_pipe(struct file *in, u64 *pos, struct file *out, size_t len, bool nonblock)
{
	bool cached = splice_has_pages(in);
	struct pipe *p = file_pipe(out);
	struct pipe_slot s[BATCH];
	long done = 0, put;
	u32 max = cached || !(in->mode & FMODE_STREAM) ? BATCH : 1, free;

	while (len) {
		u64 at = *pos;
		int n = room(p, nonblock || done, max, !cached, &free);

		if (n)
			return done ? done : n;
		n = get_slots(in, &at, len, s, free, nonblock);
		if (n <= 0) {
			if (!cached)
				unreserve(p, free);
			return done ? done : n;
		}
		put = put_slots(p, s, (u32)n, cached ? 0 : free, nonblock);
		if (put <= 0)
			return done ? done : put;
		*pos += (u64)put;
		done += put;
		len -= (size_t)put;
		if (!cached || signal_pending())
			break;
	}
	return done;
}

/* --- out of a pipe --- */

/* Copy up to max slots, len bytes in all, from the tail, and keep other readers away: how many; 0: nothing will come; -EAGAIN, -ERESTARTSYS.
 * wait: for the first. */
static int take(struct pipe *p, size_t len, struct pipe_slot *s, u32 max, bool wait, bool nonblock)
{
	u32 n = 0;
	int err = 0;

	mutex_lock(&p->mutex);
	while (!err && (pipe_empty(p) || p->taking)) {
		if (!p->taking && (!p->writers || !wait))
			goto out;
		err = nonblock ? -EAGAIN : pipe_sleep(p, &p->rd_wait);
	}
	if (err)
		goto out;
	p->taking = true;
	for (u32 at = p->tail; n < max && len && at != p->head; at++) {
		s[n] = *slot_at(p, at);
		s[n].len = (u32)min((size_t)s[n].len, len);
		len -= s[n++].len;
	}
out:
	mutex_unlock(&p->mutex);
	return err ? err : (int)n;
}

/* Consume n bytes of what take gave, and let the others go on. */
static void took(struct pipe *p, size_t n)
{
	mutex_lock(&p->mutex);
	while (n) {
		struct pipe_slot *s = slot_at(p, p->tail);
		u32 part = (u32)min((size_t)s->len, n);

		s->off += part;
		s->len -= part;
		n -= part;
		if (!s->len)
			pipe_slot_done(p, s);
	}
	p->taking = false;
	pipe_wake_readers(p);
	mutex_unlock(&p->mutex);
	pipe_wake_writers(p);
}

static ssize_t write_slots(struct file *out, u64 *pos, const struct pipe_slot *s, u32 n)
{
	struct iov_seg seg[BATCH];
	struct iov_iter it = { .kernel = true, .nr = n, .segs = seg };

	for (u32 i = 0; i < n; i++) {
		seg[i] = (struct iov_seg){ (u64)page_address(s[i].page) + s[i].off, s[i].len };
		it.count += s[i].len;
	}
	return file_write_iter(out, &it, pos);
}

static long splice_to_file(struct pipe *p, struct file *out, u64 *pos, size_t len, bool nonblock)
{
	struct pipe_slot s[BATCH];
	long done = 0;

	while (len) {
		int n = take(p, len, s, BATCH, !done, nonblock);
		size_t offered = 0;
		ssize_t got;

		if (n <= 0)
			return done ? done : n;
		for (int i = 0; i < n; i++)
			offered += s[i].len;
		got = write_slots(out, pos, s, (u32)n);
		took(p, got > 0 ? (size_t)got : 0);
		if (got <= 0)
			return done ? done : got;
		done += got;
		len -= (size_t)got;
		if ((size_t)got < offered || signal_pending())
			break;
	}
	return done;
}

/* One batch, moved, or (keep: tee) given to both.  -EAGAIN, too, if others filled `to` meanwhile. */
static long move_batch(struct pipe *from, struct pipe *to, size_t len, bool keep, bool nonblock)
{
	struct pipe_slot s[BATCH];
	long done;
	u32 free;
	int n = room(to, nonblock, BATCH, false, &free);

	if (!n)
		n = take(from, len, s, free, true, nonblock);
	if (n <= 0)
		return n;
	for (int i = 0; i < n; i++) {
		page_get(s[i].page);
		s[i].shared = true;
	}
	if (keep) {				/* nobody may append to what both have now */
		mutex_lock(&from->mutex);
		for (int i = 0; i < n; i++)
			slot_at(from, from->tail + (u32)i)->shared = true;
		mutex_unlock(&from->mutex);
	}
	done = put_slots(to, s, (u32)n, 0, true);
	took(from, keep || done < 0 ? 0 : (size_t)done);
	return done;
}

static long pipe_to_pipe(struct pipe *from, struct pipe *to, size_t len, bool keep, bool nonblock)
{
	long done;

	do
		done = move_batch(from, to, len, keep, nonblock);
	while (done == -EAGAIN && !nonblock);
	return done;
}

long splice_direct(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t len)
{
	struct pipe_slot s[BATCH];
	long done = 0;

	while (len) {
		u64 at = *in_pos;
		int n = get_slots(in, &at, len, s, BATCH, false);
		ssize_t got;

		if (n <= 0)
			return done ? done : n;
		got = write_slots(out, out_pos, s, (u32)n);
		slots_put(s, (u32)n);
		if (got <= 0)
			return done ? done : got;
		*in_pos += (u64)got;
		done += got;
		len -= (size_t)got;
		if (*in_pos < at || signal_pending())
			break;
	}
	return done;
}

/* --- the calls --- */

static bool no_wait(const struct file *pipe, u32 flags) { return flags & SPLICE_NONBLOCK || pipe->flags & O_NONBLOCK; }

static long do_splice(struct file *in, u64 *in_pos, bool in_off, struct file *out, u64 *out_pos, bool out_off, size_t len, u32 flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (from && to) {
		if (in_off || out_off)
			return -ESPIPE;
		return from == to ? -EINVAL : pipe_to_pipe(from, to, len, false, no_wait(in, flags) || no_wait(out, flags));
	}
	if (from) {
		if (in_off)
			return -ESPIPE;
		if ((out_off && out->mode & FMODE_STREAM) || out->flags & O_APPEND || !out->ops->write)
			return -EINVAL;
		return splice_to_file(from, out, out_pos, len, no_wait(in, flags));
	}
	if (!to)
		return -EINVAL;
	if (out_off)
		return -ESPIPE;
	if ((in_off && in->mode & FMODE_STREAM) || !in->ops->read)
		return -EINVAL;
	return splice_to_pipe(in, in_pos, out, len, no_wait(out, flags));
}

long sys_splice(int fd_in, s64 __user *off_in, int fd_out, s64 __user *off_out, size_t len, u32 flags)
{
	struct file *in = NULL, *out = NULL;
	s64 in_off = 0, out_off = 0;
	u64 in_at, out_at;
	long ret = -EBADF;

	if (!len)
		return 0;
	if (flags & ~(u32)SPLICE_ALL)
		return -EINVAL;
	in = fd_get(fd_in);
	out = fd_get(fd_out);
	if (!in || !out)
		goto out;
	ret = -ESPIPE;
	if ((off_in && file_pipe(in)) || (off_out && file_pipe(out)))
		goto out;
	ret = -EFAULT;
	if ((off_in && get_user(in_off, off_in)) || (off_out && get_user(out_off, off_out)))
		goto out;
	ret = -EINVAL;
	if (in_off < 0 || out_off < 0)
		goto out;
	in_at = off_in ? (u64)in_off : in->pos;
	out_at = off_out ? (u64)out_off : out->pos;
	ret = do_splice(in, &in_at, off_in, out, &out_at, off_out, min(len, MAX_RW_COUNT), flags);
	if (ret <= 0)
		goto out;
	if (!file_pipe(in) && !off_in)
		in->pos = in_at;
	else if (off_in && put_user((s64)in_at, off_in))
		ret = -EFAULT;
	if (!file_pipe(out) && !off_out)
		out->pos = out_at;
	else if (off_out && put_user((s64)out_at, off_out))
		ret = -EFAULT;
out:
	if (in)
		file_put_now(in);
	if (out)
		file_put_now(out);
	return ret;
}

long sys_tee(int fd_in, int fd_out, size_t len, u32 flags)
{
	struct file *in, *out;
	long ret = -EBADF;

	if (flags & ~(u32)SPLICE_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	in = fd_get(fd_in);
	out = fd_get(fd_out);
	if (in && out && in->mode & FMODE_READ && out->mode & FMODE_WRITE) {
		struct pipe *from = file_pipe(in), *to = file_pipe(out);

		ret = from && to && from != to ? pipe_to_pipe(from, to, min(len, MAX_RW_COUNT), true, no_wait(in, flags) || no_wait(out, flags))
					       : -EINVAL;
	}
	if (in)
		file_put_now(in);
	if (out)
		file_put_now(out);
	return ret;
}

/* The program's own pages into the pipe: as many as fit, waiting for the first. */
static long give_pages(struct pipe *p, struct iov_iter *it, bool nonblock)
{
	long done = 0;

	while (it->count) {
		struct page *pages[BATCH];
		struct pipe_slot s[BATCH];
		u64 at = it->segs->base + it->off;
		size_t len = min(it->segs->len - it->off, it->count);
		u32 free;
		long put;
		int n = room(p, nonblock || done, BATCH, false, &free);

		if (!n)
			n = pages_pin(at, len, false, pages, free);
		if (n <= 0)
			return done ? done : n;
		for (int i = 0; i < n; i++) {
			u32 off = (u32)(at & (PAGE_SIZE - 1)), part = (u32)min(PAGE_SIZE - off, len);

			s[i] = (struct pipe_slot){ pages[i], off, part, true };
			at += part;
			len -= part;
		}
		put = put_slots(p, s, (u32)n, 0, nonblock);
		if (put <= 0)
			return done ? done : put;
		iov_iter_advance(it, (size_t)put);
		done += put;
	}
	return done;
}

long sys_vmsplice(int fd, const struct iovec __user *vec, unsigned long nr, u32 flags)
{
	struct iov_import im;
	struct file *f;
	long ret;

	if (flags & ~(u32)SPLICE_ALL)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	ret = f->mode & (FMODE_READ | FMODE_WRITE) ? iov_import(&im, vec, (u32)nr) : -EBADF;
	if (!ret) {
		if (im.it.count && !file_pipe(f))
			ret = -EBADF;
		else if (im.it.count)
			ret = f->mode & FMODE_WRITE ? give_pages(file_pipe(f), &im.it, no_wait(f, flags)) : file_read_iter(f, &im.it, &f->pos);
		kfree(im.alloc);
	}
	file_put_now(f);
	return ret;
}
