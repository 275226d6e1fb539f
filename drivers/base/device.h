/* Devices, the buses they stand on, the drivers that drive them, the classes that programs know them by.
 *
 * Whoever discovers a device embeds a struct device in what he knows about it, fills the members marked [I], and adds it: it appears in
 * /sys, in /dev if it has a number, programs are told (uevent), and a driver of its bus that matches is asked to probe it.  Removal goes
 * the other way.  Theory in device.c.
 *
 * Keys: [I] set before device_add, immutable from then on, [m] device->mutex, [t] the tree's lock. */
#pragma once
#include <drivers/base/kobject.h>
#include <fs/vfs.h>
#include <kernel/sync/mutex.h>

struct bus;
struct device;
struct device_class;
struct device_driver;

/* What several devices of a class or bus share: disks and partitions of class block. */
struct device_type {
	const char *name;				/* DEVTYPE= */
	const struct attr_group *const *groups;		/* ends with NULL; may be NULL */
};

struct device {
	struct kobject kobj;		/* first; kobj.name: device_set_name */
	struct kobject *below;		/* [I] where it stands in /sys if it has no parent; NULL: devices/virtual/CLASS, or devices */
	struct device *parent;		/* [I] the controller or bridge it stands behind; NULL: none.  Referenced from device_add on */
	struct bus *bus;		/* [I] or NULL */
	struct device_class *class;	/* [I] or NULL */
	const struct device_type *type;	/* [I] or NULL */
	const struct attr_group *const *groups;	/* [I] its own attributes, or NULL */
	dev_t_k dev;			/* [I] its number, 0: it has none */
	bool block;			/* [I] the number is a block device's */
	u16 mode;			/* [I] of its node in /dev; 0: 0600 */
	const char *node;		/* [I] that node's name, "input/event0"; NULL: the device's own; "": no node */
	void (*release)(struct device *d);	/* [I] the last reference is gone: free it.  Context: thread */
	void *bus_data, *class_data;	/* the bus's, the class's */
	void *driver_data;		/* the driver's, from probe to remove */
	struct device_driver *driver;	/* [m,t] bound, or NULL */
	struct mutex mutex;		/* LC_DEVICE_BIND, key: depth in the tree */
	u32 depth;			/* [I] */
	bool gone;			/* [m] removed: no driver is to take it */
	struct list_head link;		/* [t] all devices, by rising id */
};

struct bus {
	struct kobject kobj;		/* /sys/bus/NAME; kobj.name is filled from name */
	const char *name;		/* [I] */
	/* match - may that driver drive this device?  Context: thread; no lock but the device's mutex. */
	bool (*match)(const struct device *d, const struct device_driver *drv);
	/* probe, remove - instead of the driver's own (they call it); NULL: the driver's. */
	int (*probe)(struct device *d, struct device_driver *drv);
	void (*remove)(struct device *d, struct device_driver *drv);
	void (*shutdown)(struct device *d);	/* at power-off and reset: no more transfers; NULL: nothing to do */
	/* uevent - append the bus's lines, "MODALIAS=virtio:d00000002v00001AF4\n". */
	void (*uevent)(const struct device *d, struct seq *s);
	const struct attr_group *const *dev_groups;	/* of each device on it */
	struct kobject devices, drivers;	/* its two directories */
	bool manual;			/* [a] drivers are bound only by hand: drivers_autoprobe is 0 */
	bool registered;		/* [a] */
};

struct device_class {
	struct kobject kobj;		/* /sys/class/NAME */
	const char *name;		/* [I] */
	void (*uevent)(const struct device *d, struct seq *s);
	const struct attr_group *const *dev_groups;	/* of each device in it */
	bool registered;		/* [a] */
};

struct device_driver {
	struct kobject kobj;		/* /sys/bus/BUS/drivers/NAME */
	const char *name;		/* [I] */
	struct bus *bus;		/* [I] */
	/* probe - take the device: 0, -ENODEV (not mine after all: the next driver is tried), -errno (reported).
	 * remove - give it back: when it returns the driver does not touch it any more.  Both once for each binding.
	 * Context: thread, may sleep; d->mutex held, so they may add and remove devices below d, not d or those above. */
	int (*probe)(struct device *d);
	void (*remove)(struct device *d);
	const struct attr_group *const *groups;		/* of the driver itself */
	bool registered;		/* [a] */
};

/* BUS(bus), CLASS(class), BUS_DRIVER(&x.driver) - one line in the file that defines it.  Buses and classes register themselves with the
 * first device (or when /sys is looked at), drivers with their bus: a machine without such devices pays nothing. */
#define BUS(ident)		static struct bus *const __bus_##ident __used __section(".buses") = &(ident)
#define CLASS(ident)		static struct device_class *const __class_##ident __used __section(".classes") = &(ident)
#define BUS_DRIVER(ident, drv)	static struct device_driver *const __bus_driver_##ident __used __section(".bus_drivers") = (drv)

/* device_init - of zeroed memory; refs 1.  The caller then sets what is marked [I] and adds it.
 * device_add - 0, -EEXIST (the name is taken), -EINVAL (no name), -ENOENT (the parent was removed), -ENOMEM.  A driver that fails to
 * probe is no error.  After an error the caller puts the device as after device_del.
 * device_del - the driver's remove, the node and the directory go; attributes being shown have ended when it returns.  Its children
 * were removed before, by the driver or by the caller.  Twice is no harm.  The caller then puts his reference.
 * device_register, device_unregister - init and add; del and put. Context: thread, may sleep; not from an attribute of d (unless unguarded). */
void device_init(struct device *d);
void device_set_name(struct device *d, const char *fmt, ...) __printf(2, 3);
int __must_check device_add(struct device *d);
void device_del(struct device *d);
/* device_rename - 0, kobject_rename's errors, -ENOMEM; programs are told (move).  Of a device without a node in /dev. */
int __must_check device_rename(struct device *d, const char *name);
static inline const char *device_name(const struct device *d) { return d->kobj.name; }
static inline struct device *device_get(struct device *d) { kobject_get(&d->kobj); return d; }
static inline void device_put(struct device *d) { kobject_put(&d->kobj); }
static inline void device_unregister(struct device *d) { device_del(d); device_put(d); }
static inline bool device_gone(const struct device *d) { return kobject_dead(&d->kobj); }
/* device_next - the first device behind `after` (NULL: from the beginning) for which is() holds; referenced; `after` is put (NULL: is not).
 * is: under the tree's lock, must not sleep.  Devices that come and go meanwhile may be missed or not. */
struct device *device_next(struct device *after, bool (*is)(const struct device *d, const void *arg), const void *arg);
/* device_find - the device of a number.  Referenced, NULL: none. */
struct device *device_find(dev_t_k dev, bool block);

/* bus_register - what comes by itself with the first device, beforehand; bus_unregister when it has neither devices nor drivers.  The same of classes.
 * driver_register - and probe what matches; driver_unregister - and unbind all of its devices.  0, -EEXIST.
 * Context: thread, may sleep; not from an attribute of what is unregistered. */
int __must_check bus_register(struct bus *bus);
void bus_unregister(struct bus *bus);
int __must_check class_register(struct device_class *class);
void class_unregister(struct device_class *class);
int __must_check driver_register(struct device_driver *drv);
void driver_unregister(struct device_driver *drv);
/* device_attach - try the drivers of d's bus; 1 bound, 0 none matched, -errno.  device_detach - unbind.  As `bind` and `unbind` do. */
int device_attach(struct device *d);
void device_detach(struct device *d);
/* devices_shutdown - tell every bus's devices, the last added first.  Context: thread, at power-off. */
void devices_shutdown(void);

/* platform_device - the device that stands for a node of the device tree: /sys/devices/platform/ADDRESS.NAME; made when first asked for.
 * The parent of what its driver finds.  Owned by the tree: not to be put.  NULL: no memory.  Context: thread. */
struct device *platform_device(int fdt_node);
/* platform_device_of_driver - that of the first node which the driver of that name took; NULL: there is none. */
struct device *platform_device_of_driver(const char *driver);
extern struct bus platform_bus;

extern struct bus *const __buses_start[], *const __buses_end[];
extern struct device_class *const __classes_start[], *const __classes_end[];
extern struct device_driver *const __bus_drivers_start[], *const __bus_drivers_end[];

/* Uevents.  device_event - tell programs: DEVICE_ADD, REMOVE, BIND and UNBIND come by themselves; change (a disk's size, its medium) is the
 * driver's to send.  more: lines "KEY=value\n" of its own, or NULL.  Context: thread, may sleep. */
enum device_action { DEVICE_ADD, DEVICE_REMOVE, DEVICE_CHANGE, DEVICE_MOVE, DEVICE_ONLINE, DEVICE_OFFLINE, DEVICE_BIND, DEVICE_UNBIND };
extern const char *const device_action_names[];	/* "add" ... */
void device_event(struct device *d, enum device_action action, const char *more);
/* device_node - the name of d's node in /dev; false: it has none. */
bool device_node(const struct device *d, char name[LINK_NAME_MAX]);
/* device_uevent_show - the lines that describe d: what /sys/.../uevent reads. */
int device_uevent_show(struct seq *s, void *device);

/* DEVICE_LISTENER(ident, .event = fn, .wanted = fn) - to be told of every event: devtmpfs makes nodes, the hot-plug helper is run, later
 * netlink broadcasts.  An event is built only if some listener's wanted() says yes (NULL: always, but without env).
 * env: "ACTION=add\0DEVPATH=/devices/...\0SUBSYSTEM=block\0..." of len bytes, NULL when wanted is NULL.  Context: thread, d alive. */
struct device_listener {
	void (*event)(struct device *d, enum device_action action, const char *env, size_t len);
	bool (*wanted)(void);
};
#define DEVICE_LISTENER(ident, ...) static const struct device_listener __device_listener_##ident __used __aligned(8) \
	__section(".device_listeners") = { __VA_ARGS__ }
extern const struct device_listener __device_listeners_start[], __device_listeners_end[];
