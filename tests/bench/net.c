/* net: what Internet sockets and epoll cost.  Argument: one group, else all but `wire`.
 *
 *   loop     over 127.0.0.1: a stream, round trips, connections, ping
 *   epoll    1,000 descriptors: one ready, all ready, an echo server of 1,000 connections
 *   wire     over eth0 with tests/net/bench_host.py behind it, at benchhost= of the environment; the names begin with benchwire=
 *
 * Times are for each MiB, round trip, datagram or connection: less is better.  */
#include "bench.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#define MIB	(1l << 20)
#define MANY	1000
#define HOST_PORT	9100
#define GUEST_PORT	9101

static char block[65536];
static int s, listener;
static const char *wire = "";

static void fail(const char *what) { printf("# net: %s: errno %d\n", what, errno); fflush(stdout); _exit(1); }
#define MUST(x) do { if (!(x)) fail(#x); } while (0)

static const char *named(const char *name)
{
	static char full[64];
	snprintf(full, sizeof(full), "net_%s%s", wire, name);
	return full;
}

/* The same as bench(), with the name made up. */
#define bench_net(name, n, body) do { char name_[64]; strcpy(name_, named(name)); bench(name_, n, body); } while (0)

static struct sockaddr_in at(const char *address, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address) };
}

static void interface_up(const char *name, const char *address, const char *mask)
{
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { 0 };
	struct sockaddr_in a = at(address, 0), m = at(mask, 0);

	strcpy(r.ifr_name, name);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	MUST(!ioctl(c, SIOCSIFADDR, &r));
	memcpy(&r.ifr_addr, &m, sizeof(m));
	MUST(!ioctl(c, SIOCSIFNETMASK, &r));
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	MUST(!ioctl(c, SIOCSIFFLAGS, &r));
	close(c);
}

static int no_delay(int c)
{
	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return c;
}

static int connected(const char *address, int port)
{
	struct sockaddr_in a = at(address, port);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	MUST(c >= 0 && !connect(c, (void *)&a, sizeof(a)));
	return no_delay(c);
}

static int listening(const char *address, int port)
{
	struct sockaddr_in a = at(address, port);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	MUST(!bind(c, (void *)&a, sizeof(a)) && !listen(c, 1024));
	return c;
}

static void loop_pair(int pair[2])
{
	pair[0] = connected("127.0.0.1", GUEST_PORT);
	pair[1] = no_delay(accept(listener, NULL, NULL));
	MUST(pair[1] >= 0);
}

static void write_all(int c, const char *from, size_t len)
{
	while (len) {
		ssize_t n = write(c, from, len);
		MUST(n > 0);
		from += n, len -= n;
	}
}

static void out_mib(void)
{
	for (int i = 0; i < MIB / (long)sizeof(block); i++)
		write_all(s, block, sizeof(block));
}

static void in_mib(void)
{
	for (long left = MIB; left;) {
		ssize_t n = read(s, block, left < (long)sizeof(block) ? left : (long)sizeof(block));
		MUST(n > 0);
		left -= n;
	}
}

static void round_trip(void)
{
	char c = 'E';
	if (write(s, &c, 1) != 1 || read(s, &c, 1) != 1)
		fail("round trip");
}

/* Somebody at the other end of s, who swallows it or echoes it. */
static pid_t partner(int other, int echo)
{
	pid_t p = fork();

	if (p == 0) {
		ssize_t n;
		close(s);
		while ((n = read(other, block, sizeof(block))) > 0)
			if (echo)
				write_all(other, block, n);
		_exit(0);
	}
	close(other);
	return p;
}

static void loop_streams(void)
{
	int pair[2];
	pid_t p;

	loop_pair(pair);
	s = pair[0];
	p = partner(pair[1], 0);
	bench_net("lo_tcp_per_mib", 16, out_mib());
	close(s);
	waitpid(p, NULL, 0);
	loop_pair(pair);
	s = pair[0];
	p = partner(pair[1], 1);
	bench_net("lo_tcp_round_trip", 500, round_trip());
	close(s);
	waitpid(p, NULL, 0);
}

static void loop_datagrams(void)
{
	struct sockaddr_in a = at("127.0.0.1", GUEST_PORT), b = at("127.0.0.1", GUEST_PORT + 1);
	int other = socket(AF_INET, SOCK_DGRAM, 0);
	pid_t p;
	char c;

	s = socket(AF_INET, SOCK_DGRAM, 0);
	MUST(!bind(s, (void *)&a, sizeof(a)) && !bind(other, (void *)&b, sizeof(b)));
	MUST(!connect(s, (void *)&b, sizeof(b)) && !connect(other, (void *)&a, sizeof(a)));
	bench_net("lo_udp_self", 1000, MUST(write(s, block, 64) == 64 && read(other, block, 64) == 64));
	p = fork();
	if (p == 0) {
		while (read(other, &c, 1) == 1)
			MUST(write(other, &c, 1) == 1);
		_exit(0);
	}
	bench_net("lo_udp_round_trip", 500, round_trip());
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	close(s);
	close(other);
}

static void loop_connection(void)
{
	int c = connected("127.0.0.1", GUEST_PORT), a = accept(listener, NULL, NULL);

	MUST(a >= 0);
	close(c);
	close(a);
}

static uint16_t sum(const void *data, size_t len)
{
	uint32_t n = 0;
	for (size_t i = 0; i < len / 2; i++)
		n += ((const uint16_t *)data)[i];
	n = (n >> 16) + (n & 0xffff);
	return ~(n + (n >> 16));
}

/* A raw ICMP socket: on loopback it also sees the request come in. */
static void ping(void)
{
	struct { struct icmphdr head; char data[56]; } echo = { .head.type = ICMP_ECHO, .head.un.echo.id = htons(77) };
	char got[128];

	echo.head.checksum = sum(&echo, sizeof(echo));
	MUST(write(s, &echo, sizeof(echo)) == sizeof(echo));
	do
		MUST(read(s, got, sizeof(got)) >= 28);
	while (got[20] != ICMP_ECHOREPLY);
}

static void pings(const char *address, const char *name, long n)
{
	struct sockaddr_in a = at(address, 0);

	s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	MUST(s >= 0 && !connect(s, (void *)&a, sizeof(a)));
	bench_net(name, n, ping());
	close(s);
}

static void loop(void)
{
	listener = listening("127.0.0.1", GUEST_PORT);
	loop_streams();
	loop_datagrams();
	bench_net("lo_connection", 200, loop_connection());
	pings("127.0.0.1", "lo_ping", 500);
	close(listener);
}

/* --- epoll */
static int ends[MANY][2], poller, turn;

static void epoll_add(int fd, unsigned int events, int number)
{
	struct epoll_event e = { .events = events, .data.u32 = number };
	MUST(!epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e));
}

/* One of them becomes ready, is told of and read. */
static void epoll_one(void)
{
	struct epoll_event e[64];
	char c = 'x';
	int i = turn++ % MANY;

	MUST(write(ends[i][0], &c, 1) == 1 && epoll_wait(poller, e, 64, -1) == 1 && e[0].data.u32 == (unsigned)i && read(ends[i][1], &c, 1) == 1);
}

/* All become ready and are served, 64 at a time; `echo` sends each byte back to whoever sent it, who reads it. */
static void epoll_all(int echo)
{
	struct epoll_event e[64];
	char c = 'x';

	for (int i = 0; i < MANY; i++)
		MUST(write(ends[i][0], &c, 1) == 1);
	for (int served = 0; served < MANY;) {
		int n = epoll_wait(poller, e, 64, -1);
		MUST(n > 0);
		for (int i = 0; i < n; i++) {
			int fd = ends[e[i].data.u32][1];
			MUST(read(fd, &c, 1) == 1 && (!echo || write(fd, &c, 1) == 1));
		}
		served += n;
	}
	for (int i = 0; echo && i < MANY; i++)
		MUST(read(ends[i][0], &c, 1) == 1);
}

static void epoll_change(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = ends[turn++ % MANY][0];

	MUST(!epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) && !epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL));
}

static void watch_ends(unsigned int how)
{
	poller = epoll_create1(0);
	for (int i = 0; i < MANY; i++)
		epoll_add(ends[i][1], EPOLLIN | how, i);
}

static void close_ends(void)
{
	close(poller);
	for (int i = 0; i < MANY; i++)
		close(ends[i][0]), close(ends[i][1]);
}

static void epolls(void)
{
	struct rlimit many = { 4096, 4096 };

	setrlimit(RLIMIT_NOFILE, &many);
	for (int i = 0; i < MANY; i++)
		MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
	watch_ends(0);
	bench_net("epoll_1000_one", 1000, epoll_one());
	bench_net("epoll_1000_all_unix", 4, epoll_all(0));
	bench_net("epoll_1000_add_del", 1000, epoll_change());
	close(poller);
	watch_ends(EPOLLET);
	bench_net("epoll_1000_one_edge", 1000, epoll_one());
	close_ends();
	listener = listening("127.0.0.1", GUEST_PORT);
	for (int i = 0; i < MANY; i++)
		loop_pair(ends[i]);
	watch_ends(0);
	bench_net("epoll_1000_echo_tcp", 4, epoll_all(1));
	close_ends();
	close(listener);
}

/* --- over eth0 */
static int asking(const char *host, const char *what)
{
	s = connected(host, HOST_PORT);
	write_all(s, what, 1);
	return s;
}

static void wire_streams(const char *host)
{
	asking(host, "S");
	bench_net("tcp_out_per_mib", 16, out_mib());
	close(s);
	asking(host, "G");
	bench_net("tcp_in_per_mib", 16, in_mib());
	close(s);
	asking(host, "E");
	bench_net("tcp_round_trip", 200, round_trip());
	close(s);
}

/* Datagrams out are counted by the host, which may lose some: the time stands for those that came. */
static void datagrams_out(const char *host, int udp)
{
	enum { COUNT = 2000 };
	double sample[5], total = 0;
	char number[16];

	if (!chosen(named("udp_out")))
		return;
	asking(host, "U");
	block[0] = 'S';
	for (int r = 0; r < 5; r++) {
		uint64_t t;
		long came, n = COUNT * longer();
		usleep(100000);
		write_all(s, "?", 1);
		MUST(read(s, number, sizeof(number)) > 0);
		MARK_BEGIN();
		t = ticks();
		for (long i = 0; i < n; i++)
			MUST(write(udp, block, 64) == 64);
		t = ticks() - t;
		MARK_END();
		usleep(200000);
		write_all(s, "?", 1);
		memset(number, 0, sizeof(number));
		MUST(read(s, number, sizeof(number) - 1) > 0);
		came = atol(number);
		total += came;
		sample[r] = t * tick_ns() / (came ? came : 1);
	}
	report(named("udp_out"), COUNT * longer(), sample);
	printf("# of the datagrams sent %.1f %% came\n", 100 * total / (5. * COUNT * longer()));
	close(s);
}

/* Datagrams in: the host sends 32 for each we ask; two askings are on their way. */
static int credit;
static void datagram_in(int udp)
{
	while (read(udp, block, sizeof(block)) < 0) {
		MUST(errno == EAGAIN);
		credit = 32;
		MUST(write(udp, "B", 1) == 1 && write(udp, "B", 1) == 1);
	}
	if (--credit <= 0) {
		credit = 32;
		MUST(write(udp, "B", 1) == 1);
	}
}

static void datagram_trip(int udp)
{
	char c = 'E';
	MUST(write(udp, &c, 1) == 1);
	while (read(udp, block, sizeof(block)) != 1)
		MUST(write(udp, &c, 1) == 1);
}

static void wire_datagrams(const char *host)
{
	struct sockaddr_in a = at(host, HOST_PORT);
	struct timeval patience = { 0, 300000 };
	int udp = socket(AF_INET, SOCK_DGRAM, 0);

	MUST(!connect(udp, (void *)&a, sizeof(a)));
	setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	bench_net("udp_round_trip", 200, datagram_trip(udp));
	datagrams_out(host, udp);
	bench_net("udp_in", 2000, datagram_in(udp));
	close(udp);
}

/* Connections that the host makes, two at a time (QEMU's user network keeps no more waiting): accepted and closed. */
static void accept_one(void)
{
	int c = accept(listener, NULL, NULL);
	MUST(c >= 0);
	close(c);
}

static void wire_connections(const char *host)
{
	enum { COUNT = 200, ALL = COUNT / 8 + 1 + 5 * COUNT, EXTRA = ALL % 2 };
	char order[32], done[4];

	if (!chosen(named("accept")) || longer() > 1)
		return;
	listener = listening("0.0.0.0", GUEST_PORT);
	snprintf(order, sizeof(order), "%d 2\n", ALL + EXTRA);
	asking(host, "C");
	write_all(s, order, strlen(order));
	bench_net("accept", COUNT, accept_one());
	for (int i = 0; i < EXTRA; i++)
		accept_one();
	MUST(read(s, done, 4) == 4);
	close(s);
	close(listener);
}

static void connection_out(const char *host)
{
	close(connected(host, HOST_PORT));
}

static void over_wire(const char *host)
{
	wire = getenv("benchwire");
	interface_up("eth0", getenv("benchself"), "255.255.255.0");
	usleep(200000);		/* a host's bridge or tap takes a moment */
	pings(host, "ping", 200);
	wire_streams(host);
	wire_datagrams(host);
	bench_net("connect", 100, connection_out(host));
	wire_connections(host);
}

int main(int argc, char **argv)
{
	const char *group = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	interface_up("lo", "127.0.0.1", "255.0.0.0");
	if (!*group || !strcmp(group, "loop"))
		loop();
	if (!*group || !strcmp(group, "epoll"))
		epolls();
	if (!strcmp(group, "wire"))
		over_wire(getenv("benchhost"));
	return 0;
}
