/* unshare(2), setns(2). */
#define TAP_TIMEOUT 30
#include "tap.h"
#include <pthread.h>
#include <sys/sem.h>

#define CHILD_STACK 65536
static char stack[CHILD_STACK] __attribute__((aligned(16)));

static int sharing(int (*fn)(void *), int flags, void *arg)
{
	int pid = clone(fn, stack + CHILD_STACK, flags | SIGCHLD, arg);

	CHECK(pid > 0);
	return wait_status(pid);
}

static int closes(void *arg) { return close(*(int *)arg); }
static int closes_own(void *arg) { return unshare(CLONE_FILES) || close(*(int *)arg); }

TEST(files)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	CHECK_EQ(sharing(closes_own, CLONE_FILES, &fd), 0);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK_EQ(sharing(closes, CLONE_FILES, &fd), 0);
	CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
	CHECK_EQ(unshare(CLONE_FILES), 0);
}

static int moves(void *arg) { return chdir("/proc"); }
static int moves_own(void *arg) { umask(0); return unshare(CLONE_FS) || chdir("/proc") || (umask(077), 0); }

TEST(directories)
{
	char buf[100];

	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(sharing(moves_own, CLONE_FS, NULL), 0);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/"));
	CHECK_EQ(umask(022), 0);
	CHECK_EQ(sharing(moves, CLONE_FS, NULL), 0);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/proc"));
	CHECK_EQ(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM), 0);
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/proc"));
	CHECK_EQ(unshare(0), 0);
}

/* What is to be undone is, when the last that shares it leaves. */
TEST(undo)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf up = { 0, 1, SEM_UNDO };

	CHECK(id >= 0);
	CHECK_EQ(semop(id, &up, 1), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK_EQ(unshare(CLONE_SYSVSEM), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_EQ(semop(id, &up, 1), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static void *refused(void *arg)
{
	static const int flags[] = { CLONE_THREAD, CLONE_SIGHAND, CLONE_VM };

	for (int i = 0; i < 3; i++)
		CHECK_ERR(unshare(flags[i]), EINVAL);
	CHECK_EQ(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM), 0);
	return NULL;
}

static int vm_refused(void *arg) { return !(unshare(CLONE_VM) == -1 && errno == EINVAL && unshare(CLONE_THREAD) == 0); }

TEST(threads)
{
	pthread_t t;

	CHECK_EQ(unshare(CLONE_THREAD), 0);		/* nothing to be done */
	CHECK_EQ(unshare(CLONE_SIGHAND), 0);
	CHECK_EQ(unshare(CLONE_VM), 0);
	CHECK_EQ(pthread_create(&t, NULL, refused, NULL), 0);
	pthread_join(t, NULL);
	CHECK_EQ(sharing(vm_refused, CLONE_VM, NULL), 0);
}

TEST(refusals)
{
	int fd = open("/", O_RDONLY);

	CHECK_ERR(unshare(CLONE_PTRACE), EINVAL);
	CHECK_ERR(unshare(1), EINVAL);
	CHECK_ERR(unshare(CLONE_FILES | CLONE_SETTLS), EINVAL);
	CHECK_ERR(setns(-1, 0), EBADF);
	CHECK_ERR(setns(fd, 0), EINVAL);
	CHECK_ERR(setns(fd, CLONE_NEWUTS), EINVAL);
	if (on_sarsen()) {		/* as on a Linux built without namespaces */
		CHECK_ERR(unshare(CLONE_NEWUTS), EINVAL);
		CHECK_ERR(unshare(CLONE_NEWUSER), EINVAL);
		CHECK_ERR(unshare(CLONE_NEWNS | CLONE_FS), EINVAL);
	}
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERR(unshare(CLONE_NEWNS), EPERM);
}
