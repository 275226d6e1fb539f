/* Character devices: from a device number to its driver's operations.
 *
 * Drivers that are always there stand in a section (CHARDEV), those that come at run time on a list (chardev_register).  Opening a
 * character special file looks the number up and replaces the file's operations by the driver's; from then on the VFS is out of
 * the way. */
#include <fs/devfs/devfs.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <mm/slab.h>

struct chardev_node { const struct chardev *cd; struct chardev_node *next; };
static struct chardev_node *registered;		/* [a] only ever grows, at the head */

static bool covers(const struct chardev *cd, dev_t_k dev)
{
	return dev >= cd->dev && dev < cd->dev + (cd->count ? cd->count : 1);
}

static const struct chardev *chardev_find(dev_t_k dev)
{
	const struct chardev *cd;

	for (cd = __chardevs_start; cd < __chardevs_end; cd++)
		if (covers(cd, dev))
			return cd;
	for (struct chardev_node *n = atomic_load_acquire(&registered); n; n = n->next)
		if (covers(n->cd, dev))
			return n->cd;
	return NULL;
}

int chardev_register(const struct chardev *cd)
{
	struct chardev_node *n = kmalloc(sizeof(*n), GFP_KERNEL);

	if (!n)
		return -ENOMEM;
	n->cd = cd;
	do {
		n->next = atomic_load(&registered);
	} while (!atomic_cas(&registered, n->next, n));
	return devfs_add_node(cd);
}

void chardev_each(void (*fn)(const struct chardev *cd))
{
	const struct chardev *cd;

	for (cd = __chardevs_start; cd < __chardevs_end; cd++)
		fn(cd);
	for (struct chardev_node *n = atomic_load_acquire(&registered); n; n = n->next)
		fn(n->cd);
}

static void device_line(struct seq *s, u32 *shown, const struct chardev *cd)
{
	u32 ma = DEV_MAJOR(cd->dev);

	if (ma < 512 && shown[ma / 32] >> ma % 32 & 1)
		return;
	if (ma < 512)
		shown[ma / 32] |= 1u << ma % 32;
	seq_printf(s, "%3u %s\n", ma, cd->name ? cd->name : "?");
}

static int devices_show(struct seq *s, void *arg)
{
	const struct chardev *cd;
	u32 shown[16] = { 0 };

	(void)arg;
	seq_puts(s, "Character devices:\n");
	for (cd = __chardevs_start; cd < __chardevs_end; cd++)
		device_line(s, shown, cd);
	for (struct chardev_node *n = atomic_load_acquire(&registered); n; n = n->next)
		device_line(s, shown, n->cd);
	seq_puts(s, "\nBlock devices:\n");
	return 0;
}
PROC_FILE(devices, .path = "devices", .mode = 0444, .show = devices_show);

static int chardev_open(struct inode *inode, struct file *f)
{
	const struct chardev *cd = chardev_find(inode->rdev);

	if (!cd)
		return -ENXIO;
	f->ops = cd->fops;
	return cd->fops->open ? cd->fops->open(inode, f) : 0;
}
const struct file_ops chardev_fops = { .open = chardev_open };

/* Sockets' and block devices' special files, and what has no operations. */
static int noopen(struct inode *inode, struct file *f)
{
	(void)inode; (void)f;
	return -ENXIO;
}
const struct file_ops noopen_fops = { .open = noopen };
