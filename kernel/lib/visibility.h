#pragma once
/* Included before everything: all symbols of the kernel are its own, so references to them need no global offset table. */
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
