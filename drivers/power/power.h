/* Reset and power off, through PSCI. */
#pragma once
#include <kernel/lib/types.h>

/* power_init - find the conduit in the device tree.  Context: boot. */
void power_init(void);
/* psci_call - a PSCI function by its number; the firmware's answer, or -1 (NOT_SUPPORTED) without PSCI.  Context: any. */
s64 psci_call(u64 fn, u64 a0, u64 a1, u64 a2);
#define PSCI_CPU_ON		0xc4000003ul
#define PSCI_SYSTEM_OFF		0x84000008ul
#define PSCI_SYSTEM_RESET	0x84000009ul
/* power_off, power_reset - do not return (halt if the firmware refuses).  Context: any. */
void __noreturn power_off(void);
void __noreturn power_reset(void);
