/* Times: 32 signed bits of seconds as ever, and in a large inode two more of them above, with nanoseconds. */
#include <fs/ext2/ext2_disk.h>
#include <fs/ext2/times.h>

void ext2_time_decode(u32 low, u32 extra, s64 *sec, u32 *nsec)
{
	*sec = (s64)(s32)low + ((s64)(extra & 3) << 32);
	*nsec = extra >> 2;
	if (*nsec >= 1000000000)	/* damage, and no reason to refuse the file */
		*nsec = 0;
}

void ext2_time_encode(s64 sec, u32 nsec, u32 *low, u32 *extra)
{
	s64 most = extra ? EXT2_TIME_MAX_EXTRA : EXT2_TIME_MAX;

	sec = sec < EXT2_TIME_MIN ? EXT2_TIME_MIN : sec > most ? most : sec;
	*low = (u32)sec;
	if (extra)
		*extra = (u32)((sec - (s32)sec) >> 32 & 3) | nsec << 2;
}
