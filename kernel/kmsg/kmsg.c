/* /dev/kmsg: one record a read, as Linux formats it; a write is a line of the log.  And syslog(2), the older way. */
#include <arch/uaccess.h>
#include <asm/fcntl.h>
#include <fs/iov.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/time/time.h>
#include <kernel/sysctl.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <syscall_protos.h>

#define TEXT_MAX 1024

struct reader { struct mutex lock; struct log_cursor cur; char text[TEXT_MAX], line[TEXT_MAX * 2]; };

static struct log_cursor clear_point;	/* syslog's CLEAR; [clear_lock] */
static struct log_cursor read_point;	/* syslog's READ; [clear_lock] */
static DEFINE_MUTEX(clear_lock, LC_KMSG);
static DEFINE_MUTEX(read_lock, LC_KMSG);

static int kmsg_open(struct inode *inode, struct file *file)
{
	struct reader *r;

	(void)inode;
	if (!(file->mode & FMODE_READ))
		return 0;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, LC_KMSG);
	log_first(&r->cur);
	file->private = r;
	return 0;
}

static void kmsg_release(struct file *file) { kfree(file->private); }

/* escape - text with unprintable bytes as \xNN */
static size_t escape(char *to, size_t size, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 5 < size; i++) {
		if (is_print(s[i]) && s[i] != '\\')
			to[n++] = s[i];
		else
			n += (size_t)scnprintf(to + n, size - n, "\\x%02x", (u8)s[i]);
	}
	to[n++] = '\n';
	return n;
}

static ssize_t read_record(struct reader *r, struct iov_iter *to)
{
	struct log_cursor before = r->cur;
	struct log_record rec;
	u64 lost;
	size_t n;

	if (!log_next(&r->cur, &rec, r->text, TEXT_MAX, &lost))
		return -EAGAIN;
	if (lost) {
		r->cur = before;
		log_first(&r->cur);
		return -EPIPE;
	}
	n = (size_t)scnprintf(r->line, sizeof(r->line), "%u,%lu,%lu,-;", rec.facility << 3 | rec.level, rec.seq, rec.ts_ns / 1000);
	n += escape(r->line + n, sizeof(r->line) - n, r->text, rec.len);
	if (n > to->count) {
		r->cur = before;
		return -EINVAL;
	}
	return copy_to_iter(r->line, n, to) == n ? (ssize_t)n : -EFAULT;
}

static ssize_t kmsg_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct reader *r = file->private;
	ssize_t n;
	int err;

	(void)pos;
	if (!r)
		return -EBADF;
	err = mutex_lock_interruptible(&r->lock);
	if (err)
		return err;
	for (;;) {
		n = read_record(r, to);
		if (n != -EAGAIN || (file->flags & O_NONBLOCK))
			break;
		n = wait_event_interruptible(&log_wait, log_has(&r->cur));
		if (n)
			break;
	}
	mutex_unlock(&r->lock);
	return n;
}

static ssize_t kmsg_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	char *buf;
	const char *s, *end;
	size_t n, want = from->count;
	u32 prio = 4, facility = 1;

	(void)file; (void)pos;
	if (want > 992)
		return -EINVAL;
	buf = kmalloc(want + 1, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	n = copy_from_iter(buf, want, from);
	if (n != want) {
		kfree(buf);
		return -EFAULT;
	}
	buf[n] = '\0';
	s = buf;
	if (s[0] == '<' && is_digit(s[1])) {
		u64 v = parse_number(s + 1, &end, 10);

		if (*end == '>') {
			prio = v & 7;
			facility = v >> 3 ? (u32)(v >> 3) & 0xff : 1;
			s = end + 1;
		}
	}
	log_store(facility, prio, s, strlen(s));
	kfree(buf);
	return (ssize_t)want;
}

static s64 kmsg_seek(struct file *file, s64 off, int whence)
{
	struct reader *r = file->private;

	if (!r)
		return -EBADF;
	if (off)
		return -ESPIPE;
	mutex_lock(&r->lock);
	if (whence == SEEK_SET)
		log_first(&r->cur);
	else if (whence == SEEK_END)
		log_end(&r->cur);
	else if (whence == SEEK_DATA)
		r->cur = clear_point;
	else
		off = -EINVAL;
	mutex_unlock(&r->lock);
	return off;
}

static u32 kmsg_poll(struct file *file, struct poll_table *pt)
{
	struct reader *r = file->private;

	poll_wait(pt, file, &log_wait);
	if (!r)
		return EPOLLOUT | EPOLLWRNORM;
	return EPOLLOUT | EPOLLWRNORM | (log_has(&r->cur) ? EPOLLIN | EPOLLRDNORM : 0);
}

static const struct file_ops kmsg_fops = {
	.open = kmsg_open, .release = kmsg_release, .read = kmsg_read, .write = kmsg_write, .seek = kmsg_seek, .poll = kmsg_poll,
};
CHARDEV(kmsg, .name = "kmsg", .driver = "mem", .class = "mem", .dev = MKDEV_K(1, 11), .count = 1, .mode = 0644, .fops = &kmsg_fops);

/* --- syslog(2) ---------------------------------------------------------------------------------------------------------------- */
enum { SYSLOG_CLOSE, SYSLOG_OPEN, SYSLOG_READ, SYSLOG_READ_ALL, SYSLOG_READ_CLEAR, SYSLOG_CLEAR, SYSLOG_CONSOLE_OFF, SYSLOG_CONSOLE_ON,
       SYSLOG_CONSOLE_LEVEL, SYSLOG_SIZE_UNREAD, SYSLOG_SIZE_BUFFER };

struct scratch { char text[TEXT_MAX], line[TEXT_MAX + 64]; };

/* format_next - "<6>[    0.012345] text\n" of the record at cur; its length, 0 if none */
static size_t format_next(struct log_cursor *cur, struct scratch *s)
{
	struct log_record rec;
	u64 lost;
	size_t n;

	if (!log_next(cur, &rec, s->text, TEXT_MAX, &lost))
		return 0;
	n = (size_t)scnprintf(s->line, sizeof(s->line), "<%u>", rec.facility << 3 | rec.level);
	return n + log_format(&rec, s->text, s->line + n, sizeof(s->line) - n);
}

/* read_all - the last records that fit len, from the clear point on */
static long read_all(char __user *buf, size_t len, bool clear)
{
	struct scratch *s = kmalloc(sizeof(*s), GFP_KERNEL);
	struct log_cursor cur, end;
	size_t total = 0, n;
	long done = 0;

	if (!s)
		return -ENOMEM;
	log_end(&end);
	for (cur = clear_point; cur.seq < end.seq && (n = format_next(&cur, s)); )
		total += n;
	cur = clear_point;
	while (total > len && (n = format_next(&cur, s)))
		total -= n;
	while (cur.seq < end.seq && (n = format_next(&cur, s)) && (size_t)done + n <= len) {
		if (copy_to_user(buf + done, s->line, n)) {
			done = -EFAULT;
			break;
		}
		done += (long)n;
	}
	if (clear && done >= 0)
		clear_point = end;
	kfree(s);
	return done;
}

/* read_new - lines that nobody has read this way, as many as fit; waits for the first. */
static long read_new(struct iov_iter *to)
{
	struct scratch *s = kmalloc(sizeof(*s), GFP_KERNEL);
	struct log_cursor before;
	long done = 0;
	size_t n;
	int err = s ? wait_event_interruptible(&log_wait, log_has(&read_point)) : -ENOMEM;

	while (!err) {
		before = read_point;
		n = format_next(&read_point, s);
		if (!n)
			break;
		if (n > to->count) {
			read_point = before;
			break;
		}
		if (copy_to_iter(s->line, n, to) != n) {
			read_point = before;
			err = -EFAULT;
			break;
		}
		done += (long)n;
	}
	kfree(s);
	return done ? done : err;
}

static long read_new_locked(struct iov_iter *to)
{
	long ret = mutex_lock_interruptible(&read_lock);

	if (ret)
		return ret;
	ret = read_new(to);
	mutex_unlock(&read_lock);
	return ret;
}

static long size_unread(void)
{
	struct scratch *s = kmalloc(sizeof(*s), GFP_KERNEL);
	struct log_cursor cur = read_point;
	size_t n;
	long total = 0;

	if (!s)
		return -ENOMEM;
	while ((n = format_next(&cur, s)))
		total += (long)n;
	kfree(s);
	return total;
}

static u64 dmesg_restrict;	/* 1: the log is for root alone */
SYSCTL(dmesg_restrict, "kernel/dmesg_restrict", .value = &dmesg_restrict, .max = 1);

long sys_syslog(int type, void __user *buf, int len)
{
	static int saved_level = -1;
	struct iov_seg seg;
	struct iov_iter it;
	long ret;

	if ((READ_ONCE(dmesg_restrict) || (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER)) && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (type) {
	case SYSLOG_CLOSE: case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ: case SYSLOG_READ_ALL: case SYSLOG_READ_CLEAR:
		if (!buf || len < 0)
			return -EINVAL;
		if (!len)
			return 0;
		if (type == SYSLOG_READ) {
			iov_iter_user(&it, &seg, buf, (size_t)len);
			return read_new_locked(&it);
		}
		mutex_lock(&clear_lock);
		ret = read_all(buf, (size_t)len, type == SYSLOG_READ_CLEAR);
		mutex_unlock(&clear_lock);
		return ret;
	case SYSLOG_CLEAR:
		log_end(&clear_point);
		return 0;
	case SYSLOG_CONSOLE_OFF:
		if (saved_level < 0)
			saved_level = console_loglevel;
		console_loglevel = 1;
		return 0;
	case SYSLOG_CONSOLE_ON:
		if (saved_level >= 0)
			console_loglevel = saved_level;
		saved_level = -1;
		return 0;
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		console_loglevel = len;
		saved_level = -1;
		return 0;
	case SYSLOG_SIZE_UNREAD:
		return size_unread();
	case SYSLOG_SIZE_BUFFER:
		return (long)log_size();
	default:
		return -EINVAL;
	}
}

/* --- /proc/kmsg: what syslog(2) would read, for whoever could open it ---------------------------------------------------------- */
static int proc_kmsg_open(struct inode *inode, struct file *file)
{
	(void)inode;
	file->mode |= FMODE_STREAM;
	return capable(CAP_SYSLOG) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static ssize_t proc_kmsg_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	(void)pos;
	if ((file->flags & O_NONBLOCK) && !log_has(&read_point))
		return -EAGAIN;
	return to->count ? read_new_locked(to) : 0;
}

static u32 proc_kmsg_poll(struct file *file, struct poll_table *pt)
{
	poll_wait(pt, file, &log_wait);
	return log_has(&read_point) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_ops proc_kmsg_fops = { .open = proc_kmsg_open, .read = proc_kmsg_read, .poll = proc_kmsg_poll };
PROC_FILE(kmsg, .path = "kmsg", .mode = 0400, .fops = &proc_kmsg_fops);
