/* How large segments are made and cut, as numbers.  Theory in tcp_large.c. */
#pragma once
#include <kernel/lib/types.h>

#define LARGE_DATA_MAX	65421u	/* of one segment: with all headers it fits in what a packet's length can say */
#define LARGE_WIRE_MIN	512u	/* the wire's segments are larger than that, or none larger are made */

/* large_size - how much data a segment may have: whole segments of wire bytes, within half of the largest window that the other side ever had. */
static inline u32 large_size(u32 wire, u32 window_max)
{
	u32 most = min(LARGE_DATA_MAX, window_max / 2);

	return wire < LARGE_WIRE_MIN || most < wire ? wire : most - most % wire;
}

/* A segment that may go now. */
struct large_place {
	u32 len;		/* of its data */
	u32 wire;		/* data of a segment of the wire */
	u32 most;		/* of which so much can go in one packet: wire, if nobody cuts */
	u32 window, room;	/* the smaller of the two windows, and what is free of it */
	bool in_flight;		/* others wait to be acknowledged, and none was lost: there will be more room */
	bool open;		/* the last that waits, not full yet, and what is written next may fill it (Nagle) */
};

/* large_part - how much of it goes as one packet; 0: it stays as it is, and waits, or goes whole if it fits. */
static inline u32 large_part(const struct large_place *l)
{
	u32 n = min(l->len, l->most);

	if (l->len <= l->wire)
		return 0;
	if (n > l->room) {
		n = l->room;
		/* A quarter of the window at least, or each acknowledgement would cut off a small piece. */
		if (l->in_flight && n < l->window / 4)
			return 0;
	}
	if (n < l->len || l->open)
		n -= n % l->wire;
	return n == l->len ? 0 : n;
}
