/* Split rings: descriptors, the driver's ring of available heads, the device's ring of used ones (VIRTIO 1.2, 2.7).
 *
 * The layout is that of legacy devices, which are told a page number and nothing else: the used part begins at the next 4 KiB. */
#include <drivers/virtio/ring_internal.h>

static u16 *used_event(struct virtio_ring *r) { return &r->s.avail->ring[r->vq.size]; }		/* written by us */
static u16 *avail_event(struct virtio_ring *r) { return (u16 *)&r->s.used->ring[r->vq.size]; }	/* written by the device */

u32 split_size(u32 size, u32 *driver_off, u32 *device_off)
{
	*driver_off = size * (u32)sizeof(struct vring_desc);
	*device_off = ALIGN_UP(*driver_off + 6 + size * 2, RING_ALIGN);
	return *device_off + 6 + size * (u32)sizeof(struct vring_used_elem);
}

void split_init(struct virtio_ring *r, void *mem, u32 driver_off, u32 device_off)
{
	r->s.desc = mem;
	r->s.avail = (struct vring_avail *)((char *)mem + driver_off);
	r->s.used = (struct vring_used *)((char *)mem + device_off);
}

static void fill_table(struct vring_desc *t, const struct virtio_buf *bufs, u32 nr_out, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		t[i] = (struct vring_desc){ bufs[i].addr, bufs[i].len,
					    (u16)((i < nr_out ? 0 : VRING_DESC_F_WRITE) | (i + 1 < nr ? VRING_DESC_F_NEXT : 0)), (u16)(i + 1) };
}

/* The chain of slots is the chain of descriptors: both follow the free list. */
static u16 fill_chain(struct virtio_ring *r, const struct virtio_buf *bufs, u32 nr_out, u32 nr)
{
	u16 at = r->free_head;

	for (u32 i = 0; i < nr; i++) {
		u16 next = r->slots[at].next;

		r->s.desc[at] = (struct vring_desc){ bufs[i].addr, bufs[i].len,
						     (u16)((i < nr_out ? 0 : VRING_DESC_F_WRITE) | (i + 1 < nr ? VRING_DESC_F_NEXT : 0)), next };
		at = next;
	}
	return at;
}

void split_add(struct virtio_ring *r, const struct virtio_buf *bufs, u32 nr_out, u32 nr, void *table, void *token, u32 in_len)
{
	u16 head = r->free_head, entries = table ? 1 : (u16)nr;
	struct ring_slot *slot = &r->slots[head];

	if (table) {
		fill_table(table, bufs, nr_out, nr);
		r->s.desc[head] = (struct vring_desc){ virt_to_phys(table), nr * (u32)sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0 };
		r->free_head = slot->next;
	} else {
		r->free_head = fill_chain(r, bufs, nr_out, nr);
	}
	slot->token = token;
	slot->table = table;
	slot->in_len = in_len;
	slot->nr = entries;
	r->vq.nr_free -= entries;
	r->s.avail->ring[r->s.avail_idx & (r->vq.size - 1)] = head;
	dma_wmb();	/* the request before its index; partner: the device's read barrier after reading the index */
	WRITE_ONCE(r->s.avail->idx, ++r->s.avail_idx);
}

bool split_kick_prepare(struct virtio_ring *r)
{
	u16 old = r->s.kicked, new = r->s.avail_idx;

	if (old == new)
		return false;
	r->s.kicked = new;
	dma_mb();	/* the index before looking whether to tell; partner: the device's between asking for a kick and its last look */
	if (r->event)
		return vring_need_event(READ_ONCE(*avail_event(r)), new, old);
	return !(READ_ONCE(r->s.used->flags) & VRING_USED_F_NO_NOTIFY);
}

bool split_more(struct virtio_ring *r) { return READ_ONCE(r->s.used->idx) != r->s.used_seen; }

void *split_get(struct virtio_ring *r, u32 *len)
{
	const struct vring_used_elem *e = &r->s.used->ring[r->s.used_seen & (r->vq.size - 1)];
	void *token;
	u32 id;

	if (unlikely((u16)(READ_ONCE(r->s.used->idx) - r->s.used_seen) > r->vq.size)) {
		virtio_break(r->vq.dev, "its used index ran ahead of what it was given");
		return NULL;
	}
	dma_rmb();	/* the index before the entry; partner: the device's write barrier between the two */
	id = READ_ONCE(e->id);
	*len = READ_ONCE(e->len);
	token = slot_take(r, id, len);
	if (unlikely(!token))
		return NULL;
	r->s.used_seen++;
	if (r->event && !r->cb_off) {
		WRITE_ONCE(*used_event(r), r->s.used_seen);
		dma_mb();	/* as in virtqueue_enable_cb */
	}
	return token;
}

/* With event indices the index that was asked for is behind by now, and nothing needs to be written. */
void split_disable_cb(struct virtio_ring *r)
{
	if (!r->event)
		WRITE_ONCE(r->s.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

void split_enable_cb(struct virtio_ring *r)
{
	if (r->event)
		WRITE_ONCE(*used_event(r), r->s.used_seen);
	else
		WRITE_ONCE(r->s.avail->flags, 0);
}
