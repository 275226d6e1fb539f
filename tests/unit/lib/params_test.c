/* The command line: words, quotes, what is ours, what goes to init, and lines of random bytes. */
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/params.h>
#include <tests/unit/unit.h>

static char seen[4096];
static bool bare;

static void note(const char *value)
{
	bare = !value;
	if (value)
		kstrlcpy(seen, value, sizeof(seen));
}
static void note_dash(const char *value) { note(value); }
BOOT_PARAM("known", note);
BOOT_PARAM("with_dash", note_dash);

static bool args_are(const char *a, const char *b, const char *c)
{
	const char *want[3] = { a, b, c };

	for (u32 i = 0; i < 3; i++) {
		const char *got = init_argv[1 + i];

		if (!want[i])
			return !got || (unit_note("argument %u is \"%s\"", i, got), false);
		if (!got || strcmp(got, want[i]))
			return unit_note("argument %u is \"%s\"", i, got ? got : "(none)"), false;
	}
	return !init_argv[4];
}

/* The parser runs once a boot; its memory of init's words is found out by where the new ones went. */
static void parse(const char *line)
{
	seen[0] = '\0';
	bare = false;
	params_parse(line);
}

TEST(whose_is_it)
{
	parse("  known=5 quiet splash=yes mod.param=1 a=b=c\tlast ");
	EXPECT(!strcmp(seen, "5"));
	EXPECT(args_are("quiet", "last", NULL));
	EXPECT(!strcmp(init_envp[0], "HOME=/") && !strcmp(init_envp[1], "TERM=linux"));
	EXPECT(!strcmp(init_envp[2], "splash=yes") && !strcmp(init_envp[3], "a=b=c") && !init_envp[4]);
	EXPECT(!strcmp(boot_cmdline, "  known=5 quiet splash=yes mod.param=1 a=b=c\tlast "));
}

TEST(values)
{
	parse("known");
	EXPECT(bare);
	parse("known=");
	EXPECT(!bare && !seen[0]);
	parse("known=1 known=2");
	EXPECT(!strcmp(seen, "2"));
	parse("known=\"two words\"");
	EXPECT(!strcmp(seen, "two words"));
	parse("\"known=two words\"");
	EXPECT(!strcmp(seen, "two words"));
	parse("known=\"not closed");
	EXPECT(!strcmp(seen, "not closed"));
	parse("with-dash=1");
	EXPECT(!strcmp(seen, "1"));
	parse("with_dash=2");
	EXPECT(!strcmp(seen, "2"));
	parse("withxdash=1 with-_dash=1 with=1 xith-dash=1");
	EXPECT(!seen[0]);
	parse("knownx=1 know=1 kno-wn=1");
	EXPECT(!seen[0]);
	parse("TERM=vt100");	/* replaces what is there, as its own name only */
	EXPECT(!strcmp(init_envp[1], "TERM=vt100") && !strcmp(init_envp[0], "HOME=/"));
}

TEST(after_two_dashes)
{
	u32 n = 0;

	while (init_argv[1 + n])
		n++;
	parse("known=1 -- known=2 x=y -z");
	EXPECT(!strcmp(seen, "1"));
	EXPECT(!strcmp(init_argv[1 + n], "known=2") && !strcmp(init_argv[2 + n], "x=y") && !strcmp(init_argv[3 + n], "-z"));
}

/* More words than there is room for, a line longer than the buffer: dropped, and the arrays stay ended. */
TEST(too_much)
{
	static char line[3 * CMDLINE_SIZE];

	for (u32 round = 0; round < 2; round++) {
		size_t len = 0;

		while (len < sizeof(line) - 12) {
			const char *w = round ? "wnnnn=1 " : "word ";

			memcpy(line + len, w, strlen(w));
			for (size_t k = len; round && k < len + 5; k++)
				line[k] = k > len ? (char)('a' + unit_below(26)) : 'w';
			len += strlen(w);
		}
		line[len] = '\0';
		parse(line);
		EXPECT(!init_argv[INIT_WORDS_MAX + 1] && !init_envp[INIT_WORDS_MAX + 3]);
		EXPECT_EQ(strlen(boot_cmdline), CMDLINE_SIZE - 1);
	}
}

TEST(random_bytes)
{
	static char line[600];

	for (int round = 0; round < 5000; round++) {
		size_t n = unit_below(sizeof(line) - 1);

		for (size_t i = 0; i < n; i++)
			line[i] = unit_below(3) ? "known=\" -.a\t_"[unit_below(13)] : (char)(1 + unit_below(255));
		line[n] = '\0';
		parse(line);
		EXPECT(!init_argv[INIT_WORDS_MAX + 1] && !init_envp[INIT_WORDS_MAX + 3]);
	}
}

static bool value_is(const char *line, const char *name, const char *want)
{
	size_t len;
	const char *v = param_value(line, name, &len);

	return want ? v && len == strlen(want) && !memcmp(v, want, len) : !v;
}

TEST(before_parsing)
{
	EXPECT(value_is("a=1 quiet b=xyz a=22 -- a=3", "a", "22"));
	EXPECT(value_is("a=1 quiet", "quiet", ""));
	EXPECT(value_is("ab=1 ba=2", "a", NULL) && value_is("", "a", NULL) && value_is("x=a=1", "a", NULL));
	EXPECT(value_is("-x a=1 x- a=2 --- a=3 -", "a", "3") && value_is("-- a=1", "a", NULL) && value_is("x- -x=1 a=4", "a", "4"));
	EXPECT(value_is("a=", "a", "") && value_is("  a=7  ", "a", "7"));
}
