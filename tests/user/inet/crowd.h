/* crowd.h - thousands of connections at a time: an epoll server that echoes, and its clients. */
#pragma once
#include "inet.h"

#define CROWD_MOST	10000
#define CROWD_SOME	2000		/* for debug builds */
#define CROWD_WORD	24		/* bytes a message */

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void allow_files(int n)
{
	struct rlimit r = { (rlim_t)n, (rlim_t)n };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
}

/* Seconds for n that come and go one after the other. */
static inline double come_and_go(int n)
{
	int l = listener(64);
	double start = now();

	for (int k = 0; k < n; k++) {
		int c = connected_to(l), s = accept(l, NULL, NULL);

		CHECK(s >= 0);
		close(c);
		close(s);
	}
	close(l);
	return now() - start;
}

/* How many this machine bears in a test's time: no more than some on the build that looks for data races, however quick it is.  lo is up. */
static inline int crowd_size(void)
{
	char line[1024] = "";

	CHECK(read_file("/proc/cmdline", line, sizeof(line)) > 0);
	return strstr(line, "race.skip") || come_and_go(100) > 0.15 ? CROWD_SOME : CROWD_MOST;
}

static inline void crowd_add(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
}

/* crowd_serve - echoes what comes, until all of many were accepted and closed.  full (or NULL) is called when all are open for the first time. */
static inline void crowd_serve(int l, int many, void (*full)(void))
{
	int ep = epoll_create1(0), open = 0, accepted = 0;
	struct epoll_event e[256];

	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	crowd_add(ep, l);
	while (accepted < many || open) {
		int n = epoll_wait(ep, e, 256, -1);

		for (int k = 0; k < n; k++) {
			int fd = e[k].data.fd;
			char buf[CROWD_WORD];
			ssize_t got;

			if (fd == l) {
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					crowd_add(ep, fd);
					open++;
					if (++accepted == many && full)
						full();
				}
				CHECK_EQ(errno, EAGAIN);
				continue;
			}
			got = read(fd, buf, sizeof(buf));
			if (got > 0) {
				CHECK_EQ(write(fd, buf, (size_t)got), got);
			} else {
				CHECK(!got || errno == ECONNRESET);
				CHECK_EQ(close(fd), 0);
				open--;
			}
		}
	}
	close(ep);
}

/* crowd_exchange - a message on each connection, then the echo of each.  How many came back right. */
static inline int crowd_exchange(const int *c, int many, int round)
{
	char buf[CROWD_WORD], back[CROWD_WORD];
	int right = 0;

	for (int k = 0; k < many; k++) {
		snprintf(buf, sizeof(buf), "%d %d", round, k);
		if (write(c[k], buf, sizeof(buf)) != sizeof(buf))
			return 0;
	}
	for (int k = 0; k < many; k++) {
		snprintf(buf, sizeof(buf), "%d %d", round, k);
		right += read(c[k], back, sizeof(back)) == sizeof(back) && !strcmp(buf, back);
	}
	return right;
}

/* crowd_close - half end by FIN, half are reset.  How many could be closed so. */
static inline int crowd_close(const int *c, int many)
{
	struct linger gone = { 1, 0 };
	int closed = 0;

	for (int k = 0; k < many; k++) {
		bool set = !(k & 1) || setsockopt(c[k], SOL_SOCKET, SO_LINGER, &gone, sizeof(gone)) == 0;

		closed += close(c[k]) == 0 && set;
	}
	return closed;
}
