/* CRC-32 (ISO 3309, polynomial 0x04c11db7 reflected): GPT, gzip.  The function is zlib's. */
#pragma once
#include <kernel/lib/types.h>

/* crc32 - of len bytes, going on from crc (0 to begin).  Context: any. */
u64 crc32(u64 crc, const u8 *data, u32 len);
