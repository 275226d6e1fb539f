/* Path walking: from text to a place.
 *
 * A walk first runs under RCU (preemption off) and writes no shared memory: it carries (mount, dentry, inode, sequence) from one
 * component to the next, each step checking that the parent's sequence has not moved since its inode was read, so that the chain
 * was true at one moment.  At the end it takes the references that the caller wants and checks the last sequence and mount_seq
 * again; stat() and access() look at the inode right there instead (path_look_user), and so write nothing shared at all.  Whatever
 * RCU cannot do - a name that is not cached, a symlink whose text is not in memory, permission or revalidation
 * by the filesystem, a race - ends the try with -ECHILD, and the walk begins anew with references in hand (ref-walk), where a
 * component not cached is asked of the filesystem with the directory's lock held.
 *
 * Names are scanned and hashed in one pass, in the buffer that getname() filled; nothing is copied.  Symlinks are walked by
 * pushing the rest of the outer name (only if there is one, so a link in last place costs no depth) and going on with the text;
 * forty in one walk are too many.  Text got by ref-walk is copied and lives until walk_end().
 *
 * openat2(2) confines a walk (LOOKUP_NO_SYMLINKS to LOOKUP_CACHED).  A scoped one (BENEATH, IN_ROOT) has its starting point as its root; a ".."
 * during which anything was renamed or mounted may have come out above that, and ends in -EAGAIN, as on Linux, rather than to be
 * tried again without an end; and where the walk arrives is looked at once more, upwards, before anybody gets it.  All of this is asked only
 * at links, at "..", at mount points and at the ends: a plain walk's steps do not see it.
 *
 * Creating and removing: a walk with LOOKUP_PARENT stops before the last component; then the directory's lock is taken for
 * writing, the child looked up again, permission checked and the filesystem called.  Locks: superblock's rename mutex (between
 * directories only) < directories, ancestor first else by address < victim. */
#include <fs/namei.h>
#include <syscall_protos.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/super.h>
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <arch/uaccess.h>

int getname(struct filename *fn, const char __user *user, bool allow_empty)
{
	ssize_t n = strncpy_from_user(fn->small, user, sizeof(fn->small));

	fn->alloc = NULL;
	fn->name = fn->small;
	if (unlikely(n == -ENAMETOOLONG)) {
		fn->alloc = kmalloc(PATH_MAX, GFP_KERNEL);
		if (!fn->alloc)
			return -ENOMEM;
		fn->name = fn->alloc;
		n = strncpy_from_user(fn->alloc, user, PATH_MAX);
	}
	if (unlikely(n <= 0 && (n < 0 || !allow_empty))) {
		kfree(fn->alloc);
		return n < 0 ? (int)n : -ENOENT;
	}
	fn->len = (u32)n;
	return 0;
}

void putname_slow(struct filename *fn) { kfree(fn->alloc); }

/* --- starting points --- */

static void fs_read(struct fs_struct *fs, const struct path *from, struct path *out)
{
	u32 seq;

	do {
		seq = seq_read_begin(&fs->seq);
		out->mnt = READ_ONCE(from->mnt);
		out->dentry = READ_ONCE(from->dentry);
	} while (seq_read_retry(&fs->seq, seq));
}

static void fs_get(struct fs_struct *fs, const struct path *from, struct path *out)
{
	spin_lock(&fs->lock);
	*out = *from;
	path_get(out);
	spin_unlock(&fs->lock);
}

void fs_get_root(struct path *out) { fs_get(current->fs, &current->fs->root, out); }
void fs_get_cwd(struct path *out) { fs_get(current->fs, &current->fs->cwd, out); }

static void fs_set(struct path *field, const struct path *p)
{
	struct fs_struct *fs = current->fs;
	struct path old;

	path_get(p);
	spin_lock(&fs->lock);
	seq_write_begin(&fs->seq);
	old = *field;
	*field = *p;
	seq_write_end(&fs->seq);
	spin_unlock(&fs->lock);
	if (old.mnt)
		path_put(&old);
}

void fs_set_cwd(const struct path *p) { fs_set(&current->fs->cwd, p); }
void fs_set_root(const struct path *p) { fs_set(&current->fs->root, p); }

static inline void stand_on(struct walk *w, struct mount *m, struct dentry *d)
{
	w->path.mnt = m;
	w->path.dentry = d;
	w->seq = seq_read_begin(&d->seq);
	w->inode = READ_ONCE(d->inode);
}

static void know_root(struct walk *w)
{
	if (w->root_known)
		return;
	if (w->rcu)
		fs_read(current->fs, &current->fs->root, &w->root);
	else
		fs_get_root(&w->root);
	w->root_known = true;
}

static void jump_to_root(struct walk *w)
{
	know_root(w);
	if (w->rcu) {
		stand_on(w, w->root.mnt, w->root.dentry);
		return;
	}
	path_get(&w->root);
	if (w->path.mnt)
		path_put(&w->path);
	w->path = w->root;
	w->inode = w->path.dentry->inode;
}

static int start_at_fd(struct walk *w, int dirfd)
{
	struct file *f;
	u32 ref;

	f = fdref_get_any(dirfd, &ref);
	if (!f)
		return -EBADF;
	if (w->rcu) {
		if (ref) {
			file_put(f);
			return -ECHILD;
		}
		stand_on(w, f->path.mnt, f->path.dentry);
		return 0;
	}
	w->path = f->path;
	path_get(&w->path);
	w->inode = w->path.dentry->inode;
	fdref_put(f, ref);
	return 0;
}

/* The starting point is the root of this walk. */
static void scope(struct walk *w)
{
	w->root = w->path;
	w->root_known = true;
	if (w->rcu)
		return;
	path_get(&w->root);
	w->mount_seq = seq_read_begin(&mount_seq);
}

static int start(struct walk *w, int dirfd, const char *name)
{
	int err = 0;

	if (unlikely(w->flags & LOOKUP_SCOPED))
		w->rename_seq = seq_read_begin(&rename_seq);
	if (*name == '/' && !(w->flags & LOOKUP_IN_ROOT)) {
		if (unlikely(w->flags & LOOKUP_BENEATH))
			return -EXDEV;
		jump_to_root(w);
		return 0;
	}
	if (dirfd != AT_FDCWD) {
		err = start_at_fd(w, dirfd);
	} else if (w->rcu) {
		struct path cwd;

		fs_read(current->fs, &current->fs->cwd, &cwd);
		stand_on(w, cwd.mnt, cwd.dentry);
	} else {
		fs_get_cwd(&w->path);
		w->inode = w->path.dentry->inode;
	}
	if (!err && unlikely(!w->inode))
		err = w->rcu ? -ECHILD : -ENOENT;
	if (!err && *name && !inode_is_dir(w->inode))
		err = -ENOTDIR;
	if (!err && unlikely(w->flags & LOOKUP_SCOPED))
		scope(w);
	return err;
}

/* --- steps --- */

static int may_lookup(struct walk *w)
{
	struct inode *dir = w->inode;

	if (likely((READ_ONCE(dir->mode) & 0111) == 0111 && !(READ_ONCE(dir->flags) & INODE_ACL)))
		return 0;
	return inode_permission(dir, MAY_EXEC);
}

/* Up to what is mounted here, under RCU.  0 or -EXDEV. */
static inline int cross_rcu(struct walk *w)
{
	while (unlikely(READ_ONCE(w->path.dentry->flags) & DENTRY_MOUNTED)) {
		struct mount *m = mount_find_rcu(w->path.mnt, w->path.dentry);

		if (!m)
			return 0;
		if (unlikely(w->flags & LOOKUP_NO_XDEV))
			return -EXDEV;
		stand_on(w, m, m->root);
	}
	return 0;
}

/* The same with references. */
static int cross_ref(struct walk *w)
{
	struct mount *m = w->path.mnt;

	path_follow_down(&w->path);
	w->inode = w->path.dentry->inode;
	return unlikely(w->path.mnt != m && w->flags & LOOKUP_NO_XDEV) ? -EXDEV : 0;
}

/* After "..": was it one step up, with nothing moved since the walk began? */
static int scope_check(const struct walk *w)
{
	return seq_read_retry(&mount_seq, w->mount_seq) || seq_read_retry(&rename_seq, w->rename_seq) ? -EAGAIN : 0;
}

static int dotdot_rcu(struct walk *w)
{
	struct mount *m = w->path.mnt;
	struct dentry *d = w->path.dentry;

	know_root(w);
	for (;;) {
		if (d == w->root.dentry && m == w->root.mnt) {
			if (unlikely(w->flags & LOOKUP_BENEATH))
				return -EXDEV;
			break;
		}
		if (d != m->root) {
			struct dentry *parent = READ_ONCE(d->parent);

			if (d == w->path.dentry && seq_read_retry(&d->seq, w->seq))
				return -ECHILD;
			d = parent;
			break;
		}
		if (!READ_ONCE(m->parent)) {
			if (unlikely(w->flags & LOOKUP_BENEATH))
				return -EXDEV;
			break;
		}
		if (unlikely(w->flags & LOOKUP_NO_XDEV))
			return -EXDEV;
		d = READ_ONCE(m->mountpoint);
		m = READ_ONCE(m->parent);
		if (!d || !m || seq_read_retry(&mount_seq, w->mount_seq))
			return -ECHILD;
	}
	stand_on(w, m, d);
	if (unlikely(cross_rcu(w)))
		return -EXDEV;
	if (unlikely(w->flags & LOOKUP_SCOPED) && scope_check(w))
		return -EAGAIN;
	return w->inode ? 0 : -ECHILD;
}

static int dotdot_ref(struct walk *w)
{
	know_root(w);
	for (;;) {
		struct dentry *d = w->path.dentry, *parent;

		if (d == w->root.dentry && w->path.mnt == w->root.mnt) {
			if (unlikely(w->flags & LOOKUP_BENEATH))
				return -EXDEV;
			break;
		}
		if (d != w->path.mnt->root) {
			rcu_read_lock();
			parent = READ_ONCE(d->parent);
			if (!dentry_get_live(parent))
				parent = NULL;
			rcu_read_unlock();
			if (!parent)
				return -ENOENT;
			dentry_put(d);
			w->path.dentry = parent;
			break;
		}
		if (!path_follow_up(&w->path)) {
			if (unlikely(w->flags & LOOKUP_BENEATH))
				return -EXDEV;
			break;
		}
		if (unlikely(w->flags & LOOKUP_NO_XDEV))
			return -EXDEV;
	}
	if (unlikely(cross_ref(w)))
		return -EXDEV;
	return unlikely(w->flags & LOOKUP_SCOPED) ? scope_check(w) : 0;
}

int dir_lookup(struct dentry *parent, const struct qname *q, struct dentry **out)
{
	struct inode *dir = parent->inode, *inode = NULL;
	struct dentry *d = dentry_find(parent, q);
	int err;

	if (d && (READ_ONCE(d->flags) & DENTRY_REVALIDATE) && !dir->ops->revalidate(d)) {
		dentry_drop(d);
		dentry_put(d);
		d = NULL;
	}
	*out = d;
	if (d)
		return 0;
	if (READ_ONCE(dir->flags) & INODE_DEAD)
		return -ENOENT;
	if (!dir->ops->lookup)
		return -ENOTDIR;
	d = dentry_alloc(parent->sb, parent, q);
	if (!d)
		return -ENOMEM;
	err = dir->ops->lookup(dir, q->name, q->len, &inode);
	if (err && err != -ENOENT) {
		dentry_put(d);
		return err;
	}
	dentry_add(d, err ? NULL : inode);
	*out = d;
	return 0;
}

/* The child q, referenced, perhaps negative; NULL with 0 only if `cached_only`. */
static int child_ref(struct walk *w, const struct qname *q, bool cached_only, struct dentry **out)
{
	struct dentry *d = dentry_find(w->path.dentry, q);
	int err;

	if (d && (READ_ONCE(d->flags) & DENTRY_REVALIDATE) && !w->inode->ops->revalidate(d)) {
		dentry_drop(d);
		dentry_put(d);
		d = NULL;
	}
	*out = d;
	if (d || cached_only)
		return 0;
	rwsem_write_lock(&w->inode->lock);
	err = dir_lookup(w->path.dentry, q, out);
	rwsem_write_unlock(&w->inode->lock);
	return err;
}

struct link_buf { char *next; char text[]; };

void walk_end_slow(struct walk *w)
{
	while (w->bufs) {
		char *next = ((struct link_buf *)w->bufs)->next;

		kfree(w->bufs);
		w->bufs = next;
	}
}

/* May the walk jump to p? */
static int magic_check(const struct walk *w, const struct path *p)
{
	if (likely(!(w->flags & (LOOKUP_NO_MAGICLINKS | LOOKUP_NO_XDEV | LOOKUP_SCOPED))))
		return 0;
	if (w->flags & LOOKUP_NO_MAGICLINKS)
		return -ELOOP;
	return w->flags & LOOKUP_SCOPED || p->mnt != w->path.mnt ? -EXDEV : 0;
}

/* The text of a symlink, copied: *text.  Or a jump: *text NULL and the walk stands elsewhere. */
static int read_link(struct walk *w, struct inode *inode, const char **text)
{
	struct link_buf *b;
	size_t size = inode->link ? strlen(inode->link) + 1 : PATH_MAX;
	int n;

	*text = NULL;
	if (unlikely(w->flags & LOOKUP_NO_SYMLINKS))
		return -ELOOP;
	if (inode->ops->get_link) {
		struct path p;
		int err = inode->ops->get_link(inode, &p);

		if (err)
			return err;
		err = magic_check(w, &p);
		if (err) {
			path_put(&p);
			return err;
		}
		path_put(&w->path);
		w->path = p;
		w->inode = p.dentry->inode;
		return 0;
	}
	b = kmalloc(sizeof(*b) + size, GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	if (inode->link) {
		memcpy(b->text, inode->link, size);
	} else {
		n = inode->ops->readlink ? inode->ops->readlink(inode, b->text, size - 1) : -EINVAL;
		if (n < 0) {
			kfree(b);
			return n;
		}
		b->text[n] = 0;
	}
	b->next = w->bufs;
	w->bufs = (char *)b;
	*text = b->text;
	return 0;
}

enum step { STEP_ON = 0, STEP_LINK = 1, STEP_ABSENT = 2 };

/* One named component.  Returns a step or -errno; for STEP_LINK *text is where to go on (NULL: jumped). */
static int step_rcu(struct walk *w, const struct qname *q, bool last, bool follow, const char **text)
{
	struct inode *inode;
	struct dentry *d;
	u32 seq;

	d = dentry_find_rcu(w->path.dentry, q, &seq, &inode);
	if (unlikely(!d))
		return -ECHILD;
	if (unlikely(READ_ONCE(d->flags) & DENTRY_REVALIDATE) && !w->inode->ops->revalidate(d))
		return -ECHILD;
	if (unlikely(seq_read_retry(&w->path.dentry->seq, w->seq)))
		return -ECHILD;
	if (unlikely(!inode))
		return last && (w->flags & LOOKUP_CREATE) ? STEP_ABSENT : -ENOENT;
	if (unlikely(inode_is_link(inode)) && follow) {
		if (unlikely(w->flags & LOOKUP_NO_SYMLINKS))
			return -ELOOP;
		*text = inode->link;
		return *text ? STEP_LINK : -ECHILD;
	}
	w->path.dentry = d;
	w->seq = seq;
	w->inode = inode;
	if (unlikely(cross_rcu(w)))
		return -EXDEV;
	return likely(w->inode) ? STEP_ON : -ECHILD;
}

static int step_ref(struct walk *w, const struct qname *q, bool last, bool follow, const char **text)
{
	bool creating = last && (w->flags & LOOKUP_CREATE);
	struct dentry *d;
	int err;

	/* What is to be made is looked up under the directory's lock by open(), unless the directory believes or keeps no cached name:
	 * there the dentry that open() finds would be stale or gone on the next walk, and O_CREAT of what exists would never end. */
	err = child_ref(w, q, creating && !w->inode->ops->revalidate && !(READ_ONCE(w->path.dentry->flags) & DENTRY_UNCACHED), &d);
	if (err)
		return err;
	if (!d || !d->inode) {
		if (d)
			dentry_put(d);
		return creating ? STEP_ABSENT : -ENOENT;
	}
	if (inode_is_link(d->inode) && follow) {
		err = read_link(w, d->inode, text);
		dentry_put(d);
		return err ? err : STEP_LINK;
	}
	dentry_put(w->path.dentry);
	w->path.dentry = d;
	return cross_ref(w);	/* 0 is STEP_ON */
}

/* --- the walk --- */

static int last_check(struct walk *w)
{
	if ((w->trailing_slash || (w->flags & LOOKUP_DIRECTORY)) && !inode_is_dir(w->inode))
		return -ENOTDIR;
	return 0;
}

/* The component at name, into *q and w->last_type; returns what follows it. */
static inline const char *take_component(struct walk *w, const char *name, struct qname *q)
{
	const char *p;
	u32 h = 0;

	for (p = name; *p && *p != '/'; p++)
		h = name_hash_step(h, (u8)*p);
	*q = (struct qname){ name, (u32)(p - name), h };
	if (*p) {
		while (*p == '/')
			p++;
		if (!*p && !w->depth)
			w->trailing_slash = true;
	}
	w->last_type = LAST_NORM;
	if (unlikely(*name == '.' && (q->len == 1 || (q->len == 2 && name[1] == '.'))))
		w->last_type = q->len == 1 ? LAST_DOT : LAST_DOTDOT;
	return p;
}

/* A link was met: what stands behind it waits in w->rest, its text is walked first.  text NULL: a magic link has jumped already. */
static int enter_link(struct walk *w, const char *rest, const char *text, const char **name)
{
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (*rest)
		w->rest[w->depth++] = rest;
	if (text && !*text)
		return -ENOENT;
	if (text && *text == '/') {
		if (unlikely(w->flags & (LOOKUP_BENEATH | LOOKUP_NO_XDEV))) {
			know_root(w);
			if (w->flags & LOOKUP_BENEATH || w->path.mnt != w->root.mnt)
				return -EXDEV;
		}
		jump_to_root(w);
	}
	*name = text ? text : "";
	return 0;
}

static int walk_components(struct walk *w, const char *name)
{
	const char *text = NULL;
	struct qname q;
	int err;

	for (;;) {
		const char *p;
		bool last, follow;

		while (*name == '/')
			name++;
		if (unlikely(!*name)) {
			if (w->depth) {
				name = w->rest[--w->depth];
				continue;
			}
			w->last_type = LAST_ROOT;
			return last_check(w);
		}
		if (unlikely(!inode_is_dir(w->inode)))
			return -ENOTDIR;
		err = may_lookup(w);
		if (unlikely(err))
			return err;
		p = take_component(w, name, &q);
		if (unlikely(q.len > NAME_MAX))
			return -ENAMETOOLONG;
		last = !*p && !w->depth;
		if (last && (w->flags & LOOKUP_PARENT)) {
			w->last = q;
			return w->rcu && w->links ? -ECHILD : 0;
		}
		if (unlikely(w->last_type != LAST_NORM)) {
			if (w->last_type == LAST_DOTDOT) {
				err = w->rcu ? dotdot_rcu(w) : dotdot_ref(w);
				if (err)
					return err;
			}
			if (last)
				return last_check(w);
			name = p;
			continue;
		}
		follow = !last || (w->flags & LOOKUP_FOLLOW) || w->trailing_slash;
		err = w->rcu ? step_rcu(w, &q, last, follow, &text) : step_ref(w, &q, last, follow, &text);
		if (likely(err == STEP_ON)) {
			if (last)
				return last_check(w);
			name = p;
			continue;
		}
		if (err < 0)
			return err;
		if (err == STEP_ABSENT) {
			w->absent = true;
			w->last = q;
			return w->rcu && w->links ? -ECHILD : 0;
		}
		err = enter_link(w, p, text, &name);
		if (err)
			return err;
		if (!text && last)
			return last_check(w);
	}
}

static inline void walk_reset(struct walk *w, u32 flags, bool rcu)
{
	w->flags = flags;
	w->rcu = rcu;
	w->absent = w->trailing_slash = w->root_known = false;
	w->depth = w->links = 0;
	w->bufs = NULL;
	w->path.mnt = NULL;
	w->last_type = LAST_ROOT;
}

/* A scoped walk has arrived: is that at or below its root?  One with the root's references, or RCU. */
static int scope_end(const struct walk *w)
{
	u32 renames, mounts;
	bool under;

	do {
		const struct dentry *d = w->path.dentry;
		const struct mount *m = w->path.mnt, *up;

		renames = seq_read_begin(&rename_seq);
		mounts = seq_read_begin(&mount_seq);
		rcu_read_lock();
		while (!(under = d == w->root.dentry && m == w->root.mnt)) {
			if (d != m->root && READ_ONCE(d->parent) != d) {
				d = READ_ONCE(d->parent);
				continue;
			}
			up = READ_ONCE(m->parent);
			d = READ_ONCE(m->mountpoint);
			m = up;
			if (!m || !d)
				break;
		}
		rcu_read_unlock();
	} while (seq_read_retry(&rename_seq, renames) || seq_read_retry(&mount_seq, mounts));
	return under ? 0 : -EXDEV;
}

/* Ends the RCU side: with references if err is 0. */
static int leave_rcu(struct walk *w, int err)
{
	bool got_mnt = false, got_dentry = false;

	if (unlikely(w->flags & LOOKUP_SCOPED) && !err)
		err = scope_end(w);
	if (likely(!err)) {
		got_mnt = spread_ref_get_live(&w->path.mnt->refs);
		got_dentry = got_mnt && dentry_get_live(w->path.dentry);
		if (!got_dentry || seq_read_retry(&w->path.dentry->seq, w->seq))
			err = -ECHILD;
	}
	if (err != -ECHILD && seq_read_retry(&mount_seq, w->mount_seq))
		err = -ECHILD;
	rcu_read_unlock();
	if (unlikely(err)) {
		if (got_dentry)
			dentry_put(w->path.dentry);
		if (got_mnt)
			mount_put(w->path.mnt);
	}
	w->rcu = false;
	return err;
}

static int walk_by_ref(struct walk *w, int dirfd, const char *name, u32 flags)
{
	int err;

	walk_reset(w, flags, false);
	err = start(w, dirfd, name);
	if (!err)
		err = walk_components(w, name);
	if (unlikely(w->flags & LOOKUP_SCOPED) && !err)
		err = scope_end(w);
	if (w->root_known)
		path_put(&w->root);
	if (err) {
		if (w->path.mnt)
			path_put(&w->path);
		walk_end(w);
	}
	return err;
}

int walk_path(struct walk *w, int dirfd, const char *name, u32 flags)
{
	int err;

	if (unlikely(!*name && !(flags & LOOKUP_EMPTY)))
		return -ENOENT;
	walk_reset(w, flags, true);
	rcu_read_lock();
	w->mount_seq = seq_read_begin(&mount_seq);
	err = start(w, dirfd, name);
	if (likely(!err))
		err = walk_components(w, name);
	err = leave_rcu(w, err);
	if (unlikely(err == -ECHILD))
		err = flags & LOOKUP_CACHED ? -EAGAIN : walk_by_ref(w, dirfd, name, flags);
	TRACE_TEXT(vfs_lookup, name, (u64)err, flags);
	return err;
}

static int look_rcu(struct walk *w, int dirfd, const char *name, u32 flags, path_look_fn *look, void *arg)
{
	int err;

	walk_reset(w, flags, true);
	rcu_read_lock();
	w->mount_seq = seq_read_begin(&mount_seq);
	err = start(w, dirfd, name);
	if (likely(!err))
		err = walk_components(w, name);
	if (likely(!err)) {
		err = look(&w->path, w->inode, true, arg);
		if (unlikely(seq_read_retry(&w->path.dentry->seq, w->seq)))
			err = -ECHILD;
	}
	if (unlikely(seq_read_retry(&mount_seq, w->mount_seq)))
		err = -ECHILD;
	rcu_read_unlock();
	return err;
}

int path_look_user(int dirfd, const char __user *user, u32 flags, path_look_fn *look, void *arg)
{
	struct filename fn;
	struct walk w;
	int err = getname(&fn, user, flags & LOOKUP_EMPTY);

	if (unlikely(err))
		return err;
	err = !*fn.name && !(flags & LOOKUP_EMPTY) ? -ENOENT : look_rcu(&w, dirfd, fn.name, flags, look, arg);
	if (unlikely(err == -ECHILD)) {
		err = walk_by_ref(&w, dirfd, fn.name, flags);
		if (!err) {
			err = look(&w.path, w.inode, false, arg);
			path_put(&w.path);
			walk_end(&w);
		}
	}
	TRACE_TEXT(vfs_lookup, fn.name, (u64)err, flags);
	putname(&fn);
	return err;
}

int path_lookup(int dirfd, const char *name, u32 flags, struct path *out)
{
	struct walk w;
	int err = walk_path(&w, dirfd, name, flags);

	if (err)
		return err;
	*out = w.path;
	walk_end(&w);
	return 0;
}

int path_lookup_user(int dirfd, const char __user *user, u32 flags, struct path *out)
{
	struct filename fn;
	int err = getname(&fn, user, flags & LOOKUP_EMPTY);

	if (err)
		return err;
	err = path_lookup(dirfd, fn.name, flags, out);
	putname(&fn);
	return err;
}
