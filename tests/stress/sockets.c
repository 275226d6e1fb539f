/* sockets: local sockets under everybody's hands: descriptors passed while both ends are closed, cycles, crowds on pairs, connections. */
#include "stress.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- sockets that carry sockets: sent, received, peeked at, closed in mid-flight ---- */
#define POOL 12
#define POOL_BASE 100

static void send_slots(int via, unsigned r)
{
	char c[CMSG_SPACE(3 * sizeof(int))] = { 0 };
	struct iovec v = { "m", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c };
	int n = 1 + r % 3, fds[3];
	for (int i = 0; i < n; i++) fds[i] = POOL_BASE + (r >> (4 + 4 * i)) % POOL;
	m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	sendmsg(via, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void receive_slots(int via, unsigned r)
{
	char b[4], c[CMSG_SPACE(3 * sizeof(int))];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE((r & 3) * sizeof(int)) };
	if (recvmsg(via, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (r & 64 ? MSG_PEEK : 0)) < 0) return;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		int fds[3], n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
		memcpy(fds, CMSG_DATA(h), n * sizeof(int));
		for (int i = 0; i < n; i++) {
			if (r & 256) dup2(fds[i], POOL_BASE + (r >> (12 + i)) % POOL);
			close(fds[i]);
		}
	}
}

static void *pool_thread(void *arg)
{
	unsigned seed = (long)arg * 77 + 1;
	while (!over()) {
		unsigned r = random_next(&seed);
		int slot = POOL_BASE + r % POOL, other = POOL_BASE + (r >> 8) % POOL, made[2];
		static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
		r = random_next(&seed);
		switch (r >> 28) {
		case 0: case 1:
			if (socketpair(AF_UNIX, types[r % 3] | SOCK_CLOEXEC, 0, made) == 0) {
				dup2(made[0], slot);
				dup2(made[1], other);
				close(made[0]);
				close(made[1]);
			}
			break;
		case 2: case 3: case 4: case 5: case 6: send_slots(slot, r); break;
		case 7: case 8: case 9: receive_slots(slot, r); break;
		case 10: close(slot); break;
		case 11: shutdown(slot, r % 3); break;
		case 12: {				/* a listener with a guest that was not let in, carried too */
			struct sockaddr_un a = { .sun_family = AF_UNIX };
			socklen_t len = sizeof(a);
			int l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
			if (l >= 0 && c >= 0 && !bind(l, (void *)&a, sizeof(a.sun_family)) && !getsockname(l, (void *)&a, &len) && !listen(l, 2) && !connect(c, (void *)&a, len)) {
				dup2(l, slot);
				dup2(c, other);
				send_slots(c, r);
			}
			if (l >= 0) close(l);
			if (c >= 0) close(c);
			break;
		}
		case 13: { int a = accept4(slot, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); if (a >= 0) close(a); break; }
		default: dup2(slot, other); break;
		}
		progress();
	}
	return NULL;
}

static void pool_kid(int n)
{
	pthread_t t[3];
	for (int i = 0; i < POOL; i++) dup2(0, POOL_BASE + i);
	for (long i = 0; i < 3; i++) CHECK_EQ(pthread_create(&t[i], NULL, pool_thread, (void *)(i + n * 4)), 0);
	for (int i = 0; i < 3; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}

/* What holds only itself is gone a moment after the last close. */
static void settle(void)
{
	for (int i = 0; i < 10; i++) {
		close(socket(AF_UNIX, SOCK_STREAM, 0));
		sleep_ms(20);
	}
}
STORM(descriptors_in_flight_and_closed) { crowd(pool_kid, 3); settle(); }

/* ---- cycles made on purpose: the collector keeps up, nothing reachable is lost ---- */
static ssize_t pass(int via, int fd)
{
	char c[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { "p", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sendmsg(via, &m, MSG_NOSIGNAL);
}

static int take(int via)
{
	char b, c[CMSG_SPACE(sizeof(int))];
	struct iovec v = { &b, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	int fd = -1;
	CHECK_EQ(recvmsg(via, &m, 0), 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	if (h) memcpy(&fd, CMSG_DATA(h), sizeof(int));
	return fd;
}

static void cycle_kid(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		int s[4][2], keep[2], p[2], many = 1 + random_next(&seed) % 4;
		char b;
		CHECK(pipe(p) == 0);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, keep) == 0);
		for (int i = 0; i < many; i++) CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s[i]) == 0);
		bool kept = random_next(&seed) & 1;
		CHECK_EQ(pass(s[0][0], p[1]), 1);
		for (int i = 0; i < many; i++) CHECK_EQ(pass(s[i][0], s[(i + 1) % many][1]), 1);
		if (kept) CHECK_EQ(pass(keep[0], s[0][1]), 1);
		close(p[1]);
		for (int i = 0; i < many; i++) { close(s[i][0]); close(s[i][1]); }
		if (kept) {			/* the ring is reachable through keep[1]: all of it must be there */
			int in = take(keep[1]), w;
			CHECK(in >= 0);
			w = take(in);
			CHECK(w >= 0);
			CHECK_EQ(write(w, "!", 1), 1);
			CHECK_EQ(read(p[0], &b, 1), 1);
			close(w);
			close(in);
		}
		close(keep[0]);
		close(keep[1]);
		struct pollfd f = { p[0], POLLIN, 0 };
		for (int i = 0; i < 3000 && !(f.revents & POLLHUP); i++) poll(&f, 1, 10);
		CHECK(f.revents & POLLHUP);	/* and gone when it is not */
		close(p[0]);
		progress();
	}
}
STORM(cycles_are_collected) { crowd(cycle_kid, 4); settle(); }

/* ---- hackbench's storm: each sender writes to each receiver ---- */
#define CROWD 8
#define LOAD 100
static int pairs[CROWD][2];

static void crowd_sender(int n)
{
	char load[LOAD];
	memset(load, 'a' + n, sizeof(load));
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CROWD; i++) close(pairs[i][0]);
	while (!over())
		for (int i = 0; i < CROWD; i++) {
			CHECK_EQ(write(pairs[i][1], load, sizeof(load)), sizeof(load));
			progress();
		}
}

static void crowd_receiver(int n)
{
	char load[LOAD];
	for (int i = 0; i < CROWD; i++) {
		close(pairs[i][1]);
		if (i != n) close(pairs[i][0]);
	}
	for (;;) {
		ssize_t r = recv(pairs[n][0], load, sizeof(load), MSG_WAITALL);
		if (r == 0) return;
		CHECK_EQ(r, LOAD);
		for (int i = 1; i < LOAD; i++) CHECK_EQ(load[i], load[0]);	/* a write of less than a buffer is not torn */
	}
}

STORM(crowds_on_pairs)
{
	pid_t pids[2 * CROWD];
	for (int i = 0; i < CROWD; i++) CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
	for (int i = 0; i < CROWD; i++) {
		pids[i] = kid(crowd_receiver, i);
		pids[CROWD + i] = kid(crowd_sender, i);
	}
	for (int i = 0; i < CROWD; i++) { close(pairs[i][0]); close(pairs[i][1]); }
	for (int i = 0; i < 2 * CROWD; i++) CHECK_EQ(wait_status(pids[i]), 0);
}

/* ---- streams keep their order over any sizes of reads and writes ---- */
static void bytes_kid(int n)
{
	int s[2];
	static unsigned char b[150000];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	unsigned seed = n * 2 + (pid == 0);
	unsigned long at = 0;
	if (pid == 0) {
		close(s[0]);
		for (ssize_t r; (r = read(s[1], b, 1 + random_next(&seed) % sizeof(b))) > 0; at += r)
			for (ssize_t i = 0; i < r; i += 97)
				if (b[i] != (unsigned char)((at + i) * 251 >> 4)) _exit(1);
		_exit(0);
	}
	close(s[1]);
	while (!over()) {
		size_t len = 1 + random_next(&seed) % (random_next(&seed) % 4 ? 3000 : sizeof(b));
		for (size_t i = 0; i < len; i++) b[i] = (at + i) * 251 >> 4;
		CHECK_EQ(write(s[0], b, len), len);
		at += len;
		progress();
	}
	close(s[0]);
	CHECK(EXITED(wait_status(pid), 0));
}
STORM(streams_keep_their_order) { crowd(bytes_kid, 4); }

/* ---- connections made and ended by many ---- */
static const struct sockaddr_un door = { .sun_family = AF_UNIX, .sun_path = "\0storm-door" };
#define DOOR_LEN (offsetof(struct sockaddr_un, sun_path) + 11)
static int listener;

static void guest(int n)
{
	unsigned seed = n + 1;
	signal(SIGPIPE, SIG_IGN);
	while (!over()) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		char b[16];
		CHECK(c >= 0);
		CHECK(connect(c, (void *)&door, DOOR_LEN) == 0);
		unsigned r = random_next(&seed) % 4;
		if (r) CHECK_EQ(write(c, "hello", 5), 5);
		if (r > 1) {
			CHECK(shutdown(c, SHUT_WR) == 0);
			CHECK_EQ(recv(c, b, 5, MSG_WAITALL), 5);
		}
		close(c);
		progress();
	}
}

static void host(int n)
{
	(void)n;
	signal(SIGPIPE, SIG_IGN);
	while (!over()) {
		char b[16];
		ssize_t r;
		int a = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (a < 0) { CHECK(errno == EAGAIN); continue; }
		while ((r = read(a, b, sizeof(b))) > 0)
			send(a, b, r, MSG_NOSIGNAL);
		CHECK(r == 0 || errno == ECONNRESET);
		close(a);
	}
}

STORM(connections_come_and_go)
{
	struct timeval tv = { 0, 200000 };
	pid_t pids[8];
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (void *)&door, DOOR_LEN) == 0);
	CHECK(listen(listener, 3) == 0);
	CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	for (int i = 0; i < 4; i++) pids[i] = kid(guest, i);
	for (int i = 4; i < 8; i++) pids[i] = kid(host, i);
	while (!over()) sleep_ms(50);
	while (waitpid(pids[0], NULL, WNOHANG) == 0) {		/* guests that wait for a host that has left */
		int a = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (a >= 0) close(a);
	}
	close(listener);
	for (int i = 1; i < 4; i++) kill(pids[i], SIGKILL);
	for (int i = 1; i < 4; i++) wait_status(pids[i]);
	for (int i = 4; i < 8; i++) CHECK_EQ(wait_status(pids[i]), 0);
}

/* ---- datagrams from many to one: none lost, none out of a sender's order ---- */
static const struct sockaddr_un box = { .sun_family = AF_UNIX, .sun_path = "\0storm-box" };
#define BOX_LEN (offsetof(struct sockaddr_un, sun_path) + 10)
struct letter { unsigned from; unsigned nr; char fill[200]; };

static void writer(int n)
{
	struct letter l = { .from = n };
	int d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(d >= 0);
	if (n & 1) CHECK(connect(d, (void *)&box, BOX_LEN) == 0);
	while (!over()) {
		size_t len = 8 + l.nr % 200;
		if (n & 2) {			/* wait for room by poll */
			struct pollfd p = { d, POLLOUT, 0 };
			CHECK(poll(&p, 1, -1) == 1);
		}
		ssize_t w = n & 1 ? send(d, &l, len, n & 2 ? MSG_DONTWAIT : 0) : sendto(d, &l, len, 0, (void *)&box, BOX_LEN);
		if (w < 0) { CHECK_EQ(errno, EAGAIN); continue; }
		CHECK_EQ(w, len);
		l.nr++;
		progress();
	}
	l.nr |= 1u << 31;
	CHECK_EQ(sendto(d, &l, 8, 0, (void *)&box, BOX_LEN), 8);
}

STORM(letters_to_one_box)
{
	struct letter l;
	unsigned next[4] = { 0 }, ended = 0;
	pid_t pids[4];
	int d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(d, (void *)&box, BOX_LEN) == 0);
	for (int i = 0; i < 4; i++) pids[i] = kid(writer, i);
	while (ended < 4) {
		ssize_t r = recv(d, &l, sizeof(l), 0);
		CHECK(r >= 8 && l.from < 4);
		if (l.nr >> 31) { ended++; CHECK_EQ(l.nr & ~(1u << 31), next[l.from]); continue; }
		CHECK_EQ(l.nr, next[l.from]);
		CHECK_EQ(r, 8 + l.nr % 200);
		next[l.from]++;
	}
	for (int i = 0; i < 4; i++) CHECK_EQ(wait_status(pids[i]), 0);
	close(d);
}

/* ---- one box: some peek at what is in it while others connect it elsewhere, which throws that away ---- */
static int peeked, friends[2];

static void peek_or_connect(int n)
{
	unsigned seed = 3 + n;
	static char text[6000];
	while (!over()) {
		struct sockaddr_un a[2];
		socklen_t len[2] = { sizeof(a[0]), sizeof(a[0]) };
		int k = random_next(&seed) >> 8 & 1;
		for (int i = 0; i < 2; i++) CHECK_EQ(getsockname(friends[i], (void *)&a[i], &len[i]), 0);
		switch (n % 3) {
		case 0: CHECK_EQ(connect(peeked, (void *)&a[k], len[k]), 0); break;
		case 1: send(friends[k], text, 1 + random_next(&seed) % sizeof(text), MSG_DONTWAIT); break;
		default: for (int i = 0; i < 20; i++) recv(peeked, text, sizeof(text), MSG_DONTWAIT | MSG_PEEK);
		}
		progress();
	}
}

STORM(peeked_at_and_forgotten)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	CHECK((peeked = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0 && !bind(peeked, (void *)&a, sizeof(a.sun_family)) && !getsockname(peeked, (void *)&a, &len));
	for (int i = 0; i < 2; i++) {
		struct sockaddr_un any = { .sun_family = AF_UNIX };
		CHECK((friends[i] = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0 && !bind(friends[i], (void *)&any, sizeof(any.sun_family)));
		CHECK_EQ(connect(friends[i], (void *)&a, len), 0);
	}
	crowd(peek_or_connect, 6);
	CHECK(!close(peeked) && !close(friends[0]) && !close(friends[1]));
}

/* ---- /proc/net read while sockets come and go: the lists are whole lines, and end ---- */
static void proc_reader(int n)
{
	static const char *const names[] = { "unix", "tcp", "udp", "raw", "sockstat", "netlink", "packet", "dev", "tcp6", "udp6" };
	static char b[1 << 16];
	while (!over()) {
		char path[32], last = '\n';
		ssize_t r;
		snprintf(path, sizeof(path), "/proc/net/%s", names[n++ % 10]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		while ((r = read(fd, b, 1 + (size_t)n * 97 % sizeof(b))) > 0) last = b[r - 1];
		CHECK(r == 0 && last == '\n');
		close(fd);
		progress();
	}
}

static void come_and_go(int n)
{
	static const int families[][3] = { { AF_UNIX, SOCK_STREAM, 0 }, { AF_UNIX, SOCK_DGRAM, 0 }, { AF_INET, SOCK_STREAM, 0 }, { AF_INET, SOCK_DGRAM, 0 }, { AF_INET6, SOCK_DGRAM, 0 },
		{ AF_NETLINK, SOCK_RAW, 0 }, { AF_PACKET, SOCK_DGRAM, 0 } };
	unsigned seed = n + 9;
	int fds[100];
	memset(fds, -1, sizeof(fds));
	while (!over()) {
		unsigned r = random_next(&seed), at = r % 100;
		struct { sa_family_t family; char rest[26]; } name = { .family = 0 };
		if (fds[at] >= 0) close(fds[at]);
		fds[at] = socket(families[(r >> 8) % 7][0], families[(r >> 8) % 7][1] | SOCK_NONBLOCK | SOCK_CLOEXEC, families[(r >> 8) % 7][2]);
		CHECK(fds[at] >= 0);
		name.family = families[(r >> 8) % 7][0];
		if (name.family != AF_PACKET) bind(fds[at], (void *)&name, name.family == AF_UNIX ? 2 : name.family == AF_NETLINK ? 12 : 28);
		if (r >> 16 & 1) listen(fds[at], 2);
		progress();
	}
	for (int i = 0; i < 100; i++) if (fds[i] >= 0) close(fds[i]);
}
static void reads_or_makes(int n) { if (n < 3) proc_reader(n); else come_and_go(n); }
STORM(proc_net_is_read) { crowd(reads_or_makes, 6); settle(); }

/* ---- connections by those who do not wait, or are interrupted ---- */
static void on_tick(int sig) { (void)sig; }
static void impatient(int n)
{
	static const struct sockaddr_un gate = { .sun_family = AF_UNIX, .sun_path = "\0storm-gate" };
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval it = { { 0, 300 }, { 0, 300 } };
	unsigned seed = n + 1;
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &it, NULL);
	while (!over()) {
		unsigned r = random_next(&seed);
		if (n < 2) {
			int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			if (bind(l, (void *)&gate, DOOR_LEN) || listen(l, (int)(r % 3))) { close(l); sched_yield(); continue; }
			if (r & 8) fcntl(l, F_SETFL, O_NONBLOCK);
			for (int i = 0; i < 50 && !over(); i++) {
				int a = accept(l, NULL, NULL);
				CHECK(a >= 0 || errno == EINTR || errno == EAGAIN);
				if (a >= 0) { send(a, "x", 1, MSG_NOSIGNAL); close(a); }
			}
			close(l);
		} else {
			int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (r & 1 ? SOCK_NONBLOCK : 0), 0);
			char b;
			if (connect(c, (void *)&gate, DOOR_LEN) == 0) {
				if (read(c, &b, 1) < 0) CHECK(errno == EINTR || errno == EAGAIN || errno == ECONNRESET);
			} else {
				CHECK(errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR);
			}
			close(c);
		}
		progress();
	}
	it = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &it, NULL);
}
STORM(impatient_connections) { crowd(impatient, 6); }
