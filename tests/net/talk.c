/* talk: the guest's side of scripts/test-peer, as init: takes a command a line from the console, and says how it went.
 *
 *   connect PORT SEND RECEIVE [WORD=N...]	to 10.9.0.1; sends and receives that many bytes of the pattern at once (RECEIVE -1: to the end)
 *   listen PORT SEND RECEIVE [WORD=N...]	the same as a server of one connection
 *
 * Words: bind=PORT, syncnt=N, keep=1 (keep-alive: 1 s idle, 1 s between, 3 probes), usertimeout=MS, slow=MS (between reads), shut=1 (our half is
 * closed before we read), open=1 (our half is not closed), after=MS (before the first byte is sent), rcvbuf=N, sndbuf=N, wait=MS (the connection may sit so long without anything).
 * Answer: "RESULT <error or ok> sent=N got=N wrong=N ms=N"; wrong: the first byte that is not the pattern's, or -1.
 * `busy=N` on the command line: N processes that keep the processor busy, for -icount, whose clock must not stand still or jump.  */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PERIOD	65521
static unsigned char pattern[PERIOD];
static char line[256];
static long sent, got, wrong = -1;
static long long begun;

static long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static const char *name_of(int error)
{
	static const struct { int error; const char *name; } names[] = {
		{ 0, "ok" }, { ECONNREFUSED, "ECONNREFUSED" }, { ECONNRESET, "ECONNRESET" }, { ETIMEDOUT, "ETIMEDOUT" }, { EPIPE, "EPIPE" },
		{ EHOSTUNREACH, "EHOSTUNREACH" }, { ENETUNREACH, "ENETUNREACH" }, { EPROTO, "EPROTO" }, { ENOPROTOOPT, "ENOPROTOOPT" },
		{ ECONNABORTED, "ECONNABORTED" }, { EADDRINUSE, "EADDRINUSE" },
	};
	static char other[16];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(other, sizeof(other), "%d", error);
	return other;
}

static void end(int error)
{
	printf("RESULT %s sent=%ld got=%ld wrong=%ld ms=%lld\n", name_of(error), sent, got, wrong, now_ms() - begun);
	fflush(stdout);
	_exit(0);
}

static long word(const char *name)
{
	char *at = strstr(line, name);
	return at ? atol(at + strlen(name)) : 0;
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		end(errno);
}

static struct sockaddr_in at(const char *address, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address) };
}

static void options(int fd)
{
	if (word(" syncnt=")) set(fd, IPPROTO_TCP, TCP_SYNCNT, word(" syncnt="));
	if (word(" usertimeout=")) set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, word(" usertimeout="));
	if (word(" rcvbuf=")) set(fd, SOL_SOCKET, SO_RCVBUF, word(" rcvbuf="));
	if (word(" sndbuf=")) set(fd, SOL_SOCKET, SO_SNDBUF, word(" sndbuf="));
	if (word(" keep=")) {
		set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	}
}

static int opened(int listens, int port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), c;
	struct sockaddr_in self = at("0.0.0.0", listens ? port : word(" bind=")), peer = at("10.9.0.1", port);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	options(fd);
	if ((listens || self.sin_port) && bind(fd, (void *)&self, sizeof(self)))
		end(errno);
	if (!listens) {
		if (connect(fd, (void *)&peer, sizeof(peer)))
			end(errno);
		return fd;
	}
	if (listen(fd, 5))
		end(errno);
	printf("LISTENING\n");
	fflush(stdout);
	c = accept(fd, NULL, NULL);
	if (c < 0)
		end(errno);
	close(fd);
	return c;
}

static void check(const unsigned char *data, long n)
{
	for (long i = 0; i < n && wrong < 0; i++)
		if (data[i] != pattern[(got + i) % PERIOD])
			wrong = got + i;
	got += n;
}

/* Both directions until what is wanted has gone and come, or an error. */
static void exchange(int fd, long to_send, long to_get)
{
	static unsigned char buffer[65536];
	int closed = 0, patience = word(" wait=") ? word(" wait=") : 60000, shut_first = word(" shut=");

	while (sent < to_send || !closed) {
		struct pollfd p = { .fd = fd, .events = (closed || (shut_first && sent < to_send) ? 0 : POLLIN) | (sent < to_send ? POLLOUT : 0) };
		int n = poll(&p, 1, patience);
		ssize_t done;
		if (n <= 0)
			end(n ? errno : EPROTO);
		if (p.revents & (POLLOUT | POLLERR) && sent < to_send) {
			long size = to_send - sent < 60000 ? to_send - sent : 60000;
			for (long i = 0; i < size; i++)
				buffer[i] = pattern[(sent + i) % PERIOD];
			done = send(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (done < 0 && errno != EAGAIN)
				end(errno);
			sent += done > 0 ? done : 0;
			if (sent == to_send && !word(" open="))
				shutdown(fd, SHUT_WR);
		}
		if (p.revents & (POLLIN | POLLHUP | POLLERR) && !closed) {
			done = recv(fd, buffer, word(" slow=") ? 1000 : sizeof(buffer), MSG_DONTWAIT);
			if (done < 0 && errno != EAGAIN)
				end(errno);
			closed = done == 0;
			if (done > 0)
				check(buffer, done);
			if (word(" slow="))
				usleep(word(" slow=") * 1000);
		}
	}
	end(to_get >= 0 && got != to_get ? EPROTO : 0);
}

static void serve_line(void)
{
	char what[16];
	int port, fd;
	long to_send, to_get;

	begun = now_ms();
	if (sscanf(line, "%15s %d %ld %ld", what, &port, &to_send, &to_get) != 4)
		return;
	fd = opened(!strcmp(what, "listen"), port);
	if (word(" after="))
		usleep(word(" after=") * 1000);
	if (!to_send)
		shutdown(fd, SHUT_WR);
	exchange(fd, to_send, to_get);
}

static void interface_up(const char *name, const char *address)
{
	int c = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { 0 };
	struct sockaddr_in a = at(address, 0), m = at("255.255.255.0", 0);

	strcpy(r.ifr_name, name);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	ioctl(c, SIOCSIFADDR, &r);
	memcpy(&r.ifr_addr, &m, sizeof(m));
	ioctl(c, SIOCSIFNETMASK, &r);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(c, SIOCSIFFLAGS, &r))
		printf("talk: %s: errno %d\n", name, errno);
	close(c);
}

int main(void)
{
	unsigned int x = 1;
	int fd, busy = getenv("busy") ? atoi(getenv("busy")) : 0;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	fd = open("/dev/console", O_RDWR);
	if (fd >= 0) { dup2(fd, 0); dup2(fd, 1); dup2(fd, 2); }
	for (int i = 0; i < PERIOD; i++)
		pattern[i] = (x = x * 1103515245u + 12345u) >> 16;
	interface_up("lo", "127.0.0.1");
	interface_up("eth0", "10.9.0.2");
	while (busy-- > 0)
		if (!fork())
			for (;;)
				;
	printf("READY\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "off", 3))
			break;
		pid_t p = fork();
		if (!p) {
			serve_line();
			_exit(1);
		}
		waitpid(p, NULL, 0);
	}
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
