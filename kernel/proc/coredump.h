/* Core dumps: what a process leaves that a signal ends.  Theory in coredump.c. */
#pragma once
#include <kernel/task.h>

#define CORE_NAME_MAX	4096u		/* bytes of a name, or of a helper's arguments */
#define CORE_FILTER_DEFAULT 0x33u	/* process.dump_filter: core(5), "Controlling which mappings are written" */
enum { CORE_ANON_PRIVATE = 1, CORE_ANON_SHARED = 2, CORE_FILE_PRIVATE = 4, CORE_FILE_SHARED = 8, CORE_ELF_HEADERS = 16 };
enum { DUMP_NOT = 0, DUMP_USER = 1, DUMP_ROOT = 2 };	/* process.dumpable, and fs.suid_dumpable */

/* A thread that waits for the dump's end, on its own stack. */
struct core_thread { struct task *task; struct core_thread *next; };

/* A process that dumps core: process.core, on the dumper's stack. */
struct core_state {
	struct task *dumper;		/* [I] */
	u32 waiting;			/* [S] threads that have not joined yet */
	struct core_thread *threads;	/* [S] those that have; read by the dumper when none is missing */
};

/* One dump, by its dumper alone. */
struct core_dump {
	const siginfo_t *info;
	struct core_state state;
	u64 limit;			/* RLIMIT_CORE: bytes that may be written */
	u32 dumpable;
	struct file *file;
	bool seekable;			/* what is skipped need not be written */
	u64 pos, written, skip;		/* in the file; how much was; zeroes that come before the next byte */
};

extern u64 suid_dumpable;		/* [a] what a process is whose rights are not its user's: DUMP_* */

/* coredump - current dies of the signal: its process's core is dumped if it is to be.  Returns the wait status that it has to end with, by
 * process_exit; the group's end has begun then, or another had begun it before.  Context: thread on its way out, no locks; may sleep. */
int coredump(const siginfo_t *info);
/* coredump_join_locked - current ends: if its process dumps core it waits until that is done, so that its registers are in it.
 * Locks: _locked: sighand lock held, dropped meanwhile. */
void coredump_join_locked(void), coredump_join(void);
/* coredump_is_pipe - the pattern names a program. */
bool coredump_is_pipe(void);
/* coredump_name - what core_pattern makes of d into buf, of CORE_NAME_MAX bytes.  A pipe's: the program and its arguments, each ending in NUL.
 * *len: bytes, the last NUL included.  0, -ENAMETOOLONG, -EINVAL (a pipe to nothing), -ENOMEM.  Context: thread. */
int coredump_name(const struct core_dump *d, bool pipe, char *buf, size_t *len);
/* coredump_elf - write it to d->file, as far as that takes it.  False: memory lacked to begin.  Context: thread, the other threads have joined. */
bool coredump_elf(struct core_dump *d);
