/* devtmpfs (and its alias devfs): one tmpfs for all its mounts, with a node for every device that has a number.
 *
 * The nodes are made by the kernel when a driver registers; programs may add, remove and change nodes as in any tmpfs. */
#include <drivers/base/device.h>
#include <fs/devfs/devfs.h>
#include <fs/inode.h>
#include <fs/namei.h>
#include <fs/notify.h>
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

/* --- devices that come and go: their names are made and removed through the dentry cache, which may know already that they are not there */

/* The child q of parent, referenced, made a directory if it is not there and make says so; NULL: it is none. */
static struct dentry *subdir(struct dentry *parent, const struct qname *q, bool make)
{
	struct inode *dir = parent->inode, *made;
	struct dentry *d;

	rwsem_write_lock(&dir->lock);
	if (dir_lookup(parent, q, &d)) {
		rwsem_write_unlock(&dir->lock);
		return NULL;
	}
	if (!d->inode && make && !dir->ops->mkdir(dir, d->name, d->name_len, S_IFDIR | 0755, &made)) {
		made->uid = made->gid = 0;
		dentry_instantiate(d, made);
		notify_name(dir, IN_CREATE, d->name, d->name_len, made);
	}
	rwsem_write_unlock(&dir->lock);
	if (d->inode && inode_is_dir(d->inode))
		return d;
	dentry_put(d);
	return NULL;
}

/* The directory in which name's last component stands, referenced; *name moves on to that. */
static struct dentry *parent_of(const char **name, bool make)
{
	struct dentry *d = dev_super->root;
	const char *slash;

	dentry_get(d);
	while (d && (slash = strchr(*name, '/'))) {
		struct qname q = qname_of(*name, (u32)(slash - *name));
		struct dentry *sub = subdir(d, &q, make);

		dentry_put(d);
		d = sub;
		*name = slash + 1;
	}
	return d;
}

static int node_add(const char *name, u32 mode, dev_t_k dev)
{
	struct dentry *parent = parent_of(&name, true), *d;
	struct qname q = qname_of(name, (u32)strlen(name));
	struct inode *dir, *made;
	int err;

	if (!parent)
		return -ENOTDIR;
	dir = parent->inode;
	rwsem_write_lock(&dir->lock);
	err = dir_lookup(parent, &q, &d);
	if (!err) {
		if (!d->inode)
			err = dir->ops->create(dir, d->name, d->name_len, mode, dev, &made);
		else if ((READ_ONCE(d->inode->mode) ^ mode) & S_IFMT_K || d->inode->rdev != dev)
			err = -EEXIST;		/* a program put something else there */
		if (!err && !d->inode) {
			made->uid = made->gid = 0;	/* whoever set the device up */
			dentry_instantiate(d, made);
			notify_name(dir, IN_CREATE, d->name, d->name_len, made);
		}
		dentry_put(d);
	}
	rwsem_write_unlock(&dir->lock);
	dentry_put(parent);
	return err;
}

static void node_remove(const char *name, u32 type, dev_t_k dev)
{
	struct dentry *parent = parent_of(&name, false), *d;
	struct qname q = qname_of(name, (u32)strlen(name));
	struct inode *dir, *victim = NULL;

	if (!parent)
		return;
	dir = parent->inode;
	rwsem_write_lock(&dir->lock);
	if (!dir_lookup(parent, &q, &d)) {
		if (d->inode && MODE_IS(READ_ONCE(d->inode->mode), type) && d->inode->rdev == dev) {	/* else it is somebody else's */
			victim = d->inode;
			inode_get(victim);
			if (!dir->ops->unlink(dir, d->name, d->name_len, victim)) {
				notify_inode(victim, IN_ATTRIB);
				dentry_delete(d);
				notify_name(dir, IN_DELETE, q.name, q.len, victim);
			}
		}
		dentry_put(d);
	}
	rwsem_write_unlock(&dir->lock);
	if (victim)
		inode_put(victim);
	dentry_put(parent);
}

static void node_event(struct device *d, enum device_action action, const char *env, size_t len)
{
	u32 type = d->block ? S_IFBLK : S_IFCHR;
	char name[LINK_NAME_MAX];
	int err = 0;

	(void)env; (void)len;
	if (!d->dev || !dev_super || !device_node(d, name))
		return;
	if (action == DEVICE_ADD)
		err = node_add(name, type | (d->mode ? d->mode : 0600), d->dev);
	else if (action == DEVICE_REMOVE)
		node_remove(name, type, d->dev);
	if (err)
		pr_warn("devfs: %s: error %d\n", name, err);
}
DEVICE_LISTENER(devfs, .event = node_event);

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
