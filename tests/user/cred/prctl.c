/* prctl on credentials: the bounding set, securebits, ambient capabilities, and what they mean at exec. */
#define TAP_HOOK
#include "tap.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

static struct __user_cap_data_struct now[2];
static void caps_get(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	CHECK(syscall(SYS_capget, &h, now) == 0);
}
static int caps_set(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	return syscall(SYS_capset, &h, now);
}

/* Run as "program --caps EFFECTIVE PERMITTED": exit 0 if the low words are so. */
static void tap_hook(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], "--caps"))
		return;
	caps_get();
	if (now[0].effective != strtoul(argv[2], NULL, 16) || now[0].permitted != strtoul(argv[3], NULL, 16)) {
		printf("# effective %x permitted %x\n", now[0].effective, now[0].permitted);
		exit(1);
	}
	exit(prctl(PR_GET_KEEPCAPS) ? 2 : 0);
}

static int exec_caps(unsigned eff, unsigned perm)
{
	char a[16], b[16];
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		snprintf(a, sizeof(a), "%x", eff);
		snprintf(b, sizeof(b), "%x", perm);
		execl("/proc/self/exe", "x", "--caps", a, b, (char *)NULL);
		_exit(9);
	}
	return wait_status(pid);
}

TEST(bounding_set_limits_root_at_exec)
{
	caps_get();
	unsigned all = now[0].permitted;
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
	CHECK(EXITED(exec_caps(all, all), 0));
	CHECK(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == 0);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
	caps_get();
	CHECK(now[0].permitted & 1u << CAP_CHOWN);		/* only exec takes it away */
	CHECK(EXITED(exec_caps(all & ~(1u << CAP_CHOWN), all & ~(1u << CAP_CHOWN)), 0));
	CHECK_ERR(prctl(PR_CAPBSET_DROP, 99), EINVAL);
	now[0].inheritable |= 1u << CAP_CHOWN;
	CHECK_ERR(caps_set(), EPERM);				/* neither bounded nor inheritable before */
	caps_get();
	now[0].effective &= ~(1u << CAP_SETPCAP);
	CHECK(caps_set() == 0);
	CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
	CHECK_ERR(prctl(PR_CAPBSET_DROP, 99), EPERM);
}

TEST(keepcaps_ends_at_exec)
{
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECUREBITS), 1 << SECURE_KEEP_CAPS);
	CHECK(setuid(1000) == 0);
	caps_get();
	CHECK(now[0].permitted && !now[0].effective);
	now[0].effective = 1u << CAP_KILL;
	CHECK(caps_set() == 0);
	CHECK(kill(1, 0) == 0);
	CHECK(EXITED(exec_caps(0, 0), 0));
}

TEST(securebits)
{
	caps_get();
	unsigned all = now[0].permitted;
	CHECK_EQ(prctl(PR_GET_SECUREBITS), 0);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 1 << 20), EPERM);
	CHECK(prctl(PR_SET_SECUREBITS, 1 << SECURE_NO_SETUID_FIXUP) == 0);
	CHECK(setresuid(-1, 1000, -1) == 0);
	caps_get();
	CHECK_EQ(now[0].effective, all);			/* no fix-up */
	CHECK(setresuid(-1, 0, -1) == 0);
	CHECK(prctl(PR_SET_SECUREBITS, 1 << SECURE_NOROOT | 1 << SECURE_NOROOT_LOCKED | 1 << SECURE_KEEP_CAPS_LOCKED) == 0);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 1 << SECURE_NOROOT), EPERM);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 1), EPERM);
	CHECK(EXITED(exec_caps(0, 0), 0));			/* root is nobody special */
}

TEST(ambient_capabilities_survive_exec)
{
	unsigned bit = 1u << CAP_KILL;
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);	/* not inheritable yet */
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, 77, CAP_KILL, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 1, 0), EINVAL);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && setuid(1000) == 0);
	caps_get();
	now[0].inheritable = now[0].effective = bit;
	CHECK(caps_set() == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
	CHECK(EXITED(exec_caps(bit, bit), 0));
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0) == 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
	CHECK(EXITED(exec_caps(0, 0), 0));
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	now[0].inheritable = 0;
	CHECK(caps_set() == 0);					/* not inheritable: not ambient either */
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 0);
}

TEST(fsuid_takes_the_file_capabilities)
{
	caps_get();
	unsigned all = now[0].effective;
	syscall(SYS_setfsuid, 1000);
	caps_get();
	CHECK(!(now[0].effective & (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE)) && (now[0].effective & 1u << CAP_KILL));
	syscall(SYS_setfsuid, 0);
	caps_get();
	CHECK_EQ(now[0].effective, all);
}

TEST(new_identity_forgets)
{
	int sig = -1;
	CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK(setresuid(-1, 1000, -1) == 0);
	CHECK(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == 0);
	CHECK(prctl(PR_GET_DUMPABLE) != 1);
}

TEST(timer_slack_and_kin)
{
	int *tid_address = NULL;
	CHECK(prctl(PR_SET_TIMERSLACK, 12345) == 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
	CHECK(prctl(PR_SET_TIMERSLACK, 0) == 0);
	CHECK(prctl(PR_GET_TIMERSLACK) > 0);
	CHECK_EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
	CHECK_ERR(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
	syscall(SYS_set_tid_address, &tid_address);
	if (prctl(PR_GET_TID_ADDRESS, &tid_address) == 0)
		CHECK(tid_address == (int *)&tid_address);
	syscall(SYS_set_tid_address, NULL);
	CHECK_ERR(prctl(PR_SET_NAME, 8), EFAULT);
}
