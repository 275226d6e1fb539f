/* Directory blocks: see the header.  Each walk judges an entry before it uses it; none goes on behind one that is damaged. */
#include <fs/ext2/dirblock.h>
#include <kernel/lib/string.h>

#define SECTOR 512u		/* what a device writes whole or not at all */

const char *ext2_dirblock_wrong(const void *block, u32 size, u32 off, u32 inodes)
{
	const struct ext2_dirent *e = ext2_dirent_at(block, off);

	if (off % 4 || off > size - 8)
		return "it does not end with the block";
	if (unlikely(e->rec_len < EXT2_DIRENT_LEN(1) && !(e->rec_len >= 8 && !e->inode)))
		return "rec_len is too small";
	if (unlikely(e->rec_len % 4))
		return "rec_len is not a multiple of 4";
	if (unlikely(e->rec_len > size - off))
		return "rec_len leads out of the block";
	if (unlikely(e->inode && EXT2_DIRENT_LEN(e->name_len) > e->rec_len))
		return "name_len is larger than rec_len";
	if (unlikely(e->inode > inodes))
		return "there is no such inode";
	if (unlikely(e->inode && !e->name_len))
		return "it has no name";
	return NULL;
}

/* The judgement of almost every entry, in few instructions: nothing is wrong with one of a name.  left: bytes from it to the block's end. */
static inline bool plain(const struct ext2_dirent *e, u32 left, u32 inodes)
{
	u32 len = e->rec_len;

	return len >= EXT2_DIRENT_LEN(e->name_len) && len <= left && len % 4 == 0 && e->inode <= inodes && e->name_len;
}

static inline u32 bytes4(const char *p) { return *(const u32 *)p; }

/* Names in one directory tend to begin alike, so their ends are compared first. */
static inline bool same_name(const struct ext2_dirent *e, const char *name, u32 len)
{
	if (e->name_len != len || !e->inode)
		return false;
	if (likely(len >= 4)) {
		if (bytes4(e->name + len - 4) != bytes4(name + len - 4))
			return false;
		len -= 4;
	}
	return !memcmp(e->name, name, len);
}

int ext2_dirblock_is(const void *block, u32 size, u32 inodes, const char *name, u32 len, u32 off)
{
	if (unlikely(ext2_dirblock_wrong(block, size, off, inodes)))
		return -1;
	return same_name(ext2_dirent_at(block, off), name, len);
}

int ext2_dirblock_find(const void *block, u32 size, u32 inodes, const char *name, u32 len, u32 *off)
{
	u32 at = 0;

	while (at < size) {
		const struct ext2_dirent *e = ext2_dirent_at(block, at);

		*off = at;
		if (unlikely(size - at < 8 || !plain(e, size - at, inodes)) && ext2_dirblock_wrong(block, size, at, inodes))
			return -1;
		if (same_name(e, name, len))
			return 1;
		at += e->rec_len;
	}
	return 0;
}

static u32 used_len(const struct ext2_dirent *e) { return e->inode ? EXT2_DIRENT_LEN(e->name_len) : 0; }

int ext2_dirblock_room(const void *block, u32 size, u32 inodes, u32 name_len, u32 *off)
{
	u32 at = *off;

	while (at < size) {
		const struct ext2_dirent *e = ext2_dirent_at(block, at);

		*off = at;
		if (unlikely(size - at < 8 || !plain(e, size - at, inodes)) && ext2_dirblock_wrong(block, size, at, inodes))
			return -1;
		if (e->rec_len - used_len(e) >= EXT2_DIRENT_LEN(name_len))
			return 1;
		at += e->rec_len;
	}
	return 0;
}

/* The device may be reading the block just now, for somebody who writes it back, and if power fails then, what it got is what there is.  So after
 * each store the block is whole: an entry is unused until all of it is there.  (Release: the stores before are seen before.) */
u32 ext2_dirblock_insert(void *block, u32 off, const char *name, u32 len, u32 ino, u8 type)
{
	struct ext2_dirent *e = ext2_dirent_at(block, off);

	if (e->inode) {		/* behind it, in what it does not need */
		u32 used = used_len(e);
		struct ext2_dirent *next = ext2_dirent_at(block, off + used);

		next->inode = 0;	/* what is there may be anything */
		next->name_len = 0;
		next->rec_len = (u16)(e->rec_len - used);
		__atomic_store_n(&e->rec_len, (u16)used, __ATOMIC_RELEASE);
		off += used;
		e = next;
	}
	e->name_len = (u8)len;
	e->file_type = type;
	memcpy(e->name, name, len);
	memset(e->name + len, 0, EXT2_DIRENT_LEN(len) - 8 - len);
	__atomic_store_n(&e->inode, ino, __ATOMIC_RELEASE);
	return off;
}

void ext2_dirblock_remove(void *block, u32 size, u32 off)
{
	struct ext2_dirent *e = ext2_dirent_at(block, off), *prev = NULL;

	for (u32 at = 0; at < off && at < size; at += prev->rec_len)
		prev = ext2_dirent_at(block, at);
	e->inode = 0;
	if (prev && off % SECTOR)
		__atomic_store_n(&prev->rec_len, (u16)(prev->rec_len + e->rec_len), __ATOMIC_RELEASE);
}

void ext2_dirblock_init(void *block, u32 size)
{
	memset(block, 0, size);
	for (u32 at = 0; at < size; at += SECTOR)
		ext2_dirent_at(block, at)->rec_len = SECTOR;
}

int ext2_dirblock_empty(const void *block, u32 size, u32 inodes, u32 *off)
{
	u32 at = 0;

	while (at < size) {
		const struct ext2_dirent *e = ext2_dirent_at(block, at);

		*off = at;
		if (unlikely(ext2_dirblock_wrong(block, size, at, inodes)))
			return -1;
		if (e->inode && !(e->name_len == 1 && e->name[0] == '.') && !(e->name_len == 2 && e->name[0] == '.' && e->name[1] == '.'))
			return 0;
		at += e->rec_len;
	}
	return 1;
}
