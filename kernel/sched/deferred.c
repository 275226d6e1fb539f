/* Threads of deferred work: see the header. */
#include <kernel/sched/deferred.h>
#include <kernel/sched/sched_internal.h>

static void above_programs(void) { sched_set_policy(current, SCHED_FIFO, RT_KERNEL_PRIO, NICE_KEEP); }

void deferred_init(struct deferred *d, u32 budget)
{
	d->budget = d->left = budget;
	above_programs();
}

void deferred_rest(struct deferred *d)
{
	if (!d->left)
		above_programs();
	d->left = d->budget;
}

void deferred_spend(struct deferred *d, u32 n)
{
	if (!d->left)
		return;
	d->left -= min(n, d->left);
	if (!d->left)
		sched_set_policy(current, SCHED_NORMAL, 0, NICE_KEEP);
}
