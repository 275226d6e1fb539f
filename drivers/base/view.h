/* What fs/sysfs and the device model need of the tree of objects beside kobject.h. */
#pragma once
#include <drivers/base/kobject.h>

/* A view of an object: what an inode of /sys holds.  kobj becomes NULL when the object is removed. */
struct kobject_view { struct kobject *kobj; /* [v], read racily */ struct list_head link; /* [v] */ };
/* kobject_view_add - v shows k; false: k is dead.  kobject_view_del - it does so no more; nothing if it did not. Context: any thread. */
bool kobject_view_add(struct kobject_view *v, struct kobject *k);
void kobject_view_del(struct kobject_view *v);
static inline bool kobject_view_dead(const struct kobject_view *v) { return !READ_ONCE(v->kobj); }
/* kobject_enter - v's object, whose removal waits until kobject_leave; NULL: it is dead.  kobject_enter_object - of one that is known
 * to be in memory; false: it is dead. */
struct kobject *kobject_enter(struct kobject_view *v);
bool kobject_enter_object(struct kobject *k);
void kobject_leave(struct kobject *k);

/* The tree's lock, LC_DEVICES.  kobject_tree_generation - moves with whatever changes under it.  kobject_tree_ready - the fixed directories are in the tree.
 * kobject_child, kobject_path_locked: under it. */
void kobject_tree_ready(void);
void kobject_tree_lock(void);
void kobject_tree_unlock(void);
void kobject_tree_lock_write(void);
void kobject_tree_unlock_write(void);
u64 kobject_tree_generation(void);
struct kobject *kobject_child(struct kobject *parent, const char *name, u32 len);
int kobject_path_locked(const struct kobject *k, char *buf, size_t size);
/* kobject_add_within - kobject_add below a directory `passing` of parent, which is there only as long as something stands in it. */
int __must_check kobject_add_within(struct kobject *k, struct kobject *parent, const char *passing);
/* kinds_register_all - every bus and class of the sections, those without devices too. */
void kinds_register_all(void);
extern const struct kobject_type kobject_fixed_type;
extern struct kobject sys_dev_block, sys_dev_char;
