/* GICv3's interrupt translation service: messages become LPIs (Arm IHI 0069, chapters 5 and 6).
 *
 * Theory.  A device writes an event number to GITS_TRANSLATER; the ITS knows which device wrote.  Through tables in memory, which only it
 * reads, it finds the LPI (by device and event) and the collection that the LPI is in; a collection is a redistributor, here one a CPU, so
 * moving an LPI to a CPU is moving it to that CPU's collection.  The tables are changed by commands in a ring, which it obeys in order; we
 * wait for each batch, which takes it microseconds.  Whether an LPI is enabled is a byte in a table that all redistributors share, which
 * they may cache until told (INV).
 *
 * Nothing of this exists until the first device asks for a message: then the driver is probed, and its_start() makes the tables and enables LPIs at every CPU's
 * redistributor.  The table of devices has two levels, its second made for the devices that are there; LPIs are not given back to the
 * hardware, but their numbers are used again.
 *
 * Locking: its_mutex (LC_ITS_SETUP) for devices and their events, its_lock (LC_ITS) for the ring, taken under irq_lock. */
#include <arch/smp.h>
#include <drivers/base/fdt.h>
#include <drivers/irqchip/gicv3_internal.h>
#include <kernel/errno.h>
#include <kernel/irq/msi.h>
#include <kernel/lib/bitmap.h>
#include <kernel/lib/list.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/mutex.h>
#include <mm/slab.h>

enum { GITS_CTLR = 0x0, GITS_TYPER = 0x8, GITS_CBASER = 0x80, GITS_CWRITER = 0x88, GITS_CREADR = 0x90, GITS_BASER = 0x100,
       GITS_TRANSLATER = 0x10040 };
enum { GICR_CTLR = 0x0, GICR_TYPER = 0x8, GICR_PROPBASER = 0x70, GICR_PENDBASER = 0x78 };
enum { CMD_MOVI = 0x01, CMD_SYNC = 0x05, CMD_MAPD = 0x08, CMD_MAPC = 0x09, CMD_MAPTI = 0x0a, CMD_INV = 0x0c, CMD_DISCARD = 0x0f };

#define CTLR_ENABLED		1u
#define CTLR_QUIESCENT		(1u << 31)
#define VALID			BIT(63)
#define INNER_SHAREABLE		(1ul << 10)
#define CACHED			(7ul << 59)		/* write-back, read and write allocate */
#define PROP_CACHED		(7ul << 7)		/* the same in GICR_PROPBASER and GICR_PENDBASER */
#define BASER_INDIRECT		BIT(62)
#define BASER_TYPE(v)		((v) >> 56 & 7)
#define BASER_ENTRY(v)		(((v) >> 48 & 31) + 1)
enum { BASER_NONE, BASER_DEVICES, BASER_COLLECTIONS = 4 };

#define LPI_BITS		14u			/* of interrupt numbers: 8192 LPIs, of which IRQ_END allows some */
#define MAX_LPIS		1024u
#define LPI_PRIORITY		0xa0
#define RING_BYTES		PAGE_SIZE
#define TABLE_ALIGN		256ul			/* of a device's table */
#define COMMAND_TRIES		1000000u

struct command { u64 word[4]; };

struct its_device {
	struct list_head link;
	u32 id, nr_events;		/* [I] */
	void *table;			/* [I] the ITS's own notes on its events, at the next multiple of 256 */
};

static struct {
	struct msi_controller msi;
	volatile void *base;		/* [I] */
	paddr_t pa;			/* [I] */
	u64 type;			/* [I] GITS_TYPER */
	bool started, failed;		/* [its_mutex] */
	struct command *ring;		/* [its_lock] */
	u32 next;			/* [its_lock] command to fill */
	u64 target[NR_CPUS];		/* [I] as commands name a redistributor, once started */
	u8 *config;			/* a byte an LPI; the redistributors read it */
	u64 *devices;			/* [its_mutex] first level of the table of devices; NULL: it has but one */
	u64 nr_devices, per_page;	/* [I] how many device numbers the table can hold, and a page of it */
	struct list_head known;		/* [its_mutex] devices */
	u64 taken[MAX_LPIS / 64];	/* [its_mutex] */
	struct { u32 device; u16 event, cpu; } owner[MAX_LPIS];	/* [its_mutex; cpu: irq_lock] while the LPI is taken */
} *its;
static DEFINE_MUTEX(its_mutex, LC_ITS_SETUP);
static DEFINE_SPINLOCK(its_lock, LC_ITS);

/* --- commands */

static void put_locked(u64 a, u64 b, u64 c)
{
	struct command *slot = &its->ring[its->next];

	*slot = (struct command){ { a, b, c, 0 } };
	its->next = (its->next + 1) % (RING_BYTES / sizeof(*slot));
}

/* run_locked - have it obey what was put, and wait for it.  False: it stalled, which is a mistake of ours or of the machine's. */
static bool run_locked(void)
{
	u32 at = its->next * (u32)sizeof(struct command), tries = 0;

	dma_wmb();	/* commands and tables before it is sent to look */
	mmio_write64(its->base, GITS_CWRITER, at);
	while ((mmio_read64(its->base, GITS_CREADR) & 0xfffe0) != at)
		if (++tries == COMMAND_TRIES)
			return false;
	return true;
}

/* command - one command, and a wait for its effect at target's redistributor. */
static void command(u64 a, u64 b, u64 c, u64 target)
{
	irqflags_t flags = spin_lock_irqsave(&its_lock);
	bool done;

	put_locked(a, b, c);
	put_locked(CMD_SYNC, 0, target);
	done = run_locked();
	spin_unlock_irqrestore(&its_lock, flags);
	if (!done)
		printk_ratelimited(LOG_ERR "its: command %lx does not end\n", a & 0xff);
}

static void set_enabled(u32 irq, bool on)
{
	u32 lpi = irq - IRQ_DYNAMIC;

	WRITE_ONCE(its->config[lpi], LPI_PRIORITY | on);
	dma_wmb();	/* the byte before the redistributor reads it again */
	command(CMD_INV | (u64)its->owner[lpi].device << 32, its->owner[lpi].event, 0, its->target[its->owner[lpi].cpu]);
}

void its_mask(u32 irq) { set_enabled(irq, false); }
void its_unmask(u32 irq) { set_enabled(irq, true); }

void its_set_affinity(u32 irq, u32 cpu)
{
	u32 lpi = irq - IRQ_DYNAMIC;

	its->owner[lpi].cpu = (u16)cpu;
	command(CMD_MOVI | (u64)its->owner[lpi].device << 32, its->owner[lpi].event, cpu, its->target[cpu]);
}

/* --- start */

static void *pages(u32 order)
{
	struct page *p = page_alloc(order, GFP_KERNEL | GFP_ZERO);

	return p ? page_address(p) : NULL;
}

/* A redistributor's table of pending LPIs must begin at a multiple of 64 KiB, but is only as long as there are numbers: the rest goes back. */
static void *pending_table(void)
{
	struct page *p = page_alloc(4, GFP_KERNEL | GFP_ZERO);

	if (!p)
		return NULL;
	page_split(p, 4);
	for (u32 i = 1; i < 16; i++)
		page_put(p + i);
	return page_address(p);
}

static int start_redistributor(u32 cpu)
{
	volatile void *rd = gicv3_redist(cpu);
	void *pending;

	if (!rd)
		return 0;
	its->target[cpu] = its->type & BIT(19) ? 0 : (u64)(mmio_read64(rd, GICR_TYPER) >> 8 & 0xffff) << 16;
	if (mmio_read32(rd, GICR_CTLR) & CTLR_ENABLED)
		return -EBUSY;		/* by a firmware whose tables we do not know */
	pending = pending_table();
	if (!pending)
		return -ENOMEM;
	mmio_write64(rd, GICR_PROPBASER, virt_to_phys(its->config) | PROP_CACHED | INNER_SHAREABLE | (LPI_BITS - 1));
	mmio_write64(rd, GICR_PENDBASER, virt_to_phys(pending) | PROP_CACHED | INNER_SHAREABLE | BIT(62));
	dma_mb();
	mmio_write32(rd, GICR_CTLR, mmio_read32(rd, GICR_CTLR) | CTLR_ENABLED);
	return 0;
}

/* One page for each table: of the devices' first level it leads to a page each for 512 pages of devices. */
static int start_table(u32 index)
{
	u32 reg = GITS_BASER + index * 8;
	u64 v = mmio_read64(its->base, reg), type = BASER_TYPE(v), entry = BASER_ENTRY(v), want;
	void *table;

	if (type != BASER_DEVICES && type != BASER_COLLECTIONS)
		return 0;
	table = pages(0);
	if (!table)
		return -ENOMEM;
	want = virt_to_phys(table) | VALID | CACHED | INNER_SHAREABLE | (type == BASER_DEVICES ? BASER_INDIRECT : 0);
	mmio_write64(its->base, reg, want);	/* pages of 4 KiB, one of them: both fields 0 */
	v = mmio_read64(its->base, reg);
	if ((v >> 8 & 3) || (v & 0xff))
		return -EOPNOTSUPP;
	if (type == BASER_COLLECTIONS)
		return nr_cpus <= PAGE_SIZE / entry ? 0 : -ENOSPC;
	its->per_page = PAGE_SIZE / entry;
	its->devices = v & BASER_INDIRECT ? table : NULL;
	its->nr_devices = its->per_page * (its->devices ? PAGE_SIZE / 8 : 1);
	return 0;
}

static int start_tables(void)
{
	int err = 0;

	its->ring = pages(0);
	its->config = pages(1);		/* 8192 bytes */
	if (!its->ring || !its->config || gicv3_id_bits() < LPI_BITS)
		return -ENOMEM;
	memset(its->config, LPI_PRIORITY, 2 * PAGE_SIZE);
	for (u32 i = 0; i < 8 && !err; i++)
		err = start_table(i);
	for (u32 cpu = 0; cpu < nr_cpus && !err; cpu++)
		err = start_redistributor(cpu);
	return err;
}

static int its_start(void)
{
	int err;

	mmio_write32(its->base, GITS_CTLR, 0);
	while (!(mmio_read32(its->base, GITS_CTLR) & CTLR_QUIESCENT))
		cpu_relax();
	err = start_tables();
	if (err)
		return err;
	mmio_write64(its->base, GITS_CBASER, virt_to_phys(its->ring) | VALID | CACHED | INNER_SHAREABLE);
	mmio_write64(its->base, GITS_CWRITER, 0);
	mmio_write32(its->base, GITS_CTLR, CTLR_ENABLED);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (gicv3_redist(cpu))
			command(CMD_MAPC, 0, VALID | its->target[cpu] | cpu, its->target[cpu]);
	pr_info("its: messages at %lx, %lu devices\n", its->pa + GITS_TRANSLATER, its->nr_devices);
	return 0;
}

static int start_once(void)
{
	int err;

	if (its->started || its->failed)
		return its->failed ? -ENODEV : 0;
	err = its_start();
	if (err)
		pr_err("its: no messages, error %d\n", err);
	its->failed = err;
	its->started = !err;
	return err;
}

/* --- devices */

static struct its_device *find(u32 id)
{
	struct its_device *d;

	list_for_each_entry(d, &its->known, link)
		if (d->id == id)
			return d;
	return NULL;
}

/* room_for - the table of devices reaches as far as id. */
static int room_for(u32 id)
{
	u64 *entry;
	void *table;

	if (id >= its->nr_devices || id >> ((its->type >> 13 & 31) + 1))
		return -ENOSPC;
	if (!its->devices)
		return 0;
	entry = &its->devices[id / its->per_page];
	if (*entry)
		return 0;
	table = pages(0);
	if (!table)
		return -ENOMEM;
	WRITE_ONCE(*entry, virt_to_phys(table) | VALID);
	return 0;
}

static u32 event_bits(u32 nr)
{
	u32 bits = 1;

	while (1u << bits < nr)
		bits++;
	return bits;
}

static int device_create_locked(u32 id, u32 nr_events)
{
	u32 bits = event_bits(nr_events);
	struct its_device *d;
	int err = start_once();

	if (!err)
		err = find(id) ? -EBUSY : room_for(id);
	if (err)
		return err;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	*d = (struct its_device){ .id = id, .nr_events = nr_events,
		.table = kzalloc((((its->type >> 4 & 15) + 1) << bits) + TABLE_ALIGN, GFP_KERNEL) };
	if (!d->table) {
		kfree(d);
		return -ENOMEM;
	}
	list_add_tail(&d->link, &its->known);
	command(CMD_MAPD | (u64)id << 32, bits - 1, VALID | ALIGN_UP(virt_to_phys(d->table), TABLE_ALIGN), its->target[0]);
	return 0;
}

static int its_device_create(struct msi_controller *c, u32 device, u32 nr_events)
{
	int err;

	(void)c;
	mutex_lock(&its_mutex);
	err = device_create_locked(device, nr_events);
	mutex_unlock(&its_mutex);
	return err;
}

static void its_device_destroy(struct msi_controller *c, u32 device)
{
	struct its_device *d;

	(void)c;
	mutex_lock(&its_mutex);
	d = find(device);
	if (d) {
		command(CMD_MAPD | (u64)device << 32, 0, 0, its->target[0]);
		list_del(&d->link);
		kfree(d->table);
		kfree(d);
	}
	mutex_unlock(&its_mutex);
}

static int alloc_locked(u32 device, u32 event, u32 *irq)
{
	struct its_device *d = find(device);
	u32 lpi = 0;
	int err;

	if (!d || event >= d->nr_events)
		return -EINVAL;
	while (lpi < MAX_LPIS && (its->taken[lpi / 64] & BIT(lpi % 64)))
		lpi++;
	if (lpi == MAX_LPIS)
		return -ENOSPC;
	err = irq_dynamic_create(IRQ_DYNAMIC + lpi);
	if (err)
		return err;
	its->taken[lpi / 64] |= BIT(lpi % 64);
	its->owner[lpi].device = device;
	its->owner[lpi].event = (u16)event;
	its->owner[lpi].cpu = 0;
	command(CMD_MAPTI | (u64)device << 32, event | (u64)(GICV3_FIRST_LPI + lpi) << 32, 0, its->target[0]);
	*irq = IRQ_DYNAMIC + lpi;
	return 0;
}

static int its_alloc(struct msi_controller *c, u32 device, u32 event, u32 *irq, struct msi_message *msg)
{
	int err;

	(void)c;
	*msg = (struct msi_message){ its->pa + GITS_TRANSLATER, event };
	mutex_lock(&its_mutex);
	err = alloc_locked(device, event, irq);
	mutex_unlock(&its_mutex);
	return err;
}

static void its_free(struct msi_controller *c, u32 device, u32 event, u32 irq)
{
	u32 lpi = irq - IRQ_DYNAMIC;

	(void)c;
	mutex_lock(&its_mutex);
	command(CMD_DISCARD | (u64)device << 32, event, 0, its->target[0]);
	its->taken[lpi / 64] &= ~BIT(lpi % 64);
	mutex_unlock(&its_mutex);
}

static int its_probe(int node)
{
	u64 addr, size;
	u32 phandle;

	if (its)
		return -ENODEV;		/* one is enough: it serves every bus that names it */
	if (fdt_reg(node, 0, &addr, &size) || fdt_prop_u32(node, "phandle", 0, &phandle) || !gicv3_id_bits())
		return -EINVAL;
	its = kzalloc(sizeof(*its), GFP_KERNEL);
	if (!its)
		return -ENOMEM;
	its->base = ioremap(addr, size);
	if (!its->base) {
		kfree(its);
		its = NULL;
		return -ENOMEM;
	}
	its->pa = addr;
	its->type = mmio_read64(its->base, GITS_TYPER);
	list_init(&its->known);
	its->msi = (struct msi_controller){ .name = "ITS", .phandle = phandle, .device_create = its_device_create,
		.device_destroy = its_device_destroy, .alloc = its_alloc, .free = its_free };
	msi_controller_register(&its->msi);
	return 0;
}

static const char *const match[] = { "arm,gic-v3-its", NULL };
DRIVER(gicv3_its, .match = match, .probe = its_probe, .level = DRIVER_MSI);
