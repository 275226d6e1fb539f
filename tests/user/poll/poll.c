/* poll, select, epoll, eventfd. */
#include "tap.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

TEST(poll_edges)
{
	struct pollfd f[3] = { { -1, POLLIN, 99 }, { 99, POLLIN, 0 }, { 1, 0, 0 } };
	CHECK_EQ(poll(f, 2, 0), 1);
	CHECK(f[0].revents == 0 && f[1].revents == POLLNVAL);
	CHECK_EQ(poll(NULL, 0, 0), 0);
	CHECK_EQ(poll(NULL, 0, 1), 0);
	CHECK_ERR(poll(f, 1 << 30, 0), EINVAL);
	struct timespec bad = { 0, -1 };
	CHECK_ERR(syscall(SYS_ppoll, f, 1, &bad, 0, 8), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, f, 1, 0, &bad, 7), EINVAL);
	int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	f[0] = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	CHECK(poll(f, 1, -1) == 1 && f[0].revents == (POLLIN | POLLOUT));
}

TEST(poll_wakes_on_data)
{
	int p[2];
	CHECK(pipe(p) == 0);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) { wait_state(me, 'S'); write(p[1], "x", 1); _exit(0); }
	struct pollfd f = { p[0], POLLIN, 0 };
	CHECK(poll(&f, 1, -1) == 1 && (f.revents & POLLIN));
	wait_status(pid);
}

static void note(int s) { (void)s; }

TEST(ppoll_mask_is_swapped)
{
	sigset_t block, none;
	signal(SIGUSR1, note);
	sigemptyset(&none); sigemptyset(&block); sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	CHECK_ERR(ppoll(NULL, 0, NULL, &none), EINTR);
	sigset_t now;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1));
}

TEST(select_sets)
{
	int p[2];
	fd_set r, w;
	struct timeval tv = { 0, 0 };
	CHECK(pipe(p) == 0);
	FD_ZERO(&r); FD_ZERO(&w);
	FD_SET(p[0], &r); FD_SET(p[1], &w);
	CHECK_EQ(select(p[1] + 1, &r, &w, NULL, &tv), 1);
	CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	write(p[1], "x", 1);
	FD_SET(p[0], &r); FD_SET(p[1], &w);
	CHECK_EQ(select(p[1] + 1, &r, &w, NULL, NULL), 2);
	FD_ZERO(&r); FD_SET(50, &r);
	CHECK_ERR(select(51, &r, NULL, NULL, &tv), EBADF);
	CHECK_ERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
	tv.tv_usec = 1000;
	CHECK_EQ(select(0, NULL, NULL, NULL, &tv), 0);
}

TEST(epoll_level_edge_oneshot)
{
	int p[2], ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 }, got[4];
	CHECK(pipe(p) == 0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	write(p[1], "xx", 2);
	CHECK_EQ(epoll_wait(ep, got, 4, -1), 1);
	CHECK(got[0].data.u64 == 0x1122334455667788 && got[0].events == EPOLLIN);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	e.events = EPOLLIN | EPOLLET;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) == 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	write(p[1], "y", 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	e.events = EPOLLIN | EPOLLONESHOT;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) == 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	write(p[1], "z", 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e) == 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
}

TEST(epoll_errors)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), f = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	CHECK_ERR(epoll_create1(0x77), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, f, &e), EPERM);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e), EBADF);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERR(epoll_ctl(f, EPOLL_CTL_ADD, 0, &e), EINVAL);
	CHECK_ERR(epoll_ctl(ep, 77, 1, &e), EINVAL);
	CHECK_ERR(epoll_wait(ep, &e, 0, 0), EINVAL);
	CHECK_ERR(epoll_wait(f, &e, 1, 0), EINVAL);
}

TEST(epoll_closed_files_leave)
{
	int p[2], ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN }, got;
	CHECK(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	write(p[1], "x", 1);
	int d = dup(p[0]);
	close(p[0]);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 1);	/* the open file is still there */
	close(d);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	int q[2], outer = epoll_create1(0);
	CHECK(pipe(q) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &e) == 0);
	CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e) == 0);
	CHECK_EQ(epoll_wait(outer, &got, 1, 0), 0);
	write(q[1], "x", 1);
	CHECK_EQ(epoll_wait(outer, &got, 1, 0), 1);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
}

TEST(epoll_wakes)
{
	int p[2], ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	CHECK(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) { wait_state(me, 'S'); write(p[1], "x", 1); _exit(0); }
	CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
	wait_status(pid);
	close(p[1]);
	CHECK(epoll_wait(ep, &got, 1, 0) == 1 && (got.events & EPOLLHUP));
	CHECK_EQ(epoll_wait(ep, &got, 1, 5), 0);
}

/* What is ready, and stays so, is news for everybody who waits, not only for the first. */
TEST(epoll_levels_reach_all_who_wait)
{
	int p[2], ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };
	pid_t waits[3];
	CHECK(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	for (int i = 0; i < 3; i++) {
		waits[i] = fork();
		if (!waits[i]) _exit(epoll_wait(ep, &e, 1, -1) == 1 ? 0 : 1);
		CHECK(wait_state(waits[i], 'S'));
	}
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) CHECK_EQ(wait_status(waits[i]), 0);
}

TEST(eventfd_counts)
{
	uint64_t v = 3;
	int fd = eventfd(2, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK(read(fd, &v, 8) == 8 && v == 5);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	CHECK_ERR(read(fd, &v, 4), EINVAL);
	v = ~0ull;
	CHECK_ERR(write(fd, &v, 8), EINVAL);
	v--;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	struct pollfd f = { fd, POLLIN | POLLOUT, 0 };
	CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLIN);
	int s = eventfd(3, EFD_SEMAPHORE);
	for (int i = 0; i < 3; i++) CHECK(read(s, &v, 8) == 8 && v == 1);
	f = (struct pollfd){ s, POLLIN | POLLOUT, 0 };
	CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLOUT);
	CHECK_ERR(eventfd(0, 0x77), EINVAL);
}

TEST(timerfd_expires)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec its = { .it_value = { 0, 1000000 }, .it_interval = { 0, 1000000 } };
	uint64_t n;
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	struct pollfd f = { fd, POLLIN, 0 };
	CHECK(poll(&f, 1, -1) == 1);
	CHECK(read(fd, &n, 8) == 8 && n >= 1);
	memset(&its, 0, sizeof(its));
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK(timerfd_gettime(fd, &its) == 0 && its.it_value.tv_nsec == 0);
}
