# The compiler: programs of one and two files, threads, shared objects with dlopen, sanitizer, optimisation, a static one, -pipe.
cat > a.c <<'X'
#include <stdio.h>
#include <pthread.h>
#include <math.h>
#include <dlfcn.h>
int twice(int);
static __thread int local = 5;
static void *run(void *arg) { local += *(int *)arg; return (void *)(long)local; }
int main(int argc, char **argv)
{
	pthread_t t; int n = 10; void *r;
	pthread_create(&t, 0, run, &n); pthread_join(t, &r);
	void *h = dlopen("./lib.so", RTLD_NOW); int (*thrice)(int) = (int (*)(int))dlsym(h, "thrice");
	printf("%d %ld %d %d %.3f %s\n", twice(21), (long)r, local, thrice(argc), sqrt(2), argv[0]);
}
X
echo 'int twice(int x) { return 2 * x; }' > b.c; echo 'int thrice(int x) { return 3 * x; }' > c.c
gcc -O2 -Wall -shared -fPIC -o lib.so c.c && gcc -pipe -O2 -g -Wall -o a a.c b.c -lm && ./a; echo "$?"
gcc -O0 -static -o s b.c -x c - <<< 'int twice(int); int main(void) { return twice(4); }'; ./s; echo "$?"
gcc -fsanitize=undefined -o u -x c - <<< 'int main(int c, char **v) { int x = 0x7fffffff; return (x + c) & 3; }'; ./u 2>&1 | cut -d: -f4; gcc -c nothing.c; echo "$?"; gcc -x c - <<< 'int main(void) { return y; }' 2>&1 | grep -c error
gcc -fopenmp -O1 -o o -x c - <<< 'int main(void) { int s = 0; _Pragma("omp parallel for reduction(+:s)") for (int i = 0; i < 100; i++) s += i; return s == 4950; }'; ./o; echo "$?"; objdump -d a | grep -c 'ret$' > /dev/null; nm a | grep -c ' T twice'; strip a; ./a | cut -c1-5; ldd a | wc -l
