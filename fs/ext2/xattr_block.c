/* Extended attributes where they lie: see the header.
 *
 * The names grow from the front, with four zero bytes behind the last; the values from the back, without gaps, so that all that is free is
 * in between.  In a block each entry has a hash of its name and value, and the block one of those, by which equal blocks are found. */
#include <fs/ext2/xattr_block.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>

const char *ext2_xattrs_wrong(const struct ext2_xattrs *x)
{
	u32 at = x->head, values = 0, size = x->size, lowest = size;

	for (;;) {
		const struct ext2_xattr_entry *e = (const struct ext2_xattr_entry *)((const char *)x->base + at);

		if (at > size - 4)
			return "the list of names has no end";
		if (ext2_xattr_last(e))
			break;
		if (at + sizeof(*e) > size || at + EXT2_XATTR_LEN(e->name_len) > size - 4)
			return "e_name_len";
		if (e->value_block)
			return "e_value_block";
		if (e->value_size > size || e->value_offs > size - e->value_size)
			return "e_value_offs";
		if (e->value_size) {
			values += EXT2_XATTR_ROUND(e->value_size);
			lowest = min(lowest, (u32)e->value_offs);
			if (e->value_offs % 4)
				return "e_value_offs";
		}
		at += EXT2_XATTR_LEN(e->name_len);
	}
	if (lowest < at + 4 || values > size - lowest)
		return "e_value_offs";
	return NULL;
}

const char *ext2_xattr_wrong(const void *block, u32 size)
{
	const struct ext2_xattr_header *h = block;
	struct ext2_xattrs x = ext2_xattrs_block(block, size);

	if (h->magic != EXT2_XATTR_MAGIC)
		return "h_magic";
	if (h->blocks != 1)
		return "h_blocks";
	if (!h->refcount || h->refcount > EXT2_XATTR_REFCOUNT_MAX)
		return "h_refcount";
	return ext2_xattrs_wrong(&x);
}

void ext2_xattr_init(void *block, u32 size)
{
	memset(block, 0, size);
	*ext2_xattr_header(block) = (struct ext2_xattr_header){ .magic = EXT2_XATTR_MAGIC, .refcount = 1, .blocks = 1 };
}

static int compare(const struct ext2_xattr_entry *e, u32 index, const char *name, u32 len)
{
	if (e->name_index != index)
		return e->name_index < index ? -1 : 1;
	if (e->name_len != len)
		return e->name_len < len ? -1 : 1;
	return memcmp(e->name, name, len);
}

struct ext2_xattr_entry *ext2_xattr_find(const struct ext2_xattrs *x, u32 index, const char *name, u32 len)
{
	struct ext2_xattr_entry *e;

	for (e = ext2_xattr_first(x); !ext2_xattr_last(e); e = ext2_xattr_next(e))
		if (!compare(e, index, name, len))
			return e;
	return NULL;
}

static void entry_hash(const struct ext2_xattrs *x, struct ext2_xattr_entry *e)
{
	const u8 *name = (const u8 *)e->name;
	u32 h = 0;

	for (u32 i = 0; i < e->name_len; i++)
		h = h << 5 ^ h >> 27 ^ name[i];
	if (e->value_size) {
		const u32 *v = (const u32 *)((const char *)x->base + e->value_offs);

		for (u32 n = EXT2_XATTR_ROUND(e->value_size) / 4; n; n--)
			h = h << 16 ^ h >> 16 ^ *v++;
	}
	e->hash = h;
}

static void rehash(struct ext2_xattrs *x)
{
	struct ext2_xattr_entry *e;
	u32 h = 0;

	for (e = ext2_xattr_first(x); !ext2_xattr_last(e); e = ext2_xattr_next(e)) {
		if (!e->hash) {		/* such blocks are not shared */
			h = 0;
			break;
		}
		h = h << 16 ^ h >> 16 ^ e->hash;
	}
	ext2_xattr_header(x->base)->hash = h;
}

/* Where the names end and the values begin. */
static struct ext2_xattr_entry *measure(const struct ext2_xattrs *x, u32 *lowest)
{
	struct ext2_xattr_entry *e;

	*lowest = x->size;
	for (e = ext2_xattr_first(x); !ext2_xattr_last(e); e = ext2_xattr_next(e))
		if (e->value_size)
			*lowest = min(*lowest, (u32)e->value_offs);
	return e;
}

static void drop_value(struct ext2_xattrs *x, struct ext2_xattr_entry *gone)
{
	u32 lowest, off = gone->value_offs, n = EXT2_XATTR_ROUND(gone->value_size);
	struct ext2_xattr_entry *e;

	if (!gone->value_size)
		return;
	measure(x, &lowest);
	memmove((char *)x->base + lowest + n, (char *)x->base + lowest, off - lowest);
	memset((char *)x->base + lowest, 0, n);
	gone->value_size = 0;
	gone->value_offs = 0;
	for (e = ext2_xattr_first(x); !ext2_xattr_last(e); e = ext2_xattr_next(e))
		if (e->value_size && e->value_offs < off)
			e->value_offs = (u16)(e->value_offs + n);
}

static void drop_entry(struct ext2_xattrs *x, struct ext2_xattr_entry *gone)
{
	u32 lowest, n = EXT2_XATTR_LEN(gone->name_len);
	char *end = (char *)measure(x, &lowest) + 4;

	memmove(gone, (char *)gone + n, (size_t)(end - (char *)gone) - n);
	memset(end - n, 0, n);
}

static struct ext2_xattr_entry *add_entry(struct ext2_xattrs *x, u32 index, const char *name, u32 len)
{
	u32 lowest, n = EXT2_XATTR_LEN(len);
	char *end = (char *)measure(x, &lowest) + 4;
	struct ext2_xattr_entry *e = ext2_xattr_first(x);

	while (!ext2_xattr_last(e) && compare(e, index, name, len) < 0)
		e = ext2_xattr_next(e);
	memmove((char *)e + n, e, (size_t)(end - (char *)e));
	memset(e, 0, n);
	e->name_index = (u8)index;
	e->name_len = (u8)len;
	memcpy(e->name, name, len);
	return e;
}

int ext2_xattr_set(struct ext2_xattrs *x, u32 index, const char *name, u32 len, const void *value, u32 value_size)
{
	struct ext2_xattr_entry *e = ext2_xattr_find(x, index, name, len);
	u32 lowest, room, need = value ? EXT2_XATTR_ROUND(value_size) + (e ? 0 : EXT2_XATTR_LEN(len)) : 0;

	room = (u32)((char *)measure(x, &lowest) + 4 - (char *)x->base);
	room = lowest - room + (e ? EXT2_XATTR_ROUND(e->value_size) : 0);
	if (need > room)
		return -ENOSPC;
	if (e)
		drop_value(x, e);
	if (e && !value)
		drop_entry(x, e);
	if (value) {
		if (!e)
			e = add_entry(x, index, name, len);
		measure(x, &lowest);
		if (value_size) {
			lowest -= EXT2_XATTR_ROUND(value_size);
			memcpy((char *)x->base + lowest, value, value_size);
			e->value_offs = (u16)lowest;
			e->value_size = value_size;
		}
		if (x->head)
			entry_hash(x, e);
	}
	if (x->head)
		rehash(x);
	return 0;
}

bool ext2_xattr_same(const void *a, const void *b, u32 size)
{
	const struct ext2_xattr_header *ha = a, *hb = b;

	return ha->hash == hb->hash && !memcmp(ha + 1, hb + 1, size - sizeof(*ha));
}
