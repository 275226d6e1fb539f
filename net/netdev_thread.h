/* The thread of a receive queue: deferred work of a device, which an interrupt wakes. */
#pragma once
#include <kernel/sync/wait.h>
#include <kernel/task.h>

#define NETDEV_THREAD_BUDGET	300u		/* packets received one after the other before programs */
#define NETDEV_THREAD_DONE	0x80000000u

struct netdev_thread {
	struct wait_queue wq;
	u32 state;			/* [a] */
	struct task *task;		/* referenced from start to stop; NULL: it does not run */
	struct completion ended;
	/* work - a batch; how many packets.  NETDEV_THREAD_DONE added: no more are there, and the interrupt that wakes the thread is on.
	 * Context: the thread, may sleep; never two at once. */
	u32 (*work)(struct netdev_thread *t);
};

void netdev_thread_init(struct netdev_thread *t, u32 (*work)(struct netdev_thread *t));
/* netdev_thread_start - on cpu, if that is one and runs; else anywhere.  0, -ENOMEM.  It is not woken yet.
 * netdev_thread_stop - it has ended when this returns; if it runs at all.  Context: thread, may sleep. */
int netdev_thread_start(struct netdev_thread *t, const char *name, u32 cpu);
void netdev_thread_stop(struct netdev_thread *t);
/* netdev_thread_wake - work() runs, once more if it runs now.  Context: any; nothing if the thread does not run. */
void netdev_thread_wake(struct netdev_thread *t);
