/* virtio: devices and their drivers.
 *
 * Theory.  A transport (mmio.c, pci.c) finds devices and registers them here; the core looks for the driver of the kind, agrees on features,
 * and probes it.  From then on the driver has the device until one of the two goes.  Devices, drivers and their binding are the device
 * model's (the bus virtio); everything that the driver is called for runs under the device's mutex, except the callbacks of queues, which
 * are interrupts.
 *
 * What an interrupt learns and a thread must act on, that the configuration changed or that the device is broken, is a bit in dev->news
 * and a work item.  A broken device is reset before its driver hears of it, so that it touches no memory that the driver then frees; its
 * requests come back by virtqueue_detach.  Nothing revives it but taking it away and back.  One that merely does not answer, its driver may
 * reset and start again (virtio_restart); reset_mutex keeps that apart from the other resets, so that it needs no device mutex, which probe
 * holds while it waits for the first answers.  One that says that it needs a reset (status, 2.1.2) is given one by its driver, RESTARTS times in
 * RESTARTS_NS; then it is broken.  The rings' memory, the interrupts and the features are the same afterwards.
 *
 * Order at the start of a device (VIRTIO 1.2, 3.1.1): reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK (not for legacy ones), queues,
 * DRIVER_OK.  At the end: the driver stops, reset, interrupts freed, queues freed. */
#include <drivers/base/fdt.h>
#include <drivers/virtio/virtio_internal.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/time/time.h>
#include <mm/slab.h>

/* The core's own: rings, and rules of the transport that our code keeps anyway. */
#define CORE_LEGACY	(BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_ANY_LAYOUT))
#define CORE_MODERN	((CORE_LEGACY & ~BIT(VIRTIO_F_ANY_LAYOUT)) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_ORDER_PLATFORM))

enum { NEWS_CONFIG = 1, NEWS_BROKEN = 2 };

#define RESTARTS	5u
#define RESTARTS_NS	(10 * NSEC_PER_SEC)
#define STATUS_GONE	0xff		/* what a slot reads as whose device was pulled out */

static u32 nr_devices;		/* [a] registered so far; names are never used again */

static void add_status(struct virtio_device *dev, u8 bit)
{
	dev->transport->set_status(dev, dev->transport->status(dev) | bit);
}

/* --- configuration */

#define CONFIG_TRIES 100	/* a device that changes it more often while we read is playing with us */

void virtio_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len)
{
	const struct virtio_transport *t = dev->transport;
	u32 tries = 0, generation;

	do {
		generation = t->generation(dev);
		t->config_read(dev, off, buf, len);
	} while (t->generation(dev) != generation && ++tries < CONFIG_TRIES);
	if (tries == CONFIG_TRIES)
		virtio_break(dev, "its configuration never stands still");
}

void virtio_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len)
{
	dev->transport->config_write(dev, off, buf, len);
}

void config_copy_in(volatile void *base, u32 off, void *buf, u32 len)
{
	u32 width = (len == 2 || len == 4 || len == 8) && !(off & (min(len, 4u) - 1)) ? min(len, 4u) : 1;

	for (u32 i = 0; i < len; i += width) {
		u32 v = width == 4 ? mmio_read32(base, off + i) : width == 2 ? mmio_read16(base, off + i) : mmio_read8(base, off + i);

		memcpy((u8 *)buf + i, &v, width);
	}
}

void config_copy_out(volatile void *base, u32 off, const void *buf, u32 len)
{
	u32 width = (len == 2 || len == 4 || len == 8) && !(off & (min(len, 4u) - 1)) ? min(len, 4u) : 1;

	for (u32 i = 0; i < len; i += width) {
		u32 v = 0;

		memcpy(&v, (const u8 *)buf + i, width);
		if (width == 4)
			mmio_write32(base, off + i, v);
		else if (width == 2)
			mmio_write16(base, off + i, (u16)v);
		else
			mmio_write8(base, off + i, (u8)v);
	}
}

/* --- queues */

static void queues_destroy(struct virtio_device *dev)
{
	for (u32 i = 0; i < dev->nr_queues; i++)
		if (dev->queues[i])
			ring_destroy(to_ring(dev->queues[i]));
	kfree(dev->queues);
	dev->queues = NULL;
	dev->nr_queues = 0;
}

int virtio_queues(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs)
{
	const struct virtio_transport *t = dev->transport;
	int err;

	ASSERT(!dev->queues);
	dev->queues = kcalloc(nr, sizeof(*dev->queues), GFP_KERNEL);
	if (!dev->queues)
		return -ENOMEM;
	dev->nr_queues = nr;
	for (u32 i = 0; i < nr; i++) {
		struct virtio_ring *r;

		if (!specs[i].name)
			continue;
		err = ring_create(dev, i, &specs[i], t->queue_max(dev, i), &r);
		if (err)
			return err;
		dev->queues[i] = &r->vq;
	}
	err = t->irqs_request(dev, nr, specs);
	for (u32 i = 0; i < nr && !err; i++)
		if (dev->queues[i])
			err = t->queue_enable(dev, to_ring(dev->queues[i]));
	return err;		/* the probe fails, and what is there goes with it */
}

void virtqueue_notify(struct virtqueue *vq) { vq->dev->transport->notify(to_ring(vq)); }

void virtio_ready(struct virtio_device *dev)
{
	mutex_lock(&dev->reset_mutex);
	atomic_store_release(&dev->live, true);	/* with all that the callbacks want to find */
	if (!dev->ready)
		add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
	dev->ready = true;
	mutex_unlock(&dev->reset_mutex);
}

/* reset_mutex held. */
static void reset(struct virtio_device *dev)
{
	dev->ready = false;
	atomic_store(&dev->live, false);
	if (dev->transport->reset(dev))
		pr_err("%s: it does not reset\n", dev->name);
	dev->transport->irqs_free(dev);
}

void virtio_reset(struct virtio_device *dev)
{
	mutex_lock(&dev->reset_mutex);
	reset(dev);
	mutex_unlock(&dev->reset_mutex);
}

static int agree(struct virtio_device *dev, u64 features);

/* After a reset: everything as it was. */
static int start_again(struct virtio_device *dev)
{
	const struct virtio_transport *t = dev->transport;
	struct virtqueue_spec *specs = kcalloc(dev->nr_queues, sizeof(*specs), GFP_NOIO);
	int err = specs ? 0 : -ENOMEM;

	add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	if (!err && (t->features(dev) & dev->features) != dev->features)
		err = -ENODEV;
	if (!err)
		err = agree(dev, dev->features);
	for (u32 i = 0; i < dev->nr_queues && !err; i++) {
		struct virtqueue *vq = dev->queues[i];

		if (!vq)
			continue;
		ring_restart(to_ring(vq));
		specs[i] = (struct virtqueue_spec){ .name = vq->name, .done = vq->done, .cpu = vq->cpu };
		if (t->queue_max(dev, i) < vq->size)
			err = -ENODEV;
	}
	if (!err)
		err = t->irqs_request(dev, dev->nr_queues, specs);
	for (u32 i = 0; i < dev->nr_queues && !err; i++)
		if (dev->queues[i])
			err = t->queue_enable(dev, to_ring(dev->queues[i]));
	if (!err) {
		atomic_store_release(&dev->live, true);
		add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
	}
	kfree(specs);
	return err;
}

int virtio_restart(struct virtio_device *dev, void (*was_reset)(struct virtio_device *dev), void (*restarted)(struct virtio_device *dev))
{
	int err;

	mutex_lock(&dev->reset_mutex);
	if (!dev->ready || atomic_load(&dev->broken)) {
		mutex_unlock(&dev->reset_mutex);
		return -ENODEV;
	}
	reset(dev);
	if (was_reset)
		was_reset(dev);
	err = start_again(dev);
	dev->ready = !err;
	if (!err && restarted)
		restarted(dev);
	mutex_unlock(&dev->reset_mutex);
	if (!err)
		return 0;
	pr_err("%s: it cannot be started again, error %d\n", dev->name, err);
	virtio_break(dev, "it was reset, and does not come back");
	return -EIO;
}

/* --- news from interrupts */

static void tell(struct virtio_device *dev, u32 what)
{
	atomic_fetch_or(&dev->news, what);
	work_queue(&dev->work);
}

void virtio_break(struct virtio_device *dev, const char *why)
{
	if (atomic_xchg(&dev->broken, true))
		return;
	pr_err("%s: the device is broken: %s\n", dev->name, why);
	tell(dev, NEWS_BROKEN);
}

void virtio_config_irq(struct virtio_device *dev) { tell(dev, NEWS_CONFIG); }

/* A line or a message may still hold an interrupt of the device that had it before: none counts until the driver is ready for them. */
void virtio_vq_irq(struct virtqueue *vq)
{
	if (likely(atomic_load_acquire(&vq->dev->live)))
		vq->done(vq);
}

void virtio_queue_irq(struct virtio_device *dev)
{
	for (u32 i = 0; i < dev->nr_queues; i++)
		if (dev->queues[i] && dev->queues[i]->done)
			virtio_vq_irq(dev->queues[i]);
}

bool virtio_asks_reset(struct virtio_device *dev)
{
	u8 status = dev->transport->status(dev);

	return status != STATUS_GONE && (status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* The device asks to be reset.  True: it was, and goes on. */
static bool give_reset(struct virtio_device *dev)
{
	u64 now = clock_mono_ns();
	int err;

	if (!dev->driver->restart) {
		virtio_break(dev, "it asks to be reset");	/* which queues the work again */
		return false;
	}
	if (now - dev->restarts_ns > RESTARTS_NS) {
		dev->restarts_ns = now;
		dev->nr_restarts = 0;
	}
	if (++dev->nr_restarts > RESTARTS) {
		virtio_break(dev, "it asks to be reset again and again");
		return false;
	}
	err = dev->driver->restart(dev);
	if (!err)
		pr_warn("%s: it asked to be reset, and was started again\n", dev->name);
	else if (err != -ENODEV)
		virtio_break(dev, "its driver could not start it again");
	return !err;
}

static void news_work(struct work *w)
{
	struct virtio_device *dev = container_of(w, struct virtio_device, work);
	u32 news = atomic_xchg(&dev->news, 0u);

	mutex_lock_nested(&dev->device.mutex, dev->device.depth);
	if (dev->driver && !atomic_load(&dev->broken) && virtio_asks_reset(dev) && give_reset(dev))
		news |= NEWS_CONFIG;
	if (dev->driver && (news & NEWS_CONFIG) && !atomic_load(&dev->broken) && dev->driver->config_changed)
		dev->driver->config_changed(dev);
	if (dev->driver && (news & NEWS_BROKEN)) {
		virtio_reset(dev);
		add_status(dev, VIRTIO_CONFIG_S_FAILED);
		if (dev->driver->failed)
			dev->driver->failed(dev);
	}
	mutex_unlock(&dev->device.mutex);
}

/* --- coming and going */

static int agree(struct virtio_device *dev, u64 features)
{
	const struct virtio_transport *t = dev->transport;

	t->set_features(dev, features);
	if (!(features >> VIRTIO_F_VERSION_1 & 1))
		return 0;
	add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(t->status(dev) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		pr_err("%s: it refuses the features %lx of %lx\n", dev->name, features, t->features(dev));
		return -ENODEV;
	}
	return 0;
}

/* negotiate - agree on what device and driver both know. */
static int negotiate(struct virtio_device *dev, const struct virtio_driver *driver)
{
	u64 offered = dev->transport->features(dev);
	bool modern = offered >> VIRTIO_F_VERSION_1 & 1;

	dev->features = offered & (driver->features | (modern ? CORE_MODERN : CORE_LEGACY)) & (modern ? ~0ul : 0xfffffffful);
	return agree(dev, dev->features);
}

static int probe(struct virtio_device *dev, const struct virtio_driver *driver)
{
	int err = dev->transport->reset(dev);

	if (err)
		return err;
	atomic_store(&dev->broken, false);
	atomic_store(&dev->news, 0u);
	dev->nr_restarts = 0;
	add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	err = negotiate(dev, driver);
	if (!err)
		err = driver->probe(dev);
	if (!err) {
		dev->driver = driver;
		virtio_ready(dev);
		return 0;
	}
	virtio_reset(dev);
	queues_destroy(dev);
	add_status(dev, VIRTIO_CONFIG_S_FAILED);
	return err;
}

/* --- the bus */

static struct virtio_driver *driver_of(const struct device_driver *drv) { return container_of(drv, struct virtio_driver, driver); }
static bool bus_match(const struct device *d, const struct device_driver *drv) { return to_virtio((struct device *)d)->id == driver_of(drv)->id; }

static int bus_probe(struct device *d, struct device_driver *drv)
{
	struct virtio_device *dev = to_virtio(d);
	int err = probe(dev, driver_of(drv));

	if (!err)
		pr_info("%s: %s by %s, features %lx\n", dev->name, drv->name, dev->transport->name, dev->features);
	return err;
}

static void bus_remove(struct device *d, struct device_driver *drv)
{
	struct virtio_device *dev = to_virtio(d);

	driver_of(drv)->remove(dev);
	virtio_reset(dev);	/* whether or not the driver did */
	queues_destroy(dev);
	dev->driver = NULL;
}

/* At power-off: the device stops touching memory; nothing is given back. */
static void bus_shutdown(struct device *d)
{
	struct virtio_device *dev = to_virtio(d);

	if (dev->driver && dev->transport->reset(dev))
		pr_warn("%s: it does not reset\n", dev->name);
}

static void bus_uevent(const struct device *d, struct seq *s)
{
	const struct virtio_device *dev = to_virtio((struct device *)d);

	seq_printf(s, "MODALIAS=virtio:d%08Xv%08X\n", dev->id, dev->vendor);
}

static int id_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", to_virtio(d)->id); return 0; }
static int vendor_show(struct seq *s, void *d) { seq_printf(s, "0x%04x\n", to_virtio(d)->vendor); return 0; }
static int modalias_show(struct seq *s, void *d) { seq_printf(s, "virtio:d%08Xv%08X\n", to_virtio(d)->id, to_virtio(d)->vendor); return 0; }

static int status_show(struct seq *s, void *d)
{
	seq_printf(s, "0x%08x\n", to_virtio(d)->transport->status(to_virtio(d)));
	return 0;
}

static int features_show(struct seq *s, void *d)
{
	for (u32 i = 0; i < 64; i++)
		seq_putc(s, virtio_has(to_virtio(d), i) ? '1' : '0');
	seq_putc(s, '\n');
	return 0;
}

static const struct attr dev_attrs[] = {
	{ .name = "device", .show = id_show }, { .name = "vendor", .show = vendor_show }, { .name = "status", .show = status_show },
	{ .name = "modalias", .show = modalias_show }, { .name = "features", .show = features_show }, { 0 },
};
static const struct attr_group dev_group = { .attrs = dev_attrs };
static const struct attr_group *const dev_groups[] = { &dev_group, NULL };
struct bus virtio_bus = {
	.name = "virtio", .match = bus_match, .probe = bus_probe, .remove = bus_remove, .shutdown = bus_shutdown, .uevent = bus_uevent,
	.dev_groups = dev_groups,
};
BUS(virtio_bus);

int virtio_register(struct virtio_device *dev, struct device *parent, void (*release)(struct device *d))
{
	int err;

	scnprintf(dev->name, sizeof(dev->name), "virtio%u", atomic_add_return(&nr_devices, 1u) - 1);
	work_init(&dev->work, news_work);
	mutex_init(&dev->reset_mutex, LC_VIRTIO);
	device_init(&dev->device);
	device_set_name(&dev->device, "%s", dev->name);
	dev->device.bus = &virtio_bus;
	dev->device.parent = parent;
	dev->device.release = release;
	err = device_add(&dev->device);
	if (err) {
		pr_err("%s: cannot be added, error %d\n", dev->name, err);
		device_put(&dev->device);
	}
	return err;
}

void virtio_unregister(struct virtio_device *dev, bool gone)
{
	if (gone)
		atomic_store(&dev->broken, true);
	device_del(&dev->device);
	(void)work_cancel(&dev->work);		/* which no interrupt queues any more */
	device_put(&dev->device);
}
