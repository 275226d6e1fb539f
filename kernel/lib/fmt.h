/* Formatted text into a buffer. */
#pragma once
#include <stdarg.h>
#include <kernel/lib/types.h>

/* kvsnprintf - as C's vsnprintf, without floating point; %p prints 0x and all digits, %pS a kernel address as symbol+offset (through
 * fmt_symbol_hook).  Returns the length it would have had.  Context: any. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* scnprintf - the length it has in buf */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
extern void (*fmt_symbol_hook)(char *buf, size_t len, u64 addr);
#ifndef UNIT_TEST
#define vsnprintf kvsnprintf
#define snprintf ksnprintf
#endif
