/* The first task and process: the boot thread, later the idle task of CPU 0, and the process that kernel threads belong to. */
#include <linux/capability.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/user.h>
#include <kernel/sched/sched.h>

extern char init_stack[];

static struct cred init_cred = {
	.refs = { 1 }, .cap_permitted = CAP_ALL, .cap_effective = CAP_ALL, .cap_bounding = CAP_ALL, .user = &root_user,
};

static struct sighand init_sighand = { .refs = { 1 }, .lock = SPINLOCK_INIT(LC_SIGHAND) };

struct rlimits init_rlimits = { .lim = {
	[RLIMIT_CPU] = { ~0ul, ~0ul }, [RLIMIT_FSIZE] = { ~0ul, ~0ul }, [RLIMIT_DATA] = { ~0ul, ~0ul },
	[RLIMIT_STACK] = { 8 << 20, ~0ul }, [RLIMIT_CORE] = { 0, ~0ul }, [RLIMIT_RSS] = { ~0ul, ~0ul },
	/* NPROC: fork.c */ [RLIMIT_NOFILE] = { 1024, 4096 }, [RLIMIT_MEMLOCK] = { 8 << 20, 8 << 20 },
	[RLIMIT_AS] = { ~0ul, ~0ul }, [RLIMIT_LOCKS] = { ~0ul, ~0ul }, [RLIMIT_SIGPENDING] = { 4096, 4096 },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 }, [RLIMIT_NICE] = { 0, 0 }, [RLIMIT_RTPRIO] = { 0, 0 }, [RLIMIT_RTTIME] = { ~0ul, ~0ul },
} };

static struct process kernel_process = {
	.refs = { 1 }, .leader = &init_task, .threads = LIST_HEAD_INIT(kernel_process.threads),
	.children = LIST_HEAD_INIT(kernel_process.children), .sibling = LIST_HEAD_INIT(kernel_process.sibling),
	.cpu_lock = SPINLOCK_INIT(LC_CPU_TIMER), .cpu_targets = LIST_HEAD_INIT(kernel_process.cpu_targets),
	.child_wait = WAIT_QUEUE_INIT(kernel_process.child_wait), .sighand = &init_sighand,
	.shared_pending = { .queue = LIST_HEAD_INIT(kernel_process.shared_pending.queue) }, .rlim = &init_rlimits,
	.dumpable = DUMP_USER, .dump_filter = CORE_FILTER_DEFAULT,
};

struct task init_task __attribute__((aligned(64))) = {
	.head = { .preempt_count = 0 },
	.state = TASK_RUNNING, .pflags = PF_KTHREAD, .refs = { 1 }, .comm = "idle/0", .stack = init_stack, .on_cpu = 1,
	.cred = &init_cred, .proc = &kernel_process, .arch = { .fp_cpu = ~0u },
	.thread_link = LIST_HEAD_INIT(init_task.thread_link), .all_link = LIST_HEAD_INIT(init_task.all_link),
	.pending = { .queue = LIST_HEAD_INIT(init_task.pending.queue) },
	.tracees = LIST_HEAD_INIT(init_task.tracees), .trace_link = LIST_HEAD_INIT(init_task.trace_link),
};
