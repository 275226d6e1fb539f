/* Address-space identifiers and TLB maintenance.
 *
 * Numbers.  mm->arch.asid is a number (16 bits, or 8 where the CPU has no more) under a generation.  Loading TTBR0 with another number
 * is all that a switch of address spaces takes.  When the numbers run out, the generation rises: those that CPUs run on now are kept for
 * their mms (cpu_mm.kept), and every CPU drops its TLB before it next goes to any mm.
 *
 * Who may hold translations.  mm->arch.cpus says it for the mm's present number.  A CPU of the mask goes to the mm without a lock.
 * One that is not comes by switch_slowly(): if no other CPU runs the mm, it gets a fresh number and the mask is that CPU alone, so a
 * program that migrates leaves nothing behind that could ever be used (the old number is dead until roll-over), and goes on flushing
 * locally.  Only if the mm runs elsewhere at that moment are number and mask shared.  They become one CPU's again when the program has
 * but one thread and has broadcast NARROW_AFTER times: it takes a fresh number where it stands (narrow()).
 *
 * Leaving.  A CPU that goes to a kernel thread takes the empty root table, under the number it has: nothing walks the mm's tables from
 * there, so they can be freed without asking it, and to come back to the same mm costs neither flush nor lock.  (Staying on the tables
 * was rejected: each such CPU would have to hold the mm, and its mask could not shrink.  QEMU drops a CPU's translations only when the
 * number changes.)  An mm without users runs nowhere: it loses its number (tlb_mm_retire), and with that needs no flush to end.
 *
 * Flushing.  If the mask is this CPU alone, the local instruction is enough; else the hardware broadcasts.  Never an interrupt.  An mm
 * without number needs nothing.  Many pages (FLUSH_HERE, FLUSH_ALL) drop the whole number.  A right that was only widened is flushed locally: on
 * other CPUs the old entry faults once more, and that fault drops it there (tlb_fix_spurious).
 *
 * Order.
 * 1. Flush against arrival.  A flush has changed entries, then dsb, then it reads number and mask, then TLBI.  An arrival writes number
 *    and mask, then dsb, then walks.  If the flush read what stood there before, the arrival's walks see the changed entries.  That
 *    holds for each of the two words alone, so they need not be read together.
 * 2. Quick switch against roll-over.  Roll-over takes cpu_mm.active away by exchange; the quick way replaces it by compare-and-swap
 *    and only if it is not 0.  Either roll-over sees the number a CPU is going to, and keeps it, or the CPU sees the roll-over.
 * 3. Quick switch against a change of number.  Who changes it marks mm->arch.asid ASID_MOVING, full barrier, then looks at every CPU's
 *    active; the quick way puts the number into active, full barrier, then reads mm->arch.asid again.  One of them sees the other:
 *    the first then shares the number, the second goes the slow way, which waits for asid_lock.
 * 4. Leaving against a change of number, or the end of the mm.  TTBR0 is written, isb, then cpu_mm.loaded (release): who reads that, or
 *    the drop of mm->users after it, knows that no walk begins any more.  A walk that was under way can fill entries of that number only;
 *    a new one is handed out, or none; and tables lie freed with zeroes.
 * Arm ARM D5.9, D5.10. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/lib/bitmap.h>
#include <kernel/sync/spinlock.h>
#include <kernel/task.h>
#include <mm/vma.h>
#include "pagetable.h"

extern char early_empty[];

#define ASID_BITS	16		/* room for the number; the generation stands above */
#define ASID_MASK	(BIT(ASID_BITS) - 1ul)
#define ASID_MOVING	BIT(63)		/* in mm->arch.asid: a CPU holds asid_lock and finds out whether the number may change */
#define ACTIVE_LEFT	BIT(63)		/* in cpu_mm.active: that number is in TTBR0, but with the empty tables */
#define FLUSH_HERE	64		/* pages; more are flushed by number: local ones cost little */
#define FLUSH_ALL	6		/* each broadcast stops all CPUs (QEMU), or crosses the bus and back */
#define NARROW_AFTER	16

static DEFINE_SPINLOCK(asid_lock, LC_RCU);
static u64 asid_generation = BIT(ASID_BITS);			/* [asid_lock], read racily */
static u32 asid_count;						/* [asid_lock] numbers there are; 0: not yet asked */
static DECLARE_BITMAP(asid_used, BIT(ASID_BITS)) = { 1 };	/* [asid_lock]; 0 is nobody's */
static u32 asid_next = 1;					/* [asid_lock] */
struct cpu_mm {
	u64 active;		/* [a] the number in TTBR0, with generation, or with ACTIVE_LEFT; 0 after roll-over */
	u64 loaded;		/* [a] the number whose tables are in TTBR0; 0 for none */
	u64 kept;		/* [asid_lock] what it ran on at roll-over, or 0 */
};
static DEFINE_PER_CPU(struct cpu_mm, cpu_mm);
static u64 flush_pending;					/* [asid_lock] CPUs */

static void asid_rollover(void)
{
	asid_generation += BIT(ASID_BITS);
	for (u32 i = 0; i < BITS_TO_LONGS(BIT(ASID_BITS)); i++)
		asid_used[i] = 0;
	set_bit(0, asid_used);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct cpu_mm *cm = per_cpu_ptr(&cpu_mm, cpu);
		u64 active = atomic_xchg(&cm->active, 0ul);

		if (active)		/* else it has not switched since the last roll-over */
			cm->kept = active & ACTIVE_LEFT ? 0 : active;
		set_bit(cm->kept & ASID_MASK, asid_used);
	}
	flush_pending = ~0ul;
	asid_next = 1;
}

/* old was kept for CPUs that run on it: it stays the mm's number, now of this generation. */
static bool asid_keep(u64 old, u64 new)
{
	bool kept = false;

	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		if (per_cpu(cpu_mm, cpu).kept == old) {
			per_cpu(cpu_mm, cpu).kept = new;
			kept = true;
		}
	return kept;
}

static u64 asid_fresh(void)
{
	u64 asid;

	if (!asid_count)
		asid_count = (read_sysreg(id_aa64mmfr0_el1) >> 4 & 15) == 2 ? 1u << 16 : 1u << 8;
	asid = bitmap_find_next_zero(asid_used, asid_count, asid_next);
	if (asid >= asid_count) {
		asid_rollover();
		asid = bitmap_find_next_zero(asid_used, asid_count, 1);
		VERIFY(asid < asid_count);
	}
	set_bit(asid, asid_used);
	asid_next = (u32)asid + 1;
	return asid_generation | asid;
}

/* Does a CPU other than those in `but` run on that number, or is just going to, or leaving?  One that has not switched since roll-over runs on what
 * was kept. */
static bool runs_elsewhere(u64 asid, cpumask_t but)
{
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct cpu_mm *cm = per_cpu_ptr(&cpu_mm, cpu);
		u64 active = atomic_load(&cm->active);

		if (!(but & BIT(cpu)) && ((active ? active : cm->kept) == asid || atomic_load_acquire(&cm->loaded) == asid))
			return true;
	}
	return false;
}

/* mm's number of this generation, with this CPU in the mask.  asid_lock held.  fresh: not the old number if that can be. */
static u64 asid_for(struct mm *mm, u32 cpu, bool fresh)
{
	u64 old = mm->arch.asid, asid = old, mask = mm->arch.cpus;

	if ((old ^ asid_generation) >> ASID_BITS) {
		asid = asid_generation | (old & ASID_MASK);
		if (old && asid_keep(old, asid)) {
			mask |= BIT(cpu);
		} else {
			asid = asid_fresh();
			mask = BIT(cpu);
		}
	} else if (fresh || !(mask & BIT(cpu))) {
		atomic_store(&mm->arch.asid, old | ASID_MOVING);
		smp_mb();		/* 3 above; pairs with arch_mm_switch */
		if (runs_elsewhere(old, BIT(cpu))) {
			mask |= BIT(cpu);
		} else {
			asid = asid_fresh();
			mask = BIT(cpu);
		}
	}
	atomic_store(&mm->arch.cpus, mask);
	atomic_store_release(&mm->arch.asid, asid);
	return asid;
}

static void local_flush_all(void)
{
	asm volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}

void tlb_mm_init(struct mm *mm)
{
	mm->arch.asid = 0;
	mm->arch.cpus = 0;
	mm->arch.broadcasts = 0;
}

void tlb_mm_retire(struct mm *mm)
{
	irqflags_t flags = spin_lock_irqsave(&asid_lock);

	DEBUG_ASSERT(!mm->arch.asid || !runs_elsewhere(mm->arch.asid, 0));
	atomic_store(&mm->arch.asid, 0ul);
	spin_unlock_irqrestore(&asid_lock, flags);
}

static inline void load_tables(struct cpu_mm *cm, struct mm *next, u64 asid)
{
	write_sysreg(next->arch.pgd | (asid & ASID_MASK) << 48, ttbr0_el1);
	isb();
	atomic_store_release(&cm->loaded, asid);	/* 4 above: the tables that were there are left; pairs with runs_elsewhere */
}

/* The quick way is barred, or next is new to this CPU, or fresh: it shall have another number. */
static __noinline void switch_slowly(struct cpu_mm *cm, struct mm *next, bool fresh)
{
	u64 bit = BIT(smp_cpu_id()), asid;
	irqflags_t flags = spin_lock_irqsave(&asid_lock);

	asid = asid_for(next, smp_cpu_id(), fresh);
	if (flush_pending & bit) {
		local_flush_all();
		flush_pending &= ~bit;
	}
	atomic_store(&cm->active, asid);
	spin_unlock_irqrestore(&asid_lock, flags);
	asm volatile("dsb ish" : : : "memory");		/* 1 above: number and mask before walks */
	load_tables(cm, next, asid);
}

void arch_mm_switch(struct mm *next)
{
	struct cpu_mm *cm = this_cpu_ptr(&cpu_mm);
	u64 asid = atomic_load(&next->arch.asid), active = atomic_load(&cm->active);

	if (likely(active && !((asid ^ READ_ONCE(asid_generation)) >> ASID_BITS) && (atomic_load(&next->arch.cpus) & BIT(smp_cpu_id())) &&
		   atomic_cas(&cm->active, active, asid))) {
		smp_mb();		/* 3 above; pairs with asid_for */
		if (likely(atomic_load(&next->arch.asid) == asid)) {
			load_tables(cm, next, asid);
			return;
		}
	}
	switch_slowly(cm, next, false);
}

/* Roll-over has taken active away: what it kept for this CPU is not needed any more. */
static __noinline void unkeep(struct cpu_mm *cm)
{
	irqflags_t flags = spin_lock_irqsave(&asid_lock);

	cm->kept = 0;
	spin_unlock_irqrestore(&asid_lock, flags);
}

void arch_mm_leave(void)
{
	struct cpu_mm *cm = this_cpu_ptr(&cpu_mm);
	u64 active = atomic_load(&cm->active);

	write_sysreg(image_to_phys(early_empty) | (read_sysreg(ttbr0_el1) & ASID_MASK << 48), ttbr0_el1);
	isb();
	atomic_store_release(&cm->loaded, 0ul);
	if (unlikely(!active || !atomic_cas(&cm->active, active, active | ACTIVE_LEFT)))
		unkeep(cm);
}

/* One thread, whose other CPUs are history: a fresh number here and now, which flushes as well.  Preemption off. */
static bool narrow(struct mm *mm)
{
	irqflags_t flags;

	if (mm != current->mm || refcount_read(&mm->users) != 1)
		return false;
	flags = arch_irq_save();
	switch_slowly(this_cpu_ptr(&cpu_mm), mm, true);
	arch_irq_restore(flags);
	return atomic_load(&mm->arch.cpus) == BIT(smp_cpu_id());
}

/* Changed entries before the look at who may have cached them.  false: nobody can.  Else preemption is off until flush_end: this CPU
 * and "here alone" belong together. */
static inline bool flush_begin(struct mm *mm, u64 *asid, bool *local)
{
	asm volatile("dsb ish" : : : "memory");		/* 1 above: entries before the look at number and mask */
	preempt_disable();
	*asid = (atomic_load(&mm->arch.asid) & ASID_MASK) << 48;
	*local = !(atomic_load(&mm->arch.cpus) & ~BIT(smp_cpu_id()));
	if (likely(*asid) && (*local || atomic_add_return(&mm->arch.broadcasts, 1u) % NARROW_AFTER || !narrow(mm)))
		return true;
	preempt_enable();
	return false;
}

bool tlb_is_local(const struct mm *mm)
{
	return !(atomic_load(&mm->arch.asid) & ASID_MASK) || !(atomic_load(&mm->arch.cpus) & ~BIT(smp_cpu_id()));
}

static inline void flush_end(bool local)
{
	if (local)
		asm volatile("dsb nsh" : : : "memory");
	else
		asm volatile("dsb ish" : : : "memory");
	preempt_enable();
}

void tlb_fix_spurious(struct mm *mm, vaddr_t va)
{
	u64 op = (atomic_load(&mm->arch.asid) & ASID_MASK) << 48 | va >> 12;

	asm volatile("dsb ishst\n\ttlbi vae1, %0\n\tdsb nsh" : : "r"(op) : "memory");
}

u32 tlb_limit_numbers(u32 count)
{
	irqflags_t flags = spin_lock_irqsave(&asid_lock);
	u32 old = asid_count;

	asid_count = count;
	asid_rollover();
	spin_unlock_irqrestore(&asid_lock, flags);
	return old;
}

u64 tlb_generation(void)
{
	return READ_ONCE(asid_generation) >> ASID_BITS;
}

void tlb_flush_mm(struct mm *mm)
{
	bool local;
	u64 asid;

	if (!flush_begin(mm, &asid, &local))
		return;
	if (local)
		asm volatile("tlbi aside1, %0" : : "r"(asid) : "memory");
	else
		asm volatile("tlbi aside1is, %0" : : "r"(asid) : "memory");
	flush_end(local);
}

void tlb_flush_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	u64 pages = (end - start) >> PAGE_SHIFT;
	bool local;
	u64 asid;

	if (!flush_begin(mm, &asid, &local))
		return;
	if (likely(local)) {
		for (; pages <= FLUSH_HERE && start < end; start += PAGE_SIZE)
			asm volatile("tlbi vae1, %0" : : "r"(asid | start >> 12) : "memory");
		if (pages > FLUSH_HERE)
			asm volatile("tlbi aside1, %0" : : "r"(asid) : "memory");
	} else {
		for (; pages <= FLUSH_ALL && start < end; start += PAGE_SIZE)
			asm volatile("tlbi vae1is, %0" : : "r"(asid | start >> 12) : "memory");
		if (pages > FLUSH_ALL)
			asm volatile("tlbi aside1is, %0" : : "r"(asid) : "memory");
	}
	flush_end(local);
}

void tlb_flush_page(struct mm *mm, vaddr_t va)
{
	tlb_flush_range(mm, va, va + PAGE_SIZE);
}

void kernel_tlb_flush_range(vaddr_t start, vaddr_t end)
{
	if (end - start > FLUSH_ALL * PAGE_SIZE) {
		kernel_tlb_flush_all();
		return;
	}
	asm volatile("dsb ishst" : : : "memory");
	for (; start < end; start += PAGE_SIZE)
		asm volatile("tlbi vaae1is, %0" : : "r"(start >> 12 & 0xfffffffffffUL) : "memory");
	asm volatile("dsb ish\n\tisb" : : : "memory");
}

void kernel_tlb_flush_all(void)
{
	asm volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : : "memory");
}

void kernel_tlb_flush_here(vaddr_t start, vaddr_t end)
{
	asm volatile("dsb ishst" : : : "memory");
	for (end = min(end, start + FLUSH_HERE * PAGE_SIZE); start < end; start += PAGE_SIZE)
		asm volatile("tlbi vaae1, %0" : : "r"(start >> 12 & 0xfffffffffffUL) : "memory");
	asm volatile("dsb nsh\n\tisb" : : : "memory");
}
