/* Capabilities of files: who may give them, what execve makes of them, and what takes them away.  capabilities(7). */
#define TAP_HOOK
#include "../copy.h"
#include "../tap.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/xattr.h>

#define NAME	"security.capability"
#define V2	VFS_CAP_REVISION_2
#define V3	VFS_CAP_REVISION_3
#define E	VFS_CAP_FLAGS_EFFECTIVE
#define BIT(c)	(1ull << (c))
#define KILL	BIT(CAP_KILL)
#define CHOWN	BIT(CAP_CHOWN)

static struct vfs_ns_cap_data attr(unsigned magic, uint64_t permitted, uint64_t inheritable)
{
	return (struct vfs_ns_cap_data){ magic, { { permitted, inheritable }, { permitted >> 32, inheritable >> 32 } }, 0 };
}
#define SET(path, magic, p, i) ({ struct vfs_ns_cap_data d_ = attr(magic, p, i); setxattr(path, NAME, &d_, XATTR_CAPS_SZ_2, 0); })

/* What the program sees of itself. */
struct seen { uint64_t eff, perm, inh, amb; unsigned uid, euid, secure; int dumpable, death, pers; uint64_t stack, limit; int err; };
static char copy[300];

static uint64_t status_hex(const char *name)
{
	char b[8192], *p;
	CHECK(read_file("/proc/self/status", b, sizeof(b)) > 0);
	p = strstr(b, name);
	CHECK(p);
	return strtoull(p + strlen(name), NULL, 16);
}

static void tap_hook(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "play"))
		return;
	struct rlimit l;
	struct seen s = { status_hex("CapEff:"), status_hex("CapPrm:"), status_hex("CapInh:"), status_hex("CapAmb:"), getuid(), geteuid(),
			  getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), -1, personality(0xffffffff), (uint64_t)&argc >> 12, 0, 0 };
	prctl(PR_GET_PDEATHSIG, &s.death);
	getrlimit(RLIMIT_STACK, &l);
	s.limit = l.rlim_cur;
	_exit(write(atoi(argv[2]), &s, sizeof(s)) != sizeof(s));
}

/* Run the copy as it is; before: in the child. */
static struct seen run(void (*before)(void))
{
	struct seen s = { .err = -1 };
	char fd[16];
	int p[2];
	CHECK_EQ(pipe(p), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		if (before)
			before();
		snprintf(fd, sizeof(fd), "%d", p[1]);
		execl(copy, "file_caps", "play", fd, (char *)NULL);
		s.err = errno;
		_exit(write(p[1], &s, sizeof(s)) != sizeof(s));
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &s, sizeof(s)), sizeof(s));
	close(p[0]);
	CHECK(EXITED(wait_status(pid), 0));
	return s;
}

static void caps_set(uint64_t eff, uint64_t perm, uint64_t inh)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { eff, perm, inh }, { eff >> 32, perm >> 32, inh >> 32 } };
	CHECK_EQ(syscall(SYS_capset, &h, d), 0);
}

static void ordinary(void) { CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0 && setuid(1000) == 0); }

/* An ordinary user with these capabilities, all in effect. */
static void user_with(uint64_t caps, uint64_t inh)
{
	CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && setuid(1000) == 0);
	caps_set(caps, caps, inh);
}

/* In a scratch directory: this program. */
static void prepare(mode_t mode)
{
	if (geteuid())
		SKIP("needs root");
	scratch();
	CHECK(getcwd(copy, 200));
	strcat(copy, "/copy");
	copy_self(copy, mode);
}

/* --- the attribute */

TEST(what_setxattr_takes)
{
	struct vfs_ns_cap_data d = attr(V2, KILL, 0), got;
	char list[100];

	prepare(0755);
	CHECK_ERR(getxattr(copy, NAME, &got, sizeof(got)), ENODATA);
	for (size_t n = 1; n < 40; n++)
		if (n != XATTR_CAPS_SZ_2)
			CHECK_ERR(setxattr(copy, NAME, &d, n > sizeof(d) ? sizeof(d) : n, 0), EINVAL);
	d = attr(VFS_CAP_REVISION_1, KILL, 0);
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_1, 0), EINVAL);
	d = attr(V2 | 2, KILL, 0);
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_2, 0), EINVAL);
	d = attr(V3, KILL, 0);
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_2, 0), EINVAL);
	d.rootid = -1;
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_3, 0), EINVAL);
	CHECK_ERR(setxattr(copy, NAME, (void *)8, XATTR_CAPS_SZ_2, 0), EFAULT);
	CHECK_ERR(getxattr(copy, NAME, &got, sizeof(got)), ENODATA);
	CHECK_ERR(removexattr(copy, NAME), ENODATA);
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_2, 8), EINVAL);
	d = attr(V2 | E, KILL | BIT(CAP_LAST_CAP), ~0ull);	/* bits that nobody knows are kept */
	CHECK_EQ(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_2, XATTR_CREATE), 0);
	CHECK_ERR(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_2, XATTR_CREATE), EEXIST);
	CHECK_EQ(getxattr(copy, NAME, NULL, 0), XATTR_CAPS_SZ_2);
	CHECK_ERR(getxattr(copy, NAME, &got, XATTR_CAPS_SZ_2 - 1), ERANGE);
	CHECK_EQ(getxattr(copy, NAME, &got, sizeof(got)), XATTR_CAPS_SZ_2);
	CHECK(!memcmp(&d, &got, XATTR_CAPS_SZ_2));
	CHECK_EQ(listxattr(copy, list, sizeof(list)), sizeof(NAME));
	CHECK(!strcmp(list, NAME));
	CHECK_EQ(removexattr(copy, NAME), 0);
	CHECK_EQ(listxattr(copy, list, sizeof(list)), 0);
}

TEST(version_3_names_its_root)
{
	struct vfs_ns_cap_data d = attr(V3 | E, KILL, CHOWN), got;

	prepare(0755);
	CHECK_EQ(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_3, 0), 0);
	CHECK_EQ(getxattr(copy, NAME, &got, sizeof(got)), XATTR_CAPS_SZ_2);	/* user 0 is root anyway */
	CHECK_EQ(got.magic_etc, V2 | E);
	CHECK(!memcmp(got.data, d.data, sizeof(d.data)));
	CHECK_EQ(run(ordinary).perm, KILL);
	d.rootid = 1000;
	CHECK_EQ(setxattr(copy, NAME, &d, XATTR_CAPS_SZ_3, XATTR_REPLACE), 0);
	CHECK_EQ(getxattr(copy, NAME, NULL, 0), XATTR_CAPS_SZ_3);
	CHECK_ERR(getxattr(copy, NAME, &got, XATTR_CAPS_SZ_2), ERANGE);
	CHECK_EQ(getxattr(copy, NAME, &got, sizeof(got)), XATTR_CAPS_SZ_3);
	CHECK(!memcmp(&d, &got, sizeof(d)));
	struct seen s = run(ordinary);			/* not root here */
	CHECK(s.err == 0 && s.perm == 0 && !s.secure);
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);
	CHECK_EQ(run(ordinary).perm, KILL);
}

static void as_owner(void)
{
	ordinary();
	CHECK_ERR(SET(copy, V2, KILL, 0), EPERM);
	CHECK_ERR(SET(copy, V2 | 2, KILL, 0), EINVAL);
	if (on_sarsen())	/* deviates: Debian's Linux, with BPF among its security modules, forgets to ask */
		CHECK_ERR(removexattr(copy, NAME), EPERM);
	struct vfs_ns_cap_data got;
	CHECK_EQ(getxattr(copy, NAME, &got, sizeof(got)), XATTR_CAPS_SZ_2);
}
static void with_admin(void)
{
	user_with(~BIT(CAP_SETFCAP) & (BIT(CAP_LAST_CAP + 1) - 1), 0);
	CHECK_ERR(SET(copy, V2, KILL, 0), EPERM);
	if (on_sarsen())
		CHECK_ERR(removexattr(copy, NAME), EPERM);
}
static void with_setfcap(void)
{
	user_with(BIT(CAP_SETFCAP), 0);
	CHECK_EQ(SET(copy, V2, CHOWN, 0), 0);
	CHECK_EQ(removexattr(copy, NAME), 0);
	if (on_sarsen())	/* the same */
		CHECK_ERR(setxattr(copy, "security.other", "x", 1, 0), EPERM);
}

TEST(who_may_give)
{
	prepare(0755);
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);
	CHECK_EQ(chown(".", 1000, 1000), 0);
	CHECK(EXITED(in_child(as_owner), 0));
	CHECK(EXITED(in_child(with_admin), 0));
	CHECK(EXITED(in_child(with_setfcap), 0));	/* anybody's file */
	CHECK_ERR(getxattr(copy, NAME, NULL, 0), ENODATA);
}

/* --- execve */

TEST(permitted_and_effective)
{
	struct seen s;

	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, KILL | CHOWN, 0), 0);
	s = run(ordinary);
	CHECK_EQ(s.err, 0);
	CHECK(s.uid == 1000 && s.euid == 1000);
	CHECK_EQ(s.perm, KILL | CHOWN);
	CHECK_EQ(s.eff, KILL | CHOWN);
	CHECK_EQ(s.inh | s.amb, 0);
	CHECK_EQ(s.secure, 1);
	CHECK_EQ(s.dumpable, 0);
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);		/* one that raises what it needs itself */
	s = run(ordinary);
	CHECK_EQ(s.perm, KILL);
	CHECK_EQ(s.eff, 0);
	CHECK_EQ(s.secure, 1);
	CHECK_EQ(s.dumpable, 0);
	CHECK_EQ(removexattr(copy, NAME), 0);
	s = run(ordinary);
	CHECK(s.perm == 0 && s.eff == 0 && s.secure == 0 && s.dumpable == 1);
}

static void inheriting(void) { user_with(KILL | CHOWN, CHOWN | KILL); }
static void inheriting_less(void) { user_with(KILL | CHOWN, CHOWN); }

TEST(inheritable)
{
	struct seen s;

	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, 0, KILL), 0);
	s = run(ordinary);
	CHECK(s.err == 0 && s.perm == 0 && s.eff == 0);
	s = run(inheriting);
	CHECK_EQ(s.perm, KILL);
	CHECK_EQ(s.eff, KILL);
	CHECK_EQ(s.inh, KILL | CHOWN);
	s = run(inheriting_less);
	CHECK_EQ(s.perm, 0);
	CHECK_EQ(s.inh, CHOWN);
	CHECK_EQ(SET(copy, V2, CHOWN, KILL), 0);
	s = run(inheriting);
	CHECK_EQ(s.perm, KILL | CHOWN);
	CHECK_EQ(s.eff, 0);
}

static void ambient(void)
{
	user_with(KILL, KILL);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), 0);
}

TEST(ambient_ones_end_at_a_privileged_file)
{
	struct seen s;

	prepare(0755);
	s = run(ambient);
	CHECK(s.perm == KILL && s.eff == KILL && s.amb == KILL && !s.secure);
	CHECK_EQ(SET(copy, V2, CHOWN, 0), 0);
	s = run(ambient);
	CHECK_EQ(s.perm, CHOWN);
	CHECK_EQ(s.eff | s.amb, 0);
	CHECK_EQ(SET(copy, V2, 0, 0), 0);		/* empty sets are capabilities, too */
	s = run(ambient);
	CHECK_EQ(s.perm | s.eff | s.amb, 0);
	CHECK_EQ(s.inh, KILL);
	CHECK_EQ(s.secure, 0);
}

static void bounded(void)
{
	CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_KILL), 0);
	ordinary();
}
static void bounded_root(void) { CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_KILL), 0); }
static void bounded_heir(void)
{
	caps_set(status_hex("CapEff:"), status_hex("CapPrm:"), KILL);
	CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_KILL), 0);
	user_with(KILL, KILL);
}

TEST(bounding_set)
{
	struct seen s;

	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, KILL | CHOWN, 0), 0);
	CHECK_EQ(run(bounded).err, EPERM);		/* it would not notice */
	CHECK_EQ(run(bounded_root).err, EPERM);
	CHECK_EQ(SET(copy, V2, KILL | CHOWN, 0), 0);
	s = run(bounded);
	CHECK_EQ(s.err, 0);
	CHECK_EQ(s.perm, CHOWN);
	CHECK_EQ(SET(copy, V2 | E, 0, KILL), 0);	/* what is inherited is not bounded */
	CHECK_EQ(run(bounded_heir).perm, KILL);
	CHECK_EQ(SET(copy, V2 | E, KILL | BIT(60), 0), 0);	/* capabilities that there are not */
	CHECK_EQ(run(ordinary).perm, KILL);
}

static void promised(void)
{
	ordinary();
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}
static void promised_rich(void)
{
	user_with(KILL, 0);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

TEST(no_new_privs)
{
	struct seen s;

	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, KILL | CHOWN, 0), 0);
	s = run(promised);
	CHECK_EQ(s.err, 0);
	CHECK_EQ(s.perm | s.eff, 0);
	CHECK_EQ(s.dumpable, 1);
	s = run(promised_rich);				/* what it had it may keep */
	CHECK_EQ(s.perm, KILL);
	CHECK_EQ(s.eff, KILL);
}

TEST(mounts_without_suid)
{
	struct seen s;
	char at[300];

	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, KILL, 0), 0);
	CHECK(mkdir("m", 0755) == 0 && mount(".", "m", NULL, MS_BIND, NULL) == 0);
	CHECK_EQ(mount(NULL, "m", NULL, MS_BIND | MS_REMOUNT | MS_NOSUID, NULL), 0);
	strcpy(at, copy);
	strcpy(strrchr(copy, '/'), "/m/copy");
	s = run(ordinary);
	CHECK(s.err == 0 && s.perm == 0 && s.eff == 0 && !s.secure);
	CHECK_EQ(run(bounded).err, 0);
	strcpy(copy, at);
	CHECK_EQ(run(ordinary).perm, KILL);
	CHECK_EQ(umount("m"), 0);
}

static void noroot(void) { CHECK_EQ(prctl(PR_SET_SECUREBITS, 1 << SECURE_NOROOT), 0); }
static void user_noroot(void) { noroot(); ordinary(); }

TEST(root_and_set_user_id)
{
	uint64_t all = status_hex("CapBnd:");
	struct seen s;

	prepare(0755);
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);
	s = run(NULL);
	CHECK_EQ(s.perm, all);
	CHECK_EQ(s.eff, all);
	CHECK_EQ(s.secure, 0);
	s = run(noroot);
	CHECK_EQ(s.perm, KILL);
	CHECK_EQ(s.eff, 0);
	CHECK_EQ(chmod(copy, 04755), 0);
	s = run(ordinary);				/* root's set-user-id program with capabilities gets those alone */
	CHECK_EQ(s.euid, 0);
	CHECK_EQ(s.perm, KILL);
	CHECK_EQ(s.eff, 0);
	CHECK_EQ(s.secure, 1);
	CHECK_EQ(removexattr(copy, NAME), 0);
	s = run(ordinary);
	CHECK_EQ(s.perm, all);
	CHECK_EQ(s.eff, all);
	s = run(user_noroot);
	CHECK(s.euid == 0 && s.perm == 0 && s.secure);
}

/* Exec under current as its tracer, who lets it run: 1 permitted, 2 secure, 4 effective uid 0.  seize: current asked, not the tracee. */
static int exec_traced(bool seize)
{
	struct seen s;
	char fd[16];
	int p[2], go[2], status;
	CHECK(pipe(p) == 0 && pipe(go) == 0);
	pid_t pid = fork();
	if (!pid) {
		if (!getuid())
			ordinary();
		CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
		if (seize)
			CHECK(write(p[1], "r", 1) == 1 && read(go[0], &s, 1) == 1);
		else
			CHECK_EQ(ptrace(PTRACE_TRACEME, 0, 0, 0), 0);
		snprintf(fd, sizeof(fd), "%d", p[1]);
		execl(copy, "file_caps", "play", fd, (char *)NULL);
		_exit(99);
	}
	if (seize)
		CHECK(read(p[0], &s, 1) == 1 && ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 && write(go[1], "x", 1) == 1);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK(EXITED(status, 0));
	CHECK_EQ(read(p[0], &s, sizeof(s)), sizeof(s));
	return (s.perm != 0) | (s.secure != 0) << 1 | (s.euid == 0) << 2;
}
static void tracer_is_ordinary(void)
{
	ordinary();
	CHECK_EQ(exec_traced(false), 2);	/* by the bit it is told so, all the same */
	CHECK_EQ(exec_traced(true), 2);
}

TEST(tracers)
{
	prepare(0755);
	CHECK_EQ(SET(copy, V2 | E, KILL, 0), 0);
	CHECK(EXITED(in_child(tracer_is_ordinary), 0));
	CHECK_EQ(exec_traced(true), 3);		/* root may trace all that comes of it */
	CHECK_EQ(exec_traced(false), 2);	/* but who asks to be traced has to have the right himself */
	CHECK_EQ(removexattr(copy, NAME), 0);
	CHECK_EQ(chmod(copy, 04755), 0);
	CHECK_EQ(exec_traced(true), 7);
	CHECK_EQ(exec_traced(false) & 5, 0);
}

/* --- what it is told, and cannot be told */

static void hostile(void)
{
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };
	CHECK_EQ(setrlimit(RLIMIT_STACK, &l), 0);
	ordinary();
	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
}

TEST(its_starter_orders_nothing)
{
	struct seen s[4];
	int same = 0;

	prepare(0755);
	for (int i = 0; i < 4; i++)
		s[i] = run(hostile);
	for (int i = 1; i < 4; i++)
		same += s[i].stack == s[0].stack;
	CHECK_EQ(same, 3);
	CHECK(s[0].death == SIGKILL && s[0].limit == RLIM_INFINITY && (s[0].pers & ADDR_NO_RANDOMIZE));
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);
	for (int i = 0; i < 4; i++)
		s[i] = run(hostile);
	for (int i = 1, n = 0; i < 4; i++)
		CHECK((n += s[i].stack == s[0].stack) < 3);	/* it lies elsewhere each time */
	CHECK_EQ(s[0].death, 0);
	CHECK_EQ(s[0].limit, 8 << 20);
	CHECK(!(s[0].pers & ADDR_NO_RANDOMIZE));
}

/* --- what takes them */

static bool still(void) { return getxattr(copy, NAME, NULL, 0) == XATTR_CAPS_SZ_2; }
static void give(void)
{
	CHECK_EQ(SET(copy, V2, KILL, 0), 0);
	CHECK(still());
}

TEST(changes_take_them)
{
	int fd, p[2];
	struct iovec v = { "x", 1 };

	prepare(0755);
	fd = open(copy, O_RDWR);
	CHECK(fd >= 0 && pipe(p) == 0);
	give();
	CHECK_EQ(pread(fd, &(char){ 0 }, 1, 0), 1);
	CHECK_EQ(chmod(copy, 0711), 0);
	CHECK_EQ(link(copy, "other"), 0);
	CHECK_EQ(rename("other", "third"), 0);
	CHECK_EQ(utimensat(AT_FDCWD, copy, NULL, 0), 0);
	CHECK_EQ(pwrite(fd, "", 0, 0), 0);
	CHECK(still());
	CHECK_EQ(pwrite(fd, "x", 1, 100), 1);		/* root's, too */
	CHECK(!still());
	CHECK_EQ(pwrite(fd, "x", 1, 100), 1);
	give();
	CHECK_EQ(pwritev(fd, &v, 1, 100), 1);
	CHECK(!still());
	give();
	CHECK(write(p[1], "x", 1) == 1 && splice(p[0], NULL, fd, NULL, 1, 0) == 1);
	CHECK(!still());
	give();
	CHECK_EQ(ftruncate(fd, 5000), 0);
	CHECK(!still());
	give();
	CHECK_EQ(truncate(copy, 5000), 0);
	CHECK(!still());
	give();
	CHECK_EQ(chown(copy, -1, -1), 0);
	CHECK(!still());
	give();
	CHECK_EQ(chown(copy, 1000, -1), 0);
	CHECK(!still());
	give();
	CHECK_EQ(fchown(fd, -1, 1000), 0);
	CHECK(!still());
	give();
	close(open(copy, O_WRONLY | O_TRUNC));
	CHECK(!still());
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(SET("d", V2, KILL, 0), 0);
	CHECK_EQ(chown("d", 1, 1), 0);
	CHECK_EQ(getxattr("d", NAME, NULL, 0), XATTR_CAPS_SZ_2);
}

static void write_as_other(void)
{
	ordinary();
	int fd = open(copy, O_RDWR);
	char c;
	CHECK(fd >= 0 && pread(fd, &c, 1, 100) == 1 && pwrite(fd, &c, 1, 100) == 1);
	close(fd);
}

TEST(written_by_another_it_gives_nothing)
{
	prepare(0777);
	give();
	CHECK_EQ(run(ordinary).perm, KILL);
	CHECK(EXITED(in_child(write_as_other), 0));
	CHECK(!still());
	CHECK_EQ(run(ordinary).perm, 0);
}

/* deviates: on Linux 6.1 anybody may set it, and nobody can execute the file then. */
TEST(an_empty_value)
{
	prepare(0755);
	if (on_sarsen())
		CHECK_ERR(setxattr(copy, NAME, "", 0, 0), EINVAL);
	CHECK_EQ(run(ordinary).err, 0);
}
