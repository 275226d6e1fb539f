/* User memory: range checks in front of the assembly, and the fix-up table behind it. */
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/task.h>
#include "trap.h"

ssize_t user_strncpy(char *to, const char __user *from, size_t max);
int user_cmpxchg(u32 __user *p, u32 expected, u32 desired, u32 *old);
int user_swap_op(u32 __user *p, u32 unused, u32 arg, u32 *old, u32 op);

struct extable_entry { s32 insn, fixup; };
extern const struct extable_entry __extable_start[], __extable_end[];

/* The continuation for a faulting instruction, or 0.  The table is short. */
u64 extable_find(u64 pc)
{
	for (const struct extable_entry *e = __extable_start; e < __extable_end; e++)
		if ((u64)&e->insn + (u64)(s64)e->insn == pc)
			return (u64)&e->fixup + (u64)(s64)e->fixup;
	return 0;
}

/* A copy stopped early: never leave old kernel memory behind it. */
int copy_from_user_failed(void *to, size_t len, size_t left)
{
	memset((char *)to + len - left, 0, left);
	return -EFAULT;
}

ssize_t strncpy_from_user(char *to, const char __user *from, size_t max)
{
	size_t room;
	ssize_t n;

	if (!user_range_ok(from, 1))
		return -EFAULT;
	room = min(max, USER_END - (u64)from);
	n = user_strncpy(to, from, room);
	if (n < 0)
		return n;
	if ((size_t)n == room)
		return room < max ? -EFAULT : -ENAMETOOLONG;
	return n;
}

ssize_t strnlen_user(const char __user *s, size_t max)
{
	char buf[64];

	for (size_t done = 0; done < max; done += sizeof(buf)) {
		ssize_t n = strncpy_from_user(buf, s + done, min(sizeof(buf), max - done));

		if (n >= 0)
			return (ssize_t)done + n + 1;
		if (n != -ENAMETOOLONG)
			return n;
	}
	return (ssize_t)max + 1;
}

int user_atomic_rmw(u32 __user *p, enum user_atomic_op op, u32 arg, u32 *old)
{
	if (!user_range_ok(p, 4) || !IS_ALIGNED(p, 4))
		return -EFAULT;
	return user_swap_op(p, 0, arg, old, (u32)op);
}

int user_atomic_cmpxchg(u32 __user *p, u32 expected, u32 desired, u32 *old)
{
	if (!user_range_ok(p, 4) || !IS_ALIGNED(p, 4))
		return -EFAULT;
	return user_cmpxchg(p, expected, desired, old);
}

void uaccess_nofault_begin(void)
{
	current->nofault++;
	barrier();
}

void uaccess_nofault_end(void)
{
	barrier();
	current->nofault--;
}
