/* Between the files of iomap only. */
#pragma once
#include <fs/iomap.h>

/* iomap_at - have *m tell about pos: kept if it does already (m->len 0: it never does), else asked for.  As iomap_ops.map. */
int iomap_at(struct inode *inode, u64 pos, u64 len, u32 flags, struct iomap *m);
int iomap_mkwrite(struct address_space *as, struct page *page);
