/* Dentry cache: (parent, name) -> inode, including names known to be absent.
 *
 * Lookups run under RCU and write nothing: a bucket's chain is walked with acquire loads, a dentry is believed if its sequence
 * counter did not move between reading its name and reading its inode.  Whoever wants to keep a dentry takes a reference with
 * dentry_get_live() inside the read side and checks the sequence again.
 *
 * Every change (hash chains, tree links, aliases, LRU, names, inodes) happens under dcache_lock (LC_DCACHE_HASH), one spin lock:
 * changes are short, and rare beside lookups.  A lock a bucket was rejected: the tree links and the LRU would have needed one
 * wide lock each anyway.  If create/unlink on many CPUs shows it in a profile, split the LRU off first.
 *
 * References: refs > 0 users, 0 cached only, DEAD once unlinked from everything.  A child holds its parent; a positive dentry
 * holds its inode.  dentry_put() to zero leaves a hashed dentry where it is and makes sure it is on the LRU; its flags say so
 * already for a name used before, so a repeated stat() takes no lock.  That test races with dentry_drop(): the dropper stores
 * UNHASHED, then reads refs; the putter decrements, then reads flags; a full barrier on both sides means that at least one sees
 * the other, and the kill itself is decided under the lock.  Both stay inside an RCU read side, so the memory lasts.
 *
 * Dead dentries are freed after a grace period, as are inodes, so an RCU walker may look at both; the sequence tells it that they
 * have gone stale.  Long names (over 39 bytes) are allocated, and outlive a rename by a grace period too.
 *
 * Negative and unused dentries are bounded: beyond dcache_max unused ones each put to the LRU drops two old ones.  Reclaim takes all
 * of them. */
#include <fs/dcache.h>
#include <fs/inode.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <mm/reclaim.h>
#include <mm/slab.h>

#define DCACHE_BITS	10
#define DCACHE_SIZE	(1u << DCACHE_BITS)
#define DENTRY_DEAD	(-0x40000000)

struct long_name { struct rcu_head rcu; char text[]; };

static struct hlist_head buckets[DCACHE_SIZE];	/* [h,R] */
static DEFINE_SPINLOCK(dcache_lock, LC_DCACHE_HASH);
static struct list_head lru;			/* [h] oldest first */
static u64 nr_dentries, nr_unused, dcache_max;	/* [h] */
static struct slab_cache *dentry_cache;
struct seqcount rename_seq;			/* [h] moves each time a name changes place */

static inline struct hlist_head *bucket_of(const struct dentry *parent, u32 hash)
{
	u64 v = ((u64)parent >> 6) + hash;

	v *= 0x9e3779b97f4a7c15ull;
	return &buckets[v >> (64 - DCACHE_BITS)];
}

/* Both names end in NUL, so that a name torn by a concurrent rename still stops the loop. */
static inline bool same_name(const char *a, const char *b, u32 len)
{
	while (len >= 8) {
		u64 x, y;

		__builtin_memcpy(&x, a, 8);
		__builtin_memcpy(&y, b, 8);
		if (x != y)
			return false;
		a += 8;
		b += 8;
		len -= 8;
	}
	for (; len; len--)
		if (*a++ != *b++)
			return false;
	return true;
}

struct dentry *dentry_find_rcu(const struct dentry *parent, const struct qname *q, u32 *seqp, struct inode **inode)
{
	struct hlist_node *n;

restart:
	for (n = atomic_load_acquire(&bucket_of(parent, q->hash)->first); n; n = atomic_load_acquire(&n->next)) {
		struct dentry *d = container_of(n, struct dentry, hash);
		u32 seq;

		if (d->hashval != q->hash || READ_ONCE(d->parent) != parent)
			continue;
		seq = seq_read_begin(&d->seq);
		if (d->name_len != q->len || READ_ONCE(d->parent) != parent || !same_name(READ_ONCE(d->name), q->name, q->len))
			continue;
		*inode = READ_ONCE(d->inode);
		if (seq_read_retry(&d->seq, seq))
			goto restart;
		if (unlikely(READ_ONCE(d->flags) & DENTRY_UNHASHED))
			continue;
		*seqp = seq;
		return d;
	}
	return NULL;
}

bool dentry_get_live(struct dentry *d)
{
	s32 v = atomic_load(&d->refs);

	while (v >= 0)
		if (__atomic_compare_exchange_n(&d->refs, &v, v + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

struct dentry *dentry_find(struct dentry *parent, const struct qname *q)
{
	struct inode *inode;
	struct dentry *d;
	u32 seq;

	rcu_read_lock();
	d = dentry_find_rcu(parent, q, &seq, &inode);
	if (d && !dentry_get_live(d))
		d = NULL;
	rcu_read_unlock();
	if (d && (READ_ONCE(d->parent) != parent || dentry_unhashed(d))) {	/* moved or dropped meanwhile */
		dentry_put(d);
		d = NULL;
	}
	return d;
}

static void long_name_free(struct rcu_head *head)
{
	kfree(container_of(head, struct long_name, rcu));
}

static void name_release(struct dentry *d)
{
	if (d->name != d->inline_name)
		call_rcu(&container_of(d->name, struct long_name, text[0])->rcu, long_name_free);
}

static void dentry_free_rcu(struct rcu_head *head)
{
	struct dentry *d = container_of(head, struct dentry, rcu);

	if (d->name != d->inline_name)
		kfree(container_of(d->name, struct long_name, text[0]));
	slab_free(dentry_cache, d);
}

int dentry_name_reserve(const struct qname *q, char **out)
{
	struct long_name *ln;

	*out = NULL;
	if (q->len < sizeof(((struct dentry *)0)->inline_name))
		return 0;
	ln = kmalloc(sizeof(*ln) + q->len + 1, GFP_KERNEL);
	if (!ln)
		return -ENOMEM;
	*out = ln->text;
	return 0;
}

void dentry_name_unreserve(char *name)
{
	if (name)
		kfree(container_of(name, struct long_name, text[0]));
}

static void name_set(struct dentry *d, const struct qname *q, char *longname)
{
	char *to = longname ? longname : d->inline_name;

	memcpy(to, q->name, q->len);
	to[q->len] = 0;
	d->name = to;
	d->name_len = q->len;
	d->hashval = q->hash;
}

struct dentry *dentry_alloc(struct super *sb, struct dentry *parent, const struct qname *q)
{
	struct dentry *d = slab_alloc(dentry_cache, GFP_KERNEL);
	char *longname;

	if (!d)
		return NULL;
	if (dentry_name_reserve(q, &longname)) {
		slab_free(dentry_cache, d);
		return NULL;
	}
	name_set(d, q, longname);
	d->hash.next = NULL;
	d->hash.pprev = NULL;
	d->inode = NULL;
	d->refs = 1;
	d->seq.seq = 0;
	d->flags = DENTRY_UNHASHED;
	d->sb = sb;
	list_init(&d->child);
	list_init(&d->children);
	list_init(&d->alias);
	list_init(&d->lru);
	if (parent)
		dentry_get(parent);
	d->parent = parent ? parent : d;
	return d;
}

static void hash_locked(struct dentry *d)
{
	struct hlist_head *head = bucket_of(d->parent, d->hashval);

	d->hash.next = head->first;
	d->hash.pprev = &head->first;
	if (head->first)
		head->first->pprev = &d->hash.next;
	atomic_store_release(&head->first, &d->hash);	/* pairs with dentry_find_rcu's acquire */
	d->flags &= ~(u32)DENTRY_UNHASHED;
}

static void unhash_locked(struct dentry *d)
{
	if (d->hash.pprev) {
		struct hlist_node *next = d->hash.next;

		atomic_store_release(d->hash.pprev, next);
		if (next)
			next->pprev = d->hash.pprev;
		d->hash.pprev = NULL;	/* next stays: a walker standing here goes on */
	}
	atomic_store(&d->flags, d->flags | DENTRY_UNHASHED);
}

static void set_inode_locked(struct dentry *d, struct inode *inode)
{
	d->inode = inode;
	if (inode)
		list_add(&d->alias, &inode->dentries);
}

void dentry_add(struct dentry *d, struct inode *inode)
{
	struct inode *dir = d->parent->inode;

	spin_lock(&dcache_lock);
	set_inode_locked(d, inode);
	if (dir && dir->ops && dir->ops->revalidate)
		d->flags |= DENTRY_REVALIDATE;
	if ((inode && (inode->flags & INODE_UNCACHED)) || (d->parent->flags & DENTRY_UNCACHED))
		d->flags |= DENTRY_UNCACHED;
	list_add(&d->child, &d->parent->children);
	hash_locked(d);
	nr_dentries++;
	spin_unlock(&dcache_lock);
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	spin_lock(&dcache_lock);
	ASSERT(!d->inode);
	seq_write_begin(&d->seq);
	set_inode_locked(d, inode);
	seq_write_end(&d->seq);
	spin_unlock(&dcache_lock);
}

struct dentry *dentry_make_root(struct super *sb, struct inode *inode)
{
	struct qname q = qname_of("/", 1);
	struct dentry *d = dentry_alloc(sb, NULL, &q);

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	spin_lock(&dcache_lock);
	set_inode_locked(d, inode);
	d->flags &= ~(u32)DENTRY_UNHASHED;	/* a root is nobody's child, but not deleted either */
	nr_dentries++;
	spin_unlock(&dcache_lock);
	return d;
}

void dentry_set_anon_inode(struct dentry *d, struct inode *inode)
{
	d->inode = inode;	/* alias stays off the inode's list: kill_locked() unlinks it harmlessly */
}

static void lru_remove_locked(struct dentry *d)
{
	if (d->flags & DENTRY_LRU) {
		list_del_init(&d->lru);
		d->flags &= ~(u32)DENTRY_LRU;
		nr_unused--;
	}
}

/* Takes the dentry out of everything; refs is 0.  What it held is given to the caller to put once the lock is dropped. */
static void kill_locked(struct dentry *d, struct inode **inode, struct dentry **parent)
{
	atomic_store(&d->refs, DENTRY_DEAD);
	seq_write_begin(&d->seq);
	unhash_locked(d);
	*inode = d->inode;
	if (d->inode) {
		list_del_init(&d->alias);
		d->inode = NULL;
	}
	seq_write_end(&d->seq);
	lru_remove_locked(d);
	if (!list_empty(&d->child)) {
		list_del_init(&d->child);
		nr_dentries--;
	} else if (!(d->flags & DENTRY_ANON) && d->parent == d) {
		nr_dentries--;
	}
	*parent = d->parent == d ? NULL : d->parent;
}

static void killed_finish(struct dentry *d, struct inode *inode)
{
	if (inode)
		inode_put(inode);
	call_rcu(&d->rcu, dentry_free_rcu);
}

/* The slow half of a put: refs fell to 0.  RCU read side held on entry, dropped here.  Returns the parent to put, or NULL. */
static struct dentry *put_zero(struct dentry *d)
{
	struct dentry *parent = NULL;
	struct inode *inode = NULL;
	bool killed = false, over = false;
	s32 zero = 0;

	spin_lock(&dcache_lock);
	if (atomic_load(&d->refs) == 0) {
		if (d->flags & (DENTRY_UNHASHED | DENTRY_UNCACHED) || d->parent == d) {
			/* a walk that finds it by name takes references without the lock */
			killed = __atomic_compare_exchange_n(&d->refs, &zero, DENTRY_DEAD, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
			if (killed)
				kill_locked(d, &inode, &parent);
		} else if (!(d->flags & DENTRY_LRU)) {
			list_add_tail(&d->lru, &lru);
			d->flags |= DENTRY_LRU;
			over = ++nr_unused > dcache_max;
		}
	}
	spin_unlock(&dcache_lock);
	rcu_read_unlock();
	if (killed)
		killed_finish(d, inode);
	if (over)
		dcache_shrink(2);
	return parent;
}

void dentry_put(struct dentry *d)
{
	while (d) {
		s32 v;

		rcu_read_lock();
		v = atomic_sub_return_acq_rel(&d->refs, 1);
		if (v > 0) {
			rcu_read_unlock();
			return;
		}
		smp_mb();	/* refs before flags; pairs with dentry_drop */
		if (likely((atomic_load(&d->flags) & (DENTRY_LRU | DENTRY_UNHASHED)) == DENTRY_LRU)) {
			if (!(atomic_load(&d->flags) & DENTRY_REFERENCED))
				atomic_fetch_or(&d->flags, DENTRY_REFERENCED);
			rcu_read_unlock();
			return;
		}
		d = put_zero(d);
	}
}

void dentry_drop(struct dentry *d)
{
	spin_lock(&dcache_lock);
	if (!(d->flags & DENTRY_UNHASHED)) {
		seq_write_begin(&d->seq);
		unhash_locked(d);
		seq_write_end(&d->seq);
	}
	spin_unlock(&dcache_lock);
	/* the caller holds a reference, so its own put will see UNHASHED and kill */
}

void dentry_delete(struct dentry *d)
{
	struct inode *inode = NULL;

	spin_lock(&dcache_lock);
	seq_write_begin(&d->seq);
	if (atomic_load(&d->refs) == 1) {
		inode = d->inode;
		list_del_init(&d->alias);
		d->inode = NULL;
	} else {
		unhash_locked(d);
	}
	seq_write_end(&d->seq);
	spin_unlock(&dcache_lock);
	if (inode)
		inode_put(inode);
}

void dentry_move(struct dentry *d, struct dentry *parent, const struct qname *q, char *longname)
{
	struct dentry *old_parent = d->parent;

	spin_lock(&dcache_lock);
	seq_write_begin(&rename_seq);
	seq_write_begin(&d->seq);
	unhash_locked(d);
	name_release(d);
	name_set(d, q, longname);
	if (parent != old_parent) {
		dentry_get(parent);
		atomic_store(&d->parent, parent);
		list_del(&d->child);
		list_add(&d->child, &parent->children);
	}
	hash_locked(d);
	seq_write_end(&d->seq);
	seq_write_end(&rename_seq);
	spin_unlock(&dcache_lock);
	if (parent != old_parent)
		dentry_put(old_parent);
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	bool ia = a->name == a->inline_name, ib = b->name == b->inline_name;
	const char *na = a->name, *nb = b->name;
	char tmp[sizeof(a->inline_name)];
	u32 len = a->name_len, hash = a->hashval;

	memcpy(tmp, a->inline_name, sizeof(tmp));
	memcpy(a->inline_name, b->inline_name, sizeof(tmp));
	memcpy(b->inline_name, tmp, sizeof(tmp));
	a->name = ib ? a->inline_name : nb;
	b->name = ia ? b->inline_name : na;
	a->name_len = b->name_len;
	a->hashval = b->hashval;
	b->name_len = len;
	b->hashval = hash;
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *pa, *pb;

	spin_lock(&dcache_lock);
	seq_write_begin(&rename_seq);
	seq_write_begin(&a->seq);
	seq_write_begin(&b->seq);
	unhash_locked(a);
	unhash_locked(b);
	swap_names(a, b);
	pa = a->parent;
	pb = b->parent;
	atomic_store(&a->parent, pb);
	atomic_store(&b->parent, pa);
	list_del(&a->child);
	list_del(&b->child);
	list_add(&a->child, &pb->children);
	list_add(&b->child, &pa->children);
	hash_locked(a);
	hash_locked(b);
	seq_write_end(&b->seq);
	seq_write_end(&a->seq);
	seq_write_end(&rename_seq);
	spin_unlock(&dcache_lock);
}

void dentry_set_mounted(struct dentry *d, bool on)
{
	spin_lock(&dcache_lock);
	atomic_store(&d->flags, on ? d->flags | DENTRY_MOUNTED : d->flags & ~(u32)DENTRY_MOUNTED);
	spin_unlock(&dcache_lock);
}

bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (;; d = d->parent) {
		if (d == a)
			return true;
		if (d->parent == d)
			return false;
	}
}

/* One victim from the head of the LRU, or of one superblock, killed.  false: none left to look at. */
static bool shrink_one(struct super *sb, u64 *scan)
{
	struct dentry *d = NULL, *parent = NULL;
	struct inode *inode = NULL;
	struct list_head *pos;

	rcu_read_lock();
	spin_lock(&dcache_lock);
	for (pos = lru.next; pos != &lru && *scan; ) {
		struct dentry *c = container_of(pos, struct dentry, lru);

		pos = pos->next;
		(*scan)--;
		if (atomic_load(&c->refs) != 0) {	/* in use again: its next put brings it back */
			lru_remove_locked(c);
			continue;
		}
		if (sb && c->sb != sb)
			continue;
		if (!sb && (c->flags & DENTRY_REFERENCED)) {
			c->flags &= ~(u32)DENTRY_REFERENCED;
			list_del(&c->lru);
			list_add_tail(&c->lru, &lru);
			continue;
		}
		s32 zero = 0;

		if (!__atomic_compare_exchange_n(&c->refs, &zero, DENTRY_DEAD, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		d = c;
		kill_locked(d, &inode, &parent);
		break;
	}
	spin_unlock(&dcache_lock);
	rcu_read_unlock();
	if (!d)
		return false;
	killed_finish(d, inode);
	dentry_put(parent);
	return true;
}

/* The same, but names used lately go too, after the others. */
static u64 dcache_reclaim(u64 nr)
{
	u64 scan = 2 * dcache_nr_unused() + 2, done = 0;

	while (done < nr && shrink_one(NULL, &scan))
		done++;
	return done;
}
SHRINKER(dcache, dcache_reclaim);

u64 dcache_shrink(u64 nr)
{
	u64 scan = nr * 2 + 2, done = 0;

	while (done < nr && shrink_one(NULL, &scan))
		done++;
	return done;
}

void dcache_prune_super(struct super *sb)
{
	for (;;) {
		u64 scan = ~0ull;

		if (!shrink_one(sb, &scan))
			return;
	}
}

void dcache_prune_children(struct dentry *below)
{
	for (;;) {
		struct dentry *d = NULL, *parent = NULL;
		struct inode *inode = NULL;
		struct list_head *pos;

		spin_lock(&dcache_lock);
		for (pos = below->children.next; pos != &below->children; pos = pos->next) {
			struct dentry *c = container_of(pos, struct dentry, child);
			s32 zero = 0;

			if (!__atomic_compare_exchange_n(&c->refs, &zero, DENTRY_DEAD, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				continue;
			d = c;
			kill_locked(d, &inode, &parent);
			break;
		}
		spin_unlock(&dcache_lock);
		if (!d)
			return;
		killed_finish(d, inode);
		dentry_put(parent);
	}
}

u64 dcache_nr_dentries(void) { return atomic_load(&nr_dentries); }
u64 dcache_nr_unused(void) { return atomic_load(&nr_unused); }

void dcache_init(void)
{
	list_init(&lru);
	dcache_max = page_nr_total() / 8;	/* 192 bytes each: at most 0.6 % of memory */
	if (dcache_max < 256)
		dcache_max = 256;
	dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 0, NULL);
	VERIFY(dentry_cache);
	slab_set_reclaimable(dentry_cache);
}
