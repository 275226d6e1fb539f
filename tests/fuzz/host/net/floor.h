/* Between tests/fuzz/host/net.c and its floor. */
#pragma once
#include <kernel/lib/types.h>
#include <tests/unit/unit.h>

struct netdev;

extern u64 net_now;		/* virtual time, ns */
extern u32 net_pages;		/* blocks of pages in use */
/* net_floor_init - lo (1) and eth0 (2), and the engine; eth0.  net_timers - what is due first runs, if by `until`; else time is `until`, and false.
 * net_sent - of the target: a frame goes out by eth0. */
struct netdev *net_floor_init(void);
bool net_timers(u64 until);
bool net_timers_armed(void);
void net_sent(const u8 *frame, u32 len);
