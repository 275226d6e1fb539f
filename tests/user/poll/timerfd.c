/* timerfd: counting, absolute times, the real clock set under it, and its errors. */
#include "../tap.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static struct itimerspec in_ms(long value, long period)
{
	return (struct itimerspec){ { period / 1000, period % 1000 * 1000000 }, { value / 1000, value % 1000 * 1000000 } };
}

static void move_clock(long s)
{
	struct timespec now;
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	now.tv_sec += s;
	CHECK(clock_settime(CLOCK_REALTIME, &now) == 0);
}

TEST(counts_what_nobody_read)
{
	struct itimerspec its = in_ms(10, 10), now;
	uint64_t n;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	sleep_ms(105);
	CHECK(read(fd, &n, 8) == 8 && n >= 10);
	CHECK(timerfd_gettime(fd, &now) == 0);
	CHECK(now.it_interval.tv_nsec == 10000000 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10000000);
	CHECK(read(fd, &n, 8) == 8 && n >= 1);		/* sleeps for the next */
	its = in_ms(0, 0);
	CHECK(timerfd_settime(fd, 0, &its, &now) == 0 && now.it_interval.tv_nsec == 10000000);
	CHECK(timerfd_gettime(fd, &now) == 0 && !now.it_value.tv_nsec);
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 30), 0);
}

TEST(one_shot)
{
	struct itimerspec its = in_ms(5, 0), now;
	uint64_t n[2];
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	struct pollfd p = { fd, POLLIN, 0 };
	CHECK_ERR(read(fd, n, 8), EAGAIN);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(read(fd, n, 16), 8);
	CHECK_EQ(n[0], 1);
	CHECK_ERR(read(fd, n, 8), EAGAIN);
	CHECK(timerfd_gettime(fd, &now) == 0 && !now.it_value.tv_nsec && !now.it_value.tv_sec);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);		/* setting it forgets what was not read */
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(absolute_times)
{
	struct itimerspec its = { { 0, 0 }, { 0, 0 } };
	struct timespec now;
	uint64_t n;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	clock_gettime(CLOCK_MONOTONIC, &its.it_value);
	its.it_value.tv_sec++;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
	CHECK(read(fd, &n, 8) == 8 && n == 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	CHECK(now.tv_sec > its.it_value.tv_sec || (now.tv_sec == its.it_value.tv_sec && now.tv_nsec >= its.it_value.tv_nsec));
	its = (struct itimerspec){ { 0, 100000000 }, { 0, 1 } };		/* long past: at once, with all that was missed */
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
	CHECK(read(fd, &n, 8) == 8);
	CHECK(n >= 10);
}

TEST(epoll_and_a_reader_asleep)
{
	struct itimerspec its = in_ms(20, 0);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = 7 }, got;
	uint64_t n;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0), ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK(epoll_wait(ep, &got, 1, -1) == 1 && got.data.u32 == 7);
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	fflush(stdout);
	pid_t pid = fork();		/* shared: one timer behind both descriptors */
	if (pid == 0)
		_exit(read(fd, &n, 8) == 8 && n == 1 && read(fd, &n, 8) == 8 ? 0 : 1);
	CHECK(wait_state(pid, 'S'));
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(the_real_clock_set)
{
	struct itimerspec its = { { 0, 0 }, { 0, 0 } };
	uint64_t n;
	if (geteuid())
		SKIP("needs root");
	int fd = timerfd_create(CLOCK_REALTIME, 0), rel = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), watch = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	clock_gettime(CLOCK_REALTIME, &its.it_value);
	its.it_value.tv_sec += 3600;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
	CHECK(timerfd_settime(watch, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL) == 0);
	its = in_ms(3600000, 0);
	CHECK(timerfd_settime(rel, 0, &its, NULL) == 0);
	CHECK_ERR(read(watch, &n, 8), EAGAIN);
	move_clock(7200);
	struct pollfd p = { watch, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_ERR(read(watch, &n, 8), ECANCELED);
	CHECK(read(fd, &n, 8) == 8 && n == 1);
	CHECK_ERR(read(rel, &n, 8), EAGAIN);
	move_clock(-7200);
}

TEST(errors)
{
	struct itimerspec its = in_ms(5, 0);
	uint64_t n;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	CHECK_ERR(timerfd_create(77, 0), EINVAL);
	CHECK_ERR(timerfd_settime(fd, 4, &its, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(0, 0, &its, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(999, 0, &its, NULL), EBADF);
	CHECK_ERR(timerfd_gettime(0, &its), EINVAL);
	CHECK_ERR(timerfd_gettime(999, &its), EBADF);
	CHECK_ERR(timerfd_settime(fd, 0, (void *)8, NULL), EFAULT);
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERR(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	its = in_ms(5, 0);
	its.it_interval.tv_sec = -1;
	CHECK_ERR(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	CHECK_ERR(read(fd, &n, 7), EINVAL);
	CHECK_ERR(write(fd, &n, 8), EINVAL);
	CHECK_EQ(lseek(fd, 9, SEEK_SET), 0);		/* allowed, and nothing */
	CHECK_ERR(pread(fd, &n, 8, 0), ESPIPE);
	CHECK_EQ(lseek(eventfd(0, 0), 5, SEEK_END), 0);
	CHECK_EQ(lseek(epoll_create1(0), 5, SEEK_SET), 0);
}
