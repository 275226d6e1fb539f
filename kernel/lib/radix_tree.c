/* Radix trees.
 *
 * Growing puts a new root above the old one, shrinking takes it away again; both publish the root by one store, so a reader sees
 * either tree whole.  A reader works only from the node it loaded: the node's own shift tells how to index it. */
#include <asm/errno.h>
#include <kernel/lib/radix_tree.h>

#define NODE_BIT 1ul

static inline bool is_node(const void *p) { return (u64)p & NODE_BIT; }
static inline struct radix_node *to_node(const void *p) { return (struct radix_node *)((u64)p & ~NODE_BIT); }
static inline void *from_node(const struct radix_node *n) { return (void *)((u64)n | NODE_BIT); }
static inline u32 slot_of(const struct radix_node *n, u64 index) { return index >> n->shift & (RADIX_SLOTS - 1); }
/* largest index a tree with this root covers */
static inline u64 node_max(const struct radix_node *n)
{
	return n->shift + RADIX_BITS >= 64 ? ~0ul : (1ul << (n->shift + RADIX_BITS)) - 1;
}

#define publish(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)	/* pairs with the acquire loads of look-ups */
#define load(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

void radix_tree_init(struct radix_tree *t, struct radix_node *(*node_alloc)(void), void (*node_free)(struct radix_node *))
{
	*t = (struct radix_tree){ .node_alloc = node_alloc, .node_free = node_free };
}

void *radix_tree_lookup(const struct radix_tree *t, u64 index)
{
	void *p = load(t->root);

	if (!is_node(p))
		return index ? NULL : p;
	if (index > node_max(to_node(p)))
		return NULL;
	while (is_node(p)) {
		struct radix_node *n = to_node(p);

		p = load(n->slots[slot_of(n, index)]);
	}
	return p;
}

void radix_tree_row(const struct radix_tree *t, u64 first, void **entries, u32 nr)
{
	struct radix_node *n = NULL;
	void *p = load(t->root);

	if (is_node(p) && first <= node_max(to_node(p)))
		for (n = to_node(p); n && n->shift; n = is_node(p) ? to_node(p) : NULL)
			p = load(n->slots[slot_of(n, first)]);
	for (u32 i = 0; i < nr; i++)
		entries[i] = n ? load(n->slots[slot_of(n, first) + i]) : NULL;
	if (!is_node(p) && !first)
		entries[0] = p;		/* the root alone */
}

static struct radix_node *leaf_of(const struct radix_tree *t, u64 index)
{
	void *p = t->root;
	struct radix_node *n = NULL;

	if (!is_node(p) || index > node_max(to_node(p)))
		return NULL;
	while (is_node(p)) {
		n = to_node(p);
		p = n->slots[slot_of(n, index)];
	}
	return n->shift == 0 && p ? n : NULL;
}

/* Put roots above the old one until index is covered. */
static int grow(struct radix_tree *t, u64 index)
{
	while (!is_node(t->root) || index > node_max(to_node(t->root))) {
		struct radix_node *n = t->node_alloc();

		if (!n)
			return -ENOMEM;
		if (is_node(t->root)) {
			struct radix_node *old = to_node(t->root);

			n->shift = old->shift + RADIX_BITS;
			old->parent = n;
			old->offset = 0;
			for (u32 tag = 0; tag < RADIX_TAGS; tag++)
				n->tags[tag] = old->tags[tag] != 0;
		} else {
			for (u32 tag = 0; tag < RADIX_TAGS && t->root; tag++)
				n->tags[tag] = t->root_tags >> tag & 1;
			t->root_tags = 0;
		}
		if (t->root) {
			n->slots[0] = t->root;
			n->count = 1;
		}
		publish(t->root, from_node(n));
	}
	return 0;
}

static void free_empty_path(struct radix_tree *t, struct radix_node *n)
{
	while (n && !n->count) {
		struct radix_node *parent = n->parent;

		if (parent) {
			publish(parent->slots[n->offset], NULL);
			parent->count--;
			for (u32 tag = 0; tag < RADIX_TAGS; tag++)
				parent->tags[tag] &= ~(1ul << n->offset);
		} else {
			publish(t->root, NULL);
		}
		t->node_free(n);
		n = parent;
	}
}

int radix_tree_insert(struct radix_tree *t, u64 index, void *entry)
{
	struct radix_node *n;

	if (!t->root && index == 0) {
		t->root_tags = 0;
		publish(t->root, entry);
		return 0;
	}
	if (!is_node(t->root) && t->root && index == 0)
		return -EEXIST;
	if (grow(t, index))
		return -ENOMEM;
	n = to_node(t->root);
	while (n->shift) {
		u32 s = slot_of(n, index);

		if (!n->slots[s]) {
			struct radix_node *child = t->node_alloc();

			if (!child) {
				free_empty_path(t, n);
				return -ENOMEM;
			}
			child->shift = n->shift - RADIX_BITS;
			child->parent = n;
			child->offset = (u8)s;
			n->count++;
			publish(n->slots[s], from_node(child));
		}
		n = to_node(n->slots[s]);
	}
	if (n->slots[slot_of(n, index)])
		return -EEXIST;
	n->count++;
	publish(n->slots[slot_of(n, index)], entry);
	return 0;
}

static void shrink(struct radix_tree *t)
{
	while (is_node(t->root)) {
		struct radix_node *n = to_node(t->root);
		void *only = n->slots[0];

		if (n->count != 1 || !only)
			return;
		if (is_node(only)) {
			to_node(only)->parent = NULL;
		} else {
			t->root_tags = 0;
			for (u32 tag = 0; tag < RADIX_TAGS; tag++)
				t->root_tags |= (n->tags[tag] & 1) << tag;
		}
		publish(t->root, only);
		t->node_free(n);
	}
}

void *radix_tree_delete(struct radix_tree *t, u64 index)
{
	struct radix_node *n;
	void *old;

	if (!is_node(t->root)) {
		old = index ? NULL : t->root;
		if (old)
			publish(t->root, NULL);
		return old;
	}
	n = leaf_of(t, index);
	if (!n)
		return NULL;
	for (u32 tag = 0; tag < RADIX_TAGS; tag++)
		radix_tree_tag_clear(t, index, tag);
	old = n->slots[slot_of(n, index)];
	publish(n->slots[slot_of(n, index)], NULL);
	n->count--;
	free_empty_path(t, n);
	shrink(t);
	return old;
}

void *radix_tree_replace(struct radix_tree *t, u64 index, void *entry)
{
	struct radix_node *n;
	void *old;

	if (!is_node(t->root)) {
		old = index ? NULL : t->root;
		if (old)
			publish(t->root, entry);
		return old;
	}
	n = leaf_of(t, index);
	if (!n)
		return NULL;
	old = n->slots[slot_of(n, index)];
	publish(n->slots[slot_of(n, index)], entry);
	return old;
}

/* The first entry at or after *index that has the tag (tag < 0: any); NULL and *index undefined if there is none. */
static void *next_entry(const struct radix_tree *t, u64 *index, int tag)
{
	u64 i = *index;

restart:
	for (void *p = load(t->root);;) {
		struct radix_node *n;
		u32 s;

		if (!is_node(p)) {	/* only the root itself can be an entry here */
			if (i || !p || (tag >= 0 && !(t->root_tags >> tag & 1)))
				return NULL;
			return p;
		}
		n = to_node(p);
		if (!n->parent && i > node_max(n))
			return NULL;
		for (s = slot_of(n, i); s < RADIX_SLOTS; s++)
			if (tag < 0 ? load(n->slots[s]) != NULL : (n->tags[tag] >> s & 1) != 0)
				break;
		if (s != slot_of(n, i)) {	/* moved on: the lower digits start at 0 */
			u64 span = node_max(n);
			u64 base = span == ~0ul ? 0 : i & ~span;

			if (s == RADIX_SLOTS) {
				if (base + span == ~0ul || span == ~0ul)
					return NULL;
				i = base + span + 1;
				goto restart;
			}
			i = base + ((u64)s << n->shift);
		}
		p = load(n->slots[s]);
		if (!p)
			goto restart;	/* it went while we looked */
		if (n->shift == 0) {
			*index = i;
			return p;
		}
	}
}

static u32 gang(const struct radix_tree *t, u64 first, void **results, u64 *indices, u32 max, int tag)
{
	u32 n = 0;

	while (n < max) {
		void *p = next_entry(t, &first, tag);

		if (!p)
			break;
		if (indices)
			indices[n] = first;
		results[n++] = p;
		if (++first == 0)
			break;
	}
	return n;
}

u32 radix_tree_gang_lookup(const struct radix_tree *t, u64 first, void **results, u64 *indices, u32 max)
{
	return gang(t, first, results, indices, max, -1);
}

u32 radix_tree_gang_lookup_tag(const struct radix_tree *t, u64 first, void **results, u64 *indices, u32 max, u32 tag)
{
	return gang(t, first, results, indices, max, (int)tag);
}

bool radix_tree_tag_set(struct radix_tree *t, u64 index, u32 tag)
{
	struct radix_node *n;
	u32 s;

	if (!is_node(t->root)) {
		if (index || !t->root)
			return false;
		t->root_tags |= 1ul << tag;
		return true;
	}
	n = leaf_of(t, index);
	if (!n)
		return false;
	for (s = slot_of(n, index); n; s = n->offset, n = n->parent)
		n->tags[tag] |= 1ul << s;
	return true;
}

void radix_tree_tag_clear(struct radix_tree *t, u64 index, u32 tag)
{
	struct radix_node *n;
	u32 s;

	if (!is_node(t->root)) {
		if (!index)
			t->root_tags &= ~(1ul << tag);
		return;
	}
	n = leaf_of(t, index);
	if (!n)
		return;
	for (s = slot_of(n, index); n; s = n->offset, n = n->parent) {
		n->tags[tag] &= ~(1ul << s);
		if (n->tags[tag])
			break;
	}
}

bool radix_tree_tag_get(const struct radix_tree *t, u64 index, u32 tag)
{
	struct radix_node *n;

	if (!is_node(t->root))
		return !index && t->root && (t->root_tags >> tag & 1);
	n = leaf_of(t, index);
	return n && (n->tags[tag] >> slot_of(n, index) & 1);
}
