/* Who maps an anonymous page.  Theory: mm/rmap.c. */
#pragma once
#include <mm/page.h>

struct mm;
struct vma;
struct anon_node;

/* anon_node_new - mm's place in the tree of forks, below that of the mm it is a copy of (NULL: it begins empty).  NULL if no memory.
 * anon_node_join - the copy is complete, and reclaim may look at it.  Context: the parent's mmap_lock held for writing.
 * anon_node_leave - mm maps nothing any more; its tables may go when this returns.  Context: thread, may sleep; no page locked. */
struct anon_node *anon_node_new(struct mm *mm, struct anon_node *parent);
void anon_node_join(struct anon_node *node, struct mm *mm);
void anon_node_leave(struct anon_node *node);
/* anon_node_root - the mm that all others of the tree came of.  Context: node's mm lives. */
struct anon_node *anon_node_root(struct anon_node *node);

/* rmap_walk_anon - call fn for each place where the anonymous page p may be mapped: vma's mmap_lock is held for reading, and the entry at addr is
 * to be looked at.  fn returns false to stop.  Returns false if not all could be seen, for somebody was changing his address space; waits
 * for nobody.  p is locked.  Context: thread. */
typedef bool (*rmap_fn)(struct vma *vma, vaddr_t addr, struct page *p, void *arg);
bool rmap_walk_anon(struct page *p, rmap_fn fn, void *arg);
