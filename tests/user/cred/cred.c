/* User and group ids, groups, capabilities, limits on the powerless. */
#include "tap.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

static void ids(uid_t r, uid_t e, uid_t s) { uid_t a, b, c; CHECK(getresuid(&a, &b, &c) == 0); CHECK_EQ(a, r); CHECK_EQ(b, e); CHECK_EQ(c, s); }
#define SYS1(n, a) syscall(n, a)

TEST(setuid_of_root_sets_all)
{
	CHECK(SYS1(SYS_setuid, 1000) == 0);
	ids(1000, 1000, 1000);
	CHECK_ERR(SYS1(SYS_setuid, 0), EPERM);
	CHECK(SYS1(SYS_setuid, 1000) == 0);
}

TEST(setresuid_moves_among_three)
{
	CHECK(syscall(SYS_setresuid, 1, 2, 3) == 0);
	ids(1, 2, 3);
	CHECK(syscall(SYS_setresuid, 2, 3, 1) == 0);
	ids(2, 3, 1);
	CHECK(syscall(SYS_setresuid, -1, 1, -1) == 0);
	ids(2, 1, 1);
	CHECK_ERR(syscall(SYS_setresuid, 3, -1, -1), EPERM);
	CHECK_ERR(syscall(SYS_setresuid, 0, 0, 0), EPERM);
	CHECK_EQ(geteuid(), 1);
	CHECK_EQ(getuid(), 2);
}

TEST(setreuid_saves)
{
	CHECK(syscall(SYS_setreuid, 10, 20) == 0);
	ids(10, 20, 20);
	CHECK(syscall(SYS_setreuid, 20, 10) == 0);
	ids(20, 10, 10);
	CHECK_ERR(syscall(SYS_setreuid, 30, -1), EPERM);
}

TEST(group_ids)
{
	gid_t a, b, c;
	CHECK(syscall(SYS_setresgid, 1, 2, 3) == 0);
	CHECK(getresgid(&a, &b, &c) == 0 && a == 1 && b == 2 && c == 3);
	CHECK(syscall(SYS_setregid, 5, 6) == 0);
	CHECK(getgid() == 5 && getegid() == 6);
	CHECK(syscall(SYS_setgid, 9) == 0);
	CHECK(getresgid(&a, &b, &c) == 0 && a == 9 && b == 9 && c == 9);
	CHECK(setuid(1000) == 0);
	CHECK_ERR(syscall(SYS_setgid, 8), EPERM);
	CHECK(syscall(SYS_setgid, 9) == 0);
}

TEST(supplementary_groups)
{
	gid_t g[4] = { 30, 10, 20, 10 }, got[8];
	CHECK(setgroups(4, g) == 0);
	CHECK_EQ(getgroups(0, NULL), 4);
	CHECK_EQ(getgroups(8, got), 4);
	CHECK_ERR(getgroups(2, got), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, got), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 70000, got), EINVAL);
	scratch();
	write_file("f", "x"); chmod("f", 0640); chown("f", 0, 20);
	write_file("n", "x"); chmod("n", 0640); chown("n", 0, 21);
	chmod(".", 0755);
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	CHECK(open("f", O_RDONLY) >= 0);
	CHECK_ERR(open("n", O_RDONLY), EACCES);
	CHECK_ERR(setgroups(1, g), EPERM);
}

TEST(fsuid)
{
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsuid(-1), 1000);
	CHECK_EQ(setfsuid(0), 1000);
	CHECK_EQ(setfsgid(5), 0);
	CHECK_EQ(setfsgid(-1), 5);
}

static void caps(uint64_t *eff, uint64_t *perm)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	CHECK(syscall(SYS_capget, &h, d) == 0);
	*eff = d[0].effective | (uint64_t)d[1].effective << 32;
	*perm = d[0].permitted | (uint64_t)d[1].permitted << 32;
}

TEST(capabilities_follow_the_uid)
{
	uint64_t e, p;
	caps(&e, &p);
	CHECK(e >> CAP_KILL & 1 && p >> CAP_SYS_ADMIN & 1);
	CHECK(syscall(SYS_setresuid, 0, 1000, 0) == 0);
	caps(&e, &p);
	CHECK(e == 0 && p != 0);
	CHECK(syscall(SYS_setresuid, 0, 0, 0) == 0);
	caps(&e, &p);
	CHECK(e != 0);
	CHECK(setuid(1000) == 0);
	caps(&e, &p);
	CHECK(e == 0 && p == 0);
}

TEST(capset_drops_for_good)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	CHECK(syscall(SYS_capget, &h, d) == 0);
	d[0].effective &= ~(1u << CAP_CHOWN);
	d[0].permitted &= ~(1u << CAP_CHOWN);
	CHECK(syscall(SYS_capset, &h, d) == 0);
	scratch();
	write_file("f", "x");
	CHECK_ERR(chown("f", 5, 5), EPERM);
	d[0].permitted |= 1u << CAP_CHOWN;
	CHECK_ERR(syscall(SYS_capset, &h, d), EPERM);
	h.version = 0x1234;
	CHECK_ERR(syscall(SYS_capget, &h, d), EINVAL);
	CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.pid = -5;
	CHECK_ERR(syscall(SYS_capget, &h, d), EINVAL);
}

TEST(keepcaps_and_bounding)
{
	uint64_t e, p;
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
	CHECK(setuid(1000) == 0);
	caps(&e, &p);
	CHECK(e == 0 && p != 0);
	CHECK(prctl(PR_CAPBSET_READ, CAP_KILL) == 1);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 99), EINVAL);
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
}

TEST(no_new_privs)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

TEST(powerless_calls)
{
	struct rlimit rl;
	CHECK(setuid(1000) == 0);
	CHECK_ERR(sethostname("x", 1), EPERM);
	CHECK_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0), EPERM);
	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	rl.rlim_max++;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
	rl.rlim_max = rl.rlim_cur = 100;
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
	CHECK_ERR(setpriority(PRIO_PROCESS, 1, 5), EPERM);
	CHECK_ERR(umount("/tmp"), EPERM);
}

TEST(write_by_another_clears_setuid_bit)
{
	struct stat st;
	scratch();
	write_file("f", "x"); chmod("f", 06777); chown("f", 0, 0); chmod("f", 06777);
	CHECK(setgid(1000) == 0 && setuid(1000) == 0);
	int fd = open("f", O_WRONLY);
	CHECK(write(fd, "y", 1) == 1);
	CHECK(stat("f", &st) == 0 && !(st.st_mode & 06000));
}
