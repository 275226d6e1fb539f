/* The memory room's small files in /proc: free blocks, and the limits of mapping. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/task.h>
#include <mm/page_internal.h>

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

static int zoneinfo_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "Node 0, zone   Normal\n  pages free     %lu\n        spanned  %lu\n        managed  %lu\n  start_pfn:           %lu\n",
		   page_nr_free(), page_end_pfn - page_base_pfn, page_nr_total(), page_base_pfn);
	return 0;
}
PROC_FILE(zoneinfo, .path = "zoneinfo", .mode = 0444, .show = zoneinfo_show);
