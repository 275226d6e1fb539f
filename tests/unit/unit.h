/* Tests of kernel code on the host: TEST(name) { ... EXPECT(...) ... }.
 *
 * The kernel's files and the tests are compiled as the kernel is (its headers, no libc headers) under the host's sanitizers;
 * tests/unit/host.c alone sees libc, and lends what is declared here.  What the code under test needs from other floors stands as weak
 * functions in tests/unit/stubs.c; a program that brings the real thing along gets that.
 *
 * Each program ends by itself: its tests run in order, each is a line of TAP, a failed one says where.  Random tests draw from one
 * generator; UNIT_SEED= chooses another seed, a failure prints the one it had. */
#pragma once
#include <stdarg.h>
#include <kernel/lib/types.h>

struct unit_test { const char *name; void (*fn)(void); };
#ifdef __clang__
#define unit_in_order
#else
#define unit_in_order __attribute__((no_reorder))	/* gcc would emit the last one first */
#endif
#define TEST(name_) \
	static void test_##name_(void); \
	static const struct unit_test __unit_##name_ __used unit_in_order __section(".unit_tests") = { #name_, test_##name_ }; \
	static void test_##name_(void)

/* EXPECT - note a failure and leave the test.  EXPECT_EQ also says what was there; for integers. */
#define EXPECT(c) do { if (!(c)) { unit_fail(#c, __FILE__, __LINE__); return; } } while (0)
#define EXPECT_EQ(a, b) do { s64 __a = (s64)(a), __b = (s64)(b); \
	if (__a != __b) { unit_note("%s is %ld, not %ld", #a, __a, __b); unit_fail(#a " == " #b, __FILE__, __LINE__); return; } } while (0)
/* EXPECT_PANIC - stmt must stop the machine (panic, VERIFY, ASSERT). */
#define EXPECT_PANIC(stmt) do { \
	bool __stopped = true; \
	if (_setjmp(unit_panic_jump) == 0) { unit_panic_armed = true; stmt; __stopped = false; } \
	unit_panic_armed = false; \
	if (!__stopped) { unit_fail("should panic: " #stmt, __FILE__, __LINE__); return; } } while (0)

void unit_fail(const char *expr, const char *file, int line);
void unit_note(const char *fmt, ...) __printf(1, 2);

u64 unit_random(void);
static inline u64 unit_below(u64 n) { return unit_random() % n; }

/* The host's */
void *host_alloc(size_t n);
void host_free(void *p);
u64 host_live(void);				/* blocks of host_alloc not freed */
void __noreturn host_die(const char *what, const char *file, int line);
int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
/* host_guarded - n bytes that end where an unreadable page begins (and begin behind one); never freed. */
void *host_guarded(size_t n);

/* Allocations through kmalloc and slab_alloc of the stubs: the n-th from now fails once; ~0 none. */
extern u64 unit_fail_after;
struct task;
extern struct task *unit_current;

extern u64 unit_panic_jump[64];
extern bool unit_panic_armed;
int _setjmp(u64 *env) __attribute__((returns_twice));
void __noreturn longjmp(u64 *env, int v);
