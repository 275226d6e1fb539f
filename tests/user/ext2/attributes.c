/* Blocks of attributes, which inodes with the same ones share, changed by several programs at once: everybody reads what he set, no block is lost,
 * and e2fsck, which judges the volume afterwards, finds the counts of sharers right. */
#include "ext2.h"
#include <sys/statvfs.h>
#include <sys/xattr.h>

#define PROGRAMS 4
#define FILES 6
#define ROUNDS 400
#define SHAPES 3		/* few, so that blocks are shared all the time */
#define LEN 700			/* no room for it in an inode */

static char b[LEN + 1], v[LEN];

static char *name_of(int program, int file)
{
	static char name[32];
	sprintf(name, "%d-%d", program, file);
	return name;
}

static int last_shape(int program, int file) { return (program + file) % SHAPES; }

static void set(const char *name, int shape)
{
	memset(v, 'a' + shape, LEN);
	CHECK(setxattr(name, "user.x", v, LEN, 0) == 0);
}

static void look(const char *name, int shape)
{
	memset(v, 'a' + shape, LEN);
	CHECK(getxattr(name, "user.x", b, sizeof(b)) == LEN && !memcmp(b, v, LEN));
}

static void program(int n)
{
	int has[FILES];
	unsigned r = n * 7919 + 1;

	for (int f = 0; f < FILES; f++)
		has[f] = -1;
	for (int i = 0; i < ROUNDS; i++) {
		int f = (r = r * 1103515245 + 12345) >> 16 & 0x7fff, shape = f / FILES % (SHAPES + 1);
		f %= FILES;
		if (shape < SHAPES) {
			set(name_of(n, f), shape);
			has[f] = shape;
		} else if (has[f] >= 0) {
			CHECK(removexattr(name_of(n, f), "user.x") == 0);
			has[f] = -1;
		}
		f = i % FILES;
		if (has[f] >= 0)
			look(name_of(n, f), has[f]);
		else
			CHECK_ERR(getxattr(name_of(n, f), "user.x", b, sizeof(b)), ENODATA);
	}
	for (int f = 0; f < FILES; f++)
		set(name_of(n, f), last_shape(n, f));
}

TEST(shared_and_parted_at_once)
{
	struct statvfs before, after;
	have_volume("");
	for (int i = 0; i < PROGRAMS * FILES; i++)
		close(open(name_of(i / FILES, i % FILES), O_CREAT | O_WRONLY, 0600));
	sync();
	CHECK(statvfs(".", &before) == 0);
	for (int n = 0; n < PROGRAMS; n++)
		if (fork() == 0) {
			program(n);
			fflush(stdout);
			_exit(0);
		}
	for (int n = 0; n < PROGRAMS; n++) {
		int status;
		CHECK(wait(&status) > 0 && EXITED(status, 0));
	}
	again(0, "");
	for (int i = 0; i < PROGRAMS * FILES; i++) {
		look(name_of(i / FILES, i % FILES), last_shape(i / FILES, i % FILES));
		if (i % 2)
			CHECK(removexattr(name_of(i / FILES, i % FILES), "user.x") == 0);
	}
	CHECK(statvfs(".", &after) == 0);
	CHECK(before.f_bfree - after.f_bfree >= 1 && before.f_bfree - after.f_bfree <= PROGRAMS * FILES / 2);
	for (int i = 0; i < PROGRAMS * FILES; i += 2)
		CHECK(removexattr(name_of(i / FILES, i % FILES), "user.x") == 0);
	CHECK(statvfs(".", &after) == 0);
	CHECK_EQ(after.f_bfree, before.f_bfree);
	done();
}

/* The volume that e2fsck judges has some that are shared. */
TEST(left_for_the_judge)
{
	have_volume("");
	for (int i = 0; i < FILES; i++) {
		close(open(name_of(0, i), O_CREAT | O_WRONLY, 0600));
		set(name_of(0, i), i % 2);
	}
	done();
}

