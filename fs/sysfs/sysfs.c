/* sysfs: the directories that programs look for.  Devices will fill them. */
#include <fs/inode.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs.h>
#include <linux/magic.h>
#include <kernel/lib/types.h>

static struct super *sys_super;		/* [I] once made */
static DEFINE_MUTEX(sys_mutex, LC_FS_PRIVATE);

static int make_tree(const struct fs_type *type)
{
	static const char *const names[] = { "kernel", "devices", "class", "block", "bus", "dev", "fs", "module", "power", "firmware" };
	int err = tmpfs_super(type, SYSFS_MAGIC, "mode=0555", &sys_super);

	for (size_t i = 0; !err && i < ARRAY_SIZE(names); i++)
		err = tmpfs_add(sys_super->root->inode, names[i], S_IFDIR | 0555, 0, NULL);
	return err;
}

static int sysfs_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	int err = 0;

	(void)flags; (void)source; (void)opts;
	mutex_lock(&sys_mutex);
	if (!sys_super)
		err = make_tree(type);
	if (!err) {
		super_get(sys_super);
		*out = sys_super;
	}
	mutex_unlock(&sys_mutex);
	return err;
}

FILESYSTEM(sysfs, .mount = sysfs_mount);
