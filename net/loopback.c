/* lo: what is transmitted on it has come in.
 *
 * The protocol engine passes its own packets from socket to socket without a device; lo counts them, shows them to packet sockets, and carries
 * what packet sockets send on it.  Packets wait in one list until whoever transmitted them has let go of the engine's lock and calls
 * loopback_run(): the sender does the work of the receiver, without a thread.  What it sends while it receives waits for its next turn there, and is not
 * received inside: two sockets that answer each other would fill the stack. */
#include <kernel/debug.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <mm/slab.h>
#include <net/netdev.h>

#define WAITING_MAX	1024u		/* packets; more are dropped, as on a full device */
#define TURNS_MAX	1024u		/* that one call takes on; a thread takes what is left */

struct netdev *loopback_dev;
u32 loopback_waiting;
static DEFINE_SPINLOCK(lock, LC_NET_LOOP);
static LIST_HEAD(waiting);		/* [lock] */

/* Only complete packets come in again: a checksum left to the device is right by construction. */
static void loopback_transmit(struct netdev *dev, struct list_head *packets)
{
	u64 bytes = 0, n = 0;
	LIST_HEAD(dropped);

	spin_lock(&lock);
	while (!list_empty(packets)) {
		struct packet *p = list_first_entry(packets, struct packet, link);

		if (loopback_waiting == WAITING_MAX) {
			list_splice_init(packets, &dropped);
			break;
		}
		p->dev = dev;
		p->outgoing = false;
		list_move_tail(&p->link, &waiting);
		atomic_store(&loopback_waiting, loopback_waiting + 1);
		bytes += p->len;
		n++;
	}
	spin_unlock(&lock);
	netdev_count(dev, tx_packets, n);
	netdev_count(dev, tx_bytes, bytes);
	if (unlikely(!list_empty(&dropped))) {
		netdev_count_dropped(dev, &dropped);
		packet_list_put(&dropped);
	}
}

static void receive_work(struct work *w)
{
	(void)w;
	loopback_receive();
}
static struct work loopback_work = { .link = LIST_HEAD_INIT(loopback_work.link), .fn = receive_work, .kind = WORK_BRIEF };

/* Packets whose senders answer while they are received come in by another turn, in the same call. */
void loopback_receive(void)
{
	if (current->looping)
		return;
	current->looping = true;
	for (u32 turns = 0; atomic_load(&loopback_waiting); turns++) {
		LIST_HEAD(mine);

		if (turns == TURNS_MAX) {
			work_queue(&loopback_work);
			break;
		}
		spin_lock(&lock);
		list_splice_init(&waiting, &mine);
		atomic_store(&loopback_waiting, 0u);
		spin_unlock(&lock);
		netdev_receive(loopback_dev, &mine);
	}
	current->looping = false;
}

static const struct netdev_ops ops = { .transmit = loopback_transmit };

static int loopback_init(void)
{
	struct netdev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	VERIFY(dev);
	strlcpy(dev->name, "lo", sizeof(dev->name));
	dev->type = ARPHRD_LOOPBACK;
	dev->address_len = ETH_ALEN;
	dev->header_len = ETH_HLEN;
	dev->flags = IFF_LOOPBACK;
	dev->carrier = true;
	dev->mtu = 65536;
	dev->min_mtu = 0;
	dev->tx_queue_len = 1000;
	dev->features = NETDEV_CSUM | NETDEV_RX_CSUM;
	dev->ops = &ops;
	VERIFY(!netdev_register(dev, NULL));
	loopback_dev = dev;
	return 0;
}
BOOT_INIT(device, loopback_init);
