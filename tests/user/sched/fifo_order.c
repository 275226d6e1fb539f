/* Real-time order on one CPU, as programs see it: a FIFO thread that a higher one preempts goes on before its equals; RR equals take turns. */
#include "tap.h"

struct shared { volatile int n; volatile char log[64]; volatile unsigned long spins[2]; };
static struct shared *sh;

static void note(char c)
{
	int i = __atomic_fetch_add(&sh->n, 1, __ATOMIC_SEQ_CST);

	if (i < (int)sizeof(sh->log) - 1)
		sh->log[i] = c;
}

static void set_policy(int policy, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	if (syscall(SYS_sched_setscheduler, 0, policy, &p))	/* musl's own says ENOSYS */
		_exit(2);
}

/* A child at (policy, prio) on CPU 0, parked on the pipe until a byte comes. */
static pid_t parked(int policy, int prio, int gate, void (*fn)(int), int arg)
{
	pid_t pid = fork();
	char c;

	if (pid)
		return pid;
	set_policy(policy, prio);
	if (read(gate, &c, 1) != 1)
		_exit(3);
	fn(arg);
	_exit(0);
}

static bool seen(char c)
{
	for (int i = 0; i < sh->n && i < (int)sizeof(sh->log); i++)
		if (sh->log[i] == c)
			return true;
	return false;
}

static void setup(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	set_policy(SCHED_FIFO, 50);
}

static void first(int arg)
{
	struct timespec limit, now;

	(void)arg;
	note('a');
	clock_gettime(CLOCK_MONOTONIC, &limit);
	do		/* in EL0, until the high one breaks in */
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (!seen('H') && now.tv_sec < limit.tv_sec + 10);
	note('A');
}

static void second(int arg) { (void)arg; note('b'); }

static void high(int arg)
{
	struct timespec ts = { 0, 20 * 1000 * 1000 };

	(void)arg;
	note('h');
	do		/* a host may stop the CPU for longer than that */
		nanosleep(&ts, NULL);
	while (!seen('a'));
	note('H');
}

TEST(fifo_preempted_goes_on_before_its_equals)
{
	int p[3][2];
	pid_t pid[3];

	setup();
	for (int i = 0; i < 3; i++)
		CHECK(pipe(p[i]) == 0);
	pid[0] = parked(SCHED_FIFO, 10, p[0][0], first, 0);
	pid[1] = parked(SCHED_FIFO, 10, p[1][0], second, 0);
	pid[2] = parked(SCHED_FIFO, 20, p[2][0], high, 0);
	for (int i = 0; i < 3; i++)
		CHECK(wait_state(pid[i], 'S'));		/* all of them wait at their pipes */
	for (int i = 0; i < 3; i++)
		CHECK(write(p[i][1], "x", 1) == 1);
	for (int i = 0; i < 3; i++) {
		int status;

		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
	}
	if (strcmp((char *)sh->log, "haHAb"))
		printf("# order: %s\n", (char *)sh->log);
	CHECK(strcmp((char *)sh->log, "haHAb") == 0);
}

static void spin(int me)
{
	unsigned long other = sh->spins[!me];
	struct timespec start, now;
	int turns = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (turns < 2) {
		sh->spins[me]++;
		if (sh->spins[!me] != other) {
			other = sh->spins[!me];
			turns++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > start.tv_sec + 8)
			_exit(1);
	}
	sh->spins[me]++;	/* the other may have seen the last one before we saw his */
}

TEST(rr_equals_take_turns)
{
	int p[2][2], status;
	pid_t pid[2];

	setup();
	for (int i = 0; i < 2; i++) {
		CHECK(pipe(p[i]) == 0);
		pid[i] = parked(SCHED_RR, 10, p[i][0], spin, i);
	}
	for (int i = 0; i < 2; i++)
		CHECK(wait_state(pid[i], 'S'));
	for (int i = 0; i < 2; i++)
		CHECK(write(p[i][1], "x", 1) == 1);
	for (int i = 0; i < 2; i++)
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
}
