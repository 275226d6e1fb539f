#!/usr/bin/env python3
"""The servers that a guest on QEMU's user network meets at 10.0.2.2, all on the host's loopback: to be run by scripts/netns, so that the
ports are free and nobody else's.

  servers.py [--log FILE]       prints "ready" when all of them listen; ends with its standard input

  DNS 53      UDP and TCP.  example.com is 10.0.2.2 and fec0::2; NUMBER.numbers.test is 10.1.0.0 + NUMBER; big.test has forty addresses, so
              over UDP the answer is cut; silent.test is never answered; anything else does not exist
  HTTP 80     GET / is a page; /bytes/N are N bytes of pattern(); /chunked/N the same, in chunks; /md5/N is their MD5; /slow/N comes byte by
              byte; /moved leads to /; POST and PUT /sink answer with length and MD5 of what came.  Connections are kept open when asked
  NTP 123     says that it is TIME (2031-02-03 04:05:06 UTC when it was started)
  echo 7, discard 9, chargen 19    UDP and TCP
  TFTP 6969   RFC 1350, 512 bytes a block: a name that is a number is so many bytes of pattern(); what is written stays, and can be read
              (QEMU's user network answers at port 69 itself)
  reset 1009  accepts, reads a little and resets;  half 1010  sends a line and its end, then tells how much came
The same bytes each time: pattern(n) is the numbers from 0 on, eight digits and a line's end each."""
import asyncio, argparse, hashlib, socket, struct, sys, time

TIME = 1927771506
started = time.time()
log = None

def note(*words):
    if log: print(f'{time.time() - started:.3f}', *words, file=log, flush=True)

def pattern(begin, end):
    """Bytes begin to end."""
    first = begin // 9
    text = b''.join(b'%08d\n' % (n % 10**8) for n in range(first, -(-end // 9)))
    return text[begin - first * 9:end - first * 9]

# --- DNS (RFC 1035)
def name_of(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode('ascii', 'replace').lower())
        at += 1 + data[at]
    return '.'.join(labels), at + 1

def addresses(name, kind):
    """The records of a name: a list of the data, or None if it does not exist."""
    v4 = lambda n: struct.pack('>I', n)
    if name in ('example.com', 'www.example.com'):
        return {1: [v4(0x0a000202)], 28: [socket.inet_pton(socket.AF_INET6, 'fec0::2')]}.get(kind, [])
    if name.endswith('.numbers.test') and name[:-13].isdigit(): return [v4(0x0a010000 + int(name[:-13]))] if kind == 1 else []
    if name == 'big.test': return [v4(0x0a020000 + n) for n in range(40)] if kind == 1 else []
    if name == '2.2.0.10.in-addr.arpa': return [b'\7example\3com\0'] if kind == 12 else []
    return None

def dns_answer(query, limit):
    ident, flags, questions = struct.unpack('>HHH', query[:6])
    name, at = name_of(query, 12)
    kind, _ = struct.unpack('>HH', query[at:at + 4])
    note('dns', name, kind)
    if name == 'silent.test': return None
    found = addresses(name, kind)
    records = b''.join(b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, 60, len(r)) + r for r in found or [])
    question, cut = query[12:at + 4], 12 + at - 8 + len(records) > limit
    flags = 0x8180 | (0x0200 if cut else 0) | (0 if found is not None else 3) | (flags & 0x0100)
    return struct.pack('>HHHHHH', ident, flags, 1, 0 if cut else len(found or []), 0, 0) + question + (b'' if cut else records)

async def dns_stream(reader, writer):
    while True:
        length, = struct.unpack('>H', await reader.readexactly(2))
        answer = dns_answer(await reader.readexactly(length), 65535)
        if answer: writer.write(struct.pack('>H', len(answer)) + answer)

# --- NTP (RFC 5905)
def ntp_answer(query):
    now = TIME + time.time() - started + 2208988800
    stamp = struct.pack('>II', int(now) & 0xffffffff, int(now % 1 * 2**32))
    return struct.pack('>BBbb', 0x24, 1, 4, -20) + bytes(8) + b'TEST' + stamp + query[40:48] + stamp + stamp

# --- HTTP/1.1 (RFC 9112)
async def http(reader, writer):
    keep = True
    while keep:
        try: head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
        except asyncio.IncompleteReadError: return
        lines = head.split('\r\n')
        method, path, version = lines[0].split(' ', 2)
        fields = {k.strip().lower(): v.strip() for k, _, v in (x.partition(':') for x in lines[1:] if x)}
        keep = fields.get('connection', 'keep-alive' if version == 'HTTP/1.1' else 'close').lower() == 'keep-alive'
        note('http', method, path)
        words = path.strip('/').split('/')
        if method in ('POST', 'PUT'): await http_sink(reader, writer, fields, keep)
        elif words[0] == 'bytes': await http_bytes(writer, fields, int(words[1]), keep)
        elif words[0] == 'chunked': await http_chunked(writer, int(words[1]), keep)
        elif words[0] == 'md5': http_say(writer, 200, hashed(int(words[1])) + '\n', keep)
        elif words[0] == 'slow':
            http_head(writer, 200, int(words[1]), keep)
            for n in range(int(words[1])):
                writer.write(b'%d' % (n % 10)); await writer.drain(); await asyncio.sleep(0.01)
        elif path == '/moved': http_say(writer, 302, '', keep, 'Location: /\r\n')
        elif path == '/': http_say(writer, 200, '<html><head><title>Example Domain</title></head><body>Sarsen was here</body></html>\n', keep)
        else: http_say(writer, 404, 'no such thing\n', keep)
        await writer.drain()

def hashed(n):
    h = hashlib.md5()
    for at in range(0, n, 9 << 17): h.update(pattern(at, min(n, at + (9 << 17))))
    return h.hexdigest()

def http_head(writer, status, length, keep, more=''):
    text = {200: 'OK', 206: 'Partial Content', 302: 'Found', 404: 'Not Found'}[status]
    size = f'Content-Length: {length}\r\n' if length is not None else 'Transfer-Encoding: chunked\r\n'
    writer.write(f'HTTP/1.1 {status} {text}\r\n{size}Connection: {"keep-alive" if keep else "close"}\r\n{more}\r\n'.encode())

def http_say(writer, status, text, keep, more=''):
    http_head(writer, status, len(text), keep, 'Content-Type: text/html\r\n' + more)
    writer.write(text.encode())

async def http_bytes(writer, fields, n, keep):
    begin, end, status, more = 0, n, 200, ''
    if fields.get('range', '').startswith('bytes='):
        first, _, last = fields['range'][6:].partition('-')
        begin, end, status = int(first or 0), int(last) + 1 if last else n, 206
        more = f'Content-Range: bytes {begin}-{end - 1}/{n}\r\n'
    http_head(writer, status, end - begin, keep, more)
    for at in range(begin, end, 9 << 14):
        writer.write(pattern(at, min(end, at + (9 << 14))))
        await writer.drain()

async def http_chunked(writer, n, keep):
    http_head(writer, 200, None, keep)
    for at in range(0, n, 1000):
        piece = pattern(at, min(n, at + 1000))
        writer.write(b'%x\r\n' % len(piece) + piece + b'\r\n')
        await writer.drain()
    writer.write(b'0\r\n\r\n')

async def http_sink(reader, writer, fields, keep):
    h, left, total = hashlib.md5(), int(fields.get('content-length', 0)), 0
    if fields.get('expect'): writer.write(b'HTTP/1.1 100 Continue\r\n\r\n')
    while left:
        piece = await reader.read(min(left, 1 << 18))
        if not piece: break
        h.update(piece); left -= len(piece); total += len(piece)
    http_say(writer, 200, f'{total} {h.hexdigest()}\n', keep)

# --- TFTP (RFC 1350, RFC 2347)
stored = {}

class Transfer(asyncio.DatagramProtocol):
    """One file, from a port of its own; the last packet is sent again after a second of silence."""
    def __init__(self, peer, data): self.peer, self.data, self.block, self.got = peer, data, 0, b''
    def connection_made(self, transport):
        self.transport, self.tries = transport, 0
        self.send(self.next_block() if self.data is not None else b'\0\4\0\0')
    def next_block(self):
        self.block += 1
        return struct.pack('>HH', 3, self.block & 0xffff) + self.data[(self.block - 1) * 512:self.block * 512]
    def send(self, packet):
        self.last, self.tries = packet, 0
        self.again()
    def again(self):
        if self.tries == 10: return self.transport.close()
        self.tries += 1
        self.transport.sendto(self.last, self.peer)
        self.timer = asyncio.get_running_loop().call_later(1, self.again)
    def datagram_received(self, packet, peer):
        if peer != self.peer: return
        what, block = struct.unpack('>HH', packet[:4])
        if self.data is not None and what == 4 and block == self.block & 0xffff:
            self.timer.cancel()
            if len(self.last) == 516: self.send(self.next_block())
            else: self.transport.close()
        elif self.data is None and what == 3 and block == (self.block + 1) & 0xffff:
            self.timer.cancel()
            self.block, self.got = self.block + 1, self.got + packet[4:]
            self.send(struct.pack('>HH', 4, block))
            if len(packet) < 516: stored[self.name] = self.got; self.timer.cancel()

class Tftp(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, packet, peer):
        what, name = struct.unpack('>H', packet[:2])[0], packet[2:].split(b'\0')[0].decode('latin-1')
        note('tftp', what, name)
        data = None if what == 2 else stored.get(name, pattern(0, int(name)) if name.isdigit() else None)
        if what == 1 and data is None: return self.transport.sendto(b'\0\5\0\1no such file\0', peer)
        transfer = Transfer(peer, data)
        transfer.name = name
        asyncio.ensure_future(asyncio.get_running_loop().create_datagram_endpoint(lambda: transfer, local_addr=('127.0.0.1', 0)))

# --- the small ones
async def echo(reader, writer):
    while piece := await reader.read(1 << 16):
        writer.write(piece); await writer.drain()

async def discard(reader, writer):
    while await reader.read(1 << 18): pass

async def chargen(reader, writer):
    at = 0
    while True:
        writer.write(pattern(at, at + 9000)); at += 9000
        await writer.drain()

async def reset(reader, writer):
    await reader.read(100)
    writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()

async def half(reader, writer):
    writer.write(b'that is all\n'); writer.write_eof()
    total = 0
    while piece := await reader.read(1 << 16): total += len(piece)
    note('half', total)

class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer): self.answer = answer
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, peer):
        try: answer = self.answer(data)
        except (IndexError, struct.error): return
        if answer is not None: self.transport.sendto(answer, peer)

def guarded(handler):
    """A connection that fails is over; nothing else is."""
    async def run(reader, writer):
        try: await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError, ValueError, KeyError, IndexError, struct.error) as e: note('connection', repr(e))
        finally:
            writer.close()
    return run

async def main():
    global log
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--log')
    a = p.parse_args()
    if a.log: log = open(a.log, 'w')
    loop = asyncio.get_running_loop()
    for port, handler in ((53, dns_stream), (80, http), (7, echo), (9, discard), (19, chargen), (1009, reset), (1010, half)):
        await asyncio.start_server(guarded(handler), ['127.0.0.1', '::1'], port, backlog=1024)
    for port, answer in ((53, lambda q: dns_answer(q, 512)), (123, ntp_answer), (7, lambda d: d), (9, lambda d: None), (19, lambda d: pattern(0, 500))):
        for host in ('127.0.0.1', '::1'):
            await loop.create_datagram_endpoint(lambda answer=answer: Datagrams(answer), local_addr=(host, port))
    await loop.create_datagram_endpoint(Tftp, local_addr=('127.0.0.1', 6969))
    print('ready', flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)

asyncio.run(main())
