/* tap.h - the frame of every ABI test program: TAP 13, one forked child a test.
 *
 *   TEST(name) { CHECK(cond); ... }	registered by its existence, in file order
 *
 * A test passes when its child exits normally having failed no CHECK.  SKIP(why) leaves it.
 * The child leads a process group of its own; whatever it leaves there is killed.  There are no
 * wall-clock assertions: a generous alarm only turns a hang into a failure.  */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TAP_TIMEOUT
#define TAP_TIMEOUT 60
#endif
#define TAP_SKIP 77

struct tap_test { const char *name; void (*fn)(void); };
static struct tap_test tap_tests[128];
static int tap_count;

#define TEST(n) \
	static void test_##n(void); \
	__attribute__((constructor)) static void tap_register_##n(void) \
	{ tap_tests[tap_count].name = #n; tap_tests[tap_count++].fn = test_##n; } \
	static void test_##n(void)

#define CHECK(cond) do { if (!(cond)) { int e_ = errno; \
	printf("# %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, e_); \
	fflush(stdout); _exit(1); } } while (0)
/* CHECK_EQ - two integers, both printed when they differ. */
#define CHECK_EQ(a, b) do { long a_ = (long)(a); int e_ = errno; long b_ = (long)(b); if (a_ != b_) { \
	printf("# %s:%d: %s is %ld, not %s = %ld (errno %d)\n", __FILE__, __LINE__, #a, a_, #b, b_, e_); \
	fflush(stdout); _exit(1); } } while (0)
/* CHECK_ERR - the call fails with just this errno. */
#define CHECK_ERR(call, err) do { errno = 0; long r_ = (long)(call); int e_ = errno; if (r_ != -1 || e_ != (err)) { \
	printf("# %s:%d: %s gives %ld errno %d, not errno %s (%d)\n", __FILE__, __LINE__, #call, r_, e_, #err, err); \
	fflush(stdout); _exit(1); } } while (0)
#define SKIP(why) do { printf("# skip: %s\n", why); fflush(stdout); _exit(TAP_SKIP); } while (0)

static inline bool on_sarsen(void)
{
	struct utsname u;
	return uname(&u) == 0 && strstr(u.release, "sarsen");
}

/* on_ext2 - whether /tmp lies on a disk this time (init.c: NAME@disk). */
static inline bool on_ext2(void)
{
	struct statfs s;
	return statfs("/tmp", &s) == 0 && s.f_type == 0xef53;
}

/* wait_status - reap exactly this child. */
static inline int wait_status(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}
#define EXITED(st, code) ({ int s_ = (st); WIFEXITED(s_) && WEXITSTATUS(s_) == (code); })
#define KILLED(st, sig) ({ int s_ = (st); WIFSIGNALED(s_) && WTERMSIG(s_) == (sig); })

/* in_child - run fn in a child and return its wait status. */
static inline int in_child(void (*fn)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) { fn(); _exit(0); }
	return wait_status(pid);
}

/* scratch - enter a fresh directory under /tmp. */
static inline void scratch(void)
{
	char dir[] = "/tmp/test-XXXXXX";
	CHECK(mkdtemp(dir));
	CHECK(chmod(dir, 0777) == 0);
	CHECK(chdir(dir) == 0);
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK(close(fd) == 0);
}

static inline ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r;
	if (fd < 0)
		return -1;
	while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
		n += r;
	buf[n] = 0;
	close(fd);
	return n;
}

static inline void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* wait_blocked - until the process sleeps interruptibly ('S' in its stat), as /proc says it. */
static inline bool wait_state(pid_t pid, char state)
{
	char path[64], buf[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 2000; i++) {
		if (read_file(path, buf, sizeof(buf)) <= 0)
			return false;
		char *p = strrchr(buf, ')');
		if (p && p[2] == state)
			return true;
		sleep_ms(5);
	}
	return false;
}

static volatile sig_atomic_t tap_alarmed;
static void tap_alarm(int sig) { (void)sig; tap_alarmed = 1; }

static void tap_one(int nr, const struct tap_test *t)
{
	int status = 0;
	pid_t pid;
	bool late = false;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGALRM, SIG_DFL);
		t->fn();
		fflush(stdout);
		_exit(0);
	}
	tap_alarmed = 0;
	alarm(TAP_TIMEOUT);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		if (tap_alarmed) {
			late = true;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
	alarm(0);
	kill(-pid, SIGKILL);
	if (!late && EXITED(status, 0))
		printf("ok %d - %s\n", nr, t->name);
	else if (!late && EXITED(status, TAP_SKIP))
		printf("ok %d - %s # SKIP\n", nr, t->name);
	else
		printf("not ok %d - %s # %s %d\n", nr, t->name, late ? "timeout" :
		       WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fflush(stdout);
}

#ifdef TAP_HOOK		/* a program that also plays other parts looks at its arguments first */
static void tap_hook(int argc, char **argv);
#else
static void tap_hook(int argc, char **argv) { (void)argc; (void)argv; }
#endif

int main(int argc, char **argv)
{
	tap_hook(argc, argv);
	struct sigaction sa = { .sa_handler = tap_alarm };
	sigaction(SIGALRM, &sa, NULL);
	printf("TAP version 13\n1..%d\n", tap_count);
	for (int i = 0; i < tap_count; i++)
		if (argc < 2 || !argv[1] || !strcmp(argv[1], tap_tests[i].name))
			tap_one(i + 1, &tap_tests[i]);
	fflush(stdout);
	return 0;
}
