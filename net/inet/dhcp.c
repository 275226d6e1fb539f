/* A DHCP client for the boot (RFC 2131, RFC 2132): DISCOVER, OFFER, REQUEST, ACK, and no more.  Nobody renews the lease: that is udhcpc's, as on Linux, where
 * ip=dhcp leaves an address for ever.
 *
 * It speaks through a packet socket, since the device has no address that IP would receive for yet, and asks that answers be broadcast.  Each question is
 * asked again after 1, 2, 4 ... seconds; a NAK begins anew. */
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <kernel/time/time.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <lwip/def.h>
#include <lwip/inet_chksum.h>
#include <net/inet/dhcp.h>
#include <net/netdev.h>
#include <net/socket.h>

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };
enum { OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOST = 12, OPT_DOMAIN = 15, OPT_WANTED = 50, OPT_LEASE = 51, OPT_TYPE = 53, OPT_SERVER = 54,
       OPT_LIST = 55, OPT_CLIENT = 61, OPT_END = 255 };

#define SERVER_PORT	67u
#define CLIENT_PORT	68u
#define COOKIE		0x63825363u
#define OPTIONS_ROOM	312u
#define TRIES		5u

/* IP's and UDP's headers and the message, as they go over the wire. */
struct dhcp_packet {
	u8 ip[20];
	u8 udp[8];
	u8 op, htype, hlen, hops;
	u32 xid;
	u16 secs, flags;
	u32 ciaddr, yiaddr, siaddr, giaddr;
	u8 chaddr[16], sname[64], file[128];
	u32 cookie;
	u8 options[OPTIONS_ROOM];
} __packed;

struct client { struct netdev *dev; struct socket *s; u32 xid; u8 type; struct dhcp_packet p; };

static u8 *put(u8 *at, u8 option, const void *value, u8 len)
{
	*at++ = option;
	*at++ = len;
	memcpy(at, value, len);
	return at + len;
}

static void fill_headers(struct dhcp_packet *p)
{
	u16 len = sizeof(*p), sum;

	memset(p->ip, 0, sizeof(p->ip));
	memset(p->udp, 0, sizeof(p->udp));
	p->ip[0] = 0x45;
	p->ip[2] = (u8)(len >> 8);
	p->ip[3] = (u8)len;
	p->ip[8] = 64;
	p->ip[9] = 17;
	memset(p->ip + 16, 0xff, 4);
	sum = inet_chksum(p->ip, sizeof(p->ip));
	memcpy(p->ip + 10, &sum, 2);
	len -= sizeof(p->ip);
	p->udp[1] = CLIENT_PORT;
	p->udp[3] = SERVER_PORT;
	p->udp[4] = (u8)(len >> 8);
	p->udp[5] = (u8)len;		/* without a checksum, which IPv4 allows */
}

static int ask(struct client *c, u8 type, const struct dhcp_lease *offered)
{
	static const u8 wanted[] = { OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_HOST, OPT_DOMAIN, OPT_LEASE };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = lwip_htons(ETH_P_IP), .sll_ifindex = (int)c->dev->index, .sll_halen = ETH_ALEN };
	u8 *at, id[1 + ETH_ALEN] = { 1 };
	struct sockaddr_any name;
	struct iov_seg seg;
	struct iov_iter it;
	struct message m = { .name = &name, .name_len = sizeof(to), .iter = &it };
	ssize_t n;

	memset(&c->p, 0, sizeof(c->p));
	fill_headers(&c->p);
	c->p.op = 1;
	c->p.htype = 1;
	c->p.hlen = ETH_ALEN;
	c->p.xid = c->xid;
	c->p.flags = lwip_htons(0x8000);
	memcpy(c->p.chaddr, c->dev->address, ETH_ALEN);
	c->p.cookie = lwip_htonl(COOKIE);
	memcpy(id + 1, c->dev->address, ETH_ALEN);
	at = put(c->p.options, OPT_TYPE, &type, 1);
	at = put(at, OPT_CLIENT, id, sizeof(id));
	if (offered) {
		at = put(at, OPT_WANTED, &offered->address, 4);
		at = put(at, OPT_SERVER, &offered->server, 4);
	}
	at = put(at, OPT_LIST, wanted, sizeof(wanted));
	*at = OPT_END;
	memset(to.sll_addr, 0xff, ETH_ALEN);
	memcpy(&name, &to, sizeof(to));
	iov_iter_kernel(&it, &seg, &c->p, sizeof(c->p));
	n = c->s->ops->send(c->s, &m);
	return n < 0 ? (int)n : 0;
}

static void take_text(char *to, const u8 *value, u32 len)
{
	len = min(len, DHCP_NAME);
	for (u32 i = 0; i < len; i++)
		if (value[i] && (value[i] < '!' || value[i] > '~'))
			return;		/* nobody's name */
	memcpy(to, value, len);
	to[len] = 0;
}

static void take_option(struct client *c, struct dhcp_lease *l, u8 option, const u8 *value, u32 len)
{
	u32 word = 0;

	if (len >= 4)
		memcpy(&word, value, 4);
	switch (option) {
	case OPT_TYPE: c->type = len ? value[0] : 0; break;
	case OPT_MASK: l->mask = word; break;
	case OPT_ROUTER: l->gateway = word; break;
	case OPT_DNS: memcpy(l->dns, value, min(len / 4 * 4, (u32)sizeof(l->dns))); break;
	case OPT_HOST: take_text(l->host, value, len); break;
	case OPT_DOMAIN: take_text(l->domain, value, len); break;
	case OPT_LEASE: l->seconds = lwip_ntohl(word); break;
	case OPT_SERVER: l->server = word; break;
	default: break;
	}
}

/* Is what came, n bytes of it, an answer to us?  Its type is in c->type then. */
static bool understand(struct client *c, u32 n, struct dhcp_lease *l)
{
	const struct dhcp_packet *p = &c->p;
	u32 room;

	if (n < offsetof(struct dhcp_packet, options) || p->ip[0] != 0x45 || p->ip[9] != 17 || (p->ip[6] & 0x3f) || p->ip[7])
		return false;
	if (p->udp[0] || p->udp[1] != SERVER_PORT || p->udp[2] || p->udp[3] != CLIENT_PORT || p->op != 2 || p->xid != c->xid ||
	    memcmp(p->chaddr, c->dev->address, ETH_ALEN) || p->cookie != lwip_htonl(COOKIE))
		return false;
	memset(l, 0, sizeof(*l));
	c->type = 0;
	l->address = p->yiaddr;
	room = n - (u32)offsetof(struct dhcp_packet, options);
	for (u32 at = 0; at < room && p->options[at] != OPT_END; ) {
		u32 len;

		if (!p->options[at]) {
			at++;
			continue;
		}
		if (at + 2 > room || at + 2 + (len = p->options[at + 1]) > room)
			break;
		take_option(c, l, p->options[at], p->options + at + 2, len);
		at += 2 + len;
	}
	return true;
}

/* An answer of that type, or a NAK, until the deadline. */
static int hear(struct client *c, u8 type, u64 deadline, struct dhcp_lease *l)
{
	for (;;) {
		u64 now = clock_mono_ns();
		struct iov_seg seg;
		struct iov_iter it;
		struct message m = { .iter = &it };
		ssize_t n;

		if (now >= deadline)
			return -ETIMEDOUT;
		c->s->receive_timeout = deadline - now;
		iov_iter_kernel(&it, &seg, &c->p, sizeof(c->p));
		n = c->s->ops->receive(c->s, &m);
		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : (int)n;
		if (!understand(c, (u32)n, l))
			continue;
		if (c->type == NAK && type == ACK)
			return -EPROTO;
		if (c->type == type && l->address && l->server)
			return 0;
	}
}

static int converse(struct client *c, struct dhcp_lease *lease)
{
	struct dhcp_lease offer;
	int err = -ETIMEDOUT;

	for (u32 try = 0; try < TRIES; try++) {
		u64 wait = NSEC_PER_SEC << try;

		c->xid = (u32)random_u64();
		err = ask(c, DISCOVER, NULL);
		if (!err)
			err = hear(c, OFFER, clock_mono_ns() + wait, &offer);
		if (!err)
			err = ask(c, REQUEST, &offer);
		if (!err)
			err = hear(c, ACK, clock_mono_ns() + wait, lease);
		if (err != -ETIMEDOUT && err != -EPROTO)
			break;
	}
	return err;
}

int dhcp_ask(struct netdev *dev, struct dhcp_lease *lease)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_protocol = lwip_htons(ETH_P_IP), .sll_ifindex = (int)dev->index };
	struct client c = { .dev = dev };
	struct sockaddr_any name = { 0 };
	int err = socket_create(AF_PACKET, SOCK_DGRAM, 0, &c.s);

	if (err)
		return err;
	memcpy(&name, &here, sizeof(here));
	err = c.s->ops->bind(c.s, &name, sizeof(here));
	if (!err)
		err = converse(&c, lease);
	c.s->ops->release(c.s);
	return err;
}
