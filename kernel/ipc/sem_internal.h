/* Semaphore sets: between sem.c and semctl.c.  Members: [I] immutable, [o] the set's lock, [u] the undo list's lock, [a] atomic. */
#pragma once
#include <linux/sem.h>
#include <kernel/ipc/ipc.h>

struct task;

struct sem { s32 value; s32 pid; /* of the last change */ };

struct sem_set {
	struct ipc_object ipc;
	u32 nr;				/* [I] */
	s64 otime, ctime;		/* [o] seconds */
	struct list_head zero;		/* [o] sem_waiter.link: those who wait for zeroes only, and change nothing */
	struct list_head alter;		/* [o] sem_waiter.link: the others, longest waiting first */
	struct list_head undos;		/* [o] sem_undo.set_link */
	struct sem sems[];		/* [o] */
};
static inline struct sem_set *sem_set_of(struct ipc_object *o) { return container_of(o, struct sem_set, ipc); }

/* What a list of processes takes back of one set at its end. */
struct sem_undo {
	struct sem_set *set;		/* [I] alive while this is linked */
	struct sem_undo_list *list;	/* [I] */
	struct list_head set_link;	/* [o] */
	struct list_head link;		/* [u] */
	s16 adjust[];			/* [o] */
};

struct sem_waiter {			/* on the stack of who waits */
	struct list_head link;		/* [o] */
	struct task *task;
	struct sem_undo *undo;
	const struct sembuf *ops, *blocking;	/* [o] the one that cannot be done */
	u32 nr_ops;
	bool alters;
	s32 pid;
	int result;			/* [a] SEM_WAITING, or what becomes of it: the last that is stored */
};
#define SEM_WAITING 1

extern struct ipc_kind sem_kind;
extern u64 sem_used;			/* [sem_kind.mutex] semaphores in all sets */
extern s64 sem_msl, sem_mns, sem_opm;	/* [a] the sysctl */

/* sem_values_changed - do what waiters can do now.  done: an operation was done already, which is a time to remember.
 * sem_undo_forget - semaphore nr of the set (-1: all) was set: nobody undoes what he did before.  Locks: the set's. */
void sem_values_changed(struct sem_set *s, bool done);
void sem_undo_forget(struct sem_set *s, int nr);
/* sem_set_remove - IPC_RMID: out of the tables, whoever waits gets EIDRM.  dead: the undo records, by set_link, for the caller to kvfree when he
 * holds no spin lock.  Locks: the kind's mutex, the set's. */
void sem_set_remove(struct sem_set *s, struct list_head *dead);
