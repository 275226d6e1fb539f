/* Signals to the owner of an open file: SIGIO and SIGURG.  fasync.h says what for. */
#include <fs/fasync.h>
#include <fs/vfs.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <linux/fcntl.h>

void fasync_changed(struct fasync *a, const struct file *f, int fd, bool owner)
{
	a->pid = f->owner_pid;
	a->sig = f->owner_sig;
	a->thread = f->owner_type == F_OWNER_TID;
	if (owner) {
		a->uid = current_cred()->uid;
		a->euid = current_cred()->euid;
	} else {
		a->fd = fd;
	}
	WRITE_ONCE(a->on, (f->flags & FASYNC) != 0);
}

/* May the one who asked for SIGIO send signals to t? */
static bool may_signal(const struct fasync *a, struct task *t)
{
	const struct cred *c = cred_of(t);
	u32 uid = a->uid, euid = a->euid;
	bool ok = !euid || euid == c->suid || euid == c->uid || uid == c->suid || uid == c->uid;

	cred_put(c);
	return ok;
}

static void send_to_owner(const struct fasync *a, int sig, const siginfo_t *info)
{
	s32 pid = a->pid;

	if (pid < 0) {
		signal_send_pgrp(-pid, sig);
		return;
	}
	rcu_read_lock();
	if (a->thread) {
		struct task *t = task_find(pid);

		if (t && may_signal(a, t))
			signal_send_task(t, sig, info);
	} else {
		struct process *p = process_find(pid);

		if (p && p->leader && may_signal(a, p->leader))
			signal_send_process(p, sig, info);
	}
	rcu_read_unlock();
}

void fasync_signal(const struct fasync *a, int sig)
{
	if (a->pid)
		send_to_owner(a, sig, NULL);
}

void fasync_send(const struct fasync *a, int code, long band)
{
	siginfo_t info = { .si_signo = (int)a->sig, .si_code = code };

	if (!a->pid)
		return;
	info.si_band = band;
	info.si_fd = a->fd;
	send_to_owner(a, a->sig ? (int)a->sig : SIGIO, a->sig ? &info : NULL);
}
