/* Arithmetic without side effects: free runs in a bitmap, and the way to a block of a file.  Pure: also run on the host. */
#pragma once
#include <fs/ext2/ext2_disk.h>

/* ext2_run_find - the first run of at least `want` clear bits in [start, end), or else the longest one there.  Returns its length (at
 * most want; 0: all are set) and *first.  ext2_run_at - how many bits from `first` on are clear, at most want. */
u32 ext2_run_find(const unsigned long *map, u32 start, u32 end, u32 want, u32 *first);
u32 ext2_run_at(const unsigned long *map, u32 first, u32 end, u32 want);

/* The way from the inode to block n of a file: slot[0] of the inode's array, then slot[i] of the indirect block that the one before
 * it names. */
struct ext2_path { u32 depth /* 1 to 4; 0: out of reach */, slot[4], left; /* blocks that follow in the last table */ };
void ext2_path_to(u64 n, u32 ptr_bits, struct ext2_path *p);	/* ptr_bits: log2 of pointers a block */
/* ext2_reach - the first block of the file that slot 12, 13 or 14 of the inode is for (slot 15: out of reach). */
u64 ext2_reach(u32 slot, u32 ptr_bits);
