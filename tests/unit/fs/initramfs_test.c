/* The initramfs unpacked into a tmpfs of our own, plain and compressed, whole, cut off anywhere, bent anywhere, and out of memory
 * anywhere: what it says, what it leaves, and that it looks and stays inside its bytes. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <mm/slab.h>
#include <syscall_protos.h>
#define Z_SOLO
#include <zlib.h>
#include <tests/unit/unit.h>

void unit_setup(void);

static struct fs_struct fs0;
static struct path home;

/* --- where the bodies go ------------------------------------------------------------------------------------------------------------- */
static struct content { struct inode *inode; u32 len; u8 data[100000]; } contents[8];
static u32 nr_contents;
static bool disk_full;

ssize_t vfs_write_kernel(struct file *f, const void *buf, size_t len, u64 *pos)
{
	struct content *c = contents;

	if (disk_full)
		return -ENOSPC;
	while (c < contents + nr_contents && c->inode != f->inode)
		c++;
	if (c == contents + ARRAY_SIZE(contents) || *pos + len > sizeof(c->data))
		return -ENOSPC;
	if (c == contents + nr_contents) {
		nr_contents++;
		c->inode = f->inode;
		c->len = 0;
	}
	if (*pos != c->len)
		return -EIO;		/* not in order */
	memcpy(c->data + c->len, buf, len);
	c->len += (u32)len;
	*pos += len;
	f->inode->size = *pos;
	return (ssize_t)len;
}

/* --- an archive ------------------------------------------------------------------------------------------------------------------------ */
static u8 archive[400000], packed[400000], bent[400000];
static u32 archive_len, packed_len;
static u8 big[90001];

static void add(const char *name, u32 mode, u32 nlink, u32 ino, u32 rdev_minor, const void *data, u32 len)
{
	char head[120];
	u32 n = (u32)strlen(name) + 1;

	ksnprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ino, mode, 7u, 9u, nlink, 1000000u + ino, len,
		  8u, 1u, 5u, rdev_minor, n, 0u);
	memcpy(archive + archive_len, head, 110);
	memcpy(archive + archive_len + 110, name, n);
	archive_len = (u32)ALIGN_UP(archive_len + 110 + n, 4);
	memcpy(archive + archive_len, data, len);
	archive_len = (u32)ALIGN_UP(archive_len + len, 4);
}

static void trailer(void) { add("TRAILER!!!", 0, 1, 0, 0, NULL, 0); }

static void small_archive(void)
{
	memset(archive, 0, sizeof(archive));
	archive_len = 0;
	add("d", 040751, 2, 1, 0, NULL, 0);
	add("d/f", 0100640, 1, 2, 0, "hello, world", 12);
	add("d/s", 0120777, 1, 3, 0, "f", 1);
	add("d/one", 0100600, 2, 4, 0, NULL, 0);		/* a file of two names: the last brings the body */
	add("two", 0100600, 2, 4, 0, "linked", 6);
	add("null", 020666, 1, 5, 3, NULL, 0);
	add("pipe", 010644, 1, 6, 0, NULL, 0);
	trailer();
}

static void big_archive(void)
{
	for (u32 i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i * i >> 7 ^ i);
	small_archive();
	archive_len -= 124;			/* without the trailer */
	add("big", 0100755, 1, 9, 0, big, sizeof(big));
	trailer();
}

static void *z_take(void *o, unsigned n, unsigned size) { (void)o; return host_alloc((size_t)n * size); }
static void z_give(void *o, void *p) { (void)o; host_free(p); }

static void gzip(int level)
{
	static const u8 head[] = { 0x1f, 0x8b, 8, 8 | 16 | 4, 0, 0, 0, 0, 0, 3, 3, 0, 'x', 'y', 'z', 'n', 'a', 'm', 'e', 0, 'c', 0 };
	z_stream z = { .zalloc = z_take, .zfree = z_give };
	u32 crc = (u32)crc32(crc32(0, NULL, 0), archive, archive_len);

	memcpy(packed, head, sizeof(head));
	deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	z.next_in = archive;
	z.avail_in = archive_len;
	z.next_out = packed + sizeof(head);
	z.avail_out = sizeof(packed) - 100;
	deflate(&z, Z_FINISH);
	packed_len = (u32)(sizeof(head) + z.total_out);
	deflateEnd(&z);
	memcpy(packed + packed_len, &crc, 4);
	memcpy(packed + packed_len + 4, &archive_len, 4);
	packed_len += 8;
}

/* --- where it goes ----------------------------------------------------------------------------------------------------------------------- */
static void enter(void)
{
	nr_contents = 0;
	sys_mount("none", "/i", "tmpfs", 0, NULL);
	path_lookup(AT_FDCWD, "/i", 0, &home);
	fs0.cwd = home;
}

static void leave(void)
{
	fs0.cwd = fs0.root;
	path_put(&home);
	sys_umount2("/i", 2 /* MNT_DETACH */);
	while (dcache_shrink(1000))
		;
	rcu_barrier();
}

/* Unpack bytes that end where an unreadable page begins. */
static int unpack(const u8 *data, u32 len)
{
	static u8 *end;

	if (!end)
		end = (u8 *)host_guarded(sizeof(archive)) + sizeof(archive);
	memcpy(end - len, data, len);
	return initramfs_unpack(end - len, len);
}

static struct inode *inode_at(const char *name)
{
	struct path p;
	struct inode *i;

	if (path_lookup(AT_FDCWD, name, 0, &p))
		return NULL;
	i = p.dentry->inode;
	path_put(&p);
	return i;		/* the tmpfs keeps it */
}

static bool holds(const char *name, const void *data, u32 len)
{
	struct inode *i = inode_at(name);

	for (u32 k = 0; i && k < nr_contents; k++)
		if (contents[k].inode == i)
			return contents[k].len == len && i->size == len && !memcmp(contents[k].data, data, len);
	return false;
}

static bool is(const char *name, u32 mode, u32 nlink, u32 mtime)
{
	struct inode *i = inode_at(name);

	return i && i->mode == mode && i->nlink == nlink && i->uid == 7 && i->gid == 9 && i->mtime.sec == (s64)mtime;
}

static bool small_is_there(void)
{
	struct inode *link = inode_at("d/s"), *null = inode_at("null");

	return is("d", 040751, 2, 1000001) && is("d/f", 0100640, 1, 1000002) && holds("d/f", "hello, world", 12) && is("d/s", 0120777, 1, 1000003) &&
	       link && link->size == 1 && is("d/one", 0100600, 2, 1000004) && inode_at("two") == inode_at("d/one") && holds("two", "linked", 6) &&
	       is("null", 020666, 1, 1000005) && null && null->rdev == MKDEV_K(5, 3) && is("pipe", 010644, 1, 1000006);
}

TEST(setup)
{
	struct path root;

	unit_setup();
	dcache_init();
	inode_cache_init();
	file_cache_init();
	EXPECT_EQ(mount_root_fs("rootfs", &root), 0);
	refcount_set(&fs0.refs, 1);
	fs0.root = fs0.cwd = root;
	path_get(&root);
	unit_current->fs = &fs0;
	unit_current->files = fdtable_create();
	EXPECT_EQ(vfs_mkdir("/i", 0755), 0);
}

TEST(plain)
{
	small_archive();
	enter();
	EXPECT_EQ(unpack(archive, archive_len), 0);
	EXPECT(small_is_there());
	EXPECT_EQ(unpack(archive, archive_len), 0);	/* over itself: all is replaced */
	EXPECT(is("d", 040751, 2, 1000001) && is("d/one", 0100600, 2, 1000004));
	leave();
}

TEST(compressed)
{
	for (int level = 0; level <= 9; level += 3) {
		big_archive();
		gzip(level);
		enter();
		EXPECT_EQ(unpack(packed, packed_len), 0);
		EXPECT(small_is_there() && holds("big", big, sizeof(big)) && is("big", 0100755, 1, 1000009));
		leave();
	}
}

TEST(several_in_a_row)
{
	u32 at;

	small_archive();
	memset(archive + archive_len, 0, 780);
	at = archive_len += 780;
	add("more", 0100644, 1, 2, 0, "more", 4);	/* the number of an earlier file of one name: no link */
	add("last", 0100644, 2, 4, 0, "last", 4);	/* links end with their archive */
	trailer();
	enter();
	EXPECT_EQ(unpack(archive, archive_len), 0);
	EXPECT(small_is_there() && holds("more", "more", 4) && holds("last", "last", 4));
	leave();
	memcpy(bent, archive, at);			/* the first plain, the second compressed */
	memmove(archive, archive + at, archive_len - at);
	archive_len -= at;
	gzip(6);
	memcpy(bent + at, packed, packed_len);
	enter();
	EXPECT_EQ(unpack(bent, at + packed_len), 0);
	EXPECT(small_is_there() && holds("last", "last", 4));
	leave();
}

TEST(odd_entries)
{
	static char name[4200];

	small_archive();
	archive_len -= 124;
	add("single", 0100644, 1, 4, 0, "single", 6);	/* the number of a file of two names, but with one of its own */
	add("x", 040755, 2, 20, 0, NULL, 0);
	add("x", 0100644, 1, 21, 0, "file", 4);		/* an empty directory makes room */
	add("d", 0100644, 1, 22, 0, "file", 4);		/* one that is not empty does not */
	memset(name, 'n', 4095);
	add(name, 0100644, 1, 23, 0, NULL, 0);		/* as long as a path may be, too long for a name: passed over */
	add("weird", 0150644, 1, 24, 0, NULL, 0);	/* of no type */
	add("end", 0100644, 1, 25, 0, "end", 3);
	trailer();
	enter();
	EXPECT_EQ(unpack(archive, archive_len), 0);
	EXPECT(is("single", 0100644, 1, 1000004) && holds("single", "single", 6) && holds("x", "file", 4) && is("d", 040751, 2, 1000001));
	EXPECT(!inode_at("weird") && is("end", 0100644, 1, 1000025));
	leave();
	small_archive();
	archive_len -= 124;
	name[4095] = 'n';
	add(name, 0100644, 1, 23, 0, NULL, 0);		/* longer than any path: the archive is damaged */
	trailer();
	enter();
	EXPECT_EQ(unpack(archive, archive_len), -EINVAL);
	leave();
}

/* Cut off anywhere: an error is told, and everything is given back. */
TEST(truncated)
{
	u64 live = 0;

	small_archive();
	for (u32 len = 0; len < archive_len - 4; len++) {
		int err;

		enter();
		err = unpack(archive, len);
		leave();
		if (len == 1)
			live = host_live();		/* the caches are warm */
		EXPECT_EQ(err, len ? -EINVAL : 0);
		EXPECT(len < 2 || host_live() == live);
	}
	gzip(6);
	for (u32 len = 1; len < packed_len; len++) {
		enter();
		EXPECT_EQ(unpack(packed, len), -EINVAL);
		leave();
		EXPECT_EQ(host_live(), live);
	}
}

TEST(checksum_and_garbage)
{
	static const char *const not_one[] = { "x", "07070", "\x1f\x8b\x08", "\x1f\x8b", "070707000000", "BZh91AY" };

	small_archive();
	gzip(6);
	for (u32 i = 1; i <= 8; i++) {		/* the trailer of the gzip stream: its checksum and its length */
		memcpy(bent, packed, packed_len);
		bent[packed_len - i] ^= 1;
		enter();
		EXPECT_EQ(unpack(bent, packed_len), -EINVAL);
		leave();
	}
	for (u32 i = 0; i < ARRAY_SIZE(not_one); i++) {
		enter();
		EXPECT_EQ(unpack((const u8 *)not_one[i], (u32)strlen(not_one[i])), -EINVAL);
		leave();
	}
}

TEST(damaged)
{
	small_archive();
	gzip(6);
	for (u32 round = 0; round < 6000; round++) {
		bool plain = round & 1;
		u32 len = plain ? archive_len : packed_len, changes = 1 + (u32)unit_below(4);

		memcpy(bent, plain ? archive : packed, len);
		while (changes--)
			bent[unit_below(len)] = (u8)(plain && unit_below(2) ? '0' + unit_below(10) : unit_random());
		enter();
		unpack(bent, len);
		leave();
	}
}

/* A file that cannot be written is told of and passed over; the rest comes. */
TEST(disk_is_full)
{
	small_archive();
	disk_full = true;
	enter();
	EXPECT_EQ(unpack(archive, archive_len), 0);
	EXPECT(is("null", 020666, 1, 1000005) && is("d/s", 0120777, 1, 1000003));
	leave();
	disk_full = false;
}

TEST(every_allocation_fails_once)
{
	u64 live = 0;

	small_archive();
	for (u64 n = 0; n < 500; n++) {
		bool hit;

		enter();
		unit_fail_after = n;
		unpack(archive, archive_len);
		hit = unit_fail_after == ~0ull;
		unit_fail_after = ~0ull;
		if (!hit) {
			EXPECT(small_is_there() && n > 10);
			leave();
			return;
		}
		leave();
		if (n == 0)
			live = host_live();
		EXPECT_EQ(host_live(), live);
	}
	EXPECT(false);
}
