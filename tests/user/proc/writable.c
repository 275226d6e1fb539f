/* Whom the files under /proc and /sys let write: an ordinary user opens each of them for writing, and only those of the table may open.  The user's own
 * process is not looked at, others' are.  On Linux the same table holds. */
#include "../tap.h"
#include <dirent.h>
#include <ftw.h>
#include <grp.h>

/* What Linux gives to everybody.  "*": any characters but a slash. */
static const char *const open_to_all[] = { "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory", "/proc/sys/kernel/ns_last_pid", "/proc/*/timerslack_ns",
	"/proc/*/task/*/timerslack_ns", "/proc/*/attr/*", "/proc/*/attr/apparmor/*", "/proc/*/task/*/attr/*", "/proc/*/task/*/attr/apparmor/*" };

static bool like(const char *pattern, const char *s)
{
	if (*pattern == '*') {
		for (;; s++) {
			if (like(pattern + 1, s))
				return true;
			if (!*s || *s == '/')
				return false;
		}
	}
	return *pattern == *s && (!*s || like(pattern + 1, s + 1));
}

static unsigned files, wrong;

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;
	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	files++;
	fd = open(path, O_WRONLY | O_NONBLOCK);
	if (fd < 0)
		return 0;
	close(fd);
	for (unsigned i = 0; i < sizeof(open_to_all) / sizeof(*open_to_all); i++)
		if (like(open_to_all[i], path))
			return 0;
	printf("# %s opens for writing\n", path);
	wrong++;
	return 0;
}

static void ordinary(void)
{
	if (geteuid()) SKIP("needs root");
	CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
}

static void walk(const char *top) { nftw(top, look, 16, FTW_PHYS); }

TEST(of_the_system)
{
	char path[300];
	struct dirent *e;
	ordinary();
	DIR *d = opendir("/proc");
	CHECK(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || (e->d_name[0] >= '0' && e->d_name[0] <= '9') || !strcmp(e->d_name, "self") || !strcmp(e->d_name, "thread-self"))
			continue;
		snprintf(path, sizeof(path), "/proc/%s", e->d_name);
		walk(path);
	}
	closedir(d);
	CHECK(files > 30);
	CHECK_EQ(wrong, 0);
}

TEST(of_roots_process)
{
	ordinary();
	walk("/proc/1");
	CHECK(files > 10);
	CHECK_EQ(wrong, 0);
}

TEST(of_another_users_process)
{
	char path[32];
	pid_t pid = fork();
	if (!pid) {
		CHECK(setgid(1001) == 0 && setuid(1001) == 0);
		execl("/proc/self/exe", "writable", "sleeps_for_another", (char *)NULL);
		_exit(1);
	}
	CHECK(wait_state(pid, 'S'));
	ordinary();
	snprintf(path, sizeof(path), "/proc/%d", pid);
	walk(path);
	CHECK_EQ(wrong, 0);
	CHECK_ERR(kill(pid, SIGKILL), EPERM);
}

TEST(sleeps_for_another)
{
	if (getuid() != 1001) SKIP("the test before runs this");
	for (;;)
		pause();
}

TEST(of_devices)
{
	ordinary();
	walk("/sys");
	CHECK(files > 30);
	CHECK_EQ(wrong, 0);
}
