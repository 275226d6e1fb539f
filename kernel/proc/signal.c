/* Signals: sending, queues, default actions, delivery.
 *
 * Theory.  A signal is pending on a thread or on its process (shared_pending); both sets, all actions and the stop state are under
 * sighand->lock.  Sending adds to a set (with its siginfo in a queue; a standard signal already pending is merged), then picks a
 * thread that does not block it, flags it TIF_SIGPENDING and wakes it.  A fatal signal is made into the death of the group at once,
 * so that threads asleep in a killable state see SIGKILL.  SIGCONT and the stop signals cancel each other when sent.
 *
 * Delivery runs on the way to EL0: take the lowest pending unblocked signal, act.  A handler gets a frame; the interrupted call is
 * settled first: ERESTART* become a restart (pc back on the svc, x0 the original) or EINTR.
 *
 * Stops are in group_stop.c; what a tracer sees and changes of a signal before it is acted on, in ptrace_stop.c.  signal(7). */
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include <arch/ptrace.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/rseq.h>
#include <kernel/proc/user.h>
#include <kernel/sched/sched.h>
#include <kernel/time/itimer.h>
#include <mm/slab.h>

#define SIG_MASK_STOP	(sig_bit(SIGSTOP) | sig_bit(SIGTSTP) | sig_bit(SIGTTIN) | sig_bit(SIGTTOU))
#define SIG_MASK_IGN	(sig_bit(SIGCONT) | sig_bit(SIGCHLD) | sig_bit(SIGWINCH) | sig_bit(SIGURG))
#define SIG_MASK_CORE	(sig_bit(SIGQUIT) | sig_bit(SIGILL) | sig_bit(SIGTRAP) | sig_bit(SIGABRT) | sig_bit(SIGFPE) | sig_bit(SIGSEGV) | \
			 sig_bit(SIGBUS) | sig_bit(SIGSYS) | sig_bit(SIGXCPU) | sig_bit(SIGXFSZ))
#define SIG_MASK_SYNC	(sig_bit(SIGSEGV) | sig_bit(SIGBUS) | sig_bit(SIGILL) | sig_bit(SIGTRAP) | sig_bit(SIGFPE) | sig_bit(SIGSYS))
#define SIG_UNBLOCKABLE	(sig_bit(SIGKILL) | sig_bit(SIGSTOP))

#define SIGNALFD_QUEUE_BITS 4

void group_exit_locked(struct process *p, int status);
static struct slab_cache *queue_cache __ro_after_init;

bool fatal_signal_pending(const struct task *t)
{
	return atomic_load(&t->pending.set.bits) & sig_bit(SIGKILL);
}

static inline u64 ready(const struct task *t)
{
	return (t->pending.set.bits | t->proc->shared_pending.set.bits) & ~t->blocked.bits;
}

bool note_sigpending_locked(struct task *t)
{
	if (!ready(t) && !(t->jobctl & (JOBCTL_STOP | JOBCTL_TRAPS)))
		return false;
	atomic_fetch_or(&t->head.flags, TIF_SIGPENDING);
	sched_kick(t);
	return true;
}

void recalc_sigpending_locked(struct task *t)
{
	if (!note_sigpending_locked(t) && t == current)
		atomic_fetch_and(&t->head.flags, ~TIF_SIGPENDING);
}

void signal_wake_locked(struct task *t, bool fatal)
{
	u32 fatal_mask = 0;

	atomic_fetch_or(&t->head.flags, TIF_SIGPENDING);
	if (fatal && !(t->jobctl & JOBCTL_FROZEN))
		fatal_mask = TASK_WAKEKILL | TASK_STOPPED | TASK_TRACED;
	if (!task_wake(t, TASK_INTERRUPTIBLE | fatal_mask))
		sched_kick(t);
}

/* --- queue entries, counted by user */

static struct wait_queue signalfd_queues[1 << SIGNALFD_QUEUE_BITS];

struct wait_queue *signalfd_queue(const struct process *p)
{
	return &signalfd_queues[hash_64((u64)p->sighand, SIGNALFD_QUEUE_BITS)];
}

static int signal_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(signalfd_queues); i++)
		wait_queue_init(&signalfd_queues[i]);
	queue_cache = slab_cache_create("sigqueue", sizeof(struct sigqueue), 0, NULL);
	return queue_cache ? 0 : -ENOMEM;
}
BOOT_INIT(core, signal_init);

static struct sigqueue *queue_alloc(struct user *u, u64 limit, gfp_t gfp)
{
	struct sigqueue *q = NULL;

	if (atomic_add_return(&u->sigpending, 1u) <= limit)
		q = slab_alloc(queue_cache, gfp);
	if (!q) {
		atomic_sub(&u->sigpending, 1u);
		return NULL;
	}
	user_ref(u);
	q->user = u;
	q->timer = NULL;
	list_init(&q->link);
	return q;
}

static void queue_free(struct sigqueue *q)
{
	atomic_sub(&q->user->sigpending, 1u);
	user_unref(q->user);
	slab_free(queue_cache, q);
}

/* Off its queue: delivered (info: tell its timer, which completes it) or forgotten. */
static void queue_drop(struct sigqueue *q, siginfo_t *info)
{
	list_del_init(&q->link);
	if (q->timer)
		posix_timer_taken(q->timer, info);
	else
		queue_free(q);
}

struct sigqueue *sigqueue_create(struct posix_timer *timer)
{
	struct sigqueue *q = queue_alloc(current->cred->user, rlimit(RLIMIT_SIGPENDING), GFP_KERNEL);

	if (q)
		q->timer = timer;
	return q;
}

void sigqueue_destroy(struct process *p, struct sigqueue *q)
{
	irqflags_t flags = spin_lock_irqsave(&p->sighand->lock);
	bool queued = !list_empty(&q->link);

	q->timer = NULL;		/* if it waits for delivery, the delivery frees it */
	spin_unlock_irqrestore(&p->sighand->lock, flags);
	if (!queued)
		queue_free(q);
}

static void set_remove(struct sigpending *sp, u64 mask)
{
	struct sigqueue *q, *n;

	if (!(sp->set.bits & mask))
		return;
	sp->set.bits &= ~mask;
	list_for_each_entry_safe(q, n, &sp->queue, link)
		if (sig_bit(q->info.si_signo) & mask)
			queue_drop(q, NULL);
}

void sigpending_flush(struct sigpending *sp)
{
	set_remove(sp, ~0ul);
}

static void remove_everywhere(struct process *p, u64 mask)
{
	struct task *t;

	set_remove(&p->shared_pending, mask);
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		set_remove(&t->pending, mask);
}

static bool is_ignored(const struct process *p, int sig)
{
	u64 h = p->sighand->action[sig - 1].handler;

	return h == (u64)SIG_IGN || (h == (u64)SIG_DFL && (sig_bit(sig) & SIG_MASK_IGN));
}

/* Effects of merely sending: stop and continue cancel each other.  false: the signal is not to be queued. */
static bool prepare(struct process *p, struct task *t, int sig)
{
	u64 bit = sig_bit(sig);
	bool blocked, traced;

	if (unlikely(p->core))
		return sig == SIGKILL;		/* it is at its end, but for its core */
	if (bit & SIG_MASK_STOP) {
		remove_everywhere(p, sig_bit(SIGCONT));
	} else if (sig == SIGCONT) {
		remove_everywhere(p, SIG_MASK_STOP);
		group_stop_resume_locked(p);
	}
	blocked = (t ? t->blocked.bits : p->leader->blocked.bits) & bit;
	traced = READ_ONCE((t ? t : p->leader)->ptrace);
	if (!blocked && p->is_init && p->sighand->action[sig - 1].handler == (u64)SIG_DFL && !(bit & SIG_MASK_SYNC) && !(traced && t && sig == SIGSTOP))
		return false;		/* nobody kills init by accident (what it blocks it may wait for) */
	return blocked || !is_ignored(p, sig) || (traced && sig != SIGKILL);	/* a tracer sees what is ignored too */
}

/* -EAGAIN: the receiving user has too many queued, and this one may not get lost quietly. */
static int enqueue(struct sigpending *sp, struct process *p, int sig, const siginfo_t *info)
{
	bool free_of_limit = sig < SIGRTMIN && (!info || info->si_code >= 0);
	struct sigqueue *q = NULL;

	if (sig != SIGKILL)
		q = queue_alloc(rcu_dereference(p->leader->cred)->user, free_of_limit ? ~0ul : READ_ONCE(p->rlim->lim[RLIMIT_SIGPENDING].cur), GFP_ATOMIC);
	if (!q && sig >= SIGRTMIN && info && info->si_code != SI_USER)
		return -EAGAIN;
	if (q) {
		if (info) {
			q->info = *info;
		} else {
			memset(&q->info, 0, sizeof(q->info));
			q->info.si_code = SI_KERNEL;
		}
		q->info.si_signo = sig;
		list_add_tail(&q->link, &sp->queue);
	}
	sp->set.bits |= sig_bit(sig);
	return 0;
}

static bool wants(const struct task *t, int sig)
{
	if ((t->blocked.bits & sig_bit(sig)) || (t->pflags & PF_EXITING))
		return false;
	return sig == SIGKILL || !((t->jobctl & JOBCTL_STOP) || (READ_ONCE(t->state) & (TASK_STOPPED | TASK_TRACED)));
}

static bool default_kills(const struct process *p, int sig)
{
	return p->sighand->action[sig - 1].handler == (u64)SIG_DFL && !(sig_bit(sig) & (SIG_MASK_STOP | SIG_MASK_IGN)) &&
	       !(sig_bit(sig) & SIG_MASK_CORE);
}

static void kill_group(struct process *p, int sig)
{
	struct task *t;

	if ((p->group_flags & PROC_GROUP_EXIT) && !p->core)
		return;
	p->group_flags |= PROC_GROUP_EXIT;
	p->group_flags &= ~(u32)PROC_STOPPED;
	p->group_exit_code = sig;
	list_for_each_entry_rcu(t, &p->threads, thread_link) {
		t->jobctl &= ~(u32)JOBCTL_PENDING;
		t->pending.set.bits |= sig_bit(SIGKILL);
		signal_wake_locked(t, true);
	}
}

static void choose_and_wake(struct process *p, struct task *t, int sig)
{
	struct task *pick = NULL, *i;

	if (t) {
		if (wants(t, sig))
			pick = t;
	} else if (wants(p->leader, sig)) {
		pick = p->leader;
	} else {
		list_for_each_entry_rcu(i, &p->threads, thread_link)
			if (wants(i, sig)) {
				pick = i;
				break;
			}
	}
	if (sig == SIGKILL || (pick && !pick->ptrace && default_kills(p, sig) && !(p->group_flags & PROC_GROUP_EXIT)))
		kill_group(p, sig);
	else if (pick)
		signal_wake_locked(pick, false);
	else		/* a blocked one may be waited for by sigtimedwait or a signalfd */
		list_for_each_entry_rcu(i, &p->threads, thread_link)
			if ((!t || t == i) && (i->sigwait.bits & sig_bit(sig)))
				signal_wake_locked(i, false);
}

static void sent(struct process *p, struct task *t, int sig)
{
	struct wait_queue *wq = signalfd_queue(p);

	if (unlikely(wait_queue_active(wq)))
		wake_up_all_key(wq, (void *)(u64)POLLIN);
	choose_and_wake(p, t, sig);
}

/* Queue sig for thread t, or for process p if t is NULL.  sighand lock held. */
int signal_send_locked(struct task *t, struct process *p, int sig, const siginfo_t *info)
{
	struct sigpending *sp = t ? &t->pending : &p->shared_pending;

	int err;

	if (p->zombie || (t && t->accounted) || !prepare(p, t, sig))
		return 0;
	if (sig < SIGRTMIN && (sp->set.bits & sig_bit(sig)))
		return 0;
	err = enqueue(sp, p, sig, info);
	if (!err)
		sent(p, t, sig);
	return err;
}

bool signal_send_timer(struct process *p, s32 tid, struct sigqueue *q)
{
	int sig = q->info.si_signo;
	struct sigpending *sp = &p->shared_pending;
	struct task *t = NULL;
	irqflags_t flags;
	bool taken = true;

	rcu_read_lock();
	if (tid) {
		t = task_find(tid);
		if (!t || t->proc != p) {	/* the thread it was for is gone */
			rcu_read_unlock();
			return false;
		}
		sp = &t->pending;
	}
	flags = spin_lock_irqsave(&p->sighand->lock);
	if (!list_empty(&q->link))
		;			/* still there from the last time */
	else if (p->zombie || (t && t->accounted) || !prepare(p, t, sig))
		taken = false;
	else {
		list_add_tail(&q->link, &sp->queue);
		sp->set.bits |= sig_bit(sig);
		sent(p, t, sig);
	}
	spin_unlock_irqrestore(&p->sighand->lock, flags);
	rcu_read_unlock();
	return taken;
}

static int send(struct task *t, struct process *p, int sig, const siginfo_t *info)
{
	irqflags_t flags;
	int err;

	flags = spin_lock_irqsave(&p->sighand->lock);
	err = signal_send_locked(t, p, sig, info);
	spin_unlock_irqrestore(&p->sighand->lock, flags);
	return err;
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	return send(t, t->proc, sig, info);
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	return send(NULL, p, sig, info);
}

struct group_signal { int sig, n; };

static void send_to_member(struct process *p, void *arg)
{
	struct group_signal *gs = arg;

	if (p->zombie)
		return;
	signal_send_process(p, gs->sig, NULL);
	gs->n++;
}

int signal_send_pgrp(s32 pgid, int sig)
{
	struct group_signal gs = { sig, 0 };
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	pgrp_for_each_locked(pgid, send_to_member, &gs);
	spin_unlock_irqrestore(&proc_lock, flags);
	return gs.n ? 0 : -ESRCH;
}

int signal_send_session_leader(s32 sid, int sig)
{
	struct process *p;
	int err = -ESRCH;

	rcu_read_lock();
	p = process_find(sid);
	if (p)
		err = signal_send_process(p, sig, NULL);
	rcu_read_unlock();
	return err;
}

void signal_force(int sig, int code, u64 addr)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void *)addr;
	signal_force_info(&info);
}

void signal_force_info(const siginfo_t *info)
{
	struct task *t = current;
	struct sighand *sh = t->proc->sighand;
	int sig = info->si_signo;

	spin_lock_irq(&sh->lock);
	if (sh->action[sig - 1].handler == (u64)SIG_IGN || (t->blocked.bits & sig_bit(sig))) {
		sh->action[sig - 1].handler = (u64)SIG_DFL;
		t->blocked.bits &= ~sig_bit(sig);
	}
	(void)enqueue(&t->pending, t->proc, sig, info);	/* without its details, if there is no memory */
	recalc_sigpending_locked(t);
	spin_unlock_irq(&sh->lock);
}

bool signal_ignored_or_blocked(int sig)
{
	return (current->blocked.bits & sig_bit(sig)) || current->proc->sighand->action[sig - 1].handler == (u64)SIG_IGN;
}

/* A stop, a continuation or an end: the signal and a wake-up of the waits.  proc_lock held. */
void process_tell_locked(struct process *to, const struct task *of, int sig, int code, int status)
{
	bool stop = code == CLD_STOPPED || code == CLD_CONTINUED || code == CLD_TRAPPED;
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = code;
	info.si_pid = of->tid;
	info.si_uid = of->cred->uid;
	info.si_status = status;
	spin_lock(&to->sighand->lock);
	if (sig && !(stop && (to->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP)))
		signal_send_locked(NULL, to, sig, &info);
	spin_unlock(&to->sighand->lock);
	wake_up_all(&to->child_wait);
}

void notify_parent_locked(struct process *p, int code, int status)
{
	if (p->parent)
		process_tell_locked(p->parent, p->leader, code == CLD_STOPPED || code == CLD_CONTINUED ? SIGCHLD : p->exit_signal, code, status);
}

/* --- taking */

static bool take_from(struct sigpending *sp, u64 mask, siginfo_t *info)
{
	u64 bits = sp->set.bits & mask;
	struct sigqueue *q, *n;
	bool more = false;
	int sig;

	if (!bits)
		return false;
	if (bits & SIG_MASK_SYNC)
		bits &= SIG_MASK_SYNC;
	sig = __builtin_ctzl(bits) + 1;
	list_for_each_entry_safe(q, n, &sp->queue, link) {
		if (q->info.si_signo != sig)
			continue;
		if (more)
			return true;		/* another of the same waits: it stays pending */
		*info = q->info;
		queue_drop(q, info);
		more = true;
	}
	sp->set.bits &= ~sig_bit(sig);
	if (!more) {		/* sent when there was no memory for its details */
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		info->si_code = SI_USER;
	}
	return true;
}

bool signal_take_locked(u64 mask, siginfo_t *info)
{
	struct task *t = current;

	if (take_from(&t->pending, mask, info))
		return true;
	if (!take_from(&t->proc->shared_pending, mask, info))
		return false;
	if (info->si_signo == SIGALRM && t->proc->timers)
		itimer_real_taken(t->proc->timers);
	return true;
}

/* current will not take these signals of its process any more, for which it may have been chosen: others are to look. */
static void leave_to_others_locked(u64 left)
{
	struct process *p = current->proc;
	struct task *i;

	left &= p->shared_pending.set.bits;
	if (likely(!left))
		return;
	list_for_each_entry_rcu(i, &p->threads, thread_link)
		if (i != current && !(i->pflags & PF_EXITING) && (left & ~i->blocked.bits)) {
			signal_wake_locked(i, false);
			left &= i->blocked.bits;
		}
}

void signal_thread_leaves(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool last = false;

	if (READ_ONCE(p->nr_threads) == 1 && !READ_ONCE(t->ptrace)) {	/* nobody else could, and nobody else makes threads */
		t->pflags |= PF_EXITING;
		return;
	}
	spin_lock_irq(&p->sighand->lock);
	coredump_join_locked();
	t->pflags |= PF_EXITING;	/* nobody chooses it from here on */
	leave_to_others_locked(~t->blocked.bits);
	if (unlikely(t->jobctl & JOBCTL_STOP))
		last = group_stop_joined_locked(t);
	t->jobctl &= ~(u32)(JOBCTL_PENDING | JOBCTL_TRAPPING);
	spin_unlock_irq(&p->sighand->lock);
	if (last)
		group_stop_tell(p);
}

/* A call that was interrupted.  It is made ready to begin anew before a tracer looks, who then sees the program at its call, and goes where
 * the tracer sends it if he does; what a handler makes of it is decided when there is one. */
struct interrupted { long ret; u64 again_pc; };

static void restart_prepare(struct trap_frame *tf, struct interrupted *call)
{
	long ret = (long)tf->x[0];

	*call = (struct interrupted){ 0 };
	if (tf->syscallno < 0)
		return;
	tf->syscallno = -1;
	if (ret != -ERESTARTNOINTR && ret != -ERESTARTSYS && ret != -ERESTARTNOHAND && ret != -ERESTART_RESTARTBLOCK)
		return;
	call->ret = ret;
	tf->pc -= 4;
	call->again_pc = tf->pc;
	tf->x[0] = tf->orig_x0;
	arch_step_rewind(tf);
}

static void restart_settle(struct trap_frame *tf, const struct interrupted *call, const struct ksigaction *act)
{
	if (!call->ret || tf->pc != call->again_pc)
		return;
	if (!act) {
		if (call->ret == -ERESTART_RESTARTBLOCK)
			tf->x[8] = 128;		/* restart_syscall */
	} else if (call->ret != -ERESTARTNOINTR && !(call->ret == -ERESTARTSYS && (act->flags & SA_RESTART))) {
		tf->x[0] = (u64)-EINTR;
		tf->pc += 4;
	}
}

static void die_of(int sig)
{
	process_exit(sig);
}

void signal_die(const siginfo_t *info)
{
	process_exit(sig_bit(info->si_signo) & SIG_MASK_CORE ? coredump(info) : info->si_signo);
}

/* Run one handler: frame, mask. */
static void handle(struct trap_frame *tf, const siginfo_t *info, struct ksigaction *act, const struct interrupted *call)
{
	struct task *t = current;
	struct sigset old = t->restore_sigmask ? t->saved_sigmask : t->blocked;
	int sig = info->si_signo;

	t->restore_sigmask = false;
	restart_settle(tf, call, act);
	if (rseq_signal(tf) || arch_setup_sigframe(tf, sig, act, info, old)) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		if (sig == SIGSEGV)
			die_of(SIGSEGV);
		return;
	}
	spin_lock_irq(&t->proc->sighand->lock);
	leave_to_others_locked((act->mask.bits | sig_bit(sig)) & ~t->blocked.bits);
	t->blocked.bits |= act->mask.bits;
	if (!(act->flags & SA_NODEFER))
		t->blocked.bits |= sig_bit(sig);
	t->blocked.bits &= ~SIG_UNBLOCKABLE;
	recalc_sigpending_locked(t);
	spin_unlock_irq(&t->proc->sighand->lock);
}

/* The group ends, or a sibling's exec ends this thread. */
static void die_if_told_locked(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool exec_only = p->group_exec && p->group_exec != t && !(p->group_flags & PROC_GROUP_EXIT);

	if (!(p->group_flags & PROC_GROUP_EXIT) && !(t->pending.set.bits & sig_bit(SIGKILL)))
		return;
	spin_unlock_irq(&p->sighand->lock);
	if (exec_only)
		thread_exit(0);
	die_of(SIGKILL);
}

/* What comes before any signal: stops, and news of them.  True: the lock was dropped, look again. */
static bool stop_work_locked(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	if (p->group_flags & PROC_CONTINUED) {
		p->group_flags &= ~(u32)PROC_CONTINUED;
		spin_unlock_irq(&p->sighand->lock);
		group_stop_tell_continued(p);
		spin_lock_irq(&p->sighand->lock);
		return true;
	}
	if (likely(!(t->jobctl & (JOBCTL_STOP | JOBCTL_TRAPS))))
		return false;
	if (t->ptrace)
		ptrace_trap_locked();
	else
		group_stop_join_locked();
	return true;
}

/* The default action of a signal that does not just kill.  False: it kills. */
static bool default_action_locked(int sig)
{
	struct process *p = current->proc;
	bool orphan = false;

	if (sig_bit(sig) & SIG_MASK_IGN)
		return true;
	if (p->is_init && !(sig_bit(sig) & SIG_MASK_SYNC))
		return true;
	if (!(sig_bit(sig) & SIG_MASK_STOP))
		return false;
	if (sig != SIGSTOP) {
		spin_unlock_irq(&p->sighand->lock);
		orphan = pgrp_is_orphaned(p->pgid);
		spin_lock_irq(&p->sighand->lock);
	}
	if (!orphan)
		group_stop_begin_locked(sig);
	return true;
}

/* The next signal to act on: default actions are taken here.  false: none is left.  sighand lock held on entry and exit. */
static bool next_handler(siginfo_t *info, struct ksigaction *act)
{
	struct task *t = current;
	struct process *p = t->proc;

	for (;;) {
		int sig;

		die_if_told_locked();
		if (stop_work_locked())
			continue;
		if (!signal_take_locked(~t->blocked.bits, info))
			return false;
		t->jobctl |= JOBCTL_TAKEN;
		if (unlikely(t->ptrace) && info->si_signo != SIGKILL && !ptrace_signal_locked(info))
			continue;
		sig = info->si_signo;
		*act = p->sighand->action[sig - 1];
		if (act->handler == (u64)SIG_IGN)
			continue;
		if (act->handler != (u64)SIG_DFL) {
			if (act->flags & SA_RESETHAND)
				p->sighand->action[sig - 1].handler = (u64)SIG_DFL;
			return true;
		}
		if (default_action_locked(sig))
			continue;
		spin_unlock_irq(&p->sighand->lock);
		if (p->is_init)		/* the last words before the panic */
			pr_err("init[%d]: killed by signal %d, code %d, address %lx", t->tid, sig, info->si_code, (u64)info->si_addr);
		signal_die(info);
	}
}

void signal_deliver(struct trap_frame *tf)
{
	struct task *t = current;
	struct interrupted call;
	struct ksigaction act;
	siginfo_t info;
	bool got;

	restart_prepare(tf, &call);
	spin_lock_irq(&t->proc->sighand->lock);
	got = next_handler(&info, &act);
	recalc_sigpending_locked(t);
	spin_unlock_irq(&t->proc->sighand->lock);
	if (got) {
		handle(tf, &info, &act, &call);
		return;
	}
	restart_settle(tf, &call, NULL);
	if (t->restore_sigmask) {
		t->restore_sigmask = false;
		signal_set_blocked(t->saved_sigmask);
	}
}

void signal_set_blocked(struct sigset set)
{
	struct task *t = current;

	set.bits &= ~SIG_UNBLOCKABLE;
	spin_lock_irq(&t->proc->sighand->lock);
	leave_to_others_locked(set.bits & ~t->blocked.bits);
	t->blocked = set;
	recalc_sigpending_locked(t);
	spin_unlock_irq(&t->proc->sighand->lock);
}

void signal_flush_handlers(struct process *p)
{
	spin_lock_irq(&p->sighand->lock);
	for (u32 i = 0; i < NSIG; i++) {
		struct ksigaction *a = &p->sighand->action[i];

		*a = (struct ksigaction){ .handler = a->handler == (u64)SIG_IGN ? (u64)SIG_IGN : (u64)SIG_DFL };
	}
	spin_unlock_irq(&p->sighand->lock);
}

void signal_discard_locked(struct process *p, int sig)
{
	remove_everywhere(p, sig_bit(sig));
}
