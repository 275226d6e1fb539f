/* Ten thousand connections at a time over loopback: an epoll server and its clients; what they cost, and that nothing is left of them. */
#define TAP_TIMEOUT 200
#include "inet.h"

#define MOST	10000
#define SOME	2000		/* for debug builds */
#define ROUNDS	3

static int many = MOST;

static void allow_files(int n)
{
	struct rlimit r = { (rlim_t)n, (rlim_t)n };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static long meminfo(const char *what)
{
	char buf[4096], *at;

	CHECK(read_file("/proc/meminfo", buf, sizeof(buf)) > 0);
	at = strstr(buf, what);
	CHECK(at);
	return strtol(at + strlen(what) + 1, NULL, 10) << 10;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
}

/* Echoes 16 bytes at a time, until all that it accepted were closed. */
static void serve(int l)
{
	int ep = epoll_create1(0), open = 0, accepted = 0;
	struct epoll_event e[256];

	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	add(ep, l);
	while (accepted < many || open) {
		int n = epoll_wait(ep, e, 256, -1);

		for (int k = 0; k < n; k++) {
			int fd = e[k].data.fd;
			char buf[16];
			ssize_t got;

			if (fd == l) {
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					add(ep, fd);
					open++;
					accepted++;
				}
				CHECK_EQ(errno, EAGAIN);
				continue;
			}
			got = read(fd, buf, sizeof(buf));
			if (got > 0) {
				CHECK_EQ(write(fd, buf, (size_t)got), got);
			} else {
				CHECK(!got || errno == ECONNRESET);
				CHECK_EQ(close(fd), 0);
				open--;
			}
		}
	}
	close(ep);
}

static void exchange(const int *c, int round)
{
	char buf[16], back[16];

	for (int k = 0; k < many; k++) {
		snprintf(buf, sizeof(buf), "%d %d", round, k);
		CHECK_EQ(write(c[k], buf, sizeof(buf)), sizeof(buf));
	}
	for (int k = 0; k < many; k++) {
		snprintf(buf, sizeof(buf), "%d %d", round, k);
		CHECK_EQ(read(c[k], back, sizeof(back)), sizeof(back));
		CHECK(!strcmp(buf, back));
	}
}

/* One life of all of them.  Half end by FIN, half are reset. */
static void live(void)
{
	static int c[MOST];
	struct linger gone = { 1, 0 };
	long before, idle;
	double t[4];
	int l = listener(1024);
	pid_t server = fork();

	if (!server) {
		serve(l);
		_exit(0);
	}
	before = meminfo("MemFree:");
	t[0] = now();
	for (int k = 0; k < many; k++)
		c[k] = connected_to(l);
	t[1] = now();
	for (int r = 0; r < ROUNDS; r++)
		exchange(c, r);
	t[2] = now();
	usleep(200000);
	idle = meminfo("MemFree:");
	for (int k = 0; k < many; k++) {
		if (k & 1)
			CHECK_EQ(setsockopt(c[k], SOL_SOCKET, SO_LINGER, &gone, sizeof(gone)), 0);
		CHECK_EQ(close(c[k]), 0);
	}
	CHECK(EXITED(wait_status(server), 0));
	t[3] = now();
	close(l);
	printf("# %d connections: %ld bytes each (both ends), %.0f us to connect, %.0f us a message there and back, %.0f us to close\n", many, (before - idle) / many,
	       (t[1] - t[0]) * 1e6 / many, (t[2] - t[1]) * 1e6 / many / ROUNDS, (t[3] - t[2] - 0.2) * 1e6 / many);
}

/* Seconds for n that come and go one after the other. */
static double come_and_go(int n)
{
	int l = listener(64);
	double start = now();

	for (int k = 0; k < n; k++) {
		int c = connected_to(l), s = accept(l, NULL, NULL);

		CHECK(s >= 0);
		close(c);
		close(s);
	}
	close(l);
	return now() - start;
}

TEST(ten_thousand)
{
	long before, after = 0;

	lo_up();
	if (come_and_go(100) > 0.15)
		many = SOME;
	allow_files(many + 100);
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "100");
	live();
	before = meminfo("MemFree:");
	live();
	/* Freed after grace periods, here and there. */
	for (int k = 0; k < 50; k++) {
		after = meminfo("MemFree:");
		if (after > before - (2 << 20))
			break;
		usleep(100000);
	}
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "16384");
	if (after <= before - (2 << 20))
		printf("# %ld bytes less after the second time\n", before - after);
	CHECK(after > before - (2 << 20));
}

TEST(accepted_and_closed)
{
	enum { N = 3000 };

	lo_up();
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "100");
	printf("# %.0f us for one connected, accepted and closed\n", come_and_go(N) * 1e6 / N);
	write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "16384");
}
