/* The Internet checksum (RFC 1071). */
#pragma once
#include <kernel/lib/types.h>

/* checksum_add - sum, and the len bytes at data as 16-bit words in the machine's order (an odd last byte is the first of a word); data may begin anywhere.
 * What is carried out of the 64 bits comes in again below.  checksum_fold - to 16 bits, not inverted. */
u64 checksum_add(u64 sum, const void *data, size_t len);
static inline u16 checksum_fold(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}
static inline u16 checksum(const void *data, size_t len) { return checksum_fold(checksum_add(0, data, len)); }
