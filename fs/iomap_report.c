/* Where a file's data and holes are, for programs: lseek's SEEK_DATA and SEEK_HOLE, FIEMAP, FIBMAP.
 *
 * A hole with a dirty page over it does not exist: whoever writes to a page finds blocks for it first.  So the map alone knows. */
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/iomap_internal.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <mm/writeback.h>

s64 iomap_seek(struct file *f, s64 off, int whence)
{
	struct inode *inode = f->inode;
	bool data = whence == SEEK_DATA;
	u64 at = (u64)off, size;
	int err = 0;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_seek(f, off, whence);
	rwsem_read_lock(&inode->lock);
	size = inode->size;
	if (off < 0 || at >= size)
		err = -ENXIO;
	while (!err && at < size) {
		struct iomap m = { .len = 0 };

		err = iomap_at(inode, at, size - at, 0, &m);
		if (err || (m.type == IOMAP_MAPPED) == data)
			break;
		at = m.pos + m.len;
	}
	rwsem_read_unlock(&inode->lock);
	if (!err && at >= size)
		err = data ? -ENXIO : 0;
	if (err)
		return err;
	f->pos = min(at, size);
	return (s64)f->pos;
}

/* The next run of mapped bytes at or after *at that lie in a row: 1, 0 (none before end), or an error. */
static int next_run(struct inode *inode, u64 *at, u64 end, struct iomap *run)
{
	struct iomap m;

	run->len = 0;
	while (*at < end) {
		int err;

		m.len = 0;
		err = iomap_at(inode, *at, end - *at, 0, &m);
		if (err)
			return err;
		if (m.type == IOMAP_MAPPED) {
			if (run->len && m.addr + (*at - m.pos) != run->addr + run->len)
				break;
			if (!run->len)
				*run = (struct iomap){ .pos = m.pos, .addr = m.addr, .len = m.len };
			else
				run->len = m.pos + m.len - run->pos;
		} else if (run->len) {
			break;
		}
		*at = m.pos + m.len;
	}
	return run->len != 0;
}

static int put_extent(u64 arg, u32 n, const struct iomap *run, bool last)
{
	struct fiemap_extent e = { .fe_logical = run->pos, .fe_physical = run->addr, .fe_length = run->len,
				   .fe_flags = FIEMAP_EXTENT_MERGED | (last ? FIEMAP_EXTENT_LAST : 0) };

	return copy_to_user(user_ptr(arg + sizeof(struct fiemap) + n * sizeof(e)), &e, sizeof(e));
}

static int fiemap_fill(struct inode *inode, struct fiemap *fm, u64 arg)
{
	u64 block = inode->sb->block_size, size = ALIGN_UP(inode->size, block), at = ALIGN_DOWN(fm->fm_start, block);
	u64 end = min(size, fm->fm_length > size - min(size, fm->fm_start) ? size : fm->fm_start + fm->fm_length);
	struct iomap run, after;
	int more = next_run(inode, &at, end, &run);

	while (more > 0) {
		u64 rest = at;
		int next = next_run(inode, &at, end, &after);
		bool last = !next;

		if (next < 0)
			return next;
		if (last && end < size) {	/* the last asked for; is it the file's? */
			struct iomap beyond;

			next = next_run(inode, &rest, size, &beyond);
			if (next < 0)
				return next;
			last = !next;
			next = 0;
		}
		if (fm->fm_extent_count) {
			if (fm->fm_mapped_extents == fm->fm_extent_count)
				return 0;
			if (put_extent(arg, fm->fm_mapped_extents, &run, last))
				return -EFAULT;
		}
		fm->fm_mapped_extents++;
		run = after;
		more = next;
	}
	return more;
}

int iomap_fiemap(struct inode *inode, u64 arg)
{
	struct fiemap fm;
	int err = 0;

	if (copy_from_user(&fm, user_ptr(arg), sizeof(fm)))
		return -EFAULT;
	if (fm.fm_extent_count > (0xffffffffu - sizeof(fm)) / sizeof(struct fiemap_extent))
		return -EINVAL;
	if (!fm.fm_length)
		return -EINVAL;
	if (fm.fm_start >= inode->sb->max_bytes)
		return -EFBIG;
	if (fm.fm_flags & ~(u32)FIEMAP_FLAG_SYNC) {
		fm.fm_flags &= ~(u32)FIEMAP_FLAG_SYNC;
		err = -EBADR;
	}
	fm.fm_mapped_extents = 0;
	if (!err && fm.fm_flags & FIEMAP_FLAG_SYNC) {
		err = filemap_write_range(&inode->data, 0, ~0ul);
		filemap_wait_range(&inode->data, 0, ~0ul);
	}
	if (!err) {
		rwsem_read_lock(&inode->lock);
		err = fiemap_fill(inode, &fm, arg);
		rwsem_read_unlock(&inode->lock);
	}
	if ((!err || err == -EBADR) && copy_to_user(user_ptr(arg), &fm, sizeof(fm)))
		err = -EFAULT;
	return err;
}

int iomap_fibmap(struct inode *inode, u64 arg)
{
	struct iomap m = { .len = 0 };
	u64 block = inode->sb->block_size, at;
	int n, err;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (get_user(n, (int __user *)user_ptr(arg)))
		return -EFAULT;
	if (n < 0)
		return -EINVAL;
	at = (u64)n * block;
	filemap_write_range(&inode->data, 0, ~0ul);
	rwsem_read_lock(&inode->lock);
	err = at < inode->size ? iomap_at(inode, at, block, 0, &m) : 0;
	rwsem_read_unlock(&inode->lock);
	if (err)
		return err;
	return put_user((int)(m.len && m.type == IOMAP_MAPPED ? (m.addr + (at - m.pos)) / block : 0), (int __user *)user_ptr(arg));
}
