/* Where a core goes: /proc/sys/kernel/core_pattern, and what it makes of a process.  core(5), "Naming of core dump files". */
#include <linux/limits.h>
#include <linux/utsname.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sync/mutex.h>
#include <kernel/sysctl.h>
#include <mm/slab.h>
#include <mm/vma.h>

#define PATTERN_MAX	128u		/* bytes, with the NUL, as on Linux */

static DEFINE_MUTEX(pattern_lock, LC_UTS);
static char pattern[PATTERN_MAX] = "core";	/* [pattern_lock] */
static u64 uses_pid;			/* ".PID" behind a file's name that has no %p */
SYSCTL(core_uses_pid, "kernel/core_uses_pid", .value = &uses_pid, .max = 0x7fffffff);

struct corename { char *buf; size_t len; };	/* of CORE_NAME_MAX, one of them for a NUL; len is larger if it did not fit */

static void put(struct corename *n, char c)
{
	if (n->len < CORE_NAME_MAX - 1)
		n->buf[n->len] = c;
	n->len += n->len < CORE_NAME_MAX;
}

static void put_number(struct corename *n, const char *format, u64 value)
{
	char digits[24];

	ksnprintf(digits, sizeof(digits), format, value);
	for (const char *p = digits; *p; p++)
		put(n, *p);
}

/* One component of a path at most, and neither an empty one nor one that leads upward. */
static void put_escaped(struct corename *n, const char *text)
{
	if (!*text || !strcmp(text, ".") || !strcmp(text, "..")) {
		put(n, '!');
		text += *text != '\0';
	}
	for (; *text; text++)
		put(n, *text == '/' ? '!' : *text);
}

/* The program's path, or the last part of it. */
static int put_exe(struct corename *n, bool whole)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct file *exe = current->mm->exe;
	const char *path = buf && exe ? path_string(&exe->path, buf, PATH_MAX) : NULL, *slash = path && !whole ? strrchr(path, '/') : NULL;

	put_escaped(n, slash ? slash + 1 : path ? path : current->comm);
	kfree(buf);
	return buf ? 0 : -ENOMEM;
}

/* What stands for %c; *pid: that was the process's number. */
static int put_field(struct corename *n, const struct core_dump *d, char c, bool *pid)
{
	const struct task *t = current;
	char host[__NEW_UTS_LEN + 1];

	switch (c) {
	case '%': put(n, '%'); break;
	case 'p': case 'P':
		*pid |= c == 'p';
		put_number(n, "%lu", (u64)t->proc->pid);
		break;
	case 'i': case 'I': put_number(n, "%lu", (u64)t->tid); break;
	case 'u': put_number(n, "%lu", t->cred->uid); break;
	case 'g': put_number(n, "%lu", t->cred->gid); break;
	case 'd': put_number(n, "%lu", d->dumpable); break;
	case 's': put_number(n, "%lu", (u64)d->info->si_signo); break;
	case 't': put_number(n, "%ld", (u64)current_time_k().sec); break;
	case 'c': put_number(n, "%lu", d->limit); break;
	case 'e': put_escaped(n, t->comm); break;
	case 'f': return put_exe(n, false);
	case 'E': return put_exe(n, true);
	case 'h':
		get_hostname(host);
		put_escaped(n, host);
		break;
	}
	return 0;			/* what nobody knows is left out */
}

static int expand(struct corename *n, const struct core_dump *d, const char *p, bool pipe)
{
	bool pid = false, gap = false;
	int err = 0;

	for (; *p && !err; p++) {
		if (pipe && is_space(*p)) {	/* before what fields become, which may contain blanks */
			gap = n->len != 0;
			continue;
		}
		if (gap)
			put(n, '\0');
		gap = false;
		if (*p != '%')
			put(n, *p);
		else if (*++p)
			err = put_field(n, d, *p, &pid);
		else
			break;
	}
	if (!pipe && !pid && READ_ONCE(uses_pid))
		put_number(n, ".%lu", (u64)current->proc->pid);
	return err;
}

bool coredump_is_pipe(void) { return READ_ONCE(pattern[0]) == '|'; }

int coredump_name(const struct core_dump *d, bool pipe, char *buf, size_t *len)
{
	struct corename n = { .buf = buf };
	char now[PATTERN_MAX];
	int err;

	mutex_lock(&pattern_lock);
	memcpy(now, pattern, sizeof(now));
	mutex_unlock(&pattern_lock);
	if (pipe != (now[0] == '|'))
		return -EINVAL;		/* it has just been changed */
	err = expand(&n, d, now + pipe, pipe);
	if (!err && n.len >= CORE_NAME_MAX)
		err = -ENAMETOOLONG;
	if (!err && !n.len)
		err = -EINVAL;
	if (err)
		return err;
	buf[n.len] = '\0';
	*len = n.len + 1;
	return 0;
}

static int pattern_show(struct seq *s, void *arg)
{
	(void)arg;
	mutex_lock(&pattern_lock);
	seq_printf(s, "%s\n", pattern);
	mutex_unlock(&pattern_lock);
	return 0;
}

/* It ends at the line's end; what is too long is cut, as Linux does. */
static int pattern_write(const char *buf, size_t len, void *arg)
{
	size_t n = 0;

	(void)arg;
	while (n < min(len, (size_t)PATTERN_MAX - 1) && buf[n] && buf[n] != '\n')
		n++;
	mutex_lock(&pattern_lock);
	memset(pattern, 0, sizeof(pattern));
	memcpy(pattern, buf, n);
	mutex_unlock(&pattern_lock);
	return 0;
}
PROC_FILE(core_pattern, .path = "sys/kernel/core_pattern", .mode = 0644, .show = pattern_show, .write = pattern_write);
