/* inotify: names that move and go, directories that go, file systems that go. */
#include "inotify.h"
#include <pthread.h>

static int fd;
static void begin(void)
{
	scratch();
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
	touch("a/f");
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, "a", IN_ALL_EVENTS), 1);
	CHECK_EQ(ev_watch(fd, "b", IN_ALL_EVENTS), 2);
	CHECK_EQ(ev_watch(fd, "a/f", IN_ALL_EVENTS), 3);
}

TEST(within_a_directory)
{
	begin();
	CHECK(rename("a/f", "a/g") == 0);
	SAYS(fd, "1:MOVED_FROM=f 1:MOVED_TO=g 3:MOVE_SELF");
	CHECK(ev_cookies[0] && ev_cookies[0] == ev_cookies[1] && !ev_cookies[2]);
	unsigned old = ev_cookies[0];
	CHECK(rename("a/g", "a/f") == 0);
	SAYS(fd, "1:MOVED_FROM=g 1:MOVED_TO=f 3:MOVE_SELF");
	CHECK(ev_cookies[0] != old && ev_cookies[0] == ev_cookies[1]);
	close(open("a/f", O_RDONLY));
	SAYS(fd, "1:OPEN=f 3:OPEN 1:CLOSE_NOWRITE=f 3:CLOSE_NOWRITE");
}
TEST(between_directories)
{
	begin();
	CHECK(rename("a/f", "b/g") == 0);
	SAYS(fd, "1:MOVED_FROM=f 2:MOVED_TO=g 3:MOVE_SELF");
	CHECK(ev_cookies[0] && ev_cookies[0] == ev_cookies[1]);
	close(open("b/g", O_RDONLY));
	SAYS(fd, "2:OPEN=g 3:OPEN 2:CLOSE_NOWRITE=g 3:CLOSE_NOWRITE");
	CHECK_EQ(ev_watch(fd, "a", IN_MOVED_FROM), 1);
	CHECK_EQ(ev_watch(fd, "b", IN_CREATE), 2);
	CHECK(rename("b/g", "a/f") == 0);
	SAYS(fd, "3:MOVE_SELF");
}
TEST(onto_another)
{
	begin();
	touch("b/old");
	CHECK_EQ(ev_watch(fd, "b/old", IN_ALL_EVENTS), 4);
	ev_said(fd);
	CHECK(rename("a/f", "b/old") == 0);
	SAYS(fd, "1:MOVED_FROM=f 2:MOVED_TO=old 4:ATTRIB 3:MOVE_SELF 4:DELETE_SELF 4:IGNORED");
}
TEST(onto_one_that_is_open)
{
	begin();
	touch("b/old");
	int f = open("b/old", O_RDONLY);
	CHECK_EQ(ev_watch(fd, "b/old", IN_ALL_EVENTS), 4);
	ev_said(fd);
	CHECK(rename("a/f", "b/old") == 0);
	SAYS(fd, "1:MOVED_FROM=f 2:MOVED_TO=old 4:ATTRIB 3:MOVE_SELF");
	close(f);
	SAYS(fd, "2:CLOSE_NOWRITE=old 4:CLOSE_NOWRITE 4:DELETE_SELF 4:IGNORED");
}
TEST(exchanged)
{
	begin();
	CHECK(mkdir("b/d", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "b/d", IN_ALL_EVENTS), 4);
	ev_said(fd);
	CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "a/f", AT_FDCWD, "b/d", 2), 0);
	SAYS(fd, "1:MOVED_FROM=f 2:MOVED_TO=d 3:MOVE_SELF 2:ISDIR|MOVED_FROM=d 1:ISDIR|MOVED_TO=f 4:MOVE_SELF");
	CHECK(ev_cookies[0] == ev_cookies[1] && ev_cookies[3] == ev_cookies[4] && ev_cookies[0] != ev_cookies[3]);
}
TEST(directories_move)
{
	begin();
	CHECK(mkdir("a/d", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "a/d", IN_ALL_EVENTS), 4);
	ev_said(fd);
	CHECK(rename("a/d", "b/e") == 0);
	SAYS(fd, "1:ISDIR|MOVED_FROM=d 2:ISDIR|MOVED_TO=e 4:MOVE_SELF");
	touch("b/e/x");
	SAYS(fd, "4:CREATE=x 4:OPEN=x 4:MODIFY=x 4:CLOSE_WRITE=x");
	CHECK(mkdir("b/empty", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "b/empty", IN_ALL_EVENTS), 5);
	ev_said(fd);
	CHECK(rename("b/e", "b/empty") == 0);
	SAYS(fd, "2:ISDIR|MOVED_FROM=e 2:ISDIR|MOVED_TO=empty 5:ISDIR|ATTRIB 4:MOVE_SELF 5:DELETE_SELF 5:IGNORED");
}
TEST(moves_that_fail_or_do_nothing)
{
	begin();
	CHECK_ERR(rename("a/none", "b/x"), ENOENT);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a/f", AT_FDCWD, "a/f", 1), EEXIST);
	CHECK(rename("a/f", "a/f") == 0);
	CHECK(link("a/f", "b/f") == 0);
	SAYS(fd, "3:ATTRIB 2:CREATE=f");
	CHECK(rename("a/f", "b/f") == 0);
	SAYS(fd, "");
}
TEST(deleting_files)
{
	begin();
	CHECK(unlink("a/f") == 0);
	SAYS(fd, "3:ATTRIB 3:DELETE_SELF 3:IGNORED 1:DELETE=f");
	CHECK_ERR(inotify_rm_watch(fd, 3), EINVAL);
	touch("a/f");
	CHECK_EQ(ev_watch(fd, "a/f", IN_OPEN), 4);
}
TEST(deleting_directories)
{
	begin();
	CHECK_ERR(rmdir("a"), ENOTEMPTY);
	CHECK(mkdir("b/d", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "b/d", IN_ALL_EVENTS), 4);
	ev_said(fd);
	CHECK(rmdir("b/d") == 0);
	SAYS(fd, "4:DELETE_SELF 4:IGNORED 2:ISDIR|DELETE=d");
	CHECK(rmdir("b") == 0);
	SAYS(fd, "2:DELETE_SELF 2:IGNORED");
}
TEST(a_directory_that_somebody_stands_in)
{
	begin();
	CHECK(mkdir("b/d", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "b/d", IN_ALL_EVENTS), 4);
	ev_said(fd);
	pid_t pid = fork();
	if (!pid) {
		CHECK(chdir("b/d") == 0 && rmdir("../d") == 0);
		SAYS(fd, "2:ISDIR|DELETE=d");
		CHECK_ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
		SAYS(fd, "");
		CHECK(chdir("/") == 0);
		SAYS(fd, "4:DELETE_SELF 4:IGNORED");
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
TEST(the_last_of_two_names)
{
	begin();
	CHECK(link("a/f", "b/g") == 0 && unlink("a/f") == 0);
	SAYS(fd, "3:ATTRIB 2:CREATE=g 3:ATTRIB 1:DELETE=f");
	int f = open("b/g", O_WRONLY);
	CHECK(unlink("b/g") == 0);
	SAYS(fd, "2:OPEN=g 3:OPEN 3:ATTRIB 2:DELETE=g");
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "2:MODIFY=g 3:MODIFY");
	close(f);
	SAYS(fd, "2:CLOSE_WRITE=g 3:CLOSE_WRITE 3:DELETE_SELF 3:IGNORED");
}
TEST(a_watch_keeps_no_file_system_busy)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0);
	if (mount("none", "m", "tmpfs", 0, "") < 0) SKIP("no mounts");
	touch("m/f");
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, "m/f", IN_OPEN), 1);
	CHECK(umount("m") == 0);
	SAYS(fd, "1:UNMOUNT 1:IGNORED");
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK(mount("none", "m", "tmpfs", 0, "") == 0);
	CHECK_EQ(ev_watch(fd, "m", IN_OPEN), 2);
	CHECK(mkdir("m/d", 0755) == 0);
	CHECK_EQ(ev_watch(fd, "m/d", IN_OPEN), 3);
	CHECK_EQ(inotify_rm_watch(fd, 3), 0);
	CHECK(umount("m") == 0);
	ev_said(fd);
	printf("# %s\n", ev_text);
	CHECK(strstr(ev_text, "3:IGNORED") == ev_text && strstr(ev_text, "2:IGNORED") && strstr(ev_text, "UNMOUNT") && !strstr(ev_text, "3:UNMOUNT"));
}
TEST(one_of_two_mounts_goes)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0 && mkdir("n", 0755) == 0);
	CHECK(mount("none", "m", "tmpfs", 0, "") == 0 && mount("m", "n", NULL, MS_BIND, NULL) == 0);
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, "m", IN_CREATE), 1);
	CHECK_EQ(ev_watch(fd, "n", IN_CREATE), 1);	/* the same directory */
	touch("n/f");
	SAYS(fd, "1:CREATE=f");
	CHECK(umount("m") == 0);
	SAYS(fd, "");
	CHECK(umount("n") == 0);
	ev_said(fd);
	CHECK(strstr(ev_text, "UNMOUNT") && strstr(ev_text, "1:IGNORED"));
}
TEST(a_mount_hides_the_directory_below)
{
	begin();
	CHECK(mount("none", "b", "tmpfs", 0, "") == 0);
	touch("b/f");
	SAYS(fd, "");
	CHECK(umount("b") == 0);
	touch("b/f");
	SAYS(fd, "2:CREATE=f 2:OPEN=f 2:MODIFY=f 2:CLOSE_WRITE=f");
}
TEST(an_open_file_after_a_lazy_unmount)
{
	scratch();
	CHECK(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "") == 0);
	touch("m/f");
	fd = ev_init();
	CHECK_EQ(ev_watch(fd, "m/f", IN_MODIFY), 1);
	int f = open("m/f", O_WRONLY);
	CHECK(umount2("m", MNT_DETACH) == 0);
	CHECK_EQ(write(f, "x", 1), 1);
	SAYS(fd, "1:MODIFY");
	close(f);
	SAYS(fd, "1:UNMOUNT 1:IGNORED");
}

/* Names come in the order of the changes, whoever makes them: played back, they give the directory as it is. */
static void *make_and_remove(void *arg)
{
	char a[40], b[40];
	unsigned seed = (unsigned)(long)arg;
	for (int i = 0; i < 400; i++) {
		sprintf(a, "d/%d", rand_r(&seed) % 8);
		sprintf(b, "d/%d", rand_r(&seed) % 8);
		switch (rand_r(&seed) % 3) {
		case 0: close(open(a, O_CREAT | O_RDWR, 0600)); break;
		case 1: unlink(a); break;
		case 2: rename(a, b); break;
		}
	}
	return NULL;
}
TEST(played_back_it_adds_up)
{
	static char buf[1 << 18] __attribute__((aligned(8)));
	pthread_t t[3];
	bool there[8] = { false };
	ssize_t n;
	scratch();
	CHECK(mkdir("d", 0755) == 0);
	fd = ev_init();
	ev_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MOVE);
	for (long i = 0; i < 3; i++) CHECK(pthread_create(&t[i], NULL, make_and_remove, (void *)(i + 1)) == 0);
	for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
	unsigned cookie = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n; p += EV_SIZE + ((struct inotify_event *)p)->len) {
			struct inotify_event *e = (void *)p;
			int k = atoi(e->name);
			if (e->mask == IN_CREATE) { CHECK(!there[k]); there[k] = true; }
			else if (e->mask == IN_DELETE) { CHECK(there[k]); there[k] = false; }
			else if (e->mask == IN_MOVED_FROM) { CHECK(there[k] && e->cookie != cookie); there[k] = false; cookie = e->cookie; }
			else if (e->mask == IN_MOVED_TO) { CHECK(e->cookie == cookie); there[k] = true; }
			else CHECK(0);
		}
	CHECK_EQ(errno, EAGAIN);
	for (int k = 0; k < 8; k++) {
		char name[20];
		sprintf(name, "d/%d", k);
		CHECK_EQ(access(name, F_OK) == 0, there[k]);
	}
}
