/* The vDSO in the kernel: one data page and the code's pages, shared by all programs. */
#include <linux/elf.h>
#include <arch/vdso.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/sync/seqcount.h>
#include <kernel/time/clock.h>
#include <mm/page.h>
#include <mm/vma.h>

#define MAX_PAGES 4

extern const char vdso_image[], vdso_image_end[];
static struct page *pages[MAX_PAGES + 1] __ro_after_init;
static u32 nr_pages __ro_after_init;			/* code pages */
static struct vdso_data *data __ro_after_init;
static u64 sigreturn_offset __ro_after_init;

/* In two steps, around the change: while it goes on no program reads the old values.  Writers exclude each other by the clock's lock; a
 * program's reader pairs with the barriers in seq_write_begin and _end. */
static void vdso_update(bool done)
{
	struct seqcount *seq = (struct seqcount *)&data->seq;
	struct clock_params p;

	if (!done) {
		seq_write_begin(seq);
		return;
	}
	p = clock_params();
	data->start = p.start;
	data->raw_mult = p.raw_mult;
	data->base = p.base;
	data->base_ns = p.base_ns;
	data->mult = p.mult;
	data->real_ns = p.real_ns;
	data->tai_ns = p.tai_ns;
	seq_write_end(seq);
}

/* The trampoline's place, from the image's own symbol table. */
static void find_sigreturn(void)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)vdso_image;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(vdso_image + h->e_phoff);
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;

	for (u32 i = 0; i < h->e_phnum; i++) {
		const Elf64_Dyn *d;

		if (ph[i].p_type != PT_DYNAMIC)
			continue;
		for (d = (const Elf64_Dyn *)(vdso_image + ph[i].p_offset); d->d_tag != DT_NULL; d++) {
			if (d->d_tag == DT_SYMTAB)
				sym = (const Elf64_Sym *)(vdso_image + d->d_un.d_ptr);
			else if (d->d_tag == DT_STRTAB)
				str = vdso_image + d->d_un.d_ptr;
		}
	}
	for (u32 i = 1; sym && str && i < 32 && !sigreturn_offset; i++)
		if (!strcmp(str + sym[i].st_name, "__kernel_rt_sigreturn"))
			sigreturn_offset = sym[i].st_value;
	VERIFY(sigreturn_offset);
}

static int vdso_init(void)
{
	size_t size = (size_t)(vdso_image_end - vdso_image);

	nr_pages = (u32)DIV_ROUND_UP(size, PAGE_SIZE);
	VERIFY(nr_pages <= MAX_PAGES);
	for (u32 i = 0; i <= nr_pages; i++) {
		pages[i] = page_alloc(0, GFP_ZERO);
		if (!pages[i])
			return -ENOMEM;
		if (i)
			memcpy(page_address(pages[i]), vdso_image + (i - 1) * PAGE_SIZE, min(size - (i - 1) * PAGE_SIZE, PAGE_SIZE));
	}
	data = page_address(pages[0]);
	find_sigreturn();
	vdso_update(false);
	vdso_update(true);
	clock_changed_hook = vdso_update;
	return 0;
}
BOOT_INIT(core, vdso_init);

int vdso_map(struct mm *mm)
{
	size_t len = (nr_pages + 1) * PAGE_SIZE;
	s64 at = mm_map(mm, NULL, 0, len, 0, 0, 0);
	int err;

	if (at < 0)
		return (int)at;
	err = mm_map_special(mm, (vaddr_t)at, PAGE_SIZE, VM_READ | VM_MAYREAD, pages, "[vvar]");
	if (!err)
		err = mm_map_special(mm, (vaddr_t)at + PAGE_SIZE, len - PAGE_SIZE, VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC, pages + 1,
				     "[vdso]");
	mm->vdso = (vaddr_t)at + PAGE_SIZE;
	return err;
}

u64 vdso_sigreturn(const struct mm *mm)
{
	return mm->vdso + sigreturn_offset;
}
