/* Writing back: from a byte that was changed in the cache to one that lasts.
 *
 * A dirty page is tagged in its mapping's tree (TAG_DIRTY), one that is being written has PG_WRITEBACK and TAG_WRITEBACK; its inode stands
 * on the list of its superblock's writer (struct writer), referenced.  Each device with a file system has a writer thread that sleeps until
 * something is dirty, then writes what is older than vm.dirty_expire_centisecs every vm.dirty_writeback_centisecs, and at once while more
 * than vm.dirty_background_ratio of memory is dirty; who dirties waits beyond vm.dirty_ratio.  No timer runs while all is clean. */
#pragma once
#include <fs/vfs.h>

struct bio;

enum { TAG_DIRTY, TAG_WRITEBACK, TAG_TOWRITE };		/* of an address space's tree */
enum inode_dirty { INODE_DIRTY_META = 1 /* numbers that fdatasync may leave out: times */, INODE_DIRTY_DATASYNC = 2 /* size, map */,
		   INODE_DIRTY_PAGES = 4 };

/* What a walk over dirty pages is about. */
struct write_control {
	u64 first, last;		/* page indices */
	s64 budget;			/* pages it may still write */
	bool wait;			/* for integrity (fsync): pages in flight are waited for and written again if dirty; else skipped */
	struct bio *bio;		/* the address space's: gathered, not yet submitted */
	void *private;			/* the same's */
	int err;
	u64 next;			/* out: where to go on if the budget was used up, else 0 */
};

/* page_cancel_dirty - p, locked, is about to leave the cache, and what it holds is not wanted any more. */
void page_cancel_dirty(struct page *p);

struct writer;		/* one for a superblock on a device, one for a block device's own cache */
/* writer_create - for a superblock or a block device's inode; its thread starts with the first dirty thing.  NULL: no memory.  Both may share
 * one.  An inode's pages are its own as->writer's (NULL: nobody writes them back), the inode itself that one's, or else sb->writer's.
 * writer_destroy - all is clean; the thread ends.  Context: thread, may sleep. */
struct writer *writer_create(const char *name);
void writer_destroy(struct writer *w);
/* inode_mark_dirty - what: enum inode_dirty.  On the writer's list until written; nothing for inodes without a writer (tmpfs, procfs).
 * Context: any thread; may hold inode, page and file-system locks; not under a spin lock. */
void inode_mark_dirty(struct inode *i, u32 what);
/* page_set_dirty - contents were changed and must reach the device: flag, tag, account, mark the inode.  The page is referenced, and
 * locked or otherwise kept in its mapping.  Contents first, then this.  For pages without a writer it is page_changed.
 * page_clear_dirty_for_write - page locked: makes it clean and write-protects it wherever it is mapped; true if it was dirty.
 * page_write_begin, page_write_end - PG_WRITEBACK and its tag; end wakes page_wait_writeback and may be called from irq. */
void page_set_dirty(struct page *p);
bool page_clear_dirty_for_write(struct page *p);
void page_write_begin(struct page *p);
void page_write_end(struct page *p, int status);
void page_wait_writeback(struct page *p);	/* the page is referenced, locked or not */
/* balance_dirty - called by whoever has dirtied pages of as, holding no lock but the inode's: waits while there are too many. */
void balance_dirty(struct address_space *as, u32 nr);
/* balance_dirty_fault - the same for a page that a store is about to dirty, under any sleeping locks: who has to wait does so on the way
 * back to his program. */
void balance_dirty_fault(struct address_space *as);
/* filemap_write_range - start writing the dirty pages of [start, end] (bytes).  filemap_wait_range - wait for what is in flight.
 * It returns the error that nobody was told of yet, and leaves it so.
 * filemap_start_range - only start, and pass over what is in flight already.
 * filemap_sync_range - both; returns the write error not yet told through f (errseq), and marks it told. */
int filemap_write_range(struct address_space *as, u64 start, u64 end);
int filemap_wait_range(struct address_space *as, u64 start, u64 end);
void filemap_start_range(struct address_space *as, u64 start, u64 end);
/* page_write_failed - p, in flight and about to land, could not be written and holds what must not be lost: PG_ERROR.  It stays in memory, and so does its
 * inode (while it has a name, until the file system goes).  Context: any; before page_write_end.
 * page_write_anew - p is locked and about to be written: that is seen to now.  filemap_retry - all such pages of as are dirty again.  Context: thread. */
void page_write_failed(struct page *p);
void page_write_anew(struct page *p);
void filemap_retry(struct address_space *as);
int filemap_sync_range(struct file *f, u64 start, u64 end);
/* A word of errors: error_note remembers one; error_sample is what somebody who begins to look now was told; error_check - the error that he was not
 * told yet, or 0.  mapping_set_error - writing failed: for the file (fsync), and for its filesystem (syncfs). */
void error_note(u64 *word, int err);
u64 error_sample(u64 *word);
int error_check(u64 *word, u64 *since);
void mapping_set_error(struct address_space *as, int err);
int file_error_check(struct file *f);		/* of an open file; quick if there is none */
int file_super_error_check(struct file *f);	/* the same, of its filesystem */
/* file_sync - generic fsync: pages of the range, the inode (write_inode), the device's flush; each write error once per open file. */
int file_sync(struct file *f, u64 start, u64 end, bool datasync);
/* inode_sync - its numbers, if they are dirty: written and waited for; datasync: not if only times have changed. */
int inode_sync(struct inode *i, bool datasync);
/* inode_put_unlinked - inode_put's way for an inode without a name that may be dirty: true if that was the last reference. */
bool inode_put_unlinked(struct inode *i);
/* super_write_all - all dirty inodes of sb.  wait: until they are written. */
int super_write_all(struct super *sb, bool wait);
/* super_release_inodes - sb is going: the writer lets go of its inodes, written or not.  writers_write_all - all dirty inodes of all devices. */
void super_release_inodes(struct super *sb);
int writers_write_all(bool wait);
