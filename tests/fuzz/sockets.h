/* Random calls on sockets of every family, with structures that are nearly right: addresses, headers with control messages, options, netlink
 * requests, filters.  Included by syscalls.c, whose generator and pages it draws from. */
#pragma once
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define SOCKETS_FROM	10		/* descriptors that are mostly sockets */
#define SOCKETS_TO	34

static const struct { int family, type, protocol; } socket_kinds[] = {
	{ AF_UNIX, SOCK_STREAM, 0 }, { AF_UNIX, SOCK_DGRAM, 0 }, { AF_UNIX, SOCK_SEQPACKET, 0 }, { AF_INET, SOCK_STREAM, 0 }, { AF_INET6, SOCK_STREAM, 0 },
	{ AF_INET, SOCK_DGRAM, 0 }, { AF_INET6, SOCK_DGRAM, 0 }, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
	{ AF_INET, SOCK_RAW, IPPROTO_ICMP }, { AF_INET, SOCK_RAW, IPPROTO_RAW }, { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, { AF_INET, SOCK_RAW, IPPROTO_UDP },
	{ AF_PACKET, SOCK_RAW, 0x0300 }, { AF_PACKET, SOCK_DGRAM, 0x0008 }, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, { AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT },
};
#define NR_KINDS (sizeof(socket_kinds) / sizeof(socket_kinds[0]))

static int some_socket(void) { return below(20) ? SOCKETS_FROM + (int)below(SOCKETS_TO - SOCKETS_FROM) : (int)below(64); }
static int nonblock(void) { return below(4) ? SOCK_NONBLOCK : 0; }
static void place(int fd)
{
	int to = SOCKETS_FROM + (int)below(SOCKETS_TO - SOCKETS_FROM);
	if (fd < 0 || fd == to) return;
	dup2(fd, to);
	close(fd);
}

static void new_socket(void)
{
	unsigned k = below(NR_KINDS);
	place(socket(socket_kinds[k].family, socket_kinds[k].type | nonblock(), socket_kinds[k].protocol));
}

static struct sockaddr_in near_address(void)
{
	static const uint32_t hosts[] = { 0x7f000001, 0, 0x7f000002, 0xffffffff, 0xe0000001, 0x0a000001, 0x7fffffff };
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(4000 + below(6)), .sin_addr.s_addr = htonl(hosts[below(3) ? 0 : below(7)]) };
}

static void two_of_a_stream(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (l >= 0 && c >= 0 && !bind(l, (void *)&a, sizeof(a)) && !listen(l, 3) && !getsockname(l, (void *)&a, &len)) {
		connect(c, (void *)&a, sizeof(a));
		place(accept(l, NULL, NULL));
	}
	place(c);
	place(l);
}

static void two_local(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int p[2];
	if (socketpair(AF_UNIX, types[below(3)] | nonblock(), 0, p)) return;
	place(p[0]);
	place(p[1]);
}

static void new_tun(void)
{
	struct ifreq r = { .ifr_flags = (short)(below(2) ? IFF_TAP | IFF_NO_PI : rnd()) };
	mknod("/tmp/tun", S_IFCHR | 0666, makedev(10, 200));
	int fd = open("/tmp/tun", O_RDWR | O_NONBLOCK);
	snprintf(r.ifr_name, IFNAMSIZ, "t%d", (int)below(3));
	if (fd >= 0 && below(4)) ioctl(fd, TUNSETIFF, &r);
	place(fd);
}

static void open_sockets(void)
{
	for (int i = 0; i < 12; i++) new_socket();
	for (int i = 0; i < 3; i++) { two_of_a_stream(); two_local(); }
	place(epoll_create1(0));
	place(eventfd(0, EFD_NONBLOCK));
	new_tun();
}

/* Bytes somewhere in the good pages; now and then anywhere. */
static char *room(size_t len) { return below(30) ? good + (below((8192 - len) / 8) * 8) : (char *)argument(K_PTR); }
static int in_good(const void *p, size_t len) { return (const char *)p >= good && (const char *)p + len <= good + 8192; }
static uint32_t odd_length(uint32_t v) { return below(12) ? v : below(3) ? (uint32_t)below(160) : (uint32_t)number(); }

static char *some_address(uint32_t *len)
{
	char *p = room(128);
	*len = 16;
	if (!in_good(p, 128)) return p;
	memset(p, 0, 128);
	switch (below(7)) {
	case 0: case 1: *(struct sockaddr_in *)p = near_address(); *len = sizeof(struct sockaddr_in); break;
	case 2: {
		struct sockaddr_in6 *a = (void *)p;
		*a = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = near_address().sin_port, .sin6_scope_id = (uint32_t)below(3) };
		if (below(3)) a->sin6_addr.s6_addr[15] = 1;
		if (!below(4)) { memset(a->sin6_addr.s6_addr + 10, 255, 2); a->sin6_addr.s6_addr[12] = 127; }
		if (!below(6)) { a->sin6_addr.s6_addr[0] = 0xff; a->sin6_addr.s6_addr[1] = (uint8_t)below(15); }
		*len = sizeof(*a);
		break;
	}
	case 3: {
		struct sockaddr_un *a = (void *)p;
		a->sun_family = AF_UNIX;
		snprintf(a->sun_path + (below(2) ? 1 : 0), 20, "/tmp/s%d", (int)below(4));
		*len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + below(12));
		break;
	}
	case 4: *(struct sockaddr_ll *)p = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = (uint16_t)(below(2) ? 0x0300 : rnd()), .sll_ifindex = (int)below(5),
			.sll_halen = (uint8_t)below(10) }; *len = sizeof(struct sockaddr_ll); break;
	case 5: *(struct sockaddr_nl *)p = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = (uint32_t)below(3), .nl_groups = (uint32_t)rnd() & (uint32_t)rnd() }; *len = sizeof(struct sockaddr_nl); break;
	default: *(uint16_t *)p = (uint16_t)below(50); *len = 16;
	}
	if (!below(10)) p[below(*len + 1)] ^= (char)(1 << below(8));
	*len = odd_length(*len);
	return p;
}

static void netlink_request(char *p, size_t len)
{
	struct nlmsghdr *h = (void *)p;
	static const uint8_t bodies[] = { sizeof(struct ifinfomsg), sizeof(struct ifaddrmsg), sizeof(struct rtmsg), sizeof(struct ndmsg) };
	uint32_t kind = (uint32_t)below(4), at = NLMSG_HDRLEN + NLMSG_ALIGN(bodies[kind]);
	*h = (struct nlmsghdr){ .nlmsg_type = (uint16_t)(below(20) ? RTM_NEWLINK + kind * 4 + below(4) : rnd()), .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (below(2) ? NLM_F_DUMP : rnd())) };
	memset(p + NLMSG_HDRLEN, 0, bodies[kind]);
	p[NLMSG_HDRLEN] = (char)(below(3) ? (below(2) ? AF_INET : AF_INET6) : rnd());
	for (int i = 0; i < 3; i++) p[NLMSG_HDRLEN + below(bodies[kind])] = (char)below(40);
	while (at + 24 < len && below(5)) {
		struct rtattr *a = (void *)(p + at);
		a->rta_type = (unsigned short)below(below(10) ? 24 : 65536);
		a->rta_len = (unsigned short)odd_length(below(2) ? 8 : 20);
		if (below(2)) *(uint32_t *)(a + 1) = below(2) ? (uint32_t)below(4) : near_address().sin_addr.s_addr;
		if (!below(6)) strcpy((char *)(a + 1), "lo");
		at += RTA_ALIGN(a->rta_len) & 63;
	}
	h->nlmsg_len = odd_length(at);
}

static void control_messages(char *p, size_t len)
{
	for (size_t at = 0; at + 64 <= len; ) {
		struct cmsghdr *c = (void *)(p + at);
		static const int levels[] = { SOL_SOCKET, SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, SOL_PACKET };
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(4 * below(7)), .cmsg_level = levels[below(5)], .cmsg_type = (int)(below(8) ? 1 + below(3) : below(70)) };
		for (int i = 0; i < 7; i++) ((int *)(c + 1))[i] = some_socket();
		if (c->cmsg_type == SCM_CREDENTIALS && below(2)) { c->cmsg_len = CMSG_LEN(12); ((int *)(c + 1))[0] = getpid(); }
		at += CMSG_ALIGN(c->cmsg_len) & 127;
		if (!below(12)) c->cmsg_len = number();
		if (!below(2)) break;
	}
}

static struct msghdr *some_header(void)
{
	struct msghdr *m = (void *)room(sizeof(struct msghdr) * 4);
	if (!in_good(m, sizeof(*m) * 4)) return m;
	memset(m, 0, sizeof(*m));
	if (below(3)) { uint32_t len; m->msg_name = some_address(&len); m->msg_namelen = len; }
	struct iovec *v = (void *)room(16 * sizeof(struct iovec));
	m->msg_iov = v;
	m->msg_iovlen = below(20) ? below(17) : (int)number();
	if (in_good(v, 16 * sizeof(*v)))
		for (int i = 0; i < 16; i++) v[i] = (struct iovec){ room(512), below(10) ? below(600) : number() };
	if (below(2)) {
		m->msg_control = room(256);
		m->msg_controllen = odd_length(below(2) ? 24 : (uint32_t)below(256));
		if (in_good(m->msg_control, 256)) control_messages(m->msg_control, 256);
	}
	return m;
}

static void some_option(int set)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, 255, IPPROTO_ICMPV6, SOL_PACKET, SOL_NETLINK };
	int level = below(20) ? levels[below(9)] : (int)number(), name = (int)(below(20) ? below(85) : number());
	uint32_t *v = (void *)room(512), len = odd_length(below(3) ? 4 : (uint32_t)below(300));
	if (in_good(v, 512)) {
		v[0] = below(2) ? (uint32_t)below(3) : (uint32_t)number();
		if (!below(3)) for (int i = 0; i < 16; i++) v[i] = below(2) ? (uint32_t)below(8) : htonl(below(2) ? 0xe0000001 + (uint32_t)below(4) : 0x7f000001);
		if (level == SOL_SOCKET && name == SO_ATTACH_FILTER) {
			struct sock_fprog *f = (void *)v;
			*f = (struct sock_fprog){ (unsigned short)below(12), (void *)room(96) };
			len = sizeof(*f);
			if (in_good(f->filter, 96)) for (int i = 0; i < 12; i++) f->filter[i] = (struct sock_filter){ (uint16_t)(below(8) | below(8) << 3 | below(8) << 5), (uint8_t)below(4), (uint8_t)below(4), (uint32_t)number() };
		}
	}
	if (set) { setsockopt(some_socket(), level, name, v, len); return; }
	uint32_t *l = (void *)room(8);
	if (in_good(l, 4)) *l = len;
	getsockopt(some_socket(), level, name, v, (socklen_t *)l);
}

static void some_ioctl(void)
{
	static const uint32_t commands[] = { FIONREAD, FIONBIO, FIOASYNC, TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETOFFLOAD, TUNGETIFF, TUNSETVNETHDRSZ, TUNSETSNDBUF, TUNATTACHFILTER,
		TUNSETQUEUE, TUNSETLINK, TUNGETFEATURES };
	struct ifreq *r = (void *)room(64);
	if (in_good(r, 64)) {
		memset(r, 0, sizeof(*r));
		if (below(4)) snprintf(r->ifr_name, IFNAMSIZ, below(2) ? "lo" : below(2) ? "lo:1" : "t%d", (int)below(3));
		else for (int i = 0; i < IFNAMSIZ; i++) r->ifr_name[i] = (char)rnd();
		if (below(2)) *(struct sockaddr_in *)&r->ifr_addr = near_address();
		else if (below(2)) r->ifr_flags = (short)(below(2) ? IFF_UP : rnd());
		else r->ifr_ifindex = (int)number();
	}
	ioctl(some_socket(), below(4) ? 0x8901 + below(0xb0) : commands[below(sizeof(commands) / sizeof(commands[0]))], r);
}

static void send_something(void)
{
	uint32_t alen = 0, flags = (uint32_t)(below(2) ? MSG_DONTWAIT : rnd() & rnd());
	char *a = below(2) ? some_address(&alen) : NULL, *p = room(4096);
	size_t len = below(10) ? below(4096) : number();
	if (!below(3) && in_good(p, 4096)) netlink_request(p, len = 64 + below(200));
	if (below(2)) { sendto(some_socket(), p, len, (int)flags, (void *)a, alen); return; }
	struct msghdr *m = some_header();
	if (below(3)) sendmsg(some_socket(), m, (int)flags);
	else sendmmsg(some_socket(), (void *)m, (unsigned)odd_length((uint32_t)below(3)), flags);
}

static void receive_something(void)
{
	uint32_t *len = (void *)room(8), flags = (uint32_t)(below(3) ? MSG_DONTWAIT | (below(4) ? 0 : 1u << below(17)) : rnd() & rnd());
	struct timespec *t = (void *)room(16);
	if (in_good(len, 4)) *len = odd_length((uint32_t)below(130));
	if (below(2)) { recvfrom(some_socket(), room(4096), below(10) ? below(4096) : number(), (int)flags, (void *)room(128), len); return; }
	struct msghdr *m = some_header();
	if (in_good(t, 16)) *t = (struct timespec){ (long)below(2), (long)below(2000000) };
	if (below(3)) recvmsg(some_socket(), m, (int)flags);
	else syscall(SYS_recvmmsg, some_socket(), m, odd_length((uint32_t)below(3)), flags, below(2) ? t : NULL);
}

static void watch_something(void)
{
	struct epoll_event *e = (void *)room(1024);
	int p[2];
	if (in_good(e, 1024)) *e = (struct epoll_event){ .events = (uint32_t)(below(2) ? EPOLLIN | EPOLLOUT | (below(2) ? EPOLLET : 0) : rnd() & rnd()) };
	switch (below(5)) {
	case 0: place(epoll_create1(0)); break;
	case 1: case 2: epoll_ctl(some_socket(), 1 + (int)below(3), some_socket(), e); break;
	case 3: epoll_wait(some_socket(), e, 1 + (int)below(60), (int)below(3)); break;
	default:
		if (pipe2(p, O_NONBLOCK)) break;
		splice(some_socket(), NULL, p[1], NULL, below(9000), SPLICE_F_NONBLOCK);
		splice(p[0], NULL, some_socket(), NULL, below(9000), SPLICE_F_NONBLOCK);
		close(p[0]);
		close(p[1]);
	}
}

static void socket_call(void)
{
	uint32_t len = 0, *l = (void *)room(8);
	char *a;
	switch (below(24)) {
	case 0: new_socket(); break;
	case 1: below(2) ? two_local() : two_of_a_stream(); break;
	case 2: a = some_address(&len); bind(some_socket(), (void *)a, len); break;
	case 3: listen(some_socket(), (int)(below(3) ? below(10) : number())); break;
	case 4: if (in_good(l, 4)) *l = (uint32_t)below(130); place(accept4(some_socket(), below(2) ? (void *)room(128) : NULL, (socklen_t *)l, below(8) ? SOCK_NONBLOCK : (int)number())); break;
	case 5: case 6: a = some_address(&len); connect(some_socket(), (void *)a, len); break;
	case 7: if (in_good(l, 4)) *l = odd_length((uint32_t)below(130)); (below(2) ? getsockname : getpeername)(some_socket(), (void *)room(128), (socklen_t *)l); break;
	case 8: case 9: case 10: case 11: send_something(); break;
	case 12: case 13: case 14: receive_something(); break;
	case 15: shutdown(some_socket(), (int)(below(10) ? below(3) : number())); break;
	case 16: case 17: some_option(1); break;
	case 18: some_option(0); break;
	case 19: some_ioctl(); break;
	case 20: watch_something(); break;
	case 21: below(2) ? read(some_socket(), room(2048), below(2048)) : write(some_socket(), room(2048), below(2048)); break;
	case 22: below(3) ? dup2(some_socket(), some_socket()) : below(2) ? new_tun() : close(some_socket()); break;
	default: fcntl(some_socket(), below(2) ? F_SETFL : F_SETOWN, below(2) ? O_NONBLOCK | (below(2) ? O_ASYNC : 0) : getpid());
	}
}

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
}
