/* The parts of a disk: found by its partition table, added and removed by programs.
 *
 * disk->scan_mutex is held over a change of the set of parts, so that there is one at a time; disk->mutex only while the list itself changes,
 * since a device's removal waits for whoever shows an attribute, and attributes take disk->mutex.  So a part that is being removed is off the list
 * first: nobody opens it any more.  One that is open stays, and the change is refused with -EBUSY. */
#include <arch/uaccess.h>
#include <drivers/block/disk.h>
#include <drivers/block/part.h>
#include <drivers/block/rescan.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/lib/fmt.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/capability.h>
#include <mm/page.h>

/* --- what the table says */

struct scan { struct disk *disk; struct block_device *whole; struct list_head found; };

/* By way of the page cache, which programs that write tables share. */
static int scan_read(void *arg, u64 first, u32 nr, void *buf)
{
	struct scan *scan = arg;
	u64 at = first << SECTOR_SHIFT, end = at + ((u64)nr << SECTOR_SHIFT);
	int err = 0;

	while (at < end) {
		u64 off = at & (PAGE_SIZE - 1), len = min(PAGE_SIZE - off, end - at);
		struct page *p;

		err = filemap_get(&scan->whole->inode->data, at >> PAGE_SHIFT, true, &p);
		if (err)
			return err;
		memcpy(buf, (char *)page_address(p) + off, len);
		page_put(p);
		buf = (char *)buf + len;
		at += len;
	}
	return 0;
}

static int scan_found(void *arg, const struct part_entry *e)
{
	struct scan *scan = arg;
	struct block_device *b = block_device_create(scan->disk, e->number, e->start, e->nr);

	if (!b)
		return -ENOMEM;
	strscpy((char *)b->partuuid, e->uuid, sizeof(b->partuuid));
	strscpy((char *)b->partlabel, e->label, sizeof(b->partlabel));
	list_add_tail(&b->link, &scan->found);
	return 0;
}

static void scan_warn(void *arg, const char *text)
{
	struct scan *scan = arg;

	pr_warn("block: %s: %s\n", scan->disk->name, text);
}

static int scan_table(struct scan *scan, const char **format)
{
	const struct part_source source = {
		.read = scan_read, .found = scan_found, .warn = scan_warn, .arg = scan, .nr_sectors = scan->whole->nr_sectors,
		.logical_size = scan->disk->limits.logical_size,
	};

	list_init(&scan->found);
	return part_parse(&source, format);
}

/* --- changes; scan_mutex held */

static struct block_device *find_part(struct disk *d, u32 partno)
{
	struct block_device *b;

	list_for_each_entry(b, &d->parts, link)
		if (b->partno == partno)
			return b;
	return NULL;
}

static void add(struct disk *d, struct block_device *b)
{
	struct list_head *pos;

	mutex_lock(&d->mutex);
	list_for_each(pos, &d->parts)		/* by number */
		if (list_entry(pos, struct block_device, link)->partno > b->partno)
			break;
	list_add_tail(&b->link, pos);
	mutex_unlock(&d->mutex);
	block_dir_add(b);
}

static void remove(struct block_device *b)
{
	block_dir_remove(b);
	block_device_free(b);
}

/* Take all parts off the list, or none if one is open.  The disk that is gone loses its directories, but keeps parts that are open. */
static int take_all(struct disk *d, struct list_head *taken)
{
	struct block_device *b;

	list_init(taken);
	mutex_lock(&d->mutex);
	list_for_each_entry(b, &d->parts, link)
		if (b->openers) {
			mutex_unlock(&d->mutex);
			return -EBUSY;
		}
	while (!list_empty(&d->parts))
		list_move_tail(d->parts.next, taken);
	mutex_unlock(&d->mutex);
	return 0;
}

static void log_parts(struct disk *d, const char *format)
{
	char line[128];
	size_t n = 0;
	struct block_device *b;

	line[0] = 0;
	list_for_each_entry(b, &d->parts, link)
		n += (size_t)scnprintf(line + n, sizeof(line) - n, " %s", b->name);
	if (n)
		pr_info("block: %s: %s:%s\n", d->name, format, line);
}

static void replace_all(struct disk *d, struct list_head *old, struct list_head *new)
{
	struct block_device *b, *next;

	list_for_each_entry_safe(b, next, old, link) {
		list_del(&b->link);
		remove(b);
	}
	list_for_each_entry_safe(b, next, new, link) {
		list_del(&b->link);
		add(d, b);
	}
}

int disk_rescan(struct disk *d)
{
	struct scan scan = { .disk = d };
	struct list_head old;
	const char *format;
	int ret = block_open(d->dev, false, NULL, &scan.whole);

	if (ret)
		return ret;
	mutex_lock(&d->scan_mutex);
	ret = atomic_load(&d->dead) ? -ENXIO : take_all(d, &old);	/* it has no directory any more that others could stand in */
	if (!ret) {
		ret = scan_table(&scan, &format);
		if (ret < 0)
			pr_warn("block: %s: the partition table cannot be read: error %d\n", d->name, ret);
		replace_all(d, &old, &scan.found);
		if (ret > 0)
			log_parts(d, format);
	}
	mutex_unlock(&d->scan_mutex);
	block_close(scan.whole, NULL);
	return min(ret, 0);
}

void disk_forget_parts(struct disk *d)
{
	struct block_device *b;

	mutex_lock(&d->scan_mutex);		/* the list does not change, and who looks at it needs disk->mutex, which we do not hold */
	list_for_each_entry(b, &d->parts, link)
		block_dir_remove(b);
	mutex_unlock(&d->scan_mutex);
}

/* --- one by one: BLKPG */

static bool overlaps(struct disk *d, u32 partno, u64 start, u64 nr)
{
	const struct block_device *b;

	list_for_each_entry(b, &d->parts, link)
		if (b->partno != partno && start < b->start + b->nr_sectors && b->start < start + nr)
			return true;
	return false;
}

static int part_add(struct disk *d, u32 partno, u64 start, u64 nr)
{
	struct block_device *b;

	if (find_part(d, partno) || overlaps(d, partno, start, nr))
		return -EBUSY;
	b = block_device_create(d, partno, start, nr);
	if (!b)
		return -ENOMEM;
	add(d, b);
	return 0;
}

static int part_del(struct disk *d, u32 partno)
{
	struct block_device *b;
	int err = 0;

	mutex_lock(&d->mutex);
	b = find_part(d, partno);
	if (!b)
		err = -ENXIO;
	else if (b->openers)
		err = -EBUSY;
	else
		list_del(&b->link);
	mutex_unlock(&d->mutex);
	if (!err)
		remove(b);
	return err;
}

static int part_resize(struct disk *d, u32 partno, u64 start, u64 nr)
{
	struct block_device *b;
	int err = 0;

	mutex_lock(&d->mutex);
	b = find_part(d, partno);
	if (!b)
		err = -ENXIO;
	else if (b->start != start)
		err = -EINVAL;
	else if (overlaps(d, partno, start, nr))
		err = -EBUSY;
	else
		block_device_resize(b, nr);
	mutex_unlock(&d->mutex);
	return err;
}

static int change(struct disk *d, int op, const struct blkpg_partition *p)
{
	u64 start = (u64)p->start >> SECTOR_SHIFT, nr = (u64)p->length >> SECTOR_SHIFT, all = d->whole->nr_sectors;
	int err;

	if (p->pno <= 0 || p->pno > (int)PART_MAX)
		return -EINVAL;
	if (op != BLKPG_DEL_PARTITION && (p->start < 0 || p->length <= 0 || ((p->start | p->length) & (d->limits.logical_size - 1)) ||
					  start > all || nr > all - start))
		return -EINVAL;
	mutex_lock(&d->scan_mutex);
	err = atomic_load(&d->dead) ? -ENXIO :
	      op == BLKPG_ADD_PARTITION ? part_add(d, (u32)p->pno, start, nr) : op == BLKPG_DEL_PARTITION ? part_del(d, (u32)p->pno) :
	      op == BLKPG_RESIZE_PARTITION ? part_resize(d, (u32)p->pno, start, nr) : -EINVAL;
	mutex_unlock(&d->scan_mutex);
	return err;
}

long disk_part_ioctl(struct block_device *b, u32 cmd, u64 arg)
{
	struct blkpg_ioctl_arg a;
	struct blkpg_partition p;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (b->partno)
		return -EINVAL;
	if (cmd == BLKRRPART)
		return disk_rescan(b->disk);
	if (copy_from_user(&a, user_ptr(arg), sizeof(a)) || copy_from_user(&p, user_ptr((u64)a.data), sizeof(p)))
		return -EFAULT;
	return change(b->disk, a.op, &p);
}
