/* The ioctls of loop devices: what stands behind one, from where, how much. */
#include <arch/uaccess.h>
#include <drivers/block/loop_internal.h>
#include <drivers/block/rescan.h>
#include <fs/buffer.h>
#include <fs/inode.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>

/* As programs see a device number in a u64: huge_encode_dev. */
static u64 encode_dev(dev_t_k d)
{
	return (DEV_MINOR(d) & 0xff) | (u64)DEV_MAJOR(d) << 8 | (u64)(DEV_MINOR(d) & ~0xffu) << 12;
}

static int check_info(const struct loop_info64 *info)
{
	if (info->lo_encrypt_type)
		return -EINVAL;
	return (s64)info->lo_offset < 0 || (s64)info->lo_sizelimit < 0 ? -EOVERFLOW : 0;
}

static void take_names(struct loop *l, const struct loop_info64 *info)
{
	memcpy(l->name, info->lo_file_name, LO_NAME_SIZE);
	memcpy(l->crypt_name, info->lo_crypt_name, LO_NAME_SIZE);
	l->name[LO_NAME_SIZE - 1] = l->crypt_name[LO_NAME_SIZE - 1] = 0;
}

static int block_size_ok(u32 size) { return size < SECTOR_SIZE || size > PAGE_SIZE || size & (size - 1) ? -EINVAL : 0; }

/* LOOP_CONFIGURE, and LOOP_SET_FD with an empty config. */
static long configure(struct loop *l, struct file *f, const struct loop_config *c)
{
	struct file *behind;
	int err = check_info(&c->info);

	if (c->info.lo_flags & ~(u32)LOOP_CONFIGURE_SETTABLE_FLAGS || (c->block_size && block_size_ok(c->block_size)))
		err = -EINVAL;
	behind = fd_get((int)c->fd);
	if (!behind)
		return -EBADF;
	loop_binding_begin();
	mutex_lock(&l->disk->mutex);
	if (!err)
		err = l->file ? -EBUSY : loop_file_ok(l, behind);
	if (!err) {
		u32 flags = c->info.lo_flags & (LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN | LO_FLAGS_READ_ONLY);

		l->disk->limits.logical_size = c->block_size ? c->block_size : SECTOR_SIZE;
		err = loop_bind(l, behind, c->info.lo_offset, c->info.lo_sizelimit, flags | (f->mode & FMODE_WRITE ? 0 : LO_FLAGS_READ_ONLY));
	}
	if (!err)
		take_names(l, &c->info);
	mutex_unlock(&l->disk->mutex);
	loop_binding_end();
	if (err)
		file_put(behind);
	else if (c->info.lo_flags & LO_FLAGS_PARTSCAN)
		(void)disk_rescan(l->disk);
	return err;
}

static long clear_fd(struct loop *l)
{
	int err = 0;

	loop_binding_begin();
	mutex_lock(&l->disk->mutex);
	if (!l->file)
		err = -ENXIO;
	else if (l->disk->openers > 1)
		l->flags |= LO_FLAGS_AUTOCLEAR;		/* with the last who closes it */
	else
		err = loop_unbind(l);
	mutex_unlock(&l->disk->mutex);
	loop_binding_end();
	return err;
}

static void get_info(struct loop *l, struct loop_info64 *info)
{
	const struct inode *i = l->file->inode;

	*info = (struct loop_info64){ .lo_device = encode_dev(i->sb->dev), .lo_inode = i->ino, .lo_rdevice = encode_dev(i->rdev),
				      .lo_offset = l->offset, .lo_sizelimit = l->size_limit, .lo_number = l->index, .lo_flags = l->flags };
	memcpy(info->lo_file_name, l->name, LO_NAME_SIZE);
	memcpy(info->lo_crypt_name, l->crypt_name, LO_NAME_SIZE);
}

static int set_info(struct loop *l, const struct loop_info64 *info)
{
	int err = check_info(info);
	u32 old = l->flags;

	if (err)
		return err;
	if (l->offset != info->lo_offset || l->size_limit != info->lo_sizelimit) {
		err = filemap_invalidate(&l->disk->whole->inode->data, 0, ~0ull);
		if (err)
			return err == -EBUSY ? -EAGAIN : err;
		WRITE_ONCE(l->offset, info->lo_offset);		/* each request has one or the other */
		l->size_limit = info->lo_sizelimit;
		loop_resize(l);
	}
	take_names(l, info);
	l->flags = (old & ~(u32)LOOP_SET_STATUS_CLEARABLE_FLAGS) | (info->lo_flags & LOOP_SET_STATUS_SETTABLE_FLAGS);
	return 0;
}

static void from_old(const struct loop_info *o, struct loop_info64 *n)
{
	*n = (struct loop_info64){ .lo_offset = (u64)(s64)o->lo_offset, .lo_encrypt_type = (u32)o->lo_encrypt_type, .lo_flags = (u32)o->lo_flags };
	memcpy(n->lo_file_name, o->lo_name, LO_NAME_SIZE);
}

static int to_old(const struct loop_info64 *n, struct loop_info *o)
{
	*o = (struct loop_info){ .lo_number = (int)n->lo_number, .lo_device = (__kernel_old_dev_t)n->lo_device, .lo_inode = n->lo_inode,
				 .lo_rdevice = (__kernel_old_dev_t)n->lo_rdevice, .lo_offset = (int)n->lo_offset, .lo_flags = (int)n->lo_flags };
	memcpy(o->lo_name, n->lo_file_name, LO_NAME_SIZE);
	return n->lo_offset > 0x7fffffff ? -EOVERFLOW : 0;
}

static long set_status(struct loop *l, u64 arg, bool old)
{
	struct loop_info64 info;
	struct loop_info o;
	bool scan = false;
	long err;

	if (old ? copy_from_user(&o, (void __user *)user_ptr(arg), sizeof(o)) : copy_from_user(&info, (void __user *)user_ptr(arg), sizeof(info)))
		return -EFAULT;
	if (old)
		from_old(&o, &info);
	mutex_lock(&l->disk->mutex);
	if (l->file) {
		u32 before = l->flags;

		err = set_info(l, &info);
		scan = !err && l->flags & ~before & LO_FLAGS_PARTSCAN;
	} else {
		err = -ENXIO;
	}
	mutex_unlock(&l->disk->mutex);
	if (scan)
		(void)disk_rescan(l->disk);
	return err;
}

static long get_status(struct loop *l, u64 arg, bool old)
{
	struct loop_info64 info;
	struct loop_info o;
	long err = 0;

	mutex_lock(&l->disk->mutex);
	if (l->file)
		get_info(l, &info);
	else
		err = -ENXIO;
	mutex_unlock(&l->disk->mutex);
	if (!err && old)
		err = to_old(&info, &o);
	if (!err && (old ? copy_to_user((void __user *)user_ptr(arg), &o, sizeof(o)) : copy_to_user((void __user *)user_ptr(arg), &info, sizeof(info))))
		err = -EFAULT;
	return err;
}

static long simple_set(struct loop *l, u32 cmd, u64 arg)
{
	int err = 0;

	mutex_lock(&l->disk->mutex);
	if (!l->file)
		err = -ENXIO;
	else if (cmd == LOOP_SET_BLOCK_SIZE)
		err = arg > PAGE_SIZE ? -EINVAL : block_size_ok((u32)arg);
	else if (cmd == LOOP_SET_DIRECT_IO)
		err = arg ? -EINVAL : 0;	/* the file is read and written through its cache */
	if (!err && cmd == LOOP_SET_BLOCK_SIZE) {
		err = filemap_invalidate(&l->disk->whole->inode->data, 0, ~0ull);
		if (!err)
			l->disk->limits.logical_size = l->disk->limits.physical_size = l->disk->limits.io_min = (u32)arg;
		else if (err == -EBUSY)
			err = -EAGAIN;
	}
	if (!err && cmd != LOOP_SET_DIRECT_IO)
		loop_resize(l);
	mutex_unlock(&l->disk->mutex);
	return err;
}

/* Another file of the same size for a read-only device. */
static long change_fd(struct loop *l, u64 arg)
{
	struct file *f = fd_get((int)arg), *old = NULL;
	int err;

	if (!f)
		return -EBADF;
	loop_binding_begin();
	mutex_lock(&l->disk->mutex);
	err = !l->file ? -ENXIO : !(l->flags & LO_FLAGS_READ_ONLY) ? -EINVAL : loop_file_ok(l, f);
	if (!err && i_size_read(f->mapping->host) != i_size_read(l->file->mapping->host))
		err = -EINVAL;
	if (!err) {
		u64 offset = l->offset, limit = l->size_limit;
		u32 flags = l->flags;

		old = l->file;
		file_get(old);
		err = loop_unbind(l);
		if (!err)
			err = loop_bind(l, f, offset, limit, flags);
	}
	mutex_unlock(&l->disk->mutex);
	loop_binding_end();
	if (old)
		file_put(old);
	if (err)
		file_put(f);
	return err;
}

long loop_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct block_device *b = f->private;
	struct loop *l = b->disk->private;
	struct loop_config c = { .fd = (u32)arg };

	if (b->partno)
		return -ENOTTY;
	switch (cmd) {
	case LOOP_CONFIGURE:
		if (copy_from_user(&c, (void __user *)user_ptr(arg), sizeof(c)))
			return -EFAULT;
		return configure(l, f, &c);
	case LOOP_SET_FD:
		return configure(l, f, &c);
	case LOOP_CLR_FD:
		return clear_fd(l);
	case LOOP_GET_STATUS: case LOOP_GET_STATUS64:
		return get_status(l, arg, cmd == LOOP_GET_STATUS);
	case LOOP_SET_STATUS: case LOOP_SET_STATUS64: case LOOP_CHANGE_FD: case LOOP_SET_CAPACITY: case LOOP_SET_DIRECT_IO: case LOOP_SET_BLOCK_SIZE:
		break;
	default:
		return -ENOTTY;
	}
	if (!(f->mode & FMODE_WRITE) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (cmd == LOOP_SET_STATUS || cmd == LOOP_SET_STATUS64)
		return set_status(l, arg, cmd == LOOP_SET_STATUS);
	return cmd == LOOP_CHANGE_FD ? change_fd(l, arg) : simple_set(l, cmd, arg);
}
