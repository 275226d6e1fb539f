/* What the CPU offers programs: AT_HWCAP and AT_HWCAP2, only for state that is saved and restored. */
#pragma once
#include <kernel/lib/types.h>

extern u64 arch_hwcap, arch_hwcap2;
/* cpu_features_init - read the ID registers.  Context: boot. */
void cpu_features_init(void);
/* cpu_identify - note which core this one is, for /proc/cpuinfo, and let its debug exceptions through.  Context: the CPU's start. */
void cpu_identify(void);
