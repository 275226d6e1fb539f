/* /sys/devices/system/cpu: which CPUs there are, and how they belong together.  lscpu(1), glibc and nproc read it. */
#include <arch/cpu.h>
#include <drivers/base/device.h>
#include <drivers/base/view.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/cpumask.h>
#include <mm/slab.h>

static struct kobject cpu_dir = KOBJECT_INIT(cpu_dir, "cpu", &kobject_fixed_type, NULL);
static struct bus cpu_bus = { .name = "cpu" };
BUS(cpu_bus);

static cpumask_t all_cpus(void) { return (1ull << nr_cpus) - 1; }	/* NR_CPUS is less than 64 */

static int list_line(struct seq *s, cpumask_t mask)
{
	char text[128];

	mask_list_format(mask, text, sizeof(text));
	seq_printf(s, "%s\n", text);
	return 0;
}

static int mask_line(struct seq *s, cpumask_t mask)
{
	char text[64];

	mask_format(mask, nr_cpus, text, sizeof(text));
	seq_printf(s, "%s\n", text);
	return 0;
}

static int online_show(struct seq *s, void *object) { (void)object; return list_line(s, atomic_load(&cpu_online_mask)); }
static int possible_show(struct seq *s, void *object) { (void)object; return list_line(s, all_cpus()); }
static int offline_show(struct seq *s, void *object) { (void)object; return list_line(s, all_cpus() & ~atomic_load(&cpu_online_mask)); }
static int isolated_show(struct seq *s, void *object) { (void)object; return list_line(s, 0); }

static int kernel_max_show(struct seq *s, void *object)
{
	(void)object;
	seq_printf(s, "%d\n", NR_CPUS - 1);
	return 0;
}

KOBJECT_ATTR(cpu_online, &cpu_dir, .name = "online", .show = online_show);
KOBJECT_ATTR(cpu_possible, &cpu_dir, .name = "possible", .show = possible_show);
KOBJECT_ATTR(cpu_present, &cpu_dir, .name = "present", .show = possible_show);
KOBJECT_ATTR(cpu_offline, &cpu_dir, .name = "offline", .show = offline_show);
KOBJECT_ATTR(cpu_isolated, &cpu_dir, .name = "isolated", .show = isolated_show);
KOBJECT_ATTR(cpu_kernel_max, &cpu_dir, .name = "kernel_max", .show = kernel_max_show);

/* --- cpuN: one package of cores that run one thread each */

struct cpu_device { struct device dev; u32 cpu; };

static u32 cpu_of(void *object) { return container_of((struct device *)object, struct cpu_device, dev)->cpu; }
static int core_id_show(struct seq *s, void *object) { seq_printf(s, "%u\n", cpu_of(object)); return 0; }
static int package_id_show(struct seq *s, void *object) { (void)object; seq_puts(s, "0\n"); return 0; }
static int self_show(struct seq *s, void *object) { return mask_line(s, 1ull << cpu_of(object)); }
static int self_list_show(struct seq *s, void *object) { return list_line(s, 1ull << cpu_of(object)); }
static int package_show(struct seq *s, void *object) { (void)object; return mask_line(s, atomic_load(&cpu_online_mask)); }

static const struct attr topology_attrs[] = {
	{ .name = "core_cpus", .show = self_show }, { .name = "core_cpus_list", .show = self_list_show },
	{ .name = "core_id", .show = core_id_show },
	{ .name = "core_siblings", .show = package_show }, { .name = "core_siblings_list", .show = online_show },
	{ .name = "package_cpus", .show = package_show }, { .name = "package_cpus_list", .show = online_show },
	{ .name = "physical_package_id", .show = package_id_show },
	{ .name = "thread_siblings", .show = self_show }, { .name = "thread_siblings_list", .show = self_list_show },
	{ 0 },
};
static const struct attr_group topology_group = { .name = "topology", .attrs = topology_attrs };
static const struct attr_group *const cpu_groups[] = { &topology_group, NULL };

static void cpu_release(struct device *d) { kfree(container_of(d, struct cpu_device, dev)); }

static int cpu_devices(void)
{
	int err = kobject_add(&cpu_dir, &sys_devices_system);

	for (u32 cpu = 0; !err && cpu < nr_cpus; cpu++) {
		struct cpu_device *c = kzalloc(sizeof(*c), GFP_KERNEL);

		if (!c)
			return -ENOMEM;
		c->cpu = cpu;
		device_init(&c->dev);
		device_set_name(&c->dev, "cpu%u", cpu);
		c->dev.bus = &cpu_bus;
		c->dev.below = &cpu_dir;
		c->dev.groups = cpu_groups;
		c->dev.release = cpu_release;
		err = device_add(&c->dev);
		if (err)
			device_put(&c->dev);
	}
	return err;
}
BOOT_INIT(sysfs, cpu_devices);

/* --- /sys/kernel: what is said of the kernel itself */

static int fscaps_show(struct seq *s, void *object) { (void)object; seq_puts(s, "1\n"); return 0; }
static int byteorder_show(struct seq *s, void *object) { (void)object; seq_puts(s, "little\n"); return 0; }
KOBJECT_ATTR(fscaps, &sys_kernel, .name = "fscaps", .show = fscaps_show);
KOBJECT_ATTR(cpu_byteorder, &sys_kernel, .name = "cpu_byteorder", .show = byteorder_show);
