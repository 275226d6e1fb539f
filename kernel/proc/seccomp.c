/* seccomp(2): which system calls a task may make.
 *
 * Theory.  Mode and filters belong to a task, are inherited by what it forks and survive what it execs, and can only become stricter: strict mode
 * leaves four calls; in filter mode each call is judged by every filter, classic BPF programs (net/filter.c checks and runs them) over struct
 * seccomp_data, and the strictest answer counts.
 *
 * A filter is immutable.  It points to the one that was there before it and holds a reference on it, so that the filters of all tasks form a
 * forest, and what a task has is one pointer into it; fork shares that with a reference of its own.  Who writes the pointer holds sighand->lock: the
 * task itself when it adds a filter, a thread of its process by SECCOMP_FILTER_FLAG_TSYNC, fork for a child that nobody sees yet.  Under
 * that lock a child gets its copy and enters the list of threads, so TSYNC misses none.  The task itself reads the pointer without a lock or a
 * reference: it is only ever replaced by a descendant, which keeps what it replaces, until the task's structure is freed.  The release store
 * of the pointer, and of mode before TIF_SECCOMP is set, make whoever sees the one see what it points to.
 *
 * A task that has neither pays nothing: TIF_SECCOMP is one reason for TIF_CALL_WORK, the one flag that entry.S tests.
 *
 * An unprivileged filter must not outlive a gain of privilege, which it could lead astray: who adds one has no_new_privs or CAP_SYS_ADMIN.  TSYNC
 * hands no_new_privs to the other threads, also to one that is about to exec a set-id program; but that one first ends all others, and
 * looks again after (apply_creds in exec.c).
 *
 * A filter may have a listener, who is asked about calls that it answers with SECCOMP_RET_USER_NOTIF (seccomp_notify.c): one in a task's
 * filters.  He is told when no living task has the filter any more, which filter.users counts: a task counts for its newest filter until it ends
 * (its reference lasts longer, for those who look at it), and a filter that is counted for the one before it.
 *
 * Specification: seccomp(2), Linux's Documentation/userspace-api/seccomp_filter.rst. */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <arch/trapframe.h>
#include <arch/uaccess.h>
#include <asm/unistd.h>
#include <fs/file.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/seccomp.h>
#include <kernel/proc/seccomp_internal.h>
#include <mm/slab.h>
#include <net/filter.h>
#include <syscall_protos.h>

#define INSNS_MAX	32768u		/* that one call may have to run through, a filter counting for four more */
#define INSNS_FILTER	4u
#define ERRNO_MAX	4095u

/* Actions from the strictest on, as /proc/sys/kernel/seccomp names them; a bit of logged is an index here. */
static const struct { u32 action; const char *name; } actions[] = {
	{ SECCOMP_RET_KILL_PROCESS, "kill_process" }, { SECCOMP_RET_KILL_THREAD, "kill_thread" }, { SECCOMP_RET_TRAP, "trap" },
	{ SECCOMP_RET_ERRNO, "errno" },
	{ SECCOMP_RET_USER_NOTIF, "user_notif" }, { SECCOMP_RET_TRACE, "trace" }, { SECCOMP_RET_LOG, "log" }, { SECCOMP_RET_ALLOW, "allow" },
};
#define ALLOW_BIT	BIT(ARRAY_SIZE(actions) - 1)
static u32 logged = ALLOW_BIT - 1;	/* [a] which actions may be logged */

/* --- programs */

/* What seccomp asks beyond the common check: loads of aligned words of struct seccomp_data and nothing else of any input; no modulo. */
static bool insn_ok(const struct filter_insn *i)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		switch (BPF_MODE(i->code)) {
		case BPF_IMM: case BPF_MEM: case BPF_LEN:
			return true;
		case BPF_ABS:
			return BPF_SIZE(i->code) == BPF_W && i->k < sizeof(struct seccomp_data) && !(i->k & 3);
		}
		return false;
	case BPF_LDX:
		return BPF_MODE(i->code) == BPF_IMM || BPF_MODE(i->code) == BPF_MEM || BPF_MODE(i->code) == BPF_LEN;
	case BPF_ALU:
		return BPF_OP(i->code) != BPF_MOD;
	}
	return true;
}

/* A word of the data, in the host's order.  insn_ok has seen the offset. */
static bool load_word(const struct filter_input *in, u32 off, u32 size, u32 *value)
{
	if (off >= in->len || size != sizeof(*value))
		return false;
	memcpy(value, (const u8 *)in->data + off, sizeof(*value));
	return true;
}

static void filter_free(struct seccomp_filter *f)
{
	filter_put(f->prog);
	notify_free(f->notify);
	kfree(f);
}

/* One counts no more for f. */
static void user_gone(struct seccomp_filter *f)
{
	while (f && refcount_dec_and_test(&f->users)) {
		notify_users_gone(f);
		f = f->prev;
	}
}

void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f && refcount_dec_and_test(&f->refs)) {
		struct seccomp_filter *prev = f->prev;

		filter_free(f);
		f = prev;
	}
}

static int filter_prepare(const void __user *user, u32 flags, struct seccomp_filter **out)
{
	struct sock_fprog prog;
	struct seccomp_filter *f;
	int err;

	if (copy_from_user(&prog, user, sizeof(prog)))
		return -EFAULT;
	if (!prog.len || prog.len > FILTER_MAX)
		return -EINVAL;
	if (!READ_ONCE(current->no_new_privs) && !capable(CAP_SYS_ADMIN))
		return -EACCES;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	err = filter_create(&prog, &f->prog);
	if (err) {
		kfree(f);
		return err;
	}
	refcount_set(&f->refs, 1);
	refcount_set(&f->users, 1);
	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	for (u32 i = 0; i < f->prog->nr; i++)
		if (!insn_ok(&f->prog->insn[i]))
			err = -EINVAL;
	if (err)
		filter_free(f);
	else
		*out = f;
	return err;
}

/* --- modes */

/* Under sighand->lock: t goes over to mode. */
static void set_mode(struct task *t, u32 mode)
{
	atomic_store(&t->seccomp_mode, mode);
	call_work_set(t, TIF_SECCOMP);
}

static long strict_set(void)
{
	struct task *t = current;
	long err = -EINVAL;

	spin_lock_irq(&t->proc->sighand->lock);
	if (t->seccomp_mode == SECCOMP_MODE_DISABLED || t->seccomp_mode == SECCOMP_MODE_STRICT) {
		set_mode(t, SECCOMP_MODE_STRICT);
		err = 0;
	}
	spin_unlock_irq(&t->proc->sighand->lock);
	return err;
}

/* Is a the same as f, or one of those before it?  No filter at all comes before every filter. */
static bool comes_before(const struct seccomp_filter *a, const struct seccomp_filter *f)
{
	while (f && f != a)
		f = f->prev;
	return f == a;
}

/* The number of a thread that went its own way, so that current's filters cannot be its; 0: none.  sighand lock and RCU held. */
static s32 sync_hindered(const struct task *me)
{
	struct task *t;

	list_for_each_entry_rcu(t, &me->proc->threads, thread_link) {
		if (t == me || (READ_ONCE(t->pflags) & PF_EXITING) || t->seccomp_mode == SECCOMP_MODE_DISABLED)
			continue;
		if (t->seccomp_mode != SECCOMP_MODE_FILTER || !comes_before(t->seccomp_filter, me->seccomp_filter))
			return READ_ONCE(t->tid);
	}
	return 0;
}

static void sync_threads(struct task *me)
{
	struct seccomp_filter *f = me->seccomp_filter, *old;
	struct task *t;

	list_for_each_entry_rcu(t, &me->proc->threads, thread_link) {
		if (t == me || (READ_ONCE(t->pflags) & PF_EXITING))
			continue;
		refcount_inc(&f->refs);
		refcount_inc(&f->users);
		old = t->seccomp_filter;
		atomic_store(&t->seccomp_filter, f);
		user_gone(old);
		seccomp_filter_put(old);	/* f keeps it */
		if (me->no_new_privs)
			atomic_store(&t->no_new_privs, true);
		set_mode(t, SECCOMP_MODE_FILTER);
	}
}

/* Has current a listener already? */
static bool listened(const struct seccomp_filter *f)
{
	while (f && !notify_open(f))
		f = f->prev;
	return f;
}

/* new becomes current's, on top of what it has.  sighand lock and RCU held.  0, -EINVAL, -EBUSY, -ENOMEM, or the thread that hinders TSYNC. */
static long attach_locked(struct seccomp_filter *new, u32 flags)
{
	struct task *me = current;
	struct seccomp_filter *prev = me->seccomp_filter;
	s32 hindered;

	if (me->seccomp_mode != SECCOMP_MODE_DISABLED && me->seccomp_mode != SECCOMP_MODE_FILTER)
		return -EINVAL;
	if (new->notify && listened(prev))
		return -EBUSY;
	new->insns = new->prog->nr + (prev ? prev->insns + INSNS_FILTER : 0);
	new->depth = prev ? prev->depth + 1 : 1;
	if (new->insns > INSNS_MAX)
		return -ENOMEM;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
		hindered = sync_hindered(me);
		if (hindered)
			return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : hindered;
	}
	new->prev = prev;			/* and the task's reference on it */
	atomic_store(&me->seccomp_filter, new);
	set_mode(me, SECCOMP_MODE_FILTER);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		sync_threads(me);
	return 0;
}

static long filter_attach(struct seccomp_filter *new, u32 flags)
{
	struct spinlock *lock = &current->proc->sighand->lock;
	long err;

	rcu_read_lock();
	spin_lock_irq(lock);
	err = attach_locked(new, flags);
	spin_unlock_irq(lock);
	rcu_read_unlock();
	return err;
}

/* The same with a listener: its descriptor. */
static long filter_attach_listened(struct seccomp_filter *new, u32 flags)
{
	struct file *file;
	long err;
	int fd = fd_reserve(0, O_CLOEXEC);

	if (fd < 0)
		return fd;
	err = notify_create(new, flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &file);
	if (!err) {
		err = filter_attach(new, flags);
		if (!err) {
			fd_install(fd, file);
			return fd;
		}
		file_put_now(file);
	}
	fd_cancel(fd);
	return err;
}

/* Do the flags make sense together?  TSYNC answers with the number of a thread that hinders it: nobody could tell it from a descriptor. */
static bool flags_ok(u32 flags)
{
	const u32 known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	if (flags & ~known)
		return false;
	if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	return !(flags & SECCOMP_FILTER_FLAG_TSYNC) || (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
}

static long filter_set(u32 flags, const void __user *user)
{
	const bool listener = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	struct seccomp_filter *new;
	long ret;

	if (!flags_ok(flags))
		return -EINVAL;
	ret = filter_prepare(user, flags, &new);
	if (ret)
		return ret;
	ret = listener ? filter_attach_listened(new, flags) : filter_attach(new, flags);
	if (ret < 0 || (ret && !listener))
		seccomp_filter_put(new);
	return ret;
}

static long action_avail(u32 flags, const u32 __user *user)
{
	u32 action;

	if (flags)
		return -EINVAL;
	if (copy_from_user(&action, user, sizeof(action)))
		return -EFAULT;
	for (u32 i = 0; i < ARRAY_SIZE(actions); i++)
		if (actions[i].action == action)
			return 0;
	return -EOPNOTSUPP;
}

static long notif_sizes(u32 flags, void __user *user)
{
	const struct seccomp_notif_sizes sizes = { sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp), sizeof(struct seccomp_data) };

	if (flags)
		return -EINVAL;
	return copy_to_user(user, &sizes, sizeof(sizes)) ? -EFAULT : 0;
}

long sys_seccomp(u32 op, u32 flags, void __user *args)
{
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || args ? -EINVAL : strict_set();
	case SECCOMP_SET_MODE_FILTER:
		return filter_set(flags, args);
	case SECCOMP_GET_ACTION_AVAIL:
		return action_avail(flags, args);
	case SECCOMP_GET_NOTIF_SIZES:
		return notif_sizes(flags, args);
	default:
		return -EINVAL;
	}
}

long seccomp_prctl_set(unsigned long mode, void __user *prog)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return strict_set();
	case SECCOMP_MODE_FILTER:
		return filter_set(0, prog);
	default:
		return -EINVAL;
	}
}

void seccomp_fork_locked(struct task *t)
{
	const struct task *me = current;

	t->no_new_privs = me->no_new_privs;
	if (likely(me->seccomp_mode == SECCOMP_MODE_DISABLED))
		return;
	if (me->seccomp_filter) {
		refcount_inc(&me->seccomp_filter->refs);
		refcount_inc(&me->seccomp_filter->users);
	}
	t->seccomp_filter = me->seccomp_filter;
	set_mode(t, me->seccomp_mode);
}

void seccomp_exit(void)
{
	struct task *me = current;

	if (likely(!atomic_load(&me->seccomp_filter)))
		return;
	spin_lock_irq(&me->proc->sighand->lock);	/* who hands filters on by TSYNC either has done so, or sees PF_EXITING */
	user_gone(me->seccomp_filter);
	spin_unlock_irq(&me->proc->sighand->lock);
}

void seccomp_release(struct task *t)
{
	if (unlikely(t->seccomp_filter))
		seccomp_filter_put(t->seccomp_filter);
}

u32 seccomp_filters(const struct task *t)
{
	const struct seccomp_filter *f = atomic_load(&t->seccomp_filter);

	return f ? f->depth : 0;
}

/* --- calls */

static void note(s64 nr, u32 action, u64 pc, bool asked)
{
	u32 i = 0;

	while (i < ARRAY_SIZE(actions) - 1 && actions[i].action != action)
		i++;
	if (!(atomic_load(&logged) & BIT(i)))
		return;
	if (asked || action == SECCOMP_RET_LOG || action == SECCOMP_RET_KILL_THREAD || action == SECCOMP_RET_KILL_PROCESS)
		printk_ratelimited(LOG_INFO "seccomp: %s[%d]: call %ld at %016lx: %s\n", current->comm, current->tid, nr, pc, actions[i].name);
}

/* SIGSYS says which call it was; the registers are as before the call, except that pc is behind it. */
static void refused(struct trap_frame *tf, u32 reason, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = SIGSYS;
	info->si_code = SYS_SECCOMP;
	info->si_errno = (int)reason;
	info->si_call_addr = (void *)tf->pc;
	info->si_syscall = (int)tf->syscallno;
	info->si_arch = AUDIT_ARCH_AARCH64;
	tf->x[0] = tf->orig_x0;
	tf->syscallno = -1;		/* nothing is to be begun anew, whatever x0 looks like */
}

/* The thread ends; if it was the last, or the process shall end with it, of SIGSYS, whatever the program does about that signal. */
static void __noreturn kill_current(struct trap_frame *tf, u32 action, u32 data)
{
	siginfo_t info;

	if (action != SECCOMP_RET_KILL_PROCESS && READ_ONCE(current->proc->nr_threads) > 1)
		thread_exit(SIGSYS);
	refused(tf, data, &info);
	signal_die(&info);
}

static void __noreturn strict_refused(const struct trap_frame *tf)
{
	note(tf->syscallno, SECCOMP_RET_KILL_THREAD, tf->pc, true);
	thread_exit(SIGKILL);
}

static void trap_call(struct trap_frame *tf, u32 reason)
{
	siginfo_t info;

	refused(tf, reason, &info);
	signal_force_info(&info);
}

/* The strictest answer of all filters, and the one that gave it; data is filled. */
static u32 judge(const struct trap_frame *tf, struct seccomp_data *data, struct seccomp_filter **by)
{
	const struct filter_input in = { .data = data, .len = sizeof(*data), .load = load_word };
	u32 ret = SECCOMP_RET_ALLOW;

	*data = (struct seccomp_data){ .nr = (int)tf->syscallno, .arch = AUDIT_ARCH_AARCH64, .instruction_pointer = tf->pc };
	for (u32 i = 0; i < ARRAY_SIZE(data->args); i++)
		data->args[i] = i ? tf->x[i] : tf->orig_x0;
	for (struct seccomp_filter *f = atomic_load(&current->seccomp_filter); f; f = f->prev) {
		u32 now = filter_run(f->prog, &in);

		if ((s32)(now & SECCOMP_RET_ACTION_FULL) < (s32)(ret & SECCOMP_RET_ACTION_FULL)) {
			ret = now;
			*by = f;
		}
	}
	return ret;
}

/* SECCOMP_RET_TRACE: a tracer who asked for it is told, and may change the call, which is then judged anew, or skip it (-1).  Without one it is
 * ENOSYS. */
static bool filter_call(struct trap_frame *tf, bool traced);
static bool tracer_allows(struct trap_frame *tf, u32 data)
{
	if (!ptrace_seccomp(data)) {
		tf->x[0] = (u64)-ENOSYS;
		return false;
	}
	return tf->syscallno >= 0 && filter_call(tf, true);
}

/* traced: the tracer has looked at it. */
static bool filter_call(struct trap_frame *tf, bool traced)
{
	struct seccomp_filter *by = NULL;
	struct seccomp_data about;
	u32 ret, action, data;

	ret = judge(tf, &about, &by);
	action = ret & SECCOMP_RET_ACTION_FULL;
	data = ret & SECCOMP_RET_DATA;
	if (likely(action == SECCOMP_RET_ALLOW))
		return true;
	note(tf->syscallno, action, tf->pc, by->log);
	switch (action) {
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		tf->x[0] = (u64)-(s64)min(data, ERRNO_MAX);
		return false;
	case SECCOMP_RET_TRAP:
		trap_call(tf, data);
		return false;
	case SECCOMP_RET_TRACE:
		return traced || tracer_allows(tf, data);
	case SECCOMP_RET_USER_NOTIF:
		return notify_call(by, &about, tf);
	case SECCOMP_RET_KILL_THREAD:
		kill_current(tf, action, data);
	default:		/* what nobody knows kills, as on Linux */
		kill_current(tf, SECCOMP_RET_KILL_PROCESS, data);
	}
}

bool seccomp_call(struct trap_frame *tf)
{
	if (likely(atomic_load(&current->seccomp_mode) != SECCOMP_MODE_STRICT))
		return filter_call(tf, false);
	if (tf->syscallno != __NR_read && tf->syscallno != __NR_write && tf->syscallno != __NR_exit && tf->syscallno != __NR_rt_sigreturn)
		strict_refused(tf);
	return true;
}

/* --- for a tracer */

/* The filter of t, which stands still for current, that was the nth to come, referenced. */
static int filter_nth(struct task *t, u64 nth, struct seccomp_filter **out)
{
	struct seccomp_filter *f;
	int err = -EINVAL;

	if (!capable(CAP_SYS_ADMIN) || current->seccomp_mode != SECCOMP_MODE_DISABLED)
		return -EACCES;
	spin_lock_irq(&t->proc->sighand->lock);
	if (t->seccomp_mode == SECCOMP_MODE_FILTER) {
		f = t->seccomp_filter;
		err = nth < f->depth ? 0 : -ENOENT;
		while (!err && f->depth != nth + 1)
			f = f->prev;
		if (!err)
			refcount_inc(&f->refs);
		*out = f;
	}
	spin_unlock_irq(&t->proc->sighand->lock);
	return err;
}

long seccomp_get_filter(struct task *t, u64 nth, void __user *to)
{
	struct seccomp_filter *f;
	long ret = filter_nth(t, nth, &f);

	if (ret)
		return ret;
	ret = f->prog->nr;
	if (to && copy_to_user(to, f->prog->insn, f->prog->nr * sizeof(f->prog->insn[0])))
		ret = -EFAULT;
	seccomp_filter_put(f);
	return ret;
}

long seccomp_get_metadata(struct task *t, u64 size, void __user *user)
{
	struct seccomp_metadata m = { 0 };
	struct seccomp_filter *f;
	int err;

	if (!capable(CAP_SYS_ADMIN) || current->seccomp_mode != SECCOMP_MODE_DISABLED)
		return -EACCES;
	size = min(size, sizeof(m));
	if (size < sizeof(m.filter_off))
		return -EINVAL;
	if (copy_from_user(&m.filter_off, user, sizeof(m.filter_off)))
		return -EFAULT;
	err = filter_nth(t, m.filter_off, &f);
	if (err)
		return err;
	m.flags = f->log ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_filter_put(f);
	return copy_to_user(user, &m, size) ? -EFAULT : (long)size;
}

/* --- /proc/sys/kernel/seccomp */

static int names_show(struct seq *s, u32 mask)
{
	const char *space = "";

	for (u32 i = 0; i < ARRAY_SIZE(actions); i++)
		if (mask & BIT(i)) {
			seq_printf(s, "%s%s", space, actions[i].name);
			space = " ";
		}
	seq_putc(s, '\n');
	return 0;
}

static int avail_show(struct seq *s, void *arg) { (void)arg; return names_show(s, ALLOW_BIT | (ALLOW_BIT - 1)); }
static int logged_show(struct seq *s, void *arg) { (void)arg; return names_show(s, atomic_load(&logged)); }

/* Names with blanks between them; allow is never logged. */
static int logged_write(const char *buf, size_t len, void *arg)
{
	const char *p = buf, *end = buf + len;
	u32 mask = 0;

	(void)arg;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	while (p < end) {
		const char *word = p;
		u32 i = 0;

		while (p < end && !is_space(*p))
			p++;
		if (p == word) {
			p++;
			continue;
		}
		while (i < ARRAY_SIZE(actions) - 1 &&
		       (strlen(actions[i].name) != (size_t)(p - word) || memcmp(actions[i].name, word, (size_t)(p - word))))
			i++;
		if (i == ARRAY_SIZE(actions) - 1)
			return -EINVAL;
		mask |= BIT(i);
	}
	atomic_store(&logged, mask);
	return 0;
}
PROC_FILE(seccomp_avail, .path = "sys/kernel/seccomp/actions_avail", .mode = 0444, .show = avail_show);
PROC_FILE(seccomp_logged, .path = "sys/kernel/seccomp/actions_logged", .mode = 0644, .show = logged_show, .write = logged_write);
