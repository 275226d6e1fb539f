/* Symbolic links: a text of up to 59 bytes stands in the inode, where others have block pointers; a longer one in a block. */
#include <fs/ext2/ext2.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/writeback.h>

int ext2_symlink_make(struct inode *i, const char *target, u32 len)
{
	struct ext2_inode *e = ext2_i(i);
	struct page *p;
	int err;

	if (len < sizeof(e->block)) {
		memcpy(e->block, target, len);
		i->link = (char *)e->block;
		i->size = len;
		return 0;
	}
	err = ext2_dir_grow(i, 0);
	if (!err)
		err = filemap_grab(&i->data, 0, GFP_NOIO, &p);
	if (err)
		return err;
	memset(page_address(p), 0, PAGE_SIZE);
	memcpy(page_address(p), target, len);
	page_mark_uptodate(p);
	i_size_write(i, len);
	page_set_dirty(p);
	page_unlock(p);
	page_put(p);
	return 0;
}

static int slow_readlink(struct inode *i, char *buf, size_t size)
{
	u32 len = (u32)min(i_size_read(i), (u64)size);
	struct page *p;
	int err;

	if (i_size_read(i) >= ext2_sb(i->sb)->geo.block_size)
		return ext2_error(ext2_sb(i->sb), "inode %lu: i_size of a symlink is %lu", i->ino, i_size_read(i));
	err = filemap_get(&i->data, 0, false, &p);
	if (err)
		return err;
	memcpy(buf, page_address(p), len);
	page_put(p);
	return (int)len;
}

const struct inode_ops ext2_link_iops = { .readlink = slow_readlink, .setattr = ext2_setattr, EXT2_XATTR_OPS };
