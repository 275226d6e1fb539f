/* tmpfs: files that live in the page cache, directories that live in trees.
 *
 * A directory is one red-black tree of entries ordered by key = (hash of the name + 1) << 24 | number among equals.  A lookup
 * descends by the hash and compares the few entries that share it; readdir goes in key order and its position is the next key, so
 * that entries may come and go behind and before it without anything being skipped or shown twice.  "." is 0, ".." is 1.
 *
 * Each entry holds a reference on its inode: that is what keeps a file alive that nobody has open.  The dentry cache above is only
 * a cache.  An entry's memory changes under its directory's lock (held for writing); lookups and readdir hold it in any mode.
 *
 * Data: the page cache with no store behind it.  A page is charged when it enters the cache (page_added: -ENOSPC beyond size=),
 * and given back when it leaves.  Inodes are charged on creation.
 *
 * Going: the last put of an inode drops its pages; a directory's (only at unmount is it not empty) drops its whole subtree
 * iteratively, since depth is the user's choice and the kernel's stack is not. */
#include <fs/dcache.h>
#include <fs/file.h>
#include <fs/fileattr.h>
#include <fs/handle.h>
#include <fs/inode.h>
#include <fs/posix_acl.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs_internal.h>
#include <kernel/abi/dirent.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/time/time.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/xattr.h>
#include <mm/shmem.h>
#include <mm/slab.h>

struct tmpfs_entry {
	struct rb_node node;		/* [dir] by key */
	u64 key;			/* [I] */
	struct inode *inode;		/* [dir] referenced */
	u32 len;			/* [I] */
	char name[];			/* [I] NUL-terminated */
};

#define KEY_SHIFT	24
#define FLAGS_SET	((u32)(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL))	/* by chattr */
#define FLAGS_INHERITED	(INODE_NODUMP | INODE_NOATIME)

static struct slab_cache *tmpfs_inode_cache;
static const struct inode_ops tmpfs_dir_ops, fixed_dir_ops;
static const struct inode_ops tmpfs_file_iops;
static const struct address_space_ops tmpfs_aops;


/* --- entries --- */

static u64 first_key(const char *name, u32 len) { return ((u64)name_hash(name, len) + 1) << KEY_SHIFT; }

/* The first entry with key >= key, or NULL. */
static struct tmpfs_entry *entry_from(const struct inode *dir, u64 key)
{
	struct rb_node *n = tmpfs_i(dir)->entries.rb_node;
	struct tmpfs_entry *best = NULL;

	while (n) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, node);

		if (e->key >= key) {
			best = e;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return best;
}

static struct tmpfs_entry *entry_next(const struct tmpfs_entry *e)
{
	struct rb_node *n = rb_next(&e->node);

	return n ? rb_entry(n, struct tmpfs_entry, node) : NULL;
}

static struct tmpfs_entry *entry_find(const struct inode *dir, const char *name, u32 len)
{
	u64 key = first_key(name, len);
	struct tmpfs_entry *e;

	for (e = entry_from(dir, key); e && e->key >> KEY_SHIFT == key >> KEY_SHIFT; e = entry_next(e))
		if (e->len == len && !memcmp(e->name, name, len))
			return e;
	return NULL;
}

static struct tmpfs_entry *entry_alloc(const char *name, u32 len)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + len + 1, GFP_KERNEL);

	if (!e)
		return NULL;
	e->len = len;
	memcpy(e->name, name, len);
	e->name[len] = 0;
	return e;
}

/* Hang e into dir, taking over the inode reference.  -ENOSPC if 2^24 names share a hash. */
static int entry_insert(struct inode *dir, struct tmpfs_entry *e, struct inode *inode)
{
	struct tmpfs_inode *d = tmpfs_i(dir);
	u64 key = first_key(e->name, e->len), end = key + (1ul << KEY_SHIFT);
	struct rb_node **link, *parent;

again:
	link = &d->entries.rb_node;
	parent = NULL;
	while (*link) {
		struct tmpfs_entry *at = rb_entry(*link, struct tmpfs_entry, node);

		parent = *link;
		if (at->key == key) {		/* taken: the next number */
			if (++key == end)
				return -ENOSPC;
			goto again;
		}
		link = key < at->key ? &parent->rb_left : &parent->rb_right;
	}
	e->key = key;
	e->inode = inode;
	rb_link_node(&e->node, parent, link);
	rb_insert_color(&e->node, &d->entries);
	d->nr_entries++;
	dir->size += 20;
	return 0;
}

static void entry_remove(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *d = tmpfs_i(dir);

	rb_erase(&e->node, &d->entries);
	d->nr_entries--;
	dir->size -= 20;
}

static void dir_changed(struct inode *dir)
{
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

static void nlink_add(struct inode *i, s32 n)
{
	spin_lock(&i->spin);
	i->nlink = (u32)((s32)i->nlink + n);
	spin_unlock(&i->spin);
}

/* --- inodes --- */

/* The first superblock is made at boot, alone. */
void tmpfs_inodes_init(void)
{
	if (!tmpfs_inode_cache)
		tmpfs_inode_cache = slab_cache_create("tmpfs_inode", sizeof(struct tmpfs_inode), 0, NULL);
}

struct inode *tmpfs_alloc_inode(struct super *sb)
{
	struct tmpfs_inode *t = slab_alloc(tmpfs_inode_cache, GFP_KERNEL);

	(void)sb;
	if (!t)
		return NULL;
	t->entries = RB_ROOT;
	t->nr_entries = 0;
	t->xattrs.first = NULL;
	t->parent = NULL;
	return &t->vfs;
}

void tmpfs_free_inode(struct inode *i)
{
	kfree(i->link);
	xattrs_free(&tmpfs_i(i)->xattrs);
	slab_free(tmpfs_inode_cache, tmpfs_i(i));
}

int tmpfs_inode(struct super *sb, const struct inode *dir, u32 mode, dev_t_k rdev, struct inode **out)
{
	struct tmpfs_super *t = tmpfs_sb(sb);
	struct inode *i;
	int err;

	if (t->max_inodes && atomic_load(&t->inodes) >= t->max_inodes)
		return -ENOSPC;
	i = inode_create(sb);
	if (!i)
		return -ENOMEM;
	atomic_inc(&t->inodes);
	inode_init_owner(i, dir, mode, rdev);
	if (dir && unlikely(dir->acls != NULL) && (err = inode_acl_inherit(i, dir)) != 0) {
		inode_put(i);
		return err;
	}
	i->btime = i->ctime;
	if (dir && unlikely(READ_ONCE(dir->flags) & FLAGS_INHERITED))
		i->flags |= READ_ONCE(dir->flags) & FLAGS_INHERITED;
	i->ops = &tmpfs_file_iops;
	if (inode_is_dir(i)) {
		i->ops = t->host ? t->host->dir_ops : t->fixed ? &fixed_dir_ops : &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_fops;
		i->nlink = 2;
		i->size = 40;
	} else if (inode_is_reg(i)) {
		i->fops = &tmpfs_file_ops;
		i->data.ops = &tmpfs_aops;
	}
	*out = i;
	return 0;
}

/* Everything below a directory, without recursion: entries wait on a list through their tree nodes. */
static void drop_entries(struct inode *dir)
{
	struct rb_node *list = NULL, *n;

	for (;;) {
		while ((n = tmpfs_i(dir)->entries.rb_node)) {
			struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, node);

			entry_remove(dir, e);
			n->rb_left = list;
			list = n;
		}
		if (!list)
			return;
		struct tmpfs_entry *e = rb_entry(list, struct tmpfs_entry, node);
		struct inode *child = e->inode;

		list = list->rb_left;
		kfree(e);
		if (inode_is_dir(child) && refcount_read(&child->refs) == 1) {
			while ((n = tmpfs_i(child)->entries.rb_node)) {
				struct tmpfs_entry *c = rb_entry(n, struct tmpfs_entry, node);

				entry_remove(child, c);
				n->rb_left = list;
				list = n;
			}
		}
		inode_put(child);
	}
}

void tmpfs_evict(struct inode *i)
{
	const struct tmpfs_host *host = tmpfs_sb(i->sb)->host;

	if (inode_is_dir(i))
		drop_entries(i);
	else if (host && i->private)
		host->gone(i);
	else if (READ_ONCE(i->data.nr_pages) || READ_ONCE(i->data.swapped))
		filemap_evict(&i->data);
	atomic_dec(&tmpfs_sb(i->sb)->inodes);
}

/* --- directory operations --- */

int tmpfs_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	struct tmpfs_entry *e = entry_find(dir, name, len);

	if (!e)
		return -ENOENT;
	inode_get(e->inode);
	*out = e->inode;
	return 0;
}

/* A new entry for a new inode; one reference for the entry, one for the caller. */
static int add_new(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	struct tmpfs_entry *e = entry_alloc(name, len);
	int err = e ? entry_insert(dir, e, i) : -ENOMEM;

	if (err) {
		kfree(e);
		return err;
	}
	inode_get(i);
	inode_touch_at(dir, ATTR_MTIME | ATTR_CTIME, &i->ctime);
	return 0;
}

int tmpfs_create(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out)
{
	struct inode *i;
	int err = tmpfs_inode(dir->sb, dir, mode, rdev, &i);

	if (err)
		return err;
	err = add_new(dir, name, len, i);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}

static int tmpfs_mkdir(struct inode *dir, const char *name, u32 len, u32 mode, struct inode **out)
{
	int err = tmpfs_create(dir, name, len, S_IFDIR | mode, 0, out);

	if (!err) {
		tmpfs_i(*out)->parent = dir;
		nlink_add(dir, 1);
	}
	return err;
}

static int tmpfs_symlink(struct inode *dir, const char *name, u32 len, const char *target, struct inode **out)
{
	char *text = kstrdup(target, GFP_KERNEL);
	struct inode *i;
	int err;

	if (!text)
		return -ENOMEM;
	err = tmpfs_inode(dir->sb, dir, S_IFLNK | 0777, 0, &i);
	if (err) {
		kfree(text);
		return err;
	}
	i->link = text;
	i->size = strlen(text);
	err = add_new(dir, name, len, i);
	if (err)
		inode_put(i);
	else
		*out = i;
	return err;
}

static int tmpfs_link(struct inode *dir, const char *name, u32 len, struct inode *inode)
{
	struct tmpfs_entry *e = entry_alloc(name, len);
	int err = e ? entry_insert(dir, e, inode) : -ENOMEM;

	if (err) {
		kfree(e);
		return err;
	}
	inode_get(inode);
	nlink_add(inode, 1);
	inode_touch(inode, ATTR_CTIME);
	dir_changed(dir);
	return 0;
}

int tmpfs_unlink(struct inode *dir, const char *name, u32 len, struct inode *inode)
{
	struct tmpfs_entry *e = entry_find(dir, name, len);
	struct timespec_k now;

	if (!e)
		return -ENOENT;
	entry_remove(dir, e);
	kfree(e);
	now = current_time_k();
	spin_lock(&inode->spin);
	inode->nlink--;
	seq_write_begin(&inode->times_seq);
	inode->ctime = now;
	seq_write_end(&inode->times_seq);
	spin_unlock(&inode->spin);
	inode_touch_at(dir, ATTR_MTIME | ATTR_CTIME, &now);
	inode_put(inode);	/* the entry's: the caller holds another */
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, u32 len, struct inode *inode)
{
	int err;

	if (tmpfs_i(inode)->nr_entries)
		return -ENOTEMPTY;
	err = tmpfs_unlink(dir, name, len, inode);
	if (!err) {
		nlink_add(inode, -1);
		nlink_add(dir, -1);
	}
	return err;
}

static int exchange(struct inode *odir, struct tmpfs_entry *oe, struct inode *ndir, struct tmpfs_entry *ne)
{
	int move = (int)inode_is_dir(oe->inode) - (int)inode_is_dir(ne->inode);

	swap(oe->inode, ne->inode);
	tmpfs_i(oe->inode)->parent = odir;
	tmpfs_i(ne->inode)->parent = ndir;
	if (odir != ndir && move) {
		nlink_add(odir, -move);
		nlink_add(ndir, move);
	}
	inode_touch(oe->inode, ATTR_CTIME);
	inode_touch(ne->inode, ATTR_CTIME);
	dir_changed(odir);
	if (odir != ndir)
		dir_changed(ndir);
	return 0;
}

static int tmpfs_rename(struct inode *odir, const char *oname, u32 olen, struct inode *inode,
			struct inode *ndir, const char *nname, u32 nlen, struct inode *target, u32 flags)
{
	struct tmpfs_entry *oe = entry_find(odir, oname, olen), *ne = entry_find(ndir, nname, nlen);
	bool dir = inode_is_dir(inode);
	int err;

	if (!oe || !ne != !target)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return exchange(odir, oe, ndir, ne);
	if (target && dir && tmpfs_i(target)->nr_entries)
		return -ENOTEMPTY;
	if (target) {
		ne->inode = inode;
		nlink_add(target, dir ? -2 : -1);
		inode_touch(target, ATTR_CTIME);
		if (dir)
			nlink_add(ndir, -1);
	} else {
		ne = entry_alloc(nname, nlen);
		err = ne ? entry_insert(ndir, ne, inode) : -ENOMEM;
		if (err) {
			kfree(ne);
			return err;
		}
	}
	entry_remove(odir, oe);
	kfree(oe);
	if (dir && odir != ndir) {
		tmpfs_i(inode)->parent = ndir;
		nlink_add(odir, -1);
		nlink_add(ndir, 1);
	}
	inode_touch(inode, ATTR_CTIME);
	dir_changed(odir);
	if (odir != ndir)
		dir_changed(ndir);
	if (target)
		inode_put(target);
	return 0;
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	int err = tmpfs_inode(dir->sb, dir, mode, 0, out);

	if (!err)
		(*out)->nlink = 0;
	return err;
}

int tmpfs_add(struct inode *dir, const char *name, u32 mode, dev_t_k rdev, struct inode **out)
{
	struct inode *i = NULL;
	u32 len = (u32)strlen(name);
	int err;

	rwsem_write_lock(&dir->lock);
	if (entry_find(dir, name, len))
		err = -EEXIST;
	else
		err = MODE_IS(mode, S_IFDIR) ? tmpfs_mkdir(dir, name, len, mode, &i) : tmpfs_create(dir, name, len, mode, rdev, &i);
	rwsem_write_unlock(&dir->lock);
	if (!err) {
		i->mode = mode;
		if (out)
			*out = i;
		else
			inode_put(i);
	}
	return err;
}

static int tmpfs_readdir(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct tmpfs_entry *e;

	if (ctx->pos == 0 && !ctx->emit(ctx, ".", 1, dir->ino, DT_DIR, 1))
		return 0;
	if (ctx->pos == 1) {
		struct dentry *parent = READ_ONCE(f->path.dentry->parent);

		if (!ctx->emit(ctx, "..", 2, parent->inode ? parent->inode->ino : dir->ino, DT_DIR, 2))
			return 0;
	}
	for (e = entry_from(dir, ctx->pos); e; e = entry_next(e))
		if (!ctx->emit(ctx, e->name, e->len, e->inode->ino, mode_to_dt(READ_ONCE(e->inode->mode)), e->key + 1))
			return 0;
	return 0;
}

static s64 tmpfs_dir_seek(struct file *f, s64 off, int whence)
{
	if (whence == SEEK_CUR)
		off += (s64)f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

/* --- handles: generation and number.  An inode is in the hash, where it is found by number, from when its first handle was made --- */

/* What the next inode of that number, in another instance, does not have. */
static u32 generation(const struct inode *i) { return (u32)((u64)i->btime.sec * NSEC_PER_SEC + i->btime.nsec); }

static int handle_words(struct inode *i, u32 *words)
{
	int err = inode_hash_add(i);

	words[0] = generation(i);
	words[1] = (u32)i->ino;
	words[2] = (u32)(i->ino >> 32);
	return err ? err : 3;
}

static int handle_find(struct super *sb, const u32 *words, u32 nr, struct inode **out)
{
	struct inode *i = nr < 3 ? NULL : inode_find_cached(sb, words[1] | (u64)words[2] << 32);

	if (i && generation(i) == words[0]) {
		*out = i;
		return 0;
	}
	if (i)
		inode_put(i);
	return -ESTALE;
}

static int handle_parent(struct inode *dir, struct inode **out)
{
	struct inode *up = tmpfs_i(dir)->parent;

	if (!up)
		return -ESTALE;
	inode_get(up);
	*out = up;
	return 0;
}

static int handle_name_of(struct inode *dir, const struct inode *child, char *name)
{
	for (struct tmpfs_entry *e = entry_from(dir, 0); e; e = entry_next(e))
		if (e->inode == child) {
			memcpy(name, e->name, e->len + 1);
			return 0;
		}
	return -ENOENT;
}

const struct handle_ops tmpfs_handle_ops = { .encode = handle_words, .find = handle_find, .parent = handle_parent, .name_of = handle_name_of };

/* --- extended attributes: what only the privileged can set; user.* could eat all memory --- */

static bool keeps(const char *name)
{
	return (str_has_prefix(name, XATTR_TRUSTED_PREFIX) && name[sizeof(XATTR_TRUSTED_PREFIX) - 1]) ||
	       (str_has_prefix(name, XATTR_SECURITY_PREFIX) && name[sizeof(XATTR_SECURITY_PREFIX) - 1]);
}

static ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
	return keeps(name) ? xattrs_get(&tmpfs_i(i)->xattrs, name, value, size) : -EOPNOTSUPP;
}

static int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
	return keeps(name) ? xattrs_set(&tmpfs_i(i)->xattrs, name, value, size, flags) : -EOPNOTSUPP;
}

static void tmpfs_listxattr(struct inode *i, struct xattr_names *names) { xattrs_list(&tmpfs_i(i)->xattrs, names); }

/* --- chattr --- */

static u32 tmpfs_get_flags(struct inode *i) { return inode_to_fileattr(i) & FLAGS_SET; }

static int tmpfs_set_flags(struct inode *i, u32 flags)
{
	if (flags & ~FLAGS_SET)
		return -EOPNOTSUPP;
	fileattr_to_inode(i, flags);
	return 0;
}

#define FLAG_OPS .get_flags = tmpfs_get_flags, .set_flags = tmpfs_set_flags
#define XATTR_OPS .getxattr = tmpfs_getxattr, .setxattr = tmpfs_setxattr, .listxattr = tmpfs_listxattr

static const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup, .create = tmpfs_create, .mkdir = tmpfs_mkdir, .symlink = tmpfs_symlink, .link = tmpfs_link,
	.unlink = tmpfs_unlink, .rmdir = tmpfs_rmdir, .rename = tmpfs_rename, .tmpfile = tmpfs_tmpfile, XATTR_OPS, FLAG_OPS,
};
static const struct inode_ops fixed_dir_ops = { .lookup = tmpfs_lookup };
static const struct inode_ops tmpfs_file_iops = { XATTR_OPS, FLAG_OPS };
const struct file_ops tmpfs_dir_fops = { .readdir = tmpfs_readdir, .seek = tmpfs_dir_seek };

/* --- data --- */

int tmpfs_page_added(struct address_space *as)
{
	struct inode *i = as->host;
	struct tmpfs_super *t = tmpfs_sb(i->sb);

	if (atomic_add_return(&t->pages, 1) > t->max_pages && t->max_pages) {
		atomic_dec(&t->pages);
		return -ENOSPC;
	}
	atomic_add(&i->blocks, PAGE_SIZE / 512);
	return 0;
}

void tmpfs_page_freed(struct address_space *as, struct page *page)
{
	(void)page;
	atomic_dec(&tmpfs_sb(as->host->sb)->pages);
	atomic_sub(&as->host->blocks, PAGE_SIZE / 512);
}

static const struct address_space_ops tmpfs_aops = { TMPFS_DATA_OPS };

static int tmpfs_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	(void)f; (void)start; (void)end; (void)datasync;
	return 0;
}

static int tmpfs_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	const struct tmpfs_super *t = tmpfs_sb(i->sb);
	int err = 0;

	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) && t->max_pages && len >> PAGE_SHIFT > (u64)t->max_pages)
		return -ENOSPC;		/* before it takes all there is, only to give it back */
	rwsem_write_lock(&i->lock);
	err = memfd_may_allocate(i, mode, off + len);
	if (err) {
		rwsem_write_unlock(&i->lock);
		return err;
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		u64 end = off + len;

		if (mode & FALLOC_FL_ZERO_RANGE && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
			i_size_write(i, end);
		filemap_punch(&i->data, off, end);
	} else {
		for (u64 index = off >> PAGE_SHIFT; !err && index < (off + len + PAGE_SIZE - 1) >> PAGE_SHIFT; index++) {
			struct page *p;

			err = signal_pending() ? -EINTR : filemap_get(&i->data, index, true, &p);
			if (!err)
				page_put(p);
		}
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->size)
			i_size_write(i, off + len);
	}
	if (!err)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	rwsem_write_unlock(&i->lock);
	return err;
}

/* The first page at or after index that is there, or in a swap area; ~0: none.  tree_lock held. */
static u64 next_data(struct address_space *as, u64 index)
{
	void *page;
	u64 at = ~0ul;

	if (!radix_tree_gang_lookup(&as->tree, index, &page, &at, 1))
		at = ~0ul;
	return unlikely(as->swapped) ? min(at, shmem_next_swapped(as, index)) : at;
}

/* The first that is neither, below end.  tree_lock held, let go of now and then: a large file has many pages. */
static u64 next_hole(struct address_space *as, u64 index, u64 end)
{
	for (u32 n = 1; index < end; index++, n++) {
		if (!radix_tree_lookup(&as->tree, index) && (!as->swapped || shmem_next_swapped(as, index) != index))
			break;
		if (n % 256 == 0) {
			spin_unlock_irq(&as->tree_lock);
			spin_lock_irq(&as->tree_lock);
		}
	}
	return index;
}

/* Where data or a hole begins at or after off: pages that are there are data. */
static s64 tmpfs_seek(struct file *f, s64 off, int whence)
{
	struct address_space *as = &f->inode->data;
	u64 size = i_size_read(f->inode), index, found;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_seek(f, off, whence);
	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	index = (u64)off >> PAGE_SHIFT;
	spin_lock_irq(&as->tree_lock);
	index = whence == SEEK_DATA ? next_data(as, index) : next_hole(as, index, DIV_ROUND_UP(size, PAGE_SIZE));
	spin_unlock_irq(&as->tree_lock);
	found = index == ~0ul ? size : index << PAGE_SHIFT;
	if (found < (u64)off)
		found = (u64)off;
	if (found >= size) {
		if (whence == SEEK_DATA)
			return -ENXIO;
		found = size;
	}
	f->pos = found;
	return (s64)found;
}

const struct file_ops tmpfs_file_ops = {
	.seek = tmpfs_seek,
	.read = filemap_read, .write = generic_file_write, .mmap = filemap_mmap, .fsync = tmpfs_fsync, .fallocate = tmpfs_fallocate,
};
