/* The symbol table that the build links into the image (scripts/gen-symbols): offsets from _text in order, found by bisection; and
 * walks along frame pointers, which every function keeps.  A walk reads only memory that is surely a kernel stack: the task's own, or
 * the image's data (boot and emergency stacks), each frame above the last. */
#include <arch/context.h>
#include <arch/mmu.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>
#include <kernel/task.h>

extern const u32 ksym_count, ksym_offsets[], ksym_name_off[];
extern const char ksym_names[], _end[];

#define MAX_FRAMES 32

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

static u32 walk(const struct task *t, u64 fp, u64 *pcs, u32 max)
{
	u32 n = 0;

	while (n < max && on_stack(fp, t)) {
		u64 next = ((const u64 *)fp)[0], pc = ((const u64 *)fp)[1];

		if (!is_kernel_text(pc))
			break;
		pcs[n++] = pc - 4;	/* the call, not the return */
		if (next <= fp && !(next >= (u64)t->stack && next < (u64)t->stack + KERNEL_STACK_SIZE && (fp >> 14) != (next >> 14)))
			break;
		fp = next;
	}
	return n;
}

u32 stack_walk(u64 fp, u64 *pcs, u32 max) { return walk(current, fp, pcs, max); }

static void print_frames(const struct task *t, u64 fp)
{
	u64 pcs[MAX_FRAMES];
	u32 n = walk(t, fp, pcs, MAX_FRAMES);

	for (u32 i = 0; i < n; i++)
		printk(LOG_EMERG "  [<%016lx>] %pS\n", pcs[i], (void *)pcs[i]);
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
}

/* cpu_switch leaves the frame record (x29, x30) where the saved stack pointer points. */
void backtrace_task(struct task *t)
{
	print_frames(t, READ_ONCE(t->arch.sp));
}

static int symbols_init(void)
{
	fmt_symbol_hook = symbol_format;
	return 0;
}
BOOT_INIT(core, symbols_init);
