/* Dentry cache: (parent, name) -> inode, including names known to be absent.
 *
 * Lookups run under RCU and write nothing: a bucket's chain is walked with acquire loads, a dentry is believed if its sequence
 * counter did not move between reading its name and reading its inode.  Whoever wants to keep a dentry takes a reference with
 * dentry_get_live() inside the read side and checks the sequence again.  A rename may carry a walker from one chain into another, so
 * only a miss with rename_seq unmoved is a miss for dentry_find(); a walk under RCU that misses asks dentry_find() anyway.
 *
 * Locks, each for itself or inside the one before it: rename_lock (who moves names, one at a time), dentry->lock (its sequence, name,
 * inode, place in a chain, and the list of its children), a lock for every group of hash chains, lru_lock.  No lock is common to two
 * names that are in use; lru_lock is taken when a name's last user leaves it for the first time, and when it dies.
 *
 * References: refs > 0 users, 0 cached only, DEAD once unlinked from everything.  A child holds its parent; a positive dentry
 * holds its inode.  Whoever changes refs from 0 to DEAD by compare-and-swap owns the dentry, and takes it out of everything; from then
 * on nobody gets a reference.  dentry_put() to zero leaves a hashed dentry where it is and makes sure it is on the LRU; its flags say
 * so already for a name used before, so a repeated stat() takes no lock.
 *   put against drop: the dropper holds a reference while it unhashes, so whoever puts last (its decrement acquires) sees it.
 *   put against kill: the putter sets the LRU flag, then reads refs; the killer makes refs DEAD, then reads the flag; a full barrier on
 *   both sides, so at least one sees the other and takes the dentry off the LRU again.  Both stay inside an RCU read side, or own
 *   the dentry, so the memory lasts.
 *   put against reclaim: a put that sees the LRU flag does no more, so only who kills a dentry takes it off; one that is in use is passed.
 *   delete: a name whose only user is its remover turns negative; refs is DEAD meanwhile, so that whoever has a reference can trust
 *   a positive dentry to stay positive.
 *
 * Dead dentries are freed after a grace period, as are inodes, so an RCU walker may look at both; the sequence tells it that they
 * have gone stale.  Long names (over 39 bytes) are allocated, and outlive a rename by a grace period too.
 *
 * Negative and unused dentries are bounded: beyond dcache_max unused ones each put to the LRU drops two old ones.  Reclaim takes all
 * of them.  It may meet a superblock on its way out: super->dying counts what reclaim has taken of it and not yet finished. */
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/notify.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/percpu_count.h>
#include <mm/reclaim.h>
#include <mm/slab.h>

#define DCACHE_BITS	10
#define DCACHE_SIZE	(1u << DCACHE_BITS)
#define NR_CHAIN_LOCKS	32u
#define DENTRY_DEAD	(-0x40000000)

struct long_name { struct rcu_head rcu; char text[]; };

static struct hlist_head buckets[DCACHE_SIZE];	/* [h,R] */
static struct chain_lock { struct spinlock lock; } __aligned(64) chain_locks[NR_CHAIN_LOCKS];	/* [h] LC_DCACHE_HASH */
static DEFINE_SPINLOCK(rename_lock, LC_DENTRY_RENAME);
static DEFINE_SPINLOCK(lru_lock, LC_DCACHE_LRU);
static struct list_head lru;			/* [l] oldest first */
static u64 nr_unused, dcache_max;		/* [l] on the LRU, those in use again among them */
DEFINE_PERCPU_COUNT(nr_dentries);
static DEFINE_WAIT_QUEUE(dying_wq);		/* for super->dying to be 0 */
static struct slab_cache *dentry_cache __ro_after_init;
struct seqcount rename_seq;			/* [rename_lock] moves each time a name changes place */

static inline struct hlist_head *bucket_of(const struct dentry *parent, u32 hash)
{
	u64 v = ((u64)parent >> 6) + hash;

	v *= 0x9e3779b97f4a7c15ull;
	return &buckets[v >> (64 - DCACHE_BITS)];
}

static inline struct spinlock *chain_lock_of(const struct hlist_head *bucket)
{
	return &chain_locks[(u64)(bucket - buckets) % NR_CHAIN_LOCKS].lock;
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
		bool same;

		if (READ_ONCE(d->hashval) != q->hash || READ_ONCE(d->parent) != parent)
			continue;
		seq = seq_read_begin(&d->seq);
		race_marked_begin();	/* a torn name is one that seq or, on a miss, rename_seq tells of */
		same = d->name_len == q->len && READ_ONCE(d->parent) == parent && same_name(READ_ONCE(d->name), q->name, q->len);
		race_marked_end();
		if (!same)
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
	for (;;) {
		u32 seq, moves = seq_read_begin(&rename_seq);
		struct inode *inode;
		struct dentry *d;

		rcu_read_lock();
		d = dentry_find_rcu(parent, q, &seq, &inode);
		if (d && !dentry_get_live(d))
			d = NULL;	/* dying, or turning negative under its directory's lock: as if it were not there */
		rcu_read_unlock();
		if (d && likely(!seq_read_retry(&d->seq, seq)))
			return d;
		if (d)
			dentry_put(d);		/* moved, dropped or deleted meanwhile */
		else if (!seq_read_retry(&rename_seq, moves))
			return NULL;
	}
}

static struct dentry *chain_find_inode(const struct hlist_head *head, const struct inode *i)
{
	for (struct hlist_node *n = atomic_load_acquire(&head->first); n; n = atomic_load_acquire(&n->next)) {
		struct dentry *d = container_of(n, struct dentry, hash);

		if (READ_ONCE(d->inode) == i && !dentry_unhashed(d) && dentry_get_live(d))
			return d;
	}
	return NULL;
}

struct dentry *dentry_find_inode(const struct inode *i)
{
	struct dentry *d = i->sb->root;
	u32 moves;

	if (d && d->inode == i) {
		dentry_get(d);
		return d;
	}
	do {
		moves = seq_read_begin(&rename_seq);
		for (u32 b = 0; b < DCACHE_SIZE; b++) {
			rcu_read_lock();
			d = chain_find_inode(&buckets[b], i);
			rcu_read_unlock();
			if (d && READ_ONCE(d->inode) == i)	/* as long as we have it: see above */
				return d;
			if (d)
				dentry_put(d);
		}
	} while (seq_read_retry(&rename_seq, moves));
	return NULL;
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
	spin_lock_init(&d->lock, LC_DENTRY);
	list_init(&d->lru);
	if (parent)
		dentry_get(parent);
	d->parent = parent ? parent : d;
	return d;
}

/* d joins the chain that its name and parent say. */
static void chain_add(struct dentry *d)
{
	struct hlist_head *head = bucket_of(d->parent, d->hashval);
	struct spinlock *lock = chain_lock_of(head);

	spin_lock(lock);
	d->hash.next = head->first;
	d->hash.pprev = &head->first;
	if (head->first)
		head->first->pprev = &d->hash.next;
	atomic_store_release(&head->first, &d->hash);	/* pairs with dentry_find_rcu's acquire */
	spin_unlock(lock);
}

/* d leaves its chain, if it is in one: the one of its present name and parent. */
static void chain_remove(struct dentry *d)
{
	struct spinlock *lock = chain_lock_of(bucket_of(d->parent, d->hashval));
	struct hlist_node *next;

	if (!d->hash.pprev)
		return;
	spin_lock(lock);
	next = d->hash.next;
	atomic_store_release(d->hash.pprev, next);
	if (next)
		next->pprev = d->hash.pprev;
	d->hash.pprev = NULL;	/* next stays: a walker standing here goes on */
	spin_unlock(lock);
}

/* d->lock held, d->seq odd */
static void unhash_locked(struct dentry *d)
{
	chain_remove(d);
	atomic_fetch_or(&d->flags, (u32)DENTRY_UNHASHED);
}

static void rehash_locked(struct dentry *d)
{
	chain_add(d);
	atomic_fetch_and(&d->flags, ~(u32)DENTRY_UNHASHED);
}

void dentry_add(struct dentry *d, struct inode *inode)
{
	struct dentry *parent = d->parent;
	struct inode *dir = parent->inode;
	u32 flags = d->flags & ~(u32)DENTRY_UNHASHED;

	d->inode = inode;
	if (dir && dir->ops && dir->ops->revalidate)
		flags |= DENTRY_REVALIDATE;
	if ((inode && (READ_ONCE(inode->flags) & INODE_UNCACHED)) || (READ_ONCE(parent->flags) & DENTRY_UNCACHED))
		flags |= DENTRY_UNCACHED;
	d->flags = flags;	/* still ours alone */
	spin_lock(&parent->lock);
	list_add(&d->child, &parent->children);
	spin_unlock(&parent->lock);
	chain_add(d);
	percpu_count_add(&nr_dentries, 1);
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	spin_lock(&d->lock);
	ASSERT(!d->inode);
	seq_write_begin(&d->seq);
	d->inode = inode;
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
}

struct dentry *dentry_make_root(struct super *sb, struct inode *inode)
{
	struct qname q = qname_of("/", 1);
	struct dentry *d = dentry_alloc(sb, NULL, &q);

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->inode = inode;
	d->flags &= ~(u32)DENTRY_UNHASHED;	/* a root is nobody's child, but not deleted either */
	percpu_count_add(&nr_dentries, 1);
	return d;
}

void dentry_set_anon_inode(struct dentry *d, struct inode *inode)
{
	d->inode = inode;
}

/* lru_lock held */
static void lru_remove_locked(struct dentry *d)
{
	if (READ_ONCE(d->flags) & DENTRY_LRU) {
		list_del_init(&d->lru);
		atomic_fetch_and(&d->flags, ~(u32)DENTRY_LRU);
		nr_unused--;
	}
}

/* d has no user: onto the LRU with it, unless it has been found, or killed, meanwhile.  RCU read side.  Whether there are too many. */
static bool lru_add(struct dentry *d)
{
	bool over = false;

	spin_lock(&lru_lock);
	if (atomic_load(&d->refs) == 0 && !(d->flags & DENTRY_LRU)) {
		list_add_tail(&d->lru, &lru);
		atomic_fetch_or(&d->flags, (u32)DENTRY_LRU);
		over = ++nr_unused > dcache_max;
		smp_mb();	/* the flag before refs; pairs with kill() */
		if (atomic_load(&d->refs) < 0)
			lru_remove_locked(d);
	}
	spin_unlock(&lru_lock);
	return over;
}

static inline bool claim(struct dentry *d)
{
	return atomic_cas(&d->refs, 0, DENTRY_DEAD);
}

/* Takes the dentry, claimed by the caller, out of everything.  What it held is given to the caller to put. */
static void kill(struct dentry *d, struct inode **inode, struct dentry **parent)
{
	bool root = d->parent == d, counted = root && !(READ_ONCE(d->flags) & DENTRY_ANON);

	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	unhash_locked(d);
	*inode = d->inode;
	d->inode = NULL;
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
	smp_mb();	/* refs before the flag; pairs with lru_add() */
	if (atomic_load(&d->flags) & DENTRY_LRU) {
		spin_lock(&lru_lock);
		lru_remove_locked(d);
		spin_unlock(&lru_lock);
	}
	*parent = root ? NULL : d->parent;
	if (!root) {
		spin_lock(&d->parent->lock);
		counted = !list_empty(&d->child);
		list_del_init(&d->child);
		spin_unlock(&d->parent->lock);
	}
	if (counted)
		percpu_count_add(&nr_dentries, -1);
}

/* What a dentry held of an inode is given back. */
static void let_go(struct inode *inode)
{
	notify_gone(inode);
	inode_put(inode);
}

static void killed_finish(struct dentry *d, struct inode *inode)
{
	if (inode)
		let_go(inode);
	call_rcu(&d->rcu, dentry_free_rcu);
}

/* The slow half of a put: refs fell to 0.  RCU read side held on entry, dropped here.  Returns the parent to put, or NULL. */
static struct dentry *put_zero(struct dentry *d)
{
	struct dentry *parent = NULL;
	struct inode *inode = NULL;
	bool over = false;

	if (atomic_load(&d->flags) & (DENTRY_UNHASHED | DENTRY_UNCACHED) || READ_ONCE(d->parent) == d) {
		bool ours = claim(d);	/* a walk that finds it by name takes references without a lock */

		rcu_read_unlock();
		if (ours) {
			kill(d, &inode, &parent);
			killed_finish(d, inode);
		}
		return parent;
	}
	over = lru_add(d);
	rcu_read_unlock();
	if (over)
		dcache_shrink(2);
	return NULL;
}

struct dentry *dentry_parent_get(struct dentry *d)
{
	struct dentry *up;

	rcu_read_lock();
	do {
		up = READ_ONCE(d->parent);	/* d keeps it alive, unless it moves just now */
	} while (!dentry_get_live(up));
	rcu_read_unlock();
	return up;
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
	spin_lock(&d->lock);
	if (!(READ_ONCE(d->flags) & DENTRY_UNHASHED)) {
		seq_write_begin(&d->seq);
		unhash_locked(d);
		seq_write_end(&d->seq);
	}
	spin_unlock(&d->lock);
	/* the caller holds a reference, so its own put will see UNHASHED and kill */
}

void dentry_delete(struct dentry *d)
{
	struct inode *inode = NULL;
	bool sole = atomic_cas(&d->refs, 1, DENTRY_DEAD);

	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	if (sole) {
		inode = d->inode;
		d->inode = NULL;
	} else {
		unhash_locked(d);
	}
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
	if (sole)
		atomic_store_release(&d->refs, 1);	/* whoever gets a reference now finds it negative */
	if (inode)
		let_go(inode);
}

static void child_relink(struct dentry *d, struct dentry *from, struct dentry *to)
{
	spin_lock(&from->lock);
	list_del(&d->child);
	spin_unlock(&from->lock);
	spin_lock(&to->lock);
	list_add(&d->child, &to->children);
	spin_unlock(&to->lock);
}

void dentry_move(struct dentry *d, struct dentry *parent, const struct qname *q, char *longname)
{
	struct dentry *old_parent = d->parent;

	spin_lock(&rename_lock);
	seq_write_begin(&rename_seq);
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	chain_remove(d);
	name_release(d);
	name_set(d, q, longname);
	if (parent != old_parent) {
		dentry_get(parent);
		atomic_store(&d->parent, parent);
	}
	rehash_locked(d);
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
	if (parent != old_parent)
		child_relink(d, old_parent, parent);
	seq_write_end(&rename_seq);
	spin_unlock(&rename_lock);
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
	struct dentry *pa = a->parent, *pb = b->parent;

	spin_lock(&rename_lock);
	seq_write_begin(&rename_seq);
	spin_lock(&a->lock);		/* nobody else holds two: rename_lock */
	spin_lock_nested(&b->lock, 1);
	seq_write_begin(&a->seq);
	seq_write_begin(&b->seq);
	chain_remove(a);
	chain_remove(b);
	swap_names(a, b);
	atomic_store(&a->parent, pb);
	atomic_store(&b->parent, pa);
	rehash_locked(a);
	rehash_locked(b);
	seq_write_end(&b->seq);
	seq_write_end(&a->seq);
	spin_unlock(&b->lock);
	spin_unlock(&a->lock);
	if (pa != pb) {
		child_relink(a, pa, pb);
		child_relink(b, pb, pa);
	}
	seq_write_end(&rename_seq);
	spin_unlock(&rename_lock);
}

void dentry_set_mounted(struct dentry *d, bool on)
{
	if (on)
		atomic_fetch_or(&d->flags, (u32)DENTRY_MOUNTED);
	else
		atomic_fetch_and(&d->flags, ~(u32)DENTRY_MOUNTED);
}

bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (const struct dentry *up; d != a; d = up) {
		up = READ_ONCE(d->parent);	/* an exchange in one directory stores it again */
		if (up == d)
			return false;
	}
	return true;
}

/* A victim from the head of the LRU, or of one superblock, claimed and off the list; its superblock waits for us.  *busy: others were
 * killing dentries of sb before we looked; claims and parents' coming to the LRU are under the lock, so NULL and not busy is final. */
static struct dentry *claim_oldest(struct super *sb, u64 *scan, bool *busy)
{
	struct list_head *pos;
	struct dentry *d = NULL;

	spin_lock(&lru_lock);
	*busy = sb && atomic_load_acquire(&sb->dying);
	for (pos = lru.next; pos != &lru && *scan && !d; ) {
		struct dentry *c = container_of(pos, struct dentry, lru);

		pos = pos->next;
		(*scan)--;
		if (sb && c->sb != sb)
			continue;
		if (atomic_load(&c->refs) != 0) {	/* in use, or was a moment ago: it stays, its last put has seen the flag or will */
			if (!sb)
				list_move_tail(&c->lru, &lru);
			continue;
		}
		if (!sb && (READ_ONCE(c->flags) & DENTRY_REFERENCED)) {
			atomic_fetch_and(&c->flags, ~(u32)DENTRY_REFERENCED);
			list_move_tail(&c->lru, &lru);
			continue;
		}
		if (!claim(c))
			continue;
		lru_remove_locked(c);
		atomic_inc(&c->sb->dying);
		d = c;
	}
	spin_unlock(&lru_lock);
	return d;
}

/* One victim killed.  false: none left to look at. */
static bool shrink_one(struct super *sb, u64 *scan, bool *busy)
{
	struct dentry *d = claim_oldest(sb, scan, busy), *parent;
	struct super *of;
	struct inode *inode;

	if (!d)
		return false;
	of = d->sb;
	kill(d, &inode, &parent);
	killed_finish(d, inode);
	dentry_put(parent);
	if (atomic_sub_return_acq_rel(&of->dying, 1) == 0)	/* the last touch of it, see dcache_prune_super() */
		wake_up_all(&dying_wq);
	return true;
}

/* The same, but names used lately go too, after the others. */
static u64 dcache_reclaim(u64 nr)
{
	u64 scan = 2 * dcache_nr_unused() + 2, done = 0;
	bool busy;

	while (done < nr && shrink_one(NULL, &scan, &busy))
		done++;
	return done;
}
SHRINKER(dcache, dcache_reclaim);

u64 dcache_shrink(u64 nr)
{
	u64 scan = nr * 2 + 2, done = 0;
	bool busy;

	while (done < nr && shrink_one(NULL, &scan, &busy))
		done++;
	return done;
}

/* Nothing of sb is in use, so what reclaim has not claimed of it is on the LRU.  Parents come to the LRU when their children go: by our
 * hand, or by reclaim's before it lets go of sb. */
void dcache_prune_super(struct super *sb)
{
	for (;;) {
		u64 scan = ~0ull;
		bool busy;

		if (shrink_one(sb, &scan, &busy))
			continue;
		if (!busy)
			return;
		wait_event(&dying_wq, atomic_load_acquire(&sb->dying) == 0);
	}
}

static struct dentry *claim_child(struct dentry *below)
{
	struct list_head *pos;
	struct dentry *d = NULL;

	spin_lock(&below->lock);
	for (pos = below->children.next; pos != &below->children && !d; pos = pos->next) {
		struct dentry *c = container_of(pos, struct dentry, child);

		if (claim(c))
			d = c;
	}
	spin_unlock(&below->lock);
	return d;
}

void dcache_prune_children(struct dentry *below)
{
	struct dentry *d;

	while ((d = claim_child(below))) {
		struct dentry *parent;
		struct inode *inode;

		kill(d, &inode, &parent);
		killed_finish(d, inode);
		dentry_put(parent);
	}
}

u64 dcache_nr_dentries(void) { return percpu_count_sum(&nr_dentries); }
u64 dcache_nr_unused(void) { return atomic_load(&nr_unused); }

void dcache_init(void)
{
	list_init(&lru);
	for (u32 i = 0; i < NR_CHAIN_LOCKS; i++)
		spin_lock_init(&chain_locks[i].lock, LC_DCACHE_HASH);
	dcache_max = page_nr_total() / 8;	/* 192 bytes each: at most 0.6 % of memory */
	if (dcache_max < 256)
		dcache_max = 256;
	dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 0, NULL);
	VERIFY(dentry_cache);
	slab_set_reclaimable(dentry_cache);
}
