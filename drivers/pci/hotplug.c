/* Ports of PCI Express that devices are plugged into while the machine runs (PCI Express Base 4.0, 6.7).
 *
 * A port interrupts when its attention button is pressed or a device comes or goes.  The interrupt notes what happened; one thread, made with
 * the first such port, acts on it.  The button on a slot in use: its devices are removed and the power goes off, then the device may be
 * pulled (QEMU's device_del presses it).  The button on a filled slot without power, or a device that comes: power on, scan, add.  A device
 * that went without the button is removed, too late to say goodbye.
 *
 * QEMU presses the button with each device that comes, too.  What to do must therefore be decided by one reading of the slot's status, in which a device
 * and all that its coming raised stand together: a press that is heard of after its device was added would remove that again.
 *
 * Locking: a port's slot is the thread's alone; `busy` says that it works on it, and who removes the port waits for the end of that.  Events are read off and
 * noted under ports_lock, so that none is on its way when the thread looks. */
#include <drivers/pci/pci_internal.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

#define EVENTS		(PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)
#define SETTLE_NS	(100 * NSEC_PER_MSEC)	/* from power to the first access (6.6.1) */

struct port {
	struct list_head link;		/* [ports_lock] */
	struct pci_device *dev;		/* [I] */
	u32 cap;			/* [I] where its PCI Express capability stands */
	u32 events;			/* [ports_lock] PCI_EXP_SLTSTA_* that the thread has not seen */
	bool busy;			/* [ports_lock] the thread works on it */
};
static LIST_HEAD(ports);
static DEFINE_SPINLOCK(ports_lock, LC_DEVICE);
static DEFINE_WAIT_QUEUE(work_wq);	/* the thread, for events */
static DEFINE_WAIT_QUEUE(done_wq);	/* for the thread to be done with a port */
static bool thread_there;		/* [a] */

static void slot_control(struct port *p, u16 clear, u16 set)
{
	u32 at = p->cap + PCI_EXP_SLTCTL;

	pci_write16(p->dev, at, (u16)((pci_read16(p->dev, at) & ~clear) | set));
}

static void power(struct port *p, bool on)
{
	slot_control(p, PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC, on ? PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON :
								      PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF);
}

static void plug(struct port *p)
{
	static DEFINE_WAIT_QUEUE(nobody);

	power(p, true);
	(void)wait_event_timeout(&nobody, false, clock_mono_ns() + SETTLE_NS);
	pci_bus_scan(p->dev->below);
	if (list_empty(&p->dev->below->devices))
		pr_warn("pci %s: nothing answers in its slot\n", p->dev->name);
}

static void unplug(struct port *p)
{
	pci_bus_clear(p->dev->below);
	power(p, false);
}

static void act(struct port *p, u32 status)
{
	bool present = status & PCI_EXP_SLTSTA_PDS, used = !list_empty(&p->dev->below->devices);

	if (used && (!present || (status & PCI_EXP_SLTSTA_ABP)))
		unplug(p);
	else if (!used && present && (status & (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC)))
		plug(p);
}

/* hear - note the port's events, and have it forget them; its status as it was.  ports_lock held. */
static u16 hear(struct port *p)
{
	u16 status = pci_read16(p->dev, p->cap + PCI_EXP_SLTSTA);

	if (status & EVENTS)
		pci_write16(p->dev, p->cap + PCI_EXP_SLTSTA, status & EVENTS);	/* written ones are forgotten */
	p->events |= status & EVENTS;
	return status;
}

/* take - a port with events, marked busy; *status: as it is, with all events so far.  NULL: none has any. */
static struct port *take(u32 *status)
{
	struct port *p, *found = NULL;

	spin_lock_irq(&ports_lock);
	list_for_each_entry(p, &ports, link)
		if (!found && p->events) {
			*status = hear(p);
			*status |= p->events;
			p->events = 0;
			p->busy = true;
			found = p;
		}
	spin_unlock_irq(&ports_lock);
	return found;
}

static void hotplug_thread(void *arg)
{
	struct port *p;
	u32 status;

	(void)arg;
	for (;;) {
		wait_event_interruptible(&work_wq, (p = take(&status)));
		if (!p)
			continue;
		act(p, status);
		spin_lock_irq(&ports_lock);
		p->busy = false;
		spin_unlock_irq(&ports_lock);
		wake_up_all(&done_wq);
	}
}

static void port_interrupt(u32 irq, void *arg)
{
	struct port *p = arg;
	bool any;

	(void)irq;
	spin_lock(&ports_lock);
	/* The message is sent when the first bit comes up: look again until all are down.  (Not for ever: a port that is gone reads as ones.) */
	for (u32 n = 0; n < 8 && (hear(p) & EVENTS); n++)
		;
	any = p->events;
	spin_unlock(&ports_lock);
	if (any)
		wake_up(&work_wq);
}

static bool is_busy(struct port *p)
{
	bool busy;

	spin_lock_irq(&ports_lock);
	busy = p->busy;
	spin_unlock_irq(&ports_lock);
	return busy;
}

static int request_irq(struct port *p)
{
	u32 vector = pci_read16(p->dev, p->cap + PCI_EXP_FLAGS) >> 9 & 31;	/* which message the port sends */

	if (pci_msix_count(p->dev) > vector && !pci_msix_enable(p->dev, vector + 1))
		return pci_msix_request(p->dev, vector, ~0u, port_interrupt, p, p->dev->name);
	return pci_intx_request(p->dev, port_interrupt, p);
}

static int port_probe(struct pci_device *d)
{
	u8 cap = pci_cap(d, PCI_CAP_ID_EXP, 0);
	struct port *p;
	int err;

	if (!cap || !d->below || !(pci_read16(d, cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT) ||
	    !(pci_read32(d, cap + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_HPC))
		return -ENODEV;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->dev = d;
	p->cap = cap;
	err = request_irq(p);
	if (!err && !atomic_xchg(&thread_there, true) && !kthread_create(hotplug_thread, NULL, "pci-hotplug"))
		err = -ENOMEM;
	if (err) {
		pci_msix_disable(d);
		pci_intx_free(d);
		kfree(p);
		return err;
	}
	d->driver_data = p;
	spin_lock_irq(&ports_lock);
	list_add_tail(&p->link, &ports);
	spin_unlock_irq(&ports_lock);
	pci_write16(d, cap + PCI_EXP_SLTSTA, EVENTS);
	slot_control(p, 0, PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE);
	return 0;
}

static void port_remove(struct pci_device *d, bool gone)
{
	struct port *p = d->driver_data;

	(void)gone;
	slot_control(p, PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE, 0);
	pci_msix_disable(d);
	pci_intx_free(d);
	spin_lock_irq(&ports_lock);
	list_del(&p->link);
	spin_unlock_irq(&ports_lock);
	wait_event(&done_wq, !is_busy(p));
	kfree(p);
}

static const struct pci_id any_port[] = { { PCI_ANY, PCI_ANY }, { 0 } };
PCI_DRIVER(pcieport, "pcieport", .ids = any_port, .probe = port_probe, .remove = port_remove);
