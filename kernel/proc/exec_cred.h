/* What execve makes of credentials.  Theory in exec_cred.c. */
#pragma once
#include <kernel/task.h>

struct exec_cred {
	struct cred *new;		/* prepared; NULL before, and once committed */
	bool secure;			/* AT_SECURE: it has rights that its starter may lack */
	bool no_new_privs;		/* current had that when new was prepared */
	bool changes;			/* new has other ids than current, or capabilities it had not */
	bool counted;			/* in process.exec_gains */
	struct fs_struct *fs;		/* whose in_exec counts us */
	u32 clear;			/* personality bits that go */
};

/* exec_cred_prepare - compute what current will be when it runs f.  0, -ENOMEM, -EPERM (f's capabilities cannot all be given and it would not notice),
 * -EINVAL (damaged ones).  exec_cred_commit - it becomes so: credentials, dumpability, personality, death signal, stack limit; unreadable: who starts
 * it may not look into it.  0, -EPERM (no_new_privs came in between).  exec_cred_end - after either, and after none.  Context: thread, may sleep; to
 * commit, the only thread of its process. */
int exec_cred_prepare(struct exec_cred *e, struct file *f);
int exec_cred_commit(struct exec_cred *e, bool unreadable);
void exec_cred_end(struct exec_cred *e);
/* exec_cred_stack_limit - what RLIMIT_STACK will be. */
u64 exec_cred_stack_limit(const struct exec_cred *e);
