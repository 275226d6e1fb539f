/* epoll on every kind of descriptor that can be ready: level, edge, one shot, exclusive, nested, to which depth, in which circles. */
#include "tap.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* rd becomes readable by feed() and is drained by drain(). */
static int rd, wr;
static char scrap[4096];
static struct sockaddr_in addr;

static void feed_write(void) { CHECK_EQ(write(wr, "x\n", 2), 2); }
static void feed_event(void) { uint64_t v = 1; CHECK_EQ(write(rd, &v, 8), 8); }
static void feed_signal(void) { kill(getpid(), SIGUSR1); }
static void feed_timer(void) { struct itimerspec t = { { 0, 0 }, { 0, 1 } }; CHECK_EQ(timerfd_settime(rd, 0, &t, NULL), 0); }
static void drain(void) { while (read(rd, scrap, sizeof(scrap)) > 0) ; }
static void feed_connect(void) { wr = socket(AF_INET, SOCK_STREAM, 0); CHECK_EQ(connect(wr, (void *)&addr, sizeof(addr)), 0); }
static void drain_accept(void) { int a; while ((a = accept(rd, NULL, NULL)) >= 0) close(a); close(wr); }
static void feed_inotify(void) { write_file("watched", "x"); }

static void nb(int fd) { CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0); }
static void make_pair(int type) { int p[2]; CHECK_EQ(socketpair(AF_UNIX, type, 0, p), 0); rd = p[0]; wr = p[1]; nb(rd); }
static void make_stream(void) { make_pair(SOCK_STREAM); }
static void make_letters(void) { make_pair(SOCK_DGRAM); }
static void make_packets(void) { make_pair(SOCK_SEQPACKET); }
static void make_pipe(void) { int p[2]; CHECK_EQ(pipe(p), 0); rd = p[0]; wr = p[1]; nb(rd); }
static void make_event(void) { rd = eventfd(0, EFD_NONBLOCK); }
static void make_signal(void)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	rd = signalfd(-1, &s, SFD_NONBLOCK);
}
static void make_timer(void) { rd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK); }
static void make_inotify(void) { write_file("watched", "x"); rd = inotify_init1(IN_NONBLOCK); if (rd < 0 && errno == ENOSYS) return; CHECK(inotify_add_watch(rd, "watched", IN_CLOSE_WRITE) >= 0); }
static void make_listener(void)
{
	socklen_t len = sizeof(addr);
	addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	rd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(bind(rd, (void *)&addr, sizeof(addr)) == 0 && listen(rd, 5) == 0 && getsockname(rd, (void *)&addr, &len) == 0);
}
static void make_tcp(void)
{
	int l;
	make_listener();
	l = rd;
	feed_connect();
	rd = accept(l, NULL, NULL);
	CHECK(rd >= 0);
	nb(rd);
	close(l);
}
static void make_udp(void)
{
	socklen_t len = sizeof(addr);
	addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	rd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	wr = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(rd, (void *)&addr, sizeof(addr)) == 0 && getsockname(rd, (void *)&addr, &len) == 0 && connect(wr, (void *)&addr, len) == 0);
}
static void make_netlink(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	rd = wr = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	CHECK_EQ(bind(rd, (void *)&nl, sizeof(nl)), 0);
}
static void feed_netlink(void)
{
	struct { struct nlmsghdr h; int none; } r = { .h = { 20, NLMSG_MIN_TYPE + 99, NLM_F_REQUEST | NLM_F_ACK, 1, 0 } };
	CHECK_EQ(send(wr, &r, 20, 0), 20);
}
static void make_pty(void)
{
	int zero = 0, n;
	char path[40];
	wr = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(wr >= 0 && ioctl(wr, TIOCSPTLCK, &zero) == 0 && ioctl(wr, TIOCGPTN, &n) == 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	rd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	CHECK(rd >= 0);
}

static const struct { const char *name; void (*make)(void), (*feed)(void), (*drain)(void); } kinds[] = {
	{ "stream", make_stream, feed_write, drain }, { "letters", make_letters, feed_write, drain }, { "packets", make_packets, feed_write, drain }, { "pipe", make_pipe, feed_write, drain },
	{ "eventfd", make_event, feed_event, drain }, { "signalfd", make_signal, feed_signal, drain }, { "timerfd", make_timer, feed_timer, drain },
	{ "listener", make_listener, feed_connect, drain_accept }, { "tcp", make_tcp, feed_write, drain }, { "udp", make_udp, feed_write, drain },
	{ "netlink", make_netlink, feed_netlink, drain }, { "pty", make_pty, feed_write, drain }, { "inotify", make_inotify, feed_inotify, drain },
};
#define NR (sizeof(kinds) / sizeof(kinds[0]))

static int watch(int ep, int op, int fd, unsigned events)
{
	struct epoll_event e = { .events = events, .data.u64 = 0x1234567887654321 };
	return epoll_ctl(ep, op, fd, &e);
}

/* What it tells within ms, 0: nothing. */
static unsigned told(int ep, int ms)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, ms);
	CHECK(n >= 0 && n <= 1);
	if (n) CHECK(e[0].data.u64 == 0x1234567887654321);
	return n ? e[0].events : 0;
}

static void each(void (*fn)(unsigned k))
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM, 0), bad = 0;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
	scratch();
	for (unsigned k = 0; k < NR; k++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) { kinds[k].make(); if (rd < 0) _exit(0); fn(k); fflush(stdout); _exit(0); }
		if (!EXITED(wait_status(pid), 0)) { printf("# %s\n", kinds[k].name); bad++; }
	}
	CHECK_EQ(bad, 0);
}

static void level(unsigned k)
{
	int ep = epoll_create1(0);
	CHECK_EQ(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN), 0);
	CHECK_ERR(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN), EEXIST);
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	CHECK_EQ(told(ep, 0), EPOLLIN);
	kinds[k].drain();
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	CHECK_EQ(watch(ep, EPOLL_CTL_MOD, rd, 0), 0);
	CHECK_EQ(told(ep, 0), 0);
	CHECK_EQ(watch(ep, EPOLL_CTL_MOD, rd, EPOLLIN), 0);
	CHECK_EQ(told(ep, 0), EPOLLIN);
	CHECK_EQ(watch(ep, EPOLL_CTL_DEL, rd, 0), 0);
	CHECK_EQ(told(ep, 0), 0);
	CHECK_ERR(watch(ep, EPOLL_CTL_DEL, rd, 0), ENOENT);
}
TEST(levels) { each(level); }

static void edge(unsigned k)
{
	int ep = epoll_create1(0);
	CHECK_EQ(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET), 0);
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	CHECK_EQ(told(ep, 0), 0);
	CHECK_EQ(watch(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLET), 0);	/* asks anew */
	CHECK_EQ(told(ep, 0), EPOLLIN);
	kinds[k].drain();
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
}
TEST(edges) { each(edge); }

static void one_shot(unsigned k)
{
	int ep = epoll_create1(0);
	CHECK_EQ(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLONESHOT), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].drain();
	kinds[k].feed();
	CHECK_EQ(told(ep, 20), 0);
	CHECK_EQ(watch(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLONESHOT), 0);
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	CHECK_EQ(told(ep, 0), 0);
}
TEST(one_shots) { each(one_shot); }

static void exclusive(unsigned k)
{
	int ep = epoll_create1(0), other = epoll_create1(0);
	CHECK_EQ(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLEXCLUSIVE), 0);
	CHECK_EQ(watch(other, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLEXCLUSIVE), 0);
	CHECK_ERR(watch(ep, EPOLL_CTL_MOD, rd, EPOLLIN), EINVAL);
	CHECK_EQ(told(ep, 0), 0);
	kinds[k].feed();
	struct pollfd p[2] = { { ep, POLLIN, 0 }, { other, POLLIN, 0 } };
	CHECK(poll(p, 2, 5000) >= 1);		/* one of them, at the least */
	kinds[k].drain();
	CHECK(told(ep, 0) == 0 && told(other, 0) == 0);
	CHECK_EQ(watch(ep, EPOLL_CTL_DEL, rd, 0), 0);
	CHECK_ERR(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
	CHECK_ERR(watch(ep, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
}
TEST(exclusives) { each(exclusive); }

static void nested(unsigned k)
{
	int ep[4];
	for (int i = 0; i < 4; i++) {
		ep[i] = epoll_create1(0);
		CHECK_EQ(watch(ep[i], EPOLL_CTL_ADD, i ? ep[i - 1] : rd, EPOLLIN | (i == 2 ? EPOLLET : 0)), 0);
	}
	CHECK_EQ(told(ep[3], 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep[3], 5000), EPOLLIN);
	kinds[k].drain();
	CHECK_EQ(told(ep[0], 0), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep[3], 5000), EPOLLIN);
	CHECK_EQ(told(ep[1], 0), EPOLLIN);
	struct pollfd p = { ep[0], POLLIN, 0 };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	close(ep[1]);				/* in the middle */
	CHECK_EQ(told(ep[3], 0), 0);
}
TEST(nests) { each(nested); }

/* A descriptor that is closed by all is gone from the set; one that somebody else holds is not. */
static void closed_in_use(unsigned k)
{
	int ep = epoll_create1(0), twin = dup(rd);
	CHECK_EQ(watch(ep, EPOLL_CTL_ADD, rd, EPOLLIN), 0);
	kinds[k].feed();
	CHECK_EQ(told(ep, 5000), EPOLLIN);
	int was = rd;
	close(was);
	CHECK_EQ(told(ep, 0), EPOLLIN);
	CHECK_ERR(watch(ep, EPOLL_CTL_DEL, was, 0), EBADF);
	close(twin);
	CHECK_EQ(told(ep, 0), 0);
}
static void closed_one(unsigned k) { if (strcmp(kinds[k].name, "netlink")) closed_in_use(k); }
TEST(closing) { each(closed_one); }

/* --- circles and depth --- */
TEST(circles_are_refused)
{
	int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0);
	CHECK_ERR(watch(a, EPOLL_CTL_ADD, a, EPOLLIN), EINVAL);
	CHECK_EQ(watch(a, EPOLL_CTL_ADD, b, EPOLLIN), 0);
	CHECK_EQ(watch(b, EPOLL_CTL_ADD, c, EPOLLIN), 0);
	CHECK_ERR(watch(c, EPOLL_CTL_ADD, a, EPOLLIN), ELOOP);
	CHECK_ERR(watch(b, EPOLL_CTL_ADD, a, EPOLLIN), ELOOP);
	CHECK_EQ(watch(a, EPOLL_CTL_ADD, c, EPOLLIN), 0);		/* two ways down are none */
	CHECK_EQ(watch(b, EPOLL_CTL_DEL, c, 0), 0);
	CHECK_EQ(watch(a, EPOLL_CTL_DEL, c, 0), 0);
	CHECK_EQ(watch(c, EPOLL_CTL_ADD, a, EPOLLIN), 0);
}

TEST(depth)
{
	int ep[10], depth = 0;
	for (int i = 0; i < 10; i++) ep[i] = epoll_create1(0);
	while (depth < 9 && watch(ep[depth + 1], EPOLL_CTL_ADD, ep[depth], EPOLLIN) == 0) depth++;
	CHECK_EQ(errno, ELOOP);
	CHECK_EQ(depth, 4);
	/* downwards */
	int down[10], n = 0;
	for (int i = 0; i < 10; i++) down[i] = epoll_create1(0);
	while (n < 9 && watch(down[n], EPOLL_CTL_ADD, down[n + 1], EPOLLIN) == 0) n++;
	CHECK_EQ(errno, ELOOP);
	CHECK_EQ(n, 4);
}

/* One set seen by many sets, which are seen by many: no walk takes for ever. */
TEST(many_ways)
{
	int layer[4][30], refused = 0;
	for (int l = 0; l < 4; l++)
		for (int i = 0; i < 30; i++) layer[l][i] = epoll_create1(0);
	for (int l = 1; l < 4; l++)
		for (int i = 0; i < 30; i++)
			for (int j = 0; j < 30; j++)
				if (watch(layer[l][i], EPOLL_CTL_ADD, layer[l - 1][j], EPOLLIN)) { CHECK_EQ(errno, EINVAL); refused++; }
	int e = eventfd(1, 0);
	if (watch(layer[0][0], EPOLL_CTL_ADD, e, EPOLLIN) == 0) {
		struct epoll_event ev[40];
		CHECK(epoll_wait(layer[3][0], ev, 40, 1000) > 0);
	} else {
		CHECK_EQ(errno, EINVAL);	/* too many paths to one file */
	}
}
