/* Job control: sessions, foreground groups, hang-up.
 *
 * process->ctty is under proc_lock; tty->session and tty->pgrp under tty->lock, taken inside it.  Both change together only here.
 * Signals are sent with neither held. */
#include <drivers/tty/tty_internal.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/signal.h>
#include <linux/capability.h>
#include <syscall_protos.h>

struct tty *tty_of_current(void)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	struct tty *tty = current->proc->ctty;

	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&proc_lock, flags);
	return tty;
}

void tty_signal_pgrp(struct tty *tty, int sig)
{
	s32 pgrp = READ_ONCE(tty->pgrp);

	if (pgrp > 0)
		signal_send_pgrp(pgrp, sig);
}

int tty_check_change(struct tty *tty, int sig)
{
	struct process *p = current->proc;
	s32 pgrp, own;

	if (READ_ONCE(p->ctty) != tty)
		return 0;
	pgrp = READ_ONCE(tty->pgrp);
	own = READ_ONCE(p->pgid);		/* a parent's setpgid() may be changing it */
	if (pgrp <= 0 || pgrp == own)
		return 0;
	if (signal_ignored_or_blocked(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_is_orphaned(own))
		return -EIO;
	signal_send_pgrp(own, sig);
	return -ERESTARTSYS;
}

/* clear_session - nobody has tty as controlling terminal any more; returns what it was.  proc_lock held. */
static void clear_session_locked(struct tty *tty, s32 *session, s32 *pgrp)
{
	struct task *t;

	list_for_each_entry(t, &all_tasks, all_link)
		if (t->proc && t->proc->ctty == tty)
			t->proc->ctty = NULL;
	spin_lock(&tty->lock);
	*session = tty->session;
	*pgrp = tty->pgrp;
	tty->session = tty->pgrp = 0;
	spin_unlock(&tty->lock);
}

static void clear_session(struct tty *tty, s32 *session, s32 *pgrp)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	clear_session_locked(tty, session, pgrp);
	spin_unlock_irqrestore(&proc_lock, flags);
}

int tty_set_ctty(struct tty *tty, bool force)
{
	struct process *p = current->proc;
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	s32 s, g;
	int err = 0;

	if (p->ctty == tty && tty->session == p->sid)
		goto out;
	if (!p->session_leader || p->ctty) {
		err = -EPERM;
		goto out;
	}
	if (tty->session) {
		if (!force || !capable(CAP_SYS_ADMIN)) {
			err = -EPERM;
			goto out;
		}
		clear_session_locked(tty, &s, &g);
	}
	spin_lock(&tty->lock);
	tty->session = p->sid;
	tty->pgrp = p->pgid;
	spin_unlock(&tty->lock);
	p->ctty = tty;
out:
	spin_unlock_irqrestore(&proc_lock, flags);
	return err;
}

void tty_drop_ctty(struct tty *tty)
{
	struct process *p = current->proc;
	irqflags_t flags;
	s32 session, pgrp;

	if (p->session_leader) {
		clear_session(tty, &session, &pgrp);
		if (pgrp > 0) {
			signal_send_pgrp(pgrp, SIGHUP);
			signal_send_pgrp(pgrp, SIGCONT);
		}
		return;
	}
	flags = spin_lock_irqsave(&proc_lock);
	p->ctty = NULL;
	spin_unlock_irqrestore(&proc_lock, flags);
}

void tty_hangup(struct tty *tty)
{
	s32 session, pgrp;

	clear_session(tty, &session, &pgrp);
	atomic_inc(&tty->generation);
	tty_flush_input(tty);
	if (tty->ops->flush)
		tty->ops->flush(tty);
	wake_up_all(&tty->read_wait);
	wake_up_all(&tty->write_wait);
	if (session > 0) {
		signal_send_session_leader(session, SIGHUP);
		signal_send_session_leader(session, SIGCONT);
	}
	if (pgrp > 0) {
		signal_send_pgrp(pgrp, SIGHUP);
		signal_send_pgrp(pgrp, SIGCONT);
	}
}

/* vhangup(2): current's terminal is as if its line had been cut. */
long sys_vhangup(void)
{
	struct tty *tty;

	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty = tty_of_current();
	if (tty) {
		tty_hangup(tty);
		tty_put(tty);
	}
	return 0;
}

void tty_session_exit(struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	struct tty *tty = p->ctty;
	s32 session, pgrp;

	if (tty)
		tty_get(tty);
	spin_unlock_irqrestore(&proc_lock, flags);
	if (!tty)
		return;
	if (tty->ops->is_pty) {
		clear_session(tty, &session, &pgrp);
		if (pgrp > 0) {
			signal_send_pgrp(pgrp, SIGHUP);
			signal_send_pgrp(pgrp, SIGCONT);
		}
	} else {
		tty_hangup(tty);
	}
	tty_put(tty);
}

static int jobctl_init(void)
{
	tty_session_exit_hook = tty_session_exit;
	return 0;
}
BOOT_INIT(core, jobctl_init);

void tty_stat_info(struct process *p, u32 *tty_nr, s32 *tpgid)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	struct tty *tty = p->ctty;

	*tty_nr = 0;
	*tpgid = -1;
	if (tty) {
		*tty_nr = (DEV_MINOR(tty->dev) & 0xff) | DEV_MAJOR(tty->dev) << 8 | (DEV_MINOR(tty->dev) & ~0xffu) << 12;
		*tpgid = tty->pgrp;
	}
	spin_unlock_irqrestore(&proc_lock, flags);
}
