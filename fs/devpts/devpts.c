/* devpts: a character node for each pseudo-terminal that is open, and ptmx.  Every mount is an instance of its own (newinstance is taken and
 * means nothing, as on Linux since 4.7): its own numbers, its own options.  Which instance /dev/ptmx makes its terminals in, devpts_of says.
 *
 * An entry's inode lives as long as its pty, so that ownership and mode set on it last, and keeps the superblock, so that an instance that was
 * unmounted lives on until its last pty is closed.  Names are looked up in the tree of entries at each walk (revalidate), since they come and
 * go without the VFS: a cached name is good while its inode is still the entry's.
 *
 * Locks: instance.lock guards the entries; making_mutex keeps a number from being given twice while its inode is made. */
#include <drivers/tty/pty.h>
#include <fs/dcache.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/notify.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/string.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>

#define TYPE_DIR 4u	/* DT_DIR, DT_CHR */
#define TYPE_CHR 2u

struct options { u32 mode, ptmxmode, max; s64 uid, gid; /* -1: whoever opens ptmx */ };

struct entry { struct rb_node node; u32 index; struct inode *inode; };

struct instance {
	struct spinlock lock;		/* LC_INODE_HASH */
	struct rb_root entries;		/* [lock] by index */
	struct options opt;		/* [a] each word by itself */
	struct inode *ptmx;		/* [I] */
};

static DEFINE_MUTEX(making_mutex, LC_FS_SINGLE);

static struct instance *instance_of(const struct super *sb) { return sb->private; }

/* --- entries --- */

/* index_of - a canonical decimal number; -1 if it is none */
static s32 index_of(const char *name, u32 len)
{
	u32 v = 0;

	if (len == 0 || len > 7 || (name[0] == '0' && len > 1))
		return -1;
	for (u32 i = 0; i < len; i++) {
		if (!is_digit(name[i]))
			return -1;
		v = v * 10 + (u32)(name[i] - '0');
	}
	return v < PTY_INDEX_MAX ? (s32)v : -1;
}

/* The first entry at or above index.  Locks: lock. */
static struct entry *entry_from(const struct instance *in, u32 index)
{
	struct rb_node *n = in->entries.rb_node;
	struct entry *best = NULL;

	while (n) {
		struct entry *e = rb_entry(n, struct entry, node);

		if (e->index >= index)
			best = e;
		n = e->index >= index ? n->rb_left : n->rb_right;
	}
	return best;
}

/* The inode called name, or NULL.  Locks: lock. */
static struct inode *named(const struct instance *in, const char *name, u32 len)
{
	s32 index = index_of(name, len);
	struct entry *e;

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return in->ptmx;
	e = index < 0 ? NULL : entry_from(in, (u32)index);
	return e && e->index == (u32)index ? e->inode : NULL;
}

static int pts_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	struct instance *in = instance_of(dir->sb);
	struct inode *i;

	spin_lock(&in->lock);
	i = named(in, name, len);
	if (i)
		inode_get(i);
	spin_unlock(&in->lock);
	*out = i;
	return i ? 0 : -ENOENT;
}

static bool pts_revalidate(struct dentry *d)
{
	struct instance *in = instance_of(d->sb);
	struct inode *i = READ_ONCE(d->inode);
	bool good;

	spin_lock(&in->lock);
	good = i && named(in, d->name, d->name_len) == i;
	spin_unlock(&in->lock);
	return good;
}

static int pts_readdir(struct file *file, struct dir_context *ctx)
{
	static const struct { const char *name; u64 ino; u32 type; } fixed[] = { { ".", 1, TYPE_DIR }, { "..", 1, TYPE_DIR }, { "ptmx", 2, TYPE_CHR } };
	struct instance *in = instance_of(file->inode->sb);
	char name[12];

	for (; ctx->pos < 3; ctx->pos++) {
		u32 k = (u32)ctx->pos;

		if (!ctx->emit(ctx, fixed[k].name, (u32)strlen(fixed[k].name), fixed[k].ino, fixed[k].type, k + 1))
			return 0;
	}
	for (;;) {
		struct entry *e;
		u32 index;

		spin_lock(&in->lock);
		e = entry_from(in, (u32)ctx->pos - 3);
		index = e ? e->index : ~0u;
		spin_unlock(&in->lock);
		if (index == ~0u)
			return 0;
		if (!ctx->emit(ctx, name, (u32)scnprintf(name, sizeof(name), "%u", index), index + 3, TYPE_CHR, index + 4ul))
			return 0;
		ctx->pos = index + 4ul;
	}
}

static const struct inode_ops pts_dir_ops = { .lookup = pts_lookup, .revalidate = pts_revalidate };
static const struct file_ops pts_dir_fops = { .readdir = pts_readdir };

/* --- options --- */

static int pts_show_options(struct super *sb, char *buf, size_t len)
{
	struct options o = instance_of(sb)->opt;
	size_t n = 0;

	if (o.uid >= 0)
		n += (size_t)scnprintf(buf + n, len - n, ",uid=%ld", o.uid);
	if (o.gid >= 0)
		n += (size_t)scnprintf(buf + n, len - n, ",gid=%ld", o.gid);
	n += (size_t)scnprintf(buf + n, len - n, ",mode=%03o,ptmxmode=%03o", o.mode, o.ptmxmode);
	if (o.max < PTY_INDEX_MAX)
		scnprintf(buf + n, len - n, ",max=%u", o.max);
	return 0;
}

static int parse_option(struct options *o, const char *name, const char *value)
{
	bool octal = !strcmp(name, "mode") || !strcmp(name, "ptmxmode");
	const char *end;
	u64 n;

	if (!strcmp(name, "newinstance") || !*name)
		return value ? -EINVAL : 0;
	if (!value || !*value)
		return -EINVAL;
	n = parse_number(value, &end, octal ? 8 : 10);
	if (*end || n > 0xffffffffu)
		return -EINVAL;
	if (!strcmp(name, "mode"))
		o->mode = (u32)n & 07777;
	else if (!strcmp(name, "ptmxmode"))
		o->ptmxmode = (u32)n & 07777;
	else if (!strcmp(name, "uid"))
		o->uid = (s64)n;
	else if (!strcmp(name, "gid"))
		o->gid = (s64)n;
	else if (!strcmp(name, "max") && n <= PTY_INDEX_MAX)
		o->max = (u32)n;
	else
		return -EINVAL;
	return 0;
}

/* What is not named is as it is by default; max stays as *out has it. */
static int parse_options(const char *opts, struct options *out)
{
	struct options o = { .mode = 0600, .max = out->max, .uid = -1, .gid = -1 };
	char copy[256], *at = copy, *name;
	int err = 0;

	if (strlcpy(copy, opts ? opts : "", sizeof(copy)) >= sizeof(copy))
		return -EINVAL;
	while (!err && (name = strsep(&at, ","))) {
		char *value = strchr(name, '=');

		if (value)
			*value++ = '\0';
		err = parse_option(&o, name, value);
	}
	if (!err)
		*out = o;
	return err;
}

static int pts_remount(struct super *sb, u32 flags, const char *opts)
{
	struct instance *in = instance_of(sb);
	struct options o = in->opt;
	int err = parse_options(opts, &o);

	(void)flags;
	if (err)
		return err;
	mutex_lock(&making_mutex);
	in->opt = o;
	in->ptmx->mode = S_IFCHR | o.ptmxmode;
	mutex_unlock(&making_mutex);
	return 0;
}

/* --- instances --- */

static void pts_put_super(struct super *sb)
{
	struct instance *in = instance_of(sb);

	if (in && in->ptmx)
		inode_put(in->ptmx);
	kfree(in);
}

static const struct super_ops pts_super_ops = { .show_options = pts_show_options, .remount = pts_remount, .put_super = pts_put_super };

static int fill_super(struct super *sb, struct instance *in)
{
	struct inode *root = inode_create(sb);

	if (!root)
		return -ENOMEM;
	root->ino = 1;
	inode_init_mode(root, S_IFDIR | 0755, 0);
	root->nlink = 2;
	root->ops = &pts_dir_ops;
	root->fops = &pts_dir_fops;
	sb->root = dentry_make_root(sb, root);
	in->ptmx = inode_create(sb);
	if (!sb->root || !in->ptmx)
		return -ENOMEM;
	in->ptmx->ino = 2;
	inode_init_mode(in->ptmx, S_IFCHR | in->opt.ptmxmode, MKDEV_K(5, 2));
	return 0;
}

static int pts_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	struct instance *in = kzalloc(sizeof(*in), GFP_KERNEL);
	struct super *sb;
	int err;

	(void)flags; (void)source;
	if (!in)
		return -ENOMEM;
	spin_lock_init(&in->lock, LC_INODE_HASH);
	in->opt.max = PTY_INDEX_MAX;
	err = parse_options(opts, &in->opt);
	sb = err ? NULL : super_create(type, &pts_super_ops, DEVPTS_SUPER_MAGIC);
	if (!sb) {
		kfree(in);
		return err ? err : -ENOMEM;
	}
	sb->private = in;
	err = fill_super(sb, in);
	if (err)
		super_put(sb);
	else
		*out = sb;
	return err;
}

FILESYSTEM(devpts, .mount = pts_mount);

static bool is_pts(const struct super *sb) { return sb->ops == &pts_super_ops; }

/* The directory that p's name stands in, over mounts; p is exchanged for it.  False: it has none. */
static bool to_parent(struct path *p)
{
	struct dentry *d, *parent;

	while (p->dentry == p->mnt->root)
		if (!path_follow_up(p))
			return false;
	d = p->dentry;
	spin_lock(&d->lock);
	parent = d->parent;
	dentry_get(parent);
	spin_unlock(&d->lock);
	p->dentry = parent;
	dentry_put(d);
	return true;
}

int devpts_of(const struct path *ptmx, struct path *where)
{
	struct qname q = qname_of("pts", 3);
	struct path p = *ptmx;
	struct dentry *d;
	int err;

	path_get(&p);
	if (is_pts(p.dentry->sb)) {
		d = p.dentry->sb->root;
		dentry_get(d);
		dentry_put(p.dentry);
		p.dentry = d;
		*where = p;
		return 0;
	}
	d = to_parent(&p) ? dentry_find(p.dentry, &q) : NULL;
	if (d && !d->inode) {
		dentry_put(d);
		d = NULL;
	}
	err = d ? -ENODEV : -ENOENT;
	if (d) {
		dentry_put(p.dentry);
		p.dentry = d;
		path_follow_down(&p);
		if (is_pts(p.dentry->sb) && p.dentry == p.dentry->sb->root) {
			*where = p;
			return 0;
		}
	}
	path_put(&p);
	return err;
}

/* --- what pseudo-terminals ask for --- */

/* Who watches the directory is told that index came or went. */
static void tell(struct super *sb, u32 mask, u32 index, const struct inode *i)
{
	char name[12];

	notify_name(sb->root->inode, mask, name, (u32)scnprintf(name, sizeof(name), "%u", index), i);
}

/* The cached name of index, if there is one, is forgotten. */
static void forget(struct super *sb, u32 index)
{
	char name[12];
	struct qname q = qname_of(name, (u32)scnprintf(name, sizeof(name), "%u", index));
	struct dentry *d = dentry_find(sb->root, &q);

	if (d) {
		dentry_drop(d);
		dentry_put(d);
	}
}

/* The smallest number that nobody has.  Locks: making_mutex, so it stays free. */
static u32 free_index(struct instance *in)
{
	u32 index = 0;

	spin_lock(&in->lock);
	for (struct rb_node *n = rb_first(&in->entries); n && rb_entry(n, struct entry, node)->index == index; n = rb_next(n))
		index++;
	spin_unlock(&in->lock);
	return index;
}

static void entry_link(struct instance *in, struct entry *e)
{
	struct rb_node **link = &in->entries.rb_node, *parent = NULL;

	spin_lock(&in->lock);
	while (*link) {
		parent = *link;
		link = e->index < rb_entry(parent, struct entry, node)->index ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&e->node, parent, link);
	rb_insert_color(&e->node, &in->entries);
	spin_unlock(&in->lock);
}

int devpts_add(struct super *sb, void *pty, u32 uid, u32 gid, u32 *index)
{
	struct instance *in = instance_of(sb);
	struct entry *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct inode *i = e ? inode_create(sb) : NULL;
	int err = -ENOSPC;

	if (!i) {
		kfree(e);
		return -ENOMEM;
	}
	mutex_lock(&making_mutex);
	e->index = free_index(in);
	if (e->index < in->opt.max) {
		i->ino = e->index + 3;
		inode_init_mode(i, S_IFCHR | in->opt.mode, MKDEV_K(136, e->index));
		i->uid = in->opt.uid >= 0 ? (u32)in->opt.uid : uid;
		i->gid = in->opt.gid >= 0 ? (u32)in->opt.gid : gid;
		i->private = pty;
		e->inode = i;
		*index = e->index;
		entry_link(in, e);
		super_get(sb);
		err = 0;
	}
	mutex_unlock(&making_mutex);
	if (err) {
		inode_put(i);
		kfree(e);
	} else {
		tell(sb, IN_CREATE, *index, i);
	}
	return err;
}

void devpts_remove(struct super *sb, u32 index)
{
	struct instance *in = instance_of(sb);
	struct entry *e;
	struct inode *i;

	spin_lock(&in->lock);
	e = entry_from(in, index);
	rb_erase(&e->node, &in->entries);
	i = e->inode;
	i->private = NULL;
	spin_unlock(&in->lock);
	kfree(e);
	i->nlink = 0;
	tell(sb, IN_DELETE, index, i);
	forget(sb, index);
	inode_put(i);
	super_put(sb);
}

void *devpts_pty(const struct inode *node, void (*get)(void *pty))
{
	struct instance *in;
	void *pty;

	if (!is_pts(node->sb))
		return NULL;
	in = instance_of(node->sb);
	spin_lock(&in->lock);
	pty = node->private;
	if (pty)
		get(pty);
	spin_unlock(&in->lock);
	return pty;
}

int devpts_open(const struct path *where, u32 index, u32 o_flags, struct file **out)
{
	char name[12];
	struct qname q = qname_of(name, (u32)scnprintf(name, sizeof(name), "%u", index));
	struct inode *dir = where->dentry->inode;
	struct dentry *d = NULL;
	struct file *f;
	int err = file_alloc(&f);

	if (err)
		return err;
	rwsem_write_lock(&dir->lock);
	err = dir_lookup(where->dentry, &q, &d);
	rwsem_write_unlock(&dir->lock);
	if (!err) {
		f->path = (struct path){ .mnt = where->mnt, .dentry = d };
		mount_get(where->mnt);
		err = d->inode ? file_open_inode(f, d->inode, o_flags) : -EIO;
	}
	if (err)
		file_put_now(f);
	else
		*out = f;
	return err;
}
