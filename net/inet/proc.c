/* /proc/net: sockets of the Internet families, routes, addresses, counts.  Formats are Linux's, to the column. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/time/time.h>
#include <linux/in.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include <net/inet/address.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>

#define TCP_WIDTH	149
#define SHOWN_AT_ONCE	64u
#define WIDTH		127

/* Which file: its family, and, of datagrams, whose. */
struct kind { u16 family; struct port_table *ports; };
static const struct kind tcp4 = { AF_INET, &tcp_ports }, tcp6 = { AF_INET6, &tcp_ports }, udp4 = { AF_INET, &udp_ports }, udp6 = { AF_INET6, &udp_ports },
	lite4 = { AF_INET, &udplite_ports }, lite6 = { AF_INET6, &udplite_ports },
	raw4 = { AF_INET, &raw_ports }, raw6 = { AF_INET6, &raw_ports }, icmp4 = { AF_INET, &ping_ports }, icmp6 = { AF_INET6, &ping_ports };

static size_t put_end(char *to, size_t size, u16 family, const ip_addr_t *a, u16 port)
{
	const u32 *w = ip_2_ip6(a)->addr;

	if (family == AF_INET)
		return scnprintf(to, size, "%08X:%04X ", IP_IS_V4(a) ? ip_2_ip4(a)->addr : 0, port);
	if (IP_IS_V4(a))
		return scnprintf(to, size, "0000000000000000FFFF0000%08X:%04X ", ip_2_ip4(a)->addr, port);
	if (IP_IS_ANY_TYPE_VAL(*a))
		return scnprintf(to, size, "%032X:%04X ", 0, port);
	return scnprintf(to, size, "%08X%08X%08X%08X:%04X ", w[0], w[1], w[2], w[3], port);
}

static size_t put_ends(char *to, size_t size, u16 family, const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	size_t n = put_end(to, size, family, local, lport);

	return n + put_end(to + n, size - n, family, remote, rport);
}

static const char *const heads[2] = {
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
	"  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode" };

/* --- TCP --------------------------------------------------------------------------------------------------------------------------- */

static u8 tcp_state(const struct tcpsock *t)
{
	static const u8 number[] = { [CLOSED] = 7, [LISTEN] = 10, [SYN_SENT] = 2, [SYN_RCVD] = 3, [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5,
				     [CLOSE_WAIT] = 8, [CLOSING] = 11, [LAST_ACK] = 9, [TIME_WAIT] = 6 };

	return t->pcb ? number[t->pcb->state] : 7;
}

static void show_connection(struct seq *s, u32 nth, const struct tcpsock *t)
{
	const struct inet_sock *i = &t->i;
	bool listening = t->state == TS_LISTENING;
	char line[TCP_WIDTH + 1];
	size_t n = scnprintf(line, sizeof(line), "%4u: ", nth);

	n += put_ends(line + n, sizeof(line) - n, i->s.family, &i->local, i->lport, &i->remote, i->rport);
	scnprintf(line + n, sizeof(line) - n, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016lx %lu %lu %u %u %d", tcp_state(t),
		  READ_ONCE(t->tx_queued), listening ? READ_ONCE(t->nr_accepted) : READ_ONCE(t->rx_bytes), 0, 0ul,
		  listening || !t->pcb ? 0 : t->pcb->nrtx, i->s.uid, 0,
		  READ_ONCE(i->s.ino), refcount_read(&i->refs), 0ul, 100ul, 0ul, 0, 10, -1);
	seq_printf(s, "%-*s\n", TCP_WIDTH, line);
}

static u32 show_time_waits(struct seq *s, u32 nth, u16 family)
{
	u64 now = clock_mono_ns();

	for (u32 k = 0; k < TIME_WAIT_BUCKETS; k++)
		for (const struct time_wait *w = tcp_time_wait_nth(k); w; w = w->next) {
			char line[TCP_WIDTH + 1];
			size_t n;

			if ((family == AF_INET) != IP_IS_V4(&w->remote))
				continue;
			n = scnprintf(line, sizeof(line), "%4u: ", nth++);
			n += put_ends(line + n, sizeof(line) - n, family, &w->local, w->lport, &w->remote, w->rport);
			scnprintf(line + n, sizeof(line) - n, "%02X %08X:%08X %02X:%08lX %08X %5d %8d %d %d %016lx", 6, 0, 0, 3,
				  w->until > now ? (w->until - now) / 10000000 : 0, 0, 0, 0, 0, 3, 0ul);
			seq_printf(s, "%-*s\n", TCP_WIDTH, line);
		}
	return nth;
}

/* Between two buckets, after so many sockets: the network goes on meanwhile. */
static void breathe(u32 *shown, u32 nth)
{
	if (nth - *shown < SHOWN_AT_ONCE)
		return;
	*shown = nth;
	net_core_unlock();
	net_core_lock();
}

static int tcp_show(struct seq *s, void *arg)
{
	const struct kind *k = arg;
	u32 nth = 0, shown = 0;

	if (k->family == AF_INET)
		seq_printf(s, "%-*s\n", TCP_WIDTH, heads[0]);
	else
		seq_printf(s, "%s\n", heads[1]);
	net_core_lock();
	for (u32 b = 0; tcp_ports.bucket && b < PORT_BUCKETS; b++) {
		const struct inet_sock *i;

		list_for_each_entry(i, &tcp_ports.bucket[b], port_link) {
			const struct tcpsock *t = container_of(i, struct tcpsock, i);

			if (i->s.family == k->family && (t->pcb || t->state == TS_LISTENING))
				show_connection(s, nth++, t);
		}
		breathe(&shown, nth);
	}
	show_time_waits(s, nth, k->family);
	net_core_unlock();
	return 0;
}
PROC_FILE(net_tcp, .path = "net/tcp", .mode = 0444, .show = tcp_show, .arg = (void *)&tcp4);
PROC_FILE(net_tcp6, .path = "net/tcp6", .mode = 0444, .show = tcp_show, .arg = (void *)&tcp6);

/* --- datagrams --------------------------------------------------------------------------------------------------------------------- */

static void show_datagrams(struct seq *s, const struct inet_sock *i)
{
	const struct dgramsock *d = container_of(i, struct dgramsock, i);
	char line[256];
	size_t n = scnprintf(line, sizeof(line), "%5u: ", i->lport % PORT_BUCKETS);

	n += put_ends(line + n, sizeof(line) - n, i->s.family, &i->local, i->lport, &i->remote, d->kind == DGRAM_RAW ? 0 : i->rport);
	scnprintf(line + n, sizeof(line) - n, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016lx %lu", d->connected ? 1 : 7, 0,
		  READ_ONCE(d->rx_bytes), 0, 0ul, 0,
		  i->s.uid, 0, READ_ONCE(i->s.ino), refcount_read(&i->refs) + 1, 0ul, READ_ONCE(d->drops));
	if (i->s.family == AF_INET)
		seq_printf(s, "%-*s\n", WIDTH, line);
	else
		seq_printf(s, "%s\n", line);
}

static int dgram_show(struct seq *s, void *arg)
{
	const struct kind *k = arg;
	bool udp = k->ports == &udp_ports || k->ports == &udplite_ports;
	u32 nth = 0, shown = 0;
	char head[200];

	scnprintf(head, sizeof(head), "%s%s ref pointer drops", udp && k->family == AF_INET ? " " : "", heads[k->family == AF_INET6]);
	if (k->family == AF_INET)
		seq_printf(s, "%-*s\n", WIDTH, head);
	else
		seq_printf(s, "%s\n", head);
	net_core_lock();
	for (u32 b = 0; k->ports->bucket && b < PORT_BUCKETS; b++) {
		const struct inet_sock *i;

		list_for_each_entry(i, &k->ports->bucket[b], port_link)
			if (i->s.family == k->family) {
				show_datagrams(s, i);
				nth++;
			}
		breathe(&shown, nth);
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_udp, .path = "net/udp", .mode = 0444, .show = dgram_show, .arg = (void *)&udp4);
PROC_FILE(net_udp6, .path = "net/udp6", .mode = 0444, .show = dgram_show, .arg = (void *)&udp6);
PROC_FILE(net_udplite, .path = "net/udplite", .mode = 0444, .show = dgram_show, .arg = (void *)&lite4);
PROC_FILE(net_udplite6, .path = "net/udplite6", .mode = 0444, .show = dgram_show, .arg = (void *)&lite6);
PROC_FILE(net_raw, .path = "net/raw", .mode = 0444, .show = dgram_show, .arg = (void *)&raw4);
PROC_FILE(net_raw6, .path = "net/raw6", .mode = 0444, .show = dgram_show, .arg = (void *)&raw6);
PROC_FILE(net_icmp, .path = "net/icmp", .mode = 0444, .show = dgram_show, .arg = (void *)&icmp4);
PROC_FILE(net_icmp6, .path = "net/icmp6", .mode = 0444, .show = dgram_show, .arg = (void *)&icmp6);

/* --- counts of sockets ------------------------------------------------------------------------------------------------------------- */

struct numbers { u32 inuse, orphans, tcp_bytes; };

static struct numbers count(const struct port_table *ports, u16 family)
{
	struct numbers c = { 0 };

	for (u32 b = 0; ports->bucket && b < PORT_BUCKETS; b++) {
		const struct inet_sock *i;

		list_for_each_entry(i, &ports->bucket[b], port_link) {
			c.inuse += i->s.family == family;
			if (ports->tcp)
				c.orphans += i->s.family == family && container_of(i, struct tcpsock, i)->orphan;
		}
	}
	return c;
}

static int sockstat_show(struct seq *s, void *arg)
{
	struct numbers tcp, udp, raw, six;

	(void)arg;
	net_core_lock();
	tcp = count(&tcp_ports, AF_INET);
	six = count(&tcp_ports, AF_INET6);
	udp = count(&udp_ports, AF_INET);
	raw = count(&raw_ports, AF_INET);
	seq_printf(s, "sockets: used %u\n", tcp_ports.users + udp_ports.users + udplite_ports.users + raw_ports.users + ping_ports.users);
	seq_printf(s, "TCP: inuse %u orphan %u tw %u alloc %u mem %lu\n", tcp.inuse, tcp.orphans + six.orphans, tcp_time_wait_count(), tcp_ports.users,
		   (u64)atomic_load(&inet_mem_bytes) >> PAGE_SHIFT);
	seq_printf(s, "UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n", udp.inuse, count(&udplite_ports, AF_INET).inuse,
		   raw.inuse);
	net_core_unlock();
	return 0;
}
PROC_FILE(net_sockstat, .path = "net/sockstat", .mode = 0444, .show = sockstat_show);

static int sockstat6_show(struct seq *s, void *arg)
{
	(void)arg;
	net_core_lock();
	seq_printf(s, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\nFRAG6: inuse 0 memory 0\n", count(&tcp_ports, AF_INET6).inuse,
		   count(&udp_ports, AF_INET6).inuse, count(&udplite_ports, AF_INET6).inuse, count(&raw_ports, AF_INET6).inuse);
	net_core_unlock();
	return 0;
}
PROC_FILE(net_sockstat6, .path = "net/sockstat6", .mode = 0444, .show = sockstat6_show);

/* --- routes, addresses ------------------------------------------------------------------------------------------------------------- */

static int route_show(struct seq *s, void *arg)
{
	const struct route *r;
	char line[WIDTH + 1];

	(void)arg;
	seq_printf(s, "%-*s\n", WIDTH, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	net_core_lock();
	list_for_each_entry_reverse(r, &routes4, link) {
		u32 flags = RTF_UP | (r->has_gateway ? RTF_GATEWAY : 0) | (r->prefix == 32 ? RTF_HOST : 0) | (r->type == RTN_UNICAST ? 0 : RTF_REJECT);

		if (r->table != RT_TABLE_MAIN)
			continue;
		scnprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u", r->dev ? r->dev->name : "*", r->dest[0],
			  r->gateway[0], flags, 0, 0, r->metric, lwip_htonl(prefix_mask4(r->prefix)), 0, 0, 0);
		seq_printf(s, "%-*s\n", WIDTH, line);
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_route, .path = "net/route", .mode = 0444, .show = route_show);

static void put_words(struct seq *s, const u32 *w)
{
	seq_printf(s, "%08x%08x%08x%08x", lwip_ntohl(w[0]), lwip_ntohl(w[1]), lwip_ntohl(w[2]), lwip_ntohl(w[3]));
}

static void show_route6(struct seq *s, const struct route *r)
{
	static const u32 none[4];

	put_words(s, r->dest);
	seq_printf(s, " %02x ", r->prefix);
	put_words(s, none);
	seq_puts(s, " 00 ");
	put_words(s, r->gateway);
	seq_printf(s, " %08x %08x %08x %08x %8s\n", r->metric, 1, 0, RTF_UP | (r->has_gateway ? RTF_GATEWAY : 0), r->dev ? r->dev->name : "lo");
}

static int route6_show(struct seq *s, void *arg)
{
	struct route learned[ROUTES_LEARNED];
	const struct route *r;
	u32 n;

	(void)arg;
	net_core_lock();
	list_for_each_entry(r, &routes6, link)
		show_route6(s, r);
	n = routes_learned(learned);
	for (u32 i = 0; i < n; i++)
		show_route6(s, &learned[i]);
	net_core_unlock();
	return 0;
}
PROC_FILE(net_ipv6_route, .path = "net/ipv6_route", .mode = 0444, .show = route6_show);

static int inet6_show(struct seq *s, void *arg)
{
	(void)arg;
	net_core_lock();
	for_each_interface(i) {
		if (i->first != i)
			continue;
		for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
			const ip6_addr_t *a = netif_ip6_addr(&i->n, k);
			u8 state = netif_ip6_addr_state(&i->n, k);
			bool loopback = ip6_addr_isloopback(a);

			if (ip6_addr_isinvalid(state))
				continue;
			put_words(s, a->addr);
			seq_printf(s, " %02x %02x %02x %02x %8s\n", i->dev->index, address_prefix6(i, k), loopback ? 0x10 : ip6_addr_islinklocal(a) ? 0x20 : 0,
				   (netif_ip6_addr_isstatic(&i->n, k) || netif_ip6_addr_valid_life(&i->n, k) == IP6_ADDR_LIFE_INFINITE ? 0x80 : 0) |
				   (ip6_addr_istentative(state) ? 0x40 : 0), i->dev->name);
		}
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_if_inet6, .path = "net/if_inet6", .mode = 0444, .show = inet6_show);

/* --- counts of packets ------------------------------------------------------------------------------------------------------------- */

static void count_established(const struct tcp_pcb *p, void *arg)
{
	*(u32 *)arg += p->state == ESTABLISHED || p->state == CLOSE_WAIT;
}

static u32 established(void)
{
	u32 n = 0;

	tcp_for_each(count_established, &n);
	return n;
}

static int snmp_show(struct seq *s, void *arg)
{
	const struct stats_mib2 *m = &lwip_stats.mib2;
	static const struct { const char *name; const struct udp_counts *counts; } udp[] = { { "Udp", &udp_counts }, { "UdpLite", &udplite_counts } };
	const struct tcp_counts *t = &tcp_counts;

	(void)arg;
	net_core_lock();
	seq_puts(s, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests "
		 "OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
	seq_printf(s, "Ip: 2 64 %u %u %u %u %u %u %u %u %u %u 0 %u %u %u %u %u %u\n", m->ipinreceives, m->ipinhdrerrors, m->ipinaddrerrors, m->ipforwdatagrams,
		   m->ipinunknownprotos, m->ipindiscards, m->ipindelivers, m->ipoutrequests, m->ipoutdiscards, m->ipoutnoroutes, m->ipreasmreqds,
		   m->ipreasmoks, m->ipreasmfails, m->ipfragoks, m->ipfragfails, m->ipfragcreates);
	seq_puts(s, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps "
		 "InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos "
		 "OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
	seq_printf(s, "Icmp: %u %u 0 %u %u %u %u %u %u %u 0 0 0 0 %u %u %u %u 0 0 0 %u %u 0 0 0 0\n", m->icmpinmsgs, m->icmpinerrors, m->icmpindestunreachs,
		   m->icmpintimeexcds, m->icmpinparmprobs, m->icmpinsrcquenchs, m->icmpinredirects, m->icmpinechos, m->icmpinechoreps,
		   m->icmpoutmsgs, m->icmpouterrors, m->icmpoutdestunreachs, m->icmpouttimeexcds, m->icmpoutechos, m->icmpoutechoreps);
	seq_puts(s, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs "
		 "OutRsts InCsumErrors\n");
	seq_printf(s, "Tcp: 1 500 120000 -1 %lu %lu %lu %lu %u %lu %u %u %u %u 0\n", t->active_opens, t->passive_opens, t->attempt_fails, t->estab_resets,
		   established(), t->segments_in, m->tcpoutsegs, m->tcpretranssegs, m->tcpinerrs, m->tcpoutrsts);
	for (u32 k = 0; k < ARRAY_SIZE(udp); k++) {
		const struct udp_counts *d = udp[k].counts;

		seq_printf(s, "%s: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n", udp[k].name);
		seq_printf(s, "%s: %lu %lu %lu %lu %lu 0 %lu 0 %lu\n", udp[k].name, d->in, d->no_ports, d->in_errors, d->out, d->rcvbuf_errors,
			   d->csum_errors, d->mem_errors);
	}
	net_core_unlock();
	return 0;
}
PROC_FILE(net_snmp, .path = "net/snmp", .mode = 0444, .show = snmp_show);

static int netstat_show(struct seq *s, void *arg)
{
	(void)arg;
	net_core_lock();
	seq_puts(s, "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed TW ListenOverflows ListenDrops TCPTimeWaitOverflow TCPReqQFullDoCookies\n");
	seq_printf(s, "TcpExt: %lu %lu %lu %lu %lu %lu %lu %lu\n", tcp_counts.cookies_sent,
		   tcp_counts.cookies_received, tcp_counts.cookies_failed, tcp_counts.time_waits, tcp_counts.listen_overflows, tcp_counts.listen_drops,
		   tcp_counts.time_wait_overflow, tcp_counts.cookies_instead);
	net_core_unlock();
	return 0;
}
PROC_FILE(net_netstat, .path = "net/netstat", .mode = 0444, .show = netstat_show);
