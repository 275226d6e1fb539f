/* Reading directories, permissions, chroot, mounts. */
#include "tap.h"
#include <dirent.h>

TEST(readdir_sees_all_once)
{
	static char seen[2000];
	char name[32];
	struct dirent *de;
	int dots = 0;
	scratch();
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	DIR *d = opendir(".");
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.') { dots++; CHECK_EQ(de->d_type, DT_DIR); continue; }
		CHECK(de->d_type == DT_REG);
		seen[atoi(de->d_name + 1)]++;
	}
	CHECK_EQ(dots, 2);
	for (int i = 0; i < 2000; i++)
		CHECK_EQ(seen[i], 1);
	rewinddir(d);
	int n = 0;
	while (readdir(d)) n++;
	CHECK_EQ(n, 2002);
}

TEST(deleting_while_reading)
{
	char name[32];
	struct dirent *de;
	int n = 0;
	scratch();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	DIR *d = opendir(".");
	while ((de = readdir(d)))
		if (de->d_name[0] == 'f') {
			CHECK(unlink(de->d_name) == 0);
			n++;
		}
	CHECK_EQ(n, 1000);
	char cwd[256];
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(rmdir(cwd) == 0);
}

TEST(telldir_goes_back)
{
	scratch();
	for (int i = 0; i < 50; i++) {
		char n[16];
		snprintf(n, sizeof(n), "x%d", i);
		close(open(n, O_CREAT | O_WRONLY, 0600));
	}
	DIR *d = opendir(".");
	for (int i = 0; i < 20; i++) readdir(d);
	long at = telldir(d);
	struct dirent *de = readdir(d);
	char want[64];
	strcpy(want, de->d_name);
	while (readdir(d)) ;
	seekdir(d, at);
	CHECK(!strcmp(readdir(d)->d_name, want));
}

TEST(small_getdents_buffer)
{
	char b[16];
	int d = open("/dev", O_RDONLY);
	CHECK_ERR(syscall(SYS_getdents64, d, b, sizeof(b)), EINVAL);
}

static void as_user(void) { CHECK(setgid(1000) == 0 && setuid(1000) == 0); }

TEST(permissions_of_an_ordinary_user)
{
	scratch();
	write_file("secret", "x"); chmod("secret", 0600);
	write_file("public", "x"); chmod("public", 0644);
	write_file("open", "x"); chmod("open", 0666);
	write_file("group", "x"); chmod("group", 0640); chown("group", 0, 1000);
	write_file("mine", "x"); chmod("mine", 0); chown("mine", 1000, 0);
	mkdir("closed", 0700);
	write_file("closed/f", "x");
	mkdir("noread", 0711);
	write_file("noread/f", "x"); chmod("noread/f", 0644);
	mkdir("nosearch", 0744);
	write_file("nosearch/f", "x");
	mkdir("rodir", 0755);
	as_user();
	CHECK_ERR(open("secret", O_RDONLY), EACCES);
	CHECK(open("public", O_RDONLY) >= 0);
	CHECK_ERR(open("public", O_WRONLY), EACCES);
	CHECK_ERR(open("public", O_RDONLY | O_TRUNC), EACCES);
	CHECK(open("open", O_RDWR) >= 0);
	CHECK(open("group", O_RDONLY) >= 0);
	CHECK_ERR(open("mine", O_RDONLY), EACCES);
	CHECK(chmod("mine", 0600) == 0 && open("mine", O_RDWR) >= 0);
	CHECK_ERR(open("closed/f", O_RDONLY), EACCES);
	CHECK(open("noread/f", O_RDONLY) >= 0);
	CHECK_ERR(open("noread", O_RDONLY), EACCES);
	struct stat st;
	CHECK_ERR(stat("nosearch/f", &st), EACCES);
	CHECK_ERR(open("rodir/new", O_CREAT | O_RDWR, 0600), EACCES);
	CHECK_ERR(mkdir("rodir/d", 0700), EACCES);
	CHECK_ERR(chmod("public", 0666), EPERM);
	CHECK_ERR(chown("mine", 1001, -1), EPERM);
	CHECK(chown("mine", -1, 1000) == 0);
	CHECK_ERR(access("secret", R_OK), EACCES);
	CHECK(access("public", R_OK) == 0);
	CHECK_ERR(access("public", X_OK), EACCES);
	CHECK_ERR(mknod("n", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_ERR(chroot("."), EPERM);
	CHECK_ERR(mount("none", ".", "tmpfs", 0, ""), EPERM);
	CHECK_ERR(chdir("closed"), EACCES);
	CHECK_ERR(truncate("public", 0), EACCES);
}

TEST(sticky_directory)
{
	scratch();
	CHECK(mkdir("s", 0777) == 0 && chmod("s", 01777) == 0);
	write_file("s/roots", "x"); chmod("s/roots", 0666);
	write_file("s/mine", "x"); chown("s/mine", 1000, 1000);
	as_user();
	CHECK_ERR(unlink("s/roots"), EPERM);
	CHECK_ERR(rename("s/roots", "s/x"), EPERM);
	CHECK(unlink("s/mine") == 0);
}

TEST(access_uses_the_real_id)
{
	scratch();
	write_file("secret", "x"); chmod("secret", 0600);
	CHECK(setresuid(1000, 0, 0) == 0);
	CHECK_ERR(access("secret", R_OK), EACCES);
	CHECK(syscall(439, AT_FDCWD, "secret", R_OK, AT_EACCESS) == 0);
	CHECK(open("secret", O_RDONLY) >= 0);
}

TEST(root_overrides_but_not_execute)
{
	scratch();
	write_file("f", "x"); chmod("f", 0);
	CHECK(open("f", O_RDWR) >= 0);
	CHECK_ERR(access("f", X_OK), EACCES);
	CHECK(access("f", R_OK | W_OK) == 0);
	CHECK_ERR(execl("./f", "f", (char *)NULL), EACCES);
}

TEST(getcwd_and_chroot)
{
	char cwd[256], here[256];
	scratch();
	CHECK(getcwd(here, sizeof(here)));
	CHECK(mkdir("jail", 0755) == 0 && mkdir("jail/in", 0755) == 0);
	write_file("jail/in/f", "x");
	CHECK(chdir("jail/in") == 0 && getcwd(cwd, sizeof(cwd)) && strstr(cwd, "/jail/in"));
	CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)), strlen(cwd) + 1);
	CHECK_ERR(syscall(SYS_getcwd, cwd, strlen(cwd)), ERANGE);
	CHECK(chdir("..") == 0 && chroot(".") == 0 && chdir("/") == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"));
	CHECK(access("/in/f", F_OK) == 0);
	CHECK(access("/../../../in/f", F_OK) == 0);
	CHECK_ERR(access(here, F_OK), ENOENT);
	CHECK_ERR(chroot("/in/f"), ENOTDIR);
}

TEST(mounts)
{
	struct stat a, b;
	scratch();
	CHECK(mkdir("m", 0755) == 0);
	write_file("m/under", "x");
	CHECK(stat("m", &a) == 0);
	CHECK(mount("none", "m", "tmpfs", 0, "mode=700") == 0);
	CHECK(stat("m", &b) == 0 && a.st_dev != b.st_dev && (b.st_mode & 0777) == 0700);
	CHECK_ERR(access("m/under", F_OK), ENOENT);
	write_file("m/over", "y");
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/over", "over"), EXDEV);
	CHECK_ERR(link("m/over", "over"), EXDEV);
	CHECK(stat("m/..", &b) == 0 && b.st_dev == a.st_dev);
	int fd = open("m/over", O_RDONLY);
	CHECK_ERR(umount("m"), EBUSY);
	close(fd);
	CHECK(umount("m") == 0);
	CHECK(access("m/under", F_OK) == 0);
	CHECK_ERR(umount("m"), EINVAL);
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, ""), ENODEV);
	CHECK_ERR(mount("none", "none", "tmpfs", 0, ""), ENOENT);
	CHECK_ERR(mount("none", "m/under", "tmpfs", 0, ""), ENOTDIR);
}

TEST(bind_and_read_only)
{
	scratch();
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
	write_file("a/f", "x");
	CHECK(mount("a", "b", NULL, MS_BIND, NULL) == 0);
	CHECK(access("b/f", F_OK) == 0);
	write_file("b/g", "y");
	CHECK(access("a/g", F_OK) == 0);
	CHECK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
	CHECK_ERR(open("b/h", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERR(unlink("b/f"), EROFS);
	CHECK(open("a/h", O_CREAT | O_RDWR, 0600) >= 0);
	CHECK(umount2("b", MNT_DETACH) == 0);
	CHECK(mount("none", "b", "tmpfs", MS_RDONLY, NULL) == 0);
	CHECK_ERR(mkdir("b/x", 0700), EROFS);
	CHECK(mount(NULL, "b", NULL, MS_REMOUNT, NULL) == 0 && mkdir("b/x", 0700) == 0);
	CHECK(umount("b") == 0);
}

TEST(lazy_umount_keeps_open_files)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, NULL) == 0);
	int fd = open("m/f", O_RDWR | O_CREAT, 0600);
	CHECK(umount2("m", MNT_DETACH) == 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(access("m/f", F_OK), ENOENT);
}

TEST(noexec_and_nodev)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", MS_NOEXEC | MS_NODEV, NULL) == 0);
	write_file("m/s", "#!/bin/true\n"); chmod("m/s", 0755);
	CHECK_ERR(execl("m/s", "s", (char *)NULL), EACCES);
	CHECK(mknod("m/n", S_IFCHR | 0666, 0x103) == 0);
	CHECK_ERR(open("m/n", O_RDWR), EACCES);
	CHECK(umount("m") == 0);
}

TEST(deep_directories)
{
	scratch();
	for (int i = 0; i < 300; i++)
		CHECK(mkdir("deeper-and-deeper", 0755) == 0 && chdir("deeper-and-deeper") == 0);
	char cwd[8192];
	CHECK_ERR(syscall(SYS_getcwd, cwd, 8192), ENAMETOOLONG);
	for (int i = 0; i < 300; i++)
		CHECK(chdir("..") == 0 && rmdir("deeper-and-deeper") == 0);
}
