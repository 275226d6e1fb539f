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
	u64 start, raw_mult;	/* raw ns = (counter - start) * raw_mult >> 32 */
	u64 base, base_ns, mult;	/* mono ns = base_ns + ((s64)(counter - base) * mult >> 32) */
	s64 real_ns, tai_ns;	/* real ns = mono + real_ns, TAI ns = real + tai_ns */
};
