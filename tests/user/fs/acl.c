/* POSIX access control lists, as extended attributes: acl(5), and what setxattr makes of values that are none. */
#include "tap.h"
#include <grp.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NOBODY ((unsigned)-1)
#define ALICE 1000
#define BOB 1001
#define TEAM 2000

struct acl { struct posix_acl_xattr_header h; struct posix_acl_xattr_entry e[32]; };

/* "u::rwx u:1000:r-x g::--- m::rwx o::r--" */
static size_t acl(struct acl *a, const char *text)
{
	int n = 0;

	a->h.a_version = POSIX_ACL_XATTR_VERSION;
	while (*text) {
		char kind = *text;
		unsigned id = NOBODY, perm = 0;

		text += 2;
		if (*text != ':') id = strtoul(text, (char **)&text, 10);
		text++;
		for (int i = 0; i < 3; i++, text++) perm = perm * 2 + (*text != '-');
		while (*text == ' ') text++;
		a->e[n].e_tag = kind == 'u' ? (id == NOBODY ? ACL_USER_OBJ : ACL_USER) : kind == 'g' ? (id == NOBODY ? ACL_GROUP_OBJ : ACL_GROUP) :
				kind == 'm' ? ACL_MASK : ACL_OTHER;
		a->e[n].e_perm = perm;
		a->e[n++].e_id = id;
	}
	return sizeof(a->h) + n * sizeof(a->e[0]);
}

static int set(const char *path, const char *kind, const char *text)
{
	struct acl a;
	size_t n = acl(&a, text);

	return setxattr(path, kind, &a, n, 0);
}

static int is(const char *path, const char *kind, const char *text)
{
	struct acl want, have;
	size_t n = acl(&want, text);

	memset(&have, 0, sizeof(have));
	return getxattr(path, kind, &have, sizeof(have)) == (ssize_t)n && !memcmp(&want, &have, n);
}

static unsigned mode(const char *path) { struct stat st; CHECK(lstat(path, &st) == 0); return st.st_mode & 07777; }

static void file(const char *name, unsigned m)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && fchmod(fd, m) == 0 && close(fd) == 0);
}

static void need(void)
{
	scratch();
	file("probe", 0644);
	if (set("probe", ACCESS, "u::rw- u:1000:r-- g::r-- m::r-- o::r--") < 0) SKIP("no POSIX ACLs here");
}

/* Who may do what: as uid, with one supplementary group or none. */
static int as(unsigned uid, unsigned gid, int extra, const char *path, int how)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		gid_t g = extra;
		if (setgroups(extra >= 0, &g) || setgid(gid) || setuid(uid)) _exit(99);
		_exit(faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0 ? 1 : errno == EACCES ? 0 : 98);
	}
	int s = wait_status(pid);
	return WIFEXITED(s) ? WEXITSTATUS(s) : -1;
}

TEST(set_get_list_remove)
{
	char b[256];

	need();
	file("f", 0640);
	CHECK_ERR(getxattr("f", ACCESS, b, sizeof(b)), ENODATA);
	CHECK_EQ(listxattr("f", b, sizeof(b)), 0);
	CHECK(set("f", ACCESS, "u::rwx u:1000:r-x g::r-- m::r-x o::---") == 0);
	CHECK(is("f", ACCESS, "u::rwx u:1000:r-x g::r-- m::r-x o::---"));
	CHECK_EQ(mode("f"), 0750);		/* the group's bits show the mask */
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 5 * 8);
	CHECK_ERR(getxattr("f", ACCESS, b, 10), ERANGE);
	CHECK_EQ(listxattr("f", b, sizeof(b)), sizeof(ACCESS));
	CHECK(!strcmp(b, ACCESS));
	CHECK(removexattr("f", ACCESS) == 0);
	CHECK_ERR(getxattr("f", ACCESS, b, sizeof(b)), ENODATA);
	CHECK_EQ(listxattr("f", b, sizeof(b)), 0);
	CHECK_EQ(mode("f"), 0750);
	CHECK(removexattr("f", ACCESS) == 0);	/* of none */
	CHECK_ERR(getxattr("f", DEFAULT, b, sizeof(b)), ENODATA);
	CHECK_ERR(setxattr("f", "system.posix_acl_accesss", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "system.other", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("f", "system.", b, 1), EOPNOTSUPP);
}

TEST(same_as_a_mode)
{
	char b[64];

	need();
	file("f", 0777);
	CHECK(set("f", ACCESS, "u::rw- g::r-- o::---") == 0);
	CHECK_EQ(mode("f"), 0640);
	CHECK_ERR(getxattr("f", ACCESS, b, sizeof(b)), ENODATA);
	CHECK(set("f", ACCESS, "u::rw- g::rwx m::r-- o::---") == 0);	/* with a mask it is one */
	CHECK_EQ(mode("f"), 0640);
	CHECK(is("f", ACCESS, "u::rw- g::rwx m::r-- o::---"));
	CHECK(set("f", ACCESS, "u::rwx g::rwx o::rwx") == 0);
	CHECK_ERR(getxattr("f", ACCESS, b, sizeof(b)), ENODATA);
	CHECK_EQ(mode("f"), 0777);
}

TEST(validation)
{
	struct acl a;
	size_t n;

	need();
	file("f", 0644);
	CHECK_ERR(setxattr("f", ACCESS, "", 0, 0), EINVAL);
	CHECK_ERR(setxattr("f", ACCESS, "abc", 3, 0), EINVAL);
	n = acl(&a, "u::rw- g::r-- o::r--");
	CHECK_ERR(setxattr("f", ACCESS, &a, n - 1, 0), EINVAL);
	CHECK_ERR(setxattr("f", ACCESS, &a, n - 8, 0), EINVAL);
	a.h.a_version = 1;
	CHECK_ERR(setxattr("f", ACCESS, &a, n, 0), EOPNOTSUPP);
	n = acl(&a, "u::rw- g::r-- o::r--");
	a.e[0].e_perm = 8;
	CHECK_ERR(setxattr("f", ACCESS, &a, n, 0), EINVAL);
	n = acl(&a, "u::rw- g::r-- o::r--");
	a.e[1].e_tag = 3;
	CHECK_ERR(setxattr("f", ACCESS, &a, n, 0), EINVAL);
	CHECK_ERR(set("f", ACCESS, "u::rw- u:1000:r-- g::r-- o::r--"), EINVAL);		/* no mask */
	CHECK_ERR(set("f", ACCESS, "u::rw- g::r-- g:5:r-- o::r--"), EINVAL);
	CHECK_ERR(set("f", ACCESS, "g::r-- u::rw- o::r--"), EINVAL);			/* order */
	CHECK_ERR(set("f", ACCESS, "u::rw- u:1:r-- u::r-- g::r-- m::r-- o::r--"), EINVAL);
	CHECK_ERR(set("f", ACCESS, "u::rw- g::r-- m::r-- m::r-- o::r--"), EINVAL);
	CHECK_ERR(set("f", ACCESS, "u::rw- g::r-- o::r-- o::r--"), EINVAL);
	CHECK_ERR(set("f", ACCESS, "u::rw- g::r--"), EINVAL);
	CHECK_ERR(set("f", ACCESS, "u::rw- g::r-- g:5:r-- u:5:r-- m::r-- o::r--"), EINVAL);
	n = acl(&a, "u::rw- u:1000:r-- g::r-- m::r-- o::r--");
	a.e[1].e_id = NOBODY;
	CHECK_ERR(setxattr("f", ACCESS, &a, n, 0), EINVAL);
	CHECK(setxattr("f", ACCESS, &a, 4, 0) == 0);		/* no entries: none */
	CHECK(set("f", ACCESS, "u::rw- u:1000:r-- u:1000:rwx g::r-- m::r-- o::r--") == 0);	/* twice the same is nobody's business */
	CHECK(setxattr("f", ACCESS, &a, 4, 0) == 0);
	CHECK_ERR(getxattr("f", ACCESS, &a, sizeof(a)), ENODATA);
}

TEST(where)
{
	char b[64];

	need();
	file("f", 0644);
	CHECK(symlink("f", "l") == 0 && mkdir("d", 0755) == 0 && mkfifo("p", 0600) == 0);
	CHECK_ERR(set("f", DEFAULT, "u::rwx g::rwx o::rwx"), EACCES);
	CHECK(removexattr("f", DEFAULT) == 0);
	struct acl a;
	size_t n = acl(&a, "u::rwx u:5:r-- g::rwx m::rwx o::rwx");
	CHECK_ERR(lsetxattr("l", ACCESS, &a, n, 0), EOPNOTSUPP);
	CHECK_ERR(lgetxattr("l", ACCESS, b, 64), EOPNOTSUPP);
	CHECK(set("p", ACCESS, "u::rwx u:5:r-- g::rwx m::rwx o::rwx") == 0);
	CHECK(set("d", ACCESS, "u::rwx u:5:r-- g::rwx m::rwx o::rwx") == 0);
	CHECK(set("d", DEFAULT, "u::rwx g::rwx o::rwx") == 0);
	CHECK(is("d", DEFAULT, "u::rwx g::rwx o::rwx"));	/* a default one is kept though it only says a mode */
	CHECK_EQ(listxattr("d", b, sizeof(b)), sizeof(ACCESS) + sizeof(DEFAULT));
	CHECK(removexattr("d", DEFAULT) == 0 && removexattr("d", DEFAULT) == 0);
	CHECK(is("d", ACCESS, "u::rwx u:5:r-- g::rwx m::rwx o::rwx"));
	CHECK_ERR(set("/proc/self/stat", ACCESS, "u::rwx g::rwx o::rwx"), EOPNOTSUPP);
	CHECK_ERR(getxattr("/proc/self/stat", ACCESS, b, 64), EOPNOTSUPP);
}

TEST(who_may_set)
{
	need();
	file("f", 0666);
	file("own", 0666);
	CHECK(chown("own", ALICE, ALICE) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char b[64];
		CHECK(setgroups(0, NULL) == 0 && setgid(ALICE) == 0 && setuid(ALICE) == 0);
		CHECK_ERR(set("f", ACCESS, "u::rw- u:1000:rwx g::r-- m::rwx o::rw-"), EPERM);
		CHECK_ERR(removexattr("f", ACCESS), EPERM);
		CHECK_ERR(set("f", ACCESS, "u::rw- u:1000:rwx"), EPERM);
		CHECK(set("own", ACCESS, "u::--- u:1001:rwx g::r-- m::rwx o::---") == 0);
		CHECK(getxattr("own", ACCESS, b, sizeof(b)) > 0);	/* needs no permission to read */
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(permission)
{
	need();
	file("f", 0600);
	CHECK(chown("f", 500, 600) == 0);
	CHECK(set("f", ACCESS, "u::r-- u:1000:rw- u:1001:--- g::r-- g:2000:rwx m::rw- o::r--") == 0);
	CHECK(as(500, 500, -1, "f", R_OK) == 1 && as(500, 500, -1, "f", W_OK) == 0);	/* the owner: no mask, no groups */
	CHECK(as(500, TEAM, -1, "f", W_OK) == 0);
	CHECK(as(ALICE, ALICE, -1, "f", R_OK | W_OK) == 1 && as(ALICE, ALICE, -1, "f", X_OK) == 0);
	CHECK(as(BOB, BOB, -1, "f", R_OK) == 0 && as(BOB, TEAM, -1, "f", R_OK) == 0);	/* named before the groups */
	CHECK(as(1, 600, -1, "f", R_OK) == 1 && as(1, 600, -1, "f", W_OK) == 0);
	CHECK(as(1, 1, TEAM, "f", W_OK) == 1 && as(1, 1, TEAM, "f", X_OK) == 0);	/* the mask takes x */
	CHECK(as(1, 600, TEAM, "f", R_OK | W_OK) == 1);					/* one group that grants all suffices */
	CHECK(as(1, 1, -1, "f", R_OK) == 1 && as(1, 1, -1, "f", W_OK) == 0);
	CHECK(set("f", ACCESS, "u::r-- g::--- g:2000:--- m::rw- o::rwx") == 0);
	CHECK(as(1, 600, -1, "f", R_OK) == 0 && as(1, 1, TEAM, "f", R_OK) == 0 && as(1, 1, -1, "f", R_OK) == 1);	/* in a group: not other */
	CHECK(as(0, 0, -1, "f", R_OK | W_OK) == 1);					/* root */
}

TEST(permission_of_a_directory)
{
	need();
	CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0777) == 0);
	file("d/e/f", 0644);
	CHECK(as(BOB, BOB, -1, "d/e/f", R_OK) == 1);
	CHECK(set("d", ACCESS, "u::rwx u:1001:r-- g::r-x m::r-x o::r-x") == 0);
	CHECK_EQ(mode("d"), 0755);			/* which the quick look takes for passable by all */
	CHECK(as(BOB, BOB, -1, "d/e/f", R_OK) == 0);
	CHECK(as(ALICE, ALICE, -1, "d/e/f", R_OK) == 1);
	CHECK(set("d", ACCESS, "u::rwx u:1001:r-x g::--- m::r-x o::---") == 0);
	CHECK(as(BOB, BOB, -1, "d/e/f", R_OK) == 1 && as(ALICE, ALICE, -1, "d/e/f", R_OK) == 0);
	CHECK(removexattr("d", ACCESS) == 0);
	CHECK_EQ(mode("d"), 0750);
	CHECK(as(BOB, BOB, -1, "d/e/f", R_OK) == 0);
	CHECK(set("d", ACCESS, "u::rwx u:1001:--x g::--- m::rwx o::---") == 0);
	CHECK(chmod("d", 0700) == 0);			/* the mask is empty now */
	CHECK(as(BOB, BOB, -1, "d/e/f", R_OK) == 0);
	CHECK(is("d", ACCESS, "u::rwx u:1001:--x g::--- m::--- o::---"));
}

TEST(chmod_and_the_mask)
{
	need();
	file("f", 0644);
	CHECK(set("f", ACCESS, "u::rw- u:1000:rwx g::rwx m::rw- o::r--") == 0);
	CHECK(chmod("f", 0751) == 0);
	CHECK(is("f", ACCESS, "u::rwx u:1000:rwx g::rwx m::r-x o::--x"));
	CHECK_EQ(mode("f"), 0751);
	int fd = open("f", O_RDONLY);
	CHECK(fchmod(fd, 04600) == 0 && close(fd) == 0);
	CHECK(is("f", ACCESS, "u::rw- u:1000:rwx g::rwx m::--- o::---"));
	CHECK_EQ(mode("f"), 04600);
	CHECK(chown("f", 1, 1) == 0);
	CHECK(is("f", ACCESS, "u::rw- u:1000:rwx g::rwx m::--- o::---"));
}

TEST(sgid_goes_with_a_foreign_group)
{
	need();
	file("f", 0644);
	CHECK(chown("f", ALICE, TEAM) == 0 && chmod("f", 02755) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setgroups(0, NULL) == 0 && setgid(ALICE) == 0 && setuid(ALICE) == 0);
		CHECK(set("f", ACCESS, "u::rwx u:5:rwx g::r-x m::rwx o::r-x") == 0);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(mode("f"), 0775);
}

TEST(inheritance)
{
	char b[64];

	need();
	umask(077);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(set("d", DEFAULT, "u::rwx u:1000:rwx g::r-x m::rwx o::r-x") == 0);
	int fd = open("d/f", O_CREAT | O_RDWR, 0664);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(is("d/f", ACCESS, "u::rw- u:1000:rwx g::r-x m::rw- o::r--"));
	CHECK_EQ(mode("d/f"), 0664);			/* no umask */
	CHECK_ERR(getxattr("d/f", DEFAULT, b, sizeof(b)), ENODATA);
	CHECK(mkdir("d/s", 0777) == 0);
	CHECK(is("d/s", ACCESS, "u::rwx u:1000:rwx g::r-x m::rwx o::r-x"));
	CHECK(is("d/s", DEFAULT, "u::rwx u:1000:rwx g::r-x m::rwx o::r-x"));
	CHECK_EQ(mode("d/s"), 0775);
	CHECK(mkdir("d/t", 0700) == 0);
	CHECK(is("d/t", ACCESS, "u::rwx u:1000:rwx g::r-x m::--- o::---"));
	CHECK(is("d/t", DEFAULT, "u::rwx u:1000:rwx g::r-x m::rwx o::r-x"));
	CHECK(mkfifo("d/p", 0666) == 0);
	CHECK(is("d/p", ACCESS, "u::rw- u:1000:rwx g::r-x m::rw- o::r--"));
	CHECK(symlink("f", "d/l") == 0);
	CHECK_ERR(lgetxattr("d/l", ACCESS, b, sizeof(b)), EOPNOTSUPP);
	CHECK_EQ(mode("d/l"), 0777);
	CHECK(link("probe", "d/linked") == 0 && is("d/linked", ACCESS, "u::rw- u:1000:r-- g::r-- m::r-- o::r--"));
	file("moved", 0600);
	CHECK(rename("moved", "d/moved") == 0);
	CHECK_ERR(getxattr("d/moved", ACCESS, b, sizeof(b)), ENODATA);
	fd = open("d", O_TMPFILE | O_RDWR, 0640);
	if (fd >= 0) {
		struct acl a, w;
		size_t n = acl(&w, "u::rw- u:1000:rwx g::r-x m::r-- o::---");
		CHECK(fgetxattr(fd, ACCESS, &a, sizeof(a)) == (ssize_t)n && !memcmp(&a, &w, n));
		close(fd);
	}
}

TEST(inheritance_of_what_is_only_a_mode)
{
	char b[64];

	need();
	umask(022);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(set("d", DEFAULT, "u::rwx g::rwx o::---") == 0);
	int fd = open("d/f", O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK_EQ(mode("d/f"), 0660);
	CHECK_ERR(getxattr("d/f", ACCESS, b, sizeof(b)), ENODATA);
	CHECK(mkdir("d/s", 0777) == 0);
	CHECK_EQ(mode("d/s"), 0770);
	CHECK_ERR(getxattr("d/s", ACCESS, b, sizeof(b)), ENODATA);
	CHECK(is("d/s", DEFAULT, "u::rwx g::rwx o::---"));
	CHECK(removexattr("d", DEFAULT) == 0);
	CHECK(mkdir("d/u", 0777) == 0);
	CHECK_EQ(mode("d/u"), 0755);
}

TEST(with_set_group_id)
{
	need();
	umask(0);
	CHECK(mkdir("d", 0755) == 0 && chown("d", 0, TEAM) == 0 && chmod("d", 02755) == 0);
	CHECK(set("d", DEFAULT, "u::rwx u:1000:rwx g::r-x m::rwx o::r-x") == 0);
	CHECK(mkdir("d/s", 0770) == 0);
	CHECK_EQ(mode("d/s"), 02770);
	struct stat st;
	CHECK(stat("d/s", &st) == 0 && st.st_gid == TEAM);
}

TEST(beside_other_attributes)
{
	char b[512];

	need();
	file("f", 0644);
	CHECK(setxattr("f", "trusted.a", "one", 3, 0) == 0);
	CHECK(set("f", ACCESS, "u::rw- u:7:rwx g::rwx m::rw- o::r--") == 0);
	CHECK(setxattr("f", "security.z", "two", 3, 0) == 0);
	CHECK_EQ(listxattr("f", b, sizeof(b)), sizeof("trusted.a") + sizeof(ACCESS) + sizeof("security.z"));
	CHECK(is("f", ACCESS, "u::rw- u:7:rwx g::rwx m::rw- o::r--"));
	CHECK(removexattr("f", "trusted.a") == 0 && removexattr("f", "security.z") == 0);
	CHECK(is("f", ACCESS, "u::rw- u:7:rwx g::rwx m::rw- o::r--"));
}

TEST(many_entries)
{
	static struct { struct posix_acl_xattr_header h; struct posix_acl_xattr_entry e[8192]; } a, b;
	unsigned n = 0, max = on_ext2() ? 100 : 8000;

	need();
	file("f", 0644);
	a.h.a_version = POSIX_ACL_XATTR_VERSION;
	a.e[n++] = (struct posix_acl_xattr_entry){ ACL_USER_OBJ, 6, NOBODY };
	for (unsigned i = 0; i < max; i++) a.e[n++] = (struct posix_acl_xattr_entry){ ACL_USER, i % 8, i + 100 };
	a.e[n++] = (struct posix_acl_xattr_entry){ ACL_GROUP_OBJ, 4, NOBODY };
	a.e[n++] = (struct posix_acl_xattr_entry){ ACL_MASK, 7, NOBODY };
	a.e[n++] = (struct posix_acl_xattr_entry){ ACL_OTHER, 0, NOBODY };
	CHECK(setxattr("f", ACCESS, &a, 4 + n * 8, 0) == 0);
	CHECK_EQ(getxattr("f", ACCESS, &b, sizeof(b)), 4 + n * 8);
	CHECK(!memcmp(&a, &b, 4 + n * 8));
	CHECK(as(100 + max - 1, 1, -1, "f", R_OK) == ((max - 1) % 8 >= 4));
	CHECK(as(107, 1, -1, "f", R_OK | W_OK | X_OK) == 1 && as(101, 1, -1, "f", R_OK) == 0);
}

TEST(immutable)
{
	int on = FS_IMMUTABLE_FL, off = 0;

	need();
	file("f", 0644);
	int fd = open("f", O_RDONLY);
	if (ioctl(fd, FS_IOC_SETFLAGS, &on) < 0) SKIP("no chattr here");
	CHECK_ERR(set("f", ACCESS, "u::rw- u:7:rwx g::rwx m::rw- o::r--"), EPERM);
	CHECK(ioctl(fd, FS_IOC_SETFLAGS, &off) == 0);
}
