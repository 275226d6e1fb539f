/* Signal sets and queues, as struct task holds them. */
#pragma once
#include <kernel/lib/list.h>
#include <kernel/lib/types.h>

#define NSIG 64
struct sigset { u64 bits; };		/* bit n-1 is signal n */
static inline u64 sig_bit(int sig) { return 1ull << (sig - 1); }

struct sigpending { struct list_head queue; struct sigset set; };
struct sigaltstack_state { u64 sp, size; u32 flags; };
struct sighand;
