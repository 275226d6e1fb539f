/* The pure parts of ext2: directory blocks, free runs, paths, attribute blocks, each against something simpler. */
#include <fs/ext2/bits.h>
#include <fs/ext2/check.h>
#include <fs/ext2/dirblock.h>
#include <fs/ext2/names.h>
#include <fs/ext2/times.h>
#include <fs/ext2/xattr_block.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define INODES 1000u

static u8 *guarded(u32 size)
{
	static u8 *end;

	if (!end)
		end = (u8 *)host_guarded(4096) + 4096;
	return end - size;
}

/* --- directory blocks --- */

static u32 name_of(u32 n, char *name)
{
	u32 len = 1 + n * 7 % 60;

	memset(name, 'a' + n % 26, len);
	return (u32)scnprintf(name, 64, "%u", n) + (len > 4 ? len - 4 : 0);
}

static bool whole(const u8 *block, u32 size)
{
	u32 off = 0;

	while (off < size && !ext2_dirblock_wrong(block, size, off, INODES))
		off += ext2_dirent_at(block, off)->rec_len;
	return off == size;
}

TEST(directory_block_against_a_set)
{
	for (u32 size = 1024; size <= 4096; size *= 2) {
		u8 *b = guarded(size);
		bool in[100] = { false };

		ext2_dirblock_init(b, size);
		for (u32 turn = 0; turn < 3000; turn++) {
			u32 n = (u32)unit_below(100), off = 0, len;
			char name[128] = { 0 };

			len = name_of(n, name);
			EXPECT_EQ(ext2_dirblock_find(b, size, INODES, name, len, &off), in[n]);
			if (in[n]) {
				EXPECT_EQ(ext2_dirent_at(b, off)->inode, n + 1);
				ext2_dirblock_remove(b, size, off);
				in[n] = false;
			} else if (off = 0, ext2_dirblock_room(b, size, INODES, len, &off)) {
				off = ext2_dirblock_insert(b, off, name, len, n + 1, EXT2_FT_REG);
				EXPECT_EQ(ext2_dirblock_is(b, size, INODES, name, len, off), 1);
				EXPECT_EQ(ext2_dirblock_is(b, size, INODES, "another", 7, off), 0);
				in[n] = true;
			}
			EXPECT(whole(b, size));
		}
	}
}

/* Power fails while a block is written: of its sectors some are old, some new, and they fit together: what was there all the time is. */
TEST(directory_block_torn)
{
	u32 size = 2048;
	u8 *b = guarded(size), old[2048] __aligned(8), torn[2048] __aligned(8);
	bool in[100] = { false }, stayed[100] = { false };

	ext2_dirblock_init(b, size);
	memcpy(old, b, size);
	for (u32 turn = 0; turn < 3000; turn++) {
		u32 n = (u32)unit_below(100), off = 0, len;
		char name[128] = { 0 };

		len = name_of(n, name);
		if (in[n]) {
			EXPECT_EQ(ext2_dirblock_find(b, size, INODES, name, len, &off), 1);
			ext2_dirblock_remove(b, size, off);
			in[n] = stayed[n] = false;
		} else if (off = 0, ext2_dirblock_room(b, size, INODES, len, &off)) {
			ext2_dirblock_insert(b, off, name, len, n + 1, EXT2_FT_REG);
			in[n] = true;
		}
		if (unit_below(8))
			continue;
		for (u32 at = 0; at < size; at += 512)
			memcpy(torn + at, (unit_below(2) ? old : b) + at, 512);
		EXPECT(whole(torn, size));
		for (n = 0; n < 100; n++)
			if (stayed[n]) {
				char kept[128] = { 0 };

				len = name_of(n, kept);
				EXPECT_EQ(ext2_dirblock_find(torn, size, INODES, kept, len, &off), 1);
			}
		memcpy(old, b, size);		/* the next starts from a whole one */
		memcpy(stayed, in, sizeof(in));
	}
}

TEST(directory_block_damaged)
{
	u8 *b = guarded(1024);

	for (u32 turn = 0; turn < 20000; turn++) {
		u32 off;

		ext2_dirblock_init(b, 1024);
		for (u32 n = 0; n < 20; n++) {
			char name[128] = { 0 };
			u32 len = name_of(n, name);

			off = 0;
			if (ext2_dirblock_room(b, 1024, INODES, len, &off) > 0)
				ext2_dirblock_insert(b, off, name, len, n + 1, EXT2_FT_REG);
		}
		for (u32 k = 0; k < 3; k++)
			b[unit_below(1024)] = (u8)unit_random();
		(void)ext2_dirblock_find(b, 1024, INODES, "not there", 9, &off);
		for (off = 0; off < 1024; off += 4)
			(void)ext2_dirblock_is(b, 1024, INODES, "not there", 9, off);
		(void)ext2_dirblock_empty(b, 1024, INODES, &off);
		off = 0;
		if (ext2_dirblock_room(b, 1024, INODES, 30, &off) > 0)
			ext2_dirblock_insert(b, off, "thirty bytes thirty bytes thir", 30, 7, 0);
	}
	EXPECT(true);
}

TEST(directory_block_empty)
{
	u8 *b = guarded(1024);
	u32 off = 0;

	ext2_dirblock_init(b, 1024);
	ext2_dirblock_insert(b, 0, ".", 1, 2, EXT2_FT_DIR);
	ext2_dirblock_insert(b, 0, "..", 2, 2, EXT2_FT_DIR);
	EXPECT_EQ(ext2_dirblock_empty(b, 1024, INODES, &off), 1);
	off = 0;
	EXPECT(ext2_dirblock_room(b, 1024, INODES, 3, &off) > 0);
	ext2_dirblock_insert(b, off, "...", 3, 9, EXT2_FT_REG);
	EXPECT_EQ(ext2_dirblock_empty(b, 1024, INODES, &off), 0);
}

/* --- names by hash --- */

static struct ext2_names *names_new(u32 nr)
{
	struct ext2_names *n = host_alloc(names_bytes(nr));

	memset(n, 0, names_bytes(nr));
	names_init(n, nr);
	return n;
}

static bool names_has(const struct ext2_names *n, u32 hash, u64 want)
{
	u32 at = names_first(n, hash), steps = 0;
	u64 off;

	while (names_next(n, hash, &at, &off)) {
		if (off == want)
			return true;
		EXPECT(++steps <= n->used);
	}
	return false;
}

/* Few different hashes, so that runs are long and go round the end. */
TEST(names_against_a_set)
{
	for (u32 kinds = 1; kinds <= 1000; kinds *= 10) {
		struct ext2_names *n = names_new(16), *larger;
		bool in[300] = { false };
		u32 nr = 0;

		for (u32 turn = 0; turn < 20000; turn++) {
			u32 k = (u32)unit_below(300), hash = (k % kinds) * 0x9e3779b1u;
			u64 off = (u64)k * 12;

			EXPECT_EQ(names_has(n, hash, off), in[k]);
			if (in[k]) {
				names_remove(n, hash, off);
				nr--;
			} else {
				if (names_full(n)) {
					larger = names_new(2 * (n->mask + 1));
					names_copy(larger, n);
					host_free(n);
					n = larger;
				}
				names_add(n, hash, off);
				nr++;
			}
			in[k] = !in[k];
			EXPECT_EQ(n->used, nr);
		}
		for (u32 k = 0; k < 300; k++)
			EXPECT_EQ(names_has(n, (k % kinds) * 0x9e3779b1u, (u64)k * 12), in[k]);
		host_free(n);
	}
}

/* --- bitmaps and paths --- */

TEST(free_runs)
{
	for (u32 turn = 0; turn < 2000; turn++) {
		unsigned long map[8];
		u32 want = 1 + (u32)unit_below(40), start = (u32)unit_below(512), best = 0, at = 0, first = 0, n;

		for (u32 i = 0; i < 8; i++)
			map[i] = unit_random() | (unit_below(2) ? unit_random() : 0);
		n = ext2_run_find(map, start, 512, want, &first);
		for (u32 i = start; i < 512 && best < want; i++) {
			u32 k = 0;

			while (i + k < 512 && k < want && !test_bit(i + k, map))
				k++;
			if (k > best) {
				best = k;
				at = i;
			}
		}
		EXPECT_EQ(n, best);
		EXPECT(!n || first == at);
	}
}

TEST(paths)
{
	for (u32 bits = 8; bits <= 10; bits++) {
		u64 reach = ext2_reach(15, bits);

		for (u32 turn = 0; turn < 5000; turn++) {
			u64 n = unit_random() >> (24 + unit_below(40)), back;
			struct ext2_path p;

			ext2_path_to(n, bits, &p);
			EXPECT_EQ(p.depth == 0, n >= reach);
			if (!p.depth)
				continue;
			back = p.depth == 1 ? p.slot[0] : 0;
			for (u32 i = 1; i < p.depth; i++)
				back = back << bits | p.slot[i];
			if (p.depth > 1)
				back += ext2_reach(p.slot[0], bits);
			EXPECT_EQ(back, n);
		}
	}
}

/* --- attributes --- */

static void against_an_array(struct ext2_xattrs *x)
{
	u8 value[300];
	u32 len[30];

	memset(len, 0xff, sizeof(len));
	for (u32 turn = 0; turn < 20000; turn++) {
		u32 n = (u32)unit_below(30), size = (u32)unit_below(100);
		struct ext2_xattr_entry *e;
		char name[16];
		u32 nlen = (u32)scnprintf(name, sizeof(name), "name-%u", n);
		bool remove = unit_below(3) == 0;

		memset(value, (int)n, sizeof(value));
		if (!ext2_xattr_set(x, n % 2 ? EXT2_XATTR_USER : EXT2_XATTR_TRUSTED, name, nlen, remove ? NULL : value, size))
			len[n] = remove ? ~0u : size;
		EXPECT(!ext2_xattrs_wrong(x));
		for (u32 k = 0; k < 30; k++) {
			nlen = (u32)scnprintf(name, sizeof(name), "name-%u", k);
			e = ext2_xattr_find(x, k % 2 ? EXT2_XATTR_USER : EXT2_XATTR_TRUSTED, name, nlen);
			EXPECT_EQ(!e, len[k] == ~0u);
			if (e) {
				EXPECT_EQ(e->value_size, len[k]);
				memset(value, (int)k, sizeof(value));
				EXPECT(!memcmp((u8 *)x->base + e->value_offs, value, e->value_size));
			}
		}
	}
}

TEST(attributes_against_an_array)
{
	u8 *b = guarded(1024);
	struct ext2_xattrs x = ext2_xattrs_block(b, 1024);

	ext2_xattr_init(b, 1024);
	against_an_array(&x);
	EXPECT(!ext2_xattr_wrong(b, 1024));
	x = (struct ext2_xattrs){ memset(guarded(92), 0, 92), 0, 92 };		/* what an inode of 256 bytes has left */
	against_an_array(&x);
}

/* --- times --- */

TEST(times)
{
	static const s64 edges[] = { -0x80000000ll, -1, 0, 1, 0x7fffffff, 0x80000000ll, 0xffffffffll, 0x100000000ll, 0x17fffffffll, 0x180000000ll,
				     0x27fffffffll, 0x280000000ll, 0x37fffffffll };
	u32 low, extra, nsec;
	s64 sec;

	for (u32 n = 0; n < sizeof(edges) / sizeof(edges[0]); n++) {
		ext2_time_encode(edges[n], 999999999, &low, &extra);
		ext2_time_decode(low, extra, &sec, &nsec);
		EXPECT_EQ(sec, edges[n]);
		EXPECT_EQ(nsec, 999999999);
	}
	for (u32 turn = 0; turn < 20000; turn++) {
		s64 t = (s64)(unit_below(0x400000000ull)) - 0x80000000ll;
		u32 ns = (u32)unit_below(1000000000);

		ext2_time_encode(t, ns, &low, &extra);
		ext2_time_decode(low, extra, &sec, &nsec);
		EXPECT(sec == t && nsec == ns);
		ext2_time_encode(t, ns, &low, NULL);
		ext2_time_decode(low, 0, &sec, &nsec);
		EXPECT(nsec == 0 && sec == (t > 0x7fffffff ? 0x7fffffff : t));
	}
	ext2_time_encode(1ll << 40, 0, &low, &extra);
	ext2_time_decode(low, extra, &sec, &nsec);
	EXPECT_EQ(sec, 0x37fffffffll);
	ext2_time_decode(0, ~0u, &sec, &nsec);
	EXPECT_EQ(nsec, 0);
}

/* --- the superblock --- */

static struct ext2_super_block good_super(void)
{
	return (struct ext2_super_block){ .magic = EXT2_MAGIC, .inodes_count = 2048, .blocks_count = 16384, .first_data_block = 1, .blocks_per_group = 8192,
					  .frags_per_group = 8192, .inodes_per_group = 1024, .rev_level = 1, .first_ino = 11, .inode_size = 128, .state = 1 };
}

TEST(superblock_fields)
{
	struct ext2_super_block s = good_super();
	struct ext2_geometry g;
	char why[160];

	EXPECT(ext2_check_super(&s, 16ul << 20, &g, why, sizeof(why)));
	EXPECT_EQ(g.nr_groups, 2);
	EXPECT_EQ(ext2_group_blocks(&g, 1), 8191);
#define BAD(field, value) do { s = good_super(); s.field = (value); \
	EXPECT(!ext2_check_super(&s, 16ul << 20, &g, why, sizeof(why))); EXPECT(strstr(why, "s_" #field)); } while (0)
	BAD(magic, 0xef54);
	BAD(log_block_size, 3);
	BAD(log_frag_size, 1);
	BAD(rev_level, 2);
	BAD(inode_size, 129);
	BAD(inode_size, 2048);
	BAD(first_ino, 1);
	BAD(feature_incompat, 0x40);
	BAD(first_data_block, 0);
	BAD(blocks_per_group, 0);
	BAD(blocks_per_group, 8193);
	BAD(inodes_per_group, 0);
	BAD(inodes_per_group, 1025);
	BAD(blocks_count, 16385);
	BAD(blocks_count, 1);
	BAD(inodes_count, 4096);
	BAD(free_blocks_count, 16385);
	BAD(free_inodes_count, 2049);
	BAD(r_blocks_count, 16385);
}

TEST(superblock_random)
{
	struct ext2_geometry g;
	char why[160];

	for (u32 turn = 0; turn < 200000; turn++) {
		struct ext2_super_block s = good_super();

		for (u32 k = 0; k < 1 + unit_below(3); k++)
			((u32 *)&s)[unit_below(26)] = (u32)(unit_random() >> unit_below(64));
		s.magic = EXT2_MAGIC;
		if (ext2_check_super(&s, 16ul << 20, &g, why, sizeof(why))) {
			EXPECT((u64)g.blocks_count << g.block_bits <= 16ul << 20);
			EXPECT((u64)g.nr_groups * g.inodes_per_group == g.inodes_count);
			EXPECT(ext2_group_blocks(&g, g.nr_groups - 1) && ext2_group_blocks(&g, g.nr_groups - 1) <= g.blocks_per_group);
		}
	}
}
