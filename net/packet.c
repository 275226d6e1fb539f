/* Packets: see net/packet.h. */
#include <kernel/lib/string.h>
#include <linux/virtio_net.h>
#include <mm/slab.h>
#include <net/checksum.h>
#include <net/packet.h>

static void free_own(struct packet *p) { kfree(p); }

struct packet *packet_alloc(u32 room)
{
	struct packet *p = kmalloc(sizeof(*p) + room, GFP_ATOMIC);

	if (p) {
		packet_init(p, free_own, NULL);
		packet_add(p, p + 1, 0);
	}
	return p;
}

void packet_put(struct packet *p)
{
	if (refcount_dec_and_test(&p->refs))
		p->free(p);
}

void packet_list_put(struct list_head *packets)
{
	while (!list_empty(packets)) {
		struct packet *p = list_first_entry(packets, struct packet, link);

		list_del(&p->link);
		packet_put(p);
	}
}

u32 packet_copy(const struct packet *p, u32 off, void *to, u32 len)
{
	u32 done = 0;

	for (u32 i = 0; i < p->nr_pieces && done < len; i++) {
		const struct packet_piece *piece = &p->piece[i];
		u32 n;

		if (off >= piece->len) {
			off -= piece->len;
			continue;
		}
		n = min(piece->len - off, len - done);
		memcpy((u8 *)to + done, (const u8 *)piece->data + off, n);
		done += n;
		off = 0;
	}
	return done;
}

const void *packet_header(const struct packet *p, u32 off, u32 len, void *buf)
{
	if (likely(p->nr_pieces && off <= p->piece[0].len && len <= p->piece[0].len - off))
		return (const u8 *)p->piece[0].data + off;
	return packet_copy(p, off, buf, len) == len ? buf : NULL;
}

void packet_trim(struct packet *p, u32 len)
{
	u32 left = len;

	for (u32 i = 0; i < p->nr_pieces; i++) {
		p->piece[i].len = min(p->piece[i].len, left);
		left -= p->piece[i].len;
	}
	p->len = len - left;
}

/* --- the Internet checksum over pieces that may have odd lengths (RFC 1071) */

/* A piece that begins at an odd place counts with its bytes swapped. */
u16 packet_sum_from(const struct packet *p, u32 off)
{
	u64 sum = 0;
	bool odd = false;

	for (u32 i = 0; i < p->nr_pieces; i++) {
		const struct packet_piece *piece = &p->piece[i];
		u16 part;

		if (off >= piece->len) {
			off -= piece->len;
			continue;
		}
		part = checksum((const u8 *)piece->data + off, piece->len - off);
		sum += odd ? __builtin_bswap16(part) : part;
		odd ^= (piece->len - off) & 1;
		off = 0;
	}
	return checksum_fold(sum);
}

static u8 *byte_at(const struct packet *p, u32 off)
{
	u32 i = 0;

	for (; off >= p->piece[i].len; i++)
		off -= p->piece[i].len;
	return (u8 *)p->piece[i].data + off;
}

bool packet_set_offloads(struct packet *p, const struct virtio_net_hdr *h)
{
	u8 kind = h->gso_type & (u8)~VIRTIO_NET_HDR_GSO_ECN;

	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((u32)h->csum_start + h->csum_offset + 2 > p->len)
			return false;
		p->checksum = PACKET_SUM_PARTIAL;
		p->csum_start = h->csum_start;
		p->csum_offset = h->csum_offset;
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if ((kind != VIRTIO_NET_HDR_GSO_TCPV4 && kind != VIRTIO_NET_HDR_GSO_TCPV6 && kind != VIRTIO_NET_HDR_GSO_UDP) || !h->gso_size)
		return false;
	p->gso_type = h->gso_type;
	p->gso_size = h->gso_size;
	p->gso_header = h->hdr_len;
	return true;
}

bool packet_sum(struct packet *p)
{
	u32 at = (u32)p->csum_start + p->csum_offset;
	u16 sum;

	if (p->checksum != PACKET_SUM_PARTIAL)
		return true;
	if (at + 2 > p->len || p->csum_start > p->len)
		return false;
	sum = (u16)~packet_sum_from(p, p->csum_start);
	if (!sum)
		sum = 0xffff;	/* UDP: 0 means that there is none; for others the two are the same */
	*byte_at(p, at) = (u8)sum;
	*byte_at(p, at + 1) = (u8)(sum >> 8);
	p->checksum = PACKET_SUM_NONE;
	return true;
}
