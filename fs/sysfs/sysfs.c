/* sysfs: the directories that programs look for.  Devices will fill them. */
#include <fs/inode.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs.h>
#include <linux/magic.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>

static struct super *sys_super;		/* [I] after boot */

static int sysfs_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	(void)type; (void)flags; (void)source; (void)opts;
	if (!sys_super)
		return -ENODEV;
	super_get(sys_super);
	*out = sys_super;
	return 0;
}
FILESYSTEM(sysfs, .mount = sysfs_mount);

static int sysfs_init(void)
{
	static const char *const names[] = { "kernel", "devices", "class", "block", "bus", "dev", "fs", "module" };
	struct super *sb;
	int err = tmpfs_super_fixed(fs_type_find("sysfs"), SYSFS_MAGIC, "mode=0555", &sb);

	for (size_t i = 0; !err && i < ARRAY_SIZE(names); i++)
		err = tmpfs_add(sb->root->inode, names[i], S_IFDIR | 0555, 0, NULL);
	if (!err)
		sys_super = sb;
	return err;
}
BOOT_INIT(fs, sysfs_init);
