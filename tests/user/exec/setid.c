/* A set-user-id program started by somebody who means harm: hostile environment, descriptors 0 to 2 closed, tiny limits, a tracer's wishes.  What it
 * sees tells it so (AT_SECURE), and nothing of the starter's reaches further than execve(2) says. */
#define TAP_HOOK
#include "../copy.h"
#include "../tap.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>

static char self[256], copy[300];

/* In a scratch directory: this program, root's and set-user-id; and then an ordinary user. */
static void prepare(mode_t mode)
{
	if (geteuid()) SKIP("needs root");
	scratch();
	CHECK(getcwd(copy, 200));
	strcat(copy, "/setid");
	copy_self(copy, mode);
	CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
}

static int start(char *const argv[], char *const env[])
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		execve(copy, argv, env);
		_exit(100 + (errno & 127));
	}
	int status = wait_status(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the set-user-id copy does: it answers by its exit status. */
static void tap_hook(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "play"))
		return;
	if (argc > 2 && !strcmp(argv[2], "ids"))
		_exit(getuid() == 1000 && geteuid() == 0 ? 0 : geteuid() == 1000 ? 1 : 2);
	if (argc > 2 && !strcmp(argv[2], "secure"))
		_exit((int)getauxval(AT_SECURE));
	if (argc > 2 && !strcmp(argv[2], "dumpable"))
		_exit(prctl(PR_GET_DUMPABLE));
	if (argc > 2 && !strcmp(argv[2], "personality"))
		_exit(personality(0xffffffff) & ADDR_NO_RANDOMIZE ? 1 : 0);
	if (argc > 2 && !strcmp(argv[2], "fds")) {	/* which of 0 to 2 are open */
		int open_ = 0;
		for (int fd = 0; fd < 3; fd++)
			open_ |= (fcntl(fd, F_GETFD) >= 0) << fd;
		_exit(open_);
	}
	if (argc > 2 && !strcmp(argv[2], "caps")) {
		char b[8192], *p;
		read_file("/proc/self/status", b, sizeof(b));
		p = strstr(b, "CapEff:\t");
		_exit(p && strtoull(p + 8, NULL, 16) ? 1 : 0);
	}
	if (argc > 2 && !strcmp(argv[2], "death")) {
		int sig = -1;
		prctl(PR_GET_PDEATHSIG, &sig);
		_exit(sig);
	}
	if (argc > 2 && !strcmp(argv[2], "sleep")) {
		pause();
		_exit(0);
	}
	_exit(50);
}

static char *env0[] = { NULL };
#define PLAY(what) start((char *[]){ "setid", "play", what, NULL }, env0)

TEST(it_runs_as_its_owner)
{
	prepare(04755);
	CHECK_EQ(PLAY("ids"), 0);
	CHECK_EQ(PLAY("secure"), 1);
	CHECK_EQ(PLAY("caps"), 1);
	CHECK_EQ(PLAY("dumpable"), 0);
}

TEST(without_the_bit_it_does_not)
{
	prepare(0755);
	CHECK_EQ(PLAY("ids"), 1);
	CHECK_EQ(PLAY("secure"), 0);
	CHECK_EQ(PLAY("caps"), 0);
	CHECK_EQ(PLAY("dumpable"), 1);
}

TEST(no_new_privs_keeps_it_ordinary)
{
	prepare(04755);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(PLAY("ids"), 1);
	CHECK_EQ(PLAY("secure"), 0);
	CHECK_EQ(PLAY("caps"), 0);
}

TEST(randomness_cannot_be_switched_off)
{
	prepare(04755);
	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	CHECK_EQ(PLAY("personality"), 0);
}

TEST(nor_its_death_be_ordered)
{
	prepare(04755);
	if (!fork()) {
		CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
		execve(copy, (char *[]){ "setid", "play", "death", NULL }, env0);
		_exit(99);
	}
	CHECK(EXITED(wait_status(-1), 0));
}

TEST(closed_descriptors)
{
	prepare(04755);
	int keep = dup(1);
	CHECK(keep > 2);
	close(0);
	close(1);
	close(2);
	int r = PLAY("fds");
	dup2(keep, 1);
	CHECK_EQ(r, 7);		/* libc saw AT_SECURE and opened them: nothing else gets these numbers */
}

TEST(tiny_limits)
{
	static const struct { int what; rlim_t to; } limits[] = { { RLIMIT_FSIZE, 0 }, { RLIMIT_NOFILE, 3 }, { RLIMIT_CPU, 1 }, { RLIMIT_CORE, 0 }, { RLIMIT_STACK, 131072 },
		{ RLIMIT_DATA, 1 << 20 }, { RLIMIT_MEMLOCK, 0 }, { RLIMIT_SIGPENDING, 0 } };
	prepare(04755);
	for (unsigned i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		fflush(stdout);
		if (!fork()) {
			struct rlimit l = { limits[i].to, limits[i].to };
			setrlimit(limits[i].what, &l);
			execve(copy, (char *[]){ "setid", "play", "ids", NULL }, env0);
			_exit(0);	/* too little even to begin */
		}
		int status = wait_status(-1);
		CHECK(EXITED(status, 0) || WIFSIGNALED(status));
	}
}

TEST(hostile_words)
{
	static char big[100000];
	char *argv[] = { "setid", "play", "ids", big, NULL }, *none[] = { NULL };
	char *env[] = { "LD_PRELOAD=/tmp/evil.so", "LD_LIBRARY_PATH=/tmp", "IFS=/", "PATH=.", "", "=", big, NULL };
	prepare(04755);
	memset(big, 'A', sizeof(big) - 1);
	CHECK_EQ(start(argv, env), 0);
	argv[0] = "";
	CHECK_EQ(start(argv, env), 0);
	(void)none;
}

TEST(its_starter_cannot_look_into_it)
{
	char path[64];
	pid_t pid;
	prepare(04755);
	if (!(pid = fork())) {
		execve(copy, (char *[]){ "setid", "play", "sleep", NULL }, env0);
		_exit(99);
	}
	CHECK(wait_state(pid, 'S'));
	for (const char *const *f = (const char *const[]){ "maps", "environ", "auxv", "pagemap", "io", NULL }; *f; f++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, *f);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	char link[64];
	CHECK_ERR(readlink(path, link, sizeof(link)), EACCES);
	CHECK_EQ(kill(pid, SIGKILL), 0);	/* but the real user may end it */
	(void)self;
}

/* ---- directories shared with another process ---- */
static char stack[65536] __attribute__((aligned(16)));

static int plays(void *what)
{
	execve(copy, (char *[]){ "setid", "play", what, NULL }, env0);
	return 100 + (errno & 127);
}

static int waits(void *unused)
{
	(void)unused;
	while (pause())
		;
	return 0;
}

/* An exec of the program by a process that shares, or not, its directories with us. */
static int sharing(int flags, char *what)
{
	fflush(stdout);
	pid_t pid = clone(plays, stack + sizeof(stack), flags | SIGCHLD, what);
	CHECK(pid > 0);
	int status = wait_status(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(who_shares_its_directories_gains_nothing)
{
	prepare(04755);
	CHECK_EQ(sharing(CLONE_FS, "ids"), 1);
	CHECK_EQ(sharing(CLONE_FS, "secure"), 1);	/* it would have: libc is careful all the same */
	CHECK_EQ(sharing(CLONE_FS, "caps"), 0);
	CHECK_EQ(sharing(0, "ids"), 0);
}

TEST(until_the_other_is_gone)
{
	prepare(04755);
	pid_t pid = clone(waits, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL);
	CHECK(pid > 0);
	CHECK_EQ(PLAY("ids"), 0);		/* a fork has its own */
	pid_t mine = fork();
	if (!mine) {
		pid = clone(waits, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL);
		CHECK(pid > 0);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
		_exit(plays("ids"));
	}
	CHECK(EXITED(wait_status(mine), 0));
	kill(pid, SIGKILL);
}

static void *idles(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static __attribute__((noreturn)) void *execs(void *what)
{
	_exit(plays(what));
}

/* Its own threads share them rightly, be they the first or a later one. */
TEST(threads_of_its_own_do_no_harm)
{
	prepare(04755);
	for (int later = 0; later < 2; later++) {
		pid_t pid = fork();
		if (!pid) {
			pthread_t t;
			CHECK_EQ(pthread_create(&t, NULL, idles, NULL), 0);
			if (!later)
				_exit(plays("ids"));
			CHECK_EQ(pthread_create(&t, NULL, execs, "ids"), 0);
			idles(NULL);
		}
		CHECK(EXITED(wait_status(pid), 0));
	}
}

TEST(root_that_shares_keeps_the_ids_it_may_take)
{
	if (geteuid()) SKIP("needs root");
	scratch();
	CHECK(getcwd(copy, 200));
	strcat(copy, "/setid");
	copy_self(copy, 0755);
	CHECK_EQ(chown(copy, 1000, 1000), 0);
	CHECK_EQ(chmod(copy, 04755), 0);
	CHECK_EQ(sharing(CLONE_FS, "ids"), 1);
}
