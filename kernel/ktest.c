/* The in-kernel test frame.  A suite runs all of its own twice.  The first time warms caches up, and only its failures are told; around
 * the second the free pages are compared. */
#include <drivers/power/power.h>
#include <kernel/debug/race.h>
#include <kernel/initcall.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/rcu.h>
#include <mm/page.h>
#include <mm/reclaim.h>

#define LEAK_SLACK 16

static const char *wanted, *wanted_report;
static u32 number, failures;
static bool failed;

static void param_ktest(const char *value) { wanted = value ? value : "all"; }
static void param_reports(const char *value) { wanted_report = value; }
BOOT_PARAM("ktest", param_ktest);
BOOT_PARAM("ktest_reports", param_reports);

void ktest_fail(const char *expr, const char *file, int line)
{
	failed = true;
	printk(LOG_NOTICE "# %s, %s:%d\n", expr, file, line);
}

void ktest_note(const char *expr, s64 is, s64 should)
{
	printk(LOG_NOTICE "# %s is %ld, not %ld\n", expr, is, should);
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
		if (t->reports) {
			if (report)
				printk(LOG_NOTICE "# reports: %s.%s: %s\n", suite, t->name, t->reports);
			continue;
		}
		failed = false;
		t->fn();
		if (report || failed)
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

/* The one test asked for, which should not come back, or only after a WARN. */
static void run_report(void)
{
	for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
		size_t n = strlen(t->suite);

		if (!t->reports || strncmp(wanted_report, t->suite, n) || wanted_report[n] != '.' || strcmp(wanted_report + n + 1, t->name))
			continue;
		printk(LOG_NOTICE "# running %s.%s\n", t->suite, t->name);
		t->fn();
		printk(LOG_NOTICE "# %s.%s came back\n", t->suite, t->name);
		return;
	}
	printk(LOG_NOTICE "# no such test: %s\n", wanted_report);
}

static void run_suites(void)
{
	printk(LOG_NOTICE "TAP version 13\n");
	if (&__ktests_start[0] == &__ktests_end[0])
		printk(LOG_NOTICE "# this image has no tests: boot build/ktest/Image, or the debug build\n");
	for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
		u64 before;

		if (!first_of_suite(t) || !suite_wanted(t->suite))
			continue;
		run_suite(t->suite, false);
		rcu_barrier();
		stocks_drain();
		before = page_nr_free();
		run_suite(t->suite, true);
		rcu_barrier();
		stocks_drain();
		result(page_nr_free() + LEAK_SLACK >= before, t->suite, "no_leak");
	}
	printk(LOG_NOTICE "1..%u\n", number);
	printk(LOG_NOTICE "# ktest: %u failed\n", failures);
}

void ktest_run(void)
{
	if (!wanted && !wanted_report)
		return;
	if (console_loglevel < 6)
		console_loglevel = 6;
	if (wanted_report)
		run_report();
	else
		run_suites();
	race_flush();
	power_off();
}
