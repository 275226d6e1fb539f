/* Inodes: a file's numbers and data, without a name.
 *
 * References: each positive dentry holds one, and whatever keeps a file alive without a dentry (an entry of a tmpfs directory).
 * The last put evicts the data - it may sleep - and frees the memory after a grace period, since path walks look at inodes under
 * RCU.  Attributes change under inode->lock held for writing; times also under inode->spin, by readers of the data.  stat() reads
 * without a lock: each field is a scalar, and a torn set of them is what stat() during a chmod() may see anyway.
 *
 * writers: positive is the number of open files that may write; negative the number of programs being run from it. */
#include <fs/inode.h>
#include <fs/dcache.h>
#include <fs/file_caps.h>
#include <fs/locks.h>
#include <fs/posix_acl.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/percpu_count.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static struct slab_cache *inode_cache __ro_after_init;
DEFINE_PERCPU_COUNT(nr_inodes);
const struct inode_ops empty_inode_ops;

static int inode_nr_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%lu\t0\n", percpu_count_sum(&nr_inodes));
	return 0;
}
PROC_FILE(inode_nr, .path = "sys/fs/inode-nr", .mode = 0444, .show = inode_nr_show);

u64 inode_nr(void) { return percpu_count_sum(&nr_inodes); }

struct timespec_k current_time_k(void)
{
	u64 ns = clock_real_ns();
	u64 sec = ns / NSEC_PER_SEC;

	return (struct timespec_k){ (s64)sec, (u32)(ns - sec * NSEC_PER_SEC) };
}

struct inode *inode_create(struct super *sb)
{
	struct inode *i = sb->ops && sb->ops->alloc_inode ? sb->ops->alloc_inode(sb) : slab_alloc(inode_cache, GFP_KERNEL);

	if (!i)
		return NULL;
	memset(i, 0, sizeof(*i));
	i->ino = atomic_add_return(&sb->next_ino, 1);
	i->nlink = 1;
	refcount_set(&i->refs, 1);
	i->atime = i->mtime = i->ctime = current_time_k();
	i->sb = sb;
	i->ops = &empty_inode_ops;
	i->fops = &noopen_fops;
	spin_lock_init(&i->spin, LC_INODE_SPIN);
	rwsem_init(&i->lock, LC_FILE_INODE);
	i->mapping = &i->data;
	address_space_init(&i->data, i, NULL);
	list_init(&i->sb_link);
	list_init(&i->dirty_link);
	percpu_count_add(&nr_inodes, 1);
	return i;
}

void inode_init_mode(struct inode *i, u32 mode, dev_t_k rdev)
{
	i->mode = mode;
	i->rdev = rdev;
	switch (mode & S_IFMT_K) {
	case S_IFDIR:
		rwsem_init(&i->lock, LC_DIR_INODE);
		break;
	case S_IFCHR:
		i->fops = &chardev_fops;
		break;
	case S_IFBLK:
		i->fops = &blockdev_fops;
		break;
	case S_IFIFO:
		i->fops = &fifo_fops;
		break;
	}
}

void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode, dev_t_k rdev)
{
	const struct cred *c = current_cred();

	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir && (READ_ONCE(dir->mode) & S_ISGID)) {
		i->gid = READ_ONCE(dir->gid);
		if (MODE_IS(mode, S_IFDIR))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010) && !cred_in_group(c, i->gid) && !capable(CAP_FSETID))
			mode &= ~(u32)S_ISGID;
	}
	i->flags |= INODE_NO_CAPS;
	inode_init_mode(i, mode, rdev);
}

void inode_get(struct inode *i) { refcount_inc(&i->refs); }

static void inode_free_rcu(struct rcu_head *head)
{
	struct inode *i = container_of(head, struct inode, rcu);

	if (unlikely(i->acls != NULL))
		inode_acls_free(i);
	if (i->sb->ops && i->sb->ops->free_inode)
		i->sb->ops->free_inode(i);
	else
		slab_free(inode_cache, i);
}

void inode_put(struct inode *i)
{
	if (unlikely(!READ_ONCE(i->nlink) && READ_ONCE(i->dirty))) {	/* its writer need not keep it */
		if (!inode_put_unlinked(i))
			return;
	} else if (!refcount_dec_and_test(&i->refs)) {
		return;
	}
	if (i->locks)
		file_locks_free(i);
	if (i->sb->ops && i->sb->ops->evict)
		i->sb->ops->evict(i);
	else if (READ_ONCE(i->data.nr_pages))
		filemap_evict(&i->data);
	if (!hlist_unhashed(&i->hash))
		inode_unhash(i);
	percpu_count_add(&nr_inodes, -1);
	call_rcu(&i->rcu, inode_free_rcu);
}

/* Owner, ACL, group or other decide, each alone; then the capabilities that override. */
static int permission(struct inode *i, u32 mask)
{
	const struct cred *c = current_cred();
	u32 mode = READ_ONCE(i->mode);
	int err = 0;

	if (c->fsuid == READ_ONCE(i->uid))
		mode >>= 6;
	else if (unlikely(READ_ONCE(i->flags) & INODE_ACL) && mode & 070 && (err = inode_acl_check(i, c, mask)) <= 0)
		mode = !err ? 7 : 0;
	else if (((mode >> 3) ^ mode) & 7 && cred_in_group(c, READ_ONCE(i->gid)))
		mode >>= 3;
	if (likely(!(mask & ~mode & 7)))
		return 0;
	if (inode_is_dir(i)) {
		if (!(mask & MAY_WRITE) && capable(CAP_DAC_READ_SEARCH))
			return 0;
		return capable(CAP_DAC_OVERRIDE) ? 0 : err < 0 ? err : -EACCES;
	}
	if (mask == MAY_READ && capable(CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(mask & MAY_EXEC) || (READ_ONCE(i->mode) & 0111)) && capable(CAP_DAC_OVERRIDE))
		return 0;
	return err < 0 ? err : -EACCES;
}

int inode_permission(struct inode *i, u32 mask)
{
	if (mask & MAY_WRITE) {
		if ((i->sb->flags & 1 /* SB_RDONLY */) && (inode_is_reg(i) || inode_is_dir(i) || inode_is_link(i)))
			return -EROFS;
		if (READ_ONCE(i->flags) & INODE_IMMUTABLE)
			return -EPERM;
	}
	return permission(i, mask);
}

bool inode_owner_or_capable(const struct inode *i)
{
	return current_cred()->fsuid == READ_ONCE(i->uid) || capable(CAP_FOWNER);
}

void inode_touch_at(struct inode *i, u32 which, const struct timespec_k *now)
{
	spin_lock(&i->spin);
	seq_write_begin(&i->times_seq);
	if (which & ATTR_ATIME)
		i->atime = *now;
	if (which & ATTR_MTIME)
		i->mtime = *now;
	if (which & ATTR_CTIME)
		i->ctime = *now;
	seq_write_end(&i->times_seq);
	spin_unlock(&i->spin);
	if (i->sb->writer)
		inode_mark_dirty(i, INODE_DIRTY_META);
}

/* What of t can be kept. */
static void time_fit(const struct super *sb, struct timespec_k *t)
{
	if (t->sec <= sb->time_min || t->sec >= sb->time_max) {	/* at the edge, as Linux has it */
		t->sec = t->sec < sb->time_max ? sb->time_min : sb->time_max;
		t->nsec = 0;
	}
	if (sb->whole_seconds)
		t->nsec = 0;
}

struct timespec_k inode_now(const struct inode *i)
{
	struct timespec_k now = current_time_k();

	if (unlikely(i->sb->time_max))
		time_fit(i->sb, &now);
	return now;
}

void inode_set_dead(struct inode *dir)
{
	spin_lock(&dir->spin);
	dir->flags |= INODE_DEAD;
	spin_unlock(&dir->spin);
}

void inode_touch(struct inode *i, u32 which)
{
	struct timespec_k now = inode_now(i);

	inode_touch_at(i, which, &now);
}

int inode_setattr_generic(struct inode *i, const struct iattr *a)
{
	if (a->valid & ATTR_SIZE) {
		u64 old = i->size;

		i_size_write(i, a->size);
		if (a->size < old)
			filemap_truncate(i->mapping, a->size);
	}
	spin_lock(&i->spin);
	if (a->valid & ATTR_UID)
		i->uid = a->uid;
	if (a->valid & ATTR_GID)
		i->gid = a->gid;
	if (a->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT_K) | (a->mode & 07777);
	seq_write_begin(&i->times_seq);
	if (a->valid & ATTR_ATIME)
		i->atime = a->atime;
	if (a->valid & ATTR_MTIME)
		i->mtime = a->mtime;
	if (a->valid & ATTR_CTIME)
		i->ctime = a->ctime;
	seq_write_end(&i->times_seq);
	spin_unlock(&i->spin);
	return 0;
}

int inode_setattr_locked(struct inode *i, struct iattr *a)
{
	struct timespec_k now = inode_now(i);
	struct acl *acl = NULL;
	int err;

	if (unlikely(READ_ONCE(i->flags) & INODE_SWAPFILE) && (a->valid & ATTR_SIZE) && a->size <= i_size_read(i))
		return -ETXTBSY;
	if (unlikely(i->sb->time_max)) {
		time_fit(i->sb, &a->atime);
		time_fit(i->sb, &a->mtime);
		time_fit(i->sb, &a->ctime);
	}
	if (!(a->valid & ATTR_CTIME)) {
		a->valid |= ATTR_CTIME;
		a->ctime = now;
	}
	if ((a->valid & ATTR_SIZE) && !(a->valid & ATTR_MTIME)) {
		a->valid |= ATTR_MTIME;
		a->mtime = now;
	}
	if (a->valid & ATTR_KILL_CAPS) {
		a->valid &= ~(u32)ATTR_KILL_CAPS;
		err = file_caps_drop(i);
		if (err)
			return err;
	}
	if (unlikely(a->valid & ATTR_MODE && i->acls)) {
		err = inode_acl_chmod_begin(i, a->mode, &acl);
		if (err)
			return err;
	}
	err = i->ops->setattr ? i->ops->setattr(i, a) : inode_setattr_generic(i, a);
	if (likely(!acl))
		return err;
	if (!err)
		return inode_acl_chmod_end(i, acl);
	acl_free(acl);
	return err;
}

int inode_setattr(struct inode *i, struct iattr *a)
{
	int err;

	rwsem_write_lock(&i->lock);
	err = inode_setattr_locked(i, a);
	rwsem_write_unlock(&i->lock);
	return err;
}

int inode_may_grow(const struct inode *i, u64 size)
{
	if (i->sb->max_bytes && size > i->sb->max_bytes)
		return -EFBIG;
	if (size > i_size_read(i) && size > rlimit(RLIMIT_FSIZE)) {
		signal_send_task(current, SIGXFSZ, NULL);
		return -EFBIG;
	}
	return 0;
}

int inode_truncate(struct inode *i, u64 size)
{
	struct iattr a = { .valid = ATTR_SIZE, .size = size };
	int err = inode_may_grow(i, size);
	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	err = inode_kill_suid(i);
	if (!err)
		err = inode_setattr_locked(i, &a);
	rwsem_write_unlock(&i->lock);
	return err;
}

int inode_kill_suid(struct inode *i)
{
	u32 drop = 0;
	int err;

	if (likely((READ_ONCE(i->flags) & INODE_NO_CAPS) && !(i->mode & (S_ISUID | S_ISGID))) || !inode_is_reg(i))
		return 0;
	err = file_caps_drop(i);
	if (err)
		return err;
	if (i->mode & S_ISUID)
		drop |= S_ISUID;
	if ((i->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
		drop |= S_ISGID;
	if (drop && !capable(CAP_FSETID)) {
		struct iattr a = { .valid = ATTR_MODE, .mode = i->mode & ~drop };

		err = inode_setattr_locked(i, &a);
	}
	return err;
}

void inode_getattr_generic(const struct inode *i, struct kstat *st)
{
	u32 seq;

	st->ino = i->ino;
	st->size = i_size_read(i);
	st->blocks = READ_ONCE(i->blocks);
	st->mode = READ_ONCE(i->mode);
	st->nlink = READ_ONCE(i->nlink);
	st->uid = READ_ONCE(i->uid);
	st->gid = READ_ONCE(i->gid);
	st->dev = i->sb->dev;
	st->rdev = i->rdev;
	st->blksize = i->sb->block_size;
	do {	/* seconds and their fraction of one moment, without a lock that every stat would share */
		seq = seq_read_begin(&i->times_seq);
		race_marked_begin();
		st->atime = i->atime;
		st->mtime = i->mtime;
		st->ctime = i->ctime;
		race_marked_end();
	} while (seq_read_retry(&i->times_seq, seq));
	st->btime = i->btime;
	st->result_mask = 0x7ff;	/* STATX_BASIC_STATS */
	st->flags = READ_ONCE(i->flags);
	st->attributes_mask = i->sb->attributes_mask;
	st->mnt_id = 0;
}

int inode_getattr(struct inode *i, struct kstat *st)
{
	if (likely(!i->ops->getattr)) {
		inode_getattr_generic(i, st);
		return 0;
	}
	return i->ops->getattr(i, st);
}

static int writers_add(struct inode *i, s32 delta)
{
	s32 v = atomic_load(&i->writers);

	do {
		if (delta > 0 ? v < 0 : v > 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(&i->writers, &v, v + delta, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return 0;
}

int inode_get_write(struct inode *i) { return writers_add(i, 1); }
void inode_put_write(struct inode *i) { atomic_dec(&i->writers); }
int inode_deny_write(struct inode *i) { return writers_add(i, -1); }
void inode_allow_write(struct inode *i) { atomic_inc(&i->writers); }

void inode_cache_init(void)
{
	inode_cache = slab_cache_create("inode", sizeof(struct inode), 0, NULL);
	VERIFY(inode_cache);
	slab_set_reclaimable(inode_cache);
}
