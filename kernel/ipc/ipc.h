/* What System V's three kinds of objects share: identifiers, keys, permissions, limits.  Theory in ipc.c.
 *
 * Members: [I] immutable once it is in the tables, [o] its lock, [k] the mutex of its kind, [k,o] both to write and either to read. */
#pragma once
#include <asm/ipcbuf.h>
#include <kernel/lib/list.h>
#include <kernel/lib/radix_tree.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/spinlock.h>

struct seq;

#define IPC_SLOT_BITS	15
#define IPC_SLOTS	(1 << IPC_SLOT_BITS)	/* the most objects of a kind; an id is seq << IPC_SLOT_BITS | slot */

struct ipc_object {
	struct spinlock lock;		/* LC_IPC */
	struct refcount refs;		/* the tables' one, and one for each ipc_obtain */
	bool removed;			/* [o] */
	s32 id;				/* [I] */
	s32 key;			/* [k,o] IPC_PRIVATE: found by id alone */
	struct hlist_node key_link;	/* [k] */
	u32 uid, gid, mode;		/* [o] */
	u32 cuid, cgid;			/* [I] */
	struct ipc_kind *kind;		/* [I] */
	struct rcu_head rcu;
};

#define IPC_KEY_BITS 8

struct ipc_kind {
	struct mutex mutex;		/* LC_IPC_KIND */
	struct radix_tree objects;	/* [k], look-ups by RCU: slot -> struct ipc_object */
	struct hlist_head keys[1 << IPC_KEY_BITS];	/* [k] */
	u32 count;			/* [k] */
	s32 highest;			/* [k] the highest slot in use, -1: none */
	u32 last, seq;			/* [k] the slot given out last, and how often the slots have gone round */
	s64 max;			/* [a] the sysctl: how many there may be */
	void (*free)(struct ipc_object *o);	/* [I] the memory of one; a thread, some time after its last reference went */
};

/* ipc_kind_init - an empty kind of at most max objects.  Context: boot. */
void ipc_kind_init(struct ipc_kind *k, s64 max, void (*free)(struct ipc_object *o));

/* ipc_find_or_create - what msgget, semget and shmget do.  key, flags: the call's.  create(o, arg) makes a new one, all but what stands in
 * struct ipc_object, or says why not; check(o, arg): may the one of that key be had?  Both under the kind's mutex, check under the object's
 * lock too.  The id, -ENOENT, -EEXIST, -EACCES, -ENOSPC, -ENOMEM, or what they return.  Context: thread, may sleep, no lock. */
struct ipc_get_ops {
	int (*create)(struct ipc_object **o, void *arg);
	int (*check)(struct ipc_object *o, void *arg);
	void (*abort)(struct ipc_object *o);	/* undoes create */
	void (*named)(struct ipc_object *o);	/* a new one has its id, and nobody can find it yet; may be missing */
};
int ipc_find_or_create(struct ipc_kind *k, s32 key, int flags, const struct ipc_get_ops *ops, void *arg);

/* ipc_obtain - the object of an id, referenced, or -EINVAL: there is none.  ipc_obtain_slot: the id's slot alone counts (*_STAT).
 * ipc_lock - take its lock; -EIDRM, and not locked, if it was removed meanwhile.  ipc_put - drop a reference.  Context: thread. */
int ipc_obtain(struct ipc_kind *k, s32 id, struct ipc_object **o);
int ipc_obtain_slot(struct ipc_kind *k, s32 id, struct ipc_object **o);
int ipc_lock(struct ipc_object *o);
void ipc_put(struct ipc_object *o);

/* ipc_permitted - has current what is asked of o?  wanted: IPC_READ, IPC_WRITE, or a mode's nine bits.  0 or -EACCES.  Locks: o's.
 * ipc_lock_permitted - ipc_lock and that: locked only if 0. */
#define IPC_READ	0444
#define IPC_WRITE	0222
int ipc_permitted(const struct ipc_object *o, u32 wanted);
int ipc_lock_permitted(struct ipc_object *o, u32 wanted);

/* ipc_begin_control - what IPC_RMID and IPC_SET begin with: o referenced, its lock and its kind's mutex taken; -EINVAL, -EPERM, -EIDRM and
 * nothing.  ipc_end_control undoes it.  ipc_may_control - the question of the two: does current own or did it create o, or is it CAP_SYS_ADMIN? */
int ipc_begin_control(struct ipc_kind *k, s32 id, struct ipc_object **o);
void ipc_end_control(struct ipc_object *o);
bool ipc_may_control(const struct ipc_object *o);
/* ipc_remove - take o out of the tables: its id and key are free, its reference is dropped (the caller has one).  ipc_hide_key: its key alone.
 * Locks: the kind's mutex and o's. */
void ipc_remove(struct ipc_object *o);
void ipc_hide_key(struct ipc_object *o);

/* ipc_perm_to_user, ipc_perm_from_user - the part that all the *id64_ds begin with; from: what IPC_SET changes, 0 or -EINVAL.  Locks: o's. */
void ipc_perm_to_user(const struct ipc_object *o, struct ipc64_perm *p);
int ipc_perm_from_user(struct ipc_object *o, const struct ipc64_perm *p);

/* ipc_walk - fn(o, arg) for each, in order of slots.  Context: thread; fn has the kind's mutex held, and o's lock not. */
void ipc_walk(struct ipc_kind *k, void (*fn)(struct ipc_object *o, void *arg), void *arg);
/* ipc_totals - how many there are; returns the highest slot in use, or 0: what *_INFO answers. */
int ipc_totals(struct ipc_kind *k, u32 *count);

/* ipc_deadline - of a relative struct timespec: *ns on the monotonic clock; NULL: never.  0, -EFAULT, -EINVAL. */
int ipc_deadline(const void __user *timeout, u64 *ns);
/* ipc_copy_in - new memory, to be kvfreed: head bytes for the caller, then len that a program sends.  0, -ENOMEM, -EFAULT.  Context: thread, no lock. */
int ipc_copy_in(void **out, size_t head, const void __user *text, size_t len);
/* ipc_now - seconds since the epoch. */
s64 ipc_now(void);

/* Kinds of sysctl that kernel/sysctl.h has not: several ints in one file; an unsigned long.  A write that is refused changes nothing. */
struct ipc_ints { s64 *value[4]; s64 min[4], max[4]; u32 nr; };
int ipc_ints_show(struct seq *s, void *arg);
int ipc_ints_write(const char *buf, size_t len, void *arg);
int ipc_ulong_show(struct seq *s, void *arg);
int ipc_ulong_write(const char *buf, size_t len, void *arg);
