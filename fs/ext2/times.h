/* Times as an inode on the disk has them.  Pure: also run on the host. */
#pragma once
#include <kernel/lib/types.h>

/* ext2_time_decode - from both words; extra 0 where there is none.  ext2_time_encode - sec is bounded to what fits, which without an extra word
 * (NULL) is 1901 to 2038. */
void ext2_time_decode(u32 low, u32 extra, s64 *sec, u32 *nsec);
void ext2_time_encode(s64 sec, u32 nsec, u32 *low, u32 *extra);
