/* The first program. */
#pragma once

/* run_init - find init as ABI.md says and become it; a panic lists what was tried.  Context: the init thread; never returns. */
void __attribute__((noreturn)) run_init(void);
