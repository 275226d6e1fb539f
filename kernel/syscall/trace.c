/* The built-in tracer: a log line for each call of a traced task, arguments decoded by the table.  `strace` on the kernel command
 * line traces init and, since children inherit the flag, everything. */
#include <arch/trapframe.h>
#include <arch/uaccess.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/printk.h>
#include <kernel/syscall/syscall.h>
#include <kernel/syscall/trace.h>
#include <kernel/task.h>

bool syscall_trace_boot;
static void param_strace(const char *value) { (void)value; syscall_trace_boot = true; }
BOOT_PARAM("strace", param_strace);

static int arg_print(char *buf, int size, enum syscall_arg_kind kind, u64 v)
{
	char text[48];

	switch (kind) {
	case ARG_PATH: case ARG_STR:
		if (!v)
			return scnprintf(buf, (size_t)size, "NULL");
		if (strncpy_from_user(text, user_ptr(v), sizeof(text)) == -14)
			return scnprintf(buf, (size_t)size, "0x%lx", v);
		text[sizeof(text) - 1] = '\0';
		return scnprintf(buf, (size_t)size, "\"%s\"", text);
	case ARG_INT: case ARG_FD: case ARG_DIRFD: case ARG_PID: case ARG_SIG: case ARG_UID: case ARG_GID: case ARG_CLOCKID:
		return scnprintf(buf, (size_t)size, "%d", (int)v);
	case ARG_MODE:
		return scnprintf(buf, (size_t)size, "0%o", (u32)v);
	case ARG_SIZE: case ARG_UINT: case ARG_OFF:
		return scnprintf(buf, (size_t)size, "%ld", (s64)v);
	default:
		return scnprintf(buf, (size_t)size, "0x%lx", v);
	}
}

void syscall_trace(struct trap_frame *tf, syscall_fn *fn)
{
	const struct syscall_desc *d = &syscall_descs[tf->syscallno];
	char line[200];
	int n = 0;
	long ret;

	for (u32 i = 0; i < d->nr_args; i++) {
		n += scnprintf(line + n, sizeof(line) - (size_t)n, i ? ", " : "");
		n += arg_print(line + n, (int)sizeof(line) - n, d->args[i].kind, tf->x[i]);
	}
	line[n] = '\0';
	ret = fn(tf->x[0], tf->x[1], tf->x[2], tf->x[3], tf->x[4], tf->x[5]);
	tf->x[0] = (u64)ret;
	printk(LOG_INFO "strace: [%d] %s(%s) = %ld\n", current->tid, d->name, line, ret);
}
