/* inet.h - what the tests of Internet sockets share: lo is brought up, addresses are short to write. */
#pragma once
#include "tap.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline void lo_up(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "lo" };

	CHECK(s >= 0);
	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags |= IFF_UP;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	CHECK_EQ(close(s), 0);
}

static inline struct sockaddr_in in4(const char *a, int port)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons(port) };

	CHECK_EQ(inet_pton(AF_INET, a, &s.sin_addr), 1);
	return s;
}

static inline struct sockaddr_in6 in6(const char *a, int port)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	CHECK_EQ(inet_pton(AF_INET6, a, &s.sin6_addr), 1);
	return s;
}
#define SA(s) ((struct sockaddr *)&(s)), sizeof(s)

static inline int port_of(int fd)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&s, &len), 0);
	return ntohs(s.ss_family == AF_INET ? ((struct sockaddr_in *)&s)->sin_port : ((struct sockaddr_in6 *)&s)->sin6_port);
}

/* A listener on 127.0.0.1, at a port of its own. */
static inline int listener(int backlog)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(s >= 0);
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_EQ(listen(s, backlog), 0);
	return s;
}

static inline int connected_to(int l)
{
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	int c = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(c >= 0);
	CHECK_EQ(connect(c, SA(a)), 0);
	return c;
}

/* Two ends of a connection: fd[0] connected, fd[1] was accepted. */
static inline void tcp_pair(int fd[2])
{
	int l = listener(5);

	fd[0] = connected_to(l);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	CHECK_EQ(close(l), 0);
}

static inline int events_of(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };

	CHECK(poll(&p, 1, ms) >= 0);
	return p.revents;
}

/* wait_events - until all of want are there. */
static inline int wait_events(int fd, int want)
{
	struct pollfd p = { fd, want, 0 };

	CHECK(poll(&p, 1, 20000) >= 0);
	return p.revents;
}

static inline int error_of(int fd)
{
	int e = -1;
	socklen_t len = sizeof(e);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len), 0);
	return e;
}

static inline int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	CHECK_EQ(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

static inline int set_option(int fd, int level, int name, int v) { return setsockopt(fd, level, name, &v, sizeof(v)); }

static inline void nonblocking(int fd) { CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0); }

static inline void read_all(int fd, void *buf, size_t len)
{
	for (size_t n = 0; n < len; ) {
		ssize_t r = read(fd, (char *)buf + n, len - n);

		CHECK(r > 0);
		n += r;
	}
}
