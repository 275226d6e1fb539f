/* The dentry cache.  Theory in dcache.c. */
#pragma once
#include <fs/vfs.h>

struct qname { const char *name; u32 len, hash; };

/* name_hash_step - one byte more; name_hash - a whole name (the walk computes it while it scans). */
static inline u32 name_hash_step(u32 h, u8 c) { return h * 31 + c; }
static inline u32 name_hash(const char *name, u32 len)
{
	u32 h = 0;

	while (len--)
		h = name_hash_step(h, (u8)*name++);
	return h;
}
static inline struct qname qname_of(const char *name, u32 len) { return (struct qname){ name, len, name_hash(name, len) }; }

/* dentry_find_rcu - the cached child of parent called q, unreferenced, with its sequence and inode at that sequence.
 * Context: RCU read side. */
struct dentry *dentry_find_rcu(const struct dentry *parent, const struct qname *q, u32 *seq, struct inode **inode);
/* dentry_find - the same, referenced; NULL if not cached. */
struct dentry *dentry_find(struct dentry *parent, const struct qname *q);
/* dentry_find_inode - some dentry of the inode that is in its place in the tree, referenced; NULL: none is cached.  Looks through the whole cache.
 * Context: thread. */
struct dentry *dentry_find_inode(const struct inode *i);
/* dentry_alloc - a new negative dentry, refs 1, not in the hash; takes a reference on parent (NULL: a root or anonymous one). */
struct dentry *dentry_alloc(struct super *sb, struct dentry *parent, const struct qname *q);
/* dentry_add - hash a new dentry with inode (its reference is consumed; NULL: negative).  Context: parent's inode locked. */
void dentry_add(struct dentry *d, struct inode *inode);
/* dentry_instantiate - a negative dentry gets an inode (reference consumed).  Context: parent's inode locked for writing. */
void dentry_instantiate(struct dentry *d, struct inode *inode);
/* dentry_make_root - root dentry of a superblock; consumes the inode reference, also on failure (NULL). */
struct dentry *dentry_make_root(struct super *sb, struct inode *inode);
/* dentry_set_anon_inode - the inode of a dentry that stands nowhere; consumes the reference. */
void dentry_set_anon_inode(struct dentry *d, struct inode *inode);
/* dentry_get_live - take a reference unless the dentry is dead.  Context: RCU read side. */
bool dentry_get_live(struct dentry *d);
static inline void dentry_get(struct dentry *d) { atomic_inc(&d->refs); }
/* dentry_parent_get - d's parent (itself for a root), referenced.  d is referenced; it may be moved at the same time. */
struct dentry *dentry_parent_get(struct dentry *d);
/* dentry_put - Context: thread, no lock that evicting an inode may need. */
void dentry_put(struct dentry *d);
/* dentry_delete - the name is gone from the disk: turn negative if unused by others, else unhash.  Parent locked for writing. */
void dentry_delete(struct dentry *d);
/* dentry_drop - remove from the hash: later lookups ask the filesystem. */
void dentry_drop(struct dentry *d);
/* dentry_move - d becomes parent/q; dentry_exchange swaps names and places.  Both directories locked for writing.
 * dentry_name_reserve - memory for a long name beforehand, so that the move can't fail.  *out NULL when it fits inline. */
int dentry_name_reserve(const struct qname *q, char **out);
void dentry_name_unreserve(char *name);
void dentry_move(struct dentry *d, struct dentry *parent, const struct qname *q, char *longname);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* dentry_is_ancestor - a is d or above it (same superblock).  Under the rename mutex. */
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d);
/* dentry_set_mounted - mark or unmark as a mount point. */
void dentry_set_mounted(struct dentry *d, bool on);
/* dcache_shrink - drop up to nr unused dentries (and so their inodes); returns how many went.  Context: thread, GFP_KERNEL-like.
 * dcache_prune_super - at unmount: every unused dentry of sb; dcache_prune_children: below d. */
u64 dcache_shrink(u64 nr);
void dcache_prune_super(struct super *sb);
void dcache_prune_children(struct dentry *d);
extern struct seqcount rename_seq;	/* readers that climb parents retry when it moved */
u64 dcache_nr_dentries(void), dcache_nr_unused(void);
void dcache_init(void);

static inline bool dentry_unhashed(const struct dentry *d) { return atomic_load(&d->flags) & DENTRY_UNHASHED; }
