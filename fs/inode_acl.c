/* The ACLs of an inode: in memory, from the moment the inode is there.
 *
 * A filesystem reads them when it reads the inode and keeps what inode_ops.set_acl is given; between the two nobody asks it.  So a path walk
 * looks at an ACL under RCU like at a mode, and an inode without one costs it the test of INODE_ACL, which stands beside the mode.  The pair
 * of pointers stays with its inode; a list in it is replaced whole, and freed after a grace period.
 *
 * The mode and the access ACL say the same in the bits that both have: each change of one goes with one of the other, under the inode's lock. */
#include <fs/inode.h>
#include <fs/posix_acl.h>
#include <fs/xattr.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include <mm/writeback.h>

static const char *const names[] = { [ACL_ACCESS] = XATTR_NAME_POSIX_ACL_ACCESS, [ACL_DEFAULT] = XATTR_NAME_POSIX_ACL_DEFAULT };
static struct acl unreadable;		/* no entries */

bool inode_acl_kind(const char *name, enum acl_kind *kind)
{
	if (likely(name[0] != 's' || name[1] != 'y'))
		return false;
	*kind = strcmp(name, names[ACL_DEFAULT]) ? ACL_ACCESS : ACL_DEFAULT;
	return !strcmp(name, names[*kind]);
}

static bool has_acls(const struct inode *i) { return i->sb->flags & SB_POSIXACL; }

int inode_acl_check(const struct inode *i, const struct cred *c, u32 mask)
{
	const struct acl *a;
	int err;

	if (!has_acls(i))
		return 1;
	rcu_read_lock();
	a = inode_acl(i, ACL_ACCESS);
	err = a ? acl_allows(a, c, READ_ONCE(i->gid), mask) : 1;
	rcu_read_unlock();
	return err;
}

/* --- in memory --- */

static void free_rcu(struct rcu_head *head) { acl_free(container_of(head, struct acl, rcu)); }

static int have_pair(struct inode *i)
{
	struct inode_acls *pair;

	if (i->acls)
		return 0;
	pair = kzalloc(sizeof(*pair), GFP_NOIO);
	if (!pair)
		return -ENOMEM;
	__atomic_store_n(&i->acls, pair, __ATOMIC_RELEASE);
	return 0;
}

/* The pair is there. */
static void replace(struct inode *i, enum acl_kind kind, struct acl *a)
{
	struct acl *old = i->acls->acl[kind];

	__atomic_store_n(&i->acls->acl[kind], a, __ATOMIC_RELEASE);
	if (kind == ACL_ACCESS) {
		spin_lock(&i->spin);
		i->flags = a ? i->flags | INODE_ACL : i->flags & ~(u32)INODE_ACL;
		spin_unlock(&i->spin);
	}
	if (old && old != &unreadable)
		call_rcu(&old->rcu, free_rcu);
}

int inode_acl_publish(struct inode *i, enum acl_kind kind, struct acl *a)
{
	int err = a ? have_pair(i) : 0;

	if (err)
		acl_free(a);
	else if (i->acls)
		replace(i, kind, a);
	return err;
}

void inode_acl_bad(struct inode *i)
{
	if (!have_pair(i))
		replace(i, ACL_ACCESS, &unreadable);
}

void inode_acls_free(struct inode *i)
{
	for (int kind = 0; kind < 2; kind++)
		if (i->acls->acl[kind] != &unreadable)
			acl_free(i->acls->acl[kind]);
	kfree(i->acls);
}

/* --- as attributes --- */

ssize_t inode_acl_get(struct inode *i, enum acl_kind kind, void *value, size_t size)
{
	const struct acl *a = inode_acl(i, kind);

	if (!has_acls(i) || inode_is_link(i))
		return -EOPNOTSUPP;
	if (!a)
		return -ENODATA;
	return a == &unreadable ? -EIO : acl_to_xattr(a, value, size);
}

void inode_acl_list(struct inode *i, struct xattr_names *list)
{
	for (int kind = 0; kind < 2; kind++)
		if (has_acls(i) && inode_acl(i, (enum acl_kind)kind))
			xattr_names_add(list, names[kind]);
}

static int store(struct inode *i, enum acl_kind kind, const struct acl *a) { return i->ops->set_acl ? i->ops->set_acl(i, kind, a) : 0; }

/* a, which is valid or NULL, becomes the inode's, and its mode what a mode shows of it.  a is taken over. */
static int set_locked(struct inode *i, enum acl_kind kind, struct acl *a)
{
	u32 mode = i->mode, bits;
	int err;

	if (kind == ACL_ACCESS && a) {
		bool plain = acl_is_mode(a, &bits);

		mode = (mode & ~0777u) | bits;
		if (!cred_in_group(current_cred(), READ_ONCE(i->gid)) && !capable(CAP_FSETID))
			mode &= ~(u32)S_ISGID;
		if (plain) {
			acl_free(a);
			a = NULL;
		}
	}
	err = a ? have_pair(i) : 0;
	if (!err)
		err = store(i, kind, a);
	if (err) {
		acl_free(a);
		return err;
	}
	if (i->acls)
		replace(i, kind, a);
	i->mode = mode;
	inode_touch(i, ATTR_CTIME);
	if (i->sb->writer)
		inode_mark_dirty(i, INODE_DIRTY_DATASYNC);
	return 0;
}

int inode_acl_set(struct inode *i, enum acl_kind kind, const void *value, size_t size)
{
	struct acl *a = NULL;
	int err = value ? acl_from_xattr(value, size, &a) : 0;

	if (err)
		return err;
	if (!has_acls(i) || inode_is_link(i))
		err = -EOPNOTSUPP;
	else if (kind == ACL_DEFAULT && !inode_is_dir(i))
		err = a ? -EACCES : 0;
	else if (!inode_owner_or_capable(i))
		err = -EPERM;
	else if (a && !acl_is_valid(a))
		err = -EINVAL;
	else {
		rwsem_write_lock(&i->lock);
		err = set_locked(i, kind, a);
		rwsem_write_unlock(&i->lock);
		return err;
	}
	acl_free(a);
	return err;
}

/* --- with a mode --- */

int inode_acl_chmod_begin(struct inode *i, u32 mode, struct acl **next)
{
	const struct acl *a = inode_acl(i, ACL_ACCESS);

	*next = NULL;
	if (!a || a == &unreadable || !has_acls(i))
		return 0;
	*next = acl_copy(a);
	if (!*next)
		return -ENOMEM;
	acl_chmod(*next, mode);
	return 0;
}

int inode_acl_chmod_end(struct inode *i, struct acl *next)
{
	int err = store(i, ACL_ACCESS, next);

	if (err)
		acl_free(next);
	else
		replace(i, ACL_ACCESS, next);
	return err;
}

int inode_acl_inherit(struct inode *i, const struct inode *dir)
{
	const struct acl *from = inode_acl(dir, ACL_DEFAULT);
	struct acl *a, *again = NULL;
	u32 mode = i->mode, bits;
	int err;

	if (likely(!from) || !has_acls(dir) || inode_is_link(i))
		return 0;
	a = acl_copy(from);
	if (!a)
		return -ENOMEM;
	acl_restrict(a, &mode);
	i->mode = mode;
	if (acl_is_mode(a, &bits)) {
		acl_free(a);
		a = NULL;
	}
	err = inode_acl_publish(i, ACL_ACCESS, a);
	if (err || !inode_is_dir(i))
		return err;
	again = acl_copy(from);
	return again ? inode_acl_publish(i, ACL_DEFAULT, again) : -ENOMEM;
}
