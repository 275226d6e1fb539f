/* What an inotify descriptor says, as text: "1:OPEN=name 2:ISDIR|CREATE", all that waits. */
#pragma once
#include "../tap.h"
#include <sys/inotify.h>
#include <sys/sysmacros.h>
#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

#define EV_SIZE sizeof(struct inotify_event)
static unsigned ev_cookies[64], ev_nr;		/* of the last ev_said() */
static char ev_text[16384];

static inline int ev_init(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static inline char *ev_print(char *to, const struct inotify_event *e)
{
	static const char *const bits[32] = { "ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE",
		"DELETE_SELF", "MOVE_SELF", "?12", "UNMOUNT", "OVERFLOW", "IGNORED", [30] = "ISDIR" };
	to += sprintf(to, "%s%d:", to == ev_text ? "" : " ", e->wd);
	for (int b = 31, first = 1; b >= 0; b--)
		if (e->mask & 1u << b) {
			to += sprintf(to, "%s%s", first ? "" : "|", bits[b] ? bits[b] : "?");
			first = 0;
		}
	if (e->len)
		to += sprintf(to, "=%s", e->name);
	return to;
}

static inline const char *ev_said(int fd)
{
	static char buf[65536] __attribute__((aligned(8)));
	char *to = ev_text;
	ssize_t n;
	ev_nr = 0;
	*to = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;
			CHECK(e->len % EV_SIZE == 0 && (!e->len || memchr(e->name, 0, e->len)));
			for (unsigned k = strnlen(e->name, e->len); k < e->len; k++) CHECK(!e->name[k]);
			CHECK(to < ev_text + sizeof(ev_text) - 600);
			to = ev_print(to, e);
			ev_cookies[ev_nr++ % 64] = e->cookie;
			p += EV_SIZE + e->len;
		}
	CHECK(n == -1 && errno == EAGAIN);
	return ev_text;
}
#define SAYS(fd, want) do { const char *s_ = ev_said(fd); if (strcmp(s_, want)) { \
	printf("# %s:%d: it says   %s\n# it should    %s\n", __FILE__, __LINE__, s_, want); fflush(stdout); _exit(1); } } while (0)
static inline int ev_watch(int fd, const char *path, unsigned mask)
{
	int wd = inotify_add_watch(fd, path, mask);
	CHECK(wd > 0);
	return wd;
}
static inline void touch(const char *path) { write_file(path, "x"); }
