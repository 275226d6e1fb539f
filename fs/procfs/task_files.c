/* The files of /proc/<pid>: what ps, top and their kin read. */
#include <fs/procfs/procfs.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/sync/spinlock.h>
#include <kernel/syscall/trace.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <mm/vma.h>

/* A range of the process's memory, as it is. */
static int memory_show(struct seq *s, struct task *t, bool env)
{
	struct mm *mm = task_mm_get(t);
	vaddr_t at, end;
	char *buf;
	int err = 0;

	if (!mm)
		return 0;
	at = env ? mm->env_start : mm->arg_start;
	end = env ? mm->env_end : mm->arg_end;
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		err = -ENOMEM;
	while (!err && at < end) {
		ssize_t n = mm_access(mm, at, buf, min((size_t)(end - at), (size_t)PAGE_SIZE), false, true);

		if (n <= 0)
			break;
		seq_write(s, buf, (size_t)n);
		at += (u64)n;
	}
	kfree(buf);
	mm_put(mm);
	return err;
}

static int cmdline_show(struct seq *s, struct task *t) { return memory_show(s, t, false); }

static int environ_show(struct seq *s, struct task *t)
{
	return proc_may_inspect(t) ? memory_show(s, t, true) : -EACCES;
}

static int comm_show(struct seq *s, struct task *t)
{
	char name[TASK_COMM_LEN];

	task_comm(t, name);
	seq_printf(s, "%s\n", name);
	return 0;
}

static int comm_write(struct task *t, const char *buf, size_t len)
{
	if (t->proc != current->proc)
		return -EINVAL;
	if (len && buf[len - 1] == '\n')
		len--;
	task_comm_set(t, buf, len);
	return 0;
}

static int limits_show(struct seq *s, struct task *t)
{
	static const struct { const char *name, *unit; u32 which; } rows[] = {
		{ "Max cpu time", "seconds", RLIMIT_CPU }, { "Max file size", "bytes", RLIMIT_FSIZE }, { "Max data size", "bytes", RLIMIT_DATA },
		{ "Max stack size", "bytes", RLIMIT_STACK }, { "Max core file size", "bytes", RLIMIT_CORE }, { "Max resident set", "bytes", RLIMIT_RSS },
		{ "Max processes", "processes", RLIMIT_NPROC }, { "Max open files", "files", RLIMIT_NOFILE },
		{ "Max locked memory", "bytes", RLIMIT_MEMLOCK }, { "Max address space", "bytes", RLIMIT_AS },
		{ "Max file locks", "locks", RLIMIT_LOCKS }, { "Max pending signals", "signals", RLIMIT_SIGPENDING },
		{ "Max msgqueue size", "bytes", RLIMIT_MSGQUEUE }, { "Max nice priority", "", RLIMIT_NICE },
		{ "Max realtime priority", "", RLIMIT_RTPRIO }, { "Max realtime timeout", "us", RLIMIT_RTTIME },
	};
	struct rlimits *rl = t->proc->rlim;

	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; rl && i < ARRAY_SIZE(rows); i++) {
		unsigned long cur = READ_ONCE(rl->lim[rows[i].which].cur), max = READ_ONCE(rl->lim[rows[i].which].max);
		char soft[24] = "unlimited", hard[24] = "unlimited";

		if (cur != ~0ul)
			scnprintf(soft, sizeof(soft), "%lu", cur);
		if (max != ~0ul)
			scnprintf(hard, sizeof(hard), "%lu", max);
		seq_printf(s, "%-25s %-20s %-20s %-10s\n", rows[i].name, soft, hard, rows[i].unit);
	}
	return 0;
}

/* The function that it sleeps in, found on its stack; "0" where it does not sleep, or the reader may not know. */
static int wchan_show(struct seq *s, struct task *t)
{
	const char *name = "0";
	u64 pcs[16], off, size;
	u32 i = 0, n = 0;

	if (t != current && task_state_char(t) != 'R' && proc_may_inspect(t))
		n = backtrace_collect(t, pcs, ARRAY_SIZE(pcs));
	while (i < n && is_sched_text(pcs[i]))
		i++;
	if (i < n)
		symbol_lookup(pcs[i], &name, &off, &size);
	seq_puts(s, name);
	return 0;
}

static void copy_frame(struct task *t, void *to) { *(struct trap_frame *)to = *task_frame(t); }

/* Linux's line: the call it sleeps in, with arguments; -1 if it sleeps elsewhere; where its program is. */
static int syscall_show(struct seq *s, struct task *t)
{
	struct trap_frame tf = { .syscallno = -1 };

	if (!proc_may_inspect(t))
		return -EPERM;
	if (t == current) {
		tf = *current_frame();
	} else if (READ_ONCE(t->state) == TASK_RUNNING || (!task_look(t, copy_frame, &tf) && !(READ_ONCE(t->state) & (TASK_ZOMBIE | TASK_DEAD)))) {
		seq_puts(s, "running\n");
		return 0;
	}
	seq_printf(s, "%ld", tf.syscallno);
	if (tf.syscallno >= 0)
		seq_printf(s, " 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", tf.orig_x0, tf.x[1], tf.x[2], tf.x[3], tf.x[4], tf.x[5]);
	seq_printf(s, " 0x%lx 0x%lx\n", tf.sp, tf.pc);
	return 0;
}

/* Ours: are the calls of the process traced into the log? */
static int trace_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%d\n", process_traced(t->proc));
	return 0;
}

static int trace_write(struct task *t, const char *buf, size_t len)
{
	s64 on;

	(void)len;
	if (!proc_may_inspect(t))
		return -EPERM;
	if (kstrtos64(buf, 10, &on) || on < 0 || on > 1)
		return -EINVAL;
	process_trace_set(t->proc, on);
	return 0;
}

static int task_mounts(struct seq *s, struct task *t) { (void)t; return mounts_show(s, NULL); }
static int task_mountinfo(struct seq *s, struct task *t) { (void)t; return mountinfo_show(s, NULL); }

static int oom_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%d\n", READ_ONCE(t->proc->oom_score_adj));
	return 0;
}

static int oom_write(struct task *t, const char *buf, size_t len)
{
	s64 v;

	(void)len;
	if (kstrtos64(buf, 10, &v) || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < READ_ONCE(t->proc->oom_score_adj_min) && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	t->proc->oom_score_adj = (s32)v;
	if (capable(CAP_SYS_RESOURCE))
		t->proc->oom_score_adj_min = (s32)v;	/* below it only who has it may go again */
	return 0;
}

static int dump_filter_show(struct seq *s, struct task *t)
{
	struct mm *mm = task_mm_get(t);

	if (!mm)
		return 0;
	mm_put(mm);
	seq_printf(s, "%08x\n", READ_ONCE(t->proc->dump_filter));
	return 0;
}

static int dump_filter_write(struct task *t, const char *buf, size_t len)
{
	struct mm *mm;
	u64 v;

	(void)len;
	if (kstrtou64(buf, 0, &v) || v > ~0u)
		return -EINVAL;
	mm = task_mm_get(t);
	if (!mm)
		return -ESRCH;
	mm_put(mm);
	WRITE_ONCE(t->proc->dump_filter, (u32)v & 0x1ff);	/* the bits that Linux has */
	return 0;
}

#ifdef CONFIG_DEBUG
/* As on Linux: N written makes the task's N-th allocation from now fail; what is read is how many are left, 0 if it has failed.  Writing 0
 * ends it and keeps what was left to be read (a read allocates itself).  For the task's own use. */
static int fail_nth_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%u\n", t->fail_nth ? t->fail_nth : t->fail_left);
	return 0;
}

static int fail_nth_write(struct task *t, const char *buf, size_t len)
{
	s64 v;

	(void)len;
	if (t != current)
		return -EPERM;
	if (kstrtos64(buf, 10, &v) || v < 0 || v > 0x7fffffff)
		return -EINVAL;
	t->fail_left = t->fail_nth;
	t->fail_nth = (u32)v;
	t->fail_fired = false;
	return 0;
}
#endif

static int fdinfo_show(struct seq *s, struct task *t, s32 fd)
{
	struct fdtable *table = fdtable_get_task(t);
	struct file *f = table ? fdtable_file(table, fd) : NULL;

	if (f) {
		seq_printf(s, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->mode & FMODE_STREAM ? 0ul : f->pos, f->flags, f->path.mnt->id,
			   f->inode->ino);
		if (f->ops && f->ops->show_fdinfo)	/* none: O_PATH */
			f->ops->show_fdinfo(s, f);
		file_put(f);
	}
	if (table)
		fdtable_put(table);
	return f ? 0 : -ENOENT;
}

/* --- jumps --- */

static int fs_link(struct task *t, bool root, struct path *out)
{
	struct fs_struct *fs;
	int err = -ENOENT;

	rcu_read_lock();
	fs = READ_ONCE(t->fs);
	if (fs) {
		spin_lock(&fs->lock);
		*out = root ? fs->root : fs->cwd;
		if (out->mnt) {
			path_get(out);
			err = 0;
		}
		spin_unlock(&fs->lock);
	}
	rcu_read_unlock();
	return err;
}

static int cwd_link(struct task *t, struct path *out) { return fs_link(t, false, out); }
static int root_link(struct task *t, struct path *out) { return fs_link(t, true, out); }

static int exe_link(struct task *t, struct path *out)
{
	struct mm *mm = task_mm_get(t);
	int err = -ENOENT;

	if (!mm)
		return err;
	if (mm->exe) {
		*out = mm->exe->path;
		path_get(out);
		err = 0;
	}
	mm_put(mm);
	return err;
}

const struct pid_entry pid_entries[] = {
	{ .name = "stat", .mode = S_IFREG | 0444, .show = task_stat_show, .show_thread = thread_stat_show },
	{ .name = "status", .mode = S_IFREG | 0444, .show = task_status_show },
	{ .name = "schedstat", .mode = S_IFREG | 0444, .show = task_schedstat_show },
	{ .name = "statm", .mode = S_IFREG | 0444, .show = task_statm_show },
	{ .name = "cmdline", .mode = S_IFREG | 0444, .show = cmdline_show },
	{ .name = "comm", .mode = S_IFREG | 0644, .show = comm_show, .write = comm_write },
	{ .name = "environ", .mode = S_IFREG | 0400, .guarded = true, .show = environ_show },
	{ .name = "maps", .mode = S_IFREG | 0444, .guarded = true, .show_from = task_maps_from },
	{ .name = "smaps", .mode = S_IFREG | 0444, .guarded = true, .show_from = task_smaps_from },
	{ .name = "smaps_rollup", .mode = S_IFREG | 0444, .guarded = true, .show = task_smaps_rollup_show },
	{ .name = "pagemap", .mode = S_IFREG | 0400, .guarded = true, .fops = &proc_pagemap_fops },
	{ .name = "auxv", .mode = S_IFREG | 0400, .guarded = true, .show = task_auxv_show },
	{ .name = "io", .mode = S_IFREG | 0400, .show = task_io_show, .show_thread = thread_io_show },
	{ .name = "stack", .mode = S_IFREG | 0400, .show = task_stack_show },
	{ .name = "personality", .mode = S_IFREG | 0400, .show = task_personality_show },
	{ .name = "oom_score", .mode = S_IFREG | 0444, .show = task_oom_score_show },
	{ .name = "limits", .mode = S_IFREG | 0444, .show = limits_show },
	{ .name = "wchan", .mode = S_IFREG | 0444, .show = wchan_show },
	{ .name = "syscall", .mode = S_IFREG | 0400, .show = syscall_show },
	{ .name = "mem", .mode = S_IFREG | 0600, .fops = &proc_mem_fops },
	{ .name = "trace", .mode = S_IFREG | 0600, .show = trace_show, .write = trace_write },
	{ .name = "net", .mode = S_IFDIR | 0555, .lookup = proc_net_lookup },
	{ .name = "mounts", .mode = S_IFREG | 0444, .show = task_mounts },
	{ .name = "mountinfo", .mode = S_IFREG | 0444, .show = task_mountinfo },
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = oom_show, .write = oom_write },
	{ .name = "coredump_filter", .process_only = true, .mode = S_IFREG | 0644, .show = dump_filter_show, .write = dump_filter_write },
#ifdef CONFIG_DEBUG
	{ .name = "fail-nth", .mode = S_IFREG | 0644, .show = fail_nth_show, .write = fail_nth_write },
#endif
	{ .name = "fd", .mode = S_IFDIR | 0500 },
	{ .name = "fdinfo", .mode = S_IFDIR | 0500, .show_fd = fdinfo_show },
	{ .name = "task", .process_only = true, .mode = S_IFDIR | 0555 },
	{ .name = "cwd", .mode = S_IFLNK | 0777, .get_link = cwd_link },
	{ .name = "root", .mode = S_IFLNK | 0777, .get_link = root_link },
	{ .name = "exe", .mode = S_IFLNK | 0777, .get_link = exe_link },
	{ .name = NULL },
};
