/* Tasks as memory: allocation, kernel threads, the last reference, deferred work.
 *
 * Lifetime.  A task starts with one reference, the run queue's, which finish_switch drops when it has died; whoever else keeps a
 * pointer takes one of his own.  The structure is freed a grace period after the last, since lists are walked under RCU. */
#include <kernel/debug.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/seccomp.h>
#include <kernel/sched/sched_internal.h>
#include <mm/slab.h>

static struct slab_cache *task_cache;

struct task *task_alloc(void)
{
	struct task *t;

	if (!task_cache)
		task_cache = slab_cache_create("task", sizeof(struct task), 64, NULL);
	t = task_cache ? slab_alloc(task_cache, GFP_KERNEL) : NULL;
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->stack = kstack_alloc();
	if (!t->stack) {
		slab_free(task_cache, t);
		return NULL;
	}
	t->head.kernel_sp = (u64)t->stack + KERNEL_STACK_SIZE - 16;	/* entry.S finds the task in the word there */
	refcount_set(&t->refs, 1);
	list_init(&t->thread_link);
	list_init(&t->all_link);
	list_init(&t->pending.queue);
	list_init(&t->tracees);
	list_init(&t->trace_link);
	t->arch.fp_cpu = ~0u;
	t->start_ns = clock_mono_ns();
	return t;
}

void task_free_unstarted(struct task *t)
{
	kstack_free(t->stack);
	slab_free(task_cache, t);
}

static void task_free_rcu(struct rcu_head *head)
{
	slab_free(task_cache, container_of(head, struct task, rcu));
}

void task_put(struct task *t)
{
	if (refcount_dec_and_test(&t->refs)) {
		DEBUG_ASSERT(!t->stack);
		cred_drop_spare(t);
		cred_put(t->cred);	/* a zombie keeps its own: whose child it was is asked until it is reaped */
		seccomp_release(t);
		arch_thread_release(t);
		process_put(t->proc);
		call_rcu(&t->rcu, task_free_rcu);
	}
}

/* What every task of the kernel's own has in common. */
static struct task *kernel_task(const char *name)
{
	struct task *t = task_alloc();

	if (!t)
		return NULL;
	sched_fork(t);
	t->se.policy = 0;
	t->se.nice = 0;
	t->se.weight = WEIGHT_NICE0;
	t->se.rt_priority = t->se.eff_prio = 0;
	t->se.affinity = ~0ull;
	t->pflags = PF_KTHREAD;
	t->proc = init_task.proc;
	refcount_inc(&t->proc->refs);
	t->cred = init_task.cred;
	cred_get(t->cred);
	t->fs = init_task.fs;
	task_comm_set(t, name, strlen(name));
	return t;
}

struct task *sched_idle_create(u32 cpu)
{
	char name[TASK_COMM_LEN];
	struct task *t;

	ksnprintf(name, sizeof(name), "idle/%u", cpu);
	t = kernel_task(name);
	if (!t)
		return NULL;
	*(struct task **)t->head.kernel_sp = t;
	t->head.preempt_count = 0;
	t->state = TASK_RUNNING;
	return t;
}

LIST_HEAD(kernel_threads);

static void kthread_link(struct task *t)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	list_add_tail_rcu(&t->all_link, &kernel_threads);
	spin_unlock_irqrestore(&proc_lock, flags);
}

void __noreturn kthread_exit(void)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	list_del_rcu(&current->all_link);
	spin_unlock_irqrestore(&proc_lock, flags);
	sched_exit();
}

struct task *kthread_create(void (*fn)(void *), void *arg, const char *name)
{
	struct task *t = kernel_task(name);

	if (!t)
		return NULL;
	arch_thread_init_kernel(t, fn, arg);
	kthread_link(t);
	sched_wake_new(t, false);
	return t;
}

void task_comm(const struct task *t, char name[TASK_COMM_LEN])
{
	for (u32 i = 0; i < TASK_COMM_LEN; i++)
		name[i] = READ_ONCE(t->comm[i]);
	name[TASK_COMM_LEN - 1] = '\0';
}

void task_comm_set(struct task *t, const char *name, size_t len)
{
	for (u32 i = 0; i < TASK_COMM_LEN; i++)
		WRITE_ONCE(t->comm[i], i < len && i < TASK_COMM_LEN - 1 ? name[i] : '\0');
}

char task_state_char(const struct task *t)
{
	u32 s = READ_ONCE(t->state);

	if (READ_ONCE(t->proc->zombie) || (s & (TASK_ZOMBIE | TASK_DEAD)))
		return 'Z';
	if (s & TASK_STOPPED)
		return 'T';
	if (s & TASK_TRACED)
		return 't';
	if (s == TASK_RUNNING)
		return 'R';
	if ((s & TASK_INTERRUPTIBLE) || (READ_ONCE(t->pflags) & PF_KTHREAD))
		return 'S';
	return 'D';
}

/* To run, a task must be switched to, under its run queue's lock. */
bool task_look(struct task *t, void (*look)(struct task *t, void *arg), void *arg)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(t, &flags);
	bool waits = t->state != TASK_DEAD && !atomic_load(&t->on_cpu) && t != rq->curr;

	if (waits)
		look(t, arg);
	spin_unlock_irqrestore(&rq->lock, flags);
	return waits;
}

/* Works are a stack pushed by anybody and taken whole by the task.  WORKS_CLOSED ends it: the task has exited. */
#define WORKS_CLOSED ((struct task_work *)1)

bool task_work_add(struct task *t, struct task_work *work, void (*func)(struct task_work *))
{
	struct task_work *head = atomic_load(&t->works);

	work->func = func;
	do {
		head = atomic_load(&t->works);
		if (head == WORKS_CLOSED)
			return false;
		work->next = head;
	} while (!atomic_cas(&t->works, head, work));
	atomic_fetch_or(&t->head.flags, TIF_NOTIFY);
	sched_kick(t);
	return true;
}

void task_work_run(void)
{
	struct task *t = current;
	bool exiting = t->pflags & PF_EXITING;

	for (;;) {
		struct task_work *list, *in_order = NULL;

		atomic_fetch_and(&t->head.flags, ~TIF_NOTIFY);
		list = atomic_load(&t->works);
		if (list == WORKS_CLOSED)
			return;
		if (!list && (!exiting || atomic_cas(&t->works, list, WORKS_CLOSED)))
			return;
		list = atomic_xchg(&t->works, NULL);
		while (list) {		/* oldest first */
			struct task_work *next = list->next;

			list->next = in_order;
			in_order = list;
			list = next;
		}
		while (in_order) {
			struct task_work *next = in_order->next;

			in_order->func(in_order);
			in_order = next;
		}
	}
}
