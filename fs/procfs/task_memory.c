/* /proc/<pid>: what is in its memory and on its stack, and what it has read and written: auxv, pagemap, stack, io, oom_score, personality.
 * proc(5); pagemap's words: Linux, Documentation/admin-guide/mm/pagemap.rst. */
#include <fs/procfs/procfs.h>
#include <fs/file.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <kernel/symbols.h>
#include <arch/uaccess.h>
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <mm/oom.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <mm/vma.h>

/* As execve put it on the stack, AT_NULL included. */
int task_auxv_show(struct seq *s, struct task *t)
{
	struct mm *mm;
	u32 n = 0;

	if (!proc_may_inspect(t))
		return -EACCES;
	mm = task_mm_get(t);
	if (!mm)
		return 0;
	do
		n += 2;
	while (n < ARRAY_SIZE(mm->auxv) && mm->auxv[n - 2] != AT_NULL);
	seq_write(s, mm->auxv, n * sizeof(mm->auxv[0]));
	mm_put(mm);
	return 0;
}

int task_stack_show(struct seq *s, struct task *t)
{
	u64 pcs[48];
	u32 n;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	n = backtrace_collect(t, pcs, ARRAY_SIZE(pcs));
	for (u32 i = 0; i < n; i++)
		seq_printf(s, "[<0>] %pS\n", (void *)pcs[i]);
	return 0;
}

static int io_show(struct seq *s, struct task *t, const struct io_counts *io)
{
	if (!proc_may_inspect(t))
		return -EACCES;
	seq_printf(s, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: %lu\nwrite_bytes: %lu\ncancelled_write_bytes: 0\n", io->rchar, io->wchar,
		   io->syscr, io->syscw, io->read_bytes, io->write_bytes);
	return 0;
}

/* Of a process: with its threads that ended, and the children that it waited for. */
int task_io_show(struct seq *s, struct task *t)
{
	struct usage sum;

	usage_of_family(t->proc, &sum);
	return io_show(s, t, &sum.io);
}

int thread_io_show(struct seq *s, struct task *t)
{
	struct usage u;

	usage_of_task(t, &u);
	return io_show(s, t, &u.io);
}

int task_oom_score_show(struct seq *s, struct task *t)
{
	seq_printf(s, "%lu\n", oom_score(t));
	return 0;
}

int task_personality_show(struct seq *s, struct task *t)
{
	if (!proc_may_inspect(t))
		return -EPERM;
	seq_printf(s, "%08x\n", READ_ONCE(t->proc->personality));
	return 0;
}

/* --- pagemap: a word for each page of the address space, also for those that are not there --- */

#define PM_FRAME	((1ul << 55) - 1)
#define PM_EXCLUSIVE	(1ul << 56)
#define PM_FILE		(1ul << 61)
#define PM_SWAP		(1ul << 62)
#define PM_PRESENT	(1ul << 63)
#define PM_BATCH	64u

static u64 page_word(struct mm *mm, vaddr_t at, bool frames)
{
	struct pte_info info = { 0 };
	const struct page *p;
	u64 word;

	if (!pt_lookup(mm, at, &info))
		return 0;
	if (!info.present) {
		if (!info.swap)
			return 0;
		return PM_SWAP | (frames ? (info.swap & ~SWAP_AREA_MASK) << 5 | ((info.swap >> SWAP_AREA_SHIFT) - 1) : 0);
	}
	word = PM_PRESENT | (frames ? info.pfn & PM_FRAME : 0);
	if (info.special)
		return word;
	p = pfn_to_page(info.pfn);
	if (!(READ_ONCE(p->flags) & PG_ANON))
		word |= PM_FILE;
	return READ_ONCE(p->mapcount) == 1 ? word | PM_EXCLUSIVE : word;
}

static ssize_t read_words(struct mm *mm, struct iov_iter *to, u64 *pos)
{
	u64 words[PM_BATCH];
	ssize_t done = 0;
	bool frames = capable(CAP_SYS_ADMIN);

	while (to->count) {
		vaddr_t at = *pos / 8 * PAGE_SIZE;
		u32 n = (u32)min_t(u64, to->count / 8, PM_BATCH);

		if (at >= USER_END)
			break;
		n = (u32)min_t(u64, n, (USER_END - at) / PAGE_SIZE);
		rwsem_read_lock(&mm->mmap_lock);
		for (u32 i = 0; i < n; i++)
			words[i] = page_word(mm, at + i * PAGE_SIZE, frames);
		rwsem_read_unlock(&mm->mmap_lock);
		if (copy_to_iter(words, n * 8, to) != n * 8)
			return done ? done : -EFAULT;
		done += n * 8;
		*pos += n * 8;
		if (signal_pending())
			break;
	}
	return done;
}

static ssize_t pagemap_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct task *t;
	struct mm *mm;
	ssize_t n = -EACCES;

	if ((*pos | to->count) % 8)
		return -EINVAL;
	t = proc_task(f->inode);
	if (!t)
		return -ESRCH;
	mm = task_mm_get(t);
	if (!mm)
		n = 0;
	else if (proc_may_inspect(t))
		n = read_words(mm, to, pos);
	if (mm)
		mm_put(mm);
	task_put(t);
	return n;
}

static int pagemap_open(struct inode *inode, struct file *f)
{
	(void)f;
	return proc_open_guarded(inode);
}

const struct file_ops proc_pagemap_fops = { .open = pagemap_open, .read = pagemap_read };
