/* /dev/null, zero, full, random, urandom. */
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/random/random.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/random.h>
#include <mm/shmem.h>
#include <mm/vma.h>

static ssize_t read_eof(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)file; (void)to; (void)pos;
	return 0;
}

static ssize_t write_sink(struct file *file, struct iov_iter *from, u64 *pos)
{
	size_t n = from->count;

	(void)file; (void)pos;
	iov_iter_advance(from, n);
	return (ssize_t)n;
}

#define ZERO_CHUNK (64 * PAGE_SIZE)	/* signals are looked at in between */

static ssize_t read_zero(struct file *file, struct iov_iter *to, u64 *pos)
{
	size_t done = 0, want = to->count;

	(void)file; (void)pos;
	if (likely(want <= ZERO_CHUNK && iter_is_plain(to))) {
		done = iter_plain_done(to, want - user_clear(iter_plain_at(to), want));
		return done || !want ? (ssize_t)done : -EFAULT;
	}
	while (done < want) {
		size_t n = min_t(size_t, want - done, ZERO_CHUNK), got = iter_zero(n, to);

		done += got;
		if (got < n)
			break;
		if (signal_pending() && done < want)
			break;
	}
	return done || !want ? (ssize_t)done : -EFAULT;
}

static ssize_t write_full(struct file *file, struct iov_iter *from, u64 *pos)
{
	(void)file; (void)pos;
	return from->count ? -ENOSPC : 0;
}

/* A private mapping of /dev/zero is anonymous memory: leaving ops NULL makes it so.  A shared one is of a nameless file of its own. */
static int mmap_zero(struct file *file, struct vma *vma)
{
	struct file *memory;
	int err;

	vma->ops = NULL;
	if (!(vma->flags & VM_SHARED))
		return 0;
	err = shmem_file_create("dev/zero", vma->end - vma->start, &memory);
	if (err)
		return err;
	vma->file = memory;
	vma->pgoff = 0;
	file_put(file);		/* the mapping's reference; the caller holds another */
	return memory->ops->mmap(memory, vma);
}

static s64 seek_zero(struct file *file, s64 off, int whence)
{
	(void)off; (void)whence;
	file->pos = 0;
	return 0;
}

static ssize_t read_random(struct file *file, struct iov_iter *to, u64 *pos)
{
	u8 buf[256];
	size_t done = 0, want = to->count;

	(void)file; (void)pos;
	random_refresh();
	while (done < want) {
		size_t n = min_t(size_t, want - done, sizeof(buf)), got;

		random_bytes(buf, n);
		got = copy_to_iter(buf, n, to);
		done += got;
		if (got < n || ((done & 4095) == 0 && signal_pending()))
			break;
	}
	return done || !want ? (ssize_t)done : -EFAULT;
}

static ssize_t write_random(struct file *file, struct iov_iter *from, u64 *pos)
{
	u8 buf[64];
	size_t done = 0, n;

	(void)file; (void)pos;
	while (from->count && (n = copy_from_iter(buf, min_t(size_t, from->count, sizeof(buf)), from))) {
		random_mix(buf, n);
		done += n;
	}
	return done || !from->count ? (ssize_t)done : -EFAULT;
}

static long add_entropy(u64 arg)
{
	struct { s32 bits, size; } head;
	u8 buf[64];

	if (copy_from_user(&head, user_ptr(arg), sizeof(head)))
		return -EFAULT;
	if (head.bits < 0 || head.size < 0)
		return -EINVAL;
	for (s32 at = 0; at < head.size; at += (s32)sizeof(buf)) {
		size_t n = min_t(size_t, (size_t)(head.size - at), sizeof(buf));

		if (copy_from_user(buf, user_ptr(arg + sizeof(head) + (u64)at), n))
			return -EFAULT;
		random_mix(buf, n);
	}
	return 0;
}

static long random_ioctl(struct file *file, u32 cmd, u64 arg)
{
	(void)file;
	switch (cmd) {
	case RNDGETENTCNT:
		return put_user(256, (s32 __user *)user_ptr(arg));
	case RNDADDTOENTCNT: case RNDZAPENTCNT: case RNDCLEARPOOL: case RNDRESEEDCRNG:
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	case RNDADDENTROPY:
		return capable(CAP_SYS_ADMIN) ? add_entropy(arg) : -EPERM;
	default:
		return -EINVAL;
	}
}

static const struct file_ops null_fops = { .read = read_eof, .write = write_sink, .seek = seek_zero };
static const struct file_ops zero_fops = { .read = read_zero, .write = write_sink, .seek = seek_zero, .mmap = mmap_zero };
static const struct file_ops full_fops = { .read = read_zero, .write = write_full, .seek = seek_zero };
static const struct file_ops random_fops = { .read = read_random, .write = write_random, .seek = seek_zero, .ioctl = random_ioctl };
CHARDEV(null, .name = "null", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 3), .count = 1, .mode = 0666, .fops = &null_fops);
CHARDEV(zero, .name = "zero", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 5), .count = 1, .mode = 0666, .fops = &zero_fops);
CHARDEV(full, .name = "full", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 7), .count = 1, .mode = 0666, .fops = &full_fops);
CHARDEV(random, .name = "random", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 8), .count = 1, .mode = 0666, .fops = &random_fops);
CHARDEV(urandom, .name = "urandom", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 9), .count = 1, .mode = 0666, .fops = &random_fops);
