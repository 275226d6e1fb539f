"""A guest with a network, at its shell: commands are typed at the console, and what they print is judged."""
import os, re, socket, subprocess, sys, tempfile, threading, time

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

class Failed(Exception): pass

class Guest:
    """A guest at its shell: a.smp, a.image, a.verbose; words: QEMU's for the network."""
    def __init__(self, a, words, mem='128M', initrd=None, append=''):
        self.folder = tempfile.mkdtemp()
        line = ['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a72', '-m', mem, '-smp', a.smp, '-display', 'none', '-serial', 'stdio', '-no-reboot',
                '-monitor', f'unix:{self.folder}/monitor,server=on,wait=off', '-nic', 'none', *words, '-kernel', a.image,
                '-initrd', initrd or os.path.join(top, 'build/initramfs.cpio.gz'), '-append', f'console=ttyAMA0 panic=-1 {append}'.strip()]
        self.text, self.at, self.verbose = '', 0, a.verbose
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, daemon=True); self.reader.start()

    def read(self):
        while data := os.read(self.process.stdout.fileno(), 4096):
            self.text += data.decode('utf-8', 'replace').replace('\r', '')
            if self.verbose: sys.stderr.write(data.decode('utf-8', 'replace'))

    def look(self):
        """Has the kernel complained?"""
        if m := re.search(r'Kernel panic.*|WARN:.*|KASAN.*|UBSAN.*|BUG:.*|soft lockup.*|hung task.*', self.text): raise Failed(m.group(0))

    def expect(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while True:
            self.look()
            if m := re.compile(pattern).search(self.text, self.at):
                self.at = m.end()
                return m
            if self.process.poll() is not None and not self.reader.is_alive(): raise Failed('QEMU ended')
            if time.monotonic() > end: raise Failed(f'no {pattern!r} after: {self.text[self.at:][-300:]!r}')
            time.sleep(0.02)

    def say(self, line):
        try: self.process.stdin.write(line.encode() + b'\n'); self.process.stdin.flush()
        except OSError:
            self.reader.join(5)
            self.look()
            raise Failed(f'QEMU ended, status {self.process.wait()}, after: {self.text[-600:]!r}')

    def run(self, command, pattern='', seconds=60):
        """A command; the pattern must be in what it prints.  Its status stands behind it."""
        self.say(f'{command}; echo status=$?=')
        before = self.at
        m = self.expect(r'\nstatus=(\d+)=', seconds)
        text = self.text[before:m.start()].split('\n', 1)[-1]
        if pattern and not re.search(pattern, text): raise Failed(f'{command}: no {pattern!r} in {text!r}')
        return text

    def monitor(self, command):
        """Returns when QEMU has carried it out, for it prompts before and after; what it said."""
        said = b''
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(f'{self.folder}/monitor')
            s.sendall(command.encode() + b'\n')
            while said.count(b'(qemu) ') < 2:
                some = s.recv(65536)
                if not some: raise Failed(f'the monitor ended at {command}: {said[-300:]!r}')
                said += some
        said = said.decode('utf-8', 'replace')
        if 'Error' in said: raise Failed(f'the monitor, of {command}: {said[said.index("Error"):]!r}')
        return said

    def unplugged(self, device):
        """Returns when QEMU has parted with a device, which it does when the guest has switched its slot off."""
        end = time.monotonic() + 60
        while f'id "{device}"' in self.monitor('info qtree'):
            if time.monotonic() > end: raise Failed(f'{device} is still plugged in')
            time.sleep(0.02)

    def until(self, condition):
        # (the words it ends with do not stand in the command: a long one's echo is of several lines)
        self.run(f'i=0; until {condition}; do i=$((i+1)); [ $i = 300 ] && break; sleep 0.1; done; [ $i -lt 300 ] && echo got" "it', 'got it')

    def end(self):
        if self.process.poll() is None: self.process.kill()
        self.process.wait()
