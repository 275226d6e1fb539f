/* msgctl, /proc/sysvipc/msg, the limits under /proc/sys/kernel.  msgctl(2), proc(5). */
#include <linux/capability.h>
#include <arch/uaccess.h>
#include <fs/seq.h>
#include <kernel/errno.h>
#include <kernel/ipc/msg_internal.h>
#include <kernel/proc/proc.h>
#include <kernel/sysctl.h>
#include <mm/slab.h>
#include <syscall_protos.h>

SYSCTL(msgmax, "kernel/msgmax", .value = &msg_max, .max = 0x7fffffff);
SYSCTL(msgmnb, "kernel/msgmnb", .value = &msg_mnb, .max = 0x7fffffff);
SYSCTL(msgmni, "kernel/msgmni", .value = &msg_kind.max, .max = IPC_SLOTS);

static void fill(struct msg_queue *q, struct msqid64_ds *ds)
{
	*ds = (struct msqid64_ds){ .msg_stime = q->stime, .msg_rtime = q->rtime, .msg_ctime = q->ctime, .msg_cbytes = q->bytes, .msg_qnum = q->nr,
				   .msg_qbytes = q->max_bytes, .msg_lspid = q->lspid, .msg_lrpid = q->lrpid };
	ipc_perm_to_user(&q->ipc, &ds->msg_perm);
}

static void show_queue(struct ipc_object *o, void *seq)
{
	struct msqid64_ds ds;

	spin_lock(&o->lock);
	fill(msg_queue_of(o), &ds);
	spin_unlock(&o->lock);
	seq_printf(seq, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n", ds.msg_perm.key, o->id, ds.msg_perm.mode,
		   ds.msg_cbytes, ds.msg_qnum, (u32)ds.msg_lspid, (u32)ds.msg_lrpid, ds.msg_perm.uid, ds.msg_perm.gid, ds.msg_perm.cuid,
		   ds.msg_perm.cgid, (u64)ds.msg_stime, (u64)ds.msg_rtime, (u64)ds.msg_ctime);
}

static int msg_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_puts(s, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	ipc_walk(&msg_kind, show_queue, s);
	return 0;
}
PROC_FILE(sysvipc_msg, .path = "sysvipc/msg", .mode = 0444, .show = msg_show);

static void add_up(struct ipc_object *o, void *info)
{
	struct msginfo *sum = info;

	spin_lock(&o->lock);
	sum->msgmap += (int)msg_queue_of(o)->nr;
	sum->msgtql += (int)msg_queue_of(o)->bytes;
	spin_unlock(&o->lock);
}

static int msg_info(int cmd, void __user *to)
{
	struct msginfo info = {
		.msgpool = MSGPOOL, .msgmap = MSGMAP, .msgmax = (int)READ_ONCE(msg_max), .msgmnb = (int)READ_ONCE(msg_mnb),
		.msgmni = (int)READ_ONCE(msg_kind.max), .msgssz = MSGSSZ, .msgtql = MSGTQL, .msgseg = MSGSEG };
	u32 count;
	int highest = ipc_totals(&msg_kind, &count);

	if (cmd == MSG_INFO) {
		info.msgpool = (int)count;
		info.msgmap = info.msgtql = 0;
		ipc_walk(&msg_kind, add_up, &info);
	}
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : highest;
}

static int msg_stat(int id, int cmd, void __user *to)
{
	struct msqid64_ds ds;
	struct ipc_object *o;
	int err = cmd == IPC_STAT ? ipc_obtain(&msg_kind, id, &o) : ipc_obtain_slot(&msg_kind, id, &o);

	if (err)
		return err;
	err = ipc_lock_permitted(o, cmd == MSG_STAT_ANY ? 0 : IPC_READ);
	if (!err) {
		fill(msg_queue_of(o), &ds);
		spin_unlock(&o->lock);
		err = copy_to_user(to, &ds, sizeof(ds));
	}
	if (!err && cmd != IPC_STAT)
		err = o->id;
	ipc_put(o);
	return err;
}

/* The queue's lock is held. */
static int set(struct msg_queue *q, const struct msqid64_ds *ds)
{
	int err;

	if (ds->msg_qbytes > (u64)READ_ONCE(msg_mnb) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	err = ipc_perm_from_user(&q->ipc, &ds->msg_perm);
	if (err)
		return err;
	q->max_bytes = ds->msg_qbytes;
	q->ctime = ipc_now();
	msg_limits_changed(q);
	return 0;
}

static int msg_control(int id, int cmd, const void __user *from)
{
	struct msqid64_ds ds;
	struct ipc_object *o;
	struct ipc_message *m, *n;
	LIST_HEAD(dead);
	int err;

	if (cmd == IPC_SET && copy_from_user(&ds, from, sizeof(ds)))
		return -EFAULT;
	err = ipc_begin_control(&msg_kind, id, &o);
	if (err)
		return err;
	if (cmd == IPC_RMID)
		msg_queue_remove(msg_queue_of(o), &dead);
	else
		err = set(msg_queue_of(o), &ds);
	ipc_end_control(o);
	list_for_each_entry_safe(m, n, &dead, link)
		kvfree(m);
	return err;
}

long sys_msgctl(int id, int cmd, void __user *buf)
{
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return msg_info(cmd, buf);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return msg_stat(id, cmd, buf);
	case IPC_SET:
	case IPC_RMID:
		return msg_control(id, cmd, buf);
	default:
		return -EINVAL;
	}
}
