/* TCP over loopback: connections, bytes, ends. */
#include "inet.h"

TEST(bytes_both_ways)
{
	int fd[2];
	char buf[16];

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	read_all(fd[1], buf, 5);
	CHECK(!memcmp(buf, "hello", 5));
	CHECK_EQ(write(fd[1], "world!", 6), 6);
	read_all(fd[0], buf, 6);
	CHECK(!memcmp(buf, "world!", 6));
}

TEST(refused)
{
	struct sockaddr_in a = in4("127.0.0.1", 1);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	lo_up();
	CHECK_ERR(connect(c, SA(a)), ECONNREFUSED);
	CHECK_EQ(error_of(c), 0);
	CHECK_ERR(connect(c, SA(a)), ECONNREFUSED);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(c, "x", 1), EPIPE);
}

TEST(names)
{
	struct sockaddr_in a, b;
	socklen_t len = sizeof(a);
	int fd[2], s;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(getpeername(fd[0], (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(len, sizeof(a));
	CHECK_EQ(getsockname(fd[1], (struct sockaddr *)&b, &len), 0);
	CHECK(a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr);
	CHECK_EQ(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(getsockname(fd[0], (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(getpeername(fd[1], (struct sockaddr *)&b, &len), 0);
	CHECK(a.sin_port == b.sin_port && a.sin_port);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(getpeername(s, (struct sockaddr *)&a, &len), ENOTCONN);
	CHECK_EQ(getsockname(s, (struct sockaddr *)&a, &len), 0);
	CHECK(a.sin_port == 0 && a.sin_addr.s_addr == 0 && a.sin_family == AF_INET);
}

TEST(end_of_file)
{
	int fd[2];
	char c;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(write(fd[0], "ab", 2), 2);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	CHECK_EQ(read(fd[1], &c, 1), 0);
	CHECK_EQ(read(fd[1], &c, 1), 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);		/* answered by a reset */
	CHECK(wait_events(fd[1], POLLERR) & POLLHUP);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(fd[1], "x", 1), EPIPE);
}

TEST(half_close)
{
	int fd[2];
	char buf[8];

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	CHECK_EQ(read(fd[1], buf, 1), 0);
	CHECK_EQ(events_of(fd[1], 0), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(write(fd[1], "still", 5), 5);
	read_all(fd[0], buf, 5);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(fd[0], "x", 1), EPIPE);
	CHECK_EQ(shutdown(fd[1], SHUT_WR), 0);
	CHECK_EQ(read(fd[0], buf, 1), 0);
	CHECK_EQ(events_of(fd[0], 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(reset_on_unread)
{
	int fd[2];
	char c;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(write(fd[0], "unread", 6), 6);
	CHECK(wait_events(fd[1], POLLIN) & POLLIN);
	CHECK_EQ(close(fd[1]), 0);
	CHECK(wait_events(fd[0], POLLRDHUP) & POLLHUP);
	CHECK_ERR(read(fd[0], &c, 1), ECONNRESET);
	CHECK_EQ(read(fd[0], &c, 1), 0);
}

TEST(linger_zero_resets)
{
	struct linger l = { 1, 0 };
	int fd[2];
	char c;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	CHECK_EQ(close(fd[0]), 0);
	CHECK(wait_events(fd[1], POLLERR) & POLLERR);
	CHECK_ERR(read(fd[1], &c, 1), ECONNRESET);
}

/* Where the connection is over there is no other end any more; what it sent before is still there to read, and then the error. */
TEST(reset_leaves_data_and_no_peer)
{
	struct linger l = { 1, 0 };
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd[2];
	char c[16];

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	CHECK_EQ(write(fd[0], "early", 5), 5);
	CHECK_EQ(close(fd[0]), 0);
	CHECK(wait_events(fd[1], POLLERR) & POLLERR);
	CHECK_ERR(getpeername(fd[1], (struct sockaddr *)&a, &len), ENOTCONN);
	CHECK_EQ(getsockname(fd[1], (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(read(fd[1], c, sizeof(c)), 5);
	CHECK_ERR(read(fd[1], c, sizeof(c)), ECONNRESET);
	CHECK_EQ(read(fd[1], c, sizeof(c)), 0);
}

TEST(peer_until_both_ends_are_closed)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd[2];
	char c;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	CHECK(wait_events(fd[1], POLLRDHUP) & POLLRDHUP);
	CHECK_EQ(getpeername(fd[0], (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(getpeername(fd[1], (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(close(fd[1]), 0);
	CHECK(wait_events(fd[0], POLLHUP) & POLLHUP);
	CHECK_ERR(getpeername(fd[0], (struct sockaddr *)&a, &len), ENOTCONN);
	CHECK_EQ(read(fd[0], &c, 1), 0);
}

/* A call that has sent something says so; why it sent no more is told by the next one. */
TEST(reset_in_mid_send)
{
	static char much[8 << 20];
	struct linger l = { 1, 0 };
	ssize_t n;
	int fd[2];
	pid_t p;

	lo_up();
	signal(SIGPIPE, SIG_IGN);
	for (int ask = 0; ask < 2; ask++) {
		tcp_pair(fd);
		p = fork();
		if (!p) {
			close(fd[1]);
			n = send(fd[0], much, sizeof(much), 0);
			if (n <= 0 || n >= (ssize_t)sizeof(much))
				_exit(1);
			if (ask)
				_exit(error_of(fd[0]) == ECONNRESET ? 0 : 2);
			_exit(send(fd[0], much, 1, 0) == -1 && errno == ECONNRESET ? 0 : 3);
		}
		CHECK(wait_state(p, 'S'));
		CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
		close(fd[0]);
		CHECK_EQ(close(fd[1]), 0);
		CHECK_EQ(wait_status(p), 0);
	}
}

TEST(nonblocking_connect)
{
	int l, c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in a;

	lo_up();
	l = listener(5);
	a = in4("127.0.0.1", port_of(l));
	CHECK_EQ(events_of(c, 0), POLLOUT | POLLHUP);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	CHECK_EQ(error_of(c), 0);
	CHECK_EQ(connect(c, SA(a)), 0);
	CHECK_ERR(connect(c, SA(a)), EISCONN);
	close(c);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	a.sin_port = htons(1);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_EQ(error_of(c), ECONNREFUSED);
	CHECK_EQ(error_of(c), 0);
}

TEST(nonblocking_io)
{
	int fd[2], l;
	char c;
	static char big[1 << 16];
	long n = 0, r, got = 0;

	lo_up();
	l = listener(5);
	nonblocking(l);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	tcp_pair(fd);
	nonblocking(fd[0]);
	nonblocking(fd[1]);
	CHECK_ERR(read(fd[1], &c, 1), EAGAIN);
	CHECK_ERR(recv(fd[1], &c, 1, MSG_DONTWAIT), EAGAIN);
	while ((r = write(fd[0], big, sizeof(big))) > 0)
		n += r;
	CHECK_EQ(errno, EAGAIN);
	CHECK(!(events_of(fd[0], 0) & POLLOUT));
	while ((r = read(fd[1], big, sizeof(big))) > 0 || (got < n && wait_events(fd[1], POLLIN)))
		got += r > 0 ? r : 0;
	CHECK_EQ(got, n);
	CHECK(wait_events(fd[0], POLLOUT) & POLLOUT);
}

TEST(much)
{
	enum { TOTAL = 16 << 20 };
	static unsigned char buf[50000];
	unsigned sent = 0, seen = 0;
	int fd[2];
	pid_t pid;

	lo_up();
	tcp_pair(fd);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(fd[1]);
		while (sent < TOTAL) {
			unsigned n = 1 + (sent * 7919u) % sizeof(buf);
			ssize_t r;

			for (unsigned i = 0; i < n; i++)
				buf[i] = (unsigned char)((sent + i) * 31 + ((sent + i) >> 8));
			r = write(fd[0], buf, n);
			CHECK(r > 0);
			sent += r;
		}
		_exit(0);
	}
	close(fd[0]);
	for (;;) {
		ssize_t r = read(fd[1], buf, 1 + (seen * 104729u) % sizeof(buf));

		CHECK(r >= 0);
		if (!r)
			break;
		for (ssize_t i = 0; i < r; i++)
			CHECK_EQ(buf[i], (unsigned char)((seen + i) * 31 + ((seen + i) >> 8)));
		seen += r;
	}
	CHECK(seen >= TOTAL);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(peek_waitall_trunc)
{
	int fd[2];
	char buf[32];
	pid_t pid;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(write(fd[0], "abcdef", 6), 6);
	CHECK_EQ(recv(fd[1], buf, 3, MSG_PEEK), 3);
	CHECK_EQ(recv(fd[1], buf, 6, MSG_PEEK | MSG_WAITALL), 6);
	CHECK(!memcmp(buf, "abcdef", 6));
	CHECK_EQ(recv(fd[1], NULL, 2, MSG_TRUNC), 2);
	pid = fork();
	if (!pid) {
		usleep(100000);
		CHECK_EQ(write(fd[0], "ghij", 4), 4);
		_exit(0);
	}
	CHECK_EQ(recv(fd[1], buf, 8, MSG_WAITALL), 8);
	CHECK(!memcmp(buf, "cdefghij", 8));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
}

/* Peeking waits for all as reading does, and goes on behind what it has seen. */
TEST(peek_waits_for_all)
{
	char buf[16];
	int fd[2];
	pid_t pid;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(write(fd[0], "abcd", 4), 4);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 3; i++) {
			CHECK(wait_state(getppid(), 'S'));
			CHECK_EQ(write(fd[0], &"efghijklmnop"[4 * i], 4), 4);
			usleep(50000);
		}
		_exit(0);
	}
	CHECK_EQ(recv(fd[1], buf, 16, MSG_PEEK | MSG_WAITALL), 16);
	CHECK(!memcmp(buf, "abcdefghijklmnop", 16));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(read(fd[1], buf, 16), 16);
	CHECK(!memcmp(buf, "abcdefghijklmnop", 16));
}

TEST(small_windows)
{
	static char out[300000], in[300000];
	int fd[2], l = socket(AF_INET, SOCK_STREAM, 0), one = 4096;
	struct sockaddr_in a;
	pid_t pid;

	lo_up();
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)), 0);
	CHECK_EQ(listen(l, 1), 0);		/* binds */
	a = in4("127.0.0.1", port_of(l));
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)), 0);
	CHECK_EQ(connect(fd[0], SA(a)), 0);
	fd[1] = accept(l, NULL, NULL);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 13 + (i >> 7));
	pid = fork();
	if (!pid) {
		CHECK_EQ(write(fd[0], out, sizeof(out)), sizeof(out));
		_exit(0);
	}
	close(fd[0]);
	read_all(fd[1], in, sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(read(fd[1], in, 1), 0);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(addresses_in_use)
{
	struct sockaddr_in a;
	int l, s = socket(AF_INET, SOCK_STREAM, 0);

	lo_up();
	l = listener(1);
	a = in4("127.0.0.1", port_of(l));
	CHECK_ERR(bind(s, SA(a)), EADDRINUSE);
	CHECK_EQ(set_option(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_ERR(bind(s, SA(a)), EADDRINUSE);
	a = in4("0.0.0.0", port_of(l));
	CHECK_ERR(bind(s, SA(a)), EADDRINUSE);
	a = in4("127.0.0.2", port_of(l));
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_ERR(bind(s, SA(a)), EINVAL);
	s = socket(AF_INET, SOCK_STREAM, 0);
	a = in4("192.0.2.1", 0);
	CHECK_ERR(bind(s, SA(a)), EADDRNOTAVAIL);
	a.sin_family = AF_INET6;
	CHECK_ERR(bind(s, SA(a)), EAFNOSUPPORT);
	CHECK_ERR(bind(s, (struct sockaddr *)&a, 8), EINVAL);
	CHECK_ERR(accept(s, NULL, NULL), EINVAL);
	a = in4("192.0.2.1", 9);
	CHECK_ERR(connect(s, SA(a)), ENETUNREACH);
}

TEST(reuseport)
{
	struct sockaddr_in a;
	int s[2];

	lo_up();
	for (int i = 0; i < 2; i++) {
		s[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK_EQ(set_option(s[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		a = in4("127.0.0.1", i ? port_of(s[0]) : 0);
		CHECK_EQ(bind(s[i], SA(a)), 0);
		CHECK_EQ(listen(s[i], 64), 0);
	}
	for (int i = 0; i < 40; i++)
		connected_to(s[0]);
	int n[2] = { 0, 0 };
	for (int i = 0; i < 2; i++) {
		nonblocking(s[i]);
		while (accept(s[i], NULL, NULL) >= 0)
			n[i]++;
	}
	CHECK_EQ(n[0] + n[1], 40);
	CHECK(n[0] && n[1]);
}

TEST(reuse_after_time_wait)
{
	struct sockaddr_in a;
	int l, c, s, port;
	char x;

	lo_up();
	l = socket(AF_INET, SOCK_STREAM, 0);
	a = in4("127.0.0.1", 0);
	CHECK_EQ(set_option(l, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 1), 0);
	port = port_of(l);
	c = connected_to(l);
	s = accept(l, NULL, NULL);
	close(s);		/* the server ends first: its port stays busy */
	CHECK_EQ(read(c, &x, 1), 0);
	close(c);
	close(l);
	usleep(100000);
	a = in4("127.0.0.1", port);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(bind(s, SA(a)), EADDRINUSE);
	CHECK_EQ(set_option(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_EQ(listen(s, 1), 0);
	connected_to(s);
}

/* Connections that a listener has left behind do not keep the next one from its port. */
TEST(listen_again_beside_connections)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	socklen_t len = sizeof(a);
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d;

	lo_up();
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 5), 0);
	CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(connect(c, SA(a)), 0);
	d = accept(l, NULL, NULL);
	CHECK(d >= 0);
	close(l);
	l = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(bind(l, SA(a)), EADDRINUSE);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 5), 0);
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_EQ(read(d, &one, 1), 1);
}

TEST(backlog)
{
	struct sockaddr_in a;
	int l, n = 0, fd[64];

	lo_up();
	l = listener(3);
	a = in4("127.0.0.1", port_of(l));
	for (int i = 0; i < 8; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK_ERR(connect(fd[i], SA(a)), EINPROGRESS);
	}
	for (int tries = 0; tries < 2000 && n < 4; tries++) {
		n = 0;
		usleep(10000);
		for (int i = 0; i < 8; i++)
			n += (events_of(fd[i], 0) & POLLOUT) != 0;
	}
	CHECK_EQ(n, 4);
	for (int i = 0; i < 8; i++)
		CHECK(accept(l, NULL, NULL) >= 0);	/* the rest come when their SYN is sent again */
}

TEST(closed_listener_resets)
{
	int l, c;
	char x;

	lo_up();
	l = listener(5);
	c = connected_to(l);
	CHECK_EQ(close(l), 0);
	CHECK(wait_events(c, POLLERR) & POLLERR);
	CHECK_ERR(read(c, &x, 1), ECONNRESET);
}

TEST(shutdown_wakes)
{
	int fd[2];
	pid_t pid;
	char c;

	lo_up();
	tcp_pair(fd);
	pid = fork();
	if (!pid) {
		CHECK_EQ(read(fd[0], &c, 1), 0);
		_exit(0);
	}
	usleep(100000);
	CHECK_EQ(shutdown(fd[0], SHUT_RD), 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(shutdown(socket(AF_INET, SOCK_STREAM, 0), SHUT_RDWR), ENOTCONN);
}

TEST(timeouts)
{
	struct timeval tv = { 0, 100000 };
	int fd[2];
	static char big[1 << 20];
	char c;

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_ERR(read(fd[1], &c, 1), EAGAIN);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	while (write(fd[0], big, sizeof(big)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

TEST(options)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int fd[2], s = socket(AF_INET, SOCK_STREAM, 0);
	char name[16];

	lo_up();
	CHECK_EQ(option(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(option(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQ(option(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 0);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 75);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPCNT), 9);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 10);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, TCP_MAXSEG, 10), EINVAL);
	CHECK_EQ(set_option(s, IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
	CHECK_EQ(set_option(s, IPPROTO_IP, IP_TTL, 33), 0);
	CHECK_EQ(option(s, IPPROTO_IP, IP_TTL), 33);
	CHECK_ERR(set_option(s, IPPROTO_IP, IP_TTL, 256), EINVAL);
	CHECK_ERR(set_option(s, IPPROTO_TCP, 12345, 1), ENOPROTOOPT);
	CHECK_ERR(set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
	CHECK_EQ(option(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(listen(s, 1), 0);
	CHECK_EQ(option(s, SOL_SOCKET, SO_ACCEPTCONN), 1);
	tcp_pair(fd);
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
	len = sizeof(name);
	CHECK_EQ(getsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	CHECK(!strcmp(name, "reno") || !strcmp(name, "cubic"));
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
}

TEST(six)
{
	struct sockaddr_in6 a = in6("::1", 0), p;
	struct sockaddr_in b;
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET6, SOCK_STREAM, 0), s, port;
	socklen_t len = sizeof(p);
	char buf[8], text[64];

	lo_up();
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 4), 0);
	a.sin6_port = htons(port_of(l));
	CHECK_EQ(connect(c, SA(a)), 0);
	s = accept(l, (struct sockaddr *)&p, &len);
	CHECK_EQ(len, sizeof(p));
	CHECK(!memcmp(&p.sin6_addr, &in6addr_loopback, 16));
	CHECK_EQ(write(c, "six", 3), 3);
	read_all(s, buf, 3);
	close(l);
	/* one that takes both: IPv4 comes as ::ffff:127.0.0.1 */
	l = socket(AF_INET6, SOCK_STREAM, 0);
	a = in6("::", 0);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 4), 0);
	port = port_of(l);
	b = in4("127.0.0.1", port);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(c, SA(b)), 0);
	len = sizeof(p);
	s = accept(l, (struct sockaddr *)&p, &len);
	CHECK(s >= 0);
	CHECK(!strcmp(inet_ntop(AF_INET6, &p.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1"));
	CHECK_EQ(write(s, "four", 4), 4);
	read_all(c, buf, 4);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(bind(s, SA(b)), EADDRINUSE);
	/* and one that does not */
	l = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(set_option(l, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 4), 0);
	b = in4("127.0.0.1", port_of(l));
	CHECK_ERR(connect(s, SA(b)), ECONNREFUSED);
	/* a mapped address goes over IPv4 */
	l = listener(2);
	a = in6("::ffff:127.0.0.1", port_of(l));
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(connect(c, SA(a)), 0);
	CHECK(accept(l, NULL, NULL) >= 0);
}

static void lo_switch(bool up)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
}

/* What was written while there was no way arrives when there is one again; the address may have been gone meanwhile (::1 is). */
TEST(connections_outlive_their_device)
{
	for (int six = 0; six < 2; six++) {
		struct sockaddr_in6 a = in6("::1", 0);
		int fd[2], l;
		char buf[8];

		lo_up();
		if (six) {
			l = socket(AF_INET6, SOCK_STREAM, 0);
			CHECK_EQ(bind(l, SA(a)), 0);
			CHECK_EQ(listen(l, 4), 0);
			a.sin6_port = htons(port_of(l));
			fd[0] = socket(AF_INET6, SOCK_STREAM, 0);
			CHECK_EQ(connect(fd[0], SA(a)), 0);
			fd[1] = accept(l, NULL, NULL);
			CHECK_EQ(close(l), 0);
		} else {
			tcp_pair(fd);
		}
		lo_switch(false);
		CHECK_EQ(write(fd[0], "down", 4), 4);
		CHECK_EQ(events_of(fd[0], 0) & (POLLERR | POLLHUP), 0);
		CHECK_EQ(events_of(fd[1], 0) & (POLLERR | POLLHUP | POLLIN), 0);
		lo_switch(true);
		read_all(fd[1], buf, 4);
		CHECK(!memcmp(buf, "down", 4));
		CHECK_EQ(write(fd[1], "up", 2), 2);
		read_all(fd[0], buf, 2);
		CHECK(!memcmp(buf, "up", 2));
		CHECK_EQ(close(fd[0]), 0);
		CHECK_EQ(read(fd[1], buf, 1), 0);
		CHECK_EQ(close(fd[1]), 0);
	}
}

TEST(other_loopback_addresses)
{
	struct sockaddr_in a = in4("127.1.2.3", 0), b;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	socklen_t len = sizeof(b);

	lo_up();
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(listen(l, 1), 0);
	a.sin_port = htons(port_of(l));
	CHECK_EQ(connect(c, SA(a)), 0);
	s = accept(l, (struct sockaddr *)&b, &len);
	CHECK(s >= 0);
	CHECK_EQ(b.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	a = in4("0.0.0.0", ntohs(a.sin_port));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(connect(c, SA(a)), ECONNREFUSED);	/* 0.0.0.0 is 127.0.0.1 */
}

TEST(epoll_edges)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET | EPOLLRDHUP };
	int fd[2], ep = epoll_create1(0);
	char buf[8];

	lo_up();
	tcp_pair(fd);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(write(fd[0], "ab", 2), 2);
	CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(read(fd[1], buf, 1), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(write(fd[0], "c", 1), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
	CHECK(e.events & EPOLLRDHUP);
}

TEST(many_connections)
{
	int l;
	char c = 'x';

	lo_up();
	l = listener(16);
	for (int i = 0; i < 2000; i++) {
		int a = connected_to(l), b = accept(l, NULL, NULL);

		CHECK(b >= 0);
		CHECK_EQ(write(a, &c, 1), 1);
		CHECK_EQ(read(b, &c, 1), 1);
		CHECK_EQ(close(i & 1 ? a : b), 0);
		CHECK_EQ(read(i & 1 ? b : a, &c, 1), 0);
		CHECK_EQ(close(i & 1 ? b : a), 0);
	}
}

TEST(disconnect)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int l, c;
	char x;

	lo_up();
	l = listener(5);
	c = connected_to(l);
	int s = accept(l, NULL, NULL);
	CHECK_EQ(connect(c, &none, sizeof(none)), 0);
	CHECK_ERR(read(s, &x, 1), ECONNRESET);
	CHECK_ERR(read(c, &x, 1), ECONNRESET);
	CHECK_ERR(read(c, &x, 1), ENOTCONN);
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	CHECK_EQ(connect(c, SA(a)), 0);
}
