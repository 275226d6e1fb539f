/* Named objects in a tree, each a directory of /sys, with attributes (files) and links to others.  Devices, buses, classes and
 * drivers (drivers/base/device.h) are such objects; so is a subsystem's own directory.  Theory in kobject.c.
 *
 * Keys: [I] immutable once added, [a] atomic, [t] the tree's lock (LC_DEVICES), [v] the lock of views (LC_VIEWS). */
#pragma once
#include <fs/seq.h>
#include <kernel/lib/list.h>
#include <kernel/lib/refcount.h>
#include <kernel/lib/types.h>

struct kobject;

/* An attribute.  show and store get the object that the kobject is the first member of (a struct device, a struct bus ...): while
 * they run, removal of the object waits for them, so what belongs to it is there.  They hold no lock of ours and may sleep.
 *   show   - appends the text, ended by a newline; 0 or -errno.
 *   store  - buf ends in a NUL behind len bytes; 0 or -errno.
 *   read, write - of a binary attribute of size bytes (0: unknown): bytes from off on; how many, or -errno.
 * One whose store removes the object itself sets unguarded: nothing waits for it, and the object may be gone already when it runs
 * (kobject_dead); only its memory is kept. */
struct attr {
	const char *name;
	u16 mode;			/* 0: 0444 with show or read alone, 0644 with store or write beside, 0200 with those alone */
	bool unguarded;
	u32 size;
	int (*show)(struct seq *s, void *object);
	int (*store)(void *object, const char *buf, size_t len);
	ssize_t (*read)(void *object, void *buf, u64 off, size_t len);
	ssize_t (*write)(void *object, const void *buf, u64 off, size_t len);
};

/* Attributes that stand together: in the object's directory, or with a name in a directory below it. */
struct attr_group {
	const char *name;		/* NULL: the object's own directory */
	const struct attr *attrs;	/* ends with a NULL name */
	bool (*visible)(void *object, const struct attr *attr);	/* NULL: all.  attr NULL: the group itself */
};

#define LINK_NAME_MAX	48

struct kobject_type {
	/* release - the last reference is gone.  Context: thread, whatever the last put holds.  NULL: the object lives for ever. */
	void (*release)(struct kobject *k);
	/* group - the index-th group of attributes; NULL: there are no more (an empty one in between is allowed).  May be NULL. */
	const struct attr_group *(*group)(struct kobject *k, u32 index);
	/* link - the first symbolic link at or after *pos: its target, its name, *pos becoming the link's own; NULL: none is left.
	 * Context: [t] held for reading.  May be NULL. */
	struct kobject *(*link)(struct kobject *k, u64 *pos, char name[LINK_NAME_MAX]);
};

struct kobject {
	char name[LINK_NAME_MAX];	/* [I] */
	const struct kobject_type *type;	/* [I] */
	struct kobject *parent;		/* [I] referenced */
	struct list_head children, child;	/* [t] by rising id */
	struct list_head views;		/* [v] */
	struct refcount refs;
	s32 active;			/* [a] attributes being shown or stored; KOBJECT_DEAD added: removed, or not yet added */
	u32 id;				/* [I] rises from one object to the next */
};

/* KOBJECT_INIT - for an object that is always there. */
#define KOBJECT_INIT(ident, obj_name, obj_type, obj_parent) { .name = obj_name, .type = obj_type, .parent = obj_parent, \
	.children = LIST_HEAD_INIT((ident).children), .child = LIST_HEAD_INIT((ident).child), .views = LIST_HEAD_INIT((ident).views), \
	.refs = { 1 }, .active = KOBJECT_DEAD }
#define KOBJECT_DEAD	(-0x40000000)

/* kobject_init - of zeroed memory; refs 1, not in the tree.  kobject_set_name - cut off at LINK_NAME_MAX - 1; '/' becomes '!'. */
void kobject_init(struct kobject *k, const struct kobject_type *type);
void kobject_set_name(struct kobject *k, const char *fmt, ...) __printf(2, 3);
/* kobject_add - below parent, by k's name; takes a reference on parent.  0, -EEXIST, -ENOENT (parent was removed).
 * kobject_del - out of the tree: no attribute is entered from now on, and those being shown or stored have ended when it returns.
 * k has no children left.  Nothing if it was not in the tree.  Context: thread, may sleep; not from within an attribute of k. */
int __must_check kobject_add(struct kobject *k, struct kobject *parent);
void kobject_del(struct kobject *k);
/* kobject_rename - 0, -EEXIST, -ENOENT (not in the tree).  Files of it that are open read -ENODEV from then on.  Context: thread, may sleep. */
int __must_check kobject_rename(struct kobject *k, const char *name);
void kobject_get(struct kobject *k);
void kobject_put(struct kobject *k);
bool kobject_dead(const struct kobject *k);
/* kobject_path - "/devices/virtual/mem/null", from /sys on; its length, -ENAMETOOLONG.  k is in the tree. */
int kobject_path(struct kobject *k, char *buf, size_t size);
/* kobject_dir_create - a directory without anything of its own, added below parent; -ENOMEM and kobject_add's errors. */
int __must_check kobject_dir_create(const char *name, struct kobject *parent, struct kobject **out);

/* The directories that are always there; fill them with KOBJECT_ATTR or kobject_add. */
extern struct kobject sys_root, sys_devices, sys_bus, sys_class, sys_block, sys_dev, sys_kernel, sys_fs, sys_module, sys_firmware,
	sys_devices_system, sys_devices_virtual, sys_devices_platform;

/* KOBJECT_ATTR(ident, directory, .name = , .show = ...) - a file of one of those, in the file that owns the data.
 * KOBJECT_GROUP(ident, directory, .name = , .attrs = ) - a group of them. */
struct fixed_attr { struct kobject *dir; struct attr_group group; };
#define KOBJECT_GROUP(ident, directory, ...) static const struct fixed_attr __fixed_attr_##ident __used __aligned(8) \
	__section(".fixed_attrs") = { directory, { __VA_ARGS__ } }
#define KOBJECT_ATTR(ident, directory, ...) \
	static const struct attr __attr_##ident[] = { { __VA_ARGS__ }, { 0 } }; \
	KOBJECT_GROUP(ident, directory, .attrs = __attr_##ident)
extern const struct fixed_attr __fixed_attrs_start[], __fixed_attrs_end[];
