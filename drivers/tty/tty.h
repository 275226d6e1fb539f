/* Terminals.
 *
 * Keys: [I] immutable, [a] atomic, [t] tty->lock, [l] tty->ld_lock, [m] tty_mutex. */
#pragma once
#include <drivers/base/device.h>
#include <drivers/tty/ldisc.h>
#include <fs/vfs.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/wait.h>
#include <asm/termios.h>

struct process;
struct tty;

struct tty_ops {
	/* write - accept up to n bytes; how many.  Context: any, [l] may be held. */
	u32 (*write)(struct tty *tty, const u8 *s, u32 n);
	u32 (*room)(struct tty *tty);			/* bytes write() would accept now */
	u32 (*pending)(struct tty *tty);		/* accepted, not yet sent; NULL: none */
	void (*flush)(struct tty *tty);			/* drop what is pending; NULL: nothing to drop.  Context: any, [l] may be held */
	void (*input_taken)(struct tty *tty);		/* a reader made room; NULL */
	void (*send_break)(struct tty *tty, u64 ns);	/* NULL */
	int (*open)(struct tty *tty);			/* an open of the device; NULL: always allowed */
	void (*last_close)(struct tty *tty);		/* no file is left; NULL */
	void (*changed)(struct tty *tty, u8 status);	/* packet mode: TIOCPKT_* happened; NULL.  Context: any */
	void (*destroy)(struct tty *tty);		/* the last reference is gone; NULL for those that live for ever */
	bool is_pty;
};

struct tty {
	struct refcount refs;
	const struct tty_ops *ops;	/* [I] */
	void *data;			/* [I] the driver's */
	char name[16];			/* [I] "ttyAMA0", "pts/0" */
	dev_t_k dev;			/* [I] */
	struct spinlock lock;		/* LC_TTY */
	s32 session, pgrp;		/* [t] 0: none */
	struct winsize winsize;		/* [t] */
	bool exclusive;			/* [t] */
	u32 opens;			/* [m] files open on it */
	u32 generation;			/* [a] hang-ups so far; a file of an older one is dead */
	bool gone;			/* [a] the other side is closed for good: EIO */
	struct spinlock ld_lock;	/* LC_LDISC */
	struct ldisc ld;		/* [l] */
	struct termios locked;		/* [l] the flags, and the characters that are not 0, keep what they are (TIOCSLCKTRMIOS) */
	struct mutex termios_mutex, read_mutex, write_mutex;
	struct wait_queue read_wait, write_wait;
};

/* A line of /proc/tty/drivers, as Linux words it. */
struct tty_driver_line { const char *driver, *node, *type; u32 major, first, last; };
#define TTY_DRIVER(ident, ...) static const struct tty_driver_line __tty_driver_##ident __used __aligned(8) __section(".tty_drivers") = { __VA_ARGS__ }
extern const struct tty_driver_line __tty_drivers_start[], __tty_drivers_end[];

extern struct device_class tty_class;	/* /sys/class/tty */

/* tty_init - for a zeroed struct; refs 1. */
void tty_init(struct tty *tty, const struct tty_ops *ops, void *data, const char *name, dev_t_k dev);
/* tty_receive - bytes from the device (or a pty's master).  Context: any. */
void tty_receive(struct tty *tty, const u8 *s, u32 n);
/* tty_write_wakeup - the driver has room again.  Context: any. */
void tty_write_wakeup(struct tty *tty);
/* tty_hangup - every open file of it is dead from now on; its session loses it, SIGHUP and SIGCONT.  Context: thread. */
void tty_hangup(struct tty *tty);
/* tty_open_file - attach file to tty: counts it, makes it the controlling terminal where that is due.  0, -EBUSY, -EIO. */
int tty_open_file(struct tty *tty, struct file *file);
extern const struct file_ops tty_fops;
/* tty_ioctl_common - ioctls that a pty's master shares with its slave; -ENOTTY if unknown. */
long tty_ioctl_common(struct tty *tty, struct file *file, u32 cmd, u64 arg);
static inline void tty_get(struct tty *tty) { refcount_inc(&tty->refs); }
void tty_put(struct tty *tty);
void tty_signal_pgrp(struct tty *tty, int sig);
int tty_set_winsize(struct tty *tty, const struct winsize *ws);

/* tty_session_exit - the session leader p dies: its terminal is hung up (a pty: its foreground gets SIGHUP and SIGCONT) and belongs to
 * nobody.  Context: thread, no lock.  Called by exit. */
void tty_session_exit(struct process *p);
/* tty_console_set - a device that could stand behind /dev/console, which lives for ever: the last console= names it, else the first one does.
 * Context: thread. */
void tty_console_set(struct tty *tty);
/* tty_kill_console_users - SIGKILL to every process whose controlling terminal is the console's.  Context: thread, no lock. */
void tty_kill_console_users(void);
/* tty_stat_info - for /proc/pid/stat: controlling terminal's number (Linux's encoding) and foreground group; 0 and -1 without. */
void tty_stat_info(struct process *p, u32 *tty_nr, s32 *tpgid);
/* tty_of_current - current's controlling terminal, referenced, or NULL */
struct tty *tty_of_current(void);
