/* Types of propagation: who shares with whom, as mountinfo tells it. */
#include "mounts.h"

TEST(a_mount_is_made_shared_and_private)
{
	stage();
	dirs("a");
	CHECK(tmpfs("a") == 0);
	CHECK(private("a"));
	CHECK(type("a", MS_SHARED) == 0);
	int id = shared("a");
	CHECK(id > 0);
	CHECK(type("a", MS_SHARED) == 0);
	CHECK_EQ(shared("a"), id);		/* it was */
	CHECK(type("a", MS_PRIVATE) == 0);
	CHECK(private("a"));
	CHECK(type("a", MS_SLAVE) == 0);	/* of nobody */
	CHECK(private("a"));
	CHECK(type("a", MS_UNBINDABLE) == 0);
	CHECK(!strcmp(optional("a"), "unbindable") || !strcmp(optional("a"), "unbindable "));
	CHECK(type("a", MS_SLAVE) == 0);
	CHECK(strstr(optional("a"), "unbindable"));	/* it was a slave of nobody already */
	CHECK(type("a", MS_SHARED) == 0);
	CHECK(shared("a") && !strstr(optional("a"), "unbindable"));
	strike();
}

TEST(a_bind_of_a_shared_mount_is_its_peer)
{
	stage();
	dirs("a b c d");
	CHECK(tmpfs("a") == 0 && mkdir("a/sub", 0755) == 0 && type("a", MS_SHARED) == 0);
	CHECK(bind_to("a", "b") == 0 && bind_to("a/sub", "c") == 0);
	CHECK_EQ(shared("b"), shared("a"));
	CHECK_EQ(shared("c"), shared("a"));
	CHECK(tmpfs("d") == 0 && type("d", MS_SHARED) == 0);
	CHECK(shared("d") != shared("a"));
	CHECK(type("b", MS_PRIVATE) == 0);
	CHECK(private("b") && shared("a") == shared("c"));
	strike();
}

TEST(a_slave_receives_from_the_group_that_it_left)
{
	stage();
	dirs("a b c d");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && bind_to("a", "b") == 0);
	CHECK(type("b", MS_SLAVE) == 0);
	CHECK_EQ(shared("b"), 0);
	CHECK_EQ(master("b"), shared("a"));
	CHECK(bind_to("b", "c") == 0);			/* another slave */
	CHECK_EQ(master("c"), shared("a"));
	CHECK(type("c", MS_SHARED) == 0);		/* both */
	CHECK_EQ(master("c"), shared("a"));
	CHECK(shared("c") && shared("c") != shared("a"));
	CHECK(bind_to("c", "d") == 0);
	CHECK_EQ(shared("d"), shared("c"));
	CHECK_EQ(master("d"), shared("a"));
	CHECK(type("d", MS_SLAVE) == 0);
	CHECK_EQ(master("d"), shared("c"));
	CHECK(type("c", MS_SLAVE) == 0);		/* the last of its group: what received from it receives from its master */
	CHECK_EQ(master("c"), shared("a"));
	CHECK_EQ(master("d"), shared("a"));
	CHECK(type("d", MS_PRIVATE) == 0 && private("d"));
	CHECK(type("a", MS_PRIVATE) == 0);		/* and now there is no master */
	CHECK(private("a") && private("b") && private("c"));
	strike();
}

TEST(slaves_of_a_mount_that_goes)
{
	stage();
	dirs("a b c");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(type("b", MS_SHARED) == 0 && bind_to("b", "c") == 0 && type("c", MS_SLAVE) == 0);
	CHECK_EQ(master("c"), shared("b"));
	CHECK(umount("b") == 0);
	CHECK_EQ(master("c"), shared("a"));
	CHECK(umount("a") == 0);
	CHECK(private("c"));
	strike();
}

TEST(a_whole_tree_changes_its_type)
{
	stage();
	dirs("a");
	CHECK(tmpfs("a") == 0 && mkdir("a/b", 0755) == 0 && tmpfs("a/b") == 0 && mkdir("a/b/c", 0755) == 0 && tmpfs("a/b/c") == 0);
	CHECK(type("a", MS_SHARED) == 0);
	CHECK(shared("a") && private("a/b") && private("a/b/c"));
	CHECK(type("a/b", MS_SHARED | MS_REC) == 0);
	CHECK(shared("a/b") && shared("a/b/c") && shared("a/b") != shared("a/b/c") && shared("a/b") != shared("a"));
	CHECK(type("a", MS_PRIVATE | MS_REC | MS_SILENT) == 0);
	CHECK(private("a") && private("a/b") && private("a/b/c"));
	strike();
}

TEST(an_unbindable_mount_is_not_bound)
{
	stage();
	dirs("a b to");
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && mkdir("a/y", 0755) == 0);
	CHECK(tmpfs("a/x") == 0 && mkdir("a/x/below", 0755) == 0 && tmpfs("a/x/below") == 0 && tmpfs("a/y") == 0);
	CHECK(type("a/x", MS_UNBINDABLE) == 0);
	CHECK_ERR(bind_to("a/x", "to"), EINVAL);
	CHECK_ERR(rbind("a/x", "to"), EINVAL);
	CHECK(rbind("a", "to") == 0);
	CHECK(is_mount("to") && is_mount("to/y") && !is_mount("to/x") && !exists("to/x/below"));
	CHECK(umount2("to", MNT_DETACH) == 0);
	CHECK(move_to("a", "to") == 0 && strstr(optional("to/x"), "unbindable"));	/* but it moves */
	CHECK(type("b", MS_SHARED) != 0 && bind_to("b", "b") == 0 && type("b", MS_SHARED) == 0 && mkdir("b/in", 0755) == 0);
	CHECK_ERR(move_to("to", "b/in"), EINVAL);	/* though not to where it would be copied */
	strike();
}

TEST(what_is_refused)
{
	stage();
	dirs("a a/dir");
	CHECK_ERR(type("a", MS_SHARED), EINVAL);		/* no mount's root */
	CHECK(tmpfs("a") == 0 && mkdir("a/dir", 0755) == 0);
	CHECK_ERR(type("a/dir", MS_SHARED), EINVAL);
	CHECK_ERR(type("a", MS_SHARED | MS_PRIVATE), EINVAL);
	CHECK_ERR(type("a", MS_SLAVE | MS_UNBINDABLE), EINVAL);
	CHECK_ERR(type("a", MS_SHARED | MS_RDONLY), EINVAL);
	CHECK_ERR(type("a", MS_PRIVATE | MS_NOSUID), EINVAL);
	CHECK_ERR(type("none", MS_PRIVATE), ENOENT);
	CHECK_ERR(mount(NULL, (char *)8, NULL, MS_PRIVATE, NULL), EFAULT);
	CHECK(mount(NULL, "a", NULL, MS_SHARED, NULL) == 0 && shared("a"));
	CHECK(private("."));
	strike();
}

static void as_nobody(void)
{
	CHECK(setresuid(65534, 65534, 65534) == 0);
	CHECK_ERR(type("a", MS_SHARED), EPERM);
	CHECK_ERR(type("a", MS_SHARED | MS_PRIVATE), EPERM);
}
TEST(only_who_may_administer)
{
	stage();
	dirs("a");
	CHECK(tmpfs("a") == 0);
	CHECK(EXITED(in_child(as_nobody), 0));
	CHECK(private("a"));
	strike();
}

TEST(a_master_out_of_sight_is_told_by_the_next)
{
	stage();
	dirs("a in in/b in/c");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && bind_to("in", "in") == 0 && type("in", MS_PRIVATE) == 0);
	CHECK(bind_to("a", "in/b") == 0);			/* the peer that the root below can see */
	CHECK(bind_to("a", "in/c") == 0 && type("in/c", MS_SLAVE) == 0 && type("in/c", MS_SHARED) == 0);
	dirs("out in/d");
	CHECK(bind_to("in/c", "out") == 0 && bind_to("out", "in/d") == 0 && type("in/d", MS_SLAVE) == 0);
	CHECK(umount("in/c") == 0);				/* d -> out -> a = b: out cannot be seen from in */
	CHECK_EQ(group_number("in/d", "propagate_from:"), 0);
	CHECK_EQ(master("in/d"), shared("out"));
	int group = shared("a"), middle = shared("out");
	CHECK(mkdir("in/proc", 0755) == 0 && mount("proc", "in/proc", "proc", 0, NULL) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(chroot("in") == 0 && chdir("/") == 0);
		CHECK_EQ(master("/d"), middle);
		CHECK_EQ(group_number("/d", "propagate_from:"), group);
		CHECK_EQ(shared("/b"), group);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	strike();
}

/* Who writes through a mount that was taken off keeps the file system from becoming read-only, though not its other mounts. */
TEST(writers_through_what_was_taken_off_count)
{
	int fd;

	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && bind_to("a", "b") == 0);
	fd = open("b/file", O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && umount2("b", MNT_DETACH) == 0);
	CHECK_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	CHECK_EQ(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(open("a/other", O_CREAT | O_WRONLY, 0644), EROFS);
	strike();
}

TEST(what_was_taken_off_is_not_remounted)
{
	int fd, stage_fd;

	stage();
	stage_fd = open(".", O_RDONLY | O_DIRECTORY);
	dirs("a");
	CHECK(stage_fd >= 0 && tmpfs("a") == 0);
	fd = open("a", O_PATH | O_DIRECTORY);
	CHECK(fd >= 0 && umount2("a", MNT_DETACH) == 0 && fchdir(fd) == 0);
	CHECK_ERR(mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL), EINVAL);
	CHECK_ERR(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EINVAL);
	CHECK_ERR(type(".", MS_SHARED), EINVAL);
	CHECK(mkdir("still", 0755) == 0 && fchdir(stage_fd) == 0);
	close(fd);
	close(stage_fd);
	strike();
}
