/* What the VFS needs beside the common stubs: credentials, user memory that is our own, no page cache. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/notify.h>
#include <fs/tmpfs/tmpfs_internal.h>
#include <fs/write_gate.h>
#include <fs/xattr.h>
#include <mm/shmem.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/fmt.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <mm/writeback.h>
#include <mm/slab.h>
#include <arch/uaccess.h>

#include <tests/unit/unit.h>

static struct cred root_cred;
static struct process proc0;

void unit_setup(void);
void unit_setup(void)
{
	refcount_set(&root_cred.refs, 1);
	root_cred.cap_effective = ~0ull;
	unit_current->cred = &root_cred;
	unit_current->proc = &proc0;
	proc0.pid = 1;
}

struct cred *unit_cred(void);
struct cred *unit_cred(void) { return &root_cred; }

u64 page_nr_total(void) { return 32768; }
void work_init_as(struct work *w, enum work_kind kind, void (*fn)(struct work *)) { (void)kind; w->fn = fn; }
bool work_queue(struct work *w) { w->fn(w); return true; }

bool capable(int cap) { return unit_current->cred->cap_effective >> cap & 1; }
bool cred_in_group(const struct cred *c, u32 gid) { return c->fsgid == gid; }
void cred_get(const struct cred *c) { (void)c; }
void cred_put(const struct cred *c) { (void)c; }
const struct cred *cred_get_own(void) { return current_cred(); }
void cred_put_own(const struct cred *c) { (void)c; }
u64 rlimit(unsigned r) { return r == RLIMIT_NOFILE ? 1024 : ~0ull; }
u64 clock_real_ns(void) { static u64 t = 1000000000; return t += 1000; }
int signal_send_task(struct task *t, int sig, const siginfo_t *info) { (void)t; (void)sig; (void)info; return 0; }
bool task_work_add(struct task *t, struct task_work *w, void (*f)(struct task_work *)) { (void)t; f(w); return true; }
struct list_head all_tasks = LIST_HEAD_INIT(all_tasks);

/* Nobody watches files here: no hook is taken. */
u32 notify_watches;
void notify_path_slow(const struct path *p, u32 mask, bool by_name) { (void)p; (void)mask; (void)by_name; }
void notify_inode_slow(struct inode *i, u32 mask) { (void)i; (void)mask; }
void notify_name_slow(struct inode *dir, u32 mask, const char *name, u32 len, u32 cookie) { (void)dir; (void)mask; (void)name; (void)len; (void)cookie; }
void notify_moved_slow(struct inode *odir, const struct qname *from, struct inode *ndir, const struct qname *to, struct inode *moved, struct inode *target)
{
	(void)odir; (void)from; (void)ndir; (void)to; (void)moved; (void)target;
}
void notify_gone_slow(struct inode *i) { (void)i; }
void notify_super_gone(struct super *sb) { (void)sb; }

void address_space_init(struct address_space *as, struct inode *host, const struct address_space_ops *ops)
{
	memset(as, 0, sizeof(*as));
	as->host = host;
	as->ops = ops;
}
void filemap_evict(struct address_space *as) { (void)as; }
void filemap_truncate(struct address_space *as, u64 size) { (void)as; (void)size; }
void filemap_punch(struct address_space *as, u64 s, u64 e) { (void)as; (void)s; (void)e; }
int filemap_get(struct address_space *as, u64 i, bool c, struct page **o) { (void)as; (void)i; (void)c; (void)o; return -ENOMEM; }
ssize_t filemap_read(struct file *f, struct iov_iter *to, u64 *pos) { (void)f; (void)to; (void)pos; return 0; }
ssize_t generic_file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	size_t n = from->count;

	*pos += n;
	f->inode->size = *pos;
	return (ssize_t)n;
}
int filemap_mmap(struct file *f, struct vma *v) { (void)f; (void)v; return 0; }

ssize_t strncpy_from_user(char *to, const char __user *from, size_t max)
{
	size_t n = strnlen(from, max);

	if (n == max)
		return -ENAMETOOLONG;
	memcpy(to, from, n + 1);
	return (ssize_t)n;
}
ssize_t strnlen_user(const char __user *s, size_t max) { return (ssize_t)strnlen(s, max) + 1; }
size_t user_copy_in(void *to, const void __user *from, size_t n) { memcpy(to, from, n); return 0; }
size_t user_copy_out(void __user *to, const void *from, size_t n) { memcpy(to, from, n); return 0; }
int copy_from_user_failed(void *to, size_t len, size_t left) { memset((char *)to + len - left, 0, left); return -EFAULT; }
void seq_printf(struct seq *s, const char *fmt, ...) { (void)s; (void)fmt; }
void seq_puts(struct seq *s, const char *t) { (void)s; (void)t; }
void seq_putc(struct seq *s, char c) { (void)s; (void)c; }
void epoll_file_gone(struct file *f) { (void)f; }
void locks_release(struct file *f) { (void)f; }
void locks_close(struct file *f, struct fdtable *t) { (void)f; (void)t; }
void file_locks_free(struct inode *i) { (void)i; }
const struct file_ops fifo_fops, chardev_fops, blockdev_fops, noopen_fops;
void inode_mark_dirty(struct inode *i, u32 what) { (void)i; (void)what; }
void block_close(struct block_device *bdev, const void *holder) { (void)bdev; (void)holder; }
void inode_unhash(struct inode *i) { (void)i; }
int inode_hash_add(struct inode *i) { (void)i; return -ENOMEM; }
struct inode *inode_find_cached(struct super *sb, u64 ino) { (void)sb; (void)ino; return NULL; }

/* Only sparse-file seeks reach it; the walk tests never do. */
s64 generic_seek(struct file *f, s64 off, int whence)
{
	(void)f; (void)off; (void)whence;
	return -ENOSYS;
}

void xattr_names_add(struct xattr_names *names, const char *name) { (void)names; (void)name; }

/* Nothing here has a writer. */
bool inode_put_unlinked(struct inode *i) { return refcount_dec_and_test(&i->refs); }
u64 error_sample(u64 *word) { return *word; }
int super_write_all(struct super *sb, bool wait) { (void)sb; (void)wait; return 0; }
void super_release_inodes(struct super *sb) { (void)sb; }
int writers_write_all(bool wait) { (void)wait; return 0; }
int buffers_sync(struct block_device *b) { (void)b; return 0; }
int block_flush(struct block_device *b) { (void)b; return 0; }

/* Nothing of a file is ever out in swap here. */
u64 shmem_next_swapped(struct address_space *as, u64 index) { (void)as; (void)index; return ~0ul; }

/* No file has seals here. */
int memfd_may_allocate(const struct inode *i, u32 mode, u64 end) { (void)i; (void)mode; (void)end; return 0; }

int error_check(u64 *word, u64 *since) { (void)word; (void)since; return 0; }
void error_note(u64 *word, int err) { (void)word; (void)err; }
