/* Breakpoints and watchpoints in the CPU's registers, for programs that are traced.
 *
 * A tracer fills slots by PTRACE_SETREGSET NT_ARM_HW_BREAK, NT_ARM_HW_WATCH: sixteen of each kind as the layout has it, of which as many may be
 * in use as the CPU has registers.  A slot that was ever written is in use until the thread execs or ends; it is neither inherited nor given
 * back when the tracer goes.  Slots belong to the thread (arch.hw, NULL for nearly all) and change only while it stands still, so they need no lock.
 *
 * Registers.  TIF_HWDEBUG says that a slot is on.  On its way to EL0 such a thread gets its slots into the registers and sets MDSCR_EL1.MDE; when
 * it leaves the CPU they are emptied again (arch.debug_live, ptrace.c).  Invariant: control registers are 0 unless a thread that wants them is
 * current.  KDE stays clear and each register is for EL0 only, so the kernel is never watched, not where it reads the program's memory either.
 *
 * An exception comes before the instruction (a breakpoint), or before the access is seen (a watchpoint), and the thread takes SIGTRAP, TRAP_HWBKPT
 * with the address.  It would come again when the thread goes on: as on Linux it is the debugger who switches the slot off and steps over.
 * What can be asked for, and how what was asked for reads back, is Linux's.  Arm ARM D2.9, D2.10 (breakpoint and watchpoint exceptions), D13.3. */
#include <asm/ptrace.h>
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/ptrace.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/signal.h>
#include <kernel/task.h>
#include <mm/slab.h>
#include "hw_debug.h"

#define NR_SLOTS	16
#define ADDRESSES	BIT(48)		/* what a slot may name ends here */
#define CTRL_ON		1u
#define CTRL_EL0	(2u << 1)
#define CTRL_TYPE(c)	((c) >> 3 & 3)	/* of watchpoints: 1 reads, 2 writes; of breakpoints 0 */
#define CTRL_BYTES(c)	((c) >> 5 & 0xff)
#define NO_BYTES	offsetof(struct user_hwdebug_state, dbg_regs)
#define ONE		sizeof(((struct user_hwdebug_state *)0)->dbg_regs[0])

/* What was asked for: len bytes from addr on.  A written one has a len. */
struct slot { u64 addr; u8 len, type; bool on; };
struct hw_debug { struct slot slot[2][NR_SLOTS]; };	/* by kind: 0 breakpoints, 1 watchpoints */

static u32 nr_registers(bool watch) { return (read_sysreg(id_aa64dfr0_el1) >> (watch ? 20 : 12) & 15) + 1; }

/* A slot as the registers want it. */
static u64 slot_address(const struct slot *s, bool watch) { return s->addr & ~(watch ? 7ul : 3ul); }
static u32 slot_control(const struct slot *s, bool watch)
{
	u32 bytes = watch ? BIT(s->len) - 1 : 15;

	if (!s->len)
		return 0;
	return (bytes << (s->addr & (watch ? 7 : 3)) & 0xff) << 5 | (u32)s->type << 3 | CTRL_EL0 | s->on;
}

/* --- the registers */

#define EACH_REGISTER(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)

static void write_break(u32 i, u64 addr, u32 control)
{
#define CASE(n) case n: write_sysreg(addr, dbgbvr##n##_el1); write_sysreg(control, dbgbcr##n##_el1); break;
	switch (i) { EACH_REGISTER(CASE) }
#undef CASE
}

static void write_watch(u32 i, u64 addr, u32 control)
{
#define CASE(n) case n: write_sysreg(addr, dbgwvr##n##_el1); write_sysreg(control, dbgwcr##n##_el1); break;
	switch (i) { EACH_REGISTER(CASE) }
#undef CASE
}

/* The slots of h that are on go to the first registers, or (empty) those registers are cleared. */
static void write_registers(const struct hw_debug *h, bool empty)
{
	for (u32 watch = 0; watch < 2; watch++)
		for (u32 i = 0, n = 0; i < NR_SLOTS; i++) {
			const struct slot *s = &h->slot[watch][i];

			if (s->on && (watch || IS_ALIGNED(s->addr, 4)))	/* no instruction is elsewhere */
				(watch ? write_watch : write_break)(n++, empty ? 0 : slot_address(s, watch), empty ? 0 : slot_control(s, watch));
		}
}

void hw_debug_load(const struct task *t) { write_registers(t->arch.hw, false); }
void hw_debug_unload(const struct task *t) { write_registers(t->arch.hw, true); }

void hw_debug_init(void)
{
	for (u32 i = 0; i < nr_registers(false); i++)
		write_break(i, 0, 0);
	for (u32 i = 0; i < nr_registers(true); i++)
		write_watch(i, 0, 0);
}

/* --- what a tracer reads and writes */

static void get(struct task *t, struct user_hwdebug_state *to, bool watch)
{
	memset(to, 0, sizeof(*to));
	to->dbg_info = (u32)(read_sysreg(id_aa64dfr0_el1) & 15) << 8 | nr_registers(watch);
	for (u32 i = 0; t->arch.hw && i < NR_SLOTS; i++) {
		const struct slot *s = &t->arch.hw->slot[watch][i];

		to->dbg_regs[i].addr = slot_address(s, watch);
		to->dbg_regs[i].ctrl = slot_control(s, watch);
	}
}

void hw_break_get(struct task *t, void *regs) { get(t, regs, false); }
void hw_watch_get(struct task *t, void *regs) { get(t, regs, true); }

/* The slot, in use from now on.  NULL: all that the CPU has are in use. */
static struct slot *take_slot(struct hw_debug *h, u32 i, bool watch)
{
	struct slot *s = &h->slot[watch][i];
	u32 used = 0;

	if (s->len)
		return s;
	for (u32 j = 0; j < NR_SLOTS; j++)
		used += h->slot[watch][j].len != 0;
	if (used >= nr_registers(watch))
		return NULL;
	*s = (struct slot){ .len = 4, .type = watch ? 3 : 0 };
	return s;
}

/* A watchpoint is within eight bytes. */
static bool may_be(u64 addr, u32 len, bool watch) { return addr < ADDRESSES && (!watch || (addr & 7) + len <= 8); }

static int set_address(struct slot *s, u64 addr, bool watch)
{
	if (!may_be(addr, s->len, watch))
		return -EINVAL;
	s->addr = addr;
	return 0;
}

/* The bytes that count are one run of the eight (DBGWCR.BAS), told from the slot's address on. */
static int set_control(struct slot *s, u32 control, bool watch)
{
	u32 bytes = CTRL_BYTES(control), first, len;

	if (!(control & CTRL_ON)) {
		s->on = false;
		return 0;
	}
	if (!bytes || watch != (CTRL_TYPE(control) != 0))
		return -EINVAL;
	first = (u32)__builtin_ctz(bytes);
	bytes >>= first;
	len = 32 - (u32)__builtin_clz(bytes);
	if ((bytes & (bytes + 1)) || !may_be(s->addr + first, len, watch))
		return -EINVAL;
	*s = (struct slot){ .addr = s->addr + first, .len = (u8)len, .type = (u8)CTRL_TYPE(control), .on = true };
	return 0;
}

static int set_slots(struct hw_debug *h, const struct user_hwdebug_state *from, size_t len, bool watch)
{
	for (u32 i = 0; NO_BYTES + i * ONE < len; i++) {
		size_t left = len - NO_BYTES - i * ONE;
		struct slot *s;
		int err;

		if (left < sizeof(from->dbg_regs[i].addr))
			return -EINVAL;
		s = take_slot(h, i, watch);
		if (!s)
			return -ENOSPC;
		err = set_address(s, from->dbg_regs[i].addr, watch);
		if (!err && left > sizeof(from->dbg_regs[i].addr))
			err = set_control(s, from->dbg_regs[i].ctrl, watch);
		if (err)
			return err;
	}
	return 0;
}

static int set(struct task *t, const void *regs, size_t len, bool watch)
{
	bool on = false;
	int err;

	if (len <= NO_BYTES)
		return 0;
	if (!t->arch.hw)
		t->arch.hw = kzalloc(sizeof(*t->arch.hw), GFP_KERNEL);
	if (!t->arch.hw)
		return -ENOMEM;
	err = set_slots(t->arch.hw, regs, len, watch);
	for (u32 i = 0; i < NR_SLOTS; i++)
		on |= t->arch.hw->slot[0][i].on || t->arch.hw->slot[1][i].on;
	if (on)
		atomic_fetch_or(&t->head.flags, TIF_HWDEBUG);
	else
		atomic_fetch_and(&t->head.flags, ~TIF_HWDEBUG);
	return err;
}

int hw_break_set(struct task *t, const void *regs, size_t len) { return set(t, regs, len, false); }
int hw_watch_set(struct task *t, const void *regs, size_t len) { return set(t, regs, len, true); }

/* --- its life */

void arch_hw_debug_trap(u64 addr) { signal_force(SIGTRAP, TRAP_HWBKPT, addr); }

void arch_hw_debug_exec(void)
{
	struct task *t = current;

	if (!t->arch.hw)
		return;
	arch_irq_disable();		/* not switched out in between: arch_debug_unload looks at the slots */
	if (t->arch.debug_live)
		arch_debug_unload(t);
	atomic_fetch_and(&t->head.flags, ~TIF_HWDEBUG);
	arch_irq_enable();
	kfree(t->arch.hw);
	t->arch.hw = NULL;
}

void arch_thread_release(struct task *t) { kfree(t->arch.hw); }
