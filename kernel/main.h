/* The boot's entry. */
#pragma once
#include <kernel/lib/types.h>

#define SARSEN_VERSION "0.1"

/* kernel_main - from head.S: upper half, caches on, interrupts off, on init_task's stack. */
void __noreturn kernel_main(paddr_t fdt_pa);
