/* files: descriptor tables shared by threads, epoll, terminals and event descriptors, hit from all CPUs. */
#include "stress.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <termios.h>

/* ---- one table, many threads: dup, dup2, close, read, write, fork at once ---- */
#define SLOTS 24
#define BASE 100
static void *table_thread(void *arg)
{
	unsigned seed = (long)arg + 1;
	char b[32];
	while (!over()) {
		unsigned r = random_next(&seed);
		int fd = BASE + r % SLOTS, other = BASE + (r >> 8) % SLOTS, made[2];
		switch ((r >> 16) % 8) {
		case 0: if (close(fd) < 0) CHECK_EQ(errno, EBADF); break;
		case 1: if (dup2(fd, other) < 0) CHECK(errno == EBADF || errno == EBUSY); break;
		case 2: if (pipe2(made, O_NONBLOCK | O_CLOEXEC) == 0) { dup3(made[r >> 30 & 1], fd, O_CLOEXEC); close(made[0]); close(made[1]); } break;
		case 3: {
			int f = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
			if (f >= 0) { dup2(f, fd); close(f); }
			break;
		}
		case 4: if (read(fd, b, sizeof(b)) < 0) CHECK(errno == EBADF || errno == EAGAIN || errno == EISDIR || errno == EINVAL || errno == ESRCH); break;
		case 5: if (write(fd, b, sizeof(b)) < 0) CHECK(errno == EBADF || errno == EAGAIN || errno == EPIPE || errno == EINVAL || errno == EACCES); break;
		case 6: { struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT }; CHECK(poll(&p, 1, 0) >= 0); break; }
		case 7: if (fcntl(fd, F_SETFD, r & 1) < 0) CHECK_EQ(errno, EBADF); break;
		}
		progress();
	}
	return NULL;
}
static void table_kid(int n)
{
	pthread_t t[4];
	signal(SIGPIPE, SIG_IGN);
	for (long i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, table_thread, (void *)(i + n * 8)), 0);
	while (!over()) {
		pid_t pid = fork();		/* the table is copied while it changes */
		if (pid == 0) {
			for (int i = 0; i < SLOTS; i++) close(BASE + i);
			_exit(0);
		}
		CHECK_EQ(wait_status(pid), 0);
	}
	for (int i = 0; i < 4; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}
STORM(descriptor_tables_shared_by_threads) { crowd(table_kid, 2); }

/* A number that was returned belongs to its owner alone: nobody else may get it, and what is read through it is its own file. */
static void *owner_thread(void *arg)
{
	unsigned long tag = (unsigned long)arg << 32;
	while (!over()) {
		int fd = syscall(SYS_memfd_create, "own", 0);
		unsigned long v;
		CHECK(fd >= 0);
		tag++;
		CHECK_EQ(pwrite(fd, &tag, 8, 0), 8);
		int again = dup(fd);
		CHECK(again >= 0 && again != fd);
		CHECK(pread(again, &v, 8, 0) == 8 && v == tag);
		CHECK(close(fd) == 0);
		CHECK(pread(again, &v, 8, 0) == 8 && v == tag);
		CHECK(close(again) == 0);
		progress();
	}
	return NULL;
}
static void owners(int n)
{
	pthread_t t[6];
	for (long i = 0; i < 6; i++) CHECK_EQ(pthread_create(&t[i], NULL, owner_thread, (void *)(i + 1)), 0);
	for (int i = 0; i < 6; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
	struct stat st;
	for (int fd = 3; fd < 64; fd++)
		if (fstat(fd, &st) == 0) CHECK(!S_ISREG(st.st_mode));
}
STORM(numbers_belong_to_one_owner) { crowd(owners, 2); }

/* A reader blocked in a pipe whose descriptor another thread closes keeps its file until it is woken. */
static int shared_pipe[2];
static void *blocked_reader(void *arg)
{
	char c = 0;
	ssize_t r = read(shared_pipe[0], &c, 1);
	CHECK((r == 1 && c == 'x') || (r < 0 && errno == EBADF));
	return NULL;
}
static void close_under_reader(int n)
{
	while (!over()) {
		pthread_t t;
		CHECK(pipe(shared_pipe) == 0);
		CHECK_EQ(pthread_create(&t, NULL, blocked_reader, NULL), 0);
		if (n & 1) sched_yield();
		close(shared_pipe[0]);
		signal(SIGPIPE, SIG_IGN);
		if (write(shared_pipe[1], "x", 1) < 0) CHECK_EQ(errno, EPIPE);
		close(shared_pipe[1]);
		CHECK_EQ(pthread_join(t, NULL), 0);
		progress();
	}
}
STORM(closed_under_a_reader) { crowd(close_under_reader, 4); }

/* ---- epoll: edges are not lost, and sets race the files in them ---- */
#define EVENTS 8
static int ep, evs[EVENTS];
static _Atomic unsigned long given, got;
static void *ep_waiter(void *arg)
{
	for (;;) {
		struct epoll_event e[4];
		int n = epoll_wait(ep, e, 4, 1000);
		CHECK(n >= 0);
		for (int i = 0; i < n; i++) {
			uint64_t v;
			if (e[i].data.fd < 0)
				return NULL;
			if (read(evs[e[i].data.fd], &v, 8) == 8) { atomic_fetch_add(&got, v); progress(); }
			else CHECK_EQ(errno, EAGAIN);
			if ((long)arg & 1) {
				struct epoll_event again = { EPOLLIN | EPOLLONESHOT, { .fd = e[i].data.fd } };
				epoll_ctl(ep, EPOLL_CTL_MOD, evs[e[i].data.fd], &again);
			}
			struct epoll_event again = { EPOLLIN | (e[i].data.fd & 1 ? EPOLLET : EPOLLONESHOT), { .fd = e[i].data.fd } };
			CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, evs[e[i].data.fd], &again) == 0);
		}
	}
}
static void *ep_giver(void *arg)
{
	unsigned seed = (long)arg + 1;
	uint64_t one = 1;
	while (!over()) {
		if (atomic_load(&given) - atomic_load(&got) > 1000) { sched_yield(); continue; }
		CHECK_EQ(write(evs[random_next(&seed) % EVENTS], &one, 8), 8);
		atomic_fetch_add(&given, 1);
	}
	return NULL;
}
static void ep_kid(int n)
{
	pthread_t w[3], g[2];
	int last = eventfd(0, EFD_NONBLOCK);
	ep = epoll_create1(0);
	CHECK(ep >= 0 && last >= 0);
	for (int i = 0; i < EVENTS; i++) {
		struct epoll_event e = { EPOLLIN | (i & 1 ? EPOLLET : EPOLLONESHOT), { .fd = i } };
		evs[i] = eventfd(0, EFD_NONBLOCK);
		CHECK(evs[i] >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, evs[i], &e) == 0);
	}
	for (long i = 0; i < 3; i++) CHECK_EQ(pthread_create(&w[i], NULL, ep_waiter, (void *)i), 0);
	for (long i = 0; i < 2; i++) CHECK_EQ(pthread_create(&g[i], NULL, ep_giver, (void *)i), 0);
	while (!over()) {		/* sets and files come and go beside it */
		int e2 = epoll_create1(0), p[2];
		struct epoll_event e = { EPOLLIN, { .fd = 0 } };
		CHECK(e2 >= 0 && pipe(p) == 0);
		CHECK(epoll_ctl(e2, EPOLL_CTL_ADD, p[0], &e) == 0);
		CHECK(epoll_ctl(e2, EPOLL_CTL_ADD, evs[0], &e) == 0);
		epoll_wait(e2, &e, 1, 0);
		close(p[0]);
		if (n & 1) epoll_ctl(e2, EPOLL_CTL_DEL, evs[0], &e);
		close(e2);
		close(p[1]);
	}
	for (int i = 0; i < 2; i++) CHECK_EQ(pthread_join(g[i], NULL), 0);
	while (atomic_load(&got) < atomic_load(&given)) sched_yield();		/* a lost edge stands here for ever */
	struct epoll_event e = { EPOLLIN, { .fd = -1 } };
	uint64_t one = 1;
	write(last, &one, 8);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, last, &e) == 0);
	for (int i = 0; i < 3; i++) CHECK_EQ(pthread_join(w[i], NULL), 0);
	CHECK_EQ(got, given);
}
STORM(epoll_loses_nothing) { crowd(ep_kid, 2); }

/* ---- terminals: masters and slaves opened, written, hung up at once ---- */
static void pty_kid(int n)
{
	signal(SIGHUP, SIG_IGN);
	while (!over()) {
		int m = posix_openpt(O_RDWR | O_NOCTTY), nr = -1, zero = 0;
		char name[32], b[256];
		CHECK(m >= 0);
		CHECK(ioctl(m, TIOCGPTN, &nr) == 0 && ioctl(m, TIOCSPTLCK, &zero) == 0);
		snprintf(name, sizeof(name), "/dev/pts/%d", nr);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			setsid();
			int s = open(name, O_RDWR);
			if (s < 0) _exit(errno == EIO || errno == ENOENT ? 0 : 1);
			close(m);
			struct termios t;
			if (tcgetattr(s, &t) == 0) { t.c_lflag ^= ICANON | ECHO; tcsetattr(s, TCSANOW, &t); }
			for (int i = 0; i < 20; i++)
				if (write(s, "hello\n", 6) < 0) _exit(errno == EIO ? 0 : 2);
			struct winsize ws = { 24, 80 + nr % 10, 0, 0 };
			ioctl(s, TIOCSWINSZ, &ws);
			_exit(0);
		}
		write(m, "typed\n\003\032", 8);
		fcntl(m, F_SETFL, O_NONBLOCK);
		for (int i = 0; i < 4 + n; i++) { if (read(m, b, sizeof(b)) < 0) CHECK(errno == EIO || errno == EAGAIN); sched_yield(); }
		if (n & 1) close(m);			/* hung up under the writer */
		else
			for (;;) {			/* or drained: it must not be left blocked in write */
				ssize_t r = read(m, b, sizeof(b));
				int st;
				if (r < 0) CHECK(errno == EIO || errno == EAGAIN);
				if (waitpid(pid, &st, WNOHANG) == pid) { CHECK(EXITED(st, 0) || WIFSIGNALED(st)); pid = 0; break; }
				kill(pid, SIGCONT);
				sched_yield();
			}
		if (pid) { kill(pid, SIGCONT); int st = wait_status(pid); CHECK(EXITED(st, 0) || WIFSIGNALED(st)); }
		if (!(n & 1)) close(m);
		progress();
	}
}
STORM(pseudo_terminals) { crowd(pty_kid, 4); }

/* ---- timers of every kind, set and taken away while they expire ---- */
static _Atomic unsigned long ticks;
static void on_tick(int s) { atomic_fetch_add(&ticks, 1); }
static void timers_kid(int n)
{
	unsigned seed = n + 1;
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	while (!over()) {
		unsigned r = random_next(&seed);
		struct itimerspec its = { { 0, 0 }, { 0, 1 + r % 500000 } };
		struct itimerval it = { { 0, 0 }, { 0, 1 + r % 500 } };
		struct sigevent ev = { .sigev_notify = r & 1 ? SIGEV_SIGNAL : SIGEV_NONE, .sigev_signo = SIGRTMIN + 1 };
		timer_t t;
		int fd = timerfd_create(r & 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC, r & 4 ? TFD_NONBLOCK : 0);
		CHECK(fd >= 0);
		CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
		CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
		CHECK(timer_settime(t, 0, &its, NULL) == 0);
		CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
		uint64_t v = 0;
		ssize_t got = read(fd, &v, 8);
		CHECK((got == 8 && v == 1) || (got < 0 && (errno == EAGAIN || errno == EINTR)));
		struct timespec ts = { 0, r % 200000 };
		CHECK(nanosleep(&ts, NULL) == 0 || errno == EINTR);
		timer_gettime(t, &its);
		CHECK(timer_delete(t) == 0);
		close(fd);
		progress();
	}
	struct itimerval off = { 0 };
	setitimer(ITIMER_REAL, &off, NULL);
}
STORM(timers_set_and_taken_away) { crowd(timers_kid, 6); }
