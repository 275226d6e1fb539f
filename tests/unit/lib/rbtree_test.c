/* Red-black trees: the textbook's invariants, order, and the augmented value, after every random change. */
#include <kernel/lib/rbtree.h>
#include <tests/unit/unit.h>

#define KEYS 300

struct item { struct rb_node node; u64 key, sum; bool in; };
static struct item items[KEYS];
static struct rb_root root;

static struct item *item(struct rb_node *n) { return rb_entry(n, struct item, node); }
static bool red(const struct rb_node *n) { return n && !(n->parent_color & 1); }

static void update(struct rb_node *n)
{
	item(n)->sum = item(n)->key + (n->rb_left ? item(n->rb_left)->sum : 0) + (n->rb_right ? item(n->rb_right)->sum : 0);
}

static void insert(struct item *it, bool augmented)
{
	struct rb_node **link = &root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < item(parent)->key ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&it->node, parent, link);
	if (augmented)
		rb_insert_augmented(&it->node, &root, update);
	else
		rb_insert_color(&it->node, &root);
	it->in = true;
}

/* The black height below n, or -1 if an invariant is broken. */
static int check(struct rb_node *n, struct rb_node *parent, bool augmented)
{
	int l, r;

	if (!n)
		return 0;
	if (rb_parent(n) != parent || (red(n) && (red(n->rb_left) || red(n->rb_right))))
		return -1;
	if (augmented) {
		u64 sum = item(n)->sum;

		update(n);
		if (item(n)->sum != sum)
			return -1;
	}
	l = check(n->rb_left, n, augmented);
	r = check(n->rb_right, n, augmented);
	return l < 0 || l != r ? -1 : l + !red(n);
}

static bool in_order(void)
{
	struct rb_node *n = rb_first(&root), *last = NULL;

	for (u64 i = 0; i < KEYS; i++) {
		if (!items[i].in)
			continue;
		if (n != &items[i].node || rb_prev(n) != last)
			return false;
		last = n;
		n = rb_next(n);
	}
	return !n && rb_last(&root) == last && rb_empty(&root) == !last;
}

static bool good(bool augmented) { return !red(root.rb_node) && check(root.rb_node, NULL, augmented) >= 0 && in_order(); }

static bool churn(bool augmented)
{
	root = RB_ROOT;
	for (u64 i = 0; i < KEYS; i++)
		items[i] = (struct item){ .key = i };
	for (int round = 0; round < 4000; round++) {
		struct item *it = &items[unit_below(KEYS)];

		/* grow, then shrink, so that both ends are reached */
		if (it->in && ((round / 800) & 1 || unit_below(4) == 0)) {
			if (augmented)
				rb_erase_augmented(&it->node, &root, update);
			else
				rb_erase(&it->node, &root);
			it->in = false;
		} else if (!it->in && (!((round / 800) & 1) || unit_below(4) == 0)) {
			insert(it, augmented);
		}
		if (!good(augmented))
			return false;
	}
	return true;
}

TEST(random_plain) { EXPECT(churn(false)); }
TEST(random_augmented) { EXPECT(churn(true)); }

TEST(replace)
{
	struct item other = { .key = 150 };

	root = RB_ROOT;
	for (u64 i = 0; i < KEYS; i++) {
		items[i] = (struct item){ .key = i };
		insert(&items[i], false);
	}
	for (u64 i = 0; i < KEYS; i++) {
		rb_replace_node(&items[i].node, &other.node, &root);
		EXPECT(i ? rb_next(&items[i - 1].node) == &other.node : rb_first(&root) == &other.node);
		rb_replace_node(&other.node, &items[i].node, &root);
		EXPECT(good(false));
	}
}

TEST(sorted_and_reversed)
{
	for (int reversed = 0; reversed < 2; reversed++) {
		root = RB_ROOT;
		for (u64 i = 0; i < KEYS; i++)
			items[i] = (struct item){ .key = i };
		for (u64 i = 0; i < KEYS; i++)
			insert(&items[reversed ? KEYS - 1 - i : i], false);
		EXPECT(good(false));
		for (u64 i = 0; i < KEYS; i++) {
			rb_erase(&items[i].node, &root);
			items[i].in = false;
			EXPECT(good(false));
		}
	}
}

TEST(update_path)
{
	root = RB_ROOT;
	for (u64 i = 0; i < KEYS; i++) {
		items[i] = (struct item){ .key = i };
		insert(&items[i], true);
	}
	items[17].key = 17;
	items[17].sum = 0;
	rb_update_path(&items[17].node, update);
	EXPECT(check(root.rb_node, NULL, true) >= 0);
	EXPECT_EQ(item(root.rb_node)->sum, KEYS * (KEYS - 1) / 2);
}
