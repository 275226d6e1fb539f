/* Types, attributes and the small macros every file uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long s64;
#ifndef UNIT_TEST
typedef long ssize_t;
#else
#include <sys/types.h>
#endif
typedef u64 paddr_t;
typedef u64 vaddr_t;

#define __packed		__attribute__((packed))
#define __aligned(n)		__attribute__((aligned(n)))
#define __noreturn		__attribute__((noreturn))
/* Written while the system boots, by whom drivers_probe() or a BOOT_INIT calls, and read-only from the first program on (arch/kmap.h). */
#ifndef UNIT_TEST
#define __ro_after_init		__attribute__((section(".data..ro_after_init")))
#else
#define __ro_after_init
#endif
#define __weak			__attribute__((weak))
#ifndef __used
#define __used			__attribute__((used))
#endif
#define __section(s)		__attribute__((section(s)))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define __maybe_unused		__attribute__((unused))
#define __must_check		__attribute__((warn_unused_result))
#define __noinline		__attribute__((noinline))
#define __always_inline_	inline __attribute__((always_inline))
#define fallthrough		__attribute__((fallthrough))

#if defined(__clang__) && !defined(CONFIG_UNIT)
#define __user			__attribute__((noderef, address_space(1)))
#define __must_hold(x)
#define __acquires(x)
#define __releases(x)
#else
#define __user
#define __must_hold(x)
#define __acquires(x)
#define __releases(x)
#endif

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define barrier()		__asm__ volatile("" : : : "memory")
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	do { *(volatile __typeof__(x) *)&(x) = (v); } while (0)

#define BIT(n)			(1ul << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define ALIGN_UP(x, a)		(((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((u64)(x) & ((u64)(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define BUILD_BUG_ON(c)		_Static_assert(!(c), #c)
#define min(a, b)		({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); __a < __b ? __a : __b; })
#define max(a, b)		({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); __a > __b ? __a : __b; })
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max_t(t, a, b)		max((t)(a), (t)(b))
#define clamp(v, lo, hi)	min(max(v, lo), hi)
#define swap(a, b)		do { __typeof__(a) __t = (a); (a) = (b); (b) = __t; } while (0)
