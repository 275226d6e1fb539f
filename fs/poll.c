/* poll, ppoll, select, pselect6.
 *
 * A poller asks each file for its events, giving a table through which the file queues it on its wait queues; queueing stops at the
 * first file that is ready.  A wake-up that matters sets `triggered` and wakes the task, which then asks everybody again without
 * queueing.  The state is set before `triggered` is looked at, and the waker sets it before it looks at the state.
 *
 * Entries hold a reference on their file, so a file closed by another thread meanwhile keeps its wait queue.
 *
 * Time left is written back to the caller's timespec, so a call interrupted by a handled signal is EINTR and one by a stop resumes
 * with what is left (ERESTARTNOHAND). */
#include <fs/file.h>
#include <fs/poll.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/posix_types.h>
#include <linux/time_types.h>
#include <mm/slab.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

struct poll_entry {
	struct wait_entry we;
	struct wait_queue *wq;
	struct file *file;
	u32 events;
};

#define INLINE_ENTRIES	6
struct poll_block { struct poll_block *next; u32 nr; struct poll_entry e[(PAGE_SIZE - 16) / sizeof(struct poll_entry)]; };

struct poller {
	struct poll_table pt;
	struct task *task;
	u32 triggered;			/* [a] */
	u32 nr;
	int err;
	struct poll_block *blocks;
	struct poll_entry inl[INLINE_ENTRIES];
};

static int poll_wake(struct wait_entry *we, void *key)
{
	struct poll_entry *e = container_of(we, struct poll_entry, we);
	struct poller *p = we->private;

	if (key && !((u64)key & e->events))
		return 0;
	atomic_store_release(&p->triggered, 1u);
	return wake_default(we, key);
}

static void poll_queue(struct poll_table *pt, struct file *f, struct wait_queue *wq)
{
	struct poller *p = container_of(pt, struct poller, pt);
	struct poll_entry *e;

	if (p->nr < INLINE_ENTRIES) {
		e = &p->inl[p->nr];
	} else {
		struct poll_block *b = p->blocks;

		if (!b || b->nr == ARRAY_SIZE(b->e)) {
			b = kmalloc(sizeof(*b), GFP_KERNEL);
			if (!b) {
				p->err = -ENOMEM;
				return;
			}
			b->next = p->blocks;
			b->nr = 0;
			p->blocks = b;
		}
		e = &b->e[b->nr++];
	}
	p->nr++;
	file_get(f);
	e->file = f;
	e->wq = wq;
	e->events = pt->events | EPOLLERR | EPOLLHUP;
	wait_entry_init(&e->we);
	e->we.func = poll_wake;
	e->we.private = p;
	wait_add(wq, &e->we);
}

static void poller_init(struct poller *p, bool queue)
{
	p->pt.queue = queue ? poll_queue : NULL;
	p->task = current;
	p->triggered = 0;
	p->nr = 0;
	p->err = 0;
	p->blocks = NULL;
}

static void entry_drop(struct poll_entry *e)
{
	wait_remove(e->wq, &e->we);
	file_put_now(e->file);
}

static void poller_fini(struct poller *p)
{
	for (u32 i = 0; i < min(p->nr, (u32)INLINE_ENTRIES); i++)
		entry_drop(&p->inl[i]);
	while (p->blocks) {
		struct poll_block *b = p->blocks;

		for (u32 i = 0; i < b->nr; i++)
			entry_drop(&b->e[i]);
		p->blocks = b->next;
		kfree(b);
	}
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	return f->ops->poll ? f->ops->poll(f, pt) : EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

/* Sleep until triggered.  0: look again; else -ETIMEDOUT, -ERESTARTSYS */
static int poller_sleep(struct poller *p, u64 deadline)
{
	int err = 0;

	set_current_state(TASK_INTERRUPTIBLE);
	if (!atomic_load_acquire(&p->triggered)) {
		err = wait_check(TASK_INTERRUPTIBLE, deadline);
		if (!err)
			schedule_until(deadline);
	}
	set_current_state(TASK_RUNNING);
	atomic_store(&p->triggered, 0u);
	smp_mb();	/* cleared before the files are asked again */
	return err;
}

/* What the call answers: how many are ready, else why it ended. */
static int poller_end(struct poller *p, int ready, int err)
{
	poller_fini(p);
	if (ready)
		return ready;
	if (p->err)
		return p->err;
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : 0;
}

static u32 poll_one(int fd, u32 events, struct poll_table *pt)
{
	struct file *f;
	u32 ref, mask;

	f = fdref_get_any(fd, &ref);
	if (!f || (f->mode & FMODE_PATH)) {
		if (f)
			fdref_put(f, ref);
		return POLLNVAL;
	}
	pt->events = events;
	mask = file_poll(f, pt) & (events | EPOLLERR | EPOLLHUP);
	fdref_put(f, ref);
	return mask;
}

static int do_poll(struct pollfd *fds, u32 nfds, u64 deadline)
{
	struct poller p;
	int ready, err = 0;

	poller_init(&p, deadline != 0);
	for (;;) {
		ready = 0;
		for (u32 i = 0; i < nfds; i++) {
			fds[i].revents = 0;
			if (fds[i].fd < 0)
				continue;
			fds[i].revents = (short)poll_one(fds[i].fd, (u16)fds[i].events, &p.pt);
			if (fds[i].revents) {
				ready++;
				p.pt.queue = NULL;
			}
		}
		p.pt.queue = NULL;
		if (ready || !deadline || err || p.err)
			break;
		err = poller_sleep(&p, deadline);
	}
	return poller_end(&p, ready, err);
}

/* --- time --- */

/* The monotonic deadline of a relative timespec: 0 for "do not wait", TIME_NEVER for NULL. */
int poll_deadline(const void __user *uts, u64 *deadline)
{
	struct __kernel_timespec ts;
	u64 ns, now;

	*deadline = TIME_NEVER;
	if (!uts)
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long)NSEC_PER_SEC)
		return -EINVAL;
	if (!ts.tv_sec && !ts.tv_nsec) {
		*deadline = 0;
		return 0;
	}
	if ((u64)ts.tv_sec >= ~0ull / NSEC_PER_SEC / 2)
		return 0;
	ns = (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
	now = clock_mono_ns();
	*deadline = now + ns;
	return 0;
}

static void write_left(void __user *uts, u64 deadline)
{
	u64 now, left;
	struct __kernel_timespec ts = { 0, 0 };

	if (!uts || deadline == TIME_NEVER)
		return;
	now = deadline ? clock_mono_ns() : 0;
	left = deadline > now ? deadline - now : 0;
	ts.tv_sec = (s64)(left / NSEC_PER_SEC);
	ts.tv_nsec = (long)(left % NSEC_PER_SEC);
	if (copy_to_user(uts, &ts, sizeof(ts)))
		return;		/* as on Linux, not worth failing for */
}

/* --- calls --- */

#define SMALL_FDS	16

long sys_ppoll(void __user *ufds, unsigned nfds, void __user *uts, const struct sigset __user *sigmask, size_t sigsetsize)
{
	struct pollfd small[SMALL_FDS], *fds = small;
	u64 deadline;
	int ret;

	ret = poll_deadline(uts, &deadline);
	if (ret)
		return ret;
	if (nfds > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (nfds > SMALL_FDS) {
		fds = kvmalloc(nfds * sizeof(*fds), GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
	}
	ret = copy_from_user(fds, ufds, nfds * sizeof(*fds)) ? -EFAULT : sigmask_push(sigmask, sigsetsize);
	if (!ret) {
		ret = do_poll(fds, nfds, deadline);
		if (sigmask)
			sigmask_pop(ret == -ERESTARTNOHAND);
		if (ret >= 0)
			for (u32 i = 0; i < nfds; i++)
				if (put_user(fds[i].revents, &((struct pollfd __user *)ufds)[i].revents)) {
					ret = -EFAULT;
					break;
				}
		write_left(uts, deadline);
	}
	if (fds != small)
		kvfree(fds);
	return ret;
}

#define SEL_IN	(EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SEL_OUT	(EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SEL_EX	EPOLLPRI

struct fdsets { u32 n, words; u64 *in[3], *out[3]; };

static int select_scan(struct fdsets *s, struct poll_table *pt)
{
	int ready = 0;

	for (u32 w = 0; w < s->words; w++) {
		u64 all = s->in[0][w] | s->in[1][w] | s->in[2][w];

		for (u32 k = 0; k < 3; k++)
			s->out[k][w] = 0;
		for (; all; all &= all - 1) {
			u64 bit = all & -all;
			u32 fd = w * 64 + (u32)__builtin_ctzll(all), mask, want = 0;

			if (s->in[0][w] & bit)
				want |= SEL_IN;
			if (s->in[1][w] & bit)
				want |= SEL_OUT;
			if (s->in[2][w] & bit)
				want |= SEL_EX;
			mask = poll_one((int)fd, want, pt);
			if (mask & POLLNVAL)
				return -EBADF;
			if ((mask & SEL_IN) && (s->in[0][w] & bit)) {
				s->out[0][w] |= bit;
				ready++;
			}
			if ((mask & SEL_OUT) && (s->in[1][w] & bit)) {
				s->out[1][w] |= bit;
				ready++;
			}
			if ((mask & SEL_EX) && (s->in[2][w] & bit)) {
				s->out[2][w] |= bit;
				ready++;
			}
			if (ready)
				pt->queue = NULL;
		}
	}
	return ready;
}

static int do_select(struct fdsets *s, u64 deadline)
{
	struct poller p;
	int ready, err = 0;

	poller_init(&p, deadline != 0);
	for (;;) {
		ready = select_scan(s, &p.pt);
		p.pt.queue = NULL;
		if (ready || !deadline || err || p.err)
			break;
		err = poller_sleep(&p, deadline);
	}
	return poller_end(&p, ready, err);
}

/* The sets, copied in; words are whole, bits from n up are cleared. */
static int sets_in(struct fdsets *s, void __user *const user[3])
{
	for (u32 k = 0; k < 3; k++) {
		memset(s->in[k], 0, s->words * 8);
		if (user[k] && copy_from_user(s->in[k], user[k], s->words * 8))
			return -EFAULT;
		if (s->n % 64 && s->words)
			s->in[k][s->words - 1] &= (1ull << (s->n % 64)) - 1;
	}
	return 0;
}

static int sets_out(struct fdsets *s, void __user *const user[3])
{
	for (u32 k = 0; k < 3; k++)
		if (user[k] && copy_to_user(user[k], s->out[k], s->words * 8))
			return -EFAULT;
	return 0;
}

long sys_pselect6(int n, void __user *inp, void __user *outp, void __user *exp, void __user *tsp, void __user *sig)
{
	void __user *const user[3] = { inp, outp, exp };
	struct { u64 set, size; } sm = { 0, 0 };
	u64 small[6 * 2], *bits = small, deadline;
	struct fdsets s;
	u32 limit = READ_ONCE(current->files->arr)->size;
	int ret;

	if (n < 0)
		return -EINVAL;
	if (sig && copy_from_user(&sm, sig, sizeof(sm)))
		return -EFAULT;
	ret = poll_deadline(tsp, &deadline);
	if (ret)
		return ret;
	s.n = (u32)n > limit ? limit : (u32)n;
	s.words = (s.n + 63) / 64;
	if (s.words > 2) {
		bits = kcalloc(6 * s.words, 8, GFP_KERNEL);
		if (!bits)
			return -ENOMEM;
	}
	for (u32 k = 0; k < 3; k++) {
		s.in[k] = bits + k * s.words;
		s.out[k] = bits + (3 + k) * s.words;
	}
	ret = sets_in(&s, user);
	if (!ret)
		ret = sigmask_push(user_ptr(sm.set), sm.size);
	if (!ret) {
		ret = do_select(&s, deadline);
		if (sm.set)
			sigmask_pop(ret == -ERESTARTNOHAND);
		if (ret >= 0 && sets_out(&s, user))
			ret = -EFAULT;
		write_left(tsp, deadline);
	}
	if (bits != small)
		kfree(bits);
	return ret;
}
