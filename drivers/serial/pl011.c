/* Arm PL011 (DDI 0183): interrupt-driven terminal ttyAMA0, polled console, early console.
 *
 * Sending: what does not fit the FIFO waits in a small ring that the transmit interrupt empties; under QEMU the FIFO is always empty
 * and the ring unused.  The status register is read once for each 16 bytes: an empty FIFO takes that many.  Console lines go the
 * same way, polled, under the same lock, after what the ring still holds.
 *
 * Receiving: the interrupt drains the FIFO into the line discipline, outside uart->lock.  A break makes the next character a SysRq. */
#include <arch/kmap.h>
#include <arch/mmu.h>
#include <drivers/base/fdt.h>
#include <drivers/tty/tty.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/sysrq.h>
#include <kernel/time/time.h>

enum { DR = 0x00, FR = 0x18, IBRD = 0x24, LCRH = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, MIS = 0x40, ICR = 0x44 };
enum { DR_BREAK = 1 << 10, DR_ERRORS = 0xf00, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, FR_TXFE = 1 << 7, FR_BUSY = 1 << 3 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6, INT_OE = 1 << 10 };
#define FIFO_SIZE 16u
#define RING_SIZE 1024u

struct uart {
	volatile void *base;		/* [I] */
	struct spinlock lock;		/* LC_UART */
	u32 imsc;			/* [lock] */
	u32 head, tail;			/* [lock] of ring, free-running */
	u8 ring[RING_SIZE];		/* [lock] */
	bool sysrq;			/* [irq] the next character is one */
	u64 sysrq_until_ns;
	struct tty tty;
	struct console con;
};

static struct uart uart0 = { .lock = SPINLOCK_INIT(LC_UART) };
static volatile void *early_base;

/* fifo_put - as much of s as the FIFO takes now */
static u32 fifo_put(struct uart *u, const u8 *s, u32 n)
{
	u32 done = 0;

	while (done < n) {
		u32 fr = mmio_read32(u->base, FR), k = fr & FR_TXFE ? FIFO_SIZE : fr & FR_TXFF ? 0 : 1;

		if (!k)
			break;
		for (k = min(k, n - done); k; k--)
			mmio_write32(u->base, DR, s[done++]);
	}
	return done;
}

static void ring_pump(struct uart *u)
{
	while (u->head != u->tail) {
		u32 at = u->tail % RING_SIZE, n = min(u->head - u->tail, RING_SIZE - at), k = fifo_put(u, u->ring + at, n);

		u->tail += k;
		if (k < n)
			break;
	}
}

static void set_tx_irq(struct uart *u, bool on)
{
	u32 imsc = on ? u->imsc | INT_TX : u->imsc & ~(u32)INT_TX;

	if (imsc != u->imsc)
		mmio_write32(u->base, IMSC, u->imsc = imsc);
}

static u32 uart_write(struct tty *tty, const u8 *s, u32 n)
{
	struct uart *u = tty->data;
	irqflags_t flags = spin_lock_irqsave(&u->lock);
	u32 done = 0;

	if (u->head == u->tail)
		done = fifo_put(u, s, n);
	for (; done < n && u->head - u->tail < RING_SIZE; done++)
		u->ring[u->head++ % RING_SIZE] = s[done];
	set_tx_irq(u, u->head != u->tail);
	spin_unlock_irqrestore(&u->lock, flags);
	return done;
}

static u32 uart_room(struct tty *tty)
{
	struct uart *u = tty->data;

	return RING_SIZE - (READ_ONCE(u->head) - READ_ONCE(u->tail));
}

static u32 uart_pending(struct tty *tty)
{
	struct uart *u = tty->data;

	return READ_ONCE(u->head) - READ_ONCE(u->tail);
}

static void uart_flush(struct tty *tty)
{
	struct uart *u = tty->data;
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	u->tail = u->head;
	set_tx_irq(u, false);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void uart_break(struct tty *tty, u64 ns)
{
	struct uart *u = tty->data;
	u32 lcrh = mmio_read32(u->base, LCRH);

	mmio_write32(u->base, LCRH, lcrh | 1);
	sleep_ns(ns);
	mmio_write32(u->base, LCRH, lcrh);
}

static const struct tty_ops uart_ops = {
	.write = uart_write, .room = uart_room, .pending = uart_pending, .flush = uart_flush, .send_break = uart_break,
};

static void receive(struct uart *u)
{
	u8 buf[64];
	u32 n = 0;

	while (!(mmio_read32(u->base, FR) & FR_RXFE)) {
		u32 dr = mmio_read32(u->base, DR);

		if (dr & DR_BREAK) {
			u->sysrq = true;
			u->sysrq_until_ns = clock_mono_ns() + 5 * NSEC_PER_SEC;
			continue;
		}
		if (u->sysrq) {
			u->sysrq = false;
			if (clock_mono_ns() < u->sysrq_until_ns) {
				sysrq_handle((char)dr, true);
				continue;
			}
		}
		buf[n++] = (u8)dr;
		if (n == sizeof(buf)) {
			tty_receive(&u->tty, buf, n);
			n = 0;
		}
	}
	if (n)
		tty_receive(&u->tty, buf, n);
}

static void uart_irq(u32 irq, void *arg)
{
	struct uart *u = arg;
	u32 mis = mmio_read32(u->base, MIS);

	(void)irq;
	mmio_write32(u->base, ICR, mis);
	if (mis & (INT_RX | INT_RT | INT_OE))
		receive(u);
	if (mis & INT_TX) {
		spin_lock(&u->lock);
		ring_pump(u);
		set_tx_irq(u, u->head != u->tail);
		spin_unlock(&u->lock);
		tty_write_wakeup(&u->tty);
	}
}

/* --- console ------------------------------------------------------------------------------------------------------------------ */
static void put_polled(struct uart *u, const u8 *s, u32 n)
{
	while (n) {
		u32 k = fifo_put(u, s, n);

		s += k;
		n -= k;
	}
}

static void put_line(struct uart *u, const char *s, size_t len)
{
	static const u8 crlf[2] = { '\r', '\n' };
	size_t start = 0;

	for (size_t i = 0; i < len; i++)
		if (s[i] == '\n') {
			put_polled(u, (const u8 *)s + start, (u32)(i - start));
			put_polled(u, crlf, 2);
			start = i + 1;
		}
	put_polled(u, (const u8 *)s + start, (u32)(len - start));
}

static void console_write(struct console *con, const char *s, size_t len)
{
	struct uart *u = container_of(con, struct uart, con);
	irqflags_t flags;

	if (panic_in_progress) {
		put_line(u, s, len);
		return;
	}
	flags = spin_lock_irqsave(&u->lock);
	while (u->head != u->tail)
		ring_pump(u);
	put_line(u, s, len);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void early_write(struct console *con, const char *s, size_t len)
{
	static struct uart early;

	(void)con;
	early.base = early_base;
	put_line(&early, s, len);
}

static struct console early_console = { .name = "earlycon", .write = early_write, .early = true };

/* console_emergency - the port that stdout-path names, mapped by the early slots: for "earlycon", and for a panic before probing. */
void console_emergency(void)
{
	int node = boot_chosen.stdout_path ? fdt_path(boot_chosen.stdout_path) : -1;
	u64 addr, size;
	u32 iter = 0;

	if (node < 0)
		node = fdt_compatible("arm,pl011", &iter);
	if (early_base || node < 0 || fdt_reg(node, 0, &addr, &size))
		return;
	early_base = fixmap_map(0, addr, PROT_K_R | PROT_K_W | PROT_K_DEVICE);
	if (early_base)
		console_register(&early_console);
}

static void param_earlycon(const char *value)
{
	(void)value;
	console_emergency();
}
BOOT_PARAM("earlycon", param_earlycon);

static int tty_dev_open(struct inode *inode, struct file *file)
{
	(void)inode;
	return uart0.base ? tty_open_file(&uart0.tty, file) : -ENODEV;
}

static const struct file_ops dev_fops = { .open = tty_dev_open };
CHARDEV(ttyAMA, .name = "ttyAMA0", .driver = "ttyAMA", .class = "tty", .on = "pl011",
	.dev = MKDEV_K(204, 64), .count = 1, .mode = 0600, .fops = &dev_fops);

TTY_DRIVER(pl011, "ttyAMA", "ttyAMA", "serial", 204, 64, 64);

static int pl011_probe(int node)
{
	struct uart *u = &uart0;
	u64 addr, size;
	u32 irq;
	bool edge;
	int err;

	if (u->base)
		return -ENODEV;		/* one port; a second (secure) one is the firmware's */
	if (fdt_reg(node, 0, &addr, &size) || fdt_irq(node, 0, &irq, &edge))
		return -EINVAL;
	u->base = ioremap(addr, size);
	if (!u->base)
		return -ENOMEM;
	mmio_write32(u->base, IMSC, 0);
	mmio_write32(u->base, ICR, 0x7ff);
	mmio_write32(u->base, LCRH, 3 << 5 | 1 << 4);	/* 8 bits, FIFO */
	mmio_write32(u->base, CR, 0x301);		/* on, transmit, receive */
	mmio_write32(u->base, IFLS, 0x12 & ~0x38);	/* receive at one eighth full */
	tty_init(&u->tty, &uart_ops, u, "ttyAMA0", MKDEV_K(204, 64));
	tty_console_set(&u->tty);
	err = irq_request(irq, uart_irq, u, edge ? IRQ_EDGE : 0, "ttyAMA0");
	if (err)
		return err;
	u->con = (struct console){ .name = "ttyAMA0", .write = console_write, .dev = 204 << 20 | 64 };
	if (console_wanted("ttyAMA0"))
		console_register(&u->con);
	spin_lock_irq(&u->lock);
	u->imsc = INT_RX | INT_RT;
	mmio_write32(u->base, IMSC, u->imsc);
	spin_unlock_irq(&u->lock);
	return 0;
}

static const char *const match[] = { "arm,pl011", NULL };
DRIVER(pl011, .match = match, .probe = pl011_probe, .level = DRIVER_CONSOLE);
