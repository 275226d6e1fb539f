/* Open files: a position in an inode, and the operations of whoever is behind it.
 *
 * A file lives by its references: one a descriptor, and one each for calls that work on it through a shared table.  The last put
 * closes: from a system call at once (file_put_now, close()), from anywhere else by task work, because closing may sleep and take
 * locks.  Kernel threads have no way out to EL0 and close at once too, when they may sleep.
 *
 * Memory: threads that share a descriptor table look files up under RCU, so a file that was ever removed from a shared table
 * (FILE_RCU) is freed after a grace period.  All others are freed directly: a private table's files can't be looked up by anybody
 * without its lock.
 *
 * Files without a name (pipes, eventfd, epoll, memfd) stand on an anonymous mount; their dentry says what /proc shows. */
#include <fs/file.h>
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/super.h>
#include <fs/seq.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/percpu_count.h>
#include <kernel/proc/proc.h>
#include <kernel/sysctl.h>
#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static struct slab_cache *file_cache __ro_after_init;
DEFINE_PERCPU_COUNT(nr_files);
u64 files_max = 8192, nr_open_max = 1048576;
static struct super *anon_sb;
static struct mount *anon_mnt;
static struct inode *anon_inode;

u64 files_nr(void) { return percpu_count_sum(&nr_files); }

int file_alloc(struct file **out)
{
	struct file *f;

	if (unlikely(percpu_count_about(&nr_files) >= files_max && files_nr() >= files_max && !capable(CAP_SYS_ADMIN)))
		return -ENFILE;
	f = slab_alloc(file_cache, GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	percpu_count_add(&nr_files, 1);
	memset(f, 0, sizeof(*f));
	refcount_set(&f->refs, 1);
	mutex_init(&f->pos_lock, LC_FILE_POS);
	spin_lock_init(&f->lock, LC_FILE_SPIN);
	list_init(&f->epoll_links);
	f->cred = current_cred() ? cred_get_own() : NULL;
	*out = f;
	return 0;
}

static void file_free_rcu(struct rcu_head *head)
{
	slab_free(file_cache, container_of(head, struct file, rcu));
}

void file_release(struct file *f)
{
	if (f->inode)
		TRACE(vfs_release, f->inode->ino, f->mode);
	if (f->ops)
		notify_file(f, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (unlikely(atomic_load(&f->marks) & FILE_WATCHED))
		epoll_file_gone(f);
	if (unlikely(atomic_load(&f->marks) & FILE_LOCKS))
		locks_release(f);
	if (f->ops && f->ops->release && f->inode)
		f->ops->release(f);
	if (f->mode & FMODE_WRITER) {
		inode_put_write(f->inode);
		atomic_dec(&f->path.mnt->writers);
	}
	if (f->mode & FMODE_EXECED)
		inode_allow_write(f->inode);
	if (f->path.dentry)
		path_put(&f->path);
	if (f->cred)
		cred_put_own(f->cred);
	percpu_count_add(&nr_files, -1);
	if (unlikely(atomic_load(&f->marks) & FILE_RCU))
		call_rcu(&f->rcu, file_free_rcu);
	else
		slab_free(file_cache, f);
}

static void put_work(struct task_work *w)
{
	file_release(container_of(w, struct file, put_work));
}

void file_put(struct file *f)
{
	if (!refcount_dec_and_test(&f->refs))
		return;
	if (!(current->pflags & PF_KTHREAD) && task_work_add(current, &f->put_work, put_work))
		return;
	file_release(f);
}

int file_open_inode(struct file *f, struct inode *inode, u32 o_flags)
{
	u32 acc = o_flags & O_ACCMODE;
	int err;

	f->inode = inode;
	f->mapping = inode->mapping;
	f->flags = o_flags & ~(u32)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	if (unlikely(o_flags & O_PATH)) {
		f->mode = FMODE_PATH;
		f->flags = o_flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
		return 0;
	}
	f->ops = inode->fops;
	f->mode = acc == O_RDONLY ? FMODE_READ : acc == O_WRONLY ? FMODE_WRITE : FMODE_READ | FMODE_WRITE;
	if (unlikely(acc == 3))
		f->mode = 0;	/* Linux: ioctl only */
	f->flags |= O_LARGEFILE;
	if (inode_is_reg(inode)) {
		if (f->mode & FMODE_WRITE) {
			err = mount_write_begin(f->path.mnt);	/* which looks for writers when it becomes read-only */
			if (err)
				return err;
			err = inode_get_write(inode);
			if (!err) {
				f->mode |= FMODE_WRITER;
				atomic_inc(&f->path.mnt->writers);
			}
			mount_write_end(f->path.mnt);
			if (err)
				return err;
		}
		if (!(o_flags & O_NOATIME) && !(f->path.mnt->flags & (MS_NOATIME | MS_RDONLY)))
			f->mode |= FMODE_ATIME;
	}
	if (f->ops->open) {
		f->flags |= o_flags & (O_EXCL | O_NOCTTY);	/* mean something to block devices and to terminals */
		err = f->ops->open(inode, f);
		f->flags &= ~(u32)(O_EXCL | O_NOCTTY);
		if (err) {
			f->ops = NULL;	/* never opened: no release */
			return err;
		}
	}
	if (unlikely(f->mapping->wb_err))
		f->wb_err = error_sample(&f->mapping->wb_err);
	if (f->mapping->iomap)
		f->mode |= FMODE_NOWAIT | FMODE_DIRECT;
	else if (unlikely(o_flags & O_DIRECT))
		return -EINVAL;
	return 0;
}

int anon_file_on(const char *name, struct inode *inode, const struct file_ops *ops, void *private, u32 o_flags, struct file **out)
{
	struct qname q = { name, (u32)strlen(name), 0 };
	struct file *f;
	struct dentry *d;
	u32 acc = o_flags & O_ACCMODE;
	int err = file_alloc(&f);

	if (err)
		return err;
	d = dentry_alloc(anon_sb, NULL, &q);
	if (!d) {
		file_release(f);
		return -ENOMEM;
	}
	d->flags |= DENTRY_ANON;
	dentry_set_anon_inode(d, inode);
	mount_get(anon_mnt);
	f->path.mnt = anon_mnt;
	f->path.dentry = d;
	f->inode = inode;
	f->mapping = inode->mapping;
	f->ops = ops;
	f->private = private;
	f->mode = acc == O_RDONLY ? FMODE_READ : acc == O_WRONLY ? FMODE_WRITE : FMODE_READ | FMODE_WRITE;
	f->flags = o_flags & ~(u32)O_CLOEXEC;
	*out = f;
	return 0;
}

int anon_file_create(const char *name, const struct file_ops *ops, void *private, u32 o_flags, struct file **out)
{
	int err;

	inode_get(anon_inode);
	err = anon_file_on(name, anon_inode, ops, private, o_flags, out);
	if (err)
		inode_put(anon_inode);
	else
		(*out)->mode |= FMODE_STREAM;
	return err;
}

struct super *anon_super(void) { return anon_sb; }

static int fileno_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%llu\t0\t%llu\n", (unsigned long long)files_nr(), (unsigned long long)files_max);
	return 0;
}
PROC_FILE(file_nr, .path = "sys/fs/file-nr", .mode = 0444, .show = fileno_show);

SYSCTL(file_max, "fs/file-max", .value = &files_max, .max = 999999999999999999);
SYSCTL(nr_open, "fs/nr_open", .value = &nr_open_max, .min = 8, .max = 1ul << 30);

void file_cache_init(void)
{
	static const struct fs_type anon_type = { .name = "anon_inodefs" };

	file_cache = slab_cache_create("file", sizeof(struct file), 0, NULL);
	VERIFY(file_cache);
	files_max = page_nr_total() * 4 / 10;	/* at most a tenth of memory, by 1 KiB each */
	if (files_max < 8192)
		files_max = 8192;
	anon_sb = super_create(&anon_type, NULL, ANON_INODE_FS_MAGIC);
	VERIFY(anon_sb);
	anon_inode = inode_create(anon_sb);
	VERIFY(anon_inode);
	anon_inode->mode = 0600;
	inode_get(anon_inode);
	anon_sb->root = dentry_make_root(anon_sb, anon_inode);
	VERIFY(anon_sb->root);
	anon_mnt = mount_kernel(anon_sb);
	VERIFY(anon_mnt);
}
