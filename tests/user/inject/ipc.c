/* Each allocation of the calls of System V IPC and of POSIX message queues fails in turn: tests/user/inject/inject.h. */
#define TAP_TIMEOUT 200
#include "tap.h"
#include "inject.h"
#include <linux/netlink.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static int id = -1, sem = -1, queue = -1, shm = -1;
static char *at = (char *)-1;
static struct { long type; char text[9000]; } message = { 1, "" };

/* --- the calls; each with what undoes it --- */
static int do_semget(void) { return result(id = semget(0x5e11, 300, IPC_CREAT | IPC_EXCL | 0600)); }
static void undo_semget(void) { if (id >= 0) semctl(id, 0, IPC_RMID); id = -1; }
static int do_semop(void)
{
	struct sembuf b[100];
	for (int i = 0; i < 100; i++) b[i] = (struct sembuf){ i % 3, 1, 0 };
	return result(semop(sem, b, 100));
}
static int do_undo(void)
{
	pid_t pid = fork();	/* a record of its own; the kid's exit takes it back */
	if (pid < 0) return errno;
	if (pid == 0) {
		int fd = open("/proc/self/fail-nth", O_RDWR), e = 42;
		for (int n = 1; fd >= 0 && n < 20 && e; n++) {
			number(fd, n);
			e = result(semop(sem, &(struct sembuf){ 0, 1, SEM_UNDO }, 1));
			number(fd, 0);
			if (e && e != ENOMEM) _exit(1);
		}
		_exit(e != 0);
	}
	return EXITED(wait_status(pid), 0) ? 0 : EIO;
}
static int do_getall(void) { static unsigned short v[3000]; return result(semctl(sem, 0, GETALL, v)); }
static int do_setall(void) { static unsigned short v[3000]; return result(semctl(sem, 0, SETALL, v)); }
static int do_msgget(void) { return result(id = msgget(0x5e11, IPC_CREAT | IPC_EXCL | 0600)); }
static void undo_msgget(void) { if (id >= 0) msgctl(id, IPC_RMID, NULL); id = -1; }
static int do_msgsnd(void) { return result(msgsnd(queue, &message, 100, IPC_NOWAIT)); }
static int do_msgsnd_large(void) { return result(msgsnd(queue, &message, 8000, IPC_NOWAIT)); }
static void undo_msgsnd(void) { while (msgrcv(queue, &message, sizeof(message.text), 0, IPC_NOWAIT) >= 0) ; message.type = 1; }
static int do_copy(void) { int e = result(msgrcv(queue, &message, 500, 0, IPC_NOWAIT | MSG_COPY)); return e == ENOMSG ? 0 : e; }
static int do_shmget(void) { return result(id = shmget(0x5e11, 70000, IPC_CREAT | IPC_EXCL | 0600)); }
static void undo_shmget(void) { if (id >= 0) shmctl(id, IPC_RMID, NULL); id = -1; }
static int do_shmat(void) { at = shmat(shm, NULL, 0); return at == (char *)-1 ? errno : 0; }
static void undo_shmat(void) { if (at != (char *)-1) shmdt(at); at = (char *)-1; }
static int do_cut(void)
{
	int e = do_shmat();
	return e ? e : result(munmap(at + 4096, 4096));
}
static int do_inherit(void)
{
	int e = do_shmat();
	if (e) return e;
	pid_t pid = fork();
	if (pid == 0) _exit(0);
	return pid < 0 ? errno : EXITED(wait_status(pid), 0) ? 0 : EIO;
}
static int do_list(void)
{
	char b[4096];
	ssize_t n = 0;
	int fd = open("/proc/sysvipc/shm", O_RDONLY), e = 0;
	if (fd < 0) return errno;
	while (!e && (n = read(fd, b, sizeof(b)))) e = n < 0 ? errno : 0;
	close(fd);
	return e;
}

static mqd_t mq = -1, mine = -1;
static int netlink_;
static char mq_text[16384];
static int do_mq_open(void)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = sizeof(mq_text) };
	return result(mine = mq_open("/inject", O_CREAT | O_EXCL | O_RDWR, 0600, &a));
}
static void undo_mq_open(void) { if (mine >= 0) { mq_close(mine); mq_unlink("/inject"); } mine = -1; }
static int do_mq_send(void) { return result(mq_send(mq, "x", 1, 1)); }
static int do_mq_send_large(void) { return result(mq_send(mq, mq_text, sizeof(mq_text), 2)); }
static void undo_mq_send(void) { while (mq_receive(mq, mq_text, sizeof(mq_text), NULL) >= 0) ; }
static int do_mq_notify(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_signo = netlink_, .sigev_value.sival_ptr = mq_text };
	return result(syscall(SYS_mq_notify, mq, &e));
}
static void undo_mq_notify(void)
{
	char cookie[32];
	mq_notify(mq, NULL);
	while (recv(netlink_, cookie, sizeof(cookie), MSG_DONTWAIT) > 0) ;
}

static const struct op queue_ops[] = {
	{ "mq_open", do_mq_open, undo_mq_open }, { "mq_send", do_mq_send, undo_mq_send }, { "mq_send of 16384", do_mq_send_large, undo_mq_send },
	{ "mq_notify", do_mq_notify, undo_mq_notify },
};

TEST(posix_queues)
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = sizeof(mq_text) };
	inject_begin();
	netlink_ = socket(AF_NETLINK, SOCK_RAW, 0);
	mq = mq_open("/injected", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);
	CHECK(mq >= 0 && netlink_ >= 0 && mq_unlink("/injected") == 0);
	inject(queue_ops, COUNT(queue_ops));
}

static const struct op ops[] = {
	{ "semget", do_semget, undo_semget }, { "semop", do_semop, NULL }, { "semop with undo", do_undo, NULL }, { "GETALL", do_getall, NULL },
	{ "SETALL", do_setall, NULL }, { "msgget", do_msgget, undo_msgget }, { "msgsnd", do_msgsnd, undo_msgsnd },
	{ "msgsnd of 8000", do_msgsnd_large, undo_msgsnd }, { "MSG_COPY", do_copy, NULL }, { "shmget", do_shmget, undo_shmget },
	{ "shmat", do_shmat, undo_shmat }, { "shmat and munmap of a part", do_cut, undo_shmat }, { "shmat and fork", do_inherit, undo_shmat },
	{ "/proc/sysvipc", do_list, NULL },
};

TEST(system_v)
{
	inject_begin();
	sem = semget(IPC_PRIVATE, 3000, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	shm = shmget(IPC_PRIVATE, 70000, 0600);
	CHECK(sem >= 0 && queue >= 0 && shm >= 0);
	inject(ops, COUNT(ops));
	CHECK(semctl(sem, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0 && shmctl(shm, IPC_RMID, NULL) == 0);
}
