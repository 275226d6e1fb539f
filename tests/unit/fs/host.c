#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
static unsigned long live;
static int n, bad;
int unit_main(void);
void *host_alloc(size_t s) { live++; return malloc(s ? s : 1); }
void host_free(void *p) { if (p) live--; free(p); }
unsigned long host_live(void) { return live; }
void host_die(const char *what, const char *file, int line) { printf("Bail out! %s (%s:%d)\n", what, file, line); abort(); }
void host_check(bool ok, const char *what, int line, long got, long want)
{
	n++;
	if (!ok) {
		bad++;
		printf("not ok %d - %s # line %d: got %ld, want %ld\n", n, what, line, got, want);
	} else
		printf("ok %d - %s\n", n, what);
}
int main(void) { printf("TAP version 13\n"); unit_main(); printf("1..%d\n", n); return bad != 0; }
