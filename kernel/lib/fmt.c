/* Formatted print.  One pass over the format; every conversion ends in emit_padded. */
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>

void (*fmt_symbol_hook)(char *buf, size_t len, u64 addr);

enum { LEFT = 1, PLUS = 2, SPACE = 4, ALT = 8, ZERO = 16, UPPER = 32, SIGNED = 64, POINTER = 128 };

struct out { char *buf; size_t size, len; };

struct spec { u32 flags; int width, precision; char length; };

static void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_n(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void emit_padded(struct out *o, const struct spec *sp, const char *prefix, int zeros, const char *s, int len)
{
	int plen = (int)strlen(prefix), pad = sp->width - plen - zeros - len;

	if (!(sp->flags & LEFT))
		put_n(o, ' ', pad);
	while (*prefix)
		put(o, *prefix++);
	put_n(o, '0', zeros);
	while (len-- > 0)
		put(o, *s++);
	if (sp->flags & LEFT)
		put_n(o, ' ', pad);
}

static void emit_number(struct out *o, const struct spec *sp, u64 v, unsigned base)
{
	const char *digits = sp->flags & UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24], prefix[3] = "";
	int n = 0, zeros;

	if (sp->flags & POINTER) {
		memcpy(prefix, "0x", 2);
	} else if ((sp->flags & SIGNED) && (s64)v < 0) {
		v = -v;
		prefix[0] = '-';
	} else if (sp->flags & SIGNED) {
		prefix[0] = sp->flags & PLUS ? '+' : sp->flags & SPACE ? ' ' : '\0';
	} else if ((sp->flags & ALT) && base == 16 && v) {
		prefix[0] = '0';
		prefix[1] = sp->flags & UPPER ? 'X' : 'x';
	}
	for (u64 rest = v; rest || (n == 0 && sp->precision != 0); rest /= base) {
		tmp[sizeof(tmp) - 1 - (size_t)n++] = digits[rest % base];
		if (!rest)
			break;
	}
	if ((sp->flags & ALT) && base == 8 && (n == 0 || tmp[sizeof(tmp) - (size_t)n] != '0'))
		tmp[sizeof(tmp) - 1 - (size_t)n++] = '0';
	zeros = sp->precision - n;
	if (sp->precision < 0 && (sp->flags & ZERO) && !(sp->flags & LEFT))
		zeros = sp->width - n - (int)strlen(prefix);
	emit_padded(o, sp, prefix, zeros > 0 ? zeros : 0, tmp + sizeof(tmp) - n, n);
}

static void emit_pointer(struct out *o, struct spec *sp, const char **fmt, u64 v)
{
	char name[96];

	if (**fmt == 'S') {
		++*fmt;
		if (fmt_symbol_hook)
			fmt_symbol_hook(name, sizeof(name), v);
		else
			ksnprintf(name, sizeof(name), "0x%lx", v);
		emit_padded(o, sp, "", 0, name, (int)strlen(name));
		return;
	}
	sp->flags = (sp->flags & LEFT) | POINTER;
	sp->precision = 16;
	emit_number(o, sp, v, 16);
}

static const char *parse_spec(struct spec *sp, const char *f, va_list *args)
{
	*sp = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			sp->flags |= LEFT;
		else if (*f == '+')
			sp->flags |= PLUS;
		else if (*f == ' ')
			sp->flags |= SPACE;
		else if (*f == '#')
			sp->flags |= ALT;
		else if (*f == '0')
			sp->flags |= ZERO;
		else
			break;
	}
	if (*f == '*') {
		sp->width = va_arg(*args, int);
		if (sp->width < 0) {
			sp->flags |= LEFT;
			sp->width = -sp->width;
		}
		f++;
	} else {
		sp->width = (int)parse_number(f, &f, 10);
	}
	if (*f == '.') {
		f++;
		sp->precision = *f == '*' ? (f++, va_arg(*args, int)) : (int)parse_number(f, &f, 10);
	}
	while (*f == 'l' || *f == 'h' || *f == 'z' || *f == 't' || *f == 'j') {
		sp->length = *f == 'h' && sp->length == 'h' ? 'H' : *f;
		f++;
	}
	return f;
}

static u64 number_arg(const struct spec *sp, va_list *args, bool is_signed)
{
	switch (sp->length) {
	case 'H':
		return is_signed ? (u64)(s8)va_arg(*args, int) : (u8)va_arg(*args, int);
	case 'h':
		return is_signed ? (u64)(s16)va_arg(*args, int) : (u16)va_arg(*args, int);
	case 0:
		return is_signed ? (u64)va_arg(*args, int) : va_arg(*args, unsigned);
	default:
		return va_arg(*args, u64);
	}
}

static void convert(struct out *o, struct spec *sp, const char **fmt, va_list *args)
{
	char c = *(*fmt)++;
	const char *s;

	switch (c) {
	case 'd': case 'i':
		sp->flags |= SIGNED;
		emit_number(o, sp, number_arg(sp, args, true), 10);
		break;
	case 'u':
		emit_number(o, sp, number_arg(sp, args, false), 10);
		break;
	case 'X':
		sp->flags |= UPPER;
		fallthrough;
	case 'x':
		emit_number(o, sp, number_arg(sp, args, false), 16);
		break;
	case 'o':
		emit_number(o, sp, number_arg(sp, args, false), 8);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		emit_padded(o, sp, "", 0, &c, 1);
		break;
	case 's':
		s = va_arg(*args, const char *);
		if (!s)
			s = "(null)";
		emit_padded(o, sp, "", 0, s, (int)strnlen(s, sp->precision >= 0 ? (size_t)sp->precision : (size_t)INT32_MAX));
		break;
	case 'p':
		emit_pointer(o, sp, fmt, (u64)va_arg(*args, void *));
		break;
	case '%':
		put(o, '%');
		break;
	default:	/* unknown: show it as it stands */
		put(o, '%');
		if (c)
			put(o, c);
		else
			--*fmt;
	}
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct spec sp;
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(&sp, fmt + 1, &args);
		convert(&o, &sp, &fmt, &args);
	}
	va_end(args);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return (int)o.len;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return n < (int)size ? n : size ? (int)size - 1 : 0;
}
