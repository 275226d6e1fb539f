/* Devices that ask to be reset: one that lives in this file, whose driver and queues go on, or do not; and /dev/vda, if there is one of 1.0. */
#include <drivers/block/block.h>
#include <drivers/block/disk.h>
#include <drivers/block/request.h>
#include <drivers/virtio/virtio_internal.h>
#include <kernel/debug.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <linux/virtio_config.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

#define SOFT_ID		0x4b54u
#define FEATURES	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(3))
#define RUNNING		(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

/* The device's side. */
static struct {
	struct virtio_device dev;
	u32 status;		/* [a] */
	u64 offered, agreed;
	u32 queue_max, resets, irqs, notified;
	paddr_t rings[2];
	bool released;
} soft;

/* The driver's. */
static struct {
	u32 restarts, resets, restarted, failed, changed, came_back;
	u32 inside;		/* [a] of the calls that exclude each other */
	bool overlapped;
	int error;		/* what its restart() answers instead of trying */
} drv;

static u64 soft_features(struct virtio_device *dev) { (void)dev; return soft.offered; }
static void soft_set_features(struct virtio_device *dev, u64 features) { (void)dev; soft.agreed = features; }
static u8 soft_status(struct virtio_device *dev) { (void)dev; return (u8)atomic_load(&soft.status); }

static void soft_set_status(struct virtio_device *dev, u8 status)
{
	(void)dev;
	if (soft.agreed & ~soft.offered)
		status = (u8)(status & ~VIRTIO_CONFIG_S_FEATURES_OK);
	atomic_store(&soft.status, (u32)status);
}

static int soft_reset(struct virtio_device *dev)
{
	(void)dev;
	atomic_store(&soft.status, 0u);
	soft.rings[0] = soft.rings[1] = 0;
	soft.resets++;
	return 0;
}

static u32 soft_generation(struct virtio_device *dev) { (void)dev; return 0; }
static void soft_config_read(struct virtio_device *dev, u32 off, void *buf, u32 len) { (void)dev; (void)off; memset(buf, 0, len); }
static void soft_config_write(struct virtio_device *dev, u32 off, const void *buf, u32 len) { (void)dev; (void)off; (void)buf; (void)len; }

static int soft_irqs_request(struct virtio_device *dev, u32 nr, const struct virtqueue_spec *specs)
{
	(void)dev; (void)specs;
	soft.irqs += nr;
	return 0;
}

static void soft_irqs_free(struct virtio_device *dev) { (void)dev; soft.irqs = 0; }
static u32 soft_queue_max(struct virtio_device *dev, u32 index) { (void)dev; return index < ARRAY_SIZE(soft.rings) ? soft.queue_max : 0; }

static int soft_queue_enable(struct virtio_device *dev, struct virtio_ring *r)
{
	(void)dev;
	soft.rings[r->vq.index] = r->desc_pa;
	return 0;
}

static void soft_notify(struct virtio_ring *r) { (void)r; soft.notified++; }

static const struct virtio_transport soft_transport = {
	.name = "ktest", .features = soft_features, .set_features = soft_set_features, .status = soft_status, .set_status = soft_set_status,
	.reset = soft_reset, .generation = soft_generation, .config_read = soft_config_read, .config_write = soft_config_write,
	.irqs_request = soft_irqs_request, .irqs_free = soft_irqs_free, .queue_max = soft_queue_max, .queue_enable = soft_queue_enable,
	.notify = soft_notify,
};

/* --- the driver */

static void nothing_done(struct virtqueue *vq) { (void)vq; }

static int soft_probe(struct virtio_device *dev)
{
	static const struct virtqueue_spec specs[] = { { .name = "first", .done = nothing_done }, { .name = "second" } };
	int err = virtio_queues(dev, ARRAY_SIZE(specs), specs);

	if (!err)
		virtio_ready(dev);
	return err;
}

static void enter(void) { drv.overlapped |= atomic_add_return(&drv.inside, 1u) != 1; }
static void leave(void) { atomic_dec(&drv.inside); }

static void soft_was_reset(struct virtio_device *dev)
{
	enter();
	drv.resets++;
	while (virtqueue_detach(dev->queues[0]))
		drv.came_back++;
}

static void soft_restarted(struct virtio_device *dev)
{
	(void)dev;
	drv.restarted++;
	leave();
}

static int soft_restart(struct virtio_device *dev)
{
	drv.restarts++;
	return drv.error ?: virtio_restart(dev, soft_was_reset, soft_restarted);
}

static void soft_remove(struct virtio_device *dev) { virtio_reset(dev); }
static void soft_changed(struct virtio_device *dev) { (void)dev; drv.changed++; }
static void soft_failed(struct virtio_device *dev) { (void)dev; drv.failed++; }

static struct virtio_driver driver = {
	.driver = { .name = "virtio_ktest", .bus = &virtio_bus }, .id = SOFT_ID, .features = BIT(3), .probe = soft_probe, .remove = soft_remove,
	.config_changed = soft_changed, .failed = soft_failed,
};

static void soft_release(struct device *d) { (void)d; soft.released = true; }

static bool soft_begin(void)
{
	memset(&soft, 0, sizeof(soft));
	memset(&drv, 0, sizeof(drv));
	soft.offered = FEATURES;
	soft.queue_max = 16;
	soft.dev.transport = &soft_transport;
	soft.dev.id = SOFT_ID;
	driver.restart = soft_restart;
	return !driver_register(&driver.driver) && !virtio_register(&soft.dev, NULL, soft_release) && soft.dev.driver == &driver && soft.status == RUNNING;
}

static bool soft_end(void)
{
	virtio_unregister(&soft.dev, false);
	driver_unregister(&driver.driver);
	return soft.released && !soft.irqs;
}

static void ask_reset(void)
{
	(void)atomic_fetch_or(&soft.status, (u32)VIRTIO_CONFIG_S_NEEDS_RESET);
	virtio_config_irq(&soft.dev);
	work_flush();
	work_flush();		/* what broke it queued the work again */
}

static int give(char *memory)
{
	struct virtio_buf buf = virtio_buf(memory, 16);

	return virtqueue_add(soft.dev.queues[0], &buf, 1, 0, memory);
}

KTEST(virtio, restart)
{
	static char memory[64];
	paddr_t rings[2];
	struct virtqueue *vq;
	u32 resets;

	EXPECT(soft_begin());
	vq = soft.dev.queues[0];
	memcpy(rings, soft.rings, sizeof(rings));
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(give(memory), 0);
	virtqueue_kick(vq);
	resets = soft.resets;
	ask_reset();
	EXPECT(drv.restarts == 1 && drv.resets == 1 && drv.restarted == 1 && !drv.failed && drv.changed == 1);
	EXPECT_EQ(drv.came_back, 3);
	EXPECT(soft.resets == resets + 1 && soft.status == RUNNING && soft.agreed == FEATURES && soft.irqs == 2);
	EXPECT(rings[0] && rings[1] && !memcmp(rings, soft.rings, sizeof(rings)));
	EXPECT(vq == soft.dev.queues[0] && vq->nr_free == vq->size && !soft.dev.broken);
	EXPECT_EQ(give(memory), 0);
	soft.notified = 0;
	virtqueue_kick(vq);
	EXPECT_EQ(soft.notified, 1);
	virtio_config_irq(&soft.dev);	/* and no reset that nobody asked for */
	work_flush();
	EXPECT(drv.restarts == 1 && drv.changed == 2);
	EXPECT(soft_end());
}

KTEST(virtio, restart_again_and_again)
{
	EXPECT(soft_begin());
	for (u32 i = 1; i <= 5; i++) {
		ask_reset();
		EXPECT(drv.restarts == i && !drv.failed);
	}
	soft.dev.restarts_ns -= 11 * NSEC_PER_SEC;	/* time passes */
	for (u32 i = 6; i <= 10; i++) {
		ask_reset();
		EXPECT(drv.restarts == i && !drv.failed);
		soft.dev.restarts_ns = clock_mono_ns();	/* and stands still, however slow the machine */
	}
	ask_reset();
	EXPECT(drv.restarts == 10 && drv.failed == 1 && soft.dev.broken && (soft.status & VIRTIO_CONFIG_S_FAILED));
	EXPECT_EQ(virtio_restart(&soft.dev, NULL, NULL), -ENODEV);
	EXPECT(soft_end());
}

/* It comes back with less, or not at all, or its driver cannot: broken, once. */
KTEST(virtio, restart_fails)
{
	for (u32 how = 0; how < 4; how++) {
		bool began = soft_begin();

		switch (how) {
		case 0: soft.offered &= ~BIT(3); break;
		case 1: soft.queue_max = 8; break;
		case 2: drv.error = -ENOMEM; break;
		case 3: driver.restart = NULL; break;
		}
		ask_reset();
		EXPECT(began && drv.failed == 1 && soft.dev.broken && !drv.restarted && !soft.irqs && (soft.status & VIRTIO_CONFIG_S_FAILED));
		EXPECT_EQ(drv.restarts, how < 3);
		EXPECT_EQ(drv.changed, 0);
		EXPECT(soft_end());
	}
}

/* A driver that restarts its device by itself, while the device asks for it, too; then it goes under both. */
static void restart_often(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 200; i++) {
		int err = virtio_restart(&soft.dev, soft_was_reset, soft_restarted);

		if (err && err != -ENODEV)
			drv.overlapped = true;
		sched_yield_current();
	}
}

KTEST(virtio, restarts_exclude_each_other)
{
	struct runner r[2];
	bool made = soft_begin();

	for (u32 i = 0; i < 2; i++)
		made = made && runner_start(&r[i], restart_often, NULL);
	if (!made)
		panic("no memory for a test");
	for (u32 i = 0; i < 5; i++)
		ask_reset();
	device_detach(&soft.dev.device);
	for (u32 i = 0; i < 2; i++)
		runner_join(&r[i]);
	EXPECT(!drv.overlapped && !drv.inside && !drv.failed && drv.resets == drv.restarted);
	EXPECT(soft_end());
}

/* --- a disk: run it as  test-kernel --tests virtio_blk --net '-blockdev driver=null-co,node-name=d,size=1048576 -device virtio-blk-pci,drive=d'
 * (not packed=on: QEMU 7.2 itself hangs over a packed ring with such a request) */

static struct { struct block_device *bdev; u32 reads, errors; bool over; } disk;	/* [a] */

static void read_on(void *arg)
{
	struct page *p = page_alloc(0, GFP_KERNEL);

	(void)arg;
	while (p && !atomic_load(&disk.over)) {
		struct bio *bio = bio_alloc(disk.bdev, BIO_READ, 0, 8, 1, GFP_KERNEL);

		bio_add(bio, p, 0, PAGE_SIZE);
		if (bio_submit_wait(bio))
			atomic_inc(&disk.errors);
		bio_free(bio);
		atomic_inc(&disk.reads);
	}
	if (p)
		page_free(p, 0);
}

/* Until that many more were read; false: they stand still. */
static bool reads_go_on(u32 nr)
{
	u32 from = atomic_load(&disk.reads);
	u64 until = clock_mono_ns() + 20 * NSEC_PER_SEC;

	while (atomic_load(&disk.reads) - from < nr && clock_mono_ns() < until)
		sleep_ns(NSEC_PER_MSEC);
	return atomic_load(&disk.reads) - from >= nr;
}

/* A request without room for an answer, which no device can serve. */
static void insult(struct virtio_device *vdev, char *memory)
{
	struct hw_queue *hw = &disk.bdev->disk->queue->hw[0];
	struct virtio_buf buf = virtio_buf(memory, 16);

	spin_lock_irq(&hw->lock);
	if (!virtqueue_add(vdev->queues[0], &buf, 1, 0, memory))
		(void)virtqueue_kick_prepare(vdev->queues[0]);
	spin_unlock_irq(&hw->lock);
	virtqueue_notify(vdev->queues[0]);
}

KTEST(virtio_blk, requests_survive_a_reset)
{
	static char memory[16];
	struct virtio_device *vdev;
	struct runner r[3];
	dev_t_k number;
	bool ok = true;

	if (block_find("vda", &number) || block_open(number, false, NULL, &disk.bdev))
		return;		/* no such device in this machine */
	vdev = container_of(disk.bdev->disk->parent, struct virtio_device, device);
	disk.reads = disk.errors = 0;
	disk.over = virtio_legacy(vdev);	/* these cannot ask */
	for (u32 i = 0; i < ARRAY_SIZE(r); i++)
		if (!runner_start(&r[i], read_on, NULL))
			panic("no memory for a test");
	for (u32 i = 0; i < 2 && !disk.over; i++) {	/* and two more when the suite runs again: one less than too often */
		u32 before = READ_ONCE(vdev->nr_restarts);
		u64 since = READ_ONCE(vdev->restarts_ns);

		insult(vdev, memory);
		ok = reads_go_on(100) && (READ_ONCE(vdev->nr_restarts) != before || READ_ONCE(vdev->restarts_ns) != since) && ok;
	}
	atomic_store(&disk.over, true);
	for (u32 i = 0; i < ARRAY_SIZE(r); i++)
		runner_join(&r[i]);
	EXPECT(ok && !disk.errors && !vdev->broken);
	block_close(disk.bdev, NULL);
}
