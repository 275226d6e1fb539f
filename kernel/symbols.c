/* The symbol table that the build links into the image (scripts/gen-symbols): offsets from _text in order, found by bisection; and
 * walks along frame pointers, which every function keeps.  A walk reads only memory that is surely a kernel stack: the task's own, or
 * the image's data (boot and emergency stacks), each frame above the last.  It passes through exceptions. */
#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/trapframe.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/symbols.h>
#include <kernel/task.h>

extern const u32 ksym_count, ksym_offsets[], ksym_name_off[];
extern const char ksym_names[], _end[], el1_entries_start[], el1_entries_end[];

#define FIRST_FRAMES 48u
#define LAST_FRAMES 16u

bool symbol_lookup(u64 addr, const char **name, u64 *off, u64 *size)
{
	u64 rel = addr - (u64)_text;
	u32 lo = 0, hi = ksym_count;

	if (!is_kernel_text(addr) || !hi)
		return false;
	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (ksym_offsets[mid] <= rel)
			lo = mid;
		else
			hi = mid;
	}
	if (ksym_offsets[lo] > rel)
		return false;
	*name = ksym_names + ksym_name_off[lo];
	*off = rel - ksym_offsets[lo];
	*size = (lo + 1 < ksym_count ? ksym_offsets[lo + 1] : (u64)(_etext - _text)) - ksym_offsets[lo];
	return true;
}

bool symbol_at(u32 i, u64 *addr, const char **name)
{
	if (i >= ksym_count)
		return false;
	*addr = (u64)_text + ksym_offsets[i];
	*name = ksym_names + ksym_name_off[i];
	return true;
}

void symbol_format(char *buf, size_t len, u64 addr)
{
	const char *name;
	u64 off, size;

	if (symbol_lookup(addr, &name, &off, &size))
		ksnprintf(buf, len, "%s+0x%lx/0x%lx", name, off, size);
	else
		ksnprintf(buf, len, "0x%016lx", addr);
}

static bool on_stack(u64 fp, const struct task *t)
{
	u64 base = (u64)t->stack;

	if (fp & 7)
		return false;
	if (base && fp >= base && fp + 16 <= base + KERNEL_STACK_SIZE)
		return true;
	return fp >= (u64)_etext && fp + 16 <= (u64)_end;
}

/* A walk: where it stands, and whether that record is an exception's, which lies in its trap frame (entry.S) and tells where the kernel
 * was interrupted.  Elsewhere a record tells where a call returns to. */
struct walk { const struct task *task; u64 fp; bool exception; };

static bool walk_next(struct walk *w, u64 *pc)
{
	u64 fp = w->fp, base = (u64)w->task->stack, next, to;

	if (!on_stack(fp, w->task))
		return false;
	next = ((const u64 *)fp)[0];
	to = ((const u64 *)fp)[1];
	if (!is_kernel_text(to))
		return false;
	*pc = w->exception ? to : to - 4;	/* the call, not the return */
	w->exception = to > (u64)el1_entries_start && to <= (u64)el1_entries_end;
	/* upwards only, but for one step from the boot or emergency stack to the task's */
	if (next <= fp && !(next >= base && next < base + KERNEL_STACK_SIZE && (fp < base || fp >= base + KERNEL_STACK_SIZE)))
		next = 0;
	w->fp = next;
	return true;
}

u32 stack_walk(u64 fp, u64 *pcs, u32 max)
{
	struct walk w = { current, fp, false };
	u32 n = 0;

	while (n < max && walk_next(&w, &pcs[n]))
		n++;
	return n;
}

/* All frames, or of a very deep stack the first and the last. */
static void print_frames(const struct task *t, u64 fp)
{
	struct walk w = { t, fp, false };
	u32 depth = 0;
	u64 pc;

	while (depth < KERNEL_STACK_SIZE / 16 && walk_next(&w, &pc))
		depth++;
	w = (struct walk){ t, fp, false };
	for (u32 i = 0; i < depth; i++) {
		const struct trap_frame *tf = w.exception ? container_of((u64 *)w.fp, struct trap_frame, orig_x0) : NULL;

		if (!walk_next(&w, &pc))
			break;
		if (i == FIRST_FRAMES && depth > FIRST_FRAMES + LAST_FRAMES)
			printk(LOG_EMERG "  ... %u frames ...\n", depth - FIRST_FRAMES - LAST_FRAMES);
		if (i >= FIRST_FRAMES && i + LAST_FRAMES < depth)
			continue;
		if (tf)
			printk(LOG_EMERG "  --- exception, lr %pS, sp %016lx\n", (void *)tf->x[30], tf->sp);
		printk(LOG_EMERG "  [<%016lx>] %pS\n", pc, (void *)pc);
	}
}

void backtrace_frame(u64 pc, u64 fp)
{
	printk(LOG_EMERG "Call trace:\n");
	if (pc)
		printk(LOG_EMERG "  [<%016lx>] %pS\n", pc, (void *)pc);
	print_frames(current, fp);
}

void backtrace_print(void)
{
	backtrace_frame(0, (u64)__builtin_frame_address(0));
	barrier();	/* no tail call: our frame is where the walk begins */
}

struct places { u32 n; u64 pc[64]; };

/* cpu_switch leaves the frame record (x29, x30) where the saved stack pointer points. */
static void collect(struct task *t, void *arg)
{
	struct walk w = { t, t->arch.sp, false };
	struct places *p = arg;

	for (p->n = 0; p->n < ARRAY_SIZE(p->pc) && walk_next(&w, &p->pc[p->n]);)
		p->n++;
}

void backtrace_task(struct task *t)
{
	struct places p = { .n = 0 };

	if (!task_look(t, collect, &p))
		return;
	printk(LOG_NOTICE "Call trace:\n");
	for (u32 i = 0; i < p.n; i++)
		printk(LOG_NOTICE "  [<%016lx>] %pS\n", p.pc[i], (void *)p.pc[i]);
}

u32 backtrace_collect(struct task *t, u64 *pcs, u32 max)
{
	struct places p = { .n = 0 };

	if (t == current)
		return stack_walk((u64)__builtin_frame_address(0), pcs, max);
	if (!task_look(t, collect, &p))
		return 0;
	p.n = min(p.n, max);
	memcpy(pcs, p.pc, p.n * sizeof(*pcs));
	return p.n;
}

static int symbols_init(void)
{
	fmt_symbol_hook = symbol_format;
	return 0;
}
BOOT_INIT(core, symbols_init);
