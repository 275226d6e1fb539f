/* FILES: fs/ext2/check fs/ext2/dirblock fs/ext2/bits fs/ext2/xattr_block kernel/lib/bitmap kernel/lib/fmt kernel/lib/string
 *
 * ext2 volumes.  Input: a volume from its first byte on (what is beyond the end of the input is zero).  It is judged as mounting does, and then
 * everything that is reached from the root is walked: inodes, their maps to the last level, directory blocks, attributes, bitmaps.  On
 * copies, directory blocks and attribute blocks are changed, and must be good after that. */
#include <fs/ext2/bits.h>
#include <fs/ext2/check.h>
#include <fs/ext2/dirblock.h>
#include <fs/ext2/xattr_block.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define MAX_VOLUME	(4u << 20)
#define MAX_STEPS	20000u

static u8 *volume;		/* ends where an unreadable page begins, as do copies of blocks */
static size_t volume_size;
static struct ext2_geometry geo;
static u32 steps;

#define MUST(c) do { if (!(c)) host_die(#c, __FILE__, __LINE__); } while (0)

static u8 *copy_bytes(const void *from, u32 len)
{
	static u8 *memory;
	u8 *copy;

	if (!memory)
		memory = host_guarded(EXT2_MAX_BLOCK);
	copy = memory + EXT2_MAX_BLOCK - len;
	memcpy(copy, from, len);
	return copy;
}

static u8 *copy_of(const void *block) { return copy_bytes(block, geo.block_size); }

static void *block_at(u32 n)
{
	MUST(n < geo.blocks_count && ((u64)n + 1) << geo.block_bits <= volume_size);
	return volume + ((u64)n << geo.block_bits);
}

static const struct ext2_group_desc *desc(u32 group)
{
	return (const struct ext2_group_desc *)block_at(ext2_desc_location(&geo, group / geo.descs_per_block)) + group % geo.descs_per_block;
}

static bool block_ok(u32 first, u32 nr)
{
	u32 last;

	if (!ext2_block_ok(&geo, first, nr))
		return false;
	last = (first + nr - 1 - geo.first_data_block) / geo.blocks_per_group;
	for (u32 g = (first - geo.first_data_block) / geo.blocks_per_group; g <= last; g++)
		if (ext2_group_owns(&geo, desc(g), first, nr))
			return false;
	return true;
}

static void change_dirblock(const void *block, const char *name, u32 len)
{
	u8 *copy = copy_of(block);
	u32 off = 0;

	if (ext2_dirblock_room(copy, geo.block_size, geo.inodes_count, len, &off) > 0) {
		off = ext2_dirblock_insert(copy, off, name, len, geo.inodes_count, EXT2_FT_REG);
		MUST(ext2_dirblock_is(copy, geo.block_size, geo.inodes_count, name, len, off) == 1);
		MUST(ext2_dirblock_find(copy, geo.block_size, geo.inodes_count, name, len, &off) == 1);
		ext2_dirblock_remove(copy, geo.block_size, off);
	}
}

static void walk_dirblock(const void *block)
{
	u32 off = 0;

	change_dirblock(block, "a new name", 10);
	ext2_dirblock_empty(block, geo.block_size, geo.inodes_count, &off);
	for (off = 0; off < geo.block_size;) {
		const struct ext2_dirent *e = ext2_dirent_at(block, off);

		if (ext2_dirblock_wrong(block, geo.block_size, off, geo.inodes_count))
			return;
		steps++;
		off += e->rec_len;
	}
	MUST(off == geo.block_size);
}

static void change_xattrs(struct ext2_xattrs *x)
{
	static const u8 value[300];

	for (u32 round = 0; round < 3; round++) {
		struct ext2_xattr_entry *e = ext2_xattr_first(x);
		int err = ext2_xattr_set(x, EXT2_XATTR_USER, "fuzz", 4, round == 1 ? value : (const u8 *)"v", round == 1 ? 300 : 1);

		MUST(err || ext2_xattr_find(x, EXT2_XATTR_USER, "fuzz", 4));
		if (!ext2_xattr_last(e))
			ext2_xattr_set(x, e->name_index, (char[256]){ 0 }, e->name_len, NULL, 0);
		e = ext2_xattr_first(x);
		if (!ext2_xattr_last(e)) {
			char name[256];
			u32 index = e->name_index, len = e->name_len;

			memcpy(name, e->name, len);
			MUST(!ext2_xattr_set(x, index, name, len, NULL, 0));
		}
	}
}

static void walk_xattrs(u32 n)
{
	u8 *copy = copy_of(block_at(n));

	if (!ext2_xattr_wrong(copy, geo.block_size)) {
		struct ext2_xattrs x = ext2_xattrs_block(copy, geo.block_size);

		change_xattrs(&x);
	}
}

/* What an inode has behind its numbers, copied to end where unreadable memory begins. */
static void walk_body(const struct ext2_disk_inode *i)
{
	u32 extra = geo.inode_size > 160 ? *(const u16 *)(i + 1) : ~0u, at = 132 + extra;
	struct ext2_xattrs x;

	if (extra > geo.inode_size - 128 || extra % 4 || at + 20 > geo.inode_size)
		return;
	x = (struct ext2_xattrs){ copy_bytes((const u8 *)i + at, geo.inode_size - at), 0, geo.inode_size - at };
	if (!ext2_xattrs_wrong(&x))
		change_xattrs(&x);
}

static u32 map_block(const struct ext2_disk_inode *i, u64 n)
{
	struct ext2_path p;
	const u32 *table = i->block;
	u32 block = 0;

	ext2_path_to(n, geo.block_bits - 2, &p);
	for (u32 level = 0; level < p.depth; level++) {
		MUST(p.slot[level] < (level ? geo.block_size / 4 : EXT2_N_BLOCKS));
		block = table[p.slot[level]];
		steps++;
		if (!block || !block_ok(block, 1))
			return 0;
		table = block_at(block);
	}
	return block;
}

static const struct ext2_disk_inode *inode_at(u32 ino)
{
	u32 group = (ino - 1) / geo.inodes_per_group, index = (ino - 1) % geo.inodes_per_group, per = geo.block_size / geo.inode_size;

	return (const struct ext2_disk_inode *)((u8 *)block_at(desc(group)->inode_table + index / per) + index % per * geo.inode_size);
}

static void walk_inode(u32 ino)
{
	const struct ext2_disk_inode *i = inode_at(ino);
	u64 size = i->size | (u64)i->size_high << 32, blocks = size >> geo.block_bits;

	if (i->file_acl && block_ok(i->file_acl, 1))
		walk_xattrs(i->file_acl);
	walk_body(i);
	for (u64 n = 0; n <= blocks && steps < MAX_STEPS; n = n < 40 ? n + 1 : n * 2) {
		u32 block = map_block(i, n);

		if (block && (i->mode & 0170000) == 0040000)
			walk_dirblock(block_at(block));
	}
}

static void walk_bitmap(u32 group)
{
	const unsigned long *map = block_at(desc(group)->block_bitmap);
	u32 free, first = 0, nr = ext2_group_blocks(&geo, group), n;
	char why[160];

	if (!ext2_check_bitmap(&geo, desc(group), group, map, &free, why, sizeof(why)))
		return;
	n = ext2_run_find(map, 0, nr, 17, &first);
	MUST(n <= free && n <= 17 && (!n || first + n <= nr) && !n == !free);
	if (n)
		MUST(block_ok(ext2_group_first(&geo, group) + first, n));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 *memory;
	char why[160];

	if (!memory)
		memory = host_guarded(MAX_VOLUME);
	if (size < 2048 || size > MAX_VOLUME)
		return 0;
	volume_size = ALIGN_UP(size, 4096ul);
	volume = memory + MAX_VOLUME - volume_size;
	memset(volume, 0, volume_size);
	memcpy(volume, data, size);
	steps = 0;
	if (!ext2_check_super((const struct ext2_super_block *)(volume + EXT2_SUPER_OFFSET), volume_size, &geo, why, sizeof(why)))
		return 0;
	for (u32 g = 0; g < geo.nr_groups; g++)
		if (!ext2_check_group(&geo, desc(g), g, why, sizeof(why)))
			return 0;
	MUST(ext2_overhead(&geo) < (u64)geo.blocks_count + 3 * (u64)geo.nr_groups);
	for (u32 g = 0; g < geo.nr_groups; g++)
		walk_bitmap(g);
	for (u32 ino = 1; ino <= geo.inodes_count && steps < MAX_STEPS; ino++)
		walk_inode(ino);
	return 0;
}
