/* The N-th allocation of each socket call fails, and of whole sequences of them: it answers ENOMEM, ENOBUFS, or that nothing has come (what was on its
 * way is lost, as on a wire); or goes on without.  Nothing is lost in the kernel, and what comes afterwards works.  Debug builds only. */
#define TAP_TIMEOUT 280
#include "tap.h"
#define ALLOWED_TOO(e) ((e) == EINPROGRESS)	/* the SYN was lost */
#include "inject.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define SA(s) ((struct sockaddr *)&(s)), sizeof(s)
#define NR_FDS 12
static int fds[NR_FDS];		/* what an operation opened: closed by drop(), TCP's with a reset */
static int file;		/* 64 KiB */
static char buffer[65536];
static struct sockaddr_in server, udp_server;
static struct sockaddr_in6 server6;
static int listener, listener6, udp_fd;

static int keep(int i, int fd) { fds[i] = fd; return result(fd); }
static void drop(void)
{
	struct linger l = { 1, 0 };
	for (int i = 0; i < NR_FDS; i++) {
		if (fds[i] < 0) continue;
		setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		close(fds[i]);
		fds[i] = -1;
	}
}

/* Whose connection was lost waits in a queue. */
static void empty(int l)
{
	int fd;
	while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) { fds[0] = fd; drop(); }
}
static void drop_tcp(void) { drop(); empty(listener); empty(listener6); }
static void drop_udp(void) { drop(); while (recv(udp_fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0) ; }

#define TRY(x) do { int e_ = (x); if (e_) return e_; } while (0)
#define MADE(name, ...) static int do_##name(void) { return keep(0, socket(__VA_ARGS__)); }
MADE(unix_stream, AF_UNIX, SOCK_STREAM, 0) MADE(unix_dgram, AF_UNIX, SOCK_DGRAM, 0) MADE(unix_seqpacket, AF_UNIX, SOCK_SEQPACKET, 0)
MADE(tcp4, AF_INET, SOCK_STREAM, 0) MADE(tcp6, AF_INET6, SOCK_STREAM, 0) MADE(udp4, AF_INET, SOCK_DGRAM, 0) MADE(udp6, AF_INET6, SOCK_DGRAM, 0)
MADE(raw4, AF_INET, SOCK_RAW, IPPROTO_ICMP) MADE(raw6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) MADE(ping, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
MADE(packet_raw, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) MADE(packet_dgram, AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))
MADE(route_netlink, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) MADE(uevent_netlink, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
static int do_pair(void) { int p[2] = { -1, -1 }; int r = result(socketpair(AF_UNIX, SOCK_STREAM, 0, p)); fds[0] = p[0]; fds[1] = p[1]; return r; }

/* --- AF_UNIX --- */
static struct sockaddr_un path_name = { .sun_family = AF_UNIX, .sun_path = "sock" }, abstract_name = { .sun_family = AF_UNIX, .sun_path = "\0inject" };
static void undo_path(void) { drop(); unlink("sock"); }
static int do_bind_path(void) { TRY(do_unix_stream()); return result(bind(fds[0], SA(path_name))); }
static int do_bind_abstract(void) { TRY(do_unix_stream()); return result(bind(fds[0], SA(abstract_name))); }
static int do_autobind(void) { TRY(do_unix_dgram()); return result(bind(fds[0], (void *)&abstract_name, sizeof(sa_family_t))); }
static int do_unix_connection(void)
{
	char c[5];
	TRY(do_bind_path());
	TRY(result(listen(fds[0], 3)));
	TRY(keep(1, socket(AF_UNIX, SOCK_STREAM, 0)));
	TRY(result(connect(fds[1], SA(path_name))));
	TRY(result(send(fds[1], "hello", 5, 0)));
	TRY(keep(2, accept(fds[0], NULL, NULL)));
	CHECK_EQ(recv(fds[2], c, 5, MSG_WAITALL), 5);
	return result(shutdown(fds[1], SHUT_WR));
}
static int do_unix_seq_connection(void)
{
	TRY(do_unix_seqpacket());
	TRY(result(bind(fds[0], SA(abstract_name))));
	TRY(result(listen(fds[0], 3)));
	TRY(keep(1, socket(AF_UNIX, SOCK_SEQPACKET, 0)));
	TRY(result(connect(fds[1], SA(abstract_name))));
	return result(send(fds[1], buffer, 40000, MSG_DONTWAIT));
}
static int do_unix_send(void) { TRY(do_pair()); return result(send(fds[0], buffer, 100, MSG_DONTWAIT)); }
static int do_unix_send_much(void)
{
	TRY(do_pair());
	ssize_t n = send(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT), got = 0, r;
	TRY(result(n));
	while ((r = recv(fds[1], buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) got += r;
	CHECK_EQ(got, n);
	return 0;
}
static int do_unix_sendfile(void) { off_t off = 0; TRY(do_pair()); return result(sendfile(fds[0], file, &off, sizeof(buffer))); }
static int do_unix_splice(void)
{
	int p[2] = { -1, -1 };
	TRY(do_pair());
	TRY(result(pipe(p)));
	fds[2] = p[0]; fds[3] = p[1];
	TRY(result(write(fds[1], "hello", 5)));
	TRY(result(splice(fds[0], NULL, p[1], NULL, 5, 0)));
	return result(splice(p[0], NULL, fds[1], NULL, 5, 0));
}
static int do_unix_letter(void)
{
	TRY(do_unix_dgram());
	TRY(result(bind(fds[0], SA(abstract_name))));
	TRY(keep(1, socket(AF_UNIX, SOCK_DGRAM, 0)));
	TRY(result(sendto(fds[1], buffer, 3000, 0, SA(abstract_name))));
	return result(recv(fds[0], buffer, sizeof(buffer), 0));
}

static int do_rights(void)
{
	static char c[CMSG_SPACE(20 * sizeof(int))];
	struct iovec v = { "r", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	TRY(do_pair());
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(20 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	for (int i = 0; i < 20; i++) memcpy(CMSG_DATA(h) + i * sizeof(int), i & 1 ? &fds[1] : &file, sizeof(int));
	return result(sendmsg(fds[0], &m, 0));	/* fds[1] is in its own queue: closing makes garbage */
}
static int do_rights_received(void)
{
	static char c[CMSG_SPACE(20 * sizeof(int))];
	char b;
	struct iovec v = { &b, 1 };
	TRY(do_rights());
	for (int peek = 1; peek >= 0; peek--) {
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
		ssize_t n = recvmsg(fds[1], &m, (peek ? MSG_PEEK : 0) | MSG_DONTWAIT);
		int e = result(n), fd;
		if (n < 0) return e;
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		for (size_t i = 0; h && i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) { memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int)); close(fd); }
	}
	return 0;
}
static int do_credentials(void)
{
	int one = 1;
	char b[10], c[200];
	struct iovec v = { b, 10 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	TRY(do_pair());
	TRY(result(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one))));
	TRY(result(send(fds[0], "cred", 4, 0)));
	return result(recvmsg(fds[1], &m, 0));
}
static int do_filter(void)
{
	struct sock_filter f[20] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog p = { 1, f };
	TRY(do_udp4());
	for (int i = 0; i < 19; i++) f[i] = (struct sock_filter){ BPF_LD | BPF_IMM, 0, 0, 1 };
	f[19] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, 1 };
	p.len = 20;
	TRY(result(setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p))));
	return result(setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
}
static int do_watched(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	TRY(do_pair());
	TRY(keep(2, epoll_create1(0)));
	TRY(keep(3, epoll_create1(0)));
	TRY(result(epoll_ctl(fds[2], EPOLL_CTL_ADD, fds[0], &ev)));
	TRY(result(epoll_ctl(fds[2], EPOLL_CTL_ADD, listener, &ev)));
	TRY(result(epoll_ctl(fds[3], EPOLL_CTL_ADD, fds[2], &ev)));
	return result(epoll_wait(fds[3], &ev, 1, 0));
}
static int do_polled(void)
{
	struct pollfd p[100];
	for (int i = 0; i < 100; i++) p[i] = (struct pollfd){ i & 1 ? listener : udp_fd, POLLIN, 0 };
	return result(poll(p, 100, 1));
}

static const struct op local_ops[] = {
#define OP(name, undo) { #name, do_##name, undo }
	OP(unix_stream, drop), OP(unix_dgram, drop), OP(unix_seqpacket, drop), OP(tcp4, drop), OP(tcp6, drop), OP(udp4, drop), OP(udp6, drop), OP(raw4, drop), OP(raw6, drop),
	OP(ping, drop), OP(packet_raw, drop), OP(packet_dgram, drop), OP(route_netlink, drop), OP(uevent_netlink, drop), OP(pair, drop), OP(bind_path, undo_path),
	OP(bind_abstract, drop), OP(autobind, drop), OP(unix_connection, undo_path), OP(unix_seq_connection, drop), OP(unix_send, drop), OP(unix_send_much, drop),
	OP(unix_sendfile, drop), OP(unix_splice, drop), OP(unix_letter, drop), OP(rights, drop), OP(rights_received, drop), OP(credentials, drop), OP(filter, drop),
	OP(watched, drop), OP(polled, NULL),
};

/* --- TCP --- */
static int soon(int fd)		/* no call waits long for what was lost */
{
	struct timeval tv = { 0, 2000 };
	TRY(result(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv))));
	return result(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
}
static int do_tcp_bound(void) { struct sockaddr_in a = server; a.sin_port = 0; TRY(do_tcp4()); TRY(result(bind(fds[0], SA(a)))); return result(listen(fds[0], 10)); }
static int connected(int family)
{
	TRY(keep(0, socket(family, SOCK_STREAM, 0)));
	TRY(soon(fds[0]));
	TRY(result(family == AF_INET ? connect(fds[0], SA(server)) : connect(fds[0], SA(server6))));
	return keep(1, accept4(family == AF_INET ? listener : listener6, NULL, NULL, SOCK_NONBLOCK));
}
static int do_tcp_connection(void) { return connected(AF_INET); }
static int do_tcp6_connection(void) { return connected(AF_INET6); }
static int do_tcp_bytes(void)
{
	TRY(connected(AF_INET));
	TRY(result(send(fds[0], "hello", 5, 0)));
	TRY(result(recv(fds[1], buffer, 5, MSG_DONTWAIT)));
	if (send(fds[1], buffer, 1, MSG_OOB) < 0 && errno != EOPNOTSUPP) return errno;
	TRY(result(shutdown(fds[0], SHUT_WR)));
	return result(recv(fds[1], buffer, 5, MSG_DONTWAIT));
}
static int much(int family)
{
	TRY(connected(family));
	ssize_t n = send(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT), got = 0, r;
	TRY(result(n));
	while ((r = recv(fds[1], buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) got += r;
	CHECK(got <= n);
	return 0;
}
static int do_tcp_much(void) { return much(AF_INET); }
static int do_tcp6_much(void) { return much(AF_INET6); }
static int do_tcp_vector(void)
{
	static struct iovec v[200];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 200 };
	for (int i = 0; i < 200; i++) v[i] = (struct iovec){ buffer + i, 50 };
	TRY(connected(AF_INET));
	return result(sendmsg(fds[0], &m, MSG_DONTWAIT));
}
static int do_tcp_sendfile(void) { off_t off = 0; TRY(connected(AF_INET)); return result(sendfile(fds[0], file, &off, sizeof(buffer))); }
static int do_tcp_refused(void)
{
	struct sockaddr_in a = server;
	a.sin_port = htons(1);
	TRY(do_tcp4());
	TRY(soon(fds[0]));
	int e = result(connect(fds[0], SA(a)));
	return e == ECONNREFUSED ? 0 : e;
}
static int do_tcp_closed(void)		/* in order, not by a reset */
{
	TRY(connected(AF_INET));
	TRY(result(send(fds[0], "hello", 5, 0)));
	TRY(result(recv(fds[1], buffer, 5, MSG_DONTWAIT)));
	close(fds[1]); fds[1] = -1;
	close(fds[0]); fds[0] = -1;
	return 0;
}
static int do_tcp_options(void)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int size = 300000;
	TRY(connected(AF_INET));
	TRY(result(setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size))));
	TRY(result(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size))));
	TRY(result(setsockopt(fds[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4)));
	TRY(result(setsockopt(fds[0], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)));
	return result(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &len));
}

static const struct op tcp_ops[] = {
	OP(tcp_bound, drop_tcp), OP(tcp_connection, drop_tcp), OP(tcp6_connection, drop_tcp), OP(tcp_bytes, drop_tcp), OP(tcp_much, drop_tcp), OP(tcp6_much, drop_tcp),
	OP(tcp_vector, drop_tcp), OP(tcp_sendfile, drop_tcp), OP(tcp_refused, drop_tcp), OP(tcp_closed, drop_tcp), OP(tcp_options, drop_tcp),
};

/* --- datagrams --- */
static int do_udp_bound(void) { struct sockaddr_in a = udp_server; a.sin_port = 0; TRY(do_udp4()); return result(bind(fds[0], SA(a))); }
static int sent(const void *what, size_t len)
{
	TRY(do_udp4());
	TRY(result(sendto(fds[0], what, len, 0, SA(udp_server))));
	return result(recv(udp_fd, buffer, sizeof(buffer), MSG_DONTWAIT));
}
static int do_udp_small(void) { return sent("hello", 5); }
static int do_udp_fragments(void) { return sent(buffer, 20000); }	/* lo's MTU is 1,500 here */
static int do_udp_connected(void)
{
	TRY(do_udp4());
	TRY(result(connect(fds[0], SA(udp_server))));
	TRY(result(send(fds[0], "hello", 5, 0)));
	return result(recv(udp_fd, buffer, sizeof(buffer), MSG_DONTWAIT));
}
static int do_udp_refused(void)
{
	struct sockaddr_in a = server;
	a.sin_port = htons(1);
	TRY(do_udp4());
	TRY(result(connect(fds[0], SA(a))));
	TRY(result(send(fds[0], "hello", 5, 0)));
	int e = result(send(fds[0], "hello", 5, 0));
	return e == ECONNREFUSED ? 0 : e;
}
static int do_udp_many(void)
{
	struct mmsghdr m[8] = { 0 };
	struct iovec v = { "many", 4 };
	TRY(do_udp4());
	for (int i = 0; i < 8; i++) m[i].msg_hdr = (struct msghdr){ .msg_name = &udp_server, .msg_namelen = sizeof(udp_server), .msg_iov = &v, .msg_iovlen = 1 };
	return result(sendmmsg(fds[0], m, 8, 0));
}
static int do_udp_told(void)		/* control messages both ways, and the queue of errors */
{
	int one = 1;
	char c[200];
	struct iovec v = { buffer, 100 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	TRY(do_udp_refused());
	TRY(result(setsockopt(fds[0], IPPROTO_IP, IP_RECVERR, &one, sizeof(one))));
	send(fds[0], "hello", 5, 0);
	if (recvmsg(fds[0], &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 && errno != EAGAIN) return errno;
	return 0;
}
static int do_group(void)
{
	struct ip_mreqn g = { { htonl(0xe0000109) }, { 0 }, 1 };
	struct ipv6_mreq g6 = { { { { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9 } } }, 1 };
	TRY(do_udp4());
	TRY(result(setsockopt(fds[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &g, sizeof(g))));
	TRY(keep(1, socket(AF_INET6, SOCK_DGRAM, 0)));
	return result(setsockopt(fds[1], IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &g6, sizeof(g6)));
}
static int echoed(int type)
{
	struct icmphdr h = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };
	TRY(keep(0, socket(AF_INET, type, IPPROTO_ICMP)));
	TRY(result(sendto(fds[0], &h, sizeof(h), 0, SA(udp_server))));
	return result(recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT));
}
static int do_raw_echo(void) { return echoed(SOCK_RAW); }
static int do_ping_echo(void) { return echoed(SOCK_DGRAM); }
static int do_packets_seen(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1 };
	TRY(keep(1, socket(AF_PACKET, SOCK_RAW, 0)));
	TRY(result(bind(fds[1], SA(ll))));
	TRY(keep(2, socket(AF_PACKET, SOCK_DGRAM, 0)));
	TRY(result(bind(fds[2], SA(ll))));
	return sent("hello", 5);
}
static int do_packet_sent(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1, .sll_halen = 6 };
	struct packet_mreq pm = { .mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll to = ll;
	TRY(keep(0, socket(AF_PACKET, SOCK_RAW, htons(0x88b5))));
	TRY(result(bind(fds[0], SA(ll))));
	TRY(result(setsockopt(fds[0], SOL_PACKET, PACKET_ADD_MEMBERSHIP, &pm, sizeof(pm))));
	memset(buffer, 0, 60);
	buffer[12] = (char)0x88; buffer[13] = (char)0xb5;
	TRY(result(sendto(fds[0], buffer, 60, 0, SA(to))));
	int e = result(recv(fds[0], buffer, 2000, MSG_DONTWAIT));
	return e;
}

static const struct op datagram_ops[] = {
	OP(udp_bound, drop_udp), OP(udp_small, drop_udp), OP(udp_connected, drop_udp), OP(udp_refused, drop_udp), OP(udp_many, drop_udp),
	OP(udp_told, drop_udp), OP(group, drop_udp), OP(raw_echo, drop_udp), OP(ping_echo, drop_udp), OP(packets_seen, drop_udp), OP(packet_sent, drop_udp),
};

static const struct op fragment_ops[] = { OP(udp_fragments, drop_udp) };

/* --- configuration --- */
struct request { struct nlmsghdr h; union { struct ifinfomsg link; struct ifaddrmsg addr; struct rtmsg route; struct ndmsg neigh; struct rtgenmsg gen; }; char more[256]; };
static void attribute(struct request *r, int type, const void *data, int len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));
	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, (size_t)len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}
static int ask(struct request *r, bool dump)
{
	TRY(keep(0, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)));
	TRY(result(send(fds[0], r, r->h.nlmsg_len, 0)));
	for (;;) {
		ssize_t n = recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT);
		int e = result(n);
		if (n < 0) return e;
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_ERROR) return -((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == NLMSG_DONE) return *(int *)NLMSG_DATA(h) < 0 ? -*(int *)NLMSG_DATA(h) : 0;
			if (!dump) return 0;
		}
	}
}
static int dump(int type, int family)
{
	struct request r = { .h = { NLMSG_LENGTH(sizeof(struct ifinfomsg)), (uint16_t)type, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 } };
	r.gen.rtgen_family = (uint8_t)family;
	return ask(&r, true);
}
static int do_dump_links(void) { return dump(RTM_GETLINK, AF_UNSPEC); }
static int do_dump_addresses(void) { return dump(RTM_GETADDR, AF_UNSPEC); }
static int do_dump_routes(void) { return dump(RTM_GETROUTE, AF_UNSPEC); }
static int do_dump_neighbours(void) { return dump(RTM_GETNEIGH, AF_UNSPEC); }
static int change_address(int type)
{
	struct request r = { .h = { NLMSG_LENGTH(sizeof(struct ifaddrmsg)), (uint16_t)type, NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0), 1, 0 } };
	uint32_t a = htonl(0x0a090807);
	r.addr = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	attribute(&r, IFA_LOCAL, &a, 4);
	return ask(&r, false);
}
static int change_address6(int type)
{
	struct request r = { .h = { NLMSG_LENGTH(sizeof(struct ifaddrmsg)), (uint16_t)type, NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0), 1, 0 } };
	uint8_t a[16] = { 0xfd, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };
	r.addr = (struct ifaddrmsg){ .ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = 1 };
	attribute(&r, IFA_ADDRESS, a, 16);
	return ask(&r, false);
}
static int change_route(int type)
{
	struct request r = { .h = { NLMSG_LENGTH(sizeof(struct rtmsg)), (uint16_t)type, NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0), 1, 0 } };
	uint32_t to = htonl(0x0a140000), oif = 1;
	r.route = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = 16, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST };
	attribute(&r, RTA_DST, &to, 4);
	attribute(&r, RTA_OIF, &oif, 4);
	return ask(&r, false);
}
static int do_address(void) { return change_address(RTM_NEWADDR); }
static void undo_address(void) { drop(); change_address(RTM_DELADDR); drop(); }
static int do_address6(void) { return change_address6(RTM_NEWADDR); }
static void undo_address6(void) { drop(); change_address6(RTM_DELADDR); drop(); }
static int do_route(void) { return change_route(RTM_NEWROUTE); }
static void undo_route(void) { drop(); change_route(RTM_DELROUTE); drop(); }
static int do_route_deleted(void) { return change_route(RTM_DELROUTE); }
static void undo_route_deleted(void) { drop(); change_route(RTM_NEWROUTE); drop(); }
static int do_address_deleted(void) { return change_address(RTM_DELADDR); }
static void undo_address_deleted(void) { drop(); change_address(RTM_NEWADDR); drop(); }
static int do_alias(void)
{
	struct ifreq r = { .ifr_name = "lo:1" };
	*(struct sockaddr_in *)&r.ifr_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000109) };
	TRY(do_udp4());
	return result(ioctl(fds[0], SIOCSIFADDR, &r));
}
static void undo_alias(void)
{
	struct ifreq r = { .ifr_name = "lo:1" };
	drop();
	CHECK(do_udp4() == 0);
	if (ioctl(fds[0], SIOCGIFFLAGS, &r) == 0) { r.ifr_flags &= ~IFF_UP; ioctl(fds[0], SIOCSIFFLAGS, &r); }
	drop();
}
static int do_listed(void)
{
	struct ifconf c = { .ifc_len = sizeof(buffer), .ifc_buf = buffer };
	TRY(do_udp4());
	return result(ioctl(fds[0], SIOCGIFCONF, &c));
}
static int tun_made(int i, const char *name, int flags)
{
	struct ifreq r = { .ifr_flags = (short)flags };
	strcpy(r.ifr_name, name);
	TRY(keep(i, open("/tmp/tun", O_RDWR | O_NONBLOCK)));
	return result(ioctl(fds[i], TUNSETIFF, &r));
}
static int do_tap(void) { return tun_made(0, "tapx", IFF_TAP | IFF_NO_PI); }
static int do_tun(void) { return tun_made(0, "tunx", IFF_TUN); }
static int do_tun_used(void)
{
	struct ifreq r = { .ifr_name = "tuny" };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a630002) };
	static const unsigned char in[] = { 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0x65, 0x05, 10, 99, 0, 2, 10, 99, 0, 1, 0, 9, 0, 9, 0, 12, 0, 0, 't', 'e', 's', 't' };
	TRY(tun_made(0, "tuny", IFF_TAP | IFF_NO_PI));
	TRY(keep(1, socket(AF_INET, SOCK_DGRAM, 0)));
	*(struct sockaddr_in *)&r.ifr_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a630001) };
	TRY(result(ioctl(fds[1], SIOCSIFADDR, &r)));
	TRY(result(ioctl(fds[1], SIOCGIFFLAGS, &r)));
	r.ifr_flags |= IFF_UP;
	TRY(result(ioctl(fds[1], SIOCSIFFLAGS, &r)));
	int e = result(sendto(fds[1], "hello", 5, 0, SA(to)));
	if (e != ENETUNREACH) TRY(e);	/* its route was not made */
	if (read(fds[0], buffer, sizeof(buffer)) < 0 && errno != EAGAIN) return errno;
	return result(write(fds[0], in, sizeof(in)));
}
static int do_links_heard(void)		/* a listener to news, while a device comes and goes */
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	TRY(keep(2, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)));
	TRY(result(bind(fds[2], SA(nl))));
	nl.nl_groups = 1;
	TRY(keep(3, socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)));
	TRY(result(bind(fds[3], SA(nl))));
	return tun_made(0, "tapz", IFF_TAP | IFF_NO_PI);
}
static int do_neighbour(void)
{
	struct arpreq a = { .arp_flags = ATF_PERM | ATF_COM, .arp_dev = "tapn" };
	struct ifreq r = { .ifr_name = "tapn" };
	TRY(tun_made(0, "tapn", IFF_TAP | IFF_NO_PI));
	TRY(keep(1, socket(AF_INET, SOCK_DGRAM, 0)));
	*(struct sockaddr_in *)&r.ifr_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a620001) };
	TRY(result(ioctl(fds[1], SIOCSIFADDR, &r)));
	TRY(result(ioctl(fds[1], SIOCGIFFLAGS, &r)));
	r.ifr_flags |= IFF_UP;
	TRY(result(ioctl(fds[1], SIOCSIFFLAGS, &r)));
	*(struct sockaddr_in *)&a.arp_pa = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a620002) };
	a.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(a.arp_ha.sa_data, "\2\0\0\0\0\7", 6);
	int e = result(ioctl(fds[1], SIOCSARP, &a));
	return e == ENETUNREACH || e == EINVAL ? 0 : e;
}
static int do_proc_net(void)
{
	static const char *const names[] = { "dev", "tcp", "tcp6", "udp", "udp6", "unix", "raw", "packet", "route", "arp", "snmp", "netstat", "if_inet6", "sockstat", "netlink" };
	for (unsigned i = 0; i < COUNT(names); i++) {
		char path[64];
		ssize_t n;
		snprintf(path, sizeof(path), "/proc/net/%s", names[i]);
		TRY(keep(0, open(path, O_RDONLY)));
		while ((n = read(fds[0], buffer, sizeof(buffer))) > 0) ;
		TRY(result(n));
		close(fds[0]);
		fds[0] = -1;
	}
	return 0;
}

static const struct op config_ops[] = {
	OP(dump_links, drop), OP(dump_addresses, drop), OP(dump_routes, drop), OP(dump_neighbours, drop), OP(address, undo_address), OP(address6, undo_address6),
	OP(route, undo_route), OP(alias, undo_alias), OP(listed, drop), OP(tap, drop), OP(tun, drop), OP(tun_used, drop), OP(links_heard, drop), OP(neighbour, drop), OP(proc_net, drop),
};
static const struct op delete_ops[] = { OP(address_deleted, undo_address_deleted), OP(route_deleted, undo_route_deleted) };

static void prepare(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	socklen_t len = sizeof(server);
	int s = socket(AF_INET, SOCK_DGRAM, 0), fd;
	inject_begin();
	scratch();
	memset(fds, -1, sizeof(fds));
	r.ifr_mtu = 1500;
	CHECK_EQ(ioctl(s, SIOCSIFMTU, &r), 0);
	r = (struct ifreq){ .ifr_name = "lo", .ifr_flags = IFF_UP };
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
	fd = open("/proc/sys/net/ipv4/tcp_max_tw_buckets", O_WRONLY);
	CHECK_EQ(write(fd, "1\n", 2), 2);	/* what stays of connections is no leak */
	close(fd);
	fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
	if (fd >= 0) { CHECK_EQ(write(fd, "0 1000\n", 7), 7); close(fd); }
	mknod("/tmp/tun", S_IFCHR | 0666, makedev(10, 200));
	file = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(write(file, buffer, sizeof(buffer)), sizeof(buffer));
	server = udp_server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(bind(listener, SA(server)) == 0 && listen(listener, 10) == 0 && getsockname(listener, (void *)&server, &len) == 0);
	server6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	len = sizeof(server6);
	listener6 = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(bind(listener6, SA(server6)) == 0 && listen(listener6, 10) == 0 && getsockname(listener6, (void *)&server6, &len) == 0);
	len = sizeof(udp_server);
	udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(udp_fd, SA(udp_server)) == 0 && getsockname(udp_fd, (void *)&udp_server, &len) == 0);
}

TEST(local) { prepare(); inject(local_ops, COUNT(local_ops)); }
TEST(tcp) { prepare(); settle_tries = 9000; inject(tcp_ops, COUNT(tcp_ops)); }	/* ends that were lost are sent again */
TEST(datagrams) { prepare(); inject(datagram_ops, COUNT(datagram_ops)); }
TEST(fragments) { prepare(); settle_tries = 9000; inject(fragment_ops, COUNT(fragment_ops)); }	/* datagrams that lost one wait half a minute */
TEST(configuration) { prepare(); inject(config_ops, COUNT(config_ops)); }
TEST(deletions)
{
	prepare();
	CHECK_EQ(change_address(RTM_NEWADDR), 0);
	CHECK_EQ(change_route(RTM_NEWROUTE), 0);
	inject(delete_ops, COUNT(delete_ops));
	CHECK_EQ(change_route(RTM_DELROUTE), 0);
	CHECK_EQ(change_address(RTM_DELADDR), 0);
}

/* Afterwards: everything still works, bytes are whole. */
TEST(what_comes_afterwards)
{
	char got[6] = "";
	prepare();
	CHECK_EQ(do_tcp_bytes(), 0);
	drop_tcp();
	CHECK_EQ(do_tcp6_connection(), 0);
	CHECK_EQ(send(fds[0], "hello", 5, 0), 5);
	CHECK_EQ(recv(fds[1], got, 5, MSG_DONTWAIT), 5);
	CHECK(!strcmp(got, "hello"));
	drop_tcp();
	CHECK_EQ(do_udp_fragments(), 0);
	drop_udp();
	CHECK_EQ(do_tun_used(), 0);
}
