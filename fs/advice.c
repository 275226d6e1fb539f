/* Advice about files: posix_fadvise(2), readahead(2). */
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <linux/fadvise.h>
#include <mm/readahead.h>
#include <mm/writeback.h>
#include <syscall_protos.h>

long sys_readahead(int fd, s64 off, size_t count)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err = 0;

	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_READ))
		err = -EBADF;
	else if ((s64)count < 0 || !f->mapping || !(inode_is_reg(f->inode) || MODE_IS(READ_ONCE(f->inode->mode), S_IFBLK)))
		err = -EINVAL;
	else if (off >= 0)		/* before the beginning there is nothing */
		readahead_range(f->mapping, (u64)off >> PAGE_SHIFT, DIV_ROUND_UP(((u64)off & (PAGE_SIZE - 1)) + count, PAGE_SIZE));
	fdref_put(f, ref);
	return err;
}

/* Pages wholly in [off, end) go if nobody uses them and they are clean; what is dirty is written first.  The last page of the file counts as
 * whole. */
static void dont_need(struct address_space *as, u64 off, u64 end)
{
	u64 first = DIV_ROUND_UP(off, PAGE_SIZE), stop = end >= i_size_read(as->host) ? DIV_ROUND_UP(end, PAGE_SIZE) : end >> PAGE_SHIFT;

	if (!as->ops || !as->ops->read_page)
		return;			/* memory is all there is */
	filemap_write_range(as, off, end - 1);
	if (first < stop)
		filemap_discard(as, first, stop - 1);
}

static int advise(struct file *f, u64 off, u64 len, int advice)
{
	u64 end = len && off + len > off ? off + len : ~0ul >> 1;

	switch (advice) {
	case POSIX_FADV_NORMAL:
		WRITE_ONCE(f->ra.mode, RA_NORMAL);
		break;
	case POSIX_FADV_RANDOM:
		WRITE_ONCE(f->ra.mode, RA_RANDOM);
		break;
	case POSIX_FADV_SEQUENTIAL:
		WRITE_ONCE(f->ra.mode, RA_SEQUENTIAL);
		break;
	case POSIX_FADV_WILLNEED:
		readahead_range(f->mapping, off >> PAGE_SHIFT, DIV_ROUND_UP(end, PAGE_SIZE) - (off >> PAGE_SHIFT));
		break;
	case POSIX_FADV_DONTNEED:
		dont_need(f->mapping, off, end);
		break;
	case POSIX_FADV_NOREUSE:
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

long sys_fadvise64(int fd, s64 off, s64 len, int advice)
{
	u32 ref;
	struct file *f = fdref_get(fd, &ref);
	long err = 0;

	if (!f)
		return -EBADF;
	if (MODE_IS(READ_ONCE(f->inode->mode), S_IFIFO))
		err = -ESPIPE;
	else if (len < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE)
		err = -EINVAL;
	else if (f->mapping && off >= 0 && (inode_is_reg(f->inode) || MODE_IS(READ_ONCE(f->inode->mode), S_IFBLK)))
		err = advise(f, (u64)off, (u64)len, advice);
	fdref_put(f, ref);
	return err;
}
