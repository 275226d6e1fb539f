/* The GUID partition table (UEFI 2.9, chapter 5).
 *
 *	block 0		a table of the old kind, whose one entry, of type EE, covers the disk: "protective"
 *	block 1		the header: where the table of entries is, how many, their CRC; its own CRC
 *	...		the table of entries, 128 bytes or more each
 *	last blocks	the same again: table, then header
 *
 * A header is believed when its signature, its CRC, its place and the CRC of its table are right.  If the first is not, the one in the last
 * block is asked, with a warning; if it is, the other is looked at all the same, and what is wrong with it is said.  Without a protective
 * table there is no GPT: somebody has made a table of the old kind since. */
#include <drivers/block/part.h>
#include <kernel/errno.h>
#include <kernel/lib/crc32.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

#define MAX_TABLE	(1u << 20)	/* bytes; usual are 16 KiB */
#define MIN_ENTRY	128u
#define NAME_UNITS	36u

struct gpt_header {
	u8 signature[8];
	u32 revision, size, crc, reserved;
	u64 my_lba, alternate_lba, first_usable, last_usable;
	u8 disk_guid[16];
	u64 entries_lba;
	u32 nr_entries, entry_size, entries_crc;
} __packed;

struct gpt_entry {
	u8 type[16], unique[16];
	u64 first, last, attributes;
	u16 name[NAME_UNITS];
} __packed;

struct gpt {
	const struct part_source *s;
	struct gpt_header h;
	u8 *table;
	u32 table_size;			/* bytes, of whole blocks */
	u8 block[4096];
};

static bool protective(const struct gpt *g)
{
	const u8 *b = g->block;

	if (b[510] != 0x55 || b[511] != 0xaa)
		return false;
	for (const u8 *e = b + 446; e < b + 510; e += 16)
		if (e[4] == 0xee && e[8] == 1 && !e[9] && !e[10] && !e[11])
			return true;
	return false;
}

/* What is wrong with the header in g->block, found at lba; NULL: nothing. */
static const char *header_fault(struct gpt *g, u64 lba)
{
	u32 size, crc;

	memcpy(&g->h, g->block, sizeof(g->h));
	size = g->h.size;
	if (memcmp(g->h.signature, "EFI PART", 8))
		return "has no signature";
	if (size < sizeof(g->h) || size > g->s->logical_size)
		return "has an impossible size";
	memset(g->block + offsetof(struct gpt_header, crc), 0, 4);
	crc = (u32)crc32(0, g->block, size);
	if (crc != g->h.crc)
		return "has a wrong checksum";
	if (g->h.my_lba != lba)
		return "says it is elsewhere";
	if (g->h.first_usable > g->h.last_usable || g->h.last_usable >= part_nr_blocks(g->s))
		return "describes a larger disk";
	if (g->h.entry_size < MIN_ENTRY || g->h.entry_size % 8)
		return "has entries of an impossible size";
	if (!g->h.nr_entries || (u64)g->h.nr_entries * g->h.entry_size > MAX_TABLE)
		return "has an impossible number of entries";
	return NULL;
}

static const char *table_fault(struct gpt *g)
{
	u32 per_block = g->s->logical_size / 512, size = g->h.nr_entries * g->h.entry_size;
	u32 nr = DIV_ROUND_UP(size, g->s->logical_size);

	if (g->h.entries_lba < 2 || g->h.entries_lba >= part_nr_blocks(g->s) || nr > part_nr_blocks(g->s) - g->h.entries_lba)
		return "has its entries outside the disk";
	kvfree(g->table);
	g->table_size = size;
	g->table = kvmalloc((size_t)nr * g->s->logical_size, GFP_KERNEL);
	if (!g->table)
		return "has entries for which there is no memory";
	if (g->s->read(g->s->arg, g->h.entries_lba * per_block, nr * per_block, g->table))
		return "has entries that cannot be read";
	if ((u32)crc32(0, g->table, size) != g->h.entries_crc)
		return "has entries with a wrong checksum";
	return NULL;
}

/* The header at lba and its table into g; NULL, or what is wrong. */
static const char *load(struct gpt *g, u64 lba)
{
	const char *fault = part_block(g->s, lba, g->block) ? "cannot be read" : header_fault(g, lba);

	return fault ? fault : table_fault(g);
}

/* GUIDs are written as one 32-bit and two 16-bit little-endian numbers, then bytes. */
static void guid_text(const u8 *b, char *text, size_t size)
{
	scnprintf(text, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6],
		  b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static char *put_utf8(char *p, u32 c)
{
	if (c < 0x80) {
		*p++ = (char)c;
	} else if (c < 0x800) {
		*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(0x80 | (c & 0x3f));
	} else {
		if (c < 0x10000) {
			*p++ = (char)(0xe0 | c >> 12);
		} else {
			*p++ = (char)(0xf0 | c >> 18);
			*p++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*p++ = (char)(0x80 | (c >> 6 & 0x3f));
		*p++ = (char)(0x80 | (c & 0x3f));
	}
	return p;
}

/* At most 3 bytes a unit: a pair of surrogates, two units, makes 4. */
static void label_text(const u8 *name, char *text)
{
	for (u32 i = 0; i < NAME_UNITS; i++) {
		u32 c = (u32)name[2 * i] | (u32)name[2 * i + 1] << 8, low = 0;

		if (!c)
			break;
		if (c >= 0xd800 && c < 0xe000) {
			if (c < 0xdc00 && i + 1 < NAME_UNITS)
				low = (u32)name[2 * i + 2] | (u32)name[2 * i + 3] << 8;
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i++;
			} else {
				c = 0xfffd;
			}
		}
		text = put_utf8(text, c < 0x20 || c == 0x7f ? '!' : c);
	}
	*text = 0;
}

static int report(struct gpt *g)
{
	static const u8 unused[16];
	int err = 0;

	for (u32 i = 0; !err && i < g->h.nr_entries; i++) {
		const u8 *at = g->table + (size_t)i * g->h.entry_size;
		struct part_entry part = { .number = i + 1 };
		struct gpt_entry e;

		memcpy(&e, at, sizeof(e));
		if (!memcmp(e.type, unused, sizeof(unused)))
			continue;
		if (part.number > PART_MAX) {
			part_warn(g->s, "GPT: partitions beyond number %u are left out", PART_MAX);
			break;
		}
		if (e.first > e.last) {
			part_warn(g->s, "GPT: partition %u ends before it begins, and is left out", part.number);
			continue;
		}
		guid_text(e.unique, part.uuid, sizeof(part.uuid));
		label_text(at + offsetof(struct gpt_entry, name), part.label);
		err = part_found(g->s, &part, e.first, e.last - e.first + (e.last - e.first != ~0ull));
	}
	return err;
}

/* The first is good.  Who relies on the second some day should hear now if it is not. */
static void judge_backup(struct gpt *g, u64 last)
{
	struct gpt_header first = g->h;
	const char *fault;

	if (first.alternate_lba != last) {
		part_warn(g->s, "GPT: the back-up is in block %lu, not in the last, %lu", first.alternate_lba, last);
		return;
	}
	fault = part_block(g->s, last, g->block) ? "cannot be read" : header_fault(g, last);
	if (!fault && g->h.entries_crc != first.entries_crc)
		fault = "is of another table";
	if (fault)
		part_warn(g->s, "GPT: the back-up in block %lu %s", last, fault);
	g->h = first;
}

static int gpt_read(struct gpt *g)
{
	u64 last = part_nr_blocks(g->s) - 1;
	const char *fault, *second;
	int err = part_block(g->s, 0, g->block);

	if (err || !protective(g))
		return err;
	fault = load(g, 1);
	if (fault) {
		second = load(g, last);
		part_warn(g->s, "GPT: the header in block 1 %s; the back-up in block %lu %s", fault, last, second ? second : "is used");
		if (second)
			return 1;	/* there is one, but nothing can be said of it */
	} else {
		judge_backup(g, last);
	}
	err = report(g);
	return err ? err : 1;
}

static int gpt_parse(const struct part_source *s)
{
	struct gpt *g;
	int ret;

	if (part_nr_blocks(s) < 3)
		return 0;
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	g->s = s;
	ret = gpt_read(g);
	kvfree(g->table);
	kfree(g);
	return ret;
}

const struct part_format part_gpt = { "gpt", gpt_parse };
