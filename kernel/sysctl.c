/* Numbers under /proc/sys: reading and writing. */
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sysctl.h>

int sysctl_show(struct seq *s, void *arg)
{
	const struct sysctl *ctl = arg;

	seq_printf(s, "%ld\n", READ_ONCE(*(s64 *)ctl->value));
	return 0;
}

/* buf ends in a NUL.  White space around the one number is let pass, as on Linux. */
int sysctl_write(const char *buf, size_t len, void *arg)
{
	const struct sysctl *ctl = arg;
	const char *digits, *end;
	bool negative;
	s64 v;

	while (is_space(*buf) && len) {
		buf++;
		len--;
	}
	negative = *buf == '-';
	digits = buf + negative;
	v = (s64)parse_number(digits, &end, 10);
	if (end == digits || end - digits > 18)
		return -EINVAL;
	while (is_space(*end))
		end++;
	v = negative ? -v : v;
	if (end != buf + len || v < ctl->min || v > ctl->max)
		return -EINVAL;
	WRITE_ONCE(*(s64 *)ctl->value, v);
	return 0;
}
