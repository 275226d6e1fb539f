/* Emergency keys: a break on the console, then a letter; or the letter written to /proc/sysrq-trigger. */
#pragma once
#include <kernel/lib/types.h>

/* sysrq_handle - act on key.  from_console: only if /proc/sys/kernel/sysrq allows it.  Context: any. */
void sysrq_handle(char key, bool from_console);
