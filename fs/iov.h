/* Vectors of user buffers, imported. */
#pragma once
#include <arch/uaccess.h>
#include <fs/vfs.h>

struct iovec;
#define IOV_SMALL	8
#define MAX_RW_COUNT	0x7ffff000ul
struct iov_import {
	struct iov_iter it;
	struct iov_seg *alloc;		/* NULL: small */
	struct iov_seg small[IOV_SMALL];
};
/* iov_import - check and copy.  nr: as on Linux, of a longer number the lower half.  0; -EINVAL, -EFAULT, -ENOMEM.  kfree(im->alloc) when done. */
int iov_import(struct iov_import *im, const struct iovec __user *vec, u32 nr);

/* What read() and write() make, one user segment, is copied without more ado. */
static inline bool iter_is_plain(const struct iov_iter *it)
{
	return likely(it->nr == 1 && !it->kernel);
}

static inline void __user *iter_plain_at(const struct iov_iter *it)
{
	return user_ptr(it->segs->base + it->off);
}

static inline size_t iter_plain_done(struct iov_iter *it, size_t done)
{
	it->off += done;
	it->count -= done;
	return done;
}

size_t iter_zero_segments(size_t len, struct iov_iter *it);

/* iter_zero - zeroes instead of a copy: bytes done (short on a fault), advancing.  Context: thread, may sleep. */
static inline size_t iter_zero(size_t len, struct iov_iter *it)
{
	len = min(len, it->count);
	if (iter_is_plain(it))
		return iter_plain_done(it, len - user_clear(iter_plain_at(it), len));
	return iter_zero_segments(len, it);
}
