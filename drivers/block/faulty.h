/* A disk that misbehaves by plan, for tests.  Theory in faulty.c. */
#pragma once
#include <drivers/block/disk.h>

/* Chances are of 10,000 requests (of writes, where it says so). */
struct fault_plan {
	u64 seed;
	u32 fail;			/* -EIO, nothing is done */
	u32 read, write, flush;		/* the same, for requests of that kind alone */
	u32 bad;			/* chance of each 4 KiB of the disk to be bad for good: -EIO whenever they are touched */
	u32 tear;			/* writes: the first half reaches the disk below, then -EIO */
	u32 delay, delay_ms;		/* done, but told so later */
	u32 reorder;			/* carried out after the next one */
	u32 drop;			/* never answered */
	u64 cut;			/* not 0: from that write on nothing reaches the disk below; writes seem to work, flushes fail */
};
struct fault_counts { u64 requests, writes, failed, torn, delayed, reordered, dropped, lost, timed_out; };	/* [a] */

/* faulty_create - NAME, on top of lower, registered; lower is opened by the caller (for writing, for himself) and stays so until
 * faulty_destroy has returned and everybody has closed the disk.  0, -ELOOP (too deep), -ENOMEM, -EEXIST. */
int __must_check faulty_create(const char *name, dev_t_k dev, struct block_device *lower, const struct fault_plan *plan, struct disk **out);
void faulty_destroy(struct disk *disk);
void faulty_set_plan(struct disk *disk, const struct fault_plan *plan);	/* from the next request on; counts begin anew */
void faulty_counts(struct disk *disk, struct fault_counts *out);
