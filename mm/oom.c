/* Out of memory: the process with the most memory (its oom_score_adj moves that by thousandths of all memory) is killed, and named in
 * the log.  One victim at a time: while one is dying, others wait for it. */
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/oom.h>
#include <mm/vma.h>

static s64 badness(const struct task *t)
{
	s64 rss = t->mm->rss_anon + t->mm->rss_file + t->mm->rss_shmem;

	if (t->proc->is_init || t->proc->oom_score_adj == -1000)
		return -1;
	return max(1l, rss + (s64)page_nr_total() / 1000 * t->proc->oom_score_adj);
}

static struct task *choose(void)
{
	struct task *t, *best = NULL;
	s64 most = -1;

	list_for_each_entry_rcu(t, &all_tasks, all_link) {
		if (!t->mm || (t->pflags & (PF_KTHREAD | PF_EXITING)))
			continue;
		if (t->mm->oom_victim)
			return NULL;		/* one is dying already */
		if (badness(t) > most) {
			most = badness(t);
			best = t;
		}
	}
	return best;
}

static u64 panic_on_oom;
SYSCTL(panic_on_oom, "vm/panic_on_oom", .value = &panic_on_oom, .max = 2);

bool oom_kill_victim(void)
{
	struct task *t;

	rcu_read_lock();
	t = choose();
	if (t) {
		t->mm->oom_victim = true;
		TRACE_TEXT(fault_oom, t->comm, (u64)t->proc->pid);
		pr_err("oom: out of memory: killed process %d (%s), anon %ld kB, file %ld kB\n", t->proc->pid, t->comm,
		       t->mm->rss_anon * 4, t->mm->rss_file * 4);
		signal_send_process(t->proc, SIGKILL, NULL);
	}
	rcu_read_unlock();
	return t != NULL;
}

void oom_kill(void)
{
	if (current->mm && current->mm->oom_victim)
		return;
	if (READ_ONCE(panic_on_oom))
		panic("out of memory: panic_on_oom is set");
	oom_kill_victim();
	if (!fatal_signal_pending(current))
		sleep_ns(10 * NSEC_PER_MSEC);	/* let it die; what it frees wakes nobody */
}
