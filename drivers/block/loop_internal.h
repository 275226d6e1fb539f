/* Loop devices: what loop.c and loop_ioctl.c share. */
#pragma once
#include <drivers/block/request.h>
#include <linux/loop.h>

#define LOOP_MAJOR	7u
#define LOOP_DEPTH	64u

struct loop {
	struct disk *disk;		/* [I] */
	u32 index;			/* [I] */
	struct file *file;		/* [disk->mutex; the worker] NULL: unbound */
	u64 offset, size_limit;		/* [disk->mutex; the worker] bytes */
	u32 flags;			/* [disk->mutex] LO_FLAGS_* */
	u8 name[LO_NAME_SIZE], crypt_name[LO_NAME_SIZE];	/* [disk->mutex] as told */
	struct list_head todo;		/* [hw->lock] requests for the worker */
	struct wait_queue wake;
	bool stop;			/* [hw->lock] */
	struct completion stopped;
	struct file *leaving;		/* [a] closed by put_work */
	struct work put_work;
};

/* loop_bind - f becomes what is behind l; its reference is consumed.  loop_unbind - sync, forget, stop the worker.  loop_resize - the size or
 * place in the file changed.  0 or -errno.  Locks: disk->mutex. */
int loop_bind(struct loop *l, struct file *f, u64 offset, u64 size_limit, u32 flags);
int loop_unbind(struct loop *l);
void loop_resize(struct loop *l);
/* loop_file_ok - may f stand behind l: -EINVAL, -EBADF (it is l, or stands on l). */
int loop_file_ok(const struct loop *l, const struct file *f);
struct block_device *loop_file_bdev(const struct file *f);	/* f is a block special file's: that; else NULL */
long loop_ioctl(struct file *f, u32 cmd, u64 arg);
extern const struct file_ops blockdev_fops;
