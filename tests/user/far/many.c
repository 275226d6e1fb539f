/* Ten thousand connections at a time from a second guest to an epoll server here. */
#define TAP_TIMEOUT 200
#include "far.h"

#define MESSAGES 2

static double begun;

static void all_open(void) { printf("# all are open after %.1f s\n", now() - begun); }

BOTH(crowd_from_the_far_end)
{
	struct address a = near_end(family, 0);
	int many, l = near_socket(family, SOCK_STREAM, &a);
	struct far_call c = { .nr = FAR_CROWD, .arg = { (intptr_t)&a, a.len, 0, MESSAGES }, .in = 1, .len = { a.len } };

	if (!wired)
		SKIP("inet/many has it over loopback");
	many = crowd_size();
	c.arg[2] = many;
	allow_files(many + 100);
	CHECK_EQ(listen(l, 1024), 0);
	a = near_end(family, port_of(l));
	begun = now();
	far_begin(&c);
	crowd_serve(l, many, all_open);
	CHECK_EQ(far_end(&c), (long)many * MESSAGES);
	printf("# %d connections with %d messages each came and went in %.1f s\n", many, MESSAGES, now() - begun);
}
