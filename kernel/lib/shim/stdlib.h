/* For third-party sources only. */
#pragma once
#include <kernel/lib/string.h>

static inline unsigned long strtoul(const char *s, char **end, int base) { return parse_number(s, (const char **)end, (unsigned)base); }
