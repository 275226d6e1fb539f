/* inet: TCP and UDP; connections made, used, half closed, reset and forgotten on all CPUs; datagrams; listeners that come and go. */
#include "stress.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void lo_up(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags |= IFF_UP;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
	/* What stays of connections for a minute would look like a leak: so few that there are as many before as after. */
	s = open("/proc/sys/net/ipv4/tcp_max_tw_buckets", O_WRONLY);
	CHECK_EQ(write(s, "16\n", 3), 3);
	close(s);
}

static struct sockaddr_in here(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}
#define SA(s) ((struct sockaddr *)&(s)), sizeof(s)

static int listener(int port, int backlog)
{
	struct sockaddr_in a = here(port);
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	CHECK(s >= 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK_EQ(bind(s, SA(a)), 0);
	CHECK_EQ(listen(s, backlog), 0);
	return s;
}

static void reset(int fd)
{
	struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

/* ---- a stream each way at once, every byte checked, ended in every way ---- */
static unsigned char byte_of(unsigned seed, unsigned n) { return (unsigned char)((n * 2654435761u + seed) >> 13); }

struct stream { int fd; unsigned seed, total, chunk; };

static void *writer(void *arg)
{
	struct stream *s = arg;
	unsigned char buf[70000];

	for (unsigned sent = 0; sent < s->total; ) {
		unsigned n = 1 + random_next(&s->seed) % s->chunk;
		ssize_t r;

		if (n > s->total - sent) n = s->total - sent;
		for (unsigned i = 0; i < n; i++) buf[i] = byte_of(s->total, sent + i);
		r = write(s->fd, buf, n);
		CHECK(r > 0);
		sent += r;
	}
	CHECK_EQ(shutdown(s->fd, SHUT_WR), 0);
	return NULL;
}

static void *reader(void *arg)
{
	struct stream *s = arg;
	unsigned char buf[70000];
	unsigned seen = 0;

	for (;;) {
		ssize_t r = read(s->fd, buf, 1 + random_next(&s->seed) % s->chunk);

		CHECK(r >= 0);
		if (!r) break;
		for (ssize_t i = 0; i < r; i++) CHECK_EQ(buf[i], byte_of(s->total, seen + i));
		seen += r;
		progress();
	}
	CHECK_EQ(seen, s->total);
	return NULL;
}

static void streams_kid(int n)
{
	unsigned seed = n + 1;
	int l;

	signal(SIGPIPE, SIG_IGN);
	l = listener(0, 8);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	getsockname(l, (struct sockaddr *)&a, &len);
	while (!over()) {
		unsigned total = 1000 + random_next(&seed) % 3000000, chunk = 1 + random_next(&seed) % 69000;
		int c = socket(AF_INET, SOCK_STREAM, 0), d, small = 4096;
		pthread_t t[4];

		if (chunk < 200) total %= 200000;
		if (random_next(&seed) % 4 == 0) setsockopt(c, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		if (random_next(&seed) % 4 == 0) setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		CHECK_EQ(connect(c, SA(a)), 0);
		d = accept(l, NULL, NULL);
		CHECK(d >= 0);
		struct stream s[4] = { { c, seed, total, chunk }, { d, seed + 1, total, chunk }, { d, seed + 2, total, chunk }, { c, seed + 3, total, chunk } };
		for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, i & 1 ? reader : writer, &s[i]), 0);
		for (int i = 0; i < 4; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
		close(c);
		close(d);
		progress();
	}
	close(l);
}
STORM(streams_both_ways) { lo_up(); crowd(streams_kid, 3); }

/* ---- connections that end anyhow, at any moment ---- */
static void server_kid(int n)
{
	unsigned seed = n + 7;
	char buf[4096];

	signal(SIGPIPE, SIG_IGN);
	while (!over()) {
		int l = listener(7000 + n, 1 + random_next(&seed) % 30);

		fcntl(l, F_SETFL, O_NONBLOCK);
		for (int i = 0; i < 200 && !over(); i++) {
			struct pollfd p = { l, POLLIN, 0 };
			int d;

			poll(&p, 1, 20);
			d = accept(l, NULL, NULL);
			if (d < 0) continue;
			switch (random_next(&seed) % 6) {
			case 0: reset(d); break;
			case 1: close(d); break;
			case 2: read(d, buf, 1 + random_next(&seed) % sizeof(buf)); close(d); break;
			case 3: write(d, buf, sizeof(buf)); shutdown(d, random_next(&seed) % 3); close(d); break;
			case 4: { struct timeval tv = { 0, 20000 }; setsockopt(d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)); for (int k = 0; k < 200 && read(d, buf, sizeof(buf)) > 0; k++) ; close(d); break; }
			default: fcntl(d, F_SETFL, O_NONBLOCK); for (int k = 0; k < 200 && write(d, buf, sizeof(buf)) > 0; k++) ; reset(d);
			}
			progress();
		}
		close(l);
	}
}

static void client_kid(int n)
{
	unsigned seed = n + 77;
	char buf[4096] = { 0 };

	signal(SIGPIPE, SIG_IGN);
	while (!over()) {
		struct sockaddr_in a = here(7000 + random_next(&seed) % 2);
		int c = socket(AF_INET, SOCK_STREAM | (random_next(&seed) & 1 ? SOCK_NONBLOCK : 0), 0);
		struct timeval tv = { 0, 20000 };

		CHECK(c >= 0);
		setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		connect(c, SA(a));
		switch (random_next(&seed) % 5) {
		case 0: break;
		case 1: write(c, buf, sizeof(buf)); break;
		case 2: write(c, buf, 10); read(c, buf, sizeof(buf)); break;
		case 3: shutdown(c, random_next(&seed) % 3); read(c, buf, 100); break;
		default: for (int k = 0; k < 200 && write(c, buf, sizeof(buf)) > 0; k++) ;	/* one that reads for ever would keep us for ever */
		}
		if (random_next(&seed) & 1) reset(c); else close(c);
		progress();
	}
}

static void either_kid(int n)
{
	if (n < 2) server_kid(n); else client_kid(n);
}
STORM(connections_that_end_anyhow) { lo_up(); crowd(either_kid, 8); }

/* ---- one connection, many threads: read, write, poll, shut down, closed by the last ---- */
static void *shared_thread(void *arg)
{
	int *fd = arg;
	unsigned seed = (unsigned)(size_t)&seed >> 4;
	char buf[3000];

	for (int i = 0; i < 300 && !over(); i++) {
		unsigned r = random_next(&seed);
		int f = fd[r & 1];

		switch (r >> 8 & 7) {
		case 0: case 1: send(f, buf, 1 + (r >> 12) % sizeof(buf), MSG_DONTWAIT); break;
		case 2: case 3: recv(f, buf, 1 + (r >> 12) % sizeof(buf), MSG_DONTWAIT); break;
		case 4: recv(f, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK); break;
		case 5: { struct pollfd p = { f, POLLIN | POLLOUT, 0 }; poll(&p, 1, 0); break; }
		case 6: { struct tcp_info t; socklen_t len = sizeof(t); getsockopt(f, IPPROTO_TCP, TCP_INFO, &t, &len); break; }
		default: if (r >> 20 == 5) shutdown(f, r & 1);
		}
		progress();
	}
	return NULL;
}

static void shared_kid(int n)
{
	signal(SIGPIPE, SIG_IGN);
	while (!over()) {
		int l = listener(0, 1), fd[2];
		struct sockaddr_in a;
		socklen_t len = sizeof(a);
		pthread_t t[4];

		getsockname(l, (struct sockaddr *)&a, &len);
		fd[0] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK_EQ(connect(fd[0], SA(a)), 0);
		fd[1] = accept(l, NULL, NULL);
		close(l);
		for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, shared_thread, fd), 0);
		for (int i = 0; i < 4; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
		close(fd[n & 1]);
		close(fd[!(n & 1)]);
	}
}
STORM(one_connection_many_threads) { lo_up(); crowd(shared_kid, 3); }

/* ---- datagrams of all sizes among many, ports taken and given back ---- */
static void datagram_kid(int n)
{
	static char buf[66000];
	unsigned seed = n + 3;

	while (!over()) {
		struct sockaddr_in a = here(0), to = here(8000 + random_next(&seed) % 8);
		int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

		a.sin_port = htons(8000 + n);
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		CHECK_EQ(bind(s, SA(a)), 0);
		if (random_next(&seed) % 3 == 0) connect(s, SA(to));
		for (int i = 0; i < 50; i++) {
			unsigned len = random_next(&seed) % 3 ? random_next(&seed) % 1500 : random_next(&seed) % 65507;

			sendto(s, buf, len, MSG_DONTWAIT, SA(to));
			while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) >= 0) ;
			progress();
		}
		close(s);
	}
}
STORM(datagrams) { lo_up(); crowd(datagram_kid, 8); }
