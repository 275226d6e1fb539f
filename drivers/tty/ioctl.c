/* Terminal ioctls: settings, flow, job control, sizes.  tty_ioctl_common serves a pty's master too, acting on the slave. */
#include <arch/uaccess.h>
#include <asm/ioctls.h>
#include <drivers/tty/tty_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/time/time.h>
#include <linux/capability.h>

static const u32 bauds[] = { 0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
static const u32 bauds_ex[] = { 0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000,
				2500000, 3000000, 3500000, 4000000 };

static u32 baud_of(u32 cflag, u32 old)
{
	if ((cflag & CBAUD) == BOTHER)
		return old;
	return cflag & CBAUDEX ? bauds_ex[cflag & 15] : bauds[cflag & 15];
}

static int wait_drained(struct tty *tty, struct file *file)
{
	if (!tty->ops->pending)
		return 0;
	return wait_event_interruptible(&tty->write_wait, !tty->ops->pending(tty) || tty_file_dead(tty, file) || atomic_load(&tty->gone));
}

/* Output is stopped by ^S and started by ^Q, and a packet-mode master may do that itself. */
static bool stops_by_keys(const struct termios2 *t) { return (t->c_iflag & IXON) && t->c_cc[VSTART] == 17 && t->c_cc[VSTOP] == 19; }

/* What is locked stays in t as it is.  A driver's settings are locked by root, and bind root too. */
static void keep_locked(struct tty *tty, struct termios2 *t)
{
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);
	const struct termios2 *old = &tty->ld.t;
	const struct termios *locked = &tty->locked;

	t->c_iflag ^= (t->c_iflag ^ old->c_iflag) & locked->c_iflag;
	t->c_oflag ^= (t->c_oflag ^ old->c_oflag) & locked->c_oflag;
	t->c_cflag ^= (t->c_cflag ^ old->c_cflag) & locked->c_cflag;
	t->c_lflag ^= (t->c_lflag ^ old->c_lflag) & locked->c_lflag;
	if (locked->c_line)
		t->c_line = old->c_line;
	for (u32 i = 0; i < NCCS; i++)
		if (locked->c_cc[i])
			t->c_cc[i] = old->c_cc[i];
	spin_unlock_irqrestore(&tty->ld_lock, flags);
}

static void apply_termios(struct tty *tty, struct termios2 *t)
{
	bool was_stopped = tty->ld.stopped, keys, old_keys = stops_by_keys(&tty->ld.t), external = (tty->ld.t.c_lflag | t->c_lflag) & EXTPROC;
	irqflags_t flags;

	keep_locked(tty, t);
	t->c_ospeed = baud_of(t->c_cflag, t->c_ospeed);
	t->c_ispeed = (t->c_cflag >> IBSHIFT) & CBAUD ? baud_of(t->c_cflag >> IBSHIFT, t->c_ispeed) : t->c_ospeed;
	flags = spin_lock_irqsave(&tty->ld_lock);
	ldisc_set_termios(&tty->ld, t);
	spin_unlock_irqrestore(&tty->ld_lock, flags);
	if (was_stopped && !tty->ld.stopped)
		tty_write_wakeup(tty);
	wake_up_all(&tty->read_wait);	/* what counts as readable may have changed */
	keys = stops_by_keys(t);
	if (tty->ops->changed && (keys != old_keys || external))
		tty->ops->changed(tty, (u8)((keys == old_keys ? 0 : keys ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP) | (external ? TIOCPKT_IOCTL : 0)));
}

/* The settings t, once what was written has gone out (drain), and what was typed is forgotten (flush). */
static long change_termios(struct tty *tty, struct file *file, struct termios2 *t, bool drain, bool flush)
{
	int err = drain ? wait_drained(tty, file) : 0;

	if (err)
		return err;
	mutex_lock(&tty->termios_mutex);
	if (flush)
		tty_flush_input(tty);
	apply_termios(tty, t);
	mutex_unlock(&tty->termios_mutex);
	return 0;
}

/* From user memory, in the layout of the call; size says which. */
static long set_termios(struct tty *tty, struct file *file, u64 arg, size_t size, bool drain, bool flush)
{
	struct termios2 t;
	int err = tty_check_change(tty, SIGTTOU);

	if (err)
		return err;
	t = tty->ld.t;
	if (copy_from_user(&t, user_ptr(arg), size))
		return -EFAULT;
	return change_termios(tty, file, &t, drain, flush);
}

static long set_termio(struct tty *tty, struct file *file, u64 arg, bool drain, bool flush)
{
	struct termio old;
	struct termios2 t = tty->ld.t;
	int err = tty_check_change(tty, SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&old, user_ptr(arg), sizeof(old)))
		return -EFAULT;
	t.c_iflag = (t.c_iflag & 0xffff0000u) | old.c_iflag;
	t.c_oflag = (t.c_oflag & 0xffff0000u) | old.c_oflag;
	t.c_cflag = (t.c_cflag & 0xffff0000u) | old.c_cflag;
	t.c_lflag = (t.c_lflag & 0xffff0000u) | old.c_lflag;
	t.c_line = old.c_line;
	memcpy(t.c_cc, old.c_cc, NCC);
	return change_termios(tty, file, &t, drain, flush);
}

static long get_termio(struct tty *tty, u64 arg)
{
	struct termios2 t = tty->ld.t;
	struct termio old = { .c_iflag = (u16)t.c_iflag, .c_oflag = (u16)t.c_oflag, .c_cflag = (u16)t.c_cflag,
			      .c_lflag = (u16)t.c_lflag, .c_line = t.c_line };

	memcpy(old.c_cc, t.c_cc, NCC);
	return copy_to_user(user_ptr(arg), &old, sizeof(old));
}

static long flush_queue(struct tty *tty, u64 which)
{
	int err = tty_check_change(tty, SIGTTOU);

	if (err)
		return err;
	if (which > TCIOFLUSH)
		return -EINVAL;
	if (which != TCOFLUSH)
		tty_flush_input(tty);
	if (which != TCIFLUSH && tty->ops->flush) {
		tty->ops->flush(tty);
		tty_write_wakeup(tty);
	}
	if (tty->ops->changed)
		tty->ops->changed(tty, which == TCIFLUSH ? TIOCPKT_FLUSHREAD : which == TCOFLUSH ? TIOCPKT_FLUSHWRITE :
				  TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
	return 0;
}

static long flow_control(struct tty *tty, u64 what)
{
	int err = tty_check_change(tty, SIGTTOU);
	u8 c;

	if (err)
		return err;
	switch (what) {
	case TCOOFF:
	case TCOON:
		tty_flow(tty, what == TCOOFF);
		return 0;
	case TCIOFF:
	case TCION:
		c = tty->ld.t.c_cc[what == TCIOFF ? VSTOP : VSTART];
		if (c)
			tty->ops->write(tty, &c, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

int tty_set_winsize(struct tty *tty, const struct winsize *ws)
{
	irqflags_t flags = spin_lock_irqsave(&tty->lock);
	bool changed = memcmp(&tty->winsize, ws, sizeof(*ws)) != 0;

	tty->winsize = *ws;
	spin_unlock_irqrestore(&tty->lock, flags);
	if (changed)
		tty_signal_pgrp(tty, SIGWINCH);
	return 0;
}

static long set_pgrp(struct tty *tty, u64 arg)
{
	struct process *p = current->proc;
	irqflags_t flags;
	s32 pgrp;
	int err = tty_check_change(tty, SIGTTOU);

	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (READ_ONCE(p->ctty) != tty || READ_ONCE(tty->session) != READ_ONCE(p->sid))
		return -ENOTTY;
	if (get_user(pgrp, (s32 __user *)user_ptr(arg)))
		return -EFAULT;
	if (pgrp < 0)
		return -EINVAL;
	if (!pgrp_in_session(pgrp, READ_ONCE(p->sid)))
		return -EPERM;
	flags = spin_lock_irqsave(&tty->lock);
	if (tty->session == READ_ONCE(p->sid))		/* it may have been hung up, and be another session's */
		tty->pgrp = pgrp;
	else
		err = -ENOTTY;
	spin_unlock_irqrestore(&tty->lock, flags);
	return err;
}

static long simulate_input(struct tty *tty, u64 arg)
{
	u8 c;

	if (READ_ONCE(current->proc->ctty) != tty && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, (u8 __user *)user_ptr(arg)))
		return -EFAULT;
	tty_receive(tty, &c, 1);
	return 0;
}

static long get_locked(struct tty *tty, u64 arg)
{
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);
	struct termios locked = tty->locked;

	spin_unlock_irqrestore(&tty->ld_lock, flags);
	return copy_to_user(user_ptr(arg), &locked, sizeof(locked));
}

static long set_locked(struct tty *tty, u64 arg)
{
	struct termios locked;
	irqflags_t flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&locked, user_ptr(arg), sizeof(locked)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty->ld_lock);
	tty->locked = locked;
	spin_unlock_irqrestore(&tty->ld_lock, flags);
	return 0;
}

long tty_ioctl_common(struct tty *tty, struct file *file, u32 cmd, u64 arg)
{
	struct termios2 t;
	struct winsize ws;

	switch (cmd) {
	case TCGETS:
		t = tty->ld.t;
		return copy_to_user(user_ptr(arg), &t, sizeof(struct termios));
	case TCGETS2:
		t = tty->ld.t;
		return copy_to_user(user_ptr(arg), &t, sizeof(t));
	case TCGETA:
		return get_termio(tty, arg);
	case TCSETS: case TCSETSW: case TCSETSF:
		return set_termios(tty, file, arg, sizeof(struct termios), cmd != TCSETS, cmd == TCSETSF);
	case TCSETS2: case TCSETSW2: case TCSETSF2:
		return set_termios(tty, file, arg, sizeof(t), cmd != TCSETS2, cmd == TCSETSF2);
	case TCSETA: case TCSETAW: case TCSETAF:
		return set_termio(tty, file, arg, cmd != TCSETA, cmd == TCSETAF);
	case TIOCGLCKTRMIOS:
		return get_locked(tty, arg);
	case TIOCSLCKTRMIOS:
		return set_locked(tty, arg);
	case TCFLSH:
		return flush_queue(tty, arg);
	case TIOCGWINSZ:
		ws = tty->winsize;
		return copy_to_user(user_ptr(arg), &ws, sizeof(ws));
	case TIOCSWINSZ:
		if (copy_from_user(&ws, user_ptr(arg), sizeof(ws)))
			return -EFAULT;
		return tty_set_winsize(tty, &ws);
	default:
		return -ENOTTY;
	}
}

static long send_break(struct tty *tty, struct file *file, u32 cmd, u64 arg)
{
	int err = tty_check_change(tty, SIGTTOU);

	if (!err)
		err = wait_drained(tty, file);
	if (!err && tty->ops->send_break && (cmd == TCSBRKP || !arg))
		tty->ops->send_break(tty, cmd == TCSBRKP && arg ? arg * 100 * NSEC_PER_MSEC : 250 * NSEC_PER_MSEC);
	return err;
}

static long session_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
	bool mine = READ_ONCE(current->proc->ctty) == tty;

	switch (cmd) {
	case TIOCGPGRP:
		return mine ? put_user(READ_ONCE(tty->pgrp), (s32 __user *)user_ptr(arg)) : -ENOTTY;
	case TIOCSPGRP:
		return set_pgrp(tty, arg);
	case TIOCGSID:
		return mine && tty->session > 0 ? put_user(tty->session, (s32 __user *)user_ptr(arg)) : -ENOTTY;
	case TIOCSCTTY:
		return tty_set_ctty(tty, arg == 1);
	default:	/* TIOCNOTTY */
		if (!mine)
			return -ENOTTY;
		tty_drop_ctty(tty);
		return 0;
	}
}

long tty_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct tty *tty = file->private;
	u32 n;

	if (tty_file_dead(tty, file))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (cmd) {
	case TIOCGPGRP: case TIOCSPGRP: case TIOCGSID: case TIOCSCTTY: case TIOCNOTTY:
		return session_ioctl(tty, cmd, arg);
	case TCSBRK: case TCSBRKP:
		return send_break(tty, file, cmd, arg);
	case TCXONC:
		return flow_control(tty, arg);
	case FIONREAD:
		n = ldisc_count(&tty->ld);
		return put_user((s32)n, (s32 __user *)user_ptr(arg));
	case TIOCOUTQ:
		n = tty->ops->pending ? tty->ops->pending(tty) : 0;
		return put_user((s32)n, (s32 __user *)user_ptr(arg));
	case TIOCSTI:
		return simulate_input(tty, arg);
	case TIOCEXCL:
	case TIOCNXCL:
		tty->exclusive = cmd == TIOCEXCL;
		return 0;
	case TIOCGEXCL:
		return put_user((s32)tty->exclusive, (s32 __user *)user_ptr(arg));
	case TIOCGDEV:
		n = DEV_MAJOR(tty->dev) << 8 | (DEV_MINOR(tty->dev) & 0xff);
		return put_user(n, (u32 __user *)user_ptr(arg));
	case TIOCGETD:
		return put_user(0, (s32 __user *)user_ptr(arg));
	case TIOCSBRK: case TIOCCBRK:
		return 0;
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(tty);
		return 0;
	default:
		return tty_ioctl_common(tty, file, cmd, arg);
	}
}
