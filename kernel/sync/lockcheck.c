/* The lock checker.
 *
 * Theory.  Every lock has a class, every class a rank (lock_order.def).  A task may block on a lock only if its rank is above that
 * of every lock it holds, or if it is of the same class as one held and comes with a key above that one's.  If all code keeps to
 * that, the waits-for relation follows the order and cannot close a circle.  A successful trylock waits for nobody, so it is
 * recorded but not judged.
 *
 * Each task carries the list of what it holds (task->held).  An interrupt handler pushes onto the list of the task it interrupted,
 * but is judged only against what it took itself: the interrupted holder's locks are judged by the other rule, that a class is
 * either never taken in an interrupt or always with interrupts off (class_use below), so that the handler cannot meet a lock its
 * own CPU holds.
 *
 * The checker takes no lock of its own: lists are private to a task, and class_use words are only ever or-ed into. */
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rwsem.h>
#include <kernel/debug.h>
#include <kernel/task.h>

enum { KIND_S, KIND_I, KIND_M };

static const struct { const char *name; u16 rank; u8 kind; } classes[NR_LOCK_CLASSES] = {
#define LOCK(class, rank, kind, what) [class] = { #class, rank, KIND_##kind },
#include <kernel/sync/lock_order.def>
#undef LOCK
};

const char *lock_class_name(enum lock_class class)
{
	return class < NR_LOCK_CLASSES ? classes[class].name : "?";
}

#ifdef CONFIG_DEBUG
#define HELD_IN_IRQ	(1u << 15)	/* in held_lock.class */
#define MAX_HELD	24

enum { USED_IN_IRQ = 1, USED_IRQS_ON = 2 };
static u8 class_use[NR_LOCK_CLASSES];	/* [a] */
static bool checker_off;

void lock_check_off(void)
{
	checker_off = true;
}

static void __noreturn lock_report(const char *what, const void *lock, enum lock_class class, const struct held_lock *other)
{
	checker_off = true;
	if (other)
		panic("lock order: %s: taking %s (rank %u) %p while holding %s (rank %u) %p taken at %pS",
		      what, classes[class].name, classes[class].rank, lock, classes[other->class & ~HELD_IN_IRQ].name,
		      classes[other->class & ~HELD_IN_IRQ].rank, other->lock, (void *)other->ip);
	panic("lock order: %s: %s %p", what, classes[class].name, lock);
}

static void check_irq_use(const void *lock, enum lock_class class)
{
	u8 use = class_use[class];

	if (in_irq())
		use |= USED_IN_IRQ;
	else if (!arch_irqs_disabled())
		use |= USED_IRQS_ON;
	if (use != class_use[class])
		atomic_fetch_or(&class_use[class], use);
	if (classes[class].kind == KIND_M) {
		if (in_irq())
			lock_report("sleeping lock in an interrupt", lock, class, NULL);
		return;
	}
	if ((use & (USED_IN_IRQ | USED_IRQS_ON)) == (USED_IN_IRQ | USED_IRQS_ON))
		lock_report("class used both in interrupts and with them on", lock, class, NULL);
	if (classes[class].kind == KIND_I && !arch_irqs_disabled())
		lock_report("taken with interrupts on", lock, class, NULL);
}

void lock_check_acquire(const void *lock, enum lock_class class, u64 key, bool try)
{
	struct task *t = current;
	bool irq = in_irq();
	irqflags_t flags;

	if (checker_off)
		return;
	VERIFY(class < NR_LOCK_CLASSES);
	check_irq_use(lock, class);
	for (u32 i = 0; i < t->nr_held && !try; i++) {
		const struct held_lock *h = &t->held[i];
		u32 held_class = h->class & ~HELD_IN_IRQ;

		if (irq && !(h->class & HELD_IN_IRQ))
			continue;
		if (h->lock == lock)
			lock_report("taken twice", lock, class, h);
		if (held_class == class ? key <= h->key : classes[held_class].rank >= classes[class].rank)
			lock_report(held_class == class ? "key does not rise" : "rank does not rise", lock, class, h);
	}
	VERIFY(t->nr_held < MAX_HELD);
	/* With interrupts off: an interrupt, or who preempts from it, must not see an entry that is counted but not yet written. */
	flags = arch_irq_save();
	t->held[t->nr_held++] = (struct held_lock){
		.lock = lock, .key = key, .ip = (u64)__builtin_return_address(0), .class = class | (irq ? HELD_IN_IRQ : 0),
	};
	arch_irq_restore(flags);
}

void lock_check_release(const void *lock, enum lock_class class)
{
	struct task *t = current;
	irqflags_t flags;

	if (checker_off)
		return;
	flags = arch_irq_save();
	for (u32 i = t->nr_held; i-- > 0;) {
		if (t->held[i].lock != lock)
			continue;
		for (; i + 1 < t->nr_held; i++)
			t->held[i] = t->held[i + 1];
		t->nr_held--;
		arch_irq_restore(flags);
		return;
	}
	arch_irq_restore(flags);
	lock_report("released by one who does not hold it", lock, class, NULL);
}

bool lock_check_held(const void *lock)
{
	for (u32 i = 0; i < current->nr_held; i++)
		if (current->held[i].lock == lock)
			return true;
	return checker_off;
}

void lock_check_none_held(void)
{
	if (!checker_off && current->nr_held)
		lock_report("still held on the way out of the kernel", current->held[0].lock,
			    current->held[0].class & ~HELD_IN_IRQ, NULL);
}

void spin_debug_acquire(struct spinlock *l, u64 key, bool try)
{
	lock_check_acquire(l, l->class, key, try);
}

void spin_debug_acquired(struct spinlock *l)
{
	l->cpu = smp_cpu_id() + 1;
}

void spin_debug_release(struct spinlock *l)
{
	l->cpu = 0;
	lock_check_release(l, l->class);
}

void might_sleep(void)
{
	if (checker_off)
		return;
	if (in_atomic())
		panic("sleeping with preemption off (count %x)", current_head()->preempt_count);
	if (arch_irqs_disabled())
		panic("sleeping with interrupts off");
}
#endif
