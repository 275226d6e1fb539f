/* Radix trees against a list of pairs: look-ups, gangs, tags, growth over all heights, allocations that fail. */
#include <asm/errno.h>
#include <kernel/lib/radix_tree.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

#define MAX 400

static struct { u64 index; void *entry; u32 tags; } model[MAX];
static u32 nr;
static u64 nodes, fail_after = ~0ul;
static struct radix_tree tree;
static u64 values[MAX * 4];

static struct radix_node *node_alloc(void)
{
	struct radix_node *n;

	if (fail_after != ~0ul && fail_after-- == 0) {
		fail_after = ~0ul;
		return NULL;
	}
	n = host_alloc(sizeof(*n));
	memset(n, 0, sizeof(*n));
	nodes++;
	return n;
}

static void node_free(struct radix_node *n)
{
	nodes--;
	host_free(n);
}

static u64 random_index(void)
{
	static const u8 widths[] = { 3, 6, 7, 12, 13, 20, 36, 60, 64 };
	u64 v = unit_random() >> (64 - widths[unit_below(sizeof(widths))]);

	return unit_below(20) ? v : ~0ul - unit_below(3);
}

static int find(u64 index)
{
	for (u32 i = 0; i < nr; i++)
		if (model[i].index == index)
			return (int)i;
	return -1;
}

/* The model's smallest entry at or after *first with the tag; -1. */
static int model_next(u64 first, int tag)
{
	int best = -1;

	for (u32 i = 0; i < nr; i++)
		if (model[i].index >= first && (tag < 0 || (model[i].tags >> tag & 1)) && (best < 0 || model[i].index < model[best].index))
			best = (int)i;
	return best;
}

static bool gang_agrees(u64 first, int tag)
{
	void *got[10];
	u64 at[10];
	u32 n = tag < 0 ? radix_tree_gang_lookup(&tree, first, got, at, 10) : radix_tree_gang_lookup_tag(&tree, first, got, at, 10, (u32)tag);

	for (u32 i = 0; i < 10; i++) {
		int m = model_next(first, tag);

		if (m < 0)
			return n == i;
		if (i >= n || at[i] != model[m].index || got[i] != model[m].entry)
			return false;
		if (model[m].index == ~0ul)
			return n == i + 1;
		first = model[m].index + 1;
	}
	return n == 10;
}

static bool step(void)
{
	u64 index = nr && unit_below(2) ? model[unit_below(nr)].index : random_index();
	int m = find(index);
	void *entry = &values[unit_below(ARRAY_SIZE(values))];
	u32 tag = (u32)unit_below(RADIX_TAGS);

	switch (unit_below(6)) {
	case 0: case 1:
		if (m < 0 && nr == MAX)
			return true;
		if (radix_tree_insert(&tree, index, entry) != (m < 0 ? 0 : -EEXIST))
			return false;
		if (m < 0) {
			model[nr].index = index;
			model[nr].entry = entry;
			model[nr++].tags = 0;
		}
		return true;
	case 2:
		if (radix_tree_delete(&tree, index) != (m < 0 ? NULL : model[m].entry))
			return false;
		if (m >= 0)
			model[m] = model[--nr];
		return true;
	case 3:
		if (radix_tree_replace(&tree, index, entry) != (m < 0 ? NULL : model[m].entry))
			return false;
		if (m >= 0)
			model[m].entry = entry;
		return true;
	case 4:
		if (radix_tree_tag_set(&tree, index, tag) != (m >= 0))
			return false;
		if (m >= 0)
			model[m].tags |= 1u << tag;
		return true;
	default:
		radix_tree_tag_clear(&tree, index, tag);
		if (m >= 0)
			model[m].tags &= ~(1u << tag);
		return true;
	}
}

static bool row_agrees(u64 index)
{
	u32 len = 1u << unit_below(RADIX_BITS + 1);
	u64 first = ALIGN_DOWN(index, len);
	void *row[RADIX_SLOTS];

	radix_tree_row(&tree, first, row, len);
	for (u32 i = 0; i < len; i++) {
		int m = find(first + i);

		if (row[i] != (m < 0 ? NULL : model[m].entry))
			return false;
	}
	return true;
}

static bool agrees(void)
{
	u64 first = random_index();

	if (!row_agrees(first) || !row_agrees(0) || (nr && !row_agrees(model[unit_below(nr)].index)))
		return false;

	for (u32 i = 0; i < nr; i++) {
		if (radix_tree_lookup(&tree, model[i].index) != model[i].entry)
			return false;
		for (u32 tag = 0; tag < RADIX_TAGS; tag++)
			if (radix_tree_tag_get(&tree, model[i].index, tag) != (model[i].tags >> tag & 1))
				return false;
	}
	if (find(first) < 0 && radix_tree_lookup(&tree, first))
		return false;
	for (int tag = -1; tag < RADIX_TAGS; tag++)
		if (!gang_agrees(first, tag) || !gang_agrees(0, tag))
			return false;
	return radix_tree_empty(&tree) == (nr == 0);
}

static bool drain(void)
{
	while (nr) {
		if (radix_tree_delete(&tree, model[nr - 1].index) != model[nr - 1].entry)
			return false;
		nr--;
	}
	return radix_tree_empty(&tree) && nodes == 0;
}

TEST(random)
{
	radix_tree_init(&tree, node_alloc, node_free);
	for (int i = 0; i < 20000; i++) {
		EXPECT(step());
		if (i % 20 == 0)
			EXPECT(agrees());
		if (i % 5000 == 4999)
			EXPECT(drain());
	}
	EXPECT(drain());
}

/* A lone entry at 0 hangs at the root without a node. */
TEST(lone_entry)
{
	void *found;
	u64 index;

	radix_tree_init(&tree, node_alloc, node_free);
	EXPECT_EQ(radix_tree_insert(&tree, 0, &values[0]), 0);
	EXPECT(nodes == 0 && radix_tree_lookup(&tree, 0) == &values[0] && !radix_tree_lookup(&tree, 1));
	EXPECT(radix_tree_gang_lookup(&tree, 0, &found, &index, 1) == 1 && found == &values[0] && index == 0);
	EXPECT(radix_tree_gang_lookup(&tree, 1, &found, &index, 1) == 0);
	EXPECT(radix_tree_gang_lookup_tag(&tree, 0, &found, &index, 1, 1) == 0);
	EXPECT(radix_tree_tag_set(&tree, 0, 1) && !radix_tree_tag_set(&tree, 1, 1));
	EXPECT(radix_tree_gang_lookup_tag(&tree, 0, &found, &index, 1, 1) == 1 && radix_tree_gang_lookup_tag(&tree, 0, &found, &index, 1, 0) == 0);
	EXPECT(radix_tree_insert(&tree, 100, &values[1]) == 0 && nodes > 0);	/* the tag goes along into the node */
	EXPECT(radix_tree_tag_get(&tree, 0, 1) && !radix_tree_tag_get(&tree, 100, 1));
	EXPECT(radix_tree_delete(&tree, 0) == &values[0] && radix_tree_delete(&tree, 100) == &values[1] && radix_tree_empty(&tree) && nodes == 0);
}

/* A failed insert leaves the tree as it was, with no node lost. */
TEST(no_memory)
{
	static const u64 indices[] = { 0, 1, 63, 64, 4095, 4096, 1ul << 35, ~0ul };

	for (u32 first = 0; first < ARRAY_SIZE(indices); first++) {
		radix_tree_init(&tree, node_alloc, node_free);
		EXPECT_EQ(radix_tree_insert(&tree, indices[first], &values[0]), 0);
		for (u32 k = 0; k < ARRAY_SIZE(indices); k++) {
			int err = -ENOMEM;

			if (k == first)
				continue;
			for (u64 n = 0; err == -ENOMEM && n < 40; n++) {
				fail_after = n;
				err = radix_tree_insert(&tree, indices[k], &values[1]);
				fail_after = ~0ul;
				EXPECT(err == 0 || (err == -ENOMEM && !radix_tree_lookup(&tree, indices[k])));
				EXPECT(radix_tree_lookup(&tree, indices[first]) == &values[0]);
			}
			EXPECT_EQ(err, 0);
			EXPECT(radix_tree_delete(&tree, indices[k]) == &values[1]);
		}
		EXPECT(radix_tree_delete(&tree, indices[first]) == &values[0]);
		EXPECT(radix_tree_empty(&tree));
		EXPECT_EQ(nodes, 0);
	}
}
