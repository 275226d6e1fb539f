/* Packed log records in a ring.
 *
 * A machine of 12 MiB keeps 4,096 lines of the usual 75 characters in 256 KiB: 64 bytes a line, head included.  So a record is
 *
 *   1 byte   level << 5 | has facility << 4 | bytes of time
 *   0-8      microseconds since the record before it, little end first
 *   0-1      facility, if not 0 (the kernel's)
 *   1-2      bytes of packed text; 0x80 | high bits, low bits, if above 127
 *   n        the text, packed
 *
 * unaligned, never split over the ring's end: the one record that lies at offset 0 is known by its number, wrap_seq, so that a cursor
 * that waited at the old end finds it even after the next lap has overwritten that place.  Times are differences, so the oldest
 * record's base is kept in head.ts_us and in every cursor.
 *
 * Packing: bytes above 127 stand for pairs of characters that are frequent in log lines, 16 first characters times 8 second ones;
 * bytes that would be mistaken for those, and DEL, follow a DEL.  It saves 28% of the kernel's own messages, needs no state, and a
 * debugger undoes it in ten lines (scripts/gdb/sarsen.py does).
 * Rejected: one dictionary for the whole ring (dropping the oldest line would take its words along), a bit-wise code (2% better). */
#include <kernel/lib/string.h>
#include <kernel/logring.h>

#define ESCAPE		0x7f
#define HEAD_MAX	12u
#define PACKED_MAX	(2 * LOG_LINE_MAX)

static const char pair_first[16 + 1] = " etasrniol0dchmf";
static const char pair_second[16][8 + 1] = {
	"atisofcp", " rsdancv", "h eisaro", "nt rmlcs", " te,yiso", "e oaisyn", "d etoags", "ntslocrm",
	"nr tcumf", "eoil ady", "0 x12345", " esior,d", "okheatlp", "e aoirtu", "ea oupim", "foi rasu",
};
static const u8 pair_index[128] = {	/* of a first character, plus 1 */
	[' '] = 1, ['e'] = 2, ['t'] = 3, ['a'] = 4, ['s'] = 5, ['r'] = 6, ['n'] = 7, ['i'] = 8, ['o'] = 9, ['l'] = 10, ['0'] = 11,
	['d'] = 12, ['c'] = 13, ['h'] = 14, ['m'] = 15, ['f'] = 16,
};

static u32 pack(u8 *to, const char *text, size_t len)
{
	u32 n = 0;

	for (size_t i = 0; i < len; i++) {
		u8 c = (u8)text[i], first = c < 128 ? pair_index[c] : 0;

		if (first && i + 1 < len && text[i + 1]) {
			const char *second = strchr(pair_second[first - 1], text[i + 1]);

			if (second) {
				to[n++] = (u8)(0x80 | (first - 1) << 3 | (u32)(second - pair_second[first - 1]));
				i++;
				continue;
			}
		}
		if (c >= ESCAPE)
			to[n++] = ESCAPE;
		to[n++] = c;
	}
	return n;
}

static size_t unpack(char *to, size_t size, const u8 *from, u32 len)
{
	size_t n = 0;

	for (u32 i = 0; i < len && n < size; i++) {
		if (from[i] >= 0x80) {
			u32 pair = from[i] & 0x7f;

			to[n++] = pair_first[pair >> 3];
			if (n < size)
				to[n++] = pair_second[pair >> 3][pair & 7];
		} else {
			if (from[i] == ESCAPE && ++i == len)
				break;
			to[n++] = (char)from[i];
		}
	}
	return n;
}

/* --- heads -------------------------------------------------------------------------------------------------------------------- */
struct head { u64 delta_us; u32 level, facility, len, size; };	/* size: of the head */

static void head_read(const u8 *p, struct head *h)
{
	u32 nr_time = p[0] & 15, n = 1;

	h->level = p[0] >> 5;
	h->facility = 0;
	h->delta_us = 0;
	for (u32 i = 0; i < nr_time && i < 8; i++)
		h->delta_us |= (u64)p[n++] << (8 * i);
	if (p[0] & 16)
		h->facility = p[n++];
	h->len = p[n++];
	if (h->len & 0x80)
		h->len = (h->len & 0x7f) << 8 | p[n++];
	h->size = n;
}

static u32 head_write(u8 *p, u64 delta_us, u32 level, u32 facility, u32 len)
{
	u32 n = 1;

	for (; delta_us; delta_us >>= 8)
		p[n++] = (u8)delta_us;
	p[0] = (u8)(level << 5 | (facility ? 16u : 0) | (n - 1));
	if (facility)
		p[n++] = (u8)facility;
	if (len > 127)
		p[n++] = (u8)(0x80 | len >> 8);
	p[n++] = (u8)len;
	return n;
}

/* --- the ring ----------------------------------------------------------------------------------------------------------------- */
/* step - past the record at cur, which exists */
static void step(const struct logring *r, struct log_cursor *cur, struct head *h)
{
	if (cur->seq == r->wrap_seq)
		cur->off = 0;
	head_read((const u8 *)r->buf + cur->off, h);
	cur->ts_us += h->delta_us;
	cur->off += h->size + h->len;
	cur->seq++;
}

static void drop_oldest(struct logring *r)
{
	struct head h;

	step(r, &r->head, &h);
	if (r->head.seq == r->wrap_seq)
		r->head.off = 0;
}

/* make_room - drop records until [tail.off, tail.off + need) is free and inside the buffer. */
static void make_room(struct logring *r, u32 need)
{
	if (r->size - r->tail.off < need) {
		while (r->head.seq != r->tail.seq && r->head.off >= r->tail.off)
			drop_oldest(r);
		r->wrap_seq = r->tail.seq;
		r->tail.off = 0;
	}
	while (r->head.seq != r->tail.seq && r->head.off >= r->tail.off && r->head.off < r->tail.off + need)
		drop_oldest(r);
	if (r->head.seq == r->tail.seq)
		r->head = r->tail;
}

void logring_store(struct logring *r, u64 ts_ns, u32 facility, u32 level, const char *text, size_t len)
{
	static u8 packed[PACKED_MAX];
	u32 n = pack(packed, text, len < LOG_LINE_MAX ? len : LOG_LINE_MAX);
	u64 us = ts_ns / 1000;

	if (us < r->tail.ts_us)
		us = r->tail.ts_us;
	make_room(r, HEAD_MAX + n);
	r->tail.off += head_write((u8 *)r->buf + r->tail.off, us - r->tail.ts_us, level & 7, facility, n);
	memcpy(r->buf + r->tail.off, packed, n);
	r->tail.off += n;
	r->tail.ts_us = us;
	r->tail.seq++;
}

bool logring_read(const struct logring *r, struct log_cursor *cur, struct log_record *rec, char *text, size_t size, u64 *lost)
{
	struct head h;

	*lost = 0;
	if (cur->seq < r->head.seq) {
		*lost = r->head.seq - cur->seq;
		*cur = r->head;
	}
	if (cur->seq >= r->tail.seq)
		return false;
	step(r, cur, &h);
	rec->seq = cur->seq - 1;
	rec->ts_ns = cur->ts_us * 1000;
	rec->level = h.level;
	rec->facility = h.facility;
	rec->len = unpack(text, size, (const u8 *)r->buf + cur->off - h.len, h.len);
	return true;
}

void logring_move(struct logring *r, char *buf, u32 size, struct log_cursor *keep)
{
	struct log_cursor from = r->head;
	struct head h;
	u32 to = 0;

	while (from.seq < r->tail.seq) {
		u64 seq = from.seq;

		step(r, &from, &h);
		if (keep->seq == seq)
			keep->off = to;
		memcpy(buf + to, r->buf + from.off - h.size - h.len, h.size + h.len);
		to += h.size + h.len;
	}
	if (keep->seq == r->tail.seq)
		keep->off = to;
	r->wrap_seq = r->head.seq;
	r->head.off = 0;
	r->tail.off = to;
	r->buf = buf;
	r->size = size;
}
