/* Character devices: from a device number to its driver's operations.
 *
 * Drivers that are always there stand in a section (CHARDEV), those that come at run time on a list (chardev_register).  Opening a
 * character special file looks the number up and replaces the file's operations by the driver's; from then on the VFS is out of
 * the way. */
#include <fs/devfs/devfs.h>
#include <drivers/block/block.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
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

/* The distinct pairs of major number and driver, of up to so many. */
#define MAX_DRIVERS	64
struct driver_list { u32 nr; const struct chardev *cds[MAX_DRIVERS]; };

static const char *driver_name(const struct chardev *cd) { return cd->driver ? cd->driver : cd->name; }

static void driver_note(struct driver_list *l, const struct chardev *cd)
{
	for (u32 i = 0; i < l->nr; i++)
		if (DEV_MAJOR(l->cds[i]->dev) == DEV_MAJOR(cd->dev) && !strcmp(driver_name(l->cds[i]), driver_name(cd)))
			return;
	if (l->nr < MAX_DRIVERS)
		l->cds[l->nr++] = cd;
}

static int devices_show(struct seq *s, void *arg)
{
	struct driver_list l = { 0 };
	const struct chardev *cd;

	(void)arg;
	for (cd = __chardevs_start; cd < __chardevs_end; cd++)
		driver_note(&l, cd);
	for (struct chardev_node *n = atomic_load_acquire(&registered); n; n = n->next)
		driver_note(&l, n->cd);
	seq_puts(s, "Character devices:\n");
	for (u32 major = 0; major < 4096; major++)
		for (u32 i = 0; i < l.nr; i++)
			if (DEV_MAJOR(l.cds[i]->dev) == major)
				seq_printf(s, "%3u %s\n", major, driver_name(l.cds[i]));
	seq_puts(s, "\nBlock devices:\n");
	block_majors_show(s);
	return 0;
}
PROC_FILE(devices, .path = "devices", .mode = 0444, .show = devices_show);

static void misc_line(struct seq *s, const struct chardev *cd)
{
	const char *slash = cd->name ? strrchr(cd->name, '/') : NULL;

	if (DEV_MAJOR(cd->dev) == 10)
		seq_printf(s, "%3u %s\n", DEV_MINOR(cd->dev), cd->misc ? cd->misc : slash ? slash + 1 : cd->name);
}

static int misc_show(struct seq *s, void *arg)
{
	const struct chardev *cd;

	(void)arg;
	for (struct chardev_node *n = atomic_load_acquire(&registered); n; n = n->next)
		misc_line(s, n->cd);
	for (cd = __chardevs_start; cd < __chardevs_end; cd++)
		misc_line(s, cd);
	return 0;
}
PROC_FILE(misc, .path = "misc", .mode = 0444, .show = misc_show);

static int chardev_open(struct inode *inode, struct file *f)
{
	const struct chardev *cd = chardev_find(inode->rdev);

	if (!cd)
		return -ENXIO;
	f->ops = cd->fops;
	return cd->fops->open ? cd->fops->open(inode, f) : 0;
}
const struct file_ops chardev_fops = { .open = chardev_open };

/* Sockets' special files, and what has no operations. */
static int noopen(struct inode *inode, struct file *f)
{
	(void)inode; (void)f;
	return -ENXIO;
}
const struct file_ops noopen_fops = { .open = noopen };
