/* Canaries on the kernel's stacks (kernel/stackguard.c): in every build but the race detector's. */
#ifndef CONFIG_RACE
#include <kernel/ktest.h>
#include <kernel/stackguard.h>

#define hidden(v) ({ __typeof__(v) __h = (v); asm volatile("" : "+r"(__h)); __h; })

/* It was chosen at boot, and a string that runs over its end stops before it. */
KTEST(stackguard, chosen)
{
	EXPECT(__stack_chk_guard != STACK_GUARD_BEFORE);
	EXPECT((__stack_chk_guard & ~0xfful) != 0);
	EXPECT_EQ(__stack_chk_guard & 0xff, 0);
}

static void __attribute__((noinline)) fill(u32 n)
{
	volatile char buf[16];

	for (u32 i = 0; i < n; i++)
		((volatile char *)hidden(&buf[0]))[i] = (char)i;
}
KTEST(stackguard, filled_to_its_end) { fill(hidden(16u)); }

/* Each in a boot of its own: the array run over, by far and by a single byte. */
static void __attribute__((noinline)) smash(u32 n)
{
	volatile char buf[16];

	for (u32 i = 0; i < n; i++)
		((volatile char *)hidden(&buf[0]))[i] = (char)(i + 1);
}
KTEST_REPORTS(stackguard, smashed, "stack smashed in smash") { smash(hidden(48u)); }
KTEST_REPORTS(stackguard, by_one_byte, "stack smashed in smash") { smash(hidden(17u)); }
#endif
