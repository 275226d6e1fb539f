/* devtmpfs: device nodes made by the kernel. */
#pragma once
#include <fs/vfs.h>

int devfs_add_node(const struct chardev *cd);	/* 0 or -errno; before the first mount it only is remembered */
void chardev_each(void (*fn)(const struct chardev *cd));
void devfs_init(void);
