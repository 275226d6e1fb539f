/* Notes of ELF core files, which the UAPI headers lack: the layouts of 64-bit Linux.  core(5), elf(5). */
#pragma once
#include <kernel/lib/types.h>

#define ELF_NR_GREGS	34		/* x0 to x30, sp, pc, pstate */

struct core_time { s64 sec, usec; };

struct elf_prstatus {			/* NT_PRSTATUS */
	struct { s32 signo, code, error; } info;
	s16 cursig;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	struct core_time utime, stime, cutime, cstime;
	u64 reg[ELF_NR_GREGS];
	s32 fpvalid;
};

struct elf_prpsinfo {			/* NT_PRPSINFO */
	char state, sname, zomb, nice;
	u64 flag;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16], psargs[80];
};

_Static_assert(sizeof(struct elf_prstatus) == 392 && sizeof(struct elf_prpsinfo) == 136, "as on Linux");
