/* The line discipline on the host: what is typed, what is echoed, what is read. */
#include <drivers/tty/ldisc.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

static struct ldisc ld;
static char echoed[65536];
static size_t echo_len;

static void on_echo(void *arg, const u8 *s, u32 n)
{
	(void)arg;
	memcpy(echoed + echo_len, s, n);
	echo_len += n;
	echoed[echo_len] = 0;
}

static void fresh(void)
{
	ldisc_init(&ld, on_echo, NULL);
	echo_len = 0;
	echoed[0] = 0;
}

static u32 type(const char *s) { return ldisc_input(&ld, (const u8 *)s, (u32)strlen(s)); }

/* check - show what is wrong and go on */
#define check(ok, name) do { if (!(ok)) unit_fail(name, __FILE__, __LINE__); } while (0)

static bool reads(const char *want)
{
	u8 buf[8192];
	bool last;
	u32 n = ldisc_read(&ld, buf, sizeof(buf), &last);

	return n == strlen(want) && !memcmp(buf, want, n);
}

static bool echoes(const char *want) { return !strcmp(echoed, want); }

static void set(u32 iflag_on, u32 iflag_off, u32 lflag_on, u32 lflag_off)
{
	struct termios2 t = ld.t;

	t.c_iflag = (t.c_iflag | iflag_on) & ~iflag_off;
	t.c_lflag = (t.c_lflag | lflag_on) & ~lflag_off;
	ldisc_set_termios(&ld, &t);
}

TEST(lines)
{
	fresh();
	check(!(type("ab") & LD_READABLE) && !ldisc_readable(&ld, 1), "an unfinished line is not readable");
	check(type("c\r") & LD_READABLE, "carriage return ends it");
	check(echoes("abc\r\n"), "echo, newline as CR LF");
	check(reads("abc\n"), "read as a line");
	type("one\ntwo\n");
	check(reads("one\n") && reads("two\n"), "one line a read");
	fresh();
	type("x\004");
	check(reads("x"), "end of file delivers what was typed");
	type("\004");
	check(ldisc_readable(&ld, 1) && ldisc_count(&ld) == 0 && reads(""), "end of file alone reads as nothing");
	check(!ldisc_readable(&ld, 1), "and only once");
}

TEST(short_reads)
{
	u8 buf[4];
	bool last;

	fresh();
	type("abcdef\n");
	check(ldisc_read(&ld, buf, 4, &last) == 4 && !last && reads("ef\n"), "a long line in two reads");
	type("abcd\004");
	check(ldisc_read(&ld, buf, 4, &last) == 4 && last && !ldisc_readable(&ld, 1), "end of file after a full buffer is taken with it");
}

TEST(editing)
{
	fresh();
	type("ab\177c\n");
	check(reads("ac\n") && echoes("ab\b \bc\r\n"), "erase");
	fresh();
	type("one two\027x\n");
	check(reads("one x\n"), "word erase");
	fresh();
	type("abc\025x\n");
	check(reads("x\n") && echoes("abc\b \b\b \b\b \bx\r\n"), "kill erases on the screen");
	fresh();
	type("a\tb\177\177c\n");
	check(reads("ac\n") && echoes("a\tb\b \b\b\b\b\b\b\b\bc\r\n"), "erasing a tab takes its columns back");
	fresh();
	type("\001\177\n");
	check(reads("\n") && echoes("^A\b \b\b \b\r\n"), "a control character is erased as two");
	fresh();
	type("a\026\003b\n");
	check(reads("a\003b\n") && echoes("a^\b^Cb\r\n"), "literal next");
	fresh();
	set(IUTF8, 0, 0, 0);
	type("a\303\251\177b\n");
	check(reads("ab\n") && echoes("a\303\251\b \bb\r\n"), "erase takes a whole UTF-8 character");
	fresh();
	type("ab\022c\n");
	check(reads("abc\n") && echoes("ab^R\r\nabc\r\n"), "reprint");
	fresh();
	type("\177\177x\n");
	check(reads("x\n") && echoes("x\r\n"), "nothing to erase");
}

TEST(signals)
{
	fresh();
	check(type("abc\003") == (LD_SIGINT | LD_FLUSH_OUT) && echoes("abc^C"), "interrupt, echoed");
	type("x\n");
	check(reads("x\n"), "what was typed before is flushed");
	check(type("\034") & LD_SIGQUIT && type("\032") & LD_SIGTSTP, "quit and suspend");
	fresh();
	set(0, 0, NOFLSH, 0);
	type("ab\003c\n");
	check(reads("abc\n"), "NOFLSH keeps the line");
	fresh();
	set(0, 0, 0, ISIG);
	check(!(type("\003\n") & LD_SIGINT) && reads("\003\n"), "without ISIG it is a character");
}

TEST(raw)
{
	fresh();
	set(0, ICRNL | IXON, 0, ICANON | ECHO | ISIG | IEXTEN);
	check(type("a\r\177\003") & LD_READABLE && reads("a\r\177\003") && echoes(""), "raw: all bytes, no echo");
	type("abc");
	check(ldisc_readable(&ld, 3) && !ldisc_readable(&ld, 4), "VMIN");
	set(0, 0, ICANON, 0);
	check(reads("abc"), "pending raw bytes become a line with ICANON");
	fresh();
	type("abc");
	set(0, 0, 0, ICANON);
	check(ldisc_readable(&ld, 3) && reads("abc"), "an unfinished line becomes readable without ICANON");
}

TEST(input_flags)
{
	fresh();
	set(IGNCR, 0, 0, 0);
	type("a\rb\n");
	check(reads("ab\n"), "IGNCR");
	fresh();
	set(INLCR, ICRNL, 0, ICANON);
	type("\n");
	check(reads("\r"), "INLCR");
	fresh();
	set(ISTRIP, 0, 0, 0);
	type("\341\n");
	check(reads("a\n"), "ISTRIP");
	fresh();
	check(type("\023") == LD_STOPPED && ld.stopped && type("\021") == LD_STARTED && !ld.stopped, "stop and start");
	set(IXANY, 0, 0, 0);
	type("\023");
	check(type("x") & LD_STARTED && !ld.stopped, "any key restarts with IXANY");
}

TEST(overflow)
{
	static char big[6000];

	fresh();
	memset(big, 'x', sizeof(big) - 1);
	type(big);
	check(ldisc_room(&ld) == 1, "a full line still takes input");
	check(type("\n") & LD_READABLE, "its newline fits");
	check(ldisc_count(&ld) == 4096, "4095 bytes and the newline are kept");
	check(ldisc_room(&ld) == 0, "no room while a whole line waits");
}

TEST(output)
{
	u8 out[64];
	u32 used, n;

	fresh();
	n = ldisc_output(&ld, (const u8 *)"a\nb", 3, out, sizeof(out), &used);
	check(n == 4 && used == 3 && !memcmp(out, "a\r\nb", 4), "ONLCR");
	n = ldisc_output(&ld, (const u8 *)"aaaaaaaaaaaaaaaaaaaa", 20, out, 16, &used);
	check(n == used && used < 20 && n <= 16, "stops where the room ends");
	ld.t.c_oflag |= XTABS;
	ld.column = 3;
	n = ldisc_output(&ld, (const u8 *)"\t", 1, out, sizeof(out), &used);
	check(n == 5 && !memcmp(out, "     ", 5), "XTABS");
	ld.t.c_oflag = 0;
	n = ldisc_output(&ld, (const u8 *)"\n", 1, out, sizeof(out), &used);
	check(n == 1 && out[0] == '\n', "no OPOST, no change");
}

/* What each byte from 0 to 255 does, typed once in the default settings: echoed text, what a line with it reads as. */
TEST(every_byte)
{
	for (u32 c = 0; c < 256; c++) {
		char line[] = { 'a', (char)c, 'b', '\n' }, want[8], shown[16];
		bool editing = c == '\r' || c == '\n' || c == 3 || c == 28 || c == 26 || c == 4 || c == 17 || c == 19 || c == 127 ||
			       c == 21 || c == 23 || c == 18 || c == 22;

		if (editing)
			continue;	/* below */
		fresh();
		ldisc_input(&ld, (const u8 *)line, 4);
		ksnprintf(want, sizeof(want), "a%cb\n", c);
		if (c < 32 && c != '\t')
			ksnprintf(shown, sizeof(shown), "a^%cb\r\n", c ^ 0100);
		else
			ksnprintf(shown, sizeof(shown), "a%cb\r\n", c);
		u8 buf[16];
		bool done;

		EXPECT_EQ(ldisc_read(&ld, buf, sizeof(buf), &done), 4);
		EXPECT(done && !memcmp(buf, want, 4));
		EXPECT(c == 0 ? !memcmp(echoed, "a^@b\r\n", 6) : echoes(shown));
	}
}

TEST(every_special)
{
	static const struct { u8 c; u32 events; const char *read, *echo; } t[] = {
		{ '\r', LD_READABLE, "a\n", "a\r\nb\r\n" }, { '\n', LD_READABLE, "a\n", "a\r\nb\r\n" }, { 4, LD_READABLE, "a", "ab\r\n" },
		{ 3, LD_SIGINT | LD_FLUSH_OUT, "b\n", "a^Cb\r\n" }, { 28, LD_SIGQUIT | LD_FLUSH_OUT, "b\n", "a^\\b\r\n" },
		{ 26, LD_SIGTSTP | LD_FLUSH_OUT, "b\n", "a^Zb\r\n" }, { 127, 0, "b\n", "a\b \bb\r\n" }, { 21, 0, "b\n", "a\b \bb\r\n" },
		{ 23, 0, "b\n", "a\b \bb\r\n" }, { 18, 0, "ab\n", "a^R\r\nab\r\n" }, { 22, 0, "ab\n", "a^\bb\r\n" },
		{ 19, LD_STOPPED, "ab\n", "ab\r\n" }, { 17, 0, "ab\n", "ab\r\n" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		fresh();
		type("a");
		EXPECT_EQ(ldisc_input(&ld, &t[i].c, 1), t[i].events);
		type("b\n");
		EXPECT(reads(t[i].read));
		EXPECT(echoes(t[i].echo));
	}
}

/* A disabled character (0) is none, and NUL is not taken for one. */
TEST(disabled_characters)
{
	fresh();
	memset(ld.t.c_cc, 0, sizeof(ld.t.c_cc));
	EXPECT_EQ(type("\003\034\032\004\025\177\027\026\022\021\023x\n"), LD_READABLE);
	EXPECT(reads("\003\034\032\004\025\177\027\026\022\021\023x\n"));
	EXPECT_EQ(ldisc_input(&ld, (const u8 *)"\0", 1), 0);
}

TEST(second_line_ends)
{
	fresh();
	ld.t.c_cc[VEOL] = ';';
	ld.t.c_cc[VEOL2] = '!';
	type("a;b!c\n");
	EXPECT(reads("a;") && reads("b!") && reads("c\n"));
	set(0, 0, 0, IEXTEN);
	type("b!c\n");
	EXPECT(reads("b!c\n"));		/* EOL2 is an extension */
}

/* Erasing a tab gives back what it took, whatever stood before it. */
TEST(tabs_at_every_column)
{
	for (u32 before = 0; before < 20; before++) {
		char want[80];
		size_t n = 0;

		fresh();
		for (u32 i = 0; i < before; i++)
			type("x");
		type("\t");
		echo_len = 0;
		echoed[0] = 0;
		type("\177");
		for (u32 i = 0; i < 8 - before % 8; i++)
			want[n++] = '\b';
		want[n] = '\0';
		EXPECT(echoes(want));
		EXPECT_EQ(ld.column, before);
		type("\n");
		EXPECT_EQ(ldisc_count(&ld), before + 1);
	}
}

/* Characters of one to four bytes go whole with IUTF8, byte by byte without; a line of stray continuation bytes too. */
TEST(utf8_erase)
{
	static const char *const chars[] = { "a", "\303\251", "\342\202\254", "\360\237\230\200" };

	for (u32 utf8 = 0; utf8 < 2; utf8++)
		for (u32 i = 0; i < 4; i++) {
			fresh();
			set(utf8 ? IUTF8 : 0, 0, 0, 0);
			type("x");
			type(chars[i]);
			type("\177\n");
			EXPECT_EQ(ldisc_count(&ld), utf8 ? 2 : 2 + strlen(chars[i]) - 1);
		}
	fresh();
	set(IUTF8, 0, 0, 0);
	type("\200\200\200\177\177\n");
	EXPECT(reads("\n"));
	fresh();
	set(IUTF8, 0, 0, 0);
	type("\303\251t\303\251 caf\303\251\027\n");
	EXPECT(reads("\303\251t\303\251 \n"));	/* a word of any letters */
}

/* VMIN: a read need not wait once so many bytes are there; 0 means that any will do. */
TEST(vmin_table)
{
	for (u32 have = 0; have < 6; have++) {
		fresh();
		set(0, 0, 0, ICANON | ECHO);
		for (u32 i = 0; i < have; i++)
			type("x");
		for (u32 vmin = 0; vmin < 6; vmin++)
			EXPECT_EQ(ldisc_readable(&ld, vmin), have >= max(vmin, 1u));
		EXPECT_EQ(ldisc_count(&ld), have);
	}
}

/* The ring, filled to each of its last bytes, in both modes: nothing beyond is kept, nothing before is lost. */
TEST(full_ring)
{
	static u8 out[5000];
	bool done;

	for (u32 canon = 0; canon < 2; canon++)
		for (u32 n = LDISC_SIZE - 3; n <= LDISC_SIZE + 2; n++) {
			u32 want = min(n, LDISC_SIZE - 1);

			fresh();
			set(0, 0, 0, canon ? ECHO : ECHO | ICANON);
			ld.head = ld.tail = ld.canon_head = ~0u - 100;	/* the counters wrap on the way */
			for (u32 i = 0; i < n; i++)
				ldisc_input(&ld, (const u8 *)(i & 1 ? "y" : "x"), 1);
			if (canon)
				type("\n");
			EXPECT_EQ(ldisc_count(&ld), want + canon);
			EXPECT_EQ(ldisc_read(&ld, out, sizeof(out), &done), want + canon);
			for (u32 i = 0; i < want; i++)
				EXPECT_EQ(out[i], i & 1 ? 'y' : 'x');
			EXPECT_EQ(ldisc_room(&ld), LDISC_SIZE - 1);
		}
}

/* Whatever is typed, the pointers stay in order and the ring is not overrun. */
TEST(random)
{
	bool ok = true, last;
	u8 c, buf[100];

	fresh();
	for (int i = 0; i < 1000000 && ok; i++) {
		c = (u8)(unit_random() % 40 == 0 ? unit_random() : "abc \t\177\025\027\n\004\026\303\251"[unit_random() % 13]);
		echo_len = 0;
		ldisc_input(&ld, &c, 1);
		if (unit_random() % 60 == 0)
			ldisc_read(&ld, buf, (u32)unit_below(100), &last);
		if (unit_random() % 5000 == 0)
			set((u32)unit_random() & (IUTF8 | ISTRIP | IGNCR), (u32)unit_random() & (IUTF8 | ISTRIP | IGNCR),
			    (u32)unit_random() & (ICANON | ECHOE), (u32)unit_random() & (ICANON | ECHOE));
		ok = ld.head - ld.tail <= LDISC_SIZE && ld.canon_head - ld.tail <= ld.head - ld.tail;
	}
	check(ok, "random keys");
}
