/* shared_lines: a QEMU plugin that says which instructions of the kernel meet other CPUs on a cache line.
 *
 * A processor that writes a line another one holds has to wait for it, and so does one that reads what another wrote: work that is to
 * scale may do neither on its way.  The plugin keeps for each line who wrote it last and who has read it since, as caches would, and
 * counts for each instruction how often it found its line with another.  At the end it writes, dearest first, "address taken fetched
 * line": how often the instruction took a line from others by writing, how often it fetched one that another had written, and the last
 * such line.  User addresses are left out.  The tables are written by all CPUs without a lock: what is lost is little.
 * The plugin interface (version 1, QEMU 6 to 8) is declared here, since Debian packages no header for it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
typedef uint32_t mem_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGS = 0, READ_WRITE = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned cpu, mem_info info, uint64_t address, void *arg),
				      int flags, int rw, void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
_Bool qemu_plugin_mem_is_store(mem_info info);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *arg), void *arg);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define LINE		64u
#define LINES		(1u << 20)	/* a table by the line's address: two that fall together count as one */
#define INSNS		(1u << 18)

struct line { uint64_t address; uint32_t owner, holders; };		/* owner: cpu + 1, of the last write; holders: bits of who has it since */
struct insn { uint64_t address, taken, fetched, line; };
static struct line lines[LINES];
static struct insn *insns[INSNS];
static unsigned n_insns;
static char *out_path;

static void on_access(unsigned cpu, mem_info info, uint64_t address, void *arg)
{
	uint64_t at = address / LINE;
	struct line *l = &lines[(at ^ at >> 20) & (LINES - 1)];
	struct insn *in = arg;

	if (!(address >> 63))
		return;
	if (l->address != at)
		*l = (struct line){ .address = at };
	if (qemu_plugin_mem_is_store(info)) {
		if (l->holders & ~(1u << cpu)) {
			in->taken++;
			in->line = address;
		}
		l->owner = cpu + 1;
		l->holders = 1u << cpu;
	} else if (!(l->holders & 1u << cpu)) {
		if (l->owner && l->owner != cpu + 1) {
			in->fetched++;
			in->line = address;
		}
		l->holders |= 1u << cpu;
	}
}

static struct insn *counter_of(uint64_t address)
{
	unsigned i = (unsigned)(address >> 2) & (INSNS - 1);

	while (insns[i] && insns[i]->address != address)
		i = (i + 1) & (INSNS - 1);
	if (!insns[i] && n_insns < INSNS / 2) {
		insns[i] = calloc(1, sizeof(*insns[i]));
		if (!insns[i])
			abort();
		insns[i]->address = address;
		n_insns++;
	}
	return insns[i];
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);
		struct insn *in = at >> 63 ? counter_of(at) : NULL;

		if (in)
			qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGS, READ_WRITE, in);
	}
}

static int by_cost(const void *a, const void *b)
{
	const struct insn *x = *(struct insn *const *)a, *y = *(struct insn *const *)b;
	uint64_t cx = x ? x->taken + x->fetched : 0, cy = y ? y->taken + y->fetched : 0;

	return (cx < cy) - (cx > cy);
}

static void on_exit_(plugin_id id, void *arg)
{
	FILE *f = fopen(out_path, "w");

	(void)id;
	(void)arg;
	if (!f)
		return;
	qsort(insns, INSNS, sizeof(insns[0]), by_cost);
	for (unsigned i = 0; i < INSNS && insns[i] && insns[i]->taken + insns[i]->fetched; i++)
		fprintf(f, "%#lx %lu %lu %#lx\n", (unsigned long)insns[i]->address, (unsigned long)insns[i]->taken, (unsigned long)insns[i]->fetched,
			(unsigned long)insns[i]->line);
	fclose(f);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out_path = strdup(argv[i] + 4);
	if (!out_path)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
	return 0;
}
