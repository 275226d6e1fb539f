/* The device tree.
 *
 * One pass at boot notes every node: where it starts, its parent, its "compatible" and the cell counts it sets for its children.
 * All later questions (a register range in CPU terms, an interrupt, the drivers' matching) walk that small table instead of the
 * blob, because libfdt finds parents only by walking from the start.  Offsets stay valid when the blob is mapped elsewhere.
 *
 * Nothing here is locked: the table is written once, by the boot CPU, before any other runs. */
#include <drivers/base/fdt.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <libfdt.h>
#include <mm/init.h>

#define MAX_NODES 320
#define MAX_DEPTH 16

struct fdt_node {
	s32 offset;
	s16 parent;			/* index into nodes[], -1 for the root */
	u8 addr_cells, size_cells;	/* for its children */
	u8 irq_cells;
	bool disabled;
	u8 driver;			/* that took it: 1 + its place in the section; 0: none */
	u32 phandle, irq_parent;	/* irq_parent: 0 means as the parent's */
	u32 compat, compat_len;		/* offset in the blob */
	u32 reg, reg_len;		/* of its "reg"; 0: none */
};

const void *boot_fdt;
paddr_t boot_fdt_pa;
struct boot_chosen boot_chosen = { .bootargs = "" };
static struct fdt_node nodes[MAX_NODES];
static u32 nr_nodes;

/* within_blob - libfdt lets a length near 2^32 pass. */
static bool within_blob(const void *p, u32 len)
{
	return (u64)p - (u64)boot_fdt + len <= fdt_totalsize(boot_fdt);
}

const void *fdt_prop(int node, const char *name, int *len)
{
	const void *p = boot_fdt ? fdt_getprop(boot_fdt, node, name, len) : NULL;

	return p && within_blob(p, (u32)*len) ? p : NULL;
}

int fdt_prop_u32(int node, const char *name, u32 index, u32 *out)
{
	int len;
	const u8 *p = fdt_prop(node, name, &len);

	if (!p || (u32)len < (index + 1) * 4)
		return -ENOENT;
	*out = fdt_be32(p + index * 4);
	return 0;
}

static u64 read_cells(const u8 *p, u32 cells)
{
	u64 v = 0;

	while (cells--) {
		v = v << 32 | fdt_be32(p);
		p += 4;
	}
	return v;
}

static struct fdt_node *node_entry(int offset)
{
	u32 lo = 0, hi = nr_nodes;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (nodes[mid].offset == offset)
			return &nodes[mid];
		if (nodes[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int fdt_node_parent(int node)
{
	struct fdt_node *n = node_entry(node);

	return n && n->parent >= 0 ? nodes[n->parent].offset : -1;
}

/* note_property - keep of a property what the table needs. */
static void note_property(struct fdt_node *n, const char *name, const u8 *val, u32 len)
{
	u32 cell = len >= 4 ? fdt_be32(val) : 0;

	switch (name[0]) {
	case '#':
		if (!strcmp(name, "#address-cells"))
			n->addr_cells = (u8)cell;
		else if (!strcmp(name, "#size-cells"))
			n->size_cells = (u8)cell;
		else if (!strcmp(name, "#interrupt-cells"))
			n->irq_cells = (u8)cell;
		break;
	case 'c':
		if (!strcmp(name, "compatible") && len && !val[len - 1]) {
			n->compat = (u32)(val - (const u8 *)boot_fdt);
			n->compat_len = len;
		}
		break;
	case 'i':
		if (!strcmp(name, "interrupt-parent"))
			n->irq_parent = cell;
		break;
	case 'p':
		if (!strcmp(name, "phandle"))
			n->phandle = cell;
		break;
	case 'r':
		if (!strcmp(name, "reg")) {
			n->reg = (u32)(val - (const u8 *)boot_fdt);
			n->reg_len = len;
		}
		break;
	case 's':
		if (!strcmp(name, "status") && len && !val[len - 1])
			n->disabled = strcmp((const char *)val, "okay") && strcmp((const char *)val, "ok");
		break;
	}
}

static void scan_nodes(void)
{
	int offset = 0, next, depth = -1;
	s16 stack[MAX_DEPTH];
	u32 tag;

	for (;; offset = next) {
		tag = fdt_next_tag(boot_fdt, offset, &next);
		if (tag == FDT_BEGIN_NODE) {
			if (++depth >= MAX_DEPTH || nr_nodes == MAX_NODES)
				return;
			nodes[nr_nodes] = (struct fdt_node){ .offset = offset, .parent = depth ? stack[depth - 1] : (s16)-1,
							     .addr_cells = 2, .size_cells = 1 };
			stack[depth] = (s16)nr_nodes++;
		} else if (tag == FDT_END_NODE) {
			if (depth-- <= 0)
				return;
		} else if (tag == FDT_PROP) {
			const struct fdt_property *p = fdt_offset_ptr(boot_fdt, offset, sizeof(*p));
			const char *name = p ? fdt_string(boot_fdt, (int)fdt32_to_cpu(p->nameoff)) : NULL;

			if (!name || depth < 0 || !within_blob(p->data, fdt32_to_cpu(p->len)))
				return;
			note_property(&nodes[stack[depth]], name, (const u8 *)p->data, fdt32_to_cpu(p->len));
		} else if (tag == FDT_END || next < 0) {
			return;
		}
	}
}

static u64 chosen_addr(int node, const char *name)
{
	int len;
	const u8 *p = fdt_prop(node, name, &len);

	return p && (len == 4 || len == 8) ? read_cells(p, (u32)len / 4) : 0;
}

/* chosen_string - a property that must be a terminated string, or NULL */
static const char *chosen_string(int node, const char *name)
{
	int len;
	const char *s = fdt_prop(node, name, &len);

	return s && len > 0 && !s[len - 1] ? s : NULL;
}

static void read_chosen(void)
{
	int node = fdt_path_offset(boot_fdt, "/chosen"), len = 0;
	const char *args;

	if (node < 0)
		return;
	args = chosen_string(node, "bootargs");
	boot_chosen.bootargs = args ? args : "";
	boot_chosen.stdout_path = chosen_string(node, "stdout-path");
	boot_chosen.initrd_start = chosen_addr(node, "linux,initrd-start");
	boot_chosen.initrd_end = chosen_addr(node, "linux,initrd-end");
	if (boot_chosen.initrd_end <= boot_chosen.initrd_start)
		boot_chosen.initrd_start = boot_chosen.initrd_end = 0;
	boot_chosen.kaslr_seed = chosen_addr(node, "kaslr-seed");
	boot_chosen.rng_seed = fdt_prop(node, "rng-seed", &len);
	boot_chosen.rng_seed_len = boot_chosen.rng_seed && len > 0 ? (u32)len : 0;
}

int fdt_init(const void *va, paddr_t pa)
{
	if (!va || fdt_check_header(va))
		return -EINVAL;
	boot_fdt = va;
	boot_fdt_pa = pa;
	nr_nodes = 0;
	scan_nodes();
	read_chosen();
	return 0;
}

static const void *moved(const void *p, const void *to)
{
	return p ? (const u8 *)to + ((const u8 *)p - (const u8 *)boot_fdt) : NULL;
}

void fdt_set_mapping(const void *va)
{
	if (!boot_fdt)
		return;
	if (boot_chosen.bootargs[0])
		boot_chosen.bootargs = moved(boot_chosen.bootargs, va);
	boot_chosen.stdout_path = moved(boot_chosen.stdout_path, va);
	boot_chosen.rng_seed = moved(boot_chosen.rng_seed, va);
	boot_fdt = va;
}

/* content_size - the bytes really used; QEMU claims a round 1 MiB for a few KiB. */
static u64 content_size(void)
{
	u64 a = (u64)fdt_off_dt_struct(boot_fdt) + fdt_size_dt_struct(boot_fdt);
	u64 b = (u64)fdt_off_dt_strings(boot_fdt) + fdt_size_dt_strings(boot_fdt);
	u64 c = (u64)fdt_off_mem_rsvmap(boot_fdt) + (u64)(fdt_num_mem_rsv(boot_fdt) + 1) * 16;

	return max(max(a, b), max(c, 64ul));
}

void fdt_scan_memory(void)
{
	u64 start, size;
	int len;

	if (!boot_fdt)
		return;
	for (u32 i = 0; i < nr_nodes; i++) {
		int parent = nodes[i].parent < 0 ? -1 : nodes[nodes[i].parent].offset;
		const char *type, *pname;

		if (nodes[i].parent == 0) {
			type = fdt_prop(nodes[i].offset, "device_type", &len);
			if (type && len == 7 && !memcmp(type, "memory", 7) && !nodes[i].disabled)
				for (int k = 0; !fdt_reg(nodes[i].offset, k, &start, &size); k++)
					bootmem_add(start, size);
		} else if (parent > 0) {
			pname = fdt_get_name(boot_fdt, parent, NULL);
			if (pname && !strcmp(pname, "reserved-memory"))
				for (int k = 0; !fdt_reg(nodes[i].offset, k, &start, &size); k++)
					bootmem_reserve(start, size, "reserved-memory");
		}
	}
	for (int i = 0; i < fdt_num_mem_rsv(boot_fdt); i++)
		if (!fdt_get_mem_rsv(boot_fdt, i, &start, &size) && size)
			bootmem_reserve(start, size, "memreserve");
	bootmem_reserve(boot_fdt_pa, content_size(), "device tree");
	if (boot_chosen.initrd_end)
		bootmem_reserve(boot_chosen.initrd_start, boot_chosen.initrd_end - boot_chosen.initrd_start, "initrd");
}

int fdt_by_phandle(u32 phandle)
{
	for (u32 i = 0; i < nr_nodes && phandle; i++)
		if (nodes[i].phandle == phandle)
			return nodes[i].offset;
	return -1;
}

int fdt_cpu(u32 index)
{
	int parent = fdt_path("/cpus"), len;

	for (u32 i = 0; i < nr_nodes && parent > 0; i++) {
		const char *type;

		if (nodes[i].parent < 0 || nodes[nodes[i].parent].offset != parent)
			continue;
		type = fdt_prop(nodes[i].offset, "device_type", &len);
		if (type && len == 4 && !memcmp(type, "cpu", 4) && !nodes[i].disabled && !index--)
			return nodes[i].offset;
	}
	return -1;
}

/* translate - a child address on bus's child side to the parent's side, by "ranges".  False: not mapped. */
static bool translate(const struct fdt_node *bus, u64 *addr)
{
	const struct fdt_node *up = &nodes[bus->parent];
	u32 ca = bus->addr_cells, pa = up->addr_cells, sa = bus->size_cells, row = (ca + pa + sa) * 4;
	int len;
	const u8 *r = fdt_prop(bus->offset, "ranges", &len);

	if (!r)
		return false;
	if (len == 0)
		return true;
	for (; (u32)len >= row && row; r += row, len -= (int)row) {
		u64 child = read_cells(r, ca), base = read_cells(r + ca * 4, pa), size = read_cells(r + (ca + pa) * 4, sa);

		if (*addr >= child && *addr - child < size) {
			*addr = *addr - child + base;
			return true;
		}
	}
	return false;
}

int fdt_reg(int node, int index, u64 *addr, u64 *size)
{
	struct fdt_node *n = node_entry(node), *bus;
	const u8 *p;
	u32 row;

	if (!n || n->parent < 0 || !n->reg)
		return -ENOENT;
	bus = &nodes[n->parent];
	row = (u32)(bus->addr_cells + bus->size_cells) * 4;
	if (!row || n->reg_len < (u32)(index + 1) * row)
		return -ENOENT;
	p = (const u8 *)boot_fdt + n->reg + (u32)index * row;
	*addr = read_cells(p, bus->addr_cells);
	*size = read_cells(p + bus->addr_cells * 4, bus->size_cells);
	for (; bus->parent >= 0; bus = &nodes[bus->parent])
		if (!translate(bus, addr))
			return -ENOENT;
	return 0;
}

static u32 irq_parent_cells(const struct fdt_node *n)
{
	while (!n->irq_parent && n->parent >= 0)
		n = &nodes[n->parent];
	for (u32 i = 0; i < nr_nodes; i++)
		if (nodes[i].phandle == n->irq_parent && nodes[i].irq_cells)
			return nodes[i].irq_cells;
	return 3;
}

int fdt_irq(int node, int index, u32 *irq, bool *edge)
{
	struct fdt_node *n = node_entry(node);
	u32 cells, row;
	int len;
	const u8 *p = fdt_prop(node, "interrupts", &len);

	if (!n || !p)
		return -ENOENT;
	cells = irq_parent_cells(n);
	row = cells * 4;
	if (cells < 3 || (u32)len < (u32)(index + 1) * row)
		return -ENOENT;
	p += (u32)index * row;
	*irq = fdt_be32(p + 4) + (fdt_be32(p) == 0 ? 32 : 16);	/* 0: shared, 1: private to a CPU */
	*edge = (fdt_be32(p + 8) & 3) != 0;
	return 0;
}

static bool node_matches(const struct fdt_node *n, const char *compat)
{
	const char *s = (const char *)boot_fdt + n->compat, *end = s + n->compat_len;

	for (; s < end; s += strlen(s) + 1)
		if (!strcmp(s, compat))
			return true;
	return false;
}

int fdt_compatible(const char *compat, u32 *iter)
{
	while (*iter < nr_nodes) {
		const struct fdt_node *n = &nodes[(*iter)++];

		if (n->compat_len && !n->disabled && node_matches(n, compat))
			return n->offset;
	}
	return -1;
}

int fdt_path(const char *path)
{
	const char *colon = strchr(path, ':');
	int len = colon ? (int)(colon - path) : (int)strlen(path);
	int node = boot_fdt ? fdt_path_offset_namelen(boot_fdt, path, len) : -1;

	return node < 0 ? -1 : node;
}

const char *fdt_name(int node) { return fdt_get_name(boot_fdt, node, NULL) ?: ""; }

const char *fdt_driver_name(int node)
{
	const struct fdt_node *n = node_entry(node);

	return n && n->driver ? __drivers_start[n->driver - 1].name : NULL;
}

int fdt_driven(u32 *iter)
{
	while (*iter < nr_nodes) {
		const struct fdt_node *n = &nodes[(*iter)++];

		if (n->driver)
			return n->offset;
	}
	return -1;
}

void drivers_probe(u32 level)
{
	for (u32 i = 0; i < nr_nodes; i++) {
		if (!nodes[i].compat_len || nodes[i].disabled)
			continue;
		for (const struct driver *d = __drivers_start; d < __drivers_end; d++) {
			if (d->level != level)
				continue;
			for (const char *const *m = d->match; *m; m++) {
				int err;

				if (!node_matches(&nodes[i], *m))
					continue;
				err = d->probe(nodes[i].offset);
				if (!err)
					nodes[i].driver = (u8)(d - __drivers_start + 1);
				if (err && err != -ENODEV)
					pr_err("%s: %s: probe failed, error %d\n", d->name,
					       fdt_get_name(boot_fdt, nodes[i].offset, NULL), err);
				break;
			}
		}
	}
}
