/* name_to_handle_at, open_by_handle_at: files by number instead of by name, for servers that are asked for them much later.
 *
 * A handle's words are the filesystem's (struct handle_ops): a number, and a generation that a later file of the same number does not have.
 * From the words comes an inode, from the inode a dentry to be opened:
 *   one that is cached, if there is one, found by looking through the whole cache: that inodes have no list of their names is what creating files
 *   does not pay, and handles are rare;
 *   of a directory another may not be made, since names below it would be cached twice: its parents are asked for until one is cached, and from
 *   there it is looked up downwards, one level a round (somebody may rename meanwhile, and the cache may forget: then another round);
 *   of anything else, one without a place in the tree.  /proc calls that "/", as Linux does.
 *
 * Locks: the super's rename mutex and the directory's own lock while its parent is asked for, so it neither moves nor goes; the parent's lock while
 * the name is looked for. */
#include <fs/dcache.h>
#include <fs/file.h>
#include <fs/handle.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

#define HANDLE_MAX	128u	/* bytes that a program may give */
#define HANDLE_TYPE	1	/* Linux's FILEID_INO32_GEN */
#define HANDLE_NONE	0xff
#define MAX_DEPTH	1000

struct handle_head { u32 bytes; s32 type; };	/* struct file_handle of the man page, whose words follow */

int handle_encode(struct inode *i, u32 words[HANDLE_WORDS])
{
	if (i->sb->handles)
		return i->sb->handles->encode(i, words);
	words[0] = (u32)i->ino;
	words[1] = 0;
	return 2;
}

/* --- to a handle */

static int path_to_handle(const struct path *p, struct handle_head __user *to, s32 __user *mount_id)
{
	struct { struct handle_head head; u32 words[HANDLE_WORDS]; } h;
	size_t len = sizeof(h.head);
	int n, err = 0;

	if (!p->dentry->sb->handles)
		return -EOPNOTSUPP;
	if (copy_from_user(&h.head, to, sizeof(h.head)))
		return -EFAULT;
	if (h.head.bytes > HANDLE_MAX)
		return -EINVAL;
	n = handle_encode(p->dentry->inode, h.words);
	if (n < 0)
		return n;
	h.head.type = HANDLE_TYPE;
	if ((u32)n > h.head.bytes / sizeof(u32)) {
		h.head.type = HANDLE_NONE;
		err = -EOVERFLOW;
	} else {
		len += (u32)n * sizeof(u32);
	}
	h.head.bytes = (u32)n * (u32)sizeof(u32);
	return put_user(p->mnt->id, mount_id) || copy_to_user(to, &h, len) ? -EFAULT : err;
}

long sys_name_to_handle_at(int dfd, const char __user *name, void __user *handle, s32 __user *mount_id, u32 flags)
{
	struct path p;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = path_lookup_user(dfd, name, (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	if (err)
		return err;
	err = path_to_handle(&p, handle, mount_id);
	path_put(&p);
	return err;
}

/* --- from a handle to a dentry */

static int parent_of(struct inode *dir, struct inode **up)
{
	int err = -ESTALE;

	mutex_lock(&dir->sb->rename_mutex);
	rwsem_read_lock(&dir->lock);
	if (READ_ONCE(dir->nlink))
		err = dir->sb->handles->parent(dir, up);
	rwsem_read_unlock(&dir->lock);
	mutex_unlock(&dir->sb->rename_mutex);
	return err;
}

/* Make the dentry of child below d, or nothing if it has just been moved away. */
static int look_up(struct dentry *d, const struct inode *child, char *name)
{
	struct inode *dir = d->inode;
	struct dentry *found = NULL;
	struct qname q;
	int err;

	rwsem_write_lock(&dir->lock);
	err = dir->sb->handles->name_of(dir, child, name);
	if (!err) {
		q = qname_of(name, (u32)strlen(name));
		err = dir_lookup(d, &q, &found);
	}
	rwsem_write_unlock(&dir->lock);
	if (found)
		dentry_put(found);
	return err == -ENOENT ? 0 : err;
}

/* The next one below the nearest directory above dir that is cached. */
static int connect_level(struct inode *dir, char *name)
{
	struct inode *up;
	struct dentry *d;
	int err = -ESTALE;

	inode_get(dir);
	for (u32 depth = 0; depth < MAX_DEPTH; depth++) {
		err = parent_of(dir, &up);
		if (err)
			break;
		d = dentry_find_inode(up);
		if (d) {
			err = look_up(d, dir, name);
			dentry_put(d);
			inode_put(up);
			break;
		}
		inode_put(dir);
		dir = up;
		err = -ESTALE;		/* should this be the last: a ring */
	}
	inode_put(dir);
	return err;
}

static int connect_dir(struct inode *dir, struct dentry **out)
{
	char *name = kmalloc(NAME_MAX + 1, GFP_KERNEL);
	int err = name ? 0 : -ENOMEM;

	for (u32 round = 0; !err; round++) {
		*out = dentry_find_inode(dir);
		if (*out)
			break;
		err = round < 2 * MAX_DEPTH ? connect_level(dir, name) : -ESTALE;
	}
	kfree(name);
	return err;
}

static int find_dentry(struct super *sb, const u32 *words, u32 nr, struct dentry **out)
{
	struct inode *i;
	int err = sb->handles ? sb->handles->find(sb, words, nr, &i) : -ESTALE;

	if (err)
		return err;
	if (inode_is_dir(i)) {
		err = connect_dir(i, out);
		inode_put(i);
		return err;
	}
	*out = dentry_find_inode(i);
	if (*out) {
		inode_put(i);
		return 0;
	}
	*out = dentry_make_root(sb, i);
	return *out ? 0 : -ENOMEM;
}

static int mount_of_fd(int fd, struct mount **out)
{
	struct path cwd;
	struct file *f;
	u32 ref;

	if (fd == AT_FDCWD) {
		fs_get_cwd(&cwd);
		mount_get(cwd.mnt);
		*out = cwd.mnt;
		path_put(&cwd);
		return 0;
	}
	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	mount_get(f->path.mnt);
	*out = f->path.mnt;
	fdref_put(f, ref);
	return 0;
}

static int handle_to_path(int mount_fd, const struct handle_head __user *from, struct path *out)
{
	struct { struct handle_head head; u32 words[HANDLE_MAX / sizeof(u32)]; } h;
	int err;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (copy_from_user(&h.head, from, sizeof(h.head)))
		return -EFAULT;
	if (!h.head.bytes || h.head.bytes > HANDLE_MAX)
		return -EINVAL;
	if (copy_from_user(h.words, from + 1, h.head.bytes))
		return -EFAULT;
	err = mount_of_fd(mount_fd, &out->mnt);
	if (err)
		return err;
	err = find_dentry(out->mnt->sb, h.words, h.head.bytes / (u32)sizeof(u32), &out->dentry);
	if (!err)
		return 0;
	mount_put(out->mnt);
	return err == -ENOMEM ? err : -ESTALE;
}

long sys_open_by_handle_at(int mount_fd, void __user *handle, u32 flags)
{
	struct path p;
	struct file *f;
	int err = handle_to_path(mount_fd, handle, &p), fd;

	if (err)
		return err;
	fd = fd_reserve(0, flags);
	if (fd < 0) {
		path_put(&p);
		return fd;
	}
	err = vfs_open_at(&p, flags, &f);
	if (err) {
		fd_cancel(fd);
		return err;
	}
	fd_install(fd, f);
	return fd;
}
