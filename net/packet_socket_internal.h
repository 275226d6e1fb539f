/* AF_PACKET, for the files of this room. */
#pragma once
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/netdev.h>
#include <net/socket.h>

/* A frame as it came by: bytes of its own. */
struct packet_entry {
	struct list_head link;
	u32 len, kept;			/* of the frame (without a header that SOCK_DGRAM does not see), and of data */
	u32 status;			/* TP_STATUS_* */
	u16 net_off;
	u64 stamp_ns;
	struct virtio_net_hdr vnet;
	struct sockaddr_ll from;
	u8 data[];
};

/* One that a socket wants more of a device for. */
struct packet_member { struct list_head link; struct netdev *dev; u16 type, alen; u8 address[8]; u32 count; };

/* Keys: [I], [a], [c] net_config_lock, [q] queue_lock, [R] read under RCU. */
struct packet_sock {
	struct socket s;		/* first */
	struct refcount refs;		/* the file's, and one for each packet that is being sent */
	struct list_head link;		/* [c,R] all that have seen packets */
	struct list_head all_link;	/* [c] all */
	bool listed;			/* [c] it is among those */
	bool seeing;			/* [c,R] it sees them now */
	u16 protocol;			/* [c,R] network order; 0: nothing is seen */
	s32 ifindex;			/* [c,R] 0: all devices; -1: its device is gone */
	struct list_head members;	/* [c] struct packet_member */
	u32 options;			/* [a] BIT(PACKET_AUXDATA) ... */
	u32 sending;			/* [a] bytes that devices have, with what they cost */
	struct spinlock queue_lock;	/* LC_SOCKET_QUEUE */
	struct list_head queue;		/* [q] struct packet_entry */
	u32 queued;			/* [q] bytes, with what they cost */
	u32 seen, dropped;		/* [q] since somebody asked */
	struct rcu_head rcu;
};
static inline struct packet_sock *packet_sock_of(struct socket *s) { return container_of(s, struct packet_sock, s); }
static inline bool packet_option(const struct packet_sock *ps, u32 option) { return atomic_load(&ps->options) >> option & 1; }

#define PACKET_COST	256u		/* of a frame in a queue beside its bytes, as charged against SO_RCVBUF and SO_SNDBUF */

/* packet_tap_add, _del - it sees packets from now on, or no more (but those under way).  packet_tap_leave - nor ever again: a grace period
 * later nobody looks at it.  net_config_lock held. */
void packet_tap_add(struct packet_sock *ps);
void packet_tap_del(struct packet_sock *ps);
void packet_tap_leave(struct packet_sock *ps);
/* packet_send - the whole of sendmsg. */
ssize_t packet_send(struct socket *s, struct message *m);
void packet_sock_put(struct packet_sock *ps);		/* Context: any */
/* packet_member_change - PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP; packet_members_drop - all, or those of one device. */
int packet_member_change(struct packet_sock *ps, const struct packet_mreq *mreq, const u8 *address, bool add);
void packet_members_drop(struct packet_sock *ps, const struct netdev *dev);
