/* POSIX message queues: names, attributes and limits, order, waiting, time-outs, poll, permissions, the filesystem mqueue, bad arguments. */
#define TAP_TIMEOUT 120
#include "ipc.h"
#include <mqueue.h>
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#define PRIOS 32768
#define MAGIC 0x19800202

static char name_[32];
static char text_[1 << 17];

/* A name of this process's own, beginning with a slash for the library. */
static const char *own(int n)
{
	snprintf(name_, sizeof(name_), "/q%d.%d", getpid(), n);
	return name_;
}
static mqd_t make(int n, long max_nr, long max_len, int flags)
{
	struct mq_attr a = { .mq_maxmsg = max_nr, .mq_msgsize = max_len };
	mqd_t q = mq_open(own(n), O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
	CHECK(q >= 0);
	return q;
}
/* A queue without a name. */
static mqd_t nameless(long max_nr, long max_len, int flags)
{
	mqd_t q = make(99, max_nr, max_len, flags);
	CHECK(mq_unlink(own(99)) == 0);
	return q;
}
static int put(mqd_t q, const char *text, unsigned prio) { return mq_send(q, text, strlen(text), prio); }
/* The text that comes, "" and errno if none does. */
static unsigned prio_;
static const char *get(mqd_t q)
{
	memset(text_, 0, 64);
	return mq_receive(q, text_, sizeof(text_), &prio_) < 0 ? "" : text_;
}
static long count(mqd_t q)
{
	struct mq_attr a;
	CHECK(mq_getattr(q, &a) == 0);
	return a.mq_curmsgs;
}
static long raw_open(const char *name, int flags, int mode, void *attr) { return syscall(SYS_mq_open, name, flags, mode, attr); }
static struct timespec at(long ms)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000;
	if (ts.tv_nsec >= 1000000000) { ts.tv_sec++; ts.tv_nsec -= 1000000000; }
	return ts;
}
static long number_of(const char *path)
{
	char b[32];
	CHECK(read_file(path, b, sizeof(b)) > 0);
	return atol(b);
}
/* Where mqueue is mounted for this test. */
static const char *mounted(void)
{
	scratch();
	CHECK(mkdir("mq", 0755) == 0);
	CHECK(mount("none", "mq", "mqueue", 0, NULL) == 0);
	return "mq";
}
static const char *path_of(int n)
{
	static char p[64];
	snprintf(p, sizeof(p), "mq%s", own(n));
	return p;
}

TEST(open_and_unlink)
{
	CHECK_ERR(mq_open(own(0), O_RDWR), ENOENT);
	mqd_t q = make(0, 2, 8, 0);
	CHECK_ERR(mq_open(own(0), O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	mqd_t same = mq_open(own(0), O_CREAT | O_RDWR, 0600, NULL);
	CHECK(same >= 0 && same != q);
	CHECK(put(same, "x", 0) == 0 && !strcmp(get(q), "x"));
	CHECK(mq_unlink(own(0)) == 0);
	CHECK_ERR(mq_unlink(own(0)), ENOENT);
	CHECK_ERR(mq_open(own(0), O_RDWR), ENOENT);
	CHECK(put(same, "y", 0) == 0);
	mqd_t other = make(0, 2, 8, 0);
	CHECK_EQ(count(other), 0);
	CHECK(!strcmp(get(q), "y"));
	CHECK(mq_unlink(own(0)) == 0);
	CHECK(mq_close(q) == 0 && mq_close(same) == 0 && mq_close(other) == 0);
	CHECK_ERR(mq_close(q), EBADF);
}

TEST(names)
{
	char longest[258];
	CHECK_ERR(raw_open("", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
	CHECK_ERR(raw_open("/x", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(raw_open("a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	CHECK_ERR(raw_open(".", O_RDONLY, 0, NULL), EACCES);
	CHECK_ERR(raw_open("..", O_RDONLY, 0, NULL), EACCES);
	CHECK_ERR(raw_open(BAD, O_RDONLY, 0, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_unlink, ""), ENOENT);
	CHECK_ERR(syscall(SYS_mq_unlink, "."), EACCES);
	CHECK_ERR(syscall(SYS_mq_unlink, "a/b"), EACCES);
	CHECK_ERR(syscall(SYS_mq_unlink, BAD), EFAULT);
	memset(longest, 'n', 256);
	longest[256] = 0;
	CHECK_ERR(raw_open(longest, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	CHECK_ERR(syscall(SYS_mq_unlink, longest), ENAMETOOLONG);
	longest[255] = 0;
	long q = raw_open(longest, O_CREAT | O_RDWR, 0600, NULL);
	CHECK(q >= 0);
	CHECK(syscall(SYS_mq_unlink, longest) == 0);
}

TEST(descriptors)
{
	mqd_t q = make(0, 1, 1, O_NONBLOCK);
	char link[64] = "", path[64];
	CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(q, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, own(0)));
	CHECK(mq_unlink(own(0)) == 0);
	struct rlimit few = { 1, 1 };
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_ERR(mq_open(own(0), O_CREAT | O_RDWR, 0600, NULL), EMFILE);
	CHECK_ERR(mq_unlink(own(0)), ENOENT);
}

TEST(attributes)
{
	struct mq_attr a, old;
	mqd_t q = mq_open(own(0), O_CREAT | O_RDWR, 0600, NULL);
	CHECK(q >= 0 && mq_unlink(own(0)) == 0);
	CHECK(mq_getattr(q, &a) == 0);
	CHECK_EQ(a.mq_maxmsg, number_of("/proc/sys/fs/mqueue/msg_default"));
	CHECK_EQ(a.mq_msgsize, number_of("/proc/sys/fs/mqueue/msgsize_default"));
	CHECK(a.mq_flags == 0 && a.mq_curmsgs == 0);
	CHECK(put(q, "x", 1) == 0);
	a = (struct mq_attr){ .mq_flags = O_NONBLOCK, .mq_maxmsg = 77, .mq_curmsgs = 5 };
	memset(&old, 0xff, sizeof(old));
	CHECK(mq_setattr(q, &a, &old) == 0);
	CHECK(old.mq_flags == 0 && old.mq_curmsgs == 1 && old.mq_maxmsg == 10);
	long *words = (long *)&old;
	CHECK(!words[4] && !words[5] && !words[6] && !words[7]);
	CHECK(mq_getattr(q, &a) == 0 && a.mq_flags == O_NONBLOCK && a.mq_maxmsg == 10);
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);
	a.mq_flags = O_NONBLOCK | O_APPEND;
	CHECK_ERR(mq_setattr(q, &a, &old), EINVAL);
	a.mq_flags = -1;
	CHECK_ERR(mq_setattr(-1, &a, NULL), EINVAL);
	a.mq_flags = 0;
	CHECK(mq_setattr(q, &a, NULL) == 0 && !(fcntl(q, F_GETFL) & O_NONBLOCK));
	CHECK(syscall(SYS_mq_getsetattr, q, NULL, NULL) == 0);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, BAD, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_getsetattr, -1, NULL, BAD), EBADF);
	a.mq_flags = O_NONBLOCK;
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, &a, BAD), EFAULT);
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);
}

TEST(sizes_of_queues)
{
	static const struct { long nr, len; int root, user; } cases[] = {
		{ 0, 1, EINVAL, EINVAL }, { 1, 0, EINVAL, EINVAL }, { -1, 1, EINVAL, EINVAL }, { 1, -1, EINVAL, EINVAL }, { 10, 8192, 0, 0 },
		{ 11, 1, 0, EINVAL }, { 1, 8193, 0, EINVAL }, { 65536, 1, EMFILE, EINVAL }, { 65537, 1, EINVAL, EINVAL }, { 1, 16 << 20, EMFILE, EINVAL },
		{ 1, (16 << 20) + 1, EINVAL, EINVAL }, { LONG_MAX, LONG_MAX, EINVAL, EINVAL }, { 1, 819200 - 96, 0, EINVAL }, { 1, 819200 - 95, EMFILE, EINVAL } };
	for (int user = 0; user < 2; user++) {
		if (user)
			become(1000, 1000);
		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct mq_attr a = { .mq_maxmsg = cases[i].nr, .mq_msgsize = cases[i].len };
			int want = user ? cases[i].user : cases[i].root;
			errno = 0;
			mqd_t q = mq_open(own(0), O_CREAT | O_RDWR, 0600, &a);
			if ((want && q >= 0) || errno != want)
				printf("# case %u\n", i);
			CHECK_EQ(errno, want);
			if (q >= 0)
				CHECK(mq_unlink(own(0)) == 0 && mq_close(q) == 0);
			else
				CHECK_ERR(mq_open(own(0), O_RDONLY), ENOENT);
		}
	}
	CHECK_ERR(raw_open("x", O_RDWR, 0, BAD), EFAULT);
	/* attributes mean nothing where the queue is there */
	struct mq_attr bad = { 0 };
	mqd_t q = make(0, 1, 1, 0);
	CHECK(mq_open(own(0), O_CREAT | O_RDWR, 0600, &bad) >= 0);
	CHECK(mq_unlink(own(0)) == 0 && mq_close(q) == 0);
}

TEST(paid_for_by_their_user)
{
	struct rlimit lim = { 2 * (10 * 8192 + 960), 819200 };
	mqd_t a, b;
	CHECK(setrlimit(RLIMIT_MSGQUEUE, &lim) == 0);
	become(1001, 1001);
	a = make(0, 10, 8192, 0);
	b = make(1, 10, 8192, 0);
	CHECK_ERR(mq_open(own(2), O_CREAT | O_RDWR, 0600, &(struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 1 }), EMFILE);
	CHECK(mq_unlink(own(1)) == 0);
	CHECK_ERR(mq_open(own(2), O_CREAT | O_RDWR, 0600, NULL), EMFILE);
	CHECK(mq_close(b) == 0);	/* now it is gone */
	b = make(2, 10, 8192, 0);
	CHECK(mq_unlink(own(0)) == 0 && mq_unlink(own(2)) == 0);
	(void)a;
}

TEST(how_many_queues)
{
	const char *file = "/proc/sys/fs/mqueue/queues_max";
	long old = number_of(file);
	char b[16];
	mqd_t q = make(0, 1, 1, 0);
	write_file(file, "0");
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		_exit(mq_open(own(1), O_CREAT | O_RDWR, 0600, NULL) < 0 ? errno : 0);
	}
	int status = wait_status(pid);
	mqd_t more = mq_open(own(2), O_CREAT | O_RDWR, 0600, NULL);
	snprintf(b, sizeof(b), "%ld", old);
	write_file(file, b);
	CHECK(EXITED(status, ENOSPC));
	CHECK(more >= 0);
	CHECK(mq_unlink(own(2)) == 0 && mq_unlink(own(0)) == 0);
	(void)q;
	CHECK_EQ(number_of("/proc/sys/fs/mqueue/msg_max"), 10);
	CHECK_EQ(number_of("/proc/sys/fs/mqueue/msgsize_max"), 8192);
	int fd = open("/proc/sys/fs/mqueue/msg_max", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_ERR(write(fd, "0", 1), EINVAL);
	CHECK_ERR(write(fd, "65537", 5), EINVAL);
	close(fd);
	fd = open("/proc/sys/fs/mqueue/msgsize_max", O_WRONLY);
	CHECK_ERR(write(fd, "127", 3), EINVAL);
	CHECK_ERR(write(fd, "16777217", 8), EINVAL);
}

TEST(access_modes)
{
	mqd_t q = make(0, 2, 8, 0), in = mq_open(own(0), O_RDONLY), out = mq_open(own(0), O_WRONLY);
	CHECK(in >= 0 && out >= 0);
	CHECK_ERR(mq_open(own(0), O_RDWR | O_WRONLY), EINVAL);
	CHECK_ERR(put(in, "x", 0), EBADF);
	CHECK_ERR(mq_receive(out, text_, 8, NULL), EBADF);
	CHECK(put(out, "x", 0) == 0);
	CHECK(!strcmp(get(in), "x"));
	CHECK(mq_unlink(own(0)) == 0);
	CHECK(put(q, "y", 0) == 0 && !strcmp(get(q), "y"));
}

TEST(by_priority)
{
	mqd_t q = nameless(10, 8, O_NONBLOCK);
	CHECK(put(q, "a", 1) == 0 && put(q, "b", 32767) == 0 && put(q, "c", 1) == 0 && put(q, "d", 0) == 0 && put(q, "e", 5) == 0 && put(q, "f", 32767) == 0);
	CHECK_ERR(put(q, "x", PRIOS), EINVAL);
	CHECK_ERR(put(q, "x", -1), EINVAL);
	CHECK_EQ(count(q), 6);
	CHECK(!strcmp(get(q), "b") && prio_ == 32767);
	CHECK(!strcmp(get(q), "f"));
	CHECK(!strcmp(get(q), "e") && prio_ == 5);
	CHECK(put(q, "g", 1) == 0);
	CHECK(!strcmp(get(q), "a") && prio_ == 1);
	CHECK(!strcmp(get(q), "c"));
	CHECK(!strcmp(get(q), "g"));
	CHECK(!strcmp(get(q), "d") && prio_ == 0);
	CHECK(!strcmp(get(q), "") && errno == EAGAIN);
}

TEST(many_in_order)
{
	enum { N = 1000 };
	mqd_t q = nameless(N, 8, O_NONBLOCK);
	unsigned seed = 7, last = PRIOS, mine[N];
	for (unsigned i = 0; i < N; i++) {
		seed = seed * 1103515245 + 12345;
		mine[i] = seed >> 16 & 7;
		CHECK(mq_send(q, (char *)&i, sizeof(i), mine[i]) == 0);
	}
	CHECK_ERR(put(q, "x", 0), EAGAIN);
	for (unsigned i = 0, n, before = 0; i < N; i++, before = n) {
		CHECK_EQ(mq_receive(q, text_, sizeof(text_), &prio_), sizeof(n));
		memcpy(&n, text_, sizeof(n));
		CHECK(prio_ <= last && mine[n] == prio_ && (prio_ < last || n > before));
		last = prio_;
	}
}

TEST(sizes_of_messages)
{
	mqd_t q = nameless(2, 100000, 0);
	CHECK_ERR(mq_send(q, text_, 100001, 0), EMSGSIZE);
	CHECK_ERR(mq_send(q, text_, -1ul, 0), EMSGSIZE);
	CHECK_ERR(mq_receive(q, text_, 99999, NULL), EMSGSIZE);
	CHECK(mq_send(q, NULL, 0, 3) == 0);
	CHECK_EQ(mq_receive(q, text_, 100000, &prio_), 0);
	CHECK_EQ(prio_, 3);
	for (int i = 0; i < 100000; i++)
		text_[i] = (char)(i * 7);
	CHECK(mq_send(q, text_, 100000, 0) == 0);
	memset(text_, 0, sizeof(text_));
	CHECK_EQ(mq_receive(q, text_, sizeof(text_), NULL), 100000);
	for (int i = 0; i < 100000; i++)
		CHECK(text_[i] == (char)(i * 7));
}

TEST(bad_memory)
{
	mqd_t q = nameless(2, 100, O_NONBLOCK);
	CHECK_ERR(mq_send(q, BAD, 1, 0), EFAULT);
	CHECK_EQ(count(q), 0);
	CHECK(put(q, "x", 0) == 0 && put(q, "y", 0) == 0);
	CHECK_ERR(mq_receive(q, BAD, 100, NULL), EFAULT);
	CHECK_EQ(count(q), 1);			/* it is lost */
	CHECK_ERR(mq_receive(q, text_, 100, BAD), EFAULT);
	CHECK_EQ(count(q), 0);
	CHECK_ERR(mq_timedsend(q, "x", 1, 0, BAD), EFAULT);
	CHECK_ERR(mq_timedreceive(q, text_, 100, NULL, BAD), EFAULT);
	CHECK_ERR(mq_timedsend(-1, "x", 1, 0, BAD), EFAULT);
}

TEST(not_a_queue)
{
	int p[2];
	CHECK(pipe(p) == 0);
	mqd_t q = make(0, 1, 1, 0);
	CHECK_ERR(put(-1, "x", 0), EBADF);
	CHECK_ERR(put(p[1], "x", 0), EBADF);
	CHECK_ERR(mq_receive(p[0], text_, 100, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_getsetattr, p[0], NULL, NULL), EBADF);
	CHECK_ERR(mq_notify(p[0], NULL), EBADF);
	CHECK_ERR(write(q, "x", 1), EINVAL);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, q, 0) == MAP_FAILED ? -1 : 0, ENODEV);
	mounted();
	int fd = open(path_of(0), O_PATH);
	CHECK(fd >= 0);
	CHECK_ERR(put(fd, "x", 0), EBADF);
	CHECK(umount2("mq", MNT_DETACH) == 0);
	CHECK(mq_unlink(own(0)) == 0);
}

TEST(time_outs)
{
	mqd_t q = nameless(1, 8, 0);
	struct timespec past = { 1, 0 }, bad[] = { { -1, 0 }, { 0, -1 }, { 0, 1000000000 } }, far = { LONG_MAX, 0 }, ts;
	CHECK_ERR(mq_timedreceive(q, text_, 8, NULL, &past), ETIMEDOUT);
	CHECK(mq_timedsend(q, "x", 1, 0, &past) == 0);
	CHECK_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		CHECK_ERR(mq_timedreceive(q, text_, 8, NULL, &bad[i]), EINVAL);
		CHECK_ERR(mq_timedsend(q, "x", 1, 0, &bad[i]), EINVAL);
	}
	CHECK_EQ(mq_timedreceive(q, text_, 8, NULL, &far), 1);
	ts = at(20);
	CHECK_ERR(mq_timedreceive(q, text_, 8, NULL, &ts), ETIMEDOUT);
	struct timespec now = at(0);
	CHECK(now.tv_sec > ts.tv_sec || (now.tv_sec == ts.tv_sec && now.tv_nsec >= ts.tv_nsec));
	CHECK(put(q, "x", 0) == 0);
	ts = at(20);
	CHECK_ERR(mq_timedsend(q, "y", 1, 0, &ts), ETIMEDOUT);
	CHECK_EQ(count(q), 1);
}

/* A child that receives, and says by its exit status what: the first letter, or 128 + errno. */
static pid_t receiver(mqd_t q, int policy, int nice_)
{
	pid_t pid = fork_flushed();
	if (pid == 0) {
		struct sched_param sp = { .sched_priority = policy };
		if (policy)
			CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp) == 0);
		if (nice_)
			CHECK(setpriority(PRIO_PROCESS, 0, nice_) == 0);
		ssize_t n = mq_receive(q, text_, sizeof(text_), NULL);
		_exit(n < 0 ? 128 + errno : text_[0]);
	}
	CHECK(wait_state(pid, 'S'));
	return pid;
}
static pid_t sender(mqd_t q, const char *text, unsigned prio)
{
	pid_t pid = fork_flushed();
	if (pid == 0)
		_exit(put(q, text, prio) ? 128 + errno : 0);
	CHECK(wait_state(pid, 'S'));
	return pid;
}

TEST(receivers_wait)
{
	mqd_t q = nameless(2, 8, 0);
	pid_t a = receiver(q, 0, 0), b = receiver(q, 0, 0);
	CHECK(put(q, "a", 0) == 0);
	CHECK(EXITED(wait_status(a), 'a'));
	CHECK(put(q, "b", 9) == 0);
	CHECK(EXITED(wait_status(b), 'b'));
	CHECK_EQ(count(q), 0);
}

TEST(receivers_by_priority)
{
	mqd_t q = nameless(2, 8, 0);
	pid_t d = receiver(q, 0, 5), c = receiver(q, 0, 0), low = receiver(q, 3, 0), high = receiver(q, 9, 0), c2 = receiver(q, 0, 0), b = receiver(q, 0, -5);
	static const char *const texts[] = { "1", "2", "3", "4", "5", "6" };
	for (int i = 0; i < 6; i++)
		CHECK(put(q, texts[i], 0) == 0);
	CHECK(EXITED(wait_status(high), '1'));
	CHECK(EXITED(wait_status(low), '2'));
	CHECK(EXITED(wait_status(b), '3'));
	CHECK(EXITED(wait_status(c), '4'));
	CHECK(EXITED(wait_status(c2), '5'));
	CHECK(EXITED(wait_status(d), '6'));
}

TEST(senders_wait)
{
	mqd_t q = nameless(2, 8, 0);
	CHECK(put(q, "a", 1) == 0 && put(q, "b", 1) == 0);
	pid_t c = sender(q, "c", 0), d = sender(q, "d", 5);
	CHECK(!strcmp(get(q), "a"));
	CHECK(EXITED(wait_status(c), 0));
	CHECK(wait_state(d, 'S'));
	CHECK_EQ(count(q), 2);
	CHECK(!strcmp(get(q), "b"));
	CHECK(EXITED(wait_status(d), 0));
	CHECK(!strcmp(get(q), "d") && prio_ == 5);
	CHECK(!strcmp(get(q), "c") && prio_ == 0);
	CHECK_EQ(count(q), 0);
}

TEST(signals)
{
	mqd_t q = nameless(1, 8, 0);
	for (int restart = 0; restart < 2; restart++) {
		pid_t pid = fork_flushed();
		if (pid == 0) {
			catch(SIGUSR1, restart ? SA_RESTART : 0);
			struct timespec ts = at(100000);
			ssize_t n = restart ? mq_timedreceive(q, text_, 8, NULL, &ts) : mq_receive(q, text_, 8, NULL);
			_exit(n < 0 ? 128 + errno : text_[0]);
		}
		CHECK(wait_state(pid, 'S'));
		CHECK(kill(pid, SIGUSR1) == 0);
		if (restart) {
			CHECK(wait_state(pid, 'S'));
			CHECK(put(q, "r", 0) == 0);
		}
		CHECK(EXITED(wait_status(pid), restart ? 'r' : 128 + EINTR));
	}
	CHECK(put(q, "x", 0) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		catch(SIGUSR1, 0);
		_exit(put(q, "y", 0) ? errno : 0);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(kill(pid, SIGUSR1) == 0);
	CHECK(EXITED(wait_status(pid), EINTR));
	pid = sender(q, "z", 0);
	CHECK(kill(pid, SIGKILL) == 0 && KILLED(wait_status(pid), SIGKILL));
	CHECK(!strcmp(get(q), "x"));
	CHECK_EQ(count(q), 0);
}

static short events_of(int fd, int timeout)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	CHECK(poll(&p, 1, timeout) >= 0);
	return p.revents;
}

TEST(polled)
{
	mqd_t q = nameless(2, 8, O_NONBLOCK);
	struct pollfd in = { q, POLLIN, 0 };
	CHECK_EQ(events_of(q, 0), POLLOUT);
	CHECK_EQ(poll(&in, 1, 0), 0);
	CHECK(put(q, "a", 0) == 0);
	CHECK_EQ(events_of(q, 0), POLLIN | POLLOUT);
	CHECK(put(q, "b", 0) == 0);
	CHECK_EQ(events_of(q, 0), POLLIN);
	get(q);
	get(q);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		CHECK(poll(&in, 1, -1) == 1 && in.revents == POLLIN);
		_exit(get(q)[0]);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(put(q, "w", 0) == 0);
	CHECK(EXITED(wait_status(pid), 'w'));
	CHECK(put(q, "a", 0) == 0 && put(q, "b", 0) == 0);
	pid = fork_flushed();
	if (pid == 0) {
		struct pollfd out = { q, POLLOUT, 0 };
		CHECK(poll(&out, 1, -1) == 1 && out.revents == POLLOUT);
		_exit(put(q, "c", 0) ? 1 : 0);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(!strcmp(get(q), "a"));
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(epolled)
{
	mqd_t q = nameless(3, 8, O_NONBLOCK);
	int ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, q, &e) == 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	CHECK(put(q, "a", 0) == 0);
	CHECK(epoll_wait(ep, &got, 1, 0) == 1 && got.events == EPOLLIN);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	CHECK(put(q, "b", 0) == 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 1);
	CHECK(!strcmp(get(q), "a") && !strcmp(get(q), "b"));
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
}

TEST(shared_by_fork)
{
	mqd_t q = nameless(1, 8, 0);
	struct mq_attr a = { .mq_flags = O_NONBLOCK };
	pid_t pid = fork_flushed();
	if (pid == 0) {
		CHECK(mq_setattr(q, &a, NULL) == 0);
		_exit(put(q, "f", 0) ? 1 : 0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);	/* one open file */
	CHECK(!strcmp(get(q), "f"));
	CHECK(!strcmp(get(q), "") && errno == EAGAIN);
}

TEST(permissions)
{
	umask(027);
	mqd_t q = mq_open(own(0), O_CREAT | O_RDWR, 0666, NULL), none = mq_open(own(1), O_CREAT | O_RDWR, 0, NULL);
	char a[32], b[32];
	struct stat st;
	CHECK(q >= 0 && none >= 0);
	CHECK(put(none, "x", 0) == 0);		/* its mode does not bind who makes it */
	CHECK(fstat(q, &st) == 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	strcpy(a, own(0));
	strcpy(b, own(1));
	pid_t pid = fork_flushed();
	if (pid == 0) {
		gid_t root = 0;
		CHECK(setgroups(1, &root) == 0);
		CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
		CHECK_ERR(mq_open(a, O_RDWR), EACCES);
		CHECK_ERR(mq_open(a, O_WRONLY), EACCES);
		CHECK(mq_open(a, O_RDONLY) >= 0);
		CHECK_ERR(mq_open(b, O_RDONLY), EACCES);
		CHECK_ERR(mq_open(b, O_CREAT | O_RDONLY, 0600, NULL), EACCES);
		CHECK_ERR(syscall(SYS_mq_unlink, a + 1), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(fchown(q, 1000, 1000) == 0);
	pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		_exit(mq_unlink(a) ? errno : 0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(mq_unlink(b) == 0);
}

TEST(as_files)
{
	struct statfs sfs;
	struct stat st;
	char b[128];
	mounted();
	CHECK(statfs("mq", &sfs) == 0);
	CHECK_EQ(sfs.f_type, MAGIC);
	CHECK(stat("mq", &st) == 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 01777);
	long size = st.st_size;
	mqd_t q = make(0, 4, 64, 0);
	CHECK(stat("mq", &st) == 0);
	CHECK_EQ(st.st_size, size + 20);
	CHECK(stat(path_of(0), &st) == 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK_EQ(st.st_size, 80);
	CHECK(st.st_nlink == 1 && st.st_blocks == 0);
	CHECK(put(q, "hello", 0) == 0 && put(q, "you", 3) == 0);
	CHECK(read_file(path_of(0), b, sizeof(b)) > 0);
	CHECK(!strcmp(b, "QSIZE:8          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"));
	int fd = open(path_of(0), O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, b, 3, 6), 3);
	CHECK(!memcmp(b, "8  ", 3));
	CHECK_EQ(pread(fd, b, 10, 80), 0);
	CHECK_ERR(pread(fd, BAD, 10, 0), EFAULT);
	CHECK(mq_send(fd, "fd", 2, 9) == 0);
	CHECK(!strcmp(get(q), "fd"));
	close(fd);
	CHECK(unlink(path_of(0)) == 0);
	CHECK_ERR(mq_open(own(0), O_RDWR), ENOENT);
	CHECK(stat("mq", &st) == 0 && st.st_size == size);
	fd = open(path_of(1), O_CREAT | O_EXCL | O_RDWR, 0640);
	CHECK(fd >= 0);
	q = mq_open(own(1), O_RDWR);
	CHECK(q >= 0);
	struct mq_attr a;
	CHECK(mq_getattr(q, &a) == 0 && a.mq_maxmsg == 10 && a.mq_msgsize == 8192);
	CHECK(chmod(path_of(1), 0400) == 0 && fstat(q, &st) == 0 && st.st_mode == (S_IFREG | 0400));
	CHECK(mq_unlink(own(1)) == 0);
	CHECK(umount("mq") < 0 && errno == EBUSY);
	close(fd);
	CHECK(umount("mq") == 0);
}

TEST(only_queues_there)
{
	mounted();
	make(0, 1, 1, 0);
	CHECK_ERR(mkdir("mq/d", 0700), EPERM);
	CHECK_ERR(symlink("x", "mq/l"), EPERM);
	CHECK_ERR(link(path_of(0), "mq/l"), EPERM);
	CHECK_ERR(rename(path_of(0), "mq/other"), EPERM);
	CHECK_ERR(mknod("mq/p", S_IFIFO | 0600, 0), EPERM);
	CHECK_ERR(open("mq", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	CHECK(mknod("mq/made", S_IFREG | 0600, 0) == 0);
	mqd_t q = mq_open("/made", O_RDONLY);
	CHECK(q >= 0 && unlink("mq/made") == 0);
	CHECK(chmod(path_of(0), 0755) == 0);
	char *argv[] = { "x", NULL };
	CHECK_ERR(execv(path_of(0), argv), EACCES);
	CHECK(unlink(path_of(0)) == 0);
	CHECK(umount("mq") == 0);
}

TEST(one_directory_for_all_mounts)
{
	char b[4096], *p;
	int found = 0;
	mounted();
	CHECK(mkdir("two", 0755) == 0 && mount("again", "two", "mqueue", MS_NOSUID, NULL) == 0);
	mqd_t q = make(0, 1, 1, 0);
	struct stat one, two, direct;
	CHECK(stat(path_of(0), &one) == 0);
	char path[64];
	snprintf(path, sizeof(path), "two%s", own(0));
	CHECK(stat(path, &two) == 0 && fstat(q, &direct) == 0);
	CHECK(one.st_ino == two.st_ino && one.st_dev == two.st_dev && direct.st_ino == one.st_ino && direct.st_dev == one.st_dev);
	DIR *d = opendir("two");
	for (struct dirent *e; (e = readdir(d)); )
		found += !strcmp(e->d_name, own(0) + 1) && e->d_type == DT_REG;
	closedir(d);
	CHECK_EQ(found, 1);
	CHECK(umount("mq") == 0 && umount("two") == 0);
	mqd_t again = mq_open(own(0), O_RDWR);	/* queues need no mount */
	CHECK(again >= 0 && mq_unlink(own(0)) == 0);
	CHECK_ERR(mount("none", "mq", "mqueue", 0, "size=1"), EINVAL);
	CHECK(read_file("/proc/filesystems", b, sizeof(b)) > 0);
	p = strstr(b, "nodev\tmqueue\n");
	CHECK(p);
}

TEST(watched)
{
	char buf[512];
	struct inotify_event *e = (void *)buf;
	mounted();
	int in = inotify_init1(IN_NONBLOCK);
	CHECK(inotify_add_watch(in, "mq", IN_CREATE | IN_DELETE | IN_OPEN) > 0);
	mqd_t q = make(0, 1, 1, 0);
	CHECK(mq_unlink(own(0)) == 0);
	ssize_t n = read(in, buf, sizeof(buf));
	CHECK(n > (ssize_t)sizeof(*e));
	CHECK(e->mask == IN_CREATE && !strcmp(e->name, own(0) + 1));
	e = (void *)(e->name + e->len);
	CHECK(e->mask == IN_DELETE && !strcmp(e->name, own(0) + 1));
	CHECK_EQ((char *)(e->name + e->len) - buf, n);
	(void)q;
	CHECK(umount2("mq", MNT_DETACH) == 0);
}

