/* What execve makes of credentials: set-id programs and capabilities.
 *
 * All is computed beforehand, while an error can still be told and since the new program's stack says it (AT_SECURE, AT_EUID), and becomes so when the
 * process has one thread left.  Nobody but current changes its credentials; no_new_privs alone can come from another thread in between
 * (seccomp.c), so that is looked at again.
 *
 * With P the task's sets, F the file's, P' the new ones (capabilities(7)):
 *	P'(ambient)	= file is set-id or has capabilities ? 0 : P(ambient)
 *	P'(permitted)	= (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding)) | P'(ambient)
 *	P'(effective)	= F(effective) ? P'(permitted) : P'(ambient)
 * A file run by or as root counts as having all (SECBIT_NOROOT: not so), unless it is set-user-id root, has capabilities of its own, and its starter
 * is not root: then it gets those.  A file with the effective bit is of the kind that does not know about capabilities: it is not run
 * with fewer than it should have (EPERM).
 *
 * Who is traced by somebody without CAP_SYS_PTRACE, shares its directories with another process, or has no_new_privs, gains nothing: no ids (unless
 * it may set its uid anyway; not with no_new_privs) and no capabilities.  From then until the new credentials stand, exec_gains keeps such tracers
 * out (ptrace.c), and fs/fs_struct.c such sharers.
 *
 * "Secure" is a program whose ids differ from its starter's, or that, root not being involved, has capabilities other than ambient ones: it
 * is told so, forgets its parent-death signal, and has a stack of usual size.  execve(2), getauxval(3), Linux's documentation of no_new_privs. */
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/personality.h>
#include <linux/securebits.h>
#include <linux/stat.h>
#include <fs/file_caps.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/exec_cred.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>

#define SECURE_STACK	(8ul << 20)	/* the stack limit of a secure program, at most */

static bool nosuid(const struct file *f) { return f->path.mnt->flags & MS_NOSUID; }

/* The ids that the file's mode gives. */
static void take_ids(struct exec_cred *e, const struct file *f)
{
	const struct inode *i = f->inode;
	u32 mode = READ_ONCE(i->mode);

	if (e->no_new_privs || nosuid(f))
		return;
	if (mode & S_ISUID) {
		e->new->euid = READ_ONCE(i->uid);
		e->clear = PER_CLEAR_ON_SETID;
	}
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		e->new->egid = READ_ONCE(i->gid);
		e->clear = PER_CLEAR_ON_SETID;
	}
}

/* The permitted set by the file's own capabilities.  *has: it has some; *effective: its bit. */
static int take_caps(struct cred *c, const struct file *f, bool *has, bool *effective)
{
	struct file_caps caps;
	int err;

	c->cap_permitted = 0;
	if (nosuid(f))
		return 0;
	err = file_caps_get(f->inode, &caps);
	if (err == -EINVAL)
		printk_ratelimited(LOG_NOTICE "exec: inode %lu has damaged capabilities\n", f->inode->ino);
	if (err)
		return err == -ENODATA ? 0 : err;
	*has = true;
	*effective = caps.effective;
	caps.permitted &= CAP_ALL;
	c->cap_permitted = (caps.permitted & c->cap_bounding) | (caps.inheritable & c->cap_inheritable);
	return caps.effective && (caps.permitted & ~c->cap_permitted) ? -EPERM : 0;
}

/* What being root gives beyond. */
static void take_root(struct cred *c, bool has, bool *effective)
{
	if (c->securebits & (1u << SECURE_NOROOT) || (has && c->uid && !c->euid))
		return;
	if (!c->euid || !c->uid)
		c->cap_permitted = c->cap_inheritable | c->cap_bounding;
	if (!c->euid)
		*effective = true;
}

/* May current gain by this exec?  If so, nobody with fewer rights begins to trace it, and nobody else moves its directories, from here on. */
static bool may_gain(struct exec_cred *e)
{
	bool may;

	if (e->no_new_privs || !fs_struct_exec_begin(current->fs))
		return false;
	e->fs = current->fs;
	spin_lock_irq(&proc_lock);
	may = !current->ptrace || (current->ptrace & PT_CAPABLE);
	if (may) {
		current->proc->exec_gains++;
		e->counted = true;
	}
	spin_unlock_irq(&proc_lock);
	return may;
}

static bool other_ids(const struct cred *c, const struct cred *old) { return c->euid != old->uid || c->egid != old->gid; }

int exec_cred_prepare(struct exec_cred *e, struct file *f)
{
	const struct cred *old = current->cred;
	bool effective = false, has = false, setid;
	struct cred *c = cred_prepare();
	int err;

	if (!c)
		return -ENOMEM;
	e->new = c;
	e->no_new_privs = atomic_load(&current->no_new_privs);
	take_ids(e, f);
	err = take_caps(c, f, &has, &effective);
	if (err)
		return err;
	take_root(c, has, &effective);
	if (c->cap_permitted & ~old->cap_permitted)
		e->clear = PER_CLEAR_ON_SETID;
	setid = other_ids(c, old);
	if ((setid || c->cap_permitted & ~old->cap_permitted) && !may_gain(e)) {
		if (e->no_new_privs || !capable(CAP_SETUID)) {
			c->euid = c->uid;
			c->egid = c->gid;
		}
		c->cap_permitted &= old->cap_permitted;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (has || setid)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	e->secure = setid || (c->uid && (effective || c->cap_permitted & ~c->cap_ambient));
	e->changes = c->euid != old->euid || c->egid != old->egid || c->cap_permitted & ~old->cap_permitted;
	return 0;
}

u64 exec_cred_stack_limit(const struct exec_cred *e)
{
	u64 now = rlimit(RLIMIT_STACK);

	return e->secure ? min(now, SECURE_STACK) : now;
}

int exec_cred_commit(struct exec_cred *e, bool unreadable)
{
	const struct cred *old = current->cred;
	struct process *p = current->proc;
	u64 stack = exec_cred_stack_limit(e);

	/* From here on nobody else can set it.  A thread that did after exec_cred_prepare looked, with its filters, is not to be obeyed half. */
	if (atomic_load(&current->no_new_privs) && !e->no_new_privs && e->changes)
		return -EPERM;
	p->dumpable = unreadable || old->euid != old->uid || old->egid != old->gid ? (u32)READ_ONCE(suid_dumpable) : DUMP_USER;
	cred_commit(e->new);
	e->new = NULL;
	p->personality &= ~e->clear;
	if (likely(!e->secure))
		return 0;
	current->pdeath_signal = 0;
	spin_lock_irq(&p->sighand->lock);
	if (p->rlim->lim[RLIMIT_STACK].cur > stack)
		p->rlim->lim[RLIMIT_STACK].cur = stack;
	spin_unlock_irq(&p->sighand->lock);
	return 0;
}

void exec_cred_end(struct exec_cred *e)
{
	if (e->new)
		cred_abort(e->new);
	e->new = NULL;
	if (unlikely(e->fs))
		fs_struct_exec_end(e->fs);
	e->fs = NULL;
	if (likely(!e->counted))
		return;
	spin_lock_irq(&proc_lock);
	current->proc->exec_gains--;
	spin_unlock_irq(&proc_lock);
	e->counted = false;
}
