/* procfs: what the kernel tells about itself, as text.
 *
 * Two trees in one root.  The fixed tree is built once from the section of PROC_FILE lines, by their paths; proc_add adds to it what is
 * only known later, and nothing leaves it.  Beside it stand the
 * directories of the processes, made up on lookup (pid.c): their dentries are asked again on each walk (revalidate), since processes
 * come and go without telling, and a negative one is never believed. */
#include <fs/procfs/procfs.h>
#include <fs/dcache.h>
#include <fs/mount.h>
#include <fs/super.h>
#include <fs/text_file.h>
#include <kernel/abi/dirent.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <mm/slab.h>

struct proc_node {
	const char *name;
	u32 len, ino;
	const struct proc_entry *entry;		/* NULL: a directory */
	struct proc_node *children, *next;	/* [a] only ever appended to */
};

#define PID_POS		0x10000ull	/* readdir: processes begin here */
#define MAX_WRITE	65536

static struct proc_node root_node = { .name = "", .ino = 1 };
static struct super *proc_super;
static struct slab_cache *proc_inode_cache __ro_after_init;
static u32 next_ino = 2;
static const struct inode_ops dir_iops, root_iops, self_iops, empty_iops;
static const struct file_ops dir_fops;

/* --- the fixed tree --- */

static struct proc_node *node_find(const struct proc_node *dir, const char *name, u32 len)
{
	struct proc_node *n;

	for (n = atomic_load_acquire(&dir->children); n; n = atomic_load_acquire(&n->next))
		if (n->len == len && !memcmp(n->name, name, len))
			return n;
	return NULL;
}

static struct proc_node *node_add(struct proc_node *dir, const char *name, u32 len, const struct proc_entry *e)
{
	struct proc_node *n = kzalloc(sizeof(*n), GFP_KERNEL), **link = &dir->children;

	if (!n)
		return NULL;
	*n = (struct proc_node){ .name = name, .len = len, .ino = next_ino++, .entry = e };
	while (*link)
		link = &(*link)->next;
	atomic_store_release(link, n);	/* readers hold no lock */
	return n;
}

int proc_add(const struct proc_entry *e)
{
	struct proc_node *dir = &root_node, *n;
	const char *p = e->path, *slash;

	while (dir && (slash = strchr(p, '/'))) {
		n = node_find(dir, p, (u32)(slash - p));
		dir = n ? n : node_add(dir, p, (u32)(slash - p), NULL);
		p = slash + 1;
	}
	if (dir && node_find(dir, p, (u32)strlen(p))) {
		pr_warn("procfs: two files are called %s\n", e->path);
	} else if (!dir || !node_add(dir, p, (u32)strlen(p), e)) {
		pr_warn("procfs: no memory for %s\n", e->path);
		return -ENOMEM;
	}
	return 0;
}

/* --- inodes --- */

static struct inode *proc_alloc_inode(struct super *sb)
{
	struct proc_inode *p = slab_alloc(proc_inode_cache, GFP_KERNEL);

	(void)sb;
	if (!p)
		return NULL;
	memset((char *)p + sizeof(p->vfs), 0, sizeof(*p) - sizeof(p->vfs));
	return &p->vfs;
}

static void proc_free_inode(struct inode *i) { slab_free(proc_inode_cache, proc_i(i)); }
static const struct super_ops proc_super_ops = { .alloc_inode = proc_alloc_inode, .free_inode = proc_free_inode };

struct inode *proc_new_inode(struct super *sb, u32 mode, u64 ino)
{
	struct inode *i = inode_create(sb);

	if (!i)
		return NULL;
	inode_init_mode(i, mode, 0);
	i->ino = ino;
	i->ops = &empty_iops;
	return i;
}

static int node_inode(struct super *sb, const struct proc_node *n, struct inode **out)
{
	u32 mode = n->entry ? S_IFREG | (n->entry->mode ? n->entry->mode : 0444) : S_IFDIR | 0555;
	struct inode *i = proc_new_inode(sb, mode, n->ino);

	if (!i)
		return -ENOMEM;
	proc_i(i)->node = n;
	if (n->entry) {
		i->fops = n->entry->fops ? n->entry->fops : &proc_text_fops;
	} else {
		i->ops = n == &root_node ? &root_iops : &dir_iops;
		i->fops = &dir_fops;
		i->nlink = 2;
	}
	*out = i;
	return 0;
}

static int dir_lookup_node(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	struct proc_node *n = node_find(proc_i(dir)->node, name, len);

	return n ? node_inode(dir->sb, n, out) : -ENOENT;
}

/* A number without leading zeros, or -1. */
static s32 name_to_pid(const char *name, u32 len)
{
	s32 n = 0;

	if (!len || len > 7 || name[0] == '0')
		return -1;
	for (u32 i = 0; i < len; i++) {
		if (!is_digit(name[i]))
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

static int link_inode(struct inode *dir, const struct inode_ops *ops, u64 ino, struct inode **out)
{
	struct inode *i = proc_new_inode(dir->sb, S_IFLNK | 0777, ino);

	if (!i)
		return -ENOMEM;
	i->ops = ops;
	*out = i;
	return 0;
}

static int self_readlink(struct inode *i, char *buf, size_t size) { (void)i; return scnprintf(buf, size, "%d", current_pid()); }
static int thread_self_readlink(struct inode *i, char *buf, size_t size)
{
	(void)i;
	return scnprintf(buf, size, "%d/task/%d", current_pid(), current->tid);
}
static int mounts_readlink(struct inode *i, char *buf, size_t size) { (void)i; return scnprintf(buf, size, "self/mounts"); }
static int net_readlink(struct inode *i, char *buf, size_t size) { (void)i; return scnprintf(buf, size, "self/net"); }
static const struct inode_ops self_iops = { .readlink = self_readlink };
static const struct inode_ops thread_self_iops = { .readlink = thread_self_readlink };
static const struct inode_ops mounts_iops = { .readlink = mounts_readlink };
static const struct inode_ops net_iops = { .readlink = net_readlink };
static const struct { const char *name; const struct inode_ops *ops; u64 ino; } root_links[] = {
	{ "self", &self_iops, 0xf001 }, { "thread-self", &thread_self_iops, 0xf002 }, { "mounts", &mounts_iops, 0xf003 },
	{ "net", &net_iops, 0xf004 },
};

/* What was registered as net/... stands in every process's directory, and "net" in the root is a link there. */
static const struct proc_node *net_node(void) { return node_find(&root_node, "net", 3); }
int proc_net_lookup(struct super *sb, struct inode **out) { return net_node() ? node_inode(sb, net_node(), out) : -ENOENT; }

static int root_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	s32 pid = name_to_pid(name, len);

	if (pid > 0)
		return pid_lookup(dir, pid, out);
	for (u32 k = 0; k < ARRAY_SIZE(root_links); k++)
		if (strlen(root_links[k].name) == len && !memcmp(root_links[k].name, name, len))
			return link_inode(dir, root_links[k].ops, root_links[k].ino, out);
	return dir_lookup_node(dir, name, len, out);
}

static bool root_revalidate(struct dentry *d)
{
	struct inode *i = READ_ONCE(d->inode);

	if (!i)
		return false;
	return !proc_i(i)->pid || pid_alive_rcu(i);
}

static int dir_readdir(struct file *f, struct dir_context *ctx)
{
	const struct proc_node *dir = proc_i(f->inode)->node, *n;
	struct dentry *parent = READ_ONCE(f->path.dentry->parent);
	u64 at = 2;

	if (ctx->pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		return 0;
	if (ctx->pos <= 1 && !ctx->emit(ctx, "..", 2, parent->inode ? parent->inode->ino : 1, DT_DIR, 2))
		return 0;
	for (n = atomic_load_acquire(&dir->children); n; n = atomic_load_acquire(&n->next), at++)
		if (at >= ctx->pos && (dir != &root_node || n != net_node()) &&
		    !ctx->emit(ctx, n->name, n->len, n->ino, n->entry ? DT_REG : DT_DIR, at + 1))
			return 0;
	if (dir != &root_node)
		return 0;
	for (u32 k = 0; k < ARRAY_SIZE(root_links); k++, at++)
		if (at >= ctx->pos && !ctx->emit(ctx, root_links[k].name, (u32)strlen(root_links[k].name), root_links[k].ino, DT_LNK, at + 1))
			return 0;
	for (s32 pid = ctx->pos < PID_POS ? 1 : (s32)(ctx->pos - PID_POS); (pid = pid_next(pid)) > 0; pid++) {
		char name[12];
		u32 len = (u32)scnprintf(name, sizeof(name), "%d", pid);

		if (!ctx->emit(ctx, name, len, (u64)pid << 16, DT_DIR, PID_POS + (u64)pid + 1))
			return 0;
	}
	return 0;
}

int proc_no_create(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out)
{
	(void)dir; (void)name; (void)len; (void)mode; (void)rdev; (void)out;
	return -ENOENT;
}

int proc_no_mkdir(struct inode *dir, const char *name, u32 len, u32 mode, struct inode **out)
{
	(void)dir; (void)name; (void)len; (void)mode; (void)out;
	return -ENOENT;
}

static const struct inode_ops dir_iops = { .lookup = dir_lookup_node, .create = proc_no_create, .mkdir = proc_no_mkdir };
static const struct inode_ops root_iops = {
	.lookup = root_lookup, .revalidate = root_revalidate, .create = proc_no_create, .mkdir = proc_no_mkdir,
};
static const struct inode_ops empty_iops;
static const struct file_ops dir_fops = { .readdir = dir_readdir };

/* --- text files --- */

int proc_text_open(struct inode *inode, struct file *f)
{
	const struct proc_node *node = proc_i(inode)->node;

	int err = proc_open_guarded(inode);

	if (err)
		return err;
	/* Under /proc/sys modes bind root too. */
	if ((f->mode & FMODE_WRITE) && node && !node->entry->write && str_has_prefix(node->entry->path, "sys/"))
		return -EACCES;
	f->private = text_create();
	return f->private ? 0 : -ENOMEM;
}

static void text_release(struct file *f) { text_destroy(f->private); }

static int text_make(struct seq *s, void *arg)
{
	struct file *f = arg;
	struct proc_inode *p = proc_i(f->inode);
	struct task *task;
	int err;

	if (p->node)
		return p->node->entry->show ? p->node->entry->show(s, p->node->entry->arg) : -EINVAL;
	task = proc_task(f->inode);
	if (!task)
		return -ESRCH;
	if (p->entry->show_fd)
		err = p->entry->show_fd(s, task, p->fd);
	else if (p->thread && p->entry->show_thread)
		err = p->entry->show_thread(s, task);
	else
		err = p->entry->show ? p->entry->show(s, task) : -EINVAL;
	task_put(task);
	return err;
}

static int text_more(struct seq *s, u64 *cursor, void *arg)
{
	struct file *f = arg;
	struct task *task = proc_task(f->inode);
	int err;

	if (!task)
		return -ESRCH;
	err = proc_i(f->inode)->entry->show_from(s, task, cursor);
	task_put(task);
	return err;
}

static ssize_t proc_text_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	const struct pid_entry *e = proc_i(f->inode)->entry;

	if (e && e->show_from)
		return text_read_pieces(f->private, text_more, f, to, pos);
	return text_read(f->private, text_make, f, to, pos);
}

static ssize_t proc_text_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct proc_inode *p = proc_i(f->inode);
	size_t len = from->count;
	char few[64], *buf;		/* a number is written without an allocation: fail-nth counts on that */
	ssize_t ret;

	if (p->node ? !p->node->entry->write : !p->entry->write)
		return -EIO;
	if (len > MAX_WRITE)
		return -EINVAL;
	ret = text_write_copy(from, len, few, sizeof(few), &buf);
	if (ret)
		return ret;
	if (p->node) {
		ret = p->node->entry->write(buf, len, p->node->entry->arg);
	} else {
		struct task *task = proc_task(f->inode);

		ret = task ? p->entry->write(task, buf, len) : -ESRCH;
		if (task)
			task_put(task);
	}
	text_write_done(buf, few);
	if (ret < 0)
		return ret;
	*pos += len;
	return (ssize_t)len;
}

const struct file_ops proc_text_fops = {
	.open = proc_text_open, .release = text_release, .read = proc_text_read, .write = proc_text_write,
};

/* --- mounting --- */

static int proc_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	(void)type; (void)flags; (void)source; (void)opts;
	if (!proc_super)
		return -ENODEV;
	super_get(proc_super);
	*out = proc_super;
	return 0;
}
FILESYSTEM(proc, .mount = proc_mount);

/* The tree lives as long as the kernel: the first reference stays. */
static int procfs_init(void)
{
	const struct proc_entry *e;
	struct inode *root;
	struct super *sb;

	proc_inode_cache = slab_cache_create("proc_inode", sizeof(struct proc_inode), 0, NULL);
	if (proc_inode_cache)
		slab_set_reclaimable(proc_inode_cache);
	sb = proc_inode_cache ? super_create(fs_type_find("proc"), &proc_super_ops, PROC_SUPER_MAGIC) : NULL;
	if (!sb)
		return -ENOMEM;
	for (e = __proc_files_start; e < __proc_files_end; e++)
		(void)proc_add(e);
	if (node_inode(sb, &root_node, &root) || !(sb->root = dentry_make_root(sb, root))) {
		super_put(sb);
		return -ENOMEM;
	}
	proc_super = sb;
	return 0;
}
BOOT_INIT(fs, procfs_init);
