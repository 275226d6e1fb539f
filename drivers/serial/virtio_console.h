/* virtio consoles as terminals (virtio_console.c). */
#pragma once
struct tty;
struct virtio_device;

/* virtio_console_tty - the terminal of a device that this driver has.  It lives for ever.  Context: any, while the device is bound. */
struct tty *virtio_console_tty(struct virtio_device *dev);
