/* What a real-time clock chip is to /dev/rtc0. */
#pragma once
#include <kernel/lib/types.h>

/* Seconds since the epoch, 32 bits.  All called under the core's spin lock, interrupts off. */
struct rtc_chip {
	const char *name;
	u32 (*read)(void);
	void (*set)(u32 seconds);
	/* alarm - interrupt when the chip's time becomes that; the chip may miss one that is not in the future.  alarm_off - no more. */
	void (*alarm)(u32 seconds);
	void (*alarm_off)(void);
};

/* rtc_register - the machine's clock, which sets the real one.  0, -EBUSY: there is one already.  Context: boot. */
int rtc_register(const struct rtc_chip *chip);
/* rtc_alarm_interrupt - the chip says that the alarm's time has come; it was quieted.  Context: irq. */
void rtc_alarm_interrupt(void);
