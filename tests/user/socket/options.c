/* Options of SOL_SOCKET. */
#include "../unix/sock.h"

static int opt(int fd, int name, void *v, socklen_t *len) { return getsockopt(fd, SOL_SOCKET, name, v, len); }

TEST(what_it_is)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK_EQ(int_option(s, SO_TYPE), SOCK_SEQPACKET);
	CHECK_EQ(int_option(s, SO_DOMAIN), AF_UNIX);
	CHECK_EQ(int_option(s, SO_PROTOCOL), 0);
	CHECK_EQ(int_option(s, SO_ERROR), 0);
	CHECK_EQ(int_option(s, SO_ACCEPTCONN), 0);
	CHECK_ERR(set_int(s, SO_TYPE, 1), ENOPROTOOPT);
	CHECK_ERR(set_int(s, SO_ERROR, 1), ENOPROTOOPT);
	CHECK_ERR(set_int(s, SO_DOMAIN, 1), ENOPROTOOPT);
	CHECK_ERR(set_int(s, SO_PROTOCOL, 1), ENOPROTOOPT);
	CHECK_ERR(set_int(s, SO_ACCEPTCONN, 1), ENOPROTOOPT);
}

TEST(on_and_off)
{
	static const int names[] = { SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_PASSCRED, SO_RXQ_OVFL };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_EQ(int_option(s, names[i]), 0);
		CHECK(set_int(s, names[i], 17) == 0);
		CHECK_EQ(int_option(s, names[i]), 1);
		CHECK(set_int(s, names[i], 0) == 0);
		CHECK_EQ(int_option(s, names[i]), 0);
	}
}

TEST(sharing_ports_is_for_the_internet)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(set_int(s, SO_REUSEPORT, 1), EOPNOTSUPP);
	CHECK(set_int(s, SO_REUSEPORT, 0) == 0);
	CHECK_EQ(int_option(s, SO_REUSEPORT), 0);
}

TEST(buffers)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(int_option(s, SO_SNDBUF), 212992);
	CHECK_EQ(int_option(s, SO_RCVBUF), 212992);
	CHECK(set_int(s, SO_SNDBUF, 10000) == 0);
	CHECK_EQ(int_option(s, SO_SNDBUF), 20000);
	CHECK(set_int(s, SO_SNDBUF, 1) == 0);
	CHECK_EQ(int_option(s, SO_SNDBUF), 4608);
	CHECK(set_int(s, SO_RCVBUF, 1) == 0);
	CHECK_EQ(int_option(s, SO_RCVBUF), 2304);
	CHECK(set_int(s, SO_SNDBUF, 1 << 30) == 0);
	CHECK_EQ(int_option(s, SO_SNDBUF), 2 * 212992);
	CHECK(set_int(s, SO_SNDBUFFORCE, 1 << 20) == 0);
	CHECK_EQ(int_option(s, SO_SNDBUF), 2 << 20);
	CHECK(set_int(s, SO_RCVBUFFORCE, 1 << 20) == 0);
	CHECK_EQ(int_option(s, SO_RCVBUF), 2 << 20);
	CHECK(set_int(s, SO_RCVBUF, -1) == 0);
	CHECK_EQ(int_option(s, SO_RCVBUF), 2 * 212992);
}

TEST(forcing_needs_a_capability)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(set_int(s, SO_SNDBUFFORCE, 1 << 20), EPERM);
	CHECK_ERR(set_int(s, SO_RCVBUFFORCE, 1 << 20), EPERM);
	CHECK_ERR(set_int(s, SO_MARK, 1), EPERM);
	CHECK_ERR(set_int(s, SO_PRIORITY, 7), EPERM);
	CHECK(set_int(s, SO_PRIORITY, 6) == 0);
	CHECK_ERR(set_int(s, SO_DEBUG, 1), EACCES);
}

TEST(send_buffer_is_a_limit)
{
	static char b[100000];
	long n = 0, r;
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[0], SO_SNDBUF, 4096) == 0);
	while ((r = send(s[0], b, sizeof(b), MSG_DONTWAIT)) > 0) n += r;
	CHECK(n >= 1024 && n < 50000);
}

TEST(time_outs)
{
	struct timeval tv = { 3, 500000 }, got;
	socklen_t len = sizeof(got);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(opt(s, SO_RCVTIMEO, &got, &len) == 0);
	CHECK_EQ(len, 16);
	CHECK(!got.tv_sec && !got.tv_usec);
	CHECK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(opt(s, SO_RCVTIMEO, &got, &len) == 0);
	CHECK_EQ(got.tv_sec, 3);
	CHECK_EQ(got.tv_usec, 500000);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, 8), EINVAL);
	tv.tv_usec = 1000000;
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), EDOM);
	tv = (struct timeval){ -1, 0 };
	CHECK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	PAIR(SOCK_STREAM, p);
	char c;
	CHECK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
}

TEST(linger)
{
	struct linger { int on, s; } l = { 1, 30 }, got;
	socklen_t len = sizeof(got);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	CHECK(opt(s, SO_LINGER, &got, &len) == 0);
	CHECK_EQ(len, 8);
	CHECK(got.on == 1 && got.s == 30);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4), EINVAL);
	l.on = 0;
	CHECK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	CHECK(opt(s, SO_LINGER, &got, &len) == 0);
	CHECK_EQ(got.on, 0);
}

TEST(lengths)
{
	int v = 0x11223344;
	char buf[16];
	socklen_t len = 2;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(set_int(s, SO_PRIORITY, 5) == 0);
	memset(buf, 0xee, sizeof(buf));
	CHECK(opt(s, SO_PRIORITY, buf, &len) == 0);
	CHECK_EQ(len, 2);
	CHECK_EQ(buf[0], 5);
	CHECK_EQ((unsigned char)buf[2], 0xee);
	len = 16;
	CHECK(opt(s, SO_PRIORITY, buf, &len) == 0);
	CHECK_EQ(len, 4);
	len = -1;
	CHECK_ERR(opt(s, SO_PRIORITY, buf, &len), EINVAL);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, 3), EINVAL);
	CHECK(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, 4) == 0);
}

TEST(levels_and_unknown)
{
	int v = 0;
	socklen_t len = sizeof(v);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(getsockopt(s, SOL_SOCKET, 9999, &v, &len), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, 9999, &v, len), ENOPROTOOPT);
	CHECK_ERR(getsockopt(s, IPPROTO_TCP, 1, &v, &len), EOPNOTSUPP);
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, 1, &v, len), EOPNOTSUPP);
	CHECK_ERR(getsockopt(s, 9999, 1, &v, &len), EOPNOTSUPP);
}

TEST(low_water)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(int_option(s, SO_RCVLOWAT), 1);
	CHECK_EQ(int_option(s, SO_SNDLOWAT), 1);
	CHECK(set_int(s, SO_RCVLOWAT, 100) == 0);
	CHECK_EQ(int_option(s, SO_RCVLOWAT), 100);
	CHECK(set_int(s, SO_RCVLOWAT, 0) == 0);
	CHECK_EQ(int_option(s, SO_RCVLOWAT), 1);
	CHECK(set_int(s, SO_RCVLOWAT, -5) == 0);
	CHECK_EQ(int_option(s, SO_RCVLOWAT), INT_MAX);
	CHECK_ERR(set_int(s, SO_SNDLOWAT, 5), ENOPROTOOPT);
}

TEST(cookies_are_each_ones_own)
{
	uint64_t a, b, c;
	socklen_t len = 8;
	PAIR(SOCK_STREAM, s);
	CHECK(opt(s[0], 57, &a, &len) == 0);
	CHECK(opt(s[1], 57, &b, &len) == 0);
	CHECK(opt(s[0], 57, &c, &len) == 0);
	CHECK(a && b && a != b && a == c);
	len = 4;
	CHECK_ERR(opt(s[0], 57, &c, &len), EINVAL);
}

TEST(stamps)
{
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(set_int(s, SO_TIMESTAMP, 1) == 0);
	CHECK_EQ(int_option(s, SO_TIMESTAMP), 1);
	CHECK(set_int(s, SO_TIMESTAMPNS, 1) == 0);
	CHECK_EQ(int_option(s, SO_TIMESTAMPNS), 1);
	CHECK_EQ(int_option(s, SO_TIMESTAMP), 0);
	CHECK(set_int(s, SO_TIMESTAMPNS, 0) == 0);
	CHECK_EQ(int_option(s, SO_TIMESTAMPNS), 0);
}

TEST(marks_and_others)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(set_int(s, SO_MARK, 0x1234) == 0);
	CHECK_EQ(int_option(s, SO_MARK), 0x1234);
	CHECK_EQ(int_option(s, SO_BUSY_POLL), 0);
	CHECK_EQ(int_option(s, SO_BSDCOMPAT), 0);
	CHECK_EQ(int_option(s, SO_INCOMING_CPU), -1);
	CHECK(set_int(s, SO_INCOMING_CPU, 0) == 0);
	CHECK_EQ(int_option(s, SO_INCOMING_CPU), 0);
	CHECK_EQ(int_option(s, 72 /* SO_BUF_LOCK */), 0);
	CHECK(set_int(s, SO_SNDBUF, 10000) == 0);
	CHECK_EQ(int_option(s, 72), 1);
	CHECK(set_int(s, SO_RCVBUF, 10000) == 0);
	CHECK_EQ(int_option(s, 72), 3);
	CHECK_ERR(set_int(s, 72, 4), EINVAL);
	CHECK_EQ(int_option(s, SO_PEEK_OFF), -1);
}

TEST(bound_to_a_device)
{
	char b[64];
	socklen_t len = sizeof(b);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(opt(s, SO_BINDTODEVICE, b, &len) == 0);
	CHECK_EQ(len, 0);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nodev", 6), ENODEV);
	CHECK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0);
	len = sizeof(b);
	CHECK(opt(s, SO_BINDTODEVICE, b, &len) == 0);
	CHECK_EQ(len, 3);
	CHECK(!strcmp(b, "lo"));
	CHECK_EQ(int_option(s, 62 /* SO_BINDTOIFINDEX */), 1);
	len = 8;
	CHECK_ERR(opt(s, SO_BINDTODEVICE, b, &len), EINVAL);
	CHECK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0) == 0);
	CHECK_EQ(int_option(s, 62), 0);
	CHECK(set_int(s, 62, 1) == 0);
	CHECK_ERR(set_int(s, 62, -1), EINVAL);
}

TEST(peer_name)
{
	char b[128];
	socklen_t len = 5;
	int l = listening(SOCK_STREAM, "@pn", 1), c = connected(SOCK_STREAM, "@pn");
	CHECK(opt(c, SO_PEERNAME, b, &len) == 0);
	CHECK_EQ(len, 5);
	CHECK(!memcmp(b + 2, "\0pn", 3));
	len = 100;
	CHECK_ERR(opt(c, SO_PEERNAME, b, &len), EINVAL);
	CHECK_ERR(opt(l, SO_PEERNAME, b, &len), ENOTCONN);
}

TEST(filters_are_told_and_locked)
{
	struct { unsigned short code; unsigned char jt, jf; unsigned k; } all = { 0x06, 0, 0, 0xffff }, got[4];
	struct { unsigned short len; void *filter; } prog = { 1, &all };
	socklen_t len = 0;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
	CHECK(opt(s, SO_GET_FILTER, got, &len) == 0);
	CHECK_EQ(len, 1);
	len = 4;
	CHECK(opt(s, SO_GET_FILTER, got, &len) == 0);
	CHECK_EQ(len, 1);
	CHECK(!memcmp(got, &all, 8));
	CHECK(set_int(s, SO_LOCK_FILTER, 1) == 0);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &prog, sizeof(prog)), EPERM);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EPERM);
	CHECK_ERR(set_int(s, SO_LOCK_FILTER, 0), EPERM);
}

TEST(sysctls)
{
	char b[32];
	CHECK(read_file("/proc/sys/net/core/rmem_default", b, sizeof(b)) > 0);
	CHECK_EQ(atoi(b), 212992);
	CHECK(read_file("/proc/sys/net/core/wmem_max", b, sizeof(b)) > 0);
	CHECK_EQ(atoi(b), 212992);
	CHECK(read_file("/proc/sys/net/core/somaxconn", b, sizeof(b)) > 0);
	CHECK_EQ(atoi(b), 4096);
	CHECK(read_file("/proc/sys/net/unix/max_dgram_qlen", b, sizeof(b)) > 0);
	CHECK_EQ(atoi(b), 10);
}
