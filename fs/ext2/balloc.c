/* Which blocks are free, and who gets them.
 *
 * Theory.  Each group has a bitmap, a count in its descriptor, and a lock of its own; there is none for the whole volume, only sums that
 * are added to.  A file gets blocks from its window: a run of free blocks of one group that no other file takes from while there are
 * others.  Windows are in memory alone, in a tree for each group, and cost nothing to lose.  A window that is used up is followed by
 * another twice as long, just behind it if possible, so that a file which grows, or several that grow at once, lie in a few long runs.
 * When a volume has no free run outside of windows left, those of others are no longer respected.
 *
 * Where.  The goal (the block behind the last one; else near the inode's group) if it is free; else the first run long enough behind it in
 * its group, then in the groups that follow; then any; each group is locked for itself, and never two.
 *
 * The bitmap is judged when it is first used: one that gives away the group's own blocks is never allocated from again, and that is an
 * error of the volume.  Its count is taken for true where the descriptor has another: after an unclean end that is to be expected. */
#include <fs/ext2/ext2.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/bitmap.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <linux/capability.h>

#define WINDOW_FIRST	8u
#define READ_TRIES	500u		/* five seconds */
#define READ_PAUSE_NS	(10 * NSEC_PER_MSEC)
#define WINDOW_MAX	2048u

static u32 group_of(const struct ext2_super *s, u32 block) { return (block - s->geo.first_data_block) / s->geo.blocks_per_group; }
static u32 bit_of(const struct ext2_super *s, u32 block) { return (block - s->geo.first_data_block) % s->geo.blocks_per_group; }

bool ext2_blocks_ok(struct ext2_super *s, u32 first, u32 nr)
{
	u32 last;

	if (likely(first > s->geo.first_data_block && first < s->geo.blocks_count && nr && nr <= s->geo.blocks_count - first)) {
		last = group_of(s, first);
		if (first >= s->groups[last].data_start && group_of(s, first + nr - 1) == last)
			return true;
	}
	if (!ext2_block_ok(&s->geo, first, nr))
		return false;
	last = group_of(s, first + nr - 1);
	for (u32 g = group_of(s, first); g <= last; g++)
		if (ext2_group_owns(&s->geo, ext2_desc(s, g), first, nr))
			return false;
	return true;
}

int ext2_block_read_surely(struct ext2_super *s, u32 block, struct buffer *b)
{
	u32 had = current->pflags & PF_MEMALLOC, tries = 0;
	int err;

	current->pflags |= PF_MEMALLOC;
	while ((err = ext2_block_read(s, block, b)) == -ENOMEM && tries++ < READ_TRIES)
		sleep_ns(READ_PAUSE_NS);	/* there is nothing to wait for but that memory is given back somewhere */
	if (!had)
		current->pflags &= ~(u32)PF_MEMALLOC;
	return err;
}

/* Judge the group's bitmap. */
static void judge(struct ext2_super *s, u32 g, const unsigned long *map)
{
	struct ext2_group_desc *d = ext2_desc(s, g);
	char why[96];
	u32 free;

	s->groups[g].judged = true;
	if (!ext2_check_bitmap(&s->geo, d, g, map, &free, why, sizeof(why))) {
		s->groups[g].bad = true;
		ext2_error(s, "%s", why);
		return;
	}
	if (free == d->free_blocks_count)
		return;
	if (s->mount_state & EXT2_VALID_FS)
		ext2_error(s, "group %u: bg_free_blocks_count is %u, its bitmap has %u free", g, d->free_blocks_count, free);
	atomic_add(&s->free_blocks, (s64)free - d->free_blocks_count);
	WRITE_ONCE(d->free_blocks_count, (u16)free);
	ext2_desc_dirty(s, g);
}

/* Lock the group and read its bitmap.  false: it cannot be used. */
bool ext2_group_lock(struct ext2_super *s, u32 g, struct buffer *b)
{
	struct ext2_group *grp = &s->groups[g];

	*b = (struct buffer){ 0 };
	mutex_lock(&grp->lock);
	if (!grp->bad && ext2_block_read_surely(s, ext2_desc(s, g)->block_bitmap, b))
		ext2_error(s, "block bitmap of group %u (block %u) cannot be read", g, ext2_desc(s, g)->block_bitmap);
	if (b->page && !grp->judged)
		judge(s, g, b->data);
	if (b->page && !grp->bad)
		return true;
	buffer_put(b);
	mutex_unlock(&grp->lock);
	return false;
}

void ext2_group_unlock(struct ext2_super *s, u32 g, struct buffer *b)
{
	buffer_put(b);
	mutex_unlock(&s->groups[g].lock);
}

static void group_count(struct ext2_super *s, u32 g, s32 n)
{
	struct ext2_group_desc *d = ext2_desc(s, g);

	WRITE_ONCE(d->free_blocks_count, (u16)((s32)d->free_blocks_count + n));	/* who looks for a group reads without a lock */
	ext2_desc_dirty(s, g);
	atomic_add(&s->free_blocks, (s64)n);
}

static void take(struct ext2_super *s, u32 g, struct buffer *b, u32 bit, u32 nr)
{
	bitmap_set(b->data, bit, nr);
	buffer_dirty(b);
	group_count(s, g, -(s32)nr);
}

/* --- windows --- */

#define window_at(p) rb_entry(p, struct ext2_window, node)

static void window_link(struct ext2_group *grp, struct ext2_window *w)
{
	struct rb_node **link = &grp->windows.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = w->start < window_at(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&w->node, parent, link);
	rb_insert_color(&w->node, &grp->windows);
}

static void window_unlink(struct ext2_group *grp, struct ext2_window *w)
{
	if (w->start != w->end)
		rb_erase(&w->node, &grp->windows);
	w->start = w->end = 0;
}

void ext2_window_drop(struct ext2_super *s, struct ext2_window *w)
{
	w->goal_size = 0;
	if (READ_ONCE(w->start) == READ_ONCE(w->end))	/* only its owner makes one */
		return;
	mutex_lock(&s->groups[w->group].lock);
	window_unlink(&s->groups[w->group], w);
	mutex_unlock(&s->groups[w->group].lock);
}

/* The first window of the group that meets [start, end), or NULL. */
static struct ext2_window *window_in(struct ext2_group *grp, u32 start, u32 end)
{
	struct rb_node *n = grp->windows.rb_node;
	struct ext2_window *best = NULL;

	while (n) {		/* no two of them meet, so they end in the order in which they begin */
		if (window_at(n)->end > start) {
			best = window_at(n);
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return best && best->start < end ? best : NULL;
}

/* The first free run of want bits at or after start that lies in no window, else the longest. */
static u32 find_outside(struct ext2_group *grp, const unsigned long *map, u32 start, u32 end, u32 want, u32 *first)
{
	u32 best = 0;

	while (start < end && best < want) {
		struct ext2_window *w = window_in(grp, start, end);
		u32 stop = w ? max(w->start, start) : end, at = 0, n = ext2_run_find(map, start, stop, want, &at);

		if (n > best) {
			best = n;
			*first = at;
		}
		start = w ? w->end : end;
	}
	return best;
}

/* What is left of w is free, and from bit on it is w's: at most want of it. */
static u32 take_from_window(struct ext2_super *s, struct ext2_window *w, struct buffer *b, u32 bit, u32 want, u32 *first)
{
	u32 at = max(bit, w->start), n;

	if (at >= w->end || bit > w->end)
		at = w->start;
	at = (u32)bitmap_find_next_zero(b->data, w->end, at);
	n = at < w->end ? ext2_run_at(b->data, at, w->end, want) : 0;
	if (n)
		take(s, w->group, b, at, n);
	*first = at;
	if (!n || at + n >= w->end)
		window_unlink(&s->groups[w->group], w);
	else
		w->start = at + n;
	return n;
}

/* --- the search --- */

enum pass { RUN, ANY, STEAL, PASSES };

struct search {
	struct ext2_super *s;
	struct ext2_window *w;
	u32 goal_group, goal_bit, want, reserve;
	u32 first, nr;			/* found */
};

/* Try one group. */
static bool try_group(struct search *q, u32 g, enum pass pass)
{
	struct ext2_super *s = q->s;
	struct ext2_group *grp = &s->groups[g];
	u32 end = ext2_group_blocks(&s->geo, g), start = g == q->goal_group ? q->goal_bit : 0, target = max(q->want, q->reserve), n, bit = 0;
	struct buffer b;

	if (!READ_ONCE(ext2_desc(s, g)->free_blocks_count) || grp->bad || !ext2_group_lock(s, g, &b))
		return false;
	if (pass == STEAL) {
		n = ext2_run_find(b.data, 0, end, q->want, &bit);
	} else {
		n = start < end && pass == RUN && !window_in(grp, start, start + 1) ? ext2_run_at(b.data, start, end, target) : 0;
		bit = start;
		if (n < min(target, WINDOW_FIRST))
			n = find_outside(grp, b.data, start, end, target, &bit);
		if (n < target && start && n < min(target, WINDOW_FIRST)) {
			u32 bit2 = 0, n2 = find_outside(grp, b.data, 0, start, target, &bit2);

			if (n2 > n) {
				n = n2;
				bit = bit2;
			}
		}
		if (pass == RUN && n < min(target, WINDOW_FIRST))
			n = 0;
	}
	if (n) {
		q->nr = min(n, q->want);
		q->first = ext2_group_first(&s->geo, g) + bit;
		take(s, g, &b, bit, q->nr);
		if (q->w && pass != STEAL && n > q->nr) {
			*q->w = (struct ext2_window){ .group = g, .start = bit + q->nr, .end = bit + n, .goal_size = q->w->goal_size };
			window_link(grp, q->w);
		}
	}
	ext2_group_unlock(s, g, &b);
	return n;
}

static bool privileged(const struct ext2_super *s)
{
	const struct cred *c = current_cred();

	return c->fsuid == s->opts.resuid || (s->opts.resgid && cred_in_group(c, s->opts.resgid)) || capable(CAP_SYS_RESOURCE);
}

/* How many of want may be had; 0: none. */
static u32 may_have(const struct ext2_super *s, u32 want)
{
	s64 free = atomic_load(&s->free_blocks), reserved = s->disk->r_blocks_count;

	if (free < (s64)want + reserved && !privileged(s))
		free -= reserved;
	return free <= 0 ? 0 : (u32)min((s64)want, free);
}

static bool from_window(struct ext2_super *s, struct ext2_window *w, u32 goal, u32 want, u32 *first, u32 *nr)
{
	struct buffer b;
	u32 bit = 0;

	*nr = 0;
	if (READ_ONCE(w->start) == READ_ONCE(w->end) || !ext2_group_lock(s, w->group, &b))
		return false;
	if (w->start != w->end)
		*nr = take_from_window(s, w, &b, group_of(s, goal) == w->group ? bit_of(s, goal) : 0, want, &bit);
	*first = ext2_group_first(&s->geo, w->group) + bit;
	ext2_group_unlock(s, w->group, &b);
	return *nr;
}

static int alloc_once(struct ext2_super *s, struct ext2_window *w, u32 goal, u32 want, u32 *first, u32 *nr)
{
	struct search q = { .s = s, .w = w, .want = may_have(s, want) };

	if (!q.want)
		return -ENOSPC;
	if (goal <= s->geo.first_data_block || goal >= s->geo.blocks_count)
		goal = s->geo.first_data_block + 1;
	if (w && from_window(s, w, goal, q.want, first, nr))
		return 0;
	if (w) {
		ASSERT(w->start == w->end);
		q.reserve = w->goal_size ? w->goal_size : WINDOW_FIRST;
		w->goal_size = min(max(q.reserve, q.want) * 2, WINDOW_MAX);
	}
	q.goal_group = group_of(s, goal);
	q.goal_bit = bit_of(s, goal);
	for (u32 pass = RUN; pass < PASSES; pass++)
		for (u32 i = 0, g = q.goal_group; i < s->geo.nr_groups; i++, g = g + 1 < s->geo.nr_groups ? g + 1 : 0) {
			if (!try_group(&q, g, pass))
				continue;
			if (unlikely(!ext2_blocks_ok(s, q.first, q.nr)))
				return ext2_error(s, "blocks %u to %u are the volume's own, but free", q.first, q.first + q.nr - 1);
			*first = q.first;
			*nr = q.nr;
			return 0;
		}
	return -ENOSPC;
}

int ext2_blocks_alloc(struct ext2_super *s, struct ext2_window *w, u32 goal, u32 want, u32 *first, u32 *nr)
{
	int err = alloc_once(s, w, goal, want, first, nr);

	return err == -ENOSPC && ext2_retired_try(s) ? alloc_once(s, w, goal, want, first, nr) : err;
}

void ext2_blocks_free(struct ext2_super *s, u32 first, u32 nr)
{
	if (!ext2_blocks_ok(s, first, nr)) {
		ext2_error(s, "freeing blocks %u to %u, which are no file's", first, first + nr - 1);
		return;
	}
	while (nr) {
		u32 g = group_of(s, first), bit = bit_of(s, first), n = min(nr, s->geo.blocks_per_group - bit), freed = 0;
		struct buffer b;

		if (ext2_group_lock(s, g, &b)) {
			for (u32 i = bit; i < bit + n; i++) {
				freed += test_bit(i, b.data);
				clear_bit(i, b.data);
			}
			buffer_dirty(&b);
			group_count(s, g, (s32)freed);
			ext2_group_unlock(s, g, &b);
			if (unlikely(freed != n))
				ext2_error(s, "freeing blocks %u to %u: %u of them were free", first, first + n - 1, n - freed);
		}
		first += n;
		nr -= n;
	}
}
