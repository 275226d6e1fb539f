"""The processors, and the locks that tasks hold."""
import gdb
import sarsenlib as k

NEED_RESCHED = 1
PREEMPT_IRQ = 1 << 16


def place(t, cpu):
    """where the CPU is: in a program, or the innermost kernel function"""
    with k.on_cpu_thread(cpu):
        pc = k.reg("pc")
    return "program %x" % pc if pc >> 48 != 0xffff else k.function_of(pc + 4)


def cpu_lines():
    yield "%3s %5s %-16s %5s %9s %9s %-9s %s" % ("CPU", "TID", "COMM", "READY", "SWITCHES", "IRQS", "FLAGS", "AT")
    for cpu in k.cpus():
        rq = k.per_cpu("runqueue", cpu)
        t = rq["curr"]
        counts = k.per_cpu("irq_counts", cpu)["line"]
        total = sum(int(counts[i]) for i in range(int(gdb.parse_and_eval("nr_irqs"))))
        preempt = int(t["head"]["preempt_count"])
        flags = "".join(("I" if preempt >= PREEMPT_IRQ else "-", "P" if preempt & 0xffff else "-",
                         "R" if int(t["head"]["flags"]) & NEED_RESCHED else "-"))
        yield "%3d %5d %-16s %5d %9d %9d %-9s %s" % (cpu, t["tid"], k.task_name(t), rq["nr_running"], rq["nr_switches"], total, flags, place(t, cpu))


def lock_class(number):
    return str(gdb.Value(number).cast(gdb.lookup_type("enum lock_class")))


def lock_lines():
    try:
        gdb.lookup_type("struct held_lock")
    except gdb.error:
        raise gdb.GdbError("only a debug build keeps account of locks")
    text = k.sym("_text")
    for t in k.tasks():
        for i in range(int(t["nr_held"])):
            h = t["held"][i]
            yield "%s[%d] holds %s %#x%s, taken at:" % (k.task_name(t), t["tid"], lock_class(int(h["class"]) & 0x7fff), int(h["lock"]),
                                                       " in an interrupt" if int(h["class"]) & 0x8000 else "")
            for n in range(8):
                off = int(h["where"]["text_off"][n])
                if not off:
                    break
                yield "    " + k.describe(text + off)
