/* virtio block devices. */
#pragma once
#include <drivers/block/disk.h>

#define VBLK_SERIAL_SIZE	21
/* vblk_serial - ask the device for its serial: text, NUL-terminated.  0, -EIO, -EOPNOTSUPP, -ENODEV.  Context: thread, may sleep. */
int vblk_serial(struct disk *disk, char serial[VBLK_SERIAL_SIZE]);
