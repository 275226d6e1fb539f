/* Superblocks, and the table of filesystem types.
 *
 * A filesystem's mount() hands over a referenced superblock: a new one, or for those that show one tree everywhere (devtmpfs,
 * procfs) the old one again.  Each mount holds a reference; open files and paths hold their mount, so nothing of a filesystem is in
 * use when its last mount goes: the unused dentries are dropped, with them the inodes, then put_super() frees the rest. */
#include <drivers/block/block.h>
#include <fs/super.h>
#include <fs/buffer.h>
#include <fs/dcache.h>
#include <fs/notify.h>
#include <fs/seq.h>
#include <fs/write_gate.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/wait.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static DEFINE_MUTEX(supers_mutex, LC_FS_PRIVATE);
static struct list_head supers = LIST_HEAD_INIT(supers);	/* [supers_mutex] */
static u64 anon_devs;					/* [supers_mutex] minor numbers in use, 1 to 63 */
static u32 next_minor = 64;				/* [supers_mutex] beyond those: never reused */
static DEFINE_MUTEX(device_mutex, LC_MOUNT_DEVICE);	/* one mount of a device at a time */
static DEFINE_WAIT_QUEUE(supers_gone);			/* a superblock left the list: */
static u32 supers_left;					/* [a] how many so far */

static dev_t_k anon_dev_get(void)
{
	for (u32 i = 1; i < 64; i++)
		if (!(anon_devs & 1ull << i)) {
			anon_devs |= 1ull << i;
			return MKDEV_K(0, i);
		}
	return MKDEV_K(0, next_minor++);
}

struct super *super_create(const struct fs_type *type, const struct super_ops *ops, u64 magic)
{
	struct super *sb = kzalloc(sizeof(*sb), GFP_KERNEL);

	if (!sb)
		return NULL;
	sb->type = type;
	sb->ops = ops;
	sb->magic = magic;
	sb->block_size = PAGE_SIZE;
	sb->max_bytes = 0x7fffffffffffffffull;
	mutex_init(&sb->rename_mutex, LC_RENAME);
	spin_lock_init(&sb->mounts_lock, LC_INODE_HASH);
	list_init(&sb->mounts);
	list_init(&sb->watches);
	refcount_set(&sb->refs, 1);
	mutex_lock(&supers_mutex);
	sb->dev = anon_dev_get();
	list_add_tail(&sb->link, &supers);
	mutex_unlock(&supers_mutex);
	return sb;
}

/* Inodes still wait for their grace period and look at sb->ops in it, so the memory goes after rcu_barrier(), from a worker. */
struct super_corpse { struct work work; struct super *sb; };

static void super_free_rcu(struct work *w)
{
	struct super_corpse *c = container_of(w, struct super_corpse, work);

	rcu_barrier();
	kfree(c->sb);
	kfree(c);
}

/* The number is another's now; 1 to 63 are used again. */
static void anon_dev_put(dev_t_k dev)
{
	if (DEV_MAJOR(dev) == 0 && DEV_MINOR(dev) < 64)
		anon_devs &= ~(1ull << DEV_MINOR(dev));
}

/* It stays in the list until its device is closed: who wants to mount that again waits. */
void super_put(struct super *sb)
{
	struct super_corpse *c;

	if (!refcount_dec_and_test(&sb->refs))
		return;
	super_sync(sb, true);
	notify_super_gone(sb);
	dcache_prune_super(sb);
	super_release_inodes(sb);
	if (sb->bdev)			/* what the ends of files without a name have changed */
		super_sync(sb, true);
	if (sb->root)
		dentry_put(sb->root);
	if (sb->ops && sb->ops->put_super)
		sb->ops->put_super(sb);
	if (sb->bdev)
		block_close(sb->bdev, sb);
	gate_free(sb->gate);
	mutex_lock(&supers_mutex);
	list_del(&sb->link);
	anon_dev_put(sb->dev);
	mutex_unlock(&supers_mutex);
	__atomic_fetch_add(&supers_left, 1, __ATOMIC_RELEASE);	/* pairs with the acquire in mounted_on */
	wake_up_all(&supers_gone);
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c) {
		rcu_barrier();
		kfree(sb);
		return;
	}
	c->sb = sb;
	work_init(&c->work, super_free_rcu);
	work_queue(&c->work);
}

const struct fs_type *fs_type_find(const char *name)
{
	const struct fs_type *t;

	for (t = __filesystems_start; t < __filesystems_end; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

/* Files, then what the filesystem keeps to itself, then the blocks of metadata that both have changed; then all that is durable. */
int super_sync(struct super *sb, bool wait)
{
	int err = super_write_all(sb, wait), e = 0;

	if (sb->ops && sb->ops->sync)
		e = sb->ops->sync(sb, wait);
	if (!err)
		err = e;
	if (!wait || !sb->bdev)
		return err;
	buffers_sync(sb->bdev);
	e = error_check(&sb->bdev->inode->data.wb_err, &sb->bdev_err);	/* once, though nobody has the device open to be told */
	if (e)
		error_note(&sb->wb_err, e);
	if (!err)
		err = e;
	e = block_flush(sb->bdev);
	return err ? err : e;
}

/* The next superblock after sb (NULL: the first) that is whole, referenced; sb, which is, stays in the list until it is put. */
static struct super *super_after(struct super *sb)
{
	struct super *next = NULL;

	mutex_lock(&supers_mutex);
	for (struct list_head *pos = sb ? sb->link.next : supers.next; pos != &supers && !next; pos = pos->next) {
		struct super *s = container_of(pos, struct super, link);

		if (READ_ONCE(s->root) && refcount_inc_not_zero(&s->refs))
			next = s;
	}
	mutex_unlock(&supers_mutex);
	if (sb)
		super_put(sb);
	return next;
}

void supers_sync_all(bool wait)
{
	for (struct super *sb = super_after(NULL); sb; sb = super_after(sb))
		super_sync(sb, wait);
	writers_write_all(wait);	/* block devices without a file system */
}

#define REMOUNT_FLAGS	(MS_RDONLY | MS_SYNCHRONOUS)

int super_remount(struct super *sb, u32 flags, const char *opts)
{
	u32 was = atomic_load(&sb->flags);
	bool to_rdonly = flags & MS_RDONLY && !(was & MS_RDONLY);
	int err = 0;

	if (to_rdonly) {
		atomic_store(&sb->flags, was | MS_RDONLY);	/* nobody begins to change anything any more */
		err = super_sync(sb, true);
	}
	if (!err && sb->ops && sb->ops->remount)
		err = sb->ops->remount(sb, flags, opts);
	if (err)
		atomic_store(&sb->flags, was);
	else {
		atomic_fetch_or(&sb->flags, flags & REMOUNT_FLAGS);
		atomic_fetch_and(&sb->flags, flags | ~(u32)REMOUNT_FLAGS);
	}
	return err;
}

void supers_read_only(void)
{
	for (struct super *sb = super_after(NULL); sb; sb = super_after(sb))
		if (sb->bdev && !(atomic_load(&sb->flags) & MS_RDONLY)) {
			int err = super_remount(sb, MS_RDONLY, "");

			if (err)
				pr_err("%s on %s: not made read-only, error %d\n", sb->type->name, sb->source, -err);
		}
	supers_sync_all(true);
}

/* --- superblocks of block devices --- */

/* The superblock of the device: 0 and referenced in *out, or NULL; 1: one is just leaving. */
static int find_mounted(dev_t_k dev, struct super **out)
{
	struct super *sb;
	int going = 0;

	*out = NULL;
	mutex_lock(&supers_mutex);
	list_for_each_entry(sb, &supers, link)
		if (sb->bdev && sb->bdev->dev == dev) {
			if (refcount_inc_not_zero(&sb->refs))
				*out = sb;
			else
				going = 1;
			break;
		}
	mutex_unlock(&supers_mutex);
	return going;
}

/* The same, once nobody is leaving. */
static struct super *mounted_on(dev_t_k dev)
{
	struct super *sb;
	u32 seen = atomic_load_acquire(&supers_left);

	while (find_mounted(dev, &sb)) {
		wait_event(&supers_gone, atomic_load_acquire(&supers_left) != seen);
		seen = atomic_load_acquire(&supers_left);
	}
	return sb;
}

static int make_on_device(const struct fs_type *type, const struct super_ops *ops, u64 magic, u32 flags, dev_t_k dev, const char *opts,
			  int (*fill)(struct super *sb, const char *opts), struct super **out)
{
	struct super *sb = super_create(type, ops, magic);
	int err;

	if (!sb)
		return -ENOMEM;
	sb->flags = flags & (MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_SILENT);
	sb->gate = gate_create();
	err = sb->gate ? block_open(dev, !(flags & MS_RDONLY), sb, &sb->bdev) : -ENOMEM;
	if (err)
		sb->bdev = NULL;
	if (!err) {
		mutex_lock(&supers_mutex);
		anon_dev_put(sb->dev);
		sb->dev = dev;
		mutex_unlock(&supers_mutex);
		sb->writer = sb->bdev->inode->data.writer;
		sb->bdev_err = error_sample(&sb->bdev->inode->data.wb_err);
		err = fill(sb, opts);
	}
	if (err) {
		super_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

int super_of_device(const struct fs_type *type, const struct super_ops *ops, u64 magic, u32 flags, const char *source, const char *opts,
		    int (*fill)(struct super *sb, const char *opts), struct super **out)
{
	struct block_device *bdev;
	int err = source ? block_open_path(source, false, NULL, &bdev) : -EINVAL;

	if (err)
		return err;
	mutex_lock(&device_mutex);
	*out = mounted_on(bdev->dev);
	if (!*out) {
		err = make_on_device(type, ops, magic, flags, bdev->dev, opts, fill, out);
	} else if ((*out)->type != type || ((*out)->flags ^ flags) & MS_RDONLY) {
		super_put(*out);
		err = -EBUSY;
	}
	mutex_unlock(&device_mutex);
	block_close(bdev, NULL);
	return err;
}

static int filesystems_show(struct seq *s, void *arg)
{
	const struct fs_type *t;

	(void)arg;
	for (t = __filesystems_start; t < __filesystems_end; t++)
		seq_printf(s, "%s\t%s\n", t->flags & FS_REQUIRES_DEV ? "" : "nodev", t->name);
	return 0;
}
PROC_FILE(filesystems, .path = "filesystems", .mode = 0444, .show = filesystems_show);
