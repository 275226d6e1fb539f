/* What is mounted, moved and unmounted on one of several mounts that share. */
#include "mounts.h"

TEST(peers_get_what_is_mounted)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0);
	CHECK(bind_to("a", "b") == 0);
	CHECK(tmpfs("a/x") == 0);
	write_file("a/x/file", "text");
	CHECK(exists("b/x/file"));
	CHECK(shared("a/x") && shared("a/x") == shared("b/x") && shared("a/x") != shared("a"));
	CHECK(mkdir("b/x/y", 0755) == 0 && tmpfs("b/x/y") == 0);	/* the other way round, one deeper */
	CHECK(is_mount("a/x/y"));
	CHECK(umount("a/x/y") == 0 && !is_mount("b/x/y"));
	CHECK(umount("b/x") == 0 && !is_mount("a/x") && !exists("a/x/file"));
	strike();
}

TEST(private_mounts_get_nothing)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_PRIVATE) == 0);
	CHECK(tmpfs("a/x") == 0 && !is_mount("b/x"));
	CHECK(tmpfs("b/x") == 0 && private("b/x"));
	CHECK(umount("a/x") == 0 && is_mount("b/x"));
	strike();
}

TEST(slaves_get_and_do_not_give)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0 && mkdir("a/y", 0755) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("a/x") == 0);
	CHECK(is_mount("b/x") && !shared("b/x"));
	CHECK_EQ(master("b/x"), shared("a/x"));
	CHECK(tmpfs("b/y") == 0 && private("b/y") && !is_mount("a/y"));
	CHECK(mkdir("a/x/deep", 0755) == 0 && tmpfs("a/x/deep") == 0 && is_mount("b/x/deep"));
	CHECK(umount("b/x/deep") == 0 && is_mount("a/x/deep"));
	CHECK(umount("a/x/deep") == 0);
	CHECK(umount("a/x") == 0 && !is_mount("b/x"));
	CHECK(is_mount("b/y"));
	strike();
}

TEST(a_chain_of_groups)
{
	stage();
	dirs("a b c d e");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0 && type("b", MS_SHARED) == 0);
	CHECK(bind_to("b", "c") == 0);
	CHECK(bind_to("c", "d") == 0 && type("d", MS_SLAVE) == 0 && type("d", MS_SHARED) == 0);
	CHECK(bind_to("d", "e") == 0 && type("e", MS_SLAVE) == 0);
	CHECK(tmpfs("a/x") == 0);
	CHECK(is_mount("b/x") && is_mount("c/x") && is_mount("d/x") && is_mount("e/x"));
	CHECK_EQ(master("b/x"), shared("a/x"));
	CHECK(shared("b/x") && shared("b/x") == shared("c/x") && master("c/x") == shared("a/x") && shared("b/x") != shared("a/x"));
	CHECK_EQ(master("d/x"), shared("b/x"));
	CHECK(shared("d/x") && shared("d/x") != shared("b/x"));
	CHECK_EQ(master("e/x"), shared("d/x"));
	CHECK(!shared("e/x"));
	CHECK(umount("c/x") == 0);			/* upwards nothing goes */
	CHECK(is_mount("a/x") && !is_mount("b/x") && !is_mount("d/x") && !is_mount("e/x"));
	CHECK(umount("a/x") == 0);
	CHECK(tmpfs("a/x") == 0 && is_mount("e/x") && umount("a/x") == 0 && !is_mount("e/x"));
	strike();
}

TEST(a_group_without_the_place_hands_on)
{
	stage();
	dirs("a b c");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0 && mkdir("a/y", 0755) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0 && type("b", MS_SHARED) == 0);
	CHECK(bind_to("b", "c") == 0 && type("c", MS_SLAVE) == 0);
	dirs("part");
	CHECK(bind_to("b/y", "part") == 0 && umount("b") == 0);	/* of b's group the subtree y alone is left */
	CHECK_EQ(master("c"), shared("part"));
	CHECK(tmpfs("a/x") == 0 && is_mount("c/x"));
	CHECK_EQ(master("c/x"), shared("a/x"));
	CHECK_EQ(mounts_below("part"), 1);
	CHECK(umount("a/x") == 0 && !is_mount("c/x"));
	strike();
}

TEST(only_what_has_the_place_receives)
{
	stage();
	dirs("a b c");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0);
	dirs("a/in a/in/x a/out");
	CHECK(bind_to("a/in", "b") == 0);
	CHECK(tmpfs("a/in/x") == 0 && is_mount("b/x") && umount("b/x") == 0 && !is_mount("a/in/x"));
	CHECK(tmpfs("a/out") == 0);
	CHECK_EQ(mounts_below("b"), 1);
	CHECK(tmpfs("a/in") == 0);			/* over b's root: the place is b itself */
	CHECK_EQ(mounts_below("b"), 2);
	CHECK(umount("a/in") == 0);
	CHECK_EQ(mounts_below("b"), 1);
	strike();
}

TEST(binds_and_trees_propagate)
{
	stage();
	dirs("a b from");
	CHECK(tmpfs("from") == 0);
	dirs("from/one");
	CHECK(tmpfs("from/one") == 0);
	dirs("from/one/two");
	CHECK(tmpfs("from/one/two") == 0);
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0);
	CHECK(bind_to("a", "b") == 0);
	CHECK(rbind("from", "a/x") == 0);
	CHECK(is_mount("b/x/one/two") && is_mount("a/x/one/two"));
	CHECK(shared("a/x") && shared("a/x") == shared("b/x"));
	CHECK(shared("a/x/one") && shared("a/x/one") == shared("b/x/one"));
	CHECK(shared("a/x/one/two") && shared("a/x/one/two") == shared("b/x/one/two"));
	CHECK(private("from") && private("from/one"));	/* the original is what it was */
	CHECK_ERR(umount("a/x"), EBUSY);
	CHECK(umount2("a/x", MNT_DETACH) == 0);
	CHECK_EQ(mounts_below("b"), 1);
	CHECK(bind_to("from", "a/x") == 0 && is_mount("b/x") && !is_mount("b/x/one"));
	strike();
}

TEST(a_slave_bound_below_a_shared_mount)
{
	stage();
	dirs("a b c d");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("c") == 0 && type("c", MS_SHARED) == 0 && mkdir("c/x", 0755) == 0 && bind_to("c", "d") == 0);
	CHECK(bind_to("b", "c/x") == 0);
	CHECK_EQ(master("c/x"), shared("a"));
	CHECK_EQ(master("d/x"), shared("a"));
	CHECK(shared("c/x") && shared("c/x") == shared("d/x"));
	CHECK(!shared("b") && master("b") == shared("a"));
	strike();
}

TEST(a_tree_is_moved_below_a_shared_mount)
{
	stage();
	dirs("a b m");
	CHECK(tmpfs("m") == 0 && mkdir("m/in", 0755) == 0 && tmpfs("m/in") == 0);
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0 && mkdir("a/y", 0755) == 0 && bind_to("a", "b") == 0);
	CHECK(move_to("m", "a/x") == 0);
	CHECK(!is_mount("m") && is_mount("a/x/in") && is_mount("b/x/in"));
	CHECK(shared("a/x") == shared("b/x") && shared("a/x/in") == shared("b/x/in"));
	CHECK_ERR(move_to("a/x", "a/y"), EINVAL);	/* out of a shared one nothing is moved */
	CHECK_ERR(move_to("a/x", "m"), EINVAL);
	CHECK(type("b", MS_SLAVE) == 0);
	CHECK(move_to("b/x", "m") == 0);		/* out of a slave: it is its own */
	CHECK(is_mount("m/in") && is_mount("a/x/in") && !is_mount("b/x"));
	CHECK_EQ(shared("m"), shared("a/x"));
	strike();
}

TEST(moves_that_are_refused)
{
	stage();
	dirs("a b");
	write_file("file", "");
	CHECK(tmpfs("a") == 0 && mkdir("a/in", 0755) == 0 && tmpfs("a/in") == 0 && mkdir("a/in/x", 0755) == 0);
	CHECK_ERR(move_to("a", "a/in/x"), ELOOP);
	CHECK_ERR(move_to("a/in/x", "b"), EINVAL);
	CHECK_ERR(move_to("a", "file"), EINVAL);
	CHECK_ERR(move_to("none", "b"), ENOENT);
	CHECK_ERR(bind_to("a", "file"), ENOTDIR);
	CHECK_ERR(bind_to("file", "b"), ENOTDIR);
	CHECK(bind_to("file", "file") == 0 && umount("file") == 0 && unlink("file") == 0);	/* a place is free again */
	strike();
}

TEST(a_copy_slides_below_what_stands_there)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && type("a", MS_SHARED) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("b/x") == 0);
	write_file("b/x/own", "");
	CHECK(tmpfs("a/x") == 0);
	write_file("a/x/from-a", "");
	CHECK(exists("b/x/own") && !exists("b/x/from-a"));
	CHECK_EQ(mounts_below("b"), 3);
	CHECK(umount("a/x") == 0);			/* and from below it goes */
	CHECK(exists("b/x/own"));
	CHECK_EQ(mounts_below("b"), 2);
	CHECK(tmpfs("a/x") == 0);
	write_file("a/x/from-a", "");
	CHECK(umount("b/x") == 0 && exists("b/x/from-a") && !exists("b/x/own"));
	CHECK(umount("a/x") == 0 && !is_mount("b/x"));
	strike();
}

TEST(what_covers_stays_when_the_place_is_a_root)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("b") == 0);				/* b's topper, its own */
	write_file("b/own", "");
	CHECK(tmpfs("a") == 0);				/* a copy comes between */
	CHECK_EQ(mounts_below("b"), 3);
	CHECK(exists("b/own"));
	CHECK(umount("a") == 0);
	CHECK_EQ(mounts_below("b"), 2);
	CHECK(exists("b/own"));
	CHECK(umount("b") == 0 && !exists("b/own") && master("b") == shared("a"));
	strike();
}

TEST(an_umount_leaves_what_has_mounts_of_its_own)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && type("a", MS_SHARED) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("a/x") == 0 && mkdir("a/x/y", 0755) == 0);
	CHECK(tmpfs("b/x/y") == 0);			/* only there */
	CHECK(umount("a/x") == 0);
	CHECK(!is_mount("a/x") && is_mount("b/x") && is_mount("b/x/y"));
	CHECK(umount("b/x/y") == 0 && umount("b/x") == 0);
	strike();
}

TEST(a_tree_goes_with_all_that_propagated)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && type("a", MS_SHARED) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("a/x") == 0 && mkdir("a/x/y", 0755) == 0 && mkdir("a/x/z", 0755) == 0);
	CHECK(tmpfs("a/x/y") == 0 && tmpfs("a/x/z") == 0 && mkdir("a/x/z/own", 0755) == 0);
	CHECK_EQ(mounts_below("b"), 4);
	CHECK(tmpfs("b/x/z/own") == 0);
	CHECK(umount2("a/x", MNT_DETACH) == 0);
	CHECK_EQ(mounts_below("a"), 1);
	CHECK(is_mount("b/x/z/own") && is_mount("b/x/z") && is_mount("b/x") && !is_mount("b/x/y"));
	strike();
}

TEST(a_file_open_in_a_copy_keeps_it_busy)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && type("a", MS_SHARED) == 0 && bind_to("a", "b") == 0);
	CHECK(tmpfs("a/x") == 0);
	write_file("a/x/file", "text");
	int fd = open("b/x/file", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(umount("a/x"), EBUSY);
	CHECK(is_mount("a/x") && is_mount("b/x"));
	CHECK(umount2("a/x", MNT_DETACH) == 0 && !is_mount("b/x"));
	char c;
	CHECK(read(fd, &c, 1) == 1 && c == 't');
	close(fd);
	strike();
}

TEST(a_mount_bound_into_itself)
{
	stage();
	dirs("a");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0);
	dirs("a/in a/x");
	CHECK(bind_to("a", "a/in") == 0);		/* not again below the copy: it was not there when it came */
	CHECK_EQ(mounts_below("a"), 2);
	CHECK_EQ(shared("a/in"), shared("a"));
	CHECK(tmpfs("a/x") == 0);
	CHECK_EQ(mounts_below("a"), 4);
	CHECK(is_mount("a/in/x"));
	CHECK(umount("a/in/x") == 0);
	CHECK_EQ(mounts_below("a"), 2);
	CHECK(rbind("a", "a/x") == 0);
	CHECK_EQ(mounts_below("a"), 6);
	strike();
}

TEST(like_busyboxs_suite_does)
{
	stage();
	dirs("dir one two");
	write_file("dir/file", "");
	CHECK(bind_to("one", "one") == 0 && type("one", MS_SHARED | MS_REC) == 0);
	CHECK(bind_to("two", "two") == 0 && type("two", MS_SHARED | MS_REC) == 0);
	CHECK(bind_to("two", "one") == 0);
	CHECK(bind_to("dir", "two") == 0);
	CHECK(exists("one/file") && exists("two/file"));
	strike();
}

TEST(the_root_is_not_pivoted_out_of_shared_mounts)
{
	stage();
	dirs("a");
	CHECK(tmpfs("a") == 0);
	dirs("a/new");
	CHECK(tmpfs("a/new") == 0 && mkdir("a/new/old", 0755) == 0);
	CHECK(type("a", MS_SHARED) == 0);
	CHECK_ERR(syscall(SYS_pivot_root, "a/new", "a/new/old"), EINVAL);
	CHECK(type("a", MS_PRIVATE) == 0 && type("a/new", MS_SHARED) == 0);
	CHECK_ERR(syscall(SYS_pivot_root, "a/new", "a/new/old"), EINVAL);
	strike();
}

TEST(a_name_is_kept_while_any_mount_stands_on_it)
{
	stage();
	dirs("a b");
	CHECK(tmpfs("a") == 0 && type("a", MS_SHARED) == 0 && mkdir("a/x", 0755) == 0 && bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0);
	CHECK(tmpfs("a/x") == 0);
	CHECK_ERR(rmdir("b/x"), EBUSY);
	CHECK_ERR(rename("b/x", "b/y"), EBUSY);
	CHECK(umount("b/x") == 0);
	CHECK_ERR(rmdir("a/x"), EBUSY);
	CHECK(umount("a/x") == 0 && rmdir("b/x") == 0);
	strike();
}
