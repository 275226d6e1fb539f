/* Reclaim.
 *
 * Theory.  What can be given back without asking anybody: objects that caches keep unused (a SHRINKER each; dentries today, and inodes
 * with them), memory already freed that waits for an RCU grace period, and stocks that make allocation quick: a spare slab of each
 * cache, the magazines, page tables, kernel stacks and single pages of this CPU.  Pages of tmpfs are the only copy of their data, and
 * there is no swap, so neither page cache nor anonymous memory can go.
 *
 * Reclaim runs where no lock is held: in a fault before the OOM killer, in clone before ENOMEM, and for /proc/sys/vm/drop_caches.  To
 * call it from the page allocator was rejected: an inode's last put sleeps and takes locks, and the allocator's callers hold any.
 *
 * Other CPUs' stocks stay; they are bounded, and each CPU uses its own up before it asks for more. */
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
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

u64 reclaim(void)
{
	u64 before = page_nr_free(), after;

	might_sleep();
	shrink_caches();
	kstack_trim();
	pt_trim();
	rcu_barrier();
	slab_trim();
	page_trim();
	after = page_nr_free();
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
