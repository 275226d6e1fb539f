/* umount2(2): mounts leave their places, and what receives from there with them (mount_propagate.c). */
#include <fs/mount_internal.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/task.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <syscall_protos.h>

#ifndef MNT_FORCE
#define MNT_FORCE	1
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#define UMOUNT_NOFOLLOW	8
#endif

static int umount_locked(struct mount *m, u32 flags, struct list_head *gone)
{
	struct list_head list = LIST_HEAD_INIT(list);
	struct mount *below;

	if (!m->parent)
		return -EINVAL;		/* the namespace's root */
	if (flags & MNT_EXPIRE)
		return flags & (MNT_FORCE | MNT_DETACH) ? -EINVAL : -EAGAIN;
	if (!(flags & MNT_DETACH) && !list_empty(&m->children))
		return -EBUSY;
	for_each_mount(below, m) {
		below->going = true;
		list_add_tail(&below->work, &list);
	}
	propagate_umount(&list);
	return mounts_detach(&list, flags & MNT_DETACH ? NULL : m, gone) ? 0 : -EBUSY;
}

long sys_umount2(const char __user *upath, u32 flags)
{
	struct list_head gone = LIST_HEAD_INIT(gone);
	struct path at;
	int err;

	if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, upath, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	mutex_lock(&mount_mutex);
	if (!capable(CAP_SYS_ADMIN))
		err = -EPERM;
	else if (at.dentry != at.mnt->root || at.mnt->ns != mount_ns_current())
		err = -EINVAL;
	else
		err = umount_locked(at.mnt, flags, &gone);
	mutex_unlock(&mount_mutex);
	path_put(&at);
	mounts_drop(&gone);
	return err;
}
