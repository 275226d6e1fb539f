/* virtio-console against a device that lives in this file: pieces that it keeps, bytes that nobody reads, sizes, resets, lies. */
#include <drivers/serial/virtio_console.h>
#include <drivers/tty/tty.h>
#include <drivers/virtio/virtio_internal.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <linux/virtio_console.h>

enum { IN, OUT, NR };

/* The device's side: split rings, no event index, so that it may be told of everything. */
static struct {
	struct virtio_device dev;
	u32 status;		/* [a] */
	struct virtio_ring *rings[NR];
	u16 seen[NR], given[NR];
	struct virtio_console_config config;
	bool released;
} line;

static u64 line_features(struct virtio_device *dev) { (void)dev; return BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_CONSOLE_F_SIZE); }
static void line_set_features(struct virtio_device *dev, u64 features) { (void)dev; (void)features; }
static u8 line_status(struct virtio_device *dev) { (void)dev; return (u8)atomic_load(&line.status); }
static void line_set_status(struct virtio_device *dev, u8 status) { (void)dev; atomic_store(&line.status, (u32)status); }

static int line_reset(struct virtio_device *dev)
{
	(void)dev;
	atomic_store(&line.status, 0u);
	memset(line.seen, 0, sizeof(line.seen));
	memset(line.given, 0, sizeof(line.given));
	return 0;
}

static u32 line_generation(struct virtio_device *dev) { (void)dev; return 0; }

static void line_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len)
{
	(void)dev;
	memcpy(buf, (u8 *)&line.config + off, len);
}

static void line_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len) { (void)dev; (void)off; (void)buf; (void)len; }
static int line_irqs_request(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs) { (void)dev; (void)nr; (void)specs; return 0; }
static void line_irqs_free(struct virtio_device *dev) { (void)dev; }
static u32 line_queue_max(struct virtio_device *dev, u32 index) { (void)dev; return index < NR ? 32 : 0; }

static int line_queue_enable(struct virtio_device *dev, struct virtio_ring *r)
{
	(void)dev;
	line.rings[r->vq.index] = r;
	return 0;
}

static void line_notify(struct virtio_ring *r) { (void)r; }

static const struct virtio_transport line_transport = {
	.name = "ktest", .features = line_features, .set_features = line_set_features, .status = line_status, .set_status = line_set_status,
	.reset = line_reset, .generation = line_generation, .config_read = line_config_read, .config_write = line_config_write,
	.irqs_request = line_irqs_request, .irqs_free = line_irqs_free, .queue_max = line_queue_max, .queue_enable = line_queue_enable,
	.notify = line_notify,
};

static void line_release(struct device *d) { (void)d; line.released = true; }

/* How many buffers of queue q it has and has not looked at. */
static u16 line_has(u32 q) { return (u16)(line.rings[q]->s.avail->idx - line.seen[q]); }

/* The next of them; *id for line_gives. */
static u8 *line_takes(u32 q, u32 *len, u16 *id)
{
	struct virtio_ring *r = line.rings[q];

	if (!line_has(q))
		return NULL;
	*id = r->s.avail->ring[line.seen[q]++ % r->vq.size];
	*len = r->s.desc[*id].len;
	return phys_to_virt(r->s.desc[*id].addr);
}

static void line_gives(u32 q, u16 id, u32 len)
{
	struct virtio_ring *r = line.rings[q];

	r->s.used->ring[line.given[q]++ % r->vq.size] = (struct vring_used_elem){ .id = id, .len = len };
	atomic_store_release(&r->s.used->idx, line.given[q]);
	virtio_vq_irq(&r->vq);
}

/* What it was sent, as one string. */
static u32 line_hears(char *to, u32 size)
{
	u32 n = 0, len;
	u16 id;
	u8 *at;

	while ((at = line_takes(OUT, &len, &id))) {
		memcpy(to + n, at, min(len, size - 1 - n));
		n += min(len, size - 1 - n);
		line_gives(OUT, id, 0);
	}
	to[n] = 0;
	return n;
}

/* It has text for us; bytes that it found a buffer for. */
static u32 line_says(const u8 *text, u32 n)
{
	u32 done = 0, len;
	u16 id;
	u8 *at;

	while (done < n && (at = line_takes(IN, &len, &id))) {
		len = min(len, n - done);
		memcpy(at, text + done, len);
		line_gives(IN, id, len);
		done += len;
	}
	return done;
}

static struct tty *begin(void)
{
	struct termios2 t = ldisc_default_termios;
	struct tty *tty;

	memset(&line, 0, sizeof(line));
	line.dev.transport = &line_transport;
	line.dev.id = VIRTIO_ID_CONSOLE;
	line.config.cols = 132;
	line.config.rows = 43;
	if (virtio_register(&line.dev, NULL, line_release) || !line.dev.driver)
		return NULL;
	tty = virtio_console_tty(&line.dev);
	t.c_lflag = t.c_iflag = 0;
	t.c_cc[VMIN] = 1;
	ldisc_set_termios(&tty->ld, &t);
	return tty;
}

static bool end(struct tty *tty)
{
	ldisc_set_termios(&tty->ld, &ldisc_default_termios);
	tty->ops->last_close(tty);
	virtio_unregister(&line.dev, false);
	return line.released && atomic_load(&tty->gone) && tty->ops->open(tty) == -ENODEV;
}

KTEST(hvc, size)
{
	struct tty *tty = begin();

	EXPECT(tty);
	EXPECT(tty->winsize.ws_col == 132 && tty->winsize.ws_row == 43);
	line.config.cols = 40;
	virtio_config_irq(&line.dev);
	work_flush();
	EXPECT(tty->winsize.ws_col == 40 && tty->winsize.ws_row == 43);
	EXPECT(end(tty));
}

KTEST(hvc, output)
{
	struct tty *tty = begin();
	char text[64];
	u32 full;

	EXPECT(tty);
	full = tty->ops->room(tty);
	EXPECT_EQ(tty->ops->write(tty, (const u8 *)"one ", 4), 4);
	EXPECT_EQ(tty->ops->write(tty, (const u8 *)"two ", 4), 4);	/* while the device has the first */
	EXPECT_EQ(tty->ops->write(tty, (const u8 *)"three", 5), 5);
	EXPECT(line_has(OUT) == 1 && tty->ops->pending(tty) == 13 && tty->ops->room(tty) == full - 13);
	EXPECT_EQ(line_hears(text, sizeof(text)), 13);
	EXPECT(!strcmp(text, "one two three") && !tty->ops->pending(tty) && tty->ops->room(tty) == full);
	tty->ops->write(tty, (const u8 *)"kept ", 5);
	tty->ops->write(tty, (const u8 *)"dropped", 7);
	tty->ops->flush(tty);
	tty->ops->write(tty, (const u8 *)"after", 5);
	line_hears(text, sizeof(text));
	EXPECT(!strcmp(text, "kept after"));
	for (u32 i = 0; i <= full; i++)		/* a host that does not listen: it fills up, and all of it is there afterwards */
		EXPECT_EQ(tty->ops->write(tty, (const u8 *)"x", 1), i < full);
	for (full = 0; tty->ops->pending(tty); full += line_hears(text, sizeof(text)))
		EXPECT(line_has(OUT) == 1);
	EXPECT(end(tty));
}

/* Bytes that nobody reads wait, in the line discipline, in our buffers, and with the device; none is lost. */
KTEST(hvc, input)
{
	static u8 sent[256], got[256];
	struct tty *tty = begin();
	u32 in = 0, out = 0, wrong = 0, early;
	bool last;

	EXPECT(tty);
	for (u32 i = 0; i < sizeof(sent); i++)
		sent[i] = (u8)i;
	in = line_says(sent, 7);
	early = ldisc_count(&tty->ld);
	EXPECT_EQ(tty->ops->open(tty), 0);
	EXPECT(early == 0 && ldisc_count(&tty->ld) == 7);
	for (u32 n = 1; n; in += n)
		n = line_says(sent + in % 256, 256 - in % 256);
	EXPECT(in > LDISC_SIZE + 1024 && !line_has(IN) && ldisc_count(&tty->ld) > LDISC_SIZE - 8);
	for (u32 round = 0; out < in; round++) {
		u32 n = ldisc_read(&tty->ld, got, 1 + round * 37 % 256, &last);

		for (u32 i = 0; i < n; i++)
			wrong += got[i] != (u8)(out + i);
		out += n;
		tty->ops->input_taken(tty);
		if (!n || round > 10000)
			break;
	}
	EXPECT(out == in && !wrong && line_has(IN) == 16);
	EXPECT(end(tty));
}

KTEST(hvc, restart)
{
	struct tty *tty = begin();
	char text[64];

	EXPECT(tty);
	EXPECT_EQ(tty->ops->open(tty), 0);
	tty->ops->write(tty, (const u8 *)"again ", 6);
	tty->ops->write(tty, (const u8 *)"and on", 6);
	EXPECT_EQ(line_says((const u8 *)"abc", 3), 3);
	(void)atomic_fetch_or(&line.status, (u32)VIRTIO_CONFIG_S_NEEDS_RESET);
	virtio_config_irq(&line.dev);
	work_flush();
	work_flush();
	EXPECT(!line.dev.broken && line_has(IN) == 16);
	line_hears(text, sizeof(text));
	EXPECT(!strcmp(text, "again and on"));
	EXPECT(line_says((const u8 *)"def", 3) == 3 && ldisc_count(&tty->ld) == 6);
	EXPECT(end(tty));
}

/* A device that gives a buffer back with nothing in it would do so for ever: it is broken, and the line is dead. */
KTEST(hvc, nonsense)
{
	struct tty *tty = begin();
	u32 len;
	u16 id;

	EXPECT(tty);
	EXPECT_EQ(tty->ops->open(tty), 0);
	EXPECT(line_takes(IN, &len, &id));
	line_gives(IN, id, 0);
	work_flush();
	work_flush();
	EXPECT(line.dev.broken && atomic_load(&tty->gone) && tty->ops->open(tty) == -ENODEV);
	EXPECT(tty->ops->write(tty, (const u8 *)"x", 1) <= 1);
	EXPECT(end(tty));
}
