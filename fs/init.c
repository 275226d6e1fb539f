/* The VFS comes up: caches, the anonymous mount, the root in memory, the boot thread's place in it.
 *
 * The root begins with /dev/console, /dev and /root, as on Linux, so that an initramfs without device nodes still has a console. */
#include <fs/dcache.h>
#include <fs/devfs/devfs.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/debug.h>
#include <kernel/printk.h>
#include <kernel/task.h>

static struct fs_struct boot_fs;

void vfs_init(void)
{
	struct path root;
	int err;

	dcache_init();
	inode_cache_init();
	file_cache_init();
	err = mount_root_fs("rootfs", &root);
	if (err)
		panic("vfs: no root filesystem: error %d", err);
	refcount_set(&boot_fs.refs, 1);
	spin_lock_init(&boot_fs.lock, LC_FS_STRUCT);
	boot_fs.umask = 022;
	boot_fs.root = root;
	boot_fs.cwd = root;
	path_get(&root);
	current->fs = &boot_fs;
	refcount_inc(&boot_fs.refs);	/* never freed: it is not from the heap */
	current->files = fdtable_create();
	VERIFY(current->files);
	devfs_init();
	if (vfs_mkdir("/dev", 0755) || vfs_mknod("/dev/console", S_IFCHR | 0600, MKDEV_K(5, 1)) || vfs_mkdir("/root", 0700))
		pr_warn("vfs: cannot make /dev/console\n");
}
