/* Paths as text: from a place back to its name.
 *
 * A path is climbed from the dentry to the root under RCU, written backwards into the buffer, and thrown away if a rename or a
 * mount moved something meanwhile (rename_seq, mount_seq).  The root is current's: a place outside of it is shown from the top
 * of its mount tree with "(unreachable)", as getcwd() does on Linux. */
#include <fs/dcache.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <syscall_protos.h>
#include <fs/inode.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include <arch/uaccess.h>
#include <linux/limits.h>
#include <mm/slab.h>

void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mnt);
}

static bool prepend(char **at, char *buf, const char *text, size_t len)
{
	if ((size_t)(*at - buf) < len)
		return false;
	*at -= len;
	memcpy(*at, text, len);
	return true;
}

enum climb { CLIMB_ROOT, CLIMB_TOP, CLIMB_TOO_LONG };

/* d's name before *at.  A pointer of one name with the length of another would lead out of it, so both are of one moment; what
 * stands there may change under the copy (rename_seq tells), but not go away.  Locks: RCU. */
static bool prepend_name(char **at, char *buf, const struct dentry *d)
{
	const char *name;
	u32 seq, len;
	bool fits;

	do {
		seq = seq_read_begin(&d->seq);
		name = READ_ONCE(d->name);
		len = READ_ONCE(d->name_len);
	} while (seq_read_retry(&d->seq, seq));
	race_marked_begin();
	fits = prepend(at, buf, name, len);
	race_marked_end();
	return fits;
}

/* One try at climbing; *at moves down as names are put before it. */
static enum climb climb(const struct path *p, const struct path *root, char *buf, char **at)
{
	const struct mount *m = p->mnt;
	const struct dentry *d = p->dentry;
	bool any = false;

	for (;;) {
		if (d == root->dentry && m == root->mnt)
			break;
		if (d == m->root || READ_ONCE(d->parent) == d) {
			const struct mount *up = READ_ONCE(m->parent);

			if (!up || d != m->root)
				return !any && !prepend(at, buf, "/", 1) ? CLIMB_TOO_LONG : CLIMB_TOP;
			d = READ_ONCE(m->mountpoint);
			m = up;
			continue;
		}
		if (!prepend_name(at, buf, d) || !prepend(at, buf, "/", 1))
			return CLIMB_TOO_LONG;
		any = true;
		d = READ_ONCE(d->parent);
	}
	return !any && !prepend(at, buf, "/", 1) ? CLIMB_TOO_LONG : CLIMB_ROOT;
}

static char *anon_string(const struct dentry *d, char *buf, size_t size)
{
	int n;

	if (d->inode && (!strcmp(d->name, "pipe") || !strcmp(d->name, "socket")))
		n = snprintf(buf, size, "%s:[%llu]", d->name, (unsigned long long)d->inode->ino);
	else if (d->name[0] == '/')
		n = snprintf(buf, size, "%s (deleted)", d->name);	/* memfd */
	else
		n = snprintf(buf, size, "anon_inode:%s", d->name);
	return n < (int)size ? buf : NULL;
}

char *dentry_string(const struct dentry *from, const struct dentry *root, char *buf, size_t size)
{
	bool fits;
	char *at;
	u32 rs;

	do {
		rs = seq_read_begin(&rename_seq);
		at = buf + size;
		fits = prepend(&at, buf, "", 1);
		rcu_read_lock();
		for (const struct dentry *d = from, *up; fits && d != root && (up = READ_ONCE(d->parent)) != d; d = up)
			fits = prepend_name(&at, buf, d) && prepend(&at, buf, "/", 1);
		rcu_read_unlock();
	} while (seq_read_retry(&rename_seq, rs));
	return fits ? at : NULL;
}

char *path_string_from(const struct path *p, const struct path *root, char *buf, size_t size, bool *outside)
{
	enum climb res;
	char *at;

	if (READ_ONCE(p->dentry->flags) & DENTRY_ANON)
		return anon_string(p->dentry, buf, size);
	for (;;) {
		u32 rs = seq_read_begin(&rename_seq), ms = seq_read_begin(&mount_seq);

		at = buf + size;
		if (!prepend(&at, buf, "", 1))
			return NULL;
		if (dentry_unhashed(p->dentry) && READ_ONCE(p->dentry->parent) != p->dentry && !prepend(&at, buf, " (deleted)", 10))
			return NULL;
		rcu_read_lock();
		res = climb(p, root, buf, &at);
		rcu_read_unlock();
		if (!seq_read_retry(&rename_seq, rs) && !seq_read_retry(&mount_seq, ms))
			break;
	}
	*outside = res == CLIMB_TOP;
	return res == CLIMB_TOO_LONG ? NULL : at;
}

char *path_string(const struct path *p, char *buf, size_t size)
{
	struct path root;
	bool outside;
	char *s;

	fs_get_root(&root);
	s = path_string_from(p, &root, buf, size, &outside);
	path_put(&root);
	return s;
}

long sys_getcwd(void __user *ubuf, size_t size)
{
	struct path cwd, root;
	bool outside = false;
	char *buf, *s;
	long ret;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	fs_get_cwd(&cwd);
	fs_get_root(&root);
	s = path_string_from(&cwd, &root, buf + 16, PATH_MAX - 16, &outside);
	if (!s) {
		ret = -ENAMETOOLONG;
	} else if (dentry_unhashed(cwd.dentry) && READ_ONCE(cwd.dentry->parent) != cwd.dentry) {
		ret = -ENOENT;
	} else {
		size_t len;

		if (outside) {
			s -= 13;
			memcpy(s, "(unreachable)", 13);
		}
		len = strlen(s) + 1;
		ret = len > size ? -ERANGE : copy_to_user(ubuf, s, len) ? -EFAULT : (long)len;
	}
	path_put(&root);
	path_put(&cwd);
	kfree(buf);
	return ret;
}
