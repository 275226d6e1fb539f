/* Between mm/writeback.c, mm/writer.c and mm/dirty.c only. */
#pragma once
#include <kernel/irq/irq.h>
#include <kernel/sync/spinlock.h>
#include <kernel/sync/wait.h>
#include <mm/writeback.h>

/* More of inode->dirty. */
enum {
	INODE_DIRTY_ALL = INODE_DIRTY_META | INODE_DIRTY_DATASYNC | INODE_DIRTY_PAGES,
	INODE_WRITING = 0x100,		/* somebody writes its numbers, or the writer walks its pages */
	INODE_FAILED = 0x200,		/* on the list of that name */
	INODE_UNSURE_SHIFT = 12,	/* META and DATASYNC, shifted: written, but not waited for: fsync writes them again */
};

struct writer {
	struct spinlock lock;		/* LC_WRITER */
	struct list_head dirty;		/* [lock] inodes, those dirty longest first */
	struct list_head io;		/* [lock] of these the thread is writing the pages now, a part of each after the other */
	struct list_head flying;	/* [lock] nothing dirty any more, but perhaps pages in flight */
	struct list_head failed;	/* [lock] nothing dirty or in flight, but pages that could not be written */
	u32 sync_seq;			/* [lock] rises with each super_write_all */
	u32 wants;			/* [a] WANT_* */
	struct task *thread;		/* [lock] started with the first dirty thing */
	bool starting;			/* [lock] */
	u64 next_ns;			/* [thread] the next periodic pass */
	u32 nr_claimed;			/* [lock] inodes with INODE_WRITING */
	u64 stuck_ns;			/* [thread] a pass wrote nothing: leave it alone until then */
	struct wait_queue wake;		/* the thread */
	struct wait_queue idle;		/* who waits for INODE_WRITING to go, or for the thread to end */
	struct wait_queue throttled;	/* who has dirtied too much */
	u64 nr_dirty, nr_flying;	/* [a] pages */
	u64 nr_landed;			/* [a] pages written, ever */
	struct list_head link;		/* [writers_lock] */
	u32 users;			/* [writers_lock] writers_write_all looks at it */
	u32 round;			/* [writers_lock] the writers_write_all that has seen to it */
	struct work start;
	char name[16];
};
enum { WANT_ALL = 1 /* write everything that is dirty now */, WANT_LOOK = 2 /* something became dirty: look at the clock */, WANT_END = 4 };

/* writer_want - ask the thread, starting it if need be.  Context: any thread; spin locks below LC_WRITER.
 * writers_want - of all devices that have something dirty; writers_want_all - to write it. */
void writer_want(struct writer *w, u32 what);
void writers_want(u32 what);
static inline void writers_want_all(void) { writers_want(WANT_ALL); }
/* writer_stand_in - if w has no thread for lack of memory, do what it would do now; false: it has one. */
bool writer_stand_in(struct writer *w);
extern struct wait_queue pages_written;	/* mm/reclaim.c: woken as pages land */
/* writer_pages_landed - nr pages of w's were written.  Context: any. */
void writer_pages_landed(struct writer *w, u32 nr);
/* dirty_over_background, dirty_over_limit - does w have to write; must who dirties for w (NULL: any) wait?  Context: any. */
bool dirty_over_background(void);
bool dirty_over_limit(const struct writer *w);
u64 dirty_expire_ns(void), dirty_interval_ns(void);	/* the latter TIME_NEVER if the periodic pass is off */
u32 writers_active(void);				/* writers with something dirty, at least 1 */

/* walk_pages - see mm/writeback.c; wc->budget left. */
int walk_pages(struct address_space *as, struct write_control *wc);
bool mapping_tagged(struct address_space *as, u32 tag);
#define ALL_PAGES ((s64)(~0ull >> 1))
/* inode_claim - INODE_WRITING, when nobody has it; inode_release - gives it back, and puts the inode on the list where it belongs; true:
 * the list's reference is the caller's now (put it without locks). */
void inode_claim(struct writer *w, struct inode *i);
bool inode_release(struct writer *w, struct inode *i);
