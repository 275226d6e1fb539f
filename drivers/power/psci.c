/* PSCI (Arm DEN 0022): the firmware's calls for power, by HVC or SMC as /psci's "method" says. */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <drivers/base/fdt.h>
#include <drivers/power/power.h>
#include <kernel/debug/race.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>

static enum { CONDUIT_NONE, CONDUIT_HVC, CONDUIT_SMC } conduit;

void power_init(void)
{
	static const char *const names[] = { "arm,psci-1.0", "arm,psci-0.2", "arm,psci" };
	int node = -1, len;
	const char *method;

	for (u32 i = 0; i < ARRAY_SIZE(names) && node < 0; i++) {
		u32 iter = 0;

		node = fdt_compatible(names[i], &iter);
	}
	if (node < 0)
		return;
	method = fdt_prop(node, "method", &len);
	if (method && len == 4 && !memcmp(method, "hvc", 4))
		conduit = CONDUIT_HVC;
	else if (method && len == 4 && !memcmp(method, "smc", 4))
		conduit = CONDUIT_SMC;
}

static __noinline __no_race s64 call_firmware(u64 fn, u64 a0, u64 a1, u64 a2)
{
	register u64 x0 asm("x0") = fn;
	register u64 x1 asm("x1") = a0;
	register u64 x2 asm("x2") = a1;
	register u64 x3 asm("x3") = a2;

	if (conduit == CONDUIT_HVC)
		asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			     "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	else if (conduit == CONDUIT_SMC)
		asm volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			     "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	else
		return -1;
	return (s64)x0;
}

s64 psci_call(u64 fn, u64 a0, u64 a1, u64 a2)
{
	if (conduit == CONDUIT_NONE)
		power_init();
	return call_firmware(fn, a0, a1, a2);	/* apart: the registers it names must not live across a call */
}

static void __noreturn stop(u64 fn)
{
	arch_irq_disable();
	psci_call(fn, 0, 0, 0);
	printk(LOG_EMERG "power: the firmware refused; halted\n");
	for (;;)
		cpu_wait_for_interrupt();
}

void power_off(void) { stop(PSCI_SYSTEM_OFF); }
void power_reset(void) { stop(PSCI_SYSTEM_RESET); }
