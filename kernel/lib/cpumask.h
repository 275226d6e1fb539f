/* Masks of up to 64 CPUs as text, in Linux's forms: "f", "1,00000001" (hexadecimal, 32 bits a group) and "0-2,5" (a list). */
#pragma once
#include <kernel/lib/types.h>

/* mask_format, mask_list_format - write mask, of nr bits, into buf, which ends in a NUL.  Context: any. */
void mask_format(u64 mask, u32 nr, char *buf, size_t size);
void mask_list_format(u64 mask, char *buf, size_t size);
/* mask_parse - hexadecimal groups of at most 32 bits each; mask_list_parse - N, N-M, N-M:USED/GROUP or "all", separated by commas; white
 * space around.  Only bits below nr (at most 64).  Return 0, -EINVAL (no such text), -EOVERFLOW (a bit that is not there, a group too
 * long), -ERANGE (a list names a bit that is not there).  Context: any. */
int mask_parse(const char *buf, u32 nr, u64 *out);
int mask_list_parse(const char *buf, u32 nr, u64 *out);
