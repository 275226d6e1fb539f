/* Limits under /proc/sys/kernel that are not one number of at most 63 bits: several ints in one file, an unsigned long.  proc(5). */
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/ipc/ipc.h>
#include <kernel/lib/string.h>

int ipc_ints_show(struct seq *s, void *arg)
{
	const struct ipc_ints *v = arg;

	for (u32 i = 0; i < v->nr; i++)
		seq_printf(s, "%ld%c", READ_ONCE(*v->value[i]), i + 1 < v->nr ? '\t' : '\n');
	return 0;
}

/* One number at *buf, and the white space around it. */
static int parse_int(const char **buf, s64 *out)
{
	const char *p = *buf, *end;
	bool negative = *p == '-';
	u64 n = parse_number(p + negative, &end, 10);

	if (end == p + negative || end - p > 11 || (*end && !is_space(*end)) || n > 0x7fffffff)
		return -EINVAL;
	*out = negative ? -(s64)n : (s64)n;
	while (is_space(*end))
		end++;
	*buf = end;
	return 0;
}

/* Fewer numbers than there are leave the others alone. */
int ipc_ints_write(const char *buf, size_t len, void *arg)
{
	const struct ipc_ints *v = arg;
	const char *p = buf;
	s64 n[4];
	u32 nr = 0;

	while (is_space(*p))
		p++;
	for (; nr < v->nr && p < buf + len; nr++)
		if (parse_int(&p, &n[nr]))
			return -EINVAL;
	if (!nr)
		return -EINVAL;
	for (u32 i = 0; i < nr; i++)
		if (n[i] < v->min[i] || n[i] > v->max[i])
			return -ERANGE;
	for (u32 i = 0; i < nr; i++)
		WRITE_ONCE(*v->value[i], n[i]);
	return 0;
}

int ipc_ulong_show(struct seq *s, void *arg)
{
	seq_printf(s, "%lu\n", READ_ONCE(*(u64 *)arg));
	return 0;
}

int ipc_ulong_write(const char *buf, size_t len, void *arg)
{
	char text[24] = "";
	u64 n;

	while (is_space(*buf) && len) {
		buf++;
		len--;
	}
	while (len && is_space(buf[len - 1]))
		len--;
	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, buf, len);
	if (kstrtou64(text, 10, &n))
		return -EINVAL;
	WRITE_ONCE(*(u64 *)arg, n);
	return 0;
}
