/* Interrupts of PCI devices: messages through MSI-X, or a line shared with others.
 *
 * MSI-X: the device has a table of vectors in a BAR, an address, data and a mask bit each.  We give each vector in use a message of the
 * bus's controller; those not requested stay masked.  Lines: the four pins come together on few inputs of the controller, so a line is
 * requested once, for a list of devices that is walked at each interrupt: a level that stays up brings it again. */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/irq/msi.h>
#include <kernel/lib/fmt.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <mm/slab.h>

/* --- MSI-X */

static u32 controller_number(const struct pci_device *d) { return d->bus->host->msi_base + pci_requester(d); }

u32 pci_msix_count(struct pci_device *d)
{
	u8 cap = pci_cap(d, PCI_CAP_ID_MSIX, 0);

	return cap && pci_host_msi(d->bus->host) ? (pci_read16(d, cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1u : 0;
}

static void set_control(struct pci_device *d, u16 set, u16 clear)
{
	u8 cap = pci_cap(d, PCI_CAP_ID_MSIX, 0);

	pci_write16(d, cap + PCI_MSIX_FLAGS, (u16)((pci_read16(d, cap + PCI_MSIX_FLAGS) & ~clear) | set));
}

static void write_entry(struct pci_device *d, u32 index, const struct msi_message *msg)
{
	u32 at = index * PCI_MSIX_ENTRY_SIZE;

	mmio_write32(d->msix_table, at + PCI_MSIX_ENTRY_LOWER_ADDR, (u32)msg->address);
	mmio_write32(d->msix_table, at + PCI_MSIX_ENTRY_UPPER_ADDR, (u32)(msg->address >> 32));
	mmio_write32(d->msix_table, at + PCI_MSIX_ENTRY_DATA, msg->data);
}

static void mask_entry(struct pci_device *d, u32 index, bool mask)
{
	mmio_write32(d->msix_table, index * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, mask ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
}

int pci_msix_enable(struct pci_device *d, u32 nr)
{
	struct msi_controller *msi = d->bus->host->msi;
	u32 count = pci_msix_count(d), table, number = controller_number(d);
	struct msi_message msg;
	int err;

	if (!nr || nr > count || d->vectors)
		return count ? -ENOSPC : -ENODEV;
	table = pci_read32(d, pci_cap(d, PCI_CAP_ID_MSIX, 0) + PCI_MSIX_TABLE);
	d->msix_table = pci_map(d, table & PCI_MSIX_TABLE_BIR, table & PCI_MSIX_TABLE_OFFSET, (u64)count * PCI_MSIX_ENTRY_SIZE);
	if (!d->msix_table)
		return -ENODEV;
	d->vectors = kcalloc(nr, sizeof(*d->vectors), GFP_KERNEL);
	if (!d->vectors)
		return -ENOMEM;
	err = msi->device_create(msi, number, nr);
	if (err) {
		kfree(d->vectors);
		d->vectors = NULL;
		return err;
	}
	set_control(d, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
	for (u32 i = 0; i < count; i++)
		mask_entry(d, i, true);
	for (d->nr_vectors = 0; d->nr_vectors < nr && !err; d->nr_vectors += !err) {
		err = msi->alloc(msi, number, d->nr_vectors, &d->vectors[d->nr_vectors].irq, &msg);
		if (!err)
			write_entry(d, d->nr_vectors, &msg);
	}
	if (err)
		pci_msix_disable(d);
	else
		set_control(d, 0, PCI_MSIX_FLAGS_MASKALL);
	return err;
}

int pci_msix_request(struct pci_device *d, u32 index, u32 cpu, irq_handler_fn fn, void *arg, const char *name)
{
	struct pci_vector *v = &d->vectors[index];
	int err;

	scnprintf(v->name, sizeof(v->name), "%s", name);
	err = irq_request(v->irq, fn, arg, IRQ_EDGE, v->name);
	if (err)
		return err;
	v->fn = fn;
	v->arg = arg;
	if (cpu < nr_cpus)
		irq_prefer(v->irq, BIT(cpu));
	mask_entry(d, index, false);
	return 0;
}

void pci_msix_disable(struct pci_device *d)
{
	struct msi_controller *msi = d->bus->host->msi;

	if (!d->vectors)
		return;
	set_control(d, PCI_MSIX_FLAGS_MASKALL, 0);
	for (u32 i = 0; i < d->nr_vectors; i++) {
		mask_entry(d, i, true);
		if (d->vectors[i].fn)
			irq_free(d->vectors[i].irq);
		msi->free(msi, controller_number(d), i, d->vectors[i].irq);
	}
	set_control(d, 0, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	msi->device_destroy(msi, controller_number(d));
	kfree(d->vectors);
	d->vectors = NULL;
	d->nr_vectors = 0;
}

/* --- lines */

struct line {
	u32 irq;			/* 0: unused */
	char name[16];
	struct list_head users;		/* [lines_mutex; read by the handler under RCU] */
	u32 nr_users;			/* [lines_mutex] */
};
static struct line lines[8];		/* the virt machine has four */
static DEFINE_MUTEX(lines_mutex, LC_PCI_LINES);

static void line_interrupt(u32 irq, void *arg)
{
	struct line *l = arg;
	struct pci_device *d;

	list_for_each_entry_rcu(d, &l->users, intx)
		d->intx_fn(irq, d->intx_arg);
}

static struct line *line_of_locked(u32 irq)
{
	struct line *unused = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		if (lines[i].irq == irq)
			return &lines[i];
		if (!lines[i].irq && !unused)
			unused = &lines[i];
	}
	if (unused) {
		unused->irq = irq;
		list_init(&unused->users);
		scnprintf(unused->name, sizeof(unused->name), "pci-intx%lu", (u64)(unused - lines));
	}
	return unused;
}

int pci_intx_request(struct pci_device *d, irq_handler_fn fn, void *arg)
{
	struct line *l;
	int err = pci_line(d, &d->intx_line);

	if (err)
		return err;
	mutex_lock(&lines_mutex);
	l = line_of_locked(d->intx_line);
	if (!l) {
		mutex_unlock(&lines_mutex);
		return -ENODEV;
	}
	d->intx_fn = fn;
	d->intx_arg = arg;
	list_add_tail_rcu(&d->intx, &l->users);
	if (!l->nr_users++)
		err = irq_request(l->irq, line_interrupt, l, 0, l->name);
	mutex_unlock(&lines_mutex);
	if (err)
		pci_intx_free(d);
	else
		pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) & ~PCI_COMMAND_INTX_DISABLE);
	return err;
}

void pci_intx_free(struct pci_device *d)
{
	struct line *l;

	if (!d->intx_fn)
		return;
	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) | PCI_COMMAND_INTX_DISABLE);
	mutex_lock(&lines_mutex);
	l = line_of_locked(d->intx_line);
	list_del_rcu(&d->intx);
	if (!--l->nr_users)
		irq_free(l->irq);
	else
		synchronize_rcu();	/* a handler is a read side: it runs with preemption off */
	mutex_unlock(&lines_mutex);
	d->intx_fn = NULL;
}
