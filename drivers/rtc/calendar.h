/* The civil calendar: seconds since 1970 and what rtc(4) calls a time. */
#pragma once
#include <kernel/lib/types.h>
#include <linux/rtc.h>

void calendar_from_seconds(u64 seconds, struct rtc_time *t);	/* tm_yday counts from 1, as Linux's does */
/* calendar_to_seconds - of a time that calendar_valid(); what it says of week and year day is not looked at. */
u64 calendar_to_seconds(const struct rtc_time *t);
bool calendar_valid(const struct rtc_time *t);			/* an existing second, 1970 or later */
