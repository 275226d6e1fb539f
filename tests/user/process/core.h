/* Core files: made to happen, and read. */
#pragma once
#include "../tap.h"
#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>

#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif

struct core_status {		/* NT_PRSTATUS */
	int signo, code, error;
	short cursig;
	unsigned long sigpend, sighold;
	int pid, ppid, pgrp, sid;
	struct timeval utime, stime, cutime, cstime;
	unsigned long x[31], sp, pc, pstate;
	int fpvalid;
};
struct core_info {		/* NT_PRPSINFO */
	char state, sname, zomb, nice;
	unsigned long flag;
	unsigned uid, gid;
	int pid, ppid, pgrp, sid;
	char fname[16], psargs[80];
};

static char *core;		/* the file, in memory */
static size_t core_size;

static inline void set_sys(const char *name, const char *value)
{
	char path[100];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

/* ready - in a directory of our own, without a limit, the core to be found as pattern says. */
static inline void ready(const char *pattern)
{
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

	if (geteuid())
		SKIP("needs root");
	scratch();
	set_sys("kernel/core_pattern", pattern);
	set_sys("kernel/core_uses_pid", "0");
	set_sys("kernel/core_pipe_limit", "0");
	set_sys("fs/suid_dumpable", "0");
	CHECK_EQ(setrlimit(RLIMIT_CORE, &r), 0);
}

static inline void limit_core(rlim_t n)
{
	struct rlimit r = { n, RLIM_INFINITY };

	CHECK_EQ(setrlimit(RLIMIT_CORE, &r), 0);
}

#define DUMPED(st, sig) ({ int d_ = (st); WIFSIGNALED(d_) && WTERMSIG(d_) == (sig) && WCOREDUMP(d_); })
#define NOT_DUMPED(st, sig) ({ int d_ = (st); WIFSIGNALED(d_) && WTERMSIG(d_) == (sig) && !WCOREDUMP(d_); })

static inline void load_core(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	core_size = st.st_size;
	core = mmap(NULL, core_size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(core != MAP_FAILED);
	close(fd);
	const Elf64_Ehdr *h = (const void *)core;
	CHECK(core_size > sizeof(*h));
	CHECK(!memcmp(h->e_ident, ELFMAG, SELFMAG));
	CHECK_EQ(h->e_ident[EI_CLASS], ELFCLASS64);
	CHECK_EQ(h->e_type, ET_CORE);
	CHECK_EQ(h->e_machine, EM_AARCH64);
	CHECK_EQ(h->e_phentsize, sizeof(Elf64_Phdr));
	CHECK(h->e_phoff + h->e_phnum * sizeof(Elf64_Phdr) <= core_size);
}

static inline const Elf64_Phdr *core_phdr(int i)
{
	const Elf64_Ehdr *h = (const void *)core;

	return i < h->e_phnum ? (const Elf64_Phdr *)(core + h->e_phoff) + i : NULL;
}

/* core_note - the n-th note of that type; *len: its size. */
static inline const void *core_note(unsigned type, int n, size_t *len)
{
	const Elf64_Phdr *p = core_phdr(0);
	const char *at = core + p->p_offset, *end = at + p->p_filesz;

	CHECK_EQ(p->p_type, PT_NOTE);
	CHECK(p->p_offset + p->p_filesz <= core_size);
	while (at < end) {
		const Elf64_Nhdr *h = (const void *)at;
		const char *desc = at + sizeof(*h) + ((h->n_namesz + 3) & ~3u);

		if (h->n_type == type && !n--) {
			if (len)
				*len = h->n_descsz;
			return desc;
		}
		at = desc + ((h->n_descsz + 3) & ~3u);
	}
	CHECK(at == end);
	return NULL;
}

static inline const Elf64_Phdr *core_segment(const void *addr)
{
	const Elf64_Phdr *p;

	for (int i = 1; (p = core_phdr(i)) != NULL; i++)
		if (p->p_vaddr <= (unsigned long)addr && (unsigned long)addr < p->p_vaddr + p->p_memsz)
			return p;
	return NULL;
}

/* core_at - what the core has of that address; NULL: nothing. */
static inline const void *core_at(const void *addr)
{
	const Elf64_Phdr *p = core_segment(addr);
	size_t off = p ? (unsigned long)addr - p->p_vaddr : 0;

	if (!p || off >= p->p_filesz)
		return NULL;
	CHECK(p->p_offset + p->p_filesz <= core_size);
	return core + p->p_offset + off;
}
