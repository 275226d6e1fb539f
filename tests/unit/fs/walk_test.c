/* Path walking, creation, removal, renaming, mounts, on the host under AddressSanitizer. */
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/tmpfs/tmpfs.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <syscall_protos.h>

#include <tests/unit/unit.h>

void unit_setup(void);
struct cred *unit_cred(void);

/* ONCE - evaluated once; all of a test's run, each that is wrong is shown. */
#define ONCE(expr, want) do { long __v = (long)(expr); \
	if (__v != (long)(want)) { unit_note(#expr " is %ld, not %ld", __v, (long)(want)); unit_fail(#expr, __FILE__, __LINE__); } } while (0)
#define IS ONCE

static struct fs_struct fs0;
static int at(const char *name, u32 flags)
{
	struct path p;
	int err = path_lookup(AT_FDCWD, name, flags, &p);

	if (!err)
		path_put(&p);
	return err;
}

static u64 ino(const char *name)
{
	struct path p;
	u64 n;

	if (path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p))
		return 0;
	n = p.dentry->inode->ino;
	path_put(&p);
	return n;
}

static int touch(const char *name)
{
	struct file *f;
	int err = vfs_open(name, O_WRONLY | O_CREAT, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static int is_path(const char *name, const char *want)
{
	static char buf[4096];
	struct path p;
	char *s;
	int err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	s = path_string(&p, buf, sizeof(buf));
	path_put(&p);
	return s && !strcmp(s, want);
}

static void basic(void)
{
	char name[300], deep[5000];

	ONCE(vfs_mkdir("/a", 0755), 0);
	ONCE(vfs_mkdir("/a", 0755), -EEXIST);
	ONCE(vfs_mkdir("a/b", 0755), 0);
	ONCE(vfs_mkdir("a/b/c/", 0755), 0);
	ONCE(vfs_mkdir("x/y", 0755), -ENOENT);
	ONCE(touch("a/f"), 0);
	ONCE(touch("a/f"), 0);
	ONCE(touch("a/new/"), -EISDIR);
	ONCE(vfs_mkdir("a/f/g", 0755), -ENOTDIR);
	ONCE(at("a/f/", 0), -ENOTDIR);
	ONCE(at("a/f/.", 0), -ENOTDIR);
	ONCE(at("a/b/../f", 0), 0);
	ONCE(at("//a//b///c//", LOOKUP_DIRECTORY), 0);
	ONCE(at("a/f", LOOKUP_DIRECTORY), -ENOTDIR);
	ONCE(at("", 0), -ENOENT);
	ONCE(at("", LOOKUP_EMPTY), 0);
	ONCE(at("/../../a", 0), 0);
	ONCE(at("nope", 0), -ENOENT);
	ONCE(at("nope", 0), -ENOENT);
	ONCE(is_path("a/b/../b/c/.", "/a/b/c"), 1);
	ONCE(is_path("/", "/"), 1);
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	ONCE(touch(name), 0);
	ONCE(at(name, 0), 0);
	ONCE(vfs_symlink(name, "longlink"), 0);
	ONCE(at("longlink", LOOKUP_FOLLOW), 0);
	name[255] = 'n';
	name[256] = 0;
	ONCE(touch(name), -ENAMETOOLONG);
	for (int i = 0; i < 4094; i++)
		deep[i] = i & 1 ? '.' : '/';
	deep[4094] = 0;
	ONCE(sys_faccessat(AT_FDCWD, deep, 0), 0);
	memset(deep, '/', 4095);
	deep[4095] = 0;
	ONCE(sys_faccessat(AT_FDCWD, deep, 0), 0);
	deep[4095] = '/';
	deep[4096] = 0;
	ONCE(sys_faccessat(AT_FDCWD, deep, 0), -ENAMETOOLONG);
}

static void links(void)
{
	char name[8] = "l0", to[8];

	ONCE(vfs_symlink("b/c", "a/l"), 0);
	ONCE(ino("a/l") == ino("a/b/c"), 1);
	ONCE(at("a/l/../c", 0), 0);
	ONCE(at("a/l/", 0), 0);
	ONCE(vfs_symlink("loop", "loop"), 0);
	ONCE(at("loop", LOOKUP_FOLLOW), -ELOOP);
	ONCE(at("loop", 0), 0);
	ONCE(vfs_symlink("/a/f", "abs"), 0);
	ONCE(ino("abs") == ino("a/f"), 1);
	ONCE(at("abs/", 0), -ENOTDIR);
	ONCE(vfs_symlink("a", "l0"), 0);
	for (int i = 1; i <= 40; i++) {
		to[0] = name[0] = 'l';
		int n = i - 1;
		to[1] = (char)('0' + n / 10); to[2] = (char)('0' + n % 10); to[3] = 0;
		if (n == 0) { to[1] = '0'; to[2] = 0; }
		name[1] = (char)('0' + i / 10); name[2] = (char)('0' + i % 10); name[3] = 0;
		ONCE(vfs_symlink(to, name), 0);
	}
	ONCE(at("l39", LOOKUP_FOLLOW), 0);
	ONCE(at("l40", LOOKUP_FOLLOW), -ELOOP);
	ONCE(at("l30/b/c", 0), 0);
	/* O_CREAT through a dangling link makes the target */
	ONCE(vfs_symlink("a/made", "dangling"), 0);
	ONCE(touch("dangling"), 0);
	ONCE(at("a/made", 0), 0);
	struct file *f;
	ONCE(vfs_open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600, &f), -EEXIST);
	ONCE(vfs_open("loop", O_RDONLY | O_NOFOLLOW, 0, &f), -ELOOP);
	ONCE(vfs_open("a", O_RDWR, 0, &f), -EISDIR);
	ONCE(vfs_open("a/f", O_RDONLY | O_DIRECTORY, 0, &f), -ENOTDIR);
}

static void removal(void)
{
	ONCE(sys_unlinkat(AT_FDCWD, "a", 0), -EISDIR);
	ONCE(sys_unlinkat(AT_FDCWD, "a", AT_REMOVEDIR), -ENOTEMPTY);
	ONCE(sys_unlinkat(AT_FDCWD, "a/.", AT_REMOVEDIR), -EINVAL);
	ONCE(sys_unlinkat(AT_FDCWD, "a/..", AT_REMOVEDIR), -ENOTEMPTY);
	ONCE(sys_unlinkat(AT_FDCWD, "/", AT_REMOVEDIR), -EBUSY);
	ONCE(sys_unlinkat(AT_FDCWD, "a/f", AT_REMOVEDIR), -ENOTDIR);
	ONCE(sys_unlinkat(AT_FDCWD, "a/made", 0), 0);
	ONCE(sys_unlinkat(AT_FDCWD, "a/made", 0), -ENOENT);
	ONCE(touch("a/made"), 0);
	ONCE(sys_unlinkat(AT_FDCWD, "a/made", 0), 0);
	/* a removed working directory */
	ONCE(vfs_mkdir("gone", 0755), 0);
	ONCE(sys_chdir("gone"), 0);
	ONCE(sys_unlinkat(AT_FDCWD, "/gone", AT_REMOVEDIR), 0);
	ONCE(touch("x"), -ENOENT);
	ONCE(at(".", 0), 0);
	ONCE(at("..", 0), 0);
	ONCE(is_path(".", "/gone (deleted)"), 1);
	ONCE(sys_chdir("/"), 0);
}

static void renames(void)
{
	struct path was = fs0.cwd, dead;

	ONCE(vfs_mkdir("replaced", 0755), 0);		/* nothing is made in a directory that a rename took the place of */
	ONCE(vfs_mkdir("instead", 0755), 0);
	ONCE(path_lookup(AT_FDCWD, "replaced", 0, &dead), 0);
	ONCE(sys_renameat2(AT_FDCWD, "instead", AT_FDCWD, "replaced", 0), 0);
	fs0.cwd = dead;
	ONCE(touch("late"), -ENOENT);
	ONCE(vfs_mkdir("late", 0755), -ENOENT);
	fs0.cwd = was;
	path_put(&dead);
	ONCE(sys_unlinkat(AT_FDCWD, "replaced", AT_REMOVEDIR), 0);
	ONCE(vfs_mkdir("d1", 0755), 0);
	ONCE(vfs_mkdir("d2", 0755), 0);
	ONCE(touch("d1/f"), 0);
	u64 n = ino("d1/f");
	ONCE(sys_renameat2(AT_FDCWD, "d1/f", AT_FDCWD, "d2/g", 0), 0);
	ONCE(at("d1/f", 0), -ENOENT);
	ONCE(ino("d2/g") == n, 1);
	ONCE(touch("d1/h"), 0);
	ONCE(sys_renameat2(AT_FDCWD, "d1/h", AT_FDCWD, "d2/g", RENAME_NOREPLACE), -EEXIST);
	ONCE(sys_renameat2(AT_FDCWD, "d1/h", AT_FDCWD, "d2/g", RENAME_EXCHANGE), 0);
	ONCE(ino("d1/h") == n, 1);
	ONCE(sys_renameat2(AT_FDCWD, "d1/h", AT_FDCWD, "d2/g", 0), 0);
	ONCE(ino("d2/g") == n, 1);
	ONCE(sys_renameat2(AT_FDCWD, "d1", AT_FDCWD, "d1/sub", 0), -EINVAL);
	ONCE(sys_renameat2(AT_FDCWD, "d2/g", AT_FDCWD, "d1", 0), -EISDIR);
	ONCE(sys_renameat2(AT_FDCWD, "d1", AT_FDCWD, "d2/g", 0), -ENOTDIR);
	ONCE(sys_renameat2(AT_FDCWD, "d1", AT_FDCWD, "d2", 0), -ENOTEMPTY);
	ONCE(sys_renameat2(AT_FDCWD, "d2/g", AT_FDCWD, "d2", 0), -ENOTEMPTY);
	ONCE(sys_renameat2(AT_FDCWD, "d2", AT_FDCWD, "d1", 0), 0);
	ONCE(is_path("d1/g", "/d1/g"), 1);
	ONCE(at("d2", 0), -ENOENT);
	ONCE(vfs_mkdir("d1/e", 0755), 0);
	ONCE(sys_renameat2(AT_FDCWD, "d1/e", AT_FDCWD, "a_rather_long_name_that_does_not_fit_into_the_dentry_itself", 0), 0);
	ONCE(at("a_rather_long_name_that_does_not_fit_into_the_dentry_itself/..", 0), 0);
	ONCE(sys_renameat2(AT_FDCWD, "a_rather_long_name_that_does_not_fit_into_the_dentry_itself", AT_FDCWD, "d1/e", 0), 0);
	ONCE(sys_linkat(AT_FDCWD, "d1/g", AT_FDCWD, "d1/g2", 0), 0);
	ONCE(sys_renameat2(AT_FDCWD, "d1/g", AT_FDCWD, "d1/g2", 0), 0);
	ONCE(at("d1/g", 0), 0);
	ONCE(sys_linkat(AT_FDCWD, "d1", AT_FDCWD, "d3", 0), -EPERM);
}

static void mounts(void)
{
	ONCE(vfs_mkdir("mnt", 0755), 0);
	u64 below = ino("mnt");
	ONCE(vfs_mount_kernel("t", "mnt", "tmpfs", 0, "size=1m"), 0);
	ONCE(vfs_mount_kernel("t", "mnt", "tmpfs", 0, "bogus=1"), -EINVAL);
	ONCE(vfs_mount_kernel("t", "mnt", "nofs", 0, ""), -ENODEV);
	ONCE(touch("mnt/inside"), 0);
	ONCE(is_path("mnt/inside", "/mnt/inside"), 1);
	ONCE(ino("mnt/..") == ino("/"), 1);
	ONCE(sys_linkat(AT_FDCWD, "a/f", AT_FDCWD, "mnt/f", 0), -EXDEV);
	ONCE(sys_renameat2(AT_FDCWD, "a/f", AT_FDCWD, "mnt/f", 0), -EXDEV);
	ONCE(sys_unlinkat(AT_FDCWD, "mnt", AT_REMOVEDIR), -EBUSY);
	ONCE(vfs_mkdir("mnt/sub", 0755), 0);
	ONCE(vfs_mount_kernel("mnt", "a/b", "", MS_BIND, NULL), 0);
	ONCE(at("a/b/inside", 0), 0);
	ONCE(is_path("a/b/sub/..", "/a/b"), 1);
	ONCE(vfs_mount_kernel(NULL, "a/b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	ONCE(touch("a/b/ro"), -EROFS);
	ONCE(touch("mnt/rw"), 0);
	ONCE(sys_umount2("a/b", 0), 0);
	ONCE(sys_umount2("a/b", 0), -EINVAL);
	ONCE(sys_chdir("mnt"), 0);
	ONCE(sys_umount2("/mnt", 0), -EBUSY);
	ONCE(sys_umount2("/mnt", 2), 0);
	ONCE(at("inside", 0), 0);
	ONCE(ino("/mnt") == below, 1);
	ONCE(sys_chdir("/"), 0);
}

static void permissions(void)
{
	struct cred *c = unit_cred();

	ONCE(vfs_mkdir("priv", 0700), 0);
	ONCE(touch("priv/f"), 0);
	ONCE(vfs_mkdir("sticky", 0777), 0);
	ONCE(sys_fchmodat(AT_FDCWD, "sticky", 01777), 0);
	ONCE(touch("sticky/roots"), 0);
	c->fsuid = c->uid = 1000;
	c->fsgid = c->gid = 1000;
	c->cap_effective = 0;
	ONCE(at("priv/f", 0), -EACCES);
	ONCE(at("priv", 0), 0);
	ONCE(touch("a/theirs"), -EACCES);
	ONCE(touch("sticky/mine"), 0);
	ONCE(sys_unlinkat(AT_FDCWD, "sticky/roots", 0), -EPERM);
	ONCE(sys_unlinkat(AT_FDCWD, "sticky/mine", 0), 0);
	ONCE(sys_fchmodat(AT_FDCWD, "a/f", 0777), -EPERM);
	c->fsuid = c->uid = c->fsgid = c->gid = 0;
	c->cap_effective = ~0ull;
}

/* Every allocation of a create fails once: an errno, no leak, and then it works. */
static void failures(void)
{
	for (u64 n = 0; n < 20; n++) {
		unit_fail_after = n;
		int err = touch("failing_with_a_name_that_is_longer_than_forty_bytes");
		bool injected = unit_fail_after == ~0ull;

		unit_fail_after = ~0ull;
		if (!injected) {
			ONCE(err, 0);
			break;
		}
		IS(err == -ENOMEM || err == 0, 1);
		sys_unlinkat(AT_FDCWD, "failing_with_a_name_that_is_longer_than_forty_bytes", 0);
	}
	sys_unlinkat(AT_FDCWD, "failing_with_a_name_that_is_longer_than_forty_bytes", 0);
}

static void churn(void)
{
	char name[16];
	u64 live = 0;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5000; i++) {
			name[0] = 'c';
			for (int k = 0, v = i; k < 5; k++, v /= 10)
				name[1 + k] = (char)('0' + v % 10);
			name[6] = 0;
			touch(name);
		}
		for (int i = 4999; i >= 0; i--) {
			for (int k = 0, v = i; k < 5; k++, v /= 10)
				name[1 + k] = (char)('0' + v % 10);
			if (sys_unlinkat(AT_FDCWD, name, 0))
				ONCE(i, -1);
		}
		while (dcache_shrink(1000))
			;
		rcu_barrier();
		if (!round)
			live = host_live();
	}
	ONCE(host_live() == live, 1);
}

TEST(setup)
{
	struct path root;

	unit_setup();
	dcache_init();
	inode_cache_init();
	file_cache_init();
	ONCE(mount_root_fs("rootfs", &root), 0);
	refcount_set(&fs0.refs, 1);
	fs0.root = fs0.cwd = root;
	path_get(&root);
	unit_current->fs = &fs0;
	unit_current->files = fdtable_create();
}

TEST(basic) { basic(); }
TEST(links) { links(); }
TEST(removal) { removal(); }
TEST(renames) { renames(); }
TEST(mounts) { mounts(); }
TEST(permissions) { permissions(); }
TEST(failures) { failures(); }
TEST(churn) { churn(); }
