/* scale: what a second and a fourth worker bring, storms of pipes and of local sockets, and round trips between processors.
 *
 * Run at -smp 4.  A scaling item runs a small operation in 1, 2 and 4 workers for a fixed time each and prints the time over all
 * operations done, so that ideal scaling halves and quarters the figure; scripts/bench prints the speed-ups.  Workers meet in a
 * shared page; nobody writes a line of another's while the clock runs, nor reads the clock, which takes QEMU's one lock: so what does not
 * scale is the kernel's doing, or QEMU's when it enters and leaves the kernel.  benchpad=N: after each operation (a call of an item
 * whose op makes several, not after all of them: calls on each other's heels would be paced on paper only) a worker works N ns for itself.
 * Arguments name the groups to run (none: all).  */
#include "bench.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MAX_WORKERS 4
#define RUN_NS 150000000.0

struct line { volatile uint64_t v; char pad[248]; };		/* further apart than any cache line */
static struct shared {
	struct line ready, go, stop, count[MAX_WORKERS], word[2 * MAX_WORKERS];
} *sh;
static uint64_t pad_turns;

static void fail(const char *what) { printf("# bench: %s: errno %d\n", what, errno); fflush(stdout); _exit(1); }

static void futex_wait(volatile uint64_t *w, uint32_t v) { syscall(SYS_futex, w, FUTEX_WAIT, v, NULL, NULL, 0); }
static void futex_wake(volatile uint64_t *w, int n) { syscall(SYS_futex, w, FUTEX_WAKE, n, NULL, NULL, 0); }

/* One operation of worker me; returns how much it did. */
struct item { const char *name; long (*op)(int me); void (*setup)(int me); int threads; void (*done)(int me); };
static const struct item *now;

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

static void spin(uint64_t turns)
{
	for (uint64_t i = 0; i < turns; i++)
		asm volatile("");
}
static void pad(void) { spin(pad_turns); }

/* How many turns of spin() last ns: by the quickest of some tries. */
static uint64_t turns_of(double ns)
{
	double best = 1e30;
	for (int i = 0; i < 10; i++) {
		uint64_t t = ticks();
		spin(1000000);
		t = ticks() - t;
		if (t * tick_ns() < best)
			best = t * tick_ns();
	}
	return (uint64_t)(ns / best * 1e6);
}

static void *worker(void *arg)
{
	int me = (int)(intptr_t)arg;
	uint64_t n = 0;
	if (now->setup)
		now->setup(me);
	now->op(me);		/* warm */
	__atomic_fetch_add(&sh->ready.v, 1, __ATOMIC_SEQ_CST);
	futex_wake(&sh->ready.v, 1);
	while (!sh->go.v)
		futex_wait(&sh->go.v, 0);
	while (!sh->stop.v) {
		n += now->op(me);
	}
	sh->count[me].v = n;
	if (now->done)
		now->done(me);
	return NULL;
}

/* nanoseconds of wall clock for one operation, done by `workers` at once */
static double run_once(const struct item *it, int workers)
{
	pthread_t th[MAX_WORKERS];
	pid_t pid[MAX_WORKERS];
	struct timespec run = { 0, (long)RUN_NS };
	uint64_t total = 0, seen, begun;
	double took;
	now = it;
	memset(sh, 0, sizeof(*sh));
	for (int i = 0; i < workers; i++) {
		if (it->threads) {
			if (pthread_create(&th[i], NULL, worker, (void *)(intptr_t)i))
				fail("pthread_create");
		} else if ((pid[i] = fork()) == 0) {
			worker((void *)(intptr_t)i);
			_exit(0);
		} else if (pid[i] < 0) {
			fail("fork");
		}
	}
	while ((seen = sh->ready.v) < (uint64_t)workers)
		futex_wait(&sh->ready.v, (uint32_t)seen);
	begun = ticks();
	__atomic_store_n(&sh->go.v, 1, __ATOMIC_SEQ_CST);
	futex_wake(&sh->go.v, 1000);
	nanosleep(&run, NULL);
	sh->stop.v = 1;
	took = (ticks() - begun) * tick_ns();
	for (int i = 0; i < workers; i++) {
		int st;
		if (it->threads)
			pthread_join(th[i], NULL);
		else if (waitpid(pid[i], &st, 0) != pid[i] || st)
			fail(it->name);
	}
	for (int i = 0; i < workers; i++)
		total += sh->count[i].v;
	return took / (total ? total : 1);
}

/* benchlocks=1: where it waited for locks, ours only */
static void show_locks(const char *what)
{
	char buf[16384];
	int fd = getenv("benchlocks") ? open("/proc/lock_stat", O_RDWR) : -1;
	ssize_t n;
	if (fd < 0)
		return;
	printf("# locks: %s\n", what);
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write(1, buf, n);
	write(fd, "0", 1);
	close(fd);
}

static void scale(const struct item *it)
{
	if (!chosen(it->name))
		return;
	for (int workers = 1; workers <= MAX_WORKERS; workers *= 2) {
		double best = 0;
		for (int r = 0; r < 3; r++) {
			double t = run_once(it, workers);
			if (!r || t < best)
				best = t;
		}
		printf("METRIC %s_x%d=%.1f ns\n", it->name, workers, best);
		fflush(stdout);
		show_locks(it->name);
	}
}

/* --- operations; what a worker needs of its own is in these, private to its process or indexed by worker --- */
static char *area[MAX_WORKERS];
static int fds[MAX_WORKERS][2], back[MAX_WORKERS][2], shared_fd;

static void map_area(int me)
{
	area[me] = mmap(NULL, 256 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area[me] == MAP_FAILED)
		fail("mmap");
}

static long faults_op(int me)
{
	for (int i = 0; i < 256; i++) {
		((volatile char *)area[me])[i * 4096] = 1;
		pad();
	}
	if (madvise(area[me], 256 * 4096, MADV_DONTNEED))
		fail("madvise");
	return 256;
}

static long map_op(int me)
{
	char *m = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)me;
	for (int i = 0; i < 16; i++)
		((volatile char *)m)[i * 4096] = 1;
	munmap(m, 16 * 4096);
	pad();
	return 1;
}

static long fork_op(int me)
{
	pid_t p = fork();
	(void)me;
	if (p == 0)
		_exit(0);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		fail("fork");
	pad();
	return 1;
}

static long exec_op(int me)
{
	pid_t p = fork();
	(void)me;
	if (p == 0) {
		execl("/bench/true", "true", (char *)NULL);
		_exit(127);
	}
	if (p < 0 || waitpid(p, NULL, 0) != p)
		fail("fork");
	pad();
	return 1;
}

static char names[MAX_WORKERS][32];
static void own_file(int me)
{
	int fd;
	snprintf(names[me], sizeof(names[me]), "/tmp/scale/file%d", me);
	fd = open(names[me], O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		fail(names[me]);
	close(fd);
}
static long open_op(int me)
{
	for (int i = 0; i < 16; i++) {
		close(open(names[me], O_RDONLY));
		pad();
	}
	return 16;
}
static long create_op(int me)
{
	char name[40];
	snprintf(name, sizeof(name), "/tmp/scale/new%d", me);
	for (int i = 0; i < 8; i++) {
		close(open(name, O_CREAT | O_RDWR, 0600));
		unlink(name);
		pad();
	}
	return 8;
}
static long stat_op(int me)
{
	struct stat st;
	(void)me;
	for (int i = 0; i < 16; i++) {
		stat("/tmp/scale/hot", &st);
		pad();
	}
	return 16;
}
static long pread_op(int me)
{
	char c;
	(void)me;
	for (int i = 0; i < 16; i++) {
		pread(shared_fd, &c, 1, 0);
		pad();
	}
	return 16;
}

static void own_pipe(int me) { if (pipe(fds[me]) || pipe(back[me])) fail("pipe"); }
static long pipe_self_op(int me)
{
	char c = 0;
	for (int i = 0; i < 16; i++) {
		if (write(fds[me][1], &c, 1) != 1 || read(fds[me][0], &c, 1) != 1)
			fail("pipe");
		pad();
	}
	return 16;
}

static void echo_pair(int me)
{
	char c;
	own_pipe(me);
	if (fork() == 0) {
		close(fds[me][1]);
		while (read(fds[me][0], &c, 1) == 1)
			write(back[me][1], &c, 1);
		_exit(0);
	}
	close(fds[me][0]);
	close(back[me][1]);
	signal(SIGCHLD, SIG_IGN);	/* it ends when our end closes; nobody waits */
}
static long pipe_pair_op(int me)
{
	char c = 0;
	for (int i = 0; i < 4; i++) {
		if (write(fds[me][1], &c, 1) != 1 || read(back[me][0], &c, 1) != 1)
			fail("pipe pair");
		pad();
	}
	return 4;
}

/* What the emulator and its host allow: no kernel at all, and nothing of a kernel but the way in and out. */
static long spin_op(int me)
{
	for (volatile int i = 0; i < 4000; i++)
		(void)me;
	return 4;
}
static long null_op(int me)
{
	(void)me;
	for (int i = 0; i < 16; i++) {
		syscall(SYS_getppid);
		pad();
	}
	return 16;
}

static long futex_wake_op(int me)
{
	for (int i = 0; i < 16; i++) {
		futex_wake(&sh->word[me].v, 1);
		pad();
	}
	return 16;
}

/* A futex pair hands a turn word to and fro: 1 to the echo, 0 back, 2 to end, answered by 3. */
static void futex_echo(volatile uint64_t *w)
{
	for (;;) {
		while (!*w)
			futex_wait(w, 0);
		if (*w == 2) {
			*w = 3;
			futex_wake(w, 1);
			return;
		}
		*w = 0;
		futex_wake(w, 1);
	}
}
static void futex_turn(volatile uint64_t *w)
{
	*w = 1;
	futex_wake(w, 1);
	while (*w)
		futex_wait(w, 1);
}
static void futex_pair(int me)
{
	if (fork() == 0) {
		futex_echo(&sh->word[me].v);
		_exit(0);
	}
	signal(SIGCHLD, SIG_IGN);
}
static long futex_pair_op(int me)
{
	for (int i = 0; i < 4; i++) {
		futex_turn(&sh->word[me].v);
		pad();
	}
	return 4;
}
static void futex_end(volatile uint64_t *w)
{
	*w = 2;
	futex_wake(w, 1);
	while (*w == 2)
		futex_wait(w, 2);
}
static void futex_pair_done(int me) { futex_end(&sh->word[me].v); }

static const struct item items[] = {
	{ "spin", spin_op, NULL, 0, NULL },
	{ "null_call", null_op, NULL, 0, NULL },
	{ "fault_proc", faults_op, map_area, 0, NULL },
	{ "fault_thread", faults_op, map_area, 1, NULL },
	{ "map_proc", map_op, NULL, 0, NULL },
	{ "map_thread", map_op, NULL, 1, NULL },
	{ "fork_exit", fork_op, NULL, 0, NULL },
	{ "fork_exec", exec_op, NULL, 0, NULL },
	{ "open_close", open_op, own_file, 0, NULL },
	{ "open_close_thread", open_op, own_file, 1, NULL },
	{ "create_unlink", create_op, NULL, 0, NULL },
	{ "stat_hot", stat_op, NULL, 0, NULL },
	{ "pread_hot", pread_op, NULL, 0, NULL },
	{ "pread_thread", pread_op, NULL, 1, NULL },
	{ "pipe_self", pipe_self_op, own_pipe, 0, NULL },
	{ "pipe_pairs", pipe_pair_op, echo_pair, 0, NULL },
	{ "futex_wake", futex_wake_op, NULL, 0, NULL },
	{ "futex_pairs", futex_pair_op, futex_pair, 0, futex_pair_done },
};

/* --- the storm: groups of senders and receivers, each sender writing to each receiver's pipe, or pair of local sockets --- */
#define GROUPS	20
#define SIDE	20	/* senders, and receivers, in a group */
#define LOOPS	20
#define MSG	100
struct group { int in[SIDE], out[SIDE]; };
static int ready_pipe[2], wake_pipe[2];

static void storm_ready(void)
{
	struct pollfd p = { .fd = wake_pipe[0], .events = POLLIN };
	char c = '*';
	if (write(ready_pipe[1], &c, 1) != 1 || poll(&p, 1, -1) != 1)
		fail("storm start");
}
static void *storm_send(void *arg)
{
	struct group *g = arg;
	char data[MSG] = { 0 };
	storm_ready();
	for (int l = 0; l < LOOPS; l++)
		for (int i = 0; i < SIDE; i++)
			if (write(g->out[i], data, MSG) != MSG)
				fail("storm write");
	return NULL;
}
static void *storm_receive(void *arg)
{
	int fd = *(int *)arg;
	char data[MSG];
	storm_ready();
	for (int n = 0; n < SIDE * LOOPS * MSG; ) {
		ssize_t got = read(fd, data, MSG);
		if (got <= 0)
			fail("storm read");
		n += got;
	}
	return NULL;
}

static pthread_t storm_threads[GROUPS * SIDE * 2];
static int storm_tasks;
static void storm_start(int threads, void *(*f)(void *), void *arg)
{
	if (threads) {
		pthread_attr_t a;
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 16384);
		if (pthread_create(&storm_threads[storm_tasks], &a, f, arg))
			fail("pthread_create");
	} else {
		pid_t p = fork();
		if (p < 0)
			fail("fork");
		if (p == 0) {
			f(arg);
			_exit(0);
		}
	}
	storm_tasks++;
}

/* p[0] is read from, p[1] written to. */
static int storm_channel(int sockets, int p[2]) { return sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, p) : pipe(p); }

static void storm(const char *name, int threads, int sockets)
{
	static struct group groups[GROUPS];
	double best = 0;
	if (!chosen(name))
		return;
	for (int r = 0; r < 3; r++) {
		char c = '*';
		uint64_t t;
		storm_tasks = 0;
		if (pipe(ready_pipe) || pipe(wake_pipe))
			fail("pipe");
		for (int g = 0; g < GROUPS; g++) {
			for (int i = 0; i < SIDE; i++) {
				int p[2];
				if (storm_channel(sockets, p))
					fail("storm channel");
				groups[g].in[i] = p[0];
				groups[g].out[i] = p[1];
			}
			for (int i = 0; i < SIDE; i++)
				storm_start(threads, storm_receive, &groups[g].in[i]);
			for (int i = 0; i < SIDE; i++)
				storm_start(threads, storm_send, &groups[g]);
			for (int i = 0; i < SIDE && !threads; i++) {
				close(groups[g].in[i]);
				close(groups[g].out[i]);
			}
		}
		for (int i = 0; i < storm_tasks; i++)
			if (read(ready_pipe[0], &c, 1) != 1)
				fail("storm ready");
		t = ticks();
		if (write(wake_pipe[1], &c, 1) != 1)
			fail("storm go");
		for (int i = 0; i < storm_tasks; i++) {
			int st;
			if (threads)
				pthread_join(storm_threads[i], NULL);
			else if (wait(&st) < 0 || st)
				fail("storm child");
		}
		double ns = (ticks() - t) * tick_ns();
		if (!r || ns < best)
			best = ns;
		for (int g = 0; g < GROUPS && threads; g++)
			for (int i = 0; i < SIDE; i++) {
				close(groups[g].in[i]);
				close(groups[g].out[i]);
			}
		close(ready_pipe[0]); close(ready_pipe[1]); close(wake_pipe[0]); close(wake_pipe[1]);
	}
	printf("METRIC %s=%.1f ns\n", name, best);
	fflush(stdout);
	show_locks(name);
}

/* --- round trips, both ends pinned --- */
static void pipe_rtt(const char *name, int other)
{
	char c = 0;
	pid_t p;
	pin(0);
	own_pipe(0);
	p = fork();
	if (p == 0) {
		pin(other);
		close(fds[0][1]);
		while (read(fds[0][0], &c, 1) == 1)
			write(back[0][1], &c, 1);
		_exit(0);
	}
	bench(name, 1000, if (write(fds[0][1], &c, 1) != 1 || read(back[0][0], &c, 1) != 1) fail(name));
	close(fds[0][0]); close(fds[0][1]); close(back[0][0]); close(back[0][1]);
	waitpid(p, NULL, 0);
}
static void futex_rtt(const char *name, int other)
{
	pid_t p;
	pin(0);
	sh->word[0].v = 0;
	p = fork();
	if (p == 0) {
		pin(other);
		futex_echo(&sh->word[0].v);
		_exit(0);
	}
	bench(name, 1000, futex_turn(&sh->word[0].v));
	futex_end(&sh->word[0].v);
	waitpid(p, NULL, 0);
}
/* Two real-time processes on one processor that only yield to each other: strictly a call and a switch each. */
static void yield_rtt(void)
{
	struct sched_param rt = { .sched_priority = 1 }, fair = { 0 };
	pid_t p;
	pin(0);
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &rt))
		printf("# no SCHED_FIFO (errno %d): switch_smp is of the fair class\n", errno);
	sh->go.v = 0;
	p = fork();
	if (p == 0) {
		while (!sh->go.v)
			sched_yield();
		_exit(0);
	}
	bench("switch_smp", 2000, sched_yield());	/* there and back: two switches */
	sh->go.v = 1;
	waitpid(p, NULL, 0);
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &fair);
}
static void unpin(void)
{
	cpu_set_t set;
	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static int argc_; static char **argv_;
static int wanted(const char *group)
{
	for (int i = 1; i < argc_; i++)
		if (!strcmp(argv_[i], group))
			return 1;
	return argc_ < 2;
}

int main(int argc, char **argv)
{
	struct rlimit nofile = { 4096, 4096 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);	/* before anything is pinned */
	argc_ = argc; argv_ = argv;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		fail("mmap");
	setrlimit(RLIMIT_NOFILE, &nofile);
	mkdir("/tmp/scale", 0777);
	shared_fd = open("/tmp/scale/hot", O_CREAT | O_RDWR, 0600);
	if (shared_fd < 0 || write(shared_fd, "hello", 5) != 5)
		fail("/tmp/scale/hot");
	printf("METRIC cpus=%ld\n", cpus);
	if (getenv("benchpad"))
		pad_turns = turns_of(atof(getenv("benchpad")));
	if (wanted("scaling"))
		for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
			scale(&items[i]);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]) && argc_ > 1; i++)
		if (wanted(items[i].name))
			scale(&items[i]);
	if (wanted("storm")) {
		storm("storm_processes", 0, 0);
		storm("storm_threads", 1, 0);
		storm("storm_sockets_processes", 0, 1);
		storm("storm_sockets_threads", 1, 1);
	}
	if (wanted("trips")) {
		yield_rtt();
		pipe_rtt("pipe_same_cpu", 0);
		futex_rtt("futex_same_cpu", 0);
		if (cpus > 1) {
			pipe_rtt("pipe_cross_cpu", 1);
			futex_rtt("futex_cross_cpu", 1);
		}
		unpin();
	}
	return 0;
}
