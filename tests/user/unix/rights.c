/* Descriptors through AF_UNIX sockets. */
#include "sock.h"

/* A pipe, whose writing end is only in what is sent from s. */
static void send_pipe_end(int s, int p[2])
{
	CHECK(pipe(p) == 0);
	CHECK_EQ(send_fds(s, "x", 1, &p[1], 1), 1);
	close(p[1]);
}

TEST(a_descriptor_travels)
{
	char b[8];
	int p[2], q, n, flags;
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	CHECK_EQ(recv_fds(s[1], b, 8, &q, 1, &n, 0, &flags), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(flags, 0);
	CHECK(!(fcntl(q, F_GETFD) & FD_CLOEXEC));
	CHECK_EQ(write(q, "via", 3), 3);
	CHECK_EQ(read(p[0], b, 8), 3);
	close(q);
	CHECK_EQ(read(p[0], b, 8), 0);
}

TEST(it_is_the_same_open_file)
{
	char b[8];
	int f, g, n;
	scratch();
	write_file("f", "abcdef");
	PAIR(SOCK_DGRAM, s);
	f = open("f", O_RDONLY);
	CHECK_EQ(send_fds(s[0], "x", 1, &f, 1), 1);
	CHECK_EQ(recv_fds(s[1], b, 8, &g, 1, &n, MSG_CMSG_CLOEXEC, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK(fcntl(g, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(read(f, b, 2), 2);
	CHECK_EQ(read(g, b, 2), 2);
	CHECK(!memcmp(b, "cd", 2));
}

TEST(cloexec_is_told_in_the_flags)
{
	char b;
	int g, n, flags;
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(send_fds(s[0], "x", 1, &s[0], 1), 1);
	CHECK_EQ(recv_fds(s[1], &b, 1, &g, 1, &n, MSG_CMSG_CLOEXEC, &flags), 1);
	CHECK_EQ(flags, MSG_CMSG_CLOEXEC);
}

TEST(to_another_process)
{
	char b[8];
	int p[2], n, q;
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) {
		CHECK(recv_fds(s[1], b, 8, &q, 1, &n, 0, NULL) == 1 && n == 1);
		_exit(write(q, "child", 5) == 5 ? 7 : 1);
	}
	CHECK(pipe(p) == 0);
	CHECK_EQ(send_fds(s[0], "x", 1, &p[1], 1), 1);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(read(p[0], b, 8), 5);
}

TEST(without_room_they_are_closed)
{
	char b;
	int p[2], q[2], n, flags;
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	CHECK_EQ(recv_fds(s[1], &b, 1, q, 0, &n, 0, &flags), 1);
	CHECK_EQ(n, 0);
	CHECK_EQ(flags, MSG_CTRUNC);
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(room_for_some)
{
	char b;
	int p[2], q[3], n, flags;
	PAIR(SOCK_STREAM, s);
	CHECK(pipe(p) == 0);
	int three[3] = { p[1], s[0], p[1] };
	CHECK_EQ(send_fds(s[0], "x", 1, three, 3), 1);
	CHECK_EQ(recv_fds(s[1], &b, 1, q, 1, &n, 0, &flags), 1);
	CHECK(n == 1 || n == 2);	/* CMSG_SPACE of one has room for two */
	CHECK_EQ(n, 2);
	CHECK_EQ(flags, MSG_CTRUNC);
}

TEST(a_plain_read_closes_them)
{
	char b;
	int p[2];
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	CHECK_EQ(read(s[1], &b, 1), 1);
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(closing_the_receiver_closes_them)
{
	int p[2];
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	close(s[1]);
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(peek_duplicates)
{
	char b;
	int p[2], q, r, n;
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	CHECK_EQ(recv_fds(s[1], &b, 1, &q, 1, &n, MSG_PEEK, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_fds(s[1], &b, 1, &r, 1, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK(q != r);
	close(q);
	CHECK_EQ(write(r, "x", 1), 1);
	close(r);
	CHECK_EQ(read(p[0], &b, 1), 1);
	CHECK_EQ(read(p[0], &b, 1), 0);
}

TEST(they_end_a_read)
{
	char b[16];
	int q[2], n;
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(send_fds(s[0], "cd", 2, &s[0], 1), 2);
	CHECK_EQ(write(s[0], "ef", 2), 2);
	CHECK_EQ(recv_fds(s[1], b, 16, q, 2, &n, 0, NULL), 4);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_fds(s[1], b, 16, q, 2, &n, 0, NULL), 2);
	CHECK_EQ(n, 0);
}

TEST(they_come_with_the_first_byte)
{
	char b[16];
	int q, n;
	PAIR(SOCK_STREAM, s);
	CHECK_EQ(send_fds(s[0], "cd", 2, &s[0], 1), 2);
	CHECK_EQ(recv_fds(s[1], b, 1, &q, 1, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_fds(s[1], b, 1, &q, 1, &n, 0, NULL), 1);
	CHECK_EQ(n, 0);
}

TEST(bad_control)
{
	char c[64];
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(4) };
	struct cmsghdr *h = (void *)c;
	PAIR(SOCK_STREAM, s);
	memset(c, 0, sizeof(c));
	*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(4) };
	*(int *)CMSG_DATA(h) = -1;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EBADF);
	*(int *)CMSG_DATA(h) = 9999;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EBADF);
	*(int *)CMSG_DATA(h) = 0;
	h->cmsg_len = 8;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	h->cmsg_len = 1000;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	*(uint64_t *)h = (uint64_t)-1;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	*(uint64_t *)h = CMSG_LEN(4);
	h->cmsg_type = 99;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
	h->cmsg_level = 99;
	CHECK_EQ(syscall(SYS_sendmsg, s[0], &m, 0), 1);
	m.msg_control = (void *)1;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
	m.msg_control = c;
	m.msg_controllen = 1 << 20;
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), ENOBUFS);
	memcpy((char *)&m + offsetof(struct msghdr, msg_controllen), &(uint64_t){ 1ull << 40 }, 8);	/* the kernel's is of 64 bits */
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), ENOBUFS);
}

TEST(no_more_than_253)
{
	static int fds[254], in[254];
	char b;
	int n;
	struct rlimit rl = { 2000, 2000 };
	PAIR(SOCK_STREAM, s);
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	for (int i = 0; i < 254; i++) fds[i] = s[0];
	CHECK_EQ(send_fds(s[0], "x", 1, fds, 253), 1);
	CHECK_EQ(recv_fds(s[1], &b, 1, in, 253, &n, 0, NULL), 1);
	CHECK_EQ(n, 253);
	char c[CMSG_SPACE(254 * sizeof(int))];
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	memset(c, 0, sizeof(c));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(254 * sizeof(int)) };
	memcpy(CMSG_DATA(h), fds, sizeof(fds));
	CHECK_ERR(syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
}

TEST(no_free_number)
{
	char b;
	int p[2], q, n, flags;
	PAIR(SOCK_STREAM, s);
	send_pipe_end(s[0], p);
	struct rlimit rl = { 5, 5 };
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	while (dup(0) >= 0) ;
	CHECK_EQ(recv_fds(s[1], &b, 1, &q, 1, &n, 0, &flags), 1);
	CHECK_EQ(n, 0);
	CHECK_EQ(flags, MSG_CTRUNC);
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(too_many_in_flight)
{
	pid_t pid = fork();
	if (!pid) {
		struct rlimit rl = { 64, 64 };
		int n = 0, fds[20];
		PAIR(SOCK_DGRAM, s);
		if (setrlimit(RLIMIT_NOFILE, &rl) || setgid(4242) || setuid(4242)) _exit(1);
		for (int i = 0; i < 20; i++) fds[i] = s[0];
		while (send_fds(s[0], "x", 1, fds, 20) == 1) n++;
		_exit(errno == ETOOMANYREFS && n == 4 ? 7 : 2);
	}
	CHECK(EXITED(wait_status(pid), 7));
}

/* A socket that is held only by its own queue must go, and what its queue holds with it. */
static void hold(int via, int to_hold[2])
{
	CHECK(pipe(to_hold) == 0);
	CHECK_EQ(send_fds(via, "p", 1, &to_hold[1], 1), 1);
	close(to_hold[1]);
}

TEST(cycle_of_one)
{
	int p[2];
	PAIR(SOCK_STREAM, s);
	hold(s[0], p);
	CHECK_EQ(send_fds(s[0], "x", 1, &s[1], 1), 1);	/* s[1] waits in its own queue */
	close(s[1]);
	close(s[0]);
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(cycle_of_two)
{
	int p[2];
	PAIR(SOCK_STREAM, a);
	hold(a[0], p);
	CHECK_EQ(send_fds(a[0], "x", 1, &a[0], 1), 1);
	CHECK_EQ(send_fds(a[1], "x", 1, &a[1], 1), 1);
	close(a[0]);
	close(a[1]);
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(cycle_through_others)
{
	int p[2], fd[5][2];
	for (int i = 0; i < 5; i++) CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd[i]) == 0);
	hold(fd[3][0], p);
	for (int i = 0; i < 5; i++) CHECK_EQ(send_fds(fd[i][0], "x", 1, &fd[(i + 1) % 5][1], 1), 1);
	for (int i = 0; i < 5; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(cycle_with_a_listener)
{
	int p[2], l = listening(SOCK_STREAM, "@cycle", 5), c = connected(SOCK_STREAM, "@cycle");
	hold(c, p);
	CHECK_EQ(send_fds(c, "x", 1, &l, 1), 1);	/* in the queue of a connection not accepted */
	close(l);
	close(c);
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pipe_is_hung_up(p[0]));
}

/* The kernel's own thread takes the epolls apart, twice: what the first one leaves undone, the second would wait for. */
TEST(cycle_with_epolls_that_watch_each_other)
{
	for (int i = 0; i < 2; i++) {
		int p[2], q[2], e[2] = { epoll_create1(0), epoll_create1(0) };
		struct epoll_event ev = { .events = EPOLLIN };
		PAIR(SOCK_STREAM, s);
		CHECK(pipe(q) == 0);
		CHECK_EQ(epoll_ctl(e[1], EPOLL_CTL_ADD, q[0], &ev), 0);
		CHECK_EQ(epoll_ctl(e[0], EPOLL_CTL_ADD, e[1], &ev), 0);
		CHECK_EQ(write(q[1], "x", 1), 1);
		CHECK_EQ(send_fds(s[0], "x", 1, e, 2), 1);
		hold(s[0], p);
		CHECK_EQ(send_fds(s[0], "x", 1, &s[1], 1), 1);
		close(e[0]);
		close(e[1]);
		close(s[1]);
		close(s[0]);
		close(socket(AF_UNIX, SOCK_STREAM, 0));
		CHECK(pipe_is_hung_up(p[0]));
		close(q[1]);
		close(q[0]);
	}
}

TEST(what_is_reachable_stays)
{
	char b;
	int p[2], n, got[2];
	PAIR(SOCK_STREAM, s);
	PAIR(SOCK_STREAM, t);
	hold(t[0], p);
	CHECK_EQ(send_fds(t[0], "x", 1, &t[1], 1), 1);	/* holds itself */
	CHECK_EQ(send_fds(s[0], "y", 1, &t[1], 1), 1);	/* and can be had from s */
	close(t[1]);
	for (int i = 0; i < 20; i++) {
		close(socket(AF_UNIX, SOCK_STREAM, 0));
		sleep_ms(5);
	}
	struct pollfd f = { p[0], POLLIN, 0 };
	CHECK_EQ(poll(&f, 1, 0), 0);
	CHECK_EQ(recv_fds(s[1], &b, 1, got, 1, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(recv_fds(got[0], &b, 1, &got[1], 1, &n, 0, NULL), 1);
	CHECK_EQ(n, 1);
	CHECK_EQ(write(got[1], "alive", 5), 5);
	CHECK_EQ(read(p[0], &b, 1), 1);
}

TEST(a_long_chain_is_closed)
{
	int p[2], s[2], next[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	hold(s[0], p);
	for (int i = 0; i < 3000; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, next) == 0);
		CHECK_EQ(send_fds(next[0], "x", 1, &s[1], 1), 1);
		close(s[0]);
		close(s[1]);
		s[0] = next[0];
		s[1] = next[1];
	}
	close(s[0]);
	close(s[1]);
	CHECK(pipe_is_hung_up(p[0]));
}

TEST(an_exit_closes_a_chain)
{
	int p[2], s[2], next[2];
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
		CHECK_EQ(send_fds(s[0], "p", 1, &p[1], 1), 1);
		for (int i = 0; i < 500; i++) {
			CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, next) == 0);
			CHECK_EQ(send_fds(next[0], "x", 1, &s[1], 1), 1);
			close(s[0]);
			close(s[1]);
			s[0] = next[0];
			s[1] = next[1];
		}
		CHECK_EQ(send_fds(s[0], "x", 1, &s[1], 1), 1);	/* and a cycle at its end */
		_exit(7);
	}
	close(p[1]);
	CHECK(EXITED(wait_status(pid), 7));
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(pipe_is_hung_up(p[0]));
}
