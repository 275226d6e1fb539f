/* FITRIM: telling the disk which blocks are free.  A group's lock is held while one free run of it is discarded, so that nobody takes it meanwhile.
 * What has been deleted is made durable first: a crash must not bring back a file whose blocks are gone. */
#include <drivers/block/block.h>
#include <fs/ext2/ext2.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <kernel/task.h>
#include <linux/fs.h>

/* Blocks [from, to) of the volume, which lie in group g. */
static int trim_group(struct ext2_super *s, u32 g, u32 from, u32 to, u32 least, u64 *trimmed)
{
	u32 first = ext2_group_first(&s->geo, g), at = from - first, end = to - first, bits = s->geo.block_bits;
	int err = 0;

	while (!err && at < end) {
		struct buffer b;
		u32 run = 0;

		if (!ext2_group_lock(s, g, &b))
			return 0;
		at = (u32)bitmap_find_next_zero(b.data, end, at);
		if (at < end)
			run = (u32)bitmap_find_next_set(b.data, end, at) - at;
		if (run && run >= least) {
			err = block_discard(s->bdev, (u64)(first + at) << (bits - 9), (u64)run << (bits - 9));
			*trimmed += err ? 0 : (u64)run << bits;
		}
		ext2_group_unlock(s, g, &b);
		at += run + !run;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

int ext2_trim_free(struct ext2_super *s, struct fstrim_range *r)
{
	const struct ext2_geometry *geo = &s->geo;
	u64 start = r->start >> geo->block_bits, end = start + (r->len >> geo->block_bits), least = r->minlen >> geo->block_bits, trimmed = 0;
	int err;

	if (least > geo->blocks_per_group || start >= geo->blocks_count || r->len < geo->block_size)
		return -EINVAL;
	if (!block_can_discard(s->bdev))
		return -EOPNOTSUPP;
	start = max(start, (u64)geo->first_data_block);
	end = min(end, (u64)geo->blocks_count);
	err = super_sync(s->sb, true);
	for (u32 g = 0; !err && g < geo->nr_groups; g++) {
		u64 first = ext2_group_first(geo, g), from = max(start, first), to = min(end, first + ext2_group_blocks(geo, g));

		if (from < to)
			err = trim_group(s, g, (u32)from, (u32)to, (u32)least, &trimmed);
	}
	r->len = trimmed;
	return err;
}
