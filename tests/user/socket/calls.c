/* The calls on sockets themselves: arguments, errors, wild pointers. */
#include "../unix/sock.h"

TEST(socket_arguments)
{
	int s;
	CHECK_ERR(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(syscall(SYS_socket, AF_UNIX, 11, 0), EINVAL);
	CHECK_ERR(syscall(SYS_socket, AF_UNIX, 15, 0), EINVAL);
	CHECK_ERR(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, 0, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK((s = socket(AF_UNIX, SOCK_STREAM, AF_UNIX)) >= 0);
	CHECK((s = socket(AF_UNIX, SOCK_RAW, 0)) >= 0);
	CHECK_EQ(int_option(s, SO_TYPE), SOCK_DGRAM);
	CHECK((s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) >= 0);
	CHECK(fcntl(s, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(s, F_GETFL) & O_NONBLOCK);
}

TEST(socketpair_arguments)
{
	int s[2] = { -7, -7 };
	CHECK_ERR(socketpair(-1, SOCK_STREAM, 0, s), EAFNOSUPPORT);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_RDM, 0, s), ESOCKTNOSUPPORT);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 1), EFAULT);
	int next = dup(0);
	close(next);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK_EQ(s[0], next);
	CHECK_EQ(s[1], next + 1);
	struct rlimit rl = { next + 3, next + 3 };
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, s), EMFILE);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) == next + 2);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
}

TEST(not_sockets)
{
	char b[128] = { 0 };
	int p[2], v = 0;
	socklen_t len = sizeof(b);
	struct msghdr m = { 0 };
	CHECK(pipe(p) == 0);
	CHECK_ERR(bind(p[0], (void *)b, 10), ENOTSOCK);
	CHECK_ERR(connect(p[0], (void *)b, 10), ENOTSOCK);
	CHECK_ERR(listen(p[0], 1), ENOTSOCK);
	CHECK_ERR(getsockname(p[0], (void *)b, &len), ENOTSOCK);
	CHECK_ERR(getpeername(p[0], (void *)b, &len), ENOTSOCK);
	CHECK_ERR(send(p[1], b, 1, 0), ENOTSOCK);
	CHECK_ERR(recv(p[0], b, 1, 0), ENOTSOCK);
	CHECK_ERR(sendmsg(p[1], &m, 0), ENOTSOCK);
	CHECK_ERR(recvmsg(p[0], &m, 0), ENOTSOCK);
	CHECK_ERR(shutdown(p[0], 2), ENOTSOCK);
	CHECK_ERR(setsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)), ENOTSOCK);
	CHECK_ERR(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &v, &len), ENOTSOCK);
	int o = open("/tmp", O_PATH);
	CHECK_ERR(send(o, b, 1, 0), EBADF);
}

TEST(wild_pointers)
{
	char b[8] = { 0 };
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	char name[128];
	void *bad[] = { (void *)1, (void *)0x7fffffff0000, (void *)-8l, (void *)(1l << 63) };
	PAIR(SOCK_DGRAM, s);
	for (int i = 0; i < 4; i++) {
		CHECK_ERR(send(s[0], bad[i], 8, 0), EFAULT);
		CHECK_ERR(sendto(s[0], b, 8, 0, bad[i], 10), EFAULT);
		CHECK_ERR(syscall(SYS_sendmsg, s[0], bad[i], 0), EFAULT);
		CHECK_ERR(syscall(SYS_recvmsg, s[0], bad[i], 0), EFAULT);
		CHECK_ERR(syscall(SYS_sendmmsg, s[0], bad[i], 1, 0), EFAULT);
		CHECK_ERR(syscall(SYS_recvmmsg, s[0], bad[i], 1, 0, 0), EFAULT);
		CHECK_ERR(syscall(SYS_recvmmsg, s[0], b, 1, 0, bad[i]), EFAULT);
		m.msg_iov = bad[i];
		CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
		m.msg_iov = &v;
		v.iov_base = bad[i];
		CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
		v.iov_base = b;
		m.msg_name = bad[i];
		m.msg_namelen = 10;
		CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
		m.msg_name = NULL;
		CHECK_EQ(send(s[0], "x", 1, 0), 1);
		CHECK_ERR(recv(s[1], bad[i], 8, 0), EFAULT);
		if (i < 2)
			CHECK_ERR(recv(s[1], b, 8, MSG_DONTWAIT), EAGAIN);	/* it is lost */
		else
			CHECK_EQ(recv(s[1], b, 8, MSG_DONTWAIT), 1);	/* no address at all: seen before */
		CHECK_EQ(send(s[0], "x", 1, 0), 1);
		CHECK_ERR(recvfrom(s[1], b, 8, 0, (void *)name, bad[i]), EFAULT);
		CHECK_ERR(getsockname(s[0], (void *)name, bad[i]), EFAULT);
		CHECK_ERR(getsockopt(s[0], SOL_SOCKET, SO_TYPE, b, bad[i]), EFAULT);
		CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_PRIORITY, bad[i], 4), EFAULT);
		CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad[i]), EFAULT);
		CHECK_ERR(bind(s[0], bad[i], 10), EFAULT);
		CHECK_ERR(connect(s[0], bad[i], 10), EFAULT);
	}
	PAIR(SOCK_STREAM, t);
	CHECK_EQ(write(t[0], "x", 1), 1);
	CHECK_ERR(recv(t[1], bad[0], 8, 0), EFAULT);
	CHECK_EQ(recv(t[1], b, 8, 0), 1);			/* a stream keeps it */
}

TEST(huge_and_negative)
{
	char b[8];
	struct iovec v[3] = { { b, 8 }, { b, 8 }, { b, 8 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 1 };
	PAIR(SOCK_STREAM, s);
	m.msg_iovlen = 1025;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EMSGSIZE);
	CHECK_ERR(syscall(SYS_recvmsg, s[0], &m, 0), EMSGSIZE);
	m.msg_iovlen = 1;
	v[0].iov_len = -1;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	v[0].iov_len = 8;
	m.msg_name = b;
	m.msg_namelen = -1;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	CHECK_ERR(syscall(SYS_recvmsg, s[0], &m, 0), EINVAL);
	CHECK_ERR(send(s[0], b, -1, 0), EFAULT);
	CHECK_ERR(sendto(s[0], b, 1, 0, (void *)b, 129), EINVAL);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_PRIORITY, b, -1), EINVAL);
	m.msg_name = NULL;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0x80000000), EINVAL);
	CHECK_ERR(syscall(SYS_recvmsg, s[0], &m, 0x80000000), EINVAL);
}

TEST(recvmsg_tells_lengths)
{
	char b[8], c[64];
	struct sockaddr_un from;
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	int r = bound(SOCK_DGRAM, "@rt"), t = bound(SOCK_DGRAM, "@tt");
	CHECK(try_connect(t, "@rt") == 0);
	CHECK_EQ(send(t, "x", 1, 0), 1);
	CHECK_EQ(recvmsg(r, &m, 0), 1);
	CHECK_EQ(m.msg_namelen, 5);
	CHECK_EQ(m.msg_controllen, 0);
	CHECK_EQ(m.msg_flags, 0);
	CHECK(!memcmp(from.sun_path, "\0tt", 3));
	m.msg_namelen = 3;
	CHECK_EQ(send(t, "x", 1, 0), 1);
	CHECK_EQ(recvmsg(r, &m, 0), 1);
	CHECK_EQ(m.msg_namelen, 5);
}

TEST(sharing_over_fork_and_dup)
{
	char b[4];
	PAIR(SOCK_STREAM, s);
	int d = dup(s[0]);
	close(s[0]);
	pid_t pid = fork();
	if (!pid) _exit(write(d, "hi", 2) == 2 ? 7 : 1);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(read(s[1], b, 4), 2);
	CHECK(set_int(d, SO_PRIORITY, 3) == 0);
	CHECK_EQ(int_option(d, SO_PRIORITY), 3);
	close(d);
	CHECK_EQ(read(s[1], b, 4), 0);
}
