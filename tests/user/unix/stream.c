/* AF_UNIX streams: bytes, ends, states. */
#include "sock.h"

TEST(pair_carries_bytes_both_ways)
{
	char b[16];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
	CHECK(!memcmp(b, "hello", 5));
	CHECK_EQ(send(s[1], "abc", 3, 0), 3);
	CHECK_EQ(recv(s[0], b, 2, 0), 2);
	CHECK_EQ(recv(s[0], b + 2, 9, 0), 1);
	CHECK(!memcmp(b, "abc", 3));
}

TEST(writes_are_glued)
{
	char b[16];
	PAIR(SOCK_STREAM, s);
	for (int i = 0; i < 5; i++) CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(read(s[1], b, sizeof(b)), 10);
	CHECK(!memcmp(b, "ababababab", 10));
}

TEST(vectors)
{
	char a[3], b[4], c[8];
	PAIR(SOCK_STREAM, s);
	struct iovec out[3] = { { "12", 2 }, { "", 0 }, { "34567", 5 } }, in[3] = { { a, 3 }, { b, 0 }, { c, 8 } };
	CHECK_EQ(writev(s[0], out, 3), 7);
	CHECK_EQ(readv(s[1], in, 3), 7);
	CHECK(!memcmp(a, "123", 3) && !memcmp(c, "4567", 4));
}

TEST(empty_reads_and_writes)
{
	char b;
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "", 0), 0);
	CHECK_EQ(send(s[0], "", 0, 0), 0);
	CHECK_EQ(read(s[1], &b, 0), 0);
	CHECK_ERR(recv(s[1], &b, 0, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_EQ(recv(s[1], &b, 0, 0), 0);
	CHECK_EQ(recv(s[1], &b, 1, 0), 1);
}

TEST(nonblocking_full_and_empty)
{
	char b[4096];
	long n = 0, r;
	PAIR(SOCK_STREAM, s);
	memset(b, 1, sizeof(b));
	nonblocking(s[0]);
	nonblocking(s[1]);
	CHECK_ERR(read(s[1], b, 1), EAGAIN);
	while ((r = write(s[0], b, sizeof(b))) > 0) n += r;
	CHECK(errno == EAGAIN);
	CHECK(n > 65536 && n < 1 << 20);
	CHECK(!(events_of(s[0]) & POLLOUT));
	while ((r = read(s[1], b, sizeof(b))) > 0) n -= r;
	CHECK(errno == EAGAIN);
	CHECK_EQ(n, 0);
	CHECK(events_of(s[0]) & POLLOUT);
}

TEST(a_large_write_blocks_until_it_is_read)
{
	static char big[1 << 20];
	long n = 0, r;
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) {
		for (unsigned i = 0; i < sizeof(big); i++) big[i] = i * 7;
		_exit(write(s[0], big, sizeof(big)) == sizeof(big) ? 0 : 1);
	}
	close(s[0]);
	while ((r = read(s[1], big + n, sizeof(big) - n)) > 0) n += r;
	CHECK_EQ(n, sizeof(big));
	for (unsigned i = 0; i < sizeof(big); i++) CHECK(big[i] == (char)(i * 7));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(read(s[1], big, 1), 0);
}

TEST(close_gives_end_of_file)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "bye", 3), 3);
	close(s[0]);
	CHECK_EQ(read(s[1], b, 8), 3);
	CHECK_EQ(read(s[1], b, 8), 0);
	CHECK_EQ(read(s[1], b, 8), 0);
}

TEST(close_with_unread_data_is_reset_once)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[1], "lost", 4), 4);
	CHECK_EQ(write(s[0], "last", 4), 4);
	close(s[0]);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT * 0 | POLLERR | POLLHUP | POLLRDHUP | (events_of(s[1]) & POLLOUT));
	CHECK_EQ(read(s[1], b, 8), 4);
	CHECK_ERR(read(s[1], b, 8), ECONNRESET);
	CHECK_EQ(read(s[1], b, 8), 0);
}

TEST(so_error_tells_the_reset_once)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[1], "lost", 4), 4);
	close(s[0]);
	CHECK_EQ(int_option(s[1], SO_ERROR), ECONNRESET);
	CHECK_EQ(int_option(s[1], SO_ERROR), 0);
	CHECK_EQ(read(s[1], b, 8), 0);
}

TEST(write_to_the_closed_is_epipe_and_sigpipe)
{
	PAIR(SOCK_STREAM, s);
	close(s[0]);
	CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(s[1], "x", 1), EPIPE);
	CHECK_ERR(send(s[1], "x", 1, 0), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = fork();
	if (!pid) {
		write(s[1], "x", 1);
		_exit(0);
	}
	CHECK(KILLED(wait_status(pid), SIGPIPE));
}

TEST(shutdown_write)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "end", 3), 3);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(s[1], b, 8), 3);
	CHECK_EQ(read(s[1], b, 8), 0);
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], b, 8), 4);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(events_of(s[0]), POLLOUT);
}

TEST(shutdown_read)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "in", 2), 2);
	CHECK(shutdown(s[1], SHUT_RD) == 0);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK_EQ(read(s[1], b, 8), 0);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(s[1], "out", 3), 3);
	CHECK_EQ(read(s[0], b, 8), 3);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDHUP);
}

TEST(shutdown_both_and_bad)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_ERR(shutdown(s[0], 3), EINVAL);
	CHECK_ERR(shutdown(s[0], -1), EINVAL);
	CHECK(shutdown(s[0], SHUT_RDWR) == 0);
	CHECK_EQ(read(s[0], b, 8), 0);
	CHECK_EQ(read(s[1], b, 8), 0);
	CHECK_EQ(events_of(s[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	int u = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(shutdown(u, SHUT_RDWR) == 0);
}

TEST(shutdown_wakes_a_blocked_reader)
{
	char b;
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) _exit(read(s[0], &b, 1) == 0 ? 7 : 1);
	CHECK(wait_state(pid, 'S'));
	CHECK(shutdown(s[0], SHUT_RD) == 0);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(close_wakes_a_blocked_writer)
{
	static char big[1 << 20];
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) {
		close(s[1]);
		signal(SIGPIPE, SIG_IGN);
		long n = write(s[0], big, sizeof(big));
		if (n <= 0 || n >= (long)sizeof(big)) _exit(1);
		_exit(write(s[0], big, 1) == -1 && errno == EPIPE ? 7 : 2);
	}
	CHECK(wait_state(pid, 'S'));
	close(s[0]);
	close(s[1]);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(listen_connect_accept)
{
	char b[8];
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	scratch();
	int l = listening(SOCK_STREAM, "s", 5), c = connected(SOCK_STREAM, "s"), n;
	CHECK(events_of(l) & POLLIN);
	n = accept(l, (void *)&a, &len);
	CHECK(n >= 0);
	CHECK_EQ(len, 2);
	CHECK_EQ(a.sun_family, AF_UNIX);
	CHECK_EQ(write(c, "hi", 2), 2);
	CHECK_EQ(read(n, b, 8), 2);
	CHECK_EQ(write(n, "yes", 3), 3);
	CHECK_EQ(read(c, b, 8), 3);
	CHECK(!(fcntl(n, F_GETFL) & O_NONBLOCK));
	CHECK_EQ(int_option(l, SO_ACCEPTCONN), 1);
	CHECK_EQ(int_option(c, SO_ACCEPTCONN), 0);
}

TEST(data_before_accept)
{
	char b[8];
	int l = listening(SOCK_STREAM, "@early", 5), c = connected(SOCK_STREAM, "@early"), n;
	CHECK_EQ(write(c, "early", 5), 5);
	close(c);
	n = accept(l, NULL, NULL);
	CHECK(n >= 0);
	CHECK_EQ(read(n, b, 8), 5);
	CHECK_EQ(read(n, b, 8), 0);
}

TEST(accept4_flags)
{
	int l = listening(SOCK_STREAM, "@flags", 5), c = connected(SOCK_STREAM, "@flags"), n;
	CHECK_ERR(syscall(SYS_accept4, l, NULL, NULL, 1), EINVAL);
	n = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(n >= 0);
	CHECK(fcntl(n, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(n, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(fcntl(n, F_GETFL) & O_ACCMODE, O_RDWR);
	close(c);
}

TEST(accept_errors)
{
	PAIR(SOCK_STREAM, s);
	int l = bound(SOCK_STREAM, "@acc"), d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_ERR(accept(l, NULL, NULL), EINVAL);
	CHECK_ERR(accept(s[0], NULL, NULL), EINVAL);
	CHECK_ERR(accept(d, NULL, NULL), EOPNOTSUPP);
	CHECK_ERR(accept(0x7777, NULL, NULL), EBADF);
	int p[2];
	CHECK(pipe(p) == 0);
	CHECK_ERR(accept(p[0], NULL, NULL), ENOTSOCK);
	CHECK(listen(l, 1) == 0);
	nonblocking(l);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK(shutdown(l, SHUT_RD) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK(fcntl(l, F_SETFL, 0) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EINVAL);
	CHECK_ERR(try_connect(d, "@acc"), ECONNREFUSED);
	int c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(try_connect(c, "@acc"), ECONNREFUSED);
}

TEST(listen_errors)
{
	PAIR(SOCK_STREAM, s);
	int u = socket(AF_UNIX, SOCK_STREAM, 0), d = bound(SOCK_DGRAM, "@ld");
	CHECK_ERR(listen(u, 1), EINVAL);
	CHECK_ERR(listen(d, 1), EOPNOTSUPP);
	CHECK_ERR(listen(s[0], 1), EINVAL);
	int l = listening(SOCK_STREAM, "@ll", 1);
	CHECK(listen(l, 5) == 0);
}

TEST(connect_errors)
{
	struct sockaddr_un a;
	scratch();
	int c = socket(AF_UNIX, SOCK_STREAM, 0), l, d;
	CHECK_ERR(try_connect(c, "none"), ENOENT);
	CHECK_ERR(try_connect(c, "@none"), ECONNREFUSED);
	write_file("plain", "");
	CHECK_ERR(try_connect(c, "plain"), ECONNREFUSED);
	CHECK_ERR(try_connect(c, "."), ECONNREFUSED);
	CHECK_ERR(try_connect(c, "plain/x"), ENOTDIR);
	l = bound(SOCK_STREAM, "l");
	CHECK_ERR(try_connect(c, "l"), ECONNREFUSED);
	d = bound(SOCK_DGRAM, "d");
	CHECK_ERR(try_connect(c, "d"), EPROTOTYPE);
	un(&a, "l");
	CHECK_ERR(connect(c, (void *)&a, 2), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, 1), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, 0), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, 111), EINVAL);
	CHECK_ERR(connect(c, (void *)&a, -1), EINVAL);
	CHECK_ERR(connect(c, (void *)1, 10), EFAULT);
	a.sun_family = AF_INET;
	CHECK_ERR(connect(c, (void *)&a, sizeof(a)), EINVAL);
	CHECK(listen(l, 5) == 0);
	CHECK(try_connect(c, "l") == 0);
	CHECK_ERR(try_connect(c, "l"), EISCONN);
	CHECK_ERR(try_connect(l, "l"), EINVAL);
	close(l);
	CHECK_ERR(try_connect(socket(AF_UNIX, SOCK_STREAM, 0), "l"), ECONNREFUSED);
	close(d);
}

TEST(backlog_is_one_more_than_asked)
{
	int l = listening(SOCK_STREAM, "@backlog", 2), n = 0, c;
	for (;; n++) {
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (try_connect(c, "@backlog")) break;
	}
	CHECK(errno == EAGAIN);
	CHECK_EQ(n, 3);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(try_connect(c, "@backlog") == 0);
}

TEST(connect_waits_for_room)
{
	int l = listening(SOCK_STREAM, "@room", 0), c = connected(SOCK_STREAM, "@room");
	pid_t pid = fork();
	if (!pid) {
		int d = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(try_connect(d, "@room") ? 1 : 7);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(EXITED(wait_status(pid), 7));
	close(c);
}

TEST(connect_waiting_for_room_ends_with_the_listener)
{
	int l = listening(SOCK_STREAM, "@room2", 0), c = connected(SOCK_STREAM, "@room2");
	pid_t pid = fork();
	if (!pid) {
		close(l);
		int d = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(try_connect(d, "@room2") == -1 && errno == ECONNREFUSED ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	close(l);
	CHECK(EXITED(wait_status(pid), 7));
	char b;
	CHECK_ERR(read(c, &b, 1), ECONNRESET);
	CHECK_EQ(read(c, &b, 1), 0);
}

TEST(accept_in_another_process)
{
	char b;
	int l = listening(SOCK_STREAM, "@other", 5);
	pid_t pid = fork();
	if (!pid) {
		int n = accept(l, NULL, NULL);
		_exit(n >= 0 && read(n, &b, 1) == 1 && b == 'z' ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	int c = connected(SOCK_STREAM, "@other");
	CHECK_EQ(write(c, "z", 1), 1);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(names_of_both_ends)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	scratch();
	int l = listening(SOCK_STREAM, "srv", 5), c = connected(SOCK_STREAM, "srv"), n = accept(l, NULL, NULL);
	CHECK(getpeername(c, (void *)&a, &len) == 0);
	CHECK_EQ(len, 6);
	CHECK(!strcmp(a.sun_path, "srv"));
	len = sizeof(a);
	CHECK(getsockname(n, (void *)&a, &len) == 0);
	CHECK_EQ(len, 6);
	len = sizeof(a);
	CHECK(getsockname(c, (void *)&a, &len) == 0);
	CHECK_EQ(len, 2);
	len = 3;
	memset(&a, 0xee, sizeof(a));
	CHECK(getpeername(c, (void *)&a, &len) == 0);
	CHECK_EQ(len, 6);
	CHECK_EQ((unsigned char)a.sun_path[1], 0xee);
	len = -1;
	CHECK_ERR(getpeername(c, (void *)&a, &len), EINVAL);
	len = 8;
	CHECK_ERR(getpeername(c, (void *)1, &len), EFAULT);
	CHECK_ERR(getpeername(c, (void *)&a, (void *)1), EFAULT);
	CHECK_ERR(getpeername(l, (void *)&a, &len), ENOTCONN);
	close(c);
	len = sizeof(a);
	CHECK(getpeername(n, (void *)&a, &len) == 0);
	CHECK_EQ(len, 2);
}

TEST(unconnected_streams)
{
	char b;
	int u = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(read(u, &b, 1), EINVAL);
	CHECK_ERR(send(u, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_EQ(events_of(u), POLLOUT | POLLHUP);
	struct sockaddr_un a;
	socklen_t len = un(&a, "@x");
	CHECK_ERR(sendto(u, "x", 1, 0, (void *)&a, len), EOPNOTSUPP);
	PAIR(SOCK_STREAM, s);
	CHECK_ERR(sendto(s[0], "x", 1, 0, (void *)&a, len), EISCONN);
	CHECK_EQ(sendto(s[0], "x", 1, 0, (void *)&a, 0), 1);
	int l = listening(SOCK_STREAM, "@lis", 1);
	CHECK_ERR(read(l, &b, 1), EINVAL);
	CHECK_EQ(events_of(l), 0);
}

TEST(peek)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK(!memcmp(b, "ab", 2));
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK), 6);
	CHECK(!memcmp(b, "abcdef", 6));
	CHECK_EQ(recv(s[1], b, 8, 0), 6);
}

TEST(peek_offset)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), -1);
	CHECK(set_int(s[1], SO_PEEK_OFF, 0) == 0);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), 2);
	CHECK_EQ(recv(s[1], b, 2, MSG_PEEK), 2);
	CHECK(!memcmp(b, "cd", 2));
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), 4);
	CHECK_EQ(recv(s[1], b, 3, 0), 3);
	CHECK(!memcmp(b, "abc", 3));
	CHECK_EQ(int_option(s[1], SO_PEEK_OFF), 1);
	CHECK_EQ(recv(s[1], b, 8, MSG_PEEK), 2);
	CHECK(!memcmp(b, "ef", 2));
	CHECK_ERR(recv(s[1], b, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

TEST(waitall)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) _exit(recv(s[1], b, 6, MSG_WAITALL) == 6 && !memcmp(b, "abcdef", 6) ? 7 : 1);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(write(s[0], "xy", 2), 2);
	CHECK_EQ(recv(s[1], b, 6, MSG_WAITALL | MSG_DONTWAIT), 2);
	CHECK_EQ(write(s[0], "xy", 2), 2);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	CHECK_EQ(recv(s[1], b, 6, MSG_WAITALL), 2);
}

TEST(low_water_mark)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_RCVLOWAT, 4) == 0);
	pid_t pid = fork();
	if (!pid) _exit(read(s[1], b, 8) == 5 ? 7 : 1);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(write(s[0], "cde", 3), 3);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(time_outs)
{
	char b[4096] = { 0 };
	struct timeval tv = { 0, 50000 };
	PAIR(SOCK_STREAM, s);
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(read(s[0], b, 1), EAGAIN);
	int n = 0;
	while (write(s[0], b, sizeof(b)) > 0) n++;
	CHECK(errno == EAGAIN);
	CHECK(n > 8);
	int l = listening(SOCK_STREAM, "@to", 0);
	CHECK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	int c = connected(SOCK_STREAM, "@to"), d = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(setsockopt(d, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(try_connect(d, "@to"), EAGAIN);
	close(c);
}

static void nothing(int sig) { (void)sig; }

TEST(signals_interrupt)
{
	char b;
	PAIR(SOCK_STREAM, s);
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval it = { { 0, 20000 }, { 0, 20000 } };
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(read(s[0], &b, 1), EINTR);
	struct timeval tv = { 30, 0 };
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	CHECK_ERR(read(s[0], &b, 1), EINTR);	/* a time-out can not be restarted */
	pid_t pid = fork();
	if (!pid) {
		sleep_ms(100);
		_exit(write(s[0], "x", 1) == 1 ? 0 : 1);
	}
	CHECK_EQ(read(s[1], &b, 1), 1);		/* no time-out: restarted */
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(fstat_and_names_in_proc)
{
	struct stat st, st2;
	char path[64], link[64];
	PAIR(SOCK_STREAM, s);
	CHECK(fstat(s[0], &st) == 0);
	CHECK(fstat(s[1], &st2) == 0);
	CHECK(S_ISSOCK(st.st_mode));
	CHECK(st.st_ino != st2.st_ino);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s[0]);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	CHECK(n > 0);
	link[n] = 0;
	snprintf(path, sizeof(path), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK(!strcmp(path, link));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s[0]);
	CHECK_ERR(open(path, O_RDWR), ENXIO);
	CHECK_ERR(lseek(s[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(s[0], path, 1, 0), ESPIPE);
	CHECK_ERR(ftruncate(s[0], 0), EINVAL);
	CHECK_ERR(fsync(s[0]), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, s[0], 0) == MAP_FAILED && errno == ENODEV);
}

TEST(queue_ioctls)
{
	int n;
	PAIR(SOCK_STREAM, s);
	CHECK(ioctl(s[1], FIONREAD, &n) == 0 && n == 0);
	CHECK(ioctl(s[0], SIOCOUTQ, &n) == 0 && n == 0);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "de", 2), 2);
	CHECK(ioctl(s[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 5);
	CHECK(ioctl(s[0], SIOCOUTQ, &n) == 0);
	CHECK(n >= 5);
	char b;
	CHECK_EQ(read(s[1], &b, 1), 1);
	CHECK(ioctl(s[1], FIONREAD, &n) == 0);
	CHECK_EQ(n, 4);
	int one = 1;
	CHECK(ioctl(s[1], FIONBIO, &one) == 0);
	CHECK(fcntl(s[1], F_GETFL) & O_NONBLOCK);
	int l = listening(SOCK_STREAM, "@fionread", 1);
	CHECK_ERR(ioctl(l, FIONREAD, &n), EINVAL);
	CHECK_ERR(ioctl(s[0], TCGETS, &n), ENOTTY);
	CHECK_ERR(ioctl(s[1], FIONREAD, (void *)1), EFAULT);
}

TEST(sendfile_and_splice)
{
	char b[64];
	int p[2];
	PAIR(SOCK_STREAM, s);
	scratch();
	write_file("f", "from a file");
	int f = open("f", O_RDONLY);
	CHECK_EQ(sendfile(s[0], f, NULL, 100), 11);
	CHECK_EQ(read(s[1], b, 64), 11);
	CHECK(!memcmp(b, "from a file", 11));
	CHECK(pipe(p) == 0);
	CHECK_EQ(write(p[1], "piped", 5), 5);
	CHECK_EQ(splice(p[0], NULL, s[0], NULL, 64, 0), 5);
	CHECK_EQ(splice(s[1], NULL, p[1], NULL, 64, 0), 5);
	CHECK_EQ(read(p[0], b, 64), 5);
	CHECK(!memcmp(b, "piped", 5));
	CHECK_ERR(splice(s[1], NULL, p[1], NULL, 64, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(sendfile(s[0], s[1], NULL, 10), EINVAL);
}
