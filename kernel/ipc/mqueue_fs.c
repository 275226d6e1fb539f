/* The filesystem mqueue: one directory, whose files are POSIX message queues; mq_open(2), mq_unlink(2).  mq_overview(7).
 *
 * There is one superblock, made at boot and mounted where no path leads: mq_open looks names up there.  Whoever mounts it (on /dev/mqueue, say) sees the
 * same directory, and may list, stat, unlink, chmod and open what is in it; what a program reads of a queue's file says how full it is and who
 * is told of messages.  Names are tmpfs's (tmpfs_super_host); a queue is its inode's `private` from before the name can be found to the end of the inode.
 *
 * A queue is paid for in full when it is made, by its maker: RLIMIT_MSGQUEUE bounds what all queues of a user could hold; and its size may not go
 * beyond /proc/sys/fs/mqueue/{msg,msgsize}_max, but for CAP_SYS_RESOURCE, which HARD_* bounds.  Both last until it is gone. */
#include <asm/fcntl.h>
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/limits.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/ipc/mqueue_internal.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <kernel/sysctl.h>
#include <linux/magic.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define MQUEUE_MAGIC	0x19800202	/* no UAPI header has it */
#define HARD_NR		65536		/* messages in a queue, and bytes in one, whatever the sysctl */
#define HARD_LEN	(16 << 20)
#define FILE_SIZE	80		/* what stat says of every queue */
#define MESSAGE_COST	48		/* bytes that Linux charges beside a message's text, and for each priority that can be in use */

static s64 queues_max = 256, msg_max = 10, msgsize_max = 8192, msg_default = 10, msgsize_default = 8192;
SYSCTL(mq_queues, "fs/mqueue/queues_max", .value = &queues_max, .min = -0x80000000l, .max = 0x7fffffff);
SYSCTL(mq_msg_max, "fs/mqueue/msg_max", .value = &msg_max, .min = 1, .max = HARD_NR);
SYSCTL(mq_msgsize_max, "fs/mqueue/msgsize_max", .value = &msgsize_max, .min = 128, .max = HARD_LEN);
SYSCTL(mq_msg_default, "fs/mqueue/msg_default", .value = &msg_default, .min = 1, .max = HARD_NR);
SYSCTL(mq_msgsize_default, "fs/mqueue/msgsize_default", .value = &msgsize_default, .min = 128, .max = HARD_LEN);

static u32 nr_queues;			/* [a] */
static struct super *mq_super;		/* [I] after boot */
static struct mount *mq_mount;		/* [I] after boot */

/* --- queues coming and going */

static int size_check(s64 nr, s64 len, u64 *cost)
{
	bool free = capable(CAP_SYS_RESOURCE);

	if (nr <= 0 || len <= 0 || nr > (free ? HARD_NR : READ_ONCE(msg_max)) || len > (free ? HARD_LEN : READ_ONCE(msgsize_max)))
		return -EINVAL;
	*cost = (u64)nr * (u64)len + (u64)nr * MESSAGE_COST + min((u64)nr, (u64)MQ_PRIO_MAX) * MESSAGE_COST;
	return 0;
}

int mqueue_create(s64 max_nr, s64 max_len, struct mqueue **out)
{
	struct user *user = current_cred()->user;
	struct mqueue *q;
	u64 cost;
	int err = size_check(max_nr, max_len, &cost);

	if (err)
		return err;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return -ENOMEM;
	if (atomic_add_return(&user->mq_bytes, cost) > rlimit(RLIMIT_MSGQUEUE)) {
		atomic_sub(&user->mq_bytes, cost);
		kfree(q);
		return -EMFILE;
	}
	user_ref(user);
	q->user = user;
	q->charged = cost;
	spin_lock_init(&q->lock, LC_IPC);
	q->messages = RB_ROOT;
	list_init(&q->receivers);
	list_init(&q->senders);
	wait_queue_init(&q->wait);
	q->max_nr = (u32)max_nr;
	q->max_len = (u32)max_len;
	*out = q;
	return 0;
}

void mqueue_destroy(struct mqueue *q)
{
	struct mq_notice n = mq_notice_take(q, NULL);	/* nobody else is here */
	struct rb_node *at;

	mq_notice_drop(&n);
	while ((at = q->messages.rb_node)) {
		rb_erase(at, &q->messages);
		kvfree(rb_entry(at, struct mq_message, node));
	}
	atomic_sub(&q->user->mq_bytes, q->charged);
	user_unref(q->user);
	kfree(q);
}

/* --- a queue's file */

/* "QSIZE:129        NOTIFY:2    SIGNO:0    NOTIFY_PID:8260" */
static ssize_t queue_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct mqueue *q = f->inode->private;
	char text[FILE_SIZE];
	s32 pid = 0, how = 0, signo = 0;
	u64 bytes, len;
	ssize_t ret;

	spin_lock(&q->lock);
	bytes = q->bytes;
	if (q->notice.owner) {
		how = q->notice.how;
		signo = how == SIGEV_SIGNAL ? q->notice.signo : 0;
		pid = q->notice.owner->pid;
	}
	spin_unlock(&q->lock);
	len = (u64)scnprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes, how, signo, pid);
	if (*pos >= len || !to->count)
		return 0;
	ret = (ssize_t)copy_to_iter(text + *pos, min(len - *pos, to->count), to);
	if (!ret)
		return -EFAULT;
	*pos += (u64)ret;
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return ret;
}

static u32 queue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->inode->private;
	u32 nr;

	poll_wait(pt, f, &q->wait);
	smp_mb();	/* queued before looking; pairs with wake_up in send_or_wait and receive_or_wait */
	nr = READ_ONCE(q->nr);
	return (nr ? EPOLLIN | EPOLLRDNORM : 0) | (nr < q->max_nr ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Each close by the process that is to be told ends that. */
static int queue_flush(struct file *f)
{
	struct mqueue *q = f->inode->private;
	struct mq_notice n;

	spin_lock(&q->lock);
	n = mq_notice_take(q, current->proc);
	spin_unlock(&q->lock);
	mq_notice_drop(&n);
	return 0;
}

static const struct file_ops queue_fops = { .read = queue_read, .poll = queue_poll, .flush = queue_flush };

struct mqueue *mqueue_of(const struct file *f) { return likely(f->ops == &queue_fops) ? f->inode->private : NULL; }

/* --- the directory */

/* attr NULL: as the sysctl say.  The directory is locked for writing. */
static int queue_make(struct inode *dir, const char *name, u32 len, u32 mode, const struct mq_attr *attr, struct inode **out)
{
	s64 nr = attr ? attr->mq_maxmsg : min(READ_ONCE(msg_max), READ_ONCE(msg_default));
	s64 size = attr ? attr->mq_msgsize : min(READ_ONCE(msgsize_max), READ_ONCE(msgsize_default));
	struct mqueue *q;
	struct inode *i;
	int err = -ENOSPC;

	if (atomic_add_return(&nr_queues, 1u) > (u32)READ_ONCE(queues_max) && !capable(CAP_SYS_RESOURCE))
		goto err_count;
	err = mqueue_create(nr, size, &q);
	if (err)
		goto err_count;
	err = tmpfs_create(dir, name, len, S_IFREG | mode, 0, &i);
	if (err)
		goto err_queue;
	i->ops = &empty_inode_ops;
	i->fops = &queue_fops;
	i->private = q;
	i->size = FILE_SIZE;
	*out = i;
	return 0;
err_queue:
	mqueue_destroy(q);
err_count:
	atomic_dec(&nr_queues);
	return err;
}

static int queue_create_op(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out)
{
	(void)rdev;
	return MODE_IS(mode, S_IFREG) ? queue_make(dir, name, len, mode & 07777, NULL, out) : -EPERM;
}

static void queue_gone(struct inode *i)
{
	mqueue_destroy(i->private);
	atomic_dec(&nr_queues);
}

static const struct inode_ops mq_dir_ops = { .lookup = tmpfs_lookup, .create = queue_create_op, .unlink = tmpfs_unlink };

static int mqueue_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	(void)type; (void)flags; (void)source;
	if (*opts)
		return -EINVAL;
	super_get(mq_super);
	*out = mq_super;
	return 0;
}
FILESYSTEM(mqueue, .mount = mqueue_mount);

static int mqueue_init(void)
{
	static const struct tmpfs_host host = { .dir_ops = &mq_dir_ops, .gone = queue_gone };
	int err = tmpfs_super_host(&__fs_mqueue, MQUEUE_MAGIC, &host, &mq_super);

	if (err)
		return err;
	mq_super->flags |= SB_NOEXEC;
	mq_mount = mount_kernel(mq_super);
	return mq_mount ? 0 : -ENOMEM;
}
BOOT_INIT(fs, mqueue_init);

/* --- mq_open, mq_unlink */

/* What a name may be; libraries have taken its slash off. */
static int name_check(const struct filename *fn)
{
	if (strchr(fn->name, '/') || !strcmp(fn->name, ".") || !strcmp(fn->name, ".."))
		return -EACCES;
	return fn->len > NAME_MAX ? -ENAMETOOLONG : inode_permission(mq_super->root->inode, MAY_EXEC);
}

/* The queue called q, or a new one if flags say so, referenced.  The directory is locked for writing. */
static int find_or_make(const struct qname *q, u32 flags, u32 mode, const struct mq_attr *attr, struct dentry **out)
{
	static const u32 wanted[] = { [O_RDONLY] = MAY_READ, [O_WRONLY] = MAY_WRITE, [O_RDWR] = MAY_READ | MAY_WRITE };
	struct inode *dir = mq_super->root->inode, *made;
	struct dentry *d;
	int err = dir_lookup(mq_super->root, q, &d);

	if (err)
		return err;
	if (d->inode) {
		if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
			err = -EEXIST;
		else if ((flags & O_ACCMODE) == O_ACCMODE)
			err = -EINVAL;
		else
			err = inode_permission(d->inode, wanted[flags & O_ACCMODE]);
	} else {
		err = flags & O_CREAT ? mount_may_write(mq_mount) : -ENOENT;
		if (!err)
			err = dir_may_create(dir);
		if (!err)
			err = queue_make(dir, d->name, d->name_len, mode & 07777 & ~current->fs->umask, attr, &made);
		if (!err) {
			dentry_instantiate(d, made);
			notify_name(dir, IN_CREATE, d->name, d->name_len, made);
		}
	}
	if (err)
		dentry_put(d);
	else
		*out = d;
	return err;
}

static int queue_open(const struct filename *fn, u32 flags, u32 mode, const struct mq_attr *attr, struct file **out)
{
	struct inode *dir = mq_super->root->inode;
	struct qname name = qname_of(fn->name, fn->len);
	struct dentry *d = NULL;
	struct file *f;
	int err = name_check(fn);

	if (!err)
		err = file_alloc(&f);
	if (err)
		return err;
	rwsem_write_lock(&dir->lock);
	err = find_or_make(&name, flags, mode, attr, &d);
	rwsem_write_unlock(&dir->lock);
	if (!err) {
		f->path = (struct path){ .mnt = mq_mount, .dentry = d };
		mount_get(mq_mount);
		err = file_open_inode(f, d->inode, flags);
	}
	if (err)
		file_put_now(f);
	else
		*out = f;
	return err;
}

long sys_mq_open(const char __user *uname, u32 flags, u32 mode, const struct mq_attr __user *uattr)
{
	struct mq_attr attr;
	struct filename fn;
	struct file *f;
	int fd, err;

	if (uattr && copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	err = getname(&fn, uname, false);
	if (err)
		return err;
	fd = fd_reserve(0, O_CLOEXEC);
	if (fd >= 0) {
		err = queue_open(&fn, flags, mode, uattr ? &attr : NULL, &f);
		if (!err) {
			fd_install(fd, f);
		} else {
			fd_cancel(fd);
			fd = err;
		}
	}
	putname(&fn);
	return fd;
}

long sys_mq_unlink(const char __user *uname)
{
	struct walk w = { .path = { mq_mount, mq_super->root }, .last_type = LAST_NORM };
	struct filename fn;
	int err = getname(&fn, uname, false);

	if (err)
		return err;
	err = name_check(&fn);
	if (!err) {
		w.last = qname_of(fn.name, fn.len);
		err = vfs_unlink_at(&w, false);
	}
	putname(&fn);
	return err;
}
