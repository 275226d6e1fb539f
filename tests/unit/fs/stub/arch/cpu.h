/* The host's: no CPU registers, one task. */
#pragma once
#include "../../../../../arch/arm64/include/arch/cpu.h"
#undef current
extern struct task *unit_current;
#define current unit_current
#define cpu_relax() ((void)0)
