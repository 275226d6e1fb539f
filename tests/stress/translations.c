/* translations: no CPU may use a translation after the call that took it away has returned.
 *
 * One writer changes the mapping of a row of pages; probers, each pinned to a CPU of its own, look
 * at them.  A round is a handshake, so that a stale entry cannot hide:
 *
 *   1. every prober touches every page (its CPU now holds the translations), checks what it sees, says so;
 *   2. the writer makes its call and then publishes "done" (release);
 *   3. every prober, having seen "done" (acquire), touches every page again and must see the new
 *      state: new contents, or the fault that the new permissions ask for; it says so;
 *   4. the writer restores the row.
 *
 * Between 1 and 3 probers spin on a word or sleep: no call of theirs, no other program that would clean their CPU.  Pages
 * come from a memfd, each frame stamped with its own number and never reused, so an old translation
 * shows an old stamp for certain (anonymous memory freed and zeroed by chance would not).  The other
 * storms here have no handshake: a prober that reads a published generation must never see an
 * older page (faults race the change), and memory that others allocate must not change under them
 * (writes through dead translations to freed frames). */
#include "stress.h"
#include <linux/futex.h>
#include <ucontext.h>

#define PAGE 4096ul
#define ROW 24			/* pages a round */
#define PROBERS 8

/* ---- touching memory that may fault: the handler steps over the access and says so in x9 ---- */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uc->uc_mcontext.pc += 4;
	uc->uc_mcontext.regs[9] = sig;
}

static void catch_faults(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	CHECK(sigaction(SIGBUS, &sa, NULL) == 0);
}

/* load, store - 0, or the signal that the access raised. */
static inline int load(volatile unsigned long *p, unsigned long *v)
{
	register unsigned long sig asm("x9") = 0, val asm("x10") = 0;
	asm volatile("ldr %1, [%2]" : "+r"(sig), "+r"(val) : "r"(p) : "memory");
	*v = val;
	return sig;
}
static inline int store(volatile unsigned long *p, unsigned long v)
{
	register unsigned long sig asm("x9") = 0, val asm("x10") = v;
	asm volatile("str %1, [%2]" : "+r"(sig) : "r"(val), "r"(p) : "memory");
	return sig;
}

/* ---- the handshake ---- */
enum expect { STAMP, FAULT_LOAD, FAULT_STORE, STORE_OK, BUS };
static struct {
	_Atomic unsigned long step;			/* odd: probe for `want`, even: also, after the change */
	_Atomic unsigned long answers;
	_Atomic unsigned long stop;
	_Atomic int strict;
	enum expect want;
	unsigned long stamp[ROW];
} hs;
static unsigned long *row;
static int nr_probers;

static void probe(unsigned long who)
{
	for (int i = 0; i < ROW; i++) {
		unsigned long v = 0, *p = row + i * PAGE / 8;
		int sig = hs.want == FAULT_STORE || hs.want == STORE_OK ? store(p + 8 + who, hs.step) : load(p, &v);
		bool good = hs.want == STAMP ? sig == 0 && v == hs.stamp[i] : hs.want == STORE_OK ? sig == 0 :
			    hs.want == BUS ? sig == SIGBUS : sig == SIGSEGV;
		if (!good) {
			printf("# STALE: step %lu, page %d, prober %lu on cpu %d: signal %d, value %#lx, wanted %d %#lx\n", hs.step, i, who,
			       sched_getcpu(), sig, v, hs.want, hs.stamp[i]);
			fflush(stdout);
			_exit(1);
		}
	}
}

/* rest - in three rounds of four sleep until *word is no longer `val` (its CPU idles in this address space, and keeps
 * what it holds); in the fourth go on spinning, but for the case of fewer CPUs than probers. */
static void rest(_Atomic int *word, int val, unsigned long spins)
{
	if (hs.strict && spins % 200000)
		return;
	if (hs.strict)
		sched_yield();
	else
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
}

static void *prober(void *arg)
{
	unsigned long who = (unsigned long)arg, seen = 0, spins = 0;
	pin(who % cpus());
	for (;;) {
		unsigned long step = atomic_load_explicit(&hs.step, memory_order_acquire);
		if (atomic_load(&hs.stop))
			return NULL;
		if (step == seen) {
			if (++spins % 1000 == 0) rest((_Atomic int *)&hs.step, step, spins);
			continue;
		}
		seen = step;
		spins = 0;
		probe(who);
		atomic_fetch_add(&hs.answers, 1);
		syscall(SYS_futex, &hs.answers, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

/* all_see - every prober checks the row for `want`. */
static void all_see(enum expect want)
{
	hs.want = want;
	atomic_store(&hs.answers, 0);
	atomic_fetch_add_explicit(&hs.step, 1, memory_order_release);
	syscall(SYS_futex, &hs.step, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	unsigned long answers, spins = 0;
	while ((answers = atomic_load(&hs.answers)) < (unsigned)nr_probers)
		if (++spins % 1000 == 0) rest((_Atomic int *)&hs.answers, answers, spins);
}

static pthread_t probers[PROBERS];
static void probers_start(void)
{
	cpu_set_t all;
	catch_faults();
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	int n = CPU_COUNT(&all);
	nr_probers = n > PROBERS ? PROBERS : n > 1 ? n - 1 : 1;		/* the writer has the last CPU */
	for (long i = 0; i < nr_probers; i++) CHECK_EQ(pthread_create(&probers[i], NULL, prober, (void *)i), 0);
	pin(n - 1);
}
static void probers_stop(void)
{
	atomic_store(&hs.stop, 1);
	atomic_fetch_add(&hs.step, 1);
	syscall(SYS_futex, &hs.step, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	for (int i = 0; i < nr_probers; i++) CHECK_EQ(pthread_join(probers[i], NULL), 0);
}

/* ---- the backing: a memfd whose page n is stamped n + 1, twice a row long ---- */
static int backing = -1;
static int stamped_file(unsigned pages)
{
	int fd = syscall(SYS_memfd_create, "stamped", 0);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, pages * PAGE) == 0);
	unsigned long *m = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	for (unsigned i = 0; i < pages; i++)
		for (unsigned k = 0; k < PAGE / 8; k++) m[i * PAGE / 8 + k] = 0x5afe0000 + i;
	CHECK(munmap(m, pages * PAGE) == 0);
	return fd;
}
static void row_reset(int flags)
{
	void *m = mmap(row, ROW * PAGE, PROT_READ | PROT_WRITE, flags | (row ? MAP_FIXED : 0), backing, 0);
	CHECK(m != MAP_FAILED);
	row = m;
	for (int i = 0; i < ROW; i++) hs.stamp[i] = 0x5afe0000 + i;
}

/* ---- what takes a translation away ---- */
static void by_munmap(unsigned *seed)
{
	row_reset(MAP_SHARED);
	all_see(STAMP);
	CHECK(munmap(row, ROW * PAGE) == 0);
	all_see(FAULT_LOAD);
}
static void by_munmap_piecewise(unsigned *seed)
{
	row_reset(MAP_SHARED);
	all_see(STAMP);
	for (int i = 0; i < ROW; i++) CHECK(munmap((char *)row + (i * 7 % ROW) * PAGE, PAGE) == 0);
	for (int i = 0; i < ROW; i++) CHECK(munmap((char *)row + i * PAGE, PAGE) == 0);
	all_see(FAULT_LOAD);
}
static void by_map_fixed(unsigned *seed)
{
	row_reset(MAP_SHARED);
	all_see(STAMP);
	CHECK(mmap(row, ROW * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, backing, ROW * PAGE) == row);
	for (int i = 0; i < ROW; i++) hs.stamp[i] = 0x5afe0000 + ROW + i;
	all_see(STAMP);
}
static void by_protect_none(unsigned *seed)
{
	row_reset(random_next(seed) & 1 ? MAP_SHARED : MAP_PRIVATE);
	all_see(STAMP);
	CHECK(mprotect(row, ROW * PAGE, PROT_NONE) == 0);
	all_see(FAULT_LOAD);
	CHECK(mprotect(row, ROW * PAGE, PROT_READ) == 0);
	all_see(STAMP);
	all_see(FAULT_STORE);
	CHECK(mprotect(row, ROW * PAGE, PROT_READ | PROT_WRITE) == 0);
	all_see(STORE_OK);
}
static void by_protect_read(unsigned *seed)
{
	row_reset(random_next(seed) & 1 ? MAP_SHARED : MAP_PRIVATE);
	all_see(STORE_OK);
	CHECK(mprotect(row, ROW * PAGE, PROT_READ) == 0);
	all_see(FAULT_STORE);
	all_see(STAMP);
}
/* A private page that was written is thrown away: the file's own contents come back. */
static void by_dontneed(unsigned *seed)
{
	row_reset(MAP_PRIVATE);
	for (int i = 0; i < ROW; i++) hs.stamp[i] = row[i * PAGE / 8] = 0xbad0000 + i;
	all_see(STAMP);
	CHECK(madvise(row, ROW * PAGE, MADV_DONTNEED) == 0);
	for (int i = 0; i < ROW; i++) hs.stamp[i] = 0x5afe0000 + i;
	all_see(STAMP);
}
static void by_mremap(unsigned *seed)
{
	row_reset(MAP_SHARED);
	all_see(STAMP);
	char *away = mmap(NULL, ROW * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(away != MAP_FAILED);
	unsigned long *old = row;
	CHECK(mremap(row, ROW * PAGE, ROW * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away) == away);
	all_see(FAULT_LOAD);
	row = (unsigned long *)away;
	all_see(STAMP);
	CHECK(mremap(away, ROW * PAGE, ROW * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, old) == old);
	all_see(FAULT_LOAD);
	row = old;
	all_see(STAMP);
}
/* The first write to a private page replaces the file's frame, which other CPUs read, by a copy. */
static void by_copy_on_write(unsigned *seed)
{
	row_reset(MAP_PRIVATE);
	all_see(STAMP);
	for (int i = 0; i < ROW; i++) hs.stamp[i] = row[i * PAGE / 8] = 0xc0de0000 + i;
	all_see(STAMP);
}
/* After a fork every page is shared: what any CPU writes from then on must not reach the child. */
static void by_fork(unsigned *seed)
{
	int go[2];
	char c = 0;
	row_reset(MAP_PRIVATE);
	all_see(STORE_OK);
	all_see(STAMP);
	unsigned long before[ROW][PROBERS];	/* what the probers wrote */
	for (int i = 0; i < ROW; i++) memcpy(before[i], row + i * PAGE / 8 + 8, sizeof(before[i]));
	CHECK(pipe(go) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		read(go[0], &c, 1);
		for (int i = 0; i < ROW; i++)
			if (memcmp(row + i * PAGE / 8 + 8, before[i], sizeof(before[i])) || row[i * PAGE / 8] != hs.stamp[i]) {
				printf("# STALE: the child sees in page %d what was written after the fork\n", i);
				fflush(stdout);
				_exit(1);
			}
		_exit(0);
	}
	close(go[0]);
	all_see(STORE_OK);			/* through a writable entry of before the fork these would reach the child */
	write(go[1], &c, 1);
	CHECK_EQ(wait_status(pid), 0);
	close(go[1]);
	all_see(STAMP);
}
/* The file loses its pages: beyond its end SIGBUS, and a hole reads as zero. */
static void by_truncate(unsigned *seed)
{
	int kept = backing;
	backing = stamped_file(ROW);
	row_reset(MAP_SHARED);
	all_see(STAMP);
	CHECK(ftruncate(backing, 0) == 0);
	all_see(BUS);
	CHECK(ftruncate(backing, ROW * PAGE) == 0);
	memset(hs.stamp, 0, sizeof(hs.stamp));
	all_see(STAMP);
	close(backing);
	backing = kept;
}
static void by_punch_hole(unsigned *seed)
{
	int kept = backing;
	backing = stamped_file(ROW);
	row_reset(MAP_SHARED);
	all_see(STAMP);
	if (fallocate(backing, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, ROW * PAGE) == 0) {
		memset(hs.stamp, 0, sizeof(hs.stamp));
		all_see(STAMP);
	} else
		CHECK_EQ(errno, EOPNOTSUPP);
	close(backing);
	backing = kept;
}

STORM(handshakes)
{
	void (*ways[])(unsigned *) = { by_munmap, by_munmap_piecewise, by_map_fixed, by_protect_none, by_protect_read, by_dontneed, by_mremap,
				       by_copy_on_write, by_fork, by_truncate, by_punch_hole };
	unsigned seed = 1;
	backing = stamped_file(2 * ROW);
	row_reset(MAP_SHARED);
	probers_start();
	for (unsigned i = 0; !over(); i++) {
		atomic_store(&hs.strict, i / 11 % 4 == 3);
		ways[i % (sizeof(ways) / sizeof(ways[0]))](&seed);
		progress();
	}
	probers_stop();
	close(backing);
}

/* The prober's process moves between CPUs instead of standing on each: entries left behind on the CPUs it ran on. */
STORM(a_process_that_migrates)
{
	unsigned seed = 5;
	int n = cpus();
	catch_faults();
	backing = stamped_file(2 * ROW);
	row_reset(MAP_SHARED);
	while (!over()) {
		unsigned long v;
		row_reset(MAP_SHARED);
		for (int c = 0; c < n; c++) {
			pin(c);
			for (int i = 0; i < ROW; i++) CHECK(load(row + i * PAGE / 8, &v) == 0 && v == 0x5afe0000ul + i);
		}
		pin(random_next(&seed) % n);
		switch (random_next(&seed) % 3) {
		case 0: CHECK(munmap(row, ROW * PAGE) == 0); break;
		case 1: CHECK(mprotect(row, ROW * PAGE, PROT_NONE) == 0); break;
		case 2: CHECK(mmap(row, ROW * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == row);
		}
		for (int c = 0; c < n; c++) {
			pin(c);
			for (int i = 0; i < ROW; i++) CHECK(load(row + i * PAGE / 8, &v) == SIGSEGV);
		}
		progress();
	}
	close(backing);
}

/* ---- without a handshake: a published generation is never followed by an older page ---- */
/* Frame g % GENERATIONS is stamped g, mapped, then g is published: who has read g and sees less holds an entry of before. */
#define GENERATIONS 64ul
static _Atomic unsigned long published;
static void *generation_reader(void *arg)
{
	pin((long)arg % cpus());
	for (unsigned n = 0; !over(); n++) {
		unsigned long at_least = atomic_load_explicit(&published, memory_order_acquire), v;
		if (load(row, &v) == 0 && v < at_least) {
			printf("# STALE: generation %lu was published, the page says %lu\n", at_least, v);
			fflush(stdout);
			_exit(1);
		}
		if (n % 1000 == 0) progress();
	}
	return NULL;
}
STORM(published_generations)
{
	pthread_t t[PROBERS];
	unsigned seed = 3;
	int n = cpus(), readers = n > PROBERS ? PROBERS : n > 1 ? n - 1 : 1;
	catch_faults();
	backing = stamped_file(GENERATIONS);
	unsigned long *alias = mmap(NULL, GENERATIONS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, backing, 0);
	row = mmap(NULL, PAGE, PROT_NONE, MAP_SHARED, backing, 0);
	CHECK(row != MAP_FAILED && alias != MAP_FAILED);
	for (long i = 0; i < readers; i++) CHECK_EQ(pthread_create(&t[i], NULL, generation_reader, (void *)i), 0);
	pin(n - 1);
	for (unsigned long g = 1; !over(); g++) {
		alias[g % GENERATIONS * PAGE / 8] = g;
		if (random_next(&seed) % 4 == 0) CHECK(munmap(row, PAGE) == 0);
		CHECK(mmap(row, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, backing, g % GENERATIONS * PAGE) == row);
		if (random_next(&seed) % 4 == 0) CHECK(mprotect(row, PAGE, random_next(&seed) % 2 ? PROT_NONE : PROT_READ | PROT_WRITE) == 0);
		atomic_store_explicit(&published, g, memory_order_release);
		if (random_next(&seed) % 8 == 0) sched_yield();
	}
	for (int i = 0; i < readers; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
	close(backing);
}

/* ---- freed frames: writers scribble through mappings that are taken away; others' memory must stay as it is ---- */
#define SCRIBBLE 64
static unsigned long *scribble;
static void *scribbler(void *arg)
{
	unsigned seed = (long)arg + 11;
	while (!over()) {
		for (int i = 0; i < SCRIBBLE; i++) store(scribble + (random_next(&seed) % SCRIBBLE) * PAGE / 8 + 1, 0xdeadbeef);
		progress();
	}
	return NULL;
}
static void scribble_kid(int n)
{
	pthread_t t[3];
	unsigned seed = n + 1;
	catch_faults();
	scribble = mmap(NULL, SCRIBBLE * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < 3; i++) CHECK_EQ(pthread_create(&t[i], NULL, scribbler, (void *)i), 0);
	while (!over()) {
		unsigned r = random_next(&seed), from = (r >> 8) % SCRIBBLE, len = 1 + (r >> 16) % (SCRIBBLE - from);
		char *at = (char *)scribble + from * PAGE;
		switch (r % 4) {
		case 0: CHECK(madvise(at, len * PAGE, MADV_DONTNEED) == 0); break;
		case 1:
			CHECK(munmap(at, len * PAGE) == 0);
			/* fall through */
		case 2: CHECK(mmap(at, len * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at); break;
		case 3:
			if (fork() == 0) _exit(0);
			wait(NULL);
		}
	}
	for (int i = 0; i < 3; i++) CHECK_EQ(pthread_join(t[i], NULL), 0);
}
static void bystander(int n)
{
	while (!over()) {
		size_t pages = 64;
		unsigned long *m = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(m != MAP_FAILED);
		for (size_t i = 0; i < pages * PAGE / 8; i += 8) {
			CHECK_EQ(m[i + 1], 0);
			m[i + 1] = (unsigned long)&m[i] + n;
		}
		for (int k = 0; k < 4; k++)
			for (size_t i = 0; i < pages * PAGE / 8; i += 8)
				if (m[i + 1] != (unsigned long)&m[i] + n) {
					printf("# STALE: somebody wrote %#lx into my fresh page\n", m[i + 1]);
					fflush(stdout);
					_exit(1);
				}
		CHECK(munmap(m, pages * PAGE) == 0);
		progress();
	}
}
STORM(nobody_writes_to_freed_frames)
{
	pid_t a = kid(scribble_kid, 0), b = kid(scribble_kid, 1), c = kid(bystander, 1), d = kid(bystander, 2);
	CHECK_EQ(wait_status(a), 0);
	CHECK_EQ(wait_status(b), 0);
	CHECK_EQ(wait_status(c), 0);
	CHECK_EQ(wait_status(d), 0);
}

/* ---- mprotect and faults that handlers resolve, on every CPU (a garbage collector's write barrier) ---- */
static unsigned long *guarded_pages;
#define GUARDED 32
static _Atomic unsigned long resolved;
static void resolve(int sig, siginfo_t *info, void *uc)
{
	unsigned long page = (unsigned long)info->si_addr & ~(PAGE - 1);
	if (info->si_code != SEGV_ACCERR || page - (unsigned long)guarded_pages >= GUARDED * PAGE)
		_exit(3);
	if (mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) < 0)
		_exit(4);
	atomic_fetch_add(&resolved, 1);
}
static void *mutator(void *arg)
{
	unsigned long n = (unsigned long)arg, done = 0;
	for (unsigned i = n; !over(); i++, done++) {
		unsigned long *w = guarded_pages + (i % GUARDED) * PAGE / 8 + n;
		*(volatile unsigned long *)w = *(volatile unsigned long *)w + 1;
		if (i % GUARDED == 0) progress();
	}
	return (void *)done;
}
STORM(faults_resolved_by_mprotect_in_handlers)
{
	struct sigaction sa = { .sa_sigaction = resolve, .sa_flags = SA_SIGINFO };
	pthread_t t[4];
	unsigned seed = 1;
	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	guarded_pages = mmap(NULL, GUARDED * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, mutator, (void *)i), 0);
	while (!over()) {
		unsigned r = random_next(&seed), from = r % GUARDED, len = 1 + (r >> 8) % (GUARDED - from);
		CHECK(mprotect((char *)guarded_pages + from * PAGE, len * PAGE, r >> 20 & 1 ? PROT_READ : PROT_NONE) == 0);
		if ((r >> 21) % 4 == 0 && fork() == 0) _exit(0);
		while (waitpid(-1, NULL, WNOHANG) > 0) ;
	}
	while (wait(NULL) > 0) ;
	CHECK(mprotect(guarded_pages, GUARDED * PAGE, PROT_READ) == 0);
	for (long i = 0; i < 4; i++) {		/* no increment may be lost to a page that was copied under its writer */
		unsigned long sum = 0;
		void *done;
		CHECK_EQ(pthread_join(t[i], &done), 0);
		for (int k = 0; k < GUARDED; k++) sum += *(volatile unsigned long *)(guarded_pages + k * PAGE / 8 + i);
		CHECK_EQ(sum, (unsigned long)done);
	}
	CHECK(resolved > 0);
}
