/* Vectors of user buffers, imported. */
#pragma once
#include <fs/vfs.h>

struct iovec;
#define IOV_SMALL	8
#define MAX_RW_COUNT	0x7ffff000ul
struct iov_import {
	struct iov_iter it;
	struct iov_seg *alloc;		/* NULL: small */
	struct iov_seg small[IOV_SMALL];
};
/* iov_import - check and copy.  0; -EINVAL, -EFAULT, -ENOMEM.  kfree(im->alloc) when done. */
int iov_import(struct iov_import *im, const struct iovec __user *vec, u64 nr);
