/* Extended attributes: all of an inode's stand in one block, which inodes with the same ones share.
 *
 * A shared block is never changed: who changes an attribute gets a block of his own, or that of another inode that has just these by now.
 * Blocks are found again by their hash in a small table of those seen last.  xattr_lock guards the counts of sharers and the contents of
 * blocks that are changed; readers need only their inode's lock, because a block of theirs changes under that one alone. */
#include <fs/ext2/ext2.h>
#include <fs/ext2/xattr_block.h>
#include <fs/xattr.h>
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

ssize_t ext2_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
	u32 kind = kind_of(ext2_sb(i->sb), &name);
	struct ext2_xattr_entry *e;
	struct buffer b;
	ssize_t n;

	if (!kind)
		return -EOPNOTSUPP;
	n = block_read(i, &b);
	if (n)
		return n;
	e = b.page ? ext2_xattr_find(b.data, kind, name, (u32)strlen(name)) : NULL;
	n = !e ? -ENODATA : size && e->value_size > size ? -ERANGE : (ssize_t)e->value_size;
	if (n > 0 && size)
		memcpy(value, (char *)b.data + e->value_offs, e->value_size);
	buffer_put(&b);
	return n;
}

void ext2_listxattr(struct inode *i, struct xattr_names *names)
{
	struct ext2_super *s = ext2_sb(i->sb);
	char text[XATTR_NAME_MAX + 16];
	struct ext2_xattr_entry *e;
	struct buffer b;

	if (block_read(i, &b) || !b.page)
		return;
	for (e = ext2_xattr_first(b.data); !ext2_xattr_last(e); e = ext2_xattr_next(e))
		for (u32 k = 0; k < ARRAY_SIZE(kinds); k++)
			if (kinds[k].index == e->name_index && (e->name_index != EXT2_XATTR_USER || s->opts.flags & EXT2_OPT_XATTR_USER)) {
				u32 n = (u32)scnprintf(text, sizeof(text), "%s", kinds[k].prefix), len = min((u32)e->name_len, (u32)XATTR_NAME_MAX - n);

				memcpy(text + n, e->name, len);
				text[n + len] = 0;
				xattr_names_add(names, text);
			}
	buffer_put(&b);
}

/* --- sharing --- */

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
static u32 find_same(struct ext2_super *s, const void *image, u32 not_this)
{
	u32 hash = ext2_xattr_header(image)->hash, slot = hash % EXT2_XATTR_SLOTS, block = s->xattr_blocks[slot].block;
	struct buffer b;

	if (!hash || !block || block == not_this || s->xattr_blocks[slot].hash != hash || ext2_block_read(s, block, &b))
		return 0;
	if (ext2_xattr_wrong(b.data, s->geo.block_size) || !ext2_xattr_same(b.data, image, s->geo.block_size) ||
	    ext2_xattr_header(b.data)->refcount >= EXT2_XATTR_REFCOUNT_MAX) {
		block = 0;
	} else {
		ext2_xattr_header(b.data)->refcount++;
		buffer_dirty(&b);
	}
	buffer_put(&b);
	return block;
}

/* One less shares the block. */
static void unshare(struct ext2_super *s, u32 block)
{
	struct buffer b;
	bool last;

	if (ext2_block_read(s, block, &b))
		return;
	if (ext2_xattr_wrong(b.data, s->geo.block_size)) {
		ext2_error(s, "block %u of attributes is damaged", block);
		buffer_put(&b);
		return;
	}
	last = ext2_xattr_header(b.data)->refcount == 1;
	if (!last) {
		ext2_xattr_header(b.data)->refcount--;
		buffer_dirty(&b);
	}
	buffer_put(&b);
	if (last) {
		unnote(s, block);
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
	note(s, ext2_xattr_header(image)->hash, *block);
	ext2_feature_ext_attr(s);
	return 0;
}

/* The inode's attributes are now what image says; old: the block that it has, or an empty buffer.  xattr_lock is held. */
static int replace(struct inode *i, struct buffer *old, const void *image)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);
	u32 had = e->file_acl, block = 0;
	int err;

	if (!ext2_xattr_last(ext2_xattr_first(image))) {
		ext2_xattr_header(image)->refcount = 1;
		block = find_same(s, image, had);
		if (!block && old->page && ext2_xattr_header(old->data)->refcount == 1) {
			unnote(s, had);
			memcpy(old->data, image, s->geo.block_size);
			buffer_dirty(old);
			note(s, ext2_xattr_header(image)->hash, had);
			return 0;
		}
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

int ext2_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
	struct ext2_super *s = ext2_sb(i->sb);
	u32 kind = kind_of(s, &name), len = (u32)strlen(name);
	struct ext2_xattr_entry *e;
	struct buffer b;
	void *image;
	int err;

	if (!kind)
		return -EOPNOTSUPP;
	if (size > s->geo.block_size)
		return -ENOSPC;
	image = kmalloc(s->geo.block_size, GFP_NOIO);
	if (!image)
		return -ENOMEM;
	mutex_lock(&s->xattr_lock);
	err = block_read(i, &b);
	if (!err) {
		e = b.page ? ext2_xattr_find(b.data, kind, name, len) : NULL;
		err = e && flags & XATTR_CREATE ? -EEXIST : !e && flags & XATTR_REPLACE ? -ENODATA : 0;
		if (b.page)
			memcpy(image, b.data, s->geo.block_size);
		else
			ext2_xattr_init(image, s->geo.block_size);
	}
	if (!err)
		err = ext2_xattr_set(image, s->geo.block_size, kind, name, len, value, (u32)size);
	if (!err)
		err = replace(i, &b, image);
	buffer_put(&b);
	mutex_unlock(&s->xattr_lock);
	kfree(image);
	if (!err) {
		inode_touch(i, ATTR_CTIME);
		inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	}
	return err;
}

void ext2_xattr_drop(struct inode *i)
{
	struct ext2_super *s = ext2_sb(i->sb);
	struct ext2_inode *e = ext2_i(i);

	if (!e->file_acl)
		return;
	mutex_lock(&s->xattr_lock);
	unshare(s, e->file_acl);
	mutex_unlock(&s->xattr_lock);
	e->file_acl = 0;
	ext2_blocks_add(i, -1);
}
