/* The host's: no CPU registers, one CPU, one task. */
#pragma once
#define percpu_offset arm64_percpu_offset
#include "../../../../arch/arm64/include/arch/cpu.h"
#undef percpu_offset
#undef current
extern struct task *unit_current;
#define current unit_current
#define percpu_offset() 0ul
#define cpu_relax() ((void)0)
