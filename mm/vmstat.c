/* /proc/meminfo and /proc/vmstat: what memory is used for.  A page counts in one CPU's counter where it comes and in another's where it
 * goes; only the sum means something. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <mm/lru.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <mm/vma.h>
#include <mm/vmstat.h>

#define KB(pages) ((pages) << (PAGE_SHIFT - 10))

DEFINE_PER_CPU(struct vm_counters, vm_counters);

u64 vmstat_read(enum vm_item item)
{
	s64 n = 0;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		n += atomic_load(&per_cpu(vm_counters, cpu).n[item]);
	return n > 0 ? (u64)n : 0;
}

/* Pages of locked ranges: a racy sum, in which one that two programs have locked counts twice. */
static u64 mlocked(void)
{
	struct task *t;
	u64 n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		const struct mm *mm = t == t->proc->leader ? READ_ONCE(t->mm) : NULL;

		if (mm)
			n += READ_ONCE(mm->locked_vm);
	}
	rcu_read_unlock();
	return n;
}

static int meminfo_show(struct seq *s, void *arg)
{
	u64 file = vmstat_read(VM_FILE_PAGES), shmem = vmstat_read(VM_SHMEM_PAGES), anon = vmstat_read(VM_ANON_PAGES);
	u64 mapped = vmstat_read(VM_MAPPED_PAGES), clean = file > shmem ? file - shmem : 0, active = min(lru_pages(LRU_ACTIVE), clean);
	u64 buffers = vmstat_read(VM_BUFFER_PAGES), free = page_nr_free(), locked = mlocked(), slab, reclaimable;
	u64 cached = file - min(file, buffers);

	(void)arg;
	slab_pages(&slab, &reclaimable);
	const struct { const char *name; u64 pages; } rows[] = {
		{ "MemTotal:", page_nr_total() }, { "MemFree:", free }, { "MemAvailable:", free + clean + reclaimable / 2 },
		{ "Buffers:", buffers }, { "Cached:", cached }, { "SwapCached:", swap_cached() }, { "Active:", active + anon }, { "Inactive:", file - active },
		{ "Active(anon):", anon }, { "Inactive(anon):", shmem }, { "Active(file):", active }, { "Inactive(file):", clean - active },
		{ "Unevictable:", locked }, { "Mlocked:", locked }, { "SwapTotal:", swap_total() }, { "SwapFree:", swap_free() },
		{ "Dirty:", vmstat_read(VM_DIRTY_PAGES) }, { "Writeback:", vmstat_read(VM_WRITEBACK_PAGES) },
		{ "AnonPages:", anon }, { "Mapped:", mapped }, { "Shmem:", shmem }, { "KReclaimable:", reclaimable },
		{ "Slab:", slab }, { "SReclaimable:", reclaimable }, { "SUnreclaim:", slab - reclaimable },
		{ "KernelStack:", vmstat_read(VM_STACK_PAGES) }, { "PageTables:", vmstat_read(VM_TABLE_PAGES) },
		{ "AnonHugePages:", vmstat_read(VM_ANON_BLOCKS) << (PMD_SHIFT - PAGE_SHIFT) },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(s, "%-16s%8lu kB\n", rows[i].name, KB(rows[i].pages));
	return 0;
}
PROC_FILE(meminfo, .path = "meminfo", .mode = 0444, .show = meminfo_show);

static int vmstat_show(struct seq *s, void *arg)
{
	static const char *const names[VM_NR_ITEMS] = {
		[VM_ANON_PAGES] = "nr_anon_pages", [VM_MAPPED_PAGES] = "nr_mapped", [VM_FILE_PAGES] = "nr_file_pages",
		[VM_SHMEM_PAGES] = "nr_shmem", [VM_TABLE_PAGES] = "nr_page_table_pages", [VM_STACK_PAGES] = "nr_kernel_stack",
		[VM_DIRTY_PAGES] = "nr_dirty", [VM_WRITEBACK_PAGES] = "nr_writeback", [VM_DIRTIED] = "nr_dirtied", [VM_WRITTEN] = "nr_written",
		[VM_SWAP_CACHED] = "nr_swapcached", [VM_SWAPPED_IN] = "pswpin", [VM_SWAPPED_OUT] = "pswpout",
		[VM_DIRECT_RECLAIMS] = "allocstall",
		[VM_ANON_BLOCKS] = "nr_anon_transparent_hugepages",
	};
	u64 minor = 0, major = 0, slab, reclaimable;
	struct task *t;

	(void)arg;
	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		minor += READ_ONCE(t->min_flt);
		major += READ_ONCE(t->maj_flt);
	}
	rcu_read_unlock();
	seq_printf(s, "nr_free_pages %lu\n", page_nr_free());
	for (u32 i = 0; i < VM_NR_ITEMS; i++)	/* kernel_stack is in kB on Linux too; what has no name there is in meminfo */
		if (names[i])
			seq_printf(s, "%s %lu\n", names[i], i == VM_STACK_PAGES ? KB(vmstat_read(i)) : vmstat_read(i));
	slab_pages(&slab, &reclaimable);
	seq_printf(s, "nr_slab_reclaimable %lu\nnr_slab_unreclaimable %lu\npgfault %lu\npgmajfault %lu\n", reclaimable, slab - reclaimable,
		   minor + major, major);
	return 0;
}
PROC_FILE(vmstat, .path = "vmstat", .mode = 0444, .show = vmstat_show);
