/* What fs/notify.c (who watches what) and fs/inotify.c (who is told) know of each other.  Theory in notify.c.
 *
 * Keys: [q] the instance's lock (LC_INOTIFY_QUEUE), [n] watch_lock of notify.c, [R] read under RCU. */
#pragma once
#include <fs/vfs.h>
#include <kernel/lib/rbtree.h>

struct event;
struct inotify;

struct watch {
	struct hlist_node on_inode;	/* [n,R] */
	struct list_head on_super;	/* [n] */
	struct rb_node node;		/* [q] by wd */
	struct inode *inode;		/* [I] referenced while it is on the lists */
	struct inotify *in;		/* [I] referenced */
	struct event *ignored;		/* [q] its last event, made beforehand; NULL: queued */
	u64 serial;			/* [I] falls along an inode's list */
	u32 mask;			/* [q] IN_*, read racily */
	s32 wd;				/* [I] */
	bool off;			/* [q] nothing is told any more */
	struct refcount refs;		/* one for being on the lists */
	struct rcu_head rcu;
};

struct notice { u32 mask, cookie; const char *name; u32 len; };

/* watch_attach - onto the lists of its inode, whose reference the caller gives, and its super; the caller's reference on w is the lists'.
 * watch_detach - off them again, by whoever is first; the inode is put.
 * watch_find - in's watch of that inode, referenced, or NULL. */
void watch_attach(struct watch *w);
void watch_detach(struct watch *w);
struct watch *watch_find(struct inode *i, const struct inotify *in);
/* watch_post - queue it; the end of a watch for once.  watch_retire - the end of w: IN_IGNORED if say. */
void watch_post(struct watch *w, const struct notice *n);
void watch_retire(struct watch *w, bool say);
void watch_put(struct watch *w);
