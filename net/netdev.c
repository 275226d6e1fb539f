/* Network devices: how they come and go, and their configuration.  (Packets: flow.c.  /sys: netdev_sysfs.c.  /proc: netdev_proc.c.)
 *
 * All devices stand on one list by rising index, changed under net_config_lock and walked under RCU; there are few of them, and what is looked
 * up for each packet (the device of a socket, of a route) is kept by reference.  A reference keeps the memory, not the device: who
 * transmits on one that has gone has his packets dropped.
 *
 * net_config_lock is what Linux calls the RTNL: netlink, ioctl and /sys all change devices, addresses and routes under it, so that each sees
 * whole changes, and listeners hear of them in their order.  Nothing that happens for each packet takes it.
 *
 * The directory in /sys is added under the lock, so that names and directories agree, and removed without it, since removal waits for those
 * who are storing to an attribute, and they take the lock. */
#include <drivers/base/device.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <mm/slab.h>
#include <net/netdev.h>
#include <net/netdev_internal.h>

#define NAMES_MAX	4096u		/* "eth0" to "eth4095" */

DEFINE_MUTEX(net_config_lock, LC_NET_CONFIG);
static LIST_HEAD(devices);		/* [c,R] by index */
static u32 last_index = LOOPBACK_INDEX;	/* [c] the first is lo's, whenever it comes */

static void tell(struct netdev *dev, enum netdev_event e)
{
	ASSERT(mutex_held(&net_config_lock));
	for (const struct netdev_listener *l = __netdev_listeners_start; l < __netdev_listeners_end; l++)
		l->event(dev, e);
}

static int admit(struct netdev *dev)
{
	int err = 0;

	for (const struct netdev_listener *l = __netdev_listeners_start; l < __netdev_listeners_end && !err; l++)
		err = l->admit ? l->admit(dev) : 0;
	return err;
}

static void drop(struct netdev *dev)
{
	for (const struct netdev_listener *l = __netdev_listeners_start; l < __netdev_listeners_end; l++)
		if (l->drop)
			l->drop(dev);
}

/* --- looking up */

struct netdev *netdev_by_index(u32 index)
{
	struct netdev *dev, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(dev, &devices, link)
		if (dev->index == index) {
			found = refcount_inc_not_zero(&dev->refs) ? dev : NULL;
			break;
		}
	rcu_read_unlock();
	return found;
}

struct netdev *netdev_by_name(const char *name)
{
	struct netdev *dev, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(dev, &devices, link)
		if (!strncmp(dev->name, name, IFNAMSIZ)) {
			found = refcount_inc_not_zero(&dev->refs) ? dev : NULL;
			break;
		}
	rcu_read_unlock();
	return found;
}

struct netdev *netdev_next(struct netdev *dev)
{
	struct netdev *d, *found = NULL;
	u32 after = dev ? dev->index : 0;

	rcu_read_lock();
	list_for_each_entry_rcu(d, &devices, link)
		if (d->index > after && refcount_inc_not_zero(&d->refs)) {
			found = d;
			break;
		}
	rcu_read_unlock();
	if (dev)
		netdev_put(dev);
	return found;
}

static void free_after_readers(struct rcu_head *head)
{
	struct netdev *dev = container_of(head, struct netdev, rcu);

	kfree(dev->stats);
	dev->stats = NULL;
	dev->release(dev);
}

void netdev_put(struct netdev *dev)
{
	if (refcount_dec_and_test(&dev->refs))
		call_rcu(&dev->rcu, free_after_readers);
}

/* --- names */

bool netdev_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (const char *c = name; *c; c++)
		if (*c == '/' || *c == ':' || *c == ' ' || (*c >= '\t' && *c <= '\r'))
			return false;
	return true;
}

static struct netdev *find_locked(const char *name)
{
	struct netdev *dev;

	list_for_each_entry(dev, &devices, link)
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

/* The first free name of the pattern "eth%d", or the name itself if it is none. */
static int choose_name(const char *wanted, char out[IFNAMSIZ])
{
	const char *percent = NULL;

	for (const char *c = wanted; *c; c++)
		if (*c == '%') {
			if (percent || c[1] != 'd')
				return -EINVAL;
			percent = c;
		}
	if (!netdev_name_ok(wanted))
		return -EINVAL;
	if (!percent) {
		strlcpy(out, wanted, IFNAMSIZ);
		return find_locked(out) ? -EEXIST : 0;
	}
	for (u32 i = 0; i < NAMES_MAX; i++) {
		char name[IFNAMSIZ + 8];

		scnprintf(name, sizeof(name), "%.*s%u%s", (int)(percent - wanted), wanted, i, percent + 2);
		if (strlen(name) >= IFNAMSIZ)
			return -EINVAL;
		strlcpy(out, name, IFNAMSIZ);
		if (!find_locked(out))
			return 0;
	}
	return -ENFILE;
}

/* --- coming and going */

void netdev_init_ethernet(struct netdev *dev, const struct netdev_ops *ops)
{
	dev->type = ARPHRD_ETHER;
	dev->address_len = ETH_ALEN;
	dev->header_len = ETH_HLEN;
	memset(dev->broadcast, 0xff, ETH_ALEN);
	dev->flags = IFF_BROADCAST | IFF_MULTICAST;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = ETH_DATA_LEN;
	dev->tx_queue_len = 1000;
	dev->ops = ops;
}

static void device_released(struct device *d) { netdev_put(container_of(d, struct netdev, device)); }

/* One that was never used; after NETDEV_INDEX_MAX of them, the lowest that is free, so that devices which come and go for ever have IP. */
static u32 next_index(void)
{
	const struct netdev *d;
	u32 index = LOOPBACK_INDEX + 1;

	if (last_index < NETDEV_INDEX_MAX)
		return last_index + 1;
	list_for_each_entry(d, &devices, link)		/* by index */
		index += d->index == index;
	return index;
}

static int add_locked(struct netdev *dev, struct device *parent)
{
	char name[IFNAMSIZ];
	int err = choose_name(dev->name, name);
	struct netdev *d;

	if (err)
		return err;
	dev->name_kind = strcmp(name, dev->name) ? 1 : dev->name_kind;	/* NET_NAME_ENUM */
	strlcpy(dev->name, name, IFNAMSIZ);
	dev->index = dev->type == ARPHRD_LOOPBACK ? LOOPBACK_INDEX : next_index();
	err = admit(dev);
	if (err)
		goto err_drop;
	netdev_device_init(dev, parent, device_released);
	err = device_add(&dev->device);
	if (err)
		goto err_drop;
	last_index = max(last_index, dev->index);
	list_for_each_entry_reverse(d, &devices, link)
		if (d->index < dev->index)
			break;
	list_add_rcu(&dev->link, &d->link);	/* d is the head if there is none before it */
	tell(dev, NETDEV_REGISTERED);
	return 0;

err_drop:
	drop(dev);
	return err;
}

int netdev_register(struct netdev *dev, struct device *parent)
{
	int err = class_register(&net_class);

	if (err)
		return err;
	dev->stats = kcalloc(nr_cpus, sizeof(*dev->stats), GFP_KERNEL);
	if (!dev->stats)
		return -ENOMEM;
	list_init(&dev->multicast);
	refcount_set(&dev->refs, 2);		/* the caller's, and that of its directory */
	mutex_lock(&net_config_lock);
	err = add_locked(dev, parent);
	mutex_unlock(&net_config_lock);
	if (!err)
		return 0;
	kfree(dev->stats);		/* nobody has seen it */
	dev->stats = NULL;
	return err;
}

static void forget_multicast(struct netdev *dev)
{
	while (!list_empty(&dev->multicast)) {
		struct netdev_multicast *m = list_first_entry(&dev->multicast, struct netdev_multicast, link);

		list_del(&m->link);
		kfree(m);
	}
}

void netdev_unlink(struct netdev *dev)
{
	VERIFY(!netdev_set_flags(dev, 0, IFF_UP));
	WRITE_ONCE(dev->gone, true);
	tell(dev, NETDEV_UNREGISTERED);
	list_del_rcu(&dev->link);
	forget_multicast(dev);
}

void netdev_unlinked(struct netdev *dev)
{
	synchronize_rcu();
	device_unregister(&dev->device);
}

void netdev_unregister(struct netdev *dev)
{
	mutex_lock(&net_config_lock);
	netdev_unlink(dev);
	mutex_unlock(&net_config_lock);
	netdev_unlinked(dev);
}

/* --- flags, carrier */

u32 netdev_flags(const struct netdev *dev)
{
	u32 flags = (atomic_load(&dev->flags) & ~(u32)(IFF_PROMISC | IFF_ALLMULTI)) | dev->wanted_flags;

	if ((flags & IFF_UP) && atomic_load(&dev->carrier))
		flags |= IFF_RUNNING | IFF_LOWER_UP;
	return flags;
}

u8 netdev_operstate(const struct netdev *dev)
{
	if (!(atomic_load(&dev->flags) & IFF_UP) || !atomic_load(&dev->carrier))
		return IF_OPER_DOWN;
	return READ_ONCE(dev->carrier_told) ? IF_OPER_UP : IF_OPER_UNKNOWN;
}

static void change_flags(struct netdev *dev, u32 set, u32 clear)
{
	atomic_store(&dev->flags, (dev->flags & ~clear) | set);
}

static int bring_up(struct netdev *dev)
{
	int err = dev->gone ? -ENODEV : dev->ops->open ? dev->ops->open(dev) : 0;

	if (err)
		return err;
	change_flags(dev, IFF_UP, 0);
	if (dev->ops->set_filter)
		dev->ops->set_filter(dev);
	tell(dev, NETDEV_UP);
	return 0;
}

static void take_down(struct netdev *dev)
{
	tell(dev, NETDEV_GOING_DOWN);
	change_flags(dev, 0, IFF_UP);
	if (dev->ops->stop)
		dev->ops->stop(dev);
	tell(dev, NETDEV_DOWN);
}

/* The flags that only say something, to programs. */
#define PLAIN_FLAGS	((u32)(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL | IFF_AUTOMEDIA))

int netdev_set_flags(struct netdev *dev, u32 flags, u32 mask)
{
	u32 was = netdev_flags(dev), wanted = (dev->wanted_flags & ~mask) | (flags & mask), change = (flags ^ dev->flags) & mask;
	int err = 0;

	wanted &= IFF_PROMISC | IFF_ALLMULTI;
	change_flags(dev, flags & mask & PLAIN_FLAGS, mask & PLAIN_FLAGS);
	if (change & IFF_UP) {
		if (flags & IFF_UP)
			err = bring_up(dev);
		else
			take_down(dev);
	}
	if ((wanted ^ dev->wanted_flags) & IFF_PROMISC)
		netdev_promiscuity(dev, wanted & IFF_PROMISC ? 1 : -1);
	if ((wanted ^ dev->wanted_flags) & IFF_ALLMULTI)
		netdev_allmulti(dev, wanted & IFF_ALLMULTI ? 1 : -1);
	dev->wanted_flags = wanted;
	if ((was ^ netdev_flags(dev)) & ~(u32)(IFF_UP | IFF_RUNNING | IFF_LOWER_UP))
		tell(dev, NETDEV_CHANGED);
	return err;
}

void netdev_carrier_locked(struct netdev *dev, bool on)
{
	if (dev->carrier_told && dev->carrier == on)
		return;
	dev->carrier_told = true;
	if (dev->carrier != on) {
		atomic_store(&dev->carrier, (u32)on);
		if (on)
			dev->carrier_ups++;
		else
			dev->carrier_downs++;
	}
	if (!list_empty(&dev->link) && !dev->gone)
		tell(dev, NETDEV_CARRIER);
}

void netdev_carrier(struct netdev *dev, bool on)
{
	mutex_lock(&net_config_lock);
	netdev_carrier_locked(dev, on);
	mutex_unlock(&net_config_lock);
}

void netdev_announce(struct netdev *dev)
{
	mutex_lock(&net_config_lock);
	if (!dev->gone)
		tell(dev, NETDEV_ANNOUNCE);
	mutex_unlock(&net_config_lock);
}

/* --- what else can be set */

int netdev_set_mtu(struct netdev *dev, u32 mtu)
{
	int err = 0;

	ASSERT(mutex_held(&net_config_lock));
	if (dev->gone)
		return -ENODEV;
	if (mtu == dev->mtu)
		return 0;
	if (mtu < dev->min_mtu || (dev->max_mtu && mtu > dev->max_mtu))
		return -EINVAL;
	if (dev->ops->set_mtu)
		err = dev->ops->set_mtu(dev, mtu);
	if (err)
		return err;
	atomic_store(&dev->mtu, mtu);
	tell(dev, NETDEV_MTU);
	return 0;
}

int netdev_set_address(struct netdev *dev, const u8 *address)
{
	int err;

	ASSERT(mutex_held(&net_config_lock));
	if (dev->gone)
		return -ENODEV;
	if (!dev->ops->set_address)
		return -EOPNOTSUPP;
	if (dev->type == ARPHRD_ETHER && (is_multicast_address(address) || !memcmp(address, "\0\0\0\0\0", ETH_ALEN)))
		return -EADDRNOTAVAIL;
	err = dev->ops->set_address(dev, address);
	if (err)
		return err;
	memcpy(dev->address, address, dev->address_len);
	dev->address_kind = NETDEV_ADDRESS_SET;
	tell(dev, NETDEV_ADDRESS);
	return 0;
}

int netdev_set_name(struct netdev *dev, const char *name)
{
	char chosen[IFNAMSIZ];
	int err;

	ASSERT(mutex_held(&net_config_lock));
	if (dev->gone)
		return -ENODEV;
	if (!strcmp(dev->name, name))
		return 0;
	if (dev->flags & IFF_UP)
		return -EBUSY;
	err = choose_name(name, chosen);
	if (!err)
		err = device_rename(&dev->device, chosen);
	if (err)
		return err;
	strlcpy(dev->name, chosen, IFNAMSIZ);	/* whoever looks by name meanwhile finds neither */
	dev->name_kind = 4;			/* NET_NAME_RENAMED */
	tell(dev, NETDEV_NAME);
	return 0;
}

int netdev_set_queue_len(struct netdev *dev, u32 len)
{
	if (len == dev->tx_queue_len)
		return 0;
	atomic_store(&dev->tx_queue_len, len);
	tell(dev, NETDEV_CHANGED);
	return 0;
}

/* --- who wants more than what is sent to us */

static void update_filter(struct netdev *dev)
{
	if ((dev->flags & IFF_UP) && dev->ops->set_filter)
		dev->ops->set_filter(dev);
}

static void update_count(struct netdev *dev, u32 *count, int more, u32 flag)
{
	ASSERT(mutex_held(&net_config_lock));
	if (more < 0 && !*count)
		return;
	*count += (u32)more;
	if (!!(dev->flags & flag) == !!*count)
		return;
	change_flags(dev, *count ? flag : 0, flag);
	if (flag == IFF_PROMISC)
		pr_info("%s: %s promiscuous mode\n", dev->name, *count ? "enters" : "leaves");
	update_filter(dev);
}

void netdev_promiscuity(struct netdev *dev, int more) { update_count(dev, &dev->promiscuity, more, IFF_PROMISC); }
void netdev_allmulti(struct netdev *dev, int more) { update_count(dev, &dev->allmulti, more, IFF_ALLMULTI); }

static struct netdev_multicast *find_multicast(struct netdev *dev, const u8 *address)
{
	struct netdev_multicast *m;

	list_for_each_entry(m, &dev->multicast, link)
		if (!memcmp(m->address, address, dev->address_len))
			return m;
	return NULL;
}

int netdev_multicast_add(struct netdev *dev, const u8 *address)
{
	struct netdev_multicast *m;

	ASSERT(mutex_held(&net_config_lock));
	if (dev->gone)
		return -ENODEV;
	m = find_multicast(dev, address);
	if (m) {
		m->users++;
		return 0;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->users = 1;
	memcpy(m->address, address, dev->address_len);
	list_add_tail(&m->link, &dev->multicast);
	update_filter(dev);
	return 0;
}

int netdev_multicast_del(struct netdev *dev, const u8 *address)
{
	struct netdev_multicast *m;

	ASSERT(mutex_held(&net_config_lock));
	m = find_multicast(dev, address);
	if (!m)
		return -ENOENT;
	if (--m->users)
		return 0;
	list_del(&m->link);
	kfree(m);
	update_filter(dev);
	return 0;
}
