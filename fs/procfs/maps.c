/* /proc/<pid>/maps and smaps: the ranges of an address space, and what of each is in memory. */
#include <fs/procfs/procfs.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <mm/vma.h>

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

/* Call line for each range of t's memory, with a buffer of PATH_MAX, under mmap_lock. */
static int for_each_range(struct seq *s, struct task *t, void (*line)(struct seq *s, struct mm *mm, struct vma *v, char *buf))
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
			line(s, mm, rb_entry(n, struct vma, node), buf);
		rwsem_read_unlock(&mm->mmap_lock);
		kfree(buf);
	}
	mm_put(mm);
	return buf ? 0 : -ENOMEM;
}

int task_maps_show(struct seq *s, struct task *t) { return for_each_range(s, t, map_line); }

/* What is mapped in one range; bytes.  A page counts as shared if anybody else maps it too. */
struct mapped { u64 rss, pss, clean[2], dirty[2] /* private, shared */, anon, blocks; };

static int count_pages(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	struct mapped *u = arg;

	(void)addr;
	if (info->special)
		return 0;
	for (u32 i = 0; i < nr; i++) {
		struct page *p = pfn_to_page(info->pfn + i);
		u32 flags = READ_ONCE(p->flags);
		s32 mappings = max(READ_ONCE(p->mapcount), 1);
		bool shared = mappings > 1;

		u->rss += PAGE_SIZE;
		u->pss += PAGE_SIZE / (u32)mappings;
		if (flags & (PG_ANON | PG_DIRTY) || info->writable)
			u->dirty[shared] += PAGE_SIZE;
		else
			u->clean[shared] += PAGE_SIZE;
		if (flags & PG_ANON)
			u->anon += PAGE_SIZE;
	}
	if (info->block)
		u->blocks += (u64)nr << PAGE_SHIFT;
	return 0;
}

static void vm_flags_line(struct seq *s, const struct vma *v)
{
	static const struct { u32 flag; const char *name; } names[] = {
		{ VM_READ, "rd" }, { VM_WRITE, "wr" }, { VM_EXEC, "ex" }, { VM_SHARED, "sh" }, { VM_MAYREAD, "mr" }, { VM_MAYWRITE, "mw" },
		{ VM_MAYEXEC, "me" }, { VM_GROWSDOWN, "gd" }, { VM_LOCKED, "lo" }, { VM_DONTCOPY, "dc" }, { VM_DONTEXPAND, "de" },
		{ VM_NORESERVE, "nr" }, { VM_WIPEONFORK, "wf" }, { VM_DONTDUMP, "dd" }, { VM_HUGE, "hg" }, { VM_NOHUGE, "nh" },
	};

	seq_puts(s, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (v->flags & names[i].flag)
			seq_printf(s, "%s ", names[i].name);
	seq_putc(s, '\n');
}

static void smaps_range(struct seq *s, struct mm *mm, struct vma *v, char *buf)
{
	struct mapped u = { 0 };
	u64 swapped = 0, slot;

	if (!(v->flags & VM_SPECIAL))
		pt_walk(mm, v->start, v->end, count_pages, &u);
	for (vaddr_t at = v->start; unlikely(atomic_load(&mm->swapped)) && (at = pt_next_swap(mm, at, v->end, 0, 0, &slot)) < v->end; at += PAGE_SIZE)
		swapped += PAGE_SIZE;
	const struct { const char *name; u64 bytes; } rows[] = {
		{ "Size:", v->end - v->start }, { "KernelPageSize:", PAGE_SIZE }, { "MMUPageSize:", PAGE_SIZE }, { "Rss:", u.rss }, { "Pss:", u.pss },
		{ "Shared_Clean:", u.clean[1] }, { "Shared_Dirty:", u.dirty[1] }, { "Private_Clean:", u.clean[0] },
		{ "Private_Dirty:", u.dirty[0] }, { "Referenced:", u.rss }, { "Anonymous:", u.anon }, { "LazyFree:", 0 },
		{ "AnonHugePages:", u.blocks }, { "ShmemPmdMapped:", 0 }, { "FilePmdMapped:", 0 }, { "Shared_Hugetlb:", 0 },
		{ "Private_Hugetlb:", 0 }, { "Swap:", swapped }, { "SwapPss:", swapped }, { "Locked:", v->flags & VM_LOCKED ? u.pss : 0 },
	};

	map_line(s, mm, v, buf);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(s, "%-16s%8lu kB\n", rows[i].name, rows[i].bytes >> 10);
	seq_printf(s, "THPeligible:    %u\n", vma_may_have_blocks(v));
	vm_flags_line(s, v);
}

int task_smaps_show(struct seq *s, struct task *t) { return for_each_range(s, t, smaps_range); }
