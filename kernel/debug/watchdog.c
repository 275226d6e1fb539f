/* Soft lockups and hung tasks.
 *
 * Lockups.  A CPU is stuck when its running task has been asked to make room (TIF_NEED_RESCHED) and the CPU has not passed through the
 * scheduler for 2 * kernel.watchdog_thresh seconds: it sits in the kernel with preemption or interrupts off, while somebody waits, be it a
 * task or an RCU grace period.  A program that runs long, or a FIFO task that nobody may preempt, is not asked.  A CPU that nobody wants
 * is not watched: it keeps nobody waiting.
 *
 * There is no tick to look on, and an idle system must take no interrupt.  So the looking is armed by the asking: resched_curr() pokes the
 * asker's own CPU, whose timer then looks at all CPUs, five times within the limit, for as long as it finds one that has been asked and has
 * not answered; then it rests.  The asker may be the stuck CPU itself (its slice timer, a wake-up from an interrupt): its timer serves
 * while it takes interrupts; or another CPU (a wake-up from there, the RCU thread): then that one finds the CPU that takes none.  Nobody
 * finds a machine all of whose CPUs have interrupts off; that takes an interrupt that cannot be masked.  What it costs when all is well: a
 * load and a branch each time a running task is asked to make room, and afterwards one timer interrupt on that CPU.
 *
 * Rejected: a thread of the highest priority on each CPU that touches a time stamp (Linux): a periodic timer.  Looking on in the slice
 * timer: it is not armed when a wake-up preempts.  A time stamp at each request: a clock read in each wake-up.
 *
 * Hung tasks.  Likewise, who goes to sleep uninterruptibly (and not killably) arms one timer for the whole machine, if it is not armed, at
 * kernel.hung_task_timeout_secs from now.  It wakes khungtaskd, which looks at all tasks, reports those that have slept for that long
 * (since they last ran, se.exec_start), and arms the timer for the moment at which the longest of the others will have.  With nobody in
 * such a sleep it is not armed again.  A task seen too early is found by the next round: reports come within the time-out and twice that.
 *
 * Locks: none.  One CPU looks at a time (`looking`); what it remembers is its own then.  The scan is an RCU read side; a task that is to
 * be reported is referenced first and looked at (task_look) after it.  hung_task_armed is cleared before the scan reads any state, and who
 * sleeps stores his state before he reads it: one of the two sees the other. */
#include <arch/trapframe.h>
#include <kernel/debug.h>
#include <kernel/debug/cpus.h>
#include <kernel/debug/watchdog.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/symbols.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>

static u64 watchdog_on = 1, thresh_secs = 10, lockup_panic, lockup_all_cpus;
SYSCTL(watchdog, "kernel/watchdog", .value = &watchdog_on, .max = 1);
SYSCTL(soft_watchdog, "kernel/soft_watchdog", .value = &watchdog_on, .max = 1);
SYSCTL(watchdog_thresh, "kernel/watchdog_thresh", .value = &thresh_secs, .max = 60);
SYSCTL(softlockup_panic, "kernel/softlockup_panic", .value = &lockup_panic, .max = 1);
SYSCTL(softlockup_all_cpu_backtrace, "kernel/softlockup_all_cpu_backtrace", .value = &lockup_all_cpus, .max = 1);

static u64 test_lockup_ns, test_hung_ns;	/* 0: the numbers above and below hold */

/* --- lockups */

DEFINE_PER_CPU(u32, watchdog_armed);		/* its CPU's */
static DEFINE_PER_CPU(struct timer, watchdog_timer);
static struct seen { u64 passes, since_ns, told_ns; } seen[NR_CPUS];	/* [looking] since_ns 0: not asked when last looked at */
static u32 looking;				/* [a] */
static u64 lockups;				/* [a] */

static u64 lockup_limit(void)
{
	u64 test = READ_ONCE(test_lockup_ns);

	if (test)
		return test;
	return READ_ONCE(watchdog_on) ? 2 * READ_ONCE(thresh_secs) * NSEC_PER_SEC : 0;
}

static void report_lockup(u32 cpu, u64 stuck_ns)
{
	struct task *t = sched_curr_task(cpu);

	printk(LOG_EMERG "watchdog: BUG: soft lockup - CPU#%u stuck for %lus! [%s:%d]\n", cpu, (unsigned long)(stuck_ns / NSEC_PER_SEC), t->comm, t->tid);
	if (cpu == smp_cpu_id()) {
		const struct trap_frame *tf = irq_interrupted();

		frame_print(tf);
		backtrace_frame(tf->pc, frame_from_user(tf) ? 0 : tf->x[29]);
	} else if (!cpu_backtrace(cpu)) {
		printk(LOG_EMERG "watchdog: CPU#%u takes no interrupts\n", cpu);
	}
	lock_check_print_held(t);
	for (u32 other = 0; READ_ONCE(lockup_all_cpus) && other < nr_cpus; other++)
		if (other != cpu && other != smp_cpu_id() && (atomic_load(&cpu_online_mask) & BIT(other)))
			cpu_backtrace(other);
	atomic_inc(&lockups);
	if (READ_ONCE(lockup_panic))
		panic("softlockup: hung tasks");
}

/* Has this CPU been asked, and not answered?  For too long: report it, and again each time the limit has passed. */
static bool look_at(u32 cpu, u64 now, u64 limit)
{
	struct seen *s = &seen[cpu];
	u64 passes;

	if (!sched_cpu_asked(cpu, &passes)) {
		s->since_ns = 0;
		return false;
	}
	if (!s->since_ns || s->passes != passes) {
		*s = (struct seen){ passes, now, now };
	} else if (now - s->told_ns >= limit) {
		report_lockup(cpu, now - s->since_ns);
		s->told_ns = clock_mono_ns();	/* the report may have waited for the CPU's answer */
	}
	return true;
}

/* `looking` is ours.  Is any CPU asked? */
static bool look_at_all(u64 limit)
{
	u64 before = atomic_load(&lockups), now = clock_mono_ns();
	bool asked = false;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (atomic_load(&cpu_online_mask) & BIT(cpu))
			asked |= look_at(cpu, now, limit);
	if (atomic_load(&lockups) != before)
		seen[smp_cpu_id()].since_ns = 0;	/* it could not answer: it was reporting */
	return asked;
}

static void look(struct timer *t)
{
	bool asked = true, mine = atomic_cas_acquire(&looking, 0u, 1u);	/* if somebody else looks: again later, he might be cut short */
	u64 limit = lockup_limit();

	if (mine) {
		asked = limit && look_at_all(limit);
		atomic_store_release(&looking, 0u);
	}
	if (asked && limit)
		timer_arm(t, clock_mono_ns() + limit / 5);
	else
		this_cpu(watchdog_armed) = 0;
}

void watchdog_arm(void)
{
	struct timer *t = this_cpu_ptr(&watchdog_timer);
	u64 limit = lockup_limit();

	if (!limit)
		return;
	if (!t->func)
		timer_init(t, look);
	this_cpu(watchdog_armed) = 1;
	timer_arm(t, clock_mono_ns() + limit / 5);
}

u64 watchdog_lockups(void) { return atomic_load(&lockups); }

/* --- hung tasks */

#define AT_ONCE 8u		/* reports in one round */

static u64 timeout_secs = 120, hung_panic;
static s64 warnings = 10;	/* so many more; -1: no end */
SYSCTL(hung_task_warnings, "kernel/hung_task_warnings", .value = &warnings, .min = -1, .max = 0x7fffffff);
SYSCTL(hung_task_panic, "kernel/hung_task_panic", .value = &hung_panic, .max = 1);

u32 hung_task_armed;		/* [a] the timer is, or the scan is due */
static struct timer hung_timer;
static DEFINE_WAIT_QUEUE(hung_wait);
static u32 hung_due;		/* [a] */
static u64 hung_found, scans;	/* [a] */
static const struct task *hung_last;

static u64 hung_limit(void)
{
	u64 test = READ_ONCE(test_hung_ns);

	return test ? test : READ_ONCE(timeout_secs) * NSEC_PER_SEC;
}

static void hung_timer_fired(struct timer *t)
{
	(void)t;
	atomic_store_release(&hung_due, 1u);
	wake_up(&hung_wait);
}

void hung_task_arm(void)
{
	u64 limit = hung_limit();

	if (limit && hung_timer.func && atomic_cas_acquire(&hung_task_armed, 0u, 1u))
		timer_arm(&hung_timer, clock_mono_ns() + limit);
}

static bool sleeps_hard(const struct task *t)
{
	u32 state = READ_ONCE(t->state);

	return (state & TASK_UNINTERRUPTIBLE) && !(state & TASK_WAKEKILL) && READ_ONCE(t->se.exec_start) && !READ_ONCE(t->se.on_rq);
}

struct scan { u64 now, limit, next; struct task *hung[AT_ONCE]; u32 nr; };

static void scan_list(struct scan *s, struct list_head *list)
{
	struct task *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, list, all_link) {
		u64 due = READ_ONCE(t->se.exec_start) + s->limit;

		if (!sleeps_hard(t))
			continue;
		if (due <= s->now && s->nr < AT_ONCE) {
			task_get(t);
			s->hung[s->nr++] = t;
			due = s->now + s->limit;
		}
		s->next = min(s->next, max(due, s->now + s->limit / 5));
	}
	rcu_read_unlock();
}

static void report_hung(struct task *t)
{
	s64 left = READ_ONCE(warnings);

	if (READ_ONCE(hung_panic))
		console_loglevel = 15;
	if (left || READ_ONCE(hung_panic)) {
		if (left > 0)
			WRITE_ONCE(warnings, left - 1);
		printk(LOG_ERR "INFO: task %s:%d blocked for more than %lu seconds.\n", t->comm, t->tid, (unsigned long)(hung_limit() / NSEC_PER_SEC));
		printk(LOG_ERR "\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.\n");
		task_print(t);
		lock_check_print_held(t);
		if (left == 1)
			printk(LOG_INFO "Future hung task reports are suppressed, see sysctl kernel.hung_task_warnings\n");
	}
	hung_last = t;
	atomic_inc(&hung_found);
	if (READ_ONCE(hung_panic))
		panic("hung_task: blocked tasks");
}

static void scan(void)
{
	struct scan s = { .now = clock_mono_ns(), .limit = hung_limit(), .next = TIME_NEVER };

	atomic_store(&hung_task_armed, 0u);
	smp_mb();	/* who sleeps from here on arms the timer; pairs with set_current_state */
	if (!s.limit)
		return;
	scan_list(&s, &all_tasks);
	scan_list(&s, &kernel_threads);
	for (u32 i = 0; i < s.nr; i++) {
		if (sleeps_hard(s.hung[i]))
			report_hung(s.hung[i]);
		task_put(s.hung[i]);
	}
	if (s.next != TIME_NEVER) {
		atomic_store(&hung_task_armed, 1u);
		timer_arm(&hung_timer, s.next);
	}
	atomic_inc(&scans);
}

static void hung_task_thread(void *arg)
{
	(void)arg;
	for (;;) {
		wait_event_interruptible(&hung_wait, atomic_load_acquire(&hung_due));
		atomic_store(&hung_due, 0u);
		scan();
	}
}

/* A new limit holds for those who sleep already. */
static const struct sysctl timeout_ctl = { .value = &timeout_secs, .max = 9223372036 /* as on Linux: LONG_MAX / HZ there, and ns here */ };

static int timeout_write(const char *buf, size_t len, void *arg)
{
	int err = sysctl_write(buf, len, arg);

	if (!err)
		hung_timer_fired(&hung_timer);
	return err;
}
PROC_FILE(hung_task_timeout, .path = "sys/kernel/hung_task_timeout_secs", .mode = 0644, .show = sysctl_show, .write = timeout_write,
	  .arg = (void *)&timeout_ctl);

static int hung_task_init(void)
{
	timer_init(&hung_timer, hung_timer_fired);
	return kthread_create(hung_task_thread, NULL, "khungtaskd") ? 0 : -1;
}
BOOT_INIT(late, hung_task_init);

u64 hung_tasks_found(void) { return atomic_load(&hung_found); }
u64 hung_task_scans(void) { return atomic_load(&scans); }
const struct task *hung_task_last(void) { return hung_last; }

void watchdog_limits(u64 lockup_ns, u64 hung_ns)
{
	WRITE_ONCE(test_lockup_ns, lockup_ns);
	WRITE_ONCE(test_hung_ns, hung_ns);
	hung_timer_fired(&hung_timer);
	while (atomic_load_acquire(&looking))
		cpu_relax();
}
