/* Reclaim.
 *
 * Theory.  What can be given back without asking anybody: objects that caches keep unused (a SHRINKER each; dentries today, and inodes
 * with them), memory already freed that waits for an RCU grace period or for a flush of the kernel's translations, and stocks that make
 * allocation quick: a spare slab of each cache, and each CPU's magazines, page tables, kernel stacks and single pages.  Pages of tmpfs are
 * the only copy of their data, and there is no swap, so neither page cache nor anonymous memory can go.
 *
 * Each CPU's stocks are its own, used with interrupts off and without a lock; so they are drained by a call to each CPU, which is dear
 * (it wakes idle ones), and done only here and when the page allocator finds nothing at all.
 *
 * Reclaim runs where no lock is held: in a fault before the OOM killer, in clone before ENOMEM, and for /proc/sys/vm/drop_caches.  To
 * call it from the page allocator was rejected: an inode's last put sleeps and takes locks, and the allocator's callers hold any.
 */
#include <arch/smp.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <mm/page_internal.h>
#include <mm/reclaim.h>

#define AT_ONCE 256

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

u64 reclaim(void)
{
	u64 before = page_nr_free(), after;
	bool nested;

	might_sleep();
	nested = psi_memstall_begin();
	shrink_caches();
	rcu_barrier();
	stocks_drain();
	after = page_nr_free();
	psi_memstall_end(nested);
	return after > before ? after - before : 0;
}

/* 1: the page cache, which has nothing to give; 2: dentries and inodes; 3: both; +4 on Linux silences a message that we have not. */
static int drop_caches_write(const char *buf, size_t len, void *arg)
{
	(void)arg;
	if (!len || buf[0] < '1' || buf[0] > '7' || (len > 1 && buf[1] != '\n'))
		return -EINVAL;
	if (buf[0] & 2)
		reclaim();
	return 0;
}
PROC_FILE(drop_caches, .path = "sys/vm/drop_caches", .mode = 0200, .write = drop_caches_write);
