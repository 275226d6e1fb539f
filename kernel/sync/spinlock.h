/* Spin locks: test-and-set with back-off (not a queue: a host may have descheduled the next in line).
 *
 * A holder is not preempted.  A class is taken either always with interrupts off or never in interrupt context; lockcheck
 * (CONFIG_DEBUG) stops on a violation.  Release pairs with the acquire of the next taker. */
#pragma once
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <kernel/sync/lock_class.h>
#include <kernel/sync/preempt.h>

struct spinlock {
	u32 locked;
#ifdef CONFIG_DEBUG
	u16 class;
	u16 cpu;		/* holder's CPU + 1 */
#endif
};

#ifdef CONFIG_DEBUG
#define SPINLOCK_INIT(lock_class)	{ .locked = 0, .class = (lock_class) }
#else
#define SPINLOCK_INIT(lock_class)	{ .locked = 0 }
#endif
#define DEFINE_SPINLOCK(name, lock_class) struct spinlock name = SPINLOCK_INIT(lock_class)

static inline void spin_lock_init(struct spinlock *l, enum lock_class class)
{
	*l = (struct spinlock)SPINLOCK_INIT(class);
	(void)class;
}

void spin_lock_slow(struct spinlock *l);

#ifdef CONFIG_DEBUG
void spin_debug_acquire(struct spinlock *l, u64 key, bool try);
void spin_debug_acquired(struct spinlock *l);
void spin_debug_release(struct spinlock *l);
#else
static inline void spin_debug_acquire(struct spinlock *l, u64 key, bool try) { (void)l; (void)key; (void)try; }
static inline void spin_debug_acquired(struct spinlock *l) { (void)l; }
static inline void spin_debug_release(struct spinlock *l) { (void)l; }
#endif

/* spin_lock - take l; preemption is off until spin_unlock.  Context: any that the class allows. */
static inline void spin_lock(struct spinlock *l)
{
	preempt_disable_lock();
	spin_debug_acquire(l, 0, false);
	if (unlikely(!atomic_cas_acquire(&l->locked, 0u, 1u)))
		spin_lock_slow(l);
	spin_debug_acquired(l);
}

/* spin_lock_nested - take a second lock of the same class; key must rise (what it is, the class's file says). */
static inline void spin_lock_nested(struct spinlock *l, u64 key)
{
	preempt_disable_lock();
	spin_debug_acquire(l, key, false);
	if (unlikely(!atomic_cas_acquire(&l->locked, 0u, 1u)))
		spin_lock_slow(l);
	spin_debug_acquired(l);
}

static inline bool spin_trylock(struct spinlock *l)
{
	preempt_disable_lock();
	if (atomic_cas_acquire(&l->locked, 0u, 1u)) {
		spin_debug_acquire(l, 0, true);
		spin_debug_acquired(l);
		return true;
	}
	preempt_enable();
	return false;
}

static inline void spin_unlock(struct spinlock *l)
{
	spin_debug_release(l);
	atomic_store_release(&l->locked, 0u);
	preempt_enable();
}

static inline irqflags_t spin_lock_irqsave(struct spinlock *l)
{
	irqflags_t flags = arch_irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, irqflags_t flags)
{
	spin_debug_release(l);
	atomic_store_release(&l->locked, 0u);
	arch_irq_restore(flags);
	preempt_enable();
}

static inline void spin_lock_irq(struct spinlock *l)
{
	arch_irq_disable();
	spin_lock(l);
}

static inline void spin_unlock_irq(struct spinlock *l)
{
	spin_debug_release(l);
	atomic_store_release(&l->locked, 0u);
	arch_irq_enable();
	preempt_enable();
}

static inline bool spin_is_locked(const struct spinlock *l) { return atomic_load(&l->locked); }
