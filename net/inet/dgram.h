/* Datagram sockets: UDP, ping, raw.  Theory in dgram.c. */
#pragma once
#include <lwip/err.h>
#include <linux/in.h>
#include <net/inet/inet.h>

struct netif;
struct pbuf;
struct route_answer;

/* What has arrived. */
struct datagram {
	struct list_head link;
	struct refcount refs;
	struct pbuf *p;			/* its payload is what the program gets */
	ip_addr_t from, to;
	u16 port;			/* sender's, host order */
	u8 ttl, tos;
	u8 next_header;			/* IPv6: the kind of the first of headers */
	u16 nr_headers;			/* bytes of them */
	u8 *headers;			/* IPv4's options, IPv6's extension headers; NULL: there are none, or nobody wants to know */
	u32 ifindex;
	u32 truesize;
	u64 stamp;
	u32 drops;			/* of the socket, by then */
};

/* A socket is in a group on a device: with all who send to it but some, or with some only.  sources is not NULL from when one was named. */
struct membership { struct membership *next; ip_addr_t group; u32 ifindex; bool include; u32 nr_sources; ip_addr_t *sources; };

/* Where one datagram goes, and as what. */
struct sending {
	ip_addr_t to, from;
	u16 port;
	u32 ifindex;
	s16 ttl, tos;			/* -1: as the socket says */
	u16 segment;			/* bytes of each datagram (UDP_SEGMENT); 0: it is one */
};

enum dgram_kind { DGRAM_UDP, DGRAM_PING, DGRAM_RAW };

struct dgramsock {
	struct inet_sock i;		/* lport of a raw socket: its protocol; of a ping socket: its identifier */
	u8 kind;			/* [I] enum dgram_kind */
	struct spinlock lock;		/* LC_SOCKET_QUEUE */
	struct list_head queue;		/* [q] struct datagram */
	u32 rx_bytes;			/* [q] truesize of all */
	u64 drops;			/* [C] for want of room */
	bool connected;			/* [C,r] */
	u32 sending;			/* [a] bytes of packets that a device has not sent yet */
	bool tx_full;			/* [a] somebody waits for that to fall */
	u32 sent_by;			/* [racy] number of the device that has them */
	struct membership *groups;	/* [C] */
	u32 icmp_filter;		/* [C,r] types of ICMP that a raw socket does not want */
	u32 icmp6_filter[8];		/* [C,r] */
	/* UDP_CORK, MSG_MORE: collected so far */
	struct mutex tx_lock;		/* LC_SOCKET */
	u8 *corked;			/* [tx_lock] NULL: nothing waits */
	u32 corked_len;			/* [tx_lock] */
	struct sending corked_to;	/* [tx_lock] where the first of it was sent to */
	bool cork;			/* [C,r] UDP_CORK */
	u16 segment;			/* [C,r] UDP_SEGMENT, 0 */
	bool send_covers, recv_covers;	/* [racy] UDP-Lite: the two below were set */
	u16 send_coverage, recv_coverage;	/* [racy] UDPLITE_SEND_CSCOV, _RECV_CSCOV: bytes from the header on, 0: all */
	bool gro;			/* [C,r] UDP_GRO: kept and told; nothing is merged */
};

static inline struct dgramsock *dgramsock_of(struct socket *s) { return container_of(s, struct dgramsock, i.s); }
static inline bool dgram_is_lite(const struct dgramsock *d) { return d->kind == DGRAM_UDP && d->i.s.protocol == IPPROTO_UDPLITE; }

void dgram_init(void);
int dgram_create(u16 family, int type, int protocol, struct socket **out);
/* dgram_queue - p, from its payload on (of UDP: behind its header), is what d gets, if its filter wants it; consumes p.  Context: core locked, in a
 * packet's input. */
void dgram_queue(struct dgramsock *d, struct pbuf *p, u16 port, const ip_addr_t *from, const ip_addr_t *to);
/* dgram_member - does d want what comes from there to that address, if it is a group? */
bool dgram_member(const struct dgramsock *d, const ip_addr_t *group, const ip_addr_t *from, u32 ifindex);
/* Input taps: p begins with its IP header of that length.  True: p is consumed.  Context: core locked. */
bool udp_tap(struct pbuf *p, u32 header, bool lite);
/* udp_in - p begins with the header of UDP, or UDP-Lite; IP's, of that length, still stands before its payload.  Consumes p.  Context: as the taps. */
void udp_in(struct pbuf *p, u32 header, bool lite);
bool icmp_tap(struct pbuf *p, u32 header, bool six);
/* icmp_no_port - tell the sender of the packet p, which begins with its IP header, that nobody is there.  Context: core locked. */
void icmp_no_port(struct pbuf *p);
/* ping_reply - p, behind its IP header an answer to an echo of that identifier, goes to its ping socket. */
void ping_reply(const struct pbuf *p, u32 header, u16 id);
void raw_fan_out(const struct pbuf *p, u32 header, u8 proto, bool six);
/* raw_watch - lwIP shows us the packets of that protocol from now on.  0, -ENOBUFS.  Context: core locked. */
int raw_watch(u8 proto);
void taps_init(void);		/* at boot */
/* The kinds' sending: bytes, or an error.  Context: thread. */
ssize_t udpsock_send(struct dgramsock *d, struct message *m, const struct sending *to);
int udpsock_push(struct dgramsock *d);		/* what UDP_CORK held back goes out: 0, or an error */
ssize_t rawsock_send(struct dgramsock *d, struct message *m, const struct sending *to);
ssize_t pingsock_send(struct dgramsock *d, struct message *m, const struct sending *to);
/* dgram_output - p begins with the transport header and has room for IP's; data of proto goes out.  The chain stays the caller's.  Context: core
 * locked. */
int dgram_output(struct dgramsock *d, struct pbuf *p, const struct sending *to, u8 proto, const struct route_answer *a);
/* long6_output - p, from the transport's header on, goes to an address of IPv6 in fragments, though it is too long to have IPv6's header in front.
 * The chain stays the caller's.  ERR_OK, or lwIP's errors: what was sent before stays sent.  Context: core locked. */
err_t long6_output(const struct pbuf *p, const ip6_addr_t *from, const ip6_addr_t *to, u8 hops, u8 tclass, u8 proto, struct netif *n);
/* dgram_route - where it goes out; to->from may be filled in. */
int dgram_route(struct dgramsock *d, struct sending *to, struct route_answer *a);
/* dgram_mtu - how much d's packets may hold on that way; *cut: larger ones are sent in fragments, and not refused. */
u32 dgram_mtu(const struct dgramsock *d, const ip_addr_t *to, const struct route_answer *a, bool *cut);
/* dgram_sent - a packet of len bytes that belonged to d was sent, or lost; puts d.  dgram_charge - it is d's from now on.  Context: as packet's free. */
void dgram_charge(struct dgramsock *d, u32 len);
void dgram_sent(struct dgramsock *d, u32 len);
void dgram_leave_all(struct dgramsock *d);
/* group_set_option, group_get_option - those about groups; -ENOPROTOOPT: it is none.  *value to get: what the program has there, *len bytes.  Context:
 * core locked. */
int group_set_option(struct inet_sock *i, int level, int name, const void *value, u32 len);
int group_get_option(struct inet_sock *i, int level, int name, void *value, u32 *len);
/* control messages: dgram_control.c */
int dgram_parse_control(struct dgramsock *d, const struct message *m, struct sending *to);
int dgram_tell(struct dgramsock *d, struct message *m, const struct datagram *g);

/* [C] of UDP and UDP-Lite; ping and raw sockets count as UDP. */
extern struct udp_counts { u64 in, no_ports, in_errors, out, rcvbuf_errors, csum_errors, mem_errors; } udp_counts, udplite_counts;
extern struct dgram_counts { u64 icmp_in, icmp_out, echos; } dgram_counts;	/* [C] */
static inline struct udp_counts *udp_counts_of(bool lite) { return lite ? &udplite_counts : &udp_counts; }
