/* Partition tables: what they say, read through a callback, so that the parsers need no disk.
 *
 * Nothing that stands on a disk is believed: a parser reads only what part_source says there is, bounds what it allocates and how long it
 * follows a chain, and reports what lies outside the disk. */
#pragma once
#include <kernel/lib/types.h>

#define PART_MAX	255u		/* the largest number */
#define PART_UUID_LEN	37u
#define PART_LABEL_LEN	112u		/* 36 UTF-16 units become at most 108 bytes */

struct part_entry;

struct part_source {
	/* read - nr sectors of 512 bytes from first on, into buf; both multiples of the logical block.  0 or -errno. */
	int (*read)(void *arg, u64 first, u32 nr, void *buf);
	/* found - a partition.  0, or -errno, which ends the parsing. */
	int (*found)(void *arg, const struct part_entry *e);
	/* warn - a line for the log, without a newline. */
	void (*warn)(void *arg, const char *text);
	void *arg;
	u64 nr_sectors;			/* of the disk, in units of 512 bytes */
	u32 logical_size;		/* 512 to 4096, a power of two */
};

struct part_entry {
	u32 number;			/* 1 to PART_MAX */
	u64 start, nr;			/* sectors of 512 bytes, within the disk */
	char uuid[PART_UUID_LEN];	/* text, lower case; empty: none */
	char label[PART_LABEL_LEN];	/* UTF-8 without control characters; empty: none */
};

/* A format: parse answers 1 its table (all of it was found()), 0 not its, -errno of read and found, -ENOMEM. */
struct part_format { const char *name; int (*parse)(const struct part_source *s); };
extern const struct part_format part_mbr, part_gpt;

/* part_parse - by the formats, in the order that part.c lists; the same results.  Context: thread, may sleep. */
int part_parse(const struct part_source *s, const char **format);

/* For the formats: a warning; a partition cut to the disk, in logical blocks (beyond it: a warning, 0). */
void part_warn(const struct part_source *s, const char *fmt, ...) __printf(2, 3);
int part_found(const struct part_source *s, struct part_entry *e, u64 start, u64 nr);
/* part_block - logical block lba into buf; -EIO also beyond the disk. */
int part_block(const struct part_source *s, u64 lba, void *buf);
static inline u64 part_nr_blocks(const struct part_source *s) { return s->nr_sectors / (s->logical_size / 512); }
