/* Emergency keys.  Each is one line of the table; what must sleep goes to a work item. */
#include <drivers/power/power.h>
#include <fs/super.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/irq/irq.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/symbols.h>
#include <kernel/sysrq.h>
#include <mm/page.h>

static void help(void);
static void crash(void) { panic("sysrq triggered crash"); }
static void show_memory(void) { pr_notice("sysrq: %lu KiB free of %lu KiB\n", page_nr_free() * 4, page_nr_total() * 4); }
static void show_here(void) { backtrace_print(); }

static void show_tasks(void)
{
	struct task *t;

	printk(LOG_NOTICE "sysrq:   tid state flags comm, where\n");
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		printk(LOG_NOTICE "sysrq: %5d %5x %5x %s%s\n", t->tid, t->state, t->pflags, t->comm, t->on_cpu ? " (running)" : "");
		if (!t->on_cpu && t->state)
			backtrace_task(t);
	}
}

static void do_sync(struct work *w)
{
	(void)w;
	supers_sync_all(true);
	pr_notice("sysrq: Emergency Sync complete\n");
}

static void emergency_sync(void)
{
	static struct work work;
	static bool made;

	if (!made) {
		made = true;
		work_init(&work, do_sync);
	}
	work_queue(&work);
}

static void signal_all(int sig)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (!(t->pflags & PF_KTHREAD) && t->proc && t == t->proc->leader && !t->proc->is_init)
			signal_send_process(t->proc, sig, NULL);
}
static void term_all(void) { signal_all(SIGTERM); }
static void kill_all(void) { signal_all(SIGKILL); }

static const struct { char key; const char *what; void (*fn)(void); } keys[] = {
	{ 'b', "reboot(b)", power_reset }, { 'c', "crash(c)", crash }, { 'e', "terminate-all-tasks(e)", term_all },
	{ 'h', "help(h)", help }, { 'i', "kill-all-tasks(i)", kill_all }, { 'l', "show-backtrace(l)", show_here },
	{ 'm', "show-memory-usage(m)", show_memory }, { 'o', "poweroff(o)", power_off }, { 'p', "show-registers(p)", show_here },
	{ 's', "sync(s)", emergency_sync }, { 't', "show-task-states(t)", show_tasks },
};

static void help(void)
{
	printk(LOG_NOTICE "sysrq: loglevel(0-9)\n");
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		printk(LOG_NOTICE "sysrq: %s\n", keys[i].what);
}

void sysrq_handle(char key)
{
	int level = console_loglevel;

	if (key >= '0' && key <= '9') {
		console_loglevel = key - '0';
		return;
	}
	console_loglevel = 7;
	rcu_read_lock();
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key) {
			pr_notice("sysrq: %s\n", keys[i].what);
			keys[i].fn();
			goto out;
		}
	help();
out:
	rcu_read_unlock();
	console_loglevel = level;
}

static int trigger_write(const char *buf, size_t len, void *arg)
{
	(void)arg;
	if (len)
		sysrq_handle(buf[0]);
	return 0;
}
PROC_FILE(sysrq_trigger, .path = "sysrq-trigger", .mode = 0200, .write = trigger_write);
