/* What a volume says of itself, judged before it is believed.  Pure: the kernel mounts by it, tests and the fuzzer run it on the host. */
#pragma once
#include <fs/ext2/ext2_disk.h>

/* What follows from a superblock that was found good. */
struct ext2_geometry {
	u32 block_size, block_bits;
	u32 nr_groups, blocks_count, first_data_block, blocks_per_group, inodes_per_group, inodes_count;
	u32 inode_size, first_ino, table_blocks;	/* of each group's inode table */
	u32 descs_per_block, desc_blocks;
	u32 first_meta_bg;			/* descriptor blocks from this one on lie in their own groups; ~0: none */
	u32 incompat, ro_compat, compat;
	u64 max_bytes;				/* of a file */
};

/* ext2_check_super - fill *g; false: why names the field and its value.  device_bytes: how large the device is.
 * ext2_check_group - the descriptor of a group.  ext2_check_bitmap - a group's block bitmap: its own blocks and what is beyond the end of
 * the volume must be marked as used; *free: how many are free. */
bool ext2_check_super(const struct ext2_super_block *s, u64 device_bytes, struct ext2_geometry *g, char *why, size_t size);
bool ext2_check_group(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 group, char *why, size_t size);
bool ext2_check_bitmap(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 group, const unsigned long *map, u32 *free,
		       char *why, size_t size);

static inline u32 ext2_group_first(const struct ext2_geometry *g, u32 group) { return g->first_data_block + group * g->blocks_per_group; }
/* ext2_group_blocks - how many blocks a group has: the last may be short. */
static inline u32 ext2_group_blocks(const struct ext2_geometry *g, u32 group)
{
	return group + 1 == g->nr_groups ? g->blocks_count - ext2_group_first(g, group) : g->blocks_per_group;
}
bool ext2_group_has_super(const struct ext2_geometry *g, u32 group);	/* and, without META_BG, descriptors */
u32 ext2_desc_location(const struct ext2_geometry *g, u32 n);		/* the block of the n-th block of descriptors */
/* ext2_overhead - blocks that can never hold a file, as Linux's statfs counts them. */
u64 ext2_overhead(const struct ext2_geometry *g);
/* ext2_block_ok - may a file have the nr blocks from block on: inside the volume, and not superblock or descriptors.
 * (Bitmaps and inode tables: whoever has the group's descriptor asks ext2_group_owns.) */
bool ext2_block_ok(const struct ext2_geometry *g, u32 block, u32 nr);
bool ext2_group_owns(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 block, u32 nr);
