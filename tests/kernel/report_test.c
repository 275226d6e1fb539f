/* Deliberate violations: each must be reported, with these words.  Every one runs in a boot of its own (scripts/test-kernel does that).
 *
 * hidden() keeps the compiler from seeing, and refusing, what is wrong. */
#include <arch/context.h>
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <kernel/debug.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rwsem.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <tests/kernel/runner.h>

#define hidden(v) ({ __typeof__(v) __h = (v); asm volatile("" : "+r"(__h)); __h; })

/* --- in every build ----------------------------------------------------------------------------------------------------------------- */
static u64 deeper(u64 n)
{
	volatile u64 room[64];

	for (u32 i = 0; i < 64; i++)
		room[i] = n + i;
	return n == hidden(~0ul) ? 0 : deeper(hidden(n + 1)) + room[n % 64];
}

KTEST_REPORTS(fatal, stack_overflow, "kernel stack overflow") { printk(LOG_DEBUG "%lu\n", deeper(hidden(0ul))); }
KTEST_REPORTS(fatal, null_pointer, "data abort at EL1") { *hidden((volatile u64 *)8) = 1; }
KTEST_REPORTS(fatal, user_pointer_without_uaccess, "data abort at EL1") { printk(LOG_DEBUG "%lu\n", *hidden((volatile u64 *)0x400000)); }
KTEST_REPORTS(fatal, write_to_text, "data abort at EL1") { *hidden((volatile u32 *)(u64)memcpy) = 0; }
KTEST_REPORTS(fatal, write_after_boot, "data abort at EL1") { *hidden((volatile u32 *)&nr_cpus) = 0; }
KTEST_REPORTS(fatal, write_after_boot_elsewhere, "data abort at EL1") { *hidden((volatile u32 *)phys_to_virt(image_to_phys(&nr_cpus))) = 0; }
KTEST_REPORTS(fatal, behind_vmalloc, "data abort at EL1") { ((volatile char *)vmalloc(PAGE_SIZE))[hidden(PAGE_SIZE)] = 1; }
KTEST_REPORTS(fatal, after_vfree, "data abort at EL1")
{
	volatile char *p = vmalloc(PAGE_SIZE);

	*p = 1;
	vfree((void *)p);
	*hidden(p) = 2;
}

/* --- a panic stops the other CPUs, and tells of them ------------------------------------------------------------------------------------ */
static u32 there;
static void __attribute__((noinline, noclone)) spin_for_ever(void) { for (;;) cpu_relax(); }
static void busy_there(void *arg) { (void)arg; atomic_store(&there, 1u); spin_for_ever(); }
static void deaf_there(void *arg) { arch_irq_disable(); busy_there(arg); }
static void panic_there(void *arg) { (void)arg; atomic_store(&there, 1u); panic("one of two"); }

/* fn runs on CPU 1, if there is one, and has begun. */
static void elsewhere(void (*fn)(void *))
{
	static struct runner r;

	if (!(atomic_load(&cpu_online_mask) & BIT(1)) || !runner_create(&r, fn, NULL) || sched_set_affinity(r.task, BIT(1)))
		return;
	sched_set_affinity(current, BIT(0));
	runner_go(&r);
	while (!atomic_load(&there))
		sleep_ns(NSEC_PER_MSEC);
}

KTEST_REPORTS(panic, tells_of_the_others, "Kernel panic: one alone|tells_of_the_others+|smp:CPU 1: ktest[0] at spin_for_ever+|smp:runner_main+") { elsewhere(busy_there); panic("one alone"); }
KTEST_REPORTS(panic, does_not_wait_for_ever, "Kernel panic: one alone|smp:CPU 1: does not answer; it last switched to ktest[0]")
{
	elsewhere(deaf_there);
	panic("one alone");
}
KTEST_REPORTS(panic, of_two_cpus_at_once, "Kernel panic: one of two") { elsewhere(panic_there); panic("one of two"); }

static u32 code[] = { 0xd65f03c0 };	/* ret */
KTEST_REPORTS(fatal, data_is_not_executed, "instruction abort at EL1") { (hidden((void (*)(void))(u64)code))(); }

KTEST_REPORTS(fatal, assertion, "assertion failed: two == 3") { u32 two = hidden(2u); VERIFY(two == 3); }
static void return_at_once(void *arg) { (void)arg; }
KTEST_REPORTS(fatal, kernel_thread_returns, "a kernel thread (returner) returned")
{
	kthread_create(return_at_once, NULL, "returner");
	sleep_ns(NSEC_PER_SEC);
}

KTEST_REPORTS(warn, once, "WARN: hidden(3) > 2")
{
	for (u32 i = 0; i < 3; i++)
		WARN_ONCE(hidden(3) > 2);
}

#ifdef CONFIG_DEBUG
/* --- the lock checker ----------------------------------------------------------------------------------------------------------------- */
static DEFINE_MUTEX(outer, LC_DIR_INODE);
static DEFINE_MUTEX(inner, LC_FILE_INODE);
static DEFINE_MUTEX(inner2, LC_FILE_INODE);
static DEFINE_SPINLOCK(spin, LC_FDTABLE);
static DEFINE_SPINLOCK(irq_spin, LC_WAIT);

KTEST(lockcheck, lets_good_order_pass)
{
	mutex_lock(&outer);
	mutex_lock(&inner);
	mutex_lock_nested(&inner2, 1);
	spin_lock(&spin);
	spin_unlock(&spin);
	mutex_unlock(&inner);		/* released in any order */
	mutex_unlock(&inner2);
	mutex_unlock(&outer);
	EXPECT(current->nr_held == 0);
	mutex_lock(&inner);
	EXPECT(mutex_trylock(&outer));	/* a trylock waits for nobody: any order */
	mutex_unlock(&outer);
	mutex_unlock(&inner);
	EXPECT(current->nr_held == 0);
}

/* Each report tells two places: who took the one lock, in a function of its own here, and who takes the other. */
static void __attribute__((noinline, noclone)) take_first(struct mutex *m) { mutex_lock(m); barrier(); }
static void __attribute__((noinline, noclone)) spin_first(struct spinlock *l) { spin_lock(l); barrier(); }
static void __attribute__((noinline, noclone)) enter_rcu(void) { rcu_read_lock(); barrier(); }

KTEST_REPORTS(lockcheck, wrong_order, "lock order: rank does not rise: taking LC_DIR_INODE|lockcheck_wrong_order+|holds LC_FILE_INODE|take_first+")
{
	take_first(&inner);
	mutex_lock(&outer);
}

KTEST_REPORTS(lockcheck, wrong_order_of_spin_locks, "lock order: rank does not rise: taking LC_FDTABLE|holds LC_WAIT|wrong_order_of_spin_locks+")
{
	irqflags_t flags = spin_lock_irqsave(&irq_spin);

	spin_lock(&spin);
	spin_unlock(&spin);
	spin_unlock_irqrestore(&irq_spin, flags);
}

KTEST_REPORTS(lockcheck, rwsem_order, "lock order: rank does not rise|holds LC_FILE_INODE|take_first+")
{
	static struct rwsem s;

	rwsem_init(&s, LC_MOUNT_SEM);
	take_first(&inner);
	rwsem_read_lock(&s);
}

KTEST_REPORTS(lockcheck, same_class_without_a_key, "lock order: key does not rise|holds LC_FILE_INODE|take_first+")
{
	take_first(&inner);
	mutex_lock(&inner2);
}

KTEST_REPORTS(lockcheck, taken_twice, "lock order: taken twice|taken_twice+|holds LC_FDTABLE|spin_first+")
{
	spin_first(&spin);
	spin_lock(hidden(&spin));
}

/* CPU A: has the one, interrupts off, waits for the other.  CPU B: has the other, and an interrupt that wants the one. */
KTEST_REPORTS(lockcheck, circle_through_a_handler, "lock order: a handler may wait for the one, whoever holds the other: taking LC_FDTABLE|holds LC_SIGHAND")
{
	static DEFINE_SPINLOCK(sighand, LC_SIGHAND);
	irqflags_t flags = spin_lock_irqsave(&sighand);

	spin_lock(&spin);
	spin_unlock(&spin);
	spin_unlock_irqrestore(&sighand, flags);
}

KTEST_REPORTS(lockcheck, released_without_holding, "lock order: released by one who does not hold it|released_without_holding+") { spin_unlock(&spin); }

KTEST_REPORTS(lockcheck, interrupts_on, "lock order: taken with interrupts on")
{
	spin_lock(&irq_spin);
	spin_unlock(&irq_spin);
}

static DEFINE_SPINLOCK(users_spin, LC_USERS);		/* a class that nobody takes in an interrupt */
static void take_users(struct timer *t) { (void)t; spin_lock(&users_spin); spin_unlock(&users_spin); }
KTEST_REPORTS(lockcheck, interrupts_on_after_an_interrupt, "lock order: taken with interrupts on|interrupts_on_after_an_interrupt+|taken in an interrupt here|take_users+")
{
	struct timer t;

	timer_init(&t, take_users);
	timer_arm(&t, clock_mono_ns());
	sleep_ns(NSEC_PER_MSEC);
	timer_cancel_sync(&t);
	spin_lock(&users_spin);
	spin_unlock(&users_spin);
}

static void take_spin(struct timer *t) { (void)t; spin_lock(&spin); spin_unlock(&spin); }
KTEST_REPORTS(lockcheck, class_used_in_interrupts_and_with_them_on,
	      "lock order: class used both in interrupts and with them on|take_spin+|exception|with interrupts on here|+0x")
{
	struct timer t;

	spin_first(&spin);
	spin_unlock(&spin);
	timer_init(&t, take_spin);
	timer_arm(&t, clock_mono_ns());
	sleep_ns(NSEC_PER_SEC);
}

static DEFINE_SPINLOCK(vmalloc_spin, LC_VMALLOC);
static void take_vmalloc(struct timer *t) { (void)t; spin_lock(&vmalloc_spin); spin_unlock(&vmalloc_spin); }
KTEST_REPORTS(lockcheck, interrupt_takes_what_interrupts_do_not, "in interrupts and with them on: LC_VMALLOC|take_vmalloc+")
{
	struct timer t;

	timer_init(&t, take_vmalloc);
	timer_arm(&t, clock_mono_ns());
	sleep_ns(NSEC_PER_SEC);
}

static void take_mutex(struct timer *t) { (void)t; mutex_lock(&outer); }
KTEST_REPORTS(lockcheck, mutex_in_an_interrupt, "sleeping with preemption off|take_mutex+|exception")
{
	struct timer t;

	timer_init(&t, take_mutex);
	timer_arm(&t, clock_mono_ns());
	sleep_ns(NSEC_PER_SEC);
}

KTEST_REPORTS(lockcheck, sleep_under_a_spin_lock, "sleeping with preemption off|sleep_ns+|holds LC_FDTABLE|spin_first+")
{
	spin_first(&spin);
	sleep_ns(1);
}

/* It is an error even where nobody would have had to wait. */
KTEST_REPORTS(lockcheck, mutex_under_a_spin_lock, "sleeping with preemption off|mutex_lock|holds LC_FDTABLE|spin_first+")
{
	spin_first(&spin);
	mutex_lock(&outer);
}

KTEST_REPORTS(lockcheck, rwsem_reader_under_a_spin_lock, "sleeping with preemption off|rwsem_read_lock+|holds LC_FDTABLE|spin_first+")
{
	static struct rwsem s;

	rwsem_init(&s, LC_MMAP);
	spin_first(&spin);
	rwsem_read_lock(&s);
}

KTEST_REPORTS(lockcheck, wait_under_a_spin_lock, "sleeping with preemption off|wait_under_a_spin_lock+|holds LC_FDTABLE|spin_first+")
{
	static DEFINE_WAIT_QUEUE(wq);

	spin_first(&spin);
	wait_event(&wq, hidden(true));
}

KTEST_REPORTS(lockcheck, mutex_in_an_rcu_read_side, "sleeping with preemption off|mutex_lock|was turned off here|enter_rcu+")
{
	enter_rcu();
	mutex_lock(&outer);
}

KTEST_REPORTS(lockcheck, wait_in_an_rcu_read_side, "sleeping with preemption off|was turned off here|enter_rcu+")
{
	static DEFINE_WAIT_QUEUE(wq);

	enter_rcu();
	wait_event(&wq, hidden(true));
}

KTEST_REPORTS(lockcheck, sleep_with_interrupts_off, "sleeping with interrupts off|sleep_with_interrupts_off+")
{
	arch_irq_disable();
	mutex_lock(&outer);
}

static void exit_holding(void *arg) { (void)arg; take_first(&outer); kthread_exit(); }
KTEST_REPORTS(lockcheck, thread_ends_with_a_lock, "lock order: still held on the way out of the kernel|holds LC_DIR_INODE|take_first+")
{
	kthread_create(exit_holding, NULL, "holder");
	sleep_ns(NSEC_PER_SEC);
}

static void unlock_others(void *arg) { mutex_unlock(arg); kthread_exit(); }
KTEST_REPORTS(lockcheck, mutex_released_by_another, "lock order: released by one who does not hold it: LC_DIR_INODE|unlock_others+|by its holder here|take_first+")
{
	take_first(&outer);
	kthread_create(unlock_others, &outer, "other");
	sleep_ns(NSEC_PER_SEC);
}

static void write_unlock_others(void *arg) { rwsem_write_unlock(arg); kthread_exit(); }
KTEST_REPORTS(lockcheck, rwsem_released_by_another, "lock order: released by one who does not hold it: LC_MMAP|write_unlock_others+|by its holder here|rwsem_released_by_another+")
{
	static struct rwsem s;

	rwsem_init(&s, LC_MMAP);
	rwsem_write_lock(&s);
	kthread_create(write_unlock_others, &s, "other");
	sleep_ns(NSEC_PER_SEC);
}

/* --- KASAN, slab poison ----------------------------------------------------------------------------------------------------------------- */
KTEST_REPORTS(kasan, behind_an_object, "KASAN: slab out of bounds: write of 1 bytes") { ((volatile char *)kmalloc(100, 0))[hidden(128)] = 1; }
KTEST_REPORTS(kasan, read_behind_an_object, "KASAN: slab out of bounds: read of 4 bytes")
{
	printk(LOG_DEBUG "%u\n", *hidden((volatile u32 *)((char *)kmalloc(96, GFP_ZERO) + 94)));
}

KTEST_REPORTS(kasan, to_the_byte, "KASAN: out of bounds: write of 1 bytes")
{
	volatile char *p = slab_alloc(slab_cache_create("odd", 20, 0, NULL), 0);

	p[hidden(19)] = 1;
	p[hidden(20)] = 1;
}

KTEST_REPORTS(kasan, use_after_free, "KASAN: use after free: read of 8 bytes")
{
	volatile u64 *p = kmalloc(64, 0);

	kfree((void *)p);
	printk(LOG_DEBUG "%lu\n", hidden(p)[2]);
}

KTEST_REPORTS(kasan, use_of_a_freed_page, "KASAN: use of a freed page: write of 2 bytes")
{
	struct page *p = page_alloc(0, 0);

	page_free(p, 0);
	*(volatile u16 *)hidden(page_address(p)) = 1;
}

KTEST_REPORTS(kasan, memset_past_the_end, "KASAN: slab out of bounds: write of 200 bytes") { memset(kmalloc(192, 0), 1, hidden(200ul)); }
KTEST_REPORTS(kasan, memcpy_from_freed, "KASAN: use after free: read of 16 bytes")
{
	static char to[16];
	char *p = kmalloc(32, 0);

	kfree(p);
	memcpy(to, hidden(p), hidden(16ul));
}

KTEST_REPORTS(kasan, copy_to_user_of_freed, "KASAN: use after free: read of 32 bytes")
{
	char *p = kmalloc(32, 0);

	kfree(p);
	if (copy_to_user((void __user *)PAGE_SIZE, hidden(p), 32))
		return;
}

KTEST_REPORTS(kasan, freed_twice, "KASAN: use after free")
{
	void *p = kmalloc(48, 0);

	kfree(p);
	kfree(hidden(p));
}

/* What KASAN cannot see (here: written by code without its checks) is found at the next free or allocation. */
static void __attribute__((no_sanitize_address)) write_unseen(volatile u64 *p, u32 i) { p[i] = 0x1234; }
KTEST_REPORTS(poison, written_after_free, "was written after it was freed")
{
	u64 *p = kmalloc(64, 0);

	kfree(p);
	write_unseen(hidden(p), 3);
	for (u32 i = 0; i < 100; i++)
		(void)hidden(kmalloc(64, 0));
}

KTEST_REPORTS(poison, written_beyond_its_end, "was written beyond its end")
{
	u64 *p = kmalloc(64, 0);

	write_unseen(p, 8);
	kfree(p);
}

/* --- UBSAN ------------------------------------------------------------------------------------------------------------- */
KTEST_REPORTS(ubsan, index, "UBSAN: index out of bounds") { static volatile u32 a[2][4]; printk(LOG_DEBUG "%u\n", a[0][hidden(4u) % 5]); }
KTEST_REPORTS(ubsan, shift, "UBSAN: shift out of bounds") { printk(LOG_DEBUG "%u\n", 1u << hidden(33)); }
KTEST_REPORTS(ubsan, bool_value, "UBSAN: invalid bool or enum")
{
	static u8 raw = 7;

	printk(LOG_DEBUG "%d\n", *hidden((volatile bool *)&raw));
}
#endif
