/* MSG_OOB on AF_UNIX streams. */
#include "sock.h"

static int at_mark(int fd)
{
	int v = -1;
	CHECK(ioctl(fd, SIOCATMARK, &v) == 0);
	return v;
}

TEST(one_byte_apart)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(events_of(s[1]) & POLLPRI, POLLPRI);
	CHECK_EQ(recv(s[1], b, 8, 0), 2);
	CHECK(!memcmp(b, "ab", 2));
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(recv(s[1], b, 8, MSG_OOB), 1);
	CHECK_EQ(b[0], 'c');
	CHECK_ERR(recv(s[1], b, 8, MSG_OOB), EINVAL);
	CHECK_EQ(events_of(s[1]) & POLLPRI, 0);
}

TEST(taken_first)
{
	char b[8];
	struct msghdr m = { .msg_iov = &(struct iovec){ b, 8 }, .msg_iovlen = 1 };
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(recv(s[1], b, 8, MSG_OOB | MSG_PEEK), 1);
	CHECK_EQ(recvmsg(s[1], &m, MSG_OOB), 1);
	CHECK_EQ(m.msg_flags, MSG_OOB);
	CHECK_EQ(write(s[0], "de", 2), 2);
	CHECK_EQ(recv(s[1], b, 2, 0), 2);
	CHECK(!memcmp(b, "ab", 2));
	CHECK_EQ(recv(s[1], b, 8, 0), 2);
	CHECK(!memcmp(b, "de", 2));
}

TEST(in_line)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_OOBINLINE, 1) == 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(send(s[0], "b", 1, MSG_OOB), 1);
	CHECK_EQ(write(s[0], "c", 1), 1);
	CHECK_ERR(recv(s[1], b, 8, MSG_OOB), EINVAL);
	CHECK_EQ(recv(s[1], b, 8, 0), 1);
	CHECK_EQ(at_mark(s[1]), 1);
	CHECK_EQ(recv(s[1], b, 8, 0), 2);
	CHECK(!memcmp(b, "bc", 2));
}

static volatile sig_atomic_t urgent;
static void on_urgent(int sig) { (void)sig; urgent++; }

TEST(a_signal_for_the_owner)
{
	PAIR(SOCK_STREAM, s);
	signal(SIGURG, on_urgent);
	CHECK(fcntl(s[1], F_SETOWN, getpid()) == 0);
	CHECK_EQ(send(s[0], "!", 1, MSG_OOB), 1);
	CHECK_EQ(urgent, 1);
}

TEST(nothing_urgent)
{
	char b;
	PAIR(SOCK_STREAM, s);
	CHECK_ERR(recv(s[1], &b, 1, MSG_OOB), EINVAL);
	CHECK_ERR(send(s[0], "", 0, MSG_OOB), EOPNOTSUPP);
	CHECK_EQ(at_mark(s[1]), 0);
}
