/* Another process's memory, read and written: process_vm_readv(2).
 *
 * A page of it at a time is copied through a buffer: mm_access() pins what it reads, our own memory is reached by its addresses, and
 * neither address space's lock is held while the other's is waited for. */
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc_internal.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <syscall_protos.h>

struct transfer {
	struct mm *mm;
	struct iov_iter *here;
	u8 *page;
	bool write;			/* into the other */
};

/* One piece that lies in one page of the other.  Bytes done, or an error if none. */
static ssize_t transfer_piece(struct transfer *t, vaddr_t at, size_t len)
{
	ssize_t n;
	size_t done;

	if (!t->write) {
		n = mm_access(t->mm, at, t->page, len, false, false);
		if (n <= 0)
			return n;
		done = copy_to_iter(t->page, (size_t)n, t->here);
		return done ? (ssize_t)done : -EFAULT;
	}
	done = copy_from_iter(t->page, len, t->here);
	return done ? mm_access(t->mm, at, t->page, done, true, false) : -EFAULT;
}

/* All segments of the other, until ours are full or something fails. */
static ssize_t transfer_all(struct transfer *t, const struct iovec *there, u64 nr)
{
	ssize_t done = 0, n = 0;

	for (u64 i = 0; i < nr; i++) {
		vaddr_t at = (vaddr_t)there[i].iov_base;
		size_t left = there[i].iov_len;

		while (left && t->here->count && !fatal_signal_pending(current)) {
			size_t len = min(min(left, t->here->count), PAGE_SIZE - (at & (PAGE_SIZE - 1)));

			n = at < USER_END ? transfer_piece(t, at, len) : -EFAULT;
			if (n > 0)
				done += n;
			if (n != (ssize_t)len)
				return done ? done : n;
			at += len;
			left -= len;
		}
	}
	return done;
}

static int segments_get(const struct iovec __user *vec, u64 nr, struct iovec **out)
{
	struct iovec *there = kmalloc(nr * sizeof(*there), GFP_KERNEL);
	int err = there ? 0 : -ENOMEM;

	if (there && copy_from_user(there, vec, nr * sizeof(*there)))
		err = -EFAULT;
	for (u64 i = 0; !err && i < nr; i++)
		if ((ssize_t)there[i].iov_len < 0)
			err = -EINVAL;
	if (err)
		kfree(there);
	else
		*out = there;
	return err;
}

static int target_mm(s32 pid, struct mm **out)
{
	struct task *t = task_find_get(pid);
	int err;

	if (!t)
		return -ESRCH;
	err = task_may_access(t, ACCESS_REAL_IDS);
	*out = err ? NULL : task_mm_get(t);
	task_put(t);
	return err ? err : *out ? 0 : -ESRCH;
}

static ssize_t transfer(s32 pid, struct iov_iter *here, const struct iovec *there, u64 nr, bool write)
{
	struct transfer t = { .here = here, .write = write };
	ssize_t n;
	int err;

	err = target_mm(pid, &t.mm);
	if (err)
		return err;
	t.page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	n = t.page ? transfer_all(&t, there, nr) : -ENOMEM;
	kfree(t.page);
	mm_put(t.mm);
	return n;
}

static long process_vm_rw(s32 pid, void __user *local, u64 nr_local, void __user *remote, u64 nr_remote, u64 flags, bool write)
{
	struct iovec *there = NULL;
	struct iov_import im;
	u64 bytes = 0;
	long err;

	if (flags)
		return -EINVAL;
	err = iov_import(&im, local, (u32)nr_local);
	if (err)
		return err;
	if (im.it.count && nr_remote)
		err = nr_remote > UIO_MAXIOV ? -EINVAL : segments_get(remote, nr_remote, &there);
	for (u64 i = 0; there && i < nr_remote; i++)
		bytes |= there[i].iov_len;
	if (!err && bytes)
		err = transfer(pid, &im.it, there, nr_remote, write);
	kfree(there);
	kfree(im.alloc);
	return err;
}

ssize_t sys_process_vm_readv(int pid, void __user *local, unsigned long nr_local, void __user *remote, unsigned long nr_remote, unsigned long flags)
{
	return process_vm_rw(pid, local, nr_local, remote, nr_remote, flags, false);
}

ssize_t sys_process_vm_writev(int pid, void __user *local, unsigned long nr_local, void __user *remote, unsigned long nr_remote, unsigned long flags)
{
	return process_vm_rw(pid, local, nr_local, remote, nr_remote, flags, true);
}
