/* Descriptors in flight: what travels with SCM_RIGHTS, whose limit it counts against, and what keeps only itself alive.
 *
 * A message in a queue holds references on the files that it carries, counted for the user who sent them (ETOOMANYREFS beyond RLIMIT_NOFILE).  If
 * such a file is a local socket, which has a queue itself, sockets can keep each other alive that no program can reach any more: a socket
 * sent to itself and closed, two that carry each other.  Counting references never frees these; the collector does.
 *
 * The graph.  Nodes are local sockets; an edge leads from the socket whose queue a message is in to each local socket that the message carries.
 * (Messages of a connection that was not accepted yet count as the listener's.)  A socket's count is the number of edges to it.  A socket is
 * reachable if its file has more references than that - a descriptor table's, a system call's - or if a reachable one's queue carries it.  The
 * others are garbage.
 *
 * Why the world need not stop.  Garbage stays garbage: nobody holds the file of such a socket, so nobody can receive from, peek into, or send
 * any of them; only others' messages can still arrive.  So a set found by looking at one socket after the other, while programs go on sending
 * and receiving, is garbage for certain if at one later moment (1) every member's file has exactly as many references as edges, and (2) no
 * edge to a member has come or gone since its count was taken: for then all edges to members are the ones seen, and those came from members.
 * For (2) whoever adds or takes an edge marks its target `touched`; for (1) the last look at all members is under flight_lock, without which no
 * edge changes, nor does a peek copy references.  During that look a member can not gain a reference that it has not: copies come from descriptor
 * tables, which have none, from queues, which need the lock.  (A look-up in a shared table may take a reference from a slot that is just
 * being emptied; it sees that, and puts it back.)  flight_lock is held for a few dozen sockets at a time in the passes, for the whole set
 * only in the last look, and never by who passes other files than local sockets.
 *
 * The passes: (1) candidates are the sockets in flight whose references are all edges; (2) each edge that leaves a candidate's queue is taken off its
 * target's count; who has something left is held from outside; (3) what these hold, and so on, is reachable too; (4) the last look; (5) the
 * descriptors are taken out of the members' queues and dropped, which closes the sockets as any last put does.
 *
 * When: a descriptor is closed whose socket is in flight, or dropped messages leave one in flight.  The work runs in a thread.
 *
 * Dropping is a loop, not a recursion: a queue may carry a socket whose queue carries another, and so on for as deep as a program likes; a task
 * that is dropping only notes what is to be dropped next (task->dropping).
 *
 * Rejected: Linux's way up to 6.9 (everybody who sends waits while one marks everything) and after it (components kept at every send). */
#include <net/unix_internal.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <linux/capability.h>
#include <mm/slab.h>

#define STEP	64			/* sockets at a time under flight_lock */

enum color { PLAIN, CANDIDATE, REACHED };

static DEFINE_SPINLOCK(flight_lock, LC_UNIX_FLIGHT);
static LIST_HEAD(flying);		/* [flight_lock] sockets with a count */
static u32 nr_flying;			/* [flight_lock] read racily */
static void collect(struct work *w);
static struct work collect_work = { .link = LIST_HEAD_INIT(collect_work.link), .fn = collect };

static struct unix_sock *unix_of_file(const struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

/* --- counting --- */

static void edge_add(struct unix_sock *u, struct file *f)
{
	u->flight.touched = true;
	u->flight.file = f;
	if (u->flight.count++)
		return;
	list_add_tail(&u->flight.link, &flying);
	WRITE_ONCE(nr_flying, nr_flying + 1);
}

static void edge_remove(struct unix_sock *u)
{
	u->flight.touched = true;
	if (--u->flight.count)
		return;
	list_del_init(&u->flight.link);
	WRITE_ONCE(nr_flying, nr_flying - 1);
}

static bool too_many(const struct user *user)
{
	return atomic_load(&user->in_flight) > rlimit(RLIMIT_NOFILE) && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

int unix_flight_begin(struct scm_files *files)
{
	struct user *user = current_cred()->user;

	if (too_many(user))
		return -ETOOMANYREFS;
	user_ref(user);
	files->user = user;
	atomic_add(&user->in_flight, files->nr);
	files->nr_unix = 0;
	for (u32 i = 0; i < files->nr; i++)
		files->nr_unix += unix_of_file(files->file[i]) != NULL;
	if (likely(!files->nr_unix))
		return 0;
	spin_lock(&flight_lock);
	for (u32 i = 0; i < files->nr; i++) {
		struct unix_sock *u = unix_of_file(files->file[i]);

		if (u)
			edge_add(u, files->file[i]);
	}
	spin_unlock(&flight_lock);
	return 0;
}

/* True: a local socket among them is still in flight elsewhere. */
static bool flight_end(struct scm_files *files)
{
	bool left = false;

	if (!files->user)
		return false;
	atomic_sub(&files->user->in_flight, files->nr);
	user_unref(files->user);
	files->user = NULL;
	if (likely(!files->nr_unix))
		return false;
	spin_lock(&flight_lock);
	for (u32 i = 0; i < files->nr; i++) {
		struct unix_sock *u = unix_of_file(files->file[i]);

		if (u) {
			edge_remove(u);
			left |= u->flight.count;
		}
	}
	spin_unlock(&flight_lock);
	return left;
}

void unix_flight_end(struct scm_files *files) { flight_end(files); }

struct scm_files *unix_flight_peek(struct scm_files *files)
{
	struct scm_files *copy = kmalloc(sizeof(*copy) + files->nr * sizeof(copy->file[0]), GFP_KERNEL);

	if (!copy)
		return NULL;
	*copy = (struct scm_files){ .nr = files->nr };
	spin_lock(&flight_lock);		/* not while the collector takes its last look */
	for (u32 i = 0; i < files->nr; i++) {
		copy->file[i] = files->file[i];
		file_get(copy->file[i]);
	}
	spin_unlock(&flight_lock);
	return copy;
}

/* --- dropping --- */

void unix_files_drop(struct scm_files *files)
{
	struct scm_files *todo = files;
	bool left = false;

	files->next = NULL;
	if (current->dropping) {
		files->next = *current->dropping;
		*current->dropping = files;
		return;
	}
	current->dropping = &todo;
	while (todo) {
		files = todo;
		todo = files->next;
		left |= flight_end(files);
		for (u32 i = 0; i < files->nr; i++)
			file_put_now(files->file[i]);
		kfree(files);
	}
	current->dropping = NULL;
	if (left)
		work_queue(&collect_work);
}

struct closed_work { struct task_work work; };

static void closed(struct task_work *w)
{
	kfree(container_of(w, struct closed_work, work));
	work_queue(&collect_work);
}

/* The descriptor's reference is still there: look when the call is over. */
void unix_flight_closed(struct unix_sock *u)
{
	struct closed_work *c;

	if (likely(!READ_ONCE(u->flight.count)))
		return;
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (c && task_work_add(current, &c->work, closed))
		return;
	kfree(c);
	work_queue(&collect_work);
}

/* --- the collector; the colours, `left` and `work` are its own --- */

static bool held_by_edges_alone(const struct unix_sock *u)
{
	return u->flight.count && (u32)refcount_read(&u->flight.file->refs) == u->flight.count;
}

/* Pass 1: candidates, referenced, onto the list. */
static void find_candidates(struct list_head *list)
{
	u32 todo, n;

	spin_lock(&flight_lock);
	for (todo = nr_flying; todo; todo -= n) {
		for (n = 0; n < min(todo, (u32)STEP) && !list_empty(&flying); n++) {
			struct unix_sock *u = list_first_entry(&flying, struct unix_sock, flight.link);

			list_move_tail(&u->flight.link, &flying);
			if (u->flight.color != PLAIN || !held_by_edges_alone(u))
				continue;
			u->flight.touched = false;
			u->flight.left = u->flight.count;
			u->flight.color = CANDIDATE;
			unix_get(u);
			list_add_tail(&u->flight.work, list);
		}
		if (!n)
			break;
		spin_unlock(&flight_lock);	/* others may go on; who comes now has a reference from elsewhere */
		spin_lock(&flight_lock);
	}
	spin_unlock(&flight_lock);
}

static void each_edge_of(const struct scm_files *files, void (*fn)(struct unix_sock *to, void *arg), void *arg)
{
	for (u32 i = 0; i < files->nr && files->nr_unix; i++) {
		struct unix_sock *to = unix_of_file(files->file[i]);

		if (to)
			fn(to, arg);
	}
}

/* u's lock held.  fn(to) for each edge that leaves its queue. */
static void each_edge_locked(struct unix_sock *u, void (*fn)(struct unix_sock *to, void *arg), void *arg)
{
	const struct unix_buf *b;

	list_for_each_entry(b, &u->queue, link)
		if (b->files)
			each_edge_of(b->files, fn, arg);
}

/* An embryo's lock is taken under its listener's, whatever their addresses: nobody else has an embryo and another locked at once. */
static void each_edge(struct unix_sock *u, void (*fn)(struct unix_sock *to, void *arg), void *arg)
{
	struct unix_sock *e;

	spin_lock(&u->lock);
	if (u->dead) {
		;			/* what was there is being dropped */
	} else if (u->state != UNIX_LISTENING) {
		each_edge_locked(u, fn, arg);
	} else {
		list_for_each_entry(e, &u->queue, link) {
			spin_lock_nested(&e->lock, (u64)e);
			each_edge_locked(e, fn, arg);
			spin_unlock(&e->lock);
		}
	}
	spin_unlock(&u->lock);
}

static void discount(struct unix_sock *to, void *arg)
{
	(void)arg;
	if (to->flight.color == CANDIDATE && to->flight.left)
		to->flight.left--;
}

static void reach(struct unix_sock *to, void *reached)
{
	if (to->flight.color != CANDIDATE)
		return;
	to->flight.color = REACHED;
	list_move_tail(&to->flight.work, reached);
}

/* Passes 2 and 3: those that something outside holds, and all that they hold, move from list to reached. */
static void sort_out(struct list_head *list, struct list_head *reached)
{
	struct unix_sock *u, *next;

	list_for_each_entry(u, list, flight.work)
		each_edge(u, discount, NULL);
	list_for_each_entry_safe(u, next, list, flight.work)
		if (u->flight.left)
			reach(u, reached);
	list_for_each_entry(u, reached, flight.work)	/* it grows at its end meanwhile */
		each_edge(u, reach, reached);
}

/* Pass 4: is it still so, at one moment? */
static bool still_garbage(struct list_head *list)
{
	struct unix_sock *u;
	bool yes = true;

	spin_lock(&flight_lock);
	list_for_each_entry(u, list, flight.work)
		yes = yes && !u->flight.touched && held_by_edges_alone(u);
	spin_unlock(&flight_lock);
	return yes;
}

static void take_files_locked(struct unix_sock *u, struct scm_files **out)
{
	struct unix_buf *b;

	list_for_each_entry(b, &u->queue, link)
		if (b->files) {
			b->files->next = *out;
			*out = b->files;
			b->files = NULL;
		}
}

/* Pass 5, for one. */
static void take_files(struct unix_sock *u, struct scm_files **out)
{
	struct unix_sock *e;

	spin_lock(&u->lock);
	if (u->dead) {
		;
	} else if (u->state != UNIX_LISTENING) {
		take_files_locked(u, out);
	} else {
		list_for_each_entry(e, &u->queue, link) {
			spin_lock_nested(&e->lock, (u64)e);
			take_files_locked(e, out);
			spin_unlock(&e->lock);
		}
	}
	spin_unlock(&u->lock);
}

static void forget(struct list_head *list)
{
	while (!list_empty(list)) {
		struct unix_sock *u = list_first_entry(list, struct unix_sock, flight.work);

		list_del(&u->flight.work);
		u->flight.color = PLAIN;
		unix_put(u);
	}
}

static void collect(struct work *w)
{
	LIST_HEAD(list);
	LIST_HEAD(reached);
	struct scm_files *files = NULL, *next;
	struct unix_sock *u;
	bool again = false;

	(void)w;
	find_candidates(&list);
	sort_out(&list, &reached);
	if (!list_empty(&list)) {
		again = !still_garbage(&list);
		if (!again)
			list_for_each_entry(u, &list, flight.work)
				take_files(u, &files);
	}
	forget(&list);
	forget(&reached);
	for (; files; files = next) {
		next = files->next;
		unix_files_drop(files);
	}
	if (again)
		work_queue(&collect_work);	/* somebody was quicker: look anew */
}
