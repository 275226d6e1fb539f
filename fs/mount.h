/* Mounts: which tree is seen where.  Theory in mount.c. */
#pragma once
#include <fs/vfs.h>
#include <fs/write_gate.h>
#include <kernel/errno.h>
#include <linux/mount.h>

struct seq;

extern struct seqcount mount_seq;	/* moves whenever the tree of mounts changes */
/* mount_find_rcu - what is mounted on (mnt, d), unreferenced, or NULL.  RCU read side; check mount_seq afterwards. */
struct mount *mount_find_rcu(const struct mount *mnt, const struct dentry *d);
static inline void mount_get(struct mount *m) { spread_ref_get(&m->refs); }
void mount_put(struct mount *m);
/* path_follow_down - move a referenced path to the top of whatever is mounted on it. */
void path_follow_down(struct path *p);
/* path_follow_up - from a mount's root to the place it is mounted on; false at the namespace's root.  RCU-less, referenced. */
bool path_follow_up(struct path *p);
/* path_noexec - no file there is run as a program. */
static inline bool path_noexec(const struct path *p) { return p->mnt->flags & MS_NOEXEC || p->mnt->sb->flags & SB_NOEXEC; }
/* mount_may_write - 0, or -EROFS if mount or superblock are read-only: for a look alone.
 * mount_write_begin - the same for who will change something: it stays so until mount_write_end, if the result is 0.  Context: thread; sleeps
 * while the filesystem is frozen, so no lock of a file may be held. */
static inline int mount_may_write(const struct mount *m)
{
	return unlikely((atomic_load(&m->flags) | atomic_load(&m->sb->flags)) & MS_RDONLY) ? -EROFS : 0;
}
static inline int mount_write_begin(const struct mount *m)
{
	struct write_gate *g = m->sb->gate;
	int err;

	if (unlikely(g != NULL))
		gate_enter(g, GATE_CALL);
	err = mount_may_write(m);
	if (unlikely(err && g))
		gate_leave(g, GATE_CALL);
	return err;
}
static inline void mount_write_end(const struct mount *m)
{
	if (unlikely(m->sb->gate != NULL))
		gate_leave(m->sb->gate, GATE_CALL);
}
struct mount *mount_kernel(struct super *sb);	/* a mount that no path leads to (anonymous files); NULL if no memory */
int mount_root_fs(const char *type, struct path *out);	/* boot: the namespace's root */
/* vfs_mount_kernel - mount type on a kernel path, for root= and tests. 0 or -errno */
int vfs_mount_kernel(const char *source, const char *path, const char *type, u64 flags, const char *opts);
/* /proc/<pid>/mounts, mountinfo: PROC_FILE show functions */
int mounts_show(struct seq *s, void *arg);
int mountinfo_show(struct seq *s, void *arg);
