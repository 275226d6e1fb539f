/* unshare(2), setns(2): a thread stops sharing what it was made to share, or goes over to another's namespaces.
 *
 * Descriptors, directories and lists of semaphore undos can be unshared: the thread gets a copy (of the undos, an empty list: what was to be undone
 * is, if it was the last to share it).  What only a process of one thread could do changes nothing there.  There is one namespace of each kind, so all
 * that asks for another is refused as on a Linux built without them. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <fs/file.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/ipc/task.h>
#include <kernel/proc/proc_internal.h>
#include <syscall_protos.h>

#define NAMESPACES	((u64)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWTIME))
#define ALONE		((u64)(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM))
#define PARTS		((u64)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM))

/* /proc's readers hold references, too, so it takes a look at everybody. */
static bool others_use_mm(void)
{
	struct task *t;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		found |= t != current && READ_ONCE(t->mm) == current->mm;
	rcu_read_unlock();
	return found;
}

/* 0: there is nothing that current shares of these, so nothing to do. */
static int check_alone(u64 flags)
{
	const struct process *p = current->proc;

	if ((flags & ALONE) && READ_ONCE(p->nr_threads) > 1)
		return -EINVAL;
	if ((flags & (CLONE_SIGHAND | CLONE_VM)) && refcount_read(&p->sighand->refs) > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && others_use_mm())
		return -EINVAL;
	return 0;
}

static int check_namespaces(u64 flags)
{
	if (flags & CLONE_NEWUSER)
		return -EINVAL;
	if (!(flags & NAMESPACES))
		return 0;
	return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
}

long sys_unshare(unsigned long flags)
{
	struct fs_struct *shared = current->fs, *fs = NULL;
	int err;

	if (flags & ~(NAMESPACES | CLONE_NEWUSER | ALONE | PARTS))
		return -EINVAL;
	err = check_alone(flags);
	if (!err)
		err = check_namespaces(flags);
	if (!err && (flags & CLONE_FS) && refcount_read(&shared->refs) > 1) {
		fs = fs_struct_clone(shared);
		err = fs ? 0 : -ENOMEM;
	}
	if (!err && (flags & CLONE_FILES))
		err = fdtable_unshare();
	if (err) {
		if (fs)
			fs_struct_put(fs);
		return err;
	}
	if (fs)
		fs_struct_leave(current, fs);
	if (flags & CLONE_SYSVSEM)
		sem_exit(current);
	return 0;
}

long sys_setns(int fd, int nstype)
{
	struct file *f = fd_get(fd);

	(void)nstype;
	if (!f)
		return -EBADF;
	file_put(f);		/* no file here is a namespace */
	return -EINVAL;
}
