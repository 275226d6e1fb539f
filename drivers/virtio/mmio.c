/* virtio devices in memory-mapped registers, found in the device tree (VIRTIO 1.2, 4.2): version 2, and legacy version 1.
 *
 * QEMU's virt machine has 32 such slots, most of them empty: an empty one costs a look at its registers and nothing else.
 * A legacy device is told the page where a queue begins and lays out the rest by itself; it has no FEATURES_OK and no generation. */
#include <drivers/base/fdt.h>
#include <drivers/virtio/virtio_internal.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <linux/virtio_mmio.h>
#include <mm/slab.h>

#define MAGIC 0x74726976u	/* "virt" */

struct mmio_device {
	struct virtio_device dev;
	volatile void *base;	/* [I] */
	bool legacy;		/* [I] */
	bool irq_there;
	bool edge;		/* [I] */
	u32 irq;		/* [I] */
};
static struct mmio_device *to_mmio(struct virtio_device *dev) { return container_of(dev, struct mmio_device, dev); }
static u32 get(struct virtio_device *dev, u32 reg) { return mmio_read32(to_mmio(dev)->base, reg); }
static void set(struct virtio_device *dev, u32 reg, u32 v) { mmio_write32(to_mmio(dev)->base, reg, v); }

static u64 mmio_features(struct virtio_device *dev)
{
	u64 features;

	set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	features = to_mmio(dev)->legacy ? 0 : (u64)get(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return features | get(dev, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void mmio_set_features(struct virtio_device *dev, u64 features)
{
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(features >> 32));
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (u32)features);
}

static u8 mmio_status(struct virtio_device *dev) { return (u8)get(dev, VIRTIO_MMIO_STATUS); }

static void mmio_set_status(struct virtio_device *dev, u8 status)
{
	dma_mb();	/* queues as set up, before the device is let at them */
	set(dev, VIRTIO_MMIO_STATUS, status);
}

/* The write is the reset: it is done when it returns (4.2.3.1). */
static int mmio_reset(struct virtio_device *dev)
{
	set(dev, VIRTIO_MMIO_STATUS, 0);
	if (to_mmio(dev)->legacy)
		set(dev, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
	return 0;
}

static u32 mmio_generation(struct virtio_device *dev) { return to_mmio(dev)->legacy ? 0 : get(dev, VIRTIO_MMIO_CONFIG_GENERATION); }

static void mmio_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len)
{
	config_copy_in(to_mmio(dev)->base, VIRTIO_MMIO_CONFIG + off, buf, len);
}

static void mmio_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len)
{
	config_copy_out(to_mmio(dev)->base, VIRTIO_MMIO_CONFIG + off, buf, len);
}

/* One line for everything; what is acknowledged before the queues are looked at comes again if it happens again. */
static void mmio_interrupt(u32 irq, void *arg)
{
	struct mmio_device *m = arg;
	u32 status = mmio_read32(m->base, VIRTIO_MMIO_INTERRUPT_STATUS);

	(void)irq;
	mmio_write32(m->base, VIRTIO_MMIO_INTERRUPT_ACK, status);
	if (status & VIRTIO_MMIO_INT_CONFIG)
		virtio_config_irq(&m->dev);
	if (status & VIRTIO_MMIO_INT_VRING)
		virtio_queue_irq(&m->dev);
}

static int mmio_irqs_request(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs)
{
	struct mmio_device *m = to_mmio(dev);
	int err = irq_request(m->irq, mmio_interrupt, m, m->edge ? IRQ_EDGE : 0, dev->name);

	(void)nr; (void)specs;
	m->irq_there = !err;
	return err;
}

static void mmio_irqs_free(struct virtio_device *dev)
{
	struct mmio_device *m = to_mmio(dev);

	if (m->irq_there)
		irq_free(m->irq);
	m->irq_there = false;
}

static u32 mmio_queue_max(struct virtio_device *dev, u32 index)
{
	set(dev, VIRTIO_MMIO_QUEUE_SEL, index);
	if (get(dev, to_mmio(dev)->legacy ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY))
		return 0;	/* in use, which after a reset it cannot be */
	return get(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static void set_address(struct virtio_device *dev, u32 low, paddr_t pa)
{
	set(dev, low, (u32)pa);
	set(dev, low + 4, (u32)(pa >> 32));
}

static int mmio_queue_enable(struct virtio_device *dev, struct virtio_ring *r)
{
	set(dev, VIRTIO_MMIO_QUEUE_SEL, r->vq.index);
	set(dev, VIRTIO_MMIO_QUEUE_NUM, r->vq.size);
	if (to_mmio(dev)->legacy) {
		if (r->desc_pa >> PAGE_SHIFT > ~0u)
			return -ENOMEM;
		set(dev, VIRTIO_MMIO_QUEUE_ALIGN, RING_ALIGN);
		set(dev, VIRTIO_MMIO_QUEUE_PFN, (u32)(r->desc_pa >> PAGE_SHIFT));
		return 0;
	}
	set_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, r->desc_pa);
	set_address(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, r->driver_pa);
	set_address(dev, VIRTIO_MMIO_QUEUE_USED_LOW, r->device_pa);
	set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtio_ring *r)
{
	dma_wmb();	/* what was added, before the device is sent to look */
	set(r->vq.dev, VIRTIO_MMIO_QUEUE_NOTIFY, r->vq.index);
}

static const struct virtio_transport mmio = {
	.name = "mmio", .features = mmio_features, .set_features = mmio_set_features, .status = mmio_status, .set_status = mmio_set_status,
	.reset = mmio_reset, .generation = mmio_generation, .config_read = mmio_config_read, .config_write = mmio_config_write,
	.irqs_request = mmio_irqs_request, .irqs_free = mmio_irqs_free, .queue_max = mmio_queue_max, .queue_enable = mmio_queue_enable,
	.notify = mmio_notify,
};

static void mmio_release(struct device *d) { kfree(to_mmio(to_virtio(d))); }

static int mmio_probe(int node)
{
	struct mmio_device *m;
	volatile void *base;
	u64 addr, size;
	u32 id, version;

	if (fdt_reg(node, 0, &addr, &size) || size < VIRTIO_MMIO_CONFIG)
		return -EINVAL;
	base = ioremap(addr, size);
	if (!base)
		return -ENOMEM;
	id = mmio_read32(base, VIRTIO_MMIO_DEVICE_ID);
	if (!id)
		return -ENODEV;		/* an empty slot */
	version = mmio_read32(base, VIRTIO_MMIO_VERSION);
	if (mmio_read32(base, VIRTIO_MMIO_MAGIC_VALUE) != MAGIC || version < 1 || version > 2)
		return -EINVAL;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->base = base;
	m->legacy = version == 1;
	if (fdt_irq(node, 0, &m->irq, &m->edge)) {
		kfree(m);
		return -EINVAL;
	}
	m->dev.transport = &mmio;
	m->dev.id = id;
	m->dev.vendor = mmio_read32(base, VIRTIO_MMIO_VENDOR_ID);
	return virtio_register(&m->dev, platform_device(node), mmio_release);
}

static const char *const match[] = { "virtio,mmio", NULL };
DRIVER(virtio_mmio, .match = match, .probe = mmio_probe, .level = DRIVER_DEVICE);
