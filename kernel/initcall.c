/* Boot stages: the registered functions, and the profile that "bootprof" prints and /proc/bootprof shows. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/initcall.h>
#include <kernel/printk.h>
#include <kernel/time/time.h>

#define MAX_STAGES 32

static struct { const char *name; u64 end_ns; } stages[MAX_STAGES];
static u32 nr_stages;
static bool profile;

static void param_bootprof(const char *value) { (void)value; profile = true; }
BOOT_PARAM("bootprof", param_bootprof);

void initcalls_run(const struct initcall *start, const struct initcall *end)
{
	for (const struct initcall *c = start; c < end; c++) {
		int err = c->fn();

		if (err)
			pr_warn("init: %s failed, error %d\n", c->name, err);
	}
}

void boot_stage(const char *name)
{
	if (nr_stages < MAX_STAGES) {
		stages[nr_stages].name = name;
		stages[nr_stages++].end_ns = clock_mono_ns();
	}
}

void boot_profile_print(void)
{
	u64 before = 0;

	for (u32 i = 0; profile && i < nr_stages; i++) {
		pr_notice("bootprof: %-16s %6lu us (at %lu us)\n", stages[i].name, (stages[i].end_ns - before) / 1000,
			  stages[i].end_ns / 1000);
		before = stages[i].end_ns;
	}
}

/* A line a stage: its name, how long it took and when it ended, in microseconds since the clock began. */
static int bootprof_show(struct seq *s, void *arg)
{
	u64 before = 0;

	(void)arg;
	for (u32 i = 0; i < nr_stages; i++) {
		seq_printf(s, "%-16s %8lu %8lu\n", stages[i].name, (stages[i].end_ns - before) / 1000, stages[i].end_ns / 1000);
		before = stages[i].end_ns;
	}
	return 0;
}
PROC_FILE(bootprof, .path = "bootprof", .mode = 0444, .show = bootprof_show);
