/* Pseudo-terminals, as fs/devpts sees them. */
#pragma once
#include <fs/vfs.h>

#define PTY_MAX 4096

/* devpts side: a slave's node appears and goes.  0, -ENOMEM.  (fs/devpts) */
int devpts_add(u32 index, u32 uid, u32 gid);
void devpts_remove(u32 index);
