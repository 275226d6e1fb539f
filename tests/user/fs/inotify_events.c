/* inotify: which events the calls on files make, for the file and for its directory, in which order. */
#include "inotify.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static int fd;		/* watches . as 1 and f as 2, all events, if begin() was called */
static void begin(void)
{
	scratch();
	touch("f");
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, ".", IN_ALL_EVENTS), 1);
	CHECK_EQ(ev_watch(fd, "f", IN_ALL_EVENTS), 2);
}

TEST(open_read_write_close)
{
	char c;
	begin();
	int f = open("f", O_RDWR);
	SAYS(fd, "1:OPEN=f 2:OPEN");
	CHECK_EQ(read(f, &c, 1), 1);
	SAYS(fd, "1:ACCESS=f 2:ACCESS");
	CHECK_EQ(read(f, &c, 1), 0);		/* nothing read */
	SAYS(fd, "");
	CHECK_EQ(write(f, "y", 1), 1);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	CHECK_EQ(write(f, "", 0), 0);
	SAYS(fd, "");
	CHECK_EQ(pwrite(f, "yyy", 3, 0), 3);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	CHECK_EQ(pread(f, &c, 1, 0), 1);
	SAYS(fd, "1:ACCESS=f 2:ACCESS");
	struct iovec v = { &c, 1 };
	CHECK_EQ(writev(f, &v, 1), 1);
	CHECK_EQ(preadv(f, &v, 1, 0), 1);
	SAYS(fd, "1:MODIFY=f 2:MODIFY 1:ACCESS=f 2:ACCESS");
	close(f);
	SAYS(fd, "1:CLOSE_WRITE=f 2:CLOSE_WRITE");
	f = open("f", O_RDONLY);
	close(dup(f));
	SAYS(fd, "1:OPEN=f 2:OPEN");
	close(f);
	SAYS(fd, "1:CLOSE_NOWRITE=f 2:CLOSE_NOWRITE");
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	SAYS(fd, "");
}
TEST(a_mask_filters)
{
	begin();
	CHECK_EQ(ev_watch(fd, ".", IN_CLOSE_WRITE), 1);
	CHECK_EQ(ev_watch(fd, "f", IN_OPEN), 2);
	touch("f");
	SAYS(fd, "2:OPEN 1:CLOSE_WRITE=f");
}
TEST(truncation)
{
	begin();
	int f = open("f", O_WRONLY | O_TRUNC);
	SAYS(fd, "1:MODIFY=f 2:MODIFY 1:OPEN=f 2:OPEN");
	CHECK(ftruncate(f, 100) == 0);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	CHECK(truncate("f", 10) == 0);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	CHECK(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4) == 0 || errno == EOPNOTSUPP);
	if (!on_ext2())
		SAYS(fd, "1:MODIFY=f 2:MODIFY");
}
TEST(creating_by_open)
{
	begin();
	int f = open("new", O_CREAT | O_WRONLY, 0600);
	SAYS(fd, "1:CREATE=new 1:OPEN=new");
	close(f);
	SAYS(fd, "1:CLOSE_WRITE=new");
	f = open("new", O_CREAT | O_RDONLY, 0600);
	SAYS(fd, "1:OPEN=new");
	CHECK_ERR(open("new", O_CREAT | O_EXCL | O_RDONLY, 0600), EEXIST);
	SAYS(fd, "");
	f = open("trunc", O_CREAT | O_TRUNC | O_RDWR, 0600);
	SAYS(fd, "1:CREATE=trunc 1:OPEN=trunc");
}
TEST(attributes)
{
	struct timespec both[2] = { { 5, 0 }, { 6, 0 } }, at[2] = { { 7, 0 }, { 0, UTIME_OMIT } }, mt[2] = { { 0, UTIME_OMIT }, { 8, 0 } };
	begin();
	CHECK(chmod("f", 0640) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(chown("f", 1, 2) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(chown("f", -1, -1) == 0);
	SAYS(fd, "");
	CHECK(utimensat(AT_FDCWD, "f", both, 0) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(utimensat(AT_FDCWD, "f", NULL, 0) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(utimensat(AT_FDCWD, "f", at, 0) == 0);
	SAYS(fd, "1:ACCESS=f 2:ACCESS");
	CHECK(utimensat(AT_FDCWD, "f", mt, 0) == 0);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	int f = open("f", O_RDONLY);
	SAYS(fd, "1:OPEN=f 2:OPEN");
	CHECK(fchmod(f, 0600) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(fchown(f, 0, -1) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK(futimens(f, both) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
}
TEST(extended_attributes)
{
	begin();
	if (setxattr("f", "trusted.t", "v", 1, 0) < 0) {
		CHECK_EQ(errno, EOPNOTSUPP);
		SAYS(fd, "");
		SKIP("none here");
	}
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	char v[4];
	CHECK_EQ(getxattr("f", "trusted.t", v, 4), 1);
	CHECK(listxattr("f", NULL, 0) > 0);
	SAYS(fd, "");
	CHECK(removexattr("f", "trusted.t") == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");
	CHECK_ERR(removexattr("f", "trusted.t"), ENODATA);
	SAYS(fd, "");
}
TEST(looking_tells_nothing)
{
	struct stat st;
	char buf[100];
	begin();
	CHECK(symlink("f", "l") == 0);
	SAYS(fd, "1:CREATE=l");
	CHECK(stat("f", &st) == 0 && access("f", R_OK) == 0 && readlink("l", buf, 100) == 1);
	SAYS(fd, "");
}
TEST(directories)
{
	char buf[4096];
	begin();
	CHECK(mkdir("sub", 0755) == 0);
	SAYS(fd, "1:ISDIR|CREATE=sub");
	CHECK_EQ(ev_watch(fd, "sub", IN_ALL_EVENTS), 3);
	int d = open("sub", O_RDONLY | O_DIRECTORY);
	SAYS(fd, "1:ISDIR|OPEN=sub 3:ISDIR|OPEN");
	CHECK(syscall(SYS_getdents64, d, buf, sizeof(buf)) > 0);
	SAYS(fd, "1:ISDIR|ACCESS=sub 3:ISDIR|ACCESS");
	CHECK(syscall(SYS_getdents64, d, buf, sizeof(buf)) == 0);
	SAYS(fd, "1:ISDIR|ACCESS=sub 3:ISDIR|ACCESS");
	close(d);
	SAYS(fd, "1:ISDIR|CLOSE_NOWRITE=sub 3:ISDIR|CLOSE_NOWRITE");
	CHECK(chmod("sub", 0700) == 0);
	SAYS(fd, "1:ISDIR|ATTRIB=sub 3:ISDIR|ATTRIB");
	touch("sub/x");				/* children of children are not ours */
	SAYS(fd, "3:CREATE=x 3:OPEN=x 3:MODIFY=x 3:CLOSE_WRITE=x");
	close(open(".", O_RDONLY));
	SAYS(fd, "1:ISDIR|OPEN 1:ISDIR|CLOSE_NOWRITE");
}
TEST(special_files)
{
	begin();
	CHECK(mkfifo("p", 0600) == 0);
	CHECK(mknod("c", S_IFCHR | 0600, makedev(1, 3)) == 0);
	SAYS(fd, "1:CREATE=p 1:CREATE=c");
	int p = open("p", O_RDWR), c = open("c", O_WRONLY);
	char b;
	SAYS(fd, "1:OPEN=p 1:OPEN=c");
	CHECK(write(p, "x", 1) == 1 && read(p, &b, 1) == 1 && write(c, "x", 1) == 1);
	SAYS(fd, "");		/* a keyboard is read and written there too: that is nobody else's to time */
	struct timespec mt[2] = { { 0, UTIME_OMIT }, { 8, 0 } };
	CHECK(utimensat(AT_FDCWD, "p", mt, 0) == 0 && chmod("p", 0622) == 0);
	SAYS(fd, "1:MODIFY=p 1:ATTRIB=p");
	close(p);
	close(c);
	SAYS(fd, "1:CLOSE_WRITE=p 1:CLOSE_WRITE=c");
	struct sockaddr_un un = { AF_UNIX, "s" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(s, (void *)&un, sizeof(un)) == 0);
	SAYS(fd, "1:CREATE=s");
}
TEST(links)
{
	begin();
	CHECK(link("f", "g") == 0);
	SAYS(fd, "2:ATTRIB 1:CREATE=g");
	close(open("g", O_RDONLY));
	SAYS(fd, "1:OPEN=g 2:OPEN 1:CLOSE_NOWRITE=g 2:CLOSE_NOWRITE");
	CHECK(unlink("f") == 0);
	SAYS(fd, "2:ATTRIB 1:DELETE=f");
	CHECK(unlink("g") == 0);
	SAYS(fd, "2:ATTRIB 2:DELETE_SELF 2:IGNORED 1:DELETE=g");
}
TEST(a_link_in_another_directory_tells_only_that)
{
	begin();
	CHECK(mkdir("d", 0755) == 0 && link("f", "d/g") == 0);
	ev_watch(fd, "d", IN_OPEN);
	ev_said(fd);
	close(open("d/g", O_RDONLY));
	SAYS(fd, "3:OPEN=g 2:OPEN 2:CLOSE_NOWRITE");
}
TEST(executing)
{
	begin();
	CHECK(chmod("f", 0755) == 0);
	write_file("f", "#!/nothing\n");
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB 1:MODIFY=f 2:MODIFY 1:OPEN=f 2:OPEN 1:MODIFY=f 2:MODIFY 1:CLOSE_WRITE=f 2:CLOSE_WRITE");
	CHECK_ERR(execl("./f", "f", NULL), ENOENT);
	SAYS(fd, "1:OPEN=f 2:OPEN 1:ACCESS=f 2:ACCESS 1:CLOSE_NOWRITE=f 2:CLOSE_NOWRITE");
}
TEST(sendfile_and_copies)
{
	begin();
	touch("g");
	int f = open("f", O_RDONLY), g = open("g", O_RDWR);
	ev_said(fd);
	CHECK_EQ(sendfile(g, f, NULL, 1), 1);
	const char *s = ev_said(fd);
	CHECK(strstr(s, "1:MODIFY=g"));
	lseek(f, 0, SEEK_SET);
	CHECK_EQ(syscall(SYS_copy_file_range, f, NULL, g, NULL, 1, 0), 1);
	s = ev_said(fd);
	CHECK(strstr(s, "1:ACCESS=f 2:ACCESS") && strstr(s, "1:MODIFY=g"));
}
TEST(a_file_without_a_name)
{
	begin();
	int f = open(".", O_TMPFILE | O_RDWR, 0600);
	if (f < 0) SKIP("no O_TMPFILE");
	const char *s = ev_said(fd);
	CHECK(!strstr(s, "CREATE"));
	CHECK_EQ(ev_watch(fd, ".", IN_ALL_EVENTS | IN_EXCL_UNLINK), 1);
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "");
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
	SAYS(fd, "1:CREATE=named");
}
TEST(unlinked_but_open)
{
	begin();
	int f = open("f", O_RDWR);
	SAYS(fd, "1:OPEN=f 2:OPEN");
	CHECK(unlink("f") == 0);
	SAYS(fd, "2:ATTRIB 1:DELETE=f");
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "1:MODIFY=f 2:MODIFY");
	close(f);
	SAYS(fd, "1:CLOSE_WRITE=f 2:CLOSE_WRITE 2:DELETE_SELF 2:IGNORED");
}
TEST(unlinked_are_left_out_when_asked)
{
	begin();
	CHECK_EQ(ev_watch(fd, ".", IN_ALL_EVENTS | IN_EXCL_UNLINK), 1);
	int f = open("f", O_RDWR);
	SAYS(fd, "1:OPEN=f 2:OPEN");
	CHECK(unlink("f") == 0);
	SAYS(fd, "2:ATTRIB 1:DELETE=f");
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "2:MODIFY");
	CHECK(fchmod(f, 0644) == 0);
	SAYS(fd, "1:ATTRIB=f 2:ATTRIB");		/* not an event of a path */
	CHECK_EQ(ev_watch(fd, ".", IN_CREATE), 1);
	close(f);
	SAYS(fd, "2:CLOSE_WRITE 2:DELETE_SELF 2:IGNORED");
}
TEST(unlinked_self_is_left_out_too)
{
	begin();
	CHECK_EQ(ev_watch(fd, "f", IN_ALL_EVENTS | IN_EXCL_UNLINK), 2);
	int f = open("f", O_RDWR);
	CHECK(unlink("f") == 0);
	ev_said(fd);
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "1:MODIFY=f");
	close(f);
	SAYS(fd, "1:CLOSE_WRITE=f 2:DELETE_SELF 2:IGNORED");
}
TEST(once)
{
	begin();
	CHECK_EQ(ev_watch(fd, ".", IN_OPEN | IN_CLOSE | IN_ONESHOT), 1);
	CHECK_EQ(ev_watch(fd, "f", IN_CLOSE | IN_ONESHOT), 2);
	close(open("f", O_RDONLY));
	close(open("f", O_RDONLY));
	SAYS(fd, "1:OPEN=f 1:IGNORED 2:CLOSE_NOWRITE 2:IGNORED");
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK_EQ(ev_watch(fd, "f", IN_OPEN), 3);
}
TEST(set_id_bits_lost_by_a_write)
{
	begin();
	CHECK(chmod("f", 06777) == 0 && chmod(".", 0777) == 0);
	ev_said(fd);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
		int f = open("f", O_WRONLY);
		SAYS(fd, "1:OPEN=f 2:OPEN");
		CHECK_EQ(write(f, "y", 1), 1);
		SAYS(fd, "1:ATTRIB=f 2:ATTRIB 1:MODIFY=f 2:MODIFY");
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	struct stat st;
	CHECK(stat("f", &st) == 0 && (st.st_mode & 07777) == 0777);
}
TEST(mapping_tells_nothing)
{
	begin();
	int f = open("f", O_RDWR);
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	CHECK(m != MAP_FAILED);
	SAYS(fd, "1:OPEN=f 2:OPEN");
	m[0] = m[1] + 1;
	CHECK(msync(m, 4096, MS_SYNC) == 0);
	SAYS(fd, "");
	close(f);
	SAYS(fd, "");			/* the mapping has it open still */
	munmap(m, 4096);
	SAYS(fd, "1:CLOSE_WRITE=f 2:CLOSE_WRITE");
}
TEST(a_pipe_by_its_descriptor)
{
	int p[2];
	char path[64], c;
	fd = ev_init();
	CHECK(pipe(p) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	ev_watch(fd, path, IN_ALL_EVENTS);
	CHECK(write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1);
	close(p[1]);
	SAYS(fd, "1:MODIFY 1:ACCESS 1:CLOSE_WRITE");
	CHECK_EQ(inotify_rm_watch(fd, 1), 0);
	SAYS(fd, "1:IGNORED");
}
TEST(proc_and_dev)
{
	char buf[200];
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, "/proc/sys/kernel", IN_OPEN | IN_ACCESS | IN_MODIFY | IN_CLOSE), 1);
	CHECK_EQ(ev_watch(fd, "/proc/sys/kernel/ostype", IN_OPEN | IN_ACCESS | IN_CLOSE), 2);
	int f = open("/proc/sys/kernel/ostype", O_RDONLY);
	CHECK(f >= 0 && read(f, buf, sizeof(buf)) > 0);
	close(f);
	SAYS(fd, "1:OPEN=ostype 2:OPEN 1:ACCESS=ostype 2:ACCESS 1:CLOSE_NOWRITE=ostype 2:CLOSE_NOWRITE");
	int dev = ev_init();
	CHECK_EQ(ev_watch(dev, "/dev/full", IN_ALL_EVENTS), 1);
	f = open("/dev/full", O_RDWR);
	CHECK(f >= 0 && read(f, buf, 10) == 10);
	CHECK_ERR(write(f, "x", 1), ENOSPC);
	close(f);
	SAYS(dev, "1:OPEN 1:ACCESS 1:CLOSE_WRITE");
}
TEST(terminals_come_and_go)
{
	int dev, m, n;
	char want[100], path[40];
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "");
	dev = ev_init();
	if (inotify_add_watch(dev, "/dev/pts", IN_CREATE | IN_DELETE) < 0)
		SKIP("no devpts");
	m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(m >= 0 && ioctl(m, TIOCGPTN, &n) == 0);
	snprintf(want, sizeof(want), "1:CREATE=%d", n);
	SAYS(dev, want);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	CHECK_EQ(ev_watch(dev, path, IN_DELETE_SELF | IN_ATTRIB), 2);
	close(m);
	snprintf(want, sizeof(want), "1:DELETE=%d 2:DELETE_SELF 2:IGNORED", n);
	SAYS(dev, want);
}
