/* devtmpfs: device nodes made by the kernel. */
#pragma once
#include <fs/vfs.h>

int devfs_add_node(const struct chardev *cd);	/* 0 or -errno; before the first mount it only is remembered */
/* devfs_add - a node in /dev itself for a device that has come: mode with its type.  0, -EEXIST, -ENOMEM, -ENODEV (no /dev yet).
 * devfs_remove - it went, and the node too if it still is this device's.  Context: thread, may sleep; no lock ranked as a directory's. */
int devfs_add(const char *name, u32 mode, dev_t_k dev);
void devfs_remove(const char *name, u32 type, dev_t_k dev);
void chardev_each(void (*fn)(const struct chardev *cd));
void devfs_init(void);
