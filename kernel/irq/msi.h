/* Message-signalled interrupts: a device writes data to an address, and an interrupt comes.  Who receives such writes is a controller:
 * GICv2m's frame, the ITS.  Who has devices that write (PCI) asks it for interrupts and tells the device where to write what. */
#pragma once
#include <kernel/irq/irq.h>

struct msi_message { u64 address; u32 data; };

struct msi_controller {
	const char *name;
	u32 phandle;			/* [I] how the device tree refers to it */
	/* device_create - device (a number that the bus gives) will have at most nr_events interrupts.  0, -ENOMEM, -ENOSPC, -ENODEV. */
	int (*device_create)(struct msi_controller *c, u32 device, u32 nr_events);
	void (*device_destroy)(struct msi_controller *c, u32 device);	/* all freed before */
	/* alloc - the event-th of its interrupts (from 0 on): *irq to be requested (IRQ_EDGE), *msg to be written by the device.
	 * free - irq_free()d before. */
	int (*alloc)(struct msi_controller *c, u32 device, u32 event, u32 *irq, struct msi_message *msg);
	void (*free)(struct msi_controller *c, u32 device, u32 event, u32 irq);
	struct msi_controller *next;	/* [I] */
};	/* Context of all: thread, may sleep */

/* msi_controller_register - at boot, before devices.  msi_controller_find - by phandle; NULL. */
void msi_controller_register(struct msi_controller *c);
struct msi_controller *msi_controller_find(u32 phandle);
