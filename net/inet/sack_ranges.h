/* What the other side has of what was sent, beyond the first byte that it misses: ranges of sequence numbers (RFC 2018).  Pure: tests/unit/net. */
#pragma once
#include <kernel/lib/types.h>

#define SACK_RANGES	8u	/* holes are told of at most; what does not fit is not known, which costs no more than sending it again */

/* Apart from each other, in order, each from < to as the circle goes. */
struct sack_ranges { u32 n; struct sack_range { u32 from, to; } r[SACK_RANGES]; };

static inline bool seq_before(u32 a, u32 b) { return (s32)(a - b) < 0; }

/* sack_add - [from, to) is there, too; false: no room for it. */
bool sack_add(struct sack_ranges *s, u32 from, u32 to);
/* sack_forget - everything before seq was acknowledged. */
void sack_forget(struct sack_ranges *s, u32 seq);
/* sack_missing - the first byte from seq on that is not known to be there; *end: where what is there begins again, seq itself of no hole: nothing
 * beyond is. */
u32 sack_missing(const struct sack_ranges *s, u32 seq, u32 *end);
/* sack_bytes - how many are there from seq on. */
u32 sack_bytes(const struct sack_ranges *s, u32 seq);
