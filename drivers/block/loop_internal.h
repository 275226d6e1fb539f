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
	struct loop_end *end;		/* [disk->mutex] of what is bound */
};

/* What is left to do when a file has been taken off: closing it may take another disk's mutex, so it is not done under ours.  Several may be on
 * their way: each binding has its own. */
struct loop_end { struct work work; struct disk *disk; struct file *file; };

/* loop_bind - f becomes what is behind l; its reference is consumed.  loop_unbind - sync, forget, stop the worker.  loop_resize - the size or
 * place in the file changed.  0 or -errno.  Locks: disk->mutex. */
int loop_bind(struct loop *l, struct file *f, u64 offset, u64 size_limit, u32 flags);
int loop_unbind(struct loop *l);
void loop_resize(struct loop *l);
/* loop_file_ok - may f stand behind l: -EINVAL, -EBADF (it is l, or stands on l). */
int loop_file_ok(const struct loop *l, const struct file *f);
struct block_device *loop_file_bdev(const struct file *f);	/* f is a block special file's: that; else NULL */
long loop_ioctl(struct file *f, u32 cmd, u64 arg);
/* loop_binding - one change of what stands behind loop devices at a time: a chain of them that is looked at stays, and does not become a circle.
 * Before any disk->mutex.  Context: thread, may sleep. */
void loop_binding_begin(void), loop_binding_end(void);
extern const struct file_ops blockdev_fops;
