/* Working directory, root and umask of tasks: shared by the threads of a process, and by whom clone(CLONE_FS) makes.
 *
 * refs counts the tasks whose fs it is, and for a moment a borrower.  A task comes to one by fs_struct_share() and leaves it by fs_struct_leave(),
 * both under its lock, so that who holds the lock can compare refs with tasks.  exec does: a set-id program whose directories somebody outside its
 * process moves could be led astray, so it gains nothing if refs are more than the process's threads (fs_struct_exec_begin), and nobody new
 * comes to share them until its exec is over (in_exec; execve(2), clone(2) EAGAIN).  A thread that is being made, counted but not in its
 * process's list yet, is taken for an outsider; so it is on Linux.
 *
 * Lifetime: freed an RCU grace period after the last reference, for who finds it by a task (pivot_root, /proc). */
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/proc/proc.h>
#include <kernel/sync/rcu.h>
#include <mm/slab.h>

struct fs_struct *fs_struct_clone(struct fs_struct *old)
{
	struct fs_struct *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	refcount_set(&fs->refs, 1);
	spin_lock_init(&fs->lock, LC_FS_STRUCT);
	fs->seq.seq = 0;
	fs->in_exec = 0;
	spin_lock(&old->lock);
	fs->root = old->root;
	fs->cwd = old->cwd;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&old->lock);
	fs->umask = old->umask;
	return fs;
}

int fs_struct_share(struct fs_struct *fs)
{
	int err = 0;

	spin_lock(&fs->lock);
	if (unlikely(fs->in_exec))
		err = -EAGAIN;
	else
		refcount_inc(&fs->refs);
	spin_unlock(&fs->lock);
	return err;
}

static void fs_struct_free(struct rcu_head *head) { kfree(container_of(head, struct fs_struct, rcu)); }

static void last_put(struct fs_struct *fs)
{
	struct path root, cwd;

	spin_lock(&fs->lock);	/* pivot_root looks at tasks' roots: leave it nothing to find */
	root = fs->root;
	cwd = fs->cwd;
	fs->root = fs->cwd = (struct path){ NULL, NULL };
	spin_unlock(&fs->lock);
	path_put(&root);
	path_put(&cwd);
	call_rcu(&fs->rcu, fs_struct_free);
}

void fs_struct_put(struct fs_struct *fs)
{
	if (fs && refcount_dec_and_test(&fs->refs))
		last_put(fs);
}

void fs_struct_leave(struct task *t, struct fs_struct *next)
{
	struct fs_struct *fs = t->fs;
	bool last;

	if (!fs) {
		WRITE_ONCE(t->fs, next);
		return;
	}
	spin_lock(&fs->lock);
	WRITE_ONCE(t->fs, next);
	last = refcount_dec_and_test(&fs->refs);
	spin_unlock(&fs->lock);
	if (last)
		last_put(fs);
}

bool fs_struct_exec_begin(struct fs_struct *fs)
{
	struct task *t;
	s32 ours = 0;
	bool alone;

	spin_lock(&fs->lock);
	rcu_read_lock();
	list_for_each_entry_rcu(t, &current->proc->threads, thread_link)
		ours += READ_ONCE(t->fs) == fs;
	rcu_read_unlock();
	alone = refcount_read(&fs->refs) <= ours;
	fs->in_exec += alone;
	spin_unlock(&fs->lock);
	return alone;
}

void fs_struct_exec_end(struct fs_struct *fs)
{
	spin_lock(&fs->lock);
	fs->in_exec--;
	spin_unlock(&fs->lock);
}
