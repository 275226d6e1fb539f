/* jumps: a QEMU plugin for scripts/profile --jumps.
 *
 * QEMU links translated blocks directly only within a page of the guest's code; after a jump into another page, and after each jump through
 * a register (returns too), it looks the next block up in a table.  Between the two marks that bench.h puts around what it times, this
 * counts the jumps of the one processor by kind, and writes for each pair of addresses in different pages "kind from to times"; from is
 * where the block that jumped begins.  Exceptions are told apart and not listed.
 * The plugin interface (version 1, QEMU 6 to 8) is declared here, since Debian packages no header for it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned cpu, void *arg), int flags, void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned cpu, void *arg), int flags, void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *arg), void *arg);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define HINT(n)		(0xd503201fu | (n) << 5)
#define MARK_BEGIN	HINT(0x70u)
#define MARK_END	HINT(0x71u)
#define ERET		0xd69f03e0u
#define PLACES		(1u << 20)		/* of the table of pairs; what comes when it is nearly full is counted by kind only */

enum kind { NEAR, FAR, INDIRECT, EXCEPTION, NR_KINDS };
static const char *const kind_names[NR_KINDS] = { "near", "far", "indirect", "exception" };
struct block { uint64_t address; enum kind ends; };	/* ends: FAR for a direct jump or none; NEAR is told when the next is known */
struct pair { uint64_t from, to, times; enum kind kind; };

static struct pair *pairs;
static size_t nr_pairs;
static uint64_t counts[NR_KINDS];
static const struct block *last;
static int counting;
static char *out_path;

static void on_mark(unsigned cpu, void *begin)
{
	(void)cpu;
	counting = begin != NULL;
	last = NULL;
}

static void count_pair(uint64_t from, uint64_t to, enum kind kind)
{
	size_t at = (from * 0x9e3779b97f4a7c15u ^ to * 0xc2b2ae3d27d4eb4fu) >> 44;

	while (pairs[at].times && (pairs[at].from != from || pairs[at].to != to))
		at = (at + 1) % PLACES;
	if (!pairs[at].times) {
		if (nr_pairs > PLACES / 2)
			return;
		nr_pairs++;
		pairs[at] = (struct pair){ from, to, 0, kind };
	}
	pairs[at].times++;
}

static void on_block(unsigned cpu, void *arg)
{
	const struct block *b = arg;

	(void)cpu;
	if (!counting)
		return;
	if (last) {
		int near = last->address >> 12 == b->address >> 12;
		enum kind kind = last->ends == FAR && near ? NEAR : last->ends;

		counts[kind]++;
		if (!near && kind != EXCEPTION)
			count_pair(last->address, b->address, kind);
	}
	last = b;
}

static enum kind ending(uint32_t code)
{
	if (code == ERET || (code & 0xfe000000u) == 0xd4000000u)	/* SVC and its kin, writes of system registers */
		return EXCEPTION;
	return (code & 0xfe000000u) == 0xd6000000u ? INDIRECT : FAR;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b = malloc(sizeof(*b));
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint32_t code = 0;

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		memcpy(&code, qemu_plugin_insn_data(insn), 4);
		if (code == MARK_BEGIN || code == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGS, code == MARK_BEGIN ? &counting : NULL);
	}
	*b = (struct block){ qemu_plugin_tb_vaddr(tb), ending(code) };
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGS, b);
}

static void on_end(plugin_id id, void *arg)
{
	FILE *f = fopen(out_path, "w");

	(void)id;
	(void)arg;
	for (int k = 0; f && k < NR_KINDS; k++)
		fprintf(f, "%s 0 0 %lu\n", kind_names[k], (unsigned long)counts[k]);
	for (size_t i = 0; f && i < PLACES; i++)
		if (pairs[i].times)
			fprintf(f, "%s %lx %lx %lu\n", kind_names[pairs[i].kind], (unsigned long)pairs[i].from, (unsigned long)pairs[i].to, (unsigned long)pairs[i].times);
	if (f)
		fclose(f);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) || !(pairs = calloc(PLACES, sizeof(*pairs))))
		return -1;
	out_path = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_end, NULL);
	return 0;
}
