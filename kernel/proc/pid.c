/* Numbers: of tasks, process groups, sessions.
 *
 * One hash table from number to task; a process is found through the task of the same number or, when that thread is gone but the
 * process is not, through the process table entry kept by its leader, which stays until it is reaped.  Look-ups run under RCU or
 * proc_lock.
 *
 * A second table from number to pid_group, for the numbers that processes bear as their group or session: it lists the group's members and
 * counts the session's, and goes with the last of both.  Groups are walked under proc_lock only: a process that changes its group
 * would lead a reader without lock from one list into the other.  So a signal to a group reaches a child that is being forked: the child is
 * linked before, or the parent has the signal and begins its fork anew (link_task).
 *
 * Numbers rise and wrap at pid_max; one is free when neither task, group nor session bears it. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/user.h>
#include <kernel/sysctl.h>
#include <mm/slab.h>

#define HASH_BITS	10

DEFINE_SPINLOCK(proc_lock, LC_PROC_TABLE);
LIST_HEAD(all_tasks);
struct process *init_process;
static struct task *table[1 << HASH_BITS];	/* [proc_lock, R] chained through task.pid_next */
static struct pid_group *groups[1 << HASH_BITS];	/* [proc_lock] chained through next */
static s32 last_pid;
static u64 pid_max = 32768;
SYSCTL(pid_max, "kernel/pid_max", .value = &pid_max, .min = 301, .max = 1 << 22);
static u32 nr_tasks;			/* [T] counted; read without */

static struct task **bucket(s32 tid)
{
	return &table[hash_64((u64)tid, HASH_BITS)];
}

struct task *task_find(s32 tid)
{
	struct task *t;

	for (t = rcu_dereference(*bucket(tid)); t; t = rcu_dereference(t->pid_next))
		if (t->tid == tid)
			return t;
	return NULL;
}

struct task *task_find_get(s32 tid)
{
	struct task *t;

	rcu_read_lock();
	do
		t = task_find(tid);
	while (t && !refcount_inc_not_zero(&t->refs));		/* it left the table, and another may have taken its number over */
	rcu_read_unlock();
	return t;
}

struct process *process_find(s32 pid)
{
	struct task *t = pid > 0 ? task_find(pid) : NULL;

	return t && t->proc->pid == pid ? t->proc : NULL;
}

static struct pid_group *group_find(s32 n)
{
	struct pid_group *g = groups[hash_64((u64)n, HASH_BITS)];

	while (g && g->nr != n)
		g = g->next;
	return g;
}

static bool number_in_use(s32 n)
{
	return task_find(n) || group_find(n);
}

/* The low numbers are left to what was there first once they have all been given out. */
s32 pid_alloc(void)
{
	s32 n = last_pid, end = (s32)READ_ONCE(pid_max);

	for (s32 tries = 0; tries < end; tries++) {
		if (++n >= end)
			n = 300;
		if (!number_in_use(n))
			return last_pid = n;
	}
	return -EAGAIN;
}

void pid_link_task(struct task *t)
{
	struct task **b = bucket(t->tid);

	t->pid_next = *b;
	rcu_assign_pointer(*b, t);
	list_add_tail_rcu(&t->all_link, &all_tasks);
	WRITE_ONCE(nr_tasks, nr_tasks + 1);
	WRITE_ONCE(t->cred->user->nr_tasks, t->cred->user->nr_tasks + 1);
}

/* What points to t in its chain. */
static struct task **link_to(const struct task *t)
{
	struct task **p = bucket(t->tid);

	while (*p != t)
		p = &(*p)->pid_next;
	return p;
}

static void leave_list(struct task *t)
{
	list_del_rcu(&t->all_link);
	WRITE_ONCE(nr_tasks, nr_tasks - 1);
	WRITE_ONCE(t->cred->user->nr_tasks, t->cred->user->nr_tasks - 1);
}

void pid_unlink_task(struct task *t)
{
	rcu_assign_pointer(*link_to(t), t->pid_next);
	leave_list(t);
}

void pid_give_up(struct task *t)
{
	rcu_assign_pointer(*link_to(t), t->pid_next);
}

/* One store puts t in old's place: who looks for the number finds the one or the other.  In the list of all t stands behind old, being younger. */
void pid_take_over(struct task *t, struct task *old)
{
	t->pid_next = old->pid_next;
	WRITE_ONCE(t->tid, old->tid);
	rcu_assign_pointer(*link_to(old), t);
	leave_list(old);
}

u32 task_count(void)
{
	return READ_ONCE(nr_tasks);
}

/* --- groups and sessions */

struct pid_group *pid_group_alloc(void)
{
	return kzalloc(sizeof(struct pid_group), GFP_KERNEL);
}

struct pid_group *pid_group_get(s32 n, struct pid_group **spare)
{
	struct pid_group *g = group_find(n), **b = &groups[hash_64((u64)n, HASH_BITS)];

	if (g || !spare || !*spare)
		return g;
	g = *spare;
	*spare = NULL;
	*g = (struct pid_group){ .nr = n, .next = *b };
	list_init(&g->members);
	*b = g;
	return g;
}

static void group_left(struct pid_group *g)
{
	struct pid_group **p = &groups[hash_64((u64)g->nr, HASH_BITS)];

	if (likely(g->nr_session || !list_empty(&g->members)))
		return;
	while (*p != g)
		p = &(*p)->next;
	*p = g->next;
	kfree(g);
}

void pgrp_set(struct process *p, struct pid_group *g)
{
	struct pid_group *old = p->pgrp;

	list_del_init(&p->pgrp_link);
	p->pgrp = g;
	p->pgid = g->nr;
	list_add_tail(&p->pgrp_link, &g->members);
	if (old)
		group_left(old);
}

void session_set(struct process *p, struct pid_group *s)
{
	struct pid_group *old = p->session;

	p->session = s;
	p->sid = s->nr;
	s->nr_session++;
	if (old && --old->nr_session == 0)
		group_left(old);
}

void pid_groups_inherit(struct process *p, const struct process *from)
{
	p->pgrp = from->pgrp;
	p->pgid = from->pgid;
	p->session = from->session;
	p->sid = from->sid;
	if (likely(p->pgrp)) {
		list_add_tail(&p->pgrp_link, &p->pgrp->members);
		p->session->nr_session++;
	}
}

void pid_groups_leave(struct process *p)
{
	struct pid_group *g = p->pgrp, *s = p->session;

	list_del_init(&p->pgrp_link);
	p->pgid = 0;
	p->pgrp = p->session = NULL;
	s->nr_session--;
	group_left(g);
	if (s != g)
		group_left(s);
}

void pgrp_for_each_locked(s32 pgid, void (*fn)(struct process *p, void *arg), void *arg)
{
	struct pid_group *g = group_find(pgid);
	struct process *p;

	if (g)
		list_for_each_entry(p, &g->members, pgrp_link)
			fn(p, arg);
}

struct session_search { s32 sid; bool found; };

static void look_at_session(struct process *p, void *arg)
{
	struct session_search *s = arg;

	s->found |= p->sid == s->sid;
}

bool pgrp_in_session_locked(s32 pgid, s32 sid)
{
	struct session_search s = { sid, false };

	pgrp_for_each_locked(pgid, look_at_session, &s);
	return s.found;
}

bool pgrp_in_session(s32 pgid, s32 sid)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	bool found = pgrp_in_session_locked(pgid, sid);

	spin_unlock_irqrestore(&proc_lock, flags);
	return found;
}

static void look_for_parent(struct process *p, void *arg)
{
	const struct process *parent = p->parent;

	if (!p->zombie && parent && !parent->is_init && parent->pgid != p->pgid && parent->sid == p->sid)
		*(bool *)arg = false;
}

bool pgrp_is_orphaned_locked(s32 pgid)
{
	bool orphaned = true;

	pgrp_for_each_locked(pgid, look_for_parent, &orphaned);
	return orphaned;
}

bool pgrp_is_orphaned(s32 pgid)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	bool orphaned = pgrp_is_orphaned_locked(pgid);

	spin_unlock_irqrestore(&proc_lock, flags);
	return orphaned;
}
