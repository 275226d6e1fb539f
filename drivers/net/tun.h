/* tun and tap devices, for the files of this room.  Theory in tun.c. */
#pragma once
#include <kernel/sync/spinlock.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/netdev.h>

/* Keys: [I], [c] net_config_lock, [a], [q] lock. */
struct tun {
	struct netdev dev;		/* first */
	u32 flags;			/* [c, read racily] IFF_TUN or IFF_TAP, IFF_NO_PI, IFF_VNET_HDR */
	bool persist;			/* [c] it stays when its file is closed */
	s32 owner, group;		/* [c] who may attach without CAP_NET_ADMIN; -1: nobody */
	u32 vnet_len;			/* [a] bytes of the header before each packet, with IFF_VNET_HDR */
	u32 offloads;			/* [a] TUN_F_*: what the program can handle */
	s32 send_max;			/* [a] TUNSETSNDBUF: kept and told */
	bool attached;			/* [c] to a file */
	struct wait_queue wq;		/* readers and pollers */
	struct spinlock lock;		/* LC_NET_TX */
	struct list_head queue;		/* [q] packets on their way to the program */
	u32 nr_queued;			/* [q] */
	bool closed;			/* [q] nobody reads */
};

struct tun_pi_header { u16 flags, proto; };	/* struct tun_pi */

/* tun.c: the devices.  Each takes net_config_lock.
 * tun_attach - the device of that name becomes the file's: -ENODEV (there is none), -EINVAL (another kind), -EBUSY, -EPERM.  tun_create - a new one
 * that is the file's.  tun_detach - the file goes, and the device with it unless it is to stay. */
int tun_attach(const char *name, u32 flags, struct tun **out);
int tun_create(const char *name, u32 flags, struct tun **out);
void tun_detach(struct tun *tun);
/* tun_next - the first packet of the queue, the caller's; NULL: none. */
struct packet *tun_next(struct tun *tun);
/* tun_set_offloads - 0, -EINVAL. */
int tun_set_offloads(struct tun *tun, u32 offloads);
