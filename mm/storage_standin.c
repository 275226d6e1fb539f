/* Stand-ins until drivers/block and mm/writeback.c have landed: whoever brings the real ones takes them out of here. */
#include <drivers/block/block.h>
#include <mm/writeback.h>

#define STANDIN __attribute__((weak))

STANDIN struct bio *bio_alloc(struct block_device *b, u8 op, u8 flags, u64 sector, u32 nr, gfp_t gfp)
{
	(void)b; (void)op; (void)flags; (void)sector; (void)nr; (void)gfp;
	return NULL;
}
STANDIN bool bio_add(struct bio *bio, struct page *page, u32 off, u32 len) { (void)bio; (void)page; (void)off; (void)len; return false; }
STANDIN void bio_free(struct bio *bio) { (void)bio; }
STANDIN void bio_submit(struct bio *bio) { (void)bio; }
STANDIN int bio_submit_wait(struct bio *bio) { (void)bio; return -5; }

STANDIN void inode_mark_dirty(struct inode *i, u32 what) { (void)i; (void)what; }
STANDIN void page_set_dirty(struct page *p) { page_changed(p); }
STANDIN bool page_clear_dirty_for_write(struct page *p) { (void)p; return false; }
STANDIN void page_write_begin(struct page *p) { (void)p; }
STANDIN void page_write_end(struct page *p, int status) { (void)p; (void)status; }
STANDIN void page_wait_writeback(struct page *p) { (void)p; }
STANDIN void balance_dirty(struct address_space *as, u32 nr) { (void)as; (void)nr; }
STANDIN int filemap_write_range(struct address_space *as, u64 start, u64 end) { (void)as; (void)start; (void)end; return 0; }
STANDIN int filemap_wait_range(struct address_space *as, u64 start, u64 end) { (void)as; (void)start; (void)end; return 0; }
