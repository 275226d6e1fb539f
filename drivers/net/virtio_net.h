/* virtio network devices, for the files of this room.  Theory in virtio_net.c. */
#pragma once
#include <drivers/virtio/virtio.h>
#include <kernel/sync/spinlock.h>
#include <kernel/time/time.h>
#include <linux/virtio_net.h>
#include <net/netdev.h>
#include <net/netdev_thread.h>

/* A receive queue, its thread, and the transmit queue beside it.  Keys: [I], [t] the thread, or who has stopped it, [tx] tx_lock, [a]. */
struct vnet_pair {
	struct vnet *net;		/* [I] */
	u32 index;			/* [I] */
	struct netdev_thread thread;

	struct virtqueue *rx;		/* [I] used by [t]; its callbacks switched under rx_lock */
	struct spinlock rx_lock;	/* LC_DEVICE */
	u32 rx_posted;			/* [t] buffers that the device has */
	void *half;			/* [t] the other half of a page, or NULL */
	struct list_head spare;		/* [t] pages for big buffers */
	u32 average;			/* [t] bytes of the packets that come, the last ones counting most */
	struct timer retry;		/* memory was short: try again */

	struct virtqueue *tx;		/* [I] used by [tx] */
	struct spinlock tx_lock;	/* LC_NET_TX */
	struct list_head backlog;	/* [tx] packets for which there was no room */
	u32 nr_backlog;			/* [tx] */
	bool awaited;			/* [tx] somebody waits for the memory of packets sent */
	bool stopped;			/* [tx] the queue is not to be touched */
	bool held;			/* [tx] stopped for a moment: what is to be sent waits in the backlog */
};

/* A command to the device.  One at a time: net_config_lock. */
struct vnet_control {
	struct virtqueue *vq;		/* [I] NULL: the device takes none */
	struct spinlock lock;		/* LC_DEVICE */
	struct wait_queue wq;
	bool busy;			/* [lock, read racily] the device has it */
	struct virtio_net_ctrl_hdr head;
	u8 answer;
	union {
		u8 on;
		u8 mac[6];
		u16 pairs;
		struct { u32 nr_unicast, nr_multicast; u8 multicast[NETDEV_MULTICAST][6]; } __packed table;
	} data;
};

struct vnet {
	struct netdev dev;		/* first */
	struct virtio_device *vdev;	/* [I] until it is removed */
	u32 head_len;			/* [I] of the header before each packet: 10 or 12 */
	u32 frame_off;			/* [I] of the frame in a buffer; the header stands before it */
	u32 buffer_size;		/* [I] half a page or a page: a packet and its room; those for large packets are larger */
	u32 rx_wanted;			/* [I] buffers that the device should have */
	bool mergeable, big, one_piece;	/* [I] a packet may take several buffers; a buffer is a chain of pages; header and frame may share one */
	bool dead;			/* [a] the device was broken and reset */
	bool restarting;		/* [a] it is being reset, and will be told again what it should know */
	struct vnet_control control;
	u32 nr_pairs;			/* [I] */
	struct vnet_pair pairs[];
};

#define VNET_BIG_PAGES	17u		/* 64 KiB, and the first page holds the packet's structure too */

/* rx.c.  vnet_rx_fill - buffers for the device; false: it has none at all.  vnet_rx_work - the thread's.  vnet_rx_drop - those that came while
 * nobody listened.  vnet_rx_detach - back from a device that was reset. */
bool vnet_rx_fill(struct vnet_pair *pair);
u32 vnet_rx_work(struct netdev_thread *t);
void vnet_rx_drop(struct vnet_pair *pair);
void vnet_rx_detach(struct vnet_pair *pair);
void vnet_rx_done(struct virtqueue *vq);
void vnet_rx_quiet(struct vnet_pair *pair);	/* no interrupts wanted */

/* tx.c.  vnet_tx_serve - give back what was sent, send what waits.  _stop: no more, and what waits is dropped; with hold it is kept, and more with it, if
 * the queue ran at all.  _detach as above.  _kick: the device looks at the queue, whether or not it wants to be told. */
void vnet_transmit(struct netdev *dev, struct list_head *packets);
void vnet_reap(struct netdev *dev, bool notify);
void vnet_tx_serve(struct vnet_pair *pair);
void vnet_tx_start(struct vnet_pair *pair);
void vnet_tx_stop(struct vnet_pair *pair, bool hold);
void vnet_tx_kick(struct vnet_pair *pair);
void vnet_tx_quiet(struct vnet_pair *pair);	/* no interrupts wanted */
void vnet_tx_detach(struct vnet_pair *pair);
void vnet_tx_done(struct virtqueue *vq);

/* control.c: 0, -EIO, -EOPNOTSUPP; -EAGAIN: the device is being reset.  net_config_lock held.  vnet_control_detach: as above. */
void vnet_control_done(struct virtqueue *vq);
void vnet_control_detach(struct vnet *net);
int vnet_command(struct vnet *net, u8 class, u8 command, u32 len);	/* of net->control.data, filled by the caller */
void vnet_set_filter(struct netdev *dev);
int vnet_set_address(struct netdev *dev, const u8 *mac);
