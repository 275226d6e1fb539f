/* Packets, the registry of network devices, lo, and virtio network devices against QEMU's user network (which answers ARP for 10.0.2.2). */
#include <drivers/virtio/virtio.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <mm/slab.h>
#include <net/netdev.h>
#include <tests/kernel/runner.h>

/* --- packets */

static u32 nr_freed;
static void count_free(struct packet *p) { nr_freed++; kfree(p); }

static struct packet *packet_of(u8 *bytes, const u32 *lens, u32 n)
{
	struct packet *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	packet_init(p, count_free, NULL);
	for (u32 i = 0; i < n; bytes += lens[i], i++)
		packet_add(p, bytes, lens[i]);
	return p;
}

KTEST(packet, pieces)
{
	static u8 bytes[100];
	static const u32 lens[] = { 3, 0, 50, 47 };
	u8 buf[100];
	struct packet *p;

	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	p = packet_of(bytes, lens, ARRAY_SIZE(lens));
	EXPECT(p && p->len == 100);
	EXPECT_EQ(packet_copy(p, 0, buf, 100), 100);
	EXPECT(!memcmp(buf, bytes, 100));
	EXPECT_EQ(packet_copy(p, 51, buf, 100), 49);
	EXPECT(!memcmp(buf, bytes + 51, 49));
	EXPECT_EQ(packet_copy(p, 100, buf, 1), 0);
	EXPECT(packet_header(p, 1, 2, buf) == bytes + 1);
	EXPECT(packet_header(p, 1, 4, buf) == buf && !memcmp(buf, bytes + 1, 4));
	EXPECT(!packet_header(p, 98, 3, buf));
	packet_trim(p, 10);
	EXPECT(p->len == 10 && p->piece[0].len == 3 && p->piece[2].len == 7 && p->piece[3].len == 0);
	packet_get(p);
	packet_put(p);
	EXPECT_EQ(nr_freed, 0);
	packet_put(p);
	EXPECT_EQ(nr_freed, 1);
	nr_freed = 0;
}

static u16 plain_sum(const u8 *at, u32 len)
{
	u32 sum = 0;

	for (u32 i = 0; i + 1 < len; i += 2)
		sum += (u32)at[i] << 8 | at[i + 1];
	if (len & 1)
		sum += (u32)at[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

KTEST(packet, sum)
{
	static u8 bytes[64];

	for (u32 cut = 1; cut < 40; cut++) {
		const u32 lens[] = { cut, 7, (u32)sizeof(bytes) - cut - 7 };
		struct packet *p;
		u16 want;

		for (u32 i = 0; i < sizeof(bytes); i++)
			bytes[i] = (u8)(i * 37 + cut);
		bytes[20] = bytes[21] = 0;
		want = plain_sum(bytes + 10, sizeof(bytes) - 10);
		p = packet_of(bytes, lens, 3);
		EXPECT(p);
		p->checksum = PACKET_SUM_PARTIAL;
		p->csum_start = 10;
		p->csum_offset = 10;
		EXPECT(packet_sum(p));
		EXPECT_EQ((u32)bytes[20] << 8 | bytes[21], want);
		p->checksum = PACKET_SUM_PARTIAL;
		p->csum_offset = 54;
		EXPECT(!packet_sum(p));
		packet_put(p);
	}
	nr_freed = 0;
}

/* --- devices */

static struct { struct netdev dev; u32 opened, stopped, sent, filters, released; int open_error; } fake;
static u32 seen[NETDEV_ANNOUNCE + 1];

static int fake_open(struct netdev *dev) { (void)dev; fake.opened++; return fake.open_error; }
static void fake_stop(struct netdev *dev) { (void)dev; fake.stopped++; }
static void fake_filter(struct netdev *dev) { (void)dev; fake.filters++; }
static int fake_address(struct netdev *dev, const u8 *mac) { (void)dev; (void)mac; return 0; }
static void fake_released(struct netdev *dev) { (void)dev; fake.released++; }

static void fake_transmit(struct netdev *dev, struct list_head *packets)
{
	struct packet *p;

	(void)dev;
	list_for_each_entry(p, packets, link)
		fake.sent++;
	packet_list_put(packets);
}

static const struct netdev_ops fake_ops = {
	.open = fake_open, .stop = fake_stop, .set_filter = fake_filter, .set_address = fake_address, .transmit = fake_transmit,
};

static void listen(struct netdev *dev, enum netdev_event e)
{
	if (dev == &fake.dev)
		seen[e]++;
}
NETDEV_LISTENER(ktest, .event = listen);

static int fake_register(const char *name)
{
	memset(&fake, 0, sizeof(fake));
	memset(seen, 0, sizeof(seen));
	netdev_init_ethernet(&fake.dev, &fake_ops);
	strlcpy(fake.dev.name, name, sizeof(fake.dev.name));
	fake.dev.release = fake_released;
	return netdev_register(&fake.dev, NULL);
}

static bool fake_gone(void)
{
	netdev_unregister(&fake.dev);
	netdev_put(&fake.dev);
	rcu_barrier();
	return fake.released == 1;
}

KTEST(netdev, names)
{
	struct netdev *lo = netdev_by_name("lo"), *dev;

	EXPECT(lo && lo->index == 1 && lo == netdev_by_index(1));
	netdev_put(lo);
	netdev_put(lo);
	EXPECT_EQ(fake_register("lo"), -EEXIST);
	EXPECT_EQ(fake_register("a/b"), -EINVAL);
	EXPECT_EQ(fake_register("%d%d"), -EINVAL);
	EXPECT_EQ(fake_register("a%s"), -EINVAL);
	EXPECT_EQ(fake_register("name of sixteen."), -EINVAL);
	EXPECT_EQ(fake_register("kt%d"), 0);
	EXPECT(!strcmp(fake.dev.name, "kt0") && fake.dev.index > 1 && seen[NETDEV_REGISTERED] == 1);
	dev = netdev_by_name("kt0");
	mutex_lock(&net_config_lock);
	EXPECT_EQ(netdev_set_name(dev, "lo"), -EEXIST);
	EXPECT_EQ(netdev_set_name(dev, "x y"), -EINVAL);
	EXPECT_EQ(netdev_set_name(dev, "other"), 0);
	mutex_unlock(&net_config_lock);
	EXPECT(!netdev_by_name("kt0") && !strcmp(device_name(&dev->device), "other") && seen[NETDEV_NAME] == 1);
	netdev_put(dev);
	EXPECT(fake_gone());
	EXPECT(!netdev_by_index(fake.dev.index) && seen[NETDEV_UNREGISTERED] == 1);
}

KTEST(netdev, up_and_down)
{
	struct netdev *dev = &fake.dev;
	struct packet *p;
	LIST_HEAD(list);

	EXPECT_EQ(fake_register("kt%d"), 0);
	mutex_lock(&net_config_lock);
	fake.open_error = -EIO;
	EXPECT_EQ(netdev_set_flags(dev, IFF_UP, IFF_UP), -EIO);
	fake.open_error = 0;
	EXPECT(!(dev->flags & IFF_UP) && !seen[NETDEV_UP]);
	EXPECT_EQ(netdev_set_flags(dev, IFF_UP, IFF_UP), 0);
	EXPECT_EQ(netdev_set_name(dev, "other"), -EBUSY);
	EXPECT((netdev_flags(dev) & (IFF_UP | IFF_RUNNING)) == IFF_UP && netdev_operstate(dev) == IF_OPER_DOWN);
	netdev_carrier_locked(dev, true);
	EXPECT((netdev_flags(dev) & IFF_RUNNING) && netdev_operstate(dev) == IF_OPER_UP && seen[NETDEV_CARRIER] == 1);
	mutex_unlock(&net_config_lock);
	p = packet_alloc(60);
	packet_set_len(p, 60);
	list_add(&p->link, &list);
	netdev_transmit(dev, &list);
	EXPECT(fake.sent == 1 && list_empty(&list));
	mutex_lock(&net_config_lock);
	EXPECT_EQ(netdev_set_mtu(dev, 10), -EINVAL);
	EXPECT_EQ(netdev_set_mtu(dev, 9000), -EINVAL);
	EXPECT_EQ(netdev_set_mtu(dev, 1400), 0);
	EXPECT_EQ(netdev_set_address(dev, (const u8 *)"\1\2\3\4\5\6"), -EADDRNOTAVAIL);
	EXPECT_EQ(netdev_set_address(dev, (const u8 *)"\2\2\3\4\5\6"), 0);
	mutex_unlock(&net_config_lock);
	EXPECT(fake_gone());
	EXPECT(fake.opened == 2 && fake.stopped == 1 && seen[NETDEV_GOING_DOWN] == 1 && seen[NETDEV_DOWN] == 1 && seen[NETDEV_MTU] == 1);
}

KTEST(netdev, filters)
{
	static const u8 group[] = { 1, 0, 0x5e, 0, 0, 1 };
	struct netdev *dev = &fake.dev;
	u32 was;

	EXPECT_EQ(fake_register("kt%d"), 0);
	mutex_lock(&net_config_lock);
	EXPECT_EQ(netdev_set_flags(dev, IFF_UP, IFF_UP), 0);
	was = fake.filters;		/* the protocols may want something of it too */
	EXPECT(was >= 1);
	EXPECT_EQ(netdev_multicast_add(dev, group), 0);
	EXPECT_EQ(netdev_multicast_add(dev, group), 0);
	EXPECT_EQ(fake.filters - was, 1);
	EXPECT_EQ(netdev_multicast_del(dev, group), 0);
	EXPECT_EQ(fake.filters - was, 1);
	EXPECT_EQ(netdev_multicast_del(dev, group), 0);
	EXPECT_EQ(netdev_multicast_del(dev, group), -ENOENT);
	EXPECT_EQ(fake.filters - was, 2);
	netdev_promiscuity(dev, 1);
	EXPECT_EQ(netdev_set_flags(dev, IFF_PROMISC, IFF_PROMISC), 0);
	EXPECT((netdev_flags(dev) & IFF_PROMISC) && dev->promiscuity == 2 && fake.filters - was == 3);
	EXPECT_EQ(netdev_set_flags(dev, 0, IFF_PROMISC), 0);
	EXPECT(!(netdev_flags(dev) & IFF_PROMISC) && (dev->flags & IFF_PROMISC) && fake.filters - was == 3);
	netdev_promiscuity(dev, -1);
	EXPECT(!(dev->flags & IFF_PROMISC) && fake.filters - was == 4);
	EXPECT_EQ(netdev_multicast_add(dev, group), 0);	/* and goes with the device */
	mutex_unlock(&net_config_lock);
	EXPECT(fake_gone());
}

/* --- what comes in */

/* Answers to our questions, our questions, and everything that leaves: a device that is up may be asked to send what IPv6 has to tell a network. */
static struct { struct netdev *dev; u32 came, questions, sent; u8 sender[ETH_ALEN]; struct wait_queue wq; } tap;

static void tap_look(struct netdev *dev, struct list_head *packets)
{
	struct packet *p;

	list_for_each_entry(p, packets, link) {
		u8 buf[32];
		const u8 *frame = packet_header(p, 0, 32, buf);

		if (dev != tap.dev)
			continue;
		if (p->outgoing)
			atomic_inc(&tap.sent);
		if (!frame || frame[12] != 8 || frame[13] != 6)
			continue;
		if (p->outgoing) {
			atomic_inc(&tap.questions);
			continue;
		}
		memcpy(tap.sender, frame + 22, ETH_ALEN);
		atomic_inc(&tap.came);
		wake_up_all(&tap.wq);
	}
}
PACKET_TAKER(ktest, .look = tap_look);

static void tap_on(struct netdev *dev)
{
	memset(&tap, 0, sizeof(tap));
	tap.dev = dev;
	wait_queue_init(&tap.wq);
	atomic_inc(&netdev_nr_taps);
}

/* A bound for a busy host, on which QEMU may be without a CPU for seconds. */
static bool tap_wait(u32 n)
{
	return !wait_event_timeout(&tap.wq, atomic_load(&tap.came) >= n, clock_mono_ns() + 60 * NSEC_PER_SEC);
}

static int set_up(struct netdev *dev, bool up)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_set_flags(dev, up ? IFF_UP : 0, IFF_UP);
	mutex_unlock(&net_config_lock);
	return err;
}

/* "Who has 10.0.2.2?", in one or two pieces. */
static void ask(struct netdev *dev, struct list_head *list)
{
	static const u8 rest[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	struct packet *p = packet_alloc(60);
	u8 *frame = p->piece[0].data;

	memset(frame, 0, 60);
	memset(frame, 0xff, ETH_ALEN);
	memcpy(frame + 6, dev->address, ETH_ALEN);
	memcpy(frame + 12, rest, sizeof(rest));
	memcpy(frame + 22, dev->address, ETH_ALEN);
	memcpy(frame + 28, "\12\0\2\17", 4);
	memcpy(frame + 38, "\12\0\2\2", 4);
	packet_set_len(p, 60);
	list_add_tail(&p->link, list);
}

KTEST(netdev, loopback)
{
	struct netdev_stats before, after;
	LIST_HEAD(list);

	tap_on(loopback_dev);
	EXPECT_EQ(set_up(loopback_dev, true), 0);
	ask(loopback_dev, &list);
	ask(loopback_dev, &list);
	netdev_transmit(loopback_dev, &list);
	EXPECT_EQ(tap.came, 0);
	loopback_run();
	EXPECT(tap.came == 2 && tap.questions == 2);
	EXPECT_EQ(set_up(loopback_dev, false), 0);
	netdev_stats(loopback_dev, &before);
	for (u32 i = 0; i < 3; i++)
		ask(loopback_dev, &list);
	netdev_transmit(loopback_dev, &list);	/* of a device that is down: each is counted */
	netdev_stats(loopback_dev, &after);
	EXPECT(list_empty(&list) && tap.questions == 2);
	EXPECT_EQ(after.tx_dropped - before.tx_dropped, 3);
	atomic_dec(&netdev_nr_taps);
}

#define ROUNDS	40u
#define BURST	300u		/* more than the ring has room for */

KTEST(virtio_net, arp_from_the_gateway)
{
	struct netdev *dev = netdev_by_name("eth0");
	struct netdev_stats before, after;
	LIST_HEAD(list);
	bool all = true;

	if (!dev)
		return;		/* no such device in this machine */
	tap_on(dev);
	netdev_stats(dev, &before);
	EXPECT_EQ(set_up(dev, true), 0);
	for (u32 i = 1; i <= ROUNDS && all; i++) {
		ask(dev, &list);
		netdev_transmit(dev, &list);
		all = tap_wait(i);
	}
	EXPECT(all);
	for (u32 i = 0; i < BURST; i++)
		ask(dev, &list);
	netdev_transmit(dev, &list);
	netdev_reap(dev, true);
	EXPECT(tap_wait(ROUNDS + BURST));
	EXPECT_EQ(set_up(dev, false), 0);	/* first: an answer may overtake the counting of what it answers */
	netdev_stats(dev, &after);
	EXPECT_EQ(after.tx_packets - before.tx_packets + after.tx_dropped - before.tx_dropped, tap.sent);
	EXPECT(after.tx_packets - before.tx_packets >= ROUNDS + BURST && after.rx_packets - before.rx_packets >= ROUNDS + BURST);
	EXPECT(tap.questions == ROUNDS + BURST && tap.sender[0] == 0x52);
	atomic_dec(&netdev_nr_taps);
	netdev_put(dev);
}

/* Up, a question, its answer, down. */
static bool answered_once(struct netdev *dev)
{
	LIST_HEAD(list);
	bool ok;

	tap_on(dev);
	ok = !set_up(dev, true);
	ask(dev, &list);
	netdev_transmit(dev, &list);
	ok = tap_wait(1) && ok;
	ok = !set_up(dev, false) && ok;
	atomic_dec(&netdev_nr_taps);
	return ok;
}

/* Up and down while packets come and go. */
KTEST(virtio_net, up_and_down)
{
	struct netdev *dev = netdev_by_name("eth0");
	LIST_HEAD(list);

	if (!dev)
		return;
	for (u32 i = 0; i < 20; i++) {
		EXPECT_EQ(set_up(dev, true), 0);
		for (u32 k = 0; k < 10 * i; k++)
			ask(dev, &list);
		netdev_transmit(dev, &list);
		EXPECT_EQ(set_up(dev, false), 0);
	}
	EXPECT(answered_once(dev));
	netdev_put(dev);
}

static bool sending;	/* [a] */

static void send_on(void *arg)
{
	struct netdev *dev = arg;
	LIST_HEAD(list);

	while (atomic_load(&sending)) {
		for (u32 k = 0; k < 20; k++)
			ask(dev, &list);
		netdev_transmit(dev, &list);
		netdev_reap(dev, true);
		sched_yield_current();
	}
}

/* The device is reset while packets come and go, its filters and its state change: the same interface goes on. */
KTEST(virtio_net, restarted)
{
	struct netdev *dev = netdev_by_name("eth0");
	struct virtio_device *vdev;
	struct runner r;
	LIST_HEAD(list);
	u32 index;

	if (!dev)
		return;
	vdev = container_of(dev->device.parent, struct virtio_device, device);
	index = dev->index;
	atomic_store(&sending, true);
	if (!runner_start(&r, send_on, dev))
		panic("no memory for a test");
	for (u32 i = 0; i < 20; i++) {
		if (i % 5 == 0)
			EXPECT_EQ(set_up(dev, !(i % 2)), 0);
		mutex_lock_nested(&vdev->device.mutex, vdev->device.depth);
		EXPECT_EQ(vdev->driver->restart(vdev), 0);
		mutex_unlock(&vdev->device.mutex);
		mutex_lock(&net_config_lock);
		netdev_promiscuity(dev, i % 2 ? -1 : 1);
		mutex_unlock(&net_config_lock);
	}
	EXPECT_EQ(set_up(dev, true), 0);
	mutex_lock_nested(&vdev->device.mutex, vdev->device.depth);
	EXPECT_EQ(vdev->driver->restart(vdev), 0);
	mutex_unlock(&vdev->device.mutex);
	atomic_store(&sending, false);
	runner_join(&r);
	tap_on(dev);
	ask(dev, &list);
	netdev_transmit(dev, &list);
	EXPECT(tap_wait(1));
	atomic_dec(&netdev_nr_taps);
	EXPECT((dev->flags & IFF_UP) && dev->carrier && dev->index == index && !vdev->broken);
	EXPECT_EQ(set_up(dev, false), 0);
	EXPECT(answered_once(dev));
	netdev_put(dev);
}

/* A device that is marked broken gives everything back, is up without a wire, and comes back with its driver. */
KTEST(virtio_net, broken)
{
	struct netdev *dev = netdev_by_name("eth0");
	struct device *parent;
	LIST_HEAD(list);

	if (!dev)
		return;
	parent = device_get(dev->device.parent);
	EXPECT_EQ(set_up(dev, true), 0);
	for (u32 k = 0; k < 500; k++)
		ask(dev, &list);
	netdev_transmit(dev, &list);
	virtio_break(container_of(parent, struct virtio_device, device), "for a test");
	for (u32 k = 0; k < 500; k++) {
		ask(dev, &list);
		netdev_transmit(dev, &list);
	}
	work_flush();
	EXPECT((dev->flags & IFF_UP) && !dev->carrier);
	EXPECT_EQ(set_up(dev, false), 0);
	EXPECT_EQ(set_up(dev, true), -EIO);
	ask(dev, &list);
	netdev_transmit(dev, &list);
	device_detach(parent);
	EXPECT(dev->gone && !netdev_by_name("eth0"));
	ask(dev, &list);
	netdev_transmit(dev, &list);
	netdev_put(dev);
	EXPECT_EQ(device_attach(parent), 1);
	device_put(parent);
	dev = netdev_by_name("eth0");
	EXPECT(dev);
	EXPECT(answered_once(dev));
	netdev_put(dev);
	rcu_barrier();
}
