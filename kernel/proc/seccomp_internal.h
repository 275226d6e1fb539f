/* Between seccomp.c and seccomp_notify.c. */
#pragma once
#include <fs/vfs.h>
#include <kernel/lib/refcount.h>
#include <kernel/proc/seccomp.h>

struct notify;
struct seccomp_data;

struct seccomp_filter {
	struct refcount refs;
	struct refcount users;		/* living tasks whose newest it is, and filters after it that have any */
	bool log;			/* [I] SECCOMP_FILTER_FLAG_LOG */
	u32 depth;			/* [I] this one and those before it */
	u32 insns;			/* [I] of all of them */
	struct filter *prog;		/* [I] */
	struct seccomp_filter *prev;	/* [I] referenced; NULL: this is the first */
	struct notify *notify;		/* [I] for SECCOMP_RET_USER_NOTIF; NULL: it was made without a listener */
};

/* seccomp_filter_put - the reference goes, and with the last one the filter and its own on those before.  Context: any. */
void seccomp_filter_put(struct seccomp_filter *f);

/* notify_create - a listener for f, which nobody has yet: an open file.  0, -ENOMEM, -ENFILE.  notify_free - with its filter. */
int __must_check notify_create(struct seccomp_filter *f, bool killable, struct file **out);
void notify_free(struct notify *n);
/* notify_open - is there a listener, and not closed?  notify_users_gone - no call will be told of any more.  Context: any. */
bool notify_open(const struct seccomp_filter *f);
void notify_users_gone(struct seccomp_filter *f);
/* notify_call - the listener of f is told of current's call and decides.  True: it is to be made.  False: its result is in the frame.  Context: thread,
 * sleeps; f among current's filters. */
bool notify_call(struct seccomp_filter *f, const struct seccomp_data *data, struct trap_frame *tf);
