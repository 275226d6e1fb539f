/* Numbers: tasks by tid, process groups.
 *
 * One hash table from number to task; a process is found through the task of the same number or, when that thread is gone but the
 * process is not, through the process table entry kept by its leader, which stays until it is reaped.  Look-ups run under RCU or
 * proc_lock.  Numbers rise and wrap at pid_max; one is free when neither task, group nor session bears it. */
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sysctl.h>

#define HASH_BITS	8

DEFINE_SPINLOCK(proc_lock, LC_PROC_TABLE);
LIST_HEAD(all_tasks);
struct process *init_process;
static struct task *table[1 << HASH_BITS];	/* [proc_lock, R] chained through task.pid_next */
static s32 last_pid;
static u64 pid_max = 32768;
SYSCTL(pid_max, "kernel/pid_max", .value = &pid_max, .min = 301, .max = 1 << 22);
static u32 nr_tasks;

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

struct process *process_find(s32 pid)
{
	struct task *t = pid > 0 ? task_find(pid) : NULL;

	return t && t->proc->pid == pid ? t->proc : NULL;
}

static bool number_in_use(s32 n)
{
	struct task *t;

	if (task_find(n))
		return true;
	list_for_each_entry(t, &all_tasks, all_link)
		if (t->proc->pgid == n || t->proc->sid == n)
			return true;
	return false;
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
	nr_tasks++;
}

void pid_unlink_task(struct task *t)
{
	struct task **p = bucket(t->tid);

	while (*p != t)
		p = &(*p)->pid_next;
	rcu_assign_pointer(*p, t->pid_next);
	list_del_rcu(&t->all_link);
	nr_tasks--;
}

u32 task_count(void)
{
	return nr_tasks;
}

void pgrp_attach(struct process *p, s32 pgid)
{
	p->pgid = pgid;
}

void pgrp_detach(struct process *p)
{
	p->pgid = 0;
}

void pgrp_for_each_locked(s32 pgid, void (*fn)(struct process *p, void *arg), void *arg)
{
	struct task *t;

	list_for_each_entry(t, &all_tasks, all_link)
		if (t->proc->pgid == pgid && t->proc->leader == t)
			fn(t->proc, arg);
}

bool pgrp_in_session(s32 pgid, s32 sid)
{
	struct task *t;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (t->proc->pgid == pgid && t->proc->sid == sid)
			found = true;
	rcu_read_unlock();
	return found;
}

/* A group is orphaned if no member has a parent in another group of the same session. */
bool pgrp_is_orphaned(s32 pgid)
{
	bool orphaned = true;
	struct task *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		struct process *p = t->proc, *parent = p->parent;

		if (p->pgid == pgid && p->leader == t && !p->zombie && parent && !parent->is_init &&
		    parent->pgid != pgid && parent->sid == p->sid)
			orphaned = false;
	}
	rcu_read_unlock();
	return orphaned;
}
