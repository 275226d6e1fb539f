/* What gcc calls: __tsan_read4 and its like before each access, __tsan_atomic32_* in place of each atomic operation. */
#ifdef CONFIG_RACE
#include <arch/atomic.h>
#include <kernel/debug/race_internal.h>
#include <kernel/debug/race_watch.h>

#define IP ((u64)__builtin_return_address(0))

#define HOOK(name, size, kind) \
	void __tsan_##name(u64 addr); \
	void __tsan_##name(u64 addr) { race_access(addr, size, kind, IP); barrier(); }
#define HOOKS(size) \
	HOOK(read##size, size, 0) \
	HOOK(write##size, size, RACE_WRITE) \
	HOOK(unaligned_read##size, size, 0) \
	HOOK(unaligned_write##size, size, RACE_WRITE) \
	HOOK(volatile_read##size, size, RACE_MARKED) \
	HOOK(volatile_write##size, size, RACE_MARKED | RACE_WRITE) \
	HOOK(unaligned_volatile_read##size, size, RACE_MARKED) \
	HOOK(unaligned_volatile_write##size, size, RACE_MARKED | RACE_WRITE)
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

void __tsan_init(void);
void __tsan_init(void) { }
void __tsan_read_range(u64 addr, size_t size);
void __tsan_write_range(u64 addr, size_t size);
void __tsan_read_range(u64 addr, size_t size) { if (size) race_access(addr, size, 0, IP); barrier(); }
void __tsan_write_range(u64 addr, size_t size) { if (size) race_access(addr, size, RACE_WRITE, IP); barrier(); }

/* The order asked for comes as an argument; all are done fully ordered, which is never less. */
#define RMW(bits, name, builtin) \
	u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits v, int order); \
	u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits v, int order) \
	{ \
		(void)order; \
		race_access((u64)p, sizeof(*p), RACE_MARKED | RACE_WRITE, IP); \
		return builtin(p, v, __ATOMIC_SEQ_CST); \
	}
#define CAS(bits, name) \
	bool __tsan_atomic##bits##_##name(u##bits *p, u##bits *old, u##bits new, int order, int failed); \
	bool __tsan_atomic##bits##_##name(u##bits *p, u##bits *old, u##bits new, int order, int failed) \
	{ \
		(void)order; (void)failed; \
		race_access((u64)p, sizeof(*p), RACE_MARKED | RACE_WRITE, IP); \
		return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	}
#define ATOMICS(bits) \
	u##bits __tsan_atomic##bits##_load(const u##bits *p, int order); \
	u##bits __tsan_atomic##bits##_load(const u##bits *p, int order) \
	{ \
		(void)order; \
		race_access((u64)p, sizeof(*p), RACE_MARKED, IP); \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST); \
	} \
	void __tsan_atomic##bits##_store(u##bits *p, u##bits v, int order); \
	void __tsan_atomic##bits##_store(u##bits *p, u##bits v, int order) \
	{ \
		(void)order; \
		race_access((u64)p, sizeof(*p), RACE_MARKED | RACE_WRITE, IP); \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST); \
	} \
	RMW(bits, exchange, __atomic_exchange_n) \
	RMW(bits, fetch_add, __atomic_fetch_add) \
	RMW(bits, fetch_sub, __atomic_fetch_sub) \
	RMW(bits, fetch_and, __atomic_fetch_and) \
	RMW(bits, fetch_or, __atomic_fetch_or) \
	RMW(bits, fetch_xor, __atomic_fetch_xor) \
	CAS(bits, compare_exchange_strong) \
	CAS(bits, compare_exchange_weak)
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_thread_fence(int order) { (void)order; smp_mb(); }
void __tsan_atomic_signal_fence(int order) { (void)order; barrier(); }
#endif
