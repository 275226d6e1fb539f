/* ELF files with every header field bent: an errno or a signal, never more. */
#include "tap.h"
#include <elf.h>
#include <stddef.h>

static unsigned char *image, *work;
static size_t size;

static void load(void)
{
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	size = st.st_size;
	image = malloc(size); work = malloc(size);
	size_t n = 0;
	while (n < size) { ssize_t r = read(fd, image + n, size - n); CHECK(r > 0); n += r; }
	close(fd);
	scratch();
}

/* attempt - exec the bent file; its errno, 0 when it ran to an exit, -signal when it died. */
static int attempt(size_t length)
{
	int fd = open("bent", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	CHECK(fd >= 0);
	CHECK(write(fd, work, length) == (ssize_t)length);
	close(fd);
	int p[2];
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		dup2(null, 1); dup2(null, 2);
		alarm(5);
		execl("./bent", "bent", "no_such_test", (char *)NULL);
		int e = errno;
		write(p[1], &e, sizeof(e));
		_exit(1);
	}
	close(p[1]);
	int e = 0;
	if (read(p[0], &e, sizeof(e)) != sizeof(e)) e = 0;
	close(p[0]);
	int st = wait_status(pid);
	return WIFSIGNALED(st) ? -WTERMSIG(st) : e;
}

static Elf64_Ehdr *eh(void) { return (Elf64_Ehdr *)work; }
static Elf64_Phdr *ph(int i) { return (Elf64_Phdr *)(work + eh()->e_phoff) + i; }
static void fresh(void) { memcpy(work, image, size); }

TEST(the_copy_itself_runs) { load(); fresh(); CHECK_EQ(attempt(size), 0); }

TEST(each_header_field_with_its_errno)
{
	load();
	fresh(); work[0] = 0x7e;			CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_machine = EM_X86_64;		CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_type = ET_REL;			CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_type = ET_CORE;		CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_phentsize = 32;		CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_phnum = 0;			CHECK_EQ(attempt(size), ENOEXEC);
	fresh(); eh()->e_phnum = 65535;			CHECK(attempt(size) != 0);
	fresh(); eh()->e_phoff = size + 4096;		CHECK(attempt(size) != 0);
	fresh(); eh()->e_phoff = -8ull;			CHECK(attempt(size) != 0);
	fresh(); eh()->e_entry = 0;			CHECK(attempt(size) < 0);
	fresh(); eh()->e_entry = 0xffff800008000000;	CHECK(attempt(size) < 0);
}

/* Every field of both headers, each bent to 0, 1, all ones, huge, one less and one more. */
struct field { unsigned short at, size; };
#define FIELD(type, name) { offsetof(type, name), sizeof(((type *)0)->name) }
static const struct field eh_fields[] = {
	FIELD(Elf64_Ehdr, e_ident[EI_MAG0]), FIELD(Elf64_Ehdr, e_ident[EI_MAG1]), FIELD(Elf64_Ehdr, e_ident[EI_MAG2]), FIELD(Elf64_Ehdr, e_ident[EI_MAG3]),
	FIELD(Elf64_Ehdr, e_ident[EI_CLASS]), FIELD(Elf64_Ehdr, e_ident[EI_DATA]), FIELD(Elf64_Ehdr, e_ident[EI_VERSION]),
	FIELD(Elf64_Ehdr, e_ident[EI_OSABI]), FIELD(Elf64_Ehdr, e_ident[EI_ABIVERSION]),
	FIELD(Elf64_Ehdr, e_type), FIELD(Elf64_Ehdr, e_machine), FIELD(Elf64_Ehdr, e_version), FIELD(Elf64_Ehdr, e_entry), FIELD(Elf64_Ehdr, e_phoff),
	FIELD(Elf64_Ehdr, e_shoff), FIELD(Elf64_Ehdr, e_flags), FIELD(Elf64_Ehdr, e_ehsize), FIELD(Elf64_Ehdr, e_phentsize), FIELD(Elf64_Ehdr, e_phnum),
	FIELD(Elf64_Ehdr, e_shentsize), FIELD(Elf64_Ehdr, e_shnum), FIELD(Elf64_Ehdr, e_shstrndx),
}, ph_fields[] = {
	FIELD(Elf64_Phdr, p_type), FIELD(Elf64_Phdr, p_flags), FIELD(Elf64_Phdr, p_offset), FIELD(Elf64_Phdr, p_vaddr), FIELD(Elf64_Phdr, p_paddr),
	FIELD(Elf64_Phdr, p_filesz), FIELD(Elf64_Phdr, p_memsz), FIELD(Elf64_Phdr, p_align),
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void bend(size_t at, unsigned bytes, int how)
{
	uint64_t v = 0, top = 1ull << (bytes * 8 - 1);
	memcpy(&v, image + at, bytes);
	const uint64_t to[] = { 0, 1, -1ull, top, top - 1, v - 1, v + 1, v ^ top, v << 4 };
	fresh();
	memcpy(work + at, &to[how], bytes);
}

/* plausible - it ran, died of a signal, or exec gave an errno that exec(2) knows. */
static bool plausible(int r)
{
	return r <= 0 || r == ENOEXEC || r == ENOMEM || r == EINVAL || r == EIO || r == ENOENT || r == EACCES || r == E2BIG || r == ELIBBAD ||
	       r == EFAULT || r == EEXIST || r == EPERM || r == ENAMETOOLONG || r == EOVERFLOW || r == ENODEV;
}

static void bend_fields(const struct field *f, unsigned count, size_t base)
{
	for (unsigned i = 0; i < count; i++)
		for (int how = 0; how < 9; how++) {
			bend(base + f[i].at, f[i].size, how);
			int r = attempt(size);
			if (!plausible(r)) printf("# field at %zu, way %d: %d\n", base + f[i].at, how, r);
			CHECK(plausible(r));
		}
}

TEST(every_field_of_the_file_header) { load(); bend_fields(eh_fields, COUNT(eh_fields), 0); }

TEST(every_field_of_the_program_headers)
{
	load();
	fresh();
	for (int i = 0; i < eh()->e_phnum; i++)
		bend_fields(ph_fields, COUNT(ph_fields), (char *)((Elf64_Phdr *)(image + ((Elf64_Ehdr *)image)->e_phoff) + i) - (char *)image);
}

TEST(truncated_files)
{
	static const size_t lens[] = { 0, 1, 3, 4, 16, 63, 64, 100, 128, 4000 };
	load();
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		fresh();
		int r = attempt(lens[i]);
		CHECK(r != 0);
	}
}

TEST(every_byte_of_the_headers)
{
	/* Survival: whatever a byte becomes, the kernel answers. */
	static const unsigned char to[] = { 0x00, 0xff, 0x80, 0x7f };
	load();
	size_t end = sizeof(Elf64_Ehdr) + ((Elf64_Ehdr *)image)->e_phnum * sizeof(Elf64_Phdr);
	for (size_t at = 0; at < end; at++) {
		fresh();
		if (work[at] == to[at & 3]) continue;
		work[at] = to[at & 3];
		attempt(size);
	}
}

TEST(segments_in_wild_places)
{
	static const uint64_t wild[] = { 0, 1, 4095, 0x1000, 1ull << 32, 1ull << 47, (1ull << 48) - 4096, 1ull << 48,
		1ull << 63, -1ull, -4096ull, 0xffff000000000000 };
	load();
	for (int i = 0; i < ((Elf64_Ehdr *)image)->e_phnum && i < 4; i++)
		for (unsigned w = 0; w < sizeof(wild) / sizeof(wild[0]); w++) {
			fresh(); ph(i)->p_vaddr = wild[w]; attempt(size);
			fresh(); ph(i)->p_memsz = wild[w]; attempt(size);
			fresh(); ph(i)->p_filesz = wild[w]; attempt(size);
			fresh(); ph(i)->p_offset = wild[w]; attempt(size);
			fresh(); ph(i)->p_align = wild[w]; attempt(size);
			fresh(); eh()->e_type = ET_DYN; ph(i)->p_vaddr = wild[w]; attempt(size);
		}
}

TEST(file_size_above_memory_size_is_refused)
{
	load();
	fresh();
	for (int i = 0; i < eh()->e_phnum; i++)
		if (ph(i)->p_type == PT_LOAD) { ph(i)->p_filesz = ph(i)->p_memsz + 4096; break; }
	CHECK(attempt(size) != 0);
}

TEST(interpreters)
{
	load();
	fresh();
	int i;
	for (i = 0; i < eh()->e_phnum; i++)
		if (ph(i)->p_type != PT_LOAD) break;
	CHECK(i < eh()->e_phnum);
	ph(i)->p_type = PT_INTERP;
	ph(i)->p_offset = size - 64;
	ph(i)->p_filesz = 16;
	memcpy(work + size - 64, "/no/such/interp\0", 16);
	CHECK_EQ(attempt(size), ENOENT);
	memset(work + size - 64, 'x', 64);		/* no end */
	CHECK_EQ(attempt(size), ENOEXEC);
	ph(i)->p_filesz = 0;
	CHECK_EQ(attempt(size), ENOEXEC);
	ph(i)->p_filesz = 1 << 20;
	CHECK_EQ(attempt(size), ENOEXEC);
	ph(i)->p_filesz = 5; memcpy(work + size - 64, "/tmp", 5);
	CHECK_EQ(attempt(size), EACCES);
}

TEST(random_header_damage)
{
	load();
	unsigned seed = 12345;
	size_t end = sizeof(Elf64_Ehdr) + ((Elf64_Ehdr *)image)->e_phnum * sizeof(Elf64_Phdr);
	for (int round = 0; round < 300; round++) {
		fresh();
		for (int k = 0; k < 4; k++) {
			seed = seed * 1103515245 + 12345;
			work[4 + (seed >> 8) % (end - 4)] = seed >> 24;
		}
		attempt(size);
	}
}

/* A program of our own making: it exits 0 if its data page is zero from 16 bytes on to its end. */
asm(".pushsection .rodata\n.global tail_code, tail_code_end\ntail_code:\n\tmov x0, #0x500000\n\tadd x1, x0, #4096\n\tadd x0, x0, #16\n"
    "1:\tldrb w2, [x0], #1\n\tcbnz w2, 2f\n\tcmp x0, x1\n\tb.lo 1b\n\tmov x0, #0\n\tb 3f\n2:\tmov x0, #7\n3:\tmov x8, #93\n\tsvc #0\n"
    "tail_code_end:\n\t.popsection");
extern const unsigned char tail_code[], tail_code_end[];

/* What the file holds behind a segment's data is not seen, not even behind its bss in the same page: ld.so makes its first
 * allocations there. */
TEST(the_last_data_page_is_zero_to_its_end)
{
	static unsigned char file[3 * 4096];
	Elf64_Ehdr *h = (Elf64_Ehdr *)file;
	Elf64_Phdr *p = (Elf64_Phdr *)(h + 1);

	scratch();
	memset(file + 4096, 0xff, sizeof(file) - 4096);
	*h = (Elf64_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC, .e_machine = EM_AARCH64,
		.e_version = EV_CURRENT, .e_entry = 0x400200, .e_phoff = sizeof(*h), .e_ehsize = sizeof(*h), .e_phentsize = sizeof(*p), .e_phnum = 2 };
	p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = 4096, .p_memsz = 4096, .p_align = 4096 };
	p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 4096, .p_vaddr = 0x500000, .p_filesz = 16, .p_memsz = 48,
		.p_align = 4096 };
	memcpy(file + 0x200, tail_code, (size_t)(tail_code_end - tail_code));
	int fd = open("tail", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	CHECK(fd >= 0 && write(fd, file, sizeof(file)) == (ssize_t)sizeof(file) && close(fd) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		execl("./tail", "tail", (char *)NULL);
		_exit(1);
	}
	CHECK(EXITED(wait_status(pid), 0));
}
