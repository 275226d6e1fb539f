/* The contended path of spin locks: spin on a plain load with growing back-off, then try again.
 *
 * A queue lock would be fairer, but under a hypervisor the next in line may be descheduled, and everybody behind it waits. */
#include <kernel/sync/lockstat.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>

#define BACKOFF_MAX 256

void spin_lock_slow(struct spinlock *l)
{
	u64 start = clock_counter();
	u32 backoff = 1;

	do {
		for (u32 i = 0; i < backoff || atomic_load(&l->locked); i++)
			cpu_relax();
		if (backoff < BACKOFF_MAX)
			backoff *= 2;
	} while (!atomic_cas_acquire(&l->locked, 0u, 1u));
	lockstat_waited(__builtin_return_address(0), LOCKSTAT_SPIN, clock_counter() - start);
}
