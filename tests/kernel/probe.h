/* What the MMU says of a kernel address, without touching it. */
#pragma once
#include <arch/cpu.h>
#include <arch/irqflags.h>

/* probe_read, probe_write - may the kernel load from, store to, addr?  (AT S1E1R, AT S1E1W: Arm ARM D5.3) */
static inline bool probe_read(const volatile void *addr)
{
	irqflags_t flags = arch_irq_save();
	u64 par;

	asm volatile("at s1e1r, %1\n\tisb\n\tmrs %0, par_el1" : "=r"(par) : "r"(addr) : "memory");
	arch_irq_restore(flags);
	return !(par & 1);
}

static inline bool probe_write(volatile void *addr)
{
	irqflags_t flags = arch_irq_save();
	u64 par;

	asm volatile("at s1e1w, %1\n\tisb\n\tmrs %0, par_el1" : "=r"(par) : "r"(addr) : "memory");
	arch_irq_restore(flags);
	return !(par & 1);
}
