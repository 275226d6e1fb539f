/* The kernel log: levels as on Linux, ring, console output.  printk may be called from any context, wakes nobody directly. */
#pragma once
#include <kernel/lib/types.h>

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
