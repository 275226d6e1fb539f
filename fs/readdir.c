/* getdents64: a directory's names, packed into the program's buffer while the directory's lock is held for reading. */
#include <fs/file.h>
#include <fs/inode.h>
#include <kernel/abi/dirent.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/limits.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

struct getdents {
	struct dir_context ctx;
	u64 ubuf;
	size_t left;
	u64 last;		/* user address of the last entry, whose d_off is still to come; 0 none */
	int err;
};

static bool emit(struct dir_context *ctx, const char *name, u32 len, u64 ino, u32 type, u64 next)
{
	struct getdents *g = container_of(ctx, struct getdents, ctx);
	size_t reclen = ALIGN_UP(offsetof(struct linux_dirent64, d_name) + len + 1, 8);
	union { struct linux_dirent64 d; char bytes[24 + NAME_MAX + 8]; } e;

	if (reclen > g->left || len > NAME_MAX) {
		g->err = -EINVAL;	/* only reported if nothing fitted */
		return false;
	}
	if (unlikely(signal_pending()) && g->last)
		return false;
	e.d = (struct linux_dirent64){ .d_ino = ino, .d_off = (s64)next, .d_reclen = (u16)reclen, .d_type = (u8)type };
	memcpy(e.d.d_name, name, len);
	memset(e.d.d_name + len, 0, reclen - offsetof(struct linux_dirent64, d_name) - len);
	if (copy_to_user(user_ptr(g->ubuf), &e, reclen)) {
		g->err = -EFAULT;
		return false;
	}
	g->last = g->ubuf;
	g->ubuf += reclen;
	g->left -= reclen;
	ctx->pos = next;
	return true;
}

static long getdents(struct file *f, void __user *buf, size_t count)
{
	struct getdents g = { .ctx = { .pos = f->pos, .emit = emit }, .ubuf = (u64)buf, .left = count };
	struct inode *dir = f->inode;
	long err;

	if (!f->ops->readdir || !inode_is_dir(dir))
		return -ENOTDIR;
	if (!user_range_ok(buf, count))
		return -EFAULT;
	rwsem_read_lock(&dir->lock);
	err = READ_ONCE(dir->flags) & INODE_DEAD ? -ENOENT : f->ops->readdir(f, &g.ctx);
	rwsem_read_unlock(&dir->lock);
	f->pos = g.ctx.pos;
	if (err != -ENOENT)
		notify_file(f, IN_ACCESS);
	if (err < 0 && !g.last)
		return err;
	if (!g.last)
		return g.err;
	if (!(f->path.mnt->flags & (2048 /* MS_NODIRATIME */ | 1024 /* MS_NOATIME */ | 1 /* MS_RDONLY */)))
		file_accessed(f);
	return (long)(count - g.left);
}

long sys_getdents64(int fd, void __user *buf, unsigned count)
{
	struct file *f;
	long ret;
	u32 ref;

	f = fdref_get_pos(fd, &ref);
	if (!f)
		return -EBADF;
	ret = f->mode & FMODE_PATH ? -EBADF : getdents(f, buf, count);
	fdref_put(f, ref);
	return ret;
}
