/* devpts: one instance for all its mounts; a character node for each pty that is open, and ptmx.
 *
 * An entry's inode lives as long as its pty, so that ownership and mode set on it last.  Names are looked up in the table at each
 * walk (revalidate), since they come and go without the VFS: a cached name is good while its inode is still the table's. */
#include <drivers/tty/pty.h>
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/notify.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <linux/magic.h>
#include <linux/stat.h>

#define TYPE_DIR 4u	/* DT_DIR, DT_CHR */
#define TYPE_CHR 2u

static DEFINE_MUTEX(make_mutex, LC_FS_SINGLE);
static struct super *pts_super;			/* [make_mutex] once made, for ever */
static struct inode *ptmx_inode;		/* [I] */
static DEFINE_SPINLOCK(pts_lock, LC_INODE_HASH);
static struct inode *nodes[PTY_MAX];		/* [pts_lock] */
static u32 opt_mode = 0620, opt_ptmxmode = 0666;	/* [make_mutex] */
static s64 opt_gid = -1, opt_uid = -1;

/* parse_index - a canonical decimal number below PTY_MAX; -1 otherwise */
static s32 parse_index(const char *name, u32 len)
{
	u32 v = 0;

	if (len == 0 || len > 5 || (name[0] == '0' && len > 1))
		return -1;
	for (u32 i = 0; i < len; i++) {
		if (!is_digit(name[i]))
			return -1;
		v = v * 10 + (u32)(name[i] - '0');
	}
	return v < PTY_MAX ? (s32)v : -1;
}

static struct inode *entry(const char *name, u32 len)
{
	s32 index = parse_index(name, len);

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return ptmx_inode;
	return index < 0 ? NULL : READ_ONCE(nodes[index]);
}

static int pts_lookup(struct inode *dir, const char *name, u32 len, struct inode **out)
{
	struct inode *i;

	(void)dir;
	spin_lock(&pts_lock);
	i = entry(name, len);
	if (i)
		inode_get(i);
	spin_unlock(&pts_lock);
	*out = i;
	return i ? 0 : -ENOENT;
}

static bool pts_revalidate(struct dentry *d)
{
	return d->inode && entry(d->name, d->name_len) == d->inode;
}

static int pts_readdir(struct file *file, struct dir_context *ctx)
{
	char name[12];

	(void)file;
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, 1, TYPE_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, 1, TYPE_DIR, 2))
			return 0;
		ctx->pos = 2;
	}
	if (ctx->pos == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, 2, TYPE_CHR, 3))
			return 0;
		ctx->pos = 3;
	}
	for (; ctx->pos < PTY_MAX + 3; ctx->pos++) {
		u32 index = (u32)ctx->pos - 3;

		if (!READ_ONCE(nodes[index]))
			continue;
		if (!ctx->emit(ctx, name, (u32)scnprintf(name, sizeof(name), "%u", index), index + 3, TYPE_CHR, ctx->pos + 1))
			return 0;
	}
	return 0;
}

static const struct inode_ops pts_dir_ops = { .lookup = pts_lookup, .revalidate = pts_revalidate };
static const struct file_ops pts_dir_fops = { .readdir = pts_readdir };

static int pts_show_options(struct super *sb, char *buf, size_t len)
{
	int n = 0;

	(void)sb;
	if (opt_gid >= 0)
		n = scnprintf(buf, len, "gid=%ld,", opt_gid);
	scnprintf(buf + n, len - (size_t)n, "mode=%03o,ptmxmode=%03o", opt_mode, opt_ptmxmode);
	return 0;
}

static int apply_options(const char *opts)
{
	char copy[128], *at = copy, *name;

	strlcpy(copy, opts ? opts : "", sizeof(copy));
	while ((name = strsep(&at, ","))) {
		char *value = strchr(name, '=');
		const char *end;

		if (!value)
			continue;
		*value++ = '\0';
		if (!strcmp(name, "mode"))
			opt_mode = (u32)parse_number(value, &end, 8) & 0777;
		else if (!strcmp(name, "ptmxmode"))
			opt_ptmxmode = (u32)parse_number(value, &end, 8) & 0777;
		else if (!strcmp(name, "gid"))
			opt_gid = (s64)parse_number(value, &end, 10);
		else if (!strcmp(name, "uid"))
			opt_uid = (s64)parse_number(value, &end, 10);
	}
	if (ptmx_inode)
		ptmx_inode->mode = S_IFCHR | opt_ptmxmode;
	return 0;
}

static int pts_remount(struct super *sb, u32 flags, const char *opts)
{
	(void)sb; (void)flags;
	return apply_options(opts);
}

static const struct super_ops pts_super_ops = { .show_options = pts_show_options, .remount = pts_remount };

static int make_super(void)
{
	struct super *sb = super_create(fs_type_find("devpts"), &pts_super_ops, DEVPTS_SUPER_MAGIC);
	struct inode *root = sb ? inode_create(sb) : NULL;

	if (!root)
		return -ENOMEM;
	root->ino = 1;
	inode_init_mode(root, S_IFDIR | 0755, 0);
	root->nlink = 2;
	root->ops = &pts_dir_ops;
	root->fops = &pts_dir_fops;
	sb->root = dentry_make_root(sb, root);
	ptmx_inode = inode_create(sb);
	if (!sb->root || !ptmx_inode)
		return -ENOMEM;
	ptmx_inode->ino = 2;
	inode_init_mode(ptmx_inode, S_IFCHR | opt_ptmxmode, MKDEV_K(5, 2));
	pts_super = sb;
	return 0;
}

/* get_super - the instance, made at the first use */
static int get_super(void)
{
	int err = 0;

	mutex_lock(&make_mutex);
	if (!pts_super)
		err = make_super();
	mutex_unlock(&make_mutex);
	return err;
}

/* Who watches /dev/pts is told that index came or went. */
static void tell(u32 mask, u32 index, const struct inode *i)
{
	char name[12];

	notify_name(pts_super->root->inode, mask, name, (u32)scnprintf(name, sizeof(name), "%u", index), i);
}

/* The cached name of index, if there is one, is forgotten. */
static void forget(u32 index)
{
	char name[12];
	struct qname q = qname_of(name, (u32)scnprintf(name, sizeof(name), "%u", index));
	struct dentry *d = dentry_find(pts_super->root, &q);

	if (d) {
		dentry_drop(d);
		dentry_put(d);
	}
}

int devpts_add(u32 index, u32 uid, u32 gid)
{
	int err = get_super();
	struct inode *i = err ? NULL : inode_create(pts_super);

	if (!i)
		return err ? err : -ENOMEM;
	i->ino = index + 3;
	inode_init_mode(i, S_IFCHR | opt_mode, MKDEV_K(136, index));
	i->uid = opt_uid >= 0 ? (u32)opt_uid : uid;
	i->gid = opt_gid >= 0 ? (u32)opt_gid : gid;
	spin_lock(&pts_lock);
	nodes[index] = i;
	spin_unlock(&pts_lock);
	tell(IN_CREATE, index, i);
	return 0;
}

void devpts_remove(u32 index)
{
	struct inode *i;

	spin_lock(&pts_lock);
	i = nodes[index];
	nodes[index] = NULL;
	spin_unlock(&pts_lock);
	if (i) {
		i->nlink = 0;
		tell(IN_DELETE, index, i);
		forget(index);
		inode_put(i);
	}
}

static int pts_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	int err = get_super();

	(void)type; (void)flags; (void)source;
	if (err)
		return err;
	apply_options(opts);
	super_get(pts_super);
	*out = pts_super;
	return 0;
}

FILESYSTEM(devpts, .mount = pts_mount);
