/* What scripts/fuzz-net talks to inside: sockets of every kind that frames can reach, served by one loop until SIGTERM.
 *
 * TCP, both families: 7 gives back what comes, 9 reads it, 19 writes without end.  UDP: 7, and 9 with every option that tells about
 * datagrams.  Groups, raw and packet sockets, one with a filter.  Outwards a connection to port 1234 and datagrams to 1235 of both families, so that
 * answers and reports have somebody to reach. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 200
#define HELD 60		/* accepted connections; the oldest goes */

enum kind { LISTEN, ECHO, SINK, SOURCE, DATAGRAMS, ANSWER, OUTWARDS };
static struct { enum kind kind; int port; time_t since; } what[MOST];
static struct pollfd fds[MOST];
static int nr;
static char buf[70000];

static void add(int fd, enum kind kind, int port)
{
	if (fd < 0)
		return;
	if (nr == MOST) {
		close(fd);
		return;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	what[nr].kind = kind;
	what[nr].port = port;
	what[nr].since = time(NULL);
	fds[nr++] = (struct pollfd){ fd, kind == SOURCE || kind == OUTWARDS ? POLLIN | POLLOUT : POLLIN, 0 };
}

static void drop(int i)
{
	close(fds[i].fd);
	memmove(&fds[i], &fds[i + 1], (size_t)(nr - i - 1) * sizeof(fds[0]));
	memmove(&what[i], &what[i + 1], (size_t)(nr - i - 1) * sizeof(what[0]));
	nr--;
}

static void on(int fd, int level, int name) { int one = 1; setsockopt(fd, level, name, &one, sizeof(one)); }

static int bound(int type, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port) };
	int fd = socket(AF_INET6, type, 0);

	on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) || (type == SOCK_STREAM && listen(fd, 16))) {
		perror("netfuzz: bind");
		exit(1);
	}
	return fd;
}

static void tell_all(int fd)
{
	static const int four[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVOPTS, IP_RECVERR };
	static const int six[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVRTHDR, IPV6_RECVHOPOPTS, IPV6_RECVDSTOPTS, IPV6_RECVERR };

	for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++)
		on(fd, IPPROTO_IP, four[i]);
	for (size_t i = 0; i < sizeof(six) / sizeof(six[0]); i++)
		on(fd, IPPROTO_IPV6, six[i]);
	on(fd, SOL_SOCKET, SO_TIMESTAMP);
}

static void join(int fd)
{
	struct ip_mreqn four = { .imr_ifindex = (int)if_nametoindex("eth0") };
	struct ipv6_mreq six = { .ipv6mr_interface = if_nametoindex("eth0") };

	inet_pton(AF_INET, "239.9.9.9", &four.imr_multiaddr);
	inet_pton(AF_INET6, "ff02::99", &six.ipv6mr_multiaddr);
	setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four));
	setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof(six));
}

static int packets(void)
{
	static struct sock_filter insn[] = {	/* what is IPv4 and neither TCP nor short: its first 100 bytes */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 4), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0), BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), BPF_STMT(BPF_LD | BPF_W | BPF_IND, 14 + 4),
		BPF_STMT(BPF_RET | BPF_K, 100) };
	struct sock_fprog prog = { sizeof(insn) / sizeof(insn[0]), insn };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
	return fd;
}

static int outwards(int type, int six)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(type == SOCK_STREAM ? 1234 : 1235) };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6, .sin6_port = a.sin_port };
	int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, "10.9.0.1", &a.sin_addr);
	inet_pton(AF_INET6, "fd09::1", &b.sin6_addr);
	on(fd, IPPROTO_IP, IP_RECVERR);
	on(fd, SOL_SOCKET, SO_KEEPALIVE);
	if (fd >= 0 && connect(fd, six ? (void *)&b : (void *)&a, six ? sizeof(b) : sizeof(a)) && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void accept_one(int i)
{
	int fd = accept(fds[i].fd, NULL, NULL), port = what[i].port, held = 0, oldest = -1;

	for (int k = nr - 1; k >= 0; k--)
		if (what[k].kind == ECHO || what[k].kind == SINK || what[k].kind == SOURCE) {
			held++;
			oldest = k;
		}
	on(fd, IPPROTO_TCP, TCP_NODELAY);
	add(fd, port == 7 ? ECHO : port == 9 ? SINK : SOURCE, port);
	if (held >= HELD)
		drop(oldest);
}

/* One message off a socket, with all that is told beside it. */
static ssize_t receive(int fd, struct sockaddr_storage *from, socklen_t *len, int flags)
{
	char control[512];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, flags);

	*len = m.msg_namelen;
	return n;
}

/* False: it has ended. */
static int serve(int i)
{
	struct sockaddr_storage from;
	socklen_t len;
	ssize_t n;
	int fd = fds[i].fd;

	switch (what[i].kind) {
	case LISTEN:
		accept_one(i);
		return 1;
	case DATAGRAMS:
	case ANSWER:
		for (int k = 0; k < 16; k++) {
			receive(fd, &from, &len, MSG_ERRQUEUE);
			n = receive(fd, &from, &len, 0);
			if (n >= 0 && what[i].kind == ANSWER)
				sendto(fd, buf, (size_t)n, 0, (void *)&from, len);
		}
		return 1;
	case SOURCE:
	case OUTWARDS:
		n = fds[i].revents & POLLOUT ? send(fd, buf, 3000, MSG_NOSIGNAL) : 0;
		if (n < 0 && errno != EAGAIN)
			return 0;
		break;
	default:
		break;
	}
	n = recv(fd, buf, what[i].kind == SINK ? 700 : 16384, 0);
	if (n < 0)
		return errno == EAGAIN;
	for (ssize_t done = 0; what[i].kind == ECHO && done < n; ) {
		struct pollfd room = { fd, POLLOUT, 0 };
		ssize_t sent = send(fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL);

		if (sent > 0)
			done += sent;
		else if (errno != EAGAIN || poll(&room, 1, 500) <= 0)
			return 0;
	}
	return n > 0;
}

static volatile sig_atomic_t over;
static void stop(int sig) { (void)sig; over = 1; }

int main(void)
{
	time_t last = 0;
	int fd;

	signal(SIGTERM, stop);
	for (int port = 7; port <= 19; port = port == 7 ? 9 : port == 9 ? 19 : 20)
		add(bound(SOCK_STREAM, port), LISTEN, port);
	add(bound(SOCK_DGRAM, 7), ANSWER, 7);
	add(fd = bound(SOCK_DGRAM, 9), DATAGRAMS, 9);
	tell_all(fd);
	join(fd);
	add(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), DATAGRAMS, 0);
	add(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), DATAGRAMS, 0);
	add(fd = socket(AF_INET, SOCK_RAW, 99), DATAGRAMS, 0);
	tell_all(fd);
	add(fd = socket(AF_INET6, SOCK_RAW, 99), DATAGRAMS, 0);
	tell_all(fd);
	add(packets(), DATAGRAMS, 0);
	puts("netfuzz: ready");
	fflush(stdout);
	while (!over) {
		if (poll(fds, (nfds_t)nr, 500) < 0)
			continue;
		for (int i = nr - 1; i >= 0; i--)
			if (fds[i].revents && !serve(i))
				drop(i);
		if (time(NULL) == last)
			continue;
		last = time(NULL);
		for (int i = nr - 1; i >= 0; i--)
			if (last - what[i].since > 3 && (what[i].kind == OUTWARDS || (what[i].kind == DATAGRAMS && what[i].port == 1235)))
				drop(i);
		for (int six = 0; six < 2; six++) {
			add(outwards(SOCK_STREAM, six), OUTWARDS, 1234);
			add(fd = outwards(SOCK_DGRAM, six), DATAGRAMS, 1235);
			for (int k = 0; k < 5 && fd >= 0; k++)
				send(fd, buf, 10, 0);
		}
	}
	while (nr)
		drop(0);
	puts("netfuzz: over");
	return 0;
}
