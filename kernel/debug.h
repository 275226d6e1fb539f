/* Assertions.  ASSERT: invariants (debug and release, off in benchmark builds).  VERIFY: always.  WARN_ONCE: odd, but survivable. */
#pragma once
#include <kernel/lib/types.h>

#ifdef CONFIG_DEBUG
#define IS_DEBUG 1
#else
#define IS_DEBUG 0
#endif

void __noreturn __printf(1, 2) panic(const char *fmt, ...);
void __noreturn assert_failed(const char *expr, const char *file, int line);
void warn_report(const char *expr, const char *file, int line);	/* prints "WARN: ..." and a backtrace */

#define VERIFY(c)	do { if (unlikely(!(c))) assert_failed(#c, __FILE__, __LINE__); } while (0)
#define ASSERT(c)	VERIFY(c)
#define DEBUG_ASSERT(c)	do { if (IS_DEBUG && unlikely(!(c))) assert_failed(#c, __FILE__, __LINE__); } while (0)
#define WARN_ONCE(c)	({ static bool warned; bool __w = (c); \
	if (unlikely(__w) && !warned) { warned = true; warn_report(#c, __FILE__, __LINE__); } __w; })
