/* How much of a large segment goes now: the rule against a plain search for the best that it allows. */
#include <net/inet/tcp_large.h>
#include <tests/unit/unit.h>

TEST(size)
{
	EXPECT_EQ(large_size(1448, 1 << 20), 45 * 1448);
	EXPECT_EQ(large_size(1460, ~0u), 44 * 1460);
	EXPECT_EQ(large_size(8948, 1 << 20), 7 * 8948);
	EXPECT_EQ(large_size(1460, 8000), 2 * 1460);
	EXPECT_EQ(large_size(1460, 2000), 1460);
	EXPECT_EQ(large_size(1460, 0), 1460);
	EXPECT_EQ(large_size(511, 1 << 20), 511);
	EXPECT_EQ(large_size(65421, 1 << 20), 65421);
	EXPECT_EQ(large_size(65475, 1 << 20), 65475);
}

/* None of it breaks a bound; the largest that breaks none is taken. */
static bool allowed(const struct large_place *l, u32 n)
{
	if (n > l->most || n > l->room || n > l->len)
		return false;
	return n % l->wire == 0 || (n == l->len && !l->open);
}

TEST(part_is_the_largest_allowed)
{
	for (u32 round = 0; round < 200000; round++) {
		struct large_place l = { .wire = 1 + (u32)unit_below(20), .open = unit_below(2) };
		u32 best = 0, part;

		l.len = 1 + (u32)unit_below(200);
		l.most = unit_below(3) ? 65535 : l.wire + (u32)unit_below(100);
		l.window = (u32)unit_below(300);
		l.room = (u32)unit_below(l.window + 1);
		part = large_part(&l);
		if (l.len <= l.wire) {
			EXPECT_EQ(part, 0);
			continue;
		}
		for (u32 n = 1; n <= l.len; n++)
			if (allowed(&l, n))
				best = n;
		EXPECT_EQ(part, best == l.len ? 0 : best);
	}
}

TEST(waits_for_more_room)
{
	struct large_place l = { .len = 60000, .wire = 1000, .most = 65535, .window = 40000, .room = 9999, .in_flight = true };

	EXPECT_EQ(large_part(&l), 0);
	l.room = 10000;
	EXPECT_EQ(large_part(&l), 10000);
	l.room = 9999;
	l.in_flight = false;
	EXPECT_EQ(large_part(&l), 9000);
	/* Nobody cuts: what fits does not wait. */
	l.in_flight = true;
	l.most = 1000;
	EXPECT_EQ(large_part(&l), 1000);
}
