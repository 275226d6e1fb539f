/* The N_TTY line discipline as pure logic: bytes in, echo and lines out.  No locks, no sleeping, no terminal; the tty core calls it under
 * its ldisc lock, the host tests call it alone. */
#pragma once
#include <asm/termbits.h>
#include <kernel/lib/types.h>

#define LDISC_SIZE	4096u

/* Events that ldisc_input reports; the caller acts on them without the lock. */
enum { LD_READABLE = 1, LD_SIGINT = 2, LD_SIGQUIT = 4, LD_SIGTSTP = 8, LD_FLUSH_OUT = 16, LD_STARTED = 32, LD_STOPPED = 64 };

struct ldisc {
	struct termios2 t;
	u32 head, tail, canon_head;	/* free-running; tail <= canon_head <= head; canon_head ends the last whole line */
	u32 column, canon_column;	/* of the output; where the line being typed began */
	bool lnext, stopped;
	void (*echo)(void *arg, const u8 *s, u32 n);
	void (*drop)(void *arg);	/* what was written and is not sent yet is for nobody; NULL: nothing ever waits */
	void *arg;
	u32 echo_len;
	u8 echo_buf[128];
	u64 eol[LDISC_SIZE / 64];	/* bit set: this byte ends a line */
	u8 buf[LDISC_SIZE];
};

extern const struct termios2 ldisc_default_termios;
void ldisc_init(struct ldisc *ld, void (*echo)(void *arg, const u8 *s, u32 n), void *arg);
/* ldisc_room - bytes that ldisc_input would take without loss (at least 1 while a line is being typed). */
u32 ldisc_room(const struct ldisc *ld);
/* ldisc_input - n received bytes; returns LD_* events.  With LD_FLUSH_OUT, ld->drop was called: before the key was echoed, which is to be seen. */
u32 ldisc_input(struct ldisc *ld, const u8 *p, u32 n);
/* ldisc_readable - a read would not wait: a whole line, or at least `min` bytes (min 0 counts as 1) without ICANON. */
bool ldisc_readable(const struct ldisc *ld, u32 min);
/* ldisc_count - bytes that reads would return now (FIONREAD). */
u32 ldisc_count(const struct ldisc *ld);
/* ldisc_read - take up to n bytes; with ICANON at most one line.  *line_done: a line's end (or end of file) was taken. */
u32 ldisc_read(struct ldisc *ld, u8 *to, u32 n, bool *line_done);
/* ldisc_output - process n bytes of output into out (room for size); *used is how many were consumed.  Returns bytes in out. */
u32 ldisc_output(struct ldisc *ld, const u8 *s, u32 n, u8 *out, u32 size, u32 *used);
void ldisc_flush_input(struct ldisc *ld);
/* ldisc_set_termios - new settings; pending input is kept, whole or raw as Linux does. */
void ldisc_set_termios(struct ldisc *ld, const struct termios2 *t);
