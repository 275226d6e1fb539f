/* Free runs, and paths through indirect blocks: see the header. */
#include <fs/ext2/bits.h>
#include <kernel/lib/bitmap.h>

u32 ext2_run_at(const unsigned long *map, u32 first, u32 end, u32 want)
{
	u32 limit = want < end - first ? first + want : end;

	return (u32)bitmap_find_next_set(map, limit, first) - first;
}

u32 ext2_run_find(const unsigned long *map, u32 start, u32 end, u32 want, u32 *first)
{
	u32 best = 0;

	while (start < end) {
		u32 at = (u32)bitmap_find_next_zero(map, end, start), n;

		if (at >= end)
			break;
		n = ext2_run_at(map, at, end, want);
		if (n > best) {
			best = n;
			*first = at;
			if (n == want)
				break;
		}
		start = at + n + 1;
	}
	return best;
}

u64 ext2_reach(u32 slot, u32 ptr_bits)
{
	u64 n = EXT2_NDIR;

	for (u32 level = 1; level <= slot - EXT2_NDIR; level++)
		n += 1ull << (ptr_bits * level);
	return n;
}

void ext2_path_to(u64 n, u32 ptr_bits, struct ext2_path *p)
{
	u32 slot = EXT2_NDIR, mask = (1u << ptr_bits) - 1;
	u64 rel;

	if (n < EXT2_NDIR) {
		*p = (struct ext2_path){ .depth = 1, .slot = { (u32)n }, .left = EXT2_NDIR - (u32)n };
		return;
	}
	while (slot < EXT2_N_BLOCKS && n >= ext2_reach(slot + 1, ptr_bits))
		slot++;
	*p = (struct ext2_path){ .depth = 0 };
	if (slot == EXT2_N_BLOCKS)
		return;
	rel = n - ext2_reach(slot, ptr_bits);
	p->depth = slot - EXT2_NDIR + 2;
	p->slot[0] = slot;
	for (u32 i = 1; i < p->depth; i++)
		p->slot[i] = (u32)(rel >> (ptr_bits * (p->depth - 1 - i))) & mask;
	p->left = mask + 1 - p->slot[p->depth - 1];
}
