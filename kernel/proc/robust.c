/* Robust lists: the locks a dying thread still holds are marked in their words, and a waiter for each is woken.  get_robust_list(2).
 *
 * The list is the program's, so nothing in it is trusted: it is followed for ROBUST_LIST_LIMIT entries at most, and left at the first
 * that cannot be read.  Bit 0 of a link says that the lock it leads to is a PI futex: then the word is marked, and its waiters,
 * orphaned afterwards, see to the rest (futex_pi.c). */
#include <linux/capability.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/proc/futex_internal.h>
#include <kernel/sched/sched.h>
#include <mm/vma.h>
#include <syscall_protos.h>

/* false: the list is no good. */
static bool lock_holder_died(struct task *t, u32 __user *word, bool pi, bool pending)
{
	u32 v, old;

	if (!IS_ALIGNED(word, 4) || get_user(v, word))
		return false;
	if (pending && !pi && !v) {	/* it died between unlocking and waking: the wake-up is still owed */
		futex_wake(word, true, 1, FUTEX_BITSET_MATCH_ANY);
		return true;
	}
	while ((v & FUTEX_TID_MASK) == (u32)t->tid) {
		if (user_atomic_cmpxchg(word, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &old))
			return false;
		if (old == v) {
			if (!pi && (v & FUTEX_WAITERS))
				futex_wake(word, true, 1, FUTEX_BITSET_MATCH_ANY);
			return true;
		}
		v = old;
	}
	return true;
}

static void robust_walk(struct task *t)
{
	struct robust_list_head head;
	u64 link, pending;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	link = (u64)head.list.next;
	pending = (u64)head.list_op_pending;
	for (u32 i = 0; (link & ~1ul) != (u64)t->robust_list && i < ROBUST_LIST_LIMIT; i++) {
		u64 entry = link & ~1ul;
		bool pi = link & 1, last = get_user(link, (u64 __user *)user_ptr(entry));

		if (entry != (pending & ~1ul) && !lock_holder_died(t, user_ptr(entry + (u64)head.futex_offset), pi, false))
			return;
		if (last)
			return;
	}
	if (pending & ~1ul)
		lock_holder_died(t, user_ptr((pending & ~1ul) + (u64)head.futex_offset), pending & 1, true);
}

void futex_exit(struct task *t, bool exec)
{
	if (!t->mm)
		return;
	futex_end_set(t, FUTEX_EXITING);
	if (t->robust_list)
		robust_walk(t);
	t->robust_list = NULL;
	futex_pi_orphan(t);
	futex_end_set(t, exec ? FUTEX_ALIVE : FUTEX_DEAD);
	if (t->clear_child_tid && refcount_read(&t->mm->users) > 1 && !put_user(0, t->clear_child_tid))
		futex_wake((u32 __user *)t->clear_child_tid, true, 1, FUTEX_BITSET_MATCH_ANY);
	t->clear_child_tid = NULL;
}

long sys_set_robust_list(void __user *head, size_t len)
{
	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int pid, void __user *head, void __user *len)
{
	size_t size = sizeof(struct robust_list_head);
	struct task *t;
	u64 p = 0;
	long err = 0;

	rcu_read_lock();
	t = pid ? task_find(pid) : current;
	if (!t)
		err = -ESRCH;
	else if (t != current && t->cred->uid != current->cred->euid && !capable(CAP_SYS_PTRACE))
		err = -EPERM;
	else
		p = (u64)t->robust_list;
	rcu_read_unlock();
	if (err)
		return err;
	return put_user(size, (size_t __user *)len) || put_user(p, (u64 __user *)head) ? -EFAULT : 0;
}
