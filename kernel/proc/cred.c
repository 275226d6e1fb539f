/* Credentials: immutable once published; a change makes a copy and replaces current's pointer whole.  capabilities(7), credentials(7).
 *
 * Each open file and each child holds a reference of its maker's credentials, which are the same for all that a login has started: their count
 * would be the one line that processes on different CPUs meet on when they open and close files of their own.  So a task takes SPARE
 * references at once and keeps those it does not need yet, and puts the ones that come back with them: nr_spare of spare_cred, which only the task
 * itself touches, and not where it may have been preempted in between (task_put, which a switch of tasks calls, counts as usual). */
#include <linux/capability.h>
#include <linux/limits.h>
#include <linux/securebits.h>
#include <arch/uaccess.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/user.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define SPARE	32u

void cred_get(const struct cred *c)
{
	refcount_inc((struct refcount *)&c->refs);
}

static void cred_free(struct rcu_head *head)
{
	struct cred *c = container_of(head, struct cred, rcu);

	cred_abort(c);
}

void cred_put(const struct cred *c)
{
	struct cred *w = (struct cred *)c;

	if (refcount_dec_and_test(&w->refs))
		call_rcu(&w->rcu, cred_free);
}

static void put_many(const struct cred *c, u32 n)
{
	struct cred *w = (struct cred *)c;

	if (refcount_sub_and_test(&w->refs, (s32)n))
		call_rcu(&w->rcu, cred_free);
}

void cred_drop_spare(struct task *t)
{
	if (t->nr_spare)
		put_many(t->spare_cred, t->nr_spare);
	t->nr_spare = 0;
}

static void take_spare(struct task *t, const struct cred *c)
{
	cred_drop_spare(t);
	refcount_add((struct refcount *)&c->refs, SPARE);
	t->spare_cred = c;
	t->nr_spare = SPARE;
}

const struct cred *cred_get_own(void)
{
	struct task *t = current;
	const struct cred *c = t->cred;

	DEBUG_ASSERT(!in_irq());
	if (unlikely(!t->nr_spare || t->spare_cred != c))
		take_spare(t, c);
	t->nr_spare--;
	return c;
}

void cred_put_own(const struct cred *c)
{
	struct task *t = current;

	DEBUG_ASSERT(!in_irq());
	if (likely(t->nr_spare && t->spare_cred == c && t->nr_spare < 2 * SPARE))
		t->nr_spare++;
	else
		cred_put(c);
}

const struct cred *cred_of(struct task *t)
{
	const struct cred *c;

	rcu_read_lock();
	do
		c = READ_ONCE(t->cred);
	while (!refcount_inc_not_zero((struct refcount *)&c->refs));
	rcu_read_unlock();
	return c;
}

struct cred *cred_prepare(void)
{
	struct cred *c = kmalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	(void)data_race(*c = *current->cred);	/* others may move its count, which this one does not keep */
	refcount_set(&c->refs, 1);
	if (c->ngroups) {
		c->groups = kmemdup(c->groups, c->ngroups * sizeof(u32), GFP_KERNEL);
		if (!c->groups) {
			kfree(c);
			return NULL;
		}
	} else {
		c->groups = NULL;
	}
	user_ref(c->user);
	return c;
}

void cred_commit(struct cred *c)
{
	const struct cred *old = current->cred;

	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid || c->fsgid != old->fsgid ||
	    (c->cap_permitted & ~old->cap_permitted)) {
		current->proc->dumpable = (u32)READ_ONCE(suid_dumpable);	/* another's secrets may be in memory now */
		current->pdeath_signal = 0;
	}
	if (c->user != old->user) {
		spin_lock_irq(&proc_lock);
		old->user->nr_tasks--;
		c->user->nr_tasks++;
		rcu_assign_pointer(current->cred, c);	/* the count follows the credentials that others see */
		spin_unlock_irq(&proc_lock);
	} else {
		rcu_assign_pointer(current->cred, c);
	}
	cred_drop_spare(current);
	cred_put(old);
}

void cred_abort(struct cred *c)
{
	user_unref(c->user);
	kfree(c->groups);
	kfree(c);
}

bool capable(int cap)
{
	return current->cred->cap_effective >> cap & 1;
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (c->fsgid == gid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

/* capabilities(7), "Effect of user ID changes on capabilities" */
void cred_fix_caps(struct cred *c, const struct cred *old)
{
	bool was = !old->uid || !old->euid || !old->suid, is = !c->uid || !c->euid || !c->suid;

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (was && !is) {
		if (!(c->securebits & (1u << SECURE_KEEP_CAPS)))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (!old->euid && c->euid)
		c->cap_effective = 0;
	else if (old->euid && !c->euid)
		c->cap_effective = c->cap_permitted;
}

struct ids { u32 r, e, s; };

/* Has u more processes than current's RLIMIT_NPROC allows?  Never root.  A racy look. */
static bool user_over_nproc(const struct user *u)
{
	return READ_ONCE(u->nr_tasks) > rlimit(RLIMIT_NPROC) && u != &root_user;
}

int cred_check_nproc(void)
{
	if (likely(!(current->pflags & PF_NPROC_EXCEEDED)))
		return 0;
	if (user_over_nproc(current_cred()->user))
		return -EAGAIN;
	current->pflags &= ~(u32)PF_NPROC_EXCEEDED;
	return 0;
}

static long set_ids(bool user, struct ids n)
{
	struct cred *c = cred_prepare();
	const struct cred *old = current->cred;

	if (!c)
		return -ENOMEM;
	if (user && n.r != old->uid) {
		struct user *u = user_find(n.r);

		if (!u) {
			cred_abort(c);
			return -EAGAIN;
		}
		user_unref(c->user);
		c->user = u;
		if (user_over_nproc(u))		/* becoming that user cannot fail: programs do not look; the next execve does */
			current->pflags |= PF_NPROC_EXCEEDED;
		else
			current->pflags &= ~(u32)PF_NPROC_EXCEEDED;
	}
	if (user) {
		c->uid = n.r;
		c->euid = c->fsuid = n.e;
		c->suid = n.s;
		cred_fix_caps(c, old);
	} else {
		c->gid = n.r;
		c->egid = c->fsgid = n.e;
		c->sgid = n.s;
	}
	cred_commit(c);
	return 0;
}

static struct ids get_ids(bool user)
{
	const struct cred *c = current->cred;

	return user ? (struct ids){ c->uid, c->euid, c->suid } : (struct ids){ c->gid, c->egid, c->sgid };
}

static bool one_of(u32 id, struct ids i, bool saved)
{
	return id == i.r || id == i.e || (saved && id == i.s);
}

static bool privileged(bool user)
{
	return capable(user ? CAP_SETUID : CAP_SETGID);
}

static long set_id(bool user, u32 id)
{
	struct ids i = get_ids(user);

	if (id == ~0u)
		return -EINVAL;
	if (privileged(user))
		i = (struct ids){ id, id, id };
	else if (id == i.r || id == i.s)
		i.e = id;
	else
		return -EPERM;
	return set_ids(user, i);
}

static long set_re(bool user, u32 r, u32 e)
{
	struct ids i = get_ids(user), n = i;

	if (r != ~0u) {
		if (!privileged(user) && r != i.r && r != i.e)
			return -EPERM;
		n.r = r;
	}
	if (e != ~0u) {
		if (!privileged(user) && !one_of(e, i, true))
			return -EPERM;
		n.e = e;
	}
	if (r != ~0u || (e != ~0u && e != i.r))
		n.s = n.e;
	return set_ids(user, n);
}

static long set_res(bool user, u32 r, u32 e, u32 s)
{
	struct ids i = get_ids(user), n = i;

	if (!privileged(user) && ((r != ~0u && !one_of(r, i, true)) || (e != ~0u && !one_of(e, i, true)) ||
				  (s != ~0u && !one_of(s, i, true))))
		return -EPERM;
	n.r = r != ~0u ? r : n.r;
	n.e = e != ~0u ? e : n.e;
	n.s = s != ~0u ? s : n.s;
	return set_ids(user, n);
}

static long put_res(struct ids i, u32 __user *r, u32 __user *e, u32 __user *s)
{
	return put_user(i.r, r) || put_user(i.e, e) || put_user(i.s, s) ? -EFAULT : 0;
}

long sys_setuid(u32 uid) { return set_id(true, uid); }
long sys_setgid(u32 gid) { return set_id(false, gid); }
long sys_setreuid(u32 ruid, u32 euid) { return set_re(true, ruid, euid); }
long sys_setregid(u32 rgid, u32 egid) { return set_re(false, rgid, egid); }
long sys_setresuid(u32 ruid, u32 euid, u32 suid) { return set_res(true, ruid, euid, suid); }
long sys_setresgid(u32 rgid, u32 egid, u32 sgid) { return set_res(false, rgid, egid, sgid); }
long sys_getresuid(void __user *r, void __user *e, void __user *s) { return put_res(get_ids(true), r, e, s); }
long sys_getresgid(void __user *r, void __user *e, void __user *s) { return put_res(get_ids(false), r, e, s); }
long sys_getuid(void) { return current->cred->uid; }
long sys_geteuid(void) { return current->cred->euid; }
long sys_getgid(void) { return current->cred->gid; }
long sys_getegid(void) { return current->cred->egid; }

/* The capabilities over files go with the filesystem uid. */
static void fix_fs_caps(struct cred *c, u32 old_fsuid)
{
	const u64 fs_caps = 1ul << CAP_CHOWN | 1ul << CAP_MKNOD | 1ul << CAP_DAC_OVERRIDE | 1ul << CAP_DAC_READ_SEARCH | 1ul << CAP_FOWNER |
			    1ul << CAP_FSETID | 1ul << CAP_LINUX_IMMUTABLE | 1ul << CAP_MAC_OVERRIDE;

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (!old_fsuid && c->fsuid)
		c->cap_effective &= ~fs_caps;
	else if (old_fsuid && !c->fsuid)
		c->cap_effective |= c->cap_permitted & fs_caps;
}

static long set_fs(bool user, u32 id)
{
	struct ids i = get_ids(user);
	u32 old = user ? current->cred->fsuid : current->cred->fsgid;
	struct cred *c;

	if (id == ~0u || (!privileged(user) && !one_of(id, i, true) && id != old))
		return old;
	c = cred_prepare();
	if (!c)
		return old;
	if (user) {
		c->fsuid = id;
		fix_fs_caps(c, old);
	} else {
		c->fsgid = id;
	}
	cred_commit(c);
	return old;
}

long sys_setfsuid(u32 uid) { return set_fs(true, uid); }
long sys_setfsgid(u32 gid) { return set_fs(false, gid); }

long sys_getgroups(int size, void __user *list)
{
	const struct cred *c = current->cred;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	return copy_to_user(list, c->groups, c->ngroups * sizeof(u32)) ? -EFAULT : (long)c->ngroups;
}

long sys_setgroups(int size, void __user *list)
{
	u32 *groups = NULL;
	struct cred *c;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		groups = kmalloc((size_t)size * sizeof(u32), GFP_KERNEL);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, list, (size_t)size * sizeof(u32))) {
			kfree(groups);
			return -EFAULT;
		}
	}
	c = cred_prepare();
	if (!c) {
		kfree(groups);
		return -ENOMEM;
	}
	kfree(c->groups);
	c->groups = groups;
	c->ngroups = (u32)size;
	cred_commit(c);
	return 0;
}

static long cap_header(void __user *hdr, u32 *words, int *pid)
{
	struct __user_cap_header_struct h;

	if (copy_from_user(&h, hdr, sizeof(h)))
		return -EFAULT;
	*pid = h.pid;
	if (h.version == _LINUX_CAPABILITY_VERSION_1) {
		*words = 1;
	} else if (h.version == _LINUX_CAPABILITY_VERSION_2 || h.version == _LINUX_CAPABILITY_VERSION_3) {
		*words = 2;
	} else {
		h.version = _LINUX_CAPABILITY_VERSION_3;
		return copy_to_user(hdr, &h, sizeof(h)) ? -EFAULT : -EINVAL;
	}
	return 0;
}

long sys_capget(void __user *hdr, void __user *data)
{
	struct __user_cap_data_struct d[2];
	const struct cred *c;
	struct task *t;
	u32 words;
	int pid;
	long err = cap_header(hdr, &words, &pid);

	if (err)
		return err == -EINVAL && !data ? 0 : err;
	if (pid < 0)
		return -EINVAL;
	rcu_read_lock();
	t = pid ? task_find(pid) : current;
	if (!t) {
		rcu_read_unlock();
		return -ESRCH;
	}
	c = rcu_dereference(t->cred);
	for (u32 i = 0; i < 2; i++)
		d[i] = (struct __user_cap_data_struct){ (u32)(c->cap_effective >> 32 * i), (u32)(c->cap_permitted >> 32 * i),
							(u32)(c->cap_inheritable >> 32 * i) };
	rcu_read_unlock();
	return data && copy_to_user(data, d, words * sizeof(d[0])) ? -EFAULT : 0;
}

long sys_capset(void __user *hdr, void __user *data)
{
	struct __user_cap_data_struct d[2] = { 0 };
	u64 eff, perm, inh;
	struct cred *c;
	u32 words;
	int pid;
	long err = cap_header(hdr, &words, &pid);

	if (err)
		return err;
	if (pid && pid != current->tid)
		return -EPERM;
	if (copy_from_user(d, data, words * sizeof(d[0])))
		return -EFAULT;
	eff = (d[0].effective | (u64)d[1].effective << 32) & CAP_ALL;
	perm = (d[0].permitted | (u64)d[1].permitted << 32) & CAP_ALL;
	inh = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAP_ALL;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	if ((perm & ~c->cap_permitted) || (eff & ~perm) ||
	    (!capable(CAP_SETPCAP) && (inh & ~(c->cap_inheritable | c->cap_permitted))) ||
	    (inh & ~(c->cap_inheritable | c->cap_bounding))) {
		cred_abort(c);
		return -EPERM;
	}
	c->cap_effective = eff;
	c->cap_permitted = perm;
	c->cap_inheritable = inh;
	c->cap_ambient &= perm & inh;
	cred_commit(c);
	return 0;
}
