/* Closed connections that only wait for the other side's end: they cost no ticks, and wait as long as they were told to. */
#include "inet.h"

/* All counts of the timer's line of /proc/interrupts, summed over the processors. */
static long timer_interrupts(void)
{
	static char buf[65536];
	char *line, *at, *next;
	long sum = 0;

	CHECK(read_file("/proc/interrupts", buf, sizeof(buf)) > 0);
	at = strstr(buf, "arch_timer");
	if (!at)
		SKIP("no line of the timer in /proc/interrupts");
	for (line = at; line > buf && line[-1] != '\n'; line--)
		;
	for (at = strchr(line, ':') + 1; ; at = next) {
		long n = strtol(at, &next, 10);

		if (next == at || (*next != ' ' && *next))
			return sum;
		sum += n;
	}
}

/* As /proc/net/tcp numbers it; 0: there is none. */
static int state_of(int port)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	char line[300];
	int found = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned local, st;

		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &st) == 2 && (int)local == port)
			found = (int)st;
	}
	fclose(f);
	return found;
}

/* Connections that earlier programs left, and that try on to be heard: they have a right to ticks. */
static int still_trying(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[300];
	unsigned st;
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %*[0-9A-F]:%*x %*[0-9A-F]:%*x %x", &st) == 1)
			n += st == 2 || st == 3 || st == 4 || st == 9 || st == 11;
	if (f)
		fclose(f);
	return n;
}

static int reach_state(int port, int want)
{
	for (int k = 0; k < 4000 && state_of(port) != want; k++)
		sleep_ms(5);
	return state_of(port);
}

/* The other end of a connection whose first was closed, and waits. */
static int half_closed(int linger2, int *port)
{
	int fd[2];

	tcp_pair(fd);
	*port = port_of(fd[0]);
	if (linger2)
		CHECK_EQ(set_option(fd[0], IPPROTO_TCP, TCP_LINGER2, linger2), 0);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_EQ(reach_state(*port, 5), 5);
	return fd[1];
}

TEST(waiting_for_the_end_costs_no_ticks)
{
	enum { SLEEPS = 10, ALLOWED = 10 };	/* a tick each 40 ms or each 100 ms would be 35 of these */
	long n, least = 1 << 30;
	int port, other[3];

	if (access("/proc/race", F_OK) == 0)
		SKIP("the race detector's thread looks for reports ten times a second");
	lo_up();
	if (still_trying("/proc/net/tcp") || still_trying("/proc/net/tcp6"))
		SKIP("earlier programs left connections with something in flight: run it alone");
	other[0] = half_closed(0, &port);
	other[1] = half_closed(100, &port);
	other[2] = half_closed(40, &port);
	for (int i = 0; i < 5 && least > SLEEPS + ALLOWED; i++) {
		sleep_ms(200);
		n = timer_interrupts();
		for (int k = 0; k < SLEEPS; k++)
			sleep_ms(100);
		n = timer_interrupts() - n;
		printf("# %ld timer interrupts for %d sleeps in a second\n", n, SLEEPS);
		if (n < least)
			least = n;
	}
	CHECK_EQ(state_of(port), 5);
	if (on_sarsen())
		CHECK(least <= SLEEPS + ALLOWED);	/* Linux of Debian's kind keeps a tick here and there */
	for (int k = 0; k < 3; k++)
		CHECK_EQ(close(other[k]), 0);
}

/* It ends by itself, though no tick runs for it; the other side hears of that when it sends. */
TEST(patience_ends)
{
	int port, other;

	lo_up();
	other = half_closed(1, &port);
	CHECK_EQ(reach_state(port, 0), 0);
	CHECK_EQ(send(other, "x", 1, MSG_NOSIGNAL), 1);
	CHECK(wait_events(other, POLLHUP) & POLLHUP);
	CHECK_ERR(send(other, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(close(other), 0);
}

/* What is not told by TCP_LINGER2 is told by the system, and seen there. */
TEST(fin_timeout)
{
	int port, other, s = socket(AF_INET, SOCK_STREAM, 0);

	lo_up();
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), 60);
	write_file("/proc/sys/net/ipv4/tcp_fin_timeout", "1");
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_LINGER2), 1);
	other = half_closed(0, &port);
	CHECK_EQ(reach_state(port, 0), 0);
	write_file("/proc/sys/net/ipv4/tcp_fin_timeout", "60");
	CHECK_EQ(close(other), 0);
	CHECK_EQ(close(s), 0);
}

/* One that a program still has waits for the other side's end for ever: it is neither closed nor forgotten, and its end comes. */
TEST(an_open_one_stays)
{
	int fd[2];
	char c;

	lo_up();
	write_file("/proc/sys/net/ipv4/tcp_fin_timeout", "1");
	tcp_pair(fd);
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	CHECK_EQ(reach_state(port_of(fd[0]), 5), 5);
	sleep_ms(2500);
	CHECK_EQ(state_of(port_of(fd[0])), 5);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(read(fd[0], &c, 1), 1);
	CHECK_EQ(close(fd[1]), 0);
	CHECK_EQ(read(fd[0], &c, 1), 0);
	write_file("/proc/sys/net/ipv4/tcp_fin_timeout", "60");
	CHECK_EQ(close(fd[0]), 0);
}
