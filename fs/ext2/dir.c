/* Directories: names and the inodes they stand for, in blocks that are read through the directory's own page cache.
 *
 * A name is found by looking through the blocks, the one first where the last was found, for programs as a rule ask in the order in which the
 * names stand.  A new name goes into the first room that is large enough, from the entry on where the last one went; removing a name
 * gives its room to the entry before it, so that entries never move, and a position in the directory stays what it was.
 *
 * That a name is not there takes all blocks to say, and programs that make many files ask just that for each.  So searches are counted, by
 * the blocks they passed in vain; when that is as much as looking through the directory twice, it is looked through once more and its names are
 * put into a table by hash (names.c), which lives as long as the inode is in memory and follows each change.  The price is in proportion to what was
 * wasted before, and directories of one block, which are most, never have one.  If there is no memory to spare for it, there is none.
 * ".." is not looked for in it, because that is asked for without the directory's lock.
 *
 * Nothing in a block is believed: each entry is judged when it is passed (dirblock.c); a damaged one ends the search in that block with an
 * error, once for the volume's policy.
 *
 * A directory that was indexed by another system (dir_index) reads as an ordinary one: the index is hidden in unused entries.  Changing it
 * here makes the index wrong, so the flag goes with the first change. */
#include <fs/ext2/dirblock.h>
#include <fs/ext2/ext2.h>
#include <fs/ext2/names.h>
#include <fs/file.h>
#include <kernel/abi/dirent.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <mm/writeback.h>

/* One block of a directory: a reference on its page. */
struct dirblock { struct page *page; char *data; u32 n; };

static u32 nr_blocks(const struct inode *dir) { return (u32)(dir->size >> ext2_sb(dir->sb)->geo.block_bits); }
static u32 block_size(const struct inode *dir) { return ext2_sb(dir->sb)->geo.block_size; }
static u32 nr_inodes(const struct inode *dir) { return ext2_sb(dir->sb)->geo.inodes_count; }

static void block_put(struct dirblock *b)
{
	if (b->page)
		page_put(b->page);
	b->page = NULL;
}

/* Block n; what *b was is let go. */
static int block_get(struct inode *dir, u32 n, struct dirblock *b)
{
	u64 pos = (u64)n << ext2_sb(dir->sb)->geo.block_bits;
	int err = 0;

	if (!b->page || b->page->index != pos >> PAGE_SHIFT) {
		block_put(b);
		err = filemap_get(&dir->data, pos >> PAGE_SHIFT, false, &b->page);
		if (err) {
			b->page = NULL;
			return err == -EIO ? ext2_error(ext2_sb(dir->sb), "directory %lu: block %u cannot be read", dir->ino, n) : err;
		}
	}
	b->data = (char *)page_address(b->page) + (pos & (PAGE_SIZE - 1));
	b->n = n;
	return 0;
}

static int damaged(struct inode *dir, const struct dirblock *b, u32 off)
{
	const char *why = ext2_dirblock_wrong(b->data, block_size(dir), off, nr_inodes(dir));

	return ext2_error(ext2_sb(dir->sb), "directory %lu: entry at %lu: %s", dir->ino, (u64)b->n * block_size(dir) + off, why ? why : "it has changed");
}

/* --- the table of names --- */

#define NAMES_FIRST	512u

void ext2_names_drop(struct ext2_inode *d)
{
	kvfree(d->names);
	d->names = NULL;
}

/* A table of nr slots.  NULL: so much memory cannot be spared. */
static struct ext2_names *names_alloc(u32 nr)
{
	struct ext2_names *n = names_bytes(nr) / PAGE_SIZE < page_nr_free() / 16 ? kvmalloc(names_bytes(nr), GFP_NOIO | GFP_ZERO) : NULL;

	if (n)
		names_init(n, nr);
	return n;
}

/* Add to *n a name that stands at off, or drop *n. */
static bool names_put(struct ext2_names **n, const char *name, u32 len, u64 off)
{
	struct ext2_names *larger;

	if (unlikely(names_full(*n))) {
		larger = names_alloc(2 * ((*n)->mask + 1));
		if (larger)
			names_copy(larger, *n);
		kvfree(*n);
		*n = larger;
		if (!larger)
			return false;
	}
	names_add(*n, names_hash(name, len), off);
	return true;
}

static bool names_put_block(struct inode *dir, const struct dirblock *b, struct ext2_names **n)
{
	u32 off = 0, size = block_size(dir);

	while (off < size) {
		const struct ext2_dirent *e = ext2_dirent_at(b->data, off);

		if (ext2_dirblock_wrong(b->data, size, off, nr_inodes(dir)))
			return false;		/* who looks for a name will tell of it */
		if (e->inode && !names_put(n, e->name, e->name_len, (u64)b->n * size + off))
			return false;
		off += e->rec_len;
	}
	return true;
}

/* blocks more were looked through in vain: make the table if that is enough. */
static void searched(struct inode *dir, u32 blocks)
{
	struct ext2_inode *d = ext2_i(dir);
	struct dirblock b = { 0 };
	struct ext2_names *n;
	u32 nr = nr_blocks(dir);
	bool ok;

	d->search_debt += blocks;
	if (d->search_debt < 2 * nr || d->names)
		return;
	d->search_debt = 0;
	n = names_alloc(NAMES_FIRST);
	ok = n;
	for (u32 i = 0; i < nr && ok; i++)
		ok = !block_get(dir, i, &b) && names_put_block(dir, &b, &n);
	block_put(&b);
	if (ok)
		d->names = n;
	else
		kvfree(n);
}

/* --- looking for a name --- */

static int find_by_hash(struct inode *dir, const char *name, u32 len, struct dirblock *b, u32 *off)
{
	const struct ext2_names *n = ext2_i(dir)->names;
	u32 hash = names_hash(name, len), bits = ext2_sb(dir->sb)->geo.block_bits, at = names_first(n, hash);
	int found = 0, err;
	u64 pos;

	while (!found && names_next(n, hash, &at, &pos)) {
		err = block_get(dir, (u32)(pos >> bits), b);
		if (err)
			return err;
		*off = (u32)(pos & ((1u << bits) - 1));
		found = ext2_dirblock_is(b->data, block_size(dir), nr_inodes(dir), name, len, *off);
	}
	if (found > 0)
		return 0;
	err = found ? damaged(dir, b, *off) : -ENOENT;
	block_put(b);
	return err;
}

static int find_by_looking(struct inode *dir, const char *name, u32 len, u32 first, struct dirblock *b, u32 *off, u32 *passed)
{
	u32 nr = nr_blocks(dir);
	int found, err;

	if (first >= nr)
		first = 0;
	for (*passed = 0; *passed < nr; ++*passed) {
		err = block_get(dir, first + *passed < nr ? first + *passed : first + *passed - nr, b);
		if (err)
			return err;
		found = ext2_dirblock_find(b->data, block_size(dir), nr_inodes(dir), name, len, off);
		if (found > 0)
			return 0;
		if (unlikely(found < 0)) {
			err = damaged(dir, b, *off);
			block_put(b);
			return err;
		}
	}
	block_put(b);
	return -ENOENT;
}

static inline bool is_dotdot(const char *name, u32 len) { return len == 2 && name[0] == '.' && name[1] == '.'; }

/* Look for the name; *b and *off are its entry.  -ENOENT. */
static int find(struct inode *dir, const char *name, u32 len, struct dirblock *b, u32 *off)
{
	bool dotdot = is_dotdot(name, len);
	u32 passed;
	int err;

	*b = (struct dirblock){ 0 };
	if (!dotdot && ext2_i(dir)->names)
		return find_by_hash(dir, name, len, b, off);
	err = find_by_looking(dir, name, len, dotdot ? 0 : ext2_i(dir)->look_hint, b, off, &passed);
	if (passed > 1 && !dotdot)
		searched(dir, passed - 1);
	return err;
}

int ext2_dir_find(struct inode *dir, const char *name, u32 len, u32 *ino)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, &b, &off);

	if (err)
		return err;
	if (!is_dotdot(name, len))
		ext2_i(dir)->look_hint = b.n;
	*ino = ext2_dirent_at(b.data, off)->inode;
	block_put(&b);
	return 0;
}

int ext2_dir_name_of(struct inode *dir, const struct inode *child, char *name)
{
	struct dirblock b = { 0 };
	int err = -ENOENT;

	for (u32 n = 0; n < nr_blocks(dir) && err == -ENOENT; n++) {
		int got = block_get(dir, n, &b);

		if (got)
			return got;
		for (u32 off = 0, size = block_size(dir); off < size && err == -ENOENT; off += ext2_dirent_at(b.data, off)->rec_len) {
			const struct ext2_dirent *e = ext2_dirent_at(b.data, off);

			if (ext2_dirblock_wrong(b.data, size, off, nr_inodes(dir))) {
				err = damaged(dir, &b, off);
				break;
			}
			if (e->inode != child->ino)
				continue;
			memcpy(name, e->name, e->name_len);
			name[e->name_len] = 0;
			err = 0;
		}
	}
	block_put(&b);
	return err;
}

static u8 type_of(const struct inode *dir, u32 mode)
{
	static const u8 types[16] = { [1] = EXT2_FT_FIFO, [2] = EXT2_FT_CHR, [4] = EXT2_FT_DIR, [6] = EXT2_FT_BLK, [8] = EXT2_FT_REG,
				      [10] = EXT2_FT_LNK, [12] = EXT2_FT_SOCK };

	return ext2_sb(dir->sb)->geo.incompat & EXT2_FILETYPE ? types[mode_to_dt(mode)] : EXT2_FT_UNKNOWN;
}

/* A block was changed. */
static void changed(struct inode *dir, struct dirblock *b)
{
	struct ext2_inode *d = ext2_i(dir);

	page_set_dirty(b->page);
	block_put(b);
	dir->version++;
	if (d->flags & EXT2_INDEX_FL) {
		d->flags &= ~(u32)EXT2_INDEX_FL;
		inode_mark_dirty(dir, INODE_DIRTY_DATASYNC);
	}
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

/* A new last block, one unused entry. */
static int append(struct inode *dir, struct dirblock *b)
{
	struct ext2_super *s = ext2_sb(dir->sb);
	u32 n = nr_blocks(dir);
	u64 pos = (u64)n << s->geo.block_bits;
	bool shared = pos & (PAGE_SIZE - 1);	/* its page, with the block before it */
	int err = 0;

	if (pos + s->geo.block_size > 0x7fffffff)
		return -EFBIG;
	block_put(b);
	if (shared)		/* read before the block is taken */
		err = block_get(dir, n - 1, b);
	if (!err)
		err = ext2_dir_grow(dir, n);
	if (err)
		return err;
	if (shared) {
		err = block_get(dir, n, b);
	} else {		/* nothing of the page is worth reading */
		err = filemap_grab(&dir->data, pos >> PAGE_SHIFT, GFP_NOIO, &b->page);
		if (err)
			b->page = NULL;
	}
	if (err) {
		ext2_trim(dir);
		return err;
	}
	if (!shared) {
		memset(page_address(b->page), 0, PAGE_SIZE);
		page_mark_uptodate(b->page);
		page_unlock(b->page);
		b->data = page_address(b->page);
		b->n = n;
	}
	ext2_dirblock_init(b->data, s->geo.block_size);
	i_size_write(dir, pos + s->geo.block_size);
	inode_mark_dirty(dir, INODE_DIRTY_DATASYNC);
	return 0;
}

/* Room for a name of that length: an entry that has it. */
static int find_room(struct inode *dir, u32 len, struct dirblock *b, u32 *off)
{
	u32 nr = nr_blocks(dir), hint = ext2_i(dir)->room_hint;
	int found, err;

	*b = (struct dirblock){ 0 };
	for (u32 n = min(hint, nr); n < nr; n++) {
		err = block_get(dir, n, b);
		if (err)
			return err;
		*off = n == hint ? ext2_i(dir)->room_off : 0;
		found = ext2_dirblock_room(b->data, block_size(dir), nr_inodes(dir), len, off);
		if (found > 0)
			return 0;
		if (unlikely(found < 0)) {
			err = damaged(dir, b, *off);
			block_put(b);
			return err;
		}
	}
	*off = 0;
	err = append(dir, b);
	if (err)
		block_put(b);
	return err;
}

int ext2_dir_add(struct inode *dir, const char *name, u32 len, const struct inode *i)
{
	struct dirblock b;
	struct ext2_inode *d = ext2_i(dir);
	u32 off;
	int err = find_room(dir, len, &b, &off);

	if (err)
		return err;
	off = ext2_dirblock_insert(b.data, off, name, len, (u32)i->ino, type_of(dir, i->mode));
	d->room_hint = b.n;
	d->room_off = off;
	if (d->names)
		names_put(&d->names, name, len, (u64)b.n * block_size(dir) + off);
	changed(dir, &b);
	return 0;
}

int ext2_dir_remove(struct inode *dir, const char *name, u32 len)
{
	struct ext2_inode *d = ext2_i(dir);
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, &b, &off);

	if (err)
		return err;
	ext2_dirblock_remove(b.data, block_size(dir), off);
	d->look_hint = b.n;
	if (b.n <= d->room_hint) {
		d->room_hint = b.n;
		d->room_off = 0;	/* what stood there may be a part of the entry before it now */
	}
	if (d->names)
		names_remove(d->names, names_hash(name, len), (u64)b.n * block_size(dir) + off);
	changed(dir, &b);
	return 0;
}

int ext2_dir_pin(struct inode *dir, const char *name, u32 len, struct page **page)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, &b, &off);

	if (!err) {
		if (!is_dotdot(name, len))
			ext2_i(dir)->look_hint = b.n;
		*page = b.page;
	}
	return err;
}

int ext2_dir_set(struct inode *dir, const char *name, u32 len, u32 ino, u32 mode)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, &b, &off);

	if (err)
		return err;
	ext2_dirent_at(b.data, off)->inode = ino;
	ext2_dirent_at(b.data, off)->file_type = type_of(dir, mode);
	changed(dir, &b);
	return 0;
}

int ext2_dir_make(struct inode *dir, u32 parent)
{
	struct dirblock b = { 0 };
	int err = append(dir, &b);
	u8 type = type_of(dir, S_IFDIR);

	if (err)
		return err;
	ext2_dirblock_insert(b.data, 0, ".", 1, (u32)dir->ino, type);
	ext2_dirblock_insert(b.data, 0, "..", 2, parent, type);
	page_set_dirty(b.page);
	block_put(&b);
	return 0;
}

int ext2_dir_is_empty(struct inode *dir)
{
	struct dirblock b = { 0 };
	u32 off, nr = nr_blocks(dir);
	int err = 0, empty = 1;

	for (u32 n = 0; n < nr && !err && empty > 0; n++) {
		err = block_get(dir, n, &b);
		if (err)
			break;
		empty = ext2_dirblock_empty(b.data, block_size(dir), nr_inodes(dir), &off);
		if (empty < 0)
			err = damaged(dir, &b, off);
	}
	block_put(&b);
	return err ? err : empty ? 0 : -ENOTEMPTY;
}

/* --- reading it --- */

static u32 dt_of(const struct inode *dir, const struct ext2_dirent *e)
{
	static const u8 types[EXT2_FT_MAX] = { DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK };

	return ext2_sb(dir->sb)->geo.incompat & EXT2_FILETYPE && e->file_type < EXT2_FT_MAX ? types[e->file_type] : DT_UNKNOWN;
}

/* Tell of the entries of a block from offset `from` on, which need not be an entry's any more.  1: the program has enough. */
static int emit_block(struct inode *dir, struct dirblock *b, u32 from, struct dir_context *ctx)
{
	u64 base = (u64)b->n * block_size(dir);
	u32 off = 0;

	while (off < block_size(dir)) {
		const struct ext2_dirent *e = ext2_dirent_at(b->data, off);

		if (unlikely(ext2_dirblock_wrong(b->data, block_size(dir), off, nr_inodes(dir))))
			return damaged(dir, b, off);
		if (off >= from && e->inode && !ctx->emit(ctx, e->name, e->name_len, e->inode, dt_of(dir, e), base + off + e->rec_len))
			return 1;
		off += e->rec_len;
	}
	return 0;
}

static int ext2_readdir(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct dirblock b = { 0 };
	u32 nr = nr_blocks(dir), bits = ext2_sb(dir->sb)->geo.block_bits;
	int err = 0;

	while (!err && ctx->pos >> bits < nr) {
		u32 n = (u32)(ctx->pos >> bits), from = (u32)(ctx->pos & ((1u << bits) - 1));

		err = block_get(dir, n, &b);
		if (!err)
			err = emit_block(dir, &b, from, ctx);
		if (err <= 0)		/* a damaged block is left behind: what follows can still be seen */
			ctx->pos = (u64)(n + 1) << bits;
	}
	block_put(&b);
	return err < 0 ? err : 0;
}

static s64 ext2_dir_seek(struct file *f, s64 off, int whence)
{
	if (whence == SEEK_CUR)
		off += (s64)f->pos;
	else if (whence == SEEK_END)
		off += (s64)i_size_read(f->inode);
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

const struct file_ops ext2_dir_fops = {
	.open = ext2_open, .readdir = ext2_readdir, .seek = ext2_dir_seek, .fsync = ext2_fsync, .ioctl = ext2_ioctl };
