/* The in-kernel test frame.  A suite runs all of its own, then the free pages
 * are compared with those before (a few may have gone into caches: one run warms up, the second is judged). */
#include <drivers/power/power.h>
#include <kernel/initcall.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/rcu.h>
#include <mm/page.h>

#define LEAK_SLACK 16

static const char *wanted;
static u32 number, failures;
static bool failed;

static void param_ktest(const char *value) { wanted = value ? value : "all"; }
BOOT_PARAM("ktest", param_ktest);

void ktest_fail(const char *expr, const char *file, int line)
{
	failed = true;
	printk(LOG_NOTICE "# %s, %s:%d\n", expr, file, line);
}

static bool suite_wanted(const char *suite)
{
	size_t n = strlen(suite);

	if (!strcmp(wanted, "all"))
		return true;
	for (const char *s = wanted; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		if (!strncmp(s, suite, n) && (s[n] == ',' || !s[n]))
			return true;
	return false;
}

static void result(bool ok, const char *suite, const char *name)
{
	failures += !ok;
	printk(LOG_NOTICE "%s %u - %s.%s\n", ok ? "ok" : "not ok", ++number, suite, name);
}

static void run_suite(const char *suite, bool report)
{
	for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
		if (strcmp(t->suite, suite))
			continue;
		failed = false;
		t->fn();
		if (report)
			result(!failed, suite, t->name);
	}
}

static bool first_of_suite(const struct ktest *t)
{
	for (const struct ktest *p = __ktests_start; p < t; p++)
		if (!strcmp(p->suite, t->suite))
			return false;
	return true;
}

void ktest_run(void)
{
	if (!wanted)
		return;
	if (console_loglevel < 6)
		console_loglevel = 6;
	printk(LOG_NOTICE "TAP version 13\n");
	if (&__ktests_start[0] == &__ktests_end[0])
		printk(LOG_NOTICE "# this image has no tests: boot build/ktest/Image, or the debug build\n");
	for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
		u64 before;

		if (!first_of_suite(t) || !suite_wanted(t->suite))
			continue;
		run_suite(t->suite, false);
		rcu_barrier();
		before = page_nr_free();
		run_suite(t->suite, true);
		rcu_barrier();
		result(page_nr_free() + LEAK_SLACK >= before, t->suite, "no_leak");
	}
	printk(LOG_NOTICE "1..%u\n", number);
	printk(LOG_NOTICE "# ktest: %u failed\n", failures);
	power_off();
}
