/* What the files of the tty core share. */
#pragma once
#include <drivers/tty/tty.h>

/* tty_check_change - may current act on tty as sig's kind (SIGTTIN read, SIGTTOU write or change)?  0; -EIO; -ERESTARTSYS after
 * stopping its group. */
int tty_check_change(struct tty *tty, int sig);
/* tty_file_dead - the file was opened before a hang-up.  Files on /dev/console outlive one (ra_state[1]), as on Linux: init keeps its
 * terminal when a shell on it ends. */
static inline bool tty_file_dead(const struct tty *tty, const struct file *file)
{
	return atomic_load(&tty->generation) != file->ra_state[0] && !file->ra_state[1];
}
long tty_ioctl(struct file *file, u32 cmd, u64 arg);
/* tty_set_ctty - make tty current's controlling terminal.  force: steal it (TIOCSCTTY 1).  0 or -EPERM. */
int tty_set_ctty(struct tty *tty, bool force);
void tty_drop_ctty(struct tty *tty);	/* TIOCNOTTY */
void tty_flush_input(struct tty *tty);
void tty_flow(struct tty *tty, bool stop);
