/* Receive threads: see net/netdev_thread.h.
 *
 * They are threads of deferred work (kernel/sched/deferred.h): above every program until a flood has used up the budget, then sharing the CPU
 * with whoever the packets are for. */
#include <kernel/errno.h>
#include <kernel/sched/deferred.h>
#include <kernel/sched/sched.h>
#include <net/netdev_thread.h>

enum { WOKEN = 1, STOP = 2 };

void netdev_thread_init(struct netdev_thread *t, u32 (*work)(struct netdev_thread *t))
{
	wait_queue_init(&t->wq);
	t->state = 0;
	t->task = NULL;
	t->work = work;
}

static void run(void *arg)
{
	struct netdev_thread *t = arg;
	struct deferred d;
	u32 did;

	deferred_init(&d, NETDEV_THREAD_BUDGET);
	for (;;) {
		(void)wait_event_interruptible(&t->wq, atomic_load(&t->state));
		if (atomic_load(&t->state) & STOP)
			break;
		(void)atomic_fetch_and_acq_rel(&t->state, ~(u32)WOKEN);
		do {
			did = t->work(t);
			deferred_spend(&d, did & ~NETDEV_THREAD_DONE);
		} while (!(did & NETDEV_THREAD_DONE) && !(atomic_load(&t->state) & STOP));
		deferred_rest(&d);
	}
	complete(&t->ended);
	kthread_exit();
}

int netdev_thread_start(struct netdev_thread *t, const char *name, u32 cpu)
{
	atomic_store(&t->state, 0u);
	completion_init(&t->ended);
	t->task = kthread_create(run, t, name);
	if (!t->task)
		return -ENOMEM;
	if (cpu < nr_cpus)
		(void)sched_set_affinity(t->task, BIT(cpu));	/* that CPU does not run: anywhere, then */
	return 0;
}

void netdev_thread_stop(struct netdev_thread *t)
{
	if (!t->task)
		return;
	(void)atomic_fetch_or_acq_rel(&t->state, STOP);
	wake_up_all(&t->wq);
	wait_for_completion(&t->ended);
	t->task = NULL;
}

void netdev_thread_wake(struct netdev_thread *t)
{
	if (!(atomic_fetch_or_acq_rel(&t->state, WOKEN) & WOKEN))
		wake_up_all(&t->wq);
}
