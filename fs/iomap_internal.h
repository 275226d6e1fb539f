/* Between the files of iomap only. */
#pragma once
#include <fs/iomap.h>

/* iomap_at - have *m tell about pos: kept if it does already (m->len 0: it never does), else asked for.  As iomap_ops.map. */
int iomap_at(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *m);
int iomap_mkwrite(struct address_space *as, struct page *page);
/* iomap_direct_wait - until no direct I/O of the inode's is in flight; its lock is held for writing, so that no other begins. */
void iomap_direct_wait(struct inode *inode);
ssize_t iomap_write_buffered(struct inode *inode, struct iov_iter *from, u64 *pos);
void iomap_size_grows(struct inode *inode, u64 size);	/* its lock held for writing; what lies before size is there */
