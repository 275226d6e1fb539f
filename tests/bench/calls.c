/* calls: what single system calls, faults, processes, pipes and tmpfs cost.
 * Arguments name the groups to run; none means all.  */
#include "bench.h"
#include <mqueue.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <termios.h>

static int argc_; static char **argv_;
static int wanted(const char *group)
{
	if (argc_ < 2)
		return 1;
	for (int i = 1; i < argc_; i++)
		if (!strcmp(argv_[i], group))
			return 1;
	return 0;
}

static void fail(const char *what) { printf("# bench: %s: errno %d\n", what, errno); exit(1); }

static void simple_calls(void)
{
	char c = 0;
	struct stat st;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), fd;
	if (zero < 0 || null < 0)
		fail("/dev/zero, /dev/null");
	bench("null_call", 4000, raw0(SYS_getppid));
	bench("read1", 4000, read(zero, &c, 1));
	bench("write1", 4000, write(null, &c, 1));
	bench("stat", 2000, stat("/tmp", &st));
	fd = open("/tmp/bench-file", O_CREAT | O_RDWR, 0600);
	if (fd < 0 || write(fd, "hello", 5) != 5)
		fail("/tmp/bench-file");
	bench("pread1_tmpfs", 2000, pread(fd, &c, 1, 0));
	bench("fstat", 2000, fstat(fd, &st));
	close(fd);
	bench("open_close", 1000, close(open("/tmp/bench-file", O_RDONLY)));
	unlink("/tmp/bench-file");
}

static void on_signal(int s) { (void)s; }

static void signals(void)
{
	pid_t me = getpid();
	signal(SIGUSR1, on_signal);
	bench("signal_self", 1000, kill(me, SIGUSR1));
}

#define FAULT_PAGES 512
static void fault_round(void)
{
	char *m = mmap(NULL, FAULT_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < FAULT_PAGES; i++)
		((volatile char *)m)[i * 4096] = 1;
	munmap(m, FAULT_PAGES * 4096);
}

static void faults(void)
{
	double s[5];
	fault_round();
	for (int r = 0; r < 5 * longer() && chosen("anon_fault"); r++) {
		uint64_t t;
		char *m = mmap(NULL, FAULT_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		MARK_BEGIN();
		t = ticks();
		for (int i = 0; i < FAULT_PAGES; i++)
			((volatile char *)m)[i * 4096] = 1;
		s[r % 5] = (ticks() - t) * tick_ns() / FAULT_PAGES;
		MARK_END();
		munmap(m, FAULT_PAGES * 4096);
	}
	if (chosen("anon_fault"))
		report("anon_fault", FAULT_PAGES, s);
	bench("mmap_munmap", 500, munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096));
}

static void fork_exit(void)
{
	pid_t p = fork();
	if (p == 0)
		_exit(0);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		fail("fork");
}

static char *exec_argv[] = { "/bench/true", NULL };
static char *no_env[] = { NULL };

static void fork_exec(void)
{
	pid_t p = fork();
	if (p == 0) {
		execve(exec_argv[0], exec_argv, no_env);
		_exit(127);
	}
	if (p < 0 || waitpid(p, NULL, 0) != p)
		fail("fork");
}

/* A real vfork: musl's is fork.  The child runs on its own stack. */
static char child_stack[16384] __attribute__((aligned(16)));
static int exec_child(void *arg)
{
	(void)arg;
	execve(exec_argv[0], exec_argv, no_env);
	_exit(127);
}

static void vfork_exec(void)
{
	pid_t p = clone(exec_child, child_stack + sizeof(child_stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	if (p < 0 || waitpid(p, NULL, 0) != p)
		fail("vfork");
}

static void sh_c(void)
{
	static char *argv[] = { "sh", "-c", "exit 0", NULL };
	pid_t p = fork();
	int st;
	if (p == 0) {
		execve("/bin/sh", argv, no_env);
		_exit(127);
	}
	if (p < 0 || waitpid(p, &st, 0) != p || st != 0)
		fail("sh");
}

static void processes(void)
{
	bench("fork_exit", 100, fork_exit());
	bench("fork_exec", 50, fork_exec());
	bench("vfork_exec", 50, vfork_exec());
	if (access("/bin/sh", X_OK) == 0)
		bench("sh_c", 20, sh_c());
}

static int up[2], down[2];

static void pipe_round(void)
{
	char c = 'x';
	if (write(down[1], &c, 1) != 1 || read(up[0], &c, 1) != 1)
		fail("pipe");
}

static void pipes(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (pipe(up) < 0 || pipe(down) < 0)
		fail("pipe");
	pid_t p = fork();
	if (p == 0) {
		char c;
		close(down[1]);
		while (read(down[0], &c, 1) == 1)
			write(up[1], &c, 1);
		_exit(0);
	}
	close(down[0]);
	bench("pipe_round_trip", 500, pipe_round());
	close(down[1]);
	waitpid(p, NULL, 0);
	if (!chosen("context_switch"))
		return;
	/* Two real-time processes that only yield to each other: strictly a call and a switch each. */
	struct sched_param rt = { .sched_priority = 1 };
	volatile int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &rt) < 0)
		printf("# no SCHED_FIFO (errno %d): context_switch is of the fair class\n", errno);
	p = fork();
	if (p == 0) {
		while (!*stop)
			sched_yield();
		_exit(0);
	}
	sched_yield();
	double s[5];
	for (int r = 0; r < 5 * longer(); r++) {
		MARK_BEGIN();
		uint64_t t = ticks();
		for (int i = 0; i < 500; i++)
			sched_yield();
		s[r % 5] = (ticks() - t) * tick_ns() / 1000;	/* each yield of ours is two switches */
		MARK_END();
	}
	*stop = 1;
	waitpid(p, NULL, 0);
	report("context_switch", 1000, s);
}

static void tmpfs(void)
{
	enum { N = 200 };
	double c[5], d[5];
	char name[64];
	mkdir("/tmp/bench-dir", 0700);
	if (chdir("/tmp/bench-dir") < 0)
		fail("chdir");
	for (int r = 0; r < 5 * longer(); r++) {
		if (chosen("tmpfs_create"))
			MARK_BEGIN();
		uint64_t t = ticks();
		for (int i = 0; i < N; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			close(open(name, O_CREAT | O_WRONLY, 0600));
		}
		c[r % 5] = (ticks() - t) * tick_ns() / N;
		MARK_END();
		if (chosen("tmpfs_delete"))
			MARK_BEGIN();
		t = ticks();
		for (int i = 0; i < N; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			unlink(name);
		}
		d[r % 5] = (ticks() - t) * tick_ns() / N;
		MARK_END();
	}
	report("tmpfs_create", N, c);
	report("tmpfs_delete", N, d);
	chdir("/");
	rmdir("/tmp/bench-dir");
}

/* A queue of each kind: 64 bytes sent and received by oneself, and to another process and back. */
static struct { long type; char text[64]; } note = { 1, "" };
static int sysv[2], posix[2];

static void sysv_self(void)
{
	if (msgsnd(sysv[0], &note, 64, 0) || msgrcv(sysv[0], &note, 64, 0, 0) != 64)
		fail("msgsnd, msgrcv");
}
static void sysv_round(void)
{
	if (msgsnd(sysv[0], &note, 64, 0) || msgrcv(sysv[1], &note, 64, 0, 0) != 64)
		fail("msgsnd, msgrcv");
}
static void posix_self(void)
{
	if (mq_send(posix[0], note.text, 64, 0) || mq_receive(posix[0], note.text, 64, NULL) != 64)
		fail("mq_send, mq_receive");
}
static void posix_round(void)
{
	if (mq_send(posix[0], note.text, 64, 0) || mq_receive(posix[1], note.text, 64, NULL) != 64)
		fail("mq_send, mq_receive");
}

static void queues(void)
{
	struct mq_attr a = { .mq_maxmsg = 8, .mq_msgsize = 64 };
	pid_t p;
	for (int i = 0; i < 2; i++) {
		sysv[i] = msgget(IPC_PRIVATE, 0600);
		posix[i] = mq_open("/bench", O_CREAT | O_RDWR, 0600, &a);
		if (sysv[i] < 0 || posix[i] < 0 || mq_unlink("/bench"))
			fail("msgget, mq_open");
	}
	bench("sysv_queue_self", 1000, sysv_self());
	bench("posix_queue_self", 1000, posix_self());
	p = fork();
	if (p == 0) {
		while (msgrcv(sysv[0], &note, 64, 0, 0) == 64 && !msgsnd(sysv[1], &note, 64, 0)) ;
		_exit(0);
	}
	bench("sysv_queue_round_trip", 500, sysv_round());
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	p = fork();
	if (p == 0) {
		while (mq_receive(posix[0], note.text, 64, NULL) == 64 && !mq_send(posix[1], note.text, 64, 0)) ;
		_exit(0);
	}
	bench("posix_queue_round_trip", 500, posix_round());
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	msgctl(sysv[0], IPC_RMID, NULL);
	msgctl(sysv[1], IPC_RMID, NULL);
}

/* A pseudo-terminal: 1 KiB of output, raw, and a line of input, edited and echoed. */
static int master, slave;
static char block[1024];

static void all_of(int fd, size_t want)
{
	while (want) {
		ssize_t n = read(fd, block, want < sizeof(block) ? want : sizeof(block));
		if (n <= 0)
			fail("pty");
		want -= (size_t)n;
	}
}
static void pty_out(void)
{
	if (write(slave, block, sizeof(block)) != sizeof(block))
		fail("pty");
	all_of(master, sizeof(block));
}
static void pty_line(void)
{
	static const char line[] = "echo a line of input\n";
	if (write(master, line, sizeof(line) - 1) != sizeof(line) - 1)
		fail("pty");
	all_of(slave, sizeof(line) - 1);
	all_of(master, sizeof(line));		/* the echo's newline is two */
}

static void terminals(void)
{
	struct termios cooked, raw;
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666");
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0 || unlockpt(master) || (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		fail("/dev/ptmx");
	tcgetattr(slave, &cooked);
	bench("pty_line", 500, pty_line());
	raw = cooked;
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	memset(block, 'x', sizeof(block));
	bench("pty_output_1k", 500, pty_out());
	close(slave);
	close(master);
}

/* A write to a watched file, and its event. */
static int watcher, watched;

static void inotify_event(void)
{
	char buf[512];
	if (pwrite(watched, "x", 1, 0) != 1 || read(watcher, buf, sizeof(buf)) <= 0)
		fail("inotify");
}
static void inotify_name(void)
{
	char buf[512];
	close(open("/tmp/bench-watched/f", O_CREAT | O_WRONLY, 0600));
	unlink("/tmp/bench-watched/f");
	if (read(watcher, buf, sizeof(buf)) <= 0)
		fail("inotify");
}

static void notices(void)
{
	int wd;
	mkdir("/tmp/bench-watched", 0700);
	watched = open("/tmp/bench-watched/w", O_CREAT | O_RDWR, 0600);
	watcher = inotify_init1(0);
	wd = inotify_add_watch(watcher, "/tmp/bench-watched/w", IN_MODIFY);
	if (watched < 0 || wd < 0)
		fail("inotify");
	bench("inotify_write", 1000, inotify_event());
	inotify_rm_watch(watcher, wd);
	wd = inotify_add_watch(watcher, "/tmp/bench-watched", IN_CREATE | IN_DELETE);
	bench("inotify_create_delete", 500, inotify_name());
	bench("inotify_watch_add_rm", 500, inotify_rm_watch(watcher, inotify_add_watch(watcher, "/tmp/bench-watched/w", IN_MODIFY)));
	close(watcher);
	close(watched);
	unlink("/tmp/bench-watched/w");
	rmdir("/tmp/bench-watched");
}

static void memory_free(void)
{
	char buf[2048], *p;
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	if ((p = strstr(buf, "MemFree:")))
		printf("METRIC mem_free=%ld kB\n", atol(p + 8));
	if ((p = strstr(buf, "MemTotal:")))
		printf("METRIC mem_total=%ld kB\n", atol(p + 9));
}

int main(int argc, char **argv)
{
	argc_ = argc; argv_ = argv;
	if (wanted("memory")) memory_free();
	if (wanted("simple")) simple_calls();
	if (wanted("signals")) signals();
	if (wanted("faults")) faults();
	if (wanted("processes")) processes();
	if (wanted("tmpfs") && (chosen("tmpfs_create") || chosen("tmpfs_delete"))) tmpfs();
	if (wanted("queues")) queues();
	if (wanted("terminals")) terminals();
	if (wanted("notices")) notices();
	if (wanted("pipes")) pipes();
	return 0;
}
