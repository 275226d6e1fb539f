/* /sys: directories of devices, links, attributes, uevent files, as programs like mdev, lscpu and udev read them.  sysfs(5). */
#include <tap.h>
#include <dirent.h>
#include <linux/magic.h>

static char buf[8192];

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n;
}

static bool text_is(const char *path, const char *text) { return slurp(path) >= 0 && !strcmp(buf, text); }

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), e;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	e = errno;
	close(fd);
	errno = e;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static bool link_is(const char *path, const char *target)
{
	ssize_t n = readlink(path, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = 0;
	return n >= 0 && !strcmp(buf, target);
}

TEST(superblock)
{
	struct statfs s;
	struct stat st;

	CHECK(!statfs("/sys", &s) && s.f_type == SYSFS_MAGIC);
	CHECK(!stat("/sys", &st) && st.st_mode == (S_IFDIR | 0555) && st.st_ino == 1);
	for (const char *const *d = (const char *const[]){ "block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", NULL }; *d; d++) {
		snprintf(buf, sizeof(buf), "/sys/%s", *d);
		CHECK(!stat(buf, &st) && st.st_mode == (S_IFDIR | 0755));
	}
}

TEST(a_device)
{
	struct stat st;

	CHECK(link_is("/sys/class/mem/null", "../../devices/virtual/mem/null"));
	CHECK(link_is("/sys/dev/char/1:3", "../../devices/virtual/mem/null"));
	CHECK(link_is("/sys/class/mem/null/subsystem", "../../../../class/mem"));
	CHECK(text_is("/sys/class/mem/null/dev", "1:3\n"));
	CHECK(text_is("/sys/class/mem/null/uevent", "MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666\n"));
	CHECK(!stat("/sys/class/mem/null/dev", &st) && st.st_mode == (S_IFREG | 0444) && st.st_size == getpagesize());
	CHECK(!stat("/sys/class/mem/null/uevent", &st) && st.st_mode == (S_IFREG | 0644));
	CHECK(!lstat("/sys/class/mem/null", &st) && st.st_mode == (S_IFLNK | 0777));
	CHECK_ERR(readlink("/sys/class/mem/null/device", buf, sizeof(buf)), ENOENT);
	CHECK_ERR(open("/sys/class/mem/nothing", O_RDONLY), ENOENT);
	CHECK_ERR(open("/sys/dev/char/1:99", O_RDONLY), ENOENT);
}

TEST(a_terminal_behind_a_controller)
{
	CHECK(readlink("/sys/class/tty/ttyAMA0", buf, sizeof(buf)) > 0);
	CHECK(!memcmp(buf, "../../devices/platform/", 23));
	CHECK(text_is("/sys/class/tty/ttyAMA0/dev", "204:64\n"));
	CHECK(text_is("/sys/class/tty/console/active", "ttyAMA0\n"));
	CHECK(text_is("/sys/dev/char/5:1/dev", "5:1\n"));
}

TEST(reading_in_pieces)
{
	char a, all[64];
	int fd = open("/sys/class/mem/null/uevent", O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0 && (n = read(fd, all, sizeof(all))) > 20);
	CHECK_EQ(read(fd, &a, 1), 0);
	for (ssize_t i = 0; i < n; i++) {
		CHECK_EQ(pread(fd, &a, 1, i), 1);
		CHECK_EQ(a, all[i]);
	}
	CHECK_EQ(lseek(fd, 6, SEEK_SET), 6);
	CHECK_EQ(read(fd, buf, 1), 1);
	CHECK_EQ(buf[0], '1');
	CHECK_EQ(pread(fd, &a, 1, 10000), 0);
}

TEST(modes_bind_root)
{
	CHECK_ERR(open("/sys/class/mem/null/dev", O_WRONLY), EACCES);
	CHECK_ERR(open("/sys/class/mem/null/dev", O_RDWR), EACCES);
	CHECK_ERR(open("/sys/bus/platform/drivers_probe", O_RDONLY), EACCES);
	CHECK_ERR(open("/sys/kernel/newfile", O_WRONLY | O_CREAT, 0644), EACCES);
	CHECK_ERR(mkdir("/sys/kernel/newdir", 0755), EPERM);
	CHECK_ERR(unlink("/sys/class/mem/null/dev"), EPERM);
	CHECK_ERR(symlink("x", "/sys/kernel/x"), EPERM);
	CHECK_ERR(rename("/sys/class/mem/null/dev", "/sys/class/mem/null/dev2"), EPERM);
}

TEST(uevents_asked_for)
{
	long before;

	CHECK(slurp("/sys/kernel/uevent_seqnum") > 0);
	before = atol(buf);
	CHECK(!put("/sys/class/mem/null/uevent", "add"));
	CHECK(!put("/sys/class/mem/null/uevent", "change\n"));
	CHECK(!put("/sys/class/mem/null/uevent", "change 01234567-89ab-cdef-0123-456789abcdef A=1 BC=x2\n"));
	CHECK(slurp("/sys/kernel/uevent_seqnum") > 0 && atol(buf) >= before + 3);
	CHECK_ERR(put("/sys/class/mem/null/uevent", "nonsense"), EINVAL);
	CHECK_ERR(put("/sys/class/mem/null/uevent", "add x"), EINVAL);
	CHECK_ERR(put("/sys/class/mem/null/uevent", "add 01234567-89ab-cdef-0123-456789abcdef A"), EINVAL);
	CHECK_ERR(put("/sys/class/mem/null/uevent", "add 01234567-89ab-cdef-0123-456789abcdef A=-"), EINVAL);
}

TEST(truncation_changes_nothing)
{
	struct stat st;
	int fd = open("/sys/class/mem/null/uevent", O_WRONLY | O_TRUNC);

	CHECK(fd >= 0);
	CHECK(!fstat(fd, &st) && st.st_size == getpagesize());
	CHECK_EQ(write(fd, "add", 3), 3);
	CHECK_EQ(write(fd, "", 0), 0);
}

/* Names in a directory: each once, whatever the size of the buffer. */
TEST(directories)
{
	static const char *const names[] = { "full", "kmsg", "null", "random", "urandom", "zero" };
	u_int8_t seen[6] = { 0 };
	char small[64];
	int fd = open("/sys/class/mem", O_RDONLY | O_DIRECTORY);
	long n;

	CHECK(fd >= 0);
	while ((n = syscall(SYS_getdents64, fd, small, sizeof(small))) > 0)
		for (long at = 0; at < n; at += *(unsigned short *)(small + at + 16))
			for (int i = 0; i < 6; i++)
				if (!strcmp(small + at + 19, names[i])) {
					CHECK_EQ(small[at + 18], DT_LNK);
					seen[i]++;
				}
	CHECK_EQ(n, 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(seen[i], 1);
}

/* Directories count those in them; the position in one can be gone back to. */
TEST(counts_and_positions)
{
	DIR *d = opendir("/sys/devices/system/cpu");
	struct dirent *e, *again;
	unsigned dirs = 0;
	struct stat st;
	char name[256];
	long at = 0;

	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			dirs++;
		if (!strcmp(e->d_name, "cpu0"))
			at = telldir(d);
	}
	CHECK(!stat("/sys/devices/system/cpu", &st));
	CHECK_EQ(st.st_nlink, dirs + 2);
	CHECK(at);
	seekdir(d, at);
	e = readdir(d);
	if (e)
		strcpy(name, e->d_name);
	seekdir(d, at);
	again = readdir(d);
	CHECK(!e == !again && (!e || !strcmp(name, again->d_name)));
}

TEST(cpus)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	char range[32];

	if (n == 1)
		strcpy(range, "0\n");
	else
		snprintf(range, sizeof(range), "0-%ld\n", n - 1);
	CHECK(text_is("/sys/devices/system/cpu/online", range));
	CHECK(text_is("/sys/devices/system/cpu/possible", range));
	CHECK(text_is("/sys/devices/system/cpu/present", range));
	CHECK(slurp("/sys/devices/system/cpu/kernel_max") > 0 && atol(buf) >= n - 1);
	CHECK(text_is("/sys/devices/system/cpu/cpu0/topology/core_id", "0\n"));
	CHECK(text_is("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"));
	CHECK(link_is("/sys/bus/cpu/devices/cpu0", "../../../devices/system/cpu/cpu0"));
	CHECK(link_is("/sys/devices/system/cpu/cpu0/subsystem", "../../../../bus/cpu"));
}

TEST(walking_through_links)
{
	char cwd[256];

	CHECK(!chdir("/sys/class/mem/null/subsystem/zero"));
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/sys/devices/virtual/mem/zero"));
	CHECK(text_is("dev", "1:5\n"));
	CHECK(text_is("../null/dev", "1:3\n"));
	CHECK(text_is("../../../../class/mem/full/dev", "1:7\n"));
}

/* This program as the helper: it writes down what it was given. */
extern char **environ;
__attribute__((constructor)) static void as_helper(void)
{
	FILE *out;
	char cwd[64], *arg;

	if (!getenv("SEQNUM"))
		return;
	out = fopen("/tmp/hotplug.tmp", "w");
	if (!out || slurp("/proc/self/cmdline") < 0 || !getcwd(cwd, sizeof(cwd)))
		_exit(1);
	arg = buf + strlen(buf) + 1;
	fprintf(out, "arg %s\n%s\n", arg, cwd);
	for (char **e = environ; *e; e++)
		fprintf(out, "%s\n", *e);
	fclose(out);
	rename("/tmp/hotplug.tmp", "/tmp/hotplug.out");
	_exit(0);
}

/* The helper named in /proc/sys/kernel/hotplug: its argument, its environment, its directory. */
TEST(helper)
{
	char self[256], line[260];

	if (access("/proc/sys/kernel/hotplug", F_OK))
		SKIP("this kernel runs no helper");
	memset(self, 0, sizeof(self));
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	unlink("/tmp/hotplug.out");
	CHECK(!put("/proc/sys/kernel/hotplug", self));
	snprintf(line, sizeof(line), "%s\n", self);
	CHECK(text_is("/proc/sys/kernel/hotplug", line));
	CHECK(!put("/sys/class/mem/zero/uevent", "change"));
	while (access("/tmp/hotplug.out", F_OK))
		usleep(10000);
	CHECK(!put("/proc/sys/kernel/hotplug", "\n"));
	CHECK(slurp("/tmp/hotplug.out") > 0);
	CHECK(strstr(buf, "arg mem\n/\n"));
	CHECK(strstr(buf, "ACTION=change\n") && strstr(buf, "DEVPATH=/devices/virtual/mem/zero\n") && strstr(buf, "SUBSYSTEM=mem\n"));
	CHECK(strstr(buf, "MAJOR=1\n") && strstr(buf, "MINOR=5\n") && strstr(buf, "DEVNAME=zero\n") && strstr(buf, "SEQNUM="));
	CHECK(strstr(buf, "HOME=/\n") && strstr(buf, "PATH=/sbin:/bin:/usr/sbin:/usr/bin\n"));
}

/* It leaves nothing behind, and one that cannot be run does no harm. */
TEST(helpers_that_fail)
{
	if (access("/proc/sys/kernel/hotplug", F_OK))
		SKIP("this kernel runs no helper");
	CHECK(!put("/proc/sys/kernel/hotplug", "/no/such/program"));
	for (int i = 0; i < 50; i++)
		CHECK(!put("/sys/class/mem/zero/uevent", "change"));
	CHECK(!put("/proc/sys/kernel/hotplug", "\n"));
}
