/* Kernel addresses as names, and stack walks. */
#pragma once
#include <kernel/lib/types.h>

struct task;
struct seq;
extern const char _text[], _etext[];
static inline bool is_kernel_text(u64 addr) { return addr >= (u64)_text && addr < (u64)_etext; }
extern const char __sched_text_start[], __sched_text_end[];
/* Is it where tasks wait in general, in the scheduler, a lock or a wait queue?  What they wait for is above it. */
static inline bool is_sched_text(u64 addr) { return addr >= (u64)__sched_text_start && addr < (u64)__sched_text_end; }
/* symbol_lookup - the function at addr: name, offset into it and its size.  False if addr is no kernel text.  Context: any. */
bool symbol_lookup(u64 addr, const char **name, u64 *off, u64 *size);
/* symbol_at - the i-th symbol in address order, for /proc/kallsyms; false past the end. */
bool symbol_at(u32 i, u64 *addr, const char **name);
/* symbol_format - "name+0x10/0x40" or the address in hex.  Context: any. */
void symbol_format(char *buf, size_t len, u64 addr);
/* backtrace_frame - log pc and the callers from frame pointer fp (backtrace_print in <kernel/panic.h>: of the caller).  Context: any. */
void backtrace_frame(u64 pc, u64 fp);
/* backtrace_task - log that of a task that does not run (of one that runs, nothing).  Context: any, no run queue's lock held. */
void backtrace_task(struct task *t);
/* backtrace_collect - the return addresses of a task that does not run, or of current, innermost first, at most max; how many.  Context: as above. */
u32 backtrace_collect(struct task *t, u64 *pcs, u32 max);
/* stack_walk - return addresses from fp, at most max; how many.  Context: any. */
u32 stack_walk(u64 fp, u64 *pcs, u32 max);
