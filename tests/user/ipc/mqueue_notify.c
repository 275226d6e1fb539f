/* mq_notify: by signal, by the netlink socket that libraries use for threads, once, by whom, and when it ends. */
#define TAP_TIMEOUT 120
#include "ipc.h"
#include <mqueue.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#define SIG (SIGRTMIN + 1)
#define WOKENUP 1
#define REMOVED 2
#ifndef SI_MESGQ
#define SI_MESGQ (-3)
#endif

static char name_[32], text_[64];
static const char *own(int n)
{
	snprintf(name_, sizeof(name_), "/n%d.%d", getpid(), n);
	return name_;
}
static mqd_t make(int n)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 8 };
	mqd_t q = mq_open(own(n), O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &a);
	CHECK(q >= 0);
	return q;
}
static mqd_t nameless(void)
{
	mqd_t q = make(99);
	CHECK(mq_unlink(own(99)) == 0);
	return q;
}
static int put(mqd_t q) { return mq_send(q, "x", 1, 0); }
static int get(mqd_t q) { return (int)mq_receive(q, text_, sizeof(text_), NULL); }
static int by_signal(mqd_t q, int sig)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value.sival_int = 4711 };
	return mq_notify(q, &e);
}
static void block(void)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIG);
	sigaddset(&s, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
}
/* The signal that waits, 0: none. */
static int pending(siginfo_t *info)
{
	struct timespec zero = { 0 };
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIG);
	sigaddset(&s, SIGUSR1);
	int sig = sigtimedwait(&s, info, &zero);
	return sig < 0 ? 0 : sig;
}
/* What the queue's file says; to a child, for an owner who closes it is told no more. */
static const char *says(int n)
{
	static char b[128];
	char path[64];
	int p[2];
	if (access("/tmp/mqn", F_OK))
		CHECK(mkdir("/tmp/mqn", 0755) == 0);
	CHECK(mount("none", "/tmp/mqn", "mqueue", 0, NULL) == 0);
	snprintf(path, sizeof(path), "/tmp/mqn%s", own(n));
	CHECK(pipe(p) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		ssize_t len = read_file(path, b, sizeof(b));
		_exit(write(p[1], b, len) != len);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(read(p[0], b, sizeof(b) - 1) > 0);
	close(p[0]);
	close(p[1]);
	CHECK(umount("/tmp/mqn") == 0);
	return b;
}
static const char *said(int bytes, int how, int sig, int pid)
{
	static char b[128];
	snprintf(b, sizeof(b), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes, how, sig, pid);
	return b;
}

TEST(a_signal_once)
{
	mqd_t q = nameless();
	siginfo_t info;
	block();
	CHECK(by_signal(q, SIG) == 0);
	CHECK_EQ(pending(&info), 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		_exit(put(q));
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(pending(&info), SIG);
	CHECK_EQ(info.si_code, SI_MESGQ);
	CHECK_EQ(info.si_value.sival_int, 4711);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_uid, 1000);
	CHECK(get(q) == 1 && put(q) == 0);
	CHECK_EQ(pending(&info), 0);
	CHECK(by_signal(q, SIG) == 0);		/* it is not empty: the next message says nothing */
	CHECK(put(q) == 0);
	CHECK_EQ(pending(&info), 0);
	CHECK(get(q) == 1 && get(q) == 1 && put(q) == 0);
	CHECK_EQ(pending(&info), SIG);
	CHECK_EQ(info.si_pid, getpid());
}

TEST(not_if_somebody_waits_for_it)
{
	mqd_t q = nameless();
	siginfo_t info;
	struct mq_attr a = { .mq_flags = 0 };
	block();
	CHECK(mq_setattr(q, &a, NULL) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0)
		_exit(get(q));
	CHECK(wait_state(pid, 'S'));
	CHECK(by_signal(q, SIG) == 0);
	CHECK(put(q) == 0);
	CHECK(EXITED(wait_status(pid), 1));
	CHECK_EQ(pending(&info), 0);
	CHECK(put(q) == 0);
	CHECK_EQ(pending(&info), SIG);
}

TEST(one_at_a_time)
{
	mqd_t q = make(0);
	siginfo_t info;
	block();
	CHECK(!strcmp(says(0), said(0, 0, 0, 0)));
	CHECK(by_signal(q, SIG) == 0);
	CHECK(!strcmp(says(0), said(0, SIGEV_SIGNAL, SIG, getpid())));
	CHECK_ERR(by_signal(q, SIG), EBUSY);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		CHECK_ERR(by_signal(q, SIG), EBUSY);
		CHECK(mq_notify(q, NULL) == 0);	/* not his to end */
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(by_signal(q, SIG), EBUSY);
	CHECK(mq_notify(q, NULL) == 0);
	CHECK(mq_notify(q, NULL) == 0);
	CHECK(put(q) == 0);
	CHECK_EQ(pending(&info), 0);
	CHECK(!strcmp(says(0), said(1, 0, 0, 0)));
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	CHECK(get(q) == 1 && mq_notify(q, &none) == 0);
	CHECK(!strcmp(says(0), said(0, SIGEV_NONE, 0, getpid())));
	CHECK_ERR(by_signal(q, SIG), EBUSY);
	CHECK(put(q) == 0);
	CHECK(!strcmp(says(0), said(1, 0, 0, 0)));
	CHECK(mq_unlink(own(0)) == 0);
}

TEST(arguments)
{
	mqd_t q = nameless();
	siginfo_t info;
	block();
	CHECK_ERR(syscall(SYS_mq_notify, q, BAD), EFAULT);
	CHECK_ERR(by_signal(q, 65), EINVAL);
	CHECK_ERR(by_signal(q, -1), EINVAL);
	CHECK_ERR(by_signal(-1, 65), EINVAL);
	CHECK_ERR(by_signal(-1, SIG), EBADF);
	CHECK_ERR(mq_notify(-1, NULL), EBADF);
	CHECK_ERR(mq_notify(q, &(struct sigevent){ .sigev_notify = 7 }), EINVAL);
	CHECK_ERR(mq_notify(q, &(struct sigevent){ .sigev_notify = 4 /* SIGEV_THREAD_ID */, .sigev_signo = SIG }), EINVAL);
	CHECK(by_signal(q, 0) == 0);
	CHECK(put(q) == 0);
	CHECK_EQ(pending(&info), 0);
	CHECK(get(q) == 1 && by_signal(q, 64) == 0 && mq_notify(q, NULL) == 0);
}

TEST(ends_with_a_descriptor)
{
	mqd_t q = make(0), two = mq_open(own(0), O_RDONLY | O_NONBLOCK), dup_ = dup(q);
	siginfo_t info;
	CHECK(two >= 0 && dup_ >= 0);
	block();
	CHECK(by_signal(q, SIG) == 0);
	CHECK(mq_close(two) == 0);		/* any descriptor of the queue */
	CHECK(!strcmp(says(0), said(0, 0, 0, 0)));
	CHECK(by_signal(q, SIG) == 0);
	CHECK(close(dup_) == 0);
	CHECK(!strcmp(says(0), said(0, 0, 0, 0)));
	CHECK(by_signal(q, SIG) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0)
		_exit(close(q));
	CHECK(EXITED(wait_status(pid), 0));	/* another's does not end it */
	CHECK(!strcmp(says(0), said(0, SIGEV_SIGNAL, SIG, getpid())));
	CHECK(mq_notify(q, NULL) == 0);
	pid = fork_flushed();
	if (pid == 0)
		_exit(by_signal(q, SIG));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!strcmp(says(0), said(0, 0, 0, 0)));
	CHECK(put(q) == 0);
	CHECK_EQ(pending(&info), 0);
	CHECK(mq_unlink(own(0)) == 0);
}

/* The program that another process becomes: it says so, and waits for the end of its standard input. */
__attribute__((constructor)) static void reborn(void)
{
	char c;
	if (!getenv("MQ_REBORN"))
		return;
	if (write(1, "r", 1) != 1 || read(0, &c, 1) != 0)
		_exit(1);
	_exit(0);
}

TEST(another_program_is_not_told)
{
	mqd_t q = nameless();
	int in[2], out[2];
	char c;
	CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		char *argv[] = { "x", NULL }, *env[] = { "MQ_REBORN=1", NULL };
		CHECK(by_signal(q, SIGUSR1) == 0);
		CHECK(fcntl(q, F_SETFD, 0) == 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execve("/proc/self/exe", argv, env);
		_exit(9);
	}
	CHECK_EQ(read(out[0], &c, 1), 1);
	CHECK_ERR(by_signal(q, SIG), EBUSY);	/* it is registered */
	CHECK(put(q) == 0);
	close(in[0]);
	close(in[1]);
	CHECK(EXITED(wait_status(pid), 0));
}

static int by_cookie(mqd_t q, int sock, void *cookie)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_signo = sock, .sigev_value.sival_ptr = cookie };
	return (int)syscall(SYS_mq_notify, q, &e);
}

TEST(a_cookie)
{
	mqd_t q = make(0);
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), u = socket(AF_UNIX, SOCK_STREAM, 0), p[2];
	char cookie[32], got[64];
	CHECK(s >= 0 && u >= 0 && pipe(p) == 0);
	memset(cookie, 'c', sizeof(cookie));
	CHECK_ERR(by_cookie(q, -1, cookie), EBADF);
	CHECK_ERR(by_cookie(q, p[0], cookie), ENOTSOCK);
	CHECK_ERR(by_cookie(q, u, cookie), EINVAL);
	CHECK_ERR(by_cookie(q, -1, BAD), EFAULT);
	CHECK_ERR(by_cookie(-1, s, cookie), EBADF);
	CHECK_ERR(by_cookie(p[0], s, cookie), EBADF);
	CHECK(by_cookie(q, s, cookie) == 0);
	CHECK_ERR(by_cookie(q, s, cookie), EBUSY);
	CHECK(!strcmp(says(0), said(0, SIGEV_THREAD, 0, getpid())));
	CHECK_ERR(recv(s, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	CHECK(put(q) == 0);
	CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 32);
	CHECK(!memcmp(got, cookie, 31) && got[31] == WOKENUP);
	CHECK(get(q) == 1 && put(q) == 0 && get(q) == 1);
	CHECK_ERR(recv(s, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	CHECK(by_cookie(q, s, cookie) == 0);
	CHECK(mq_notify(q, NULL) == 0);
	CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 32);
	CHECK_EQ(got[31], REMOVED);
	CHECK(by_cookie(q, s, cookie) == 0);
	CHECK(close(dup(q)) == 0);
	CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 32);
	CHECK_EQ(got[31], REMOVED);
	CHECK(by_cookie(q, s, cookie) == 0);	/* the socket is gone before the message */
	CHECK(close(s) == 0 && put(q) == 0 && get(q) == 1);
	CHECK(mq_unlink(own(0)) == 0);
}

/* A socket takes no more promises than it has room for. */
TEST(room_for_cookies)
{
	enum { N = 16 };
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), least = 0, first = 0;
	char cookie[32] = "", got[64];
	mqd_t q[N];
	CHECK(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0);
	for (int i = 0; i < N; i++)
		q[i] = nameless();
	pid_t pid = fork_flushed();
	if (pid == 0) {
		for (int i = 0; i < N; i++)
			CHECK(by_cookie(q[i], s, cookie) == 0);
		pause();
	}
	for (first = 0; first < N; first++) {	/* as long as he waits for room, those he registered before are there */
		CHECK(wait_state(pid, 'S'));
		CHECK(put(q[first]) == 0);
		CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 32);
	}
	CHECK(kill(pid, SIGKILL) == 0 && KILLED(wait_status(pid), SIGKILL));
	pid = fork_flushed();
	if (pid == 0) {
		catch(SIGUSR1, 0);
		for (int i = 0; i < N; i++)
			if (get(q[i]) != 1 || by_cookie(q[i], s, cookie))
				_exit(errno);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(kill(pid, SIGUSR1) == 0);
	CHECK(EXITED(wait_status(pid), EINTR));
}

static sem_t done;
static int value_;
static void in_a_thread(union sigval v) { value_ = v.sival_int; sem_post(&done); }

TEST(a_thread)
{
	mqd_t q = nameless();
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 17, .sigev_notify_function = in_a_thread };
	CHECK(sem_init(&done, 0, 0) == 0);
	CHECK(mq_notify(q, &e) == 0);
	CHECK(put(q) == 0);
	while (sem_wait(&done))
		;
	CHECK_EQ(value_, 17);
}

