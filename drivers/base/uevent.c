/* Uevents: what programs are told when devices come, go and change.
 *
 * An event is a list of "KEY=value" strings in Linux's order: the action, the path below /sys, the subsystem, what describes the device
 * (its number, the name of its node, its type, its driver, the bus's and the class's own), and a number that rises by one each time.  The
 * same description, without the first and the last, is what a device's uevent file reads.
 *
 * Who wants to know is in a section (DEVICE_LISTENER).  At boot nobody listens for the text, and none is made: an event then
 * costs the walk of that section.  Events of one device follow each other as they happened, since whoever adds and removes
 * it does so in order; the numbers of two devices' events say nothing about which happened first, as on Linux. */
#include <drivers/base/device.h>
#include <drivers/base/device_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

#define MAX_PATH	1024

const char *const device_action_names[] = { "add", "remove", "change", "move", "online", "offline", "bind", "unbind" };
static u64 seqnum;		/* [a] of the last event */

static int seqnum_show(struct seq *s, void *object)
{
	(void)object;
	seq_printf(s, "%lu\n", atomic_load(&seqnum));
	return 0;
}
KOBJECT_ATTR(uevent_seqnum, &sys_kernel, .name = "uevent_seqnum", .show = seqnum_show);

int device_uevent_show(struct seq *s, void *device)
{
	struct device *d = device;
	const struct device_driver *drv = READ_ONCE(d->driver);
	char node[LINK_NAME_MAX];

	if (device_node(d, node)) {
		seq_printf(s, "MAJOR=%u\nMINOR=%u\n", DEV_MAJOR(d->dev), DEV_MINOR(d->dev));
		seq_printf(s, "DEVNAME=%s\n", node);
		if (d->mode)
			seq_printf(s, "DEVMODE=0%o\n", d->mode);
	}
	if (d->type && d->type->name)
		seq_printf(s, "DEVTYPE=%s\n", d->type->name);
	if (drv)
		seq_printf(s, "DRIVER=%s\n", drv->name);
	if (d->bus && d->bus->uevent)
		d->bus->uevent(d, s);
	if (d->class && d->class->uevent)
		d->class->uevent(d, s);
	return 0;
}

/* The whole text, its lines ended by newlines; later by NULs. */
static int event_text(struct device *d, enum device_action action, const char *more, struct seq *s)
{
	char *path = kmalloc(MAX_PATH, GFP_KERNEL);
	int err = path ? kobject_path(&d->kobj, path, MAX_PATH) : -ENOMEM;

	if (err >= 0) {
		const char *subsystem = d->class ? d->class->name : d->bus ? d->bus->name : "";

		seq_printf(s, "ACTION=%s\nDEVPATH=%s\nSUBSYSTEM=%s\n", device_action_names[action], path, subsystem);
		if (more)
			seq_puts(s, more);
		err = device_uevent_show(s, d);
		seq_printf(s, "SEQNUM=%lu\n", atomic_add_return(&seqnum, 1));
		if (s->overflow)
			err = -ENOMEM;
	}
	kfree(path);
	for (size_t i = 0; !err && i < s->len; i++)
		if (s->buf[i] == '\n')
			s->buf[i] = 0;
	return err;
}

void device_event(struct device *d, enum device_action action, const char *more)
{
	const struct device_listener *l;
	struct seq s = { NULL, 0, 0, false };
	bool text = false;
	int err = 0;

	if (!d->class && !d->bus)	/* nobody's kind: nothing could be done about it */
		return;
	for (l = __device_listeners_start; l < __device_listeners_end; l++)
		text |= l->wanted && l->wanted();
	if (text)
		err = event_text(d, action, more, &s);
	else
		atomic_inc(&seqnum);
	if (err)
		pr_warn("uevent: %s %s is lost, error %d\n", device_action_names[action], device_name(d), err);
	for (l = __device_listeners_start; l < __device_listeners_end; l++) {
		if (!l->wanted)
			l->event(d, action, NULL, 0);
		else if (text && !err && l->wanted())
			l->event(d, action, s.buf, s.len);
	}
	kvfree(s.buf);
}

/* --- asked for by programs: "add", or "change 01234567-89ab-cdef-0123-456789abcdef KEY=value ..." */

static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_hex_digit(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

static int find_action(const char *word, size_t len)
{
	for (u32 i = 0; i < ARRAY_SIZE(device_action_names); i++)
		if (strlen(device_action_names[i]) == len && !memcmp(device_action_names[i], word, len))
			return (int)i;
	return -EINVAL;
}

static bool is_uuid(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !is_hex_digit(s[i]))
			return false;
	return len == 36;
}

static size_t word_len(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && s[n] != ' ')
		n++;
	return n;
}

/* KEY=value of letters and digits: SYNTH_ARG_KEY=value. */
static int add_argument(struct seq *s, const char *word, size_t len)
{
	size_t equals = 0;

	for (size_t i = 0; i < len; i++) {
		if (word[i] == '=' && !equals && i)
			equals = i;
		else if (!is_digit(word[i]) && !is_letter(word[i]))
			return -EINVAL;
	}
	if (!equals || equals == len - 1)
		return -EINVAL;
	seq_puts(s, "SYNTH_ARG_");
	seq_write(s, word, len);
	seq_putc(s, '\n');
	return 0;
}

static int synthetic_env(struct seq *s, const char *at, const char *end)
{
	size_t len = word_len(at, end);
	int err = is_uuid(at, len) ? 0 : -EINVAL;

	if (err)
		return err;
	seq_puts(s, "SYNTH_UUID=");
	seq_write(s, at, len);
	seq_putc(s, '\n');
	for (at += len; !err && at < end; at += len) {
		at++;
		len = word_len(at, end);
		err = add_argument(s, at, len);
	}
	seq_putc(s, 0);
	return s->overflow ? -ENOMEM : err;
}

int device_uevent_store(void *device, const char *buf, size_t len)
{
	const char *end = buf + (len && buf[len - 1] == '\n' ? len - 1 : len);
	size_t n = word_len(buf, end);
	int action = find_action(buf, n), err = action < 0 ? action : 0;
	struct seq s = { NULL, 0, 0, false };

	if (!err && buf + n < end)
		err = synthetic_env(&s, buf + n + 1, end);
	if (!err)
		device_event(device, (enum device_action)action, s.buf);
	kvfree(s.buf);
	return err;
}
