/* Core dumps.
 *
 * Theory.  A signal whose default action is a core dump, and seccomp's killing of a process, end the process as any fatal one, but first its memory
 * and the registers of all its threads are written to a file, or to a program that reads them.
 *
 * The thread that took the signal dumps.  Under sighand->lock it begins the group's end (no other thread can any more), counts the threads
 * that are not on their way out, and publishes process.core.  Each of those is killed, comes to thread_exit() by itself, and joins: it
 * waits there, its last registers in its frame, and is let go when the dump is done.  A thread either sees process.core under the
 * lock before it becomes PF_EXITING, and was counted, or was PF_EXITING when they were counted, and is in no dump.
 *
 * While it dumps, no signal but SIGKILL is taken for the process (prepare() in signal.c); that one makes the dumper's writes fail, and it
 * ends as killed, not as dumped.  What was written stays, as after a full disk or at RLIMIT_CORE: a short core.  WCOREDUMP says, as on Linux, that
 * a core was begun and the dumper not killed at it.
 *
 * Memory is read by mm_access, page by page, without a lock: a process that shares it may change it meanwhile.  The list of mappings was
 * taken before, each with its file.  Pages that are not there are not made: they are holes in the file.
 *
 * Where to.  core_pattern (corename.c) names a file, or after '|' a program, which runs as root with the core on its standard input.  The
 * file is made anew by the credentials of the dead (an old one of that name is removed), never through a link, and only if it is theirs
 * alone.  A process that has rights its user lacks (dumpable is DUMP_ROOT, by fs.suid_dumpable) writes as root, only to an absolute name, seen
 * from init's root, that does not exist.  A helper gets RLIMIT_CORE 1, which ends the chain if it crashes too: the limit means nothing
 * to a pipe, but 1 forbids it.
 *
 * Rejected: dumping by a kernel thread, which would need the credentials, the root and the registers of another; holding mmap_lock while
 * writing, for the disk would be waited for under it.  core(5), elf(5), ptrace(2) on who is dumpable. */
#include <asm/resource.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/namei.h>
#include <fs/pipe.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/usermode.h>
#include <kernel/sched/sched.h>
#include <kernel/sysctl.h>
#include <mm/slab.h>
#include <mm/vma.h>

u64 suid_dumpable;
static u64 pipe_limit;			/* helpers at a time; they are waited for then.  0: any number, and nobody waits */
static u32 nr_pipes;			/* [a] dumps to a program that go on */
SYSCTL(suid_dumpable, "fs/suid_dumpable", .value = &suid_dumpable, .max = DUMP_ROOT);
SYSCTL(core_pipe_limit, "kernel/core_pipe_limit", .value = &pipe_limit, .max = 0x7fffffff);

void group_exit_locked(struct process *p, int status);

/* --- the threads */

/* The group's end begins, and the others are on their way to join.  False: it had begun already. */
static bool stop_group(struct core_dump *d)
{
	struct task *t, *me = current;
	struct process *p = me->proc;
	bool mine;

	d->state = (struct core_state){ .dumper = me };
	rcu_read_lock();
	spin_lock_irq(&p->sighand->lock);
	mine = !(p->group_flags & PROC_GROUP_EXIT) && !p->group_exec;
	if (mine) {
		list_for_each_entry_rcu(t, &p->threads, thread_link)
			d->state.waiting += t != me && !(t->pflags & PF_EXITING);
		WRITE_ONCE(p->core, &d->state);
		group_exit_locked(p, d->info->si_signo);
		atomic_fetch_and(&me->head.flags, ~TIF_SIGPENDING);
	}
	spin_unlock_irq(&p->sighand->lock);
	rcu_read_unlock();
	return mine;
}

static void wait_for_threads(struct core_dump *d)
{
	struct spinlock *lock = &current->proc->sighand->lock;

	spin_lock_irq(lock);
	while (d->state.waiting) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		spin_unlock_irq(lock);
		schedule();
		spin_lock_irq(lock);
	}
	spin_unlock_irq(lock);
}

void coredump_join_locked(void)
{
	struct process *p = current->proc;
	struct core_thread self = { .task = current };

	if (likely(!p->core) || p->core->dumper == current)
		return;
	self.next = p->core->threads;
	p->core->threads = &self;
	if (!--p->core->waiting)
		task_wake(p->core->dumper, TASK_UNINTERRUPTIBLE);
	while (self.task) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		spin_unlock_irq(&p->sighand->lock);
		schedule();
		spin_lock_irq(&p->sighand->lock);
	}
}

void coredump_join(void)
{
	struct process *p = current->proc;

	if (likely(!READ_ONCE(p->core)))
		return;
	spin_lock_irq(&p->sighand->lock);
	coredump_join_locked();
	spin_unlock_irq(&p->sighand->lock);
}

/* All go on to their ends.  Returns the process's wait status. */
static int let_group_go(struct core_dump *d, bool dumped)
{
	struct process *p = current->proc;
	struct core_thread *c, *next;
	int status;

	spin_lock_irq(&p->sighand->lock);
	if (dumped && !fatal_signal_pending(current))
		p->group_exit_code |= 0x80;
	status = p->group_exit_code;
	WRITE_ONCE(p->core, NULL);
	for (c = d->state.threads; c; c = next) {
		struct task *t = c->task;

		next = c->next;
		c->task = NULL;			/* and c is gone when the lock is */
		task_wake(t, TASK_UNINTERRUPTIBLE);
	}
	spin_unlock_irq(&p->sighand->lock);
	return status;
}

/* --- to a file */

/* Is it one that was made for the dead alone? */
static int check_file(const struct file *f)
{
	const struct inode *i = f->inode;

	if (!MODE_IS(READ_ONCE(i->mode), S_IFREG) || READ_ONCE(i->nlink) != 1 || (READ_ONCE(f->path.dentry->flags) & DENTRY_UNHASHED) || !f->ops->write)
		return -EPERM;
	return READ_ONCE(i->uid) == current->cred->fsuid && (READ_ONCE(i->mode) & 0677) == 0600 ? 0 : -EPERM;
}

static int open_file(const char *name, bool as_root, struct file **out)
{
	int err;

	if (!as_root)
		(void)vfs_unlink(name);
	err = vfs_open(name, O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE | O_EXCL, 0600, out);
	if (err)
		return err;
	err = check_file(*out);
	if (err)
		file_put_now(*out);
	return err;
}

/* As root, in init's directories. */
static int open_as_root(const char *name, struct file **out)
{
	struct task *me = current;
	const struct cred *old = me->cred;
	struct fs_struct *own = me->fs, *fs = init_fs_get();
	struct cred *c = cred_prepare();
	int err = -ENOMEM;

	if (c && fs) {
		c->fsuid = 0;
		me->fs = fs;
		rcu_assign_pointer(me->cred, c);
		err = open_file(name, true, out);
		rcu_assign_pointer(me->cred, old);
		me->fs = own;
	}
	if (c)
		cred_put(c);
	if (fs)
		fs_struct_put(fs);
	return err;
}

static bool to_file(struct core_dump *d, const char *name)
{
	bool as_root = d->dumpable == DUMP_ROOT, begun;
	int err;

	if (d->limit < PAGE_SIZE)
		return false;
	if (as_root && name[0] != '/') {
		pr_info("core: %s[%d] may dump core to an absolute name only\n", current->comm, current->tid);
		return false;
	}
	err = as_root ? open_as_root(name, &d->file) : open_file(name, false, &d->file);
	if (err)
		return false;
	d->seekable = true;
	begun = coredump_elf(d);
	file_put_now(d->file);
	return begun;
}

/* --- to a program */

static bool to_pipe(struct core_dump *d, const char *args, size_t len)
{
	const u64 max = READ_ONCE(pipe_limit);
	struct file *ends[2];
	bool begun = false;

	if (d->limit == 1)		/* a helper's own */
		return false;
	if (atomic_add_return(&nr_pipes, 1u) > max && max)
		pr_info("core: %s[%d]: more than core_pipe_limit dumps at once\n", current->comm, current->tid);
	else if (!pipe_create_files(ends)) {
		if (!usermode_run_reading(args, len, ends[0])) {
			d->limit = ~0ul;
			d->file = ends[1];
			begun = coredump_elf(d);
			if (max)
				pipe_wait_unread(ends[1]);
		}
		file_put_now(ends[1]);
	}
	atomic_sub(&nr_pipes, 1u);
	return begun;
}

/* --- */

static bool dump(struct core_dump *d)
{
	const bool pipe = coredump_is_pipe();
	char *name = kmalloc(CORE_NAME_MAX, GFP_KERNEL);
	bool begun = false;
	size_t len;

	if (name && !coredump_name(d, pipe, name, &len))
		begun = pipe ? to_pipe(d, name, len) : to_file(d, name);
	kfree(name);
	return begun;
}

int coredump(const siginfo_t *info)
{
	struct task *t = current;
	struct core_dump d = { .info = info, .limit = rlimit(RLIMIT_CORE), .dumpable = atomic_load(&t->proc->dumpable) };
	bool begun;

	if (!t->mm || d.dumpable == DUMP_NOT || (d.limit < PAGE_SIZE && !coredump_is_pipe()) || !stop_group(&d))
		return info->si_signo;
	wait_for_threads(&d);
	begun = dump(&d);
	return let_group_go(&d, begun);
}
