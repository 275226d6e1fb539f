/* Between the files of drivers/pci. */
#pragma once
#include <drivers/pci/pci.h>

enum pci_space { PCI_IO, PCI_MEM, PCI_MEM64, PCI_SPACES };

/* A range of addresses handed to devices from its start on.  first, next, end: on the bus's side; to_cpu is added for the CPU's. */
struct pci_window { u64 first, next, end, to_cpu; };

struct pci_host {
	int node;			/* [I] in the device tree */
	paddr_t ecam;			/* [I] */
	u32 first_bus, last_bus;	/* [I] */
	u32 next_bus;			/* the next number to give */
	struct pci_window windows[PCI_SPACES];	/* by pci_host_windows */
	bool windows_known;
	struct msi_controller *msi;	/* NULL: no messages */
	bool msi_known;			/* it was looked for */
	u32 msi_base;			/* [I] added to a device's number for the controller's */
	struct pci_bus *root;		/* [I] */
	struct device *device;		/* [I] once shown: "pci0000:00" */
	struct pci_host *next;		/* [I] */
};

struct pci_bus {
	struct pci_host *host;		/* [I] */
	struct pci_device *bridge;	/* [I] above it; NULL: the root bus */
	u32 nr;				/* [I] */
	struct list_head devices;	/* in order */
	struct pci_window windows[PCI_SPACES];	/* what the bridge lets through; unused at the root */
};

/* pci_host_add - find what stands behind a host bridge that host.c has described, and have it driven.  0 or -ENOMEM. */
int pci_host_add(struct pci_host *h);
/* Looked up when first asked for, so that a machine without PCI devices pays nothing: pci_host_windows - the ranges of addresses it lets
 * through.  pci_host_msi - who takes messages; NULL: nobody. */
struct pci_window *pci_host_windows(struct pci_host *h);
struct msi_controller *pci_host_msi(struct pci_host *h);
/* ecam_config - a function's configuration space, mapped; NULL: no memory. */
volatile void *ecam_config(struct pci_host *h, u32 bus, u8 devfn);
/* pci_bars_size - read what BARs d has; nothing decodes while that is done.  pci_assign - addresses for all on the bus and below. */
void pci_bars_size(struct pci_device *d);
void pci_assign(struct pci_bus *bus);
/* pci_assign_new - for a device that came later, and all behind it, out of what its bridge has left. */
void pci_assign_new(struct pci_device *d);
/* pci_bus_scan - look at slot 0 of an empty bus behind a port: what stands there gets addresses and is added.  pci_bus_clear - what stands on
 * the bus goes, and its addresses are free again.  Context: thread, may sleep; one at a time for a bus. */
void pci_bus_scan(struct pci_bus *bus);
void pci_bus_clear(struct pci_bus *bus);
/* pci_line - the interrupt of d's pin, through the bridges and the interrupt map; 0 or -ENODEV. */
int pci_line(struct pci_device *d, u32 *irq);
static inline u32 pci_requester(const struct pci_device *d) { return d->bus->nr << 8 | d->devfn; }
