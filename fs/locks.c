/* Record locks (POSIX and open-file-description) and flock.
 *
 * An inode that was ever locked has a struct file_locks with one sorted list of ranges and one list of flocks, under a spin lock
 * (LC_FILE_LOCKS).  A lock's owner is the descriptor table (POSIX: the process), or the file (OFD, flock).  A request that conflicts
 * sleeps on the inode's queue and tries again whenever something is unlocked: fair enough, and nothing is handed over that the
 * sleeper may no longer want.
 *
 * Changing a range may split one lock in two, so two spare records are allocated before the spin lock is taken.
 *
 * Deadlock (POSIX only, as on Linux): each sleeper says for whom it waits, in a small table under one spin lock; before sleeping a
 * request follows the chain of "waits for", and a chain that leads back to itself is EDEADLK. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/locks.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

struct file_lock {
	struct list_head link;		/* [lock] sorted by start for records */
	const void *owner;		/* fdtable (POSIX) or file (OFD, flock) */
	struct file *file;		/* OFD and flock: whose last put releases it */
	u64 start, end;			/* inclusive */
	s32 pid;			/* -1: OFD */
	u8 type;			/* F_RDLCK, F_WRLCK */
};

struct file_locks {
	struct spinlock lock;		/* LC_FILE_LOCKS */
	struct list_head records, flocks;	/* [lock] */
	struct wait_queue wait;
	struct inode *inode;		/* [I] whose they are */
	struct list_head all;		/* [all_lock] */
};

/* A sleeper, and what it wants. */
struct waiter { struct list_head link; const void *owner, *for_owner; const struct file_locks *at; const struct file_lock *want; };

/* Every inode's locks, for /proc/locks.  all_lock < an inode's (1) < waiters_lock (2). */
static DEFINE_SPINLOCK(all_lock, LC_FILE_LOCKS);
static struct list_head all_locks = LIST_HEAD_INIT(all_locks);	/* [all_lock] */

static DEFINE_SPINLOCK(waiters_lock, LC_FILE_LOCKS);
static struct list_head waiters = LIST_HEAD_INIT(waiters);	/* [waiters_lock] */

static struct file_locks *locks_get(struct inode *i)
{
	struct file_locks *l = atomic_load_acquire(&i->locks);

	if (l)
		return l;
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return NULL;
	spin_lock_init(&l->lock, LC_FILE_LOCKS);
	list_init(&l->records);
	list_init(&l->flocks);
	wait_queue_init(&l->wait);
	l->inode = i;
	if (!atomic_cas(&i->locks, (struct file_locks *)NULL, l)) {
		kfree(l);
		return atomic_load_acquire(&i->locks);
	}
	spin_lock(&all_lock);
	list_add_tail(&l->all, &all_locks);
	spin_unlock(&all_lock);
	return l;
}

void file_locks_free(struct inode *i)
{
	spin_lock(&all_lock);
	list_del(&i->locks->all);
	spin_unlock(&all_lock);
	kfree(i->locks);	/* all files are gone, and with them the locks */
	i->locks = NULL;
}

static bool conflicts(const struct file_lock *a, const struct file_lock *want)
{
	return a->owner != want->owner && a->start <= want->end && want->start <= a->end &&
	       (a->type == F_WRLCK || want->type == F_WRLCK);
}

static struct file_lock *find_conflict(struct list_head *list, const struct file_lock *want)
{
	struct file_lock *l;

	list_for_each_entry(l, list, link)
		if (conflicts(l, want))
			return l;
	return NULL;
}

static void insert_sorted(struct list_head *list, struct file_lock *n)
{
	struct file_lock *l;

	list_for_each_entry(l, list, link)
		if (l->start > n->start)
			break;
	list_add_tail(&n->link, &l->link);
}

/* Give the owner's [start, end] the new type (F_UNLCK: none): cut what is there, then insert, then merge with equal neighbours.
 * spare[2] are used up as needed; what is left over, and what was replaced, is freed by the caller through `junk`. */
static void apply(struct list_head *list, const struct file_lock *want, struct file_lock *spare[2], struct list_head *junk)
{
	struct file_lock *l, *n, *add = NULL;

	if (want->type != F_UNLCK) {
		add = spare[0];
		spare[0] = NULL;
		*add = *want;
	}
	list_for_each_entry_safe(l, n, list, link) {
		if (l->owner != want->owner)
			continue;
		if (add && l->type == add->type) {	/* same kind: swallow what touches */
			if ((l->end == ~0ull || l->end + 1 >= add->start) && (add->end == ~0ull || add->end + 1 >= l->start)) {
				add->start = min(add->start, l->start);
				add->end = max(add->end, l->end);
				list_move(&l->link, junk);
			}
			continue;
		}
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->start < want->start && l->end > want->end) {	/* a hole in the middle */
			struct file_lock *tail = spare[1];

			spare[1] = NULL;
			*tail = *l;
			tail->start = want->end + 1;
			l->end = want->start - 1;
			insert_sorted(list, tail);
			break;
		}
		if (l->start < want->start)
			l->end = want->start - 1;
		else if (l->end > want->end)
			l->start = want->end + 1;
		else
			list_move(&l->link, junk);
	}
	if (add)
		insert_sorted(list, add);
}

static void free_junk(struct list_head *junk)
{
	while (!list_empty(junk)) {
		struct file_lock *l = list_first_entry(junk, struct file_lock, link);

		list_del(&l->link);
		kfree(l);
	}
}

/* Would waiting for `blocker` close a circle? */
static bool would_deadlock(const void *owner, const void *blocker)
{
	bool found = false, moved = true;
	u32 steps = 0;

	spin_lock_nested(&waiters_lock, 2);
	while (moved && !found && steps++ < 64) {
		struct waiter *w;

		moved = false;
		list_for_each_entry(w, &waiters, link)
			if (w->owner == blocker) {
				blocker = w->for_owner;
				found = blocker == owner;
				moved = true;
				break;
			}
	}
	spin_unlock(&waiters_lock);
	return found;
}

/* Under ls->lock: the request is about to sleep until the owner has unlocked something. */
static void waits_for(struct waiter *w, const struct file_locks *ls, const struct file_lock *want, const void *owner)
{
	*w = (struct waiter){ .owner = want->owner, .for_owner = owner, .at = ls, .want = want };
	spin_lock_nested(&waiters_lock, 2);
	list_add(&w->link, &waiters);
	spin_unlock(&waiters_lock);
}

static void waits_no_more(struct waiter *w)
{
	spin_lock(&waiters_lock);
	list_del(&w->link);
	spin_unlock(&waiters_lock);
}

/* One try. 0 done; 1 must wait, and *w is queued as waiting (posix) ; -errno */
static int try_record(struct file_locks *ls, const struct file_lock *want, struct file_lock *spare[2], struct list_head *junk,
		      struct waiter *w, bool wait)
{
	struct file_lock *c;
	int ret = 0;

	spin_lock_nested(&ls->lock, 1);
	c = want->type == F_UNLCK ? NULL : find_conflict(&ls->records, want);
	if (!c) {
		apply(&ls->records, want, spare, junk);
	} else if (!wait) {
		ret = -EAGAIN;
	} else if (want->pid != -1 && would_deadlock(want->owner, c->owner)) {
		ret = -EDEADLK;
	} else {
		waits_for(w, ls, want, c->owner);
		ret = 1;
	}
	spin_unlock(&ls->lock);
	return ret;
}

static int set_record(struct inode *i, const struct file_lock *want, bool wait)
{
	struct file_locks *ls = locks_get(i);
	struct file_lock *spare[2];
	LIST_HEAD(junk);
	struct wait_entry we;
	struct waiter w;
	int ret;

	if (!ls)
		return -ENOLCK;
	spare[0] = kmalloc(sizeof(*spare[0]), GFP_KERNEL);
	spare[1] = kmalloc(sizeof(*spare[1]), GFP_KERNEL);
	if (!spare[0] || !spare[1]) {
		ret = -ENOLCK;
		goto out;
	}
	wait_entry_init(&we);
	for (;;) {
		if (wait)
			prepare_to_wait(&ls->wait, &we, TASK_INTERRUPTIBLE);
		ret = try_record(ls, want, spare, &junk, &w, wait);
		if (ret != 1)
			break;
		ret = wait_check(TASK_INTERRUPTIBLE, TIME_NEVER);
		if (!ret)
			schedule();
		waits_no_more(&w);
		if (ret)
			break;
	}
	if (wait)
		finish_wait(&ls->wait, &we);
	if (!ret && (!list_empty(&junk) || want->type != F_WRLCK))
		wake_up_all(&ls->wait);
out:
	kfree(spare[0]);
	kfree(spare[1]);
	free_junk(&junk);
	return ret;
}

/* --- the calls' side --- */

static int range_from(struct file *f, const struct flock *fl, struct file_lock *l)
{
	s64 start = 0, len = fl->l_len;

	if (fl->l_whence == SEEK_CUR)
		start = (s64)f->pos;
	else if (fl->l_whence == SEEK_END)
		start = (s64)i_size_read(f->inode);
	else if (fl->l_whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(start, fl->l_start, &start))
		return -EOVERFLOW;
	if (len < 0) {
		start += len;
		len = -len;
	}
	if (start < 0)
		return -EINVAL;
	if (len && (u64)start + (u64)len - 1 > 0x7fffffffffffffffull)
		return -EOVERFLOW;
	l->start = (u64)start;
	l->end = len ? (u64)(start + len - 1) : ~0ull;
	return 0;
}

static int lock_init(struct file *f, const struct flock *fl, bool ofd, struct file_lock *l)
{
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && fl->l_type != F_UNLCK)
		return -EINVAL;
	if (ofd && fl->l_pid)
		return -EINVAL;
	l->type = (u8)fl->l_type;
	l->owner = ofd ? (const void *)f : current->files;
	l->file = ofd ? f : NULL;
	l->pid = ofd ? -1 : current_pid();
	return range_from(f, fl, l);
}

long locks_fcntl_set(struct file *f, int fd, const struct flock __user *ufl, bool ofd, bool wait)
{
	struct file_lock l;
	struct flock fl;
	long err;

	if (copy_from_user(&fl, ufl, sizeof(fl)))
		return -EFAULT;
	err = lock_init(f, &fl, ofd, &l);
	if (err)
		return err;
	if ((l.type == F_RDLCK && !(f->mode & FMODE_READ)) || (l.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	if (l.type == F_UNLCK && !f->inode->locks)
		return 0;
	atomic_fetch_or(&f->marks, FILE_LOCKS);
	err = set_record(f->inode, &l, wait);
	if (!err && !ofd && l.type != F_UNLCK && !fdtable_private(current->files)) {
		/* another thread may have closed the descriptor meanwhile: then nobody would release the lock */
		struct file *again = fd_get_any(fd);

		if (again != f) {
			l.type = F_UNLCK;
			set_record(f->inode, &l, false);
			err = -EBADF;
		}
		if (again)
			file_put_now(again);
	}
	return err;
}

long locks_fcntl_get(struct file *f, struct flock __user *ufl, bool ofd)
{
	struct file_locks *ls = f->inode->locks;
	struct file_lock l, *c = NULL;
	struct flock fl;
	long err;

	if (copy_from_user(&fl, ufl, sizeof(fl)))
		return -EFAULT;
	err = lock_init(f, &fl, ofd, &l);
	if (err)
		return err;
	if (l.type == F_UNLCK)
		return -EINVAL;
	fl.l_type = F_UNLCK;
	if (ls) {
		spin_lock(&ls->lock);
		c = find_conflict(&ls->records, &l);
		if (c) {
			fl.l_type = c->type;
			fl.l_whence = SEEK_SET;
			fl.l_start = (long)c->start;
			fl.l_len = c->end == ~0ull ? 0 : (long)(c->end - c->start + 1);
			fl.l_pid = c->pid;
		}
		spin_unlock(&ls->lock);
	}
	return copy_to_user(ufl, &fl, sizeof(fl));
}

/* Remove all records of an owner, or all flocks of a file. */
static void remove_owned(struct file_locks *ls, struct list_head *list, const void *owner)
{
	struct file_lock *l, *n;
	LIST_HEAD(junk);

	spin_lock(&ls->lock);
	list_for_each_entry_safe(l, n, list, link)
		if (l->owner == owner)
			list_move(&l->link, &junk);
	spin_unlock(&ls->lock);
	if (!list_empty(&junk)) {
		wake_up_all(&ls->wait);
		free_junk(&junk);
	}
}

void locks_close(struct file *f, struct fdtable *owner)
{
	struct file_locks *ls = atomic_load_acquire(&f->inode->locks);

	if (ls)
		remove_owned(ls, &ls->records, owner);
}

void locks_release(struct file *f)
{
	struct file_locks *ls = atomic_load_acquire(&f->inode->locks);

	if (!ls)
		return;
	remove_owned(ls, &ls->records, f);
	remove_owned(ls, &ls->flocks, f);
}

/* --- flock --- */

/* 0 done, 1 must wait, and if w it is queued.  *spare is consumed when the lock is new. */
static int try_flock(struct file_locks *ls, const struct file_lock *want, struct file_lock **spare, bool *released, struct waiter *w)
{
	struct file_lock *l, *mine = NULL, *against = NULL;
	const void *f = want->owner;
	u8 type = want->type;
	int ret = 0;

	spin_lock_nested(&ls->lock, 1);
	list_for_each_entry(l, &ls->flocks, link)
		if (l->owner == f)
			mine = l;
	if (mine && mine->type == type) {
		spin_unlock(&ls->lock);
		return 0;
	}
	if (mine) {		/* a conversion gives the old lock up first, as on Linux */
		list_del(&mine->link);
		*released = true;
	}
	list_for_each_entry(l, &ls->flocks, link)
		if (type == F_WRLCK || l->type == F_WRLCK)
			against = l, ret = 1;
	if (!ret) {
		struct file_lock *add = mine ? mine : *spare;

		if (!mine)
			*spare = NULL;
		*add = *want;
		list_add(&add->link, &ls->flocks);
		mine = NULL;
	} else if (w) {
		waits_for(w, ls, want, against->owner);
	}
	spin_unlock(&ls->lock);
	kfree(mine);
	return ret;
}

static long do_flock(struct file *f, u8 type, bool wait)
{
	struct file_locks *ls = locks_get(f->inode);
	struct file_lock *spare = kmalloc(sizeof(*spare), GFP_KERNEL);
	const struct file_lock want = { .owner = f, .file = f, .end = ~0ull, .pid = current_pid(), .type = type };
	struct wait_entry we;
	struct waiter w;
	bool released = false;
	long ret;

	if (!ls || !spare) {
		kfree(spare);
		return -ENOLCK;
	}
	atomic_fetch_or(&f->marks, FILE_LOCKS);
	wait_entry_init(&we);
	for (;;) {
		prepare_to_wait(&ls->wait, &we, TASK_INTERRUPTIBLE);
		ret = try_flock(ls, &want, &spare, &released, wait ? &w : NULL);
		if (!ret)
			break;
		ret = wait ? wait_check(TASK_INTERRUPTIBLE, TIME_NEVER) : -EAGAIN;
		if (!ret)
			schedule();
		if (wait)
			waits_no_more(&w);
		if (ret)
			break;
	}
	finish_wait(&ls->wait, &we);
	kfree(spare);
	if (released)
		wake_up_all(&ls->wait);
	return ret;
}

long sys_flock(int fd, unsigned op)
{
	u32 ref, how = op & ~4u /* LOCK_NB */;
	struct file *f;
	long ret;

	if (op & 32u /* LOCK_MAND */)		/* never did anything that was documented: ignored, as on Linux */
		return 0;
	if (how != 1 && how != 2 && how != 8)	/* LOCK_SH, LOCK_EX, LOCK_UN */
		return -EINVAL;
	f = fdref_get(fd, &ref);
	if (!f)
		return -EBADF;
	if (how == 8) {
		struct file_locks *ls = atomic_load_acquire(&f->inode->locks);

		if (ls)
			remove_owned(ls, &ls->flocks, f);
		ret = 0;
	} else {
		ret = do_flock(f, how == 2 ? F_WRLCK : F_RDLCK, !(op & 4));
	}
	fdref_put(f, ref);
	return ret;
}

/* --- /proc/locks: number, kind, whose, where; beneath a lock those who wait for its owner there.  What is shown is copied under the spin
 * locks, and put into words after them. */

struct lock_copy { struct file_lock lock; u64 nr, ino; dev_t_k dev; bool waits; };

static bool is_flock(const struct file_lock *l) { return l->file && l->pid != -1; }

/* The n-th copy, if there is room for it. */
static void copy_lock(struct lock_copy *to, u32 room, u32 n, const struct file_locks *ls, const struct file_lock *l, u64 nr, bool waits)
{
	if (n < room)
		to[n] = (struct lock_copy){ .lock = *l, .nr = nr, .ino = ls->inode->ino, .dev = ls->inode->sb->dev, .waits = waits };
}

static void copy_list(struct lock_copy *to, u32 room, u32 *n, u64 *nr, const struct file_locks *ls, const struct list_head *list)
{
	const struct file_lock *l;
	const struct waiter *w;

	list_for_each_entry(l, list, link) {
		copy_lock(to, room, (*n)++, ls, l, ++*nr, false);
		spin_lock_nested(&waiters_lock, 2);
		list_for_each_entry(w, &waiters, link)
			if (w->at == ls && w->for_owner == l->owner && is_flock(w->want) == is_flock(l))
				copy_lock(to, room, (*n)++, ls, w->want, *nr, true);
		spin_unlock(&waiters_lock);
	}
}

/* Copy what there is room for; how many there are. */
static u32 copy_all(struct lock_copy *to, u32 room)
{
	struct file_locks *ls;
	u64 nr = 0;
	u32 n = 0;

	spin_lock(&all_lock);
	list_for_each_entry(ls, &all_locks, all) {
		spin_lock_nested(&ls->lock, 1);
		copy_list(to, room, &n, &nr, ls, &ls->records);
		copy_list(to, room, &n, &nr, ls, &ls->flocks);
		spin_unlock(&ls->lock);
	}
	spin_unlock(&all_lock);
	return n;
}

static void lock_line(struct seq *s, const struct lock_copy *c)
{
	const struct file_lock *l = &c->lock;

	seq_printf(s, "%lu: %s%-6s ADVISORY  %s %d %02x:%02x:%lu %lu ", c->nr, c->waits ? "-> " : "",
		   is_flock(l) ? "FLOCK" : l->pid == -1 ? "OFDLCK" : "POSIX", l->type == F_WRLCK ? "WRITE" : "READ", l->pid, DEV_MAJOR(c->dev),
		   DEV_MINOR(c->dev), c->ino, l->start);
	if (l->end >= (u64)INT64_MAX)
		seq_puts(s, "EOF\n");
	else
		seq_printf(s, "%lu\n", l->end);
}

static int locks_show(struct seq *s, void *arg)
{
	struct lock_copy *copies = NULL;
	u32 room = 0, n;

	(void)arg;
	while ((n = copy_all(copies, room)) > room) {
		kvfree(copies);
		room = n + 16;
		copies = kvmalloc(room * sizeof(*copies), GFP_KERNEL);
		if (!copies)
			return -ENOMEM;
	}
	for (u32 i = 0; i < n; i++)
		lock_line(s, &copies[i]);
	kvfree(copies);
	return 0;
}
PROC_FILE(locks, .path = "locks", .mode = 0444, .show = locks_show);
