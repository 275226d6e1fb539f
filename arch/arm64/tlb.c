/* Address-space identifiers and TLB maintenance.
 *
 * ASIDs.  mm->arch.asid holds a generation in the bits above the ASID.  A switch to an mm of the current generation just loads
 * TTBR0.  Otherwise the mm gets a fresh number; when they run out, the generation rises, the numbers that CPUs run on now are kept
 * for their mms (cpu_mm.kept), and each CPU flushes its TLB before its next switch.  That switch takes the lock: roll-over has taken
 * cpu_mm.active away, and the quick way exchanges it only against a value that is not 0.  So either roll-over sees the number that a
 * CPU is just going to, or that CPU sees the roll-over.
 *
 * Flushing.  mm->arch.cpus remembers where translations may be cached.  If that is this CPU alone, the local instruction is enough;
 * if not, the hardware broadcasts (inner shareable).  An address space that never ran needs nothing.  One whose number is of an older
 * generation may still be running, on a number that was kept, so it is flushed too; if it is not, this costs another mm some entries.
 * Ranges of more than FLUSH_MAX pages drop the whole ASID.
 *
 * Order: entries are changed, then a dsb makes that visible to table walkers, then mask and number are read, then TLBI, then dsb
 * completes it.  A CPU that comes to an mm writes its bit and perhaps a new number, then a dsb, then walks.  So a flush that misses the
 * bit or the number has changed the entries before that CPU could walk them.
 * Arm ARM D5.9, D5.10. */
#include <arch/cpu.h>
#include <kernel/lib/bitmap.h>
#include <kernel/sync/spinlock.h>
#include <kernel/task.h>
#include <mm/vma.h>
#include "pagetable.h"

extern char early_empty[];

#define ASID_BITS	8		/* what every core has */
#define ASID_COUNT	(1u << ASID_BITS)
#define ASID_MASK	(ASID_COUNT - 1ul)
#define FLUSH_MAX	64

static DEFINE_SPINLOCK(asid_lock, LC_RCU);
static u64 asid_generation = ASID_COUNT;			/* [asid_lock], read racily */
static DECLARE_BITMAP(asid_used, ASID_COUNT) = { 1 };		/* [asid_lock]; 0 is nobody's */
static u32 asid_next = 1;					/* [asid_lock] */
struct cpu_mm {
	u64 active;		/* [a] the number that this CPU went to last, with generation; 0 after roll-over */
	u64 kept;		/* [asid_lock] what it ran on at roll-over */
	struct mm *mm;		/* [irqs off] whose tables it has */
};
static DEFINE_PER_CPU(struct cpu_mm, cpu_mm);
static u64 flush_pending;					/* [asid_lock] CPUs */

static void asid_rollover(void)
{
	asid_generation += ASID_COUNT;
	for (u32 i = 0; i < BITS_TO_LONGS(ASID_COUNT); i++)
		asid_used[i] = 0;
	set_bit(0, asid_used);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct cpu_mm *cm = per_cpu_ptr(&cpu_mm, cpu);
		u64 active = atomic_xchg(&cm->active, 0ul);

		if (active)		/* else it has not switched since the last roll-over */
			cm->kept = active;
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

static u64 asid_new(struct mm *mm)
{
	u64 old = mm->arch.asid, asid = asid_generation | (old & ASID_MASK);

	if (old && asid_keep(old, asid))
		return asid;
	asid = bitmap_find_next_zero(asid_used, ASID_COUNT, asid_next);
	if (asid == ASID_COUNT) {
		asid_rollover();
		asid = bitmap_find_next_zero(asid_used, ASID_COUNT, 1);
	}
	set_bit(asid, asid_used);
	asid_next = (u32)asid + 1;
	return asid_generation | asid;
}

static void local_flush_all(void)
{
	asm volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}

void tlb_mm_init(struct mm *mm)
{
	mm->arch.asid = 0;
	mm->arch.cpus = 0;
}

static inline void load_tables(struct cpu_mm *cm, struct mm *next, u64 asid)
{
	cm->mm = next;
	write_sysreg(next->arch.pgd | (asid & ASID_MASK) << 48, ttbr0_el1);
	isb();
}

/* The quick way is barred, or next is new to this CPU. */
static __noinline void switch_slowly(struct cpu_mm *cm, struct mm *next)
{
	u64 bit = BIT(smp_cpu_id()), asid;
	irqflags_t flags = spin_lock_irqsave(&asid_lock);

	asid = next->arch.asid;
	if ((asid ^ asid_generation) >> ASID_BITS) {
		asid = asid_new(next);
		atomic_store(&next->arch.asid, asid);
	}
	if (flush_pending & bit) {
		local_flush_all();
		flush_pending &= ~bit;
	}
	atomic_store(&cm->active, asid);
	spin_unlock_irqrestore(&asid_lock, flags);
	atomic_fetch_or_acq_rel(&next->arch.cpus, bit);
	asm volatile("dsb ish" : : : "memory");		/* bit and number before walks; pairs with flush_begin */
	load_tables(cm, next, asid);
}

void arch_mm_switch(struct mm *next)
{
	struct cpu_mm *cm = this_cpu_ptr(&cpu_mm);
	u64 asid = atomic_load(&next->arch.asid), active = atomic_load(&cm->active);

	if (cm->mm == next)
		return;
	if (unlikely(!active || (asid ^ READ_ONCE(asid_generation)) >> ASID_BITS || !(atomic_load(&next->arch.cpus) & BIT(smp_cpu_id())) ||
		     !atomic_cas(&cm->active, active, asid)))
		switch_slowly(cm, next);
	else
		load_tables(cm, next, asid);
}

void arch_mm_leave(struct mm *mm)
{
	if (this_cpu(cpu_mm).mm != mm)
		return;
	write_sysreg(image_to_phys(early_empty), ttbr0_el1);
	isb();
	this_cpu(cpu_mm).mm = NULL;
}

/* Changed entries before the look at who may have cached them.  false: nobody.  Else preemption is off until flush_end: this CPU and
 * "here alone" belong together. */
static inline bool flush_begin(struct mm *mm, u64 *asid, bool *local)
{
	asm volatile("dsb ish" : : : "memory");
	*asid = (atomic_load(&mm->arch.asid) & ASID_MASK) << 48;
	if (!*asid)
		return false;
	preempt_disable();
	*local = !(atomic_load(&mm->arch.cpus) & ~BIT(smp_cpu_id()));
	return true;
}

static inline void flush_end(bool local)
{
	if (local)
		asm volatile("dsb nsh" : : : "memory");
	else
		asm volatile("dsb ish" : : : "memory");
	preempt_enable();
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
	bool local;
	u64 asid;

	if (end - start > FLUSH_MAX * PAGE_SIZE) {
		tlb_flush_mm(mm);
		return;
	}
	if (!flush_begin(mm, &asid, &local))
		return;
	for (; start < end; start += PAGE_SIZE) {
		u64 op = asid | start >> 12;

		if (local)
			asm volatile("tlbi vae1, %0" : : "r"(op) : "memory");
		else
			asm volatile("tlbi vae1is, %0" : : "r"(op) : "memory");
	}
	flush_end(local);
}

void tlb_flush_page(struct mm *mm, vaddr_t va)
{
	tlb_flush_range(mm, va, va + PAGE_SIZE);
}

void kernel_tlb_flush_range(vaddr_t start, vaddr_t end)
{
	if (end - start > FLUSH_MAX * PAGE_SIZE) {
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
