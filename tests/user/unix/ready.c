/* Readiness of AF_UNIX sockets: epoll, edges, SIGIO. */
#include "sock.h"

static int watch(int e, int fd, uint32_t events)
{
	struct epoll_event ev = { events, { .fd = fd } };
	return epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
}

static int next(int e)
{
	struct epoll_event ev;
	int n = epoll_wait(e, &ev, 1, 0);
	CHECK(n >= 0);
	return n ? (int)ev.events : 0;
}

TEST(edges_of_reading)
{
	char b[8];
	int e = epoll_create1(0);
	PAIR(SOCK_STREAM, s);
	CHECK(watch(e, s[1], EPOLLIN | EPOLLET) == 0);
	CHECK_EQ(next(e), 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(next(e), EPOLLIN);
	CHECK_EQ(next(e), 0);
	CHECK_EQ(write(s[0], "b", 1), 1);	/* more: another edge */
	CHECK_EQ(next(e), EPOLLIN);
	CHECK_EQ(read(s[1], b, 1), 1);
	CHECK_EQ(next(e), 0);
	close(s[0]);
	CHECK_EQ(next(e), EPOLLIN | EPOLLHUP);
}

TEST(edges_of_writing)
{
	static char big[65536];
	int e = epoll_create1(0), n = 0;
	PAIR(SOCK_STREAM, s);
	nonblocking(s[0]);
	nonblocking(s[1]);
	CHECK(watch(e, s[0], EPOLLOUT | EPOLLET) == 0);
	CHECK_EQ(next(e), EPOLLOUT);
	CHECK_EQ(next(e), 0);
	while (write(s[0], big, sizeof(big)) > 0) n++;
	CHECK_EQ(next(e), 0);
	CHECK(read(s[1], big, 1) == 1);
	CHECK_EQ(next(e), 0);			/* hardly any room yet */
	while (read(s[1], big, sizeof(big)) > 0) ;
	CHECK_EQ(next(e), EPOLLOUT);
	CHECK_EQ(next(e), 0);
}

TEST(a_write_does_not_wake_for_writing)
{
	char b[8];
	int e = epoll_create1(0);
	PAIR(SOCK_STREAM, s);
	CHECK(watch(e, s[0], EPOLLOUT | EPOLLET) == 0);
	CHECK_EQ(next(e), EPOLLOUT);
	CHECK_EQ(write(s[1], "x", 1), 1);
	CHECK_EQ(next(e), 0);
	CHECK_EQ(read(s[0], b, 8), 1);
	CHECK_EQ(next(e), 0);
}

TEST(one_shot)
{
	int e = epoll_create1(0);
	struct epoll_event ev = { EPOLLIN | EPOLLONESHOT, { 0 } };
	PAIR(SOCK_STREAM, s);
	CHECK(watch(e, s[1], EPOLLIN | EPOLLONESHOT) == 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(next(e), EPOLLIN);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(next(e), 0);
	CHECK(epoll_ctl(e, EPOLL_CTL_MOD, s[1], &ev) == 0);
	CHECK_EQ(next(e), EPOLLIN);
}

TEST(rdhup)
{
	int e = epoll_create1(0);
	PAIR(SOCK_STREAM, s);
	CHECK(watch(e, s[1], EPOLLRDHUP) == 0);
	CHECK_EQ(next(e), 0);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	CHECK_EQ(next(e), EPOLLRDHUP);
	close(s[0]);
	CHECK_EQ(next(e), EPOLLRDHUP | EPOLLHUP);
}

TEST(a_listener)
{
	int e = epoll_create1(0), l = listening(SOCK_STREAM, "@ep", 5);
	CHECK(watch(e, l, EPOLLIN | EPOLLET) == 0);
	CHECK_EQ(next(e), 0);
	int c = connected(SOCK_STREAM, "@ep");
	CHECK_EQ(next(e), EPOLLIN);
	CHECK_EQ(next(e), 0);
	int d = connected(SOCK_STREAM, "@ep");
	CHECK_EQ(next(e), EPOLLIN);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK_EQ(next(e), 0);
	close(c);
	close(d);
}

TEST(poll_blocks_until_bytes_come)
{
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) {
		struct pollfd p = { s[1], POLLIN, 0 };
		_exit(poll(&p, 1, 20000) == 1 && p.revents == POLLIN ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(poll_for_writing_wakes_when_there_is_room)
{
	static char big[65536];
	PAIR(SOCK_STREAM, s);
	nonblocking(s[0]);
	while (write(s[0], big, sizeof(big)) > 0) ;
	pid_t pid = fork();
	if (!pid) {
		struct pollfd p = { s[0], POLLOUT, 0 };
		_exit(poll(&p, 1, 20000) == 1 && p.revents == POLLOUT ? 7 : 1);
	}
	CHECK(wait_state(pid, 'S'));
	nonblocking(s[1]);
	while (read(s[1], big, sizeof(big)) > 0) ;
	CHECK(EXITED(wait_status(pid), 7));
}

static volatile sig_atomic_t sigios;
static volatile int sig_fd, sig_code;
static void on_io(int sig, siginfo_t *si, void *u)
{
	(void)sig;
	(void)u;
	sig_fd = si->si_fd;
	sig_code = si->si_code;
	sigios++;
}

static void catch_io(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_io, .sa_flags = SA_SIGINFO };
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

TEST(sigio)
{
	char b[8];
	PAIR(SOCK_STREAM, s);
	catch_io(SIGIO);
	CHECK_EQ(fcntl(s[1], F_GETOWN), 0);
	CHECK(fcntl(s[1], F_SETOWN, getpid()) == 0);
	CHECK_EQ(fcntl(s[1], F_GETOWN), getpid());
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(sigios, 0);
	CHECK(fcntl(s[1], F_SETFL, O_ASYNC) == 0);
	CHECK(fcntl(s[1], F_GETFL) & O_ASYNC);
	CHECK_EQ(write(s[0], "b", 1), 1);
	CHECK_EQ(sigios, 1);
	CHECK_EQ(read(s[1], b, 8), 2);
	CHECK_EQ(sigios, 1);
	CHECK(fcntl(s[1], F_SETFL, 0) == 0);
	CHECK_EQ(write(s[0], "c", 1), 1);
	CHECK_EQ(sigios, 1);
}

TEST(sigio_with_information)
{
	PAIR(SOCK_STREAM, s);
	int on = 1, sig = SIGRTMIN;
	catch_io(sig);
	CHECK(fcntl(s[1], F_SETOWN, getpid()) == 0);
	CHECK(fcntl(s[1], 10 /* F_SETSIG */, sig) == 0);
	CHECK(ioctl(s[1], FIOASYNC, &on) == 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(sigios, 1);
	CHECK_EQ(sig_code, POLL_IN);
	close(s[0]);
	CHECK(sigios >= 2);
	CHECK_EQ(sig_code, POLL_HUP);
}

TEST(owners)
{
	struct { int type, pid; } ex;
	int pid = 0;
	PAIR(SOCK_STREAM, s);
	ex.type = 0;
	ex.pid = getpid();
	CHECK(fcntl(s[0], 15 /* F_SETOWN_EX */, &ex) == 0);
	memset(&ex, 0, sizeof(ex));
	CHECK(fcntl(s[0], 16, &ex) == 0);
	CHECK_EQ(ex.type, 0);
	CHECK_EQ(ex.pid, getpid());
	pid = getpid();
	CHECK(ioctl(s[0], SIOCSPGRP, &pid) == 0);
	pid = 0;
	CHECK(ioctl(s[0], SIOCGPGRP, &pid) == 0);
	CHECK_EQ(pid, getpid());
	CHECK(fcntl(s[0], F_SETOWN, -getpgrp()) == 0);
	ex.type = 9;
	CHECK(fcntl(s[0], 16, &ex) == 0);
	CHECK_EQ(ex.type, 2);
	CHECK_EQ(ex.pid, getpgrp());
}
