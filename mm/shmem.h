/* Memory that looks like a file: shared anonymous mappings, memfd. */
#pragma once
#include <kernel/lib/types.h>

struct address_space;
struct file;
struct page;
/* shmem_file_create - a file of size bytes without a name in any directory.  0 or -ENOMEM.  Context: thread. */
int __must_check shmem_file_create(const char *name, u64 size, struct file **out);
/* shmem_get_seals, shmem_add_seals - of a memfd; -EINVAL for any other file; -EPERM (sealed), -EBUSY (mapped writable). */
long shmem_get_seals(struct file *f);
long shmem_add_seals(struct file *f, u32 seals);
/* Pages that are in a swap area: mm/shmem_swap.c.  as->swapped must not be NULL but for shmem_unmap.
 * shmem_is_swapped - is this one?  shmem_next_swapped - the first at or after index, ~0: none.  shmem_swap_in - fill p, locked and new: 0,
 * -ENOENT (it is none), -EIO, -ENOMEM.  shmem_drop_swapped - forget those in [first, last]; the cache has none of them.  shmem_swap_free -
 * the file ends.  shmem_unmap - p, locked, of whatever file, goes: true.  shmem_bring_back - all that is in that area.
 * Context: thread, may sleep; the inode is locked or ending for the last but two. */
bool shmem_is_swapped(struct address_space *as, u64 index);
bool shmem_is_cached(struct address_space *as, u64 index);	/* out of its file, and still in memory? */
u64 shmem_nr_swapped(struct address_space *as);		/* how many are; as may have none.  Context: any */
u64 shmem_next_swapped(struct address_space *as, u64 index);
int shmem_swap_in(struct address_space *as, struct page *p);
void shmem_drop_swapped(struct address_space *as, u64 first, u64 last);
void shmem_swap_free(struct address_space *as);
bool shmem_unmap(struct page *p);
int shmem_bring_back(u32 type);
