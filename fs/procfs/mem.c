/* /proc/<pid>/mem: a process's memory as a file, whose offsets are addresses.
 *
 * Who opens it may look into the process; the descriptor stays with the address space that the process had then, and reads nothing when that is
 * gone: another program of the process is another's business.  Protections do not count (as for ptrace): what is written into a private
 * mapping, its code too, becomes the process's own copy. */
#include <fs/file.h>
#include <fs/iov.h>
#include <fs/procfs/procfs.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <mm/slab.h>
#include <mm/vma.h>

struct mem_file { struct task *task; u64 mm_id; };	/* [I] */

static int mem_open(struct inode *inode, struct file *f)
{
	struct task *t = proc_task(inode);
	struct mem_file *m;
	struct mm *mm;
	int err;

	if (!t)
		return -ESRCH;
	err = task_may_access(t, ACCESS_FS_IDS) ? -EACCES : 0;
	m = err ? NULL : kmalloc(sizeof(*m), GFP_KERNEL);
	if (!m) {
		task_put(t);
		return err ? err : -ENOMEM;
	}
	mm = task_mm_get(t);
	*m = (struct mem_file){ .task = t, .mm_id = mm ? mm->id : 0 };
	if (mm)
		mm_put(mm);
	f->private = m;
	return 0;
}

static void mem_release(struct file *f)
{
	struct mem_file *m = f->private;

	task_put(m->task);
	kfree(m);
}

/* The address space that was opened, or NULL. */
static struct mm *mem_get(const struct mem_file *m)
{
	struct mm *mm = task_mm_get(m->task);

	if (mm && mm->id != m->mm_id) {
		mm_put(mm);
		return NULL;
	}
	return mm;
}

/* A piece within a page: bytes done, or an error if none. */
static ssize_t piece(struct mm *mm, struct iov_iter *it, u64 at, void *page, bool write)
{
	size_t len = min(it->count, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
	ssize_t n;

	if (write) {
		len = copy_from_iter(page, len, it);
		if (!len)
			return -EFAULT;
		n = mm_access(mm, at, page, len, true, true);
		return n == (ssize_t)len ? n : -EIO;
	}
	n = mm_access(mm, at, page, len, false, true);
	if (n <= 0)
		return -EIO;
	len = copy_to_iter(page, (size_t)n, it);
	return len ? (ssize_t)len : -EFAULT;
}

static ssize_t mem_rw(struct file *f, struct iov_iter *it, u64 *pos, bool write)
{
	struct mm *mm = mem_get(f->private);
	void *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	ssize_t done = 0, n = page ? 0 : -ENOMEM;

	while (mm && page && it->count && !fatal_signal_pending(current)) {
		n = piece(mm, it, *pos, page, write);
		if (n <= 0)
			break;
		done += n;
		*pos += (u64)n;
	}
	kfree(page);
	if (mm)
		mm_put(mm);
	return done ? done : mm ? n : 0;
}

static ssize_t mem_read(struct file *f, struct iov_iter *to, u64 *pos) { return mem_rw(f, to, pos, false); }
static ssize_t mem_write(struct file *f, struct iov_iter *from, u64 *pos) { return mem_rw(f, from, pos, true); }

const struct file_ops proc_mem_fops = { .open = mem_open, .release = mem_release, .read = mem_read, .write = mem_write };
