/* POSIX access control lists: who else may, beside owner, group and other.  acl(5). */
#pragma once
#include <fs/vfs.h>

struct acl_entry { u16 tag, perm; u32 id; };		/* ACL_USER_OBJ ... (linux/posix_acl.h); rwx; of ACL_USER and ACL_GROUP */
struct acl { struct rcu_head rcu; u32 nr; struct acl_entry e[]; };	/* [I] once an inode has it */
enum acl_kind { ACL_ACCESS, ACL_DEFAULT };
struct inode_acls { struct acl *acl[2]; };		/* by enum acl_kind; [i,R], NULL: none */

/* --- lists (fs/posix_acl.c: pure) ---
 * acl_alloc - of nr entries, to be filled.  NULL: no memory.  acl_free - one that no inode has.
 * acl_copy - NULL: no memory.
 * acl_from_xattr - of the value of an attribute system.posix_acl_*.  *out NULL: it has no entries.  0, -EINVAL, -EOPNOTSUPP, -ENOMEM.
 * acl_to_xattr - the reverse; size 0 asks for the length.  Length or -ERANGE.
 * acl_is_valid - the entries are those that there must be, in their order.
 * acl_is_mode - does it say no more than nine bits of a mode can?  *mode: those (if not: what a mode shows of it).
 * acl_chmod - give it the bits of a mode.  acl_restrict - a default one becomes that of a file made with *mode, which loses what it does not grant.
 * acl_allows - 0 or -EACCES for somebody who is not the owner.  mask: MAY_*; gid: the file's. */
struct acl *acl_alloc(u32 nr), *acl_copy(const struct acl *a);
void acl_free(struct acl *a);
int __must_check acl_from_xattr(const void *value, size_t size, struct acl **out);
ssize_t acl_to_xattr(const struct acl *a, void *value, size_t size);
bool acl_is_valid(const struct acl *a);
bool acl_is_mode(const struct acl *a, u32 *mode);
void acl_chmod(struct acl *a, u32 mode), acl_restrict(struct acl *a, u32 *mode);
int acl_allows(const struct acl *a, const struct cred *c, u32 gid, u32 mask);

/* --- an inode's (fs/inode_acl.c) ---
 * inode_acl - one of them or NULL.  Context: RCU reader, or the inode's lock.
 * inode_acl_check - what the access ACL says: 0, -EACCES; 1: it says nothing.  RCU-safe.
 * inode_acl_kind - is the name that of an ACL?  *kind.
 * inode_acl_set - setxattr(2) and removexattr(2) (value NULL) of one; checks who may.  inode_acl_get, inode_acl_list - the others' part; locks: the inode's.
 * inode_acl_publish - the inode has this one from now on; it takes a over.  -ENOMEM (a is freed).  Locks: the inode's, for writing, or it is new.
 * inode_acl_chmod_begin/_end - around a change of the mode, so that the ACL follows; locks: the inode's, for writing.
 * inode_acl_inherit - for one just made with its mode and type in dir: the ACLs it gets, and the bits that it loses; not stored yet.
 * inode_acl_bad - the filesystem cannot read it: who depends on it gets EIO.
 * inode_acls_free - with the inode. */
static inline const struct acl *inode_acl(const struct inode *i, enum acl_kind kind)
{
	const struct inode_acls *a = atomic_load_acquire(&i->acls);	/* pairs with the release in inode_acl_publish */

	return likely(!a) ? NULL : atomic_load_acquire(&a->acl[kind]);
}
int inode_acl_check(const struct inode *i, const struct cred *c, u32 mask);
bool inode_acl_kind(const char *name, enum acl_kind *kind);
int inode_acl_set(struct inode *i, enum acl_kind kind, const void *value, size_t size);
ssize_t inode_acl_get(struct inode *i, enum acl_kind kind, void *value, size_t size);
void inode_acl_list(struct inode *i, struct xattr_names *names);
int __must_check inode_acl_publish(struct inode *i, enum acl_kind kind, struct acl *a);
int __must_check inode_acl_chmod_begin(struct inode *i, u32 mode, struct acl **next);
int __must_check inode_acl_chmod_end(struct inode *i, struct acl *next);
int __must_check inode_acl_inherit(struct inode *i, const struct inode *dir);
void inode_acl_bad(struct inode *i);
void inode_acls_free(struct inode *i);

/* dir_umask - what umask takes from a file that is made in dir: nothing, if that has a default ACL.  Locks: dir's. */
static inline u32 dir_umask(const struct inode *dir, u32 umask)
{
	return unlikely(READ_ONCE(dir->acls) != NULL) && (dir->sb->flags & SB_POSIXACL) && inode_acl(dir, ACL_DEFAULT) ? 0 : umask;
}
