/* Short backtraces, kept where something began that may turn out wrong later (debug builds). */
#pragma once
#include <kernel/lib/types.h>

#define WHERE_FRAMES 8

struct where { u32 text_off[WHERE_FRAMES]; };	/* return addresses as offsets from _text; 0 ends */

/* where_note - the callers of the calling function, innermost first.  Bounded, reads nothing but current's stack.  Context: any. */
void where_note(struct where *w);
/* where_print - into the log, symbolised.  Context: any. */
void where_print(const struct where *w);
