/* The real clock set, back and forth, under those who wait on it; what may not be set; leap seconds. */
#include "../tap.h"
#include <sys/timerfd.h>
#include <sys/timex.h>

static int64_t ns(clockid_t c) { struct timespec t; CHECK(clock_gettime(c, &t) == 0); return t.tv_sec * 1000000000ll + t.tv_nsec; }
static struct timespec spec(int64_t n) { return (struct timespec){ n / 1000000000, n % 1000000000 }; }
static void set(int64_t n) { struct timespec t = spec(n); CHECK(clock_settime(CLOCK_REALTIME, &t) == 0); }
#define S 1000000000ll

static pid_t sleep_in_child(clockid_t c, int64_t until)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec ts = spec(until);
		_exit(clock_nanosleep(c, TIMER_ABSTIME, &ts, NULL) ? 1 : ns(c) >= until ? 0 : 2);
	}
	CHECK(wait_state(pid, 'S'));
	return pid;
}

TEST(set_forth_wakes_absolute_sleepers)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
	pid_t real = sleep_in_child(CLOCK_REALTIME, now + 1000 * S), tai = sleep_in_child(CLOCK_TAI, ns(CLOCK_TAI) + 1000 * S);
	set(now + 2000 * S);
	CHECK(EXITED(wait_status(real), 0) && EXITED(wait_status(tai), 0));
	set(now + ns(CLOCK_MONOTONIC) - mono);
}

/* It was due in a moment, then it was not, then it is again. */
TEST(set_back_makes_them_wait)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
	pid_t pid = sleep_in_child(CLOCK_REALTIME, now + 3 * S);
	set(now - 5000 * S);
	sleep_ms(3500);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	set(now + ns(CLOCK_MONOTONIC) - mono);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(relative_and_monotonic_waits_do_not_move)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	struct itimerspec it = { .it_value = { 0, 500000000 } };
	uint64_t n;
	pid_t pid = sleep_in_child(CLOCK_MONOTONIC, mono + S);
	CHECK(timerfd_settime(fd, 0, &it, NULL) == 0);
	set(now - 1000 * S);
	CHECK(read(fd, &n, sizeof(n)) == sizeof(n) && n == 1);
	CHECK(ns(CLOCK_MONOTONIC) >= mono + S / 2);
	CHECK(EXITED(wait_status(pid), 0));
	set(now + ns(CLOCK_MONOTONIC) - mono);
}

static volatile sig_atomic_t rang;
static void ring(int s) { (void)s; rang++; }

TEST(periodic_real_timer_over_a_jump)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
	struct itimerspec it = { .it_value = spec(now + 100 * S), .it_interval = { 100, 0 } }, cur;
	timer_t tm;
	signal(SIGALRM, ring);
	CHECK(timer_create(CLOCK_REALTIME, NULL, &tm) == 0);
	CHECK(timer_settime(tm, TIMER_ABSTIME, &it, NULL) == 0);
	set(now + 1050 * S);
	while (!rang)
		sleep_ms(5);
	CHECK_EQ(timer_getoverrun(tm), 9);
	CHECK(timer_gettime(tm, &cur) == 0 && cur.it_value.tv_sec > 20 && cur.it_value.tv_sec <= 50);
	set(now + ns(CLOCK_MONOTONIC) - mono);
	CHECK(timer_gettime(tm, &cur) == 0 && cur.it_value.tv_sec > 1000 && cur.it_value.tv_sec <= 1100);
	CHECK_EQ(rang, 1);
}

TEST(timerfd_is_cancelled)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC);
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec it = { .it_value = spec(now + 1000 * S) };
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL) == 0);
	CHECK(poll(&p, 1, 0) == 0);
	set(now + S);
	CHECK(poll(&p, 1, -1) == 1);
	CHECK_ERR(read(fd, &n, sizeof(n)), ECANCELED);
	CHECK_ERR(read(fd, &n, sizeof(n)), EAGAIN);
	set(now + ns(CLOCK_MONOTONIC) - mono);
	CHECK_ERR(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL), ECANCELED);
}

TEST(what_cannot_be_set)
{
	if (geteuid()) SKIP("needs root");
	static const int64_t bad[][2] = { { -1, 0 }, { 0, 0 }, { 1, -1 }, { 1, 1000000000 }, { INT64_MAX, 0 }, { 8277292036, 0 }, { INT64_MIN, 0 } };
	sleep_ms(1100);		/* real time never begins before the boot did */
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct timespec t = { bad[i][0], bad[i][1] };
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &t), EINVAL);
	}
	struct timespec t = { 1, 0 };
	static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_REALTIME_COARSE, 10, 12, 77 };
	for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		CHECK_ERR(syscall(SYS_clock_settime, clocks[i], &t), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_clock_settime, -6, &t), EPERM);		/* this process's CPU clock */
	struct timeval tv = { 1700000000, 1000000 };
	CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
	tv = (struct timeval){ -1, 0 };
	CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
	struct { int west, dst; } tz = { 901, 0 }, got;
	CHECK_ERR(syscall(SYS_settimeofday, NULL, &tz), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, (void *)8, NULL), EFAULT);
	tz.west = 0;
	CHECK(syscall(SYS_settimeofday, NULL, &tz) == 0);		/* the first may move the clock; by nothing */
	tz.west = -60;
	int64_t before = ns(CLOCK_REALTIME);
	CHECK(syscall(SYS_settimeofday, NULL, &tz) == 0);
	CHECK(ns(CLOCK_REALTIME) - before < 20 * S && ns(CLOCK_REALTIME) >= before);
	CHECK(syscall(SYS_gettimeofday, NULL, &got) == 0 && got.west == -60);
	tz.west = 0;
	CHECK(syscall(SYS_settimeofday, NULL, &tz) == 0);
	struct timex x = { .modes = ADJ_SETOFFSET, .time = { -4000000000, 0 } };
	CHECK_ERR(adjtimex(&x), EINVAL);
	CHECK(setresuid(5601, 5601, 5601) == 0);
	t = (struct timespec){ 1700000000, 0 };
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EPERM);
	t = (struct timespec){ -1, 0 };
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &t), EINVAL);
}

static int leap_state(void) { struct timex x = { 0 }; return adjtimex(&x); }
static void leap_status(int status) { struct timex x = { .modes = ADJ_STATUS | ADJ_MAXERROR, .status = status }; CHECK(adjtimex(&x) >= 0); }
static int tai_offset(void) { struct timex x = { 0 }; adjtimex(&x); return x.tai; }
#define MIDNIGHT (1700006400ll * S)	/* 2023-11-15 */
static bool reaches(int state) { for (int i = 0; i < 400; i++) { if (leap_state() == state) return true; sleep_ms(10); } return false; }

/* 23:59:59 comes twice, TAI goes on, and who sleeps until after midnight sleeps a second longer. */
TEST(a_second_inserted)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC), before;
	set(MIDNIGHT - 3 * S);
	leap_status(STA_INS);
	CHECK(reaches(TIME_INS));
	int tai = tai_offset();
	before = ns(CLOCK_REALTIME) - ns(CLOCK_MONOTONIC);
	int64_t tai_before = ns(CLOCK_TAI) - ns(CLOCK_MONOTONIC);
	pid_t pid = sleep_in_child(CLOCK_REALTIME, MIDNIGHT + S / 2);
	CHECK(reaches(TIME_OOP));
	CHECK(reaches(TIME_WAIT));
	int64_t moved = ns(CLOCK_REALTIME) - ns(CLOCK_MONOTONIC) - before, tai_moved = ns(CLOCK_TAI) - ns(CLOCK_MONOTONIC) - tai_before;
	CHECK(moved < -S * 9 / 10 && moved > -S * 11 / 10);
	CHECK(tai_moved < S / 10 && tai_moved > -S / 10);
	CHECK_EQ(tai_offset(), tai + 1);
	CHECK(EXITED(wait_status(pid), 0));
	leap_status(0);
	CHECK(reaches(TIME_OK));
	set(now + ns(CLOCK_MONOTONIC) - mono);
	struct timex x = { .modes = ADJ_TAI, .constant = tai };
	CHECK(adjtimex(&x) >= 0);
	leap_status(STA_UNSYNC);
}

TEST(a_second_deleted)
{
	if (geteuid()) SKIP("needs root");
	int64_t now = ns(CLOCK_REALTIME), mono = ns(CLOCK_MONOTONIC), before;
	set(MIDNIGHT - 4 * S);
	leap_status(STA_DEL);
	CHECK(reaches(TIME_DEL));
	int tai = tai_offset();
	before = ns(CLOCK_REALTIME) - ns(CLOCK_MONOTONIC);
	CHECK(reaches(TIME_WAIT));
	int64_t moved = ns(CLOCK_REALTIME) - ns(CLOCK_MONOTONIC) - before;
	CHECK(moved > S * 9 / 10 && moved < S * 11 / 10);
	CHECK_EQ(tai_offset(), tai - 1);
	leap_status(0);
	CHECK(reaches(TIME_OK));
	set(now + ns(CLOCK_MONOTONIC) - mono);
	struct timex x = { .modes = ADJ_TAI, .constant = tai };
	CHECK(adjtimex(&x) >= 0);
	leap_status(STA_UNSYNC);
}

TEST(an_announcement_taken_back)
{
	if (geteuid()) SKIP("needs root");
	leap_status(STA_INS);
	CHECK(reaches(TIME_INS));
	leap_status(0);
	CHECK(reaches(TIME_OK));
	leap_status(STA_UNSYNC);
}
