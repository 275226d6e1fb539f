/* vhangup: the controlling terminal is as if its line had been cut. */
#include "../tap.h"

static int master;
static char slave[40];
static void make(void)
{
	int n, zero = 0;
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &zero) == 0 && ioctl(master, TIOCGPTN, &n) == 0);
	snprintf(slave, sizeof(slave), "/dev/pts/%d", n);
}
TEST(only_root_may)
{
	pid_t pid = fork();
	if (!pid) {
		CHECK(setresuid(1000, 1000, 1000) == 0);
		CHECK_ERR(syscall(SYS_vhangup), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
TEST(without_a_terminal_nothing_happens)
{
	pid_t pid = fork();
	if (!pid) {
		CHECK(setsid() > 0);
		CHECK_EQ(syscall(SYS_vhangup), 0);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
static volatile sig_atomic_t hups, conts;
static void count(int sig) { if (sig == SIGHUP) hups++; else conts++; }
TEST(the_line_is_cut)
{
	make();
	pid_t pid = fork();
	if (!pid) {
		char c;
		int fd, t;
		signal(SIGHUP, count);
		signal(SIGCONT, count);
		CHECK(setsid() > 0);
		fd = open(slave, O_RDWR);
		CHECK(fd >= 0 && (t = open("/dev/tty", O_RDWR)) >= 0);
		CHECK_EQ(syscall(SYS_vhangup), 0);
		CHECK(hups > 0 && conts > 0);
		CHECK_EQ(read(fd, &c, 1), 0);
		CHECK_ERR(write(fd, "x", 1), EIO);
		CHECK_ERR(ioctl(fd, TIOCGWINSZ, &c), EIO);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
