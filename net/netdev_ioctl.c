/* ioctls on sockets about network devices (netdevice(7)): any socket takes them. */
#include <net/netdev_ioctl.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <net/netdev.h>
#include <net/socket.h>

BUILD_BUG_ON(sizeof(struct ifreq) != 40);

/* --- reading; nobody is kept out */

static void get_hardware(const struct netdev *dev, struct ifreq *r)
{
	memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
	r->ifr_hwaddr.sa_family = dev->type;
	memcpy(r->ifr_hwaddr.sa_data, dev->address, dev->address_len);
}

static long get_locked(struct netdev *dev, u32 cmd, struct ifreq *r)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)netdev_flags(dev);
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)dev->mtu;
		return 0;
	case SIOCGIFHWADDR:
		get_hardware(dev, r);
		return 0;
	case SIOCGIFMAP:
		memset(&r->ifr_map, 0, sizeof(r->ifr_map));
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)dev->index;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = (int)dev->tx_queue_len;
		return 0;
	}
	return -EINVAL;		/* SIOCGIFSLAVE */
}

static long get_name(struct ifreq *r)
{
	struct netdev *dev = netdev_by_index((u32)r->ifr_ifindex);

	if (!dev)
		return -ENODEV;
	memcpy(r->ifr_name, dev->name, IFNAMSIZ);
	netdev_put(dev);
	return 0;
}

/* --- changing; CAP_NET_ADMIN */

static long change_multicast(struct netdev *dev, u32 cmd, const struct ifreq *r)
{
	const u8 *address = (const u8 *)r->ifr_hwaddr.sa_data;

	if (r->ifr_hwaddr.sa_family != AF_UNSPEC || !dev->ops->set_filter)
		return -EINVAL;
	return cmd == SIOCADDMULTI ? netdev_multicast_add(dev, address) : netdev_multicast_del(dev, address);
}

static long set_locked(struct netdev *dev, u32 cmd, struct ifreq *r)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		return netdev_set_flags(dev, (u16)r->ifr_flags, 0xffff);
	case SIOCSIFMETRIC:
	case SIOCSIFMAP:
		return -EOPNOTSUPP;
	case SIOCSIFMTU:
		return r->ifr_mtu < 0 ? -EINVAL : netdev_set_mtu(dev, (u32)r->ifr_mtu);
	case SIOCSIFHWADDR:
		return r->ifr_hwaddr.sa_family != dev->type ? -EINVAL : netdev_set_address(dev, (const u8 *)r->ifr_hwaddr.sa_data);
	case SIOCSIFHWBROADCAST:
		if (r->ifr_hwaddr.sa_family != dev->type)
			return -EINVAL;
		memcpy(dev->broadcast, r->ifr_hwaddr.sa_data, dev->address_len);
		return 0;
	case SIOCSIFTXQLEN:
		return r->ifr_qlen < 0 ? -EINVAL : netdev_set_queue_len(dev, (u32)r->ifr_qlen);
	case SIOCSIFNAME:
		r->ifr_newname[IFNAMSIZ - 1] = 0;
		return netdev_set_name(dev, r->ifr_newname);
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return change_multicast(dev, cmd, r);
	}
	return -EINVAL;
}

/* One of the two on the device that r names; "eth0:1" is eth0. */
static long on_device(u32 cmd, struct ifreq *r, long (*fn)(struct netdev *dev, u32 cmd, struct ifreq *r))
{
	struct netdev *dev;
	char *colon;
	long err;

	r->ifr_name[IFNAMSIZ - 1] = 0;
	colon = strchr(r->ifr_name, ':');
	if (colon)
		*colon = 0;
	dev = netdev_by_name(r->ifr_name);
	if (colon)
		*colon = ':';
	if (!dev)
		return -ENODEV;
	mutex_lock(&net_config_lock);
	err = dev->gone ? -ENODEV : fn(dev, cmd, r);
	mutex_unlock(&net_config_lock);
	netdev_put(dev);
	return err;
}

/* --- SIOCGIFCONF */

struct ifconf_out { u64 to; s32 room, used; };

/* The addresses of one device, as many as have room; without a buffer they are only counted. */
static long device_addresses(struct netdev *dev, struct ifconf_out *out)
{
	for (const struct net_ioctls *a = __net_ioctls_start; a < __net_ioctls_end; a++) {
		struct ifreq r;

		for (u32 n = 0; a->ifconf; n++) {
			bool more;

			memset(&r, 0, sizeof(r));
			mutex_lock(&net_config_lock);
			more = a->ifconf(dev, n, &r);
			mutex_unlock(&net_config_lock);
			if (!more)
				break;
			if (out->to && out->room - out->used < (s32)sizeof(r))
				return 0;
			if (out->to && copy_to_user(user_ptr(out->to + (u64)out->used), &r, sizeof(r)))
				return -EFAULT;
			out->used += (s32)sizeof(r);
		}
	}
	return 0;
}

static long ifconf(u64 arg)
{
	struct { s32 len; u64 buf; } c;		/* struct ifconf */
	struct netdev *dev = NULL;
	struct ifconf_out out;
	long err = 0;

	if (copy_from_user(&c, user_ptr(arg), sizeof(c)))
		return -EFAULT;
	out = (struct ifconf_out){ c.buf, c.len, 0 };
	while (!err && (dev = netdev_next(dev)))
		err = device_addresses(dev, &out);
	if (err) {
		if (dev)
			netdev_put(dev);
		return err;
	}
	return put_user(out.used, (s32 __user *)user_ptr(arg));
}

/* --- the way in */

enum kind { NOT_OURS, GET, GET_NAME, SET, REFUSED };

static enum kind kind_of(u32 cmd)
{
	switch (cmd) {
	case SIOCGIFNAME:
		return GET_NAME;
	case SIOCGIFFLAGS: case SIOCGIFMETRIC: case SIOCGIFMTU: case SIOCGIFHWADDR: case SIOCGIFSLAVE: case SIOCGIFMAP: case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
		return GET;
	case SIOCSIFFLAGS: case SIOCSIFMETRIC: case SIOCSIFMTU: case SIOCSIFHWADDR: case SIOCSIFSLAVE: case SIOCSIFMAP: case SIOCSIFTXQLEN:
	case SIOCSIFHWBROADCAST: case SIOCSIFNAME: case SIOCADDMULTI: case SIOCDELMULTI:
		return SET;
	case SIOCETHTOOL: case SIOCGMIIPHY: case SIOCGMIIREG:
		return REFUSED;
	}
	return NOT_OURS;
}

static long refused(struct netdev *dev, u32 cmd, struct ifreq *r) { (void)dev; (void)cmd; (void)r; return -EOPNOTSUPP; }

long netdev_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	enum kind kind = kind_of(cmd);
	struct ifreq r;
	long err;

	(void)s;
	if (cmd == SIOCGIFCONF)
		return ifconf(arg);
	if (kind == NOT_OURS)
		return -ENOIOCTLCMD;
	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	if (kind == SET && !capable(CAP_NET_ADMIN))
		return -EPERM;
	err = kind == GET_NAME ? get_name(&r) : on_device(cmd, &r, kind == GET ? get_locked : kind == SET ? set_locked : refused);
	if (!err && kind != SET && copy_to_user(user_ptr(arg), &r, sizeof(r)))
		err = -EFAULT;
	return err;
}

long net_address_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	for (const struct net_ioctls *a = __net_ioctls_start; a < __net_ioctls_end; a++)
		if (a->ioctl) {
			long ret = a->ioctl(s, cmd, arg);

			if (ret != -ENOIOCTLCMD)
				return ret;
		}
	return -ENOIOCTLCMD;
}
