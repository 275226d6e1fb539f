/* The VFS's four nouns: inode (numbers and data), dentry (names), file (positions), mount (places); and their superblock.
 *
 * Keys: [I] immutable, [a] atomic, [i] inode->lock (rwsem, LC_DIR_INODE or LC_FILE_INODE), [s] inode->spin, [d] dentry->lock (fs/dcache.c),
 * [p] the parent's, [l] the LRU's lock, [R] read under RCU, [h] hash chain lock. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/refcount.h>
#include <kernel/lib/types.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/rwsem.h>
#include <kernel/sync/seqcount.h>
#include <kernel/task.h>
#include <kernel/spread_ref.h>
#include <mm/filemap.h>
#include <mm/readahead.h>

struct inode;
struct dentry;
struct file;
struct mount;
struct mount_group;
struct mount_ns;
struct super;
struct vma;
struct cred;
struct kstat;
struct kstatfs;
struct xattr_names;
struct write_gate;
struct handle_ops;
struct acl;
struct inode_acls;
struct poll_table;
struct dir_context;
struct file_lock;
struct iov_iter;
struct iattr;
struct wait_queue;

typedef u32 dev_t_k;	/* Linux's kernel encoding: major << 20 | minor */
#define MKDEV_K(ma, mi)	(((u32)(ma) << 20) | (u32)(mi))
#define DEV_MAJOR(d)	((d) >> 20)
#define DEV_MINOR(d)	((d) & 0xfffff)

struct timespec_k { s64 sec; u32 nsec; };

struct path { struct mount *mnt; struct dentry *dentry; };

struct inode_ops {
	/* lookup - find name in dir; *out is a referenced inode; -ENOENT if absent.  dir lock held (any mode). */
	int (*lookup)(struct inode *dir, const char *name, u32 len, struct inode **out);
	/* the following: dir lock(s) held for writing; d is the negative dentry to fill (create kinds set *out). */
	int (*create)(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out); /* regular, fifo, socket, device */
	int (*mkdir)(struct inode *dir, const char *name, u32 len, u32 mode, struct inode **out);
	int (*symlink)(struct inode *dir, const char *name, u32 len, const char *target, struct inode **out);
	int (*link)(struct inode *dir, const char *name, u32 len, struct inode *inode);
	int (*unlink)(struct inode *dir, const char *name, u32 len, struct inode *inode);
	int (*rmdir)(struct inode *dir, const char *name, u32 len, struct inode *inode);
	/* rename - flags: RENAME_NOREPLACE is checked by the caller; RENAME_EXCHANGE passed. target may be NULL. */
	int (*rename)(struct inode *odir, const char *oname, u32 olen, struct inode *inode,
		      struct inode *ndir, const char *nname, u32 nlen, struct inode *target, u32 flags);
	int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out);
	/* readlink - NUL-terminated target kept alive while the inode is referenced; or fills buf (PATH_MAX) when dynamic. */
	int (*readlink)(struct inode *inode, char *buf, size_t size);	/* length or -errno */
	/* get_link - magic links (/proc/pid/fd): jump to path directly (referenced). Optional. */
	int (*get_link)(struct inode *inode, struct path *out);
	int (*setattr)(struct inode *inode, const struct iattr *attr);	/* NULL: the generic one. inode lock held for writing */
	int (*getattr)(struct inode *inode, struct kstat *st);		/* NULL: generic */
	/* set_acl - keep it (NULL: none) where the inode is read from; NULL: it need not be kept.  inode lock held for writing.  fs/posix_acl.h */
	int (*set_acl)(struct inode *inode, u32 kind, const struct acl *acl);
	/* Extended attributes, inode lock held (get, list: any mode).  NULL: not supported.  Lengths and errors as fs/xattr.h says;
	 * -EOPNOTSUPP for a kind of name that the filesystem cannot keep. */
	ssize_t (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
	int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size, u32 flags);
	void (*listxattr)(struct inode *inode, struct xattr_names *names);
	/* get_flags, set_flags - FS_*_FL of a regular file or directory (fs/fileattr.c); NULL: it has none.  inode lock held for writing to set;
	 * -EOPNOTSUPP for one that cannot be set there. */
	u32 (*get_flags)(struct inode *inode);
	int (*set_flags)(struct inode *inode, u32 flags);
	/* revalidate - of the directory, for a child (negative too): RCU-safe; false: the dentry is stale (procfs) */
	bool (*revalidate)(struct dentry *d);
};

struct seq;
struct file_ops {
	int (*open)(struct inode *inode, struct file *file);
	void (*release)(struct file *file);			/* last put */
	int (*flush)(struct file *file);			/* each close */
	ssize_t (*read)(struct file *file, struct iov_iter *to, u64 *pos);
	ssize_t (*write)(struct file *file, struct iov_iter *from, u64 *pos);
	s64 (*seek)(struct file *file, s64 off, int whence);	/* NULL: generic_seek, -ESPIPE if FMODE_STREAM */
	int (*readdir)(struct file *file, struct dir_context *ctx);
	u32 (*poll)(struct file *file, struct poll_table *pt);	/* NULL: always readable, writable */
	long (*ioctl)(struct file *file, u32 cmd, u64 arg);
	int (*mmap)(struct file *file, struct vma *vma);
	int (*fsync)(struct file *file, u64 start, u64 end, bool datasync);
	int (*fallocate)(struct file *file, u32 mode, u64 off, u64 len);
	int (*check_flags)(u32 flags);
	void (*show_fdinfo)(struct seq *s, struct file *file);	/* what /proc/pid/fdinfo says beside the usual; or NULL */
	int (*names_process)(struct file *file, struct process **out);	/* a directory of /proc: whose, referenced; -ESRCH.  Others: NULL */
	void (*async_changed)(struct file *file, int fd, bool owner);	/* FASYNC through fd, or (owner) whom SIGIO is for and which signal; or NULL */
};

struct super_ops {
	struct inode *(*alloc_inode)(struct super *sb);		/* NULL: plain struct inode */
	void (*free_inode)(struct inode *inode);		/* after RCU */
	void (*evict)(struct inode *inode);			/* nlink 0 and last reference, or unmount: drop its data */
	int (*statfs)(struct super *sb, struct kstatfs *st);
	int (*write_inode)(struct inode *inode, bool wait);	/* its numbers, to where fsync finds them durable after a flush; thread, may sleep */
	int (*sync)(struct super *sb, bool wait);
	int (*remount)(struct super *sb, u32 flags, const char *opts);
	int (*freeze)(struct super *sb), (*thaw)(struct super *sb);	/* all is written and nobody in; NULL: it cannot be frozen */
	void (*put_super)(struct super *sb);
	int (*show_options)(struct super *sb, char *buf, size_t len);
};

struct iattr { u32 valid; u32 mode; u32 uid, gid; u64 size; struct timespec_k atime, mtime, ctime; };
enum { ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8, ATTR_ATIME = 16, ATTR_MTIME = 32, ATTR_CTIME = 64,
       ATTR_KILL_CAPS = 128 /* the file's capabilities go; never seen by a filesystem */ };

struct inode {
	u64 ino;			/* [I] */
	u32 mode;			/* [i] for writing, as the next two; read without it by permission checks, which go by it as it was a moment ago */
	u32 uid, gid;			/* [i] */
	u32 nlink;			/* [i] */
	u32 flags;			/* [s] for writing once others see the inode; INODE_* */
	dev_t_k rdev;			/* [I] */
	struct refcount refs;
	u64 size;			/* [i] for writing, read atomically */
	u64 blocks;			/* [s] 512-byte units */
	struct timespec_k atime, mtime, ctime, btime;	/* [s]; btime [I], zero: not known */
	struct seqcount times_seq;			/* [s] moves with them: stat takes no lock */
	u64 version;
	struct super *sb;		/* [I] */
	const struct inode_ops *ops;	/* [I] */
	const struct file_ops *fops;	/* [I] */
	struct rwsem lock;		/* LC_DIR_INODE for directories, LC_FILE_INODE else */
	struct spinlock spin;		/* LC_INODE_SPIN */
	struct address_space *mapping;	/* &data, or another's (block device) */
	struct address_space data;
	struct hlist_node hash;		/* [h] by (sb, ino), for filesystems that use the inode hash: fs/inode_hash.c */
	u32 state;			/* [a] the same: being filled, or gone */
	struct list_head sb_link;	/* [sb->mounts_lock] */
	const char *link;		/* [I] symlink target kept in memory, or NULL: ask ops->readlink */
	struct file_locks *locks;	/* [a] set once; fs/locks.c */
	struct inode_acls *acls;	/* [a] set once; fs/inode_acl.c */
	struct hlist_head watches;	/* [R] fs/notify.c */
	struct list_head dirty_link;	/* [writer's lock] mm/writeback.c */
	u64 dirtied_ns;			/* [writer's lock] since when it has been on that list */
	u32 dirty;			/* [writer's lock, read racily] enum inode_dirty */
	u32 wb_seq;			/* [writer's lock] the sync that has seen to it */
	void *private;			/* the filesystem's, or pipe */
	s32 writers;			/* [a] >0 open for write; <0 being executed (ETXTBSY) */
	struct rcu_head rcu;
};

struct dentry {
	struct hlist_node hash;		/* [h,R] */
	struct dentry *parent;		/* [d,R] referenced; itself for a root */
	u32 hashval, name_len;		/* [d,R] */
	const char *name;		/* [d,R] NUL-terminated; inline or allocated */
	struct inode *inode;		/* [d,R] NULL: negative; referenced */
	s32 refs;			/* [a] users; 0: cached only; negative: dead */
	struct seqcount seq;		/* changes on rename, unhash and change of inode */
	u32 flags;			/* [a] DENTRY_* */
	struct super *sb;		/* [I] */
	struct list_head child, children;	/* [p], [d] */
	struct list_head lru;		/* [l] */
	struct spinlock lock;		/* LC_DENTRY */
	struct rcu_head rcu;
	char inline_name[40];
};
enum { DENTRY_MOUNTED = 1, DENTRY_UNHASHED = 2, DENTRY_LRU = 4, DENTRY_REFERENCED = 8, DENTRY_DISCONNECTED = 16,
       DENTRY_REVALIDATE = 32 /* ask the directory's ops before believing it */, DENTRY_ANON = 64 /* no place in the tree */,
       DENTRY_UNCACHED = 128 /* goes with its last user, and so does all below it */ };

struct super {
	const struct fs_type *type;	/* [I] */
	const struct super_ops *ops;	/* [I] */
	const struct handle_ops *handles;	/* [I] NULL: its files are not named by number; fs/handle.h */
	u32 flags;			/* [a] SB_*, MS_* */
	dev_t_k dev;			/* [I] st_dev */
	u32 block_size;
	u64 max_bytes;
	u64 magic;
	u64 attributes_mask;		/* [I] STATX_ATTR_* that its inodes have or have not */
	s64 time_min, time_max;		/* [I] seconds that fit; time_max 0: all */
	bool whole_seconds;		/* [I] times have no fraction (and time_max is set) */
	struct dentry *root;		/* [I] */
	struct mutex rename_mutex;	/* LC_RENAME */
	struct spinlock mounts_lock;	/* LC_INODE_HASH */
	struct list_head mounts;	/* [mounts_lock] all, those that were taken off and are still in use, too */
	u64 wb_err;			/* [a] mm/writeback.h: of all its files and metadata */
	u64 bdev_err;			/* of the device's, what super_sync has told */
	struct list_head watches;	/* of its inodes; fs/notify.c */
	u32 nr_watches;			/* [a] them, and those whose inode is still to be put */
	s32 nr_unlinked;		/* [a] inodes without a name that are still there; kept by filesystems on disks */
	struct refcount refs;		/* mounts */
	u32 dying;			/* [a] dentries that reclaim is killing */
	u64 next_ino;			/* [a] for memory filesystems */
	struct block_device *bdev;	/* [I] it lives on, or NULL */
	struct writer *writer;		/* [I] of its inodes, or NULL */
	struct write_gate *gate;	/* [I] before changes, or NULL: fs/write_gate.h */
	void *private;
	struct list_head link;
	char source[64];
};

enum { SB_RDONLY = 1 /* MS_RDONLY */, SB_POSIXACL = 1 << 16 /* MS_POSIXACL: its inodes' ACLs count */,
       SB_NOEXEC = 1 << 17 /* nothing in it is a program, however it is mounted */ };

struct mount {
	struct super *sb;		/* [I] */
	struct dentry *root;		/* [I] */
	struct mount *parent;		/* [mount_sem,R] NULL: the namespace's root */
	struct dentry *mountpoint;	/* [mount_sem,R] */
	struct hlist_node hash;		/* by (parent, mountpoint) */
	struct hlist_node place;	/* [mount_sem] by mountpoint */
	struct list_head child, children, link;	/* [mount_sem] of its parent, of itself, of the namespace */
	struct list_head of_sb;		/* [sb->mounts_lock] */
	struct mount_ns *ns;		/* [mount_sem] NULL: in no tree that anybody can walk to */
	u32 flags;			/* [a] MS_RDONLY, MS_NOSUID ... */
	s32 id;				/* [I] */
	s32 writers;			/* [a] files open for writing through it */
	struct mount_group *group;	/* [mount_sem] shared with these, or NULL */
	struct mount_group *master;	/* [mount_sem] not shared: receives from these, or NULL */
	struct list_head peer;		/* [mount_sem] in group->members or master->slaves */
	struct list_head work;		/* [mount_sem] what a change has gathered */
	struct mount *copy;		/* [mount_sem] while a tree is copied: this one's; while mounts are shown or hidden: whose place changes with it */
	bool unbindable;		/* [mount_sem] */
	bool going;			/* [mount_sem] while an umount looks for what goes along */
	bool fresh;			/* [mount_sem] shared by the change that is under way */
	struct spread_ref refs;		/* spread while it is in the tree */
	char *source;			/* /proc/mounts first field */
	struct path was;		/* taken off: the place, whose references are still held */
	struct rcu_head rcu;
};

enum fmode { FMODE_READ = 1, FMODE_WRITE = 2, FMODE_PATH = 4, FMODE_STREAM = 8 /* no position */, FMODE_EXEC = 16, FMODE_NOCACHE = 32,
	     FMODE_WRITER = 64 /* holds inode->writers */, FMODE_ATIME = 128 /* reads may move atime */,
	     FMODE_NOWAIT = 256 /* its operations know RWF_NOWAIT */, FMODE_DIRECT = 512 /* and O_DIRECT */,
	     FMODE_EXECED = 1024 /* holds deny-write */ };
enum file_marks { FILE_RCU = 1 /* was in a shared table: free it after a grace period */, FILE_LOCKS = 2 /* had record locks */,
		  FILE_DNOTIFY = 4 /* F_NOTIFY was asked for */, FILE_WATCHED = 8 /* was in an epoll */ };

struct file {
	struct refcount refs;
	u32 mode;			/* [I] FMODE_* */
	u32 flags;			/* [lock, read racily] O_* */
	u32 marks;			/* [a] FILE_* */
	const struct file_ops *ops;	/* [I] */
	struct path path;		/* [I] referenced */
	struct inode *inode;		/* [I] path.dentry->inode (or anonymous) */
	struct address_space *mapping;	/* [I] */
	u64 pos;			/* [pos_lock] */
	struct mutex pos_lock;		/* LC_FILE_POS, only when shared */
	struct spinlock lock;		/* LC_FILE_SPIN */
	const struct cred *cred;	/* [I] opener's */
	void *private;			/* the driver's */
	struct list_head epoll_links;	/* [lock] */
	u16 owner_sig, owner_type; s32 owner_pid;	/* F_SETSIG, F_SETOWN_EX: F_OWNER_*, negative for a group */
	union { u64 ra_state[2]; struct file_ra ra; };	/* a terminal's; files' [racy] mm/readahead.c */
	u64 wb_err;			/* [lock] of mapping->wb_err, what this one was told */
	u64 sb_err;			/* [lock] of sb->wb_err */
	struct task_work put_work;
	struct rcu_head rcu;
};

struct fs_type {
	const char *name;
	u32 flags;			/* FS_REQUIRES_DEV, FS_USERNS... */
	/* mount - make or find a superblock with its root dentry. 0 or -errno */
	int (*mount)(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out);
};
enum { FS_REQUIRES_DEV = 1 };
#define FILESYSTEM(ident, ...) static const struct fs_type __fs_##ident __used __aligned(8) __section(".filesystems") = { .name = #ident, __VA_ARGS__ }
extern const struct fs_type __filesystems_start[], __filesystems_end[];

/* struct iov_iter - where bytes come from or go to: user or kernel segments. */
struct iov_iter {
	u16 kernel;			/* segments are kernel addresses; else user ranges that were checked */
	u16 rwf;			/* RWF_* of this call, and ITER_ASYNC */
	u32 nr;
	const struct iov_seg { u64 base; size_t len; } *segs;
	size_t off;			/* within segs[0] */
	size_t count;			/* bytes left in all */
};
/* A read or write that need not be over when the operation returns: who supports that, and sees ITER_ASYNC in the iterator, which is then
 * part of one of these, may return -EIOCBQUEUED, and calls complete once, later, from any context; anybody else ignores the flag. */
struct kiocb { struct iov_iter it; void (*complete)(struct kiocb *k, long res); };
enum { ITER_ASYNC = 0x8000 };
static inline struct kiocb *iter_kiocb(struct iov_iter *it) { return it->rwf & ITER_ASYNC ? container_of(it, struct kiocb, it) : NULL; }
void iov_iter_kernel(struct iov_iter *it, struct iov_seg *seg, void *buf, size_t len);
/* iov_iter_user - over one user buffer, for which user_range_ok() was asked. */
static inline void iov_iter_user(struct iov_iter *it, struct iov_seg *seg, void __user *buf, size_t len)
{
	*seg = (struct iov_seg){ (u64)buf, len };
	*it = (struct iov_iter){ .kernel = false, .nr = 1, .segs = seg, .off = 0, .count = len };
}
/* copy_to_iter/copy_from_iter - bytes copied (short on a fault), advancing. */
size_t copy_to_iter(const void *from, size_t len, struct iov_iter *to);
size_t copy_from_iter(void *to, size_t len, struct iov_iter *from);
void iov_iter_next(struct iov_iter *it);		/* to the segment that holds off */
static inline void iov_iter_advance(struct iov_iter *it, size_t len)
{
	it->count -= len;
	it->off += len;
	if (unlikely(it->nr > 1))
		iov_iter_next(it);
}

struct dir_context {
	u64 pos;
	/* emit - false: stop, no room. type: DT_* */
	bool (*emit)(struct dir_context *ctx, const char *name, u32 len, u64 ino, u32 type, u64 next_pos);
};

struct kstat { u64 ino, size, blocks; u32 mode, nlink, uid, gid; dev_t_k dev, rdev; u32 blksize;
	struct timespec_k atime, mtime, ctime, btime; u32 result_mask; u32 flags /* INODE_* */; u64 attributes_mask; u64 mnt_id; bool mount_root; };
struct kstatfs { u64 type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags; };

/* Poll: a driver's poll calls poll_wait(pt, wq) for each queue it would be woken on, then returns its EPOLL* mask. */
struct poll_table { void (*queue)(struct poll_table *pt, struct file *file, struct wait_queue *wq); u32 events; };
static inline void poll_wait(struct poll_table *pt, struct file *file, struct wait_queue *wq)
{
	if (pt && pt->queue)
		pt->queue(pt, file, wq);
}

/* Files and descriptors (fs/file.h, fs/fdtable.h have the rest). */
static inline void file_get(struct file *f) { refcount_inc(&f->refs); }
void file_put(struct file *f);		/* last put is deferred to task work; any thread context */
struct file *fd_get(int fd);		/* referenced; NULL: EBADF (O_PATH refused) */
struct file *fd_get_any(int fd);	/* O_PATH allowed */
int fd_install_new(struct file *f, u32 o_flags);	/* new lowest descriptor (O_CLOEXEC honoured); consumes the reference on success; or -EMFILE */
int fd_close(int fd);
struct fdtable *fdtable_create(void);
int fdtable_clone(struct fdtable *old, struct fdtable **out);	/* fork */
void fdtable_get(struct fdtable *t), fdtable_put(struct fdtable *t);	/* last put closes all */
int fdtable_unshare(void);		/* exec: own copy if shared */
void fdtable_close_on_exec(struct fdtable *t);
/* fs_struct: cwd, root, umask.  Theory in fs_struct.c. */
struct fs_struct {
	struct refcount refs;
	struct spinlock lock;		/* LC_FS_STRUCT */
	struct seqcount seq;		/* of root and cwd */
	struct path root, cwd;		/* [lock, seq] */
	u32 umask;			/* [a] */
	u32 in_exec;			/* [lock] execs that rely on nobody else's sharing it */
	struct rcu_head rcu;
};
struct fs_struct *fs_struct_clone(struct fs_struct *old);	/* NULL if no memory */
void fs_struct_put(struct fs_struct *fs);			/* NULL is allowed; what fs_struct_clone() or a borrower took */
/* fs_struct_share - a reference for a task to be made.  0, -EAGAIN: a set-id program is being started on it.  Context: any, irqs on. */
int fs_struct_share(struct fs_struct *fs);
/* fs_struct_leave - t goes from its fs_struct to next (a reference is consumed), or NULL.  Context: thread; t is current, or not begun yet. */
void fs_struct_leave(struct task *t, struct fs_struct *next);
/* fs_struct_exec_begin - true: only threads of current's process have fs, and so it stays until fs_struct_exec_end().  Context: thread. */
bool fs_struct_exec_begin(struct fs_struct *fs);
void fs_struct_exec_end(struct fs_struct *fs);

/* vfs_open_path - open by kernel path string for kernel callers (init, exec): 0 and *out, or -errno. */
int vfs_open(const char *path, u32 flags, u32 mode, struct file **out);
/* vfs_open_at - open what is at p, whose references are taken over, as flags say: 0 and *out, or -errno. */
int vfs_open_at(const struct path *p, u32 flags, struct file **out);
/* vfs_open_exec - for exec: regular, executable, deny-write taken (ETXTBSY). dirfd/at_flags as execveat. put by exec_file_put. */
int vfs_open_exec(int dirfd, const char *path, u32 at_flags, struct file **out);
void vfs_exec_put(struct file *file);
ssize_t vfs_read_kernel(struct file *f, void *buf, size_t len, u64 *pos);
ssize_t vfs_write_kernel(struct file *f, const void *buf, size_t len, u64 *pos);
/* vfs_fsync_range - what fsync(2) does with bytes [start, end] (inclusive) of f.  Context: thread, may sleep; no locks. */
int vfs_fsync_range(struct file *f, u64 start, u64 end, bool datasync);
int vfs_mkdir(const char *path, u32 mode), vfs_mknod(const char *path, u32 mode, dev_t_k dev), vfs_symlink(const char *target, const char *path);
int vfs_unlink(const char *path);
int path_lookup(int dirfd, const char *name, u32 lookup_flags, struct path *out);
void path_get(const struct path *p), path_put(const struct path *p);
/* path_string - absolute path of p in buf (as seen from current's root); returns a pointer into buf or NULL if too long. "(deleted)" suffix. */
char *path_string(const struct path *p, char *buf, size_t size);
int inode_permission(struct inode *inode, u32 mask);	/* MAY_READ 4, MAY_WRITE 2, MAY_EXEC 1 */
struct inode *inode_create(struct super *sb);		/* new in-memory inode, refs 1, ino assigned; NULL */
void inode_get(struct inode *i), inode_put(struct inode *i);
/* anon_file_create - a file without a name (pipe, eventfd, epoll): name appears in /proc/pid/fd as "anon_inode:[name]" */
int anon_file_create(const char *name, const struct file_ops *ops, void *private, u32 o_flags, struct file **out);
struct timespec_k current_time_k(void);
void vfs_init(void);			/* caches, rootfs mounted, init_task's fs */
int initramfs_unpack(const void *data, size_t size);	/* fs/initramfs.c; gzip or plain, several in a row */

/* Character devices: one line a device.  fops->open gets the inode; devtmpfs shows the node. */
struct attr_group;
struct chardev {
	const char *name, *driver;	/* in /dev; in /proc/devices, NULL: the name */
	const char *misc;		/* in /proc/misc; NULL: the last part of the name */
	dev_t_k dev;
	u32 count, mode;
	const struct file_ops *fops;
	const char *class;		/* its class in /sys: "mem"; NULL: it is not there */
	const char *on;			/* the driver of the device-tree node that it is a part of; NULL: none */
	const struct attr_group *const *groups;	/* its own attributes, or NULL */
};
#define CHARDEV(ident, ...) static const struct chardev __chardev_##ident __used __aligned(8) __section(".chardevs") = { __VA_ARGS__ }
extern const struct chardev __chardevs_start[], __chardevs_end[];
int chardev_register(const struct chardev *cd);		/* at run time (ttys, pts); adds a devtmpfs node */

/* /proc files: one show function and one line, in the file that owns the data. */
struct seq;				/* fs/seq.h: seq_printf(seq, ...), seq_puts, seq_write */
struct proc_entry {
	const char *path;
	u32 mode;
	int (*show)(struct seq *s, void *arg);
	int (*write)(const char *buf, size_t len, void *arg);
	void *arg;
	const struct file_ops *fops;	/* of a file that is no text made by show; NULL */
};
#define PROC_FILE(ident, ...) static const struct proc_entry __proc_##ident __used __aligned(8) __section(".proc_files") = { __VA_ARGS__ }
extern const struct proc_entry __proc_files_start[], __proc_files_end[];
/* proc_add - such a file made at run time, for good: e and its path stay.  0 or -ENOMEM; a second of one name is refused with a warning.
 * Context: thread, from BOOT_INIT(late) on; one caller at a time. */
int proc_add(const struct proc_entry *e);
