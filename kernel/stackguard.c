/* Canaries on the kernel's stacks: -fstack-protector-strong puts a word between a function's arrays and what it has to come back to, and looks at it
 * before it returns; who writes past the end of an array changes that word first.
 *
 * One word for the whole kernel, as unlikely to be guessed as the generator's output; its lowest byte is 0, where a string that runs over ends. It is
 * chosen while one thread runs on one CPU with interrupts off, before there is a second stack, in frames that do not look at it again: this file's,
 * which are not protected, and kernel_main's, which never returns. One for each task would have to be reached by a system register: SP_EL0 is
 * the program's while the kernel runs, TPIDR_EL1 holds an offset, and writing either at each switch costs more than it gains.
 *
 * Not protected: what runs before the image is relocated (arch/arm64/kaslr.c, libfdt), since the word's address comes from a table; the vDSO; and the
 * build with the race detector. */
#include <kernel/lib/types.h>
#include <kernel/debug.h>
#include <kernel/random/random.h>
#include <kernel/stackguard.h>

#define UNPROTECTED	__attribute__((no_stack_protector))

u64 __stack_chk_guard __ro_after_init = STACK_GUARD_BEFORE;
void __noreturn __stack_chk_fail(void);

/* The call is the last instruction of who makes it: what it would return to may be the next function. */
void UNPROTECTED __stack_chk_fail(void) { panic("stack smashed in %pS", (char *)__builtin_return_address(0) - 4); }

void UNPROTECTED stack_guard_seed(void)
{
	u64 word;

	random_bytes(&word, sizeof(word));
	__stack_chk_guard = word & ~0xfful;
}
