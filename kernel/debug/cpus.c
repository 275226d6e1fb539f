/* Looking at other CPUs.
 *
 * A CPU that is asked (IPI_BACKTRACE) or stopped (IPI_STOP) writes down who it runs and the addresses of its stack, in memory of its own,
 * and goes on, or halts; who asked prints.  So the lines of several CPUs never mix, a stuck one prints nothing from a bad place, and after
 * a panic only one CPU writes to the log, which needs no lock then.
 *
 * Whoever asks waits for the answer, but not for ever: a CPU with interrupts off cannot answer, and is told about by what its run queue
 * says.  (There are no interrupts here that cannot be masked.)  Requests have numbers; the answer to an old one is not taken for the
 * new one's.  snapshot.answered is stored with release behind the rest and read with acquire.
 *
 * Who asks does so with interrupts off, or on; two who ask at once would wait for each other's CPUs, so the second gets none (busy). */
#include <arch/smp.h>
#include <arch/trapframe.h>
#include <kernel/debug/cpus.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/time/time.h>

#define ANSWER_NS	(100 * NSEC_PER_MSEC)
#define STOP_NS		NSEC_PER_SEC

struct snapshot {
	u32 asked, answered;		/* [a] the number of the last request, and of the last one answered */
	u32 parked;			/* [a] it answers no more, and need not */
	bool user, self, idle;
	s32 tid;
	char comm[TASK_COMM_LEN];
	u64 pc, pcs[32];
	u32 n;
};
static DEFINE_PER_CPU(struct snapshot, snapshot);
static u32 busy;			/* [a] */

void cpu_snapshot_take(void)
{
	struct snapshot *s = this_cpu_ptr(&snapshot);
	u32 asked = atomic_load_acquire(&s->asked);
	const struct trap_frame *tf = irq_interrupted();

	strlcpy(s->comm, current->comm, sizeof(s->comm));
	s->tid = current->tid;
	s->pc = tf ? tf->pc : 0;
	s->user = tf && frame_from_user(tf);
	s->idle = current == sched_idle_task(smp_cpu_id());
	s->n = s->user ? 0 : stack_walk(tf ? tf->x[29] : (u64)__builtin_frame_address(0), s->pcs, ARRAY_SIZE(s->pcs));
	atomic_store_release(&s->answered, asked);
}

static bool has_answered(u32 cpu)
{
	struct snapshot *s = per_cpu_ptr(&snapshot, cpu);

	return atomic_load_acquire(&s->parked) || atomic_load_acquire(&s->answered) == atomic_load(&s->asked);
}

/* The clock alone ends the wait, so that it does with interrupts off too. */
static bool wait_for(cpumask_t cpus, u64 ns)
{
	u64 end = clock_mono_ns() + ns;
	bool all;

	do {
		all = true;
		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			if (cpus & BIT(cpu))
				all &= has_answered(cpu);
		if (!all)
			cpu_relax();
	} while (!all && clock_mono_ns() < end);
	return all;
}

static void ask(u32 cpu, enum ipi how)
{
	struct snapshot *s = per_cpu_ptr(&snapshot, cpu);

	atomic_store_release(&s->asked, atomic_load(&s->asked) + 1);
	smp_send(cpu, how);
}

bool cpu_snapshot_print(u32 cpu)
{
	struct snapshot *s = per_cpu_ptr(&snapshot, cpu);
	struct task *t;

	if (!has_answered(cpu)) {
		t = sched_curr_task(cpu);
		printk(LOG_EMERG "CPU %u: does not answer; it last switched to %s[%d]\n", cpu, t ? t->comm : "?", t ? t->tid : 0);
		return false;
	}
	if (s->user) {
		printk(LOG_EMERG "CPU %u: %s[%d] in user mode at %016lx\n", cpu, s->comm, s->tid, s->pc);
		return true;
	}
	printk(LOG_EMERG "CPU %u: %s[%d] at %pS%s\n", cpu, s->comm, s->tid, (void *)(s->pc ? s->pc : s->n ? s->pcs[0] : 0),
	       s->self ? ", in a panic of its own" : s->idle ? ", idle" : "");
	for (u32 i = 0; i < s->n && !s->idle; i++)
		printk(LOG_EMERG "  [<%016lx>] %pS\n", s->pcs[i], (void *)s->pcs[i]);
	return true;
}

bool cpu_backtrace(u32 cpu)
{
	bool answered;

	if (!atomic_cas_acquire(&busy, 0u, 1u))
		return false;
	ask(cpu, IPI_BACKTRACE);
	wait_for(BIT(cpu), ANSWER_NS);
	answered = cpu_snapshot_print(cpu);
	atomic_store_release(&busy, 0u);
	return answered;
}

void cpus_stop(void)
{
	cpumask_t others = atomic_load(&cpu_online_mask) & ~BIT(smp_cpu_id());

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (others & BIT(cpu))
			ask(cpu, IPI_STOP);
	wait_for(others, STOP_NS);
}

void __noreturn cpu_park(bool self)
{
	arch_irq_disable();
	this_cpu(snapshot).self = self;
	cpu_snapshot_take();
	atomic_store_release(&this_cpu(snapshot).parked, 1u);
	for (;;)
		cpu_wait_for_interrupt();
}

void task_print(struct task *t)
{
	char name[TASK_COMM_LEN];

	task_comm(t, name);
	printk(LOG_NOTICE "task:%-15s state:%c pid:%-5d tgid:%-5d flags:0x%04x%s\n", name, task_state_char(t), t->tid, t->proc->pid,
	       READ_ONCE(t->pflags), atomic_load(&t->on_cpu) ? " (running)" : "");
	backtrace_task(t);
}
