/* AF_UNIX datagrams. */
#include "sock.h"

TEST(pair_keeps_boundaries)
{
	char b[16];
	PAIR(SOCK_DGRAM, s);
	CHECK_EQ(write(s[0], "one", 3), 3);
	CHECK_EQ(write(s[0], "three", 5), 5);
	CHECK_EQ(read(s[1], b, sizeof(b)), 3);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
}

TEST(truncation)
{
	char b[4];
	PAIR(SOCK_DGRAM, s);
	struct iovec v = { b, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	CHECK_EQ(send(s[0], "0123456789", 10, 0), 10);
	CHECK_EQ(recv(s[1], b, 4, 0), 4);
	CHECK_ERR(recv(s[1], b, 4, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(s[0], "0123456789", 10, 0), 10);
	CHECK_EQ(recv(s[1], b, 4, MSG_TRUNC | MSG_PEEK), 10);
	CHECK_EQ(recvmsg(s[1], &m, 0), 4);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
	CHECK_EQ(send(s[0], "0123456789", 10, 0), 10);
	CHECK_EQ(recvmsg(s[1], &m, MSG_TRUNC), 10);
	CHECK_EQ(m.msg_flags, MSG_TRUNC);
}

TEST(empty_datagrams)
{
	char b[4];
	PAIR(SOCK_DGRAM, s);
	CHECK_EQ(send(s[0], "", 0, 0), 0);
	CHECK_EQ(events_of(s[1]) & POLLIN, POLLIN);
	CHECK_EQ(recv(s[1], b, 4, 0), 0);
	CHECK_EQ(write(s[0], "", 0), 0);
	CHECK_EQ(recv(s[1], b, 4, MSG_DONTWAIT), 0);
	CHECK_ERR(recv(s[1], b, 4, MSG_DONTWAIT), EAGAIN);
}

TEST(names_of_senders)
{
	char b[8];
	struct sockaddr_un a, from;
	socklen_t len;
	scratch();
	int r = bound(SOCK_DGRAM, "r"), n = bound(SOCK_DGRAM, "n"), u = socket(AF_UNIX, SOCK_DGRAM, 0);
	len = un(&a, "r");
	CHECK_EQ(sendto(n, "named", 5, 0, (void *)&a, len), 5);
	CHECK_EQ(sendto(u, "none", 4, 0, (void *)&a, len), 4);
	len = sizeof(from);
	memset(&from, 0xee, sizeof(from));
	CHECK_EQ(recvfrom(r, b, 8, 0, (void *)&from, &len), 5);
	CHECK_EQ(len, 4);
	CHECK(!strcmp(from.sun_path, "n"));
	len = sizeof(from);
	CHECK_EQ(recvfrom(r, b, 8, 0, (void *)&from, &len), 4);
	CHECK_EQ(len, 0);
	un(&a, "n");
	CHECK_EQ(sendto(r, "back", 4, 0, (void *)&a, sizeof(a)), 4);
	CHECK_EQ(recv(n, b, 8, 0), 4);
}

TEST(connect_and_send)
{
	char b[8];
	int r = bound(SOCK_DGRAM, "@dr"), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERR(try_connect(c, "@nobody"), ECONNREFUSED);
	CHECK(try_connect(c, "@dr") == 0);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_EQ(recv(r, b, 8, 0), 1);
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	CHECK(getpeername(c, (void *)&a, &len) == 0);
	CHECK_EQ(len, 5);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	CHECK(connect(c, &none, sizeof(none)) == 0);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERR(getpeername(c, (void *)&a, &len), ENOTCONN);
}

TEST(a_connected_one_hears_its_peer_alone)
{
	struct sockaddr_un a;
	socklen_t len = un(&a, "@con");
	int r = bound(SOCK_DGRAM, "@con"), p = bound(SOCK_DGRAM, "@peer"), o = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(try_connect(r, "@peer") == 0);
	CHECK_ERR(sendto(o, "x", 1, 0, (void *)&a, len), EPERM);
	CHECK_ERR(try_connect(o, "@con"), EPERM);
	CHECK_EQ(sendto(p, "x", 1, 0, (void *)&a, len), 1);
}

TEST(the_receiver_goes)
{
	char b;
	int r = bound(SOCK_DGRAM, "@gone"), c = connected(SOCK_DGRAM, "@gone");
	CHECK_EQ(send(c, "x", 1, 0), 1);
	close(r);
	CHECK_ERR(send(c, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	PAIR(SOCK_DGRAM, s);
	close(s[0]);
	CHECK_ERR(send(s[1], "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(recv(s[1], &b, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(too_long)
{
	static char big[1 << 20];
	PAIR(SOCK_DGRAM, s);
	int buf = int_option(s[0], SO_SNDBUF);
	CHECK_ERR(send(s[0], big, buf, 0), EMSGSIZE);
	CHECK_ERR(send(s[0], big, buf - 31, 0), EMSGSIZE);
	for (unsigned i = 0; i < sizeof(big); i++) big[i] = i * 11;
	CHECK_EQ(send(s[0], big, buf - 32, 0), buf - 32);
	static char in[1 << 20];
	CHECK_EQ(recv(s[1], in, sizeof(in), 0), buf - 32);
	CHECK(!memcmp(in, big, buf - 32));
	CHECK_EQ(send(s[0], big, 100000, 0), 100000);
	CHECK_EQ(recv(s[1], in, 50001, 0), 50001);
	CHECK(!memcmp(in, big, 50001));
}

TEST(queue_limit)
{
	int r = bound(SOCK_DGRAM, "@q"), c = socket(AF_UNIX, SOCK_DGRAM, 0), n = 0;
	CHECK(try_connect(c, "@q") == 0);
	while (send(c, "x", 1, MSG_DONTWAIT) == 1) n++;
	CHECK(errno == EAGAIN);
	CHECK_EQ(n, 11);
	CHECK(!(events_of(c) & POLLOUT));
	char b;
	CHECK_EQ(recv(r, &b, 1, 0), 1);
	CHECK(events_of(c) & POLLOUT);
	CHECK_EQ(send(c, "x", 1, MSG_DONTWAIT), 1);
}

TEST(pairs_have_no_queue_limit)
{
	int n = 0;
	PAIR(SOCK_DGRAM, s);
	while (send(s[0], "x", 1, MSG_DONTWAIT) == 1) n++;
	CHECK(errno == EAGAIN);
	CHECK(n > 100);
}

TEST(a_sender_waits_for_room)
{
	char b;
	int r = bound(SOCK_DGRAM, "@wait"), c = connected(SOCK_DGRAM, "@wait");
	for (int i = 0; i < 11; i++) CHECK_EQ(send(c, "x", 1, 0), 1);
	pid_t pid = fork();
	if (!pid) _exit(send(c, "y", 1, 0) == 1 ? 7 : 1);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(recv(r, &b, 1, 0), 1);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(a_waiting_sender_hears_of_the_end)
{
	int r = bound(SOCK_DGRAM, "@end"), c = connected(SOCK_DGRAM, "@end");
	for (int i = 0; i < 11; i++) CHECK_EQ(send(c, "x", 1, 0), 1);
	pid_t pid = fork();
	if (!pid) {
		close(r);
		_exit(send(c, "y", 1, 0) == -1 && errno == ECONNREFUSED ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	close(r);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(poll_for_writing_is_woken_by_the_receiver)
{
	char b;
	int r = bound(SOCK_DGRAM, "@pw"), c = connected(SOCK_DGRAM, "@pw");
	for (int i = 0; i < 11; i++) CHECK_EQ(send(c, "x", 1, 0), 1);
	pid_t pid = fork();
	if (!pid) {
		struct pollfd p = { c, POLLOUT, 0 };
		_exit(poll(&p, 1, 20000) == 1 && p.revents == POLLOUT ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(recv(r, &b, 1, 0), 1);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(epoll_for_writing_too)
{
	char b;
	int r = bound(SOCK_DGRAM, "@ew"), c = connected(SOCK_DGRAM, "@ew"), e = epoll_create1(0);
	struct epoll_event ev = { EPOLLOUT | EPOLLET, { 0 } };
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, c, &ev) == 0);
	CHECK_EQ(epoll_wait(e, &ev, 1, 0), 1);
	for (int i = 0; i < 11; i++) CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_ERR(send(c, "x", 1, MSG_DONTWAIT), EAGAIN);
	while (epoll_wait(e, &ev, 1, 0) == 1) ;
	CHECK_EQ(recv(r, &b, 1, 0), 1);
	CHECK_EQ(epoll_wait(e, &ev, 1, 20000), 1);
	CHECK_EQ(ev.events, EPOLLOUT);
}

TEST(shutdown_of_datagrams)
{
	char b;
	PAIR(SOCK_DGRAM, s);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	signal(SIGPIPE, SIG_DFL);
	CHECK_ERR(send(s[0], "x", 1, 0), EPIPE);	/* and no signal */
	CHECK_ERR(recv(s[1], &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(s[1], "x", 1, 0), 1);
	CHECK(shutdown(s[0], SHUT_RD) == 0);
	CHECK_ERR(send(s[1], "x", 1, 0), EPIPE);
	CHECK_EQ(recv(s[0], &b, 1, 0), 1);
	CHECK_EQ(recv(s[0], &b, 1, 0), 0);
	CHECK_ERR(recv(s[0], &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(events_of(s[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(events_of(s[1]), POLLOUT);
}

TEST(reconnecting_forgets_what_came)
{
	char b;
	int a = bound(SOCK_DGRAM, "@ra"), c = bound(SOCK_DGRAM, "@rc"), d = bound(SOCK_DGRAM, "@rd");
	CHECK(try_connect(a, "@rc") == 0);
	CHECK(try_connect(c, "@ra") == 0);
	CHECK_EQ(send(c, "old", 3, 0), 3);
	CHECK(try_connect(a, "@rd") == 0);
	CHECK_ERR(recv(a, &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(int_option(c, SO_ERROR), ECONNRESET);
	close(d);
}

TEST(peek_offsets)
{
	char b[8];
	PAIR(SOCK_DGRAM, s);
	CHECK(set_int(s[1], SO_PEEK_OFF, 1) == 0);
	CHECK_EQ(send(s[0], "abc", 3, 0), 3);
	CHECK_EQ(send(s[0], "def", 3, 0), 3);
	CHECK_EQ(recv(s[1], b, 1, MSG_PEEK), 1);
	CHECK_EQ(b[0], 'b');
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK), 1);
	CHECK_EQ(b[0], 'c');
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK), 3);
	CHECK(!memcmp(b, "def", 3));
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), 6);
	CHECK_EQ(recv(s[1], b, 8, 0), 3);
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), 3);
}

TEST(inq_of_datagrams)
{
	int n;
	PAIR(SOCK_DGRAM, s);
	CHECK_EQ(send(s[0], "abc", 3, 0), 3);
	CHECK_EQ(send(s[0], "defg", 4, 0), 4);
	CHECK(ioctl(s[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 3);
}

TEST(wrong_type_and_oob)
{
	char b;
	struct sockaddr_un a;
	scratch();
	int st = bound(SOCK_STREAM, "st"), d = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = un(&a, "st");
	CHECK_ERR(sendto(d, "x", 1, 0, (void *)&a, len), EPROTOTYPE);
	CHECK_ERR(try_connect(d, "st"), EPROTOTYPE);
	PAIR(SOCK_DGRAM, s);
	CHECK_ERR(send(s[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(s[0], &b, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(listen(s[0], 1), EOPNOTSUPP);
	close(st);
}

TEST(time_stamps)
{
	char b[4], c[64];
	struct iovec v = { b, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	PAIR(SOCK_DGRAM, s);
	CHECK(set_int(s[1], SO_TIMESTAMP, 1) == 0);
	CHECK_EQ(int_option(s[1], SO_TIMESTAMP), 1);
	CHECK_EQ(send(s[0], "x", 1, 0), 1);
	CHECK_EQ(recvmsg(s[1], &m, 0), 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_TIMESTAMP && h->cmsg_len == CMSG_LEN(16));
	struct timeval tv, now;
	memcpy(&tv, CMSG_DATA(h), sizeof(tv));
	gettimeofday(&now, NULL);
	CHECK(now.tv_sec - tv.tv_sec >= 0 && now.tv_sec - tv.tv_sec < 60);
	CHECK_ERR(ioctl(s[1], SIOCGSTAMP, &tv), ENOTTY);
}

TEST(a_filter_decides)
{
	char b[8];
	struct { unsigned short code; unsigned char jt, jf; unsigned k; } first_is_a[] = {
		{ 0x30, 0, 0, 0 }, { 0x15, 0, 1, 'a' }, { 0x06, 0, 0, 2 }, { 0x06, 0, 0, 0 } };
	struct { unsigned short len; void *filter; } prog = { 4, first_is_a };
	PAIR(SOCK_DGRAM, s);
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
	CHECK_EQ(send(s[0], "bcd", 3, 0), 3);
	CHECK_EQ(send(s[0], "abcd", 4, 0), 4);
	CHECK_EQ(recv(s[1], b, 8, 0), 2);
	CHECK(!memcmp(b, "ab", 2));
	CHECK_ERR(recv(s[1], b, 8, MSG_DONTWAIT), EAGAIN);
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &prog, sizeof(prog)) == 0);
	CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &prog, sizeof(prog)), ENOENT);
	CHECK_EQ(send(s[0], "bcd", 3, 0), 3);
	CHECK_EQ(recv(s[1], b, 8, 0), 3);
}

TEST(bad_filters)
{
	struct insn { unsigned short code; unsigned char jt, jf; unsigned k; };
	static const struct insn bad[][2] = {
		{ { 0x30, 0, 0, 0 }, { 0x30, 0, 0, 0 } },	/* no return */
		{ { 0x15, 1, 0, 0 }, { 0x06, 0, 0, 0 } },	/* jumps out */
		{ { 0x05, 0, 0, 1 }, { 0x06, 0, 0, 0 } },
		{ { 0x34, 0, 0, 0 }, { 0x06, 0, 0, 0 } },	/* / 0 */
		{ { 0x64, 0, 0, 32 }, { 0x06, 0, 0, 0 } },	/* << 32 */
		{ { 0x60, 0, 0, 0 }, { 0x06, 0, 0, 0 } },	/* M[0] unwritten */
		{ { 0x02, 0, 0, 16 }, { 0x06, 0, 0, 0 } },	/* M[16] */
		{ { 0xffff, 0, 0, 0 }, { 0x06, 0, 0, 0 } },
		{ { 0x20, 0, 0, 0xfffff000 + 250 }, { 0x06, 0, 0, 0 } },
	};
	struct { unsigned short len; void *filter; } prog = { 2, NULL };
	PAIR(SOCK_DGRAM, s);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		prog.filter = (void *)bad[i];
		CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	}
	prog.len = 0;
	CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	prog.len = 1;
	prog.filter = (void *)0x1000;
	CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EFAULT);
	CHECK_ERR(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, 8), EINVAL);
}

TEST(many_at_once)
{
	char b[3][8];
	struct iovec out[3] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } }, in[3];
	struct mmsghdr o[3], i[3];
	memset(o, 0, sizeof(o));
	memset(i, 0, sizeof(i));
	for (int n = 0; n < 3; n++) {
		in[n] = (struct iovec){ b[n], 8 };
		o[n].msg_hdr.msg_iov = &out[n];
		o[n].msg_hdr.msg_iovlen = 1;
		i[n].msg_hdr.msg_iov = &in[n];
		i[n].msg_hdr.msg_iovlen = 1;
	}
	PAIR(SOCK_DGRAM, s);
	CHECK_EQ(sendmmsg(s[0], o, 3, 0), 3);
	CHECK_EQ(o[2].msg_len, 3);
	CHECK_EQ(recvmmsg(s[1], i, 3, MSG_WAITFORONE, NULL), 3);
	CHECK_EQ(i[0].msg_len, 1);
	CHECK_EQ(i[2].msg_len, 3);
	CHECK_EQ(sendmmsg(s[0], o, 1, 0), 1);
	CHECK_EQ(recvmmsg(s[1], i, 3, MSG_WAITFORONE, NULL), 1);
	CHECK_EQ(sendmmsg(s[0], o, 2, 0), 2);
	struct timespec ts = { 0, 0 };
	CHECK_EQ(recvmmsg(s[1], i, 3, 0, &ts), 1);
	ts = (struct timespec){ 0, 1000000000 };
	CHECK_ERR(recvmmsg(s[1], i, 3, 0, &ts), EINVAL);
	CHECK_EQ(recvmmsg(s[1], i, 3, MSG_DONTWAIT, NULL), 1);
	CHECK_ERR(recvmmsg(s[1], i, 3, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK_EQ(sendmmsg(s[0], o, 0, 0), 0);
	close(s[1]);
	CHECK_ERR(sendmmsg(s[0], o, 3, 0), ECONNREFUSED);
}
