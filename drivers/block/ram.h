/* RAM disks, for tests in the kernel. */
#pragma once
#include <drivers/block/disk.h>

/* ram_disk_create - of nr_sectors, all zero, not registered.  NULL: no memory. */
struct disk *ram_disk_create(const char *name, dev_t_k dev, u64 nr_sectors);
