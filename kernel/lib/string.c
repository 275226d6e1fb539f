/* Strings and memory in C.  The architecture's memcpy, memmove and memset stand in arch/; the weak ones here serve elsewhere. */
#include <asm/errno.h>
#include <kernel/lib/string.h>

#ifndef UNIT_TEST
int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *p = a, *q = b;

	for (; len >= 8 && *(const u64 *)p == *(const u64 *)q; len -= 8) {
		p += 8;
		q += 8;
	}
	for (; len; len--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *p, int c, size_t len)
{
	const u8 *s = p;

	for (; len; len--, s++)
		if (*s == (u8)c)
			return (void *)s;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; n--, a++)
		b++;
	return n ? (u8)*a - (u8)*b : 0;
}

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

int strcasecmp(const char *a, const char *b)
{
	for (; *a && lower(*a) == lower(*b); a++)
		b++;
	return lower(*a) - lower(*b);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	char *last = NULL;

	do
		if (*s == (char)c)
			last = (char *)s;
	while (*s++);
	return last;
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (; *hay; hay++)
		if (!strncmp(hay, needle, n))
			return (char *)hay;
	return n ? NULL : (char *)hay;
}

char *strsep(char **s, const char *delim)
{
	char *start = *s, *p;

	if (!start)
		return NULL;
	for (p = start; *p && !strchr(delim, *p); p++)
		;
	*s = *p ? p + 1 : NULL;
	*p = '\0';
	return start;
}
#endif

size_t kstrlcpy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from);

	if (size) {
		size_t n = len < size ? len : size - 1;

		memcpy(to, from, n);
		to[n] = '\0';
	}
	return len;
}

ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (!size)
		return -E2BIG;
	if (len == size) {
		memcpy(to, from, size - 1);
		to[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(to, from, len + 1);
	return (ssize_t)len;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static const char *skip_prefix(const char *s, unsigned *base)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16;

	if (*base == 0)
		*base = hex ? 16 : s[0] == '0' ? 8 : 10;
	return *base == 16 && hex ? s + 2 : s;
}

u64 parse_number(const char *s, const char **end, unsigned base)
{
	u64 v = 0;

	s = skip_prefix(s, &base);
	for (; digit_value(*s) < (int)base; s++)
		v = v * base + (u64)digit_value(*s);
	if (end)
		*end = s;
	return v;
}

static int whole_number(const char *s, unsigned base, u64 *out)
{
	u64 v = 0;

	s = skip_prefix(s, &base);
	if (digit_value(*s) >= (int)base)
		return -EINVAL;
	for (; digit_value(*s) < (int)base; s++) {
		u64 next;

		if (__builtin_mul_overflow(v, (u64)base, &next) || __builtin_add_overflow(next, (u64)digit_value(*s), &v))
			return -ERANGE;
	}
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*out = v;
	return 0;
}

int kstrtou64(const char *s, unsigned base, u64 *out)
{
	return whole_number(*s == '+' ? s + 1 : s, base, out);
}

int kstrtos64(const char *s, unsigned base, s64 *out)
{
	bool negative = *s == '-';
	u64 v;
	int err = negative ? whole_number(s + 1, base, &v) : kstrtou64(s, base, &v);

	if (err)
		return err;
	if (v > (u64)INT64_MAX + negative)
		return -ERANGE;
	*out = (s64)(negative ? -v : v);
	return 0;
}
