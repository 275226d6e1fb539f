/* Extended attributes of an inode kept as a list in memory. */
#include <linux/xattr.h>
#include <fs/xattr.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

struct xattr { struct xattr *next; size_t size; const char *value; char name[]; };

static struct xattr **find(const struct xattrs *x, const char *name)
{
	struct xattr **at;

	for (at = (struct xattr **)&x->first; *at; at = &(*at)->next)
		if (!strcmp((*at)->name, name))
			break;
	return at;
}

ssize_t xattrs_get(const struct xattrs *x, const char *name, void *value, size_t size)
{
	const struct xattr *a = *find(x, name);

	if (!a)
		return -ENODATA;
	if (size && size < a->size)
		return -ERANGE;
	if (size)
		memcpy(value, a->value, a->size);
	return (ssize_t)a->size;
}

int xattrs_set(struct xattrs *x, const char *name, const void *value, size_t size, u32 flags)
{
	struct xattr **at = find(x, name), *old = *at, *a = NULL;
	size_t len = strlen(name) + 1;

	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (!value || (flags & XATTR_REPLACE)))
		return -ENODATA;
	if (value) {
		a = kvmalloc(sizeof(*a) + len + size, GFP_KERNEL);
		if (!a)
			return -ENOMEM;
		memcpy(a->name, name, len);
		memcpy(a->name + len, value, size);
		a->value = a->name + len;
		a->size = size;
		a->next = old ? old->next : NULL;
	}
	*at = a ? a : old->next;
	kvfree(old);
	return 0;
}

void xattrs_list(const struct xattrs *x, struct xattr_names *names)
{
	for (const struct xattr *a = x->first; a; a = a->next)
		xattr_names_add(names, a->name);
}

void xattrs_free(struct xattrs *x)
{
	while (x->first) {
		struct xattr *a = x->first;

		x->first = a->next;
		kvfree(a);
	}
}
