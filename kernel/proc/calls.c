/* Identity, groups, limits, and what libc asks about the system.  getpid(2), setpgid(2), setsid(2), getrlimit(2), uname(2), ... */
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/times.h>
#include <linux/utsname.h>
#include <arch/uaccess.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/main.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/lockcheck.h>
#include <kernel/time/itimer.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <mm/swap.h>
#include <mm/vmstat.h>
#include <syscall_protos.h>

long sys_getpid(void) { return current->proc->pid; }
long sys_gettid(void) { return current->tid; }

long sys_getppid(void)
{
	struct process *parent;
	s32 pid;

	rcu_read_lock();
	parent = READ_ONCE(current->proc->parent);
	pid = parent ? parent->pid : 0;
	rcu_read_unlock();
	return pid;
}

long sys_getpgid(int pid)
{
	struct process *p;
	long ret;

	rcu_read_lock();
	p = pid ? process_find(pid) : current->proc;
	ret = p ? p->pgid : -ESRCH;
	rcu_read_unlock();
	return ret;
}

long sys_getsid(int pid)
{
	struct process *p;
	long ret;

	rcu_read_lock();
	p = pid ? process_find(pid) : current->proc;
	ret = p ? READ_ONCE(p->sid) : -ESRCH;
	rcu_read_unlock();
	return ret;
}

static long setpgid_locked(struct process *me, struct process *p, s32 pgid, struct pid_group **spare)
{
	if (!p)
		return -ESRCH;
	if (p != me) {
		if (p->parent != me)
			return -ESRCH;
		if (p->sid != me->sid)
			return -EPERM;
		if (READ_ONCE(p->did_exec))
			return -EACCES;
	}
	if (p->session_leader)
		return -EPERM;
	if (pgid != p->pid && !pgrp_in_session_locked(pgid, me->sid))
		return -EPERM;
	pgrp_set(p, pid_group_get(pgid, spare));
	return 0;
}

long sys_setpgid(int pid, int pgid)
{
	struct pid_group *spare;
	struct process *me = current->proc;
	long ret;

	if (pgid < 0)
		return -EINVAL;
	spare = pid_group_alloc();
	if (!spare)
		return -ENOMEM;
	spin_lock_irq(&proc_lock);
	if (!pid)
		pid = me->pid;
	ret = setpgid_locked(me, process_find(pid), pgid ? pgid : pid, &spare);
	spin_unlock_irq(&proc_lock);
	kfree(spare);
	return ret;
}

static void found(struct process *p, void *arg)
{
	(void)p;
	*(bool *)arg = true;
}

long sys_setsid(void)
{
	struct process *p = current->proc;
	struct pid_group *spare = pid_group_alloc(), *g;
	bool exists = false;
	long ret = -EPERM;

	if (!spare)
		return -ENOMEM;
	spin_lock_irq(&proc_lock);
	pgrp_for_each_locked(p->pid, found, &exists);
	if (!p->session_leader && !exists) {
		g = pid_group_get(p->pid, &spare);
		session_set(p, g);
		pgrp_set(p, g);
		p->session_leader = true;
		p->ctty = NULL;
		ret = p->sid;
	}
	spin_unlock_irq(&proc_lock);
	kfree(spare);
	return ret;
}

/* --- limits */

u64 rlimit(unsigned resource)
{
	return READ_ONCE(current->proc->rlim->lim[resource].cur);
}

struct user_rlimit { u64 cur, max; };

/* Under proc_lock: nobody gets a higher limit by asking while another call lowers it, and a pair is told as it was set. */
static long do_prlimit(struct process *p, u32 res, const struct user_rlimit *new, struct user_rlimit *old)
{
	irqflags_t flags;
	long err = 0;

	if (res >= RLIM_NLIMITS || (new && new->cur > new->max))
		return -EINVAL;
	flags = spin_lock_irqsave(&proc_lock);
	old->cur = READ_ONCE(p->rlim->lim[res].cur);	/* the kernel lowers one itself: RLIMIT_CPU */
	old->max = p->rlim->lim[res].max;
	if (new && new->max > old->max && !capable(CAP_SYS_RESOURCE)) {
		err = -EPERM;
	} else if (new) {
		WRITE_ONCE(p->rlim->lim[res].cur, new->cur);
		WRITE_ONCE(p->rlim->lim[res].max, new->max);
	}
	spin_unlock_irqrestore(&proc_lock, flags);
	if (!err && new && (res == RLIMIT_CPU || res == RLIMIT_RTTIME) && new->cur != ~0ul)
		cpu_watch_kick(p);
	return err;
}

static bool all_ids_are(u32 uid, const struct cred *c) { return uid == c->euid && uid == c->suid && uid == c->uid; }

long sys_prlimit64(int pid, unsigned resource, void __user *unew, void __user *uold)
{
	struct user_rlimit new, old;
	const struct cred *c = current->cred;
	struct process *p;
	long ret;

	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	rcu_read_lock();
	p = pid ? process_find(pid) : current->proc;
	if (!p)
		ret = -ESRCH;
	else if (p != current->proc && !capable(CAP_SYS_RESOURCE) && !all_ids_are(c->uid, rcu_dereference(READ_ONCE(p->leader)->cred)))
		ret = -EPERM;
	else
		ret = do_prlimit(p, resource, unew ? &new : NULL, &old);
	rcu_read_unlock();
	if (!ret && uold && copy_to_user(uold, &old, sizeof(old)))
		return -EFAULT;
	return ret;
}

long sys_getrlimit(unsigned resource, void __user *rlim)
{
	return rlim || resource >= RLIM_NLIMITS ? sys_prlimit64(0, resource, NULL, rlim) : -EFAULT;
}

long sys_setrlimit(unsigned resource, void __user *rlim)
{
	return rlim ? sys_prlimit64(0, resource, rlim, NULL) : -EFAULT;
}

/* --- the system */

static struct new_utsname uts = { "Linux", "sarsen", "6.1.0-sarsen-" SARSEN_VERSION, "#1 SMP PREEMPT", "aarch64", "(none)" };
static DEFINE_MUTEX(uts_lock, LC_UTS);

long sys_uname(void __user *buf)
{
	struct new_utsname copy;

	mutex_lock(&uts_lock);
	copy = uts;
	mutex_unlock(&uts_lock);
	return copy_to_user(buf, &copy, sizeof(copy)) ? -EFAULT : 0;
}

static void set_field(char *field, const char name[__NEW_UTS_LEN + 1])
{
	mutex_lock(&uts_lock);
	memcpy(field, name, __NEW_UTS_LEN + 1);
	mutex_unlock(&uts_lock);
}

static long set_name(char *field, const void __user *name, int len)
{
	char tmp[__NEW_UTS_LEN + 1] = "";

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(tmp, name, (size_t)len))
		return -EFAULT;
	set_field(field, tmp);
	return 0;
}

void set_hostname(const char *name)
{
	char tmp[__NEW_UTS_LEN + 1] = "";

	strlcpy(tmp, name, sizeof(tmp));
	set_field(uts.nodename, tmp);
}

void get_hostname(char *buf)
{
	mutex_lock(&uts_lock);
	memcpy(buf, uts.nodename, __NEW_UTS_LEN + 1);
	mutex_unlock(&uts_lock);
}

long sys_sethostname(const void __user *name, int len) { return set_name(uts.nodename, name, len); }
long sys_setdomainname(const void __user *name, int len) { return set_name(uts.domainname, name, len); }

long sys_sysinfo(void __user *info)
{
	struct sysinfo si;
	u64 load[3];

	memset(&si, 0, sizeof(si));
	sched_loadavg(load);
	si.uptime = (s64)(clock_mono_ns() / NSEC_PER_SEC);
	for (u32 i = 0; i < 3; i++)
		si.loads[i] = load[i] << 5;
	si.totalram = page_nr_total();
	si.freeram = page_nr_free();
	si.sharedram = vmstat_read(VM_SHMEM_PAGES);
	si.bufferram = vmstat_read(VM_BUFFER_PAGES);
	si.totalswap = swap_total();
	si.freeswap = swap_free();
	si.procs = (u16)task_count();
	si.mem_unit = PAGE_SIZE;
	return copy_to_user(info, &si, sizeof(si)) ? -EFAULT : 0;
}

long sys_getcpu(void __user *cpu, void __user *node, void __user *cache)
{
	u32 me, zero = 0;

	(void)cache;
	preempt_disable();
	me = smp_cpu_id();
	preempt_enable();
	if ((cpu && put_user(me, (u32 __user *)cpu)) || (node && put_user(zero, (u32 __user *)node)))
		return -EFAULT;
	return 0;
}

/* Kept for who asks, and inherited; only ADDR_NO_RANDOMIZE changes anything (exec.c). */
long sys_personality(unsigned persona)
{
	u32 old = READ_ONCE(current->proc->personality);

	if (persona != 0xffffffff)
		WRITE_ONCE(current->proc->personality, persona);
	return old;
}

static int uts_show(struct seq *s, void *arg)
{
	mutex_lock(&uts_lock);
	seq_printf(s, "%s\n", (char *)arg);
	mutex_unlock(&uts_lock);
	return 0;
}

/* A name ends at the line's end; what is too long is cut, as Linux does. */
static int uts_write(const char *buf, size_t len, void *arg)
{
	char tmp[__NEW_UTS_LEN + 1] = "";

	for (size_t i = 0; i < min(len, sizeof(tmp) - 1) && buf[i] && buf[i] != '\n'; i++)
		tmp[i] = buf[i];
	set_field(arg, tmp);
	return 0;
}

PROC_FILE(hostname, .path = "sys/kernel/hostname", .mode = 0644, .show = uts_show, .write = uts_write, .arg = uts.nodename);
PROC_FILE(domainname, .path = "sys/kernel/domainname", .mode = 0644, .show = uts_show, .write = uts_write, .arg = uts.domainname);
PROC_FILE(ostype, .path = "sys/kernel/ostype", .mode = 0444, .show = uts_show, .arg = uts.sysname);
PROC_FILE(osrelease, .path = "sys/kernel/osrelease", .mode = 0444, .show = uts_show, .arg = uts.release);
PROC_FILE(version_number, .path = "sys/kernel/version", .mode = 0444, .show = uts_show, .arg = uts.version);
