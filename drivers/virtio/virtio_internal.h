/* Between the virtio core and its transports. */
#pragma once
#include <drivers/virtio/ring_internal.h>
#include <drivers/virtio/virtio.h>

/* How a device is reached.  Context: thread, unless it says otherwise. */
struct virtio_transport {
	const char *name;
	u64 (*features)(struct virtio_device *dev);			/* what the device offers */
	void (*set_features)(struct virtio_device *dev, u64 features);
	u8 (*status)(struct virtio_device *dev);
	void (*set_status)(struct virtio_device *dev, u8 status);	/* not 0 */
	/* reset - status 0, and wait until the device says that it is done; -ETIMEDOUT if it does not. */
	int (*reset)(struct virtio_device *dev);
	u32 (*generation)(struct virtio_device *dev);			/* of the configuration; always 0 if it has none */
	void (*config_read)(struct virtio_device *dev, u32 off, void *buf, u32 len);
	void (*config_write)(struct virtio_device *dev, u32 off, const void *buf, u32 len);
	/* irqs_request - for nr queues by specs, and for changes of the configuration.  irqs_free - none comes any more, none runs. */
	int (*irqs_request)(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs);
	void (*irqs_free)(struct virtio_device *dev);
	u32 (*queue_max)(struct virtio_device *dev, u32 index);		/* entries; 0: no such queue */
	int (*queue_enable)(struct virtio_device *dev, struct virtio_ring *r);
	void (*notify)(struct virtio_ring *r);				/* Context: any */
};

/* virtio_register - a device with transport, id and vendor set is there, behind parent; release frees it when nobody refers to it any more.
 * If there is a driver it is probed.  0; after an error (of device_add) it is released.  virtio_unregister - it goes, or its transport does:
 * the driver lets go of it, and the reference is put.  gone: it answers nothing any more (pulled out).
 * Context: thread, may sleep; unregister not from a work item. */
int virtio_register(struct virtio_device *dev, struct device *parent, void (*release)(struct device *d));
void virtio_unregister(struct virtio_device *dev, bool gone);
static inline struct virtio_device *to_virtio(struct device *d) { return container_of(d, struct virtio_device, device); }

/* What an interrupt says.  virtio_vq_irq - of that queue: its callback.  virtio_queue_irq - of any queue.  Context: irq. */
void virtio_config_irq(struct virtio_device *dev);
void virtio_queue_irq(struct virtio_device *dev);
void virtio_vq_irq(struct virtqueue *vq);

/* config_copy_in, config_copy_out - configuration in memory at base + off: fields by their own width (VIRTIO 1.2, 4.1.3.1, 4.2.2.2), what is
 * no single field by bytes. */
void config_copy_in(volatile void *base, u32 off, void *buf, u32 len);
void config_copy_out(volatile void *base, u32 off, const void *buf, u32 len);
