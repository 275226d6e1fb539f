/* A connection to another system: bytes both ways, ends, resets, windows, urgent bytes, files and pipes sent, what poll and TCP_INFO say at each point. */
#include "far.h"
#include <linux/sockios.h>
#include <sys/sendfile.h>

#define MUCH	(4u << 20)

static char block[1 << 16];

/* The far end does that while we do our part; far_end(&later) waits for it. */
static struct far_call later;

static void begin_far(int what, int fd, size_t len, int seed, int ms)
{
	later = *FAR_NUMBERS(what, fd, (int64_t)len, seed, 1 << 16, ms);
	far_begin(&later);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info;
}

BOTH(much_out)
{
	struct talk t = meet(family);

	begin_far(FAR_TAKE, t.far, MUCH + 1, 5, 0);
	CHECK_EQ(give(t.near, MUCH, 5, 50000, 0), MUCH);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(far_end(&later), MUCH);
	CHECK_EQ(errno, 0);
}

BOTH(much_in)
{
	struct talk t = meet(family);

	begin_far(FAR_GIVE, t.far, MUCH, 6, 0);
	CHECK_EQ(take(t.near, MUCH, 6, 33333, 0), MUCH);
	CHECK_EQ(far_end(&later), MUCH);
}

BOTH(both_ways)
{
	struct talk t = meet(family);
	pid_t pid;

	begin_far(FAR_ECHO, t.far, 0, 0, 0);
	pid = fork();
	if (!pid) {
		CHECK_EQ(give(t.near, MUCH, 7, 10000, 0), MUCH);
		CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
		_exit(0);
	}
	CHECK_EQ(take(t.near, MUCH, 7, 1 << 16, 0), MUCH);
	CHECK_EQ(far_end(&later), MUCH);
	CHECK(EXITED(wait_status(pid), 0));
}

/* Nobody reads: the buffers fill, the window shuts, and opens again when somebody does. */
BOTH(shut_window)
{
	struct talk t = meet(family);
	size_t sent = 0;
	ssize_t n;

	nonblocking(t.near);
	for (;;) {
		fill(block, sent, sizeof(block), 9);
		n = write(t.near, block, sizeof(block));
		if (n < 0) {
			CHECK_EQ(errno, EAGAIN);
			if (!poll(&(struct pollfd){ t.near, POLLOUT, 0 }, 1, 1500))
				break;		/* for longer than the window's first probe takes */
			continue;
		}
		sent += (size_t)n;
	}
	CHECK(sent > 50000);
	CHECK_EQ(events_of(t.near, 0), 0);
	CHECK_EQ(far_take(t.far, sent, 9), sent);
	CHECK_EQ(wait_events(t.near, POLLOUT), POLLOUT);
	CHECK_EQ(write(t.near, "more", 4), 4);
	CHECK_EQ(far_recv(t.far, block, 10, 0), 4);
}

/* A blocking write of more than all buffers hold ends when the other has read enough; the readers are slow. */
BOTH(slow_reader)
{
	struct talk t = meet(family);

	CHECK_EQ(far_set_option(t.far, SOL_SOCKET, SO_RCVBUF, 20000), 0);
	begin_far(FAR_TAKE, t.far, 2000001, 2, 1);
	CHECK_EQ(give(t.near, 2000000, 2, FAR_ROOM, 0), 2000000);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(far_end(&later), 2000000);
}

BOTH(small_buffers)
{
	int l = far_bound(family, SOCK_STREAM), c = near_socket(family, SOCK_STREAM, NULL), s;
	struct address a = far_end_of(family, far_port(l));

	CHECK_EQ(far_set_option(l, SOL_SOCKET, SO_RCVBUF, 4096), 0);
	CHECK_EQ(far_listen(l, 1), 0);
	CHECK_EQ(set_option(c, SOL_SOCKET, SO_SNDBUF, 4096), 0);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	s = far_accept(l);
	begin_far(FAR_TAKE, s, 100000, 4, 0);
	CHECK_EQ(give(c, 100000, 4, 100000, 0), 100000);
	CHECK_EQ(far_end(&later), 100000);
}

/* --- ends --- */

BOTH(far_half_closed)
{
	struct talk t = meet(family);
	char buf[8];

	CHECK_EQ(far_send(t.far, "last", 4, 0), 4);
	CHECK_EQ(far_shutdown(t.far, SHUT_WR), 0);
	CHECK(wait_events(t.near, POLLRDHUP) & POLLRDHUP);
	CHECK_EQ(events_of(t.near, 0), POLLIN | POLLOUT | POLLRDHUP);
	WAIT_STATE(tcp_state, t.near, TCP_CLOSE_WAIT);
	WAIT_STATE(far_state, t.far, TCP_FIN_WAIT2);
	CHECK_EQ(recv(t.near, buf, 8, MSG_WAITALL), 4);
	CHECK_EQ(read(t.near, buf, 8), 0);
	CHECK_EQ(write(t.near, "still", 5), 5);
	CHECK_EQ(far_recv(t.far, buf, 8, 0), 5);
	CHECK_EQ(far_send(t.far, "x", 1, 0), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(far_recv(t.far, buf, 8, 0), 0);
	CHECK(wait_events(t.near, POLLHUP) & POLLHUP);
	WAIT_STATE(tcp_state, t.near, TCP_CLOSE);
}

BOTH(near_half_closed)
{
	struct talk t = meet(family);
	char buf[8];

	CHECK_EQ(write(t.near, "last", 4), 4);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_ERR(send(t.near, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(far_recv(t.far, buf, 8, MSG_WAITALL), 4);
	CHECK_EQ(far_recv(t.far, buf, 8, 0), 0);
	CHECK(far_events(t.far, POLLIN | POLLRDHUP | POLLHUP, 0) == (POLLIN | POLLRDHUP));
	WAIT_STATE(tcp_state, t.near, TCP_FIN_WAIT2);
	CHECK_EQ(far_state(t.far), TCP_CLOSE_WAIT);
	CHECK_EQ(events_of(t.near, 0), POLLOUT);
	CHECK_EQ(far_send(t.far, "still", 5, 0), 5);
	read_all(t.near, buf, 5);
	CHECK_EQ(far_close(t.far), 0);
	CHECK_EQ(read(t.near, buf, 8), 0);
	CHECK_EQ(events_of(t.near, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

BOTH(both_at_once)
{
	struct talk t = meet(family);
	char x;

	begin_far(SYS_shutdown, t.far, SHUT_WR, 0, 0);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(far_end(&later), 0);
	CHECK_EQ(read(t.near, &x, 1), 0);
	CHECK_EQ(far_recv(t.far, &x, 1, 0), 0);
	CHECK(wait_events(t.near, POLLHUP) & POLLHUP);
	CHECK_EQ(error_of(t.near), 0);
}

/* What comes after SHUT_RD may be read all the same, as on Linux. */
BOTH(reading_shut)
{
	struct talk t = meet(family);
	char x = 0;

	CHECK_EQ(shutdown(t.near, SHUT_RD), 0);
	CHECK_EQ(events_of(t.near, 0), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(t.near, &x, 1), 0);
	CHECK_EQ(write(t.near, "y", 1), 1);
	CHECK_EQ(far_recv(t.far, &x, 1, 0), 1);
	CHECK_EQ(x, 'y');
	CHECK_EQ(tcp_state(t.near), TCP_ESTABLISHED);
}

/* --- resets --- */

static void reset_there(int fd)
{
	struct linger none = { 1, 0 };

	CHECK_EQ(far_set(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	CHECK_EQ(far_close(fd), 0);
}

BOTH(reset)
{
	struct talk t = meet(family);
	char x;

	reset_there(t.far);
	CHECK(wait_events(t.near, POLLIN) & POLLERR);
	CHECK_EQ(events_of(t.near, 0), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	CHECK_ERR(read(t.near, &x, 1), ECONNRESET);
	CHECK_EQ(read(t.near, &x, 1), 0);
	CHECK_EQ(events_of(t.near, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_ERR(send(t.near, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(tcp_state(t.near), TCP_CLOSE);
}

/* Closed with bytes unread: a reset, too. */
BOTH(reset_by_unread)
{
	struct talk t = meet(family);
	char x;

	CHECK_EQ(write(t.near, "unread", 6), 6);
	CHECK(far_events(t.far, POLLIN, 20000) & POLLIN);
	CHECK_EQ(far_close(t.far), 0);
	CHECK(wait_events(t.near, POLLIN) & POLLERR);
	CHECK_ERR(read(t.near, &x, 1), ECONNRESET);
}

BOTH(reset_by_writing)
{
	struct talk t = meet(family);
	char x;

	CHECK_EQ(far_close(t.far), 0);
	CHECK_EQ(read(t.near, &x, 1), 0);
	CHECK_EQ(write(t.near, "x", 1), 1);
	CHECK(wait_events(t.near, POLLERR) & POLLHUP);
	CHECK_ERR(send(t.near, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(error_of(t.near), 0);
}

BOTH(reset_while_reading)
{
	struct talk t = meet(family);
	pid_t pid = fork();
	char x;

	if (!pid) {
		CHECK_ERR(read(t.near, &x, 1), ECONNRESET);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	reset_there(t.far);
	CHECK(EXITED(wait_status(pid), 0));
}

BOTH(reset_while_writing)
{
	struct talk t = meet(family);
	pid_t pid = fork();

	if (!pid) {
		CHECK_EQ(give(t.near, 1 << 30, 1, 1 << 16, 0) < 1 << 30, 1);
		CHECK_EQ(errno, ECONNRESET);
		_exit(0);
	}
	while (far_events(t.far, POLLIN, 100) == 0)
		;
	CHECK(wait_state(pid, 'S'));
	reset_there(t.far);
	CHECK(EXITED(wait_status(pid), 0));
}

/* --- nobody answers any more --- */

BOTH(silence)
{
	struct talk t = meet(family);
	char x;

	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500), 0);
	far_deafen(t.far);
	CHECK_EQ(write(t.near, "x", 1), 1);
	CHECK_ERR(read(t.near, &x, 1), ETIMEDOUT);
	CHECK(events_of(t.near, 0) & POLLHUP);
	CHECK_ERR(send(t.near, "x", 1, MSG_NOSIGNAL), EPIPE);
}

BOTH(silence_found_by_probes)
{
	struct talk t = meet(family);
	char x;

	CHECK_EQ(set_option(t.near, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_KEEPIDLE, 1), 0);
	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_KEEPINTVL, 1), 0);
	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_KEEPCNT, 2), 0);
	sleep_ms(1500);
	CHECK_EQ(error_of(t.near), 0);		/* answered ones */
	far_deafen(t.far);
	CHECK_ERR(read(t.near, &x, 1), ETIMEDOUT);
}

/* --- ways to read --- */

BOTH(peek_and_wait)
{
	struct talk t = meet(family);
	struct timeval limit = { 0, 200000 };
	char buf[32];
	pid_t pid;

	CHECK_ERR(recv(t.near, buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(setsockopt(t.near, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	CHECK_ERR(read(t.near, buf, 1), EAGAIN);
	limit.tv_usec = 0;
	CHECK_EQ(setsockopt(t.near, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	CHECK_EQ(far_send(t.far, "abcd", 4, 0), 4);
	CHECK(wait_events(t.near, POLLIN) & POLLIN);
	CHECK_EQ(recv(t.near, buf, 2, MSG_PEEK), 2);
	pid = fork();
	if (!pid) {
		CHECK_EQ(recv(t.near, buf, 12, MSG_PEEK | MSG_WAITALL), 12);
		CHECK(!memcmp(buf, "abcdefghijkl", 12));
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		CHECK(wait_state(pid, 'S'));
		CHECK_EQ(far_send(t.far, &"efghijkl"[4 * i], 4, 0), 4);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(recv(t.near, NULL, 2, MSG_TRUNC), 2);
	CHECK_EQ(recv(t.near, buf, 10, MSG_WAITALL), 10);
	CHECK(!memcmp(buf, "cdefghijkl", 10));
}

BOTH(urgent)
{
	struct talk t = meet(family);
	char buf[16], x;
	int at;

	CHECK_EQ(far_send(t.far, "abc", 3, MSG_OOB), 3);
	CHECK(wait_events(t.near, POLLPRI) & POLLPRI);
	CHECK_EQ(recv(t.near, &x, 1, MSG_OOB), 1);
	CHECK_EQ(x, 'c');
	CHECK_ERR(recv(t.near, &x, 1, MSG_OOB), EINVAL);
	CHECK_EQ(far_send(t.far, "de", 2, 0), 2);
	CHECK_EQ(recv(t.near, buf, 2, MSG_WAITALL), 2);		/* up to the mark */
	CHECK_EQ(ioctl(t.near, SIOCATMARK, &at), 0);
	CHECK_EQ(at, 1);
	CHECK_EQ(recv(t.near, buf, 2, MSG_WAITALL), 2);
	CHECK(!memcmp(buf, "de", 2));
	/* and from here */
	CHECK_EQ(send(t.near, "xyz", 3, MSG_OOB), 3);
	CHECK(far_events(t.far, POLLPRI, 20000) & POLLPRI);
	CHECK_EQ(far_recv(t.far, buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'z');
	CHECK_EQ(far_recv(t.far, buf, 8, 0), 2);
}

/* --- ways to send --- */

BOTH(corked)
{
	struct talk t = meet(family);
	uint32_t before = info_of(t.near).tcpi_data_segs_out, sent;

	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(give(t.near, 20000, 8, 100, 0), 20000);
	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_CORK, 0), 0);
	CHECK_EQ(far_take(t.far, 20000, 8), 20000);
	sent = info_of(t.near).tcpi_data_segs_out - before;
	CHECK(sent > 0);
	CHECK(sent < 100);				/* of two hundred writes */
	CHECK_EQ(set_option(t.near, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	CHECK_EQ(give(t.near, 2000, 8, 10, 0), 2000);
	CHECK_EQ(far_take(t.far, 2000, 8), 2000);
	CHECK(info_of(t.near).tcpi_data_segs_out - before >= sent + 5);		/* two hundred writes again; what waits for the wire may be joined */
}

static int pattern_file(size_t len, int seed)
{
	int fd = memfd_create("pattern", 0);

	CHECK(fd >= 0);
	for (size_t at = 0; at < len; at += sizeof(block)) {
		fill(block, at, sizeof(block), seed);
		CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
	}
	return fd;
}

BOTH(file_sent)
{
	struct talk t = meet(family);
	int fd = pattern_file(1 << 20, 11);
	off_t at = 0;

	begin_far(FAR_TAKE, t.far, (1 << 20) + 1, 11, 0);
	while (at < 1 << 20)
		CHECK(sendfile(t.near, fd, &at, (size_t)((1 << 20) - at)) > 0);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(far_end(&later), 1 << 20);
	CHECK_EQ(errno, 0);
}

BOTH(pipes)
{
	struct talk t = meet(family);
	int fd = pattern_file(1 << 20, 12), p[2];
	long done = 0;

	CHECK_EQ(pipe(p), 0);
	begin_far(FAR_ECHO, t.far, 0, 0, 0);
	if (!fork()) {
		int q[2];

		CHECK_EQ(pipe(q), 0);
		for (long n, sent = 0; sent < 1 << 20; sent += n) {
			n = splice(fd, &(loff_t){ sent }, q[1], NULL, 1 << 16, 0);
			CHECK(n > 0);
			for (long out = 0, m; out < n; out += m)
				CHECK((m = splice(q[0], NULL, t.near, NULL, (size_t)(n - out), 0)) > 0);
		}
		CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
		_exit(0);
	}
	while (done < 1 << 20) {
		long n = splice(t.near, NULL, p[1], NULL, 1 << 16, 0);

		CHECK(n > 0);
		for (long r; n; n -= r, done += r) {
			CHECK((r = read(p[0], block, (size_t)n < sizeof(block) ? (size_t)n : sizeof(block))) > 0);
			CHECK(is_pattern(block, (size_t)done, (size_t)r, 12));
		}
	}
	CHECK_EQ(far_end(&later), 1 << 20);
}

/* --- what is told --- */

BOTH(states)
{
	struct talk t = meet(family);
	int l = far_listener(family, 1), n = 0;
	char x;

	CHECK_EQ(tcp_state(near_socket(family, SOCK_STREAM, NULL)), TCP_CLOSE);
	CHECK_EQ(far_state(l), TCP_LISTEN);
	CHECK_EQ(tcp_state(t.near), TCP_ESTABLISHED);
	CHECK_EQ(far_state(t.far), TCP_ESTABLISHED);
	if (wired) {
		CHECK_EQ(info_of(t.near).tcpi_snd_mss, family == AF_INET ? 1448 : 1428);
		CHECK_EQ(info_of(t.near).tcpi_pmtu, 1500);
	}
	far_deafen(t.far);
	CHECK_EQ(write(t.near, "twelve bytes", 12), 12);
	CHECK_EQ(ioctl(t.near, SIOCOUTQ, &n), 0);
	CHECK_EQ(n, 12);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(tcp_state(t.near), TCP_FIN_WAIT1);
	/* the other half first */
	t = meet(family);
	CHECK_EQ(far_shutdown(t.far, SHUT_WR), 0);
	CHECK_EQ(read(t.near, &x, 1), 0);
	far_deafen(t.far);
	CHECK_EQ(shutdown(t.near, SHUT_WR), 0);
	CHECK_EQ(tcp_state(t.near), TCP_LAST_ACK);
}

BOTH(edges)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET | EPOLLRDHUP };
	struct talk t = meet(family);
	int ep = epoll_create1(0);
	char buf[8];

	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, t.near, &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(far_send(t.far, "ab", 2, 0), 2);
	CHECK_EQ(epoll_wait(ep, &e, 1, 20000), 1);
	CHECK_EQ(e.events, EPOLLIN);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(read(t.near, buf, 1), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(far_send(t.far, "c", 1, 0), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 20000), 1);
	e.events = EPOLLIN | EPOLLONESHOT;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, t.near, &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 20000), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	e.events = EPOLLET | EPOLLRDHUP | EPOLLIN;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, t.near, &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(far_shutdown(t.far, SHUT_WR), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 20000), 1);
	CHECK_EQ(e.events, EPOLLIN | EPOLLRDHUP);
}

/* A segment size of one's own is kept.  (Linux tells the other of it, too, who then keeps to it: deviates.) */
BOTH(segment_size)
{
	int l = far_listener(family, 1), c = near_socket(family, SOCK_STREAM, NULL), s;
	struct address a = far_end_of(family, far_port(l));

	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_MAXSEG, 600), 0);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	s = far_accept(l);
	CHECK(option(c, IPPROTO_TCP, TCP_MAXSEG) <= 600);
	begin_far(FAR_ECHO, s, 0, 0, 0);
	CHECK_EQ(give(c, 20000, 1, 20000, 0), 20000);
	CHECK_EQ(take(c, 20000, 1, 20000, 0), 20000);
}
