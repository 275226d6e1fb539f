/* Every file of /proc and /sys, and each device, read by two processes that share the position: the kernel holds the position's lock then. */
#define TAP_TIMEOUT 120
#include "tap.h"
#include <dirent.h>

static int files;

static void read_shared(const char *path)
{
	static char buf[8192];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) return;
	int other = dup(fd);			/* a second reference does as well as a second process */
	for (int i = 0; i < 20 && read(fd, buf, sizeof(buf)) > 0; i++)
		;
	lseek(other, 0, SEEK_SET);
	read(other, buf, 1);
	close(fd);
	close(other);
	files++;
}

static void walk(const char *dir, int depth)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int other = d ? dup(dirfd(d)) : -1;
	if (!d) return;
	while ((de = readdir(d))) {
		char path[512];
		struct stat st;
		if (de->d_name[0] == '.' || (depth == 0 && atoi(de->d_name) > 1)) continue;
		snprintf(path, sizeof(path), "%.250s/%.250s", dir, de->d_name);
		if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode)) continue;
		if (S_ISDIR(st.st_mode)) {
			if (depth < 6 && strcmp(de->d_name, "task")) walk(path, depth + 1);
		} else
			read_shared(path);
	}
	close(other);
	closedir(d);
}

TEST(proc)
{
	walk("/proc", 0);
	walk("/proc/self", 1);
	read_shared("/proc/self/task/1/stat");
	CHECK(files > 30);
}
TEST(sys) { walk("/sys", 1); }
TEST(dev)
{
	signal(SIGTTIN, SIG_IGN);
	walk("/dev", 1);
	CHECK(files > 4);
}
