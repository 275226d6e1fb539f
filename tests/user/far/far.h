/* far.h - sockets whose other end is not here.
 *
 * An agent makes the system calls of the other end, one at a time, as the test tells him: far_connect(), far_read() and so on answer like the calls they are named after,
 * errno and all; far_give() and far_take() send and check long streams.  He is a process in another guest, beyond a virtio wire, when the test runs
 * under scripts/test-user --wire; else a child over loopback.  Each test has an agent of its own, who ends, with all his sockets, when the test does.
 *
 * A call that would block there is begun and ended apart (far_begin(), far_end()), and the test does its part between.  */
#pragma once
#define TAP_HOOK
#include "../inet/crowd.h"
#include "../ends.h"
#include <linux/filter.h>
#include <sys/prctl.h>

#define FAR_ROOM (1 << 18)

/* What an agent can do beside system calls: a stream of a known pattern given or taken (fd, bytes, seed, bytes a call, milliseconds of sleep before each call); all that comes
 * sent back until the end (fd); a filter that drops everything (fd); that many connections to an echo server, of so many messages each (address, its length, how many,
 * messages): how many of all those came back right. */
enum { FAR_GIVE = -1, FAR_TAKE = -2, FAR_ECHO = -3, FAR_DEAFEN = -4, FAR_CROWD = -5 };

/* in, out: bit n says that argument n points to len[n] bytes that go there, or come back. */
struct far_call { int64_t nr, arg[6]; uint32_t in, out, len[6]; };
struct far_answer { int64_t result; int32_t error; };

static inline unsigned char pattern(size_t at, int seed) { return (unsigned char)(at * 31 + (at >> 8) * 7 + (size_t)seed); }

static inline void fill(void *to, size_t at, size_t len, int seed)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *)to)[i] = pattern(at + i, seed);
}

static inline bool is_pattern(const void *what, size_t at, size_t len, int seed)
{
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)what)[i] != pattern(at + i, seed))
			return false;
	return true;
}

/* give - write len bytes of the pattern, room at a time.  Returns how many went; errno says why no more. */
static inline long give(int fd, size_t len, int seed, size_t room, int ms)
{
	static char buf[FAR_ROOM];
	size_t done = 0;

	errno = 0;
	while (done < len) {
		size_t n = len - done < room ? len - done : room;
		ssize_t r;

		fill(buf, done, n, seed);
		if (ms)
			sleep_ms(ms);
		r = send(fd, buf, n, MSG_NOSIGNAL);
		if (r < 0)
			break;
		done += (size_t)r;
	}
	return (long)done;
}

/* take - read len bytes of the pattern, or to the end.  Returns how many came; errno: why no more, EILSEQ: others. */
static inline long take(int fd, size_t len, int seed, size_t room, int ms)
{
	static char buf[FAR_ROOM];
	size_t done = 0;

	errno = 0;
	while (done < len) {
		ssize_t r;

		if (ms)
			sleep_ms(ms);
		r = read(fd, buf, len - done < room ? len - done : room);
		if (r <= 0)
			break;
		if (!is_pattern(buf, done, (size_t)r, seed)) {
			errno = EILSEQ;
			break;
		}
		done += (size_t)r;
	}
	return (long)done;
}

static inline int deafen(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog p = { 1, &none };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}

/* --- the agent --- */

static inline long echo(int fd)
{
	static char buf[70000];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t done = 0, r; done < n; done += r)
			if ((r = send(fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
				return total;
		total += n;
	}
	return total;
}

static inline bool whole(int fd, void *buf, size_t len, bool out)
{
	for (size_t n = 0; n < len; ) {
		ssize_t r = out ? send(fd, (char *)buf + n, len - n, MSG_NOSIGNAL) : read(fd, (char *)buf + n, len - n);

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return true;
}

static inline long crowd(const struct sockaddr *to, socklen_t len, int many, int messages)
{
	static int c[CROWD_MOST];
	long right = 0;

	allow_files(many + 100);
	for (int k = 0; k < many; k++) {
		c[k] = socket(to->sa_family, SOCK_STREAM, 0);
		if (c[k] < 0 || connect(c[k], to, len))
			return -1;
	}
	for (int m = 0; m < messages; m++)
		right += crowd_exchange(c, many, m);
	return crowd_close(c, many) == many ? right : -1;
}

static inline long agent_call(const struct far_call *c)
{
	const int64_t *a = c->arg;

	switch (c->nr) {
	case FAR_GIVE: return give((int)a[0], (size_t)a[1], (int)a[2], (size_t)a[3], (int)a[4]);
	case FAR_TAKE: return take((int)a[0], (size_t)a[1], (int)a[2], (size_t)a[3], (int)a[4]);
	case FAR_ECHO: return echo((int)a[0]);
	case FAR_DEAFEN: return deafen((int)a[0]);
	case FAR_CROWD: return crowd((const struct sockaddr *)(intptr_t)a[0], (socklen_t)a[1], (int)a[2], (int)a[3]);
	default: return syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}

/* What one test tells, until it ends. */
static inline void agent(int fd)
{
	static char room[2 * FAR_ROOM];
	struct far_call c;

	while (whole(fd, &c, sizeof(c), false)) {
		struct far_answer answer;
		char *at = room;

		for (int i = 0; i < 6; i++) {
			if (!((c.in | c.out) & 1u << i))
				continue;
			c.arg[i] = (intptr_t)at;
			at += (c.len[i] + 15) & ~15u;
			if (at > room + sizeof(room) || ((c.in & 1u << i) && !whole(fd, (void *)(intptr_t)c.arg[i], c.len[i], false)))
				_exit(1);
		}
		errno = 0;
		answer.result = agent_call(&c);
		answer.error = errno;
		if (!whole(fd, &answer, sizeof(answer), true))
			break;
		for (int i = 0; i < 6; i++)
			if ((c.out & 1u << i) && !whole(fd, (void *)(intptr_t)c.arg[i], c.len[i], true))
				_exit(1);
	}
	_exit(0);
}

/* `PROGRAM --agent`: the far guest's whole purpose. */
static void tap_hook(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(AGENT_PORT), .sin_addr.s_addr = inet_addr(AGENT4) };
	int l, fd;

	if (argc < 2 || strcmp(argv[1], "--agent"))
		return;
	signal(SIGCHLD, SIG_IGN);
	l = socket(AF_INET, SOCK_STREAM, 0);
	if (set_option(l, SOL_SOCKET, SO_REUSEADDR, 1) || bind(l, SA(a)) || listen(l, 20)) {
		printf("# agent: errno %d\n", errno);
		exit(1);
	}
	printf("## agent\n");
	fflush(stdout);
	while ((fd = accept(l, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			close(l);
			alarm(2 * TAP_TIMEOUT);		/* he may hang in a call when his test is over */
			set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
			agent(fd);
		}
		close(fd);
	}
	exit(1);
}

/* --- the test's side --- */

static int far_line = -1;
static bool wired;		/* over virtio-net, not loopback */

static inline bool try_agent(int fd)
{
	struct sockaddr_in a = in4(AGENT4, AGENT_PORT);

	return connect(fd, SA(a)) == 0;
}

/* far_side - get the test an agent; its first step. */
static inline void far_side(void)
{
	struct sockaddr_in a = in4(NEAR4, 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0), p[2];

	lo_up();		/* before any address is there, Linux takes each for a broadcast */
	wired = !bind(s, SA(a));
	close(s);
	signal(SIGPIPE, SIG_IGN);
	if (!wired) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
		if (fork() == 0) {
			close(p[0]);
			agent(p[1]);
		}
		close(p[1]);
		far_line = p[0];
		return;
	}
	for (int i = 0; i < 200; i++) {		/* the other guest may still be starting */
		far_line = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(far_line >= 0);
		if (try_agent(far_line))
			break;
		CHECK_EQ(close(far_line), 0);
		far_line = -1;
		sleep_ms(100);
	}
	CHECK(far_line >= 0);
	CHECK_EQ(set_option(far_line, IPPROTO_TCP, TCP_NODELAY, 1), 0);
}

static inline void far_begin(const struct far_call *c)
{
	CHECK(whole(far_line, (void *)c, sizeof(*c), true));
	for (int i = 0; i < 6; i++)
		if (c->in & 1u << i)
			CHECK(whole(far_line, (void *)(intptr_t)c->arg[i], c->len[i], true));
}

static inline long far_end(const struct far_call *c)
{
	struct far_answer answer;

	CHECK(whole(far_line, &answer, sizeof(answer), false));
	for (int i = 0; i < 6; i++)
		if (c->out & 1u << i)
			CHECK(whole(far_line, (void *)(intptr_t)c->arg[i], c->len[i], false));
	errno = answer.error;
	return answer.result;
}

static inline long far_do(const struct far_call *c)
{
	far_begin(c);
	return far_end(c);
}

#define FAR_NUMBERS(n, ...) (&(struct far_call){ .nr = (n), .arg = { __VA_ARGS__ } })

static inline int far_socket(int family, int type) { return (int)far_do(FAR_NUMBERS(SYS_socket, family, type, 0)); }
static inline int far_close(int fd) { return (int)far_do(FAR_NUMBERS(SYS_close, fd)); }
static inline int far_listen(int fd, int backlog) { return (int)far_do(FAR_NUMBERS(SYS_listen, fd, backlog)); }
static inline int far_shutdown(int fd, int how) { return (int)far_do(FAR_NUMBERS(SYS_shutdown, fd, how)); }
static inline int far_accept(int fd) { return (int)far_do(FAR_NUMBERS(SYS_accept, fd, 0, 0)); }
static inline void far_deafen(int fd) { CHECK_EQ(far_do(FAR_NUMBERS(FAR_DEAFEN, fd)), 0); }

static inline struct far_call far_in(long nr, int fd, const void *buf, size_t len, int flags)
{
	return (struct far_call){ .nr = nr, .arg = { fd, (intptr_t)buf, (int64_t)len, flags }, .in = 2, .len = { 0, (uint32_t)len } };
}

static inline long far_send(int fd, const void *buf, size_t len, int flags)
{
	struct far_call c = far_in(SYS_sendto, fd, buf, len, flags | MSG_NOSIGNAL);

	return far_do(&c);
}

static inline struct far_call far_recv_call(int fd, void *buf, size_t len, int flags)
{
	return (struct far_call){ .nr = SYS_recvfrom, .arg = { fd, (intptr_t)buf, (int64_t)len, flags }, .out = 2, .len = { 0, (uint32_t)len } };
}

static inline long far_recv(int fd, void *buf, size_t len, int flags)
{
	struct far_call c = far_recv_call(fd, buf, len, flags);

	return far_do(&c);
}

static inline int far_set(int fd, int level, int name, const void *value, size_t len)
{
	return (int)far_do(&(struct far_call){ .nr = SYS_setsockopt, .arg = { fd, level, name, (intptr_t)value, (int64_t)len }, .in = 8, .len = { 0, 0, 0, (uint32_t)len } });
}

static inline int far_set_option(int fd, int level, int name, int value) { return far_set(fd, level, name, &value, sizeof(value)); }

static inline void far_get(int fd, int level, int name, void *value, socklen_t len)
{
	CHECK_EQ(far_do(&(struct far_call){ .nr = SYS_getsockopt, .arg = { fd, level, name, (intptr_t)value, (intptr_t)&len }, .in = 16, .out = 24,
					    .len = { 0, 0, 0, len, sizeof(len) } }), 0);
}

static inline int far_option(int fd, int level, int name)
{
	int v = -1;

	far_get(fd, level, name, &v, sizeof(v));
	return v;
}

static inline long far_give(int fd, size_t len, int seed) { return far_do(FAR_NUMBERS(FAR_GIVE, fd, (int64_t)len, seed, 1 << 16, 0)); }
static inline long far_take(int fd, size_t len, int seed) { return far_do(FAR_NUMBERS(FAR_TAKE, fd, (int64_t)len, seed, 1 << 16, 0)); }

/* What poll says there within ms. */
static inline int far_events(int fd, int want, int ms)
{
	struct pollfd p = { fd, (short)want, 0 };
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	CHECK(far_do(&(struct far_call){ .nr = SYS_ppoll, .arg = { (intptr_t)&p, 1, (intptr_t)&t, 0, 0 }, .in = 5, .out = 1,
					 .len = { sizeof(p), 0, sizeof(t) } }) >= 0);
	return p.revents;
}

/* --- addresses, the same for both families --- */

struct address { union { struct sockaddr_in four; struct sockaddr_in6 six; struct sockaddr any; }; socklen_t len; };

static inline struct address address(const char *text, int port)
{
	struct address a = { .len = strchr(text, ':') ? sizeof(a.six) : sizeof(a.four) };

	if (a.len == sizeof(a.six))
		a.six = in6(text, port);
	else
		a.four = in4(text, port);
	return a;
}

static inline int port_in(const struct address *a) { return ntohs(a->any.sa_family == AF_INET ? a->four.sin_port : a->six.sin6_port); }

static inline struct address near_end(int family, int port)
{
	return address(family == AF_INET ? (wired ? NEAR4 : "127.0.0.1") : wired ? NEAR6 : "::1", port);
}

static inline struct address far_end_of(int family, int port)
{
	return address(family == AF_INET ? (wired ? FAR4 : "127.0.0.1") : wired ? FAR6 : "::1", port);
}

/* Without scope and flow, byte for byte. */
static inline bool same(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family || port_in(a) != port_in(b))
		return false;
	return a->any.sa_family == AF_INET ? a->four.sin_addr.s_addr == b->four.sin_addr.s_addr : !memcmp(&a->six.sin6_addr, &b->six.sin6_addr, 16);
}

static inline int far_connect(int fd, const struct address *a)
{
	struct far_call c = far_in(SYS_connect, fd, a, a->len, 0);

	return (int)far_do(&c);
}

static inline int far_bind(int fd, const struct address *a)
{
	struct far_call c = far_in(SYS_bind, fd, a, a->len, 0);

	return (int)far_do(&c);
}

/* far_name - getsockname or getpeername. */
static inline struct address far_name(long nr, int fd)
{
	struct address a = { .len = sizeof(struct sockaddr_in6) };

	CHECK_EQ(far_do(&(struct far_call){ .nr = nr, .arg = { fd, (intptr_t)&a, (intptr_t)&a.len }, .in = 4, .out = 6,
					    .len = { 0, sizeof(struct sockaddr_in6), sizeof(a.len) } }), 0);
	return a;
}

static inline int far_port(int fd)
{
	struct address a = far_name(SYS_getsockname, fd);

	return port_in(&a);
}

static inline int near_socket(int family, int type, const struct address *at)
{
	int s = socket(family, type, 0);

	CHECK(s >= 0);
	if (at)
		CHECK_EQ(bind(s, &at->any, at->len), 0);
	return s;
}

/* A socket there, bound to a port of its own. */
static inline int far_bound(int family, int type)
{
	struct address a = far_end_of(family, 0);
	int s = far_socket(family, type);

	CHECK(s >= 0);
	CHECK_EQ(far_bind(s, &a), 0);
	return s;
}

static inline int far_listener(int family, int backlog)
{
	int l = far_bound(family, SOCK_STREAM);

	CHECK_EQ(far_listen(l, backlog), 0);
	return l;
}

/* A connection made from here (accepted there). */
struct talk { int near, far, listener; };

static inline struct talk meet(int family)
{
	struct talk t = { .listener = far_listener(family, 5) };
	struct address a = far_end_of(family, far_port(t.listener));

	t.near = near_socket(family, SOCK_STREAM, NULL);
	CHECK_EQ(connect(t.near, &a.any, a.len), 0);
	t.far = far_accept(t.listener);
	CHECK(t.far >= 0);
	return t;
}

static inline int tcp_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_state;
}

static inline int far_state(int fd)
{
	struct tcp_info info;

	far_get(fd, IPPROTO_TCP, TCP_INFO, &info, sizeof(info));
	return info.tcpi_state;
}

/* Until the state is that, here or there. */
#define WAIT_STATE(get, fd, want) do { int n_ = 0; while (get(fd) != (want) && n_++ < 1000) sleep_ms(10); CHECK_EQ(get(fd), want); } while (0)

/* BOTH(name) - a test for each family. */
#define BOTH(name) \
	static void both_##name(int family); \
	TEST(name##_4) { far_side(); both_##name(AF_INET); } \
	TEST(name##_6) { far_side(); both_##name(AF_INET6); } \
	static void both_##name(int family)
