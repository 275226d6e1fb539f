"""What the Sarsen GDB helpers share: the slide of a randomised kernel, memory by physical address, lists and trees, tasks, stacks.

The slide.  The image is linked at IMAGE_BASE and runs at a random multiple of 2 MiB above it.  VBAR_EL1, which QEMU's stub shows, holds
the address of `vectors` where it runs; the difference to the symbol is the slide, and the symbols are loaded again at that offset.
Before the kernel has set VBAR_EL1 (QEMU waiting at reset) the image is found in physical memory by its header, and the CPU is run up to
`boot_jump` in arch/arm64/head.S, where x22 holds the base that was chosen."""
import struct
import gdb

IMAGE_MAGIC = b"ARM\x64"
KERNEL_HALF = 0xffff << 48
STACK_SIZE = 16384
FRAME_SIZE = 288			# struct trap_frame, at the top of the stack while the program runs or has called

linked_at = {}				# symbol -> address in the file, before any slide


def reg(name):
    return int(gdb.parse_and_eval("$" + name)) & 0xffffffffffffffff


def sym(name):
    """address of a symbol, as loaded now"""
    return int(gdb.parse_and_eval("(unsigned long)&%s" % name))


def elf_path():
    for objfile in gdb.objfiles():
        if objfile.filename and objfile.filename.endswith(".elf"):
            return objfile.filename
    raise gdb.GdbError("no symbols: start GDB with build/sarsen.elf")


# --- memory ---------------------------------------------------------------------------------------------------------------------
def read(addr, size):
    return bytes(gdb.selected_inferior().read_memory(addr, size))


def read_phys(addr, size):
    """by physical address: QEMU's stub has a mode for it"""
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        return read(addr, size)
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


def read_u64(addr):
    return struct.unpack("<Q", read(addr, 8))[0]


def cstring(value, limit=256):
    return value.string("utf-8", "replace", length=-1) if int(value) else ""


# --- the slide ------------------------------------------------------------------------------------------------------------------
def _remember():
    if not linked_at:
        for name in ("_text", "vectors", "boot_jump"):
            linked_at[name] = sym(name)


def _load_at(slide):
    if sym("_text") - linked_at["_text"] == slide:
        return
    path = elf_path()
    gdb.execute("symbol-file -o 0x%x %s" % (slide, path), to_string=True)


def _find_image():
    for base in (0x40000000, 0x0, 0x80000000):
        for addr in range(base, base + (1 << 28), 1 << 21):
            try:
                if read_phys(addr + 56, 4) == IMAGE_MAGIC:
                    return addr
            except gdb.MemoryError:
                break
    raise gdb.GdbError("no kernel image found in memory")


def attach():
    """find the slide and load the symbols there; returns the slide"""
    _remember()
    vbar = 0
    for thread in gdb.selected_inferior().threads():	# a CPU that was never started has none
        with on_cpu_thread(thread.num - 1):
            vbar = max(vbar, reg("VBAR"))
    if vbar >> 48 != 0xffff:
        phys = _find_image()
        stop = gdb.Breakpoint("*0x%x" % (phys + linked_at["boot_jump"] - linked_at["_text"]), internal=True, temporary=True)
        stop.silent = True
        gdb.execute("continue", to_string=True)
        slide = reg("x22") - linked_at["_text"]
    else:
        slide = vbar - linked_at["vectors"]
    _load_at(slide)
    return slide


# --- structures -----------------------------------------------------------------------------------------------------------------
def container(ptr, type_name, member):
    t = gdb.lookup_type(type_name)
    offset = next(f.bitpos for f in t.fields() if f.name == member) // 8
    return gdb.Value(int(ptr) - offset).cast(t.pointer())


def each_list(head, type_name, member):
    node = head["next"]
    end = int(head.address)
    seen = 0
    while int(node) != end and seen < 100000:
        yield container(node, type_name, member)
        node = node["next"]
        seen += 1


def each_rb(root, type_name, member):
    """nodes of a red-black tree in order"""
    stack, node = [], root["rb_node"]
    while stack or int(node):
        while int(node):
            stack.append(node)
            node = node["rb_left"]
        node = stack.pop()
        yield container(node, type_name, member)
        node = node["rb_right"]


# --- tasks ----------------------------------------------------------------------------------------------------------------------
STATES = {1: "S sleeping", 2: "D waiting", 66: "D killable", 4: "T stopped", 16: "Z zombie", 32: "X dead"}


def cpus():
    online = int(gdb.parse_and_eval("cpu_online_mask"))
    return [cpu for cpu in range(64) if online >> cpu & 1]


def per_cpu(name, cpu):
    """CPU cpu's copy of a per-CPU variable"""
    v = gdb.parse_and_eval(name)
    at = (int(v.address) + int(gdb.parse_and_eval("percpu_offsets[%d]" % cpu))) & 0xffffffffffffffff	# the offset may be a step down
    return gdb.Value(at).cast(v.type.pointer()).dereference()


def tasks():
    """programs' tasks, kernel threads, idle tasks; the last two have number 0"""
    yield from each_list(gdb.parse_and_eval("all_tasks"), "struct task", "all_link")
    yield from each_list(gdb.parse_and_eval("kernel_threads"), "struct task", "all_link")
    for cpu in cpus():
        yield per_cpu("runqueue", cpu)["idle"]


def find_task(which):
    """a task by number, or a kernel thread by name"""
    for t in tasks():
        if (task_name(t) == which and not int(t["tid"])) or (which.isdigit() and int(which) and int(t["tid"]) == int(which)):
            return t
    raise gdb.GdbError("no task %s" % which)


def task_name(t):
    return t["comm"].string("utf-8", "replace")


def on_cpu(t):
    return int(t["on_cpu"]) != 0


def cpu_of(t):
    return int(t["se"]["cpu"])


class on_cpu_thread:
    """with on_cpu_thread(cpu): registers are that CPU's (QEMU numbers its threads from 1)"""

    def __init__(self, cpu):
        self.cpu = cpu

    def __enter__(self):
        self.before = gdb.selected_thread()
        for t in gdb.selected_inferior().threads():
            if t.num == self.cpu + 1:
                t.switch()

    def __exit__(self, *_):
        if self.before:
            self.before.switch()


# --- stacks ---------------------------------------------------------------------------------------------------------------------
def in_text(addr):
    return sym("_text") <= addr < sym("_etext")


def describe(addr, call=True):
    """function+offset at file:line; for a return address the place of the call"""
    at = addr - 4 if call else addr
    block = gdb.execute("info symbol 0x%x" % at, to_string=True).split(" in section")[0].strip()
    if block.startswith("No symbol"):
        block = "?"
    line = gdb.find_pc_line(at)
    where = " at %s:%d" % (line.symtab.filename, line.line) if line.symtab and line.line else ""
    return "%016x %s%s" % (addr, block.replace(" ", ""), where)


def function_of(addr):
    s = gdb.execute("info symbol 0x%x" % (addr - 4), to_string=True)
    return "?" if s.startswith("No symbol") else s.split()[0]


def walk(fp, task):
    """return addresses along the frame records of task's stack"""
    base = int(task["stack"])
    spans = [(base, base + STACK_SIZE)] if base else []
    spans.append((sym("_etext"), sym("_end")))
    last = 0
    for _ in range(64):
        if fp & 7 or not any(a <= fp <= b - 16 for a, b in spans):
            return
        fp_next, pc = struct.unpack("<QQ", read(fp, 16))
        if not in_text(pc):
            return
        yield pc
        if fp_next <= fp and fp_next >= last:
            return
        last, fp = fp, fp_next


# How one gets to sleep, as opposed to why.
SLEEPING = ("cpu_switch", "arch_switch", "switch_to", "schedule", "preempt_schedule", "wait_sleep", "mutex_lock", "rwsem_", "finish_wait",
            "wait_for_completion", "prepare_to_wait", "el1_irq", "ret_to_kernel")


def where(task):
    """the function that a task which is switched out sleeps in"""
    for pc in walk(int(task["arch"]["sp"]), task):
        name = function_of(pc)
        if not name.startswith(SLEEPING):
            return name
    return "-"
