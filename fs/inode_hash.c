/* The inode hash: from (superblock, number) to the one inode in memory.
 *
 * For filesystems that keep inodes on a device.  An inode in the hash is in one of three states: new (state INODE_FILLING: somebody reads
 * it), live, or going (references 0: its last put is evicting it).  References count users only; the hash has none.  A look-up takes a
 * reference with inc-not-zero under the chain's lock; one that meets a going inode sleeps until it is out of the hash, and starts over:
 * what evict() wrote is then where a reader finds it, and there are never two inodes for one number.  So eviction runs under nobody's
 * lock, and nobody is brought back from it.  Who creates a file whose number was just freed waits the same way.
 *
 * An inode that could not be filled leaves the hash as state INODE_GONE; who waited for it sees that, drops it, and starts over, to see
 * the error itself or to succeed.
 *
 * Locks: a spin lock for each few chains.  Waiters sleep on a queue beside it.  The table is made by the first mount that needs it. */
#include <fs/inode.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/bitmap.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>

enum { INODE_FILLING = 1, INODE_GONE = 2 };	/* inode->state */

#define GROUPS 64u
static struct chain_group {
	struct spinlock lock;		/* LC_INODE_HASH */
	struct wait_queue wq;		/* somebody was filled, or left */
} *groups;				/* [I] once made */
static struct hlist_head *chains;	/* [I]; each under its group's lock */
static u32 chain_bits;			/* [I] */
static DEFINE_MUTEX(make_mutex, LC_FS_SINGLE);

static int table_make(void)
{
	u32 bits = min(max(ilog2(page_nr_total() / 8 + 1), 8u), 16u);
	struct chain_group *g = kcalloc(GROUPS, sizeof(*g), GFP_KERNEL);
	struct hlist_head *c = kcalloc(1ul << bits, sizeof(*c), GFP_KERNEL);

	if (!g || !c) {
		kfree(g);
		kfree(c);
		return -ENOMEM;
	}
	for (u32 i = 0; i < GROUPS; i++) {
		spin_lock_init(&g[i].lock, LC_INODE_HASH);
		wait_queue_init(&g[i].wq);
	}
	chain_bits = bits;
	chains = c;
	atomic_store_release(&groups, g);	/* pairs with the acquire in inode_find */
	return 0;
}

static int table_ready(void)
{
	int err = 0;

	if (likely(atomic_load_acquire(&groups)))
		return 0;
	mutex_lock(&make_mutex);
	if (!groups)
		err = table_make();
	mutex_unlock(&make_mutex);
	return err;
}

static u32 chain_of(const struct super *sb, u64 ino) { return hash_64((u64)sb / 64 + ino, chain_bits); }
static struct chain_group *group_of(u32 chain) { return &groups[chain & (GROUPS - 1)]; }

static struct inode *chain_find(u32 chain, const struct super *sb, u64 ino)
{
	struct inode *i;

	hlist_for_each_entry(i, &chains[chain], hash)
		if (i->ino == ino && i->sb == sb)
			return i;
	return NULL;
}

static bool is_going(struct chain_group *g, u32 chain, const struct super *sb, u64 ino)
{
	struct inode *i;
	bool going;

	spin_lock(&g->lock);
	i = chain_find(chain, sb, ino);
	going = i && !refcount_read(&i->refs);
	spin_unlock(&g->lock);
	return going;
}

/* A new inode enters, unless one of that number is there. */
static struct inode *enter(struct chain_group *g, u32 chain, struct inode *new)
{
	struct inode *old;

	spin_lock(&g->lock);
	old = chain_find(chain, new->sb, new->ino);
	if (!old)
		hlist_add_head(&new->hash, &chains[chain]);
	spin_unlock(&g->lock);
	return old;
}

static int find_new(struct super *sb, u64 ino, u32 chain, struct inode **out)
{
	struct inode *new = inode_create(sb);

	if (!new)
		return -ENOMEM;
	new->ino = ino;
	new->state = INODE_FILLING;
	if (!enter(group_of(chain), chain, new)) {
		*out = new;
		return 0;
	}
	inode_unfilled(new);		/* overtaken */
	return -EEXIST;
}

int inode_find(struct super *sb, u64 ino, struct inode **out, bool *is_new)
{
	int err = table_ready();

	while (!err) {
		u32 chain = chain_of(sb, ino);
		struct chain_group *g = group_of(chain);
		struct inode *i;
		bool live = false;

		spin_lock(&g->lock);
		i = chain_find(chain, sb, ino);
		if (i)
			live = refcount_inc_not_zero(&i->refs);
		spin_unlock(&g->lock);
		*is_new = !i;
		if (!i) {
			err = find_new(sb, ino, chain, out);
			if (err != -EEXIST)
				return err;
			err = 0;
		} else if (!live) {
			wait_event(&g->wq, !is_going(g, chain, sb, ino));
		} else {
			wait_event(&g->wq, !(atomic_load_acquire(&i->state) & INODE_FILLING));
			if (likely(!(atomic_load(&i->state) & INODE_GONE))) {
				*out = i;
				return 0;
			}
			inode_put(i);
		}
	}
	return err;
}

struct inode *inode_find_cached(struct super *sb, u64 ino)
{
	u32 chain;
	struct chain_group *g;
	struct inode *i;

	if (!atomic_load_acquire(&groups))
		return NULL;
	chain = chain_of(sb, ino);
	g = group_of(chain);
	spin_lock(&g->lock);
	i = chain_find(chain, sb, ino);
	if (i && (atomic_load_acquire(&i->state) || !refcount_inc_not_zero(&i->refs)))
		i = NULL;
	spin_unlock(&g->lock);
	return i;
}

int inode_hash_add(struct inode *i)
{
	int err = table_ready();

	if (!err)
		enter(group_of(chain_of(i->sb, i->ino)), chain_of(i->sb, i->ino), i);	/* or it is there */
	return err;
}

void inode_filled(struct inode *i)
{
	atomic_store_release(&i->state, 0u);	/* pairs with the acquire of who waited */
	wake_up_all(&group_of(chain_of(i->sb, i->ino))->wq);
}

void inode_unfilled(struct inode *i)
{
	if (!hlist_unhashed(&i->hash))
		inode_unhash(i);
	atomic_store_release(&i->state, (u32)INODE_GONE);
	wake_up_all(&group_of(chain_of(i->sb, i->ino))->wq);
	inode_put(i);
}

void inode_unhash(struct inode *i)
{
	struct chain_group *g = group_of(chain_of(i->sb, i->ino));

	spin_lock(&g->lock);
	hlist_del(&i->hash);
	i->hash.pprev = NULL;
	spin_unlock(&g->lock);
	wake_up_all(&g->wq);
}
