/* seccomp(2), user notification: a call waits until a listener has said what becomes of it; what listener and caller may do to each other meanwhile. */
#include "tap.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define LISTENER	SECCOMP_FILTER_FLAG_NEW_LISTENER
#define KILLABLE	SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

/* getppid(cookie) is answered as what says, all else allowed. */
static long install(unsigned flags, unsigned what)
{
	struct sock_filter c[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1), BPF_STMT(BPF_RET | BPF_K, what), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog p = { 4, c };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* Current and what it forks from here on ask the descriptor that comes back. */
static int listen_for(unsigned flags)
{
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	long fd = install(LISTENER | flags, SECCOMP_RET_USER_NOTIF);
	CHECK(fd >= 0);
	return fd;
}

static int recv_ret(int fd, struct seccomp_notif *n)
{
	memset(n, 0, sizeof(*n));
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, n);
}
static struct seccomp_notif receive(int fd)
{
	struct seccomp_notif n;
	CHECK_EQ(recv_ret(fd, &n), 0);
	return n;
}
static int answer(int fd, uint64_t id, long val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = { id, val, error, flags };
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}
static int valid(int fd, uint64_t id) { return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id); }
static int polled(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	CHECK(poll(&p, 1, ms) >= 0);
	return p.revents;
}

static int not_mine = -1;	/* what callers close before */
/* A child that makes the call and exits with 1 if the outcome is not that. */
static pid_t caller(long cookie, long want, int want_errno)
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		close(not_mine);
		errno = 0;
		long r = syscall(SYS_getppid, cookie);
		if (r != want || errno != want_errno)
			printf("# the call gives %ld errno %d\n", r, errno);
		fflush(stdout);
		_exit(r != want || errno != want_errno);
	}
	CHECK(pid > 0);
	return pid;
}
#define DONE(pid) CHECK(EXITED(wait_status(pid), 0))

/* --- making one */

TEST(the_descriptor)
{
	char path[64], link[64] = "";
	int fd, low = dup(0);

	close(low);
	CHECK_ERR(install(KILLABLE, SECCOMP_RET_USER_NOTIF), EINVAL);
	CHECK_ERR(install(LISTENER | SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_RET_USER_NOTIF), EINVAL);
	CHECK_ERR(install(1 << 6, SECCOMP_RET_USER_NOTIF), EINVAL);
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, LISTENER, 8), EFAULT);
	fd = listen_for(0);
	CHECK_EQ(fd, low);			/* failures cost no number */
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, "anon_inode:seccomp notify"));
	CHECK_ERR(read(fd, link, 8), EINVAL);
	CHECK_ERR(write(fd, link, 8), EINVAL);
	CHECK_ERR(ioctl(fd, TCGETS, link), EINVAL);
	CHECK_EQ(polled(fd, 0), 0);
	CHECK_ERR(install(LISTENER, SECCOMP_RET_USER_NOTIF), EBUSY);
	CHECK_EQ(install(0, SECCOMP_RET_ALLOW), 0);
	CHECK_ERR(install(LISTENER, SECCOMP_RET_USER_NOTIF), EBUSY);
	close(fd);
	CHECK_EQ(install(LISTENER, SECCOMP_RET_USER_NOTIF), low);	/* nobody listens to the other any more */
}

TEST(action_is_known)
{
	unsigned action = SECCOMP_RET_USER_NOTIF;
	char buf[200];

	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
	CHECK(read_file("/proc/sys/kernel/seccomp/actions_avail", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "kill_process kill_thread trap errno user_notif trace log allow\n"));
}

/* --- asking and answering */

TEST(value)
{
	int fd = listen_for(0);
	pid_t pid = caller(77, 123456789012, 0);
	struct seccomp_notif n;

	CHECK_EQ(polled(fd, -1), POLLIN);
	n = receive(fd);
	CHECK_EQ(n.pid, pid);
	CHECK_EQ(n.flags, 0);
	CHECK_EQ(n.data.nr, SYS_getppid);
	CHECK_EQ(n.data.arch, AUDIT_ARCH_AARCH64);
	CHECK_EQ(n.data.args[0], 77);
	CHECK(n.data.instruction_pointer != 0);
	CHECK_EQ(polled(fd, 0), POLLOUT);
	CHECK_EQ(valid(fd, n.id), 0);
	CHECK_ERR(valid(fd, n.id + 1), ENOENT);
	CHECK_ERR(answer(fd, n.id + 1, 0, 0, 0), ENOENT);
	CHECK_ERR(answer(fd, n.id, 0, 0, 2), EINVAL);
	CHECK_ERR(answer(fd, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(answer(fd, n.id, 0, -1, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_EQ(answer(fd, n.id, 123456789012, 0, 0), 0);
	errno = 0;
	CHECK(answer(fd, n.id, 1, 0, 0) == -1 && (errno == EINPROGRESS || errno == ENOENT));
	DONE(pid);
	CHECK_ERR(answer(fd, n.id, 1, 0, 0), ENOENT);
	CHECK_ERR(valid(fd, n.id), ENOENT);
	CHECK_EQ(polled(fd, 0), 0);
}

TEST(error_and_continue)
{
	int fd = listen_for(0);
	pid_t pid = caller(1, -1, EXDEV);
	uint64_t id = receive(fd).id;

	CHECK_EQ(answer(fd, id, 99, -EXDEV, 0), 0);
	DONE(pid);
	pid = caller(2, getpid(), 0);
	CHECK_EQ(polled(fd, -1), POLLIN);
	CHECK_ERR(answer(fd, id + 1, 0, 0, 0), EINPROGRESS);	/* not received yet; they count up */
	CHECK_ERR(valid(fd, id + 1), ENOENT);
	CHECK_EQ(receive(fd).id, id + 1);
	CHECK_EQ(answer(fd, id + 1, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), 0);
	DONE(pid);
}

TEST(strictest_answer)
{
	int fd = listen_for(0);
	pid_t pid;

	CHECK_EQ(install(0, SECCOMP_RET_TRACE), 0);
	pid = caller(1, 7, 0);				/* a listener comes before a tracer */
	CHECK_EQ(answer(fd, receive(fd).id, 7, 0, 0), 0);
	DONE(pid);
	CHECK_EQ(install(0, SECCOMP_RET_ERRNO | EDOM), 0);
	CHECK_ERR(syscall(SYS_getppid), EDOM);
	CHECK_EQ(polled(fd, 0), 0);
}

static void *call_thread(void *arg) { return (void *)syscall(SYS_getppid, (long)arg); }

TEST(of_all_threads)
{
	pthread_t t;
	void *got;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	long fd = install(LISTENER | SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SECCOMP_RET_USER_NOTIF);
	CHECK(fd >= 0);
	CHECK_EQ(pthread_create(&t, NULL, call_thread, (void *)5), 0);
	struct seccomp_notif n = receive(fd);
	CHECK(n.pid != (unsigned)getpid());		/* the thread's number */
	CHECK_EQ(n.data.args[0], 5);
	CHECK_EQ(answer(fd, n.id, 1234, 0, 0), 0);
	CHECK_EQ(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 1234);
}

static int up[2], down[2];
static void *own_filter(void *arg)
{
	char c;
	CHECK_EQ(install(0, SECCOMP_RET_ALLOW), 0);
	CHECK_EQ(write(up[1], "x", 1), 1);
	CHECK_EQ(read(down[0], &c, 1), 1);
	return NULL;
}

TEST(thread_that_hinders)
{
	pthread_t t;
	int low;
	char c;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK(pipe(up) == 0 && pipe(down) == 0);
	low = dup(0);
	close(low);
	CHECK_EQ(pthread_create(&t, NULL, own_filter, NULL), 0);
	CHECK_EQ(read(up[0], &c, 1), 1);
	CHECK_ERR(install(LISTENER | SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SECCOMP_RET_USER_NOTIF), ESRCH);
	CHECK_EQ(dup(0), low);			/* the number is free again */
	CHECK_EQ(write(down[1], "x", 1), 1);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

/* --- ends */

TEST(listener_closes)
{
	int fd = not_mine = listen_for(0), i;
	pid_t sent = caller(1, -1, ENOSYS), fresh;

	receive(fd);
	fresh = caller(2, -1, ENOSYS);
	CHECK_EQ(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1), 1);	/* both wait */
	i = dup(fd);
	close(fd);				/* not the last one */
	CHECK_EQ(polled(i, 0), POLLIN | POLLOUT);
	close(i);
	DONE(sent);
	DONE(fresh);
	DONE(caller(3, -1, ENOSYS));
}

TEST(caller_dies)
{
	int fd = listen_for(0);
	struct seccomp_notif n;
	struct seccomp_notif_addfd a = { 0 };
	pid_t pid = caller(1, 0, 0);

	n = receive(fd);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_ERR(valid(fd, n.id), ENOENT);
	CHECK_ERR(answer(fd, n.id, 0, 0, 0), ENOENT);
	a.id = n.id;
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a), ENOENT);
	CHECK_EQ(polled(fd, 0), 0);
	pid = caller(2, 0, 0);
	CHECK_EQ(polled(fd, -1), POLLIN);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_ERR(recv_ret(fd, &n), ENOENT);	/* who was told that there is one is not left waiting */
	pid = caller(3, 3, 0);
	CHECK_EQ(answer(fd, receive(fd).id, 3, 0, 0), 0);
	DONE(pid);
}

static volatile int handled;
static void count(int sig) { handled++; }
static void handler(int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };
	handled = 0;
	sigaction(SIGUSR1, &sa, NULL);
}

/* As caller(), with the handler run n times. */
static pid_t caller_handling(long want, int want_errno, int n)
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		errno = 0;
		long r = syscall(SYS_getppid);
		_exit(r != want || errno != want_errno || handled != n);
	}
	return pid;
}

TEST(interrupted)
{
	int fd = listen_for(0);
	pid_t pid;

	handler(0);
	pid = caller_handling(-1, EINTR, 1);
	uint64_t id = receive(fd).id;
	kill(pid, SIGUSR1);
	DONE(pid);
	CHECK_ERR(answer(fd, id, 0, 0, 0), ENOENT);
}

TEST(begun_anew)
{
	int fd = listen_for(0);
	pid_t pid;

	handler(SA_RESTART);
	pid = caller_handling(8, 0, 1);
	uint64_t id = receive(fd).id, again;
	kill(pid, SIGUSR1);
	again = receive(fd).id;			/* the same call, with another number */
	CHECK_EQ(again, id + 1);
	CHECK_ERR(valid(fd, id), ENOENT);
	CHECK_EQ(answer(fd, again, 8, 0, 0), 0);
	DONE(pid);
}

TEST(killable_once_received)
{
	int fd = listen_for(KILLABLE);
	pid_t pid;
	uint64_t id;

	handler(0);
	pid = caller_handling(9, 0, 1);
	id = receive(fd).id;
	kill(pid, SIGUSR1);
	CHECK(wait_state(pid, 'D'));
	CHECK_EQ(valid(fd, id), 0);
	CHECK_EQ(answer(fd, id, 9, 0, 0), 0);
	DONE(pid);
	pid = caller_handling(-1, EINTR, 1);
	CHECK_EQ(polled(fd, -1), POLLIN);
	kill(pid, SIGUSR1);			/* before it is received, it is as ever */
	DONE(pid);
	struct seccomp_notif n;
	CHECK_ERR(recv_ret(fd, &n), ENOENT);
	pid = caller_handling(0, 0, 0);
	id = receive(fd).id;
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_ERR(valid(fd, id), ENOENT);
}

TEST(nobody_left)
{
	int p[2], fd;
	long nr;

	CHECK_EQ(pipe(p), 0);
	pid_t pid = fork();
	if (!pid) {
		nr = listen_for(0);
		CHECK_EQ(write(p[1], &nr, sizeof(nr)), sizeof(nr));
		pause();
	}
	CHECK_EQ(read(p[0], &nr, sizeof(nr)), sizeof(nr));
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, nr, 0);
	CHECK(fd >= 0);
	CHECK_EQ(polled(fd, 0), 0);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_EQ(polled(fd, -1), POLLHUP);
	struct seccomp_notif n;
	if (on_sarsen())	/* deviates: Linux 6.1 waits for ever */
		CHECK_ERR(recv_ret(fd, &n), ENOENT);
}

/* --- descriptors */

static int text_fd(const char *text)
{
	int fd = memfd_create("text", 0);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}
static int add(int fd, uint64_t id, unsigned flags, int src, int to, unsigned o_flags)
{
	struct seccomp_notif_addfd a = { id, flags, src, to, o_flags };
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
}

/* A child whose call gives a descriptor; it must hold that text, with those descriptor flags. */
static pid_t reader(const char *text, int flags)
{
	char b[32] = "";
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		int fd = syscall(SYS_getppid);
		if (fd < 0 || pread(fd, b, sizeof(b) - 1, 0) < 0 || strcmp(b, text) || fcntl(fd, F_GETFD) != flags)
			printf("# %d has %s, flags %d\n", fd, b, fcntl(fd, F_GETFD));
		else
			_exit(0);
		fflush(stdout);
		_exit(1);
	}
	return pid;
}

TEST(descriptors)
{
	int fd = listen_for(0), one = text_fd("one"), two = text_fd("two"), got, low = dup(0);
	pid_t pid;
	uint64_t id;

	close(low);
	pid = reader("one", 0);
	id = receive(fd).id;
	got = add(fd, id, 0, one, 0, 0);
	CHECK_EQ(got, low);				/* the lowest that the caller has free */
	CHECK_EQ(answer(fd, id, got, 0, 0), 0);
	DONE(pid);
	pid = reader("two", FD_CLOEXEC);
	id = receive(fd).id;
	CHECK_EQ(add(fd, id, 0, one, 0, 0), low);
	CHECK_EQ(add(fd, id, SECCOMP_ADDFD_FLAG_SETFD, two, low, O_CLOEXEC), low);	/* instead of the former */
	CHECK_EQ(add(fd, id, SECCOMP_ADDFD_FLAG_SETFD, one, 40, 0), 40);
	CHECK_EQ(answer(fd, id, low, 0, 0), 0);
	DONE(pid);
	pid = reader("two", 0);
	id = receive(fd).id;
	CHECK_EQ(add(fd, id, SECCOMP_ADDFD_FLAG_SEND, two, 0, 0), low);		/* and this is the answer */
	DONE(pid);
	CHECK_ERR(answer(fd, id, 0, 0, 0), ENOENT);
	pid = reader("one", FD_CLOEXEC);
	id = receive(fd).id;
	CHECK_EQ(add(fd, id, SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD, one, 33, O_CLOEXEC), 33);
	DONE(pid);
	CHECK_EQ(dup(0), low);				/* nothing of it here */
}

TEST(descriptors_refused)
{
	struct { struct seccomp_notif_addfd a; uint64_t more[2]; } big = { .more = { 0 } };
	int fd = listen_for(0), one = text_fd("one"), path = open("/", O_PATH);
	struct rlimit l = { 30, 30 }, was;
	uint64_t id;
	pid_t pid;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
	l.rlim_max = was.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
	pid = reader("one", 0);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
	CHECK_EQ(polled(fd, -1), POLLIN);
	id = receive(fd).id;
	CHECK_ERR(add(fd, id, 4, one, 0, 0), EINVAL);
	CHECK_ERR(add(fd, id, 0, one, 9, 0), EINVAL);
	CHECK_ERR(add(fd, id, 0, one, 0, O_NONBLOCK), EINVAL);
	CHECK_ERR(add(fd, id, 0, 999, 0, 0), EBADF);
	CHECK_ERR(add(fd, id, 0, path, 0, 0), EBADF);
	CHECK_ERR(add(fd, id + 1, 0, one, 0, 0), ENOENT);
	CHECK_ERR(add(fd, id, SECCOMP_ADDFD_FLAG_SETFD, one, 30, 0), EBADF);	/* beyond the caller's limit */
	CHECK_ERR(add(fd, id, SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND, one, 30, 0), EBADF);
	CHECK_EQ(valid(fd, id), 0);			/* that was no answer */
	big.a = (struct seccomp_notif_addfd){ id, 0, one, 0, 0 };
	CHECK_ERR(ioctl(fd, _IOW('!', 3, char[23]), &big), EINVAL);
	CHECK_ERR(ioctl(fd, _IOW('!', 3, char[4096]), &big), EINVAL);
	big.more[1] = 1;
	CHECK_ERR(ioctl(fd, _IOW('!', 3, char[40]), &big), E2BIG);
	CHECK_ERR(ioctl(fd, _IOW('!', 3, char[40]), (void *)8), EFAULT);
	big.more[1] = 0;
	int got = ioctl(fd, _IOW('!', 3, char[40]), &big);
	CHECK(got > 0);
	for (int i; (i = add(fd, id, 0, one, 0, 0)) != -1; )
		CHECK(i < 30);
	CHECK_EQ(errno, EMFILE);
	CHECK_ERR(add(fd, id, SECCOMP_ADDFD_FLAG_SEND, one, 0, 0), EMFILE);
	CHECK_EQ(answer(fd, id, got, 0, 0), 0);
	DONE(pid);
}

/* --- wild pointers */

TEST(wild_pointers)
{
	static const unsigned calls[] = { SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ID_VALID, SECCOMP_IOCTL_NOTIF_ADDFD };
	static const unsigned long wild[] = { 0, 8, ~0ul, 0xffff000000000000, 0x1000000000000 - 8, 1ul << 55 };
	int fd = listen_for(0);
	pid_t pid = caller(1, 6, 0);
	struct seccomp_notif *n, dirty = { .flags = 1 };

	CHECK_EQ(polled(fd, -1), POLLIN);
	for (unsigned c = 0; c < 4; c++)
		for (unsigned i = 0; i < sizeof(wild) / sizeof(*wild); i++)
			CHECK_ERR(ioctl(fd, calls[c], wild[i]), EFAULT);
	CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &dirty), EINVAL);
	n = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(n != MAP_FAILED);
	for (int i = 0; i < 3; i++)
		CHECK_ERR(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, n), EFAULT);	/* it could not be told, so it is not received */
	CHECK_EQ(polled(fd, 0), POLLIN);
	CHECK_EQ(answer(fd, receive(fd).id, 6, 0, 0), 0);
	DONE(pid);
}

/* --- many at once */

enum { CALLERS = 4, CALLS = 150, HELPERS = 2 };

static void *serve(void *arg)
{
	struct seccomp_notif n;
	int fd = (long)arg;

	for (;;) {
		if (recv_ret(fd, &n) < 0)
			continue;
		if (!n.data.args[0]) {		/* the end */
			answer(fd, n.id, 0, 0, 0);
			return NULL;
		}
		if (n.data.args[0] % 7 == 0)
			add(fd, n.id, SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD, 0, 50, 0);
		else
			CHECK_EQ(answer(fd, n.id, n.data.args[0] + 1, 0, 0), 0);
	}
}

TEST(many_callers)
{
	int fd = listen_for(0);
	pthread_t t[HELPERS];
	pid_t pids[CALLERS];

	for (int c = 0; c < CALLERS; c++) {
		fflush(stdout);
		if ((pids[c] = fork()))
			continue;
		for (long i = 1; i <= CALLS; i++)
			if (syscall(SYS_getppid, c * 1000 + i) != ((c * 1000 + i) % 7 ? c * 1000 + i + 1 : 50))
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < HELPERS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, serve, (void *)(long)fd), 0);
	for (int c = 0; c < CALLERS; c++)
		DONE(pids[c]);
	for (int i = 0; i < HELPERS; i++)
		DONE(caller(0, 0, 0));
	for (int i = 0; i < HELPERS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

/* Callers that are killed and interrupted while they are served. */
TEST(restless_callers)
{
	int fd = listen_for(0);
	pid_t pids[CALLERS];
	struct seccomp_notif n;
	int left = CALLERS;

	handler(SA_RESTART);
	for (int c = 0; c < CALLERS; c++) {
		fflush(stdout);
		if (!(pids[c] = fork()))
			for (;;)
				syscall(SYS_getppid, c);
	}
	for (int i = 0; i < 200; i++) {
		if (recv_ret(fd, &n) < 0) {
			CHECK_EQ(errno, ENOENT);
			continue;
		}
		if (i % 3 == 0)
			kill(n.pid, SIGUSR1);
		if (i % 4 == 0)
			add(fd, n.id, SECCOMP_ADDFD_FLAG_SETFD, 0, 44, 0);
		answer(fd, n.id, 1, 0, 0);
		if (i % 60 == 59) {
			CHECK_EQ(kill(pids[--left], SIGKILL), 0);
			CHECK(KILLED(wait_status(pids[left]), SIGKILL));
		}
	}
	close(fd);
	while (left--) {
		kill(pids[left], SIGKILL);
		CHECK(KILLED(wait_status(pids[left]), SIGKILL));
	}
}

/* --- for a tracer */

TEST(tracer_reads_filters)
{
	struct sock_filter code[8];
	struct seccomp_metadata { uint64_t off, flags; } m;
	int go[2], status;
	char c;

	if (getuid())
		SKIP("needs root");
	CHECK_EQ(pipe(go), 0);
	pid_t pid = fork(), plain = pid ? fork() : -1;
	if (!pid || !plain) {
		if (!pid) {
			CHECK_EQ(install(SECCOMP_FILTER_FLAG_LOG, SECCOMP_RET_LOG), 0);
			CHECK_EQ(install(0, SECCOMP_RET_ERRNO | 3), 0);
		}
		CHECK_EQ(write(go[1], "x", 1), 1);
		for (;;)
			pause();
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(read(go[0], &c, 1), 1);
	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK_EQ(syscall(SYS_ptrace, 0x420c, pid, 0, NULL), 4);
	CHECK_EQ(syscall(SYS_ptrace, 0x420c, pid, 0, code), 4);
	CHECK(code[1].k == SYS_getppid && code[2].k == SECCOMP_RET_LOG && code[3].k == SECCOMP_RET_ALLOW);	/* the oldest is the first */
	CHECK_EQ(syscall(SYS_ptrace, 0x420c, pid, 1, code), 4);
	CHECK_EQ(code[2].k, SECCOMP_RET_ERRNO | 3);
	CHECK_ERR(syscall(SYS_ptrace, 0x420c, pid, 2, code), ENOENT);
	CHECK_ERR(syscall(SYS_ptrace, 0x420c, pid, 1ul << 40, code), ENOENT);
	CHECK_ERR(syscall(SYS_ptrace, 0x420c, pid, 0, 8), EFAULT);
	m.off = 0;
	CHECK_EQ(syscall(SYS_ptrace, 0x420d, pid, sizeof(m), &m), 16);
	CHECK_EQ(m.flags, SECCOMP_FILTER_FLAG_LOG);
	m.off = 1;
	CHECK_EQ(syscall(SYS_ptrace, 0x420d, pid, 1000, &m), 16);
	CHECK_EQ(m.flags, 0);
	CHECK_EQ(syscall(SYS_ptrace, 0x420d, pid, 8, &m), 8);
	CHECK_ERR(syscall(SYS_ptrace, 0x420d, pid, 7, &m), EINVAL);
	CHECK_ERR(syscall(SYS_ptrace, 0x420d, pid, 16, 8), EFAULT);
	m.off = 2;
	CHECK_ERR(syscall(SYS_ptrace, 0x420d, pid, 16, &m), ENOENT);
	CHECK_EQ(ptrace(PTRACE_SEIZE, plain, 0, 0), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, plain, 0, 0), 0);
	CHECK(waitpid(plain, &status, 0) == plain && WIFSTOPPED(status));
	CHECK_ERR(syscall(SYS_ptrace, 0x420c, plain, 0, code), EINVAL);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK_ERR(syscall(SYS_ptrace, 0x420c, pid, 0, code), EACCES);
	CHECK_ERR(syscall(SYS_ptrace, 0x420d, pid, 16, &m), EACCES);
}
