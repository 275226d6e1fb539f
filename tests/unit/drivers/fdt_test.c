/* The device tree's parser on a tree like QEMU's, then on that tree cut off at each length and bent in each place: all questions are
 * asked of it, and none may look outside its bytes. */
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <mm/init.h>
#include <tests/unit/unit.h>

/* --- a tree, written by hand ------------------------------------------------------------------------------------------------------- */
#define MAX_BLOB 4096
static u8 body[MAX_BLOB], strings[512], blob[MAX_BLOB];
static u32 body_len, strings_len, blob_len;

static void put32(u8 *p, u32 v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
static void word(u32 v) { put32(body + body_len, v); body_len += 4; }
static void bytes(const void *p, u32 len)
{
	memset(body + body_len, 0, ALIGN_UP(len, 4));
	memcpy(body + body_len, p, len);
	body_len += (u32)ALIGN_UP(len, 4);
}

static void begin(const char *name) { word(1); bytes(name, (u32)strlen(name) + 1); }
static void end(void) { word(2); }

static void prop(const char *name, const void *p, u32 len)
{
	u32 at = 0;

	while (at < strings_len && strcmp((char *)strings + at, name))
		at += (u32)strlen((char *)strings + at) + 1;
	if (at == strings_len) {
		memcpy(strings + at, name, strlen(name) + 1);
		strings_len += (u32)strlen(name) + 1;
	}
	word(3);
	word(len);
	word(at);
	bytes(p, len);
}

static void text(const char *name, const char *s) { prop(name, s, (u32)strlen(s) + 1); }
static void cells(const char *name, u32 n, const u32 *v)
{
	u8 b[64];

	for (u32 i = 0; i < n; i++)
		put32(b + 4 * i, v[i]);
	prop(name, b, n * 4);
}
#define CELLS(name, ...) cells(name, sizeof((u32[]){ __VA_ARGS__ }) / 4, (u32[]){ __VA_ARGS__ })

static void finish(void)
{
	u32 off_rsv = 40, off_struct = 40 + 32, off_strings = off_struct + body_len + 4;
	const u32 head[10] = { 0xd00dfeed, off_strings + strings_len, off_struct, off_strings, off_rsv, 17, 16, 0, strings_len, body_len + 4 };

	word(9);
	memset(blob, 0, sizeof(blob));
	for (u32 i = 0; i < 10; i++)
		put32(blob + 4 * i, head[i]);
	put32(blob + off_rsv + 4, 0x40001000);		/* one reserved range, then the end */
	put32(blob + off_rsv + 12, 0x2000);
	memcpy(blob + off_struct, body, body_len);
	memcpy(blob + off_strings, strings, strings_len);
	blob_len = off_strings + strings_len;
}

static void devices(void)
{
	begin("intc@8000000");
	text("compatible", "arm,cortex-a15-gic");
	CELLS("#interrupt-cells", 3);
	CELLS("phandle", 0x8001);
	CELLS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
	end();
	begin("pl011@9000000");
	prop("compatible", "arm,pl011\0arm,primecell", 24);
	CELLS("reg", 0, 0x9000000, 0, 0x1000);
	CELLS("interrupts", 0, 1, 4, 1, 13, 1);
	end();
	begin("bus@a000000");			/* 1 cell each, shifted by its ranges */
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("ranges", 0x100, 1, 0xa000000, 0x1000);
	begin("child@100");
	text("compatible", "test,child");
	CELLS("reg", 0x110, 0x20, 0x2000, 0x20);
	text("status", "okay");
	end();
	begin("off@200");
	text("compatible", "test,child");
	text("status", "disabled");
	end();
	end();
}

static void make_tree(void)
{
	body_len = strings_len = 0;
	begin("");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	CELLS("interrupt-parent", 0x8001);
	begin("aliases");
	text("serial0", "/pl011@9000000");
	end();
	begin("chosen");
	text("bootargs", "console=ttyAMA0 quiet");
	text("stdout-path", "serial0:115200");
	CELLS("linux,initrd-start", 0x48000000);
	CELLS("linux,initrd-end", 0, 0x48123456);
	CELLS("kaslr-seed", 0x12345678, 0x9abcdef0);
	CELLS("rng-seed", 1, 2, 3, 4);
	end();
	begin("memory@40000000");
	text("device_type", "memory");
	CELLS("reg", 0, 0x40000000, 0, 0x8000000, 1, 0, 0, 0x1000000);
	end();
	begin("memory@f0000000");
	text("device_type", "memory");
	text("status", "disabled");
	CELLS("reg", 0, 0xf0000000, 0, 0x8000000);
	end();
	begin("reserved-memory");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
	prop("ranges", "", 0);
	begin("keep@41000000");
	CELLS("reg", 0, 0x41000000, 0, 0x3000);
	end();
	end();
	devices();
	end();
	finish();
}

/* --- what it tells of memory -------------------------------------------------------------------------------------------------------- */
static struct range { u64 start, size; char kind; } ranges[64];
static u32 nr_ranges;

static void note(u64 start, u64 size, char kind)
{
	if (nr_ranges < ARRAY_SIZE(ranges))
		ranges[nr_ranges++] = (struct range){ start, size, kind };
}
void bootmem_add(paddr_t start, u64 size) { note(start, size, '+'); }
void bootmem_reserve(paddr_t start, u64 size, const char *what) { (void)what; note(start, size, '-'); }

static bool told(u64 start, u64 size, char kind)
{
	for (u32 i = 0; i < nr_ranges; i++)
		if (ranges[i].start == start && (ranges[i].size == size || size == ~0ul) && ranges[i].kind == kind)
			return true;
	return false;
}

static u32 probed[4];
static int probe_gic(int node) { (void)node; probed[0]++; return 0; }
static int probe_uart(int node) { (void)node; probed[1]++; return -EIO; }
static int probe_child(int node) { (void)node; probed[2]++; return -ENODEV; }
static const char *const gic_match[] = { "arm,gic-400", "arm,cortex-a15-gic", NULL };
static const char *const uart_match[] = { "arm,primecell", NULL };
static const char *const child_match[] = { "test,child", NULL };
DRIVER(t_gic, .match = gic_match, .probe = probe_gic, .level = DRIVER_IRQCHIP);
DRIVER(t_uart, .match = uart_match, .probe = probe_uart, .level = DRIVER_CONSOLE);
DRIVER(t_child, .match = child_match, .probe = probe_child, .level = DRIVER_DEVICE);

/* A copy that ends where an unreadable page begins. */
static u8 *guarded;
static const void *copy_of(const u8 *from, u32 len)
{
	if (!guarded)
		guarded = (u8 *)host_guarded(MAX_BLOB) + MAX_BLOB;
	memcpy(guarded - ALIGN_UP(len, 8), from, len);	/* libfdt wants 8-byte alignment */
	if (len % 8)
		memset(guarded - ALIGN_UP(len, 8) + len, 0xff, ALIGN_UP(len, 8) - len);
	return guarded - ALIGN_UP(len, 8);
}

static int load(const u8 *from, u32 len)
{
	boot_fdt = NULL;
	boot_chosen = (struct boot_chosen){ .bootargs = "" };
	nr_ranges = 0;
	memset(probed, 0, sizeof(probed));
	return fdt_init(copy_of(from, len), 0x44000000);
}

/* --- a good tree ---------------------------------------------------------------------------------------------------------------------- */
TEST(chosen_and_memory)
{
	make_tree();
	EXPECT_EQ(load(blob, blob_len), 0);
	EXPECT(!strcmp(boot_chosen.bootargs, "console=ttyAMA0 quiet") && !strcmp(boot_chosen.stdout_path, "serial0:115200"));
	EXPECT(boot_chosen.initrd_start == 0x48000000 && boot_chosen.initrd_end == 0x48123456);	/* of one cell, of two */
	EXPECT(boot_chosen.kaslr_seed == 0x123456789abcdef0 && boot_chosen.rng_seed_len == 16 && boot_chosen.rng_seed[3] == 1);
	fdt_scan_memory();
	EXPECT(told(0x40000000, 0x8000000, '+') && told(0x100000000, 0x1000000, '+') && !told(0xf0000000, ~0ul, '+'));
	EXPECT(told(0x41000000, 0x3000, '-') && told(0x40001000, 0x2000, '-') && told(0x48000000, 0x123456, '-'));
	EXPECT(told(0x44000000, blob_len, '-') || told(0x44000000, ~0ul, '-'));
	EXPECT_EQ(nr_ranges, 6);
}

TEST(registers_and_interrupts)
{
	int uart, child, gic;
	u32 iter = 0, irq, v;
	u64 addr, size;
	bool edge;

	make_tree();
	EXPECT_EQ(load(blob, blob_len), 0);
	uart = fdt_path("serial0:115200");
	EXPECT(uart > 0 && uart == fdt_path("/pl011@9000000") && uart == fdt_compatible("arm,primecell", &iter));
	EXPECT(fdt_path("serial1") < 0 && fdt_path("/nothing") < 0 && fdt_path("") < 0 && fdt_path(":") < 0);
	EXPECT(!fdt_reg(uart, 0, &addr, &size) && addr == 0x9000000 && size == 0x1000 && fdt_reg(uart, 1, &addr, &size) == -ENOENT);
	EXPECT(!fdt_irq(uart, 0, &irq, &edge) && irq == 33 && !edge);
	EXPECT(!fdt_irq(uart, 1, &irq, &edge) && irq == 29 && edge);
	EXPECT(fdt_irq(uart, 2, &irq, &edge) == -ENOENT);
	gic = fdt_path("/intc@8000000");
	EXPECT(!fdt_reg(gic, 1, &addr, &size) && addr == 0x8010000 && fdt_irq(gic, 0, &irq, &edge) == -ENOENT);
	iter = 0;
	child = fdt_compatible("test,child", &iter);
	EXPECT(child > 0 && fdt_compatible("test,child", &iter) == -1);		/* the other one is disabled */
	EXPECT(!fdt_reg(child, 0, &addr, &size) && addr == 0x10a000010 - 0x0 && size == 0x20);
	EXPECT(fdt_reg(child, 1, &addr, &size) == -ENOENT);			/* outside its bus's ranges */
	EXPECT(!fdt_prop_u32(gic, "#interrupt-cells", 0, &v) && v == 3 && fdt_prop_u32(gic, "#interrupt-cells", 1, &v) == -ENOENT);
	EXPECT_EQ(fdt_node_parent(child), fdt_path("/bus@a000000"));
	EXPECT(fdt_node_parent(0) == -1 && fdt_node_parent(child + 4) == -1);
}

TEST(drivers_by_level)
{
	make_tree();
	EXPECT_EQ(load(blob, blob_len), 0);
	drivers_probe(DRIVER_IRQCHIP);
	EXPECT(probed[0] == 1 && !probed[1] && !probed[2]);
	drivers_probe(DRIVER_CLOCK);
	drivers_probe(DRIVER_CONSOLE);
	drivers_probe(DRIVER_DEVICE);
	EXPECT(probed[0] == 1 && probed[1] == 1 && probed[2] == 1);
}

TEST(moves_with_its_mapping)
{
	static u8 elsewhere[MAX_BLOB] __aligned(8);
	u64 addr, size;

	make_tree();
	EXPECT_EQ(load(blob, blob_len), 0);
	memcpy(elsewhere, blob, blob_len);
	fdt_set_mapping(elsewhere);
	memset(guarded - ALIGN_UP(blob_len, 8), 0, blob_len);
	EXPECT(!strcmp(boot_chosen.bootargs, "console=ttyAMA0 quiet") && boot_chosen.rng_seed[7] == 2);
	EXPECT(!fdt_reg(fdt_path("/pl011@9000000"), 0, &addr, &size) && addr == 0x9000000);
}

/* --- bad ones ---------------------------------------------------------------------------------------------------------------------------- */
/* Every question there is, of every node. */
static void ask_all(void)
{
	static const char *const props[] = { "reg", "compatible", "interrupts", "ranges", "status" };
	u32 iter = 0, v, irq;
	u64 addr, size;
	bool edge;
	int len;

	nr_ranges = 0;
	fdt_scan_memory();
	for (u32 level = 0; level < 4; level++)
		drivers_probe(level);
	fdt_compatible("nothing like it", &iter);
	for (int node = 0; node < (int)blob_len; node += 4) {
		for (int i = 0; i < 3; i++) {
			fdt_reg(node, i, &addr, &size);
			fdt_irq(node, i, &irq, &edge);
		}
		fdt_node_parent(node);
	}
	for (u32 i = 0; i < ARRAY_SIZE(props); i++) {
		fdt_prop(fdt_path("serial0"), props[i], &len);
		fdt_prop_u32(fdt_path("/bus@a000000/child@100"), props[i], 1, &v);
	}
	if (boot_chosen.stdout_path)
		fdt_path(boot_chosen.stdout_path);
	strlen(boot_chosen.bootargs);
	for (u32 i = 0; i < boot_chosen.rng_seed_len; i++)
		v = boot_chosen.rng_seed[i];
}

TEST(truncated)
{
	make_tree();
	for (u32 len = 0; len < blob_len; len++) {
		static u8 cut[MAX_BLOB];

		memcpy(cut, blob, blob_len);
		if (len >= 8)
			put32(cut + 4, len);		/* it says itself how long it is */
		else
			memset(cut + len, 0, 8);
		if (load(cut, max(len, 40u)) == 0)
			ask_all();
		EXPECT(len >= 40 || !boot_fdt);
	}
}

/* Each word of structure and header, to values that hurt. */
TEST(bent_words)
{
	static const u32 values[] = { 0, 1, 2, 3, 4, 9, 5, 0xff, 0x100, 0x7ffffffc, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	static u8 bent[MAX_BLOB];

	make_tree();
	for (u32 at = 8; at < blob_len / 4 * 4; at += 4)
		for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
			memcpy(bent, blob, blob_len);
			put32(bent + at, values[i]);
			if (load(bent, blob_len) == 0)
				ask_all();
		}
}

TEST(random_damage)
{
	static u8 bent[MAX_BLOB];

	make_tree();
	for (u32 round = 0; round < 20000; round++) {
		u32 changes = 1 + (u32)unit_below(8);

		memcpy(bent, blob, blob_len);
		while (changes--)
			bent[8 + unit_below(blob_len - 8)] = (u8)(unit_below(3) ? unit_random() : unit_below(10));
		if (load(bent, blob_len) == 0)
			ask_all();
	}
}

TEST(deep_and_many)
{
	body_len = strings_len = 0;
	begin("");
	for (u32 i = 0; i < 40; i++)
		begin("d");
	for (u32 i = 0; i < 40; i++)
		end();
	end();
	finish();
	EXPECT_EQ(load(blob, blob_len), 0);
	ask_all();
	body_len = strings_len = 0;
	begin("");
	for (u32 i = 0; i < 330; i++) {
		begin("n");
		end();
	}
	end();
	finish();
	EXPECT(blob_len < MAX_BLOB);
	EXPECT_EQ(load(blob, blob_len), 0);
	ask_all();
	EXPECT_EQ(load(body, 3), -EINVAL);
	EXPECT_EQ(fdt_init(NULL, 0), -EINVAL);
}
