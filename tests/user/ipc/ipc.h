/* For the tests of System V IPC: what their programs share. */
#pragma once
#include "../tap.h"
#include <grp.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/msg.h>
#include <sys/shm.h>

#define BAD ((void *)-4096L)
#define HOLE ((void *)8)

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static void __attribute__((unused)) nothing(int sig) { (void)sig; }
/* catch - a handler that begins nothing anew, and one that would. */
static inline void catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = flags };
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static inline pid_t fork_flushed(void) { fflush(stdout); return fork(); }
/* A key that nobody has: of this process and a number. */
static inline key_t own_key(int n) { return (key_t)(0x53000000 | (getpid() & 0xfffff) << 4 | n); }

static inline void become(uid_t uid, gid_t gid)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(gid, gid, gid) == 0);
	CHECK(setresuid(uid, uid, uid) == 0);
}
