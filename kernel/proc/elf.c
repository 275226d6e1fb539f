/* What makes an ELF file a program of ours.  After these checks sums of an address and a size, and of an offset and a size, neither
 * overflow nor leave user space, so exec.c may add them up.  elf(5). */
#include <linux/limits.h>
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/elf.h>

int elf_check_header(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_AARCH64 || (h->e_type != ET_EXEC && h->e_type != ET_DYN) ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > ELF_MAX_PHDRS ||
	    h->e_phoff > INT64_MAX - ELF_MAX_PHDRS * sizeof(Elf64_Phdr))
		return -ENOEXEC;
	return 0;
}

static bool segment_ok(const Elf64_Phdr *p)
{
	u64 end, file_end;

	return p->p_filesz <= p->p_memsz && !__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) && end <= USER_END &&
	       !__builtin_add_overflow(p->p_offset, p->p_filesz, &file_end) && file_end <= INT64_MAX &&
	       !((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1));
}

int elf_check_segments(const Elf64_Phdr *ph, u32 n, struct elf_extent *e)
{
	u64 prev_end = 0;
	bool any = false;

	for (u32 i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (!segment_ok(&ph[i]) || ph[i].p_vaddr < prev_end)
			return -ENOEXEC;
		if (!any)
			e->low = ALIGN_DOWN(ph[i].p_vaddr, PAGE_SIZE);
		any = true;
		prev_end = ph[i].p_vaddr + ph[i].p_memsz;
		e->high = PAGE_ALIGN(prev_end);
	}
	return any && e->high > e->low ? 0 : -ENOEXEC;
}

int elf_interp(const Elf64_Phdr *ph, u32 n, const Elf64_Phdr **out)
{
	*out = NULL;
	for (u32 i = 0; i < n; i++) {
		if (ph[i].p_type != PT_INTERP)
			continue;
		if (ph[i].p_filesz < 2 || ph[i].p_filesz > PATH_MAX || ph[i].p_offset > INT64_MAX - PATH_MAX)
			return -ENOEXEC;
		*out = &ph[i];
		return 0;
	}
	return 0;
}
