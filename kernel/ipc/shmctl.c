/* shmctl, /proc/sysvipc/shm, the limits under /proc/sys/kernel.  shmctl(2), proc(5). */
#include <linux/capability.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/ipc/shm_internal.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <kernel/sysctl.h>
#include <mm/filemap.h>
#include <mm/shmem.h>
#include <syscall_protos.h>

PROC_FILE(shmmax, .path = "sys/kernel/shmmax", .mode = 0644, .show = ipc_ulong_show, .write = ipc_ulong_write, .arg = &shm_max);
PROC_FILE(shmall, .path = "sys/kernel/shmall", .mode = 0644, .show = ipc_ulong_show, .write = ipc_ulong_write, .arg = &shm_all);
SYSCTL(shmmni, "kernel/shmmni", .value = &shm_kind.max, .max = IPC_SLOTS);

static const struct sysctl rmid_forced = { .value = &shm_rmid_forced, .max = 1 };

static int rmid_forced_write(const char *buf, size_t len, void *arg)
{
	int err = sysctl_write(buf, len, arg);

	if (!err && READ_ONCE(shm_rmid_forced))
		shm_remove_orphans(NULL);
	return err;
}
PROC_FILE(shm_rmid_forced, .path = "sys/kernel/shm_rmid_forced", .mode = 0644, .show = sysctl_show, .write = rmid_forced_write,
	  .arg = (void *)&rmid_forced);

static void fill(struct shm_segment *s, struct shmid64_ds *ds)
{
	*ds = (struct shmid64_ds){ .shm_segsz = s->size, .shm_atime = s->atime, .shm_dtime = s->dtime, .shm_ctime = s->ctime, .shm_cpid = s->cpid,
				   .shm_lpid = s->lpid, .shm_nattch = s->attached };
	ipc_perm_to_user(&s->ipc, &ds->shm_perm);
}

static u64 resident(const struct shm_segment *s) { return READ_ONCE(s->file->mapping->nr_pages); }
static u64 swapped(const struct shm_segment *s) { return shmem_nr_swapped(s->file->mapping); }

static void show_segment(struct ipc_object *o, void *seq)
{
	struct shm_segment *s = shm_segment_of(o);
	struct shmid64_ds ds;

	spin_lock(&o->lock);
	fill(s, &ds);
	spin_unlock(&o->lock);
	seq_printf(seq, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n", ds.shm_perm.key, o->id,
		   ds.shm_perm.mode, (u64)ds.shm_segsz, (u32)ds.shm_cpid, (u32)ds.shm_lpid, ds.shm_nattch, ds.shm_perm.uid, ds.shm_perm.gid,
		   ds.shm_perm.cuid, ds.shm_perm.cgid, (u64)ds.shm_atime, (u64)ds.shm_dtime, (u64)ds.shm_ctime, resident(s) << PAGE_SHIFT,
		   swapped(s) << PAGE_SHIFT);
}

static int shm_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
		 "                   rss                  swap\n");
	ipc_walk(&shm_kind, show_segment, s);
	return 0;
}
PROC_FILE(sysvipc_shm, .path = "sysvipc/shm", .mode = 0444, .show = shm_show);

static int limits(void __user *to)
{
	struct shminfo64 info = { .shmmax = READ_ONCE(shm_max), .shmmin = SHMMIN, .shmmni = (u64)READ_ONCE(shm_kind.max),
				  .shmseg = (u64)READ_ONCE(shm_kind.max), .shmall = READ_ONCE(shm_all) };
	u32 count;
	int highest = ipc_totals(&shm_kind, &count);

	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : highest;
}

static void add_up(struct ipc_object *o, void *info)
{
	struct shm_info *sum = info;

	sum->shm_tot += shm_pages(shm_segment_of(o));
	sum->shm_rss += resident(shm_segment_of(o));
	sum->shm_swp += swapped(shm_segment_of(o));
}

static int totals(void __user *to)
{
	struct shm_info info = { 0 };
	u32 count;
	int highest = ipc_totals(&shm_kind, &count);

	ipc_walk(&shm_kind, add_up, &info);
	info.used_ids = (int)count;
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : highest;
}

static int shm_stat(int id, int cmd, void __user *to)
{
	struct shmid64_ds ds;
	struct ipc_object *o;
	int err = cmd == IPC_STAT ? ipc_obtain(&shm_kind, id, &o) : ipc_obtain_slot(&shm_kind, id, &o);

	if (err)
		return err;
	err = ipc_lock_permitted(o, cmd == SHM_STAT_ANY ? 0 : IPC_READ);
	if (!err) {
		fill(shm_segment_of(o), &ds);
		spin_unlock(&o->lock);
		err = copy_to_user(to, &ds, sizeof(ds));
	}
	if (!err && cmd != IPC_STAT)
		err = o->id;
	ipc_put(o);
	return err;
}

static int shm_control(int id, int cmd, const void __user *from)
{
	struct shmid64_ds ds;
	struct ipc_object *o;
	struct shm_segment *s;
	struct file *f = NULL;
	int err;

	if (cmd == IPC_SET && copy_from_user(&ds, from, sizeof(ds)))
		return -EFAULT;
	err = ipc_begin_control(&shm_kind, id, &o);
	if (err)
		return err;
	s = shm_segment_of(o);
	if (cmd == IPC_SET) {
		err = ipc_perm_from_user(o, &ds.shm_perm);
		if (!err)
			s->ctime = ipc_now();
	} else if (s->attached) {
		o->mode |= SHM_GOES;
		ipc_hide_key(o);
	} else {
		f = shm_destroy(s);
	}
	ipc_end_control(o);
	if (f)
		file_put_now(f);
	return err;
}

/* The segment's lock is held. */
static int keep(struct shm_segment *s)
{
	struct user *u = current_cred()->user;
	u64 pages = shm_pages(s);

	if (s->keeper)
		return 0;
	if (atomic_add_return(&u->shm_kept, pages) > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT && !capable(CAP_IPC_LOCK)) {
		atomic_sub(&u->shm_kept, pages);
		return -ENOMEM;
	}
	user_ref(u);
	s->keeper = u;
	s->ipc.mode |= SHM_KEPT;
	atomic_store(&s->file->mapping->unevictable, true);
	return 0;
}

static int shm_keep(int id, int cmd)
{
	struct ipc_object *o;
	u32 euid = current_cred()->euid;
	int err = ipc_obtain(&shm_kind, id, &o);

	if (err)
		return err;
	err = ipc_lock(o);
	if (err)
		goto out;
	if (!capable(CAP_IPC_LOCK) && ((euid != o->uid && euid != o->cuid) || (cmd == SHM_LOCK && !rlimit(RLIMIT_MEMLOCK))))
		err = -EPERM;
	else if (cmd == SHM_LOCK)
		err = keep(shm_segment_of(o));
	else
		shm_unkeep(shm_segment_of(o));
	spin_unlock(&o->lock);
out:
	ipc_put(o);
	return err;
}

long sys_shmctl(int id, int cmd, void __user *buf)
{
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return limits(buf);
	case SHM_INFO:
		return totals(buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return shm_stat(id, cmd, buf);
	case IPC_SET:
	case IPC_RMID:
		return shm_control(id, cmd, buf);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_keep(id, cmd);
	default:
		return -EINVAL;
	}
}
