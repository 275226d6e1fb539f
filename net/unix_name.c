/* Names of local sockets: paths, abstract names, and those that the kernel gives.
 *
 * A socket gets its name once and keeps it.  Names hang in a table of buckets, by inode (paths) or by their bytes and the socket's type
 * (abstract ones, which are a space of their own for each type); a bucket's lock is for changes, look-ups are under RCU and take their
 * reference unless the last one is gone, so a named socket's memory outlasts a grace period.  A path's inode is made by bind(2) like any other
 * node; removing it makes the socket unreachable and changes nothing else.  Only /proc/net/unix wants a list of all, which is separate. */
#include <net/unix_internal.h>
#include <fs/dcache.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/namei.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

#define BUCKET_BITS	6
static struct bucket { struct spinlock lock; struct hlist_head head; } buckets[1 << BUCKET_BITS] = {
	[0 ... (1 << BUCKET_BITS) - 1] = { .lock = SPINLOCK_INIT(LC_UNIX_NAMES) }
};
static DEFINE_SPINLOCK(all_lock, LC_UNIX_NAMES);
static LIST_HEAD(all_sockets);		/* [all_lock] */
static u64 last_serial;			/* [all_lock] */

static const char *name_bytes(const struct unix_name *n) { return (const char *)n->addr.bytes; }
static bool is_path(const struct unix_name *n) { return n->addr.bytes[0]; }

static u32 abstract_bucket(const void *bytes, u32 len, u16 type) { return (hash_string(bytes, len, 0) ^ type) & ((1 << BUCKET_BITS) - 1); }
static u32 inode_bucket(const struct inode *i) { return hash_64((u64)i, BUCKET_BITS); }

int unix_name_check(const struct sockaddr_any *name, u32 len)
{
	return len <= UNIX_NAME_AT || len > sizeof(struct sockaddr_un) || name->family != AF_UNIX ? -EINVAL : 0;
}

static struct unix_name *name_create(const void *bytes, u32 len)
{
	struct unix_name *n = kzalloc(sizeof(*n), GFP_KERNEL);

	if (!n)
		return NULL;
	refcount_set(&n->refs, 1);
	n->len = (u32)UNIX_NAME_AT + len;
	n->addr.family = AF_UNIX;
	memcpy(n->addr.bytes, bytes, len);
	return n;
}

void unix_name_put(struct unix_name *n)
{
	if (refcount_dec_and_test(&n->refs))
		kfree(n);
}

u32 unix_name_copy(const struct unix_sock *u, struct sockaddr_any *to)
{
	const struct unix_name *n = atomic_load_acquire(&u->name);

	if (!n)
		return 0;
	memcpy(to, &n->addr, n->len);
	return n->len;
}

/* --- the tables --- */

static void hash_locked(struct unix_sock *u, struct unix_name *n, u32 bucket)
{
	u->bucket = bucket;
	hlist_add_head_rcu(&u->name_link, &buckets[bucket].head);
	atomic_store_release(&u->name, n);
}

void unix_unhash(struct unix_sock *u)
{
	if (!u->name || hlist_unhashed(&u->name_link))
		return;
	spin_lock(&buckets[u->bucket].lock);
	hlist_del_rcu(&u->name_link);
	spin_unlock(&buckets[u->bucket].lock);
	if (u->name->inode) {
		inode_put(u->name->inode);
		path_put(&u->name->path);
	}
}

void unix_register(struct unix_sock *u)
{
	spin_lock(&all_lock);
	u->serial = ++last_serial;
	list_add_tail(&u->all_link, &all_sockets);
	spin_unlock(&all_lock);
}

void unix_unregister(struct unix_sock *u)
{
	spin_lock(&all_lock);
	list_del_init(&u->all_link);
	spin_unlock(&all_lock);
}

static bool abstract_is(const struct unix_sock *u, const void *bytes, u32 len, u16 type)
{
	const struct unix_name *n = u->name;

	return u->s.type == type && !is_path(n) && n->len == UNIX_NAME_AT + len && !memcmp(n->addr.bytes, bytes, len);
}

static struct unix_sock *find_abstract(const void *bytes, u32 len, u16 type)
{
	struct unix_sock *u;

	rcu_read_lock();
	hlist_for_each_entry_rcu(u, &buckets[abstract_bucket(bytes, len, type)].head, name_link)
		if (abstract_is(u, bytes, len, type) && refcount_inc_not_zero(&u->refs))
			break;
	rcu_read_unlock();
	return u;
}

static struct unix_sock *find_inode(const struct inode *i)
{
	struct unix_sock *u;

	rcu_read_lock();
	hlist_for_each_entry_rcu(u, &buckets[inode_bucket(i)].head, name_link)
		if (u->name->inode == i && refcount_inc_not_zero(&u->refs))
			break;
	rcu_read_unlock();
	return u;
}

/* The path in an address, ended by a NUL: its length. */
static u32 path_of(const struct sockaddr_any *name, u32 len, char path[UNIX_PATH_MAX + 1])
{
	u32 n = len - (u32)UNIX_NAME_AT;

	memcpy(path, name->bytes, n);
	path[n] = 0;
	return (u32)strlen(path);
}

static int find_path(const char *path, u16 type, struct unix_sock **out)
{
	struct path p;
	struct inode *i;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	i = p.dentry->inode;
	err = inode_permission(i, MAY_WRITE);
	if (!err) {
		*out = MODE_IS(READ_ONCE(i->mode), S_IFSOCK) ? find_inode(i) : NULL;
		err = *out ? 0 : -ECONNREFUSED;
	}
	if (!err && (*out)->s.type != type) {
		unix_put(*out);
		err = -EPROTOTYPE;
	}
	path_put(&p);
	return err;
}

int unix_find(const struct sockaddr_any *name, u32 len, u16 type, struct unix_sock **out)
{
	char path[UNIX_PATH_MAX + 1];

	if (name->bytes[0]) {
		path_of(name, len, path);
		return find_path(path, type, out);
	}
	*out = find_abstract(name->bytes, len - (u32)UNIX_NAME_AT, type);
	return *out ? 0 : -ECONNREFUSED;
}

/* --- bind --- */

/* bind mutex held.  Takes n on success. */
static int hash_abstract(struct unix_sock *u, struct unix_name *n)
{
	u32 len = n->len - (u32)UNIX_NAME_AT, b = abstract_bucket(name_bytes(n), len, u->s.type);
	struct unix_sock *o;
	int err = 0;

	spin_lock(&buckets[b].lock);
	hlist_for_each_entry(o, &buckets[b].head, name_link)
		if (abstract_is(o, name_bytes(n), len, u->s.type)) {
			err = -EADDRINUSE;
			break;
		}
	if (!err)
		hash_locked(u, n, b);
	spin_unlock(&buckets[b].lock);
	return err;
}

static int bind_abstract(struct unix_sock *u, const struct sockaddr_any *name, u32 len)
{
	struct unix_name *n = name_create(name->bytes, len - (u32)UNIX_NAME_AT);
	int err = -EINVAL;

	if (!n)
		return -ENOMEM;
	mutex_lock(&u->bind);
	if (!u->name)
		err = hash_abstract(u, n);
	mutex_unlock(&u->bind);
	if (err)
		unix_name_put(n);
	return err;
}

/* Make the node and hash the socket by it; a node of one that has a name already goes again.  w: the directory. */
static int bind_node(struct unix_sock *u, struct walk *w, struct unix_name *n)
{
	u32 mode = u->s.inode ? READ_ONCE(u->s.inode->mode) & 07777 : 0777, b;
	int err = vfs_mknod_path(w, S_IFSOCK | mode, &n->path);

	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	if (u->name) {
		vfs_unlink_at(w, false);
		path_put(&n->path);
		return -EINVAL;
	}
	n->inode = n->path.dentry->inode;
	inode_get(n->inode);
	b = inode_bucket(n->inode);
	spin_lock(&buckets[b].lock);
	hash_locked(u, n, b);
	spin_unlock(&buckets[b].lock);
	return 0;
}

static int bind_path(struct unix_sock *u, const struct sockaddr_any *name, u32 len)
{
	char path[UNIX_PATH_MAX + 1];
	u32 n = path_of(name, len, path);
	struct unix_name *made;
	struct walk w;
	int err = walk_path(&w, AT_FDCWD, path, LOOKUP_PARENT);

	if (err)
		return err;
	made = name_create(path, n + 1);
	err = -ENOMEM;
	if (made) {
		mutex_lock(&u->bind);
		err = bind_node(u, &w, made);
		mutex_unlock(&u->bind);
		if (err)
			unix_name_put(made);
	}
	path_put(&w.path);
	walk_end(&w);
	return err;
}

/* Five hexadecimal digits that nobody has. */
int unix_autobind(struct unix_sock *u)
{
	static u32 next;		/* [a] */
	char text[8];
	struct unix_name *n = NULL;
	int err = 0;

	mutex_lock(&u->bind);
	if (!atomic_load(&next))
		atomic_store(&next, (u32)random_u64() | 1);
	for (u32 tries = 0; !u->name && !err; tries++) {
		text[0] = 0;
		snprintf(text + 1, sizeof(text) - 1, "%05x", atomic_add_return(&next, 1) & 0xfffff);
		n = name_create(text, 6);
		err = n ? hash_abstract(u, n) : -ENOMEM;
		if (err == -EADDRINUSE) {
			unix_name_put(n);
			err = tries > 0xfffff ? -ENOSPC : 0;
		}
	}
	mutex_unlock(&u->bind);
	return err;
}

int unix_bind(struct socket *s, const struct sockaddr_any *name, u32 len)
{
	struct unix_sock *u = unix_of(s);
	int err;

	if (len == UNIX_NAME_AT && name->family == AF_UNIX)
		return unix_autobind(u);
	err = unix_name_check(name, len);
	if (err)
		return err;
	return name->bytes[0] ? bind_path(u, name, len) : bind_abstract(u, name, len);
}

/* --- /proc/net/unix --- */

#define SHOWN_AT_ONCE	32u

static void show_one(struct seq *s, const struct unix_sock *u)
{
	const struct unix_name *n = atomic_load_acquire(&u->name);
	bool listening = READ_ONCE(u->state) == UNIX_LISTENING, connected = READ_ONCE(u->state) == UNIX_CONNECTED;

	/* State: 1 unconnected, 2 connecting, 3 connected, 4 disconnecting; those without a file are on their way in. */
	seq_printf(s, "%016lx: %08X %08X %08X %04X %02X %5lu", 0ul, (u32)refcount_read(&u->refs), 0u, listening ? 0x10000u : 0u, u->s.type,
		   u->s.ino ? (connected ? 3 : 1) : connected ? 2 : 4, u->s.ino);
	if (n) {
		seq_putc(s, ' ');
		for (u32 i = 0; i < n->len - UNIX_NAME_AT - (is_path(n) ? 1 : 0); i++)
			seq_putc(s, n->addr.bytes[i] ? (char)n->addr.bytes[i] : '@');
	}
	seq_putc(s, '\n');
}

/* Shows a few from *at on, or from the first; *at: the next one, referenced; NULL: there is none.  Who makes and ends sockets waits no longer than that. */
static void show_some(struct seq *s, struct unix_sock **at)
{
	struct unix_sock *u, *was = *at, *next = NULL;
	u64 from = was ? was->serial : 0;
	u32 n = 0;

	spin_lock(&all_lock);
	u = was && !list_empty(&was->all_link) ? was : list_first_entry(&all_sockets, struct unix_sock, all_link);
	list_for_each_entry_from(u, &all_sockets, all_link) {
		if (u->serial < from)
			continue;
		if (n++ < SHOWN_AT_ONCE) {
			show_one(s, u);
		} else if (refcount_inc_not_zero(&u->refs)) {
			next = u;
			break;
		}
	}
	spin_unlock(&all_lock);
	if (was)
		unix_put(was);
	*at = next;
}

static int unix_show(struct seq *s, void *arg)
{
	struct unix_sock *at = NULL;

	(void)arg;
	seq_puts(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	do
		show_some(s, &at);
	while (at);
	return 0;
}
PROC_FILE(net_unix, .path = "net/unix", .mode = 0444, .show = unix_show);
