/* /proc/<pid>/maps and smaps: the ranges of an address space, and what of each is in memory. */
#include <fs/procfs/procfs.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/text_file.h>
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
	const char rights[] = { ' ', v->flags & VM_READ ? 'r' : '-', v->flags & VM_WRITE ? 'w' : '-', v->flags & VM_EXEC ? 'x' : '-',
				v->flags & VM_SHARED ? 's' : 'p', ' ' };
	size_t before = s->len;

	if (!name && v->file)
		name = path_string(&v->file->path, buf, PATH_MAX);
	seq_number(s, v->start, 16, 8, '0');
	seq_putc(s, '-');
	seq_number(s, v->end, 16, 8, '0');
	seq_write(s, rights, sizeof(rights));
	if (i) {
		seq_number(s, v->pgoff << PAGE_SHIFT, 16, 8, '0');
		seq_printf(s, " %02x:%02x %lu ", DEV_MAJOR(i->sb->dev), DEV_MINOR(i->sb->dev), i->ino);
	} else {
		seq_puts(s, "00000000 00:00 0 ");
	}
	if (name) {
		if (s->len - before < 73)
			seq_fill(s, ' ', 73 - (s->len - before));
		seq_puts(s, name);
	}
	seq_putc(s, '\n');
}

/* A piece of a text that has something of each range of t's memory: line, with a buffer of PATH_MAX, under mmap_lock.  The cursor is the address behind
 * the last range told: what is mapped or unmapped between two pieces is there or is not, and only a range that has grown is told twice. */
static int ranges_from(struct seq *s, struct task *t, u64 *cursor, void (*line)(struct seq *s, struct mm *mm, struct vma *v, char *buf))
{
	struct mm *mm;
	struct vma *v;
	char *buf;

	if (!proc_may_inspect(t))
		return -EACCES;
	mm = task_mm_get(t);
	if (!mm)
		return 0;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (buf) {
		rwsem_read_lock(&mm->mmap_lock);
		v = vma_find(mm, *cursor);
		while (v && s->len < TEXT_PIECE && !s->overflow) {
			struct rb_node *next = rb_next(&v->node);

			line(s, mm, v, buf);
			*cursor = v->end;
			v = next ? rb_entry(next, struct vma, node) : NULL;
		}
		rwsem_read_unlock(&mm->mmap_lock);
		kfree(buf);
	}
	mm_put(mm);
	return buf ? 0 : -ENOMEM;
}

int task_maps_from(struct seq *s, struct task *t, u64 *cursor) { return ranges_from(s, t, cursor, map_line); }

/* What is mapped in a range, or in several; bytes.  A page counts as shared if anybody else maps it too. */
struct mapped {
	u64 rss, pss, pss_dirty, pss_of[3] /* anonymous, of files, of shared memory */, clean[2], dirty[2] /* private, shared */;
	u64 anon, blocks, swapped, locked;
};

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
		bool shared = mappings > 1, dirty = flags & (PG_ANON | PG_DIRTY) || info->writable;
		u64 part = PAGE_SIZE / (u32)mappings;

		u->rss += PAGE_SIZE;
		u->pss += part;
		u->pss_of[flags & PG_ANON ? 0 : flags & PG_SWAPBACKED ? 2 : 1] += part;
		u->pss_dirty += dirty ? part : 0;
		*(dirty ? &u->dirty[shared] : &u->clean[shared]) += PAGE_SIZE;
		if (flags & PG_ANON)
			u->anon += PAGE_SIZE;
	}
	if (info->block)
		u->blocks += (u64)nr << PAGE_SHIFT;
	return 0;
}

static void vm_flags_line(struct seq *s, const struct vma *v)
{
	static const struct { u32 flag; char name[4]; } names[] = {
		{ VM_READ, "rd " }, { VM_WRITE, "wr " }, { VM_EXEC, "ex " }, { VM_SHARED, "sh " }, { VM_MAYREAD, "mr " }, { VM_MAYWRITE, "mw " },
		{ VM_MAYEXEC, "me " }, { VM_GROWSDOWN, "gd " }, { VM_LOCKED, "lo " }, { VM_DONTCOPY, "dc " }, { VM_DONTEXPAND, "de " },
		{ VM_NORESERVE, "nr " }, { VM_WIPEONFORK, "wf " }, { VM_DONTDUMP, "dd " }, { VM_HUGE, "hg " }, { VM_NOHUGE, "nh " },
	};

	seq_puts(s, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (v->flags & names[i].flag)
			seq_write(s, names[i].name, 3);
	seq_putc(s, '\n');
}

static void add_range(struct mm *mm, const struct vma *v, struct mapped *u)
{
	u64 pss = u->pss, slot;

	if (!(v->flags & VM_SPECIAL))
		pt_walk(mm, v->start, v->end, count_pages, u);
	for (vaddr_t at = v->start; unlikely(atomic_load(&mm->swapped)) && (at = pt_next_swap(mm, at, v->end, 0, 0, &slot)) < v->end; at += PAGE_SIZE)
		u->swapped += PAGE_SIZE;
	if (v->flags & VM_LOCKED)
		u->locked += u->pss - pss;
}

struct row { const char *name /* below 16 characters */; u64 bytes; };

/* "%-16s%8lu kB\n", by hand: smaps has twenty such lines of each range. */
static void print_row(struct seq *s, const char *name, u64 kb)
{
	char line[] = "                         kB\n";
	u32 at = 24;

	if (kb > 99999999) {
		seq_printf(s, "%-16s%lu kB\n", name, kb);
		return;
	}
	for (u32 i = 0; name[i]; i++)
		line[i] = name[i];
	do
		line[--at] = (char)('0' + kb % 10);
	while (kb /= 10);
	seq_write(s, line, sizeof(line) - 1);
}

static void print_rows(struct seq *s, const struct row *rows, u32 n)
{
	for (u32 i = 0; i < n; i++)
		print_row(s, rows[i].name, rows[i].bytes >> 10);
}

/* The lines that a range and the roll-up share; whole: the latter's own ones too. */
static void mapped_rows(struct seq *s, const struct mapped *u, bool whole)
{
	const struct row first[] = { { "Rss:", u->rss }, { "Pss:", u->pss }, { "Pss_Dirty:", u->pss_dirty } };
	const struct row kinds[] = { { "Pss_Anon:", u->pss_of[0] }, { "Pss_File:", u->pss_of[1] }, { "Pss_Shmem:", u->pss_of[2] } };
	const struct row rest[] = {
		{ "Shared_Clean:", u->clean[1] }, { "Shared_Dirty:", u->dirty[1] }, { "Private_Clean:", u->clean[0] },
		{ "Private_Dirty:", u->dirty[0] }, { "Referenced:", u->rss }, { "Anonymous:", u->anon }, { "LazyFree:", 0 },
		{ "AnonHugePages:", u->blocks }, { "ShmemPmdMapped:", 0 }, { "FilePmdMapped:", 0 }, { "Shared_Hugetlb:", 0 },
		{ "Private_Hugetlb:", 0 }, { "Swap:", u->swapped }, { "SwapPss:", u->swapped }, { "Locked:", u->locked },
	};

	print_rows(s, first, ARRAY_SIZE(first));
	if (whole)
		print_rows(s, kinds, ARRAY_SIZE(kinds));
	print_rows(s, rest, ARRAY_SIZE(rest));
}

static void smaps_range(struct seq *s, struct mm *mm, struct vma *v, char *buf)
{
	const struct row sizes[] = { { "Size:", v->end - v->start }, { "KernelPageSize:", PAGE_SIZE }, { "MMUPageSize:", PAGE_SIZE } };
	struct mapped u = { 0 };

	add_range(mm, v, &u);
	map_line(s, mm, v, buf);
	print_rows(s, sizes, ARRAY_SIZE(sizes));
	mapped_rows(s, &u, false);
	seq_printf(s, "THPeligible:    %u\n", vma_may_have_blocks(v));
	vm_flags_line(s, v);
}

int task_smaps_from(struct seq *s, struct task *t, u64 *cursor) { return ranges_from(s, t, cursor, smaps_range); }

/* All ranges as one. */
int task_smaps_rollup_show(struct seq *s, struct task *t)
{
	struct mapped u = { 0 };
	struct vma *first = NULL, *last = NULL;
	struct mm *mm;

	if (!proc_may_inspect(t))
		return -EACCES;
	mm = task_mm_get(t);
	if (!mm)
		return -ESRCH;
	rwsem_read_lock(&mm->mmap_lock);
	for (struct rb_node *n = rb_first(&mm->vmas); n; n = rb_next(n)) {
		last = rb_entry(n, struct vma, node);
		first = first ? first : last;
		add_range(mm, last, &u);
	}
	seq_printf(s, "%08lx-%08lx ---p 00000000 00:00 0%30s[rollup]\n", first ? first->start : 0ul, last ? last->end : 0ul, "");
	rwsem_read_unlock(&mm->mmap_lock);
	mm_put(mm);
	mapped_rows(s, &u, true);
	return 0;
}
