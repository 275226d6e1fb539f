/* The line discipline on the host: what is typed, what is echoed, what is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <drivers/tty/ldisc.h>

static struct ldisc ld;
static char echoed[65536];
static size_t echo_len;
static int failures, number;

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

static void check(bool ok, const char *name)
{
	printf("%s %d - %s\n", ok ? "ok" : "not ok", ++number, name);
	failures += !ok;
}

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

static void test_lines(void)
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

static void test_short_reads(void)
{
	u8 buf[4];
	bool last;

	fresh();
	type("abcdef\n");
	check(ldisc_read(&ld, buf, 4, &last) == 4 && !last && reads("ef\n"), "a long line in two reads");
	type("abcd\004");
	check(ldisc_read(&ld, buf, 4, &last) == 4 && last && !ldisc_readable(&ld, 1), "end of file after a full buffer is taken with it");
}

static void test_editing(void)
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

static void test_signals(void)
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

static void test_raw(void)
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

static void test_input_flags(void)
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

static void test_overflow(void)
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

static void test_output(void)
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

/* Whatever is typed, the pointers stay in order and the ring is not overrun. */
static void test_random(void)
{
	bool ok = true, last;
	u8 c, buf[100];

	srand(1);
	fresh();
	for (int i = 0; i < 2000000 && ok; i++) {
		c = (u8)(rand() % 40 == 0 ? rand() : "abc \t\177\025\027\n\004\026\303\251"[rand() % 13]);
		echo_len = 0;
		ldisc_input(&ld, &c, 1);
		if (rand() % 60 == 0)
			ldisc_read(&ld, buf, (u32)rand() % 100, &last);
		if (rand() % 5000 == 0)
			set(rand() & (IUTF8 | ISTRIP | IGNCR), rand() & IUTF8, rand() & (ICANON | ECHOE), rand() & ICANON);
		ok = ld.head - ld.tail <= LDISC_SIZE && ld.canon_head - ld.tail <= ld.head - ld.tail;
	}
	check(ok, "two million random keys");
}

int main(void)
{
	printf("TAP version 13\n");
	test_lines();
	test_short_reads();
	test_editing();
	test_signals();
	test_raw();
	test_input_flags();
	test_overflow();
	test_output();
	test_random();
	printf("1..%d\n", number);
	return failures != 0;
}
