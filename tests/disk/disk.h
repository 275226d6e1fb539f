/* disk.h - what the programs about disks share: chance, patterns, hashes, parameters.
 *
 * They run under tests/disk/init.c, one in a guest; the kernel's command line brings their parameters as environment (PROG=exercise SEED=7
 * OPS=10000).  What they print in lines that begin with "## " is read by scripts/exercise, scripts/fsx and scripts/crash.
 *
 * FAULTS=PLAN (drivers/block/faulty.c, words with commas between): the disk is the one that misbehaves, on top of the real one, and calls may fail
 * with what a broken disk causes (trouble()).  Faults are on between faults_on() and faults_off(). */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define DISK "/disk"
#define DEVICE disk_device()

static inline long parameter(const char *name, long otherwise)
{
	const char *v = getenv(name);
	return v && *v ? strtol(v, NULL, 0) : otherwise;
}

/* Chance: xorshift64*, the same on every kernel. */
struct chance { uint64_t state; };
static inline uint64_t draw(struct chance *c)
{
	uint64_t x = c->state;
	x ^= x >> 12; x ^= x << 25; x ^= x >> 27;
	c->state = x;
	return x * 0x2545f4914f6cdd1dull;
}
static inline uint64_t below(struct chance *c, uint64_t n) { return (draw(c) >> 11) % n; }
static inline void seed_chance(struct chance *c, uint64_t seed)
{
	c->state = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	for (int i = 0; i < 8; i++)
		draw(c);
}

/* pattern - bytes that tell where they belong: from `tag` and the position. */
static inline void pattern(void *buf, size_t len, uint64_t tag)
{
	struct chance c;
	uint8_t *p = buf;
	seed_chance(&c, tag);
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v = draw(&c);
		memcpy(p, &v, 8);
	}
	for (; len; len--)
		*p++ = (uint8_t)draw(&c);
}

static inline uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
	h *= 0xff51afd7ed558ccdull;
	return h ^ h >> 32;
}
static inline uint64_t mix_bytes(uint64_t h, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;
		memcpy(&v, p, 8);
		h = mix(h, v);
	}
	for (; len; len--)
		h = mix(h, *p++);
	return h;
}

static inline void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#include <stdarg.h>
static inline void say(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fflush(stdout);
}
#define FATAL(...) do { say("## fatal %s:%d errno %d: ", __FILE__, __LINE__, errno); say(__VA_ARGS__); say("\n"); exit(1); } while (0)

/* --- a disk that misbehaves --- */

static inline const char *faults(void) { const char *f = getenv("FAULTS"); return f && *f ? f : NULL; }

static inline void faults_set(const char *plan)
{
	char line[200];
	int fd = open("/proc/driver/faulty", O_WRONLY | O_CLOEXEC), n = snprintf(line, sizeof(line), "vda %s\n", plan);

	for (char *c = line; *c; c++)
		if (*c == ',')
			*c = ' ';
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		FATAL("the plan %s", plan);
	close(fd);
}
static inline void faults_on(void) { if (faults()) faults_set(faults()); }
static inline void faults_off(void) { if (faults()) faults_set(""); }
static inline void faults_tell(void)
{
	char text[256];
	int fd = open("/proc/driver/faulty", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (n > 0)
		say("# %.*s", (int)n, text);
	close(fd);
}

static inline const char *disk_device(void)
{
	static bool made;

	if (faults() && !made) {
		faults_off();
		made = true;
	}
	return faults() ? "/dev/faulty0" : "/dev/vda";
}

/* Is that errno one that the disk, and not we, have to answer for?  EROFS: after errors=remount-ro. */
static inline bool trouble(int e) { return faults() && (e == EIO || e == EROFS || e == ETIMEDOUT); }

/* Touching memory behind which a disk stands: false, and errno EIO, where that was a SIGBUS. */
#include <setjmp.h>
#include <signal.h>
static sigjmp_buf sigbus_back;
static inline void sigbus_caught(int sig) { (void)sig; siglongjmp(sigbus_back, 1); }
#define TOUCH(code) ({ volatile bool ok__ = true; \
	if (!faults()) { code; } \
	else { \
		signal(SIGBUS, sigbus_caught); \
		if (sigsetjmp(sigbus_back, 1)) { ok__ = false; errno = EIO; } else { code; } \
		signal(SIGBUS, SIG_DFL); \
	} ok__; })

static inline void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			say("# %s: errno %d\n", path, errno);
		close(fd);
	}
}
static inline void drop_caches(void) { sync(); write_text("/proc/sys/vm/drop_caches", "3\n"); }
