/* The partition table of the IBM PC, in the first sector ("master boot record"): four entries of 16 bytes from byte 446 on, then 55 AA.
 *
 *	byte 0: 0x80 or 0 (boots)	4: type		8: first block, 12: blocks; little-endian 32 bits
 *
 * One entry may be an extended partition: a chain of further such sectors, each with one entry for a logical partition (counted from
 * that sector) and one for the next link (counted from the first).  Logical partitions are numbered from 5 on.  Blocks are the disk's
 * logical ones.  A chain that comes back to a sector it has been at is cut there, with a warning.
 *
 * A sector with that signature may as well be the boot sector of a file system without partitions: then its entries make no
 * sense, and are not believed.  Identity: the 32-bit number at byte 440 and the partition's. */
#include <drivers/block/part.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

#define ENTRIES_AT	446
#define DISK_ID_AT	440
#define TYPE_GPT	0xee
#define FIRST_LOGICAL	5u
#define MAX_LINKS	(PART_MAX - FIRST_LOGICAL + 1)

struct mbr_entry { u8 flag, chs_first[3], type, chs_last[3], start[4], nr[4]; };

/* What one parsing carries along. */
struct mbr {
	const struct part_source *s;
	u32 id;
	u32 next;			/* number of the next logical partition */
	u32 nr_links;
	u64 links[MAX_LINKS];		/* where the chain has been */
	u8 sector[4096];
};

static u32 le32(const u8 *p) { return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24; }
static bool is_extended(const struct mbr_entry *e) { return (e->type == 0x05 || e->type == 0x0f || e->type == 0x85) && le32(e->nr); }
static bool has_signature(const u8 *sector) { return sector[510] == 0x55 && sector[511] == 0xaa; }
static const struct mbr_entry *entries(const struct mbr *m) { return (const struct mbr_entry *)(m->sector + ENTRIES_AT); }

static int found(const struct mbr *m, u32 number, u64 start, u64 nr)
{
	struct part_entry e = { .number = number };

	scnprintf(e.uuid, sizeof(e.uuid), "%08x-%02x", m->id, number);
	return part_found(m->s, &e, start, nr);
}

static bool been_at(struct mbr *m, u64 lba)
{
	for (u32 i = 0; i < m->nr_links; i++)
		if (m->links[i] == lba)
			return true;
	m->links[m->nr_links++] = lba;
	return false;
}

/* The logical partitions of the link at lba (usually one), and where the next link is: *next, 0 at the end. */
static int one_link(struct mbr *m, u64 lba, u64 first, u64 nr, u64 *next)
{
	const struct mbr_entry *e = entries(m);
	int err = part_block(m->s, lba, m->sector);

	*next = 0;
	if (err)
		return err;
	if (!has_signature(m->sector)) {
		part_warn(m->s, "the chain of logical partitions ends at block %lu, which is no part of it", lba);
		return 0;
	}
	for (u32 i = 0; !err && i < 4; i++) {
		u64 start = lba + le32(e[i].start), blocks = le32(e[i].nr);

		if (is_extended(&e[i])) {
			if (!*next)
				*next = first + le32(e[i].start);
		} else if (blocks && m->next <= PART_MAX) {
			/* the third and fourth are often rubbish: only what lies within the extended partition counts */
			if (i >= 2 && (start < first || start - first > nr || blocks > nr - (start - first)))
				continue;
			err = found(m, m->next++, start, blocks);
		}
	}
	return err;
}

static int extended(struct mbr *m, u64 first, u64 nr)
{
	u64 lba = first, next;
	int err;

	do {
		if (m->nr_links == MAX_LINKS || been_at(m, lba)) {
			part_warn(m->s, "the chain of logical partitions never ends; it is cut at block %lu", lba);
			return 0;
		}
		err = one_link(m, lba, first, nr, &next);
		if (err == -EIO && lba >= part_nr_blocks(m->s)) {
			part_warn(m->s, "the chain of logical partitions leads to block %lu, beyond the end of the disk", lba);
			return 0;
		}
		lba = next;
	} while (!err && next);
	return err;
}

static int primaries(struct mbr *m)
{
	struct mbr_entry table[4];
	int err = 0;

	memcpy(table, entries(m), sizeof(table));
	m->id = le32(m->sector + DISK_ID_AT);
	for (u32 i = 0; i < 4; i++)
		if ((table[i].flag & 0x7f) || table[i].type == TYPE_GPT)	/* no table, or one that GPT's parser could not read */
			return 0;
	for (u32 i = 0; !err && i < 4; i++) {
		u64 start = le32(table[i].start), nr = le32(table[i].nr);

		/* of an extended partition only the first kilobyte can be opened: room for a boot loader */
		if (nr)
			err = found(m, i + 1, start, is_extended(&table[i]) ? min_t(u64, nr, max(1024u / m->s->logical_size, 1u)) : nr);
	}
	for (u32 i = 0; !err && i < 4; i++)
		if (is_extended(&table[i]))
			err = extended(m, le32(table[i].start), le32(table[i].nr));
	return err ? err : 1;
}

static int mbr_parse(const struct part_source *s)
{
	struct mbr *m = kzalloc(sizeof(*m), GFP_KERNEL);
	int ret;

	if (!m)
		return -ENOMEM;
	m->s = s;
	m->next = FIRST_LOGICAL;
	ret = part_nr_blocks(s) ? part_block(s, 0, m->sector) : 0;
	if (!ret && part_nr_blocks(s) && has_signature(m->sector))
		ret = primaries(m);
	kfree(m);
	return ret;
}

const struct part_format part_mbr = { "dos", mbr_parse };
