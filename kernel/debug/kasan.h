/* KASAN: shadow memory for the linear map (debug build); elsewhere these vanish. */
#pragma once
#include <kernel/lib/types.h>

/* Kinds of poison, as the shadow byte holds them. */
enum kasan_kind { KASAN_FREE_PAGE = 0xff, KASAN_SLAB_FREE = 0xfb, KASAN_SLAB_REDZONE = 0xfc, KASAN_BIG_REDZONE = 0xfe };

#ifdef CONFIG_DEBUG
/* kasan_poison - [p, p+len) must not be touched; 8-byte aligned, linear map.  kasan_unpoison - it may, to the byte.  Context: any. */
void kasan_poison(const void *p, size_t len, enum kasan_kind kind);
void kasan_unpoison(const void *p, size_t len);
/* kasan_check - report if any byte of [p, p+len) is poisoned: before what is not instrumented touches it. */
void kasan_check(const void *p, size_t len, bool write) __attribute__((access(none, 1)));
#else
static inline void kasan_poison(const void *p, size_t len, enum kasan_kind kind) { (void)p; (void)len; (void)kind; }
static inline void kasan_unpoison(const void *p, size_t len) { (void)p; (void)len; }
static inline void kasan_check(const void *p, size_t len, bool write) { (void)p; (void)len; (void)write; }
#endif
