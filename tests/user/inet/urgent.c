/* Urgent data of TCP: MSG_OOB, SO_OOBINLINE, SIOCATMARK, SIGURG. */
#include "inet.h"
#include <linux/sockios.h>

static int at_mark(int fd)
{
	int v = -1;

	CHECK_EQ(ioctl(fd, SIOCATMARK, &v), 0);
	return v;
}

static int readable(int fd)
{
	int v = -1;

	CHECK_EQ(ioctl(fd, FIONREAD, &v), 0);
	return v;
}

static void pair(int fd[2])
{
	lo_up();
	tcp_pair(fd);
}

TEST(one_byte)
{
	char c = 0;
	int fd[2];

	pair(fd);
	CHECK_ERR(recv(fd[1], &c, 1, MSG_OOB), EINVAL);
	CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	CHECK(!(events_of(fd[1], 0) & POLLIN));
	CHECK_EQ(recv(fd[1], &c, 1, MSG_OOB | MSG_PEEK), 1);
	CHECK_EQ(c, '!');
	c = 0;
	CHECK_EQ(recv(fd[1], &c, 1, MSG_OOB), 1);
	CHECK_EQ(c, '!');
	CHECK_ERR(recv(fd[1], &c, 1, MSG_OOB), EINVAL);
	CHECK(!(events_of(fd[1], 0) & POLLPRI));
	CHECK_ERR(recv(fd[1], &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(between_others)
{
	char buf[20], c;
	int fd[2];

	pair(fd);
	CHECK_EQ(send(fd[0], "ab", 2, 0), 2);
	CHECK_EQ(send(fd[0], "cX", 2, MSG_OOB), 2);
	CHECK_EQ(send(fd[0], "de", 2, 0), 2);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	while (readable(fd[1]) < 3)
		;
	CHECK_EQ(at_mark(fd[1]), 0);
	CHECK_EQ(recv(fd[1], buf, 20, 0), 3);		/* up to the mark */
	CHECK(!memcmp(buf, "abc", 3));
	CHECK_EQ(at_mark(fd[1]), 1);
	CHECK_EQ(recv(fd[1], &c, 1, MSG_OOB), 1);
	CHECK_EQ(c, 'X');
	CHECK_EQ(at_mark(fd[1]), 1);
	CHECK_EQ(recv(fd[1], buf, 2, MSG_WAITALL), 2);
	CHECK(!memcmp(buf, "de", 2));
	CHECK_EQ(at_mark(fd[1]), 0);
}

TEST(never_taken)
{
	char buf[20];
	int fd[2];

	pair(fd);
	CHECK_EQ(send(fd[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(send(fd[0], "cd", 2, 0), 2);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	CHECK_EQ(recv(fd[1], buf, 20, 0), 2);
	CHECK_EQ(recv(fd[1], buf, 2, MSG_WAITALL), 2);	/* the byte is gone */
	CHECK(!memcmp(buf, "cd", 2));
	CHECK(!(events_of(fd[1], 0) & POLLPRI));
	CHECK_ERR(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
}

TEST(in_line)
{
	char buf[20];
	int fd[2];

	pair(fd);
	CHECK_EQ(option(fd[1], SOL_SOCKET, SO_OOBINLINE), 0);
	CHECK_EQ(set_option(fd[1], SOL_SOCKET, SO_OOBINLINE, 1), 0);
	CHECK_EQ(send(fd[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(send(fd[0], "cd", 2, 0), 2);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	while (readable(fd[1]) < 5)
		;
	CHECK_ERR(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_EQ(recv(fd[1], buf, 20, 0), 2);
	CHECK_EQ(at_mark(fd[1]), 1);
	CHECK_EQ(recv(fd[1], buf, 20, 0), 3);
	CHECK(!memcmp(buf, "Xcd", 3));
	CHECK_EQ(at_mark(fd[1]), 0);
	CHECK(!(events_of(fd[1], 0) & POLLPRI));
}

TEST(in_line_alone)
{
	char c;
	int fd[2];

	pair(fd);
	CHECK_EQ(set_option(fd[1], SOL_SOCKET, SO_OOBINLINE, 1), 0);
	CHECK_EQ(send(fd[0], "X", 1, MSG_OOB), 1);
	CHECK((wait_events(fd[1], POLLIN) & (POLLIN)) == POLLIN);
	CHECK_EQ(readable(fd[1]), 1);
	CHECK_EQ(at_mark(fd[1]), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	CHECK_EQ(c, 'X');
}

TEST(the_last_counts)
{
	char buf[20], c;
	int fd[2];

	pair(fd);
	CHECK_EQ(send(fd[0], "1", 1, MSG_OOB), 1);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	CHECK_EQ(send(fd[0], "a2", 2, MSG_OOB), 2);
	while (readable(fd[1]) < 1)
		;
	sleep_ms(20);
	CHECK_EQ(recv(fd[1], &c, 1, MSG_OOB), 1);
	CHECK_EQ(c, '2');
	CHECK_EQ(recv(fd[1], buf, 20, 0), 1);	/* the first, never taken, has fallen out */
	CHECK_EQ(buf[0], 'a');
	CHECK_EQ(at_mark(fd[1]), 1);
}

TEST(reading_waits_behind_the_mark)
{
	char c;
	int fd[2], status;
	pid_t pid;

	pair(fd);
	CHECK_EQ(send(fd[0], "X", 1, MSG_OOB), 1);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	pid = fork();
	if (!pid) {
		CHECK_EQ(read(fd[1], &c, 1), 1);
		CHECK_EQ(c, 'n');
		_exit(0);
	}
	CHECK(wait_state(pid, 'S'));
	CHECK_EQ(write(fd[0], "n", 1), 1);
	status = wait_status(pid);
	CHECK(EXITED(status, 0));
}

TEST(peeking)
{
	char buf[20];
	int fd[2];

	pair(fd);
	CHECK_EQ(send(fd[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(send(fd[0], "cd", 2, 0), 2);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	CHECK_EQ(recv(fd[1], buf, 20, MSG_PEEK), 2);
	CHECK(!memcmp(buf, "ab", 2));
	CHECK_EQ(at_mark(fd[1]), 0);
	CHECK_EQ(recv(fd[1], buf, 20, 0), 2);
	CHECK_EQ(recv(fd[1], buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'X');
}

static volatile sig_atomic_t urgent;
static void on_urgent(int sig) { (void)sig; urgent++; }

TEST(signals)
{
	int fd[2];
	char c;

	pair(fd);
	signal(SIGURG, on_urgent);
	CHECK_EQ(fcntl(fd[1], F_SETOWN, getpid()), 0);
	CHECK_EQ(send(fd[0], "a", 1, 0), 1);
	CHECK_EQ(read(fd[1], &c, 1), 1);
	CHECK_EQ(urgent, 0);
	CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
	CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
	for (int i = 0; i < 1000 && !urgent; i++)
		sleep_ms(1);
	CHECK_EQ(urgent, 1);
}

TEST(epoll_tells)
{
	struct epoll_event e = { .events = EPOLLPRI };
	int fd[2], ep = epoll_create1(0);

	pair(fd);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &e), 0);
	CHECK_EQ(send(fd[0], "a", 1, 0), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 50), 0);
	CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 5000), 1);
	CHECK_EQ(e.events, EPOLLPRI);
}

TEST(much_around_it)
{
	static char buf[300000], in[300000];
	int fd[2], got = 0;
	pid_t pid;
	char c;

	pair(fd);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 5 + (i >> 8));
	pid = fork();
	if (!pid) {
		CHECK_EQ(send(fd[0], buf, 200000, 0), 200000);
		CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
		CHECK_EQ(send(fd[0], buf + 200000, 100000, 0), 100000);
		_exit(0);
	}
	while (got < 300000) {
		ssize_t n = recv(fd[1], in + got, sizeof(in) - got, 0);

		CHECK(n > 0);
		if (got < 200000)
			CHECK(got + n <= 200000);
		got += n;
		if (got == 200000) {
			CHECK(wait_events(fd[1], POLLPRI) & POLLPRI);
			CHECK_EQ(recv(fd[1], &c, 1, MSG_OOB), 1);
			CHECK_EQ(c, '!');
		}
	}
	CHECK(!memcmp(buf, in, 300000));
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(of_no_use)
{
	char c;
	int fd[2], s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);

	pair(fd);
	CHECK(send(s, "x", 1, MSG_OOB | MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK_ERR(recv(u, &c, 1, MSG_OOB | MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send(u, "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_EQ(close(fd[0]), 0);
	CHECK_ERR(recv(fd[1], &c, 1, MSG_OOB), EINVAL);
	CHECK_EQ(recv(fd[1], &c, 1, 0), 0);
}
