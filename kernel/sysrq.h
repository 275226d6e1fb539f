/* Emergency keys: a break on the console, then a letter; or the letter written to /proc/sysrq-trigger. */
#pragma once

/* sysrq_handle - act on key.  Context: any. */
void sysrq_handle(char key);
