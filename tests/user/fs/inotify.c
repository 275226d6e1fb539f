/* inotify's calls: arguments, numbers of watches, reading, polling, signals, limits, /proc. */
#include "inotify.h"
#include <sys/epoll.h>

static unsigned long limit(const char *name, const char *set)
{
	char path[100], buf[40];
	snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
	CHECK(read_file(path, buf, sizeof(buf)) > 0);
	if (set) {
		int fd = open(path, O_WRONLY);
		CHECK(fd >= 0 && write(fd, set, strlen(set)) == (ssize_t)strlen(set));
		close(fd);
	}
	return strtoul(buf, NULL, 10);
}

TEST(init_takes_its_two_flags)
{
	int a = inotify_init1(0), b = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	CHECK(a >= 0 && b >= 0);
	CHECK_EQ(fcntl(a, F_GETFD), 0);
	CHECK_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(a, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
	CHECK_EQ(fcntl(b, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_NONBLOCK);
	CHECK_ERR(inotify_init1(1), EINVAL);
	CHECK_ERR(inotify_init1(IN_CLOEXEC | O_APPEND), EINVAL);
}
TEST(the_file_is_only_read)
{
	int fd = ev_init();
	char link[64] = "", path[64];
	CHECK_ERR(write(fd, "x", 1), EBADF);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERR(pread(fd, link, 64, 0), ESPIPE);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK_EQ(strcmp(link, "anon_inode:inotify"), 0);
	CHECK_ERR(ioctl(fd, TIOCGWINSZ, link), ENOTTY);
}
TEST(add_watch_refuses)
{
	int fd = ev_init(), p[2];
	scratch();
	touch("f");
	CHECK(symlink("f", "l") == 0 && symlink("nowhere", "dead") == 0);
	CHECK_ERR(inotify_add_watch(-1, "f", IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(999, "f", IN_OPEN), EBADF);
	CHECK(pipe(p) == 0);
	CHECK_ERR(inotify_add_watch(p[0], "f", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "f", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "f", 0x1000), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "f", IN_OPEN | 0x10000), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
	CHECK_ERR(inotify_add_watch(-1, "f", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EBADF);
	CHECK_ERR(inotify_add_watch(fd, "nothing", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "dead", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, "f/x", IN_OPEN), ENOTDIR);
	CHECK_ERR(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERR(inotify_add_watch(fd, (void *)8, IN_OPEN), EFAULT);
	CHECK_EQ(ev_watch(fd, "dead", IN_OPEN | IN_DONT_FOLLOW), 1);
	CHECK_EQ(ev_watch(fd, ".", IN_OPEN | IN_ONLYDIR), 2);
	CHECK_EQ(ev_watch(fd, "f", IN_ISDIR), 3);		/* a bit of the mask, though nothing to wait for */
	CHECK_EQ(ev_watch(fd, "l", IN_OPEN), 3);
	CHECK_EQ(ev_watch(fd, "l", IN_OPEN | IN_DONT_FOLLOW), 4);
}
TEST(read_permission_is_asked_of_the_file)
{
	int fd = ev_init();
	scratch();
	touch("secret");
	CHECK(chmod("secret", 0200) == 0 && mkdir("closed", 0700) == 0);
	touch("closed/f");
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK_ERR(inotify_add_watch(fd, "secret", IN_OPEN), EACCES);
	CHECK_ERR(inotify_add_watch(fd, "closed/f", IN_OPEN), EACCES);
	CHECK_ERR(inotify_add_watch(fd, "closed", IN_OPEN), EACCES);
	CHECK_EQ(ev_watch(fd, ".", IN_OPEN), 1);
}
TEST(one_watch_an_inode_and_numbers_rise)
{
	int fd = ev_init();
	scratch();
	touch("a");
	touch("b");
	CHECK(link("a", "a2") == 0);
	CHECK_EQ(ev_watch(fd, "a", IN_OPEN), 1);
	CHECK_EQ(ev_watch(fd, "b", IN_OPEN), 2);
	CHECK_EQ(ev_watch(fd, "a2", IN_OPEN), 1);
	CHECK_EQ(inotify_rm_watch(fd, 1), 0);
	CHECK_EQ(ev_watch(fd, "a", IN_OPEN), 3);
	SAYS(fd, "1:IGNORED");
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, 0), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, -1), EINVAL);
	CHECK_ERR(inotify_rm_watch(fd, 4), EINVAL);
	CHECK_ERR(inotify_rm_watch(-1, 3), EBADF);
	CHECK_ERR(inotify_rm_watch(0, 3), EINVAL);
	int other = ev_init();
	CHECK_EQ(ev_watch(other, "b", IN_OPEN), 1);
	CHECK_ERR(inotify_rm_watch(other, 2), EINVAL);
}
TEST(a_mask_is_replaced_added_to_or_kept)
{
	int fd = ev_init();
	scratch();
	touch("a");
	CHECK_EQ(ev_watch(fd, "a", IN_OPEN | IN_MASK_CREATE), 1);
	CHECK_ERR(inotify_add_watch(fd, "a", IN_MODIFY | IN_MASK_CREATE), EEXIST);
	close(open("a", O_RDONLY));
	SAYS(fd, "1:OPEN");
	CHECK_EQ(ev_watch(fd, "a", IN_CLOSE), 1);
	close(open("a", O_RDONLY));
	SAYS(fd, "1:CLOSE_NOWRITE");
	CHECK_EQ(ev_watch(fd, "a", IN_OPEN | IN_MASK_ADD), 1);
	close(open("a", O_RDONLY));
	SAYS(fd, "1:OPEN 1:CLOSE_NOWRITE");
	CHECK_EQ(ev_watch(fd, "a", IN_ONESHOT | IN_MASK_ADD), 1);	/* nothing of an old mask is lost by adding */
	close(open("a", O_RDONLY));
	SAYS(fd, "1:OPEN 1:IGNORED");
}
TEST(reading_gives_whole_events)
{
	int fd = ev_init();
	struct { struct inotify_event e; char name[256]; } b[4];
	char *at = (void *)b;
	scratch();
	ev_watch(fd, ".", IN_CREATE | IN_DELETE);
	touch("123456789012345");		/* with its NUL just sixteen */
	touch("1234567890123456");
	CHECK(unlink("123456789012345") == 0);
	CHECK_ERR(read(fd, b, 0), EINVAL);
	CHECK_ERR(read(fd, b, 15), EINVAL);
	CHECK_ERR(read(fd, b, 31), EINVAL);
	CHECK_EQ(read(fd, b, 32 + 47), 32);	/* the second does not fit */
	CHECK_EQ(b[0].e.len, 16);
	CHECK_EQ(read(fd, b, sizeof(b)), 48 + 32);
	CHECK_EQ(b[0].e.len, 32);
	CHECK_EQ(strcmp(b[0].e.name, "1234567890123456"), 0);
	CHECK_EQ(((struct inotify_event *)(at + 48))->mask, IN_DELETE);
	CHECK_ERR(read(fd, b, sizeof(b)), EAGAIN);
	CHECK_ERR(read(fd, b, 0), EAGAIN);	/* none waits that would be too long */
	touch("x");
	CHECK_ERR(read(fd, (void *)8, 4096), EFAULT);
	struct iovec v[2] = { { b, 32 }, { at + 32, 100 } };
	touch("y");
	CHECK_EQ(readv(fd, v, 2), 32);
	CHECK_EQ(strcmp(b[0].e.name, "y"), 0);
}
TEST(the_longest_name)
{
	int fd = ev_init();
	char name[256], want[300];
	scratch();
	memset(name, 'n', 255);
	name[255] = 0;
	ev_watch(fd, ".", IN_CREATE | IN_CLOSE_WRITE);
	touch(name);
	snprintf(want, sizeof(want), "1:CREATE=%s 1:CLOSE_WRITE=", name);
	CHECK_EQ(strncmp(ev_said(fd), want, strlen(want)), 0);
	CHECK_EQ(strlen(ev_text), strlen(want) + 255);
}
TEST(equal_neighbours_are_one)
{
	int fd = ev_init(), f, n;
	scratch();
	touch("a");
	touch("b");
	ev_watch(fd, ".", IN_MODIFY | IN_OPEN);
	f = open("a", O_WRONLY);
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECK_EQ(n, 32);
	for (int i = 0; i < 10; i++) CHECK_EQ(write(f, "x", 1), 1);
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECK_EQ(n, 64);
	touch("b");
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "1:OPEN=a 1:MODIFY=a 1:MODIFY=b 1:OPEN=b 1:MODIFY=b 1:MODIFY=a");
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "1:MODIFY=a");
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECK_EQ(n, 0);
}
TEST(poll_and_epoll)
{
	int fd = ev_init(), ep = epoll_create1(0);
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 7 }, got;
	scratch();
	touch("a");
	ev_watch(fd, "a", IN_OPEN | IN_CLOSE);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	close(open("a", O_RDONLY));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
	CHECK(got.events == EPOLLIN && got.data.u32 == 7);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	SAYS(fd, "1:OPEN 1:CLOSE_NOWRITE");
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(inotify_rm_watch(fd, 1), 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
}
TEST(a_reader_waits)
{
	int fd = inotify_init1(0);
	struct { struct inotify_event e; char name[256]; } b;
	scratch();
	touch("a");
	ev_watch(fd, ".", IN_ATTRIB);
	pid_t pid = fork();
	if (!pid) {
		CHECK_EQ(read(fd, &b, sizeof(b)), 32);
		CHECK(b.e.mask == IN_ATTRIB && !strcmp(b.e.name, "a"));
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK(chmod("a", 0600) == 0);
	CHECK(EXITED(wait_status(pid), 0));
}
static void nothing(int sig) { }
TEST(a_signal_ends_the_wait)
{
	int fd = inotify_init1(0);
	struct sigaction sa = { .sa_handler = nothing };
	char buf[300];
	sigaction(SIGUSR1, &sa, NULL);
	pid_t pid = fork();
	if (!pid) {
		CHECK_ERR(read(fd, buf, sizeof(buf)), EINTR);
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	kill(pid, SIGUSR1);
	CHECK(EXITED(wait_status(pid), 0));
}
TEST(sigio_goes_to_the_owner)
{
	int fd = ev_init();
	sigset_t set;
	siginfo_t si;
	struct timespec t0 = { 0, 0 }, t = { 10, 0 };
	scratch();
	touch("a");
	ev_watch(fd, "a", IN_OPEN);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ASYNC, O_ASYNC);
	close(open("a", O_RDONLY));
	CHECK_EQ(sigtimedwait(&set, &si, &t), SIGIO);
	CHECK(fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
	SAYS(fd, "1:OPEN");
	close(open("a", O_RDONLY));
	CHECK_EQ(sigtimedwait(&set, &si, &t), SIGRTMIN);
	CHECK(si.si_fd == fd && si.si_code == POLL_IN && si.si_band == (POLLIN | POLLRDNORM));
	close(open("a", O_RDONLY));		/* the same event again: nothing came */
	CHECK_ERR(sigtimedwait(&set, &si, &t0), EAGAIN);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	SAYS(fd, "1:OPEN");
	close(open("a", O_RDONLY));
	CHECK_ERR(sigtimedwait(&set, &si, &t0), EAGAIN);
}
TEST(an_instance_is_shared_after_fork_and_dup)
{
	int fd = ev_init(), d = dup(fd);
	scratch();
	touch("a");
	ev_watch(d, "a", IN_OPEN);
	close(fd);
	pid_t pid = fork();
	if (!pid) { close(open("a", O_RDONLY)); _exit(0); }
	CHECK(EXITED(wait_status(pid), 0));
	SAYS(d, "1:OPEN");
}
TEST(two_instances_are_told_each)
{
	int a = ev_init(), b = ev_init();
	scratch();
	touch("f");
	ev_watch(a, "f", IN_OPEN);
	ev_watch(b, ".", IN_OPEN | IN_CLOSE);
	ev_watch(b, "f", IN_OPEN);
	close(open("f", O_RDONLY));
	SAYS(a, "1:OPEN");
	SAYS(b, "1:OPEN=f 2:OPEN 1:CLOSE_NOWRITE=f");	/* the directory's watch first */
}
TEST(a_crowd_of_instances_watches_one_file)
{
	int fd[40];
	scratch();
	touch("f");
	for (int i = 0; i < 40; i++) { fd[i] = ev_init(); ev_watch(fd[i], "f", IN_OPEN); }
	close(open("f", O_RDONLY));
	for (int i = 0; i < 40; i++) SAYS(fd[i], "1:OPEN");
	for (int i = 0; i < 40; i += 3) close(fd[i]);
	close(open("f", O_RDONLY));
	for (int i = 0; i < 40; i++) if (i % 3) SAYS(fd[i], "1:OPEN");
}
TEST(fdinfo_lists_the_watches)
{
	int fd = ev_init();
	char path[64], buf[2000], want[200];
	struct stat st;
	scratch();
	touch("a");
	ev_watch(fd, ".", IN_OPEN | IN_ONLYDIR);
	ev_watch(fd, "a", IN_CLOSE_WRITE | IN_MODIFY | IN_ONESHOT | IN_EXCL_UNLINK);
	CHECK(stat("a", &st) == 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(read_file(path, buf, sizeof(buf)) > 0);
	unsigned dev = major(st.st_dev) << 20 | minor(st.st_dev);
	snprintf(want, sizeof(want), "\ninotify wd:2 ino:%lx sdev:%x mask:8400000a ignored_mask:0 ", (long)st.st_ino, dev);
	CHECK(strstr(buf, want));
	CHECK(stat(".", &st) == 0);
	snprintf(want, sizeof(want), "\ninotify wd:1 ino:%lx sdev:%x mask:20 ignored_mask:0 ", (long)st.st_ino, dev);
	CHECK(strstr(buf, want));
	CHECK(!strncmp(buf, "pos:\t0\nflags:\t0", 14));
}
TEST(the_queue_is_bounded)
{
	int fd, n;
	unsigned long old = limit("max_queued_events", "3");
	char path[20];
	CHECK_EQ(old, 16384);
	fd = ev_init();
	limit("max_queued_events", "16384");
	scratch();
	ev_watch(fd, ".", IN_CREATE);
	for (int i = 0; i < 6; i++) { sprintf(path, "f%d", i); touch(path); }
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECK_EQ(n, 3 * 32 + 16);
	SAYS(fd, "1:CREATE=f0 1:CREATE=f1 1:CREATE=f2 -1:OVERFLOW");
	touch("g");
	SAYS(fd, "1:CREATE=g");
	for (int i = 0; i < 6; i++) { sprintf(path, "h%d", i); touch(path); }
	CHECK_EQ(inotify_rm_watch(fd, 1), 0);		/* even that is lost */
	SAYS(fd, "1:CREATE=h0 1:CREATE=h1 1:CREATE=h2 -1:OVERFLOW");
}
static void as_user_instances(void)
{
	int fd[10], n = 0;
	CHECK(setresuid(4242, 4242, 4242) == 0);
	while (n < 10 && (fd[n] = inotify_init1(0)) >= 0) n++;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(n, 5);
	close(fd[2]);
	CHECK(inotify_init1(0) >= 0);
	CHECK_ERR(inotify_init1(0), EMFILE);
}
TEST(instances_of_a_user_are_bounded)
{
	unsigned long old = limit("max_user_instances", "5");
	CHECK_EQ(old, 128);
	int st = in_child(as_user_instances);
	limit("max_user_instances", "128");
	CHECK(EXITED(st, 0));
}
static void as_user_watches(void)
{
	int a = -1, b = -1;
	CHECK(setresuid(4243, 4243, 4243) == 0);
	a = ev_init();
	b = ev_init();
	CHECK_EQ(ev_watch(a, "0", IN_OPEN), 1);
	CHECK_EQ(ev_watch(a, "1", IN_OPEN), 2);
	CHECK_EQ(ev_watch(b, "0", IN_OPEN), 1);
	CHECK_ERR(inotify_add_watch(b, "1", IN_OPEN), ENOSPC);
	CHECK_EQ(ev_watch(b, "0", IN_CLOSE), 1);
	CHECK_EQ(inotify_rm_watch(a, 2), 0);
	CHECK(ev_watch(b, "1", IN_OPEN) > 1);
	CHECK_ERR(inotify_add_watch(b, "2", IN_OPEN), ENOSPC);
	close(a);
	CHECK(ev_watch(b, "2", IN_OPEN) > 1);
}
TEST(watches_of_a_user_are_bounded)
{
	char old[40];
	scratch();
	touch("0");
	touch("1");
	touch("2");
	sprintf(old, "%lu", limit("max_user_watches", "3"));
	CHECK(strtoul(old, NULL, 10) >= 4096);
	int st = in_child(as_user_watches);
	limit("max_user_watches", old);
	CHECK(EXITED(st, 0));
}
static void as_user_limits(void)
{
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK_ERR(open("/proc/sys/fs/inotify/max_user_watches", O_WRONLY), EACCES);
}
TEST(the_limits_are_roots_to_set)
{
	CHECK(EXITED(in_child(as_user_limits), 0));
	int fd = open("/proc/sys/fs/inotify/max_queued_events", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_ERR(write(fd, "-1", 2), EINVAL);
	CHECK_ERR(write(fd, "4294967296", 10), EINVAL);
	CHECK_ERR(write(fd, "many", 4), EINVAL);
}
TEST(closing_leaves_nothing)
{
	scratch();
	touch("f");
	for (int i = 0; i < 500; i++) {
		int fd = ev_init();
		ev_watch(fd, ".", IN_ALL_EVENTS);
		ev_watch(fd, "f", IN_ALL_EVENTS);
		touch("f");
		if (i & 1) CHECK_EQ(inotify_rm_watch(fd, 2), 0);
		close(fd);
	}
}
