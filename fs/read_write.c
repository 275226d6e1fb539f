/* Reading, writing, seeking.
 *
 * The path of a read: descriptor (borrowed if the table is private), range check, one segment on the stack, the file's operation.
 * The position belongs to the file; its lock is taken only if somebody else could move it (fdref_get_pos).  Positional calls
 * never touch it.  At most MAX_RW_COUNT bytes a call, as on Linux. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <fs/write_gate.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

static inline bool is_later(const struct timespec_k *a, const struct timespec_k *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

void file_accessed(struct file *f)
{
	struct inode *i = f->inode;
	bool known;

	/* relatime: only if the last access is not later than the last change.  (Once a day at open: file_open.)  A read that meets a
	 * write may see half a time, and move atime once too often or not at all: either order of the two would have allowed it. */
	race_off();
	known = is_later(&i->atime, &i->mtime) && is_later(&i->atime, &i->ctime);
	race_back();
	if (known)
		return;
	if (unlikely(i->sb->gate != NULL) && !gate_try_enter(i->sb->gate, GATE_CALL))
		return;			/* frozen: nobody waits for that */
	inode_touch(i, ATTR_ATIME);
	if (unlikely(i->sb->gate != NULL))
		gate_leave(i->sb->gate, GATE_CALL);
}

ssize_t file_no_read(const struct file *f)
{
	return inode_is_dir(f->inode) ? -EISDIR : -EINVAL;
}

ssize_t generic_write_checks(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	u64 limit;

	if (f->flags & O_APPEND || from->rwf & RWF_APPEND)
		*pos = i->size;
	limit = rlimit(RLIMIT_FSIZE);
	if (unlikely(*pos + from->count > limit)) {
		if (*pos >= limit) {
			signal_send_task(current, SIGXFSZ, NULL);
			return -EFBIG;
		}
		from->count = limit - *pos;
	}
	if (unlikely(*pos + from->count > i->sb->max_bytes || (s64)(*pos + from->count) < 0)) {
		if (*pos >= i->sb->max_bytes)
			return -EFBIG;
		from->count = i->sb->max_bytes - *pos;
	}
	return 0;
}

int file_kill_suid(struct file *f)
{
	struct inode *i = f->inode;
	u32 mode = i->mode;
	int err = inode_kill_suid(i);

	if (unlikely(i->mode != mode))
		notify_attr(&f->path, IN_ATTRIB);
	return err;
}

ssize_t generic_file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (unlikely(!from->count))
		return 0;
	rwsem_write_lock(&i->lock);
	n = generic_write_checks(f, from, pos);
	if (likely(!n))
		n = file_kill_suid(f);
	if (likely(!n)) {
		n = filemap_write(f, from, pos);
		if (n > 0)
			inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	}
	rwsem_write_unlock(&i->lock);
	return n;
}

ssize_t file_write_sync(struct file *f, const struct iov_iter *from, u64 end, ssize_t n)
{
	bool always = READ_ONCE(f->inode->flags) & INODE_SYNC || f->inode->sb->flags & MS_SYNCHRONOUS;
	bool all = (f->flags & O_SYNC) == O_SYNC || from->rwf & RWF_SYNC || always;	/* O_SYNC is O_DSYNC and a bit more */
	int err = 0;

	if (unlikely(all || f->flags & O_DSYNC || from->rwf & RWF_DSYNC) && f->ops->fsync)
		err = f->ops->fsync(f, end - (u64)n, end - 1, !all);
	return err ? err : n;
}

ssize_t vfs_read_kernel(struct file *f, void *buf, size_t len, u64 *pos)
{
	struct iov_seg seg;
	struct iov_iter it;

	iov_iter_kernel(&it, &seg, buf, len);
	return file_read_iter(f, &it, pos);
}

ssize_t vfs_write_kernel(struct file *f, const void *buf, size_t len, u64 *pos)
{
	struct iov_seg seg;
	struct iov_iter it;

	iov_iter_kernel(&it, &seg, (void *)buf, len);
	return file_write_iter(f, &it, pos);
}

/* 0 if f may be read or written (mode) with that buffer. */
static inline int rw_check(const struct file *f, u32 mode, const void __user *buf, size_t count)
{
	if (unlikely(!(f->mode & mode)))
		return -EBADF;
	return likely(user_range_ok(buf, count)) ? 0 : -EFAULT;
}

long sys_read(int fd, void __user *buf, size_t count)
{
	u32 ref;
	struct file *f = fdref_get_pos(fd, &ref);
	struct iov_seg seg;
	struct iov_iter it;
	long ret;

	if (unlikely(!f))
		return -EBADF;
	ret = rw_check(f, FMODE_READ, buf, count);
	if (likely(!ret)) {
		iov_iter_user(&it, &seg, buf, min(count, MAX_RW_COUNT));
		ret = file_read_iter(f, &it, &f->pos);
	}
	fdref_put(f, ref);
	return ret;
}

long sys_write(int fd, const void __user *buf, size_t count)
{
	u32 ref;
	struct file *f = fdref_get_pos(fd, &ref);
	struct iov_seg seg;
	struct iov_iter it;
	long ret;

	if (unlikely(!f))
		return -EBADF;
	ret = rw_check(f, FMODE_WRITE, buf, count);
	if (likely(!ret)) {
		iov_iter_user(&it, &seg, (void __user *)buf, min(count, MAX_RW_COUNT));
		ret = file_write_iter(f, &it, &f->pos);
	}
	fdref_put(f, ref);
	return ret;
}

enum { RW_POS = 1, RW_WRITE = 2 };

static long vector_rw(int fd, const struct iovec __user *vec, u64 nr, s64 pos, u32 how, u32 rwf)
{
	struct iov_import im;
	struct file *f;
	u64 at;
	long ret;
	u32 ref;

	if ((how & RW_POS) && pos < 0)
		return -EINVAL;
	f = how & RW_POS ? fdref_get(fd, &ref) : fdref_get_pos(fd, &ref);
	if (!f)
		return -EBADF;
	if (!(f->mode & (how & RW_WRITE ? FMODE_WRITE : FMODE_READ))) {
		ret = -EBADF;
		goto out;
	}
	if ((how & RW_POS) && (f->mode & FMODE_STREAM)) {
		ret = -ESPIPE;
		goto out;
	}
	ret = iov_import(&im, vec, (u32)nr);
	if (ret)
		goto out;
	at = (u64)pos;
	im.it.rwf = (u16)rwf;
	if (!im.it.count)
		ret = 0;
	else if (rwf & ~(u32)RWF_SUPPORTED || (rwf & RWF_NOWAIT && !(f->mode & FMODE_NOWAIT)))
		ret = -EOPNOTSUPP;
	else if ((how & RW_POS) && (s64)(at + im.it.count) < 0)
		ret = -EINVAL;
	else
		ret = how & RW_WRITE ? file_write_iter(f, &im.it, how & RW_POS ? &at : &f->pos)
				     : file_read_iter(f, &im.it, how & RW_POS ? &at : &f->pos);
	kfree(im.alloc);
out:
	fdref_put(f, ref);
	return ret;
}

long sys_readv(int fd, const struct iovec __user *vec, unsigned long nr) { return vector_rw(fd, vec, nr, 0, 0, 0); }
long sys_writev(int fd, const struct iovec __user *vec, unsigned long nr) { return vector_rw(fd, vec, nr, 0, RW_WRITE, 0); }

long sys_preadv(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long lo, unsigned long hi)
{
	(void)hi;
	return vector_rw(fd, vec, nr, (s64)lo, RW_POS, 0);
}

long sys_pwritev(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long lo, unsigned long hi)
{
	(void)hi;
	return vector_rw(fd, vec, nr, (s64)lo, RW_POS | RW_WRITE, 0);
}

static long vector_rw2(int fd, const struct iovec __user *vec, u64 nr, s64 pos, u32 how, u32 flags)
{
	return vector_rw(fd, vec, nr, pos, pos == -1 ? how & ~(u32)RW_POS : how, flags);
}

long sys_preadv2(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long lo, unsigned long hi, u32 flags)
{
	(void)hi;
	return vector_rw2(fd, vec, nr, (s64)lo, RW_POS, flags);
}

long sys_pwritev2(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long lo, unsigned long hi, u32 flags)
{
	(void)hi;
	return vector_rw2(fd, vec, nr, (s64)lo, RW_POS | RW_WRITE, flags);
}

static inline long positional(int fd, u64 buf, size_t count, s64 pos, bool write)
{
	struct iov_seg seg;
	struct iov_iter it;
	struct file *f;
	u64 at = (u64)pos;
	long ret;
	u32 ref;

	if (pos < 0)
		return -EINVAL;
	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	ret = f->mode & FMODE_STREAM ? -ESPIPE : rw_check(f, write ? FMODE_WRITE : FMODE_READ, user_ptr(buf), count);
	if (likely(!ret) && unlikely((s64)(at + count) < 0))
		ret = -EINVAL;
	if (likely(!ret)) {
		iov_iter_user(&it, &seg, user_ptr(buf), min(count, MAX_RW_COUNT));
		ret = write ? file_write_iter(f, &it, &at) : file_read_iter(f, &it, &at);
	}
	fdref_put(f, ref);
	return ret;
}

long sys_pread64(int fd, void __user *buf, size_t count, s64 pos) { return positional(fd, (u64)buf, count, pos, false); }
long sys_pwrite64(int fd, const void __user *buf, size_t count, s64 pos) { return positional(fd, (u64)buf, count, pos, true); }

s64 noop_seek(struct file *f, s64 off, int whence)
{
	(void)off;
	(void)whence;
	return (s64)f->pos;
}

s64 generic_seek(struct file *f, s64 off, int whence)
{
	u64 size = i_size_read(f->inode);
	s64 to;

	switch (whence) {
	case SEEK_SET:
		to = off;
		break;
	case SEEK_CUR:
		if (!off)
			return (s64)f->pos;
		to = (s64)f->pos + off;
		break;
	case SEEK_END:
		to = (s64)size + off;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:		/* no file here has known holes: all is data up to the end */
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		to = whence == SEEK_DATA ? off : (s64)size;
		break;
	default:
		return -EINVAL;
	}
	if (to < 0)
		return -EINVAL;
	f->pos = (u64)to;
	return to;
}

long sys_lseek(int fd, s64 off, unsigned whence)
{
	struct file *f;
	long ret;
	u32 ref;

	f = fdref_get_pos(fd, &ref);
	if (!f)
		return -EBADF;
	if (f->mode & FMODE_PATH)
		ret = -EBADF;
	else if (whence > SEEK_HOLE)
		ret = -EINVAL;
	else if (f->ops->seek)
		ret = f->ops->seek(f, off, (int)whence);
	else
		ret = f->mode & FMODE_STREAM ? -ESPIPE : generic_seek(f, off, (int)whence);
	fdref_put(f, ref);
	return ret;
}
