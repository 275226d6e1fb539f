/* Which block device a word names: root= at boot, and who else takes such words from outside.
 *
 * Names, numbers and the partition table's identities are in memory once the table was read, which opening the disk brings about.  The
 * identity of what is on a device (UUID=, LABEL=) stands in its first page: an ext2 superblock at byte 1024, or a swap area's header. */
#include <drivers/block/block.h>
#include <drivers/block/disk.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <mm/filemap.h>
#include <mm/page.h>

enum spec_kind { SPEC_NAME, SPEC_NUMBER, SPEC_PARTUUID, SPEC_PARTLABEL, SPEC_UUID, SPEC_LABEL };
struct spec { enum spec_kind kind; const char *text; dev_t_k dev; bool found; };

#define EXT2_AT		1024u
#define EXT2_MAGIC	0xef53u

static bool parse_number_pair(const char *s, dev_t_k *dev)
{
	const char *end;
	u64 major, minor;

	major = parse_number(s, &end, 10);
	if (end != s && *end == ':') {
		const char *second = end + 1;

		minor = parse_number(second, &end, 10);
		if (end == second || *end)
			return false;
		*dev = MKDEV_K((u32)major, (u32)minor);
		return true;
	}
	major = parse_number(s, &end, 16);	/* old style: fe01 */
	if (end == s || *end || major > 0xffff)
		return false;
	*dev = MKDEV_K((u32)major >> 8, (u32)major & 0xff);
	return true;
}

static bool spec_parse(const char *s, struct spec *out)
{
	static const struct { const char *prefix; enum spec_kind kind; } words[] = {
		{ "PARTUUID=", SPEC_PARTUUID }, { "PARTLABEL=", SPEC_PARTLABEL }, { "UUID=", SPEC_UUID }, { "LABEL=", SPEC_LABEL },
		{ "/dev/", SPEC_NAME },
	};

	*out = (struct spec){ .kind = SPEC_NAME, .text = s };
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(s, words[i].prefix, strlen(words[i].prefix))) {
			out->kind = words[i].kind;
			out->text = s + strlen(words[i].prefix);
			return *out->text;
		}
	if (parse_number_pair(s, &out->dev))
		out->kind = SPEC_NUMBER;
	return *s && !strchr(s, '=') && !strchr(s, '/');
}

static bool equal_nocase(const char *a, const char *b)
{
	while (*a && (*a | 0x20) == (*b | 0x20)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

static void uuid_text(char out[37], const u8 *u)
{
	static const u8 groups[] = { 4, 2, 2, 2, 6 };

	for (u32 g = 0, i = 0; g < ARRAY_SIZE(groups); g++) {
		if (g)
			*out++ = '-';
		for (u32 n = 0; n < groups[g]; n++, i++)
			out += scnprintf(out, 3, "%02x", u[i]);
	}
}

/* Has the device's contents this UUID or label? */
static bool contents_match(dev_t_k dev, const struct spec *spec)
{
	struct block_device *bdev;
	struct page *cached;
	const u8 *page, *uuid = NULL;
	char text[37];
	bool match = false;

	if (block_open(dev, false, NULL, &bdev))
		return false;
	if (bdev->nr_sectors >= PAGE_SIZE / SECTOR_SIZE && !filemap_get(&bdev->inode->data, 0, true, &cached)) {
		page = page_address(cached);
		if ((page[EXT2_AT + 56] | page[EXT2_AT + 57] << 8) == EXT2_MAGIC)
			uuid = page + EXT2_AT + 104;		/* the label, 16 bytes, is behind it in both */
		else if (!memcmp(page + PAGE_SIZE - 10, "SWAPSPACE2", 10))
			uuid = page + 1024 + 12;
		if (uuid && spec->kind == SPEC_UUID) {
			uuid_text(text, uuid);
			match = equal_nocase(text, spec->text);
		} else if (uuid) {
			scnprintf(text, 17, "%s", (const char *)uuid + 16);
			match = !strcmp(text, spec->text);
		}
		page_put(cached);
	}
	block_close(bdev, NULL);
	return match;
}

/* By what is in memory; disk->mutex held. */
static bool memory_match(const struct block_device *b, const struct spec *spec)
{
	switch (spec->kind) {
	case SPEC_NAME:
		return !strcmp(b->name, spec->text);
	case SPEC_NUMBER:	/* "fe01" may be a name, too */
		return b->dev == spec->dev || !strcmp(b->name, spec->text);
	case SPEC_PARTUUID:
		return *b->partuuid && equal_nocase((const char *)b->partuuid, spec->text);
	case SPEC_PARTLABEL:
		return *b->partlabel && !strcmp((const char *)b->partlabel, spec->text);
	default:
		return false;
	}
}

#define PARTS_MAX	128u

/* The numbers of the whole disk and its parts, once the table has been read; those that match go first, and *nr_match says how many. */
static u32 disk_devices(struct disk *d, const struct spec *spec, dev_t_k devs[PARTS_MAX + 1], bool *match)
{
	struct block_device *b, *whole;
	u32 n = 0;

	*match = false;
	if (block_open(d->dev, false, NULL, &whole))
		return 0;
	mutex_lock(&d->mutex);
	devs[n++] = d->whole->dev;
	*match = memory_match(d->whole, spec);
	list_for_each_entry(b, &d->parts, link) {
		if (*match || n > PARTS_MAX)
			break;
		*match = memory_match(b, spec);
		if (*match)
			devs[0] = b->dev;
		devs[n++] = b->dev;
	}
	mutex_unlock(&d->mutex);
	block_close(whole, NULL);
	return n;
}

static int look_on(struct disk *d, void *arg)
{
	struct spec *spec = arg;
	dev_t_k devs[PARTS_MAX + 1] = { 0 };
	u32 n = disk_devices(d, spec, devs, &spec->found);

	if (spec->found)
		spec->dev = devs[0];
	for (u32 i = 0; !spec->found && i < n && (spec->kind == SPEC_UUID || spec->kind == SPEC_LABEL); i++)
		if (contents_match(devs[i], spec)) {
			spec->dev = devs[i];
			spec->found = true;
		}
	return spec->found;
}

int block_find(const char *text, dev_t_k *dev)
{
	struct spec spec;

	if (!spec_parse(text, &spec))
		return -EINVAL;
	disk_each(look_on, &spec);
	if (!spec.found)
		return -ENODEV;
	*dev = spec.dev;
	return 0;
}

struct listing { char *buf; size_t size, len; };

static int list_disk(struct disk *d, void *arg)
{
	struct listing *l = arg;
	struct block_device *b = d->whole;
	struct list_head *pos = &d->parts;

	mutex_lock(&d->mutex);
	for (;;) {
		l->len += (size_t)scnprintf(l->buf + l->len, l->size - l->len, "%s%s %u:%u %llu KiB", l->len ? ", " : "", b->name,
					    DEV_MAJOR(b->dev), DEV_MINOR(b->dev), (unsigned long long)b->nr_sectors / 2);
		pos = pos->next;
		if (pos == &d->parts)
			break;
		b = container_of(pos, struct block_device, link);
	}
	mutex_unlock(&d->mutex);
	return 0;
}

void block_list(char *buf, size_t size)
{
	struct listing l = { buf, size, 0 };

	*buf = 0;
	disk_each(list_disk, &l);
}
