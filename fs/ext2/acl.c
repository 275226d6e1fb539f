/* ACLs on the disk: attributes without a name, of two kinds of their own; an entry for a named user or group has eight bytes, any other four. */
#include <fs/ext2/ext2.h>
#include <fs/posix_acl.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <linux/posix_acl.h>
#include <mm/slab.h>

#define VERSION 1u
struct disk_acl { u32 version; };
struct disk_entry { u16 tag, perm; u32 id; };
#define SHORT 4u
#define LONG 8u

static u32 entry_size(u32 tag) { return tag == ACL_USER || tag == ACL_GROUP ? LONG : SHORT; }
static u32 index_of(enum acl_kind kind) { return kind == ACL_ACCESS ? EXT2_XATTR_ACL_ACCESS : EXT2_XATTR_ACL_DEFAULT; }

/* NULL: what is wrong is said in *why; or no memory, and *why is NULL. */
static struct acl *decode(const void *value, u32 size, const char **why)
{
	const struct disk_acl *h = value;
	const char *at = (const char *)(h + 1), *end = (const char *)value + size;
	struct acl *a;
	u32 nr = 0;

	*why = "its size";
	if (size < sizeof(*h))
		return NULL;
	for (; end - at >= (s64)SHORT && end - at >= (s64)entry_size(*(const u16 *)at); at += entry_size(*(const u16 *)at))
		nr++;
	if (at != end)
		return NULL;
	*why = "a_version";
	if (h->version != VERSION)
		return NULL;
	*why = NULL;
	a = acl_alloc(nr);
	if (!a)
		return NULL;
	at = (const char *)(h + 1);
	for (u32 n = 0; n < nr; n++) {
		const struct disk_entry *d = (const struct disk_entry *)at;
		u32 len = entry_size(d->tag);

		a->e[n] = (struct acl_entry){ d->tag, d->perm, len == LONG ? d->id : (u32)ACL_UNDEFINED_ID };
		at += len;
	}
	if (acl_is_valid(a))
		return a;
	*why = "its entries";
	acl_free(a);
	return NULL;
}

static u32 encode(const struct acl *a, void *value)
{
	char *at = (char *)value + sizeof(struct disk_acl);

	((struct disk_acl *)value)->version = VERSION;
	for (u32 n = 0; n < a->nr; n++) {
		struct disk_entry *d = (struct disk_entry *)at;
		u32 len = entry_size(a->e[n].tag);

		d->tag = a->e[n].tag;
		d->perm = a->e[n].perm;
		if (len == LONG)
			d->id = a->e[n].id;
		at += len;
	}
	return (u32)(at - (char *)value);
}

int ext2_set_acl(struct inode *i, u32 kind, const struct acl *a)
{
	size_t most = a ? sizeof(struct disk_acl) + a->nr * sizeof(struct disk_entry) : 0;
	void *value;
	int err;

	if (!a)
		return ext2_xattr_put(i, index_of(kind), "", NULL, 0, 0);
	value = kvmalloc(most, GFP_NOIO);
	if (!value)
		return -ENOMEM;
	err = ext2_xattr_put(i, index_of(kind), "", value, encode(a, value), 0);
	kvfree(value);
	return err;
}

int ext2_acl_inherit(struct inode *i, const struct inode *dir)
{
	int err = inode_acl_inherit(i, dir);

	for (u32 kind = 0; kind < 2 && !err; kind++) {
		const struct acl *a = inode_acl(i, kind);

		if (a)
			err = ext2_set_acl(i, kind, a);
	}
	return err;
}

static void read_one(struct inode *i, enum acl_kind kind, void *buf, u32 size)
{
	ssize_t n = ext2_xattr_get(i, index_of(kind), "", buf, size);
	const char *why = NULL;
	struct acl *a = NULL;

	if (n == -ENODATA)
		return;
	if (n >= 0)
		a = decode(buf, (u32)n, &why);
	if (why)
		ext2_error(ext2_sb(i->sb), "inode %lu: %s ACL: %s", i->ino, kind == ACL_ACCESS ? "access" : "default", why);
	if ((!a || inode_acl_publish(i, kind, a)) && kind == ACL_ACCESS)
		inode_acl_bad(i);
}

void ext2_acls_read(struct inode *i)
{
	u32 size = ext2_sb(i->sb)->geo.block_size;
	void *buf;

	if (inode_is_link(i))
		return;
	buf = kmalloc(size, GFP_NOIO);
	if (!buf) {
		inode_acl_bad(i);
		return;
	}
	read_one(i, ACL_ACCESS, buf, size);
	if (inode_is_dir(i))
		read_one(i, ACL_DEFAULT, buf, size);
	kfree(buf);
}
