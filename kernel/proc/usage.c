/* What processes have used: getrusage(2), times(2), and the sums that wait4, /proc and the CPU-time clocks tell.
 *
 * A living thread keeps its own counts.  When it ends they are added to proc->dead and it is marked accounted, both under the sighand
 * lock, so that a sum taken under that lock counts every thread once and never falls.  A reaped child's sums, and its children's, go to
 * its parent's child_usage under proc_lock. */
#include <linux/resource.h>
#include <linux/times.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define NS_PER_CLOCK_TICK	10000000u	/* USER_HZ is 100 */

void usage_add(struct usage *to, const struct usage *u)
{
	to->utime_ns += u->utime_ns;
	to->stime_ns += u->stime_ns;
	to->min_flt += u->min_flt;
	to->maj_flt += u->maj_flt;
	to->nvcsw += u->nvcsw;
	to->nivcsw += u->nivcsw;
	to->maxrss_pages = max(to->maxrss_pages, u->maxrss_pages);
	to->io.rchar += u->io.rchar;
	to->io.wchar += u->io.wchar;
	to->io.syscr += u->io.syscr;
	to->io.syscw += u->io.syscw;
	to->io.read_bytes += u->io.read_bytes;
	to->io.write_bytes += u->io.write_bytes;
}

void usage_of_task(struct task *t, struct usage *u)
{
	*u = (struct usage){ .min_flt = READ_ONCE(t->min_flt), .maj_flt = READ_ONCE(t->maj_flt), .nvcsw = READ_ONCE(t->nvcsw),
			     .nivcsw = READ_ONCE(t->nivcsw),
			     .io = { READ_ONCE(t->io.rchar), READ_ONCE(t->io.wchar), READ_ONCE(t->io.syscr), READ_ONCE(t->io.syscw),
				     READ_ONCE(t->io.read_bytes), READ_ONCE(t->io.write_bytes) } };
	task_times(t, &u->utime_ns, &u->stime_ns);
}

void usage_thread_ends_locked(struct task *t)
{
	struct usage u;

	usage_of_task(t, &u);
	usage_add(&t->proc->dead, &u);
	t->accounted = true;
}

void usage_note_rss(struct process *p, const struct mm *mm)
{
	irqflags_t flags = spin_lock_irqsave(&p->sighand->lock);

	p->dead.maxrss_pages = max(p->dead.maxrss_pages, mm_peak_rss(mm));
	spin_unlock_irqrestore(&p->sighand->lock, flags);
}

void usage_of_process_locked(struct process *p, struct usage *sum)
{
	struct usage u;
	struct task *t;

	rcu_read_lock();
	*sum = p->dead;
	list_for_each_entry_rcu(t, &p->threads, thread_link)
		if (!t->accounted) {
			usage_of_task(t, &u);
			usage_add(sum, &u);
		}
	rcu_read_unlock();
}

void usage_of_process(struct process *p, struct usage *sum)
{
	irqflags_t flags = spin_lock_irqsave(&p->sighand->lock);

	usage_of_process_locked(p, sum);
	spin_unlock_irqrestore(&p->sighand->lock, flags);
}

void usage_of_family(struct process *p, struct usage *sum)
{
	irqflags_t flags = spin_lock_irqsave(&proc_lock);
	struct usage kids = p->child_usage;

	spin_unlock_irqrestore(&proc_lock, flags);
	usage_of_process(p, sum);
	usage_add(sum, &kids);
}

void usage_to_rusage(const struct usage *u, struct rusage *ru)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime.tv_sec = (s64)(u->utime_ns / NSEC_PER_SEC);
	ru->ru_utime.tv_usec = (s64)(u->utime_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_stime.tv_sec = (s64)(u->stime_ns / NSEC_PER_SEC);
	ru->ru_stime.tv_usec = (s64)(u->stime_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_maxrss = (s64)(u->maxrss_pages * (PAGE_SIZE / 1024));
	ru->ru_minflt = (s64)u->min_flt;
	ru->ru_majflt = (s64)u->maj_flt;
	ru->ru_nvcsw = (s64)u->nvcsw;
	ru->ru_nivcsw = (s64)u->nivcsw;
	ru->ru_inblock = (s64)(u->io.read_bytes >> 9);
	ru->ru_oublock = (s64)(u->io.write_bytes >> 9);
}

static void children_of_current(struct usage *u)
{
	spin_lock_irq(&proc_lock);
	*u = current->proc->child_usage;
	spin_unlock_irq(&proc_lock);
}

long sys_getrusage(int who, void __user *uru)
{
	struct usage u;
	struct rusage ru;

	switch (who) {
	case RUSAGE_SELF:
		usage_of_process(current->proc, &u);
		break;
	case RUSAGE_THREAD:
		usage_of_task(current, &u);
		break;
	case RUSAGE_CHILDREN:
		children_of_current(&u);
		break;
	default:
		return -EINVAL;
	}
	if (who != RUSAGE_CHILDREN)
		u.maxrss_pages = max(max(u.maxrss_pages, current->proc->dead.maxrss_pages), mm_peak_rss(current->mm));
	usage_to_rusage(&u, &ru);
	return copy_to_user(uru, &ru, sizeof(ru)) ? -EFAULT : 0;
}

long sys_times(void __user *buf)
{
	struct usage self, kids;
	struct tms t;

	usage_of_process(current->proc, &self);
	children_of_current(&kids);
	t = (struct tms){
		(s64)(self.utime_ns / NS_PER_CLOCK_TICK), (s64)(self.stime_ns / NS_PER_CLOCK_TICK),
		(s64)(kids.utime_ns / NS_PER_CLOCK_TICK), (s64)(kids.stime_ns / NS_PER_CLOCK_TICK),
	};
	if (buf && copy_to_user(buf, &t, sizeof(t)))
		return -EFAULT;
	return (long)(clock_mono_ns() / NS_PER_CLOCK_TICK);
}
