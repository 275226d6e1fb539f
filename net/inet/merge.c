/* Received segments, joined: what is called GRO elsewhere.
 *
 * Theory.  A stream comes in segments of a wire's size, and most of what one costs the engine is the same for any size: the way through IP, finding the
 * connection, the window's arithmetic, waking the reader, an acknowledgement for each second one.  So of one batch that a device's thread brings, those
 * segments that say nothing but "here is what comes next" are hung behind the one that they continue, and enter the engine as one segment.
 *
 * What is joined.  IPv4 without options, no fragments, or IPv6 without extension headers; the same link header, ends, traffic class, hop limit and DF; of TCP
 * the same acknowledgement, window and options, no flags but ACK and PSH, data in both, numbers that touch.  Time stamps may differ if neither
 * goes back.  Checksums are right: the device says so, or they are added up here, without the core lock.  Together they are at most what a packet's length
 * can say.  PSH of any is PSH of all.  Anything else of that flow (an end, a reset, urgent data, an acknowledgement alone, what the device has joined
 * already) stays alone, and what comes behind it is not joined to what came before it: a flow keeps its order.  Between flows there is none.
 *
 * When.  The batch's end is the end: nothing is held back in hope of more, so nothing waits.  A batch of one packet is not even looked at.
 *
 * Where not.  Packet sockets have seen the batch before (netdev_receive): they see what was on the wire.  Whether a connection wants its segments joined is
 * known only under the core lock: interface_in.c asks tcp_takes_merged() and takes them apart again where each counts by itself: with a hole before them
 * (each is answered by an acknowledgement, of which the other side counts three), beyond the window, near urgent data, with a filter.  Therefore
 * headers stay untouched until merge_seal().
 *
 * Acknowledgements.  A merged segment is answered at once (tcp_hook_segment): it is two or more.  Counts of segments in /proc/net count the wire's.
 *
 * Rejected: to join across batches, with a timer (delay, and the batch is as large as the load demands); to look at the checksum after joining (one
 * damaged segment would take all down with it). */
#include <kernel/lib/string.h>
#include <linux/if_ether.h>
#include <net/checksum.h>
#include <net/inet/merge.h>

#define FLOWS		8u		/* of one batch, at a time */
#define TOTAL_MAX	65535u		/* bytes of a frame */

#define IP4		ETH_HLEN
#define IP4_LEN		20u
#define IP6_LEN		40u
#define TCP_LEN		20u
#define PROTO_TCP	6u
#define FLAGS_ACK	0x10u
#define FLAGS_PSH	0x08u
#define STAMPS_LEN	12u
#define STAMPS_HEAD	0x0101080au	/* two NOPs, kind, length: as everybody sends them */

struct unaligned64 { u64 v; } __packed __attribute__((may_alias));
struct unaligned32 { u32 v; } __packed __attribute__((may_alias));
struct unaligned16 { u16 v; } __packed __attribute__((may_alias));

/* As they lie there, and as numbers. */
static inline u64 raw64(const u8 *p) { return ((const struct unaligned64 *)p)->v; }
static inline u32 raw32(const u8 *p) { return ((const struct unaligned32 *)p)->v; }
static inline u16 raw16(const u8 *p) { return ((const struct unaligned16 *)p)->v; }
static inline u32 get32(const u8 *p) { return __builtin_bswap32(raw32(p)); }
static inline u16 get16(const u8 *p) { return __builtin_bswap16(raw16(p)); }
static inline void put16(u8 *p, u32 v) { ((struct unaligned16 *)p)->v = __builtin_bswap16((u16)v); }

static inline bool is_ip4(const u8 *frame) { return raw16(frame + 12) == __builtin_bswap16(ETH_P_IP); }

/* --- one segment, two segments ------------------------------------------------------------------------------------------------------ */

/* Where its TCP header begins, and the datagram's end; 0: no segment. */
static u32 look_at_ip(const u8 *frame, u32 run, u32 *end)
{
	const u8 *ip = frame + ETH_HLEN;

	if (run >= ETH_HLEN + IP4_LEN + TCP_LEN && is_ip4(frame)) {
		*end = ETH_HLEN + get16(ip + 2);
		if (ip[0] != 0x45 || ip[9] != PROTO_TCP || (get16(ip + 6) & 0x3fff))
			return 0;
		return checksum_fold((raw64(ip) >> 32) + (u32)raw64(ip) + (raw64(ip + 8) >> 32) + (u32)raw64(ip + 8) + raw32(ip + 16)) == 0xffff ?
		       ETH_HLEN + IP4_LEN : 0;
	}
	if (run >= ETH_HLEN + IP6_LEN + TCP_LEN && raw16(frame + 12) == __builtin_bswap16(ETH_P_IPV6)) {
		*end = ETH_HLEN + IP6_LEN + get16(ip + 4);
		return ip[0] >> 4 == 6 && ip[6] == PROTO_TCP ? ETH_HLEN + IP6_LEN : 0;
	}
	return 0;
}

enum merge_kind merge_look(const u8 *frame, u32 run, u32 len, struct merge_frame *f)
{
	u32 end = 0, at = look_at_ip(frame, run, &end), header;
	const u8 *tcp = frame + at;

	if (!at || (frame[0] & 1) || end > len)
		return MERGE_OTHER;
	header = (tcp[12] >> 4) * 4u;
	if (header < TCP_LEN || at + header > run || at + header > end)
		return MERGE_OTHER;
	f->transport = (u16)at;
	f->payload = (u16)(at + header);
	f->len = end - at - header;
	f->seq = get32(tcp + 4);
	/* Shorter than the frame: padding would end up in the stream. */
	return f->len && end == len && !(tcp[12] & 15) && (tcp[13] & ~FLAGS_PSH) == FLAGS_ACK ? MERGE_DATA : MERGE_ALONE;
}

bool merge_same_flow(const u8 *a, const struct merge_frame *fa, const u8 *b, const struct merge_frame *fb)
{
	if (raw32(a + fa->transport) != raw32(b + fb->transport) || fa->transport != fb->transport)
		return false;
	return is_ip4(a) ? raw64(a + IP4 + 12) == raw64(b + IP4 + 12) : !memcmp(a + ETH_HLEN + 8, b + ETH_HLEN + 8, 32);
}

static bool same_options(const u8 *a, const u8 *b, u32 len)
{
	if (len == STAMPS_LEN && get32(a) == STAMPS_HEAD && get32(b) == STAMPS_HEAD)
		return (s32)(get32(b + 4) - get32(a + 4)) >= 0 && (s32)(get32(b + 8) - get32(a + 8)) >= 0;
	return !len || !memcmp(a, b, len);
}

bool merge_follows(const u8 *a, const struct merge_frame *fa, const u8 *b, const struct merge_frame *fb)
{
	const u8 *ipa = a + ETH_HLEN, *ipb = b + ETH_HLEN, *ta = a + fa->transport, *tb = b + fb->transport;

	if (fb->seq != fa->seq + fa->len || fa->payload != fb->payload || raw32(ta + 8) != raw32(tb + 8) || raw16(ta + 14) != raw16(tb + 14))
		return false;
	/* The link header's fourteen bytes, of which two are seen twice. */
	if (raw64(a) != raw64(b) || raw64(a + 6) != raw64(b + 6))
		return false;
	if (is_ip4(a) ? ipa[1] != ipb[1] || ipa[8] != ipb[8] || raw16(ipa + 6) != raw16(ipb + 6) : raw32(ipa) != raw32(ipb) || ipa[7] != ipb[7])
		return false;
	return same_options(ta + TCP_LEN, tb + TCP_LEN, fa->payload - fa->transport - TCP_LEN);
}

/* --- a batch ------------------------------------------------------------------------------------------------------------------------ */

/* A flow's segments so far: the first packet, the last, and what the last one's headers say. */
struct held { struct packet *first, *last; struct merge_frame frame; };
struct holds { struct held flow[FLOWS]; u32 nr, next; };

static const u8 *bytes_of(const struct packet *p) { return p->piece[0].data; }

static struct held *find(struct holds *h, const u8 *frame, const struct merge_frame *f)
{
	for (u32 k = 0; k < h->nr; k++)
		if (h->flow[k].first && merge_same_flow(bytes_of(h->flow[k].last), &h->flow[k].frame, frame, f))
			return &h->flow[k];
	return NULL;
}

/* Room for another flow; the one that was begun first gives way. */
static struct held *begin(struct holds *h)
{
	if (h->nr < FLOWS)
		return &h->flow[h->nr++];
	h->next = (h->next + 1) % FLOWS;
	return &h->flow[h->next];
}

/* Is the TCP checksum right?  What is found out is noted. */
static bool is_sound(struct packet *p, const struct merge_frame *f)
{
	const u8 *ip = bytes_of(p) + ETH_HLEN;
	u64 sum;

	if (p->checksum != PACKET_SUM_NONE)
		return true;
	sum = f->transport == ETH_HLEN + IP4_LEN ? checksum_add(0, ip + 12, 8) : checksum_add(0, ip + 8, 32);
	sum = (sum & 0xffffffff) + (sum >> 32) + __builtin_bswap16(PROTO_TCP) + __builtin_bswap16((u16)(p->len - f->transport));
	if (checksum_fold(sum + packet_sum_from(p, f->transport)) != 0xffff)
		return false;		/* the engine will see for itself, and count it */
	p->checksum = PACKET_SUM_GOOD;
	return true;
}

static void note_alone(struct packet *p)
{
	struct merge_note *n = merge_note(p);

	n->next = NULL;
	n->behind = 0;
	n->segments = 1;
}

static void join(struct held *h, struct packet *p, const struct merge_frame *f)
{
	struct merge_note *n = merge_note(h->first);

	list_del(&p->link);
	merge_note(h->last)->next = p;
	n->behind += f->len;
	n->segments++;
	h->last = p;
	h->frame = *f;
}

static void look_at(struct holds *h, struct packet *p)
{
	const u8 *frame = bytes_of(p);
	struct merge_note *n = merge_note(p);
	struct merge_frame f;
	enum merge_kind kind = merge_look(frame, p->piece[0].len, p->len, &f);
	struct held *flow;

	if (kind == MERGE_OTHER)
		return;
	n->transport = f.transport;
	n->payload = f.payload;
	if (p->gso_size && f.len)
		n->segments = (u16)((f.len + p->gso_size - 1) / p->gso_size);
	flow = find(h, frame, &f);
	if (kind == MERGE_ALONE || p->gso_size || !is_sound(p, &f)) {
		if (flow)
			flow->first = NULL;
		return;
	}
	if (flow && flow->first->len + merge_note(flow->first)->behind + f.len <= TOTAL_MAX &&
	    merge_follows(bytes_of(flow->last), &flow->frame, frame, &f)) {
		join(flow, p, &f);
		return;
	}
	flow = flow ? flow : begin(h);
	*flow = (struct held){ .first = p, .last = p, .frame = f };
}

void merge_packets(struct list_head *packets, bool join)
{
	bool several = packets->next != packets->prev;
	struct packet *p, *next;
	struct holds h;

	h.nr = h.next = 0;
	list_for_each_entry_safe(p, next, packets, link) {
		note_alone(p);
		if (join && (several || p->gso_size))
			look_at(&h, p);
	}
}

struct packet *merge_split(struct packet *p)
{
	struct packet *next = merge_note(p)->next;

	note_alone(p);
	return next;
}

void merge_put(struct packet *p)
{
	while (p) {
		struct packet *next = merge_note(p)->next;

		packet_put(p);
		p = next;
	}
}

void merge_seal(struct packet *p)
{
	struct merge_note *n = merge_note(p);
	u8 *frame = p->piece[0].data, *ip = frame + ETH_HLEN, push = 0;

	for (const struct packet *q = n->next; q; q = merge_note((struct packet *)q)->next)
		push |= bytes_of(q)[n->transport + 13];
	frame[n->transport + 13] |= push & FLAGS_PSH;
	if (is_ip4(frame)) {
		u16 was = get16(ip + 2);
		u32 sum = (u16)~get16(ip + 10) + (u16)~was + was + n->behind;		/* RFC 1624 */

		sum = (sum & 0xffff) + (sum >> 16);
		put16(ip + 2, was + n->behind);
		put16(ip + 10, (u16)~(sum + (sum >> 16)));
	} else {
		put16(ip + 4, get16(ip + 4) + n->behind);
	}
}
