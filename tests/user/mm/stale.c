/* One address space on several CPUs: what a call changed is changed for every thread when it returns.  Each test would see one stale
 * byte: a reader compares what it finds with what was announced before it looked. */
#include "../tap.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>

#define PAGE 4096ul
#define READERS 3
#define ROUNDS 400

static volatile unsigned long *spot;		/* where the readers look */
static unsigned long announced;			/* [a] what the last finished change made true */
static int stop;				/* [a] */
static pthread_t threads[8];

static unsigned long now(void) { return __atomic_load_n(&announced, __ATOMIC_ACQUIRE); }
static void announce(unsigned long n) { __atomic_store_n(&announced, n, __ATOMIC_RELEASE); }
static bool stopped(void) { return __atomic_load_n(&stop, __ATOMIC_ACQUIRE); }

static void start(int n, void *(*fn)(void *))
{
	stop = 0;
	for (long i = 0; i < n; i++)
		CHECK(pthread_create(&threads[i], NULL, fn, (void *)i) == 0);
}

static void finish(int n)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < n; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void *anonymous(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

static void pin(long cpu)	/* only a wish: there may be fewer */
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* --- a mapping replaced: page n of the file holds n ------------------------------------------------------------------------------- */
static int numbered_file(unsigned long pages)
{
	char name[] = "/tmp/stale-XXXXXX";
	int fd = mkstemp(name);
	CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, (off_t)(pages * PAGE)) == 0);
	for (unsigned long i = 0; i < pages; i++)
		CHECK_EQ(pwrite(fd, &i, sizeof(i), (off_t)(i * PAGE)), sizeof(i));
	return fd;
}

static void *never_older(void *arg)
{
	pin((long)arg + 1);
	while (!stopped()) {
		unsigned long before = now(), seen = *spot;
		CHECK(seen >= before);
	}
	return NULL;
}

static void replace_mappings(int flags)
{
	int fd = numbered_file(ROUNDS + 1);
	spot = mmap(NULL, PAGE, PROT_READ, flags, fd, 0);
	CHECK(spot != MAP_FAILED);
	announced = 0;
	start(READERS, never_older);
	pin(0);
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		CHECK(mmap((void *)spot, PAGE, PROT_READ, flags | MAP_FIXED, fd, (off_t)(i * PAGE)) == spot);
		announce(i);
	}
	finish(READERS);
	close(fd);
}

TEST(a_shared_mapping_replaced) { replace_mappings(MAP_SHARED); }
TEST(a_private_mapping_replaced) { replace_mappings(MAP_PRIVATE); }

/* --- memory given back: it is zero, or what came later ---------------------------------------------------------------------------- */
static void *zero_or_newer(void *arg)
{
	pin((long)arg + 1);
	while (!stopped()) {
		unsigned long before = now(), seen = *spot;
		CHECK(seen == 0 || seen > before);
	}
	return NULL;
}

TEST(memory_dropped)
{
	spot = anonymous(PAGE);
	announced = 0;
	start(READERS, zero_or_newer);
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		*spot = i;
		CHECK(madvise((void *)spot, PAGE, MADV_DONTNEED) == 0);
		announce(i);
	}
	finish(READERS);
}

TEST(file_cut)
{
	int fd = numbered_file(2);
	spot = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(spot != MAP_FAILED);
	announced = 0;
	*spot = 0;
	start(READERS, zero_or_newer);
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		*spot = i;
		/* the page stays inside the file, its contents go: no SIGBUS */
		CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0);
		announce(i);
	}
	finish(READERS);
	close(fd);
}

/* --- rights taken away ------------------------------------------------------------------------------------------------------------ */
static __thread sigjmp_buf refused;
static unsigned long nr_refused;

static void on_segv(int sig)
{
	(void)sig;
	__atomic_fetch_add(&nr_refused, 1, __ATOMIC_RELAXED);
	siglongjmp(refused, 1);
}

static void catch_segv(void)
{
	struct sigaction sa = { .sa_handler = on_segv, .sa_flags = SA_NODEFER };
	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
}

static void *counts_up(void *arg)
{
	volatile unsigned long i = 0;	/* outlasts the jump */
	pin((long)arg + 1);
	while (!stopped()) {
		if (!sigsetjmp(refused, 0))
			for (int k = 0; k < 50 && !stopped(); k++)
				spot[(long)arg] = ++i;
		else
			sched_yield();
	}
	return NULL;
}

TEST(write_protected_for_all)
{
	catch_segv();
	spot = anonymous(PAGE);
	start(READERS, counts_up);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned long was[READERS];
		CHECK(mprotect((void *)spot, PAGE, PROT_READ) == 0);
		for (int k = 0; k < READERS; k++)
			was[k] = spot[k];
		for (int n = 0; n < 20; n++)
			for (int k = 0; k < READERS; k++)
				CHECK_EQ(spot[k], was[k]);
		CHECK(mprotect((void *)spot, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	finish(READERS);
}

static void *reads_on(void *arg)
{
	pin((long)arg + 1);
	while (!stopped()) {
		unsigned long before = now();
		if (sigsetjmp(refused, 0)) {
			sched_yield();
			continue;
		}
		(void)*spot;
		CHECK(!(before & 1) || now() != before);	/* odd: it was not there, from before the look until after it */
	}
	return NULL;
}

TEST(unmapped_for_all)
{
	catch_segv();
	char *at = anonymous(PAGE);
	spot = (void *)at;
	announced = 0;
	start(READERS, reads_on);
	for (unsigned long i = 0; i < ROUNDS; i++) {
		CHECK(munmap(at, PAGE) == 0);
		announce(2 * i + 1);
		sched_yield();
		announce(2 * i + 2);
		CHECK(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	}
	finish(READERS);
	CHECK(nr_refused > 0);
}

/* --- rights widened: the threads that saw fewer go on by themselves --------------------------------------------------------------- */
static unsigned long turn;
static void *writes_in_turn(void *arg)
{
	unsigned long me = (unsigned long)arg, seen = 0, t;
	pin((long)arg + 1);
	while (!stopped()) {
		t = __atomic_load_n(&turn, __ATOMIC_ACQUIRE);
		if (t == seen)
			continue;
		seen = t;
		CHECK_EQ(spot[64], 0);		/* read only at first: the translation is here now */
		spot[me] = t;
		__atomic_fetch_add(&announced, 1, __ATOMIC_ACQ_REL);
	}
	return NULL;
}

TEST(first_writes_after_reads)
{
	announced = turn = 0;
	spot = anonymous(PAGE);
	start(READERS, writes_in_turn);
	for (unsigned long i = 1; i <= ROUNDS / 4; i++) {
		pid_t pid;
		if (i & 1) {		/* shared with a child, then ours alone again: read-only for a while */
			pid = fork();
			if (!pid)
				_exit(0);
			CHECK(pid > 0 && EXITED(wait_status(pid), 0));
		} else {
			CHECK(mprotect((void *)spot, PAGE, PROT_READ) == 0 && mprotect((void *)spot, PAGE, PROT_READ | PROT_WRITE) == 0);
		}
		__atomic_store_n(&turn, i, __ATOMIC_RELEASE);
		while (now() != i * READERS)
			sched_yield();
		for (int k = 0; k < READERS; k++)
			CHECK_EQ(spot[k], i);
	}
	finish(READERS);
}

/* --- fork while threads write ----------------------------------------------------------------------------------------------------- */
#define AREA 8
static void *fills_up(void *arg)
{
	unsigned long me = (unsigned long)arg, i = 0;
	pin((long)arg + 1);
	while (!stopped()) {
		i++;
		for (unsigned long page = 0; page < AREA; page++)
			spot[page * PAGE / 8 + me] = i;
		for (unsigned long page = 0; page < AREA; page++)
			CHECK_EQ(spot[page * PAGE / 8 + me], i);	/* nothing of ours went into a copy that another has */
	}
	return NULL;
}

static int child_looks(void)
{
	unsigned long was[AREA][READERS];
	for (int page = 0; page < AREA; page++)
		for (int k = 0; k < READERS; k++)
			was[page][k] = spot[page * PAGE / 8 + k];
	for (int n = 0; n < 30; n++) {
		sched_yield();
		for (int page = 0; page < AREA; page++)
			for (int k = 0; k < READERS; k++)
				if (spot[page * PAGE / 8 + k] != was[page][k])
					return 1;
	}
	return 0;
}

TEST(fork_takes_a_picture)
{
	spot = anonymous(AREA * PAGE);
	start(READERS, fills_up);
	for (int i = 0; i < ROUNDS / 8; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			_exit(child_looks());
		CHECK(EXITED(wait_status(pid), 0));
	}
	finish(READERS);
}

/* --- many faults on one page ------------------------------------------------------------------------------------------------------ */
static pthread_barrier_t line;
static volatile unsigned char *bytes;
static unsigned long pages;
static void *touches_all(void *arg)
{
	unsigned long me = (unsigned long)arg;
	pin((long)arg);
	for (unsigned long i = 0; i < pages; i++) {
		pthread_barrier_wait(&line);
		bytes[i * PAGE + me] = (unsigned char)(me + 1);
	}
	return NULL;
}

static void touch_together(void *at, unsigned long nr)
{
	bytes = at;
	pages = nr;
	CHECK(pthread_barrier_init(&line, NULL, 4) == 0);
	start(4, touches_all);
	finish(4);
	for (unsigned long i = 0; i < nr; i++)
		for (unsigned long k = 0; k < 4; k++)
			CHECK_EQ(bytes[i * PAGE + k], k + 1);
}

TEST(threads_touch_one_fresh_page) { touch_together(anonymous(200 * PAGE), 200); }

TEST(threads_touch_one_private_file_page)
{
	int fd = numbered_file(100);
	void *at = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED);
	touch_together(at, 100);
	for (unsigned long i = 0, v; i < 100; i++)
		CHECK(pread(fd, &v, sizeof(v), (off_t)(i * PAGE)) == sizeof(v) && v == i);
	close(fd);
}

TEST(threads_touch_one_shared_file_page)
{
	int fd = numbered_file(100);
	void *at = mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	touch_together(at, 100);
	close(fd);
}

TEST(threads_touch_one_page_shared_with_a_child)
{
	char *at = anonymous(100 * PAGE);
	int p[2];
	memset(at, 0x55, 100 * PAGE);
	CHECK(pipe(p) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (!pid) {		/* leaves while they write */
		char c;
		close(p[1]);
		_exit(read(p[0], &c, 1) == 1 && at[0] == 0x55 && at[99 * PAGE + 3] == 0x55 ? 0 : 1);
	}
	CHECK(write(p[1], "", 1) == 1);
	touch_together(at, 100);
	CHECK(EXITED(wait_status(pid), 0));
	for (unsigned long i = 0; i < 100; i++)
		CHECK_EQ(at[i * PAGE + 4], 0x55);
}

/* --- one thread, many CPUs -------------------------------------------------------------------------------------------------------- */
TEST(one_thread_goes_from_cpu_to_cpu)
{
	int fd = numbered_file(ROUNDS + 1);
	volatile unsigned long *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	volatile unsigned long *q = anonymous(PAGE);
	CHECK(p != MAP_FAILED);
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		pin((long)(i % 4));
		CHECK_EQ(*p, i - 1);
		CHECK_EQ(*q, i - 1);
		CHECK(mmap((void *)p, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)(i * PAGE)) == p);
		CHECK(madvise((void *)q, PAGE, MADV_DONTNEED) == 0);
		CHECK_EQ(*p, i);
		CHECK_EQ(*q, 0);
		*q = i;
	}
	close(fd);
}

/* --- code -------------------------------------------------------------------------------------------------------------------------- */
typedef unsigned long (*code_fn)(void);
static code_fn code;
static void *runs_code(void *arg)
{
	pin((long)arg + 1);
	while (!stopped()) {
		unsigned long before = now();
		if (sigsetjmp(refused, 0)) {
			sched_yield();
			continue;
		}
		CHECK(code() >= before);
	}
	return NULL;
}

static void write_code(uint32_t *at, uint32_t n)
{
	at[0] = 0xd2800000u | (n & 0xffff) << 5;	/* mov x0, #n */
	at[1] = 0xd65f03c0u;				/* ret */
	__builtin___clear_cache((char *)at, (char *)(at + 2));
}

TEST(code_replaced_by_mprotect)
{
	catch_segv();
	uint32_t *at = anonymous(PAGE);
	announced = 0;
	code = (code_fn)at;
	write_code(at, 0);
	CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
	start(READERS, runs_code);
	for (unsigned i = 1; i <= ROUNDS / 2; i++) {
		CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
		write_code(at, i);
		CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
		announce(i);
	}
	finish(READERS);
}

TEST(code_read_by_the_kernel)
{
	uint32_t words[2] = { 0xd2800540u, 0xd65f03c0u };	/* mov x0, #42; ret */
	int p[2];
	uint32_t *at = anonymous(PAGE);
	CHECK(pipe(p) == 0 && write(p[1], words, sizeof(words)) == sizeof(words));
	CHECK(read(p[0], at, sizeof(words)) == sizeof(words));
	CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECK_EQ(((code_fn)at)(), 42);
}

/* --- moving ------------------------------------------------------------------------------------------------------------------------ */
static char *places;
#define MOVED 3ul
static void *looks_in_both(void *arg)
{
	pin((long)arg + 1);
	for (unsigned long i = 0; !stopped(); i++) {
		volatile unsigned long *p = (void *)(places + (i & 1) * 8 * PAGE + i / 2 % MOVED * PAGE);
		if (!sigsetjmp(refused, 0))
			CHECK_EQ(*p, 1000 + i / 2 % MOVED);
	}
	return NULL;
}

TEST(moved_to_and_fro)
{
	catch_segv();
	places = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(places != MAP_FAILED);
	char *at = anonymous(MOVED * PAGE);
	for (unsigned long i = 0; i < MOVED; i++)
		*(unsigned long *)(at + i * PAGE) = 1000 + i;
	start(READERS, looks_in_both);
	for (int i = 0; i < ROUNDS; i++) {
		char *to = places + (i & 1) * 8 * PAGE;
		CHECK(mremap(at, MOVED * PAGE, MOVED * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		at = to;
	}
	finish(READERS);
}
