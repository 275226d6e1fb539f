/* Servers of several processes: who is woken, who gets what; and where ports and memory of old connections end. */
#include "inet.h"
#include <sys/un.h>

#define WORKERS	8

static long switches(pid_t pid)
{
	char path[64], buf[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	at = strstr(buf, "\nvoluntary_ctxt_switches:");
	return at ? atol(at + 26) : 0;
}

/* Until a process has not been switched to for a while: it sleeps. */
static void settle(const pid_t *pid)
{
	for (int quiet = 0; quiet < 5; quiet++) {
		long before = 0, after = 0;

		for (int k = 0; k < WORKERS; k++)
			before += switches(pid[k]);
		sleep_ms(40);
		for (int k = 0; k < WORKERS; k++)
			after += switches(pid[k]);
		if (after != before)
			quiet = -1;
	}
}

/* How many of the workers have run since. */
static int woken(const pid_t *pid, const long *before)
{
	int n = 0;

	settle(pid);
	for (int k = 0; k < WORKERS; k++)
		n += switches(pid[k]) != before[k];
	return n;
}

static void accepts(int l)
{
	for (;;) {
		int s = accept(l, NULL, NULL);

		if (s < 0)
			_exit(1);
		close(s);
	}
}

static void accepts_by_epoll(int l, uint32_t how)
{
	struct epoll_event e = { .events = EPOLLIN | how };
	int ep = epoll_create1(0);

	if (fcntl(l, F_SETFL, O_NONBLOCK) || epoll_ctl(ep, EPOLL_CTL_ADD, l, &e))
		_exit(1);
	for (;;) {
		if (epoll_wait(ep, &e, 1, -1) != 1)
			_exit(1);
		close(accept(l, NULL, NULL));
	}
}

/* One connection: how many of the workers wake up, in the mean of ten times, times ten. */
static int workers_for_one(int l, void (*connect_to)(int l), void (*work)(int l))
{
	pid_t pid[WORKERS];
	int n = 0;

	for (int k = 0; k < WORKERS; k++)
		if (!(pid[k] = fork()))
			work(l);
	for (int i = 0; i < 10; i++) {
		long before[WORKERS];

		settle(pid);
		for (int k = 0; k < WORKERS; k++)
			before[k] = switches(pid[k]);
		connect_to(l);
		n += woken(pid, before);
	}
	for (int k = 0; k < WORKERS; k++) {
		kill(pid[k], SIGKILL);
		wait_status(pid[k]);
	}
	return n;
}

static void one_tcp(int l)
{
	char c;
	int s = connected_to(l);

	CHECK_EQ(read(s, &c, 1), 0);
	close(s);
}

static void one_unix(int l)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;

	CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(connect(s, (struct sockaddr *)&a, len), 0);
	CHECK_EQ(read(s, &c, 1), 0);
	close(s);
}

static void exclusive(int l) { accepts_by_epoll(l, EPOLLEXCLUSIVE); }

TEST(accept_wakes_one)
{
	lo_up();
	CHECK_EQ(workers_for_one(listener(5), one_tcp, accepts), 10);
}

TEST(accept_wakes_one_unix)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof(sa_family_t)), 0);
	CHECK_EQ(listen(l, 5), 0);
	CHECK_EQ(workers_for_one(l, one_unix, accepts), 10);
}

TEST(epollexclusive_wakes_one)
{
	int n;

	lo_up();
	n = workers_for_one(listener(5), one_tcp, exclusive);
	CHECK(n >= 10 && n < 20);
}

/* A worker that does something else does not keep the connection from the others. */
TEST(epollexclusive_passes_the_busy)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int l, ep[2];
	pid_t pid;

	lo_up();
	l = listener(5);
	nonblocking(l);
	for (int k = 0; k < 2; k++) {
		ep[k] = epoll_create1(0);
		CHECK_EQ(epoll_ctl(ep[k], EPOLL_CTL_ADD, l, &e), 0);
	}
	for (int k = 0; k < 2; k++) {		/* each is the busy one once */
		if (!(pid = fork())) {
			CHECK_EQ(epoll_wait(ep[k], &e, 1, 20000), 1);
			CHECK(accept(l, NULL, NULL) >= 0);
			_exit(0);
		}
		sleep_ms(100);
		close(connected_to(l));
		CHECK(EXITED(wait_status(pid), 0));
	}
}

TEST(reuseport_spreads)
{
	struct sockaddr_in a;
	int s[4], n[4] = { 0 }, all = 0;

	lo_up();
	for (int k = 0; k < 4; k++) {
		s[k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK_EQ(set_option(s[k], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		a = in4("127.0.0.1", k ? port_of(s[0]) : 0);
		CHECK_EQ(bind(s[k], SA(a)), 0);
		CHECK_EQ(listen(s[k], 400), 0);
	}
	for (int k = 0; k < 400; k++)
		connected_to(s[0]);
	for (int k = 0; k < 4; k++) {
		while (accept(s[k], NULL, NULL) >= 0)
			n[k]++;
		CHECK(n[k] >= 50);
		all += n[k];
	}
	CHECK_EQ(all, 400);
	/* Those that are left get all. */
	close(s[1]);
	close(s[3]);
	for (int k = 0; k < 40; k++)
		connected_to(s[0]);
	for (int k = 0; k < 4; k += 2)
		while (accept(s[k], NULL, NULL) >= 0)
			all++;
	CHECK_EQ(all, 440);
}

/* The one on the address itself before those on all addresses, however many share the port. */
TEST(exact_listener_first)
{
	struct sockaddr_in any = in4("0.0.0.0", 0), exact;
	int s[2], c;

	lo_up();
	for (int k = 0; k < 2; k++) {
		s[k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK_EQ(set_option(s[k], SOL_SOCKET, SO_REUSEPORT, 1), 0);
	}
	CHECK_EQ(bind(s[0], SA(any)), 0);
	exact = in4("127.0.0.2", port_of(s[0]));
	CHECK_EQ(bind(s[1], SA(exact)), 0);
	CHECK_EQ(listen(s[0], 5), 0);
	CHECK_EQ(listen(s[1], 5), 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(c, SA(exact)), 0);
	CHECK_ERR(accept(s[0], NULL, NULL), EAGAIN);
	CHECK(accept(s[1], NULL, NULL) >= 0);
	connected_to(s[0]);
	CHECK_ERR(accept(s[1], NULL, NULL), EAGAIN);
	CHECK(accept(s[0], NULL, NULL) >= 0);
}

TEST(ports_run_out)
{
	struct sockaddr_in to, none = in4("127.0.0.1", 0);
	char range[64] = "";
	int l, other, c[12], b;

	lo_up();
	l = listener(20);
	other = listener(20);
	to = in4("127.0.0.1", port_of(l));
	CHECK(read_file("/proc/sys/net/ipv4/ip_local_port_range", range, sizeof(range)) > 0);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "27000 27009");
	for (int k = 0; k < 10; k++)
		c[k] = connected_to(l);
	c[10] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(connect(c[10], SA(to)), EADDRNOTAVAIL);
	c[11] = connected_to(other);		/* to another place they may be had again */
	CHECK(port_of(c[11]) >= 27000 && port_of(c[11]) <= 27009);
	b = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(bind(b, SA(none)), EADDRINUSE);
	struct linger gone = { 1, 0 };
	CHECK_EQ(setsockopt(c[3], SOL_SOCKET, SO_LINGER, &gone, sizeof(gone)), 0);
	close(c[3]);
	CHECK_EQ(connect(c[10], SA(to)), 0);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", range);
}

static int time_waits(void)
{
	char buf[2048], *at;

	CHECK(read_file("/proc/net/sockstat", buf, sizeof(buf)) > 0);
	at = strstr(buf, " tw ");
	CHECK(at);
	return atoi(at + 4);
}

TEST(time_wait_is_limited)
{
	int l, before;
	char limit[16];

	lo_up();
	l = listener(5);
	before = time_waits();
	snprintf(limit, sizeof(limit), "%d", before + 20);
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", limit);
	for (int k = 0; k < 100; k++) {
		int c = connected_to(l), s = accept(l, NULL, NULL);
		char x;

		CHECK(s >= 0);
		close(c);
		CHECK_EQ(read(s, &x, 1), 0);
		close(s);
	}
	CHECK(time_waits() <= before + 21);
	CHECK(time_waits() >= 20);
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "16384");
}

/* The queue holds one more than listen() says; listen() again changes it; what is beyond net.core.somaxconn is cut. */
TEST(backlog_counts)
{
	int l, c, n = 0;
	struct sockaddr_in a;

	lo_up();
	l = listener(3);
	a = in4("127.0.0.1", port_of(l));
	for (int k = 0; k < 4; k++)
		connected_to(l);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERR(connect(c, SA(a)), EINPROGRESS);
	CHECK_EQ(events_of(c, 300) & POLLOUT, 0);
	CHECK_EQ(listen(l, 6), 0);
	CHECK(wait_events(c, POLLOUT) & POLLOUT);
	for (int k = 0; k < 2; k++)
		connected_to(l);
	nonblocking(l);
	while (accept(l, NULL, NULL) >= 0)
		n++;
	CHECK_EQ(n, 7);
	CHECK_EQ(listen(l, -1), 0);		/* as many as may be */
	for (int k = 0; k < 50; k++)
		connected_to(l);
	CHECK_EQ(listen(l, 0), 0);
	for (n = 0; accept(l, NULL, NULL) >= 0; n++)
		;
	CHECK_EQ(n, 50);
}
