/* CRC-32 (ISO 3309, polynomial 0x04c11db7 reflected): GPT, gzip. */
#pragma once
#include <kernel/lib/types.h>

/* crc32 - of len bytes, going on from crc (0 to begin).  Context: any. */
u32 crc32(u32 crc, const void *data, size_t len);
