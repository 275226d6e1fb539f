/* Formatted print against the host's, for random formats and every buffer size; what is ours alone by example. */
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

static char ours[600], theirs[600];

static bool same(const char *fmt, ...)
{
	va_list args;
	int a, b;

	va_start(args, fmt);
	a = kvsnprintf(ours, sizeof(ours), fmt, args);
	va_end(args);
	va_start(args, fmt);
	b = host_vsnprintf(theirs, sizeof(theirs), fmt, args);
	va_end(args);
	if (a == b && !strcmp(ours, theirs))
		return true;
	unit_note("\"%s\": ours \"%s\" (%d), theirs \"%s\" (%d)", fmt, ours, a, theirs, b);
	return false;
}

static u64 random_value(void)
{
	static const u64 edges[] = { 0, 1, 7, 8, 9, 10, 15, 16, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff,
				     0x7ffffffffffffffful, 0x8000000000000000ul, ~0ul };

	return unit_below(2) ? edges[unit_below(ARRAY_SIZE(edges))] : unit_random() >> unit_below(64);
}

/* %[flags][width][.precision]length conversion, with text around */
static void random_format(char *f, char *conv, const char **length, bool *star_width, bool *star_prec)
{
	static const char *const lengths[] = { "", "hh", "h", "l", "ll", "z", "j", "t" };

	*conv = "diuxXocs"[unit_below(8)];
	*length = *conv == 'c' || *conv == 's' ? "" : lengths[unit_below(8)];
	*star_width = *star_prec = false;
	*f++ = '<';
	*f++ = '%';
	for (u64 n = unit_below(4); n--;) {
		char flag = "-+ #0"[unit_below(5)];

		if ((*conv == 'c' || *conv == 's') && flag != '-')	/* the rest is undefined there */
			continue;
		if ((*conv == 'd' || *conv == 'i' || *conv == 'u') && flag == '#')
			continue;
		*f++ = flag;
	}
	if (unit_below(3) == 0) {
		*f++ = '*';
		*star_width = true;
	} else if (unit_below(2)) {
		f += ksnprintf(f, 8, "%u", (u32)unit_below(40) + 1);
	}
	if (*conv != 'c' && unit_below(2)) {
		*f++ = '.';
		*star_prec = unit_below(3) == 0;
		if (*star_prec)
			*f++ = '*';
		else if (unit_below(4))
			f += ksnprintf(f, 8, "%u", (u32)unit_below(40));
	}
	for (const char *s = *length; *s;)
		*f++ = *s++;
	*f++ = *conv;
	memcpy(f, "|%%>", 5);
}

static bool one_random(void)
{
	static const char *const texts[] = { "", "a", "hello", "a rather longer text that is cut", NULL };
	char f[80], conv;
	const char *length;
	bool sw, spr;
	u64 v = random_value();
	int w = (int)unit_below(60) - 30, p = (int)unit_below(50) - 10;

	random_format(f, &conv, &length, &sw, &spr);
	if (conv == 's') {
		const char *s = texts[unit_below(4)];

		return sw && spr ? same(f, w, p, s) : sw ? same(f, w, s) : spr ? same(f, p, s) : same(f, s);
	}
	if (conv == 'c')
		v = 'a' + v % 26;
	if (!*length || *length == 'h')
		return sw && spr ? same(f, w, p, (u32)v) : sw ? same(f, w, (u32)v) : spr ? same(f, p, (u32)v) : same(f, (u32)v);
	return sw && spr ? same(f, w, p, v) : sw ? same(f, w, v) : spr ? same(f, p, v) : same(f, v);
}

TEST(random_formats)
{
	for (int i = 0; i < 200000; i++)
		EXPECT(one_random());
}

/* Whatever the room, the text is cut there, ended, and the whole length returned; nothing beyond is touched. */
TEST(truncation)
{
	const char *whole = "pid 42: <    -7> deadbeef ok";

	for (size_t size = 0; size <= 40; size++) {
		char *buf = host_guarded(size);
		int n = ksnprintf(buf, size, "pid %d: <%6d> %lx %s", 42, -7, 0xdeadbeeful, "ok");
		size_t want = min(strlen(whole), size ? size - 1 : 0);

		EXPECT_EQ(n, strlen(whole));
		EXPECT(!size || (strlen(buf) == want && !memcmp(buf, whole, want)));
		EXPECT_EQ(scnprintf(buf, size, "%s", whole), want);
	}
	EXPECT_EQ(ksnprintf(NULL, 0, "%s", "nowhere"), 7);
}

static void symbol(char *buf, size_t len, u64 addr)
{
	ksnprintf(buf, len, "f+0x%lx", addr);
}

static bool is(const char *want) { return !strcmp(ours, want) || (unit_note("it is \"%s\"", ours), false); }

TEST(pointers)
{
	void *p = (void *)0xffff00001234abcdul;

	fmt_symbol_hook = NULL;
	ksnprintf(ours, sizeof(ours), "%p", p);
	EXPECT(is("0xffff00001234abcd"));
	ksnprintf(ours, sizeof(ours), "%p", (void *)0x1f);
	EXPECT(is("0x000000000000001f"));
	ksnprintf(ours, sizeof(ours), "[%20p]", p);
	EXPECT(is("[  0xffff00001234abcd]"));
	ksnprintf(ours, sizeof(ours), "[%-20p]", p);
	EXPECT(is("[0xffff00001234abcd  ]"));
	ksnprintf(ours, sizeof(ours), "%p", NULL);
	EXPECT(is("0x0000000000000000"));
	ksnprintf(ours, sizeof(ours), "%pS", (void *)0x10);
	EXPECT(is("0x10"));
	fmt_symbol_hook = symbol;
	ksnprintf(ours, sizeof(ours), "%pS|%8pS|%-8pS|", (void *)0x10, (void *)0x10, (void *)0x10);
	EXPECT(is("f+0x10|  f+0x10|f+0x10  |"));
	fmt_symbol_hook = NULL;
}

/* A null string is named; what is no conversion stands as it is. */
TEST(odd_ones)
{
	const char *null = NULL, *cut = "100%";

	asm("" : "+r"(null));	/* gcc would object */
	ksnprintf(ours, sizeof(ours), "%s", null);
	EXPECT(is("(null)"));
	ksnprintf(ours, sizeof(ours), cut);
	EXPECT(is("100%"));
	cut = "%y%d";
	ksnprintf(ours, sizeof(ours), cut, 5);
	EXPECT(is("%y5"));
	char *unended = host_guarded(3);
	memcpy(unended, "abc", 3);
	ksnprintf(ours, sizeof(ours), "%.3s", unended);		/* a precision bounds the look at the string too */
	EXPECT(is("abc"));
}
