/* UDP and UDP-Lite: sending, and whom a datagram is for.
 *
 * UDP-Lite (RFC 3828, udplite(7)) has a protocol's number and ports of its own, and, where UDP has its length, how many bytes from the header on its
 * checksum covers.  That checksum is always there, and no device knows it: it is made and checked here. */
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/prot/udp.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <linux/in.h>
#include <mm/slab.h>
#include <net/checksum.h>
#include <net/inet/buffer.h>
#include <net/inet/chunk.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/reports.h>
#include <net/inet/route.h>

#define UDP_MOST	65507u
#define UDP6_MOST	65527u
#define SEGMENTS_MOST	64u	/* of UDP_SEGMENT, as on Linux */
#define COPY_MOST	2048u	/* what is larger goes into chunks */
#define QUOTED_MOST	1500u	/* no report has room for more */

/* The checksum of UDP-Lite over the first bytes of p, 0 where one that is right stands in it.  (lwIP's of a part is for less than 32 KiB.) */
static u16 lite_sum(struct pbuf *p, u32 covered, const ip_addr_t *from, const ip_addr_t *to)
{
	u64 sum = (u16)~ip_chksum_pseudo_partial(p, IP_PROTO_UDPLITE, p->tot_len, 0, from, to);
	bool odd = false;

	for (const struct pbuf *q = p; q && covered; q = q->next) {
		u32 n = min((u32)q->len, covered);
		u16 part = checksum(q->payload, n);

		sum += odd ? lwip_htons(part) : part;
		odd ^= n & 1;
		covered -= n;
	}
	return (u16)~checksum_fold(sum);
}

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

struct arrival { const ip_addr_t *from, *to; u16 sport, dport; u32 ifindex; bool many, lite, partial; u32 covered; };

static struct list_head *bucket_of(const struct arrival *a) { return port_bucket(a->lite ? &udplite_ports : &udp_ports, a->dport); }

/* How well o fits: 0 not at all. */
static u32 score(const struct inet_sock *o, const struct arrival *a)
{
	const struct dgramsock *d = container_of(o, struct dgramsock, i);
	u32 points = 1;

	if (o->lport != a->dport || socket_bound_elsewhere(&o->s, a->ifindex))
		return 0;
	if (!inet_takes(&o->local, a->to))
		return 0;
	points += !inet_address_is_any(&o->local) + (IP_GET_TYPE(&o->local) == IP_GET_TYPE(a->to));
	if (d->connected) {
		if (o->rport != a->sport || !ip_addr_cmp_zoneless(&o->remote, a->from))
			return 0;
		points += 4;
	}
	return points + (READ_ONCE(o->s.bound_device) != 0) * 4;
}

static struct dgramsock *find_one(const struct arrival *a)
{
	struct list_head *bucket = bucket_of(a);
	struct inet_sock *o, *best = NULL;
	u32 most = 0, equal = 0;

	if (!bucket)
		return NULL;
	list_for_each_entry(o, bucket, port_link) {
		u32 points = score(o, a);

		if (points > most) {
			most = points;
			best = o;
			equal = 1;
		} else if (points && points == most && socket_option(&o->s, SO_REUSEPORT) && socket_option(&best->s, SO_REUSEPORT)) {
			u32 h = hash_64((u64)ip_2_ip4(a->from)->addr << 16 | a->sport, 32);

			/* each of n has the same chance, and one sender always the same */
			equal++;
			if ((h ^ h << (equal & 15)) % equal == 0)
				best = o;
		}
	}
	return best ? container_of(best, struct dgramsock, i) : NULL;
}

/* Who has said how much must be covered does not get what is covered less. */
static void queue(struct dgramsock *d, struct pbuf *p, const struct arrival *a)
{
	u32 wanted = READ_ONCE(d->recv_coverage);

	if (unlikely(a->partial) && READ_ONCE(d->recv_covers) && (!wanted || a->covered < wanted)) {
		d->drops++;
		udplite_counts.in_errors++;
		pbuf_free(p);
		return;
	}
	dgram_queue(d, p, a->sport, a->from, a->to);
}

/* To all who want it: copies for all but the last. */
static void deliver_many(struct pbuf *p, const struct arrival *a)
{
	struct list_head *bucket = bucket_of(a);
	struct dgramsock *last = NULL;
	struct inet_sock *o;

	if (bucket)
		list_for_each_entry(o, bucket, port_link) {
			struct dgramsock *d = container_of(o, struct dgramsock, i);
			struct pbuf *copy;

			if (!score(o, a) || !dgram_member(d, a->to, a->from, a->ifindex))
				continue;
			copy = last ? pbuf_duplicate(p) : NULL;
			if (copy)
				queue(last, copy, a);
			last = d;
		}
	if (last)
		queue(last, p, a);
	else
		pbuf_free(p);
}

static bool sum_is_wrong(struct pbuf *p, const struct udp_hdr *h)
{
	if (!(ip_current_input_netif()->chksum_flags & NETIF_CHECKSUM_CHECK_UDP))
		return false;
	if (!h->chksum)
		return ip_current_is_v6();
	return ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, ip_current_src_addr(), ip_current_dest_addr()) != 0;
}

static void nobody(struct pbuf *p, u32 header, const struct arrival *a)
{
	udp_counts_of(a->lite)->no_ports++;
	if (!a->many) {
		pbuf_realloc(p, (u16_t)min((u32)p->tot_len, QUOTED_MOST));	/* so that the length of a long one can count the header, too */
		pbuf_header_force(p, (s16_t)header);
		icmp_no_port(p);
	}
	pbuf_free(p);
}

static bool lite_sum_is_wrong(struct pbuf *p, u32 covered)
{
	return lite_sum(p, covered, ip_current_src_addr(), ip_current_dest_addr()) != 0;
}

/* What the header says of length and checksum holds. */
static bool is_sound(struct pbuf *p, struct arrival *a, struct udp_counts *counts)
{
	const struct udp_hdr *h = p->payload;
	u16 len;

	if (p->len < UDP_HLEN)
		return false;
	len = lwip_ntohs(h->len);
	a->covered = a->lite && !len ? p->tot_len : len;
	if (a->covered < UDP_HLEN || a->covered > p->tot_len)
		return false;
	a->partial = a->lite && a->covered < p->tot_len;
	if (a->lite && !h->chksum)
		return false;
	if (!a->lite)
		pbuf_realloc(p, len);
	if (likely(a->lite ? !lite_sum_is_wrong(p, a->covered) : !sum_is_wrong(p, h)))
		return true;
	counts->csum_errors++;
	return false;
}

void udp_in(struct pbuf *p, u32 header, bool lite)
{
	struct arrival a = { .from = ip_current_src_addr(), .to = ip_current_dest_addr(), .lite = lite };
	struct udp_counts *counts = udp_counts_of(lite);
	const struct udp_hdr *h = p->payload;
	struct dgramsock *d;

	if (!is_sound(p, &a, counts)) {
		counts->in_errors++;
		pbuf_free(p);
		return;
	}
	a.sport = lwip_ntohs(h->src);
	a.dport = lwip_ntohs(h->dest);
	a.ifindex = interface_of(ip_current_input_netif())->dev->index;
	a.many = ip_addr_ismulticast(a.to) || ip_addr_isbroadcast(a.to, ip_current_netif());
	if (a.many) {
		counts->in++;
		deliver_many(p, &a);
		return;
	}
	d = find_one(&a);
	if (!d) {
		nobody(p, header, &a);
		return;
	}
	counts->in++;
	queue(d, p, &a);
}

bool udp_tap(struct pbuf *p, u32 header, bool lite)
{
	if (pbuf_remove_header(p, header)) {
		udp_counts_of(lite)->in_errors++;
		pbuf_free(p);
	} else {
		udp_in(p, header, lite);
	}
	return true;
}

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

/* The bytes of m, behind room for headers.  Small: in one pbuf.  Large: in chunks, which *chunk holds until the pbufs are freed. */
static int gather(struct message *m, size_t len, struct pbuf **out, void *chunk[], u32 *nr_chunks)
{
	bool small = len <= COPY_MOST;
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(UDP_HLEN + (small ? len : 0)), PBUF_RAM);

	*nr_chunks = 0;
	if (!p)
		return -ENOBUFS;
	if (small && copy_from_iter((u8 *)p->payload + UDP_HLEN, len, m->iter) != len) {
		pbuf_free(p);
		return -EFAULT;
	}
	while (!small && len) {
		u32 room, n;
		struct pbuf *q;
		void *c = chunk_alloc(len, &room);

		n = (u32)min(len, (size_t)room);
		q = c ? pbuf_alloc_reference(c, (u16_t)n, PBUF_ROM) : NULL;
		if (c)
			chunk[(*nr_chunks)++] = c;
		if (!q || copy_from_iter(c, n, m->iter) != n) {
			if (q)
				pbuf_free(q);
			pbuf_free(p);
			return q ? -EFAULT : -ENOBUFS;
		}
		pbuf_cat(p, q);
		len -= n;
	}
	*out = p;
	return 0;
}

/* How much d wants covered goes where UDP has the length. */
static void finish_lite(const struct dgramsock *d, struct pbuf *p, struct udp_hdr *h, const struct sending *to)
{
	u32 wanted = READ_ONCE(d->send_coverage);
	bool given = READ_ONCE(d->send_covers) && wanted < p->tot_len;

	h->len = lwip_htons((u16)(given ? wanted : p->tot_len));
	h->chksum = lite_sum(p, given && wanted ? wanted : p->tot_len, &to->from, &to->to);
	if (!h->chksum)
		h->chksum = 0xffff;
}

static int output(struct dgramsock *d, struct pbuf *p, struct sending *to)
{
	struct udp_hdr *h = p->payload;
	struct route_answer a;
	u32 mtu, whole = p->tot_len + (IP_IS_V6(&to->to) ? IP6_HLEN : IP_HLEN);
	int err = dgram_route(d, to, &a);
	bool cut;

	if (err)
		return err;
	mtu = dgram_mtu(d, &to->to, &a, &cut);
	h->src = lwip_htons(d->i.lport);
	h->dest = lwip_htons(to->port);
	h->len = lwip_htons(p->tot_len);
	h->chksum = 0;
	/* Left to the device, unless it will not see the datagram whole. */
	if (dgram_is_lite(d)) {
		finish_lite(d, p, h, to);
	} else if (!socket_option(&d->i.s, SO_NO_CHECK) && ((a.i->n.chksum_flags & NETIF_CHECKSUM_GEN_UDP) || (whole > mtu && !interface_is_loopback(a.i)))) {
		h->chksum = ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, &to->from, &to->to);
		if (!h->chksum)
			h->chksum = 0xffff;
	}
	udp_counts_of(dgram_is_lite(d))->out++;
	return dgram_output(d, p, to, (u8)d->i.s.protocol, &a);
}

/* --- bytes that wait for the rest: MSG_MORE, UDP_CORK ------------------------------------------------------------------------------- */

/* Under tx_lock. */
static int add_corked(struct dgramsock *d, struct message *m, size_t len, const struct sending *to)
{
	u8 *more = krealloc(d->corked, d->corked_len + len + 1, GFP_KERNEL);

	if (!more)
		return -ENOBUFS;
	if (!d->corked)
		d->corked_to = *to;
	d->corked = more;
	if (copy_from_iter(more + d->corked_len, len, m->iter) != len)
		return -EFAULT;
	d->corked_len += (u32)len;
	return 0;
}

static ssize_t send_now(struct dgramsock *d, struct message *m, struct sending *to);

static u32 most(const struct sending *to) { return IP_IS_V6(&to->to) ? UDP6_MOST : UDP_MOST; }

/* All that waits, as one datagram to where its first part went. */
int udpsock_push(struct dgramsock *d)
{
	struct iov_seg seg;
	struct iov_iter it;
	struct message all = { .iter = &it };
	struct sending to;
	ssize_t n;
	u8 *bytes;

	mutex_lock(&d->tx_lock);
	bytes = d->corked;
	to = d->corked_to;
	iov_iter_kernel(&it, &seg, bytes, d->corked_len);
	d->corked = NULL;
	d->corked_len = 0;
	mutex_unlock(&d->tx_lock);
	if (!bytes)
		return 0;
	n = send_now(d, &all, &to);
	kfree(bytes);
	return n < 0 ? (int)n : 0;
}

static ssize_t send_corked(struct dgramsock *d, struct message *m, const struct sending *to, size_t len)
{
	int err;

	mutex_lock(&d->tx_lock);
	if (d->corked_len + len > most(to))
		err = -EMSGSIZE;
	else
		err = add_corked(d, m, len, to);
	mutex_unlock(&d->tx_lock);
	if (!err && !(m->flags & MSG_MORE) && !d->cork)
		err = udpsock_push(d);
	return err ? err : (ssize_t)len;
}

/* --- sending ----------------------------------------------------------------------------------------------------------------------- */

static int send_one(struct dgramsock *d, struct message *m, size_t len, const struct sending *where)
{
	struct sending to = *where;
	void *chunk[UDP6_MOST / PAGE_SIZE + 2];
	u32 nr_chunks = 0;
	struct pbuf *p = NULL;
	int err = gather(m, len, &p, chunk, &nr_chunks);

	if (!err) {
		net_core_lock();
		err = output(d, p, &to);
		net_core_unlock();
		pbuf_free(p);
	}
	while (nr_chunks)
		chunk_put(chunk[--nr_chunks]);
	return err;
}

/* UDP_SEGMENT: one call, many datagrams; each must fit on the way. */
static ssize_t send_segments(struct dgramsock *d, struct message *m, size_t len, const struct sending *where)
{
	u32 header = UDP_HLEN + (IP_IS_V6(&where->to) ? IP6_HLEN : IP_HLEN), size = where->segment, mtu;
	struct sending to = *where;
	struct route_answer a;
	size_t left = len;
	bool cut;
	int err;

	if (len > (size_t)size * SEGMENTS_MOST || socket_option(&d->i.s, SO_NO_CHECK))
		return -EINVAL;
	net_core_lock();
	err = dgram_route(d, &to, &a);
	mtu = err ? 0 : dgram_mtu(d, &to.to, &a, &cut);
	net_core_unlock();
	if (err || size + header > mtu)
		return err ? err : -EINVAL;
	while (left && !err) {
		size_t n = min(left, (size_t)size);

		err = send_one(d, m, n, where);
		left -= err ? 0 : n;
	}
	return left < len ? (ssize_t)len : err;
}

static ssize_t send_now(struct dgramsock *d, struct message *m, struct sending *to)
{
	size_t len = m->iter->count;
	int err;

	if (len > most(to))
		return -EMSGSIZE;
	if (to->segment && dgram_is_lite(d))
		return -EIO;
	if (to->segment && len > to->segment)
		return send_segments(d, m, len, to);
	err = send_one(d, m, len, to);
	return err ? err : (ssize_t)len;
}

ssize_t udpsock_send(struct dgramsock *d, struct message *m, const struct sending *where)
{
	size_t len = m->iter->count;
	struct sending to = *where;
	ssize_t n;

	if (len > 0xffff)
		return -EMSGSIZE;
	if (!to.segment)
		to.segment = d->segment;
	if ((m->flags & MSG_MORE) || d->cork || READ_ONCE(d->corked))
		return send_corked(d, m, &to, len);
	n = send_now(d, m, &to);
	if (n >= 0 && (m->flags & MSG_ZEROCOPY) && socket_option(&d->i.s, SO_ZEROCOPY))
		report_zerocopy(&d->i);
	return n;
}
