/* splice, tee, vmsplice, and sendfile and copy_file_range by their means. */
#include "tap.h"
#include <sys/socket.h>

#define splice(...) syscall(SYS_splice, __VA_ARGS__)
#define tee(...) syscall(SYS_tee, __VA_ARGS__)
#define vmsplice(...) syscall(SYS_vmsplice, __VA_ARGS__)
#define copy_file_range(...) syscall(SYS_copy_file_range, __VA_ARGS__)
#define sendfile(...) syscall(SYS_sendfile, __VA_ARGS__)
#define P 4096
enum { NONBLOCK = 2 };

static char buf[1 << 18], out[1 << 18];

static int file(const char *name, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (size_t i = 0; i < n; i++) buf[i] = (char)(i * 31 + (i >> 8));
	CHECK(fd >= 0 && write(fd, buf, n) == (ssize_t)n);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

TEST(file_to_pipe_to_file)
{
	int p[2], a = file("a", 50000), b = open("b", O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t total = 0;
	CHECK(!pipe(p));
	for (;;) {
		ssize_t n = splice(a, NULL, p[1], NULL, 20000, 0);
		CHECK(n >= 0);
		if (!n) break;
		for (ssize_t at = 0; at < n;) {
			ssize_t m = splice(p[0], NULL, b, NULL, n - at, 0);
			CHECK(m > 0);
			at += m;
		}
		total += (size_t)n;
	}
	CHECK_EQ(total, 50000);
	CHECK(pread(b, out, sizeof(out), 0) == 50000 && !memcmp(buf, out, 50000));
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 50000);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 50000);
}

TEST(offsets)
{
	int p[2], a = file("a", 20000), b = open("b", O_RDWR | O_CREAT | O_TRUNC, 0600);
	long long off = 1001, to = 5;
	CHECK(!pipe(p));
	CHECK_EQ(splice(a, &off, p[1], NULL, 3000, 0), 3000);
	CHECK_EQ(off, 4001);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 0);
	CHECK_EQ(splice(p[0], NULL, b, &to, 3000, 0), 3000);
	CHECK_EQ(to, 3005);
	CHECK(pread(b, out, sizeof(out), 0) == 3005 && !out[0] && !memcmp(out + 5, buf + 1001, 3000));
}

TEST(bad_arguments)
{
	int p[2], q[2], a = file("a", 100), d = open(".", O_RDONLY);
	long long off = 0, neg = -1;
	CHECK(!pipe(p) && !pipe(q));
	CHECK_EQ(splice(a, NULL, p[1], NULL, 0, 0), 0);
	CHECK_ERR(splice(a, NULL, p[1], NULL, 10, 16), EINVAL);
	CHECK_ERR(splice(-1, NULL, p[1], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(a, NULL, p[0], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(p[1], NULL, a, NULL, 10, 0), EBADF);
	CHECK_ERR(splice(a, NULL, a, NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(p[0], &off, a, NULL, 10, 0), ESPIPE);
	CHECK_ERR(splice(a, NULL, p[1], &off, 10, 0), ESPIPE);
	CHECK_ERR(splice(a, &neg, p[1], NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(a, (void *)8, p[1], NULL, 10, 0), EFAULT);
	CHECK_ERR(splice(p[0], NULL, p[1], NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(p[0], NULL, q[1], NULL, 10, NONBLOCK), EAGAIN);
	CHECK_ERR(splice(d, NULL, p[1], NULL, 10, 0), EINVAL);
	CHECK_ERR(tee(a, p[1], 10, 0), EINVAL);
	CHECK_ERR(tee(p[0], p[1], 10, 0), EINVAL);
	CHECK_ERR(tee(p[0], -1, 10, 0), EBADF);
	CHECK_ERR(vmsplice(a, &(struct iovec){ buf, 10 }, 1, 0), EBADF);
	CHECK_ERR(vmsplice(p[1], (void *)8, 1, 0), EFAULT);
	CHECK_ERR(vmsplice(p[1], &(struct iovec){ (void *)8, 10 }, 1, 0), EFAULT);
	int ap = open("a", O_WRONLY | O_APPEND);
	CHECK(write(p[1], "x", 1) == 1);
	CHECK_ERR(splice(p[0], NULL, ap, NULL, 10, 0), EINVAL);
}

TEST(end_and_nonblocking)
{
	int p[2], q[2], a = file("a", 100000);
	CHECK(!pipe(p) && !pipe(q));
	CHECK_EQ(splice(a, NULL, p[1], NULL, 100000, 0), 65536);		/* as much as fits, without waiting for more room */
	CHECK_ERR(splice(a, NULL, p[1], NULL, 1, NONBLOCK), EAGAIN);
	CHECK_EQ(read(p[0], out, 65536), 65536);
	CHECK(!memcmp(out, buf, 65536));
	CHECK(lseek(a, 0, SEEK_END) == 100000);
	CHECK_EQ(splice(a, NULL, p[1], NULL, 10, 0), 0);
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, q[1], NULL, 10, 0), 0);
	signal(SIGPIPE, SIG_IGN);
	close(q[0]);
	CHECK_ERR(splice(a, &(long long){ 0 }, q[1], NULL, 10, 0), EPIPE);
}

TEST(pipe_to_pipe_and_tee)
{
	int p[2], q[2], r[2];
	CHECK(!pipe(p) && !pipe(q) && !pipe(r));
	CHECK(write(p[1], "hello, world", 12) == 12);
	CHECK_EQ(tee(p[0], q[1], 5, 0), 5);
	CHECK_EQ(tee(p[0], q[1], 100, 0), 12);
	CHECK(write(p[1], "!", 1) == 1);			/* must not be seen through the other */
	CHECK(read(q[0], out, 100) == 17 && !memcmp(out, "hellohello, world", 17));
	CHECK_EQ(splice(p[0], NULL, r[1], NULL, 7, 0), 7);
	CHECK(write(r[1], "there", 5) == 5);
	CHECK(read(r[0], out, 100) == 12 && !memcmp(out, "hello, there", 12));
	CHECK(read(p[0], out, 100) == 6 && !memcmp(out, "world!", 6));
	CHECK_ERR(tee(p[0], q[1], 5, NONBLOCK), EAGAIN);
	close(p[1]);
	CHECK_EQ(tee(p[0], q[1], 5, 0), 0);
}

TEST(vmsplice_both_ways)
{
	int p[2];
	static char mem[3 * P] __attribute__((aligned(P)));
	struct iovec v[2] = { { mem + 100, 5000 }, { mem + 9000, 10 } }, w = { out, 6000 };
	CHECK(!pipe(p));
	for (size_t i = 0; i < sizeof(mem); i++) mem[i] = (char)(i * 7);
	CHECK_EQ(vmsplice(p[1], v, 2, 0), 5010);
	CHECK(write(p[1], "tail", 4) == 4);
	CHECK(mem[5100] == (char)(5100 * 7) && mem[9010] == (char)(9010 * 7));	/* nothing was appended to our page */
	CHECK_EQ(vmsplice(p[0], &w, 1, 0), 5014);
	CHECK(!memcmp(out, mem + 100, 5000) && !memcmp(out + 5000, mem + 9000, 10) && !memcmp(out + 5010, "tail", 4));
	CHECK_EQ(vmsplice(p[1], v, 0, 0), 0);
}

TEST(a_pipe_of_references)
{
	int p[2], a = file("a", P);
	CHECK(!pipe(p));
	CHECK_EQ(splice(a, NULL, p[1], NULL, P, 0), P);
	CHECK(write(p[1], "new", 3) == 3);
	CHECK(ftruncate(a, 0) == 0);				/* the page lives on in the pipe */
	CHECK(read(p[0], out, 2 * P) == P + 3);
	CHECK(!memcmp(out + P, "new", 3));
	CHECK(pread(a, out, 10, 0) == 0);
}

TEST(waits_for_data)
{
	int p[2], b = open("b", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(!pipe(p));
	pid_t c = fork();
	if (!c) {
		close(p[0]);
		for (int i = 0; i < 100; i++) { CHECK(write(p[1], buf, 1000) == 1000); usleep(100); }
		_exit(0);
	}
	close(p[1]);
	size_t total = 0;
	for (ssize_t n; (n = splice(p[0], NULL, b, NULL, 1 << 20, 0)) != 0; total += (size_t)n) CHECK(n > 0);
	CHECK_EQ(total, 100000);
	int st;
	CHECK(waitpid(c, &st, 0) == c && st == 0);
}

/* What cannot be read again is not read before there is room for it, however full others make the pipe: here with a signal at the end of the wait.
 * (On Linux who writes waits for who splices.) */
static void no_restart(int sig) { (void)sig; }

static size_t count_x(int fd)
{
	size_t xs = 0;
	CHECK(!fcntl(fd, F_SETFL, O_NONBLOCK));
	for (ssize_t n; (n = read(fd, out, sizeof(out))) > 0;)
		for (ssize_t i = 0; i < n; i++) xs += out[i] == 'x';
	return xs;
}

TEST(loses_nothing_when_others_fill_the_pipe)
{
	volatile int *full = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int p[2], s[2], st;
	char name[32], stat[256];
	CHECK(!pipe(p) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	struct sigaction sa = { .sa_handler = no_restart };
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	pid_t splices = fork();
	if (!splices) _exit(splice(s[0], NULL, p[1], NULL, P, 0) == 1 ? 1 : errno == EINTR ? 2 : 3);
	CHECK(wait_state(splices, 'S'));
	pid_t fills = fork();
	if (!fills) {
		CHECK(!fcntl(p[1], F_SETFL, O_NONBLOCK));
		while (write(p[1], buf, P) > 0) { }
		*full = 1;
		_exit(0);
	}
	snprintf(name, sizeof(name), "/proc/%d/stat", fills);
	while (!*full && read_file(name, stat, sizeof(stat)) > 0 && !strstr(stat, ") D")) usleep(1000);
	CHECK_EQ(write(s[1], "x", 1), 1);
	while (waitpid(splices, &st, WNOHANG) == 0) { kill(splices, SIGUSR1); usleep(1000); }
	CHECK(EXITED(st, 1) || EXITED(st, 2));
	CHECK(EXITED(wait_status(fills), 0));
	CHECK_EQ(count_x(p[0]) + count_x(s[0]), 1);
}

TEST(sendfile_everywhere)
{
	int a = file("a", 200000), b = open("b", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
	long off = 10;
	CHECK(!pipe(p));
	CHECK_EQ(sendfile(b, a, &off, 199990), 199990);
	CHECK(pread(b, out, sizeof(out), 0) == 199990 && !memcmp(out, buf + 10, 199990));
	CHECK_EQ(sendfile(p[1], a, NULL, 5000), 5000);
	CHECK(read(p[0], out, sizeof(out)) == 5000 && !memcmp(out, buf, 5000));
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 5000);
	CHECK(ftruncate(a, 300000) == 0);
	off = 199000;
	CHECK_EQ(sendfile(b, a, &off, 200000), 101000);
}

TEST(copy_file_range_rules)
{
	int a = file("a", 100000), b = open("b", O_RDWR | O_CREAT | O_TRUNC, 0600), d = open(".", O_RDONLY), p[2];
	long long from = 1, to = 3;
	CHECK(!pipe(p));
	CHECK_EQ(copy_file_range(a, &from, b, &to, 70000, 0), 70000);
	CHECK(from == 70001 && to == 70003);
	CHECK(pread(b, out, sizeof(out), 0) == 70003 && !memcmp(out + 3, buf + 1, 70000));
	CHECK_ERR(copy_file_range(a, NULL, b, NULL, 1, 1), EINVAL);
	CHECK_ERR(copy_file_range(d, NULL, b, NULL, 1, 0), EISDIR);
	CHECK_ERR(copy_file_range(p[0], NULL, b, NULL, 1, 0), EINVAL);
	from = 0; to = 10;
	CHECK_ERR(copy_file_range(a, &from, a, &to, 100, 0), EINVAL);
	to = 200000;
	CHECK_EQ(copy_file_range(a, &from, a, &to, 100, 0), 100);
	mkdir("m", 0700);
	if (!mount("none", "m", "tmpfs", 0, "")) {
		int x = open("m/x", O_RDWR | O_CREAT, 0600);
		CHECK_ERR(copy_file_range(a, &from, x, NULL, 100, 0), EXDEV);
		close(x);
		umount("m");
	}
}
