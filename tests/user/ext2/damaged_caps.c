/* Capabilities of a file that the disk has wrong: a version that nobody knows, a size that is no version's.  Whoever executes the file gets EINVAL, and no
 * capability.  What is right but old is obeyed. */
#define TAP_HOOK
#include "../copy.h"
#include "ext2.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/xattr.h>

#define NAME	"security.capability"
#define KILL	(1u << CAP_KILL)
#define GAINS	40			/* how the program ends if it has CAP_KILL */

struct entry { uint8_t name_len, name_index; uint16_t value_off; uint32_t value_block, value_size, hash; char name[10]; };	/* security.: index 6 */

static void tap_hook(int argc, char **argv)
{
	char b[8192], *p;
	if (argc < 2 || strcmp(argv[1], "play"))
		return;
	p = read_file("/proc/self/status", b, sizeof(b)) > 0 ? strstr(b, "CapPrm:") : NULL;
	_exit(!p ? 1 : strtoull(p + 7, NULL, 16) == KILL ? GAINS : strtoull(p + 7, NULL, 16) != 0);
}

/* How the program ends that an ordinary user executes; the errno of execve with 100 added. */
static int run(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
		execl("copy", "copy", "play", (char *)NULL);
		_exit(100 + errno);
	}
	int status = wait_status(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char all[16 << 20];	/* the volume */
static uint32_t rare;		/* as inheritable: by it the value is found there; not in the program, of which there is a copy */

/* Unmount, make the value on the disk that of a version and a size, mount. */
static void damage(uint32_t magic, uint32_t size)
{
	static uint32_t was = XATTR_CAPS_SZ_2;
	struct entry *e = NULL;
	char *value, *p;
	ssize_t len;

	detach();
	int fd = open(VOLUME, O_RDWR);
	CHECK(fd >= 0 && (len = pread(fd, all, sizeof(all), 0)) > 0);
	value = memmem(all, (size_t)len, &rare, 4);
	CHECK(value && !memmem(value + 1, (size_t)(all + len - value - 1), &rare, 4));
	for (p = all; !e && (p = memmem(p, (size_t)(all + len - p), "capability", 10)); p++)
		if (((struct entry *)(p - 16))->name_len == 10 && ((struct entry *)(p - 16))->name_index == 6 && ((struct entry *)(p - 16))->value_size == was)
			e = (struct entry *)(p - 16);
	CHECK(e);
	e->value_size = was = size;
	CHECK_EQ(pwrite(fd, e, 16, (char *)e - all), 16);
	CHECK_EQ(pwrite(fd, &magic, 4, value - 8 - all), 4);
	CHECK(fsync(fd) == 0 && close(fd) == 0);
	attach(0, "");
	CHECK(chdir(where) == 0 && chdir("test") == 0);
}

TEST(damaged_ones_give_nothing)
{
	static const struct { uint32_t magic, size; int end; } cases[] = {
		{ 0x05000000, XATTR_CAPS_SZ_2, 100 + EINVAL }, { 0, XATTR_CAPS_SZ_2, 100 + EINVAL }, { 0xffffffff, XATTR_CAPS_SZ_2, 100 + EINVAL },
		{ VFS_CAP_REVISION_3, XATTR_CAPS_SZ_2, 100 + EINVAL }, { VFS_CAP_REVISION_1, XATTR_CAPS_SZ_2, 100 + EINVAL },
		{ VFS_CAP_REVISION_2, XATTR_CAPS_SZ_2 - 1, 100 + EINVAL }, { VFS_CAP_REVISION_2, XATTR_CAPS_SZ_1, 100 + EINVAL },
		{ VFS_CAP_REVISION_2, 3, 100 + EINVAL }, { VFS_CAP_REVISION_2, 0, 100 + EINVAL },
		{ VFS_CAP_REVISION_1, XATTR_CAPS_SZ_1, GAINS }, { VFS_CAP_REVISION_2, XATTR_CAPS_SZ_2, GAINS },
	};
	struct vfs_cap_data d = { VFS_CAP_REVISION_2, { { KILL, rare = 0x5a000000u | (unsigned)getpid() << 4 }, { 0, 0 } } };

	if (geteuid()) SKIP("needs root");
	have_volume("");
	CHECK_EQ(chmod(where, 0755), 0);
	copy_self("copy", 0755);
	CHECK_EQ(run(), 0);
	CHECK_EQ(setxattr("copy", NAME, &d, XATTR_CAPS_SZ_2, 0), 0);
	CHECK_EQ(run(), GAINS);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		damage(cases[i].magic, cases[i].size);
		printf("# version %#x, %u bytes\n", cases[i].magic, cases[i].size);
		CHECK_EQ(run(), cases[i].end);
		if (cases[i].end != GAINS)
			CHECK_ERR(getxattr("copy", NAME, &d, sizeof(d)), EINVAL);
	}
	CHECK_EQ(unlink("copy"), 0);
	done();
}
