/* The line discipline: POSIX's general terminal interface with Linux's extensions.
 *
 * Input lands in a ring of 4096 bytes.  With ICANON the bytes between canon_head and head are the line being typed, which editing
 * may change; a terminator moves canon_head past it and marks its byte in the eol map, so that a reader stops there.  End of file is
 * a marked NUL that is never delivered.  The last byte of the ring is kept for a terminator: an overlong line loses its tail, never
 * its newline.  Without ICANON canon_head follows head.
 *
 * Echo passes through output processing, so columns are known: erasing a tab takes back as many columns as it took.
 * Sources: POSIX.1-2017 chapter 11; Linux man termios(3). */
#include <drivers/tty/ldisc.h>
#include <kernel/lib/string.h>

#define IFLAG(f) (ld->t.c_iflag & (f))
#define OFLAG(f) (ld->t.c_oflag & (f))
#define LFLAG(f) (ld->t.c_lflag & (f))
#define AT(pos)	 (ld->buf[(pos) % LDISC_SIZE])

const struct termios2 ldisc_default_termios = {
	.c_iflag = ICRNL | IXON, .c_oflag = OPOST | ONLCR, .c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19,
		  [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22 },
	.c_ispeed = 38400, .c_ospeed = 38400,
};

static bool is_cntrl(u8 c) { return c < 32 || c == 127; }
static bool is_word(u8 c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 128; }
static bool is_cont(const struct ldisc *ld, u8 c) { return IFLAG(IUTF8) && (c & 0xc0) == 0x80; }
static bool cc_is(const struct ldisc *ld, u32 which, u8 c) { return c && ld->t.c_cc[which] == c; }

static void mark(struct ldisc *ld, u32 pos, bool on)
{
	u64 bit = 1ul << (pos % 64);
	u64 *w = &ld->eol[pos % LDISC_SIZE / 64];

	*w = on ? *w | bit : *w & ~bit;
}

static bool marked(const struct ldisc *ld, u32 pos) { return ld->eol[pos % LDISC_SIZE / 64] >> (pos % 64) & 1; }

void ldisc_init(struct ldisc *ld, void (*echo)(void *arg, const u8 *s, u32 n), void *arg)
{
	memset(ld, 0, sizeof(*ld));
	ld->t = ldisc_default_termios;
	ld->echo = echo;
	ld->arg = arg;
}

/* --- output ------------------------------------------------------------------------------------------------------------------- */

/* opost_char - one byte by the output flags: at most 8 bytes to out; how many. */
static u32 opost_char(struct ldisc *ld, u8 c, u8 *out)
{
	u32 n;

	switch (c) {
	case '\n':
		if (OFLAG(ONLRET))
			ld->column = 0;
		if (OFLAG(ONLCR)) {
			ld->column = ld->canon_column = 0;
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		break;
	case '\r':
		if (OFLAG(ONOCR) && ld->column == 0)
			return 0;
		if (OFLAG(OCRNL)) {
			c = '\n';
			if (OFLAG(ONLRET))
				ld->column = 0;
			break;
		}
		ld->column = ld->canon_column = 0;
		break;
	case '\t':
		n = 8 - (ld->column & 7);
		ld->column += n;
		if (OFLAG(TABDLY) == XTABS) {
			memset(out, ' ', n);
			return n;
		}
		break;
	case '\b':
		if (ld->column > 0)
			ld->column--;
		break;
	default:
		if (is_cntrl(c))
			break;
		if (OFLAG(OLCUC) && c >= 'a' && c <= 'z')
			c -= 32;
		if (!is_cont(ld, c))
			ld->column++;
	}
	out[0] = c;
	return 1;
}

u32 ldisc_output(struct ldisc *ld, const u8 *s, u32 n, u8 *out, u32 size, u32 *used)
{
	u32 len = 0, i = 0;

	if (!OFLAG(OPOST)) {
		len = min(n, size);
		memcpy(out, s, len);
		*used = len;
		return len;
	}
	for (; i < n && len + 8 <= size; i++) {
		u8 c = s[i];

		if (likely(c > 31 && c < 127 && !OFLAG(OLCUC))) {
			ld->column++;
			out[len++] = c;
		} else {
			len += opost_char(ld, c, out + len);
		}
	}
	*used = i;
	return len;
}

/* --- echo --------------------------------------------------------------------------------------------------------------------- */
static void echo_flush(struct ldisc *ld)
{
	if (ld->echo_len)
		ld->echo(ld->arg, ld->echo_buf, ld->echo_len);
	ld->echo_len = 0;
}

static void echo_raw(struct ldisc *ld, u8 c)
{
	if (ld->echo_len + 8 > sizeof(ld->echo_buf))
		echo_flush(ld);
	if (OFLAG(OPOST))
		ld->echo_len += opost_char(ld, c, ld->echo_buf + ld->echo_len);
	else
		ld->echo_buf[ld->echo_len++] = c;
}

static void echo_str(struct ldisc *ld, const char *s)
{
	while (*s)
		echo_raw(ld, (u8)*s++);
}

static void echo_char(struct ldisc *ld, u8 c)
{
	if (LFLAG(ECHOCTL) && is_cntrl(c) && c != '\t') {
		echo_raw(ld, '^');
		echo_raw(ld, c ^ 0100);
	} else {
		echo_raw(ld, c);
	}
}

/* line_column - the column after the line being typed, as its echo left it, up to pos. */
static u32 line_column(const struct ldisc *ld, u32 pos)
{
	u32 col = ld->canon_column;

	for (u32 p = ld->canon_head; p != pos; p++) {
		u8 c = AT(p);

		if (c == '\t')
			col += 8 - (col & 7);
		else if (is_cntrl(c))
			col += LFLAG(ECHOCTL) ? 2 : 0;
		else if (!is_cont(ld, c))
			col++;
	}
	return col;
}

/* --- editing ------------------------------------------------------------------------------------------------------------------ */
static void drop_last_char(struct ldisc *ld)
{
	do {
		ld->head--;
	} while (ld->head != ld->canon_head && is_cont(ld, AT(ld->head)));
}

/* erase_echo - take the echo of what stood between head and old_head off the screen. */
static void erase_echo(struct ldisc *ld, u32 from_col, u32 to_col, bool tab)
{
	for (; from_col > to_col; from_col--)
		echo_str(ld, tab ? "\b" : "\b \b");
}

static void erase_one(struct ldisc *ld)
{
	u32 before = line_column(ld, ld->head);
	bool tab;

	drop_last_char(ld);
	tab = AT(ld->head) == '\t';
	if (!LFLAG(ECHO))
		return;
	if (LFLAG(ECHOE) || !tab)
		erase_echo(ld, before, line_column(ld, ld->head), tab);
}

static void input_erase(struct ldisc *ld, u8 c)
{
	if (ld->head == ld->canon_head)
		return;
	if (LFLAG(ECHO) && !LFLAG(ECHOE)) {
		drop_last_char(ld);
		echo_char(ld, c);
		return;
	}
	erase_one(ld);
}

static void input_werase(struct ldisc *ld)
{
	bool seen = false;

	while (ld->head != ld->canon_head) {
		u8 c = AT(ld->head - 1);

		if (is_word(c))
			seen = true;
		else if (seen)
			break;
		erase_one(ld);
	}
}

static void input_kill(struct ldisc *ld, u8 c)
{
	if (LFLAG(ECHO) && LFLAG(ECHOK) && LFLAG(ECHOKE) && LFLAG(ECHOE)) {
		while (ld->head != ld->canon_head)
			erase_one(ld);
		return;
	}
	ld->head = ld->canon_head;
	if (LFLAG(ECHO)) {
		echo_char(ld, c);
		if (LFLAG(ECHOK))
			echo_raw(ld, '\n');
	}
}

static void input_reprint(struct ldisc *ld, u8 c)
{
	echo_char(ld, c);
	echo_raw(ld, '\n');
	ld->canon_column = ld->column;
	for (u32 p = ld->canon_head; p != ld->head; p++)
		echo_char(ld, AT(p));
}

/* --- storing ------------------------------------------------------------------------------------------------------------------ */
static bool store(struct ldisc *ld, u8 c, bool end)
{
	if (ld->head - ld->tail >= LDISC_SIZE - (end ? 0 : 1))
		return false;
	AT(ld->head) = c;
	mark(ld, ld->head, end);
	ld->head++;
	return true;
}

static u32 end_line(struct ldisc *ld, u8 c)
{
	if (!store(ld, c, true))
		return 0;
	ld->canon_head = ld->head;
	return LD_READABLE;
}

static u32 store_plain(struct ldisc *ld, u8 c)
{
	bool full;

	if (LFLAG(ECHO) && LFLAG(ICANON) && ld->head == ld->canon_head)
		ld->canon_column = ld->column;
	full = !store(ld, c, false);
	if (!full && c == 0xff && IFLAG(PARMRK))
		store(ld, c, false);
	if (full) {
		if (IFLAG(IMAXBEL))
			echo_raw(ld, '\a');
		return 0;
	}
	if (LFLAG(ECHO)) {
		if (c == '\n')
			echo_raw(ld, c);
		else
			echo_char(ld, c);
	}
	if (LFLAG(ICANON))
		return 0;
	ld->canon_head = ld->head;
	return LD_READABLE;
}

static u32 input_signal(struct ldisc *ld, u8 c, u32 event)
{
	if (!LFLAG(NOFLSH)) {
		ldisc_flush_input(ld);
		if (ld->drop)
			ld->drop(ld->arg);
		event |= LD_FLUSH_OUT;
	}
	if (ld->stopped && IFLAG(IXON)) {
		ld->stopped = false;
		event |= LD_STARTED;
	}
	if (LFLAG(ECHO))
		echo_char(ld, c);
	return event;
}

static u32 input_canonical(struct ldisc *ld, u8 c, bool *done)
{
	*done = true;
	if (cc_is(ld, VERASE, c)) {
		input_erase(ld, c);
	} else if (cc_is(ld, VKILL, c)) {
		input_kill(ld, c);
	} else if (cc_is(ld, VWERASE, c) && LFLAG(IEXTEN)) {
		input_werase(ld);
	} else if (cc_is(ld, VLNEXT, c) && LFLAG(IEXTEN)) {
		ld->lnext = true;
		if (LFLAG(ECHO) && LFLAG(ECHOCTL))
			echo_str(ld, "^\b");
	} else if (cc_is(ld, VREPRINT, c) && LFLAG(ECHO) && LFLAG(IEXTEN)) {
		input_reprint(ld, c);
	} else if (c == '\n') {
		if (LFLAG(ECHO) || LFLAG(ECHONL))
			echo_raw(ld, '\n');
		return end_line(ld, c);
	} else if (cc_is(ld, VEOF, c)) {
		return end_line(ld, 0);
	} else if (cc_is(ld, VEOL, c) || (cc_is(ld, VEOL2, c) && LFLAG(IEXTEN))) {
		if (LFLAG(ECHO)) {
			if (ld->head == ld->canon_head)
				ld->canon_column = ld->column;
			echo_char(ld, c);
		}
		return end_line(ld, c);
	} else {
		*done = false;
	}
	return 0;
}

static u32 input_char(struct ldisc *ld, u8 c)
{
	u32 ev = 0;
	bool done;

	if (LFLAG(EXTPROC)) {	/* whoever has the master has done all that */
		store(ld, c, false);
		ld->canon_head = ld->head;
		return LD_READABLE;
	}
	if (IFLAG(ISTRIP))
		c &= 0x7f;
	if (ld->lnext) {
		ld->lnext = false;
		return store_plain(ld, c);
	}
	if (IFLAG(IUCLC) && LFLAG(IEXTEN) && c >= 'A' && c <= 'Z')
		c += 32;
	if (IFLAG(IXON)) {
		if (cc_is(ld, VSTART, c) || cc_is(ld, VSTOP, c)) {
			bool stop = cc_is(ld, VSTOP, c) && !(ld->stopped && ld->t.c_cc[VSTART] == c);

			if (stop == ld->stopped)
				return 0;
			ld->stopped = stop;
			return stop ? LD_STOPPED : LD_STARTED;
		}
	}
	if (LFLAG(ISIG)) {
		if (cc_is(ld, VINTR, c))
			return input_signal(ld, c, LD_SIGINT);
		if (cc_is(ld, VQUIT, c))
			return input_signal(ld, c, LD_SIGQUIT);
		if (cc_is(ld, VSUSP, c))
			return input_signal(ld, c, LD_SIGTSTP);
	}
	if (ld->stopped && IFLAG(IXON) && IFLAG(IXANY)) {
		ld->stopped = false;
		ev = LD_STARTED;
	}
	if (c == '\r') {
		if (IFLAG(IGNCR))
			return ev;
		if (IFLAG(ICRNL))
			c = '\n';
	} else if (c == '\n' && IFLAG(INLCR)) {
		c = '\r';
	}
	if (LFLAG(ICANON)) {
		ev |= input_canonical(ld, c, &done);
		if (done)
			return ev;
	}
	return ev | store_plain(ld, c);
}

/* Lines are made here: not under EXTPROC, where the master sends them whole. */
static bool by_lines(const struct ldisc *ld) { return (ld->t.c_lflag & (ICANON | EXTPROC)) == ICANON; }

u32 ldisc_input(struct ldisc *ld, const u8 *p, u32 n)
{
	u32 ev = 0;

	while (n--)
		ev |= input_char(ld, *p++);
	echo_flush(ld);
	return ev;
}

u32 ldisc_room(const struct ldisc *ld)
{
	u32 room = LDISC_SIZE - 1 - (ld->head - ld->tail);

	if (IFLAG(PARMRK))
		room /= 2;
	if (room == 0 && by_lines(ld) && ld->canon_head == ld->tail)
		return 1;	/* the excess of one long line is dropped, or its end would never come */
	return room > LDISC_SIZE ? 0 : room;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */
bool ldisc_readable(const struct ldisc *ld, u32 min)
{
	u32 have = ld->canon_head - ld->tail;

	return by_lines(ld) ? have != 0 : have >= (min ? min : 1);
}

u32 ldisc_count(const struct ldisc *ld)
{
	u32 n = 0;

	for (u32 p = ld->tail; p != ld->canon_head; p++)
		n += !(by_lines(ld) && marked(ld, p) && AT(p) == 0);
	return n;
}

u32 ldisc_read(struct ldisc *ld, u8 *to, u32 n, bool *line_done)
{
	u32 got = 0;

	*line_done = false;
	if (!by_lines(ld)) {
		for (; got < n && ld->tail != ld->canon_head; ld->tail++)
			to[got++] = AT(ld->tail);
		return got;
	}
	while (ld->tail != ld->canon_head) {
		bool end = marked(ld, ld->tail);
		u8 c = AT(ld->tail);

		if (end && c == 0) {	/* end of file: never delivered; taken even when the buffer is just full */
			ld->tail++;
			*line_done = true;
			break;
		}
		if (got == n)
			break;
		to[got++] = c;
		ld->tail++;
		if (end) {
			*line_done = true;
			break;
		}
	}
	return got;
}

void ldisc_flush_input(struct ldisc *ld)
{
	ld->tail = ld->canon_head = ld->head;
	ld->lnext = false;
}

void ldisc_set_termios(struct ldisc *ld, const struct termios2 *t)
{
	bool before = by_lines(ld);

	ld->t = *t;
	if (by_lines(ld) != before) {
		memset(ld->eol, 0, sizeof(ld->eol));
		if (by_lines(ld) && ld->head != ld->tail)
			mark(ld, ld->head - 1, true);
		ld->canon_head = ld->head;
		ld->lnext = false;
	}
	if (!IFLAG(IXON))
		ld->stopped = false;
}
