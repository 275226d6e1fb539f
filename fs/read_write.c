/* Reading, writing, seeking.
 *
 * The path of a read: descriptor (borrowed if the table is private), range check, one segment on the stack, the file's operation.
 * The position belongs to the file; its lock is taken only if somebody else could move it (fdref_get_pos).  Positional calls
 * never touch it.  At most MAX_RW_COUNT bytes a call, as on Linux. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

void file_accessed(struct file *f)
{
	struct inode *i = f->inode;

	/* relatime: only if the last access is not later than the last change.  (Once a day at open: file_open.) */
	if (i->atime.sec > i->mtime.sec && i->atime.sec > i->ctime.sec)
		return;
	if (i->atime.sec > i->mtime.sec || (i->atime.sec == i->mtime.sec && i->atime.nsec > i->mtime.nsec))
		if (i->atime.sec > i->ctime.sec || (i->atime.sec == i->ctime.sec && i->atime.nsec > i->ctime.nsec))
			return;
	inode_touch(i, ATTR_ATIME);
}

ssize_t file_no_read(const struct file *f)
{
	return inode_is_dir(f->inode) ? -EISDIR : -EINVAL;
}

ssize_t generic_file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	u64 limit;
	ssize_t n;

	if (unlikely(!from->count))
		return 0;
	rwsem_write_lock(&i->lock);
	if (f->flags & O_APPEND)
		*pos = i->size;
	limit = rlimit(RLIMIT_FSIZE);
	if (unlikely(*pos + from->count > limit)) {
		if (*pos >= limit) {
			rwsem_write_unlock(&i->lock);
			signal_send_task(current, SIGXFSZ, NULL);
			return -EFBIG;
		}
		from->count = limit - *pos;
	}
	if (unlikely(*pos + from->count > i->sb->max_bytes || (s64)(*pos + from->count) < 0)) {
		if (*pos >= i->sb->max_bytes) {
			rwsem_write_unlock(&i->lock);
			return -EFBIG;
		}
		from->count = i->sb->max_bytes - *pos;
	}
	inode_kill_suid(i);
	n = filemap_write(f, from, pos);
	if (n > 0)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	rwsem_write_unlock(&i->lock);
	return n;
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
	if (!im.it.count)
		ret = 0;
	else if (rwf & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
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

/* Of the RWF_ flags, those that ask for durability or priority mean nothing in memory; NOWAIT and APPEND are not offered. */
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

/* Through a page of the kernel's: from one file to the other until count, the end, or an error. */
static long copy_through(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t count)
{
	size_t size = count < 16 * PAGE_SIZE ? PAGE_ALIGN(count) : 16 * PAGE_SIZE;
	char *buf = kmalloc(size, GFP_KERNEL);
	long done = 0, n, w;

	if (!buf)
		return -ENOMEM;
	while (count) {
		n = vfs_read_kernel(in, buf, count < size ? count : size, in_pos);
		if (n <= 0) {
			if (!done)
				done = n;
			break;
		}
		w = vfs_write_kernel(out, buf, (size_t)n, out_pos);
		if (w < n && !(in->mode & FMODE_STREAM))
			*in_pos -= (u64)(n - (w < 0 ? 0 : w));
		if (w <= 0) {
			if (!done)
				done = w;
			break;
		}
		done += w;
		count -= (size_t)w;
		if (w < n || signal_pending())
			break;
	}
	kfree(buf);
	return done;
}

long sys_sendfile(int out_fd, int in_fd, s64 __user *uoff, size_t count)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	s64 off = 0;
	u64 at;
	long ret = -EBADF;

	if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		goto out;
	ret = -EFAULT;
	if (uoff && get_user(off, uoff))
		goto out;
	ret = -EINVAL;
	if ((s64)count < 0 || off < 0 || (s64)((u64)off + count) < 0 || (out->flags & O_APPEND))
		goto out;
	ret = -ESPIPE;
	if (uoff && (in->mode & FMODE_STREAM))
		goto out;
	ret = -EINVAL;		/* as on Linux: from files only, or a terminal's end of file would be swallowed here */
	if (!MODE_IS(in->inode->mode, S_IFREG) && !MODE_IS(in->inode->mode, S_IFBLK))
		goto out;
	at = uoff ? (u64)off : in->pos;
	ret = copy_through(in, &at, out, &out->pos, count > MAX_RW_COUNT ? MAX_RW_COUNT : count);
	if (ret >= 0) {
		if (!uoff)
			in->pos = at;
		else if (put_user((s64)at, uoff))
			ret = -EFAULT;
	}
out:
	if (in)
		file_put_now(in);
	if (out)
		file_put_now(out);
	return ret;
}

long sys_copy_file_range(int in_fd, s64 __user *in_off, int out_fd, s64 __user *out_off, size_t len, u32 flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	s64 ioff = 0, ooff = 0;
	u64 iat, oat;
	long ret = -EBADF;

	if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		goto out;
	ret = -EFAULT;
	if ((in_off && get_user(ioff, in_off)) || (out_off && get_user(ooff, out_off)))
		goto out;
	ret = -EISDIR;
	if (inode_is_dir(in->inode) || inode_is_dir(out->inode))
		goto out;
	ret = -EINVAL;
	if (flags || !inode_is_reg(in->inode) || !inode_is_reg(out->inode) || ioff < 0 || ooff < 0)
		goto out;
	iat = in_off ? (u64)ioff : in->pos;
	oat = out_off ? (u64)ooff : out->pos;
	ret = -EOVERFLOW;
	if (iat + len < iat || oat + len < oat)
		goto out;
	ret = -EINVAL;
	len = iat >= i_size_read(in->inode) ? 0 : min(len, min(i_size_read(in->inode) - iat, MAX_RW_COUNT));
	if (in->inode == out->inode && iat < oat + len && oat < iat + len)
		goto out;
	ret = copy_through(in, &iat, out, &oat, len);
	if (ret < 0)
		goto out;
	if (!in_off)
		in->pos = iat;
	else if (put_user((s64)iat, in_off))
		ret = -EFAULT;
	if (!out_off)
		out->pos = oat;
	else if (put_user((s64)oat, out_off))
		ret = -EFAULT;
out:
	if (in)
		file_put_now(in);
	if (out)
		file_put_now(out);
	return ret;
}
