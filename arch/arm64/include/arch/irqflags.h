/* Interrupt masking of this CPU (PSTATE.I and F). */
#pragma once
#include <kernel/lib/types.h>

typedef u64 irqflags_t;

#ifdef CONFIG_UNIT	/* host unit tests have no interrupts to mask */
static inline irqflags_t arch_irq_save(void) { return 0; }
static inline void arch_irq_restore(irqflags_t flags) { (void)flags; }
static inline void arch_irq_disable(void) { }
static inline void arch_irq_enable(void) { }
static inline bool arch_irqs_disabled(void) { return false; }
static inline bool arch_irq_pending(void) { return false; }
#else
/* arch_irq_save - mask interrupts; returns the state to give to arch_irq_restore.
 * Context: any. */
static inline irqflags_t arch_irq_save(void)
{
	irqflags_t flags;

	asm volatile("mrs %0, daif\n\tmsr daifset, #3" : "=r"(flags) : : "memory");
	return flags;
}

static inline void arch_irq_restore(irqflags_t flags)
{
	asm volatile("msr daif, %0" : : "r"(flags) : "memory");
}

static inline void arch_irq_disable(void)
{
	asm volatile("msr daifset, #3" : : : "memory");
}

static inline void arch_irq_enable(void)
{
	asm volatile("msr daifclr, #3" : : : "memory");
}

/* arch_irq_pending - does the controller signal an interrupt to this CPU, masked or not (ISR_EL1.I)?  Context: any. */
static inline bool arch_irq_pending(void)
{
	u64 isr;

	asm volatile("mrs %0, isr_el1" : "=r"(isr) : : "memory");
	return isr & 1 << 7;
}

static inline bool arch_irqs_disabled(void)
{
	irqflags_t flags;

	asm volatile("mrs %0, daif" : "=r"(flags));
	return flags & (1u << 7);
}
#endif
