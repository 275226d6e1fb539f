/* While AIO's fsyncs wait for a disk that does not answer, what else the kernel defers goes on: a poll by AIO, an epoll in an epoll, descriptors in flight that
 * nobody can receive any more, a segment sent again.  The disk is a loop device whose file lies on a frozen volume. */
#include "../unix/sock.h"
#include "ext2.h"
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#define FSYNCS 40
#define DONE 20000		/* ms; what does not come by then does not come */

static char device[32];
static int root_fd, file, disk;
static aio_context_t stalled;

static long submit(aio_context_t c, int op, int fd, unsigned buf)
{
	struct iocb cb = { .aio_lio_opcode = (unsigned short)op, .aio_fildes = (unsigned)fd, .aio_buf = buf }, *p = &cb;
	return syscall(SYS_io_submit, c, 1l, &p);
}

static long events(aio_context_t c, long least, long most, long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	struct io_event e[FSYNCS];
	return syscall(SYS_io_getevents, c, least, most, e, &t);
}

static void set_up(void)
{
	int control = open("/dev/loop-control", O_RDWR), s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (control < 0) SKIP("no loop devices");
	CHECK(s >= 0 && ioctl(s, SIOCSIFFLAGS, &lo) == 0);
	have_volume("");
	root_fd = open(".", O_RDONLY);
	file = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(root_fd >= 0 && file >= 0 && ftruncate(file, 1 << 20) == 0 && fsync(file) == 0);
	snprintf(device, sizeof(device), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	disk = open(device, O_RDWR);
	if (disk < 0) SKIP("no node of a loop device");
	CHECK(ioctl(disk, LOOP_SET_FD, file) == 0 && close(control) == 0);
	CHECK(syscall(SYS_io_setup, FSYNCS, &stalled) == 0);
}

static void stall(int fsyncs)
{
	static char page[4096];

	CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
	CHECK_EQ(pwrite(disk, page, sizeof(page), 0), sizeof(page));
	for (int i = 0; i < fsyncs; i++)
		CHECK_EQ(submit(stalled, IOCB_CMD_FSYNC, disk, 0), 1);
}

/* Thaws before anything is judged: a process with requests on their way would not end. */
static bool still_stalled(void)
{
	long n = events(stalled, 0, FSYNCS, 0);
	CHECK(ioctl(root_fd, FITHAW, 0) == 0);
	return n == 0;
}

static void tear_down(int fsyncs)
{
	CHECK_EQ(events(stalled, fsyncs, FSYNCS, DONE), fsyncs);
	CHECK(syscall(SYS_io_destroy, stalled) == 0);
	CHECK(ioctl(disk, LOOP_CLR_FD, 0) == 0 && close(disk) == 0 && close(file) == 0 && close(root_fd) == 0 && chdir("/") == 0);
	for (int i = 0; i < 1000 && umount(where); i++)		/* the loop device may still be letting go */
		sleep_ms(10);
	CHECK(rmdir(where) == 0);
}

static bool aio_poll_is_told(void)
{
	aio_context_t c = 0;
	int p[2];

	return syscall(SYS_io_setup, 4, &c) == 0 && pipe(p) == 0 && submit(c, 5, p[0], POLLIN) == 1 && events(c, 0, 1, 0) == 0 &&
	       write(p[1], "x", 1) == 1 && events(c, 1, 1, DONE) == 1 && syscall(SYS_io_destroy, c) == 0;
}

static bool watches(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool nested_epoll_hears(int timeout)
{
	int p[2], ep[3];
	struct epoll_event ev;

	for (int i = 0; i < 3; i++)
		ep[i] = epoll_create1(0);
	return pipe(p) == 0 && watches(ep[0], p[0]) && watches(ep[1], ep[0]) && watches(ep[2], ep[1]) && epoll_wait(ep[2], &ev, 1, 0) == 0 &&
	       write(p[1], "x", 1) == 1 && epoll_wait(ep[2], &ev, 1, timeout) == 1 && close(ep[0]) == 0 && epoll_wait(ep[2], &ev, 1, 0) == 0;
}

static bool cycle_is_collected(void)
{
	int p[2], s[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
	CHECK(send_fds(s[0], "x", 1, &p[1], 1) == 1 && send_fds(s[0], "x", 1, &s[1], 1) == 1);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	return pipe_is_hung_up(p[0]);
}

/* A SYN that nobody answered. */
static bool tcp_tries_again(void)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog all = { 1, &drop };
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	struct pollfd p = { c, POLLOUT, 0 };

	CHECK(bind(l, (void *)&a, n) == 0 && getsockname(l, (void *)&a, &n) == 0 && listen(l, 5) == 0);
	CHECK(setsockopt(l, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof(all)) == 0);
	CHECK(connect(c, (void *)&a, n) == -1 && errno == EINPROGRESS);
	CHECK(setsockopt(l, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)) == 0);
	return poll(&p, 1, DONE) == 1 && p.revents == POLLOUT;
}

TEST(one_fsync_holds_up_nobody)
{
	set_up();
	stall(1);
	bool poll = aio_poll_is_told(), nested = nested_epoll_hears(DONE), gone = cycle_is_collected(), tcp = tcp_tries_again(), still = still_stalled();
	CHECK(poll && nested && gone && tcp && still);
	tear_down(1);
}

/* More than there are threads for: they hold up each other, and nothing that is not theirs. */
TEST(nor_do_many)
{
	set_up();
	stall(FSYNCS);
	bool nested = nested_epoll_hears(0), gone = cycle_is_collected(), tcp = tcp_tries_again(), still = still_stalled();
	CHECK(nested && gone && tcp && still);
	tear_down(FSYNCS);
}
