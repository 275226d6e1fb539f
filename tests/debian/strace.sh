# strace over a program that looks at everything under /proc, to its end; then threads, a signal, a filter, counts, attaching and detaching.
strace -f -o trace ls -lR /proc > list 2> errors; echo "ended well: $(($? < 3))"; tail -n 1 trace | grep -c '+++ exited with'; grep -c -e '^/proc/1/task/1:$' -e '^/proc/sys/vm:$' -e '^/proc/irq:$' list; grep -c 'already-listed' errors
grep -E 'unfinished|resumed|\?\?\?' trace | grep -c 'strace:'; grep -vE '^[0-9]+ +([a-z0-9_]+\(|\+\+\+ |--- |<\.\.\.)' trace | head -n 5
strace -f -e trace=execve,clone,clone3,fork,wait4 -o trace sh -c '(exit 3); ls / > /dev/null; true'; sed 's/^[0-9]* *//; s/0x[0-9a-f]*/X/g; s/[0-9]\{3,\}/N/g; s/ \/\* .*\*\///; s/ <unfinished \.\.\.>/) = 0/; /resumed/d' trace | grep -E 'execve|exited' | sort | uniq -c
strace -c -o counts cat /etc/hostname; grep -cE '(openat|read|write|close)$' counts; strace -e inject=openat:error=ENOMEM:when=3+ cat /etc/hostname 2>&1 | grep -c INJECTED
sleep 30 & p=$!; strace -p $p -o trace 2> said & t=$!; until grep -qE "nanosleep|restart_syscall" trace 2> /dev/null; do sleep 0.1; done; kill -INT $t; wait $t; sed 's/Process [0-9]*/Process N/' said; kill $p; wait $p 2> /dev/null; echo "sleeper $?"; grep -qE "nanosleep|restart_syscall" trace && echo "seen asleep"
strace -e trace=none -e signal=all sh -c 'trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$' 2>&1 | sed 's/si_pid=[0-9]*/si_pid=N/'; strace -y -e trace=openat,dup3,close cat /etc/hostname 2>&1 | grep -c '<.*/etc/hostname>'
python3 -c 'print("import threading\nt = [threading.Thread(target=lambda: open(\"/etc/hostname\").read()) for _ in range(8)]\n[x.start() for x in t]\n[x.join() for x in t]")' > threads.py
strace -f -e trace=openat -o trace python3 threads.py; grep -c 'etc/hostname' trace; grep -c 'exited with 0' trace
