/* fcntl: flags, duplicates, owners, locks, pipe sizes. */
#include <fs/dnotify.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/locks.h>
#include <fs/pipe.h>
#include <kernel/errno.h>
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <mm/shmem.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define SETFL_MASK	(O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static long set_flags(struct file *f, int fd, u32 arg)
{
	u32 changed;
	int err = 0;

	if ((arg ^ f->flags) & O_APPEND && !(arg & O_APPEND) && READ_ONCE(f->inode->flags) & INODE_APPEND)
		return -EPERM;
	if (((arg ^ f->flags) & O_NOATIME) && (arg & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if ((arg & O_DIRECT) && !(f->mode & FMODE_DIRECT) && !MODE_IS(f->inode->mode, S_IFIFO))
		return -EINVAL;
	if (f->ops && f->ops->check_flags)
		err = f->ops->check_flags(arg);
	if (err)
		return err;
	spin_lock(&f->lock);
	changed = (f->flags ^ arg) & SETFL_MASK;
	f->flags ^= changed;
	spin_unlock(&f->lock);
	if (unlikely(changed & FASYNC) && f->ops && f->ops->async_changed)
		f->ops->async_changed(f, fd, false);
	return 0;
}

static void set_owner(struct file *f, s32 pid, u16 type)
{
	f->owner_pid = pid;
	f->owner_type = type;
	if (f->ops && f->ops->async_changed)
		f->ops->async_changed(f, -1, true);
	if (unlikely(atomic_load(&f->marks) & FILE_DNOTIFY))
		dnotify_owner_changed(f);
}

static long owner_ex(struct file *f, u32 cmd, u64 arg)
{
	struct f_owner_ex ex;

	if (cmd == F_SETOWN_EX) {
		if (copy_from_user(&ex, user_ptr(arg), sizeof(ex)))
			return -EFAULT;
		if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP)
			return -EINVAL;
		set_owner(f, ex.type == F_OWNER_PGRP ? -ex.pid : ex.pid, (u16)ex.type);
		return 0;
	}
	ex.type = f->owner_pid ? f->owner_type : F_OWNER_PID;
	ex.pid = f->owner_pid < 0 ? -f->owner_pid : f->owner_pid;
	return copy_to_user(user_ptr(arg), &ex, sizeof(ex));
}

static long file_fcntl(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
		return fd_dup_min(f, (u32)arg, 0);
	case F_DUPFD_CLOEXEC:
		return fd_dup_min(f, (u32)arg, O_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec((u32)fd) > 0 ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_cloexec((u32)fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return (long)f->flags;
	}
	if (f->mode & FMODE_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, fd, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK:
		return locks_fcntl_get(f, user_ptr(arg), cmd == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return locks_fcntl_set(f, fd, user_ptr(arg), false, cmd == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return locks_fcntl_set(f, fd, user_ptr(arg), true, cmd == F_OFD_SETLKW);
	case F_SETOWN:
		if ((s32)arg == -0x7fffffff - 1)
			return -EINVAL;
		set_owner(f, (s32)arg, (s32)arg < 0 ? F_OWNER_PGRP : F_OWNER_PID);
		return 0;
	case F_GETOWN:
		return f->owner_pid;
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_ex(f, cmd, arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_sig = (u16)arg;
		set_owner(f, f->owner_pid, f->owner_type);
		return 0;
	case F_GETSIG:
		return (long)f->owner_sig;
	case F_NOTIFY:
		return dnotify_fcntl(f, fd, (u32)arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_GET_SEALS:
		return shmem_get_seals(f);
	case F_ADD_SEALS:
		return f->mode & FMODE_WRITE ? shmem_add_seals(f, (u32)arg) : -EPERM;
	}
	return -EINVAL;
}

long sys_fcntl(int fd, unsigned cmd, unsigned long arg)
{
	u32 ref;
	struct file *f = fdref_get_any(fd, &ref);
	long ret;

	if (!f)
		return -EBADF;
	ret = file_fcntl(f, fd, cmd, arg);
	fdref_put(f, ref);
	return ret;
}
