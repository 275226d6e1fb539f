/* Packed rings: one ring of descriptors, written by both sides (VIRTIO 1.2, 2.8).
 *
 * A descriptor's AVAIL and USED flags are compared with a wrap counter that each side turns at the ring's end: an entry is available when
 * they are AVAIL = counter, USED = not, and used when both are the counter.  The first descriptor of a request is written last, so a request
 * appears at once.  The id, which comes back with the used descriptor, is the request's slot. */
#include <drivers/virtio/ring_internal.h>

#define F_AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED	(1u << VRING_PACKED_DESC_F_USED)

u32 packed_size(u32 size, u32 *driver_off, u32 *device_off)
{
	*driver_off = size * (u32)sizeof(struct vring_packed_desc);
	*device_off = *driver_off + (u32)sizeof(struct vring_packed_desc_event);
	return *device_off + (u32)sizeof(struct vring_packed_desc_event);
}

void packed_init(struct virtio_ring *r, void *mem, u32 driver_off, u32 device_off)
{
	r->p.desc = mem;
	r->p.driver = (struct vring_packed_desc_event *)((char *)mem + driver_off);
	r->p.device = (struct vring_packed_desc_event *)((char *)mem + device_off);
	r->p.avail_wrap = r->p.used_wrap = true;
}

static void fill_table(struct vring_packed_desc *t, const struct virtio_buf *bufs, u32 nr_out, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		t[i] = (struct vring_packed_desc){ bufs[i].addr, bufs[i].len, 0, i < nr_out ? 0 : VRING_DESC_F_WRITE };
}

static u16 turn_flags(const struct virtio_ring *r) { return r->p.avail_wrap ? F_AVAIL : F_USED; }

static void advance_avail(struct virtio_ring *r)
{
	if (++r->p.avail_at == r->vq.size) {
		r->p.avail_at = 0;
		r->p.avail_wrap = !r->p.avail_wrap;
	}
}

/* put - fill the next entry but for its flags, if it is the request's first, which it returns. */
static void put(struct virtio_ring *r, u64 addr, u32 len, u16 id, u16 flags, bool first)
{
	struct vring_packed_desc *d = &r->p.desc[r->p.avail_at];

	d->addr = addr;
	d->len = len;
	d->id = id;
	if (!first)
		WRITE_ONCE(d->flags, (u16)(flags | turn_flags(r)));
	advance_avail(r);
}

void packed_add(struct virtio_ring *r, const struct virtio_buf *bufs, u32 nr_out, u32 nr, void *table, void *token, u32 in_len)
{
	u16 id = r->free_head, entries = table ? 1 : (u16)nr, turn = turn_flags(r), first_flags;
	struct vring_packed_desc *first = &r->p.desc[r->p.avail_at];
	struct ring_slot *slot = &r->slots[id];

	if (table) {
		fill_table(table, bufs, nr_out, nr);
		first_flags = VRING_DESC_F_INDIRECT;
		put(r, virt_to_phys(table), nr * (u32)sizeof(struct vring_packed_desc), id, 0, true);
	} else {
		first_flags = (u16)((nr_out ? 0 : VRING_DESC_F_WRITE) | (nr > 1 ? VRING_DESC_F_NEXT : 0));
		for (u32 i = 0; i < nr; i++)
			put(r, bufs[i].addr, bufs[i].len, id, (u16)((i < nr_out ? 0 : VRING_DESC_F_WRITE) | (i + 1 < nr ? VRING_DESC_F_NEXT : 0)),
			    i == 0);
	}
	r->free_head = slot->next;
	slot->token = token;
	slot->table = table;
	slot->in_len = in_len;
	slot->nr = entries;
	r->vq.nr_free -= entries;
	r->p.added += entries;
	dma_wmb();	/* the request before its first flags; partner: the device's read barrier after reading them */
	WRITE_ONCE(first->flags, (u16)(first_flags | turn));
}

bool packed_kick_prepare(struct virtio_ring *r)
{
	u16 added = r->p.added, new = r->p.avail_at, old = (u16)(new - added), at;
	union { struct vring_packed_desc_event e; u32 word; } want;

	if (!added)
		return false;
	r->p.added = 0;
	dma_mb();	/* the request before looking whether to tell; partner: the device's between asking for a kick and its last look */
	want.word = READ_ONCE(*(u32 *)r->p.device);
	if (want.e.flags != VRING_PACKED_EVENT_FLAG_DESC)
		return want.e.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	at = want.e.off_wrap & (u16)~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);
	if (want.e.off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != r->p.avail_wrap)
		at = (u16)(at - r->vq.size);
	return vring_need_event(at, new, old);
}

bool packed_more(struct virtio_ring *r)
{
	u16 flags = READ_ONCE(r->p.desc[r->p.used_at].flags);

	return !(flags & F_AVAIL) == !r->p.used_wrap && !(flags & F_USED) == !r->p.used_wrap;
}

static u16 used_position(const struct virtio_ring *r) { return (u16)(r->p.used_at | r->p.used_wrap << VRING_PACKED_EVENT_F_WRAP_CTR); }

void *packed_get(struct virtio_ring *r, u32 *len)
{
	const struct vring_packed_desc *d = &r->p.desc[r->p.used_at];
	void *token;
	u32 id;

	dma_rmb();	/* the flags before the rest; partner: the device's write barrier between the two */
	id = READ_ONCE(d->id);
	*len = READ_ONCE(d->len);
	token = slot_take(r, id, len);
	if (unlikely(!token))
		return NULL;
	r->p.used_at = (u16)(r->p.used_at + r->slots[id].nr);
	if (r->p.used_at >= r->vq.size) {
		r->p.used_at = (u16)(r->p.used_at - r->vq.size);
		r->p.used_wrap = !r->p.used_wrap;
	}
	if (r->event && !r->cb_off) {
		WRITE_ONCE(r->p.driver->off_wrap, used_position(r));
		dma_mb();	/* as in virtqueue_enable_cb */
	}
	return token;
}

void packed_disable_cb(struct virtio_ring *r) { WRITE_ONCE(r->p.driver->flags, r->p.driver_flags = VRING_PACKED_EVENT_FLAG_DISABLE); }

void packed_enable_cb(struct virtio_ring *r)
{
	u16 flags = r->event ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE;

	if (r->event) {
		WRITE_ONCE(r->p.driver->off_wrap, used_position(r));
		dma_wmb();	/* the position before the flag that makes it count; partner: the device's read of the two as one word */
	}
	if (r->p.driver_flags != flags)
		WRITE_ONCE(r->p.driver->flags, r->p.driver_flags = flags);
}
