/* System V IPC: what semaphore sets, message queues and shared memory have in common.  svipc(7).
 *
 * Theory.  A kind has a table of objects, from slot to object, and a hash of keys.  An id is seq << 15 | slot: slots are given out in a
 * circle of at least 64 places, seq rises each time the circle closes, so that the id of an object that is gone is not soon another's.
 * The circle and seq go as on Linux, whose first ids are 0, 1, 2 ...: programs print them.
 *
 * Locking.  Coming and going is under the kind's mutex (LC_IPC_KIND), which also lets a walk over all of them stand still.  What an object
 * holds is under its own spin lock (LC_IPC).  The calls that do the work (semop, msgsnd, ...) take that one alone: they find the object under
 * RCU and take a reference.  No program's memory is touched under either lock.
 *
 * Lifetime.  The tables hold one reference, each call in progress one.  Removal marks the object under both locks and drops the tables'
 * reference; whoever locks it later sees `removed`, which is EIDRM, and who looks the id up later finds nothing, which is EINVAL.  The
 * memory goes a grace period after the last reference, for ipc_obtain reads the count of one that is on its way out.
 *
 * Who sleeps in a call is in a list of the object's, under its lock, and is taken off by whoever decides what becomes of it; the result
 * is stored last (release), since the sleeper returns, its stack with the entry, as soon as it sees one (acquire).
 *
 * Rejected: Linux's lock for each semaphore of a set, whose hand-over between simple and complex operations is the hardest part of its
 * file; sets of programs have few semaphores.  Namespaces: this kernel has none. */
#include <linux/capability.h>
#include <linux/ipc.h>
#include <linux/time_types.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/ipc/ipc.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

#define IPC_IN_SLAB	(4 * PAGE_SIZE)	/* up to here a message is one piece of kmalloc, if there is one */
#define IPC_MIN_CIRCLE	64
#define IPC_SEQ_MAX	(1u << (31 - IPC_SLOT_BITS))

static struct radix_node *node_alloc(void) { return kzalloc(sizeof(struct radix_node), GFP_KERNEL); }
static void node_free_rcu(struct rcu_head *head) { kfree(container_of((void *)head, struct radix_node, rcu)); }
static void node_free(struct radix_node *n) { call_rcu((struct rcu_head *)n->rcu, node_free_rcu); }

void ipc_kind_init(struct ipc_kind *k, s64 max, void (*free)(struct ipc_object *o))
{
	mutex_init(&k->mutex, LC_IPC_KIND);
	radix_tree_init(&k->objects, node_alloc, node_free);
	k->highest = -1;
	k->last = IPC_SLOTS;
	k->max = max;
	k->free = free;
}

s64 ipc_now(void) { return (s64)(clock_real_ns() / NSEC_PER_SEC); }

int ipc_copy_in(void **out, size_t head, const void __user *text, size_t len)
{
	void *m = NULL;

	if (head + len <= IPC_IN_SLAB)
		m = kmalloc(head + len, GFP_KERNEL);
	if (!m)
		m = kvmalloc(head + len, GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	if (copy_from_user((u8 *)m + head, text, len)) {
		kvfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

/* --- references and locks */

int ipc_obtain_slot(struct ipc_kind *k, s32 id, struct ipc_object **out)
{
	struct ipc_object *o;

	if (id < 0)
		return -EINVAL;
	rcu_read_lock();
	o = radix_tree_lookup(&k->objects, (u64)id & (IPC_SLOTS - 1));
	if (o && !refcount_inc_not_zero(&o->refs))
		o = NULL;
	rcu_read_unlock();
	*out = o;
	return o ? 0 : -EINVAL;
}

int ipc_obtain(struct ipc_kind *k, s32 id, struct ipc_object **o)
{
	int err = ipc_obtain_slot(k, id, o);

	if (!err && (*o)->id != id) {
		ipc_put(*o);
		err = -EINVAL;
	}
	return err;
}

static void object_free_rcu(struct rcu_head *head)
{
	struct ipc_object *o = container_of(head, struct ipc_object, rcu);

	o->kind->free(o);
}

void ipc_put(struct ipc_object *o)
{
	if (refcount_dec_and_test(&o->refs))
		call_rcu(&o->rcu, object_free_rcu);
}

int ipc_lock(struct ipc_object *o)
{
	spin_lock(&o->lock);
	if (likely(!o->removed))
		return 0;
	spin_unlock(&o->lock);
	return -EIDRM;
}

int ipc_lock_permitted(struct ipc_object *o, u32 wanted)
{
	int err = ipc_lock(o);

	if (err)
		return err;
	err = ipc_permitted(o, wanted);
	if (err)
		spin_unlock(&o->lock);
	return err;
}

/* --- permissions */

int ipc_permitted(const struct ipc_object *o, u32 wanted)
{
	const struct cred *c = current_cred();
	u32 granted = o->mode;

	wanted |= wanted >> 6 | wanted >> 3;
	if (c->euid == o->uid || c->euid == o->cuid)
		granted >>= 6;
	else if (cred_in_group(c, o->gid) || cred_in_group(c, o->cgid))
		granted >>= 3;
	return !(wanted & ~granted & 7) || capable(CAP_IPC_OWNER) ? 0 : -EACCES;
}

bool ipc_may_control(const struct ipc_object *o)
{
	u32 euid = current_cred()->euid;

	return euid == o->cuid || euid == o->uid || capable(CAP_SYS_ADMIN);
}

int ipc_begin_control(struct ipc_kind *k, s32 id, struct ipc_object **o)
{
	int err;

	mutex_lock(&k->mutex);
	err = ipc_obtain(k, id, o);
	if (err)
		goto out;
	err = ipc_lock(*o);
	if (err)
		goto out_put;
	if (ipc_may_control(*o))
		return 0;
	err = -EPERM;
	spin_unlock(&(*o)->lock);
out_put:
	ipc_put(*o);
out:
	mutex_unlock(&k->mutex);
	return err;
}

void ipc_end_control(struct ipc_object *o)
{
	struct ipc_kind *k = o->kind;

	spin_unlock(&o->lock);
	mutex_unlock(&k->mutex);
	ipc_put(o);
}

void ipc_perm_to_user(const struct ipc_object *o, struct ipc64_perm *p)
{
	*p = (struct ipc64_perm){ .key = o->key, .uid = o->uid, .gid = o->gid, .cuid = o->cuid, .cgid = o->cgid, .mode = o->mode,
				  .seq = (unsigned short)(o->id >> IPC_SLOT_BITS) };
}

int ipc_perm_from_user(struct ipc_object *o, const struct ipc64_perm *p)
{
	if (p->uid == ~0u || p->gid == ~0u)
		return -EINVAL;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777u);
	return 0;
}

/* --- the tables: the kind's mutex is held */

static struct hlist_head *key_chain(struct ipc_kind *k, s32 key) { return &k->keys[hash_64((u32)key, IPC_KEY_BITS)]; }

static struct ipc_object *find_key(struct ipc_kind *k, s32 key)
{
	struct ipc_object *o;

	hlist_for_each_entry(o, key_chain(k, key), key_link)
		if (o->key == key)
			return o;
	return NULL;
}

/* The next free slot of the circle, which is half as large again as what is in use; there is one, for count is below the maximum. */
static u32 next_slot(struct ipc_kind *k, u32 max)
{
	u32 circle = min(max(k->count + k->count / 2, (u32)IPC_MIN_CIRCLE), max);
	u32 slot = k->last + 1 < circle ? k->last + 1 : 0;

	while (radix_tree_lookup(&k->objects, slot))
		slot = slot + 1 < max_t(u32, circle, k->count + 1) ? slot + 1 : 0;
	return slot;
}

static int add(struct ipc_kind *k, struct ipc_object *o, s32 key, u32 mode, void (*named)(struct ipc_object *o))
{
	const struct cred *c = current_cred();
	u32 max = (u32)min(READ_ONCE(k->max), (s64)IPC_SLOTS), slot;
	u32 seq = k->seq;

	if (k->count >= max)
		return -ENOSPC;
	slot = next_slot(k, max);
	if (slot <= k->last && k->last < IPC_SLOTS)
		seq = seq + 1 < IPC_SEQ_MAX ? seq + 1 : 0;
	spin_lock_init(&o->lock, LC_IPC);
	refcount_set(&o->refs, 1);
	o->kind = k;
	o->removed = false;
	o->id = (s32)(seq << IPC_SLOT_BITS | slot);
	o->key = key;
	o->mode = mode & 0777u;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	if (named)
		named(o);
	if (radix_tree_insert(&k->objects, slot, o))	/* publishes it */
		return -ENOMEM;
	if (key != IPC_PRIVATE)
		hlist_add_head(&o->key_link, key_chain(k, key));
	k->seq = seq;
	k->last = slot;
	k->count++;
	k->highest = max(k->highest, (s32)slot);
	return o->id;
}

void ipc_hide_key(struct ipc_object *o)
{
	if (o->key != IPC_PRIVATE)
		hlist_del(&o->key_link);
	o->key = IPC_PRIVATE;
}

void ipc_remove(struct ipc_object *o)
{
	struct ipc_kind *k = o->kind;

	ipc_hide_key(o);
	radix_tree_delete(&k->objects, (u64)o->id & (IPC_SLOTS - 1));
	k->count--;
	while (k->highest >= 0 && !radix_tree_lookup(&k->objects, (u64)k->highest))
		k->highest--;
	o->removed = true;
	ipc_put(o);
}

static int create(struct ipc_kind *k, s32 key, int flags, const struct ipc_get_ops *ops, void *arg)
{
	struct ipc_object *o;
	int id = ops->create(&o, arg);

	if (id)
		return id;
	id = add(k, o, key, (u32)flags, ops->named);
	if (id < 0)
		ops->abort(o);
	return id;
}

int ipc_find_or_create(struct ipc_kind *k, s32 key, int flags, const struct ipc_get_ops *ops, void *arg)
{
	struct ipc_object *o;
	int id;

	mutex_lock(&k->mutex);
	o = key == IPC_PRIVATE ? NULL : find_key(k, key);
	if (!o) {
		id = key == IPC_PRIVATE || (flags & IPC_CREAT) ? create(k, key, flags, ops, arg) : -ENOENT;
	} else if ((flags & IPC_CREAT) && (flags & IPC_EXCL)) {
		id = -EEXIST;
	} else {
		spin_lock(&o->lock);
		id = ops->check ? ops->check(o, arg) : 0;
		if (!id)
			id = ipc_permitted(o, (u32)flags);
		if (!id)
			id = o->id;
		spin_unlock(&o->lock);
	}
	mutex_unlock(&k->mutex);
	return id;
}

void ipc_walk(struct ipc_kind *k, void (*fn)(struct ipc_object *o, void *arg), void *arg)
{
	void *row[16];
	u64 next = 0;
	u32 n;

	mutex_lock(&k->mutex);
	while ((n = radix_tree_gang_lookup(&k->objects, next, row, NULL, ARRAY_SIZE(row)))) {
		next = ((u64)((struct ipc_object *)row[n - 1])->id & (IPC_SLOTS - 1)) + 1;	/* fn may remove it */
		for (u32 i = 0; i < n; i++)
			fn(row[i], arg);
	}
	mutex_unlock(&k->mutex);
}

int ipc_totals(struct ipc_kind *k, u32 *count)
{
	int highest;

	mutex_lock(&k->mutex);
	*count = k->count;
	highest = max(k->highest, 0);
	mutex_unlock(&k->mutex);
	return highest;
}

int ipc_deadline(const void __user *timeout, u64 *ns)
{
	struct __kernel_timespec ts;

	*ns = TIME_NEVER;
	if (!timeout)
		return 0;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = time_add(clock_mono_ns(), timespec_ns(&ts));
	return 0;
}
