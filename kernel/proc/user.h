/* What is counted by real user id, over all processes of that user. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/rcu.h>

struct user {
	struct refcount refs;		/* credentials, and the queue entries charged to it */
	u32 uid;			/* [I] */
	u32 sigpending;			/* [a] queued signals and timers, bounded by RLIMIT_SIGPENDING */
	u32 in_flight;			/* [a] descriptors on their way through local sockets, bounded by RLIMIT_NOFILE */
	u32 inotify_instances, inotify_watches;	/* [a] bounded by /proc/sys/fs/inotify */
	u64 mq_bytes;			/* [a] what POSIX message queues may come to hold, bounded by RLIMIT_MSGQUEUE */
	u64 shm_kept;			/* [a] pages of segments kept in memory by shmctl, bounded by RLIMIT_MEMLOCK */
	u32 nr_tasks;			/* [proc_lock] read racily; bounded by RLIMIT_NPROC */
	struct list_head link;		/* the table's lock */
};
extern struct user root_user;

/* user_find - the one of that uid, made if there is none, referenced; NULL if no memory.  Context: thread. */
struct user *user_find(u32 uid);
static inline void user_ref(struct user *u) { refcount_inc(&u->refs); }
void user_unref(struct user *u);		/* Context: any */
