#!/usr/bin/env python3
"""The host's side of tests/bench/net.c: serves, runs a command (a QEMU), ends with it.  To be run inside scripts/netns, so that its ports are free.

  bench_host.py ADDRESS GUEST COMMAND...      listen at ADDRESS; the guest's own server is reached at GUEST

TCP 9100: the first byte says what is wanted.  S: swallow all.  G: send without end.  E: echo.  C and a line "COUNT PARALLEL": make so many
connections to port 9101 of the guest, each ended by the guest, then say "done".  U: how many datagrams were swallowed, and count from nothing.
UDP 9100: "E..." is echoed, "S..." is swallowed, "B" is answered with BURST datagrams of 64 bytes."""
import ctypes, signal, socket, subprocess, sys, threading

PORT, GUEST_PORT, BURST = 9100, 9101, 32
swallowed = 0

def connect_many(guest, count, parallel):
    def some(n):
        for _ in range(n):
            with socket.create_connection((guest, GUEST_PORT), 20) as c:
                while c.recv(16): pass
    threads = [threading.Thread(target=some, args=(count // parallel,)) for _ in range(parallel)]
    for t in threads: t.start()
    for t in threads: t.join()

def stream(c, guest):
    global swallowed
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        what, room = c.recv(1), bytearray(1 << 18)
        if what == b'S':
            while c.recv_into(room): pass
        elif what == b'G':
            while True: c.sendall(room)
        elif what == b'E':
            while data := c.recv(65536): c.sendall(data)
        elif what == b'U':
            while c.recv(1):
                n, swallowed = swallowed, 0
                c.sendall(b'%d\n' % n)
        elif what == b'C':
            line = c.makefile().readline().split()
            connect_many(guest, int(line[0]), int(line[1]))
            c.sendall(b'done')
    except OSError as e:
        if what == b'C': print('bench_host:', e, file=sys.stderr)
    finally: c.close()

def datagrams(s):
    global swallowed
    burst = bytes(64)
    while True:
        data, peer = s.recvfrom(2048)
        if data[:1] == b'S': swallowed += 1
        elif data[:1] == b'E': s.sendto(data, peer)
        elif data[:1] == b'B':
            for _ in range(BURST): s.sendto(burst, peer)

def serve(listener, guest):
    while True:
        c, _ = listener.accept()
        threading.Thread(target=stream, args=(c, guest), daemon=True).start()

def main():
    address, guest, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    listener = socket.create_server((address, PORT), backlog=128)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((address, PORT))
    threading.Thread(target=serve, args=(listener, guest), daemon=True).start()
    threading.Thread(target=datagrams, args=(s,), daemon=True).start()
    dies_with_us = lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG
    sys.exit(subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=dies_with_us).returncode)

main()
