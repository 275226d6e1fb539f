/* /sys/class/net/NAME, as Linux has it. */
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <net/netdev_internal.h>

static struct netdev *of(void *object) { return container_of((struct device *)object, struct netdev, device); }

/* --- numbers and words */

#define SHOW(field, fmt, value) \
	static int field##_show(struct seq *s, void *object) { struct netdev *dev = of(object); seq_printf(s, fmt "\n", value); return 0; }

SHOW(addr_assign_type, "%u", dev->address_kind)
SHOW(addr_len, "%u", dev->address_len)
SHOW(carrier_changes, "%u", READ_ONCE(dev->carrier_ups) + READ_ONCE(dev->carrier_downs))
SHOW(carrier_up_count, "%u", READ_ONCE(dev->carrier_ups))
SHOW(carrier_down_count, "%u", READ_ONCE(dev->carrier_downs))
SHOW(flags, "0x%x", atomic_load(&dev->flags))
SHOW(ifindex, "%u", dev->index)
SHOW(mtu, "%u", atomic_load(&dev->mtu))
SHOW(tx_queue_len, "%u", atomic_load(&dev->tx_queue_len))
SHOW(type, "%u", dev->type)

static int zero_show(struct seq *s, void *object) { (void)object; seq_puts(s, "0\n"); return 0; }
static int hex_zero_show(struct seq *s, void *object) { (void)object; seq_puts(s, "0x0\n"); return 0; }

static int bytes_show(struct seq *s, const struct netdev *dev, const u8 *bytes)
{
	for (u32 i = 0; i < dev->address_len; i++)
		seq_printf(s, "%s%02x", i ? ":" : "", READ_ONCE(bytes[i]));
	seq_putc(s, '\n');
	return 0;
}

static int address_show(struct seq *s, void *object) { return bytes_show(s, of(object), of(object)->address); }
static int broadcast_show(struct seq *s, void *object) { return bytes_show(s, of(object), of(object)->broadcast); }

static int operstate_show(struct seq *s, void *object)
{
	static const char *const names[] = { "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up" };

	seq_printf(s, "%s\n", names[netdev_operstate(of(object))]);
	return 0;
}

/* What only a device that is up knows. */
static int if_up(void *object) { return atomic_load(&of(object)->flags) & IFF_UP ? 0 : -EINVAL; }

static int carrier_show(struct seq *s, void *object)
{
	int err = if_up(object);

	if (!err)
		seq_printf(s, "%u\n", atomic_load(&of(object)->carrier));
	return err;
}

static int dormant_show(struct seq *s, void *object) { return if_up(object) ?: zero_show(s, object); }

/* Nobody here knows how fast the wire is; a loop has no speed at all. */
static int speed_show(struct seq *s, void *object)
{
	int err = of(object)->type == 1 ? if_up(object) : -EINVAL;

	if (!err)
		seq_puts(s, "-1\n");
	return err;
}

static int duplex_show(struct seq *s, void *object)
{
	int err = of(object)->type == 1 ? if_up(object) : -EINVAL;

	if (!err)
		seq_puts(s, "unknown\n");
	return err;
}

static int name_assign_show(struct seq *s, void *object)
{
	struct netdev *dev = of(object);

	if (!dev->name_kind)
		return -EINVAL;
	seq_printf(s, "%u\n", dev->name_kind);
	return 0;
}

static int nothing_show(struct seq *s, void *object) { (void)s; (void)object; return 0; }

/* --- what can be stored */

static int number_store(void *object, const char *buf, int (*set)(struct netdev *dev, u32 value))
{
	struct netdev *dev = of(object);
	u64 value;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	err = kstrtou64(buf, 0, &value);
	if (err || value > ~0u)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	err = dev->gone ? -ENODEV : set(dev, (u32)value);
	mutex_unlock(&net_config_lock);
	return err;
}

static int set_plain_flags(struct netdev *dev, u32 flags) { return netdev_set_flags(dev, flags, ~0u); }
static int set_carrier(struct netdev *dev, u32 on) { (void)dev; (void)on; return -EOPNOTSUPP; }
static int mtu_store(void *object, const char *buf, size_t len) { (void)len; return number_store(object, buf, netdev_set_mtu); }
static int queue_len_store(void *object, const char *buf, size_t len) { (void)len; return number_store(object, buf, netdev_set_queue_len); }
static int flags_store(void *object, const char *buf, size_t len) { (void)len; return number_store(object, buf, set_plain_flags); }
static int carrier_store(void *object, const char *buf, size_t len) { (void)len; return number_store(object, buf, set_carrier); }

static const struct attr attrs[] = {
	{ .name = "addr_assign_type", .show = addr_assign_type_show }, { .name = "addr_len", .show = addr_len_show },
	{ .name = "address", .show = address_show }, { .name = "broadcast", .show = broadcast_show },
	{ .name = "carrier", .show = carrier_show, .store = carrier_store }, { .name = "carrier_changes", .show = carrier_changes_show },
	{ .name = "carrier_down_count", .show = carrier_down_count_show }, { .name = "carrier_up_count", .show = carrier_up_count_show },
	{ .name = "dev_id", .show = hex_zero_show }, { .name = "dev_port", .show = zero_show }, { .name = "dormant", .show = dormant_show },
	{ .name = "duplex", .show = duplex_show }, { .name = "flags", .show = flags_show, .store = flags_store },
	{ .name = "ifalias", .show = nothing_show }, { .name = "ifindex", .show = ifindex_show }, { .name = "iflink", .show = ifindex_show },
	{ .name = "link_mode", .show = zero_show }, { .name = "mtu", .show = mtu_show, .store = mtu_store },
	{ .name = "name_assign_type", .show = name_assign_show }, { .name = "netdev_group", .show = zero_show },
	{ .name = "operstate", .show = operstate_show }, { .name = "speed", .show = speed_show }, { .name = "testing", .show = zero_show },
	{ .name = "tx_queue_len", .show = tx_queue_len_show, .store = queue_len_store }, { .name = "type", .show = type_show }, { 0 },
};

/* --- statistics */

static int count_show(struct seq *s, void *object, size_t off)
{
	struct netdev_stats sum;

	netdev_stats(of(object), &sum);
	seq_printf(s, "%lu\n", off == ~0ul ? 0 : *(u64 *)((char *)&sum + off));
	return 0;
}

#define COUNT(name, field) static int name##_show(struct seq *s, void *object) { return count_show(s, object, offsetof(struct netdev_stats, field)); }
COUNT(collisions, collisions)
COUNT(multicast, multicast)
COUNT(rx_bytes, rx_bytes)
COUNT(rx_dropped, rx_dropped)
COUNT(rx_errors, rx_errors)
COUNT(rx_frame_errors, rx_frame)
COUNT(rx_over_errors, rx_over)
COUNT(rx_packets, rx_packets)
COUNT(tx_bytes, tx_bytes)
COUNT(tx_carrier_errors, tx_carrier)
COUNT(tx_dropped, tx_dropped)
COUNT(tx_errors, tx_errors)
COUNT(tx_fifo_errors, tx_fifo)
COUNT(tx_packets, tx_packets)

#define LINE(name_) { .name = #name_, .show = name_##_show }
#define NEVER(name_) { .name = #name_, .show = zero_show }
static const struct attr count_attrs[] = {
	LINE(collisions), LINE(multicast), LINE(rx_bytes), NEVER(rx_compressed), NEVER(rx_crc_errors), LINE(rx_dropped), LINE(rx_errors),
	NEVER(rx_fifo_errors), LINE(rx_frame_errors), NEVER(rx_length_errors), NEVER(rx_missed_errors), NEVER(rx_nohandler),
	LINE(rx_over_errors), LINE(rx_packets), NEVER(tx_aborted_errors), LINE(tx_bytes), LINE(tx_carrier_errors), NEVER(tx_compressed),
	LINE(tx_dropped), LINE(tx_errors), LINE(tx_fifo_errors), NEVER(tx_heartbeat_errors), LINE(tx_packets), NEVER(tx_window_errors), { 0 },
};

static const struct attr_group group = { .attrs = attrs }, counts = { .name = "statistics", .attrs = count_attrs };
static const struct attr_group *const groups[] = { &group, &counts, NULL };

static void class_uevent(const struct device *d, struct seq *s)
{
	const struct netdev *dev = container_of(d, struct netdev, device);

	seq_printf(s, "INTERFACE=%s\nIFINDEX=%u\n", device_name(d), dev->index);
}

struct device_class net_class = { .name = "net", .uevent = class_uevent, .dev_groups = groups };
CLASS(net_class);

void netdev_device_init(struct netdev *dev, struct device *parent, void (*release)(struct device *d))
{
	device_init(&dev->device);
	device_set_name(&dev->device, "%s", dev->name);
	dev->device.class = &net_class;
	dev->device.parent = parent;
	dev->device.groups = dev->groups;
	dev->device.release = release;
}
