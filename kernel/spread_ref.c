/* Spread reference counts: from shared to spread, and back. */
#include <kernel/debug.h>
#include <kernel/spread_ref.h>
#include <mm/slab.h>

#define BIAS	(1 << 28)

void spread_ref_init(struct spread_ref *r)
{
	*r = (struct spread_ref){ .spread = 0 };
	refcount_set(&r->refs, 1);
}

void spread_ref_free(struct spread_ref *r)
{
	ASSERT(!r->spread && !r->gathering);
	kfree(r->parts);
}

void spread_ref_spread(struct spread_ref *r)
{
	if (nr_cpus == 1 || atomic_load(&r->spread) || r->gathering)
		return;
	if (!r->parts)
		r->parts = kzalloc(nr_cpus * sizeof(*r->parts), GFP_KERNEL);
	if (!r->parts)
		return;
	atomic_add(&r->refs.n, BIAS);
	atomic_store_release(&r->spread, 1u);
}

void spread_ref_gather_begin(struct spread_ref *r)
{
	if (!atomic_load(&r->spread))
		return;
	atomic_store(&r->spread, 0u);
	r->gathering = true;
}

void spread_ref_gather_end(struct spread_ref *r)
{
	s32 sum = -BIAS;

	if (!r->gathering)
		return;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		sum += READ_ONCE(r->parts[cpu].n);
		WRITE_ONCE(r->parts[cpu].n, 0);
	}
	r->gathering = false;
	atomic_add(&r->refs.n, sum);
}
