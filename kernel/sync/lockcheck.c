/* The lock checker.
 *
 * Theory.  Every lock has a class, every class a rank (lock_order.def).  A task may block on a lock only if its rank is above that
 * of every lock it holds, or if it is of the same class as one held and comes with a key above that one's.  If all code keeps to
 * that, the waits-for relation follows the order and cannot close a circle.  A successful trylock waits for nobody, so it is
 * recorded but not judged.
 *
 * Interrupts.  A class is of one of two kinds: taken by interrupt handlers too, and then always with interrupts off (I), or never in a
 * handler (S, M).  So a handler cannot meet a lock its own CPU holds, and is judged only against what it took itself: it pushes onto the
 * list of the task it interrupted (task->held), whose locks it does not look at.  There is a longer circle, over two CPUs: one holds I
 * and waits for S; the other holds S with interrupts on, and its handler waits for I.  Hence the third rule: nobody waits for a lock
 * of kind S while holding one of kind I, whatever their ranks.  (With it, what a handler waits for is held by somebody who runs with
 * interrupts off and waits for nothing that a handler could delay.)
 *
 * Sleeping.  might_sleep() stands at the head of whatever may sleep, whether it does or not: mutexes, semaphores for reading and
 * writing, waits on a condition.  It refuses while preemption is off (spin locks, RCU read sides, interrupts) or interrupts are.
 *
 * Reports stop the machine and show both sides: the backtrace of who breaks the rule now, and the one kept from then: each lock held
 * carries the short backtrace of its taking, each class those of its first use in an interrupt and with interrupts on, each task that
 * of the preempt_disable() it is under (kernel/debug/where.c).
 *
 * The checker takes no lock of its own: lists are private to a task (a report reads another's racily), and class_use words are only
 * ever or-ed into; the backtrace of a first use is written by who set the CLAIMED bit, before it sets the other (release).
 *
 * Rejected: learning the order at run time as Linux does.  A table says what the order is before anything runs, costs no graph, and
 * finds a wrong nesting the first time it happens, not the first time both directions have. */
#include <kernel/sync/lockcheck.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/rwsem.h>
#include <kernel/debug.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
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
#define MAX_HELD	ARRAY_SIZE(((struct task *)0)->held)

enum { USED_IN_IRQ = 1, USED_IRQS_ON = 2, CLAIMED = 2 /* shift: somebody writes that use's backtrace */ };
static struct class_use { u32 use; struct where in_irq, irqs_on; } class_use[NR_LOCK_CLASSES];	/* use: [a]; the rest: [I] once use says so */
static u32 checker_off;			/* [a] */

static inline u32 held_class(const struct held_lock *h) { return h->class & ~HELD_IN_IRQ; }

void lock_check_off(void)
{
	atomic_store(&checker_off, 1u);
}

/* --- reports */

static struct {
	const char *what;		/* what `where` is, a format for class name and lock */
	enum lock_class class;
	const void *lock;
	const struct where *where;
	const struct task *holder;
} other_side;

void lock_check_print_held(const struct task *t)
{
	u32 n = min(READ_ONCE(t->nr_held), (u32)MAX_HELD);

	for (u32 i = 0; i < n; i++) {
		const struct held_lock *h = &t->held[i];

		printk(LOG_EMERG "%s[%d] holds %s %p, taken%s at:\n", t->comm, t->tid, lock_class_name(held_class(h)), h->lock,
		       h->class & HELD_IN_IRQ ? " in an interrupt" : "");
		where_print(&h->where);
	}
}

static void print_other_side(void)
{
	if (other_side.where) {
		printk(LOG_EMERG "%s %p %s:\n", other_side.lock ? lock_class_name(other_side.class) : "preemption", other_side.lock, other_side.what);
		where_print(other_side.where);
	}
	lock_check_print_held(other_side.holder);
}

/* Only the first to report tells its other side. */
static void tell(const char *what, const void *lock, enum lock_class class, const struct where *where, const struct task *holder)
{
	if (atomic_xchg(&checker_off, 1u))
		return;
	other_side = (__typeof__(other_side)){ what, class, lock, where, holder };
	panic_note = print_other_side;
}

static void __noreturn order_report(const char *what, const void *lock, enum lock_class class, const struct held_lock *h)
{
	tell(NULL, NULL, 0, NULL, current);	/* h is among what current holds */
	panic("lock order: %s: taking %s (rank %u) %p while holding %s (rank %u) %p", what, classes[class].name, classes[class].rank, lock,
	      classes[held_class(h)].name, classes[held_class(h)].rank, h->lock);
}

static void __noreturn use_report(const char *what, const void *lock, enum lock_class class, const char *then, const struct where *where)
{
	tell(then, lock, class, where, current);
	panic("lock order: %s: %s %p", what, classes[class].name, lock);
}

/* Who holds lock, by the lists of all tasks: a racy look. */
static const struct task *holder_of(const void *lock, const struct held_lock **out)
{
	struct list_head *const lists[] = { &all_tasks, &kernel_threads };

	for (u32 l = 0; l < ARRAY_SIZE(lists); l++) {
		struct task *t;

		list_for_each_entry_rcu(t, lists[l], all_link)
			for (u32 i = 0; i < min(READ_ONCE(t->nr_held), (u32)MAX_HELD); i++)
				if (t->held[i].lock == lock) {
					*out = &t->held[i];
					return t;
				}
	}
	return NULL;
}

static void __noreturn release_report(const void *lock, enum lock_class class)
{
	const struct held_lock *h = NULL;
	const struct task *t;

	rcu_read_lock();
	t = holder_of(lock, &h);
	tell("was taken by its holder here", lock, class, h ? &h->where : NULL, current);
	if (t)
		panic("lock order: released by one who does not hold it: %s %p, held by %s[%d]", classes[class].name, lock, t->comm, t->tid);
	panic("lock order: released by one who does not hold it: %s %p, held by nobody", classes[class].name, lock);
}

/* --- the rules */

static void note_use(struct class_use *u, u32 use, struct where *where)
{
	if (atomic_fetch_or(&u->use, use << CLAIMED) & (use << CLAIMED))
		return;
	where_note(where);
	smp_mb();	/* the backtrace before the bit; pairs with the load in check_use */
	atomic_fetch_or(&u->use, use);
}

static void check_use(const void *lock, enum lock_class class)
{
	struct class_use *u = &class_use[class];
	u32 use = atomic_load_acquire(&u->use), kind = classes[class].kind;

	if (in_irq()) {
		if (!(use & USED_IN_IRQ))
			note_use(u, USED_IN_IRQ, &u->in_irq);
		if (kind == KIND_M)
			use_report("sleeping lock in an interrupt", lock, class, NULL, NULL);
		if (kind == KIND_S && (use & USED_IRQS_ON))
			use_report("class used both in interrupts and with them on", lock, class, "or its like was first taken with interrupts on here",
				   &u->irqs_on);
		if (kind == KIND_S)
			use_report("taken in an interrupt, and the class is not declared for that", lock, class, NULL, NULL);
	} else if (!arch_irqs_disabled()) {
		if (!(use & USED_IRQS_ON))
			note_use(u, USED_IRQS_ON, &u->irqs_on);
		if (kind == KIND_I)
			use_report("taken with interrupts on", lock, class, "or its like was first taken in an interrupt here",
				   use & USED_IN_IRQ ? &u->in_irq : NULL);
	}
}

static void check_order(const void *lock, enum lock_class class, u64 key, const struct held_lock *h)
{
	u32 held = held_class(h);

	if (h->lock == lock)
		order_report("taken twice", lock, class, h);
	if (held == class ? key <= h->key : classes[held].rank >= classes[class].rank)
		order_report(held == class ? "key does not rise" : "rank does not rise", lock, class, h);
	if (classes[class].kind == KIND_S && classes[held].kind == KIND_I)
		order_report("a handler may wait for the one, whoever holds the other", lock, class, h);
}

void lock_check_acquire(const void *lock, enum lock_class class, u64 key, bool try)
{
	struct task *t = current;
	bool irq = in_irq();
	struct held_lock *h;
	irqflags_t flags;

	if (atomic_load(&checker_off))
		return;
	VERIFY(class < NR_LOCK_CLASSES);
	check_use(lock, class);
	for (u32 i = 0; i < t->nr_held && !try; i++)
		if (!irq || (t->held[i].class & HELD_IN_IRQ))
			check_order(lock, class, key, &t->held[i]);
	VERIFY(t->nr_held < MAX_HELD);
	/* With interrupts off: an interrupt, or who preempts from it, must not see an entry that is counted but not yet written. */
	flags = arch_irq_save();
	h = &t->held[t->nr_held];
	h->lock = lock;
	h->key = key;
	h->class = (u16)(class | (irq ? HELD_IN_IRQ : 0));
	where_note(&h->where);
	t->nr_held++;
	arch_irq_restore(flags);
}

void lock_check_release(const void *lock, enum lock_class class)
{
	struct task *t = current;
	irqflags_t flags;

	if (atomic_load(&checker_off))
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
	release_report(lock, class);
}

bool lock_check_held(const void *lock)
{
	for (u32 i = 0; i < current->nr_held; i++)
		if (current->held[i].lock == lock)
			return true;
	return atomic_load(&checker_off);
}

void lock_check_none_held(void)
{
	if (!atomic_load(&checker_off) && current->nr_held)
		use_report("still held on the way out of the kernel", current->held[0].lock, held_class(&current->held[0]), NULL, NULL);
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

void preempt_debug_note(void)
{
	current->head.preempt_noted = true;
	where_note(&current->preempt_off);
}

void might_sleep(void)
{
	if (atomic_load(&checker_off))
		return;
	if (in_atomic()) {
		bool noted = current->head.preempt_noted && !in_irq();

		tell("was turned off here", NULL, 0, noted ? &current->preempt_off : NULL, current);
		panic("sleeping with preemption off (count %x)", current_head()->preempt_count);
	}
	if (arch_irqs_disabled()) {
		tell(NULL, NULL, 0, NULL, current);
		panic("sleeping with interrupts off");
	}
}
#endif
