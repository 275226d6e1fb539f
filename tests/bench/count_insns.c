/* count_insns: a QEMU plugin for scripts/profile.
 *
 * Counts how often each translated block runs between the two marks that bench.h puts around what it times (hints that do nothing
 * on a processor), and writes "address instructions times" for each block when QEMU ends.  A block is counted whole; one that a
 * fault leaves early counts too much, which for the kernel's own code happens only at user accesses.
 * With `out=FILE,rounds=on` it writes instead, for each stretch between two marks, how many instructions ran.
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

struct block { uint64_t address, insns, times; struct block *next; };
static struct block *blocks;
static int counting;
static char *out_path;
static FILE *rounds;
static uint64_t total;

static void on_mark(unsigned cpu, void *begin)
{
	(void)cpu;
	counting = begin != NULL;
	if (!begin && rounds)
		fprintf(rounds, "%lu\n", (unsigned long)total);
	total = 0;
}

static void on_block(unsigned cpu, void *arg)
{
	(void)cpu;
	if (!counting)
		return;
	((struct block *)arg)->times++;
	total += ((struct block *)arg)->insns;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b = malloc(sizeof(*b));
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	*b = (struct block){ qemu_plugin_tb_vaddr(tb), n, 0, blocks };
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGS, b);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t code;

		memcpy(&code, qemu_plugin_insn_data(insn), 4);
		if (code == MARK_BEGIN || code == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGS, code == MARK_BEGIN ? &counting : NULL);
	}
}

static void on_end(plugin_id id, void *arg)
{
	FILE *f;

	(void)id;
	(void)arg;
	if (rounds) {
		fclose(rounds);
		return;
	}
	f = fopen(out_path, "w");
	for (struct block *b = blocks; f && b; b = b->next)
		if (b->times)
			fprintf(f, "%lx %lu %lu\n", (unsigned long)b->address, (unsigned long)b->insns, (unsigned long)b->times);
	if (f)
		fclose(f);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc < 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out_path = strdup(argv[0] + 4);
	if (argc > 1 && !strcmp(argv[1], "rounds=on") && !(rounds = fopen(out_path, "w")))
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_end, NULL);
	return 0;
}
