/* Where bytes come from and go to: user or kernel segments behind one iterator.
 *
 * Copies advance the iterator by what was copied and stop at a fault, so that a caller can tell how far it got; the iterator is
 * exact then.  User segments were range-checked when the iterator was made; single ones - read() and write() - are one copy. */
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <arch/uaccess.h>

void iov_iter_kernel(struct iov_iter *it, struct iov_seg *seg, void *buf, size_t len)
{
	*seg = (struct iov_seg){ (u64)buf, len };
	*it = (struct iov_iter){ .kernel = true, .nr = 1, .segs = seg, .off = 0, .count = len };
}

void iov_iter_next(struct iov_iter *it)
{
	while (it->nr > 1 && it->off >= it->segs->len) {
		it->off -= it->segs->len;
		it->segs++;
		it->nr--;
	}
}

/* One segment's part of a copy: returns the bytes done. */
static size_t copy_part(bool out, bool kernel, u64 base, void *mem, size_t n)
{
	if (kernel) {
		if (out)
			memcpy((void *)base, mem, n);
		else
			memcpy(mem, (const void *)base, n);
		return n;
	}
	return n - (out ? copy_to_user_partial(user_ptr(base), mem, n) : copy_from_user_partial(mem, user_ptr(base), n));
}

static size_t iter_copy(bool out, void *mem, size_t len, struct iov_iter *it)
{
	size_t done = 0;

	if (len > it->count)
		len = it->count;
	while (done < len) {
		size_t n = it->segs->len - it->off, got;

		if (n > len - done)
			n = len - done;
		got = n ? copy_part(out, it->kernel, it->segs->base + it->off, (char *)mem + done, n) : 0;
		done += got;
		iov_iter_advance(it, got);
		if (got < n)
			break;
	}
	return done;
}

size_t copy_to_iter(const void *from, size_t len, struct iov_iter *to)
{
	if (iter_is_plain(to)) {
		len = min(len, to->count);
		return iter_plain_done(to, len - user_copy_out(iter_plain_at(to), from, len));
	}
	return iter_copy(true, (void *)from, len, to);
}

size_t copy_from_iter(void *to, size_t len, struct iov_iter *from)
{
	if (iter_is_plain(from)) {
		len = min(len, from->count);
		return iter_plain_done(from, len - user_copy_in(to, iter_plain_at(from), len));
	}
	return iter_copy(false, to, len, from);
}

size_t iter_zero_segments(size_t len, struct iov_iter *it)
{
	size_t done = 0;

	while (done < len) {
		size_t n = it->segs->len - it->off, got = n;
		u64 base = it->segs->base + it->off;

		if (n > len - done)
			got = n = len - done;
		if (it->kernel)
			memset((void *)base, 0, n);
		else if (n)
			got = n - clear_user_partial(user_ptr(base), n);
		done += got;
		iov_iter_advance(it, got);
		if (got < n)
			break;
	}
	return done;
}

int iov_import(struct iov_import *im, const struct iovec __user *vec, u32 nr)
{
	const struct iovec *v;
	size_t total = 0;

	im->alloc = NULL;
	if (nr > UIO_MAXIOV)
		return -EINVAL;
	if (nr > IOV_SMALL) {
		im->alloc = kmalloc(nr * sizeof(struct iov_seg), GFP_KERNEL);
		if (!im->alloc)
			return -ENOMEM;
	}
	struct iov_seg *segs = im->alloc ? im->alloc : im->small;

	BUILD_BUG_ON(sizeof(struct iovec) != sizeof(struct iov_seg));
	if (nr && copy_from_user(segs, vec, nr * sizeof(*v)))
		goto err_fault;
	for (u32 i = 0; i < nr; i++) {
		if ((s64)segs[i].len < 0) {
			kfree(im->alloc);
			return -EINVAL;
		}
		if (!user_range_ok(user_ptr(segs[i].base), segs[i].len))
			goto err_fault;
		if (segs[i].len > MAX_RW_COUNT - total)
			segs[i].len = MAX_RW_COUNT - total;
		total += segs[i].len;
	}
	im->it = (struct iov_iter){ .kernel = false, .nr = nr ? nr : 1, .segs = segs, .off = 0, .count = total };
	if (!nr)
		segs[0] = (struct iov_seg){ 0, 0 };
	else
		iov_iter_advance(&im->it, 0);	/* over empty segments in front */
	return 0;
err_fault:
	kfree(im->alloc);
	return -EFAULT;
}
