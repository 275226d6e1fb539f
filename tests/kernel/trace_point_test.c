/* Trace points: what is recorded while they are on, and off; a ring that overflows keeps the newest.  In the release build, that
 * nothing is left of them (this would not link). */
#include <fs/seq.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/time/time.h>
#include <kernel/task.h>
#include <mm/slab.h>

static u32 evaluated;
static u64 costly(void) { return ++evaluated; }

#ifdef CONFIG_DEBUG
static struct seq text;

static char *read_log(void)
{
	kvfree(text.buf);
	text = (struct seq){ NULL, 0, 0, false };
	if (trace_log_show(&text, NULL) || text.overflow)
		return NULL;
	seq_putc(&text, '\0');
	return text.buf;
}

static void forget_text(void)
{
	kvfree(text.buf);
	text = (struct seq){ NULL, 0, 0, false };
	trace_log_forget();
}

static u32 count(const char *s, const char *what)
{
	u32 n = 0;

	for (; s && (s = strstr(s, what)); s++)
		n++;
	return n;
}

KTEST(trace, words)
{
	EXPECT(trace_select("sched_exec,vfs") == 0);
	EXPECT(trace_on[TP_sched_exec] && !trace_on[TP_sched_exit] && trace_on[TP_vfs_open] && trace_on[TP_vfs_release]);
	EXPECT(trace_select(" -vfs_open\n") == 0);
	EXPECT(!trace_on[TP_vfs_open] && trace_on[TP_vfs_read]);
	EXPECT(trace_select("nothing") == -EINVAL && trace_select("vfs_") == -EINVAL && trace_select("-") == -EINVAL && trace_select("vf") == -EINVAL);
	EXPECT(trace_select("all") == 0 && trace_on[TP_call_exit] && trace_on[TP_sched_switch]);
	EXPECT(trace_select("none") == 0 && !trace_on[TP_call_exit] && !trace_on[TP_sched_switch] && !trace_on[TP_sched_exec]);
	EXPECT(trace_select("") == 0);
	forget_text();
}

KTEST(trace, on_and_off)
{
	trace_log_forget();
	evaluated = 0;
	TRACE(sched_exit, costly());
	EXPECT(!evaluated && trace_select("sched_exit") == 0);
	TRACE_TEXT(sched_exit, "a text that is longer than what an entry has room for", costly());
	EXPECT(evaluated == 1 && trace_select("-sched_exit") == 0);
	TRACE(sched_exit, costly());
	EXPECT(evaluated == 1 && read_log());
	EXPECT(count(text.buf, "\n") == 1 && strstr(text.buf, ": sched_exit: status 1 \"a text that is longer than what\"\n"));
	EXPECT(strstr(text.buf, current->comm));
	forget_text();
	EXPECT(read_log() && text.len == 1);
	forget_text();
}

/* The newest 4,096, in order, and each once. */
KTEST(trace, overflow)
{
	u64 expected = 10000 - 4096;
	const char *at;
	char want[48];

	EXPECT(trace_select("-all") == 0);
	trace_log_forget();
	for (u64 i = 0; i < 10000; i++)
		trace_record(TP_sched_exec, NULL, (const u64[4]){ i });
	EXPECT(read_log());
	at = text.buf;
	for (; expected < 10000; expected++) {
		scnprintf(want, sizeof(want), ": sched_exec: result %lu\n", (unsigned long)expected);
		at = strstr(at, ": sched_exec: ");
		EXPECT(at && !strncmp(at, want, strlen(want)));
		at++;
	}
	EXPECT(count(text.buf, "\n") == 4096);
	forget_text();
}

/* Writers interrupt each other and the reader: whatever is read is whole. */
KTEST(trace, scheduler)
{
	EXPECT(trace_select("sched") == 0);
	trace_log_forget();
	for (int i = 0; i < 3; i++)
		sleep_ns(NSEC_PER_MSEC);
	EXPECT(trace_select("none") == 0 && read_log());
	EXPECT(count(text.buf, ": sched_switch: prev ") >= 2 && count(text.buf, ": sched_wake: tid ") >= 1);
	forget_text();
}
#else
KTEST(trace, release_has_none)
{
	TRACE(sched_exit, costly());
	EXPECT(!evaluated);
}
#endif
