/* Copying from file to file: sendfile(2), copy_file_range(2).
 *
 * From the pages of the cache, or else through a buffer of at most sixteen pages, by the two files' own operations; a position given
 * by the program is kept there, else the
 * file's own moves.  What was read and could not be written is given back to the input's position, if it has one. */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iov.h>
#include <fs/splice.h>
#include <kernel/errno.h>
#include <kernel/task.h>
#include <linux/fcntl.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <syscall_protos.h>

/* Through a buffer of the kernel's: from one file to the other until count, the end, or an error. */
static long copy_through(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t count)
{
	if (splice_has_pages(in))
		return splice_direct(in, in_pos, out, out_pos, count);

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

static void put_both(struct file *in, struct file *out)
{
	if (in)
		file_put_now(in);
	if (out)
		file_put_now(out);
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
	if (!MODE_IS(READ_ONCE(in->inode->mode), S_IFREG) && !MODE_IS(READ_ONCE(in->inode->mode), S_IFBLK))
		goto out;
	at = uoff ? (u64)off : in->pos;
	if (out->ops == &pipe_fops)
		ret = splice_to_pipe(in, &at, out, min(count, MAX_RW_COUNT), out->flags & O_NONBLOCK);
	else
		ret = copy_through(in, &at, out, &out->pos, count > MAX_RW_COUNT ? MAX_RW_COUNT : count);
	if (ret >= 0) {
		if (!uoff)
			in->pos = at;
		else if (put_user((s64)at, uoff))
			ret = -EFAULT;
	}
out:
	put_both(in, out);
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
	ret = -EXDEV;		/* as Linux since 5.19: a copy from one file system to another is the program's to make */
	if (in->inode->sb != out->inode->sb)
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
	put_both(in, out);
	return ret;
}
