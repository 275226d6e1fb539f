/* Superblocks, and the table of filesystem types.
 *
 * A filesystem's mount() hands over a referenced superblock: a new one, or for those that show one tree everywhere (devtmpfs,
 * procfs) the old one again.  Each mount holds a reference; open files and paths hold their mount, so nothing of a filesystem is in
 * use when its last mount goes: the unused dentries are dropped, with them the inodes, then put_super() frees the rest. */
#include <fs/super.h>
#include <fs/dcache.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

static DEFINE_MUTEX(supers_mutex, LC_FS_PRIVATE);
static struct list_head supers = LIST_HEAD_INIT(supers);	/* [supers_mutex] */
static u64 anon_devs;					/* [supers_mutex] minor numbers in use, 1 to 63 */
static u32 next_minor = 64;				/* [supers_mutex] beyond those: never reused */

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
	spin_lock_init(&sb->inode_lock, LC_INODE_HASH);
	list_init(&sb->inodes);
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

void super_put(struct super *sb)
{
	struct super_corpse *c;

	if (!refcount_dec_and_test(&sb->refs))
		return;
	mutex_lock(&supers_mutex);
	list_del(&sb->link);
	if (DEV_MAJOR(sb->dev) == 0 && DEV_MINOR(sb->dev) < 64)
		anon_devs &= ~(1ull << DEV_MINOR(sb->dev));
	mutex_unlock(&supers_mutex);
	if (sb->ops && sb->ops->sync)
		sb->ops->sync(sb, true);
	dcache_prune_super(sb);
	if (sb->root)
		dentry_put(sb->root);
	if (sb->ops && sb->ops->put_super)
		sb->ops->put_super(sb);
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

int super_sync(struct super *sb, bool wait)
{
	return sb->ops && sb->ops->sync ? sb->ops->sync(sb, wait) : 0;
}

void supers_sync_all(bool wait)
{
	struct list_head *pos;

	mutex_lock(&supers_mutex);
	for (pos = supers.next; pos != &supers; pos = pos->next)
		super_sync(container_of(pos, struct super, link), wait);
	mutex_unlock(&supers_mutex);
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
