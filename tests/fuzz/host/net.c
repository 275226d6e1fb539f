/* FILES: @lwip @inet net/packet net/checksum net/filter kernel/lib/siphash kernel/lib/rbtree kernel/lib/fmt kernel/lib/string tests/fuzz/host/net/floor
 *
 * Frames that come in, through net/inet's interface code and lwIP with our options, to sockets that are read, written and closed meanwhile.  Input:
 * steps, each a byte of what and its operands (step()).  Frames come singly or in batches.  A frame may be left as it is, or its checksums be taken for looked at; TCP segments are made
 * for connections whose numbers are followed.  Afterwards all is closed and waited for, and what is left must be what was there before.
 *
 * An input that begins with 0xff is a classic BPF program and a packet instead. */
#include <net/inet/interface.c>
#include <net/inet/interface_in.c>
#include <net/inet/interface_out.c>
#include <net/checksum.h>
#include <net/filter.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/tcp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <tests/fuzz/host/net/floor.h>

#define MUST(c) do { if (!(c)) host_die(#c, __FILE__, __LINE__); } while (0)
#define NONBLOCK	04000u
#define MOST		12u
#define SLACK		8u	/* a device's buffer goes on behind the frame: lwIP looks for the fields of an IPv6 extension header before it asks whether it is whole */

static struct netdev *dev;
static const u8 mac[6] = { 2, 0, 0, 0, 0, 10 };
static const u8 us4[4] = { 10, 9, 0, 2 }, peer4[4] = { 10, 9, 0, 1 };
static const u8 us6[16] = { 0xfd, 9, [15] = 2 }, peer6[16] = { 0xfd, 9, [15] = 1 };

static const u8 *input;
static size_t left;
static u8 byte(void) { return left ? left--, *input++ : 0; }
static u16 two(void) { u16 v = byte(); return (u16)(v << 8 | byte()); }

/* --- frames */

static struct { bool six; u16 ours, theirs; u32 seq, ack; } talks[8];	/* seq: the next that the guest expects; ack: what it has sent up to */
static u32 nr_talks;

static void put16(u8 *p, u32 v) { p[0] = (u8)(v >> 8); p[1] = (u8)v; }
static void put32(u8 *p, u32 v) { put16(p, v >> 16); put16(p + 2, v); }
static u32 get16(const u8 *p) { return (u32)p[0] << 8 | p[1]; }
static u32 get32(const u8 *p) { return get16(p) << 16 | get16(p + 2); }

void net_sent(const u8 *f, u32 len)
{
	bool six = len >= 54 && f[12] == 0x86;
	u32 at = six ? 54 : 14 + (f[14] & 15) * 4u, data, i;

	if (len < 34 || !(six ? f[20] == 6 : f[12] == 8 && f[13] == 0 && f[23] == 6) || len < at + 20)
		return;
	for (i = 0; i < nr_talks; i++)
		if (talks[i].six == six && talks[i].theirs == get16(f + at) && talks[i].ours == get16(f + at + 2))
			break;
	if (i == nr_talks && i == ARRAY_SIZE(talks))
		return;
	nr_talks = max(nr_talks, i + 1);
	data = len - at - (u32)(f[at + 12] >> 4) * 4;
	talks[i].six = six;
	talks[i].theirs = (u16)get16(f + at);
	talks[i].ours = (u16)get16(f + at + 2);
	talks[i].ack = get32(f + at + 4) + data + (f[at + 13] & 1) + (f[at + 13] >> 1 & 1);
	if (f[at + 13] & 16)
		talks[i].seq = get32(f + at + 8);
}

static LIST_HEAD(batch);
static u32 held;		/* frames in it */
static bool holding;

static void batch_comes(void)
{
	holding = false;
	held = 0;
	take_packets(dev, &batch);
	packet_list_put(&batch);
}

/* len bytes come in, in pieces of `cut` (0: one). */
static void come(const u8 *frame, u32 len, bool looked_at, u32 cut)
{
	struct packet *p;

	p = packet_alloc(len + SLACK);
	MUST(p);
	memcpy(p->piece[0].data, frame, len);
	if (cut && len > cut) {
		u8 *at = p->piece[0].data;

		p->nr_pieces = 0;
		p->len = 0;
		for (u32 off = 0; off < len; off += cut) {
			if (p->nr_pieces == PACKET_PIECES - 1)
				cut = len - off;
			packet_add(p, at + off, min(cut, len - off));
		}
	} else {
		packet_set_len(p, len);
	}
	p->dev = dev;
	p->checksum = looked_at ? PACKET_SUM_GOOD : PACKET_SUM_NONE;
	for_each_interface(i)
		if (i->dev == dev)
			i->n.chksum_flags = looked_at ? 0 : NETIF_CHECKSUM_ENABLE_ALL;
	list_add_tail(&p->link, &batch);
	if (!holding || ++held == 64)
		batch_comes();
}

static u32 ethernet(u8 *f, u32 kind, bool all)
{
	memcpy(f, all ? (const u8 *)"\xff\xff\xff\xff\xff\xff" : dev->address, 6);
	memcpy(f + 6, mac, 6);
	put16(f + 12, kind);
	return 14;
}

static u32 ip_header(u8 *f, bool six, u8 proto, u32 len)
{
	u8 *ip = f + ethernet(f, six ? 0x86dd : 0x800, false);

	if (six) {
		memset(ip, 0, 8);
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = proto;
		ip[7] = 255;
		memcpy(ip + 8, peer6, 16);
		memcpy(ip + 24, us6, 16);
		return 54;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, len + 20);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, peer4, 4);
	memcpy(ip + 16, us4, 4);
	put16(ip + 10, (u16)~__builtin_bswap16(checksum(ip, 20)));
	return 34;
}

static u32 take_bytes(u8 *to, u32 n)
{
	n = min_t(u32, n, (u32)left);
	memcpy(to, input, n);
	input += n;
	left -= n;
	return n;
}

static const u32 far_away[16] = { 0, 0, 0, 0, 1, -1u, 2, -2u, 1460, -1460u, 65535, -65536u, 1u << 30, 1u << 31, (1u << 31) - 1, 100 };

static u8 frame[3000];

static void segment(u32 i, u8 flags, u8 far, u16 window, u32 nr_options, u32 len)
{
	u8 *tcp;
	u32 at, options = 0;

	if (i >= nr_talks)
		return;
	at = talks[i].six ? 54 : 34;
	tcp = frame + at;
	memset(tcp, 0, 60);
	put16(tcp, talks[i].ours);
	put16(tcp + 2, talks[i].theirs);
	put32(tcp + 4, talks[i].seq + far_away[far & 15]);
	put32(tcp + 8, talks[i].ack + far_away[far >> 4]);
	options = take_bytes(tcp + 20, nr_options * 4);
	options = (options + 3) & ~3u;
	tcp[12] = (u8)((5 + options / 4) << 4);
	tcp[13] = flags;
	put16(tcp + 14, window);
	len = take_bytes(tcp + 20 + options, len);
	(void)ip_header(frame, talks[i].six, 6, 20 + options + len);
	come(frame, at + 20 + options + len, true, 0);
	if (holding)
		talks[i].seq += len;
}

/* A whole handshake with a listener. */
static void handshake(bool six, u16 ours, bool last)
{
	u32 i = nr_talks;

	if (i == ARRAY_SIZE(talks))
		return;
	talks[nr_talks++] = (typeof(talks[0])){ six, ours, 7, 1000, 0 };
	segment(i, 2, 0, 0xffff, byte() & 3, 0);
	if (last)
		segment(i, 16, 0, 0xffff, 0, 0);
}

/* --- sockets */

static struct socket *sockets[MOST];

static struct socket *add(struct socket *s)
{
	for (u32 i = 0; i < MOST; i++)
		if (!sockets[i])
			return sockets[i] = s;
	s->linger = 0;
	s->ops->release(s);
	return NULL;
}

static void address(struct sockaddr_any *a, bool six, const u8 *ip, u16 port)
{
	memset(a, 0, sizeof(*a));
	a->family = six ? AF_INET6 : AF_INET;
	put16(a->bytes, port);
	if (ip)
		memcpy(a->bytes + (six ? 6 : 2), ip, six ? 16 : 4);
}

static struct socket *open(u16 family, int type, int protocol, u16 port)
{
	struct sockaddr_any a;
	struct socket *s = NULL;

	if ((type == SOCK_STREAM ? tcpsock_create(family, &s) : dgram_create(family, type, protocol, &s)) || !s)
		return NULL;
	s->linger = 0;
	if (port) {
		address(&a, family == AF_INET6, NULL, port);
		MUST(!s->ops->bind(s, &a, family == AF_INET6 ? 28 : 16) || port != 7);
	}
	return add(s);
}

static void transfer(struct socket *s, u32 n, bool out, bool to_peer)
{
	static u8 bytes[20000];
	struct sockaddr_any a;
	struct iov_seg seg;
	struct iov_iter it;
	struct message m = { .name = &a, .flags = MSG_DONTWAIT, .iter = &it };

	iov_iter_kernel(&it, &seg, bytes, min_t(u32, n, sizeof(bytes)));
	if (out) {
		address(&a, s->family == AF_INET6, s->family == AF_INET6 ? peer6 : peer4, 9);
		m.name = to_peer ? &a : NULL;
		m.name_len = to_peer ? s->family == AF_INET6 ? 28 : 16 : 0;
		(void)s->ops->send(s, &m);
	} else {
		(void)s->ops->receive(s, &m);
	}
}

static void act(struct socket *s, u32 i, u8 what)
{
	struct sockaddr_any a;
	struct socket *child;

	switch (what & 7) {
	case 0: case 1:
		if (s->listening || (s->ops->accept && i == 0)) {
			if (!s->ops->accept(s, &child, NONBLOCK)) {
				child->linger = 0;
				(void)add(child);
			}
			break;
		}
		transfer(s, 1u << (what >> 4), false, false);
		break;
	case 2: case 3:
		transfer(s, 3u << (what >> 4), true, what & 8);
		break;
	case 4:
		if (s->ops->shutdown)
			(void)s->ops->shutdown(s, 1 + (what >> 3) % 3);
		break;
	case 5:
		address(&a, s->family == AF_INET6, s->family == AF_INET6 ? peer6 : peer4, 1234);
		(void)s->ops->connect(s, &a, s->family == AF_INET6 ? 28 : 16, NONBLOCK);
		break;
	case 6:
		if (i) {
			s->linger = what & 8 ? 0 : -1;
			sockets[i] = NULL;
			s->ops->release(s);
		}
		break;
	default:
		(void)open(what & 8 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, 0);
	}
}

/* --- a run */

static void step(void)
{
	u8 what = byte(), more;
	u32 len;

	switch (what & 7) {
	case 0:			/* a frame as it is */
		len = take_bytes(frame, byte());
		come(frame, len, what & 8, what >> 4);
		break;
	case 1:			/* to us, of a kind */
		len = ethernet(frame, (u32[]){ 0x800, 0x86dd, 0x806, 0x800 }[what >> 4 & 3], what & 0x40);
		len += take_bytes(frame + len, byte() + (what & 0x80 ? 200 : 0));
		come(frame, len, what & 8, 0);
		break;
	case 2:			/* of a protocol to our address */
		more = byte();
		len = take_bytes(frame + (what & 8 ? 54 : 34), byte());
		len += ip_header(frame, what & 8, more, len);
		if (!(what & 8) && (what & 16))
			put16(frame + 20, two());	/* a fragment */
		come(frame, len, true, what >> 5);
		break;
	case 3: case 4:
		more = byte();
		segment(more & 7, byte(), byte(), two(), what >> 3 & 7, more >> 3 ? (more >> 3) * 40u : 0);
		break;
	case 5:
		handshake(what & 8, (u16)(4000 + (what >> 5)), what & 16);
		break;
	case 6:
		more = byte() % MOST;
		if (sockets[more])
			act(sockets[more], more, byte());
		break;
	default:
		batch_comes();
		holding = what & 8;
		if (what & 16) {	/* the machine stands still */
			net_now += (1 + byte()) * NSEC_PER_SEC;
			break;
		}
		for (u64 until = net_now + (1 + byte()) * 20 * NSEC_PER_MSEC; net_timers(until); )
			;
	}
}

static void up(void)
{
	struct address4 a4 = { .prefix = 24 };
	struct address6 a6 = { .prefix = 64, .flags = 2 /* IFA_F_NODAD */ };
	static bool first = true;

	dev->flags |= IFF_UP;
	netdev_changed(dev, NETDEV_UP);
	mutex_lock(&net_config_lock);
	if (first) {
		memcpy(&a4.address, us4, 4);
		a4.peer = a4.address;
		MUST(!address_add4(dev, &a4));
	}
	memcpy(&a6.address, us6, 16);
	MUST(!address_add6(dev, &a6));
	mutex_unlock(&net_config_lock);
	first = false;
}

static void peer_is_known(void)
{
	static const u8 arp[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 10, 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, 2 };
	static const u8 ask[] = { 135, 0, 0, 0, 0, 0, 0, 0, 0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 2, 0, 0, 0, 0, 10 };
	u32 len = ethernet(frame, 0x806, true);

	memcpy(frame + len, arp, sizeof(arp));
	come(frame, len + sizeof(arp), true, 0);
	memcpy(frame + 54, ask, sizeof(ask));
	len = ip_header(frame, true, 58, sizeof(ask));
	come(frame, len + sizeof(ask), true, 0);
}

static s64 engine_bytes;	/* that lwIP has with an interface and no sockets */

static void begin(void)
{
	struct socket *s;

	nr_talks = 0;
	up();
	peer_is_known();
	engine_bytes = inet_mem_bytes;
	s = open(AF_INET6, SOCK_STREAM, 0, 7);
	MUST(s && !s->ops->listen(s, 3));
	s = open(AF_INET6, SOCK_DGRAM, 0, 9);
	inet_of(s)->opt.told = ~0u;
	inet_of(s)->opt.recverr = inet_of(s)->opt.recverr6 = true;
	(void)open(AF_INET, SOCK_DGRAM, 0, 5000);
	(void)open(AF_INET, SOCK_RAW, 1, 0);
	(void)open(AF_INET6, SOCK_RAW, 58, 0);
	(void)open(AF_INET, SOCK_RAW, 99, 0);
}

#define PATIENCE	(1200 * NSEC_PER_SEC)	/* more than anything waits for with no socket there */
#define ADDRESSES	4096			/* bytes: groups of addresses that routers advertised */

static void end(void)
{
	u64 until = net_now + PATIENCE;

	for (u32 i = 0; i < MOST; i++)
		if (sockets[i]) {
			sockets[i]->linger = 0;
			sockets[i]->ops->release(sockets[i]);
			sockets[i] = NULL;
		}
	while (inet_mem_bytes > engine_bytes + ADDRESSES && net_timers(until))
		;
	MUST(inet_mem_bytes <= engine_bytes + ADDRESSES);	/* whether or not anything uses the link */
	netdev_changed(dev, NETDEV_GOING_DOWN);
	dev->flags &= ~(u32)IFF_UP;
	netdev_changed(dev, NETDEV_DOWN);
	for (u32 i = 0; i < 20000 && net_timers_armed(); i++)
		(void)net_timers(~0ull);
	MUST(!net_timers_armed());
	rcu_barrier();
}

static void run(const u8 *data, size_t size)
{
	begin();
	input = data;
	left = size;
	for (u32 i = 0; i < 200 && left; i++)
		step();
	batch_comes();
	end();
}

static void filter(const u8 *data, size_t size)
{
	static struct { struct filter f; struct filter_insn insn[64]; } prog;
	u32 nr = size ? data[0] % 65u : 0;
	struct filter_input in = { .protocol = 0x800, .net_off = 14 };

	if (size < 1 + nr * 8)
		return;
	prog.f.nr = nr;
	memcpy(prog.f.insn, data + 1, nr * 8);
	if (filter_check(prog.f.insn, nr))
		return;
	in.len = (u32)(size - 1 - nr * 8);
	in.data = host_alloc(in.len);
	memcpy((void *)in.data, data + 1 + nr * 8, in.len);
	(void)filter_run(&prog.f, &in);
	host_free((void *)in.data);
}

static void start(void)
{
	static const u8 warm[] = { 0x15, 0, 0x06, 0, 0, 0x06, 6, 0x42 };

	dev = net_floor_init();
	MUST(dev);
	MUST(!__netdev_listener_inet.admit(loopback_dev));
	loopback_dev->flags |= IFF_UP;
	netdev_changed(loopback_dev, NETDEV_UP);
	MUST(!__netdev_listener_inet.admit(dev));
	run(warm, sizeof(warm));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool started;
	u64 live;
	u32 pages;

	if (!started)
		start();
	started = true;
	if (size && data[0] == 0xff) {
		filter(data + 1, size - 1);
		return 0;
	}
	for (u32 again = 0; again < 3; again++) {	/* what is made once, and kept, may be made now */
		live = host_live();
		pages = net_pages;
		run(data, size);
		if (host_live() == live && net_pages == pages)
			return 0;
	}
	host_die("something was kept", __FILE__, __LINE__);
}
