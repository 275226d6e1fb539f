/* Days to year, month, day and back, by the civil calendar with years that begin in March: the leap day is a year's last. */
#include <drivers/rtc/calendar.h>

static bool is_leap(s64 year) { return (year % 4 == 0 && year % 100) || year % 400 == 0; }

void calendar_from_seconds(u64 s, struct rtc_time *t)
{
	s64 days = (s64)(s / 86400), z = days + 719468, era = z / 146097, doe = z % 146097;
	s64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	s64 year;

	t->tm_sec = (int)(s % 60);
	t->tm_min = (int)(s / 60 % 60);
	t->tm_hour = (int)(s / 3600 % 24);
	t->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	t->tm_mon = (int)(mp < 10 ? mp + 2 : mp - 10);
	year = yoe + era * 400 + (t->tm_mon <= 1);
	t->tm_year = (int)(year - 1900);
	t->tm_wday = (int)((days + 4) % 7);
	t->tm_yday = (int)(t->tm_mon >= 2 ? doy + 59 + is_leap(year) : doy - 306) + 1;
	t->tm_isdst = 0;
}

u64 calendar_to_seconds(const struct rtc_time *t)
{
	s64 y = (s64)t->tm_year + 1900 - (t->tm_mon <= 1), era = y / 400, yoe = y % 400, m = t->tm_mon + 1;
	s64 doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + t->tm_mday - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (u64)((era * 146097 + doe - 719468) * 86400 + t->tm_hour * 3600 + t->tm_min * 60 + t->tm_sec);
}

static int days_in(int month, s64 year)
{
	static const u8 days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && is_leap(year));
}

bool calendar_valid(const struct rtc_time *t)
{
	return t->tm_year >= 70 && t->tm_year <= 0x7fffffff - 1900 && t->tm_mon >= 0 && t->tm_mon < 12 && t->tm_mday >= 1 &&
	       t->tm_mday <= days_in(t->tm_mon, (s64)t->tm_year + 1900) && t->tm_hour >= 0 && t->tm_hour < 24 && t->tm_min >= 0 &&
	       t->tm_min < 60 && t->tm_sec >= 0 && t->tm_sec < 60;
}
