/* Pseudo-terminals: /dev/ptmx makes a pair; the slave is a terminal like any other, whose device is the master.
 *
 * What the slave writes (and echoes) goes into the pair's ring, from which the master reads; what the master writes is received by the
 * slave's line discipline.  The ring's lock is a device lock (LC_DEVICE), taken under the slave's ldisc lock by its echo.
 *
 * Lifetime: the slave struct tty is embedded and counts references for the pair: one of the master file, one for each slave file.
 * Closing the master hangs the slave up, marks it gone and takes its node out of devpts; the pair is freed with the last reference.
 * A master whose slave has been opened and is closed again reads what is left, then EIO, until somebody opens the slave anew. */
#include <arch/uaccess.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <drivers/tty/pty.h>
#include <drivers/tty/tty_internal.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sysctl.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>

#define RING 8192u

struct pty {
	struct tty slave;
	struct super *sb;		/* [I] devpts, the instance */
	u32 index;			/* [I] there */
	bool locked;			/* [a] TIOCSPTLCK */
	bool slave_closed;		/* [a] was open, is not */
	struct spinlock lock;		/* LC_DEVICE */
	u32 head, tail;			/* [lock] of ring, free-running */
	bool packet;			/* [lock] */
	u8 status;			/* [lock] TIOCPKT_* to be told */
	struct wait_queue read_wait, write_wait;	/* the master's */
	u8 *ring;			/* [I] */
};

static DEFINE_MUTEX(table_mutex, LC_CONSOLE_MUTEX);
static u64 pty_nr, pty_max = 4096;		/* [table_mutex] of all instances */
SYSCTL(pty_max, "kernel/pty/max", .value = &pty_max, .min = 0, .max = PTY_INDEX_MAX);

static int pty_nr_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%lu\n", READ_ONCE(pty_nr));
	return 0;
}
PROC_FILE(pty_nr, .path = "sys/kernel/pty/nr", .mode = 0444, .show = pty_nr_show);

static struct pty *pty_of(struct tty *tty) { return container_of(tty, struct pty, slave); }

/* --- the slave's device ------------------------------------------------------------------------------------------------------- */
static u32 slave_write(struct tty *tty, const u8 *s, u32 n)
{
	struct pty *p = pty_of(tty);
	irqflags_t flags = spin_lock_irqsave(&p->lock);
	u32 at = p->head % RING, first;

	n = min(n, RING - (p->head - p->tail));
	first = min(n, RING - at);
	memcpy(p->ring + at, s, first);
	memcpy(p->ring, s + first, n - first);
	p->head += n;
	spin_unlock_irqrestore(&p->lock, flags);
	if (n)
		wake_up_key(&p->read_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
	return n;
}

static u32 slave_room(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	return RING - (READ_ONCE(p->head) - READ_ONCE(p->tail));
}

static u32 slave_pending(struct tty *tty)
{
	(void)tty;
	return 0;	/* as on Linux: what the master has not read counts as sent */
}

static void slave_flush(struct tty *tty)
{
	struct pty *p = pty_of(tty);
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	p->tail = p->head;
	spin_unlock_irqrestore(&p->lock, flags);
}

static void slave_input_taken(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	if (wait_queue_active(&p->write_wait))
		wake_up_key(&p->write_wait, (void *)(u64)(EPOLLOUT | EPOLLWRNORM));
}

static void slave_changed(struct tty *tty, u8 status)
{
	struct pty *p = pty_of(tty);
	irqflags_t flags = spin_lock_irqsave(&p->lock);
	bool tell = p->packet;

	if (tell) {	/* of two opposites the last one counts */
		if (status & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP))
			p->status &= (u8)~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
		if (status & (TIOCPKT_STOP | TIOCPKT_START))
			p->status &= (u8)~(TIOCPKT_STOP | TIOCPKT_START);
		p->status |= status;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (tell)
		wake_up_key(&p->read_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM | EPOLLPRI));
}

static int slave_open(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	if (p->locked || tty->gone)
		return -EIO;
	atomic_store(&p->slave_closed, false);
	return 0;
}

static void slave_last_close(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	atomic_store(&p->slave_closed, true);
	wake_up_all(&p->read_wait);
	wake_up_all(&p->write_wait);
}

static void slave_destroy(struct tty *tty)
{
	struct pty *p = pty_of(tty);

	kfree(p->ring);
	kfree(p);
}

static const struct tty_ops slave_ops = {
	.write = slave_write, .room = slave_room, .pending = slave_pending, .flush = slave_flush, .input_taken = slave_input_taken,
	.open = slave_open, .last_close = slave_last_close, .changed = slave_changed, .destroy = slave_destroy, .is_pty = true,
};

/* --- the master's file -------------------------------------------------------------------------------------------------------- */
static bool master_readable(struct pty *p) { return READ_ONCE(p->head) != READ_ONCE(p->tail) || (p->packet && p->status); }

/* master_take - a piece of the ring, or in packet mode the status byte alone; *status set if so */
static u32 master_take(struct pty *p, u8 *buf, u32 n, u8 *status)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);
	u32 at = p->tail % RING;

	*status = p->packet ? p->status : 0;
	p->status = 0;
	n = *status ? 0 : min(min(n, p->head - p->tail), RING - at);
	memcpy(buf, p->ring + at, n);
	p->tail += n;
	spin_unlock_irqrestore(&p->lock, flags);
	return n;
}

static ssize_t master_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct pty *p = file->private;
	size_t total = 0;
	u8 buf[256], status, zero = 0;
	u32 n;
	int err;

	(void)pos;
	if (!to->count)
		return 0;
	while (!master_readable(p)) {
		if (atomic_load(&p->slave_closed))
			return -EIO;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->read_wait, master_readable(p) || atomic_load(&p->slave_closed));
		if (err)
			return err;
	}
	while (to->count) {
		bool packet = p->packet && !total;

		n = master_take(p, buf, (u32)min_t(size_t, to->count - packet, sizeof(buf)), &status);
		if (status)
			return copy_to_iter(&status, 1, to) == 1 ? 1 : -EFAULT;
		if (!n)
			break;
		if (packet)
			total += copy_to_iter(&zero, 1, to);
		if (copy_to_iter(buf, n, to) != n)
			return total ? (ssize_t)total : -EFAULT;
		total += n;
	}
	if (total)
		tty_write_wakeup(&p->slave);
	return (ssize_t)total;
}

static u32 master_room(struct pty *p) { return ldisc_room(&p->slave.ld); }

static ssize_t master_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct pty *p = file->private;
	size_t total = 0, n;
	u8 buf[256];
	u32 room;
	int err;

	(void)pos;
	while (from->count) {
		if (atomic_load(&p->slave_closed))
			return total ? (ssize_t)total : -EIO;
		room = master_room(p);
		if (!room) {
			if (total && (file->flags & O_NONBLOCK))
				break;
			if (file->flags & O_NONBLOCK)
				return -EAGAIN;
			err = wait_event_interruptible(&p->write_wait, master_room(p) || atomic_load(&p->slave_closed));
			if (err)
				return total ? (ssize_t)total : err;
			continue;
		}
		n = copy_from_iter(buf, min_t(size_t, min_t(size_t, from->count, room), sizeof(buf)), from);
		if (!n)
			return total ? (ssize_t)total : -EFAULT;
		tty_receive(&p->slave, buf, (u32)n);
		total += n;
	}
	return (ssize_t)total;
}

static u32 master_poll(struct file *file, struct poll_table *pt)
{
	struct pty *p = file->private;
	u32 mask = 0;

	poll_wait(pt, file, &p->read_wait);
	poll_wait(pt, file, &p->write_wait);
	if (master_readable(p))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (p->packet && p->status)
		mask |= EPOLLPRI;
	if (atomic_load(&p->slave_closed))
		mask |= EPOLLHUP;
	else if (master_room(p))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

static long set_packet(struct pty *p, u64 arg)
{
	s32 on;
	irqflags_t flags;

	if (get_user(on, (s32 __user *)user_ptr(arg)))
		return -EFAULT;
	flags = spin_lock_irqsave(&p->lock);
	p->packet = on != 0;
	p->status = 0;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

/* The slave, whatever its name is to the caller now: through the mount that the master's file goes by. */
static long open_peer(struct pty *p, struct file *master, u32 o_flags)
{
	struct path where;
	struct file *f;
	int err = devpts_of(&master->path, &where);

	if (err)
		return err;
	err = where.dentry->sb == p->sb ? devpts_open(&where, p->index, o_flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC), &f) : -ENODEV;
	path_put(&where);
	if (err)
		return err;
	err = fd_install_new(f, o_flags);
	if (err < 0)
		file_put(f);
	return err;
}

static long master_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct pty *p = file->private;
	s32 v, session;

	switch (cmd) {
	case TIOCGPTN:
		return put_user(p->index, (u32 __user *)user_ptr(arg));
	case TIOCSPTLCK:
		if (get_user(v, (s32 __user *)user_ptr(arg)))
			return -EFAULT;
		p->locked = v != 0;
		return 0;
	case TIOCGPTLCK:
		return put_user((s32)p->locked, (s32 __user *)user_ptr(arg));
	case TIOCPKT:
		return set_packet(p, arg);
	case TIOCGPKT:
		return put_user((s32)p->packet, (s32 __user *)user_ptr(arg));
	case TIOCGPTPEER:
		return open_peer(p, file, (u32)arg);
	case TIOCSIG:
		if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
			return -EINVAL;
		tty_signal_pgrp(&p->slave, (int)arg);
		return 0;
	case TIOCGPGRP:
		return put_user(READ_ONCE(p->slave.pgrp), (s32 __user *)user_ptr(arg));
	case TIOCGSID:
		session = READ_ONCE(p->slave.session);
		return session > 0 ? put_user(session, (s32 __user *)user_ptr(arg)) : -ENOTTY;
	case FIONREAD:
		return put_user((s32)(READ_ONCE(p->head) - READ_ONCE(p->tail)), (s32 __user *)user_ptr(arg));
	case TIOCOUTQ:
		return put_user((s32)ldisc_count(&p->slave.ld), (s32 __user *)user_ptr(arg));
	default:
		return tty_ioctl_common(&p->slave, file, cmd, arg);
	}
}

static void master_release(struct file *file)
{
	struct pty *p = file->private;

	if (!p)
		return;
	devpts_remove(p->sb, p->index);
	mutex_lock(&table_mutex);
	pty_nr--;
	mutex_unlock(&table_mutex);
	atomic_store(&p->slave.gone, true);
	tty_hangup(&p->slave);
	tty_put(&p->slave);
}

static const struct file_ops master_fops = {
	.release = master_release, .read = master_read, .write = master_write, .poll = master_poll, .ioctl = master_ioctl,
};

static struct pty *pty_create(void)
{
	struct pty *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	p->ring = kmalloc(RING, GFP_KERNEL);
	if (!p->ring) {
		kfree(p);
		return NULL;
	}
	tty_init(&p->slave, &slave_ops, p, "pts", MKDEV_K(136, 0));
	p->slave.ld.t.c_cflag &= ~(u32)HUPCL;		/* there is no line */
	spin_lock_init(&p->lock, LC_DEVICE);
	wait_queue_init(&p->read_wait);
	wait_queue_init(&p->write_wait);
	p->locked = true;
	return p;
}

/* One more pair, and a node for its slave.  Nobody can open that before it has its name: table_mutex. */
static int pty_add(struct super *sb, struct pty *p)
{
	int err = -ENOSPC;

	mutex_lock(&table_mutex);
	if (pty_nr < pty_max) {
		err = devpts_add(sb, p, current_cred()->fsuid, current_cred()->fsgid, &p->index);
		pty_nr += !err;
	}
	if (!err) {
		p->sb = sb;
		p->slave.dev = MKDEV_K(136, p->index);
		ksnprintf(p->slave.name, sizeof(p->slave.name), "pts/%u", p->index);
	}
	mutex_unlock(&table_mutex);
	return err;
}

static int ptmx_open(struct inode *inode, struct file *file)
{
	struct path where;
	struct pty *p;
	int err = devpts_of(&file->path, &where);

	(void)inode;
	if (err)
		return err;
	p = pty_create();
	err = p ? pty_add(where.dentry->sb, p) : -ENOMEM;
	path_put(&where);
	if (err) {
		if (p)
			tty_put(&p->slave);
		return err;
	}
	file->private = p;
	file->ops = &master_fops;
	file->mode |= FMODE_STREAM;
	return 0;
}

static void get_pty(void *pty) { tty_get(&((struct pty *)pty)->slave); }

static int pts_open(struct inode *inode, struct file *file)
{
	struct pty *p;
	int err;

	mutex_lock(&table_mutex);
	p = devpts_pty(inode, get_pty);
	mutex_unlock(&table_mutex);
	if (!p)
		return -EIO;
	err = tty_open_file(&p->slave, file);
	tty_put(&p->slave);
	return err;
}

TTY_DRIVER(pty_slave, "pty_slave", "pts", "pty:slave", 136, 0, PTY_INDEX_MAX - 1);

static const struct file_ops ptmx_fops = { .open = ptmx_open };
static const struct file_ops pts_fops = { .open = pts_open };
CHARDEV(ptmx, .name = "ptmx", .driver = "/dev/ptmx", .class = "tty", .dev = MKDEV_K(5, 2), .count = 1, .mode = 0666, .fops = &ptmx_fops);
CHARDEV(pts, .name = NULL, .driver = "pts", .dev = MKDEV_K(136, 0), .count = PTY_INDEX_MAX, .mode = 0620, .fops = &pts_fops);
