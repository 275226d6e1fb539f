/* ip= on the command line: the network is configured before the root is mounted, as on Linux (Documentation/admin-guide/nfs/nfsroot.rst).
 *
 *   ip=dhcp (on, any, both)						the first device that a server answers on
 *   ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1	each may be empty; with a client's address nobody is asked
 *   ip=off, ip=none								nothing, which is also what no ip= means
 *
 * lo is brought up with it.  What was learnt stands in /proc/net/pnp, in resolv.conf's format.  Without the word nothing here runs. */
#include <lwip/def.h>
#include <lwip/ip4_addr.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <linux/rtnetlink.h>
#include <net/inet/address.h>
#include <net/inet/dhcp.h>
#include <net/inet/route.h>
#include <net/netdev.h>

enum field { CLIENT, SERVER, GATEWAY, NETMASK, HOSTNAME, DEVICE, AUTOCONF, DNS0, DNS1, NR_FIELDS };

static struct {
	bool wanted, dhcp, refused, done;
	char device[IFNAMSIZ];
	struct dhcp_lease lease;	/* what was told, or learnt */
} config;

static u32 address_of(const char *s)
{
	ip4_addr_t a;

	return *s && ip4addr_aton(s, &a) ? a.addr : 0;
}

static bool is_dhcp(const char *s)
{
	return !strcmp(s, "dhcp") || !strcmp(s, "on") || !strcmp(s, "any") || !strcmp(s, "both");
}

static bool is_off(const char *s)
{
	return !strcmp(s, "off") || !strcmp(s, "none");
}

static void param_ip(const char *value)
{
	char text[256], *at = text, *field[NR_FIELDS];

	if (!value || !*value || is_off(value))
		return;
	config.wanted = true;
	if (is_dhcp(value)) {
		config.dhcp = true;
		return;
	}
	strlcpy(text, value, sizeof(text));
	for (u32 k = 0; k < NR_FIELDS; k++) {
		field[k] = at;
		while (*at && *at != ':')
			at++;
		if (*at)
			*at++ = 0;
	}
	config.lease = (struct dhcp_lease){ .address = address_of(field[CLIENT]), .server = address_of(field[SERVER]), .gateway = address_of(field[GATEWAY]),
					    .mask = address_of(field[NETMASK]), .dns = { address_of(field[DNS0]), address_of(field[DNS1]) } };
	strlcpy(config.lease.host, field[HOSTNAME], sizeof(config.lease.host));
	strlcpy(config.device, field[DEVICE], sizeof(config.device));
	config.dhcp = !config.lease.address && (is_dhcp(field[AUTOCONF]) || !*field[AUTOCONF]);
	/* bootp, rarp, or a word that means nothing: said below, when there is somebody to hear it */
	config.refused = !config.lease.address && !config.dhcp;
}
BOOT_PARAM("ip", param_ip);

static int up(struct netdev *dev)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_set_flags(dev, IFF_UP, IFF_UP);
	mutex_unlock(&net_config_lock);
	return err;
}

/* Nobody said: as the classes of old have it. */
static u32 mask_of_class(u32 address)
{
	u8 first = (u8)(lwip_ntohl(address) >> 24);

	return lwip_htonl(first < 128 ? 0xff000000 : first < 192 ? 0xffff0000 : 0xffffff00);
}

static int apply(struct netdev *dev, struct dhcp_lease *l)
{
	struct address4 a = { .scope = RT_SCOPE_UNIVERSE };
	struct route r = { .family = AF_INET, .protocol = RTPROT_BOOT, .scope = RT_SCOPE_UNIVERSE, .type = RTN_UNICAST, .table = RT_TABLE_MAIN, .dev = dev,
			   .has_gateway = true };
	int err, prefix;

	if (!l->mask)
		l->mask = mask_of_class(l->address);
	prefix = prefix_of_mask4(lwip_ntohl(l->mask));
	if (prefix < 0)
		return -EINVAL;
	a.address.addr = l->address;
	a.prefix = (u8)prefix;
	a.broadcast.addr = prefix < 31 ? l->address | ~l->mask : 0;
	r.gateway[0] = l->gateway;
	mutex_lock(&net_config_lock);
	err = address_add4(dev, &a);
	if (!err && l->gateway)
		err = route_add(&r, true, false, false);
	mutex_unlock(&net_config_lock);
	return err;
}

/* The device named, or each that is no loopback, until one has an address.  Referenced. */
static int configure(struct netdev **out)
{
	struct netdev *dev = NULL;
	int err = -ENODEV;

	while ((dev = netdev_next(dev))) {
		if ((dev->flags & IFF_LOOPBACK) || (*config.device && strcmp(dev->name, config.device)))
			continue;
		err = up(dev);
		if (!err && config.dhcp)
			err = dhcp_ask(dev, &config.lease);
		if (!err)
			err = apply(dev, &config.lease);
		if (!err)
			break;
		pr_warn("IP-Config: %s: no address, error %d\n", dev->name, err);
	}
	*out = dev;
	return err;
}

static void say_address(const char *what, u32 a)
{
	const u8 *b = (const u8 *)&a;

	if (a)
		pr_info("     %s=%u.%u.%u.%u\n", what, b[0], b[1], b[2], b[3]);
}

static int ip_config(void)
{
	const struct dhcp_lease *l = &config.lease;
	struct netdev *dev;

	if (!config.wanted)
		return 0;
	if (loopback_dev)
		(void)up(loopback_dev);
	if (config.refused) {
		pr_warn("IP-Config: ip= names no address, and only dhcp can be asked for one\n");
		return 0;
	}
	if (configure(&dev)) {
		pr_warn("IP-Config: no network device could be configured\n");
		return 0;
	}
	pr_info("IP-Config: Complete: device=%s\n", dev->name);
	say_address("ipaddr", l->address);
	say_address("mask", l->mask);
	say_address("gw", l->gateway);
	say_address("bootserver", l->server);
	say_address("nameserver0", l->dns[0]);
	netdev_put(dev);
	if (*l->host)
		set_hostname(l->host);
	config.done = true;
	return 0;
}
BOOT_INIT(late, ip_config);

static int pnp_show(struct seq *s, void *arg)
{
	const struct dhcp_lease *l = &config.lease;

	(void)arg;
	if (!config.done)
		return 0;
	seq_printf(s, "#%s\n", config.dhcp ? "PROTO: DHCP" : "MANUAL");
	if (*l->domain)
		seq_printf(s, "domain %s\n", l->domain);
	for (u32 k = 0; k < ARRAY_SIZE(l->dns); k++) {
		const u8 *b = (const u8 *)&l->dns[k];

		if (l->dns[k])
			seq_printf(s, "nameserver %u.%u.%u.%u\n", b[0], b[1], b[2], b[3]);
	}
	if (l->server) {
		const u8 *b = (const u8 *)&l->server;

		seq_printf(s, "bootserver %u.%u.%u.%u\n", b[0], b[1], b[2], b[3]);
	}
	return 0;
}
PROC_FILE(net_pnp, .path = "net/pnp", .mode = 0444, .show = pnp_show);
