# Python: subprocesses, threads, multiprocessing, asyncio, sockets, mmap, ctypes, sqlite, signals, terminals.
cat > t.py <<'X'
import asyncio, concurrent.futures, ctypes, fcntl, hashlib, json, mmap, multiprocessing, os, pty, select, selectors, signal, socket, sqlite3, ssl, struct, subprocess, sys, tempfile, threading, time, resource, shutil, secrets, uuid, zlib
print(subprocess.run(['sh', '-c', 'echo out; exit 3'], capture_output=True).stdout, subprocess.call(['false']))
total, lock = 0, threading.Lock()
def add():
    global total
    for _ in range(1000):
        with lock: total += 1
ts = [threading.Thread(target=add) for _ in range(8)]; [t.start() for t in ts]; [t.join() for t in ts]; print(total)
with concurrent.futures.ThreadPoolExecutor(4) as e: print(sum(e.map(lambda x: x * x, range(100))))
def square(x): return x * x
with multiprocessing.get_context('fork').Pool(3) as p: print(sum(p.map(square, range(100))))
q = multiprocessing.get_context('fork').Queue(); pr = multiprocessing.get_context('fork').Process(target=q.put, args=('queued',)); pr.start(); print(q.get()); pr.join()
async def serve():
    async def handle(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
    s = await asyncio.start_server(handle, '127.0.0.1', 0); port = s.sockets[0].getsockname()[1]
    async def ask(n):
        r, w = await asyncio.open_connection('127.0.0.1', port); w.write(b'line %d\n' % n); got = await r.read(); w.close(); return got
    print(sorted(await asyncio.gather(*[ask(n) for n in range(20)]))[-1])
    p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1); print((await p.communicate(b'to cat'))[0])
asyncio.run(serve())
with tempfile.TemporaryFile() as f:
    f.write(b'\0' * 100000); f.flush(); m = mmap.mmap(f.fileno(), 0); m[5000:5005] = b'hello'; f.seek(5000); print(f.read(5)); m.resize(200000); print(len(m)); m.close()
libc = ctypes.CDLL('libc.so.6', use_errno=True); print(libc.getppid() == os.getppid(), libc.open(b'/none', 0), ctypes.get_errno())
cmp = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda a, b: a[0] - b[0]); a = (ctypes.c_int * 5)(5, 3, 1, 4, 2); libc.qsort(a, 5, 4, cmp); print(list(a))
db = sqlite3.connect('x.db'); db.execute('create table t(a, b)'); db.executemany('insert into t values(?, ?)', ((i, str(i)) for i in range(10000))); db.commit(); print(db.execute('select sum(a) from t').fetchone())
signal.signal(signal.SIGALRM, lambda s, f: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
pid, fd = pty.fork()
if pid == 0: os.execlp('stty', 'stty', 'size')
time.sleep(0); print(os.read(fd, 100)); os.waitpid(pid, 0)
print(os.sysconf('SC_PAGESIZE'), resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.get_terminal_size.__name__, len(os.urandom(16)), shutil.disk_usage('/').total > 0)
e = select.epoll(); r, w = os.pipe(); e.register(r, select.EPOLLIN); os.write(w, b'x'); print(e.poll(1) == [(r, 1)]); print(os.memfd_create('m') > 0, os.getrandom(4) is not None, len(os.sched_getaffinity(0)) > 0, os.eventfd(3) > 0)
print(hashlib.sha256(b'x' * 10**6).hexdigest()[:16], zlib.crc32(b'abc'), uuid.uuid5(uuid.NAMESPACE_DNS, 'x'), ssl.OPENSSL_VERSION_INFO[0], os.waitstatus_to_exitcode(os.system('exit 4')), os.pidfd_open(os.getpid()) > 0)
print(os.listdir('/proc/self/fd')[:3], os.readlink('/proc/self/exe'), os.copy_file_range(os.open('t.py', 0), os.open('copy', os.O_CREAT | os.O_RDWR), 100), os.sendfile(os.open('copy2', os.O_CREAT | os.O_RDWR), os.open('t.py', 0), 0, 100), os.statvfs('/').f_bsize)
X
python3 t.py; python3 -c 'print(sum(i * i for i in range(300000)))'; python3 -m json.tool <<< '{"a": [1, 2]}'; python3 -m zipfile -c z.zip t.py; python3 -m zipfile -l z.zip | wc -l; python3 -m compileall -q t.py; ls __pycache__
