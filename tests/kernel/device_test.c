/* The device model: binding, removal against use, names that come and go, on all CPUs. */
#include <drivers/base/device.h>
#include <fs/dcache.h>
#include <fs/mount.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

struct thing { struct device dev; bool working; };	/* working: what an attribute must find */

static u32 nr_released, nr_probed, nr_removed;		/* [a] */
static bool probe_fails;

static int value_show(struct seq *s, void *object)
{
	struct thing *t = container_of((struct device *)object, struct thing, dev);

	for (u32 i = 0; i < 20; i++) {
		if (!READ_ONCE(t->working))
			panic("an attribute of a device that is gone");
		sched_yield_current();
	}
	seq_puts(s, "42\n");
	return 0;
}

static int remove_store(void *object, const char *buf, size_t len)
{
	(void)buf; (void)len;
	device_del(object);
	return 0;
}

static const struct attr attrs[] = {
	{ .name = "value", .show = value_show }, { .name = "remove", .store = remove_store, .unguarded = true }, { 0 },
};
static const struct attr_group group = { .name = "state", .attrs = attrs };
static const struct attr_group *const groups[] = { &group, NULL };

static bool match(const struct device *d, const struct device_driver *drv) { (void)drv; return strcmp(device_name(d), "odd"); }
static int probe(struct device *d)
{
	atomic_inc(&nr_probed);
	d->driver_data = &nr_probed;
	return probe_fails ? -EIO : 0;
}

static void remove(struct device *d) { (void)d; atomic_inc(&nr_removed); }
static void release(struct device *d) { atomic_inc(&nr_released); kfree(container_of(d, struct thing, dev)); }

static struct bus bus = { .name = "ktest", .match = match, .dev_groups = groups };
static struct device_class class = { .name = "ktest", .dev_groups = groups };
static struct device_driver driver = { .name = "kdriver", .bus = &bus, .probe = probe, .remove = remove };

static struct thing *thing_add(const char *name, struct device *parent, bool on_bus)
{
	struct thing *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	device_init(&t->dev);
	device_set_name(&t->dev, "%s", name);
	t->dev.parent = parent;
	if (on_bus)
		t->dev.bus = &bus;
	else
		t->dev.class = &class;
	t->dev.release = release;
	t->working = true;
	if (!device_add(&t->dev))
		return t;
	device_put(&t->dev);
	return NULL;
}

static void thing_remove(struct thing *t)
{
	device_del(&t->dev);
	WRITE_ONCE(t->working, false);
	device_put(&t->dev);
}

static void sysfs_mount_there(void)
{
	struct path p;

	(void)vfs_mkdir("/sys", 0755);
	if (path_lookup(AT_FDCWD, "/sys/class", 0, &p))
		(void)!vfs_mount_kernel("sysfs", "/sys", "sysfs", 0, "");
	else
		path_put(&p);
}

static ssize_t read_file(const char *path, char *buf, size_t size)
{
	struct file *f;
	u64 pos = 0;
	ssize_t n = vfs_open(path, O_RDONLY, 0, &f);

	if (n)
		return n;
	n = vfs_read_kernel(f, buf, size, &pos);
	file_put(f);
	return n;
}

KTEST(device, binding)
{
	struct thing *a, *b, *odd;

	nr_probed = nr_removed = nr_released = 0;
	EXPECT_EQ(bus_register(&bus), 0);
	a = thing_add("a", NULL, true);
	EXPECT_EQ(driver_register(&driver), 0);
	b = thing_add("b", NULL, true);
	odd = thing_add("odd", NULL, true);
	EXPECT(a && b && odd);
	EXPECT(a->dev.driver == &driver && b->dev.driver == &driver && !odd->dev.driver);
	EXPECT(!thing_add("a", NULL, true));	/* the name is taken */
	device_detach(&a->dev);
	EXPECT(!a->dev.driver && !a->dev.driver_data);
	EXPECT_EQ(device_attach(&a->dev), 1);
	probe_fails = true;
	device_detach(&b->dev);
	EXPECT_EQ(device_attach(&b->dev), -EIO);
	probe_fails = false;
	EXPECT(!b->dev.driver);
	thing_remove(a);
	driver_unregister(&driver);
	thing_remove(b);
	thing_remove(odd);
	bus_unregister(&bus);
	EXPECT_EQ(nr_probed, 4);
	EXPECT_EQ(nr_removed, 3);
	EXPECT_EQ(nr_released, 4);
}

KTEST(device, parents_and_numbers)
{
	struct thing *p, *c;
	struct device *found;
	char path[128];

	EXPECT_EQ(bus_register(&bus), 0);
	p = thing_add("parent", NULL, true);
	c = p ? thing_add("child", &p->dev, false) : NULL;
	EXPECT(c);
	EXPECT(kobject_path(&c->dev.kobj, path, sizeof(path)) > 0);
	EXPECT(!strcmp(path, "/devices/parent/ktest/child"));
	EXPECT_EQ(kobject_path(&c->dev.kobj, path, 10), -ENAMETOOLONG);
	found = device_find(MKDEV_K(1, 200), false);
	thing_remove(c);
	EXPECT(list_empty(&p->dev.kobj.children));	/* the directory in between went with it */
	thing_remove(p);
	bus_unregister(&bus);
	class_unregister(&class);
	EXPECT(!found);
}

#define ROUNDS	300u
static u32 stop;			/* [a] */

static void reader(void *arg)
{
	char buf[64];

	current->fs = arg;		/* the tests' own thread outlives us */
	while (!atomic_load(&stop)) {
		ssize_t n = read_file("/sys/class/ktest/racer/state/value", buf, sizeof(buf));

		if (n != 3 && n != -ENOENT && n != -ENODEV)
			panic("reading an attribute gives %ld", n);
		(void)read_file("/sys/class/ktest/racer/uevent", buf, sizeof(buf));
		sched_yield_current();
	}
	current->fs = NULL;
}

/* Readers open and read while the device comes and goes: each sees it whole, or not at all. */
KTEST(device, removal_against_use)
{
	struct runner readers[3];
	bool ok = true;

	sysfs_mount_there();
	atomic_store(&stop, 0u);
	for (u32 i = 0; i < ARRAY_SIZE(readers); i++)
		if (runner_create(&readers[i], reader, current->fs)) {
			sched_set_affinity(readers[i].task, ~0ul);
			runner_go(&readers[i]);
		} else {
			panic("no memory for a thread");
		}
	for (u32 i = 0; ok && i < ROUNDS; i++) {
		struct thing *t = thing_add("racer", NULL, false);

		ok = t;
		for (u32 n = 0; ok && n < i % 7; n++)
			sched_yield_current();
		if (ok)
			thing_remove(t);
	}
	atomic_store(&stop, 1u);
	for (u32 i = 0; i < ARRAY_SIZE(readers); i++)
		runner_join(&readers[i]);
	class_unregister(&class);
	dcache_shrink(~0ull >> 2);
	EXPECT(ok);
}

/* A file that was opened before stays open, and says so; a device may remove itself through an attribute. */
KTEST(device, open_over_removal)
{
	struct thing *t;
	struct file *f, *r;
	char buf[16];
	u64 pos = 0;
	ssize_t n = 0, again = 0, gone = 0;

	sysfs_mount_there();
	t = thing_add("self", NULL, false);
	EXPECT(t);
	if (!vfs_open("/sys/class/ktest/self/state/value", O_RDONLY, 0, &f)) {
		n = vfs_read_kernel(f, buf, sizeof(buf), &pos);
		if (!vfs_open("/sys/class/ktest/self/state/remove", O_WRONLY, 0, &r)) {
			pos = 0;
			again = vfs_write_kernel(r, "1", 1, &pos);
			file_put(r);
		}
		pos = 0;
		gone = vfs_read_kernel(f, buf, sizeof(buf), &pos);
		file_put(f);
	}
	EXPECT(device_gone(&t->dev));
	thing_remove(t);
	class_unregister(&class);
	dcache_shrink(~0ull >> 2);
	EXPECT_EQ(n, 3);
	EXPECT_EQ(again, 1);
	EXPECT_EQ(gone, -ENODEV);
}
