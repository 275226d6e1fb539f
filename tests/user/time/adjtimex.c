/* adjtimex(2), clock_adjtime(2): the real clock steered. */
#include "../tap.h"
#include <sys/timex.h>

static long long real_less_mono(void)
{
	struct timespec r, m;
	clock_gettime(CLOCK_MONOTONIC_RAW, &m);
	clock_gettime(CLOCK_REALTIME, &r);
	return (r.tv_sec - m.tv_sec) * 1000000000ll + r.tv_nsec - m.tv_nsec;
}

TEST(reading_needs_no_right)
{
	struct timex t = { 0 };
	struct timespec now;
	if (geteuid() == 0) CHECK(setresuid(5601, 5601, 5601) == 0);
	int state = adjtimex(&t);
	CHECK(state == TIME_OK || state == TIME_ERROR);
	CHECK_EQ(t.tick, 10000);
	CHECK_EQ(t.tolerance, 500 << 16);
	CHECK_EQ(t.precision, 1);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(t.time.tv_sec <= now.tv_sec && now.tv_sec - t.time.tv_sec < 20);
	t.modes = ADJ_OFFSET_SS_READ;
	CHECK(adjtimex(&t) >= 0);
	t.modes = ADJ_FREQUENCY;
	CHECK_ERR(adjtimex(&t), EPERM);
	t.modes = ADJ_OFFSET_SINGLESHOT;
	CHECK_ERR(adjtimex(&t), EPERM);
}

TEST(what_is_set_is_told)
{
	if (geteuid()) SKIP("needs root");
	struct timex t = { .modes = ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS | ADJ_TIMECONST, .freq = 100 << 16, .maxerror = 1000,
			   .esterror = 500, .status = STA_PLL, .constant = 3 };
	CHECK_EQ(adjtimex(&t), TIME_OK);
	memset(&t, 0, sizeof(t));
	CHECK_EQ(adjtimex(&t), TIME_OK);
	CHECK_EQ(t.freq, 100 << 16);
	CHECK_EQ(t.status, STA_PLL);
	CHECK_EQ(t.constant, 7);	/* microsecond mode adds four */
	CHECK(t.maxerror >= 1000 && t.maxerror < 100000 && t.esterror == 500);
	t.modes = ADJ_FREQUENCY;
	t.freq = 9999l << 16;
	CHECK(adjtimex(&t) >= 0 && t.freq == 500 << 16);
	t.modes = ADJ_FREQUENCY | ADJ_STATUS | ADJ_NANO;
	t.freq = 0;
	t.status = STA_UNSYNC;
	CHECK_EQ(adjtimex(&t), TIME_ERROR);
	CHECK(t.status == (STA_UNSYNC | STA_NANO));
	t.modes = ADJ_MICRO;
	CHECK(adjtimex(&t) == TIME_ERROR && t.status == STA_UNSYNC);
}

TEST(the_rate_changes)
{
	if (geteuid()) SKIP("needs root");
	struct timex t = { .modes = ADJ_TICK, .tick = 10500 };		/* 5 % faster */
	CHECK(adjtimex(&t) >= 0 && t.tick == 10500);
	long long before = real_less_mono();
	sleep_ms(1000);
	long long gained = real_less_mono() - before;
	t.modes = ADJ_TICK;
	t.tick = 10000;
	CHECK(adjtimex(&t) >= 0);
	CHECK(gained > 30000000);
	t.tick = 8000;
	CHECK_ERR(adjtimex(&t), EINVAL);
	t.tick = 12000;
	CHECK_ERR(adjtimex(&t), EINVAL);
}

TEST(adjtime_is_told_and_forgotten)
{
	if (geteuid()) SKIP("needs root");
	struct timex t = { .modes = ADJ_OFFSET_SINGLESHOT, .offset = 900000 };
	CHECK(adjtimex(&t) >= 0);
	CHECK_EQ(t.offset, 0);			/* what was left of the one before */
	t.modes = ADJ_OFFSET_SS_READ;
	CHECK(adjtimex(&t) >= 0);
	CHECK(t.offset > 890000 && t.offset <= 900000);
	t.modes = ADJ_OFFSET_SINGLESHOT;
	t.offset = 0;
	CHECK(adjtimex(&t) >= 0 && t.offset > 890000);
	t.modes = ADJ_OFFSET_SS_READ;
	CHECK(adjtimex(&t) >= 0 && t.offset == 0);
}

TEST(a_step)
{
	if (geteuid()) SKIP("needs root");
	struct timex t = { .modes = ADJ_SETOFFSET | ADJ_NANO, .time = { 100, 500000000 } };
	long long before = real_less_mono();
	CHECK(adjtimex(&t) >= 0);
	long long moved = real_less_mono() - before;
	CHECK(moved > 100400000000ll && moved < 100600000000ll);
	t = (struct timex){ .modes = ADJ_SETOFFSET, .time = { -101, 500000 } };
	CHECK(clock_adjtime(CLOCK_REALTIME, &t) >= 0);
	moved = real_less_mono() - before;
	CHECK(moved > -100000000 && moved < 100000000);
	t = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 0, 1000000 } };
	CHECK_ERR(adjtimex(&t), EINVAL);
}

TEST(errors)
{
	struct timex t = { 0 };
	CHECK_ERR(syscall(SYS_adjtimex, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &t), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, 77, &t), EINVAL);
	t.modes = 0x8000;
	CHECK_ERR(adjtimex(&t), EINVAL);
}
