/* Doubly linked lists through embedded nodes; hash lists with a one-pointer head.  The _rcu forms let readers walk while one
 * writer changes the list: new nodes are published by a release store, removed ones keep their next pointer. */
#pragma once
#include <kernel/lib/types.h>

struct list_head { struct list_head *next, *prev; };

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)

static inline void list_init(struct list_head *h)
{
	h->next = h;
	h->prev = h;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	prev->next = n;
}

static inline void list_add(struct list_head *n, struct list_head *h) { list_insert_between(n, h, h->next); }
static inline void list_add_tail(struct list_head *n, struct list_head *h) { list_insert_between(n, h->prev, h); }

static inline void list_unlink(struct list_head *n)
{
	n->next->prev = n->prev;
	WRITE_ONCE(n->prev->next, n->next);
}

static inline void list_del(struct list_head *n)
{
	list_unlink(n);
#ifdef CONFIG_DEBUG
	n->next = (struct list_head *)0xdead000000000100ul;
	n->prev = (struct list_head *)0xdead000000000200ul;
#endif
}

static inline void list_del_init(struct list_head *n)
{
	list_unlink(n);
	list_init(n);
}

static inline bool list_empty(const struct list_head *h) { return READ_ONCE(h->next) == h; }
static inline void list_move(struct list_head *n, struct list_head *h) { list_unlink(n); list_add(n, h); }
static inline void list_move_tail(struct list_head *n, struct list_head *h) { list_unlink(n); list_add_tail(n, h); }

/* list_splice_init - all of from to the front of to; from is empty afterwards */
static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	list_init(from);
}

#define list_entry(p, type, member)		container_of(p, type, member)
#define list_first_entry(h, type, member)	list_entry((h)->next, type, member)
#define list_last_entry(h, type, member)	list_entry((h)->prev, type, member)
#define list_next_entry(pos, member)		list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member)		list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_for_each(p, h)			for (p = (h)->next; p != (h); p = p->next)
#define list_for_each_safe(p, n, h)		for (p = (h)->next, n = p->next; p != (h); p = n, n = p->next)
#define list_for_each_entry(pos, h, member) \
	for (pos = list_first_entry(h, __typeof__(*pos), member); &pos->member != (h); pos = list_next_entry(pos, member))
#define list_for_each_entry_reverse(pos, h, member) \
	for (pos = list_last_entry(h, __typeof__(*pos), member); &pos->member != (h); pos = list_prev_entry(pos, member))
/* From pos on, itself too. */
#define list_for_each_entry_from(pos, head, member) \
	for (; &pos->member != (head); pos = list_entry(pos->member.next, typeof(*pos), member))

#define list_for_each_entry_safe(pos, n, h, member) \
	for (pos = list_first_entry(h, __typeof__(*pos), member), n = list_next_entry(pos, member); \
	     &pos->member != (h); pos = n, n = list_next_entry(n, member))

static inline void list_insert_rcu(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	n->next = next;
	n->prev = prev;
	__atomic_store_n(&prev->next, n, __ATOMIC_RELEASE);	/* pairs with list_next_rcu */
	next->prev = n;
}

static inline void list_add_rcu(struct list_head *n, struct list_head *h) { list_insert_rcu(n, h, h->next); }
static inline void list_add_tail_rcu(struct list_head *n, struct list_head *h) { list_insert_rcu(n, h->prev, h); }
static inline void list_del_rcu(struct list_head *n) { list_unlink(n); }
static inline struct list_head *list_next_rcu(struct list_head *n) { return __atomic_load_n(&n->next, __ATOMIC_ACQUIRE); }

#define list_for_each_entry_rcu(pos, h, member) \
	for (pos = list_entry(list_next_rcu(h), __typeof__(*pos), member); &pos->member != (h); \
	     pos = list_entry(list_next_rcu(&pos->member), __typeof__(*pos), member))

struct hlist_node { struct hlist_node *next, **pprev; };
struct hlist_head { struct hlist_node *first; };

static inline bool hlist_unhashed(const struct hlist_node *n) { return !n->pprev; }
static inline bool hlist_empty(const struct hlist_head *h) { return !READ_ONCE(h->first); }

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (h->first)
		h->first->pprev = &n->next;
	__atomic_store_n(&h->first, n, __ATOMIC_RELEASE);
}

static inline void hlist_del(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *h) { hlist_add_head(n, h); }
static inline void hlist_del_rcu(struct hlist_node *n) { hlist_del(n); }	/* next stays for readers */

#define hlist_entry_safe(p, type, member) ({ __typeof__(p) __p = (p); __p ? container_of(__p, type, member) : NULL; })
#define hlist_for_each_entry(pos, h, member) \
	for (pos = hlist_entry_safe((h)->first, __typeof__(*pos), member); pos; \
	     pos = hlist_entry_safe(pos->member.next, __typeof__(*pos), member))
#define hlist_for_each_entry_safe(pos, n, h, member) \
	for (pos = hlist_entry_safe((h)->first, __typeof__(*pos), member); pos && ({ n = pos->member.next; 1; }); \
	     pos = hlist_entry_safe(n, __typeof__(*pos), member))
#define hlist_for_each_entry_rcu(pos, h, member) \
	for (pos = hlist_entry_safe(__atomic_load_n(&(h)->first, __ATOMIC_ACQUIRE), __typeof__(*pos), member); pos; \
	     pos = hlist_entry_safe(__atomic_load_n(&pos->member.next, __ATOMIC_ACQUIRE), __typeof__(*pos), member))
