/* The architected virtual timer as this CPU's clock-event device.  Arm ARM D11. */
#include <arch/cpu.h>
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/time/time.h>

#define VIRTUAL_TIMER 2		/* index in the "interrupts" property */

static void arch_timer_set(u64 counter)
{
	write_sysreg(counter, cntv_cval_el0);
	write_sysreg(1, cntv_ctl_el0);
	isb();
}

static void arch_timer_stop(void)
{
	write_sysreg(2, cntv_ctl_el0);
	isb();
}

static void arch_timer_irq(u32 irq, void *arg)
{
	(void)irq;
	(void)arg;
	arch_timer_stop();	/* the line is level-triggered; timer_interrupt arms it anew */
	timer_interrupt();
}

static const struct clockevent arch_timer = { arch_timer_set, arch_timer_stop };

static int arch_timer_probe(int node)
{
	bool edge;
	u32 irq;
	int err = fdt_irq(node, VIRTUAL_TIMER, &irq, &edge);

	if (err)
		return err;
	arch_timer_stop();
	err = irq_request(irq, arch_timer_irq, NULL, IRQ_PERCPU, "arch_timer");
	if (!err)
		clockevent_register(&arch_timer);
	return err;
}

static const char *const arch_timer_match[] = { "arm,armv8-timer", "arm,armv7-timer", NULL };
DRIVER(arch_timer, .match = arch_timer_match, .probe = arch_timer_probe, .level = DRIVER_CLOCK);
