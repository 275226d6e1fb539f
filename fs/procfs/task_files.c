/* The files of /proc/<pid>: what ps, top and their kin read. */
#include <drivers/tty/tty.h>
#include <fs/procfs/procfs.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <mm/vma.h>

#define NS_PER_TICK	10000000ull	/* USER_HZ is 100 */

static char state_char(const struct task *t)
{
	u32 s = READ_ONCE(t->state);

	if (t->proc->zombie || (s & (TASK_ZOMBIE | TASK_DEAD)))
		return 'Z';
	if (s & TASK_STOPPED)
		return 'T';
	if (s == TASK_RUNNING)
		return 'R';
	if ((s & TASK_INTERRUPTIBLE) || (t->pflags & PF_KTHREAD))
		return 'S';
	return 'D';
}

static const char *state_words(char c)
{
	switch (c) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	default: return "Z (zombie)";
	}
}

static s32 parent_pid(const struct process *p)
{
	const struct process *parent;
	s32 pid;

	rcu_read_lock();
	parent = READ_ONCE(p->parent);
	pid = parent ? parent->pid : 0;
	rcu_read_unlock();
	return pid;
}

static void children_usage(struct process *p, struct usage *u)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);

	*u = p->child_usage;
	spin_unlock_irqrestore(&proc_lock, flags);
}

/* Linux's PF_* as ps and others know them. */
static u32 stat_flags(const struct task *t)
{
	return (t->pflags & PF_KTHREAD ? 0x00200000u : 0) | (t->pflags & PF_EXITING ? 0x4u : 0) | (t->pflags & PF_FORKNOEXEC ? 0x40u : 0) |
	       (t->pflags & PF_SIGNALED ? 0x400u : 0);
}

static int stat_show(struct seq *s, struct task *t)
{
	struct process *p = t->proc;
	struct mm *mm = task_mm_get(t);
	struct usage u, kids;
	u32 tty_nr;
	s32 tpgid, prio = t->se.policy == 1 || t->se.policy == 2 ? -1 - (s32)t->se.rt_priority : 20 + t->se.nice;

	usage_of_process(p, &u);
	children_usage(p, &kids);
	tty_stat_info(p, &tty_nr, &tpgid);
	seq_printf(s, "%d (%s) %c %d %d %d %d %d %u ", t->tid, t->comm, state_char(t), parent_pid(p), p->pgid, p->sid, (s32)tty_nr, tpgid,
		   stat_flags(t));
	seq_printf(s, "%lu %lu %lu %lu %lu %lu %ld %ld ", u.min_flt, kids.min_flt, u.maj_flt, kids.maj_flt, (unsigned long)(u.utime_ns / NS_PER_TICK),
		   (unsigned long)(u.stime_ns / NS_PER_TICK), (long)(kids.utime_ns / NS_PER_TICK), (long)(kids.stime_ns / NS_PER_TICK));
	seq_printf(s, "%d %d %u 0 %lu %lu %lu %lu ", prio, t->se.nice, p->nr_threads, (unsigned long)(t->start_ns / NS_PER_TICK),
		   mm ? mm->total_vm * PAGE_SIZE : 0ul, mm ? mm_rss(mm) : 0ul, ~0ul);
	seq_printf(s, "%lu %lu %lu 0 0 %lu %lu 0 0 %d 0 0 %d %u %u %u 0 0 0 ", mm ? mm->start_code : 0ul, mm ? mm->end_code : 0ul,
		   mm ? mm->start_stack : 0ul, t->pending.set.bits, t->blocked.bits, t->wait_where ? 1 : 0, p->exit_signal, t->se.cpu,
		   t->se.rt_priority, t->se.policy);
	seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu %d\n", mm ? mm->start_data : 0ul, mm ? mm->end_data : 0ul, mm ? mm->start_brk : 0ul,
		   mm ? mm->arg_start : 0ul, mm ? mm->arg_end : 0ul, mm ? mm->env_start : 0ul, mm ? mm->env_end : 0ul, t->exit_code);
	if (mm)
		mm_put(mm);
	return 0;
}

static int statm_show(struct seq *s, struct task *t)
{
	struct mm *mm = task_mm_get(t);

	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	seq_printf(s, "%lu %lu %lu %lu 0 %lu 0\n", mm->total_vm, (unsigned long)mm_rss(mm),
		   (unsigned long)(mm->rss_file + mm->rss_shmem), (unsigned long)((mm->end_code - mm->start_code + PAGE_SIZE - 1) >> PAGE_SHIFT),
		   mm->data_vm + mm->stack_vm);
	mm_put(mm);
	return 0;
}

static void status_mm(struct seq *s, struct mm *mm)
{
	u64 kb = PAGE_SIZE / 1024;

	seq_printf(s, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", mm->total_vm * kb, mm->total_vm * kb,
		   mm->locked_vm * kb, mm_peak_rss(mm) * kb, mm_rss(mm) * kb);
	seq_printf(s, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", (u64)mm->rss_anon * kb, (u64)mm->rss_file * kb,
		   (u64)mm->rss_shmem * kb);
	seq_printf(s, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n", mm->data_vm * kb, mm->stack_vm * kb,
		   (mm->end_code - mm->start_code) / 1024, mm->exec_vm * kb);
}

static int status_show(struct seq *s, struct task *t)
{
	struct process *p = t->proc;
	struct mm *mm = task_mm_get(t);
	const struct cred *c;
	u64 ignored = 0, caught = 0;

	seq_printf(s, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", t->comm,
		   t->fs ? t->fs->umask : 022u, state_words(state_char(t)), p->pid, t->tid, parent_pid(p));
	rcu_read_lock();	/* seq_printf may allocate: copy the numbers first */
	c = READ_ONCE(t->cred);
	u32 id[8] = { c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid };
	u64 caps[5] = { c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding, c->cap_ambient };
	bool nnp = c->no_new_privs;
	rcu_read_unlock();
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t\n", id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]);
	if (mm) {
		status_mm(s, mm);
		mm_put(mm);
	}
	if (p->sighand)
		signal_dispositions(p, &ignored, &caught);
	seq_printf(s, "Threads:\t%u\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", p->nr_threads,
		   t->pending.set.bits, p->shared_pending.set.bits, t->blocked.bits, ignored, caught);
	seq_printf(s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n", caps[0], caps[1],
		   caps[2], caps[3], caps[4], nnp);
	seq_printf(s, "Cpus_allowed:\t%lx\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", t->se.affinity, t->nvcsw, t->nivcsw);
	return 0;
}

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
	if (t->proc != current->proc && current_cred()->fsuid && current_cred()->fsuid != t->cred->uid)
		return -EACCES;
	return memory_show(s, t, true);
}

static int comm_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%s\n", t->comm);
	return 0;
}

static int comm_write(struct task *t, const char *buf, size_t len)
{
	if (t->proc != current->proc)
		return -EINVAL;
	if (len && buf[len - 1] == '\n')
		len--;
	len = min(len, sizeof(t->comm) - 1);
	memcpy(t->comm, buf, len);
	t->comm[len] = 0;
	return 0;
}

static const char *vma_label(const struct mm *mm, struct vma *v)
{
	const char *name = v->ops && v->ops->name ? v->ops->name(v) : NULL;

	if (name)
		return name;
	if (v->file)
		return NULL;
	if (v->start <= mm->brk && v->end >= mm->start_brk && mm->start_brk != mm->brk)
		return "[heap]";
	return v->flags & (VM_STACK | VM_GROWSDOWN) ? "[stack]" : NULL;
}

static void map_line(struct seq *s, struct mm *mm, struct vma *v, char *buf)
{
	struct inode *i = v->file ? v->file->inode : NULL;
	const char *name = vma_label(mm, v);
	size_t before = s->len;

	if (!name && v->file)
		name = path_string(&v->file->path, buf, PATH_MAX);
	seq_printf(s, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end, v->flags & VM_READ ? 'r' : '-',
		   v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-', v->flags & VM_SHARED ? 's' : 'p',
		   i ? v->pgoff << PAGE_SHIFT : 0ul, i ? DEV_MAJOR(i->sb->dev) : 0u, i ? DEV_MINOR(i->sb->dev) : 0u, i ? i->ino : 0ul);
	if (name) {
		while (s->len - before < 73 && !s->overflow)
			seq_putc(s, ' ');
		seq_puts(s, name);
	}
	seq_putc(s, '\n');
}

static int maps_show(struct seq *s, struct task *t)
{
	struct mm *mm;
	struct rb_node *n;
	char *buf;

	if (t->proc != current->proc && current_cred()->fsuid && current_cred()->fsuid != t->cred->uid)
		return -EACCES;
	mm = task_mm_get(t);
	if (!mm)
		return 0;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (buf) {
		rwsem_read_lock(&mm->mmap_lock);
		for (n = rb_first(&mm->vmas); n; n = rb_next(n))
			map_line(s, mm, rb_entry(n, struct vma, node), buf);
		rwsem_read_unlock(&mm->mmap_lock);
		kfree(buf);
	}
	mm_put(mm);
	return buf ? 0 : -ENOMEM;
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
		char soft[24] = "unlimited", hard[24] = "unlimited";

		if (rl->lim[rows[i].which].cur != ~0ul)
			scnprintf(soft, sizeof(soft), "%lu", rl->lim[rows[i].which].cur);
		if (rl->lim[rows[i].which].max != ~0ul)
			scnprintf(hard, sizeof(hard), "%lu", rl->lim[rows[i].which].max);
		seq_printf(s, "%-25s %-20s %-20s %-10s\n", rows[i].name, soft, hard, rows[i].unit);
	}
	return 0;
}

static int wchan_show(struct seq *s, struct task *t)
{
	const char *w = READ_ONCE(t->wait_where);

	seq_puts(s, w && state_char(t) != 'R' ? w : "0");
	return 0;
}

static int task_mounts(struct seq *s, struct task *t) { (void)t; return mounts_show(s, NULL); }
static int task_mountinfo(struct seq *s, struct task *t) { (void)t; return mountinfo_show(s, NULL); }

static int oom_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%d\n", t->proc->oom_score_adj);
	return 0;
}

static int oom_write(struct task *t, const char *buf, size_t len)
{
	s64 v;

	(void)len;
	if (kstrtos64(buf, 10, &v) || v < -1000 || v > 1000)
		return -EINVAL;
	t->proc->oom_score_adj = (s32)v;
	return 0;
}

static int fdinfo_show(struct seq *s, struct task *t, s32 fd)
{
	struct fdtable *table = fdtable_get_task(t);
	struct file *f = table ? fdtable_file(table, fd) : NULL;

	if (f) {
		seq_printf(s, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->mode & FMODE_STREAM ? 0ul : f->pos, f->flags, f->path.mnt->id,
			   f->inode->ino);
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
	{ .name = "stat", .mode = S_IFREG | 0444, .show = stat_show },
	{ .name = "status", .mode = S_IFREG | 0444, .show = status_show },
	{ .name = "statm", .mode = S_IFREG | 0444, .show = statm_show },
	{ .name = "cmdline", .mode = S_IFREG | 0444, .show = cmdline_show },
	{ .name = "comm", .mode = S_IFREG | 0644, .show = comm_show, .write = comm_write },
	{ .name = "environ", .mode = S_IFREG | 0400, .show = environ_show },
	{ .name = "maps", .mode = S_IFREG | 0444, .show = maps_show },
	{ .name = "limits", .mode = S_IFREG | 0444, .show = limits_show },
	{ .name = "wchan", .mode = S_IFREG | 0444, .show = wchan_show },
	{ .name = "mounts", .mode = S_IFREG | 0444, .show = task_mounts },
	{ .name = "mountinfo", .mode = S_IFREG | 0444, .show = task_mountinfo },
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = oom_show, .write = oom_write },
	{ .name = "fd", .mode = S_IFDIR | 0500 },
	{ .name = "fdinfo", .mode = S_IFDIR | 0500, .show_fd = fdinfo_show },
	{ .name = "task", .mode = S_IFDIR | 0555 },
	{ .name = "cwd", .mode = S_IFLNK | 0777, .get_link = cwd_link },
	{ .name = "root", .mode = S_IFLNK | 0777, .get_link = root_link },
	{ .name = "exe", .mode = S_IFLNK | 0777, .get_link = exe_link },
	{ .name = NULL },
};
