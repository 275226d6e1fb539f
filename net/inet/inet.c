/* Internet sockets: addresses as programs write them, and what is the same for all of them. */
#include <lwip/err.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/inet/dgram.h>
#include <net/inet/inet.h>
#include <net/inet/interface.h>
#include <net/inet/tcp.h>

#define IN6_LEN_LEAST	24u	/* of struct sockaddr_in6 without its scope */
#define FIRST_FREE_PORT	1024u	/* below, the port is the administrator's */

void inet_init(struct inet_sock *i, const struct socket_ops *ops, u16 family, u16 type, u16 protocol, struct port_table *ports)
{
	socket_init(&i->s, ops, family, type, protocol);
	refcount_set(&i->refs, 1);
	i->ports = ports;
	IP_SET_TYPE_VAL(i->local, family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY);
	i->opt = (struct inet_options){ .ttl = -1, .hops = -1, .mc_ttl = 1, .mc_hops = 1, .mc_loop = true, .mc_loop6 = true, .mc_all = true,
					.mc_all6 = true, .mtu_discover = 1, .mtu_discover6 = 1, .checksum_at = -1 };
}

static bool is_mapped(const u8 *a)
{
	static const u8 prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return !memcmp(a, prefix, sizeof(prefix));
}

static void address_in6(const struct inet_sock *i, const struct sockaddr_in6 *in, ip_addr_t *addr)
{
	const u8 *bytes = in->sin6_addr.s6_addr;
	u32 v4;

	if (is_mapped(bytes)) {
		memcpy(&v4, bytes + 12, 4);
		ip_addr_set_ip4_u32(addr, v4);
		return;
	}
	memset(addr, 0, sizeof(*addr));
	memcpy(ip_2_ip6(addr)->addr, bytes, 16);
	IP_SET_TYPE_VAL(*addr, IPADDR_TYPE_V6);
	if (ip6_addr_isany(ip_2_ip6(addr))) {
		if (!i->opt.v6only)
			IP_SET_TYPE_VAL(*addr, IPADDR_TYPE_ANY);
	} else if (ip6_addr_has_scope(ip_2_ip6(addr), IP6_UNKNOWN)) {
		u32 ifindex = in->sin6_scope_id ? in->sin6_scope_id : (u32)READ_ONCE(i->s.bound_device);

		ip6_addr_set_zone(ip_2_ip6(addr), (u8_t)ifindex);
	}
}

int inet_address_in(const struct inet_sock *i, const struct sockaddr_any *name, u32 len, ip_addr_t *addr, u16 *port)
{
	if (i->s.family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)name;

		if (len < sizeof(*in))
			return -EINVAL;
		if (name->family != AF_INET)
			return -EAFNOSUPPORT;
		ip_addr_set_ip4_u32(addr, in->sin_addr.s_addr);
		*port = lwip_ntohs(in->sin_port);
		return 0;
	}
	if (len < IN6_LEN_LEAST)
		return -EINVAL;
	if (name->family != AF_INET6)
		return -EAFNOSUPPORT;
	address_in6(i, (const struct sockaddr_in6 *)name, addr);
	*port = lwip_ntohs(((const struct sockaddr_in6 *)name)->sin6_port);
	return 0;
}

int inet_bind_address(const struct inet_sock *i, const struct sockaddr_any *name, u32 len, ip_addr_t *addr, u16 *port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)name;

	if (i->s.family == AF_INET && name->family == AF_UNSPEC && len >= sizeof(*in) && !in->sin_addr.s_addr) {
		ip_addr_set_ip4_u32(addr, 0);
		*port = lwip_ntohs(in->sin_port);
		return 0;
	}
	return inet_address_in(i, name, len, addr, port);
}

int inet_address_out(const struct inet_sock *i, const ip_addr_t *addr, u16 port, struct sockaddr_any *out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = lwip_htons(port) };

	if (i->s.family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = lwip_htons(port),
					  .sin_addr.s_addr = IP_IS_V4(addr) ? ip_2_ip4(addr)->addr : 0 };

		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	if (IP_IS_V4(addr)) {
		in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(in6.sin6_addr.s6_addr + 12, &ip_2_ip4(addr)->addr, 4);
	} else if (!IP_IS_ANY_TYPE_VAL(*addr)) {
		memcpy(in6.sin6_addr.s6_addr, ip_2_ip6(addr)->addr, 16);
		in6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(addr));
	}
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

int inet_name(struct socket *s, struct sockaddr_any *out, bool peer)
{
	struct inet_sock *i = inet_of(s);

	if (peer && (!i->rport || inet_address_is_any(&i->remote)))
		return -ENOTCONN;
	return inet_address_out(i, peer ? &i->remote : &i->local, peer ? i->rport : i->lport, out);
}

void inet_any_is_loopback(ip_addr_t *to)
{
	if (!inet_address_is_any(to))
		return;
	if (IP_IS_V4(to)) {
		IP_ADDR4(to, 127, 0, 0, 1);
	} else {
		memset(to, 0, sizeof(*to));
		IP_SET_TYPE_VAL(*to, IPADDR_TYPE_V6);
		ip_2_ip6(to)->addr[3] = PP_HTONL(1);
	}
}

int inet_bind_check(const struct inet_sock *i, const ip_addr_t *addr, u16 port)
{
	bool ours;

	if (port && port < FIRST_FREE_PORT && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (inet_address_is_any(addr) || i->opt.freebind || i->opt.transparent)
		return 0;
	if (IP_IS_V6(addr)) {
		const ip6_addr_t *a = ip_2_ip6(addr);

		if (ip6_addr_ismulticast(a))
			return i->s.type == SOCK_STREAM ? -EINVAL : 0;
		if (ip6_addr_islinklocal(a) && !ip6_addr_has_zone(a))
			return -EINVAL;
		ours = interface_by_address6(a);
	} else {
		bool many = ip_addr_ismulticast(addr) || ip_2_ip4(addr)->addr == 0xffffffff;

		for_each_interface(k)
			many |= ip4_addr_isbroadcast(ip_2_ip4(addr), &k->n) && k->has_address;
		if (many)
			return 0;		/* of no use to a stream, and allowed */
		ours = interface_by_address4(*ip_2_ip4(addr));
	}
	return ours ? 0 : -EADDRNOTAVAIL;
}

int inet_error(s8 err)
{
	switch (err) {
	case ERR_OK: return 0;
	case ERR_MEM: case ERR_BUF: return -ENOBUFS;
	case ERR_TIMEOUT: case ERR_ABRT: return -ETIMEDOUT;
	case ERR_RTE: return -ENETUNREACH;
	case ERR_VAL: case ERR_ARG: return -EINVAL;
	case ERR_USE: return -EADDRINUSE;
	case ERR_ISCONN: return -EISCONN;
	case ERR_CONN: case ERR_CLSD: return -ENOTCONN;
	case ERR_RST: return -ECONNRESET;
	default: return -EIO;
	}
}

int option_int(const void *value, u32 len, s32 *out)
{
	if (len >= sizeof(s32))
		memcpy(out, value, sizeof(s32));
	else if (len >= 1)
		*out = *(const u8 *)value;
	else
		return -EINVAL;
	return 0;
}

int option_put(void *value, u32 *len, s32 v)
{
	*len = min(*len, (u32)sizeof(v));
	memcpy(value, &v, *len);
	return 0;
}

static int create(u16 family, int type, int protocol, struct socket **out)
{
	switch (type) {
	case SOCK_STREAM:
		if (protocol && protocol != IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		return tcpsock_create(family, out);
	case SOCK_DGRAM:
	case SOCK_RAW:
		return dgram_create(family, type, protocol, out);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static int create4(int type, int protocol, struct socket **out) { return create(AF_INET, type, protocol, out); }
static int create6(int type, int protocol, struct socket **out) { return create(AF_INET6, type, protocol, out); }
SOCKET_FAMILY(inet, .family = AF_INET, .create = create4);
SOCKET_FAMILY(inet6, .family = AF_INET6, .create = create6);
