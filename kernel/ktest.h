/* Tests inside the kernel: KTEST(suite, name) { ... EXPECT(...) }, run by ktest=all or ktest=suite,suite on the command line.
 *
 * KTEST_REPORTS(suite, name, text) { ... } must make the kernel report something: it runs alone, in a boot of its own with
 * ktest_reports=suite.name, and passes when a line of the log that begins with "Kernel panic:" or "WARN:" has text in it.  Of a text
 * "first|second|..." each later piece must stand in a line of its own behind that, in this order; one that begins with "smp:" only where there are more CPUs.
 * ktest= only lists those of its suites ("# reports: suite.name: text"); scripts/test-kernel boots for each. */
#pragma once
#include <kernel/lib/types.h>

struct ktest { const char *suite, *name; void (*fn)(void); const char *reports; };
#ifdef __clang__
#define ktest_in_order
#else
#define ktest_in_order __attribute__((no_reorder))	/* gcc would emit the last one first */
#endif
#define KTEST(suite, name) __KTEST(suite, name, NULL)
#define KTEST_REPORTS(suite, name, text) __KTEST(suite, name, text)
#define __KTEST(suite_, name_, reports_) \
	static void ktest_##suite_##_##name_(void); \
	static const struct ktest __ktest_##suite_##_##name_ __used ktest_in_order __section(".ktests") = \
		{ #suite_, #name_, ktest_##suite_##_##name_, reports_ }; \
	static void ktest_##suite_##_##name_(void)
extern const struct ktest __ktests_start[], __ktests_end[];

/* EXPECT - note a failure and leave the test.  EXPECT_EQ, for integers, also says what was there.  A test that holds something first
 * gives it back, and judges then: see the files in tests/kernel. */
#define EXPECT_EQ(a, b) do { s64 __a = (s64)(a), __b = (s64)(b); \
	if (__a != __b) { ktest_note(#a, __a, __b); ktest_fail(#a " == " #b, __FILE__, __LINE__); return; } } while (0)
#define EXPECT(c) do { if (!(c)) { ktest_fail(#c, __FILE__, __LINE__); return; } } while (0)
void ktest_fail(const char *expr, const char *file, int line);
void ktest_note(const char *expr, s64 is, s64 should);
/* ktest_run - the tests asked for, as TAP in the log, with free pages compared around each suite; then power off, unless none was
 * asked for.  Context: thread, at the end of boot. */
void ktest_run(void);
