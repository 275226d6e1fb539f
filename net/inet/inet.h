/* Internet sockets: what TCP, UDP, raw and ping sockets have in common.
 *
 * Keys: [I] immutable, [a] atomic, [C] the core lock (net/inet/engine.h), [C,r] written under it, read racily, [q] the socket's queue lock. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/list.h>
#include <kernel/lib/refcount.h>
#include <net/socket.h>

struct inet_reports;
struct inet_sock;
struct pbuf;
struct route_answer;
struct tcp_hdr;

/* What setsockopt() at the levels of IP and IPv6 says. */
struct inet_options {			/* [C,r] */
	s16 ttl, hops;			/* -1: the default */
	u8 tos, tclass;
	s16 mc_ttl, mc_hops;
	u8 min_ttl, min_hops;		/* what comes from farther is not for this connection; 0: from anywhere */
	bool mc_loop, mc_loop6, mc_all, mc_all6;
	u32 mc_ifindex, mc_ifindex6;
	u32 uc_ifindex, uc_ifindex6;	/* where datagrams to one go out, 0: by the routes */
	ip4_addr_t mc_source;
	bool v6only, hdrincl, freebind, transparent, recverr, recverr6, nodefrag, autoflowlabel, dontfrag;
	bool no_port;			/* bind() without a port leaves that to connect() */
	u8 mtu_discover, mtu_discover6;
	s32 checksum_at;		/* IPV6_CHECKSUM of raw sockets, -1: none */
	u32 told;			/* BIT(enum inet_tell): control messages wanted */
	u16 source_wish;		/* IPV6_ADDR_PREFERENCES: every address here is public, and at home */
};
enum inet_tell { TELL_PKTINFO, TELL_TTL, TELL_TOS, TELL_ORIGDST, TELL_PKTINFO6, TELL_HOPS, TELL_TCLASS,
		 TELL_OPTIONS, TELL_RETURN, TELL_HOPOPTS, TELL_DSTOPTS, TELL_RTHDR };	/* these five: what stands behind IP's fixed header */
#define TELL_HEADERS	(BIT(TELL_OPTIONS) | BIT(TELL_RETURN) | BIT(TELL_HOPOPTS) | BIT(TELL_DSTOPTS) | BIT(TELL_RTHDR))

/* The sockets of a protocol, by their port (host order); in a bucket connections that have theirs from a listener come last. */
#define PORT_BUCKETS	1024u
struct port_table {
	struct list_head *bucket;	/* [C] PORT_BUCKETS; NULL: nobody ever had one */
	bool tcp;
	u32 users;			/* [C] */
};
extern struct port_table tcp_ports, udp_ports, udplite_ports, ping_ports, raw_ports;

struct inet_sock {
	struct socket s;
	struct refcount refs;
	ip_addr_t local;		/* [C,r] bound to; any: to none.  Of a type that says which families it takes */
	ip_addr_t remote;		/* [C,r] connected to */
	u16 lport, rport;		/* [C,r] host order, 0: none */
	bool port_given, address_given;	/* [C] by bind(), not by us */
	bool listening;			/* [C] for conflicts */
	bool inherited;			/* [C] the port is a listener's: last in the bucket */
	struct list_head port_link;	/* [C] in the table, if lport */
	struct port_table *ports;	/* [I] */
	struct inet_options opt;
	struct inet_reports *reports;	/* [a] what MSG_ERRQUEUE tells; NULL: nobody wanted to know yet */
	void (*free)(struct inet_sock *i);	/* [I] after the last reference */
};

static inline struct inet_sock *inet_of(struct socket *s) { return container_of(s, struct inet_sock, s); }
static inline void inet_get(struct inet_sock *i) { refcount_inc(&i->refs); }
static inline void inet_put(struct inet_sock *i)
{
	if (refcount_dec_and_test(&i->refs))
		i->free(i);
}

/* inet_init - a zeroed socket's common part. */
void inet_init(struct inet_sock *i, const struct socket_ops *ops, u16 family, u16 type, u16 protocol, struct port_table *ports);

/* inet_address_in - what a program named, as i's family lays it out; *addr is IPv4's for a mapped address, any's type for "::" of a socket that takes
 * both.  -EINVAL, -EAFNOSUPPORT.  inet_address_out - the reverse; its length. */
int inet_address_in(const struct inet_sock *i, const struct sockaddr_any *name, u32 len, ip_addr_t *addr, u16 *port);
int inet_address_out(const struct inet_sock *i, const ip_addr_t *addr, u16 port, struct sockaddr_any *out);
/* inet_bind_address - as inet_address_in, for bind: old programs name IPv4's "any" without a family. */
int inet_bind_address(const struct inet_sock *i, const struct sockaddr_any *name, u32 len, ip_addr_t *addr, u16 *port);
/* inet_bind_check - may this program bind to that?  0, -EADDRNOTAVAIL, -EACCES, -ENODEV.  Context: core locked. */
int inet_bind_check(const struct inet_sock *i, const ip_addr_t *addr, u16 port);
int inet_name(struct socket *s, struct sockaddr_any *out, bool peer);
bool inet_address_is_any(const ip_addr_t *a);
/* inet_any_is_loopback - a destination of no address means this host: 127.0.0.1 or ::1 takes its place. */
void inet_any_is_loopback(ip_addr_t *to);
/* inet_type_for - does a socket bound to local take what comes to an address of that kind? */
bool inet_takes(const ip_addr_t *local, const ip_addr_t *to);

/* Ports.  port_take - i gets port, or any free one (0): 0, -EADDRINUSE.  port_take_for - the same for a connection from source to i->remote, before it has
 * a port: one that is free for that.  port_free - it has none any more.  Context: core locked. */
int port_take(struct inet_sock *i, const ip_addr_t *addr, u16 port);
int port_take_for(struct inet_sock *i, const ip_addr_t *source);
void port_inherit(struct inet_sock *i, u16 port);
void port_free(struct inet_sock *i);
bool port_conflict(const struct inet_sock *i, const ip_addr_t *addr, u16 port);
struct list_head *port_bucket(struct port_table *t, u16 port);
bool parse_range(const char *s, u64 *first, u64 *last);		/* "first last", of /proc/sys; false: not two numbers, what lacks is 0 */

/* Options of SOL_IP and SOL_IPV6 (ip_options.c), ioctl (ioctl.c). */
int inet_set_option(struct inet_sock *i, int level, int name, const void *value, u32 len);
int inet_set_socket_option(struct inet_sock *i, int name, const void *value, u32 len);	/* SOL_SOCKET's, of which the common code knows nothing */
int inet_get_option(struct inet_sock *i, int level, int name, void *value, u32 *len);
long inet_ioctl(struct socket *s, u32 cmd, u64 arg);
/* inet_filter - does i's filter want p, which begins with the transport's header?  p is cut to what it keeps, but not below least bytes.
 * inet_filter_segment - the same for a segment of TCP whose header of that length was just taken off; it is never cut.  Context: core locked, in a packet's
 * input. */
bool inet_filter(struct inet_sock *i, struct pbuf *p, u32 least);
bool inet_filter_segment(struct inet_sock *i, struct tcp_hdr *h, struct pbuf *p, u32 header);
/* inet_error - a lwIP error as errno, negative. */
int inet_error(s8 err);
int option_int(const void *value, u32 len, s32 *out);
int option_put(void *value, u32 *len, s32 v);
