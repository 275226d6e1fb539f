/* The scheduler's system calls: policies, priorities, affinity.
 *
 * SCHED_DEADLINE is a policy that is not known here (EINVAL), as it is on a Linux of before 3.14; so are utilisation clamps
 * (EOPNOTSUPP, as on one built without them). */
#include <asm/errno.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/lib/string.h>
#include <kernel/sync/pi.h>
#include <syscall_protos.h>

#define SCHED_RESET_ON_FORK_BIT 0x40000000

/* find_task - a referenced task by id, 0 for current; NULL if none. */
static struct task *find_task(s32 pid)
{
	if (pid)
		return task_find_get(pid);
	task_get(current);
	return current;
}

static u64 limit_of(const struct task *t, int which)
{
	return READ_ONCE(t->proc->rlim->lim[which].cur);
}

static bool owner(const struct task *t)
{
	const struct cred *c = current_cred();
	bool ok;

	rcu_read_lock();
	ok = c->euid == t->cred->euid || c->euid == t->cred->uid;
	rcu_read_unlock();
	return ok;
}

static bool may_change(const struct task *t)
{
	return owner(t) || capable(CAP_SYS_NICE);
}

/* May t have this nice value by its RLIMIT_NICE? */
static bool nice_allowed(const struct task *t, s32 nice)
{
	return (u64)(20 - nice) <= limit_of(t, RLIMIT_NICE) || capable(CAP_SYS_NICE);
}

static bool policy_known(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* What is asked for, completed from what t has (task_params). */
struct wish { int policy, prio; s32 nice; bool reset; };

static void task_params(struct task *t, struct wish *w, struct sched_params *now)
{
	sched_params(t, now);
	w->prio = is_rt((int)now->policy) ? (int)now->rt_priority : 0;
	w->nice = now->nice;
}

/* sched(7), "Privileges and resource limits". */
static bool wish_allowed(const struct task *t, const struct sched_params *now, const struct wish *w)
{
	int old = (int)now->policy;

	if (!is_rt(w->policy) && w->nice < now->nice && !nice_allowed(t, w->nice))
		return false;
	if (is_rt(w->policy)) {
		u64 limit = limit_of(t, RLIMIT_RTPRIO);

		if ((w->policy != old && !limit) || (w->prio > (int)now->rt_priority && (u64)w->prio > limit))
			return capable(CAP_SYS_NICE);
	}
	if (old == SCHED_IDLE && w->policy != SCHED_IDLE && !nice_allowed(t, now->nice))
		return false;
	return (owner(t) && !(now->reset_on_fork && !w->reset)) || capable(CAP_SYS_NICE);
}

static long grant(struct task *t, const struct sched_params *now, const struct wish *w)
{
	if (!policy_known(w->policy) || w->prio < 0 || w->prio > 99 || is_rt(w->policy) != (w->prio != 0))
		return -EINVAL;
	if (!wish_allowed(t, now, w))
		return -EPERM;
	WRITE_ONCE(t->se.reset_on_fork, w->reset);
	sched_set_policy(t, (u32)w->policy, (u32)w->prio, w->nice == now->nice ? NICE_KEEP : w->nice);
	pi_prio_changed(t);
	return 0;
}

/* policy < 0 keeps the present one. */
static long set_policy(s32 pid, int policy, int prio)
{
	struct task *t;
	struct sched_params now;
	struct wish w;
	long err;

	if (pid < 0)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	task_params(t, &w, &now);
	w.prio = prio;
	w.reset = policy < 0 ? now.reset_on_fork : policy & SCHED_RESET_ON_FORK_BIT;
	w.policy = policy < 0 ? (int)now.policy : policy & ~SCHED_RESET_ON_FORK_BIT;
	err = grant(t, &now, &w);
	task_put(t);
	return err;
}

long sys_sched_setscheduler(int pid, int policy, void __user *param)
{
	s32 prio;

	if (policy < 0 || !param)
		return -EINVAL;
	if (get_user(prio, (s32 __user *)param))
		return -EFAULT;
	return set_policy(pid, policy, prio);
}

long sys_sched_setparam(int pid, void __user *param)
{
	s32 prio;

	if (!param)
		return -EINVAL;
	if (get_user(prio, (s32 __user *)param))
		return -EFAULT;
	return set_policy(pid, -1, prio);
}

long sys_sched_getscheduler(int pid)
{
	struct task *t = pid < 0 ? NULL : find_task(pid);
	struct sched_params sp;
	long ret;

	if (!t)
		return pid < 0 ? -EINVAL : -ESRCH;
	sched_params(t, &sp);
	ret = sp.policy | (sp.reset_on_fork ? SCHED_RESET_ON_FORK_BIT : 0);
	task_put(t);
	return ret;
}

long sys_sched_getparam(int pid, void __user *param)
{
	struct task *t;
	struct sched_params now;
	struct wish w;

	if (pid < 0 || !param)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	task_params(t, &w, &now);
	task_put(t);
	return put_user(w.prio, (s32 __user *)param);
}

/* A structure of another version: what lies behind ours must be zero; one that is too short, or not, is told our size. */
static long attr_from_user(struct sched_attr *a, void __user *attr)
{
	u32 size;
	u8 more[64];

	if (get_user(size, (u32 __user *)attr))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		goto too_big;
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, attr, min(size, (u32)sizeof(*a))))
		return -EFAULT;
	for (u32 at = sizeof(*a); at < size; at += sizeof(more)) {
		u32 n = min(size - at, (u32)sizeof(more));

		if (copy_from_user(more, (u8 __user *)attr + at, n))
			return -EFAULT;
		for (u32 i = 0; i < n; i++)
			if (more[i])
				goto too_big;
	}
	if ((a->sched_flags & SCHED_FLAG_UTIL_CLAMP) && size < SCHED_ATTR_SIZE_VER1)
		return -EINVAL;
	a->sched_nice = max(-20, min(a->sched_nice, 19));
	return 0;
too_big:
	(void)!put_user((u32)sizeof(*a), (u32 __user *)attr);
	return -E2BIG;
}

long sys_sched_setattr(int pid, void __user *attr, unsigned flags)
{
	struct sched_attr a;
	struct task *t;
	struct sched_params now;
	struct wish w;
	long err;

	if (!attr || pid < 0 || flags)
		return -EINVAL;
	err = attr_from_user(&a, attr);
	if (err)
		return err;
	if ((int)a.sched_policy < 0 || (a.sched_flags & ~(u64)SCHED_FLAG_ALL))
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	task_params(t, &w, &now);
	if (a.sched_flags & SCHED_FLAG_KEEP_POLICY) {
		w.policy = (int)now.policy;
		w.reset = now.reset_on_fork;
	} else {
		w.policy = (int)a.sched_policy;
		w.reset = a.sched_flags & SCHED_FLAG_RESET_ON_FORK;
	}
	if (!(a.sched_flags & SCHED_FLAG_KEEP_PARAMS)) {
		w.prio = (int)a.sched_priority;
		if (!is_rt(w.policy))
			w.nice = a.sched_nice;
	}
	err = a.sched_flags & SCHED_FLAG_UTIL_CLAMP ? -EOPNOTSUPP : grant(t, &now, &w);
	task_put(t);
	return err;
}

long sys_sched_getattr(int pid, void __user *attr, unsigned size, unsigned flags)
{
	struct sched_attr a = { .size = size < sizeof(a) ? size : sizeof(a) };
	struct sched_params sp;
	struct task *t;

	if (!attr || pid < 0 || size < SCHED_ATTR_SIZE_VER0 || size > 4096 || flags)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	sched_params(t, &sp);
	a.sched_policy = sp.policy;
	a.sched_flags = sp.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_rt((int)sp.policy))
		a.sched_priority = sp.rt_priority;
	else
		a.sched_nice = sp.nice;
	task_put(t);
	return copy_to_user(attr, &a, a.size);
}

long sys_sched_setaffinity(int pid, unsigned len, void __user *mask)
{
	u8 bytes[sizeof(cpumask_t)] = { 0 };
	cpumask_t m = 0;
	struct task *t;
	long err;

	if (copy_from_user(bytes, mask, len < sizeof(bytes) ? len : sizeof(bytes)))
		return -EFAULT;
	memcpy(&m, bytes, sizeof(m));
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	err = may_change(t) ? sched_set_affinity(t, m) : -EPERM;
	task_put(t);
	return err;
}

long sys_sched_getaffinity(int pid, unsigned len, void __user *mask)
{
	struct task *t;
	u64 m;

	if (len < sizeof(u64) || len & 7 || len * 8 < 64)	/* wraps, as on Linux */
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	m = READ_ONCE(t->se.affinity) & atomic_load(&cpu_online_mask);
	task_put(t);
	return copy_to_user(mask, &m, sizeof(m)) ? -EFAULT : (long)sizeof(m);
}

long sys_sched_yield(void)
{
	sched_yield_current();
	return 0;
}

long sys_sched_get_priority_max(int policy)
{
	return !policy_known(policy) ? -EINVAL : is_rt(policy) ? 99 : 0;
}

long sys_sched_get_priority_min(int policy)
{
	return !policy_known(policy) ? -EINVAL : is_rt(policy) ? 1 : 0;
}

long sys_sched_rr_get_interval(int pid, void __user *interval)
{
	struct __kernel_timespec ts = { 0 };
	struct task *t;
	u32 policy;
	u64 ns;

	if (pid < 0)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	policy = READ_ONCE(t->se.policy);
	task_put(t);
	ns = policy == SCHED_RR ? (u64)READ_ONCE(sched_rr_ns) : policy == SCHED_FIFO ? 0 : SLICE_NS;
	ts.tv_nsec = (s64)ns;
	return copy_to_user(interval, &ts, sizeof(ts));
}

/* Who is meant by setpriority's which and who: called for each under RCU. */
static bool is_meant(const struct task *t, int which, s32 who)
{
	switch (which) {
	case PRIO_PROCESS: return t == current ? !who || who == t->tid : who && t->tid == who;
	case PRIO_PGRP: return t->proc->pgid == (who ? who : current->proc->pgid);
	default: return t->cred->uid == (who ? (u32)who : current_cred()->uid);
	}
}

static long set_nice(struct task *t, s32 nice)
{
	if (!may_change(t))
		return -EPERM;
	if (nice < READ_ONCE(t->se.nice) && !nice_allowed(t, nice))
		return -EACCES;
	sched_set_nice(t, nice);
	return 0;
}

long sys_setpriority(int which, int who, int prio)
{
	struct task *t;
	long err = -ESRCH, one;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	prio = prio < -20 ? -20 : prio > 19 ? 19 : prio;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		if ((t->pflags & PF_KTHREAD) || !is_meant(t, which, who))
			continue;
		one = set_nice(t, prio);
		if (one || err == -ESRCH)
			err = one;
	}
	rcu_read_unlock();
	return err;
}

long sys_getpriority(int which, int who)
{
	struct task *t;
	long best = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (!(t->pflags & PF_KTHREAD) && is_meant(t, which, who))
			best = max(best, 20l - READ_ONCE(t->se.nice));
	rcu_read_unlock();
	return best;
}
