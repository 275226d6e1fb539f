/* Connections to and from another system: made, refused, unanswered, timed out, reset before they are accepted; names and ports; devices. */
#include "far.h"
#include <linux/errqueue.h>

static int begun;		/* a connect that is under way */

/* Connect without waiting. */
static int begin_connect(const struct address *a)
{
	begun = near_socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, NULL);
	CHECK_ERR(connect(begun, &a->any, a->len), EINPROGRESS);
	return begun;
}

BOTH(names)
{
	struct talk t = meet(family);
	struct address mine = { .len = sizeof(struct sockaddr_in6) }, his = mine, there;

	CHECK_EQ(getsockname(t.near, &mine.any, &mine.len), 0);
	CHECK_EQ(getpeername(t.near, &his.any, &his.len), 0);
	there = far_name(SYS_getpeername, t.far);
	CHECK(same(&mine, &there));
	CHECK_EQ(mine.len, there.len);
	there = far_name(SYS_getsockname, t.far);
	CHECK(same(&his, &there));
	there = near_end(family, port_in(&mine));
	CHECK(same(&mine, &there));
}

BOTH(accepted_here)
{
	struct address a = near_end(family, 0), who = { .len = sizeof(struct sockaddr_in6) }, there;
	int l = near_socket(family, SOCK_STREAM, &a), c = far_socket(family, SOCK_STREAM), s;
	char buf[8];

	CHECK_EQ(listen(l, 5), 0);
	nonblocking(l);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK_EQ(events_of(l, 0), 0);
	a = near_end(family, port_of(l));
	CHECK_EQ(far_connect(c, &a), 0);
	CHECK(wait_events(l, POLLIN) & POLLIN);
	s = accept(l, &who.any, &who.len);
	CHECK(s >= 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	there = far_name(SYS_getsockname, c);
	CHECK(same(&who, &there));
	CHECK_EQ(far_send(c, "hello", 5, 0), 5);
	read_all(s, buf, 5);
	CHECK(!memcmp(buf, "hello", 5));
}

/* An accept that waits while the other comes. */
BOTH(accept_waits)
{
	struct address a = near_end(family, 0);
	int l = near_socket(family, SOCK_STREAM, &a), c = far_socket(family, SOCK_STREAM);
	pid_t pid;

	CHECK_EQ(listen(l, 5), 0);
	a = near_end(family, port_of(l));
	pid = fork();
	if (!pid)
		_exit(accept(l, NULL, NULL) < 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(far_connect(c, &a), 0);
	CHECK(EXITED(wait_status(pid), 0));
}

BOTH(nonblocking)
{
	int l = far_listener(family, 5), c, s;
	struct address a = far_end_of(family, far_port(l));

	c = begin_connect(&a);
	CHECK_EQ(wait_events(c, POLLOUT), POLLOUT);
	CHECK_EQ(error_of(c), 0);
	CHECK_EQ(connect(c, &a.any, a.len), 0);		/* the second says how it ended */
	CHECK_ERR(connect(c, &a.any, a.len), EISCONN);
	s = far_accept(l);
	CHECK(s >= 0);
}

BOTH(refused)
{
	int gone = far_bound(family, SOCK_STREAM), c = near_socket(family, SOCK_STREAM, NULL);
	struct address a = far_end_of(family, far_port(gone));

	CHECK_ERR(connect(c, &a.any, a.len), ECONNREFUSED);	/* bound and not listening */
	CHECK_EQ(error_of(c), 0);
	CHECK_EQ(far_close(gone), 0);
	CHECK_ERR(connect(c, &a.any, a.len), ECONNREFUSED);
	/* the same socket may try another */
	int l = far_listener(family, 1);
	struct address b = far_end_of(family, far_port(l));
	CHECK_EQ(connect(c, &b.any, b.len), 0);
	CHECK(far_accept(l) >= 0);
}

BOTH(refused_nonblocking)
{
	int gone = far_bound(family, SOCK_STREAM), c;
	struct address a = far_end_of(family, far_port(gone));
	char x;

	CHECK_EQ(far_close(gone), 0);
	c = begin_connect(&a);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_EQ(events_of(c, 0), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	CHECK_EQ(error_of(c), ECONNREFUSED);
	CHECK_EQ(error_of(c), 0);
	CHECK_EQ(read(c, &x, 1), 0);
	CHECK_ERR(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	/* the error may as well be had by the next call */
	c = begin_connect(&a);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_ERR(connect(c, &a.any, a.len), ECONNREFUSED);
}

/* Nobody has that address: ARP and neighbour discovery go unanswered. */
static void nobody(int family, const char *text)
{
	struct address a = address(text, 9);
	int c = near_socket(family, SOCK_STREAM, NULL);

	far_side();
	if (!wired)
		SKIP("a wire is needed");
	CHECK_ERR(connect(c, &a.any, a.len), EHOSTUNREACH);
	c = begin_connect(&a);
	CHECK_ERR(connect(c, &a.any, a.len), EALREADY);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_EQ(error_of(c), EHOSTUNREACH);
	/* a datagram goes out, as far as the sender knows; who wants to hear of it does */
	c = near_socket(family, SOCK_DGRAM, NULL);
	CHECK_EQ(set_option(c, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1), 0);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK(wait_events(c, 0) & POLLERR);
	CHECK_ERR(recv(c, &(char){ 0 }, 1, 0), EHOSTUNREACH);
}

TEST(nobody_there_4) { nobody(AF_INET, "10.8.0.77"); }
TEST(nobody_there_6) { nobody(AF_INET6, "fd08::77"); }

static int far_ioctl(int s, unsigned long cmd, struct ifreq *r)
{
	return (int)far_do(&(struct far_call){ .nr = SYS_ioctl, .arg = { s, (int64_t)cmd, (intptr_t)r }, .in = 4, .out = 4, .len = { 0, 0, sizeof(*r) } });
}

/* What the tested wire's device is called there. */
static void far_device(int s, char *name)
{
	static const unsigned char want[6] = { 2, 0, 0, 8, 0, 2 };

	for (int i = 1; i < 10; i++) {
		struct ifreq r = { .ifr_ifindex = i };

		if (far_ioctl(s, SIOCGIFNAME, &r) || far_ioctl(s, SIOCGIFHWADDR, &r) || memcmp(r.ifr_hwaddr.sa_data, want, 6))
			continue;
		strcpy(name, r.ifr_name);
		return;
	}
	CHECK(!"no such device there");
}

/* A neighbour that comes later is found. */
TEST(nobody_yet)
{
	struct address a;
	struct ifreq r = { 0 };
	int l, c, s;

	far_side();
	if (!wired)
		SKIP("a wire is needed");
	l = far_socket(AF_INET, SOCK_STREAM);
	CHECK_EQ(far_listen(l, 5), 0);			/* at any address */
	a = address("10.8.0.78", far_port(l));
	c = near_socket(AF_INET, SOCK_STREAM, NULL);
	CHECK_ERR(connect(c, &a.any, a.len), EHOSTUNREACH);
	s = far_socket(AF_INET, SOCK_DGRAM);
	far_device(s, r.ifr_name);
	strcat(r.ifr_name, ":1");
	memcpy(&r.ifr_addr, &a.four, sizeof(a.four));
	CHECK_EQ(far_ioctl(s, SIOCSIFADDR, &r), 0);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK(far_accept(l) >= 0);
	memset(&r.ifr_ifru, 0, sizeof(r.ifr_ifru));	/* down: it goes away */
	CHECK_EQ(far_ioctl(s, SIOCSIFFLAGS, &r), 0);
}

TEST(no_route)
{
	struct address four = address("203.0.113.1", 9), six = address("2001:db8::1", 9);

	far_side();
	CHECK_ERR(connect(near_socket(AF_INET, SOCK_STREAM, NULL), &four.any, four.len), ENETUNREACH);
	CHECK_ERR(connect(near_socket(AF_INET6, SOCK_STREAM, NULL), &six.any, six.len), ENETUNREACH);
	CHECK_ERR(connect(near_socket(AF_INET, SOCK_DGRAM, NULL), &four.any, four.len), ENETUNREACH);
}

BOTH(full_queue)
{
	int l = far_listener(family, 1), late;
	struct address a = far_end_of(family, far_port(l));

	for (int i = 0; i < 2; i++)
		CHECK_EQ(connect(near_socket(family, SOCK_STREAM, NULL), &a.any, a.len), 0);
	for (int i = 0; i < 500 && !(far_events(l, POLLIN, 1000) & POLLIN); i++)
		;
	sleep_ms(100);			/* both are in the queue */
	late = begin_connect(&a);
	CHECK_EQ(events_of(late, 300) & POLLOUT, 0);
	CHECK_EQ(tcp_state(late), TCP_SYN_SENT);
	CHECK(far_accept(l) >= 0);
	CHECK_EQ(wait_events(late, POLLOUT), POLLOUT);	/* by its next SYN */
	CHECK_EQ(error_of(late), 0);
	CHECK(far_accept(l) >= 0);
	CHECK(far_accept(l) >= 0);
}

BOTH(unanswered)
{
	int l = far_listener(family, 5), c = near_socket(family, SOCK_STREAM, NULL);
	struct address a = far_end_of(family, far_port(l));

	far_deafen(l);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
	CHECK_ERR(connect(c, &a.any, a.len), ETIMEDOUT);
	/* and without waiting */
	c = near_socket(family, SOCK_STREAM | SOCK_NONBLOCK, NULL);
	CHECK_EQ(set_option(c, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
	CHECK_ERR(connect(c, &a.any, a.len), EINPROGRESS);
	CHECK_ERR(connect(c, &a.any, a.len), EALREADY);
	CHECK_EQ(tcp_state(c), TCP_SYN_SENT);
	CHECK_EQ(events_of(c, 0), 0);
	CHECK_ERR(send(c, "x", 1, MSG_NOSIGNAL), EAGAIN);
	CHECK_ERR(recv(c, &(char){ 0 }, 1, 0), EAGAIN);
	CHECK(wait_events(c, POLLOUT) & POLLERR);
	CHECK_EQ(error_of(c), ETIMEDOUT);
}

static void on_signal(int sig) { (void)sig; }

/* A signal ends the waiting, not the connecting. */
BOTH(interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval soon = { .it_value = { 0, 200000 } };
	int l = far_listener(family, 5), c = near_socket(family, SOCK_STREAM, NULL);
	struct address a = far_end_of(family, far_port(l));

	far_deafen(l);
	sigaction(SIGALRM, &sa, NULL);
	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	CHECK_ERR(connect(c, &a.any, a.len), EINTR);
	nonblocking(c);
	CHECK_ERR(connect(c, &a.any, a.len), EALREADY);
	CHECK_EQ(far_set_option(l, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_EQ(wait_events(c, POLLOUT), POLLOUT);	/* by the second SYN */
	CHECK_EQ(error_of(c), 0);
	CHECK(far_accept(l) >= 0);
}

/* SO_SNDTIMEO bounds a connect, too. */
BOTH(limited)
{
	struct timeval limit = { 0, 300000 };
	int l = far_listener(family, 5), c = near_socket(family, SOCK_STREAM, NULL);
	struct address a = far_end_of(family, far_port(l));

	far_deafen(l);
	CHECK_EQ(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	CHECK_ERR(connect(c, &a.any, a.len), EINPROGRESS);
	CHECK_ERR(connect(c, &a.any, a.len), EALREADY);
}

BOTH(reset_before_accept)
{
	struct address a = near_end(family, 0);
	struct linger none = { 1, 0 };
	int l = near_socket(family, SOCK_STREAM, &a), c = far_socket(family, SOCK_STREAM), s;
	char x;

	CHECK_EQ(listen(l, 5), 0);
	a = near_end(family, port_of(l));
	CHECK_EQ(far_connect(c, &a), 0);
	CHECK(wait_events(l, POLLIN) & POLLIN);
	CHECK_EQ(far_set(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	CHECK_EQ(far_close(c), 0);
	sleep_ms(100);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK(wait_events(s, POLLIN) & POLLHUP);
	CHECK_ERR(read(s, &x, 1), ECONNRESET);
	CHECK_EQ(read(s, &x, 1), 0);
}

/* What was sent before the other accepted is there when he does. */
BOTH(data_before_accept)
{
	int l = far_listener(family, 5), c = near_socket(family, SOCK_STREAM, NULL), s;
	struct address a = far_end_of(family, far_port(l));

	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK_EQ(give(c, 20000, 3, 1000, 0), 20000);
	CHECK_EQ(shutdown(c, SHUT_WR), 0);
	s = far_accept(l);
	CHECK(s >= 0);
	CHECK_EQ(far_take(s, 1 << 20, 3), 20000);
	CHECK_EQ(errno, 0);
}

/* Connections that a listener leaves behind unaccepted are reset. */
BOTH(listener_closed)
{
	int l = far_listener(family, 5), c = near_socket(family, SOCK_STREAM, NULL);
	struct address a = far_end_of(family, far_port(l));
	char x;

	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK(far_events(l, POLLIN, 20000) & POLLIN);
	CHECK_EQ(far_close(l), 0);
	CHECK(wait_events(c, POLLERR) & POLLERR);
	CHECK_ERR(read(c, &x, 1), ECONNRESET);
	CHECK_ERR(connect(near_socket(family, SOCK_STREAM, NULL), &a.any, a.len), ECONNREFUSED);
}

/* TIME_WAIT holds the port of who closed first. */
BOTH(port_in_time_wait)
{
	int l = far_listener(family, 5), c, s, port;
	struct address a = far_end_of(family, far_port(l)), mine = near_end(family, 0);
	char x;

	c = near_socket(family, SOCK_STREAM, &mine);
	CHECK_EQ(set_option(c, SOL_SOCKET, SO_REUSEADDR, 1), 0);	/* both must want it */
	port = port_of(c);
	mine = near_end(family, port);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	s = far_accept(l);
	CHECK_EQ(shutdown(c, SHUT_WR), 0);
	CHECK_EQ(far_recv(s, &x, 1, 0), 0);
	CHECK_EQ(far_close(s), 0);
	CHECK_EQ(read(c, &x, 1), 0);
	WAIT_STATE(tcp_state, c, TCP_CLOSE);		/* a socket in TIME_WAIT is told closed */
	CHECK_EQ(close(c), 0);
	c = near_socket(family, SOCK_STREAM, NULL);
	CHECK_ERR(bind(c, &mine.any, mine.len), EADDRINUSE);
	CHECK_EQ(set_option(c, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind(c, &mine.any, mine.len), 0);
	int other = far_listener(family, 5);
	struct address b = far_end_of(family, far_port(other));
	CHECK_EQ(connect(c, &b.any, b.len), 0);
	CHECK(far_accept(other) >= 0);
}

BOTH(disconnected)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct talk t = meet(family);
	struct address a = far_end_of(family, far_port(t.listener));
	char x;

	CHECK_EQ(connect(t.near, &none, sizeof(none)), 0);
	CHECK_ERR(far_recv(t.far, &x, 1, 0), ECONNRESET);
	CHECK_EQ(connect(t.near, &a.any, a.len), 0);
	CHECK(far_accept(t.listener) >= 0);
}

/* An IPv6 socket speaks IPv4, too. */
TEST(mapped)
{
	struct address a;
	int l, c;

	far_side();
	l = far_listener(AF_INET, 2);
	a = address(wired ? "::ffff:" FAR4 : "::ffff:127.0.0.1", far_port(l));
	c = near_socket(AF_INET6, SOCK_STREAM, NULL);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK(far_accept(l) >= 0);
	/* and hears it */
	l = far_socket(AF_INET6, SOCK_STREAM);
	CHECK_EQ(far_listen(l, 2), 0);
	a = far_end_of(AF_INET, far_port(l));
	c = near_socket(AF_INET, SOCK_STREAM, NULL);
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	l = far_accept(l);
	a = far_name(SYS_getpeername, l);
	CHECK_EQ(a.any.sa_family, AF_INET6);
	CHECK(IN6_IS_ADDR_V4MAPPED(&a.six.sin6_addr));
	CHECK_EQ(port_in(&a), port_of(c));
}

BOTH(many_in_turn)
{
	int l = far_listener(family, 64);
	struct address a = far_end_of(family, far_port(l));
	char x;

	for (int i = 0; i < 100; i++) {
		int c = near_socket(family, SOCK_STREAM, NULL), s;

		CHECK_EQ(connect(c, &a.any, a.len), 0);
		s = far_accept(l);
		CHECK(s >= 0);
		CHECK_EQ(far_send(s, "x", 1, 0), 1);
		CHECK_EQ(read(c, &x, 1), 1);
		if (i & 1) {
			CHECK_EQ(close(c), 0);
			CHECK_EQ(far_recv(s, &x, 1, 0), 0);
			CHECK_EQ(far_close(s), 0);
		} else {
			CHECK_EQ(far_close(s), 0);
			CHECK_EQ(read(c, &x, 1), 0);
			CHECK_EQ(close(c), 0);
		}
	}
}

BOTH(many_at_once)
{
	enum { N = 64 };
	int l = far_listener(family, N), c[N], s[N];
	struct address a = far_end_of(family, far_port(l));

	for (int i = 0; i < N; i++)
		c[i] = begin_connect(&a);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(wait_events(c[i], POLLOUT), POLLOUT);
		s[i] = far_accept(l);
		CHECK(s[i] >= 0);
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(write(c[i], &c[i], sizeof(int)), sizeof(int));
	for (int i = 0, sum = 0, want = 0; i < N; i++) {
		int got;

		CHECK_EQ(far_recv(s[i], &got, sizeof(got), MSG_WAITALL), sizeof(got));
		sum += got;
		want += c[i];
		CHECK(i < N - 1 || sum == want);
	}
}

/* A device of one's own: the tested wire, or the other that the agent is spoken to over. */
TEST(devices)
{
	struct address a, mine = near_end(AF_INET, 0);
	char name[IFNAMSIZ], other[IFNAMSIZ], is[IFNAMSIZ];
	socklen_t len = sizeof(is);
	int l, c, here[2], there;

	far_side();
	if (!wired)
		SKIP("wires are needed");
	CHECK_EQ(ends_name(name, 8, 1), 0);
	CHECK_EQ(ends_name(other, 9, 1), 0);
	l = far_listener(AF_INET, 2);
	a = far_end_of(AF_INET, far_port(l));
	c = near_socket(AF_INET, SOCK_STREAM, NULL);
	CHECK_EQ(setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)), 0);
	CHECK_EQ(getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, is, &len), 0);
	CHECK_EQ(len, strlen(name) + 1);
	CHECK(!strcmp(is, name));
	CHECK_EQ(connect(c, &a.any, a.len), 0);
	CHECK(far_accept(l) >= 0);
	/* two sockets at one port, each with a device: who hears what comes over the tested wire? */
	mine = near_end(AF_INET, 0);
	mine.four.sin_addr.s_addr = 0;
	for (int i = 0; i < 2; i++) {
		here[i] = near_socket(AF_INET, SOCK_DGRAM, NULL);
		CHECK_EQ(setsockopt(here[i], SOL_SOCKET, SO_BINDTODEVICE, i ? name : other, IFNAMSIZ), 0);
		CHECK_EQ(bind(here[i], &mine.any, mine.len), 0);
		mine.four.sin_port = htons(port_of(here[0]));
	}
	there = far_bound(AF_INET, SOCK_DGRAM);
	a = near_end(AF_INET, port_of(here[0]));
	CHECK_EQ(far_connect(there, &a), 0);
	CHECK_EQ(far_send(there, "x", 1, 0), 1);
	CHECK(wait_events(here[1], POLLIN) & POLLIN);
	CHECK_EQ(events_of(here[0], 0) & POLLIN, 0);
}

/* Link-local addresses need the interface beside them. */
TEST(link_local)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	char name[IFNAMSIZ];
	int l, c, s;

	far_side();
	if (!wired)
		SKIP("a wire is needed");
	CHECK_EQ(ends_name(name, 8, 1), 0);
	l = far_socket(AF_INET6, SOCK_STREAM);
	CHECK_EQ(far_listen(l, 2), 0);
	/* what stateless configuration makes of 02:00:00:08:00:02 */
	CHECK_EQ(inet_pton(AF_INET6, "fe80::ff:fe08:2", &a.sin6_addr), 1);
	a.sin6_port = htons(far_port(l));
	c = near_socket(AF_INET6, SOCK_STREAM, NULL);
	CHECK_ERR(connect(c, SA(a)), EINVAL);
	a.sin6_scope_id = if_nametoindex(name);
	CHECK_EQ(connect(c, SA(a)), 0);
	s = far_accept(l);
	CHECK(s >= 0);
	struct address who = far_name(SYS_getpeername, s);
	CHECK(IN6_IS_ADDR_LINKLOCAL(&who.six.sin6_addr));
	CHECK(who.six.sin6_scope_id > 0);
}
