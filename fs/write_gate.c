/* The gate before a filesystem on a disk.
 *
 * Theory.  "Is it read-only?" has to be asked, and the change made, without a remount in between: who changes something is in while he does,
 * and who makes it read-only first closes the gate and waits until all have left.  A frozen filesystem (FIFREEZE) is one whose gate
 * stays closed.  There are levels because one who is in may have to pass again: a write(2) faults its buffer in, which may be a page of the same
 * filesystem about to be written.  So calls are kept out first, then faults, and when all is written what the ends of files would change.
 *
 * Entering writes nothing that CPUs share: a count on one's own CPU (spread_ref.h), under RCU, so that who has set `closed` and let a grace
 * period pass knows that all who saw the gate open are counted.  Then he gives up the reference that stood for the open gate; whoever takes
 * the count to 0 says so.
 *
 * Filesystems in memory have no gate, and pay the look at a pointer. */
#include <fs/write_gate.h>
#include <kernel/debug.h>
#include <mm/slab.h>

struct write_gate *gate_create(void)
{
	struct write_gate *g = kzalloc(sizeof(*g), GFP_KERNEL);

	if (!g)
		return NULL;
	wait_queue_init(&g->waiters);
	mutex_init(&g->lock, LC_WRITE_GATE);
	for (u32 level = 1; level < GATE_LEVELS; level++) {
		spread_ref_init(&g->in[level]);
		spread_ref_spread(&g->in[level]);
	}
	return g;
}

static void gather(struct spread_ref *r)
{
	spread_ref_gather_begin(r);
	synchronize_rcu();
	spread_ref_gather_end(r);
}

void gate_free(struct write_gate *g)
{
	for (u32 level = 1; g && level < GATE_LEVELS; level++) {
		gather(&g->in[level]);
		spread_ref_free(&g->in[level]);
	}
	kfree(g);
}

void gate_wait(struct write_gate *g, enum gate_level level) { wait_event(&g->waiters, atomic_load_acquire(&g->closed) < (u32)level); }

void gate_emptied(struct write_gate *g, enum gate_level level)
{
	atomic_fetch_or_acq_rel(&g->empty, 1u << level);
	wake_up_all(&g->waiters);
}

void gate_close(struct write_gate *g, enum gate_level level)
{
	ASSERT(atomic_load(&g->closed) + 1 == (u32)level);
	atomic_store(&g->closed, (u32)level);
	gather(&g->in[level]);
	gate_leave(g, level);
	wait_event(&g->waiters, atomic_load_acquire(&g->empty) & 1u << level);
}

void gate_open(struct write_gate *g)
{
	for (u32 level = 1; level <= atomic_load(&g->closed); level++) {
		refcount_set(&g->in[level].refs, 1);	/* it was 0 */
		spread_ref_spread(&g->in[level]);
	}
	atomic_store(&g->empty, 0u);
	atomic_store_release(&g->closed, 0u);	/* pairs with the acquire in gate_wait */
	wake_up_all(&g->waiters);
}
