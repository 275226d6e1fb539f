/* The initramfs: cpio archives (newc), plain or gzip, several in a row, unpacked into the root.
 *
 * Bytes are pushed through a state machine - header, name, body, padding - in whatever pieces they come: a plain archive in one
 * piece straight from where the loader put it, a compressed one in the pieces that inflate fills, so that no more than a window is
 * ever held beside the result.  The gzip frame is parsed here and checked by CRC and length; inflate sees the raw stream.
 *
 * Nothing in an archive is trusted: lengths are bounded, names are walked like any program's, and an error is a line in the log and
 * an end of that archive, never a panic.  A single file that cannot be made (no space, a bad name) is reported and skipped.
 * Directories' times are set at the end, after their contents. */
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/namei.h>
#include <kernel/errno.h>
#include <kernel/lib/cpio.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <mm/slab.h>
#define Z_SOLO
#include <zlib.h>

enum state { ST_HEADER, ST_NAME, ST_BODY, ST_PAD, ST_END };
struct seen { struct seen *next; u32 ino, major, minor; char path[]; };
struct dir_time { struct dir_time *next; u32 mtime; char path[]; };

struct unpack {
	enum state state, after_pad;
	u64 offset;			/* in this archive */
	u32 need, have, pad;		/* bytes of header or name wanted and there; padding to skip */
	u64 body_left;
	char header[CPIO_HEADER_LEN];
	struct cpio_header h;
	char *name;			/* PATH_MAX + 1 */
	struct file *file;		/* being written, or NULL: skip the body */
	u64 pos;
	char *link_text;		/* a symlink's body, gathered */
	u32 link_have;
	struct seen *links;
	struct dir_time *dirs;
	u32 nr_files, nr_errors;
	const char *error;		/* set: stop */
};

static void complain(struct unpack *u, const char *what, int err)
{
	if (u->nr_errors++ < 10)
		pr_err("initramfs: %s: %s failed, error %d\n", u->name, what, err);
}

static int set_attrs(struct unpack *u, const char *name, u32 lookup)
{
	struct iattr a = { .valid = ATTR_UID | ATTR_GID | ATTR_MODE | ATTR_MTIME | ATTR_ATIME, .uid = u->h.uid, .gid = u->h.gid,
			   .mode = u->h.mode & 07777, .mtime = { u->h.mtime, 0 }, .atime = { u->h.mtime, 0 } };
	struct path p;
	int err = path_lookup(AT_FDCWD, name, lookup, &p);

	if (err)
		return err;
	err = inode_setattr(p.dentry->inode, &a);
	path_put(&p);
	return err;
}

/* What stands in the way of a new node goes; a directory may stay where a directory comes. */
static void clear_way(struct unpack *u, bool for_dir)
{
	struct path p;
	struct walk w;
	bool dir;

	if (path_lookup(AT_FDCWD, u->name, 0, &p))
		return;
	dir = inode_is_dir(p.dentry->inode);
	path_put(&p);
	if ((dir && for_dir) || walk_path(&w, AT_FDCWD, u->name, LOOKUP_PARENT))
		return;
	vfs_unlink_at(&w, dir);
	path_put(&w.path);
	walk_end(&w);
}

/* A further name of a file seen before?  1: linked; 0: no; -errno. */
static int try_link(struct unpack *u)
{
	struct seen *s;
	struct walk w;
	struct path p;
	size_t len;
	int err;

	if (u->h.nlink < 2 || MODE_IS(u->h.mode, S_IFDIR))
		return 0;
	for (s = u->links; s; s = s->next)
		if (s->ino == u->h.ino && s->major == u->h.dev_major && s->minor == u->h.dev_minor)
			break;
	if (!s) {
		len = strlen(u->name) + 1;
		s = kmalloc(sizeof(*s) + len, GFP_KERNEL);
		if (!s)
			return -ENOMEM;
		*s = (struct seen){ .next = u->links, .ino = u->h.ino, .major = u->h.dev_major, .minor = u->h.dev_minor };
		memcpy(s->path, u->name, len);
		u->links = s;
		return 0;
	}
	err = path_lookup(AT_FDCWD, s->path, 0, &p);
	if (err)
		return err;
	clear_way(u, false);
	err = walk_path(&w, AT_FDCWD, u->name, LOOKUP_PARENT);
	if (!err) {
		err = vfs_link_at(&w, p.dentry->inode, p.mnt);
		path_put(&w.path);
		walk_end(&w);
	}
	path_put(&p);
	return err ? err : 1;
}

static void remember_dir(struct unpack *u)
{
	size_t len = strlen(u->name) + 1;
	struct dir_time *d = kmalloc(sizeof(*d) + len, GFP_KERNEL);

	if (!d)
		return;		/* a directory's time is not worth a failure */
	d->mtime = u->h.mtime;
	d->next = u->dirs;
	memcpy(d->path, u->name, len);
	u->dirs = d;
}

static void start_regular(struct unpack *u)
{
	int linked = try_link(u), err;

	if (linked < 0) {
		complain(u, "link", linked);
		return;
	}
	if (linked && !u->h.size)
		return;
	if (!linked)
		clear_way(u, false);
	err = vfs_open(u->name, O_WRONLY | O_CREAT | O_TRUNC | O_LARGEFILE, u->h.mode & 07777, &u->file);
	if (err) {
		complain(u, "create", err);
		u->file = NULL;
	}
	u->pos = 0;
}

/* The name is complete: make what it names, or get ready for the body. */
static void start_file(struct unpack *u)
{
	u32 type = u->h.mode & S_IFMT_K;
	int err;

	u->file = NULL;
	u->nr_files++;
	switch (type) {
	case S_IFREG:
		start_regular(u);
		return;
	case S_IFLNK:
		if (u->h.size > PATH_MAX - 1) {
			u->error = "a symlink is too long";
			return;
		}
		u->link_have = 0;
		return;
	case S_IFDIR:
		clear_way(u, true);
		err = vfs_mkdir(u->name, u->h.mode & 07777);
		if (!err || err == -EEXIST) {
			remember_dir(u);
			err = set_attrs(u, u->name, LOOKUP_FOLLOW);
		}
		break;
	case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK:
		err = try_link(u);
		if (err)
			break;
		clear_way(u, false);
		err = vfs_mknod(u->name, u->h.mode, MKDEV_K(u->h.rdev_major & 0xfff, u->h.rdev_minor & 0xfffff));
		if (!err)
			err = set_attrs(u, u->name, 0);
		break;
	default:
		err = -EINVAL;
	}
	if (err < 0)
		complain(u, "create", err);
}

static void end_file(struct unpack *u)
{
	int err = 0;

	if (u->file) {
		file_put_now(u->file);
		u->file = NULL;
		err = set_attrs(u, u->name, 0);
	} else if (MODE_IS(u->h.mode, S_IFLNK)) {
		u->link_text[u->link_have] = 0;
		clear_way(u, false);
		err = vfs_symlink(u->link_text, u->name);
		if (!err)
			err = set_attrs(u, u->name, 0);
	}
	if (err)
		complain(u, "create", err);
}

static void body(struct unpack *u, const char *data, size_t len)
{
	if (MODE_IS(u->h.mode, S_IFLNK)) {
		memcpy(u->link_text + u->link_have, data, len);
		u->link_have += (u32)len;
	} else if (u->file) {
		ssize_t n = vfs_write_kernel(u->file, data, len, &u->pos);

		if (n != (ssize_t)len) {
			complain(u, "write", n < 0 ? (int)n : -ENOSPC);
			file_put_now(u->file);
			u->file = NULL;
		}
	}
}

static void pad_to(struct unpack *u, u64 length, enum state next)
{
	u->pad = (u32)(-length & 3);
	u->state = u->pad ? ST_PAD : next;
	u->after_pad = next;
}

static void forget_links(struct unpack *u)
{
	while (u->links) {
		struct seen *next = u->links->next;

		kfree(u->links);
		u->links = next;
	}
}

static void got_header(struct unpack *u)
{
	if (cpio_parse(u->header, &u->h)) {
		u->error = "not a newc cpio header";
		return;
	}
	if (!u->h.name_len || u->h.name_len > PATH_MAX) {
		u->error = "a name's length is out of range";
		return;
	}
	u->state = ST_NAME;
	u->have = 0;
	u->need = u->h.name_len;
}

static void got_name(struct unpack *u)
{
	u->name[u->need] = 0;
	if (!strcmp(u->name, "TRAILER!!!")) {
		forget_links(u);
		u->state = ST_END;
		return;
	}
	start_file(u);
	u->body_left = u->h.size;
	u->have = 0;
	u->need = CPIO_HEADER_LEN;
	if (!u->body_left)
		end_file(u);
	pad_to(u, CPIO_HEADER_LEN + (u64)u->h.name_len, u->body_left ? ST_BODY : ST_HEADER);
}

/* Returns the bytes used: all, unless the archive ended or went wrong. */
static size_t push(struct unpack *u, const char *data, size_t len)
{
	const char *at = data, *end = data + len;

	while (at < end && !u->error && u->state != ST_END) {
		size_t n = (size_t)(end - at);

		switch (u->state) {
		case ST_HEADER:
		case ST_NAME:
			n = min(n, (size_t)(u->need - u->have));
			memcpy((u->state == ST_HEADER ? u->header : u->name) + u->have, at, n);
			u->have += (u32)n;
			at += n;
			if (u->have < u->need)
				break;
			if (u->state == ST_HEADER)
				got_header(u);
			else
				got_name(u);
			break;
		case ST_BODY:
			n = min(n, (size_t)u->body_left);
			body(u, at, n);
			at += n;
			u->body_left -= n;
			if (!u->body_left) {
				end_file(u);
				pad_to(u, u->h.size, ST_HEADER);
			}
			break;
		case ST_PAD:
			n = min(n, (size_t)u->pad);
			at += n;
			u->pad -= (u32)n;
			if (!u->pad)
				u->state = u->after_pad;
			break;
		case ST_END:
			break;
		}
	}
	return (size_t)(at - data);
}

static void begin_archive(struct unpack *u)
{
	u->state = ST_HEADER;
	u->have = 0;
	u->need = CPIO_HEADER_LEN;
}

/* After a trailer: zeros, and perhaps another archive in the same stream. */
static void push_stream(struct unpack *u, const char *data, size_t len)
{
	while (len && !u->error) {
		size_t n;

		if (u->state == ST_END) {
			while (len && !*data) {
				data++;
				len--;
			}
			if (!len)
				return;
			begin_archive(u);
		}
		n = push(u, data, len);
		data += n;
		len -= n;
	}
}

/* --- gzip --- */

static void *z_alloc(void *opaque, unsigned n, unsigned size) { (void)opaque; return kvmalloc((size_t)n * size, GFP_KERNEL); }
static void z_free(void *opaque, void *p) { (void)opaque; kvfree(p); }

/* Length of the gzip header at p, or 0 if it is not one. */
static size_t gzip_header(const u8 *p, size_t len)
{
	size_t n = 10;
	u8 flags;

	if (len < 18 || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8)
		return 0;
	flags = p[3];
	if (flags & 4) {
		if (n + 2 > len)
			return 0;
		n += 2u + (size_t)(p[n] | p[n + 1] << 8);
	}
	for (int strings = (flags >> 3 & 1) + (flags >> 4 & 1); strings; strings--) {
		while (n < len && p[n])
			n++;
		n++;
	}
	if (flags & 2)
		n += 2;
	return n < len ? n : 0;
}

#define OUT_SIZE	32768

static size_t unpack_gzip(struct unpack *u, const u8 *data, size_t len)
{
	size_t head = gzip_header(data, len), used = len;
	z_stream z = { .zalloc = z_alloc, .zfree = z_free };
	u8 *out = kvmalloc(OUT_SIZE, GFP_KERNEL);
	unsigned long crc = crc32(0, NULL, 0);
	int res = Z_OK;

	if (!head || !out || inflateInit2(&z, -15) != Z_OK) {
		u->error = !head ? "the gzip header is damaged" : "no memory to decompress it";
		kvfree(out);
		return len;
	}
	z.next_in = (u8 *)data + head;
	z.avail_in = (unsigned)(len - head);
	while (res == Z_OK && !u->error) {
		z.next_out = out;
		z.avail_out = OUT_SIZE;
		res = inflate(&z, Z_NO_FLUSH);
		if (res != Z_OK && res != Z_STREAM_END)
			break;
		crc = crc32(crc, out, OUT_SIZE - z.avail_out);
		push_stream(u, (char *)out, OUT_SIZE - z.avail_out);
	}
	if (!u->error && res == Z_STREAM_END && z.avail_in >= 8) {
		const u8 *t = z.next_in;

		used = (size_t)(t + 8 - data);
		if ((t[0] | t[1] << 8 | t[2] << 16 | (u32)t[3] << 24) != (u32)crc ||
		    (t[4] | t[5] << 8 | t[6] << 16 | (u32)t[7] << 24) != (u32)z.total_out)
			u->error = "the gzip checksum is wrong";
	} else if (!u->error) {
		u->error = res == Z_BUF_ERROR || res == Z_OK || res == Z_STREAM_END ? "the gzip data is truncated" : "the gzip data is corrupt";
	}
	inflateEnd(&z);
	kvfree(out);
	return used;
}

static void set_dir_times(struct unpack *u)
{
	while (u->dirs) {
		struct dir_time *d = u->dirs;
		struct iattr a = { .valid = ATTR_MTIME | ATTR_ATIME, .mtime = { d->mtime, 0 }, .atime = { d->mtime, 0 } };
		struct path p;

		if (!path_lookup(AT_FDCWD, d->path, LOOKUP_FOLLOW, &p)) {
			inode_setattr(p.dentry->inode, &a);
			path_put(&p);
		}
		u->dirs = d->next;
		kfree(d);
	}
}

static void unpack_all(struct unpack *u, const u8 *at, size_t len)
{
	u->state = ST_END;
	while (len && !u->error) {
		size_t n;

		if (!*at && u->state == ST_END) {
			n = 1;
		} else if (len > 2 && at[0] == 0x1f && at[1] == 0x8b) {
			n = unpack_gzip(u, at, len);
		} else if (*at == '0') {
			begin_archive(u);
			n = push(u, (const char *)at, len);
		} else {
			u->error = "neither cpio (newc) nor gzip";
			break;
		}
		at += n;
		len -= n;
	}
	if (!u->error && u->state != ST_END)
		u->error = "the archive is truncated";
}

int initramfs_unpack(const void *data, size_t size)
{
	struct unpack *u = kzalloc(sizeof(*u), GFP_KERNEL);
	u32 umask = current->fs->umask;
	int err = -ENOMEM;

	if (!u)
		return err;
	u->name = kmalloc(PATH_MAX + 8, GFP_KERNEL);
	u->link_text = kmalloc(PATH_MAX + 8, GFP_KERNEL);
	if (u->name && u->link_text) {
		current->fs->umask = 0;
		unpack_all(u, data, size);
		current->fs->umask = umask;
		if (u->file)
			file_put_now(u->file);
		set_dir_times(u);
		forget_links(u);
		err = u->error ? -EINVAL : 0;
		if (!size)
			pr_err("initramfs: it is empty\n");
		else if (u->error)
			pr_err("initramfs: %s; unpacked %u files before\n", u->error, u->nr_files);
		else
			pr_debug("initramfs: %u files, %lu bytes\n", u->nr_files, size);
	}
	kfree(u->name);
	kfree(u->link_text);
	kfree(u);
	return err;
}
