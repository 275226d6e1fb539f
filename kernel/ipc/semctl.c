/* semctl, /proc/sysvipc/sem, /proc/sys/kernel/sem.  semctl(2), proc(5). */
#include <arch/uaccess.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/ipc/sem_internal.h>
#include <kernel/proc/proc.h>
#include <mm/slab.h>
#include <syscall_protos.h>

static const struct ipc_ints limits = {
	.value = { &sem_msl, &sem_mns, &sem_opm, &sem_kind.max },
	.min = { -0x80000000l, -0x80000000l, -0x80000000l, 0 }, .max = { 0x7fffffff, 0x7fffffff, 0x7fffffff, IPC_SLOTS }, .nr = 4,
};
PROC_FILE(sem_limits, .path = "sys/kernel/sem", .mode = 0644, .show = ipc_ints_show, .write = ipc_ints_write, .arg = (void *)&limits);

static void show_set(struct ipc_object *o, void *seq)
{
	struct sem_set *s = sem_set_of(o);
	struct ipc64_perm p;
	s64 otime, ctime;

	spin_lock(&o->lock);
	ipc_perm_to_user(o, &p);
	otime = s->otime;
	ctime = s->ctime;
	spin_unlock(&o->lock);
	seq_printf(seq, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", p.key, o->id, p.mode, s->nr, p.uid, p.gid, p.cuid, p.cgid,
		   (u64)otime, (u64)ctime);
}

static int sem_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	ipc_walk(&sem_kind, show_set, s);
	return 0;
}
PROC_FILE(sysvipc_sem, .path = "sysvipc/sem", .mode = 0444, .show = sem_show);

static int sem_info(int cmd, void __user *to)
{
	struct seminfo info = {
		.semmap = SEMMAP, .semmni = (int)READ_ONCE(sem_kind.max), .semmns = (int)READ_ONCE(sem_mns), .semmnu = SEMMNU,
		.semmsl = (int)READ_ONCE(sem_msl), .semopm = (int)READ_ONCE(sem_opm), .semume = SEMUME, .semusz = SEMUSZ, .semvmx = SEMVMX,
		.semaem = SEMAEM };
	u32 count;
	int highest = ipc_totals(&sem_kind, &count);

	if (cmd == SEM_INFO) {
		info.semusz = (int)count;
		info.semaem = (int)READ_ONCE(sem_used);
	}
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : highest;
}

static int sem_stat(int id, int cmd, void __user *to)
{
	struct semid64_ds ds = { 0 };
	struct ipc_object *o;
	int err = cmd == IPC_STAT ? ipc_obtain(&sem_kind, id, &o) : ipc_obtain_slot(&sem_kind, id, &o);

	if (err)
		return err;
	err = ipc_lock_permitted(o, cmd == SEM_STAT_ANY ? 0 : IPC_READ);
	if (!err) {
		ipc_perm_to_user(o, &ds.sem_perm);
		ds.sem_otime = sem_set_of(o)->otime;
		ds.sem_ctime = sem_set_of(o)->ctime;
		ds.sem_nsems = sem_set_of(o)->nr;
		spin_unlock(&o->lock);
		err = copy_to_user(to, &ds, sizeof(ds));
	}
	if (!err && cmd != IPC_STAT)
		err = o->id;
	ipc_put(o);
	return err;
}

static int sem_control(int id, int cmd, const void __user *from)
{
	struct semid64_ds ds;
	struct ipc_object *o;
	struct sem_undo *u, *n;
	LIST_HEAD(dead);
	int err;

	if (cmd == IPC_SET && copy_from_user(&ds, from, sizeof(ds)))
		return -EFAULT;
	err = ipc_begin_control(&sem_kind, id, &o);
	if (err)
		return err;
	if (cmd == IPC_RMID) {
		sem_set_remove(sem_set_of(o), &dead);
	} else {
		err = ipc_perm_from_user(o, &ds.sem_perm);
		if (!err)
			sem_set_of(o)->ctime = ipc_now();
	}
	ipc_end_control(o);
	list_for_each_entry_safe(u, n, &dead, set_link)
		kvfree(u);
	return err;
}

/* How many wait for that semaphore to be zero, or to rise: by the operation that stops each. */
static int waiters(struct sem_set *s, u32 nr, bool zero)
{
	struct list_head *lists[] = { &s->zero, &s->alter };
	struct sem_waiter *w;
	int n = 0;

	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		list_for_each_entry(w, lists[i], link)
			n += w->blocking->sem_num == nr && (zero ? w->blocking->sem_op == 0 : w->blocking->sem_op < 0);
	return n;
}

static int get_one(struct sem_set *s, int nr, int cmd)
{
	if (nr < 0 || (u32)nr >= s->nr)
		return -EINVAL;
	switch (cmd) {
	case GETVAL:
		return s->sems[nr].value;
	case GETPID:
		return s->sems[nr].pid;
	default:
		return waiters(s, (u32)nr, cmd == GETZCNT);
	}
}

static int set_one(struct sem_set *s, int nr, int value)
{
	if (nr < 0 || (u32)nr >= s->nr)
		return -EINVAL;
	sem_undo_forget(s, nr);
	s->sems[nr].value = value;
	s->sems[nr].pid = current_pid();
	s->ctime = ipc_now();
	sem_values_changed(s, false);
	return 0;
}

static int get_all(struct sem_set *s, u16 *values, void __user *to)
{
	int err = ipc_lock_permitted(&s->ipc, IPC_READ);

	if (err)
		return err;
	for (u32 i = 0; i < s->nr; i++)
		values[i] = (u16)s->sems[i].value;
	spin_unlock(&s->ipc.lock);
	return copy_to_user(to, values, s->nr * sizeof(u16));
}

/* Permission is asked first: what is wrong with the values is told to those who may set them. */
static int set_all(struct sem_set *s, u16 *values, const void __user *from)
{
	int err = ipc_lock_permitted(&s->ipc, IPC_WRITE);

	if (err)
		return err;
	spin_unlock(&s->ipc.lock);
	if (copy_from_user(values, from, s->nr * sizeof(u16)))
		return -EFAULT;
	for (u32 i = 0; i < s->nr; i++)
		if (values[i] > SEMVMX)
			return -ERANGE;
	err = ipc_lock(&s->ipc);
	if (err)
		return err;
	for (u32 i = 0; i < s->nr; i++)
		s->sems[i] = (struct sem){ values[i], current_pid() };
	sem_undo_forget(s, -1);
	s->ctime = ipc_now();
	sem_values_changed(s, false);
	spin_unlock(&s->ipc.lock);
	return 0;
}

static int all_values(struct sem_set *s, int cmd, void __user *user)
{
	u16 *values = kvmalloc(s->nr * sizeof(u16), GFP_KERNEL);
	int err;

	if (!values)
		return -ENOMEM;
	err = cmd == GETALL ? get_all(s, values, user) : set_all(s, values, user);
	kvfree(values);
	return err;
}

static int values(int id, int nr, int cmd, unsigned long arg)
{
	struct ipc_object *o;
	int ret;

	if (cmd == SETVAL && ((int)arg < 0 || (int)arg > SEMVMX))
		return id < 0 ? -EINVAL : -ERANGE;
	ret = ipc_obtain(&sem_kind, id, &o);
	if (ret)
		return ret;
	if (cmd == GETALL || cmd == SETALL) {
		ret = all_values(sem_set_of(o), cmd, user_ptr(arg));
	} else {
		ret = cmd == SETVAL && (nr < 0 || (u32)nr >= sem_set_of(o)->nr) ? -EINVAL : ipc_lock_permitted(o, cmd == SETVAL ? IPC_WRITE : IPC_READ);
		if (!ret) {
			ret = cmd == SETVAL ? set_one(sem_set_of(o), nr, (int)arg) : get_one(sem_set_of(o), nr, cmd);
			spin_unlock(&o->lock);
		}
	}
	ipc_put(o);
	return ret;
}

long sys_semctl(int id, int nr, int cmd, unsigned long arg)
{
	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return sem_info(cmd, user_ptr(arg));
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return sem_stat(id, cmd, user_ptr(arg));
	case GETALL:
	case SETALL:
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
	case SETVAL:
		return values(id, nr, cmd, arg);
	case IPC_SET:
	case IPC_RMID:
		return sem_control(id, cmd, user_ptr(arg));
	default:
		return -EINVAL;
	}
}
