/* Clocks without a system call: the counter, scaled by the data page.  Runs in the program. */
#include <linux/time.h>
#include <linux/time_types.h>
#include <arch/vdso.h>

extern const struct vdso_data vdso_data_page __attribute__((visibility("hidden")));

int __kernel_clock_gettime(int clock, struct __kernel_timespec *ts);
int __kernel_clock_getres(int clock, struct __kernel_timespec *ts);
int __kernel_gettimeofday(struct timeval *tv, void *tz);

static long call2(long nr, long a, long b)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x8) : "memory");
	return x0;
}

enum line { RAW, MONO, REAL, TAI };

/* The sequence number before the data, the data before its second look; the counter not before the first (isb: it is also not read before
 * what told this thread of another's time).  kernel/time/clock.c says why the difference is signed. */
static inline __attribute__((always_inline)) u64 now(enum line line)
{
	const volatile struct vdso_data *d = &vdso_data_page;
	u64 counter, ns;
	u32 seq;

	do {
		seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE);
		__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(counter) : : "memory");
		if (line == RAW)
			ns = (u64)(((__uint128_t)(counter - d->start) * d->raw_mult) >> 32);
		else
			ns = d->base_ns + (u64)((__int128)(s64)(counter - d->base) * (s64)d->mult >> 32);
		if (line >= REAL)
			ns += (u64)d->real_ns;
		if (line == TAI)
			ns += (u64)d->tai_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((seq & 1) || __atomic_load_n(&d->seq, __ATOMIC_RELAXED) != seq);
	return ns;
}

int __kernel_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	u64 ns;

	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE:
		ns = now(REAL);
		break;
	case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_COARSE: case CLOCK_BOOTTIME:
		ns = now(MONO);
		break;
	case CLOCK_MONOTONIC_RAW:
		ns = now(RAW);
		break;
	case CLOCK_TAI:
		ns = now(TAI);
		break;
	default:
		return (int)call2(113, clock, (long)ts);
	}
	ts->tv_sec = (long)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return 0;
}

int __kernel_clock_getres(int clock, struct __kernel_timespec *ts)
{
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_MONOTONIC_RAW: case CLOCK_TAI:
		if (ts)
			*ts = (struct __kernel_timespec){ 0, 1 };
		return 0;
	default:
		return (int)call2(114, clock, (long)ts);
	}
}

int __kernel_gettimeofday(struct timeval *tv, void *tz)
{
	u64 ns;

	if (tz || !tv)
		return (int)call2(169, (long)tv, (long)tz);
	ns = now(REAL);
	tv->tv_sec = (long)(ns / 1000000000);
	tv->tv_usec = (long)(ns % 1000000000 / 1000);
	return 0;
}
