/* String functions against libc's, at the edge of a page; numbers from text. */
#include <asm/errno.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define K(name) k_##name
void *K(memmove)(void *to, const void *from, size_t len) __weak;
int K(memcmp)(const void *a, const void *b, size_t len);
void *K(memchr)(const void *p, int c, size_t len);
size_t K(strlen)(const char *s);
size_t K(strnlen)(const char *s, size_t max);
int K(strcmp)(const char *a, const char *b);
int K(strncmp)(const char *a, const char *b, size_t n);
int K(strcasecmp)(const char *a, const char *b);
char *K(strchr)(const char *s, int c);
char *K(strrchr)(const char *s, int c);
char *K(strstr)(const char *hay, const char *needle);
char *K(strsep)(char **s, const char *delim);

#define LEN 48
static char *ends[2], *starts[2];	/* LEN bytes before an unreadable page */

static int sign(int v) { return (v > 0) - (v < 0); }

/* A string of few letters, so that equal runs are common, that ends with its NUL at the last readable byte. */
static char *random_string(int which)
{
	size_t n = unit_below(LEN);
	char *s = ends[which] - n - 1;

	for (size_t i = 0; i < n; i++)
		s[i] = "abAB\200"[unit_below(5)];
	s[n] = '\0';
	return s;
}

TEST(searches_and_comparisons)
{
	for (int i = 0; i < 2; i++) {
		starts[i] = host_guarded(LEN);
		ends[i] = starts[i] + LEN;
	}
	for (int round = 0; round < 30000; round++) {
		char *a = random_string(0), *b = random_string(1), c = "abAB\200z\0"[unit_below(7)];
		size_t n = unit_below(LEN), la = strlen(a), lb = strlen(b);

		EXPECT_EQ(K(strlen)(a), la);
		EXPECT_EQ(K(strnlen)(a, n), strnlen(a, n));
		EXPECT_EQ(sign(K(strcmp)(a, b)), sign(strcmp(a, b)));
		EXPECT_EQ(sign(K(strncmp)(a, b, n)), sign(strncmp(a, b, n)));
		EXPECT_EQ(sign(K(strcasecmp)(a, b)), sign(strcasecmp(a, b)));
		EXPECT_EQ(sign(K(memcmp)(a, b, min(la, lb) + 1)), sign(memcmp(a, b, min(la, lb) + 1)));
		EXPECT(K(strchr)(a, c) == strchr(a, c));
		EXPECT(K(strrchr)(a, c) == strrchr(a, c));
		EXPECT(K(memchr)(a, c, la + 1) == memchr(a, c, la + 1));
		b[min(lb, unit_below(4))] = '\0';
		EXPECT(K(strstr)(a, b) == strstr(a, b));
	}
}

TEST(memcmp_equal_prefixes)
{
	char *a = host_guarded(40), *b = host_guarded(40);

	for (size_t len = 0; len <= 40; len++)
		for (size_t at = 0; at < len; at++)
			for (int high = 0; high < 2; high++) {
				memset(a + 40 - len, 0x55, len);
				memset(b + 40 - len, 0x55, len);
				EXPECT_EQ(K(memcmp)(a + 40 - len, b + 40 - len, len), 0);
				a[40 - len + at] = high ? (char)0xff : 1;
				b[40 - len + at] = high ? 1 : (char)0xff;
				EXPECT_EQ(sign(K(memcmp)(a + 40 - len, b + 40 - len, len)), high ? 1 : -1);
			}
}

TEST(strsep)
{
	char a[64], b[64], *pa = a, *pb = b;

	for (int round = 0; round < 2000; round++) {
		size_t n = unit_below(20);

		for (size_t i = 0; i < n; i++)
			a[i] = "ab,; "[unit_below(5)];
		a[n] = '\0';
		memcpy(b, a, n + 1);
		pa = a;
		pb = b;
		for (char *x = a, *y = b; x; ) {
			x = K(strsep)(&pa, ",;");
			y = strsep(&pb, ",;");
			EXPECT(!x == !y && (!x || !strcmp(x, y)));
		}
		EXPECT(!pa && !pb);
	}
}

TEST(copies)
{
	for (size_t len = 0; len < 20; len++)
		for (size_t size = 0; size < 24; size++) {
			char *from = host_guarded(len + 1), *to = host_guarded(size);

			memset(from, 'x', len);
			EXPECT_EQ(kstrlcpy(to, from, size), len);
			EXPECT(!size || (strlen(to) == min(len, size - 1) && to[0] == (len && size > 1 ? 'x' : '\0')));
			if (size)
				memset(to, 'y', size);
			EXPECT_EQ(strscpy(to, from, size), len < size ? (s64)len : -E2BIG);
			EXPECT(!size || strlen(to) == min(len, size - 1));
		}
}

static s64 u64_of(const char *s, unsigned base, u64 *v) { *v = 77; return kstrtou64(s, base, v); }
static s64 s64_of(const char *s, unsigned base, s64 *v) { *v = 77; return kstrtos64(s, base, v); }

TEST(numbers)
{
	static const struct { const char *s; unsigned base; int err; u64 v; } t[] = {
		{ "0", 10, 0, 0 }, { "42", 10, 0, 42 }, { "+42", 10, 0, 42 }, { "42\n", 10, 0, 42 }, { "0x2a", 0, 0, 42 },
		{ "0X2A", 16, 0, 42 }, { "2a", 16, 0, 42 }, { "052", 0, 0, 42 }, { "052", 10, 0, 52 }, { "0", 0, 0, 0 },
		{ "18446744073709551615", 10, 0, ~0ul }, { "18446744073709551616", 10, -ERANGE, 77 },
		{ "99999999999999999999999", 10, -ERANGE, 77 }, { "0xffffffffffffffff", 0, 0, ~0ul }, { "0x10000000000000000", 0, -ERANGE, 77 },
		{ "", 10, -EINVAL, 77 }, { "x", 10, -EINVAL, 77 }, { "4x", 10, -EINVAL, 77 }, { "42\n\n", 10, -EINVAL, 77 },
		{ " 42", 10, -EINVAL, 77 }, { "-42", 10, -EINVAL, 77 }, { "0x", 0, -EINVAL, 77 }, { "09", 0, -EINVAL, 77 }, { "\n", 10, -EINVAL, 77 },
		{ "8", 8, -EINVAL, 77 }, { "7", 8, 0, 7 }, { "a", 10, -EINVAL, 77 }, { "g", 16, -EINVAL, 77 }, { "fF", 16, 0, 255 },
	};
	u64 v;
	s64 w;

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		EXPECT_EQ(u64_of(t[i].s, t[i].base, &v), t[i].err);
		EXPECT_EQ(v, t[i].v);
	}
	EXPECT(s64_of("-9223372036854775808", 10, &w) == 0 && w == INT64_MIN);
	EXPECT(s64_of("9223372036854775807", 10, &w) == 0 && w == INT64_MAX);
	EXPECT(s64_of("9223372036854775808", 10, &w) == -ERANGE);
	EXPECT(s64_of("-9223372036854775809", 10, &w) == -ERANGE);
	EXPECT(s64_of("-0x10", 0, &w) == 0 && w == -16);
	EXPECT(s64_of("--1", 10, &w) == -EINVAL);
	EXPECT(s64_of("-+1", 10, &w) == -EINVAL);
}

TEST(prefixes_and_digits)
{
	const char *end;

	EXPECT(str_has_prefix("abc", "ab") && str_has_prefix("abc", "") && !str_has_prefix("ab", "abc") && !str_has_prefix("", "a"));
	EXPECT(K(strcasecmp)("AZaz", "azAZ") == 0 && K(strcasecmp)("@[`{", "`{@[") && K(strcasecmp)("Z", "y") > 0);
	EXPECT(parse_number("123abc", &end, 10) == 123 && *end == 'a');
	EXPECT(parse_number("0x1fg", &end, 0) == 0x1f && *end == 'g');
	EXPECT(parse_number("", &end, 0) == 0 && !*end);
	EXPECT(parse_number("0xg", &end, 0) == 0 && *end == 'x');
}
