/* Received segments of TCP, joined before the engine sees them.  Theory in merge.c. */
#pragma once
#include <net/packet.h>

/* What a frame's headers say to who would join it to others: where its TCP header and its data begin, how much data there is, the number of its first byte. */
struct merge_frame { u16 transport, payload; u32 len, seq; };
enum merge_kind {
	MERGE_OTHER,			/* no segment, or a broken one, or one that has to be put together first */
	MERGE_ALONE,			/* a segment that only counts by itself, and parts those before it from those behind */
	MERGE_DATA,			/* data, and nothing else */
};
/* merge_look - a frame of len bytes, of which run lie at frame (no further ones are looked at, nor any checksum but IPv4's).  *f is valid but for MERGE_OTHER.
 * merge_same_flow - between the same two ends?  merge_follows - b continues a, of the same flow, and says nothing else: both are MERGE_DATA. */
enum merge_kind merge_look(const u8 *frame, u32 run, u32 len, struct merge_frame *f);
bool merge_same_flow(const u8 *a, const struct merge_frame *fa, const u8 *b, const struct merge_frame *fb);
bool merge_follows(const u8 *a, const struct merge_frame *fa, const u8 *b, const struct merge_frame *fb);

/* What is noted in a packet that came through merge_packets(), in its area, behind what pbufs take of it (buffer.c). */
struct merge_note {
	struct packet *next;		/* the segment that continues it, or NULL */
	u32 behind;			/* bytes of data in all that follow */
	u16 segments;			/* on the wire, of all of them; 1 where it is not TCP */
	u16 transport, payload;		/* as in struct merge_frame; of the first, and equal in all */
};
#define MERGE_NOTE_WORDS (sizeof(struct merge_note) / sizeof(u64))
static inline struct merge_note *merge_note(struct packet *p)
{
	return (struct merge_note *)(p->area + ARRAY_SIZE(p->area) - MERGE_NOTE_WORDS);
}

/* merge_packets - packets of one device, in the order in which they came: those that continue another leave the list and hang behind that one
 * (merge_note).  join: false: they only get their notes.  Headers stay as they are.
 * merge_split - the packet behind p, which stands alone from then on.  merge_put - p and all behind it.
 * merge_seal - the headers of the first say what all of them have: one segment.  Its TCP checksum is no longer right.
 * Context: any; the caller alone has the packets. */
void merge_packets(struct list_head *packets, bool join);
struct packet *merge_split(struct packet *p);
void merge_put(struct packet *p);
void merge_seal(struct packet *p);
