#include <asm/errno.h>
#include <kernel/lib/cpumask.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>

void mask_format(u64 mask, u32 nr, char *buf, size_t size)
{
	if (nr > 32)
		scnprintf(buf, size, "%0*lx,%08x", (int)(nr - 32 + 3) / 4, mask >> 32, (u32)mask);
	else
		scnprintf(buf, size, "%0*lx", (int)(nr + 3) / 4, mask);
}

void mask_list_format(u64 mask, char *buf, size_t size)
{
	const char *comma = "";
	size_t len = 0;

	if (size)
		buf[0] = '\0';
	for (u32 i = 0, end; i < 64; i = end + 1) {
		end = i;
		if (!(mask >> i & 1))
			continue;
		while (end < 63 && (mask >> (end + 1) & 1))
			end++;
		len += (size_t)scnprintf(buf + len, size - len, end > i ? "%s%u-%u" : "%s%u", comma, i, end);
		comma = ",";
	}
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mask_parse(const char *buf, u32 nr, u64 *out)
{
	u64 mask = 0;

	while (is_space(*buf))
		buf++;
	for (;; buf++) {
		u64 group = 0;
		u32 digits = 0;

		for (; hex_digit(*buf) >= 0; buf++, digits++) {
			group = group << 4 | (u32)hex_digit(*buf);
			if (group >> 32)
				return -EOVERFLOW;
		}
		if (!digits)
			return -EINVAL;
		if (mask >> 32)
			return -EOVERFLOW;
		mask = mask << 32 | group;
		if (*buf != ',')
			break;
	}
	while (is_space(*buf))
		buf++;
	if (*buf)
		return -EINVAL;
	if (nr < 64 && mask >> nr)
		return -EOVERFLOW;
	*out = mask;
	return 0;
}

static int number(const char **p, u64 *out)
{
	const char *end;

	if (!is_digit(**p))
		return -EINVAL;
	*out = parse_number(*p, &end, 10);
	if (end - *p > 9)
		return -EOVERFLOW;
	*p = end;
	return 0;
}

/* One region of a list at *p, behind which *p is left. */
static int region(const char **p, u32 nr, u64 *mask)
{
	u64 first, last, used = 1, group = 1;
	int err;

	if (str_has_prefix(*p, "all")) {
		*p += 3;
		first = 0;
		last = nr - 1;
	} else {
		err = number(p, &first);
		last = first;
		if (!err && **p == '-') {
			++*p;
			err = number(p, &last);
		}
		if (err)
			return err;
	}
	if (**p == ':') {
		++*p;
		err = number(p, &used);
		if (!err && *(*p)++ != '/')
			err = -EINVAL;
		if (!err)
			err = number(p, &group);
		if (err)
			return err;
	}
	if (first > last || !group || used > group)
		return -EINVAL;
	if (last >= nr)
		return -ERANGE;
	for (u64 i = first; i <= last; i++)
		if ((i - first) % group < used)
			*mask |= 1ul << i;
	return 0;
}

int mask_list_parse(const char *buf, u32 nr, u64 *out)
{
	u64 mask = 0;
	int err;

	for (;;) {
		while (is_space(*buf) || *buf == ',')
			buf++;
		if (!*buf)
			break;
		err = region(&buf, nr, &mask);
		if (err)
			return err;
		if (*buf && *buf != ',' && !is_space(*buf))
			return -EINVAL;
	}
	*out = mask;
	return 0;
}
