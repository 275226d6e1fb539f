"""A host on a wire: raw Ethernet over a datagram socket that QEMU's `-netdev dgram` is connected to.

It answers ARP and ping for its address, counts what it sees, and sends what it is told to: floods, nonsense.  Used by scripts/test-netdev."""
import os, random, socket, struct, threading

MAC = bytes.fromhex('02000000000a')

def checksum(data):
    if len(data) & 1: data += b'\0'
    s = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff

class Peer:
    def __init__(self, address='10.9.0.1', mac=MAC):
        self.ip, self.mac = socket.inet_aton(address), mac
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(('127.0.0.1', 0))
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); probe.bind(('127.0.0.1', 0))
        self.there = probe.getsockname(); probe.close()
        self.seen, self.arps, self.pings, self.guest = 0, 0, 0, None
        threading.Thread(target=self.listen, daemon=True).start()

    def words(self, ident):
        """QEMU's words for the netdev at the other end."""
        port = self.socket.getsockname()[1]
        return ['-netdev', f'dgram,id={ident},local.type=inet,local.host=127.0.0.1,local.port={self.there[1]},remote.type=inet,remote.host=127.0.0.1,remote.port={port}']

    def send(self, frame):
        try: self.socket.sendto(frame, self.there)
        except OSError: pass		# QEMU is not there, or its buffer is full

    def listen(self):
        while True:
            try: frame = self.socket.recv(70000)
            except OSError: return
            self.seen += 1
            if len(frame) < 34: continue
            self.guest = frame[6:12]
            if frame[12:14] == b'\x08\x06': self.arp(frame)
            elif frame[12:14] == b'\x08\x00' and frame[23] == 1 and frame[14 + (frame[14] & 15) * 4:][:1] == b'\x08': self.icmp(frame)
            else: self.hear(frame)

    def hear(self, frame):
        """Everything else; for those who know more."""

    def arp(self, frame):
        op, target = frame[20:22], frame[38:42]
        if op == b'\0\1' and target == self.ip:
            self.arps += 1
            self.send(frame[6:12] + self.mac + frame[12:20] + b'\0\2' + self.mac + self.ip + frame[22:28] + frame[28:32])

    def icmp(self, frame):
        head = (frame[14] & 15) * 4
        ip, body = frame[14:14 + head], frame[14 + head:14 + struct.unpack('>H', frame[16:18])[0]]
        if ip[16:20] != self.ip or not body or body[0] != 8 or checksum(body): return
        self.pings += 1
        body = b'\0\0\0\0' + body[4:]
        body = body[:2] + struct.pack('>H', checksum(body)) + body[4:]
        ip = ip[:12] + self.ip + ip[12:16] + ip[20:]
        ip = ip[:10] + b'\0\0' + ip[12:]
        ip = ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:]
        self.send(frame[6:12] + self.mac + b'\x08\x00' + ip + body)

    def datagram(self, to, text, mac=None, port=7000):
        """A UDP datagram to an address of the guest (mac: its own), or to a group's."""
        if ':' in to:
            address, source = socket.inet_pton(socket.AF_INET6, to), socket.inet_pton(socket.AF_INET6, 'fe80::a')
            udp = struct.pack('>HHHH', 7001, port, 8 + len(text), 0) + text
            udp = udp[:6] + struct.pack('>H', checksum(source + address + struct.pack('>II', len(udp), 17) + udp) or 0xffff) + udp[8:]
            packet = b'\x86\xdd' + struct.pack('>IHBB', 6 << 28, len(udp), 17, 8) + source + address + udp
            mac = mac or b'\x33\x33' + address[12:]
        else:
            address = socket.inet_aton(to)
            udp = struct.pack('>HHHH', 7001, port, 8 + len(text), 0) + text
            ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(udp), 0, 0, 8, 17, 0) + self.ip + address
            packet = b'\x08\x00' + ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + udp
            mac = mac or b'\x01\x00\x5e' + bytes([address[1] & 0x7f]) + address[2:]
        self.send(mac + self.mac + packet)

    def flood(self, count, size=60, to=b'\xff' * 6):
        frame = to + self.mac + b'\x88\xb5' + bytes(max(size - 14, 0))
        for _ in range(count): self.send(frame)

    def nonsense(self, count, seed=1):
        """Frames of any length (but none, which QEMU takes for the end) with rubbish behind a header that gets them in."""
        r = random.Random(seed)
        for _ in range(count):
            kind = r.choice([b'\x08\x00', b'\x08\x06', b'\x86\xdd', b'\x88\xb5', b'\x00\x10', b'\xff\xff'])
            self.send((b'\xff' * 6 + self.mac + kind + r.randbytes(r.randrange(1490)))[:r.choice([1, 13, 14, 15, 40, 60, 1514])])
