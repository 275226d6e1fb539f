/* processes: fork, exec, kill and wait from all CPUs; families that die in every order; /proc walked meanwhile. */
#include "stress.h"
#include <spawn.h>
#include <sys/prctl.h>

static void fork_exec(int n)
{
	char *argv[] = { "processes", "quit", NULL };
	for (unsigned i = 0; !over(); i++) {
		pid_t pid = -1;
		if (i & 1)		/* CLONE_VM | CLONE_VFORK */
			CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL), 0);
		else
			pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			execl("/proc/self/exe", "processes", "quit", (char *)NULL);
			_exit(1);
		}
		CHECK(EXITED(wait_status(pid), 7));
		progress();
	}
}
STORM(fork_and_exec) { crowd(fork_exec, 6); }

/* Killed at any moment of fork, exec, mmap, wait: the status is the signal's. */
static void victim_work(unsigned seed)
{
	for (;;) {
		switch (random_next(&seed) % 4) {
		case 0: if (fork() == 0) _exit(0); wait(NULL); break;
		case 1: {
			char *m = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			for (int i = 0; i < 1 << 18; i += 4096) m[i] = 1;
			munmap(m, 1 << 18);
			break;
		}
		case 2: { pid_t p = fork(); if (p == 0) { execl("/proc/self/exe", "processes", "quit", (char *)NULL); _exit(1); } waitpid(p, NULL, 0); break; }
		case 3: { int fds[2]; if (pipe(fds) == 0) { write(fds[1], "x", 1); close(fds[0]); close(fds[1]); } }
		}
	}
}
static void killer(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		pid_t pids[4];
		for (int i = 0; i < 4; i++) {
			random_next(&seed);
			pids[i] = fork();
			CHECK(pids[i] >= 0);
			if (pids[i] == 0) victim_work(seed);
		}
		for (unsigned k = random_next(&seed) % 200; k; k--) sched_yield();
		for (int i = 0; i < 4; i++) {
			static const int sigs[] = { SIGKILL, SIGTERM, SIGSEGV, SIGKILL };
			if (i == 1) { kill(pids[i], SIGSTOP); if (random_next(&seed) & 1) kill(pids[i], SIGCONT); kill(pids[i], SIGKILL); }
			CHECK(kill(pids[i], sigs[i]) == 0);
			int st = wait_status(pids[i]);
			CHECK(KILLED(st, i == 1 ? SIGKILL : sigs[i]) || (i == 1 && KILLED(st, SIGTERM)));
			CHECK(kill(pids[i], 0) < 0 && errno == ESRCH);
		}
		progress();
	}
}
STORM(kill_storm) { crowd(killer, 4); }

/* Trees whose middle dies first: orphans go to the subreaper, and each is reaped exactly once. */
static void tree(int n)
{
	unsigned seed = n + 1;
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	while (!over()) {
		int made = 0, fds[2];
		CHECK(pipe(fds) == 0);
		for (int k = 0; k < 3; k++) {
			unsigned r = random_next(&seed);
			if (fork() == 0) {
				for (int i = 0; i < 3; i++)
					if (fork() == 0) {
						for (unsigned y = (r >> i) % 8; y; y--) sched_yield();
						if (fork() == 0) { write(fds[1], "g", 1); _exit(0); }
						write(fds[1], "c", 1);
						_exit(0);
					}
				write(fds[1], "p", 1);
				_exit(0);
			}
			made += 7;
		}
		for (int i = 0; i < made; i++) CHECK_EQ(wait_status(-1) & 0x7f, 0);
		CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
		char b[64];
		CHECK_EQ(read(fds[0], b, sizeof(b)), made);
		close(fds[0]);
		close(fds[1]);
		progress();
	}
}
STORM(orphans_of_trees) { crowd(tree, 4); }

/* Process groups, sessions and stops race the signals sent to them: a fork is in its group's kill or after it. */
static volatile pid_t *loner;
static void on_chld(int s) { (void)s; }
static void grouper(int n)
{
	signal(SIGCHLD, on_chld);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	while (!over()) {
		loner[n] = 0;
		pid_t leader = fork();
		CHECK(leader >= 0);
		if (leader == 0) {
			setpgid(0, 0);
			for (int k = 0; k < 3; k++)
				if (fork() == 0) {
					if (k == 2) { loner[n] = getpid(); setsid(); }
					for (;;) pause();
				}
			for (;;) pause();
		}
		setpgid(leader, leader);
		kill(-leader, SIGSTOP);
		kill(-leader, SIGCONT);
		sched_yield();
		CHECK(kill(-leader, SIGKILL) == 0);
		CHECK(KILLED(wait_status(leader), SIGKILL));
		if (loner[n]) kill(loner[n], SIGKILL);		/* whoever had not said its name was still of the group */
		for (int st; waitpid(-1, &st, 0) > 0;) CHECK(KILLED(st, SIGKILL));
		CHECK_EQ(errno, ECHILD);
		progress();
	}
}
STORM(groups_sessions_and_stops)
{
	loner = shared_map(4096);
	crowd(grouper, 4);
}

/* /proc walked and read while what it shows dies. */
static void walk(const char *dir, int depth, unsigned *count)
{
	static const char *files[] = { "stat", "status", "statm", "maps", "smaps", "cmdline", "environ", "comm", "wchan", "syscall", "limits",
				       "mounts", "mountinfo", "stack", "schedstat", "cwd", "exe", "root" };
	char path[400], b[8192];
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		int fd = open(path, O_RDONLY | O_NONBLOCK);
		if (fd >= 0) {
			if (i < 15) read(fd, b, sizeof(b));
			close(fd);
		}
		readlink(path, b, sizeof(b));
	}
	for (int sub = 0; sub < 3; sub++) {
		snprintf(path, sizeof(path), "%s/%s", dir, sub == 0 ? "fd" : sub == 1 ? "fdinfo" : "task");
		DIR *d = opendir(path);
		for (struct dirent *de; d && (de = readdir(d));) {
			char leaf[700];
			if (de->d_name[0] == '.')
				continue;
			snprintf(leaf, sizeof(leaf), "%s/%s", path, de->d_name);
			if (sub == 2 && depth) walk(leaf, 0, count);
			else if (sub == 1) read_file(leaf, b, sizeof(b));
			else readlink(leaf, b, sizeof(b));
		}
		if (d) closedir(d);
	}
	(*count)++;
}
static void walker(int n)
{
	unsigned count = 0;
	while (!over()) {
		DIR *d = opendir("/proc");
		CHECK(d);
		for (struct dirent *de; (de = readdir(d)) && !over();) {
			char path[300];
			if (de->d_name[0] < '1' || de->d_name[0] > '9')
				continue;
			snprintf(path, sizeof(path), "/proc/%s", de->d_name);
			walk(path, 1, &count);
		}
		closedir(d);
		progress();
	}
}
static void *idle_thread(void *arg)
{
	int fds[2];
	if (pipe(fds) == 0) { sched_yield(); close(fds[0]); close(fds[1]); }
	return arg;
}
static void mayfly(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		random_next(&seed);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			pthread_t t[2];
			for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, idle_thread, NULL);
			void *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			memset(m, 1, 65536);
			if (seed & 1) { execl("/proc/self/exe", "processes", "quit", (char *)NULL); _exit(1); }
			for (unsigned y = seed % 32; y; y--) sched_yield();
			_exit(7);
		}
		CHECK(EXITED(wait_status(pid), 7));
		progress();
	}
}
STORM(proc_is_walked_while_processes_die)
{
	pid_t a = kid(walker, 0), b = kid(walker, 1), c = kid(mayfly, 0), d = kid(mayfly, 1), e = kid(mayfly, 2);
	pid_t all[] = { a, b, c, d, e };
	for (int i = 0; i < 5; i++) CHECK_EQ(wait_status(all[i]), 0);
}
