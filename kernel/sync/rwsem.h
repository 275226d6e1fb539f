/* Reader/writer semaphores, writer-preferring, FIFO among sleepers; who runs may overtake who sleeps, a bounded number of times.  Context: threads only. */
#pragma once
#include <kernel/sync/wait.h>

struct rwsem {
	s64 count;		/* [a] readers, or RWSEM_WRITER; plus RWSEM_FLAGS */
	struct spinlock wait_lock;
	struct list_head waiters;	/* [wait_lock] */
	struct task *writer;	/* [a] who holds it for writing; a hint to others */
#ifdef CONFIG_DEBUG
	u16 class;
#endif
};
#ifdef CONFIG_DEBUG
#define RWSEM_INIT(name, lock_class) { 0, SPINLOCK_INIT(LC_WAIT), LIST_HEAD_INIT((name).waiters), NULL, (lock_class) }
#else
#define RWSEM_INIT(name, lock_class) { 0, SPINLOCK_INIT(LC_WAIT), LIST_HEAD_INIT((name).waiters), NULL }
#endif
#define DEFINE_RWSEM(name, lock_class) struct rwsem name = RWSEM_INIT(name, lock_class)
void rwsem_init(struct rwsem *s, enum lock_class class);
void rwsem_read_lock(struct rwsem *s);
bool rwsem_read_trylock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_lock_nested(struct rwsem *s, u64 key);
int __must_check rwsem_write_lock_killable(struct rwsem *s);	/* 0 or -EINTR */
bool rwsem_write_trylock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);
void rwsem_downgrade(struct rwsem *s);
bool rwsem_held(const struct rwsem *s);
bool rwsem_held_write(const struct rwsem *s);
