/* What waits in local sockets: buffers, whose account they are on, and what travels with them.
 *
 * A buffer is one piece of memory for little, a header and a block of at most 32 KiB for much.  Its memory counts against its sender (in_use), who
 * waits when that reaches SO_SNDBUF, and is woken, as on Linux, when three quarters of it are free: one wake-up for many buffers. */
#include <net/unix_internal.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <mm/page.h>
#include <mm/slab.h>

#define NO_BLOCK	(~0u)
#define BLOCK_ORDER	3u		/* 32 KiB */
#define SMALL		2048u		/* with its header in one piece up to here */
#define MUCH_LEFT	32768		/* bytes still to be read: a reader with more wakes the sender and goes on, both copy at once */
#define OVERFLOW_ID	65534u

static void buf_init(struct unix_buf *b, u32 len)
{
	b->more = NULL;
	b->from = NULL;
	b->files = NULL;
	b->len = b->total = len;
	b->off = 0;
	b->has_cred = false;
	b->stamp = 0;
}

static struct unix_buf *alloc_block(u32 size)
{
	u32 order = 0;
	struct unix_buf *b;
	struct page *p;

	while (order < BLOCK_ORDER && (u32)PAGE_SIZE << order < size)
		order++;
	b = kmalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return NULL;
	while (!(p = page_alloc(order, order ? GFP_ATOMIC : GFP_KERNEL)) && order)
		order--;		/* memory is in pieces: less at a time */
	if (!p) {
		kfree(b);
		return NULL;
	}
	buf_init(b, min(size, (u32)PAGE_SIZE << order));
	b->order = order;
	b->data = page_address(p);
	b->charge = (u32)sizeof(*b) + ((u32)PAGE_SIZE << order);
	return b;
}

struct unix_buf *unix_buf_alloc(u32 size)
{
	struct unix_buf *b;

	if (size > SMALL)
		return alloc_block(size);
	b = kmalloc(sizeof(*b) + size, GFP_KERNEL);
	if (unlikely(!b))
		return NULL;
	buf_init(b, size);
	b->order = NO_BLOCK;
	b->data = (u8 *)(b + 1);
	b->charge = (u32)sizeof(*b) + size;
	return b;
}

struct unix_buf *unix_buf_alloc_all(u32 size)
{
	struct unix_buf *first = unix_buf_alloc(size), *last = first;

	for (u32 done = first ? first->len : 0; last && done < size; done += last->len) {
		last->more = unix_buf_alloc(size - done);
		last = last->more;
		if (last)
			first->charge += last->charge;
	}
	if (first && !last) {
		first->charge = 0;
		unix_buf_free(first, NULL);
		return NULL;
	}
	if (first)
		first->total = size;
	return first;
}

void unix_uncharge(struct unix_sock *sender, u32 bytes)
{
	/* before the queue is looked at: a sender that waits sees it or is seen */
	s32 left = __atomic_sub_fetch(&sender->in_use, (s32)bytes, __ATOMIC_SEQ_CST);
	u32 events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (!unix_writable(sender) || !wait_queue_active(&sender->s.wait)) {
		if (unlikely(READ_ONCE(sender->s.async.on)) && unix_writable(sender))
			socket_wake(&sender->s, EPOLLOUT);
	} else if (left > MUCH_LEFT) {
		socket_wake_apart(&sender->s, events);
	} else {
		socket_wake(&sender->s, events);
	}
}

void unix_buf_free(struct unix_buf *b, struct unix_sock *sender)
{
	u32 charge = b->charge;

	if (unlikely(b->files))
		unix_files_drop(b->files);
	do {
		struct unix_buf *more = b->more;

		if (b->order != NO_BLOCK)
			page_free(phys_to_page(virt_to_phys(b->data)), b->order);
		kfree(b);
		b = more;
	} while (unlikely(b));
	if (sender)
		unix_uncharge(sender, charge);
}

int unix_wait_memory(struct unix_sock *u, u32 flags)
{
	struct socket *s = &u->s;
	u64 deadline = 0;
	bool known = false;
	int err;

	for (;;) {
		u32 shut = atomic_load_acquire(&s->shut);	/* before its reason */

		err = socket_take_error(s);
		if (unlikely(err))
			return err;
		if (unlikely(shut & SHUT_BOTH_SEND))
			return -EPIPE;
		if (likely(atomic_load(&u->in_use) < READ_ONCE(s->send_max)))
			return 0;
		if (!known)
			deadline = socket_deadline(s, flags, true);
		known = true;
		if (!deadline)
			return -EAGAIN;
		err = socket_wait_event(s, EPOLLOUT, atomic_load(&s->error) || READ_ONCE(s->shut) & SHUT_BOTH_SEND ||
					atomic_load(&u->in_use) < READ_ONCE(s->send_max), deadline);
		if (err)
			return socket_wait_error(s, err, true);
	}
}

/* --- beside the bytes --- */

/* Who sent it is noted only if one of the two wants it to be. */
void unix_buf_creds(struct unix_buf *b, const struct unix_sock *from, const struct unix_sock *to, const struct scm *scm)
{
	if (unlikely(scm && scm->has_cred)) {
		b->cred = scm->cred;
		b->has_cred = true;
	} else if (unlikely(socket_option(&from->s, SO_PASSCRED) || socket_option(&to->s, SO_PASSCRED) || READ_ONCE(to->embryo))) {
		b->cred = (struct ucred){ current_pid(), current_cred()->uid, current_cred()->gid };
		b->has_cred = true;
	}
}

int unix_scm_send(struct message *m, struct unix_buf *b)
{
	struct scm_files *files = m->scm ? m->scm->files : NULL;
	int err;

	if (likely(!files))
		return 0;
	err = unix_flight_begin(files);
	if (err)
		return err;
	b->files = files;
	m->scm->files = NULL;
	return 0;
}

void unix_scm_take(struct unix_scm_in *in, struct unix_sock *u, struct unix_buf *b, bool peek)
{
	if (unlikely(socket_option(&u->s, SO_PASSCRED)) && !in->has_cred) {
		in->has_cred = true;
		in->cred = b->has_cred ? b->cred : (struct ucred){ 0, OVERFLOW_ID, OVERFLOW_ID };
	}
	if (likely(!b->files))
		return;
	if (peek) {
		in->files = unix_flight_peek(b->files);
	} else {
		spin_lock(&u->lock);	/* the collector may be looking */
		in->files = b->files;
		b->files = NULL;
		spin_unlock(&u->lock);
		unix_flight_end(in->files);
	}
}

void unix_scm_tell(struct unix_scm_in *in, struct unix_sock *u, struct message *m)
{
	if (unlikely(socket_option(&u->s, SO_PASSCRED)))
		scm_put_cred(m, in->cred.pid, in->cred.uid, in->cred.gid);
	if (unlikely(in->files))
		scm_put_files(m, in->files);
	in->files = NULL;
}
