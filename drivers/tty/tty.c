/* The terminal core: files on terminals, reading and writing through the line discipline, hang-up.
 *
 * A struct tty is one terminal (a pty's slave included).  Bytes from the device go through tty_receive, in interrupt context, into
 * the line discipline under ld_lock; what it reports (signals, readable, flow) is acted on after the lock is dropped, because
 * signals rank below it.  Writers go one at a time (write_mutex), in chunks that the driver has room for.  Readers likewise
 * (read_mutex).
 *
 * Hang-up: each file notes the terminal's generation when it opens; tty_hangup raises it, and every older file reads end of file
 * and writes EIO from then on.
 *
 * The controlling terminal is a plain pointer in the process, under proc_lock.  It needs no reference: before a terminal dies it is
 * hung up or released, which clears the pointer in every process that has it (jobctl.c). */
#include <asm/fcntl.h>
#include <drivers/base/kobject.h>
#include <drivers/tty/tty_internal.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/task.h>
#include <kernel/time/time.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>

#define CHUNK 256u

static DEFINE_MUTEX(tty_mutex, LC_CONSOLE_MUTEX);

struct device_class tty_class = { .name = "tty" };
CLASS(tty_class);

static void echo_out(void *arg, const u8 *s, u32 n)
{
	struct tty *tty = arg;

	tty->ops->write(tty, s, n);
}

static void drop_out(void *arg)
{
	struct tty *tty = arg;

	tty->ops->flush(tty);
}

void tty_init(struct tty *tty, const struct tty_ops *ops, void *data, const char *name, dev_t_k dev)
{
	refcount_set(&tty->refs, 1);
	tty->ops = ops;
	tty->data = data;
	strlcpy(tty->name, name, sizeof(tty->name));
	tty->dev = dev;
	spin_lock_init(&tty->lock, LC_TTY);
	spin_lock_init(&tty->ld_lock, LC_LDISC);
	ldisc_init(&tty->ld, echo_out, tty);
	tty->ld.drop = ops->flush ? drop_out : NULL;
	mutex_init(&tty->termios_mutex, LC_TTY_TERMIOS);
	mutex_init(&tty->read_mutex, LC_TTY_READ);
	mutex_init(&tty->write_mutex, LC_TTY_WRITE);
	wait_queue_init(&tty->read_wait);
	wait_queue_init(&tty->write_wait);
}

void tty_put(struct tty *tty)
{
	if (refcount_dec_and_test(&tty->refs) && tty->ops->destroy)
		tty->ops->destroy(tty);
}

/* --- input -------------------------------------------------------------------------------------------------------------------- */
static void act_on(struct tty *tty, u32 ev)
{
	if (ev & LD_SIGINT)
		tty_signal_pgrp(tty, SIGINT);
	if (ev & LD_SIGQUIT)
		tty_signal_pgrp(tty, SIGQUIT);
	if (ev & LD_SIGTSTP)
		tty_signal_pgrp(tty, SIGTSTP);
	if (tty->ops->changed) {
		u8 status = (u8)((ev & LD_FLUSH_OUT ? TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE : 0) |
				 (ev & LD_STOPPED ? TIOCPKT_STOP : 0) | (ev & LD_STARTED ? TIOCPKT_START : 0));

		if (status)
			tty->ops->changed(tty, status);
	}
	if (ev & (LD_STARTED | LD_FLUSH_OUT))
		tty_write_wakeup(tty);
	if (ev & (LD_READABLE | LD_FLUSH_OUT))
		wake_up_key(&tty->read_wait, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
}

void tty_receive(struct tty *tty, const u8 *s, u32 n)
{
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);
	u32 ev = ldisc_input(&tty->ld, s, n);

	spin_unlock_irqrestore(&tty->ld_lock, flags);
	if (ev)
		act_on(tty, ev);
}

void tty_write_wakeup(struct tty *tty)
{
	wake_up_key(&tty->write_wait, (void *)(u64)(EPOLLOUT | EPOLLWRNORM));
}

void tty_flush_input(struct tty *tty)
{
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);

	ldisc_flush_input(&tty->ld);
	spin_unlock_irqrestore(&tty->ld_lock, flags);
	if (tty->ops->input_taken)
		tty->ops->input_taken(tty);
}

void tty_flow(struct tty *tty, bool stop)
{
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);
	bool changed = tty->ld.stopped != stop;

	tty->ld.stopped = stop;
	spin_unlock_irqrestore(&tty->ld_lock, flags);
	if (!changed)
		return;
	if (tty->ops->changed)
		tty->ops->changed(tty, stop ? TIOCPKT_STOP : TIOCPKT_START);
	if (!stop)
		tty_write_wakeup(tty);
}

/* --- read --------------------------------------------------------------------------------------------------------------------- */
static int lock_for_io(struct mutex *m, const struct file *file)
{
	if (file->flags & O_NONBLOCK)
		return mutex_trylock(m) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(m);
}

/* take - move what a read may have into the iterator; *last: the read is complete. */
static size_t take(struct tty *tty, struct iov_iter *to, size_t want, bool *last)
{
	u8 chunk[CHUNK];
	size_t total = 0;

	*last = false;
	while (want && !*last) {
		u32 ask = (u32)min_t(size_t, want, CHUNK), n;
		irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);

		n = ldisc_read(&tty->ld, chunk, ask, last);
		spin_unlock_irqrestore(&tty->ld_lock, flags);
		if (n && copy_to_iter(chunk, n, to) != n) {
			*last = true;
			break;
		}
		total += n;
		want -= n;
		if (n < ask)
			break;
	}
	if (tty->ops->input_taken)
		tty->ops->input_taken(tty);
	return total;
}

/* wait_input - until a read can go on.  0; -EAGAIN, -ERESTARTSYS; -ETIMEDOUT; -EIO: hung up or gone. */
static int wait_input(struct tty *tty, struct file *file, u32 min, u64 deadline)
{
	int err;

	if (ldisc_readable(&tty->ld, min))
		return 0;
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(&tty->read_wait, ldisc_readable(&tty->ld, min) || tty_file_dead(tty, file) ||
					       atomic_load(&tty->gone), deadline);
	if (!err && !ldisc_readable(&tty->ld, min))
		return -EIO;
	return err;
}

static ssize_t read_canonical(struct tty *tty, struct file *file, struct iov_iter *to, size_t want)
{
	bool last;
	int err = wait_input(tty, file, 1, TIME_NEVER);

	if (err)
		return err == -EIO ? 0 : err;
	return (ssize_t)take(tty, to, want, &last);
}

static ssize_t read_raw(struct tty *tty, struct file *file, struct iov_iter *to, size_t want)
{
	u32 vmin = tty->ld.t.c_cc[VMIN];
	u64 vtime = tty->ld.t.c_cc[VTIME] * 100 * NSEC_PER_MSEC, deadline;
	size_t total = 0;
	bool last;
	int err = 0;

	if (vmin == 0) {
		if (!ldisc_readable(&tty->ld, 1) && !vtime)
			return 0;
		err = wait_input(tty, file, 1, clock_mono_ns() + vtime);
		if (!err)
			total = take(tty, to, want, &last);
		return err && err != -ETIMEDOUT && err != -EIO ? err : (ssize_t)total;
	}
	while (total < want && total < vmin) {
		deadline = vtime && total ? clock_mono_ns() + vtime : TIME_NEVER;
		/* with an inter-byte timer each byte counts; without, wait for all that is still missing at once */
		err = wait_input(tty, file, vtime ? 1 : min_t(u32, vmin - (u32)total, (u32)min_t(size_t, want - total, 255)), deadline);
		if (err)
			break;
		total += take(tty, to, want - total, &last);
		if (!to->count)
			break;
	}
	if (total)
		return (ssize_t)total;
	return err == -EIO || err == -ETIMEDOUT ? 0 : err;
}

static ssize_t tty_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct tty *tty = file->private;
	size_t want = to->count;
	ssize_t n;
	int err;

	(void)pos;
	if (tty_file_dead(tty, file))
		return 0;
	if (!want)
		return 0;
	for (;;) {
		err = tty_check_change(tty, SIGTTIN);
		if (err)
			return err;
		err = lock_for_io(&tty->read_mutex, file);
		if (err)
			return err;
		n = (tty->ld.t.c_lflag & (ICANON | EXTPROC)) == ICANON ? read_canonical(tty, file, to, want) : read_raw(tty, file, to, want);
		mutex_unlock(&tty->read_mutex);
		return n;
	}
}

/* --- write -------------------------------------------------------------------------------------------------------------------- */

/* push - give the driver as much of s as it has room for, processed; bytes of s consumed. */
static u32 push(struct tty *tty, const u8 *s, u32 n)
{
	u8 out[CHUNK];
	irqflags_t flags = spin_lock_irqsave(&tty->ld_lock);
	u32 used = 0, len, room = tty->ld.stopped ? 0 : tty->ops->room(tty);

	if (room >= 8) {
		len = ldisc_output(&tty->ld, s, n, out, min(room, CHUNK), &used);
		tty->ops->write(tty, out, len);
	}
	spin_unlock_irqrestore(&tty->ld_lock, flags);
	return used;
}

static bool may_push(struct tty *tty) { return !READ_ONCE(tty->ld.stopped) && tty->ops->room(tty) >= 8; }

static int write_chunk(struct tty *tty, struct file *file, const u8 *s, u32 n, u32 *done)
{
	int err;

	*done = 0;
	for (;;) {
		if (tty_file_dead(tty, file) || atomic_load(&tty->gone))
			return -EIO;
		*done += push(tty, s + *done, n - *done);
		if (*done == n)
			return 0;
		if (may_push(tty))
			continue;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&tty->write_wait, may_push(tty) || tty_file_dead(tty, file) || atomic_load(&tty->gone));
		if (err)
			return err;
	}
}

static ssize_t tty_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct tty *tty = file->private;
	u8 chunk[CHUNK];
	size_t total = 0;
	u32 done;
	int err = 0;

	(void)pos;
	if (tty_file_dead(tty, file))
		return -EIO;
	if (tty->ld.t.c_lflag & TOSTOP)
		err = tty_check_change(tty, SIGTTOU);
	if (!err)
		err = lock_for_io(&tty->write_mutex, file);
	if (err)
		return err;
	while (from->count && !err) {
		size_t n = copy_from_iter(chunk, min_t(size_t, from->count, CHUNK), from);

		if (!n) {
			err = -EFAULT;
			break;
		}
		err = write_chunk(tty, file, chunk, (u32)n, &done);
		total += done;
	}
	mutex_unlock(&tty->write_mutex);
	return total ? (ssize_t)total : err;
}

static u32 tty_poll(struct file *file, struct poll_table *pt)
{
	struct tty *tty = file->private;
	u32 mask = 0, min = tty->ld.t.c_cc[VTIME] ? 1 : tty->ld.t.c_cc[VMIN];

	poll_wait(pt, file, &tty->read_wait);
	poll_wait(pt, file, &tty->write_wait);
	if (tty_file_dead(tty, file))
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	if (ldisc_readable(&tty->ld, min))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&tty->gone))
		mask |= EPOLLHUP;
	if (may_push(tty))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* --- open and close ----------------------------------------------------------------------------------------------------------- */
int tty_open_file(struct tty *tty, struct file *file)
{
	int err = 0;

	mutex_lock(&tty_mutex);
	if (tty->exclusive && tty->opens && !capable(CAP_SYS_ADMIN))
		err = -EBUSY;
	else if (tty->ops->open)
		err = tty->ops->open(tty);
	if (!err)
		tty->opens++;
	mutex_unlock(&tty_mutex);
	if (err)
		return err;
	tty_get(tty);
	file->private = tty;
	file->ra_state[0] = atomic_load(&tty->generation);
	file->mode |= FMODE_STREAM;
	file->ops = &tty_fops;
	if (!(file->flags & O_NOCTTY) && current->proc && READ_ONCE(current->proc->session_leader) && !READ_ONCE(current->proc->ctty) &&
	    !READ_ONCE(tty->session))			/* asked again under the locks */
		tty_set_ctty(tty, false);
	return 0;
}

static void tty_release(struct file *file)
{
	struct tty *tty = file->private;
	irqflags_t flags;
	bool last;

	mutex_lock(&tty_mutex);
	last = --tty->opens == 0;
	if (last) {
		tty->exclusive = false;
		if (!tty->ops->is_pty) {	/* a pair keeps it as long as it lives */
			flags = spin_lock_irqsave(&tty->ld_lock);
			tty->locked = (struct termios){ 0 };
			spin_unlock_irqrestore(&tty->ld_lock, flags);
		}
		if (tty->ops->last_close)
			tty->ops->last_close(tty);
	}
	mutex_unlock(&tty_mutex);
	tty_put(tty);
}

const struct file_ops tty_fops = {
	.release = tty_release, .read = tty_read, .write = tty_write, .poll = tty_poll, .ioctl = tty_ioctl,
};

/* --- /dev/tty and /dev/console ------------------------------------------------------------------------------------------------ */
static struct tty *console_tty;	/* [a] */

void tty_console_set(struct tty *tty)
{
	if (console_tty && !console_preferred(tty->name))
		return;
	atomic_store_release(&console_tty, tty);
	tty->ld.t.c_cflag |= CLOCAL;	/* a console has no carrier to lose */
}

void tty_kill_console_users(void)
{
	const struct tty *tty = atomic_load_acquire(&console_tty);
	struct task *t;

	spin_lock_irq(&proc_lock);
	list_for_each_entry(t, &all_tasks, all_link)
		if (t == t->proc->leader && t->proc->ctty == tty && !t->proc->is_init)
			signal_send_process(t->proc, SIGKILL, NULL);
	spin_unlock_irq(&proc_lock);
}

static int console_open(struct inode *inode, struct file *file)
{
	struct tty *tty = atomic_load_acquire(&console_tty);

	(void)inode;
	if (!tty)
		return -ENODEV;
	file->flags |= O_NOCTTY;
	file->ra_state[1] = 1;	/* outlives hang-ups */
	return tty_open_file(tty, file);
}

static int current_open(struct inode *inode, struct file *file)
{
	struct tty *tty = tty_of_current();
	int err;

	(void)inode;
	if (!tty)
		return -ENXIO;
	err = tty_open_file(tty, file);
	tty_put(tty);
	return err;
}

static int active_show(struct seq *s, void *object)
{
	const struct tty *tty = atomic_load_acquire(&console_tty);

	(void)object;
	if (tty)
		seq_printf(s, "%s\n", tty->name);
	return 0;
}
static const struct attr console_attrs[] = { { .name = "active", .show = active_show }, { 0 } };
static const struct attr_group console_group = { .attrs = console_attrs };
static const struct attr_group *const console_groups[] = { &console_group, NULL };

static int drivers_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		    "/dev/console         /dev/console    5       1 system:console\n/dev/ptmx            /dev/ptmx       5       2 system\n");
	for (const struct tty_driver_line *l = __tty_drivers_start; l < __tty_drivers_end; l++) {
		seq_printf(s, "%-20s /dev/%-8s %3u ", l->driver, l->node, l->major);
		if (l->first == l->last)
			seq_printf(s, "%7u ", l->first);
		else
			seq_printf(s, "%u-%u ", l->first, l->last);
		seq_printf(s, "%s\n", l->type);
	}
	return 0;
}
PROC_FILE(tty_drivers, .path = "tty/drivers", .mode = 0444, .show = drivers_show);

static const struct file_ops console_fops = { .open = console_open };
static const struct file_ops current_fops = { .open = current_open };
CHARDEV(console, .name = "console", .driver = "/dev/console", .class = "tty", .groups = console_groups,
	.dev = MKDEV_K(5, 1), .count = 1, .mode = 0600, .fops = &console_fops);
CHARDEV(tty, .name = "tty", .driver = "/dev/tty", .class = "tty", .dev = MKDEV_K(5, 0), .count = 1, .mode = 0666, .fops = &current_fops);
