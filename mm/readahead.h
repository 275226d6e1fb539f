/* Read-ahead: filling the page cache before somebody waits for it.  Theory: mm/readahead.c. */
#pragma once
#include <mm/filemap.h>

struct file;

/* What an open file remembers of how it is read (struct file.ra).  Only hints: read and written without a lock, by whoever reads.  Page
 * indices are cut to 32 bits. */
struct file_ra {
	u32 start;			/* the last window: pages [start, start + size) */
	u32 prev;			/* where the last look that missed was */
	u16 size;			/* pages; 0: no window yet */
	u16 async;			/* how many of them lie behind its mark */
	u16 misses;			/* of mapped accesses, less those that hit */
	u16 mode;			/* enum ra_mode */
};
enum ra_mode { RA_NORMAL, RA_RANDOM, RA_SEQUENTIAL };	/* as posix_fadvise said */

/* readahead_miss - index is not in the cache; nr pages are wanted: start reading them and what will be wanted next.
 * readahead_mark - page bore PG_READAHEAD, and somebody came by: start the next window.
 * readahead_fault - as readahead_miss, for a program that touched a mapping; vm_flags its VMA's.
 * readahead_range - start reading what is missing of nr pages from index on, at most a quarter of all memory; stops when memory
 * is short or current is killed.
 * Context: thread, may sleep; no page locked, invalidate_lock not held.  Nothing is promised: who needs the page looks again. */
void readahead_miss(struct file *f, u64 index, u64 nr);
void readahead_mark(struct file *f, struct page *page, u64 nr);
void readahead_fault(struct file *f, u64 index, u32 vm_flags);
void readahead_range(struct address_space *as, u64 index, u64 nr);
