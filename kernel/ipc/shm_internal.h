/* Shared memory of System V: between shm.c, shmat.c and shmctl.c.  Members: [I] immutable, [o] the segment's lock, [a] atomic. */
#pragma once
#include <kernel/abi/shm.h>
#include <kernel/ipc/ipc.h>

struct file;
struct task;
struct user;

#define SHM_GOES	01000u		/* in ipc.mode, as ipcs sees them: removed when the last one detaches; kept in memory */
#define SHM_KEPT	02000u

struct shm_segment {
	struct ipc_object ipc;
	struct file *file;		/* [I] the pages; referenced while the segment is in the tables */
	u64 size;			/* [I] bytes, as asked for */
	u64 attached;			/* [o] VMAs of it, and calls on their way to one */
	s64 atime, dtime, ctime;	/* [o] seconds */
	s32 cpid, lpid;			/* [I] creator's, [o] who attached or detached last */
	s32 creator;			/* [I] the thread that made it, and when that began: */
	u64 creator_ns;
	struct user *keeper;		/* [o] who is charged for SHM_KEPT, referenced; NULL: nobody */
};
static inline struct shm_segment *shm_segment_of(struct ipc_object *o) { return container_of(o, struct shm_segment, ipc); }
static inline u64 shm_pages(const struct shm_segment *s) { return (s->size + 4095) >> 12; }

extern struct ipc_kind shm_kind;
extern u64 shm_in_use;			/* [shm_kind.mutex] pages of all segments */
extern u64 shm_max, shm_all;		/* [a] the sysctl: bytes a segment, pages in all */
extern s64 shm_rmid_forced;		/* [a] a segment goes when nobody has it attached and its creator is gone */

/* shm_destroy - out of the tables; the file is for the caller to put when he holds no spin lock.  shm_unkeep - SHM_UNLOCK.
 * Locks: the segment's; to destroy, the kind's mutex, too. */
struct file *shm_destroy(struct shm_segment *s);
void shm_unkeep(struct shm_segment *s);
/* shm_detached - one VMA, or call, less; a segment that was to go then goes.  Context: thread; may hold an mmap_lock. */
void shm_detached(struct shm_segment *s);
/* shm_remove_orphans - those that nobody has attached and whose creator is gone, or is `ends` (NULL: nobody).  Context: thread, no lock. */
void shm_remove_orphans(struct task *ends);
