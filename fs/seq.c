/* Text in a growing buffer.  The owner starts with any (or no) buffer from kvmalloc and frees seq->buf; when memory is short,
 * overflow is set and what does not fit is dropped. */
#include <fs/seq.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

/* Room for len bytes more.  Doubling keeps the copying linear in the result. */
static bool seq_room(struct seq *s, size_t len)
{
	size_t size = s->size ? s->size : 256;
	char *buf;

	if (s->size - s->len >= len)
		return true;
	while (size - s->len < len)
		size *= 2;
	buf = kvmalloc(size, GFP_KERNEL);
	if (!buf) {
		s->overflow = true;
		return false;
	}
	if (s->len)
		memcpy(buf, s->buf, s->len);
	kvfree(s->buf);
	s->buf = buf;
	s->size = size;
	return true;
}

void seq_write(struct seq *s, const void *data, size_t len)
{
	if (!seq_room(s, len))
		return;
	memcpy(s->buf + s->len, data, len);
	s->len += len;
}

void seq_puts(struct seq *s, const char *str) { seq_write(s, str, strlen(str)); }
void seq_putc(struct seq *s, char c) { seq_write(s, &c, 1); }

void seq_fill(struct seq *s, char c, size_t n)
{
	if (!seq_room(s, n))
		return;
	memset(s->buf + s->len, c, n);
	s->len += n;
}

void seq_number(struct seq *s, u64 v, u32 base, u32 width, char pad)
{
	char digits[64];
	u32 n = 0;

	do
		digits[sizeof(digits) - ++n] = "0123456789abcdef"[v % base];
	while (v /= base);
	if (n < width)
		seq_fill(s, pad, width - n);
	seq_write(s, digits + sizeof(digits) - n, n);
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list args;
	int n;

	if (!seq_room(s, 64))
		return;
	va_start(args, fmt);
	n = kvsnprintf(s->buf + s->len, s->size - s->len, fmt, args);
	va_end(args);
	if ((size_t)n >= s->size - s->len) {	/* one more for the NUL that it writes */
		if (!seq_room(s, (size_t)n + 1))
			return;
		va_start(args, fmt);
		kvsnprintf(s->buf + s->len, s->size - s->len, fmt, args);
		va_end(args);
	}
	s->len += (size_t)n;
}
