/* Character devices in /sys: a device of its class for each CHARDEV that names one, made when sysfs is first mounted. */
#include <drivers/base/device.h>
#include <fs/devfs/devfs.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

static struct device_class mem_class = { .name = "mem" }, misc_class = { .name = "misc" }, rtc_class = { .name = "rtc" };
CLASS(mem_class);
CLASS(misc_class);
CLASS(rtc_class);

static struct device_class *class_find(const char *name)
{
	for (struct device_class *const *c = __classes_start; c < __classes_end; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static void release(struct device *d) { kfree(d); }

static void add(const struct chardev *cd)
{
	struct device_class *class = cd->class ? class_find(cd->class) : NULL;
	struct device *parent = cd->on ? platform_device_of_driver(cd->on) : NULL, *d;
	const char *slash = class ? strrchr(cd->name, '/') : NULL;

	if (!class || (cd->on && !parent))	/* the chip is not in this machine */
		return;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (d) {
		device_init(d);
		device_set_name(d, "%s", slash ? slash + 1 : cd->name);
		d->node = slash ? cd->name : NULL;
		d->class = class;
		d->parent = parent;
		d->groups = cd->groups;
		d->dev = cd->dev;
		d->mode = (u16)cd->mode;
		d->release = release;
	}
	if (!d || device_add(d)) {
		pr_warn("sysfs: no room for %s\n", cd->name);
		if (d)
			device_put(d);
	}
}

static int chardev_devices(void)
{
	chardev_each(add);
	return 0;
}
BOOT_INIT(sysfs, chardev_devices);
