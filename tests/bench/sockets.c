/* sockets: what local sockets cost: round trips of a byte, streams of 64 KiB writes, connections.
 * On one processor (-smp 1) the two processes take turns; with more they run beside each other unless pinned.  */
#include "bench.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int s[2];
static char block[65536];

static void fail(const char *what) { printf("# %s: errno %d\n", what, errno); exit(1); }

static void pin(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static pid_t echo(int type)
{
	if (socketpair(AF_UNIX, type, 0, s))
		fail("socketpair");
	pid_t p = fork();
	if (p == 0) {
		char c;
		close(s[0]);
		while (read(s[1], &c, 1) == 1)
			write(s[1], &c, 1);
		_exit(0);
	}
	close(s[1]);
	return p;
}

static void round_trip(void)
{
	char c = 'x';
	if (write(s[0], &c, 1) != 1 || read(s[0], &c, 1) != 1)
		fail("round trip");
}

static void self_trip(void)
{
	char c = 'x';
	if (write(s[0], &c, 1) != 1 || read(s[1], &c, 1) != 1)
		fail("trip");
}

static void trips(void)
{
	pid_t p = echo(SOCK_STREAM);
	bench("unix_stream_round_trip", 500, round_trip());
	close(s[0]);
	waitpid(p, NULL, 0);
	p = echo(SOCK_DGRAM);
	bench("unix_dgram_round_trip", 500, round_trip());
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	bench("unix_stream_self", 1000, self_trip());
}

static void send_block(void)
{
	if (write(s[0], block, sizeof(block)) != sizeof(block))
		fail("stream");
}

static void stream(void)
{
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	pid_t p = fork();
	if (p == 0) {
		close(s[0]);
		while (read(s[1], block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	close(s[1]);
	bench("unix_stream_64k", 2000, send_block());
	close(s[0]);
	waitpid(p, NULL, 0);
}

static int listener;
static struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0bench" };
#define NAME_LEN (offsetof(struct sockaddr_un, sun_path) + 6)

static void pair(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		fail("socketpair");
	close(s[0]);
	close(s[1]);
}

static void connection(void)
{
	int c = socket(AF_UNIX, SOCK_STREAM, 0), a;
	if (connect(c, (void *)&name, NAME_LEN) || (a = accept(listener, NULL, NULL)) < 0)
		fail("connection");
	close(c);
	close(a);
}

static void connections(void)
{
	bench("unix_pair_close", 500, pair());
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (void *)&name, NAME_LEN) || listen(listener, 10))
		fail("listen");
	bench("unix_connection", 500, connection());
}

int main(int argc, char **argv)
{
	const char *group = argc > 1 ? argv[1] : "";
	if (strstr(group, "pinned"))
		pin();
	if (!strstr(group, "stream")) trips();
	if (!strstr(group, "trips")) stream();
	if (!*group || strstr(group, "connections")) connections();
	return 0;
}
