/* Partition tables, written here field by field: good ones, and what damage makes of them. */
#include <drivers/block/part.h>
#include <kernel/errno.h>
#include <kernel/lib/crc32.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define MAX_FOUND 300
static u8 *disk;
static u64 nr_sectors;
static u32 logical = 512;
static struct part_entry got[MAX_FOUND];
static u32 nr_got, nr_warnings, nr_reads;
static char last_warning[200];
static u64 fail_from = ~0ull;		/* sectors from here on cannot be read */
static const char *format;

static int read(void *arg, u64 first, u32 nr, void *buf)
{
	(void)arg;
	nr_reads++;
	if (first + nr > nr_sectors || first % (logical / 512) || nr % (logical / 512))
		host_die("a read outside the disk, or not of whole blocks", __FILE__, __LINE__);
	if (first + nr > fail_from)
		return -EIO;
	memcpy(buf, disk + first * 512, nr * 512ul);
	return 0;
}

static int found(void *arg, const struct part_entry *e)
{
	(void)arg;
	if (!e->number || e->number > PART_MAX || !e->nr || e->start >= nr_sectors || e->nr > nr_sectors - e->start)
		host_die("a partition that is none", __FILE__, __LINE__);
	if (nr_got < MAX_FOUND)
		got[nr_got++] = *e;
	return 0;
}

static void warn(void *arg, const char *text)
{
	(void)arg;
	nr_warnings++;
	strscpy(last_warning, text, sizeof(last_warning));
}

static void fresh(u64 sectors)
{
	host_free(disk);
	disk = host_alloc(sectors * 512);
	memset(disk, 0, sectors * 512);
	nr_sectors = sectors;
	fail_from = ~0ull;
}

static int parse(void)
{
	const struct part_source s = { .read = read, .found = found, .warn = warn, .nr_sectors = nr_sectors, .logical_size = logical };

	nr_got = nr_warnings = nr_reads = 0;
	last_warning[0] = 0;
	return part_parse(&s, &format);
}

static u8 *block(u64 lba) { return disk + lba * logical; }
static void put32(u8 *p, u32 v) { for (u32 i = 0; i < 4; i++) p[i] = (u8)(v >> (8 * i)); }
static void put64(u8 *p, u64 v) { put32(p, (u32)v); put32(p + 4, (u32)(v >> 32)); }

/* --- the old kind */

static void entry(u64 lba, u32 slot, u8 type, u32 start, u32 nr)
{
	u8 *b = block(lba), *e = b + 446 + 16 * slot;

	e[4] = type;
	put32(e + 8, start);
	put32(e + 12, nr);
	b[510] = 0x55;
	b[511] = 0xaa;
}

static bool is(u32 i, u32 number, u64 start, u64 nr) { return i < nr_got && got[i].number == number && got[i].start == start && got[i].nr == nr; }

TEST(mbr_primaries)
{
	fresh(10000);
	put32(block(0) + 440, 0xdeadbeef);
	entry(0, 0, 0x83, 63, 1000);
	entry(0, 2, 0x82, 2000, 500);
	block(0)[446] = 0x80;
	EXPECT_EQ(parse(), 1);
	EXPECT(!strcmp(format, "dos"));
	EXPECT_EQ(nr_got, 2);
	EXPECT(is(0, 1, 63, 1000) && is(1, 3, 2000, 500));
	EXPECT(!strcmp(got[0].uuid, "deadbeef-01") && !strcmp(got[1].uuid, "deadbeef-03"));
	EXPECT_EQ(nr_warnings, 0);
}

TEST(mbr_logical_partitions)
{
	fresh(10000);
	entry(0, 0, 0x83, 63, 900);
	entry(0, 1, 0x0f, 1000, 8000);
	entry(1000, 0, 0x83, 10, 100);
	entry(1000, 1, 0x05, 2000, 1000);	/* the next link, from the first */
	entry(3000, 0, 0x83, 20, 200);
	entry(3000, 2, 0x83, 5000, 6000);	/* rubbish: it reaches beyond */
	entry(3000, 1, 0x05, 1000, 1000);	/* backwards is allowed */
	entry(2000, 0, 0x83, 1, 2);
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 5);
	EXPECT(is(0, 1, 63, 900) && is(1, 2, 1000, 2) && is(2, 5, 1010, 100) && is(3, 6, 3020, 200) && is(4, 7, 2001, 2));
	EXPECT(!strcmp(got[4].uuid, "00000000-07"));
}

TEST(mbr_chains_that_never_end)
{
	fresh(10000);
	entry(0, 0, 0x05, 1000, 8000);
	entry(1000, 0, 0x83, 10, 100);
	entry(1000, 1, 0x05, 0, 1000);		/* itself */
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 2);
	EXPECT_EQ(nr_warnings, 1);
	entry(1000, 1, 0x05, 500, 1000);
	entry(1500, 1, 0x05, 0, 1000);		/* round two */
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 2);
	EXPECT_EQ(nr_warnings, 1);
	for (u32 i = 0; i < 600; i++) {		/* longer than there are numbers */
		entry(1000 + i, 0, 0x83, 5000, 1);
		entry(1000 + i, 1, 0x05, i + 1, 1);
	}
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 1 + PART_MAX - 4);
	EXPECT_EQ(got[nr_got - 1].number, PART_MAX);
	EXPECT(nr_reads < 300);
}

TEST(mbr_beyond_the_disk)
{
	fresh(1000);
	entry(0, 0, 0x83, 900, 200);
	entry(0, 1, 0x83, 1000, 1);
	entry(0, 2, 0x83, 0xffffffff, 0xffffffff);
	entry(0, 3, 0x05, 2000, 5);
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 1);
	EXPECT(is(0, 1, 900, 100));
	EXPECT_EQ(nr_warnings, 5);
	entry(0, 3, 0x05, 500, 10);
	entry(500, 1, 0x05, 4000, 10);
	EXPECT_EQ(parse(), 1);
	EXPECT(strstr(last_warning, "4500"));
	block(500)[511] = 0;
	EXPECT_EQ(parse(), 1);
	EXPECT(strstr(last_warning, "no part of it"));
}

TEST(mbr_that_is_none)
{
	fresh(1000);
	EXPECT_EQ(parse(), 0);
	entry(0, 0, 0x83, 10, 10);
	block(0)[446] = 0x12;			/* the code of a boot sector */
	EXPECT_EQ(parse(), 0);
	block(0)[446] = 0;
	block(0)[511] = 0;
	EXPECT_EQ(parse(), 0);
	fresh(1);
	EXPECT_EQ(parse(), 0);
	nr_sectors = 0;
	EXPECT_EQ(parse(), 0);
	fresh(1000);
	entry(0, 0, 0x83, 10, 10);
	fail_from = 0;
	EXPECT_EQ(parse(), -EIO);
}

TEST(mbr_of_large_blocks)
{
	fresh(8000);
	logical = 4096;
	entry(0, 0, 0x83, 8, 16);
	entry(0, 1, 0x05, 100, 50);
	entry(100, 0, 0x83, 2, 3);
	EXPECT_EQ(parse(), 1);
	EXPECT(is(0, 1, 64, 128) && is(1, 2, 800, 8) && is(2, 5, 816, 24));
	logical = 512;
}

/* --- GPT */

static void gpt_seal(u64 lba)
{
	u8 *h = block(lba);
	u64 at = h[72] | (u64)h[73] << 8 | (u64)h[74] << 16;
	u32 nr = h[80] | (u32)h[81] << 8, size = h[84] | (u32)h[85] << 8;

	put32(h + 88, (u32)crc32(0, block(at), nr * size));
	put32(h + 16, 0);
	put32(h + 16, (u32)crc32(0, h, 92));
}

static void gpt_header(u64 lba, u64 other, u64 entries)
{
	u64 last = nr_sectors * 512 / logical - 1;
	u8 *h = block(lba);

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, lba);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, last - 33);
	put64(h + 72, entries);
	put32(h + 80, 128);
	put32(h + 84, 128);
}

static void gpt_part(u64 entries, u32 i, u64 first, u64 last, const char *name)
{
	u8 *e = block(entries) + 128 * i;

	memset(e, 0xa0 + (int)i, 16);
	for (u32 k = 0; k < 16; k++)
		e[16 + k] = (u8)(k * 16 + i);
	put64(e + 32, first);
	put64(e + 40, last);
	for (u32 k = 0; name[k]; k++)
		e[56 + 2 * k] = (u8)name[k];
}

static void gpt(void)
{
	u64 last;

	fresh(4000);
	last = nr_sectors * 512 / logical - 1;
	entry(0, 0, 0xee, 1, (u32)last);
	gpt_header(1, last, 2);
	gpt_header(last, 1, last - 32);
	for (u32 k = 0; k < 2; k++) {
		gpt_part(k ? last - 32 : 2, 0, 40, 99, "boot");
		gpt_part(k ? last - 32 : 2, 4, 100, 300, "Root file system");
	}
	gpt_seal(1);
	gpt_seal(last);
}

TEST(gpt_good)
{
	for (logical = 512; logical <= 4096; logical *= 8) {
		u32 f = logical / 512;

		gpt();
		EXPECT_EQ(parse(), 1);
		EXPECT(!strcmp(format, "gpt"));
		EXPECT_EQ(nr_got, 2);
		EXPECT(is(0, 1, 40 * f, 60 * f) && is(1, 5, 100 * f, 201 * f));
		EXPECT(!strcmp(got[0].label, "boot") && !strcmp(got[1].label, "Root file system"));
		EXPECT(!strcmp(got[1].uuid, "34241404-5444-7464-8494-a4b4c4d4e4f4"));
		EXPECT_EQ(nr_warnings, 0);
	}
	logical = 512;
}

/* Each byte that the checksums cover, bent: the other copy is used and says so; both bent: nothing is. */
TEST(gpt_damaged)
{
	static const u32 where[] = { 0, 8, 12, 16, 24, 40, 48, 72, 80, 84, 88 };

	for (u32 i = 0; i < ARRAY_SIZE(where) + 2; i++) {
		u8 *p;

		gpt();
		p = i < ARRAY_SIZE(where) ? block(1) + where[i] : block(2) + (i - ARRAY_SIZE(where)) * 4000;
		*p ^= 1;
		EXPECT_EQ(parse(), 1);
		EXPECT_EQ(nr_got, 2);
		EXPECT_EQ(nr_warnings, 1);
		EXPECT(strstr(last_warning, "is used"));
		block(3999)[20 + 4 * i] ^= 1;
		EXPECT_EQ(parse(), 1);
		EXPECT_EQ(nr_got, 0);
		EXPECT(!strcmp(format, "gpt"));
	}
	gpt();
	fail_from = 3999;			/* the back-up cannot be read: it is not needed, but one wants to know */
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 2);
	EXPECT(nr_warnings == 1 && strstr(last_warning, "the back-up in block 3999 cannot be read"));
	gpt();
	block(3999)[20] ^= 1;
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 2);
	EXPECT(nr_warnings == 1 && strstr(last_warning, "the back-up in block 3999 has a wrong checksum"));
}

TEST(gpt_without_protection)
{
	gpt();
	entry(0, 0, 0x83, 10, 20);		/* somebody has made a table of the old kind since */
	EXPECT_EQ(parse(), 1);
	EXPECT(!strcmp(format, "dos") && nr_got == 1);
	gpt();
	block(0)[510] = 0;
	EXPECT_EQ(parse(), 0);
}

TEST(gpt_on_a_larger_disk)
{
	u64 before;

	gpt();
	before = nr_sectors;
	put64(block(1) + 32, before - 11);	/* grown by ten blocks since */
	gpt_seal(1);
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 2);
	EXPECT_EQ(nr_warnings, 1);
}

/* Fields that a program wrote wrongly, checksums and all. */
TEST(gpt_impossible)
{
	static const struct { u32 off; u64 value; } bad[] = {
		{ 12, 91 }, { 12, 513 }, { 24, 2 }, { 40, 5000 }, { 48, 4000 }, { 72, 1 }, { 72, 4000 }, { 72, 3999 }, { 80, 0 },
		{ 80, 0xffffffff }, { 84, 127 }, { 84, 0xffffffff }, { 84, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		gpt();
		for (u32 k = 0; k < 2; k++) {
			u8 *h = block(k ? 3999 : 1);

			if (bad[i].off < 24 || bad[i].off >= 80)
				put32(h + bad[i].off, (u32)bad[i].value);
			else
				put64(h + bad[i].off, bad[i].value);
			put32(h + 16, 0);
			put32(h + 16, (u32)crc32(0, h, bad[i].off == 12 && bad[i].value < 512 ? (u32)bad[i].value : 92));
		}
		EXPECT_EQ(parse(), 1);
		EXPECT_EQ(nr_got, 0);
		EXPECT_EQ(nr_warnings, 1);
	}
}

TEST(gpt_entries)
{
	static const u16 name[] = { 'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0xdc00, 0xd800, 'b', '\n', 0x7f };
	u8 *e;

	gpt();
	gpt_part(2, 1, 300, 200, "backwards");
	gpt_part(2, 2, 3990, 5000, "cut");
	gpt_part(2, 3, 5000, 6000, "outside");
	gpt_part(2, 127, 10, ~0ull, "");
	e = block(2) + 127 * 128;
	for (u32 i = 0; i < ARRAY_SIZE(name); i++) {
		e[56 + 2 * i] = (u8)name[i];
		e[57 + 2 * i] = (u8)(name[i] >> 8);
	}
	gpt_seal(1);
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(nr_got, 4);
	EXPECT(is(1, 3, 3990, 10) && is(3, 128, 10, 3990));
	EXPECT(!strcmp(got[3].label, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd" "b!!"));
	EXPECT_EQ(nr_warnings, 5);		/* one about the back-up, which is of another table */
	for (u32 i = 0; i < 36; i++)		/* the longest text there can be */
		e[56 + 2 * i] = e[57 + 2 * i] = 0xff;
	gpt_seal(1);
	EXPECT_EQ(parse(), 1);
	EXPECT_EQ(strlen(got[3].label), 108);
}

TEST(memory_is_given_back)
{
	u64 before = host_live();

	gpt();
	EXPECT_EQ(parse(), 1);
	for (u64 n = 0; n < 3; n++) {
		unit_fail_after = n;
		parse();
		unit_fail_after = ~0ull;
	}
	host_free(disk);
	disk = NULL;
	EXPECT(host_live() <= before);
}

TEST(crc)
{
	EXPECT_EQ(crc32(0, (const u8 *)"123456789", 9), 0xcbf43926);
	EXPECT_EQ(crc32(crc32(0, (const u8 *)"1234", 4), (const u8 *)"56789", 5), 0xcbf43926);
}
