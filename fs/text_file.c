/* Files whose text is made by a function when they are read. */
#include <fs/text_file.h>
#include <kernel/errno.h>
#include <kernel/task.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>

struct text *text_create(void)
{
	struct text *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (t)
		mutex_init(&t->mutex, LC_FS_PRIVATE);
	return t;
}

void text_destroy(struct text *t)
{
	if (t)
		kvfree(t->seq.buf);
	kfree(t);
}

static int remake(struct text *t, int (*make)(struct seq *s, void *arg), void *arg)
{
	struct seq s = { NULL, 0, 0, false }, old;
	int err = make(&s, arg);

	if (!err && s.overflow)
		err = -ENOMEM;
	if (err) {
		kvfree(s.buf);
		return err;
	}
	mutex_lock(&t->mutex);
	old = t->seq;
	t->seq = s;
	t->made = true;
	mutex_unlock(&t->mutex);
	kvfree(old.buf);
	return 0;
}

/* What *pos is in of the text that there is: bytes; -EFAULT.  The copy may fault, and mmap_lock ranks before our mutex: through a buffer. */
static ssize_t copy_out(struct text *t, struct iov_iter *to, u64 *pos)
{
	size_t n = 0;

	while (to->count) {
		char piece[512];
		size_t len = min(sizeof(piece), to->count), got;
		u64 at;

		mutex_lock(&t->mutex);
		at = *pos - t->base;
		len = *pos >= t->base && at < t->seq.len ? min(len, (size_t)(t->seq.len - at)) : 0;
		if (len)
			memcpy(piece, t->seq.buf + at, len);
		mutex_unlock(&t->mutex);
		if (!len)
			break;
		got = copy_to_iter(piece, len, to);
		*pos += got;
		n += got;
		if (got < len)
			return n ? (ssize_t)n : -EFAULT;
	}
	return (ssize_t)n;
}

ssize_t text_read(struct text *t, int (*make)(struct seq *s, void *arg), void *arg, struct iov_iter *to, u64 *pos)
{
	int err = READ_ONCE(t->made) && *pos ? 0 : remake(t, make, arg);

	if (err)
		return err;
	return copy_out(t, to, pos);
}

/* The next piece: from the start on if first or if *pos is elsewhere, else behind the one there is.  1: it was made and is there now; 0: the end. */
static int make_piece(struct text *t, bool first, int (*more)(struct seq *s, u64 *cursor, void *arg), void *arg, u64 pos)
{
	struct seq s = { kmalloc(PAGE_SIZE, GFP_KERNEL), PAGE_SIZE, 0, false }, old;
	u64 base = 0, cursor = 0;
	int err;

	if (!s.buf)
		return -ENOMEM;
	mutex_lock(&t->mutex);
	if (!first && t->made && pos >= t->base + t->seq.len) {
		base = t->base + t->seq.len;
		cursor = t->cursor;
	}
	mutex_unlock(&t->mutex);
	do {
		base += s.len;
		s.len = 0;
		err = fatal_signal_pending(current) ? -EINTR : more(&s, &cursor, arg);
		if (!err && s.overflow)
			err = -ENOMEM;
	} while (!err && s.len && pos >= base + s.len);
	if (err || !s.len) {
		kvfree(s.buf);
		return err;
	}
	mutex_lock(&t->mutex);
	old = t->seq;
	t->seq = s;
	t->base = base;
	t->cursor = cursor;
	t->made = true;
	mutex_unlock(&t->mutex);
	kvfree(old.buf);
	return 1;
}

ssize_t text_read_pieces(struct text *t, int (*more)(struct seq *s, u64 *cursor, void *arg), void *arg, struct iov_iter *to, u64 *pos)
{
	bool first = *pos == 0;
	ssize_t n = first || !to->count ? 0 : copy_out(t, to, pos), rest;
	int made;

	if (n < 0 || !to->count)
		return n;
	made = make_piece(t, first, more, arg, *pos);
	if (made <= 0)
		return n ? n : made;
	rest = copy_out(t, to, pos);
	return rest < 0 && n ? n : n + rest;
}

int text_write_copy(struct iov_iter *from, size_t len, char *few, size_t few_size, char **out)
{
	char *buf = len < few_size ? few : kmalloc(len + 1, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	if (copy_from_iter(buf, len, from) != len) {
		text_write_done(buf, few);
		return -EFAULT;
	}
	buf[len] = 0;
	*out = buf;
	return 0;
}

void text_write_done(char *buf, const char *few)
{
	if (buf != few)
		kfree(buf);
}
