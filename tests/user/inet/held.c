/* What connections hold back, and what they tell of themselves: TCP_CORK, MSG_MORE, TCP_NOTSENT_LOWAT; TCP_MAXSEG, TCP_WINDOW_CLAMP.  The test is the other
 * end.  What is held back goes out after 200 ms; so that a slow machine proves nothing wrong, whatever came is asked when it was written. */
#include "segment.h"
#include <linux/sockios.h>
#include <sys/wait.h>

#define CEILING	190		/* ms; Linux counts in jiffies */

struct talk { int w, c, port; uint32_t seq, ack; long since; };	/* seq, ack: of what the other end sends next */

static long ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next segment of this connection: those of earlier tests may still be tried again. */
static bool next_of(const struct talk *t, struct segment *s, int ms)
{
	do
		if (!next_segment(t->w, s, ms))
			return false;
	while (s->sport != t->port);
	return true;
}

/* c connects, and is answered: *syn is its SYN. */
static struct talk answer(int w, int c, struct segment *syn)
{
	struct sockaddr_in a = in4("10.9.0.7", 80);
	struct talk t = { .w = w, .c = c, .seq = 1001 };

	know("10.9.0.7");
	nonblocking(c);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	t.port = port_of(c);
	CHECK(next_of(&t, syn, 20000));
	CHECK_EQ(syn->flags, 2);
	t.ack = syn->seq + 1;
	send_segment(w, 80, t.port, 1000, t.ack, 0x12);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	CHECK_EQ(error_of(c), 0);
	return t;
}

static struct talk talk(void)
{
	struct segment syn;

	return answer(wire(), socket(AF_INET, SOCK_STREAM, 0), &syn);
}

static void give(struct talk *t, int len, int flags)
{
	static char buf[5000];

	t->since = ms_now();
	CHECK_EQ(send(t->c, buf, len, flags), len);
}

/* Bytes that were not acknowledged: others may come twice. */
static bool next_bytes(struct talk *t, struct segment *s, int ms)
{
	do
		if (!next_of(t, s, ms))
			return false;
	while (!s->len || (int32_t)(s->seq - t->ack) < 0);
	return true;
}

static void acknowledge(struct talk *t, const struct segment *s)
{
	t->ack = s->seq + (uint32_t)s->len;
	send_segment(t->w, 80, t->port, t->seq, t->ack, 0x10);
}

/* They come, soon or late, as one segment. */
static void comes(struct talk *t, int len)
{
	struct segment s;

	CHECK(next_bytes(t, &s, 20000));
	CHECK_EQ(s.seq, t->ack);
	CHECK_EQ(s.len, len);
	acknowledge(t, &s);
}

/* Nothing has come yet, unless the time is over. */
static bool held(struct talk *t)
{
	struct segment s;

	if (!next_bytes(t, &s, 30))
		return true;
	CHECK(ms_now() - t->since >= CEILING);
	acknowledge(t, &s);
	return false;
}

TEST(cork_beats_nodelay)
{
	struct talk t = talk();

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 1), 0);
	give(&t, 3, 0);
	if (held(&t)) {
		give(&t, 4, 0);
		CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 0), 0);
		comes(&t, 7);
	} else {
		CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 0), 0);
	}
	give(&t, 5, 0);
	comes(&t, 5);
}

TEST(cork_has_a_ceiling)
{
	struct segment syn;
	struct talk t;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_CORK, 1), 0);		/* before there is a connection */
	t = answer(w, c, &syn);
	for (int k = 0; k < 2; k++) {
		give(&t, 3, 0);
		comes(&t, 3);
		CHECK(ms_now() - t.since >= CEILING);
	}
}

TEST(cork_lets_whole_segments_go)
{
	struct talk t = talk();

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 1), 0);
	give(&t, 1460 + 10, 0);
	comes(&t, 1460);
	if (held(&t)) {
		CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 0), 0);
		comes(&t, 10);
	}
}

TEST(nodelay_pushes_what_is_corked)
{
	struct talk t = talk();

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 1), 0);
	give(&t, 3, 0);
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	comes(&t, 3);
	give(&t, 4, 0);				/* and is the weaker again */
	if (held(&t))
		comes(&t, 4);
}

TEST(more_beats_nodelay)
{
	struct talk t = talk();
	struct segment s;

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	give(&t, 3, MSG_MORE);
	if (held(&t)) {
		give(&t, 4, 0);
		comes(&t, 7);
	}
	/* until something is acknowledged */
	give(&t, 5, 0);
	CHECK(next_bytes(&t, &s, 20000));
	CHECK_EQ(s.len, 5);
	give(&t, 3, MSG_MORE);
	acknowledge(&t, &s);
	comes(&t, 3);
}

/* What is held back does not hold acknowledgements back. */
TEST(corked_and_acknowledging)
{
	struct talk t = talk();
	struct segment s;

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 1), 0);
	give(&t, 3, 0);
	for (int k = 0; k < 2; k++) {
		send_bytes(t.w, 80, t.port, t.seq, t.ack, 0x18, 1460);
		t.seq += 1460;
	}
	do {
		CHECK(next_of(&t, &s, 20000));
		if (s.len)
			CHECK(ms_now() - t.since >= CEILING);
	} while (s.ack != t.seq);
}

/* What was sent once is no longer held back. */
TEST(corked_and_lost)
{
	struct talk t = talk();
	struct segment s;

	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_CORK, 1), 0);
	give(&t, 3, 0);
	CHECK(next_bytes(&t, &s, 20000));
	CHECK_EQ(s.len, 3);
	comes(&t, 3);
}

/* --- TCP_NOTSENT_LOWAT --- */

static int unsent(int fd)
{
	int n = -1;

	CHECK_EQ(ioctl(fd, SIOCOUTQNSD, &n), 0);
	return n;
}

TEST(not_much_unsent)
{
	static char buf[1000];
	struct talk t;
	int status;
	pid_t kid;

	window = 1000;
	t = talk();
	CHECK_EQ(set_option(t.c, SOL_SOCKET, SO_SNDBUF, 200000), 0);
	CHECK_EQ(option(t.c, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 0);
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000), 0);
	CHECK_EQ(option(t.c, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 5000);
	for (int k = 0; write(t.c, buf, 1000) == 1000; k++)
		CHECK(k < 150);
	CHECK_EQ(errno, EAGAIN);
	CHECK(unsent(t.c) >= 5000);
	CHECK(unsent(t.c) < 80000);
	CHECK(!(events_of(t.c, 0) & POLLOUT));
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1 << 20), 0);
	CHECK(events_of(t.c, 0) & POLLOUT);
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000), 0);
	CHECK(!(events_of(t.c, 0) & POLLOUT));
	kid = fork();
	if (!kid)
		_exit(wait_events(t.c, POLLOUT) & POLLOUT && unsent(t.c) < 2500 ? 0 : 1);
	window = 0xffff;
	for (;;) {
		struct segment s;

		if (waitpid(kid, &status, WNOHANG) == kid)
			break;
		if (next_bytes(&t, &s, 100) && s.seq == t.ack)
			acknowledge(&t, &s);
	}
	CHECK_EQ(status, 0);
}

/* --- what the other side is told --- */

static void syn_from(int w, int port, int sport) { send_segment(w, sport, port, 5000, 0, 2); }

TEST(size_is_announced)
{
	struct sockaddr_in a = in4("10.9.0.1", 99);
	struct segment s;
	struct talk t;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), l = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_MAXSEG, 700), 0);
	t = answer(w, c, &s);
	CHECK_EQ(s.mss, 700);
	give(&t, 1500, 0);
	comes(&t, 700);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(set_option(l, IPPROTO_TCP, TCP_MAXSEG, 800), 0);
	CHECK_EQ(listen(l, 5), 0);
	for (int cookies = 2; cookies >= 1; cookies--) {		/* 1 is the default */
		char v[2] = { (char)('0' + cookies) };
		int fd = open("/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY);

		CHECK_EQ(write(fd, v, 1), 1);
		close(fd);
		syn_from(w, 99, 1234 + cookies);
		do
			CHECK(next_segment(w, &s, 20000));
		while (s.flags != 0x12 || s.dport != 1234 + cookies);
		CHECK_EQ(s.mss, 800);
	}
	/* not what the interface does not take */
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_MAXSEG, 2000), 0);
	nonblocking(c);
	a = in4("10.9.0.7", 81);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	do
		CHECK(next_segment(w, &s, 20000));
	while (s.flags != 2 || s.sport != port_of(c));
	CHECK_EQ(s.mss, 1460);
}

/* One that takes a byte a segment gets 48 less options, at once. */
TEST(silly_size)
{
	struct segment s;
	struct talk t;
	int got = 0;

	size_told = 1;
	t = talk();
	give(&t, 500, 0);
	while (got < 500) {
		CHECK(next_bytes(&t, &s, 20000));
		CHECK(s.len > 1);
		CHECK(s.len <= 48);
		if (s.seq == t.ack) {
			got += s.len;
			acknowledge(&t, &s);
		}
	}
	CHECK_EQ(got, 500);
}

TEST(window_is_clamped)
{
	struct sockaddr_in a = in4("10.9.0.1", 99);
	struct segment s;
	struct talk t;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), l = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP), 0);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 10), 0);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP), 1152);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), 0);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP), 0);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 3000), 0);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP), 3000);
	t = answer(w, c, &s);
	CHECK(s.window > 1000);
	CHECK(s.window <= 3000);
	CHECK_ERR(set_option(c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), EINVAL);
	CHECK_EQ(bind(l, SA(a)), 0);
	CHECK_EQ(set_option(l, IPPROTO_TCP, TCP_WINDOW_CLAMP, 4000), 0);
	CHECK_EQ(listen(l, 5), 0);
	syn_from(w, 99, 1234);
	do
		CHECK(next_segment(w, &s, 20000));
	while (s.flags != 0x12 || s.dport != 1234);
	CHECK(s.window > 2000);
	CHECK(s.window <= 4000);
	(void)t;
}

/* What was announced stays; then the window becomes smaller, and goes on to be opened.  (With a buffer that Linux does not tune.) */
TEST(window_is_clamped_later)
{
	static char buf[3000];
	struct segment s, syn;
	struct talk t;
	int w = wire(), c = socket(AF_INET, SOCK_STREAM, 0), small = 0;

	CHECK_EQ(set_option(c, SOL_SOCKET, SO_RCVBUF, 100000), 0);
	t = answer(w, c, &syn);
	s = syn;
	s.ack = t.seq;
	CHECK_EQ(set_option(t.c, IPPROTO_TCP, TCP_WINDOW_CLAMP, 4000), 0);
	for (int k = 0; k < 200 && small < 20; k++) {
		int got = 0;

		send_bytes(t.w, 80, t.port, t.seq, t.ack, 0x18, 1460);
		t.seq += 1460;
		while (got < 1460) {
			CHECK(wait_events(t.c, POLLIN) & POLLIN);
			got += (int)read(t.c, buf, sizeof(buf));
		}
		CHECK_EQ(got, 1460);
		while ((int32_t)(s.ack + (uint32_t)s.window - t.seq) < 1460)
			CHECK(next_of(&t, &s, 20000));
		CHECK(!small || s.window <= 4000);
		small += s.window <= 4000;
	}
	CHECK_EQ(small, 20);
}

/* --- Nagle's rule, Minshall's way: what is not full waits for what was not full, not for whole segments --- */

TEST(small_waits_for_small)
{
	struct talk t = talk();
	struct segment s;

	give(&t, 1460 + 540, 0);
	CHECK(next_bytes(&t, &s, 20000));
	CHECK(s.seq == t.ack && s.len == 1460);
	do						/* nothing was acknowledged; the first may come again */
		CHECK(next_bytes(&t, &s, 20000));
	while (s.seq == t.ack);
	CHECK(s.seq == t.ack + 1460 && s.len == 540);
	give(&t, 100, 0);
	give(&t, 50, 0);
	acknowledge(&t, &s);
	comes(&t, 150);
	give(&t, 70, 0);
	comes(&t, 70);
}
