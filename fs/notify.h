/* What happens to files, told to whoever watches them.  Theory in notify.c.
 *
 * Each hook costs one load and a branch while nobody in the system watches anything.  Masks are inotify's (IN_OPEN, ...); IN_ISDIR is added
 * where the inode is known.
 * Context of all hooks: thread, may sleep; the caller holds references on what it names, and no spin lock.  Locks of directories may be
 * held, and are where events of names must come in the order of the changes. */
#pragma once
#include <fs/dcache.h>
#include <fs/inode.h>
#include <linux/inotify.h>

extern u32 notify_watches;		/* [a] watches there are, in all */
static inline bool notify_on(void) { return unlikely(READ_ONCE(notify_watches) != 0); }

void notify_path_slow(const struct path *p, u32 mask, bool by_name);
void notify_inode_slow(struct inode *i, u32 mask);
void notify_name_slow(struct inode *dir, u32 mask, const char *name, u32 len, u32 cookie);
void notify_moved_slow(struct inode *odir, const struct qname *from, struct inode *ndir, const struct qname *to, struct inode *moved, struct inode *target);
void notify_gone_slow(struct inode *i);

/* notify_file - somebody did that to an open file: told to the watches of its directory, with the name, and to its own. */
static inline void notify_file(const struct file *f, u32 mask)
{
	if (notify_on())
		notify_path_slow(&f->path, mask, false);
}
/* notify_attr - the same of attributes, contents too, changed by name or descriptor: IN_EXCL_UNLINK has no say. */
static inline void notify_attr(const struct path *p, u32 mask)
{
	if (notify_on())
		notify_path_slow(p, mask, true);
}
/* notify_inode - to its own watches alone (a link more or less). */
static inline void notify_inode(struct inode *i, u32 mask)
{
	if (notify_on())
		notify_inode_slow(i, mask);
}
/* notify_name - IN_CREATE or IN_DELETE of a name in dir; child: what it names. */
static inline void notify_name(struct inode *dir, u32 mask, const char *name, u32 len, const struct inode *child)
{
	if (notify_on())
		notify_name_slow(dir, mask | (inode_is_dir(child) ? IN_ISDIR : 0), name, len, 0);
}
/* notify_moved - from and to with one cookie, a link less for what was replaced (target, or NULL), and to the moved itself. */
static inline void notify_moved(struct inode *odir, const struct qname *from, struct inode *ndir, const struct qname *to, struct inode *moved,
				struct inode *target)
{
	if (notify_on())
		notify_moved_slow(odir, from, ndir, to, moved, target);
}
/* notify_gone - a dentry lets go of its inode, which may have no link left: IN_DELETE_SELF and the end of its watches.  For dcache.c. */
static inline void notify_gone(struct inode *i)
{
	if (notify_on() && !READ_ONCE(i->nlink))
		notify_gone_slow(i);
}
/* notify_super_gone - its last mount is gone: IN_UNMOUNT and the end of all watches on it; on return none of them holds an inode. */
void notify_super_gone(struct super *sb);
