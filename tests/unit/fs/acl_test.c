/* Access control lists: whatever a program calls one is parsed without harm, and what is valid survives the way out and in. */
#include <fs/posix_acl.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <tests/unit/unit.h>

static u32 my_group;
bool cred_in_group(const struct cred *c, u32 gid) { (void)c; return gid == my_group; }

static struct acl *random_acl(void)
{
	u32 users = (u32)unit_below(3), groups = (u32)unit_below(3), n = 0;
	bool mask = users + groups || unit_below(2);
	struct acl *a = acl_alloc(3 + users + groups + mask);

	a->e[n++] = (struct acl_entry){ ACL_USER_OBJ, (u16)unit_below(8), ~0u };
	for (u32 i = 0; i < users; i++)
		a->e[n++] = (struct acl_entry){ ACL_USER, (u16)unit_below(8), 100 + i };
	a->e[n++] = (struct acl_entry){ ACL_GROUP_OBJ, (u16)unit_below(8), ~0u };
	for (u32 i = 0; i < groups; i++)
		a->e[n++] = (struct acl_entry){ ACL_GROUP, (u16)unit_below(8), 200 + i };
	if (mask)
		a->e[n++] = (struct acl_entry){ ACL_MASK, (u16)unit_below(8), ~0u };
	a->e[n++] = (struct acl_entry){ ACL_OTHER, (u16)unit_below(8), ~0u };
	return a;
}

TEST(out_and_in)
{
	for (int round = 0; round < 2000; round++) {
		struct acl *a = random_acl(), *b;
		size_t n = (size_t)acl_to_xattr(a, NULL, 0);
		char *v = host_alloc(n);

		EXPECT(acl_is_valid(a));
		EXPECT_EQ(acl_to_xattr(a, v, n - 1), -34);
		EXPECT_EQ(acl_to_xattr(a, v, n), n);
		EXPECT_EQ(acl_from_xattr(v, n, &b), 0);
		EXPECT_EQ(b->nr, a->nr);
		EXPECT(!memcmp(a->e, b->e, a->nr * sizeof(a->e[0])));
		host_free(v);
		acl_free(a);
		acl_free(b);
	}
}

TEST(anything_is_parsed)
{
	for (int round = 0; round < 20000; round++) {
		size_t n = unit_below(60);
		u8 *v = host_alloc(n + !n);
		struct acl *a;
		u32 mode;

		for (size_t i = 0; i < n; i++)
			v[i] = (u8)(unit_below(3) ? unit_below(2) << unit_below(6) : unit_random());
		if (n >= 4)
			memcpy(v, &(u32){ 2 }, 4);
		if (!acl_from_xattr(v, n, &a) && a) {
			if (acl_is_valid(a)) {
				acl_is_mode(a, &mode);
				EXPECT_EQ(mode & ~0777u, 0);
			}
			acl_free(a);
		}
		host_free(v);
	}
}

TEST(a_mode_and_back)
{
	for (int round = 0; round < 2000; round++) {
		struct acl *a = random_acl(), *b;
		u32 mode = (u32)unit_below(010000), was = mode, shown;

		b = acl_copy(a);
		acl_chmod(b, mode);
		acl_is_mode(b, &shown);
		EXPECT_EQ(shown, mode & 0777);
		acl_restrict(a, &mode);
		acl_is_mode(a, &shown);
		EXPECT_EQ(shown, mode & 0777);
		EXPECT_EQ(mode & ~was, 0);
		EXPECT_EQ(mode & ~0777u, was & ~0777u);
		acl_free(a);
		acl_free(b);
	}
}

/* The mask bounds everybody who is named, and the group; and no grant comes from nowhere. */
TEST(no_more_than_the_mask)
{
	struct cred c = { 0 };

	for (int round = 0; round < 5000; round++) {
		struct acl *a = random_acl();
		u32 want = 1u << unit_below(3), mask = 7, other = a->e[a->nr - 1].perm, any = 0;

		c.fsuid = 100 + (u32)unit_below(3);
		my_group = 199 + (u32)unit_below(3);
		for (u32 n = 0; n < a->nr; n++) {
			any |= a->e[n].perm;
			if (a->e[n].tag == ACL_MASK)
				mask = a->e[n].perm;
		}
		if (!acl_allows(a, &c, 200, want))
			EXPECT(want & any && (want & mask || want & other));
		acl_free(a);
	}
}
