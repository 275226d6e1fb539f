/* KASAN: gcc calls __asan_loadN/storeN before each access; the shadow says which of the eight bytes it stands for may be touched.
 *
 * One shadow byte for eight: 0 all good, 1..7 the first so many, else poisoned, the value saying why.  Only the linear map is
 * poisoned, so only it has shadow, mapped page by page at KASAN_SHADOW_BASE from core initcalls on; until then, and for every other
 * address, a check passes.  The allocator's poisoning before that is ignored: memory is good until first freed.
 *
 * A report stops the machine: going on would hide what broke. */
#ifdef CONFIG_DEBUG
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/debug/kasan.h>
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/init.h>
#include <mm/page.h>

static bool kasan_on;
static u64 shadow_lo = ~0ul, shadow_hi;	/* linear addresses that have shadow */

static inline u8 *shadow_of(u64 addr) { return (u8 *)((addr >> 3) + KASAN_SHADOW_OFFSET); }
static inline bool covered(u64 addr) { return kasan_on && addr >= shadow_lo && addr < shadow_hi; }

static const char *kind_name(u8 kind)
{
	switch (kind) {
	case KASAN_FREE_PAGE:	return "use of a freed page";
	case KASAN_SLAB_FREE:	return "use after free";
	case KASAN_SLAB_REDZONE: return "slab out of bounds";
	case KASAN_BIG_REDZONE:	return "allocation out of bounds";
	default:		return kind < 8 ? "out of bounds" : "bad access";
	}
}

static void __noreturn report(u64 addr, size_t len, bool write, u8 kind, u64 ip)
{
	kasan_on = false;
	panic("KASAN: %s: %s of %lu bytes at %016lx by %pS", kind_name(kind), write ? "write" : "read", len, addr, (void *)ip);
}

static __always_inline_ void check(u64 addr, size_t len, bool write, u64 ip)
{
	u64 last = addr + len - 1;
	s8 s;

	if (!covered(addr) || !len || last >= shadow_hi || unlikely(panic_in_progress))
		return;
	s = (s8)*shadow_of(last);
	if (unlikely(s && (s < 0 || (s8)(last & 7) >= s)))
		report(addr, len, write, (u8)s, ip);
	if (likely(len <= 8 && (addr >> 3) == (last >> 3)))
		return;
	for (u64 a = addr & ~7ul; a < (last & ~7ul); a += 8)
		if (unlikely(*shadow_of(a)))
			report(addr, len, write, *shadow_of(a), ip);
}

#define IP ((u64)__builtin_return_address(0))
void kasan_check(const void *p, size_t len, bool write) { check((u64)p, len, write, IP); }

void *kasan_memcpy(void *to, const void *from, size_t len)
{
	check((u64)from, len, false, IP);
	check((u64)to, len, true, IP);
	return memcpy(to, from, len);
}

void *kasan_memmove(void *to, const void *from, size_t len)
{
	check((u64)from, len, false, IP);
	check((u64)to, len, true, IP);
	return memmove(to, from, len);
}

void *kasan_memset(void *to, int c, size_t len)
{
	check((u64)to, len, true, IP);
	return memset(to, c, len);
}

void kasan_poison(const void *p, size_t len, enum kasan_kind kind)
{
	if (covered((u64)p))
		memset(shadow_of(ALIGN_UP((u64)p, 8)), (int)kind, (ALIGN_UP((u64)p + len, 8) - ALIGN_UP((u64)p, 8)) >> 3);
}

void kasan_unpoison(const void *p, size_t len)
{
	if (!covered((u64)p))
		return;
	memset(shadow_of((u64)p), 0, len >> 3);
	if (len & 7)
		*shadow_of((u64)p + len) = len & 7;
}

static int map_shadow(u64 start, u64 end)
{
	for (u64 a = ALIGN_DOWN((u64)shadow_of(start), PAGE_SIZE); a < (u64)shadow_of(end); a += PAGE_SIZE) {
		struct page *p = page_alloc(0, GFP_ZERO);

		if (!p || kernel_map_page(a, page_to_phys(p), PROT_K_R | PROT_K_W))
			return -1;
	}
	return 0;
}

static int kasan_init(void)
{
	paddr_t start, end;

	for (u32 i = 0; bootmem_next_range(i, &start, &end); i++) {
		u64 lo = (u64)phys_to_virt(ALIGN_DOWN(start, PAGE_SIZE * 8)), hi = (u64)phys_to_virt(ALIGN_UP(end, PAGE_SIZE * 8));

		if (i && lo < shadow_hi)
			lo = shadow_hi;
		if (i && lo > shadow_hi)
			return 0;	/* only the first piece of RAM */
		if (lo < hi && map_shadow(lo, hi))
			return -1;
		shadow_lo = min(shadow_lo, lo);
		shadow_hi = hi;
	}
	kasan_on = true;
	pr_info("kasan: on, %lu KiB of shadow\n", (shadow_hi - shadow_lo) >> 13);
	return 0;
}
BOOT_INIT(core, kasan_init);

#define ASAN_ACCESS(n) \
	void __asan_load##n##_noabort(u64 addr); \
	void __asan_store##n##_noabort(u64 addr); \
	void __asan_load##n##_noabort(u64 addr) { check(addr, n, false, IP); } \
	void __asan_store##n##_noabort(u64 addr) { check(addr, n, true, IP); }
ASAN_ACCESS(1)
ASAN_ACCESS(2)
ASAN_ACCESS(4)
ASAN_ACCESS(8)
ASAN_ACCESS(16)
void __asan_loadN_noabort(u64 addr, size_t len);
void __asan_storeN_noabort(u64 addr, size_t len);
void __asan_handle_no_return(void);
void __asan_loadN_noabort(u64 addr, size_t len) { check(addr, len, false, IP); }
void __asan_storeN_noabort(u64 addr, size_t len) { check(addr, len, true, IP); }
void __asan_handle_no_return(void) { }
#endif
