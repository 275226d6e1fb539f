/* The root on a block device. */
#pragma once
#include <kernel/lib/types.h>

/* root_wanted - whether root= is on the command line.
 * root_mount - mount it and make it the caller's root, the old one out of sight below it.  Waits as rootdelay= and rootwait say; what
 * cannot be mounted is a panic that tells what was tried, first inits: the programs.  Context: the boot's thread, as process 1, before its first program. */
bool root_wanted(void);
void root_mount(const char *inits);
