/* Raw and ping sockets. */
#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/icmp6.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/inet/buffer.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/route.h>

#define ECHO4		8u
#define ECHO6		128u
#define MOST4		65515u	/* behind the IP header */
#define MOST6		65535u

/* --- in ---------------------------------------------------------------------------------------------------------------------------- */

static bool unwanted(const struct dgramsock *d, const struct pbuf *p, u32 header, u8 proto, bool six)
{
	u8 type;

	if (p->len <= header)
		return false;
	type = ((const u8 *)p->payload)[header];
	if (proto == IPPROTO_ICMP && !six)
		return type < 32 && (d->icmp_filter >> type & 1);
	if (proto == IPPROTO_ICMPV6 && six)
		return d->icmp6_filter[type / 32] >> (type % 32) & 1;
	return false;
}

void raw_fan_out(const struct pbuf *p, u32 header, u8 proto, bool six)
{
	struct list_head *bucket = port_bucket(&raw_ports, proto);
	u32 ifindex = interface_of(ip_current_input_netif())->dev->index;
	struct inet_sock *o;

	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		struct dgramsock *d = container_of(o, struct dgramsock, i);
		struct pbuf *copy;

		if (o->lport != proto || (o->s.family == AF_INET6) != six)
			continue;
		if (!inet_address_is_any(&o->local) && !ip_addr_cmp_zoneless(&o->local, ip_current_dest_addr()))
			continue;
		if (d->connected && !ip_addr_cmp_zoneless(&o->remote, ip_current_src_addr()))
			continue;
		if (socket_bound_elsewhere(&o->s, ifindex) || !dgram_member(d, ip_current_dest_addr(), ip_current_src_addr(), ifindex))
			continue;
		if (unwanted(d, p, header, proto, six))
			continue;
		copy = pbuf_duplicate(p);
		if (!copy)
			continue;
		if (six)
			pbuf_remove_header(copy, header);
		dgram_queue(d, copy, 0, ip_current_src_addr(), ip_current_dest_addr());
	}
}

void ping_reply(const struct pbuf *p, u32 header, u16 id)
{
	struct list_head *bucket = port_bucket(&ping_ports, id);
	struct inet_sock *o;

	if (!bucket)
		return;
	list_for_each_entry(o, bucket, port_link) {
		struct pbuf *copy;

		if (o->lport != id || !inet_takes(&o->local, ip_current_dest_addr()) || (o->s.family == AF_INET6) != ip_current_is_v6())
			continue;
		copy = pbuf_duplicate(p);
		if (!copy)
			return;
		pbuf_remove_header(copy, header);
		dgram_queue(container_of(o, struct dgramsock, i), copy, 0, ip_current_src_addr(), ip_current_dest_addr());
		return;
	}
}

/* --- out --------------------------------------------------------------------------------------------------------------------------- */

static int gather(struct message *m, size_t len, struct pbuf **out)
{
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)len, PBUF_RAM);

	if (!p)
		return -ENOBUFS;
	if (copy_from_iter(p->payload, len, m->iter) != len) {
		pbuf_free(p);
		return -EFAULT;
	}
	*out = p;
	return 0;
}

/* The program has made the whole packet; what it left zero is filled in. */
static int output_whole(struct dgramsock *d, struct pbuf *p, struct sending *to, const struct route_answer *a)
{
	struct ip_hdr *ip = p->payload;

	(void)d;
	if (p->tot_len < IP_HLEN || IPH_HL_BYTES(ip) > p->tot_len)
		return -EINVAL;
	if (!ip->src.addr)
		ip->src.addr = ip_2_ip4(&to->from)->addr;
	IPH_LEN_SET(ip, lwip_htons(p->tot_len));
	IPH_CHKSUM_SET(ip, 0);
	IPH_CHKSUM_SET(ip, inet_chksum(ip, IPH_HL_BYTES(ip)));
	if (p->tot_len > a->i->n.mtu)
		return -EMSGSIZE;
	return inet_error(ip4_output_if(p, NULL, LWIP_IP_HDRINCL, 0, 0, 0, &a->i->n));
}

/* Where IPv6's checksum is to be put: always ICMPv6's, else as IPV6_CHECKSUM said. */
static int fill_sum6(const struct dgramsock *d, struct pbuf *p, const struct sending *to)
{
	u8 proto = (u8)d->i.s.protocol;
	s32 at = proto == IPPROTO_ICMPV6 ? 2 : d->i.opt.checksum_at;
	u16 sum;

	if (at < 0)
		return 0;
	if ((u32)at + 2 > p->tot_len)
		return -EINVAL;
	memset((u8 *)p->payload + at, 0, 2);
	sum = ip_chksum_pseudo(p, proto, p->tot_len, &to->from, &to->to);
	memcpy((u8 *)p->payload + at, &sum, 2);
	return 0;
}

ssize_t rawsock_send(struct dgramsock *d, struct message *m, const struct sending *where)
{
	size_t len = m->iter->count;
	struct sending to = *where;
	struct route_answer a;
	struct pbuf *p = NULL;
	int err;

	if (len > (d->i.s.family == AF_INET && !d->i.opt.hdrincl ? MOST4 : MOST6))
		return -EMSGSIZE;
	err = gather(m, len, &p);
	if (err)
		return err;
	net_core_lock();
	err = dgram_route(d, &to, &a);
	if (!err && d->i.s.family == AF_INET6)
		err = fill_sum6(d, p, &to);
	if (!err && d->i.opt.hdrincl && d->i.s.family == AF_INET)
		err = output_whole(d, p, &to, &a);
	else if (!err)
		err = dgram_output(d, p, &to, (u8)d->i.s.protocol, &a);
	net_core_unlock();
	pbuf_free(p);
	return err ? err : (ssize_t)len;
}

ssize_t pingsock_send(struct dgramsock *d, struct message *m, const struct sending *where)
{
	bool six = d->i.s.family == AF_INET6;
	size_t len = m->iter->count;
	struct sending to = *where;
	struct route_answer a;
	struct pbuf *p = NULL;
	u8 *icmp;
	u16 sum;
	int err;

	if (len < 8)
		return -EINVAL;
	if (len > (six ? MOST6 : MOST4))
		return -EMSGSIZE;
	err = gather(m, len, &p);
	if (err)
		return err;
	icmp = p->payload;
	net_core_lock();
	if (icmp[0] != (six ? ECHO6 : ECHO4) || icmp[1])
		err = -EINVAL;
	if (!err)
		err = dgram_route(d, &to, &a);
	if (!err) {
		icmp[4] = (u8)(d->i.lport >> 8);
		icmp[5] = (u8)d->i.lport;
		icmp[2] = icmp[3] = 0;
		sum = six ? ip_chksum_pseudo(p, IPPROTO_ICMPV6, p->tot_len, &to.from, &to.to) : inet_chksum_pbuf(p);
		memcpy(icmp + 2, &sum, 2);
		dgram_counts.icmp_out++;
		err = dgram_output(d, p, &to, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, &a);
	}
	net_core_unlock();
	pbuf_free(p);
	return err ? err : (ssize_t)len;
}
