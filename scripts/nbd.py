"""A disk that forgets: an NBD server in a thread, over which QEMU gives a guest a disk whose write cache is lost when the power fails.

What was written since the last flush is known write by write; after_power_failure() gives the volume as it may look then.  The protocol is the
fixed newstyle handshake and simple replies (NetworkBlockDevice/nbd, doc/proto.md)."""
import os, socket, struct, threading

READ, WRITE, DISCONNECT, FLUSH, TRIM, ZEROES = 0, 1, 2, 3, 4, 6
HAS_FLAGS, SEND_FLUSH, SEND_TRIM, SEND_ZEROES = 1, 4, 32, 64

class ForgetfulDisk:
    def __init__(self, image, path):
        """Serves a copy of the file `image` on the UNIX socket `path`."""
        self.now = bytearray(open(image, 'rb').read())          # what a read sees
        self.durable = bytearray(self.now)                      # what survives for certain
        self.recent, self.writes, self.flushes = [], 0, 0       # (offset, bytes) since the last flush
        if os.path.exists(path): os.unlink(path)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(1)
        self.path = path
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def words(self, device):
        return ['-drive', f'driver=nbd,server.type=unix,server.path={self.path},if=none,id=d0,cache=writeback', '-device', f'{device},drive=d0']

    def serve(self):
        c, _ = self.socket.accept()
        self.socket.close()
        try:
            with c, c.makefile('rb') as f:
                if self.greet(c, f):
                    while self.request(c, f): pass
        except (OSError, struct.error): pass                    # QEMU was killed

    def greet(self, c, f):
        flags = HAS_FLAGS | SEND_FLUSH | SEND_TRIM | SEND_ZEROES
        c.sendall(b'NBDMAGIC' + b'IHAVEOPT' + struct.pack('>H', 3))
        f.read(4)
        while True:
            magic, option, length = struct.unpack('>8sII', f.read(16))
            data = f.read(length)
            def reply(kind, payload=b''): c.sendall(struct.pack('>QIII', 0x3e889045565a9, option, kind, len(payload)) + payload)
            if option == 1:                                     # the old way to choose an export
                c.sendall(struct.pack('>QH', len(self.now), flags) + bytes(124))
                return True
            if option in (6, 7):                                # INFO, GO
                reply(3, struct.pack('>HQH', 0, len(self.now), flags))
                reply(1)
                if option == 7: return True
            elif option == 2: return False
            else: reply(0x80000001)

    def request(self, c, f):
        magic, flags, kind, cookie, offset, length = struct.unpack('>IHHQQI', f.read(28))
        payload = f.read(length) if kind == WRITE else bytes(length) if kind in (TRIM, ZEROES) else b''
        if kind == DISCONNECT or magic != 0x25609513: return False
        if kind == WRITE and len(payload) != length: return False       # QEMU was killed in the middle of it: it never was
        answer = b''
        if kind == READ: answer = bytes(self.now[offset:offset + length])
        elif kind in (WRITE, TRIM, ZEROES):
            self.now[offset:offset + length] = payload
            self.recent.append((offset, payload))
            self.writes += 1
        elif kind == FLUSH:
            for at, data in self.recent: self.durable[at:at + len(data)] = data
            self.recent = []
            self.flushes += 1
        c.sendall(struct.pack('>IIQ', 0x67446698, 0, cookie) + answer)
        return True

    def after_power_failure(self, chance, path):
        """Write the volume to `path`: of the writes since the last flush some are there, some are not, some are torn between two sectors."""
        self.thread.join(10)
        lost = torn = 0
        self.fates = []         # of each of them, in words
        for at, data in self.recent:
            fate = chance.random()
            self.fates.append(f'write of {len(data)} at {at}: there')
            if fate < 0.4:
                lost += 1
                self.fates[-1] = f'write of {len(data)} at {at}: lost'
                continue
            if fate < 0.6 and len(data) > 512:
                torn += 1
                whole = data
                data = data[:512 * chance.randrange(1, len(data) // 512)]
                self.fates[-1] = f'write of {len(whole)} at {at}: torn, only its first {len(data)} bytes are there'
            self.durable[at:at + len(data)] = data
        with open(path, 'wb') as f: f.write(self.durable)
        return f'{self.writes} writes, {self.flushes} flushes, {len(self.recent)} after the last of which {lost} lost and {torn} torn'
