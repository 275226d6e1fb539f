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
 * shmem_has_slot - is this one (as->swapped may be NULL)?  Under as->tree_lock, any context; shmem_is_swapped takes it.  shmem_is_hole - neither
 * page nor slot is there: takes it too.  shmem_next_swapped - the first at or after index, ~0: none; shmem_next - the first that is there or
 * swapped.  shmem_swap_in - fill p, locked and new: 0, -ENOENT (it is none), -EIO, -ENOMEM.  shmem_drop_slot - forget the one at index; false:
 * there is a page again, whose lock decides.  shmem_swap_free - the file ends.  shmem_unmap - p, locked, of whatever file, goes: true.
 * shmem_bring_back - all that is in that area.
 * Context: thread; the last two and shmem_swap_in may sleep. */
bool shmem_has_slot(struct address_space *as, u64 index);
bool shmem_is_swapped(struct address_space *as, u64 index);
bool shmem_is_hole(struct address_space *as, u64 index);
bool shmem_is_cached(struct address_space *as, u64 index);	/* out of its file, and still in memory? */
u64 shmem_nr_swapped(struct address_space *as);		/* how many are; as may have none.  Context: any */
u64 shmem_next_swapped(struct address_space *as, u64 index);
int shmem_swap_in(struct address_space *as, struct page *p);
u64 shmem_next(struct address_space *as, u64 index);
bool shmem_drop_slot(struct address_space *as, u64 index);
void shmem_swap_free(struct address_space *as);
bool shmem_unmap(struct page *p);
int shmem_bring_back(u32 type);
