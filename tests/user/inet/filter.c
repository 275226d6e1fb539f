/* SO_ATTACH_FILTER on Internet sockets: datagrams, segments, raw packets. */
#include "inet.h"
#include <linux/filter.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

static void attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog p = { n, code };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), 0);
}
#define ATTACH(fd, ...) do { struct sock_filter c_[] = { __VA_ARGS__ }; attach(fd, c_, sizeof(c_) / sizeof(c_[0])); } while (0)
#define KEEP(n)		BPF_STMT(BPF_RET | BPF_K, n)
#define BYTE(at)	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define HALF(at)	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define IF(v, no)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 0, no)

static int udp(int *to)
{
	struct sockaddr_in s = in4("127.0.0.1", 0);
	int b = socket(AF_INET, SOCK_DGRAM, 0);

	lo_up();
	CHECK_EQ(bind(b, SA(s)), 0);
	s = in4("127.0.0.1", port_of(b));
	*to = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(connect(*to, SA(s)), 0);
	return b;
}

TEST(none_and_all)
{
	char buf[100];
	int a, b = udp(&a);

	ATTACH(b, KEEP(0));
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_ERR(recv(b, buf, 100, MSG_DONTWAIT), EAGAIN);
	ATTACH(b, KEEP(~0u));
	CHECK_EQ(send(a, "yes", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_ERR(set_option(b, SOL_SOCKET, SO_DETACH_FILTER, 0), ENOENT);
	CHECK_EQ(send(a, "yes", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
}

/* A UDP filter sees the UDP header first. */
TEST(by_payload_and_port)
{
	char buf[100];
	int a, b = udp(&a);

	ATTACH(b, BYTE(8), IF('y', 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "no", 2, 0), 2);
	CHECK_EQ(send(a, "yes", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, HALF(2), IF(port_of(b), 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "z", 1, 0), 1);
	CHECK_EQ(recv(b, buf, 100, 0), 1);
	ATTACH(b, HALF(0), IF(port_of(a), 1), KEEP(0), KEEP(~0u));
	CHECK_EQ(send(a, "z", 1, 0), 1);
	CHECK_ERR(recv(b, buf, 100, MSG_DONTWAIT), EAGAIN);
	/* a load beyond the end drops */
	ATTACH(b, BYTE(20), KEEP(~0u));
	CHECK_EQ(send(a, "short", 5, 0), 5);
	CHECK_ERR(recv(b, buf, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(a, "longer than that", 16, 0), 16);
	CHECK_EQ(recv(b, buf, 100, 0), 16);
}

TEST(cut_datagrams)
{
	char buf[100];
	int a, b = udp(&a);

	ATTACH(b, KEEP(8 + 4));
	CHECK_EQ(send(a, "abcdefgh", 8, 0), 8);
	CHECK_EQ(recv(b, buf, 100, MSG_TRUNC), 4);
	CHECK(!memcmp(buf, "abcd", 4));
	ATTACH(b, KEEP(3));		/* not into the header */
	CHECK_EQ(send(a, "abcdefgh", 8, 0), 8);
	CHECK_EQ(recv(b, buf, 100, 0), 0);
	ATTACH(b, KEEP(100));
	CHECK_EQ(send(a, "abcdefgh", 8, 0), 8);
	CHECK_EQ(recv(b, buf, 100, 0), 8);
}

TEST(the_network_header)
{
	char buf[100];
	int a, b = udp(&a);

	ATTACH(b, BYTE(SKF_NET_OFF + 9), IF(IPPROTO_UDP, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "net", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 16), IF(INADDR_LOOPBACK, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "net", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, HALF(SKF_AD_OFF + SKF_AD_PROTOCOL), IF(0x0800, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "net", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), IF(1, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "net", 3, 0), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), IF(8 + 5, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(send(a, "four", 4, 0), 4);
	CHECK_EQ(send(a, "five5", 5, 0), 5);
	CHECK_EQ(recv(b, buf, 100, 0), 5);
}

TEST(locked)
{
	int a, b = udp(&a);
	struct sock_filter code[] = { KEEP(~0u) };
	struct sock_fprog p = { 1, code };

	ATTACH(b, KEEP(0));
	CHECK_EQ(option(b, SOL_SOCKET, SO_LOCK_FILTER), 0);
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
	CHECK_ERR(setsockopt(b, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EPERM);
	CHECK_ERR(set_option(b, SOL_SOCKET, SO_DETACH_FILTER, 0), EPERM);
	CHECK_ERR(set_option(b, SOL_SOCKET, SO_LOCK_FILTER, 0), EPERM);
}

TEST(six)
{
	struct sockaddr_in6 s = in6("::1", 0);
	int a = socket(AF_INET6, SOCK_DGRAM, 0), b = socket(AF_INET6, SOCK_DGRAM, 0);
	char buf[100];

	lo_up();
	CHECK_EQ(bind(b, SA(s)), 0);
	s = in6("::1", port_of(b));
	ATTACH(b, BYTE(8), IF('y', 1), KEEP(8 + 2), KEEP(0));
	CHECK_EQ(sendto(a, "no", 2, 0, SA(s)), 2);
	CHECK_EQ(sendto(a, "yes", 3, 0, SA(s)), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 2);
	ATTACH(b, HALF(SKF_AD_OFF + SKF_AD_PROTOCOL), IF(0x86dd, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(sendto(a, "yes", 3, 0, SA(s)), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
	ATTACH(b, BYTE(SKF_NET_OFF + 6), IF(IPPROTO_UDP, 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(sendto(a, "yes", 3, 0, SA(s)), 3);
	CHECK_EQ(recv(b, buf, 100, 0), 3);
}

/* A raw socket's filter sees IPv4's header first. */
TEST(raw)
{
	struct sockaddr_in to = in4("127.0.0.1", 0);
	int r = socket(AF_INET, SOCK_RAW, 253), s = socket(AF_INET, SOCK_RAW, 253);
	char buf[100];

	lo_up();
	ATTACH(r, BYTE(9), IF(253, 3), BYTE(20), IF('y', 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(sendto(s, "no", 2, 0, SA(to)), 2);
	CHECK_EQ(sendto(s, "yes", 3, 0, SA(to)), 3);
	CHECK_EQ(recv(r, buf, 100, 0), 23);
	CHECK(!memcmp(buf + 20, "yes", 3));
	CHECK_ERR(recv(r, buf, 100, MSG_DONTWAIT), EAGAIN);
}

/* TCP: the segments do not come in, and are sent again until they do. */
TEST(segments)
{
	char buf[10];
	int fd[2];

	lo_up();
	tcp_pair(fd);
	ATTACH(fd[1], KEEP(0));
	CHECK_EQ(write(fd[0], "lost", 4), 4);
	sleep_ms(100);
	CHECK_ERR(recv(fd[1], buf, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(set_option(fd[1], SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_EQ(recv(fd[1], buf, 4, MSG_WAITALL), 4);
	CHECK(!memcmp(buf, "lost", 4));
}

TEST(segments_by_header)
{
	char buf[10];
	int fd[2];

	lo_up();
	tcp_pair(fd);
	ATTACH(fd[1], HALF(0), IF(port_of(fd[0]), 3), HALF(2), IF(port_of(fd[1]), 1), KEEP(~0u), KEEP(0));
	CHECK_EQ(write(fd[0], "through", 7), 7);
	CHECK_EQ(recv(fd[1], buf, 7, MSG_WAITALL), 7);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(read(fd[1], buf, 1), 0);
}

/* A listener's filter is born with its connections. */
TEST(listeners)
{
	int l, c, s;
	struct sock_filter code[600];
	socklen_t n = 600;

	lo_up();
	l = listener(5);
	ATTACH(l, KEEP(~0u));
	c = connected_to(l);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, code, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_EQ(read(s, code, 1), 1);
	ATTACH(l, KEEP(0));
	c = socket(AF_INET, SOCK_STREAM, 0);
	nonblocking(c);
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	CHECK(!(events_of(c, 200) & POLLOUT));
	CHECK_EQ(set_option(l, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);	/* the next SYN gets through */
	CHECK_EQ(error_of(c), 0);
}

/* --- what was lost is counted --- */

static int drops_told(int fd)
{
	char buf[10], control[100];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int drops = 0;

	CHECK(recvmsg(fd, &m, 0) >= 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&drops, CMSG_DATA(c), sizeof(drops));
	return drops;
}

TEST(drops_are_told)
{
	int a, b = udp(&a);

	CHECK_EQ(option(b, SOL_SOCKET, SO_RXQ_OVFL), 0);
	ATTACH(b, KEEP(0));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_EQ(send(a, "y", 1, 0), 1);
	CHECK_EQ(drops_told(b), 0);		/* nobody asked */
	CHECK_EQ(set_option(b, SOL_SOCKET, SO_RXQ_OVFL, 1), 0);
	CHECK_EQ(send(a, "y", 1, 0), 1);
	CHECK_EQ(drops_told(b), 3);
}

TEST(incoming_cpu)
{
	struct sockaddr_in s;
	char c;
	int a, b = udp(&a);

	s = in4("127.0.0.1", port_of(a));
	CHECK_EQ(option(b, SOL_SOCKET, SO_INCOMING_CPU), -1);
	CHECK_EQ(connect(b, SA(s)), 0);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_EQ(recv(b, &c, 1, 0), 1);
	CHECK(option(b, SOL_SOCKET, SO_INCOMING_CPU) >= 0);
	CHECK(option(b, SOL_SOCKET, SO_INCOMING_CPU) < 1024);
}
