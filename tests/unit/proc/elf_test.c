/* ELF headers, every field bent: what is accepted must be safe to add up and to map, and good ones must be accepted. */
#include <linux/limits.h>
#include <arch/mmu.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/elf.h>
#include <tests/unit/unit.h>

static const Elf64_Ehdr good = {
	.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC, .e_machine = EM_AARCH64,
	.e_version = EV_CURRENT, .e_entry = 0x400100, .e_phoff = 64, .e_ehsize = 64, .e_phentsize = 56, .e_phnum = 3,
};
static const Elf64_Phdr program[4] = {
	{ .p_type = PT_INTERP, .p_offset = 0x200, .p_vaddr = 0x400200, .p_filesz = 27, .p_memsz = 27 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0, .p_vaddr = 0x400000, .p_filesz = 0x1234, .p_memsz = 0x1234 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1240, .p_vaddr = 0x402240, .p_filesz = 0x100, .p_memsz = 0x5000 },
	{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
};

static const u64 edges[] = {
	0, 1, 2, 3, 4, 7, 8, 55, 56, 57, 63, 64, 127, 128, 129, 0xfff, 0x1000, 0x1001, 0x3fffff, 0x400000, 0x400001, 0x401234, 0x402000, 0x7fff,
	0xffff, 0x7fffffff, 0x80000000, 0xffffffff, USER_END - 0x1000, USER_END - 1, USER_END, USER_END + 1, 0x7ffffffffffff000,
	0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff,
};

/* A copy at the end of a readable page, so that a look beyond is a fault. */
static Elf64_Ehdr *header(void)
{
	static Elf64_Ehdr *h;

	if (!h)
		h = host_guarded(sizeof(*h));
	*h = good;
	return h;
}

TEST(good_headers)
{
	Elf64_Ehdr *h = header();

	EXPECT_EQ(elf_check_header(h), 0);
	h->e_type = ET_DYN;
	h->e_phnum = ELF_MAX_PHDRS;
	h->e_flags = h->e_shnum = 0xffff;	/* nothing to us */
	h->e_shoff = h->e_entry = ~0ul;
	EXPECT_EQ(elf_check_header(h), 0);
}

/* Each byte of the header to each value: refused, unless the byte says nothing to us or the value is another good one. */
TEST(every_header_byte)
{
	for (u32 at = 0; at < sizeof(Elf64_Ehdr); at++)
		for (u32 c = 0; c < 256; c++) {
			Elf64_Ehdr *h = header();
			bool matters = at < 6 || (at >= offsetof(Elf64_Ehdr, e_type) && at < offsetof(Elf64_Ehdr, e_version)) ||
				       (at >= offsetof(Elf64_Ehdr, e_phentsize) && at < offsetof(Elf64_Ehdr, e_shentsize));
			bool fine;

			((u8 *)h)[at] = (u8)c;
			fine = !matters || ((const u8 *)&good)[at] == c || (at == offsetof(Elf64_Ehdr, e_type) && c == ET_DYN) ||
			       (at == offsetof(Elf64_Ehdr, e_phnum) && c >= 1 && c <= ELF_MAX_PHDRS);
			if (at == offsetof(Elf64_Ehdr, e_phoff) + 7)
				fine = c < 0x80;
			EXPECT_EQ(elf_check_header(h), fine ? 0 : -ENOEXEC);
		}
}

TEST(table_place)
{
	for (u32 i = 0; i < ARRAY_SIZE(edges); i++) {
		Elf64_Ehdr *h = header();
		int err;

		h->e_phoff = edges[i];
		err = elf_check_header(h);
		EXPECT(err == 0 || err == -ENOEXEC);
		EXPECT(err || edges[i] + ELF_MAX_PHDRS * sizeof(Elf64_Phdr) <= INT64_MAX);
		EXPECT(!err || edges[i] > 1ul << 60);
	}
}

/* What exec.c does with accepted segments: none of its sums may wrap or leave user space, none may map over another. */
static bool safe(const Elf64_Phdr *ph, u32 n, const struct elf_extent *e)
{
	u64 last = 0;

	if (e->low >= e->high || e->high > PAGE_ALIGN(USER_END) || !IS_ALIGNED(e->low | e->high, PAGE_SIZE))
		return false;
	for (u32 i = 0; i < n; i++) {
		const Elf64_Phdr *p = &ph[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_vaddr < last || p->p_vaddr > USER_END || p->p_memsz > USER_END - p->p_vaddr || p->p_filesz > p->p_memsz)
			return false;
		if (p->p_offset > INT64_MAX || p->p_filesz > INT64_MAX - p->p_offset || p->p_vaddr % PAGE_SIZE != p->p_offset % PAGE_SIZE)
			return false;
		if (ALIGN_DOWN(p->p_vaddr, PAGE_SIZE) < e->low || PAGE_ALIGN(p->p_vaddr + p->p_memsz) > e->high)
			return false;
		last = p->p_vaddr + p->p_memsz;
	}
	return true;
}

static bool judged(const Elf64_Phdr *ph, u32 n, bool *accepted)
{
	struct elf_extent e = { 1, 2 };
	int err = elf_check_segments(ph, n, &e);

	*accepted = !err;
	return err == -ENOEXEC || (err == 0 && safe(ph, n, &e));
}

static Elf64_Phdr *table(void)
{
	static Elf64_Phdr *t;

	if (!t)
		t = host_guarded(sizeof(program));
	memcpy(t, program, sizeof(program));
	return t;
}

TEST(good_segments)
{
	struct elf_extent e;
	const Elf64_Phdr *p;

	EXPECT_EQ(elf_check_segments(table(), 4, &e), 0);
	EXPECT(e.low == 0x400000 && e.high == 0x408000);
	EXPECT(elf_interp(table(), 4, &p) == 0 && p == table());
	EXPECT(elf_interp(table() + 1, 3, &p) == 0 && !p);
}

static u64 *field(Elf64_Phdr *p, u32 f)		/* the six of 64 bits */
{
	return (u64 *)&p->p_offset + f;
}

TEST(every_segment_field)
{
	u32 taken = 0, refused = 0;
	bool accepted;

	for (u32 i = 0; i < 4; i++)
		for (u32 f = 0; f < 6; f++)
			for (u32 k = 0; k < ARRAY_SIZE(edges); k++)
				for (u32 k2 = 0; k2 < ARRAY_SIZE(edges); k2++) {
					Elf64_Phdr *t = table();

					*field(&t[i], f) = edges[k];
					*field(&t[i], (f + 1 + k2 % 5) % 6) = edges[k2];
					EXPECT(judged(t, 4, &accepted));
					if (accepted)
						taken++;
					else
						refused++;
				}
	EXPECT(taken > 1000 && refused > 1000);
}

TEST(random_segments)
{
	bool accepted;

	for (int round = 0; round < 300000; round++) {
		Elf64_Phdr *t = table();

		for (u64 n = 1 + unit_below(4); n--;) {
			u64 v = unit_below(3) ? edges[unit_below(ARRAY_SIZE(edges))] + unit_below(3) - 1 : unit_random() >> unit_below(64);

			*field(&t[unit_below(4)], (u32)unit_below(6)) = v;
		}
		if (unit_below(4) == 0)
			t[unit_below(4)].p_type = (u32)unit_below(8);
		EXPECT(judged(t, 1 + (u32)unit_below(4), &accepted));
	}
}

TEST(refused_by_name)
{
	struct elf_extent e;
	Elf64_Phdr *t;

#define REFUSED(change) do { t = table(); change; EXPECT_EQ(elf_check_segments(t, 4, &e), -ENOEXEC); } while (0)
	REFUSED(t[1].p_type = t[2].p_type = PT_NULL);		/* nothing to load */
	REFUSED(t[2].p_vaddr = 0x400240);			/* overlap */
	REFUSED(swap(t[1], t[2]));				/* falling */
	REFUSED(t[1].p_filesz = 0x1235);			/* more in the file than in memory */
	REFUSED(t[1].p_offset = 1);				/* no page can do that */
	REFUSED(t[2].p_memsz = ~0ul);
	REFUSED(t[2].p_memsz = USER_END);
	REFUSED(t[2].p_vaddr = 0xffff000000000240);
	REFUSED(t[2].p_offset = 0xfffffffffffff240);
	REFUSED(t[1].p_vaddr = 0; t[1].p_memsz = t[1].p_filesz = 0; t[2].p_type = PT_NULL);	/* covers nothing */
	EXPECT_EQ(elf_check_segments(t, 0, &e), -ENOEXEC);
}

TEST(interpreter)
{
	static const struct { u64 size; int err; } t[] = {
		{ 0, -ENOEXEC }, { 1, -ENOEXEC }, { 2, 0 }, { PATH_MAX, 0 }, { PATH_MAX + 1, -ENOEXEC }, { ~0ul, -ENOEXEC },
	};
	const Elf64_Phdr *p;

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		Elf64_Phdr *ph = table();

		ph[0].p_filesz = t[i].size;
		EXPECT_EQ(elf_interp(ph, 4, &p), t[i].err);
	}
	Elf64_Phdr *ph = table();
	ph[0].p_offset = ~0ul - 10;
	EXPECT_EQ(elf_interp(ph, 4, &p), -ENOEXEC);
}
