#!/usr/bin/env python3
"""What a host asks of servers inside the guest; each prints one line that a test can look for, and ends with 0 if all went well.

  load URL COUNT PARALLEL [--keep]     GET, over and over: "COUNT answers, 0 wrong, ..." (wrong: not 200, or not the bytes of the first)
  get URL                              "BYTES MD5"
  put URL BYTES                        PUT of pattern bytes: what the server says
  telnet PORT COMMAND                  log in to telnetd, run the command: what it printed
  ftp PORT FOLDER                      list, store, fetch, delete: "ftp ok"
  tftp PORT BYTES                      store so many, fetch them: "tftp ok"
  stream PORT BYTES                    send pattern bytes, close our half, read to the end: "sent MD5, got BYTES MD5"
  datagrams PORT COUNT                 echo of COUNT datagrams, each waited for: "COUNT of COUNT came back"
  refused PORT                         "refused" if nobody listens"""
import asyncio, ftplib, hashlib, io, socket, struct, sys, time
from urllib.parse import urlsplit

sys.path.insert(0, __file__.rsplit('/', 1)[0])

def pattern(n): return b''.join(b'%08d\n' % (k % 10**8) for k in range(n // 9 + 1))[:n]

async def answer(reader):
    """One HTTP response: status, body."""
    head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
    fields = {k.strip().lower(): v.strip() for k, _, v in (x.partition(':') for x in head[1:] if x)}
    body = await (reader.readexactly(int(fields['content-length'])) if 'content-length' in fields else reader.read(-1))
    return int(head[0].split()[1]), body

async def load(url, count, parallel, keep):
    u, left, wrong, expected, errors = urlsplit(url), count, 0, None, {}
    request = f'GET {u.path or "/"} HTTP/1.1\r\nHost: {u.hostname}\r\nConnection: {"keep-alive" if keep else "close"}\r\n\r\n'.encode()
    async def worker():
        nonlocal left, wrong, expected
        reader = writer = None
        while left > 0:
            left -= 1
            try:
                if writer is None: reader, writer = await asyncio.open_connection(u.hostname, u.port or 80)
                writer.write(request)
                status, body = await asyncio.wait_for(answer(reader), 60)
                if expected is None: expected = body
                wrong += status != 200 or body != expected
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as e:
                wrong += 1
                errors[repr(e)] = errors.get(repr(e), 0) + 1
                if writer: writer.close()
                writer = None
                continue
            if not keep:
                writer.close(); writer = None
    begun = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(parallel)))
    spent = time.monotonic() - begun
    print(f'{count} answers, {wrong} wrong, {count / spent:.0f} a second', errors or '')
    return not wrong

async def get(url):
    u, h, n = urlsplit(url), hashlib.md5(), 0
    reader, writer = await asyncio.open_connection(u.hostname, u.port or 80, limit=1 << 20)
    writer.write(f'GET {u.path} HTTP/1.0\r\nHost: {u.hostname}\r\n\r\n'.encode())
    head = await reader.readuntil(b'\r\n\r\n')
    while piece := await reader.read(1 << 18): h.update(piece); n += len(piece)
    print(n, h.hexdigest())
    return b' 200 ' in head.split(b'\r\n')[0]

async def put(url, n):
    u = urlsplit(url)
    reader, writer = await asyncio.open_connection(u.hostname, u.port or 80)
    writer.write(f'PUT {u.path} HTTP/1.1\r\nHost: {u.hostname}\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n'.encode() + pattern(n))
    status, body = await answer(reader)
    print(body.decode().strip())
    return status == 200

def telnet(port, command):
    """Telnet's negotiation (RFC 854) is answered with refusals."""
    s, text, end = socket.create_connection(('127.0.0.1', port), 60), b'', time.monotonic() + 60
    sent = False
    while time.monotonic() < end:
        try: data = s.recv(4096)
        except TimeoutError: break
        if not data: break
        at = 0
        while at < len(data):
            if data[at] == 255 and at + 2 < len(data):
                if data[at + 1] in (251, 253): s.sendall(bytes([255, 254 if data[at + 1] == 251 else 252, data[at + 2]]))
                at += 3
            else:
                text += data[at:at + 1]; at += 1
        if not sent and text.rstrip(b' ')[-1:] in (b'#', b'$'):
            s.sendall(command.encode() + b'; echo "_EN""D_"; exit\r\n'); sent = True; text = b''
    out = text.decode('latin-1').replace('\r', '')
    body = out.split('\n', 1)[1] if '\n' in out else out
    print(body.split('_END_')[0].strip())
    return '_END_' in body

def ftp(port, folder):
    f = ftplib.FTP()
    f.connect('127.0.0.1', port, 60)
    f.login()
    f.set_pasv(False)                       # the ports that the guest would choose are not led through: it comes to us
    def makeport():
        listener = socket.create_server(('127.0.0.1', 0))
        listener.settimeout(60)
        port = listener.getsockname()[1]
        f.voidcmd(f'PORT 10,0,2,2,{port >> 8},{port & 255}')
        return listener
    f.makeport = makeport
    f.cwd(folder)
    data, got = pattern(100000), io.BytesIO()
    f.storbinary('STOR stored', io.BytesIO(data))
    names = f.nlst()
    f.retrbinary('RETR stored', got.write)
    f.delete('stored')
    f.quit()
    fine = got.getvalue() == data and any(n.endswith('stored') for n in names)
    print('ftp ok' if fine else f'ftp: {len(got.getvalue())} bytes, {names}')
    return fine

def tftp(port, n):
    """RFC 1350: the server answers from a port of its own."""
    def ask(s, packet, to, before=b''):
        """The answer; a server that waited too long for us says again what it said before."""
        for _ in range(10):
            s.sendto(packet, to)
            try:
                while True:
                    answer, who = s.recvfrom(2048)
                    if answer[:4] != before[:4]: return answer, who
            except TimeoutError: pass
        raise OSError('no answer')
    data, got, server = pattern(n), b'', ('127.0.0.1', port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        answer, peer = ask(s, b'\0\2stored\0octet\0', server)
        for block in range(n // 512 + 1):
            if answer != struct.pack('>HH', 4, block & 0xffff): return print('tftp: put:', answer)
            answer, _ = ask(s, struct.pack('>HH', 3, (block + 1) & 0xffff) + data[block * 512:(block + 1) * 512], peer, answer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        answer, peer = ask(s, b'\0\1stored\0octet\0', server)
        while answer[:2] == b'\0\3':
            got += answer[4:]
            if len(answer) < 516: s.sendto(b'\0\4' + answer[2:4], peer); break
            answer, _ = ask(s, b'\0\4' + answer[2:4], peer, answer)
    print('tftp ok' if got == data else f'tftp: {len(got)} bytes came back')
    return got == data

async def stream(port, n):
    reader, writer = await asyncio.open_connection('127.0.0.1', port, limit=1 << 20)
    data, h, got = pattern(n), hashlib.md5(), 0
    async def send():
        writer.write(data); await writer.drain(); writer.write_eof()
    async def receive():
        nonlocal got
        while piece := await reader.read(1 << 18): h.update(piece); got += len(piece)
    await asyncio.wait_for(asyncio.gather(send(), receive()), 300)
    print(f'sent {hashlib.md5(data).hexdigest()}, got {got} {h.hexdigest()}')
    return True

def datagrams(port, count):
    s, back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
    s.settimeout(10)
    s.connect(('127.0.0.1', port))
    for n in range(count):
        s.send(b'datagram %d' % n)
        try: back += s.recv(2048) == b'datagram %d' % n
        except OSError: pass
    print(f'{back} of {count} came back')
    return back == count

def refused(port):
    try: data = socket.create_connection(('127.0.0.1', port), 30).recv(1)
    except ConnectionError: data = b''      # QEMU accepts first, and closes when the guest refuses
    print('refused' if not data else 'somebody is there')
    return not data

def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == 'load': fine = asyncio.run(load(args[0], int(args[1]), int(args[2]), '--keep' in args))
    elif what == 'get': fine = asyncio.run(get(args[0]))
    elif what == 'put': fine = asyncio.run(put(args[0], int(args[1])))
    elif what == 'telnet': fine = telnet(int(args[0]), args[1])
    elif what == 'ftp': fine = ftp(int(args[0]), args[1])
    elif what == 'tftp': fine = tftp(int(args[0]), int(args[1]))
    elif what == 'stream': fine = asyncio.run(stream(int(args[0]), int(args[1])))
    elif what == 'datagrams': fine = datagrams(int(args[0]), int(args[1]))
    elif what == 'refused': fine = refused(int(args[0]))
    else: sys.exit(__doc__)
    sys.exit(not fine)

main()
