/* Linux AIO: contexts, requests, events, the ring, eventfds, errors. */
#include "tap.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>

#define io_setup(...) syscall(SYS_io_setup, __VA_ARGS__)
#define io_destroy(...) syscall(SYS_io_destroy, __VA_ARGS__)
#define io_submit(...) syscall(SYS_io_submit, __VA_ARGS__)
#define io_cancel(...) syscall(SYS_io_cancel, __VA_ARGS__)
#define io_getevents(...) syscall(SYS_io_getevents, __VA_ARGS__)
#define P 4096

static struct iocb rw(int op, int fd, void *buf, size_t n, long long off)
{
	return (struct iocb){ .aio_lio_opcode = op, .aio_fildes = fd, .aio_buf = (uintptr_t)buf, .aio_nbytes = n, .aio_offset = off, .aio_data = n };
}

static long run(aio_context_t c, struct iocb *cb)
{
	struct io_event e = { 0 };
	CHECK_EQ(io_submit(c, 1l, &cb), 1);
	CHECK_EQ(io_getevents(c, 1l, 1l, &e, NULL), 1);
	CHECK(e.obj == (uintptr_t)cb && e.data == cb->aio_data);
	return e.res;
}

TEST(contexts)
{
	aio_context_t c = 0, d = 0;
	CHECK_ERR(io_setup(0, &c), EINVAL);
	CHECK_ERR(io_setup(10, (void *)8), EFAULT);
	CHECK(!io_setup(10, &c) && c);
	CHECK_ERR(io_setup(10, &c), EINVAL);
	CHECK(!io_setup(100, &d) && d != c);
	CHECK(!io_destroy(c));
	CHECK_ERR(io_destroy(c), EINVAL);
	CHECK_ERR(io_destroy(0ul), EINVAL);
	CHECK_ERR(io_submit(c, 0l, NULL), EINVAL);
	CHECK_EQ(io_submit(d, 0l, NULL), 0);
	CHECK_ERR(io_submit(d, -1l, NULL), EINVAL);
	unsigned *ring = (unsigned *)d;
	CHECK(ring[4] == 0xa10a10a1 && ring[1] >= 100 && ring[7] == 32);
	if (!fork()) _exit(0);			/* and exit with one open */
}

TEST(files)
{
	aio_context_t c = 0;
	char a[10000], b[10000];
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(!io_setup(8, &c));
	for (int i = 0; i < 10000; i++) a[i] = (char)(i * 3);
	struct iocb w = rw(IOCB_CMD_PWRITE, fd, a, 10000, 5), r = rw(IOCB_CMD_PREAD, fd, b, 10000, 5), s = rw(IOCB_CMD_FSYNC, fd, 0, 0, 0);
	CHECK_EQ(run(c, &w), 10000);
	CHECK_EQ(run(c, &s), 0);
	s.aio_lio_opcode = IOCB_CMD_FDSYNC;
	CHECK_EQ(run(c, &s), 0);
	CHECK_EQ(run(c, &r), 10000);
	CHECK(!memcmp(a, b, 10000));
	r.aio_offset = 20000;
	CHECK_EQ(run(c, &r), 0);
	struct iovec v[2] = { { b, 10 }, { b + 20, 30 } };
	struct iocb rv = rw(IOCB_CMD_PREADV, fd, v, 2, 5), wv = rw(IOCB_CMD_PWRITEV, fd, v, 2, 100);
	memset(b, 0, sizeof(b));
	CHECK_EQ(run(c, &rv), 40);
	CHECK(!memcmp(b, a, 10) && !memcmp(b + 20, a + 10, 30) && !b[10]);
	CHECK_EQ(run(c, &wv), 40);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(errors)
{
	aio_context_t c = 0;
	char a[100];
	int fd = open("f", O_RDONLY | O_CREAT, 0600), efd = eventfd(0, 0);
	CHECK(!io_setup(8, &c));
	struct iocb cb, *p = &cb;
	struct io_event e;
	cb = rw(IOCB_CMD_PREAD, -1, a, 10, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EBADF);
	cb = rw(IOCB_CMD_PWRITE, fd, a, 10, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EBADF);
	cb = rw(99, fd, a, 10, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EINVAL);
	cb = rw(IOCB_CMD_PREAD, fd, a, (size_t)-1, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EINVAL);
	cb = rw(IOCB_CMD_PREAD, fd, a, 10, 0);
	cb.aio_reserved2 = 1;
	CHECK_ERR(io_submit(c, 1l, &p), EINVAL);
	cb = rw(IOCB_CMD_PREAD, fd, a, 10, 0);
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)fd;
	CHECK_ERR(io_submit(c, 1l, &p), EINVAL);
	cb = rw(IOCB_CMD_PREADV, fd, (void *)8, 1, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EFAULT);
	cb = rw(IOCB_CMD_FSYNC, fd, a, 0, 0);
	CHECK_ERR(io_submit(c, 1l, &p), EINVAL);
	p = (void *)8;
	CHECK_ERR(io_submit(c, 1l, &p), EFAULT);
	CHECK_ERR(io_submit(c, 1l, (void *)8), EFAULT);
	CHECK_ERR(io_getevents(c, 2l, 1l, &e, NULL), EINVAL);
	CHECK_ERR(io_getevents(c, -1l, 1l, &e, NULL), EINVAL);
	CHECK_EQ(io_getevents(c, 0l, 1l, &e, NULL), 0);
	CHECK_EQ(io_getevents(c, 1l, 1l, &e, &(struct timespec){ 0, 1000000 }), 0);
	CHECK_ERR(io_getevents(12345ul, 0l, 1l, &e, NULL), EINVAL);
	CHECK_ERR(io_cancel(c, (void *)8, &e), EFAULT);
	cb = rw(IOCB_CMD_PREAD, fd, a, 10, 0);
	CHECK_ERR(io_cancel(c, &cb, &e), EINVAL);
	struct iocb bad = rw(IOCB_CMD_PREAD, -1, a, 10, 0), *two[2] = { &cb, &bad };
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)efd;
	CHECK_EQ(io_submit(c, 2l, two), 1);			/* the good one */
	uint64_t n;
	CHECK(read(efd, &n, 8) == 8 && n == 1);
	CHECK_EQ(io_getevents(c, 1l, 1l, &e, NULL), 1);
}

TEST(full_ring)
{
	aio_context_t c = 0;
	char a[10];
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(!io_setup(1, &c));
	struct iocb cb = rw(IOCB_CMD_PREAD, fd, a, 10, 0), *p = &cb;
	long n = 0;
	while (io_submit(c, 1l, &p) == 1) CHECK(++n < 100000);
	CHECK(errno == EAGAIN && n >= 1);
	struct io_event e;
	for (long i = 0; i < n; i++) CHECK_EQ(io_getevents(c, 1l, 1l, &e, NULL), 1);
	CHECK_EQ(io_submit(c, 1l, &p), 1);
}

/* Many in flight on a device; each lands once, with the right bytes. */
/* The ring is the program's memory: whatever stands in it, who waits can be ended. */
TEST(nonsense_in_the_ring)
{
	aio_context_t c = 0;
	struct io_event e;
	struct timespec ms = { 0, 1000000 };
	CHECK(!io_setup(8, &c));
	volatile unsigned *ring = (unsigned *)c;
	unsigned nr = ring[1];
	ring[2] = nr;				/* the head, beyond the end: as if it were 0, where the tail is */
	CHECK_EQ(io_getevents(c, 1l, 1l, &e, &ms), 0);
	pid_t waits = fork();
	if (!waits) {
		aio_context_t d = 0;
		CHECK(!io_setup(8, &d));
		((unsigned *)d)[2] = ((unsigned *)d)[1] * 5;
		io_getevents(d, 1l, 1l, &e, NULL);
		_exit(1);
	}
	CHECK(wait_state(waits, 'S'));
	kill(waits, SIGKILL);
	CHECK(KILLED(wait_status(waits), SIGKILL));
	CHECK(!io_destroy(c));
}

TEST(direct_in_flight)
{
	int fd = open("/dev/scratch", O_RDWR | O_DIRECT);
	if (fd < 0) SKIP("no /dev/scratch");
	enum { N = 64 };
	aio_context_t c = 0;
	struct iocb cb[N], *p[N];
	struct io_event e[N];
	char *a = mmap(0, N * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!io_setup(N, &c));
	for (int round = 0; round < 4; round++) {
		bool write = round % 2 == 0;
		for (int i = 0; i < N; i++) {
			memset(a + i * P, write ? i + round : 0, P);
			cb[i] = rw(write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, fd, a + i * P, P, ((i * 37) % N) * P);
			cb[i].aio_data = (unsigned)i;
			p[i] = &cb[i];
		}
		CHECK_EQ(io_submit(c, (long)N, p), N);
		bool seen[N] = { 0 };
		for (int got = 0; got < N;) {
			long n = io_getevents(c, 1l, (long)N, e, NULL);
			CHECK(n > 0);
			for (long k = 0; k < n; k++) {
				CHECK(e[k].data < N && !seen[e[k].data] && e[k].res == P && e[k].obj == (uintptr_t)p[e[k].data]);
				seen[e[k].data] = true;
			}
			got += (int)n;
		}
		for (int i = 0; i < N && !write; i++) CHECK(a[i * P] == (char)(i + round - 1) && a[i * P + P - 1] == a[i * P]);
	}
	cb[0].aio_buf++;
	long res = io_submit(c, 1l, p);
	CHECK((res < 0 && errno == EINVAL) || (res == 1 && io_getevents(c, 1l, 1l, e, NULL) == 1 && e[0].res == -EINVAL));
	cb[0] = rw(IOCB_CMD_PREAD, fd, a, N * P, 0);
	CHECK_EQ(io_submit(c, 1l, p), 1);
	CHECK(!io_destroy(c));				/* waits for it */
}

/* Exit with requests in flight. */
TEST(exit_in_flight)
{
	for (int i = 0; i < 20; i++) {
		pid_t q = fork();
		if (!q) {
			int fd = open("/dev/scratch", O_RDWR | O_DIRECT);
			aio_context_t c = 0;
			char *a = mmap(0, 64 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			struct iocb cb = rw(IOCB_CMD_PREAD, fd, a, 64 * P, 0), *p = &cb;
			io_setup(4, &c);
			io_submit(c, 1l, &p);
			_exit(0);
		}
		int st;
		CHECK(waitpid(q, &st, 0) == q && st == 0);
	}
}

#ifndef IOCB_CMD_POLL
#define IOCB_CMD_POLL 5
#endif
static struct iocb poll_of(int fd, unsigned events) { return (struct iocb){ .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = events, .aio_data = 77 }; }
static long none(aio_context_t c)
{
	struct timespec now = { 0, 0 };
	struct io_event e;
	return io_getevents(c, 0l, 1l, &e, &now);
}
static long next(aio_context_t c, struct io_event *e) { return io_getevents(c, 1l, 1l, e, NULL); }

TEST(poll_at_once_and_later)
{
	aio_context_t c = 0;
	int p[2], ev = eventfd(1, 0);
	struct io_event e;
	CHECK(!io_setup(8, &c) && !pipe(p));
	struct iocb a = poll_of(ev, POLLIN), b = poll_of(p[0], POLLIN), *l[] = { &a, &b };
	CHECK_EQ(io_submit(c, 2l, l), 2);
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.obj == (uintptr_t)&a && e.data == 77 && e.res & POLLIN && !(e.res & POLLOUT));
	CHECK_EQ(none(c), 0);
	CHECK(write(p[1], "x", 1) == 1);
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.obj == (uintptr_t)&b && e.res & POLLIN);
	CHECK_EQ(none(c), 0);			/* once only */
	CHECK(write(p[1], "x", 1) == 1);
	CHECK_EQ(none(c), 0);
	struct iocb out = poll_of(p[1], POLLOUT), *o[] = { &out };
	CHECK_EQ(io_submit(c, 1l, o), 1);
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.res & POLLOUT);
	char drain[8];
	CHECK(read(p[0], drain, 8) == 2);
	CHECK_EQ(io_submit(c, 1l, l + 1), 1);
	CHECK_EQ(none(c), 0);
	CHECK(!close(p[1]));			/* asked for or not */
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.res & POLLHUP);
	CHECK(!io_destroy(c));
}

TEST(poll_errors)
{
	aio_context_t c = 0;
	int p[2];
	CHECK(!io_setup(8, &c) && !pipe(p));
	struct iocb a = poll_of(p[0], POLLIN), *l[] = { &a };
	a.aio_buf = 0x10000;
	CHECK_ERR(io_submit(c, 1l, l), EINVAL);
	a.aio_buf = POLLIN; a.aio_offset = 1;
	CHECK_ERR(io_submit(c, 1l, l), EINVAL);
	a.aio_offset = 0; a.aio_nbytes = 1;
	CHECK_ERR(io_submit(c, 1l, l), EINVAL);
	a.aio_nbytes = 0; a.aio_rw_flags = 1;
	CHECK_ERR(io_submit(c, 1l, l), EINVAL);
	a.aio_rw_flags = 0; a.aio_fildes = 1000;
	CHECK_ERR(io_submit(c, 1l, l), EBADF);
	int fd = open("/tmp/aio-poll", O_RDWR | O_CREAT, 0600);	/* always ready */
	a = poll_of(fd, POLLIN);
	struct io_event e;
	CHECK_EQ(io_submit(c, 1l, l), 1);
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.res & POLLIN);
}

TEST(cancel)
{
	aio_context_t c = 0;
	int p[2];
	struct io_event e, ignored;
	CHECK(!io_setup(8, &c) && !pipe(p));
	struct iocb a = poll_of(p[0], POLLIN), *l[] = { &a };
	CHECK_ERR(io_cancel(c, &a, &ignored), EINVAL);
	CHECK_EQ(io_submit(c, 1l, l), 1);
	CHECK_ERR(io_cancel(c + 4096, &a, &ignored), EINVAL);
	CHECK_ERR(io_cancel(c, &a, &ignored), EINPROGRESS);
	CHECK_EQ(next(c, &e), 1);
	CHECK(e.obj == (uintptr_t)&a && e.data == 77 && e.res == 0);
	CHECK_ERR(io_cancel(c, &a, &ignored), EINVAL);
	a.aio_key = 5;
	CHECK_ERR(io_cancel(c, &a, &ignored), EINVAL);
	CHECK_ERR(io_cancel(c, (void *)8, &ignored), EFAULT);
	CHECK(write(p[1], "x", 1) == 1);
	CHECK_EQ(none(c), 0);
}

TEST(destroyed_with_polls)
{
	aio_context_t c = 0;
	int p[2];
	CHECK(!io_setup(64, &c) && !pipe(p));
	struct iocb a[20], *l[20];
	for (int i = 0; i < 20; i++) { a[i] = poll_of(p[0], POLLIN); l[i] = &a[i]; }
	CHECK_EQ(io_submit(c, 20l, l), 20);
	CHECK(!io_destroy(c));
	c = 0;
	CHECK(!io_setup(64, &c));
	CHECK_EQ(io_submit(c, 20l, l), 20);	/* and by exit */
}

/* Many waiters, woken and cancelled at once: each ends just once. */
TEST(poll_races)
{
	aio_context_t c = 0;
	int p[2];
	CHECK(!io_setup(64, &c) && !pipe(p));
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		for (char b[64];;) { write(p[1], "x", 1); usleep(50); read(p[0], b, 64); }
	for (int turn = 0; turn < 300; turn++) {
		struct iocb a[8], *l[8];
		struct io_event e[8], ignored;
		for (int i = 0; i < 8; i++) { a[i] = poll_of(p[0], POLLIN); l[i] = &a[i]; }
		CHECK_EQ(io_submit(c, 8l, l), 8);
		for (int i = 0; i < 8; i += 2) CHECK(io_cancel(c, l[i], &ignored) == -1 && (errno == EINPROGRESS || errno == EINVAL));
		CHECK_EQ(io_getevents(c, 8l, 8l, e, NULL), 8);
		unsigned seen = 0;
		for (int i = 0; i < 8; i++) seen |= 1u << ((struct iocb *)(uintptr_t)e[i].obj - a);
		CHECK_EQ(seen, 255);
		CHECK_EQ(none(c), 0);
	}
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

static long number(const char *path)
{
	char b[64] = "-1";
	return read_file(path, b, sizeof(b)) > 0 ? atol(b) : -1;
}

TEST(how_many_of_all)
{
	aio_context_t c = 0, d = 0;
	char old[32];
	long before = number("/proc/sys/fs/aio-nr"), max = number("/proc/sys/fs/aio-max-nr");
	CHECK(max >= 65536 && before >= 0);
	CHECK(!io_setup(100, &c));
	CHECK(number("/proc/sys/fs/aio-nr") >= before + 100);
	snprintf(old, sizeof(old), "%ld", max);
	write_file("/proc/sys/fs/aio-max-nr", "150");
	int e = io_setup(200, &d) < 0 ? errno : 0;
	write_file("/proc/sys/fs/aio-max-nr", old);
	CHECK_EQ(e, EAGAIN);
	CHECK(!io_destroy(c));
	for (int i = 0; i < 200 && number("/proc/sys/fs/aio-nr") != before; i++) sleep_ms(10);
	CHECK_EQ(number("/proc/sys/fs/aio-nr"), before);
}
