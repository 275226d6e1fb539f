/* Out of memory: the process with the most memory (its oom_score_adj moves that by thousandths of all memory) is killed, and named in
 * the log; so is every process that shares its address space, or that would not go.
 *
 * One victim at a time, whoever finds memory short: `dying` is taken by compare-and-swap, and given back when the victim's address space
 * is empty; until then others wait for it.  One that has not ended after STUCK_NS, because it waits for somebody who waits for memory,
 * is given up, and another one chosen.  The victim itself may use the last reserves (page_alloc.c).
 *
 * Order: who kills sets mm->oom_victim, full barrier, then reads mm->users; the last mm_put has dropped users (a full barrier follows),
 * then reads oom_victim.  So one of the two gives `dying` back. */
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/printk.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/wait.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/oom.h>
#include <mm/swap.h>
#include <mm/vma.h>

#define STUCK_NS	(2 * NSEC_PER_SEC)

static u64 dying;		/* [a] when a victim was chosen that has not ended (ns, odd); 0 none */
static DEFINE_WAIT_QUEUE(gone);

static s64 badness(const struct task *t, const struct mm *mm)
{
	s64 rss = (s64)mm_rss(mm) + max(atomic_load(&mm->swapped), 0l), adj = READ_ONCE(t->proc->oom_score_adj);

	if (t->proc->is_init || adj == -1000)
		return -1;
	return max(1l, rss + (s64)page_nr_total() / 1000 * adj);
}

u64 oom_score(struct task *t)
{
	struct mm *mm = task_mm_get(t);
	s64 all = (s64)(page_nr_total() + swap_total()), adj = READ_ONCE(t->proc->oom_score_adj), used = 0;
	bool never = !mm || t->proc->is_init || adj == -1000;

	if (mm) {
		used = (s64)mm_rss(mm) + max(atomic_load(&mm->swapped), 0l);
		mm_put(mm);
	}
	return never ? 0 : (u64)max(0l, (1000 + (used + all / 1000 * adj) * 1000 / all) * 2 / 3);
}

/* Under RCU: a task's address space may go meanwhile, but stays readable. */
static struct task *choose(struct mm **victim)
{
	struct task *t, *best = NULL;
	s64 most = -1;

	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		struct mm *mm = READ_ONCE(t->mm);
		s64 bad;

		if (!mm || (t->pflags & (PF_KTHREAD | PF_EXITING)) || READ_ONCE(mm->oom_victim))
			continue;
		bad = badness(t, mm);
		if (bad > most) {
			most = bad;
			best = t;
			*victim = mm;
		}
	}
	return best;
}

static void kill_all_of(const struct mm *mm)
{
	struct task *t;

	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (READ_ONCE(t->mm) == mm && !(t->pflags & PF_KTHREAD) && !t->proc->is_init)
			signal_send_process(t->proc, SIGKILL, NULL);
}

static u64 panic_on_oom;
SYSCTL(panic_on_oom, "vm/panic_on_oom", .value = &panic_on_oom, .max = 2);

static bool begin(void)
{
	u64 now = clock_mono_ns() | 1, since = atomic_load(&dying);

	return !(since && now - since < STUCK_NS) && atomic_cas(&dying, since, now);
}

static void end(void)
{
	atomic_store_release(&dying, 0ul);
	wake_up_all(&gone);
}

void oom_mm_gone(struct mm *mm)
{
	smp_mb();		/* users before oom_victim: see above */
	if (unlikely(READ_ONCE(mm->oom_victim)))
		end();
}

bool oom_kill_victim(void)
{
	struct mm *mm = NULL;
	struct task *t;

	if (!begin())
		return false;
	rcu_read_lock();
	t = choose(&mm);
	if (t) {
		WRITE_ONCE(mm->oom_victim, true);
		TRACE_TEXT(fault_oom, t->comm, (u64)t->proc->pid);
		pr_err("oom: out of memory: killed process %d (%s), anon %ld kB, file %ld kB\n", t->proc->pid, t->comm,
		       atomic_load(&mm->rss_anon) * 4, atomic_load(&mm->rss_file) * 4);
		kill_all_of(mm);
		smp_mb();	/* oom_victim before users */
	}
	if (!t || !refcount_read(&mm->users))
		end();
	rcu_read_unlock();
	return t != NULL;
}

void oom_kill(void)
{
	if (current->mm && READ_ONCE(current->mm->oom_victim))
		return;
	if (READ_ONCE(panic_on_oom))
		panic("out of memory: panic_on_oom is set");
	oom_kill_victim();
	if (!fatal_signal_pending(current))
		wait_event_timeout(&gone, !atomic_load(&dying), clock_mono_ns() + 100 * NSEC_PER_MSEC);
}
