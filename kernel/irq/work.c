/* Work: functions called by kernel threads on behalf of contexts that may not sleep, or should not wait.
 *
 * Who waits for whom.  Most works are over in no time, and much hangs on them: TCP's timers, what an epoll hears of another, the threads that write
 * back and give memory back being made.  Others wait for a disk (AIO's fsync), for a device that is being reset, for files that are being closed.
 * And a disk may not answer before the work that restarts its device has run.  So each says of which kind it is:
 *
 *   WORK_BRIEF  waits for no device, no program and no other work: for locks that are held so, and for memory a moment
 *   WORK_FEW    may wait for anything but END and MANY; there is one of it, or one a device
 *   WORK_END    ends a transfer that a device has carried out: waits for disks, not for MANY; programs have as many of them as they like
 *   WORK_MANY   may wait for a disk, and for what is above; programs have as many of them as they like
 *
 * The first worker, there from the boot on, runs the brief ones, in the order they were queued, and makes the others.  These run the rest: each
 * kind in its order, a kind before those below it, beginning one while the one before it sleeps.  There is one of them active at a time (`active`): it
 * takes a work, or has one in which it has not slept yet, or was just woken or is just being made to do so.  When it sleeps in a work (schedule() calls
 * work_sleeps), it ceases to be, and if others wait, the idle one, or a new one, takes its place.  One that has slept and comes to the end of its work
 * becomes the active one if there is none, or else the idle one, or goes away.  So there is none before the first such work, one when all is quiet, and
 * never more than WORKERS_MAX.  There may be MANY_MAX of them in the last kind, and END_MAX in the last two: so what a kind may wait for finds room
 * whatever that kind does.  (An fsync waits for the lock of an inode, he who has it for direct I/O on it to end; or for a disk that has to be reset.)
 * What only takes time on the CPU holds up its like.
 *
 * Memory: none is needed to queue.  A new worker is made without waiting for memory, since the brief ones would wait along, the only one from
 * the reserves; if there is none, one that comes to an end takes what waits, and a timer tries again.
 *
 * A work never runs on two workers: one that is queued while it runs is put in line by the worker that runs it, at the end (`again`).  Once called,
 * it may free itself: after that it is an address to compare.  What is made anew at that address and queued before the function has returned
 * just waits for that.
 *
 * work_flush counts the works in two turns: it begins the other turn, and waits until all of the former have run.
 *
 * Locks: work_lock guards everything, and is taken with interrupts off under wait queues' locks; nobody is woken under it.
 *
 * Rejected: a thread for each kind, of which the many would hold up each other; a new worker when a work has waited for some time, which takes a timer
 * for each; accounts of who has woken up again (Linux), where the end of the work is soon enough. */
#include <kernel/debug.h>
#include <kernel/irq/irq.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>

#define RETRY_NS (100 * NSEC_PER_MSEC)

struct worker {
	struct list_head link;		/* [work_lock] of workers */
	struct task *task;		/* [I] */
	const struct work *work;	/* [work_lock] what it runs, which may be gone; or NULL */
	enum work_kind kind;		/* [work_lock] of that */
	u8 turn;			/* [work_lock] of that */
	bool again;			/* [work_lock] it was queued again, so it is there */
	bool called;			/* [work_lock to change, a] no longer idle */
};

static DEFINE_SPINLOCK(work_lock, LC_WORK);
static struct list_head lists[WORK_KINDS] = {	/* [work_lock] */
	LIST_HEAD_INIT(lists[WORK_FEW]), LIST_HEAD_INIT(lists[WORK_END]), LIST_HEAD_INIT(lists[WORK_MANY]), LIST_HEAD_INIT(lists[WORK_BRIEF]),
};
static LIST_HEAD(workers);		/* [work_lock] the first too */
static struct worker *idle;		/* [work_lock] */
static bool active;			/* [work_lock] see above */
static bool to_make;			/* [work_lock to change, a] the first is to make one, which is counted and active already */
static u32 nr_workers, nr_running[WORK_KINDS];	/* [work_lock] but the first; how many run each kind */
static u32 turn, left[2];		/* [work_lock] of work_flush; works of each that have not run */
static bool flushing;			/* [work_lock] */
static struct wait_queue first_wq = { SPINLOCK_INIT(LC_WAIT_WORK), LIST_HEAD_INIT(first_wq.head) };	/* woken under others' LC_WAIT too */
static struct wait_queue idle_wq = { SPINLOCK_INIT(LC_WAIT_WORK), LIST_HEAD_INIT(idle_wq.head) };	/* the same */
static DEFINE_WAIT_QUEUE(done_wq);

void work_init_as(struct work *w, enum work_kind kind, void (*fn)(struct work *))
{
	*w = (struct work){ .fn = fn, .kind = kind };
}

static struct worker *runner_of(const struct work *w)
{
	struct worker *r;

	list_for_each_entry(r, &workers, link)
		if (r->work == w)
			return r;
	return NULL;
}

/* What is next for all but the first. */
static struct work *next_locked(void)
{
	u32 many = nr_running[WORK_MANY], ends = nr_running[WORK_END] + many;

	if (!list_empty(&lists[WORK_FEW]))
		return list_first_entry(&lists[WORK_FEW], struct work, link);
	if (!list_empty(&lists[WORK_END]) && ends < END_MAX)
		return list_first_entry(&lists[WORK_END], struct work, link);
	if (!list_empty(&lists[WORK_MANY]) && ends < END_MAX && many < MANY_MAX)
		return list_first_entry(&lists[WORK_MANY], struct work, link);
	return NULL;
}

/* See to it that somebody takes what waits: whom to wake for it, once unlocked, or NULL. */
static struct wait_queue *call_locked(void)
{
	if (active || !next_locked())
		return NULL;
	if (idle) {
		atomic_store_release(&idle->called, true);
		idle = NULL;
		active = true;
		return &idle_wq;
	}
	if (nr_workers == WORKERS_MAX)
		return NULL;		/* the next that comes to an end takes it */
	nr_workers++;
	atomic_store(&to_make, true);
	active = true;
	return &first_wq;
}

static struct wait_queue *enqueue_locked(struct work *w)
{
	list_add_tail(&w->link, &lists[w->kind]);
	return w->kind == WORK_BRIEF ? &first_wq : call_locked();
}

bool work_queue(struct work *w)
{
	irqflags_t flags = spin_lock_irqsave(&work_lock);
	struct wait_queue *wq = NULL;
	bool fresh = !w->queued;

	if (fresh) {
		struct worker *r = runner_of(w);

		w->queued = true;
		w->turn = (u8)turn;
		left[turn]++;
		if (r)
			r->again = true;
		else
			wq = enqueue_locked(w);
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (wq)
		wake_up(wq);
	return fresh;
}

/* --- workers --- */

static void begin_locked(struct worker *self, struct work *w)
{
	list_del(&w->link);
	w->queued = false;
	w->begun++;
	self->work = w;
	self->kind = w->kind;
	self->turn = w->turn;
	nr_running[w->kind]++;
}

/* self's work has returned.  Queued again, it is in line: self, or the active worker, looks there next. */
static void end_locked(struct worker *self)
{
	struct work *w = (struct work *)self->work;

	left[self->turn]--;
	nr_running[self->kind]--;
	self->work = NULL;
	if (self->again)
		list_add_tail(&w->link, &lists[w->kind]);
	self->again = false;
}

static void tell_done(void)
{
	if (wait_queue_active(&done_wq))	/* which was looked at under work_lock after being joined, or not before the end */
		wake_up_all(&done_wq);
}

/* From schedule(): current is a worker that sleeps in its work, for the first time. */
void work_sleeps(void)
{
	struct wait_queue *wq;
	irqflags_t flags;

	current->pflags &= ~(u32)PF_WORKER;
	flags = spin_lock_irqsave(&work_lock);
	active = false;
	wq = call_locked();
	spin_unlock_irqrestore(&work_lock, flags);
	if (wq)
		wake_up(wq);
}

/* What self does next: self->work, or NULL: it is idle.  True: it goes away, of which it is no longer counted. */
static bool take_locked(struct worker *self, bool slept)
{
	struct work *w = slept && active ? NULL : next_locked();

	if (w) {
		active = true;
		begin_locked(self, w);
		return false;
	}
	if (!slept)
		active = false;
	if (!idle) {
		atomic_store(&self->called, false);
		idle = self;
		return false;
	}
	list_del(&self->link);
	nr_workers--;
	return true;
}

static void worker_main(void *arg)
{
	struct worker self = { .task = current };
	bool slept = false, gone;

	(void)arg;
	spin_lock_irq(&work_lock);
	list_add_tail(&self.link, &workers);
	for (;;) {
		struct work *w;

		gone = take_locked(&self, slept);
		w = (struct work *)self.work;
		spin_unlock_irq(&work_lock);
		tell_done();
		if (gone)
			break;
		slept = false;
		if (!w) {
			(void)wait_event_interruptible(&idle_wq, atomic_load_acquire(&self.called));
		} else {
			current->pflags |= PF_WORKER;
			w->fn(w);
			slept = !(current->pflags & PF_WORKER);
			current->pflags &= ~(u32)PF_WORKER;
		}
		spin_lock_irq(&work_lock);
		if (w)
			end_locked(&self);
	}
	kthread_exit();
}

static void retry(struct timer *t)
{
	struct wait_queue *wq;
	irqflags_t flags;

	(void)t;
	flags = spin_lock_irqsave(&work_lock);
	wq = call_locked();
	spin_unlock_irqrestore(&work_lock, flags);
	if (wq)
		wake_up(wq);
}
static struct timer retry_timer = { .func = retry };

/* It is counted, and active, already.  Must not wait for memory. */
static void make_worker(bool only)
{
	u32 how = only ? PF_MEMALLOC : PF_NORECLAIM;
	struct task *t;

	current->pflags |= how;
	t = kthread_create(worker_main, NULL, "worker");
	current->pflags &= ~how;
	if (t)
		return;
	spin_lock_irq(&work_lock);
	nr_workers--;
	active = false;
	spin_unlock_irq(&work_lock);
	timer_arm(&retry_timer, clock_mono_ns() + RETRY_NS);
}

static void first_main(void *arg)
{
	struct worker *self = arg;

	for (;;) {
		struct work *w = NULL;
		bool make, only;

		wait_event_interruptible(&first_wq, atomic_load(&to_make) || !list_empty(&lists[WORK_BRIEF]));
		spin_lock_irq(&work_lock);
		make = to_make;
		only = nr_workers == 1;
		atomic_store(&to_make, false);
		if (!make && !list_empty(&lists[WORK_BRIEF])) {
			w = list_first_entry(&lists[WORK_BRIEF], struct work, link);
			begin_locked(self, w);
		}
		spin_unlock_irq(&work_lock);
		if (make)
			make_worker(only);
		if (!w)
			continue;
		w->fn(w);
		spin_lock_irq(&work_lock);
		end_locked(self);
		spin_unlock_irq(&work_lock);
		tell_done();
	}
}

/* --- waiting for works --- */

static bool runs_no_more(const struct work *w, u32 begun)
{
	bool over;

	spin_lock_irq(&work_lock);
	over = w->begun != begun || !runner_of(w);
	spin_unlock_irq(&work_lock);
	return over;
}

bool work_cancel(struct work *w)
{
	struct worker *r;
	bool was;
	u32 begun;

	spin_lock_irq(&work_lock);
	r = runner_of(w);
	was = w->queued;
	begun = w->begun;
	if (was) {
		if (r)
			r->again = false;
		else
			list_del(&w->link);
		w->queued = false;
		left[w->turn]--;
	}
	DEBUG_ASSERT(!r || r->task != current);
	spin_unlock_irq(&work_lock);
	if (was)
		tell_done();
	if (r)
		wait_event(&done_wq, runs_no_more(w, begun));
	return was;
}

static bool flush_begin(u32 *old)
{
	bool mine;

	spin_lock_irq(&work_lock);
	mine = !flushing;
	if (mine) {
		flushing = true;
		*old = turn;
		turn ^= 1;
	}
	spin_unlock_irq(&work_lock);
	return mine;
}

static bool flush_done(u32 old)
{
	bool none;

	spin_lock_irq(&work_lock);
	none = !left[old];
	if (none)
		flushing = false;
	spin_unlock_irq(&work_lock);
	return none;
}

static bool in_work(void)
{
	struct worker *r;
	bool in = false;

	spin_lock_irq(&work_lock);
	list_for_each_entry(r, &workers, link)
		in |= r->task == current;
	spin_unlock_irq(&work_lock);
	return in;
}

void work_flush(void)
{
	u32 old = 0;

	DEBUG_ASSERT(!in_work());
	wait_event(&done_wq, flush_begin(&old));
	wait_event(&done_wq, flush_done(old));
	tell_done();
}

void workqueue_init(void)
{
	static struct worker first;

	list_add_tail(&first.link, &workers);
	first.task = kthread_create(first_main, &first, "kworker");
	VERIFY(first.task);
}
