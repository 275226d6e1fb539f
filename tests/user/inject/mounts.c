/* Mounts that share, with the N-th allocation failing: what was begun is undone, the groups too. */
#define TAP_TIMEOUT 200
#include "../mount/mounts.h"
#include "inject.h"

/* "from" is a tree of two; "b" receives from the shared "a", and is shared itself. */
static void set_up(void)
{
	inject_begin();
	stage();
	dirs("from a b");
	CHECK(tmpfs("from") == 0);
	dirs("from/one");
	CHECK(tmpfs("from/one") == 0);
	CHECK(tmpfs("a") == 0 && mkdir("a/x", 0755) == 0 && type("a", MS_SHARED) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0 && type("b", MS_SHARED) == 0);
}

static void check_set(void)
{
	CHECK(private("from") && private("from/one"));
	CHECK(shared("a") && master("b") == shared("a") && shared("b"));
	CHECK_EQ(mounts_below("."), 5);
}

static int do_rbind(void) { return result(rbind("from", "a/x")); }
static void undo_x(void) { umount2("a/x", MNT_DETACH); }
static int do_share(void) { return result(type("from", MS_SHARED | MS_REC)); }
static void undo_share(void) { CHECK(type("from", MS_PRIVATE | MS_REC) == 0); }
static int do_move(void) { return result(move_to("from", "a/x")); }
static void undo_move(void)
{
	if (exists("from/one"))		/* it was not moved */
		return;
	CHECK(type("b", MS_PRIVATE) == 0 && move_to("b/x", "from") == 0 && type("from", MS_PRIVATE | MS_REC) == 0);
	CHECK(umount2("b", MNT_DETACH) == 0 && umount2("a/x", MNT_DETACH) == 0);
	CHECK(bind_to("a", "b") == 0 && type("b", MS_SLAVE) == 0 && type("b", MS_SHARED) == 0);
}

static const struct op ops[] = {
#define OP(name, undo) { #name, do_##name, undo }
	OP(rbind, undo_x), OP(share, undo_share), OP(move, undo_move),
};

TEST(propagation)
{
	set_up();
	for (unsigned i = 0; i < COUNT(ops); i++) {
		inject(&ops[i], 1);
		check_set();
	}
	strike();
}
