/* This CPU: the current task (x18 while in the kernel), per-CPU data (offset in TPIDR_EL1), hints. */
#pragma once
#include <kernel/lib/types.h>

#define NR_CPUS 32

struct task;

/* current - the running task.  The kernel is compiled with -ffixed-x18, so the register is its name wherever the kernel runs;
 * entry.S sets it and keeps the program's, cpu_switch changes it. */
#if defined(__clang__) || !defined(__aarch64__)	/* make lint, unit tests: no such variable there */
static inline struct task *current_task(void)
{
	struct task *t;

	asm("mov %0, x18" : "=r"(t));
	return t;
}
#define current current_task()
#else
register struct task *current_register asm("x18");
#define current current_register
#endif

static inline u64 percpu_offset(void)
{
	u64 off;

	asm volatile("mrs %0, tpidr_el1" : "=r"(off));	/* volatile: may not be cached over a migration */
	return off;
}

/* Per-CPU variables live in .percpu; the template in the image serves CPU 0 at offset 0 until percpu_init() (kernel/percpu.c)
 * gives each CPU its copy.  this_cpu_ptr() is only stable while preemption or interrupts are off. */
#define DEFINE_PER_CPU(type, name)	__attribute__((section(".percpu"))) __typeof__(type) name
#define DECLARE_PER_CPU(type, name)	extern __typeof__(type) name
#define per_cpu_ptr(p, cpu)	((__typeof__(p))((u64)(p) + percpu_offsets[cpu]))
#define this_cpu_ptr(p)		((__typeof__(p))((u64)(p) + percpu_offset()))
#define this_cpu(name)		(*this_cpu_ptr(&(name)))
#define per_cpu(name, cpu)	(*per_cpu_ptr(&(name), cpu))
extern u64 percpu_offsets[NR_CPUS];

DECLARE_PER_CPU(u32, cpu_number);
#define smp_cpu_id()	this_cpu(cpu_number)

static inline void cpu_relax(void) { asm volatile("yield" : : : "memory"); }
/* cpu_wait_for_interrupt - WFI; returns when one is pending, masked or not. */
static inline void cpu_wait_for_interrupt(void) { asm volatile("dsb sy\n\twfi" : : : "memory"); }

#define read_sysreg(r)	({ u64 __v; asm volatile("mrs %0, " #r : "=r"(__v)); __v; })
#define write_sysreg(v, r) do { u64 __v = (u64)(v); asm volatile("msr " #r ", %0" : : "r"(__v) : "memory"); } while (0)
#define isb()	asm volatile("isb" : : : "memory")
#define dsb_sy() asm volatile("dsb sy" : : : "memory")
#define dsb_ish() asm volatile("dsb ish" : : : "memory")

/* cpu_tell_number - tell programs which CPU this is: TPIDRRO_EL0 holds its number for good, so that no switch has to write anything and
 * the vDSO's getcpu is one instruction.  (The kernel uses the register for nothing but the way into a panic.)  Context: the CPU's start. */
static inline void cpu_tell_number(u32 cpu) { write_sysreg(cpu, tpidrro_el0); }

/* CPUs: bit masks over NR_CPUS */
typedef u64 cpumask_t;
extern u32 nr_cpus;			/* CPUs present in the device tree, at most NR_CPUS */
extern cpumask_t cpu_online_mask;	/* [a] */
static inline u32 cpumask_count(cpumask_t m)
{
	u32 n = 0;

	for (; m; m &= m - 1)
		n++;
	return n;
}
