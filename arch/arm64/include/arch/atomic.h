/* Atomic operations on plain scalars, with their ordering in the name.
 *
 * The unsuffixed read-modify-write forms are relaxed.  Barriers: smp_mb() orders everything, smp_rmb() loads, smp_wmb() stores,
 * all in the inner shareable domain. */
#pragma once
#include <kernel/lib/types.h>

#define atomic_load(p)			__atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_store(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_add(p, v)		((void)__atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define atomic_sub(p, v)		((void)__atomic_fetch_sub((p), (v), __ATOMIC_RELAXED))
#define atomic_sub_release(p, v)	((void)__atomic_fetch_sub((p), (v), __ATOMIC_RELEASE))
#define atomic_inc(p)			atomic_add((p), 1)
#define atomic_dec(p)			atomic_sub((p), 1)
/* the new value, relaxed / fully ordered */
#define atomic_add_return(p, v)		__atomic_add_fetch((p), (v), __ATOMIC_RELAXED)
#define atomic_add_return_acq_rel(p, v)	__atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)
#define atomic_sub_return_acq_rel(p, v)	__atomic_sub_fetch((p), (v), __ATOMIC_ACQ_REL)
/* the old value */
#define atomic_fetch_or(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_or_acq_rel(p, v)	__atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define atomic_fetch_and(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_and_acq_rel(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
#define atomic_xchg(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
/* true if *p was old and is now new; acquire on success */
#define atomic_cas_acquire(p, old, new) \
	({ __typeof__(*(p)) __old = (old); \
	   __atomic_compare_exchange_n((p), &__old, (new), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED); })
#define atomic_cas(p, old, new) \
	({ __typeof__(*(p)) __old = (old); \
	   __atomic_compare_exchange_n((p), &__old, (new), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED); })

#define smp_mb()	asm volatile("dmb ish" : : : "memory")
#define smp_rmb()	asm volatile("dmb ishld" : : : "memory")
#define smp_wmb()	asm volatile("dmb ishst" : : : "memory")
/* Barriers between us and devices that read and write memory, and between memory and MMIO.
 *
 * The second instruction clears no bit and means nothing to a processor.  QEMU before 8.1 leaves all barriers out when the machine has one
 * CPU, though its devices run in threads of the host: on a host that lets a load pass an older store, an index we have published may
 * still be on its way when we look at the device's, and each side waits for the other for ever.  After this one QEMU goes back to its
 * main loop, which begins with a full barrier of the host. */
#define dma_mb()	asm volatile("dmb osh\n\tmsr daifclr, #0" : : : "memory")
#define dma_wmb()	asm volatile("dmb oshst" : : : "memory")
#define dma_rmb()	asm volatile("dmb oshld" : : : "memory")
