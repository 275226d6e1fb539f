/* devtmpfs (and its alias devfs): one tmpfs for all its mounts, with a node for every character device.
 *
 * The nodes are made by the kernel when a driver registers; programs may add, remove and change nodes as in any tmpfs. */
#include <fs/devfs/devfs.h>
#include <fs/inode.h>
#include <fs/namei.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/magic.h>

static struct super *dev_super;		/* [I] after devfs_init */

/* Make name, which may hold directories. */
static int add_path(struct inode *dir, const char *name, u32 mode, dev_t_k dev)
{
	char part[64];
	int err = 0;

	inode_get(dir);
	for (;;) {
		const char *slash = strchr(name, '/');
		struct inode *sub = NULL;

		if (!slash) {
			err = tmpfs_add(dir, name, mode, dev, NULL);
			break;
		}
		if ((size_t)(slash - name) >= sizeof(part)) {
			err = -ENAMETOOLONG;
			break;
		}
		memcpy(part, name, (size_t)(slash - name));
		part[slash - name] = 0;
		err = tmpfs_add(dir, part, S_IFDIR | 0755, 0, &sub);
		if (err == -EEXIST)
			err = dir->ops->lookup(dir, part, (u32)(slash - name), &sub);
		if (err)
			break;
		inode_put(dir);
		dir = sub;
		name = slash + 1;
	}
	inode_put(dir);
	return err;
}

int devfs_add_node(const struct chardev *cd)
{
	int err;

	if (!dev_super || !cd->name)
		return 0;
	err = add_path(dev_super->root->inode, cd->name, S_IFCHR | (cd->mode ? cd->mode : 0600), cd->dev);
	return err == -EEXIST ? 0 : err;
}

/* The names of devices that come and go are made and removed through the dentry cache, which may know already that they are not there. */
int devfs_add(const char *name, u32 mode, dev_t_k dev)
{
	struct qname q = qname_of(name, (u32)strlen(name));
	struct dentry *root, *d;
	struct inode *made;
	int err;

	if (!dev_super)
		return -ENODEV;
	root = dev_super->root;
	rwsem_write_lock(&root->inode->lock);
	err = dir_lookup(root, &q, &d);
	if (!err && d->inode) {
		dentry_put(d);
		err = -EEXIST;
	}
	if (err) {
		rwsem_write_unlock(&root->inode->lock);
		return err;
	}
	err = root->inode->ops->create(root->inode, d->name, d->name_len, mode, dev, &made);
	if (!err) {
		made->uid = made->gid = 0;	/* whoever set the device up */
		dentry_instantiate(d, made);
	}
	rwsem_write_unlock(&root->inode->lock);
	dentry_put(d);
	return err;
}

void devfs_remove(const char *name, u32 type, dev_t_k dev)
{
	struct qname q = qname_of(name, (u32)strlen(name));
	struct inode *victim = NULL;
	struct dentry *root, *d;

	if (!dev_super)
		return;
	root = dev_super->root;
	rwsem_write_lock(&root->inode->lock);
	if (dir_lookup(root, &q, &d)) {
		rwsem_write_unlock(&root->inode->lock);
		return;
	}
	if (d->inode && MODE_IS(d->inode->mode, type) && d->inode->rdev == dev) {	/* else a program put something else there */
		victim = d->inode;
		inode_get(victim);
		if (!root->inode->ops->unlink(root->inode, d->name, d->name_len, victim))
			dentry_delete(d);
	}
	rwsem_write_unlock(&root->inode->lock);
	dentry_put(d);
	if (victim)
		inode_put(victim);
}

static void add_one(const struct chardev *cd)
{
	int err = devfs_add_node(cd);

	if (err)
		pr_warn("devfs: %s: error %d\n", cd->name, err);
}

static int devfs_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	(void)type; (void)flags; (void)source; (void)opts;
	if (!dev_super)
		return -ENODEV;
	super_get(dev_super);
	*out = dev_super;
	return 0;
}

FILESYSTEM(devtmpfs, .mount = devfs_mount);
FILESYSTEM(devfs, .mount = devfs_mount);

void devfs_init(void)
{
	struct inode *root;
	int err = tmpfs_super(fs_type_find("devtmpfs"), TMPFS_MAGIC, "mode=0755", &dev_super);

	if (err) {
		pr_err("devfs: error %d\n", err);
		return;
	}
	root = dev_super->root->inode;
	chardev_each(add_one);
	tmpfs_add(root, "pts", S_IFDIR | 0755, 0, NULL);
	tmpfs_add(root, "shm", S_IFDIR | 01777, 0, NULL);
}
