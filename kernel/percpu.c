/* Per-CPU data.  The .percpu section is CPU 0's copy (offset 0), so it works from the first instruction; every other CPU gets a copy
 * of it as it stands when percpu_init_cpu is called, before that CPU starts. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/percpu.h>
#include <mm/page.h>

extern char __percpu_start[], __percpu_end[];

u64 percpu_offsets[NR_CPUS];
u32 nr_cpus = 1;
cpumask_t cpu_online_mask = 1;
DEFINE_PER_CPU(u32, cpu_number);

int percpu_init_cpu(u32 cpu)
{
	size_t size = (size_t)(__percpu_end - __percpu_start);
	u32 order = 0;
	struct page *page;

	while ((PAGE_SIZE << order) < size)
		order++;
	page = page_alloc(order, GFP_KERNEL | GFP_ZERO);
	if (!page)
		return -ENOMEM;
	memcpy(page_address(page), __percpu_start, size);
	percpu_offsets[cpu] = (u64)page_address(page) - (u64)__percpu_start;
	per_cpu(cpu_number, cpu) = cpu;
	return 0;
}
