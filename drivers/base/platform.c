/* Devices that stand at a fixed place of the machine: the nodes of the device tree that have a driver.
 *
 * Most of what the tree names is never looked at as a device, so one is made when something asks: a driver that has found children there
 * (a virtio window with a device behind it, a PCI bridge), or the first look at /sys for those whose driver has taken them. */
#include <drivers/base/device.h>
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

struct platform_device { struct device dev; int node; const char *driver; };

static struct platform_device *platform_of(const struct device *d) { return container_of(d, struct platform_device, dev); }

/* Linux's words: OF_NAME, OF_FULLNAME, OF_COMPATIBLE_n and the alias that a module would be loaded by. */
static void platform_uevent(const struct device *d, struct seq *s)
{
	const struct platform_device *p = platform_of(d);
	const char *name = fdt_name(p->node), *at = strchr(name, '@'), *compat;
	int len, n = 0;

	if (p->driver)
		seq_printf(s, "DRIVER=%s\n", p->driver);
	seq_puts(s, "OF_NAME=");
	seq_write(s, name, at ? (size_t)(at - name) : strlen(name));
	seq_printf(s, "\nOF_FULLNAME=/%s\n", name);
	compat = fdt_prop(p->node, "compatible", &len);
	for (const char *c = compat; c && c < compat + len; c += strlen(c) + 1)
		seq_printf(s, "OF_COMPATIBLE_%d=%s\n", n++, c);
	seq_printf(s, "OF_COMPATIBLE_N=%d\n", n);
}

struct bus platform_bus = { .name = "platform", .uevent = platform_uevent };
BUS(platform_bus);

static bool is_node(const struct device *d, const void *node) { return d->bus == &platform_bus && platform_of(d)->node == *(const int *)node; }
static void platform_release(struct device *d) { kfree(platform_of(d)); }

/* "9000000.pl011" where the node has an address, else its name */
static void name_by_node(struct device *d, int node)
{
	const char *name = fdt_name(node), *at = strchr(name, '@');
	int len = at ? (int)(at - name) : (int)strlen(name);
	u64 addr, size;

	if (at && !fdt_reg(node, 0, &addr, &size))
		device_set_name(d, "%lx.%.*s", addr, len, name);
	else
		device_set_name(d, "%.*s", len, name);
}

struct device *platform_device(int node)
{
	struct device *d = device_next(NULL, is_node, &node);
	struct platform_device *p;
	int err;

	if (d) {
		device_put(d);		/* it stays: the tree owns it */
		return d;
	}
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return NULL;
	p->node = node;
	p->driver = fdt_driver_name(node);
	device_init(&p->dev);
	p->dev.bus = &platform_bus;
	p->dev.below = &sys_devices_platform;
	p->dev.release = platform_release;
	name_by_node(&p->dev, node);
	err = device_add(&p->dev);
	if (!err)
		return &p->dev;
	device_put(&p->dev);
	if (err == -EEXIST)		/* by somebody else, since we looked */
		return platform_device(node);
	pr_warn("platform: %s cannot be added, error %d\n", fdt_name(node), err);
	return NULL;
}

struct device *platform_device_of_driver(const char *driver)
{
	u32 iter = 0;
	int node;

	while ((node = fdt_driven(&iter)) >= 0)
		if (!strcmp(fdt_driver_name(node), driver))
			return platform_device(node);
	return NULL;
}

static int platform_init(void)
{
	u32 iter = 0;
	int node;

	while ((node = fdt_driven(&iter)) >= 0)
		(void)platform_device(node);
	return 0;
}
BOOT_INIT(sysfs, platform_init);
