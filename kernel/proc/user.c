/* Users: one object a uid for as long as a credential or a queued signal names it.
 *
 * The last reference may go anywhere, under the sighand lock too, so the table's lock is a spin lock with interrupts off and ranks
 * above it.  A look-up revives nobody: an object whose count has reached zero is passed over, and its last holder takes it off. */
#include <kernel/proc/user.h>
#include <kernel/sync/spinlock.h>
#include <mm/slab.h>

struct user root_user = { .refs = { 2 }, .link = LIST_HEAD_INIT(root_user.link) };	/* never goes */
static LIST_HEAD(users);		/* all but root's */
static DEFINE_SPINLOCK(users_lock, LC_USERS);

static struct user *lookup_locked(u32 uid)
{
	struct user *u;

	list_for_each_entry(u, &users, link)
		if (u->uid == uid && refcount_inc_not_zero(&u->refs))
			return u;
	return NULL;
}

struct user *user_find(u32 uid)
{
	struct user *u, *fresh;

	if (!uid) {
		user_ref(&root_user);
		return &root_user;
	}
	spin_lock_irq(&users_lock);
	u = lookup_locked(uid);
	spin_unlock_irq(&users_lock);
	if (u)
		return u;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	refcount_set(&fresh->refs, 1);
	fresh->uid = uid;
	spin_lock_irq(&users_lock);
	u = lookup_locked(uid);
	if (!u)
		list_add(&fresh->link, &users);
	spin_unlock_irq(&users_lock);
	if (u)
		kfree(fresh);
	return u ? u : fresh;
}

void user_unref(struct user *u)
{
	irqflags_t flags;

	if (!refcount_dec_and_test(&u->refs))
		return;
	flags = spin_lock_irqsave(&users_lock);
	list_del(&u->link);
	spin_unlock_irqrestore(&users_lock, flags);
	kfree(u);
}
