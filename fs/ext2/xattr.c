/* Extended attributes: an inode's stand behind its numbers in the table, as far as there is room, and the others in one block, which inodes with the
 * same ones share.
 *
 * A name is in one of the two places.  A value goes into the inode if it fits there, else into the block; what had the name in the other place
 * goes.  What is in the inode changes under its lock and raw_lock, on a copy that is then put back, so that the table's block is whole whenever
 * it is written.
 *
 * A shared block is never changed: who changes an attribute gets a block of his own, or that of another inode that has just these by now.
 * Blocks are found again by their hash in a small table of those seen last.
 *
 * Locks.  All that is one inode's own, its body and its choice of a block, is under the inode's lock; readers need no other, because a block of
 * theirs changes under that one alone.  Volume-wide is only who shares a block with whom: xattr_lock guards the table, the counts of sharers,
 * and that a block which has one sharer stays so while it is changed.  It is held for looks and counting, not for reading the inode,
 * allocating or freeing; a change within the inode does not take it. */
#include <fs/ext2/ext2.h>
#include <fs/ext2/xattr_block.h>
#include <fs/xattr.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static const struct { u32 index; const char *prefix; } kinds[] = {
	{ EXT2_XATTR_USER, XATTR_USER_PREFIX }, { EXT2_XATTR_TRUSTED, XATTR_TRUSTED_PREFIX }, { EXT2_XATTR_SECURITY, XATTR_SECURITY_PREFIX },
};

/* The kind of the name, and what follows its prefix; 0: none that can be kept. */
static u32 kind_of(const struct ext2_super *s, const char **name)
{
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_has_prefix(*name, kinds[i].prefix)) {
			*name += strlen(kinds[i].prefix);
			if (!**name || (kinds[i].index == EXT2_XATTR_USER && !(s->opts.flags & EXT2_OPT_XATTR_USER)))
				return 0;
			return kinds[i].index;
		}
	return 0;
}

/* --- in the inode --- */

/* The room in raw; false: there is none. */
static bool body_of(const struct ext2_super *s, const struct ext2_inode *e, struct ext2_disk_inode *raw, struct ext2_xattrs *x)
{
	u32 at = EXT2_GOOD_OLD_INODE + e->extra_isize + 4;

	if (s->geo.inode_size < at + sizeof(struct ext2_xattr_entry) + 4)
		return false;
	*x = (struct ext2_xattrs){ (char *)raw + at, 0, s->geo.inode_size - at };
	return true;
}

static u32 *body_magic(const struct ext2_xattrs *x) { return (u32 *)x->base - 1; }

bool ext2_xattrs_any(const struct ext2_super *s, const struct ext2_inode *e, struct ext2_disk_inode *raw)
{
	struct ext2_xattrs x;

	return e->file_acl || (body_of(s, e, raw, &x) && *body_magic(&x) == EXT2_XATTR_MAGIC);
}

/* What is there, judged; b is the block of the table.  x->size 0: nothing is, nor could be; x->base NULL: nothing is. */
static int body_read(struct inode *i, struct buffer *b, struct ext2_xattrs *x)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_disk_inode *raw;
	const char *why;
	int err;

	*b = (struct buffer){ 0 };
	*x = (struct ext2_xattrs){ NULL, 0, 0 };
	if (s->geo.inode_size == EXT2_GOOD_OLD_INODE)
		return 0;
	err = ext2_raw_read(s, i->ino, b, &raw);
	if (err)
		return err;
	if (!body_of(s, ext2_i(i), raw, x))
		return 0;
	if (READ_ONCE(ext2_i(i)->fresh) || *body_magic(x) != EXT2_XATTR_MAGIC) {
		x->base = NULL;
		return 0;
	}
	why = ext2_xattrs_wrong(x);
	if (!why)
		return 0;
	buffer_put(b);
	return ext2_error(s, "inode %lu: attributes in the inode: %s", i->ino, why);
}

/* The inode has these from now on; image is as large as its room. */
static int body_write(struct inode *i, const struct ext2_xattrs *image)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);
	struct ext2_disk_inode *raw;
	struct ext2_xattrs x;
	struct buffer b;
	int err = ext2_raw_read(s, i->ino, &b, &raw);

	if (err)
		return err;
	mutex_lock(&e->raw_lock);
	VERIFY(body_of(s, e, raw, &x) && x.size == image->size);
	*body_magic(&x) = ext2_xattr_last(ext2_xattr_first(image)) ? 0 : EXT2_XATTR_MAGIC;
	memcpy(x.base, image->base, x.size);
	mutex_unlock(&e->raw_lock);
	buffer_dirty(&b);
	buffer_put(&b);
	return 0;
}

/* --- in a block --- */

static int block_read(struct inode *i, struct buffer *b)
{
	struct ext2_super *s = ext2_sb(i->sb);
	const char *why;
	int err;

	*b = (struct buffer){ 0 };
	if (!ext2_i(i)->file_acl)
		return 0;
	err = ext2_block_read(s, ext2_i(i)->file_acl, b);
	if (err)
		return err;
	why = ext2_xattr_wrong(b->data, s->geo.block_size);
	if (!why)
		return 0;
	buffer_put(b);
	return ext2_error(s, "inode %lu: block %u of attributes: %s", i->ino, ext2_i(i)->file_acl, why);
}

/* size bytes of the value, at most; -ENODATA: it is not there. */
static ssize_t value_of(const struct ext2_xattrs *x, u32 index, const char *name, void *value, size_t size)
{
	struct ext2_xattr_entry *e = x->base ? ext2_xattr_find(x, index, name, (u32)strlen(name)) : NULL;

	if (!e)
		return -ENODATA;
	if (size && e->value_size > size)
		return -ERANGE;
	if (size)
		memcpy(value, (char *)x->base + e->value_offs, e->value_size);
	return (ssize_t)e->value_size;
}

ssize_t ext2_xattr_get(struct inode *i, u32 index, const char *name, void *value, size_t size)
{
	struct ext2_xattrs x;
	struct buffer b;
	ssize_t n = body_read(i, &b, &x);

	if (n)
		return n;
	n = value_of(&x, index, name, value, size);
	buffer_put(&b);
	if (n != -ENODATA || !ext2_i(i)->file_acl)
		return n;
	n = block_read(i, &b);
	if (n)
		return n;
	x = ext2_xattrs_block(b.data, ext2_sb(i->sb)->geo.block_size);
	n = value_of(&x, index, name, value, size);
	buffer_put(&b);
	return n;
}

ssize_t ext2_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
	u32 kind = kind_of(ext2_sb(i->sb), &name);

	return kind ? ext2_xattr_get(i, kind, name, value, size) : -EOPNOTSUPP;
}

static void list(const struct ext2_super *s, const struct ext2_xattrs *x, struct xattr_names *names)
{
	char text[XATTR_NAME_MAX + 16];

	for (struct ext2_xattr_entry *e = ext2_xattr_first(x); !ext2_xattr_last(e); e = ext2_xattr_next(e))
		for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
			if (kinds[k].index == e->name_index && (e->name_index != EXT2_XATTR_USER || s->opts.flags & EXT2_OPT_XATTR_USER)) {
				u32 n = (u32)scnprintf(text, sizeof(text), "%s", kinds[k].prefix), len = min((u32)e->name_len, (u32)XATTR_NAME_MAX - n);

				memcpy(text + n, e->name, len);
				text[n + len] = 0;
				xattr_names_add(names, text);
			}
}

void ext2_listxattr(struct inode *i, struct xattr_names *names)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_xattrs x;
	struct buffer b;

	if (!body_read(i, &b, &x)) {
		if (x.base)
			list(s, &x, names);
		buffer_put(&b);
	}
	if (ext2_i(i)->file_acl && !block_read(i, &b)) {
		x = ext2_xattrs_block(b.data, s->geo.block_size);
		list(s, &x, names);
		buffer_put(&b);
	}
}

/* --- sharing: note and unnote with xattr_lock held --- */

static void note(struct ext2_super *s, u32 hash, u32 block)
{
	if (hash)
		s->xattr_blocks[hash % EXT2_XATTR_SLOTS] = (__typeof__(s->xattr_blocks[0])){ hash, block };
}

static void unnote(struct ext2_super *s, u32 block)
{
	for (u32 i = 0; i < EXT2_XATTR_SLOTS; i++)
		if (s->xattr_blocks[i].block == block)
			s->xattr_blocks[i].block = 0;
}

/* A block that says the same as image already: one more shares it.  0: there is none. */
static u32 share_same(struct ext2_super *s, const void *image, u32 not_this)
{
	u32 hash = ext2_xattr_header(image)->hash, slot = hash % EXT2_XATTR_SLOTS, block;
	struct buffer b;

	mutex_lock(&s->xattr_lock);	/* over the reading too: the block is not freed meanwhile */
	block = s->xattr_blocks[slot].block;
	if (!hash || !block || block == not_this || s->xattr_blocks[slot].hash != hash || ext2_block_read(s, block, &b)) {
		mutex_unlock(&s->xattr_lock);
		return 0;
	}
	if (ext2_xattr_wrong(b.data, s->geo.block_size) || !ext2_xattr_same(b.data, image, s->geo.block_size) ||
	    ext2_xattr_header(b.data)->refcount >= EXT2_XATTR_REFCOUNT_MAX) {
		block = 0;
	} else {
		ext2_xattr_header(b.data)->refcount++;
		buffer_dirty(&b);
	}
	mutex_unlock(&s->xattr_lock);
	buffer_put(&b);
	return block;
}

/* The inode's block, of which it is the only sharer, says what image says; false: there are others. */
static bool change_alone(struct ext2_super *s, struct buffer *old, const void *image, u32 block)
{
	bool alone;

	mutex_lock(&s->xattr_lock);
	alone = ext2_xattr_header(old->data)->refcount == 1;
	if (alone) {
		unnote(s, block);
		memcpy(old->data, image, s->geo.block_size);
		note(s, ext2_xattr_header(image)->hash, block);
	}
	mutex_unlock(&s->xattr_lock);
	if (alone)
		buffer_dirty(old);
	return alone;
}

/* One less shares the block. */
static void unshare(struct ext2_super *s, u32 block)
{
	struct buffer b;
	bool last = false, wrong;

	if (ext2_block_read_surely(s, block, &b))
		return;
	mutex_lock(&s->xattr_lock);
	wrong = ext2_xattr_wrong(b.data, s->geo.block_size);
	if (!wrong) {
		last = ext2_xattr_header(b.data)->refcount == 1;
		if (last)
			unnote(s, block);
		else
			ext2_xattr_header(b.data)->refcount--;
	}
	mutex_unlock(&s->xattr_lock);
	if (!wrong && !last)
		buffer_dirty(&b);
	buffer_put(&b);
	if (wrong)
		ext2_error(s, "block %u of attributes is damaged", block);
	if (last) {		/* nobody finds it any more */
		buffers_forget(s->bdev, block, 1, s->geo.block_size);
		ext2_blocks_free(s, block, 1);
	}
}

/* A new block with image's contents. */
static int block_make(struct inode *i, const void *image, u32 *block)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct buffer b;
	u32 nr;
	int err = ext2_blocks_alloc(s, NULL, ext2_group_first(&s->geo, ext2_i(i)->group), 1, block, &nr);

	if (err)
		return err;
	err = ext2_block_new(s, *block, &b);
	if (err) {
		ext2_blocks_free(s, *block, 1);
		return err;
	}
	memcpy(b.data, image, s->geo.block_size);
	buffer_dirty(&b);
	buffer_put(&b);
	mutex_lock(&s->xattr_lock);
	note(s, ext2_xattr_header(image)->hash, *block);
	mutex_unlock(&s->xattr_lock);
	ext2_feature_ext_attr(s);
	return 0;
}

/* The inode's attributes are now what image says; old: the block that it has, or an empty buffer. */
static int replace(struct inode *i, struct buffer *old, const void *image)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);
	struct ext2_xattrs x = ext2_xattrs_block(image, s->geo.block_size);
	u32 had = e->file_acl, block = 0;
	int err;

	if (!ext2_xattr_last(ext2_xattr_first(&x))) {
		ext2_xattr_header(image)->refcount = 1;
		block = share_same(s, image, had);
		if (!block && old->page && change_alone(s, old, image, had))
			return 0;
		if (!block && (err = block_make(i, image, &block)) != 0)
			return err;
	}
	e->file_acl = block;
	if (had)
		unshare(s, had);
	if (!had != !block)
		ext2_blocks_add(i, block ? 1 : -1);
	return 0;
}

/* A change: copies of both places, and what they were copied from. */
struct change {
	struct ext2_xattrs body, block;
	bool in_body, in_block;		/* where the name is */
	struct buffer table, old;
};

static int change_begin(struct inode *i, struct change *c, u32 index, const char *name, u32 len)
{
	u32 size = ext2_sb(i->sb)->geo.block_size;
	int err = body_read(i, &c->table, &c->body);

	if (err)
		return err;
	if (c->body.size) {
		void *copy = kzalloc(c->body.size, GFP_NOIO);

		if (!copy)
			return -ENOMEM;
		if (c->body.base)
			memcpy(copy, c->body.base, c->body.size);
		c->body.base = copy;
		c->in_body = ext2_xattr_find(&c->body, index, name, len);
	}
	err = block_read(i, &c->old);
	if (err)
		return err;
	c->block = ext2_xattrs_block(kmalloc(size, GFP_NOIO), size);
	if (!c->block.base)
		return -ENOMEM;
	if (c->old.page)
		memcpy(c->block.base, c->old.data, size);
	else
		ext2_xattr_init(c->block.base, size);
	if (c->old.page && ext2_xattr_wrong(c->block.base, size))	/* good a moment ago: on a damaged volume another inode has it, too */
		return ext2_error(ext2_sb(i->sb), "inode %lu: block %u of attributes is another's as well", i->ino, ext2_i(i)->file_acl);
	c->in_block = ext2_xattr_find(&c->block, index, name, len);
	return 0;
}

static void change_end(struct change *c)
{
	kfree(c->body.base);
	kfree(c->block.base);
	buffer_put(&c->table);
	buffer_put(&c->old);
}

/* The name gets the value in one place and goes from the other. */
static int change(struct inode *i, struct change *c, u32 index, const char *name, u32 len, const void *value, u32 size)
{
	bool to_body = false, to_block = false;
	int err = 0;

	if (value) {
		to_body = c->body.base && !ext2_xattr_set(&c->body, index, name, len, value, size);
		to_block = !to_body;
		if (to_block)
			err = ext2_xattr_set(&c->block, index, name, len, value, size);
		if (err)
			return err;
	}
	if (c->in_block && !to_block)
		err = ext2_xattr_set(&c->block, index, name, len, NULL, 0);
	if (!err && (c->in_block || to_block))
		err = replace(i, &c->old, c->block.base);
	if (!err && c->in_body && !to_body)
		err = ext2_xattr_set(&c->body, index, name, len, NULL, 0);
	return !err && (c->in_body || to_body) ? body_write(i, &c->body) : err;
}

int ext2_xattr_put(struct inode *i, u32 index, const char *name, const void *value, size_t size, u32 flags)
{
	struct ext2_super *s = ext2_sb(i->sb);
	u32 len = (u32)strlen(name);
	struct change c = { 0 };
	int err = 0;

	if (size > s->geo.block_size)
		return -ENOSPC;
	if (READ_ONCE(ext2_i(i)->fresh))	/* what lies behind the numbers is still another's */
		err = ext2_write_inode(i, false);
	if (err)
		return err;
	err = change_begin(i, &c, index, name, len);
	if (!err && (c.in_body || c.in_block) && flags & XATTR_CREATE)
		err = -EEXIST;
	if (!err && !c.in_body && !c.in_block && flags & XATTR_REPLACE)
		err = -ENODATA;
	if (!err)
		err = change(i, &c, index, name, len, value, (u32)size);
	change_end(&c);
	if (!err) {
		inode_touch(i, ATTR_CTIME);
		inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	}
	return err;
}

int ext2_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
	u32 kind = kind_of(ext2_sb(i->sb), &name);

	return kind ? ext2_xattr_put(i, kind, name, value, size, flags) : -EOPNOTSUPP;
}

void ext2_xattr_drop(struct inode *i)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);

	if (!e->file_acl)
		return;
	unshare(s, e->file_acl);
	e->file_acl = 0;
	ext2_blocks_add(i, -1);
}
