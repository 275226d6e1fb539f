/* disk.h - what the programs about disks share: chance, patterns, hashes, parameters.
 *
 * They run under tests/disk/init.c, one in a guest; the kernel's command line brings their parameters as environment (PROG=exercise SEED=7
 * OPS=10000).  What they print in lines that begin with "## " is read by scripts/exercise, scripts/fsx and scripts/crash. */
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
#define DEVICE "/dev/vda"

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
