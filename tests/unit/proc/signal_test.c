/* Signal queues: what is sent, merged, ignored, blocked, taken, limited, and who is woken for it. */
#include <kernel/proc/signal.c>
#include <kernel/proc/group_stop.c>
#include <tests/unit/unit.h>

static struct sighand hand;
static struct process proc;
static struct task threads[3];
static struct rlimits limits;
static struct cred creds;
struct user root_user;
static u32 wakes[3], fatal_wakes;

bool task_wake(struct task *t, u32 mask)
{
	wakes[t - threads]++;
	fatal_wakes += (mask & TASK_WAKEKILL) != 0;
	return true;
}
void sched_kick(struct task *t) { (void)t; }
int rseq_signal(struct trap_frame *tf) { (void)tf; return 0; }
void user_unref(struct user *u) { refcount_dec_and_test(&u->refs); }
void wait_queue_init(struct wait_queue *wq) { list_init(&wq->head); }
void wake_up_all_key(struct wait_queue *wq, void *key) { (void)wq; (void)key; }
struct task *task_find(s32 tid) { return tid >= 1 && tid <= 3 ? &threads[tid - 1] : NULL; }
void itimer_real_taken(struct posix_timers *t) { (void)t; }
static struct posix_timer *taken_timer;
void posix_timer_taken(struct posix_timer *t, siginfo_t *info) { taken_timer = t; (void)info; }
u64 rlimit(unsigned r) { return limits.lim[r].cur; }

/* --- what delivery leads to */
static struct { int sig; u64 old; u32 frames; } frame;
static bool frame_fails;
void wake_up_all(struct wait_queue *wq) { (void)wq; }
int arch_setup_sigframe(struct trap_frame *tf, int sig, const struct ksigaction *act, const siginfo_t *info, struct sigset old)
{
	(void)tf; (void)act; (void)info;
	frame.sig = sig;
	frame.old = old.bits;
	frame.frames++;
	return frame_fails && sig != SIGSEGV ? -EFAULT : 0;
}
static int exit_code;
void process_exit(int code) { exit_code = code; panic("exit"); }
void thread_exit(int code) { process_exit(code); }
static bool orphaned;
bool pgrp_is_orphaned(s32 pgid) { (void)pgid; return orphaned; }
struct spinlock proc_lock;
static u32 stops;
void set_current_state(u32 state) { stops += state == TASK_STOPPED; }
void schedule(void)		/* stopped: somebody sends SIGCONT */
{
	siginfo_t cont;

	memset(&cont, 0, sizeof(cont));
	signal_send_process(&proc, SIGCONT, &cont);
}

/* --- nobody traces here */
void arch_step_rewind(struct trap_frame *tf) { (void)tf; }
int coredump(const siginfo_t *info) { return info->si_signo; }
void coredump_join_locked(void) {}
int ptrace_signal_locked(siginfo_t *info) { return info->si_signo; }
void ptrace_trap_locked(void) { panic("traced"); }
void ptrace_trap_notify_locked(struct task *t) { (void)t; panic("traced"); }

static void reset(void)
{
	static bool started;

	if (!started) {
		signal_init();
		started = true;
	}
	memset(&hand, 0, sizeof(hand));
	for (u32 i = 0; i < 3; i++)
		sigpending_flush(&threads[i].pending);
	sigpending_flush(&proc.shared_pending);
	memset(&proc, 0, sizeof(proc));
	memset(threads, 0, sizeof(threads));
	memset(wakes, 0, sizeof(wakes));
	fatal_wakes = 0;
	refcount_set(&root_user.refs, 1);
	creds.user = &root_user;
	proc.sighand = &hand;
	proc.leader = &threads[0];
	proc.rlim = &limits;
	limits.lim[RLIMIT_SIGPENDING].cur = 100;
	list_init(&proc.threads);
	list_init(&proc.shared_pending.queue);
	for (u32 i = 0; i < 3; i++) {
		threads[i].proc = &proc;
		threads[i].cred = &creds;
		list_init(&threads[i].pending.queue);
		list_add_tail(&threads[i].thread_link, &proc.threads);
	}
	unit_current = &threads[0];
}

static void catch(int sig) { hand.action[sig - 1].handler = 0x1000; }
static siginfo_t with_value(int sig, int code, int value)
{
	siginfo_t i;

	memset(&i, 0, sizeof(i));
	i.si_signo = sig;
	i.si_code = code;
	i.si_int = value;
	return i;
}
static bool take(u64 mask, int sig, int value)
{
	siginfo_t i;

	return signal_take_locked(mask, &i) && i.si_signo == sig && i.si_int == value;
}
static bool nothing(void) { siginfo_t i; return !signal_take_locked(~0ul, &i); }

TEST(standard_ones_merge_real_time_ones_queue)
{
	reset();
	catch(SIGUSR1);
	catch(40);
	for (int v = 1; v <= 3; v++) {
		siginfo_t a = with_value(SIGUSR1, SI_QUEUE, v), b = with_value(40, SI_QUEUE, v);

		EXPECT_EQ(signal_send_process(&proc, SIGUSR1, &a), 0);
		EXPECT_EQ(signal_send_process(&proc, 40, &b), 0);
	}
	EXPECT_EQ(root_user.sigpending, 4);
	EXPECT(take(~0ul, SIGUSR1, 1) && take(~0ul, 40, 1) && take(~0ul, 40, 2));
	EXPECT(proc.shared_pending.set.bits == sig_bit(40));
	EXPECT(take(~0ul, 40, 3) && nothing() && !proc.shared_pending.set.bits && root_user.sigpending == 0);
}

TEST(order_of_taking)
{
	static const int sent[] = { 50, SIGUSR2, 34, SIGTERM, SIGSEGV, SIGHUP }, expected[] = { SIGSEGV, SIGHUP, SIGUSR2, SIGTERM, 34, 50 };

	reset();
	for (u32 i = 0; i < 6; i++) {
		catch(sent[i]);
		EXPECT_EQ(signal_send_process(&proc, sent[i], NULL), 0);
	}
	for (u32 i = 0; i < 6; i++)
		EXPECT(take(~0ul, expected[i], 0));	/* faults first, then the lowest number */
	EXPECT(nothing());
}

TEST(own_before_shared_and_mask)
{
	siginfo_t a = with_value(SIGUSR1, SI_USER, 1), b = with_value(SIGUSR1, SI_USER, 2);

	reset();
	catch(SIGUSR1);
	signal_send_process(&proc, SIGUSR1, &a);
	signal_send_task(&threads[0], SIGUSR1, &b);
	signal_send_task(&threads[1], SIGUSR1, &b);
	EXPECT(!take(~sig_bit(SIGUSR1), SIGUSR1, 0));
	EXPECT(take(~0ul, SIGUSR1, 2) && take(~0ul, SIGUSR1, 1) && nothing());
	unit_current = &threads[1];
	EXPECT(take(~0ul, SIGUSR1, 2) && nothing());
}

TEST(ignored_is_dropped_blocked_is_kept)
{
	reset();
	EXPECT_EQ(signal_send_process(&proc, SIGCHLD, NULL), 0);	/* ignored by default */
	hand.action[SIGTERM - 1].handler = (u64)SIG_IGN;
	signal_send_process(&proc, SIGTERM, NULL);
	EXPECT(nothing() && !wakes[0]);
	threads[0].blocked.bits = sig_bit(SIGTERM);			/* blocked, it might be unignored before it is looked at */
	signal_send_process(&proc, SIGTERM, NULL);
	EXPECT(proc.shared_pending.set.bits == sig_bit(SIGTERM) && !wakes[0]);
	threads[0].blocked.bits = 0;
	recalc_sigpending_locked(&threads[0]);
	EXPECT(threads[0].head.flags & TIF_SIGPENDING);
	EXPECT(take(~0ul, SIGTERM, 0));
	recalc_sigpending_locked(&threads[0]);
	EXPECT(!(threads[0].head.flags & TIF_SIGPENDING));
	signal_send_process(&proc, SIGUSR1, NULL);			/* default: kills */
	EXPECT(proc.group_flags & PROC_GROUP_EXIT);
}

TEST(init_is_not_killed_by_accident)
{
	reset();
	proc.is_init = true;
	signal_send_process(&proc, SIGTERM, NULL);
	signal_send_process(&proc, SIGKILL, NULL);
	EXPECT(nothing() && !(proc.group_flags & PROC_GROUP_EXIT));
	catch(SIGTERM);
	signal_send_process(&proc, SIGTERM, NULL);
	EXPECT(take(~0ul, SIGTERM, 0));
}

TEST(who_is_woken)
{
	reset();
	catch(SIGUSR1);
	signal_send_process(&proc, SIGUSR1, NULL);
	EXPECT(wakes[0] == 1 && !wakes[1] && !wakes[2]);		/* the leader, if it wants it */
	reset();
	catch(SIGUSR1);
	threads[0].blocked.bits = threads[1].blocked.bits = sig_bit(SIGUSR1);
	signal_send_process(&proc, SIGUSR1, NULL);
	EXPECT(!wakes[0] && !wakes[1] && wakes[2] == 1 && threads[2].head.flags & TIF_SIGPENDING);
	reset();
	catch(SIGUSR1);
	for (u32 i = 0; i < 3; i++)
		threads[i].blocked.bits = sig_bit(SIGUSR1);
	threads[1].sigwait.bits = sig_bit(SIGUSR1);			/* sigtimedwait */
	signal_send_process(&proc, SIGUSR1, NULL);
	EXPECT(!wakes[0] && wakes[1] == 1 && !wakes[2]);
	reset();
	catch(SIGUSR1);
	threads[0].pflags = PF_EXITING;
	signal_send_process(&proc, SIGUSR1, NULL);
	EXPECT(!wakes[0] && wakes[1] == 1);
	reset();
	catch(SIGUSR1);
	signal_send_task(&threads[2], SIGUSR1, NULL);
	EXPECT(!wakes[0] && !wakes[1] && wakes[2] == 1);
}

TEST(kill_takes_all_threads)
{
	reset();
	for (u32 i = 0; i < 3; i++)
		threads[i].blocked.bits = ~SIG_UNBLOCKABLE;
	signal_send_task(&threads[1], SIGKILL, NULL);
	EXPECT(proc.group_flags & PROC_GROUP_EXIT && proc.group_exit_code == SIGKILL && fatal_wakes == 3);
	for (u32 i = 0; i < 3; i++)
		EXPECT(fatal_signal_pending(&threads[i]) && threads[i].head.flags & TIF_SIGPENDING);
}

TEST(stop_and_continue_cancel_each_other)
{
	reset();
	catch(SIGCONT);
	catch(SIGTSTP);
	signal_send_process(&proc, SIGCONT, NULL);
	signal_send_task(&threads[1], SIGTSTP, NULL);
	EXPECT(!(proc.shared_pending.set.bits & sig_bit(SIGCONT)) && threads[1].pending.set.bits == sig_bit(SIGTSTP));
	signal_send_process(&proc, SIGTTIN, NULL);
	proc.group_flags |= PROC_STOPPED;
	threads[0].jobctl = threads[2].jobctl = JOBCTL_STOP;
	signal_send_process(&proc, SIGCONT, NULL);
	EXPECT(!threads[1].pending.set.bits && proc.shared_pending.set.bits == sig_bit(SIGCONT));
	EXPECT(!(proc.group_flags & PROC_STOPPED) && proc.wait_events & WAIT_EV_CONTINUED && !threads[0].jobctl && !threads[2].jobctl);
	EXPECT(root_user.sigpending == 1);
}

TEST(limit_on_queued_signals)
{
	siginfo_t queued = with_value(40, SI_QUEUE, 5), user = with_value(41, SI_USER, 0);

	reset();
	catch(40);
	catch(41);
	catch(SIGUSR1);
	limits.lim[RLIMIT_SIGPENDING].cur = 3;
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(signal_send_process(&proc, 40, &queued), 0);
	EXPECT_EQ(signal_send_process(&proc, 40, &queued), -EAGAIN);
	EXPECT_EQ(signal_send_process(&proc, 41, &user), 0);		/* kill(2) does not fail: it is pending without details */
	EXPECT_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);	/* standard ones are free of it */
	EXPECT_EQ(root_user.sigpending, 4);
	EXPECT(take(~0ul, SIGUSR1, 0));
	for (u32 i = 0; i < 3; i++)
		EXPECT(take(~0ul, 40, 5));
	EXPECT(take(~0ul, 41, 0) && nothing() && root_user.sigpending == 0);
	unit_fail_after = 0;						/* no memory: likewise */
	EXPECT_EQ(signal_send_process(&proc, SIGUSR1, NULL), 0);
	unit_fail_after = ~0ull;
	EXPECT(take(~0ul, SIGUSR1, 0) && root_user.sigpending == 0);
}

TEST(timers_keep_their_entry)
{
	struct sigqueue *q;
	struct posix_timer *timer = (struct posix_timer *)&hand;

	reset();
	catch(SIGALRM);
	q = sigqueue_create(timer);
	EXPECT(q && root_user.sigpending == 1);
	q->info = with_value(SIGALRM, SI_TIMER, 0);
	taken_timer = NULL;
	EXPECT(signal_send_timer(&proc, 0, q) && signal_send_timer(&proc, 0, q));	/* the second is an overrun */
	EXPECT(take(~0ul, SIGALRM, 0) && taken_timer == timer && nothing() && root_user.sigpending == 1);
	hand.action[SIGALRM - 1].handler = (u64)SIG_IGN;
	EXPECT(!signal_send_timer(&proc, 0, q));
	catch(SIGALRM);
	EXPECT(signal_send_timer(&proc, 0, q));
	sigqueue_destroy(&proc, q);			/* the timer goes while its signal waits: delivery frees it */
	EXPECT(root_user.sigpending == 1 && take(~0ul, SIGALRM, 0) && root_user.sigpending == 0);
}

/* What an interrupted call answers: by the error it returned, and by whether a handler runs, and how. */
TEST(restarts)
{
	enum { AGAIN, BLOCK, EINTR_, KEPT };
	static const struct { long ret; u8 none, plain, restart; } t[] = {
		{ -ERESTARTNOINTR, AGAIN, AGAIN, AGAIN }, { -ERESTARTSYS, AGAIN, EINTR_, AGAIN }, { -ERESTARTNOHAND, AGAIN, EINTR_, EINTR_ },
		{ -ERESTART_RESTARTBLOCK, BLOCK, EINTR_, EINTR_ }, { -EINTR, KEPT, KEPT, KEPT }, { 5, KEPT, KEPT, KEPT },
	};

	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		for (u32 how = 0; how < 3; how++) {
			struct trap_frame tf = { .pc = 0x1004, .orig_x0 = 77, .syscallno = 63 };
			u8 want = how == 0 ? t[i].none : how == 1 ? t[i].plain : t[i].restart;

			reset();
			catch(SIGUSR1);
			hand.action[SIGUSR1 - 1].flags = how == 2 ? SA_RESTART : 0;
			if (how)
				signal_send_process(&proc, SIGUSR1, NULL);
			tf.x[0] = (u64)t[i].ret;
			tf.x[8] = 63;
			signal_deliver(&tf);
			EXPECT_EQ(tf.syscallno, -1);
			EXPECT_EQ(tf.pc, want == AGAIN || want == BLOCK ? 0x1000 : 0x1004);
			EXPECT_EQ(tf.x[0], want == AGAIN || want == BLOCK ? 77 : want == EINTR_ ? -EINTR : t[i].ret);
			EXPECT_EQ(tf.x[8], want == BLOCK ? 128 : 63);
			tf.x[0] = (u64)-ERESTARTSYS;		/* not a second time, and not outside a call */
			signal_deliver(&tf);
			EXPECT(tf.x[0] == (u64)-ERESTARTSYS);
		}
}

TEST(masks_of_handlers)
{
	struct trap_frame tf = { .syscallno = -1 };

	reset();
	catch(SIGUSR1);
	catch(SIGUSR2);
	hand.action[SIGUSR1 - 1].mask.bits = sig_bit(SIGTERM) | sig_bit(SIGKILL);
	threads[0].blocked.bits = sig_bit(SIGHUP);
	signal_send_process(&proc, SIGUSR1, NULL);
	signal_deliver(&tf);
	EXPECT(frame.sig == SIGUSR1 && frame.old == sig_bit(SIGHUP));
	EXPECT_EQ(threads[0].blocked.bits, sig_bit(SIGHUP) | sig_bit(SIGTERM) | sig_bit(SIGUSR1));
	threads[0].restore_sigmask = true;			/* sigsuspend: the handler returns to the mask before it */
	threads[0].saved_sigmask.bits = sig_bit(SIGQUIT);
	threads[0].blocked.bits = 0;
	hand.action[SIGUSR2 - 1].flags = SA_NODEFER | SA_RESETHAND;
	signal_send_process(&proc, SIGUSR2, NULL);
	signal_deliver(&tf);
	EXPECT(frame.old == sig_bit(SIGQUIT) && !threads[0].restore_sigmask && threads[0].blocked.bits == 0);
	EXPECT(hand.action[SIGUSR2 - 1].handler == (u64)SIG_DFL);
	threads[0].restore_sigmask = true;			/* nothing came: the mask is put back */
	signal_deliver(&tf);
	EXPECT(threads[0].blocked.bits == sig_bit(SIGQUIT) && !threads[0].restore_sigmask);
	frame.frames = 0;
	frame_fails = true;
	catch(SIGSEGV);
	signal_send_process(&proc, SIGUSR1, NULL);
	signal_deliver(&tf);
	frame_fails = false;
	EXPECT(threads[0].pending.set.bits == sig_bit(SIGSEGV));	/* no room for the frame */
}

TEST(default_actions)
{
	struct trap_frame tf = { .syscallno = -1 };

	reset();
	frame.frames = 0;
	threads[0].blocked.bits = sig_bit(SIGCHLD) | sig_bit(SIGQUIT);
	signal_send_process(&proc, SIGCHLD, NULL);
	signal_send_process(&proc, SIGQUIT, NULL);
	threads[0].blocked.bits = sig_bit(SIGQUIT);
	signal_deliver(&tf);
	EXPECT(!frame.frames && proc.shared_pending.set.bits == sig_bit(SIGQUIT));
	threads[0].blocked.bits = 0;
	EXPECT_PANIC(signal_deliver(&tf));
	EXPECT_EQ(exit_code, SIGQUIT);
	reset();
	signal_send_task(&threads[1], SIGKILL, NULL);
	EXPECT_PANIC(signal_deliver(&tf));
	EXPECT_EQ(exit_code, SIGKILL);
	reset();
	proc.is_init = true;
	threads[0].blocked.bits = sig_bit(SIGTERM);
	hand.action[SIGTERM - 1].handler = 0x1000;
	signal_send_process(&proc, SIGTERM, NULL);
	hand.action[SIGTERM - 1].handler = (u64)SIG_DFL;
	threads[0].blocked.bits = 0;
	signal_deliver(&tf);						/* init goes on */
	EXPECT(nothing());
}

TEST(stopping)
{
	struct trap_frame tf = { .syscallno = -1 };

	reset();
	stops = 0;
	orphaned = true;
	signal_send_process(&proc, SIGTTIN, NULL);
	signal_deliver(&tf);
	EXPECT_EQ(stops, 0);						/* nobody could continue it */
	orphaned = false;
	list_del(&threads[1].thread_link);
	list_del(&threads[2].thread_link);
	signal_send_process(&proc, SIGTTIN, NULL);
	signal_deliver(&tf);
	EXPECT(stops == 1 && proc.stop_sig == SIGTTIN && proc.wait_events == WAIT_EV_CONTINUED && !(proc.group_flags & PROC_STOPPED));
	orphaned = true;
	signal_send_process(&proc, SIGSTOP, NULL);			/* cannot be refused */
	signal_deliver(&tf);
	EXPECT(stops == 2 && proc.stop_sig == SIGSTOP);
	orphaned = false;
}

TEST(nothing_leaks)
{
	u64 live = 0;

	for (u32 round = 0; round < 3; round++) {
		reset();
		for (int sig = 1; sig <= 64; sig++)
			if (sig != SIGKILL && sig != SIGSTOP)
				catch(sig);
		for (u32 i = 0; i < 3000; i++) {
			int sig = 1 + (int)unit_below(64);
			siginfo_t info = with_value(sig, unit_below(2) ? SI_QUEUE : SI_USER, (int)i);

			if (sig == SIGKILL || sig == SIGSTOP)
				continue;
			unit_current = &threads[unit_below(3)];
			switch (unit_below(4)) {
			case 0: signal_send_process(&proc, sig, &info); break;
			case 1: signal_send_task(unit_current, sig, &info); break;
			case 2: signal_discard_locked(&proc, sig); break;
			default: signal_take_locked(unit_random(), &info);
			}
		}
		reset();
		EXPECT_EQ(root_user.sigpending, 0);
		if (round == 1)
			live = host_live();
	}
	EXPECT_EQ(host_live(), live);
}
