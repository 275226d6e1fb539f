/* Files whose text is made by a function when they are read. */
#include <fs/text_file.h>
#include <kernel/errno.h>
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

ssize_t text_read(struct text *t, int (*make)(struct seq *s, void *arg), void *arg, struct iov_iter *to, u64 *pos)
{
	size_t n = 0;
	int err = READ_ONCE(t->made) && *pos ? 0 : remake(t, make, arg);

	if (err)
		return err;
	/* the copy may fault, and mmap_lock ranks before our mutex: copy a piece out first */
	while (to->count) {
		char piece[256];
		size_t len = min(sizeof(piece), to->count), got;

		mutex_lock(&t->mutex);
		len = *pos < t->seq.len ? min(len, (size_t)(t->seq.len - *pos)) : 0;
		memcpy(piece, t->seq.buf + *pos, len);
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
