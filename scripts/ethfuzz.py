"""Frames that are almost right, for scripts/fuzz-net.

`Maker(random, peer)` draws them: each kind() makes a list of frames.  A frame is built by the rules first, with fields drawn from what is usual and
from what hurts (hurt()); then damage() may change bytes anywhere, and mend() adds up the checksums again, so that what is wrong is
met behind them.  `Talk` is a TCP connection to the guest whose ports and numbers are known, to be told rubbish at the right place."""
import socket, struct, threading
from ethpeer import checksum

NUMBERS = [0, 1, 2, 3, 4, 7, 8, 15, 16, 19, 20, 21, 39, 40, 41, 59, 60, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1280, 1499, 1500, 1501, 2047, 4095, 8191, 32767,
           32768, 65507, 65515, 65534, 65535, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]
GROUP4, GROUP6 = socket.inet_aton('239.9.9.9'), socket.inet_pton(socket.AF_INET6, 'ff02::99')
ALL6 = socket.inet_pton(socket.AF_INET6, 'ff02::1')
PORTS = [7, 9, 19, 1234, 1235, 53, 67, 68, 22, 0, 65535]

def pseudo(source, to, proto, length):
    return source + to + (struct.pack('>BBH', 0, proto, length) if len(source) == 4 else struct.pack('>IHBB', length, 0, 0, proto))

def summed(body, at, source, to, proto):
    """body with its checksum filled in at `at`; source None: without a pseudo-header."""
    if len(body) < at + 2: return body
    body = body[:at] + b'\0\0' + body[at + 2:]
    s = checksum((pseudo(source, to, proto, len(body)) if source else b'') + body)
    if proto == 17 and not s: s = 0xffff
    return body[:at] + struct.pack('>H', s) + body[at + 2:]

SUM_AT = {6: 16, 17: 6, 1: 2, 2: 2, 58: 2}

def mend(frame):
    """Add up the checksums as far as the headers can be followed."""
    if frame[12:14] == b'\x08\x00' and len(frame) >= 34:
        head = (frame[14] & 15) * 4
        if head < 20 or len(frame) < 14 + head: return frame
        ip = frame[14:24] + b'\0\0' + frame[26:14 + head]
        ip = ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:]
        end = min(len(frame), 14 + struct.unpack('>H', ip[2:4])[0])
        body, proto = frame[14 + head:end], ip[9]
        if proto in SUM_AT and not (struct.unpack('>H', ip[6:8])[0] & 0x3fff):
            body = summed(body, SUM_AT[proto], None if proto in (1, 2) else ip[12:16], ip[16:20], proto)
        return frame[:14] + ip + body + frame[max(end, 14 + head):]
    if frame[12:14] == b'\x86\xdd' and len(frame) >= 54:
        end, at, proto = min(len(frame), 54 + struct.unpack('>H', frame[18:20])[0]), 54, frame[20]
        while proto in (0, 43, 60) and at + 8 <= end: proto, at = frame[at], at + 8 * (frame[at + 1] + 1)
        if proto in SUM_AT and at < end:
            return frame[:at] + summed(frame[at:end], SUM_AT[proto], frame[22:38], frame[38:54], proto) + frame[end:]
    return frame

class Talk:
    """One connection of ours to the guest; segments of it come by seen() on the listener's thread."""
    def __init__(self, maker, six, port, local, theirs=None):
        self.m, self.six, self.port, self.local = maker, six, port, local
        self.seq, self.ack = maker.r.getrandbits(32), theirs
        self.una, self.window, self.stamp, self.fin, self.reset, self.got = self.seq, 0, 0, False, False, b''
        self.keep, self.event = False, threading.Event()

    def seen(self, flags, seq, ack, window, stamp, data):
        if flags & 4: self.reset = True
        if flags & 2: self.ack = (seq + 1) & 0xffffffff
        elif self.ack is not None and seq == self.ack:
            self.ack = (self.ack + len(data) + (flags & 1)) & 0xffffffff
            if self.keep: self.got += data
            if flags & 1: self.fin = True
        if flags & 16: self.una = ack
        self.window, self.stamp = window, stamp or self.stamp
        self.event.set()

    def segment(self, flags, data=b'', seq=None, ack=None, window=65535, options=b'', urgent=0):
        seq = self.seq if seq is None else seq
        ack = (self.ack or 0) if ack is None else ack
        options += b'\1' * (-len(options) % 4)
        head = struct.pack('>HHIIBBHHH', self.local, self.port, seq & 0xffffffff, ack & 0xffffffff, ((20 + len(options)) // 4) << 4 & 0xf0, flags, window & 65535, 0, urgent)
        return self.m.ip(6, head + options + data, self.six)

class Maker:
    def __init__(self, r, peer):
        self.r, self.p, self.ident = r, peer, 1

    # --- pieces

    def hurt(self, bits, usual=None):
        r = self.r
        if usual is not None and r.random() < 0.7: return usual
        return (r.choice(NUMBERS) if r.random() < 0.6 else r.getrandbits(32)) & ((1 << bits) - 1)

    def bytes(self, most):
        r = self.r
        return r.randbytes(r.choice([0, 1, 2, 3, 7, 8, r.randrange(most + 1), r.randrange(min(most, 64) + 1)]))

    def eth(self, kind, to=None):
        r = self.r
        to = to or r.choices([self.p.guest_mac, b'\xff' * 6, bytes.fromhex('333300000001'), bytes.fromhex('01005e090909'), r.randbytes(6)], [40, 2, 2, 2, 1])[0]
        return to + self.p.mac + struct.pack('>H', kind)

    def source4(self): return self.r.choices([self.p.ip, self.r.randbytes(4), b'\0' * 4, b'\xff' * 4, self.p.guest4, b'\x7f\0\0\1', GROUP4], [40, 1, 1, 1, 1, 1, 1])[0]
    def to4(self): return self.r.choices([self.p.guest4, b'\xff' * 4, GROUP4, self.r.randbytes(4), b'\x7f\0\0\1', b'\xe0\0\0\1', b'\x0a\x09\0\xff'], [40, 2, 2, 1, 1, 2, 1])[0]
    def source6(self): return self.r.choices([self.p.ip6, self.p.link6, self.r.randbytes(16), bytes(16), self.p.guest6, ALL6, bytes(15) + b'\1'], [30, 10, 1, 1, 1, 1, 1])[0]
    def to6(self): return self.r.choices([self.p.guest6, self.p.guest_link6, ALL6, GROUP6, self.r.randbytes(16), bytes(15) + b'\1', bytes(16)], [30, 10, 4, 2, 1, 1, 1])[0]

    def tlvs(self, kinds, pad, end=None):
        """Options as type, length, bytes: mostly whole."""
        r, out = self.r, b''
        for _ in range(r.randrange(5)):
            body = self.bytes(12)
            out += bytes([r.choice(kinds)] + ([len(body) + pad] if r.random() < 0.8 else [r.choice([0, 1, 2, 3, 255, 40])])) + body
        return out + (bytes([end]) if end is not None and r.random() < 0.5 else b'')

    def options4(self):
        o = self.tlvs([0, 1, 7, 68, 131, 137, 148, 130, 136, 255], 2, 0)[:40]
        return o + b'\0' * (-len(o) % 4)

    def ip4(self, proto, body, source=None, to=None, fragment=0, ident=None, options=b'', usual=False):
        hurt = (lambda bits, v: v) if usual else self.hurt
        words = (20 + len(options)) // 4
        if not usual and self.r.random() < 0.03: words = self.r.randrange(16)
        total = 20 + len(options) + len(body)
        head = struct.pack('>BBHHHBBH', (4 if usual or self.r.random() < 0.99 else self.r.randrange(16)) << 4 | words & 15, hurt(8, 0),
                           (total if usual or self.r.random() < 0.95 else self.hurt(16)) & 65535,
                           (0 if usual else self.r.getrandbits(16)) if ident is None else ident, fragment, hurt(8, 64), proto, 0)
        return self.eth(0x800, self.p.guest_mac if usual else None) + head + (source or (self.p.ip if usual else self.source4())) + (to or (self.p.guest4 if usual else self.to4())) + options + body

    def ip6(self, proto, body, source=None, to=None, usual=False):
        length = len(body) if usual or self.r.random() < 0.95 else self.hurt(16)
        head = struct.pack('>IHBB', (6 if usual or self.r.random() < 0.99 else self.r.randrange(16)) << 28 | (0 if usual else self.hurt(28, 0)), length & 65535, proto,
                           64 if usual else self.hurt(8, 255))
        return self.eth(0x86dd, self.p.guest_mac if usual else None) + head + (source or (self.p.ip6 if usual else self.source6())) + (to or (self.p.guest6 if usual else self.to6())) + body

    def ip(self, proto, body, six):
        """By the rules, to the guest."""
        return mend(self.ip6(proto, body, usual=True) if six else self.ip4(proto, body, usual=True))

    def damage(self, frame):
        r, b = self.r, bytearray(frame)
        for _ in range(r.choice([1, 1, 2, 4, 16])):
            if not b: break
            at, how = r.randrange(min(len(b), r.choice([20, 40, 60, 80, 100, 2000]))), r.randrange(7)
            if how == 0: b[at] ^= 1 << r.randrange(8)
            elif how == 1: b[at] = r.choice(NUMBERS) & 255
            elif how == 2: b[at:at + 2] = struct.pack('>H', r.choice(NUMBERS) & 65535)
            elif how == 3: del b[at:]
            elif how == 4: b += r.randbytes(r.randrange(64))
            elif how == 5: b[at:at] = r.randbytes(r.randrange(1, 9))
            else: del b[at:at + r.randrange(1, 9)]
        return bytes(b)

    # --- bodies: (protocol, bytes)

    def udp(self, six=False):
        body = self.bytes(1400)
        return 17, struct.pack('>HHHH', self.hurt(16, self.r.choice([5000, 1235, 53, 67])), self.r.choice(PORTS), self.hurt(16, 8 + len(body)), self.r.choice([0, 1, 2])) + body

    def tcp_options(self):
        r = self.r
        if r.random() < 0.3: return r.choice([b'', b'\2\4\5\xb4', b'\2\4\0\0', b'\2\4\0\1', b'\3\3\x0e', b'\3\3\xff', b'\4\2', b'\2\4\xff\xff\4\2\3\3\7'])
        if r.random() < 0.3: return b'\1\1\x08\x0a' + struct.pack('>II', r.getrandbits(32), r.getrandbits(32))
        return self.tlvs([0, 1, 2, 3, 4, 5, 8, 19, 28, 30, 34, 254], 2, 0)[:40]

    def tcp(self, six=False):
        o = self.tcp_options()
        o = (o + b'\0' * (-len(o) % 4))[:40]
        off = (20 + len(o)) // 4 if self.r.random() < 0.9 else self.r.randrange(16)
        return 6, struct.pack('>HHIIBBHHH', self.r.choice([1234, 4000 + self.r.randrange(64)]), self.r.choice(PORTS[:3] + [self.hurt(16)]), self.r.getrandbits(32), self.r.getrandbits(32),
                              off << 4 | self.r.randrange(16), self.r.choice([2, 16, 18, 1, 4, 20, 24, 0, 255, self.r.getrandbits(8)]), self.hurt(16, 65535), 0, self.hurt(16, 0)) + o + self.bytes(1000)

    def quoted(self, six):
        """The beginning of a packet that the guest sent, or might have."""
        if self.p.sent and self.r.random() < 0.8:
            f = self.r.choice(list(self.p.sent))
            q = f[14:14 + self.r.choice([28, 48, 68, 200, self.r.randrange(1, 100)])]
            return q if self.r.random() < 0.8 else self.damage(q)
        return self.ip4(*self.udp(), source=self.p.guest4, to=self.p.ip)[14:80] if not six else self.ip6(*self.udp(), source=self.p.guest6, to=self.p.ip6)[14:100]

    def icmp4(self):
        r = self.r
        kind = r.choice([0, 3, 3, 3, 4, 5, 8, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 30, 42, 255])
        body = self.quoted(False) if kind in (3, 4, 5, 11, 12) else self.bytes(1400)
        return 1, struct.pack('>BBHHH', kind, self.hurt(8, r.randrange(16)), 0, self.hurt(16, 0), self.hurt(16, 576)) + body

    def nd_options(self):
        r, out = self.r, b''
        for _ in range(r.randrange(6)):
            kind, room = r.choice([1, 2, 3, 3, 4, 5, 14, 24, 25, 31, 253]), r.choice([1, 1, 2, 4, 4, 0, 255])
            if kind == 3: body = struct.pack('>BBIII', r.choice([64, 0, 128, 129, 255, 48]), r.choice([0xc0, 0x80, 0x40, 0xff]), self.hurt(32, 3600), self.hurt(32, 3600), 0) + r.choice(
                [bytes.fromhex('fd09') + bytes(14), r.randbytes(16), bytes.fromhex('fe80') + bytes(14), ALL6])
            elif kind == 5: body = struct.pack('>HI', 0, self.hurt(32, 1500))
            elif kind in (1, 2): body = r.choice([self.p.mac, r.randbytes(6), self.p.guest_mac, b'\xff' * 6])
            else: body = r.randbytes(max(room * 8 - 2, 0) % 300)
            if r.random() < 0.8: room = (len(body) + 2 + 7) // 8
            out += bytes([kind, room & 255]) + body
        return out if r.random() < 0.9 else out[:r.randrange(len(out) + 1)]

    def nd(self):
        """Router and neighbour discovery, redirects: (protocol, bytes)."""
        r = self.r
        target = r.choice([self.p.guest6, self.p.guest_link6, self.p.ip6, self.p.link6, r.randbytes(16), ALL6, bytes(16)])
        kind = r.choice([133, 134, 134, 135, 135, 136, 136, 137])
        head = struct.pack('>BBH', kind, self.hurt(8, 0), 0)
        if kind == 133: head += bytes(4)
        elif kind == 134: head += struct.pack('>BBHII', self.hurt(8, 64), r.choice([0, 0x80, 0x40, 0xff]), self.hurt(16, 1800), self.hurt(32, 0), self.hurt(32, 0))
        elif kind == 137: head += bytes(4) + target + r.choice([self.p.ip6, r.randbytes(16)])
        else: head += struct.pack('>I', r.choice([0, 0x60000000, 0xe0000000, 0x20000000])) + target
        return 58, head + self.nd_options()

    def icmp6(self):
        r = self.r
        kind = r.choice([1, 2, 3, 4, 128, 129, 100, 138, 139, 255])
        body = self.quoted(True) if kind < 5 else self.bytes(1200)
        return 58, struct.pack('>BBHI', kind, self.hurt(8, r.randrange(8)), 0, self.hurt(32, 1280)) + body

    def mld(self):
        r = self.r
        kind, group = r.choice([130, 130, 131, 132, 143]), r.choice([bytes(16), GROUP6, r.randbytes(16), ALL6])
        more = struct.pack('>BBH', self.hurt(8, 2), self.hurt(8, 125), self.hurt(16, 1)) + r.randbytes(16) if r.random() < 0.4 else b''
        return 58, struct.pack('>BBHHH', kind, 0, 0, self.hurt(16, 1000), 0) + group + more

    def igmp(self):
        r = self.r
        kind, group = r.choice([0x11, 0x11, 0x12, 0x16, 0x17, 0x22, 0x13]), r.choice([bytes(4), GROUP4, r.randbytes(4)])
        more = struct.pack('>BBH', self.hurt(8, 2), self.hurt(8, 125), self.hurt(16, 1)) + r.randbytes(4 * r.randrange(3)) if r.random() < 0.4 else b''
        return 2, struct.pack('>BBH', kind, self.hurt(8, 100), 0) + group + more

    def other(self): return self.r.choice([0, 4, 41, 47, 50, 51, 59, 99, 99, 132, 136, 255]), self.bytes(1400)

    def dhcp(self):
        r, asked = self.r, self.p.dhcp_asked
        xid, mac = (asked or (r.randbytes(4), self.p.guest_mac))
        o = bytes([53, 1, r.choice([2, 2, 5, 6, 1, 255])]) + bytes([54, 4]) + self.p.ip + bytes([51, 4]) + struct.pack('>I', self.hurt(32, 600)) + bytes([1, 4, 255, 255, 255, 0])
        o += self.tlvs([1, 3, 6, 12, 15, 28, 33, 43, 52, 66, 67, 119, 121, 249, 255], 0) + (b'\xff' if r.random() < 0.8 else b'')
        body = struct.pack('>BBBB', r.choice([2, 2, 2, 1, 0]), self.hurt(8, 1), self.hurt(8, 6), 0) + xid + bytes(8) + b'\x0a\x09\0\x63' + self.p.ip + bytes(4) + mac.ljust(16, b'\0') + bytes(192)
        body += (b'\x63\x82\x53\x63' if r.random() < 0.9 else r.randbytes(4)) + o
        return 17, struct.pack('>HHHH', 67, 68, 8 + len(body), 0) + body

    def name(self):
        r = self.r
        return r.choice([b'\xc0\x0c', b'\xc0\xff', b'\3www\7example\0', b'\x3f' + r.randbytes(10), b'\xc0\0', b'\x80\0', b'\0'])

    def dns(self):
        r, asked = self.r, self.p.dns_asked
        port, question = asked or (5000, r.randbytes(12) + b'\3www\7example\0\0\1\0\1')
        out = question[:2] + struct.pack('>HHHHH', r.choice([0x8180, 0x8183, 0x8380, self.hurt(16)]), 1, self.hurt(16, 1), self.hurt(16, 0), self.hurt(16, 0)) + question[12:]
        for _ in range(r.randrange(4)):
            data = r.choice([b'\x0a\x09\0\1', r.randbytes(16), self.name(), self.bytes(200)])
            out += self.name() + struct.pack('>HHIH', r.choice([1, 28, 5, 16, 6, 12, 41]), 1, 60, len(data) if r.random() < 0.8 else self.hurt(16)) + data
        return 17, struct.pack('>HHHH', 53, port, 8 + len(out), 0) + out

    # --- kinds of frames

    def frames_ether(self):
        r = self.r
        kind = r.choice([0x800, 0x86dd, 0x806, 0x8100, 0x88a8, 0x8864, 0x88cc, 0, 46, 1500, 1501, 0xffff, r.getrandbits(16)])
        body = self.bytes(3000)
        if kind in (0x8100, 0x88a8): body = r.randbytes(2) + b'\x08\0' + self.ip4(*self.udp())[14:]
        return [(self.eth(kind) + body)[:r.choice([5000, 5000, r.randrange(1, 40)])]]

    def frames_arp(self):
        r = self.r
        who = [self.p.ip, self.p.guest4, r.randbytes(4), b'\0' * 4, b'\xff' * 4, b'\x0a\x09\0' + r.randbytes(1)]
        arp = struct.pack('>HHBBH', self.hurt(16, 1), self.hurt(16, 0x800), self.hurt(8, 6), self.hurt(8, 4), self.hurt(16, r.choice([1, 2])))
        arp += r.choice([self.p.mac, self.p.mac, r.randbytes(6), self.p.guest_mac]) + r.choice(who) + r.choice([bytes(6), self.p.guest_mac, b'\xff' * 6]) + r.choice(who)
        return [self.eth(0x806) + arp + bytes(r.choice([0, 18, 1000]))]

    def body4(self): return self.r.choice([self.udp, self.udp, self.tcp, self.icmp4, self.icmp4, self.igmp, self.other, self.dhcp, self.dns])()
    def body6(self): return self.r.choice([self.udp, self.tcp, self.icmp6, self.icmp6, self.nd, self.nd, self.nd, self.mld, self.other])()

    def frames_ip4(self):
        proto, body = self.body4()
        return [mend(self.ip4(proto, body, options=self.options4() if self.r.random() < 0.3 else b'', fragment=self.r.choice([0] * 9 + [0x4000, 0x8000, 0x2000])))]

    def frames_answer(self):
        """DHCP and DNS to those who asked."""
        proto, body = self.r.choice([self.dhcp, self.dns])()
        return [mend(self.ip4(proto, body, usual=self.r.random() < 0.9))]

    def frames_fragments4(self):
        r = self.r
        proto, body = self.body4()
        if r.random() < 0.5: body += r.randbytes(r.randrange(5000))
        whole = mend(self.ip4(proto, body, usual=True))[34:]
        if r.random() < 0.4:		# one that would be right
            cuts = sorted({0, *(r.randrange(0, len(whole) + 1, 8) for _ in range(r.randrange(6)))}) + [len(whole)]
            pieces = [(a, whole[a:b], b < len(whole)) for a, b in zip(cuts, cuts[1:])]
            if r.random() < 0.5: r.shuffle(pieces)
        else:
            pieces = []
            for _ in range(r.randrange(1, 12)):
                at = r.choice([r.randrange(0, len(whole) + 64, 8), 0, 8, 65528, 65512, r.randrange(0, 65536, 8)])
                pieces.append((at, (whole[at:] or whole)[:r.choice([0, 1, 8, 16, 24, 100, 1400, r.randrange(1, 1480)])], r.random() < 0.7))
        ident, source = r.choice([r.getrandbits(16), self.ident]), self.source4()
        self.ident = ident
        options = self.options4() if r.random() < 0.2 else b''
        return [mend(self.ip4(proto, data, source, self.p.guest4, (0x2000 if more else 0) | at // 8, ident, options if r.random() < 0.9 else b'', r.random() < 0.9)) for at, data, more in pieces]

    def extension(self, next_header):
        """A header before the next: (its number, its bytes)."""
        r, kind = self.r, self.r.choice([0, 43, 60, 60, 0, 44, 51, 135, 59])
        body = self.tlvs([0, 1, 5, 0xc2, 0xc9, 0x1e, 0x3e, 0x7e, 0xbe, 0xfe], 0) if kind in (0, 60) else bytes([r.choice([0, 2, 3, 4]), r.choice([0, 1, 255])]) + r.randbytes(4 + 16 * r.randrange(3))
        if kind == 44: return kind, struct.pack('>BBHI', next_header, 0, r.choice([0, 1, 8, r.getrandbits(16)]), r.getrandbits(32))
        body += b'\0' * (-(len(body) + 2) % 8)
        return kind, bytes([next_header, (len(body) + 2) // 8 - 1 if r.random() < 0.85 else r.choice([0, 1, 2, 255])]) + body

    def frames_ip6(self):
        proto, body = self.body6()
        frame = mend(self.ip6(proto, body))
        if self.r.random() < 0.4:
            body = frame[54:]
            for _ in range(self.r.choice([1, 1, 2, 3, 10])):
                proto, more = self.extension(proto)
                body = more + body
            frame = mend(self.ip6(proto, body[:1480]))
        return [frame]

    def frames_neighbours(self):
        """Discovery as it should be on the wire (255 hops), with wrong contents."""
        proto, body = self.nd()
        return [mend(self.eth(0x86dd) + struct.pack('>IHBB', 0x60000000, len(body), proto, 255) + self.r.choice([self.p.link6, self.p.link6, self.source6()]) + self.to6() + body)]

    def frames_fragments6(self):
        r = self.r
        proto, body = self.body6()
        if r.random() < 0.5: body += r.randbytes(r.randrange(4000))
        whole = mend(self.ip6(proto, body, usual=True))[54:]
        out, ident = [], r.choice([r.getrandbits(32), self.ident])
        self.ident = ident & 65535
        if r.random() < 0.4:
            cuts = sorted({0, *(r.randrange(0, len(whole) + 1, 8) for _ in range(r.randrange(6)))}) + [len(whole)]
            pieces = [(a, whole[a:b], b < len(whole)) for a, b in zip(cuts, cuts[1:])]
            if r.random() < 0.5: r.shuffle(pieces)
        else:
            pieces = [(r.choice([0, 8, 16, 65528, r.randrange(0, 65536, 8), r.randrange(0, len(whole) + 8, 8)]), whole[:r.choice([0, 1, 7, 8, 16, 64, 1000])], r.random() < 0.7)
                      for _ in range(r.randrange(1, 12))]
        before = [self.extension(44) for _ in range(r.choice([0, 0, 0, 1, 2]))]
        for at, data, more in pieces:
            number, body = 44, struct.pack('>BBHI', proto if r.random() < 0.95 else r.getrandbits(8), 0, at & 0xfff8 | more, ident) + data
            for kind, head in before: number, body = kind, head + body
            out.append(self.ip6(number, body, self.p.ip6, self.p.guest6, usual=r.random() < 0.95))
        return out

    def talk_frames(self, t):
        """A few segments of a connection: some as they should be, the rest near."""
        r, out, seq = self.r, [], t.seq
        if t.ack is None: return [t.segment(2, options=self.tcp_options()[:40])]
        near = lambda v: (v + r.choice([0, 0, 0, 1, -1, 2, 100, -100, 1460, 2920, 65535, -65535, 1 << 20, 1 << 30, 1 << 31])) & 0xffffffff
        for _ in range(r.randrange(1, 8)):
            what, options = r.randrange(12), b''
            if r.random() < 0.4: options = b'\1\1\x08\x0a' + struct.pack('>II', r.choice([t.stamp, 1, 0xffffffff, r.getrandbits(32)]), t.stamp)
            if r.random() < 0.2: options = self.tcp_options()[:40]
            if r.random() < 0.2: options += (b'\5' + bytes([2 + 8 * r.randrange(1, 4)]) + struct.pack('>II', near(t.una), near(t.una)))[:40 - len(options)]
            data = self.bytes(1400)
            if what < 3:		# by the rules
                out.append(t.segment(24, data, seq))
                seq = (seq + len(data)) & 0xffffffff
            elif what == 3: out.append(t.segment(16, b'', seq, near(t.ack), self.hurt(16, 0), options))
            elif what == 4: out.append(t.segment(17, data if r.random() < 0.5 else b'', near(seq)))
            elif what == 5: out.append(t.segment(r.choice([4, 20]), b'', near(near(seq))))
            elif what == 6: out.append(t.segment(2 | r.choice([0, 16]), data, near(seq), None, 65535, self.tcp_options()[:40]))
            elif what == 7: out.append(t.segment(0x38, data, near(seq), None, 65535, options, self.hurt(16)))
            elif what == 8: out += [t.segment(16, b'', None, t.una, 0)] * r.randrange(1, 6)		# acknowledged again and again
            else: out.append(t.segment(r.choice([16, 24, 25, 0, 255, r.getrandbits(8)]), data, near(seq), near(t.ack), self.hurt(16, 65535), options[:40], self.hurt(16, 0)))
        if r.random() < 0.2: r.shuffle(out)
        t.seq = seq
        return out

    def draw(self):
        """Some frames of one kind."""
        r = self.r
        kinds = [self.frames_ether, self.frames_arp, self.frames_ip4, self.frames_ip4, self.frames_ip4, self.frames_fragments4, self.frames_ip6, self.frames_ip6, self.frames_fragments6,
                 self.frames_neighbours, self.frames_neighbours, self.frames_answer]
        if self.p.talks and r.random() < 0.5: frames = self.talk_frames(r.choice(list(self.p.talks.values())))
        else: frames = r.choice(kinds)()
        if r.random() < 0.15: frames = [self.damage(f) for f in frames]
        if r.random() < 0.10: frames = [mend(self.damage(f)) for f in frames]
        if r.random() < 0.05: frames = frames + frames
        return frames
