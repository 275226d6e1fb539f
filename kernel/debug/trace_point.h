/* Static trace points: what happens, into a ring of each CPU.  In the debug build, each a load and a branch while it is off; in the
 * release build nothing is left of them.  The list is trace_points.def; theory and use: trace_point.c, docs/debugging.md. */
#pragma once
#include <kernel/debug.h>
#include <kernel/lib/types.h>

enum trace_point {
#define TRACE_POINT(name, format) TP_##name,
#include <kernel/debug/trace_points.def>
#undef TRACE_POINT
	NR_TRACE_POINTS
};

extern bool trace_on[NR_TRACE_POINTS];	/* [a] */

/* TRACE(name, args...) - record trace point name, if it is on: up to four scalars.
 * TRACE_TEXT(name, text, args...) - and the beginning of a kernel string, which is shown in quotes.
 * The arguments are evaluated only if it is on.  Context: any. */
#define TRACE_TEXT(name, text, ...) do { \
		if (IS_DEBUG && unlikely(READ_ONCE(trace_on[TP_##name]))) \
			trace_record(TP_##name, (text), (const u64[4]){ __VA_ARGS__ }); \
	} while (0)
#define TRACE(name, ...) TRACE_TEXT(name, NULL, __VA_ARGS__)

/* trace_record - an entry in this CPU's ring, whether id is on or not.  Context: any. */
void trace_record(enum trace_point id, const char *text, const u64 args[4]);
/* trace_select - switch points by words: "sched", "sched_switch", "all", with "-" before to switch off, "none".
 * Returns 0; -EINVAL for an unknown word (those before it have had their effect), -ENOMEM.  Context: thread. */
int trace_select(const char *words);
struct seq;
/* trace_log_show - the text of /proc/trace/log: what the rings hold, by time.  trace_log_forget - show none of it again.
 * 0 or -ENOMEM.  Context: thread. */
int trace_log_show(struct seq *s, void *unused);
void trace_log_forget(void);
