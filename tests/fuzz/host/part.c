/* FILES: drivers/block/part drivers/block/part_mbr drivers/block/part_gpt zlib/crc32 kernel/lib/fmt kernel/lib/string
 *
 * Partition tables.  Input: a byte of choices, then the disk from its first byte on.  Bit 0 of the choices: blocks of 4096 bytes; bit 1: the
 * checksums of the GPT are made right first, of the header in block 1 and of the one in the last block, so that what they guard is reached. */
#include <drivers/block/part.h>
#include <kernel/errno.h>
#include <kernel/lib/crc32.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define MAX_DISK (1u << 20)

static u8 disk[MAX_DISK];
static u64 nr_sectors;
static u32 logical;

static int read(void *arg, u64 first, u32 nr, void *buf)
{
	(void)arg;
	if (first > nr_sectors || nr > nr_sectors - first || (first | nr) % (logical / 512) || nr > 65536)
		host_die("a read outside the disk, or not of whole blocks", __FILE__, __LINE__);
	memcpy(buf, disk + first * 512, nr * 512ul);
	return 0;
}

static int found(void *arg, const struct part_entry *e)
{
	u32 *n = arg;

	if (++*n > PART_MAX || !e->number || e->number > PART_MAX || !e->nr || e->start >= nr_sectors || e->nr > nr_sectors - e->start)
		host_die("a partition that is none", __FILE__, __LINE__);
	if (strlen(e->uuid) >= PART_UUID_LEN || strlen(e->label) >= PART_LABEL_LEN)
		host_die("a text without end", __FILE__, __LINE__);
	for (const char *p = e->label; *p; p++)
		if ((u8)*p < 0x20)
			host_die("a control character in a label", __FILE__, __LINE__);
	return 0;
}

static void warn(void *arg, const char *text) { (void)arg; (void)text; }

static u32 le32(const u8 *p) { return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24; }
static void put32(u8 *p, u32 v) { for (u32 i = 0; i < 4; i++) p[i] = (u8)(v >> (8 * i)); }

static void seal(u64 lba)
{
	u64 len = nr_sectors * 512;
	u8 *h = disk + lba * logical;
	u64 entries = le32(h + 72), size = le32(h + 12), table = (u64)le32(h + 80) * le32(h + 84);

	if (entries < len / logical && table <= len - entries * logical)
		put32(h + 88, (u32)crc32(0, disk + entries * logical, (u32)table));
	put32(h + 16, 0);
	if (size <= logical)
		put32(h + 16, (u32)crc32(0, h, (u32)size));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 n = 0;
	struct part_source s = { .read = read, .found = found, .warn = warn, .arg = &n };
	const char *format;
	size_t len;

	if (!size)
		return 0;
	logical = s.logical_size = data[0] & 1 ? 4096 : 512;
	len = min_t(size_t, size - 1, MAX_DISK) / 512 * 512;
	memcpy(disk, data + 1, len);
	nr_sectors = s.nr_sectors = len / 512;
	if ((data[0] & 2) && len >= 3 * logical) {
		seal(1);
		seal(len / logical - 1);
	}
	(void)part_parse(&s, &format);
	return 0;
}
