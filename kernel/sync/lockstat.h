/* Who waited for locks, and where: /proc/lock_stat.  Theory in lockstat.c. */
#pragma once
#include <kernel/lib/types.h>

enum lockstat_kind { LOCKSTAT_SPIN, LOCKSTAT_MUTEX, LOCKSTAT_READ, LOCKSTAT_WRITE };

/* lockstat_waited - current waited `ticks` of the counter for a lock at ip.  Context: any; takes no lock.  Only the contended paths
 * of locks call it. */
void lockstat_waited(const void *ip, enum lockstat_kind kind, u64 ticks);
u64 lockstat_waits(void);	/* all waits counted since they were cleared */
