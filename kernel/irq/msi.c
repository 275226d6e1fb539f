/* The controllers of message-signalled interrupts. */
#include <kernel/irq/msi.h>

static struct msi_controller *controllers __ro_after_init;	/* written at boot by one thread */

void msi_controller_register(struct msi_controller *c)
{
	c->next = controllers;
	controllers = c;
}

struct msi_controller *msi_controller_find(u32 phandle)
{
	struct msi_controller *c = controllers;

	while (c && c->phandle != phandle)
		c = c->next;
	return c;
}
