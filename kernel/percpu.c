/* Per-CPU data.  The .percpu section is CPU 0's copy (offset 0), so it works from the first instruction; every other CPU gets a copy
 * of it before anything in it has changed: percpu_init() comes before the allocators and the scheduler, which fill theirs. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/lib/string.h>
#include <kernel/percpu.h>
#include <mm/init.h>

extern char __percpu_start[], __percpu_end[];

u64 percpu_offsets[NR_CPUS] __ro_after_init;
u32 nr_cpus __ro_after_init = 1;
cpumask_t cpu_online_mask = 1;
DEFINE_PER_CPU(u32, cpu_number);

void percpu_init(void)
{
	size_t size = (size_t)(__percpu_end - __percpu_start);

	for (u32 cpu = 1; cpu < nr_cpus; cpu++) {
		void *copy = phys_to_virt(bootmem_alloc_phys(size, 64));

		memcpy(copy, __percpu_start, size);
		percpu_offsets[cpu] = (u64)copy - (u64)__percpu_start;
		per_cpu(cpu_number, cpu) = cpu;
	}
}
