/* System V IPC: objects that come and go under those who use them; nothing is lost, nobody waits for ever. */
#include "stress.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

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

/* Messages of all sizes, numbered by their sender; each comes once, and those of a sender in order. */
struct note { long type; int nr, sum; char fill[3000]; };
static int queue_id;
static int note_sum(const struct note *m, int len)
{
	int s = m->nr;
	for (int i = 0; i < len; i++) s = s * 31 + m->fill[i];
	return s;
}
static void note_sender(int n)
{
	unsigned seed = n + 1;
	struct note m = { .type = n + 1 };
	for (; !over(); m.nr++) {
		int len = random_next(&seed) % sizeof(m.fill);
		memset(m.fill, seed, len);
		m.sum = note_sum(&m, len);
		CHECK(msgsnd(queue_id, &m, 8 + len, 0) == 0);
	}
	m.nr = -1;
	CHECK(msgsnd(queue_id, &m, 8, 0) == 0);
}
static void note_receiver(int n)
{
	struct note m;
	for (int next = 0;; next++) {
		ssize_t len = msgrcv(queue_id, &m, sizeof(m) - sizeof(long), n + 1, 0);
		CHECK(len >= 8 && m.type == n + 1);
		if (m.nr < 0) break;
		CHECK_EQ(m.nr, next);
		CHECK_EQ(m.sum, note_sum(&m, len - 8));
		progress();
	}
}
static void note_kid(int n) { if (n & 1) note_receiver(n / 2); else note_sender(n / 2); }
STORM(messages_arrive_once_and_in_order)
{
	queue_id = msgget(IPC_PRIVATE, 0600);
	CHECK(queue_id >= 0);
	crowd(note_kid, 8);
	CHECK(msgctl(queue_id, IPC_RMID, NULL) == 0);
}

static void queue_kid(int n)
{
	unsigned seed = n + 1;
	struct note m = { .type = 1 };
	while (!over()) {
		unsigned r = random_next(&seed);
		int id = atomic_load(&board->id[r % 2]);
		if (n < 2) {
			id = msgget(IPC_PRIVATE, 0600);
			CHECK(id >= 0);
			atomic_store(&board->id[n], id);
			sched_yield();
			for (int i = 0; i < 5; i++) { m.type = 1; CHECK(msgsnd(id, &m, 2500, IPC_NOWAIT) == 0 || errno == EAGAIN); }
			CHECK(msgctl(id, IPC_RMID, NULL) == 0);
		} else if (n & 1) {
			m.type = 1 + r % 3;
			if (msgsnd(id, &m, r % 3000, r & 64 ? IPC_NOWAIT : 0)) CHECK(gone_error() || errno == EAGAIN);
		} else if (msgrcv(id, &m, 3000, (int)(r % 5) - 2, r & 64 ? IPC_NOWAIT : 0) < 0) {
			CHECK(gone_error() || errno == ENOMSG);
		}
		progress();
	}
	if (n < 2) atomic_store(&board->id[n], -1);
}
STORM(queues_removed_in_use)
{
	board = shared_map(4096);
	crowd(queue_kid, 8);
}

/* POSIX queues: names that come and go, messages of every kind, time-outs, registrations; every message that is received is whole. */
struct posix_note { unsigned len, sum; unsigned char fill[56]; };
static void posix_note_make(struct posix_note *m, unsigned r)
{
	m->len = r % sizeof(m->fill);
	m->sum = m->len;
	for (unsigned i = 0; i < m->len; i++) m->sum = m->sum * 31 + (m->fill[i] = (unsigned char)(r >> i % 24));
}
static void posix_note_check(const struct posix_note *m, ssize_t len)
{
	unsigned sum = m->len;
	CHECK(m->len < sizeof(m->fill) && len == (ssize_t)(8 + m->len));
	for (unsigned i = 0; i < m->len; i++) sum = sum * 31 + m->fill[i];
	CHECK_EQ(sum, m->sum);
}
static bool no_time(void) { return errno == ETIMEDOUT || errno == EAGAIN; }
static void posix_kid(int n)
{
	unsigned seed = n + 1;
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = sizeof(struct posix_note) };
	struct sigevent none = { .sigev_notify = SIGEV_NONE }, quiet = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT };
	while (!over()) {
		unsigned r = random_next(&seed);
		const char *name = r & 1 ? "/storm.a" : "/storm.b";
		struct posix_note m;
		struct timespec soon;
		mqd_t q = mq_open(name, O_CREAT | O_RDWR | (r & 2 ? O_NONBLOCK : 0), 0600, &a);
		CHECK(q >= 0);
		if (r % 16 == 5) CHECK(mq_unlink(name) == 0 || errno == ENOENT);
		if (r & 64) CHECK(mq_notify(q, r & 128 ? &none : &quiet) == 0 || errno == EBUSY);
		for (int i = 0; i < 20; i++) {
			r = random_next(&seed);
			clock_gettime(CLOCK_REALTIME, &soon);
			if ((soon.tv_nsec += r >> 8 & 0xfffff) >= 1000000000) { soon.tv_nsec -= 1000000000; soon.tv_sec++; }
			if (r & 1) {
				posix_note_make(&m, r);
				CHECK(mq_timedsend(q, (char *)&m, 8 + m.len, r >> 4 & 7, &soon) == 0 || no_time());
			} else {
				ssize_t len = mq_timedreceive(q, (char *)&m, sizeof(m), NULL, &soon);
				if (len >= 0) posix_note_check(&m, len); else CHECK(no_time());
			}
			progress();
		}
		CHECK(mq_close(q) == 0);
	}
}
STORM(posix_queues_in_use)
{
	crowd(posix_kid, 8);
	mq_unlink("/storm.a");
	mq_unlink("/storm.b");
}

/* Segments that are attached, inherited, cut and removed at once.  A page says whose it is. */
static void segment_kid(int n)
{
	unsigned seed = n + 1;
	while (!over()) {
		unsigned r = random_next(&seed);
		int slot = r % 3, id = atomic_load(&board->id[slot]) - 1;	/* kept with one added: 0 is nobody's */
		if (r % 16 == 3) {
			int fresh = shmget(IPC_PRIVATE, 4 * 4096, 0600);
			CHECK(fresh >= 0);
			id = atomic_exchange(&board->id[slot], fresh + 1) - 1;
			if (id >= 0) CHECK(shmctl(id, IPC_RMID, NULL) == 0);
			progress();
			continue;
		}
		char *a = id >= 0 ? shmat(id, NULL, r & 64 ? SHM_RDONLY : 0) : (char *)-1;
		if (a == (char *)-1) { CHECK(id < 0 || gone_error()); continue; }
		if (!(r & 64)) a[(r >> 8) % 16384] = n;
		CHECK(((volatile char *)a)[(r >> 9) % 16384] < 16);
		if (r & 128) {
			pid_t pid = fork();
			if (pid == 0) { if (r & 256) munmap(a, 4096); _exit(((volatile char *)a)[8192] >= 16); }
			CHECK_EQ(wait_status(pid), 0);
		}
		if (r & 512) CHECK(munmap(a + 4096, 4096) == 0);
		CHECK(shmdt(a) == 0);
		progress();
	}
}
STORM(segments_removed_in_use)
{
	board = shared_map(4096);
	crowd(segment_kid, 8);
	for (int i = 0; i < 3; i++)
		if (board->id[i]) CHECK(shmctl(board->id[i] - 1, IPC_RMID, NULL) == 0);
	struct { int used; unsigned long tot, rss, swp, a, s; } info;
	CHECK(shmctl(0, SHM_INFO, (void *)&info) >= 0);
	CHECK_EQ(info.used, 0);
}
