/* virtio devices on PCI, by the modern interface (VIRTIO 1.2, 4.1): transitional ones (device ids 0x1000 to 0x103f) have it too.
 *
 * Vendor capabilities say where in the BARs the four structures stand: common configuration, notifications, interrupt status, the device's
 * own.  With MSI-X the first vector is for the configuration and each queue that wants callbacks has one of its own, at the CPU that it asks
 * for; if there are not so many, the queues share one.  Without MSI-X all share the device's line and the status says what happened. */
#include <drivers/pci/pci.h>
#include <drivers/virtio/virtio_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/time/time.h>
#include <linux/virtio_pci.h>
#include <mm/slab.h>

#define VENDOR		0x1af4u
#define FIRST_OLD	0x1000u
#define FIRST_MODERN	0x1040u
#define LAST		0x107fu
#define RESET_NS	(1 * NSEC_PER_SEC)

struct window { volatile void *base; u32 len; };

struct pci_virtio {
	struct virtio_device dev;
	struct pci_device *pci;			/* [I] */
	struct window common, notify, isr, config;	/* [I] */
	u32 notify_step;			/* [I] */
	bool shared;				/* the queues share vector 1 */
};
static struct pci_virtio *to_pv(struct virtio_device *dev) { return container_of(dev, struct pci_virtio, dev); }
static volatile void *common(struct virtio_device *dev) { return to_pv(dev)->common.base; }
static bool pulled_out(struct pci_virtio *v) { return pci_read16(v->pci, PCI_VENDOR_ID) == 0xffff; }

static u64 pv_features(struct virtio_device *dev)
{
	u64 features;

	mmio_write32(common(dev), VIRTIO_PCI_COMMON_DFSELECT, 1);
	features = (u64)mmio_read32(common(dev), VIRTIO_PCI_COMMON_DF) << 32;
	mmio_write32(common(dev), VIRTIO_PCI_COMMON_DFSELECT, 0);
	return features | mmio_read32(common(dev), VIRTIO_PCI_COMMON_DF);
}

static void pv_set_features(struct virtio_device *dev, u64 features)
{
	for (u32 half = 0; half < 2; half++) {
		mmio_write32(common(dev), VIRTIO_PCI_COMMON_GFSELECT, half);
		mmio_write32(common(dev), VIRTIO_PCI_COMMON_GF, (u32)(features >> (half * 32)));
	}
}

static u8 pv_status(struct virtio_device *dev) { return mmio_read8(common(dev), VIRTIO_PCI_COMMON_STATUS); }

static void pv_set_status(struct virtio_device *dev, u8 status)
{
	dma_mb();	/* queues as set up, before the device is let at them */
	mmio_write8(common(dev), VIRTIO_PCI_COMMON_STATUS, status);
}

/* The device says when it is done by reading as 0 (4.1.4.3.2); QEMU's does at once. */
static int pv_reset(struct virtio_device *dev)
{
	u64 until = clock_mono_ns() + RESET_NS;

	mmio_write8(common(dev), VIRTIO_PCI_COMMON_STATUS, 0);
	while (pv_status(dev)) {
		if (pulled_out(to_pv(dev)))
			return 0;
		if (clock_mono_ns() > until)
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

static u32 pv_generation(struct virtio_device *dev) { return mmio_read8(common(dev), VIRTIO_PCI_COMMON_CFGGENERATION); }

static void pv_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len)
{
	struct window *w = &to_pv(dev)->config;

	memset(buf, 0, len);		/* fields that the device does not have */
	if (off < w->len && w->len - off >= len)
		config_copy_in(w->base, off, buf, len);
}

static void pv_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len)
{
	struct window *w = &to_pv(dev)->config;

	if (off < w->len && w->len - off >= len)
		config_copy_out(w->base, off, buf, len);
}

/* --- interrupts */

static void config_message(u32 irq, void *arg) { (void)irq; virtio_config_irq(arg); }
static void queues_message(u32 irq, void *arg) { (void)irq; virtio_queue_irq(arg); }

static void queue_message(u32 irq, void *arg)
{
	struct virtqueue *vq = arg;

	(void)irq;
	virtio_vq_irq(vq);
}

static void line_interrupt(u32 irq, void *arg)
{
	struct pci_virtio *v = arg;
	u8 isr = mmio_read8(v->isr.base, 0);	/* reading acknowledges */

	(void)irq;
	if (isr == 0xff)
		return;				/* pulled out */
	if (isr & VIRTIO_PCI_ISR_CONFIG)
		virtio_config_irq(&v->dev);
	if (isr & 1)
		virtio_queue_irq(&v->dev);
}

static u16 vector_of(struct pci_virtio *v, u32 queue)
{
	u16 vector = 1;

	if (!v->pci->nr_vectors || !v->dev.queues[queue]->done)
		return VIRTIO_MSI_NO_VECTOR;
	for (u32 i = 0; i < queue && !v->shared; i++)
		vector = (u16)(vector + (v->dev.queues[i] && v->dev.queues[i]->done));
	return vector;
}

static int request_vectors(struct pci_virtio *v, u32 nr)
{
	struct virtio_device *dev = &v->dev;
	char name[28];
	int err;

	scnprintf(name, sizeof(name), "%s-config", dev->name);
	err = pci_msix_request(v->pci, 0, ~0u, config_message, dev, name);
	if (!err && v->shared) {
		scnprintf(name, sizeof(name), "%s-virtqueues", dev->name);
		return pci_msix_request(v->pci, 1, ~0u, queues_message, dev, name);
	}
	for (u32 i = 0; i < nr && !err; i++) {
		struct virtqueue *vq = dev->queues[i];

		if (!vq)
			continue;
		if (nr == 1)
			scnprintf(name, sizeof(name), "%s-%s", dev->name, vq->name);
		else
			scnprintf(name, sizeof(name), "%s-%s.%u", dev->name, vq->name, i);
		if (vq->done)
			err = pci_msix_request(v->pci, vector_of(v, i), vq->cpu, queue_message, vq, name);
	}
	return err;
}

static int pv_irqs_request(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs)
{
	struct pci_virtio *v = to_pv(dev);
	u32 wanted = 1, count = pci_msix_count(v->pci);
	int err = -ENOSPC;

	for (u32 i = 0; i < nr; i++)
		wanted += specs[i].done != NULL;
	v->shared = false;
	if (count >= wanted)
		err = pci_msix_enable(v->pci, wanted);
	if (err && count >= 2 && wanted > 2) {
		v->shared = true;
		err = pci_msix_enable(v->pci, 2);
	}
	if (err)
		return pci_intx_request(v->pci, line_interrupt, v);
	err = request_vectors(v, nr);
	if (err)
		return err;
	mmio_write16(common(dev), VIRTIO_PCI_COMMON_MSIX, 0);
	return mmio_read16(common(dev), VIRTIO_PCI_COMMON_MSIX) == 0 ? 0 : -EBUSY;
}

static void pv_irqs_free(struct virtio_device *dev)
{
	pci_msix_disable(to_pv(dev)->pci);
	pci_intx_free(to_pv(dev)->pci);
}

/* --- queues */

static void select(struct virtio_device *dev, u32 index) { mmio_write16(common(dev), VIRTIO_PCI_COMMON_Q_SELECT, (u16)index); }

static u32 pv_queue_max(struct virtio_device *dev, u32 index)
{
	if (index >= mmio_read16(common(dev), VIRTIO_PCI_COMMON_NUMQ))
		return 0;
	select(dev, index);
	if (mmio_read16(common(dev), VIRTIO_PCI_COMMON_Q_ENABLE))
		return 0;	/* in use, which after a reset it cannot be */
	return mmio_read16(common(dev), VIRTIO_PCI_COMMON_Q_SIZE);
}

static void set_address(struct virtio_device *dev, u32 low, paddr_t pa)
{
	mmio_write32(common(dev), low, (u32)pa);
	mmio_write32(common(dev), low + 4, (u32)(pa >> 32));
}

static int pv_queue_enable(struct virtio_device *dev, struct virtio_ring *r)
{
	struct pci_virtio *v = to_pv(dev);
	u16 vector = vector_of(v, r->vq.index);
	u64 where;

	select(dev, r->vq.index);
	mmio_write16(common(dev), VIRTIO_PCI_COMMON_Q_SIZE, (u16)r->vq.size);
	if (v->pci->nr_vectors) {
		mmio_write16(common(dev), VIRTIO_PCI_COMMON_Q_MSIX, vector);
		if (mmio_read16(common(dev), VIRTIO_PCI_COMMON_Q_MSIX) != vector)
			return -EBUSY;
	}
	where = (u64)mmio_read16(common(dev), VIRTIO_PCI_COMMON_Q_NOFF) * v->notify_step;
	if (where + 2 > v->notify.len)
		return -EINVAL;
	r->notify = (u64)v->notify.base + where;
	set_address(dev, VIRTIO_PCI_COMMON_Q_DESCLO, r->desc_pa);
	set_address(dev, VIRTIO_PCI_COMMON_Q_AVAILLO, r->driver_pa);
	set_address(dev, VIRTIO_PCI_COMMON_Q_USEDLO, r->device_pa);
	mmio_write16(common(dev), VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	return 0;
}

static void pv_notify(struct virtio_ring *r)
{
	dma_wmb();	/* what was added, before the device is sent to look */
	mmio_write16((volatile void *)r->notify, 0, (u16)r->vq.index);
}

static const struct virtio_transport pci = {
	.name = "pci", .features = pv_features, .set_features = pv_set_features, .status = pv_status, .set_status = pv_set_status,
	.reset = pv_reset, .generation = pv_generation, .config_read = pv_config_read, .config_write = pv_config_write,
	.irqs_request = pv_irqs_request, .irqs_free = pv_irqs_free, .queue_max = pv_queue_max, .queue_enable = pv_queue_enable,
	.notify = pv_notify,
};

/* --- finding them */

/* find_window - the first capability of that type whose place is there; the device may offer several, and the first is the best. */
static struct window find_window(struct pci_device *d, u8 type, u32 min_len, u8 *where)
{
	for (u8 cap = pci_cap(d, PCI_CAP_ID_VNDR, 0); cap; cap = pci_cap(d, PCI_CAP_ID_VNDR, cap)) {
		u32 off = pci_read32(d, cap + VIRTIO_PCI_CAP_OFFSET), len = pci_read32(d, cap + VIRTIO_PCI_CAP_LENGTH);
		volatile void *base;

		if (pci_read8(d, cap + VIRTIO_PCI_CAP_CFG_TYPE) != type || len < min_len)
			continue;
		base = pci_map(d, pci_read8(d, cap + VIRTIO_PCI_CAP_BAR), off, len);
		if (!base)
			continue;
		*where = cap;
		return (struct window){ base, len };
	}
	return (struct window){ NULL, 0 };
}

static void pv_release(struct device *d) { kfree(to_pv(to_virtio(d))); }

static int pv_probe(struct pci_device *d)
{
	struct pci_virtio *v;
	u8 cap;
	int err;

	if (d->id < FIRST_OLD || d->id > LAST)
		return -ENODEV;
	v = kzalloc(sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	v->pci = d;
	v->common = find_window(d, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_Q_NDATA, &cap);
	v->isr = find_window(d, VIRTIO_PCI_CAP_ISR_CFG, 1, &cap);
	v->config = find_window(d, VIRTIO_PCI_CAP_DEVICE_CFG, 4, &cap);	/* a device may have none */
	v->notify = find_window(d, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &cap);
	if (!v->common.base || !v->isr.base || !v->notify.base) {
		kfree(v);
		pr_err("pci %s: a virtio device without the modern interface\n", d->name);
		return -ENODEV;
	}
	v->notify_step = pci_read32(d, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
	v->dev.transport = &pci;
	v->dev.id = d->id >= FIRST_MODERN ? d->id - FIRST_MODERN : d->subsystem;
	v->dev.vendor = d->vendor;
	d->driver_data = v;
	pci_enable(d);
	err = virtio_register(&v->dev, &d->device, pv_release);
	if (err)
		pci_disable(d);
	return err;
}

static void pv_remove(struct pci_device *d, bool gone)
{
	struct pci_virtio *v = d->driver_data;

	virtio_unregister(&v->dev, gone);
	pci_disable(d);
}

static const struct pci_id ids[] = { { VENDOR, PCI_ANY }, { 0 } };
PCI_DRIVER(virtio_pci, "virtio-pci", .ids = ids, .probe = pv_probe, .remove = pv_remove);
