/* Address-space identifiers and TLB maintenance.
 *
 * ASIDs.  mm->arch.asid holds a generation in the bits above the ASID.  A switch to an mm of the current generation just loads
 * TTBR0.  Otherwise the mm gets a fresh number; when they run out, the generation rises, the numbers that CPUs run on now are kept
 * for them, and each CPU flushes its TLB before its next switch.
 *
 * Flushing.  mm->arch.cpus remembers where translations may be cached.  If that is this CPU alone, the local instruction is enough;
 * if not, the hardware broadcasts (inner shareable).  An address space that runs nowhere and has no ASID of this generation needs
 * nothing.  Ranges of more than FLUSH_MAX pages drop the whole ASID.
 *
 * Order: entries are changed, then dsb ishst makes that visible to table walkers, then TLBI, then dsb completes it.
 * Arm ARM D5.9, D5.10. */
#include <arch/cpu.h>
#include <kernel/lib/bitmap.h>
#include <kernel/sync/spinlock.h>
#include <kernel/task.h>
#include <mm/vma.h>
#include "pagetable.h"

#define ASID_BITS	8		/* what every core has */
#define ASID_COUNT	(1u << ASID_BITS)
#define ASID_MASK	(ASID_COUNT - 1ul)
#define FLUSH_MAX	64

static DEFINE_SPINLOCK(asid_lock, LC_RCU);
static u64 asid_generation = ASID_COUNT;			/* [asid_lock], read racily */
static DECLARE_BITMAP(asid_used, ASID_COUNT) = { 1 };		/* [asid_lock]; 0 is nobody's */
static u32 asid_next = 1;					/* [asid_lock] */
static DEFINE_PER_CPU(u64, asid_active);			/* what this CPU runs on, with generation */
static DEFINE_PER_CPU(struct mm *, mm_active);
static u64 flush_pending;					/* [asid_lock] CPUs */

static void asid_rollover(void)
{
	asid_generation += ASID_COUNT;
	for (u32 i = 0; i < BITS_TO_LONGS(ASID_COUNT); i++)
		asid_used[i] = 0;
	set_bit(0, asid_used);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		set_bit(per_cpu(asid_active, cpu) & ASID_MASK, asid_used);
	flush_pending = ~0ul;
	asid_next = 1;
}

static u64 asid_new(struct mm *mm)
{
	u64 old = mm->arch.asid, asid;

	/* One that a CPU ran on at roll-over keeps its number. */
	if (old && test_bit(old & ASID_MASK, asid_used))
		for (u32 cpu = 0; cpu < nr_cpus; cpu++)
			if (per_cpu(asid_active, cpu) == old)
				return asid_generation | (old & ASID_MASK);
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

void arch_mm_switch(struct mm *next)
{
	u32 cpu = smp_cpu_id();
	u64 asid;

	if (!next || this_cpu(mm_active) == next)
		return;
	asid = atomic_load(&next->arch.asid);
	if (unlikely((asid ^ READ_ONCE(asid_generation)) >> ASID_BITS || (READ_ONCE(flush_pending) & BIT(cpu)))) {
		irqflags_t flags = spin_lock_irqsave(&asid_lock);

		asid = next->arch.asid;
		if ((asid ^ asid_generation) >> ASID_BITS) {
			asid = asid_new(next);
			atomic_store(&next->arch.asid, asid);
		}
		if (flush_pending & BIT(cpu)) {
			local_flush_all();
			flush_pending &= ~BIT(cpu);
		}
		this_cpu(asid_active) = asid;
		spin_unlock_irqrestore(&asid_lock, flags);
	}
	this_cpu(asid_active) = asid;
	if (!(atomic_load(&next->arch.cpus) & BIT(cpu)))
		atomic_fetch_or_acq_rel(&next->arch.cpus, BIT(cpu));
	this_cpu(mm_active) = next;
	write_sysreg(next->arch.pgd | (asid & ASID_MASK) << 48, ttbr0_el1);
	isb();
}

/* tlb_forget_mm - the tables of mm go away: no CPU may stay on them lazily. Only this CPU can, since its users are gone. */
void tlb_forget_mm(struct mm *mm, paddr_t empty_table)
{
	irqflags_t flags = arch_irq_save();

	if (this_cpu(mm_active) == mm) {
		write_sysreg(empty_table, ttbr0_el1);
		isb();
		this_cpu(mm_active) = NULL;
		this_cpu(asid_active) = 0;
	}
	arch_irq_restore(flags);
}

static inline bool only_here(struct mm *mm)
{
	return !(atomic_load(&mm->arch.cpus) & ~BIT(smp_cpu_id()));
}

static inline bool has_asid(struct mm *mm)
{
	return mm->arch.asid && !((mm->arch.asid ^ READ_ONCE(asid_generation)) >> ASID_BITS);
}

void tlb_flush_mm(struct mm *mm)
{
	u64 op = (mm->arch.asid & ASID_MASK) << 48;

	if (!has_asid(mm))
		return;
	if (only_here(mm))
		asm volatile("dsb nshst\n\ttlbi aside1, %0\n\tdsb nsh" : : "r"(op) : "memory");
	else
		asm volatile("dsb ishst\n\ttlbi aside1is, %0\n\tdsb ish" : : "r"(op) : "memory");
}

void tlb_flush_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	u64 asid = (mm->arch.asid & ASID_MASK) << 48;
	bool local;

	if (!has_asid(mm))
		return;
	if (end - start > FLUSH_MAX * PAGE_SIZE) {
		tlb_flush_mm(mm);
		return;
	}
	local = only_here(mm);
	if (local)
		asm volatile("dsb nshst" : : : "memory");
	else
		asm volatile("dsb ishst" : : : "memory");
	for (; start < end; start += PAGE_SIZE) {
		u64 op = asid | start >> 12;

		if (local)
			asm volatile("tlbi vae1, %0" : : "r"(op) : "memory");
		else
			asm volatile("tlbi vae1is, %0" : : "r"(op) : "memory");
	}
	if (local)
		asm volatile("dsb nsh" : : : "memory");
	else
		asm volatile("dsb ish" : : : "memory");
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
