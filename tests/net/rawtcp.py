"""TCP over a Peer's raw Ethernet (scripts/ethpeer.py), which can be told to misbehave: RFC 9293 as far as a test needs it, no congestion control.

A Wire loses, doubles, delays and damages what either side sends; a Connection is one end of a stream, driven by the thread that calls
Connection.run(): it opens, sends `data`, takes what comes, closes, and says how it ended.  What it may be told to do wrong: see Habits."""
import dataclasses, queue, random, socket, struct, threading, time
import ethpeer

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
seq_add = lambda a, n: (a + n) & 0xffffffff
seq_diff = lambda a, b: ((a - b + 0x80000000) & 0xffffffff) - 0x80000000

def _table():
    x, out = 1, bytearray()
    for _ in range(65521):
        x = (x * 1103515245 + 12345) & 0xffffffff
        out.append(x >> 16 & 0xff)
    return bytes(out)
TABLE = _table()

def pattern(n):
    """The bytes that both sides send: tests/net/talk.c makes the same."""
    return (TABLE * (n // len(TABLE) + 1))[:n]

@dataclasses.dataclass
class Segment:
    source: int; target: int; seq: int; ack: int; flags: int; window: int
    options: dict = dataclasses.field(default_factory=dict)
    data: bytes = b''
    def length(self): return len(self.data) + bool(self.flags & SYN) + bool(self.flags & FIN)

def parse_options(text):
    found, at = {}, 0
    while at < len(text) and text[at]:
        if text[at] == 1: at += 1; continue
        if at + 1 >= len(text) or text[at + 1] < 2: break
        found[text[at]] = text[at + 2:at + text[at + 1]]
        at += text[at + 1]
    return found

class Wire(ethpeer.Peer):
    """A Peer with TCP: segments for a connection go into its queue.  Rates are for both directions, from 0 to 1."""
    def __init__(self, seed=1):
        self.connections, self.listeners, self.lock = {}, {}, threading.Lock()
        self.random, self.loss, self.duplicate, self.reorder, self.damage = random.Random(seed), 0, 0, 0, 0
        self.deaf, self.mine, self.theirs = False, 0, 0
        super().__init__()
        self.guest_ip = socket.inet_aton('10.9.0.2')

    def behave(self, **rates):
        self.loss = self.duplicate = self.reorder = self.damage = 0
        self.deaf = False
        for k, v in rates.items(): setattr(self, k, v)

    def fate(self, deliver):
        """Deliver something never, once, twice or late."""
        r = self.random.random
        if self.deaf or r() < self.loss: return
        for _ in range(2 if r() < self.duplicate else 1):
            if r() < self.reorder: threading.Timer(0.005 + 0.02 * r(), deliver).start()
            else: deliver()

    def hear(self, frame):
        if frame[12:14] != b'\x08\x00' or frame[23] != 6 or frame[30:34] != self.ip: return
        head = (frame[14] & 15) * 4
        body = frame[14 + head:14 + struct.unpack('>H', frame[16:18])[0]]
        source, target, seq, ack, offset, flags, window = struct.unpack('>HHIIBBH', body[:16])
        at = (offset >> 4) * 4
        s = Segment(source, target, seq, ack, flags, window, parse_options(body[20:at]), body[at:])
        s.raw = frame[14:14 + head + 8]
        self.theirs += 1
        def deliver():
            with self.lock: box = self.connections.get((source, target)) or (self.listeners.get(target) if flags & SYN else None)
            if box is not None: box.put(s)
        self.fate(deliver)

    def transmit(self, s, wrong_checksum=False):
        options = b''
        for kind, value in s.options.items(): options += bytes([kind, 2 + len(value)]) + value
        options += b'\1' * (-len(options) % 4)
        head = struct.pack('>HHIIBBHHH', s.source, s.target, s.seq, s.ack, (20 + len(options)) // 4 << 4, s.flags, s.window, 0, 0) + options
        length = len(head) + len(s.data)
        sum_ = ethpeer.checksum(self.ip + self.guest_ip + struct.pack('>HH', 6, length) + head + s.data) ^ (0x5555 if wrong_checksum else 0)
        self.mine += 1
        frame = self.packet(6, head[:16] + struct.pack('>H', sum_) + head[18:] + s.data)
        if self.random.random() < self.damage:
            at = self.random.randrange(34, len(frame))
            self.fate(lambda: self.send(frame[:at] + bytes([frame[at] ^ 1 << self.random.randrange(8)]) + frame[at + 1:]))
        self.fate(lambda: self.send(frame))

    def packet(self, protocol, body):
        ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(body), self.random.randrange(65536), 0, 64, protocol, 0) + self.ip + self.guest_ip
        ip = ip[:10] + struct.pack('>H', ethpeer.checksum(ip)) + ip[12:]
        return (self.guest or b'\xff' * 6) + self.mac + b'\x08\x00' + ip + body

    def icmp_error(self, kind, code, segment, rest=0):
        """A report about what the guest sent, as a router would send it."""
        body = struct.pack('>BBHI', kind, code, 0, rest) + segment.raw
        self.send(self.packet(1, body[:2] + struct.pack('>H', ethpeer.checksum(body)) + body[4:]))

@dataclasses.dataclass
class Habits:
    """How a connection of ours behaves; the defaults are good manners."""
    mss: int = 1460             # what we say we take
    largest: int = 1460         # bytes in a segment of ours
    window: object = 65535      # bytes we say we have room for: a number, or a function of (connection, seconds since it began)
    scale: int = -1             # window scaling, -1: none
    stamps: bool = False
    sack: bool = False
    backwards: bool = False     # what we send of one burst goes last segment first
    overlap: int = 0            # bytes of the segment before that each segment repeats
    jumble: float = 0           # of the segments of one burst, so many are sent twice, moved to another place, or begin earlier
    holes: bool = False         # of each burst of ten and more, the first segment is left out, until its absence was told
    noise: bool = False         # segments beside the stream that must not disturb it
    flight: int = 30000         # bytes on their way
    hook: object = None         # called with (connection, segment) for each that comes; True: it is not looked at further

class Reset(Exception): pass
class Silence(Exception): pass

class Connection:
    """One end.  active: we send the first SYN.  `run` returns when both directions are closed; raises Reset or Silence."""
    def __init__(self, wire, port, peer_port=0, active=False, data=b'', habits=None, keep_open=False):
        self.wire, self.port, self.peer_port, self.active, self.data = wire, port, peer_port, active, data
        self.habits, self.keep_open = habits or Habits(), keep_open
        self.iss = wire.random.randrange(1 << 32)
        self.una = self.next = self.iss             # sequence numbers of ours
        self.expected, self.peer_window, self.peer_scale, self.peer_mss, self.peer_stamp = 0, 0, 0, 536, 0
        self.scaling = self.stamping = False
        self.got, self.early, self.peer_closed, self.began = bytearray(), {}, False, time.monotonic()
        self.box = queue.Queue()
        self.retransmissions, self.probes, self.resent_at, self.same_acks, self.dead = 0, 0, 0, 0, False
        self.holes, self.told = 0, 0                # segments that were left out; those whose absence was told by three acknowledgements and more
        with wire.lock:
            if active: wire.connections[peer_port, port] = self.box
            else: wire.listeners[port] = self.box

    def done(self):
        with self.wire.lock:
            self.wire.listeners.pop(self.port, None)
            self.wire.connections.pop((self.peer_port, self.port), None)

    # --- out
    def room(self):
        w = self.habits.window
        return max(0, w(self, time.monotonic() - self.began) if callable(w) else w)

    def emit(self, flags, seq=None, data=b'', ack=None, **more):
        options = {}
        if flags & SYN:
            options[2] = struct.pack('>H', self.habits.mss)
            if self.habits.scale >= 0 and (self.active or self.scaling): options[3] = bytes([self.habits.scale])
            if self.habits.sack: options[4] = b''
        if self.habits.stamps and (self.stamping or flags == SYN):
            options[8] = struct.pack('>II', int(time.monotonic() * 1000) & 0xffffffff, self.peer_stamp)
        if self.habits.sack and self.early and not flags & SYN:
            options[5] = b''.join(struct.pack('>II', s, seq_add(s, len(d))) for s, d in sorted(self.early.items())[:3])
        window = self.room() >> (self.habits.scale if self.scaling and not flags & SYN else 0)
        s = Segment(self.port, self.peer_port, self.next if seq is None else seq, (self.expected if ack is None else ack) if flags & ACK else 0, flags,
                    min(window, 65535), options, data)
        self.wire.transmit(s, **more)

    def offset(self, seq): return seq_diff(seq, self.iss) - 1

    def pump(self):
        """Send what the window lets us; the end of the stream after the last byte."""
        burst = []
        while True:
            at, flying = self.offset(self.next), seq_diff(self.next, self.una)
            if at > len(self.data): break
            size = min(self.habits.largest, self.peer_mss, len(self.data) - at, self.peer_window - flying, self.habits.flight - flying)
            if at < len(self.data):
                if size <= 0: break
                from_ = max(0, at - self.habits.overlap)
                burst.append((seq_add(self.iss, 1 + from_), self.data[from_:at + size]))
                self.next = seq_add(self.next, size)
            else:
                if self.keep_open: break
                burst.append((self.next, None))
                self.next = seq_add(self.next, 1)
        if self.habits.jumble: self.mix(burst)
        if self.habits.holes and len(burst) >= 10 and burst[0][0] == self.una:
            burst.pop(0)
            self.holes += 1
        for seq, data in reversed(burst) if self.habits.backwards else burst:
            if data is None: self.emit(FIN | ACK, seq)
            else: self.emit(PSH | ACK, seq, data)
        if self.habits.noise and burst: self.disturb()

    def mix(self, burst):
        r = self.wire.random
        for i in range(len(burst)):
            if r.random() > self.habits.jumble: continue
            seq, data = burst[i]
            choice, at = r.randrange(3), r.randrange(len(burst))
            if choice == 0: burst.insert(at, burst[i])
            elif choice == 1: burst.insert(at, burst.pop(i))
            elif data is not None:
                begin = max(0, self.offset(seq) - r.randrange(1, 700))
                burst[i] = seq_add(self.iss, 1 + begin), self.data[begin:self.offset(seq) + len(data)]

    def disturb(self):
        """What an attacker or a confused host might send: none of it is part of the stream."""
        r, junk = self.wire.random, b'\xee' * 100
        choice = r.randrange(7)
        if choice == 0: self.emit(ACK, seq_add(self.una, -70000), junk)                       # long past
        elif choice == 1: self.emit(ACK, seq_add(self.next, 1 << 24), junk)                   # far beyond the window
        elif choice == 2: self.emit(ACK, self.next, junk, wrong_checksum=True)
        elif choice == 3: self.emit(RST, seq_add(self.next, 500))                             # in the window, but not the next (RFC 5961)
        elif choice == 4: self.emit(RST, seq_add(self.next, -100000))
        elif choice == 5: self.emit(SYN, seq_add(self.next, 1000))                            # RFC 5961: an ACK answers it
        else: self.emit(ACK, self.next, ack=seq_add(self.expected, 1 << 20))                  # acknowledges what was not sent

    def resend(self):
        """The first segment that is not acknowledged, again."""
        self.retransmissions += 1
        self.resent_at = time.monotonic()
        at = self.offset(self.una)
        if at < 0: return self.emit(SYN | (0 if self.active and not self.expected else ACK), self.iss)
        if at < len(self.data):         # or a byte into a window that is shut, to ask
            piece = self.data[at:at + min(self.habits.largest, self.peer_mss, max(1, self.peer_window))]
            if seq_diff(seq_add(self.una, len(piece)), self.next) > 0: self.next = seq_add(self.una, len(piece))
            self.emit(ACK | PSH, self.una, piece)
        elif not self.keep_open: self.emit(FIN | ACK, self.una)

    # --- in
    def take(self, s):
        if self.habits.hook and self.habits.hook(self, s): return
        if s.flags & RST: raise Reset()
        if 8 in s.options and len(s.options[8]) == 8:
            self.stamping |= bool(s.flags & SYN)
            if seq_diff(s.seq, self.expected) <= 0: self.peer_stamp = struct.unpack('>II', s.options[8])[0]
        if s.flags & SYN:
            if not self.expected:
                self.expected = seq_add(s.seq, 1)
                self.peer_mss = struct.unpack('>H', s.options.get(2, b'\x02\x18'))[0]
                self.scaling = 3 in s.options and self.habits.scale >= 0
                self.peer_scale = s.options[3][0] if self.scaling else 0
                if not self.active:
                    self.peer_port = s.source
                    with self.wire.lock:
                        self.wire.listeners.pop(self.port, None)
                        self.wire.connections[s.source, s.target] = self.box
                    self.next = seq_add(self.iss, 1)
                    self.emit(SYN | ACK, self.iss)
                    return
            if not s.flags & ACK: return self.emit(SYN | ACK, self.iss)       # theirs again: ours was lost
        if s.flags & ACK: self.acknowledged(s)
        if s.length() - bool(s.flags & SYN) > 0 or s.flags & SYN: self.arrived(s)
        elif seq_diff(s.seq, self.expected) < 0: self.emit(ACK)              # a keep-alive or a probe
        self.pump()

    def acknowledged(self, s):
        if seq_diff(s.ack, self.next) > 0: return
        if seq_diff(s.ack, self.una) > 0:
            self.una, self.same_acks = s.ack, 0
            self.resent_at = time.monotonic()
        elif s.ack == self.una and self.una != self.next and not s.length():
            self.same_acks += 1
            if self.same_acks == 3:
                self.told += 1
                self.resend()
        self.peer_window = s.window << (0 if s.flags & SYN else self.peer_scale)

    def arrived(self, s):
        data, seq = s.data, seq_add(s.seq, bool(s.flags & SYN))
        room = self.room()
        if data:
            behind = seq_diff(self.expected, seq)
            if behind > 0: data, seq = data[behind:], self.expected
            if seq_diff(seq, self.expected) + len(data) > max(room, 1): self.probes += 1      # more than we said we would take: only the start is kept
            data = data[:max(0, room - seq_diff(seq, self.expected))]
            if data: self.early[seq] = max(self.early.get(seq, b''), data, key=len)
        if s.flags & FIN: self.fin_at = seq_add(s.seq, len(s.data))
        while self.early:
            first = min(self.early, key=lambda k: seq_diff(k, self.expected))
            gap = seq_diff(first, self.expected)
            if gap > 0: break
            piece = self.early.pop(first)[-gap:]
            self.got += piece
            self.expected = seq_add(self.expected, len(piece))
        if not self.peer_closed and getattr(self, 'fin_at', None) == self.expected:
            self.peer_closed = True
            self.expected = seq_add(self.expected, 1)
        self.emit(ACK)

    def finished(self):
        return self.peer_closed and (self.keep_open or self.offset(self.una) == len(self.data) + 1)

    def run(self, until=None, patience=30):
        """Until both sides have closed, or until(self)."""
        last = time.monotonic()
        if self.active and self.una == self.next:
            self.next = seq_add(self.iss, 1)
            self.resent_at = last
            self.emit(SYN, self.iss)
        while not (until(self) if until else self.finished()):
            try:
                self.take(self.box.get(timeout=0.02))
                last = time.monotonic()
            except queue.Empty: self.pump() if self.expected else None
            now = time.monotonic()
            if now - last > patience: raise Silence(f'{len(self.got)} came, {self.offset(self.una)} of ours were taken')
            if self.una != self.next and now - self.resent_at > 0.25: self.resend()
            elif self.offset(self.una) < len(self.data) and self.expected and not self.peer_window and now - self.resent_at > 0.25: self.resend()    # theirs is shut: ask
        return self

    def linger(self, seconds=0.3):
        """After the end: acknowledge what is said again, as TIME_WAIT does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try: s = self.box.get(timeout=0.02)
            except queue.Empty: continue
            if s.flags & RST: continue
            if s.length(): self.emit(ACK)
        self.done()

    def reset(self): self.emit(RST | ACK)
