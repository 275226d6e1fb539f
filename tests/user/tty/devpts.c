/* Instances of devpts, the multiplexer that belongs to each, packet mode, and the peer by ioctl.  devpts: Linux, Documentation/filesystems/devpts.rst;
 * ioctl_tty(2). */
#include "../tap.h"
#include <asm/ioctls.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

/* In a directory of its own, with dev/pts mounted by opts and dev/ptmx beside it. */
static void instance(const char *opts)
{
	if (geteuid()) SKIP("needs root");
	scratch();
	CHECK(mkdir("dev", 0755) == 0 && mkdir("dev/pts", 0755) == 0);
	CHECK(mknod("dev/ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0);
	CHECK_EQ(mount("devpts", "dev/pts", "devpts", 0, opts), 0);
}

static void leave(void) { CHECK_EQ(umount2("dev/pts", MNT_DETACH), 0); }

static int number(int master)
{
	int n = -1, unlock = 0;
	CHECK_EQ(ioctl(master, TIOCGPTN, &n), 0);
	CHECK_EQ(ioctl(master, TIOCSPTLCK, &unlock), 0);
	return n;
}

TEST(each_mount_counts_from_zero)
{
	instance("newinstance,ptmxmode=0666,mode=0620");
	int a = open("dev/ptmx", O_RDWR | O_NOCTTY), b = open("dev/pts/ptmx", O_RDWR | O_NOCTTY), host = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	struct stat st;
	CHECK(a >= 0 && b >= 0 && host >= 0);
	CHECK_EQ(number(a), 0);
	CHECK_EQ(number(b), 1);
	CHECK(stat("dev/pts/0", &st) == 0 && st.st_rdev == makedev(136, 0) && (st.st_mode & 07777) == 0620 && st.st_ino == 3);
	CHECK(stat("dev/pts/ptmx", &st) == 0 && st.st_rdev == makedev(5, 2) && (st.st_mode & 07777) == 0666);
	CHECK_EQ(access("dev/pts/2", F_OK), -1);
	char path[32];
	snprintf(path, sizeof(path), "/dev/pts/%d", number(host));
	CHECK_EQ(access(path, F_OK), 0);
	close(a);
	CHECK_ERR(open("dev/pts/0", O_RDWR | O_NOCTTY), ENOENT);
	leave();
}

TEST(what_is_typed_stays_in_its_instance)
{
	instance("ptmxmode=0666");
	int m = open("dev/ptmx", O_RDWR | O_NOCTTY), s;
	char b[8];
	number(m);
	s = open("dev/pts/0", O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	CHECK_EQ(write(m, "in\n", 3), 3);
	CHECK_EQ(read(s, b, sizeof(b)), 3);
	leave();				/* it goes on without a name */
	CHECK_EQ(write(s, "x", 1), 1);
	CHECK_EQ(read(m, b, sizeof(b)), 5);	/* the echo, then x */
	CHECK(!memcmp(b, "in\r\nx", 5));
}

TEST(max_is_the_number_that_fit)
{
	instance("max=2,ptmxmode=0666");
	int a = open("dev/ptmx", O_RDWR), b = open("dev/ptmx", O_RDWR);
	CHECK(a >= 0 && b >= 0);
	CHECK_ERR(open("dev/ptmx", O_RDWR), ENOSPC);
	close(a);
	CHECK((a = open("dev/ptmx", O_RDWR)) >= 0);
	CHECK_EQ(number(a), 0);
	leave();
}

TEST(options)
{
	char all[65536];
	instance("uid=7,gid=5,mode=0640,ptmxmode=0622,max=9");
	CHECK(read_file("/proc/self/mounts", all, sizeof(all)) > 0);
	CHECK(strstr(all, " devpts rw,relatime,uid=7,gid=5,mode=640,ptmxmode=622,max=9 0 0"));
	int m = open("dev/ptmx", O_RDWR | O_NOCTTY);
	struct stat st;
	CHECK(m >= 0 && stat("dev/pts/0", &st) == 0);
	CHECK(st.st_uid == 7 && st.st_gid == 5 && (st.st_mode & 07777) == 0640);
	leave();
	CHECK_ERR(mount("devpts", "dev/pts", "devpts", 0, "nonsense=1"), EINVAL);
	CHECK_ERR(mount("devpts", "dev/pts", "devpts", 0, "mode=9"), EINVAL);
	CHECK_ERR(mount("devpts", "dev/pts", "devpts", 0, "max=1048577"), EINVAL);
	CHECK_EQ(mount("devpts", "dev/pts", "devpts", 0, NULL), 0);
	CHECK(stat("dev/pts/ptmx", &st) == 0 && (st.st_mode & 07777) == 0);
	CHECK_EQ(mount("devpts", "dev/pts", "devpts", MS_REMOUNT, "ptmxmode=0600"), 0);
	CHECK(stat("dev/pts/ptmx", &st) == 0 && (st.st_mode & 07777) == 0600);
	leave();
}

TEST(a_multiplexer_without_an_instance_beside_it)
{
	if (geteuid()) SKIP("needs root");
	scratch();
	CHECK(mknod("ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0 && mknod("slave", S_IFCHR | 0666, makedev(136, 0)) == 0);
	CHECK_ERR(open("ptmx", O_RDWR), ENOENT);
	CHECK(mkdir("pts", 0755) == 0);
	CHECK_ERR(open("ptmx", O_RDWR), ENODEV);
	CHECK_ERR(open("slave", O_RDWR), EIO);	/* a slave's node counts in devpts alone */
}

TEST(the_peer_is_had_without_its_name)
{
	instance("ptmxmode=0666");
	int m = open("dev/ptmx", O_RDWR | O_NOCTTY), s;
	char path[64], link[256] = "";
	number(m);
	CHECK_EQ(chmod("dev/pts/0", 0), 0);
	if (!fork()) {			/* nor rights on it */
		CHECK(setuid(1000) == 0);
		s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		CHECK(s >= 0 && isatty(s) && (fcntl(s, F_GETFD) & FD_CLOEXEC));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", s);
		CHECK(readlink(path, link, sizeof(link) - 1) > 0 && strstr(link, "/dev/pts/0"));
		CHECK_EQ(write(s, "y", 1), 1);
		_exit(0);
	}
	CHECK(EXITED(wait_status(-1), 0));
	CHECK(read(m, link, 1) == 1 && link[0] == 'y');
	leave();
	CHECK_ERR(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY), ENODEV);
}

/* --- packet mode --- */

static int master, slave;
static void packets(void)
{
	char name[32];
	int on = 1;
	CHECK((master = open("/dev/ptmx", O_RDWR | O_NOCTTY)) >= 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", number(master));
	CHECK((slave = open(name, O_RDWR | O_NOCTTY)) >= 0);
	CHECK_EQ(ioctl(master, TIOCPKT, &on), 0);
	on = 0;
	CHECK(ioctl(master, TIOCGPKT, &on) == 0 && on == 1);
}

static short events(void)
{
	struct pollfd p = { .fd = master, .events = POLLIN | POLLPRI };
	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents & (POLLIN | POLLPRI);
}

TEST(data_packets_begin_with_zero)
{
	char b[16];
	packets();
	CHECK_EQ(events(), 0);
	CHECK_EQ(write(slave, "abc", 3), 3);
	CHECK_EQ(events(), POLLIN);
	CHECK_EQ(read(master, b, sizeof(b)), 4);
	CHECK(!memcmp(b, "\0abc", 4));
	CHECK_EQ(write(slave, "defg", 4), 4);
	CHECK_EQ(read(master, b, 3), 3);
	CHECK(!memcmp(b, "\0de", 3));
	CHECK_EQ(read(master, b, sizeof(b)), 3);
	CHECK(!memcmp(b, "\0fg", 3));
	int off = 0;
	CHECK_EQ(ioctl(master, TIOCPKT, &off), 0);
	CHECK_EQ(write(slave, "h", 1), 1);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == 'h');
}

TEST(flushes_are_told)
{
	char b[16];
	packets();
	CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
	CHECK_EQ(events(), POLLIN | POLLPRI);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_FLUSHREAD);
	CHECK_EQ(events(), 0);
	CHECK_EQ(tcflush(slave, TCOFLUSH), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_FLUSHWRITE);
	CHECK_EQ(tcflush(slave, TCIOFLUSH), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE));
}

TEST(stopping_and_starting_are_told)
{
	char b[16];
	packets();
	CHECK_EQ(tcflow(slave, TCOOFF), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_STOP);
	CHECK_EQ(tcflow(slave, TCOON), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_START);
}

TEST(who_handles_stop_keys_is_told)
{
	struct termios t;
	char b[16];
	packets();
	CHECK_EQ(tcgetattr(slave, &t), 0);
	t.c_iflag &= ~(tcflag_t)IXON;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_NOSTOP);
	t.c_iflag |= IXON;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_DOSTOP);
	t.c_lflag &= ~(tcflag_t)ECHO;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK_EQ(events(), 0);
}

TEST(settings_are_told_under_extproc)
{
	struct termios t;
	char b[16];
	packets();
	CHECK_EQ(tcgetattr(slave, &t), 0);
	t.c_lflag |= EXTPROC;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_IOCTL);
	t.c_lflag &= ~(tcflag_t)ECHO;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK(read(master, b, sizeof(b)) == 1 && b[0] == TIOCPKT_IOCTL);
	t.c_lflag &= ~(tcflag_t)EXTPROC;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK_EQ(events(), POLLIN | POLLPRI);
}
