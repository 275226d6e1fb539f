/* Per-CPU data: setting up each CPU's copy. */
#pragma once

/* percpu_init - give every CPU but the first its copy of the template.  Panics when memory lacks.  Context: boot, the linear map is up,
 * and nothing per-CPU has been changed yet. */
void percpu_init(void);
