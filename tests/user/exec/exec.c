/* exec: arguments, scripts, what survives, set-user-id, errors. */
#define TAP_HOOK
#include "tap.h"
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

/* The test re-executes itself: with these first arguments it answers and leaves. */
static int run(char **argv, char **envp, char *out, size_t size)
{
	int p[2], st;
	CHECK(pipe(p) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		close(p[0]); close(p[1]);
		execve(argv[0], argv, envp);
		_exit(100 + (errno & 127));
	}
	close(p[1]);
	size_t n = 0;
	ssize_t r;
	while (n < size - 1 && (r = read(p[0], out + n, size - 1 - n)) > 0) n += r;
	out[n] = 0;
	while (read(p[0], &(char){ 0 }, 1) > 0) ;
	close(p[0]);
	st = wait_status(pid);
	return st;
}

static void not_reset(int s) { (void)s; }
static char *none[] = { NULL };
static char out[4096];
extern char **environ;

static void tap_hook(int argc, char **argv)
{
	char **envp = environ;
	if (envp[0] == NULL && (argc == 0 || !argv[0][0]))
		_exit(argc == 1 ? 0 : 1);
	if (argc < 2 || strncmp(argv[1], "answer-", 7))
		return;
	if (!strcmp(argv[1], "answer-args")) {
		for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
		for (char **e = envp; *e; e++) printf("{%s}", *e);
		printf("<%s>", (char *)getauxval(AT_EXECFN));
	} else if (!strcmp(argv[1], "answer-ids"))
		printf("%d %d %d %d secure %ld", getuid(), geteuid(), getgid(), getegid(), getauxval(AT_SECURE));
	else if (!strcmp(argv[1], "answer-state")) {
		struct sigaction a, b;
		sigset_t m;
		char name[20];
		sigaction(SIGUSR1, NULL, &a); sigaction(SIGUSR2, NULL, &b);
		sigprocmask(SIG_BLOCK, NULL, &m);
		prctl(PR_GET_NAME, name);
		printf("usr1 %s usr2 %s blocked %d fd50 %d fd51 %d pid %d name %s", a.sa_handler == SIG_DFL ? "dfl" : "?",
		       b.sa_handler == SIG_IGN ? "ign" : "?", sigismember(&m, SIGTERM), fcntl(50, F_GETFD), fcntl(51, F_GETFD), getpid(), name);
	} else if (!strcmp(argv[1], "answer-wx"))
		printf("%d", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	else if (!strcmp(argv[1], "answer-count"))
		printf("%d %zu", argc, strlen(argv[argc - 1]));
	fflush(stdout);
	_exit(0);
}

static char self[256];
static char *me(void) { ssize_t n = readlink("/proc/self/exe", self, 255); CHECK(n > 0); self[n] = 0; return self; }

TEST(arguments_and_environment)
{
	char *argv[] = { me(), "answer-args", "", "two words", NULL }, *envp[] = { "A=1", "B", NULL };
	CHECK(EXITED(run(argv, envp, out, sizeof(out)), 0));
	char want[1024];
	snprintf(want, sizeof(want), "[%s][answer-args][][two words]{A=1}{B}<%s>", self, self);
	CHECK(!strcmp(out, want));
}

TEST(argument_limits)
{
	static char big[131072 + 10];
	char *argv[] = { me(), "answer-count", big, NULL };
	memset(big, 'x', sizeof(big));
	big[131071] = 0;	/* with its end, 32 pages: the most one string may have */
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	CHECK(!strcmp(out, "3 131071"));
	big[131071] = 'x'; big[131072] = 0;
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 100 + E2BIG));
	static char *many[40000];
	many[0] = self; many[1] = "answer-count";
	for (int i = 2; i < 30000; i++) many[i] = "some argument";
	CHECK(EXITED(run(many, none, out, sizeof(out)), 0));
	CHECK(!strcmp(out, "30000 13"));
	big[100000] = 0;
	for (int i = 2; i < 30; i++) many[i] = big;
	many[30] = NULL;
	CHECK(EXITED(run(many, none, out, sizeof(out)), 100 + E2BIG));
}

TEST(what_survives)
{
	char *argv[] = { me(), "answer-state", NULL };
	sigset_t m;
	int fd = open("/dev/null", O_RDONLY);
	dup2(fd, 50);
	dup3(fd, 51, O_CLOEXEC);
	signal(SIGUSR1, not_reset);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&m); sigaddset(&m, SIGTERM);
	sigprocmask(SIG_BLOCK, &m, NULL);
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	CHECK(!strncmp(out, "usr1 dfl usr2 ign blocked 1 fd50 0 fd51 -1 pid ", 47));
	CHECK(strstr(out, "name exec"));
}

static void script(const char *path, const char *text) { write_file(path, text); chmod(path, 0755); }

TEST(scripts)
{
	char text[512];
	scratch();
	snprintf(text, sizeof(text), "#! %s answer-args \nignored\n", me());
	script("s", text);
	char *argv[] = { "./s", "x", "y", NULL };
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	char want[1024];
	snprintf(want, sizeof(want), "[%s][answer-args][./s][x][y]<./s>", self);
	if (strcmp(out, want)) { printf("# got %s\n# not %s\n", out, want); CHECK(0); }
	/* Everything after the interpreter is one argument. */
	snprintf(text, sizeof(text), "#!%s answer-a b  c\n", self);
	script("one", text);
	script("none", "#!/no/such/interpreter\n");
	CHECK_ERR(execl("./none", "none", (char *)NULL), ENOENT);
	script("empty", "#!\n");
	CHECK_ERR(execl("./empty", "x", (char *)NULL), ENOEXEC);
	script("blank", "#!   \n");
	CHECK_ERR(execl("./blank", "x", (char *)NULL), ENOEXEC);
	script("text", "echo hi\n");
	CHECK_ERR(execl("./text", "x", (char *)NULL), ENOEXEC);
	script("zero", "");
	CHECK_ERR(execl("./zero", "x", (char *)NULL), ENOEXEC);
	script("loop", "#!./loop\n");
	CHECK_ERR(execl("./loop", "x", (char *)NULL), ELOOP);
	script("dir", "#!/tmp\n");
	CHECK_ERR(execl("./dir", "x", (char *)NULL), EACCES);
	script("chain", "#!./s\n");
	char *c[] = { "./chain", NULL };
	CHECK(EXITED(run(c, none, out, sizeof(out)), 0));
	snprintf(want, sizeof(want), "[%s][answer-args][./s][./chain]<./chain>", self);
	if (strcmp(out, want)) { printf("# got %s\n# not %s\n", out, want); CHECK(0); }
}

/* A script run through a descriptor is called /dev/fd/N; its interpreter could not open one that exec closes. */
TEST(scripts_by_descriptor)
{
	char text[512], want[1024];
	scratch();
	snprintf(text, sizeof(text), "#!%s answer-args\n", me());
	script("s", text);
	char *argv[] = { "given", "x", NULL };
	int f = dup2(open("s", O_RDONLY), 60), d = dup2(open(".", O_RDONLY), 61), p[2];
	for (int i = 0; i < 2; i++) {
		CHECK(pipe(p) == 0);
		pid_t pid = fork();
		if (pid == 0) { dup2(p[1], 1); syscall(SYS_execveat, i ? d : f, i ? "s" : "", argv, none, AT_EMPTY_PATH); _exit(1); }
		close(p[1]);
		ssize_t n = read(p[0], out, sizeof(out) - 1);
		out[n > 0 ? n : 0] = 0;
		CHECK(EXITED(wait_status(pid), 0));
		snprintf(want, sizeof(want), "[%s][answer-args][%s][x]<%s>", self, i ? "/dev/fd/61/s" : "/dev/fd/60", i ? "/dev/fd/61/s" : "/dev/fd/60");
		if (strcmp(out, want)) { printf("# got %s\n# not %s\n", out, want); CHECK(0); }
		close(p[0]);
	}
	fcntl(f, F_SETFD, FD_CLOEXEC);
	CHECK_ERR(syscall(SYS_execveat, f, "", argv, none, AT_EMPTY_PATH), ENOENT);
	fcntl(d, F_SETFD, FD_CLOEXEC);
	CHECK_ERR(syscall(SYS_execveat, d, "s", argv, none, 0), ENOENT);
}

TEST(errors)
{
	scratch();
	write_file("plain", "x");
	CHECK_ERR(execl("./plain", "x", (char *)NULL), EACCES);
	CHECK_ERR(execl("./none", "x", (char *)NULL), ENOENT);
	CHECK_ERR(execl("./plain/x", "x", (char *)NULL), ENOTDIR);
	CHECK_ERR(execl("/tmp", "x", (char *)NULL), EACCES);
	CHECK_ERR(execl("", "x", (char *)NULL), ENOENT);
	CHECK_ERR(execl("/dev/null", "x", (char *)NULL), EACCES);
	char text[300];
	snprintf(text, sizeof(text), "#!%s answer-args\n", me());
	script("busy", text);
}

TEST(writing_a_running_program_is_etxtbsy)
{
	CHECK_ERR(open("/proc/self/exe", O_WRONLY), ETXTBSY);
	CHECK_ERR(open("/proc/self/exe", O_RDONLY | O_TRUNC), ETXTBSY);
	CHECK_ERR(open("/proc/self/exe", 3 | O_TRUNC), ETXTBSY);
	CHECK_ERR(truncate("/proc/self/exe", 0), ETXTBSY);
	char buf[4096];
	scratch();
	int in = open("/proc/self/exe", O_RDONLY), w = open("copy", O_RDWR | O_CREAT, 0755);
	ssize_t n;
	while ((n = read(in, buf, sizeof(buf))) > 0) CHECK(write(w, buf, n) == n);
	CHECK_ERR(execl("./copy", "copy", "answer-args", (char *)NULL), ETXTBSY);
	close(w);
	char *argv[] = { "./copy", "answer-args", NULL };
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
}

/* Of "copy", marked with what PaX calls its flags: whether it may have memory to write and run code in. */
static int copy_has_wx(const char *flags)
{
	char *argv[] = { "./copy", "answer-wx", NULL };

	CHECK(!flags || setxattr("copy", "user.pax.flags", flags, strlen(flags), 0) == 0);
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	return out[0] == '1';
}

TEST(a_mark_allows_a_program_to_write_code)
{
	/* deviates: Sarsen refuses memory to write and run at once to programs without the mark; tests/user/mm/map.c. */
	bool always = !on_sarsen();
	char buf[4096];
	ssize_t n;

	scratch();
	int in = open("/proc/self/exe", O_RDONLY), w = open("copy", O_RDWR | O_CREAT, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0) CHECK(write(w, buf, n) == n);
	close(w);
	CHECK_EQ(copy_has_wx(NULL), always);
	if (!on_ext2())
		return;
	CHECK_EQ(copy_has_wx("m"), true);
	CHECK_EQ(copy_has_wx("PEM"), always);
	CHECK_EQ(copy_has_wx("Em"), true);
	CHECK_EQ(copy_has_wx("0123456789abcdefm"), always);	/* no such letters */
	CHECK_EQ(copy_has_wx(""), always);
}

TEST(execveat_forms)
{
	int d = open("/proc/self", O_RDONLY), f = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *argv[] = { "x", "answer-args", NULL };
	pid_t pid = fork();
	if (pid == 0) { close(1); syscall(SYS_execveat, f, "", argv, none, AT_EMPTY_PATH); _exit(1); }
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(syscall(SYS_execveat, f, "", argv, none, 0), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, d, "exe", argv, none, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERR(syscall(SYS_execveat, 99, "", argv, none, AT_EMPTY_PATH), EBADF);
	CHECK_ERR(syscall(SYS_execveat, d, "exe", argv, none, 0x10000000), EINVAL);
}

TEST(set_user_id)
{
	char buf[4096];
	scratch();
	int in = open("/proc/self/exe", O_RDONLY), w = open("su", O_RDWR | O_CREAT, 0755);
	ssize_t n;
	while ((n = read(in, buf, sizeof(buf))) > 0) CHECK(write(w, buf, n) == n);
	close(w);
	CHECK(chown("su", 2000, 3000) == 0 && chmod("su", 06755) == 0);
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	char *argv[] = { "./su", "answer-ids", NULL };
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	CHECK(!strcmp(out, "1000 2000 1000 3000 secure 1"));
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(EXITED(run(argv, none, out, sizeof(out)), 0));
	CHECK(!strncmp(out, "1000 1000 1000 1000", 19));
}

/* RLIMIT_NPROC does not fail setuid, which nobody checks, but the execve after it. */
TEST(too_many_processes_for_the_user)
{
	struct rlimit rl = { 2, 2 };
	int ready[2], go[2], st;
	pid_t other[3], pid;
	char c;
	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	for (int i = 0; i < 3; i++)
		if ((other[i] = fork()) == 0) {
			if (setuid(5432) == 0) write(ready[1], "x", 1);
			pause();
			_exit(0);
		}
	for (int i = 0; i < 3; i++) CHECK(read(ready[0], &c, 1) == 1);
	if ((pid = fork()) == 0) {
		char *argv[] = { me(), "answer-count", NULL };
		int null = open("/dev/null", O_WRONLY);
		if (setrlimit(RLIMIT_NPROC, &rl) || setuid(5432)) _exit(50);
		if (execve(argv[0], argv, none) != -1 || errno != EAGAIN) _exit(51);
		if (execve("/none", argv, none) != -1 || errno != EAGAIN) _exit(52);
		write(ready[1], "x", 1);
		if (read(go[0], &c, 1) != 1) _exit(53);
		dup2(null, 1);
		execve(argv[0], argv, none);
		_exit(54);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	for (int i = 0; i < 3; i++) {
		kill(other[i], SIGKILL);
		CHECK(waitpid(other[i], &st, 0) == other[i]);
	}
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(empty_argv)
{
	/* Linux gives such a program one empty argument. */
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		char *argv[] = { NULL };
		execve("/proc/self/exe", argv, argv);
		_exit(77);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
