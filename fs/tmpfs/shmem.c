/* Files without a name on a tmpfs of the kernel's own: shared anonymous memory. */
#include <fs/file.h>
#include <fs/tmpfs/tmpfs.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/shmem.h>

static struct super *shmem_super;
static const struct fs_type shmem_type = { .name = "tmpfs" };

int shmem_file_create(const char *name, u64 size, struct file **out)
{
	struct inode *inode;
	int err = tmpfs_inode(shmem_super, NULL, S_IFREG | 0777, 0, &inode);

	if (err)
		return -ENOMEM;
	inode->nlink = 0;
	inode->size = size;
	err = anon_file_on(name, inode, inode->fops, NULL, O_RDWR, out);
	if (err)
		inode_put(inode);
	return err;
}

static int shmem_init(void)
{
	return tmpfs_super(&shmem_type, TMPFS_MAGIC, "size=0", &shmem_super);
}
BOOT_INIT(fs, shmem_init);
