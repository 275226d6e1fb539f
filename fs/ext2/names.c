/* Names by hash: see the header.
 *
 * A name stands in the first free slot from the one that its hash leads to (linear probing), so a search may end at a free slot.  Removing
 * one therefore moves those behind it, up to the next free slot, as far towards the slot they were to stand in as there is room: there
 * are no marks of what was, and a table does not wear out. */
#include <fs/ext2/names.h>
#include <kernel/debug.h>
#include <kernel/lib/hash.h>

u32 names_hash(const char *name, u32 len) { return hash_string(name, len, 0); }

void names_init(struct ext2_names *n, u32 nr)
{
	n->mask = nr - 1;
	n->used = 0;
}

static u32 place_of(u64 off) { return (u32)(off / 4) + 1; }

static void put(struct ext2_names *n, u32 hash, u32 place)
{
	u32 at = hash & n->mask;

	while (n->slots[at].place)
		at = (at + 1) & n->mask;
	n->slots[at].hash = hash;
	n->slots[at].place = place;
	n->used++;
}

void names_add(struct ext2_names *n, u32 hash, u64 off)
{
	ASSERT(n->used < n->mask);
	put(n, hash, place_of(off));
}

void names_copy(struct ext2_names *to, const struct ext2_names *from)
{
	for (u32 i = 0; i <= from->mask; i++)
		if (from->slots[i].place)
			put(to, from->slots[i].hash, from->slots[i].place);
}

bool names_next(const struct ext2_names *n, u32 hash, u32 *at, u64 *off)
{
	for (;;) {
		u32 i = *at, place = n->slots[i].place;

		if (!place)
			return false;
		*at = (i + 1) & n->mask;
		if (n->slots[i].hash == hash) {
			*off = (u64)(place - 1) * 4;
			return true;
		}
	}
}

void names_remove(struct ext2_names *n, u32 hash, u64 off)
{
	u32 gap = hash & n->mask, at;

	while (n->slots[gap].place != place_of(off)) {
		if (WARN_ONCE(!n->slots[gap].place))
			return;
		gap = (gap + 1) & n->mask;
	}
	for (at = (gap + 1) & n->mask; n->slots[at].place; at = (at + 1) & n->mask) {
		u32 home = n->slots[at].hash & n->mask;

		if (((at - home) & n->mask) >= ((at - gap) & n->mask)) {	/* its search passes the gap */
			n->slots[gap] = n->slots[at];
			gap = at;
		}
	}
	n->slots[gap].place = 0;
	n->used--;
}
