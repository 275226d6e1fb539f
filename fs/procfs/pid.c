/* /proc/<pid>: the directories of processes and of their threads.
 *
 * An inode remembers the number and the start time; whoever works with it finds the task again under RCU and takes a reference, or
 * learns that it is gone.  What others may see: everything that ps wants; what leads into a process (fd, exe, cwd, root, environ,
 * maps) only to itself, its owner, or root. */
#include <fs/procfs/procfs.h>
#include <fs/file.h>
#include <kernel/abi/dirent.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <mm/vma.h>

static const struct inode_ops pid_dir_iops, task_dir_iops, link_iops, fd_dir_iops, fd_link_iops;
static const struct file_ops pid_dir_fops, task_dir_fops, fd_dir_fops;

static struct task *find_rcu(const struct proc_inode *p)
{
	struct task *t = task_find(p->tid);

	return t && t->proc->pid == p->pid && READ_ONCE(t->start_ns) == p->start_ns ? t : NULL;
}

bool pid_alive_rcu(const struct inode *i) { return find_rcu(proc_i(i)) != NULL; }

struct task *proc_task(const struct inode *i)
{
	struct task *t;

	rcu_read_lock();
	do
		t = find_rcu(proc_i(i));
	while (t && !refcount_inc_not_zero(&t->refs));		/* as in task_find_get */
	rcu_read_unlock();
	return t;
}

s32 pid_next(s32 n)
{
	struct task *t;
	s32 best = -1, tid;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (tid = READ_ONCE(t->tid), tid >= n && tid > 0 && tid == t->proc->pid && (best < 0 || tid < best))
			best = tid;
	rcu_read_unlock();
	return best;
}

bool proc_may_inspect(struct task *t) { return !task_may_access(t, ACCESS_FS_IDS); }

int proc_open_guarded(const struct inode *inode)
{
	const struct pid_entry *e = proc_i(inode)->entry;
	struct task *t;
	int err;

	if (!e || !e->guarded)
		return 0;
	t = proc_task(inode);
	if (!t)
		return -ESRCH;
	err = proc_may_inspect(t) ? 0 : -EACCES;
	task_put(t);
	return err;
}

/* Whose a file of t's is: its effective ids, but root's when what is in its memory is not for its user.  A directory
 * stays its user's: what leads on from it asks again. */
static void owner_of(struct task *t, u32 mode, u32 *uid, u32 *gid)
{
	const struct cred *c;

	*uid = *gid = 0;
	rcu_read_lock();
	c = READ_ONCE(t->cred);
	if (c && (MODE_IS(mode, S_IFDIR) || atomic_load(&t->proc->dumpable) == 1)) {
		*uid = c->euid;
		*gid = c->egid;
	}
	rcu_read_unlock();
}

/* Inode numbers, each one's own (ls -R and find take two directories of one number for a loop): the descriptor above its directory's number
 * by FD_INO, the task, whether its directory is /proc/P or /proc/P/task/T, the entry.  Above all of the fixed tree's. */
#define TASK_INO(tid)	((u64)(u32)(tid) << 16)
#define THREAD_INO	0x8000ull
#define FD_INO(fd)	(((u64)(u32)(fd) + 1) << 40)

static struct inode *task_inode(struct super *sb, struct task *t, u32 mode, u64 ino)
{
	struct inode *i = proc_new_inode(sb, mode, ino);

	if (!i)
		return NULL;
	proc_i(i)->pid = t->proc->pid;
	proc_i(i)->tid = t->tid;
	proc_i(i)->start_ns = READ_ONCE(t->start_ns);
	owner_of(t, mode, &i->uid, &i->gid);
	return i;
}

static int dir_inode(struct super *sb, struct task *t, bool thread, struct inode **out)
{
	struct inode *i = task_inode(sb, t, S_IFDIR | 0555, TASK_INO(t->tid) | (thread ? THREAD_INO : 0));

	if (!i)
		return -ENOMEM;
	proc_i(i)->thread = thread;
	i->flags |= INODE_UNCACHED;	/* the process goes without telling us */
	i->ops = &pid_dir_iops;
	i->fops = &pid_dir_fops;
	i->nlink = 3;
	*out = i;
	return 0;
}

int pid_lookup(struct inode *root, s32 pid, struct inode **out)
{
	struct task *t = task_find_get(pid);
	int err;

	if (!t)
		return -ENOENT;
	err = dir_inode(root->sb, t, false, out);
	task_put(t);
	return err;
}

/* --- a process's directory --- */

static int pid_dir_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	const struct pid_entry *e;
	struct task *t;
	struct inode *i;
	u64 ino;

	for (e = pid_entries; e->name; e++)
		if (strlen(e->name) == len && !memcmp(e->name, name, len))
			break;
	if (!e->name || (e->process_only && proc_i(dir)->thread))
		return -ENOENT;
	ino = dir->ino + (u64)(e - pid_entries) + 1;
	if (e->lookup) {
		int err = e->lookup(dir->sb, out);

		if (!err)
			(*out)->ino = ino;
		return err;
	}
	t = proc_task(dir);
	if (!t)
		return -ENOENT;
	i = task_inode(dir->sb, t, e->mode, ino);
	task_put(t);
	if (!i)
		return -ENOMEM;
	proc_i(i)->entry = e;
	proc_i(i)->thread = proc_i(dir)->thread;
	if (e->get_link) {
		i->ops = &link_iops;
	} else if (MODE_IS(e->mode, S_IFDIR)) {
		bool fd = e->name[0] == 'f';	/* fd, fdinfo */

		i->ops = fd ? &fd_dir_iops : &task_dir_iops;
		i->fops = fd ? &fd_dir_fops : &task_dir_fops;
		i->nlink = 2;
	} else {
		i->fops = e->fops ? e->fops : &proc_text_fops;
	}
	*out = i;
	return 0;
}

/* A name is believed as long as its file's owner is what the process says: it may have become another. */
static bool pid_dir_revalidate(struct dentry *d)
{
	struct inode *i = READ_ONCE(d->inode);
	struct task *t;
	u32 uid, gid;

	if (!i || !proc_i(i)->pid)
		return i != NULL;
	t = proc_task(i);
	if (!t)
		return false;
	owner_of(t, READ_ONCE(i->mode), &uid, &gid);
	task_put(t);
	return READ_ONCE(i->uid) == uid && READ_ONCE(i->gid) == gid;
}

static bool dots(struct file *f, struct dir_context *ctx)
{
	struct dentry *parent = READ_ONCE(f->path.dentry->parent);

	if (ctx->pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		return false;
	return ctx->pos > 1 || ctx->emit(ctx, "..", 2, parent->inode ? parent->inode->ino : 1, DT_DIR, 2);
}

static int pid_dir_readdir(struct file *f, struct dir_context *ctx)
{
	const struct pid_entry *e;

	if (!dots(f, ctx))
		return 0;
	for (e = pid_entries + (ctx->pos - 2); e->name; e++)
		if (!(e->process_only && proc_i(f->inode)->thread) &&
		    !ctx->emit(ctx, e->name, (u32)strlen(e->name), f->inode->ino + (u64)(e - pid_entries) + 1, mode_to_dt(e->mode),
			       (u64)(e - pid_entries) + 3))
			return 0;
	return 0;
}

static const struct inode_ops pid_dir_iops = { .lookup = pid_dir_lookup, .revalidate = pid_dir_revalidate, .create = proc_no_create, .mkdir = proc_no_mkdir };

static int pid_dir_names_process(struct file *f, struct process **out)
{
	struct task *t;
	int err = -ESRCH;

	if (proc_i(f->inode)->thread)
		return -EBADF;
	rcu_read_lock();
	t = find_rcu(proc_i(f->inode));
	if (t && refcount_inc_not_zero(&t->proc->refs)) {
		*out = t->proc;
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static const struct file_ops pid_dir_fops = { .readdir = pid_dir_readdir, .names_process = pid_dir_names_process };

/* --- task/ --- */

static int task_dir_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	const char *end;
	s32 tid = (s32)parse_number(name, &end, 10);
	struct task *t;
	int err = -ENOENT;

	if (end != name + len || !len)
		return -ENOENT;
	t = task_find_get(tid);
	if (t && t->proc->pid == proc_i(dir)->pid)
		err = dir_inode(dir->sb, t, true, out);
	if (t)
		task_put(t);
	return err;
}

static bool task_dir_revalidate(struct dentry *d)
{
	struct inode *i = READ_ONCE(d->inode);

	return i && pid_alive_rcu(i);
}

static s32 thread_next(const struct proc_inode *p, s32 n)
{
	struct task *t;
	s32 best = -1, tid;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &all_tasks, all_link)
		if (tid = READ_ONCE(t->tid), t->proc->pid == p->pid && tid >= n && (best < 0 || tid < best))
			best = tid;
	rcu_read_unlock();
	return best;
}

static int task_dir_readdir(struct file *f, struct dir_context *ctx)
{
	s32 tid;

	if (!dots(f, ctx))
		return 0;
	for (tid = (s32)ctx->pos - 2; (tid = thread_next(proc_i(f->inode), tid)) >= 0; tid++) {
		char name[12];
		u32 len = (u32)scnprintf(name, sizeof(name), "%d", tid);

		if (!ctx->emit(ctx, name, len, TASK_INO(tid) | THREAD_INO, DT_DIR, (u64)tid + 3))
			return 0;
	}
	return 0;
}

static const struct inode_ops task_dir_iops = {
	.lookup = task_dir_lookup, .revalidate = task_dir_revalidate, .create = proc_no_create, .mkdir = proc_no_mkdir,
};
static const struct file_ops task_dir_fops = { .readdir = task_dir_readdir };

/* --- links that jump --- */

int proc_path_link(struct path *p, char *buf, size_t size)
{
	char *s = path_string(p, buf, size);
	int len;

	path_put(p);
	if (!s)
		return -ENAMETOOLONG;
	len = (int)strlen(s);
	memmove(buf, s, (size_t)len + 1);
	return len;
}

static int link_get(struct inode *i, struct path *out)
{
	struct task *t = proc_task(i);
	int err;

	if (!t)
		return -ENOENT;
	err = proc_may_inspect(t) ? proc_i(i)->entry->get_link(t, out) : -EACCES;
	task_put(t);
	return err;
}

static int link_readlink(struct inode *i, char *buf, size_t size)
{
	struct path p;
	int err = link_get(i, &p);

	return err ? err : proc_path_link(&p, buf, size);
}
static const struct inode_ops link_iops = { .get_link = link_get, .readlink = link_readlink };

/* --- fd/ --- */

static struct file *fd_file(struct inode *i, int fd, int *err)
{
	struct task *t = proc_task(i);
	struct fdtable *table;
	struct file *f = NULL;

	*err = -ENOENT;
	if (!t)
		return NULL;
	if (!proc_may_inspect(t)) {
		*err = -EACCES;
	} else if ((table = fdtable_get_task(t))) {
		f = fdtable_file(table, fd);
		fdtable_put(table);
	}
	task_put(t);
	return f;
}

static int fd_link_get(struct inode *i, struct path *out)
{
	int err;
	struct file *f = fd_file(i, proc_i(i)->fd, &err);

	if (!f)
		return err;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static int fd_link_readlink(struct inode *i, char *buf, size_t size)
{
	struct path p;
	int err = fd_link_get(i, &p);

	return err ? err : proc_path_link(&p, buf, size);
}
static const struct inode_ops fd_link_iops = { .get_link = fd_link_get, .readlink = fd_link_readlink };

static int fd_dir_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	const char *end;
	u64 fd = parse_number(name, &end, 10);
	struct file *f;
	struct task *t;
	struct inode *i;
	bool info;
	u32 mode;
	int err;

	if (end != name + len || !len || fd > 0x7fffffff)
		return -ENOENT;
	f = fd_file(dir, (int)fd, &err);
	if (!f)
		return err;
	t = proc_task(dir);
	info = proc_i(dir)->entry->show_fd;
	mode = info ? S_IFREG | 0400 : S_IFLNK | (f->mode & FMODE_READ ? 0500u : 0) | (f->mode & FMODE_WRITE ? 0300u : 0);
	i = t ? task_inode(dir->sb, t, mode, dir->ino + FD_INO(fd)) : NULL;
	if (t)
		task_put(t);
	file_put(f);
	if (!i)
		return t ? -ENOMEM : -ENOENT;
	proc_i(i)->fd = (s32)fd;
	if (info) {
		proc_i(i)->entry = proc_i(dir)->entry;
		i->fops = &proc_text_fops;
	} else {
		i->ops = &fd_link_iops;
		i->size = 64;
	}
	*out = i;
	return 0;
}

/* Descriptors come and go: never believed. */
static bool fd_dir_revalidate(struct dentry *d) { (void)d; return false; }

static int fd_dir_readdir(struct file *f, struct dir_context *ctx)
{
	struct task *t;
	struct fdtable *table;
	int fd, err = 0;

	if (!dots(f, ctx))
		return 0;
	t = proc_task(f->inode);
	if (!t)
		return -ENOENT;
	table = proc_may_inspect(t) ? fdtable_get_task(t) : NULL;
	if (!table && !proc_may_inspect(t))
		err = -EACCES;
	for (fd = (int)ctx->pos - 2; table && (fd = fdtable_next(table, fd)) >= 0; fd++) {
		char name[12];
		u32 len = (u32)scnprintf(name, sizeof(name), "%d", fd);

		if (!ctx->emit(ctx, name, len, f->inode->ino + FD_INO(fd), proc_i(f->inode)->entry->show_fd ? DT_REG : DT_LNK, (u64)fd + 3))
			break;
	}
	if (table)
		fdtable_put(table);
	task_put(t);
	return err;
}
static const struct inode_ops fd_dir_iops = {
	.lookup = fd_dir_lookup, .revalidate = fd_dir_revalidate, .create = proc_no_create, .mkdir = proc_no_mkdir,
};
static const struct file_ops fd_dir_fops = { .readdir = fd_dir_readdir };
