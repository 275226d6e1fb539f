/* How much memory may be dirty: the limits of /proc/sys/vm, and who waits.
 *
 * Theory.  Dirty pages cannot be given back at once, so there must not be too many.  Counted against the memory that could be dirty (what
 * is free, and the page cache that has a store): above dirty_background_ratio of it the writers write without regard to age; above
 * dirty_ratio, pages in flight included, whoever dirties waits.  A number of bytes may stand in place of either ratio; setting one
 * makes the other 0, as on Linux.
 *
 * Who waits is let go in the order of coming, a few for every LANDED pages that reach the device, and may dirty FREE_RIDE pages before he
 * is asked again: so all together dirty at the speed of the device, a single one reaches it, for the device always has a queue; and who
 * writes a line now and then is not asked at all.  With several devices, only he waits whose device has more than its share of what is dirty.
 */
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <mm/vmstat.h>
#include <mm/writer_internal.h>

#define FREE_RIDE	32u	/* pages a task dirties between two looks at the limit */
#define RETRY_NS	(100 * NSEC_PER_MSEC)	/* should a page go without landing */
#define LANDED		16u	/* pages in flight that land before somebody who waits is woken */

static u64 dirty_ratio = 20, background_ratio = 10, dirty_bytes, background_bytes;
static u64 expire_cs = 3000, interval_cs = 500;

static u64 dirtyable(void)
{
	u64 file = vmstat_read(VM_FILE_PAGES), shmem = vmstat_read(VM_SHMEM_PAGES);

	return page_nr_free() + (file > shmem ? file - shmem : 0);
}

static u64 limit_pages(void)
{
	u64 bytes = READ_ONCE(dirty_bytes);

	return max(bytes ? bytes >> PAGE_SHIFT : dirtyable() * READ_ONCE(dirty_ratio) / 100, (u64)FREE_RIDE);
}

static u64 background_pages(void)
{
	u64 bytes = READ_ONCE(background_bytes), limit = limit_pages();
	u64 n = bytes ? bytes >> PAGE_SHIFT : dirtyable() * READ_ONCE(background_ratio) / 100;

	return n < limit ? n : limit / 2;	/* as on Linux, where both are set so that nobody would write */
}

bool dirty_over_background(void)
{
	u64 dirty = vmstat_read(VM_DIRTY_PAGES);

	return dirty && dirty > background_pages();
}

bool dirty_over_limit(const struct writer *w)
{
	u64 own = w ? atomic_load(&w->nr_dirty) + atomic_load(&w->nr_flying) : 0, limit;

	if (w && !own)
		return false;
	limit = limit_pages();
	return vmstat_read(VM_DIRTY_PAGES) + vmstat_read(VM_WRITEBACK_PAGES) > limit && (!w || own > limit / writers_active());
}

u64 dirty_expire_ns(void) { return READ_ONCE(expire_cs) * (10 * NSEC_PER_MSEC); }

u64 dirty_interval_ns(void)
{
	u64 cs = READ_ONCE(interval_cs);

	return cs ? cs * (10 * NSEC_PER_MSEC) : TIME_NEVER;
}

/* Sleep until some of w's pages have landed, as long as too many are dirty. */
static void wait_for_landing(struct writer *w)
{
	struct wait_entry we;

	wait_entry_init(&we);
	we.exclusive = true;
	prepare_to_wait(&w->throttled, &we, TASK_KILLABLE);
	if (dirty_over_limit(w) && !wait_check(TASK_KILLABLE, TIME_NEVER))
		wait_sleep(TIME_NEVER);
	finish_wait(&w->throttled, &we);
}

void balance_dirty(struct address_space *as, u32 nr)
{
	struct writer *w = as->writer;

	if (!w || (current->nr_dirtied += nr) < FREE_RIDE)
		return;
	current->nr_dirtied = 0;
	if (likely(!dirty_over_background()) || current->pflags & PF_MEMALLOC)	/* who writes for others must not wait for them */
		return;
	writer_want(w, WANT_LOOK);
	sched_io_begin();
	while (dirty_over_limit(w) && !fatal_signal_pending(current))
		if (!writer_stand_in(w))
			wait_for_landing(w);
	sched_io_end();
}

/* No locks, on the way to EL0.  The file may be gone, so the limit is the only judge. */
static void throttle(struct task_work *work)
{
	(void)work;
	current->throttle_queued = false;
	sched_io_begin();
	while (dirty_over_limit(NULL) && !fatal_signal_pending(current)) {
		u64 written = vmstat_read(VM_WRITTEN);

		writers_want(WANT_LOOK);
		wait_event_timeout(&pages_written, vmstat_read(VM_WRITTEN) != written, clock_mono_ns() + RETRY_NS);
	}
	sched_io_end();
}

void balance_dirty_fault(struct address_space *as)
{
	if (!as->writer || ++current->nr_dirtied < FREE_RIDE || current->pflags & PF_KTHREAD)
		return;
	current->nr_dirtied = 0;
	if (likely(!dirty_over_background()) || current->throttle_queued)
		return;
	writer_want(as->writer, WANT_LOOK);
	current->throttle_queued = task_work_add(current, &current->throttle_work, throttle);
}

void writer_pages_landed(struct writer *w, u32 nr)
{
	u64 landed = atomic_add_return(&w->nr_landed, (u64)nr);
	bool last = atomic_sub_return_acq_rel(&w->nr_flying, (u64)nr) == 0;

	if (last && wait_queue_active(&w->wake))
		wake_up(&w->wake);
	if (unlikely(wait_queue_active(&pages_written)))
		wake_up_all(&pages_written);
	if (!wait_queue_active(&w->throttled))
		return;
	if (last)
		wake_up_all(&w->throttled);
	else if (!(landed % LANDED))
		wake_up(&w->throttled);
}

/* A ratio and its number of bytes: the one that is written last holds. */
struct knob { u64 *value, *other; u64 min, max; };
static const struct knob knobs[] = {
	{ &dirty_ratio, &dirty_bytes, 0, 100 }, { &background_ratio, &background_bytes, 0, 100 },
	{ &dirty_bytes, &dirty_ratio, 2 * PAGE_SIZE, ALL_PAGES }, { &background_bytes, &background_ratio, 1, ALL_PAGES },
};

static int knob_write(const char *buf, size_t len, void *arg)
{
	const struct knob *k = arg;
	struct sysctl line = { .value = k->value, .min = (s64)k->min, .max = (s64)k->max };
	int err = sysctl_write(buf, len, &line);

	if (!err)
		*k->other = 0;
	return err;
}

static int knob_show(struct seq *s, void *arg)
{
	const struct knob *k = arg;
	struct sysctl line = { .value = k->value, .max = ALL_PAGES };

	return sysctl_show(s, &line);
}

#define KNOB(name, n) PROC_FILE(name, .path = "sys/vm/" #name, .mode = 0644, .show = knob_show, .write = knob_write, .arg = (void *)&knobs[n])
KNOB(dirty_ratio, 0);
KNOB(dirty_background_ratio, 1);
KNOB(dirty_bytes, 2);
KNOB(dirty_background_bytes, 3);
SYSCTL(dirty_expire, "vm/dirty_expire_centisecs", .value = &expire_cs, .max = 0x7fffffff);

static const struct sysctl interval_line = { .value = &interval_cs, .max = 0x7fffffff };

static int interval_write(const char *buf, size_t len, void *arg)
{
	int err = sysctl_write(buf, len, arg);

	if (!err)
		writers_want(WANT_LOOK);	/* those who sleep by the old number */
	return err;
}
PROC_FILE(dirty_interval, .path = "sys/vm/dirty_writeback_centisecs", .mode = 0644, .show = sysctl_show, .write = interval_write,
	  .arg = (void *)&interval_line);
