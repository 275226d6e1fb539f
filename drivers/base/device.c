/* Devices: how they come, are found, and go.  Buses and drivers are bus.c's, what programs are told uevent.c's.
 *
 * A device is one object of the tree (kobject.c), where it is found by its place: below its parent, in a directory named after its class
 * where a parent of another kind would have several sorts of children.  All devices also stand on one list by rising id; what a bus, a
 * class, a driver or /sys/dev shows is that list filtered.  Machines of this kind have tens of devices, so a walk of the list costs less than
 * the lists that it replaces; nothing that is done often looks a device up here.
 *
 * References: the creator holds one and puts it after device_del(); a child holds its parent; a driver bound to a device needs none, since
 * device_del() unbinds it first.  Attributes need none either, see kobject.c.
 *
 * Locks: device->mutex is held over probe and remove, so a device is bound once and not while it goes; parents' come before children's.
 * The list and the driver of a device change under the tree's lock, so readers (links, look-ups) hold that alone. */
#include <drivers/base/device.h>
#include <drivers/base/device_internal.h>
#include <drivers/base/view.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

#define PATH_LONGEST	1024

static LIST_HEAD(devices);		/* [t] by rising id */

/* --- its directory */

static int dev_show(struct seq *s, void *object)
{
	struct device *d = object;

	seq_printf(s, "%u:%u\n", DEV_MAJOR(d->dev), DEV_MINOR(d->dev));
	return 0;
}

static bool core_visible(void *object, const struct attr *a)
{
	struct device *d = object;

	return !a || a->show != dev_show || d->dev;
}

static const struct attr core_attrs[] = {
	{ .name = "uevent", .show = device_uevent_show, .store = device_uevent_store },
	{ .name = "dev", .show = dev_show },
	{ 0 },
};
static const struct attr_group core_group = { .attrs = core_attrs, .visible = core_visible };

/* The index-th of these lists one after the other. */
static const struct attr_group *device_group(struct kobject *k, u32 index)
{
	struct device *d = container_of(k, struct device, kobj);
	const struct attr_group *const *const lists[] = {
		d->type ? d->type->groups : NULL, d->class ? d->class->dev_groups : NULL, d->bus ? d->bus->dev_groups : NULL, d->groups,
	};

	if (!index--)
		return &core_group;
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		for (u32 n = 0; lists[i] && lists[i][n]; n++)
			if (!index--)
				return lists[i][n];
	return NULL;
}

bool device_node(const struct device *d, char name[LINK_NAME_MAX])
{
	strlcpy(name, d->node ? d->node : device_name(d), LINK_NAME_MAX);
	for (char *p = name; *p; p++)
		if (*p == '!')
			*p = '/';
	return d->dev && *name;
}

bool device_is_partition(const struct device *d) { return d->block && d->parent && d->parent->class == d->class; }

static struct kobject *device_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	struct device *d = container_of(k, struct device, kobj);
	struct kobject *const subsystem = d->class ? &d->class->kobj : d->bus ? &d->bus->kobj : NULL;
	struct kobject *const parent = d->class && d->parent && !device_is_partition(d) ? &d->parent->kobj : NULL;
	const struct { const char *name; struct kobject *to; } links[] = {
		{ "subsystem", subsystem }, { "device", parent }, { "driver", d->driver ? &d->driver->kobj : NULL },
	};

	for (; *pos < ARRAY_SIZE(links); (*pos)++)
		if (links[*pos].to) {
			strlcpy(name, links[*pos].name, LINK_NAME_MAX);
			return links[*pos].to;
		}
	return NULL;
}

static void device_release(struct kobject *k)
{
	struct device *d = container_of(k, struct device, kobj), *parent = d->parent;

	if (d->release)
		d->release(d);
	if (parent)
		device_put(parent);
}

static const struct kobject_type device_ktype = { .release = device_release, .group = device_group, .link = device_link };

/* --- coming and going */

void device_init(struct device *d)
{
	kobject_init(&d->kobj, &device_ktype);
	mutex_init(&d->mutex, LC_DEVICE_BIND);
	list_init(&d->link);
}

void device_set_name(struct device *d, const char *fmt, ...)
{
	char name[LINK_NAME_MAX];
	va_list args;

	va_start(args, fmt);
	kvsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	kobject_set_name(&d->kobj, "%s", name);
}

/* Where d's directory goes; in *passing the class's directory in between, if there is one. */
static struct kobject *place_of(const struct device *d, const char **passing)
{
	*passing = NULL;
	if (d->parent) {
		if (d->class && !d->parent->class)
			*passing = d->class->name;
		return &d->parent->kobj;
	}
	if (d->below)
		return d->below;
	if (!d->class)
		return &sys_devices;
	*passing = d->class->name;
	return &sys_devices_virtual;
}

int device_add(struct device *d)
{
	const char *passing;
	struct kobject *place = place_of(d, &passing);
	int err;

	if (!d->kobj.name[0])
		return -EINVAL;
	if (d->parent) {
		device_get(d->parent);		/* until the release, also of one that could not be added */
		d->depth = d->parent->depth + 1;
	}
	err = d->bus ? bus_ready(d->bus) : 0;
	if (!err && d->class)
		err = class_ready(d->class);
	if (!err)
		err = kobject_add_within(&d->kobj, place, passing);
	if (err)
		return err;
	kobject_tree_lock_write();
	list_add_tail(&d->link, &devices);
	kobject_tree_unlock_write();
	device_event(d, DEVICE_ADD, NULL);
	if (d->bus && !READ_ONCE(d->bus->manual))
		(void)device_attach(d);
	return 0;
}

void device_del(struct device *d)
{
	if (device_gone(d))
		return;
	device_unbind_for_good(d);
	kobject_tree_lock_write();
	list_del_init(&d->link);
	kobject_tree_unlock_write();
	device_event(d, DEVICE_REMOVE, NULL);
	kobject_del(&d->kobj);
}

int device_rename(struct device *d, const char *name)
{
	struct seq old = { NULL, 0, 0, false };
	char *path = kmalloc(PATH_LONGEST, GFP_KERNEL);
	int err = path ? kobject_path(&d->kobj, path, PATH_LONGEST) : -ENOMEM;

	if (err >= 0) {
		seq_printf(&old, "DEVPATH_OLD=%s\n", path);
		seq_putc(&old, 0);
		err = old.overflow ? -ENOMEM : kobject_rename(&d->kobj, name);
	}
	if (!err)
		device_event(d, DEVICE_MOVE, old.buf);
	kvfree(old.buf);
	kfree(path);
	return err;
}

/* --- finding */

static struct device *next_locked(u64 id, bool (*is)(const struct device *d, const void *arg), const void *arg)
{
	struct device *d;

	list_for_each_entry(d, &devices, link)
		if (d->kobj.id >= id && is(d, arg))
			return d;
	return NULL;
}

struct device *device_next(struct device *after, bool (*is)(const struct device *d, const void *arg), const void *arg)
{
	struct device *d;

	kobject_tree_lock();
	d = next_locked(after ? after->kobj.id + 1 : 0, is, arg);
	if (d)
		device_get(d);
	kobject_tree_unlock();
	if (after)
		device_put(after);
	return d;
}

struct kobject *device_member_link(u64 *pos, bool (*is)(const struct device *d, const void *arg), const void *arg, char *name)
{
	struct device *d = next_locked(*pos, is, arg);

	if (!d)
		return NULL;
	*pos = d->kobj.id;
	strlcpy(name, d->kobj.name, LINK_NAME_MAX);
	return &d->kobj;
}

struct number { dev_t_k dev; bool block; };

static bool has_number(const struct device *d, const void *arg)
{
	const struct number *n = arg;

	return d->dev == n->dev && d->block == n->block;
}

struct device *device_find(dev_t_k dev, bool block)
{
	const struct number n = { dev, block };

	return dev ? device_next(NULL, has_number, &n) : NULL;
}

void devices_shutdown(void)
{
	u32 below = ~0u;
	struct device *d, *last;

	do {
		last = NULL;
		kobject_tree_lock();
		list_for_each_entry(d, &devices, link)
			if (d->kobj.id < below && d->bus && d->bus->shutdown)
				last = d;
		if (last)
			device_get(last);
		kobject_tree_unlock();
		if (last) {
			below = last->kobj.id;
			mutex_lock_nested(&last->mutex, last->depth);
			if (last->driver)
				last->bus->shutdown(last);
			mutex_unlock(&last->mutex);
			device_put(last);
		}
	} while (last);
}

/* --- /sys/block, /sys/dev */

static bool is_disk(const struct device *d, const void *arg)
{
	(void)arg;
	return d->block && d->class && !device_is_partition(d);
}

static bool is_block(const struct device *d, const void *arg) { (void)arg; return d->block && d->dev; }
static bool is_char(const struct device *d, const void *arg) { (void)arg; return !d->block && d->dev; }

static struct kobject *disks_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	(void)k;
	return device_member_link(pos, is_disk, NULL, name);
}

static struct kobject *numbers_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	struct kobject *to = device_member_link(pos, k == &sys_dev_block ? is_block : is_char, NULL, name);

	if (to) {
		const struct device *d = container_of(to, struct device, kobj);

		scnprintf(name, LINK_NAME_MAX, "%u:%u", DEV_MAJOR(d->dev), DEV_MINOR(d->dev));
	}
	return to;
}

static const struct kobject_type disks_type = { .link = disks_link }, numbers_type = { .link = numbers_link };
struct kobject sys_block = KOBJECT_INIT(sys_block, "block", &disks_type, &sys_root);
struct kobject sys_dev_block = KOBJECT_INIT(sys_dev_block, "block", &numbers_type, &sys_dev);
struct kobject sys_dev_char = KOBJECT_INIT(sys_dev_char, "char", &numbers_type, &sys_dev);
