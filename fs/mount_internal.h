/* What the files of the tree of mounts share: mount.c (the tree), mount_call.c (mount(2)), umount.c, pivot_root.c, mount_group.c (who
 * shares with whom), mount_propagate.c (what is done at one place, done at the others), mount_show.c (/proc).  All of it under mount_mutex. */
#pragma once
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/sync/mutex.h>

#define MNT_FLAGS	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MS_PROPAGATION	(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define MOUNT_MAX	100000u		/* mounts in a namespace, as on Linux: propagation doubles quickly */

/* A namespace: a tree of mounts, and who sees it. */
struct mount_ns {
	struct mount *root;		/* [mount_sem] */
	struct list_head mounts;	/* [mount_sem] all of them: m->link */
	u32 nr_mounts;			/* [mount_sem] */
	u32 coming;			/* [mount_sem] those that a change under way has made for it */
};

/* Mounts of equal rights: what is mounted below one appears below all.  Lives as long as it has members.  All [mount_sem]. */
struct mount_group {
	u32 id;				/* what mountinfo calls it */
	struct mount_group *master;	/* what happens there is done here too; NULL: nobody */
	struct list_head members;	/* mounts: m->peer */
	struct list_head slaves;	/* mounts that only receive: m->peer */
	struct list_head slave_groups;	/* groups that receive: g->slave_link */
	struct list_head slave_link;
	struct list_head todo;		/* while something propagates: still to be visited */
	struct mount *source;		/* the same: the tree that is copied for the next member */
	bool own_source;		/* the same: ... and that one is mounted in this group */
};

extern struct mutex mount_mutex;
extern struct spinlock mount_lock;
extern struct mount_ns root_ns;

/* mount_ns_current - the caller's. */
static inline struct mount_ns *mount_ns_current(void) { return &root_ns; }

/* --- mount.c: trees.  mount_mutex is held --- */

/* mount_alloc - a mount that stands nowhere; one reference.  NULL if no memory. */
struct mount *mount_alloc(struct super *sb, struct dentry *root, const char *source, u32 flags);
/* mount_next - the one after m in the tree of top, each before those on it; NULL: that was all.  mount_skip - without those on m. */
struct mount *mount_next(const struct mount *m, const struct mount *top);
struct mount *mount_skip(const struct mount *m, const struct mount *top);
#define for_each_mount(m, top)	for (m = (top); m; m = mount_next(m, top))
/* mount_is_below - m is top, or stands somewhere in its tree. */
bool mount_is_below(const struct mount *m, const struct mount *top);
/* mount_find - what is mounted there; NULL: nothing.  No reference. */
struct mount *mount_find(const struct mount *parent, const struct dentry *d);
/* dentry_is_inside - d is root or below it.  Renames may go on.  Context: thread. */
bool dentry_is_inside(const struct dentry *root, const struct dentry *d);
/* place_claim - the top of what is mounted at *at becomes *at, and nobody removes or renames it from now on: until something mounted there has
 * gone again, or place_release.  like: what shall be mounted there.  0; -ENOENT: it was removed; -EINVAL: not of the caller's namespace; -ENOTDIR. */
int place_claim(struct path *at, const struct dentry *like);
void place_release(struct dentry *d);
/* mount_copy_tree - top and what is mounted on it, as seen from root within it.  A tree that stands nowhere (mount_discard_tree), in *out.
 * kind: how a copy stands to what it is copied of; rec: not top alone; unbindable mounts below top are left out.  -ENOMEM.  gone: for mounts_drop. */
enum copy_kind { COPY_LIKE /* peer of a shared one, slave of its master */, COPY_SLAVE /* receives from it */,
		 COPY_SLAVE_SHARED /* the same, and is the first of a new group */ };
int mount_copy_tree(struct mount *top, struct dentry *root, enum copy_kind kind, bool rec, struct mount **out, struct list_head *gone);
/* mount_discard_tree - a tree that stands nowhere goes, without having been seen; gone: for mounts_drop. */
void mount_discard_tree(struct mount *top, struct list_head *gone);
/* mount_ns_room - will the tree fit into ns, too, beside all that was asked about in this change?  0, -ENOSPC. */
int mount_ns_room(struct mount_ns *ns, struct mount *tree);
/* mount_graft - hang a tree on a claimed place, and what propagation makes of that everywhere else.  If it stands somewhere already it is moved:
 * *was gets that place with its references (else NULLs).  0; -ENOMEM, -ENOSPC: nothing happened.  gone: for mounts_drop. */
int mount_graft(struct mount *tree, const struct path *at, struct path *was, struct list_head *gone);
/* mount_exchange - pivot_root: root's place is taken by new, root hangs on put_old, a claimed place.  *was: new's old place, with its references. */
void mount_exchange(struct mount *root, struct mount *new, const struct path *put_old, struct path *was);
/* mounts_detach - the mounts of a list (->work, ->going) leave their trees: all that stands on them is in the list, too, or stands on their
 * roots and is put where they stood.  held: only if nobody uses any of them but the caller this one, by one reference; else nothing
 * happens and the answer is false.  NULL: whoever uses them keeps them.  Sleeps.  gone: for mounts_drop. */
bool mounts_detach(struct list_head *list, const struct mount *held, struct list_head *gone);
/* mounts_drop - give up what was detached.  No locks. */
void mounts_drop(struct list_head *gone);

/* mount_place - where a tree that stands nowhere will be shown by mount_graft. */
void mount_place(struct mount *tree, const struct path *at);

/* --- mount_group.c --- */

/* group_join - m, which shares nothing yet, becomes a member of g, or receives from it (as_slave). */
void group_join(struct mount *m, struct mount_group *g, bool as_slave);
/* group_new - m, which is in no group, becomes the only member of a new one, which receives from what m received from.  -ENOMEM. */
int group_new(struct mount *m);
/* group_leave - m shares no more; it receives from who remains, or from whom the group received (to_slave), or nothing. */
void group_leave(struct mount *m, bool to_slave);
/* mount_change_type - mount(2) with MS_SHARED and its like, at a mount's root.  0, -EINVAL, -ENOMEM.  Locks: none. */
int mount_change_type(const struct path *at, u64 flags);
/* tree_share - each of a tree becomes shared, and is marked if it was not; tree_unshare - back, as if nothing had been.  -ENOMEM: nothing was. */
int tree_share(struct mount *top);
void tree_unshare(struct mount *top);
void tree_shared(struct mount *top);	/* it stays so: no marks */
bool tree_has_unbindable(struct mount *top);
static inline bool mount_is_shared(const struct mount *m) { return m->group; }
/* mount_master - the group that m receives from; NULL: none. */
static inline struct mount_group *mount_master(const struct mount *m) { return m->group ? m->group->master : m->master; }

/* --- mount_propagate.c --- */

/* propagate_mount - a copy of tree for each place that receives what is mounted at `at`, onto copies (->work), placed but not seen yet.
 * at->mnt and all of tree are shared.  -ENOMEM, -ENOSPC: copies is what there is to discard.  gone: for mounts_drop. */
int propagate_mount(const struct path *at, struct mount *tree, struct list_head *copies, struct list_head *gone);
/* propagate_umount - what goes along with the mounts of the list (->work, ->going), added to it. */
void propagate_umount(struct list_head *list);
