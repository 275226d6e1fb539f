/* /proc/<pid>/{stat,statm,status}: what ps, top and their kin read of a process. */
#include <linux/sched.h>
#include <drivers/tty/tty.h>
#include <fs/procfs/procfs.h>
#include <fs/file.h>
#include <kernel/lib/cpumask.h>
#include <kernel/lib/fmt.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/seccomp.h>
#include <kernel/proc/signal.h>
#include <kernel/proc/user.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>
#include <mm/vma.h>

#define NS_PER_TICK	10000000ull	/* USER_HZ is 100 */
#define STAT_SIGS	0x7ffffffful	/* stat shows the first 31 signals */

static const char *state_words(char c)
{
	switch (c) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 't': return "t (tracing stop)";
	default: return "Z (zombie)";
	}
}

static s32 parent_pid(const struct process *p)
{
	const struct process *parent;
	s32 pid;

	rcu_read_lock();
	parent = READ_ONCE(p->parent);
	pid = parent ? parent->pid : 0;
	rcu_read_unlock();
	return pid;
}

static void children_usage(struct process *p, struct usage *u)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	*u = p->child_usage;
	spin_unlock_irqrestore(&proc_lock, flags);
}

/* Linux's PF_* as ps and others know them. */
static u32 stat_flags(const struct task *t)
{
	u32 f = READ_ONCE(t->pflags);

	return (f & PF_KTHREAD ? 0x00200000u : 0) | (f & PF_EXITING ? 0x4u : 0) | (f & PF_FORKNOEXEC ? 0x40u : 0) | (f & PF_SIGNALED ? 0x400u : 0);
}

static unsigned long ticks(u64 ns) { return (unsigned long)(ns / NS_PER_TICK); }

/* Addresses are for those who may look into the process. */
static void stat_addresses(struct seq *s, struct task *t, const struct mm *mm)
{
	if (mm)
		seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu", mm->start_data, mm->end_data, mm->start_brk, mm->arg_start, mm->arg_end,
			   mm->env_start, mm->env_end);
	else
		seq_puts(s, "0 0 0 0 0 0 0");
	seq_printf(s, " %d\n", proc_may_inspect(t) && READ_ONCE(t->proc->zombie) ? READ_ONCE(t->proc->group_exit_code) : 0);
}

static int stat_of(struct seq *s, struct task *t, const struct usage *u)
{
	struct process *p = t->proc;
	struct mm *mm = task_mm_get(t), *open = mm && proc_may_inspect(t) ? mm : NULL;
	struct usage kids;
	char name[TASK_COMM_LEN];
	u64 ignored, caught;
	u32 tty_nr;
	s32 tpgid, eff = (s32)READ_ONCE(t->se.eff_prio), prio = eff ? -1 - eff : 20 + READ_ONCE(t->se.nice);

	task_comm(t, name);
	children_usage(p, &kids);
	tty_stat_info(p, &tty_nr, &tpgid);
	signal_dispositions(p, &ignored, &caught);
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u ", t->tid, name, task_state_char(t), parent_pid(p), READ_ONCE(p->pgid),
		   READ_ONCE(p->sid), (s32)tty_nr, tpgid,
		   stat_flags(t));
	seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu %lu ", u->min_flt, kids.min_flt, u->maj_flt, kids.maj_flt, ticks(u->utime_ns),
		   ticks(u->stime_ns), ticks(kids.utime_ns), ticks(kids.stime_ns));
	seq_printf(s, "%d %d %u 0 %lu %lu %lu %lu ", prio, READ_ONCE(t->se.nice), READ_ONCE(p->nr_threads), ticks(READ_ONCE(t->start_ns)),
		   mm ? READ_ONCE(mm->total_vm) * PAGE_SIZE : 0ul, mm ? mm_rss(mm) : 0ul, READ_ONCE(p->rlim->lim[RLIMIT_RSS].cur));
	seq_printf(s, "%lu %lu %lu 0 0 %lu %lu %lu %lu ", open ? open->start_code : 0ul, open ? open->end_code : 0ul,
		   open ? open->start_stack : 0ul, READ_ONCE(t->pending.set.bits) & STAT_SIGS, READ_ONCE(t->blocked.bits) & STAT_SIGS, ignored & STAT_SIGS,
		   caught & STAT_SIGS);
	seq_printf(s, "%d 0 0 %d %u %u %u 0 0 0 ", proc_may_inspect(t) && task_state_char(t) != 'R', p->leader == t ? READ_ONCE(p->exit_signal) : -1,
		   READ_ONCE(t->se.cpu), READ_ONCE(t->se.rt_priority), READ_ONCE(t->se.policy));
	stat_addresses(s, t, open);
	if (mm)
		mm_put(mm);
	return 0;
}

int task_stat_show(struct seq *s, struct task *t)
{
	struct usage u;

	usage_of_process(t->proc, &u);
	return stat_of(s, t, &u);
}

int thread_stat_show(struct seq *s, struct task *t)
{
	struct usage u;

	usage_of_task(t, &u);
	return stat_of(s, t, &u);
}

/* Nanoseconds on a CPU and waiting for one, and how often it got one: of the one thread. */
int task_schedstat_show(struct seq *s, struct task *t)
{
	u64 user, system;

	task_times(t, &user, &system);	/* brings sum_exec up to date */
	seq_printf(s, "%lu %lu %lu\n", READ_ONCE(t->se.sum_exec), READ_ONCE(t->se.run_delay_ns), READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw));
	return 0;
}

int task_statm_show(struct seq *s, struct task *t)
{
	struct mm *mm = task_mm_get(t);

	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n", READ_ONCE(mm->total_vm), (unsigned long)mm_rss(mm),
		   (unsigned long)(READ_ONCE(mm->rss_file) + READ_ONCE(mm->rss_shmem)),
		   (unsigned long)((mm->end_code - mm->start_code + PAGE_SIZE - 1) >> PAGE_SHIFT),
		   READ_ONCE(mm->data_vm) + READ_ONCE(mm->stack_vm));
	mm_put(mm);
	return 0;
}

static void status_mm(struct seq *s, const struct mm *mm)
{
	u64 kb = PAGE_SIZE / 1024, text = (PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) / 1024;

	text = min(text, READ_ONCE(mm->exec_vm) * kb);
	seq_printf(s, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t       0 kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
		   max(READ_ONCE(mm->hiwater_vm), READ_ONCE(mm->total_vm)) * kb, READ_ONCE(mm->total_vm) * kb,
		   READ_ONCE(mm->locked_vm) * kb, mm_peak_rss(mm) * kb, mm_rss(mm) * kb);
	seq_printf(s, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", (u64)READ_ONCE(mm->rss_anon) * kb, (u64)READ_ONCE(mm->rss_file) * kb,
		   (u64)READ_ONCE(mm->rss_shmem) * kb);
	seq_printf(s, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmSwap:\t%8lu kB\n", READ_ONCE(mm->data_vm) * kb,
		   READ_ONCE(mm->stack_vm) * kb, text, READ_ONCE(mm->exec_vm) * kb - text, (u64)max(atomic_load(&mm->swapped), 0l) * kb);
}

static u32 descriptor_slots(struct task *t)
{
	struct fdtable *table = fdtable_get_task(t);
	u32 n = 0;

	if (!table)
		return 0;
	rcu_read_lock();
	n = rcu_dereference(table->arr)->size;
	rcu_read_unlock();
	fdtable_put(table);
	return n;
}

static void status_identity(struct seq *s, struct task *t)
{
	char name[TASK_COMM_LEN];
	struct process *p = t->proc;

	task_comm(t, name);
	seq_printf(s, "Name:\t%s\n", name);
	rcu_read_lock();
	struct fs_struct *fs = READ_ONCE(t->fs);
	u32 umask = fs ? READ_ONCE(fs->umask) : 0;
	rcu_read_unlock();
	if (fs)
		seq_printf(s, "Umask:\t%04o\n", umask);
	seq_printf(s, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", state_words(task_state_char(t)), p->pid, t->tid,
		   parent_pid(p), ptrace_tracer_tid(t));
}

/* The lines that come from credentials; those at the end are handed back. */
struct status_caps { u64 inheritable, permitted, effective, bounding, ambient, sigpending; };

static void status_cred(struct seq *s, struct task *t, struct status_caps *caps)
{
	const struct cred *c = cred_of(t);

	*caps = (struct status_caps){ c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding, c->cap_ambient,
				      atomic_load(&c->user->sigpending) };
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid,
		   c->sgid, c->fsgid, descriptor_slots(t));
	for (u32 i = 0; i < c->ngroups; i++)
		seq_printf(s, "%u ", c->groups[i]);
	if (!c->ngroups)
		seq_putc(s, ' ');
	seq_printf(s, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", t->proc->pid, t->tid, READ_ONCE(t->proc->pgid), READ_ONCE(t->proc->sid));
	cred_put(c);
}

static void status_signals(struct seq *s, struct task *t, u64 queued)
{
	struct process *p = t->proc;
	u64 ignored, caught;

	signal_dispositions(p, &ignored, &caught);
	seq_printf(s, "Threads:\t%u\nSigQ:\t%lu/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		   READ_ONCE(p->nr_threads), queued, READ_ONCE(p->rlim->lim[RLIMIT_SIGPENDING].cur), READ_ONCE(t->pending.set.bits),
		   READ_ONCE(p->shared_pending.set.bits), READ_ONCE(t->blocked.bits),
		   ignored, caught);
}

int task_status_show(struct seq *s, struct task *t)
{
	struct mm *mm = task_mm_get(t);
	u64 cpus = READ_ONCE(t->se.affinity) & (nr_cpus < 64 ? (1ull << nr_cpus) - 1 : ~0ull);
	char mask[32], list[200];
	struct status_caps caps;

	status_identity(s, t);
	status_cred(s, t, &caps);
	if (mm) {
		status_mm(s, mm);
		seq_printf(s, "CoreDumping:\t%d\nTHP_enabled:\t%d\n", READ_ONCE(t->proc->core) != NULL, !mm->thp_disabled);
		mm_put(mm);
	}
	status_signals(s, t, caps.sigpending);
	seq_printf(s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", caps.inheritable, caps.permitted,
		   caps.effective, caps.bounding, caps.ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", atomic_load(&t->no_new_privs), atomic_load(&t->seccomp_mode),
		   seccomp_filters(t));
	mask_format(cpus, nr_cpus, mask, sizeof(mask));
	mask_list_format(cpus, list, sizeof(list));
	seq_printf(s, "Cpus_allowed:\t%s\nCpus_allowed_list:\t%s\n", mask, list);
	seq_printf(s, "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		   READ_ONCE(t->nvcsw), READ_ONCE(t->nivcsw));
	return 0;
}
