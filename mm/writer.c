/* Writers: which inodes are dirty, and the threads that write them.
 *
 * Theory.  An inode that is dirty stands on a list of its writer, which holds a reference on it: so an inode whose last user has gone is
 * still there to be written, and the last put of any inode finds it clean.  The exception is a file without a name: when the list's
 * reference is the only one left, nobody can ever ask for its contents; it leaves the list with that put and is never written.
 *
 *   dirty   those that changed, the longest dirty first (dirtied_ns)
 *   io      what the thread's pass is about: it writes CHUNK pages of the first, and puts it behind the others until it is done
 *   flying  clean, but pages may be in flight: sync(2) must find them.  The thread lets them go when the last of them has landed.
 *   failed  directories with pages that could not be written and must not be forgotten: the disk still has the names that were removed, for numbers that
 *           are others' by now.  They stay in memory until a write succeeds; each sync makes the pages dirty again, and so does fsync.
 *
 * An inode that is written has INODE_WRITING, which one thread has at a time; its bits of enum inode_dirty are cleared before it is looked at,
 * and set by whoever changes it after that.  Who sets a bit that is there already does nothing, so he changes first and looks then
 * (barriers: inode_mark_dirty and inode_claim).
 *
 * Numbers written without waiting (write_inode(i, false), by the thread) lie in some buffer.  fsync must know of them, or it would
 * take the inode for clean and answer too early: such bits stay, shifted by INODE_UNSURE_SHIFT, until an fsync has waited and found no error.
 *
 * super_write_all gives itself a number, takes each inode of the superblock whose number is lower, and gives it that.  An inode that becomes
 * dirty anew gets the newest number at once, for what is written after a sync began is none of its business; so it ends however much
 * is written meanwhile.  An inode that was flying keeps its own: its pages may be what the sync has to wait for.
 *
 * The thread sleeps without a timer while nothing is dirty.  It does not exist until something was: a device that is only read costs
 * no stack.  If there is no memory for it, those who wait for it do its work. */
#include <drivers/block/block.h>
#include <fs/inode.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <mm/writer_internal.h>

#define CHUNK	4096		/* pages of one inode before it is another's turn */
#define STUCK_NS (100 * NSEC_PER_MSEC)	/* nothing could be written (no memory): tried again after that */

static DEFINE_SPINLOCK(writers_lock, LC_WRITER);	/* never with a writer's own */
static struct list_head writers = LIST_HEAD_INIT(writers);

static struct writer *writer_of(const struct inode *i)
{
	return i->data.writer ? i->data.writer : i->sb->writer;
}

/* LC_WRITER is held.  The head of the list for i now; with dirty bits it is kept, or put at the end of those that are dirty. */
static void list_dirty(struct writer *w, struct inode *i)
{
	i->dirtied_ns = clock_mono_ns();
	list_move_tail(&i->dirty_link, &w->dirty);
}

void inode_mark_dirty(struct inode *i, u32 what)
{
	struct writer *w = writer_of(i);
	bool first = false;

	if (!w)
		return;
	smp_mb();		/* the change before the look; pairs with inode_claim */
	if ((READ_ONCE(i->dirty) & what) == what)
		return;
	spin_lock(&w->lock);
	if ((i->dirty & what) != what && (!list_empty(&i->dirty_link) || refcount_inc_not_zero(&i->refs))) {
		bool was = i->dirty & INODE_DIRTY_ALL, listed = !list_empty(&i->dirty_link);

		atomic_store(&i->dirty, i->dirty | what);
		first = list_empty(&w->dirty);
		if (!listed) {
			i->wb_seq = w->sync_seq;
			i->dirtied_ns = clock_mono_ns();
			list_add_tail(&i->dirty_link, &w->dirty);
		} else if (!was && !(i->dirty & INODE_WRITING)) {
			list_dirty(w, i);		/* it was flying */
		} else {
			first = false;
		}
	}
	spin_unlock(&w->lock);
	if (first)
		writer_want(w, WANT_LOOK);
}

void inode_claim(struct writer *w, struct inode *i)
{
	spin_lock(&w->lock);
	while (i->dirty & INODE_WRITING) {
		spin_unlock(&w->lock);
		wait_event(&w->idle, !(READ_ONCE(i->dirty) & INODE_WRITING));
		spin_lock(&w->lock);
	}
	i->dirty |= INODE_WRITING;
	w->nr_claimed++;
	spin_unlock(&w->lock);
}

/* INODE_WRITING is ours: take from i's dirty bits those of what. */
static u32 take_bits(struct writer *w, struct inode *i, u32 what)
{
	u32 had;

	spin_lock(&w->lock);
	had = i->dirty & what;
	atomic_store(&i->dirty, i->dirty & ~what);
	spin_unlock(&w->lock);
	smp_mb();		/* the bits before what they are about; pairs with inode_mark_dirty */
	return had;
}

static bool has_flying(struct writer *w) { return READ_ONCE(w->flying.next) != &w->flying; }
static bool has_dirty(struct writer *w) { return READ_ONCE(w->dirty.next) != &w->dirty; }

static bool thread_wanted(struct writer *w)
{
	return atomic_load_acquire(&w->wants) || (has_flying(w) && !atomic_load(&w->nr_flying) && !READ_ONCE(w->nr_claimed)) ||
	       (has_dirty(w) && !w->stuck_ns && dirty_over_background());
}

static bool unwanted(const struct inode *i)
{
	return !READ_ONCE(i->nlink) && refcount_read(&i->refs) == 1;
}

/* w->lock held, i on a list.  Its reference is the caller's. */
static void forget(struct inode *i)
{
	list_del_init(&i->dirty_link);
	atomic_store(&i->dirty, 0u);
}

/* w->lock held, i on a list. */
static void list_failed(struct writer *w, struct inode *i)
{
	atomic_store(&i->dirty, i->dirty | INODE_FAILED);
	list_move_tail(&i->dirty_link, &w->failed);
}

bool inode_release(struct writer *w, struct inode *i)
{
	bool dirty = mapping_tagged(&i->data, TAG_DIRTY), flying = dirty || mapping_tagged(&i->data, TAG_WRITEBACK), gone = false;
	bool failed = atomic_load_acquire(&i->data.nr_failed);	/* after the look at those in flight, which count themselves before they land */

	spin_lock(&w->lock);
	w->nr_claimed--;
	i->dirty = (i->dirty & ~(u32)(INODE_WRITING | INODE_FAILED)) | (dirty ? INODE_DIRTY_PAGES : 0);
	if (list_empty(&i->dirty_link)) {
		if ((i->dirty & INODE_DIRTY_ALL || flying || failed) && refcount_inc_not_zero(&i->refs)) {
			i->wb_seq = 0;
			list_add_tail(&i->dirty_link, &w->flying);
		}
	}
	if (!list_empty(&i->dirty_link)) {
		if (unwanted(i) || !(i->dirty & INODE_DIRTY_ALL || flying || failed)) {
			u32 unsure = i->dirty & (INODE_DIRTY_ALL << INODE_UNSURE_SHIFT);

			forget(i);
			atomic_store(&i->dirty, unsure);
			gone = true;
		} else if (i->dirty & INODE_DIRTY_ALL) {
			list_dirty(w, i);
		} else if (flying) {
			list_move_tail(&i->dirty_link, &w->flying);
		} else {
			list_failed(w, i);
		}
	}
	spin_unlock(&w->lock);
	wake_up_all(&w->idle);
	if (thread_wanted(w))
		wake_up(&w->wake);
	return gone;
}

/* Write i's numbers, if bits of `what` ask for it.  INODE_WRITING is ours. */
static int write_numbers(struct writer *w, struct inode *i, u32 what, bool wait)
{
	u32 bits = take_bits(w, i, wait ? what | what << INODE_UNSURE_SHIFT : what);
	int err = 0;

	if (!bits)
		return 0;
	if (i->sb->ops && i->sb->ops->write_inode)
		err = i->sb->ops->write_inode(i, wait);
	if (err)
		mapping_set_error(&i->data, err);
	if (!wait || err) {		/* the next fsync tries again */
		bits = (bits | bits >> INODE_UNSURE_SHIFT) & INODE_DIRTY_ALL;
		spin_lock(&w->lock);
		i->dirty |= bits << INODE_UNSURE_SHIFT;
		spin_unlock(&w->lock);
	}
	return err;
}

int inode_sync(struct inode *i, bool datasync)
{
	u32 what = INODE_DIRTY_DATASYNC | (datasync ? 0 : INODE_DIRTY_META);
	struct writer *w = writer_of(i);
	int err;

	smp_mb();		/* as in inode_mark_dirty */
	if (!w || !(READ_ONCE(i->dirty) & (what | what << INODE_UNSURE_SHIFT | INODE_WRITING)))
		return 0;
	inode_claim(w, i);
	err = write_numbers(w, i, what, true);
	if (inode_release(w, i))
		inode_put(i);
	return err;
}

/* i is claimed: write up to *budget of its pages, then its numbers.  all: for integrity.  false: there is more. */
static bool write_claimed(struct writer *w, struct inode *i, s64 *budget, bool all)
{
	struct write_control wc = { .last = ~0ul >> PAGE_SHIFT, .budget = *budget, .wait = all };

	take_bits(w, i, INODE_DIRTY_PAGES);
	if (!all && i->data.wb_next) {		/* go on where the last CHUNK ended, then from the start */
		wc.first = i->data.wb_next;
		walk_pages(&i->data, &wc);
		wc.last = wc.first - 1;
		wc.first = 0;
	}
	if (wc.budget > 0)
		walk_pages(&i->data, &wc);
	if (!all)
		i->data.wb_next = wc.next;
	*budget = wc.budget;
	if (wc.budget <= 0)
		return false;
	write_numbers(w, i, INODE_DIRTY_META | INODE_DIRTY_DATASYNC, false);
	return true;
}

static void release(struct writer *w, struct inode *i)
{
	if (inode_release(w, i))
		inode_put(i);
}

/* What was dirty before `until` is for this pass. */
static void collect(struct writer *w, u64 until)
{
	spin_lock(&w->lock);
	while (!list_empty(&w->dirty)) {
		struct inode *i = list_first_entry(&w->dirty, struct inode, dirty_link);

		if (i->dirtied_ns > until)
			break;
		list_move_tail(&i->dirty_link, &w->io);
	}
	spin_unlock(&w->lock);
}

/* The first of the pass, claimed and referenced; those that nobody wants are dropped on the way.  NULL: done. */
static struct inode *next_of_pass(struct writer *w)
{
	struct inode *i, *drop;

	do {
		drop = NULL;
		spin_lock(&w->lock);
		list_for_each_entry(i, &w->io, dirty_link)
			if (!(i->dirty & INODE_WRITING))
				break;
		if (&i->dirty_link == &w->io) {
			i = NULL;
		} else if (unwanted(i)) {
			forget(i);
			drop = i;
		} else {
			inode_get(i);
			i->dirty |= INODE_WRITING;
			w->nr_claimed++;
		}
		spin_unlock(&w->lock);
		if (drop)
			inode_put(drop);
	} while (drop);
	return i;
}

/* Back among the dirty, in front: the pass ended before they were written. */
static void pass_ends(struct writer *w)
{
	spin_lock(&w->lock);
	while (!list_empty(&w->io))
		list_move(w->io.prev, &w->dirty);
	spin_unlock(&w->lock);
}

/* Behind the others of the pass, for there is more of it. */
static void goes_on(struct writer *w, struct inode *i)
{
	spin_lock(&w->lock);
	w->nr_claimed--;
	i->dirty = (i->dirty & ~INODE_WRITING) | INODE_DIRTY_PAGES;
	if (list_empty(&i->dirty_link))
		inode_get(i);
	list_move_tail(&i->dirty_link, &w->io);
	spin_unlock(&w->lock);
	wake_up_all(&w->idle);
}

/* One pass over what was dirty before `until`; background: only while too much is dirty.  Pages written. */
static u64 pass(struct writer *w, u64 until, bool background)
{
	struct block_plug plug;
	struct inode *i;
	u64 written = 0;

	block_plug(&plug);		/* small files lie side by side: their blocks go out together */
	collect(w, until);
	while ((!background || dirty_over_background()) && (i = next_of_pass(w)) != NULL) {
		s64 budget = CHUNK;
		bool done = write_claimed(w, i, &budget, false);

		written += (u64)(CHUNK - budget);
		if (done)
			release(w, i);
		else
			goes_on(w, i);
		inode_put(i);
	}
	block_unplug(&plug);
	pass_ends(w);
	return written;
}

/* All pages have landed: let go of the inodes that only waited for that. */
static void reap(struct writer *w)
{
	struct inode *i, *drop;

	do {
		drop = NULL;
		spin_lock(&w->lock);
		i = list_empty(&w->flying) || atomic_load(&w->nr_flying) ? NULL : list_first_entry(&w->flying, struct inode, dirty_link);
		if (i && i->dirty & INODE_WRITING) {
			i = NULL;		/* its writer wakes us again */
		} else if (i && unlikely(atomic_load_acquire(&i->data.nr_failed)) && !unwanted(i)) {
			list_failed(w, i);
		} else if (i) {
			list_del_init(&i->dirty_link);
			drop = i;
		}
		spin_unlock(&w->lock);
		if (drop)
			inode_put(drop);
	} while (i);
}

static void work_once(struct writer *w)
{
	u32 wants = atomic_xchg(&w->wants, 0u);
	u64 now = clock_mono_ns(), interval = dirty_interval_ns();

	if (wants & WANT_END)
		atomic_fetch_or(&w->wants, WANT_END);
	if (w->stuck_ns && now >= w->stuck_ns)
		w->stuck_ns = 0;
	if (wants & WANT_ALL)
		pass(w, now, false);
	if (!w->stuck_ns && has_dirty(w) && dirty_over_background() && !pass(w, now, true))
		w->stuck_ns = now + STUCK_NS;
	if (interval != TIME_NEVER && now >= w->next_ns && has_dirty(w)) {
		u64 expire = dirty_expire_ns();

		pass(w, now > expire ? now - expire : 0, false);
		w->next_ns = now + interval;
	}
	reap(w);
	if (wait_queue_active(&w->throttled))
		wake_up_all(&w->throttled);	/* pages may have gone without landing: errors */
}

/* When to look again if nobody calls. */
static u64 next_look(struct writer *w)
{
	u64 at = TIME_NEVER, interval = dirty_interval_ns();

	if (has_dirty(w) && interval != TIME_NEVER) {
		if (w->next_ns > clock_mono_ns() + interval || !w->next_ns)
			w->next_ns = clock_mono_ns() + interval;
		at = w->next_ns;
	}
	return w->stuck_ns ? min(at, w->stuck_ns) : at;
}

/* writer_destroy frees w when there is none, after a grace period. */
static void thread_is(struct writer *w, struct task *t)
{
	rcu_read_lock();
	spin_lock(&w->lock);
	w->thread = t;
	w->starting = false;
	spin_unlock(&w->lock);
	wake_up_all(&w->idle);
	rcu_read_unlock();
}

static void writer_thread(void *arg)
{
	struct writer *w = arg;

	current->pflags |= PF_MEMALLOC;
	thread_is(w, current);
	for (;;) {
		(void)wait_event_interruptible_timeout(&w->wake, thread_wanted(w), next_look(w));	/* idle: neither hung nor load */
		if (atomic_load(&w->wants) & WANT_END)
			break;
		work_once(w);
	}
	thread_is(w, NULL);
	kthread_exit();
}

static void start_thread(struct work *work)
{
	struct writer *w = container_of(work, struct writer, start);
	struct task *t;

	current->pflags |= PF_MEMALLOC;		/* it is there to give memory back, and brief works do not wait for that */
	t = kthread_create(writer_thread, w, w->name);
	current->pflags &= ~(u32)PF_MEMALLOC;
	if (!t)
		thread_is(w, NULL);
}

void writer_want(struct writer *w, u32 what)
{
	bool start;

	atomic_fetch_or_acq_rel(&w->wants, what);
	spin_lock(&w->lock);
	start = !w->thread && !w->starting && !(what & WANT_END);
	if (start)
		w->starting = true;
	spin_unlock(&w->lock);
	if (start)
		work_queue(&w->start);
	wake_up(&w->wake);
}

bool writer_stand_in(struct writer *w)
{
	bool none;

	spin_lock(&w->lock);
	none = !w->thread && !w->starting;
	spin_unlock(&w->lock);
	if (none)
		pass(w, clock_mono_ns(), true);
	return none;
}

void writers_want(u32 what)
{
	struct writer *w;

	spin_lock(&writers_lock);
	list_for_each_entry(w, &writers, link)
		if (atomic_load(&w->nr_dirty))
			atomic_fetch_or_acq_rel(&w->wants, what);
	list_for_each_entry(w, &writers, link)
		wake_up(&w->wake);
	spin_unlock(&writers_lock);
}

u32 writers_active(void)
{
	struct writer *w;
	u32 n = 0;

	spin_lock(&writers_lock);
	list_for_each_entry(w, &writers, link)
		n += atomic_load(&w->nr_dirty) + atomic_load(&w->nr_flying) != 0;
	spin_unlock(&writers_lock);
	return max(n, 1u);
}

struct writer *writer_create(const char *name)
{
	struct writer *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return NULL;
	spin_lock_init(&w->lock, LC_WRITER);
	list_init(&w->dirty);
	list_init(&w->io);
	list_init(&w->flying);
	list_init(&w->failed);
	w->sync_seq = 1;
	wait_queue_init(&w->wake);
	wait_queue_init(&w->idle);
	wait_queue_init(&w->throttled);
	work_init_as(&w->start, WORK_BRIEF, start_thread);
	snprintf(w->name, sizeof(w->name), "writer/%s", name);
	spin_lock(&writers_lock);
	list_add_tail(&w->link, &writers);
	spin_unlock(&writers_lock);
	return w;
}

static bool thread_gone(struct writer *w)
{
	bool gone;

	spin_lock(&w->lock);
	gone = !w->thread && !w->starting;
	spin_unlock(&w->lock);
	return gone;
}

static void release_inodes(struct writer *w, const struct super *sb);

void writer_destroy(struct writer *w)
{
	reap(w);
	writer_want(w, WANT_END);
	wait_event(&w->idle, thread_gone(w));
	spin_lock(&writers_lock);
	list_del(&w->link);
	spin_unlock(&writers_lock);
	wait_event(&w->idle, !READ_ONCE(w->users));
	release_inodes(w, NULL);	/* of a disk that was pulled out: nobody can write them any more */
	ASSERT(list_empty(&w->dirty) && list_empty(&w->io) && list_empty(&w->flying) && list_empty(&w->failed));
	synchronize_rcu();		/* page_write_end may still look at it */
	kfree(w);
}

static bool is_for(const struct inode *i, const struct super *sb, u32 seq) { return (!sb || i->sb == sb) && i->wb_seq < seq; }

/* w->lock held.  The first of list that is for that sync.  Those before it are not, and would be passed again by each look; there are few
 * among the dirty ones, and those that fly, whose order means nothing, go to the end. */
static struct inode *find_for(struct writer *w, struct list_head *list, const struct super *sb, u32 seq)
{
	struct list_head *pos = list->next, *next, *passed = NULL;

	for (; pos != list && pos != passed; pos = next) {
		struct inode *i = container_of(pos, struct inode, dirty_link);
		bool found = is_for(i, sb, seq);

		next = pos->next;
		if (list == &w->flying) {
			list_move_tail(pos, list);
			passed = passed ? passed : pos;
		}
		if (found)
			return i;
	}
	return NULL;
}

/* An inode of sb (NULL: of any) whose number is below seq, which it gets; referenced. */
static struct inode *pick(struct writer *w, const struct super *sb, u32 seq)
{
	struct inode *i;

	spin_lock(&w->lock);
	i = find_for(w, &w->dirty, sb, seq);
	i = i ? i : find_for(w, &w->io, sb, seq);
	i = i ? i : find_for(w, &w->flying, sb, seq);
	i = i ? i : find_for(w, &w->failed, sb, seq);
	if (i) {
		i->wb_seq = seq;
		inode_get(i);
	}
	spin_unlock(&w->lock);
	return i;
}

static u32 new_seq(struct writer *w)
{
	u32 seq;

	spin_lock(&w->lock);
	seq = ++w->sync_seq;
	spin_unlock(&w->lock);
	return seq;
}

/* What could not be written of sb's directories is dirty again. */
static void retry_failed(struct writer *w, const struct super *sb)
{
	u32 seq = new_seq(w);
	struct inode *i;

	do {
		spin_lock(&w->lock);
		i = find_for(w, &w->failed, sb, seq);
		if (i) {
			i->wb_seq = seq;
			inode_get(i);
		}
		spin_unlock(&w->lock);
		if (i) {
			filemap_retry(&i->data);
			inode_put(i);
		}
	} while (i);
}

static int write_and_wait(struct writer *w, const struct super *sb)
{
	u32 seq;
	struct block_plug plug;
	struct inode *i;
	int err = 0;

	if (unlikely(READ_ONCE(w->failed.next) != &w->failed))
		retry_failed(w, sb);
	seq = new_seq(w);
	block_plug(&plug);		/* as in pass() */
	while ((i = pick(w, sb, seq)) != NULL) {
		s64 budget = ALL_PAGES;

		inode_claim(w, i);
		write_claimed(w, i, &budget, true);
		release(w, i);
		inode_put(i);
	}
	block_unplug(&plug);
	seq = new_seq(w);
	while ((i = pick(w, sb, seq)) != NULL) {
		int e;

		wait_event(&w->idle, !(READ_ONCE(i->dirty) & INODE_WRITING));
		e = filemap_wait_range(&i->data, 0, ~0ull);
		if (!err)
			err = e;
		inode_put(i);
	}
	reap(w);
	return err;
}

int super_write_all(struct super *sb, bool wait)
{
	if (!sb->writer)
		return 0;
	if (wait)
		return write_and_wait(sb->writer, sb);
	writer_want(sb->writer, WANT_ALL);
	return 0;
}

/* release_inodes - those of sb (NULL: of any) that are on w's lists for anything are taken off, unwritten. */
static void release_inodes(struct writer *w, const struct super *sb)
{
	u32 seq = new_seq(w);
	struct inode *i;

	while ((i = pick(w, sb, seq)) != NULL) {
		inode_claim(w, i);
		spin_lock(&w->lock);
		w->nr_claimed--;
		i->dirty &= ~(u32)INODE_WRITING;
		if (!list_empty(&i->dirty_link)) {
			forget(i);
			refcount_dec_and_test(&i->refs);	/* the list's; ours is left */
		}
		spin_unlock(&w->lock);
		wake_up_all(&w->idle);
		inode_put(i);
	}
}

void super_release_inodes(struct super *sb)
{
	if (sb->writer)
		release_inodes(sb->writer, sb);
}

static u32 round;		/* [writers_lock] */

/* A writer that this round has not seen; held. */
static struct writer *next_writer(u32 this_round)
{
	struct writer *w, *found = NULL;

	spin_lock(&writers_lock);
	list_for_each_entry(w, &writers, link)
		if (w->round < this_round) {
			w->round = this_round;
			w->users++;
			found = w;
			break;
		}
	spin_unlock(&writers_lock);
	return found;
}

int writers_write_all(bool wait)
{
	struct writer *w;
	u32 this_round;
	int err = 0;

	if (!wait) {
		writers_want_all();
		return 0;
	}
	spin_lock(&writers_lock);
	this_round = ++round;
	spin_unlock(&writers_lock);
	while ((w = next_writer(this_round)) != NULL) {
		int e = write_and_wait(w, NULL);

		if (!err)
			err = e;
		rcu_read_lock();
		spin_lock(&writers_lock);
		w->users--;
		spin_unlock(&writers_lock);
		wake_up_all(&w->idle);
		rcu_read_unlock();
	}
	return err;
}

bool inode_put_unlinked(struct inode *i)
{
	struct writer *w = writer_of(i);
	bool drop = false;

	if (!w)
		return refcount_dec_and_test(&i->refs);
	spin_lock(&w->lock);
	if (!list_empty(&i->dirty_link) && !(i->dirty & INODE_WRITING) && refcount_read(&i->refs) == 2) {
		forget(i);
		drop = true;
	}
	if (drop)
		refcount_dec_and_test(&i->refs);	/* the list's */
	drop = refcount_dec_and_test(&i->refs);
	spin_unlock(&w->lock);
	return drop;
}
