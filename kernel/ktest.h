/* Tests inside the kernel: KTEST(suite, name) { ... EXPECT(...) }, run by ktest=all or ktest=suite,suite on the command line. */
#pragma once
#include <kernel/lib/types.h>

struct ktest { const char *suite, *name; void (*fn)(void); };
#ifdef __clang__
#define ktest_in_order
#else
#define ktest_in_order __attribute__((no_reorder))	/* gcc would emit the last one first */
#endif
#define KTEST(suite_, name_) \
	static void ktest_##suite_##_##name_(void); \
	static const struct ktest __ktest_##suite_##_##name_ __used ktest_in_order __section(".ktests") = { #suite_, #name_, ktest_##suite_##_##name_ }; \
	static void ktest_##suite_##_##name_(void)
extern const struct ktest __ktests_start[], __ktests_end[];

/* EXPECT - note a failure and leave the test */
#define EXPECT(c) do { if (!(c)) { ktest_fail(#c, __FILE__, __LINE__); return; } } while (0)
void ktest_fail(const char *expr, const char *file, int line);
/* ktest_run - the tests asked for, as TAP in the log, with free pages compared around each suite; then power off, unless none was
 * asked for.  Context: thread, at the end of boot. */
void ktest_run(void);
