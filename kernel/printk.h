/* The kernel log: levels as on Linux, ring, console output.  printk may be called from any context, wakes nobody directly. */
#pragma once
#include <stdarg.h>
#include <kernel/lib/types.h>
#include <kernel/logring.h>

#define LOG_EMERG	"\0010"
#define LOG_ALERT	"\0011"
#define LOG_CRIT	"\0012"
#define LOG_ERR		"\0013"
#define LOG_WARN	"\0014"
#define LOG_NOTICE	"\0015"
#define LOG_INFO	"\0016"
#define LOG_DEBUG	"\0017"

/* printk - log a line: printk(LOG_INFO "area: text\n").  Default level is LOG_WARN's as on Linux.  Context: any. */
int __printf(1, 2) printk(const char *fmt, ...);
int vprintk(const char *fmt, va_list args);
#define pr_err(fmt, ...)	printk(LOG_ERR fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...)	printk(LOG_WARN fmt, ##__VA_ARGS__)
#define pr_notice(fmt, ...)	printk(LOG_NOTICE fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...)	printk(LOG_INFO fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...)	printk(LOG_DEBUG fmt, ##__VA_ARGS__)
/* struct ratelimit - at most burst lines an interval_ns */
struct ratelimit { u64 interval_ns, burst, begin_ns; u32 printed, missed; };
bool ratelimit_ok(struct ratelimit *rl);
#define printk_ratelimited(fmt, ...) ({ static struct ratelimit __rl = { 5000000000ull, 10, 0, 0, 0 }; \
	if (ratelimit_ok(&__rl)) printk(fmt, ##__VA_ARGS__); })

/* A console: write() sends bytes at once (polled), translating \n to \r\n itself.  Context of write: any, irqs on or off, never
 * two at a time except after a panic. */
struct console {
	const char *name;		/* [I] "ttyAMA0" */
	void (*write)(struct console *con, const char *s, size_t len);	/* [I] */
	bool early;			/* [I] replaced by the first that is not */
	u32 dev;			/* [I] its terminal, major << 20 | minor; 0: it is none */
	struct console *next;
};
/* console_register - add it; a first real console replaces the early one, and shows what was not yet shown. */
void console_register(struct console *con);
/* console_wanted - does the command line ask for this device (console=NAME[,options]; none given: yes)? */
bool console_wanted(const char *name);
/* console_preferred - is it the one that /dev/console is (the last console=)?  False for all if none was given. */
bool console_preferred(const char *name);

extern int console_loglevel;		/* levels below it are shown */

/* Reading the ring.  A cursor points at the next record; records that were overwritten are skipped. */
/* log_next - the record at the cursor into rec and text (cut to size); advances.  False: none yet.  *lost: records skipped.
 * Context: any. */
bool log_next(struct log_cursor *cur, struct log_record *rec, char *text, size_t size, u64 *lost);
void log_first(struct log_cursor *cur);
void log_end(struct log_cursor *cur);
bool log_has(const struct log_cursor *cur);
size_t log_size(void);
/* log_store - put a finished line into the ring and on the consoles (for /dev/kmsg). */
void log_store(u32 facility, u32 level, const char *text, size_t len);
/* log_format - "[    0.012345] text\n" into buf; the length */
size_t log_format(const struct log_record *rec, const char *text, char *buf, size_t size);

struct wait_queue;
extern struct wait_queue log_wait;	/* readers of the log */
/* printk_wake_readers - wake them if lines were logged since; called where no lock is held (idle, and printk itself when it may). */
extern bool log_wake_pending;		/* [a] */
void printk_wake_readers(void);

/* console_emergency - bring up an early console; the serial driver provides it.  Context: boot or panic. */
void console_emergency(void);
/* printk_panic_mode - from now on ignore locks, show everything. */
void printk_panic_mode(void);
