/* The inode hash: one inode a number, whoever asks, through filling, failing and eviction, from all CPUs. */
#include <fs/inode.h>
#include <fs/super.h>
#include <kernel/ktest.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/rcu.h>
#include <tests/kernel/runner.h>

#define NUMBERS	4u
#define TURNS	2000u
#define RUNNERS	4u

static struct { u32 filled, evicted, live[NUMBERS], doubles, unfilled; } seen;	/* [a] */

static void hash_evict(struct inode *i)
{
	if (!i->private)
		return;			/* never filled */
	sched_yield_current();
	atomic_dec(&seen.live[i->ino]);
	atomic_inc(&seen.evicted);
}

static const struct super_ops hash_ops = { .evict = hash_evict };
static const struct fs_type hash_type = { .name = "hashtest" };

static bool fill(struct inode *i, u32 turn)
{
	sched_yield_current();
	if (turn % 16 == 0) {
		atomic_inc(&seen.unfilled);
		inode_unfilled(i);
		return false;
	}
	if (atomic_add_return(&seen.live[i->ino], 1) != 1)
		atomic_inc(&seen.doubles);
	i->private = &seen;
	atomic_inc(&seen.filled);
	inode_filled(i);
	return true;
}

static void find_and_put(void *arg)
{
	struct super *sb = arg;

	for (u32 turn = 0; turn < TURNS; turn++) {
		struct inode *i;
		bool is_new;

		if (inode_find(sb, turn % NUMBERS, &i, &is_new))
			continue;
		if (is_new && !fill(i, turn / NUMBERS))
			continue;
		if (!i->private)
			atomic_inc(&seen.doubles);	/* found before it was filled */
		if (turn % 3)
			sched_yield_current();
		inode_put(i);
	}
}

KTEST(inode_hash, one_inode_a_number)
{
	struct super *sb = super_create(&hash_type, &hash_ops, 1);
	struct runner r[RUNNERS];
	u32 n;

	EXPECT(sb != NULL);
	seen = (__typeof__(seen)){ 0 };
	for (n = 0; n < RUNNERS; n++) {
		if (!runner_create(&r[n], find_and_put, sb))
			break;
		sched_set_affinity(r[n].task, atomic_load(&cpu_online_mask));
		runner_go(&r[n]);
	}
	for (u32 i = 0; i < n; i++)
		runner_join(&r[i]);
	super_put(sb);
	EXPECT(n == RUNNERS && seen.filled && seen.unfilled);
	EXPECT(seen.filled == seen.evicted);
	EXPECT(seen.doubles == 0);
}
