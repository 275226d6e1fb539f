/* Work queues: functions called by a kernel thread on behalf of contexts that may not sleep. */
#include <kernel/debug.h>
#include <kernel/irq/irq.h>
#include <kernel/sched/sched.h>

static DEFINE_SPINLOCK(work_lock, LC_WORK);
static LIST_HEAD(work_list);		/* [work_lock] */
static u64 queued, done;		/* [work_lock] */
static struct work *running;		/* [work_lock] */
static struct wait_queue work_wq = { SPINLOCK_INIT(LC_WAIT_WORK), LIST_HEAD_INIT(work_wq.head) };	/* woken under others' LC_WAIT too */
static DEFINE_WAIT_QUEUE(done_wq);

void work_init(struct work *w, void (*fn)(struct work *))
{
	w->fn = fn;
	w->queued = false;
}

bool work_queue(struct work *w)
{
	irqflags_t flags = spin_lock_irqsave(&work_lock);
	bool fresh = !w->queued;

	if (fresh) {
		w->queued = true;
		queued++;
		list_add_tail(&w->link, &work_list);
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (fresh)
		wake_up(&work_wq);
	return fresh;
}

static void work_thread(void *arg)
{
	(void)arg;
	for (;;) {
		struct work *w = NULL;

		wait_event_interruptible(&work_wq, !list_empty(&work_list));
		spin_lock_irq(&work_lock);
		if (!list_empty(&work_list)) {
			w = list_first_entry(&work_list, struct work, link);
			list_del(&w->link);
			w->queued = false;
		}
		running = w;
		spin_unlock_irq(&work_lock);
		if (!w)
			continue;
		w->fn(w);
		spin_lock_irq(&work_lock);
		running = NULL;
		done++;
		spin_unlock_irq(&work_lock);
		wake_up_all(&done_wq);
	}
}

void work_cancel(struct work *w)
{
	irqflags_t flags = spin_lock_irqsave(&work_lock);
	bool was = w->queued;

	if (was) {
		list_del(&w->link);
		w->queued = false;
		done++;
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (was)
		wake_up_all(&done_wq);
	wait_event(&done_wq, atomic_load(&running) != w);
}

void work_flush(void)
{
	u64 target = atomic_load(&queued);

	wait_event(&done_wq, atomic_load(&done) >= target);
}

void workqueue_init(void)
{
	VERIFY(kthread_create(work_thread, NULL, "kworker"));
}
