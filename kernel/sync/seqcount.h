/* Sequence counters: readers retry; writers exclude each other by a lock of their own. */
#pragma once
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <kernel/debug/race.h>

struct seqcount { u32 seq; };

static inline u32 seq_read_begin(const struct seqcount *s)
{
	u32 v;

	while (unlikely((v = atomic_load_acquire(&s->seq)) & 1))
		cpu_relax();
	return v;
}

static inline bool seq_read_retry(const struct seqcount *s, u32 start)
{
	smp_rmb();	/* data reads before the second look; pairs with seq_write_end */
	return unlikely(atomic_load(&s->seq) != start);
}

static inline void seq_write_begin(struct seqcount *s)
{
	atomic_store(&s->seq, s->seq + 1);
	smp_wmb();	/* odd before the data; pairs with seq_read_begin */
	race_marked_begin();	/* readers look again: what is written now counts as marked */
}

static inline void seq_write_end(struct seqcount *s)
{
	race_marked_end();
	atomic_store_release(&s->seq, s->seq + 1);
}
