/* Fatal stops.  The first CPU to panic wins.  It stops the others before it says a word: from then on nobody else writes to the log, whose
 * lock it ignores.  A second CPU that panics meanwhile parks and is told about like the rest; a fault while panicking is told if the
 * reason was not out yet, and ends the report if it was.  What is printed follows a fixed form that machines read: "Kernel panic: reason",
 * registers, backtrace, what the reporter adds (panic_note), for each other CPU a line and its backtrace; then panic=N decides between
 * reset and halt. */
#include <arch/cpu.h>
#include <arch/trapframe.h>
#include <drivers/power/power.h>
#include <kernel/debug.h>
#include <kernel/debug/cpus.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sysctl.h>
#include <kernel/task.h>
#include <kernel/time/time.h>

bool panic_in_progress;
void (*panic_note)(void);
static u32 panic_owner;			/* [a] CPU + 1 */
static enum { QUIET, STOPPING, TELLING } stage;	/* the owner's */
static s64 panic_timeout;		/* seconds: 0 halt, < 0 reset at once */
static char reason[256];

static void param_panic(const char *value)
{
	if (!value || kstrtos64(value, 0, &panic_timeout))
		panic_timeout = 0;
}
BOOT_PARAM("panic", param_panic);

SYSCTL(panic, "kernel/panic", .value = &panic_timeout, .min = -0x80000000l, .max = 0x7fffffff);

void frame_print(const struct trap_frame *tf)
{
	printk(LOG_EMERG "pc : %016lx %pS\n", tf->pc, (void *)tf->pc);
	printk(LOG_EMERG "lr : %016lx %pS\n", tf->x[30], (void *)tf->x[30]);
	printk(LOG_EMERG "sp : %016lx pstate: %08lx\n", tf->sp, tf->pstate);
	for (int i = 0; i < 30; i += 3)
		printk(LOG_EMERG "x%-2d: %016lx x%-2d: %016lx x%-2d: %016lx\n", i, tf->x[i], i + 1, tf->x[i + 1], i + 2, tf->x[i + 2]);
}

static __always_inline_ void capture_frame(struct trap_frame *tf)
{
	asm volatile("stp x0, x1, [%0]\n\tstp x2, x3, [%0, #16]\n\tstp x4, x5, [%0, #32]\n\tstp x6, x7, [%0, #48]\n\t"
		     "stp x8, x9, [%0, #64]\n\tstp x10, x11, [%0, #80]\n\tstp x12, x13, [%0, #96]\n\tstp x14, x15, [%0, #112]\n\t"
		     "stp x16, x17, [%0, #128]\n\tstp x18, x19, [%0, #144]\n\tstp x20, x21, [%0, #160]\n\tstp x22, x23, [%0, #176]\n\t"
		     "stp x24, x25, [%0, #192]\n\tstp x26, x27, [%0, #208]\n\tstp x28, x29, [%0, #224]\n\tstr x30, [%0, #240]"
		     : : "r"(tf->x) : "memory");
	tf->sp = (u64)__builtin_frame_address(0);
	tf->pc = (u64)__builtin_return_address(0);
	tf->pstate = read_sysreg(daif) | PSTATE_EL1h;
}

static void __noreturn halt(void)
{
	arch_irq_disable();
	for (;;)
		cpu_wait_for_interrupt();
}

static void __noreturn finish(void)
{
	if (panic_timeout > 0) {
		printk(LOG_EMERG "Rebooting in %ld seconds\n", panic_timeout);
		delay_ns((u64)panic_timeout * NSEC_PER_SEC);
	}
	if (panic_timeout)
		power_reset();
	printk(LOG_EMERG "System halted\n");
	halt();
}

/* begin - the first CPU to come returns, with the reason printed; others, and a fault while reporting one, do not. */
static void begin(const char *fmt, va_list args)
{
	u32 me = smp_cpu_id() + 1;

	arch_irq_disable();
	if (!atomic_cas_acquire(&panic_owner, 0u, me)) {
		if (atomic_load(&panic_owner) != me)
			cpu_park(true);
		if (stage == TELLING)
			finish();
	}
	lock_check_off();
	if (stage == QUIET) {		/* else a fault brought us here from this very place */
		stage = STOPPING;
		cpus_stop();
	}
	stage = TELLING;
	panic_in_progress = true;
	printk_panic_mode();
	kvsnprintf(reason, sizeof(reason), fmt, args);
	for (size_t n = strlen(reason); n && reason[n - 1] == '\n'; n--)
		reason[n - 1] = '\0';
	fmt_symbol_hook = symbol_format;
	printk(LOG_EMERG "Kernel panic: %s\n", reason);
	printk(LOG_EMERG "CPU: %u task: %s[%d]\n", me - 1, current->comm, current->tid);
}

static void __noreturn end(u64 pc, u64 fp)
{
	backtrace_frame(pc, fp);
	if (panic_note)
		panic_note();
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu != smp_cpu_id() && (atomic_load(&cpu_online_mask) & BIT(cpu)))
			cpu_snapshot_print(cpu);
	finish();
}

void panic_trap(struct trap_frame *tf, u64 esr, u64 far, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	begin(fmt, args);
	regs_print(tf, esr, far);
	end(tf->pc, frame_from_user(tf) ? 0 : tf->x[29]);
}

void panic(const char *fmt, ...)
{
	struct trap_frame tf;
	va_list args;

	capture_frame(&tf);
	va_start(args, fmt);
	begin(fmt, args);
	frame_print(&tf);
	end(0, tf.x[29]);
}

void assert_failed(const char *expr, const char *file, int line)
{
	panic("assertion failed: %s, %s:%d", expr, file, line);
}

void warn_report(const char *expr, const char *file, int line)
{
	printk(LOG_WARN "WARN: %s, %s:%d, CPU %u, %s[%d]\n", expr, file, line, smp_cpu_id(), current->comm, current->tid);
	backtrace_print();
}
