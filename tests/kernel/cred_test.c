/* References of credentials that a task keeps for later: what is counted is what was taken, and the count itself is rarely touched. */
#include <kernel/ktest.h>
#include <kernel/proc/proc.h>
#include <kernel/sync/rcu.h>
#include <kernel/task.h>

#define MANY	100

/* Ours alone, for as long as the test runs; NULL: no memory. */
static struct cred *borrow(const struct cred **old)
{
	struct cred *c = cred_prepare();

	*old = current->cred;
	if (c)
		rcu_assign_pointer(current->cred, c);
	return c;
}

static void give_back(const struct cred *c, const struct cred *old)
{
	rcu_assign_pointer(current->cred, old);
	synchronize_rcu();
	cred_drop_spare(current);
	cred_put(c);
}

static s32 counted(const struct cred *c) { return refcount_read(&c->refs) - (s32)(current->spare_cred == c ? current->nr_spare : 0); }

KTEST(cred, spare_references_are_counted)
{
	const struct cred *old;
	struct cred *c = borrow(&old);
	s32 taken, back, high, dropped;

	EXPECT(c);
	for (int i = 0; i < MANY; i++)
		(void)cred_get_own();
	taken = counted(c);
	high = refcount_read(&c->refs);
	for (int i = 0; i < MANY; i++)
		cred_put_own(c);
	back = counted(c);
	cred_drop_spare(current);
	dropped = refcount_read(&c->refs);
	give_back(c, old);
	EXPECT_EQ(taken, 1 + MANY);
	EXPECT(high < 2 * MANY);
	EXPECT_EQ(back, 1);
	EXPECT_EQ(dropped, 1);
}

/* One that opens and closes leaves the count alone, which others use, too. */
KTEST(cred, the_count_is_left_alone)
{
	const struct cred *old;
	struct cred *c = borrow(&old);
	s32 first, moved = 0;

	EXPECT(c);
	cred_put_own(cred_get_own());
	first = refcount_read(&c->refs);
	for (int i = 0; i < MANY; i++) {
		const struct cred *mine = cred_get_own();

		moved += refcount_read(&c->refs) != first;
		cred_put_own(mine);
		moved += refcount_read(&c->refs) != first;
	}
	give_back(c, old);
	EXPECT_EQ(moved, 0);
}

/* Whose credentials change gives back what it kept of the old ones. */
KTEST(cred, new_credentials_new_spares)
{
	const struct cred *old;
	struct cred *c = borrow(&old), *next;
	s32 kept;

	EXPECT(c);
	cred_put_own(cred_get_own());
	cred_get(c);
	next = cred_prepare();
	if (next)
		cred_commit(next);	/* drops current's reference of c */
	kept = refcount_read(&c->refs);
	give_back(next ? next : c, old);
	cred_put(c);
	EXPECT(next);
	EXPECT_EQ(kept, 1);
}
