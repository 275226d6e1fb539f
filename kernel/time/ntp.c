/* Steering the real clock: adjtimex(2), clock_adjtime(2).
 *
 * The clock's rate is the sum of a frequency that is set, the deviation of `tick` from 10 ms, and a slew.  A slew is decided for one
 * second at a time by a timer that runs only while there is something to slew: of a phase offset (STA_PLL) the share that the time
 * constant gives, of adjtime's the most that 500 us a second allow.  Who asks in the middle of a second gets back into the two sums what
 * that second has not yet slewed.  It is the monotonic clock that is steered; the real one and TAI follow, the raw one does not.
 *
 * Leap seconds (STA_INS, STA_DEL) go through Linux's states, looked at when a second of real time begins: TIME_OK, TIME_INS or TIME_DEL
 * until midnight, TIME_OOP for the second that comes twice, TIME_WAIT until the status bit is taken back.  A timer of the real clock waits
 * for the next second that matters, so none runs when no leap second is announced.
 *
 * There is no pulse-per-second input: STA_PPS* are kept and told, no more.
 *
 * Changes of rate and leaps happen in interrupts; that other CPUs set their comparators anew, and that watchers are told, is left to a
 * work (changes): until it runs their timers may be late by what changed. */
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/timex.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/clock.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <syscall_protos.h>

#define ADJTIME		0x8000u			/* what the two "old-fashioned" modes share */
#define PHASE_LIMIT	16000000		/* us; maxerror never says more */
#define PHASE_MAX_NS	500000000ll		/* offsets beyond are cut */
#define FREQ_MAX	(500ll << 16)		/* ppm, 16 fraction bits */
#define ERROR_GROWTH	500			/* us a second */
#define ADJTIME_STEP_NS	500000ll		/* a second */
#define TICK_US		10000
#define PLL_SHIFT	2
#define CONSTANT_MAX	10
#define SETOFFSET_MAX	(1ll << 33)		/* s; more does not fit */
#define TAI_MAX		100000			/* s */

static DEFINE_SPINLOCK(ntp_lock, LC_NTP);	/* [n] interrupts off: the timer takes it */
static void second_over(struct timer *t);
static struct timer second = { .func = second_over };
static s64 freq, tick = TICK_US, constant = 2, maxerror = PHASE_LIMIT, esterror = PHASE_LIMIT;	/* [n] */
static s64 phase_ns, adjtime_ns;		/* [n] to be slewed, beyond this second */
static s64 phase_now_ns, adjtime_now_ns;	/* [n] by this second, which began at slew_start */
static u64 slew_start, error_since, last_phase;	/* [n] monotonic */
static int status = STA_UNSYNC, tai;		/* [n] */
static int state = TIME_OK;			/* [n] of the leap second */
static u64 next_leap = TIME_NEVER;		/* [n] the real second at which it happens */
static void real_second(struct timer *t);
static struct timer leap = { .func = real_second };
static bool stepped;				/* [a] the real clock was, not only its rate */
static void tell_changes(struct work *w);
static struct work changes = { .fn = tell_changes, .kind = WORK_BRIEF };

#define SECONDS_A_DAY	86400u
#define FREQ_LIMIT	(0x7fffffffffffffffll / (1000ll << 16))	/* beyond is EINVAL, up to here it is cut */

static s64 clamp64(s64 v, s64 limit) { return v > limit ? limit : v < -limit ? -limit : v; }

/* Take back what the current second has not slewed. */
static void settle_locked(u64 now)
{
	s64 done = (s64)min(now - slew_start, NSEC_PER_SEC);

	phase_ns += phase_now_ns - phase_now_ns * done / (s64)NSEC_PER_SEC;
	adjtime_ns += adjtime_now_ns - adjtime_now_ns * done / (s64)NSEC_PER_SEC;
	phase_now_ns = adjtime_now_ns = 0;
	slew_start = now;
}

/* Decide the next second's slew, and the rate. */
static void retune_locked(u64 now)
{
	s64 gain;

	phase_now_ns = phase_ns / (1ll << (PLL_SHIFT + constant));
	if (!phase_now_ns)
		phase_now_ns = phase_ns;
	phase_ns -= phase_now_ns;
	adjtime_now_ns = clamp64(adjtime_ns, ADJTIME_STEP_NS);
	adjtime_ns -= adjtime_now_ns;
	gain = (freq * 1000 >> 16) + (tick - TICK_US) * 100000 + phase_now_ns + adjtime_now_ns;	/* ns a second */
	if (clock_set_rate((gain << 32) / (s64)NSEC_PER_SEC))
		work_queue(&changes);
	if (phase_now_ns || adjtime_now_ns)
		timer_arm(&second, now + NSEC_PER_SEC);
}

static void second_over(struct timer *t)
{
	irqflags_t flags = spin_lock_irqsave(&ntp_lock);
	u64 now = clock_mono_ns();

	(void)t;
	settle_locked(now);
	retune_locked(now);
	spin_unlock_irqrestore(&ntp_lock, flags);
}

static void tell_changes(struct work *w)
{
	(void)w;
	if (atomic_xchg(&stepped, false))
		clock_was_set();
	else
		timers_clock_changed();
}

/* --- leap seconds */

/* When the state could change next: the next second, or the leap itself. */
static void await_leap_locked(void)
{
	u64 second_next = clock_real_ns() / NSEC_PER_SEC + 1;
	bool asked = state == TIME_DEL ? status & STA_DEL : status & STA_INS;

	if (state == TIME_OK ? !(status & (STA_INS | STA_DEL)) : state == TIME_WAIT && (status & (STA_INS | STA_DEL)))
		timer_cancel(&leap);
	else if ((state == TIME_INS || state == TIME_DEL) && asked && next_leap == TIME_NEVER)
		timer_cancel(&leap);		/* the clock was set: the announcement is void */
	else
		timer_arm_clock(&leap, TIMER_REAL, ((state == TIME_INS || state == TIME_DEL) && asked ? next_leap : second_next) * NSEC_PER_SEC);
}

static void leap_locked(int by, int next_state, const char *what)
{
	tai -= by;
	state = next_state;
	clock_step(by * (s64)NSEC_PER_SEC, tai * (s64)NSEC_PER_SEC);
	atomic_store(&stepped, true);
	work_queue(&changes);
	printk(LOG_NOTICE "clock: %s\n", what);
}

/* A second of real time began. */
static void leap_state_locked(u64 second_now)
{
	switch (state) {
	case TIME_OK:
		if (status & STA_INS) {
			state = TIME_INS;
			next_leap = second_now + SECONDS_A_DAY - second_now % SECONDS_A_DAY;
		} else if (status & STA_DEL) {
			state = TIME_DEL;
			next_leap = second_now + SECONDS_A_DAY - (second_now + 1) % SECONDS_A_DAY;
		}
		break;
	case TIME_INS:
		if (!(status & STA_INS)) {
			next_leap = TIME_NEVER;
			state = TIME_OK;
		} else if (second_now >= next_leap) {
			leap_locked(-1, TIME_OOP, "inserting leap second 23:59:60 UTC");
		}
		break;
	case TIME_DEL:
		if (!(status & STA_DEL)) {
			next_leap = TIME_NEVER;
			state = TIME_OK;
		} else if (second_now >= next_leap) {
			next_leap = TIME_NEVER;
			leap_locked(1, TIME_WAIT, "deleting leap second 23:59:59 UTC");
		}
		break;
	case TIME_OOP:
		next_leap = TIME_NEVER;
		state = TIME_WAIT;
		break;
	default:	/* TIME_WAIT */
		if (!(status & (STA_INS | STA_DEL)))
			state = TIME_OK;
	}
}

static void real_second(struct timer *t)
{
	irqflags_t flags = spin_lock_irqsave(&ntp_lock);

	(void)t;
	leap_state_locked(clock_real_ns() / NSEC_PER_SEC);
	await_leap_locked();
	spin_unlock_irqrestore(&ntp_lock, flags);
}

/* --- what adjtimex asks for */

void ntp_clear(void)
{
	irqflags_t flags = spin_lock_irqsave(&ntp_lock);
	u64 now = clock_mono_ns();

	settle_locked(now);
	phase_ns = adjtime_ns = 0;
	status |= STA_UNSYNC;
	maxerror = esterror = PHASE_LIMIT;
	error_since = now;
	next_leap = TIME_NEVER;
	await_leap_locked();
	retune_locked(now);
	spin_unlock_irqrestore(&ntp_lock, flags);
}

/* A new phase offset: slewed away, and (RFC 5905's loop) a share of it becomes frequency. */
static void set_phase_locked(s64 offset, u64 now)
{
	s64 seconds, longest = 1ll << (PLL_SHIFT + 1 + constant);

	if (!(status & STA_PLL))
		return;
	offset = clamp64(status & STA_NANO ? offset : clamp64(offset, PHASE_MAX_NS) * 1000, PHASE_MAX_NS);
	seconds = status & STA_FREQHOLD ? 0 : min((s64)((now - last_phase) / NSEC_PER_SEC), longest);
	last_phase = now;
	/* ns * s / 4^(shift + 2 + constant) a second, in ppm with 16 fraction bits */
	freq = clamp64(freq + offset * seconds * 65536 / 1000 / (1ll << 2 * (PLL_SHIFT + 2 + constant)), FREQ_MAX);
	phase_ns = offset;
}

static void set_status_locked(int wanted, u64 now)
{
	if ((status & STA_PLL) && !(wanted & STA_PLL)) {
		state = TIME_OK;
		next_leap = TIME_NEVER;
	}
	if (!(status & STA_PLL) && (wanted & STA_PLL))
		last_phase = now;
	status = (status & STA_RONLY) | (wanted & ~STA_RONLY);
	await_leap_locked();
}

static void set_locked(const struct __kernel_timex *tx, u64 now)
{
	u32 m = tx->modes;

	if (m & ADJ_STATUS)
		set_status_locked(tx->status, now);
	if (m & ADJ_NANO)
		status |= STA_NANO;
	if (m & ADJ_MICRO)
		status &= ~STA_NANO;
	if (m & ADJ_FREQUENCY)
		freq = clamp64(tx->freq, FREQ_MAX);
	if (m & ADJ_MAXERROR) {
		maxerror = tx->maxerror;
		error_since = now;
	}
	if (m & ADJ_ESTERROR)
		esterror = tx->esterror;
	if (m & ADJ_TIMECONST) {
		constant = tx->constant + (status & STA_NANO ? 0 : 4);
		constant = constant < 0 ? 0 : min(constant, (s64)CONSTANT_MAX);
	}
	if ((m & ADJ_TAI) && tx->constant >= 0 && tx->constant <= TAI_MAX && tx->constant != tai) {
		tai = (int)tx->constant;
		clock_step(0, tai * (s64)NSEC_PER_SEC);
		work_queue(&changes);
	}
	if (m & ADJ_OFFSET)
		set_phase_locked(tx->offset, now);
	if (m & ADJ_TICK)
		tick = tx->tick;
}

static void tell_locked(struct __kernel_timex *tx, u64 now)
{
	s64 error = maxerror + (s64)((now - error_since) / NSEC_PER_SEC) * ERROR_GROWTH;

	if (error > PHASE_LIMIT) {
		error = PHASE_LIMIT;
		status |= STA_UNSYNC;
	}
	tx->freq = freq;
	tx->maxerror = error;
	tx->esterror = esterror;
	tx->status = status;
	tx->constant = constant;
	tx->precision = 1;
	tx->tolerance = FREQ_MAX;
	tx->tick = tick;
	tx->tai = tai;
	tx->ppsfreq = tx->jitter = tx->stabil = tx->jitcnt = tx->calcnt = tx->errcnt = tx->stbcnt = 0;
	tx->shift = 0;
}

static int check(const struct __kernel_timex *tx)
{
	u32 m = tx->modes;

	if (m & ADJTIME) {
		if (!(m & ADJ_OFFSET))
			return -EINVAL;
		return !(m & ADJ_NANO) && !capable(CAP_SYS_TIME) ? -EPERM : 0;	/* with 0x2000 it only reads */
	}
	if (m && !capable(CAP_SYS_TIME))
		return -EPERM;
	if ((m & ADJ_FREQUENCY) && (tx->freq > FREQ_LIMIT || tx->freq < -FREQ_LIMIT))
		return -EINVAL;
	if ((m & ADJ_TICK) && (tx->tick < TICK_US * 9 / 10 || tx->tick > TICK_US * 11 / 10))
		return -EINVAL;
	if ((m & ADJ_SETOFFSET) && (tx->time.tv_usec < 0 || tx->time.tv_usec >= (m & ADJ_NANO ? (s64)NSEC_PER_SEC : 1000000)))
		return -EINVAL;
	return 0;
}

static long adjust(struct __kernel_timex *tx)
{
	s64 left;
	u64 now, real;
	int err = check(tx);

	if (err)
		return err;
	if ((tx->modes & ADJ_SETOFFSET) && !(tx->modes & ADJTIME)) {
		err = clamp64(tx->time.tv_sec, SETOFFSET_MAX) != tx->time.tv_sec ? -EINVAL :
		      clock_add_real_ns(tx->time.tv_sec * (s64)NSEC_PER_SEC + tx->time.tv_usec * (tx->modes & ADJ_NANO ? 1 : 1000));
		if (err)
			return err;
		ntp_clear();
	}
	spin_lock_irq(&ntp_lock);
	now = clock_mono_ns();
	settle_locked(now);
	left = adjtime_ns / 1000;
	if (!(tx->modes & ADJTIME))
		set_locked(tx, now);
	else if (!(tx->modes & ADJ_NANO))
		adjtime_ns = clamp64(tx->offset, 1ll << 42) * 1000;
	tx->offset = tx->modes & ADJTIME ? left : status & STA_NANO ? phase_ns : phase_ns / 1000;
	retune_locked(now);
	tell_locked(tx, now);
	err = tx->status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : state;
	spin_unlock_irq(&ntp_lock);
	real = clock_real_ns();
	tx->time.tv_sec = (s64)(real / NSEC_PER_SEC);
	tx->time.tv_usec = (s64)(real % NSEC_PER_SEC) / (tx->status & STA_NANO ? 1 : 1000);
	return err;
}

static long adjust_user(struct __kernel_timex __user *utx)
{
	struct __kernel_timex tx;
	long ret;

	if (copy_from_user(&tx, utx, sizeof(tx)))
		return -EFAULT;
	ret = adjust(&tx);
	return ret >= 0 && copy_to_user(utx, &tx, sizeof(tx)) ? -EFAULT : ret;
}

long sys_adjtimex(struct __kernel_timex __user *utx)
{
	return adjust_user(utx);
}

long sys_clock_adjtime(int clock, struct __kernel_timex __user *utx)
{
	u64 ns;

	if (clock == CLOCK_REALTIME)
		return adjust_user(utx);
	if ((clock >= 0 && clock <= CLOCK_TAI && clock != 10) || (clock < 0 && !cpu_clock_read(clock, &ns)))
		return -EOPNOTSUPP;
	return -EINVAL;
}
