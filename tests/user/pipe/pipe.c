/* Pipes: sizes, blocking, SIGPIPE, hang-up. */
#include "tap.h"
#include <pthread.h>

TEST(basics)
{
	int p[2];
	char b[16] = "";
	struct stat st;
	CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC && (fcntl(p[1], F_GETFL) & O_NONBLOCK));
	CHECK_ERR(read(p[0], b, 1), EAGAIN);
	CHECK_EQ(write(p[1], "hello", 5), 5);
	int n;
	CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
	CHECK_EQ(read(p[0], b, 2), 2);
	CHECK_EQ(read(p[0], b + 2, 10), 3);
	CHECK(!strcmp(b, "hello"));
	CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK_ERR(pipe2(p, 0x12345), EINVAL);
	close(p[1]);
	CHECK_EQ(read(p[0], b, 1), 0);
}

TEST(capacity_is_64k)
{
	int p[2];
	char b[4096];
	long n = 0;
	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 65536);
	memset(b, 1, sizeof(b));
	while (write(p[1], b, sizeof(b)) == sizeof(b)) n += sizeof(b);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 65536);
	CHECK_EQ(read(p[0], b, 4096), 4096);
	CHECK_EQ(write(p[1], b, 4096), 4096);
}

TEST(set_size)
{
	int p[2];
	static char b[1 << 20];
	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 100), 4096);
	CHECK_EQ(write(p[1], b, sizeof(b)), 4096);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	CHECK_EQ(write(p[1], b, sizeof(b)), (1 << 20) - 4096);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK(setuid(1000) == 0);
	int q[2];
	CHECK(pipe(q) == 0);
	CHECK_ERR(fcntl(q[1], F_SETPIPE_SZ, 16 << 20), EPERM);
}

TEST(sigpipe)
{
	int p[2];
	CHECK(pipe(p) == 0);
	close(p[0]);
	pid_t pid = fork();
	if (pid == 0) { write(p[1], "x", 1); _exit(0); }
	CHECK(KILLED(wait_status(pid), SIGPIPE));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(write(p[1], "", 0), 0);
}

TEST(poll_states)
{
	int p[2];
	char b[65536];
	CHECK(pipe(p) == 0);
	struct pollfd r = { p[0], POLLIN, 0 }, w = { p[1], POLLOUT, 0 };
	CHECK_EQ(poll(&r, 1, 0), 0);
	CHECK(poll(&w, 1, 0) == 1 && w.revents == POLLOUT);
	write(p[1], b, sizeof(b));
	CHECK_EQ(poll(&w, 1, 0), 0);
	CHECK(poll(&r, 1, 0) == 1 && r.revents == POLLIN);
	close(p[1]);
	CHECK(poll(&r, 1, 0) == 1 && r.revents == (POLLIN | POLLHUP));
	read(p[0], b, sizeof(b));
	CHECK(poll(&r, 1, 0) == 1 && r.revents == POLLHUP);
	CHECK(pipe(p) == 0);
	close(p[0]);
	w.fd = p[1];
	CHECK(poll(&w, 1, 0) == 1 && (w.revents & POLLERR));
}

TEST(blocking_transfer_of_megabytes)
{
	int p[2];
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(p[0]);
		static char out[100000];
		for (int k = 0; k < 50; k++) {
			for (unsigned i = 0; i < sizeof(out); i++) out[i] = k * 31 + i;
			if (write(p[1], out, sizeof(out)) != sizeof(out)) _exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	long total = 0;
	char b[7777];
	ssize_t n;
	while ((n = read(p[0], b, sizeof(b))) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(b[i] == (char)(total / 100000 * 31 + total % 100000));
	CHECK_EQ(total, 5000000);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(atomic_writes_do_not_mix)
{
	int p[2];
	CHECK(pipe(p) == 0);
	for (int k = 0; k < 4; k++)
		if (fork() == 0) {
			char m[512];
			memset(m, 'a' + k, sizeof(m));
			for (int i = 0; i < 100; i++) write(p[1], m, sizeof(m));
			_exit(0);
		}
	close(p[1]);
	char m[512];
	int n = 0;
	while (read(p[0], m, 512) == 512) {
		for (int i = 1; i < 512; i++) CHECK(m[i] == m[0]);
		n++;
	}
	CHECK_EQ(n, 400);
}

TEST(fifo_open_waits_for_the_other)
{
	scratch();
	CHECK(mkfifo("f", 0600) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int w = open("f", O_WRONLY);
		_exit(write(w, "hi", 2) == 2 ? 0 : 1);
	}
	int r = open("f", O_RDONLY);
	char b[4] = "";
	CHECK_EQ(read(r, b, 4), 2);
	CHECK_EQ(read(r, b, 4), 0);
	CHECK(EXITED(wait_status(pid), 0));
	int rw = open("f", O_RDWR);
	CHECK(rw >= 0 && write(rw, "x", 1) == 1 && read(rw, b, 1) == 1);
}

/* What bash's <( ) leaves to its reader: /dev/fd/N of a pipe whose writer has ended already. */
TEST(opened_anew_without_waiting)
{
	int p[2];
	char name[40], b[4] = "";
	CHECK(pipe(p) == 0 && write(p[1], "hi", 2) == 2);
	CHECK(close(p[1]) == 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	alarm(20);
	int r = open(name, O_RDONLY);
	CHECK(r >= 0);
	struct pollfd poller = { .fd = r, .events = POLLIN };
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLIN | POLLHUP);
	CHECK_EQ(read(r, b, 4), 2);
	CHECK_EQ(read(r, b, 4), 0);
	int w = open(name, O_WRONLY);	/* a new writer: end of file no longer */
	CHECK(w >= 0 && fcntl(r, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(read(r, b, 4), EAGAIN);
	close(r);
	close(p[0]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", w);
	int w2 = open(name, O_WRONLY);
	CHECK(w2 >= 0);
	int w3 = open(name, O_WRONLY | O_NONBLOCK);	/* a FIFO without a reader would be ENXIO */
	CHECK(w3 >= 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(w3, "x", 1), EPIPE);
}

TEST(splice_and_tee)
{
	int a[2], b[2];
	char buf[16] = "";
	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK_EQ(write(a[1], "spliced", 7), 7);
	long n = syscall(SYS_tee, a[0], b[1], 100, 0);
	if (n == -1 && errno == ENOSYS)
		SKIP("no splice family");
	CHECK_EQ(n, 7);
	CHECK_EQ(read(b[0], buf, 16), 7);
	CHECK_EQ(splice(a[0], NULL, b[1], NULL, 100, 0), 7);
	CHECK_EQ(read(b[0], buf, 16), 7);
	CHECK(!memcmp(buf, "spliced", 7));
}
