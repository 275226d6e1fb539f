/* Who maps an anonymous page.
 *
 * Theory.  An anonymous page is born in one address space, and comes into others by fork alone, at the same address; so it can be mapped
 * only by the address space that it was born in and by those which came of that one by fork.  These make a tree, kept here: a node for each
 * address space (struct anon_node), below its parent's; exec begins a tree of its own.  page->anon names the node of birth, page->index
 * the address there.  The walk goes over that node and what is below it, and looks at the one address in each.
 *
 * mremap moves pages within an address space.  A VMA that was moved remembers by how much (vma->moved), at splits and in copies by fork
 * too, and merges only with what was moved alike; so a page's index stays true, and the address in a moved VMA is index + moved.  Few
 * VMAs are moved: those of an address space stand on its list mm->moved and are tried one by one.
 *
 * This costs a fault three stores into a cache line that it writes anyway, and fork and exit a node each.  To remember every VMA of
 * every process for each page instead (chains of VMAs) would find the VMA without a search, and costs memory and locks for each VMA at
 * fork and at each split; the search is one descent in a tree, done only for pages that are about to go to a device.
 *
 * A node outlives its address space as long as there are nodes below it: pages that it bore may be mapped there.  With the last of them it goes,
 * and its parents likewise.  When a page comes back from swap and others may bring it into their tables too, nobody knows any more where it
 * was born; then it is the root's, which is above them all.
 *
 * Locks.  The root's lock (LC_ANON) guards the tree; who walks holds it for reading, and only tries for it and for each mmap_lock, since a
 * page is locked meanwhile, which ranks higher.  An address space leaves the tree when nothing is mapped in it and before its tables go.
 * One that fork fills joins when that is done, for nobody holds its mmap_lock before; until then its mappings are not found, and a page
 * that has more mappings than are found stays.  While a page is mapped and the lock held, its node is there: mapped is asked again
 * under the lock.  Before, RCU keeps the memory: a node is freed a grace period after it left, and the page was mapped, so its node
 * there, when the RCU section began to look. */
#include <kernel/debug.h>
#include <mm/mm_internal.h>
#include <mm/rmap.h>
#include <mm/slab.h>

struct anon_node {
	struct mm *mm;				/* [root's lock] NULL: gone */
	struct anon_node *parent, *root;	/* [I] */
	struct list_head children, sibling;	/* [root's lock] */
	struct rwsem lock;			/* LC_ANON; the root's is used */
	struct rcu_head rcu;
};

static struct slab_cache *node_cache;

struct anon_node *anon_node_new(struct mm *mm, struct anon_node *parent)
{
	struct anon_node *n;

	if (unlikely(!node_cache))		/* the first address space is made at boot, alone */
		node_cache = slab_cache_create("anon_node", sizeof(struct anon_node), 0, NULL);
	n = node_cache ? slab_alloc(node_cache, GFP_KERNEL) : NULL;
	if (!n)
		return NULL;
	n->parent = parent;
	list_init(&n->children);
	list_init(&n->sibling);
	if (parent) {
		n->root = parent->root;
		n->mm = NULL;		/* until it has all its VMAs: see anon_node_join */
		return n;
	}
	n->root = n;
	n->mm = mm;
	rwsem_init(&n->lock, LC_ANON);
	return n;
}

void anon_node_join(struct anon_node *n, struct mm *mm)
{
	rwsem_write_lock(&n->root->lock);
	n->mm = mm;
	list_add(&n->sibling, &n->parent->children);
	rwsem_write_unlock(&n->root->lock);
}

static void node_free_rcu(struct rcu_head *head) { slab_free(node_cache, container_of(head, struct anon_node, rcu)); }

void anon_node_leave(struct anon_node *n)
{
	struct anon_node *root = n->root, *up, *dead = NULL;

	rwsem_write_lock(&root->lock);
	n->mm = NULL;
	for (; n && !n->mm && list_empty(&n->children); n = up) {
		up = n->parent;
		if (up)
			list_del(&n->sibling);
		n->parent = dead;		/* nobody asks a dead node for it */
		dead = n;
	}
	rwsem_write_unlock(&root->lock);
	for (; dead; dead = up) {
		up = dead->parent;
		call_rcu(&dead->rcu, node_free_rcu);
	}
}

struct anon_node *anon_node_root(struct anon_node *node) { return node->root; }

static struct anon_node *next_below(const struct anon_node *top, struct anon_node *n)
{
	if (!list_empty(&n->children))
		return list_first_entry(&n->children, struct anon_node, sibling);
	for (; n != top; n = n->parent)
		if (n->sibling.next != &n->parent->children)
			return list_next_entry(n, sibling);
	return NULL;
}

/* The tree's lock, for reading, and the node p was born in; NULL: it is mapped nowhere any more, or the lock is not to be had. */
static struct anon_node *lock_tree(struct page *p, bool *busy)
{
	struct anon_node *n = NULL, *root;

	*busy = false;
	rcu_read_lock();
	if (atomic_load(&p->mapcount)) {
		smp_rmb();
		n = READ_ONCE(p->anon);
		root = n->root;
		if (!rwsem_read_trylock(&root->lock)) {
			*busy = true;
			n = NULL;
		} else if (!atomic_load(&p->mapcount)) {
			rwsem_read_unlock(&root->lock);
			n = NULL;
		}
	}
	rcu_read_unlock();
	return n;
}

static bool in_one(struct mm *mm, struct page *p, rmap_fn fn, void *arg)
{
	vaddr_t addr = p->index << PAGE_SHIFT;
	struct vma *at = vma_find(mm, addr), *v;

	if (at && at->start <= addr && !at->moved && !(at->flags & (VM_SHARED | VM_SPECIAL)) && !fn(at, addr, p, arg))
		return false;
	list_for_each_entry(v, &mm->moved, moved_link) {
		addr = (p->index + v->moved) << PAGE_SHIFT;
		if (addr >= v->start && addr < v->end && !fn(v, addr, p, arg))
			return false;
	}
	return true;
}

bool rmap_walk_anon(struct page *p, rmap_fn fn, void *arg)
{
	bool busy, all = true, more = true;
	struct anon_node *top = lock_tree(p, &busy), *root;

	if (!top)
		return !busy;
	root = top->root;
	for (struct anon_node *n = top; n && more; n = next_below(top, n)) {
		struct mm *mm = n->mm;

		if (!mm)
			continue;
		if (!rwsem_read_trylock(&mm->mmap_lock)) {
			all = false;
			continue;
		}
		more = in_one(mm, p, fn, arg);
		rwsem_read_unlock(&mm->mmap_lock);
	}
	rcu_read_lock();		/* until the lock is let go, the tree may end, but its memory stays */
	rwsem_read_unlock(&root->lock);
	rcu_read_unlock();
	return all;
}
