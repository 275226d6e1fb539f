/* Statistics of block devices: counted by each CPU for itself, summed when somebody asks.
 *
 * Times are those of whole requests, from when they were made.  How long a device was busy is estimated as on Linux: whenever a request
 * begins or ends in another millisecond than the last one did, the time since then counts if something was in flight. */
#include <arch/cpu.h>
#include <drivers/block/request.h>
#include <drivers/block/stats.h>
#include <fs/seq.h>
#include <kernel/lib/string.h>

static u32 stat_group(u8 op)
{
	switch (op) {
	case BIO_READ:
		return STAT_READ;
	case BIO_DISCARD:
		return STAT_DISCARD;
	case BIO_FLUSH:
		return STAT_FLUSH;
	default:
		return STAT_WRITE;
	}
}

static struct block_stats *here(struct block_device *b) { return &b->stats[smp_cpu_id()]; }

static void busy(struct block_device *b, u64 now, bool ends)
{
	u64 ms = now / NSEC_PER_MSEC, stamp = atomic_load(&b->busy_stamp_ms);

	if (unlikely(ms > stamp && atomic_cas(&b->busy_stamp_ms, stamp, ms)))
		atomic_add(&b->busy_ms, ends ? ms - stamp : 1);
}

void stats_begin(struct block_device *b, u64 now)
{
	busy(b, now, false);
	atomic_add(&here(b)->started, 1);
}

void stats_end(struct request *rq, u64 now)
{
	struct block_device *b = rq->bio->bdev;
	struct block_stats *s = here(b);
	u32 g = stat_group(rq->op);

	busy(b, now, true);
	atomic_sub(&s->started, 1);
	atomic_add(&s->ios[g], 1);
	atomic_add(&s->sectors[g], rq->len >> SECTOR_SHIFT);
	atomic_add(&s->ns[g], now - rq->begun_ns);
}

void stats_merge(struct block_device *b, u8 op)
{
	atomic_add(&here(b)->merges[stat_group(op)], 1);
}

static void sum_up(const struct block_device *b, struct block_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		const struct block_stats *s = &b->stats[cpu];

		for (u32 g = 0; g < NR_STATS; g++) {
			sum->ios[g] += atomic_load(&s->ios[g]);
			sum->merges[g] += atomic_load(&s->merges[g]);
			sum->sectors[g] += atomic_load(&s->sectors[g]);
			sum->ns[g] += atomic_load(&s->ns[g]);
		}
		sum->started += atomic_load(&s->started);
	}
}

/* b's own; of the whole disk also those of its parts.  Locks: disk->mutex. */
static void sum_disk(struct block_device *b, struct block_stats *sum, u64 *busy_ms)
{
	struct block_device *part;
	struct block_stats one;

	sum_up(b, sum);
	*busy_ms = atomic_load(&b->busy_ms);
	if (b->partno)
		return;
	list_for_each_entry(part, &b->disk->parts, link) {
		sum_up(part, &one);
		for (u32 g = 0; g < NR_STATS; g++) {
			sum->ios[g] += one.ios[g];
			sum->merges[g] += one.merges[g];
			sum->sectors[g] += one.sectors[g];
			sum->ns[g] += one.ns[g];
		}
		sum->started += one.started;
		*busy_ms += atomic_load(&part->busy_ms);
	}
}

u64 block_in_flight(const struct block_device *b)
{
	struct block_stats sum;

	sum_up(b, &sum);
	return sum.started > 0 ? (u64)sum.started : 0;
}

static u64 ms(u64 ns) { return ns / NSEC_PER_MSEC; }

static void show_numbers(struct seq *s, const struct block_stats *t, u64 busy_ms)
{
	u64 all = 0;

	for (u32 g = 0; g < NR_STATS; g++)
		all += t->ns[g];
	for (u32 g = STAT_READ; g <= STAT_WRITE; g++)
		seq_printf(s, "%lu %lu %lu %lu ", t->ios[g], t->merges[g], t->sectors[g], ms(t->ns[g]));
	seq_printf(s, "%ld %lu %lu ", t->started > 0 ? t->started : 0, busy_ms, ms(all));
	seq_printf(s, "%lu %lu %lu %lu ", t->ios[STAT_DISCARD], t->merges[STAT_DISCARD], t->sectors[STAT_DISCARD], ms(t->ns[STAT_DISCARD]));
	seq_printf(s, "%lu %lu\n", t->ios[STAT_FLUSH], ms(t->ns[STAT_FLUSH]));
}

void block_stats_show(struct seq *s, struct block_device *b)
{
	struct block_stats sum;
	u64 busy_ms;

	mutex_lock(&b->disk->mutex);
	sum_disk(b, &sum, &busy_ms);
	mutex_unlock(&b->disk->mutex);
	show_numbers(s, &sum, busy_ms);
}

static void diskstats_one(struct seq *s, struct block_device *b)
{
	struct block_stats sum;
	u64 busy_ms;

	sum_disk(b, &sum, &busy_ms);
	seq_printf(s, "%4u %7u %s ", DEV_MAJOR(b->dev), DEV_MINOR(b->dev), b->name);
	show_numbers(s, &sum, busy_ms);
}

static int diskstats_disk(struct disk *d, void *s)
{
	struct block_device *part;

	mutex_lock(&d->mutex);
	diskstats_one(s, d->whole);
	list_for_each_entry(part, &d->parts, link)
		diskstats_one(s, part);
	mutex_unlock(&d->mutex);
	return 0;
}

static int diskstats_show(struct seq *s, void *arg)
{
	(void)arg;
	return disk_each(diskstats_disk, s);
}
PROC_FILE(diskstats, .path = "diskstats", .mode = 0444, .show = diskstats_show);

static void partition_line(struct seq *s, const struct block_device *b)
{
	seq_printf(s, "%4u  %7u %10lu %s\n", DEV_MAJOR(b->dev), DEV_MINOR(b->dev), b->nr_sectors / 2, b->name);
}

static int partitions_disk(struct disk *d, void *s)
{
	struct block_device *part;

	mutex_lock(&d->mutex);
	if (d->whole->nr_sectors) {
		partition_line(s, d->whole);
		list_for_each_entry(part, &d->parts, link)
			partition_line(s, part);
	}
	mutex_unlock(&d->mutex);
	return 0;
}

BLOCK_MAJOR(parts, 259, "blkext");		/* parts beyond a disk's own numbers */

void block_majors_show(struct seq *s)
{
	for (u32 n = 0; n < 512; n++)
		for (const struct block_major *m = __block_majors_start; m < __block_majors_end; m++)
			if (m->number == n)
				seq_printf(s, "%3u %s\n", n, m->name);
}

static int partitions_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "major minor  #blocks  name\n\n");
	return disk_each(partitions_disk, s);
}
PROC_FILE(partitions, .path = "partitions", .mode = 0444, .show = partitions_show);
