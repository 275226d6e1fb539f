/* FIFREEZE and FITHAW: who changes something waits, the disk says that it was cleanly left, and who reads does not notice. */
#include "ext2.h"
#include <linux/fs.h>
#include <sys/mman.h>

static int root_fd;

static void need(void)
{
	have_volume("");
	root_fd = open(".", O_RDONLY);
	CHECK(root_fd >= 0);
}
static void finish(void) { close(root_fd); done(); }

static unsigned state(void)
{
	uint16_t s;
	int fd = open(VOLUME, O_RDONLY | O_DIRECT);
	static char b[4096] __attribute__((aligned(4096)));
	CHECK(fd >= 0 && pread(fd, b, 4096, 0) == 4096 && close(fd) == 0);
	memcpy(&s, b + 1024 + 58, 2);
	return s;
}

/* fn in a child, which must be blocked while the volume is frozen, and then end with 0. */
static void waits_for_thaw(void (*fn)(void))
{
	CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) { fn(); _exit(0); }
	CHECK(wait_state(pid, 'D'));
	CHECK(ioctl(root_fd, FITHAW, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(errors)
{
	need();
	CHECK_ERR(ioctl(root_fd, FITHAW, 0), EINVAL);
	CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
	CHECK_ERR(ioctl(root_fd, FIFREEZE, 0), EBUSY);
	CHECK_ERR(mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK(ioctl(root_fd, FITHAW, 0) == 0);
	CHECK_ERR(ioctl(root_fd, FITHAW, 0), EINVAL);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setuid(1000) == 0);
		CHECK_ERR(ioctl(root_fd, FIFREEZE, 0), EPERM);
		CHECK_ERR(ioctl(root_fd, FITHAW, 0), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	int proc = open("/proc", O_RDONLY);
	CHECK_ERR(ioctl(proc, FIFREEZE, 0), EOPNOTSUPP);
	finish();
}

TEST(reading_goes_on_and_the_disk_is_clean)
{
	char b[8];

	need();
	write_file("f", "12345");
	CHECK(state() == 0 || !on_sarsen());
	CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
	if (on_sarsen()) CHECK_EQ(state() & 1, 1);	/* deviates: ext4's driver leaves that to a journal */
	int fd = open("f", O_RDONLY);
	CHECK(fd >= 0 && read(fd, b, 8) == 5 && !memcmp(b, "12345", 5));
	struct stat st;
	CHECK(stat("f", &st) == 0 && access("f", R_OK) == 0);
	CHECK(close(fd) == 0);
	sync();
	CHECK(ioctl(root_fd, FITHAW, 0) == 0);
	CHECK(state() == 0 || !on_sarsen());
	write_file("g", "x");
	finish();
}

static int opened;
static char *mapped;
static void makes(void) { CHECK(mkdir("made", 0700) == 0); }
static void writes(void) { CHECK(write(opened, "x", 1) == 1); }
static void truncates(void) { CHECK(ftruncate(opened, 3) == 0); }
static void changes_mode(void) { CHECK(chmod("f", 0600) == 0); }
static void removes(void) { CHECK(unlink("f") == 0); }
static void opens(void) { CHECK(open("f", O_WRONLY | O_TRUNC) >= 0); }
static void touches(void) { mapped[0] = 'y'; }

TEST(changes_wait)
{
	need();
	write_file("f", "12345");
	opened = open("f", O_RDWR);
	CHECK(opened >= 0);
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
	CHECK(mapped != MAP_FAILED && mapped[1] == '2');
	waits_for_thaw(makes);
	CHECK(access("made", F_OK) == 0);
	waits_for_thaw(writes);
	waits_for_thaw(changes_mode);
	mapped[0] = 'z';		/* writable before it is frozen: it must not be afterwards */
	waits_for_thaw(touches);
	CHECK(mapped[0] == 'y');
	waits_for_thaw(truncates);
	waits_for_thaw(opens);
	waits_for_thaw(removes);
	CHECK_ERR(access("f", F_OK), ENOENT);
	CHECK(munmap(mapped, 4096) == 0 && close(opened) == 0);
	finish();
}

/* A write whose buffer is a page of the same file, while others freeze and thaw. */
TEST(freeze_under_load)
{
	need();
	fflush(stdout);
	pid_t pids[3];
	for (int n = 0; n < 3; n++)
		if ((pids[n] = fork()) == 0) {
			char name[16];
			snprintf(name, sizeof(name), "w%d", n);
			int fd = open(name, O_RDWR | O_CREAT, 0600);
			CHECK(ftruncate(fd, 65536) == 0);
			char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			for (unsigned k = 0;; k++) {
				m[k * 4096 % 65536] = (char)k;
				CHECK(pwrite(fd, m + k * 512 % 32768, 4096, 32768 + k * 512 % 16384) == 4096);
				CHECK(mkdir("x", 0700) == 0 || errno == EEXIST);
				CHECK(rmdir("x") == 0 || errno == ENOENT);
			}
		}
	for (int turn = 0; turn < 20; turn++) {
		CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
		if (on_sarsen()) CHECK_EQ(state() & 1, 1);
		sleep_ms(2);
		CHECK(ioctl(root_fd, FITHAW, 0) == 0);
		sleep_ms(5);
	}
	for (int n = 0; n < 3; n++) {
		kill(pids[n], SIGKILL);
		CHECK(KILLED(wait_status(pids[n]), SIGKILL));
	}
	finish();
}

/* Unmounted while frozen: it stays as it is until somebody has mounted it again and thaws it. */
TEST(frozen_and_unmounted)
{
	need();
	write_file("f", "1");
	CHECK(ioctl(root_fd, FIFREEZE, 0) == 0);
	close(root_fd);
	detach();
	attach(0, "");
	CHECK(chdir(where) == 0 && chdir("test") == 0);
	root_fd = open(".", O_RDONLY);
	CHECK_ERR(ioctl(root_fd, FIFREEZE, 0), EBUSY);
	CHECK(ioctl(root_fd, FITHAW, 0) == 0);
	write_file("f", "2");
	finish();
}

/* Read-only from one moment to the next, under those who make and remove names: each call is either done or EROFS, and nothing changes later. */
TEST(read_only_under_writers)
{
	need();
	fflush(stdout);
	pid_t pids[3];
	for (int n = 0; n < 3; n++)
		if ((pids[n] = fork()) == 0) {
			char a[16], b[16];
			snprintf(a, sizeof(a), "a%d", n);
			snprintf(b, sizeof(b), "b%d", n);
			for (;;) {
				CHECK(mkdir(a, 0700) == 0 || errno == EROFS || errno == EEXIST);
				CHECK(rename(a, b) == 0 || errno == EROFS || errno == ENOENT);
				CHECK(chmod(b, 0755) == 0 || errno == EROFS || errno == ENOENT);
				int fd = open(b, O_TMPFILE | O_RDWR, 0600);
				CHECK(fd >= 0 || errno == EROFS || errno == ENOENT);
				if (fd >= 0) close(fd);
				CHECK(rmdir(b) == 0 || errno == EROFS || errno == ENOENT);
			}
		}
	int done_ro = 0;
	for (int turn = 0; turn < 200 && done_ro < 10; turn++) {
		sleep_ms(2);
		if (mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0) {
			CHECK(errno == EBUSY);		/* somebody had a file open */
			continue;
		}
		done_ro++;
		CHECK_EQ(state() & 1, 1);
		sleep_ms(3);
		CHECK_EQ(state() & 1, 1);
		CHECK(mount(NULL, where, NULL, MS_REMOUNT, NULL) == 0);
	}
	CHECK(done_ro > 0);
	for (int n = 0; n < 3; n++) {
		kill(pids[n], SIGKILL);
		CHECK(KILLED(wait_status(pids[n]), SIGKILL));
	}
	finish();
}
