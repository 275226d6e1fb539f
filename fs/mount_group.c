/* Groups of mounts that share what is mounted on them: the types of propagation, mount(2) with MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE.
 *
 * A mount is a member of one group (shared), or receives from one (slave), or neither (private; then perhaps unbindable: no copy is made of
 * it).  A group itself may receive from another, its master; its members then are what man 7 mount_namespaces calls slave and shared.  All
 * members have the same master, for it is the group's.  So groups are trees, mounts hang on them as members or as receivers, and
 * what happens at a member is done at all members of its group and at all that is below the group: mount_propagate.c.
 *
 * A group lives from its first member to its last.  When that goes, those that received from it receive from its master, as if what it did
 * had been done there all along, and if there is none they become private.  A group is made alone by a mount's becoming shared, and
 * grows by copies alone: of members by bind, by propagation, by new namespaces.  Linux chains the mounts themselves, and has a slave point at
 * one of the members; with groups as objects there is nobody to choose when that member goes.
 *
 * Locks: mount_mutex for everything here.  Lifetime: a mount leaves its group when it leaves its tree (mount.c), before its references run out.
 * Sources: mount_namespaces(7); Documentation/filesystems/sharedsubtree.rst. */
#include <fs/mount_internal.h>
#include <kernel/errno.h>
#include <linux/fs.h>
#include <mm/slab.h>

static u32 last_group_id;	/* [mount_mutex] */

void group_join(struct mount *m, struct mount_group *g, bool as_slave)
{
	list_add_tail(&m->peer, as_slave ? &g->slaves : &g->members);
	if (as_slave)
		m->master = g;
	else
		m->group = g;
}

static void set_master(struct mount_group *g, struct mount_group *master)
{
	list_del_init(&g->slave_link);
	g->master = master;
	if (master)
		list_add_tail(&g->slave_link, &master->slave_groups);
}

/* m, which is a member of nothing, receives from master (NULL: nobody) from now on. */
static void set_source(struct mount *m, struct mount_group *master)
{
	list_del_init(&m->peer);
	m->master = NULL;
	if (master)
		group_join(m, master, true);
}

int group_new(struct mount *m)
{
	struct mount_group *g = kzalloc(sizeof(*g), GFP_KERNEL), *master = m->master;

	if (!g)
		return -ENOMEM;
	g->id = ++last_group_id;
	list_init(&g->members);
	list_init(&g->slaves);
	list_init(&g->slave_groups);
	list_init(&g->slave_link);
	list_init(&g->todo);
	set_source(m, NULL);
	group_join(m, g, false);
	set_master(g, master);
	return 0;
}

/* The last member has gone. */
static void group_end(struct mount_group *g)
{
	while (!list_empty(&g->slaves))
		set_source(list_first_entry(&g->slaves, struct mount, peer), g->master);
	while (!list_empty(&g->slave_groups))
		set_master(list_first_entry(&g->slave_groups, struct mount_group, slave_link), g->master);
	set_master(g, NULL);
	kfree(g);
}

void group_leave(struct mount *m, bool to_slave)
{
	struct mount_group *g = m->group, *from;

	if (!g) {
		if (!to_slave)
			set_source(m, NULL);
		return;
	}
	list_del_init(&m->peer);
	m->group = NULL;
	from = list_empty(&g->members) ? g->master : g;
	if (to_slave)
		set_source(m, from);
	if (from != g)
		group_end(g);
}

int tree_share(struct mount *top)
{
	struct mount *m;

	for_each_mount(m, top) {
		if (m->group)
			continue;
		if (group_new(m)) {
			tree_unshare(top);
			return -ENOMEM;
		}
		m->fresh = true;
	}
	return 0;
}

void tree_unshare(struct mount *top)
{
	struct mount *m;

	for_each_mount(m, top) {
		if (m->fresh)
			group_leave(m, true);	/* it is alone there, so it receives from whom it did */
		m->fresh = false;
	}
}

void tree_shared(struct mount *top)
{
	struct mount *m;

	for_each_mount(m, top)
		m->fresh = false;
}

bool tree_has_unbindable(struct mount *top)
{
	struct mount *m;

	for_each_mount(m, top)
		if (m->unbindable)
			return true;
	return false;
}

static void change_one(struct mount *m, u64 type)
{
	if (type == MS_SHARED) {
		m->fresh = m->unbindable = false;
		return;
	}
	group_leave(m, type == MS_SLAVE);
	if (type != MS_SLAVE)
		m->unbindable = type == MS_UNBINDABLE;
}

/* What is to become shared has its groups. */
static int make_groups(struct mount *top, bool rec)
{
	if (rec)
		return tree_share(top);
	return top->group ? 0 : group_new(top);
}

int mount_change_type(const struct path *at, u64 flags)
{
	u64 type = flags & ~(u64)(MS_REC | MS_SILENT);
	struct mount *m;
	int err = 0;

	if (type != MS_SHARED && type != MS_PRIVATE && type != MS_SLAVE && type != MS_UNBINDABLE)
		return -EINVAL;
	if (at->dentry != at->mnt->root)
		return -EINVAL;
	mutex_lock(&mount_mutex);
	if (at->mnt->ns != mount_ns_current())
		err = -EINVAL;
	else if (type == MS_SHARED)
		err = make_groups(at->mnt, flags & MS_REC);
	for (m = err ? NULL : at->mnt; m; m = flags & MS_REC ? mount_next(m, at->mnt) : NULL)
		change_one(m, type);
	mutex_unlock(&mount_mutex);
	return err;
}
