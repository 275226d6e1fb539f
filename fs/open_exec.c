/* Opening a program to be run. */
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <kernel/errno.h>
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

int vfs_open_exec(int dirfd, const char *path, u32 at_flags, struct file **out)
{
	u32 lookup = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct inode *inode;
	struct file *f;
	struct path p;
	int err;

	err = path_lookup(dirfd, path, lookup, &p);
	if (err)
		return err;
	inode = p.dentry->inode;
	if (inode_is_link(inode))
		err = -ELOOP;
	else if (!inode_is_reg(inode) || path_noexec(&p))
		err = -EACCES;
	else
		err = inode_permission(inode, MAY_EXEC);
	if (!err)
		err = inode_deny_write(inode);
	if (err)
		goto err_path;
	err = file_alloc(&f);
	if (err) {
		inode_allow_write(inode);
		goto err_path;
	}
	f->path = p;
	err = file_open_inode(f, inode, O_RDONLY | O_LARGEFILE);
	f->mode |= FMODE_EXECED;
	if (err) {
		file_put_now(f);
		return err;
	}
	notify_file(f, IN_OPEN);
	*out = f;
	return 0;
err_path:
	path_put(&p);
	return err;
}

void vfs_exec_put(struct file *f)
{
	file_put(f);	/* deny-write goes with it */
}
