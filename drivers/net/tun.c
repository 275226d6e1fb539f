/* tun and tap: network devices whose wire is a program (Linux's Documentation/networking/tuntap.rst).  The file: tun_file.c.
 *
 * A program opens /dev/net/tun and names a device, which is made or, if it was left behind (TUNSETPERSIST), found again.  What the system sends by
 * the device the program reads, what the program writes has come in.  A tap carries Ethernet frames, a tun bare IP packets.
 *
 * Packets sent wait in a list, referenced and not copied, at most tx_queue_len of them; more are dropped, and so are all while no program is
 * attached.  A packet written is received in the writer's own context. */
#include <drivers/net/tun.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/random/random.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <mm/slab.h>

static struct tun *tun_of(struct netdev *dev) { return container_of(dev, struct tun, dev); }

/* --- the device */

static bool take(struct tun *tun, struct packet *p)
{
	bool ok;

	if (!(tun->flags & IFF_VNET_HDR) && (p->gso_size || !packet_sum(p)))
		return false;
	spin_lock(&tun->lock);
	ok = !tun->closed && tun->nr_queued < atomic_load(&tun->dev.tx_queue_len);
	if (ok) {
		list_add_tail(&p->link, &tun->queue);
		tun->nr_queued++;
	}
	spin_unlock(&tun->lock);
	return ok;
}

static void tun_transmit(struct netdev *dev, struct list_head *packets)
{
	struct tun *tun = tun_of(dev);

	while (!list_empty(packets)) {
		struct packet *p = list_first_entry(packets, struct packet, link);

		list_del(&p->link);
		if (!take(tun, p)) {
			netdev_count(dev, tx_dropped, 1);
			packet_put(p);
		}
	}
	wake_up_key(&tun->wq, (void *)(u64)(EPOLLIN | EPOLLRDNORM));
}

struct packet *tun_next(struct tun *tun)
{
	struct packet *p = NULL;

	spin_lock(&tun->lock);
	if (!list_empty(&tun->queue)) {
		p = list_first_entry(&tun->queue, struct packet, link);
		list_del(&p->link);
		tun->nr_queued--;
	}
	spin_unlock(&tun->lock);
	return p;
}

static void drop_queue(struct tun *tun)
{
	struct packet *p;

	while ((p = tun_next(tun)))
		packet_put(p);
}

static void set_closed(struct tun *tun, bool closed)
{
	spin_lock(&tun->lock);
	tun->closed = closed;
	spin_unlock(&tun->lock);
	if (closed)
		drop_queue(tun);
}

static void tun_stop(struct netdev *dev) { drop_queue(tun_of(dev)); }
static int tun_set_address(struct netdev *dev, const u8 *mac) { (void)dev; (void)mac; return 0; }
static void tun_set_filter(struct netdev *dev) { (void)dev; }	/* the program sees all, and need not be told */

static void tun_left(struct netdev *dev)
{
	set_closed(tun_of(dev), true);
	wake_up_key(&tun_of(dev)->wq, (void *)(u64)(EPOLLIN | EPOLLRDNORM | EPOLLERR));
}

static const struct netdev_ops tap_ops = { .stop = tun_stop, .set_address = tun_set_address, .set_filter = tun_set_filter, .transmit = tun_transmit,
					   .left = tun_left };
static const struct netdev_ops tun_ops = { .stop = tun_stop, .transmit = tun_transmit, .left = tun_left };

int tun_set_offloads(struct tun *tun, u32 offloads)
{
	u32 features = 0;

	if (offloads & ~(u32)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO))
		return -EINVAL;
	if (!(offloads & TUN_F_CSUM) && offloads)
		return -EINVAL;
	if (tun->flags & IFF_VNET_HDR)
		features = (offloads & TUN_F_CSUM ? NETDEV_CSUM : 0) | (offloads & TUN_F_TSO4 ? NETDEV_TSO4 : 0) |
			   (offloads & TUN_F_TSO6 ? NETDEV_TSO6 : 0);
	atomic_store(&tun->offloads, offloads);
	atomic_store(&tun->dev.features, features);
	return 0;
}

/* --- /sys */

static struct tun *of(void *object) { return tun_of(container_of((struct device *)object, struct netdev, device)); }
static int flags_show(struct seq *s, void *object) { seq_printf(s, "0x%x\n", of(object)->flags | (of(object)->persist ? IFF_PERSIST : 0)); return 0; }
static int owner_show(struct seq *s, void *object) { seq_printf(s, "%d\n", of(object)->owner); return 0; }
static int group_show(struct seq *s, void *object) { seq_printf(s, "%d\n", of(object)->group); return 0; }

static const struct attr attrs[] = {
	{ .name = "tun_flags", .show = flags_show }, { .name = "owner", .show = owner_show }, { .name = "group", .show = group_show }, { 0 },
};
static const struct attr_group group = { .attrs = attrs };
static const struct attr_group *const groups[] = { &group, NULL };

/* --- coming and going */

static void tun_release(struct netdev *dev) { kfree(tun_of(dev)); }

static void init_tun(struct tun *tun)
{
	struct netdev *dev = &tun->dev;

	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = ETH_MIN_MTU;
	dev->ops = &tun_ops;
}

static void init_tap(struct tun *tun)
{
	struct netdev *dev = &tun->dev;

	netdev_init_ethernet(dev, &tap_ops);
	random_bytes(dev->address, ETH_ALEN);
	dev->address[0] = (u8)((dev->address[0] & 0xfc) | 2);
	dev->address_kind = NETDEV_ADDRESS_RANDOM;
	memcpy(dev->permanent, dev->address, ETH_ALEN);
}

int tun_create(const char *name, u32 flags, struct tun **out)
{
	struct tun *tun;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	tun = kzalloc(sizeof(*tun), GFP_KERNEL);
	if (!tun)
		return -ENOMEM;
	if (flags & IFF_TAP)
		init_tap(tun);
	else
		init_tun(tun);
	strlcpy(tun->dev.name, *name ? name : flags & IFF_TAP ? "tap%d" : "tun%d", sizeof(tun->dev.name));
	tun->dev.name_kind = 3;		/* NET_NAME_USER, if the program chose all of it */
	tun->dev.max_mtu = 65535 - tun->dev.header_len;
	tun->dev.tx_queue_len = flags & IFF_TAP ? 1000 : TUN_READQ_SIZE;
	tun->dev.kind = "tun";
	tun->dev.groups = groups;
	tun->dev.release = tun_release;
	tun->dev.carrier = true;
	tun->flags = flags;
	tun->owner = tun->group = -1;
	tun->vnet_len = sizeof(struct virtio_net_hdr);
	tun->send_max = INT32_MAX;
	tun->attached = true;
	wait_queue_init(&tun->wq);
	spin_lock_init(&tun->lock, LC_NET_TX);
	list_init(&tun->queue);
	err = netdev_register(&tun->dev, NULL);
	if (err) {
		kfree(tun);
		return err;
	}
	netdev_get(&tun->dev);		/* the file's */
	*out = tun;
	return 0;
}

static bool may_attach(const struct tun *tun)
{
	if (capable(CAP_NET_ADMIN))
		return true;
	if (tun->owner < 0 && tun->group < 0)
		return false;
	return (tun->owner < 0 || current_cred()->euid == (u32)tun->owner) && (tun->group < 0 || cred_in_group(current_cred(), (u32)tun->group));
}

static int attach_locked(struct tun *tun, u32 flags)
{
	if (tun->dev.gone)
		return -ENODEV;
	if ((tun->flags ^ flags) & (IFF_TUN | IFF_TAP))
		return -EINVAL;
	if (!may_attach(tun))
		return -EPERM;
	if (tun->attached)
		return -EBUSY;
	tun->attached = true;
	tun->flags = flags;
	set_closed(tun, false);
	netdev_carrier_locked(&tun->dev, true);
	return 0;
}

int tun_attach(const char *name, u32 flags, struct tun **out)
{
	struct netdev *dev = *name ? netdev_by_name(name) : NULL;
	int err = -EINVAL;

	if (!dev)
		return -ENODEV;
	if (dev->release == tun_release) {
		mutex_lock(&net_config_lock);
		err = flags & IFF_TUN_EXCL ? -EBUSY : attach_locked(tun_of(dev), flags & ~(u32)IFF_TUN_EXCL);
		mutex_unlock(&net_config_lock);
	}
	if (err)
		netdev_put(dev);
	else
		*out = tun_of(dev);
	return err;
}

void tun_detach(struct tun *tun)
{
	bool goes;

	mutex_lock(&net_config_lock);
	goes = !tun->persist && !tun->dev.gone;
	set_closed(tun, true);
	if (goes) {
		netdev_unlink(&tun->dev);	/* before somebody deletes it */
	} else if (!tun->dev.gone) {
		tun->attached = false;
		netdev_carrier_locked(&tun->dev, false);
	}
	mutex_unlock(&net_config_lock);
	if (goes) {
		netdev_unlinked(&tun->dev);
		netdev_put(&tun->dev);		/* the creator's */
	}
	netdev_put(&tun->dev);
}
