/* The vDSO: code and time data the kernel maps into every program. */
#pragma once
#include <kernel/lib/types.h>

struct mm;
/* vdso_map - map it into mm (mmap_lock held for writing) and set mm->vdso.  0 or -errno. */
int vdso_map(struct mm *mm);
/* vdso_symbol_sigreturn - where the return trampoline is in mm */
u64 vdso_sigreturn(const struct mm *mm);

/* The data page, before the code.  The writer is the clock; readers are programs. */
struct vdso_data {
	u32 seq;
	u32 pad;
	u64 start, mult;	/* mono ns = (counter - start) * mult >> 32 */
	s64 real_offset_ns;	/* real ns = mono + real_offset_ns + ((mono - real_base_ns) * real_rate >> 32) */
	u64 real_base_ns;
	s64 real_rate;
};
