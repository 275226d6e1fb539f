/* SYN cookies.  Theory in syncookie.c.  Context of all: core locked. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/types.h>

struct pbuf;
struct tcp_hdr;
struct tcp_options_in;
struct tcpsock;

/* tcp_cookie_wanted - does l answer a SYN by a cookie, its queue of handshakes being full or not?  tcp_cookie_answer - it does. */
bool tcp_cookie_wanted(const struct tcpsock *l, bool full);
void tcp_cookie_answer(struct tcpsock *l, const struct tcp_hdr *syn, const struct tcp_options_in *options);
/* tcp_cookie_tap - p begins with its IP header, of that length: if it brings a good cookie, there is a connection for it when this returns.  1: p is
 * consumed. */
u8_t tcp_cookie_tap(struct pbuf *p, const ip_addr_t *local, const ip_addr_t *remote, u32 header);
/* tcp_cookie_replaying - is the SYN that lwIP sees one of those?  Then *isn is what its connection begins with, and its answer is not to go out. */
bool tcp_cookie_replaying(u32 *isn);
