/* User memory: the only ways in and out of it.
 *
 * A range check first (a tagged or kernel address is EFAULT), then unprivileged loads and stores (LDTR/STTR), whose faults find
 * their fix-up in .extable.  A fault sleeps, so these may be called only from threads that hold no spin lock and no lock ranked
 * after mmap_lock; uaccess_nofault_begin()/end() make them return at once instead. */
#pragma once
#include <kernel/debug/kasan.h>
#include <kernel/debug/race.h>
#include <kernel/errno.h>
#include <kernel/lib/types.h>

#define USER_END	0x0000fffffffff000ul	/* first byte no program may have: keeps the last page as a guard */

static inline bool user_range_ok(const void __user *p, size_t len)
{
	u64 a = (u64)p;

	return len <= USER_END && a <= USER_END - len;
}

/* copy_from_user, copy_to_user - returns 0 or -EFAULT (bytes before the fault may have been copied).
 * Context: thread, may sleep. */
static inline int __must_check copy_from_user(void *to, const void __user *from, size_t len);
static inline int __must_check copy_to_user(void __user *to, const void *from, size_t len);
/* partial forms: return the number of bytes NOT copied */
static inline size_t copy_from_user_partial(void *to, const void __user *from, size_t len);
static inline size_t copy_to_user_partial(void __user *to, const void *from, size_t len);
/* without the range check, for callers that have made it for a whole that this is a part of: bytes NOT copied or cleared */
size_t user_copy_in(void *to, const void __user *from, size_t len);
size_t user_copy_out(void __user *to, const void *from, size_t len);
size_t user_clear(void __user *to, size_t len);
/* clear_user - zero len bytes; returns 0 or -EFAULT. clear_user_partial returns bytes not cleared. */
static inline int __must_check clear_user(void __user *to, size_t len);
static inline size_t clear_user_partial(void __user *to, size_t len);
/* strncpy_from_user - copy a string with its NUL, at most max bytes with it.
 * Returns its length without the NUL, -EFAULT, or -ENAMETOOLONG if no NUL in max bytes. */
ssize_t __must_check strncpy_from_user(char *to, const char __user *from, size_t max);
/* strnlen_user - length with the NUL; -EFAULT; max + 1 if longer than max */
ssize_t __must_check strnlen_user(const char __user *s, size_t max);

/* get_user/put_user - one naturally sized scalar (1, 2, 4, 8 bytes).  `err = get_user(lvalue, uptr)`. */
#define get_user(val, uptr) ({ struct user_word __gu = user_get((uptr), sizeof(*(uptr))); \
	(val) = (__typeof__(*(uptr)))__gu.value; (int)__gu.err; })
#define put_user(val, uptr) user_put((uptr), (u64)(val), sizeof(*(uptr)))

struct user_word { u64 value; s64 err; };	/* in x0 and x1: 0 or -EFAULT, and zero then */
struct user_word user_get_1(const void __user *p);
struct user_word user_get_2(const void __user *p);
struct user_word user_get_4(const void __user *p);
struct user_word user_get_8(const void __user *p);
int user_put_1(void __user *p, u64 value);
int user_put_2(void __user *p, u64 value);
int user_put_4(void __user *p, u64 value);
int user_put_8(void __user *p, u64 value);

static inline struct user_word user_get(const void __user *p, size_t size)
{
	if (unlikely(!user_range_ok(p, size)))
		return (struct user_word){ 0, -EFAULT };
	return size == 1 ? user_get_1(p) : size == 2 ? user_get_2(p) : size == 4 ? user_get_4(p) : user_get_8(p);
}

static inline int __must_check user_put(void __user *p, u64 value, size_t size)
{
	if (unlikely(!user_range_ok(p, size)))
		return -EFAULT;
	return size == 1 ? user_put_1(p, value) : size == 2 ? user_put_2(p, value) : size == 4 ? user_put_4(p, value) : user_put_8(p, value);
}

int copy_from_user_failed(void *to, size_t len, size_t left);

static inline size_t copy_from_user_partial(void *to, const void __user *from, size_t len)
{
	kasan_check(to, len, true);
	return likely(user_range_ok(from, len)) ? user_copy_in(to, from, len) : len;
}

static inline size_t copy_to_user_partial(void __user *to, const void *from, size_t len)
{
	kasan_check(from, len, false);
	return likely(user_range_ok(to, len)) ? user_copy_out(to, from, len) : len;
}

static inline size_t clear_user_partial(void __user *to, size_t len)
{
	return likely(user_range_ok(to, len)) ? user_clear(to, len) : len;
}

static inline int __must_check clear_user(void __user *to, size_t len)
{
	return likely(!clear_user_partial(to, len)) ? 0 : -EFAULT;
}

static inline int copy_from_user(void *to, const void __user *from, size_t len)
{
	size_t left;

	race_check(to, len, true);	/* not in the partial ones: the page cache's contents are the programs' to race for */
	left = copy_from_user_partial(to, from, len);

	return likely(!left) ? 0 : copy_from_user_failed(to, len, left);
}

static inline int copy_to_user(void __user *to, const void *from, size_t len)
{
	race_check(from, len, false);
	return likely(!copy_to_user_partial(to, from, len)) ? 0 : -EFAULT;
}

/* Atomic read-modify-write of a user word, for futex only.  *old gets the previous value.
 * Returns 0 or -EFAULT; does not sleep: call between uaccess_nofault_begin/end or with faults allowed by the caller's context. */
enum user_atomic_op { USER_ATOMIC_SET, USER_ATOMIC_ADD, USER_ATOMIC_OR, USER_ATOMIC_ANDN, USER_ATOMIC_XOR };
int user_atomic_rmw(u32 __user *p, enum user_atomic_op op, u32 arg, u32 *old);
int user_atomic_cmpxchg(u32 __user *p, u32 expected, u32 desired, u32 *old);

/* uaccess_nofault_begin/end - faults on user memory in between fail at once (task->nofault counts). */
void uaccess_nofault_begin(void);
void uaccess_nofault_end(void);

/* Turns an integer found inside a copied structure into a user pointer. */
static inline void __user *user_ptr(u64 v) { return (void __user *)v; }
