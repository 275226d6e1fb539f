# gdb: a breakpoint in a program, a local printed, steps, on to the end; conditions, a watched variable, threads, a signal, a fork followed, a live process.
cat > p.c <<'X'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
struct pair { int a; const char *name; };
static int total;
static int add(struct pair *p, int n)
{
	int local = p->a + n;

	total += local;
	return local;
}
static void *worker(void *arg)
{
	struct pair p = { 5, "thread" };

	add(&p, 1000);
	return arg;
}
int main(int argc, char **argv)
{
	struct pair p = { 7, "first" };
	pthread_t t;

	for (int i = 0; i < 5; i++)
		add(&p, i);
	pthread_create(&t, NULL, worker, NULL);
	pthread_join(t, NULL);
	if (argc > 1 && argv[1][0] == 's')
		raise(SIGUSR1);
	if (argc > 1 && argv[1][0] == 'c')
		*(volatile int *)8 = 1;
	if (argc > 1 && argv[1][0] == 'w')
		pause();
	printf("total %d\n", total);
	return 3;
}
X
gcc -g -O0 -pthread -o p p.c
plain() { grep -vE '^\[(New|Switching|Thread|Inferior 1 .process)|debuginfod|libthread_db|^$|^warning: (Unable|File)|auto-load' | sed 's/0x[0-9a-f]\{6,\}/X/g; s/LWP [0-9]*/LWP N/g; s/process [0-9]*/process N/g; s/^t = .*/t = N/; s/  *Frame *$/ Frame/'; }
debug() { gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set confirm off' "$@" 2>&1 < /dev/null | plain; }
debug -ex 'break add' -ex run -ex 'next' -ex 'next' -ex 'print local' -ex 'print *p' -ex step -ex step -ex 'info locals' -ex backtrace -ex 'delete' -ex continue ./p
debug -ex 'break add if n == 3' -ex run -ex backtrace -ex 'finish' -ex 'print total' -ex 'set var total = 100' -ex 'delete' -ex continue ./p
debug -ex 'set can-use-hw-watchpoints 0' -ex 'break main' -ex run -ex 'watch total' -ex continue -ex continue -ex 'delete' -ex continue ./p
debug -ex 'break main' -ex run -ex 'hbreak add' -ex 'watch total' -ex continue -ex continue -ex continue -ex 'info breakpoints' -ex 'delete' -ex continue ./p
debug -ex 'break main' -ex run -ex 'rwatch total' -ex continue -ex backtrace -ex 'delete' -ex 'thbreak worker' -ex continue -ex 'stepi' -ex 'delete' -ex continue ./p | grep -v '^X'
debug -ex 'break worker' -ex run -ex 'info threads' -ex 'thread 1' -ex 'thread apply all backtrace 1' -ex 'delete' -ex continue ./p | grep -vE 'futex|clone|pthread|\?\?|\.S|\.c: No such'
debug -ex 'handle SIGUSR1 stop print' -ex 'run s' -ex 'signal 0' ./p; debug -ex 'run c' -ex backtrace -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex kill ./p
debug -ex 'break add' -ex run -ex 'call add(p, 50)' -ex 'print add' -ex 'x/2i $pc' -ex 'info registers x0 sp' -ex 'stepi' -ex 'tbreak 12' -ex continue -ex 'return 5' -ex kill ./p | grep -v '^x0\|^sp'
debug -ex 'catch syscall write' -ex run -ex continue -ex continue ./p; debug -ex 'set follow-fork-mode child' -ex 'break main' -ex 'run' -ex continue --args sh -c './p; exit 4' | tail -n 3
./p w & w=$!; until grep -q S /proc/$w/stat && [ "$(awk '{ print $22 }' /proc/$w/stat)" ] && sleep 0.5; do :; done; debug -p $w -ex 'frame function main' -ex 'print p' -ex 'print total' -ex 'set var total = 1' -ex detach | grep -E '^\$|^\[Inf'; kill -0 $w && echo lives; kill $w; wait $w; echo "$?"
