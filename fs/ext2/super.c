/* ext2: the Second Extended File System, as mke2fs makes it and e2fsck judges it.
 *
 * Theory.  A volume is cut into groups; each has a bitmap of its blocks, one of its inodes, a table of inodes, and blocks for data.
 * The superblock says how large all that is; a table of descriptors behind it says where.  In memory:
 *
 *   struct ext2_super    one a volume; pins the superblock and the descriptors in the device's page cache (struct buffer)
 *   struct ext2_group    one a group: the lock of its bitmaps and descriptor
 *   struct ext2_inode    one a file in use
 *
 * All other metadata is looked at and changed in place, in the page cache of the device (fs/buffer.c).  The data of files and directories
 * lies in their own page caches, by way of fs/iomap.c, which asks map.c where the blocks are.
 *
 * Locks, in order (each is looked for by others only in its own file):
 *
 *   inode's lock (VFS)     names in a directory; size, mode, flags, attributes of a file
 *   invalidate_lock, page  (mm/filemap.c) contents against taking blocks away
 *   retire_sem             blocks of tables that are no longer any, and not yet free (retire.c)
 *   map_lock               of each inode: its block pointers and tables
 *   xattr_lock             which inodes share a block of attributes
 *   group's lock           bitmaps and descriptor; never two
 *   raw_lock, super_lock   an inode's place in the table; the superblock
 *
 * So two processes that work on different files meet only if both take blocks or inodes from one group at that moment.
 *
 * Crashes.  There is no journal, and only fsync orders anything: pages, then tables and the inode with the blocks of its directory, then a
 * flush of the device.  What was not synced may come to the disk in any order; e2fsck makes a whole of it.  Two rules keep it from harming
 * what was synced: a table is never written after its block was freed (buffers_forget), and no page of a file after its block was
 * (mm/truncate.c).  While a volume is mounted for writing its state says that it is not clean.
 *
 * Damage.  Numbers of the superblock and the descriptors are judged at mount, all others when they are met.  What is wrong is
 * reported with its place by ext2_error, and the volume goes on, becomes read-only or stops the machine, as errors= says; the call that
 * met it gets EIO.
 *
 * Rejected: the reservation tree of Linux, one lock for all files of a volume (balloc.c has windows by group); a hash tree for directories on the
 * disk, which ext2 does not have (dir.c makes one in memory for those that need it). */
#include <fs/dcache.h>
#include <fs/ext2/ext2.h>
#include <fs/super.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/time/time.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static void mark_error(struct ext2_super *s)
{
	mutex_lock(&s->super_lock);
	s->mount_state |= EXT2_ERROR_FS;
	if (s->writable) {
		s->disk->state |= EXT2_ERROR_FS;
		buffer_dirty(&s->super_buf);
	}
	mutex_unlock(&s->super_lock);
}

int ext2_error(struct ext2_super *s, const char *fmt, ...)
{
	static struct ratelimit limit = { 5 * NSEC_PER_SEC, 10, 0, 0, 0 };
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (s->opts.errors == EXT2_ERRORS_PANIC)
		panic("ext2: %s: %s", s->bdev->name, text);
	if (ratelimit_ok(&limit))
		pr_err("ext2: %s: error: %s\n", s->bdev->name, text);
	if (!atomic_xchg(&s->error_reports, 1u))
		mark_error(s);
	if (s->opts.errors == EXT2_ERRORS_RO && !(atomic_fetch_or(&s->sb->flags, (u32)MS_RDONLY) & MS_RDONLY))
		pr_err("ext2: %s: is read-only now\n", s->bdev->name);
	return -EIO;
}

/* --- the superblock, while mounted --- */

static void need_revision_1(struct ext2_super_block *d)
{
	if (d->rev_level == EXT2_GOOD_OLD_REV) {
		d->rev_level = EXT2_DYNAMIC_REV;
		d->first_ino = EXT2_GOOD_OLD_FIRST;
		d->inode_size = EXT2_GOOD_OLD_INODE;
	}
}

void ext2_feature_large_file(struct ext2_super *s)
{
	if (likely(READ_ONCE(s->disk->feature_ro_compat) & EXT2_LARGE_FILE))
		return;
	mutex_lock(&s->super_lock);
	need_revision_1(s->disk);
	s->disk->feature_ro_compat |= EXT2_LARGE_FILE;
	buffer_dirty(&s->super_buf);
	mutex_unlock(&s->super_lock);
}

void ext2_feature_ext_attr(struct ext2_super *s)
{
	if (likely(READ_ONCE(s->disk->feature_compat) & EXT2_EXT_ATTR))
		return;
	mutex_lock(&s->super_lock);
	need_revision_1(s->disk);
	s->disk->feature_compat |= EXT2_EXT_ATTR;
	buffer_dirty(&s->super_buf);
	mutex_unlock(&s->super_lock);
}

static void counts_to_disk(struct ext2_super *s)
{
	s->disk->free_blocks_count = (u32)atomic_load(&s->free_blocks);
	s->disk->free_inodes_count = (u32)atomic_load(&s->free_inodes);
	s->disk->wtime = (u32)current_time_k().sec;
	buffer_dirty(&s->super_buf);
}

int ext2_super_sync(struct super *sb, bool wait)
{
	struct ext2_super *s = ext2_sb(sb);

	if (!s || !s->writable)
		return 0;
	if (wait)			/* the VFS writes the rest, and flushes */
		ext2_retired_free(s);
	mutex_lock(&s->super_lock);
	counts_to_disk(s);
	mutex_unlock(&s->super_lock);
	return 0;
}

/* The volume is ours to write: until we are done its state says so.  And back. */
static int begin_writing(struct ext2_super *s, bool mounted)
{
	struct ext2_super_block *d = s->disk;
	int err;

	mutex_lock(&s->super_lock);
	s->mount_state = d->state;
	d->state &= (u16)~EXT2_VALID_FS;
	if (mounted) {
		d->mnt_count++;
		d->mtime = (u32)current_time_k().sec;
	}
	s->writable = true;
	counts_to_disk(s);
	err = buffer_write(&s->super_buf);
	mutex_unlock(&s->super_lock);
	return err ? err : block_flush(s->bdev);
}

/* It is clean again, if it was and all of it could be written. */
static int end_writing(struct ext2_super *s)
{
	int err, err2;

	if (!s->writable)
		return 0;
	err = ext2_retired_free(s);
	err2 = buffers_sync(s->bdev);
	err = err ? err : err2;
	err2 = block_flush(s->bdev);
	err = err ? err : err2;
	if (err)
		pr_err("ext2: %s: error %d: not all of the metadata could be written; running e2fsck is recommended\n", s->bdev->name, err);
	mutex_lock(&s->super_lock);
	s->disk->state = err ? s->mount_state & (u16)~EXT2_VALID_FS : s->mount_state;
	counts_to_disk(s);
	err2 = buffer_write(&s->super_buf);
	err = err ? err : err2;
	s->writable = false;
	mutex_unlock(&s->super_lock);
	err2 = block_flush(s->bdev);
	return err ? err : err2;
}

static void warn_about_state(const struct ext2_super *s)
{
	const struct ext2_super_block *d = s->disk;
	u64 now = (u64)current_time_k().sec;

	if (!(d->state & EXT2_VALID_FS))
		pr_warn("ext2: %s: warning: was not unmounted cleanly (s_state is %u); running e2fsck is recommended\n", s->bdev->name, d->state);
	else if (d->state & EXT2_ERROR_FS)
		pr_warn("ext2: %s: warning: errors were met before (s_state is %u); running e2fsck is recommended\n", s->bdev->name, d->state);
	else if ((s16)d->max_mnt_count > 0 && d->mnt_count >= d->max_mnt_count)
		pr_warn("ext2: %s: warning: mounted %u times since the last check; running e2fsck is recommended\n", s->bdev->name, d->mnt_count);
	else if (d->checkinterval && (u64)d->lastcheck + d->checkinterval <= now)
		pr_warn("ext2: %s: warning: the last check is long ago; running e2fsck is recommended\n", s->bdev->name);
}

/* --- mounting --- */

static void default_options(const struct ext2_super_block *d, struct ext2_mount_opts *o)
{
	u32 defm = d->default_mount_opts;

	o->flags = (defm & EXT2_DEFM_DEBUG ? EXT2_OPT_DEBUG : 0u) | (defm & EXT2_DEFM_BSDGROUPS ? EXT2_OPT_GRPID : 0) |
		   (defm & EXT2_DEFM_XATTR_USER ? EXT2_OPT_XATTR_USER : 0) | (defm & EXT2_DEFM_ACL ? EXT2_OPT_ACL : 0) |
		   (defm & EXT2_DEFM_UID16 ? EXT2_OPT_NOUID32 : 0);
	o->errors = d->errors == EXT2_ERRORS_PANIC || d->errors == EXT2_ERRORS_CONTINUE ? d->errors : EXT2_ERRORS_RO;
	o->resuid = d->def_resuid;
	o->resgid = d->def_resgid;
}

/* Find the superblock, judge it, and pin it. */
static int read_super(struct ext2_super *s, bool quiet)
{
	u64 pos = s->opts.sb_block * 1024;
	u32 unit = max(block_logical_size(s->bdev), EXT2_MIN_BLOCK);
	struct buffer b;
	const struct ext2_super_block *d;
	char why[128];
	int err = buffer_read(s->bdev, pos / unit, unit, &b);

	if (err) {
		if (!quiet)
			pr_err("ext2: %s: the superblock cannot be read\n", s->bdev->name);
		return err == -EIO && i_size_read(s->bdev->inode) < pos + 1024 ? -EINVAL : err;
	}
	d = (const struct ext2_super_block *)((char *)b.data + pos % unit);
	if (!ext2_check_super(d, i_size_read(s->bdev->inode), &s->geo, why, sizeof(why))) {
		if (!quiet || d->magic == EXT2_MAGIC)	/* BusyBox's mount always asks for silence: it is kept about what is no ext2 */
			pr_err("ext2: %s: not mounted: %s\n", s->bdev->name, why);
		err = -EINVAL;
	} else if (s->geo.block_size < block_logical_size(s->bdev)) {
		pr_err("ext2: %s: not mounted: s_log_block_size is %u, the device's sectors are of %u bytes\n", s->bdev->name, s->geo.block_bits - 10,
		       block_logical_size(s->bdev));
		err = -EINVAL;
	}
	buffer_put(&b);
	if (err)
		return err;
	err = ext2_block_read(s, (u32)(pos >> s->geo.block_bits), &s->super_buf);
	if (!err)
		s->disk = (struct ext2_super_block *)((char *)s->super_buf.data + (pos & (s->geo.block_size - 1)));
	return err;
}

/* The descriptors, pinned; each group judged and counted. */
static int read_groups(struct ext2_super *s)
{
	const struct ext2_geometry *g = &s->geo;
	char why[128];
	int err;

	s->descs = kvmalloc(g->desc_blocks * sizeof(*s->descs), GFP_ZERO);
	s->groups = kvmalloc(g->nr_groups * sizeof(*s->groups), GFP_ZERO);
	if (!s->descs || !s->groups)
		return -ENOMEM;
	buffers_readahead(s->bdev, ext2_desc_location(g, 0), min(g->desc_blocks, g->first_meta_bg), g->block_size);
	for (u32 i = 0; i < g->desc_blocks; i++) {
		err = ext2_block_read(s, ext2_desc_location(g, i), &s->descs[i]);
		if (err) {
			pr_err("ext2: %s: not mounted: block %u of group descriptors cannot be read\n", s->bdev->name, ext2_desc_location(g, i));
			return err;
		}
	}
	for (u32 i = 0; i < g->nr_groups; i++) {
		const struct ext2_group_desc *d = ext2_desc(s, i);

		if (!ext2_check_group(g, d, i, why, sizeof(why))) {
			pr_err("ext2: %s: not mounted: %s\n", s->bdev->name, why);
			return -EINVAL;
		}
		mutex_init(&s->groups[i].lock, LC_FS_ALLOC);
		s->groups[i].windows = RB_ROOT;
		s->groups[i].data_start = max(max(d->block_bitmap, d->inode_bitmap) + 1, d->inode_table + g->table_blocks);
		s->free_blocks += d->free_blocks_count;
		s->free_inodes += d->free_inodes_count;
		s->dirs += d->used_dirs_count;
	}
	if (s->disk->state & EXT2_VALID_FS && (s->disk->free_blocks_count != (u64)s->free_blocks || s->disk->free_inodes_count != (u64)s->free_inodes))
		pr_warn("ext2: %s: s_free_blocks_count, s_free_inodes_count are %u, %u; the groups have %ld, %ld\n", s->bdev->name,
			s->disk->free_blocks_count, s->disk->free_inodes_count, s->free_blocks, s->free_inodes);
	return 0;
}

static int read_root(struct ext2_super *s)
{
	struct inode *root;
	int err = ext2_iget(s->sb, EXT2_ROOT_INO, &root);

	if (!err && (!inode_is_dir(root) || !root->size || !root->blocks)) {
		pr_err("ext2: %s: not mounted: the root inode is no directory (i_mode 0%o, i_size %lu, i_blocks %lu)\n", s->bdev->name, root->mode,
		       root->size, root->blocks);
		inode_put(root);
		err = -EINVAL;
	}
	if (err)
		return err == -EIO ? -EINVAL : err;
	s->sb->handles = &ext2_handle_ops;
	s->sb->root = dentry_make_root(s->sb, root);
	return s->sb->root ? 0 : -ENOMEM;
}

static void acls_matter(struct ext2_super *s)
{
	if (s->opts.flags & EXT2_OPT_ACL)
		atomic_fetch_or(&s->sb->flags, (u32)SB_POSIXACL);
	else
		atomic_fetch_and(&s->sb->flags, ~(u32)SB_POSIXACL);
}

static int fill(struct super *sb, const char *text)
{
	struct ext2_super *s = kzalloc(sizeof(*s), GFP_KERNEL);
	bool ro = sb->flags & MS_RDONLY;
	int err;

	if (!s)
		return -ENOMEM;
	ext2_inode_init_caches();
	sb->private = s;
	s->sb = sb;
	s->bdev = sb->bdev;
	s->opts.sb_block = 1;
	mutex_init(&s->super_lock, LC_META);
	mutex_init(&s->retired_lock, LC_META);
	rwsem_init(&s->retire_sem, LC_RETIRE);
	mutex_init(&s->xattr_lock, LC_FS_PRIVATE);
	err = ext2_parse_options(text, &s->opts);
	if (!err)
		err = read_super(s, sb->flags & MS_SILENT);
	if (err)
		return err;
	default_options(s->disk, &s->opts);
	err = ext2_parse_options(text, &s->opts);
	if (err)
		return err;
	if (!ro && s->geo.ro_compat & ~EXT2_RO_COMPAT_KNOWN) {
		pr_err("ext2: %s: s_feature_ro_compat is 0x%x: with unknown features 0x%x it can only be mounted read-only\n", s->bdev->name,
		       s->geo.ro_compat, s->geo.ro_compat & ~EXT2_RO_COMPAT_KNOWN);
		return -EROFS;
	}
	sb->block_size = s->geo.block_size;
	sb->max_bytes = s->geo.max_bytes;
	sb->attributes_mask = STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP;
	sb->time_min = EXT2_TIME_MIN;
	sb->whole_seconds = s->geo.inode_size < EXT2_GOOD_OLD_INODE + sizeof(struct ext2_inode_extra);
	sb->time_max = sb->whole_seconds ? EXT2_TIME_MAX : EXT2_TIME_MAX_EXTRA;
	acls_matter(s);
	s->mount_state = s->disk->state;
	s->next_generation = (u32)clock_mono_ns() ^ s->disk->mtime;
	err = read_groups(s);
	if (!err)
		err = read_root(s);
	if (err || ro)
		return err;
	warn_about_state(s);
	return begin_writing(s, true);
}

static void ext2_put_super(struct super *sb)
{
	struct ext2_super *s = ext2_sb(sb);

	if (!s)
		return;
	if (s->disk)
		(void)end_writing(s);
	ext2_retired_forget(s);
	for (u32 i = 0; s->descs && i < s->geo.desc_blocks; i++)
		buffer_put(&s->descs[i]);
	buffer_put(&s->super_buf);
	kvfree(s->descs);
	kvfree(s->groups);
	kfree(s);
	sb->private = NULL;
}

/* All is written, and nobody in: the disk says so until it is thawed. */
static int ext2_freeze(struct super *sb)
{
	end_writing(ext2_sb(sb));
	return 0;
}

static int ext2_thaw(struct super *sb) { return begin_writing(ext2_sb(sb), false); }

static int ext2_remount(struct super *sb, u32 flags, const char *text)
{
	struct ext2_super *s = ext2_sb(sb);
	struct ext2_mount_opts new = s->opts;
	int err = ext2_parse_options(text, &new);

	if (err)
		return err;
	new.sb_block = s->opts.sb_block;
	if (flags & MS_RDONLY && s->writable) {
		(void)end_writing(s);	/* all was written: super_remount.  If not, its state says so */
	} else if (!(flags & MS_RDONLY) && !s->writable) {
		if (s->geo.ro_compat & ~EXT2_RO_COMPAT_KNOWN || block_read_only(s->bdev)) {
			pr_err("ext2: %s: cannot be remounted for writing: %s\n", s->bdev->name, block_read_only(s->bdev) ? "the device is read-only" :
			       "s_feature_ro_compat has unknown features");
			return -EROFS;
		}
		warn_about_state(s);
		err = begin_writing(s, true);
		if (err)
			return err;
	}
	s->opts = new;
	acls_matter(s);
	return 0;
}

static int ext2_statfs(struct super *sb, struct kstatfs *st)
{
	struct ext2_super *s = ext2_sb(sb);
	const u64 *id = (const u64 *)s->disk->uuid;
	u64 reserved = s->disk->r_blocks_count;

	st->blocks = s->geo.blocks_count - (s->opts.flags & EXT2_OPT_MINIX_DF ? 0 : ext2_overhead(&s->geo));
	st->bfree = (u64)max(atomic_load(&s->free_blocks), (s64)0) + READ_ONCE(s->nr_retired);
	st->bavail = st->bfree > reserved ? st->bfree - reserved : 0;
	st->files = s->geo.inodes_count;
	st->ffree = (u64)max(atomic_load(&s->free_inodes), (s64)0);
	st->namelen = EXT2_NAME_LEN;
	st->fsid = id[0] ^ id[1];
	return 0;
}

static const struct super_ops ops = {
	.alloc_inode = ext2_alloc_inode, .free_inode = ext2_free_inode, .evict = ext2_evict, .statfs = ext2_statfs, .write_inode = ext2_write_inode,
	.sync = ext2_super_sync, .remount = ext2_remount,
	.freeze = ext2_freeze, .thaw = ext2_thaw, .put_super = ext2_put_super, .show_options = ext2_show_options,
};

static int ext2_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	return super_of_device(type, &ops, EXT2_SUPER_MAGIC, flags, source, opts, fill, out);
}

FILESYSTEM(ext2, .mount = ext2_mount, .flags = FS_REQUIRES_DEV);
