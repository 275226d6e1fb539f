/* May one process look into another?  See the header. */
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <mm/vma.h>

/* Its user is ours alone: it has never been, and cannot become, another. */
static bool same_owner(const struct cred *theirs, enum access_ids ids)
{
	const struct cred *c = current_cred();
	u32 uid = ids == ACCESS_FS_IDS ? c->fsuid : c->uid, gid = ids == ACCESS_FS_IDS ? c->fsgid : c->gid;

	return theirs->uid == uid && theirs->euid == uid && theirs->suid == uid && theirs->gid == gid && theirs->egid == gid && theirs->sgid == gid;
}

int task_may_access(struct task *t, enum access_ids ids)
{
	const struct cred *theirs;
	u64 ours;
	bool may;

	if (t->proc == current->proc || capable(CAP_SYS_PTRACE))
		return 0;
	ours = ids == ACCESS_FS_IDS ? current_cred()->cap_effective : current_cred()->cap_permitted;
	theirs = cred_of(t);
	may = same_owner(theirs, ids) && atomic_load(&t->proc->dumpable) == 1 && !(theirs->cap_permitted & ~ours);
	cred_put(theirs);
	return may ? 0 : -EPERM;
}

struct mm *task_mm_get(struct task *t)
{
	struct mm *mm;

	rcu_read_lock();
	mm = READ_ONCE(t->mm);
	if (mm && !refcount_inc_not_zero(&mm->users))
		mm = NULL;
	rcu_read_unlock();
	return mm;
}
