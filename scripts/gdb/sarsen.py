"""GDB commands for the Sarsen kernel: sarsen-attach, -cpus, -tasks, -bt, -locks, -vmas, -dmesg, -pagetable.  Loaded by `make gdb`; by hand:

    gdb-multiarch build/sarsen.elf -ex 'target remote :1234' -x scripts/gdb/sarsen.py

Every command has help: `help sarsen-bt`."""
import os
import sys
import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sarsenlib as k		# noqa: E402
import sarsencpu		# noqa: E402
import sarsenlog		# noqa: E402
import sarsenpt			# noqa: E402


class Command(gdb.Command):
    def __init__(self, name):
        self.name = name
        super().__init__(name, gdb.COMMAND_USER)

    def invoke(self, arg, from_tty):
        if self.name != "sarsen-attach":
            k.attach()
        self.run(gdb.string_to_argv(arg))

    def first(self, argv, what="PID"):
        if not argv:
            raise gdb.GdbError("usage: %s %s" % (self.name, what))
        return argv[0]


def address(text):
    """an expression: a number, a pointer, or an object or function, whose address is meant"""
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        v = gdb.parse_and_eval(text)
        if v.type.strip_typedefs().code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT):
            return int(v) & 0xffffffffffffffff
    except gdb.error:
        pass		# no type: a label of an assembly file
    try:
        return k.sym(text)
    except gdb.error as e:
        raise gdb.GdbError(str(e))


class Attach(Command):
    """sarsen-attach: find where the kernel runs (KASLR) and load its symbols there.  Runs by itself before every other command."""

    def run(self, argv):
        slide = k.attach()
        print("sarsen: kernel at %016x (slide %#x)" % (k.sym("_text"), slide))


class Tasks(Command):
    """sarsen-tasks: every task: tid, process, state, CPU, name, and for one that is switched out the function it sleeps in."""

    def run(self, argv):
        print("%5s %5s %-10s %3s %-16s %s" % ("TID", "TGID", "STATE", "CPU", "COMM", "WHERE"))
        for t in sorted(k.tasks(), key=lambda t: int(t["tid"])):
            state = int(t["state"])
            if k.on_cpu(t):
                words, where = "R running", "(on the CPU)"
            else:
                words, where = ("R ready" if not state else k.STATES.get(state, "? %x" % state)), k.where(t)
            print("%5d %5d %-10s %3d %-16s %s" % (t["tid"], t["proc"]["pid"] if int(t["proc"]) else 0, words, k.cpu_of(t),
                                                  k.task_name(t), where))


class Cpus(Command):
    """sarsen-cpus: every processor: who runs there, how many tasks are runnable, switches and interrupts so far, flags (I in an interrupt, P
    preemption off, R asked to reschedule), and the function or program address it is at."""

    def run(self, argv):
        for line in sarsencpu.cpu_lines():
            print(line)


class Locks(Command):
    """sarsen-locks: the locks that tasks hold and where each was taken (debug builds)."""

    def run(self, argv):
        lines = list(sarsencpu.lock_lines())
        print("\n".join(lines) if lines else "no lock is held")


class Backtrace(Command):
    """sarsen-bt TID (or a kernel thread's name): the kernel stack of a task: a sleeping one's from its saved context, a running one's from its CPU's registers."""

    def run(self, argv):
        t = k.find_task(self.first(argv, "TID"))
        print("task %d (%s), %s" % (t["tid"], k.task_name(t), "running on CPU %d" % k.cpu_of(t) if k.on_cpu(t) else "switched out"))
        if k.on_cpu(t):
            with k.on_cpu_thread(k.cpu_of(t)):
                self.running(t)
        else:
            self.frames(t, int(t["arch"]["sp"]), 0)
        self.user_frame(t)

    def running(self, t):
        pc = k.reg("pc")
        if pc >> 48 != 0xffff:
            print("#0  %016x in the program" % pc)
            return
        print("#0  " + k.describe(pc, call=False))
        self.frames(t, k.reg("x29"), 1)

    def frames(self, t, fp, first):
        for i, pc in enumerate(k.walk(fp, t)):
            print("#%-2d %s" % (first + i, k.describe(pc)))

    def user_frame(self, t):
        if int(t["mm"]) and int(t["stack"]):
            frame = int(t["stack"]) + k.STACK_SIZE - 16 - k.FRAME_SIZE
            print("program: pc %016x sp %016x" % (k.read_u64(frame + 256), k.read_u64(frame + 248)))


class Vmas(Command):
    """sarsen-vmas PID: the address ranges of a process: permissions (s: shared), offset, and file or kind."""

    def run(self, argv):
        t = k.find_task(self.first(argv))
        if not int(t["mm"]):
            raise gdb.GdbError("task %d has no user memory" % t["tid"])
        mm = t["mm"].dereference()
        for v in k.each_rb(mm["vmas"], "struct vma", "node"):
            flags = int(v["flags"])
            rights = "".join(c if flags & b else "-" for c, b in (("r", 1), ("w", 2), ("x", 4))) + ("s" if flags & 8 else "p")
            print("%012x-%012x %s %8x %s" % (v["start"], v["end"], rights, int(v["pgoff"]) << 12 if int(v["file"]) else 0,
                                             self.label(mm, v)))

    def label(self, mm, v):
        if int(v["file"]):
            return path_of(v["file"]["path"])
        if int(v["flags"]) & (8192 | 128):
            return "[stack]"
        if int(mm["vdso"]) and int(v["start"]) <= int(mm["vdso"]) < int(v["end"]):
            return "[vdso]"
        if int(v["start"]) <= int(mm["brk"]) and int(v["end"]) >= int(mm["start_brk"]) and int(mm["brk"]) != int(mm["start_brk"]):
            return "[heap]"
        return "[special]" if int(v["flags"]) & 2048 else "[anon]"


def path_of(path):
    """the absolute name of a struct path, across mounts"""
    names, d, mnt = [], path["dentry"], path["mnt"]
    for _ in range(256):
        if int(d) == int(mnt["root"]) or int(d) == int(d["parent"]):
            if not int(mnt["parent"]):
                break
            d, mnt = mnt["mountpoint"], mnt["parent"]
            continue
        names.append(k.cstring(d["name"]))
        d = d["parent"]
    return "/" + "/".join(reversed(names))


class Dmesg(Command):
    """sarsen-dmesg [N]: the log ring (the last N lines of it)."""

    def run(self, argv):
        lines = list(sarsenlog.records())
        for r in lines[-int(argv[0]):] if argv else lines:
            print("[%5d.%06d] %s" % (r.us // 1000000, r.us % 1000000, r.text))


class Pagetable(Command):
    """sarsen-pagetable ADDR [PID]: the walk of the translation tables for an address, entry by entry, with the attributes in words.
    A user address is looked up in PID's tables (default: those loaded on the CPU)."""

    def run(self, argv):
        addr = address(self.first(argv, "ADDR [PID]"))
        if addr >> 48 == 0xffff:
            root = k.reg("TTBR1_EL1")
        elif len(argv) > 1:
            t = k.find_task(argv[1])
            if not int(t["mm"]):
                raise gdb.GdbError("task %d has no user memory" % t["tid"])
            root = int(t["mm"]["arch"]["pgd"])
        else:
            root = k.reg("TTBR0_EL1")
        for line in sarsenpt.walk(root & 0x0000fffffffff000, addr, k.read_phys):
            print(line)


for c, name in ((Attach, "attach"), (Tasks, "tasks"), (Backtrace, "bt"), (Vmas, "vmas"), (Dmesg, "dmesg"), (Cpus, "cpus"), (Locks, "locks"), (Pagetable, "pagetable")):
    c("sarsen-" + name)

gdb.execute("set pagination off")
gdb.execute("set backtrace limit 100")
if gdb.selected_inferior().pid:
    gdb.execute("sarsen-attach")
