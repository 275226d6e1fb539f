/* tmpfs: instances, their limits and mount options.  tmpfs(5). */
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/super.h>
#include <fs/tmpfs/tmpfs_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>

static int parse_size(const char *v, u64 *pages)
{
	const char *end;
	u64 n = parse_number(v, &end, 0);

	if (end == v)
		return -EINVAL;
	switch (*end) {
	case 'k': case 'K': n <<= 10; end++; break;
	case 'm': case 'M': n <<= 20; end++; break;
	case 'g': case 'G': n <<= 30; end++; break;
	case '%':
		*pages = page_nr_total() * n / 100;
		return end[1] ? -EINVAL : 0;
	}
	*pages = DIV_ROUND_UP(n, PAGE_SIZE);
	return *end ? -EINVAL : 0;
}

static int parse_option(struct tmpfs_super *t, const char *name, const char *value)
{
	const char *end;
	u64 n;

	if (!strcmp(name, "size") && value) {
		t->size_given = true;
		return parse_size(value, &t->max_pages);
	}
	if (!value)
		return -EINVAL;
	n = parse_number(value, &end, !strcmp(name, "mode") ? 8 : 0);
	if (!strcmp(name, "nr_inodes") || !strcmp(name, "nr_blocks"))
		switch (*end) {
		case 'k': case 'K': n <<= 10; end++; break;
		case 'm': case 'M': n <<= 20; end++; break;
		}
	if (end == value || *end)
		return -EINVAL;
	if (!strcmp(name, "nr_inodes")) {
		t->max_inodes = n;
		t->inodes_given = true;
	} else if (!strcmp(name, "nr_blocks")) {
		t->max_pages = n;
		t->size_given = true;
	} else if (!strcmp(name, "mode"))
		t->mode = (u32)n & 07777;
	else if (!strcmp(name, "uid"))
		t->uid = (u32)n;
	else if (!strcmp(name, "gid"))
		t->gid = (u32)n;
	else
		return -EINVAL;
	return 0;
}

static int parse_options(struct tmpfs_super *t, const char *opts)
{
	char *copy = kstrdup(opts, GFP_KERNEL), *at = copy, *name;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (name = strsep(&at, ","))) {
		char *value;

		if (!*name)
			continue;
		value = strchr(name, '=');
		if (value)
			*value++ = 0;
		err = parse_option(t, name, value);
	}
	kfree(copy);
	return err;
}

static int tmpfs_statfs(struct super *sb, struct kstatfs *st)
{
	struct tmpfs_super *t = tmpfs_sb(sb);

	st->type = sb->magic;
	if (t->fixed)
		return 0;
	st->blocks = t->max_pages;
	st->bfree = st->bavail = t->max_pages > t->pages ? t->max_pages - t->pages : 0;
	st->files = t->max_inodes;
	st->ffree = t->max_inodes > t->inodes ? t->max_inodes - t->inodes : 0;
	return 0;
}

static int tmpfs_remount(struct super *sb, u32 flags, const char *opts)
{
	struct tmpfs_super *t = tmpfs_sb(sb), new = *t;
	int err = parse_options(&new, opts);

	(void)flags;
	if (err)
		return err;
	if ((new.max_pages && new.max_pages < t->pages) || (new.max_inodes && new.max_inodes < t->inodes))
		return -EINVAL;
	t->max_pages = new.max_pages;
	t->max_inodes = new.max_inodes;
	t->size_given = new.size_given;
	t->inodes_given = new.inodes_given;
	return 0;
}

/* What differs from the defaults, in Linux's words. */
static int tmpfs_show_options(struct super *sb, char *buf, size_t len)
{
	struct tmpfs_super *t = tmpfs_sb(sb);
	size_t n = 0;

	if (t->fixed)
		return 0;
	if (t->size_given)
		n += (size_t)scnprintf(buf + n, len - n, ",size=%luk", t->max_pages * (PAGE_SIZE / 1024));
	if (t->inodes_given)
		n += (size_t)scnprintf(buf + n, len - n, ",nr_inodes=%lu", t->max_inodes);
	if (t->mode != 01777)
		n += (size_t)scnprintf(buf + n, len - n, ",mode=%03o", t->mode);
	if (t->uid)
		n += (size_t)scnprintf(buf + n, len - n, ",uid=%u", t->uid);
	if (t->gid)
		scnprintf(buf + n, len - n, ",gid=%u", t->gid);
	return 0;
}

static void tmpfs_put_super(struct super *sb) { kfree(sb->private); }

static const struct super_ops tmpfs_super_ops = {
	.alloc_inode = tmpfs_alloc_inode, .free_inode = tmpfs_free_inode, .evict = tmpfs_evict, .statfs = tmpfs_statfs,
	.remount = tmpfs_remount, .show_options = tmpfs_show_options, .put_super = tmpfs_put_super,
};

static int super_make(const struct fs_type *type, u64 magic, const char *opts, bool fixed, const struct tmpfs_host *host, struct super **out)
{
	struct tmpfs_super *t = kzalloc(sizeof(*t), GFP_KERNEL);
	struct super *sb;
	struct inode *root;
	int err;

	if (!t)
		return -ENOMEM;
	tmpfs_inodes_init();
	t->max_pages = page_nr_total() / 2;
	t->max_inodes = host ? 0 : page_nr_total() / 2;
	t->mode = 01777;
	t->fixed = fixed;
	t->host = host;
	err = parse_options(t, opts);
	sb = err ? NULL : super_create(type, &tmpfs_super_ops, magic);
	if (!sb) {
		kfree(t);
		return err ? err : -ENOMEM;
	}
	sb->private = t;
	if (!host)
		sb->flags |= SB_POSIXACL;
	if (!host && !fixed)
		sb->handles = &tmpfs_handle_ops;
	sb->attributes_mask = STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP;
	err = tmpfs_inode(sb, NULL, S_IFDIR | t->mode, 0, &root);
	if (!err) {
		root->uid = t->uid;
		root->gid = t->gid;
		sb->root = dentry_make_root(sb, root);
		err = sb->root ? 0 : -ENOMEM;
	}
	if (err) {
		super_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}

int tmpfs_super(const struct fs_type *type, u64 magic, const char *opts, struct super **out)
{
	return super_make(type, magic, opts, false, NULL, out);
}

int tmpfs_super_fixed(const struct fs_type *type, u64 magic, const char *opts, struct super **out)
{
	return super_make(type, magic, opts, true, NULL, out);
}

int tmpfs_super_host(const struct fs_type *type, u64 magic, const struct tmpfs_host *host, struct super **out)
{
	return super_make(type, magic, "", true, host, out);
}

static int tmpfs_mount(const struct fs_type *type, u32 flags, const char *source, const char *opts, struct super **out)
{
	(void)flags; (void)source;
	return tmpfs_super(type, TMPFS_MAGIC, opts, out);
}

FILESYSTEM(tmpfs, .mount = tmpfs_mount);
FILESYSTEM(ramfs, .mount = tmpfs_mount);
FILESYSTEM(rootfs, .mount = tmpfs_mount);
