/* Between the files of the page cache only. */
#pragma once
#include <mm/filemap.h>
#include <mm/page.h>

/* page_get_if_ours - reference a page just found at index under RCU; false if it is no longer that. */
bool page_get_if_ours(struct address_space *as, struct page *p, u64 index);
/* page_remove - p, locked and mapped nowhere, out of the tree, and the cache's reference with it.  Unlocks; the caller keeps its own. */
void page_remove(struct address_space *as, struct page *p);
/* page_remove_unused - the same if p is clean and nobody but the cache and the caller has a reference on it: p goes, and with it the
 * caller's.  false: not so; it is still locked, and as it was. */
bool page_remove_unused(struct address_space *as, struct page *p);
