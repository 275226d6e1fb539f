/* What the parts of the race detector share. */
#pragma once
#include <kernel/debug/race.h>
#include <kernel/lib/types.h>

#define RACE_DEPTH	16

/* One of the two accesses. */
struct race_side {
	u64 addr, size;
	u32 kind;			/* enum race_kind */
	u32 cpu;
	s32 tid;
	char comm[16];
	u32 nr;				/* of pcs; 0: that access was not seen */
	u64 pcs[RACE_DEPTH];		/* the first is the access */
};

struct race_report { struct race_side a, b; u64 before, after; };

/* race_access - the compiler's hooks end here.  ip: where the access is. */
void race_access(u64 addr, size_t size, u32 kind, u64 ip);
/* race_report_store - keep it for printing, unless it is known.  Context: irqs off. */
void race_report_store(const struct race_report *r);
/* race_stats - watchpoints set, run into by another CPU, seen to change */
void race_stats(u64 *set, u64 *hit, u64 *changed);
