/* What the tests of sockets share. */
#pragma once
#include "tap.h"
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PAIR(type, fd) int fd[2]; CHECK(socketpair(AF_UNIX, type, 0, fd) == 0)

/* An address: a path, or, with '@' first, an abstract name. */
static inline socklen_t un(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, name);
	if (*name == '@') {
		a->sun_path[0] = 0;
		return offsetof(struct sockaddr_un, sun_path) + strlen(name);
	}
	return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
}

static inline int bound(int type, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = un(&a, name);
	int fd = socket(AF_UNIX, type, 0);
	CHECK(fd >= 0);
	CHECK(bind(fd, (void *)&a, len) == 0);
	return fd;
}

static inline int listening(int type, const char *name, int backlog)
{
	int fd = bound(type, name);
	CHECK(listen(fd, backlog) == 0);
	return fd;
}

static inline int try_connect(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = un(&a, name);
	return connect(fd, (void *)&a, len);
}

static inline int connected(int type, const char *name)
{
	int fd = socket(AF_UNIX, type, 0);
	CHECK(fd >= 0);
	CHECK(try_connect(fd, name) == 0);
	return fd;
}

static inline void nonblocking(int fd) { CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0); }

static inline int int_option(int fd, int name)
{
	int v = -12345;
	socklen_t len = sizeof(v);
	CHECK(getsockopt(fd, SOL_SOCKET, name, &v, &len) == 0);
	CHECK_EQ(len, sizeof(v));
	return v;
}
static inline int set_int(int fd, int name, int v) { return setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v)); }

static inline int events_of(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0 };
	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Sends n descriptors with the bytes. */
static inline ssize_t send_fds(int to, const void *bytes, size_t len, const int *fds, int n)
{
	char c[CMSG_SPACE(253 * sizeof(int))];
	struct iovec v = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	memset(c, 0, sizeof(c));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	return syscall(SYS_sendmsg, to, &m, 0);		/* musl's copies no more than 1024 bytes of control */
}

/* Receives; up to max descriptors, *n of them came; *flags: msg_flags. */
static inline ssize_t recv_fds(int from, void *bytes, size_t len, int *fds, int max, int *n, int flags, int *out)
{
	char c[CMSG_SPACE(253 * sizeof(int))];
	struct iovec v = { bytes, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(max * sizeof(int)) };
	ssize_t got = recvmsg(from, &m, flags);
	*n = 0;
	for (struct cmsghdr *h = got < 0 ? NULL : CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
			*n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(h), *n * sizeof(int));
		}
	if (out)
		*out = m.msg_flags;
	return got;
}

/* A file that nobody else has: returns its writing end; closed() tells on the other. */
static inline bool pipe_is_hung_up(int rd)
{
	struct pollfd p = { rd, POLLIN, 0 };
	for (int i = 0; i < 400; i++) {
		CHECK(poll(&p, 1, 10) >= 0);
		if (p.revents & POLLHUP)
			return true;
	}
	return false;
}
