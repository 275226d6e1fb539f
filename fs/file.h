/* Open files and descriptors: what the file calls use among themselves. */
#pragma once
#include <fs/notify.h>
#include <fs/vfs.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/task.h>

#define FD_INLINE	64		/* slots that need no memory of their own: one word of bitmap */

struct fdarray {
	u32 size;			/* [I] slots, a multiple of 64 */
	u32 full_hint;			/* [t] no free slot below this one */
	struct file **files;		/* [t,R] */
	u64 *open, *cloexec;		/* [t] bitmaps */
	struct rcu_head rcu;
};

struct fdtable {
	struct refcount refs;		/* tasks that share it, and /proc readers for a moment */
	struct spinlock lock;		/* LC_FDTABLE */
	struct fdarray *arr;		/* [t,R] &first or larger */
	struct fdarray first;
	u64 open0, cloexec0;
	struct rcu_head rcu;
	struct file *files0[FD_INLINE];
};

/* A borrowed descriptor: no reference is taken while the table is nobody else's. */
enum { FDREF_PUT = 1, FDREF_POS = 2 };
static inline bool fdtable_private(const struct fdtable *t) { return refcount_read(&t->refs) == 1; }
static inline struct file *fdref_get_any(int fd, u32 *ref)
{
	struct fdtable *t = current->files;
	struct fdarray *a;

	if (unlikely(!fdtable_private(t))) {
		*ref = FDREF_PUT;
		return fd_get_any(fd);
	}
	*ref = 0;
	a = t->arr;
	return likely((u32)fd < a->size) ? a->files[fd] : NULL;
}
/* fdref_get - NULL: EBADF (O_PATH refused too). */
static inline struct file *fdref_get(int fd, u32 *ref)
{
	struct file *f = fdref_get_any(fd, ref);

	if (unlikely(f && (f->mode & FMODE_PATH))) {
		if (*ref)
			file_put(f);
		return NULL;
	}
	return f;
}
static inline void fdref_put(struct file *f, u32 ref)
{
	if (unlikely(ref)) {
		if (ref & FDREF_POS)
			mutex_unlock(&f->pos_lock);
		if (ref & FDREF_PUT)
			file_put(f);
	}
}
/* fdref_get_pos - also holds the position's lock, if anybody else could move it.  O_PATH is not refused: it has neither FMODE_READ
 * nor FMODE_WRITE, which the caller looks for. */
static inline struct file *fdref_get_pos(int fd, u32 *ref)
{
	struct file *f = fdref_get_any(fd, ref);

	if (f && !(f->mode & (FMODE_STREAM | FMODE_PATH)) && unlikely(*ref || refcount_read(&f->refs) > 1)) {
		mutex_lock(&f->pos_lock);
		*ref |= FDREF_POS;
	}
	return f;
}

/* file_alloc - zeroed, refs 1, with current's credentials.  -ENFILE, -ENOMEM. */
int __must_check file_alloc(struct file **out);
/* file_release - the last reference is gone, and the caller holds no lock: close now. */
void file_release(struct file *f);
/* file_put_now - as file_put, from contexts without locks (system calls): closes at once. */
static inline void file_put_now(struct file *f)
{
	if (refcount_dec_and_test(&f->refs))
		file_release(f);
}
/* file_open_inode - attach inode's operations and open: f->path is set and referenced; on error the caller puts f. */
int file_open_inode(struct file *f, struct inode *inode, u32 o_flags);
/* anon_file_on - a file on an inode without a name: its reference is consumed on success. mode: FMODE_* beside those of o_flags. */
int anon_file_on(const char *name, struct inode *inode, const struct file_ops *ops, void *private, u32 o_flags, struct file **out);
struct super *anon_super(void);	/* where such inodes belong */
/* fdtable_get_task - another task's table, referenced, or NULL. */
struct fdtable *fdtable_get_task(struct task *t);
/* fd_reserve / fd_install / fd_cancel - the lowest free descriptor, filled or given back later. */
int fd_reserve(u32 min, u32 o_flags);
void fd_install(int fd, struct file *f);
void fd_cancel(int fd);
/* fd_install_at - f becomes descriptor fd, whatever that was; consumes the reference.  fd, -EBADF (beyond RLIMIT_NOFILE), -EBUSY (an open is about to
 * use it), -ENOMEM.  Context: thread. */
long fd_install_at(u32 fd, struct file *f, u32 o_flags);
struct file *fdtable_file(struct fdtable *t, int fd);	/* another task's: referenced, or NULL */
/* fdtable_next - smallest open descriptor >= fd, or -1 (for /proc/pid/fd) */
int fdtable_next(struct fdtable *t, int fd);
long fd_dup_min(struct file *f, u64 min, u32 o_flags);	/* F_DUPFD */
int fd_get_cloexec(u32 fd), fd_set_cloexec(u32 fd, bool on);
u64 files_nr(void);
extern u64 files_max, nr_open_max;
void file_cache_init(void);
/* fs/locks.c */
void locks_close(struct file *f, struct fdtable *owner);	/* each close: POSIX locks of the process on this inode */
void locks_release(struct file *f);				/* last: flock and OFD */
/* fs/epoll.c */
void epoll_file_gone(struct file *f);
/* fs/read_write.c: shared with splice-like callers */
void file_accessed(struct file *f);
ssize_t file_no_read(const struct file *f);	/* the errno of reading what has no read operation */
static inline ssize_t file_read_iter(struct file *f, struct iov_iter *to, u64 *pos)
{
	ssize_t n;

	if (unlikely(!f->ops->read))
		return file_no_read(f);
	n = f->ops->read(f, to, pos);
	current->io.syscr++;
	TRACE(vfs_read, f->inode->ino, *pos, (u64)n);
	if ((f->mode & FMODE_ATIME) && n >= 0)
		file_accessed(f);
	if (n > 0) {
		current->io.rchar += (u64)n;
		notify_file(f, IN_ACCESS);
	}
	return n;
}
static inline ssize_t file_write_iter(struct file *f, struct iov_iter *from, u64 *pos)
{
	ssize_t n = likely(f->ops->write) ? f->ops->write(f, from, pos) : -EINVAL;

	TRACE(vfs_write, f->inode->ino, *pos, (u64)n);
	current->io.syscw++;
	if (n > 0) {
		current->io.wchar += (u64)n;
		notify_file(f, IN_MODIFY);
	}
	return n;
}
s64 generic_seek(struct file *f, s64 off, int whence);
s64 noop_seek(struct file *f, s64 off, int whence);	/* allowed, and does nothing */
ssize_t generic_file_write(struct file *f, struct iov_iter *from, u64 *pos);	/* locks, limits, O_APPEND, then filemap_write */
/* generic_write_checks - O_APPEND, RLIMIT_FSIZE, the file system's limit: 0, or -EFBIG; the count may become less.  inode lock held.
 * file_write_sync - after a write of n > 0 bytes that ended at end: wait until they last, if f was opened for that or the call asks for
 * it; n or the error. */
ssize_t generic_write_checks(struct file *f, struct iov_iter *from, u64 *pos);
ssize_t file_write_sync(struct file *f, const struct iov_iter *from, u64 end, ssize_t n);
/* pipes */
struct pipe;
extern const struct file_ops pipe_fops;
