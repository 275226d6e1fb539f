/* Buses, classes and drivers: their directories, and which driver drives which device.
 *
 * Binding: device->mutex is held while a driver is matched, probed or removed.  A driver is entered (kobject.c) meanwhile, so that
 * driver_unregister(), which first takes its object out of the tree, knows that no probe is under way when that returns; what is bound
 * then it unbinds. */
#include <drivers/base/device.h>
#include <drivers/base/device_internal.h>
#include <drivers/base/view.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

static DEFINE_MUTEX(kinds_mutex, LC_DEVICE_KINDS);	/* registering */

static bool on_bus(const struct device *d, const void *bus) { return d->bus == bus; }
static bool in_class(const struct device *d, const void *class) { return d->class == class; }
static bool driven_by(const struct device *d, const void *drv) { return d->driver == drv; }

/* --- binding; device->mutex held */

static void set_driver(struct device *d, struct device_driver *drv)
{
	kobject_tree_lock_write();
	d->driver = drv;
	kobject_tree_unlock_write();
}

/* 1 bound, 0 not its device, -errno.  drv is entered. */
static int try_driver(struct device *d, struct device_driver *drv)
{
	int err;

	ASSERT(mutex_held(&d->mutex));
	if (d->bus->match && !d->bus->match(d, drv))
		return 0;
	set_driver(d, drv);
	err = d->bus->probe ? d->bus->probe(d, drv) : drv->probe(d);
	if (!err) {
		device_event(d, DEVICE_BIND, NULL);
		return 1;
	}
	set_driver(d, NULL);
	d->driver_data = NULL;
	if (err == -ENODEV)
		return 0;
	pr_err("%s: %s: probe failed, error %d\n", drv->name, device_name(d), err);
	return err;
}

static void detach(struct device *d)
{
	struct device_driver *drv = d->driver;

	ASSERT(mutex_held(&d->mutex));
	if (!drv)
		return;
	if (d->bus->remove)
		d->bus->remove(d, drv);
	else if (drv->remove)
		drv->remove(d);
	set_driver(d, NULL);
	d->driver_data = NULL;
	device_event(d, DEVICE_UNBIND, NULL);
}

/* The driver of bus behind the one of that id, entered; NULL: there is none. */
static struct device_driver *next_driver(struct bus *bus, u32 id)
{
	struct device_driver *found = NULL;
	struct kobject *k;

	kobject_tree_lock();
	list_for_each_entry(k, &bus->drivers.children, child)
		if (k->id > id && kobject_enter_object(k)) {
			found = container_of(k, struct device_driver, kobj);
			break;
		}
	kobject_tree_unlock();
	return found;
}

int device_attach(struct device *d)
{
	struct device_driver *drv;
	int ret = 0;
	u32 id = 0;

	if (!d->bus)
		return 0;
	mutex_lock_nested(&d->mutex, d->depth);
	if (d->driver || d->gone)
		ret = d->driver ? 1 : -ENODEV;
	while (!ret && (drv = next_driver(d->bus, id))) {
		id = drv->kobj.id;
		ret = try_driver(d, drv);
		kobject_leave(&drv->kobj);
	}
	mutex_unlock(&d->mutex);
	return ret;
}

void device_detach(struct device *d)
{
	mutex_lock_nested(&d->mutex, d->depth);
	detach(d);
	mutex_unlock(&d->mutex);
}

void device_unbind_for_good(struct device *d)
{
	if (!d->bus)
		return;
	mutex_lock_nested(&d->mutex, d->depth);
	d->gone = true;
	detach(d);
	mutex_unlock(&d->mutex);
}

/* drv on d alone, if d is free. */
static int attach_to(struct device *d, struct device_driver *drv)
{
	int ret;

	mutex_lock_nested(&d->mutex, d->depth);
	ret = d->gone ? -ENODEV : d->driver ? -EBUSY : try_driver(d, drv);
	mutex_unlock(&d->mutex);
	return ret;
}

/* --- drivers */

struct named { const void *bus; const char *name; size_t len; };

static bool is_named(const struct device *d, const void *arg)
{
	const struct named *n = arg;

	return d->bus == n->bus && !strncmp(device_name(d), n->name, n->len) && !device_name(d)[n->len];
}

/* The device that a program named, by a line of text. */
static struct device *device_by_name(const struct bus *bus, const char *buf, size_t len)
{
	const struct named n = { bus, buf, len && buf[len - 1] == '\n' ? len - 1 : len };

	return device_next(NULL, is_named, &n);
}

static int bind_store(void *object, const char *buf, size_t len)
{
	struct device_driver *drv = object;
	struct device *d = device_by_name(drv->bus, buf, len);
	int ret;

	if (!d)
		return -ENODEV;
	ret = attach_to(d, drv);
	device_put(d);
	return ret == 1 ? 0 : ret ? ret : -ENODEV;
}

static int unbind_store(void *object, const char *buf, size_t len)
{
	struct device_driver *drv = object;
	struct device *d = device_by_name(drv->bus, buf, len);
	int err = -ENODEV;

	if (!d)
		return -ENODEV;
	mutex_lock_nested(&d->mutex, d->depth);
	if (d->driver == drv) {
		detach(d);
		err = 0;
	}
	mutex_unlock(&d->mutex);
	device_put(d);
	return err;
}

static const struct attr driver_attrs[] = {
	{ .name = "bind", .store = bind_store }, { .name = "unbind", .store = unbind_store }, { 0 },
};
static const struct attr_group driver_group = { .attrs = driver_attrs };

static const struct attr_group *driver_groups(struct kobject *k, u32 index)
{
	struct device_driver *drv = container_of(k, struct device_driver, kobj);

	if (!index)
		return &driver_group;
	for (u32 n = 0; drv->groups && drv->groups[n]; n++)
		if (n == index - 1)
			return drv->groups[n];
	return NULL;
}

static struct kobject *driver_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	return device_member_link(pos, driven_by, container_of(k, struct device_driver, kobj), name);
}

static const struct kobject_type driver_ktype = { .group = driver_groups, .link = driver_link };

static int driver_add(struct device_driver *drv)
{
	kobject_init(&drv->kobj, &driver_ktype);
	kobject_set_name(&drv->kobj, "%s", drv->name);
	return kobject_add(&drv->kobj, &drv->bus->drivers);
}

int driver_register(struct device_driver *drv)
{
	int err = bus_ready(drv->bus);

	if (!err)
		err = driver_add(drv);
	if (err || READ_ONCE(drv->bus->manual))
		return err;
	for (struct device *d = device_next(NULL, on_bus, drv->bus); d; d = device_next(d, on_bus, drv->bus))
		if (kobject_enter_object(&drv->kobj)) {
			(void)attach_to(d, drv);
			kobject_leave(&drv->kobj);
		}
	return 0;
}

void driver_unregister(struct device_driver *drv)
{
	kobject_del(&drv->kobj);
	for (struct device *d = device_next(NULL, driven_by, drv); d; d = device_next(d, driven_by, drv)) {
		mutex_lock_nested(&d->mutex, d->depth);
		if (d->driver == drv)
			detach(d);
		mutex_unlock(&d->mutex);
	}
}

/* --- buses */

static int probe_store(void *object, const char *buf, size_t len)
{
	struct device *d = device_by_name(object, buf, len);
	int ret;

	if (!d)
		return -ENODEV;
	ret = device_attach(d);
	device_put(d);
	return ret > 0 ? 0 : ret ? ret : -EINVAL;
}

static int autoprobe_show(struct seq *s, void *object)
{
	const struct bus *bus = object;

	seq_printf(s, "%d\n", !READ_ONCE(bus->manual));
	return 0;
}

static int autoprobe_store(void *object, const char *buf, size_t len)
{
	struct bus *bus = object;

	(void)len;
	WRITE_ONCE(bus->manual, buf[0] == '0');
	return 0;
}

static const struct attr bus_attrs[] = {
	{ .name = "drivers_probe", .store = probe_store },
	{ .name = "drivers_autoprobe", .show = autoprobe_show, .store = autoprobe_store },
	{ 0 },
};
static const struct attr_group bus_group = { .attrs = bus_attrs };
static const struct attr_group *bus_groups(struct kobject *k, u32 index) { (void)k; return index ? NULL : &bus_group; }

static struct kobject *bus_devices_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	return device_member_link(pos, on_bus, container_of(k, struct bus, devices), name);
}

static const struct kobject_type bus_ktype = { .group = bus_groups }, bus_devices_ktype = { .link = bus_devices_link }, bus_drivers_ktype;

/* kinds_mutex held */
static int bus_add(struct bus *bus)
{
	int err;

	kobject_init(&bus->kobj, &bus_ktype);
	kobject_init(&bus->devices, &bus_devices_ktype);
	kobject_init(&bus->drivers, &bus_drivers_ktype);
	kobject_set_name(&bus->kobj, "%s", bus->name);
	kobject_set_name(&bus->devices, "devices");
	kobject_set_name(&bus->drivers, "drivers");
	err = kobject_add(&bus->kobj, &sys_bus);
	if (err)
		return err;
	err = kobject_add(&bus->devices, &bus->kobj);
	if (!err)
		err = kobject_add(&bus->drivers, &bus->kobj);
	for (struct device_driver *const *drv = __bus_drivers_start; !err && drv < __bus_drivers_end; drv++)
		if ((*drv)->bus == bus)
			err = driver_add(*drv);
	if (!err)
		atomic_store_release(&bus->registered, true);
	return err;
}

int bus_ready(struct bus *bus)
{
	int err = 0;

	if (likely(atomic_load_acquire(&bus->registered)))
		return 0;
	mutex_lock(&kinds_mutex);
	if (!bus->registered)
		err = bus_add(bus);
	mutex_unlock(&kinds_mutex);
	return err;
}

int bus_register(struct bus *bus) { return bus_ready(bus); }

void bus_unregister(struct bus *bus)
{
	mutex_lock(&kinds_mutex);
	if (bus->registered) {
		kobject_del(&bus->devices);
		kobject_del(&bus->drivers);
		kobject_del(&bus->kobj);
		atomic_store_release(&bus->registered, false);
	}
	mutex_unlock(&kinds_mutex);
}

/* --- classes */

static struct kobject *class_link(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX])
{
	return device_member_link(pos, in_class, container_of(k, struct device_class, kobj), name);
}

static const struct kobject_type class_ktype = { .link = class_link };

int class_ready(struct device_class *class)
{
	int err = 0;

	if (likely(atomic_load_acquire(&class->registered)))
		return 0;
	mutex_lock(&kinds_mutex);
	if (!class->registered) {
		kobject_init(&class->kobj, &class_ktype);
		kobject_set_name(&class->kobj, "%s", class->name);
		err = kobject_add(&class->kobj, &sys_class);
		if (!err)
			atomic_store_release(&class->registered, true);
	}
	mutex_unlock(&kinds_mutex);
	return err;
}

int class_register(struct device_class *class) { return class_ready(class); }

void class_unregister(struct device_class *class)
{
	mutex_lock(&kinds_mutex);
	if (class->registered) {
		kobject_del(&class->kobj);
		atomic_store_release(&class->registered, false);
	}
	mutex_unlock(&kinds_mutex);
}

void kinds_register_all(void)
{
	for (struct bus *const *b = __buses_start; b < __buses_end; b++)
		if (bus_ready(*b))
			pr_warn("devices: bus %s cannot be registered\n", (*b)->name);
	for (struct device_class *const *c = __classes_start; c < __classes_end; c++)
		if (class_ready(*c))
			pr_warn("devices: class %s cannot be registered\n", (*c)->name);
}
