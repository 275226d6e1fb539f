/* Shared memory of System V: shmget, and the life of a segment.  shmget(2).
 *
 * Theory.  A segment is a file without a name (mm/shmem.h): its pages are those of tmpfs, can be swapped, and go with the file.  The tables hold a
 * reference to the file.  Each shmat opens it anew (shmat.c), so that VMAs of two attachments never grow together and shmdt can tell them
 * apart; those files hold a reference to the segment's struct, not to its place in the tables.
 *
 * How many VMAs there are is counted under the segment's lock, by the operations of the VMA: fork, splitting and unmapping count.  IPC_RMID of one
 * that is attached only takes its key away and marks it; it is removed with the last VMA, by the one who unmaps that, under his
 * mmap_lock, after which the kind's mutex ranks.
 *
 * kernel.shm_rmid_forced: Linux keeps a list of a task's segments; here a segment knows who made it, and while that knob is set, a thread's end
 * looks at all segments. */
#include <linux/capability.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/ipc/shm_internal.h>
#include <kernel/ipc/task.h>
#include <kernel/lib/fmt.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <mm/filemap.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <syscall_protos.h>

struct ipc_kind shm_kind;
u64 shm_in_use, shm_max = SHMMAX, shm_all = SHMALL;
s64 shm_rmid_forced;

static void segment_free(struct ipc_object *o) { kfree(shm_segment_of(o)); }

static int shm_init(void)
{
	ipc_kind_init(&shm_kind, SHMMNI, segment_free);
	return 0;
}
BOOT_INIT(core, shm_init);

/* --- shmget */

struct segment_wish { int key; u64 size; int flags; };

/* Huge pages are never set aside here: what is said where there are none.  proc(5), hugetlb_shm_group is 0. */
static int huge_refused(const struct segment_wish *w)
{
	u32 shift = (u32)w->flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;

	if (shift && shift != 16 && shift != 21 && shift != 25 && shift != 30)
		return -EINVAL;
	return capable(CAP_IPC_LOCK) || cred_in_group(current_cred(), 0) || w->size <= rlimit(RLIMIT_MEMLOCK) ? -ENOMEM : -EPERM;
}

static int size_refused(const struct segment_wish *w)
{
	u64 pages = (w->size >> PAGE_SHIFT) + !!(w->size & (PAGE_SIZE - 1));

	if (w->size < SHMMIN || w->size > READ_ONCE(shm_max))
		return -EINVAL;
	if (shm_in_use + pages < shm_in_use || shm_in_use + pages > READ_ONCE(shm_all))
		return -ENOSPC;
	if (w->flags & SHM_HUGETLB)
		return huge_refused(w);
	if (w->size > INT64_MAX)
		return -EINVAL;
	return !(w->flags & SHM_NORESERVE) && pages > page_nr_total() + swap_total() ? -ENOMEM : 0;
}

static int segment_create(struct ipc_object **o, void *arg)
{
	const struct segment_wish *w = arg;
	struct shm_segment *s;
	char name[16];
	int err = size_refused(w);

	if (err)
		return err;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	snprintf(name, sizeof(name), "/SYSV%08x", (u32)w->key);
	err = shmem_file_create(name, w->size, &s->file);
	if (err) {
		kfree(s);
		return err;
	}
	s->size = w->size;
	s->ctime = ipc_now();
	s->cpid = current_pid();
	s->creator = current->tid;
	s->creator_ns = current->start_ns;
	shm_in_use += shm_pages(s);
	*o = &s->ipc;
	return 0;
}

/* /proc/<pid>/maps shows the id as the file's number. */
static void segment_named(struct ipc_object *o) { shm_segment_of(o)->file->inode->ino = (u64)o->id; }

static void segment_abort(struct ipc_object *o)
{
	shm_in_use -= shm_pages(shm_segment_of(o));
	file_put(shm_segment_of(o)->file);
	segment_free(o);
}

static int segment_check(struct ipc_object *o, void *arg)
{
	const struct segment_wish *w = arg;

	return shm_segment_of(o)->size < w->size ? -EINVAL : 0;
}

long sys_shmget(int key, size_t size, int flags)
{
	static const struct ipc_get_ops ops = { .create = segment_create, .check = segment_check, .abort = segment_abort, .named = segment_named };
	struct segment_wish w = { key, size, flags };

	return ipc_find_or_create(&shm_kind, key, flags, &ops, &w);
}

/* --- the end of a segment */

void shm_unkeep(struct shm_segment *s)
{
	if (!s->keeper)
		return;
	atomic_store(&s->file->mapping->unevictable, false);
	atomic_sub(&s->keeper->shm_kept, shm_pages(s));
	user_unref(s->keeper);
	s->keeper = NULL;
	s->ipc.mode &= ~SHM_KEPT;
}

struct file *shm_destroy(struct shm_segment *s)
{
	shm_unkeep(s);
	shm_in_use -= shm_pages(s);
	ipc_remove(&s->ipc);
	return s->file;
}

static bool must_go(const struct shm_segment *s)
{
	return !s->attached && ((s->ipc.mode & SHM_GOES) || READ_ONCE(shm_rmid_forced));
}

void shm_detached(struct shm_segment *s)
{
	struct file *f = NULL;
	bool go;

	spin_lock(&s->ipc.lock);
	s->attached--;
	go = must_go(s);
	spin_unlock(&s->ipc.lock);
	if (likely(!go))
		return;
	mutex_lock(&shm_kind.mutex);
	spin_lock(&s->ipc.lock);
	if (!s->ipc.removed && must_go(s))
		f = shm_destroy(s);
	spin_unlock(&s->ipc.lock);
	mutex_unlock(&shm_kind.mutex);
	if (f)
		file_put(f);
}

static bool creator_lives(const struct shm_segment *s, const struct task *ends)
{
	const struct task *t;
	bool lives;

	rcu_read_lock();
	t = task_find(s->creator);
	lives = t && t != ends && t->start_ns == s->creator_ns;
	rcu_read_unlock();
	return lives;
}

static void remove_orphan(struct ipc_object *o, void *arg)
{
	struct shm_segment *s = shm_segment_of(o);
	struct file *f = NULL;

	if (creator_lives(s, arg))
		return;
	spin_lock(&o->lock);
	if (!s->attached)
		f = shm_destroy(s);
	spin_unlock(&o->lock);
	if (f)
		file_put(f);
}

void shm_remove_orphans(struct task *ends) { ipc_walk(&shm_kind, remove_orphan, ends); }

void shm_exit(void)
{
	if (unlikely(READ_ONCE(shm_rmid_forced)))
		shm_remove_orphans(current);
}
