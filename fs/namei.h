/* Path walking.  Theory in namei.c. */
#pragma once
#include <fs/dcache.h>
#include <fs/inode.h>

/* A path from a program, in the kernel: on the caller's stack when short, else in a page-sized buffer. */
struct filename {
	const char *name;
	u32 len;
	char *alloc;			/* to be freed, or NULL */
	char small[120];
};
/* getname - copy; empty is -ENOENT unless allow_empty.  0, -EFAULT, -ENAMETOOLONG, -ENOENT, -ENOMEM. */
int getname(struct filename *fn, const char __user *user, bool allow_empty);
void putname_slow(struct filename *fn);
static inline void putname(struct filename *fn)
{
	if (unlikely(fn->alloc))
		putname_slow(fn);
}

enum lookup_flags {
	LOOKUP_FOLLOW = 1,		/* the last component too, if a symlink */
	LOOKUP_DIRECTORY = 2,		/* must end in a directory */
	LOOKUP_PARENT = 4,		/* stop before the last component */
	LOOKUP_EMPTY = 8,		/* "" means the starting point */
	LOOKUP_CREATE = 16,		/* an absent last component is not an error: see absent */
	LOOKUP_NO_AUTOMOUNT = 32, LOOKUP_REF = 64 /* internal: no RCU */,
	LOOKUP_OPEN_LINK = 128,		/* O_PATH|O_NOFOLLOW */
	/* openat2(2): */
	LOOKUP_NO_SYMLINKS = 256, LOOKUP_NO_MAGICLINKS = 512,	/* -ELOOP at one that would be followed */
	LOOKUP_NO_XDEV = 1024,		/* -EXDEV where another mount begins */
	LOOKUP_BENEATH = 2048,		/* -EXDEV instead of leaving the starting point */
	LOOKUP_IN_ROOT = 4096,		/* the starting point is the root */
	LOOKUP_SCOPED = LOOKUP_BENEATH | LOOKUP_IN_ROOT,	/* -EAGAIN if something moved while ".." was walked */
	LOOKUP_CACHED = 8192,		/* -EAGAIN instead of asking a filesystem */
};
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

#define MAX_LINKS 40
struct walk {
	struct path path;		/* where we are: referenced, or not while rcu */
	struct inode *inode;
	u32 seq, mount_seq;
	u32 rename_seq;			/* LOOKUP_SCOPED: when it began */
	u32 flags;
	bool rcu, absent, trailing_slash, root_known;
	u8 last_type;
	struct qname last;		/* LOOKUP_PARENT or absent; lives until walk_end */
	struct path root;		/* referenced unless rcu */
	u32 depth, links;
	char *bufs;			/* symlink texts to be freed: chained */
	const char *rest[MAX_LINKS];
};
/* walk_path - resolve name from dirfd.  0: w->path is referenced (the caller puts it).  With LOOKUP_CREATE and w->absent, or
 * LOOKUP_PARENT, w->path is the parent and w->last the name.  walk_end frees what the walk kept, not w->path. */
int walk_path(struct walk *w, int dirfd, const char *name, u32 flags);
void walk_end_slow(struct walk *w);
static inline void walk_end(struct walk *w)
{
	if (unlikely(w->bufs))
		walk_end_slow(w);
}
/* path_lookup_user - getname and walk. */
int path_lookup_user(int dirfd, const char __user *name, u32 flags, struct path *out);
/* path_look - find out something about where a path leads, without keeping it: look(path, inode, rcu, arg) at the end of the walk,
 * whose result comes back.  rcu: no reference is held, look may not sleep, and may be called again; -ECHILD from it asks for that
 * second call, with references.  A look at what is cached writes no shared memory.  flags: as for path_lookup, not LOOKUP_CREATE. */
typedef int path_look_fn(const struct path *p, struct inode *inode, bool rcu, void *arg);
int path_look_user(int dirfd, const char __user *name, u32 flags, path_look_fn *look, void *arg);
/* dir_lookup - the child q of d's directory, cached or asked; referenced, perhaps negative.  dir inode locked for writing. */
int dir_lookup(struct dentry *parent, const struct qname *q, struct dentry **out);

void fs_get_root(struct path *out);
void fs_get_cwd(struct path *out);
void fs_set_cwd(const struct path *p);		/* takes its own references */
void fs_set_root(const struct path *p);
/* dentry_string - "/a/b" from root down to it, at the end of buf; NULL if it does not fit.  Nothing need be held.  Context: thread. */
char *dentry_string(const struct dentry *from, const struct dentry *root, char *buf, size_t size);
char *path_string_from(const struct path *p, const struct path *root, char *buf, size_t size, bool *outside);

/* vfs_mknod_at and friends - w->path/w->last from a LOOKUP_PARENT walk; current's umask is taken from the mode. */
int vfs_mknod_at(struct walk *w, u32 mode, dev_t_k dev);
int vfs_mknod_path(struct walk *w, u32 mode, struct path *out);	/* a FIFO or socket; *out: where it is, referenced */
int vfs_mkdir_at(struct walk *w, u32 mode);
int vfs_symlink_at(struct walk *w, const char *target);
int vfs_link_at(struct walk *w, struct inode *inode, struct mount *mnt);
int vfs_unlink_at(struct walk *w, bool rmdir);
/* dir_may_create, dir_may_delete - permission on the directory (and sticky rule for the victim). */
int dir_may_create(struct inode *dir);
int dir_may_delete(struct inode *dir, struct inode *victim, bool isdir);
