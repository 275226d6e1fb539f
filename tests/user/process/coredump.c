/* Core dumps: when there is one, where it goes, and what is in it.  core(5). */
#define TAP_HOOK
#include "../copy.h"
#include "core.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/vfs.h>

static void crash(void) { __builtin_trap(); }
static void segv(void) { *(volatile int *)8 = 0; }
static void quit(void) { raise(SIGQUIT); for (;;) pause(); }

/* The program that a pattern starts: |SELF helper TASK FILE ARG... */
static void tap_hook(int argc, char **argv)
{
	static char buf[65536];
	ssize_t n, sum = 0;
	int out;

	if (argc < 4 || strcmp(argv[1], "helper"))
		return;
	out = open(argv[3], O_WRONLY | O_CREAT, 0600);
	if (!strcmp(argv[2], "copy")) {
		while ((n = read(0, buf, sizeof(buf))) > 0)
			sum += write(out, buf, n);
	} else if (!strcmp(argv[2], "args")) {	/* and what it is itself */
		while ((n = read(0, buf, sizeof(buf))) > 0)
			sum += n;
		for (int i = 4; i < argc; i++)
			dprintf(out, "%s|", argv[i]);
		struct rlimit r;
		getrlimit(RLIMIT_CORE, &r);
		dprintf(out, "%d %d %ld %s", getuid(), sum > 0, (long)r.rlim_cur, getcwd(buf, 100));
	} else if (!strcmp(argv[2], "status")) {	/* of whom it dumps, while that waits */
		snprintf(buf, 100, "/proc/%s/status", argv[4]);
		int fd = open(buf, O_RDONLY);
		n = read(fd, buf, sizeof(buf) - 1);
		buf[n > 0 ? n : 0] = 0;
		char *line = strstr(buf, "CoreDumping:");
		dprintf(out, "%.14s", line ? line : "none");
		while (read(0, buf, sizeof(buf)) > 0)
			;
	} else if (!strcmp(argv[2], "hold")) {		/* reads nothing until it is killed */
		dprintf(out, "%d ", getpid());
		close(out);
		for (;;)
			pause();
	}
	_exit(0);
}

static char helper_pattern[128];
static const char *helper(const char *what, const char *rest)
{
	char self[60], dir[60];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0 && getcwd(dir, sizeof(dir)));
	self[n] = 0;
	CHECK(snprintf(helper_pattern, sizeof(helper_pattern), "|%s helper %s %s/out %s", self, what, dir, rest) < 128);
	return helper_pattern;
}

TEST(without_a_limit_there_is_no_core)
{
	ready("core");
	limit_core(0);
	CHECK(NOT_DUMPED(in_child(segv), SIGSEGV));
	CHECK_ERR(access("core", F_OK), ENOENT);
	limit_core(4095);
	CHECK(NOT_DUMPED(in_child(segv), SIGSEGV));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

static const char pattern_in_data[] = "what the core must know";
static char in_bss[8192];

static void crash_with_registers(void)
{
	strcpy(in_bss + 4096, "written by the dead");
	__asm__ volatile("mov x19, #0x1234\n mov x20, %0\n fmov d9, #2.5\n .globl core_crash_here\ncore_crash_here: udf #7" :: "r"(in_bss) : "x19", "x20", "d9");
}
extern char core_crash_here[];

TEST(what_is_in_it)
{
	siginfo_t si;
	struct stat st;
	size_t len;
	ready("core");
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) { crash_with_registers(); _exit(0); }
	CHECK_EQ(waitid(P_PID, pid, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(si.si_code, CLD_DUMPED);
	CHECK_EQ(si.si_status, SIGILL);
	CHECK(DUMPED(wait_status(pid), SIGILL));
	CHECK_EQ(stat("core", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	load_core("core");
	const struct core_status *s = core_note(NT_PRSTATUS, 0, &len);
	CHECK(s);
	CHECK_EQ(len, sizeof(*s));
	CHECK_EQ(s->signo, SIGILL);
	CHECK_EQ(s->cursig, SIGILL);
	CHECK_EQ(s->pid, pid);
	CHECK_EQ(s->ppid, getpid());
	CHECK_EQ(s->pgrp, getpgrp());
	CHECK_EQ(s->sid, getsid(0));
	CHECK_EQ(s->fpvalid, 1);
	CHECK_EQ(s->pc, core_crash_here);
	CHECK_EQ(s->x[19], 0x1234);
	CHECK_EQ(s->x[20], in_bss);
	CHECK(!core_note(NT_PRSTATUS, 1, NULL));
	const double *fp = core_note(NT_PRFPREG, 0, &len);
	CHECK(fp);
	CHECK_EQ(len, 528);
	CHECK(fp[18] == 2.5);
	const siginfo_t *info = core_note(NT_SIGINFO, 0, &len);
	CHECK(info);
	CHECK_EQ(len, 128);
	CHECK_EQ(info->si_signo, SIGILL);
	CHECK_EQ(info->si_code, ILL_ILLOPC);
	CHECK_EQ(info->si_addr, core_crash_here);
	const struct core_info *ps = core_note(NT_PRPSINFO, 0, &len);
	CHECK(ps);
	CHECK_EQ(len, sizeof(*ps));
	CHECK_EQ(ps->pid, pid);
	CHECK_EQ(ps->uid, 0);
	CHECK(!strcmp(ps->fname, "coredump"));
	CHECK(strstr(ps->psargs, "coredump"));
	CHECK_EQ(ps->sname, 'R');
	const unsigned long *tls = core_note(NT_ARM_TLS, 0, &len);
	CHECK(tls);
	CHECK(core_note(NT_ARM_HW_BREAK, 0, NULL) && core_note(NT_ARM_HW_WATCH, 0, NULL));
	CHECK_EQ(*tls, __builtin_thread_pointer());		/* the copy of ours */
	const unsigned long *aux = core_note(NT_AUXV, 0, &len);
	CHECK(aux && len >= 16);
	CHECK_EQ(len % 16, 0);
	CHECK_EQ(aux[len / 8 - 2], 0);		/* AT_NULL, and the page size somewhere before */
	while (*aux && *aux != 6)
		aux += 2;
	CHECK_EQ(aux[1], 4096);
	CHECK(core_at(in_bss + 4096));
	CHECK(!strcmp(core_at(in_bss + 4096), "written by the dead"));
	CHECK(core_at((void *)s->sp));
}

TEST(the_files_that_were_mapped)
{
	size_t len;
	char self[256] = "";
	ready("core");
	CHECK(DUMPED(in_child(segv), SIGSEGV));
	load_core("core");
	const unsigned long *f = core_note(NT_FILE, 0, &len);
	CHECK(f && f[0] >= 1);
	CHECK_EQ(f[1], 4096);
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	const char *name = (const char *)(f + 2 + 3 * f[0]);
	bool found = false;
	for (unsigned long i = 0; i < f[0]; i++, name += strlen(name) + 1) {
		CHECK(name < (const char *)f + len);
		const unsigned long *range = f + 2 + 3 * i;
		CHECK(range[0] < range[1]);
		if (!strcmp(name, self) && range[0] <= (unsigned long)pattern_in_data && (unsigned long)pattern_in_data < range[1])
			found = true;
	}
	CHECK_EQ(name - (const char *)f, len);
	CHECK(found);
}

/* --- threads */

static pthread_barrier_t all_there;
static void *with_mark(void *mark)
{
	pthread_barrier_wait(&all_there);
	register void *x23 __asm__("x23") = mark;
	register long x8 __asm__("x8") = SYS_ppoll, x0 __asm__("x0") = 0, x1 __asm__("x1") = 0, x2 __asm__("x2") = 0, x3 __asm__("x3") = 0;
	for (;;)
		__asm__ volatile("svc #0" : "+r"(x0) : "r"(x23), "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return NULL;
}
static void *spinning(void *unused)
{
	(void)unused;
	register unsigned long x23 __asm__("x23") = 0x5003;
	pthread_barrier_wait(&all_there);
	for (;;)
		__asm__ volatile("" :: "r"(x23));
	return NULL;
}
static void *crashing(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&all_there);
	__asm__ volatile("mov x23, #0x5004\n udf #0" ::: "x23");
	return NULL;
}
static void four_threads(void)
{
	pthread_t t;
	pthread_barrier_init(&all_there, NULL, 5);
	for (long i = 1; i < 3; i++)
		pthread_create(&t, NULL, with_mark, (void *)(0x5000 + i));
	pthread_create(&t, NULL, spinning, NULL);
	pthread_create(&t, NULL, crashing, NULL);
	with_mark((void *)0x5000);
}

TEST(every_thread_is_in_it)
{
	int seen[5] = { 0 }, tids[5], n = 0;
	unsigned long tls[5];
	const struct core_status *s;
	ready("core");
	for (int round = 0; round < 5; round++) {
		CHECK(DUMPED(in_child(four_threads), SIGILL));
		load_core("core");
		memset(seen, 0, sizeof(seen));
		for (n = 0; (s = core_note(NT_PRSTATUS, n, NULL)) != NULL; n++) {
			CHECK(n < 5);
			tids[n] = s->pid;
			tls[n] = *(const unsigned long *)core_note(NT_ARM_TLS, n, NULL);
			if (n == 0)
				CHECK_EQ(s->x[23], 0x5004);		/* who crashed comes first */
			if (s->x[23] >= 0x5000 && s->x[23] < 0x5005)	/* one may not have come as far as that */
				seen[s->x[23] - 0x5000]++;
			for (int i = 0; i < n; i++) {
				CHECK(tids[i] != tids[n]);
				CHECK(tls[i] != tls[n]);
			}
			CHECK(core_at((void *)s->sp));
		}
		CHECK_EQ(n, 5);
		CHECK_EQ(seen[4], 1);
		for (int i = 0; i < 4; i++)
			CHECK(seen[i] <= 1);
	}
}

/* --- names */

static void renamed(void) { prctl(PR_SET_NAME, "a/b"); crash(); }
static void dots(void) { prctl(PR_SET_NAME, ".."); crash(); }
static void nameless(void) { prctl(PR_SET_NAME, ""); crash(); }

static pid_t dumped_by(void (*fn)(void), int sig)
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) { fn(); _exit(0); }
	CHECK(DUMPED(wait_status(pid), sig));
	return pid;
}

TEST(names_are_made_by_the_pattern)
{
	char name[300];
	struct utsname u;
	ready("c-%p-%P-%i-%I-%u-%g-%d-%s-%e-%%-%c-%Z-%");
	CHECK_EQ(uname(&u), 0);
	pid_t pid = dumped_by(quit, SIGQUIT);
	snprintf(name, sizeof(name), "c-%d-%d-%d-%d-0-0-1-3-coredump-%%-18446744073709551615--", pid, pid, pid, pid);
	CHECK_EQ(access(name, F_OK), 0);
	set_sys("kernel/core_pattern", "h-%h-%f");
	dumped_by(crash, SIGTRAP);
	snprintf(name, sizeof(name), "h-%s-coredump", strcmp(u.nodename, "") ? u.nodename : "!");
	CHECK_EQ(access(name, F_OK), 0);
	set_sys("kernel/core_pattern", "x%e");
	dumped_by(renamed, SIGTRAP);
	CHECK_EQ(access("xa!b", F_OK), 0);
	dumped_by(dots, SIGTRAP);
	CHECK_EQ(access("x!.", F_OK), 0);
	dumped_by(nameless, SIGTRAP);
	CHECK_EQ(access("x!", F_OK), 0);
	set_sys("kernel/core_pattern", "%E");
	dumped_by(crash, SIGTRAP);
	char self[256] = "";
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	for (char *p = self; *p; p++)
		if (*p == '/') *p = '!';
	CHECK_EQ(access(self, F_OK), 0);
}

TEST(the_number_is_added_if_the_pattern_lacks_it)
{
	char name[64];
	ready("core");
	set_sys("kernel/core_uses_pid", "1");
	snprintf(name, sizeof(name), "core.%d", dumped_by(crash, SIGTRAP));
	CHECK_EQ(access(name, F_OK), 0);
	set_sys("kernel/core_pattern", "with.%p");
	snprintf(name, sizeof(name), "with.%d", dumped_by(crash, SIGTRAP));
	CHECK_EQ(access(name, F_OK), 0);
}

TEST(the_pattern_is_a_line)
{
	char buf[300], big[201];
	ready("core");
	set_sys("kernel/core_pattern", "first\nsecond");
	CHECK(read_file("/proc/sys/kernel/core_pattern", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "first\n"));
	memset(big, 'x', 200);
	big[200] = 0;
	set_sys("kernel/core_pattern", big);
	CHECK_EQ(read_file("/proc/sys/kernel/core_pattern", buf, sizeof(buf)), 128);
	set_sys("kernel/core_pattern", "core\n");
}

/* --- the file */

TEST(nothing_is_followed)
{
	char buf[100];
	struct stat st;
	ready("core");
	write_file("victim", "precious");
	CHECK_EQ(symlink("victim", "core"), 0);
	dumped_by(crash, SIGTRAP);
	CHECK_EQ(lstat("core", &st), 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(unlink("core"), 0);
	CHECK_EQ(link("victim", "core"), 0);
	dumped_by(crash, SIGTRAP);
	CHECK(read_file("victim", buf, sizeof(buf)) == 8 && !strcmp(buf, "precious"));
	CHECK_EQ(unlink("core"), 0);
	CHECK_EQ(mkdir("core", 0755), 0);
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	CHECK_EQ(rmdir("core"), 0);
	umask(0400);			/* then it would not be for its owner alone */
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
}

static void as_user(void) { CHECK(setgid(1000) == 0 && setuid(1000) == 0); CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0); crash(); }

TEST(a_foreign_directory)
{
	struct stat st;
	ready("core");
	CHECK_EQ(chmod(".", 0755), 0);
	CHECK(NOT_DUMPED(in_child(as_user), SIGTRAP));
	CHECK_ERR(access("core", F_OK), ENOENT);
	CHECK_EQ(chmod(".", 0777), 0);
	CHECK(DUMPED(in_child(as_user), SIGTRAP));
	CHECK_EQ(stat("core", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(chown("core", 0, 0), 0);
	CHECK_EQ(chmod(".", 01777), 0);		/* root's file there is not the user's to remove */
	CHECK(NOT_DUMPED(in_child(as_user), SIGTRAP));
	CHECK_EQ(stat("core", &st), 0);
	CHECK_EQ(st.st_uid, 0);
}

TEST(a_limit_cuts_it)
{
	struct stat st;
	ready("core");
	limit_core(20000);
	dumped_by(crash, SIGTRAP);		/* it is said to be there all the same */
	CHECK_EQ(stat("core", &st), 0);
	CHECK(st.st_size > 4096);
	CHECK(st.st_blocks * 512 <= 20480);
	limit_core(RLIM_INFINITY);
	struct rlimit r = { 20000, 20000 };		/* of any file */
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &r), 0);
	dumped_by(crash, SIGTRAP);
	CHECK_EQ(stat("core", &st), 0);
	CHECK(st.st_size <= 20000);
}

TEST(a_full_disk)
{
	struct statfs s;
	struct stat st;
	ready("core");
	CHECK_EQ(mkdir("m", 0777), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=24k"), 0);
	CHECK_EQ(chdir("m"), 0);
	dumped_by(crash, SIGTRAP);
	CHECK_EQ(statfs(".", &s), 0);
	CHECK_EQ(s.f_bavail, 0);
	CHECK_EQ(stat("core", &st), 0);
	CHECK_EQ(unlink("core"), 0);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount("m"), 0);
}

/* --- who may */

static void undumpable(void) { CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0); crash(); }
static void undumpable_child(void)
{
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	pid_t pid = fork();
	if (!pid) {
		if (prctl(PR_GET_DUMPABLE) != 0)
			_exit(1);
		crash();
	}
	_exit(!NOT_DUMPED(wait_status(pid), SIGTRAP));
}
static void became_another(void) { CHECK_EQ(seteuid(1000), 0); crash(); }
static void became_and_said(void) { CHECK_EQ(seteuid(1000), 0); _exit(prctl(PR_GET_DUMPABLE)); }

TEST(who_is_not_dumpable_leaves_none)
{
	ready("core");
	CHECK(NOT_DUMPED(in_child(undumpable), SIGTRAP));
	CHECK(EXITED(in_child(undumpable_child), 0));
	CHECK(NOT_DUMPED(in_child(became_another), SIGTRAP));
	CHECK_ERR(access("core", F_OK), ENOENT);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
}

TEST(one_with_anothers_rights_dumps_as_root)
{
	char dir[200], pattern[300];
	struct stat st;
	ready("core");
	CHECK(getcwd(dir, sizeof(dir)));
	set_sys("fs/suid_dumpable", "2");
	CHECK(EXITED(in_child(became_and_said), 2));
	CHECK(NOT_DUMPED(in_child(became_another), SIGTRAP));	/* to an absolute name only */
	CHECK_ERR(access("core", F_OK), ENOENT);
	snprintf(pattern, sizeof(pattern), "%s/abs-%%d", dir);
	set_sys("kernel/core_pattern", pattern);
	CHECK_EQ(chmod(".", 0700), 0);
	CHECK(DUMPED(in_child(became_another), SIGTRAP));
	CHECK_EQ(stat("abs-2", &st), 0);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK(NOT_DUMPED(in_child(became_another), SIGTRAP));	/* and over nothing */
	set_sys("fs/suid_dumpable", "1");
	CHECK(EXITED(in_child(became_and_said), 1));
	set_sys("fs/suid_dumpable", "0");
	int fd = open("/proc/sys/fs/suid_dumpable", O_WRONLY);
	CHECK_ERR(write(fd, "3", 1), EINVAL);
}

static char program[300];
static void exec_program(void)
{
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	execl(program, "coredump", "helper", "args", "/dev/null", (char *)NULL);
	_exit(9);
}
static void exec_and_crash(void)
{
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	int in[2];
	CHECK_EQ(pipe(in), 0);
	dup2(in[0], 0);
	pid_t pid = fork();
	if (!pid) {
		execl(program, "coredump", "helper", "copy", "/dev/null", (char *)NULL);
		_exit(9);
	}
	char path[64], link[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	while (readlink(path, link, sizeof(link)) > 0 && !strstr(link, "sub/unread"))	/* until it runs: then it is not ours to look into */
		sched_yield();
	CHECK_EQ(kill(pid, SIGQUIT), 0);
	int st = wait_status(pid);
	_exit(WIFSIGNALED(st) ? (WCOREDUMP(st) ? 1 : 0) : 2);
}

TEST(a_program_that_its_user_may_not_read)
{
	ready("/tmp/none-%p");
	CHECK_EQ(mkdir("sub", 0755), 0);
	CHECK(getcwd(program, 200));
	strcat(program, "/sub/unread");
	copy_self(program, 0711);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	CHECK(EXITED(in_child(exec_program), 0));
	CHECK(EXITED(in_child(exec_and_crash), 0));
}

/* --- which memory */

static char *anon, *shared, *file_private, *file_shared, *unwanted, *untouched, *sparse;

static void map_all(void)
{
	int fd = open("mapped", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, 8192), 0);
	CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
	anon = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	file_private = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	file_shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unwanted = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	untouched = mmap(NULL, 1ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sparse = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(sparse != MAP_FAILED && untouched != MAP_FAILED);
	CHECK_EQ(madvise(sparse, 64 << 20, MADV_NOHUGEPAGE), 0);
	strcpy(anon, "anon");
	strcpy(shared, "shared");
	strcpy(unwanted, "unwanted");
	strcpy(sparse + (32 << 20), "far");
	CHECK_EQ(madvise(unwanted, 4096, MADV_DONTDUMP), 0);
}

static void crash_filtered(const char *filter)
{
	int fd = open("/proc/self/coredump_filter", O_RDWR);
	char now[20] = "";
	CHECK(read(fd, now, sizeof(now)) > 0);
	CHECK(!strcmp(now, "00000033\n"));
	CHECK_EQ(write(fd, filter, strlen(filter)), strlen(filter));
	crash();
}
static void filter_default(void) { crash(); }
static void filter_none(void) { crash_filtered("0"); }
static void filter_files(void) { crash_filtered("0xc"); }
static void filter_shared(void) { crash_filtered("2"); }

#define HAS(p, text) ({ const char *c_ = core_at(p); c_ && !strcmp(c_, text); })

TEST(the_filter_says_which_memory)
{
	struct stat st;
	ready("core");
	map_all();
	dumped_by(filter_default, SIGTRAP);
	load_core("core");
	CHECK(HAS(anon, "anon") && HAS(shared, "shared") && HAS(sparse + (32 << 20), "far"));
	CHECK(!core_at(file_private) && !core_at(file_shared) && !core_at(unwanted) && !core_at(untouched));
	CHECK(core_segment(unwanted) && core_segment(untouched) && core_segment(file_shared));
	CHECK_EQ(core_segment(sparse)->p_filesz, 64 << 20);
	CHECK_EQ(*(const char *)core_at(sparse), 0);
	CHECK_EQ(core_segment(anon)->p_flags, PF_R | PF_W);
	CHECK_EQ(core_segment(file_private)->p_flags, PF_R);
	CHECK_EQ(core_segment(untouched)->p_flags, 0);
	CHECK_EQ(stat("core", &st), 0);
	CHECK(st.st_size > (64 << 20) && st.st_blocks * 512 < (8 << 20));	/* with a hole */
	dumped_by(filter_none, SIGTRAP);
	load_core("core");
	CHECK(!core_at(anon) && !core_at(shared) && !core_at(file_private));
	dumped_by(filter_files, SIGTRAP);
	load_core("core");
	CHECK(HAS(file_private, "file") && HAS(file_shared, "file") && !core_at(anon) && !core_at(shared));
	dumped_by(filter_shared, SIGTRAP);
	load_core("core");
	CHECK(HAS(shared, "shared") && !core_at(anon) && !core_at(file_shared));
}

TEST(the_filter_is_inherited_and_checked)
{
	char buf[20];
	ready("core");
	write_file("/proc/self/coredump_filter", "0x7");
	fflush(stdout);
	pid_t pid = fork();
	if (!pid)
		_exit(!(read_file("/proc/self/coredump_filter", buf, sizeof(buf)) == 9 && !strcmp(buf, "00000007\n")));
	CHECK(EXITED(wait_status(pid), 0));
	int fd = open("/proc/self/coredump_filter", O_WRONLY);
	CHECK_ERR(write(fd, "what", 4), EINVAL);
	CHECK_EQ(write(fd, "0xfffff", 7), 7);
	CHECK(read_file("/proc/self/coredump_filter", buf, sizeof(buf)) == 9 && !strcmp(buf, "000001ff\n"));
}

TEST(program_headers_of_programs_are_there)
{
	extern const char __ehdr_start[] __attribute__((weak));
	ready("core");
	dumped_by(crash, SIGTRAP);
	load_core("core");
	if (!__ehdr_start)
		SKIP("the linker does not say where the program begins");
	const char *head = core_at(__ehdr_start);
	CHECK(head && !memcmp(head, ELFMAG, SELFMAG));
	CHECK_EQ(core_segment(__ehdr_start)->p_filesz, 4096);
}

/* --- to a program */

TEST(a_program_reads_it)
{
	char buf[600], want[300];
	ready("core");
	set_sys("kernel/core_pipe_limit", "4");		/* it is waited for */
	set_sys("kernel/core_pattern", helper("args", "%p %s  x%ex"));
	limit_core(0);					/* means nothing to a pipe */
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) { prctl(PR_SET_NAME, "two words"); crash(); }
	CHECK(DUMPED(wait_status(pid), SIGTRAP));
	CHECK(read_file("out", buf, sizeof(buf)) > 0);
	snprintf(want, sizeof(want), "%d|5|xtwo wordsx|0 1 1 /", pid);
	if (strcmp(buf, want)) printf("# %s\n# %s\n", buf, want);
	CHECK(!strcmp(buf, want));
	CHECK_EQ(unlink("out"), 0);
	set_sys("kernel/core_pattern", helper("copy", ""));
	dumped_by(crash, SIGTRAP);
	load_core("out");
	CHECK(core_note(NT_PRSTATUS, 0, NULL));
	set_sys("kernel/core_pattern", "core");
}

TEST(the_dead_is_there_while_it_reads)
{
	char buf[100];
	ready("core");
	set_sys("kernel/core_pipe_limit", "4");
	set_sys("kernel/core_pattern", helper("status", "%p"));
	dumped_by(crash, SIGTRAP);
	CHECK(read_file("out", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "CoreDumping:\t1"));
	set_sys("kernel/core_pattern", "core");
}

TEST(a_program_that_is_not_there)
{
	ready("|/nowhere/at/all %p");
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	set_sys("kernel/core_pattern", "|");
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	set_sys("kernel/core_pattern", "|/bin");
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	set_sys("kernel/core_pattern", helper("copy", ""));
	limit_core(1);			/* what helpers have, so that they leave none */
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	set_sys("kernel/core_pattern", "core");
	CHECK_ERR(access("out", F_OK), ENOENT);
}

static pid_t held(pid_t *reader)
{
	char buf[50];
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) { memset(in_bss, 1, sizeof(in_bss)); crash(); }
	while (read_file("out", buf, sizeof(buf)) <= 0 || !strchr(buf, ' '))
		sched_yield();
	*reader = atoi(buf);
	CHECK_EQ(unlink("out"), 0);
	return pid;
}

TEST(who_dumps_can_be_killed)
{
	pid_t reader;
	int st;
	ready("core");
	set_sys("kernel/core_pattern", helper("hold", ""));
	pid_t pid = held(&reader);
	CHECK_EQ(kill(pid, SIGTERM), 0);		/* but not by less */
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK(NOT_DUMPED(wait_status(pid), SIGKILL));
	CHECK_EQ(kill(reader, SIGKILL), 0);
	pid = held(&reader);
	CHECK_EQ(kill(reader, SIGKILL), 0);		/* nobody reads any more */
	CHECK(DUMPED(wait_status(pid), SIGTRAP));
	set_sys("kernel/core_pattern", "core");
}

TEST(only_so_many_programs_at_once)
{
	pid_t reader;
	ready("core");
	set_sys("kernel/core_pipe_limit", "1");
	set_sys("kernel/core_pattern", helper("hold", ""));
	pid_t pid = held(&reader);
	CHECK(NOT_DUMPED(in_child(crash), SIGTRAP));
	CHECK_EQ(kill(reader, SIGKILL), 0);
	CHECK(DUMPED(wait_status(pid), SIGTRAP));
	set_sys("kernel/core_pattern", "core");
}

/* --- what else ends in one */

static void filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };
	signal(SIGSYS, SIG_IGN);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), 0);
	getppid();
	_exit(0);
}

TEST(a_filter_that_kills)
{
	ready("core");
	dumped_by(filtered, SIGSYS);
	load_core("core");
	const siginfo_t *si = core_note(NT_SIGINFO, 0, NULL);
	CHECK(si);
	CHECK_EQ(si->si_signo, SIGSYS);
	CHECK_EQ(si->si_code, 1);		/* SYS_SECCOMP */
	CHECK_EQ(si->si_syscall, SYS_getppid);
}

static void xcpu(void) { raise(SIGXCPU); }
static void term(void) { raise(SIGTERM); }
static void aborts(void) { abort(); }

TEST(which_signals_leave_one)
{
	ready("core");
	dumped_by(xcpu, SIGXCPU);
	dumped_by(aborts, SIGABRT);
	CHECK_EQ(unlink("core"), 0);
	CHECK(NOT_DUMPED(in_child(term), SIGTERM));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

/* Threads that come and go while the process dies: each is in the core, or has ended. */
static void *short_life(void *more)
{
	pthread_t t;
	if (more && !pthread_create(&t, NULL, short_life, NULL))
		pthread_detach(t);
	return NULL;
}
static void *breeds(void *unused)
{
	for (;;) {
		pthread_t t;
		if (!pthread_create(&t, NULL, short_life, unused))
			pthread_join(t, NULL);
	}
	return NULL;
}
static void storm(void)
{
	pthread_t t;
	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, breeds, "more");
	for (int i = 0; i < (int)(getpid() % 7) * 3; i++)
		sched_yield();
	crash();
}

TEST(threads_that_come_and_go)
{
	ready("core");
	for (int i = 0; i < 10; i++) {
		dumped_by(storm, SIGTRAP);
		load_core("core");
		const struct core_status *s;
		for (int n = 0; (s = core_note(NT_PRSTATUS, n, NULL)) != NULL; n++)
			CHECK(s->sp);
		munmap(core, core_size + 1);
	}
}

TEST(as_it_was)
{
	ready("core");
}
