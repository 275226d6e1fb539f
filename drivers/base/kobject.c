/* The tree of named objects that /sys shows.
 *
 * An object is embedded in what it stands for, and costs that memory and nothing else: the files and links of its directory are made up
 * from its type when somebody looks (fs/sysfs), out of tables of attributes and of whatever the type knows about its neighbours.  There
 * is no node an attribute, no list of links, nothing to take down.
 *
 * The tree (parent, children) is under one rwsem, held for the few instructions of a change or of a look; no attribute and no
 * callback runs under it.
 *
 * Removal against use.  An inode of /sys is a *view* of an object.  It holds no reference: kobject_del() clears the views, so the object's
 * memory does not wait for a cached name to be forgotten.  Who shows or stores an attribute enters the object through the view, which
 * fails once it is dead, and leaves it after; kobject_del() waits until all have left.  So an attribute never sees a half-dismantled
 * device, however long its file stays open.  `active` counts those inside; KOBJECT_DEAD is added to it on removal.  Entering and dying
 * exclude each other by the lock of views; leaving is one atomic subtraction, and the last to leave a dead object wakes the remover without
 * touching the object again.
 *
 * Directories that exist only while something stands in them (virtual/mem, pci0000:00/.../block) are made by the first object that asks
 * for one and go with the last.
 *
 * Rejected: Linux's way, a node for every file, link and directory beside the object (some 130 bytes each, fifty a device). */
#include <drivers/base/kobject.h>
#include <drivers/base/view.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/debug.h>
#include <kernel/sync/rwsem.h>
#include <kernel/sync/wait.h>
#include <mm/slab.h>

static DEFINE_RWSEM(tree_sem, LC_DEVICES);		/* [t] */
static DEFINE_SPINLOCK(view_lock, LC_VIEWS);		/* [v] */
static DEFINE_WAIT_QUEUE(left_wq);			/* somebody left a dead object */
static u32 next_id = 1;					/* [t] */
static bool roots_added;				/* [t] */
static u64 generation;					/* [t] moves with every change of the tree, or of who drives what */

/* --- the directories that are always there */

static const struct attr_group *fixed_group(struct kobject *k, u32 index)
{
	for (const struct fixed_attr *a = __fixed_attrs_start; a < __fixed_attrs_end; a++)
		if (a->dir == k && !index--)
			return &a->group;
	return NULL;
}

const struct kobject_type kobject_fixed_type = { .group = fixed_group };

#define FIXED_DIR(ident, name, parent)	struct kobject ident = KOBJECT_INIT(ident, name, &kobject_fixed_type, parent)
FIXED_DIR(sys_root, "", NULL);
FIXED_DIR(sys_class, "class", &sys_root);
FIXED_DIR(sys_bus, "bus", &sys_root);
FIXED_DIR(sys_dev, "dev", &sys_root);
FIXED_DIR(sys_devices, "devices", &sys_root);
FIXED_DIR(sys_firmware, "firmware", &sys_root);
FIXED_DIR(sys_fs, "fs", &sys_root);
FIXED_DIR(sys_kernel, "kernel", &sys_root);
FIXED_DIR(sys_module, "module", &sys_root);
FIXED_DIR(sys_devices_platform, "platform", &sys_devices);
FIXED_DIR(sys_devices_system, "system", &sys_devices);
FIXED_DIR(sys_devices_virtual, "virtual", &sys_devices);

static struct kobject *const roots[] = {
	&sys_root, &sys_block, &sys_bus, &sys_class, &sys_dev, &sys_devices, &sys_firmware, &sys_fs, &sys_kernel, &sys_module,
	&sys_devices_platform, &sys_devices_system, &sys_devices_virtual, &sys_dev_block, &sys_dev_char,
};

static void link_locked(struct kobject *k, struct kobject *parent)
{
	k->id = next_id++;
	if (parent) {
		k->parent = parent;
		list_add_tail(&k->child, &parent->children);
	}
	atomic_store_release(&k->active, 0);
}

/* Nothing is done about the tree at boot: its first user puts the fixed directories into it. */
static void roots_ready_locked(void)
{
	for (u32 i = 0; !roots_added && i < ARRAY_SIZE(roots); i++)
		link_locked(roots[i], roots[i]->parent);
	roots_added = true;
}

void kobject_tree_ready(void)
{
	rwsem_write_lock(&tree_sem);
	roots_ready_locked();
	rwsem_write_unlock(&tree_sem);
}

void kobject_tree_lock(void) { rwsem_read_lock(&tree_sem); }
void kobject_tree_unlock(void) { rwsem_read_unlock(&tree_sem); }
void kobject_tree_lock_write(void) { rwsem_write_lock(&tree_sem); }
void kobject_tree_unlock_write(void)
{
	atomic_inc(&generation);
	rwsem_write_unlock(&tree_sem);
}
u64 kobject_tree_generation(void) { return atomic_load(&generation); }

/* --- objects */

void kobject_init(struct kobject *k, const struct kobject_type *type)
{
	k->type = type;
	list_init(&k->children);
	list_init(&k->child);
	list_init(&k->views);
	refcount_set(&k->refs, 1);
	k->active = KOBJECT_DEAD;
}

void kobject_set_name(struct kobject *k, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	kvsnprintf(k->name, sizeof(k->name), fmt, args);
	va_end(args);
	for (char *p = k->name; *p; p++)
		if (*p == '/')
			*p = '!';
}

bool kobject_dead(const struct kobject *k) { return atomic_load_acquire(&k->active) < 0; }
void kobject_get(struct kobject *k) { refcount_inc(&k->refs); }

void kobject_put(struct kobject *k)
{
	if (!refcount_dec_and_test(&k->refs))
		return;
	ASSERT(kobject_dead(k) && list_empty(&k->children));
	if (k->type->release)
		k->type->release(k);
}

static void dir_release(struct kobject *k) { kfree(k); }
static const struct kobject_type dir_type = { .release = dir_release };
static const struct kobject_type passing_dir_type = { .release = dir_release };	/* goes with its last child */

struct kobject *kobject_child(struct kobject *parent, const char *name, u32 len)
{
	struct kobject *k;

	list_for_each_entry(k, &parent->children, child)
		if (!memcmp(k->name, name, min_t(size_t, len, sizeof(k->name))) && len < sizeof(k->name) && !k->name[len])
			return k;
	return NULL;
}

/* The passing directory called name below parent: the one that is there, or *spare.  NULL: something else has the name. */
static struct kobject *passing_dir_locked(struct kobject *parent, const char *name, struct kobject **spare)
{
	struct kobject *dir = kobject_child(parent, name, (u32)strlen(name));

	if (dir)
		return dir->type == &passing_dir_type ? dir : NULL;
	dir = *spare;
	*spare = NULL;
	kobject_get(parent);
	link_locked(dir, parent);
	return dir;
}

static int add_locked(struct kobject *k, struct kobject *parent, const char *passing, struct kobject **spare)
{
	roots_ready_locked();
	if (kobject_dead(parent))
		return -ENOENT;
	if (passing) {
		parent = passing_dir_locked(parent, passing, spare);
		if (!parent)
			return -EEXIST;
	}
	if (kobject_child(parent, k->name, (u32)strlen(k->name)))	/* a passing directory in which this is so is not empty */
		return -EEXIST;
	kobject_get(parent);
	link_locked(k, parent);
	return 0;
}

static struct kobject *dir_alloc(const char *name, const struct kobject_type *type)
{
	struct kobject *k = kzalloc(sizeof(*k), GFP_KERNEL);

	if (k) {
		kobject_init(k, type);
		kobject_set_name(k, "%s", name);
	}
	return k;
}

int kobject_add_within(struct kobject *k, struct kobject *parent, const char *passing)
{
	struct kobject *spare = passing ? dir_alloc(passing, &passing_dir_type) : NULL;
	int err;

	if (passing && !spare)
		return -ENOMEM;
	kobject_tree_lock_write();
	err = add_locked(k, parent, passing, &spare);
	kobject_tree_unlock_write();
	kfree(spare);
	return err;
}

int kobject_add(struct kobject *k, struct kobject *parent) { return kobject_add_within(k, parent, NULL); }

static void clear_views_locked(struct kobject *k)
{
	while (!list_empty(&k->views)) {
		struct kobject_view *v = list_first_entry(&k->views, struct kobject_view, link);

		list_del_init(&v->link);
		WRITE_ONCE(v->kobj, NULL);
	}
}

/* Nobody enters k any more; wait for those who are inside. */
static void retire(struct kobject *k)
{
	spin_lock(&view_lock);
	clear_views_locked(k);
	atomic_add(&k->active, KOBJECT_DEAD);
	spin_unlock(&view_lock);
	wait_event(&left_wq, atomic_load_acquire(&k->active) == KOBJECT_DEAD);
}

void kobject_del(struct kobject *k)
{
	struct kobject *parent = NULL, *passing = NULL;

	if (kobject_dead(k))
		return;
	retire(k);
	kobject_tree_lock_write();
	ASSERT(list_empty(&k->children));
	parent = k->parent;
	list_del_init(&k->child);
	if (parent->type == &passing_dir_type && list_empty(&parent->children)) {
		passing = parent;
		list_del_init(&passing->child);
	}
	kobject_tree_unlock_write();
	kobject_put(parent);
	if (passing) {
		parent = passing->parent;
		retire(passing);
		kobject_put(passing);
		kobject_put(parent);
	}
}

/* Names that programs know lose sight of it, as if it had gone; those inside an attribute stay there. */
int kobject_rename(struct kobject *k, const char *name)
{
	int err = 0;

	kobject_tree_lock_write();
	if (kobject_dead(k))
		err = -ENOENT;
	else if (kobject_child(k->parent, name, (u32)strlen(name)))
		err = -EEXIST;
	if (!err) {
		spin_lock(&view_lock);
		clear_views_locked(k);
		spin_unlock(&view_lock);
		kobject_set_name(k, "%s", name);
	}
	kobject_tree_unlock_write();
	return err;
}

int kobject_dir_create(const char *name, struct kobject *parent, struct kobject **out)
{
	struct kobject *k = dir_alloc(name, &dir_type);
	int err = k ? kobject_add(k, parent) : -ENOMEM;

	if (err && k)
		kobject_put(k);
	else
		*out = k;
	return err;
}

int kobject_path_locked(const struct kobject *k, char *buf, size_t size)
{
	size_t len = 0, at;

	for (const struct kobject *p = k; p->parent; p = p->parent)
		len += strlen(p->name) + 1;
	if (len >= size)
		return -ENAMETOOLONG;
	at = len;
	buf[at] = 0;
	for (const struct kobject *p = k; p->parent; p = p->parent) {
		size_t n = strlen(p->name);

		at -= n;
		memcpy(buf + at, p->name, n);
		buf[--at] = '/';
	}
	return (int)len;
}

int kobject_path(struct kobject *k, char *buf, size_t size)
{
	int n;

	rwsem_read_lock(&tree_sem);
	n = kobject_path_locked(k, buf, size);
	rwsem_read_unlock(&tree_sem);
	return n;
}

/* --- views */

bool kobject_view_add(struct kobject_view *v, struct kobject *k)
{
	bool ok;

	spin_lock(&view_lock);
	ok = !kobject_dead(k);
	if (ok) {
		list_add(&v->link, &k->views);
		WRITE_ONCE(v->kobj, k);
	}
	spin_unlock(&view_lock);
	return ok;
}

void kobject_view_del(struct kobject_view *v)
{
	spin_lock(&view_lock);
	if (v->kobj)
		list_del_init(&v->link);
	WRITE_ONCE(v->kobj, NULL);
	spin_unlock(&view_lock);
}

struct kobject *kobject_enter(struct kobject_view *v)
{
	struct kobject *k;

	spin_lock(&view_lock);
	k = v->kobj;
	if (k)
		atomic_inc(&k->active);
	spin_unlock(&view_lock);
	return k;
}

bool kobject_enter_object(struct kobject *k)
{
	bool ok;

	spin_lock(&view_lock);
	ok = !kobject_dead(k);
	if (ok)
		atomic_inc(&k->active);
	spin_unlock(&view_lock);
	return ok;
}

void kobject_leave(struct kobject *k)
{
	if (atomic_sub_return_acq_rel(&k->active, 1) == KOBJECT_DEAD)
		wake_up_all(&left_wq);		/* k may be gone */
}
