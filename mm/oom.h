/* Out of memory. */
#pragma once

/* oom_kill - choose one process, kill it, wait until memory came free or current itself is the victim.  Context: thread, no locks. */
void oom_kill(void);
