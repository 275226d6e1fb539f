/* The core lock of the protocol engine, and what happens around it.  Theory in engine.c. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

struct inet_sock;
struct packet;

/* net_core_lock - nobody else is inside lwIP.  Context: thread, may sleep; no spin lock.
 * net_core_unlock - packets that were looped back meanwhile have come in, and timers are armed, when it returns. */
void net_core_lock(void);
void net_core_unlock(void);
bool net_core_held(void);
/* net_core_wake - as socket_wake(), once the core is unlocked: who is woken may run at once, and would only wait for the lock.  Context: core locked.
 * Refs: takes one on i until then. */
void net_core_wake(struct inet_sock *i, u32 events);
/* net_loop - p, which begins with its IP header, comes in at the unlock.  Consumes a reference.  Context: core locked. */
void net_loop(struct packet *p);
/* net_fragment_seen - a piece of a datagram came: it must go when the others do not follow.  Context: core locked. */
void net_fragment_seen(void);
/* net_link_used - a link layer was spoken to, or something came into the tables of neighbours and addresses: they are counted down for a while, and as long
 * as something in them waits.  Context: core locked. */
void net_link_used(void);

extern s64 inet_mem_bytes;		/* [a] what lwIP has from us */
