/* mounts.h - what the tests of mounts look at: a tree of their own, private, and lines of mountinfo. */
#pragma once
#include "../tap.h"

/* where a mount stands, as /proc/self/mountinfo has it: its optional fields ("shared:1 master:2") with the last mount there; NULL: none. */
static inline const char *optional(const char *name)
{
	static char text[64 << 10], found[128], path[PATH_MAX];
	char *line, *save = NULL, *fields = NULL;

	CHECK(realpath(name, path));
	CHECK(read_file("/proc/self/mountinfo", text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char at[PATH_MAX], *rest = strstr(line, " - "), *p = line;

		CHECK(rest);
		*rest = 0;
		CHECK(sscanf(line, "%*d %*d %*s %*s %4000s", at) == 1);
		if (strcmp(at, path))
			continue;
		for (int i = 0; i < 6; i++) {
			p = strchr(p, ' ');
			if (!p) break;
			p++;
		}
		fields = p ? p : "";
		snprintf(found, sizeof(found), "%s", fields);
	}
	return fields ? found : NULL;
}

/* group_number - of the field "shared:", "master:", "propagate_from:"; 0: it has none. */
static inline int group_number(const char *name, const char *field)
{
	const char *o = optional(name), *at;

	CHECK(o);
	at = strstr(o, field);
	return at ? atoi(at + strlen(field)) : 0;
}
static inline int shared(const char *name) { return group_number(name, "shared:"); }
static inline int master(const char *name) { return group_number(name, "master:"); }
static inline bool private(const char *name) { return !*optional(name); }
static inline bool is_mount(const char *name) { return optional(name) != NULL; }
/* how many mounts stand in the tree of a test. */
static inline int mounts_below(const char *name)
{
	static char text[64 << 10], path[PATH_MAX];
	char *line, *save = NULL;
	int n = 0;

	CHECK(realpath(name, path));
	CHECK(read_file("/proc/self/mountinfo", text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char at[PATH_MAX];
		CHECK(sscanf(line, "%*d %*d %*s %*s %4000s", at) == 1);
		n += !strncmp(at, path, strlen(path));
	}
	return n;
}

static inline void dirs(const char *names)
{
	char list[200], *save = NULL;

	snprintf(list, sizeof(list), "%s", names);
	for (char *d = strtok_r(list, " ", &save); d; d = strtok_r(NULL, " ", &save))
		CHECK(mkdir(d, 0755) == 0);
}
static inline int tmpfs(const char *at) { return mount("none", at, "tmpfs", 0, NULL); }
static inline int bind_to(const char *from, const char *at) { return mount(from, at, NULL, MS_BIND, NULL); }
static inline int rbind(const char *from, const char *at) { return mount(from, at, NULL, MS_BIND | MS_REC, NULL); }
static inline int move_to(const char *from, const char *at) { return mount(from, at, NULL, MS_MOVE, NULL); }
static inline int type(const char *at, unsigned long flags) { return mount("none", at, NULL, flags, NULL); }
static inline bool exists(const char *name) { return access(name, F_OK) == 0; }

/* stage - a private tmpfs of the test's own is the working directory. */
static inline void stage(void)
{
	static char dir[] = "/tmp/stage-XXXXXX";

	CHECK(mkdtemp(dir));
	CHECK(tmpfs(dir) == 0 && chdir(dir) == 0 && type(".", MS_PRIVATE) == 0);
}
/* strike - it goes, with all that stands on it; nothing is left in any other place. */
static inline void strike(void)
{
	char at[PATH_MAX];

	CHECK(getcwd(at, sizeof(at)));
	CHECK(chdir("/") == 0 && umount2(at, MNT_DETACH) == 0 && rmdir(at) == 0);
}
