/* Taking a short backtrace must cost little, since each lock operation of a debug build does it: no symbol is looked up before it is
 * printed, no check is compiled in (this directory has no sanitizers), and the walk ends after WHERE_FRAMES records.  It follows frame
 * pointers upwards within the task's stack, or the image's data (boot and emergency stacks); across an exception the record in the trap
 * frame leads on to the interrupted code, as in kernel/symbols.c. */
#include <arch/context.h>
#include <kernel/debug/where.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>
#include <kernel/task.h>

#ifdef CONFIG_DEBUG
extern const char _end[];

void where_note(struct where *w)
{
	u64 fp = *(u64 *)__builtin_frame_address(0), base = (u64)current->stack, low, high;
	u32 n = 0;

	if (base && fp >= base && fp < base + KERNEL_STACK_SIZE) {
		low = base;
		high = base + KERNEL_STACK_SIZE - 16;
	} else {
		low = (u64)_etext;
		high = (u64)_end - 16;
	}
	for (; n < WHERE_FRAMES && fp >= low && fp <= high && !(fp & 7); n++) {
		u64 pc = ((const u64 *)fp)[1];

		if (!is_kernel_text(pc))
			break;
		w->text_off[n] = (u32)(pc - (u64)_text);
		low = fp + 8;
		fp = ((const u64 *)fp)[0];
	}
	if (n < WHERE_FRAMES)
		w->text_off[n] = 0;
}

void where_print(const struct where *w)
{
	for (u32 i = 0; i < WHERE_FRAMES && w->text_off[i]; i++) {
		u64 pc = (u64)_text + w->text_off[i] - 4;	/* the call, not the return */

		printk(LOG_EMERG "  [<%016lx>] %pS\n", pc, (void *)pc);
	}
}
#endif
