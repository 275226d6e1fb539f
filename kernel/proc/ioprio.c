/* ioprio_set(2), ioprio_get(2): what a thread's disk requests are worth.
 *
 * The number is kept, inherited and told as on Linux; the block layer serves requests in the order of their coming, as Linux does on a device without
 * a scheduler, so it changes nothing there.  A thread that was told nothing goes by its nice value. */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <syscall_protos.h>

static int check(int value)
{
	const u32 level = (u32)value % IOPRIO_NR_LEVELS;	/* above it are hints, kept and told */

	switch (IOPRIO_PRIO_CLASS((u32)value)) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		/* fall through */
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return level ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* Whom which and who mean: called for each thread, under RCU. */
static bool is_meant(const struct task *t, int which, s32 who)
{
	if (READ_ONCE(t->pflags) & (PF_KTHREAD | PF_EXITING))
		return false;
	switch (which) {
	case IOPRIO_WHO_PROCESS: return READ_ONCE(t->tid) == (who ? who : current->tid);
	case IOPRIO_WHO_PGRP: return READ_ONCE(t->proc->pgid) == (who ? who : READ_ONCE(current->proc->pgid));
	default: return rcu_dereference(t->cred)->uid == (u32)who;
	}
}

static int set(struct task *t, int value)
{
	const struct cred *me = current_cred();
	u32 uid = rcu_dereference(t->cred)->uid;

	if (uid != me->euid && uid != me->uid && !capable(CAP_SYS_NICE))
		return -EPERM;
	WRITE_ONCE(t->ioprio, (u32)value);
	return 0;
}

/* What t's requests go by. */
static int effective(struct task *t)
{
	u32 value = READ_ONCE(t->ioprio), policy = READ_ONCE(t->se.policy);
	u32 class = policy == SCHED_IDLE ? IOPRIO_CLASS_IDLE : policy == SCHED_FIFO || policy == SCHED_RR ? IOPRIO_CLASS_RT : IOPRIO_CLASS_BE;

	if (IOPRIO_PRIO_CLASS(value) != IOPRIO_CLASS_NONE)
		return (int)value;
	return (int)IOPRIO_PRIO_VALUE(class, (u32)(READ_ONCE(t->se.nice) + 20) / 5);
}

long sys_ioprio_set(int which, int who, int ioprio)
{
	struct task *t;
	long err = check(ioprio);

	if (err)
		return err;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	err = -ESRCH;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		if (!is_meant(t, which, who))
			continue;
		err = set(t, ioprio);
		if (err)
			break;
	}
	rcu_read_unlock();
	return err;
}

/* Of several threads the best; of one what it was told, which may be nothing. */
long sys_ioprio_get(int which, int who)
{
	struct task *t;
	long best = -ESRCH;

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		long one;

		if (!is_meant(t, which, who))
			continue;
		one = which == IOPRIO_WHO_PROCESS ? (long)READ_ONCE(t->ioprio) : effective(t);
		best = best == -ESRCH ? one : min(best, one);
	}
	rcu_read_unlock();
	return best;
}
