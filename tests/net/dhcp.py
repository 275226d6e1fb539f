"""A DHCP server over a Peer's raw Ethernet (RFC 2131): short leases, refusals, silence, nonsense.  What it does with each request is the
caller's plan; what it saw stands in `requests` and, if it should not be, `wrong`."""
import collections, random, socket, struct
import ethpeer

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = range(1, 8)
COOKIE = bytes.fromhex('63825363')

class Server(ethpeer.Peer):
    """plan(kind) for each message says what to do: 'ack', 'nak', 'silence' or 'nonsense' (rubbish first, then the answer).  kind: discover,
    select (the first request), renew (to us alone), rebind (to all), release, decline."""
    def __init__(self, plan, lease=10, first='10.9.0.50'):
        self.plan, self.lease, self.address = plan, lease, struct.unpack('>I', socket.inet_aton(first))[0]
        self.requests, self.random, self.wrong = collections.Counter(), random.Random(1), []
        super().__init__()

    def hear(self, frame):
        if len(frame) < 14 + 20 + 8 + 240 or frame[12:14] != b'\x08\x00' or frame[23] != 17: return
        head = 14 + (frame[14] & 15) * 4
        source, target, length = struct.unpack('>HHH', frame[head:head + 6])
        if target != 67: return
        m = frame[head + 8:head + length]
        if m[0] != 1 or m[236:240] != COOKIE: self.wrong.append('not a request of BOOTP'); return
        options, at = {}, 240
        while at < len(m) and m[at] != 255:
            if m[at] == 0: at += 1; continue
            options[m[at]] = m[at + 2:at + 2 + m[at + 1]]; at += 2 + m[at + 1]
        self.request(m, options, frame[:6] == b'\xff' * 6, frame[26:30])

    def kind(self, m, options, broadcast):
        what = options.get(53, b'\0')[0]
        if what == DISCOVER: return 'discover'
        if what == RELEASE: return 'release'
        if what == DECLINE: return 'decline'
        if what != REQUEST: return 'other'
        if m[12:16] == bytes(4): return 'select'
        return 'rebind' if broadcast else 'renew'

    def request(self, m, options, broadcast, source):
        kind = self.kind(m, options, broadcast)
        self.requests[kind] += 1
        mine = struct.pack('>I', self.address)
        if kind in ('renew', 'rebind') and source != m[12:16]: self.wrong.append(f'{kind} from {socket.inet_ntoa(source)} for {socket.inet_ntoa(m[12:16])}')
        todo = self.plan(kind)
        if kind in ('release', 'decline', 'other') or todo == 'silence': return
        if todo == 'nonsense': self.rubbish(m, mine)
        if kind == 'discover': return self.answer(m, OFFER, mine)
        asked = options.get(50, m[12:16])
        if todo == 'nak' or asked != mine:
            self.address += 1
            return self.answer(m, NAK, bytes(4))
        self.answer(m, ACK, mine)

    def rubbish(self, m, mine):
        """Answers that nobody may believe: for another, of another, cut short, with lengths that lead out, with a checksum that is wrong."""
        other = m[:4] + bytes([m[4] ^ 255]) + m[5:]
        self.answer(other, NAK, bytes(4))
        self.answer(m[:28] + bytes(6) + m[34:], NAK, bytes(4))
        self.answer(m, NAK, bytes(4), cut=self.random.randrange(20, 240))
        self.answer(m, ACK, b'\x0a\x09\x00\xfe', wrong_checksum=True)
        self.answer(m, 0, b'\x0a\x09\x00\xfe', tail=bytes([51, 255, 1, 2]))

    def answer(self, m, what, address, cut=0, wrong_checksum=False, tail=b'\xff'):
        body = b'\2' + m[1:4] + m[4:8] + bytes(4) + bytes(4) + address + self.ip + bytes(4) + m[28:44] + bytes(192) + COOKIE
        body += bytes([53, 1, what]) if what else b''
        body += bytes([54, 4]) + self.ip
        if what in (OFFER, ACK):
            body += struct.pack('>BBI', 51, 4, self.lease) + bytes([1, 4, 255, 255, 255, 0, 3, 4]) + self.ip + bytes([6, 4]) + self.ip
        body += tail
        body = body[:cut] if cut else body + bytes(max(0, 300 - len(body)))
        to = address if address != bytes(4) else b'\xff' * 4
        udp = struct.pack('>HHHH', 67, 68, 8 + len(body), 0)
        sum_ = ethpeer.checksum(self.ip + to + struct.pack('>HH', 17, 8 + len(body)) + udp + body) ^ (0x1234 if wrong_checksum else 0)
        udp = udp[:6] + struct.pack('>H', sum_ or 0xffff)
        ip = struct.pack('>BBHHHBBH', 0x45, 0, 28 + len(body), 0, 0, 64, 17, 0) + self.ip + to
        ip = ip[:10] + struct.pack('>H', ethpeer.checksum(ip)) + ip[12:]
        mac = m[28:34] if address != bytes(4) else b'\xff' * 6
        self.send(mac + self.mac + b'\x08\x00' + ip + udp + body)
