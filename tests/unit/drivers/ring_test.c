/* Rings against a device of ours: split, packed, indirect, event index, in every order of steps; and against one that writes rubbish. */
#include <drivers/virtio/ring_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <tests/unit/unit.h>

#define MAX_BUFS	16
#define MAX_REQS	64

/* --- what the rings need: pages, and somebody to tell of a broken device */

static struct page frames[64];
static u32 nr_frames;
static char memory[64][PAGE_SIZE] __aligned(4096);
char *unit_memory = memory[0];

struct page *page_alloc(u32 order, gfp_t gfp)
{
	u32 at = nr_frames;

	page_array = (u64)frames - (UNIT_PHYS >> PAGE_SHIFT) * sizeof(struct page);
	if (at + (1u << order) > ARRAY_SIZE(frames))
		return NULL;
	nr_frames += 1u << order;
	if (gfp & GFP_ZERO)
		memset(memory[at], 0, PAGE_SIZE << order);
	return &frames[at];
}

void page_free(struct page *page, u32 order) { if (page + (1u << order) == &frames[nr_frames]) nr_frames = (u32)(page - frames); }
void virtio_break(struct virtio_device *dev, const char *why) { (void)why; dev->broken = true; }

/* --- a device */

struct request { u16 id, entries; u32 nr_out, nr_in; struct vring_desc bufs[MAX_BUFS]; };

struct ring_device {
	struct virtio_ring *r;
	u16 avail, used;	/* split: indices; packed: positions */
	bool avail_wrap, used_wrap;
	u16 used_since;		/* entries used since it last thought of interrupting */
	bool asleep;		/* it waits for a kick */
	bool driver_waits;	/* the driver waits for an interrupt */
	struct request have[MAX_REQS];
	u32 nr;
};
static struct virtio_device vdev;
static struct ring_device d;

static void put_buf(struct request *q, u64 addr, u32 len, u16 flags)
{
	u32 at = q->nr_out + q->nr_in;

	if (at >= MAX_BUFS)
		host_die("a request with too many buffers", __FILE__, __LINE__);
	q->bufs[at] = (struct vring_desc){ addr, len, flags, 0 };
	if (flags & VRING_DESC_F_WRITE)
		q->nr_in++;
	else
		q->nr_out++;
}

static void walk_split(struct request *q, const struct vring_desc *t, u16 at)
{
	for (;; at = t[at].next) {
		if (t[at].flags & VRING_DESC_F_INDIRECT)
			walk_split(q, phys_to_virt(t[at].addr), 0);
		else
			put_buf(q, t[at].addr, t[at].len, t[at].flags & VRING_DESC_F_WRITE);
		if (!(t[at].flags & VRING_DESC_F_NEXT))
			return;
	}
}

static bool fetch_split(struct request *q)
{
	struct virtio_ring *r = d.r;

	if (d.avail == r->s.avail->idx)
		return false;
	q->id = r->s.avail->ring[d.avail++ % r->vq.size];
	walk_split(q, r->s.desc, q->id);
	return true;
}

static bool packed_avail(void)
{
	u16 f = d.r->p.desc[d.avail].flags;

	return !!(f & 1u << VRING_PACKED_DESC_F_AVAIL) == d.avail_wrap && !!(f & 1u << VRING_PACKED_DESC_F_USED) != d.avail_wrap;
}

static bool fetch_packed(struct request *q)
{
	const struct vring_packed_desc *e;

	if (!packed_avail())
		return false;
	do {
		e = &d.r->p.desc[d.avail];
		q->entries++;
		if (e->flags & VRING_DESC_F_INDIRECT) {
			const struct vring_packed_desc *t = phys_to_virt(e->addr);

			for (u32 i = 0; i < e->len / sizeof(*t); i++)
				put_buf(q, t[i].addr, t[i].len, t[i].flags & VRING_DESC_F_WRITE);
		} else {
			put_buf(q, e->addr, e->len, e->flags & VRING_DESC_F_WRITE);
		}
		q->id = e->id;
		if (++d.avail == d.r->vq.size) {
			d.avail = 0;
			d.avail_wrap = !d.avail_wrap;
		}
	} while (e->flags & VRING_DESC_F_NEXT);
	return true;
}

static bool fetch(void)
{
	struct request q = { 0 };

	if (d.nr == MAX_REQS || !(d.r->packed ? fetch_packed(&q) : fetch_split(&q)))
		return false;
	d.have[d.nr++] = q;
	return true;
}

/* sleep - ask for a kick, and look once more: as every device must. */
static void device_sleep(void)
{
	struct virtio_ring *r = d.r;

	if (!r->packed && r->event) {
		*(u16 *)&r->s.used->ring[r->vq.size] = d.avail;
	} else if (!r->packed) {
		r->s.used->flags = 0;
	} else {
		r->p.device->off_wrap = (u16)(d.avail | d.avail_wrap << 15);
		r->p.device->flags = r->event ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	d.asleep = !(r->packed ? packed_avail() : d.avail != r->s.avail->idx);
}

static void device_wake(void)
{
	d.asleep = false;
	if (!d.r->packed)
		d.r->s.used->flags = VRING_USED_F_NO_NOTIFY;
	else if (!d.r->event)
		d.r->p.device->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
}

/* use - give back the i-th request that it has, all in bytes written. */
static void use(u32 i, u32 len)
{
	struct virtio_ring *r = d.r;
	struct request q = d.have[i];

	d.have[i] = d.have[--d.nr];
	if (r->packed) {
		struct vring_packed_desc *e = &r->p.desc[d.used];

		e->id = q.id;
		e->len = len;
		e->flags = d.used_wrap ? (1u << VRING_PACKED_DESC_F_AVAIL) | (1u << VRING_PACKED_DESC_F_USED) : 0;
		d.used = (u16)(d.used + q.entries);
		d.used_since = (u16)(d.used_since + q.entries);
		if (d.used >= r->vq.size) {
			d.used = (u16)(d.used - r->vq.size);
			d.used_wrap = !d.used_wrap;
		}
	} else {
		r->s.used->ring[d.used % r->vq.size] = (struct vring_used_elem){ q.id, len };
		r->s.used->idx = ++d.used;
		d.used_since++;
	}
}

/* interrupt - would the device interrupt for what it has used since the last time? */
static bool interrupt(void)
{
	struct virtio_ring *r = d.r;
	u16 since = d.used_since, want;

	d.used_since = 0;
	if (!since)
		return false;
	if (!r->packed)
		return r->event ? vring_need_event(r->s.avail->ring[r->vq.size], d.used, (u16)(d.used - since)) :
				  !(r->s.avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
	if (r->p.driver->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return r->p.driver->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	want = r->p.driver->off_wrap & 0x7fff;
	if (r->p.driver->off_wrap >> 15 != d.used_wrap)
		want = (u16)(want - r->vq.size);
	return vring_need_event(want, d.used, (u16)(d.used - since));
}

/* --- a driver */

struct token { bool out; u32 in_len, nr_out, nr_in, will_write; struct virtio_buf bufs[MAX_BUFS]; };
static struct token tokens[MAX_REQS];
static char data[64];

static bool start(u64 features, u32 size)
{
	static const struct virtqueue_spec spec = { .name = "test", .done = (void (*)(struct virtqueue *))device_wake, .max_size = 32768 };

	memset(&d, 0, sizeof(d));
	memset(tokens, 0, sizeof(tokens));
	vdev = (struct virtio_device){ .features = features };
	d.avail_wrap = d.used_wrap = true;
	return !ring_create(&vdev, 0, &spec, size, &d.r);
}

static int add(struct token *t, u32 nr_out, u32 nr_in)
{
	int err;

	t->in_len = 0;
	t->nr_out = nr_out;
	t->nr_in = nr_in;
	for (u32 i = 0; i < nr_out + nr_in; i++) {
		t->bufs[i] = (struct virtio_buf){ UNIT_PHYS + unit_below(1000), 1 + (u32)unit_below(sizeof(data)) };
		t->in_len += i < nr_out ? 0 : t->bufs[i].len;
	}
	err = virtqueue_add(&d.r->vq, t->bufs, nr_out, nr_in, t);
	t->out = !err;
	return err;
}

static bool same(const struct request *q, const struct token *t)
{
	if (q->nr_out != t->nr_out || q->nr_in != t->nr_in)
		return false;
	for (u32 i = 0; i < q->nr_out + q->nr_in; i++)
		if (q->bufs[i].addr != t->bufs[i].addr || q->bufs[i].len != t->bufs[i].len ||
		    !!(q->bufs[i].flags & VRING_DESC_F_WRITE) != (i >= t->nr_out))
			return false;
	return true;
}

static struct token *idle_token(void)
{
	for (u32 i = 0; i < MAX_REQS; i++)
		if (!tokens[i].out)
			return &tokens[i];
	return NULL;
}

static u32 outstanding(void)
{
	u32 n = 0;

	for (u32 i = 0; i < MAX_REQS; i++)
		n += tokens[i].out;
	return n;
}

/* One step of either side, at random.  NULL, or what went wrong. */
static const char *step(u32 size)
{
	struct token *t;
	u32 len, i, n;

	switch (unit_below(6)) {
	case 0: case 1:
		t = idle_token();
		n = 1 + (u32)unit_below(min(size, (u32)MAX_BUFS));
		i = (u32)unit_below(n + 1);
		if (t && unit_below(8) == 0)
			unit_fail_after = 0;	/* no memory for a table: a chain, or not now */
		if (t && add(t, i, n - i) == -ENOSPC && !outstanding())
			return "no room in an empty queue";
		unit_fail_after = ~0ull;
		if (unit_below(2) && virtqueue_kick_prepare(&d.r->vq))
			device_wake();
		return NULL;
	case 2:
		if (virtqueue_kick_prepare(&d.r->vq))
			device_wake();
		else if (d.asleep && (d.r->packed ? packed_avail() : d.avail != d.r->s.avail->idx))
			return "a kick was lost";
		return NULL;
	case 3:
		if (d.asleep)
			return NULL;
		if (!fetch() || unit_below(4) == 0)
			device_sleep();
		return NULL;
	case 4:
		for (n = (u32)unit_below(4); n && d.nr; n--) {
			const struct request *q;

			i = (u32)unit_below(d.nr);
			q = &d.have[i];
			t = d.r->slots[q->id].token;
			if (!t || !same(q, t))
				return "the device saw another request";
			t->will_write = (u32)unit_below(t->in_len + 1);
			use(i, t->will_write);
		}
		if (interrupt())
			d.driver_waits = false;
		else if (d.driver_waits && virtqueue_more(&d.r->vq))
			return "an interrupt was lost";
		return NULL;
	default:
		if (d.driver_waits)
			return NULL;
		if (unit_below(2))
			virtqueue_disable_cb(&d.r->vq);
		while ((t = virtqueue_get(&d.r->vq, &len))) {
			if (!t->out || len != t->will_write)
				return "a wrong token or length";
			t->out = false;
			if (unit_below(8) == 0)
				return NULL;
		}
		d.driver_waits = virtqueue_enable_cb(&d.r->vq);
		return NULL;
	}
}

static const char *run(u64 features, u32 size, u32 steps)
{
	const char *why = NULL;
	u64 live = host_live();

	if (!start(features, size))
		return "no ring";
	while (steps-- && !why && !vdev.broken)
		why = step(d.r->vq.size);
	if (!why && vdev.broken)
		why = "an honest device was called broken";
	while (!why && virtqueue_detach(&d.r->vq))
		;
	if (!why && d.r->vq.nr_free != d.r->vq.size)
		why = "entries were lost";
	ring_destroy(d.r);
	if (!why && host_live() != live)
		why = "memory was lost";
	if (why)
		unit_note("%s: features %lx, size %u", why, features, size);
	return why;
}

#define INDIRECT	BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT		BIT(VIRTIO_RING_F_EVENT_IDX)
#define MODERN		BIT(VIRTIO_F_VERSION_1)
#define PACKED		(MODERN | BIT(VIRTIO_F_RING_PACKED))

TEST(split) { for (u32 s = 1; s <= 64; s *= 2) EXPECT(!run(MODERN, s, 30000)); }
TEST(split_legacy) { for (u32 s = 1; s <= 64; s *= 2) EXPECT(!run(0, s, 10000)); }
TEST(split_indirect) { for (u32 s = 1; s <= 64; s *= 2) EXPECT(!run(MODERN | INDIRECT, s, 30000)); }
TEST(split_event) { for (u32 s = 1; s <= 64; s *= 2) EXPECT(!run(MODERN | EVENT, s, 30000)); }
TEST(split_event_indirect) { for (u32 s = 1; s <= 64; s *= 2) EXPECT(!run(MODERN | EVENT | INDIRECT, s, 200000)); }	/* past 65,536 */
TEST(packed) { for (u32 s = 1; s <= 64; s += 3) EXPECT(!run(PACKED, s, 10000)); }
TEST(packed_indirect) { for (u32 s = 1; s <= 64; s += 3) EXPECT(!run(PACKED | INDIRECT, s, 10000)); }
TEST(packed_event) { for (u32 s = 1; s <= 64; s += 3) EXPECT(!run(PACKED | EVENT, s, 10000)); }
TEST(packed_event_indirect) { for (u32 s = 1; s <= 64; s += 3) EXPECT(!run(PACKED | EVENT | INDIRECT, s, 20000)); }

TEST(sizes)
{
	EXPECT(start(MODERN, 100));		/* a split ring's is a power of two */
	EXPECT_EQ(d.r->vq.size, 64);
	ring_destroy(d.r);
	EXPECT(start(PACKED, 100));
	EXPECT_EQ(d.r->vq.size, 100);
	ring_destroy(d.r);
	EXPECT(!start(MODERN, 0));
	for (u32 n = 0; n < 3; n++) {		/* no memory */
		unit_fail_after = n;
		if (start(MODERN, 8))
			ring_destroy(d.r);
		unit_fail_after = ~0ull;
	}
}

TEST(bad_requests)
{
	struct virtio_buf b[9] = { { UNIT_PHYS, 1 } };

	EXPECT(start(MODERN | INDIRECT, 8));
	EXPECT_EQ(virtqueue_add(&d.r->vq, b, 0, 0, b), -EINVAL);
	EXPECT_EQ(virtqueue_add(&d.r->vq, b, 9, 0, b), -EINVAL);
	EXPECT_EQ(virtqueue_add(&d.r->vq, b, ~0u, 2, b), -EINVAL);
	EXPECT_EQ(virtqueue_add(&d.r->vq, b, 1, 0, NULL), -EINVAL);
	vdev.broken = true;
	EXPECT_EQ(virtqueue_add(&d.r->vq, b, 1, 0, b), -EIO);
	EXPECT(!virtqueue_kick_prepare(&d.r->vq));
	EXPECT(virtqueue_enable_cb(&d.r->vq));
	ring_destroy(d.r);
}

/* --- a hostile device: each rule broken alone, then anything anywhere */

static const char *one_lie(u64 features, void (*lie)(void))
{
	u32 len;

	if (!start(features, 8))
		return "no ring";
	if (add(&tokens[0], 1, 1) || !fetch())
		return "no request";
	lie();
	if (virtqueue_get(&d.r->vq, &len))
		return "it was believed";
	if (!vdev.broken)
		return "it was not noticed";
	if (virtqueue_detach(&d.r->vq) != &tokens[0] || virtqueue_detach(&d.r->vq))
		return "the request did not come back";
	ring_destroy(d.r);
	return NULL;
}

static void lie_id_beyond(void) { d.have[0].id = 8; use(0, 0); }
static void lie_id_far(void) { d.have[0].id = 0xffff; use(0, 0); }
static void lie_id_idle(void) { d.have[0].id = (u16)((d.have[0].id + 2) & 7); use(0, 0); }
static void lie_len(void) { use(0, tokens[0].in_len + 1); }
static void lie_len_far(void) { use(0, ~0u); }
static void lie_ahead(void) { d.r->s.used->idx = 9; }
static void lie_back(void) { d.r->s.used->idx = 0xffff; }

TEST(lies)
{
	static const u64 forms[] = { MODERN, MODERN | EVENT, PACKED, PACKED | EVENT };

	for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
		EXPECT(!one_lie(forms[i], lie_id_beyond));
		EXPECT(!one_lie(forms[i], lie_id_far));
		EXPECT(!one_lie(forms[i], lie_id_idle));
		EXPECT(!one_lie(forms[i], lie_len));
		EXPECT(!one_lie(forms[i], lie_len_far));
	}
	EXPECT(!one_lie(MODERN, lie_ahead));
	EXPECT(!one_lie(MODERN, lie_back));
}

TEST(used_twice)
{
	u32 len;

	EXPECT(start(MODERN, 8));
	EXPECT(!add(&tokens[0], 1, 1) && fetch());
	d.have[1] = d.have[0];
	d.nr = 2;
	use(1, 0);
	use(0, 0);
	EXPECT(virtqueue_get(&d.r->vq, &len) == &tokens[0]);
	EXPECT(!virtqueue_get(&d.r->vq, &len) && vdev.broken);
	ring_destroy(d.r);
}

/* Devices from before 1.0 count otherwise: cut, not broken. */
TEST(legacy_length)
{
	u32 len;

	EXPECT(start(0, 8));
	EXPECT(!add(&tokens[0], 1, 1) && fetch());
	use(0, ~0u);
	EXPECT(virtqueue_get(&d.r->vq, &len) == &tokens[0]);
	EXPECT_EQ(len, tokens[0].in_len);
	EXPECT(!vdev.broken);
	ring_destroy(d.r);
}

/* Rubbish over all that the device can write, and over what it cannot; every token comes back once, by whatever way. */
TEST(rubbish)
{
	static const u64 forms[] = { 0, MODERN | EVENT, MODERN | EVENT | INDIRECT, PACKED, PACKED | EVENT | INDIRECT };

	for (u32 round = 0; round < 20000; round++) {
		struct token *t;
		char *mem;
		u32 len, bytes;

		EXPECT(start(forms[round % ARRAY_SIZE(forms)], 1u << unit_below(7)));
		mem = page_address(d.r->mem);
		bytes = (u32)PAGE_SIZE << d.r->order;
		for (u32 i = 0; i < 60 && !vdev.broken; i++) {
			if ((t = idle_token()))
				(void)add(t, (u32)unit_below(3), 1);
			for (u32 n = (u32)unit_below(8); n; n--)
				mem[unit_below(bytes)] = (char)unit_random();
			if (!d.r->packed && unit_below(2))
				d.r->s.used->idx = (u16)(d.r->s.used_seen + unit_below(3));
			if (d.r->packed && unit_below(2))
				d.r->p.desc[d.r->p.used_at].flags = d.r->p.used_wrap ? 0x8080 : 0;
			if (d.r->packed && unit_below(2))
				d.r->p.desc[d.r->p.used_at].id = (u16)unit_below(d.r->vq.size);
			(void)virtqueue_kick_prepare(&d.r->vq);
			virtqueue_disable_cb(&d.r->vq);
			while ((t = virtqueue_get(&d.r->vq, &len))) {
				EXPECT(t->out && len <= t->in_len);
				t->out = false;
			}
			(void)virtqueue_enable_cb(&d.r->vq);
		}
		while ((t = virtqueue_detach(&d.r->vq))) {
			EXPECT(t->out);
			t->out = false;
		}
		EXPECT_EQ(outstanding(), 0);
		EXPECT_EQ(d.r->vq.nr_free, d.r->vq.size);
		ring_destroy(d.r);
	}
}
