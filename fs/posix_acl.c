/* Lists of who may: parsed, judged, asked.  Pure: knows no inode.
 *
 * A list has an entry for the owner, the owning group and the others, as a mode has; between them any number of named users and groups; and, if it
 * names somebody, a mask that bounds all but the owner and the others.  Entries stand in the order of their tags.  Where there is a mask, a mode
 * shows it as its group's bits, and chmod changes it: so a program that only knows of modes takes no right for less than it is.
 *
 * Source: the withdrawn POSIX 1003.1e, draft 17, section 23; acl(5). */
#include <fs/posix_acl.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <mm/slab.h>

#define NO_ID ((u32)ACL_UNDEFINED_ID)

static size_t bytes(u32 nr) { return sizeof(struct acl) + nr * sizeof(struct acl_entry); }

struct acl *acl_alloc(u32 nr)
{
	struct acl *a = kvmalloc(bytes(nr), GFP_NOIO);

	if (a)
		a->nr = nr;
	return a;
}

void acl_free(struct acl *a) { kvfree(a); }

struct acl *acl_copy(const struct acl *a)
{
	struct acl *copy = acl_alloc(a->nr);

	if (copy)
		memcpy(copy->e, a->e, a->nr * sizeof(a->e[0]));
	return copy;
}

static bool is_named(u32 tag) { return tag == ACL_USER || tag == ACL_GROUP; }

/* --- as the value of an attribute --- */

int acl_from_xattr(const void *value, size_t size, struct acl **out)
{
	const struct posix_acl_xattr_header *h = value;
	const struct posix_acl_xattr_entry *x = (const void *)(h + 1);
	struct acl *a;
	u32 nr;

	*out = NULL;
	if (size < sizeof(*h))
		return -EINVAL;
	if (h->a_version != POSIX_ACL_XATTR_VERSION)
		return -EOPNOTSUPP;
	if ((size - sizeof(*h)) % sizeof(*x))
		return -EINVAL;
	nr = (u32)((size - sizeof(*h)) / sizeof(*x));
	if (!nr)
		return 0;
	a = acl_alloc(nr);
	if (!a)
		return -ENOMEM;
	for (u32 n = 0; n < nr; n++) {
		u32 tag = x[n].e_tag;
		bool named = is_named(tag);

		a->e[n] = (struct acl_entry){ (u16)tag, x[n].e_perm, named ? x[n].e_id : NO_ID };
		if ((named && x[n].e_id == NO_ID) || (!named && tag != ACL_USER_OBJ && tag != ACL_GROUP_OBJ && tag != ACL_MASK && tag != ACL_OTHER)) {
			acl_free(a);
			return -EINVAL;
		}
	}
	*out = a;
	return 0;
}

ssize_t acl_to_xattr(const struct acl *a, void *value, size_t size)
{
	size_t n = sizeof(struct posix_acl_xattr_header) + a->nr * sizeof(struct posix_acl_xattr_entry);
	struct posix_acl_xattr_header *h = value;
	struct posix_acl_xattr_entry *x = (void *)(h + 1);

	if (!size)
		return (ssize_t)n;
	if (size < n)
		return -ERANGE;
	h->a_version = POSIX_ACL_XATTR_VERSION;
	for (u32 k = 0; k < a->nr; k++)
		x[k] = (struct posix_acl_xattr_entry){ .e_tag = a->e[k].tag, .e_perm = a->e[k].perm, .e_id = a->e[k].id };
	return (ssize_t)n;
}

bool acl_is_valid(const struct acl *a)
{
	u32 at = 0, seen = 0;			/* tags are bits that rise in the order of entries */

	for (u32 n = 0; n < a->nr; n++) {
		u32 tag = a->e[n].tag;

		if (a->e[n].perm & ~7u || tag < at || (tag == at && !is_named(tag)))
			return false;
		at = tag;
		seen |= tag;
	}
	if ((seen & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) != (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
		return false;
	return !(seen & (ACL_USER | ACL_GROUP)) || seen & ACL_MASK;
}

/* --- as a mode --- */

bool acl_is_mode(const struct acl *a, u32 *mode)
{
	u32 bits = 0, mask = 0;
	bool more = false, masked = false;

	for (u32 n = 0; n < a->nr; n++) {
		u32 perm = a->e[n].perm;

		switch (a->e[n].tag) {
		case ACL_USER_OBJ:
			bits |= perm << 6;
			break;
		case ACL_GROUP_OBJ:
			bits |= perm << 3;
			break;
		case ACL_OTHER:
			bits |= perm;
			break;
		case ACL_MASK:
			mask = perm;
			masked = true;
			break;
		default:
			more = true;
		}
	}
	*mode = masked ? (bits & ~070u) | mask << 3 : bits;
	return !more && !masked;
}

/* The entry that a mode shows as its group's bits. */
static struct acl_entry *group_bits(struct acl *a)
{
	struct acl_entry *found = NULL;

	for (u32 n = 0; n < a->nr; n++)
		if (a->e[n].tag == ACL_MASK || (a->e[n].tag == ACL_GROUP_OBJ && !found))
			found = &a->e[n];
	return found;
}

static struct acl_entry *entry_of(struct acl *a, u32 tag)
{
	for (u32 n = 0; n < a->nr; n++)
		if (a->e[n].tag == tag)
			return &a->e[n];
	return NULL;
}

void acl_chmod(struct acl *a, u32 mode)
{
	entry_of(a, ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group_bits(a)->perm = mode >> 3 & 7;
	entry_of(a, ACL_OTHER)->perm = mode & 7;
}

void acl_restrict(struct acl *a, u32 *mode)
{
	struct acl_entry *owner = entry_of(a, ACL_USER_OBJ), *group = group_bits(a), *other = entry_of(a, ACL_OTHER);

	owner->perm &= *mode >> 6 & 7;
	group->perm &= *mode >> 3 & 7;
	other->perm &= *mode & 7;
	*mode = (*mode & ~0777u) | (u32)(owner->perm << 6 | group->perm << 3 | other->perm);
}

/* --- asked --- */

static u32 mask_of(const struct acl *a)
{
	for (u32 n = a->nr; n--;)
		if (a->e[n].tag == ACL_MASK)
			return a->e[n].perm;
	return 7;
}

/* The first entry that is about him decides; of the groups he is in, one that grants all. */
int acl_allows(const struct acl *a, const struct cred *c, u32 gid, u32 mask)
{
	u32 want = mask & 7;
	bool in_group = false;

	for (u32 n = 0; n < a->nr; n++) {
		const struct acl_entry *e = &a->e[n];

		switch (e->tag) {
		case ACL_USER:
			if (e->id == c->fsuid)
				return want & ~(e->perm & mask_of(a)) ? -EACCES : 0;
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!cred_in_group(c, e->tag == ACL_GROUP ? e->id : gid))
				break;
			in_group = true;
			if (!(want & ~(u32)e->perm))
				return want & ~mask_of(a) ? -EACCES : 0;
			break;
		case ACL_OTHER:
			return in_group || want & ~(u32)e->perm ? -EACCES : 0;
		}
	}
	return -EIO;
}
