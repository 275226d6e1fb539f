/* A packet on its way between a device and those who make or take it.
 *
 * One structure for both ways.  Its bytes lie in pieces of the linear map, each owned by somebody: the device's receive buffers, a program's
 * bytes copied once, lwIP's headers.  A packet is referenced; the last packet_put() calls free(), which gives the pieces back to their owner.
 * Bytes are never moved: receivers wrap the pieces (net/inet makes pbufs of them), devices make a list of buffers of them.
 *
 * Offloads are told as virtio-net tells them (virtio 1.2, 5.1.6): csum_start and csum_offset where a checksum is still to be filled in,
 * gso_* where a device or a receiver has to do with a packet larger than the wire's. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/refcount.h>
#include <kernel/lib/types.h>

struct netdev;
struct virtio_net_hdr;

#define PACKET_PIECES	19		/* 64 KiB of pages that begin anywhere, and headers */

struct packet_piece { void *data; u32 len; };

enum packet_checksum {
	PACKET_SUM_NONE,		/* nobody looked at it: received, verify; sent, complete already */
	PACKET_SUM_GOOD,		/* received: the device did */
	PACKET_SUM_PARTIAL,		/* the pseudo-header's sum is in place; the rest is to be added over csum_start to the end */
};

struct packet {
	struct list_head link;		/* of whoever has it */
	struct refcount refs;
	u32 len;			/* of all pieces: from the link header on */
	struct netdev *dev;		/* came in by, or goes out by */
	void (*free)(struct packet *p);	/* after the last reference.  Context: thread, does not sleep, maybe under the core's lock; no spin lock held */
	void *owner;			/* free()'s */
	u64 stamp_ns;			/* realtime clock; 0: nobody wanted to know */
	u16 csum_start, csum_offset;
	u16 gso_size, gso_header;	/* 0: one packet.  Payload of each, length of the headers */
	u8 gso_type;			/* VIRTIO_NET_HDR_GSO_* */
	u8 checksum;			/* enum packet_checksum */
	u8 outgoing;			/* seen by packet sockets on its way out */
	u8 nr_pieces;
	struct packet_piece piece[PACKET_PIECES];
	u64 area[16];			/* for whoever has it now (virtio-net's header, the pbufs around the pieces) */
};

/* packet_init - of uninitialised memory: one reference, no pieces, nothing offloaded; free and owner are set by who calls. */
static inline void packet_init(struct packet *p, void (*free)(struct packet *p), void *owner)
{
	refcount_set(&p->refs, 1);
	p->len = 0;
	p->dev = NULL;
	p->free = free;
	p->owner = owner;
	p->stamp_ns = 0;
	p->csum_start = p->csum_offset = p->gso_size = p->gso_header = 0;
	p->gso_type = p->checksum = p->outgoing = p->nr_pieces = 0;
}
/* packet_add - bytes behind the last.  The caller knows that there are pieces left. */
static inline void packet_add(struct packet *p, void *data, u32 len)
{
	p->piece[p->nr_pieces++] = (struct packet_piece){ data, len };
	p->len += len;
}

/* packet_alloc - room bytes in one piece of its own, piece[0], its length and that of the packet still 0: the caller fills it and sets
 * both (packet_set_len).  NULL: no memory.  Context: any (never sleeps). */
struct packet *packet_alloc(u32 room);
static inline void packet_set_len(struct packet *p, u32 len) { p->len = p->piece[0].len = len; }
static inline void packet_get(struct packet *p) { refcount_inc(&p->refs); }
void packet_put(struct packet *p);
/* packet_copy - len bytes from off into to: how many there were.  packet_header - off..off+len in one run: where they lie, or copied into buf;
 * NULL: the packet is shorter. */
u32 packet_copy(const struct packet *p, u32 off, void *to, u32 len);
const void *packet_header(const struct packet *p, u32 off, u32 len, void *buf);
/* packet_trim - len bytes are left; at most p->len. */
void packet_trim(struct packet *p, u32 len);
/* packet_set_offloads - p is as a virtio header says whose bytes it has: checksum, segments.  False: nonsense (a checksum outside, an unknown kind of
 * segments, or of no size).  That its checksum is known to be good (DATA_VALID) is for the caller to believe. */
bool packet_set_offloads(struct packet *p, const struct virtio_net_hdr *h);
/* packet_sum - what PACKET_SUM_PARTIAL leaves to be done, done: p is PACKET_SUM_NONE.  False: csum_start lies outside, drop it. */
bool packet_sum(struct packet *p);
/* packet_sum_from - the Internet checksum of the bytes from off on (checksum.h), not inverted, off being an even place. */
u16 packet_sum_from(const struct packet *p, u32 off);
/* packet_list_put - all of a list; it is empty then. */
void packet_list_put(struct list_head *packets);
