/* prctl(2): what a process says about itself.  Options of features that are not here are EINVAL, as on a Linux without them. */
#include <kernel/sched/sched.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/seccomp.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define TIMER_SLACK_NS	50000ul		/* Linux's default */

static long name_set(const char __user *user)
{
	char name[TASK_COMM_LEN] = "";
	ssize_t n = strncpy_from_user(name, user, sizeof(name) - 1);

	if (n == -EFAULT)	/* a longer one is cut */
		return n;
	task_comm_set(current, name, strlen(name));
	return 0;
}

/* --- credentials */

static long keepcaps_set(unsigned long on)
{
	const u32 bit = 1u << SECURE_KEEP_CAPS;
	struct cred *c;

	if (on > 1)
		return -EINVAL;
	if (current_cred()->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->securebits = on ? c->securebits | bit : c->securebits & ~bit;
	cred_commit(c);
	return 0;
}

/* A locked bit may not change, a lock may not be opened, and nobody without CAP_SETPCAP may change any. */
static long securebits_set(unsigned long bits)
{
	u32 old = current_cred()->securebits, locked = (old & SECURE_ALL_LOCKS) >> 1;
	struct cred *c;

	if ((locked & (old ^ bits)) || (old & SECURE_ALL_LOCKS & ~bits) || (bits & ~(u64)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) ||
	    !capable(CAP_SETPCAP))
		return -EPERM;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->securebits = (u32)bits;
	cred_commit(c);
	return 0;
}

static long bounding_drop(unsigned long cap)
{
	struct cred *c;

	if (!capable(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~(1ul << cap);
	cred_commit(c);
	return 0;
}

static long ambient(unsigned long op, unsigned long cap, unsigned long a4, unsigned long a5)
{
	const struct cred *old = current_cred();
	u64 bit = cap <= CAP_LAST_CAP ? 1ul << cap : 0;
	struct cred *c;

	if (a4 || a5 || (op == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : !bit))
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_IS_SET)
		return (old->cap_ambient & bit) != 0;
	if (op != PR_CAP_AMBIENT_RAISE && op != PR_CAP_AMBIENT_LOWER && op != PR_CAP_AMBIENT_CLEAR_ALL)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_RAISE && (!(old->cap_permitted & old->cap_inheritable & bit) ||
					   (old->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE))))
		return -EPERM;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	if (op == PR_CAP_AMBIENT_RAISE)
		c->cap_ambient |= bit;
	else
		c->cap_ambient = op == PR_CAP_AMBIENT_LOWER ? c->cap_ambient & ~bit : 0;
	cred_commit(c);
	return 0;
}

static long no_new_privs_set(unsigned long on, unsigned long a3, unsigned long a4, unsigned long a5)
{
	if (on != 1 || a3 || a4 || a5)
		return -EINVAL;
	atomic_store(&current->no_new_privs, true);
	return 0;
}

static long prctl_cred(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	const struct cred *c = current_cred();

	switch (option) {
	case PR_GET_KEEPCAPS:
		return c->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return keepcaps_set(a2);
	case PR_GET_SECUREBITS:
		return c->securebits;
	case PR_SET_SECUREBITS:
		return securebits_set(a2);
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : (long)(c->cap_bounding >> a2 & 1);
	case PR_CAPBSET_DROP:
		return bounding_drop(a2);
	case PR_CAP_AMBIENT:
		return ambient(a2, a3, a4, a5);
	case PR_SET_NO_NEW_PRIVS:
		return no_new_privs_set(a2, a3, a4, a5);
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : atomic_load(&current->no_new_privs);
	default:
		return -EINVAL;
	}
}

long sys_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct task *t = current;
	char name[TASK_COMM_LEN];

	switch (option) {
	case PR_SET_NAME:
		return name_set(user_ptr(a2));
	case PR_GET_NAME:
		task_comm(t, name);
		return copy_to_user(user_ptr(a2), name, sizeof(name)) ? -EFAULT : 0;
	case PR_SET_PDEATHSIG:
		if (a2 > NSIG)
			return -EINVAL;
		t->pdeath_signal = (u32)a2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user(t->pdeath_signal, (u32 __user *)user_ptr(a2));
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		t->proc->dumpable = (u32)a2;
		return 0;
	case PR_GET_DUMPABLE:
		return READ_ONCE(t->proc->dumpable);
	case PR_SET_CHILD_SUBREAPER:
		t->proc->child_subreaper = a2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_user((int)READ_ONCE(t->proc->child_subreaper), (int __user *)user_ptr(a2));
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = (long)a2 > 0 ? a2 : 0;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)(t->timer_slack_ns ? t->timer_slack_ns : TIMER_SLACK_NS);
	case PR_SET_SECCOMP:
		return seccomp_prctl_set(a2, user_ptr(a3));
	case PR_GET_SECCOMP:
		return atomic_load(&t->seccomp_mode);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TID_ADDRESS:
		return put_user((u64)t->clear_child_tid, (u64 __user *)user_ptr(a2));
	case PR_SET_THP_DISABLE:
		if (a3 || a4 || a5)
			return -EINVAL;
		WRITE_ONCE(t->mm->thp_disabled, a2 != 0);
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 || a3 || a4 || a5 ? -EINVAL : t->mm->thp_disabled;
	default:
		return prctl_cred(option, a2, a3, a4, a5);
	}
}
