/* What fs/notify.c (who watches what), fs/inotify.c and fs/dnotify.c (who is told) know of each other.  Theory in notify.c.
 *
 * Keys: [q] the instance's lock (LC_INOTIFY_QUEUE), [n] watch_lock of notify.c, [R] read under RCU. */
#pragma once
#include <fs/vfs.h>
#include <kernel/lib/rbtree.h>

struct event;
struct inotify;

struct watch;
struct notice { u32 mask, cookie; const char *name; u32 len; };

/* Whose watches they are.  Context of all: thread, no locks. */
struct watch_kind {
	void (*post)(struct watch *w, const struct notice *n);	/* that happened, and w wants to know */
	void (*retire)(struct watch *w, bool say);		/* the end of w: nothing is told from now on, IN_IGNORED if say; watch_detach() */
	void (*free)(struct watch *w);				/* the last reference is gone; readers under RCU may still look */
};

#define NOTIFY_RENAMED	0x1000u		/* beside IN_*: a name has become another within its directory */

struct watch {
	const struct watch_kind *kind;	/* [I] */
	struct hlist_node on_inode;	/* [n,R] */
	struct list_head on_super;	/* [n] */
	struct rb_node node;		/* [q] by wd */
	struct inode *inode;		/* [I] referenced while it is on the lists */
	struct inotify *in;		/* [I] referenced; NULL: of another kind */
	struct event *ignored;		/* [q] its last event, made beforehand; NULL: queued */
	u64 serial;			/* [I] falls along an inode's list */
	u32 mask;			/* [q] IN_*, read racily */
	s32 wd;				/* [I] */
	bool off;			/* [q] nothing is told any more */
	struct refcount refs;		/* one for being on the lists */
	struct rcu_head rcu;
};

/* watch_attach - onto the lists of its inode, whose reference the caller gives, and its super; the caller's reference on w is the lists'.
 * watch_detach - off them again, by whoever is first; the inode is put.
 * watch_find - in's watch of that inode, referenced, or NULL. */
void watch_attach(struct watch *w);
void watch_detach(struct watch *w);
struct watch *watch_find(struct inode *i, const struct inotify *in);
void watch_put(struct watch *w);
