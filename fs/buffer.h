/* Buffers: a file system's view of its metadata, blocks of 512 bytes to 4 KiB in the page cache of the block device.
 *
 * Each page of a block device's cache has, in page->private, one bit a 512-byte sector that says it is up to date and one that says it is
 * dirty; so a page may hold metadata beside blocks that belong to a file (whose own cache is elsewhere), and only the blocks that were
 * changed through here are ever read or written.  A buffer is a reference on such a page with a pointer to its block: cheap, no memory of
 * its own.  What a program reads from /dev/vda is the same page. */
#pragma once
#include <drivers/block/block.h>

struct buffer { struct page *page; void *data; u64 block; u32 size; };

/* buffer_read - the block, read if it is not in the cache.  0; -EIO (beyond the device too), -ENOMEM.  buffer_get - the same without
 * reading: for who will overwrite all of it; it counts as up to date, and is zero if it was not in the cache.  size: power of two, 512 to
 * 4096.  On error b is empty.  Context: thread, may sleep.  Locks: none of the page cache's of the same device.
 * Refs: buffer_put gives it back (an empty b is allowed). */
int __must_check buffer_read(struct block_device *bdev, u64 block, u32 size, struct buffer *b);
int __must_check buffer_get(struct block_device *bdev, u64 block, u32 size, struct buffer *b);
void buffer_put(struct buffer *b);
/* buffer_find - the same if it is in the cache and up to date: 0; 1: it is not, b is empty; -EIO: beyond the device. */
int __must_check buffer_find(struct block_device *bdev, u64 block, u32 size, struct buffer *b);
/* buffer_cached - is it up to date in the cache?  A hint: it may have gone when you ask for it. */
bool buffer_cached(struct block_device *bdev, u64 block, u32 size);
/* buffer_dirty - it was changed (under the file system's own lock): written back by and by.
 * buffer_write - write it now if it is dirty, and wait: 0, or -EIO if this or an earlier write of it failed.  buffer_write_start,
 * buffer_write_wait - the same in two halves, so that many go to the device at once.
 * buffers_readahead - start reading nr blocks (a hint: may do nothing).
 * buffers_forget - blocks that are metadata no more (to be freed; they may become a file's): not dirty any longer, not to be written, and
 * read anew the next time; waits for a write in flight. */
void buffer_dirty(struct buffer *b);
int buffer_write(struct buffer *b);
void buffer_write_start(struct buffer *b);
int buffer_write_wait(struct buffer *b);
void buffers_readahead(struct block_device *bdev, u64 block, u32 nr, u32 size);
void buffers_forget(struct block_device *bdev, u64 block, u64 nr, u32 size);
/* buffers_sync - write all dirty blocks of the device, and those that could not be written before, and wait: 0: they are all written.  No flush
 * of the device. */
int buffers_sync(struct block_device *bdev);

/* The address space operations of a block device's inode: bdev->inode->data.ops.  Its inode->private is the block_device. */
extern const struct address_space_ops buffer_aops;
