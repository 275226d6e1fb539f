/* The part of the unit tests that sees libc: main, memory, printing. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct unit_test { const char *name; void (*fn)(void); };
extern const struct unit_test __unit_tests_start[], __unit_tests_end[];
static unsigned long live;
static uint64_t seed = 1, state;
static bool failed;
static const char *running = "?";

void *host_alloc(size_t s) { live++; return malloc(s ? s : 1); }
void host_free(void *p) { if (p) live--; free(p); }
unsigned long host_live(void) { return live; }
int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args) { return vsnprintf(buf, size, fmt, args); }

void host_die(const char *what, const char *file, int line)
{
	printf("# in %s, UNIT_SEED=%lu\nBail out! %s (%s:%d)\n", running, (unsigned long)seed, what, file, line);
	fflush(stdout);
	abort();
}

void *host_guarded(size_t n)
{
	size_t len = (n + 4095) / 4096 * 4096;
	char *p = mmap(NULL, len + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p, 4096, PROT_NONE) || mprotect(p + 4096 + len, 4096, PROT_NONE))
		host_die("no guarded memory", __FILE__, __LINE__);
	return p + 4096 + len - n;
}

void unit_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

void unit_fail(const char *expr, const char *file, int line)
{
	failed = true;
	printf("# %s, %s:%d, UNIT_SEED=%lu\n", expr, file, line, (unsigned long)seed);
}

uint64_t unit_random(void)	/* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int main(void)
{
	int n = 0, bad = 0;
	const char *s = getenv("UNIT_SEED");

	if (s)
		seed = strtoul(s, NULL, 0);
	printf("TAP version 13\n");
	for (const struct unit_test *t = __unit_tests_start; t < __unit_tests_end; t++) {
		failed = false;
		state = seed;		/* each test's numbers do not depend on those before it */
		running = t->name;
		t->fn();
		bad += failed;
		printf("%s %d - %s\n", failed ? "not ok" : "ok", ++n, t->name);
		fflush(stdout);
	}
	printf("1..%d\n", n);
	return bad != 0 || n == 0;
}
