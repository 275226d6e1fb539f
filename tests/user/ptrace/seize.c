/* ptrace(2): PTRACE_SEIZE, group stops, threads, the end of tracer and tracee. */
#include "tracee.h"
#include <pthread.h>

static pid_t seized(unsigned long options)
{
	pid_t pid = sleeper();

	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(pt(PTRACE_SEIZE, pid, 0, options), 0);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	return pid;
}

TEST(a_seized_tracee_stops_when_interrupted)
{
	pid_t pid = seized(0);

	CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK_EQ(get_info(pid).si_code, event(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

/* strace -p, ended by ^C: the tracee is let go in the stop at the end of the call that was interrupted to stop it. */
static void let_go_at_the_end_of(void (*sleeps)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		sleeps();
		_exit(errno);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK_EQ(go(PTRACE_SYSCALL, pid, 0), SIGTRAP | 0x80);		/* it sleeps again */
	CHECK_EQ(pt(PTRACE_SYSCALL, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), SIGTRAP | 0x80);
	CHECK_EQ(pt(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

static void in_nanosleep(void) { nanosleep(&(struct timespec){ 1000, 0 }, NULL); }
static void in_pause(void) { pause(); }
static void in_sigsuspend(void) { sigsuspend(&(sigset_t){ { ~0ul } }); }
static void in_read(void)
{
	int p[2];

	if (!pipe(p) && read(p[0], p, 1) == 1)
		errno = 0;
}

TEST(a_call_goes_on_when_its_tracer_goes_at_its_end)
{
	let_go_at_the_end_of(in_nanosleep);
	let_go_at_the_end_of(in_pause);
	let_go_at_the_end_of(in_sigsuspend);
	let_go_at_the_end_of(in_read);
}

TEST(a_group_stop_of_a_seized_tracee_is_listened_to)
{
	pid_t pid = seized(0);

	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK_EQ(get_info(pid).si_code, SI_USER);
	CHECK_EQ(go(PTRACE_CONT, pid, SIGSTOP), event(SIGSTOP, PTRACE_EVENT_STOP));
	CHECK_EQ(pt(PTRACE_LISTEN, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), event(SIGSTOP, PTRACE_EVENT_STOP));
	CHECK_EQ(pt(PTRACE_LISTEN, pid, 0, 0), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK_EQ(go(PTRACE_CONT, pid, 0), SIGCONT);
	kill_tracee(pid);
}

TEST(a_group_stop_of_an_attached_tracee)
{
	pid_t pid = sleeper();
	siginfo_t si;

	CHECK_EQ(pt(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_EQ(next_stop(pid), SIGSTOP);
	CHECK_EQ(go(PTRACE_CONT, pid, SIGSTOP), SIGSTOP);	/* acted on: the group stops */
	CHECK_ERR(pt(PTRACE_GETSIGINFO, pid, 0, (long)&si), EINVAL);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);		/* the tracer alone sends it on */
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(next_stop(pid), SIGCONT);
	kill_tracee(pid);
}

/* --- who hears of the end */

TEST(the_parent_hears_of_the_end_after_the_tracer)
{
	pid_t pid = sleeper(), tracer;
	int p[2], q[2];
	char c = 0;

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(pipe(q), 0);
	fflush(stdout);
	tracer = fork();
	if (!tracer) {
		int st;
		siginfo_t si;

		CHECK_EQ(pt(PTRACE_SEIZE, pid, 0, 0), 0);
		CHECK_EQ(kill(pid, SIGTERM), 0);
		CHECK_EQ(next_stop(pid), SIGTERM);
		CHECK_EQ(pt(PTRACE_CONT, pid, 0, SIGTERM), 0);
		CHECK_EQ(waitid(P_PID, pid, &si, WEXITED | WNOWAIT), 0);
		CHECK_EQ(write(p[1], &c, 1), 1);
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK_EQ(waitpid(pid, &st, 0), pid);
		CHECK_EQ(st, SIGTERM);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);	/* a child it is, and not to be seen dead yet */
	CHECK_EQ(write(q[1], &c, 1), 1);
	CHECK(KILLED(wait_status(pid), SIGTERM));
	CHECK(EXITED(wait_status(tracer), 0));
}

/* The tracer ends with its tracee running (0), in a stop it has seen (1), or not seen (2). */
static pid_t abandoned(int how, unsigned long options)
{
	pid_t pid = sleeper(), tracer;

	fflush(stdout);
	tracer = fork();
	if (!tracer) {
		CHECK_EQ(pt(PTRACE_SEIZE, pid, 0, options), 0);
		if (how)
			CHECK_EQ(pt(PTRACE_INTERRUPT, pid, 0, 0), 0);
		if (how == 1)
			CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_STOP));
		if (how == 2)
			CHECK(wait_state(pid, 't'));
		_exit(0);
	}
	CHECK(EXITED(wait_status(tracer), 0));
	return pid;
}

TEST(tracees_of_one_that_ends_go_on_or_die)
{
	for (int how = 0; how < 3; how++) {
		pid_t pid = abandoned(how, 0);

		CHECK(wait_state(pid, 'S'));
		CHECK_EQ(kill(pid, SIGTERM), 0);
		CHECK(KILLED(wait_status(pid), SIGTERM));
		CHECK(KILLED(wait_status(abandoned(how, PTRACE_O_EXITKILL)), SIGKILL));
	}
}

TEST(exit_stop_is_left_when_the_tracer_says_so)
{
	pid_t pid = seized(PTRACE_O_TRACEEXIT);
	int st;

	CHECK_EQ(kill(pid, SIGTERM), 0);
	CHECK_EQ(next_stop(pid), SIGTERM);
	CHECK_EQ(go(PTRACE_CONT, pid, SIGTERM), event(SIGTRAP, PTRACE_EVENT_EXIT));
	CHECK_EQ(message(pid), SIGTERM);
	CHECK_EQ(kill(pid, SIGKILL), 0);	/* it is dying, and takes no more */
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	ends(pid, 0, SIGTERM);
	pid = seized(PTRACE_O_TRACEEXIT);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(next_stop(pid), event(SIGTRAP, PTRACE_EVENT_EXIT));
	CHECK_EQ(message(pid), SIGKILL);
	ends(pid, 0, SIGKILL);
}

/* --- threads */

static void *leave(void *arg) { return arg; }
static void one_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, leave, NULL) || pthread_join(t, NULL))
		_exit(1);
	_exit(20);
}

TEST(a_thread_is_traced_and_waited_for)
{
	pid_t pid = child(one_thread), tid;
	int st;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_CLONE));
	tid = (pid_t)message(pid);
	CHECK_EQ(next_stop(tid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_CONT, tid, 0, 0), 0);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(tid, &st, __WALL), tid);
	CHECK(!st || st == 20 << 8);		/* that of its process, if that has ended meanwhile */
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, 20 << 8);
}

static char self[PATH_MAX];
static void *exec_from_thread(void *arg) { execl(self, "seize", "child", NULL); return arg; }
static void thread_execs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_from_thread, NULL);
	for (;;)
		pause();
}

TEST(exec_by_a_thread_takes_the_first_ones_number)
{
	pid_t pid, tid;
	int st;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0);
	pid = child(thread_execs);
	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC), 0);
	CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_CLONE));
	tid = (pid_t)message(pid);
	CHECK_EQ(next_stop(tid), SIGSTOP);
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(pt(PTRACE_CONT, tid, 0, 0), 0);
	CHECK_EQ(waitpid(-1, &st, __WALL), pid);
	CHECK_EQ(st >> 8, event(SIGTRAP, PTRACE_EVENT_EXEC));
	CHECK_EQ(message(pid), tid);
	CHECK_ERR(pt(PTRACE_CONT, tid, 0, 0), ESRCH);
	kill_tracee(pid);
}

static void *spin(void *arg)
{
	for (;;)
		pause();
	return arg;
}
static void three_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, spin, NULL);
	for (;;)
		pause();
}

TEST(the_end_of_a_group_is_told_thread_by_thread)
{
	pid_t pid = child(three_threads), tid[3];
	int st, dead = 0;

	CHECK_EQ(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(go(PTRACE_CONT, pid, 0), event(SIGTRAP, PTRACE_EVENT_CLONE));
		tid[i] = (pid_t)message(pid);
		CHECK_EQ(next_stop(tid[i]), SIGSTOP);
		CHECK_EQ(pt(PTRACE_CONT, tid[i], 0, 0), 0);
	}
	CHECK_EQ(pt(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(tid[i], &st, __WALL), tid[i]);
		CHECK_EQ(st, SIGKILL);
		dead++;
	}
	CHECK_EQ(dead, 3);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, SIGKILL);
}

static pid_t other_tid;
static void *waits_elsewhere(void *arg)
{
	pid_t pid = other_tid;
	int st;

	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);		/* the tracer is a thread */
	CHECK_ERR(waitpid(pid, &st, __WNOTHREAD), ECHILD);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);		/* its siblings may wait */
	return arg;
}

TEST(the_tracer_is_one_thread)
{
	pthread_t t;

	other_tid = child(three_threads);
	CHECK_EQ(pthread_create(&t, NULL, waits_elsewhere, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	kill_tracee(other_tid);
}
