/* Emergency keys: a break on the console and then a letter, or the letter written to /proc/sysrq-trigger.
 *
 * A key comes in the interrupt of the port, when perhaps nothing else works any more: what shows and what stops the machine is done
 * there and then; what must sleep, or takes long, goes to a work item.  Keys, names and texts are Linux's
 * (Documentation/admin-guide/sysrq.rst), and so is the mask in /proc/sys/kernel/sysrq, which binds the console, not root's file:
 * 0 none, 1 all, or the sum of the kinds below. */
#include <arch/trapframe.h>
#include <drivers/power/power.h>
#include <drivers/tty/tty.h>
#include <fs/super.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/debug/cpus.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/fmt.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sysctl.h>
#include <kernel/sysrq.h>
#include <linux/sched.h>
#include <mm/oom.h>
#include <mm/page.h>
#include <mm/vmstat.h>

enum { KIND_LOG = 2, KIND_KEYBOARD = 4, KIND_DUMP = 8, KIND_SYNC = 16, KIND_REMOUNT = 32, KIND_SIGNAL = 64, KIND_BOOT = 128, KIND_NICE = 256, KIND_ALL = 1 };

static u64 enabled = KIND_ALL;
SYSCTL(sysrq, "kernel/sysrq", .value = &enabled, .max = 511);

static void help(void);
static void crash(void) { panic("sysrq triggered crash"); }

static void show_memory(void)
{
	printk(LOG_NOTICE "sysrq: total:%lukB free:%lukB anon:%lukB file:%lukB shmem:%lukB stacks:%lukB tables:%lukB\n", page_nr_total() * 4,
	       page_nr_free() * 4, vmstat_read(VM_ANON_PAGES) * 4, vmstat_read(VM_FILE_PAGES) * 4, vmstat_read(VM_SHMEM_PAGES) * 4,
	       vmstat_read(VM_STACK_PAGES) * 4, vmstat_read(VM_TABLE_PAGES) * 4);
}

static void show_cpus(void)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		if (!(atomic_load(&cpu_online_mask) & BIT(cpu)))
			continue;
		if (cpu != smp_cpu_id()) {
			cpu_backtrace(cpu);
			continue;
		}
		printk(LOG_NOTICE "CPU %u: %s[%d], here\n", cpu, current->comm, current->tid);
		backtrace_print();
	}
}

static void show_tasks(void)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		task_print(t);
	list_for_each_entry_rcu(t, &kernel_threads, all_link)
		task_print(t);
}

static void show_blocked(void)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (task_state_char(t) == 'D')
			task_print(t);
}

static void show_locks(void)
{
	struct task *t;

	if (!IS_DEBUG)
		pr_notice("sysrq: only debug builds keep account\n");
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		lock_check_print_held(t);
	list_for_each_entry_rcu(t, &kernel_threads, all_link)
		lock_check_print_held(t);
}

static void do_sync(struct work *w)
{
	(void)w;
	supers_sync_all(true);
	pr_notice("sysrq: Emergency Sync complete\n");
}

static void do_read_only(struct work *w)
{
	(void)w;
	supers_read_only();
	pr_notice("sysrq: Emergency Remount complete\n");
}

static void do_oom(struct work *w)
{
	(void)w;
	if (!oom_kill_victim())
		pr_notice("sysrq: OOM request ignored. No task eligible\n");
}

static void do_sak(struct work *w) { (void)w; tty_kill_console_users(); }

static void show_registers(void)
{
	const struct trap_frame *tf = irq_interrupted();

	if (!tf) {
		backtrace_print();
		return;
	}
	frame_print(tf);
	backtrace_frame(tf->pc, frame_from_user(tf) ? 0 : tf->x[29]);
}

static struct work works[4];
static void emergency_sync(void) { work_queue(&works[0]); }
static void oom_one(void) { work_queue(&works[1]); }
static void emergency_read_only(void) { work_queue(&works[3]); }
static void secure_attention(void) { work_queue(&works[2]); }

static void signal_all(int sig)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (t == t->proc->leader && !t->proc->is_init)
			signal_send_process(t->proc, sig, NULL);
}
static void term_all(void) { signal_all(SIGTERM); }
static void kill_all(void) { signal_all(SIGKILL); }

static void nice_all(void)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (READ_ONCE(t->se.policy) == SCHED_FIFO || READ_ONCE(t->se.policy) == SCHED_RR)
			sched_set_policy(t, SCHED_NORMAL, 0, 0);
}

static const struct { char key; u16 kind; const char *help, *text; void (*fn)(void); } keys[] = {
	{ 'b', KIND_BOOT, "reboot(b)", "Resetting", power_reset },
	{ 'c', KIND_DUMP, "crash(c)", "Trigger a crash", crash },
	{ 'd', KIND_DUMP, "show-all-locks(d)", "Show Locks Held", show_locks },
	{ 'e', KIND_SIGNAL, "terminate-all-tasks(e)", "Terminate All Tasks", term_all },
	{ 'f', KIND_SIGNAL, "memory-full-oom-kill(f)", "Manual OOM execution", oom_one },
	{ 'i', KIND_SIGNAL, "kill-all-tasks(i)", "Kill All Tasks", kill_all },
	{ 'k', KIND_KEYBOARD, "sak(k)", "SAK", secure_attention },
	{ 'l', KIND_DUMP, "show-backtrace-all-active-cpus(l)", "Show backtrace of all active CPUs", show_cpus },
	{ 'm', KIND_DUMP, "show-memory-usage(m)", "Show Memory", show_memory },
	{ 'n', KIND_NICE, "nice-all-RT-tasks(n)", "Nice All RT Tasks", nice_all },
	{ 'o', KIND_BOOT, "poweroff(o)", "Power Off", power_off },
	{ 'p', KIND_DUMP, "show-registers(p)", "Show Regs", show_registers },
	{ 's', KIND_SYNC, "sync(s)", "Emergency Sync", emergency_sync },
	{ 't', KIND_DUMP, "show-task-states(t)", "Show State", show_tasks },
	{ 'u', KIND_REMOUNT, "unmount(u)", "Emergency Remount R/O", emergency_read_only },
	{ 'w', KIND_DUMP, "show-blocked-tasks(w)", "Show Blocked State", show_blocked },
};

static void help(void)
{
	char line[400];
	size_t len = 0;

	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		len += (size_t)scnprintf(line + len, sizeof(line) - len, " %s", keys[i].help);
	pr_notice("sysrq: HELP : loglevel(0-9)%s\n", line);
}

static bool allowed(u32 kind, bool from_console)
{
	u64 mask = READ_ONCE(enabled);

	if (!from_console || mask == KIND_ALL || (mask & kind))
		return true;
	pr_notice("sysrq: This sysrq operation is disabled.\n");
	return false;
}

static void run_key(char key, bool from_console)
{
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key) {
			if (allowed(keys[i].kind, from_console)) {
				pr_notice("sysrq: %s\n", keys[i].text);
				keys[i].fn();
			}
			return;
		}
	if (allowed(~0u, from_console))
		help();
}

void sysrq_handle(char key, bool from_console)
{
	int level = console_loglevel;

	console_loglevel = 7;
	if (key >= '0' && key <= '9') {
		if (allowed(KIND_LOG, from_console)) {
			level = key - '0';
			pr_notice("sysrq: Changing Loglevel\n");
			pr_notice("sysrq: Loglevel set to %d\n", level);
		}
	} else {
		rcu_read_lock();
		run_key(key, from_console);
		rcu_read_unlock();
	}
	console_loglevel = level;
}

static int trigger_write(const char *buf, size_t len, void *arg)
{
	(void)arg;
	if (len)
		sysrq_handle(buf[0], false);
	return 0;
}
PROC_FILE(sysrq_trigger, .path = "sysrq-trigger", .mode = 0200, .write = trigger_write);

static int sysrq_init(void)
{
	work_init(&works[0], do_sync);
	work_init_as(&works[1], WORK_BRIEF, do_oom);
	work_init_as(&works[2], WORK_BRIEF, do_sak);
	work_init(&works[3], do_read_only);
	return 0;
}
BOOT_INIT(core, sysrq_init);
