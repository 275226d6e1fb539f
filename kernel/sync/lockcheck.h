/* The run-time lock checker (debug builds): see lockcheck.c. */
#pragma once
#include <kernel/sync/lock_class.h>
#include <kernel/lib/types.h>

#ifdef CONFIG_DEBUG
/* lock_check_acquire - current is about to take (or, try, has taken) a lock; stops the machine when the order is broken.
 * key: rises among locks of one class. Context: any. */
void lock_check_acquire(const void *lock, enum lock_class class, u64 key, bool try);
void lock_check_release(const void *lock, enum lock_class class);
bool lock_check_held(const void *lock);
/* lock_check_none_held - at a return to EL0 and at thread exit */
void lock_check_none_held(void);
/* lock_check_off - from panic on: say nothing more */
void lock_check_off(void);
/* lock_check_print_held - log what t holds and where each was taken: a racy look if t runs.  Context: any. */
struct task;
void lock_check_print_held(const struct task *t);
#else
static inline void lock_check_acquire(const void *lock, enum lock_class class, u64 key, bool try) { (void)lock; (void)class; (void)key; (void)try; }
static inline void lock_check_release(const void *lock, enum lock_class class) { (void)lock; (void)class; }
static inline void lock_check_none_held(void) { }
static inline void lock_check_off(void) { }
struct task;
static inline void lock_check_print_held(const struct task *t) { (void)t; }
#endif
const char *lock_class_name(enum lock_class class);
