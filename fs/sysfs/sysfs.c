/* sysfs: the tree of objects (drivers/base/kobject.c), looked at.
 *
 * Nothing is kept here but the inodes that somebody uses.  A directory is an object, or a named group of its attributes; its entries are
 * enumerated, each time, from the tables of the object's type: attributes, groups, child objects, links.  So an inode is a view of an
 * object, and what else it takes to find the thing again: the attribute, the group's name, the target of a link.
 *
 * Names go stale without the VFS hearing of it: each walk asks (revalidate).  A directory or a file is good while its object lives; a
 * link, which may change with any binding of a driver, while nothing in the tree has changed at all; an absent name is never believed.
 *
 * Positions in a directory say which kind of entry is next, and the id of the object there, so entries that come and go meanwhile
 * neither hide nor repeat others.
 *
 * There is one superblock, made with the buses, classes and BOOT_INIT(sysfs) devices by the first mount: a machine that never mounts
 * sysfs has none of it. */
#include <drivers/base/view.h>
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/super.h>
#include <fs/text_file.h>
#include <kernel/abi/dirent.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>

struct sysfs_inode {
	struct inode vfs;
	struct kobject_view view;	/* whose it is */
	struct kobject_view target;	/* of a link */
	const char *group;		/* [I] of a directory of attributes: its name; NULL: the object's own */
	const struct attr *attr;	/* [I] of a file */
	u64 generation;			/* [I] of a link: the tree's when it was looked up */
};

/* Kinds of entries of a directory, in readdir's order; a position is kind << POS_KIND | where within it. */
enum { KIND_DOTS, KIND_ATTR, KIND_GROUP, KIND_CHILD, KIND_LINK, NR_KINDS };
#define POS_KIND	48
#define POS_MASK	((1ull << POS_KIND) - 1)

struct entry {
	u32 kind;
	char name[LINK_NAME_MAX];
	const struct attr *attr;
	const char *group;
	struct kobject *other;		/* a child, or a link's target; only under the tree's lock */
	u64 ino;
};

static struct slab_cache *inode_slab;
static struct super *sys_super;			/* [first_mutex] once made, for ever */
static DEFINE_MUTEX(first_mutex, LC_SYSFS_FIRST);
static const struct inode_ops dir_iops, link_iops, file_iops;
static const struct file_ops dir_fops, file_fops;

static struct sysfs_inode *sysfs_i(const struct inode *i) { return container_of(i, struct sysfs_inode, vfs); }

/* --- what a directory holds; the tree's lock held */

static u64 ino_of(const struct kobject *k, u32 kind, u64 at) { return k == &sys_root ? 1 : (u64)k->id << 24 | kind << 21 | (at & 0x1fffff); }
static bool same_group(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

/* The first attribute of that group at or after *at: index of the group << 16 | index in it. */
static bool next_attr(struct kobject *k, const char *group, u64 *at, struct entry *e)
{
	const struct attr_group *g;

	for (u32 gi = (u32)(*at >> 16), i = *at & 0xffff; k->type->group && (g = k->type->group(k, gi)); gi++, i = 0) {
		if (!same_group(g->name, group) || (g->visible && group && !g->visible(k, NULL)))
			continue;
		for (; g->attrs[i].name; i++) {
			if (g->visible && !g->visible(k, &g->attrs[i]))
				continue;
			*at = (u64)gi << 16 | i;
			e->attr = &g->attrs[i];
			strlcpy(e->name, e->attr->name, sizeof(e->name));
			return true;
		}
	}
	return false;
}

static bool next_group(struct kobject *k, u64 *at, struct entry *e)
{
	const struct attr_group *g;

	for (; k->type->group && (g = k->type->group(k, (u32)*at)); (*at)++)
		if (g->name && (!g->visible || g->visible(k, NULL))) {
			e->group = g->name;
			strlcpy(e->name, g->name, sizeof(e->name));
			return true;
		}
	return false;
}

static bool next_child(struct kobject *k, u64 *at, struct entry *e)
{
	struct kobject *c;

	list_for_each_entry(c, &k->children, child)
		if (c->id >= *at) {
			*at = c->id;
			e->other = c;
			strlcpy(e->name, c->name, sizeof(e->name));
			return true;
		}
	return false;
}

static bool next_link(struct kobject *k, u64 *at, struct entry *e)
{
	e->other = k->type->link ? k->type->link(k, at, e->name) : NULL;
	return e->other;
}

/* The first entry at or after *pos of k's directory, or of a group's; *pos becomes its own. */
static bool next_entry(struct kobject *k, const char *group, u64 *pos, struct entry *e)
{
	u32 kind = (u32)(*pos >> POS_KIND);
	u64 at = *pos & POS_MASK;

	e->attr = NULL;
	e->group = NULL;
	e->other = NULL;
	for (; kind < NR_KINDS; kind++, at = 0) {
		bool found = kind == KIND_ATTR ? next_attr(k, group, &at, e) : group ? false :
			     kind == KIND_GROUP ? next_group(k, &at, e) : kind == KIND_CHILD ? next_child(k, &at, e) :
			     kind == KIND_LINK ? next_link(k, &at, e) : false;

		if (found) {
			e->kind = kind;
			e->ino = kind == KIND_CHILD ? ino_of(e->other, KIND_DOTS, 0) : ino_of(k, kind, at);
			*pos = (u64)kind << POS_KIND | at;
			return true;
		}
	}
	return false;
}

static bool find_entry(struct kobject *k, const char *group, const char *name, u32 len, struct entry *e)
{
	u64 pos = 0;

	while (next_entry(k, group, &pos, e)) {
		if (strlen(e->name) == len && !memcmp(e->name, name, len))
			return true;
		pos++;
	}
	return false;
}

/* --- inodes */

static struct inode *sysfs_alloc_inode(struct super *sb)
{
	struct sysfs_inode *s = slab_alloc(inode_slab, GFP_KERNEL);

	(void)sb;
	if (!s)
		return NULL;
	memset((char *)s + sizeof(s->vfs), 0, sizeof(*s) - sizeof(s->vfs));
	return &s->vfs;
}

static void sysfs_free_inode(struct inode *i) { slab_free(inode_slab, sysfs_i(i)); }

static void sysfs_evict(struct inode *i)
{
	kobject_view_del(&sysfs_i(i)->view);
	kobject_view_del(&sysfs_i(i)->target);
}

static int sysfs_statfs(struct super *sb, struct kstatfs *st)
{
	st->type = sb->magic;
	return 0;
}

static const struct super_ops sysfs_super_ops = {
	.alloc_inode = sysfs_alloc_inode, .free_inode = sysfs_free_inode, .evict = sysfs_evict, .statfs = sysfs_statfs,
};

static u32 attr_mode(const struct attr *a)
{
	if (a->mode)
		return a->mode;
	return (a->show || a->read ? a->store || a->write ? 0644 : 0444 : 0200);
}

/* i becomes the inode of entry e of k's directory; false: what e names is gone. */
static bool inode_fill(struct inode *i, struct kobject *k, const struct entry *e)
{
	struct sysfs_inode *s = sysfs_i(i);

	i->ino = e->ino;
	switch (e->kind) {
	case KIND_ATTR:
		inode_init_mode(i, S_IFREG | attr_mode(e->attr), 0);
		i->size = e->attr->read || e->attr->write ? e->attr->size : PAGE_SIZE;
		i->ops = &file_iops;
		i->fops = &file_fops;
		s->attr = e->attr;
		break;
	case KIND_LINK:
		inode_init_mode(i, S_IFLNK | 0777, 0);
		i->ops = &link_iops;
		s->generation = kobject_tree_generation();
		if (!kobject_view_add(&s->target, e->other))
			return false;
		break;
	default:
		inode_init_mode(i, S_IFDIR | (k == &sys_root && e->kind == KIND_DOTS ? 0555 : 0755), 0);
		i->nlink = 2;
		i->ops = &dir_iops;
		i->fops = &dir_fops;
		s->group = e->group;
		if (e->kind == KIND_CHILD)
			k = e->other;
	}
	return kobject_view_add(&s->view, k);
}

static int sysfs_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	struct sysfs_inode *s = sysfs_i(dir);
	struct kobject *k = kobject_enter(&s->view);
	struct inode *i = k ? inode_create(dir->sb) : NULL;
	struct entry e = { 0 };
	bool found;

	if (!i) {
		if (k)
			kobject_leave(k);
		return k ? -ENOMEM : -ENOENT;
	}
	kobject_tree_lock();
	found = find_entry(k, s->group, name, len, &e) && inode_fill(i, k, &e);
	kobject_tree_unlock();
	kobject_leave(k);
	if (!found) {
		inode_put(i);
		return -ENOENT;
	}
	*out = i;
	return 0;
}

static bool sysfs_revalidate(struct dentry *d)
{
	struct inode *i = READ_ONCE(d->inode);
	struct sysfs_inode *s;

	if (!i)
		return false;
	s = sysfs_i(i);
	if (inode_is_link(i))
		return s->generation == kobject_tree_generation();
	return !kobject_view_dead(&s->view);
}

/* Directories count those below them. */
static int dir_getattr(struct inode *i, struct kstat *st)
{
	struct sysfs_inode *s = sysfs_i(i);
	struct kobject *k = kobject_enter(&s->view);
	u64 pos = (u64)KIND_GROUP << POS_KIND;
	struct entry e;

	inode_getattr_generic(i, st);
	if (!k)
		return 0;
	kobject_tree_lock();
	while (next_entry(k, s->group, &pos, &e) && e.kind <= KIND_CHILD) {
		st->nlink++;
		pos++;
	}
	kobject_tree_unlock();
	kobject_leave(k);
	return 0;
}

/* Modes and owners can be set, and last while the inode does; the size of a file is what it is (O_TRUNC). */
static int sysfs_setattr(struct inode *i, const struct iattr *attr)
{
	struct iattr a = *attr;

	a.valid &= ~(u32)ATTR_SIZE;
	return inode_setattr_generic(i, &a);
}

static int sysfs_readdir(struct file *f, struct dir_context *ctx)
{
	static const u32 types[NR_KINDS] = { [KIND_ATTR] = DT_REG, [KIND_GROUP] = DT_DIR, [KIND_CHILD] = DT_DIR, [KIND_LINK] = DT_LNK };
	struct sysfs_inode *s = sysfs_i(f->inode);
	struct dentry *parent = READ_ONCE(f->path.dentry->parent);
	u64 pos = ctx->pos;

	if (pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		return 0;
	if (pos <= 1 && !ctx->emit(ctx, "..", 2, parent->inode ? parent->inode->ino : 1, DT_DIR, 2))
		return 0;
	for (;; pos++) {
		struct kobject *k = kobject_enter(&s->view);
		struct entry e;
		bool more;

		if (!k)
			return 0;
		kobject_tree_lock();
		more = next_entry(k, s->group, &pos, &e);
		kobject_tree_unlock();
		kobject_leave(k);
		if (!more || !ctx->emit(ctx, e.name, (u32)strlen(e.name), e.ino, types[e.kind], pos + 1))
			return 0;
	}
}

/* The way from k's directory to the target, through what they have in common. */
static int link_path(const struct kobject *k, const struct kobject *target, char *buf, size_t size)
{
	size_t len = 0, n = 0, at;
	const struct kobject *base, *p;

	for (base = k; base->parent; base = base->parent) {
		for (p = target->parent; p && p != base; p = p->parent)
			;
		if (p)
			break;
		if (len + 3 >= size)
			return -ENAMETOOLONG;
		memcpy(buf + len, "../", 3);
		len += 3;
	}
	for (p = target; p != base; p = p->parent)
		n += strlen(p->name) + 1;
	if (len + n > size || !n)
		return -ENAMETOOLONG;
	at = len + n - 1;
	for (p = target; p != base; p = p->parent) {
		size_t l = strlen(p->name);

		memcpy(buf + at - l, p->name, l);
		at -= l;
		if (p->parent != base)
			buf[--at] = '/';
	}
	return (int)(len + n - 1);
}

static int sysfs_readlink(struct inode *i, char *buf, size_t size)
{
	struct sysfs_inode *s = sysfs_i(i);
	struct kobject *k = kobject_enter(&s->view), *target = k ? kobject_enter(&s->target) : NULL;
	int n = -ENOENT;

	if (target) {
		kobject_tree_lock();
		n = link_path(k, target, buf, size);
		kobject_tree_unlock();
		kobject_leave(target);
	}
	if (k)
		kobject_leave(k);
	return n;
}

static const struct inode_ops dir_iops = {
	.lookup = sysfs_lookup, .revalidate = sysfs_revalidate, .getattr = dir_getattr, .setattr = sysfs_setattr,
};
static const struct inode_ops link_iops = { .readlink = sysfs_readlink }, file_iops = { .setattr = sysfs_setattr };
static const struct file_ops dir_fops = { .readdir = sysfs_readdir };

/* --- attributes */

static int file_open(struct inode *inode, struct file *f)
{
	const struct attr *a = sysfs_i(inode)->attr;

	/* modes bind root too */
	if ((f->mode & FMODE_WRITE) && (!(inode->mode & 0222) || !(a->store || a->write)))
		return -EACCES;
	if ((f->mode & FMODE_READ) && (!(inode->mode & 0444) || !(a->show || a->read)))
		return -EACCES;
	f->private = text_create();
	return f->private ? 0 : -ENOMEM;
}

static void file_release(struct file *f) { text_destroy(f->private); }

static int attr_show(struct seq *seq, void *inode)
{
	struct sysfs_inode *s = sysfs_i(inode);
	struct kobject *k = kobject_enter(&s->view);
	int err;

	if (!k)
		return -ENODEV;
	err = s->attr->show(seq, k);
	kobject_leave(k);
	return err;
}

static ssize_t binary_read(struct sysfs_inode *s, struct iov_iter *to, u64 *pos)
{
	size_t len = min_t(size_t, to->count, PAGE_SIZE);
	struct kobject *k;
	char *buf;
	ssize_t n;

	if (s->attr->size)
		len = *pos < s->attr->size ? min_t(size_t, len, s->attr->size - *pos) : 0;
	if (!len)
		return 0;
	buf = kmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	k = kobject_enter(&s->view);
	n = k ? s->attr->read(k, buf, *pos, len) : -ENODEV;
	if (k)
		kobject_leave(k);
	if (n > 0) {
		n = (ssize_t)copy_to_iter(buf, (size_t)n, to);
		*pos += (u64)n;
		if (!n)
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

static ssize_t file_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct sysfs_inode *s = sysfs_i(f->inode);

	return s->attr->read ? binary_read(s, to, pos) : text_read(f->private, attr_show, f->inode, to, pos);
}

static ssize_t attr_store(struct sysfs_inode *s, char *buf, size_t len, u64 pos)
{
	const struct attr *a = s->attr;
	struct kobject *k = kobject_enter(&s->view);
	ssize_t n;

	if (!k)
		return -ENODEV;
	if (a->unguarded) {
		kobject_get(k);
		kobject_leave(k);
	}
	if (a->write) {
		n = a->write(k, buf, pos, len);
	} else {
		n = a->store(k, buf, len);
		n = n ? n : (ssize_t)len;
	}
	if (a->unguarded)
		kobject_put(k);
	else
		kobject_leave(k);
	return n;
}

static ssize_t file_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct sysfs_inode *s = sysfs_i(f->inode);
	size_t len = min_t(size_t, from->count, PAGE_SIZE);
	char few[64], *buf;
	ssize_t n;

	if (s->attr->write && s->attr->size) {
		if (*pos >= s->attr->size)
			return from->count ? -EFBIG : 0;
		len = min_t(size_t, len, s->attr->size - *pos);
	}
	if (!len)
		return 0;
	n = text_write_copy(from, len, few, sizeof(few), &buf);
	if (n)
		return n;
	n = attr_store(s, buf, len, *pos);
	text_write_done(buf, few);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static const struct file_ops file_fops = { .open = file_open, .release = file_release, .read = file_read, .write = file_write };

/* --- mounting */

static int make_super(void)
{
	struct super *sb;
	struct inode *root;

	if (!inode_slab) {
		inode_slab = slab_cache_create("sysfs_inode", sizeof(struct sysfs_inode), 0, NULL);
		if (!inode_slab)
			return -ENOMEM;
		slab_set_reclaimable(inode_slab);
	}
	kobject_tree_ready();
	sb = super_create(fs_type_find("sysfs"), &sysfs_super_ops, SYSFS_MAGIC);
	root = sb ? inode_create(sb) : NULL;
	if (root) {
		const struct entry e = { .kind = KIND_DOTS, .ino = 1 };

		if (inode_fill(root, &sys_root, &e))
			sb->root = dentry_make_root(sb, root);
	}
	if (!sb || !sb->root) {
		if (sb)
			super_put(sb);
		return -ENOMEM;
	}
	kinds_register_all();
	initcalls_run(__initcall_sysfs_start, __initcall_sysfs_end);
	sys_super = sb;
	return 0;
}

static int sysfs_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	int err = 0;

	(void)type; (void)flags; (void)source; (void)opts;
	mutex_lock(&first_mutex);
	if (!sys_super)
		err = make_super();
	mutex_unlock(&first_mutex);
	if (err)
		return err;
	super_get(sys_super);
	*out = sys_super;
	return 0;
}
FILESYSTEM(sysfs, .mount = sysfs_mount);
