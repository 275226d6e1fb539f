/* Ranges of sequence numbers against a map of bytes, around the end of the circle. */
#include <net/inet/sack_ranges.h>
#include <tests/unit/unit.h>

#define BYTES	200u
#define BASE	(0u - 80u)

static bool there[BYTES];

/* All that the ranges say is so in the map; *holes: how many pieces the map has. */
static u32 pieces(void)
{
	u32 n = 0;

	for (u32 i = 0; i < BYTES; i++)
		n += there[i] && (!i || !there[i - 1]);
	return n;
}

static void compare(const struct sack_ranges *s)
{
	for (u32 i = 0; i < BYTES; i++) {
		u32 end, at = sack_missing(s, BASE + i, &end) - BASE, want = i, more, sum = 0;

		while (want < BYTES && there[want])
			want++;
		for (more = want; more < BYTES && !there[more]; more++)
			;
		EXPECT_EQ(at, want);
		EXPECT_EQ(end - BASE, more == BYTES ? want : more);
		for (u32 k = i; k < BYTES; k++)
			sum += there[k];
		EXPECT_EQ(sack_bytes(s, BASE + i), sum);
	}
	EXPECT_EQ(s->n, pieces());
}

TEST(as_a_map)
{
	for (u32 round = 0; round < 300; round++) {
		struct sack_ranges s = { 0 };

		memset(there, 0, sizeof(there));
		for (u32 step = 0; step < 20; step++) {
			u32 from = (u32)unit_below(BYTES - 1), to = from + 1 + (u32)unit_below(min(BYTES - from - 1, 30u));

			if (unit_below(8)) {
				bool old[BYTES];

				memcpy(old, there, sizeof(there));
				for (u32 i = from; i < to; i++)
					there[i] = true;
				if (!sack_add(&s, BASE + from, BASE + to)) {
					EXPECT_EQ(s.n, SACK_RANGES);
					EXPECT(pieces() > SACK_RANGES);
					memcpy(there, old, sizeof(there));
				}
			} else {
				sack_forget(&s, BASE + from);
				for (u32 i = 0; i < from; i++)
					there[i] = false;
			}
			compare(&s);
		}
	}
}
