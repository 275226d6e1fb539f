/* A call preserves every register but x0, and the flags of nothing it does not own. */
#include "tap.h"

struct regs { uint64_t x[31]; };

/* Loads x1..x30 with a pattern, makes the call in nr, stores them all. */
static void call_with_pattern(long nr, struct regs *out)
{
	register struct regs *o __asm__("x20") = out;
	register long n __asm__("x21") = nr;
	__asm__ volatile(
		"stp x29, x30, [sp, #-16]!\n"
		"str x20, [sp, #-16]!\n"
		"mov x8, x21\n"
		"mov x0, #-1\n"
		"mov x1, #101\n mov x2, #102\n mov x3, #103\n mov x4, #104\n mov x5, #105\n"
		"mov x6, #106\n mov x7, #107\n mov x9, #109\n mov x10, #110\n mov x11, #111\n"
		"mov x12, #112\n mov x13, #113\n mov x14, #114\n mov x15, #115\n mov x16, #116\n"
		"mov x17, #117\n mov x18, #118\n mov x19, #119\n mov x20, #120\n mov x21, #121\n"
		"mov x22, #122\n mov x23, #123\n mov x24, #124\n mov x25, #125\n mov x26, #126\n"
		"mov x27, #127\n mov x28, #128\n mov x29, #129\n mov x30, #130\n"
		"svc #0\n"
		"str x19, [sp, #-16]!\n"
		"ldr x19, [sp, #16]\n"
		"stp x0, x1, [x19, #0]\n stp x2, x3, [x19, #16]\n stp x4, x5, [x19, #32]\n"
		"stp x6, x7, [x19, #48]\n stp x8, x9, [x19, #64]\n stp x10, x11, [x19, #80]\n"
		"stp x12, x13, [x19, #96]\n stp x14, x15, [x19, #112]\n stp x16, x17, [x19, #128]\n"
		"str x18, [x19, #144]\n str x20, [x19, #160]\n stp x21, x22, [x19, #168]\n"
		"stp x23, x24, [x19, #184]\n stp x25, x26, [x19, #200]\n stp x27, x28, [x19, #216]\n"
		"stp x29, x30, [x19, #232]\n"
		"ldr x20, [sp], #16\n str x20, [x19, #152]\n"
		"ldr x20, [sp], #16\n"
		"ldp x29, x30, [sp], #16\n"
		: "+r"(o), "+r"(n)
		:
		: "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
		  "x14", "x15", "x16", "x17", "x18", "x19", "x22", "x23", "x24", "x25", "x26", "x27",
		  "x28", "memory", "cc");
}

static void verify(long nr)
{
	struct regs r;
	memset(&r, 0, sizeof(r));
	call_with_pattern(nr, &r);
	for (int i = 1; i < 31; i++)
		if (i != 8)
			CHECK_EQ(r.x[i], 100 + i);
	CHECK_EQ(r.x[8], nr);
}

TEST(registers_after_getpid) { verify(SYS_getpid); }
TEST(registers_after_error) { verify(SYS_close); }
TEST(registers_after_blocking_yield) { verify(SYS_sched_yield); }
TEST(registers_after_unknown_call) { verify(5000); }

TEST(fp_registers_survive_calls)
{
	uint64_t before[64], after[64];
	for (int i = 0; i < 64; i++)
		before[i] = 0x0101010101010101ull * (i + 1);
	for (int round = 0; round < 200; round++) {
		__asm__ volatile(
			"ldp q0, q1, [%0, #0]\n ldp q2, q3, [%0, #32]\n ldp q4, q5, [%0, #64]\n"
			"ldp q6, q7, [%0, #96]\n ldp q28, q29, [%0, #448]\n ldp q30, q31, [%0, #480]\n"
			"mov x8, %2\n svc #0\n"
			"stp q0, q1, [%1, #0]\n stp q2, q3, [%1, #32]\n stp q4, q5, [%1, #64]\n"
			"stp q6, q7, [%1, #96]\n stp q28, q29, [%1, #448]\n stp q30, q31, [%1, #480]\n"
			: : "r"(before), "r"(after), "r"((long)SYS_sched_yield)
			: "x0", "x8", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v28", "v29", "v30", "v31");
		CHECK(memcmp(before, after, 128) == 0);
		CHECK(memcmp(before + 56, after + 56, 64) == 0);
	}
}

TEST(unknown_numbers_are_enosys)
{
	CHECK_ERR(syscall(5000), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
	CHECK_ERR(syscall(0x7fffffff), ENOSYS);
	CHECK_ERR(syscall(1024), ENOSYS);
	CHECK_ERR(syscall(245), ENOSYS);	/* a gap in the arm64 table */
}
