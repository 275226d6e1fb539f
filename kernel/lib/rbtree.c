/* Red-black trees, after the textbook (Cormen et al., chapter 13), without sentinel: a missing child counts as black.
 *
 * Invariants: the root is black; a red node's children are black; every path down from a node meets the same number of black nodes. */
#include <kernel/lib/rbtree.h>

static inline bool is_red(const struct rb_node *n) { return n && !(n->parent_color & 1); }
static inline bool is_black(const struct rb_node *n) { return !is_red(n); }
static inline void set_black(struct rb_node *n) { n->parent_color |= 1; }
static inline void set_red(struct rb_node *n) { n->parent_color &= ~1ul; }
static inline void set_parent(struct rb_node *n, struct rb_node *p) { n->parent_color = (n->parent_color & 1) | (u64)p; }

static inline void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		root->rb_node = new;
	else if (parent->rb_left == old)
		parent->rb_left = new;
	else
		parent->rb_right = new;
}

/* n's right child takes its place; n becomes that one's left child. */
static void rotate_left(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	struct rb_node *r = n->rb_right, *parent = rb_parent(n);

	n->rb_right = r->rb_left;
	if (r->rb_left)
		set_parent(r->rb_left, n);
	set_parent(r, parent);
	replace_child(root, parent, n, r);
	r->rb_left = n;
	set_parent(n, r);
	if (update) {
		update(n);
		update(r);
	}
}

static void rotate_right(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	struct rb_node *l = n->rb_left, *parent = rb_parent(n);

	n->rb_left = l->rb_right;
	if (l->rb_right)
		set_parent(l->rb_right, n);
	set_parent(l, parent);
	replace_child(root, parent, n, l);
	l->rb_right = n;
	set_parent(n, l);
	if (update) {
		update(n);
		update(l);
	}
}

void rb_update_path(struct rb_node *n, rb_update_fn update)
{
	for (; n; n = rb_parent(n))
		update(n);
}

static void insert_fixup(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	struct rb_node *p;

	while (is_red(p = rb_parent(n))) {
		struct rb_node *g = rb_parent(p);
		bool left = p == g->rb_left;
		struct rb_node *uncle = left ? g->rb_right : g->rb_left;

		if (is_red(uncle)) {
			set_black(p);
			set_black(uncle);
			set_red(g);
			n = g;
			continue;
		}
		if (left) {
			if (n == p->rb_right) {
				rotate_left(p, root, update);
				p = n;
			}
			set_black(p);
			set_red(g);
			rotate_right(g, root, update);
		} else {
			if (n == p->rb_left) {
				rotate_right(p, root, update);
				p = n;
			}
			set_black(p);
			set_red(g);
			rotate_left(g, root, update);
		}
		break;
	}
	set_black(root->rb_node);
}

void rb_insert_color(struct rb_node *n, struct rb_root *root)
{
	insert_fixup(n, root, NULL);
}

void rb_insert_augmented(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	rb_update_path(n, update);
	insert_fixup(n, root, update);
}

/* x (perhaps missing) under parent lacks one black on its paths. */
static void erase_fixup(struct rb_node *x, struct rb_node *parent, struct rb_root *root, rb_update_fn update)
{
	while (x != root->rb_node && is_black(x)) {
		bool left = x == parent->rb_left;
		struct rb_node *s = left ? parent->rb_right : parent->rb_left;
		struct rb_node *near, *far;

		if (is_red(s)) {
			set_black(s);
			set_red(parent);
			if (left)
				rotate_left(parent, root, update);
			else
				rotate_right(parent, root, update);
			s = left ? parent->rb_right : parent->rb_left;
		}
		near = left ? s->rb_left : s->rb_right;
		far = left ? s->rb_right : s->rb_left;
		if (is_black(near) && is_black(far)) {
			set_red(s);
			x = parent;
			parent = rb_parent(x);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(s);
			if (left)
				rotate_right(s, root, update);
			else
				rotate_left(s, root, update);
			far = s;
			s = near;
		}
		s->parent_color = (s->parent_color & ~1ul) | (parent->parent_color & 1);
		set_black(parent);
		set_black(far);
		if (left)
			rotate_left(parent, root, update);
		else
			rotate_right(parent, root, update);
		x = root->rb_node;
		break;
	}
	if (x)
		set_black(x);
}

static void erase(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	struct rb_node *child, *parent, *victim = n;
	bool black;

	if (n->rb_left && n->rb_right) {
		victim = n->rb_right;
		while (victim->rb_left)
			victim = victim->rb_left;
	}
	child = victim->rb_left ? victim->rb_left : victim->rb_right;
	parent = rb_parent(victim);
	black = is_black(victim);
	if (child)
		set_parent(child, parent);
	replace_child(root, parent, victim, child);
	if (victim != n) {	/* the successor takes n's place and colour */
		if (parent == n)
			parent = victim;
		*victim = *n;
		replace_child(root, rb_parent(n), n, victim);
		if (victim->rb_left)
			set_parent(victim->rb_left, victim);
		if (victim->rb_right)
			set_parent(victim->rb_right, victim);
	}
	if (update && parent)
		rb_update_path(parent, update);
	if (black)
		erase_fixup(child, parent, root, update);
}

void rb_erase(struct rb_node *n, struct rb_root *root)
{
	erase(n, root, NULL);
}

void rb_erase_augmented(struct rb_node *n, struct rb_root *root, rb_update_fn update)
{
	erase(n, root, update);
}

void rb_replace_node(struct rb_node *old, struct rb_node *new, struct rb_root *root)
{
	*new = *old;
	replace_child(root, rb_parent(old), old, new);
	if (new->rb_left)
		set_parent(new->rb_left, new);
	if (new->rb_right)
		set_parent(new->rb_right, new);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_left)
		n = n->rb_left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_right)
		n = n->rb_right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->rb_right) {
		n = n->rb_right;
		while (n->rb_left)
			n = n->rb_left;
		return (struct rb_node *)n;
	}
	while ((p = rb_parent(n)) && n == p->rb_right)
		n = p;
	return p;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->rb_left) {
		n = n->rb_left;
		while (n->rb_right)
			n = n->rb_right;
		return (struct rb_node *)n;
	}
	while ((p = rb_parent(n)) && n == p->rb_left)
		n = p;
	return p;
}
