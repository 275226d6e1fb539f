/* Pressure: for how much of the time tasks waited for a CPU, a device, or memory.
 *
 * Theory.  Each run queue knows since when, and for how long in all, somebody waits there: for the CPU (count_up, count_down in sched.c:
 * two tasks or more), for a device (nr_iowait, with and without the CPU idle meanwhile), for memory (nr_memstall; "full" if nobody else
 * runs).  These change under the queue's lock; the first costs two instructions at some sleeps and wakes, the others nothing as
 * long as nobody waits so.
 *
 * The machine's figure is that of its CPUs, each weighted by how long it was not idle, as on Linux: a CPU that nobody would use
 * says nothing about pressure.  "full" for the CPU is 0, as it is there for the whole machine.
 *
 * Averages are over periods of two seconds.  There is no tick: whoever changes the number of runnable tasks first accounts for periods
 * that have passed (load_update), and so does a reader.  Several periods at once count as equal ones.
 *
 * The queues are read without their locks; a figure that goes back by such a race counts as unchanged.
 *
 * Triggers (writing a threshold and polling) are not there: EOPNOTSUPP. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/sched/sched_internal.h>
#include <kernel/time/clock.h>

#define PERIOD_NS	(2 * NSEC_PER_SEC)
#define FSHIFT		11
#define FIXED_1		(1ul << FSHIFT)

enum stall { CPU_SOME, IO_SOME, IO_FULL, MEM_SOME, MEM_FULL, NR_STALLS };
static const u64 decay[3] = { 1677, 1981, 2034 };		/* exp(-2s / 10, 60, 300 s) in FIXED_1 */

static DEFINE_SPINLOCK(psi_lock, LC_RCU);
static struct psi {
	u64 total_ns, averaged_ns;	/* [psi_lock] in all; as of the last period's end */
	u64 avg[3];			/* [psi_lock] percent in FIXED_1 */
} stalls[NR_STALLS];
static u64 last_ns;			/* [psi_lock] end of the last period */
struct seen { u64 ns[NR_STALLS], nonidle; };
static DEFINE_PER_CPU(struct seen, seen);	/* [psi_lock] */

static void track(u64 *since, u64 *total, bool on, u64 now)
{
	if (*since && !on) {
		*total += now - *since;
		*since = 0;
	} else if (!*since && on) {
		*since = now;
	}
}

void stall_changed(struct rq *rq, u64 now)
{
	struct rq_stall *s = &rq->stall;
	bool idle = rq->curr == rq->idle;

	track(&s->io_since, &s->io_ns, rq->nr_iowait, now);
	track(&s->io_idle_since, &s->io_idle_ns, rq->nr_iowait && idle, now);
	track(&s->mem_since, &s->mem_ns, rq->nr_memstall, now);
	track(&s->mem_full_since, &s->mem_full_ns, rq->nr_memstall && (idle || rq->curr->se.in_memstall), now);
}

void memstall_leave(struct rq *rq, struct task *t, u64 now)
{
	(void)t;
	rq->nr_memstall--;
	stall_changed(rq, now);
}

void memstall_join(struct rq *rq, struct task *t, u64 now)
{
	(void)t;
	rq->nr_memstall++;
	stall_changed(rq, now);
}

static void memstall_set(bool on)
{
	irqflags_t flags;
	struct rq *rq = task_rq_lock(current, &flags);

	current->se.in_memstall = on;
	if (on)
		memstall_join(rq, current, clock_mono_ns());
	else
		memstall_leave(rq, current, clock_mono_ns());
	spin_unlock_irqrestore(&rq->lock, flags);
}

bool psi_memstall_begin(void)
{
	bool nested = current->se.in_memstall;

	if (!nested)
		memstall_set(true);
	return nested;
}

void psi_memstall_end(bool nested)
{
	if (!nested)
		memstall_set(false);
}

static u64 so_far(const u64 *since, const u64 *total, u64 now)
{
	u64 begun = READ_ONCE(*since), ns = READ_ONCE(*total);

	return begun && now > begun ? ns + (now - begun) : ns;
}

u64 sched_iowait_ns(u32 cpu)
{
	struct rq_stall *s = &cpu_rq(cpu)->stall;

	return so_far(&s->io_idle_since, &s->io_idle_ns, clock_mono_ns());
}

static void look_at(u32 cpu, struct seen *out, u64 now)
{
	struct rq *rq = cpu_rq(cpu);
	struct rq_stall *s = &rq->stall;
	u64 idle = READ_ONCE(rq->idle_ns), since = READ_ONCE(rq->idle_since), wait_since = READ_ONCE(s->wait_since);

	out->ns[CPU_SOME] = READ_ONCE(s->wait_ns) + (READ_ONCE(rq->nr_running) > 1 && now > wait_since ? now - wait_since : 0);
	out->ns[IO_SOME] = so_far(&s->io_since, &s->io_ns, now);
	out->ns[IO_FULL] = so_far(&s->io_idle_since, &s->io_idle_ns, now);
	out->ns[MEM_SOME] = so_far(&s->mem_since, &s->mem_ns, now);
	out->ns[MEM_FULL] = so_far(&s->mem_full_since, &s->mem_full_ns, now);
	if (READ_ONCE(rq->curr) == rq->idle && now > since)
		idle += now - since;
	out->nonidle = now - rq->start_ns - min(idle, now - rq->start_ns) + max(out->ns[IO_SOME], out->ns[MEM_SOME]);
}

/* Add what has come since the last look to the totals. */
static void collect(u64 now)
{
	u64 weight = 0, sum[NR_STALLS] = { 0 };

	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct seen *was = per_cpu_ptr(&seen, cpu), is;
		u64 share;

		if (!(atomic_load(&cpu_online_mask) & BIT(cpu)))
			continue;
		look_at(cpu, &is, now);
		share = is.nonidle > was->nonidle ? (is.nonidle - was->nonidle) >> 10 : 0;	/* us: so that products fit */
		for (u32 i = 0; i < NR_STALLS; i++)
			if (is.ns[i] > was->ns[i]) {
				sum[i] += ((is.ns[i] - was->ns[i]) >> 10) * share;
				was->ns[i] = is.ns[i];
			}
		was->nonidle = max(is.nonidle, was->nonidle);
		weight += share;
	}
	for (u32 i = 0; i < NR_STALLS && weight; i++)
		stalls[i].total_ns += sum[i] / weight << 10;
}

static void average(u64 now)
{
	u64 elapsed = now - last_ns, periods = elapsed / PERIOD_NS;

	for (u32 i = 0; i < NR_STALLS; i++) {
		struct psi *p = &stalls[i];
		u64 percent = min((p->total_ns - p->averaged_ns) / (elapsed / (100 * FIXED_1) + 1), 100 * FIXED_1);

		p->averaged_ns = p->total_ns;
		for (u32 k = 0; k < 3; k++) {
			u64 d = fixed_power(decay[k], periods);

			p->avg[k] = (p->avg[k] * d + percent * (FIXED_1 - d)) >> FSHIFT;
		}
	}
	last_ns = now;
}

void psi_average(u64 now)
{
	if ((s64)(now - READ_ONCE(last_ns)) < (s64)PERIOD_NS || !spin_trylock(&psi_lock))
		return;
	collect(now);
	if (now - last_ns >= PERIOD_NS)
		average(now);
	spin_unlock(&psi_lock);
}

/* arg: the "some" of a resource; "full" follows it, but for the CPU. */
static int pressure_show(struct seq *s, void *arg)
{
	u32 first = (u32)(u64)arg;
	struct psi p[2] = { { 0 } };
	irqflags_t flags;
	u64 now;

	flags = spin_lock_irqsave(&psi_lock);
	now = clock_mono_ns();
	collect(now);
	if (now - last_ns >= PERIOD_NS)
		average(now);
	p[0] = stalls[first];
	if (first != CPU_SOME)
		p[1] = stalls[first + 1];
	spin_unlock_irqrestore(&psi_lock, flags);
	for (u32 i = 0; i < 2; i++) {
		seq_puts(s, i ? "full" : "some");
		for (u32 k = 0; k < 3; k++) {
			static const char *const names[] = { "avg10", "avg60", "avg300" };

			seq_printf(s, " %s=%lu.%02lu", names[k], p[i].avg[k] >> FSHIFT, (p[i].avg[k] & (FIXED_1 - 1)) * 100 >> FSHIFT);
		}
		seq_printf(s, " total=%lu\n", (unsigned long)(p[i].total_ns / NSEC_PER_USEC));
	}
	return 0;
}

static int trigger_write(const char *buf, size_t len, void *arg)
{
	(void)buf; (void)len; (void)arg;
	return -EOPNOTSUPP;
}

PROC_FILE(pressure_cpu, .path = "pressure/cpu", .mode = 0666, .show = pressure_show, .write = trigger_write, .arg = (void *)CPU_SOME);
PROC_FILE(pressure_io, .path = "pressure/io", .mode = 0666, .show = pressure_show, .write = trigger_write, .arg = (void *)IO_SOME);
PROC_FILE(pressure_memory, .path = "pressure/memory", .mode = 0666, .show = pressure_show, .write = trigger_write, .arg = (void *)MEM_SOME);
