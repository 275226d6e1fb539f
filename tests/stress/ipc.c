/* System V IPC: objects that come and go under those who use them; nothing is lost, nobody waits for ever. */
#include "stress.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static int op1(int id, int n, int op, int flags)
{
	struct sembuf b = { n, op, flags };
	return semop(id, &b, 1);
}
static bool gone_error(void) { return errno == EIDRM || errno == EINVAL; }

struct board { _Atomic int id[8]; _Atomic long count; volatile long guarded; };
static struct board *board;

/* A mutex of a semaphore with undo; holders die with it now and then. */
static void holder_kid(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			for (int i = 0; i < 20; i++) {
				CHECK(op1(board->id[0], 0, -1, SEM_UNDO) == 0);
				board->guarded++;
				atomic_fetch_add(&board->count, 1);
				if (random_next(&seed) % 16 == 0) _exit(0);
				CHECK(op1(board->id[0], 0, 1, SEM_UNDO) == 0);
			}
			_exit(0);
		}
		seed += pid;
		CHECK_EQ(wait_status(pid), 0);
		progress();
	}
}
STORM(semaphores_given_back_by_exit)
{
	board = shared_map(4096);
	board->id[0] = semget(IPC_PRIVATE, 1, 0600);
	CHECK(op1(board->id[0], 0, 1, 0) == 0);
	crowd(holder_kid, 6);
	CHECK_EQ(board->guarded, board->count);
	CHECK_EQ(semctl(board->id[0], 0, GETVAL), 1);
	CHECK(semctl(board->id[0], 0, IPC_RMID) == 0);
}

/* Some make and remove sets, the others work on whatever is there. */
static void sem_maker(int n)
{
	while (!over()) {
		int id = semget(IPC_PRIVATE, 3, 0600);
		CHECK(id >= 0);
		atomic_store(&board->id[n], id);
		for (int i = 0; i < 20; i++) CHECK(op1(id, i % 3, 2, i & 1 ? SEM_UNDO : 0) == 0);
		sched_yield();
		CHECK(semctl(id, 0, IPC_RMID) == 0);
		progress();
	}
}
static void sem_user(int n)
{
	unsigned seed = n + 1;
	struct timespec t = { 0, 2000000 };
	while (!over()) {
		unsigned r = random_next(&seed);
		struct sembuf b[] = { { r % 3, -(int)(r >> 4 & 1), r & 8 ? SEM_UNDO : 0 }, { (r + 1) % 3, 1 - (int)(r >> 5 & 3), r & 64 ? SEM_UNDO : 0 } };
		int id = atomic_load(&board->id[r % 4]);
		if (semtimedop(id, b, 1 + (r >> 7 & 1), &t)) CHECK(gone_error() || errno == EAGAIN || errno == ERANGE);
		if (r % 32 == 0 && semctl(id, r % 3, SETVAL, 0)) CHECK(gone_error());
		if (r % 64 == 1 && semctl(id, 0, GETNCNT) < 0) CHECK(gone_error());
		progress();
	}
}
static void sem_kid(int n) { if (n < 4) sem_maker(n); else sem_user(n); }
STORM(semaphores_removed_in_use)
{
	board = shared_map(4096);
	crowd(sem_kid, 10);
}
