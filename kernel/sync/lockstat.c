/* Lock contention by place: /proc/lock_stat.
 *
 * Theory.  What doesn't scale is first of all a lock that two processors meet on.  The contended path of every lock says here who
 * called, and how long it waited; a lock that is free costs nothing.  That a place shows up means contention, that a lock's places
 * don't means that nobody ever waited for it, in the release build too, where locks have no class: the place names the lock.
 *
 * A place is one entry of a small hash table, claimed by a compare-and-swap and never given up, so that no lock is needed here; when
 * the table is full, further places are counted together.  Figures are relaxed atomics: a reader sees each of them, not a moment.
 * Writing 0 clears the figures; places stay.
 *
 * This says nothing of cache lines shared without a lock (reference counts): docs/scaling.md lists those by hand. */
#include <kernel/sync/lockstat.h>
#include <arch/atomic.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/time/time.h>

#define PLACES 128u

struct place {
	u64 key;			/* [a] address of the call, kind in the two lowest bits; 0: free */
	u64 count, ticks, longest;	/* [a] */
};
static struct place places[PLACES];
static struct place others;

static struct place *place_of(u64 key)
{
	u64 hash = (key >> 2) * 0x9e3779b97f4a7c15ull >> 57;

	for (u32 i = 0; i < 16; i++) {
		struct place *p = &places[(hash + i) % PLACES];
		u64 seen = atomic_load(&p->key);

		if (seen == key || (!seen && (atomic_cas(&p->key, 0ull, key) || atomic_load(&p->key) == key)))
			return p;
	}
	return &others;
}

void lockstat_waited(const void *ip, enum lockstat_kind kind, u64 ticks)
{
	struct place *p = place_of(((u64)ip & ~3ull) | kind);
	u64 longest = atomic_load(&p->longest);

	atomic_inc(&p->count);
	atomic_add(&p->ticks, ticks);
	while (ticks > longest && !__atomic_compare_exchange_n(&p->longest, &longest, ticks, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

u64 lockstat_waits(void)
{
	u64 n = atomic_load(&others.count);

	for (u32 i = 0; i < PLACES; i++)
		n += atomic_load(&places[i].count);
	return n;
}

static void show_place(struct seq *s, const struct place *p, u64 hz)
{
	static const char *const kinds[] = { "spin", "mutex", "read", "write" };
	u64 count = atomic_load(&p->count), us = atomic_load(&p->ticks) * 1000000 / hz;

	if (!count)
		return;
	seq_printf(s, "%10lu %12lu %10lu %-5s ", count, us, atomic_load(&p->longest) * 1000000 / hz, p->key ? kinds[p->key & 3] : "-");
	if (p->key)
		seq_printf(s, "%pS\n", (void *)(p->key & ~3ull));
	else
		seq_puts(s, "(other places)\n");
}

static int lock_stat_show(struct seq *s, void *arg)
{
	u64 hz = clock_freq_hz();

	(void)arg;
	seq_puts(s, "     waits     total_us longest_us kind  place\n");
	for (u32 i = 0; i < PLACES; i++)
		show_place(s, &places[i], hz);
	show_place(s, &others, hz);
	return 0;
}

static void clear(struct place *p)
{
	atomic_store(&p->count, 0ull);
	atomic_store(&p->ticks, 0ull);
	atomic_store(&p->longest, 0ull);
}

static int lock_stat_write(const char *buf, size_t len, void *arg)
{
	(void)arg;
	if (!len || buf[0] != '0' || (len > 1 && buf[1] != '\n'))
		return -EINVAL;
	for (u32 i = 0; i < PLACES; i++)
		clear(&places[i]);
	clear(&others);
	return 0;
}
PROC_FILE(lock_stat, .path = "lock_stat", .mode = 0600, .show = lock_stat_show, .write = lock_stat_write);
