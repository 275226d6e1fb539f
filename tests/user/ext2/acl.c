/* ACLs on the disk: there after an unmount, in the form that Linux reads, and without say where they are switched off. */
#include "ext2.h"
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

struct acl { uint32_t version; struct { uint16_t tag, perm; uint32_t id; } e[5]; };
static const struct acl five = { 2, { { ACL_USER_OBJ, 7, -1 }, { ACL_USER, 1, 1000 }, { ACL_GROUP_OBJ, 5, -1 }, { ACL_MASK, 5, -1 }, { ACL_OTHER, 5, -1 } } };
static char b[4096];

static bool can(unsigned uid, const char *path, int how)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) _exit(setgroups(0, NULL) || setgid(uid) || setuid(uid) || faccessat(AT_FDCWD, path, how, AT_EACCESS));
	return EXITED(wait_status(pid), 0);
}

TEST(there_after_an_unmount)
{
	have_volume("");
	CHECK(mkdir("d", 0700) == 0 && setxattr("d", ACCESS, &five, sizeof(five), 0) == 0 && setxattr("d", DEFAULT, &five, sizeof(five), 0) == 0);
	int fd = open("d/f", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0 && close(fd) == 0);
	again(0, "");
	CHECK(getxattr("d", ACCESS, b, sizeof(b)) == sizeof(five) && !memcmp(b, &five, sizeof(five)));
	CHECK(getxattr("d", DEFAULT, b, sizeof(b)) == sizeof(five) && !memcmp(b, &five, sizeof(five)));
	CHECK_EQ(getxattr("d/f", ACCESS, b, sizeof(b)), sizeof(five));
	CHECK(can(1, "d/f", R_OK) && can(1000, "d", X_OK) && !can(1000, "d", R_OK));
	CHECK(removexattr("d", DEFAULT) == 0);
	again(0, "");
	CHECK_ERR(getxattr("d", DEFAULT, b, sizeof(b)), ENODATA);
	CHECK_EQ(getxattr("d", ACCESS, b, sizeof(b)), sizeof(five));
	CHECK(chmod("d", 0700) == 0);
	again(0, "");
	CHECK(getxattr("d", ACCESS, b, sizeof(b)) == sizeof(five) && ((struct acl *)b)->e[3].perm == 0);
	done();
}

TEST(noacl)
{
	have_volume("");
	CHECK(mkdir("d", 0700) == 0 && setxattr("d", ACCESS, &five, sizeof(five), 0) == 0);
	detach();
	if (mount(VOLUME, where, "ext2", 0, "noacl") < 0) {	/* deviates: ext4's driver, which Debian's kernel mounts ext2 with, has it no more */
		CHECK(!on_sarsen() && errno == EINVAL);
		SKIP("no such option");
	}
	CHECK(chdir(where) == 0 && chdir("test") == 0);
	CHECK_ERR(getxattr("d", ACCESS, b, sizeof(b)), EOPNOTSUPP);
	CHECK_ERR(setxattr("d", ACCESS, &five, sizeof(five), 0), EOPNOTSUPP);
	CHECK_ERR(removexattr("d", ACCESS), EOPNOTSUPP);
	CHECK_EQ(listxattr("d", b, sizeof(b)), 0);
	CHECK(can(1000, "d", R_OK));		/* as the mode says */
	remount(0, "acl");
	CHECK(!can(1000, "d", R_OK));
	CHECK_EQ(getxattr("d", ACCESS, b, sizeof(b)), sizeof(five));
	done();
}

TEST(too_long_for_the_disk)
{
	struct { uint32_t version; struct { uint16_t tag, perm; uint32_t id; } e[600]; } a = { 2, { { ACL_USER_OBJ, 7, -1 } } };

	have_volume("");
	CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
	for (int i = 1; i <= 590; i++) {
		a.e[i].tag = ACL_USER;
		a.e[i].id = i;
	}
	a.e[591].tag = ACL_GROUP_OBJ;
	a.e[592].tag = ACL_MASK;
	a.e[593].tag = ACL_OTHER;
	CHECK_ERR(setxattr("d", ACCESS, &a, 4 + 594 * 8, 0), ENOSPC);
	CHECK_ERR(getxattr("d", ACCESS, b, sizeof(b)), ENODATA);
	struct stat st;
	CHECK(stat("d", &st) == 0 && (st.st_mode & 07777) == 0700);
	done();
}
