"""Disks and guests for the scripts that boot one kernel after the other: images made without root rights, QEMU's words for
them, what Debian's kernel needs to see them, and a guest whose console is read line by line."""
import gzip, os, queue, re, shutil, subprocess, tempfile, threading, time

here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
third = os.environ.get('THIRD', os.path.join(here, 'build/third'))
SBIN = {**os.environ, 'PATH': os.environ.get('PATH', '') + ':/usr/sbin:/sbin'}
COMPLAINT = re.compile(r'(Kernel panic.*|\bWARN(?:ING)?:.*|BUG:.*|KASAN:.*|UBSAN:.*|data race.*|soft lockup.*|hung task.*)')

SWITCH = '''#!/bin/sh
for m in /modules/*; do insmod $m; done
mkdir -p /new /proc
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t ext2 /dev/vda /new
umount /proc /dev
exec switch_root /new /sbin/init
'''

def make_raw(path, mib):
    """An empty image: a hole of `mib` MiB."""
    with open(path, 'wb') as f: f.truncate(mib << 20)
    return path

def make_ext2(path, mib, block=4096, label='', uuid='', seed=None, options=(), tree=None):
    """A whole-disk ext2 of `mib` MiB; with a seed (a UUID) the same bytes each time."""
    make_raw(path, mib)
    words = ['mke2fs', '-q', '-F', '-t', 'ext2', '-b', str(block), '-m', '0', *options]
    if label: words += ['-L', label]
    env = dict(SBIN)
    if seed:
        words += ['-U', uuid or seed, '-E', f'hash_seed={seed}']
        env['E2FSPROGS_FAKE_TIME'] = '1767225600'
    elif uuid: words += ['-U', uuid]
    if tree: words += ['-d', tree]
    subprocess.run([*words, path], check=True, env=env, stdout=subprocess.DEVNULL)
    return path

def fsck(path, *options):
    """`e2fsck -fn` (or the options given): its status and what it said.  0: clean."""
    p = subprocess.run(['e2fsck', *(options or ('-fn',)), path], env=SBIN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.returncode, p.stdout.decode('utf-8', 'replace')

def disk_words(disks, virtio='mmio', cache='writeback'):
    """QEMU's words for virtio disks, vda first.  virtio: mmio (modern), legacy (over MMIO), pci.  A disk is a path, or a path and a dict of
    drive options.  The bus is named, since QEMU would fill its MMIO slots from the last, and vda be the last disk given."""
    words = ['-global', f'virtio-mmio.force-legacy={"true" if virtio == "legacy" else "false"}'] if virtio != 'pci' else []
    for n, disk in enumerate(disks):
        path, more = disk if isinstance(disk, tuple) else (disk, {})
        kind = 'qcow2' if open(path, 'rb').read(4) == b'QFI\xfb' else 'raw'
        options = {'file': path, 'if': 'none', 'id': f'd{n}', 'format': kind, 'cache': cache, **more}
        words += ['-drive', ','.join(f'{k}={v}' for k, v in options.items()),
                  '-device', f'{"virtio-blk-pci" if virtio == "pci" else f"virtio-blk-device,bus=virtio-mmio-bus.{n}"},drive=d{n},serial=disk{n}']
    return words

def with_modules(image, initrd, out):
    """The initramfs for `image`: for Debian's kernel, which has its disk drivers as modules, a copy with them under /modules, to be
    loaded in the order of their names."""
    folder = os.path.join(third, 'linux/modules')
    if os.path.realpath(image) != os.path.realpath(os.path.join(third, 'linux/vmlinuz')) or not os.path.isdir(folder): return initrd
    made = subprocess.run('(echo modules; ls modules/*.ko) | cpio -o -H newc --quiet -R 0:0', shell=True, check=True,
                          cwd=os.path.dirname(folder), stdout=subprocess.PIPE).stdout
    with open(out + '.tmp', 'wb') as f: f.write(open(initrd, 'rb').read() + made)
    os.replace(out + '.tmp', out)
    return out

def switch_initrd(out):
    """BusyBox with Debian's disk and network modules, which goes on into the disk's /sbin/init."""
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree(os.path.join(third, 'linux/modules'), f'{d}/modules')
        with open(f'{d}/switch', 'w') as f: f.write(SWITCH)
        os.chmod(f'{d}/switch', 0o755)
        made = subprocess.run('find . | cpio -o -H newc --quiet -R 0:0', shell=True, check=True, cwd=d, stdout=subprocess.PIPE).stdout
    with open(out, 'wb') as f: f.write(gzip.open(os.path.join(here, 'build/initramfs.cpio.gz')).read() + made)
    return out

class Guest:
    """One QEMU: its lines as they come, a log, and an end by its own pid."""
    def __init__(self, image, initrd, append='', smp='1', mem='512M', cpu='cortex-a72', words=(), log=None):
        line = ['qemu-system-aarch64', '-M', 'virt', '-cpu', cpu, '-m', mem, '-smp', str(smp), '-nographic', '-nic', 'none', '-no-reboot',
                '-kernel', image, '-initrd', initrd, *words,
                '-append', f'console=ttyAMA0 panic=-1 nokaslr mitigations=off quiet loglevel=5 {append}'.strip()]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.log = open(log, 'w') if log else None
        self.complaints, self.lines = [], queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for raw in self.process.stdout:
            text = raw.decode('utf-8', 'replace').rstrip()
            if self.log: self.log.write(text + '\n'); self.log.flush()
            if m := COMPLAINT.search(text): self.complaints.append(m.group(1))
            self.lines.put(text)
        self.lines.put(None)

    def next(self, seconds):
        """The next line; None at the end; raises queue.Empty after `seconds` of silence."""
        return self.lines.get(timeout=seconds)

    def rest(self, seconds):
        """All lines to the end, silence of `seconds` meaning a hang: (lines, ended)."""
        got = []
        while True:
            try: text = self.next(seconds)
            except queue.Empty: return got, False
            if text is None: return got, True
            got.append(text)

    def ask(self):
        """What the kernel says to the emergency keys for a backtrace of each CPU and the list of tasks goes into the log."""
        for key in b'l', b't':
            try:
                self.process.stdin.write(b'\x01b' + key); self.process.stdin.flush()
            except OSError: return
            time.sleep(4)

    def end(self):
        if self.process.poll() is None: self.process.kill()
        self.process.wait()
        if self.log: self.log.close()

def disk_programs():
    """build/disk/disk.cpio with the programs of tests/disk."""
    out = os.path.join(here, 'build/disk')
    subprocess.run([os.path.join(here, 'tests/disk/build.sh'), out], check=True, env={**os.environ, 'THIRD': third})
    return f'{out}/disk.cpio'

def linux_image():
    subprocess.run([os.path.join(here, 'scripts/fetch-linux')], check=True, env={**os.environ, 'THIRD': third})
    return os.path.join(third, 'linux/vmlinuz')
