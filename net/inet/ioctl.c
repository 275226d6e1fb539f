/* ioctls about addresses, routes and neighbours, as ifconfig, route and arp use them (netdevice(7), arp(7)). */
#include <lwip/etharp.h>
#include <arch/uaccess.h>
#include <kernel/abi/socket.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sync/mutex.h>
#include <linux/capability.h>
#include <linux/if_arp.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/inet/address.h>
#include <net/inet/engine.h>
#include <net/inet/inet.h>
#include <net/inet/interface.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>
#include <net/netdev_ioctl.h>

/* --- addresses --------------------------------------------------------------------------------------------------------------------- */

static u32 sin_address(const struct sockaddr *sa) { return ((const struct sockaddr_in *)sa)->sin_addr.s_addr; }

static void put_sin(struct sockaddr *sa, u32 address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = address };

	memcpy(sa, &in, sizeof(*sa));
}

/* The interface that "eth0" or "eth0:1" names, or NULL. */
static struct interface *by_label(const struct netdev *dev, const char *label)
{
	for_each_interface(i)
		if (i->dev == dev && i->has_address && !strcmp(i->label, label))
			return i;
	return NULL;
}

static long get_address(struct netdev *dev, u32 cmd, struct ifreq *r)
{
	const struct interface *i = by_label(dev, r->ifr_name);

	if (!i)
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCGIFADDR: put_sin(&r->ifr_addr, i->address.addr); break;
	case SIOCGIFNETMASK: put_sin(&r->ifr_addr, lwip_htonl(prefix_mask4(i->prefix))); break;
	case SIOCGIFBRDADDR: put_sin(&r->ifr_addr, i->broadcast.addr); break;
	default: put_sin(&r->ifr_addr, i->peer.addr ? i->peer.addr : i->address.addr);
	}
	return 0;
}

static u8 class_prefix(u32 address)
{
	u32 a = lwip_ntohl(address);

	return !a ? 0 : !(a >> 31) ? 8 : (a >> 30) == 2 ? 16 : (a >> 29) == 6 ? 24 : 32;
}

static struct address4 copy_of(const struct interface *i)
{
	return (struct address4){ .address = i->address, .peer = i->peer, .broadcast = i->broadcast, .prefix = i->prefix, .scope = i->scope };
}

static u8 scope_of(u32 address)
{
	return (lwip_ntohl(address) >> 24) == 127 ? RT_SCOPE_HOST : (lwip_ntohl(address) >> 16) == 0xa9fe ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/* Linux's way: each of these takes the address away and puts a changed one there. */
static long set_address(struct netdev *dev, u32 cmd, const struct ifreq *r)
{
	struct interface *i = by_label(dev, r->ifr_name);
	struct address4 a = i ? copy_of(i) : (struct address4){ 0 };
	u32 v = sin_address(&r->ifr_addr), mask;

	a.label = r->ifr_name;
	if (cmd == SIOCSIFADDR) {
		if (r->ifr_addr.sa_family != AF_INET || class_prefix(v) == 32)
			return -EINVAL;
		if (i)
			(void)address_del4(dev, i->address, i->prefix);
		if (!v)
			return 0;
		a.address.addr = v;
		a.peer.addr = 0;
		a.prefix = dev->flags & IFF_LOOPBACK && class_prefix(v) != 8 ? 32 : class_prefix(v);
		a.broadcast.addr = (dev->flags & IFF_BROADCAST) && a.prefix < 31 ? v | lwip_htonl(~prefix_mask4(a.prefix)) : 0;
		a.scope = scope_of(v);
		return address_add4(dev, &a);
	}
	if (!i)
		return -EADDRNOTAVAIL;
	if (cmd == SIOCSIFNETMASK) {
		mask = lwip_ntohl(v);
		if (prefix_of_mask4(mask) < 0)
			return -EINVAL;
		if ((dev->flags & IFF_BROADCAST) && a.prefix < 31 && a.broadcast.addr == (a.address.addr | lwip_htonl(~prefix_mask4(a.prefix))))
			a.broadcast.addr = a.address.addr | ~v;
		a.prefix = (u8)prefix_of_mask4(mask);
	} else if (cmd == SIOCSIFBRDADDR) {
		a.broadcast.addr = v;
	} else {
		a.peer.addr = v == a.address.addr ? 0 : v;
		a.prefix = 32;
	}
	(void)address_del4(dev, i->address, i->prefix);
	return address_add4(dev, &a);
}

static long address_ioctl(u32 cmd, u64 arg)
{
	bool set = cmd == SIOCSIFADDR || cmd == SIOCSIFNETMASK || cmd == SIOCSIFBRDADDR || cmd == SIOCSIFDSTADDR;
	char name[IFNAMSIZ], *colon;
	struct netdev *dev;
	struct ifreq r;
	long err;

	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	if (set && !capable(CAP_NET_ADMIN))
		return -EPERM;
	strlcpy(name, r.ifr_name, sizeof(name));
	colon = strchr(name, ':');
	if (colon)
		*colon = 0;
	dev = netdev_by_name(name);
	if (!dev)
		return -ENODEV;
	mutex_lock(&net_config_lock);
	err = set ? set_address(dev, cmd, &r) : get_address(dev, cmd, &r);
	mutex_unlock(&net_config_lock);
	netdev_put(dev);
	return err || set ? err : copy_to_user(user_ptr(arg), &r, sizeof(r));
}

/* SIOCSIFFLAGS of "eth0:1" is about that address alone: without IFF_UP it goes.  -ENOIOCTLCMD: it is about a device. */
static long alias_flags(u64 arg)
{
	char name[IFNAMSIZ], *colon;
	struct netdev *dev;
	struct interface *i;
	struct ifreq r;
	long err = 0;

	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	strlcpy(name, r.ifr_name, sizeof(name));
	colon = strchr(name, ':');
	if (!colon)
		return -ENOIOCTLCMD;
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	*colon = 0;
	dev = netdev_by_name(name);
	if (!dev)
		return -ENODEV;
	mutex_lock(&net_config_lock);
	i = by_label(dev, r.ifr_name);
	if (!i)
		err = -EADDRNOTAVAIL;
	else if (!(r.ifr_flags & IFF_UP))
		err = address_del4(dev, i->address, i->prefix);
	mutex_unlock(&net_config_lock);
	netdev_put(dev);
	return err;
}

static long address6_ioctl(u32 cmd, u64 arg)
{
	struct in6_ifreq r;
	struct address6 a = { 0 };
	struct netdev *dev;
	long err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	dev = netdev_by_index((u32)r.ifr6_ifindex);
	if (!dev)
		return -ENODEV;
	memcpy(a.address.addr, &r.ifr6_addr, 16);
	a.prefix = (u8)min(r.ifr6_prefixlen, 255u);
	mutex_lock(&net_config_lock);
	err = cmd == SIOCSIFADDR ? address_add6(dev, &a) : address_del6(dev, &a.address, a.prefix);
	mutex_unlock(&net_config_lock);
	netdev_put(dev);
	return err;
}

/* SIOCGIFCONF asks for one after the other. */
static bool ifconf(struct netdev *dev, u32 n, struct ifreq *out)
{
	for_each_interface(i)
		if (i->dev == dev && i->has_address && !n--) {
			strlcpy(out->ifr_name, i->label, sizeof(out->ifr_name));
			put_sin(&out->ifr_addr, i->address.addr);
			return true;
		}
	return false;
}

/* --- routes ------------------------------------------------------------------------------------------------------------------------ */

static struct netdev *device_of_gateway(u32 gateway)
{
	struct route_answer a;
	ip_addr_t to;
	struct netdev *dev = NULL;

	ip_addr_set_ip4_u32(&to, gateway);
	net_core_lock();
	if (!route_lookup(&to, NULL, 0, &a) && a.route && !a.route->has_gateway)
		dev = a.i->dev;
	if (dev)
		netdev_get(dev);
	net_core_unlock();
	return dev;
}

static long route4_ioctl(u32 cmd, u64 arg)
{
	char name[IFNAMSIZ] = "", *colon;
	struct route r = { .family = AF_INET, .type = RTN_UNICAST, .table = RT_TABLE_MAIN, .protocol = RTPROT_BOOT };
	struct rtentry e;
	int bits;
	long err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&e, user_ptr(arg), sizeof(e)))
		return -EFAULT;
	if (e.rt_dst.sa_family != AF_INET)
		return -EAFNOSUPPORT;
	bits = e.rt_flags & RTF_HOST ? 32 : prefix_of_mask4(lwip_ntohl(sin_address(&e.rt_genmask)));
	r.dest[0] = sin_address(&e.rt_dst);
	if (bits < 0 || (r.dest[0] & ~lwip_htonl(prefix_mask4((u32)bits))))
		return -EINVAL;
	r.prefix = (u8)bits;
	r.metric = e.rt_metric > 0 ? (u32)e.rt_metric - 1 : 0;
	r.has_gateway = (e.rt_flags & RTF_GATEWAY) && e.rt_gateway.sa_family == AF_INET && sin_address(&e.rt_gateway);
	r.gateway[0] = r.has_gateway ? sin_address(&e.rt_gateway) : 0;
	r.scope = r.has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (e.rt_flags & RTF_REJECT)
		r.type = RTN_UNREACHABLE;
	if (e.rt_dev) {
		if (copy_from_user(name, (const char __user *)user_ptr((u64)e.rt_dev), sizeof(name) - 1))
			return -EFAULT;
		colon = strchr(name, ':');
		if (colon)
			*colon = 0;
		r.dev = netdev_by_name(name);
		if (!r.dev)
			return -ENODEV;
	} else if (r.has_gateway && cmd == SIOCADDRT) {
		r.dev = device_of_gateway(r.gateway[0]);
		if (!r.dev)
			return -ENETUNREACH;
	}
	mutex_lock(&net_config_lock);
	if (cmd == SIOCDELRT) {
		r.protocol = r.type = 0;
		err = route_del(&r);
	} else if (r.type == RTN_UNICAST && !r.dev) {
		err = -ENODEV;
	} else if (r.dev && !(r.dev->flags & IFF_UP)) {
		err = -ENETDOWN;
	} else {
		err = route_add(&r, true, false, false);
	}
	mutex_unlock(&net_config_lock);
	if (r.dev)
		netdev_put(r.dev);
	return err;
}

static long route6_ioctl(u32 cmd, u64 arg)
{
	struct route r = { .family = AF_INET6, .type = RTN_UNICAST, .table = RT_TABLE_MAIN, .protocol = RTPROT_BOOT };
	struct in6_rtmsg e;
	long err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&e, user_ptr(arg), sizeof(e)))
		return -EFAULT;
	if (e.rtmsg_dst_len > 128)
		return -EINVAL;
	memcpy(r.dest, &e.rtmsg_dst, 16);
	memcpy(r.gateway, &e.rtmsg_gateway, 16);
	r.prefix = (u8)e.rtmsg_dst_len;
	r.metric = e.rtmsg_metric ? e.rtmsg_metric : cmd == SIOCADDRT ? 1024 : 0;
	r.has_gateway = e.rtmsg_flags & RTF_GATEWAY;
	if (e.rtmsg_ifindex) {
		r.dev = netdev_by_index((u32)e.rtmsg_ifindex);
		if (!r.dev)
			return -ENODEV;
	}
	mutex_lock(&net_config_lock);
	if (cmd == SIOCDELRT) {
		r.protocol = r.type = 0;
		err = route_del(&r);
	} else {
		err = r.dev ? route_add(&r, true, false, false) : -ENODEV;
	}
	mutex_unlock(&net_config_lock);
	if (r.dev)
		netdev_put(r.dev);
	return err;
}

/* --- neighbours -------------------------------------------------------------------------------------------------------------------- */

static long arp_ioctl(u32 cmd, u64 arg)
{
	struct arpreq r;
	struct netdev *dev = NULL;
	struct eth_addr mac;
	ip4_addr_t ip;
	u32 flags = 0;
	long err;

	if (cmd != SIOCGARP && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	if (r.arp_pa.sa_family != AF_INET)
		return -EPFNOSUPPORT;
	ip.addr = sin_address(&r.arp_pa);
	r.arp_dev[sizeof(r.arp_dev) - 1] = 0;
	if (r.arp_dev[0]) {
		dev = netdev_by_name(r.arp_dev);
		if (!dev)
			return -ENODEV;
	} else {
		dev = device_of_gateway(ip.addr);
	}
	if (!dev)
		return -ENXIO;
	memcpy(mac.addr, r.arp_ha.sa_data, sizeof(mac.addr));
	net_core_lock();
	if (cmd == SIOCGARP)
		err = neighbour_get4(dev, ip, &mac, &flags);
	else
		err = cmd == SIOCSARP ? neighbour_set4(dev, ip, &mac, r.arp_flags & ATF_PERM) : neighbour_del4(dev, ip);
	net_core_unlock();
	if (cmd == SIOCGARP && !err) {
		memset(&r.arp_ha, 0, sizeof(r.arp_ha));
		r.arp_ha.sa_family = ARPHRD_ETHER;
		memcpy(r.arp_ha.sa_data, mac.addr, sizeof(mac.addr));
		r.arp_flags = (int)flags;
		strlcpy(r.arp_dev, dev->name, sizeof(r.arp_dev));
		err = copy_to_user(user_ptr(arg), &r, sizeof(r));
	}
	netdev_put(dev);
	return err;
}

static long ioctl4(u32 cmd, u64 arg)
{
	switch (cmd) {
	case SIOCGIFADDR: case SIOCGIFNETMASK: case SIOCGIFBRDADDR: case SIOCGIFDSTADDR:
	case SIOCSIFADDR: case SIOCSIFNETMASK: case SIOCSIFBRDADDR: case SIOCSIFDSTADDR:
		return address_ioctl(cmd, arg);
	case SIOCSIFFLAGS:
		return alias_flags(arg);
	case SIOCADDRT: case SIOCDELRT:
		return route4_ioctl(cmd, arg);
	case SIOCGARP: case SIOCSARP: case SIOCDARP:
		return arp_ioctl(cmd, arg);
	default:
		return -ENOIOCTLCMD;
	}
}

long inet_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	if (s->family == AF_INET6 && (cmd == SIOCSIFADDR || cmd == SIOCDIFADDR))
		return address6_ioctl(cmd, arg);
	if (s->family == AF_INET6 && (cmd == SIOCADDRT || cmd == SIOCDELRT))
		return route6_ioctl(cmd, arg);
	return ioctl4(cmd, arg);
}

static long other_socket(struct socket *s, u32 cmd, u64 arg)
{
	(void)s;
	return ioctl4(cmd, arg);
}
NET_IOCTLS(inet, .ifconf = ifconf, .ioctl = other_socket);
