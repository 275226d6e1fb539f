/* Extended attributes: small named values beside an inode's data.  xattr(7). */
#pragma once
#include <fs/vfs.h>

/* A list of attributes kept in memory, for filesystems that have no better place.  Guarded by the inode's lock. */
struct xattrs { struct xattr *first; };

/* xattrs_get - the value of name, at most size bytes; size 0 asks for its length.
 * Returns the length, -ENODATA, -ERANGE (does not fit).  Locks: the inode's, in any mode. */
ssize_t xattrs_get(const struct xattrs *x, const char *name, void *value, size_t size);
/* xattrs_set - value becomes the attribute name; value NULL removes it.  flags: XATTR_CREATE, XATTR_REPLACE.
 * 0, -EEXIST, -ENODATA, -ENOMEM.  Locks: the inode's, for writing. */
int xattrs_set(struct xattrs *x, const char *name, const void *value, size_t size, u32 flags);
/* xattrs_list - tell fn each name.  Locks: the inode's, in any mode. */
void xattrs_list(const struct xattrs *x, struct xattr_names *names);
/* xattrs_free - of an inode that nobody else holds. */
void xattrs_free(struct xattrs *x);
/* inode_xattr - an attribute that the kernel itself goes by: nobody's rights are asked.  As xattrs_get, and -EOPNOTSUPP.  Locks: takes the inode's
 * for reading. */
ssize_t inode_xattr(struct inode *i, const char *name, void *value, size_t size);
/* xattr_names_add - one name, from inode_ops.listxattr. */
void xattr_names_add(struct xattr_names *names, const char *name);
