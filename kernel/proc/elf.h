/* ELF files: is this one a program we can map?  Pure: looks at bytes in memory, reads nothing; tested on the host. */
#pragma once
#include <linux/elf.h>
#include <kernel/lib/types.h>

#define ELF_MAX_PHDRS	128

struct elf_extent { u64 low, high; };	/* page aligned */

/* elf_check_header - 0, or -ENOEXEC: not a little-endian 64-bit arm64 executable or shared object, or a table of program headers that
 * is empty, too long (ELF_MAX_PHDRS), of another size, or beyond the end of what an offset can say.  Context: any. */
int elf_check_header(const Elf64_Ehdr *h);
/* elf_check_segments - what all PT_LOAD segments cover, or -ENOEXEC: there are none, they are not in rising order, overlap, reach
 * beyond user space, have more in the file than in memory, or a place in the file that pages cannot follow.  Context: any. */
int elf_check_segments(const Elf64_Phdr *ph, u32 n, struct elf_extent *e);
/* elf_interp - the first PT_INTERP in *out (NULL: none); -ENOEXEC if its length is that of no path.  Context: any. */
int elf_interp(const Elf64_Phdr *ph, u32 n, const Elf64_Phdr **out);
