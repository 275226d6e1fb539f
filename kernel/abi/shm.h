/* Shared memory of System V: linux/shm.h of the UAPI cannot be used here, for it asks for the C library's unistd.h. */
#pragma once
#include <asm/shmbuf.h>
#include <asm-generic/hugetlb_encode.h>
#include <linux/ipc.h>

enum { SHMMIN = 1, SHMMNI = 4096 };			/* least size, most segments */
#define SHMMAX (~0ul - (1ul << 24))			/* largest size in bytes, */
#define SHMALL SHMMAX					/* and of all in pages */

enum { SHM_HUGETLB = 04000, SHM_NORESERVE = 010000 };	/* shmget */
#define SHM_HUGE_SHIFT	HUGETLB_FLAG_ENCODE_SHIFT
#define SHM_HUGE_MASK	HUGETLB_FLAG_ENCODE_MASK
enum { SHM_RDONLY = 010000, SHM_RND = 020000, SHM_REMAP = 040000, SHM_EXEC = 0100000 };	/* shmat */
enum { SHM_LOCK = 11, SHM_UNLOCK = 12, SHM_STAT = 13, SHM_INFO = 14, SHM_STAT_ANY = 15 };	/* shmctl */

struct shm_info {
	int used_ids;
	__kernel_ulong_t shm_tot, shm_rss, shm_swp;	/* pages */
	__kernel_ulong_t swap_attempts, swap_successes;
};
