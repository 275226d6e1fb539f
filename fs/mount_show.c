/* The mounts of a namespace as text: /proc/<pid>/mounts and mountinfo.  One look under mount_mutex, of what the reader's root can see. */
#include <fs/mount_internal.h>
#include <fs/seq.h>
#include <fs/super.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <mm/slab.h>

static void put_escaped(struct seq *s, const char *t)
{
	for (; *t; t++) {
		if (*t == ' ' || *t == '\t' || *t == '\n' || *t == '\\')
			seq_printf(s, "\\%03o", (unsigned)*t);
		else
			seq_putc(s, *t);
	}
}

static void put_super_flags(struct seq *s, u32 f)
{
	if (f & MS_SYNCHRONOUS)
		seq_puts(s, ",sync");
	if (f & MS_DIRSYNC)
		seq_puts(s, ",dirsync");
}

static void put_flags(struct seq *s, u32 f, u32 sb_flags)
{
	static const struct { u32 flag; const char *text; } names[] = {
		{ MS_NOSUID, ",nosuid" }, { MS_NODEV, ",nodev" }, { MS_NOEXEC, ",noexec" }, { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" }, { MS_RELATIME, ",relatime" },
	};

	seq_puts(s, f & MS_RDONLY ? "ro" : "rw");
	put_super_flags(s, sb_flags);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (f & names[i].flag)
			seq_puts(s, names[i].text);
}

static void put_options(struct seq *s, struct super *sb, char *buf)
{
	buf[0] = 0;
	if (sb->ops && sb->ops->show_options)
		sb->ops->show_options(sb, buf, PATH_MAX);
	if (buf[0] && buf[0] != ',')
		seq_putc(s, ',');
	seq_puts(s, buf);
}

/* Calls one for each mount that can be seen from current's root. */
static int each_mount(struct seq *s, void (*one)(struct seq *s, struct mount *m, const struct path *root, const char *where, char *buf))
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	struct list_head *pos, *all = &mount_ns_current()->mounts;
	struct path root;

	if (!buf)
		return -ENOMEM;
	fs_get_root(&root);
	mutex_lock(&mount_mutex);
	for (pos = all->next; pos != all; pos = pos->next) {
		struct mount *m = container_of(pos, struct mount, link);
		struct path p = { m, m->root };
		bool outside = false;
		char *where = path_string_from(&p, &root, buf, PATH_MAX, &outside);

		if (where && !outside)
			one(s, m, &root, where, buf);
	}
	mutex_unlock(&mount_mutex);
	path_put(&root);
	kfree(buf);
	return 0;
}

static void mounts_one(struct seq *s, struct mount *m, const struct path *root, const char *where, char *buf)
{
	(void)root;
	put_escaped(s, m->source);
	seq_putc(s, ' ');
	put_escaped(s, where);
	seq_printf(s, " %s ", m->sb->type->name);
	put_flags(s, m->flags | (m->sb->flags & MS_RDONLY), m->sb->flags);
	put_options(s, m->sb, buf);
	seq_puts(s, " 0 0\n");
}

/* Is m below root, so that who has that root may see it?  mount_mutex held. */
static bool seen_from(const struct mount *m, const struct path *root)
{
	const struct dentry *d = m->root;

	for (; m && m != root->mnt; m = m->parent)
		d = m->mountpoint;
	return m && dentry_is_inside(root->dentry, d);
}

/* The group nearest above m's master of which a member can be seen from root: what m gets comes from there, through some that cannot. */
static const struct mount_group *seen_master(const struct mount *m, const struct path *root)
{
	const struct mount_group *g;
	const struct mount *member;

	for (g = mount_master(m); g; g = g->master)
		list_for_each_entry(member, &g->members, peer)
			if (member->ns == m->ns && seen_from(member, root))
				return g;
	return NULL;
}

static void put_propagation(struct seq *s, const struct mount *m, const struct path *root)
{
	const struct mount_group *master = mount_master(m), *seen = master ? seen_master(m, root) : NULL;

	if (m->group)
		seq_printf(s, " shared:%u", m->group->id);
	if (master)
		seq_printf(s, " master:%u", master->id);
	if (seen && seen != master)
		seq_printf(s, " propagate_from:%u", seen->id);
	if (m->unbindable)
		seq_puts(s, " unbindable");
}

static void mountinfo_one(struct seq *s, struct mount *m, const struct path *root, const char *where, char *buf)
{
	char *w = kstrdup(where, GFP_KERNEL), *inside = dentry_string(m->root, m->sb->root, buf, PATH_MAX);

	if (!w) {
		s->overflow = true;
		return;
	}
	seq_printf(s, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : m->id, DEV_MAJOR(m->sb->dev), DEV_MINOR(m->sb->dev));
	put_escaped(s, inside && *inside ? inside : "/");
	seq_putc(s, ' ');
	put_escaped(s, w);
	seq_putc(s, ' ');
	put_flags(s, m->flags, 0);
	put_propagation(s, m, root);
	seq_printf(s, " - %s ", m->sb->type->name);
	put_escaped(s, m->source);
	seq_puts(s, m->sb->flags & MS_RDONLY ? " ro" : " rw");
	put_super_flags(s, m->sb->flags);
	put_options(s, m->sb, buf);
	seq_putc(s, '\n');
	kfree(w);
}

int mounts_show(struct seq *s, void *arg) { (void)arg; return each_mount(s, mounts_one); }
int mountinfo_show(struct seq *s, void *arg) { (void)arg; return each_mount(s, mountinfo_one); }
