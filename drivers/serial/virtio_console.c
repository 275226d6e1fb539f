/* virtio-console (VIRTIO 1.2, 5.3): the host's end of a line as a terminal, /dev/hvc0 to hvc7, numbers and names as Linux has them.
 *
 * One port a device, its queues 0 and 1; devices that could have more (multiport) show their first, which is the console (5.3.5.1 leaves that
 * to the driver).  A terminal is made with the first device that takes its number and stays for ever, as the serial port's does: what a program has
 * open never hangs in the air.  When the device goes, it is hung up, reads end and writes are EIO, and the next device may take it over.
 *
 * Sending: a ring, of which the device has one piece at a time; what is written meanwhile goes with the next.  A piece stays in the ring until
 * the device has done with it, so a host that does not read makes writers wait.
 *
 * Receiving: NR_INPUT buffers go round.  A full one waits in the order it came (full[]) until the line discipline has room, and only then goes
 * back: a host that sends faster than programs read has to wait, nothing is lost.  Nobody is served while nobody has the terminal open, so that
 * a line that is typed before getty has come is not echoed twice.  One at a time delivers (`delivering`), whoever comes meanwhile leaves word
 * (`more`), because the line discipline's lock ranks below h->lock and order matters.  The interrupt, readers and openers do it.
 *
 * h->epoch tells a deliverer that the device went while he was in the line discipline.  Notifying is done under h->lock: outside of it the
 * queue could go. */
#include <drivers/base/device.h>
#include <drivers/serial/virtio_console.h>
#include <drivers/tty/tty.h>
#include <drivers/virtio/virtio.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/printk.h>
#include <kernel/sync/mutex.h>
#include <linux/virtio_console.h>
#include <mm/slab.h>

#define HVC_MAJOR	229u
#define NR_HVC		8u
#define RING_SIZE	4096u
#define NR_INPUT	16u
#define INPUT_SIZE	256u

struct hvc_input { u8 *data; u32 len, at; };

/* Keys: [I] immutable, [l] lock, [d] the device's mutex, [t] hvcs_lock. */
struct hvc {
	struct tty tty;			/* [I] */
	struct spinlock lock;		/* LC_DEVICE */
	struct virtqueue *in, *out;	/* [l] NULL: there is no device that could be told anything */
	u32 epoch;			/* [l] devices that went */
	u8 *ring;			/* [l] RING_SIZE bytes */
	u32 head, tail, in_flight;	/* [l] of it, free-running; bytes from tail on that the device has */
	struct hvc_input input[NR_INPUT];	/* [l] */
	struct hvc_input *full[NR_INPUT];	/* [l] */
	u32 nr_full;			/* [l] */
	bool open, delivering, more;	/* [l] */
	bool taken;			/* [t] by a device */
	struct device *node;		/* [d] in /sys and /dev */
};

static struct hvc *hvcs[NR_HVC];			/* [t] what is there stays */
static DEFINE_MUTEX(hvcs_lock, LC_HVC);

/* --- sending */

/* send_locked - give the device the next piece */
static void send_locked(struct hvc *h)
{
	u32 at = h->tail % RING_SIZE, n = min(h->head - h->tail, RING_SIZE - at);
	struct virtio_buf buf;

	if (!h->out || h->in_flight || !n)
		return;
	buf = virtio_buf(h->ring + at, n);
	if (virtqueue_add(h->out, &buf, 1, 0, h))
		return;		/* broken: failed() follows */
	h->in_flight = n;
	virtqueue_kick(h->out);
}

static void sent(struct virtqueue *vq)
{
	struct hvc *h = vq->driver_data;
	irqflags_t flags = spin_lock_irqsave(&h->lock);
	u32 len;

	if (h->out == vq) {
		do {
			virtqueue_disable_cb(vq);
			while (virtqueue_get(vq, &len)) {
				h->tail += h->in_flight;
				h->in_flight = 0;
			}
		} while (!virtqueue_enable_cb(vq));
		send_locked(h);
	}
	spin_unlock_irqrestore(&h->lock, flags);
	tty_write_wakeup(&h->tty);
}

static u32 hvc_write(struct tty *tty, const u8 *s, u32 n)
{
	struct hvc *h = tty->data;
	irqflags_t flags = spin_lock_irqsave(&h->lock);
	u32 done = 0;

	for (; done < n && h->head - h->tail < RING_SIZE; done++)
		h->ring[h->head++ % RING_SIZE] = s[done];
	send_locked(h);
	spin_unlock_irqrestore(&h->lock, flags);
	return done;
}

static u32 hvc_pending(struct tty *tty)
{
	struct hvc *h = tty->data;
	irqflags_t flags = spin_lock_irqsave(&h->lock);
	u32 n = h->head - h->tail;

	spin_unlock_irqrestore(&h->lock, flags);
	return n;
}

static u32 hvc_room(struct tty *tty) { return RING_SIZE - hvc_pending(tty); }

/* What the device has is not to be had back. */
static void hvc_flush(struct tty *tty)
{
	struct hvc *h = tty->data;
	irqflags_t flags = spin_lock_irqsave(&h->lock);

	h->head = h->tail + h->in_flight;
	spin_unlock_irqrestore(&h->lock, flags);
}

/* --- receiving */

static void give_locked(struct hvc *h, struct hvc_input *b)
{
	struct virtio_buf buf = virtio_buf(b->data, INPUT_SIZE);

	b->at = 0;
	if (virtqueue_add(h->in, &buf, 0, 1, b))
		return;		/* broken: failed() follows */
	virtqueue_kick(h->in);
}

/* deliver - to the line discipline what it has room for.  Context: any. */
static void deliver(struct hvc *h)
{
	irqflags_t flags = spin_lock_irqsave(&h->lock);

	h->more = true;
	while (h->more && !h->delivering) {
		h->delivering = true;
		h->more = false;
		while (h->open && h->nr_full) {
			struct hvc_input *b = h->full[0];
			u32 n = min(b->len - b->at, ldisc_room(&h->tty.ld)), epoch = h->epoch;

			if (!n)
				break;
			spin_unlock_irqrestore(&h->lock, flags);
			tty_receive(&h->tty, b->data + b->at, n);
			flags = spin_lock_irqsave(&h->lock);
			if (h->epoch != epoch)
				continue;
			b->at += n;
			if (b->at < b->len)
				continue;
			h->nr_full--;
			for (u32 i = 0; i < h->nr_full; i++)
				h->full[i] = h->full[i + 1];
			give_locked(h, b);
		}
		h->delivering = false;
	}
	spin_unlock_irqrestore(&h->lock, flags);
}

static void received(struct virtqueue *vq)
{
	struct hvc *h = vq->driver_data;
	irqflags_t flags = spin_lock_irqsave(&h->lock);
	struct hvc_input *b;
	u32 len;

	if (h->in == vq)
		do {
			virtqueue_disable_cb(vq);
			while ((b = virtqueue_get(vq, &len))) {
				b->len = len;
				if (len)
					h->full[h->nr_full++] = b;
				else
					virtio_break(vq->dev, "it gave no bytes");
			}
		} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&h->lock, flags);
	deliver(h);
}

static void hvc_input_taken(struct tty *tty) { deliver(tty->data); }

static void set_open(struct hvc *h, bool open)
{
	irqflags_t flags = spin_lock_irqsave(&h->lock);

	h->open = open;
	spin_unlock_irqrestore(&h->lock, flags);
	deliver(h);
}

static int hvc_open(struct tty *tty)
{
	struct hvc *h = tty->data;

	if (atomic_load(&tty->gone))
		return -ENODEV;
	set_open(h, true);
	return 0;
}

static void hvc_last_close(struct tty *tty) { set_open(tty->data, false); }

static const struct tty_ops hvc_ops = {
	.write = hvc_write, .room = hvc_room, .pending = hvc_pending, .flush = hvc_flush, .input_taken = hvc_input_taken, .open = hvc_open,
	.last_close = hvc_last_close,
};

/* --- the terminals */

static void hvc_free(struct hvc *h)
{
	kfree(h->ring);
	kfree(h->input[0].data);
	kfree(h);
}

static struct hvc *hvc_create(u32 index)
{
	struct hvc *h = kzalloc(sizeof(*h), GFP_KERNEL);
	char name[16];

	if (!h)
		return NULL;
	h->ring = kmalloc(RING_SIZE, GFP_KERNEL);
	h->input[0].data = kmalloc(NR_INPUT * INPUT_SIZE, GFP_KERNEL);
	if (!h->ring || !h->input[0].data) {
		hvc_free(h);
		return NULL;
	}
	for (u32 i = 1; i < NR_INPUT; i++)
		h->input[i].data = h->input[0].data + i * INPUT_SIZE;
	spin_lock_init(&h->lock, LC_DEVICE);
	snprintf(name, sizeof(name), "hvc%u", index);
	tty_init(&h->tty, &hvc_ops, h, name, MKDEV_K(HVC_MAJOR, index));
	return h;
}

/* hvc_take - the first terminal that no device has, for this one; NULL: there is none. */
static struct hvc *hvc_take(void)
{
	struct hvc *h = NULL;

	mutex_lock(&hvcs_lock);
	for (u32 i = 0; i < NR_HVC && !h; i++) {
		if (!hvcs[i])
			hvcs[i] = hvc_create(i);
		if (!hvcs[i])
			break;
		if (!hvcs[i]->taken)
			h = hvcs[i];
	}
	if (h)
		h->taken = true;
	mutex_unlock(&hvcs_lock);
	return h;
}

struct tty *virtio_console_tty(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;

	return &h->tty;
}

static void hvc_leave(struct hvc *h)
{
	mutex_lock(&hvcs_lock);
	h->taken = false;
	mutex_unlock(&hvcs_lock);
}

static int dev_open(struct inode *inode, struct file *file)
{
	struct hvc *h;

	mutex_lock(&hvcs_lock);
	h = hvcs[DEV_MINOR(inode->rdev)];
	if (h && !h->taken)
		h = NULL;
	mutex_unlock(&hvcs_lock);
	return h ? tty_open_file(&h->tty, file) : -ENODEV;
}

static const struct file_ops dev_fops = { .open = dev_open };
CHARDEV(hvc, .driver = "hvc", .dev = MKDEV_K(HVC_MAJOR, 0), .count = NR_HVC, .mode = 0600, .fops = &dev_fops);
TTY_DRIVER(hvc, "hvc", "hvc", "system", HVC_MAJOR, 0, NR_HVC - 1);

/* --- the device */

static void size_read(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;
	struct virtio_console_config c;
	struct winsize ws = { 0 };

	if (!virtio_has(dev, VIRTIO_CONSOLE_F_SIZE))
		return;
	virtio_config_read(dev, 0, &c, offsetof(struct virtio_console_config, max_nr_ports));
	ws.ws_col = c.cols;
	ws.ws_row = c.rows;
	tty_set_winsize(&h->tty, &ws);
}

/* start - the queues are fresh: all input buffers go out, and what was to be sent. */
static void start(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;

	spin_lock_irq(&h->lock);
	h->in = dev->queues[0];
	h->out = dev->queues[1];
	for (u32 i = 0; i < NR_INPUT; i++) {
		bool waits = false;

		for (u32 k = 0; k < h->nr_full; k++)
			waits = waits || h->full[k] == &h->input[i];
		if (!waits && i < h->in->size)
			give_locked(h, &h->input[i]);
	}
	send_locked(h);
	spin_unlock_irq(&h->lock);
}

/* stop - take back what the queues hold.  What the device had of the ring is sent again, if it comes back. */
static void stop(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;

	spin_lock_irq(&h->lock);
	while (virtqueue_detach(dev->queues[0]) || virtqueue_detach(dev->queues[1]))
		;
	h->in = h->out = NULL;
	h->in_flight = 0;
	spin_unlock_irq(&h->lock);
}

/* cut - the line is dead. */
static void cut(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;

	stop(dev);
	spin_lock_irq(&h->lock);
	h->nr_full = 0;
	h->epoch++;
	spin_unlock_irq(&h->lock);
	atomic_store(&h->tty.gone, true);
	tty_hangup(&h->tty);
}

static void node_release(struct device *d) { kfree(d); }

/* node_add - /sys/class/tty/hvc0 behind the device, and /dev/hvc0 with it. */
static int node_add(struct virtio_device *dev, struct hvc *h)
{
	struct device *d = kzalloc(sizeof(*d), GFP_KERNEL);
	int err;

	if (!d)
		return -ENOMEM;
	device_init(d);
	device_set_name(d, "%s", h->tty.name);
	d->class = &tty_class;
	d->parent = &dev->device;
	d->dev = h->tty.dev;
	d->release = node_release;
	err = device_add(d);
	if (err) {
		device_put(d);
		return err;
	}
	h->node = d;
	return 0;
}

static int console_probe(struct virtio_device *dev)
{
	static const struct virtqueue_spec specs[] = {
		{ .name = "input", .done = received, .cpu = VIRTQUEUE_ANY_CPU, .max_size = NR_INPUT },
		{ .name = "output", .done = sent, .cpu = VIRTQUEUE_ANY_CPU, .max_size = 8 },
	};
	struct hvc *h;
	int err = virtio_queues(dev, ARRAY_SIZE(specs), specs);

	if (err)
		return err;
	h = hvc_take();
	if (!h)
		return -ENOSPC;
	dev->driver_data = dev->queues[0]->driver_data = dev->queues[1]->driver_data = h;
	size_read(dev);
	virtio_ready(dev);
	atomic_store(&h->tty.gone, false);
	start(dev);
	err = node_add(dev, h);
	if (err) {
		virtio_reset(dev);
		cut(dev);
		hvc_leave(h);
		return err;
	}
	if (console_preferred(h->tty.name))
		tty_console_set(&h->tty);
	return 0;
}

static void console_remove(struct virtio_device *dev)
{
	struct hvc *h = dev->driver_data;

	device_unregister(h->node);
	h->node = NULL;
	virtio_reset(dev);
	cut(dev);
	hvc_leave(h);
}

static void console_restarted(struct virtio_device *dev)
{
	start(dev);
	deliver(dev->driver_data);
}

static int console_restart(struct virtio_device *dev) { return virtio_restart(dev, stop, console_restarted); }

VIRTIO_DRIVER(console, .id = VIRTIO_ID_CONSOLE, .features = BIT(VIRTIO_CONSOLE_F_SIZE), .probe = console_probe, .remove = console_remove,
	.config_changed = size_read, .failed = cut, .restart = console_restart);
