/* The other CPUs: starting them, and interrupts from one to another. */
#pragma once
#include <arch/cpu.h>

enum ipi { IPI_RESCHEDULE, IPI_CALL, IPI_STOP, IPI_BACKTRACE, NR_IPIS };	/* software-generated interrupts of these numbers */

/* smp_scan - count and number the CPUs of the device tree; the one that runs is 0.  Context: boot, before memory. */
void smp_scan(void);
/* smp_start - ask the firmware to start all others; they come up while the boot goes on.  Context: thread or boot thread, interrupts on. */
void smp_start(void);
/* smp_wait - until every CPU that was asked is there, or is reported and left out.  Context: thread, may sleep. */
void smp_wait(void);
/* smp_mpidr - the affinity fields of a CPU's MPIDR_EL1, as the interrupt controller and PSCI name it. */
u64 smp_mpidr(u32 cpu);

/* smp_call - fn(arg) on every running CPU of the mask, this one too if it is in it; returns when all have.  fn runs with interrupts off and
 * sees what the caller wrote before; the caller sees what fn wrote.  Context: preemption may be off, interrupts must be on (two CPUs that
 * call each other answer each other while they wait); no lock that an interrupt handler takes. */
void smp_call(cpumask_t cpus, void (*fn)(void *arg), void *arg);
/* smp_call_later - the same on one CPU, without waiting: c must stay until fn has begun.  Context: any. */
struct smp_call { struct smp_call *next; void (*fn)(void *arg); void *arg; u32 *left; };
void smp_call_later(u32 cpu, struct smp_call *c);
/* smp_send - raise ipi on a CPU that runs.  Memory written before is visible to its handler.  Context: any. */
void smp_send(u32 cpu, enum ipi ipi);
