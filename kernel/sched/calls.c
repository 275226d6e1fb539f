/* The scheduler's system calls: policies, priorities, affinity. */
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
	struct task *t;

	rcu_read_lock();
	t = pid ? task_find(pid) : current;
	if (t)
		task_get(t);
	rcu_read_unlock();
	return t;
}

static bool may_change(const struct task *t)
{
	const struct cred *c = current_cred();
	bool ok;

	rcu_read_lock();
	ok = c->euid == t->cred->euid || c->euid == t->cred->uid;
	rcu_read_unlock();
	return ok || capable(CAP_SYS_NICE);
}

static bool policy_known(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* prio 1..99 for real-time policies, 0 otherwise; policy < 0 keeps the present one. */
static long set_policy(s32 pid, int policy, int prio, const s32 *nice)
{
	struct task *t;
	bool reset = false;
	long err = 0;

	if (pid < 0)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	if (policy < 0) {
		policy = (int)READ_ONCE(t->se.policy);
		reset = READ_ONCE(t->se.reset_on_fork);
	} else {
		reset = policy & SCHED_RESET_ON_FORK_BIT;
		policy &= ~SCHED_RESET_ON_FORK_BIT;
	}
	if (!policy_known(policy) || (is_rt(policy) ? prio < 1 || prio > 99 : prio != 0))
		err = -EINVAL;
	else if (!may_change(t) || (is_rt(policy) && !capable(CAP_SYS_NICE) && (u64)prio > rlimit(RLIMIT_RTPRIO)))
		err = -EPERM;
	else {
		WRITE_ONCE(t->se.reset_on_fork, reset);
		sched_set_policy(t, policy, prio, nice ? *nice : NICE_KEEP);
		pi_prio_changed(t);
	}
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
	return set_policy(pid, policy, prio, NULL);
}

long sys_sched_setparam(int pid, void __user *param)
{
	s32 prio;

	if (!param)
		return -EINVAL;
	if (get_user(prio, (s32 __user *)param))
		return -EFAULT;
	return set_policy(pid, -1, prio, NULL);
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
	struct sched_params sp;
	struct task *t;
	s32 prio;

	if (pid < 0 || !param)
		return -EINVAL;
	t = find_task(pid);
	if (!t)
		return -ESRCH;
	sched_params(t, &sp);
	prio = is_rt(sp.policy) ? (s32)sp.rt_priority : 0;
	task_put(t);
	return put_user(prio, (s32 __user *)param);
}

long sys_sched_setattr(int pid, void __user *attr, unsigned flags)
{
	struct sched_attr a = { 0 };
	u32 size;

	if (!attr || pid < 0 || flags)
		return -EINVAL;
	if (get_user(size, (u32 __user *)attr))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		return -E2BIG;
	if (copy_from_user(&a, attr, size < sizeof(a) ? size : sizeof(a)))
		return -EFAULT;
	if (a.sched_nice < -20 || a.sched_nice > 19 || !policy_known((int)a.sched_policy))
		return -EINVAL;
	return set_policy(pid, (int)(a.sched_policy | (a.sched_flags & SCHED_FLAG_RESET_ON_FORK ? SCHED_RESET_ON_FORK_BIT : 0)),
			  (int)a.sched_priority, is_rt((int)a.sched_policy) ? NULL : &a.sched_nice);
}

long sys_sched_getattr(int pid, void __user *attr, unsigned size, unsigned flags)
{
	struct sched_attr a = { .size = SCHED_ATTR_SIZE_VER0 };
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
	return copy_to_user(attr, &a, SCHED_ATTR_SIZE_VER0);
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
	m = t->se.affinity & atomic_load(&cpu_online_mask);
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
	if (nice < READ_ONCE(t->se.nice) && !capable(CAP_SYS_NICE) && (u64)(20 - nice) > rlimit(RLIMIT_NICE))
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
