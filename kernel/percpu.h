/* Per-CPU data: setting up a CPU's copy. */
#pragma once
#include <kernel/lib/types.h>

/* percpu_init_cpu - give CPU cpu (> 0) its copy of the template.  0 or -ENOMEM.  Context: thread, before that CPU starts. */
int percpu_init_cpu(u32 cpu);
