/* A machine that has nothing to do takes no interrupts but those that somebody asked for. */
#include "../tap.h"

/* All counts of a line of /proc/interrupts, summed over the processors. */
static long timer_interrupts(void)
{
	static char buf[65536];
	CHECK(read_file("/proc/interrupts", buf, sizeof(buf)) > 0);
	char *line = buf, *end;
	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		*end = 0;
		if (!strstr(line, "arch_timer"))
			continue;
		char *p = strchr(line, ':') + 1, *next;
		long sum = 0;
		for (;;) {
			long n = strtol(p, &next, 10);
			if (next == p || (*next != ' ' && *next))
				break;
			sum += n;
			p = next;
		}
		return sum;
	}
	SKIP("no line of the timer in /proc/interrupts");
	return 0;
}

static void skip_if_races_are_detected(void)
{
	if (access("/proc/race", F_OK) == 0) SKIP("the race detector's thread looks for reports ten times a second");
}

TEST(a_sleeping_machine)
{
	enum { SLEEPS = 10 };
	long before, n, least = 1 << 30;
	skip_if_races_are_detected();
	sleep_ms(200);		/* what just ended may still be tidied up */
	for (int i = 0; i < 5 && least > SLEEPS + 4; i++) {		/* somebody else's timer may fall into one of them */
		before = timer_interrupts();
		for (int k = 0; k < SLEEPS; k++)
			sleep_ms(100);
		n = timer_interrupts() - before;
		printf("# %ld timer interrupts for %d sleeps in a second\n", n, SLEEPS);
		if (n < least)
			least = n;
	}
	if (on_sarsen())
		CHECK(least <= SLEEPS + 4);		/* Linux of Debian's kind keeps a tick here and there */
}

/* What was cancelled need not be quiet at once, but it may interrupt once only. */
TEST(cancelled_timers_are_silent)
{
	timer_t t[20];
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	long before, n;
	skip_if_races_are_detected();
	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < 20; i++) {
		struct itimerspec it = { .it_value = { 0, 100000000 + i * 10000000 } }, off = { { 0, 0 }, { 0, 0 } };
		CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t[i]) == 0);
		CHECK(timer_settime(t[i], 0, &it, NULL) == 0);
		CHECK(timer_settime(t[i], 0, &off, NULL) == 0);
	}
	before = timer_interrupts();
	sleep_ms(500);
	n = timer_interrupts() - before;
	printf("# %ld timer interrupts in a sleep after 20 cancelled timers\n", n);
	if (on_sarsen())
		CHECK(n <= 8);
}
