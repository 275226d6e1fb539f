/* Datagrams of the kernel whose room is taken before it is known whether they will be sent.  net/netlink.c. */
#pragma once
#include <kernel/lib/types.h>

struct file;
struct netlink_packet;

/* netlink_promise - a datagram of len bytes for the socket fd, from the kernel, that is made and has its room taken before anybody knows whether it
 * will be sent: mq_notify(2)'s cookie.  Waits for room.  The socket stays until netlink_promise_end, which sends it with that last byte, or drops
 * it, and may come from anywhere.  0, -EBADF, -ENOTSOCK, -EINVAL (no netlink socket), -EFAULT, -ENOMEM, -ERESTARTSYS.  Context: thread, no lock. */
struct netlink_promised { struct file *socket; struct netlink_packet *packet; };
int __must_check netlink_promise(int fd, const void __user *data, u32 len, struct netlink_promised *out);
void netlink_promise_end(struct netlink_promised *d, bool send, u8 last);
