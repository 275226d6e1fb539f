/* Chunks: see chunk.h. */
#include <kernel/sync/preempt.h>
#include <net/inet/chunk.h>

#define CHUNK_ORDER_MAX	4u
#define CHUNK_GAP	8u	/* left free at the end: lwIP joins runs that touch, and two chunks may stand side by side */

void *chunk_alloc(size_t want, u32 *room)
{
	u32 order = 0;
	struct page *head = NULL;

	while (order < CHUNK_ORDER_MAX && (PAGE_SIZE << order) - CHUNK_GAP < want)
		order++;
	for (;; order--) {
		/* Larger blocks are a luxury: nobody reclaims for them. */
		head = page_alloc(order, order ? GFP_ATOMIC | GFP_SPARE : GFP_KERNEL);
		if (head || !order)
			break;
	}
	if (!head)
		return NULL;
	for (u32 i = 0; i < 1u << order; i++)
		head[i].private = (u64)head;
	*room = (u32)(PAGE_SIZE << order) - CHUNK_GAP;
	return page_address(head);
}

/* What is left of the chunk that was begun last on each CPU. */
struct share { u8 *chunk; u32 fill, room; const void *user; };
static DEFINE_PER_CPU(struct share, shares);		/* [preemption off] */

/* Preemption is off.  NULL: nothing is left. */
static void *take_share(struct share *s, const void *user, size_t want, u32 *got)
{
	u32 from = s->user == user ? s->fill : (s->fill + 15) & ~15u;
	void *at;

	if (!s->chunk || from >= s->room)
		return NULL;
	at = s->chunk + from;
	chunk_get(at);
	*got = (u32)min(want, (size_t)(s->room - from));
	s->fill = from + *got;
	s->user = user;
	return at;
}

void *chunk_share(const void *user, size_t want, u32 *got)
{
	u8 *fresh = NULL;
	u32 room = 0;
	void *at;

	for (;;) {
		struct share *s;
		u8 *used = fresh;	/* not needed, if another came first */

		preempt_disable();
		s = this_cpu_ptr(&shares);
		at = take_share(s, user, want, got);
		if (!at && fresh) {
			used = s->chunk;
			*s = (struct share){ .chunk = fresh, .room = room };
			at = take_share(s, user, want, got);
		}
		preempt_enable();
		if (used)
			chunk_put(used);
		if (at)
			return at;
		fresh = chunk_alloc(want, &room);
		if (!fresh)
			return NULL;
	}
}
