/* What block devices did: /proc/diskstats, /sys/block/X/stat. */
#pragma once
#include <drivers/block/block.h>

struct request;
struct seq;

enum { STAT_READ, STAT_WRITE, STAT_DISCARD, STAT_FLUSH, NR_STATS };
struct block_stats {			/* of one CPU; [a] each, changed by that CPU */
	u64 ios[NR_STATS], merges[NR_STATS], sectors[NR_STATS], ns[NR_STATS];
	s64 started;			/* less those that ended here: the sum over all CPUs is in flight */
};

/* stats_begin - a request begins; stats_end - it ended; stats_merge - a bio joined another's request.  Context: any. */
void stats_begin(struct block_device *bdev, u64 now);
void stats_end(struct request *rq, u64 now);
void stats_merge(struct block_device *bdev, u8 op);
/* block_stats_show - the 17 numbers of /sys/block/X/stat, with a newline.  block_in_flight - requests now. */
void block_stats_show(struct seq *s, struct block_device *bdev);
u64 block_in_flight(const struct block_device *bdev);
