/* The N-th allocation of a call fails, for N = 1, 2, ... until the call makes fewer: it answers with ENOMEM or the like, or goes on without;
 * nothing is lost in the kernel.  By /proc/self/fail-nth, which debug builds have (and Linux with fault injection). */
#define TAP_TIMEOUT 200
#define TAP_HOOK
#include "tap.h"
#include "inject.h"
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>

static int fd_a, fd_dir, fd_new, pipe_fd[2];
static char *area, buffer[65536];
static timer_t timer;
static pid_t kid;

/* What an exec'ed program does: 0 if the allocation failed, 42 if it was not reached. */
static void tap_hook(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "exec")) return;
	int fd = open("/proc/self/fail-nth", O_RDWR);
	if (fd < 0) fd = open("/proc/self/fail-nth", O_RDWR);
	if (fd < 0) exit(1);
	number(fd, 0);
	exit(fired(fd) ? 0 : 42);
}

static int keep(int fd) { fd_new = fd; return result(fd); }
static void drop(void) { if (fd_new >= 0) close(fd_new); fd_new = -1; }

/* --- the calls; each with what undoes it --- */
static int do_open(void) { return keep(open("f", O_RDWR)); }
static int do_create(void) { return keep(open("new", O_RDWR | O_CREAT | O_EXCL, 0600)); }
static int do_tmpfile(void) { return keep(open(".", O_RDWR | O_TMPFILE, 0600)); }
static void undo_create(void) { drop(); unlink("new"); rmdir("new"); unlink("f2"); }
static int do_mkdir(void) { return result(mkdir("new", 0700)); }
static int do_mknod(void) { return result(mkfifo("new", 0600)); }
static int do_symlink(void) { return result(symlink(memset(memset(buffer, 0, 400), 'x', 300), "new")); }
static int do_link(void) { return result(link("f", "new")); }
static int do_rename(void) { return result(rename("f", "f2")); }
static void undo_rename(void) { rename("f2", "f"); }
static int do_unlink(void) { return result(unlink("g")); }
static void undo_unlink(void) { int fd = open("g", O_RDWR | O_CREAT, 0600); write(fd, "x", 1); close(fd); }
static int do_stat(void) { struct stat st; return result(stat("/proc/self/../self/status", &st)); }
static int do_statfs(void) { struct statfs st; return result(statfs("/tmp", &st)); }
static int do_missing(void) { struct stat st; return stat("not-there", &st) == 0 ? EEXIST : errno == ENOENT ? 0 : errno; }
static int do_chdir(void) { return result(chdir("/proc/self/fd")); }
static void undo_chdir(void) { fchdir(fd_dir); }
static int do_getcwd(void) { return getcwd(buffer, sizeof(buffer)) ? 0 : errno; }
static int do_readlink(void) { return result(readlink("/proc/self/exe", buffer, 4096)); }
static int do_pipe(void) { return result(pipe(pipe_fd)); }
static void undo_pipe(void) { if (pipe_fd[0] >= 0) { close(pipe_fd[0]); close(pipe_fd[1]); } pipe_fd[0] = pipe_fd[1] = -1; }
static int do_eventfd(void) { return keep(eventfd(1, 0)); }
static int do_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int r = keep(epoll_create1(0));
	return r ? r : result(epoll_ctl(fd_new, EPOLL_CTL_ADD, fail_fd, &ev)) == EPERM ? 0 : result(epoll_ctl(fd_new, EPOLL_CTL_ADD, 0, &ev));
}
static int do_memfd(void) { int r = keep(memfd_create("m", MFD_CLOEXEC)); return r ? r : result(write(fd_new, buffer, 20000)); }
static int do_ptmx(void) { return keep(open("/dev/ptmx", O_RDWR | O_NOCTTY)); }
static int do_mmap(void) { void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); if (p != MAP_FAILED) area = p; return p == MAP_FAILED ? errno : 0; }
static int do_mmap_file(void) { void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd_a, 0); if (p != MAP_FAILED) area = p; return p == MAP_FAILED ? errno : 0; }
static int do_mmap_shared(void) { void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (p != MAP_FAILED) area = p; return p == MAP_FAILED ? errno : 0; }
static void undo_mmap(void) { if (area) munmap(area, 1 << 20); area = NULL; }
#define mapped() ((char *)0x20000000)
static void undo_parts(void) { mmap((void *)0x20000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); munmap((void *)0x30000000, 1 << 21); }
static int do_mprotect(void) { return result(mprotect(mapped() + 8192, 4096, PROT_READ)); }
static int do_munmap(void) { return result(munmap(mapped() + 8192, 4096)); }
static int do_madvise(void) { return result(madvise(mapped() + 8192, 4096, MADV_DONTFORK)); }
static int do_mlock(void) { return result(mlock(mapped() + 8192, 8192)); }
static int do_mremap(void) { return mremap(mapped(), 1 << 20, 1 << 21, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x30000000) == MAP_FAILED ? errno : 0; }
static int do_brk(void) { char *b = (char *)syscall(SYS_brk, 0); syscall(SYS_brk, b + 65536); syscall(SYS_brk, b); return 0; }
static int do_touch(void) { for (int i = 0; i < 1 << 20; i += 4096) mapped()[i] = 1; return 0; }
static int do_touch_file(void) { int r = do_mmap_file(); for (int i = 0; !r && i < 65536; i += 4096) area[i] = 1; return r; }
static int do_read(void) { return result(pread(fd_a, buffer, sizeof(buffer), 0)); }
static int do_write(void) { return result(pwrite(fd_a, buffer, sizeof(buffer), 100000)); }
static void undo_write(void) { ftruncate(fd_a, 65536); }
static int do_writev(void)
{
	struct iovec v[64];
	for (int i = 0; i < 64; i++) v[i] = (struct iovec){ buffer + i, 100 };
	lseek(fd_a, 0, SEEK_SET);
	return result(writev(fd_a, v, 64));
}
static int do_truncate(void) { return result(ftruncate(fd_a, 1 << 20)); }
static int do_fallocate(void) { return result(fallocate(fd_a, 0, 200000, 65536)); }
static int do_sendfile(void) { off_t off = 0; int r = keep(open("/dev/null", O_WRONLY)); return r ? r : result(sendfile(fd_new, fd_a, &off, 65536)); }
static int read_all(const char *path)
{
	int r = keep(open(path, O_RDONLY));
	while (!r) {
		ssize_t n = read(fd_new, buffer, sizeof(buffer));
		if (n < 0) r = errno;
		if (n <= 0) break;
	}
	return r;
}
static int do_maps(void) { return read_all("/proc/self/maps"); }
static int do_status(void) { return read_all("/proc/self/status"); }
static int do_meminfo(void) { return read_all("/proc/meminfo"); }
static int do_mounts(void) { return read_all("/proc/mounts"); }
static int do_urandom(void) { int r = keep(open("/dev/urandom", O_RDONLY)); return r ? r : result(read(fd_new, buffer, 1000)); }
static int list(const char *path)
{
	int r = keep(open(path, O_RDONLY | O_DIRECTORY));
	long n = 1;
	while (!r && n > 0)
		if ((n = syscall(SYS_getdents64, fd_new, buffer, sizeof(buffer))) < 0) r = errno;
	return r;
}
static int do_getdents_proc(void) { return list("/proc"); }
static int do_getdents_dev(void) { return list("/dev"); }
static int do_getdents_self(void) { return list("/proc/self/fd"); }
static int do_poll(void)
{
	static struct pollfd p[200];
	for (int i = 0; i < 200; i++) p[i] = (struct pollfd){ .fd = i & 1 ? 0 : fd_a, .events = POLLIN };
	return result(poll(p, 200, 0));
}
static int do_select(void) { fd_set set; struct timeval tv = { 0, 0 }; FD_ZERO(&set); FD_SET(fd_a, &set); return result(select(1000, &set, NULL, NULL, &tv)); }
static int do_dup_far(void) { return keep(fcntl(fd_a, F_DUPFD, 900)); }
static int do_lock(void) { struct flock fl = { .l_type = F_WRLCK, .l_start = 10, .l_len = 10 }; return result(fcntl(fd_a, F_SETLK, &fl)); }
static int do_lock_split(void) { struct flock fl = { .l_type = F_UNLCK, .l_start = 14, .l_len = 2 }; int r = do_lock(); return r ? r : result(fcntl(fd_a, F_SETLK, &fl)); }
static void undo_lock(void) { struct flock fl = { .l_type = F_UNLCK }; fcntl(fd_a, F_SETLK, &fl); flock(fd_a, LOCK_UN); }
static int do_flock(void) { return result(flock(fd_a, LOCK_EX)); }
static int do_setgroups(void) { static gid_t g[100]; return result(syscall(SYS_setgroups, 100, g)); }
static int do_setresuid(void) { return result(syscall(SYS_setresuid, -1, 0, -1)); }
static int do_sigqueue(void) { union sigval v = { 1 }; return result(sigqueue(getpid(), SIGRTMIN, v)); }
static void undo_sigqueue(void) { sigset_t s; struct timespec z = { 0, 0 }; sigemptyset(&s); sigaddset(&s, SIGRTMIN); while (sigtimedwait(&s, NULL, &z) > 0); }
static int do_timer(void) { struct sigevent ev = { .sigev_notify = SIGEV_NONE }; int r = result(timer_create(CLOCK_MONOTONIC, &ev, &timer)); kid = !r; return r; }
static void undo_timer(void) { if (kid) timer_delete(timer); kid = 0; }
static int do_mount(void) { return result(mount("none", "mnt", "tmpfs", 0, "size=1m")); }
static int do_mount_proc(void) { return result(mount("none", "mnt", "proc", 0, "")); }
static int do_bind(void) { return result(mount("/dev", "mnt", NULL, MS_BIND, NULL)); }
static void undo_mount(void) { umount2("mnt", MNT_DETACH); }
static int do_fork(void)
{
	kid = fork();
	if (kid == 0) _exit(0);
	return result(kid);
}
static int do_fork_rich(void)	/* with memory of all kinds, locks, timers */
{
	int r = do_lock();
	if (r) return r;
	mapped()[5] = 1;
	r = do_mmap_shared();
	return r ? r : do_fork();
}
static void undo_fork(void) { if (kid > 0) wait_status(kid); kid = 0; }
static void undo_fork_rich(void) { undo_fork(); undo_lock(); undo_mmap(); }
static pthread_t thread;
static void *idle(void *arg) { return arg; }
static int do_thread(void) { int r = pthread_create(&thread, NULL, idle, NULL); kid = !r; return r; }
static void undo_thread(void) { if (kid) pthread_join(thread, NULL); kid = 0; }
static int do_wait(void) { kid = 0; return waitpid(-1, NULL, WNOHANG) < 0 && errno != ECHILD ? errno : 0; }
static int do_sleep(void) { struct timespec t = { 0, 1000 }; return result(nanosleep(&t, NULL)); }

static const struct op ops[] = {
#define OP(name, undo) { #name, do_##name, undo }
	OP(open, drop), OP(create, undo_create), OP(tmpfile, drop), OP(mkdir, undo_create), OP(mknod, undo_create), OP(symlink, undo_create),
	OP(link, undo_create), OP(rename, undo_rename), OP(unlink, undo_unlink), OP(stat, NULL), OP(statfs, NULL), OP(missing, NULL),
	OP(chdir, undo_chdir), OP(getcwd, NULL), OP(readlink, NULL), OP(pipe, undo_pipe), OP(eventfd, drop), OP(epoll, drop), OP(memfd, drop),
	OP(ptmx, drop), OP(mmap, undo_mmap), OP(mmap_file, undo_mmap), OP(mmap_shared, undo_mmap), OP(mprotect, undo_parts),
	OP(munmap, undo_parts), OP(madvise, undo_parts), OP(mlock, undo_parts), OP(mremap, undo_parts), OP(brk, NULL), OP(touch, undo_parts),
	OP(touch_file, undo_mmap), OP(read, NULL), OP(write, undo_write), OP(writev, NULL), OP(truncate, undo_write), OP(fallocate, undo_write),
	OP(sendfile, drop), OP(maps, drop), OP(status, drop), OP(meminfo, drop), OP(mounts, drop), OP(urandom, drop), OP(getdents_proc, drop),
	OP(getdents_dev, drop), OP(getdents_self, drop), OP(poll, NULL), OP(select, NULL), OP(dup_far, drop), OP(lock, undo_lock),
	OP(lock_split, undo_lock), OP(flock, undo_lock), OP(setgroups, NULL), OP(setresuid, NULL), OP(sigqueue, undo_sigqueue),
	OP(timer, undo_timer), OP(mount, undo_mount), OP(mount_proc, undo_mount), OP(bind, undo_mount), OP(fork, undo_fork),
	OP(fork_rich, undo_fork_rich), OP(thread, undo_thread), OP(wait, NULL), OP(sleep, NULL),
};

static void prepare(void)
{
	signal(SIGRTMIN, SIG_DFL);
	sigset_t set;
	sigemptyset(&set); sigaddset(&set, SIGRTMIN); sigprocmask(SIG_BLOCK, &set, NULL);
	inject_begin();
	pipe_fd[0] = fd_new = -1;
	undo_parts();
	scratch();
	CHECK(mkdir("mnt", 0700) == 0);
	undo_unlink();
	write_file("f", "x");
	fd_a = open("a", O_RDWR | O_CREAT, 0600);
	CHECK(ftruncate(fd_a, 65536) == 0);
	fd_dir = open(".", O_RDONLY | O_DIRECTORY);
}

static void range(unsigned from, unsigned to)
{
	prepare();
	inject(&ops[from], to - from);
}

static void not_my_file(void) { CHECK_ERR(write(fail_fd, "1", 1), EPERM); }	/* its parent's */

TEST(the_file_itself)
{
	fail_fd = open("/proc/self/fail-nth", O_RDWR);
	if (fail_fd < 0) {
		CHECK_EQ(errno, ENOENT);	/* not a debug build */
		return;
	}
	number(fail_fd, 100);
	number(fail_fd, 0);
	CHECK(!fired(fail_fd));
	number(fail_fd, 1);
	CHECK_ERR(open("/proc/self/stat", O_RDONLY), ENOMEM);
	number(fail_fd, 0);
	CHECK(fired(fail_fd));
	CHECK_ERR(write(fail_fd, "-1", 2), EINVAL);
	CHECK_ERR(write(fail_fd, "x", 1), EINVAL);
	int other = in_child(not_my_file);
	CHECK(EXITED(other, 0));
}

TEST(files_and_names) { range(0, 20); }
TEST(mappings) { range(20, 31); }
TEST(data_and_listings) { range(31, 45); }
TEST(waiting_locks_and_credentials) { range(45, 55); }
TEST(mounts_processes_threads) { range(55, COUNT(ops)); }

/* The child arms itself and becomes another program; -1: a signal, else its exit status, or 100 + errno of execve. */
static int exec_with(int n, char *const argv[])
{
	fflush(stdout);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
		number(fd, n);
		execve(argv[0], argv, (char *[]) { "A=B", NULL });
		int e = errno;
		number(fd, 0);
		_exit(100 + e);
	}
	int st = wait_status(pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void exec_sweep(char *const argv[])
{
	int status = 0;
	for (int n = 1; status != 42; n++) {
		CHECK(n < MOST);
		status = exec_with(n, argv);
		if (status != 0 && status != 42 && status != 100 + ENOMEM && status != -1) printf("# exec, allocation %d: status %d\n", n, status);
		CHECK(status == 0 || status == 42 || status == 100 + ENOMEM || status == -1);
	}
}

TEST(execve)
{
	static struct held before[200];
	prepare();
	char *direct[] = { "/proc/self/exe", "exec", NULL };
	char path[256] = "";
	CHECK(readlink("/proc/self/exe", path, 255) > 0);
	int fd = open("script", O_WRONLY | O_CREAT, 0755);
	dprintf(fd, "#!%s exec\n", path);
	close(fd);
	char *script[] = { "./script", NULL };
	exec_sweep(direct);
	exec_sweep(script);
	int n = held_now(before);
	pages_before = pages_now();
	for (int i = 0; i < SWEEPS; i++) { exec_sweep(direct); exec_sweep(script); }
	CHECK(settled(before, n));
}
