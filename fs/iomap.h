/* Where the bytes of a file lie: the one question that reading, writing back, direct I/O, SEEK_DATA and FIEMAP ask a file system that
 * lives on a block device.  (fs/iomap.c answers them all from it.) */
#pragma once
#include <drivers/block/block.h>

enum iomap_type { IOMAP_HOLE, IOMAP_MAPPED, IOMAP_UNWRITTEN /* reserved, reads as zero */, IOMAP_INLINE };
enum iomap_flags {
	IOMAP_WRITE = 1,	/* asked: holes are to be filled with blocks; -ENOSPC, -EDQUOT.  At least the first block, more if it is cheap */
	IOMAP_DIRECT = 2,	/* asked: for direct I/O */
	IOMAP_NEW = 4,		/* answered: these blocks were a hole a moment ago; what is not written of them must become zero */
};
struct iomap {
	u64 pos, len;		/* bytes of the file that this tells of, block aligned: pos <= asked, and pos + len > asked */
	u64 addr;		/* MAPPED, UNWRITTEN: byte address on bdev */
	u32 type, flags;
	struct block_device *bdev;
};

struct iomap_ops {
	/* map - tell about [pos, pos + len), or the first part of it.  0, -EIO, -ENOMEM, -ENOSPC.  Beyond the end of file: a hole, or blocks
	 * if IOMAP_WRITE.  Context: thread, may sleep.  Locks: the caller holds the inode's lock, or the locked page of the file that
	 * covers pos, or as->invalidate_lock; the file system's own lock guards its map.  Memory is GFP_NOIO. */
	int (*map)(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *out);
};
/* What file systems put in their tables.  iomap_aops is their address_space_ops (as->iomap set). */
extern const struct address_space_ops iomap_aops;
ssize_t iomap_file_read(struct file *f, struct iov_iter *to, u64 *pos);		/* O_DIRECT too */
ssize_t iomap_file_write(struct file *f, struct iov_iter *from, u64 *pos);	/* O_DIRECT, O_APPEND, O_SYNC too; takes the inode's lock */
s64 iomap_seek(struct file *f, s64 off, int whence);				/* SEEK_DATA and SEEK_HOLE by the map */
int iomap_fiemap(struct inode *inode, u64 arg);		/* FS_IOC_FIEMAP and FIBMAP: fs/ioctl.c calls them for files with data.iomap */
int iomap_fibmap(struct inode *inode, u64 arg);
/* iomap_zero - zero [pos, pos + len) of a file where it is not a hole: in the cache, dirty.  Inode lock held for writing; not
 * invalidate_lock, and no page. */
int iomap_zero(struct inode *inode, u64 pos, u64 len);
/* What setattr and fallocate of such a file system call, with the inode's lock held for writing; they zero what must be zero, move the size,
 * drop the pages, and call free_blocks(inode, start, end) with invalidate_lock held for writing, to free what lies wholly in [start, end) (bytes;
 * end ~0: all to the last).  Times are the caller's.  0; -EIO, -ENOMEM (some of it may be zero already,
 * no block was freed), or what free_blocks returned.
 * iomap_truncate - to shrink and to grow.  iomap_punch - a hole; the size stays. */
typedef int (*iomap_free_fn)(struct inode *inode, u64 start, u64 end);
int iomap_truncate(struct inode *inode, u64 size, iomap_free_fn free_blocks);
int iomap_punch(struct inode *inode, u64 start, u64 end, iomap_free_fn free_blocks);
/* block_iomap - a block device's inode (private: the struct block_device) as a file that is where it is: its data.iomap, so that the calls above
 * may be used on it. */
extern const struct iomap_ops block_iomap;
/* iomap_direct_read, iomap_direct_write - O_DIRECT: without the cache, straight from and to the caller's memory.  The latter with the inode's
 * (f->mapping->host's) lock held for writing, which it gives back.  -EINVAL: position, length or memory is not aligned to the device's
 * blocks; -EIOCBQUEUED: see struct kiocb. */
ssize_t iomap_direct_read(struct file *f, struct iov_iter *to, u64 *pos);
ssize_t iomap_direct_write(struct file *f, struct iov_iter *from, u64 *pos);
