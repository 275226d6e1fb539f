"""The log ring as kernel/logring.c packs it."""
import re
import gdb
import sarsenlib as k


class Record:
    def __init__(self, seq, us, level, facility, text):
        self.seq, self.us, self.level, self.facility, self.text = seq, us, level, facility, text


def pairs():
    """the 128 pairs of characters, from the kernel's own table"""
    first = gdb.parse_and_eval("pair_first").string()
    second = gdb.parse_and_eval("pair_second")
    table = []
    for i in range(16):
        row = bytes(int(second[i][j]) & 0xff for j in range(8)).decode()
        table += [first[i] + c for c in row]
    return table


def unpack(data, table):
    out, i = [], 0
    while i < len(data):
        if data[i] >= 0x80:
            out.append(table[data[i] & 0x7f])
        else:
            if data[i] == 0x7f:
                i += 1
            out.append(chr(data[i]) if i < len(data) else "")
        i += 1
    return re.sub(r"[^\x20-\x7e\t]", lambda m: "\\x%02x" % ord(m.group()), "".join(out))


def records():
    ring = gdb.parse_and_eval("'printk.c'::ring")
    buf = k.read(int(ring["buf"]), int(ring["size"]))
    table = pairs()
    seq, off, us = (int(ring["head"][f]) for f in ("seq", "off", "ts_us"))
    while seq < int(ring["tail"]["seq"]):
        if seq == int(ring["wrap_seq"]):
            off = 0
        head = buf[off]
        nr_time = head & 15
        off += 1
        us += int.from_bytes(buf[off:off + nr_time], "little")
        off += nr_time
        facility = 0
        if head & 16:
            facility = buf[off]
            off += 1
        length = buf[off]
        off += 1
        if length & 0x80:
            length = (length & 0x7f) << 8 | buf[off]
            off += 1
        yield Record(seq, us, head >> 5, facility, unpack(buf[off:off + length], table))
        off += length
        seq += 1
