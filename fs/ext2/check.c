/* Checks of a volume's superblock, group descriptors and bitmaps.
 *
 * A volume comes from outside.  Each number that is later divided by, multiplied, used as an index or as a block number is judged here,
 * once, when it is read; what passes cannot lead out of the volume or of memory.  What a check refuses it names, with the value, so that
 * the message tells an administrator what e2fsck is going to say. */
#include <fs/ext2/check.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/fmt.h>

#define WRONG(...) (scnprintf(why, size, __VA_ARGS__), false)

static bool check_revision(const struct ext2_super_block *s, struct ext2_geometry *g, char *why, size_t size)
{
	g->inode_size = EXT2_GOOD_OLD_INODE;
	g->first_ino = EXT2_GOOD_OLD_FIRST;
	g->compat = g->incompat = g->ro_compat = 0;
	if (s->rev_level == EXT2_GOOD_OLD_REV)
		return true;
	if (s->rev_level > EXT2_DYNAMIC_REV)
		return WRONG("s_rev_level is %u: an unknown revision", s->rev_level);
	g->inode_size = s->inode_size;
	g->first_ino = s->first_ino;
	g->compat = s->feature_compat;
	g->incompat = s->feature_incompat;
	g->ro_compat = s->feature_ro_compat;
	if (g->inode_size < EXT2_GOOD_OLD_INODE || g->inode_size > g->block_size || (g->inode_size & (g->inode_size - 1)))
		return WRONG("s_inode_size is %u", g->inode_size);
	if (g->first_ino < EXT2_GOOD_OLD_FIRST)
		return WRONG("s_first_ino is %u", g->first_ino);
	return true;
}

static bool check_counts(const struct ext2_super_block *s, struct ext2_geometry *g, char *why, size_t size)
{
	u32 bits = g->block_size * 8, per_block = g->block_size / g->inode_size;

	if (s->blocks_per_group == 0 || s->blocks_per_group > bits || s->blocks_per_group % 8)
		return WRONG("s_blocks_per_group is %u", s->blocks_per_group);
	if (s->inodes_per_group == 0 || s->inodes_per_group > bits)
		return WRONG("s_inodes_per_group is %u", s->inodes_per_group);
	if (s->inodes_per_group % per_block)
		return WRONG("s_inodes_per_group is %u: not whole blocks", s->inodes_per_group);
	g->table_blocks = s->inodes_per_group / per_block;
	if (g->table_blocks + 3 >= s->blocks_per_group)
		return WRONG("s_inodes_per_group is %u: the table fills the group", s->inodes_per_group);
	if (s->blocks_count <= s->first_data_block + 1)
		return WRONG("s_blocks_count is %u", s->blocks_count);
	g->nr_groups = (s->blocks_count - s->first_data_block - 1) / s->blocks_per_group + 1;
	if ((u64)g->nr_groups * s->inodes_per_group != s->inodes_count)
		return WRONG("s_inodes_count is %u: %u groups of %u inodes", s->inodes_count, g->nr_groups, s->inodes_per_group);
	if (g->first_ino > s->inodes_count)
		return WRONG("s_first_ino is %u of %u inodes", g->first_ino, s->inodes_count);
	if (s->free_blocks_count > s->blocks_count)
		return WRONG("s_free_blocks_count is %u of %u blocks", s->free_blocks_count, s->blocks_count);
	if (s->free_inodes_count > s->inodes_count)
		return WRONG("s_free_inodes_count is %u of %u inodes", s->free_inodes_count, s->inodes_count);
	if (s->r_blocks_count > s->blocks_count)
		return WRONG("s_r_blocks_count is %u of %u blocks", s->r_blocks_count, s->blocks_count);
	return true;
}

/* How far three levels of indirection reach, and how many 512-byte units the inode can count. */
static u64 max_bytes(const struct ext2_geometry *g)
{
	u64 n = g->block_size / 4, reach = EXT2_NDIR + n + n * n + n * n * n;
	u64 counted = (0xffffffffull >> (g->block_bits - 9)), meta = 1 + (1 + n) + (1 + n + n * n);

	if (reach + meta > counted) {		/* of what can be counted, a part is indirect blocks */
		u64 left = counted - EXT2_NDIR, ind = 1;	/* the direct ones, one indirect */

		left -= n + 1;
		ind = 1 + DIV_ROUND_UP(min(left, n * n), n);
		left -= min(left, n * n + ind);
		left -= left ? min(left, 1 + DIV_ROUND_UP(left, n + 1) + DIV_ROUND_UP(left, n * n)) : 0;
		reach = min(reach, EXT2_NDIR + n + n * n + left);
	}
	return reach << g->block_bits;
}

bool ext2_check_super(const struct ext2_super_block *s, u64 device_bytes, struct ext2_geometry *g, char *why, size_t size)
{
	if (s->magic != EXT2_MAGIC)
		return WRONG("s_magic is 0x%x: no ext2", s->magic);
	if (s->log_block_size > 2)
		return WRONG("s_log_block_size is %u: blocks of 1, 2 or 4 KiB are known", s->log_block_size);
	g->block_bits = 10 + s->log_block_size;
	g->block_size = 1u << g->block_bits;
	if (!check_revision(s, g, why, size))
		return false;
	if (g->incompat & ~EXT2_INCOMPAT_KNOWN)
		return WRONG("s_feature_incompat is 0x%x: unknown features 0x%x", g->incompat, g->incompat & ~EXT2_INCOMPAT_KNOWN);
	if (s->log_frag_size != s->log_block_size)
		return WRONG("s_log_frag_size is %u, s_log_block_size %u", s->log_frag_size, s->log_block_size);
	if (s->first_data_block != (g->block_size == EXT2_MIN_BLOCK))
		return WRONG("s_first_data_block is %u with blocks of %u bytes", s->first_data_block, g->block_size);
	if ((u64)s->blocks_count << g->block_bits > device_bytes)
		return WRONG("s_blocks_count is %u: the device has %lu", s->blocks_count, (unsigned long)(device_bytes >> g->block_bits));
	if (!check_counts(s, g, why, size))
		return false;
	g->blocks_count = s->blocks_count;
	g->first_data_block = s->first_data_block;
	g->blocks_per_group = s->blocks_per_group;
	g->inodes_per_group = s->inodes_per_group;
	g->inodes_count = s->inodes_count;
	g->descs_per_block = g->block_size / (u32)sizeof(struct ext2_group_desc);
	g->desc_blocks = DIV_ROUND_UP(g->nr_groups, g->descs_per_block);
	g->first_meta_bg = g->incompat & EXT2_META_BG ? s->first_meta_bg : ~0u;
	if (g->incompat & EXT2_META_BG && g->first_meta_bg > g->desc_blocks)
		return WRONG("s_first_meta_bg is %u of %u", g->first_meta_bg, g->desc_blocks);
	if (min(g->first_meta_bg, g->desc_blocks) + 1 >= ext2_group_blocks(g, 0))
		return WRONG("s_blocks_per_group is %u: the descriptors fill the group", s->blocks_per_group);
	g->max_bytes = max_bytes(g);
	return true;
}

static bool power_of(u32 n, u32 base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

bool ext2_group_has_super(const struct ext2_geometry *g, u32 group)
{
	if (!(g->ro_compat & EXT2_SPARSE_SUPER) || group <= 1)
		return true;
	return power_of(group, 3) || power_of(group, 5) || power_of(group, 7);
}

u32 ext2_desc_location(const struct ext2_geometry *g, u32 n)
{
	u32 group = n * g->descs_per_block;

	if (n < g->first_meta_bg)
		return g->first_data_block + 1 + n;
	return ext2_group_first(g, group) + ext2_group_has_super(g, group);
}

/* Blocks of descriptors that lie in a group. */
static u32 group_desc_blocks(const struct ext2_geometry *g, u32 group)
{
	u32 meta = group / g->descs_per_block, in_it = group % g->descs_per_block;

	if (meta < g->first_meta_bg)
		return ext2_group_has_super(g, group) ? min(g->first_meta_bg, g->desc_blocks) : 0;
	return in_it == 0 || in_it == 1 || in_it == g->descs_per_block - 1;
}

u64 ext2_overhead(const struct ext2_geometry *g)
{
	u64 n = g->first_data_block;

	for (u32 i = 0; i < g->nr_groups; i++)
		n += 2 + g->table_blocks + ext2_group_has_super(g, i) + group_desc_blocks(g, i);
	return n;
}

static bool overlaps(u32 a, u32 nr_a, u32 b, u32 nr_b) { return (u64)a < (u64)b + nr_b && (u64)b < (u64)a + nr_a; }

bool ext2_block_ok(const struct ext2_geometry *g, u32 block, u32 nr)
{
	u32 group, rel;

	if (block <= g->first_data_block || block >= g->blocks_count || nr > g->blocks_count - block)
		return false;
	group = (block - g->first_data_block) / g->blocks_per_group;
	rel = (block - g->first_data_block) % g->blocks_per_group;
	if (rel + nr > g->blocks_per_group && !ext2_block_ok(g, ext2_group_first(g, group + 1), rel + nr - g->blocks_per_group))
		return false;
	return rel >= ext2_group_has_super(g, group) + group_desc_blocks(g, group);
}

bool ext2_group_owns(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 block, u32 nr)
{
	return overlaps(block, nr, d->block_bitmap, 1) || overlaps(block, nr, d->inode_bitmap, 1) ||
	       overlaps(block, nr, d->inode_table, g->table_blocks);
}

bool ext2_check_group(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 group, char *why, size_t size)
{
	u32 first = ext2_group_first(g, group), nr = ext2_group_blocks(g, group), own = ext2_group_has_super(g, group) + group_desc_blocks(g, group);
	u32 low = first + own;

#define INSIDE(field, blocks) if (d->field < low || d->field >= first + nr || (blocks) > first + nr - d->field) \
		return WRONG("bg_" #field " of group %u is %u: outside %u to %u", group, d->field, low, first + nr - 1)
	INSIDE(block_bitmap, 1);
	INSIDE(inode_bitmap, 1);
	INSIDE(inode_table, g->table_blocks);
#undef INSIDE
	if (d->block_bitmap == d->inode_bitmap)
		return WRONG("bg_block_bitmap of group %u is bg_inode_bitmap", group);
	if (overlaps(d->inode_table, g->table_blocks, d->block_bitmap, 1) || overlaps(d->inode_table, g->table_blocks, d->inode_bitmap, 1))
		return WRONG("bg_inode_table of group %u is %u: over the bitmaps", group, d->inode_table);
	if (d->free_blocks_count > nr)
		return WRONG("bg_free_blocks_count of group %u is %u of %u", group, d->free_blocks_count, nr);
	if (d->free_inodes_count > g->inodes_per_group)
		return WRONG("bg_free_inodes_count of group %u is %u of %u", group, d->free_inodes_count, g->inodes_per_group);
	if (d->used_dirs_count > g->inodes_per_group)
		return WRONG("bg_used_dirs_count of group %u is %u of %u", group, d->used_dirs_count, g->inodes_per_group);
	return true;
}

static bool all_set(const unsigned long *map, u32 first, u32 nr) { return bitmap_find_next_zero(map, first + nr, first) >= first + nr; }

bool ext2_check_bitmap(const struct ext2_geometry *g, const struct ext2_group_desc *d, u32 group, const unsigned long *map, u32 *free,
		       char *why, size_t size)
{
	u32 first = ext2_group_first(g, group), nr = ext2_group_blocks(g, group);

	*free = nr - (u32)bitmap_weight(map, nr);
	if (!all_set(map, 0, ext2_group_has_super(g, group) + group_desc_blocks(g, group)))
		return WRONG("block bitmap of group %u: superblock or descriptors are free", group);
	if (!test_bit(d->block_bitmap - first, map) || !test_bit(d->inode_bitmap - first, map))
		return WRONG("block bitmap of group %u: a bitmap is free", group);
	if (!all_set(map, d->inode_table - first, g->table_blocks))
		return WRONG("block bitmap of group %u: the inode table is free", group);
	return true;
}
