/* Text that a /proc file shows, built in a growing buffer. */
#pragma once
#include <kernel/lib/types.h>

struct seq { char *buf; size_t size, len; bool overflow; };
void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *s, const char *str);
void seq_write(struct seq *s, const void *data, size_t len);
void seq_putc(struct seq *s, char c);
