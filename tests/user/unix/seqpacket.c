/* AF_UNIX sequenced packets: datagrams with a connection. */
#include "sock.h"

TEST(pair_keeps_boundaries)
{
	char b[16];
	PAIR(SOCK_SEQPACKET, s);
	CHECK_EQ(write(s[0], "one", 3), 3);
	CHECK_EQ(write(s[0], "three", 5), 5);
	CHECK_EQ(read(s[1], b, 2), 2);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
}

TEST(connection)
{
	char b[8];
	int l = listening(SOCK_SEQPACKET, "@seq", 5), c = connected(SOCK_SEQPACKET, "@seq"), n = accept(l, NULL, NULL);
	CHECK(n >= 0);
	CHECK_EQ(send(c, "ab", 2, 0), 2);
	CHECK_EQ(send(c, "cd", 2, MSG_EOR), 2);
	CHECK_EQ(recv(n, b, 8, 0), 2);
	CHECK_EQ(recv(n, b, 8, 0), 2);
	close(c);
	CHECK_EQ(recv(n, b, 8, 0), 0);
	CHECK_ERR(send(n, "x", 1, 0), EPIPE);	/* and no signal */
	int st = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(try_connect(st, "@seq"), ECONNREFUSED);
}

TEST(unconnected)
{
	char b;
	struct sockaddr_un a;
	int u = socket(AF_UNIX, SOCK_SEQPACKET, 0), l = listening(SOCK_SEQPACKET, "@seq2", 5);
	socklen_t len = un(&a, "@seq2");
	CHECK_ERR(recv(u, &b, 1, 0), ENOTCONN);
	CHECK_ERR(send(u, "x", 1, 0), ENOTCONN);
	CHECK_ERR(sendto(u, "x", 1, 0, (void *)&a, len), ENOTCONN);
	CHECK_ERR(recv(l, &b, 1, 0), ENOTCONN);
	CHECK_EQ(events_of(u), POLLOUT | POLLHUP);
	PAIR(SOCK_SEQPACKET, s);
	CHECK_EQ(sendto(s[0], "x", 1, 0, (void *)&a, len), 1);	/* the name is ignored */
	CHECK_EQ(recv(s[1], &b, 1, 0), 1);
}

TEST(reset_with_unread_packets)
{
	char b[8];
	PAIR(SOCK_SEQPACKET, s);
	CHECK_EQ(send(s[1], "lost", 4, 0), 4);
	CHECK_EQ(send(s[0], "last", 4, 0), 4);
	close(s[0]);
	CHECK_ERR(recv(s[1], b, 8, 0), ECONNRESET);
	CHECK_EQ(recv(s[1], b, 8, 0), 4);
	CHECK_EQ(recv(s[1], b, 8, 0), 0);
	CHECK_EQ(recv(s[1], b, 8, MSG_DONTWAIT), 0);
}

TEST(shutdown_and_oob)
{
	char b;
	PAIR(SOCK_SEQPACKET, s);
	CHECK_ERR(send(s[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	CHECK_ERR(send(s[0], "x", 1, 0), EPIPE);
	CHECK_EQ(recv(s[1], &b, 1, 0), 0);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(send(s[1], "y", 1, 0), 1);
	CHECK_EQ(recv(s[0], &b, 1, 0), 1);
}

TEST(blocking_by_memory)
{
	static char big[60000];
	int n = 0;
	PAIR(SOCK_SEQPACKET, s);
	while (send(s[0], big, sizeof(big), MSG_DONTWAIT) > 0) n++;
	CHECK(errno == EAGAIN);
	CHECK(n >= 2 && n < 10);
	pid_t pid = fork();
	if (!pid) _exit(send(s[0], big, sizeof(big), 0) == sizeof(big) ? 7 : 1);
	CHECK(wait_state(pid, 'S'));
	for (int i = 0; i < n; i++) CHECK_EQ(recv(s[1], big, sizeof(big), 0), sizeof(big));
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(readiness_of_a_listener)
{
	int l = listening(SOCK_SEQPACKET, "@seq3", 5);
	CHECK_EQ(events_of(l), 0);
	int c = connected(SOCK_SEQPACKET, "@seq3");
	CHECK_EQ(events_of(l), POLLIN);
	CHECK_EQ(events_of(c), POLLOUT);
}
