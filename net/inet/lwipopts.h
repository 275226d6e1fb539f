/* What of lwIP we use, and how: the one file that says so.  Every number that limits something stands here with its reason. */
#pragma once

/* The house: one core lock of ours (engine.c) instead of a thread and mailboxes; timers, memory and ports are ours.
 * SYS_LIGHTWEIGHT_PROT is not wanted: a pbuf that left the core has one owner, and bytes that several share are counted by
 * what holds them (engine.h). */
#define NO_SYS				1
#define SYS_LIGHTWEIGHT_PROT		0
#define LWIP_TIMERS			1
#define LWIP_TIMERS_CUSTOM		1
#define LWIP_NETCONN			0
#define LWIP_SOCKET			0
#define LWIP_DNS			0
#define LWIP_DHCP			0
#define LWIP_AUTOIP			0
#define LWIP_STATS			1	/* of them only what /proc/net/snmp tells */
#define MIB2_STATS			1
#define LINK_STATS			0
#define ETHARP_STATS			0
#define IP_STATS			0
#define IPFRAG_STATS			0
#define ICMP_STATS			0
#define IGMP_STATS			0
#define UDP_STATS			0
#define TCP_STATS			0
#define MEM_STATS			0
#define MEMP_STATS			0
#define SYS_STATS			0
#define IP6_STATS			0
#define ICMP6_STATS			0
#define IP6_FRAG_STATS			0
#define MLD6_STATS			0
#define ND6_STATS			0
#define LWIP_HOOK_FILENAME		<net/inet/hooks.h>	/* what these are */
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dest)	route_hook4(src, dest)
#define LWIP_HOOK_ETHARP_GET_GW(netif, dest)	route_hook_gateway4(netif, dest)
#define LWIP_HOOK_IP6_ROUTE(src, dest)		route_hook6(src, dest)
#define LWIP_HOOK_ND6_GET_GW(netif, dest)	route_hook_gateway6(netif, dest)
#define LWIP_HOOK_UNREACHABLE(p)		icmp_hook_unreachable(p)
#define LWIP_HOOK_IP6_LONG(p, header, proto)	ip6_hook_long(p, header, proto)
#define LWIP_HOOK_TCP_ISN			tcp_hook_isn
#define LWIP_HOOK_TCP_FIND(remote, rport, local, lport)			tcp_hook_find(remote, rport, local, lport)
#define LWIP_HOOK_TCP_FIND_LISTENER(remote, rport, local, lport)	tcp_hook_find_listener(remote, rport, local, lport)
#define LWIP_HOOK_TCP_REGISTERED(pcb)		tcp_hook_registered(pcb)
#define LWIP_HOOK_TCP_REMOVED(pcb)		tcp_hook_removed(pcb)
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, hdr, optlen, opt1len, opt2, p)	tcp_hook_segment(pcb, hdr, &(struct tcp_options_in){ optlen, opt1len, opt2 }, p)
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, hdr, pcb, opts)	(tcp_hook_sent(pcb, p, hdr), (opts))	/* called with each segment; none is added */
#define LWIP_HOOK_TCP_SEGMENT_SIZE(pcb)		tcp_hook_segment_size(pcb)
#define LWIP_HOOK_TCP_SMALL(pcb)		tcp_hook_small(pcb)
#define LWIP_HOOK_TCP_OUTPUT(pcb, netif, window)	tcp_hook_output(pcb, netif, window)
#define LWIP_HOOK_TCP_CUT(pcb, seg, n)		tcp_hook_cut(pcb, seg, n)
#define LWIP_HOOK_TCP_REXMIT(pcb)		tcp_hook_rexmit(pcb)
#define LWIP_HOOK_TCP_ACKED(pcb, seg, ackno)	tcp_hook_acked(pcb, seg, ackno)
#define LWIP_HOOK_TCP_LARGE(netif, p)		interface_hook_large(netif, p)
#ifndef CONFIG_DEBUG
#define LWIP_NOASSERT			1
#endif

/* Memory: all from our allocators, as much as inet_mem_alloc() gives. */
#define MEM_ALIGNMENT			8
#define MEM_LIBC_MALLOC			1
#define MEMP_MEM_MALLOC			1
#define mem_clib_malloc			inet_mem_alloc
#define mem_clib_calloc			inet_mem_calloc
#define mem_clib_free			inet_mem_free
#include <kernel/lib/types.h>
void *inet_mem_alloc(size_t size);
void *inet_mem_calloc(size_t n, size_t size);
void inet_mem_free(void *p);
#define LWIP_PBUF_REF_T			u16_t
#define PBUF_POOL_SIZE			0
#define PBUF_POOL_BUFSIZE		2048
#define LWIP_SUPPORT_CUSTOM_PBUF	1
#define PBUF_NEEDS_COPY(p)		neighbour_hook_queued(p)	/* what waits for an address is copied: its pages may go before */

/* Sums are made and looked at per interface: loopback does neither, offloads tell (netif.c). */
#define LWIP_CHECKSUM_CTRL_PER_NETIF	1
#define LWIP_CHKSUM(data, len)		checksum(data, (size_t)(len))
#include <net/checksum.h>

/* Link and network */
#define LWIP_ETHERNET			1
#define LWIP_ARP			1
#define ARP_TABLE_SIZE			127
#define ARP_QUEUEING			1
#define ARP_QUEUE_LEN			64	/* NEIGHBOUR_QUEUE */
#define ETHARP_TABLE_MATCH_NETIF	1
#define ETHARP_SUPPORT_STATIC_ENTRIES	1
#define ETH_PAD_SIZE			0
#define LWIP_IPV4			1
#define LWIP_IPV6			1
#define IP_FORWARD			0
#define IP_OPTIONS_ALLOWED		1
#define IP_REASSEMBLY			1
#define IP_FRAG				1
#define IP_REASS_MAX_PBUFS		1024
#define MEMP_NUM_REASSDATA		64
#define IP_REASS_MAXAGE			30
#define IP_DEFAULT_TTL			64
#define IP_SOF_BROADCAST		0
#define IP_SOF_BROADCAST_RECV		0
#define LWIP_ICMP			1
#define LWIP_ICMP6_DATASIZE		1232	/* what a report quotes: it is no larger than the least MTU */
#define LWIP_BROADCAST_PING		0
#define LWIP_MULTICAST_PING		0
#define LWIP_IGMP			1
#define LWIP_MULTICAST_TX_OPTIONS	1
#define LWIP_LOOPIF_MULTICAST		0
#define LWIP_HAVE_LOOPIF		0	/* lo is a device like others; its packets come back at the unlock */
#define LWIP_NETIF_LOOPBACK		0
#define LWIP_SINGLE_NETIF		0
#define LWIP_NETIF_HWADDRHINT		0
#define LWIP_IPV6_MLD			1
#define LWIP_IPV6_FRAG			1
#define LWIP_IPV6_REASS			1
#define IPV6_FRAG_COPYHEADER		1	/* its helper is larger than the header, with 64-bit pointers */
#define LWIP_IPV6_NUM_ADDRESSES		8
#define LWIP_IPV6_AUTOCONFIG		1
#define LWIP_IPV6_ADDRESS_LIFETIMES	1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS	1
#define LWIP_ND6_NUM_NEIGHBORS		64
#define LWIP_ND6_NUM_DESTINATIONS	64
#define LWIP_ND6_QUEUEING		1	/* lwIP has no limit a neighbour: neighbour.c */

/* Protocols: UDP and raw sockets are ours (dgram.c); lwIP's raw hooks bring the packets. */
#define LWIP_UDP			0
#define LWIP_RAW			1
#define LWIP_TCP			1
#define LWIP_CALLBACK_API		1
#define LWIP_TCP_PCB_NUM_EXT_ARGS	1	/* tells us when a pcb goes: tcp.c */
#define TCP_LISTEN_BACKLOG		0	/* 8 bits: ours instead */
#define SO_REUSE			1	/* the exact listener before the general one; who may bind, ports.c says */
#define TCP_MSS				65475	/* what lo's MTU carries; others by their MTU */
#define TCP_CALCULATE_EFF_SEND_MSS	1
#define LWIP_WND_SCALE			1
#define TCP_RCV_SCALE			7
#define TCP_WND				(4 * 1024 * 1024)	/* a socket's own is less: tcp.c withholds the rest */
#define TCP_SND_BUF			(64 * 1024 * 1024)	/* ours is the limit: SO_SNDBUF */
#define TCP_SND_QUEUELEN		0xfff0
#define TCP_SNDLOWAT			1
#define TCP_SNDQUEUELOWAT		1
#define LWIP_DISABLE_TCP_SANITY_CHECKS	1	/* they are about fixed pools */
#define TCP_WND_UPDATE_THRESHOLD	LWIP_MIN(16384U, pcb->mss)	/* stands where there is a pcb */
#define TCP_OVERSIZE			0	/* nothing is copied */
#define LWIP_TCP_SACK_OUT		1
#define LWIP_TCP_TIMESTAMPS		1
#define TCP_QUEUE_OOSEQ			1
#define LWIP_TCP_KEEPALIVE		1
#define TCP_TMR_INTERVAL		40	/* what acknowledgements wait at most, as on Linux; twice that is the tick of all else */
#define TCP_MSL				30000	/* twice that in TIME_WAIT, as Linux */
#define LWIP_TCP_RTO_TIME		1000	/* before there is a measurement (RFC 6298) */
#define TCP_MAXRTX			12	/* and some more: tcp_timer.c */
#define TCP_SYNMAXRTX			6
#define TCP_TTL				64
