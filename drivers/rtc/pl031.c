/* Arm PL031 real-time clock (DDI 0224): a counter of seconds, and a match register that interrupts when they are equal. */
#include <drivers/base/fdt.h>
#include <drivers/rtc/rtc.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>

enum { RTCDR = 0x00, RTCMR = 0x04, RTCLR = 0x08, RTCCR = 0x0c, RTCIMSC = 0x10, RTCICR = 0x1c };
static volatile void *base;
static bool has_irq;

static u32 pl031_read(void) { return mmio_read32(base, RTCDR); }
static void pl031_set(u32 seconds) { mmio_write32(base, RTCLR, seconds); }

/* What was raised before, for an earlier match, is forgotten: the core looks at the time after this. */
static void pl031_alarm(u32 seconds)
{
	mmio_write32(base, RTCMR, seconds);
	mmio_write32(base, RTCICR, 1);
	mmio_write32(base, RTCIMSC, has_irq);
}

static void pl031_alarm_off(void)
{
	mmio_write32(base, RTCIMSC, 0);
	mmio_write32(base, RTCICR, 1);
}

static void pl031_irq(u32 irq, void *arg)
{
	(void)irq;
	(void)arg;
	mmio_write32(base, RTCICR, 1);
	rtc_alarm_interrupt();
}

static const struct rtc_chip pl031 = { "rtc-pl031", pl031_read, pl031_set, pl031_alarm, pl031_alarm_off };

static int pl031_probe(int node)
{
	u64 addr, size;
	bool edge;
	u32 irq;

	if (base)
		return -ENODEV;
	if (fdt_reg(node, 0, &addr, &size))
		return -EINVAL;
	base = ioremap(addr, size);
	if (!base)
		return -ENOMEM;
	pl031_alarm_off();
	mmio_write32(base, RTCCR, 1);
	if (!fdt_irq(node, 0, &irq, &edge))
		has_irq = !irq_request(irq, pl031_irq, NULL, edge ? IRQ_EDGE : 0, "rtc-pl031");
	return rtc_register(&pl031);
}

static const char *const match[] = { "arm,pl031", NULL };
DRIVER(pl031, .match = match, .probe = pl031_probe, .level = DRIVER_DEVICE);
