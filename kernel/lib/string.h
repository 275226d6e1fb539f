/* Strings and memory.  memcpy and kin may be the architecture's assembly. */
#pragma once
#include <kernel/lib/types.h>

#ifdef UNIT_TEST
#include <string.h>
#include <strings.h>
#else
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int c, size_t len);
#if defined(CONFIG_DEBUG) && defined(__SANITIZE_ADDRESS__) && !defined(CONFIG_UNIT)
/* The assembly has no checks of its own: instrumented code has them made first (kernel/debug/kasan.c). */
void *kasan_memcpy(void *to, const void *from, size_t len);
void *kasan_memmove(void *to, const void *from, size_t len);
void *kasan_memset(void *to, int c, size_t len);
#define memcpy kasan_memcpy
#define memmove kasan_memmove
#define memset kasan_memset
#elif defined(__SANITIZE_THREAD__) && !defined(CONFIG_UNIT)
void *race_memcpy(void *to, const void *from, size_t len);	/* the same for kernel/debug/race.c */
void *race_memmove(void *to, const void *from, size_t len);
void *race_memset(void *to, int c, size_t len);
#define memcpy race_memcpy
#define memmove race_memmove
#define memset race_memset
#endif
int memcmp(const void *a, const void *b, size_t len);
void *memchr(const void *p, int c, size_t len);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);
char *strsep(char **s, const char *delim);
#endif
/* strlcpy - copy, always NUL-terminated if size > 0; returns strlen(from).  strscpy - the same; returns the length or -E2BIG. */
size_t kstrlcpy(char *to, const char *from, size_t size);
#ifndef UNIT_TEST
#define strlcpy kstrlcpy
#endif
ssize_t strscpy(char *to, const char *from, size_t size);
/* kstrtou64/kstrtos64 - the whole string (a final newline allowed) as a number; base 0 takes 0x, 0 prefixes.
 * 0, -EINVAL, -ERANGE */
int kstrtou64(const char *s, unsigned base, u64 *out);
int kstrtos64(const char *s, unsigned base, s64 *out);
/* parse_number - digits at s in that base (0: by prefix); stops at the first other character, to which *end points. */
u64 parse_number(const char *s, const char **end, unsigned base);
static inline bool str_has_prefix(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}
static inline bool is_digit(int c) { return c >= '0' && c <= '9'; }
static inline bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static inline bool is_print(int c) { return c >= ' ' && c < 127; }
