/* Ranges of sequence numbers: see sack_ranges.h. */
#include <net/inet/sack_ranges.h>

static void drop(struct sack_ranges *s, u32 i, u32 nr)
{
	for (u32 k = i; k + nr < s->n; k++)
		s->r[k] = s->r[k + nr];
	s->n -= nr;
}

bool sack_add(struct sack_ranges *s, u32 from, u32 to)
{
	u32 i = 0, last;

	while (i < s->n && seq_before(s->r[i].to, from))
		i++;
	for (last = i; last < s->n && !seq_before(to, s->r[last].from); last++) {	/* touched: it becomes part of the new one */
		if (seq_before(s->r[last].from, from))
			from = s->r[last].from;
		if (seq_before(to, s->r[last].to))
			to = s->r[last].to;
	}
	if (last > i) {
		s->r[i] = (struct sack_range){ from, to };
		drop(s, i + 1, last - i - 1);
		return true;
	}
	if (s->n == SACK_RANGES)
		return false;
	for (u32 k = s->n++; k > i; k--)
		s->r[k] = s->r[k - 1];
	s->r[i] = (struct sack_range){ from, to };
	return true;
}

void sack_forget(struct sack_ranges *s, u32 seq)
{
	u32 gone = 0;

	while (gone < s->n && !seq_before(seq, s->r[gone].to))
		gone++;
	drop(s, 0, gone);
	if (s->n && seq_before(s->r[0].from, seq))
		s->r[0].from = seq;
}

u32 sack_missing(const struct sack_ranges *s, u32 seq, u32 *end)
{
	for (u32 i = 0; i < s->n; i++) {
		if (seq_before(seq, s->r[i].from)) {
			*end = s->r[i].from;
			return seq;
		}
		if (seq_before(seq, s->r[i].to))
			seq = s->r[i].to;
	}
	*end = seq;
	return seq;
}

u32 sack_bytes(const struct sack_ranges *s, u32 seq)
{
	u32 sum = 0;

	for (u32 i = 0; i < s->n; i++)
		if (seq_before(seq, s->r[i].to))
			sum += s->r[i].to - (seq_before(s->r[i].from, seq) ? seq : s->r[i].from);
	return sum;
}
