/* The calendar of the hardware clock, day by day against a naive count. */
#include <drivers/rtc/calendar.h>
#include <tests/unit/unit.h>

static bool leap(int y) { return y % 4 == 0 && (y % 100 || y % 400 == 0); }
static int month_days(int m, int y) { return m == 1 ? 28 + leap(y) : m == 3 || m == 5 || m == 8 || m == 10 ? 30 : 31; }

TEST(every_day_of_six_centuries)
{
	int y = 1970, m = 0, d = 1, wday = 4, yday = 1;

	for (u64 day = 0; day < 600 * 365; day++) {
		struct rtc_time t;
		u64 s = day * 86400 + day % 86400;

		calendar_from_seconds(s, &t);
		if (t.tm_year != y - 1900 || t.tm_mon != m || t.tm_mday != d || t.tm_wday != wday || t.tm_yday != yday ||
		    calendar_to_seconds(&t) != s || !calendar_valid(&t)) {
			EXPECT_EQ(day, ~0ull);
			break;
		}
		wday = (wday + 1) % 7;
		yday++;
		if (++d > month_days(m, y)) {
			d = 1;
			if (++m == 12) {
				m = 0;
				y++;
				yday = 1;
			}
		}
	}
	EXPECT(y > 2500);
}

TEST(what_is_no_time)
{
	const struct rtc_time good = { .tm_year = 100, .tm_mon = 1, .tm_mday = 29, .tm_hour = 23, .tm_min = 59, .tm_sec = 59 };
	struct rtc_time t;

	EXPECT(calendar_valid(&good));
#define BAD(field, value) t = good; t.field = value; EXPECT(!calendar_valid(&t))
	BAD(tm_year, 101); BAD(tm_year, 200); BAD(tm_year, 69); BAD(tm_year, 0x7fffffff); BAD(tm_year, -1);
	BAD(tm_mon, 12); BAD(tm_mon, -1); BAD(tm_mon, 0x7fffffff);
	BAD(tm_mday, 30); BAD(tm_mday, 0); BAD(tm_hour, 24); BAD(tm_hour, -1); BAD(tm_min, 60); BAD(tm_sec, 60); BAD(tm_sec, -1);
}
