/* Inodes: from the table on the disk into memory and back, and their end.
 *
 * What an inode says is judged when it is read: its type, its size against what it could name, its count of links (0: nobody should have
 * led us here).  Its block pointers are judged when they are followed.
 *
 * An inode is written into its place in the table, one block of the device's cache among many; fsync then waits for that block, and for the
 * tables of blocks before it.  When the last user of a file without a name goes, its blocks are given back, then its number. */
#include <fs/ext2/ext2.h>
#include <fs/ext2/times.h>
#include <fs/file.h>
#include <fs/fileattr.h>
#include <fs/handle.h>
#include <fs/write_gate.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static struct slab_cache *cache;

void ext2_inode_init_caches(void)
{
	if (cache)
		return;
	cache = slab_cache_create("ext2_inode", sizeof(struct ext2_inode), 0, NULL);
	if (cache)
		slab_set_reclaimable(cache);
}

struct inode *ext2_alloc_inode(struct super *sb)
{
	struct ext2_inode *e = slab_alloc(cache, GFP_NOIO | GFP_ZERO);

	(void)sb;
	if (!e)
		return NULL;
	rwsem_init(&e->map_lock, LC_FS_PRIVATE);
	mutex_init(&e->raw_lock, LC_META);
	e->meta_first = ~0ull;
	return &e->vfs;
}

void ext2_free_inode(struct inode *i) { slab_free(cache, ext2_i(i)); }

static int read_raw(struct ext2_super *s, u64 ino, struct buffer *b, struct ext2_disk_inode **raw, bool surely)
{
	u32 group = (u32)((ino - 1) / s->geo.inodes_per_group), index = (u32)((ino - 1) % s->geo.inodes_per_group);
	u32 per_block = s->geo.block_size / s->geo.inode_size, table = ext2_desc(s, group)->inode_table;
	u32 block = table + index / per_block, row = index / per_block & ~7u;
	int err;

	if (!buffer_cached(s->bdev, block, s->geo.block_size))		/* neighbours are asked for next, as a rule */
		buffers_readahead(s->bdev, table + row, min(8u, s->geo.table_blocks - row), s->geo.block_size);
	err = surely ? ext2_block_read_surely(s, block, b) : ext2_block_read(s, block, b);
	if (err)
		return err == -EIO ? ext2_error(s, "inode %lu: block %u of the table cannot be read", ino, block) : err;
	*raw = (struct ext2_disk_inode *)((char *)b->data + index % per_block * s->geo.inode_size);
	return 0;
}

int ext2_raw_read(struct ext2_super *s, u64 ino, struct buffer *b, struct ext2_disk_inode **raw) { return read_raw(s, ino, b, raw, false); }

void ext2_flags_to_vfs(struct ext2_inode *e) { fileattr_to_inode(&e->vfs, e->flags); }

void ext2_set_ops(struct inode *i)
{
	i->data.writer = i->sb->writer;
	i->data.iomap = &ext2_iomap_ops;
	i->data.ops = &iomap_aops;
	switch (READ_ONCE(i->mode) & S_IFMT_K) {
	case S_IFREG:
		i->ops = &ext2_file_iops;
		i->fops = &ext2_file_fops;
		break;
	case S_IFDIR:
		i->ops = &ext2_dir_iops;
		i->fops = &ext2_dir_fops;
		break;
	case S_IFLNK:
		i->ops = &ext2_link_iops;
		break;
	default:
		i->ops = &ext2_special_iops;
		break;
	}
}

/* --- reading --- */

/* Device numbers: 16 bits in the first slot as ever, or 32 in the second. */
static dev_t_k rdev_decode(const u32 *block)
{
	if (block[0])
		return MKDEV_K(block[0] >> 8 & 0xff, block[0] & 0xff);
	return MKDEV_K(block[1] >> 8 & 0xfff, (block[1] & 0xff) | (block[1] >> 12 & 0xfff00));
}

static void rdev_encode(dev_t_k dev, u32 *block)
{
	if (DEV_MAJOR(dev) < 256 && DEV_MINOR(dev) < 256) {
		block[0] = DEV_MAJOR(dev) << 8 | DEV_MINOR(dev);
		block[1] = 0;
	} else {
		block[0] = 0;
		block[1] = (DEV_MINOR(dev) & 0xff) | DEV_MAJOR(dev) << 8 | (DEV_MINOR(dev) & ~0xffu) << 12;
	}
}

/* A short symlink keeps its text where others keep block pointers.  Its attributes may have a block, which counts. */
static bool is_fast_link(const struct ext2_super *s, const struct inode *i, const struct ext2_disk_inode *raw)
{
	return inode_is_link(i) && raw->blocks == (raw->file_acl ? s->geo.block_size / 512 : 0);
}

static int judge(struct ext2_super *s, const struct ext2_disk_inode *raw, u64 ino, u64 size)
{
	u32 type = raw->mode & S_IFMT_K;

	if (!raw->links_count && (!raw->mode || raw->dtime))
		return ext2_error(s, "inode %lu was deleted, but there is a name for it", ino);
	if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
		return ext2_error(s, "inode %lu: i_mode is 0%o", ino, raw->mode);
	if (size > s->geo.max_bytes || (type == S_IFDIR && size >> 31))
		return ext2_error(s, "inode %lu: i_size is %lu", ino, size);
	if (raw->file_acl && !ext2_blocks_ok(s, raw->file_acl, 1))
		return ext2_error(s, "inode %lu: i_file_acl is %u", ino, raw->file_acl);
	if (raw->flags & EXT4_EXTENTS_FL)
		return ext2_error(s, "inode %lu: i_flags is 0x%x: extents, which the volume does not announce", ino, raw->flags);
	return 0;
}

/* How much there is behind the first 128 bytes.  Who made the inode may have left all of it free: then there is as much as we want. */
static int read_extra_isize(struct ext2_super *s, struct ext2_inode *e, struct ext2_disk_inode *raw)
{
	u32 room = s->geo.inode_size - EXT2_GOOD_OLD_INODE, want = sizeof(struct ext2_inode_extra), has;

	e->extra_isize = 0;
	if (room < want)
		return 0;
	has = ext2_extra(raw)->extra_isize;
	if (has > room || has % 4)
		return ext2_error(s, "inode %lu: i_extra_isize is %u of %u bytes", e->vfs.ino, has, room);
	e->extra_isize = (u16)has;
	if (!has && *(u32 *)ext2_extra(raw) != EXT2_XATTR_MAGIC && (room < want + 4 || *(u32 *)(ext2_extra(raw) + 1) != EXT2_XATTR_MAGIC))
		e->extra_isize = (u16)want;
	return 0;
}

static void read_times(struct ext2_inode *e, struct ext2_disk_inode *raw)
{
	struct ext2_inode_extra none = { 0 }, *x = e->extra_isize ? ext2_extra(raw) : &none;
	struct inode *i = &e->vfs;
	u32 has = x->extra_isize;

	ext2_time_decode(raw->atime, EXT2_EXTRA_HAS(has, atime_extra) ? x->atime_extra : 0, &i->atime.sec, &i->atime.nsec);
	ext2_time_decode(raw->mtime, EXT2_EXTRA_HAS(has, mtime_extra) ? x->mtime_extra : 0, &i->mtime.sec, &i->mtime.nsec);
	ext2_time_decode(raw->ctime, EXT2_EXTRA_HAS(has, ctime_extra) ? x->ctime_extra : 0, &i->ctime.sec, &i->ctime.nsec);
	i->btime = (struct timespec_k){ 0, 0 };
	if (EXT2_EXTRA_HAS(has, crtime))
		ext2_time_decode(x->crtime, EXT2_EXTRA_HAS(has, crtime_extra) ? x->crtime_extra : 0, &i->btime.sec, &i->btime.nsec);
}

static int fill(struct ext2_super *s, struct inode *i)
{
	struct ext2_inode *e = ext2_i(i);
	struct ext2_disk_inode *raw;
	struct buffer b;
	int err = ext2_raw_read(s, i->ino, &b, &raw);

	if (err)
		return err;
	i->size = raw->size | (MODE_IS(raw->mode, S_IFREG) ? (u64)raw->size_high << 32 : 0);
	err = judge(s, raw, i->ino, i->size);
	if (!err)
		err = read_extra_isize(s, e, raw);
	if (!err) {
		i->uid = raw->uid_low | (s->opts.flags & EXT2_OPT_NOUID32 ? 0 : (u32)raw->uid_high << 16);
		i->gid = raw->gid_low | (s->opts.flags & EXT2_OPT_NOUID32 ? 0 : (u32)raw->gid_high << 16);
		i->nlink = raw->links_count;
		i->blocks = raw->blocks;
		read_times(e, raw);
		e->flags = raw->flags;
		e->generation = raw->generation;
		e->file_acl = raw->file_acl;
		e->group = (u32)((i->ino - 1) / s->geo.inodes_per_group);
		memcpy(e->block, raw->block, sizeof(e->block));
		inode_init_mode(i, raw->mode, 0);
		if (MODE_IS(i->mode, S_IFCHR) || MODE_IS(i->mode, S_IFBLK))
			inode_init_mode(i, raw->mode, rdev_decode(raw->block));
		ext2_set_ops(i);
		ext2_flags_to_vfs(e);
		if (is_fast_link(s, i, raw)) {
			if (i->size >= sizeof(e->block))
				err = ext2_error(s, "inode %lu: i_size of a short symlink is %lu", i->ino, i->size);
			((char *)e->block)[min(i->size, (u64)sizeof(e->block) - 1)] = 0;
			i->link = (char *)e->block;
		}
		if (!err && ext2_xattrs_any(s, e, raw))
			ext2_acls_read(i);
	}
	buffer_put(&b);
	return err;
}

/* Is there no such file (any more)?  generation 0: of any. */
static int is_stale(struct ext2_super *s, u32 ino, u32 generation)
{
	struct ext2_disk_inode *raw;
	struct buffer b;
	int err = ext2_raw_read(s, ino, &b, &raw);

	if (err)
		return err;
	if (!raw->links_count || (generation && raw->generation != generation))
		err = -ESTALE;
	buffer_put(&b);
	return err;
}

/* handle: the number came from a program, with this generation, and nothing is wrong with the volume if there is no such file. */
static int get(struct super *sb, u32 ino, const u32 *handle, struct inode **out)
{
	struct ext2_super *s = ext2_sb(sb);
	bool is_new;
	int err = inode_find(sb, ino, out, &is_new);

	if (err || !is_new)
		return err;
	if (handle)
		err = is_stale(s, ino, *handle);
	if (!err)
		err = fill(s, *out);
	if (err) {
		inode_unfilled(*out);
		return err;
	}
	ext2_i(*out)->filled = true;
	inode_filled(*out);
	return 0;
}

static bool is_number(const struct ext2_super *s, u32 ino) { return ino == EXT2_ROOT_INO || (ino >= s->geo.first_ino && ino <= s->geo.inodes_count); }

int ext2_iget(struct super *sb, u32 ino, struct inode **out)
{
	if (!is_number(ext2_sb(sb), ino))
		return ext2_error(ext2_sb(sb), "inode %u: a name leads to it, but it is no file's", ino);
	return get(sb, ino, NULL, out);
}

/* --- handles: number and generation --- */

static int handle_words(struct inode *i, u32 *words)
{
	words[0] = (u32)i->ino;
	words[1] = ext2_i(i)->generation;
	return 2;
}

static int handle_find(struct super *sb, const u32 *words, u32 nr, struct inode **out)
{
	int err = nr < 2 || !is_number(ext2_sb(sb), words[0]) ? -ESTALE : get(sb, words[0], &words[1], out);

	if (!err && words[1] && ext2_i(*out)->generation != words[1]) {
		inode_put(*out);
		err = -ESTALE;
	}
	return err;
}

static int handle_parent(struct inode *dir, struct inode **out)
{
	u32 ino;
	int err = ext2_dir_find(dir, "..", 2, &ino);

	return err ? err : ext2_iget(dir->sb, ino, out);
}

const struct handle_ops ext2_handle_ops = { .encode = handle_words, .find = handle_find, .parent = handle_parent, .name_of = ext2_dir_name_of };

/* --- writing --- */

void ext2_blocks_add(struct inode *i, s64 nr)
{
	s64 sectors = nr * (s64)(i->sb->block_size / 512);

	spin_lock(&i->spin);
	i->blocks = sectors < 0 && (u64)-sectors > i->blocks ? 0 : i->blocks + (u64)sectors;
	spin_unlock(&i->spin);
}

static void write_time(const struct timespec_k *t, u32 *low, u32 *extra, bool has) { ext2_time_encode(t->sec, t->nsec, low, has ? extra : NULL); }

static void write_times(const struct ext2_inode *e, struct ext2_disk_inode *raw)
{
	struct ext2_inode_extra *x = ext2_extra(raw);
	const struct inode *i = &e->vfs;
	u32 has = e->extra_isize;

	if (has && x->extra_isize != has) {	/* never written before */
		memset(x, 0, has);
		x->extra_isize = (u16)has;
	}
	write_time(&i->atime, &raw->atime, &x->atime_extra, EXT2_EXTRA_HAS(has, atime_extra));
	write_time(&i->mtime, &raw->mtime, &x->mtime_extra, EXT2_EXTRA_HAS(has, mtime_extra));
	write_time(&i->ctime, &raw->ctime, &x->ctime_extra, EXT2_EXTRA_HAS(has, ctime_extra));
	if (EXT2_EXTRA_HAS(has, crtime))
		write_time(&i->btime, &x->crtime, &x->crtime_extra, EXT2_EXTRA_HAS(has, crtime_extra));
}

static void raw_set(struct ext2_super *s, struct ext2_inode *e, struct ext2_disk_inode *raw)
{
	struct inode *i = &e->vfs;
	u64 size = i_size_read(i);

	if (e->fresh) {
		memset(raw, 0, s->geo.inode_size);
		WRITE_ONCE(e->fresh, false);
	}
	raw->mode = (u16)i->mode;
	raw->uid_low = (u16)i->uid;
	raw->gid_low = (u16)i->gid;
	if (!(s->opts.flags & EXT2_OPT_NOUID32)) {
		raw->uid_high = (u16)(i->uid >> 16);
		raw->gid_high = (u16)(i->gid >> 16);
	}
	raw->links_count = (u16)i->nlink;
	raw->size = (u32)size;
	write_times(e, raw);
	raw->dtime = e->dtime;
	raw->blocks = (u32)i->blocks;
	raw->flags = e->flags;
	raw->generation = e->generation;
	raw->file_acl = e->file_acl;
	raw->frag = raw->fsize = 0;
	raw->faddr = 0;
	if (inode_is_reg(i)) {
		raw->size_high = (u32)(size >> 32);
		if (size > 0x7fffffff)
			ext2_feature_large_file(s);
	}
	if (MODE_IS(READ_ONCE(i->mode), S_IFCHR) || MODE_IS(READ_ONCE(i->mode), S_IFBLK))
		rdev_encode(i->rdev, raw->block);
	else
		memcpy(raw->block, e->block, sizeof(raw->block));
}

int ext2_write_inode(struct inode *i, bool wait)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);
	struct ext2_disk_inode *raw;
	struct buffer b;
	int err, err2 = 0;

	if (!e->filled)
		return 0;
	err = read_raw(s, i->ino, &b, &raw, true);
	if (err)
		return err;
	rwsem_read_lock(&e->map_lock);
	mutex_lock(&e->raw_lock);
	raw_set(s, e, raw);
	mutex_unlock(&e->raw_lock);
	rwsem_read_unlock(&e->map_lock);
	buffer_dirty(&b);
	if (wait) {
		buffer_write_start(&b);
		err2 = ext2_tables_write(e);
		err = buffer_write_wait(&b);
	}
	buffer_put(&b);
	return err ? err : err2;
}

/* --- the end --- */

/* Nobody can reach the file any more: its blocks, its attributes, its number. */
static void destroy(struct ext2_super *s, struct inode *i)
{
	struct ext2_inode *e = ext2_i(i);
	int err = 0;

	if (!i->link && (inode_is_reg(i) || inode_is_dir(i) || inode_is_link(i)))
		err = ext2_free_range(i, 0, ~0ull);
	ext2_xattr_drop(i);
	i_size_write(i, 0);
	e->dtime = (u32)current_time_k().sec;
	if (err || ext2_write_inode(i, false))
		return;			/* an inode without a name is left: e2fsck gives it to lost+found, or frees it */
	ext2_inode_free(s, (u32)i->ino, inode_is_dir(i));
}

void ext2_nlink_changed(struct inode *i)
{
	struct ext2_inode *e = ext2_i(i);

	if (e->unlinked == !i->nlink)
		return;
	e->unlinked = !i->nlink;
	atomic_add(&i->sb->nr_unlinked, e->unlinked ? 1 : -1);
}

void ext2_evict(struct inode *i)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);

	if (unlikely(atomic_load(&i->data.nr_failed) && i->nlink))	/* as the volume goes: until then the writer held it */
		ext2_error(s, "directory %lu could not be written", i->ino);
	filemap_evict(&i->data);
	if (e->names)
		ext2_names_drop(e);
	if (!e->filled)
		return;
	if (!i->nlink) {
		gate_enter(i->sb->gate, GATE_END);
		if (!(i->sb->flags & SB_RDONLY))
			destroy(s, i);
		if (e->unlinked)
			atomic_dec(&i->sb->nr_unlinked);
		gate_leave(i->sb->gate, GATE_END);
	}
	ext2_window_drop(s, &e->window);
}

int ext2_setattr(struct inode *i, const struct iattr *a)
{
	struct iattr rest = *a;
	int err = 0;

	if (a->valid & ATTR_SIZE && inode_is_reg(i)) {
		err = a->size < i->size ? ext2_tables_look(i, a->size) : 0;
		if (!err)
			err = iomap_truncate(i, a->size, ext2_free_range);
		rest.valid &= ~(u32)ATTR_SIZE;
	}
	if (!err)
		err = inode_setattr_generic(i, &rest);
	inode_mark_dirty(i, a->valid & ~(u32)(ATTR_ATIME | ATTR_MTIME | ATTR_CTIME) ? INODE_DIRTY_DATASYNC | INODE_DIRTY_META : INODE_DIRTY_META);
	return err;
}
