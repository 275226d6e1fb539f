/* Descriptor tables: small numbers to open files.
 *
 * The array of slots and its two bitmaps (open, close-on-exec) are changed under table->lock; a larger array replaces the old one,
 * which is freed after a grace period.  While one task alone holds the table, its calls borrow files without a reference
 * (fdref_get): nobody else can close them.  When the table is shared, a lookup runs under RCU: read the slot, take a reference
 * unless it is zero, and look whether the slot still holds the same file; the file's memory outlasts the read side because whoever
 * empties a slot of a shared table marks the file FILE_RCU before it drops its reference.
 *
 * A slot may be reserved (bit set, pointer NULL) while its file is being opened: lookups see EBADF, dup2 onto it EBUSY. */
#include <fs/dnotify.h>
#include <fs/file.h>
#include <syscall_protos.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

static inline bool bit_get(const u64 *map, u32 i) { return map[i / 64] >> (i % 64) & 1; }
static inline void bit_set(u64 *map, u32 i) { map[i / 64] |= 1ull << (i % 64); }
static inline void bit_clear(u64 *map, u32 i) { map[i / 64] &= ~(1ull << (i % 64)); }

static struct fdtable *table_alloc(void)
{
	struct fdtable *t = kmalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	refcount_set(&t->refs, 1);
	spin_lock_init(&t->lock, LC_FDTABLE);
	t->first.size = FD_INLINE;
	t->first.files = t->files0;
	t->first.open = &t->open0;
	t->first.cloexec = &t->cloexec0;
	t->arr = &t->first;
	return t;
}

static struct fdarray *array_alloc(u32 size)
{
	size_t words = size / 64;
	struct fdarray *a = kvmalloc(sizeof(*a) + size * sizeof(void *) + 2 * words * 8, GFP_KERNEL);

	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a) + size * sizeof(void *) + 2 * words * 8);
	a->size = size;
	a->files = (struct file **)(a + 1);
	a->open = (u64 *)(a->files + size);
	a->cloexec = a->open + words;
	return a;
}

static void array_free_rcu(struct rcu_head *head) { kvfree(container_of(head, struct fdarray, rcu)); }
static void table_free_rcu(struct rcu_head *head) { kfree(container_of(head, struct fdtable, rcu)); }

static void array_copy(struct fdarray *to, const struct fdarray *from)
{
	memcpy(to->files, from->files, from->size * sizeof(void *));
	memcpy(to->open, from->open, from->size / 8);
	memcpy(to->cloexec, from->cloexec, from->size / 8);
	to->full_hint = from->full_hint;
}

/* Make room for descriptor fd.  table->lock held; dropped while memory is got, so the caller looks again.  0 or -errno. */
static int grow(struct fdtable *t, u32 fd)
{
	struct fdarray *old = t->arr, *a;
	u32 size = old->size;

	while (size <= fd)
		size *= 2;
	spin_unlock(&t->lock);
	a = fd >= nr_open_max ? NULL : array_alloc(size);
	spin_lock(&t->lock);
	if (!a)
		return fd >= nr_open_max ? -EMFILE : -ENOMEM;
	if (t->arr->size >= size) {
		kvfree(a);
		return 0;
	}
	old = t->arr;
	array_copy(a, old);
	rcu_assign_pointer(t->arr, a);
	if (old != &t->first)
		call_rcu(&old->rcu, array_free_rcu);
	return 0;
}

/* The lowest free descriptor at or above min; may be a->size. */
static u32 find_free(const struct fdarray *a, u32 min)
{
	u32 i = min > a->full_hint ? min : a->full_hint;

	for (; i < a->size; i = (i | 63) + 1) {
		u64 free = ~a->open[i / 64] & (~0ull << (i % 64));

		if (free)
			return (i & ~63u) + (u32)__builtin_ctzll(free);
	}
	return i;
}

int fd_reserve(u32 min, u32 o_flags)
{
	struct fdtable *t = current->files;
	u64 limit = rlimit(RLIMIT_NOFILE);
	u32 fd;
	int err;

	spin_lock(&t->lock);
	for (;;) {
		fd = find_free(t->arr, min);
		if (unlikely(fd >= limit)) {
			err = -EMFILE;
			break;
		}
		if (likely(fd < t->arr->size)) {
			bit_set(t->arr->open, fd);
			if (o_flags & O_CLOEXEC)
				bit_set(t->arr->cloexec, fd);
			else
				bit_clear(t->arr->cloexec, fd);
			if (min <= t->arr->full_hint)
				t->arr->full_hint = fd + 1;
			err = (int)fd;
			break;
		}
		err = grow(t, fd);
		if (err)
			break;
	}
	spin_unlock(&t->lock);
	return err;
}

static inline void slot_free(struct fdarray *a, u32 fd)
{
	bit_clear(a->open, fd);
	bit_clear(a->cloexec, fd);
	if (fd < a->full_hint)
		a->full_hint = fd;
}

void fd_install(int fd, struct file *f)
{
	struct fdtable *t = current->files;

	spin_lock(&t->lock);
	rcu_assign_pointer(t->arr->files[fd], f);
	spin_unlock(&t->lock);
}

void fd_cancel(int fd)
{
	struct fdtable *t = current->files;

	spin_lock(&t->lock);
	slot_free(t->arr, (u32)fd);
	spin_unlock(&t->lock);
}

int fd_install_new(struct file *f, u32 o_flags)
{
	int fd = fd_reserve(0, o_flags);

	if (fd >= 0)
		fd_install(fd, f);
	return fd;
}

static struct file *table_lookup(struct fdtable *t, int fd)
{
	struct file *f;

	rcu_read_lock();
	for (;;) {
		struct fdarray *a = rcu_dereference(t->arr);

		if ((u32)fd >= a->size) {
			f = NULL;
			break;
		}
		f = rcu_dereference(a->files[fd]);
		if (!f)
			break;
		if (!refcount_inc_not_zero(&f->refs))
			continue;
		if (likely(rcu_dereference(a->files[fd]) == f && rcu_dereference(t->arr) == a))
			break;
		file_put(f);
	}
	rcu_read_unlock();
	return f;
}

struct file *fd_get_any(int fd) { return table_lookup(current->files, fd); }

struct file *fd_get(int fd)
{
	struct file *f = fd_get_any(fd);

	if (f && (f->mode & FMODE_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

struct file *fdtable_file(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);	/* the owner may think the table private: not by RCU */
	if ((u32)fd < t->arr->size && (f = t->arr->files[fd]))
		file_get(f);
	spin_unlock(&t->lock);
	return f;
}

int fdtable_next(struct fdtable *t, int fd)
{
	int res = -1;

	spin_lock(&t->lock);
	for (u32 i = (u32)fd; i < t->arr->size; i++)
		if (t->arr->files[i]) {
			res = (int)i;
			break;
		}
	spin_unlock(&t->lock);
	return res;
}

struct fdtable *fdtable_get_task(struct task *task)
{
	struct fdtable *t;

	rcu_read_lock();
	t = READ_ONCE(task->files);
	if (t && !refcount_inc_not_zero(&t->refs))
		t = NULL;
	rcu_read_unlock();
	return t;
}

/* A descriptor is gone from table t: what close() does with the file. */
static int close_file(struct fdtable *t, struct file *f)
{
	int err = 0;

	if (f->inode && f->inode->locks)
		locks_close(f, t);
	if (unlikely(atomic_load(&f->marks) & FILE_DNOTIFY))	/* after the slot is empty: see fs/dnotify.c */
		dnotify_close(f, t);
	if (f->ops && f->ops->flush && !(f->mode & FMODE_PATH))
		err = f->ops->flush(f);
	file_put_now(f);
	return err;
}

static struct file *slot_take(struct fdtable *t, u32 fd)
{
	struct file *f = t->arr->files[fd];

	if (f) {
		if (unlikely(!fdtable_private(t)))
			atomic_fetch_or(&f->marks, FILE_RCU);
		atomic_store(&t->arr->files[fd], NULL);
		slot_free(t->arr, fd);
	}
	return f;
}

int fd_close(int fd)
{
	struct fdtable *t = current->files;
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (likely((u32)fd < t->arr->size))
		f = slot_take(t, (u32)fd);
	spin_unlock(&t->lock);
	return likely(f) ? close_file(t, f) : -EBADF;
}

struct fdtable *fdtable_create(void) { return table_alloc(); }

/* The number of slots that a copy needs: one past the highest open, rounded up. */
static u32 used_size(const struct fdarray *a)
{
	u32 i = a->size / 64;

	while (i > 1 && !a->open[i - 1])
		i--;
	return i * 64;
}

int fdtable_clone(struct fdtable *old, struct fdtable **out)
{
	struct fdtable *t = table_alloc();
	struct fdarray *a, *o;
	u32 words;

	if (!t)
		return -ENOMEM;
	spin_lock(&old->lock);
	while (used_size(old->arr) > t->arr->size) {
		u32 size = used_size(old->arr);

		spin_unlock(&old->lock);
		if (t->arr != &t->first)
			kvfree(t->arr);
		a = array_alloc(size);
		if (!a) {
			kfree(t);
			return -ENOMEM;
		}
		t->arr = a;
		spin_lock(&old->lock);
	}
	o = old->arr;
	a = t->arr;
	words = used_size(o) / 64;
	for (u32 w = 0; w < words; w++) {
		u64 bits = o->open[w];

		a->cloexec[w] = o->cloexec[w];
		a->open[w] = bits;
		while (bits) {
			u32 fd = w * 64 + (u32)__builtin_ctzll(bits);

			bits &= bits - 1;
			if (o->files[fd]) {
				file_get(o->files[fd]);
				a->files[fd] = o->files[fd];
			} else {
				slot_free(a, fd);	/* only reserved there */
			}
		}
	}
	a->full_hint = 0;
	spin_unlock(&old->lock);
	*out = t;
	return 0;
}

void fdtable_get(struct fdtable *t) { refcount_inc(&t->refs); }

void fdtable_put(struct fdtable *t)
{
	struct fdarray *a;

	if (!t || !refcount_dec_and_test(&t->refs))
		return;
	a = t->arr;
	for (u32 w = 0; w < a->size / 64; w++)
		for (u64 bits = a->open[w]; bits; bits &= bits - 1) {
			struct file *f = a->files[w * 64 + (u32)__builtin_ctzll(bits)];

			if (f)
				close_file(t, f);
		}
	if (a != &t->first)
		kvfree(a);
	call_rcu(&t->rcu, table_free_rcu);
}

int fdtable_unshare(void)
{
	struct fdtable *old = current->files, *t;
	int err;

	if (fdtable_private(old))
		return 0;
	err = fdtable_clone(old, &t);
	if (err)
		return err;
	WRITE_ONCE(current->files, t);
	fdtable_put(old);
	return 0;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (u32 w = 0; w < t->arr->size / 64; w++) {
		u64 bits = t->arr->cloexec[w] & t->arr->open[w];

		while (bits) {
			u32 fd = w * 64 + (u32)__builtin_ctzll(bits);
			struct file *f;

			bits &= bits - 1;
			spin_lock(&t->lock);
			f = slot_take(t, fd);
			spin_unlock(&t->lock);
			if (f)
				close_file(t, f);
		}
	}
}

/* --- calls --- */

long sys_close(int fd) { return fd_close(fd); }

static long dup_from(struct file *f, u32 min, u32 o_flags)
{
	int fd = fd_reserve(min, o_flags);

	if (fd < 0)
		return fd;
	file_get(f);
	fd_install(fd, f);
	return fd;
}

long sys_dup(int old)
{
	u32 ref;
	struct file *f = fdref_get_any(old, &ref);
	long ret;

	if (!f)
		return -EBADF;
	ret = dup_from(f, 0, 0);
	fdref_put(f, ref);
	return ret;
}

long fd_dup_min(struct file *f, u64 min, u32 o_flags)
{
	if (min >= rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	return dup_from(f, (u32)min, o_flags);
}

/* Put f (a reference of the caller's, consumed) at fd, closing what was there. */
static long install_at(struct fdtable *t, u32 fd, struct file *f, u32 o_flags)
{
	struct file *was;
	int err = 0;

	spin_lock(&t->lock);
	while (!err && fd >= t->arr->size)
		err = grow(t, fd);
	if (!err && !t->arr->files[fd] && bit_get(t->arr->open, fd))
		err = -EBUSY;	/* reserved by an open in progress */
	if (err) {
		spin_unlock(&t->lock);
		file_put(f);
		return err;
	}
	was = slot_take(t, fd);
	bit_set(t->arr->open, fd);
	if (o_flags & O_CLOEXEC)
		bit_set(t->arr->cloexec, fd);
	rcu_assign_pointer(t->arr->files[fd], f);
	spin_unlock(&t->lock);
	if (was)
		close_file(t, was);
	return (long)fd;
}

long fd_install_at(u32 fd, struct file *f, u32 o_flags)
{
	if (fd >= rlimit(RLIMIT_NOFILE)) {
		file_put(f);
		return -EBADF;
	}
	return install_at(current->files, fd, f, o_flags);
}

long sys_dup3(int old, int newfd, u32 flags)
{
	struct fdtable *t = current->files;
	u32 new = (u32)newfd;
	struct file *f;

	if (flags & ~(u32)O_CLOEXEC)
		return -EINVAL;
	if (old == newfd)
		return -EINVAL;
	if (new >= rlimit(RLIMIT_NOFILE))
		return -EBADF;
	f = fd_get_any(old);
	if (!f)
		return -EBADF;
	return install_at(t, new, f, flags);
}

static void range_cloexec(struct fdtable *t, u32 first, u32 last)
{
	spin_lock(&t->lock);
	for (u32 fd = first; fd <= last && fd < t->arr->size; fd++)
		if (bit_get(t->arr->open, fd))
			bit_set(t->arr->cloexec, fd);
	spin_unlock(&t->lock);
}

long sys_close_range(u32 first, u32 last, u32 flags)
{
	struct fdtable *t;
	int err;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		err = fdtable_unshare();
		if (err)
			return err;
	}
	t = current->files;
	if (flags & CLOSE_RANGE_CLOEXEC) {
		range_cloexec(t, first, last);
		return 0;
	}
	for (u32 fd = first; fd <= last && fd < READ_ONCE(t->arr)->size; fd++)
		if (READ_ONCE(t->arr)->files[fd])
			fd_close((int)fd);
	return 0;
}

/* fcntl's F_GETFD, F_SETFD */
int fd_get_cloexec(u32 fd)
{
	struct fdtable *t = current->files;
	int v;

	spin_lock(&t->lock);
	v = fd < t->arr->size && t->arr->files[fd] ? bit_get(t->arr->cloexec, fd) : -EBADF;
	spin_unlock(&t->lock);
	return v;
}

int fd_set_cloexec(u32 fd, bool on)
{
	struct fdtable *t = current->files;
	int err = -EBADF;

	spin_lock(&t->lock);
	if (fd < t->arr->size && t->arr->files[fd]) {
		if (on)
			bit_set(t->arr->cloexec, fd);
		else
			bit_clear(t->arr->cloexec, fd);
		err = 0;
	}
	spin_unlock(&t->lock);
	return err;
}
