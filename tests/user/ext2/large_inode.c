/* What an inode keeps: whole seconds until 2038 in 128 bytes; in 256 nanoseconds until 2446, its birth, and attributes.  --inode chooses. */
#include "ext2.h"
#include <linux/stat.h>
#include <sys/xattr.h>

struct raw_inode { uint8_t small[128]; uint16_t extra_isize, checksum_hi; uint32_t ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra, version_hi, projid, xattr[24]; };

/* The volume's own bytes; it is not mounted. */
static void disk(void *buf, size_t n, off_t at)
{
	int fd = open(VOLUME, O_RDONLY);
	CHECK(fd >= 0 && pread(fd, buf, n, at) == (ssize_t)n && close(fd) == 0);
}

static unsigned inode_size(void)
{
	uint32_t s[32];
	disk(s, sizeof(s), 1024);
	return s[76 / 4] ? s[88 / 4] & 0xffff : 128;
}

static struct raw_inode on_disk(unsigned ino)
{
	struct raw_inode raw = { 0 };
	uint32_t s[32], desc[8], block;

	disk(s, sizeof(s), 1024);
	block = 1024u << s[24 / 4];
	disk(desc, sizeof(desc), (off_t)(s[20 / 4] + 1) * block + (ino - 1) / s[40 / 4] * 32);
	disk(&raw, inode_size() < sizeof(raw) ? inode_size() : sizeof(raw), (off_t)desc[2] * block + (off_t)((ino - 1) % s[40 / 4]) * inode_size());
	return raw;
}

struct birth { struct statx x; bool known; };
static struct birth birth(const char *name)
{
	struct birth b;
	memset(&b, 0, sizeof(b));
	CHECK(syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS | STATX_BTIME, &b.x) == 0);
	b.known = b.x.stx_mask & STATX_BTIME;
	return b;
}

TEST(nanoseconds_after_an_unmount)
{
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1234567890, 999999999 } };
	struct stat st;

	have_volume("");
	write_file("f", "x");
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	again(0, "");
	bool large = inode_size() >= 256;
	CHECK(stat("f", &st) == 0);
	CHECK_EQ(st.st_atim.tv_sec, 1000000000);
	CHECK_EQ(st.st_atim.tv_nsec, large ? 123456789 : 0);
	CHECK_EQ(st.st_mtim.tv_sec, 1234567890);
	CHECK_EQ(st.st_mtim.tv_nsec, large ? 999999999 : 0);
	detach();
	struct raw_inode raw = on_disk(st.st_ino);
	if (large) CHECK(raw.extra_isize == 32 && raw.atime_extra == 123456789u << 2 && raw.mtime_extra == 999999999u << 2);
}

TEST(what_cannot_be_kept_is_not_shown)
{
	struct timespec ts[2] = { { 5, 5 }, { 6, 6 } };
	struct stat st;

	have_volume("");
	write_file("f", "x");
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && stat("f", &st) == 0);
	CHECK_EQ(st.st_atim.tv_nsec, inode_size() >= 256 ? 5 : 0);
	write_file("g", "x");
	CHECK(stat("g", &st) == 0);
	if (inode_size() < 256) CHECK_EQ(st.st_mtim.tv_nsec, 0);
	done();
}

TEST(birth)
{
	struct timespec before, after, ts[2] = { { 5, 5 }, { 6, 6 } };

	have_volume("");
	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	write_file("f", "x");
	CHECK(mkdir("d", 0700) == 0);
	clock_gettime(CLOCK_REALTIME, &after);
	bool large = inode_size() >= 256;
	struct birth a = birth("f");
	CHECK_EQ(a.known, large);
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && chmod("f", 0600) == 0 && rename("f", "g") == 0);
	again(0, "");
	struct birth b = birth("g");
	CHECK_EQ(b.known, large);
	CHECK_EQ(birth("d").known, large);
	if (large) {
		CHECK(b.x.stx_btime.tv_sec >= before.tv_sec && b.x.stx_btime.tv_sec <= after.tv_sec);
		CHECK(b.x.stx_btime.tv_sec == a.x.stx_btime.tv_sec && b.x.stx_btime.tv_nsec == a.x.stx_btime.tv_nsec);
	}
	done();
}

TEST(before_1970_and_after_2038)
{
	static const int64_t asked[] = { -5, -0x80000000ll, -0x80000001ll, -0x7000000000ll, 0x7fffffff, 0x80000000ll, 0xfffffffbll, 0x100000005ll, 0x37fffffffll, 0x380000000ll, 1ll << 40 };
	struct stat st;

	have_volume("");
	int64_t most = inode_size() >= 256 ? 0x37fffffffll : 0x7fffffffll, least = -0x80000000ll;
	for (unsigned n = 0; n < sizeof(asked) / sizeof(asked[0]); n++) {
		char name[8];
		struct timespec ts[2] = { { asked[n], 7 }, { asked[n], 8 } };
		snprintf(name, sizeof(name), "%u", n);
		write_file(name, "");
		CHECK(utimensat(AT_FDCWD, name, ts, 0) == 0);
	}
	for (int turn = 0; turn < 2; turn++, turn < 2 ? again(0, "") : (void)0)
		for (unsigned n = 0; n < sizeof(asked) / sizeof(asked[0]); n++) {
			int64_t want = asked[n] < least ? least : asked[n] > most ? most : asked[n];
			char name[8];
			snprintf(name, sizeof(name), "%u", n);
			CHECK(stat(name, &st) == 0);
			CHECK_EQ(st.st_mtim.tv_sec, want);
			CHECK_EQ(st.st_atim.tv_sec, want);
			CHECK_EQ(st.st_mtim.tv_nsec, inode_size() >= 256 && asked[n] > least && asked[n] < most ? 8 : 0);
		}
	done();
}

/* Attributes as many as fit, in the inode and in a block; each is there after an unmount, whatever was removed and changed between. */
TEST(attributes_in_both_places)
{
	static char v[64][1100], b[4096];
	int len[64], sum = 0;
	unsigned x = 12345;
	struct stat st;

	have_volume("");
	write_file("f", "x");
	memset(len, -1, sizeof(len));
	for (int turn = 0; turn < 600; turn++) {
		char name[32];
		x = x * 1103515245 + 12345;
		int n = x >> 16 & 31, size = (x >> 8 & 63) ? x >> 22 & 63 : 900;
		snprintf(name, sizeof(name), "%s.%d", n % 2 ? "user" : "trusted", n);
		if (x >> 28 > 10) {
			int err = removexattr("f", name);
			CHECK_EQ(err, len[n] < 0 ? -1 : 0);
			len[n] = -1;
			continue;
		}
		memset(v[n + 32], (int)(x >> 5), size);
		if (setxattr("f", name, v[n + 32], size, 0) == 0) {
			len[n] = size;
			memcpy(v[n], v[n + 32], size);
			sum++;
		} else {
			CHECK(errno == ENOSPC);
		}
		if (turn % 200 == 100) again(0, "");
		for (int k = 0; k < 32; k++) {
			snprintf(name, sizeof(name), "%s.%d", k % 2 ? "user" : "trusted", k);
			ssize_t got = getxattr("f", name, b, sizeof(b));
			if (got != len[k] || (got > 0 && memcmp(b, v[k], got))) {
				printf("# turn %d: %s has %zd, not %d\n", turn, name, got, len[k]);
				CHECK(false);
			}
		}
	}
	CHECK(sum > 100);
	ssize_t all = listxattr("f", b, sizeof(b));
	for (int k = 0; k < 32; k++) all -= len[k] >= 0 ? (k % 2 ? 5 : 8) + (k < 10 ? 1 : 2) + 1 : 0;
	CHECK_EQ(all, 0);
	CHECK(stat("f", &st) == 0);
	done();
}

TEST(a_small_one_is_in_the_inode)
{
	char b[64];
	struct stat st;

	have_volume("");
	write_file("f", "");
	CHECK(setxattr("f", "user.a", "small", 5, 0) == 0 && stat("f", &st) == 0);
	CHECK_EQ(st.st_blocks, inode_size() >= 256 ? 0 : 2);
	detach();
	struct raw_inode raw = on_disk(st.st_ino);
	if (inode_size() >= 256) CHECK(raw.extra_isize == 32 && raw.xattr[0] == 0xea020000);
	attach(0, "");
	CHECK(chdir(where) == 0 && chdir("test") == 0);
	CHECK(getxattr("f", "user.a", b, 64) == 5 && !memcmp(b, "small", 5));
	CHECK(removexattr("f", "user.a") == 0);
	detach();
	raw = on_disk(st.st_ino);
	if (inode_size() >= 256) CHECK(raw.xattr[1] == 0);
	attach(0, "");
	done();
}

/* A number that is another's again: nothing of the old one's attributes. */
TEST(a_new_inode_is_clean)
{
	char b[64];
	struct stat st;

	have_volume("");
	for (int turn = 0; turn < 50; turn++) {
		write_file("f", "");
		CHECK_EQ(listxattr("f", b, sizeof(b)), 0);
		CHECK(setxattr("f", "user.a", "small", 5, 0) == 0 && setxattr("f", "trusted.b", "second", 6, 0) == 0 && stat("f", &st) == 0);
		if (turn % 10 == 9) again(0, "");
		CHECK(unlink("f") == 0 && symlink("target", "f") == 0);
		CHECK_EQ(llistxattr("f", b, sizeof(b)), 0);
		CHECK(unlink("f") == 0);
	}
	done();
}
