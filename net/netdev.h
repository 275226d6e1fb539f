/* Network devices: names, addresses, state and counts; packets out of and into them.
 *
 * A driver embeds struct netdev, fills it and calls netdev_register(); it appears as /sys/class/net/NAME, to netlink listeners and in
 * /proc/net/dev.  Out: netdev_transmit() hands packets to ops->transmit with one doorbell for a batch.  In: the driver's receive thread
 * (net/netdev_thread.h: one a receive queue, with a budget) takes packets off the ring and calls netdev_receive() with a list; packet
 * sockets see them first, then the protocol engine gets the batch whole (net/inet: one core lock a batch).  An interrupt only wakes the
 * thread and stays off while the thread finds work: polling under load.
 *
 * What was sent is given back lazily: a device frees it at the next transmit, when its receive thread runs, when it is full, or when
 * somebody asks (netdev_reap).
 *
 * Locks: configuration under net_config_lock (LC_NET_CONFIG, a mutex: netlink and ioctl); look-ups by index and name under RCU.  A device
 * that goes is unlinked, told of, and freed when its last reference is put.
 *
 * Keys: [c] net_config_lock, [c,r] read racily, [R] read under RCU, [I] before netdev_register, [a] atomic. */
#pragma once
#include <drivers/base/device.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/wait.h>
#include <linux/if.h>
#include <net/packet.h>

struct netdev;

struct netdev_ops {
	/* Context: thread, net_config_lock held, may sleep. */
	int (*open)(struct netdev *dev);			/* IFF_UP is about to be set; NULL: nothing to do */
	void (*stop)(struct netdev *dev);			/* it was cleared: no packet comes or goes after it; or NULL */
	int (*set_address)(struct netdev *dev, const u8 *mac);	/* NULL: -EOPNOTSUPP */
	int (*set_mtu)(struct netdev *dev, u32 mtu);		/* NULL: any from min_mtu to max_mtu */
	void (*set_filter)(struct netdev *dev);			/* IFF_PROMISC, IFF_ALLMULTI, the multicast list changed; or NULL */
	/* transmit - take the packets of the list, or drop and count them (netdev_count).  Consumes the list, tells the device once.
	 * Context: any thread, maybe under the network core's lock: does not sleep.
	 * reap - see netdev_reap; same context.  NULL: transmit keeps nothing. */
	void (*transmit)(struct netdev *dev, struct list_head *packets);
	void (*reap)(struct netdev *dev, bool notify);
	/* left - a program has deleted it (netdev_unlink was called): who used it is told.  NULL: programs cannot.  Context: as the first ones. */
	void (*left)(struct netdev *dev);
};

struct netdev_stats { u64 rx_packets, rx_bytes, rx_errors, rx_dropped, rx_over, rx_frame, multicast,
			  tx_packets, tx_bytes, tx_errors, tx_dropped, tx_fifo, tx_carrier, collisions; } __aligned(64);

enum { NETDEV_CSUM = 1, NETDEV_TSO4 = 2, NETDEV_TSO6 = 4, NETDEV_UFO = 8, NETDEV_RX_CSUM = 16, NETDEV_LRO = 32 };
enum { NETDEV_ADDRESS_PERMANENT, NETDEV_ADDRESS_RANDOM, NETDEV_ADDRESS_STOLEN, NETDEV_ADDRESS_SET };	/* addr_assign_type of /sys */

#define NETDEV_MULTICAST 32		/* hardware filters of the device; more: all of them */

/* An address whose packets are wanted. */
struct netdev_multicast { struct list_head link; u32 users; u8 address[8]; };

struct netdev {
	char name[IFNAMSIZ];		/* [c,R] */
	u32 index;			/* [I] from 1; set by netdev_register */
	u16 type;			/* [I] ARPHRD_* */
	u8 address_len, header_len;	/* [I] 6 and 14 of Ethernet */
	u8 address[8], broadcast[8], permanent[8];	/* [c,r] */
	u8 address_kind;		/* [c,r] NETDEV_ADDRESS_* */
	u8 name_kind;			/* [c,r] NET_NAME_*: 1 by the kernel, 3 by a program, 4 renamed */
	bool gone;			/* [c] unregistered */
	bool carrier_told;		/* [c,r] it has come or gone once: before that the state is "unknown" */
	u32 flags;			/* [c,a] IFF_* without IFF_RUNNING and IFF_LOWER_UP, which follow carrier: netdev_flags() */
	u32 wanted_flags;		/* [c] of IFF_PROMISC and IFF_ALLMULTI, those a program set by name */
	u32 carrier;			/* [a] the wire is there */
	u32 carrier_ups, carrier_downs;	/* [c,r] */
	u32 mtu, min_mtu, max_mtu;	/* [c,a] */
	u32 tx_queue_len;		/* [c,a] packets kept while the device is full */
	u32 features;			/* [I] NETDEV_* it can do */
	u32 nr_rx_queues, nr_tx_queues;	/* [I] 0: 1 */
	const char *kind;		/* [I] what netlink calls it (IFLA_INFO_KIND: "tun"); NULL */
	const struct attr_group *const *groups;	/* [I] its own attributes in /sys, or NULL */
	const struct netdev_ops *ops;	/* [I] */
	struct refcount refs;
	u32 promiscuity, allmulti;	/* [c] how many want it */
	struct list_head multicast;	/* [c] struct netdev_multicast */
	struct netdev_stats *stats;	/* one a CPU; [a] each */
	struct netdev_stats base;	/* [a] what the driver itself counts, added in */
	void *inet;			/* [net core lock] net/inet's interface over it (its struct netif), or NULL */
	struct list_head link;		/* [c,R] by index */
	struct device device;		/* class net */
	void (*release)(struct netdev *dev);	/* [I] last reference gone.  Context: thread */
	struct rcu_head rcu;
};

extern struct mutex net_config_lock;
/* netdev_init_ethernet - type, lengths, broadcast address, flags, MTU 1500 and queue of an Ethernet device.  Of zeroed memory. */
void netdev_init_ethernet(struct netdev *dev, const struct netdev_ops *ops);
/* netdev_register - name may hold "%d" ("eth%d").  Takes its index, tells everybody.  From then on there is one reference, the caller's.
 * 0, -EEXIST, -ENOMEM, -EINVAL: after an error the caller frees dev.  Context: thread.
 * netdev_unregister - stopped, told of, unlinked; returns when nobody looks any more (but references may live on: the caller puts his).
 * Context: thread, no locks.
 * netdev_unlink, netdev_unlinked - its two halves: with net_config_lock held, and later with no locks. */
int __must_check netdev_register(struct netdev *dev, struct device *parent);
void netdev_unregister(struct netdev *dev);
void netdev_unlink(struct netdev *dev);
void netdev_unlinked(struct netdev *dev);
/* netdev_by_index, netdev_by_name - referenced, or NULL.  Context: any. */
struct netdev *netdev_by_index(u32 index);
struct netdev *netdev_by_name(const char *name);
static inline void netdev_get(struct netdev *dev) { refcount_inc(&dev->refs); }
void netdev_put(struct netdev *dev);		/* Context: any */
/* netdev_next - of all devices the first with a larger index, referenced, or NULL; puts dev (NULL: the first). */
struct netdev *netdev_next(struct netdev *dev);
/* netdev_carrier - the wire came or went.  Context: thread, takes net_config_lock; _locked: it is held. */
void netdev_carrier(struct netdev *dev, bool on);
void netdev_carrier_locked(struct netdev *dev, bool on);
/* netdev_announce - the host asks that the wire be told where we are (gratuitous ARP).  Context: thread. */
void netdev_announce(struct netdev *dev);

/* netdev_receive - packets came in; consumes the list.  Context: thread, no locks.  Each p->dev is dev. */
void netdev_receive(struct netdev *dev, struct list_head *packets);
/* netdev_transmit - packets go out, complete with link headers; packet sockets see them.  Consumes the list.  Context: see ops->transmit. */
void netdev_transmit(struct netdev *dev, struct list_head *packets);
/* netdev_reap - give back the packets that the device has sent by now; notify: and have it do so by itself, soon after it has sent those that
 * it has (somebody waits for their memory).  Context: as transmit. */
static inline void netdev_reap(struct netdev *dev, bool notify)
{
	if (dev->ops->reap)
		dev->ops->reap(dev, notify);
}
/* netdev_taps - is there anybody who sees all packets?  Who bypasses the two calls above (net/inet on lo) asks it first. */
extern u32 netdev_nr_taps;		/* [a] */
static inline bool netdev_taps(void) { return unlikely(atomic_load(&netdev_nr_taps)); }
extern struct netdev *loopback_dev;	/* [I] from the device stage of the boot on */
/* loopback_run - receive what was transmitted on lo since the last time.  Whoever may have transmitted, with the core's lock let go, calls
 * it: net/inet when it unlocks, a packet socket.  Context: thread, no locks, may sleep. */
extern u32 loopback_waiting;		/* [a] packets */
void loopback_receive(void);
static inline void loopback_run(void)
{
	if (unlikely(atomic_load(&loopback_waiting)))
		loopback_receive();
}

/* Counts.  netdev_count(dev, rx_dropped, 1); sums of all CPUs by netdev_stats. */
#define netdev_count(dev, field, n) atomic_add(&(dev)->stats[smp_cpu_id()].field, (u64)(n))

/* netdev_count_dropped - each packet of a list that will not be sent; the list stays the caller's.  Context: any that may have the list. */
void netdev_count_dropped(struct netdev *dev, const struct list_head *packets);
void netdev_stats(struct netdev *dev, struct netdev_stats *sum);

/* Configuration; net_config_lock held.  0 or -errno; who listens is told.
 * netdev_flags - as programs see them, with what follows carrier.  netdev_operstate - IF_OPER_* of linux/if.h.
 * netdev_set_flags - as SIOCSIFFLAGS and RTM_NEWLINK do: those of mask.
 * netdev_set_name - -EEXIST, -EINVAL, -EBUSY (IFF_UP); netdev_set_address - address_len bytes. */
u32 netdev_flags(const struct netdev *dev);
u8 netdev_operstate(const struct netdev *dev);
int netdev_set_flags(struct netdev *dev, u32 flags, u32 mask);
int netdev_set_mtu(struct netdev *dev, u32 mtu);
int netdev_set_address(struct netdev *dev, const u8 *address);
int netdev_set_name(struct netdev *dev, const char *name);
int netdev_set_queue_len(struct netdev *dev, u32 len);
/* One more, or one less, who wants all packets, all multicasts, those of one address.  -ENOMEM, -ENOENT, -EINVAL (not that long). */
void netdev_promiscuity(struct netdev *dev, int more);
void netdev_allmulti(struct netdev *dev, int more);
int netdev_multicast_add(struct netdev *dev, const u8 *address);
int netdev_multicast_del(struct netdev *dev, const u8 *address);
bool netdev_name_ok(const char *name);

#define NETDEV_INDEX_MAX	127	/* what the protocol engine can number: devices beyond have no IP */

/* What happens to devices, told to whoever listens (net/inet, netlink, packet sockets): one line a listener, in the order of linking.
 * Context: thread, net_config_lock held. */
enum netdev_event { NETDEV_REGISTERED, NETDEV_UP, NETDEV_GOING_DOWN, NETDEV_DOWN, NETDEV_CHANGED, NETDEV_MTU, NETDEV_ADDRESS,
		    NETDEV_CARRIER, NETDEV_UNREGISTERED, NETDEV_NAME, NETDEV_ANNOUNCE };
struct netdev_listener {
	void (*event)(struct netdev *dev, enum netdev_event e);
	/* Optional: before anybody sees dev, what the listener needs for it: 0 or -errno, and it is not registered; drop undoes it. */
	int (*admit)(struct netdev *dev);
	void (*drop)(struct netdev *dev);
};
#define NETDEV_LISTENER(ident, ...) \
	static const struct netdev_listener __netdev_listener_##ident __used __aligned(8) __section(".netdev_listeners") = { __VA_ARGS__ }
extern const struct netdev_listener __netdev_listeners_start[], __netdev_listeners_end[];

/* Who takes packets that came in, one line each.  look: packet sockets; sees every packet, also those that go out (p->outgoing), and leaves
 * the list as it is; the bytes may be changed by others as soon as it returns, so it copies what it keeps.  Called only while netdev_taps().
 * take: the protocol engine; gets the whole batch of one device in order, and takes from the list (with their references) the packets
 * that it keeps or puts; what is left in the list is put by the caller.
 * Context: take: thread, no locks.  look: also under the network core's lock. */
struct packet_taker {
	void (*look)(struct netdev *dev, struct list_head *packets);
	void (*take)(struct netdev *dev, struct list_head *packets);
};
#define PACKET_TAKER(ident, ...) \
	static const struct packet_taker __packet_taker_##ident __used __aligned(8) __section(".packet_takers") = { __VA_ARGS__ }
extern const struct packet_taker __packet_takers_start[], __packet_takers_end[];
