/* Directories: names and the inodes they stand for, in blocks that are read through the directory's own page cache.
 *
 * A name is found by looking through the blocks, the one first where the last was found, for programs as a rule ask in the order in which the
 * names stand.  A new name goes into the first room that is large enough, from the block on where the last one went; removing a name
 * gives its room to the entry before it, so that entries never move, and a position in the directory stays what it was.
 *
 * Nothing in a block is believed: each entry is judged when it is passed (dirblock.c); a damaged one ends the search in that block with an
 * error, once for the volume's policy.
 *
 * A directory that was indexed by another system (dir_index) reads as an ordinary one: the index is hidden in unused entries.  Changing it
 * here makes the index wrong, so the flag goes with the first change. */
#include <fs/ext2/dirblock.h>
#include <fs/ext2/ext2.h>
#include <fs/file.h>
#include <kernel/abi/dirent.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/fs.h>
#include <linux/stat.h>
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

/* Look for the name from block `first` on, round the end: *b and *off are its entry.  -ENOENT. */
static int find(struct inode *dir, const char *name, u32 len, u32 first, struct dirblock *b, u32 *off)
{
	u32 nr = nr_blocks(dir);
	int found, err;

	*b = (struct dirblock){ 0 };
	if (first >= nr)
		first = 0;
	for (u32 i = 0; i < nr; i++) {
		err = block_get(dir, first + i < nr ? first + i : first + i - nr, b);
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

int ext2_dir_find(struct inode *dir, const char *name, u32 len, u32 *ino)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, READ_ONCE(ext2_i(dir)->look_hint), &b, &off);

	if (err)
		return err;
	WRITE_ONCE(ext2_i(dir)->look_hint, b.n);
	*ino = ext2_dirent_at(b.data, off)->inode;
	block_put(&b);
	return 0;
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
	int err;

	if (pos + s->geo.block_size > 0x7fffffff)
		return -EFBIG;
	block_put(b);
	err = ext2_dir_grow(dir, n);
	if (err)
		return err;
	if (pos & (PAGE_SIZE - 1)) {
		err = block_get(dir, n, b);
		if (err)
			return err;
	} else {		/* nothing of the page is worth reading */
		err = filemap_grab(&dir->data, pos >> PAGE_SHIFT, GFP_NOIO, &b->page);
		if (err)
			return err;
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
	u32 nr = nr_blocks(dir);
	int found, err;

	*b = (struct dirblock){ 0 };
	for (u32 n = min(ext2_i(dir)->room_hint, nr); n < nr; n++) {
		err = block_get(dir, n, b);
		if (err)
			return err;
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
	u32 off;
	int err = find_room(dir, len, &b, &off);

	if (err)
		return err;
	ext2_i(dir)->room_hint = b.n;
	ext2_dirblock_insert(b.data, off, name, len, (u32)i->ino, type_of(dir, i->mode));
	changed(dir, &b);
	return 0;
}

int ext2_dir_remove(struct inode *dir, const char *name, u32 len)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, ext2_i(dir)->look_hint, &b, &off);

	if (err)
		return err;
	ext2_dirblock_remove(b.data, block_size(dir), off);
	ext2_i(dir)->look_hint = b.n;
	ext2_i(dir)->room_hint = min(ext2_i(dir)->room_hint, b.n);
	changed(dir, &b);
	return 0;
}

int ext2_dir_set(struct inode *dir, const char *name, u32 len, u32 ino, u32 mode)
{
	struct dirblock b;
	u32 off;
	int err = find(dir, name, len, ext2_i(dir)->look_hint, &b, &off);

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

const struct file_ops ext2_dir_fops = { .readdir = ext2_readdir, .seek = ext2_dir_seek, .fsync = ext2_fsync, .ioctl = ext2_ioctl };
