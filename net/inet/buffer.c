/* Packets as pbufs, and pbufs as packets.
 *
 * In.  Each piece of a packet gets a custom pbuf whose payload is the piece.  Those of the first two pieces lie in the packet itself
 * (area), the rest come from a slab.  Each pbuf holds a reference on the packet, so that a chain may be cut anywhere.
 *
 * Out.  Of a chain only what lies in chunks (PBUF_ROM: nobody else makes any) is referenced; the rest is headers, and copied into the
 * packet's own room: then lwIP may write its next headers into its own pbuf, and send it again, while a device still reads.  What has more
 * runs of bytes than a packet has pieces is copied whole.  Its owner is the datagram socket whose SO_SNDBUF it counts against, or nobody. */
#include <lwip/pbuf.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <net/inet/buffer.h>
#include <net/inet/chunk.h>
#include <net/inet/dgram.h>
#include <net/inet/merge.h>

struct rx_pbuf {
	struct pbuf_custom custom;
	struct packet *packet;
};

#define IN_AREA	((sizeof(((struct packet *)NULL)->area) - sizeof(struct merge_note)) / (sizeof(struct rx_pbuf)))

static struct slab_cache *rx_cache __ro_after_init;

static void rx_free(struct pbuf *b)
{
	struct rx_pbuf *r = container_of(b, struct rx_pbuf, custom.pbuf);
	struct packet *p = r->packet;

	if ((char *)r < (char *)p || (char *)r >= (char *)(p + 1))
		slab_free(rx_cache, r);
	packet_put(p);
}

struct packet *pbuf_packet(const struct pbuf *b)
{
	if (!(b->flags & PBUF_FLAG_IS_CUSTOM) || ((const struct pbuf_custom *)b)->custom_free_function != rx_free)
		return NULL;
	return container_of(b, struct rx_pbuf, custom.pbuf)->packet;
}

static struct pbuf *wrap(struct packet *p, u32 nth, void *data, u32 len, u32 total)
{
	struct rx_pbuf *r = nth < IN_AREA ? (struct rx_pbuf *)p->area + nth : slab_alloc(rx_cache, GFP_ATOMIC);

	if (!r)
		return NULL;
	r->custom.custom_free_function = rx_free;
	r->packet = p;
	pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &r->custom, data, (u16_t)len);
	r->custom.pbuf.tot_len = (u16_t)total;
	packet_get(p);
	return &r->custom.pbuf;
}

/* The pieces of p from off on, to the end of a chain of which *total bytes are still to come; that end, or NULL: no memory, and some of it is there. */
static struct pbuf **wrap_pieces(struct packet *p, u32 off, struct pbuf **link, u32 *total)
{
	u32 nth = 0;

	for (u32 i = 0; i < p->nr_pieces; i++) {
		struct packet_piece *piece = &p->piece[i];

		if (off >= piece->len) {
			off -= piece->len;
			continue;
		}
		*link = wrap(p, nth++, (u8 *)piece->data + off, piece->len - off, *total);
		if (!*link)
			return NULL;
		*total -= piece->len - off;
		off = 0;
		link = &(*link)->next;
	}
	return link;
}

struct pbuf *pbuf_from_packet(struct packet *p, u32 off)
{
	struct pbuf *first = NULL;
	u32 total = p->len - off;

	if (off < p->len && total <= 0xffff && !wrap_pieces(p, off, &first, &total) && first) {
		pbuf_free(first);
		first = NULL;
	}
	packet_put(p);		/* each pbuf has its own */
	return first;
}

struct pbuf *pbuf_from_merged(struct packet *p)
{
	struct pbuf *first = NULL, **link = &first;
	const struct merge_note *n = merge_note(p);
	u32 total = p->len + n->behind;

	for (struct packet *q = p; q; q = merge_note(q)->next) {
		link = wrap_pieces(q, q == p ? 0 : n->payload, link, &total);
		if (!link) {
			if (first)
				pbuf_free(first);
			return NULL;
		}
	}
	merge_put(p);
	return first;
}

struct pbuf *pbuf_duplicate(const struct pbuf *b)
{
	struct pbuf *copy = pbuf_alloc(PBUF_RAW, b->tot_len, PBUF_RAM);

	if (copy && pbuf_copy_partial(b, copy->payload, b->tot_len, 0) != b->tot_len) {
		pbuf_free(copy);
		return NULL;
	}
	return copy;
}

/* --- out */

static void free_copied(struct packet *p)
{
	if (p->owner)
		dgram_sent(p->owner, p->len);
	for (u32 i = 1; i < p->nr_pieces; i++)
		chunk_put(p->piece[i].data);
	kfree(p);
}

/* How many bytes are to be copied, and into how many pieces the rest falls. */
static u32 measure(const struct pbuf *b, u32 *nr_pieces)
{
	u32 copied = 0;

	*nr_pieces = 1;
	for (const struct pbuf *q = b; q; q = q->next) {
		if (q->type_internal == PBUF_ROM)
			*nr_pieces += q->len > 0;
		else if (*nr_pieces == 1)
			copied += q->len;
		else
			*nr_pieces = PACKET_PIECES + 1;		/* copied bytes behind referenced ones */
	}
	return copied;
}

struct packet *packet_from_pbuf(const struct pbuf *b, u32 headroom)
{
	u32 nr_pieces, copied = measure(b, &nr_pieces);
	bool whole = nr_pieces > PACKET_PIECES;
	struct packet *p = kmalloc(sizeof(*p) + headroom + (whole ? b->tot_len : copied), GFP_ATOMIC);
	u8 *to;

	if (!p)
		return NULL;
	to = (u8 *)(p + 1);
	packet_init(p, free_copied, NULL);
	packet_add(p, to, whole ? b->tot_len : copied);
	to += headroom;
	for (const struct pbuf *q = b; q; q = q->next) {
		if (whole || q->type_internal != PBUF_ROM) {
			memcpy(to, q->payload, q->len);
			to += q->len;
		} else if (q->len) {
			chunk_get(q->payload);
			packet_add(p, q->payload, q->len);
		}
	}
	return p;
}

void buffer_init(void)
{
	rx_cache = slab_cache_create("inet_pbuf", sizeof(struct rx_pbuf), 0, NULL);
}
