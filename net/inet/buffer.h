/* Packets as pbufs, and pbufs as packets: bytes stay where they are. */
#pragma once
#include <lwip/pbuf.h>
#include <net/packet.h>

/* pbuf_from_packet - a chain over the bytes of p from off on.  Takes over the caller's reference; on NULL (no memory, or nothing there, or more
 * than 65535) it is put. */
struct pbuf *pbuf_from_packet(struct packet *p, u32 off);
/* pbuf_from_merged - a chain over p, and over the data of those that hang behind it (merge.h).  NULL: no memory, and nothing has happened. */
struct pbuf *pbuf_from_merged(struct packet *p);
/* pbuf_packet - the packet under the first of a chain, or NULL: it has been copied. */
struct packet *pbuf_packet(const struct pbuf *b);
/* pbuf_duplicate - the chain's bytes in one run of their own; NULL: no memory.  (lwIP's pbuf_clone() takes a chain that ends in a piece without bytes,
 * as fragments without any make, for two packets.) */
struct pbuf *pbuf_duplicate(const struct pbuf *b);
/* packet_from_pbuf - a packet of the chain's bytes: those in chunks are referenced, all others (headers) copied.  headroom: bytes left free in
 * front, at piece[0].data, not counted in any length.  NULL: no memory.  The chain stays the caller's.  Context: any. */
struct packet *packet_from_pbuf(const struct pbuf *b, u32 headroom);
void buffer_init(void);
