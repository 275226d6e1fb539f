/* Queues: what split and packed rings have in common.
 *
 * Theory.  A ring is memory that both sides read and write without a lock.  A split ring (ring_split.c) has a table of descriptors, a ring
 * of what the driver makes available and a ring of what the device has used; a packed one (ring_packed.c) has a single ring of
 * descriptors whose flags say whose turn it is.  A request takes an entry for each buffer, or one entry that leads to a table of its own
 * (indirect), which costs an allocation but keeps the ring from filling: it is done when the ring is half full or the request is long.
 *
 * Neither side wants to be told of everything.  The driver kicks only when the device's event index (or flag) asks for it, and publishes its
 * own for interrupts.  Each such exchange is the pattern "publish, full barrier, look at what the other wants" on both sides: of two that
 * do it at once, one sees the other.
 *
 * What the device writes is read once, checked, and used from registers: the id must be of a request that it has, the length within what it
 * may write, the index not further ahead than the ring is long.  All else (chains, lengths, free entries) is kept in slots[], which the
 * device does not see.  A device that breaks a rule is marked broken: its queues take and give nothing from then on.
 *
 * Barriers are for the outer shareable domain (dma_*): right for devices in other domains too, and no dearer.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.2, 2.6 to 2.8. */
#include <drivers/virtio/ring_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

#define DIRECT_MAX	4u	/* buffers of a request that never needs a table */

BUILD_BUG_ON(sizeof(struct vring_desc) != sizeof(struct vring_packed_desc));

static u32 order_of(u64 bytes)
{
	u32 order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

static u32 choose_size(const struct virtqueue_spec *spec, u32 max_size, bool packed)
{
	u32 size = min(min(max_size, RING_MAX_SIZE), spec->max_size ? spec->max_size : RING_DEFAULT_SIZE);

	while (!packed && (size & (size - 1)))	/* a split ring's indices wrap at a power of two */
		size &= size - 1;
	return size;
}

/* All entries are free, and the memory that the device sees is zero. */
static void begin(struct virtio_ring *r)
{
	r->vq.nr_free = r->vq.size;
	r->free_head = 0;
	r->cb_off = false;
	for (u32 i = 0; i < r->vq.size; i++)
		r->slots[i].next = (u16)(i + 1);
	if (r->packed)
		memset(&r->p, 0, sizeof(r->p));
	else
		memset(&r->s, 0, sizeof(r->s));
	(r->packed ? packed_init : split_init)(r, page_address(r->mem), (u32)(r->driver_pa - r->desc_pa), (u32)(r->device_pa - r->desc_pa));
	if (!r->vq.done)
		virtqueue_disable_cb(&r->vq);
}

int ring_create(struct virtio_device *dev, u32 index, const struct virtqueue_spec *spec, u32 max_size, struct virtio_ring **out)
{
	bool packed = virtio_has(dev, VIRTIO_F_RING_PACKED);
	u32 size = choose_size(spec, max_size, packed), driver_off, device_off, bytes;
	struct virtio_ring *r;

	if (!size)
		return -ENOENT;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	bytes = (packed ? packed_size : split_size)(size, &driver_off, &device_off);
	r->order = order_of(bytes);
	r->slots = kcalloc(size, sizeof(*r->slots), GFP_KERNEL);
	r->mem = r->slots ? page_alloc(r->order, GFP_KERNEL | GFP_ZERO) : NULL;
	if (!r->mem) {
		kfree(r->slots);
		kfree(r);
		return -ENOMEM;
	}
	r->vq = (struct virtqueue){ .dev = dev, .name = spec->name, .done = spec->done, .index = index, .cpu = spec->cpu, .size = size, .nr_free = size };
	r->packed = packed;
	r->indirect = virtio_has(dev, VIRTIO_RING_F_INDIRECT_DESC);
	r->event = virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);
	r->strict = !virtio_legacy(dev);
	r->desc_pa = page_to_phys(r->mem);
	r->driver_pa = r->desc_pa + driver_off;
	r->device_pa = r->desc_pa + device_off;
	begin(r);
	*out = r;
	return 0;
}

void ring_restart(struct virtio_ring *r)
{
	while (virtqueue_detach(&r->vq))
		;
	memset(page_address(r->mem), 0, PAGE_SIZE << r->order);
	begin(r);
}

void ring_destroy(struct virtio_ring *r)
{
	while (virtqueue_detach(&r->vq))
		;
	page_free(r->mem, r->order);
	kfree(r->slots);
	kfree(r);
}

static bool use_table(const struct virtio_ring *r, u32 nr)
{
	return r->indirect && nr > 1 && (nr > DIRECT_MAX || r->vq.nr_free < r->vq.size / 2 + nr);
}

int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, u32 nr_out, u32 nr_in, void *token)
{
	struct virtio_ring *r = to_ring(vq);
	u32 nr = nr_out + nr_in, in_len = 0;
	void *table = NULL;

	if (unlikely(!nr || nr_out > vq->size || nr > vq->size || !token))
		return -EINVAL;
	if (unlikely(atomic_load(&vq->dev->broken)))
		return -EIO;
	if (unlikely(!vq->nr_free))
		return -ENOSPC;
	if (use_table(r, nr))
		table = kmalloc(nr * sizeof(struct vring_desc), GFP_ATOMIC);
	if (unlikely(!table && vq->nr_free < nr))
		return -ENOSPC;
	for (u32 i = nr_out; i < nr; i++)
		in_len += bufs[i].len;
	(r->packed ? packed_add : split_add)(r, bufs, nr_out, nr, table, token, in_len);
	return 0;
}

bool virtqueue_kick_prepare(struct virtqueue *vq)
{
	struct virtio_ring *r = to_ring(vq);

	if (unlikely(atomic_load(&vq->dev->broken)))
		return false;
	return r->packed ? packed_kick_prepare(r) : split_kick_prepare(r);
}

bool virtqueue_more(struct virtqueue *vq)
{
	struct virtio_ring *r = to_ring(vq);

	return !atomic_load(&vq->dev->broken) && (r->packed ? packed_more(r) : split_more(r));
}

void *virtqueue_get(struct virtqueue *vq, u32 *len)
{
	struct virtio_ring *r = to_ring(vq);

	if (!virtqueue_more(vq))
		return NULL;
	return r->packed ? packed_get(r, len) : split_get(r, len);
}

/* release - the request's entries are free again. */
static void *release(struct virtio_ring *r, u32 id)
{
	struct ring_slot *slot = &r->slots[id], *last = slot;
	void *token = slot->token;

	kfree(slot->table);
	slot->table = NULL;
	slot->token = NULL;
	if (!r->packed)		/* a packed request has one slot, whatever its entries */
		for (u32 i = 1; i < slot->nr; i++)
			last = &r->slots[last->next];
	last->next = r->free_head;
	r->free_head = (u16)id;
	r->vq.nr_free += slot->nr;
	return token;
}

void *slot_take(struct virtio_ring *r, u32 id, u32 *len)
{
	struct ring_slot *slot;

	if (unlikely(id >= r->vq.size || !r->slots[id].token)) {
		virtio_break(r->vq.dev, "it used a request that it did not have");
		return NULL;
	}
	slot = &r->slots[id];
	if (unlikely(*len > slot->in_len)) {
		if (r->strict) {
			virtio_break(r->vq.dev, "it wrote more than it was given room for");
			return NULL;
		}
		*len = slot->in_len;	/* legacy devices count otherwise (2.6.8.3) */
	}
	return release(r, id);
}

void virtqueue_disable_cb(struct virtqueue *vq)
{
	struct virtio_ring *r = to_ring(vq);

	if (r->cb_off)
		return;
	r->cb_off = true;
	(r->packed ? packed_disable_cb : split_disable_cb)(r);
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	struct virtio_ring *r = to_ring(vq);

	r->cb_off = false;
	(r->packed ? packed_enable_cb : split_enable_cb)(r);
	dma_mb();	/* asked for interrupts before looking; partner: the device's barrier between its use and its look at what we ask */
	return !virtqueue_more(vq);
}

void *virtqueue_detach(struct virtqueue *vq)
{
	struct virtio_ring *r = to_ring(vq);

	for (u32 i = 0; vq->nr_free < vq->size && i < vq->size; i++)
		if (r->slots[i].token)
			return release(r, i);
	return NULL;
}
