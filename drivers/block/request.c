/* What a request is made of.
 *
 * A request covers a run of sectors and the bios for it, in rising order.  A bio that is too long for one request is in several: each holds
 * a part of it, and bio->parts counts them.  Such a bio can stand only at the end of one request and at the beginning of the next,
 * so that its `next` belongs to the latter: nothing is appended to a request whose last bio goes on (cut), nothing put before one that
 * begins inside a bio (skip).
 *
 * Segments are counted as the driver will see them: neighbours in memory are one, up to max_segment_size.  Where two bios meet the count
 * may be one too high. */
#include <drivers/block/request.h>
#include <kernel/debug.h>

static u32 limit_sectors(const struct disk_limits *l, u8 op)
{
	return op == BIO_DISCARD ? l->max_discard_sectors : op == BIO_WRITE_ZEROES ? l->max_zeroes_sectors : l->max_sectors;
}

void request_segments(const struct request *rq, struct request_iter *it)
{
	u32 skip = rq->skip;

	*it = (struct request_iter){ .bio = rq->bio, .left = rq->op == BIO_READ || rq->op == BIO_WRITE ? rq->len : 0,
				     .max = rq->hw->queue->disk->limits.max_segment_size };
	while (it->left && skip >= it->bio->vecs[it->vec].len)
		skip -= it->bio->vecs[it->vec++].len;
	it->off = skip;
}

static void iter_advance(struct request_iter *it, u32 n)
{
	it->left -= n;
	it->off += n;
	if (it->off < it->bio->vecs[it->vec].len || !it->left)
		return;
	it->off = 0;
	if (++it->vec == it->bio->nr_vecs) {
		it->vec = 0;
		it->bio = it->bio->next;
	}
}

bool request_segment(struct request_iter *it, paddr_t *addr, u32 *len)
{
	*len = 0;
	while (it->left) {
		const struct bio_vec *v = &it->bio->vecs[it->vec];
		paddr_t here = page_to_phys(v->page) + v->off + it->off;
		u32 n = (u32)min(min((u64)(v->len - it->off), it->left), (u64)(it->max - *len));

		if (!*len)
			*addr = here;
		else if (!n || here != *addr + *len)
			break;
		*len += n;
		iter_advance(it, n);
	}
	return *len;
}

/* How much of bio from byte off on fits into max_len bytes and max_segments, and in how many segments. */
static u64 measure(const struct bio *bio, u64 off, u64 max_len, const struct disk_limits *l, u32 *nr_segments)
{
	u32 segments = 0, in_last = 0;
	u64 taken = 0;
	paddr_t end = 0;

	for (u32 i = 0; i < bio->nr_vecs && taken < max_len; i++) {
		const struct bio_vec *v = &bio->vecs[i];
		u32 left = v->len;
		paddr_t at = page_to_phys(v->page) + v->off;

		if (off >= left) {
			off -= left;
			continue;
		}
		at += off;
		left = (u32)min(left - off, max_len - taken);
		off = 0;
		while (left) {
			bool joins = segments && at == end && in_last < l->max_segment_size;
			u32 n = min(left, joins ? l->max_segment_size - in_last : l->max_segment_size);

			if (!joins && segments == l->max_segments)
				goto full;
			segments += !joins;
			in_last = joins ? in_last + n : n;
			taken += n;
			at += n;
			left -= n;
			end = at;
		}
	}
full:
	*nr_segments = segments;
	return taken;
}

u64 request_begin(struct request *rq, struct bio *bio, u64 off, const struct disk_limits *l)
{
	u64 len = min(bio->len - off, (u64)limit_sectors(l, bio->op) << SECTOR_SHIFT);

	rq->nr_segments = 0;
	if (bio->op == BIO_READ || bio->op == BIO_WRITE)
		len = measure(bio, off, len, l, &rq->nr_segments);
	if (off + len < bio->len)
		len &= ~(u64)(l->logical_size - 1);
	rq->bio = rq->tail = bio;
	rq->sector = bio_start(bio) + (off >> SECTOR_SHIFT);
	rq->len = len;
	rq->skip = (u32)off;
	rq->op = bio->op;
	rq->cut = off + len < bio->len;
	if (len || !bio->len)
		atomic_inc(&bio->parts);
	return len;
}

/* Beside position: may the two be one request? */
static bool same_kind(const struct request *rq, const struct bio *bio, const struct disk_limits *l, u32 *segments)
{
	u64 len = bio->len;

	if (rq->op != bio->op || rq->bio->bdev != bio->bdev || rq->stage != STAGE_DATA || rq->flags & BIO_FUA ||
	    bio->flags & (BIO_FUA | BIO_PREFLUSH) || (rq->len + len) >> SECTOR_SHIFT > limit_sectors(l, bio->op))
		return false;
	*segments = 0;
	if (bio->op == BIO_READ || bio->op == BIO_WRITE)
		return measure(bio, 0, len, l, segments) == len && rq->nr_segments + *segments <= l->max_segments;
	return bio->op == BIO_DISCARD || bio->op == BIO_WRITE_ZEROES;
}

bool request_append(struct request *rq, struct bio *bio, const struct disk_limits *l)
{
	u32 segments;

	if (rq->sector + (rq->len >> SECTOR_SHIFT) != bio_start(bio) || rq->cut || !same_kind(rq, bio, l, &segments))
		return false;
	rq->tail->next = bio;
	rq->tail = bio;
	rq->len += bio->len;
	rq->nr_segments += segments;
	atomic_inc(&bio->parts);
	return true;
}

bool request_prepend(struct request *rq, struct bio *bio, const struct disk_limits *l)
{
	u32 segments;

	if (bio_start(bio) + (bio->len >> SECTOR_SHIFT) != rq->sector || rq->skip || !same_kind(rq, bio, l, &segments))
		return false;
	bio->next = rq->bio;
	rq->bio = bio;
	rq->sector = bio_start(bio);
	rq->len += bio->len;
	rq->nr_segments += segments;
	atomic_inc(&bio->parts);
	return true;
}

void bio_part_done(struct bio *bio, int status)
{
	if (unlikely(status))
		atomic_cas(&bio->status, 0, status);
	if (atomic_sub_return_acq_rel(&bio->parts, 1) == 0)	/* release: what the device wrote, before whoever ends it looks */
		bio_end(bio, bio->status);
}

void request_finish(struct request *rq, int status)
{
	struct bio *bio = rq->bio, *tail = rq->tail;

	for (;;) {
		struct bio *next = bio == tail ? NULL : bio->next;	/* once told, it may be gone */

		bio_part_done(bio, status);
		if (!next)
			return;
		bio = next;
	}
}
