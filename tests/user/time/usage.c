/* What a process has used: user and system time divided, monotone, and the same wherever it is told. */
#include "tap.h"
#include <pthread.h>
#include <sys/times.h>

static uint64_t us(struct timeval t) { return t.tv_sec * 1000000ull + t.tv_usec; }
static struct rusage usage(int who) { struct rusage r; CHECK(getrusage(who, &r) == 0); return r; }
static volatile long sink;
static void spin_user(uint64_t more_us)
{
	uint64_t until = us(usage(RUSAGE_SELF).ru_utime) + more_us;
	while (us(usage(RUSAGE_SELF).ru_utime) < until)
		for (long i = 0; i < 300000; i++) sink += i;
}
static void spin_system(uint64_t more_us)
{
	uint64_t until = us(usage(RUSAGE_SELF).ru_stime) + more_us;
	char path[2048];
	memset(path, '/', sizeof(path)); path[2047] = 0;
	while (us(usage(RUSAGE_SELF).ru_stime) < until)
		for (int i = 0; i < 100; i++) access(path, F_OK);
}

TEST(user_and_system_time_are_told_apart)
{
	struct rusage a = usage(RUSAGE_SELF);
	spin_user(60000);
	struct rusage b = usage(RUSAGE_SELF);
	CHECK(us(b.ru_utime) - us(a.ru_utime) > us(b.ru_stime) - us(a.ru_stime));
	spin_system(60000);
	struct rusage c = usage(RUSAGE_SELF);
	CHECK(us(c.ru_stime) - us(b.ru_stime) > us(c.ru_utime) - us(b.ru_utime));
}

TEST(neither_goes_back)
{
	struct rusage last = usage(RUSAGE_SELF);
	for (int i = 0; i < 3000; i++) {
		if (i % 3 == 0) for (long j = 0; j < 1000; j++) sink += j;
		struct rusage now = usage(i & 1 ? RUSAGE_THREAD : RUSAGE_SELF);
		if (!(i & 1)) {
			CHECK(us(now.ru_utime) >= us(last.ru_utime) && us(now.ru_stime) >= us(last.ru_stime));
			last = now;
		}
	}
}

TEST(the_clocks_agree_with_rusage)
{
	struct timespec t;
	spin_user(20000);
	struct rusage a = usage(RUSAGE_SELF);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	struct rusage b = usage(RUSAGE_SELF);
	uint64_t cpu = t.tv_sec * 1000000ull + t.tv_nsec / 1000;
	CHECK(cpu + 2 >= us(a.ru_utime) + us(a.ru_stime) && cpu <= us(b.ru_utime) + us(b.ru_stime) + 2);
	struct tms m;
	CHECK(times(&m) != -1);
	CHECK(m.tms_utime * 10000ull + 10000 >= us(b.ru_utime) && m.tms_utime > 0);
}

static void child_work(void)
{
	static volatile char big[64 * 4096];
	for (unsigned i = 0; i < sizeof(big); i += 4096) big[i] = 1;
	spin_user(30000);
	spin_system(30000);
	while (usage(RUSAGE_SELF).ru_nvcsw < 1)		/* a sleep may be over before it begins */
		sleep_ms(1);
}

TEST(a_child_is_accounted_when_reaped)
{
	struct rusage ru, before = usage(RUSAGE_CHILDREN);
	struct tms m;
	int st;
	pid_t pid = fork();
	if (pid == 0) { child_work(); _exit(0); }
	CHECK(wait_state(pid, 'Z'));
	struct rusage unreaped = usage(RUSAGE_CHILDREN);
	CHECK(us(unreaped.ru_utime) == us(before.ru_utime));
	CHECK_EQ(wait4(pid, &st, 0, &ru), pid);
	CHECK(us(ru.ru_utime) >= 30000 && us(ru.ru_stime) >= 30000);
	CHECK(ru.ru_minflt >= 64 && ru.ru_nvcsw >= 1 && ru.ru_maxrss >= 256);
	struct rusage after = usage(RUSAGE_CHILDREN);
	CHECK(us(after.ru_utime) >= us(ru.ru_utime) && us(after.ru_stime) >= us(ru.ru_stime));
	CHECK(after.ru_minflt >= ru.ru_minflt && after.ru_nvcsw >= ru.ru_nvcsw && after.ru_maxrss >= ru.ru_maxrss);
	CHECK(times(&m) != -1 && m.tms_cutime >= 3 && m.tms_cstime >= 3);
}

TEST(a_grandchild_counts_through_its_parent)
{
	struct rusage ru;
	int st;
	pid_t pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0) { child_work(); _exit(0); }
		_exit(wait_status(pid) != 0);
	}
	CHECK_EQ(wait4(pid, &st, 0, &ru), pid);
	CHECK(st == 0 && us(ru.ru_utime) >= 30000 && us(ru.ru_stime) >= 30000 && ru.ru_minflt >= 64);
}

TEST(an_ignored_child_is_not_accounted)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) { child_work(); _exit(0); }
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK(us(usage(RUSAGE_CHILDREN).ru_utime) == 0);
}

static void *thread_work(void *arg) { (void)arg; spin_user(30000); return NULL; }

TEST(a_thread_that_ended_still_counts)
{
	pthread_t t;
	uint64_t before = us(usage(RUSAGE_SELF).ru_utime);
	CHECK_EQ(pthread_create(&t, NULL, thread_work, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK(us(usage(RUSAGE_SELF).ru_utime) >= before + 30000);
	CHECK(us(usage(RUSAGE_THREAD).ru_utime) <= us(usage(RUSAGE_SELF).ru_utime));
	CHECK_ERR(getrusage(77, &(struct rusage){ 0 }), EINVAL);
	CHECK_ERR(getrusage(RUSAGE_SELF, (void *)8), EFAULT);
}

/* The n-th field of /proc/<pid>/stat, from 1 as proc(5) counts. */
static long long stat_field(const char *path, int n)
{
	char b[1024], *p;
	CHECK(read_file(path, b, sizeof(b)) > 0);
	p = strrchr(b, ')') + 2;
	for (int i = 3; i < n; i++) p = strchr(p, ' ') + 1;
	return strtoll(p, NULL, 10);
}

TEST(proc_stat_tells_the_same)
{
	spin_user(40000);
	spin_system(40000);
	struct rusage a = usage(RUSAGE_SELF);
	long long minflt = stat_field("/proc/self/stat", 10), ut = stat_field("/proc/self/stat", 14), st = stat_field("/proc/self/stat", 15);
	struct rusage b = usage(RUSAGE_SELF);
	CHECK(ut + 1 >= (long long)us(a.ru_utime) / 10000 && ut <= (long long)us(b.ru_utime) / 10000 + 1);
	CHECK(st + 1 >= (long long)us(a.ru_stime) / 10000 && st <= (long long)us(b.ru_stime) / 10000 + 1);
	CHECK(minflt >= a.ru_minflt && minflt <= b.ru_minflt);
	pid_t pid = fork();
	if (pid == 0) { child_work(); _exit(0); }
	wait_status(pid);
	struct rusage c = usage(RUSAGE_CHILDREN);
	CHECK_EQ(stat_field("/proc/self/stat", 11), c.ru_minflt);
	CHECK_EQ(stat_field("/proc/self/stat", 16), us(c.ru_utime) / 10000);
	CHECK_EQ(stat_field("/proc/self/stat", 17), us(c.ru_stime) / 10000);
}

TEST(proc_stat_of_the_machine_never_falls)
{
	unsigned long last[4] = { 0 }, now[4];
	for (int i = 0; i < 30; i++) {
		char b[4096];
		CHECK(read_file("/proc/stat", b, sizeof(b)) > 0);
		CHECK(sscanf(b, "cpu %lu %lu %lu %lu", &now[0], &now[1], &now[2], &now[3]) == 4);
		for (int j = 0; j < 3; j++) { CHECK(now[j] >= last[j]); last[j] = now[j]; }
		pid_t pid = fork();
		if (pid == 0) { spin_user(10000); _exit(0); }
		CHECK(EXITED(wait_status(pid), 0));
	}
	CHECK(last[0] > 0 && last[2] > 0);
}
