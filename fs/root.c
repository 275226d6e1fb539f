/* The root on a block device: root=, rootfstype=, rootflags=, ro, rw, rootwait, rootdelay=.
 *
 * As on Linux: the device gets the node /dev/root in the first root (in memory), is mounted on /root there by the type that rootfstype=
 * names, or else by each that wants a device until one takes it; then that mount is moved over /, and process 1 enters it.  It is mounted
 * read-only unless `rw` is given: whoever checks file systems at boot does so then, and mounts again.  The file system in memory stays
 * below, empty but for what the initramfs brought.  devtmpfs is mounted on the new root's /dev, where there is one. */
#include <drivers/block/block.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/root.h>
#include <fs/super.h>
#include <kernel/debug.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/time/time.h>
#include <linux/fcntl.h>

static const char *root_spec, *root_types, *root_options;
static bool root_writable, root_waits;
static u64 root_delay;

static void param_root(const char *v) { root_spec = v; }
static void param_types(const char *v) { root_types = v; }
static void param_options(const char *v) { root_options = v; }
static void param_ro(const char *v) { (void)v; root_writable = false; }
static void param_rw(const char *v) { (void)v; root_writable = true; }
static void param_wait(const char *v) { (void)v; root_waits = true; }
static void param_delay(const char *v) { if (!v || kstrtou64(v, 0, &root_delay)) root_delay = 0; }
BOOT_PARAM("root", param_root);
BOOT_PARAM("rootfstype", param_types);
BOOT_PARAM("rootflags", param_options);
BOOT_PARAM("ro", param_ro);
BOOT_PARAM("rw", param_rw);
BOOT_PARAM("rootwait", param_wait);
BOOT_PARAM("rootdelay", param_delay);

bool root_wanted(void) { return root_spec && *root_spec; }

static const char *inits_tried;

static __noreturn void give_up(const char *what, const char *tried)
{
	static char devices[512];

	block_list(devices, sizeof(devices));
	panic("cannot mount root=%s: %s%s; block devices: %s; no init found: tried %s", root_spec, what, tried, *devices ? devices : "none", inits_tried);
}

static void find_device(dev_t_k *dev)
{
	u32 seen;
	int err;

	if (root_delay)
		sleep_ns(root_delay * NSEC_PER_SEC);
	for (;;) {
		seen = disks_seen();
		err = block_find(root_spec, dev);
		if (!err)
			return;
		if (err == -EINVAL)
			give_up("not the name of a block device", "");
		if (!root_waits)
			give_up("no such device", "");
		pr_info("root: waiting for %s\n", root_spec);
		disks_wait(seen);
	}
}

/* One type, read-only if the device is. */
static int mount_as(const char *type, u64 *flags)
{
	int err = vfs_mount_kernel("/dev/root", "/root", type, *flags, root_options);

	if ((err == -EACCES || err == -EROFS) && !(*flags & MS_RDONLY)) {
		*flags |= MS_RDONLY;
		err = vfs_mount_kernel("/dev/root", "/root", type, *flags, root_options);
	}
	return err;
}

static char tried[256];

static bool try_type(const char *type, u64 *flags)
{
	size_t n = strlen(tried);
	int err = mount_as(type, flags);

	if (!err)
		return true;
	scnprintf(tried + n, sizeof(tried) - n, "%s%s (error %d)", n ? ", " : "tried ", type, err);
	return false;
}

/* The name of the type that took it; NULL: none did. */
static const char *mount_some_type(u64 *flags)
{
	static char name[32];
	const struct fs_type *t;
	const char *from, *to;

	for (from = root_types; from && *from; from = *to ? to + 1 : to) {
		to = strchr(from, ',');
		to = to ? to : from + strlen(from);
		scnprintf(name, min((size_t)(to - from) + 1, sizeof(name)), "%s", from);
		if (*name && try_type(name, flags))
			return name;
	}
	for (t = __filesystems_start; !root_types && t < __filesystems_end; t++)
		if ((t->flags & FS_REQUIRES_DEV) && try_type(t->name, flags))
			return t->name;
	return NULL;
}

/* Everything that process 1 does from now on happens in the mount on /root. */
static int enter(void)
{
	struct path p;
	int err = vfs_mount_kernel("/root", "/", NULL, MS_MOVE, NULL);

	if (!err)
		err = path_lookup(AT_FDCWD, "/", LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	path_follow_down(&p);
	fs_set_root(&p);
	fs_set_cwd(&p);
	path_put(&p);
	return 0;
}

void root_mount(const char *inits)
{
	u64 flags = root_writable ? 0 : MS_RDONLY;
	const char *type;
	dev_t_k dev;
	int err;

	inits_tried = inits;
	find_device(&dev);
	err = vfs_mknod("/dev/root", S_IFBLK | 0600, dev);
	if (err)
		panic("root: cannot make /dev/root: error %d", err);
	type = mount_some_type(&flags);
	if (!type)
		give_up(*tried ? "" : "no file system for block devices", tried);
	err = vfs_mount_kernel("devtmpfs", "/root/dev", "devtmpfs", 0, NULL);
	if (err && err != -ENOENT)
		pr_warn("root: devtmpfs is not on /dev: error %d\n", err);
	err = enter();
	if (err)
		panic("root: cannot enter it: error %d", err);
	pr_info("root: %s (%s), %s, device %u:%u\n", root_spec, type, flags & MS_RDONLY ? "read-only" : "writable", DEV_MAJOR(dev), DEV_MINOR(dev));
}
