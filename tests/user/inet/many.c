/* Ten thousand connections at a time over loopback: an epoll server and its clients; what they cost, and that nothing is left of them. */
#define TAP_TIMEOUT 200
#include "crowd.h"

#define ROUNDS	3

static int many = CROWD_MOST;

static long meminfo(const char *what)
{
	char buf[4096], *at;

	CHECK(read_file("/proc/meminfo", buf, sizeof(buf)) > 0);
	at = strstr(buf, what);
	CHECK(at);
	return strtol(at + strlen(what) + 1, NULL, 10) << 10;
}

/* One life of all of them. */
static void live(void)
{
	static int c[CROWD_MOST];
	long before, idle;
	double t[4];
	int l = listener(1024);
	pid_t server = fork();

	if (!server) {
		crowd_serve(l, many, NULL);
		_exit(0);
	}
	before = meminfo("MemFree:");
	t[0] = now();
	for (int k = 0; k < many; k++)
		c[k] = connected_to(l);
	t[1] = now();
	for (int r = 0; r < ROUNDS; r++)
		CHECK_EQ(crowd_exchange(c, many, r), many);
	t[2] = now();
	usleep(200000);
	idle = meminfo("MemFree:");
	CHECK_EQ(crowd_close(c, many), many);
	CHECK(EXITED(wait_status(server), 0));
	t[3] = now();
	close(l);
	printf("# %d connections: %ld bytes each (both ends), %.0f us to connect, %.0f us a message there and back, %.0f us to close\n", many, (before - idle) / many,
	       (t[1] - t[0]) * 1e6 / many, (t[2] - t[1]) * 1e6 / many / ROUNDS, (t[3] - t[2] - 0.2) * 1e6 / many);
}

TEST(ten_thousand)
{
	long before, after = 0;

	lo_up();
	many = crowd_size();
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
