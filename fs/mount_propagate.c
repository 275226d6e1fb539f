/* Propagation: what is mounted or unmounted on one mount of a group is so on the others, and below the groups that receive from it.
 *
 * Who receives what happens at (mount, dentry): the other members of the mount's group, those that receive from it, the members of the groups that
 * receive from it and so on, downwards only; of them those whose tree (their superblock's, below their root) has the dentry, and that stand in a
 * namespace.  Groups are visited by a list of what is still to be done, so that chains of them cost no stack.
 *
 * Mounting.  The tree that is mounted becomes shared, each mount of it.  Each receiver gets a copy.  In the group itself a copy is a peer of the
 * tree; with one that only receives, it receives from the tree; in a group below, the first copy receives from the tree and is the
 * first of a group of its own, of which the copies for the other members are peers, and is what is copied for whoever receives from
 * that group.  Where a group below has no receiver its own receivers copy what it would have.  So the copies' groups stand to each
 * other as those of their places do, and what is mounted below one later goes where it should.  Copies are placed but not seen;
 * they belong to no namespace yet, so that they do not receive themselves what is still being propagated.
 *
 * Unmounting.  For each mount that is unmounted, what stands at the same dentry of each receiver of its parent is a candidate to go along.  It
 * stays if anything stands on it that stays, unless on its root, covering it: that is put in its place.  If such a cover would come to
 * stand inside of a candidate instead, that one stays.  (Linux 6.1 puts the cover where the candidate stood, further up; that hides what it should not.)
 * Candidates fall until nothing changes, each once: one pass, which follows each fall upwards.
 *
 * Locks: mount_mutex.  Sources: mount_namespaces(7); Documentation/filesystems/sharedsubtree.rst. */
#include <fs/mount_internal.h>
#include <kernel/errno.h>

/* --- mounting --- */

static bool receives(const struct mount *m, const struct path *at)
{
	return m->ns && m != at->mnt && dentry_is_inside(m->root, at->dentry);
}

struct propagation { const struct path *at; struct list_head *copies, *gone; };

static int copy_to(const struct propagation *p, struct mount *to, struct mount *source, enum copy_kind kind, struct mount **out)
{
	int err = mount_ns_room(to->ns, source);

	if (!err)
		err = mount_copy_tree(source, source->root, kind, true, out, p->gone);
	if (err)
		return err;
	mount_place(*out, &(struct path){ to, p->at->dentry });
	list_add_tail(&(*out)->work, p->copies);
	return 0;
}

/* Copies for g's members, then for those that receive from it.  What the copies join may be g itself: they come last, and do not receive. */
static int visit(const struct propagation *p, struct mount_group *g)
{
	struct mount *m, *copy;
	int err;

	list_for_each_entry(m, &g->members, peer) {
		if (!receives(m, p->at))
			continue;
		err = copy_to(p, m, g->source, g->own_source ? COPY_LIKE : COPY_SLAVE_SHARED, &copy);
		if (err)
			return err;
		if (!g->own_source)
			g->source = copy;
		g->own_source = true;
	}
	list_for_each_entry(m, &g->slaves, peer) {
		err = receives(m, p->at) ? copy_to(p, m, g->source, COPY_SLAVE, &copy) : 0;
		if (err)
			return err;
	}
	return 0;
}

int propagate_mount(const struct path *at, struct mount *tree, struct list_head *copies, struct list_head *gone)
{
	const struct propagation p = { at, copies, gone };
	struct mount_group *g = at->mnt->group, *below;
	struct list_head todo = LIST_HEAD_INIT(todo);
	int err = 0;

	g->source = tree;
	g->own_source = true;
	list_add_tail(&g->todo, &todo);
	while (!list_empty(&todo)) {
		g = list_first_entry(&todo, struct mount_group, todo);
		list_del_init(&g->todo);
		if (!err)
			err = visit(&p, g);
		list_for_each_entry(below, &g->slave_groups, slave_link) {
			if (err)
				break;
			below->source = g->source;
			below->own_source = false;
			list_add_tail(&below->todo, &todo);
		}
	}
	return err;
}

/* --- unmounting --- */

static void candidate_at(struct mount *parent, const struct mount *like, struct list_head *list)
{
	struct mount *m = parent->ns ? mount_find(parent, like->mountpoint) : NULL;

	if (!m || m->going)
		return;
	m->going = true;
	list_add_tail(&m->work, list);
}

static void find_candidates(const struct mount *m, struct list_head *list)
{
	struct mount_group *g = m->parent ? m->parent->group : NULL, *below;
	struct list_head todo = LIST_HEAD_INIT(todo);
	struct mount *to;

	if (g)
		list_add_tail(&g->todo, &todo);
	while (!list_empty(&todo)) {
		g = list_first_entry(&todo, struct mount_group, todo);
		list_del_init(&g->todo);
		list_for_each_entry(to, &g->members, peer)
			candidate_at(to, m, list);
		list_for_each_entry(to, &g->slaves, peer)
			candidate_at(to, m, list);
		list_for_each_entry(below, &g->slave_groups, slave_link)
			list_add_tail(&below->todo, &todo);
	}
}

/* m stays: so does what it stands on, unless it covers that. */
static void stays(struct mount *m)
{
	for (; m->parent && m->parent->going; m = m->parent)
		if (m->mountpoint != m->parent->root)
			m->parent->going = false;
}

void propagate_umount(struct list_head *list)
{
	struct mount *m, *c, *next, *last = list_last_entry(list, struct mount, work);

	list_for_each_entry(m, list, work) {
		find_candidates(m, list);
		if (m == last)
			break;
	}
	list_for_each_entry(m, list, work)
		list_for_each_entry(c, &m->children, child)
			if (m->going && !c->going)
				stays(c);
	list_for_each_entry_safe(m, next, list, work)
		if (!m->going)
			list_del_init(&m->work);
}
