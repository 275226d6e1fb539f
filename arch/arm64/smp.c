/* The other CPUs.
 *
 * Starting.  smp_scan() numbers what the device tree lists.  smp_start() gives each its per-CPU data and an idle task, and asks the
 * firmware (PSCI CPU_ON) for all of them at once; each enters head.S at secondary_entry, on the final page tables, drops whatever its TLB
 * holds, sets up its interrupt controller interface and run queue, and says that it is there.  The boot goes on meanwhile; smp_wait() waits
 * for stragglers before the first program runs.  One that has not come by then is left out for good: the state goes from CPU_ASKED either
 * to CPU_RUNS (by itself) or to CPU_LOST (by us), by compare-and-swap, and who comes too late finds the door shut.
 *
 * Calls.  Each CPU has a stack of requests, pushed by anybody with one compare-and-swap and taken whole by its handler; the interrupt is
 * sent only by who finds it empty.  No lock, so two CPUs may call each other: both wait with interrupts on.  Order: the push releases what
 * the caller wrote, taking the stack acquires it; the last thing a handler does with a request is to count it done (release), so the
 * request may lie on the caller's stack.
 *
 * RCU.  A CPU that is not in cpu_online_mask when a grace period begins reads nothing older: it enters the mask by a full barrier before
 * it reads anything, and synchronize_rcu has one between unpublishing and reading the mask.
 * PSCI: Arm DEN 0022, 5.1.4. */
#include <arch/atomic.h>
#include <arch/hwcap.h>
#include <arch/irqflags.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <drivers/base/fdt.h>
#include <drivers/power/power.h>
#include <kernel/debug.h>
#include <kernel/debug/cpus.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>

#define MPIDR_AFFINITY	0xff00fffffful
#define START_NS	(2 * NSEC_PER_SEC)	/* for all of them; a firmware that has said yes needs microseconds */

enum cpu_state { CPU_ABSENT, CPU_ASKED, CPU_RUNS, CPU_LOST };
static struct { u64 mpidr; u32 state; } cpus[NR_CPUS];	/* state: [a]; mpidr: written once, by the boot CPU */
struct task *secondary_tasks[NR_CPUS];			/* head.S reads it */
static DEFINE_PER_CPU(struct smp_call *, calls);	/* [a] */
static DEFINE_WAIT_QUEUE(arrivals);
static u64 max_cpus = NR_CPUS;

void secondary_entry(void);
void secondary_main(void);

static void param_maxcpus(const char *value)
{
	s64 n;

	if (value && !kstrtos64(value, 0, &n) && n >= 0)
		max_cpus = min(max((u64)n, 1ul), (u64)NR_CPUS);
}
BOOT_PARAM("maxcpus", param_maxcpus);

u64 smp_mpidr(u32 cpu) { return cpus[cpu].mpidr; }

static bool started_by_psci(int node)
{
	int len;
	const char *method = fdt_prop(node, "enable-method", &len);

	return method && len == 5 && !memcmp(method, "psci", 5);
}

/* The "reg" of a CPU's node: one or two cells. */
static int node_mpidr(int node, u64 *mpidr)
{
	u32 hi = 0, lo;

	if (fdt_prop_u32(node, "reg", 0, &lo))
		return -1;
	if (!fdt_prop_u32(node, "reg", 1, &hi))
		swap(hi, lo);
	*mpidr = ((u64)hi << 32 | lo) & MPIDR_AFFINITY;
	return 0;
}

void smp_scan(void)
{
	u64 mpidr;
	int node;

	cpus[0].mpidr = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
	cpus[0].state = CPU_RUNS;
	for (u32 i = 0; (node = fdt_cpu(i)) >= 0 && nr_cpus < max_cpus; i++) {
		if (node_mpidr(node, &mpidr) || mpidr == cpus[0].mpidr)
			continue;
		if (!started_by_psci(node)) {
			pr_warn("smp: the CPU at %lx has no enable-method we know; it is left out\n", mpidr);
			continue;
		}
		cpus[nr_cpus++].mpidr = mpidr;
	}
}

/* --- interrupts from one CPU to another */

void smp_send(u32 cpu, enum ipi ipi)
{
	irq_send_ipi(cpu, ipi);
}

static void send_reschedule(u32 cpu)
{
	irq_send_ipi(cpu, IPI_RESCHEDULE);
}

void smp_call_later(u32 cpu, struct smp_call *c)
{
	struct smp_call **stack = per_cpu_ptr(&calls, cpu), *head;

	do {
		head = atomic_load(stack);
		c->next = head;
	} while (!atomic_cas(stack, head, c));
	if (!head)
		smp_send(cpu, IPI_CALL);
}

static void run_calls(void)
{
	struct smp_call *c = atomic_xchg(this_cpu_ptr(&calls), NULL), *in_order = NULL;

	while (c) {
		struct smp_call *next = c->next;

		c->next = in_order;
		in_order = c;
		c = next;
	}
	while (in_order) {
		u32 *left = in_order->left;

		c = in_order;
		in_order = c->next;
		c->fn(c->arg);
		if (left)
			atomic_sub_release(left, 1u);	/* c may be gone from here on */
	}
}

void smp_call(cpumask_t mask, void (*fn)(void *arg), void *arg)
{
	struct smp_call requests[NR_CPUS];
	u32 left, me;

	preempt_disable();
	me = smp_cpu_id();
	mask &= atomic_load(&cpu_online_mask);
	DEBUG_ASSERT(!(mask & ~BIT(me)) || !arch_irqs_disabled());
	left = cpumask_count(mask & ~BIT(me));
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu != me && (mask & BIT(cpu))) {
			requests[cpu] = (struct smp_call){ NULL, fn, arg, &left };
			smp_call_later(cpu, &requests[cpu]);
		}
	if (mask & BIT(me)) {
		irqflags_t flags = arch_irq_save();

		fn(arg);
		arch_irq_restore(flags);
	}
	while (atomic_load_acquire(&left))
		cpu_relax();
	preempt_enable();
}

static void ipi_handler(u32 irq, void *arg)
{
	(void)arg;
	switch ((enum ipi)irq) {
	case IPI_RESCHEDULE:		/* the way out of the interrupt looks at TIF_NEED_RESCHED */
		break;
	case IPI_CALL:
		run_calls();
		break;
	case IPI_STOP:
		cpu_park(false);
	case IPI_BACKTRACE:
		cpu_snapshot_take();
		break;
	case NR_IPIS:
		break;
	}
}

static void ipi_init(void)
{
	static const char *const names[NR_IPIS] = { "Rescheduling interrupts", "Function call interrupts", "CPU stop interrupts",
						    "CPU backtrace interrupts" };

	for (u32 i = 0; i < NR_IPIS; i++)
		VERIFY(!irq_request(i, ipi_handler, NULL, IRQ_PERCPU | (i == IPI_RESCHEDULE ? IRQ_BRIEF : 0), names[i]));
	sched_send_ipi = send_reschedule;
}

/* --- starting */

static bool ask_for(u32 cpu)
{
	s64 err;

	secondary_tasks[cpu] = sched_idle_create(cpu);
	if (!secondary_tasks[cpu]) {
		pr_err("smp: no memory for CPU%u; it is left out\n", cpu);
		return false;
	}
	rcu_cpu_init(cpu);
	atomic_store_release(&cpus[cpu].state, CPU_ASKED);
	dsb_sy();
	err = psci_call(PSCI_CPU_ON, cpus[cpu].mpidr, image_to_phys(secondary_entry), cpu);
	if (!err)
		return true;
	pr_err("smp: the firmware does not start CPU%u (at %lx), error %ld; it is left out\n", cpu, cpus[cpu].mpidr, err);
	atomic_store(&cpus[cpu].state, CPU_LOST);
	return false;
}

void smp_start(void)
{
	if (nr_cpus == 1)
		return;
	ipi_init();
	for (u32 cpu = 1; cpu < nr_cpus; cpu++)
		ask_for(cpu);
}

static bool all_arrived(void)
{
	for (u32 cpu = 1; cpu < nr_cpus; cpu++)
		if (atomic_load(&cpus[cpu].state) == CPU_ASKED)
			return false;
	return true;
}

void smp_wait(void)
{
	if (nr_cpus == 1)
		return;
	wait_event_timeout(&arrivals, all_arrived(), clock_mono_ns() + START_NS);
	for (u32 cpu = 1; cpu < nr_cpus; cpu++)
		if (atomic_cas(&cpus[cpu].state, CPU_ASKED, CPU_LOST))
			pr_err("smp: CPU%u (at %lx) does not come up; it is left out\n", cpu, cpus[cpu].mpidr);
	pr_info("smp: %u of %u CPUs run\n", cpumask_count(atomic_load(&cpu_online_mask)), nr_cpus);
}

/* From head.S, on the idle task's stack, interrupts off. */
void secondary_main(void)
{
	u32 cpu = smp_cpu_id();

	if (!atomic_cas(&cpus[cpu].state, CPU_ASKED, CPU_RUNS))
		for (;;)
			cpu_wait_for_interrupt();
	clockevent_cpu_init();
	irq_cpu_init();
	sched_init();
	cpu_identify();
	atomic_fetch_or(&cpu_online_mask, BIT(cpu));
	smp_mb();		/* in the mask before the first look at anything read under RCU; pairs with synchronize_rcu */
	irq_cpu_arrived();
	wake_up(&arrivals);
	arch_irq_enable();
	cpu_idle_loop();
}
