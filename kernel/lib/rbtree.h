/* Red-black trees of embedded nodes.  The owner walks and links by its own key; these functions keep the balance.
 *
 * Augmented trees keep in each node something computed from it and its children: update(node) recomputes it for one node, and is
 * called bottom-up for every node whose subtree changed. */
#pragma once
#include <kernel/lib/types.h>

struct rb_node {
	u64 parent_color;	/* parent, and in bit 0 the colour: 1 black */
	struct rb_node *rb_left, *rb_right;
};

struct rb_root { struct rb_node *rb_node; };
#define RB_ROOT ((struct rb_root){ NULL })

typedef void (*rb_update_fn)(struct rb_node *node);

#define rb_entry(p, type, member) container_of(p, type, member)
static inline struct rb_node *rb_parent(const struct rb_node *n) { return (struct rb_node *)(n->parent_color & ~1ul); }
static inline bool rb_empty(const struct rb_root *r) { return !r->rb_node; }

/* rb_link_node - hang n under parent at *link; rb_insert_color (or rb_insert_augmented) must follow. */
static inline void rb_link_node(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent_color = (u64)parent;
	n->rb_left = n->rb_right = NULL;
	*link = n;
}

void rb_insert_color(struct rb_node *n, struct rb_root *root);
void rb_erase(struct rb_node *n, struct rb_root *root);
void rb_insert_augmented(struct rb_node *n, struct rb_root *root, rb_update_fn update);
void rb_erase_augmented(struct rb_node *n, struct rb_root *root, rb_update_fn update);
/* rb_update_path - recompute n and all above it after n's own value changed */
void rb_update_path(struct rb_node *n, rb_update_fn update);
void rb_replace_node(struct rb_node *old, struct rb_node *new, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
