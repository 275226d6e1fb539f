/* The floors below, for code under test on the host: one CPU, one task, malloc.  All weak: a program that links the real function gets
 * that one.  RCU callbacks wait for rcu_barrier(). */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/debug/kasan.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/rwsem.h>
#include <kernel/task.h>
#include <mm/slab.h>
#include <tests/unit/unit.h>

static struct task task0;
struct task *unit_current = &task0;
u64 unit_fail_after = ~0ull;
u64 unit_panic_jump[64];
bool unit_panic_armed;

static void __noreturn stop(const char *what, const char *file, int line)
{
	if (unit_panic_armed)
		longjmp(unit_panic_jump, 1);
	host_die(what, file, line);
}

__weak void assert_failed(const char *expr, const char *file, int line) { stop(expr, file, line); }
__weak void warn_report(const char *expr, const char *file, int line) { stop(expr, file, line); }
__weak void panic(const char *fmt, ...) { stop(fmt, "panic", 0); }
__weak int printk(const char *fmt, ...) { (void)fmt; return 0; }

/* memory */
__weak char *unit_memory;
__weak u64 page_array;
__weak u64 page_base_pfn, page_end_pfn;
__weak u32 nr_cpus = 1;
__weak u64 percpu_offsets[NR_CPUS];
__weak u32 cpu_number;
__weak cpumask_t cpu_online_mask = 1;

__weak void clear_page(void *page) { memset(page, 0, PAGE_SIZE); }
__weak void copy_page(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }
__weak void page_put_last(struct page *p) { (void)p; }

static bool fail_now(void)
{
	if (unit_fail_after == ~0ull || unit_fail_after-- != 0)
		return false;
	unit_fail_after = ~0ull;
	return true;
}

struct unit_cache { size_t size; void (*ctor)(void *); };
__weak void *kmalloc(size_t size, gfp_t gfp)
{
	void *p = fail_now() ? NULL : host_alloc(size);

	if (p && (gfp & GFP_ZERO))
		memset(p, 0, size);
	return p;
}
__weak struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, void (*ctor)(void *))
{
	struct unit_cache *c = host_alloc(sizeof(*c));

	(void)name; (void)align;
	*c = (struct unit_cache){ size, ctor };
	return (struct slab_cache *)c;
}
__weak void *slab_alloc(struct slab_cache *c, gfp_t gfp)
{
	struct unit_cache *u = (struct unit_cache *)c;
	void *p = kmalloc(u->size, gfp);

	if (p && u->ctor)
		u->ctor(p);
	return p;
}
__weak void slab_free(struct slab_cache *c, void *p) { (void)c; host_free(p); }
__weak void slab_set_reclaimable(struct slab_cache *c) { (void)c; }
__weak void *kzalloc(size_t size, gfp_t gfp) { return kmalloc(size, gfp | GFP_ZERO); }
__weak void *kcalloc(size_t n, size_t size, gfp_t gfp) { return kzalloc(n * size, gfp); }
__weak void kfree(const void *p) { host_free((void *)p); }
__weak void *kvmalloc(size_t size, gfp_t gfp) { return kmalloc(size, gfp); }
__weak void kvfree(void *p) { host_free(p); }
__weak char *kstrdup(const char *s, gfp_t gfp)
{
	char *p = kmalloc(strlen(s) + 1, gfp);

	return p ? memcpy(p, s, strlen(s) + 1) : NULL;
}

/* RCU */
static struct rcu_head *callbacks;
__weak void call_rcu(struct rcu_head *h, void (*func)(struct rcu_head *)) { h->func = func; h->next = callbacks; callbacks = h; }
__weak void synchronize_rcu(void) { }
__weak void rcu_barrier(void)
{
	while (callbacks) {
		struct rcu_head *h = callbacks;

		callbacks = h->next;
		h->func(h);
	}
}

/* waiting: nobody would ever wake us */
__weak void wait_queue_init(struct wait_queue *wq) { list_init(&wq->head); }
__weak void wait_entry_init(struct wait_entry *we) { list_init(&we->link); }
__weak void prepare_to_wait(struct wait_queue *wq, struct wait_entry *we, u32 state) { (void)wq; (void)we; (void)state; }
__weak void finish_wait(struct wait_queue *wq, struct wait_entry *we) { (void)wq; (void)we; }
__weak int wait_check(u32 state, u64 deadline_ns) { (void)state; (void)deadline_ns; return 0; }
__weak void wait_sleep(u64 deadline_ns) { (void)deadline_ns; host_die("asleep", __FILE__, __LINE__); }
__weak void wake_up_all(struct wait_queue *wq) { (void)wq; }

/* locks: nobody else is there, so a lock that is taken already is a deadlock */
/* one CPU: no other has pages in stock */
void pages_drain(void);
__weak void pages_drain(void) { }
bool reclaim_some(u64 nr, u32 gfp, u32 tries);
__weak bool reclaim_some(u64 nr, u32 gfp, u32 tries) { (void)nr; (void)gfp; (void)tries; return false; }
void reclaim_wake(void);
__weak void reclaim_wake(void) { }

__weak void preempt_schedule(void) { }
__weak void spin_lock_slow(struct spinlock *l) { (void)l; stop("spin lock taken twice", __FILE__, __LINE__); }
__weak void mutex_init(struct mutex *m, enum lock_class class) { memset(m, 0, sizeof(*m)); (void)class; }
__weak void mutex_lock(struct mutex *m) { if (m->owner++) stop("mutex taken twice", __FILE__, __LINE__); }
__weak void mutex_lock_nested(struct mutex *m, u64 key) { (void)key; mutex_lock(m); }
__weak void mutex_unlock(struct mutex *m) { if (!m->owner--) stop("mutex not held", __FILE__, __LINE__); }
__weak void rwsem_init(struct rwsem *s, enum lock_class class) { memset(s, 0, sizeof(*s)); (void)class; }
__weak void rwsem_write_lock(struct rwsem *s) { if (s->count) stop("rwsem taken twice", __FILE__, __LINE__); s->count = -1; }
__weak void rwsem_write_lock_nested(struct rwsem *s, u64 key) { (void)key; rwsem_write_lock(s); }
__weak void rwsem_write_unlock(struct rwsem *s) { if (s->count != -1) stop("rwsem not held", __FILE__, __LINE__); s->count = 0; }
__weak void rwsem_read_lock(struct rwsem *s) { if (s->count < 0) stop("rwsem taken twice", __FILE__, __LINE__); s->count++; }
__weak void rwsem_read_unlock(struct rwsem *s) { if (s->count-- <= 0) stop("rwsem not held", __FILE__, __LINE__); }

#ifdef CONFIG_DEBUG
__weak void kasan_poison(const void *p, size_t len, enum kasan_kind kind) { (void)p; (void)len; (void)kind; }
__weak void kasan_unpoison(const void *p, size_t len) { (void)p; (void)len; }
__weak void kasan_check(const void *p, size_t len, bool write) { (void)p; (void)len; (void)write; }
__weak void spin_debug_acquire(struct spinlock *l, u64 key, bool try) { (void)l; (void)key; (void)try; }
__weak void spin_debug_acquired(struct spinlock *l) { (void)l; }
__weak void spin_debug_release(struct spinlock *l) { (void)l; }
__weak void might_sleep(void) { }
__weak void preempt_debug_note(void) { }
#endif
