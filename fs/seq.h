/* Text that a /proc file shows, built in a growing buffer. */
#pragma once
#include <kernel/lib/types.h>

struct seq { char *buf; size_t size, len; bool overflow; };
void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *s, const char *str);
void seq_write(struct seq *s, const void *data, size_t len);
void seq_putc(struct seq *s, char c);
/* seq_number - v to the base (2 to 16), right in at least width places with pad before it: what "%08lx" does in a quarter of the time. */
void seq_number(struct seq *s, u64 v, u32 base, u32 width, char pad);
/* seq_fill - n times c. */
void seq_fill(struct seq *s, char c, size_t n);
