"""A walk of AArch64 translation tables, 4 KiB granule, 48 bits (Arm ARM D5.3), with the bits that arch/arm64/pagetable.h defines."""
import struct

ADDR = 0x0000fffffffff000
ATTR = {0: "normal, write-back", 1: "device nGnRE", 2: "normal, not cached"}		# MAIR_VALUE in arch/arm64/include/arch/asm.h
SIZE = {0: "512 GiB", 1: "1 GiB", 2: "2 MiB", 3: "4 KiB"}


def attributes(e, user):
    words = [ATTR.get(e >> 2 & 7, "memory type %d" % (e >> 2 & 7))]
    words.append("read-only" if e & 1 << 7 else "writable")
    words.append("user and kernel" if e & 1 << 6 else "kernel only")
    words.append("executable by the kernel" if not e & 1 << 53 else "not executable by the kernel")
    words.append("executable by programs" if not e & 1 << 54 else "not executable by programs")
    words.append(("not shared", "reserved shareability", "outer shareable", "inner shareable")[e >> 8 & 3])
    if not e & 1 << 10:
        words.append("access flag clear")
    words.append("this address space" if e & 1 << 11 else "global")
    if e & 1 << 52:
        words.append("contiguous")
    if e & 1 << 56:
        words.append("special (no struct page)")
    return ", ".join(words)


def walk(root, addr, read_phys):
    """lines that tell the walk of addr from the table at physical address root"""
    table = root
    for level in range(4):
        shift = 39 - 9 * level
        index = addr >> shift & 511
        e, = struct.unpack("<Q", read_phys(table + 8 * index, 8))
        yield "level %d: table %012x [%3d] = %016x" % (level, table, index, e)
        if not e & 1:
            if level == 3 and e & 1 << 55:
                yield "  page %012x, kept but out of the program's reach (PROT_NONE)" % (e & ADDR)
            else:
                yield "  not mapped"
            return
        if level < 3 and e & 2:
            table = e & ADDR
            continue
        low = (1 << shift) - 1
        yield "  %s of %s at physical %012x: %s" % ("page" if level == 3 else "block", SIZE[level], e & ADDR & ~low, attributes(e, 0))
        yield "  %016x is physical %012x" % (addr, e & ADDR & ~low | addr & low)
        return
