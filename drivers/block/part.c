/* Partition tables: the formats there are, and what they share. */
#include <drivers/block/part.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>

/* One line a format.  GPT first: the table of old kind that stands before it says only "keep off". */
static const struct part_format *const formats[] = { &part_gpt, &part_mbr };

int part_parse(const struct part_source *s, const char **format)
{
	int ret = 0;

	for (u32 i = 0; !ret && i < ARRAY_SIZE(formats); i++) {
		*format = formats[i]->name;
		ret = formats[i]->parse(s);
	}
	return ret;
}

void part_warn(const struct part_source *s, const char *fmt, ...)
{
	char text[120];
	va_list args;

	va_start(args, fmt);
	kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	s->warn(s->arg, text);
}

int part_block(const struct part_source *s, u64 lba, void *buf)
{
	u32 per_block = s->logical_size / 512;

	return lba < part_nr_blocks(s) ? s->read(s->arg, lba * per_block, per_block, buf) : -EIO;
}

int part_found(const struct part_source *s, struct part_entry *e, u64 start, u64 nr)
{
	u32 per_block = s->logical_size / 512;
	u64 end = part_nr_blocks(s);

	if (start >= end) {
		part_warn(s, "partition %u begins at block %lu, beyond the end of the disk, and is left out", e->number, start);
		return 0;
	}
	if (nr > end - start) {
		part_warn(s, "partition %u reaches %lu blocks beyond the end of the disk, and is cut off", e->number, nr - (end - start));
		nr = end - start;
	}
	e->start = start * per_block;
	e->nr = nr * per_block;
	return s->found(s->arg, e);
}
