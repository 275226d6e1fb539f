/* The built-in tracer: a log line for each call of a traced thread, its arguments decoded by the table and its result by name.
 *
 * Who is traced: a thread with TIF_TRACE, whose calls entry.S sends here by syscall_slow().  It is set for a process by writing 1 to /proc/<pid>/trace and
 * inherited by what it starts; `strace` on the kernel command line sets it for init, and so for everything.
 *
 * The line is printed when the call ends, because only then is known what it wrote; calls that do not end (exit, exit_group, and an
 * execve that succeeds has another program's memory) are printed before, with "?" for the result.  Program memory is read as a
 * call would read it, so what is not there is shown as an address. */
#include <arch/atomic.h>
#include <arch/trapframe.h>
#include <arch/uaccess.h>
#include <asm/unistd.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/syscall/syscall.h>
#include <kernel/syscall/trace.h>
#include <kernel/task.h>
#include <linux/fcntl.h>

#define SHOWN_BYTES 32

bool syscall_trace_boot;
static void param_strace(const char *value) { (void)value; syscall_trace_boot = true; }
BOOT_PARAM("strace", param_strace);

struct line { char text[256]; size_t len; };

static __printf(2, 3) void put(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, args);
	va_end(args);
	l->len = min(l->len + (size_t)n, sizeof(l->text) - 1);
}

static void put_quoted(struct line *l, const char *s, size_t n, bool more)
{
	put(l, "\"");
	for (size_t i = 0; i < n; i++) {
		u8 c = (u8)s[i];

		if (c == '"' || c == '\\')
			put(l, "\\%c", c);
		else if (c >= 32 && c < 127)
			put(l, "%c", c);
		else if (c == '\n')
			put(l, "\\n");
		else
			put(l, "\\%o", c);
	}
	put(l, more ? "\"..." : "\"");
}

static void put_string(struct line *l, u64 addr)
{
	char text[64];
	ssize_t n = strncpy_from_user(text, user_ptr(addr), sizeof(text));

	if (!addr)
		put(l, "NULL");
	else if (n < 0)
		put(l, "0x%lx", addr);
	else
		put_quoted(l, text, min((size_t)n, sizeof(text)), (size_t)n >= sizeof(text));
}

static void put_bytes(struct line *l, u64 addr, u64 len)
{
	char bytes[SHOWN_BYTES];
	size_t n = min(len, sizeof(bytes));

	if (!addr)
		put(l, "NULL");
	else if (copy_from_user(bytes, user_ptr(addr), n))
		put(l, "0x%lx", addr);
	else
		put_quoted(l, bytes, n, len > n);
}

/* from: the call's arguments as they were.  result: what it returned; buffers that it filled hold as many bytes. */
static void put_arg(struct line *l, const struct syscall_arg *arg, const u64 *from, u32 i, long result)
{
	u64 v = from[i];

	switch (arg->kind) {
	case ARG_PATH: case ARG_STR:
		put_string(l, v);
		break;
	case ARG_INBUF:
		put_bytes(l, v, from[arg->len_arg]);
		break;
	case ARG_OUTBUF:
		if (result > 0)
			put_bytes(l, v, min((u64)result, from[arg->len_arg]));
		else
			put(l, v ? "0x%lx" : "NULL", v);
		break;
	case ARG_DIRFD:
		if ((int)v == AT_FDCWD) {
			put(l, "AT_FDCWD");
			break;
		}
		/* fall through */
	case ARG_INT: case ARG_FD: case ARG_PID: case ARG_SIG: case ARG_UID: case ARG_GID: case ARG_CLOCKID:
		put(l, "%d", (int)v);
		break;
	case ARG_MODE:
		put(l, "0%o", (u32)v);
		break;
	case ARG_SIZE: case ARG_OFF: case ARG_LONG:
		put(l, "%ld", (s64)v);
		break;
	case ARG_UINT:
		put(l, "%u", (u32)v);
		break;
	default:
		put(l, "0x%lx", v);
	}
}

static const char *error_name(long error)
{
#define E(name) [name] = #name
	static const char *const names[] = {
		E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN), E(ENOMEM),
		E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE),
		E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE),
		E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK), E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(EOVERFLOW), E(EOPNOTSUPP), E(ETIMEDOUT),
		E(EALREADY), E(EINPROGRESS), E(ESTALE), E(EDQUOT), E(ECANCELED), E(EOWNERDEAD), E(ENOTRECOVERABLE), E(ENODATA), E(ENOTSOCK),
		E(EAFNOSUPPORT), E(EPROTO), E(EBADFD), E(EUSERS), E(ELIBBAD), E(EIDRM), E(ENOMSG),
		E(ERESTARTSYS), E(ERESTARTNOINTR), E(ERESTARTNOHAND), E(ERESTART_RESTARTBLOCK),
	};
#undef E
	return error > 0 && (u64)error < ARRAY_SIZE(names) && names[error] ? names[error] : "";
}

static void put_result(struct line *l, const char *kind, long ret)
{
	if (ret < 0 && ret > -4096)
		put(l, "%ld %s", ret, error_name(-ret));
	else if (!strcmp(kind, "addr"))
		put(l, "0x%lx", ret);
	else
		put(l, "%ld", ret);
}

static void put_call(struct line *l, const struct syscall_desc *d, const u64 *from, long ret)
{
	put(l, "%s(", d->name);
	for (u32 i = 0; i < d->nr_args; i++) {
		put(l, i ? ", " : "");
		put_arg(l, &d->args[i], from, i, ret);
	}
	put(l, ") = ");
}

void syscall_trace(struct trap_frame *tf, syscall_fn *fn)
{
	const s64 nr = tf->syscallno;
	const struct syscall_desc *d = &syscall_descs[nr];
	bool gone = nr == __NR_exit || nr == __NR_exit_group, exec = nr == __NR_execve || nr == __NR_execveat;
	struct line line = { .len = 0 };
	u64 from[6];
	long ret;

	memcpy(from, tf->x, sizeof(from));
	if (gone || exec)
		put_call(&line, d, from, 0);
	if (gone)
		printk(LOG_INFO "strace: [%d] %s?\n", current->tid, line.text);
	ret = fn(from[0], from[1], from[2], from[3], from[4], from[5]);
	tf->x[0] = (u64)ret;
	if (!exec)
		put_call(&line, d, from, ret);
	put_result(&line, d->ret, ret);
	printk(LOG_INFO "strace: [%d] %s\n", current->tid, line.text);
}

bool process_traced(struct process *p)
{
	struct task *t;
	bool on = false;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		on |= atomic_load(&t->head.flags) & TIF_TRACE;
	rcu_read_unlock();
	return on;
}

/* A thread in the making copies the flag of its maker under the same lock, so none is forgotten. */
void process_trace_set(struct process *p, bool on)
{
	struct task *t;

	spin_lock_irq(&proc_lock);
	list_for_each_entry(t, &p->threads, thread_link) {
		if (on)
			call_work_set(t, TIF_TRACE);
		else
			call_work_clear(t, TIF_TRACE);
	}
	spin_unlock_irq(&proc_lock);
}
