/* User memory and page tables, seen through the MMU: the test thread borrows an address space and touches it as system calls do.
 * Also ASIDs beyond their number, and FP state. */
#include <linux/mman.h>
#include <arch/context.h>
#include <arch/fpsimd.h>
#include <arch/irqflags.h>
#include <arch/uaccess.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/task.h>
#include <mm/mm_internal.h>
#include <mm/slab.h>
#include <tests/kernel/probe.h>
#include <tests/kernel/runner.h>

#define BASE	0x40000000ul
#define AT(page) ((void __user *)(BASE + (page) * PAGE_SIZE))

/* An address space with pages 0 and 1 writable, 2 read-only, 3 without access, 4 empty; current's. */
static struct mm *mm_for_test(void)
{
	static const u32 rights[] = { VM_READ | VM_WRITE, VM_READ | VM_WRITE, VM_READ, 0 };
	struct mm *mm = mm_create();
	bool ok = mm;

	if (!mm)
		return NULL;
	rwsem_write_lock(&mm->mmap_lock);
	for (u32 i = 0; i < ARRAY_SIZE(rights); i++)
		ok = mm_map(mm, NULL, BASE + i * PAGE_SIZE, PAGE_SIZE, rights[i] | VM_MAYREAD | VM_MAYWRITE, MAP_FIXED, 0) > 0 && ok;
	rwsem_write_unlock(&mm->mmap_lock);
	if (!ok) {
		mm_put(mm);
		return NULL;
	}
	borrow_mm(mm);
	return mm;
}

static void mm_done(struct mm *mm)
{
	borrow_mm(NULL);
	mm_put(mm);
}

/* --- user memory ------------------------------------------------------------------------------------------------------------------ */
static u8 pattern[3 * PAGE_SIZE], back[3 * PAGE_SIZE];

static void fill_pattern(void)
{
	for (u32 i = 0; i < sizeof(pattern); i++)
		pattern[i] = (u8)(i * 31 + i / 251 + 1);
}

/* Copies that end n bytes before, at and behind the end of what is mapped: what is told to be left is what was not copied. */
static bool copies_at_the_edge(void)
{
	char __user *end = AT(2);		/* writing stops there, reading at page 3 */

	for (u32 len = 1; len < 150; len++)
		for (u32 over = 0; over <= len; over += len < 20 ? 1 : 7) {
			size_t left = copy_to_user_partial(end - (len - over), pattern, len);

			if (left != over)
				return false;
			memset(back, 0xee, len);
			left = copy_from_user_partial(back, (char __user *)AT(3) - (len - over), len);
			if (left != over || (over && back[len - over] != 0xee))
				return false;
			left = clear_user_partial(end - (len - over), len);
			if (left != over)
				return false;
		}
	return true;
}

static bool copies_are_right(void)
{
	for (u32 at = 0; at < 9; at++)
		for (u32 len = 0; len < 300; len += len < 80 ? 1 : 13) {
			char __user *p = (char __user *)AT(0) + PAGE_SIZE - 40 + at;

			if (clear_user(p - 8, len + 16) || copy_to_user(p, pattern, len) || copy_from_user(back, p - 8, len + 16))
				return false;
			if (memcmp(back + 8, pattern, len))
				return false;
			for (u32 i = 0; i < 8; i++)
				if (back[i] || back[8 + len + i])
					return false;
		}
	return true;
}

KTEST(uaccess, copies)
{
	struct mm *mm = mm_for_test();
	bool edge, right;

	EXPECT(mm);
	fill_pattern();
	right = copies_are_right();
	edge = copies_at_the_edge();
	mm_done(mm);
	EXPECT(right);
	EXPECT(edge);
}

KTEST(uaccess, refuses_what_is_not_the_users)
{
	struct mm *mm = mm_for_test();
	static u64 kernel_word = 5;
	u64 v = 1;
	bool ok = true;
	const u64 bad[] = { 0, (u64)AT(4), (u64)&kernel_word, (u64)AT(0) | 1ul << 60, USER_END - 4, USER_END, ~0ul, ~0ul - 7, 1ul << 55 };

	EXPECT(mm);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		void __user *p = (void __user *)bad[i];

		ok = ok && copy_to_user(p, &v, 8) == -EFAULT && put_user((u64)1, (u64 __user *)p) == -EFAULT && clear_user(p, 8) == -EFAULT;
		back[0] = 9;
		ok = ok && copy_from_user(back, p, 8) == -EFAULT && !back[0];	/* nothing old is left there */
		ok = ok && get_user(v, (u64 __user *)p) == -EFAULT && v == 0;
		ok = ok && strncpy_from_user((char *)back, p, 100) == -EFAULT && strnlen_user(p, 100) == -EFAULT;
	}
	ok = ok && put_user((u8)1, (u8 __user *)AT(2)) == -EFAULT && !get_user(v, (u64 __user *)AT(2)) && get_user(v, (u64 __user *)AT(3)) == -EFAULT;
	ok = ok && !user_range_ok(AT(0), ~0ul) && !copy_to_user(AT(0), &v, 0);
	mm_done(mm);
	EXPECT(ok);
	EXPECT_EQ(kernel_word, 5);
}

KTEST(uaccess, words_and_strings)
{
	struct mm *mm = mm_for_test();
	char __user *end = AT(3);		/* page 2 is read-only: strings are put at the end of page 1 */
	char text[40];
	bool ok = true;
	u64 v8 = 0;
	u32 old = 0;
	u16 v2 = 0;

	EXPECT(mm);
	end = AT(2);
	ok = ok && !put_user((u64)0x1122334455667788, (u64 __user *)AT(0)) && !get_user(v8, (u64 __user *)AT(0)) && v8 == 0x1122334455667788;
	ok = ok && !put_user((u16)0xbeef, (u16 __user *)((char __user *)AT(0) + 2)) && !get_user(v8, (u64 __user *)AT(0)) && v8 == 0x11223344beef7788;
	ok = ok && !get_user(v2, (u16 __user *)((char __user *)AT(0) + 1)) && v2 == 0xef77;		/* unaligned */
	for (u32 len = 0; len < 30; len++) {
		ok = ok && !copy_to_user(end - len - 1, "abcdefghijklmnopqrstuvwxyz0123", len) && !put_user((u8)0, (u8 __user *)(end - 1));
		memset(text, 'X', sizeof(text));
		ok = ok && strncpy_from_user(text, end - len - 1, 40) == (ssize_t)len && !text[len] && !memcmp(text, "abcdefghijklmnopqrstuvwxyz0123", len);
		ok = ok && strnlen_user(end - len - 1, 40) == (ssize_t)len + 1;
		ok = ok && strncpy_from_user(text, end - len - 1, len) == -ENAMETOOLONG;
		ok = ok && strnlen_user(end - len - 1, len) == (ssize_t)len + 1;
	}
	ok = ok && !user_atomic_rmw((u32 __user *)AT(1), USER_ATOMIC_SET, 12, &old) && !user_atomic_rmw((u32 __user *)AT(1), USER_ATOMIC_ADD, 3, &old) && old == 12;
	ok = ok && !user_atomic_rmw((u32 __user *)AT(1), USER_ATOMIC_ANDN, 1, &old) && old == 15 && !user_atomic_rmw((u32 __user *)AT(1), USER_ATOMIC_XOR, 2, &old) && old == 14;
	ok = ok && !user_atomic_rmw((u32 __user *)AT(1), USER_ATOMIC_OR, 1, &old) && old == 12 && !user_atomic_cmpxchg((u32 __user *)AT(1), 12, 7, &old) && old == 13;
	ok = ok && !user_atomic_cmpxchg((u32 __user *)AT(1), 13, 7, &old) && !get_user(old, (u32 __user *)AT(1)) && old == 7;
	ok = ok && user_atomic_cmpxchg((u32 __user *)((char __user *)AT(1) + 2), 7, 8, &old) == -EFAULT && user_atomic_rmw((u32 __user *)AT(2), USER_ATOMIC_SET, 1, &old) == -EFAULT;
	mm_done(mm);
	EXPECT(ok);
}

KTEST(uaccess, nofault_does_not_sleep)
{
	struct mm *mm = mm_for_test();
	u64 v = 7;
	int untouched, in_section, after;

	EXPECT(mm);
	uaccess_nofault_begin();
	untouched = get_user(v, (u64 __user *)AT(0));	/* nothing is there yet, and nothing may be put there */
	uaccess_nofault_end();
	preempt_disable();				/* nor where one may not sleep, whoever asks */
	in_section = get_user(v, (u64 __user *)AT(0));
	preempt_enable();
	after = get_user(v, (u64 __user *)AT(0));
	mm_done(mm);
	EXPECT_EQ(untouched, -EFAULT);
	EXPECT_EQ(in_section, -EFAULT);
	EXPECT(!after && v == 0);
}

/* --- page tables -------------------------------------------------------------------------------------------------------------------- */
static u32 gone_pages, gone_calls;
static void count_gone(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	(void)arg; (void)addr;
	gone_calls++;
	gone_pages += info->present ? nr : 0;
}
static u32 dup_pages;
static void count_dup(void *arg, const struct pte_info *info, u32 nr) { (void)arg; dup_pages += info->present ? nr : 0; }

struct pt_test { struct mm *mm; struct page *a, *b; };

static bool pt_setup(struct pt_test *t)
{
	t->mm = mm_create();
	t->a = page_alloc(0, GFP_ZERO);
	t->b = page_alloc(0, GFP_ZERO);
	if (!t->mm || !t->a || !t->b)
		return false;
	*(u64 *)page_address(t->a) = 0xaaaa;
	*(u64 *)page_address(t->b) = 0xbbbb;
	borrow_mm(t->mm);
	gone_pages = gone_calls = dup_pages = 0;
	return true;
}

static void pt_done(struct pt_test *t)
{
	pt_unmap_range(t->mm, 0, USER_END, count_gone, NULL);
	mm_done(t->mm);
	page_free(t->a, 0);
	page_free(t->b, 0);
}

/* What a program would read at BASE + page, or its absence (-EFAULT). */
static s64 reads(u32 page)
{
	u64 v;
	int err;

	uaccess_nofault_begin();
	err = get_user(v, (u64 __user *)AT(page));
	uaccess_nofault_end();
	return err ? err : (s64)v;
}

static bool writes(u32 page)
{
	int err;

	uaccess_nofault_begin();
	err = put_user((u32)1, (u32 __user *)((char __user *)AT(page) + 8));
	uaccess_nofault_end();
	return !err;
}

#define RW (PROT_K_R | PROT_K_W)

static bool map_steps(struct pt_test *t)
{
	u64 a = page_to_pfn(t->a), b = page_to_pfn(t->b);
	struct pte_info info;

	if (pt_lookup(t->mm, BASE, &info) || reads(0) != -EFAULT)
		return false;
	if (pt_map(t->mm, BASE, a, PROT_K_R) || pt_map(t->mm, BASE, b, RW) != -EEXIST)
		return false;
	if (reads(0) != 0xaaaa || writes(0) || reads(1) != -EFAULT)
		return false;
	if (!pt_lookup(t->mm, BASE, &info) || !info.present || info.pfn != a || info.writable || info.executable)
		return false;
	if (pt_set_prot_one(t->mm, BASE, b, RW) != -EAGAIN || pt_set_prot_one(t->mm, BASE, a, RW) || !writes(0))
		return false;
	if (pt_wrprotect_one(t->mm, BASE, b) || !pt_wrprotect_one(t->mm, BASE, a) || pt_wrprotect_one(t->mm, BASE, a) || writes(0))
		return false;
	if (pt_replace(t->mm, BASE, b, a, RW) != -EAGAIN || pt_replace(t->mm, BASE, a, b, RW) || reads(0) != 0xbbbb || !writes(0))
		return false;
	if (pt_replace(t->mm, BASE, b, a, RW) != -EAGAIN)	/* writable: what was copied of it is old */
		return false;
	if (pt_unmap_one(t->mm, BASE, a, &info) || !pt_unmap_one(t->mm, BASE, b, &info) || info.pfn != b || !info.writable)
		return false;
	return reads(0) == -EFAULT && !pt_unmap_one(t->mm, BASE, b, &info);
}

KTEST(pagetable, one_page)
{
	struct pt_test t;
	bool ok;

	EXPECT(pt_setup(&t));
	ok = map_steps(&t);
	pt_done(&t);
	EXPECT(ok);
	EXPECT_EQ(gone_pages, 0);
}

static bool range_steps(struct pt_test *t)
{
	u64 a = page_to_pfn(t->a), b = page_to_pfn(t->b);
	struct pte_info info;

	for (u32 i = 0; i < 200; i++)
		if (pt_map(t->mm, BASE + i * PAGE_SIZE, i & 1 ? b : a, RW))
			return false;
	pt_wrprotect_one(t->mm, BASE + 10 * PAGE_SIZE, a);
	pt_protect_range(t->mm, BASE, BASE + 100 * PAGE_SIZE, PROT_K_R);
	if (writes(0) || writes(99) || !writes(100) || reads(98) != 0xaaaa)
		return false;
	pt_protect_range(t->mm, BASE, BASE + 20 * PAGE_SIZE, 0);
	if (reads(0) != -EFAULT || reads(20) != 0xaaaa || !pt_lookup(t->mm, BASE, &info) || !info.present || info.pfn != a)
		return false;			/* out of reach, but kept */
	pt_protect_range(t->mm, BASE, BASE + 20 * PAGE_SIZE, PROT_K_R);
	if (reads(1) != 0xbbbb)
		return false;
	if (pt_move_range(t->mm, BASE + 150 * PAGE_SIZE, BASE + 600 * PAGE_SIZE, 50 * PAGE_SIZE))
		return false;
	if (reads(150) != -EFAULT || reads(600) != 0xaaaa || reads(649) != 0xbbbb || !writes(649) || reads(650) != -EFAULT)
		return false;
	pt_unmap_range(t->mm, BASE + 50 * PAGE_SIZE, BASE + 601 * PAGE_SIZE, count_gone, NULL);
	return gone_pages == 101 && reads(49) == 0xbbbb && reads(50) == -EFAULT && reads(600) == -EFAULT && reads(601) == 0xbbbb;
}

KTEST(pagetable, ranges)
{
	struct pt_test t;
	bool ok;

	EXPECT(pt_setup(&t));
	ok = range_steps(&t);
	pt_done(&t);
	EXPECT(ok);
	EXPECT_EQ(gone_pages, 200);
}

/* Fork's copy: both sides read-only afterwards where it was writable, the same pages behind. */
KTEST(pagetable, copy_write_protects_both)
{
	struct pt_test t;
	struct mm *child = mm_create();
	struct pte_info mine, theirs;
	bool ok;

	EXPECT(child);
	EXPECT(pt_setup(&t));
	ok = !pt_map(t.mm, BASE, page_to_pfn(t.a), RW) && !pt_map(t.mm, BASE + PAGE_SIZE, page_to_pfn(t.b), PROT_K_R) && writes(0);
	ok = ok && !pt_copy_range(child, t.mm, BASE, BASE + 8 * PAGE_SIZE, true, count_dup, NULL);
	pt_flush_mm(t.mm);
	ok = ok && dup_pages == 2 && !writes(0) && reads(0) == 0xaaaa;
	ok = ok && pt_lookup(t.mm, BASE, &mine) && pt_lookup(child, BASE, &theirs) && mine.pfn == theirs.pfn && !mine.writable && !theirs.writable;
	borrow_mm(child);
	ok = ok && reads(0) == 0xaaaa && reads(1) == 0xbbbb && reads(2) == -EFAULT && !writes(0);
	pt_unmap_range(child, BASE, BASE + 8 * PAGE_SIZE, count_gone, NULL);
	ok = ok && reads(0) == -EFAULT;
	borrow_mm(t.mm);
	ok = ok && reads(0) == 0xaaaa;
	mm_put(child);
	pt_done(&t);
	EXPECT(ok);
}

/* A 2 MiB block: mapped, read in its middle, split by a change of one page, unmapped. */
KTEST(pagetable, blocks_split)
{
	struct pt_test t;
	struct page *big = page_alloc(9, GFP_ZERO);
	struct pte_info info;
	bool ok;

	if (!big)
		return;			/* a small machine has none */
	*(u64 *)page_address(big + 300) = 0x300;
	*(u64 *)page_address(big + 301) = 0x301;
	EXPECT(pt_setup(&t));
	ok = !pt_map_block(t.mm, BASE, page_to_pfn(big), RW) && pt_map(t.mm, BASE + PAGE_SIZE, page_to_pfn(t.a), RW) == -EEXIST;
	ok = ok && reads(300) == 0x300 && writes(511) && reads(512) == -EFAULT;
	ok = ok && pt_lookup(t.mm, BASE + 300 * PAGE_SIZE, &info) && info.pfn == page_to_pfn(big) + 300;
	pt_protect_range(t.mm, BASE + 300 * PAGE_SIZE, BASE + 301 * PAGE_SIZE, PROT_K_R);
	ok = ok && !writes(300) && writes(301) && writes(299) && reads(300) == 0x300 && reads(301) == 0x301;
	ok = ok && pt_unmap_one(t.mm, BASE + 301 * PAGE_SIZE, page_to_pfn(big) + 301, &info) && reads(301) == -EFAULT && reads(302) == 0;
	pt_unmap_range(t.mm, BASE, BASE + PMD_SIZE, count_gone, NULL);
	ok = ok && gone_pages == 511 && reads(0) == -EFAULT;
	ok = ok && pt_map_block(t.mm, BASE, page_to_pfn(big), RW) == -EEXIST;	/* its table is still there */
	pt_free_tables(t.mm, BASE, BASE + PMD_SIZE, 0, USER_END);
	ok = ok && !pt_map_block(t.mm, BASE, page_to_pfn(big), RW) && reads(301) == 0x301;
	pt_unmap_range(t.mm, BASE, BASE + PMD_SIZE, count_gone, NULL);
	ok = ok && gone_pages == 511 + 512 && gone_calls == 512;
	pt_done(&t);
	page_free(big, 9);
	EXPECT(ok);
}

/* Many more address spaces than there are ASIDs: each sees its own page, also those that lived through several generations. */
#define OLD_ONES 4
KTEST(pagetable, asids_roll_over)
{
	struct mm *old[OLD_ONES] = { NULL };
	struct page *pages[OLD_ONES] = { NULL };
	u32 wrong = 0, numbers = tlb_limit_numbers(256);
	bool ok = true;

	for (u32 i = 0; i < OLD_ONES; i++) {
		old[i] = mm_create();
		pages[i] = page_alloc(0, GFP_ZERO);
		ok = ok && old[i] && pages[i] && !pt_map(old[i], BASE, page_to_pfn(pages[i]), RW);
		if (ok)
			*(u64 *)page_address(pages[i]) = 1000 + i;
	}
	for (u32 i = 0; ok && i < 700; i++) {
		struct mm *mm = mm_create();

		ok = mm != NULL;
		if (!ok)
			break;
		borrow_mm(mm);
		wrong += reads(0) != -EFAULT;
		borrow_mm(old[i % OLD_ONES]);
		wrong += reads(0) != 1000 + i % OLD_ONES;
		mm_put(mm);
	}
	borrow_mm(NULL);
	tlb_limit_numbers(numbers);
	for (u32 i = 0; i < OLD_ONES; i++) {
		if (old[i]) {
			pt_unmap_range(old[i], BASE, BASE + PAGE_SIZE, count_gone, NULL);
			mm_put(old[i]);
		}
		if (pages[i])
			page_free(pages[i], 0);
	}
	EXPECT(ok);
	EXPECT_EQ(wrong, 0);
}

/* The same on all CPUs at once, with so few numbers that they run out all the time: threads go from CPU to CPU, each with an address space
 * of its own, and all with one in common whose page is exchanged under them.  What was exchanged is never seen again. */
#define WANDERERS 6
#define WANDERINGS 120
static struct { struct mm *mm; struct page *pages[WANDERINGS + 1]; u64 announced; u32 wrong, short_of; } common;
static struct runner wanderers[WANDERERS];

static void exchange(struct mm *mm, struct page *from, struct page *to, u64 value)
{
	*(u64 *)page_address(to) = value;
	if (pt_replace(mm, BASE, page_to_pfn(from), page_to_pfn(to), PROT_K_R))
		atomic_inc(&common.wrong);
}

static void look_at_common(u64 i, bool change)
{
	u64 before = atomic_load_acquire(&common.announced);
	s64 seen;

	borrow_mm(common.mm);
	seen = reads(0);
	if (seen != -EFAULT && seen < (s64)before)	/* -EFAULT: break before make */
		atomic_inc(&common.wrong);
	if (change) {
		exchange(common.mm, common.pages[i], common.pages[i + 1], i + 1);
		atomic_store_release(&common.announced, i + 1);
	}
}

static void wander(void *arg)
{
	u64 me = (u64)arg;
	struct mm *mm = mm_create();
	struct page *p[2] = { page_alloc(0, 0), page_alloc(0, 0) };

	if (!mm || !p[0] || !p[1] || pt_map(mm, BASE, page_to_pfn(p[0]), PROT_K_R)) {
		atomic_inc(&common.short_of);
		return;
	}
	*(u64 *)page_address(p[0]) = me << 32;
	for (u64 i = 0; i < WANDERINGS; i++) {
		sched_set_affinity(current, BIT((i * 5 + me) % nr_cpus));
		borrow_mm(mm);
		if (reads(0) != (s64)(me << 32 | i))
			atomic_inc(&common.wrong);
		exchange(mm, p[i & 1], p[~i & 1], me << 32 | (i + 1));
		if (reads(0) != (s64)(me << 32 | (i + 1)))
			atomic_inc(&common.wrong);
		look_at_common(i, me == 0);
		sched_yield_current();		/* one CPU alone needs many address spaces in turns to run out of numbers */
	}
	borrow_mm(NULL);
	pt_unmap_range(mm, BASE, BASE + PAGE_SIZE, count_gone, NULL);
	mm_put(mm);
	page_free(p[0], 0);
	page_free(p[1], 0);
}

static bool common_init(void)
{
	bool ok = true;

	common.announced = common.wrong = common.short_of = 0;
	common.mm = mm_create();
	for (u32 i = 0; i <= WANDERINGS; i++)
		ok = (common.pages[i] = page_alloc(0, GFP_ZERO)) && ok;
	return ok && common.mm && !pt_map(common.mm, BASE, page_to_pfn(common.pages[0]), PROT_K_R);
}

KTEST(pagetable, asids_roll_over_on_all_cpus)
{
	u64 generation = tlb_generation();
	u32 old = tlb_limit_numbers(nr_cpus + 4);
	bool ok = common_init();

	for (u64 i = 0; ok && i < WANDERERS; i++)
		ok = runner_start(&wanderers[i], wander, (void *)i);
	for (u32 i = 0; ok && i < WANDERERS; i++)
		runner_join(&wanderers[i]);
	tlb_limit_numbers(old);
	if (common.mm) {
		pt_unmap_range(common.mm, BASE, BASE + PAGE_SIZE, count_gone, NULL);
		mm_put(common.mm);
	}
	for (u32 i = 0; i <= WANDERINGS; i++)
		if (common.pages[i])
			page_free(common.pages[i], 0);
	EXPECT(ok && !common.short_of);
	EXPECT_EQ(common.wrong, 0);
	EXPECT(tlb_generation() > generation + 4);
}

/* --- FP and SIMD state ---------------------------------------------------------------------------------------------------------------- */
void fp_save(struct fp_state *fp);
void fp_restore(const struct fp_state *fp);

static void fp_fill(struct fp_state *fp, u64 seed)
{
	for (u32 i = 0; i < 32; i++)
		fp->v[i] = (__uint128_t)(seed * 1000 + i) << 64 | (seed ^ i * 7);
	fp->fpsr = seed & 1 ? 0x1f : 0;
	fp->fpcr = seed & 2 ? 3u << 22 : 0;		/* round to zero */
}

static bool fp_registers_are(u64 seed)
{
	static struct fp_state want, got;

	fp_fill(&want, seed);
	fp_save(&got);
	return !memcmp(want.v, got.v, sizeof(got.v)) && want.fpsr == got.fpsr && want.fpcr == got.fpcr;
}

KTEST(fp, registers_round_trip)
{
	static struct fp_state s;
	irqflags_t flags = arch_irq_save();
	bool ok = true;

	for (u64 seed = 1; seed < 5; seed++) {
		fp_fill(&s, seed);
		fp_restore(&s);
		ok = ok && fp_registers_are(seed);
	}
	arch_irq_restore(flags);
	EXPECT(ok);
}

/* Two programs and a kernel thread: who comes back to untouched registers loads nothing, who finds another's is given its own. */
static bool fp_switches(struct task *a, struct task *b, struct task *k)
{
	fp_fill(&a->arch.fp, 11);
	fp_fill(&b->arch.fp, 22);
	a->arch.fp_cpu = b->arch.fp_cpu = ~0u;
	fp_restore(&a->arch.fp);			/* a runs, its state is in the registers ... */
	fp_fill(&a->arch.fp, 99);			/* ... and not in memory */
	fpsimd_switch(a, k);
	if (memcmp(&a->arch.fp.v[5], &(__uint128_t){ (__uint128_t)(11 * 1000 + 5) << 64 | (11 ^ 5 * 7) }, 16))
		return false;				/* saved on the way out */
	fpsimd_switch(k, a);
	if (a->head.flags & TIF_FP_RESTORE)
		return false;				/* a kernel thread changes nothing */
	fpsimd_switch(a, b);
	if (!(b->head.flags & TIF_FP_RESTORE))
		return false;
	fpsimd_switch(b, a);				/* b never came to EL0: the registers are still a's, b's memory is good */
	if (a->head.flags & TIF_FP_RESTORE || !fp_registers_are(11))
		return false;
	fpsimd_switch(a, b);
	fp_restore(&b->arch.fp);			/* what fpsimd_restore_current does for b */
	b->arch.fp_cpu = smp_cpu_id();
	b->head.flags = 0;
	fpsimd_switch(b, a);
	if (!(a->head.flags & TIF_FP_RESTORE))
		return false;				/* b's values are in the registers */
	fp_restore(&a->arch.fp);
	a->head.flags = 0;
	fpsimd_switch(a, k);
	a->arch.fp_cpu = smp_cpu_id() + 1;		/* it has been on another CPU meanwhile */
	fpsimd_switch(k, a);
	return a->head.flags & TIF_FP_RESTORE && !(b->head.flags & TIF_FP_RESTORE);
}

KTEST(fp, follows_the_task)
{
	struct task *a = kzalloc(sizeof(*a), 0), *b = kzalloc(sizeof(*b), 0), *k = kzalloc(sizeof(*k), 0);
	bool ok = a && b && k;

	if (ok) {
		irqflags_t flags = arch_irq_save();

		k->pflags = PF_KTHREAD;
		ok = fp_switches(a, b, k);
		fpsimd_switch(b, current);		/* nobody owns the registers who will be freed */
		arch_irq_restore(flags);
	}
	kfree(a);
	kfree(b);
	kfree(k);
	EXPECT(ok);
}

/* --- the kernel's own map -------------------------------------------------------------------------------------------------------------- */
extern char _text[], _etext[], _end[];

KTEST(kernelmap, rights)
{
	static u64 data = 1;
	static const u64 constant = 2;
	u64 local;

	EXPECT(probe_read(_text) && !probe_write(_text) && probe_read((void *)((u64)_etext - 4)) && !probe_write((void *)((u64)_etext - 4)));
	EXPECT(probe_write(&data) && probe_write(&local));
	EXPECT(probe_read(&constant) && !probe_write((void *)&constant));
	EXPECT(!probe_read(NULL) && !probe_read((void *)LINEAR_END));
	EXPECT(!probe_write(phys_to_virt(image_to_phys(_text))));	/* nor through the linear map */
}

KTEST(kernelmap, guards)
{
	u8 *p = vmalloc(3 * PAGE_SIZE), *next = vmalloc(PAGE_SIZE), *stack = kstack_alloc();	/* next comes right behind p */
	bool ok;

	EXPECT(p && next && stack);
	ok = probe_write(p) && probe_write(p + 3 * PAGE_SIZE - 1) && !probe_read(p + 3 * PAGE_SIZE);
	ok = ok && probe_write(stack) && probe_write(stack + KERNEL_STACK_SIZE - 1) && !probe_read(stack - 1) && !probe_read(stack + KERNEL_STACK_SIZE);
	ok = ok && !probe_read((u8 *)current->stack - 1) && probe_write(current->stack);
	vfree(next);
	vfree(p);
	ok = ok && !probe_read(p) && !probe_read(p + 2 * PAGE_SIZE);		/* gone at once, TLB too */
	kstack_free(stack);
	EXPECT(ok);
}
