/* The memory room's small files in /proc: free blocks, and the limits of mapping. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/task.h>
#include <mm/page_internal.h>
#include <mm/vmstat.h>

static int buddyinfo_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "Node 0, zone   Normal ");
	for (u32 order = 0; order <= 10; order++)
		seq_printf(s, "%6lu ", page_nr_of_order(order));
	seq_puts(s, "\n");
	return 0;
}
PROC_FILE(buddyinfo, .path = "buddyinfo", .mode = 0444, .show = buddyinfo_show);

static void node_stats(struct seq *s)
{
	static const struct { const char *name; u32 item; } rows[] = {
		{ "nr_anon_pages", VM_ANON_PAGES }, { "nr_mapped", VM_MAPPED_PAGES }, { "nr_file_pages", VM_FILE_PAGES }, { "nr_dirty", VM_DIRTY_PAGES },
		{ "nr_writeback", VM_WRITEBACK_PAGES }, { "nr_shmem", VM_SHMEM_PAGES }, { "nr_dirtied", VM_DIRTIED }, { "nr_written", VM_WRITTEN },
		{ "nr_page_table_pages", VM_TABLE_PAGES }, { "nr_swapcached", VM_SWAP_CACHED },
	};

	seq_puts(s, "  per-node stats\n");
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(s, "      %-12s %lu\n", rows[i].name, vmstat_read(rows[i].item));
}

/* One node, one zone.  min: the reserve; below low single allocations begin to wake the reclaimer, and it stops at high. */
static int zoneinfo_show(struct seq *s, void *arg)
{
	u64 spanned = page_end_pfn - page_base_pfn, reserve = page_reserve();

	(void)arg;
	seq_puts(s, "Node 0, zone   Normal\n");
	node_stats(s);
	seq_printf(s, "  pages free     %lu\n        boost    0\n        min      %lu\n        low      %lu\n        high     %lu\n", page_nr_free(),
		   reserve, 2 * reserve, 4 * reserve);
	seq_printf(s, "        spanned  %lu\n        present  %lu\n        managed  %lu\n        cma      0\n        protection: (0)\n", spanned, spanned,
		   page_nr_total());
	seq_printf(s, "      nr_free_pages %lu\n  pagesets\n", page_nr_free());
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		seq_printf(s, "    cpu: %u\n              count: %u\n              high:  %u\n              batch: %u\n", cpu, page_cpu_stock(cpu),
			   PCP_HIGH, PCP_BATCH);
	seq_printf(s, "  start_pfn:           %lu\n", page_base_pfn);
	return 0;
}
PROC_FILE(zoneinfo, .path = "zoneinfo", .mode = 0444, .show = zoneinfo_show);
