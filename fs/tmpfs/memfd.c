/* memfd_create: a nameless file of memory, and its seals.
 *
 * The seals are a word in inode->private.  They are checked under the inode's lock, which is also held while a seal is added, so a
 * write or truncation either comes before the seal or sees it.  F_SEAL_WRITE asks that no shared writable mapping exists: mappings are looked for, and
 * a new one is counted after a look at the seals, under i_mmap_lock. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/tmpfs/tmpfs_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define NAME_LIMIT	249
#define ALL_SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define NO_WRITE	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static const struct file_ops memfd_fops;
static const struct inode_ops memfd_iops;
static const struct address_space_ops memfd_aops;

static u32 seals_of(const struct inode *i) { return (u32)(u64)READ_ONCE(i->private); }

static int memfd_setattr(struct inode *i, const struct iattr *a)
{
	if ((a->valid & ATTR_SIZE) && ((a->size < i->size && (seals_of(i) & F_SEAL_SHRINK)) ||
				       (a->size > i->size && (seals_of(i) & F_SEAL_GROW))))
		return -EPERM;
	return inode_setattr_generic(i, a);
}
static const struct inode_ops memfd_iops = { .setattr = memfd_setattr };

/* A write that begins within the sealed size goes as far as that: cut here, judged by memfd_may_write. */
static ssize_t memfd_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *i = f->inode;
	u64 size = i_size_read(i), at = f->flags & O_APPEND ? size : *pos;

	if ((seals_of(i) & F_SEAL_GROW) && at < size)
		from->count = min(from->count, size - at);
	return tmpfs_file_ops.write(f, from, pos);
}

/* The inode is locked. */
static int memfd_may_write(struct address_space *as, u64 pos, size_t len)
{
	u32 seals = seals_of(as->host);

	return seals & NO_WRITE || (seals & F_SEAL_GROW && pos + len > as->host->size) ? -EPERM : 0;
}

static int memfd_mmap(struct file *f, struct vma *vma)
{
	struct address_space *as = f->mapping;
	int err = tmpfs_file_ops.mmap(f, vma);

	if (err || !(vma->flags & VM_SHARED))
		return err;
	rwsem_write_lock(&as->i_mmap_lock);
	if (seals_of(f->inode) & NO_WRITE) {
		if (vma->flags & VM_WRITE)
			err = -EPERM;
		vma->flags &= ~(u32)VM_MAYWRITE;
	}
	if (!err)
		vma_link_file(vma);
	rwsem_write_unlock(&as->i_mmap_lock);
	return err;
}

int memfd_may_allocate(const struct inode *i, u32 mode, u64 end)
{
	u32 seals = i->fops == &memfd_fops ? seals_of(i) : 0;

	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) && (seals & NO_WRITE))
		return -EPERM;
	return !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size && (seals & F_SEAL_GROW) ? -EPERM : 0;
}

static int memfd_fallocate(struct file *f, u32 mode, u64 off, u64 len) { return tmpfs_file_ops.fallocate(f, mode, off, len); }

static ssize_t memfd_read(struct file *f, struct iov_iter *to, u64 *pos) { return tmpfs_file_ops.read(f, to, pos); }

static s64 memfd_seek(struct file *f, s64 off, int whence) { return tmpfs_file_ops.seek(f, off, whence); }

static int memfd_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	(void)f; (void)start; (void)end; (void)datasync;
	return 0;
}

static const struct file_ops memfd_fops = {
	.seek = memfd_seek, .read = memfd_read, .write = memfd_write, .mmap = memfd_mmap, .fallocate = memfd_fallocate, .fsync = memfd_fsync,
};

static const struct address_space_ops memfd_aops = { TMPFS_DATA_OPS, .write_begin = memfd_may_write };

long shmem_get_seals(struct file *f)
{
	return f->ops == &memfd_fops ? (long)seals_of(f->inode) : -EINVAL;
}

long shmem_add_seals(struct file *f, u32 seals)
{
	struct inode *i = f->inode;
	long err = 0;

	if (f->ops != &memfd_fops || seals & ~(u32)ALL_SEALS)
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	rwsem_write_lock(&i->data.i_mmap_lock);
	if (seals_of(i) & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && i->data.nr_writable)
		err = -EBUSY;
	else
		WRITE_ONCE(i->private, (void *)(u64)(seals_of(i) | seals));
	rwsem_write_unlock(&i->data.i_mmap_lock);
	rwsem_write_unlock(&i->lock);
	return err;
}

long sys_memfd_create(const char __user *uname, u32 flags)
{
	char name[7 + NAME_LIMIT + 1] = "/memfd:";
	struct file *f;
	ssize_t n;
	int err;

	if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	n = strncpy_from_user(name + 7, uname, NAME_LIMIT + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	err = shmem_file_create(name, 0, &f);
	if (err)
		return err;
	f->ops = &memfd_fops;
	f->inode->fops = &memfd_fops;
	f->inode->ops = &memfd_iops;
	f->inode->data.ops = &memfd_aops;
	f->inode->private = (void *)(u64)(flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL);
	f->flags |= O_LARGEFILE;
	err = fd_install_new(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
	if (err < 0)
		file_put_now(f);
	return err;
}
