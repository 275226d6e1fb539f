/* Deadlines on the CPU time of a process or a thread, the caller's or another's: what POSIX timers and clock_nanosleep put on CPU clocks.
 *
 * Theory.  A target is what is counted: a process, or one of its threads.  It exists while timers refer to it, in a list of the process that
 * is counted, whose lock (cpu_lock, [C]) guards its trees: armed deadlines by expiry, one tree for user time and one for all time.  The check
 * of that process's CPU time (cputimer.c; in an interrupt while it runs) looks at the first of each tree only: O(log n) for each that fires,
 * and no more than BATCH at a time.  A deadline that is reached leaves the tree, is marked due, and lets its timer (`fire`) interrupt at
 * once: that handler does the rest without [C], since the timer's owner has locks of his own that come before it.
 *
 * A target holds a reference to its process, so that numbers used anew mean nothing.  When the process ends, or the thread is gone, its
 * deadlines are disarmed and never come. */
#include <kernel/errno.h>
#include <kernel/sched/sched.h>
#include <kernel/time/timers_internal.h>
#include <mm/slab.h>

#define BATCH 128u

static struct cpu_target *target_find_locked(struct process *p, s32 tid)
{
	struct cpu_target *t;

	list_for_each_entry(t, &p->cpu_targets, link)
		if (t->tid == tid)
			return t;
	return NULL;
}

int cpu_target_get(int clock, struct cpu_target **out)
{
	struct cpu_target *fresh, *t;
	struct process *p;
	s32 tid;
	int err = cpu_clock_resolve(clock, &p, &tid);

	if (err)
		return err;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh) {
		process_put(p);
		return -EAGAIN;
	}
	fresh->proc = p;
	fresh->tid = tid;
	spin_lock_irq(&p->cpu_lock);
	t = target_find_locked(p, tid);
	if (!t) {
		t = fresh;
		list_add_tail(&t->link, &p->cpu_targets);
	}
	t->users++;
	spin_unlock_irq(&p->cpu_lock);
	if (t != fresh) {
		kfree(fresh);
		process_put(p);		/* the target has one already */
	}
	*out = t;
	return 0;
}

void cpu_target_put(struct cpu_target *t)
{
	struct process *p = t->proc;
	bool last;

	spin_lock_irq(&p->cpu_lock);
	last = !--t->users;
	if (last)
		list_del(&t->link);
	spin_unlock_irq(&p->cpu_lock);
	if (last) {
		kfree(t);
		process_put(p);
	}
}

void cpu_timer_init(struct cpu_timer *ct, struct cpu_target *t, enum cpu_kind kind, struct timer *fire)
{
	*ct = (struct cpu_timer){ .target = t, .kind = kind, .fire = fire };
}

static void insert_locked(struct cpu_timer *ct)
{
	struct rb_root *root = &ct->target->armed[ct->kind];
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = ct->expires_ns < rb_entry(parent, struct cpu_timer, node)->expires_ns ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&ct->node, parent, link);
	rb_insert_color(&ct->node, root);
	ct->armed = true;
}

static void remove_locked(struct cpu_timer *ct)
{
	rb_erase(&ct->node, &ct->target->armed[ct->kind]);
	ct->armed = false;
}

void cpu_timer_arm(struct cpu_timer *ct, u64 expires_ns)
{
	struct process *p = ct->target->proc;
	irqflags_t flags = spin_lock_irqsave(&p->cpu_lock);

	if (ct->armed)
		remove_locked(ct);
	ct->due = false;
	ct->expires_ns = expires_ns;
	if (!p->cpu_ended)
		insert_locked(ct);
	spin_unlock_irqrestore(&p->cpu_lock, flags);
	cpu_watch_kick(p);
}

void cpu_timer_disarm(struct cpu_timer *ct)
{
	struct process *p = ct->target->proc;
	irqflags_t flags = spin_lock_irqsave(&p->cpu_lock);

	if (ct->armed)
		remove_locked(ct);
	ct->due = false;
	spin_unlock_irqrestore(&p->cpu_lock, flags);
}

bool cpu_timer_take_due(struct cpu_timer *ct)
{
	struct process *p = ct->target->proc;
	irqflags_t flags = spin_lock_irqsave(&p->cpu_lock);
	bool due = ct->due;

	ct->due = false;
	spin_unlock_irqrestore(&p->cpu_lock, flags);
	return due;
}

/* Fire what is due by now; what is left until the next, 0 if there is more to fire. */
static u64 check_tree_locked(struct rb_root *root, u64 now, u32 *batch)
{
	struct rb_node *n;

	while ((n = rb_first(root))) {
		struct cpu_timer *ct = rb_entry(n, struct cpu_timer, node);

		if (ct->expires_ns > now)
			return ct->expires_ns - now;
		if (!*batch)
			return 0;
		--*batch;
		remove_locked(ct);
		ct->due = true;
		timer_arm(ct->fire, 0);
	}
	return TIME_NEVER;
}

static void disarm_all_locked(struct cpu_target *t)
{
	for (u32 k = 0; k < NR_CPU_KINDS; k++)
		for (struct rb_node *n; (n = rb_first(&t->armed[k]));)
			remove_locked(rb_entry(n, struct cpu_timer, node));
}

u64 cpu_targets_check(struct process *p, const struct usage *u)
{
	u64 left = TIME_NEVER;
	struct cpu_target *t;
	irqflags_t flags;
	u32 batch = BATCH;

	if (list_empty(&p->cpu_targets))	/* racily: who adds one kicks the watch afterwards */
		return TIME_NEVER;
	flags = spin_lock_irqsave(&p->cpu_lock);
	list_for_each_entry(t, &p->cpu_targets, link) {
		struct usage thread;

		if (t->tid && cpu_thread_usage(p, t->tid, &thread)) {
			disarm_all_locked(t);
			continue;
		}
		for (u32 k = 0; k < NR_CPU_KINDS; k++) {
			t->seen_ns[k] = cpu_kind_of(k, t->tid ? &thread : u);
			left = min(left, check_tree_locked(&t->armed[k], t->seen_ns[k], &batch));
		}
	}
	spin_unlock_irqrestore(&p->cpu_lock, flags);
	return left;
}

u64 cpu_timer_seen_ns(const struct cpu_timer *ct)
{
	struct process *p = ct->target->proc;
	irqflags_t flags = spin_lock_irqsave(&p->cpu_lock);
	u64 ns = ct->target->seen_ns[ct->kind];

	spin_unlock_irqrestore(&p->cpu_lock, flags);
	return ns;
}

int cpu_timer_now(const struct cpu_timer *ct, bool sighand_held, u64 *ns)
{
	const struct cpu_target *t = ct->target;
	struct usage u;

	if (t->tid) {
		if (cpu_thread_usage(t->proc, t->tid, &u))
			return -ESRCH;
	} else if (sighand_held) {
		usage_of_process_locked(t->proc, &u);
	} else {
		usage_of_process(t->proc, &u);
	}
	*ns = cpu_kind_of(ct->kind, &u);
	return 0;
}

bool cpu_target_gone(const struct cpu_target *t)
{
	struct usage u;
	bool gone;

	if (t->tid)
		return cpu_thread_usage(t->proc, t->tid, &u) != 0;
	rcu_read_lock();
	gone = process_find(t->proc->pid) != t->proc;
	rcu_read_unlock();
	return gone;
}

void cpu_targets_exit(struct process *p)
{
	struct cpu_target *t;

	spin_lock_irq(&p->cpu_lock);
	p->cpu_ended = true;
	list_for_each_entry(t, &p->cpu_targets, link)
		disarm_all_locked(t);
	spin_unlock_irq(&p->cpu_lock);
}

/* --- clock_nanosleep */

struct cpu_sleeper { struct timer fire; struct cpu_timer ct; struct task *task; };

static void sleeper_fired(struct timer *t)
{
	task_wake_normal(container_of(t, struct cpu_sleeper, fire)->task);
}

int cpu_clock_sleep(int clock, u64 *until_ns, bool absolute, u64 *left_ns)
{
	struct cpu_sleeper s = { .task = current };
	struct cpu_target *target;
	u64 now = 0;
	int err = cpu_target_get(clock, &target);

	if (err)
		return err == -EAGAIN ? -ENOMEM : err;
	if (target->tid == current->tid) {
		cpu_target_put(target);
		return -EINVAL;		/* it would never come */
	}
	timer_init(&s.fire, sleeper_fired);
	cpu_timer_init(&s.ct, target, cpu_clock_kind(clock), &s.fire);
	(void)cpu_timer_now(&s.ct, false, &now);
	if (!absolute)
		*until_ns = time_add(now, *until_ns);
	if (now < *until_ns)
		cpu_timer_arm(&s.ct, *until_ns);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (now >= *until_ns || cpu_timer_take_due(&s.ct)) {
			err = 0;
			break;
		}
		if (signal_pending()) {
			err = -EINTR;
			break;
		}
		schedule();
	}
	WRITE_ONCE(current->state, TASK_RUNNING);
	cpu_timer_disarm(&s.ct);
	timer_cancel_sync(&s.fire);
	if (err) {
		(void)cpu_timer_now(&s.ct, false, &now);
		*left_ns = now < *until_ns ? *until_ns - now : 0;
		err = *left_ns ? err : 0;
	}
	cpu_target_put(target);
	return err;
}
