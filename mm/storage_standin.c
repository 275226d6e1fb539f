/* A stand-in until mm/writeback.c has landed, which takes this file away. */
#include <mm/writeback.h>

#define STANDIN __attribute__((weak))

STANDIN void inode_mark_dirty(struct inode *i, u32 what) { (void)i; (void)what; }
STANDIN void page_set_dirty(struct page *p) { page_changed(p); }
STANDIN bool page_clear_dirty_for_write(struct page *p) { (void)p; return false; }
STANDIN void page_write_begin(struct page *p) { (void)p; }
STANDIN void page_write_end(struct page *p, int status) { (void)p; (void)status; }
STANDIN void page_wait_writeback(struct page *p) { (void)p; }
STANDIN void balance_dirty(struct address_space *as, u32 nr) { (void)as; (void)nr; }
STANDIN int filemap_write_range(struct address_space *as, u64 start, u64 end) { (void)as; (void)start; (void)end; return 0; }
STANDIN int filemap_wait_range(struct address_space *as, u64 start, u64 end) { (void)as; (void)start; (void)end; return 0; }
