/* Reclaim.
 *
 * Theory.  What can be given back: pages of files that can be read again (mm/lru.c); objects that caches keep unused (a SHRINKER each;
 * dentries today, and inodes with them); memory already freed that waits for an RCU grace period or for a flush of the kernel's
 * translations; and stocks that make allocation quick: a spare slab of each cache, and each CPU's magazines, page tables, kernel stacks and
 * single pages.  Pages of
 * programs and of tmpfs can go where there is swap (mm/swap_out.c), and only there.
 *
 * Three ways lead here, each allowed more than the one before:
 *
 *   page_alloc    (reclaim_some) under any sleeping locks: clean pages only, by trying locks.  If there are none but some are dirty, it asks
 *                 the writers and waits until a page has landed, but never long: what they need may be locked by who waits.
 *                 GFP_NOIO callers, whom a writer may wait for, do not wait at all.
 *   the thread    holds no lock: woken when less than twice the reserve is free, it goes on until four times the reserve is, and lets
 *                 caches shrink as well.  It exists from the first time there is something for it; without disks there never is.
 *   reclaim()     before the OOM killer, in a fault and in clone, no locks held: all of the above, grace periods, and the stocks.
 *
 * Nobody here writes files: the writers do, in the order of the files and in large runs, and mm/dirty.c keeps them in time, so clean pages
 * abound as a rule.  To let go of inodes in page_alloc was rejected: the last put sleeps and takes locks.
 *
 * Each CPU's stocks are its own, used with interrupts off and without a lock; so they are drained by a call to each CPU, which is dear
 * (it wakes idle ones), and done only here and when the page allocator finds nothing at all.
 */
#include <arch/smp.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <kernel/irq/irq.h>
#include <kernel/time/time.h>
#include <mm/lru.h>
#include <mm/page_internal.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <mm/vmstat.h>
#include <mm/writer_internal.h>

#define AT_ONCE 256
#define OBJECTS 16		/* dentries for each THREAD_BATCH of pages */
#define THREAD_BATCH 128
#define THREAD_TRIES 20
#define WAIT_TRIES 16		/* for somebody who needs memory now */
#define WAIT_NS (100 * NSEC_PER_MSEC)
#define MOMENT_NS (10 * NSEC_PER_MSEC)
#define ENOUGH 512		/* pages, before the OOM killer is asked */

DEFINE_WAIT_QUEUE(pages_written);	/* who waits for clean pages */

static void shrink_caches(void)
{
	for (const struct shrinker *s = __shrinkers_start; s < __shrinkers_end; s++)
		while (s->shrink(AT_ONCE))
			;
}

static void drain_pages(void *arg)
{
	(void)arg;
	page_trim();
}

void pages_drain(void)
{
	smp_call(atomic_load(&cpu_online_mask), drain_pages, NULL);
}

static void drain_cpu(void *stacks)
{
	kstack_trim_cpu(stacks);
	pt_trim();
	slab_trim_cpu();
	page_trim();
}

void stocks_drain(void)
{
	void *stacks = NULL;

	smp_call(atomic_load(&cpu_online_mask), drain_cpu, &stacks);
	kstack_release_list(stacks);
	vmalloc_purge();
	slab_trim();
	pages_drain();
}

static u64 landed(void) { return vmstat_read(VM_WRITTEN) + vmstat_read(VM_SWAPPED_OUT); }

/* Wait until something has been written, or a moment has passed.  false: nothing is to be written. */
static bool wait_for_writers(u64 ns)
{
	u64 before = landed(), until = clock_mono_ns() + ns;
	bool dirty = vmstat_read(VM_DIRTY_PAGES);

	if (!dirty && !vmstat_read(VM_WRITEBACK_PAGES) && !swap_in_flight())
		return false;
	if (dirty)
		writers_want_all();
	wait_event_timeout(&pages_written, landed() != before || (!swap_in_flight() && !vmstat_read(VM_DIRTY_PAGES)), until);
	return true;
}

/* For who may not take pages from programs himself: the thread does, if there is a slot for them.  Wait a moment for it. */
static bool wait_for_thread(u64 ns)
{
	u64 before = landed();

	if (!swap_can_help())
		return false;
	wait_event_timeout(&pages_written, landed() != before, clock_mono_ns() + ns);
	return true;
}

/* Is there anything that may be given back? */
static bool something_there(void) { return lru_pages(LRU_INACTIVE) || lru_pages(LRU_ACTIVE) || swap_can_help(); }

/* From files and from programs, in proportion to what there is of both, weighed by vm.swappiness. */
static u64 shrink_pages(u64 want)
{
	u64 s, anon, file, share, got;

	if (likely(!swap_can_help()))
		return lru_shrink(want);
	s = READ_ONCE(swap_swappiness);
	anon = s * (vmstat_read(VM_ANON_PAGES) + vmstat_read(VM_SHMEM_PAGES));
	file = (200 - s) * (lru_pages(LRU_INACTIVE) + lru_pages(LRU_ACTIVE));
	share = anon + file ? want * anon / (anon + file) : want;
	got = lru_shrink(want - share);
	if (share || !got)
		got += swap_out(got ? share : want);
	return got;
}

bool reclaim_some(u64 nr, u32 gfp, u32 tries)
{
	bool nested, any;

	if (!something_there())
		return false;
	nested = psi_memstall_begin();
	current->pflags |= PF_MEMALLOC;
	any = lru_shrink(nr) || swap_free_clean(nr);
	current->pflags &= ~(u32)PF_MEMALLOC;
	if (any) {
		vmstat_add(VM_DIRECT_RECLAIMS, 1);
	} else {
		reclaim_wake();
		any = !(gfp & GFP_NOIO) && tries < WAIT_TRIES && (wait_for_writers(WAIT_NS) || wait_for_thread(WAIT_NS));
	}
	psi_memstall_end(nested);
	return any;
}

/* --- the thread --- */

static struct { struct spinlock lock; bool started; u32 wanted; struct wait_queue wq; struct work start; } thread = {
	.lock = SPINLOCK_INIT(LC_LRU), .wq = WAIT_QUEUE_INIT(thread.wq),
};

/* Until enough is free again, or nothing more can be had.  Objects that point to pages go in proportion: as large a part of the dentries, and
 * inodes with them, as of the pages. */
static void balance_memory(void)
{
	for (u32 vain = 0; page_memory_low() && vain < THREAD_TRIES; ) {
		u64 got = shrink_pages(THREAD_BATCH);

		for (const struct shrinker *s = __shrinkers_start; s < __shrinkers_end; s++)
			s->shrink(got ? OBJECTS : AT_ONCE);
		if (got)
			vain = 0;
		else if (vain++, !wait_for_writers(WAIT_NS))
			break;
	}
}

static void reclaim_thread(void *arg)
{
	(void)arg;
	current->pflags |= PF_MEMALLOC;
	for (;;) {
		(void)wait_event_interruptible(&thread.wq, atomic_xchg(&thread.wanted, 0u));	/* idle: neither hung nor load */
		balance_memory();
	}
}

static void start_thread(struct work *work)
{
	struct task *t;

	(void)work;
	current->pflags |= PF_MEMALLOC;		/* it is there to give memory back: the last pages are well spent on it */
	t = kthread_create(reclaim_thread, NULL, "reclaim");
	current->pflags &= ~(u32)PF_MEMALLOC;
	if (!t) {
		atomic_store(&thread.started, false);
		atomic_store(&thread.wanted, 0u);	/* who asks next tries again */
	}
}

void reclaim_wake(void)
{
	if (!something_there() || atomic_load(&thread.wanted))
		return;
	atomic_store_release(&thread.wanted, 1u);
	if (unlikely(!atomic_load(&thread.started)) && atomic_cas(&thread.started, false, true)) {
		work_init_as(&thread.start, WORK_BRIEF, start_thread);
		work_queue(&thread.start);
	}
	wake_up(&thread.wq);
}

/* All clean pages that can go, and some time for what is dirty.  Where there is swap, a page may only just now not go, because somebody
 * is changing his address space or has it locked: so some time for that too. */
static u64 shrink_patiently(void)
{
	u64 got = 0;

	for (u32 vain = 0; !got && vain < WAIT_TRIES; vain++) {
		got = shrink_pages(ENOUGH);
		if (got || wait_for_writers(WAIT_NS))
			continue;
		if (!swap_can_help())
			break;
		sleep_ns(MOMENT_NS);
	}
	return got;
}

u64 reclaim(void)
{
	u64 before = page_nr_free(), after, got;
	bool nested;

	might_sleep();
	nested = psi_memstall_begin();
	shrink_caches();
	got = shrink_patiently();
	rcu_barrier();
	stocks_drain();
	after = page_nr_free();
	psi_memstall_end(nested);
	return max(got, after > before ? after - before : 0);	/* others may have taken what was freed */
}

/* 1: pages of files that are clean and not mapped; 2: dentries and inodes; 3: both; +4 on Linux silences a message that we have not. */
static int drop_caches_write(const char *buf, size_t len, void *arg)
{
	(void)arg;
	if (!len || buf[0] < '1' || buf[0] > '7' || (len > 1 && buf[1] != '\n'))
		return -EINVAL;
	if (buf[0] & 1)
		lru_drop();
	if (buf[0] & 2) {
		shrink_caches();
		rcu_barrier();
		stocks_drain();
	}
	return 0;
}
PROC_FILE(drop_caches, .path = "sys/vm/drop_caches", .mode = 0200, .write = drop_caches_write);
