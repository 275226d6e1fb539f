/* Semaphore sets: semget, semop, semtimedop, semctl; undo; who is served when; removal; limits; bad arguments. */
#define TAP_TIMEOUT 120
#include "ipc.h"
#include <sys/prctl.h>

static int op1(int id, int n, int op, int flags)
{
	struct sembuf b = { n, op, flags };
	return semop(id, &b, 1);
}
static int val(int id, int n) { return semctl(id, n, GETVAL); }
static int set(int id, int n, int v) { return semctl(id, n, SETVAL, (union semun){ .val = v }); }
static int make(int n)
{
	int id = semget(IPC_PRIVATE, n, IPC_CREAT | 0600);
	CHECK(id >= 0);
	return id;
}
static void gone(int id) { CHECK(semctl(id, 0, IPC_RMID) == 0); }
/* A child that does one operation; its exit status is errno. */
static pid_t child_op(int id, int n, int op, int flags)
{
	pid_t pid = fork_flushed();
	if (pid == 0) _exit(op1(id, n, op, flags) ? errno : 0);
	return pid;
}
/* ... and sleeps in it. */
static pid_t waiter(int id, int n, int op, int flags)
{
	int before = op ? semctl(id, n, GETNCNT) : semctl(id, n, GETZCNT);
	pid_t pid = child_op(id, n, op, flags);
	while ((op ? semctl(id, n, GETNCNT) : semctl(id, n, GETZCNT)) == before) sleep_ms(1);
	return pid;
}

TEST(get_and_keys)
{
	key_t k = own_key(0);
	CHECK_ERR(semget(k, 3, 0600), ENOENT);
	int id = semget(k, 3, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(semget(k, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(semget(k, 3, IPC_CREAT | 0600), id);
	CHECK_EQ(semget(k, 0, 0), id);
	CHECK_EQ(semget(k, 2, IPC_EXCL), id);
	CHECK_ERR(semget(k, 4, 0), EINVAL);
	CHECK_ERR(semget(k, -1, 0), EINVAL);
	CHECK_ERR(semget(k, 32001, 0), EINVAL);
	CHECK_ERR(semget(own_key(1), 0, IPC_CREAT), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	int other = semget(IPC_PRIVATE, 1, 0600), third = semget(IPC_PRIVATE, 1, 0600);
	CHECK(other >= 0 && third >= 0 && other != id && third != other && third != id);
	gone(id); gone(other); gone(third);
	CHECK_ERR(semget(k, 0, 0), ENOENT);
}

TEST(ids_are_not_soon_used_again)
{
	int old = make(1);
	gone(old);
	CHECK_ERR(semctl(old, 0, GETVAL), EINVAL);
	CHECK_ERR(op1(old, 0, 1, 0), EINVAL);
	CHECK_ERR(semctl(old, 0, IPC_RMID), EINVAL);
	for (int i = 0; i < 200; i++) {
		int id = make(1);
		CHECK(id != old);
		gone(id);
	}
}

TEST(a_new_set_is_zero)
{
	int id = make(250);
	unsigned short v[250];
	memset(v, 7, sizeof(v));
	CHECK(semctl(id, 0, GETALL, (union semun){ .array = v }) == 0);
	for (int i = 0; i < 250; i++) CHECK_EQ(v[i], 0);
	CHECK_EQ(semctl(id, 3, GETPID), 0);
	gone(id);
}

TEST(values)
{
	int id = make(3);
	CHECK(set(id, 1, 5) == 0);
	CHECK_EQ(val(id, 1), 5);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK(op1(id, 1, -2, 0) == 0 && val(id, 1) == 3);
	CHECK(op1(id, 1, 4, 0) == 0 && val(id, 1) == 7);
	CHECK(op1(id, 0, 0, 0) == 0);
	CHECK_EQ(semctl(id, 0, GETPID), getpid());
	CHECK(set(id, 1, 32767) == 0);
	CHECK_ERR(set(id, 1, 32768), ERANGE);
	CHECK_ERR(set(id, 1, -1), ERANGE);
	CHECK_ERR(set(id, 3, 1), EINVAL);
	CHECK_ERR(set(id, -1, 1), EINVAL);
	CHECK_ERR(val(id, 3), EINVAL);
	CHECK_ERR(semctl(id, -1, GETNCNT), EINVAL);
	CHECK_ERR(op1(id, 1, 1, 0), ERANGE);
	CHECK_EQ(val(id, 1), 32767);
	gone(id);
}

TEST(all_values)
{
	int id = make(4);
	unsigned short v[4] = { 1, 2, 3, 32767 }, w[4], big[4] = { 9, 9, 32768, 9 };
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = v }) == 0);
	CHECK(semctl(id, 0, GETALL, (union semun){ .array = w }) == 0);
	CHECK(!memcmp(v, w, sizeof(v)));
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = big }), ERANGE);
	CHECK_EQ(val(id, 0), 1);
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = HOLE }), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, (union semun){ .array = HOLE }), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, (union semun){ .array = BAD }), EFAULT);
	for (int i = 0; i < 4; i++) CHECK_EQ(semctl(id, i, GETPID), getpid());
	gone(id);
}

TEST(all_operations_or_none)
{
	int id = make(3);
	struct sembuf b[] = { { 0, 1, 0 }, { 1, 2, 0 }, { 2, -1, IPC_NOWAIT } };
	CHECK_ERR(semop(id, b, 3), EAGAIN);
	CHECK_EQ(val(id, 0), 0);
	CHECK_EQ(val(id, 1), 0);
	CHECK(set(id, 2, 1) == 0);
	CHECK(semop(id, b, 3) == 0);
	CHECK_EQ(val(id, 0), 1);
	CHECK_EQ(val(id, 1), 2);
	CHECK_EQ(val(id, 2), 0);
	struct sembuf over[] = { { 0, 1, 0 }, { 1, 32766, 0 } };
	CHECK_ERR(semop(id, over, 2), ERANGE);
	CHECK_EQ(val(id, 0), 1);
	gone(id);
}

TEST(operations_in_order)
{
	int id = make(1);
	struct sembuf up_down[] = { { 0, 3, 0 }, { 0, -2, 0 }, { 0, -1, 0 }, { 0, 0, 0 }, { 0, 1, 0 } };
	CHECK(semop(id, up_down, 5) == 0);
	CHECK_EQ(val(id, 0), 1);
	struct sembuf down_up[] = { { 0, -2, IPC_NOWAIT }, { 0, 5, 0 } };
	CHECK_ERR(semop(id, down_up, 2), EAGAIN);
	struct sembuf zero[] = { { 0, 0, IPC_NOWAIT }, { 0, 1, 0 } };
	CHECK_ERR(semop(id, zero, 2), EAGAIN);
	struct sembuf zero2[] = { { 0, -1, 0 }, { 0, 0, IPC_NOWAIT }, { 0, 7, 0 } };
	CHECK(semop(id, zero2, 3) == 0);
	CHECK_EQ(val(id, 0), 7);
	gone(id);
}

TEST(bad_arguments)
{
	int id = make(2);
	struct sembuf b[600];
	memset(b, 0, sizeof(b));
	CHECK_ERR(semop(id, b, 0), EINVAL);
	CHECK_ERR(semop(id, b, 501), E2BIG);
	CHECK_ERR(semop(id, b, 0x80000000u), E2BIG);
	CHECK(semop(id, b, 500) == 0);
	CHECK_ERR(semop(id, HOLE, 1), EFAULT);
	CHECK_ERR(semop(id, BAD, 1), EFAULT);
	CHECK_ERR(semop(id, HOLE, 500), EFAULT);
	CHECK_ERR(semop(-1, b, 1), EINVAL);
	CHECK_ERR(semop(0x7fffffff, b, 1), EINVAL);
	CHECK_ERR(op1(id, 2, 1, 0), EFBIG);
	CHECK_ERR(op1(id, 65535, 1, 0), EFBIG);
	struct sembuf far[] = { { 0, 1, 0 }, { 9, 1, 0 } };
	CHECK_ERR(semop(id, far, 2), EFBIG);
	CHECK_EQ(val(id, 0), 0);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	CHECK_ERR(semctl(-1, 0, GETVAL), EINVAL);
	CHECK_ERR(semctl(-1, 0, SEM_INFO), EINVAL);
	CHECK_ERR(syscall(SYS_semctl, id, 0, IPC_STAT | 0x100, b), EINVAL);
	CHECK_ERR(syscall(SYS_semctl, id, 0, IPC_STAT, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_semctl, id, 0, IPC_SET, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_semctl, id, 0, IPC_SET, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_semctl, 0, 0, SEM_INFO, HOLE), EFAULT);
	struct timespec t = { 0, 1000000000 };
	struct sembuf one = { 0, -1, 0 };
	CHECK_ERR(semtimedop(id, &one, 1, &t), EINVAL);
	t = (struct timespec){ -1, 0 };
	CHECK_ERR(semtimedop(id, &one, 1, &t), EINVAL);
	CHECK_ERR(semtimedop(id, &one, 1, HOLE), EFAULT);
	gone(id);
}

TEST(timeout)
{
	int id = make(1);
	struct sembuf b = { 0, -1, 0 };
	struct timespec t = { 0, 20000000 }, none = { 0, 0 };
	CHECK_ERR(semtimedop(id, &b, 1, &t), EAGAIN);
	CHECK_ERR(semtimedop(id, &b, 1, &none), EAGAIN);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK(set(id, 0, 1) == 0);
	CHECK(semtimedop(id, &b, 1, &none) == 0);
	CHECK(set(id, 0, 1) == 0);
	CHECK(semtimedop(id, &b, 1, NULL) == 0);
	t.tv_sec = LONG_MAX;
	CHECK(set(id, 0, 1) == 0);
	CHECK(semtimedop(id, &b, 1, &t) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) _exit(semtimedop(id, &b, 1, &t) ? errno : 0);
	CHECK(wait_state(pid, 'S'));
	CHECK(op1(id, 0, 1, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(blocks_until_it_can)
{
	int id = make(1);
	pid_t pid = waiter(id, 0, -3, 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK(op1(id, 0, 2, 0) == 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(val(id, 0), 2);
	CHECK(op1(id, 0, 2, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 1);
	CHECK_EQ(semctl(id, 0, GETPID), pid);
	pid = waiter(id, 0, 0, 0);
	CHECK_EQ(semctl(id, 0, GETZCNT), 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK(op1(id, 0, -1, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(setting_wakes)
{
	int id = make(2);
	unsigned short v[2] = { 0, 5 };
	pid_t a = waiter(id, 0, -3, 0), b = waiter(id, 1, -4, 0);
	CHECK(set(id, 0, 3) == 0);
	CHECK(EXITED(wait_status(a), 0));
	CHECK_EQ(val(id, 0), 0);
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = v }) == 0);
	CHECK(EXITED(wait_status(b), 0));
	CHECK_EQ(val(id, 1), 1);
	a = waiter(id, 1, 0, 0);
	CHECK(set(id, 1, 0) == 0);
	CHECK(EXITED(wait_status(a), 0));
	gone(id);
}

TEST(first_come_first_served)
{
	int id = make(1), p[2];
	pid_t pid[4];
	char order[5] = "";
	CHECK(pipe(p) == 0);
	for (int i = 0; i < 4; i++) {
		fflush(stdout);
		pid[i] = fork();
		if (pid[i] == 0) {
			char c = 'a' + i;
			if (op1(id, 0, -1, 0)) _exit(1);
			_exit(write(p[1], &c, 1) != 1);
		}
		while (semctl(id, 0, GETNCNT) != i + 1) sleep_ms(1);
	}
	for (int i = 0; i < 4; i++) {
		CHECK(op1(id, 0, 1, 0) == 0);
		CHECK_EQ(read(p[0], order + i, 1), 1);
	}
	CHECK(!strcmp(order, "abcd"));
	for (int i = 0; i < 4; i++) CHECK(EXITED(wait_status(pid[i]), 0));
	gone(id);
}

/* Whoever cannot be served holds nobody up; who waits for zero goes before who takes. */
TEST(the_small_pass_the_great)
{
	int id = make(1);
	pid_t great = waiter(id, 0, -5, 0), small = waiter(id, 0, -1, 0);
	CHECK(op1(id, 0, 2, 0) == 0);
	CHECK(EXITED(wait_status(small), 0));
	CHECK_EQ(val(id, 0), 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK(op1(id, 0, 4, 0) == 0);
	CHECK(EXITED(wait_status(great), 0));
	CHECK_EQ(val(id, 0), 0);
	gone(id);
}

TEST(one_lets_the_next_go)
{
	int id = make(3);
	struct sembuf a[] = { { 0, -1, 0 }, { 1, 1, 0 } }, b[] = { { 1, -1, 0 }, { 2, 1, 0 } };
	fflush(stdout);
	pid_t second = fork();
	if (second == 0) _exit(semop(id, b, 2) ? errno : 0);
	while (semctl(id, 1, GETNCNT) != 1) sleep_ms(1);
	pid_t first = fork();
	if (first == 0) _exit(semop(id, a, 2) ? errno : 0);
	while (semctl(id, 0, GETNCNT) != 1) sleep_ms(1);
	pid_t third = waiter(id, 2, -1, 0);
	CHECK(op1(id, 0, 1, 0) == 0);
	CHECK(EXITED(wait_status(first), 0));
	CHECK(EXITED(wait_status(second), 0));
	CHECK(EXITED(wait_status(third), 0));
	for (int i = 0; i < 3; i++) CHECK_EQ(val(id, i), 0);
	gone(id);
}

TEST(zero_then_take)
{
	int id = make(2);
	struct sembuf lock[] = { { 0, 0, 0 }, { 0, 1, 0 } };
	CHECK(semop(id, lock, 2) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) _exit(semop(id, lock, 2) ? errno : 0);
	while (semctl(id, 0, GETZCNT) != 1) sleep_ms(1);
	CHECK(op1(id, 0, -1, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 1);
	gone(id);
}

TEST(counts_by_the_operation_that_blocks)
{
	int id = make(3);
	struct sembuf b[] = { { 0, -1, 0 }, { 1, -1, 0 }, { 2, 0, 0 } };
	CHECK(set(id, 2, 1) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) _exit(semop(id, b, 3) ? errno : 0);
	while (semctl(id, 0, GETNCNT) != 1) sleep_ms(1);
	CHECK_EQ(semctl(id, 1, GETNCNT), 0);
	CHECK(set(id, 0, 1) == 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_EQ(semctl(id, 1, GETNCNT), 1);
	CHECK(set(id, 1, 1) == 0);
	CHECK_EQ(semctl(id, 2, GETZCNT), 1);
	CHECK_EQ(val(id, 0), 1);
	CHECK(set(id, 2, 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 0);
	gone(id);
}

TEST(a_later_operation_may_refuse_to_wait)
{
	int id = make(2);
	struct sembuf b[] = { { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } };
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) _exit(semop(id, b, 2) ? errno : 0);
	while (semctl(id, 0, GETNCNT) != 1) sleep_ms(1);
	CHECK(op1(id, 0, 1, 0) == 0);
	CHECK(EXITED(wait_status(pid), EAGAIN));
	CHECK_EQ(val(id, 0), 1);
	gone(id);
}

TEST(removal_wakes)
{
	int id = make(1);
	pid_t a = waiter(id, 0, -1, 0), c = waiter(id, 0, -1, SEM_UNDO);
	CHECK(set(id, 0, 0) == 0);
	gone(id);
	CHECK(EXITED(wait_status(a), EIDRM));
	CHECK(EXITED(wait_status(c), EIDRM));
	CHECK_ERR(op1(id, 0, 1, 0), EINVAL);
}

static pid_t interrupted(int id, int flags)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		catch(SIGUSR1, flags);
		_exit(op1(id, 0, -1, 0) ? errno : 0);
	}
	while (semctl(id, 0, GETNCNT) != 1) sleep_ms(1);
	CHECK(wait_state(pid, 'S'));
	kill(pid, SIGUSR1);
	return pid;
}

TEST(signals)
{
	int id = make(1);
	CHECK(EXITED(wait_status(interrupted(id, 0)), EINTR));
	CHECK(EXITED(wait_status(interrupted(id, SA_RESTART)), EINTR));
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	pid_t pid = waiter(id, 0, -1, 0);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK(op1(id, 0, 1, 0) == 0);
	CHECK_EQ(val(id, 0), 1);
	gone(id);
}

TEST(undo_at_exit)
{
	int id = make(3);
	CHECK(set(id, 0, 5) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		struct sembuf b[] = { { 0, -2, SEM_UNDO }, { 1, 3, SEM_UNDO }, { 2, 1, 0 } };
		_exit(semop(id, b, 3) || val(id, 0) != 3 || op1(id, 1, -1, 0));
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 5);
	CHECK_EQ(val(id, 1), 0);	/* 3 - 1 - 3, and no less than 0 */
	CHECK_EQ(val(id, 2), 1);
	CHECK_EQ(semctl(id, 0, GETPID), pid);
	gone(id);
}

TEST(undo_when_killed_wakes)
{
	int id = make(1);
	CHECK(set(id, 0, 1) == 0);
	fflush(stdout);
	pid_t holder = fork();
	if (holder == 0) {
		if (op1(id, 0, -1, SEM_UNDO)) _exit(1);
		pause();
	}
	while (val(id, 0)) sleep_ms(1);
	pid_t next = waiter(id, 0, -1, 0);
	kill(holder, SIGKILL);
	CHECK(KILLED(wait_status(holder), SIGKILL));
	CHECK(EXITED(wait_status(next), 0));
	gone(id);
}

TEST(undo_of_many_sets)
{
	int id[20];
	for (int i = 0; i < 20; i++) id[i] = make(2);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		for (int r = 0; r < 3; r++)
			for (int i = 0; i < 20; i++)
				if (op1(id[i], i & 1, i + 1, SEM_UNDO)) _exit(1);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	for (int i = 0; i < 20; i++) { CHECK_EQ(val(id[i], 0), 0); CHECK_EQ(val(id[i], 1), 0); gone(id[i]); }
}

TEST(undo_is_bounded)
{
	int id = make(1);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		if (op1(id, 0, 32767, SEM_UNDO)) _exit(1);
		if (op1(id, 0, -32767, 0)) _exit(2);
		if (op1(id, 0, 1, SEM_UNDO)) _exit(3);
		if (op1(id, 0, -1, 0)) _exit(4);
		if (op1(id, 0, 1, SEM_UNDO) == 0 || errno != ERANGE) _exit(5);
		_exit(val(id, 0) ? 6 : 0);
	}
	CHECK_EQ(wait_status(pid), 0);
	gone(id);
}

TEST(setting_forgets_undo)
{
	int id = make(2);
	unsigned short v[2] = { 9, 9 };
	int p[2], q[2];
	char c;
	CHECK(pipe(p) == 0 && pipe(q) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (op1(id, 0, 3, SEM_UNDO) || op1(id, 1, 3, SEM_UNDO)) _exit(1);
		write(p[1], "x", 1);
		read(q[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK(set(id, 0, 7) == 0);
	write(q[1], "x", 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 7);
	CHECK_EQ(val(id, 1), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (op1(id, 0, 3, SEM_UNDO) || op1(id, 1, 3, SEM_UNDO)) _exit(1);
		_exit(semctl(id, 0, SETALL, (union semun){ .array = v }) != 0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 9);
	CHECK_EQ(val(id, 1), 9);
	gone(id);
}

TEST(undo_is_not_inherited_but_survives_exec)
{
	int id = make(1);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		if (op1(id, 0, 4, SEM_UNDO)) _exit(1);
		pid_t kid = fork();
		if (kid == 0) _exit(0);
		if (!EXITED(wait_status(kid), 0) || val(id, 0) != 4) _exit(2);
		execl("/proc/self/exe", "sem", "no-such-test", NULL);
		_exit(3);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 0);
	gone(id);
}

static int shared_id;
static void *thread_ups(void *arg) { (void)arg; return (void *)(long)op1(shared_id, 0, 2, SEM_UNDO); }

TEST(threads_share_undo)
{
	shared_id = make(1);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		pthread_t t;
		void *r;
		if (pthread_create(&t, NULL, thread_ups, NULL) || pthread_join(t, &r) || r) _exit(1);
		if (val(shared_id, 0) != 2) _exit(2);
		if (op1(shared_id, 0, 1, SEM_UNDO)) _exit(3);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(shared_id, 0), 0);
	gone(shared_id);
}

static int clone_child(void *arg) { return op1(*(int *)arg, 0, 2, SEM_UNDO); }

TEST(processes_share_undo_by_clone)
{
	int id = make(1);
	static char stack[65536];
	pid_t pid = fork_flushed();
	if (pid == 0) {
		pid_t kid = clone(clone_child, stack + sizeof(stack), CLONE_SYSVSEM | SIGCHLD, &id);
		if (kid < 0 || !EXITED(wait_status(kid), 0)) _exit(1);
		if (val(id, 0) != 2) _exit(2);
		kid = clone(clone_child, stack + sizeof(stack), SIGCHLD, &id);
		if (kid < 0 || !EXITED(wait_status(kid), 0)) _exit(3);
		_exit(val(id, 0) != 2);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(val(id, 0), 0);
	gone(id);
}

TEST(undo_of_a_removed_set)
{
	int id = make(1), again;
	pid_t pid = fork_flushed();
	if (pid == 0) {
		if (op1(id, 0, 1, SEM_UNDO) || semctl(id, 0, IPC_RMID)) _exit(1);
		for (int i = 0; i < 100; i++) {
			again = semget(IPC_PRIVATE, 1, 0600);
			if (op1(again, 0, 1, SEM_UNDO) || semctl(again, 0, IPC_RMID)) _exit(2);
		}
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(stat_and_set)
{
	int id = semget(own_key(2), 5, IPC_CREAT | 0640);
	struct semid_ds ds;
	time_t now = time(NULL);
	memset(&ds, 0xff, sizeof(ds));
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0);
	CHECK_EQ(ds.sem_nsems, 5);
	CHECK_EQ(ds.sem_perm.mode, 0640);
	CHECK_EQ(ds.sem_perm.__ipc_perm_key, own_key(2));
	CHECK(ds.sem_perm.uid == 0 && ds.sem_perm.cuid == 0 && ds.sem_perm.gid == 0 && ds.sem_perm.cgid == 0);
	CHECK_EQ(ds.sem_otime, 0);
	CHECK(ds.sem_ctime >= now - 2 && ds.sem_ctime <= now + 10);
	CHECK(op1(id, 0, 1, 0) == 0);
	ds.sem_perm.uid = 1000;
	ds.sem_perm.gid = 1001;
	ds.sem_perm.mode = 0xffff;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) == 0);
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0);
	CHECK_EQ(ds.sem_perm.mode, 0777);
	CHECK(ds.sem_perm.uid == 1000 && ds.sem_perm.gid == 1001 && ds.sem_perm.cuid == 0 && ds.sem_perm.cgid == 0);
	CHECK(ds.sem_otime >= now - 2);
	ds.sem_perm.uid = -1;
	CHECK_ERR(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }), EINVAL);
	gone(id);
}

TEST(otime)
{
	int id = make(1);
	struct semid_ds ds;
	CHECK(set(id, 0, 1) == 0);
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0 && ds.sem_otime == 0);
	CHECK_ERR(op1(id, 0, 0, IPC_NOWAIT), EAGAIN);
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0 && ds.sem_otime == 0);
	CHECK(set(id, 0, 0) == 0);
	CHECK(op1(id, 0, 0, 0) == 0);
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0 && ds.sem_otime != 0);
	gone(id);
}

TEST(permissions)
{
	int mine = make(1), all = semget(IPC_PRIVATE, 1, 0666), read_only = semget(own_key(3), 1, IPC_CREAT | 0604);
	int group = semget(IPC_PRIVATE, 1, 0660);
	struct semid_ds ds;
	CHECK(semctl(group, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0);
	ds.sem_perm.gid = 1000;
	CHECK(semctl(group, 0, IPC_SET, (union semun){ .buf = &ds }) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR(op1(mine, 0, 1, 0), EACCES);
		CHECK_ERR(op1(mine, 1, 1, 0), EFBIG);
		CHECK_ERR(op1(mine, 0, 0, 0), EACCES);
		CHECK_ERR(val(mine, 0), EACCES);
		CHECK_ERR(val(mine, 7), EACCES);
		CHECK_ERR(set(mine, 0, 1), EACCES);
		CHECK_ERR(set(mine, 7, 1), EINVAL);
		CHECK_ERR(semctl(mine, 0, IPC_STAT, (union semun){ .buf = &ds }), EACCES);
		CHECK_ERR(semctl(mine, 0, IPC_RMID), EPERM);
		CHECK_ERR(semctl(mine, 0, SETALL, (union semun){ .array = HOLE }), EACCES);
		CHECK(op1(all, 0, 1, 0) == 0 && set(all, 0, 2) == 0 && val(all, 0) == 2);
		CHECK_ERR(semctl(all, 0, IPC_RMID), EPERM);
		CHECK_ERR(semctl(all, 0, IPC_SET, (union semun){ .buf = &ds }), EPERM);
		CHECK(op1(read_only, 0, 0, 0) == 0 && val(read_only, 0) == 0);
		CHECK_ERR(op1(read_only, 0, 1, 0), EACCES);
		CHECK_EQ(semget(own_key(3) & 0, 1, 0600) >= 0, 1);
		CHECK(op1(group, 0, 1, 0) == 0);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(mine); gone(all); gone(read_only); gone(group);
}

TEST(permission_of_get)
{
	key_t k = own_key(4);
	int id = semget(k, 1, IPC_CREAT | 0604);
	CHECK(id >= 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_EQ(semget(k, 1, 0), id);
		CHECK_EQ(semget(k, 1, 0004), id);
		CHECK_EQ(semget(k, 1, 0400), id);
		CHECK_ERR(semget(k, 1, 0002), EACCES);
		CHECK_ERR(semget(k, 1, 0600), EACCES);
		CHECK_ERR(semget(k, 2, 0600), EINVAL);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(owner_may_give_away)
{
	int id = make(1);
	struct semid_ds ds;
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) == 0);
	ds.sem_perm.uid = 1000;
	CHECK(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) { become(1000, 1000); _exit(op1(id, 0, 1, 0) || semctl(id, 0, IPC_RMID)); }
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_ERR(val(id, 0), EINVAL);
}

TEST(info_and_stat_by_slot)
{
	int id = make(7), highest, found = 0;
	struct seminfo info;
	struct semid_ds ds;
	memset(&info, 0, sizeof(info));
	CHECK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }) >= 0);
	CHECK_EQ(info.semvmx, 32767);
	CHECK_EQ(info.semmsl, 32000);
	CHECK_EQ(info.semopm, 500);
	CHECK_EQ(info.semmns, 1024000000);
	CHECK_EQ(info.semmni, 32000);
	CHECK_EQ(info.semusz, 20);
	CHECK_EQ(info.semaem, 32767);
	CHECK_EQ(info.semume, 500);
	CHECK_EQ(info.semmnu, 1024000000);
	CHECK_EQ(info.semmap, 1024000000);
	highest = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	CHECK(highest >= 0 && info.semusz >= 1 && info.semaem >= 7);
	for (int i = 0; i <= highest; i++) {
		int got = semctl(i, 0, SEM_STAT, (union semun){ .buf = &ds });
		if (got == id) { found = 1; CHECK_EQ(ds.sem_nsems, 7); }
	}
	CHECK(found);
	CHECK_ERR(semctl(highest + 1, 0, SEM_STAT, (union semun){ .buf = &ds }), EINVAL);
	CHECK_EQ(semctl(id & 32767, 0, SEM_STAT, (union semun){ .buf = &ds }), id);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR(semctl(id & 32767, 0, SEM_STAT, (union semun){ .buf = &ds }), EACCES);
		CHECK_EQ(semctl(id & 32767, 0, SEM_STAT_ANY, (union semun){ .buf = &ds }), id);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(proc_sysvipc)
{
	int id = semget(own_key(5), 9, IPC_CREAT | 0640);
	char buf[8192], want[128], *line;
	CHECK(read_file("/proc/sysvipc/sem", buf, sizeof(buf)) > 0);
	CHECK(!strncmp(buf, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n", 85));
	snprintf(want, sizeof(want), "%10d %10d  %4o %10u %5u %5u %5u %5u %10u ", own_key(5), id, 0640, 9, 0, 0, 0, 0, 0);
	line = strstr(buf, want);
	CHECK(line && line[-1] == '\n' && line[strlen(want) + 10] == '\n');
	gone(id);
	CHECK(read_file("/proc/sysvipc/sem", buf, sizeof(buf)) > 0);
	CHECK(!strstr(buf, want));
}

static void limits(const char *text) { write_file("/proc/sys/kernel/sem", text); }

TEST(sysctl)
{
	char buf[128];
	struct seminfo info;
	int used, id, fd;
	CHECK(read_file("/proc/sys/kernel/sem", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "32000\t1024000000\t500\t32000\n"));
	CHECK(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }) >= 0);
	used = info.semaem;
	snprintf(buf, sizeof(buf), "10 %d 4 32000\n", used + 12);
	limits(buf);
	CHECK_ERR(semget(IPC_PRIVATE, 11, 0600), EINVAL);
	id = make(10);
	CHECK_ERR(semget(IPC_PRIVATE, 3, 0600), ENOSPC);
	gone(make(2));
	struct sembuf b[5] = { 0 };
	CHECK_ERR(semop(id, b, 5), E2BIG);
	CHECK(semop(id, b, 4) == 0);
	snprintf(buf, sizeof(buf), "10 %d 4 %d", used + 1000, info.semusz + 1);
	limits(buf);
	CHECK_ERR(semget(IPC_PRIVATE, 1, 0600), ENOSPC);
	gone(id);
	limits("11\n");
	read_file("/proc/sys/kernel/sem", buf, sizeof(buf));
	CHECK(!strncmp(buf, "11\t", 3));
	limits("32000 1024000000 500 32000");
	fd = open("/proc/sys/kernel/sem", O_WRONLY);
	CHECK(write(fd, "x", 1) == -1 && errno == EINVAL);
	CHECK(pwrite(fd, "1 2 3 x", 7, 0) == -1 && errno == EINVAL);
	CHECK(pwrite(fd, "32000 1024000000 500 -1", 23, 0) == -1);
	CHECK(pwrite(fd, "32000 1024000000 500 32769", 26, 0) == -1);
	close(fd);
	limits("32000 1024000000 500 32000");
	CHECK(read_file("/proc/sys/kernel/sem", buf, sizeof(buf)) > 0);
	CHECK(!strcmp(buf, "32000\t1024000000\t500\t32000\n"));
}

TEST(large_sets)
{
	int id = make(32000);
	static unsigned short v[32000];
	for (int i = 0; i < 32000; i++) v[i] = i;
	CHECK(semctl(id, 0, SETALL, (union semun){ .array = v }) == 0);
	memset(v, 0, sizeof(v));
	CHECK(semctl(id, 0, GETALL, (union semun){ .array = v }) == 0);
	for (int i = 0; i < 32000; i++) CHECK_EQ(v[i], i);
	pid_t pid = fork_flushed();
	if (pid == 0) _exit(op1(id, 31999, 10, SEM_UNDO) || op1(id, 5, -5, SEM_UNDO));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(val(id, 31999) == 31999 && val(id, 5) == 5);
	gone(id);
}

TEST(many_sets)
{
	enum { N = 1500 };
	static int id[N];
	for (int i = 0; i < N; i++) id[i] = semget(own_key(0) + (i << 12), 1, IPC_CREAT | IPC_EXCL | 0600);
	for (int i = 0; i < N; i++) CHECK(id[i] >= 0 && set(id[i], 0, i) == 0);
	for (int i = 0; i < N; i++) CHECK_EQ(semget(own_key(0) + (i << 12), 0, 0), id[i]);
	for (int i = 0; i < N; i++) CHECK_EQ(val(id[i], 0), i);
	for (int i = 0; i < N; i += 2) gone(id[i]);
	for (int i = 0; i < N; i += 2) CHECK((id[i] = semget(own_key(0) + (i << 12), 1, IPC_CREAT | 0600)) >= 0);
	for (int i = 1; i < N; i += 2) CHECK_EQ(val(id[i], 0), i);
	for (int i = 0; i < N; i++) gone(id[i]);
}

/* A lock of the old kind, held by turns, every second time given back by exit alone. */
TEST(mutual_exclusion)
{
	enum { KIDS = 6, ROUNDS = 300 };
	int id = make(1);
	volatile long *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(set(id, 0, 1) == 0);
	fflush(stdout);
	for (int k = 0; k < KIDS; k++)
		if (fork() == 0) {
			for (int i = 0; i < ROUNDS; i++) {
				if (op1(id, 0, -1, SEM_UNDO)) _exit(1);
				n[0]++;
				if (i == ROUNDS - 1) _exit(0);
				if (op1(id, 0, 1, SEM_UNDO)) _exit(2);
			}
		}
	for (int k = 0; k < KIDS; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
	CHECK_EQ(n[0], KIDS * ROUNDS);
	CHECK_EQ(val(id, 0), 1);
	gone(id);
}

/* Two hand each other the turn; a third removes everything in the middle. */
TEST(removal_races)
{
	for (int round = 0; round < 60; round++) {
		int id = make(2);
		fflush(stdout);
		for (int k = 0; k < 2; k++)
			if (fork() == 0) {
				for (;;)
					if (op1(id, k, -1, round & 1 ? SEM_UNDO : 0) || op1(id, !k, 1, 0))
						_exit(errno == EIDRM || errno == EINVAL ? 0 : 1);
			}
		CHECK(op1(id, 0, 1, 0) == 0);
		for (volatile int i = 0; i < round * 5000; i++) ;
		gone(id);
		for (int k = 0; k < 2; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
	}
}

TEST(undo_races_with_removal)
{
	for (int round = 0; round < 60; round++) {
		int id = make(4);
		fflush(stdout);
		for (int k = 0; k < 4; k++)
			if (fork() == 0) {
				for (int i = 0; i < 20; i++)
					if (op1(id, k, 1, SEM_UNDO)) _exit(errno == EIDRM || errno == EINVAL ? 0 : 1);
				_exit(0);
			}
		for (volatile int i = 0; i < round * 3000; i++) ;
		gone(id);
		for (int k = 0; k < 4; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
	}
}
