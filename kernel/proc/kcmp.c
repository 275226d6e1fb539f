/* Do two processes share something?  kcmp(2).
 *
 * The kernel's objects are compared by address, and the order of two that differ is told, so that a program can sort many; so that it does not
 * learn the addresses, each kind of object is ordered by a number made of the address and two secrets: (a ^ secret) times an odd secret,
 * which no two addresses have in common. */
#include <fs/epoll.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/proc/access.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/random/random.h>
#include <linux/kcmp.h>
#include <arch/uaccess.h>
#include <syscall_protos.h>

static u64 secrets[KCMP_TYPES][2] __ro_after_init;		/* [I] after boot */

static int secrets_init(void)
{
	random_bytes(secrets, sizeof(secrets));
	for (u32 i = 0; i < KCMP_TYPES; i++)
		secrets[i][1] |= 1;
	return 0;
}
BOOT_INIT(late, secrets_init);

/* 0: the same; 1: a comes before b; 2: after it. */
static long order(const void *a, const void *b, enum kcmp_type kind)
{
	u64 x = ((u64)a ^ secrets[kind][0]) * secrets[kind][1], y = ((u64)b ^ secrets[kind][0]) * secrets[kind][1];

	return x == y ? 0 : x < y ? 1 : 2;
}

/* t's descriptor fd, referenced, or NULL. */
static struct file *file_of(struct task *t, u64 fd)
{
	struct fdtable *table = fdtable_get_task(t);
	struct file *f = table ? fdtable_file(table, (int)fd) : NULL;

	if (table)
		fdtable_put(table);
	return f;
}

static void put(struct file *f)
{
	if (f)
		file_put(f);
}

static long files(struct task *a, struct task *b, u64 fd_a, u64 fd_b)
{
	struct file *x = file_of(a, fd_a), *y = file_of(b, fd_b);
	long ret = x && y ? order(x, y, KCMP_FILE) : -EBADF;

	put(x);
	put(y);
	return ret;
}

/* Is a's descriptor what b's epoll instance watches? */
static long epoll_file(struct task *a, struct task *b, u64 fd, const void __user *uslot)
{
	struct kcmp_epoll_slot slot;
	const void *target = NULL;
	struct file *x, *ep;
	long ret = -EBADF;

	if (copy_from_user(&slot, uslot, sizeof(slot)))
		return -EFAULT;
	x = file_of(a, fd);
	ep = x ? file_of(b, slot.efd) : NULL;
	if (ep)
		ret = epoll_target(ep, (int)slot.tfd, slot.toff, &target);
	if (ep && !ret)
		ret = order(x, target, KCMP_FILE);
	put(x);
	put(ep);
	return ret;
}

/* a and b are referenced, and current may look into both. */
static long compare(struct task *a, struct task *b, u32 kind, u64 i, u64 k)
{
	switch (kind) {
	case KCMP_FILE:
		return files(a, b, i, k);
	case KCMP_VM:
		return order(READ_ONCE(a->mm), READ_ONCE(b->mm), KCMP_VM);
	case KCMP_FILES:
		return order(READ_ONCE(a->files), READ_ONCE(b->files), KCMP_FILES);
	case KCMP_FS:
		return order(READ_ONCE(a->fs), READ_ONCE(b->fs), KCMP_FS);
	case KCMP_SIGHAND:
		return order(a->proc->sighand, b->proc->sighand, KCMP_SIGHAND);
	case KCMP_IO:
		return 0;		/* nobody has an I/O context */
	case KCMP_SYSVSEM:
		return order(READ_ONCE(a->sem_undo), READ_ONCE(b->sem_undo), KCMP_SYSVSEM);
	case KCMP_EPOLL_TFD:
		return epoll_file(a, b, i, user_ptr(k));
	}
	return -EINVAL;
}

long sys_kcmp(int pid1, int pid2, int kind, unsigned long i, unsigned long k)
{
	struct task *a = task_find_get(pid1), *b = task_find_get(pid2);
	long ret = -ESRCH;

	if (a && b) {
		ret = task_may_access(a, ACCESS_REAL_IDS);
		if (!ret)
			ret = task_may_access(b, ACCESS_REAL_IDS);
		if (!ret)
			ret = compare(a, b, (u32)kind, i, k);
	}
	if (a)
		task_put(a);
	if (b)
		task_put(b);
	return ret;
}
