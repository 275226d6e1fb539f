/* Addresses to names: a table as scripts/gen-symbols makes it, every offset looked up, against a walk from the start. */
#include <arch/mmu.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/symbols.h>
#include <tests/unit/unit.h>

#define TEXT 4096
asm(".data\n.globl unit_text\nunit_text: .skip 4096\n.globl unit_etext\nunit_etext: .skip 64\n.globl unit_end\nunit_end: .byte 0\n.previous");
extern const char unit_text[], unit_etext[];

u32 ksym_count, ksym_offsets[100], ksym_name_off[100];
char ksym_names[1000];

/* A random table: offsets rise, names are s0, s1, ... */
static void make_table(u32 n)
{
	size_t len = 0;

	for (u32 i = 0, at = (u32)unit_below(40); i < n; i++, at += 1 + (u32)unit_below(TEXT / (n + 1) - 1)) {
		ksym_offsets[i] = at;
		ksym_name_off[i] = (u32)len;
		len += (size_t)ksnprintf(ksym_names + len, sizeof(ksym_names) - len, "s%u", i) + 1;
	}
	ksym_count = n;
}

static bool right(u32 off)
{
	const char *name = "";
	char want[12];
	u64 o = 0, size = 0, next;
	bool found = symbol_lookup((u64)unit_text + off, &name, &o, &size);
	int i = -1;

	while (i + 1 < (int)ksym_count && ksym_offsets[i + 1] <= off)
		i++;
	if (i < 0)
		return !found;
	next = i + 1 < (int)ksym_count ? ksym_offsets[i + 1] : TEXT;
	ksnprintf(want, sizeof(want), "s%d", i);
	return found && !strcmp(name, want) && o == off - ksym_offsets[i] && size == next - ksym_offsets[i];
}

TEST(every_offset)
{
	static const u32 sizes[] = { 0, 1, 2, 3, 64, 99 };

	for (u32 k = 0; k < ARRAY_SIZE(sizes); k++) {
		make_table(sizes[k]);
		for (u32 off = 0; off < TEXT; off++)
			EXPECT(right(off));
	}
}

TEST(outside)
{
	const char *name;
	u64 off, size;

	make_table(10);
	EXPECT(!symbol_lookup((u64)unit_text - 1, &name, &off, &size) && !symbol_lookup((u64)unit_etext, &name, &off, &size));
	EXPECT(!symbol_lookup(0, &name, &off, &size) && !symbol_lookup(~0ul, &name, &off, &size));
}

TEST(text)
{
	char buf[40];

	make_table(3);
	symbol_format(buf, sizeof(buf), (u64)unit_text + ksym_offsets[1]);
	EXPECT(str_has_prefix(buf, "s1+0x0/0x"));
	symbol_format(buf, sizeof(buf), 0x1234);
	EXPECT(!strcmp(buf, "0x0000000000001234"));
	symbol_format(buf, 5, (u64)unit_text + ksym_offsets[1]);
	EXPECT(!strcmp(buf, "s1+0"));
}

TEST(by_number)
{
	const char *name;
	u64 addr;

	make_table(5);
	EXPECT(symbol_at(4, &addr, &name) && addr == (u64)unit_text + ksym_offsets[4] && !strcmp(name, "s4"));
	EXPECT(!symbol_at(5, &addr, &name) && !symbol_at(~0u, &addr, &name));
}
