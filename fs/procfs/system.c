/* /proc's files about the machine as a whole that no other room owns. */
#include <fs/procfs/procfs.h>
#include <fs/dcache.h>
#include <arch/cpu.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/params.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <kernel/main.h>
#include <mm/page.h>
#include <mm/vma.h>

#define NS_PER_TICK	10000000ull

static u64 idle_total(void)
{
	u64 ns = 0;

	for (u32 cpu = 0; cpu < max(nr_cpus, 1u); cpu++)
		if (cpu_online_mask >> cpu & 1)
			ns += sched_idle_ns(cpu);
	return ns;
}

static int uptime_show(struct seq *s, void *arg)
{
	u64 up = clock_mono_ns() / NS_PER_TICK, idle = idle_total() / NS_PER_TICK;

	(void)arg;
	seq_printf(s, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}
PROC_FILE(uptime, .path = "uptime", .mode = 0444, .show = uptime_show);

static u32 count_tasks(s32 *last)
{
	struct task *t;
	u32 n = 0;

	*last = 0;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		n++;
		*last = max(*last, t->tid);
	}
	rcu_read_unlock();
	return n;
}

static int loadavg_show(struct seq *s, void *arg)
{
	u64 avg[3];
	s32 last;
	u32 n = count_tasks(&last);

	(void)arg;
	sched_loadavg(avg);
	for (int i = 0; i < 3; i++)
		seq_printf(s, "%lu.%02lu ", avg[i] >> 11, (avg[i] & 2047) * 100 >> 11);
	seq_printf(s, "%lu/%u %d\n", sched_nr_running(), n, last);
	return 0;
}
PROC_FILE(loadavg, .path = "loadavg", .mode = 0444, .show = loadavg_show);

static void cpu_line(struct seq *s, const struct cpu_times *t)
{
	seq_printf(s, " %lu %lu %lu %lu %lu %lu 0 0 0 0\n", (unsigned long)(t->user_ns / NS_PER_TICK), (unsigned long)(t->nice_ns / NS_PER_TICK),
		   (unsigned long)(t->system_ns / NS_PER_TICK), (unsigned long)(t->idle_ns / NS_PER_TICK),
		   (unsigned long)(t->iowait_ns / NS_PER_TICK), (unsigned long)(t->irq_ns / NS_PER_TICK));
}

static int stat_show(struct seq *s, void *arg)
{
	struct cpu_times one[NR_CPUS], all = { 0 };
	cpumask_t online = atomic_load(&cpu_online_mask);
	s32 last;

	(void)arg;
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
		if (!(online & BIT(cpu)))
			continue;
		sched_cpu_times(cpu, &one[cpu]);
		all.user_ns += one[cpu].user_ns;
		all.nice_ns += one[cpu].nice_ns;
		all.system_ns += one[cpu].system_ns;
		all.idle_ns += one[cpu].idle_ns;
		all.iowait_ns += one[cpu].iowait_ns;
		all.irq_ns += one[cpu].irq_ns;
	}
	seq_puts(s, "cpu ");
	cpu_line(s, &all);
	for (u32 cpu = 0; cpu < NR_CPUS; cpu++)
		if (online & BIT(cpu)) {
			seq_printf(s, "cpu%u", cpu);
			cpu_line(s, &one[cpu]);
		}
	count_tasks(&last);
	irq_stat_show(s);
	seq_printf(s, "ctxt %lu\nbtime %lu\nprocesses %d\nprocs_running %lu\nprocs_blocked %u\n", sched_nr_switches(),
		   (unsigned long)((clock_real_ns() - clock_mono_ns()) / NSEC_PER_SEC), last, sched_nr_running(), sched_nr_iowait());
	return 0;
}
PROC_FILE(stat, .path = "stat", .mode = 0444, .show = stat_show);

static int version_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "Linux version 6.1.0-sarsen-" SARSEN_VERSION " (gcc) #1 SMP PREEMPT\n");
	return 0;
}
PROC_FILE(version, .path = "version", .mode = 0444, .show = version_show);

static int cmdline_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%s\n", boot_cmdline);
	return 0;
}
PROC_FILE(cmdline, .path = "cmdline", .mode = 0444, .show = cmdline_show);

static int text_show(struct seq *s, void *arg)
{
	seq_printf(s, "%s\n", (const char *)arg);
	return 0;
}
static int execdomains_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "0-0\tLinux           \t[kernel]\n");
	return 0;
}
PROC_FILE(execdomains, .path = "execdomains", .mode = 0444, .show = execdomains_show);

static int empty_show(struct seq *s, void *arg) { (void)s; (void)arg; return 0; }
PROC_FILE(modules, .path = "modules", .mode = 0444, .show = empty_show);
PROC_FILE(cap_last_cap, .path = "sys/kernel/cap_last_cap", .mode = 0444, .show = text_show, .arg = (void *)"40");
PROC_FILE(ngroups_max, .path = "sys/kernel/ngroups_max", .mode = 0444, .show = text_show, .arg = (void *)"65536");
PROC_FILE(overcommit, .path = "sys/vm/overcommit_memory", .mode = 0444, .show = text_show, .arg = (void *)"1");

static int kallsyms_show(struct seq *s, void *arg)
{
	bool show = capable(CAP_SYSLOG);
	const char *name;
	u64 addr;

	(void)arg;
	for (u32 i = 0; symbol_at(i, &addr, &name); i++)
		seq_printf(s, "%016lx T %s\n", show ? addr : 0ul, name);
	return 0;
}
PROC_FILE(kallsyms, .path = "kallsyms", .mode = 0444, .show = kallsyms_show);
